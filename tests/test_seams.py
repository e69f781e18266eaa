"""What the addon relies on and others own: is it still there, and does it still behave?"""

import ast
import functools
import inspect
import os
import pathlib
import pkgutil
from unittest.mock import patch

from cryptography.fernet import Fernet

from odoo.tests import TransactionCase, tagged
from odoo.tools import SQL

from odoo.addons.base.models.ir_mail_server import MailDeliveryException

from ..failover.session import Undelivered
from ..models.mailboxes.ir_mail_server import OWN_CURSOR_FIELDS
from ..seams import SEAMS
from ..sending.send_run import SendRun, Treatment
from ..tools.encrypted import VARIABLE, encrypt, in_clear
from .common import SystemMailCase

ROOT = pathlib.Path(__file__).parents[1]
PACKAGE = __name__.rpartition(".tests.")[0]
ROOMS = ("connect", "controllers", "failover", "models", "providers", "sending", "tools", "wizards")
LISTED = {seam.name for seam in SEAMS}
GONE = object()
DOCUMENTED = {"_abstract", "_asdict", "_auto", "_fields", "_name", "_origin", "_replace", "_table"}
"""Names with an underscore that Odoo's or Python's own documentation tells everybody to use."""
MOVED_BY_ODOO_20 = {"get_param", "set_param", "clear_cache", "max_email_size"}


@functools.cache
def source(path):
    return path.read_text()


def product():
    """The syntax trees of our Python files, tests aside."""
    for path in (path for room in ROOMS for path in sorted((ROOT / room).rglob("*.py"))):
        yield path.relative_to(ROOT), list(ast.walk(ast.parse(source(path))))


def mentions(where, name):
    """Whether a file of ours, or one in a folder of ours, has the name."""
    place = ROOT / where
    files = place.rglob("*.py") if place.is_dir() else [place]
    return any(path.is_file() and name in source(path) for path in files)


def find(seam, env):
    """What a seam names, as its owner first defined it; ``GONE`` where it is no more."""
    try:
        owner = type(env[seam.owner]) if seam.owner in env else pkgutil.resolve_name(seam.owner)
    except (ImportError, AttributeError):
        return GONE
    if not inspect.isclass(owner):
        return getattr(owner, seam.name, GONE)
    theirs = [vars(base) for base in reversed(owner.__mro__) if not is_ours(base)]
    return next((names[seam.name] for names in theirs if seam.name in names), GONE)


def is_ours(cls):
    return cls.__module__.startswith(PACKAGE)


def signature(found):
    """The arguments as ``seams.py`` writes them; "" for what is not called."""
    function = getattr(found, "__func__", found)  # of a class method
    if not inspect.isroutine(function):
        return ""
    parameters = inspect.signature(function).parameters.values()
    bare = [p.replace(annotation=p.empty) for p in parameters if p.name not in ("self", "cls")]
    return str(inspect.Signature(bare))


@tagged("post_install", "-at_install")
class TestSeams(TransactionCase):
    longMessage = False

    def test_each_is_where_it_was_and_is_called_as_it_was(self):
        installed = self.env["ir.module.module"]._installed()
        for seam in SEAMS:
            if seam.module and seam.module not in installed:
                continue
            name = f"{seam.owner}.{seam.name}"
            look = f"Look at {seam.where}, which relies on it: {seam.why}"
            with self.subTest(name):
                found = find(seam, self.env)
                self.assertIsNot(found, GONE, f"{name} is no more. {look}")
                now = signature(found)
                self.assertEqual(
                    now, seam.signature, f"{name} takes {now} now, not {seam.signature}. {look}"
                )

    def test_each_is_used_where_it_says(self):
        unused = [seam for seam in SEAMS if not mentions(seam.where, seam.name)]
        self.assertFalse(unused, f"not used there: {unused}")

    def test_each_private_method_that_we_override_is_listed(self):
        unlisted = [
            f"{cls.__module__} overrides {name}"
            for model in self.env.registry.values()
            for cls, name in overrides_of(model)
            if is_private(name) and name not in LISTED
        ]
        self.assertFalse(unlisted, f"add to seams.py: {unlisted}")

    def test_each_private_name_that_we_use_is_listed(self):
        own, used = set(), {}
        for path, nodes in product():
            for node in nodes:
                match node:
                    case ast.FunctionDef(name=name) | ast.ClassDef(name=name):
                        own.add(name)
                    case ast.Name(id=name, ctx=ast.Store()):
                        own.add(name)
                    case ast.Attribute(attr=name, ctx=ast.Store()):
                        own.add(name)
                    case ast.Attribute(attr=name) if is_private(name):
                        used[name] = path
        known = own | LISTED | DOCUMENTED
        unlisted = [f"{path} uses {name}" for name, path in used.items() if name not in known]
        self.assertFalse(unlisted, f"add to seams.py: {unlisted}")

    def test_each_import_from_another_addon_is_listed(self):
        owned = {seam.owner for seam in SEAMS} | {f"{seam.owner}.{seam.name}" for seam in SEAMS}
        unlisted = [
            f"{path} imports {module}.{name}"
            for path, module, name in imports()
            if module.startswith("odoo.addons.") and f"{module}.{name}" not in owned
        ]
        self.assertFalse(unlisted, f"add to seams.py: {unlisted}")

    def test_what_odoo_20_moves_is_named_in_one_file(self):
        named = [
            f"{path} names {node.attr}"
            for path, nodes in product()
            for node in nodes
            if isinstance(node, ast.Attribute) and node.attr in MOVED_BY_ODOO_20
        ]
        named += [
            f"{path} imports SUPERUSER_ID from odoo"
            for path, module, name in imports()
            if (module, name) == ("odoo", "SUPERUSER_ID")
        ]
        elsewhere = [line for line in named if "odoo_20.py" not in line]
        self.assertFalse(elsewhere, f"use tools/odoo_20.py: {elsewhere}")


