"""The life of members, as compiled from the alliance file: in which stage they are when, and how they leave."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

Fate = Literal["lapse", "give"]
"""What becomes of the points of a member who leaves: they lapse, or go to whom the member names."""


@dataclass(frozen=True, slots=True)
class StageTerms:
    """Days: NEW since joining, DORMANT and LOST since the last purchase (or joining)."""

    new: int
    dormant: int
    lost: int


@dataclass(frozen=True, slots=True)
class LifeTerms:
    """`stages` None: members have none. What merchants (by code) have of their own stands instead of it."""

    stages: StageTerms | None = None
    stages_at: Mapping[str, StageTerms] = field(default_factory=dict)
    cooling_days: int = 0
    points: Fate = "lapse"
    points_at: Mapping[str, Fate] = field(default_factory=dict)


def life_terms(stored: Mapping[str, Any] | None) -> LifeTerms:
    """The terms as the alliance file has them."""
    if stored is None:
        return LifeTerms()
    stages, programmes = stored.get("stages"), stored.get("programmes", ())
    return LifeTerms(
        stages=None if stages is None else _stages(stages),
        stages_at={one["merchant"]: _stages(one) for one in programmes},
        cooling_days=stored["close"]["coolingDays"],
        points=stored["close"]["points"],
        points_at={one["merchant"]: one["points"] for one in programmes if one.get("points") is not None},
    )


def _stages(stored: Mapping[str, Any]) -> StageTerms:
    return StageTerms(stored["newDays"], stored["dormantDays"], stored["lostDays"])
