"""Exim: it accepts into its queue, and delivers nothing by itself."""

import os
import subprocess

from .program import Accepted, Program

SETTINGS = """\
spool_directory = {folder}/spool
log_file_path = {folder}/log-%s
pid_file_path = {folder}/pid
exim_path = {program}
keep_environment = ^LD_:^NSS_:^UID_:^RESOLV_
primary_hostname = mx.company.test
queue_only
rfc1413_hosts =
host_lookup =
tls_advertise_hosts =
{options}
domainlist ours = company.test
acl_smtp_mail = check_mail
acl_smtp_rcpt = check_rcpt
acl_smtp_data = check_data
begin acl
check_mail:
{mail}
  accept
check_rcpt:
{rcpt}
  accept authenticated = *
  deny message = relay not permitted
check_data:
{data}
  accept
begin routers
colleagues:
  driver = accept
  domains = +ours
  local_parts = {local_parts}
  transport = none
begin transports
none:
  driver = appendfile
  file = /dev/null
begin authenticators
{authenticators}
"""
AUTHENTICATOR = """\
{mechanism}:
  driver = plaintext
  public_name = {mechanism}
  server_prompts = {prompts}
  server_condition = ${{if eq{{${second}}}{{${{lookup{{${first}}}lsearch{{{logins}}}}}}}}}
  server_set_id = ${first}
"""


class Exim(Program):
    """Each message it accepts stays in its queue.

    :param logins: passwords by login
    :param mail, rcpt, data: statements of the ACLs, above those that accept
    :param local_parts: who is at company.test, as a list of Exim's
    :param options: further lines of the main section
    """

    name = "Exim"

    def __init__(
        self, unpacked, folder, *, logins, mail="", rcpt="", data="", local_parts="*", options=""
    ):
        super().__init__(unpacked, folder)
        self._program = unpacked / "usr" / "sbin" / "exim4"
        (folder / "spool").mkdir()
        self.put_world(**{"mail": 8, "Debian-exim": 903 if _is_root() else os.geteuid()})
        passwords = self.put("passwords", "".join(f"{k}: {v}\n" for k, v in logins.items()))
        self._config = self.put(
            "exim.conf",
            SETTINGS.format(
                folder=folder,
                program=self._program,
                mail=mail,
                rcpt=rcpt,
                data=data,
                local_parts=local_parts,
                options=options,
                authenticators="".join(
                    AUTHENTICATOR.format(
                        mechanism=mechanism,
                        prompts=prompts,
                        first=first,
                        second=second,
                        logins=passwords,
                    )
                    for mechanism, prompts, first, second in (
                        ("PLAIN", ":", "auth2", "auth3"),
                        ("LOGIN", "<| Username: | Password:", "auth1", "auth2"),
                    )
                ),
            ),
        )
        self._config.chmod(0o644)

    @property
    def accepted(self) -> list[Accepted]:
        """The messages in its queue, the oldest first."""
        return [self._read(file) for file in sorted(self.folder.glob("spool/input/*-H"))]

    def command(self):
        listen = f"<; [{self.host}]:{self.port}"
        return [self._program, "-bdf", "-C", self._config, "-oX", listen]

    def bounce(self) -> Accepted:
        """Have it deliver what is in its queue; the bounce that is in the queue then."""
        command = [self._program, "-C", self._config, "-q"]
        subprocess.run(command, cwd=self.folder, env=self.environment(), check=True)
        return next(mail for mail in self.accepted if not mail.mail_from)

    def environment(self):
        wrappers = ("users", "root", "dns") if _is_root() else ("users", "dns")
        return super().environment() | self.wrapped(*wrappers)

    @staticmethod
    def _read(file):
        """A spool file of Exim: who, from whom, its own notes, recipients, the headers' lines."""
        envelope, _, headers = file.read_bytes().partition(b"\n\n")
        lines = envelope.decode().splitlines()
        count = int(lines[lines.index("XX") + 1])
        body = file.with_name(file.name.replace("-H", "-D")).read_bytes().partition(b"\n")[2]
        return Accepted(
            mail_from=lines[2].strip("<>"),
            rcpt_to=tuple(lines[-count:]),
            content=_headers(headers) + b"\n" + body,
        )


def _headers(spooled):
    """What was sent, of Exim's notation: each header has its length and a letter before it."""
    headers = b""
    while spooled:
        length, letter = int(spooled[:3]), spooled[3:4]
        text, spooled = spooled[5 : 5 + length], spooled[5 + length :]
        headers += b"" if letter == b"*" else text  # a * says that it was taken out
    return headers


def _is_root():
    return os.geteuid() == 0
