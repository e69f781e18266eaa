"""A mail server whose mail Odoo fetches."""

import re
import socket
import threading


class ImapServer:
    """It takes one password, for any user, and has one mailbox.

    :param str password: the one that it takes
    """

    def __init__(self, password):
        self.password, self.log_ins = password, 0
        self.mails = []
        """What is in the mailbox, as it came."""
        self.seen = set()
        """The numbers, from 1, of those that were read."""
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        threading.Thread(target=self._serve, daemon=True).start()

    def __enter__(self):
        return self

    def __exit__(self, *exc_info):
        self._listener.close()

    def _serve(self):
        try:
            while True:
                connection, _address = self._listener.accept()
                threading.Thread(target=self._talk, args=[connection], daemon=True).start()
        except OSError:
            return  # it was closed

    def _talk(self, connection):
        with connection, connection.makefile("rwb", buffering=0) as stream:
            stream.write(b"* OK IMAP4rev1 ready\r\n")
            for line in stream:
                tag, command, *arguments = line.split()
                answer = getattr(self, f"_{command.decode().lower()}", lambda *_: b"")(*arguments)
                word = b"NO [AUTHENTICATIONFAILED]" if answer is None else b"OK"
                stream.write((answer or b"") + tag + b" " + word + b" done\r\n")

    def _login(self, _user, password):
        self.log_ins += 1
        return b"" if password.strip(b'"').decode() == self.password else None

    @staticmethod
    def _capability():
        return b"* CAPABILITY IMAP4rev1\r\n"

    @staticmethod
    def _logout():
        return b"* BYE\r\n"

    def _select(self, _mailbox):
        return b"* %d EXISTS\r\n" % len(self.mails)

    def _search(self, *_criteria):
        unseen = sorted({*range(1, len(self.mails) + 1)} - self.seen)
        return b"* SEARCH %s\r\n" % " ".join(map(str, unseen)).encode()

    def _fetch(self, number, _what):
        content = re.sub(b"\r?\n", b"\r\n", self.mails[int(number) - 1].encode())
        return b"* %s FETCH (RFC822 {%d}\r\n%s)\r\n" % (number, len(content), content)

    def _store(self, number, sign, _flag):
        change = self.seen.add if sign.startswith(b"+") else self.seen.discard
        change(int(number))
        return b""
