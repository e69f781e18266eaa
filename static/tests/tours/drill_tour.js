import { registry } from "@web/core/registry";

import { isAccessible } from "./accessible";

const DIALOG = ".modal:not(.o_inactive_modal)";

registry.category("web_tour.tours").add("system_mail_drill", {
    steps: () => [
        {
            trigger: ".settings_tab .tab[data-key=system_mail]",
            run: "click",
        },
        {
            trigger: "#system_mail_connection_setting button[name=action_system_mail_drill]",
            run: "click",
        },
        {
            content: "it says beforehand what happens",
            trigger: `${DIALOG}:contains(sends one real notification to):contains(ana@company.test)`,
        },
        isAccessible("the drill"),
        {
            content: "the next step has the focus",
            trigger: `${DIALOG} footer button:contains(Run Drill):focus`,
            run: "click",
        },
        {
            content: "System Mail fails: plain words, what to do, and nothing is left",
            trigger: `${DIALOG} [role=alert]:focus:contains(password was rejected):contains(Reconnect with the new password):contains(This test message is not sent later)`,
        },
        {
            content: "the server's own words are there, folded away",
            trigger: `${DIALOG} [role=alert] details:not([open]) summary`,
        },
        isAccessible("a drill that failed"),
        {
            trigger: `${DIALOG} footer button:contains(Try Again)`,
            run: "click",
        },
        {
            content: "the verdict has the focus",
            trigger: `${DIALOG} [role=status]:focus:contains(It works):contains(hello@company.test in your name)`,
        },
        {
            content: "each check has an icon and a word",
            trigger: `${DIALOG} [name=checks] li:has(.fa-check[aria-hidden=true]):contains(Yes: One copy was sent)`,
        },
        {
            trigger: `${DIALOG}:contains(Open your inbox) [name=answer]:contains(250)`,
        },
        {
            content: "the headers are folded away",
            trigger: `${DIALOG} details:not([open]) summary:contains(All headers)`,
            run: "click",
        },
        {
            trigger: `${DIALOG} [name=headers]:contains("Ana Author" <hello@company.test>)`,
        },
        isAccessible("a drill that passed"),
        {
            trigger: `${DIALOG} footer button:contains(Done)`,
            run: "click",
        },
        {
            trigger: "body:not(:has(.modal)) #system_mail_connection_setting",
        },
    ],
});
