"""Postfix: the SMTP server and what it needs to accept a message; delivery only if wanted."""

import os
import subprocess
import time

from .program import PATIENCE, Accepted, Program

MASTER = """\
127.0.0.1:{port} inet n - n - - smtpd
cleanup unix n - n - 0 cleanup
rewrite unix - - n - - trivial-rewrite
anvil unix - - n - 1 anvil
proxymap unix - - n - - proxymap
postlog unix-dgram n - n - 1 postlogd
"""
DELIVERY = """\
qmgr unix n - n 300 1 qmgr
error unix - - n - - error
retry unix - - n - - error
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
"""
QUEUE = (
    *("active", "bounce", "corrupt", "defer", "deferred", "flush", "hold", "incoming"),
    *("maildrop", "pid", "private", "public", "saved", "trace"),
)
LONG_AGO = 1_000_000_000  # seconds: Postfix waits a second for a file that was just written
COMPLETE = 0o100  # the mode by which cleanup marks a message that it answered for


class Postfix(Program):
    """Each message it accepts stays in its queue.

    :param auth: the Dovecot that knows the passwords
    :param unknown: an address at which nothing can be delivered: what it accepts for that bounces
    :param settings: of main.cf, above those below
    """

    name = "Postfix"
    libraries = ("postfix",)

    def __init__(self, unpacked, folder, *, auth, unknown="", **settings):
        super().__init__(unpacked, folder)
        self._daemons = unpacked / "usr" / "lib" / "postfix" / "sbin"
        for name in QUEUE:
            (folder / "queue" / name).mkdir(parents=True)
        (folder / "data").mkdir()
        self.put_world(postfix=901, postdrop=902)
        if unknown:
            settings["transport_maps"] = f"inline:{{ {{{unknown}=error:5.1.1 User unknown}} }}"
            settings["smtpd_reject_unlisted_recipient"] = "no"
            settings["default_transport"] = settings["relay_transport"] = "retry:4.3.0 Later"
        self._write_settings(self._settings(auth) | settings)
        self._write("master.cf", MASTER.format(port=self.port) + (DELIVERY if unknown else ""))

    @property
    def accepted(self) -> list[Accepted]:
        """The messages in its queue, the oldest first."""
        files = (self.folder / "queue" / "incoming").iterdir()
        complete = [(s.st_mtime_ns, f) for f in files if (s := f.stat()).st_mode & COMPLETE]
        return [self._read(file) for _time, file in sorted(complete)]

    def bounce(self) -> Accepted:
        """The bounce, as soon as it is in the queue of what is delivered later."""
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end:
            for file in self.folder.glob("queue/deferred/**/*"):
                if file.is_file() and not (found := self._read(file)).mail_from:
                    return found
            time.sleep(0.05)
        raise RuntimeError(f"There is no bounce:\n{self.log()}")

    def command(self):
        return [self._daemons / "master", "-d"]

    def environment(self):
        wrapped = self.wrapped("users", "root", "dns")
        return super().environment() | wrapped | {"MAIL_CONFIG": str(self.folder / "etc")}

    def _settings(self, auth):
        """What makes it a company's server: whoever logs in may send as himself."""
        return {
            "compatibility_level": "3.6",
            "queue_directory": self.folder / "queue",
            "data_directory": self.folder / "data",
            "daemon_directory": self._daemons,
            "command_directory": self.unpacked / "usr" / "sbin",
            "shlib_directory": self._daemons.parent,
            "meta_directory": self.folder / "etc",
            "maillog_file": self.folder / "log",
            "maillog_file_prefixes": self.folder,
            "import_environment": " ".join(self.environment()),
            "in_flow_delay": "0",  # nothing takes mail out of the queue
            "mail_owner": "postfix",
            "setgid_group": "postdrop",
            "inet_interfaces": self.host,
            "inet_protocols": "ipv4",
            "myhostname": "mx.company.test",
            "mynetworks": "192.0.2.0/24",
            "mydestination": "",
            "alias_maps": "",
            "local_recipient_maps": "",
            "relay_domains": "company.test",
            "smtpd_peername_lookup": "no",
            "smtpd_client_event_limit_exceptions": "",
            "smtpd_sasl_auth_enable": "yes",
            "smtpd_sasl_type": "dovecot",
            "smtpd_sasl_path": auth.socket,
            "smtpd_relay_restrictions": "permit_sasl_authenticated, reject_unauth_destination",
        }

    def _write_settings(self, settings):
        self._write("main.cf", "".join(f"{key} = {value}\n" for key, value in settings.items()))

    def _write(self, name, text):
        os.utime(self.put(f"etc/{name}", text), (LONG_AGO, LONG_AGO))

    def _read(self, file):
        envelope = self._postcat("-e", file).decode().splitlines()
        fields = [line.partition(": ") for line in envelope]
        return Accepted(
            mail_from=next(value for name, _, value in fields if name == "sender"),
            rcpt_to=tuple(value for name, _, value in fields if name == "recipient"),
            content=self._postcat("-bh", file),
        )

    def _postcat(self, *arguments):
        command = [self.unpacked / "usr" / "sbin" / "postcat", *arguments]
        return subprocess.run(
            command, env=self.environment(), stdout=subprocess.PIPE, check=True
        ).stdout
