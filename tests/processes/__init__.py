"""Tests that start processes of their own: workers that race, are killed, or lose their database.

They run apart from Odoo's tests, whose transaction no other process could see.
"""
