"""What connecting a mailbox takes: who serves an address, and signing in there. No odoo import."""
