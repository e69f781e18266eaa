import { fields } from "@mail/core/common/record";
import { Notification } from "@mail/core/common/notification_model";
import { toLocaleDateTimeString } from "@web/core/l10n/dates";
import { _t } from "@web/core/l10n/translation";
import { patch } from "@web/core/utils/patch";

/** Have no envelope ask any more to reconnect the viewer's own mailbox. */
export function forgetReconnect(store) {
    for (const notification of Object.values(store["mail.notification"].records)) {
        notification.system_mail_reconnect = undefined;
    }
}

// The server tells each viewer only what they may know: the rest is undefined here.
patch(Notification.prototype, {
    setup() {
        super.setup(...arguments);
        /** @type {string|undefined} System Mail's address, where it carried the message */
        this.system_mail_sent_from = undefined;
        /** @type {string|undefined} the mailbox that it stood in for */
        this.system_mail_mailbox = undefined;
        /** @type {string|undefined} */
        this.system_mail_reason = undefined;
        /** @type {boolean|undefined} the viewer's own mailbox failed, and is disconnected */
        this.system_mail_reconnect = undefined;
        /** @type {boolean|undefined} */
        this.system_mail_may_decide = undefined;
        this.system_mail_next_try = fields.Datetime();
        this.system_mail_last_try = fields.Datetime();
    },
    get isSystemMailWaiting() {
        return this.notification_status === "ready" && this.failure_type === "system_mail_waiting";
    },
    get isSystemMailHeld() {
        return this.isFailure && this.failure_type === "system_mail_held";
    },
    get isSystemMailCarried() {
        return Boolean(this.system_mail_sent_from) && !this.isFailure;
    },
    get icon() {
        if (this.isSystemMailWaiting) {
            return "fa fa-clock-o";
        }
        if (this.isSystemMailHeld) {
            return "fa fa-question-circle";
        }
        return this.isSystemMailCarried ? "fa fa-envelope-o o_system_mail_carried" : super.icon;
    },
    get statusIcon() {
        if (this.isSystemMailWaiting) {
            return "fa fa-clock-o text-warning";
        }
        if (this.isSystemMailHeld) {
            return "fa fa-question-circle text-warning";
        }
        return this.isSystemMailCarried ? "fa fa-share" : super.statusIcon;
    },
    get statusTitle() {
        if (this.isSystemMailWaiting) {
            return _t("Waiting: it is sent later");
        }
        if (this.isSystemMailHeld) {
            return _t("It may have been delivered");
        }
        if (this.isSystemMailCarried) {
            return _t("Sent from %(address)s", { address: this.system_mail_sent_from });
        }
        return super.statusTitle;
    },
    get failureMessage() {
        return this.isSystemMailHeld ? _t("It may have been delivered") : super.failureMessage;
    },
    /** What is to be said of it in sentences, and why. */
    get systemMailTale() {
        const reason = this.system_mail_reason;
        if (this.isSystemMailWaiting) {
            return [
                reason && _t("The message waits: %(reason)s.", { reason }),
                this.system_mail_reconnect && _t("Your own mailbox is disconnected."),
                this.systemMailNextTry,
            ];
        }
        if (this.isSystemMailHeld) {
            return [
                reason && _t("Why it is held: %(reason)s.", { reason }),
                this.system_mail_may_decide && _t("Ask the recipient before you send it again."),
            ];
        }
        if (this.system_mail_sent_from) {
            const address = this.system_mail_sent_from;
            const mailbox = this.system_mail_mailbox;
            return [
                reason
                    ? _t(
                          "Sent from %(address)s, because the mailbox %(mailbox)s failed: %(reason)s.",
                          { address, mailbox, reason },
                      )
                    : _t("Sent from %(address)s.", { address }),
            ];
        }
        return [this.isFailure && reason && _t("Why it failed: %(reason)s.", { reason })];
    },
    get systemMailNextTry() {
        const next = toLocaleDateTimeString(this.system_mail_next_try);
        const last = toLocaleDateTimeString(this.system_mail_last_try);
        return last
            ? _t("It is tried again on %(next)s, and for the last time on %(last)s.", {
                  next,
                  last,
              })
            : _t("It is sent on %(next)s.", { next });
    },
});
