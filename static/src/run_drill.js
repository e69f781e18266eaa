import { registry } from "@web/core/registry";
import { useService } from "@web/core/utils/hooks";
import { standardWidgetProps } from "@web/views/widgets/standard_widget_props";
import { Component, onMounted, status, xml } from "@odoo/owl";

/** Runs the drill of the dialog that it stands in, and shows its verdict there. */
export class RunDrill extends Component {
    static template = xml`<i class="fa fa-spinner fa-spin ms-1" aria-hidden="true"/>`;
    static props = { ...standardWidgetProps };

    setup() {
        const orm = useService("orm");
        const actions = useService("action");
        onMounted(async () => {
            const { resModel, resId } = this.props.record;
            const verdict = await orm.call(resModel, "action_drill", [[resId]]);
            if (status(this) !== "destroyed") {
                await actions.doAction(verdict);
            }
        });
    }
}

registry.category("view_widgets").add("system_mail_run_drill", { component: RunDrill });
