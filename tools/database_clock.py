"""The time by the database's clock, which all workers share."""


def database_now(env):
    """Now, not at the beginning of the transaction, in UTC and whole seconds, as Odoo stores it.

    :rtype: datetime.datetime
    """
    env.cr.execute("SELECT date_trunc('second', clock_timestamp() AT TIME ZONE 'UTC')")
    [now] = env.cr.fetchone()
    return now
