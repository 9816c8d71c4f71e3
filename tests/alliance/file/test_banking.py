"""Accounts at banks in an alliance file, and whose hands money may go through (L6)."""

from importlib import resources
from typing import Any

import pytest
from ruamel.yaml import YAML

from alliance.file import parse
from alliance.file.errors import FileErrors

DEMO = (resources.files("server.samples") / "demo.yaml").read_text()
ACCOUNT = "{iban: DE89 3704 0044 0532 0130 00, bic: cobadeff, name: House}"


def demo(settlement: str = "{}", merchant: str = "{}", jurisdiction: str = "US-OH") -> str:
    """The sample alliance, settling so; `merchant` is said of its second merchant."""
    yaml = YAML(typ="safe")
    document: dict[str, Any] = yaml.load(DEMO)
    second = document["merchants"][1]
    second["jurisdiction"] = jurisdiction
    second["settlement"] = second.get("settlement", {}) | yaml.load(merchant)
    document["alliance"]["settlement"] = yaml.load(settlement)
    lines: list[str] = []
    YAML().dump(document, _Lines(lines))
    return "".join(lines)


class _Lines:
    def __init__(self, lines: list[str]) -> None:
        self._lines = lines

    def write(self, part: bytes | str) -> None:
        self._lines.append(part if isinstance(part, str) else part.decode())


def faults(text: str) -> list[str]:
    with pytest.raises(FileErrors) as refused:
        parse(text, "demo.yaml")
    return [str(fault) for fault in refused.value.errors]


def test_l6_an_operator_holds_no_money_of_merchants_in_china_and_apply_names_the_clause() -> None:
    for where in ("CN", "CN-GD"):
        fault = faults(demo(f"{{mode: operator, account: {ACCOUNT}}}", jurisdiction=where))[0]
        assert "alliance.settlement.mode" in fault
        assert "Order No. 768 of 2023), art. 6" in fault
    for mode, where in (("custodian", "CN"), ("direct", "CN"), ("operator", "US-OH")):
        parse(demo(f"{{mode: {mode}, account: {ACCOUNT}}}", jurisdiction=where), "demo.yaml")


def test_l6_who_pays_in_needs_to_know_where() -> None:
    (fault,) = faults(demo("{mode: custodian}"))
    assert "needs the account that is paid into" in fault


def test_an_account_is_written_as_banks_write_it() -> None:
    read = parse(demo(merchant=f"{{account: {ACCOUNT}}}"), "demo.yaml").document.merchants[1].settlement.account
    assert read is not None
    assert (read.iban, read.bic) == ("DE89370400440532013000", "COBADEFF")


@pytest.mark.parametrize(
    ("account", "reason"),
    [
        ("{iban: DE89370400440532013001, name: House}", "no IBAN"),
        ("{iban: DE8937040044053201300, name: House}", "no IBAN"),
        ("{iban: DE89370400440532013000, bic: NOBANK, name: House}", "no BIC"),
        ("{name: House}", "either by iban or by other"),
        ('{iban: DE89370400440532013000, other: "12", name: House}', "either by iban or by other"),
        ('{other: "<12>", name: House}', "not an account number"),
        ('{other: "12", name: House, currency: EUR}', "settlement is in USD"),
    ],
)
def test_an_account_that_no_bank_has_is_refused(account: str, reason: str) -> None:
    assert any(reason in fault for fault in faults(demo(merchant=f"{{account: {account}}}")))
