"""What a drill finds wrong with a message."""

import pytest

from ..failover.drill_check import Copy, Expected, examine

EXPECTED = Expected(
    address="hello@company.test",
    name="Ana Author",
    own_address="ana@company.test",
    replies="catchall@company.test",
    bounces=frozenset({"hello@company.test", "bounce@company.test"}),
    message_id="<1@company.test>",
)
RIGHT = {
    "From": '"Ana Author" <hello@company.test>',
    "Reply-To": '"Ana Author" <catchall@company.test>',
    "To": '"Ana Author" <ana@company.test>',
    "Return-Path": "bounce@company.test",
    "Message-Id": "<1@company.test>",
}


def copy_of(envelope_from="hello@company.test", **headers):
    """A message as it should be, but for the headers given; None leaves one out."""
    headers = RIGHT | {name.replace("_", "-"): value for name, value in headers.items()}
    lines = [f"{name}: {value}" for name, value in headers.items() if value]
    return Copy(envelope_from, "\r\n".join([*lines, "", "See this", ""]).encode())


def wrong(*copies, expected=EXPECTED):
    return {check for check, passed in examine(list(copies), expected).items() if not passed}


def test_a_message_as_it_should_be_passes():
    assert wrong(copy_of()) == set()
    assert wrong(copy_of("Bounce@company.test")) == set()


@pytest.mark.parametrize(
    ("headers", "checks"),
    [
        ({"From": '"Ana Author" <ana@company.test>'}, {"sender", "no_trace"}),
        ({"From": '"Ana Author" <other@company.test>'}, {"sender"}),
        ({"From": "hello@company.test"}, {"name"}),
        ({"From": '"Hello" <hello@company.test>'}, {"name"}),
        ({"From": None}, {"sender", "name"}),
        ({"Reply_To": "hello@company.test"}, {"replies"}),
        ({"Reply_To": None}, {"replies"}),
        ({"Message_Id": "<2@company.test>"}, {"one_copy"}),
        ({"Message_Id": None}, {"one_copy"}),
        ({"Sender": "Ana <ANA@company.test>"}, {"no_trace"}),
        ({"X_Original_Sender": "ana@company.test"}, {"no_trace"}),
        ({"Return_Path": "<ana@company.test>"}, {"no_trace"}),
        ({"Sender": "diana@company.test"}, set()),
        ({"Sender": "ana@company.test.example"}, set()),
    ],
)
def test_each_check_can_fail(headers, checks):
    assert wrong(copy_of(**headers)) == checks


def test_the_envelope_may_not_be_the_authors():
    assert wrong(copy_of("ana@company.test")) == {"bounces", "no_trace"}
    assert wrong(copy_of("other@company.test")) == {"bounces"}


def test_a_second_copy_is_one_too_many():
    assert wrong(copy_of(), copy_of()) == {"one_copy"}


def test_an_author_named_by_their_address_leaves_no_trace():
    expected = EXPECTED._replace(name="ana@company.test")
    assert (
        wrong(copy_of(From='"ana@company.test" <hello@company.test>'), expected=expected) == set()
    )


def test_an_author_whose_address_is_system_mails_own_leaves_no_trace():
    expected = EXPECTED._replace(own_address="Hello@company.test")
    assert wrong(copy_of(), expected=expected) == set()


def test_a_name_is_compared_as_it_reads():
    expected = EXPECTED._replace(name="Zoë\0 Ångström ")
    encoded = "=?utf-8?b?Wm/DqyDDhW5nc3Ryw7Zt?= <hello@company.test>"
    assert wrong(copy_of(From=encoded), expected=expected) == set()


def test_the_headers_are_shown_as_they_were_sent_without_the_body():
    assert copy_of().raw_headers == "\n".join(f"{name}: {value}" for name, value in RIGHT.items())
