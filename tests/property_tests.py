"""Property tests say what holds, not how fast this machine is today."""

from hypothesis import HealthCheck, settings

settings.register_profile(
    "system_mail", deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("system_mail")
