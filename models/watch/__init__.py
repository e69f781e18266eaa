"""What Super Users and owners see."""

from . import (
    discuss_channel,
    ir_actions,
    ir_http,
    mail_message,
    system_mail_connection,
    system_mail_connection_ask,
    system_mail_connection_ends,
    system_mail_connection_incoming,
    system_mail_event,
    system_mail_event_drill,
    system_mail_outage,
    system_mail_summary,
)
