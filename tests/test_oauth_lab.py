"""The OAuth lab is as strict as it says, seen by real clients. No Odoo here."""

import base64
import contextlib
import gc
import hashlib
import hmac
import json
import logging
import socket
import tempfile
import threading
import time
import unittest
import uuid
import warnings
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import parse_qs, urlencode, urlsplit

import jwt
import requests
from cryptography.hazmat.primitives import serialization
from hypothesis import given, settings
from hypothesis import strategies as st
from oauthlib.oauth2 import InvalidGrantError
from requests.auth import HTTPBasicAuth
from requests_oauthlib import OAuth2Session

from ..connect.keys import make_key_pair, read_certificate
from .oauth_lab import ENDPOINTS, Application, Fault, OAuthLab, ServiceAccount
from .smtp_lab.certificates import CertificateAuthority

ANA, EVE = "ana@corp.test", "eve@x.test"
VERIFIER = "v" * 43
CHALLENGE = (
    base64.urlsafe_b64encode(hashlib.sha256(VERIFIER.encode()).digest()).rstrip(b"=").decode()
)
TIMEOUT = 10
SHORT = 0.2
HELLO, INFO = "hello@corp.test", "info@corp.test"
ROBOT = "robot@project.test"
KEY, CERTIFICATE = make_key_pair("lab")
OTHER_KEY, OTHER_CERTIFICATE = make_key_pair("another")
MAIL_SCOPE = "https://mail.lab.test/.default"


def public_key(private_key):
    key = serialization.load_pem_private_key(private_key.encode(), None).public_key()
    return key.public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )


def thumbprints(certificate):
    known = read_certificate(certificate)
    return {"x5t#S256": base64url(known.sha256), "x5t": base64url(known.thumbprint)}


def base64url(digits):
    return base64.urlsafe_b64encode(bytes.fromhex(digits)).rstrip(b"=").decode()


def signed_with_secret(claims, secret):
    """HS256, with whatever as the secret: PyJWT refuses to take a public key for it."""
    parts = [
        base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=").decode()
        for part in ({"alg": "HS256", "typ": "JWT", **thumbprints(CERTIFICATE)}, claims)
    ]
    signature = hmac.digest(secret, ".".join(parts).encode(), "sha256")
    return ".".join((*parts, base64.urlsafe_b64encode(signature).rstrip(b"=").decode()))


def parameters(url):
    return {name: value for name, (value,) in parse_qs(urlsplit(url).query).items()}


def claims(token):
    """The claims of an id token whose signature the client's secret explains."""
    signed, _, signature = token["id_token"].rpartition(".")
    expected = hmac.digest(b"lab-client-secret", signed.encode(), "sha256")
    assert base64.urlsafe_b64decode(signature + "=") == expected
    return json.loads(base64.urlsafe_b64decode(signed.partition(".")[2] + "=="))


class LabCase(unittest.TestCase):
    def setUp(self):
        super().setUp()
        self.lab = self.new_lab()
        self.addCleanup(self.lab.close)

    def new_lab(self):
        return OAuthLab(account=ANA)

    def address(self, **changed):
        """Where a good client sends people; a parameter of None is left out."""
        asked = {
            "response_type": "code",
            "client_id": self.lab.client_id,
            "redirect_uri": self.lab.redirect_uri,
            "scope": self.lab.scope,
            "state": "s",
            "code_challenge": CHALLENGE,
            "code_challenge_method": "S256",
        } | changed
        known = {name: value for name, value in asked.items() if value is not None}
        return f"{self.lab.authorization_endpoint}?{urlencode(known)}"

    def code(self):
        return parameters(self.lab.consent(self.address()))["code"]

    def post(self, auth=None, timeout=TIMEOUT, **form):
        return requests.post(self.lab.token_endpoint, form, auth=auth, timeout=timeout)

    def exchange(self, **changed):
        """Redeem a code as a good client would."""
        form = {
            "grant_type": "authorization_code",
            "code": changed.get("code") or self.code(),
            "redirect_uri": self.lab.redirect_uri,
            "client_id": self.lab.client_id,
            "client_secret": self.lab.client_secret,
            "code_verifier": VERIFIER,
        }
        return self.post(**form | changed)

    def refresh(self, refresh_token, **changed):
        form = {
            "grant_type": "refresh_token",
            "refresh_token": refresh_token,
            "client_id": self.lab.client_id,
            "client_secret": self.lab.client_secret,
        }
        return self.post(**form | changed)

    def userinfo(self, access_token):
        headers = {"Authorization": f"Bearer {access_token}"}
        return requests.get(self.lab.userinfo_endpoint, headers=headers, timeout=TIMEOUT)

    def assert_refused(self, response, error, status=400):
        self.assertEqual((response.json()["error"], response.status_code), (error, status))
        self.assertEqual(response.headers["Content-Type"], "application/json")


