"""Real SMTP servers that fail on command. Neither Odoo nor a database is needed.

>>> with SmtpLab() as lab:
...     own = lab.server("own", logins={"ana@corp.test": "secret"})
...     fault = own.fail("dot", action="drop", accept=True, times=1)
"""

from .faults import ACTIONS, PHASES, Fault
from .lab import SmtpLab
from .liar import Liar
from .server import Attempt, Connection, Delivery, SmtpServer

__all__ = [
    "ACTIONS",
    "PHASES",
    "Attempt",
    "Connection",
    "Delivery",
    "Fault",
    "Liar",
    "SmtpLab",
    "SmtpServer",
]
