import { registry } from "@web/core/registry";

import { isAccessible } from "./accessible";

const DIALOG = ".modal:not(.o_inactive_modal)";
const SETTING = "#system_mail_setting";

registry.category("web_tour.tours").add("system_mail_application", {
    steps: () => [
        {
            trigger: `${SETTING} [name=system_mail_address] input`,
            run: "edit hello@company.test",
        },
        {
            trigger: `${SETTING} button[name=action_system_mail_connect]`,
            run: "click",
        },
        {
            trigger: `${DIALOG} label:contains(Lab Application)`,
            run: "click",
        },
        {
            content: "no browser goes to the provider: there is no sign-in",
            trigger: `${DIALOG} footer:not(:has(button[name=action_sign_in])) button[name=action_connect]`,
        },
        isAccessible("connecting by an application"),
        {
            trigger: `${DIALOG} footer button[name=action_connect]`,
            run: "click",
        },
        {
            content: "the next step has the focus",
            trigger: `${DIALOG}:has([role=status]:contains(Connected.):contains(hello@company.test)) footer button:contains(Run Drill):focus`,
        },
        isAccessible("a mailbox that is connected"),
        {
            trigger: `${DIALOG} footer button:contains(Done)`,
            run: "click",
        },
        {
            trigger: `${SETTING} [name=system_mail_state] .badge:contains(Connected)`,
        },
        {
            content: "the page was loaded again: there is nothing to save",
            trigger: "body:not(:has(.o_form_dirty))",
        },
    ],
});