class TestTheFlow(LabCase):
    """A real client library, which insists on https."""

    def new_lab(self):
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        return OAuthLab(account=ANA, authority=CertificateAuthority(directory.name))

    def client(self, **options):
        client = OAuth2Session(
            self.lab.client_id,
            redirect_uri=self.lab.redirect_uri,
            scope=self.lab.scope.split(),
            pkce="S256",
            **options,
        )
        client.verify = self.lab.authority.cafile
        client.trust_env = False
        self.addCleanup(client.close)
        return client

    def sign_in(self, client, **options):
        address, state = client.authorization_url(self.lab.authorization_endpoint, nonce="n")
        back = self.lab.consent(address)
        self.assertTrue(back.startswith(f"{self.lab.redirect_uri}?"))
        self.assertEqual(parameters(back)["state"], state)
        return client.fetch_token(
            self.lab.token_endpoint,
            authorization_response=back,
            client_secret=self.lab.client_secret,
            **options,
        )

    def test_from_consent_to_refreshed_token(self):
        for in_form in (True, False):
            with self.subTest(secret="in the form" if in_form else "Basic"):
                client = self.client()
                token = self.sign_in(client, include_client_id=in_form)
                told = client.get(self.lab.userinfo_endpoint).json()
                self.assertEqual((told["email"], told["email_verified"]), (ANA, True))
                refreshed = client.refresh_token(
                    self.lab.token_endpoint,
                    auth=HTTPBasicAuth(self.lab.client_id, self.lab.client_secret),
                )
                self.assertNotEqual(refreshed["access_token"], token["access_token"])
                self.assertNotEqual(refreshed["refresh_token"], token["refresh_token"])
                self.assertEqual(client.get(self.lab.userinfo_endpoint).json(), told)

    def test_the_id_token_says_who_signed_in(self):
        token = self.sign_in(self.client())
        said = claims(token)
        self.assertEqual(said["iss"], self.lab.url)
        self.assertEqual(said["aud"], self.lab.client_id)
        self.assertEqual((said["email"], said["email_verified"], said["nonce"]), (ANA, True, "n"))
        self.assertGreater(said["exp"], said["iat"])

    def test_a_reworded_scope_is_noticed(self):
        self.lab.scope_returned = "something else"
        with self.assertRaises(Warning):
            self.sign_in(self.client())
        self.lab.scope_returned = ""
        self.assertEqual(set(self.sign_in(self.client()).scope.split()), set(self.client().scope))

    def test_revoked(self):
        client = self.client()
        self.sign_in(client)
        self.lab.revoke(ANA)
        with self.assertRaises(InvalidGrantError):
            client.refresh_token(
                self.lab.token_endpoint,
                client_id=self.lab.client_id,
                client_secret=self.lab.client_secret,
            )

    def test_a_stranger_to_the_authority_leaves_at_once(self):
        # An exception that passes through assertNoLogs would keep it from looking.
        with self.assertNoLogs(level="ERROR"):
            with self.assertRaises(requests.exceptions.SSLError):
                requests.get(self.lab.url, timeout=TIMEOUT)
            self.lab.close()


