import { registry } from "@web/core/registry";

const POPOVER = ".o_popover";

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
        ...envelope("call them today", "fa-envelope-o", [
            {
                content: "the author sees a mail that was sent",
                trigger: `${POPOVER}:contains(Ben Reader):has(.fa-check):not(:has(button))`,
            },
        ]),
    ],
});

registry.category("web_tour.tours").add("system_mail_waiting_and_held", {
    steps: () => [
        {
            content: "what waits is not red",
            trigger: `${message("It waits")} .o-mail-Message-notification:not(.text-danger)`,
        },
        ...envelope("It waits", "fa-clock-o", [
            {
                trigger: `${POPOVER}:contains(Ben Reader) .fa-clock-o[title^=Waiting]`,
            },
        ]),
        ...envelope("Send it again", "fa-question-circle", [
            {
                trigger: `${POPOVER}:contains(It may have been delivered) button:contains(Send again)`,
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
                trigger: `body:not(:has(${POPOVER}))`,
            },
        ]),
    ],
});
