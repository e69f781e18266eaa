import { registry } from "@web/core/registry";
import { user } from "@web/core/user";
import { redirect } from "@web/core/utils/urls";

/** Opens the settings of System Mail, after a switch to the company that they are of. */
async function openSettings(env, { params: { company_ids } }) {
    if (company_ids[0] === user.activeCompany.id) {
        const service = env.services.action;
        const action = await service.loadAction("base_setup.action_general_configuration");
        // its own context names the tab with which it opens, and counts more than an additional one
        await service.doAction({
            ...action,
            context: { ...action.context, module: "system_mail" },
        });
        return;
    }
    await user.activateCompanies(company_ids, { includeChildCompanies: false, reload: false });
    redirect("/odoo/settings#system_mail");
}

registry.category("actions").add("system_mail_settings", openSettings);
