"""The server's side of one SMTP connection: aiosmtpd's, with faults at every phase."""

import asyncio
import base64
import binascii
import itertools
import json
import logging
import re
import socket
import struct
import time
from collections import defaultdict

from aiosmtpd.smtp import MISSING, SMTP, AuthResult, Session, TLSSetupException

_logger = logging.getLogger(__name__)

#: RFC 4954: the longest AUTH command; OAuth tokens run to some 2,000 octets.
_COMMAND_LIMIT = 12288
_PLAIN_ADDRESS = re.compile(r"<((?:[\w+=-]+\.)*[\w+=-]+@(?:[\w-]+\.)*[\w-]+)>(.*)")
#: RFC 2920 3.1: behind these the client may write further commands before it has read the reply.
_MAY_BE_FOLLOWED = ("RSET", "MAIL", "RCPT")
_LINGER_ZERO = struct.pack("ii", 1, 0)
_GOOGLE_REFUSAL = base64.b64encode(
    json.dumps({"status": "400", "schemes": "Bearer", "scope": "https://mail.google.com/"}).encode()
).decode()
#: To a token that is good for other mailboxes only.
_MICROSOFT_REFUSAL = "535 5.7.3 Authentication unsuccessful [LAB.PROD.OUTLOOK.COM]"

# aiosmtpd tells every command at INFO.
logging.getLogger("mail.log").setLevel(logging.WARNING)


def reset_on_close(sock):
    """Make the next close of the socket a RST."""
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _LINGER_ZERO)


def _recorded(verb):
    """aiosmtpd's own command, noted in the connection's `commands`."""
    inherited = getattr(SMTP, f"smtp_{verb}")

    async def command(self, arg):
        await self._hear(verb, arg)
        await inherited(self, arg)

    return command


class _Session(Session):
    login_data = None  # aiosmtpd's own warns, at each login, that it is deprecated


