import { MessageNotificationPopover } from "@mail/core/common/message_notification_popover";
import { patch } from "@web/core/utils/patch";
import { useService } from "@web/core/utils/hooks";

patch(MessageNotificationPopover.prototype, {
    setup() {
        super.setup(...arguments);
        this.orm = useService("orm");
    },
    get systemMailHeld() {
        return this.props.message.notification_ids.some(
            (notification) => notification.isSystemMailHeld,
        );
    },
    async onClickSystemMail(action) {
        await this.orm.call("mail.message", action, [[this.props.message.id]]);
        this.props.close?.();
    },
});
