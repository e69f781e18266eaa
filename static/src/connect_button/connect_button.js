import { _t } from "@web/core/l10n/translation";
import { registry } from "@web/core/registry";
import { useService } from "@web/core/utils/hooks";
import { pick } from "@web/core/utils/objects";
import { standardWidgetProps } from "@web/views/widgets/standard_widget_props";

import { Component } from "@odoo/owl";

const SPECIFICATION = {
    system_mail_address: {},
    system_mail_server_id: { fields: { display_name: {} } },
    system_mail_state: {},
    system_mail_message: {},
};

/**
 * Opens the connect dialog with the address as it was typed on the settings page. A plain object
 * button would first ask to save the page, or save a part of it.
 */
export class SystemMailConnectButton extends Component {
    static template = "system_mail.ConnectButton";
    static props = { ...standardWidgetProps };

    setup() {
        this.action = useService("action");
        this.orm = useService("orm");
    }

    get data() {
        return this.props.record.data;
    }

    get label() {
        return this.data.system_mail_server_id ? _t("Reconnect") : _t("Connect");
    }

    get isPrimary() {
        return this.data.system_mail_state !== "connected";
    }

    async onClick() {
        await this.props.record.isDirty(); // waits for what is being typed
        const action = await this.orm.call("res.company", "action_system_mail_connect", [
            [this.data.company_id.id],
            this.data.system_mail_address,
        ]);
        await this.action.doAction(action, { onClose: () => this.refresh() });
    }

    /** Show what the dialog changed, and keep what else was typed on the page. */
    async refresh() {
        const { record } = this.props;
        const others = Object.keys(record._changes).filter((name) => !(name in SPECIFICATION));
        if (!others.length) {
            return record.model.load();
        }
        const [values] = await this.orm.webRead("res.company", [this.data.company_id.id], {
            specification: SPECIFICATION,
        });
        return record.update(pick(values, ...Object.keys(SPECIFICATION)));
    }
}

registry.category("view_widgets").add("system_mail_connect_button", {
    component: SystemMailConnectButton,
});
