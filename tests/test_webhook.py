import http.server
import json
import logging
import os
import tempfile
import threading
from unittest.mock import patch

from odoo.exceptions import AccessError, ValidationError
from odoo.tests import BaseCase, tagged

from ..connect import webhook
from ..constants import GROUP, MASK
from .common import AlertsCase
from .smtp_lab.certificates import CertificateAuthority
from .test_alerts import REJECTED

SECRET_PATH = "/services/T000/B000/hush"
EXAMPLE = f"https://hooks.slack.com{SECRET_PATH}"


class Receiver:
    """A service with a webhook, by https on this machine. Gives ``status``, or says nothing.

    :param CertificateAuthority authority: signs its certificate
    """

    def __init__(self, authority):
        self.status, self.posts, self.headers = 204, [], {}
        self._over = threading.Event()
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                outer.posts.append((self.path, json.loads(body)))
                if not outer.status:
                    outer._over.wait(20)
                    return
                self.send_response(outer.status)
                for name, value in outer.headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_args):
                pass

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        context = authority.context("valid")
        self._server.socket = context.wrap_socket(self._server.socket, server_side=True)
        self.url = f"https://localhost:{self._server.server_port}{SECRET_PATH}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def close(self):
        self._over.set()
        self._server.shutdown()
        self._server.server_close()


@tagged("post_install", "-at_install")
class TestAddresses(BaseCase):
    def test_only_https_without_a_user_name(self):
        for url in (
            "http://hooks.slack.com/x",
            "https:///x",
            "hooks.slack.com/x",
            "https://u:p@hooks.slack.com/x",
            "https://hooks.slack.com:99999/x",
            "file:///etc/passwd",
            "",
            None,
        ):
            with self.subTest(url), self.assertRaises(webhook.WebhookError) as caught:
                webhook.host_of(url)
            self.assertEqual(caught.exception.code, "address")

    def test_the_form_follows_the_service(self):
        for url, form in (
            (EXAMPLE, "slack"),
            ("https://discord.com/api/webhooks/1/x", "discord"),
            ("https://prod-1.westeurope.logic.azure.com:443/workflows/x", "teams"),
            ("https://default1.4.environment.api.powerplatform.com/powerautomate/x", "teams"),
            ("https://chat.company.test/hooks/x", "json"),
            ("https://hooks.slack.com.evil.test/x", "json"),
        ):
            with self.subTest(url):
                self.assertEqual(webhook.form_of(url), form)

    def test_nobody_writes_markup_or_calls_everybody(self):
        slack = webhook.payload("slack", "<!channel> a & b", "https://o.test", "Open")
        self.assertEqual(slack["text"], "&lt;!channel&gt; a &amp; b <https://o.test|Open>")
        discord = webhook.payload("discord", "@everyone " + "x" * 5000, "https://o.test", "Open")
        self.assertLessEqual(len(discord["content"]), 2000)
        self.assertEqual(discord["allowed_mentions"], {"parse": []})
        for form in ("discord", "teams"):
            link = str(webhook.payload(form, "[Odoo](https://x.test)", "https://o.test", "Open"))
            self.assertIn("[Odoo] (https://x.test)", link)

    def test_teams_takes_an_adaptive_card(self):
        card = webhook.payload("teams", "It works again.", "https://o.test", "Open")
        [attachment] = card["attachments"]
        self.assertEqual(attachment["contentType"], "application/vnd.microsoft.card.adaptive")
        self.assertEqual(attachment["content"]["body"][0]["text"], "It works again.")
        self.assertEqual(attachment["content"]["actions"][0]["url"], "https://o.test")


class WebhookCase(AlertsCase):
    def setUp(self):
        super().setUp()
        authority = CertificateAuthority(self.enterContext(tempfile.TemporaryDirectory()))
        self.enterContext(patch.dict(os.environ, REQUESTS_CA_BUNDLE=authority.cafile))
        self.receiver = Receiver(authority)
        self.addCleanup(self.receiver.close)
        self.env["ir.config_parameter"].set_param("system_mail.allow_internal_hosts", "True")
        self.admin = self.env.ref("base.user_admin")
        self.admin.group_ids += self.env.ref(GROUP)
        self.make_old(self.channel.message_ids)
        self.hook = self.add(url_input=self.receiver.url)

    def make_old(self, messages):
        """They were there before: the clock of a transaction stands still."""
        self.env.cr.execute(
            "UPDATE mail_message SET create_date = create_date - interval '1 minute'"
            " WHERE id = ANY(%s)",
            [messages.ids],
        )
        messages.invalidate_recordset()

    def add(self, **values):
        hooks = self.env["system.mail.webhook"].with_user(self.admin)
        return hooks.create({"name": "Our chat", **values})

    def administrator(self):
        groups = self.env.ref("base.group_user") | self.env.ref("base.group_system")
        return self._user("Otto", "otto@company.test", group_ids=[(6, 0, groups.ids)])

    def texts(self):
        """What was posted since it was asked for last."""
        texts = [body["text"] for _path, body in self.receiver.posts]
        self.receiver.posts.clear()
        return texts


