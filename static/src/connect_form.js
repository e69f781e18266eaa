import { browser } from "@web/core/browser/browser";
import { hasTouch } from "@web/core/browser/feature_detection";
import { _t } from "@web/core/l10n/translation";
import { registry } from "@web/core/registry";
import { useService } from "@web/core/utils/hooks";
import { uuid } from "@web/core/utils/strings";
import { FormController } from "@web/views/form/form_controller";
import { formView } from "@web/views/form/form_view";
import { standardWidgetProps } from "@web/views/widgets/standard_widget_props";

import { Component, onMounted, onWillUnmount, status, useSubEnv, xml } from "@odoo/owl";

const STOPPED = Symbol("stopped");

/** The connect dialog, which opens anew for each step: the focus is on what to do next. */
class ConnectFormController extends FormController {
    setup() {
        super.setup();
        this.actions = useService("action");
        this.stopTrying = () => {};
        useSubEnv({ stopTrying: () => this.stopTrying() });
        onMounted(() => {
            this.rootRef.el.addEventListener("keydown", (ev) => this.goOnByEnter(ev));
            this.focusNextStep();
        });
        onWillUnmount(() => this.stopTrying());
    }

    async beforeExecuteActionButton(clickParams) {
        const goesOn = await super.beforeExecuteActionButton(...arguments);
        if (goesOn === false || clickParams.name !== "action_connect") {
            return goesOn;
        }
        await this.tryAccount();
        return false;
    }

    /** Have the server try the account, and show what came of it, unless the user stops it. */
    async tryAccount() {
        const { resId } = this.model.root;
        const attempt = uuid();
        const context = { ...this.props.context, system_mail_attempt: attempt };
        const tried = this.orm.call("system.mail.connect", "action_connect", [[resId]], {
            context,
        });
        const stopped = new Promise((resolve) => {
            this.stopTrying = () => resolve(STOPPED);
        });
        this.showWaiting(true);
        let outcome;
        try {
            outcome = await Promise.race([tried, stopped]);
        } finally {
            this.stopTrying = () => {};
            this.showWaiting(false);
        }
        if (outcome !== STOPPED) {
            return this.actions.doAction(outcome);
        }
        tried.catch(() => {}); // nobody waits for it any more
        this.stop(resId, attempt);
        browser.setTimeout(() => status(this) === "mounted" && this.focusNextStep());
    }

    /**
     * Tell the server, also where the dialog is closed by now: then no hook is of use.
     *
     * @param {string} attempt the one that must change nothing
     */
    async stop(resId, attempt) {
        const { action, notification, orm } = this.env.services;
        const args = [[resId], attempt];
        const connected = await orm.call("system.mail.connect", "action_stop", args);
        if (connected) {
            return action.doAction(connected); // it was too late
        }
        notification.add(_t("Stopped. Nothing has changed."), { type: "info" });
    }

    showWaiting(isWaiting) {
        const dialog = this.rootRef.el?.closest(".modal-content");
        dialog?.classList.toggle("o_system_mail_waits", isWaiting);
        if (isWaiting) {
            const button = dialog.querySelector("button[name=stop]");
            button.removeAttribute("disabled"); // as all buttons are, while one works
            button.focus();
        }
    }

    /** Enter in a field that is often the last one does what the first button does. */
    goOnByEnter(ev) {
        const isLast = ev.target.matches("[name=address] input, [name=smtp_pass] input");
        if (ev.key === "Enter" && !ev.isComposing && isLast) {
            ev.preventDefault();
            const dialog = this.rootRef.el.closest(".modal");
            dialog.querySelector("footer .btn-primary:not([disabled])")?.click();
        }
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
        next?.focus({ preventScroll: Boolean(news) });
        news?.scrollIntoView({ block: "nearest" });
    }
}

registry.category("views").add("system_mail_connect_form", {
    ...formView,
    Controller: ConnectFormController,
});

/** Ends the waiting while the account is tried. */
class StopTrying extends Component {
    static template = xml`
        <button
            type="button"
            name="stop"
            class="btn btn-sm btn-secondary"
            t-on-click="() => this.env.stopTrying()"
            t-esc="label"
        />`;
    static props = { ...standardWidgetProps };

    get label() {
        return _t("Stop");
    }
}

registry.category("view_widgets").add("system_mail_stop_trying", { component: StopTrying });
