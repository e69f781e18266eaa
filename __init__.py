from . import connect, controllers, failover, models, sending, tools, wizards
from .hooks import uninstall_hook
