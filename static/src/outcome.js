import { registry } from "@web/core/registry";

/** Tells what became of messages that somebody had sent just now, and shows it at their envelopes. */
async function showOutcome(env, { params }) {
    const { notification, orm } = env.services;
    const outcome = await orm.call("mail.message", "system_mail_outcome", [params.message_ids]);
    env.services["mail.store"].insert(outcome.store);
    if (outcome.text) {
        notification.add(outcome.text, { type: outcome.is_good ? "success" : "warning" });
    }
    return { type: "ir.actions.act_window_close" };
}

registry.category("actions").add("system_mail_outcome", showOutcome);
