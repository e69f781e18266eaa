import { MailServerConfiguratorSelection } from "@mail/views/fields/mail_server_configurator_selection/mail_server_configurator_selection";
import { patch } from "@web/core/utils/patch";

patch(MailServerConfiguratorSelection.prototype, {
    /** A test that fails can change the state of the mailbox, which stands beside it. */
    async onTestConnection() {
        await super.onTestConnection(...arguments);
        if (this.state.connectionFailed) {
            await this.props.record.model.root.load();
        }
    },
});
