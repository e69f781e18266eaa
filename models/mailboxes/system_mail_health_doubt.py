import datetime
import hashlib

from odoo import api, fields, models

from ...failover.breaker import WINDOW
from ...failover.rules import REFUSED_HERE
from ...tools.database_clock import database_now

LASTS = datetime.timedelta(seconds=WINDOW)


class SystemMailHealth(models.Model):
    """Doubts about a mailbox. A doubt arises when the mailbox refuses a message, in words that no
    rule knows, and System Mail can send it. A single one proves nothing. Two of them, for different
    messages and recipients and with nothing accepted between, count as a failure.
    """

    _inherit = "system.mail.health"

    doubted_at = fields.Datetime(readonly=True)
    doubted_mail = fields.Char(readonly=True, help="Digests of the message and of the recipient.")

    @api.model
    @api.private
    def note_doubt(self, server, seen, failure, message_id, address):
        """Note that System Mail could send what this mailbox refused.

        :param Snapshot seen: what ``look`` returned
        :return: the generation from which on a result is not late
        """
        digests = [hashlib.sha256(text.encode()).hexdigest()[:16] for text in (message_id, address)]
        return self._record(server, seen, lambda health: health._write_doubt(failure, *digests))

    def _write_doubt(self, failure, message, recipient):
        if not self._is_doubted():
            now = database_now(self.env)
            self.write({"doubted_at": now, "doubted_mail": f"{message} {recipient}"})
        elif not {message, recipient} & set(self.doubted_mail.split()):
            self._write_failure(failure, REFUSED_HERE)

    def _is_doubted(self):
        if not self.doubted_at:
            return False
        now = database_now(self.env)
        return now - LASTS <= self.doubted_at <= now
