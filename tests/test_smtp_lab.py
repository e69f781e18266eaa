"""The SMTP lab does what it is told, seen by real smtplib clients. No Odoo here."""

import base64
import contextlib
import gc
import pickle
import smtplib
import socket
import ssl
import threading
import time
import unittest
import warnings

from .smtp_lab import PHASES, SmtpLab
from .smtp_lab.certificates import KINDS

ANA, BOB, EVE = "ana@corp.test", "bob@x.test", "eve@x.test"
MAIL = b"From: ana@corp.test\r\nSubject: Hi\r\n\r\n.dotted\r\n"
SENT = MAIL.replace(b"\n.", b"\n..") + b".\r\n"
PLAIN = base64.b64encode(f"\0{ANA}\0secret".encode()).decode()
TIMEOUT = 10
SHORT = 0.2
GONE = (smtplib.SMTPServerDisconnected, ConnectionError, ssl.SSLError, TimeoutError)


def dialogue(server, context, timeout=TIMEOUT):
    """Say all there is to say; return where it ended, with the code or the exception."""

    def dot():
        client.send(SENT)
        return client.getreply()

    client = smtplib.SMTP(timeout=timeout, local_hostname="client.test")
    client._host = server.host  # the name for TLS, which only the constructor's connect sets
    steps = {
        "banner": lambda: client.connect(server.host, server.port),
        "ehlo": client.ehlo,
        "starttls": lambda: client.starttls(context=context),
        "ehlo again": client.ehlo,
        "auth": lambda: client.docmd("AUTH", f"PLAIN {PLAIN}"),
        "noop": client.noop,
        "mail": lambda: client.mail(ANA),
        "rcpt": lambda: client.rcpt(BOB),
        "data": lambda: client.docmd("DATA"),
        "dot": dot,
        "rset": client.rset,
        "quit": lambda: client.docmd("QUIT"),
    }
    try:
        for step, say in steps.items():
            try:
                code, _text = say()
            except (*GONE, smtplib.SMTPResponseException) as error:
                return step, error
            if code >= 400:
                return step, code
        return "end", code
    finally:
        client.close()


def start_data(client):
    client.ehlo()
    client.mail(ANA)
    client.rcpt(BOB)
    client.docmd("DATA")


