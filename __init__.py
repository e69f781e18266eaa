from . import connect, controllers, failover, models, providers, sending, tools, wizards
from .hooks import uninstall_hook
