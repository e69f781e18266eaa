import collections
import contextlib
import datetime
import itertools
import tracemalloc

from odoo.tests import tagged
from odoo.tools.mail import email_normalize_all

from .common import SystemMailCase
from .tables import ARRIVED, REFUSED, WAITS, tried

HELLO, EVE = "hello@company.test", "eve@elsewhere.test"
INJECTED = f"\r\nBcc: {EVE}\r\nX-Evil: 1\r\n\r\nAnother body"
ENCODED_EVE = "=?utf-8?q?eve=40elsewhere.test?="
ENCODED = "=?utf-8?q?Ana=0D=0ABcc=3A_eve=40elsewhere.test?="
ONCE = ("From", "Reply-To", "To", "Subject", "Date", "Message-Id", "Content-Type")
LONG = 3_000
"""Characters; Odoo's own sender takes the square of the length of a name."""

NAMES = {
    "CR and LF": f"Ana{INJECTED}",
    "a lone CR": "Ana\rBcc: eve@elsewhere.test",
    "other ends of line": "Ana\u2028Bcc: e\x0b\x85vil",
    "quotes and brackets": '"Ana" \\" <eve@elsewhere.test>, Eve',
    "an address": "ana@company.test",
    "RFC 2047": ENCODED,
    "RFC 2047, much": "=?utf-8?q?a?= " * 200,
    "non-ASCII": "Zoë Ünïcode 🎉",
    "right to left": "Ana \u202egpj.exe",
    "brackets": "(" * LONG,
    "long": "a" * LONG,
    "long, non-ASCII": "ä" * LONG,
    "only spaces": "\xa0",
}
SUBJECTS = {
    "CR and LF": f"Hello{INJECTED}",
    "RFC 2047": ENCODED,
    "long": "hello " * LONG,
    "long, non-ASCII": "ä" * LONG,
    "one word": "a" * LONG,
    "other ends of line": "Hello\u2028Bcc: e\x0b\x85vil",
}
AUTHORS = {
    "CR and LF": f"ana@company.test{INJECTED}",
    "two": f"ana@company.test, {EVE}",
    "with a name": 'Eve <ana@company.test>, "x" <eve@elsewhere.test>',
    "non-ASCII": "anä@company.test",
    "non-ASCII domain": "ana@cömpany.test",
    "none": "not an address",
    "long": "a" * LONG + "@company.test",
}
READERS = {
    "CR and LF": f"ben@company.test{INJECTED}",
    "two": "ben@company.test, cleo@company.test",
    "non-ASCII": "bén@company.test",
    "non-ASCII domain": "ben@cömpany.test",
    "none": "not an address",
    "a command": "ben@company.test>\r\nRCPT TO:<eve@elsewhere.test",
    "long": "b" * LONG + "@company.test",
}


