"""Chunks of lines, posted: on the sample alliance, on real PostgreSQL."""

import json
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import text

from alliance.clearing.commands import redeem_request
from alliance.gifts.commands import pool_request
from alliance.intake.commands import Answer, Sender, take
from alliance.runtime import Runtime
from domain.errors import Refusal
from domain.ledger.model import OperationKind
from domain.ledger.request import Posted
from domain.members.life import freeze
from domain.members.reasons import FreezeReason
from domain.pools.commands import create
from domain.programs.terms import PendingTerms
from resolvers import ids

NOW = datetime(2017, 1, 2, 12, tzinfo=UTC)
CLIENT = UUID(int=0xFEED)
OPERATOR = Sender(
    CLIENT,
    CLIENT,
    b"secret",
    merchant_id=None,
    may_give=True,
    may_reverse=True,
    operation_of=lambda id_: ids.decode_as("Operation", id_, 2),
)


def purchase(key: str, card: str = "900", amount: str = "10.00", **changes: Any) -> dict[str, Any]:
    """A purchase at the grocer: one point a dollar."""
    return {
        "key": f"purchase-{key}",
        "merchant": "grocer",
        "member": {"type": "CARD", "value": card},
        "channel": "STORE",
        "orderRef": f"order-{key}",
        "amount": {"amount": amount, "currency": "USD"},
    } | changes


def back(key: str, order: str, card: str = "900", **changes: Any) -> dict[str, Any]:
    """The return of a purchase."""
    sent = purchase(key, card, type="RETURN", of=f"order-{order}", restore=True) | changes
    return {name: value for name, value in sent.items() if name not in ("orderRef", "amount")}


async def send(runtime: Runtime, *lines: dict[str, Any], sender: Sender = OPERATOR) -> list[Answer]:
    return await take(runtime, sender, [json.dumps(line).encode() for line in lines], NOW)


def told(answers: list[Answer]) -> list[Any]:
    """Points of what was posted (as a string where the key was known), codes of what was refused."""
    shown: list[Any] = []
    for answer in answers:
        if isinstance(answer.outcome, Refusal):
            shown.append(answer.outcome.code)
        else:
            shown.append(f"{answer.outcome.points}" if answer.outcome.duplicate else answer.outcome.points)
    return shown


async def balance(runtime: Runtime, currency: str = "GRO") -> int:
    async with runtime.database.session() as session:
        found = await session.scalar(
            text("SELECT coalesce(sum(posted), 0) FROM account WHERE currency = :code"), {"code": currency}
        )
    return int(found or 0)


async def test_i1_one_answer_a_line_in_order_and_a_bad_one_fails_alone(runtime: Runtime) -> None:
    good, bad = purchase("1"), purchase("2", merchant="nowhere")
    answers = await take(
        runtime,
        OPERATOR,
        [json.dumps(good).encode(), b"{", json.dumps(bad).encode(), json.dumps(purchase("3", amount="7.00")).encode()],
        NOW,
    )

    assert told(answers) == [10, "MALFORMED_LINE", "NOT_FOUND", 7]
    assert [answer.key for answer in answers] == ["purchase-1", None, "purchase-2", "purchase-3"]
    assert await balance(runtime) == 17


async def test_who_is_not_known_is_enrolled_once_by_the_purchase(runtime: Runtime) -> None:
    answers = await send(runtime, purchase("1"), purchase("2"), purchase("3", card="901"))

    holders = [answer.outcome.holder_id for answer in answers if isinstance(answer.outcome, Posted)]
    assert holders[0] == holders[1] != holders[2]
    async with runtime.database.session() as session:
        assert await session.scalar(text("SELECT count(*) FROM member")) == 2


async def test_a_known_member_joins_the_next_merchant_and_stays_the_same(runtime: Runtime) -> None:
    at_fuel = purchase("2", merchant="fuel", member={"type": "CARD", "issuer": "grocer", "value": "900"})
    first, second = await send(runtime, purchase("1"), at_fuel)

    assert isinstance(first.outcome, Posted)
    assert isinstance(second.outcome, Posted)
    assert first.outcome.holder_id == second.outcome.holder_id
    async with runtime.database.session() as session:
        assert await session.scalar(text("SELECT count(*) FROM membership")) == 2


