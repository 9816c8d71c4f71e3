"""Types of identifier and ranges of member numbers in the alliance file."""

from typing import Any

import pytest

from alliance.file import export
from domain.database import Database
from domain.members.commands import enrol
from domain.members.model import EnrolAsk, IdentifierRef
from domain.members.numbers import filled, owners
from domain.programs.numbering import NumberRange
from tests.alliance.file.alliances import SMALL
from tests.alliance.file.test_apply import NOW, applied, catalogue_of, said
from tests.alliance.file.test_parse import faults

GROCER, FUEL = "    name: Grocer\n", "    name: Fuel\n"
PATH = "merchants[0].settings.memberNumbers"


def owning(numbers: str, of: str = GROCER, text: str = SMALL) -> str:
    """The alliance, one of its merchants with a range."""
    assert text.count(of) == 1
    return text.replace(of, f"{of}    settings: {{memberNumbers: {numbers}}}\n")


def with_types(*types: str) -> str:
    """The small alliance, with these types of identifier."""
    return SMALL + "identifiers:\n" + "".join(f"  - {declared}\n" for declared in types)


@pytest.mark.parametrize(
    ("numbers", "path", "reason"),
    [
        ("{}", "", "memberNumbers are either prefix and digits, or from and to"),
        ('{prefix: "6017", from: "500000", to: "600000"}', "", "memberNumbers are either prefix and digits, or from"),
        ('{from: "500000"}', "", "memberNumbers are either prefix and digits, or from and to"),
        ('{from: "500000", to: "600000", digits: 7}', "", "digits belongs to prefix"),
        ('{prefix: "6017123", digits: 8}', "", "the prefix leaves no digits to count with"),
        ('{prefix: "0017"}', ".prefix", "'0017' is not up to 12 digits in quotes"),
        ('{from: "500000", to: "6000000"}', "", "from and to have equally many digits"),
        ('{from: "600000", to: "500000"}', "", "from is not after to"),
        ('{from: "5000000000", to: "5000000001"}', "", "numbers of 11 digits are those of merchants without a range"),
        ('{prefix: "6017", digits: 20}', ".digits", "less than or equal to 19"),
    ],
)
def test_what_cannot_be_a_range_is_said(numbers: str, path: str, reason: str) -> None:
    [(_, where, why)] = faults(owning(numbers))
    assert where == PATH + path
    assert reason in why


async def test_a_range_numbers_members_and_is_written_back(database: Database) -> None:
    text = owning('{from: "700000", to: "700009"}', text=with_types("{type: CARD, issuer: merchant, unique: issuer}"))
    assert not (await applied(database, text)).refused
    catalogue = await catalogue_of(database)
    assert catalogue.merchants["grocer"].member_numbers == NumberRange(700_000, 700_009)
    async with database.transaction() as session:
        ask = EnrolAsk("grocer", "STORE", None, (IdentifierRef("CARD", None, "1"),), NOW)
        assert (await enrol(session, catalogue, ask)).number.startswith("700000")
        [grocer] = await filled(session, await owners(session))
        assert (grocer.merchant, grocer.used, grocer.left) == ("grocer", 1, 9)
        assert "memberNumbers: {from: '700000', to: '700009'}" in await export(session)
    assert said(await applied(database, text)) == []
    other = text.replace('{from: "700000", to: "700009"}', '{prefix: "88", digits: 8}')
    assert said(await applied(database, other)) == ["update    merchant grocer: settings"]
    assert (await catalogue_of(database)).merchants["grocer"].member_numbers == NumberRange(8_800_000, 8_899_999)


async def test_no_two_merchants_own_the_same_numbers(database: Database) -> None:
    await applied(database, owning('{prefix: "60", digits: 12}'))
    text = owning('{prefix: "6017", digits: 12}', FUEL, owning('{prefix: "60", digits: 12}'))
    clash = await applied(database, text)
    assert clash.refused
    assert "its memberNumbers are also those of grocer" in "\n".join(said(clash))
    assert not (await applied(database, text.replace('"6017"', '"61"'))).refused


@pytest.mark.parametrize(
    ("more", "path", "reason"),
    [
        ({"normalise": "upper"}, "normalise", "should be 'e164', 'email', 'card', 'digits', 'fold' or 'hex'"),
        ({"perMember": 0}, "perMember", "greater than or equal to 1"),
        ({"onTaken": "steal"}, "onTaken", "should be 'refuse' or 'merge'"),
    ],
)
def test_what_no_type_can_say(more: dict[str, Any], path: str, reason: str) -> None:
    [(key, value)] = more.items()
    [(_, where, why)] = faults(with_types(f"{{type: TAG, unique: alliance, {key}: {value}}}"))
    assert where == f"identifiers[0].{path}"
    assert reason in why


async def test_whether_a_type_is_verified_is_not_changed(database: Database) -> None:
    await applied(database, with_types("{type: PHONE, unique: alliance, verify: code, perMember: 2}"))
    more = await applied(database, with_types("{type: PHONE, unique: alliance, verify: code, perMember: 3}"))
    assert said(more) == ["update    identifier PHONE: perMember"]
    assert (await catalogue_of(database)).identifier_types["PHONE"].per_member == 3
    refused = await applied(database, with_types("{type: PHONE, unique: alliance}"))
    assert refused.refused
    assert any("verify cannot be changed" in line for line in said(refused))
