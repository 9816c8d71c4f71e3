"""What is wrong with a file is said with line, column, path and reason; all of it at once."""

from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alliance.file import FileErrors, parse
from tests.alliance.file.alliances import SMALL

LINES = SMALL.splitlines()


def faults(text: str) -> list[tuple[int, str, str]]:
    """Line, path and reason of each fault."""
    with pytest.raises(FileErrors) as errors:
        parse(text, "two.yaml")
    return [(error.line, error.path, error.reason) for error in errors.value.errors]


def changed(old: str, new: str) -> str:
    """The small alliance with one thing written otherwise."""
    assert SMALL.count(old) == 1, old
    return SMALL.replace(old, new)


def test_the_small_alliance_is_right() -> None:
    assert parse(SMALL, "two.yaml").document.alliance.code == "two"


CURRENCY = "{code: GRO, kind: points, name: Grocer points}"
RULE = '{code: base, version: 1, from: 2017-01-01, points: 1, per: {amount: "1.00", currency: USD}}'
EXCHANGE = '{from: GRO, to: FUE, rate: "0.8", clearingValue: {amount: "0.008", currency: USD}}'
REDEEM = '{at: fuel, of: GRO, redemptionPrice: {amount: "0.009", currency: USD}}'
CURRENCY_PATH, RULE_PATH = "merchants[0].currencies[0]", "merchants[0].earning[0]"
EXCHANGE_PATH, REDEEM_PATH = "agreements[0].exchange[0]", "agreements[0].redeem[0]"
EXACT = ": numbers with a point are exact here"
NO_NUMBER = 'is not a number such as "12.50" (at most 12 digits and 8 places)'