async def test_r27_a_key_is_answered_once_in_a_chunk_and_in_the_next(runtime: Runtime) -> None:
    assert told(await send(runtime, purchase("1"), purchase("1"))) == [10, "10"]
    assert told(await send(runtime, purchase("1"), purchase("1", amount="11.00"))) == ["10", "IDEMPOTENCY_CONFLICT"]
    assert await balance(runtime) == 10


async def test_a_partners_points_are_earned_under_the_agreement(runtime: Runtime) -> None:
    member = {"type": "CARD", "issuer": "grocer", "value": "900"}
    line = purchase("1", merchant="fuel", currency="GRO", member=member)
    assert told(await send(runtime, line)) == [10]

    async with runtime.database.session() as session:
        owed = (await session.execute(text("SELECT kind, points, amount FROM obligation"))).all()
    assert [tuple(row) for row in owed] == [("EARN", 10, 90_000), ("FEE", 10, 900)][: len(owed)]


async def test_r08_what_points_and_coupons_paid_earns_nothing(runtime: Runtime) -> None:
    tenders = [
        {"kind": "POINTS", "amount": {"amount": "20.00", "currency": "USD"}},
        {"kind": "MONEY", "amount": {"amount": "80.00", "currency": "USD"}},
    ]
    assert told(await send(runtime, purchase("1", amount="100.00", tenders=tenders))) == [80]


@pytest.mark.parametrize(
    ("changes", "code", "path"),
    [
        ({"merchant": "nowhere"}, "NOT_FOUND", "merchant"),
        ({"currency": "XYZ"}, "NOT_FOUND", "currency"),
        ({"store": "999999"}, "NOT_FOUND", "store"),
        ({"amount": {"amount": "5.00", "currency": "EUR"}}, "INVALID_INPUT", None),
        ({"amount": {"amount": "-5.00", "currency": "USD"}}, "INVALID_INPUT", "amount.amount"),
        ({"amount": {"amount": "9223372036854775808", "currency": "USD"}}, "INVALID_INPUT", "amount.amount"),
        ({"member": {"type": "STAMP", "value": "1"}}, "INVALID_INPUT", None),
        ({"occurredAt": "2017-02-01T00:00:00Z"}, "INVALID_INPUT", "occurredAt"),
    ],
)
async def test_what_the_programme_does_not_take_is_refused_with_its_path(
    runtime: Runtime, changes: dict[str, Any], code: str, path: str | None
) -> None:
    [answer] = await send(runtime, purchase("1", **changes))

    assert isinstance(answer.outcome, Refusal)
    assert answer.outcome.code == code
    assert path is None or ".".join(answer.outcome.path) == path
    assert await balance(runtime) == 0


async def test_a_frozen_member_earns_nothing(runtime: Runtime) -> None:
    [first] = await send(runtime, purchase("1"))
    assert isinstance(first.outcome, Posted)
    async with runtime.database.transaction() as session:
        await freeze(session, first.outcome.holder_id, reason=FreezeReason.DISPUTE, as_of=NOW)

    assert told(await send(runtime, purchase("2"), purchase("3", card="901"))) == ["MEMBER_NOT_ACTIVE", 10]


async def test_a_sender_acts_for_its_own_merchant_only(runtime: Runtime) -> None:
    fuel = Sender(CLIENT, CLIENT, b"s", runtime.catalogue.merchants["fuel"].id, may_give=False, may_reverse=False)
    answers = await send(
        runtime,
        purchase("1"),
        purchase("2", merchant="fuel", points=5) | {"amount": None},
        back("3", "1", merchant="fuel"),
        sender=fuel,
    )
    assert told(answers) == ["NOT_ALLOWED"] * 3
    assert told(await send(runtime, purchase("4", merchant="nowhere"), sender=fuel)) == ["NOT_FOUND"]


async def test_r23_a_return_takes_back_the_earn_of_its_order(runtime: Runtime) -> None:
    answers = await send(runtime, purchase("1"), purchase("2", amount="5.00"), back("3", "1"))

    assert told(answers) == [10, 5, -10]
    assert await balance(runtime) == 5


@pytest.mark.parametrize(("restore", "left"), [(False, 0), (True, 50)])
async def test_r23_a_return_restores_what_was_spent_only_if_it_says_so(
    runtime: Runtime, restore: bool, left: int
) -> None:
    await send(runtime, purchase("1", amount="50.00"), purchase("2", amount="100.00"))
    await _redeem(runtime, "order-2", 60)

    assert told(await send(runtime, back("3", "2", restore=restore))) == [-90 if not restore else -100]
    assert await balance(runtime) == left


