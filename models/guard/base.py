import re

from odoo import api, models
from odoo.api import SUPERUSER_ID
from odoo.exceptions import AccessError

from ...constants import OURS
from ...tools.commands import check_defaults
from ...tools.numbers import ids_as_numbers, with_numbers
from ...tools.stored_domain import paths_of

DOMAINS = re.compile("domain|filter")
"""What the names of fields have that have a domain as text."""
TELLING = re.compile("system_mail|mail_server|failure_reason|channel.*message|message.*channel")
"""Paths that lead to what only Super Users may know, or who wrote a message."""
NAMES_OF_MODELS = ("model", "model_name", "res_model")
CLOSED = ("mail.message", "mail.mail", "mail.notification", "ir.mail_server")
"""Models whose records some people may not read: nobody else has Odoo search them."""


def _fields_of_domains(model):
    """The fields of a model with a domain as text, and those that say of which model it is. Odoo's
    own models, of which ``ir.filters`` is one, search as who looks, or are administrators'.
    """
    stored = [field for field in model._fields.values() if field.store and field.column_type]
    texts = [f.name for f in stored if f.type in ("char", "text") and DOMAINS.search(f.name)]
    if not texts or model._name.startswith(("ir.", OURS)):
        return []
    return texts + [field.name for field in stored if _is_of_model(field)]


def _is_of_model(field):
    return field.comodel_name == "ir.model" or field.name in NAMES_OF_MODELS


class Base(models.AbstractModel):
    """Lets nobody have Odoo search as superuser, by a domain of their own as that of a mailing or
    of a rule, for what only Super Users may know, or change records by the defaults of new ones.
    Ids that are text are numbers here.
    """

    _inherit = "base"

    # PostgreSQL takes the id "26", which comes by RPC, for 26. In Python it is none, so that checks
    # would look at nothing.

    @api.private
    def browse(self, ids=()):
        return super().browse(ids_as_numbers(self, ids))

    @api.model_create_multi
    def create(self, vals_list):
        return super().create([with_numbers(self, vals) for vals in vals_list])

    def write(self, vals):
        return super().write(with_numbers(self, vals))

    @api.model
    def default_get(self, fields):
        check_defaults(self)
        return with_numbers(self, super().default_get(fields))

    @api.constrains(_fields_of_domains)
    def _check_system_mail_domain(self):
        groups = self.env["res.groups"]
        if self.env.uid == SUPERUSER_ID or not groups._system_mail_is_outsider():
            return
        if not self.env["res.company"].system_mail_policies():
            return
        names = _fields_of_domains(self)
        of_models = [name for name in names if _is_of_model(self._fields[name])]
        for record_sudo in self.sudo():
            values = [record_sudo[name] for name in of_models]
            asked = [value if isinstance(value, str) else value.model for value in values if value]
            texts = [record_sudo[name] for name in names if name not in of_models]
            if not all(_is_harmless(text, asked) for text in texts if text):
                raise AccessError(
                    self.env._(
                        "This filter asks for what only Super Users may know of System Mail. "
                        "Filter by other fields."
                    )
                )


def _is_harmless(text, asked):
    if any(model in CLOSED or model.startswith(OURS) for model in asked):
        return not text.strip("[] \n")
    if {"'", '"'}.isdisjoint(text):  # a website's domain, or a filter of LDAP
        return True
    try:
        path = ".".join([*asked, *paths_of(text)])
    except ValueError:
        return False
    return not TELLING.search(path)
