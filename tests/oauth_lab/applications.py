"""Who may have a token in its own name, without a person: applications as of Microsoft Entra (RFC
6749, 4.4; RFC 7523, 2.2), and service accounts as of Google Workspace (RFC 7523, 2.1). They are
refused in these providers' words.
"""

import base64
import time
from collections.abc import Collection
from dataclasses import dataclass, field
from types import SimpleNamespace

import jwt
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from oauthlib.oauth2 import ClientCredentialsGrant, RequestValidator
from oauthlib.oauth2.rfc6749 import errors

from .rules import Consent, credentials, is_same

JWT_BEARER = "urn:ietf:params:oauth:grant-type:jwt-bearer"
CLIENT_ASSERTION = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"


@dataclass(frozen=True)
class Application:
    """A client that gets tokens by a secret, or by an assertion.

    :param certificate: PEM, of the key that signs its assertions
    :param scope: all that it may ask for
    :param mailboxes: where its tokens may log in
    :param secret_ends_at: by `time.time()`
    """

    secret: str = field(default="", repr=False)
    certificate: str = ""
    scope: str = "https://mail.lab.test/.default"
    mailboxes: Collection[str] = ()
    secret_ends_at: float = float("inf")


@dataclass(frozen=True)
class ServiceAccount:
    """An account that signs for others.

    :param public_key: PEM
    :param scope: what an administrator has delegated to it
    :param mailboxes: all the users there are in the domains that have done so
    """

    public_key: str
    key_id: str = ""
    scope: str = ""
    mailboxes: Collection[str] = ()

    @property
    def domains(self):
        return {mailbox.partition("@")[2] for mailbox in self.mailboxes}


class _TooLongLived(jwt.InvalidTokenError):
    pass


class _Replayed(jwt.InvalidTokenError):
    pass


_MICROSOFT = (  # the first that fits
    (
        (jwt.ExpiredSignatureError, jwt.ImmatureSignatureError, _TooLongLived),
        "AADSTS700024: Client assertion is not within its valid time range.",
    ),
    (
        jwt.InvalidAudienceError,
        "AADSTS700023: Client assertion audience claim does not match Realm issuer.",
    ),
    (
        jwt.InvalidSignatureError,
        "AADSTS700027: The certificate with identifier used to sign the client assertion is not "
        "registered on application. [Reason - The key was not found.]",
    ),
    (jwt.PyJWTError, "AADSTS50027: JWT token is invalid or malformed."),
)
_GOOGLE = (
    (
        (jwt.ExpiredSignatureError, jwt.ImmatureSignatureError, _TooLongLived),
        "Invalid JWT: Token must be a short-lived token (60 minutes) and in a reasonable "
        "timeframe. Check your iat and exp values in the JWT claim.",
    ),
    (jwt.InvalidAudienceError, "Invalid JWT: Failed audience check."),
    (jwt.InvalidSignatureError, "Invalid JWT Signature."),
    (jwt.PyJWTError, "Invalid JWT"),
)


class _Assertions:
    """Checks assertions, and takes each of them once.

    :param longest: seconds that one may live
    """

    def __init__(self, lab, longest):
        self._lab = lab
        self._longest = longest
        self._used = set()

    def check(self, assertion, key):
        """The claims, raises jwt.PyJWTError."""
        claims = jwt.decode(
            assertion,
            key,
            algorithms=["PS256", "RS256"],
            audience=self._lab.token_endpoint,
            options={"require": ["iss", "sub", "aud", "iat", "exp", "jti"]},
        )
        if claims["exp"] - claims["iat"] > self._longest:
            raise _TooLongLived
        if claims["jti"] in self._used:
            raise _Replayed
        self._used.add(claims["jti"])
        return claims


class _Rules(RequestValidator):
    """What both have in common: a token is good for several mailboxes."""

    def __init__(self, lab, rules):
        self._lab = lab
        self._rules = rules

    def validate_grant_type(self, client_id, grant_type, client, request):
        return True

    def get_default_scopes(self, client_id, request):
        return None

    def save_bearer_token(self, token, request):
        for mailbox in request.client.mailboxes:
            request.consent = Consent(mailbox, request.scopes)
            self._rules.save_bearer_token(token, request)


