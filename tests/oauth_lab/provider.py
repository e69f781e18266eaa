"""The three endpoints: oauthlib's own server side, and what OpenID Connect adds to it."""

import base64
import hashlib
import hmac
import html
import json
import logging
import threading
import time
import uuid
from dataclasses import dataclass
from urllib.parse import parse_qsl, urlencode

from oauthlib import common
from oauthlib.oauth2 import ClientCredentialsGrant, WebApplicationServer
from oauthlib.oauth2.rfc6749 import errors

from .applications import JWT_BEARER, ApplicationRules, JwtBearerGrant, ServiceAccountRules
from .faults import Answer, Fault
from .rules import Consent, Rules

# At DEBUG it tells codes and tokens, and would do so in the log of the client's process.
logging.getLogger("oauthlib.oauth2.rfc6749.grant_types").setLevel(logging.WARNING)

_HTML = {"Content-Type": "text/html; charset=utf-8"}
_JSON = {"Content-Type": "application/json"}
_PAGE = """<!DOCTYPE html>
<html lang="en"><head><title>OAuth lab</title><link rel="icon" href="data:,"></head><body>
<h1>OAuth lab</h1>
<p>You are signed in as <strong id="account">{account}</strong>.</p>
<p>{client_id} asks for: <span id="scope">{scope}</span></p>
<form method="post">
<button name="decision" value="allow">Allow</button>
<button name="decision" value="deny">Deny</button>
</form></body></html>
"""
_REFUSAL = """<!DOCTYPE html>
<html lang="en"><head><title>OAuth lab</title></head><body>
<h1>Access blocked</h1><p id="error">{error}: {description}</p></body></html>
"""


@dataclass(frozen=True)
class Request:
    """What a client asked of an endpoint, with its secrets.

    `query` and `form` keep double parameters; `authorization` is the header.
    """

    endpoint: str
    method: str
    query: list[tuple[str, str]]
    form: list[tuple[str, str]]
    authorization: str | None

    @classmethod
    def parse(cls, endpoint, method, query, body, authorization):
        return cls(endpoint, method, _pairs(query), _pairs(body), authorization)

    @property
    def parameters(self) -> dict[str, str]:
        """Those of the query and of the form."""
        return dict(self.query + self.form)

    @property
    def headers(self):
        return {"Authorization": self.authorization} if self.authorization else {}


