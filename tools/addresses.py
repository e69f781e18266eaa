"""E-mail addresses as people type them."""

from odoo.tools import email_normalize


def is_plain(address):
    """Whether a text is one plain address in ASCII, such as ``hello@company.com``."""
    is_one = email_normalize(address) == address.lower() and address.isascii()
    return is_one and not address.startswith("@")  # Odoo takes a domain alone for an address