async def test_r23_no_key_of_another_line_keeps_part_of_a_return_from_being_posted(runtime: Runtime) -> None:
    lookalikes = [purchase(f"3#{n}", amount="1.00") for n in range(3)]
    await send(runtime, purchase("1", amount="50.00"), purchase("2", amount="100.00"), *lookalikes)
    await _redeem(runtime, "order-2", 60)

    assert told(await send(runtime, back("3", "2"))) == [-100]
    assert told(await send(runtime, back("3", "2"))) == ["-100"]
    assert await balance(runtime) == 53


async def test_a_return_is_answered_once_and_a_second_one_is_refused(runtime: Runtime) -> None:
    await send(runtime, purchase("1"))

    assert told(await send(runtime, back("2", "1"), back("2", "1"))) == [-10, "-10"]
    assert told(await send(runtime, back("2", "1"), back("3", "1"))) == ["-10", "ALREADY_REVERSED"]
    assert told(await send(runtime, back("2", "1", restore=False))) == ["IDEMPOTENCY_CONFLICT"]


async def test_a_return_of_what_was_not_bought_is_refused(runtime: Runtime) -> None:
    await send(runtime, purchase("1"))
    usd = {"amount": "10.01", "currency": "USD"}
    answers = await send(
        runtime,
        back("2", "1", lines=[{"ref": "1"}]),
        back("3", "9"),
        back("4", "1", card="950"),
        back("5", "1", lines=[]),
        back("6", "1", lines=[{"ref": "1", "quantity": "x"}]),
        back("7", "1", lines=[{"ref": "1"}]) | {"amount": usd},
        back("8", "1") | {"amount": usd},
    )

    assert [(a.outcome.code, a.outcome.path) for a in answers if isinstance(a.outcome, Refusal)] == [
        ("NOT_FOUND", ("lines", "0", "ref")),
        ("NOT_FOUND", ("of",)),
        ("NOT_FOUND", ("member",)),
        ("INVALID_INPUT", ("lines",)),
        ("INVALID_INPUT", ("lines", "0", "quantity")),
        ("INVALID_INPUT", ("amount",)),
        ("RETURN_EXCEEDS_ORDER", ("amount", "amount")),
    ]
    assert await balance(runtime) == 10


async def test_r18_an_order_comes_back_line_by_line(runtime: Runtime) -> None:
    await send(runtime, _basket("1", "12.00", "8.00", quantity="2"))
    assert told(
        await send(
            runtime,
            back("2", "1", lines=[{"ref": "1", "quantity": "1"}]),
            back("2", "1", lines=[{"ref": "1", "quantity": "1"}]),
            back("3", "1", lines=[{"ref": "2"}]),
            back("4", "1", lines=[{"ref": "1", "quantity": "2"}]),
            back("5", "1", lines=[{"ref": "2"}]),
            back("6", "1"),
            back("7", "1"),
        )
    ) == [-6, "-6", -8, "RETURN_EXCEEDS_ORDER", "ALREADY_REVERSED", -6, "ALREADY_REVERSED"]
    assert await balance(runtime) == 0


async def test_r18_an_amount_of_an_order_comes_back(runtime: Runtime) -> None:
    await send(runtime, purchase("1"))
    part = back("2", "1") | {"amount": {"amount": "4.00", "currency": "USD"}}
    assert told(await send(runtime, part, back("3", "1"))) == [-4, -6]


@pytest.mark.parametrize("restore", [True, False])
async def test_r23_points_spent_on_what_comes_back_are_a_decision_of_their_own(runtime: Runtime, restore: bool) -> None:
    """20.00, of which 0.30 were paid with 30 points, earns 20; 12.00 are kept, of which 11.82 were money."""
    tenders = [
        {"kind": "POINTS", "amount": {"amount": "0.30", "currency": "USD"}},
        {"kind": "MONEY", "amount": {"amount": "19.70", "currency": "USD"}},
    ]
    await send(runtime, purchase("0", amount="1000.00"))
    await _redeem(runtime, "order-1", 30)
    assert told(await send(runtime, _basket("1", "12.00", "8.00", tenders=tenders))) == [20]
    assert await balance(runtime) == 990
    back_again = back("2", "1", lines=[{"ref": "2"}], restore=restore)
    assert told(await send(runtime, back_again, back_again)) == [-8, "-8"]
    assert await balance(runtime) == 982 + (12 if restore else 0)
    assert told(await send(runtime, back("3", "1", restore=restore))) == [-12]
    assert await balance(runtime) == 970 + (30 if restore else 0)