class TestConsent(LabCase):
    def test_the_page_says_who_is_signed_in(self):
        self.lab.account = '"<b>"@x.test'
        page = requests.get(self.address(), timeout=TIMEOUT).text
        self.assertIn("&quot;&lt;b&gt;&quot;@x.test", page)
        for decision in ("allow", "deny"):
            self.assertIn(f'<button name="decision" value="{decision}">', page)

    def test_denied(self):
        back = self.lab.consent(self.address(), allow=False)
        self.assertEqual(parameters(back), {"error": "access_denied", "state": "s"})

    def test_what_is_told_to_the_client(self):
        for error, changed in (
            ("invalid_request", {"response_type": None}),
            ("unsupported_response_type", {"response_type": "token"}),
            ("invalid_request", {"code_challenge": None}),
            ("invalid_request", {"code_challenge_method": None}),
            ("invalid_request", {"code_challenge_method": "plain"}),
            ("invalid_request", {"code_challenge": "short"}),
            ("invalid_scope", {"scope": None}),
            ("invalid_scope", {"scope": "openid everything"}),
        ):
            with self.subTest(**changed):
                back = parameters(self.lab.consent(self.address(**changed)))
                self.assertEqual((back["error"], back["state"]), (error, "s"))
                self.assertNotIn("code", back)

    def test_what_is_told_to_the_person_alone(self):
        for changed in (
            {"client_id": "somebody"},
            {"client_id": None},
            {"redirect_uri": "https://odoo.test/oauth/"},
            {"redirect_uri": "javascript:alert(1)"},
            {"redirect_uri": None},
        ):
            with self.subTest(**changed):
                with self.assertRaises(requests.HTTPError) as caught:
                    self.lab.consent(self.address(**changed))
                self.assertEqual(caught.exception.response.status_code, 400)
        with self.assertRaises(requests.HTTPError):
            self.lab.consent(self.address() + "&state=another")

    def test_a_provider_that_does_not_ask(self):
        self.lab.ask = False
        response = requests.get(self.address(), allow_redirects=False, timeout=TIMEOUT)
        code = parameters(response.headers["Location"])["code"]
        self.assertTrue(self.exchange(code=code).ok)
        with self.assertRaises(requests.HTTPError):
            self.lab.consent(self.address(client_id="somebody"))

    def test_another_account_signs_in(self):
        self.lab.account = EVE
        token = self.exchange().json()
        self.assertEqual(claims(token)["email"], EVE)
        self.assertEqual(self.userinfo(token["access_token"]).json()["email"], EVE)


class TestCodes(LabCase):
    def test_a_wrong_or_missing_verifier(self):
        self.assert_refused(self.exchange(code_verifier="w" * 43), "invalid_grant")
        self.assert_refused(self.exchange(code_verifier="v"), "invalid_grant")
        self.assert_refused(self.exchange(code_verifier=None), "invalid_request")

    @settings(max_examples=25, deadline=None)
    @given(st.text("abv-._~", min_size=40, max_size=130))
    def test_no_other_verifier_will_do(self, verifier):
        response = self.exchange(code_verifier=verifier)
        self.assertEqual(response.ok, verifier == VERIFIER)

    def test_a_short_verifier_is_refused_though_it_is_the_right_one(self):
        challenge = base64.urlsafe_b64encode(hashlib.sha256(b"short").digest()).rstrip(b"=")
        back = self.lab.consent(self.address(code_challenge=challenge))
        response = self.exchange(code=parameters(back)["code"], code_verifier="short")
        self.assert_refused(response, "invalid_grant")

    def test_a_used_code_ends_all_that_came_of_it(self):
        code = self.code()
        token = self.exchange(code=code).json()
        self.assert_refused(self.exchange(code=code), "invalid_grant")
        self.assert_refused(self.refresh(token["refresh_token"]), "invalid_grant")
        self.assertEqual(self.userinfo(token["access_token"]).status_code, 401)

    def test_an_expired_code(self):
        self.lab.code_lifetime = 0
        self.assert_refused(self.exchange(), "invalid_grant")

    def test_an_unknown_code(self):
        self.assert_refused(self.exchange(code="x"), "invalid_grant")
        self.assert_refused(
            self.exchange(code=None, grant_type="password"), "unsupported_grant_type"
        )

    def test_another_return_address(self):
        response = self.exchange(redirect_uri="https://eve.test/")
        self.assert_refused(response, "invalid_request")

    def test_a_wrong_client(self):
        basic = HTTPBasicAuth(self.lab.client_id, "wrong")
        code = self.code()
        for changed in (
            {"client_secret": "wrong"},
            {"client_secret": None},
            {"client_id": "somebody"},
            {"client_secret": None, "auth": basic},
            {"auth": HTTPBasicAuth(self.lab.client_id, self.lab.client_secret)},
        ):
            with self.subTest(**changed):
                response = self.exchange(code=code, **changed)
                self.assert_refused(response, "invalid_client", 401)
        self.assertTrue(self.exchange(code=code).ok)

    def test_a_token_is_asked_for_by_post_alone(self):
        response = requests.get(self.lab.token_endpoint, {"code": "x"}, timeout=TIMEOUT)
        self.assert_refused(response, "invalid_request")


