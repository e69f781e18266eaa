import { registry } from "@web/core/registry";

import { isAccessible } from "./accessible";

const SETTING = "#system_mail_monitoring_setting";
const DIALOG = ".modal:not(.o_inactive_modal)";
const tokens = [];

async function expectAnswer(path, token, expected) {
    const headers = { Authorization: `Bearer ${token}` };
    const { status } = await fetch(path, { headers });
    if (status !== expected) {
        throw new Error(`${path} answered ${status}, not ${expected}`);
    }
}

function press(label) {
    return {
        trigger: `${SETTING} button:contains(/^${label}$/)`,
        run: "click",
    };
}

function confirm(label) {
    return {
        trigger: `${DIALOG} footer button:contains(/^${label}$/)`,
        run: "click",
    };
}

function takeToken() {
    return [
        {
            content: "the token can be copied",
            trigger: `${DIALOG} [name=token]:has(~ [name=token] button:contains(Copy))`,
            run({ anchor }) {
                tokens.push(anchor.textContent.trim());
            },
        },
        {
            content: "and the addresses",
            trigger: `${DIALOG} [name=metrics_address]:contains(/system_mail/metrics):has(~ [name=metrics_address] button:contains(Copy))`,
        },
        isAccessible("the token"),
        confirm("Done"),
        {
            content: "it is on, and the browser has kept nothing",
            trigger: `body:not(:has(.modal)) ${SETTING}:contains(On)`,
            async run() {
                const token = tokens.at(-1);
                await expectAnswer("/system_mail/health", token, 200);
                await expectAnswer("/system_mail/metrics", token, 200);
                for (const storage of [sessionStorage, localStorage]) {
                    if (JSON.stringify({ ...storage }).includes(token)) {
                        throw new Error("the token is in the browser's storage");
                    }
                }
                if (document.documentElement.innerHTML.includes(token)) {
                    throw new Error("the token is still on the page");
                }
            },
        },
    ];
}

registry.category("web_tour.tours").add("system_mail_monitoring", {
    steps: () => [
        {
            trigger: ".settings_tab .tab[data-key=system_mail]",
            run: "click",
        },
        {
            trigger: `${SETTING}:contains(Off)`,
        },
        press("Switch On"),
        ...takeToken(),
        press("Replace the Token"),
        confirm("Replace"),
        ...takeToken(),
        {
            trigger: SETTING,
            async run() {
                await expectAnswer("/system_mail/health", tokens[0], 401);
            },
        },
        press("Switch Off"),
        confirm("Switch Off"),
        {
            trigger: `${SETTING}:contains(Off):has(button:contains(/^Switch On$/))`,
            async run() {
                await expectAnswer("/system_mail/health", tokens[1], 404);
            },
        },
    ],
});
