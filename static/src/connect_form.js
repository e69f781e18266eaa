import { hasTouch } from "@web/core/browser/feature_detection";
import { registry } from "@web/core/registry";
import { FormController } from "@web/views/form/form_controller";
import { formView } from "@web/views/form/form_view";

import { onMounted } from "@odoo/owl";

/** The connect dialog, which opens anew for each step: the focus is on what to do next. */
class ConnectFormController extends FormController {
    setup() {
        super.setup();
        onMounted(() => this.focusNextStep());
    }

    focusNextStep() {
        if (hasTouch()) {
            return; // a keyboard would cover the dialog
        }
        const dialog = this.rootRef.el.closest(".modal");
        const { asks_address, state } = this.model.root.data;
        const typed = (asks_address ? ["address"] : ["smtp_host", "smtp_pass"])
            .map((name) => dialog.querySelector(`[name=${name}] input`))
            .filter(Boolean);
        const wrong = state === "failed" && typed.at(-1);
        const empty = typed.find((input) => !input.value);
        const next = empty || wrong || dialog.querySelector("footer .btn-primary");
        const news = dialog.querySelector("[role=alert], [role=status]:not(.o_system_mail_trying)");
        if (news) {
            news.id ||= "system_mail_news";
            next?.setAttribute("aria-describedby", news.id); // it is read out, too
        }
        next?.focus();
    }
}

registry.category("views").add("system_mail_connect_form", {
    ...formView,
    Controller: ConnectFormController,
});
