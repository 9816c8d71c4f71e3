"""Agreements as merchants come to them: proposed, accepted, ended; what each of them may see (A2, A3, A12, A14)."""

import asyncio
from datetime import UTC, datetime, timedelta
from importlib import resources
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError

from alliance.clearing.errors import NoAgreement
from alliance.file import Plan, apply, export, parse
from alliance.runtime import Runtime
from tests.alliance.support import House, key
from tests.schema.support import NOW, Client, viewer_of

PHARMACY = """\
  - code: pharmacy
    name: Pharmacy
    jurisdiction: US-OH
    currencies: [{code: PHA, kind: points, name: Pharmacy points}]

agreements:
"""
SAMPLE = (resources.files("server.samples") / "demo.yaml").read_text()
FILE = SAMPLE.replace("consent: operator", "consent: merchants").replace("agreements:\n", PHARMACY)
"""The sample, with a third merchant, where merchants agree by themselves."""

VERSION = "id number status startsAt endsAt waitsFor { code } steps { kind reason party { code } }"
PROPOSED = f"... on AgreementProposed {{ version {{ {VERSION} }} plan {{ number startsAt supersedes roundTrips }} }}"
ACCEPTED = f"... on AgreementAccepted {{ version {{ {VERSION} }} plan {{ supersedes waitsFor {{ code }} }} }}"
UNSOUND = "... on UnsoundAgreement { reasons }"
TOO_SHORT = "... on NoticeTooShort { earliest }"
STATUS = "... on WrongAgreementStatus { number status needed }"

EARN = {"at": "fuel", "of": "GRO", "issuePrice": {"amount": "0.010", "currency": "USD"}, "share": "0.9"}
CHEAPER = {
    "redeem": [{"at": "fuel", "of": "GRO", "redemptionPrice": {"amount": "0.0085", "currency": "USD"}}],
    "earn": [EARN],
}


@pytest.fixture
async def house(runtime: Runtime) -> House:
    """Grocer and fuel with the sample's agreement in force, and a pharmacy that has none."""
    await put(runtime, FILE)
    return House(runtime)


async def put(runtime: Runtime, file: str, as_of: datetime = NOW) -> Plan:
    """Apply a file."""
    async with runtime.database.transaction() as session:
        made = await apply(session, parse(file, "file.yaml"), as_of)
    await runtime.refresh()
    assert not made.refused, made.lines()
    return made


def at(client: Client, house: House, code: str, moment: datetime = NOW) -> Client:
    """The staff of a merchant that signs agreements, who may set the clock for these tests."""
    viewer = viewer_of("merchant", merchant_id=house.id(code))
    scopes = viewer.scopes | {"clock"}
    return client.signed_in(viewer_of("merchant", merchant_id=house.id(code), scopes=scopes)).at(moment)


def swap(source: str, target: str, rate: str, value: str) -> dict[str, Any]:
    price = {"amount": value, "currency": "USD"}
    return {"exchange": [{"from": source, "to": target, "rate": rate, "clearingValue": price}]}


async def propose(
    client: Client, *merchants: str, since: str = "2017-07-01", terms: Any = CHEAPER, **named: Any
) -> Any:
    want = f"{PROPOSED} {UNSOUND} {TOO_SHORT}"
    named = {"merchants": list(merchants), "from": since, "terms": terms, **named}
    return await client.do("proposeAgreement", "ProposeAgreementInput", want, **named)


async def accept(client: Client, version: str, **named: Any) -> Any:
    want = f"{ACCEPTED} {UNSOUND} {TOO_SHORT} {STATUS}"
    return await client.do("acceptAgreement", "AgreementVersionInput", want, version=version, **named)


async def end(client: Client, agreement: str, **named: Any) -> Any:
    ended = "version { number status endsAt runsOffTo lastCycle { number closesAt claimsUntil } } endsAt runsOffTo"
    want = f"... on AgreementEnded {{ {ended} }} {TOO_SHORT} {STATUS}"
    return await client.do("endAgreement", "EndAgreementInput", want, agreement=agreement, **named)


