from . import accounts, alerts, domain, guard, mail, mailboxes, queue, settings, watch
