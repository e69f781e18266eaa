"""Odoo's own tests, and OCA's, with and without the addon: script/test --upstream."""
