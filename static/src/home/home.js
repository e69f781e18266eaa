import { browser } from "@web/core/browser/browser";
import { _t } from "@web/core/l10n/translation";
import { registry } from "@web/core/registry";
import { user } from "@web/core/user";
import { useBus, useService } from "@web/core/utils/hooks";
import { Layout } from "@web/search/layout";
import { standardActionServiceProps } from "@web/webclient/actions/action_service";

import {
    Component,
    onWillStart,
    status,
    useComponent,
    useEffect,
    useRef,
    useState,
} from "@odoo/owl";

import { STATES } from "../badge/badge";

/** @typedef {{label: string, model: string, ids: number[], method: string, args: Array}} Button */

/** What a Super User sees first. The server puts it into words; a button calls its method. */
export class SystemMailHome extends Component {
    static template = "system_mail.Home";
    static components = { Layout };
    static props = { ...standardActionServiceProps };

    setup() {
        this.action = useService("action");
        this.orm = useService("orm");
        this.component = useComponent();
        this.root = useRef("root");
        this.state = useState({ page: null });
        onWillStart(() => this.load());
        useEffect(
            () => this.focusNextStep(),
            () => [this.state.page],
        );
        // after a dialog, which first tries to give the focus back
        useBus(useService("ui").bus, "active-element-changed", () =>
            browser.setTimeout(() => this.focusNextStep()),
        );
    }

    async load() {
        this.state.page = await this.orm.call("system.mail.home", "get_page", []);
    }

    get page() {
        return this.state.page;
    }

    /** Where nothing has the focus, or the button that had it is gone: what to do, or the news. */
    focusNextStep() {
        const { el } = this.root;
        if (el && document.activeElement === document.body) {
            const next = el.querySelector(".btn-primary") ?? el.querySelector("h1");
            next.focus({ preventScroll: true }); // the page begins with what matters most
        }
    }

    icon(state) {
        return STATES[state].icon;
    }

    color(state) {
        return STATES[state].color;
    }

    get hasCarried() {
        return this.page.days.some((day) => day.count);
    }

    get mostCarried() {
        return Math.max(1, ...this.page.days.map((day) => day.count));
    }

    /** The graph, for who does not see it. */
    get daysInWords() {
        const days = this.page.days.map(({ label, count }) => `${label}: ${count}`);
        return _t("Fallbacks on each day: %(days)s", { days: days.join(", ") });
    }

    /** @param {Button} button */
    async press(button) {
        await this.action.doActionButton({
            type: "object",
            name: button.method,
            resModel: button.model,
            resIds: button.ids,
            args: JSON.stringify(button.args),
            context: { ...user.context },
            onClose: () => this.refresh(),
        });
        await this.refresh();
    }

    /** Show what a button changed, unless it has led to another page. */
    async refresh() {
        if (status(this.component) !== "destroyed") {
            await this.load();
        }
    }
}

registry.category("actions").add("system_mail_home", SystemMailHome);
