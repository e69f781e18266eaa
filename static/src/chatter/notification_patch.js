import { Notification } from "@mail/core/common/notification_model";
import { _t } from "@web/core/l10n/translation";
import { patch } from "@web/core/utils/patch";

patch(Notification.prototype, {
    get isSystemMailWaiting() {
        return this.notification_status === "ready" && this.failure_type === "system_mail_waiting";
    },
    get isSystemMailHeld() {
        return this.isFailure && this.failure_type === "system_mail_held";
    },
    get icon() {
        if (this.isSystemMailWaiting) {
            return "fa fa-clock-o";
        }
        return this.isSystemMailHeld ? "fa fa-question-circle" : super.icon;
    },
    get statusIcon() {
        if (this.isSystemMailWaiting) {
            return "fa fa-clock-o text-warning";
        }
        return this.isSystemMailHeld ? "fa fa-question-circle text-warning" : super.statusIcon;
    },
    get statusTitle() {
        if (this.isSystemMailWaiting) {
            return _t("Waiting: it is sent as soon as a mailbox works again");
        }
        return this.isSystemMailHeld ? _t("Held: it may have been delivered") : super.statusTitle;
    },
    get failureMessage() {
        return this.isSystemMailHeld ? _t("It may have been delivered") : super.failureMessage;
    },
});