@tagged("post_install", "-at_install")
class TestBadMail(SystemMailCase):
    """Whatever an author types, with their own mailbox down: it arrives once and as one message
    from System Mail, or it fails with a reason.
    """

    def setUp(self):
        super().setUp()
        self.own.fail("auth", reply="535 5.7.8 Rejected")

    def test_names_of_authors(self):
        for title, name in NAMES.items():
            with self._case("names of authors", title):
                self.ana.partner_id.name = name
                self._judge("names of authors", self.mention())

    def test_names_of_readers(self):
        for title, name in NAMES.items():
            with self._case("names of readers", title):
                self.ben.partner_id.name = name
                self._judge("names of readers", self.mention())

    def test_subjects(self):
        for title, subject in SUBJECTS.items():
            with self._case("subjects", title):
                self._judge("subjects", self.mention(subject=subject))

    def test_names_of_documents(self):
        for title, name in {**NAMES, **SUBJECTS}.items():
            with self._case("names of documents", title):
                self.record.name = name
                self._judge("names of documents", self.mention())

    def test_addresses_of_authors(self):
        for title, address in AUTHORS.items():
            with self._case("addresses of authors", title):
                self.ana.partner_id.email = address
                self._judge("addresses of authors", self.mention())

    def test_addresses_of_readers(self):
        for title, address in READERS.items():
            with self._case("addresses of readers", title):
                self.ben.partner_id.email = address
                self._judge("addresses of readers", self.mention())

    def test_headers_of_a_mail(self):
        for title, value in SUBJECTS.items():
            with self._case("headers of mails", title):
                headers = {"X-Kind": value, "Sender": f"Eve <{EVE}>"}
                mail = self.mail(headers=repr(headers))
                mail.send()
                self._judge("headers of mails", mail.mail_message_id, mail)

    def test_names_of_companies(self):
        for name in ("<a href='https://evil.test'>Click</a>", "A & B <b>Co</b>", f"Co{INJECTED}"):
            with self._case("names of companies", name):
                self.company.name = name
                _from, problem = self.company.system_mail_send_test(self.ben.email)
                self.assertFalse(problem)
                [copy] = self.system.accepted[self._seen :]
                self.assertEqual(copy.message.get_content_type(), "text/plain", "it is no markup")
                self.assertIn(name.split("\r\n")[0], copy.message.get_content())
                tried("names of companies", ARRIVED)

    # --- one case

    @contextlib.contextmanager
    def _case(self, what, title):
        with self.subTest(what, title=title), self.env.cr.savepoint() as savepoint:
            self._seen = len(self.system.accepted)
            self.env["system.mail.health"].search([]).unlink()
            try:
                yield
            finally:
                savepoint.rollback()

    def _judge(self, what, message, mail=None):
        copies = self.system.accepted[self._seen :]
        if copies:
            readers = [reader for copy in copies for reader in copy.rcpt_to]
            self.assertEqual(len(readers), len({*readers}), "nobody gets it twice")
            self.assertLessEqual({*readers}, {*email_normalize_all(self.ben.partner_id.email)})
            for copy in copies:
                self._assert_one_message(copy, message)
            tried(what, ARRIVED)
            return
        notifications, mails = message.notification_ids, mail or message.mail_ids
        reasons = [*notifications.mapped("failure_reason"), *mails.mapped("failure_reason")]
        self.assertTrue(any(reasons), "nothing arrived, and nobody knows why")
        self.assertLessEqual({*notifications.mapped("notification_status")}, {"exception"})
        self.assertNotIn("Traceback", str(reasons))
        tried(what, REFUSED)

    def _assert_one_message(self, copy, message):
        head = copy.content.replace(b"\r\n", b"\n").partition(b"\n\n")[0].decode("latin-1")
        names = [line.partition(":")[0] for line in head.split("\n") if line[:1] not in " \t"]
        counts = collections.Counter(name.title() for name in names)
        self.assertFalse([name for name in ONCE if counts[name.title()] > 1])
        self.assertFalse({"Bcc", "X-Evil", "Sender"} & counts.keys())
        parsed = copy.message
        self.assertEqual([address.addr_spec for address in parsed["From"].addresses], [HELLO])
        self.assertEqual(parsed["Message-Id"], message.message_id)
        self.assertEqual(copy.mail_from, HELLO)
        self.assertLessEqual(len(parsed["Reply-To"].addresses) if parsed["Reply-To"] else 0, 1)


