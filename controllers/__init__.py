from . import home, monitoring, oauth
