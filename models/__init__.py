from . import accounts, domain, guard, mail, mailboxes, settings, watch
