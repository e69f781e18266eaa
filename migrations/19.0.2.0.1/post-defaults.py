"""Nobody but a Super User keeps a default by which Odoo would take another's mail, or an alert."""


def migrate(cr, _version):
    cr.execute(
        """DELETE FROM ir_default d USING ir_model_fields f
            WHERE f.id = d.field_id AND f.ttype IN ('many2one', 'one2many', 'many2many')
              AND (f.model IN %(mail)s OR f.relation IN %(mail)s)""",
        {"mail": ("mail.mail", "mail.message", "mail.notification", "discuss.channel")},
    )
