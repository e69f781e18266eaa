from odoo import api, models
from odoo.tools import SQL

from ...tools.encrypted import MARK, Encrypted, keys_of_server, renew


class SystemMailSecret(models.AbstractModel):
    """Encrypts the secrets of all models that are stored in clear or with an older key."""

    _name = "system.mail.secret"
    _description = "System Mail Secrets"

    @api.model
    def _encrypted_fields(self):
        """Each stored field of the type ``Encrypted``, as ``(model, field)``."""
        for model in self.env.values():
            if model._auto and not model._abstract:
                yield from (
                    (model, field)
                    for field in model._fields.values()
                    if isinstance(field, Encrypted) and field.store
                )

    @api.model
    @api.private
    def has_key(self):
        """Whether this server has a key to encrypt with."""
        try:
            return bool(keys_of_server())
        except ValueError:
            return False

    @api.model
    @api.private
    def clear_count(self):
        """Count the secrets that are stored in clear, readable in a copy of the database.

        :rtype: int
        """
        self.env.flush_all()
        return sum(
            self.env.execute_query(
                SQL(
                    "SELECT count(*) FROM %s WHERE %s != '' AND %s NOT LIKE %s",
                    SQL.identifier(model._table),
                    SQL.identifier(field.name),
                    SQL.identifier(field.name),
                    f"{MARK}%",
                )
            )[0][0]
            for model, field in self._encrypted_fields()
        )

    @api.autovacuum
    def _encrypt_nightly(self):
        self.encrypt_all()

    @api.model
    @api.private
    def encrypt_all(self):
        """Encrypt with the newest key all secrets that are stored in clear or with an older key. A
        secret whose key is missing stays as it is.
        """
        if not self.has_key():
            return
        server_ids = self.env["res.company"].system_mail_server_ids()
        for server_sudo in self.env["ir.mail_server"].sudo().browse(server_ids):
            server_sudo.system_mail_take_password()
        self.env.flush_all()
        for model, field in self._encrypted_fields():
            table, column = SQL.identifier(model._table), SQL.identifier(field.name)
            rows = self.env.execute_query(
                SQL("SELECT id, %s FROM %s WHERE %s IS NOT NULL", column, table, column)
            )
            for id_, stored in rows:
                if renewed := renew(stored):
                    self.env.cr.execute(
                        SQL("UPDATE %s SET %s = %s WHERE id = %s", table, column, renewed, id_)
                    )
