import { forgetReconnect } from "@system_mail/chatter/notification_patch";

import { browser } from "@web/core/browser/browser";
import { registry } from "@web/core/registry";
import { user } from "@web/core/user";
import { useService } from "@web/core/utils/hooks";
import { session } from "@web/session";

import { Component, onWillDestroy, useState } from "@odoo/owl";

const HIDDEN = "system_mail.hidden_alert";

/** A line under the navbar while the user's own mailbox is disconnected. */
export class SystemMailBanner extends Component {
    static template = "system_mail.Banner";
    static props = {};

    setup() {
        this.action = useService("action");
        this.bus = useService("bus_service");
        this.orm = useService("orm");
        this.state = useState({
            alert: session.system_mail_alert,
            hidden: browser.sessionStorage.getItem(HIDDEN),
        });
        const refresh = () => this.refresh();
        this.bus.subscribe("system_mail/state", refresh);
        onWillDestroy(() => this.bus.unsubscribe("system_mail/state", refresh));
    }

    /** Hidden is one alert, not those of later outages. */
    get isShown() {
        return this.state.alert && this.state.alert !== this.state.hidden;
    }

    async refresh() {
        this.state.alert = await this.orm.silent.call("res.users", "system_mail_alert");
        if (!this.state.alert) {
            forgetReconnect(this.env.services["mail.store"]);
        }
    }

    async reconnect() {
        const action = await this.orm.call("res.users", "action_system_mail_reconnect", [
            [user.userId],
        ]);
        await this.action.doAction(action, { onClose: () => this.refresh() });
    }

    hide() {
        this.state.hidden = this.state.alert;
        browser.sessionStorage.setItem(HIDDEN, this.state.hidden);
    }
}

if ("system_mail_alert" in session) {
    registry.category("main_components").add("system_mail.Banner", { Component: SystemMailBanner });
}
