"""Dovecot: who knows the passwords for Postfix, and a submission server in front of it."""

import grp
import os
import pwd

from .program import Program, free_port

SETTINGS = """\
base_dir = {folder}/run
state_dir = {folder}/state
libexec_dir = {libexec}
mail_plugin_dir = {libexec}/modules
login_plugin_dir = {libexec}/modules/login
import_environment = {environment}
log_path = {folder}/log
listen = 127.0.0.1
default_login_user = {login_user}
default_internal_user = {user}
default_internal_group = {group}
default_vsz_limit = 0
first_valid_uid = 1
ssl = no
disable_plaintext_auth = no
auth_mechanisms = plain login
hostname = mx.company.test
mail_location = maildir:{folder}/mail
protocols = submission
submission_relay_host = 127.0.0.1
submission_relay_port = {relay}
passdb {{
  {passdb}
}}
userdb {{
  driver = static
  args = uid={uid} gid={gid} home={folder}/home
}}
service anvil {{
  chroot =
}}
service submission-login {{
  chroot =
  inet_listener submission {{
    port = {port}
  }}
}}
service auth {{
  unix_listener {socket} {{
    mode = 0666
  }}
}}
"""
PATIENT = """\
auth_failure_delay = 0
service anvil {
  unix_listener anvil-auth-penalty {
    mode = 0
  }
}
"""


class Dovecot(Program):
    """A submission server that hands what it takes to another one.

    :param logins: passwords by login; what follows the password are the fields of a passwd-file
    :param relay: the server that it stands in front of
    :param passdb: instead of the logins, who knows them
    :param penalty: let who gives a wrong password wait, and whoever comes from the same address
    """

    name = "Dovecot"
    libraries = ("dovecot", "dovecot/modules/old-stats")

    def __init__(
        self, unpacked, folder, *, logins, relay=None, passdb="", penalty=False, settings=""
    ):
        super().__init__(unpacked, folder)
        self.relay = relay
        self.socket = folder / "auth"
        libexec = unpacked / "usr" / "lib" / "dovecot"
        for name in ("run", "state", "home"):
            (folder / name).mkdir()
        (folder / "run" / "modules").symlink_to(libexec / "modules")
        lines = (f"{login}:{{PLAIN}}{password}\n" for login, password in logins.items())
        passwords = self.put("passwords", "".join(lines))
        own = SETTINGS.format(
            folder=folder,
            libexec=libexec,
            passdb=passdb or f"driver = passwd-file\n  args = {passwords}",
            socket=self.socket,
            port=self.port,
            relay=relay.port if relay else free_port(),
            environment=" ".join(self.environment()),
            **_users(),
        )
        self._config = self.put("dovecot.conf", own + ("" if penalty else PATIENT) + settings)

    @property
    def accepted(self):
        """What the server behind it accepted: it keeps nothing itself."""
        return self.relay.accepted

    def command(self):
        programs = self.unpacked / "usr"
        config = ("-c", self._config)
        read = ("-f", "service=master", *config, "-m", "master", "-p", "-e")
        run = (programs / "sbin" / "dovecot", "-F", *config)
        return [programs / "bin" / "doveconf", *read, *run]

    def environment(self):
        return super().environment() | (self.wrapped("root") if _is_root() else {})


def _is_root():
    return os.geteuid() == 0


def _users():
    """Whom the settings name: who runs the tests; for root, users that every Debian has, whom it
    only seems to become.
    """
    me = pwd.getpwuid(os.geteuid()).pw_name
    login_user, user = ("nobody", "mail") if _is_root() else (me, me)
    entry = pwd.getpwnam(user)
    group = grp.getgrgid(entry.pw_gid).gr_name
    return {
        "login_user": login_user,
        "user": user,
        "group": group,
        "uid": entry.pw_uid,
        "gid": entry.pw_gid,
    }
