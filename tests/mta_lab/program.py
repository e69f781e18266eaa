"""A mail server's program: unpacked, in a folder of its own, run by whoever runs the tests."""

import email
import email.message
import email.policy
import os
import random
import signal
import socket
import subprocess
import time
from dataclasses import dataclass, field
from pathlib import Path

HOST = "127.0.0.1"
PATIENCE = 10
"""Seconds in which a program starts or ends."""
_OWN_PORTS = range(20000, 32000)  # below those that the system gives to clients
_LISTENS = "0A"  # in /proc/net/tcp
_WRAPPERS = {
    "users": "libnss_wrapper.so",
    "root": "libuid_wrapper.so",
    "dns": "libresolv_wrapper.so",
}


@dataclass(frozen=True)
class Accepted:
    """One message that a server took responsibility for, as it lies in its queue."""

    mail_from: str
    rcpt_to: tuple[str, ...]
    content: bytes = field(repr=False)

    @property
    def message(self) -> email.message.EmailMessage:
        """The message, parsed anew at each call."""
        return email.message_from_bytes(self.content, policy=email.policy.default)


class Program:
    """A running server. Subclasses say what it is; `start` and `stop` may be called in turn.

    :param unpacked: the folder that holds `usr/` of the servers
    :param folder: of its own, empty
    """

    host = HOST
    name = ""
    libraries = ()
    """Folders of `usr/lib`, beside the machine's own."""

    def __init__(self, unpacked: Path, folder: Path):
        self.unpacked, self.folder = unpacked, folder
        self.port = free_port()
        self._process = None

    def command(self) -> list[str | Path]:
        raise NotImplementedError

    def start(self):
        """Run it, and wait until it listens."""
        with (self.folder / "output").open("ab") as output:
            self._process = subprocess.Popen(
                # whatever becomes of the tests, it ends with them
                ["setpriv", "--pdeathsig", "TERM", "--", *self.command()],
                cwd=self.folder,
                env=self.environment(),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )
        end = time.monotonic() + PATIENCE
        while not _listens(self.port):
            if self._process.poll() is not None or time.monotonic() > end:
                raise RuntimeError(f"{self.name} does not run:\n{self.log()}")
            time.sleep(0.02)

    def stop(self):
        """End it with its children: a session of its own. Nothing it accepted is lost."""
        if self._process is None:
            return
        for number in (signal.SIGTERM, signal.SIGKILL):
            _signal_group(self._process.pid, number)
            try:
                self._process.wait(PATIENCE)
            except subprocess.TimeoutExpired:
                continue
        self._process = None

    def log(self) -> str:
        """What it said of itself, for people."""
        files = [self.folder / "output", *sorted(self.folder.glob("log*"))]
        return "".join(file.read_text(errors="replace") for file in files if file.is_file())

    def environment(self) -> dict[str, str]:
        found = (*self.unpacked.glob("usr/lib/*-linux-*"), *self.unpacked.glob("lib/*-linux-*"))
        folders = (*(self.unpacked / "usr" / "lib" / name for name in self.libraries), *found)
        return {"PATH": os.defpath, "LD_LIBRARY_PATH": ":".join(map(str, folders))}

    def wrapped(self, *wrappers: str) -> dict[str, str]:
        """The environment for cwrap's wrappers: `users`, `root` and `dns`."""
        return {
            "LD_PRELOAD": " ".join(_WRAPPERS[wrapper] for wrapper in wrappers),
            "NSS_WRAPPER_PASSWD": str(self.folder / "passwd"),
            "NSS_WRAPPER_GROUP": str(self.folder / "group"),
            "NSS_WRAPPER_HOSTS": str(self.folder / "hosts"),
            "RESOLV_WRAPPER_HOSTS": str(self.folder / "dns"),
            "UID_WRAPPER": "1",
            "UID_WRAPPER_ROOT": "1",
        }

    def put_world(self, **uids: int):
        """The users that the wrapped program finds, each with a group of its own; no host has a
        name, and the DNS knows nothing.
        """
        uids = {"root": 0, "nobody": 65534, **uids}
        passwd = (f"{name}:x:{uid}:{uid}::/:/bin/false\n" for name, uid in uids.items())
        self.put("passwd", "".join(passwd))
        self.put("group", "".join(f"{name}:x:{uid}:\n" for name, uid in uids.items()))
        self.put("hosts", "")
        self.put("dns", "")

    def put(self, name: str, text: str) -> Path:
        path = self.folder / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
        return path


def free_port() -> int:
    """A port that nobody listens on; no client gets it by chance."""
    while True:
        with socket.socket() as sock:
            port = random.choice(_OWN_PORTS)
            try:
                sock.bind((HOST, port))
            except OSError:
                continue
            return port


def _listens(port: int) -> bool:
    """Whether somebody does; asked of the system, since a connection may count against a limit."""
    address = f":{port:04X}"
    rows = (line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:])
    return any(row[1].endswith(address) and row[3] == _LISTENS for row in rows)


def _signal_group(pid: int, number: int):
    try:
        os.killpg(pid, number)
    except ProcessLookupError:
        return
