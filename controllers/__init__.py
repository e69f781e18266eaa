from . import monitoring, oauth