async def test_r23_a_result_names_all_that_was_booked_and_what_was_refused(runtime: Runtime) -> None:
    """One of two pieces had come back before, without the points spent on it: both pieces are not left to come back."""
    await send(runtime, purchase("0", amount="1000.00"))
    await _redeem(runtime, "order-1", 100)
    await send(runtime, _basket("1", "12.00", "8.00", quantity="2"))
    both = back("3", "1", lines=[{"ref": "1", "quantity": "2"}])
    one = back("2", "1", lines=[{"ref": "1", "quantity": "1"}], restore=False)
    for _ in range(2):
        (first, second) = await send(runtime, one, both)
        assert isinstance(first.outcome, Posted)
        assert isinstance(second.outcome, Posted)
        assert (first.refused, len(first.outcome.data["operations"])) == (None, 1)
        assert (second.outcome.points, second.outcome.data["restored"]) == (0, 60)
        assert second.refused is not None
        assert (second.refused.code, second.refused.path) == ("RETURN_EXCEEDS_ORDER", ("lines", "0", "quantity"))
    (rest,) = await send(runtime, back("4", "1"))
    assert isinstance(rest.outcome, Posted)
    assert (rest.outcome.points, rest.outcome.data["restored"], rest.refused) == (-14, 40, None)
    assert len(rest.outcome.data["operations"]) == 2
    assert await balance(runtime) == 1000


async def test_r06_r23_what_a_member_spent_of_a_pool_comes_back_to_it(runtime: Runtime) -> None:
    """An order of 20.00 on which 100 points of a pool were spent: 8.00 of it come back, then the rest."""
    await send(runtime, purchase("0", amount="1000.00"))
    grocer = runtime.catalogue.merchants["grocer"]
    async with runtime.database.transaction() as session:
        member = await session.scalar(text("SELECT id FROM member"))
        assert member is not None
        pool = await create(session, merchant_id=grocer.id, owner_id=member, name="Family", as_of=NOW)
    named: dict[str, Any] = {"pool_id": pool, "member_id": member, "points": 150, "client_id": CLIENT, "as_of": NOW}
    put = pool_request(runtime, kind=OperationKind.POOL_IN, currency="GRO", key=None, **named)
    assert (await runtime.engine.post(put)).points == 150
    named |= {"points": 100, "merchant": grocer, "occurred_at": NOW, "order_ref": "order-1"}
    await runtime.engine.post(redeem_request(runtime, key=None, **named))
    await send(runtime, _basket("1", "12.00", "8.00"))
    (part, rest) = await send(runtime, back("2", "1", lines=[{"ref": "2"}]), back("3", "1"))
    for answer, restored in ((part, 40), (rest, 60)):
        assert isinstance(answer.outcome, Posted)
        assert answer.outcome.data["restored"] == restored
        assert [holder for holder, _ in answer.outcome.data["operations"]] == [pool, member]
    assert await balance(runtime) == 1000


async def test_l04_a_feed_tops_up(runtime: Runtime) -> None:
    def top_up(key: str, paid: str, **changes: Any) -> dict[str, Any]:
        sent = purchase(key, type="TOP_UP", paid={"amount": paid, "currency": "USD"}) | changes
        return {name: value for name, value in sent.items() if name != "amount"}

    bonus = {"bonus": {"amount": "1.00", "currency": "USD"}}
    lines = [top_up("1", "10.00"), top_up("1", "10.00"), top_up("2", "5.00", **bonus), top_up("3", "0.00")]
    assert told(await send(runtime, *lines)) == [1000, "1000", 600, "INVALID_INPUT"]
    assert await balance(runtime, "GCARD") == 1600
    blind = replace(OPERATOR, may_give=False)
    assert told(await send(runtime, top_up("4", "5.00", **bonus), sender=blind)) == ["NOT_ALLOWED"]
    assert told(await send(runtime, top_up("5", "5.00", merchant="fuel"), top_up("6", "1.005"))) == [
        "NOT_FOUND",
        "INVALID_INPUT",
    ]