class ApplicationRules(_Rules):
    """Knows an application by its secret, in the form or as Basic, or by its assertion."""

    def __init__(self, lab, rules):
        super().__init__(lab, rules)
        self._assertions = _Assertions(lab, longest=600)

    def authenticate_client(self, request):
        """Raises what Microsoft says to a client that it does not trust."""
        signed = getattr(request, "client_assertion", None)
        if signed:
            client_id, secret = request.client_id, None
            if credentials(request) != (client_id, None):
                raise errors.InvalidRequestError("one proof in each request (RFC 6749, 2.3)")
        else:
            client_id, secret = credentials(request) or (None, None)
        application = self._lab.applications.get(client_id)
        if not application:
            raise _refusal(
                "unauthorized_client",
                f"AADSTS700016: Application with identifier '{client_id}' was not found in the "
                "directory 'Lab'.",
            )
        if signed:
            self._check_assertion(request, application)
        else:
            self._check_secret(client_id, secret, application)
        request.client = SimpleNamespace(client_id=client_id, mailboxes=application.mailboxes)
        return True

    @staticmethod
    def _check_secret(client_id, secret, application):
        if not (application.secret and is_same(secret, application.secret)):
            raise _refusal(
                "invalid_client",
                "AADSTS7000215: Invalid client secret provided. Ensure the secret being sent in "
                "the request is the client secret value, not the client secret ID, for a secret "
                f"added to app '{client_id}'.",
            )
        if time.time() >= application.secret_ends_at:
            raise _refusal(
                "invalid_client",
                f"AADSTS7000222: The provided client secret keys for app '{client_id}' are "
                "expired.",
            )

    def _check_assertion(self, request, application):
        if getattr(request, "client_assertion_type", None) != CLIENT_ASSERTION:
            raise errors.InvalidRequestError("AADSTS900144: unknown client_assertion_type")
        try:
            header = jwt.get_unverified_header(request.client_assertion)
            key = _key_of(application, header)
            claims = self._assertions.check(request.client_assertion, key)
        except jwt.PyJWTError as exc:
            raise _refusal("invalid_client", _words(_MICROSOFT, exc)) from None
        if {claims["iss"], claims["sub"]} != {request.client_id}:
            raise _refusal(
                "invalid_client",
                "AADSTS700021: Client assertion application identifier doesn't match 'client_id' "
                "parameter.",
            )

    def validate_scopes(self, client_id, scopes, client, request):
        known = self._lab.applications[client_id].scope.split()
        if not scopes or not set(scopes) <= set(known):
            raise errors.InvalidScopeError(
                f"AADSTS1002012: The provided value for scope {' '.join(scopes or ())} is not "
                "valid. Client credential flows must have a scope value with /.default suffixed "
                "to the resource identifier (application ID URI)."
            )
        return True


class ServiceAccountRules(_Rules):
    """Knows a service account by its assertion."""

    def __init__(self, lab, rules):
        super().__init__(lab, rules)
        self._assertions = _Assertions(lab, longest=3600)

    def check(self, request):
        """Raises what Google says to an assertion that it does not trust."""
        try:
            claims = self._claims(request)
        except jwt.PyJWTError as exc:
            raise errors.InvalidGrantError(_words(_GOOGLE, exc)) from None
        account = self._lab.service_accounts[claims["iss"]]
        asked = str(claims.get("scope") or "").split()
        if not asked:
            raise errors.InvalidScopeError("Invalid OAuth scope or ID token audience provided.")
        subject = claims["sub"]
        is_delegated = subject.partition("@")[2] in account.domains
        if not (is_delegated and set(asked) <= set(account.scope.split())):
            raise _refusal(
                "unauthorized_client",
                "Client is unauthorized to retrieve access tokens using this method, or client "
                "not authorized for any of the scopes requested.",
                status=401,
            )
        if subject not in account.mailboxes:
            raise errors.InvalidGrantError("Invalid email or User ID")
        request.scopes = asked
        request.client = SimpleNamespace(client_id=claims["iss"], mailboxes=[subject])
        request.client_id = claims["iss"]

    def _claims(self, request):
        assertion = getattr(request, "assertion", None) or ""
        header = jwt.get_unverified_header(assertion)
        claimed = jwt.decode(assertion, options={"verify_signature": False})
        account = self._lab.service_accounts.get(claimed.get("iss"))
        if not account:
            raise errors.InvalidGrantError("Invalid grant: account not found")
        if header.get("kid", account.key_id) != account.key_id:
            raise jwt.InvalidSignatureError
        return self._assertions.check(assertion, account.public_key)


class JwtBearerGrant(ClientCredentialsGrant):
    """RFC 7523, 2.1: the assertion is all that there is to check."""

    def validate_token_request(self, request):
        if request.duplicate_params:
            raise errors.InvalidRequestError("Duplicate parameter.", request=request)
        self.request_validator.check(request)


def _key_of(application, header):
    """The key that the thumbprints mean, raises jwt.InvalidSignatureError."""
    known = {}
    if application.certificate:
        certificate = x509.load_pem_x509_certificate(application.certificate.encode())
        known = {
            "x5t#S256": _base64url(certificate.fingerprint(hashes.SHA256())),
            "x5t": _base64url(certificate.fingerprint(hashes.SHA1())),
        }
    told = {name: header[name] for name in ("x5t#S256", "x5t") if name in header}
    if not told or any(known.get(name) != value for name, value in told.items()):
        raise jwt.InvalidSignatureError
    return certificate.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )


def _base64url(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _words(table, exc):
    return next(words for kinds, words in table if isinstance(exc, kinds))


def _refusal(error, description, status=None):
    status = status or (401 if error == "invalid_client" else 400)
    return errors.CustomOAuth2Error(error, description, status_code=status)
