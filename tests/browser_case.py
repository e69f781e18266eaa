"""What tests in a real browser share."""

import os
from pathlib import Path

from odoo.tests import HttpCase

AXE = os.environ.get("SYSTEM_MAIL_AXE")
"""Where axe-core is: set by script/test, if it could install it."""


TIMEOUT = 180
"""Seconds for a whole tour, on a busy machine; Odoo gives it 60. A step has ten."""


class BrowserCase(HttpCase):
    """Its tours ask axe-core whether the screens are accessible: see ``isAccessible`` in
    ``static/tests/tours/accessible.js``. Where there is no axe-core, they ask nothing.
    """

    def start_tour(self, *args, **kwargs):
        axe = Path(AXE).read_bytes() if AXE else b"var axe;"
        self.serve("/system_mail/axe.js", "text/javascript", axe)
        return super().start_tour(*args, timeout=TIMEOUT, **kwargs)

    def serve(self, url, mimetype, content):
        """Have Odoo answer with the content where it has nothing else.

        :param bytes content:
        """
        self.env["ir.config_parameter"].set_param("ir_attachment.location", "db")
        self.env["ir.attachment"].create(
            {"name": url, "url": url, "mimetype": mimetype, "raw": content}
        )
