"""Debian's own mail servers, each in a folder of its own. Neither Odoo nor a database is needed.

>>> with MtaLab() as lab:
...     postfix = lab.postfix(message_size_limit="1000")
...     exim = lab.exim(rcpt="deny message = Not today")
"""

from .lab import MtaLab, Unavailable
from .policy import PolicyService

__all__ = ["MtaLab", "PolicyService", "Unavailable"]
