from . import monitoring, oauth
from . import home, oauth