@tagged("post_install", "-at_install")
class TestMany(SystemMailCase):
    """One mail to thousands, with the author's mailbox down: all are accounted for."""

    COUNT = 2_000

    def setUp(self):
        super().setUp()
        self.own.fail("auth", reply="535 5.7.8 Rejected")
        self.company.system_mail_scope = "all"

    def send(self, addresses):
        """What became of each address: how often it arrived, and the state of its mail."""
        mail = self.mail(recipient_ids=False, email_to=", ".join(addresses))
        message = mail.mail_message_id
        mail.send()
        arrived = collections.Counter(a for copy in self.system.accepted for a in copy.rcpt_to)
        states = {}
        for part in self.env["mail.mail"].search([("mail_message_id", "=", message.id)]):
            for address in email_normalize_all(part.email_to):
                self.assertNotIn(address, states)
                states[address] = part.state
        self.assertEqual(states.keys(), {*addresses})
        outcomes = {"sent": ARRIVED, "outgoing": WAITS, "exception": REFUSED}
        for state in states.values():
            tried("recipients of one mail to thousands", outcomes[state])
        return arrived, states

    def addresses(self, count):
        return [f"reader{number}@elsewhere.test" for number in range(count)]

    def test_thousands_of_recipients(self):
        addresses = self.addresses(self.COUNT)
        refused, busy = addresses[50::200], addresses[99::200]
        for address in refused:
            self.system.fail("rcpt", reply="550 5.1.1 No such user", recipient=address)
        for address in busy:
            self.system.fail("rcpt", reply="450 4.2.1 Busy", recipient=address)
        tracemalloc.start()
        arrived, states = self.send(addresses)
        _size, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        self.assertLess(peak, 100_000_000)
        expected = {"exception": {*refused}, "outgoing": {*busy}}
        for state, those in expected.items():
            self.assertEqual({a for a in addresses if states[a] == state}, those)
        self.assertEqual(arrived, {a: 1 for a in addresses if states[a] == "sent"})
        self.assertEqual(len(arrived), self.COUNT - len(refused) - len(busy))

    def test_a_server_that_takes_so_many_a_message(self):
        for nth in range(101, 301):
            self.system.fail("rcpt", reply="452 4.5.3 Too many recipients", nth=nth)
        addresses = self.addresses(300)
        arrived, states = self.send(addresses)
        self.assertEqual(arrived, dict.fromkeys(addresses, 1))
        self.assertEqual({*states.values()}, {"sent"})
        self.assertEqual(len(self.system.accepted), 3)

    def test_nobody_is_lost_where_system_mail_is_down_too(self):
        self.system.fail("banner", reply="421 4.3.2 Shutting down")
        arrived, states = self.send(self.addresses(self.COUNT))
        self.assertFalse(arrived)
        self.assertEqual({*states.values()}, {"outgoing"})


