"""Who may have which token: the answers that oauthlib's server side asks for."""

import base64
import binascii
import hmac
import re
import time
from dataclasses import dataclass
from types import SimpleNamespace
from urllib.parse import unquote_plus

from oauthlib.oauth2 import RequestValidator
from oauthlib.oauth2.rfc6749 import errors

# RFC 7636, 4.1 and 4.2; oauthlib checks neither.
_VERIFIER = re.compile(r"[A-Za-z0-9._~-]{43,128}")
_CHALLENGE = re.compile(r"[A-Za-z0-9_-]{43}")


@dataclass(eq=False)
class Consent:
    """What an account allowed. All that came of it dies when it is revoked.

    `expires_at` is its code's end, by `time.time()`; `redeemed`: the code was shown once.
    """

    account: str
    scopes: list[str]
    redirect_uri: str | None = None
    code_challenge: str | None = None
    nonce: str | None = None
    expires_at: float = 0.0
    redeemed: bool = False
    revoked: bool = False


class Rules(RequestValidator):
    """The strictest reading of RFC 6749, 7636 and 9700 for the lab's one client."""

    def __init__(self, lab):
        self._lab = lab
        self._codes = {}
        self._access_tokens = {}
        self._refresh_tokens = {}

    def revoke(self, account):
        for consent in self._codes.values():
            consent.revoked |= consent.account == account
        self._tell(account, None)

    def _tell(self, account, access_token):
        if self._lab.on_token:
            self._lab.on_token(account, access_token)

    # The client

    def authenticate_client(self, request):
        pair = credentials(request)
        if pair is None:
            return False
        request.client = SimpleNamespace(client_id=pair[0])
        return is_same(pair[0], self._lab.client_id) and is_same(pair[1], self._lab.client_secret)

    def validate_client_id(self, client_id, request):
        return client_id == self._lab.client_id

    def validate_redirect_uri(self, client_id, redirect_uri, request):
        return redirect_uri == self._lab.redirect_uri

    def get_default_redirect_uri(self, client_id, request):
        return None

    def validate_response_type(self, client_id, response_type, client, request):
        return response_type == "code"

    def validate_grant_type(self, client_id, grant_type, client, request):
        return True  # the server has none but the two

    def get_default_scopes(self, client_id, request):
        return None

    def validate_scopes(self, client_id, scopes, client, request):
        return bool(scopes) and set(scopes) <= set(self._lab.scope.split())

    # The code

    def is_pkce_required(self, client_id, request):
        return True

    @staticmethod
    def check_challenge(request):
        """Refuse every other method than S256, and what no S256 can be."""
        if request.code_challenge_method != "S256":
            raise errors.UnsupportedCodeChallengeMethodError(request=request)
        if not _CHALLENGE.fullmatch(request.code_challenge):
            raise errors.InvalidRequestError("code_challenge is no SHA-256", request=request)
        return {}

    @staticmethod
    def check_verifier(request):
        """Refuse a verifier that is easier to guess than RFC 7636 allows."""
        if not _VERIFIER.fullmatch(request.code_verifier):
            raise errors.InvalidGrantError("code_verifier is malformed", request=request)

    def save_authorization_code(self, client_id, code, request):
        self._codes[code["code"]] = Consent(
            account=request.user,
            scopes=request.scopes,
            redirect_uri=request.redirect_uri,
            code_challenge=request.code_challenge,
            nonce=request.nonce,
            expires_at=time.time() + self._lab.code_lifetime,
        )

    def validate_code(self, client_id, code, client, request):
        consent = self._codes.get(code)
        if consent is None:
            return False
        if consent.redeemed:
            # RFC 6749, 4.1.2: somebody stole it, so nothing that came of it can be trusted.
            consent.revoked = True
        consent.redeemed = True
        request.consent = consent
        request.user, request.scopes = consent.account, consent.scopes
        return not consent.revoked and time.time() < consent.expires_at

    def get_code_challenge(self, code, request):
        return request.consent.code_challenge

    def get_code_challenge_method(self, code, request):
        return "S256"

    def confirm_redirect_uri(self, client_id, code, redirect_uri, client, request):
        return redirect_uri == request.consent.redirect_uri

    def invalidate_authorization_code(self, client_id, code, request):
        """Nothing: `validate_code` did it."""

    # The tokens

    def remember_consent(self, consent):
        """Have a consent that no code led to."""
        self._codes[object()] = consent

    def save_bearer_token(self, token, request):
        consent = request.consent
        expires_at = time.time() + token["expires_in"]
        self._access_tokens[token["access_token"]] = (consent, request.scopes, expires_at)
        if refresh_token := token.get("refresh_token"):
            self._refresh_tokens.pop(request.refresh_token, None)
            self._refresh_tokens[refresh_token] = consent
        self._tell(consent.account, token["access_token"])

    def validate_refresh_token(self, refresh_token, client, request):
        request.consent = self._refresh_tokens.get(refresh_token)
        if request.consent is None or request.consent.revoked:
            raise errors.InvalidGrantError(
                "The refresh token is unknown, used, or has been revoked.", request=request
            )
        request.user = request.consent.account
        return True

    def get_original_scopes(self, refresh_token, request):
        return request.consent.scopes

    def validate_bearer_token(self, token, scopes, request):
        consent, granted, expires_at = self._access_tokens.get(token, (None, (), 0))
        if consent is None or consent.revoked or time.time() >= expires_at:
            return False
        request.user, request.scopes = consent.account, granted
        return set(scopes) <= set(granted)


def credentials(request):
    """A client's (id, secret), in the form or as Basic; None if there are none, or both."""
    scheme, _, encoded = request.headers.get("Authorization", "").partition(" ")
    if not scheme:
        return request.client_id, request.client_secret
    # RFC 6749, 2.3: one method in each request.
    is_basic = scheme.lower() == "basic" and request.client_secret is None
    return _basic_credentials(encoded) if is_basic else None


def _basic_credentials(encoded):
    """(id, secret), of which RFC 6749, 2.3.1, wants each form-encoded; None if there are none."""
    try:
        decoded = base64.b64decode(encoded, validate=True).decode()
    except (binascii.Error, UnicodeDecodeError):
        return None
    client_id, colon, secret = decoded.partition(":")
    return (unquote_plus(client_id), unquote_plus(secret)) if colon else None


def is_same(given, known):
    return hmac.compare_digest((given or "").encode(), known.encode())
