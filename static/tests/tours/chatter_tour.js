import { registry } from "@web/core/registry";

import { isAccessible } from "./accessible";

const POPOVER = ".o_popover";
const OURS = `${POPOVER}, .o-mail-Message-notification`;

function message(text) {
    return `.o-mail-Message:has(.o-mail-Message-body:contains(${text}))`;
}

/** Open what the envelope of a message tells, and close it again. */
function envelope(text, icon, steps) {
    return [
        {
            trigger: `${message(text)} .o-mail-Message-notification:has(.${icon})`,
            run: "click",
        },
        ...steps,
        {
            trigger: ".o-mail-Chatter",
            run: "click",
        },
        {
            trigger: `body:not(:has(${POPOVER}))`,
        },
    ];
}

registry.category("web_tour.tours").add("system_mail_mention", {
    steps: () => [
        {
            trigger: "button:contains(Send message)",
            run: "click",
        },
        {
            trigger: ".o-mail-Composer-input",
            run: "edit Could you call them today? @Ben",
        },
        {
            trigger: ".o-mail-Composer-suggestion:contains(Ben Reader)",
            run: "click",
        },
        {
            trigger: ".o-mail-Composer-send:enabled",
            run: "click",
        },
        ...envelope("call them today", "o_system_mail_carried", [
            {
                content: "the author sees from where it was sent",
                trigger: `${POPOVER}:contains(Ben Reader):has(.fa-share[title='Sent from hello@company.test'])`,
            },
            {
                content: "and why",
                trigger: `${POPOVER}:contains(Sent from hello@company.test, because the mailbox ana@company.test failed: the password was rejected):has(button:contains(Reconnect))`,
            },
            {
                content: "a short page for colleagues explains it",
                trigger: `${POPOVER} a[href$='use.html#why-a-message-comes-from-another-address']`,
            },
            isAccessible("why a message was sent from elsewhere", OURS),
        ]),
    ],
});

registry.category("web_tour.tours").add("system_mail_reconnect", {
    steps: () => [
        {
            trigger: `${message("It was carried")} .o-mail-Message-notification`,
            run: "click",
        },
        {
            trigger: `${POPOVER} button:contains(Reconnect)`,
            run: "click",
        },
        {
            trigger: ".modal [name=smtp_pass] input:focus",
            run: "edit changed",
        },
        {
            trigger: ".modal footer button[name=action_connect]",
            run: "click",
        },
        {
            trigger: ".modal footer button:contains(Done)",
            run: "click",
        },
        {
            content: "a popover that is open already would not change",
            trigger: "body:not(:has(.modal))",
            async run() {
                const { services } = odoo.__WOWL_DEBUG__.root.env;
                const notifications = services["mail.store"]["mail.notification"];
                while (Object.values(notifications.records).some((n) => n.system_mail_reconnect)) {
                    await new Promise((resolve) => setTimeout(resolve, 50));
                }
            },
        },
        ...envelope("It was carried", "o_system_mail_carried", [
            {
                trigger: `${POPOVER}:contains(Sent from hello@company.test):not(:contains(Reconnect))`,
            },
        ]),
    ],
});

registry.category("web_tour.tours").add("system_mail_waiting_and_held", {
    steps: () => [
        ...envelope("It bounced", "fa-envelope", [
            {
                content: "why it came from there is not why it bounced",
                trigger: `${POPOVER}:contains(Ben Reader):contains(Bounce):contains(Sent from hello@company.test, because the mailbox ana@company.test failed):not(:contains(Why it failed))`,
            },
        ]),
        {
            content: "what waits is not red",
            trigger: `${message("It waits")} .o-mail-Message-notification:not(.text-danger)`,
        },
        ...envelope("It waits", "fa-clock-o", [
            {
                trigger: `${POPOVER}:contains(Ben Reader) .fa-clock-o[title^=Waiting]`,
            },
            {
                content: "until when, and why",
                trigger: `${POPOVER}:contains(The message waits: System Mail):contains(It is tried again on):contains(for the last time on)`,
            },
            isAccessible("a message that waits", OURS),
            {
                trigger: `${POPOVER} button:contains(Send Now)`,
                run: "click",
            },
            {
                trigger: `body:not(:has(${POPOVER}))`,
            },
        ]),
        ...envelope("Send it again", "fa-question-circle", [
            {
                trigger: `${POPOVER}:contains(It may have been delivered):contains(Why it is held) button:contains(Send Again)`,
            },
            isAccessible("a message that is held", OURS),
            {
                trigger: `${POPOVER} button:contains(Send Again)`,
                run: "click",
            },
            {
                trigger: `body:not(:has(${POPOVER}))`,
            },
        ]),
        ...envelope("Drop it", "fa-question-circle", [
            {
                trigger: `${POPOVER} button:contains(Drop)`,
                run: "click",
            },
            {
                content: "it asks first",
                trigger: ".modal:contains(Drop this message?) footer button:contains(Drop)",
                run: "click",
            },
            {
                trigger: "body:not(:has(.modal))",
            },
            {
                trigger: `body:not(:has(${POPOVER}))`,
            },
        ]),
    ],
});

registry.category("web_tour.tours").add("system_mail_reader", {
    steps: () => [
        {
            content: "the icon says it in words too",
            trigger: `${message("It was carried")} .o_system_mail_carried[role=img][aria-label='Sent from hello@company.test']`,
        },
        ...envelope("It was carried", "o_system_mail_carried", [
            {
                content: "from where, and no more",
                trigger: `${POPOVER} .o_system_mail_tale:contains(/^Sent from hello@company.test.$/)`,
            },
        ]),
        ...envelope("It waits", "fa-clock-o", [
            {
                content: "until when, and nothing to decide",
                trigger: `${POPOVER}:contains(It is tried again on):not(:contains(Why)):not(:has(button))`,
            },
        ]),
        ...envelope("It is held", "fa-question-circle", [
            {
                trigger: `${POPOVER}:contains(It may have been delivered):not(:contains(Why)):not(:has(button))`,
            },
        ]),
        ...envelope("It is healthy", "fa-envelope-o:not(.o_system_mail_carried)", [
            {
                content: "Odoo's own envelope",
                trigger: `${POPOVER}:contains(Ben Reader):has(.fa-check):not(:has(.o_system_mail_tale))`,
            },
        ]),
    ],
});
