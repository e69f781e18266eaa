from . import failover, models, wizards
from .hooks import uninstall_hook
