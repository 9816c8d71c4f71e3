"""The life of a dispute (A10): every move of every side in every state, and silences, against what the rule says."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from alliance.disputes.errors import WrongClaimStatus
from alliance.disputes.life import MAY, MOST_ROUNDS, UNDECIDED, Move, Side, State, after, raised
from domain.errors import InvalidInput

RAISER, OTHER, ARBITER, CLOCK = Side.RAISER, Side.OTHER, Side.OPERATOR, Side.CALENDAR
Path = list[tuple[Side, Move, int | None]]

QUIET = (CLOCK, Move.SILENCE, None)
NO: tuple[Side, Move, int | None] = (OTHER, Move.REJECT, None)
PART = (OTHER, Move.ACCEPT_PARTLY, 30)
AGAIN: tuple[Side, Move, int | None] = (RAISER, Move.INSIST, None)
UP: tuple[Side, Move, int | None] = (RAISER, Move.ESCALATE, None)

PATHS: list[tuple[Path, str, int]] = [
    ([(OTHER, Move.ACCEPT, None)], "ACCEPTED", 100),
    ([(OTHER, Move.ACCEPT_PARTLY, 100)], "ACCEPTED", 100),
    ([QUIET], "ACCEPTED", 100),
    ([(RAISER, Move.WITHDRAW, None)], "WITHDRAWN", 0),
    ([NO, QUIET], "WITHDRAWN", 0),
    ([NO, (RAISER, Move.WITHDRAW, None)], "WITHDRAWN", 0),
    ([NO, (RAISER, Move.ACCEPT, None)], "WITHDRAWN", 0),
    ([NO, (OTHER, Move.ACCEPT, None)], "ACCEPTED", 100),
    ([PART, QUIET], "ACCEPTED", 30),
    ([PART, (RAISER, Move.ACCEPT, None)], "ACCEPTED", 30),
    ([PART, (RAISER, Move.INSIST, 60), QUIET], "ACCEPTED", 60),
    ([PART, AGAIN, NO, QUIET], "ACCEPTED", 30),
    ([PART, AGAIN, (RAISER, Move.WITHDRAW, None)], "ACCEPTED", 30),
    ([NO, AGAIN, QUIET], "ACCEPTED", 100),
    ([NO, AGAIN, NO, AGAIN, NO, QUIET], "WITHDRAWN", 0),
    ([NO, AGAIN, NO, AGAIN, (OTHER, Move.ACCEPT_PARTLY, 20), QUIET], "ACCEPTED", 20),
    ([NO, AGAIN, NO, AGAIN, NO, UP, (ARBITER, Move.DECIDE, 70)], "DECIDED", 70),
    ([NO, AGAIN, NO, AGAIN, NO, (OTHER, Move.ESCALATE, None), (ARBITER, Move.DECIDE, 0)], "DECIDED", 0),
    ([NO, UP, (ARBITER, Move.DECIDE, 100)], "DECIDED", 100),
    ([NO, AGAIN, (OTHER, Move.ESCALATE, None), (ARBITER, Move.DECIDE, 5)], "DECIDED", 5),
    ([NO, UP, QUIET], "LAPSED", 0),
    ([PART, UP, QUIET], "LAPSED", 0),
    ([NO, UP, (OTHER, Move.ACCEPT, None)], "ACCEPTED", 100),
    ([NO, UP, (RAISER, Move.WITHDRAW, None)], "WITHDRAWN", 0),
    ([(ARBITER, Move.NOTE, None), NO, (RAISER, Move.NOTE, None), UP, (OTHER, Move.NOTE, None), QUIET], "LAPSED", 0),
]


@pytest.mark.parametrize(("path", "status", "accepted"), PATHS)
@pytest.mark.parametrize("sign", [1, -1])
def test_a10_every_way_a_dispute_ends(path: Path, status: str, accepted: int, sign: int) -> None:
    """Of 100; and of one whose right line would be dearer to who raised it."""
    state = raised(100 * sign)
    for side, move, amount in path:
        assert state.is_open
        state = after(state, side, move, None if amount is None else amount * sign)
    assert (state.status, state.accepted) == (status, accepted * sign)


@pytest.mark.parametrize(
    "path",
    [
        [UP],
        [(OTHER, Move.ESCALATE, None)],
        [(OTHER, Move.WITHDRAW, None)],
        [(RAISER, Move.ACCEPT, None)],
        [(ARBITER, Move.DECIDE, 1)],
        [AGAIN],
        [NO, NO],
        [NO, (ARBITER, Move.DECIDE, 1)],
        [NO, AGAIN, NO, AGAIN, NO, AGAIN],
        [NO, UP, UP],
        [NO, UP, (OTHER, Move.DECIDE, 1)],
        [(OTHER, Move.ACCEPT, None), (OTHER, Move.ACCEPT, None)],
        [QUIET, QUIET],
    ],
)
def test_a10_what_is_not_ones_own_to_do_is_refused(path: Path) -> None:
    state = raised(100)
    for side, move, amount in path[:-1]:
        state = after(state, side, move, amount)
    with pytest.raises(WrongClaimStatus):
        after(state, *path[-1])


@pytest.mark.parametrize(
    ("path", "move"),
    [
        ([], (OTHER, Move.ACCEPT_PARTLY, 101)),
        ([], (OTHER, Move.ACCEPT_PARTLY, 0)),
        ([], (OTHER, Move.ACCEPT_PARTLY, None)),
        ([], (OTHER, Move.ACCEPT_PARTLY, -1)),
        ([PART, AGAIN], (OTHER, Move.ACCEPT_PARTLY, 29)),
        ([PART], (RAISER, Move.INSIST, 30)),
        ([PART], (RAISER, Move.INSIST, 101)),
        ([NO, UP], (ARBITER, Move.DECIDE, 101)),
        ([NO, UP], (ARBITER, Move.DECIDE, None)),
    ],
)
def test_a10_an_amount_is_a_part_of_what_is_claimed(path: Path, move: tuple[Side, Move, int | None]) -> None:
    state = raised(100)
    for side, done, amount in path:
        state = after(state, side, done, amount)
    with pytest.raises(InvalidInput):
        after(state, *move)


@settings(max_examples=60, deadline=None)
@given(
    claimed=st.integers(-200, 200),
    moves=st.lists(
        st.tuples(st.sampled_from(Side), st.sampled_from(Move), st.none() | st.integers(-200, 200)), max_size=14
    ),
)
def test_a10_whatever_is_tried_a_dispute_ends_once_within_three_rounds(
    claimed: int, moves: list[tuple[Side, Move, int | None]]
) -> None:
    state = raised(claimed)
    for side, move, amount in moves:
        try:
            following = after(state, side, move, amount)
        except (WrongClaimStatus, InvalidInput):
            continue
        assert state.is_open
        assert side in MAY[state.status, move]
        assert following.round in (state.round, state.round + 1)
        assert following.round <= MOST_ROUNDS
        assert abs(state.offered) <= abs(following.offered) <= abs(following.claimed) <= abs(state.claimed)
        assert abs(following.accepted or 0) <= abs(state.claimed)
        state = following
    quiet: State = state if not state.is_open else after(state, Side.CALENDAR, Move.SILENCE)
    assert quiet.status not in UNDECIDED
    for side in Side:
        for move in Move:
            with pytest.raises(WrongClaimStatus):
                after(quiet, side, move, 1)
