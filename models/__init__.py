from . import accounts, alerts, domain, guard, mail, mailboxes, settings, watch
