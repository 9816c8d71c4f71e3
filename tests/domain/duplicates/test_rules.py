"""One spelling for what is compared, keys that survive a slip of the pen, and scores that say why."""

from dataclasses import replace
from uuid import UUID

import pytest

from domain.duplicates.model import Features
from domain.duplicates.rules import keys, plain_email, plain_name, plain_phone, plain_words
from domain.duplicates.scoring import score

ANN = Features(
    UUID(int=1), "ann lee", "1980-02-03", ("12125550100",), ("annlee@gmail.com",), "1 main street", ("grocer/330",)
)


@pytest.mark.parametrize(
    ("said", "plain"),
    [
        (("José", "O'Neill-Müller"), "jose muller oneill"),
        (("Müller  O'NEILL", "jose"), "jose muller oneill"),
        (("王", "小明"), "小明 王"),
        ((), ""),
    ],
)
def test_names_have_one_spelling(said: tuple[str, ...], plain: str) -> None:
    assert plain_name(said) == plain


def test_addresses_and_numbers_have_one_spelling() -> None:
    assert plain_email("Ann.Lee+shop@GoogleMail.com") == "annlee@gmail.com"
    assert plain_email("Ann.Lee+shop@example.org") == "ann.lee@example.org"
    assert plain_phone("+1 (212) 555-0100") == "12125550100"
    assert plain_words("1, Main_Street") == ["1", "main", "street"]


@pytest.mark.parametrize(
    "changed",
    [
        {"name": "anne lee"},
        {"birthday": "1980-03-02"},
        {"birthday": "1980-02-04"},
        {"birthday": ""},
        {"phones": (), "emails": (), "address": ""},
        {"name": "bob ray", "birthday": "1970-01-01", "address": ""},
    ],
)
def test_who_differs_in_something_still_shares_a_key(changed: dict[str, str]) -> None:
    assert set(keys(ANN)) & set(keys(replace(ANN, **changed)))  # type: ignore[arg-type]


def test_who_has_nothing_in_common_shares_no_key() -> None:
    bob = Features(UUID(int=2), "bob ray", "1970-01-01", ("12125550199",), ("bob@example.org",), "2 main street")
    assert not set(keys(ANN)) & set(keys(bob))
    assert list(keys(Features(UUID(int=3)))) == []


def test_a_score_says_what_it_is_made_of() -> None:
    same = replace(ANN, holder_id=UUID(int=2), phones=("12125550101",), emails=(), stores=("fuel/1",))
    twin = replace(ANN, holder_id=UUID(int=3), name="zoe lee", phones=(), emails=())
    shares = replace(Features(UUID(int=4), "bob ray", "1970-01-01"), phones=ANN.phones)
    everybody = [ANN, same, twin, shares]
    shared = {one.holder_id: list(keys(one)) for one in everybody}
    found = {one.other_id.int: one for one in score(everybody, shared, 800_000) if one.one_id == ANN.holder_id}
    assert {name: how for name, (how, _) in found[2].features.items()} == {
        "name": "same", "birthday": "same", "phone": "alike", "address": "same", "stores": "none",
    }  # fmt: skip
    assert found[2].probability > 999_000
    assert not found[2].exact
    assert found[2].features["name"][1] == 1055, "log2(0.75 / 0.0005) in hundredths of a bit"
    assert found[3].features["name"][0] == "other"
    assert found[3].probability < found[2].probability
    assert (found[4].exact, found[4].probability < 800_000) == (True, True), "a telephone number alone is worth a look"