class TestTokens(LabCase):
    def test_rotation(self):
        first = self.lab.issue()["refresh_token"]
        second = self.refresh(first).json()["refresh_token"]
        self.assert_refused(self.refresh(first), "invalid_grant")
        self.assertTrue(self.refresh(second).ok)
        self.assertEqual(self.lab.refreshes, 3)

    def test_without_rotation_the_answer_does_not_repeat_it(self):
        self.lab.rotate = False
        kept = self.exchange().json()["refresh_token"]
        for _ in range(2):
            self.assertNotIn("refresh_token", self.refresh(kept).json())

    def test_a_provider_without_refresh_tokens(self):
        self.lab.refresh_tokens = False
        self.assertNotIn("refresh_token", self.exchange().json())

    def test_a_race_has_one_winner(self):
        self.lab.latency = SHORT
        token = self.lab.issue()["refresh_token"]
        with ThreadPoolExecutor(8) as workers:
            answers = list(workers.map(self.refresh, [token] * 8))
        self.assertEqual(sorted(a.status_code for a in answers), [200] + [400] * 7)
        self.assertEqual(self.lab.refreshes, 8)

    def test_of_two_that_would_meet_half_way_one_wins(self):
        meeting = threading.Barrier(2)

        class Claims(dict):
            """Looked at after a refresh token was found good, before it is used up."""

            def __ror__(self, usual):
                with contextlib.suppress(threading.BrokenBarrierError):
                    meeting.wait(SHORT)
                return usual

        token = self.lab.issue()["refresh_token"]
        self.lab.claims = Claims()
        with ThreadPoolExecutor(2) as workers:
            answers = list(workers.map(self.refresh, [token] * 2))
        self.assertEqual(sorted(a.status_code for a in answers), [200, 400])
        self.assertTrue(meeting.broken)

    def test_an_unknown_refresh_token_and_a_wider_scope(self):
        self.assert_refused(self.refresh("x"), "invalid_grant")
        token = self.lab.issue(scope="openid")["refresh_token"]
        self.assert_refused(self.refresh(token, scope="openid email"), "invalid_scope")
        self.assert_refused(self.refresh(token, client_secret="x"), "invalid_client", 401)
        self.assertTrue(self.refresh(token).ok)

    def test_one_account_is_revoked(self):
        mine, other = self.lab.issue(), self.lab.issue(EVE)
        self.lab.revoke(ANA)
        self.assert_refused(self.refresh(mine["refresh_token"]), "invalid_grant")
        self.assertEqual(self.userinfo(mine["access_token"]).status_code, 401)
        self.assertTrue(self.refresh(other["refresh_token"]).ok)
        self.assertTrue(self.refresh(self.exchange().json()["refresh_token"]).ok)

    def test_a_mail_server_may_follow(self):
        tokens = {}
        self.lab.on_token = tokens.__setitem__
        token = self.exchange().json()
        self.assertEqual(tokens, {ANA: token["access_token"]})
        token = self.refresh(token["refresh_token"]).json()
        self.assertEqual(tokens, {ANA: token["access_token"]})
        self.lab.revoke(ANA)
        self.assertEqual(tokens, {ANA: None})

    def test_an_access_token_expires(self):
        self.lab.expires_in = 1
        token = self.lab.issue()
        self.assertEqual(token["expires_in"], 1)
        self.lab.expires_in = -1
        self.assertEqual(self.userinfo(self.lab.issue()["access_token"]).status_code, 401)
        self.assertEqual(self.userinfo("x").json()["error"], "invalid_token")

    def test_what_a_scope_lets_see(self):
        token = self.lab.issue(scope="openid")
        self.assertNotIn("email", claims(token))
        self.assertEqual(list(self.userinfo(token["access_token"]).json()), ["sub"])
        token = self.lab.issue(scope="email")
        self.assertNotIn("id_token", token)
        self.assert_refused(self.userinfo(token["access_token"]), "insufficient_scope", 403)

    def test_another_manner_of_claims(self):
        self.lab.claims = {"email": None, "preferred_username": ANA}
        token = self.lab.issue()
        for said in (claims(token), self.userinfo(token["access_token"]).json()):
            self.assertEqual((said.get("email"), said["preferred_username"]), (None, ANA))
        self.lab.id_tokens = False
        self.assertNotIn("id_token", self.lab.issue())