class LabCase(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.lab = SmtpLab()
        cls.addClassCleanup(cls.lab.close)
        cls.context = ssl.create_default_context(cafile=cls.lab.cafile)

    def client(self, server, factory=smtplib.SMTP, **options):
        client = factory(server.host, server.port, timeout=TIMEOUT, **options)
        self.addCleanup(client.close)
        return client

    def send(self, server, *recipients, mail_from=ANA):
        with smtplib.SMTP(server.host, server.port, timeout=TIMEOUT) as client:
            return client.sendmail(mail_from, recipients or (BOB,), MAIL)


class TestFaultAtEachPhase(LabCase):
    """A starttls server meets each action at each phase, then heals."""

    #: Where the client notices what happened at phases that have no reply of their own.
    NOTICED = {"connect": "banner", "tls": "starttls", "body": "dot"}

    def check(self, phase, timeout=TIMEOUT, code=None, **fault):
        server = self.lab.server(logins={ANA: "secret"}, encryption="starttls")
        with self.subTest(phase=phase, **fault):
            scripted = server.fail(phase, times=1, **fault)
            step, end = dialogue(server, self.context, timeout)
            self.assertEqual(step, self.NOTICED.get(phase, phase))
            if code:
                self.assertEqual(getattr(end, "smtp_code", end), code)
            else:
                self.assertIsInstance(end, GONE)
            self.assertEqual(scripted.struck, 1)
            self.assertEqual(len(server.accepted), phase in ("rset", "quit"))
            server.wait(lambda s: not s.connections[0].open)
            server.heal()
            self.assertEqual(dialogue(server, self.context), ("end", 221))
            self.assertEqual(server.accepted[-1].content, MAIL)

    def test_drop(self):
        for phase in PHASES:
            self.check(phase, action="drop")

    def test_reset(self):
        for phase in PHASES:
            self.check(phase, action="reset")

    def test_hang_until_the_client_leaves(self):
        for phase in PHASES:
            self.check(phase, action="hang", timeout=SHORT)

    def test_drip_never_makes_a_line(self):
        for phase in PHASES:
            if phase not in ("connect", "tls"):
                # smtplib gives up on a line of 8192 bytes, as its own code 500.
                self.check(phase, action="drip", interval=0, code=500)

    def test_reply(self):
        for phase in PHASES:
            if phase not in ("connect", "tls", "body"):
                self.check(phase, reply="450-4.3.0 Not\n450 4.3.0 now", code=450)

    def test_421_closes_the_connection(self):
        for phase in PHASES:
            if phase not in ("connect", "tls"):
                self.check(phase, reply="421 4.3.2 Closing", code=421)

    def test_a_slow_server_does_it_in_the_end(self):
        successes = {"mail": "250 OK", "rcpt": "250 OK", "data": "354 Go on", "dot": "250 OK"}
        for phase, reply in successes.items():
            with self.subTest(phase=phase):
                server = self.lab.server()
                server.fail(phase, reply, delay=SHORT)
                begin = time.monotonic()
                self.send(server)
                self.assertGreater(time.monotonic() - begin, SHORT)
                self.assertEqual(len(server.accepted), 1)

    def test_implicit_tls_fails_before_the_handshake(self):
        for phase in ("connect", "tls"):
            for action in ("drop", "reset", "hang"):
                with self.subTest(phase=phase, action=action):
                    server = self.lab.server(encryption="ssl")
                    server.fail(phase, action=action)
                    with self.assertRaises(GONE):
                        smtplib.SMTP_SSL(server.host, server.port, timeout=SHORT)
                    server.wait(lambda s: not s.connections[0].open)

    def test_nonsense_is_refused(self):
        server = self.lab.server()
        for phase, fault in (
            ("lunch", {"action": "drop"}),
            ("mail", {"action": "explode"}),
            ("mail", {}),
            ("mail", {"reply": "451 no", "action": "hang"}),
            ("connect", {"reply": "554 no"}),
            ("tls", {"action": "drip"}),
            ("body", {"reply": "451 no"}),
            ("mail", {"action": "drop", "accept": True}),
        ):
            with self.subTest(phase=phase, **fault), self.assertRaises(ValueError):
                server.fail(phase, **fault)


class TestWhenAFaultStrikes(LabCase):
    def test_for_one_recipient(self):
        server = self.lab.server()
        server.fail("rcpt", "550 5.1.1 no such user", recipient=BOB)
        self.assertEqual(self.send(server, EVE, BOB), {BOB: (550, b"5.1.1 no such user")})
        self.assertEqual(server.accepted[0].rcpt_to, (EVE,))

    def test_for_the_nth_recipient_of_each_transaction(self):
        server = self.lab.server()
        server.fail("rcpt", "452 4.5.3 Too many recipients", nth=2)
        with self.client(server) as client:
            for _ in range(2):
                self.assertEqual(list(client.sendmail(ANA, [EVE, BOB], MAIL)), [BOB])

    def test_after_some_messages_of_the_connection(self):
        server = self.lab.server()
        server.fail("mail", "421 4.7.0 Too many messages", after=2)
        with self.client(server) as client:
            client.sendmail(ANA, [BOB], MAIL)
            client.sendmail(ANA, [BOB], MAIL)
            with self.assertRaises(smtplib.SMTPSenderRefused):
                client.sendmail(ANA, [BOB], MAIL)
        self.send(server)
        self.assertEqual(len(server.accepted), 3)

    def test_some_times_only_and_in_the_order_they_were_set(self):
        server = self.lab.server()
        server.fail("mail", "451 4.3.0 first", times=1)
        second = server.fail("mail", "452 4.3.1 second")
        for code in (451, 452, 452):
            with self.assertRaises(smtplib.SMTPSenderRefused) as caught:
                self.send(server)
            self.assertEqual(caught.exception.smtp_code, code)
        self.assertEqual(second.struck, 2)
        server.heal(second)
        self.send(server)

    def test_for_one_login(self):
        server = self.lab.server(logins={ANA: "a", BOB: "b"})
        server.fail("auth", "454 4.7.0 Temporary authentication failure", login=BOB)
        server.fail("mail", "451 4.3.0 Not you", login=ANA)
        with self.client(server) as client:
            with self.assertRaises(smtplib.SMTPAuthenticationError):
                client.login(BOB, "b")
            client.login(ANA, "a")
            self.assertEqual(client.mail(ANA)[0], 451)

    def test_while_a_connection_is_open(self):
        server = self.lab.server()
        with self.client(server) as client:
            client.sendmail(ANA, [BOB], MAIL)
            server.fail("data", "451 4.3.0 Not now", times=1)
            with self.assertRaises(smtplib.SMTPDataError):
                client.sendmail(ANA, [BOB], MAIL)
            client.rset()  # which smtplib forgets after a refused DATA
            client.sendmail(ANA, [BOB], MAIL)
        self.assertEqual(len(server.accepted), 2)

    def test_in_the_middle_of_a_body(self):
        server = self.lab.server()
        server.fail("body", action="reset", after_bytes=1000)
        # More than the sockets' buffers hold: the client notices while it writes.
        body = (b"x" * 78 + b"\r\n") * 200_000
        with self.client(server) as client, self.assertRaises(GONE):
            client.sendmail(ANA, [BOB], body)
        self.assertFalse(server.accepted)

    def test_at_the_end_of_a_shorter_body(self):
        server = self.lab.server()
        server.fail("body", action="drop", after_bytes=10**6)
        with self.assertRaises(smtplib.SMTPServerDisconnected):
            self.send(server)


class TestWhatIsAccepted(LabCase):
    def test_a_delivery_tells_its_story(self):
        server = self.lab.server(logins={ANA: "secret"}, encryption="starttls")
        dialogue(server, self.context)
        (delivery,) = server.accepted
        self.assertEqual((delivery.mail_from, delivery.rcpt_to), (ANA, (BOB,)))
        self.assertEqual(delivery.message["Subject"], "Hi")
        self.assertEqual(delivery.content, MAIL)
        self.assertEqual((delivery.login, delivery.tls, delivery.connection), (ANA, True, 1))
        self.assertEqual(pickle.loads(pickle.dumps(delivery)), delivery)

    def test_a_copy_may_exist_after_a_drop_at_the_dot(self):
        for action in ("drop", "reset"):
            for accept in (True, False):
                with self.subTest(action=action, accept=accept):
                    server = self.lab.server()
                    server.fail("dot", action=action, accept=accept)
                    with self.assertRaises(smtplib.SMTPServerDisconnected):
                        self.send(server)
                    self.assertEqual(len(server.accepted), accept)

    def test_a_server_that_hangs_at_the_dot_can_be_waited_for(self):
        server = self.lab.server()
        fault = server.fail("dot", action="hang", accept=True)
        client = self.client(server)
        start_data(client)
        client.send(SENT)
        server.wait(lambda _: fault.struck)
        self.assertEqual(len(server.accepted), 1)

    def test_other_words_for_success(self):
        server = self.lab.server()
        server.fail("rcpt", "252 2.1.5 Cannot verify", recipient=BOB)
        server.fail("dot", "250 2.0.0 Queued as 42")
        with self.client(server) as client:
            client.ehlo()
            client.mail(ANA)
            self.assertEqual(client.rcpt(BOB)[0], 252)
            self.assertEqual(client.data(MAIL), (250, b"2.0.0 Queued as 42"))
        self.assertEqual(server.accepted[0].rcpt_to, (BOB,))

    def test_refused_recipients_and_an_empty_sender(self):
        server = self.lab.server()
        self.send(server, mail_from="")
        self.assertEqual(server.accepted[0].mail_from, "")
        server.fail("rcpt", "550 5.1.1 no")
        with self.assertRaises(smtplib.SMTPRecipientsRefused):
            self.send(server)
        self.assertEqual(len(server.accepted), 1)

    def test_addresses_beyond_ascii(self):
        server = self.lab.server()
        with self.client(server) as client:
            client.sendmail(ANA, ["zoë@bücher.test"], MAIL, mail_options=["SMTPUTF8"])
        self.assertEqual(server.accepted[0].rcpt_to, ("zoë@bücher.test",))
        server = self.lab.server(smtputf8=False)
        with self.client(server) as client:
            client.ehlo()
            self.assertFalse(client.has_extn("smtputf8"))

    def test_an_inbox_gets_each_message_before_the_client_knows(self):
        inbox = []
        server = self.lab.server(deliver=inbox.append)
        self.send(server)
        self.assertEqual(inbox, server.accepted)

    def test_a_failing_inbox_means_not_accepted(self):
        def deliver(delivery):
            raise LookupError(delivery.mail_from)

        server = self.lab.server(deliver=deliver)
        lab_logger = SmtpLab.__module__.removesuffix(".lab")
        with (
            self.assertLogs(lab_logger, "ERROR"),
            self.assertRaises(smtplib.SMTPDataError) as caught,
        ):
            self.send(server)
        self.assertEqual(caught.exception.smtp_code, 451)
        self.assertFalse(server.accepted)

    def test_a_sink_only_counts(self):
        server = self.lab.server(keep=False)
        self.send(server)
        self.assertEqual((server.accepted_count, server.accepted, server.commands), (1, [], [[]]))

    def test_two_servers_side_by_side(self):
        broken, backup = self.lab.server("broken"), self.lab.server("backup")
        broken.fail("mail", "451 4.3.0 no")
        with self.assertRaises(smtplib.SMTPSenderRefused):
            self.send(broken)
        self.send(backup)
        self.assertEqual((len(broken.accepted), len(backup.accepted)), (0, 1))


class TestRulesOfAServer(LabCase):
    def test_login_by_plain_and_by_login(self):
        server = self.lab.server(logins={ANA: "secret"})
        for mechanism in ("PLAIN", "LOGIN"):
            with self.subTest(mechanism=mechanism), self.client(server) as client:
                client.ehlo()
                client.user, client.password = ANA, "wrong"
                method = getattr(client, f"auth_{mechanism.lower()}")
                with self.assertRaises(smtplib.SMTPAuthenticationError) as caught:
                    client.auth(mechanism, method)
                self.assertEqual(caught.exception.smtp_code, 535)
                client.password = "secret"
                self.assertEqual(client.auth(mechanism, method)[0], 235)
        self.assertEqual(
            [(a.mechanism, a.login, a.success) for a in server.attempts],
            [
                ("PLAIN", ANA, False),
                ("PLAIN", ANA, True),
                ("LOGIN", ANA, False),
                ("LOGIN", ANA, True),
            ],
        )
        self.assertNotIn("secret", str(server.commands))
        self.assertNotIn(base64.b64encode(b"secret").decode(), str(server.commands))
        self.assertIn("AUTH PLAIN", server.commands[0])

    def test_mail_needs_a_login(self):
        server = self.lab.server(logins={ANA: "secret"})
        with self.assertRaises(smtplib.SMTPSenderRefused) as caught:
            self.send(server)
        self.assertEqual(caught.exception.smtp_code, 530)

    def test_a_password_may_change(self):
        server = self.lab.server(logins={ANA: "old"})
        server.logins[ANA] = "new"
        with self.client(server) as client:
            with self.assertRaises(smtplib.SMTPAuthenticationError):
                client.login(ANA, "old")
            client.login(ANA, "new")

    def test_no_login_offered(self):
        server = self.lab.server(logins={ANA: "secret"}, offer_auth=False)
        with self.client(server) as client, self.assertRaises(smtplib.SMTPNotSupportedError):
            client.login(ANA, "secret")

    def test_no_encryption_offered(self):
        server = self.lab.server()
        with self.client(server) as client, self.assertRaises(smtplib.SMTPNotSupportedError):
            client.starttls(context=self.context)

    def test_encryption_required(self):
        server = self.lab.server(logins={ANA: "x"}, encryption="starttls", require_tls=True)
        with self.client(server) as client:
            client.ehlo()
            self.assertFalse(client.has_extn("auth"))
            self.assertEqual(client.mail(ANA)[0], 530)
            client.starttls(context=self.context)
            client.login(ANA, "x")

    def test_a_sender_that_is_not_allowed(self):
        server = self.lab.server(allowed_senders={ANA})
        self.send(server)
        with self.assertRaises(smtplib.SMTPSenderRefused) as caught:
            self.send(server, mail_from=EVE)
        self.assertIn(b"5.7.60", caught.exception.smtp_error)

    def test_too_big_by_announcement_and_by_body(self):
        server = self.lab.server(size_limit=20)
        with self.assertRaises(smtplib.SMTPSenderRefused) as caught:
            self.send(server)
        self.assertEqual(caught.exception.smtp_code, 552)
        with self.client(server) as client:
            client.helo()
            with self.assertRaises(smtplib.SMTPDataError) as caught:
                client.sendmail(ANA, [BOB], MAIL)
            self.assertEqual(caught.exception.smtp_code, 552)

    def test_late_replies(self):
        server = self.lab.server(latency=SHORT)
        with self.assertRaises(GONE):
            smtplib.SMTP(server.host, server.port, timeout=SHORT / 10)
        server.latency = 0
        self.send(server)


class TestPipelining(LabCase):
    """RFC 2920, and clients that don't keep to it."""

    ENVELOPE = b"MAIL FROM:<ana@corp.test>\r\nRCPT TO:<bob@x.test>\r\nDATA\r\n"

    def answers(self, said, **options):
        """What the server answers to all that is said at once, until it is silent."""
        with self.client(self.lab.server(**options)) as client:
            client.ehlo()
            client.sock.settimeout(SHORT)
            client.send(said)
            codes = []
            with contextlib.suppress(*GONE):
                while True:
                    codes.append(client.getreply()[0])
            return codes

    def test_sender_recipient_and_data_in_one_go(self):
        self.assertEqual(self.answers(self.ENVELOPE), [250, 250, 354])

    def test_it_is_offered(self):
        for offered in (True, False):
            with self.client(self.lab.server(pipelining=offered)) as client:
                client.ehlo()
                self.assertEqual(client.has_extn("pipelining"), offered)

    def test_who_was_not_offered_it_has_to_go(self):
        self.assertEqual(self.answers(self.ENVELOPE, pipelining=False), [554])

    def test_who_does_not_wait_for_the_go_ahead_has_to_go(self):
        self.assertEqual(self.answers(self.ENVELOPE + SENT), [250, 250, 554])

    def test_servers_that_break_it(self):
        self.assertEqual(self.answers(self.ENVELOPE, pipelining="closes"), [250])
        self.assertEqual(self.answers(self.ENVELOPE, pipelining="forgets"), [250])
        for broken in ("closes", "forgets"):
            self.send(self.lab.server(pipelining=broken))


class TestXoauth2(LabCase):
    TOKEN = "t" * 3000  # Microsoft's are that long

    def setUp(self):
        super().setUp()
        self.server = self.lab.server(tokens={ANA: self.TOKEN})

    def offer(self, client, token):
        """As Odoo's google_gmail and microsoft_outlook do."""
        blob = base64.b64encode(f"user={ANA}\1auth=Bearer {token}\1\1".encode()).decode()
        client.ehlo()
        return client.docmd("AUTH", f"XOAUTH2 {blob}")

    def test_a_good_token(self):
        with self.client(self.server) as client:
            self.assertEqual(self.offer(client, self.TOKEN)[0], 235)
            client.sendmail(ANA, [BOB], MAIL)
        self.assertEqual(self.server.accepted[0].login, ANA)
        self.assertNotIn("ttt", str(self.server.commands))

    def test_a_good_token_after_a_challenge(self):
        blob = base64.b64encode(f"user={ANA}\1auth=Bearer {self.TOKEN}\1\1".encode()).decode()
        with self.client(self.server) as client:
            client.ehlo()
            self.assertEqual(client.docmd("AUTH", "XOAUTH2"), (334, b""))
            self.assertEqual(client.docmd(blob)[0], 235)

    def test_a_bad_token_is_explained_and_then_refused(self):
        with self.client(self.server) as client:
            code, text = self.offer(client, "stale")
            self.assertEqual((code, b'"status": "400"' in base64.b64decode(text)), (334, True))
            self.assertEqual(client.docmd("")[0], 535)
        self.assertEqual(self.server.attempts, [("XOAUTH2", ANA, False, 1)])

    def test_a_token_of_other_mailboxes_is_refused_as_by_exchange(self):
        self.server.tokens = {BOB: self.TOKEN}
        with self.client(self.server) as client:
            code, text = self.offer(client, self.TOKEN)
        self.assertEqual((code, text[:34]), (535, b"5.7.3 Authentication unsuccessful "))
        self.assertEqual(self.server.attempts, [("XOAUTH2", ANA, False, 1)])

    def test_a_client_that_reads_on_sees_the_refusal_at_mail(self):
        with self.client(self.server) as client:
            self.offer(client, "stale")
            self.assertEqual(client.mail(ANA)[0], 535)

    def test_a_refusal_without_explanation(self):
        self.server.fail("auth", "535 5.7.3 Authentication unsuccessful")
        with self.client(self.server) as client:
            self.assertEqual(self.offer(client, self.TOKEN)[0], 535)

    def test_rubbish(self):
        with self.client(self.server) as client:
            client.ehlo()
            self.assertEqual(client.docmd("AUTH", "XOAUTH2 %%%")[0], 501)
            self.assertEqual(client.docmd("AUTH", "XOAUTH2 aGk=")[0], 501)


class TestEncryption(LabCase):
    def test_implicit_tls(self):
        server = self.lab.server(logins={ANA: "secret"}, encryption="ssl")
        with self.client(server, smtplib.SMTP_SSL, context=self.context) as client:
            client.login(ANA, "secret")
            client.sendmail(ANA, [BOB], MAIL)
        self.assertTrue(server.accepted[0].tls)

    def test_a_bad_certificate_is_noticed(self):
        for kind in KINDS[1:]:
            with self.subTest(kind=kind):
                server = self.lab.server(encryption="starttls", certificate=kind)
                client = self.client(server)
                with self.assertRaises(ssl.SSLCertVerificationError):
                    client.starttls(context=self.context)
                server.encryption = "ssl"
                with self.assertRaises(ssl.SSLCertVerificationError):
                    smtplib.SMTP_SSL(server.host, server.port, context=self.context)
                server.certificate = "valid"
                self.client(server, smtplib.SMTP_SSL, context=self.context).quit()

    def test_tls_to_a_plain_server(self):
        server = self.lab.server()
        with self.assertRaises(ssl.SSLError):
            smtplib.SMTP_SSL(server.host, server.port, context=self.context)


class TestTheLab(LabCase):
    def test_a_closed_port_refuses(self):
        with self.assertRaises(ConnectionRefusedError):
            smtplib.SMTP("127.0.0.1", self.lab.closed_port(), timeout=5)

    def test_a_silent_server(self):
        server = self.lab.silent_server()
        with self.assertRaises(GONE):
            smtplib.SMTP(server.host, server.port, timeout=SHORT)

    def test_a_server_dies_and_comes_back(self):
        server = self.lab.server()
        client = self.client(server)
        client.ehlo()
        server.stop()
        with self.assertRaises(smtplib.SMTPServerDisconnected):
            client.noop()
        with self.assertRaises(ConnectionRefusedError):
            self.send(server)
        server.heal()
        self.send(server)

    def test_waiting_in_vain(self):
        with self.assertRaises(TimeoutError):
            self.lab.server().wait(lambda s: s.accepted, timeout=0)

    def test_it_leaves_nothing_behind(self):
        gc.collect()  # the clients whose handshake failed in other tests
        before = set(threading.enumerate())
        clients = []
        with warnings.catch_warnings(record=True) as caught, self.assertNoLogs(level="ERROR"):
            warnings.simplefilter("ignore")
            warnings.simplefilter("always", ResourceWarning)
            with SmtpLab() as lab:
                context = ssl.create_default_context(cafile=lab.cafile)
                for encryption in (None, "starttls", "ssl"):
                    for action in ("hang", "drip"):
                        server = lab.server(encryption=encryption, deliver=id)
                        fault = server.fail("noop", action=action)
                        factory = smtplib.SMTP_SSL if encryption == "ssl" else smtplib.SMTP
                        options = {"context": context} if encryption == "ssl" else {}
                        client = factory(server.host, server.port, **options)
                        clients.append(client)
                        if encryption == "starttls":
                            client.starttls(context=context)
                        client.sendmail(ANA, [BOB], MAIL)
                        client.putcmd("noop")
                        server.wait(lambda _, fault=fault: fault.struck)
                # In mid handshake, in mid body, and a dead server.
                clients.append(socket.create_connection((server.host, server.port)))
                server.wait(lambda s: len(s.connections) == 2)
                stuck = lab.server()
                fault = stuck.fail("body", action="hang")
                clients.append(smtplib.SMTP(stuck.host, stuck.port, timeout=5))
                start_data(clients[-1])
                stuck.wait(lambda _: fault.struck)
                lab.server().stop()
                lab.closed_port()
            lab.close()
            for client in clients:
                client.close()
            del client, clients
            gc.collect()
        self.assertEqual([str(w.message) for w in caught], [])
        self.assertEqual(set(threading.enumerate()) - before, set())
