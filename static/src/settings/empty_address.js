import { ConfirmationDialog } from "@web/core/confirmation_dialog/confirmation_dialog";
import { _t } from "@web/core/l10n/translation";
import { patch } from "@web/core/utils/patch";
import { SettingsFormController } from "@web/webclient/settings_form_view/settings_form_controller";

// An address that is emptied on the page takes the server and the password with it.
patch(SettingsFormController.prototype, {
    async beforeExecuteActionButton(clickParams) {
        const { root } = this.model;
        await root.isDirty(); // waits for what is being typed
        const { system_mail_address, system_mail_server_id } = root.data;
        const stops = system_mail_server_id && !system_mail_address;
        if (clickParams.name === "execute" && stops && !(await this.confirmSystemMailStops())) {
            return false;
        }
        return super.beforeExecuteActionButton(...arguments);
    },
    /** @returns {Promise<boolean>} whether the user wants to turn System Mail off */
    confirmSystemMailStops() {
        return new Promise((resolve) => {
            this.dialogService.add(
                ConfirmationDialog,
                {
                    title: _t("Turn System Mail off?"),
                    body: _t(
                        "System Mail forgets its servers and passwords, those of further mailboxes too, and sends nothing more. When a person's mailbox fails, their messages to colleagues fail, too.",
                    ),
                    confirmLabel: _t("Turn Off"),
                    confirm: () => resolve(true),
                    cancel: () => resolve(false),
                },
                { onClose: () => resolve(false) },
            );
        });
    },
});
