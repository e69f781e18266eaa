import { registry } from "@web/core/registry";

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
            trigger: `${DIALOG}:contains(one real notification is sent to you):contains(ana@company.test)`,
        },
        {
            trigger: `${DIALOG} footer button:contains(Send It)`,
            run: "click",
        },
        {
            content: "System Mail fails: plain words, what to do, and nothing is left",
            trigger: `${DIALOG} [role=alert]:contains(password was rejected):contains(Reconnect with the new password):contains(Nothing waits in the queue)`,
        },
        {
            content: "the server's own words are there, folded away",
            trigger: `${DIALOG} [role=alert] details:not([open]) summary`,
        },
        {
            trigger: `${DIALOG} footer button:contains(Try Again)`,
            run: "click",
        },
        {
            trigger: `${DIALOG} [role=status]:contains(It works):contains(hello@company.test in your name)`,
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
        {
            trigger: `${DIALOG} footer button:contains(Done)`,
            run: "click",
        },
        {
            trigger: "body:not(:has(.modal)) #system_mail_connection_setting",
        },
    ],
});
