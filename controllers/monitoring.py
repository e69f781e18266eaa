import datetime

from odoo import http
from odoo.api import SUPERUSER_ID
from odoo.http import request

HEADERS = [("Cache-Control", "no-store")]
TEXT_FORMAT = "text/plain; version=0.0.4; charset=utf-8"
"""https://prometheus.io/docs/instrumenting/exposition_formats/"""
ESCAPES = str.maketrans({"\\": r"\\", '"': r"\"", "\n": r"\n"})


class MonitoringController(http.Controller):
    """Gives the figures to a monitoring program that has the token. The token belongs to no user.
    While monitoring is off, these addresses don't exist.
    """

    @http.route(
        "/system_mail/health", type="http", auth="none", methods=["GET"], save_session=False
    )
    def health(self, **_more):
        """Return a verdict and the figures as JSON. The HTTP status is 200 for each verdict."""
        return self._refusal() or self._health(self._monitoring())

    @http.route(
        "/system_mail/metrics", type="http", auth="none", methods=["GET"], save_session=False
    )
    def metrics(self, **_more):
        """Return the figures in Prometheus' text format."""
        return self._refusal() or self._metrics(self._monitoring())

    def _monitoring(self):
        return request.env["system.mail.monitoring"].with_user(SUPERUSER_ID)

    def _refusal(self):
        """The answer to a request without the right token; None if it has the token.

        :raises NotFound: monitoring is off
        """
        # an addon that is loaded server-wide also gets requests without a database
        if not request.db or not self._monitoring().is_on():
            raise request.not_found()
        scheme, _space, token = request.httprequest.headers.get("Authorization", "").partition(" ")
        if scheme.lower() == "bearer" and self._monitoring().is_token(token.strip()):
            return None
        headers = [*HEADERS, ("WWW-Authenticate", "Bearer"), ("Content-Type", "text/plain")]
        return request.make_response("This needs the token of monitoring.\n", headers, status=401)

    def _health(self, monitoring):
        all_figures = monitoring.figures()
        status, reasons = monitoring.verdict(all_figures)
        companies = [as_json(figures) for figures in all_figures]
        data = {"status": status, "reasons": reasons, "companies": companies}
        return request.make_json_response(data, HEADERS)

    def _metrics(self, monitoring):
        text = exposition(families(monitoring.figures(), monitoring.states()))
        return request.make_response(text, [*HEADERS, ("Content-Type", TEXT_FORMAT)])


def as_json(figures):
    """The figures of one company, or of none: its id and name are then null."""
    mailboxes = {}
    for (kind, state), count in figures.mailboxes.items():
        mailboxes.setdefault(kind, {})[state] = count
    last_success = figures.last_success and f"{figures.last_success.isoformat()}Z"
    system_mail = {"state": figures.state, "last_success": last_success}
    return {
        "id": figures.company_id,
        "name": figures.company_name,
        "system_mail": system_mail if figures.company_id else None,
        "mailboxes": mailboxes,
        "queue": {
            "mails": figures.queued,
            "oldest_due_seconds": figures.oldest_due,
            "held": figures.held,
        },
        "fallbacks": figures.fallbacks,
    }


def families(all_figures, states):
    """Yield each gauge as ``(name, help, samples)``; a sample is ``(figures, labels, value)``.

    :param all_figures: of each company, and of what belongs to none
    :param states: all states that a System Mail can have
    """
    companies = [figures for figures in all_figures if figures.company_id]
    yield (
        "system_mail_mailboxes",
        "Mailboxes, with each internal user who has none, by kind and state.",
        [
            (figures, {"kind": kind, "state": state}, count)
            for figures in all_figures
            for (kind, state), count in figures.mailboxes.items()
        ],
    )
    yield (
        "system_mail_state",
        "1 for the state that the company's System Mail is in, 0 for the others.",
        [
            (figures, {"state": state}, int(state == figures.state))
            for figures in companies
            for state in states
        ],
    )
    yield (
        "system_mail_last_success_timestamp_seconds",
        "When System Mail last sent or was tried with success, to the minute.",
        [
            (
                figures,
                {},
                int(figures.last_success.replace(tzinfo=datetime.timezone.utc).timestamp()),
            )
            for figures in companies
            if figures.last_success
        ],
    )
    yield (
        "system_mail_queue_mails",
        "Mails in Odoo's queue, due or not.",
        [(figures, {}, figures.queued) for figures in all_figures],
    )
    yield (
        "system_mail_queue_oldest_due_seconds",
        "For how long the oldest mail that is due has been so; 0 if none is.",
        [(figures, {}, figures.oldest_due) for figures in all_figures],
    )
    yield (
        "system_mail_held_mails",
        "Mails that may have been delivered, and wait for somebody to decide.",
        [(figures, {}, figures.held) for figures in all_figures],
    )
    yield (
        "system_mail_fallbacks",
        "Messages that System Mail sent in place of a mailbox, within the window.",
        [
            (figures, {"window": window}, count)
            for figures in all_figures
            for window, count in figures.fallbacks.items()
        ],
    )


def exposition(gauges):
    """The gauges in Prometheus' text format.

    :param gauges: as ``families`` yields them
    :rtype: str
    """
    lines = []
    for name, explanation, samples in gauges:
        lines += [f"# HELP {name} {explanation}", f"# TYPE {name} gauge"]
        for figures, more, value in samples:
            company = {
                "company_id": figures.company_id or "",
                "company": figures.company_name or "",
            }
            labels = ",".join(
                f'{label}="{str(text).translate(ESCAPES)}"'
                for label, text in {**company, **more}.items()
            )
            lines.append(f"{name}{{{labels}}} {value}")
    return "\n".join(lines) + "\n"