class ApplicationCase(LabCase):
    """Clients that get tokens without a person."""

    def new_lab(self):
        lab = OAuthLab(
            applications={
                "app": Application(
                    secret="hush", certificate=CERTIFICATE, scope=MAIL_SCOPE, mailboxes=[HELLO]
                )
            },
            service_accounts={
                ROBOT: ServiceAccount(public_key(KEY), "key-1", "mail", mailboxes=[HELLO, INFO])
            },
        )
        self.tokens = {}
        lab.on_token = self.tokens.__setitem__
        return lab

    def claims(self, **changed):
        now = int(time.time())
        claims = {
            "aud": self.lab.token_endpoint,
            "jti": str(uuid.uuid4()),
            "iat": now,
            "nbf": now,
            "exp": now + 600,
        } | changed
        return {name: value for name, value in claims.items() if value is not None}

    def assert_says(self, response, error, words, status=400):
        self.assert_refused(response, error, status)
        self.assertIn(words, response.json()["error_description"])


class TestApplications(ApplicationCase):
    """RFC 6749, 4.4."""

    def ask(self, **changed):
        form = {
            "grant_type": "client_credentials",
            "client_id": "app",
            "client_secret": "hush",
            "scope": MAIL_SCOPE,
        }
        return self.post(**form | changed)

    def test_a_secret_in_the_form_or_as_basic(self):
        basic = {"client_id": None, "client_secret": None, "auth": HTTPBasicAuth("app", "hush")}
        for how in ({}, basic):
            with self.subTest(how):
                answer = self.ask(**how).json()
                self.assertEqual(self.tokens, {HELLO: answer["access_token"]})
                self.assertEqual(answer["scope"], MAIL_SCOPE)
                self.assertNotIn("refresh_token", answer)
                self.assertNotIn("id_token", answer)

    def test_a_client_that_is_not_known(self):
        for how in (
            {"client_id": "another"},
            {"client_id": self.lab.client_id, "client_secret": self.lab.client_secret},
            {"client_id": None},
            {"auth": HTTPBasicAuth("app", "hush")},
        ):
            with self.subTest(how):
                self.assert_says(self.ask(**how), "unauthorized_client", "AADSTS700016")
        self.assertEqual(self.tokens, {})

    def test_a_wrong_secret(self):
        for secret in ("wrong", "", None):
            with self.subTest(secret):
                answer = self.ask(client_secret=secret)
                self.assert_says(answer, "invalid_client", "AADSTS7000215", 401)
        self.lab.applications["app"] = Application(certificate=CERTIFICATE)
        self.assert_says(self.ask(client_secret=""), "invalid_client", "AADSTS7000215", 401)

    def test_a_secret_that_has_ended(self):
        self.lab.applications["app"] = Application(secret="hush", secret_ends_at=time.time())
        self.assert_says(self.ask(), "invalid_client", "AADSTS7000222", 401)

    def test_another_scope(self):
        for scope in ("mail", f"{MAIL_SCOPE} mail", None):
            with self.subTest(scope):
                self.assert_says(self.ask(scope=scope), "invalid_scope", "AADSTS1002012")

    def test_a_code_for_people_is_none_for_applications(self):
        self.assert_refused(
            self.exchange(client_id="app", client_secret="hush"), "invalid_client", 401
        )


