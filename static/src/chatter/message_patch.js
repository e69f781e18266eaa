import { Message } from "@mail/core/common/message_model";
import { patch } from "@web/core/utils/patch";

// On the record, not on the popover: other modules put a popover of their own in its place.
patch(Message.prototype, {
    get isSystemMailHeld() {
        // popovers get the raw record, whose lists hold raw records
        return this._proxy.notification_ids.some((notification) => notification.isSystemMailHeld);
    },
    /** @param {string} action a method of mail.message: send it again, or drop it */
    decideOnSystemMail(action) {
        return this.store.env.services.orm.call("mail.message", action, [[this.id]]);
    },
});
