"""What the alliance says of the life of its members: the shape of `members.life`, and what is wrong with it."""

from collections.abc import Iterator, Mapping, Set
from typing import Annotated, Literal

from pydantic import Field, model_validator

from alliance.file.source import Path
from alliance.file.values import Code, Document, each, refusal

Faults = Iterator[tuple[Path, str]]
LifeDays = Annotated[int, Field(ge=1, le=3_650)]
Fate = Literal["lapse", "give"]


class Stages(Document):
    """After how many days a member is in which stage."""

    new_days: Annotated[int, Field(ge=0, le=3_650)] = 30
    dormant_days: LifeDays = 180
    lost_days: LifeDays = 365

    @model_validator(mode="after")
    def _fits(self) -> "Stages":
        if not self.new_days <= self.dormant_days < self.lost_days:
            raise refusal("newDays is at most dormantDays, which is less than lostDays")
        return self


class Close(Document):
    """What becomes of a member who leaves."""

    cooling_days: Annotated[int, Field(ge=0, le=365)] = 0
    points: Fate = "lapse"


class Programme(Stages):
    """What a merchant's programme says instead."""

    merchant: Code
    points: Fate | None = None


class Life(Document):
    """The life of members."""

    stages: Stages | None = None
    close: Close = Close()
    programmes: Annotated[list[Programme], each] = []


def wrong_life(life: Life, places: Mapping[int, Path], merchants: Set[str]) -> Faults:
    """What of it does not fit the rest. `places` are the paths of list items, by identity."""
    seen = set()
    for programme in life.programmes:
        path = (*places[id(programme)], "merchant")
        if programme.merchant in seen:
            yield path, "has its own terms already"
        seen.add(programme.merchant)
        if programme.merchant not in merchants:
            yield path, f"merchant {programme.merchant!r} is not declared"
