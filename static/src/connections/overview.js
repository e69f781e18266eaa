import { useBus, useService } from "@web/core/utils/hooks";
import { Component, onWillStart, onWillUpdateProps, useState } from "@odoo/owl";

/** @typedef {{name: string, icon: string, color: string}} Tile name: a filter of the search view */

/** System Mail and the number of mailboxes in each state; a tile filters the list below. */
export class ConnectionsOverview extends Component {
    static template = "system_mail.ConnectionsOverview";
    static props = { list: { type: Object, optional: true } };

    setup() {
        this.orm = useService("orm");
        this.action = useService("action");
        this.state = useState({ counts: {}, systems: [], servers: [] });
        this.tiles = [
            { name: "needs_attention", icon: "fa-hand-o-right", color: "primary" },
            { name: "disconnected", icon: "fa-plug", color: "danger" },
            { name: "unstable", icon: "fa-exclamation-triangle", color: "warning" },
            { name: "connected", icon: "fa-check", color: "success" },
            { name: "not_connected", icon: "fa-circle-o", color: "muted" },
        ];
        onWillStart(() => this.load());
        onWillUpdateProps(() => this.load());
        useBus(this.env.searchModel, "update", () => this.render());
    }

    async load() {
        const overview = await this.orm.call("system.mail.connection", "get_overview", []);
        Object.assign(this.state, overview);
    }

    stateIcon(state) {
        return this.tiles.find((tile) => tile.name === state).icon;
    }

    stateColor(state) {
        const { color } = this.tiles.find((tile) => tile.name === state);
        return color === "muted" ? "secondary" : color;
    }

    filterOf(tile) {
        const { searchModel } = this.env;
        return searchModel.getSearchItems((item) => item.name === tile.name)[0];
    }

    isActive(tile) {
        return this.filterOf(tile)?.isActive;
    }

    /** Show what the tile counts, alone; everything again at the second click. */
    toggle(tile) {
        const { searchModel } = this.env;
        if (this.isActive(tile)) {
            searchModel.clearQuery();
        } else {
            searchModel.query = [];
            searchModel.toggleSearchItem(this.filterOf(tile).id);
        }
    }

    /** @param {number} companyId whose System Mail it is */
    async openSettings(companyId) {
        const action = await this.orm.call("res.company", "action_system_mail_settings", [
            [companyId],
        ]);
        return this.action.doAction(action);
    }
}
