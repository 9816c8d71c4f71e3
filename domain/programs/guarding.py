"""What a programme does against theft of accounts: whether points may be locked, when spending waits, what a new device
may spend."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class CoolingOff:
    """Nothing is spent for `hours` after an identifier of one of these types was linked or unlinked."""

    types: frozenset[str]
    hours: int


@dataclass(frozen=True, slots=True)
class NewDevice:
    """From devices first seen less than `days` ago a member spends at most `points` (smallest units) a day, of each
    currency."""

    days: int
    points: int


@dataclass(frozen=True, slots=True)
class GuardTerms:
    """A programme's rules about debits of its points; None: there is no such rule."""

    lock: bool = True
    cooling: CoolingOff | None = None
    device: NewDevice | None = None


NO_GUARD = GuardTerms()
"""What holds where nothing is said: members may lock their points."""


def guard_terms(alliance: Mapping[str, Any], own: Mapping[str, Any] | None) -> GuardTerms:
    """From the alliance file: what holds in all programmes, and what one of them says instead, rule by rule.

    A rule that says false is switched off.
    """
    said = {**alliance, **(own or {})}
    cooling, device = said.get("coolingOff"), said.get("newDevice")
    return GuardTerms(
        lock=said.get("lock", True),
        cooling=CoolingOff(frozenset(cooling["types"]), cooling["hours"]) if cooling else None,
        device=NewDevice(device["days"], device["points"]) if device else None,
    )
