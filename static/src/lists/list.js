import { registry } from "@web/core/registry";
import { ListRenderer } from "@web/views/list/list_renderer";
import { listView } from "@web/views/list/list_view";

/** A list that cuts nothing off, and whose buttons have names: a title alone is none. */
export class SystemMailListRenderer extends ListRenderer {
    static recordRowTemplate = "system_mail.ListRenderer.RecordRow";
}

registry.category("views").add("system_mail_list", {
    ...listView,
    Renderer: SystemMailListRenderer,
});
