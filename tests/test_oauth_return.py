from urllib.parse import parse_qsl, quote, urlencode, urlsplit

from odoo.tests import tagged

from .tables import HARMLESS, REFUSED, tried
from .test_oauth import OAuthCase

PATH = "/system_mail/oauth/return"
EVIL = "https://evil.test/"


@tagged("post_install", "-at_install")
class TestReturn(OAuthCase):
    """Whatever a browser is made to ask of the return address."""

    def setUp(self):
        super().setUp()
        self.sign_in_dialog = self.dialog()
        back = self.oauth.consent(self.begin(self.sign_in_dialog))
        self.said = dict(parse_qsl(urlsplit(back).query))

    def ask(self, query=None, method="GET", **options):
        """What comes of a request for the return address with this query."""
        self.is_bad = query is not None or method != "GET"
        query = urlencode(self.said if query is None else query)
        url = f"{self.base_url()}{PATH}?{query}"
        response = self.opener.request(method, url, allow_redirects=False, timeout=30, **options)
        self.sign_in_dialog.invalidate_recordset()
        return response

    def assert_refused(self, response):
        self.assertEqual(response.status_code, 400)
        self.assertNotIn("Location", response.headers)
        self.assertEqual(self.sign_in_dialog.state, "draft")
        self.assert_nothing_changed()
        tried("requests for a sign-in's return address", REFUSED)

    def assert_done(self, response, state="connected"):
        self.assertEqual(response.status_code, 303)
        location = urlsplit(response.headers["Location"])
        self.assertIn(location.netloc, ("", urlsplit(self.base_url()).netloc))
        self.assertEqual(location.path, f"/odoo/system-mail-connect/{self.sign_in_dialog.id}")
        self.assertFalse(location.query)
        self.assertEqual(self.sign_in_dialog.state, state)
        if self.is_bad:
            tried("requests for a sign-in's return address", HARMLESS)

    def test_nothing_in_it_decides_where_it_goes(self):
        names = ("redirect", "next", "url", "redirect_uri", "return_to", "dialog", "id", "debug")
        self.assert_done(self.ask({**dict.fromkeys(names, EVIL), **self.said}))

    def test_nothing_in_it_chooses_a_database_or_a_user(self):
        self.assert_done(self.ask({"db": "other", "uid": "1", "login": "x", **self.said}))

    def test_nothing_in_it_gets_into_a_header(self):
        injected = "x\r\nSet-Cookie: evil=1\r\nLocation: https://evil.test/"
        self.assert_refused(self.ask({**self.said, "state": injected}))
        response = self.ask({"state": self.said["state"], "error": injected})
        self.assert_done(response, state="failed")
        self.assertNotIn("evil", str(response.headers))
        self.assertNotIn("\n", self.sign_in_dialog.answer)

    def test_a_state_that_is_given_twice_is_the_first(self):
        state = ("state", self.said["state"])
        code = ("code", self.said["code"])
        self.assert_refused(self.ask([("state", "x"), state, code]))
        self.assert_done(self.ask([state, ("state", "x"), code, ("code", "x")]))

    def test_a_form_from_elsewhere_does_nothing(self):
        for method in ("POST", "PUT", "DELETE", "PATCH"):
            response = self.ask(method=method, data=self.said)
            self.assertEqual(response.status_code, 405)
            tried("requests for a sign-in's return address", REFUSED)
        for options in (
            {"data": self.said},
            {"files": {"state": ("f", b"x"), "code": ("f", b"x")}},
        ):
            self.assert_refused(self.ask({}, **options))
        self.assert_done(self.ask())

    def test_a_look_whether_it_is_there_does_nothing(self):
        for method in ("HEAD", "OPTIONS"):
            self.assertNotIn("Location", self.ask(method=method).headers, method)
            self.assertEqual(self.sign_in_dialog.state, "draft")
        self.assert_done(self.ask())

    def test_what_is_too_long_or_no_text(self):
        for state in ("x" * 20_000, "\0", "\u2028", "ä", "🎉", "%00%ff", "' OR 1=1 --", ""):
            self.assert_refused(self.ask({**self.said, "state": state}))
        for raw in ("%ff%fe", "%ed%a0%80", "%00", "%"):
            response = self.url_open(f"{PATH}?state={raw}&code={raw}", allow_redirects=False)
            self.assert_refused(response)
        self.assert_done(self.ask({**self.said, "code": "\0ä🎉" + "x" * 20_000}), state="failed")
        self.assertNotIn("x" * 100, self.sign_in_dialog.answer)
        self.assert_nothing_changed()

    def test_an_error_that_is_too_long_or_no_text(self):
        error = "\0\u202e<script>alert(1)</script>\r\n" + "x" * 20_000
        self.assert_done(self.ask({"state": self.said["state"], "error": error}), state="failed")
        self.assertLess(len(self.sign_in_dialog.answer), 1_000)
        self.assertTrue(self.sign_in_dialog.answer.isprintable())

    def test_somebody_who_is_logged_out_is_sent_to_log_in_and_nothing_else(self):
        self.logout()
        response = self.ask()
        self.assertIn(response.status_code, (302, 303))
        self.assertEqual(urlsplit(response.headers["Location"]).path, "/web/login")
        self.assertIn(quote(PATH, safe=""), response.headers["Location"])
        self.assertEqual(self.sign_in_dialog.state, "draft")
        self.assert_nothing_changed()

    def test_somebody_who_is_no_super_user_any_more(self):
        group = self.env.ref("system_mail.group_super_user")
        self._user("Nora", "nora@company.test").group_ids += group  # the last one stays
        self.env.ref("base.user_admin").group_ids -= group
        self.env.flush_all()
        response = self.ask()
        self.assertNotIn(response.status_code, (200, 500))
        self.assert_nothing_changed()

    def test_a_dialog_that_is_gone(self):
        self.sign_in_dialog.unlink()
        self.assertEqual(self.ask().status_code, 400)
        self.assert_nothing_changed()