@pytest.mark.parametrize(
    ("old", "new", "path", "reason"),
    [
        ("timezone: America", "timezon: America", "alliance.timezon", "unknown key; did you mean 'timezone'?"),
        ("consent: operator", "consent: nobody", "alliance.consent", "should be 'merchants' or 'operator'"),
        ("Currency: USD", "Currency: USDD", "alliance.settlementCurrency", "'USDD' is not an ISO 4217 currency"),
        ("Currency: USD", "Currency: XXX", "alliance.settlementCurrency", "XXX is no money"),
        (
            "code: two",
            "code: Two!",
            "alliance.code",
            "'Two!' is not a code of small letters, digits, - and _, such as fuel",
        ),
        ("code: two", "code: two, calendar: ZZ", "alliance.calendar", "the public holidays of ZZ are not known"),
        (
            "code: two",
            "code: two, calendar: US, holidays: [2017-07-03], workingDays: [2017-07-03]",
            "alliance",
            "2017-07-03 is both a holiday and a working day",
        ),
        (
            "code: two",
            "code: two, cycle: {every: {business: 0}}",
            "alliance.cycle.every",
            "a cycle is a day, week, half_month or month, or {business: 5} for business days",
        ),
        (
            "code: two",
            "code: two, cycle: {cutOff: 18:10}",
            "alliance.cycle.cutOff",
            "'18:10' is not a quarter of an hour of the day, such as \"18:00\"",
        ),
        ("code: two", "code: 2", "alliance.code", 'write it in quotes ("2"): it is text'),
        ("name: Two,", 'name: "a\\u0007",', "alliance.name", "must be characters that print"),
        ("name: Grocer points", "name: Grocer points, scale: 2", f"{CURRENCY_PATH}.scale", "should be 0"),
        (
            "kind: points, name: Gr",
            "kind: credits, name: Gr",
            f"{CURRENCY_PATH}.kind",
            "should be 'points', 'tier_credits', 'stored_value' or 'stamps'",
        ),
        (CURRENCY, CURRENCY[:-1] + ", worth: 0.01}", f"{CURRENCY_PATH}.worth", f'write it in quotes ("0.01"){EXACT}'),
        (CURRENCY, CURRENCY[:-1] + ", worth: 1}", f"{CURRENCY_PATH}.worth", "must be a mapping of keys to values"),
        (CURRENCY, CURRENCY[:-1] + ", redemption: {unit: 100}}", CURRENCY_PATH, "redemption needs a worth"),
        (
            CURRENCY,
            CURRENCY[:-1] + ', worth: {amount: "0.01", currency: USD}, redemption: {maxShare: "1.5"}}',
            f"{CURRENCY_PATH}.redemption.maxShare",
            "a share is from 0 to 1",
        ),
        (
            CURRENCY,
            CURRENCY[:-1] + ', worth: {amount: "0.01", currency: USD}, redemption: {unit: 0}}',
            f"{CURRENCY_PATH}.redemption.unit",
            "should be greater than or equal to 1",
        ),
        (
            CURRENCY,
            CURRENCY[:-1]
            + ', worth: {amount: "0.01", currency: USD}, redemption: {maxMoney: {amount: "5.00", currency: EUR}}}',
            CURRENCY_PATH,
            "redemption.maxMoney must be in USD, as worth is",
        ),
        (
            CURRENCY,
            CURRENCY[:-1] + ", expiry: {policy: inactivity, months: 3, years: 1}}",
            f"{CURRENCY_PATH}.expiry",
            "years has no meaning in policy inactivity",
        ),
        (
            CURRENCY,
            CURRENCY[:-1] + ", expiry: {policy: rolling}}",
            f"{CURRENCY_PATH}.expiry",
            "policy rolling needs either days or months",
        ),
        (
            CURRENCY,
            CURRENCY[:-1] + ", expiry: {policy: never, roundUpTo: month}}",
            f"{CURRENCY_PATH}.expiry",
            "roundUpTo has no meaning in policy never",
        ),
        (
            CURRENCY,
            CURRENCY[:-1] + ", expiry: {policy: fixed}}",
            f"{CURRENCY_PATH}.expiry",
            "policy fixed needs the date: on",
        ),
        ("points: 1,", "points: 1.5,", f"{RULE_PATH}.points", f'write it in quotes ("1.5"){EXACT}'),
        ("points: 1, ", "", RULE_PATH, "points and per belong together"),
        (
            "points: 1,",
            "points: 1, multiplier: 2,",
            RULE_PATH,
            "a rule gives either points per money, a multiplier or a bonus",
        ),
        ('"1.00"', "1.00", f"{RULE_PATH}.per.amount", f'write it in quotes ("1.00"){EXACT}'),
        ('"1.00"', "1", f"{RULE_PATH}.per.amount", f'write it in quotes ("1"){EXACT}'),
        ('"1.00"', '"1,00"', f"{RULE_PATH}.per.amount", f"'1,00' {NO_NUMBER}"),
        ('"1.00"', '"NaN"', f"{RULE_PATH}.per.amount", f"'NaN' {NO_NUMBER}"),
        ('"1.00"', '"-1.00"', f"{RULE_PATH}.per.amount", f"'-1.00' {NO_NUMBER}"),
        ('"1.00"', '"0.00"', RULE_PATH, "per must be more than zero"),
        ('"1.00"', '"1.001"', f"{RULE_PATH}.per.amount", "has more places than USD"),
        (
            "from: 2017-01-01, points",
            "from: 2017-02-30, points",
            f"{RULE_PATH}.from",
            "must be a date such as 2017-01-31, without quotes",
        ),
        (
            "from: 2017-01-01, points",
            "to: 2017-01-01, from: 2017-01-01, points",
            f"{RULE_PATH}.to",
            "must be after from; it is the first day without the version",
        ),
        (
            "points: 1,",
            "points: 1, currency: GOR,",
            f"{RULE_PATH}.currency",
            "no currency 'GOR' in this file; did you mean 'GRO'?",
        ),
        ("{code: FUE,", "{code: GRO,", "merchants[1].currencies[0].code", "declared twice"),
        ("- code: fuel", "- code: grocer", "merchants[1].code", "declared twice"),
        (
            "[grocer, fuel]",
            "[grocer, feul]",
            "agreements[0].merchants[1]",
            "no merchant 'feul' in this file; did you mean 'fuel'?",
        ),
        ("[grocer, fuel]", "[grocer, grocer]", "agreements[0].merchants", "the same value twice"),
        ("[grocer, fuel]", "grocer", "agreements[0].merchants", "must be a list"),
        (
            "to: FUE,",
            "to: GRO,",
            EXCHANGE_PATH,
            "an exchange is between the points of one party and those of the other",
        ),
        ('"0.8"', '"0"', f"{EXCHANGE_PATH}.rate", "must be more than zero"),
        ('"0.008"', '"0.0080001"', f"{EXCHANGE_PATH}.clearingValue.amount", "0.0080001 has more than 6 decimal places"),
        (
            '"0.008", currency: USD',
            '"0.008", currency: EUR',
            f"{EXCHANGE_PATH}.clearingValue.currency",
            "must be the settlement currency, USD",
        ),
        (EXCHANGE, f"{EXCHANGE}, {EXCHANGE}", "agreements[0].exchange[1].to", "declared twice"),
        ("{at: fuel", "{at: grocer", f"{REDEEM_PATH}.of", "must be points of the other party, not of 'grocer'"),
        ("{at: fuel", "{at: fule", f"{REDEEM_PATH}.at", "'fule' is no party of this agreement; did you mean 'fuel'?"),
        (
            f"redeem: [{REDEEM}]",
            'earn: [{at: fuel, of: GRO, issuePrice: {amount: "0.012345", currency: USD}, share: "0.5"}]',
            "agreements[0].earn[0].issuePrice.amount",
            "0.012345 times the share of 0.5 has more than 6 decimal places",
        ),
        (
            f"redeem: [{REDEEM}]",
            'earn: [{at: fuel, of: GRO, issuePrice: {amount: "0.01", currency: USD}, funding: split}]',
            "agreements[0].earn[0]",
            "a split says what part is paid atIssue, and nothing else does",
        ),
        (
            f"redeem: [{REDEEM}]",
            'earn: [{at: fuel, of: GRO, issuePrice: {amount: "0.01", currency: USD}, funding: split, atIssue: "1"}]',
            "agreements[0].earn[0]",
            "of a split, atIssue is more than 0 and less than 1",
        ),
        (
            f"redeem: [{REDEEM}]",
            'earn: [{at: fuel, of: GRO, issuePrice: {amount: "0.00001", currency: USD}, funding: split,'
            ' atIssue: "0.15"}]',
            "agreements[0].earn[0].issuePrice.amount",
            "0.00001 times the share of 0.15 has more than 6 decimal places",
        ),
        (
            f"redeem: [{REDEEM}]",
            "fees: [{for: [exchange], payer: issuer}]",
            "agreements[0].fees[0]",
            "a fee is either a share or an amount",
        ),
    ],
)
def test_what_is_wrong_is_said_where_it_is(old: str, new: str, path: str, reason: str) -> None:
    line = next(number for number, text in enumerate(LINES, 1) if old in text)
    assert (line, path, reason) in faults(changed(old, new))


