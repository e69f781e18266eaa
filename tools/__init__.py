"""Helpers for Odoo and its database."""

from . import log_filter
