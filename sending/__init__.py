"""Between Odoo and the engine: one run of ``mail.mail.send``, and what became of each mail."""