@pytest.mark.parametrize(
    ("settings", "path", "reason"),
    [
        ("clawback: some", "clawback", "should be 'never_below_zero', 'pending_only', 'none' or 'unlimited'"),
        ("enrolOnPurchase: yes", "enrolOnPurchase", "write true or false"),
        ("uniqueOrder: true", "uniqueOrder", "unknown key; did you mean 'uniqueOrders'?"),
        ("uniqueOrders: true, uniqueOrders: true", "uniqueOrders", "given twice (first on line 5)"),
    ],
)
def test_settings_of_a_merchant(settings: str, path: str, reason: str) -> None:
    text = changed("    name: Grocer\n", f"    name: Grocer\n    settings: {{{settings}}}\n")
    assert faults(text) == [(5, f"merchants[0].settings.{path}", reason)]


@pytest.mark.parametrize(
    ("second", "path", "reason"),
    [
        ("version: 1, from: 2018-01-01", "version", "version 1 is declared twice"),
        ("version: 2, from: 2017-01-01", "from", "must be after 2017-01-01, when version 1 begins"),
        ("version: 2, from: 2016-01-01", "from", "must be after 2017-01-01, when version 1 begins"),
        ("version: 2, from: 2017-05-31", "from", "overlaps version 1, which lasts to 2017-06-01"),
    ],
)
def test_versions_follow_one_another(second: str, path: str, reason: str) -> None:
    first = RULE.replace("from: 2017-01-01", "from: 2017-01-01, to: 2017-06-01")
    later = RULE.replace("version: 1, from: 2017-01-01", second)
    assert faults(changed(RULE, f"{first}\n      - {later}")) == [(9, f"merchants[0].earning[1].{path}", reason)]


