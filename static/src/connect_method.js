import { registry } from "@web/core/registry";
import { RadioField, radioField } from "@web/views/fields/radio/radio_field";

/** The ways to connect that fit the mailbox of the dialog: a selection has the same for all. */
export class ConnectMethodField extends RadioField {
    get items() {
        return super.items.filter(([key]) => this.props.record.data.offered.includes(key));
    }
}

export const connectMethodField = {
    ...radioField,
    component: ConnectMethodField,
    supportedTypes: ["selection"],
};

registry.category("fields").add("system_mail_method", connectMethodField);
