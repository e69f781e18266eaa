import { registry } from "@web/core/registry";

/**
 * Opens the connect dialog; after a sign-in with a provider, over the page that it came from. What
 * it changed is shown when it closes.
 */
async function openConnectDialog(env, action, options) {
    const actions = env.services.action;
    let { dialog } = action.params || {};
    if (!dialog) {
        const back = await env.services.orm.call("system.mail.connect", "action_return", [
            [options.props.resId],
        ]);
        await actions.doAction(back.page, { clearBreadcrumbs: true });
        dialog = back.dialog;
    }
    await actions.doAction(dialog, {
        onClose: async () => {
            await actions.doAction({ type: "ir.actions.client", tag: "soft_reload" });
            await options.onClose?.();
        },
    });
}

registry.category("actions").add("system_mail_connect", openConnectDialog);

/** Where an alert leads: the user's preferences, with the dialog to reconnect over them. */
async function reconnect(env) {
    const actions = env.services.action;
    const { page, dialog } = await env.services.orm.call(
        "res.users",
        "action_system_mail_reconnect_page",
        [],
    );
    await actions.doAction(page, { clearBreadcrumbs: true });
    await actions.doAction(dialog);
}

registry.category("actions").add("system_mail_reconnect", reconnect);