def test_one_of_several_currencies_is_the_default() -> None:
    text = changed(CURRENCY, f"{CURRENCY}, {{code: GRX, kind: points, name: X}}")
    assert faults(text) == [(6, "merchants[0].currencies", "exactly one of several currencies is the default")]


def test_all_faults_at_once_in_the_order_of_the_file() -> None:
    text = (
        SMALL.replace("timezone: America/New_York", "timezone: New_York")
        .replace('"1.00"', "1.00")
        .replace("{code: FUE, kind", "{code: FUE, knid")
        .replace("[grocer, fuel]", "[grocer, feul]")
        .replace("to: FUE", "to: FUX")
        .replace("redeem:", "redem:")
    )
    assert [(line, path) for line, path, _ in faults(text)] == [
        (1, "alliance.timezone"),
        (8, "merchants[0].earning[0].per.amount"),
        (12, "merchants[1].currencies[0]"),
        (12, "merchants[1].currencies[0].knid"),
        (18, "agreements[0].redem"),
    ]
    assert [(line, path) for line, path, _ in faults(text.replace("redem:", "redeem:"))][-3:] == [
        (14, "agreements[0].merchants[1]"),
        (17, "agreements[0].exchange[0].to"),
        (18, "agreements[0].redeem[0].at"),
    ]


@pytest.mark.parametrize(
    ("text", "line", "column", "reason"),
    [
        ("", 1, 1, "the file is empty"),
        ("# nothing\n", 1, 1, "the file is empty"),
        ("alliance: [1", 1, 13, "not YAML: expected ',' or ']', but got '<stream end>'"),
        ("a: 1\n\tb: 2", 2, 1, "not YAML: found character '\\t' that cannot start any token"),
        ("a: 1\n---\nb: 2\n", 2, 1, "not YAML: but found another document"),
        ("a: 1\nb: \x01", 2, 4, "a character that YAML does not allow"),
        ("[" * 5000, 1, 1, "nested too deeply"),
        ("just words", 1, 1, "must be a mapping of keys to values"),
    ],
)
def test_what_is_no_alliance_file(text: str, line: int, column: int, reason: str) -> None:
    with pytest.raises(FileErrors) as errors:
        parse(text, "x.yaml")
    assert [(error.line, error.column, error.reason) for error in errors.value.errors] == [(line, column, reason)]
    where = f"x.yaml:{line}:{column}: "
    assert str(errors.value) == f"{where}{reason}"


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        ("*x", "aliases (*) are not supported: write it out"),
        ("!!binary aGk=", "tags (!) are not supported"),
        ("!mine 3", "tags (!) are not supported"),
        ("0x10", "a whole number is written in plain digits, at most 18"),
        ("9" * 5000, "a whole number is written in plain digits, at most 18"),
        ("1e400", f'write it in quotes ("1e400"){EXACT}'),
        (".nan", f'write it in quotes (".nan"){EXACT}'),
    ],
)
def test_values_that_are_not_taken(value: str, reason: str) -> None:
    text = changed("points: 1,", f"points: {value},").replace("code: grocer", "code: &x grocer")
    assert (8, f"{RULE_PATH}.points", reason) in faults(text)