class TestClientAssertions(ApplicationCase):
    """RFC 7523, 2.2."""

    def signed(self, key=KEY, algorithm="PS256", headers=None, **changed):
        claims = self.claims(**{"iss": "app", "sub": "app"} | changed)
        known = thumbprints(CERTIFICATE) if headers is None else headers
        return jwt.encode(claims, key, algorithm, known)

    def ask(self, assertion, **changed):
        form = {
            "grant_type": "client_credentials",
            "client_id": "app",
            "client_assertion_type": "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
            "client_assertion": assertion,
            "scope": MAIL_SCOPE,
        }
        return self.post(**form | changed)

    def test_a_good_one(self):
        for algorithm in ("PS256", "RS256"):
            for name in ("x5t#S256", "x5t"):
                headers = {name: thumbprints(CERTIFICATE)[name]}
                with self.subTest(algorithm, **headers):
                    answer = self.ask(self.signed(algorithm=algorithm, headers=headers)).json()
                    self.assertEqual(self.tokens, {HELLO: answer["access_token"]})
                    self.assertNotIn("refresh_token", answer)

    def test_what_is_refused(self):
        now = int(time.time())
        long = {"exp": now + 3600}
        for words, assertion in {
            "AADSTS700023 audience": self.signed(aud="https://elsewhere.test/token"),
            "AADSTS700024 ended": self.signed(iat=now - 700, nbf=None, exp=now - 100),
            "AADSTS700024 for an hour": self.signed(**long),
            "AADSTS700024 from tomorrow": self.signed(iat=now + 86400, exp=now + 86500),
            "AADSTS700024 not yet": self.signed(nbf=now + 300),
            "AADSTS700027 other key": self.signed(OTHER_KEY),
            "AADSTS700027 unknown": self.signed(OTHER_KEY, headers=thumbprints(OTHER_CERTIFICATE)),
            "AADSTS700027 two": self.signed(
                headers=thumbprints(CERTIFICATE) | {"x5t": thumbprints(OTHER_CERTIFICATE)["x5t"]}
            ),
            "AADSTS700027 none": self.signed(headers={}),
            "AADSTS50027 unsigned": self.signed(None, "none"),
            "AADSTS50027 by the public key": signed_with_secret(
                self.claims(iss="app", sub="app"), public_key(KEY)
            ),
            "AADSTS50027 for ever": self.signed(exp=None),
            "AADSTS50027 for always": self.signed(jti=None),
            "AADSTS50027 no JWT": "a.b.c",
            "AADSTS700021 subject": self.signed(sub="another"),
            "AADSTS700021 issuer": self.signed(iss="another"),
        }.items():
            with self.subTest(words):
                answer = self.ask(assertion)
                self.assert_says(answer, "invalid_client", words.partition(" ")[0], 401)
        self.assertEqual(self.tokens, {})

    def test_one_serves_once(self):
        assertion = self.signed()
        self.assertTrue(self.ask(assertion).ok)
        self.assert_says(self.ask(assertion), "invalid_client", "AADSTS50027", 401)

    def test_one_proof_in_each_request(self):
        for more in ({"client_secret": "hush"}, {"auth": HTTPBasicAuth("app", "hush")}):
            with self.subTest(more):
                self.assert_refused(self.ask(self.signed(), **more), "invalid_request")
        answer = self.ask(self.signed(), client_assertion_type="jwt")
        self.assert_refused(answer, "invalid_request")

    def test_an_application_without_a_certificate(self):
        self.lab.applications["app"] = Application(secret="hush")
        self.assert_says(self.ask(self.signed()), "invalid_client", "AADSTS700027", 401)


class TestServiceAccounts(ApplicationCase):
    """RFC 7523, 2.1."""

    def signed(self, key=KEY, algorithm="RS256", headers=None, **changed):
        claims = self.claims(**{"iss": ROBOT, "sub": HELLO, "scope": "mail"} | changed)
        return jwt.encode(claims, key, algorithm, {"kid": "key-1"} if headers is None else headers)

    def ask(self, assertion):
        grant = "urn:ietf:params:oauth:grant-type:jwt-bearer"
        return self.post(grant_type=grant, assertion=assertion)

    def test_a_good_one(self):
        now = int(time.time())
        for how in ({}, {"headers": {}}, {"exp": now + 3600}, {"iat": now - 60}):
            with self.subTest(how):
                answer = self.ask(self.signed(**how)).json()
                self.assertEqual(self.tokens, {HELLO: answer["access_token"]})
                self.assertNotIn("refresh_token", answer)

    def test_what_is_refused(self):
        now = int(time.time())
        for words, assertion in {
            "Failed audience check": self.signed(aud="https://elsewhere.test/token"),
            "short-lived": self.signed(exp=now + 3700),
            "short-lived token": self.signed(iat=now - 700, exp=now - 100),
            "short-lived token (60": self.signed(iat=now + 600),
            "Invalid JWT Signature": self.signed(OTHER_KEY),
            "Invalid JWT Signature.": self.signed(headers={"kid": "key-0"}),
            "account not found": self.signed(iss="another@project.test"),
            "Invalid email or User ID": self.signed(sub="nobody@corp.test"),
            "Invalid JWT": self.signed(None, "none"),
            "Invalid": self.signed(jti=None),
            "": "a.b.c",
        }.items():
            with self.subTest(words):
                self.assert_says(self.ask(assertion), "invalid_grant", words)
        by_public_key = signed_with_secret(
            self.claims(iss=ROBOT, sub=HELLO, scope="mail"), public_key(KEY)
        )
        self.assert_says(self.ask(by_public_key), "invalid_grant", "Invalid JWT")
        self.assert_says(self.ask(self.signed(scope="")), "invalid_scope", "Invalid OAuth scope")
        self.assertEqual(self.tokens, {})

    def test_what_nobody_delegated(self):
        for how in (
            {"sub": "ana@elsewhere.test"},
            {"scope": "calendar"},
            {"scope": "mail calendar"},
        ):
            with self.subTest(how):
                answer = self.ask(self.signed(**how))
                self.assert_says(answer, "unauthorized_client", "Client is unauthorized", 401)

    def test_one_serves_once(self):
        assertion = self.signed()
        self.assertTrue(self.ask(assertion).ok)
        self.assert_says(self.ask(assertion), "invalid_grant", "Invalid JWT")