async def the_agreement(client: Client) -> str:
    found = await client.run('{ agreement(merchants: ["fuel", "grocer"]) { id } }')
    return str(found["agreement"]["id"])


async def test_a02_a_version_counts_from_its_midnight_once_both_agree(anonymous: Client, house: House) -> None:
    """100 points spent at fuel: 0.90 up to the last minute of June in New York, 0.85 from then on, once accepted."""
    member, last = await house.member(), datetime(2017, 7, 1, 3, 59, tzinfo=UTC)
    await house.earn(member, "grocer", 1_000)
    made = await propose(at(anonymous, house, "fuel"), "fuel", "grocer", reason="fuel prices fell")
    version = made["version"]
    assert (version["number"], version["status"], version["waitsFor"]) == (2, "PROPOSED", [{"code": "grocer"}])
    await house.runtime.refresh()
    before = await house.spend(member, "fuel", 100, as_of=last + timedelta(minutes=1))

    agreed = (await accept(at(anonymous, house, "grocer"), version["id"]))["version"]
    assert (agreed["status"], agreed["startsAt"], agreed["waitsFor"]) == ("IN_FORCE", "2017-07-01T04:00:00+00:00", [])
    assert agreed["steps"] == [
        {"kind": "PROPOSED", "reason": "fuel prices fell", "party": {"code": "fuel"}},
        {"kind": "ACCEPTED", "reason": "asked for by mutation", "party": {"code": "grocer"}},
    ]
    await house.runtime.refresh()
    june = await house.spend(member, "fuel", 100, as_of=last)
    july = await house.spend(member, "fuel", 100, as_of=last + timedelta(minutes=1))
    assert [(await house.owed(one))[0][-1] for one in (before, june, july)] == ["0.900000", "0.900000", "0.850000"]
    assert {o.agreement_version for o in await house.obligations()} == {1, 2}


async def test_who_accepts_who_rejects_and_who_withdraws(anonymous: Client, house: House) -> None:
    fuel, grocer = at(anonymous, house, "fuel"), at(anonymous, house, "grocer")
    first, second, third = [(await propose(fuel, "grocer", "fuel"))["version"]["id"] for _ in range(3)]

    async def step(client: Client, name: str, version: str) -> Any:
        success = {"rejectAgreement": "AgreementRejected", "withdrawAgreement": "AgreementWithdrawn"}[name]
        want = f"... on {success} {{ version {{ status }} }} {STATUS}"
        found = await client.do(name, "AgreementVersionInput", want, version=version)
        return found.get("version", {}) if found["__typename"] == success else found["code"]

    assert (await accept(fuel, first))["code"] == "NOT_ALLOWED"
    assert await step(fuel, "rejectAgreement", first) == "NOT_ALLOWED"
    assert await step(grocer, "withdrawAgreement", first) == "NOT_ALLOWED"
    assert await step(grocer, "rejectAgreement", first) == {"status": "REJECTED"}
    assert await step(fuel, "withdrawAgreement", second) == {"status": "WITHDRAWN"}
    operator = anonymous.signed_in(viewer_of("operator")).at(NOW)
    assert (await accept(operator, third))["code"] == "NOT_ALLOWED"
    assert (await accept(grocer, third))["version"]["status"] == "IN_FORCE"
    for version, status in ((first, "REJECTED"), (second, "WITHDRAWN"), (third, "IN_FORCE")):
        refused = await accept(grocer, version)
        assert (refused["code"], refused["status"]) == ("WRONG_AGREEMENT_STATUS", status)


