"""Dates and times for sentences, in the form that Odoo's lists have them."""

from babel.dates import format_skeleton

from odoo import fields
from odoo.tools import babel_locale_parse, format_time, get_lang


def day_in_words(env, day):
    """A day, such as ``Nov 29``; of another year: ``Nov 29, 2025``.

    :param date day: a date, or a local time
    """
    is_this_year = day.year == fields.Date.context_today(env["res.lang"]).year
    locale = babel_locale_parse(get_lang(env).code)
    return format_skeleton("MMMd" if is_this_year else "yMMMd", day, locale=locale)


def moment_in_words(env, moment):
    """A day with the time, such as ``Nov 29, 6:13 AM``.

    :param datetime moment: in UTC
    """
    local = fields.Datetime.context_timestamp(env["res.lang"], moment)
    return env._(
        "%(date)s, %(time)s",
        date=day_in_words(env, local),
        time=format_time(env, local.time(), time_format="short"),
    )
