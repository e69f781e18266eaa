from . import connect, controllers, failover, models, wizards
from .hooks import uninstall_hook
