"""Names that several rooms share."""

GROUP = "system_mail.group_super_user"
OAUTH = "system_mail_oauth"
"""A value of ``ir.mail_server.smtp_authentication``: signing in through this addon."""
HELD, WAITING = "system_mail_held", "system_mail_waiting"
"""Values of ``failure_type``: it may have been delivered; it waits for its next try."""
INCOMING = "system_mail_incoming"
"""Key of the context in which mail comes in: the user is its sender, whom anybody can forge."""
NOT_KEPT = object()
"""Value of the key ``system_mail_not_kept`` of the context, which nobody can give over RPC: a mail
is rolled back after ``send``, whatever becomes of it. So it can't wait, and an error is raised.
"""
MASK = "•" * 12
"""What a browser sees of a stored secret."""
RETURN_ADDRESS = "/system_mail/oauth/return"
BATCH = 10_000
"""Rows that one pass of the cleaning deletes; Odoo calls it until none is left."""
MODULE = "system_mail"
OURS = "system.mail."
"""Start of the names of our models."""
ALERTS = ("discuss.channel", "discuss.channel.member", "mail.message")
"""Models that a Super User reads to hear of an alert."""
PARAMETERS = "system_mail."
"""Start of the names of our system parameters."""