async def test_what_the_operator_proposes_waits_for_both_unless_it_consents_for_them(
    anonymous: Client, house: House
) -> None:
    operator = anonymous.signed_in(viewer_of("operator")).at(NOW)
    made = (await propose(operator, "fuel", "grocer"))["version"]
    assert (made["status"], {one["code"] for one in made["waitsFor"]}) == ("PROPOSED", {"fuel", "grocer"})
    half = await accept(at(anonymous, house, "fuel"), made["id"])
    assert (half["version"]["status"], half["plan"]["waitsFor"]) == ("PROPOSED", [{"code": "grocer"}])
    assert (await accept(at(anonymous, house, "fuel"), made["id"]))["code"] == "NOT_ALLOWED"
    assert (await accept(at(anonymous, house, "grocer"), made["id"]))["version"]["status"] == "IN_FORCE"

    await put(house.runtime, FILE.replace("consent: merchants", "consent: operator"))
    made = (await propose(operator, "fuel", "grocer", since="2017-08-01"))["version"]
    assert (made["status"], [step["kind"] for step in made["steps"]]) == ("IN_FORCE", ["ACCEPTED"])


async def test_same_key_same_answer_and_a_dry_run_writes_nothing(anonymous: Client, house: House) -> None:
    fuel = at(anonymous, house, "fuel")
    both = swap("GRO", "FUE", "0.8", "0.008")["exchange"] + swap("FUE", "GRO", "1.0", "0.010")["exchange"]
    tried = await propose(fuel, "fuel", "grocer", terms={"exchange": both}, dryRun=True)
    assert tried["version"] is None
    assert (tried["plan"]["number"], tried["plan"]["supersedes"]) == (2, 1)
    assert tried["plan"]["roundTrips"] == [
        "1,000 points round FUE -> GRO -> FUE: fuel owes grocer 10.00, grocer owes fuel 8.00; 800 come back;"
        " net fuel -2.00, grocer 2.00"
    ]
    assert await house.count("agreement_version") == 1
    twice = [await propose(fuel, "fuel", "grocer", idempotencyKey="the same key") for _ in range(2)]
    assert twice[0] == twice[1]
    assert await house.count("agreement_version") == 2
    other = await propose(fuel, "fuel", "grocer", idempotencyKey="the same key", since="2017-08-01")
    assert other["code"] == "IDEMPOTENCY_CONFLICT"


async def test_of_two_who_accept_at_once_one_does(anonymous: Client, house: House) -> None:
    version = (await propose(at(anonymous, house, "fuel"), "fuel", "grocer"))["version"]["id"]
    grocer = at(anonymous, house, "grocer")
    found = await asyncio.gather(*(accept(grocer, version) for _ in range(4)))
    assert sorted(one["__typename"] for one in found) == ["AgreementAccepted", *["WrongAgreementStatus"] * 3]


@pytest.mark.parametrize(
    ("terms", "path", "reason"),
    [
        ({"redeem": [{"at": "fuel", "of": "GRO"}]}, ["terms", "redeem", "0", "redemptionPrice"], "Field required"),
        ({"redeems": []}, ["terms", "redeems"], "Extra inputs are not permitted"),
        ({"from": "2017-01-01"}, ["terms", "from"], "terms do not say between whom and when"),
        (swap("GRO", "PHA", "1", "0.01"), ["terms", "exchange", "0"], "an exchange is between the points of one party"),
        (
            swap("GRO", "FUE", "0.8", "0.0000001"),
            ["terms", "exchange", "0", "clearingValue", "amount"],
            "has more than 6",
        ),
        ({"notice": {"end": {"weeks": 3}}}, ["terms", "notice", "end"], "days are a number from 0 to 400"),
        ([], ["terms"], "must be an object"),
    ],
)
async def test_terms_that_are_wrong_are_refused_by_their_path(
    anonymous: Client, house: House, terms: Any, path: list[str], reason: str
) -> None:
    found = await propose(at(anonymous, house, "fuel"), "fuel", "grocer", terms=terms)
    assert (found["code"], found["path"]) == ("INVALID_INPUT", path)
    assert reason in found["message"]


