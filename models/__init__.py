from . import (
    accounts,
    alerts,
    domain,
    guard,
    home,
    mail,
    mailboxes,
    monitor,
    queue,
    settings,
    watch,
)
