"""Whom each copy of a message names, where a provider reads the recipients from it."""

import email.policy
from email.message import EmailMessage

import pytest

from ..failover.recipients import addressed

BEN, CLEO, DORA = "ben@company.test", "cleo@company.test", "dora@company.test"
ID = "<1@company.test>"


def message(**headers):
    made = EmailMessage(policy=email.policy.SMTP)
    made["From"], made["Message-Id"] = "ana@company.test", ID
    for name, value in headers.items():
        made[name.replace("_", "-")] = value
    made.set_content("See this")
    return made


def named(copy):
    """Whom a copy names."""
    return {name: str(value) for name, value in copy.items() if name in ("To", "Cc", "Bcc")}


def test_a_copy_names_the_recipients_and_nobody_else():
    made = message(To=f"Ben <BEN@company.test>, {DORA}", Cc=f"Cleo <{CLEO}>, {BEN}")
    [(copy, recipients)] = addressed(made, [BEN, CLEO])
    assert recipients == [BEN, CLEO]
    assert named(copy) == {"To": f"Ben <{BEN}>", "Cc": f"Cleo <{CLEO}>"}
    assert copy.get_content() == "See this\n"


def test_who_is_not_named_has_a_copy_of_their_own():
    made = message(To=f"Ben <{BEN}>", Bcc=f"Cleo <{CLEO}>", Return_Path="ana@company.test")
    found = [(recipients, named(copy)) for copy, recipients in addressed(made, [BEN, CLEO, DORA])]
    assert found == [
        ([BEN], {"To": f"Ben <{BEN}>"}),
        ([CLEO], {"To": CLEO}),
        ([DORA], {"To": DORA}),
    ]
    assert not any(copy["Return-Path"] for copy, _recipients in addressed(made, [BEN, CLEO]))


def test_a_recipient_is_written_as_the_envelope_has_them():
    made = message(To="Ben <ben@company.test>")
    [(copy, recipients)] = addressed(made, ["Ben@company.test"])
    assert (recipients, named(copy)) == (["Ben@company.test"], {"To": "Ben <Ben@company.test>"})


def test_the_original_stays_as_it_is():
    made = message(To=f"{BEN}, {CLEO}", References="<0@company.test>")
    before = made.as_bytes()
    assert list(addressed(made, [BEN, DORA]))
    assert made.as_bytes() == before


@pytest.mark.parametrize(
    ("references", "expected"),
    [
        (None, ID),
        ("<0@company.test>", f"<0@company.test> {ID}"),
        (f"<0@company.test> {ID}", f"<0@company.test> {ID}"),
    ],
)
def test_replies_find_their_thread_whatever_id_the_provider_gives(references, expected):
    headers = {"References": references} if references else {}
    for copy, _recipients in addressed(message(To=BEN, **headers), [BEN, CLEO]):
        assert [v for name, v in copy.items() if name == "References"] == [expected]
        assert len(copy.get_all("References")) == 1
        assert copy["Message-Id"] == ID


def test_a_message_without_an_id_needs_no_references():
    made = message(To=BEN)
    del made["Message-Id"]
    [(copy, _recipients)] = addressed(made, [BEN])
    assert "References" not in copy


def test_a_list_of_addresses_in_the_place_of_a_text_is_read_too():
    made = message(To=[f"Ben <{BEN}>", CLEO])
    [(copy, recipients)] = addressed(made, [BEN, CLEO])
    assert recipients == [BEN, CLEO]
    assert named(copy) == {"To": f"Ben <{BEN}>, {CLEO}"}
