import { registry } from "@web/core/registry";

import { isAccessible } from "./accessible";

const DIALOG = ".modal:not(.o_inactive_modal)";
const SETTING = "#system_mail_setting";

registry.category("web_tour.tours").add("system_mail_sign_in", {
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
            content: "the domain tells the provider",
            trigger: `${DIALOG}:contains(Detected: Lab Mail) label:contains(Sign in with Lab Mail)`,
        },
        {
            content: "the next step has the focus",
            trigger: `${DIALOG} footer button[name=action_sign_in]:focus`,
        },
        isAccessible("signing in"),
        {
            content: "the browser goes to the provider and comes back",
            trigger: `${DIALOG} footer button[name=action_sign_in]`,
            run: "click",
            expectUnloadPage: true,
        },
        {
            content: "the dialog is there again, over the home page",
            trigger: `${DIALOG} [role=status]:contains(Connected.):contains(hello@company.test)`,
        },
        {
            trigger: `${DIALOG} footer button:contains(Done)`,
            run: "click",
        },
        {
            trigger:
                ".o_system_mail_home_system:contains(hello@company.test) .badge:contains(Connected)",
        },
    ],
});
