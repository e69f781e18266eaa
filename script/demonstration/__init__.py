"""What script/demo shows: a company whose author's mailbox rejects its password.

`stage` starts the SMTP servers, the inbox page and Odoo; `company` furnishes Odoo over its web
API; `check` does by program what a visitor does by hand. All of it is standard library; what runs
with packages of its own (`smtp_servers`, `inbox_page`) is started as a process.
"""
