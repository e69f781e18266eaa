"""The life of the installed addon: the ways in, an update, uninstalling, and back again."""

import contextlib
from functools import partial

import pytest

from sandbox import workbench

from . import errands
from .errands import AUTHOR, CUSTOMER, PASSWORDS, SIGNED_IN, SYSTEM
from .installation import WAYS, Installation

REJECTED = "535 5.7.8 Username and Password not accepted"
NAMED_BY_ODOO = {
    "ir_module_module",  # the line that each addon has which is there
    "ir_model_data",  # the name of that line
    "ir_model_constraint",  # Odoo keeps those of foreign keys on its own tables
    "bus_bus",  # what browsers were told; gone in a day
}
"""Tables that may name an addon that is not installed."""


@pytest.fixture(name="made", scope="module")
def _made(tmp_path_factory):
    """Installations, made when they are asked for, and a database with the addon."""
    made = {}
    with contextlib.ExitStack() as stack:
        bench = stack.enter_context(workbench.opened())

        def make(way):
            if way not in made:
                made[way] = Installation.by(way, bench, tmp_path_factory.mktemp(way))
            return made[way]

        database = stack.enter_context(make("wheel").database())
        make("wheel").install(database)
        yield make, database


class Office:
    """What can be done in one database."""

    def __init__(self, installation, database):
        self.folder = installation.folder
        self.install = partial(installation.install, database)
        self.update = partial(installation.update, database)
        self.uninstall = partial(installation.uninstall, database)
        self.do = partial(installation.do, database)


@pytest.fixture(name="way")
def _way(request):
    return getattr(request, "param", "wheel")


@pytest.fixture(name="office")
def _office(way, made):
    make, database = made
    with make(way).database(copy_of=database) as copy:
        yield Office(make(way), copy)


@pytest.fixture(name="own")
def _own(lab):
    return lab.server("own", logins={AUTHOR[1]: PASSWORDS[AUTHOR[1]]})


@pytest.fixture(name="system")
def _system(lab):
    return lab.server("system", logins={SYSTEM: PASSWORDS[SYSTEM]})


@pytest.fixture(name="found")
def _found(own, system):
    return partial(errands.found, own=own.port, system=system.port)


@pytest.mark.parametrize("way", WAYS, indirect=True)
def test_a_mailbox_fails_and_system_mail_stands_in(office, found, own, system):
    own.fail("auth", reply=REJECTED)
    _, path, mentioned = office.do(found, errands.tell_path, errands.mention)
    assert path.startswith(str(office.folder))
    assert mentioned == ["sent", False]
    [delivery] = system.accepted
    assert (delivery.mail_from, delivery.rcpt_to) == (SYSTEM, ("ben@company.test",))


def test_an_update_keeps_what_people_did_and_writes_down_the_outage(office, found, own):
    own.fail("auth", reply=REJECTED)
    *_, before = office.do(found, errands.mention, errands.live_on, errands.tell_settings)
    assert (before["cron"], before["retention"], before["secret"]) == (45, "90", "secret")
    office.do(errands.be_of_before, errands.store_sentences)
    office.update()
    after, outages = office.do(errands.tell_settings, errands.tell_outages)
    assert after == before
    assert outages == {AUTHOR[1]: [True, False, 1], SIGNED_IN[1]: [True, False, 0]}


def test_an_update_fills_in_the_apis_that_are_known(office, found):
    *_, before = office.do(found, errands.tell_apis)
    assert sorted(before["apis"].values()) == ["gmail", "gmail", "graph", "graph"]
    office.do(errands.forget_apis)
    office.update()
    [after] = office.do(errands.tell_apis)
    assert after == before == {**before, "used": 0}


def test_after_an_update_system_mail_can_have_a_further_mailbox(office, found):
    office.do(found, errands.have_one_mailbox)
    office.update()
    [[first, further]] = office.do(errands.add_mailbox)
    assert first == further > 1