def imports():
    """What our files import from others: ``(path, module, name)``."""
    for path, nodes in product():
        for node in nodes:
            if isinstance(node, ast.ImportFrom) and not node.level:
                yield from ((path, node.module, alias.name) for alias in node.names)


def overrides_of(model):
    """The methods of a model that a class of ours overrides: ``(class, name)``."""
    for place, cls in enumerate(model.__mro__):
        behind = [vars(base) for base in model.__mro__[place + 1 :] if not is_ours(base)]
        for name, value in vars(cls).items() if is_ours(cls) else ():
            if is_method(value) and any(name in names for names in behind):
                yield cls, name


def is_private(name):
    return name.startswith("_") and not name.startswith("__")


def is_method(value):
    return inspect.isroutine(value) or isinstance(value, (classmethod, property, staticmethod))


@tagged("post_install", "-at_install")
class TestBehaviour(SystemMailCase):
    """What no signature tells."""

    def test_odoo_tries_the_other_recipients_after_no_valid_recipient(self):
        cleo = self._user("Cleo Colleague", "cleo@company.test")
        self.own.fail("rcpt", reply="550 5.1.1 No such user", recipient="ben@company.test")
        self.mention(partners=self.ben.partner_id | cleo.partner_id)
        self.assertEqual(len(self.received("cleo@company.test")), 1)

    def test_the_error_of_a_session_is_the_context_of_odoos(self):
        self.own.fail("mail", reply="550 5.7.1 Not you")
        servers = self.env["ir.mail_server"]
        message = servers._build_email__("ana@company.test", ["ben@company.test"], "Hello", "Hello")
        session = self.own_server.system_mail_session("ana@company.test").open()
        with self.assertRaises(MailDeliveryException) as caught:
            servers.send_email(message, smtp_session=session)
        session.quit()
        self.assertIsInstance(caught.exception.__context__, Undelivered)

    def test_what_odoo_writes_while_it_sends_has_the_names_that_we_know(self):
        fields = self.env["ir.mail_server"]._fields
        installed = self.env["ir.module.module"]._installed()
        for name in OWN_CURSOR_FIELDS:
            module = next((m for m in ("google_gmail", "microsoft_outlook") if m in name), "mail")
            if module in installed:
                self.assertTrue(fields[name].store, name)

    def test_what_odoo_counts_while_it_sends_is_not_left_for_the_commit(self):
        policy = self.env["res.company"].system_mail_policies()[self.company.id]
        treatment = Treatment(in_scope=True, internal=True, forced=False, default_from="")
        run = SendRun(self.env["ir.mail_server"], policy, treatment, False)
        mail = self.mail().with_context(system_mail_run=run)
        self.env.flush_all()
        mail._split_by_delayed_batch(self.own_server.with_env(mail.env))
        self.assertEqual(self.own_server.owner_limit_count, 1)
        with self.assertQueryCount(0, flush=False):
            self.own_server.flush_recordset()
        run.close()

    def test_a_value_put_in_the_cache_is_not_written(self):
        server, field = self.own_server, self.own_server._fields["owner_limit_count"]
        self.env.flush_all()
        field._update_cache(server, 7)
        self.assertEqual(server.owner_limit_count, 7)
        with self.assertQueryCount(0, flush=False):
            self.env.flush_all()

    def test_a_secret_is_decrypted_however_it_is_read(self):
        key = Fernet.generate_key().decode()
        self.startPatcher(patch.dict(os.environ, {VARIABLE: key}))
        servers = self.own_server | self.system_server
        for server in servers:
            stored = encrypt(f"hush {server.id}")
            query = SQL("UPDATE ir_mail_server SET system_mail_password = %s", stored)
            self.env.cr.execute(SQL("%s WHERE id = %s", query, server.id))
        expected = [f"hush {server.id}" for server in servers]

        def prefetched():
            return [in_clear(server, "system_mail_password") for server in servers]

        def fetched():
            servers.sudo().fetch(["system_mail_password"])
            return prefetched()

        def searched():
            domain = [("id", "in", servers.ids)]
            found = servers.sudo().search_fetch(domain, ["system_mail_password"])
            return [in_clear(found.browse(id_), "system_mail_password") for id_ in servers.ids]

        for read in (prefetched, fetched, searched):
            self.env.invalidate_all()
            self.assertEqual(read(), expected, read.__name__)

    def test_the_hooks_of_signup_and_reset_are_asked(self):
        if "auth_signup" not in self.env["ir.module.module"]._installed():
            self.skipTest("auth_signup is not installed")
        groups = self.env.ref("system_mail.group_super_user") | self.env.ref("base.group_user")
        victim = self._user("Victim", "victim@company.test", group_ids=[(6, 0, groups.ids)])
        administrator = self._user(
            "Otto", "otto@company.test", group_ids=[(6, 0, self.env.ref("base.group_system").ids)]
        )
        victim = victim.with_user(administrator)
        victim.partner_id.signup_prepare("reset")
        self.assertIsNone(victim.partner_id._generate_signup_token())
        victim.action_reset_password()
        [delivery] = self.received(victim.email)
        # it was OdooBot's: the administrator's would have no token
        self.assertIn("token=", delivery.message.get_body(("html",)).get_content())
