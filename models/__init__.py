from . import accounts, alerts, domain, guard, home, mail, mailboxes, queue, settings, watch