@tagged("post_install", "-at_install")
class TestWebhook(WebhookCase):
    def test_a_trouble_is_posted_once_and_once_when_it_is_over(self):
        self.mention()
        self.system.fail("auth", reply=REJECTED)
        self.system_server.system_mail_check()
        self.tell()
        self.tell()
        [text] = self.texts()
        self.assertIn("the password was rejected", text)
        self.assertNotIn("ben@", text)
        self.system.heal()
        self.system_server.smtp_pass = "neutral"
        self.system_server.system_mail_check()
        self.tell()
        self.tell()
        [text] = self.texts()
        self.assertIn("works again", text)

    def test_what_was_told_before_it_was_added_is_not_posted(self):
        alerts = self.env["system.mail.alert"]
        alerts.tell_super_users("An old one.")
        self.make_old(self.channel.message_ids)
        alerts.tell_super_users("A new one.")
        self.tell()
        self.assertEqual(self.texts(), ["A new one."])

    def test_what_people_write_in_the_channel_is_not_posted(self):
        self.channel.with_user(self.admin).message_post(
            body="I look after it.", message_type="comment", subtype_xmlid="mail.mt_comment"
        )
        self.tell()
        self.assertFalse(self.texts())

    def test_what_fails_is_tried_again_in_order(self):
        alerts = self.env["system.mail.alert"]
        self.receiver.status = 503
        alerts.tell_super_users("First.")
        alerts.tell_super_users("Second.")
        self.tell()
        self.assertEqual(self.texts(), ["First."])
        self.assertIn("503", self.hook.result)
        self.receiver.status = 200
        self.tell()
        self.tell()
        self.assertEqual(self.texts(), ["First.", "Second."])
        self.assertIn("arrived", self.hook.result)

    def test_a_test_says_what_came_of_it(self):
        self.hook.action_test()
        self.assertIn("204", self.hook.result)
        self.assertIn("test", self.texts()[0])
        self.receiver.close()
        self.hook.action_test()
        self.assertIn("did not answer", self.hook.result)

    def test_a_service_that_is_silent_is_left(self):
        self.receiver.status = 0
        self.patch(webhook, "PATIENCE", 0.5)
        self.hook.action_test()
        self.assertIn("did not answer", self.hook.result)

    def test_no_redirect_is_followed(self):
        other = Receiver(CertificateAuthority(self.enterContext(tempfile.TemporaryDirectory())))
        self.addCleanup(other.close)
        self.receiver.status, self.receiver.headers = 307, {"Location": other.url}
        self.hook.action_test()
        self.assertIn("307", self.hook.result)
        self.assertFalse(other.posts)

    def test_a_host_that_is_not_public_is_refused(self):
        self.env["ir.config_parameter"].set_param("system_mail.allow_internal_hosts", "False")
        self.hook.action_test()
        self.assertIn("not public", self.hook.result)
        self.assertFalse(self.receiver.posts)

    def test_its_address_is_never_shown_or_logged(self):
        self.env.invalidate_all()
        values = self.hook.read()[0]
        self.assertEqual(values["url_input"], MASK)
        self.assertNotIn("url", values)
        with self.assertRaises(AccessError):
            self.hook.read(["url"])
        base = self.receiver.url.removesuffix(SECRET_PATH)
        self.receiver.headers = {"X\0": "y"}  # urllib3 warns of it
        with self.assertLogs(level=logging.DEBUG) as logs:
            self.hook.action_test()
            for odd in ("?key=hush", "/%7Ehush", "/h ush/hush", "/a/../hush", "/hush%C3%B6"):
                self.hook.url_input = base + odd
                self.hook.action_test()
                self.assertIn("204", self.hook.result)
            self.receiver.close()
            self.hook.action_test()
        loggers = {record.name for record in logs.records}
        self.assertLessEqual({"urllib3.connection", "urllib3.connectionpool"}, loggers)
        self.assertFalse([line for line in logs.output if "hush" in line])
        self.assertNotIn("hush", str(self.env["system.mail.event"].search([]).read()))

    def test_what_is_no_address_is_refused_in_words(self):
        with self.assertRaisesRegex(ValidationError, "begins with https"):
            self.add(url_input="http://chat.company.test/x")

    def test_each_change_is_an_event(self):
        self.hook.active = False
        self.hook.url_input = EXAMPLE
        self.hook.unlink()
        notes = " ".join(self.events("configured").mapped("note"))
        for what in ("Our chat added", "Our chat: Active", "hooks.slack.com", "Our chat deleted"):
            self.assertIn(what, notes)

    def test_others_neither_see_nor_add_one(self):
        for user in (self.ana, self.administrator()):
            hooks = self.env["system.mail.webhook"].with_user(user)
            with self.subTest(user.name), self.assertRaises(AccessError):
                hooks.search([])
            with self.subTest(user.name), self.assertRaises(AccessError):
                hooks.create({"name": "Mine", "url_input": EXAMPLE})