async def test_a02_a_version_begins_after_those_in_force_and_with_notice(anonymous: Client, house: House) -> None:
    fuel = at(anonymous, house, "fuel")
    refused = await propose(fuel, "fuel", "grocer", since="2017-06-01")
    assert (refused["code"], refused["earliest"], refused["path"]) == ("NOTICE_TOO_SHORT", "2017-06-02", ["from"])
    early = (await propose(fuel, "fuel", "grocer", since="2017-06-02"))["version"]["id"]
    late = (await propose(fuel, "fuel", "grocer", since="2017-07-01"))["version"]["id"]
    slow = await accept(at(anonymous, house, "grocer", NOW + timedelta(days=1)), early)
    assert (slow["code"], slow["earliest"]) == ("NOTICE_TOO_SHORT", "2017-06-03")
    assert (await accept(at(anonymous, house, "grocer"), late))["plan"]["supersedes"] == 1
    stale = await accept(at(anonymous, house, "grocer"), early)
    assert (stale["code"], stale["message"]) == ("INVALID_INPUT", "version 3 is in force, which comes after it")
    again = await propose(fuel, "fuel", "grocer", since="2017-07-01")
    assert "must begin after 2017-07-01" in again["message"]


async def test_a02_the_database_keeps_versions_apart(house: House) -> None:
    again = "INSERT INTO agreement_version SELECT agreement_id, 9, now(), NULL, 'ENDED', terms FROM agreement_version"
    with pytest.raises(IntegrityError, match="ex_agreement_version_overlap"):
        async with house.runtime.database.transaction() as session:
            await session.execute(text(again))


async def test_a03_a14_a_money_machine_is_refused_and_each_is_told_its_own_exchanges(
    anonymous: Client, house: House
) -> None:
    """GRO -> FUE at 0.8 is in force. FUE -> PHA at 1 is agreed on; so PHA -> GRO at 1.3 would turn 1 GRO into 1.04."""
    fuel, pharmacy, grocer = (at(anonymous, house, code) for code in ("fuel", "pharmacy", "grocer"))
    there = (await propose(fuel, "fuel", "pharmacy", terms=swap("FUE", "PHA", "1", "0.01")))["version"]["id"]
    back = {"terms": swap("PHA", "GRO", "1.3", "0.013"), "since": "2017-08-01"}
    sound = await propose(pharmacy, "pharmacy", "grocer", **back)
    assert sound["version"]["status"] == "PROPOSED", "what is only proposed elsewhere does not count"
    assert (await accept(pharmacy, there))["version"]["status"] == "IN_FORCE"

    refused = await accept(grocer, sound["version"]["id"])
    mine = "PHA -> GRO, GRO -> FUE and exchanges of others turn 1 point into more than 1"
    assert refused["code"] == "UNSOUND_AGREEMENT"
    assert refused["reasons"][0] == f"a money machine: from 2017-08-01, {mine}"
    told = (await propose(pharmacy, "grocer", "pharmacy", **back))["reasons"]
    assert "FUE -> PHA, PHA -> GRO and exchanges of others" in told[0]
    operator = anonymous.signed_in(viewer_of("operator")).at(NOW)
    told = (await propose(operator, "grocer", "pharmacy", **back))["reasons"]
    assert told[0] == "a money machine: from 2017-08-01, FUE -> PHA -> GRO -> FUE turns 1 point into 1.04"