@tagged("post_install", "-at_install")
class TestCompromisedAuthor(SystemMailCase):
    """Somebody sends in Ana's name without end."""

    MOST, COUNT = 20, 120

    def setUp(self):
        super().setUp()
        self.own.fail("auth", reply="535 5.7.8 Rejected")
        self.company.system_mail_limit_user_hour = self.MOST
        self.dora = self._user("Dora Author", "dora@company.test")

    def mails(self, count, **values):
        return self.env["mail.mail"].union(*(self.mail(**values) for _ in range(count)))

    def carried(self, author):
        name = author.name
        return [
            copy.message["Message-Id"]
            for copy in self.system.accepted
            if copy.message["From"].addresses[0].display_name == name
        ]

    def test_no_more_than_the_limit_leaves_and_nobody_else_waits(self):
        begun = self.mention()  # from now on her mailbox is known to be down
        first, theirs = self.mails(self.COUNT // 2), self.mails(self.MOST, author=self.dora)
        rest = self.mails(self.COUNT - self.COUNT // 2)
        ours = first | rest
        (first | theirs | rest).send()
        sent = [begun.message_id, *ours.mapped("message_id")]
        self.assertEqual(self.carried(self.ana), sent[: self.MOST])
        self.assertEqual(self.carried(self.dora), theirs.mapped("message_id"))
        waiting = ours[self.MOST - 1 :]
        tried("messages of a compromised author", ARRIVED, self.MOST)
        tried("messages of a compromised author", WAITS, len(waiting))
        self.assertEqual({*waiting.mapped("state")}, {"outgoing"})
        self.assertTrue(all(waiting.mapped("scheduled_date")))
        self.assertFalse(any(waiting.mapped("system_mail_attempts")))
        self._assert_told_once(len(waiting))
        self.mention(author=self.dora)
        self.assertEqual(len(self.carried(self.dora)), self.MOST, "her own limit is reached too")
        self._let_an_hour_pass()
        self.run_queue(waiting)
        self.assertEqual(self.carried(self.ana), sent[: 2 * self.MOST])

    def test_the_limit_is_of_who_writes_whomever_they_name(self):
        for number in range(self.MOST + 5):
            name = f"Boss {number}"
            boss = self.env["res.partner"].create({"name": name, "email": "boss@company.test"})
            named = (
                {"author_id": boss.id} if number % 2 else {"email_from": f"{name} <b@else.test>"}
            )
            self.mention(**named)
        self.assertEqual(len(self.system.accepted), self.MOST)
        tried("messages in other people's names", ARRIVED, self.MOST)
        tried("messages in other people's names", WAITS, 5)
        self.assertEqual(self.events("deferred").user_id, self.ana, "Activity tells who it is")

    def test_what_odoo_writes_for_somebody_counts_as_theirs(self):
        root = self.env.ref("base.user_root")
        for number in range(2 * self.MOST + 10):
            self.mention(author=root, author_id=(self.ana, self.dora)[number % 2].partner_id.id)
        for author in (self.ana, self.dora):
            self.assertEqual(len(self.carried(author)), self.MOST)

    def test_nobody_else_is_reached_by_a_header(self):
        """Where a recipient has no valid address, Odoo sends to those of the mail's own headers."""
        nobody = self.env["res.partner"].create({"name": "Nobody", "email": "none"})
        recipients = [(6, 0, (self.ben.partner_id + nobody).ids)]
        others = (EVE, f"Eve <{EVE}>", ENCODED_EVE)
        broken = ('eve @ elsewhere.test eve @ "x" .', "eve @ elsewhere.test\teve @ elsewhere.test@")
        written = (*others, *broken, *(f'"{other}" <ben@company.test>' for other in others))
        for name, value in itertools.product(("Bcc", "bcC", "Cc", "To"), written):
            for more in ({"recipient_ids": recipients}, {"email_to": "none"}):
                mail = self.mail(headers=repr({name: value}), **more)
                mail.send()
                with self.subTest(name, value=value, more=more):
                    self.assertFalse(self.received(EVE))
                    tried("headers that name others", REFUSED)

    def test_nobody_else_is_reached_by_a_contact_whose_name_is_an_address(self):
        nobody = self.env["res.partner"].create({"name": ENCODED_EVE, "email": "none"})
        mail = self.mail(recipient_ids=[(6, 0, (self.ben.partner_id + nobody).ids)])
        mail.send()
        self.assertFalse(self.received(EVE))
        tried("headers that name others", REFUSED)

    def test_a_header_whose_name_is_no_name_is_left_out(self):
        for name in ("X\n", "X: y\nFrom", "X Y", "X:", "", "Ü", "X\r\n\r\nAnother body\r\nZ"):
            with self.subTest(name):
                mail = self.mail(headers=repr({name: "eve@elsewhere.test", "X-Kept": "1"}))
                mail.send()
                *_before, delivery = self.received("ben@company.test")
                self.assertEqual(delivery.message["X-Kept"], "1")
                self.assertNotIn(b"eve@elsewhere.test", delivery.content)
                tried("names of headers", REFUSED)

    def _assert_told_once(self, count):
        channel = self.env.ref("system_mail.channel_alerts")
        for _ in range(2):
            self.env["system.mail.alert"]._tell_limits()
        told = [m.body for m in channel.message_ids if "reached one of its limits" in m.body]
        self.assertEqual(len(told), 1)
        self.assertIn(f"{count} messages", told[0])

    def _let_an_hour_pass(self):
        for usage in self.env["system.mail.usage"].search([]):
            usage.minute -= datetime.timedelta(hours=1)
        self.env.flush_all()
