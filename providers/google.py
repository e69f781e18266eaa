"""Google: gmail.com and Workspace.

Replies: https://support.google.com/a/answer/3726730
"""

from .provider import Provider

PROVIDER = Provider(
    name="Google",
    replies={
        "app_password_required": (r"^5.*(application[ -]specific|InvalidSecondFactor)",),
        "web_login_required": (r"^5\d\d 5\.7\.14\b",),
        "quota_reached": (r"^5\d\d 5\.4\.5\b",),
        "too_fast": (r"peak smtp relay limit",),
        "too_many_recipients": (r"multiple destination domains",),
    },
)
