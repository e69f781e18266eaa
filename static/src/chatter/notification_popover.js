import { Message } from "@mail/core/common/message";
import { Component } from "@odoo/owl";

/** What the envelope of a message tells, and what can be done about mail that is not sent. */
export class SystemMailNotificationPopover extends Component {
    static template = "system_mail.NotificationPopover";
    static props = ["message", "close?"];
    static components = { Inner: Message.components.Popover };

    get tale() {
        return this.props.message.systemMailTale;
    }

    get actions() {
        return this.props.message.systemMailActions;
    }

    async decide(action) {
        await this.props.message.decideOnSystemMail(action);
        this.props.close?.();
    }
}

Message.components = { ...Message.components, Popover: SystemMailNotificationPopover };