class TestFaults(LabCase):
    def test_another_answer(self):
        self.lab.fail("token", status=503, body=b"<h1>Down</h1>")
        response = self.refresh(self.lab.issue()["refresh_token"])
        self.assertEqual((response.status_code, response.text), (503, "<h1>Down</h1>"))

    def test_an_error_in_the_providers_own_words(self):
        words = "AADSTS7000222: The provided client secret keys are expired."
        self.lab.fail("token", error="invalid_client", description=words)
        response = self.exchange()
        self.assert_refused(response, "invalid_client", 401)
        self.assertEqual(response.json()["error_description"], words)

    def test_an_error_at_consent_travels_by_redirect(self):
        self.lab.fail("authorize", error="temporarily_unavailable", description="Later")
        self.assertEqual(
            parameters(self.lab.consent(self.address())),
            {"error": "temporarily_unavailable", "error_description": "Later", "state": "s"},
        )
        with self.assertRaises(requests.HTTPError):
            self.lab.consent(self.address(client_id="somebody"))

    def test_no_answer(self):
        for endpoint in ENDPOINTS:
            for action in ("drop", "hang"):
                with self.subTest(endpoint=endpoint, action=action):
                    fault = self.lab.fail(endpoint, action=action)
                    with self.assertRaises((requests.ConnectionError, requests.Timeout)):
                        requests.get(f"{self.lab.url}/{endpoint}", timeout=SHORT)
                    give_up = time.monotonic() + 10
                    while not fault.struck and time.monotonic() < give_up:
                        time.sleep(0.01)  # a busy machine may only just have read the request
                    self.assertEqual(fault.struck, 1)
                    self.lab.heal(fault)
        self.assertTrue(self.exchange().ok)

    def test_single_bytes_that_never_make_an_answer(self):
        self.lab.fail("token", action="drip", interval=0.001)
        # requests would read on for ever: its time-out is for each read
        address = ("127.0.0.1", urlsplit(self.lab.url).port)
        with socket.create_connection(address, TIMEOUT) as client:
            client.sendall(b"POST /token HTTP/1.0\r\n\r\n")
            said = b"".join(client.recv(1) for _ in range(50))
        self.assertTrue(said.startswith(b"HTTP/1.0 200 OK"))
        self.assertNotIn(b"\n", said)

    def test_it_strikes_so_often_and_then_no_more(self):
        self.lab.fail("token", status=500, times=1)
        self.assertEqual(self.exchange().status_code, 500)
        self.assertTrue(self.exchange().ok)

    def test_an_answer_that_is_lost_after_the_deed(self):
        token = self.lab.issue()["refresh_token"]
        for lost in ({"action": "drop"}, {"status": 502}):
            self.lab.fail("token", accept=True, times=1, **lost)
        with self.assertRaises(requests.ConnectionError):
            self.refresh(token)
        self.assertEqual(self.refresh(token).status_code, 502)
        self.assert_refused(self.refresh(token), "invalid_grant")

    def test_it_dies_and_comes_back(self):
        token = self.lab.issue()["refresh_token"]
        self.lab.stop()
        with self.assertRaises(requests.ConnectionError):
            self.refresh(token)
        self.lab.heal()
        self.assertTrue(self.refresh(token).ok)

    def test_faults_that_cannot_be(self):
        for endpoint, what in (
            ("revoke", {"status": 500}),
            ("token", {"action": "explode"}),
            ("token", {}),
            ("token", {"action": "drop", "status": 500}),
            ("token", {"error": "invalid_grant", "body": b"x"}),
        ):
            with self.subTest(endpoint, **what), self.assertRaises(ValueError):
                Fault(endpoint, **what)


