"""The life of a dispute (A10), whichever door it came through: pure. Amounts are millionths, in the raiser's favour.

Raised -> the other party accepts, accepts a part, or rejects -> the raiser takes that or insists, at most three rounds
-> either takes it to the operator, who decides. Who is silent past the deadline has spoken too.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from types import MappingProxyType

from alliance.disputes.errors import WrongClaimStatus
from domain.errors import InvalidInput

MOST_ROUNDS = 3


class DisputeStatus(StrEnum):
    """RAISED waits for the other party, ANSWERED for the raiser, ESCALATED for the operator; the others are the end.

    ACCEPTED: the two agree on `accepted`. WITHDRAWN: on nothing. DECIDED: by the operator. LAPSED: the operator did
    not, so that all stands as booked.
    """

    RAISED = "RAISED"
    ANSWERED = "ANSWERED"
    ESCALATED = "ESCALATED"
    ACCEPTED = "ACCEPTED"
    WITHDRAWN = "WITHDRAWN"
    DECIDED = "DECIDED"
    LAPSED = "LAPSED"


UNDECIDED = (DisputeStatus.RAISED, DisputeStatus.ANSWERED, DisputeStatus.ESCALATED)


class Side(StrEnum):
    """Who takes a step: one of the two parties, the operator between them, or the calendar."""

    RAISER = "RAISER"
    OTHER = "OTHER"
    OPERATOR = "OPERATOR"
    CALENDAR = "CALENDAR"


class Move(StrEnum):
    """What is done. RAISE begins it, INSIST opens the next round, NOTE says something, SILENCE is the calendar's."""

    RAISE = "RAISE"
    ACCEPT = "ACCEPT"
    ACCEPT_PARTLY = "ACCEPT_PARTLY"
    REJECT = "REJECT"
    INSIST = "INSIST"
    ESCALATE = "ESCALATE"
    WITHDRAW = "WITHDRAW"
    NOTE = "NOTE"
    DECIDE = "DECIDE"
    SILENCE = "SILENCE"


@dataclass(frozen=True, slots=True)
class State:
    """Where a dispute is. Of `claimed` the other party grants `offered`, for good; `accepted` is None until the end."""

    status: DisputeStatus
    round: int
    claimed: int
    offered: int = 0
    accepted: int | None = None

    @property
    def is_open(self) -> bool:
        """Whether it is not decided."""
        return self.accepted is None


def raised(claimed: int) -> State:
    """A new one."""
    return State(DisputeStatus.RAISED, 1, claimed)


_RAISED, _ANSWERED, _ESCALATED = UNDECIDED
_PARTIES = frozenset({Side.RAISER, Side.OTHER})

MAY: Mapping[tuple[DisputeStatus, Move], frozenset[Side]] = MappingProxyType(
    {
        (_RAISED, Move.ACCEPT): frozenset({Side.OTHER}),
        (_RAISED, Move.ACCEPT_PARTLY): frozenset({Side.OTHER}),
        (_RAISED, Move.REJECT): frozenset({Side.OTHER}),
        (_RAISED, Move.ESCALATE): _PARTIES,
        (_RAISED, Move.WITHDRAW): frozenset({Side.RAISER}),
        (_ANSWERED, Move.ACCEPT): _PARTIES,
        (_ANSWERED, Move.INSIST): frozenset({Side.RAISER}),
        (_ANSWERED, Move.ESCALATE): _PARTIES,
        (_ANSWERED, Move.WITHDRAW): frozenset({Side.RAISER}),
        (_ESCALATED, Move.ACCEPT): frozenset({Side.OTHER}),
        (_ESCALATED, Move.WITHDRAW): frozenset({Side.RAISER}),
        (_ESCALATED, Move.DECIDE): frozenset({Side.OPERATOR}),
        **{(status, Move.NOTE): _PARTIES | {Side.OPERATOR} for status in UNDECIDED},
        **{(status, Move.SILENCE): frozenset({Side.CALENDAR}) for status in UNDECIDED},
    }
)
"""Who may do what when. Nobody goes to the operator before there was an answer."""


def after(state: State, side: Side, move: Move, amount: int | None = None) -> State:
    """Where a dispute is after a move. `amount`: a part that is accepted, what is still insisted on, what is decided.

    Raises WrongClaimStatus for a move that is not that side's to make now, InvalidInput for an amount that is none.
    """
    asks_too_often = move is Move.INSIST and state.round >= MOST_ROUNDS
    too_early = move is Move.ESCALATE and state.status is _RAISED and state.round == 1
    if side not in MAY.get((state.status, move), ()) or asks_too_often or too_early:
        raise WrongClaimStatus(status=state.status.value, round=state.round, move=move.value, path=("move",))
    match move:
        case Move.NOTE:
            return state
        case Move.ACCEPT:
            return _left(state) if side is Side.RAISER else _agreed(state, state.claimed)
        case Move.ACCEPT_PARTLY:
            part = _part(state, amount, at_least=abs(state.offered))
            return _agreed(state, part) if part == state.claimed else replace(state, status=_ANSWERED, offered=part)
        case Move.REJECT:
            return replace(state, status=_ANSWERED)
        case Move.INSIST:
            asked = state.claimed if amount is None else _part(state, amount, at_least=abs(state.offered) + 1)
            return replace(state, status=_RAISED, round=state.round + 1, claimed=asked)
        case Move.ESCALATE:
            return replace(state, status=_ESCALATED)
        case Move.WITHDRAW:
            return _left(state)
        case Move.DECIDE:
            decided = 0 if amount == 0 else _part(state, amount)
            return replace(state, status=DisputeStatus.DECIDED, accepted=decided)
    return _silent(state)


def _agreed(state: State, amount: int) -> State:
    """The end, at what the other party accepts."""
    return replace(state, status=DisputeStatus.ACCEPTED, accepted=amount)


def _left(state: State) -> State:
    """The end, at what the other party has offered; the rest is withdrawn."""
    return (
        _agreed(state, state.offered) if state.offered else replace(state, status=DisputeStatus.WITHDRAWN, accepted=0)
    )


def _silent(state: State) -> State:
    """No answer: accepted. No next round: the rest is withdrawn. No decision: it stands as booked."""
    if state.status is _RAISED:
        return _agreed(state, state.claimed)
    if state.status is _ANSWERED:
        return _left(state)
    return replace(state, status=DisputeStatus.LAPSED, accepted=0)


def _part(state: State, amount: int | None, at_least: int = 1) -> int:
    """A part of what is claimed: not nothing, and not less than was granted before. Raises InvalidInput."""
    sign = 1 if state.claimed > 0 else -1
    if amount is None or not max(at_least, 1) <= sign * amount <= abs(state.claimed):
        raise InvalidInput(reason="name a part of what is claimed, not less than was granted", path=("amount",))
    return amount
