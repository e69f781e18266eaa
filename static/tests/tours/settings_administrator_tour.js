import { registry } from "@web/core/registry";

registry.category("web_tour.tours").add("system_mail_settings_administrator", {
    steps: () => [
        {
            content: "the settings have no System Mail",
            trigger: ".settings:has(#email_servers_setting):not(:contains(System Mail))",
        },
        {
            content: "nor has the menu",
            trigger: ".o_menu_sections:contains(Users):not(:contains(System Mail))",
        },
        {
            content: "something that is not System Mail's",
            trigger:
                "#email_servers_setting [name=external_email_server_default] input:not(:checked)",
            run: "click",
        },
        {
            trigger: ".o_form_button_save:enabled",
            run: "click",
            expectUnloadPage: true,
        },
        {
            trigger: "#email_servers_setting button:contains(Outgoing Email Servers)",
            run: "click",
        },
        {
            content: "the other servers are listed, System Mail is not",
            trigger: ".o_list_view:contains(ana@company.test):not(:contains(hello@company.test))",
        },
    ],
});
