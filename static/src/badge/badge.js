import { _t } from "@web/core/l10n/translation";
import { registry } from "@web/core/registry";
import { BadgeField, badgeField } from "@web/views/fields/badge/badge_field";

/** How the state of a mailbox looks. */
export const STATES = {
    connected: { icon: "fa-check", color: "success" },
    unstable: { icon: "fa-exclamation-triangle", color: "warning" },
    disconnected: { icon: "fa-plug", color: "danger" },
    not_connected: { icon: "fa-circle-o", color: "secondary" },
};
const ICONS = {
    ...Object.fromEntries(Object.entries(STATES).map(([state, { icon }]) => [state, icon])),
    fallback: "fa-envelope",
    held: "fa-question-circle",
    deferred: "fa-clock-o",
    failed: "fa-times-circle",
    reconnected: "fa-check",
    test: "fa-flask",
    configured: "fa-cog",
    good: "fa-check",
    unknown: "fa-circle-o",
    warning: "fa-exclamation-triangle",
    bad: "fa-times-circle",
};

/** A badge that tells its value by a word, a colour and an icon: no one needs to see colours. */
export class SystemMailBadge extends BadgeField {
    static template = "system_mail.Badge";

    get icon() {
        return ICONS[this.props.record.data[this.props.name]];
    }
}

export const systemMailBadge = {
    ...badgeField,
    component: SystemMailBadge,
    displayName: _t("Badge with icon"),
    supportedTypes: ["selection"],
};

registry.category("fields").add("system_mail_badge", systemMailBadge);
