import { cookie } from "@web/core/browser/cookie";
import { registry } from "@web/core/registry";

import { isAccessible } from "./accessible";

const ADDRESS = "hello@company.test";
const HOME = ".o_system_mail_home";
const DIALOG = ".modal:not(.o_inactive_modal)";

registry.category("web_tour.tours").add("system_mail_set_up", {
    steps: () => [
        {
            content: "the home page leads to the set-up",
            trigger: `${HOME}:contains(System Mail is not set up yet) button:contains(Set Up System Mail):focus`,
        },
        isAccessible("the home page, before the set-up"),
        {
            trigger: `${HOME} button:contains(Set Up System Mail)`,
            run: "click",
        },
        {
            content: "first the address, and nothing else",
            trigger: `${DIALOG}:not(:has([name=method])) [name=address] input:focus`,
        },
        isAccessible("the first step"),
        {
            trigger: `${DIALOG} footer button:contains(Next)`,
        },
        {
            content: "Enter goes on",
            trigger: `${DIALOG} [name=address] input`,
            run: `edit ${ADDRESS} && press Enter`,
        },
        {
            content: "then the way to connect, already chosen",
            trigger: `${DIALOG} [name=method] input[data-value=password]:checked`,
        },
        {
            content: "what is missing has the focus",
            trigger: `${DIALOG} [name=smtp_pass] input:focus`,
        },
        isAccessible("the second step"),
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
        {
            trigger: `${DIALOG} [name=smtp_pass] input`,
            run: "edit neutral",
        },
        {
            trigger: `${DIALOG} footer button[name=action_connect]`,
            run: "click",
        },
        {
            content:
                "last the drill, by itself: an administrator without an address is asked for one",
            trigger: `${DIALOG} [name=own_email] input:focus`,
            run: "edit admin@company.test",
        },
        {
            trigger: `${DIALOG} footer button.btn-primary`,
            run: "click",
        },
        {
            trigger: `${DIALOG} [role=status]:contains(It works)`,
        },
        {
            trigger: `${DIALOG} footer button:contains(Done)`,
            run: "click",
        },
        {
            content: "the page knows of all of it",
            trigger: `${HOME}:contains(Everything works.) .o_system_mail_home_system:contains(${ADDRESS}):contains(Connected):contains(passed)`,
        },
        {
            content: "and says it",
            trigger: `${HOME} [role=status] h1:focus`,
        },
        isAccessible("the home page, where everything works"),
    ],
});
