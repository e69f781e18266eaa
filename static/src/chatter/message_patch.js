import { forgetReconnect } from "@system_mail/chatter/notification_patch";

import { ConfirmationDialog } from "@web/core/confirmation_dialog/confirmation_dialog";
import { Message } from "@mail/core/common/message_model";
import { _t } from "@web/core/l10n/translation";
import { user } from "@web/core/user";
import { patch } from "@web/core/utils/patch";

// On the record, not on the popover: other modules put a popover of their own in its place.
patch(Message.prototype, {
    /** The notification that gives the envelope its icon, if System Mail has to do with it. */
    get systemMailNotification() {
        const notifications = this.notification_ids;
        if (this.failureNotifications.some((notification) => !notification.isSystemMailHeld)) {
            return undefined;
        }
        return (
            notifications.find((notification) => notification.isSystemMailHeld) ??
            notifications.find((notification) => notification.isSystemMailWaiting) ??
            notifications.find((notification) => notification.isSystemMailCarried)
        );
    },
    /** What the popover tells, each sentence once; of whom, where it is not the same of all. */
    get systemMailTale() {
        // popovers get the raw record, whose lists hold raw records
        const tales = this._proxy.notification_ids.map((notification) => ({
            who: notification.res_partner_id?.name ?? notification.mail_email_address,
            tale: notification.systemMailTale.filter(Boolean).join(" "),
        }));
        const told = tales.filter(({ tale }) => tale);
        if (new Set(tales.map(({ tale }) => tale)).size <= 1) {
            return told.slice(0, 1).map(({ tale }) => tale);
        }
        return told.map(({ who, tale }) => (who ? `${who}: ${tale}` : tale));
    },
    /** Whether a short page can say why it comes from another address. */
    get isCarriedBySystemMail() {
        return this._proxy.notification_ids.some((n) => n.isSystemMailCarried);
    },
    /** Whether the viewer should reconnect their own mailbox. */
    get systemMailReconnects() {
        return this._proxy.notification_ids.some((n) => n.system_mail_reconnect);
    },
    /** What the viewer may do about it: methods of mail.message, and what people call them. */
    get systemMailActions() {
        const theirs = this._proxy.notification_ids.filter((n) => n.system_mail_may_decide);
        const actions = [];
        if (theirs.some((n) => n.isSystemMailHeld)) {
            actions.push(
                { name: "action_system_mail_send_again", label: _t("Send Again") },
                { name: "action_system_mail_drop", label: _t("Drop") },
            );
        }
        if (theirs.some((n) => n.isSystemMailWaiting)) {
            actions.push({ name: "action_system_mail_send_now", label: _t("Send Now") });
        }
        return actions;
    },
    async reconnectOwnMailbox() {
        const { action, orm } = this.store.env.services;
        const open = "action_system_mail_reconnect";
        const onClose = async () => {
            const [me] = await orm.read("res.users", [user.userId], ["system_mail_state"]);
            if (me.system_mail_state !== "disconnected") {
                forgetReconnect(this.store);
            }
        };
        return action.doAction(await orm.call("res.users", open, [[user.userId]]), { onClose });
    },
    /** @param {string} action a method of mail.message */
    decideOnSystemMail(action) {
        const { action: actions, dialog, orm } = this.store.env.services;
        const decide = async () => {
            const outcome = await orm.call("mail.message", action, [[this.id]]);
            return outcome && actions.doAction(outcome);
        };
        if (action !== "action_system_mail_drop") {
            return decide();
        }
        return dialog.add(ConfirmationDialog, {
            title: _t("Drop this message?"),
            body: _t("Odoo sends nothing more of it."),
            confirmLabel: _t("Drop"),
            confirm: decide,
            cancel: () => {},
        });
    },
});
