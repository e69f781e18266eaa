"""The lab: one provider with one client, the switches tests turn, and what it saw."""

import threading
from collections.abc import Callable
from dataclasses import dataclass, field

import requests

from ..smtp_lab.certificates import CertificateAuthority
from .applications import Application, ServiceAccount
from .faults import Fault
from .provider import Provider, Request
from .web import HOST, WebServer

_TIMEOUT = 10


@dataclass(eq=False)
class OAuthLab:
    """A context manager, or: runs from its making until `close`. Every option may be changed as
    it runs, but for `authority`.

    It demands PKCE by S256 and knows the client by its secret, in the form or as Basic. A code
    serves once; shown again, it also ends what came of it. Lifetimes are in seconds of
    `time.time()`, so that a frozen clock holds for the lab too.

    :param account: who is signed in at `authorize`
    :param redirect_uri: the one address to which the client may have people sent back
    :param scope: what the client may ask for
    :param scope_returned: what the answers call the scope; "" to leave it out, None for the truth
    :param ask: show the page that asks for consent; if not, it is given at once
    :param rotate: a refresh token serves once, and the answer has the next (as Okta's); if not,
        it stays, and the answer does not repeat it (as Google's)
    :param refresh_tokens: give refresh tokens
    :param id_tokens: give an id token (HS256) to whom asks for the scope `openid`
    :param claims: said of every account beside or instead of the usual; None takes a claim away
    :param applications: by client id, those that get tokens without a person
    :param service_accounts: the same by e-mail address
    :param latency: seconds between a request and its answer
    :param on_token: called with account and access token whenever one is issued, before the
        client has it, and with None when it is revoked: `smtp_server.tokens.__setitem__`, say;
        for an application's token, with each of its mailboxes
    :param authority: speak https, with this authority's certificate
    """

    account: str = "hello@company.test"
    redirect_uri: str = "https://odoo.test/oauth"
    client_id: str = "lab-client"
    client_secret: str = field(default="lab-client-secret", repr=False)
    scope: str = "openid email offline_access https://mail.lab.test/send"
    scope_returned: str | None = None
    ask: bool = True
    rotate: bool = True
    refresh_tokens: bool = True
    id_tokens: bool = True
    claims: dict = field(default_factory=dict)
    applications: dict[str, Application] = field(default_factory=dict)
    service_accounts: dict[str, ServiceAccount] = field(default_factory=dict)
    expires_in: int = 3600
    code_lifetime: float = 600.0
    latency: float = 0.0
    on_token: Callable[[str, str | None], None] | None = None
    authority: CertificateAuthority | None = None

    def __post_init__(self):
        self.tls_context = self.authority and self.authority.context("valid")
        self.provider = Provider(self)
        self._requests = []
        self._faults = ()
        self._changed = threading.Condition()
        self._web = WebServer(self)
        self.url = f"{'https' if self.authority else 'http'}://{HOST}:{self._web.port}"
        self.authorization_endpoint = f"{self.url}/authorize"
        self.token_endpoint = f"{self.url}/token"
        self.userinfo_endpoint = f"{self.url}/userinfo"
        self._up = False
        self.start()

    def __enter__(self):
        return self

    def __exit__(self, *_exc):
        self.close()

    # What tests say

    def consent(self, authorization_url: str, *, allow: bool = True) -> str:
        """Walk the browser's part; return where it would be sent, which is not visited.

        An HTTPError is a page that tells the person why there is nothing to consent to.
        """
        with requests.Session() as browser:
            browser.trust_env = False
            browser.verify = self.authority.cafile if self.authority else True
            options = {"allow_redirects": False, "timeout": _TIMEOUT}
            page = browser.get(authorization_url, **options)
            page.raise_for_status()
            if not page.is_redirect:
                decision = {"decision": "allow" if allow else "deny"}
                page = browser.post(authorization_url, decision, **options)
                page.raise_for_status()
            return page.headers["Location"]

    def issue(self, account: str | None = None, scope: str | None = None) -> dict:
        """A token as the token endpoint gives it, for a client that is connected already."""
        return self.provider.issue(account or self.account, scope or self.scope)

    def revoke(self, account: str):
        """The account withdraws its consent: all its codes and tokens are dead."""
        self.provider.revoke(account)

    def fail(self, endpoint: str, **what) -> Fault:
        """Let something go wrong from now on, and return the `Fault`, which see.

        Of several faults that apply, the one set first strikes.
        """
        fault = Fault(endpoint, **what)
        self._faults += (fault,)
        return fault

    def heal(self, *faults: Fault):
        """Forget these faults; without any, forget all and be up. Who hangs goes on hanging."""
        self._faults = tuple(f for f in self._faults if faults and f not in faults)
        if not faults:
            self.start()

    def start(self):
        """Listen (again), on the same port."""
        if not self._up:
            self._web.start()
            self._up = True

    def stop(self):
        """Die: drop every connection and refuse new ones, until `start` or `heal`."""
        if self._up:
            self.close()
            self._web = WebServer(self, self._web.port)

    def close(self):
        """Close all sockets and end all threads. May be called twice."""
        self._web.close()
        self._up = False

    def wait(self, condition: Callable[["OAuthLab"], object], timeout: float = 10):
        """Wait until `condition(lab)` is true and return its value; else TimeoutError.

        It is looked at whenever a request came in.
        """
        with self._changed:
            if value := self._changed.wait_for(lambda: condition(self), timeout):
                return value
        raise TimeoutError(f"not seen by the OAuth lab within {timeout} s")

    # What tests see

    @property
    def requests(self) -> list[Request]:
        """All that was asked of the endpoints, as a copy."""
        return list(self._requests)

    @property
    def refreshes(self) -> int:
        """How often a refresh was asked for, granted or not."""
        return sum(r.parameters.get("grant_type") == "refresh_token" for r in self.requests)

    # What the web server tells

    def heard(self, request: Request) -> Fault | None:
        """Note a request, and say what shall go wrong with it."""
        with self._changed:
            self._requests.append(request)
            fault = next((f for f in self._faults if f.applies(request.endpoint)), None)
            if fault:
                fault.struck += 1
            self._changed.notify_all()
        return fault
