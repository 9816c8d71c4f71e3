"""The resolvers' small parts, without a server: ids, pages, languages, keys, the loader of the hot path."""

import asyncio
import uuid
from datetime import UTC, datetime
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.errors import InvalidInput, NotFound
from domain.programs.catalogue import Currency, CurrencyPolicy, ExpiryPolicy
from resolvers import ids
from resolvers.context import Context, language_of
from resolvers.loading import Gatherer
from resolvers.pages import cut, decode_cursor, encode_cursor, window
from resolvers.sent import key_of, plain
from resolvers.viewer import Viewer
from resolvers.worth import worth, worth_of_one

ONE, TWO = uuid.uuid4(), uuid.uuid4()


def test_ids_go_round() -> None:
    assert ids.decode_as("Operation", ids.encode("Operation", ONE, TWO), 2) == (ONE, TWO)
    assert ids.decode(ids.encode_code("Merchant", "grocer")) == ("Merchant", b"grocer")


@given(st.text(max_size=300))
def test_what_is_no_id_is_not_found(text: str) -> None:
    with pytest.raises(NotFound):
        ids.decode_as("Member", text, 1)


def test_an_id_of_another_kind_is_not_found() -> None:
    with pytest.raises(NotFound):
        ids.decode_as("Member", ids.encode("Wallet", ONE), 1)


def test_cursors_go_round() -> None:
    moment = datetime(2017, 1, 1, tzinfo=UTC)
    shape = (datetime.fromisoformat, uuid.UUID)
    assert decode_cursor(encode_cursor((moment, ONE)), "after", shape) == (moment, ONE)


@given(st.text(max_size=60))
def test_what_is_no_cursor_is_refused(text: str) -> None:
    with pytest.raises(InvalidInput):
        decode_cursor(text, "after", (uuid.UUID, uuid.UUID))


@given(st.lists(st.integers(0, 99), unique=True), st.integers(1, 10), st.booleans())
def test_pages_cover_the_list(numbers: list[int], size: int, backward: bool) -> None:
    rows = sorted(f"{number:02}" for number in numbers)
    seen: list[str] = []
    bound: str | None = None
    while True:
        asked = window((str,), last=size, before=bound) if backward else window((str,), first=size, after=bound)
        page = cut(asked, rows, lambda row: (row,))
        found = [row for _, row in page.rows]
        seen = found + seen if backward else seen + found
        if not (page.has_previous if backward else page.has_next):
            break
        bound = encode_cursor(page.rows[0 if backward else -1][0])
    assert seen == rows


@pytest.mark.parametrize(
    ("header", "language"),
    [
        ("", "en"),
        ("zh", "zh-CN"),
        ("zh-TW, en;q=0.9", "zh-CN"),
        ("fr, en;q=0.5, zh;q=0.9", "zh-CN"),
        ("fr", "en"),
        ("*", "en"),
        ("zh;q=0", "en"),
        ("zh;q=x, en", "en"),
        ("x" * 500, "en"),
    ],
)
def test_language(header: str, language: str) -> None:
    assert language_of(header) == language


class _Caller:
    """As much of a context as a key needs."""

    signed_in = Viewer("merchant", ONE, TWO, None, None, frozenset())

    class house:
        fingerprint_secret = b"secret"


def _fingerprint(name: str, **sent: Any) -> bytes:
    return key_of(cast("Context", _Caller()), name, {"idempotencyKey": "k" * 8, **sent}).fingerprint


def test_fingerprints_are_of_the_fields_as_sent() -> None:
    first = _fingerprint("earn", points=5, member={"number": "1"})
    assert first == _fingerprint("earn", member={"number": "1"}, points=5)
    assert first == _fingerprint("earn", member={"number": "1", "id": None}, points=5, store=None)
    assert first == _fingerprint("earn", member={"number": "1"}, points=5, dryRun=False)
    assert first != _fingerprint("redeem", member={"number": "1"}, points=5)
    assert first != _fingerprint("earn", member={"number": "1"}, points=6)
    assert first != _fingerprint("earn", member={"number": "2"}, points=5)


def test_texts_are_checked_wherever_they_are() -> None:
    with pytest.raises(InvalidInput) as refused:
        plain({"lines": [{"ref": "a"}, {"ref": "b\0"}]})
    assert refused.value.path == ("lines", "1", "ref")


async def test_what_is_asked_while_a_batch_runs_is_the_next_batch() -> None:
    batches: list[list[int]] = []
    started, gate = asyncio.Event(), asyncio.Event()

    async def load(keys: list[int]) -> list[int | Exception]:
        batches.append(keys)
        started.set()
        await gate.wait()
        return [KeyError(key) if key == 3 else key * 10 for key in keys]

    gatherer: Gatherer[int, int] = Gatherer(load, most=3)
    first = asyncio.ensure_future(gatherer.load(0))
    await started.wait()
    rest = [asyncio.ensure_future(gatherer.load(key)) for key in range(1, 6)]
    rest[4].cancel()
    gate.set()
    results = await asyncio.gather(first, *rest, return_exceptions=True)
    assert batches == [[0], [1, 2, 3], [4, 5]]
    assert results[:3] == [0, 10, 20]
    assert isinstance(results[3], KeyError)
    assert results[4] == 40
    assert await gatherer.load(7) == 70


async def test_a_batch_that_fails_fails_those_in_it_alone() -> None:
    async def load(keys: list[int]) -> list[int]:
        if 1 in keys:
            raise OSError("away")
        return keys

    gatherer: Gatherer[int, int] = Gatherer(load)
    results = await asyncio.gather(gatherer.load(1), gatherer.load(2), return_exceptions=True)
    assert all(isinstance(result, OSError) for result in results)
    assert await gatherer.load(2) == 2


def _currency(worth_: int | None, scale: int = 0) -> Currency:
    policy = CurrencyPolicy(1, None, None, worth_, None if worth_ is None else "USD", ExpiryPolicy("never"), "never")
    return Currency("GRO", ONE, "points", "Grocer points", scale, (policy,))


def test_worth() -> None:
    now = datetime(2017, 1, 1, tzinfo=UTC)
    half_a_cent = _currency(500_000)
    assert worth_of_one(half_a_cent, now) == ("0.005", "USD")
    assert [worth(half_a_cent, points, now) for points in (0, 1, 3, -3)] == [
        (0, "USD"),
        (0, "USD"),
        (1, "USD"),
        (-1, "USD"),
    ]
    assert worth(_currency(1_000_000, scale=2), 250, now) == (2, "USD")
    assert worth(_currency(None), 250, now) is None
    assert worth_of_one(_currency(None), now) is None
