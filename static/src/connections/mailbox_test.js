import { _t } from "@web/core/l10n/translation";
import { registry } from "@web/core/registry";
import { useService } from "@web/core/utils/hooks";
import { Component, reactive, useState } from "@odoo/owl";

const NOTHING_DONE = { done: 0, failed: 0, results: [], servers: [], problem: "" };
/** So many results are listed, those that failed first. */
const LISTED = 100;

/**
 * Tests many mailboxes, some at a time, while the page stays free; there is one test at a time, and
 * it goes on on any page of the web client.
 */
export const mailboxTestService = {
    dependencies: ["notification", "orm"],
    start(env, { notification, orm }) {
        const progress = reactive({ ...NOTHING_DONE, total: 0, isRunning: false });

        async function run(ids, chunk) {
            for (let first = 0; first < ids.length && progress.isRunning; first += chunk) {
                const some = ids.slice(first, first + chunk);
                const { results, servers } = await orm.silent.call(
                    "system.mail.connection",
                    "test_chunk",
                    [some],
                );
                progress.failed += results.filter((result) => !result.works).length;
                progress.results.push(...results);
                progress.servers = servers;
                progress.done += some.length;
                env.bus.trigger("SYSTEM_MAIL_TESTED");
            }
        }
        return {
            progress,
            async test(ids, chunk) {
                if (progress.isRunning) {
                    notification.add(_t("A test is going on already."), { type: "info" });
                    return;
                }
                Object.assign(progress, {
                    ...NOTHING_DONE,
                    results: [],
                    total: ids.length,
                    isRunning: true,
                });
                try {
                    await run(ids, chunk);
                } catch (error) {
                    progress.problem = _t("The test stopped: the server did not answer.");
                    throw error;
                } finally {
                    progress.isRunning = false;
                }
            },
            stop() {
                progress.isRunning = false;
            },
            close() {
                progress.total = 0;
            },
        };
    },
};

registry.category("services").add("system_mail.mailbox_test", mailboxTestService);

/** How far the test is, in a corner of the page. */
export class MailboxTestProgress extends Component {
    static template = "system_mail.MailboxTestProgress";
    static props = {};

    setup() {
        this.test = useService("system_mail.mailbox_test");
        this.progress = useState(this.test.progress);
    }

    get percent() {
        return Math.round((100 * this.progress.done) / this.progress.total);
    }

    get text() {
        const { done, total, failed, isRunning } = this.progress;
        if (isRunning) {
            return _t("%(done)s of %(total)s mailboxes tested", { done, total });
        }
        return failed
            ? _t("Tests that failed: %(failed)s of %(done)s", { failed, done })
            : _t("%(done)s of %(total)s mailboxes work.", { done, total });
    }

    /** What came of each mailbox, those that failed first. */
    get results() {
        const { results } = this.progress;
        const failed = results.filter((result) => !result.works);
        return [...failed, ...results.filter((result) => result.works)].slice(0, LISTED);
    }
}

registry
    .category("main_components")
    .add("system_mail.MailboxTestProgress", { Component: MailboxTestProgress });

registry
    .category("actions")
    .add("system_mail_test", (env, { params }) =>
        env.services["system_mail.mailbox_test"].test(params.ids, params.chunk),
    );
