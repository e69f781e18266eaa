"""IONOS, earlier 1&1. None of the DNS records could be tried."""

from .provider import Provider, Server

OLDER_SPF = ("_spf.perfora.net", "_spf.kundenserver.de")

PROVIDER = Provider(
    name="IONOS",
    servers=(
        Server(
            "smtp.ionos.com",
            mail_hosts=("ionos.com", "1and1.com"),
            spf_includes=("_spf-us.ionos.com", "_spf-eu.ionos.com", *OLDER_SPF),
        ),
        *(
            Server(
                f"smtp.ionos.{country}",
                mail_hosts=mail_hosts,
                spf_includes=("_spf-eu.ionos.com", "_spf-us.ionos.com", *OLDER_SPF),
            )
            for country, mail_hosts in {
                "de": ("ionos.de", "kundenserver.de"),
                "co.uk": ("ionos.co.uk", "1and1.co.uk"),
                "fr": ("ionos.fr", "1and1.fr"),
                "es": ("ionos.es", "1and1.es"),
            }.items()
        ),
    ),
    dkim_keys={"s1-ionos": "s1.dkim.ionos.com", "s2-ionos": "s2.dkim.ionos.com"},
    dkim_type="CNAME",
)