def test_an_update_deletes_defaults_that_nobody_may_have(office, found):
    office.do(found, errands.keep_defaults)
    office.update()
    [defaults] = office.do(errands.tell_defaults)
    assert "comment" in defaults
    assert {"mail_message_id", "partner_ids"}.isdisjoint(defaults)


def test_an_update_turns_stored_sentences_into_rules(office, found, own):
    own.fail("auth", reply=REJECTED)
    *_, before = office.do(found, errands.mention, errands.live_on, errands.tell_reasons)
    why = ["password_rejected", 535, "5.7.8"]
    words = "the password was rejected (535 5.7.8)"
    assert before["health"] == [[*why, "password", words, "Reconnect with the new password."]]
    assert before["outage"] == before["notification"] == [[*why, words]]
    assert before["event"].count([*why, False, words]) == 2, "carried, and disconnected"
    office.do(errands.store_sentences)
    office.update()
    [after] = office.do(errands.tell_reasons)
    assert after == before


def test_uninstalling_leaves_stock_odoo_and_it_can_be_installed_again(office, found, own, system):
    own.fail("dot", action="drop", accept=True, times=1)
    to_customer = partial(errands.mention, address=CUSTOMER)
    *_, mentioned = office.do(found, errands.live_on, to_customer)
    assert mentioned == ["exception", "system_mail_held"]
    own.stop()
    system.stop()
    assert office.do(errands.mention) == [["ready", "system_mail_waiting"]]

    office.uninstall()
    own.start()
    before = own.accepted_count
    remains, left = office.do(errands.tell_remains, errands.run_queue)
    assert [column for column in remains["named in"] if column[0] not in NAMED_BY_ODOO] == []
    assert remains["tables, columns and indexes"] == []
    assert remains["mailboxes"] == {AUTHOR[1]: PASSWORDS[AUTHOR[1]]}
    assert remains["failures"] == {"unknown": 1, "false": 1}, "what was held stays a failure"
    assert (left, own.accepted_count) == (0, before + 1), "what waited is not lost"
    own.fail("auth", reply=REJECTED)
    assert office.do(errands.mention) == [["exception", "mail_smtp"]], "as in Odoo alone"

    office.install()
    system.start()
    use_system_mail = partial(errands.use_system_mail, port=system.port)
    again, _, mentioned = office.do(errands.tell_settings, use_system_mail, errands.mention)
    assert (again["address"], again["cron"]) == (False, 30)
    assert again["events"] == 2, "who the first two Super Users are"
    assert mentioned == ["sent", False]
    assert system.accepted[-1].mail_from == SYSTEM


def test_demo_data_tells_of_three_companies_and_a_fortnight(made):
    make, _database = made
    with make("wheel").database() as database:
        make("wheel").install_with_demo(database)
        [told] = make("wheel").do(database, errands.tell_demo)
    assert sorted(told["companies"].values()) == ["connected", "not_connected", "unstable"]
    assert all(told["states"].values()), "Connections has something of everything"
    fallbacks = {name: count for name, _state, count in told["people"]}
    assert len(fallbacks) > 10
    assert (fallbacks["Ben Okafor"], fallbacks["Farah Haddad"]) == (15, 10)
    assert told["days of events"][-1] == 13
    assert len(told["kinds"]) > 6
    assert all(used for _owner, used in told["owners"]), (
        "Odoo deletes mailboxes that it does not use"
    )
    passed = [test for test in told["last tests"] if "passed" in test]
    assert not passed, "nobody hears of the test of one that has worked or failed since"
    assert told["miscounted"] == [], "outages count what Activity lists"
    assert told["judged otherwise"] == [], "the engine would judge it like this"
    assert all(host.endswith(".example") for host in told["hosts"]), "no name that anybody has"
    outward = ("System Mail: check", "System Mail: try")
    assert not any(cron.startswith(outward) for cron in told["crons at work"])
    assert told["mails in the queue"] == 0
