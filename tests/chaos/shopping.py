"""Members who shop: every verb over GraphQL, each call repeated by its key until it is answered.

What somebody does next is drawn from a seed and follows from the answers; so it is the same whoever is killed.
"""

import asyncio
import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

import aiohttp

from tests.chaos.house import House
from tests.schema.support import MODERN, by_card

Call = Callable[[str, dict[str, Any]], Awaitable[dict[str, Any]]]
"""Do a mutation with an input; its answer."""

INPUTS = {
    "enrolMember": ("EnrolMemberInput", "... on Enrolled { created joined }"),
    "earn": ("EarnInput", "... on Earned { points operation { id } }"),
    "redeem": ("RedeemInput", "... on Redeemed { points operation { id } }"),
    "holdPoints": ("HoldPointsInput", "... on Held { points hold { id } }"),
    "captureHold": ("CaptureHoldInput", "... on Captured { points released operation { id } }"),
    "releaseHold": ("ReleaseHoldInput", "... on Released { points }"),
    "transferPoints": ("TransferPointsInput", "... on Transferred { points operation { id } }"),
    "adjustPoints": ("AdjustPointsInput", "... on Adjusted { points operation { id } }"),
    "quoteExchange": ("QuoteExchangeInput", "... on Quoted { quote { id pointsOut pointsIn } }"),
    "exchangePoints": ("ExchangePointsInput", "... on Exchanged { pointsOut pointsIn operation { id } }"),
    "topUp": ("TopUpInput", "... on ToppedUp { operation { id } }"),
    "refundStoredValue": ("RefundStoredValueInput", "... on Refunded { operation { id } }"),
    "createPool": ("CreatePoolInput", "... on PoolCreated { pool { id } }"),
    "addPoolMember": ("AddPoolMemberInput", "... on PoolMemberAdded { pool { members { role } } }"),
    "contributeToPool": ("PoolTransferInput", "... on Contributed { points operation { id } }"),
    "withdrawFromPool": ("PoolTransferInput", "... on Withdrawn { points operation { id } }"),
    "reverse": ("ReverseInput", "... on Reversed { points operation { id } }"),
}
"""What each mutation takes, and what is asked of its success."""

DOCUMENTS = {
    name: f"mutation ($input: {kind}!) {{ {name}(input: $input) {{ __typename {want} ... on UserError {{ code }} }} }}"
    for name, (kind, want) in INPUTS.items()
}

WEEK = 604_800


