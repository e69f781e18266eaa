import { router } from "@web/core/browser/router";
import { registry } from "@web/core/registry";

/** Opens a message in its document, and keeps the way back to the list. */
function openMessage(env, { params }) {
    router.replaceState({ highlight_message_id: params.message_id }, { sync: true });
    return env.services.action.doAction(params.action);
}

registry.category("actions").add("system_mail_open_message", openMessage);
