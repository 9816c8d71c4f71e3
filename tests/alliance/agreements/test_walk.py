"""Agreements against a plain model: random proposals, answers, ends; every version is compared (A2, A12)."""

import random
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import text

from alliance.agreements import commands
from alliance.agreements.book import load_book
from alliance.agreements.rules import midnight
from alliance.agreements.steps import Act
from domain.errors import Refusal
from tests.alliance.support import NOON, WHO, House, days
from tests.schema.test_agreements import CHEAPER, FILE, put

NOTICE = 90
"""Days before an agreement ends that this is said."""


@dataclass
class Version:
    """A version as it is on the blackboard; `by` are those who want it."""

    number: int
    starts: date
    by: set[str]
    ends: date | None = None
    status: str = "PROPOSED"

    def lasts(self, day: date) -> bool:
        """Whether it is not over."""
        return self.ends is None or self.ends > day


@dataclass
class Plain:
    """What two merchants agreed on. Every verb returns the refusal's name, or nothing."""

    versions: list[Version] = field(default_factory=lambda: [Version(1, date(2017, 1, 1), set(), status="IN_FORCE")])

    def counting(self) -> list[Version]:
        return [one for one in self.versions if one.status in ("IN_FORCE", "ENDED")]

    def at(self, day: date) -> int | None:
        found = [one.number for one in self.counting() if one.starts <= day and one.lasts(day)]
        assert len(found) <= 1
        return found[0] if found else None

    def _too_early(self, one: Version, today: date) -> str | None:
        if one.starts <= today:
            return "NoticeTooShort"
        last = max(self.counting(), key=lambda other: other.number)
        early = one.number < last.number or one.starts <= last.starts
        return "InvalidInput" if early or (last.ends is not None and one.starts < last.ends) else None

    def propose(self, who: str, today: date, starts: date) -> str | None:
        made = Version(self.versions[-1].number + 1, starts, {who})
        refused = self._too_early(made, today)
        if refused is None:
            self.versions.append(made)
        return refused

    def accept(self, one: Version, who: str, today: date) -> str | None:
        if one.status != "PROPOSED":
            return "WrongAgreementStatus"
        if who in one.by:
            return "NotAllowed"
        refused = self._too_early(one, today)
        if refused is None:
            for other in self.versions:
                if other.status == "IN_FORCE" and other.lasts(one.starts):
                    other.ends = one.starts
            one.status = "IN_FORCE"
        return refused

    def give_up(self, one: Version, who: str, status: str) -> str | None:
        if one.status != "PROPOSED":
            return "WrongAgreementStatus"
        if (who in one.by) != (status == "WITHDRAWN"):
            return "NotAllowed"
        one.status = status
        return None

    def end(self, today: date) -> str | None:
        live = sorted((one for one in self.versions if one.status == "IN_FORCE" and one.lasts(today)), key=_starts)
        if not live or any(one.status == "ENDED" and one.lasts(today) for one in self.versions):
            return "WrongAgreementStatus"
        last = today + timedelta(days=NOTICE)
        if live[-1].ends is not None and live[-1].ends <= last:
            return "InvalidInput"
        for one in live:
            if one.lasts(last):
                one.status, one.ends = "ENDED", max(last, one.starts)
        return None


def _starts(one: Version) -> date:
    return one.starts


@dataclass
class Walk:
    """The house, and the blackboard beside it."""

    house: House
    plain: Plain = field(default_factory=Plain)
    now: datetime = NOON
    agreement: Any = None

    def act(self, who: str) -> Act:
        return Act(self.house.id(who), WHO, "walking", self.now)

    async def tried(self, verb: str, *arguments: Any, **named: Any) -> str | None:
        """A command's refusal, by name."""
        catalogue = self.house.runtime.catalogue
        try:
            async with self.house.runtime.database.transaction() as session:
                await getattr(commands, verb)(session, catalogue, *arguments, **named)
        except Refusal as refusal:
            return type(refusal).__name__
        return None

    async def step(self, dice: random.Random) -> None:
        """One thing that one of the two does."""
        who, today = dice.choice(("grocer", "fuel")), self.now.date()
        one = dice.choice(self.plain.versions[-3:])
        key = (self.agreement, one.number)
        verb = dice.choice(("propose", "propose", "accept", "accept", "reject", "withdraw", "end", "wait"))
        if verb == "wait":
            self.now += days(dice.choice((1, 5, 60)))
            return
        if verb == "propose":
            starts = today + days(dice.choice((0, 1, 3, 10, 100)))
            merchants = tuple(self.house.runtime.catalogue.merchants[code] for code in ("grocer", "fuel"))
            told = await self.tried(verb, merchants, starts=starts, ends=None, terms=CHEAPER, act=self.act(who))
            expected = self.plain.propose(who, today, starts)
        elif verb == "end":
            told = await self.tried(verb, self.agreement, on=None, act=self.act(who))
            expected = self.plain.end(today)
        else:
            told = await self.tried(verb, key, self.act(who))
            if verb == "accept":
                expected = self.plain.accept(one, who, today)
            else:
                expected = self.plain.give_up(one, who, {"reject": "REJECTED", "withdraw": "WITHDRAWN"}[verb])
        assert told == expected, (verb, who, one)

    async def agrees(self) -> None:
        """Every version is as on the blackboard, and so is which one counts on a day."""
        alliance = self.house.runtime.catalogue.alliance
        query = "SELECT version, status, valid_from, valid_to FROM agreement_version ORDER BY version"
        async with self.house.runtime.database.session() as session:
            rows = [tuple(row) for row in await session.execute(text(query))]
            book = await load_book(session)
        assert rows == [
            (one.number, one.status, midnight(one.starts, alliance), one.ends and midnight(one.ends, alliance))
            for one in self.plain.versions
        ]
        for ahead in (-30, 0, 1, 4, 50, 95, 200):
            day = self.now.date() + days(ahead)
            found = book.between(self.house.id("grocer"), self.house.id("fuel"), midnight(day, alliance))
            assert (found and found.version) == self.plain.at(day)


@pytest.mark.parametrize("seed", [0, *(pytest.param(seed, marks=pytest.mark.long) for seed in range(1, 10))])
async def test_a02_a12_whatever_two_merchants_do_their_versions_are_the_models(house: House, seed: int) -> None:
    dice = random.Random(seed)
    await put(house.runtime, FILE)
    walk = Walk(house)
    async with house.runtime.database.session() as session:
        walk.agreement = await session.scalar(text("SELECT id FROM agreement"))
    for _ in range(40):
        await walk.step(dice)
        await walk.agrees()