async def test_r08_r23_a_tender_says_what_was_spent_on_an_order(runtime: Runtime) -> None:
    """The redemption names no order: the order names the redemption."""
    await send(runtime, purchase("0", amount="3000.00"))
    paid = {"kind": "POINTS", "amount": {"amount": "20.00", "currency": "USD"}, "operation": "nothing"}
    tenders = [paid, {"kind": "MONEY", "amount": {"amount": "80.00", "currency": "USD"}}]
    (unknown,) = await send(runtime, purchase("1", amount="100.00", tenders=tenders))
    assert isinstance(unknown.outcome, Refusal)
    assert (unknown.outcome.code, unknown.outcome.path) == ("NOT_FOUND", ("tenders", "0", "operation"))
    spent = await _redeem(runtime, None, 2000)
    paid["operation"] = ids.encode("Operation", spent.holder_id, spent.operation_id or spent.holder_id)
    answers = [purchase(key, amount="100.00", tenders=tenders) for key in ("1", "1", "2")]
    assert told(await send(runtime, *answers)) == [80, "80", "TENDER_USED"]
    assert await balance(runtime) == 1080
    assert told(await send(runtime, back("3", "1", restore=True))) == [-80]
    assert await balance(runtime) == 3000


async def test_r20_a_return_may_say_that_the_merchant_was_at_fault(runtime: Runtime) -> None:
    await send(runtime, purchase("0", amount="30.00"))
    await _redeem(runtime, "order-1", 30)
    await send(runtime, purchase("1"))
    assert told(await send(runtime, back("2", "1", restore=True, merchantAtFault=True))) == [-10]
    async with runtime.database.session() as session:
        said = (await session.scalars(text("SELECT returned -> 'fault' ->> 'by' FROM operation_return"))).all()
    assert sorted(said, key=bool) == [None, str(CLIENT)]


def _basket(key: str, *amounts: str, quantity: str = "1", **changes: Any) -> dict[str, Any]:
    sent = purchase(key) | changes
    lines = [
        {"ref": str(n), "quantity": quantity, "amount": {"amount": amount, "currency": "USD"}}
        for n, amount in enumerate(amounts, 1)
    ]
    return {name: value for name, value in sent.items() if name != "amount"} | {"lines": lines}


async def _redeem(runtime: Runtime, order: str | None, points: int) -> Posted:
    async with runtime.database.session() as session:
        member_id = await session.scalar(text("SELECT id FROM member"))
    assert member_id is not None
    return await runtime.engine.post(
        redeem_request(
            runtime,
            member_id=member_id,
            merchant=runtime.catalogue.merchants["grocer"],
            points=points,
            occurred_at=NOW,
            as_of=NOW,
            key=None,
            client_id=CLIENT,
            order_ref=order,
        )
    )


async def test_r03_a_feed_confirms_or_rejects_what_an_order_left_pending(runtime: Runtime) -> None:
    catalogue = runtime.catalogue
    currency = catalogue.currencies["GRO"]
    waiting = replace(currency, policies=(replace(currency.policies[0], pending=PendingTerms(None)),))
    runtime.catalogue = replace(catalogue, currencies=catalogue.currencies | {"GRO": waiting})

    def decided(key: str, order: str, type_: str) -> dict[str, Any]:
        sent = purchase(key, type=type_, of=f"order-{order}")
        return {name: value for name, value in sent.items() if name not in ("orderRef", "amount")}

    again = purchase("3", orderRef="order-1", amount="4.00")
    assert told(await send(runtime, purchase("1"), again, purchase("2"))) == [10, 4, 10]
    assert told(await send(runtime, decided("c", "1", "CONFIRM"), decided("r", "2", "REJECT"))) == [14, -10]
    repeated = [decided("c", "1", "CONFIRM"), decided("r", "2", "REJECT"), decided("d", "1", "CONFIRM")]
    assert told(await send(runtime, *repeated)) == ["14", "-10", "NOT_PENDING"]
    late = [decided("e", "1", "REJECT"), decided("f", "2", "CONFIRM"), decided("g", "9", "CONFIRM")]
    assert told(await send(runtime, *late)) == ["NOT_PENDING", "NOT_PENDING", "NOT_FOUND"]
    async with runtime.database.session() as session:
        kept = await session.execute(text("SELECT kind, posted FROM account ORDER BY kind"))
    assert [tuple(row) for row in kept] == [("PENDING", 0), ("POINTS", 14)]