class Provider:
    """Answers requests by the rules, one at a time: of two that show one token one comes first."""

    def __init__(self, lab):
        self._lab = lab
        self._rules = Rules(lab)
        self._server = WebApplicationServer(
            self._rules, token_expires_in=lambda _request: lab.expires_in
        )
        code_grant, refresh_grant = self._server.auth_grant, self._server.refresh_grant
        code_grant.custom_validators.post_auth.append(self._rules.check_challenge)
        code_grant.custom_validators.post_token.append(self._rules.check_verifier)
        code_grant.register_token_modifier(self._word)
        refresh_grant.register_token_modifier(self._word)
        self._server.grant_types["client_credentials"] = ClientCredentialsGrant(
            ApplicationRules(lab, self._rules)
        )
        self._server.grant_types[JWT_BEARER] = JwtBearerGrant(ServiceAccountRules(lab, self._rules))
        self._lock = threading.RLock()

    def answer(self, request: Request) -> Answer:
        with self._lock:
            try:
                return getattr(self, f"_answer_{request.endpoint}")(request)
            except errors.OAuth2Error as error:
                return Answer(error.status_code, _JSON | error.headers, error.json.encode())

    def refuse(self, request: Request, fault: Fault) -> Answer:
        """The answer of a fault; an error at `authorize` goes back to the client by redirect."""
        if request.endpoint != "authorize" or not fault.error:
            return fault.answer
        raised = errors.CustomOAuth2Error(fault.error, fault.description)
        return self._answer_authorize(request, raised)

    def issue(self, account: str, scope: str) -> dict:
        """A token as the token endpoint gives it, without a code."""
        with self._lock:
            request = common.Request(self._lab.token_endpoint)
            request.scopes = scope.split()
            request.consent = Consent(account, request.scopes)
            self._rules.remember_consent(request.consent)
            token = self._server.bearer.create_token(request, refresh_token=True)
            token = self._word(token, self._server.bearer, request)
            self._rules.save_token(token, request)
            return dict(token)

    def revoke(self, account: str):
        with self._lock:
            self._rules.revoke(account)

    # The endpoints

    def _answer_authorize(self, request, fault=None):
        uri = f"{self._lab.authorization_endpoint}?{urlencode(request.query)}"
        decision = dict(request.form).get("decision")
        try:
            scopes, asked = self._server.validate_authorization_request(uri)
        except errors.FatalClientError as error:
            # RFC 6749, 4.1.2.1: never redirect where the client may not be.
            return _page(_REFUSAL, 400, error=error.error, description=error.description or "")
        except errors.OAuth2Error as error:
            return self._back(error)
        if fault or decision == "deny":
            refusal = fault or errors.AccessDeniedError()
            refusal.state = asked["state"]
            return self._back(refusal)
        if decision != "allow" and self._lab.ask:
            return _page(
                _PAGE,
                account=self._lab.account,
                client_id=asked["client_id"],
                scope=" ".join(scopes),
            )
        headers, _body, status = self._server.create_authorization_response(
            uri, scopes=scopes, credentials={"user": self._lab.account}
        )
        return Answer(status, headers, b"")

    def _back(self, error):
        return Answer(302, {"Location": error.in_uri(self._lab.redirect_uri)}, b"")

    def _answer_token(self, request):
        headers, body, status = self._server.create_token_response(
            f"{self._lab.token_endpoint}?{urlencode(request.query)}",
            http_method=request.method,
            body=request.form,
            headers=request.headers,
        )
        return Answer(status, headers, body.encode())

    def _answer_userinfo(self, request):
        valid, asked = self._server.verify_request(
            self._lab.userinfo_endpoint, headers=request.headers, scopes=["openid"]
        )
        if not valid:
            raise errors.InsufficientScopeError() if asked.user else errors.InvalidTokenError()
        claims = self._claims(asked.user, asked.scopes)
        return Answer(200, _JSON, json.dumps(claims).encode())

    # What the provider says of a token and of an account

    def _word(self, token, _handler, request):
        """A token in this provider's manner, before it is saved and sent."""
        lab, refreshed = self._lab, request.grant_type == "refresh_token"
        if not lab.refresh_tokens or (refreshed and not lab.rotate):
            token.pop("refresh_token")
        if lab.scope_returned is not None:
            token["scope"] = lab.scope_returned
        if not token["scope"]:
            del token["scope"]
        if lab.id_tokens and "openid" in request.scopes:
            now = int(time.time())
            claims = {"iss": lab.url, "aud": lab.client_id, "iat": now, "exp": now + 3600}
            if request.consent.nonce and not refreshed:
                claims["nonce"] = request.consent.nonce
            claims |= self._claims(request.consent.account, request.scopes)
            token["id_token"] = _signed(claims, lab.client_secret)
        return token

    def _claims(self, account, scopes):
        claims = {"sub": str(uuid.uuid5(uuid.NAMESPACE_URL, account))}
        if "email" in scopes:
            claims |= {"email": account, "email_verified": True}
        return {k: v for k, v in (claims | self._lab.claims).items() if v is not None}


def _pairs(encoded):
    return parse_qsl(encoded.decode("utf-8", "replace"), keep_blank_values=True)


def _page(template, status=200, **texts):
    page = template.format(**{name: html.escape(text) for name, text in texts.items()})
    return Answer(status, _HTML, page.encode())


def _signed(claims, secret):
    """A JWT by HS256, for which OpenID Connect Core, 10.1, has the client's secret as the key."""
    parts = [_base64url(json.dumps(part).encode()) for part in ({"alg": "HS256"}, claims)]
    signature = hmac.digest(secret.encode(), ".".join(parts).encode(), hashlib.sha256)
    return ".".join((*parts, _base64url(signature)))


def _base64url(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()
