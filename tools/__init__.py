"""What several rooms need of Odoo and its database."""

from . import log_filter
