"""Staff that is written to: `contacts` of the alliance and of a merchant, applied and written back."""

from datetime import UTC, datetime

import pytest

from alliance.file import FileErrors, apply, export, parse
from domain.database import Database
from domain.programs.catalogue import load_catalogue
from domain.programs.staffing import Contact
from tests.alliance.file.alliances import SMALL

CONTACT = "{email: caiwu@fuel.example, for: [payments, disputes], language: zh-CN}"
AFTER = "    jurisdiction: US-OH\n"


def with_contact(contact: str = CONTACT) -> str:
    """The file with one contact, of its first merchant."""
    return SMALL.replace(AFTER, f"{AFTER}    settlement: {{contacts: [{contact}]}}\n", 1)


async def test_contacts_are_applied_and_written_back(database: Database) -> None:
    text = with_contact().replace("consent:", "contacts: [{email: Desk@a.example, for: [all]}], consent:", 1)
    for again in range(2):
        async with database.transaction() as session:
            plan = await apply(session, parse(text, "x.yaml"), datetime(2017, 1, 1, tzinfo=UTC))
            text = await export(session)
        assert (plan.refused, plan.changed) == (False, not again)
    async with database.session() as session:
        catalogue = await load_catalogue(session)
    assert catalogue.alliance.contacts == (Contact("Desk@a.example", frozenset({"all"})),)
    named = Contact("caiwu@fuel.example", frozenset({"payments", "disputes"}), "zh-CN")
    assert [one.contacts for one in catalogue.merchants.values()] == [(), (named,)]
    assert (named.wants("payments"), named.wants("settlement")) == (True, False)


@pytest.mark.parametrize(
    ("old", "new", "path", "reason"),
    [
        ("caiwu@fuel.example", "caiwu", "contacts[0].email", "'caiwu' is not an e-mail address"),
        ("disputes", "gossip", "contacts[0].for[1]", "should be 'settlement'"),
        ("disputes", "payments", "contacts[0].for", "the same value twice"),
        ("zh-CN", "de", "contacts[0].language", "should be 'en'"),
        (CONTACT, f"{CONTACT}, {{email: CAIWU@fuel.example, for: [all]}}", "contacts", "an address is named once"),
    ],
)
def test_what_is_no_contact_is_refused_where_it_stands(old: str, new: str, path: str, reason: str) -> None:
    with pytest.raises(FileErrors) as refused:
        parse(with_contact(CONTACT.replace(old, new)), "x.yaml")
    assert path in str(refused.value)
    assert reason in str(refused.value)