class FaultySMTP(SMTP):
    """One connection to `server` (a SmtpServer), whose story goes to `connection`.

    It is its own aiosmtpd handler: the `handle_*` hooks are called with the parsed arguments and
    return the reply.
    """

    command_size_limit = _COMMAND_LIMIT
    command_size_limits = defaultdict(lambda: _COMMAND_LIMIT)
    line_length_limit = 2**16

    def __init__(self, server, connection, loop):
        self.server = server
        self.connection = connection
        self._claimed_login = None
        self._rcpt_count = 0
        super().__init__(
            self,
            data_size_limit=None,
            enable_SMTPUTF8=server.smtputf8,
            hostname=f"{server.name}.lab.test",
            ident="ESMTP",
            tls_context=server.tls_context if server.encryption == "starttls" else None,
            require_starttls=server.require_tls,
            auth_require_tls=server.require_tls and server.encryption == "starttls",
            authenticator=self._check_password,
            timeout=3600,
            loop=loop,
        )

    # The connection

    def _create_session(self):
        return _Session(self.loop)

    def connection_made(self, transport):
        self.connection.tls = transport.get_extra_info("sslcontext") is not None
        self.server.opened(self)
        if self.server.nagle:
            sock = transport.get_extra_info("socket")
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 0)
        super().connection_made(transport)

    def connection_lost(self, error):
        super().connection_lost(error)
        self.server.closed(self)

    async def _handle_client(self):
        try:
            if reply := await self._strike("banner"):
                await self.push(reply)
            else:
                await super()._handle_client()
        except ConnectionError:
            _logger.debug("The client left while %s was speaking", self.server.name)
        finally:
            # At the client's end of file asyncio leaves our side open.
            self._writer.close()

    async def handle_exception(self, error):
        if not isinstance(error, TLSSetupException):
            _logger.error("The SMTP lab itself failed", exc_info=error)
        return f"451 4.3.0 The lab failed: {error!r}"

    async def push(self, status):
        # Of a reply in several lines only the last is late.
        if self.server.latency and status[3:4] in (" ", b" "):
            await asyncio.sleep(self.server.latency)
        await super().push(status)

    # Faults

    def _due(self, phase, recipient=None):
        return self.server.pick_fault(
            phase,
            accepted=self.connection.accepted,
            login=self._claimed_login,
            recipient=recipient,
            nth=self._rcpt_count,
        )

    async def _suffer(self, fault):
        """The fault's reply; does not return if the fault leaves nothing more to say."""
        await asyncio.sleep(fault.delay)
        if fault.action == "reply":
            if not fault.closes:
                return fault.reply
            await self.push(fault.reply)
            self.transport.close()
        elif fault.action == "drop":
            self.transport.abort()
        elif fault.action == "reset":
            reset_on_close(self.transport.get_extra_info("socket"))
            self.transport.abort()
        elif fault.action == "drip":
            for byte in itertools.cycle(b"250-"):
                self._writer.write(bytes((byte,)))
                await asyncio.sleep(fault.interval)
        return await self._hang_up()

    async def _hang_up(self, close=lambda: None):
        """Say no more: the end of the connection, which the client may bring, cancels us."""
        close()
        return await self.loop.create_future()

    async def _strike(self, phase):
        if fault := self._due(phase):
            return await self._suffer(fault)
        return None

    async def _hear(self, verb, arg):
        """Note the command. See to it that the client speaks in turn."""
        if verb == "AUTH":
            arg = (arg or "").partition(" ")[0]
        self.server.heard(self.connection, f"{verb} {arg}" if arg else verb)
        offered = self.server.pipelining
        if not self._reader._buffer:
            return
        if offered == "forgets":
            self._reader._buffer.clear()
        elif not (offered and verb in _MAY_BE_FOLLOWED):
            await self.push("554 SMTP synchronization error")  # as Exim
            await self._hang_up(self.transport.close)
        elif offered == "closes" and verb == "RCPT":
            await self._hang_up(self.transport.abort)

    # Greeting and encryption

    smtp_EHLO = _recorded("EHLO")
    smtp_HELO = _recorded("HELO")

    async def handle_EHLO(self, _server, session, _envelope, hostname, responses):
        if reply := await self._strike("ehlo"):
            return [reply]
        session.host_name = self.connection.client = hostname
        features = [line for line in responses[:-1] if not line.startswith("250-AUTH")]
        if self.server.size_limit:
            features.append(f"250-SIZE {self.server.size_limit}")
        if self.server.pipelining:
            features.append("250-PIPELINING")
        if self.server.mechanisms and any(line.startswith("250-AUTH") for line in responses):
            features.append(f"250-AUTH {' '.join(self.server.mechanisms)}")
        return [*features, "250 ENHANCEDSTATUSCODES"]

    async def handle_HELO(self, _server, session, _envelope, hostname):
        if reply := await self._strike("ehlo"):
            return reply
        session.host_name = self.connection.client = hostname
        return f"250 {self.hostname}"

    async def smtp_STARTTLS(self, arg):
        await self._hear("STARTTLS", arg)
        if reply := await self._strike("starttls"):
            await self.push(reply)
        elif fault := self._due("tls"):
            await self.push("220 2.0.0 Ready to start TLS")
            await self._suffer(fault)
        else:
            await super().smtp_STARTTLS(arg)

    # Authentication

    smtp_AUTH = _recorded("AUTH")

    async def check_auth_needed(self, caller_method):
        if self.server.require_auth and not self.session.authenticated:
            await self.push("530 5.7.0 Authentication required")
            return True
        return False

    def _check_password(self, _server, _session, _envelope, _mechanism, auth_data):
        self._claimed_login = auth_data.login.decode(errors="replace")
        password = self.server.logins.get(self._claimed_login)
        success = password is not None and auth_data.password == password.encode()
        return AuthResult(success=success, handled=False)

    async def auth_PLAIN(self, _server, args):
        return await self._judge("PLAIN", await super().auth_PLAIN(_server, args))

    async def auth_LOGIN(self, _server, args):
        return await self._judge("LOGIN", await super().auth_LOGIN(_server, args))

    async def auth_XOAUTH2(self, _server, args):
        # https://developers.google.com/workspace/gmail/imap/xoauth2-protocol
        encoded = args[1].encode() if len(args) > 1 else None
        try:
            blob = base64.b64decode(encoded) if encoded else await self.challenge_auth("")
        except binascii.Error:
            blob = b""
        if blob is MISSING:
            return AuthResult(success=False)
        match = re.fullmatch(rb"user=([^\x01]+)\x01auth=Bearer ([^\x01]+)\x01\x01", blob)
        if not match:
            return AuthResult(success=False, handled=False, message="501 5.5.2 Cannot decode")
        self._claimed_login, token = (part.decode(errors="replace") for part in match.groups())
        success = self.server.tokens.get(self._claimed_login) == token
        foreign = not success and token in self.server.tokens.values()
        refusal = _MICROSOFT_REFUSAL if foreign else None
        result = AuthResult(success=success, handled=False, message=refusal)
        return await self._judge("XOAUTH2", result)

    async def _judge(self, mechanism, result):
        """What becomes of a login whose credentials were read (or are unreadable: `handled`)."""
        if result.handled and not result.success:
            return result
        fault = self._due("auth")
        success = fault.keeps if fault else result.success
        self.server.attempted(self.connection, mechanism, self._claimed_login, success)
        if fault:
            return AuthResult(success=success, handled=False, message=await self._suffer(fault))
        if result.message:
            return AuthResult(success=False, handled=False, message=result.message)
        if not success and mechanism == "XOAUTH2":
            await self.push(f"334 {_GOOGLE_REFUSAL}")
            # Any line is the answer, also the MAIL of a client that did not read the 334.
            await self._reader.readline()
        message = None if success else "535 5.7.8 Username and Password not accepted"
        return AuthResult(success=success, handled=False, message=message)

    # The transaction

    smtp_MAIL = _recorded("MAIL")
    smtp_RCPT = _recorded("RCPT")

    def _getaddr(self, arg):
        # The full parser of aiosmtpd takes a third of the time of a whole message.
        match = _PLAIN_ADDRESS.fullmatch(arg)
        return match.groups() if match else super()._getaddr(arg)

    async def handle_MAIL(self, _server, _session, envelope, address, options):
        self._rcpt_count = 0
        address = "" if address == "<>" else address
        fault = self._due("mail")
        if fault and not fault.keeps:
            return await self._suffer(fault)
        if not self.server.may_send_as(address):
            return "550 5.7.60 Client does not have permissions to send as this sender"
        if self._too_big(*(int(o[5:]) for o in options if o.startswith("SIZE="))):
            return "552 5.3.4 Message size exceeds fixed limit"
        # aiosmtpd takes an empty sender for a MAIL that is still missing.
        envelope.mail_from = address or "<>"
        envelope.mail_options.extend(options)
        return await self._suffer(fault) if fault else "250 2.1.0 OK"

    async def handle_RCPT(self, _server, _session, envelope, address, options):
        self._rcpt_count += 1
        fault = self._due("rcpt", address)
        if fault and not fault.keeps:
            return await self._suffer(fault)
        envelope.rcpt_tos.append(address)
        envelope.rcpt_options.extend(options)
        return await self._suffer(fault) if fault else "250 2.1.5 OK"

    async def smtp_DATA(self, arg):
        await self._hear("DATA", arg)
        reply = await self._strike("data")
        if reply and not reply.startswith("354"):
            await self.push(reply)
        elif fault := self._due("body"):
            await self.push("354 End data with <CR><LF>.<CR><LF>")
            await self._read_body(fault.after_bytes)
            await self._suffer(fault)
        else:
            await super().smtp_DATA(arg)

    async def _read_body(self, size):
        """Read `size` bytes of the body, or all of it if it is shorter."""
        tail = b""
        while size > 0 and not tail.endswith(b"\r\n.\r\n"):
            chunk = await self._reader.read(min(size, 2**16))
            size -= len(chunk)
            tail = (tail + chunk)[-5:]

    async def handle_DATA(self, _server, _session, envelope):
        if self._too_big(len(envelope.content)):
            return "552 5.3.4 Message size exceeds fixed limit"
        fault = self._due("dot", envelope.rcpt_tos[-1])
        if fault is None or fault.keeps:
            await self.server.accept(
                self.connection,
                mail_from="" if envelope.mail_from == "<>" else envelope.mail_from,
                rcpt_to=tuple(envelope.rcpt_tos),
                content=envelope.content,
                login=self._claimed_login if self.session.authenticated else None,
                tls=self.connection.tls,
                at=time.monotonic(),
            )
        return await self._suffer(fault) if fault else "250 2.0.0 OK, queued"

    def _too_big(self, *sizes):
        return bool(self.server.size_limit) and any(size > self.server.size_limit for size in sizes)

    # The rest

    smtp_RSET = _recorded("RSET")
    smtp_NOOP = _recorded("NOOP")
    smtp_QUIT = _recorded("QUIT")

    async def handle_RSET(self, *_args):
        return await self._strike("rset") or "250 2.0.0 OK"

    async def handle_NOOP(self, *_args):
        return await self._strike("noop") or "250 2.0.0 OK"

    async def handle_QUIT(self, *_args):
        return await self._strike("quit") or "221 2.0.0 Bye"