@dataclass
class Shopper:
    """Three members of a household: what they do, one thing after the other, and what they were told."""

    name: str
    call: Call
    dice: random.Random
    cards: list[str] = field(init=False)
    holds: list[str] = field(default_factory=list)
    operations: list[str] = field(default_factory=list)
    told: list[tuple[Any, ...]] = field(default_factory=list)
    pool: str = ""

    def __post_init__(self) -> None:
        self.cards = [f"{self.name}-{n}" for n in range(3)]

    async def shop(self, steps: int) -> list[tuple[Any, ...]]:
        """Enrol, and take so many steps; what was answered, without ids."""
        for card in self.cards:
            identifiers = [{"type": "CARD", "issuer": "grocer", "value": card}]
            await self.do("enrolMember", merchant="grocer", channel="APP", identifiers=identifiers)
            await self.do("earn", **self.place("grocer", card), points=200)
        made = await self.do("createPool", merchant="grocer", owner=by_card(self.cards[0]), name=self.name)
        self.pool = made["pool"]["id"]
        await self.do("addPoolMember", pool=self.pool, member=by_card(self.cards[1]), role="SPENDER")
        doings = [self.buy, self.buy, self.pay_in_part, self.spend, self.hold, self.end_hold, self.give, self.exchange]
        doings += [self.adjust, self.top_up, self.refund, self.undo, self.put_together]
        for _ in range(steps):
            await self.dice.choice(doings)()
        return self.told

    async def do(self, name: str, /, **input: Any) -> dict[str, Any]:
        """One call, with a key that says which."""
        answer = await self.call(name, {"idempotencyKey": f"{self.name}-{len(self.told):04}", **input})
        figures = (answer.get(field) for field in ("points", "released", "pointsOut", "pointsIn", "code"))
        self.told.append((name, answer["__typename"], *figures))
        if answer.get("operation"):
            self.operations.append(answer["operation"]["id"])
        return answer

    def place(self, merchant: str, card: str | None = None) -> dict[str, Any]:
        """Where it happens, and to whom."""
        return {"merchant": merchant, "channel": "APP", "member": by_card(card or self.dice.choice(self.cards))}

    async def buy(self) -> None:
        """At the grocer's, or at the filling station for the grocer's points, which makes owed."""
        order = {"orderRef": f"{self.name}-{len(self.told)}", "amount": usd(self.dice.randint(1, 150))}
        await self.do("earn", **self.place(self.dice.choice(["grocer", "fuel"])), currency="GRO", **order)

    async def spend(self) -> None:
        place = self.place(self.dice.choice(["grocer", "fuel"]))
        await self.do("redeem", **place, currency="GRO", points=self.dice.randint(1, 120))

    async def pay_in_part(self) -> None:
        """An order of which points paid a dollar: the earn names the redemption that did; a second one may not."""
        place = self.place("grocer")
        spent = await self.do("redeem", **place, points=100)
        if "operation" in spent:
            paid = {"kind": "POINTS", "amount": usd(1), "operation": spent["operation"]["id"]}
            tenders = [paid, {"kind": "MONEY", "amount": usd(20)}]
            for _ in range(2):
                await self.do("earn", **place, amount=usd(21), tenders=tenders)

    async def top_up(self) -> None:
        place = self.place("grocer", self.cards[1])
        await self.do("topUp", **place, paid=usd(self.dice.randint(1, 30)), bonus=usd(2))

    async def refund(self) -> None:
        amount = {"amount": usd(5)} if self.dice.random() < 0.7 else {}
        await self.do(
            "refundStoredValue", merchant="grocer", member=by_card(self.cards[1]), reason="asked for", **amount
        )

    async def hold(self) -> None:
        points = self.dice.randint(1, 120)
        held = await self.do("holdPoints", **self.place("grocer"), points=points, expiresIn=WEEK)
        if "hold" in held:
            self.holds.append(held["hold"]["id"])

    async def end_hold(self) -> None:
        """Release one, or capture a part; of one that has ended as well."""
        if self.holds and self.dice.random() < 0.5:
            await self.do("releaseHold", hold=self.dice.choice(self.holds))
        elif self.holds:
            await self.do("captureHold", hold=self.dice.choice(self.holds), points=self.dice.randint(1, 60))

    async def give(self) -> None:
        one, other = self.dice.sample(self.cards, 2)
        points = self.dice.randint(1, 60)
        await self.do("transferPoints", **{"from": by_card(one)}, to=by_card(other), currency="GRO", points=points)

    async def exchange(self) -> None:
        """At a quote, if there is one to be had."""
        who = by_card(self.dice.choice(self.cards))
        offer = await self.do("quoteExchange", member=who, **{"from": "GRO"}, to="FUE", pointsOut=100)
        if "quote" in offer:
            await self.do("exchangePoints", quote=offer["quote"]["id"])

    async def adjust(self) -> None:
        points = self.dice.choice([-5, 7])
        await self.do("adjustPoints", merchant="grocer", member=by_card(self.cards[0]), points=points, reason="by hand")

    async def put_together(self) -> None:
        """Into the household's pool, out of it, or spent from it; the third of them is not in it."""
        card, points = self.dice.choice(self.cards), self.dice.randint(1, 80)
        name = self.dice.choice(["contributeToPool", "contributeToPool", "withdrawFromPool", "redeem"])
        if name == "redeem":
            await self.do("redeem", **self.place("grocer", card), pool=self.pool, points=points)
        else:
            await self.do(name, pool=self.pool, member=by_card(card), points=points)

    async def undo(self) -> None:
        """Any operation so far, whole or in part; of some it is refused."""
        part = {"points": self.dice.randint(1, 50)} if self.dice.random() < 0.5 else {}
        await self.do("reverse", operation=self.dice.choice(self.operations), reason="returned", **part)


def usd(amount: int) -> dict[str, str]:
    """So many dollars."""
    return {"amount": f"{amount}.00", "currency": "USD"}


def calls_of(session: aiohttp.ClientSession, house: House, answered: Callable[[], None]) -> Call:
    """Calls to the house, by somebody who asks again for as long as there is no answer."""

    async def call(name: str, input: dict[str, Any]) -> dict[str, Any]:
        body = {"query": DOCUMENTS[name], "variables": {"input": input}}
        while True:
            try:
                async with session.post(f"{house.url}/graphql", json=body, headers={"accept": MODERN}) as response:
                    answer = await response.json(content_type=None)
                if response.status == 200 and "errors" not in answer:
                    answered()
                    found: dict[str, Any] = answer["data"][name]
                    return found
            except (aiohttp.ClientError, ValueError):
                pass
            await asyncio.sleep(0.2)

    return call