async def test_a14_an_agreement_is_not_there_for_others(anonymous: Client, house: House) -> None:
    fuel, pharmacy = at(anonymous, house, "fuel"), at(anonymous, house, "pharmacy")
    made = (await propose(fuel, "fuel", "grocer"))["version"]["id"]
    agreement = await the_agreement(fuel)
    seen = (
        '{ agreements { totalCount edges { node { id } } } agreement(merchants: ["fuel", "grocer"]) { id }'
        f' a: node(id: "{agreement}") {{ id }} v: node(id: "{made}") {{ id }} }}'
    )
    assert await pharmacy.run(seen) == {
        "agreements": {"totalCount": 0, "edges": []},
        "agreement": None,
        "a": None,
        "v": None,
    }
    own = await fuel.run(seen)
    assert own["agreements"] == {"totalCount": 1, "edges": [{"node": {"id": agreement}}]}
    assert (own["a"], own["v"]) == ({"id": agreement}, {"id": made})
    assert (await accept(pharmacy, made))["code"] == "NOT_FOUND"
    assert (await end(pharmacy, agreement))["code"] == "NOT_FOUND"
    assert (await propose(pharmacy, "fuel", "grocer"))["code"] == "NOT_ALLOWED"
    auditor = await anonymous.signed_in(viewer_of("auditor")).run(seen)
    assert auditor["agreements"]["totalCount"] == 1


async def test_a12_an_agreement_ends_with_notice_and_runs_off(anonymous: Client, house: House) -> None:
    """Notice on 1 June, 90 days: it ends on 30 August. Spends run off for 30 days more, at the last prices."""
    member, fuel = await house.member(), at(anonymous, house, "fuel")
    granted = await house.earn(member, "fuel", 1_000)
    agreement = await the_agreement(fuel)
    soon = await end(fuel, agreement, on="2017-08-29")
    assert (soon["code"], soon["earliest"], soon["path"]) == ("NOTICE_TOO_SHORT", "2017-08-30", ["on"])
    tried = await end(fuel, agreement, dryRun=True)
    assert (tried["version"], tried["endsAt"]) == (None, "2017-08-30T04:00:00+00:00")
    ended = await end(fuel, agreement, reason="we leave")
    assert ended["version"] == {
        "number": 1,
        "status": "ENDED",
        "endsAt": "2017-08-30T04:00:00+00:00",
        "runsOffTo": "2017-09-29T04:00:00+00:00",
        # Cycles are cut off on Mondays; the run-off ends on a Friday.
        "lastCycle": {"number": ended["version"]["lastCycle"]["number"]}
        | {"closesAt": "2017-10-02T04:00:00+00:00", "claimsUntil": "2018-04-01T04:00:00+00:00"},
    }
    again = await end(at(anonymous, house, "grocer"), agreement)
    assert (again["code"], again["status"]) == ("WRONG_AGREEMENT_STATUS", "ENDED")

    await house.runtime.refresh()
    last = datetime(2017, 8, 30, 3, 59, tzinfo=UTC)
    over, off = last + timedelta(minutes=1), last + timedelta(days=30)
    await house.earn(member, "fuel", 10, as_of=last)
    for refused in (
        house.earn(member, "fuel", 10, as_of=over),
        house.quote(member, as_of=over),
        house.spend(member, "fuel", 10, as_of=off + timedelta(minutes=1)),
    ):
        with pytest.raises(NoAgreement):
            await refused
    spent = await house.spend(member, "fuel", 100, as_of=off)
    assert await house.owed(spent) == [("SPEND", "grocer", "fuel", 100, "0.900000")]
    late = off + timedelta(days=40)
    assert await house.owed(await house.reverse(member, granted, as_of=late)) == [
        ("EARN", "fuel", "grocer", -910, "-8.190000")
    ]
    assert await house.owed(await house.earn(member, "fuel", 10, as_of=over, occurred_at=last, key=key())) == [
        ("EARN", "fuel", "grocer", 10, "0.090000")
    ]


