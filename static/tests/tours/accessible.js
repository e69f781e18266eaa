import { loadJS } from "@web/core/assets";

// tests/browser_case.py serves it.
const AXE = "/system_mail/axe.js";
const DIALOG = ".modal:not(.o_inactive_modal)";
const PAGE = ".o_action_manager, .o_system_mail_test_progress";

/**
 * What Odoo's own parts do wrong on our screens, and we can't mend: each rule of axe-core, and where.
 */
const ODOOS_OWN = [
    // The title of a dialog isn't marked as its name.
    ["aria-dialog-name", ".modal"],
    // Tabs, of a form and of the settings, are in no list of tabs.
    ["aria-required-parent", "[role=tab]"],
    // The search: attributes of other roles, icons and buttons without a name.
    ["aria-allowed-attr", ".o_searchview, .o_searchview *"],
    ["aria-command-name", ".o_searchview *"],
    ["aria-required-parent", ".o_searchview *"],
    ["role-img-alt", ".o_searchview *"],
    ["button-name", ".o_control_panel_navigation button"],
    // A selection: attributes of other roles, and a made-up value for "autocomplete".
    ["aria-allowed-attr", ".o_select_menu *"],
    ["autocomplete-valid", ".o_select_menu input"],
    // A list: boxes that select a line, and the button for more columns, have no name.
    ["label", ".o_list_record_selector input"],
    ["button-name", "button:has(> .o_optional_columns_dropdown_toggle)"],
    // Pictures of people have no text.
    ["image-alt", ".o_avatar img, img.o_avatar"],
    ["aria-allowed-attr", ".o_tag"],
    // The help of a setting, and what the envelope says of a failure, are a bit too pale.
    ["color-contrast", ".o_setting_right_pane > .text-muted *"],
    ["color-contrast", ".o-mail-MessageNotificationPopover .text-muted"],
];

function isOdoosOwn(rule, element) {
    return ODOOS_OWN.some(([id, where]) => id === rule && element.matches(where));
}

/** Wait until nothing moves or fades any more: its colours would not be the real ones. */
function isStill(page) {
    const finite = page
        .getAnimations()
        .filter((animation) => animation.effect.getComputedTiming().endTime !== Infinity);
    return Promise.allSettled(finite.map((animation) => animation.finished));
}

/**
 * Have axe-core look at a part of a page.
 *
 * @param {Document} page
 * @param {string} where a selector
 * @returns {Promise<string[]>} each serious or critical violation: the rule, where, and why
 */
export async function violations(page, where) {
    const load = () => loadJS(AXE, { targetDoc: page });
    await load().catch(load); // a busy server may have closed the connection
    const { axe } = page.defaultView;
    if (!axe) {
        return [];
    }
    await isStill(page);
    const found = await axe.run(page.querySelectorAll(where), {
        elementRef: true,
        iframes: false,
        preload: false,
        resultTypes: ["violations"],
    });
    return found.violations.flatMap(({ id, nodes }) =>
        nodes
            .filter(({ impact }) => ["serious", "critical"].includes(impact))
            .filter(({ element }) => !isOdoosOwn(id, element))
            .map(({ html, failureSummary }) => [id, html, failureSummary].join("\n  ")),
    );
}

/**
 * Fail if a part of a page is hard to use for people with disabilities.
 *
 * @param {string} screen its name
 * @param {string} where a selector
 * @param {Document} [page]
 */
export async function expectAccessible(screen, where, page = document) {
    const found = await violations(page, where);
    if (found.length) {
        throw new Error(`${screen} is not accessible:\n${found.join("\n")}`);
    }
}

/**
 * A step of a tour that looks at the screen as it is.
 *
 * @param {string} screen its name
 * @param {string} [where] a selector; by default the dialog, or else the page
 */
export function isAccessible(screen, where) {
    return {
        content: `${screen} is accessible`,
        trigger: "body",
        run() {
            const shown = document.querySelector(DIALOG) ? DIALOG : PAGE;
            return expectAccessible(screen, where || shown);
        },
    };
}
