"""The lab: a folder for all its servers, which end with it."""

import contextlib
import os
import tempfile
from pathlib import Path

from .dovecot import Dovecot
from .exim import Exim
from .postfix import Postfix

UNPACKED = "SYSTEM_MAIL_SERVERS"
"""The environment variable by which script/test says where the servers are."""


class Unavailable(Exception):
    """The servers are not on this machine."""


class MtaLab:
    """A context manager. Raises Unavailable where script/test could not get the servers.

    :param logins: passwords by login, the same at all servers
    """

    def __init__(self, logins):
        unpacked = os.environ.get(UNPACKED)
        if not unpacked:
            raise Unavailable("Postfix, Exim and Dovecot are got by script/test, on Debian.")
        self._unpacked = Path(unpacked)
        self._logins = logins
        self._open = contextlib.ExitStack()

    def __enter__(self):
        self._folder = self._open.enter_context(tempfile.TemporaryDirectory(prefix="mta-lab-"))
        self._count = 0
        self._auth = self.dovecot()
        return self

    def __exit__(self, *_exc):
        self._open.close()

    def postfix(self, **settings) -> Postfix:
        """A running Postfix with these settings in its main.cf."""
        return self._run(Postfix, **{"auth": self._auth, **settings})

    def exim(self, **options) -> Exim:
        """A running Exim. Options: see `Exim`."""
        return self._run(Exim, logins=self._logins, **options)

    def dovecot(self, **options) -> Dovecot:
        """A running Dovecot. Options: see `Dovecot`."""
        return self._run(Dovecot, **{"logins": self._logins, **options})

    def _run(self, kind, **options):
        self._count += 1
        folder = Path(self._folder) / f"{kind.__name__.lower()}-{self._count}"
        folder.mkdir()
        program = kind(self._unpacked, folder, **options)
        self._open.callback(program.stop)
        program.start()
        return program
