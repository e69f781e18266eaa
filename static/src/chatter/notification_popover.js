import { Message } from "@mail/core/common/message";
import { patch } from "@web/core/utils/patch";

import { Component } from "@odoo/owl";

/** What the envelope of a message tells, and what can be done about mail that is not sent. */
export class SystemMailNotificationPopover extends Component {
    static template = "system_mail.NotificationPopover";
    static props = ["message", "close?"];
    static components = {};

    get tale() {
        return this.props.message.systemMailTale;
    }

    get actions() {
        return this.props.message.systemMailActions;
    }

    async reconnect() {
        this.props.close?.();
        await this.props.message.reconnectOwnMailbox();
    }

    async decide(action) {
        await this.props.message.decideOnSystemMail(action);
        this.props.close?.();
    }
}

// Other modules put a popover of their own in its place, before or after this file is read: ours shows
// it, whichever it is by the time that a message is shown.
patch(Message.prototype, {
    setup() {
        const { Popover } = Message.components;
        if (Popover !== SystemMailNotificationPopover) {
            SystemMailNotificationPopover.components = { Inner: Popover };
            Message.components = { ...Message.components, Popover: SystemMailNotificationPopover };
        }
        super.setup(...arguments);
    },
});
