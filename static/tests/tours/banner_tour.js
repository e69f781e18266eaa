import { browser } from "@web/core/browser/browser";
import { registry } from "@web/core/registry";

import { isAccessible } from "./accessible";

const BANNER = ".o_system_mail_banner";
const DIALOG = ".modal:not(.o_inactive_modal)";

const isShown = [
    {
        content: "what happened, and what still works",
        trigger: [
            `${BANNER}[role=status] .alert:has(.fa-plug)`,
            ":contains(Your mailbox ana@company.test has been disconnected)",
            ":contains(the password was rejected)",
            ":contains(sent from hello@company.test)",
        ].join(""),
    },
    {
        content: "it takes its own room, between the navbar and the page",
        trigger: `${BANNER} .alert`,
        run({ anchor }) {
            const { bottom, top } = anchor.getBoundingClientRect();
            const navbar = document.querySelector(".o_navbar").getBoundingClientRect();
            const page = document.querySelector(".o_action_manager").getBoundingClientRect();
            if (navbar.bottom > top || page.top < bottom) {
                console.error("the banner covers something");
            }
        },
    },
    isAccessible("the banner", BANNER),
];
const isGone = [
    {
        trigger: `body:has(${BANNER}):not(:has(${BANNER} .alert))`,
    },
];

registry.category("web_tour.tours").add("system_mail_banner", {
    steps: () => [
        ...isShown,
        {
            trigger: `${BANNER} button:contains(Reconnect)`,
            run: "click",
        },
        {
            content: "the one thing that it asks for has the focus",
            trigger: `${DIALOG} [name=smtp_pass] input:focus`,
            run: "edit changed",
        },
        {
            trigger: `${DIALOG} footer button[name=action_connect]`,
            run: "click",
        },
        {
            trigger: `${DIALOG} [role=status]:contains(Connected.)`,
        },
        {
            trigger: `${DIALOG} footer button:contains(Done)`,
            run: "click",
        },
        ...isGone,
    ],
});

registry.category("web_tour.tours").add("system_mail_banner_hidden", {
    steps: () => [
        ...isShown,
        {
            trigger: `${BANNER} button:contains(Hide)`,
            run: "click",
        },
        ...isGone,
        {
            trigger: "body",
            run: () => browser.location.reload(),
            expectUnloadPage: true,
        },
        ...isGone,
    ],
});
