import collections
import itertools
import math
import threading
import time

from odoo import api, models, modules
from odoo.tools import config

from ...failover.parallel import run_in_groups
from ...tools.own_cursor import waiting_environment

CHECKS_AT_ONCE = 32
CHECKS_OF_A_HOST = 16
"""At once. Exchange and Exim, as they come, refuse one client's 21st connection."""
CONNECTIONS_TO_A_CHECK = 2
"""To the database: what a process may open is this much more than the checks that it does at once,
since the others who use it must not run short. A check itself uses one, now and then.
"""


class IrMailServer(models.Model):
    _inherit = "ir.mail_server"

    @api.private
    def system_mail_check_in_parallel(self, workers=CHECKS_AT_ONCE, seconds=math.inf, always=False):
        """Check the mailboxes, several at once, each in an environment of its own. Their health is
        committed as each check ends; the caller sees it in its next transaction.

        Whoever abandons the generator waits for the checks under way: 17 seconds at most.

        Of several at a server that is found down now, not each is tried: the others have the same
        trouble.

        :param int workers: how many at once
        :param seconds: after which no check begins; those under way still count
        :param bool always: try each of them
        :return: yields ``(server, trouble)`` as each check ends; trouble as of
            ``system_mail_check``, None for a mailbox that is no more
        """
        registry, model = self.env.registry, self._name
        always = always or len(self) == 1

        def check(server_id):
            threading.current_thread().dbname = registry.db_name  # the log tells it
            with waiting_environment(registry) as env:
                server = env[model].browse(server_id).exists()
                if not server:
                    return None
                known = not always and env["system.mail.health"].note_known(server)
                return known or server.system_mail_check()

        if modules.module.current_test:  # all its cursors are one, which this thread holds
            checks = _in_this_thread(check, self.ids, seconds)
        else:
            hosts = collections.defaultdict(list)
            for server in self.sudo():
                hosts[server.smtp_host, server.smtp_port].append(server.id)
            checks = run_in_groups(
                check,
                hosts.values(),
                workers=max(1, min(workers, config["db_maxconn"] // CONNECTIONS_TO_A_CHECK)),
                per_group=CHECKS_OF_A_HOST,
                seconds=seconds,
            )
        for server_id, trouble in checks:
            yield self.browse(server_id), trouble


def _in_this_thread(check, server_ids, seconds):
    end = time.monotonic() + seconds
    for server_id in itertools.takewhile(lambda _id: time.monotonic() < end, server_ids):
        yield server_id, check(server_id)