class TestTheLab(LabCase):
    def test_it_tells_what_was_asked(self):
        self.exchange()
        looked, decided, redeemed = self.lab.requests
        self.assertEqual((looked.endpoint, looked.method), ("authorize", "GET"))
        self.assertEqual(looked.parameters["code_challenge"], CHALLENGE)
        self.assertEqual(decided.form, [("decision", "allow")])
        self.assertEqual(redeemed.parameters["client_secret"], self.lab.client_secret)
        self.userinfo("abc")
        self.assertEqual(self.lab.requests[-1].authorization, "Bearer abc")
        self.assertEqual(self.lab.refreshes, 0)

    def test_a_request_under_way_can_be_waited_for(self):
        self.lab.latency = TIMEOUT
        with ThreadPoolExecutor(1) as worker:
            answer = worker.submit(self.refresh, "x")
            self.assertTrue(self.lab.wait(lambda lab: lab.refreshes))
            self.assertFalse(answer.done())
            self.lab.close()
            self.assertIsInstance(answer.exception(TIMEOUT), requests.ConnectionError)
        with self.assertRaises(TimeoutError):
            self.lab.wait(lambda lab: lab.refreshes == 2, timeout=0)

    def test_an_unknown_address(self):
        self.assertEqual(requests.get(f"{self.lab.url}/favicon.ico", timeout=5).status_code, 404)
        self.assertEqual(self.lab.requests, [])

    def test_no_log_tells_a_secret(self):
        with self.assertLogs(level=logging.DEBUG) as logs:
            code = self.code()
            token = self.exchange(code=code).json()
            refreshed = self.refresh(token["refresh_token"]).json()
        said = "\n".join(logs.output)
        for secret in (
            code,
            VERIFIER,
            self.lab.client_secret,
            *token.values(),
            *refreshed.values(),
        ):
            if secret not in ("Bearer", 3600, self.lab.scope):
                self.assertNotIn(secret, said)
        self.assertNotIn("lab-client-secret", repr(self.lab))

    def test_a_failing_callback_is_the_labs_fault(self):
        def on_token(account, _token):
            raise LookupError(account)

        self.lab.on_token = on_token
        lab_logger = OAuthLab.__module__.removesuffix(".lab")
        with self.assertLogs(lab_logger, "ERROR"), self.assertRaises(requests.ConnectionError):
            self.exchange()

    def test_it_leaves_nothing_behind(self):
        gc.collect()
        before = set(threading.enumerate())
        with warnings.catch_warnings(record=True) as caught, self.assertNoLogs(level="ERROR"):
            warnings.simplefilter("ignore")
            warnings.simplefilter("always", ResourceWarning)
            with (
                tempfile.TemporaryDirectory() as directory,
                OAuthLab(authority=CertificateAuthority(directory)) as secure,
                OAuthLab() as lab,
                requests.Session() as session,
                ThreadPoolExecutor() as workers,
            ):
                idle = [
                    socket.create_connection(("127.0.0.1", urlsplit(x.url).port))
                    for x in (lab, secure)
                ]
                stuck = []
                for each in (lab, secure):
                    for endpoint, action in (("token", "hang"), ("userinfo", "drip")):
                        each.fail(endpoint, action=action)
                        stuck.append(
                            workers.submit(
                                session.get,
                                f"{each.url}/{endpoint}",
                                verify=secure.authority.cafile,
                                timeout=TIMEOUT,
                            )
                        )
                    each.wait(lambda one: len(one.requests) == 2)
                    each.close()
                    each.close()
                for answer in stuck:
                    self.assertIsInstance(answer.exception(TIMEOUT), requests.ConnectionError)
                stopped = OAuthLab()
                stopped.stop()
                stopped.close()
            for connection in idle:
                connection.close()
            del session, workers, stuck, answer, idle, connection, stopped
            gc.collect()
        self.assertEqual([str(w.message) for w in caught], [])
        self.assertEqual(set(threading.enumerate()) - before, set())
