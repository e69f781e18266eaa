"""What several rooms need of Odoo and its database."""
