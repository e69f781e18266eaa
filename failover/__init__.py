"""The failover engine: what failed, what it means, when to try again. No odoo import here."""
