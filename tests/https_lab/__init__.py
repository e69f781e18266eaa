"""Real, strict APIs for sending by HTTPS, as of Microsoft Graph and Gmail, that fail on command.
Neither Odoo nor a database is needed.

>>> with Graph(authority, tokens={"token": ("hello@corp.test",)}) as graph:
...     fault = graph.fail("answer", status=429, headers={"Retry-After": "30"}, times=1)
"""

from .faults import ACTIONS, PHASES, Fault
from .gmail import Gmail
from .graph import Graph
from .server import ApiServer, Refusal

__all__ = ["ACTIONS", "PHASES", "ApiServer", "Fault", "Gmail", "Graph", "Refusal"]
