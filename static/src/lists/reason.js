import { _t } from "@web/core/l10n/translation";
import { registry } from "@web/core/registry";
import { formatDateTime } from "@web/views/fields/formatters";
import { standardFieldProps } from "@web/views/fields/standard_field_props";

import { Component } from "@odoo/owl";

/** Why and since when a mailbox does not work and, below it, what to do. */
export class SystemMailReason extends Component {
    static template = "system_mail.Reason";
    static props = { ...standardFieldProps };

    get reason() {
        return this.props.record.data[this.props.name];
    }

    /** What is said of the mailbox beside the reason. */
    get lines() {
        const { asked, speed, since, state, remedy } = this.props.record.data;
        const fails = since && ["unstable", "disconnected"].includes(state);
        const when = fails && _t("Since %(time)s", { time: formatDateTime(since) });
        return [speed, when, remedy, asked];
    }
}

registry.category("fields").add("system_mail_reason", {
    component: SystemMailReason,
    displayName: _t("Reason and next step"),
    supportedTypes: ["char"],
    fieldDependencies: [
        { name: "asked", type: "char" },
        { name: "remedy", type: "char" },
        { name: "since", type: "datetime" },
        { name: "speed", type: "char" },
        { name: "state", type: "selection" },
    ],
});
