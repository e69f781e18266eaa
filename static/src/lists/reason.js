import { _t } from "@web/core/l10n/translation";
import { registry } from "@web/core/registry";
import { CharField, charField } from "@web/views/fields/char/char_field";
import { formatDateTime } from "@web/views/fields/formatters";
import { standardFieldProps } from "@web/views/fields/standard_field_props";

import { Component } from "@odoo/owl";

/** A reason, as it stands in the midst of sentences too, with a capital; the name of a server has none. */
function capitalized(reason) {
    const isName = /^\S*\.\S/.test(reason);
    return isName ? reason : reason.charAt(0).toLocaleUpperCase() + reason.slice(1);
}

/** A reason on its own. */
export class SystemMailSentence extends CharField {
    get formattedValue() {
        return capitalized(super.formattedValue);
    }
}

registry.category("fields").add("system_mail_sentence", {
    ...charField,
    component: SystemMailSentence,
});

/** Why and since when a mailbox does not work and, below it, what to do. */
export class SystemMailReason extends Component {
    static template = "system_mail.Reason";
    static props = { ...standardFieldProps };

    get reason() {
        return capitalized(this.props.record.data[this.props.name] || "");
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