async def test_a12_what_was_ended_may_go_on_by_another_version(anonymous: Client, house: House) -> None:
    fuel, grocer = at(anonymous, house, "fuel"), at(anonymous, house, "grocer")
    ahead = (await propose(fuel, "fuel", "grocer", since="2018-01-01"))["version"]["id"]
    await accept(grocer, ahead)
    ended = await end(grocer, await the_agreement(grocer), on="2017-09-01")
    assert (ended["version"]["number"], ended["version"]["status"]) == (1, "ENDED")
    versions = "versions { edges { node { number status runsOffTo lastCycle { number } } } }"
    statuses = f"{{ agreements {{ edges {{ node {{ current {{ number }} {versions} }} }} }} }}"
    (edge,) = (await grocer.run(statuses))["agreements"]["edges"]
    assert edge["node"]["current"] == {"number": 1}
    first, second = (one["node"] for one in edge["node"]["versions"]["edges"])
    assert (first["status"], first["runsOffTo"]) == ("ENDED", "2017-10-01T04:00:00+00:00")
    assert second == {"number": 2, "status": "ENDED", "runsOffTo": None, "lastCycle": None}, "it never began"
    overlapping = await propose(fuel, "fuel", "grocer", since="2017-08-31")
    assert "overlaps version 1, which is published to 2017-09-01" in overlapping["message"]
    onward = (await propose(fuel, "fuel", "grocer", since="2017-09-01"))["version"]["id"]
    assert (await accept(grocer, onward))["version"]["number"] == 3


async def test_the_file_keeps_to_what_merchants_decided(anonymous: Client, house: House) -> None:
    second = """\
  - merchants: [fuel, grocer]
    version: 2
    from: 2017-07-01
    redeem: [{at: fuel, of: GRO, redemptionPrice: {amount: "0.0085", currency: USD}}]
"""
    await put(house.runtime, FILE + second)
    fuel, grocer = at(anonymous, house, "fuel"), at(anonymous, house, "grocer")
    found = await grocer.run(
        '{ agreement(merchants: ["fuel", "grocer"]) { id versions(last: 1) { edges { node { id status } } } } }'
    )
    proposed = found["agreement"]["versions"]["edges"][0]["node"]
    assert proposed["status"] == "PROPOSED"
    want = "... on AgreementRejected { version { status } }"
    await grocer.do("rejectAgreement", "AgreementVersionInput", want, version=proposed["id"])
    await end(fuel, found["agreement"]["id"])
    made = await put(house.runtime, FILE + second)
    assert not made.changed
    assert [notice for notice in made.notices if "agreement" in notice] == [
        "agreement fuel/grocer version 1 was ended: it lasts to 2017-08-30",
        "agreement fuel/grocer version 2 was rejected, and stays so",
    ]
    async with house.runtime.database.session() as session:
        written = await export(session)
    assert "to: 2017-08-30" in written
    assert not (await put(house.runtime, written)).changed


async def test_a10_an_agreement_may_give_longer_to_object_and_to_claim(anonymous: Client, house: House) -> None:
    """The alliance's three business days after Monday 5 June end on Thursday; ten days end on the 15th."""
    fuel, grocer = at(anonymous, house, "fuel"), at(anonymous, house, "grocer")
    terms = {**CHEAPER, "objectionDays": 10, "claimDays": 30, "notice": {"end": {"business": 10}, "runOff": 0}}
    longer = (await propose(fuel, "fuel", "grocer", since="2017-06-03", terms=terms))["version"]["id"]
    await accept(grocer, longer)
    await house.runtime.refresh()
    await house.earn(await house.member(), "fuel", 1_000)
    monday = datetime(2017, 6, 5, 4, tzinfo=UTC)
    cycle = await house.step("issue_statements", await house.close(monday), as_of=monday)
    assert cycle.objections_until == datetime(2017, 6, 16, 4, tzinfo=UTC)
    ended = await end(at(anonymous, house, "fuel", monday), await the_agreement(fuel))
    # Ten business days after the 5th it is the 19th, where a cycle is cut off; claims for 30 days after.
    assert ended["endsAt"] == ended["runsOffTo"] == "2017-06-19T04:00:00+00:00"
    assert ended["version"]["lastCycle"]["closesAt"] == "2017-06-19T04:00:00+00:00"
    assert ended["version"]["lastCycle"]["claimsUntil"] == "2017-07-20T04:00:00+00:00"