def test_a_fault_prints_as_one_line_with_its_place() -> None:
    with pytest.raises(FileErrors) as errors:
        parse(changed('"0.8"', "0.8"), "two.yaml")
    assert str(errors.value) == f'two.yaml:17:43: {EXCHANGE_PATH}.rate: write it in quotes ("0.8"){EXACT}'
    assert errors.value.to_json() == [
        {"line": 17, "column": 43, "path": f"{EXCHANGE_PATH}.rate", "reason": f'write it in quotes ("0.8"){EXACT}'}
    ]


@given(st.integers(0, len(SMALL)), st.integers(0, 40), st.text(max_size=8))
def test_whatever_is_cut_out_or_put_in_is_read_or_refused(start: int, length: int, put: str) -> None:
    with suppress(FileErrors):
        parse(SMALL[:start] + put + SMALL[start + length :], "two.yaml")


def test_r17_a_balance_may_go_below_zero_to_a_limit() -> None:
    def negative(value: str) -> Any:
        text = changed("name: Grocer points}", f"name: Grocer points, negative: {value}}}")
        return parse(text, "two.yaml").document.merchants[0].currencies[0].dump()["negative"]

    assert negative("{limit: 500}") == {"limit": 500}
    assert negative("by_reversal") == "by_reversal"


@pytest.mark.parametrize(
    ("region", "policy", "clause"),
    [
        ("CA-ON", "{policy: rolling, months: 24}", "s. 47.1"),
        ("CA-ON", "{policy: anniversary}", "s. 47.1"),
        ("CA-QC", "{policy: inactivity, months: 6}", "s. 79.6.3"),
    ],
)
def test_l01_what_a_jurisdiction_forbids_is_refused_with_its_clause(region: str, policy: str, clause: str) -> None:
    text = changed(CURRENCY, f"{CURRENCY[:-1]}, expiry: {policy}, notice: {{days: [30, 60]}}}}")
    text = text.replace("jurisdiction: US-OH", f"jurisdiction: {region}", 1)
    [(_, path, reason)] = faults(text)
    assert path == f"{CURRENCY_PATH}.expiry"
    assert reason.startswith(f"{region} forbids expiry of this kind (")
    assert clause in reason


@pytest.mark.parametrize(("start", "forbidden"), [("2017-12-31", False), ("2018-01-01", True)])
def test_l01_a_version_is_held_to_the_law_of_the_day_it_starts(start: str, forbidden: bool) -> None:
    later = f"policies: [{{version: 2, from: {start}, expiry: {{policy: rolling, months: 24}}}}]"
    text = changed(CURRENCY, f"{CURRENCY[:-1]}, {later}}}").replace("jurisdiction: US-OH", "jurisdiction: CA-ON", 1)
    if not forbidden:
        assert parse(text, "two.yaml").document
        return
    [(_, path, reason)] = faults(text)
    assert path == f"{CURRENCY_PATH}.policies[0].expiry"
    assert "s. 47.1" in reason


def test_l01_ontario_lets_points_end_by_inactivity() -> None:
    text = changed(CURRENCY, f"{CURRENCY[:-1]}, expiry: {{policy: inactivity, months: 12}}}}")
    assert parse(text.replace("jurisdiction: US-OH", "jurisdiction: CA-ON", 1), "two.yaml").document


@pytest.mark.parametrize(
    ("terms", "path", "reason"),
    [
        ("limits: {over: refuse}", "limits", "limits name at least one of perTransaction, perDay, perWeek, perMonth"),
        ("limits: {perDay: 0}", "limits.perDay", ""),
        ("pending: {}", "pending", "pending is either days or until: event"),
        ("pending: {days: 3, until: event}", "pending", "pending is either days or until: event"),
    ],
)
def test_r09_terms_that_say_nothing_are_refused(terms: str, path: str, reason: str) -> None:
    [(_, found, why)] = faults(changed(CURRENCY, f"{CURRENCY[:-1]}, {terms}}}"))
    assert found == f"{CURRENCY_PATH}.{path}"
    assert reason in why
