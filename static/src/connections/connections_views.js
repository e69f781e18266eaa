import { registry } from "@web/core/registry";
import { useBus } from "@web/core/utils/hooks";
import { KanbanController } from "@web/views/kanban/kanban_controller";
import { KanbanRenderer } from "@web/views/kanban/kanban_renderer";
import { kanbanView } from "@web/views/kanban/kanban_view";
import { ListController } from "@web/views/list/list_controller";
import { listView } from "@web/views/list/list_view";

import { SystemMailListRenderer } from "../lists/list";
import { ConnectionsOverview } from "./overview";

/** Shows what a test changed while it goes on. */
function useTestResults(controller) {
    useBus(controller.env.bus, "SYSTEM_MAIL_TESTED", () => controller.model.load());
}

class ConnectionsListController extends ListController {
    setup() {
        super.setup();
        useTestResults(this);
    }
}

class ConnectionsListRenderer extends SystemMailListRenderer {
    static template = "system_mail.ConnectionsListRenderer";
    static components = { ...SystemMailListRenderer.components, ConnectionsOverview };
}

class ConnectionsKanbanController extends KanbanController {
    setup() {
        super.setup();
        useTestResults(this);
    }
}

class ConnectionsKanbanRenderer extends KanbanRenderer {
    static template = "system_mail.ConnectionsKanbanRenderer";
    static components = { ...KanbanRenderer.components, ConnectionsOverview };
}

registry.category("views").add("system_mail_connections_list", {
    ...listView,
    Controller: ConnectionsListController,
    Renderer: ConnectionsListRenderer,
});
registry.category("views").add("system_mail_connections_kanban", {
    ...kanbanView,
    Controller: ConnectionsKanbanController,
    Renderer: ConnectionsKanbanRenderer,
});
