import { cookie } from "@web/core/browser/cookie";
import { registry } from "@web/core/registry";

import { isAccessible } from "./accessible";

const DIALOG = ".modal:not(.o_inactive_modal)";
const STATE = "[name=system_mail_own] [name=system_mail_state] .badge";

function type(password) {
    return [
        {
            trigger: `${DIALOG} [name=smtp_pass] input`,
            run: `edit ${password}`,
        },
        {
            trigger: `${DIALOG} footer button[name=action_connect]`,
            run: "click",
        },
    ];
}

registry.category("web_tour.tours").add("system_mail_preferences", {
    steps: () => [
        {
            content: "choose SMTP for one's own mailbox",
            trigger: "[name=outgoing_mail_server_type] select",
            run: "select login",
        },
        {
            content: "the address is one's own",
            trigger: `${DIALOG} [name=address]:contains(ana@company.test)`,
        },
        isAccessible("connecting one's own mailbox"),
        {
            trigger: `${DIALOG} [name=smtp_host] input`,
            run: "edit 127.0.0.1",
        },
        {
            trigger: `${DIALOG} [name=smtp_encryption] .o_select_menu input`,
            run: "click",
        },
        {
            trigger: ".o_select_menu_item:contains(/^None$/)",
            run: "click",
        },
        {
            trigger: `${DIALOG} [name=smtp_port] input:value(25)`,
            run: ({ edit }) => edit(cookie.get("system_mail_port")),
        },
        ...type("wrong"),
        {
            content: "the password has the focus",
            trigger: `${DIALOG}:has([role=alert]:contains(password was rejected)) [name=smtp_pass] input:focus`,
        },
        isAccessible("a mailbox that is not connected"),
        ...type("secret"),
        {
            trigger: `${DIALOG} [role=status]:contains(Connected.):contains(ana@company.test)`,
        },
        {
            content: "the next step has the focus",
            trigger: `${DIALOG} footer button[name=action_test]:focus`,
            run: "click",
        },
        {
            trigger: `${DIALOG} footer button[name=action_send]`,
            run: "click",
        },
        {
            trigger: `${DIALOG} [role=status]:contains(Sent):contains(ana@company.test)`,
        },
        {
            trigger: `${DIALOG} footer button:contains(Done)`,
            run: "click",
        },
        {
            content: "the page tells the new state",
            trigger: `${STATE}:contains(Connected):has(.fa-check)`,
        },
        {
            content: "the badge alone says it",
            trigger:
                "[name=outgoing_mail_server_type]:contains(Test Connection):not(:contains(Emails sent))",
        },
        isAccessible("the preferences", "[name=system_mail_own]"),
        {
            trigger: "[name=system_mail_own] button:contains(Reconnect)",
            run: "click",
        },
        {
            content: "a new password is all that it asks for",
            trigger: [
                `${DIALOG}:has([name=smtp_pass] input[placeholder=Unchanged]:focus)`,
                ":not(:has([name=smtp_host])) [name=shows_server] input",
            ].join(""),
            run: "click",
        },
        {
            content: "what it was connected with is there, but for the password",
            trigger: [
                `${DIALOG}:has([name=smtp_host] input:value(127.0.0.1))`,
                ":has([name=smtp_encryption] input:value(None))",
                `:has([name=smtp_port] input:value(${cookie.get("system_mail_port")}))`,
                ":has([name=smtp_pass] input[placeholder=Unchanged])",
            ].join(""),
        },
        {
            trigger: `${DIALOG} footer button:contains(Cancel)`,
            run: "click",
        },
        {
            trigger: "[name=system_mail_own] button:contains(Remove Mailbox)",
            run: "click",
        },
        {
            trigger: `${DIALOG} footer button:contains(Remove)`,
            run: "click",
        },
        {
            trigger: "body:not(:has([name=system_mail_own] .badge))",
        },
    ],
});

registry.category("web_tour.tours").add("system_mail_stop", {
    steps: () => [
        {
            trigger: "[name=system_mail_own] button:contains(Reconnect)",
            run: "click",
        },
        {
            trigger: `${DIALOG} [name=smtp_pass] input:focus`,
        },
        isAccessible("the dialog to reconnect"),
        ...type("secret"),
        {
            content: "the waiting can be left at once",
            trigger: `${DIALOG} .o_system_mail_trying button[name=stop]:focus`,
        },
        isAccessible("waiting for a mailbox"),
        {
            trigger: `${DIALOG} .o_system_mail_trying button[name=stop]`,
            run: "click",
        },
        {
            content: "the dialog asks again",
            trigger: `${DIALOG} footer button[name=action_connect]:focus`,
        },
        {
            trigger: ".o_notification:contains(Nothing has changed)",
        },
    ],
});
