"""A real, strict OAuth2 provider that fails on command. Neither Odoo nor a database is needed.

>>> with OAuthLab(account="hello@company.test", redirect_uri="http://127.0.0.1/back") as lab:
...     back = lab.consent(f"{lab.authorization_endpoint}?response_type=code&...")
...     fault = lab.fail("token", status=503, times=1)
"""

from .applications import Application, ServiceAccount
from .faults import ACTIONS, ENDPOINTS, Fault
from .lab import OAuthLab
from .liar import WebLiar
from .provider import Request

__all__ = [
    "ACTIONS",
    "ENDPOINTS",
    "Application",
    "Fault",
    "OAuthLab",
    "Request",
    "ServiceAccount",
    "WebLiar",
]
