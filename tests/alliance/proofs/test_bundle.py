"""A proof in a file: what it proves, and that nothing can be changed in it."""

from collections.abc import Callable
from typing import Any

import orjson
import pytest

from alliance.proofs import bundle, queries
from alliance.proofs.bundle import BadProof
from alliance.proofs.notes import BadNote, PrivateKey, PublicKey, read_checkpoint
from tests.alliance.proofs.test_sealing import KEYS, posted_alliance, sealed
from tests.alliance.support import House


@pytest.fixture
async def made(house: House) -> dict[str, Any]:
    """The bundle of a redemption at a partner, since a checkpoint of one leaf."""
    places = await posted_alliance(house)
    database = house.runtime.database
    await sealed(database, 1)
    async with database.session() as session:
        earlier = await queries.newest_checkpoint(session)
    while (await sealed(database, 2)).added:
        pass
    async with database.session() as session:
        found = await queries.inclusions(session, places)
        path = await queries.consistency(session, 1, len(places))
        assert earlier is not None
        assert path is not None
        keys = await queries.public_keys(session)
        return bundle.make(found[places[2]], keys, terms=True, since=(earlier.note, path))


async def test_it_proves_with_a_key_that_one_trusts_and_with_its_own(made: dict[str, Any]) -> None:
    proved = bundle.check(orjson.dumps(made), [KEYS[0].public])
    assert (proved.index, proved.checkpoint.size, proved.since) == (2, 4, 1)
    assert (proved.terms, proved.told) == (True, False)
    assert bundle.check(orjson.dumps(made)).told
    del made["terms"], made["termsSalt"]
    assert not bundle.check(orjson.dumps(made)).terms


CHANGES: dict[str, Callable[[dict[str, Any]], object]] = {
    "the operation": lambda b: b["leaf"]["operation"].update(order_ref="x"),
    "an entry": lambda b: b["leaf"]["entries"][0].update(amount=-1),
    "a new member": lambda b: b["leaf"].update(more=1),
    "an allocation": lambda b: b["leaf"]["allocations"].pop(),
    "the terms": lambda b: b["terms"]["obligations"][0].update(amount=1),
    "the hash of the terms": lambda b: b["leaf"].update(terms="00" * 32),
    "a line": lambda b: b.update(lines=[b["leaf"]["terms"][:43] + "="]),
    "no lines": lambda b: b.pop("lines"),
    "another line": lambda b: b["lines"].append(b["lines"][0]),
    "the salt": lambda b: b.update(salt=b["termsSalt"]),
    "no salt of the terms": lambda b: b.pop("termsSalt"),
    "the place": lambda b: b.update(index=1),
    "the path": lambda b: b["path"].reverse(),
    "a shorter path": lambda b: b["path"].pop(),
    "the size": lambda b: b.update(checkpoint=b["checkpoint"].replace("\n4\n", "\n3\n")),
    "an earlier checkpoint": lambda b: b.update(checkpoint=b["since"]["checkpoint"]),
    "the consistency path": lambda b: b["since"]["path"].pop(),
    "the format": lambda b: b.update(format="tessera-proof-2"),
    "a name nobody knows": lambda b: b.update(more=1),
    "no keys": lambda b: b.update(keys=[]),
    "a key that is none": lambda b: b.update(keys=["x"]),
    "a number without a canonical form": lambda b: b["leaf"].update(more=2**60),
}


@pytest.mark.parametrize("change", CHANGES)
async def test_nothing_can_be_changed(made: dict[str, Any], change: str) -> None:
    CHANGES[change](made)
    with pytest.raises(BadProof):
        bundle.check(orjson.dumps(made))


async def test_another_key_of_the_same_name_proves_nothing(made: dict[str, Any]) -> None:
    with pytest.raises(BadProof, match="none of the known keys"):
        bundle.check(orjson.dumps(made), [PrivateKey.new(KEYS[0].name).public])


@pytest.mark.parametrize("content", [b"", b"[]", b"{}", b"\xff", b'{"format": 1}'])
def test_what_is_no_bundle(content: bytes) -> None:
    with pytest.raises(BadProof):
        bundle.check(content)


NOTE = "log.test\n7\nAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n"


@pytest.mark.parametrize(
    "note",
    [
        "",
        NOTE,
        NOTE + "\n",
        NOTE + "\n— log.test AAAA\n",
        NOTE + "\n— log.test !\n",
        NOTE + "\nlog.test AAAAAAAA\n",
        "log.test\n07\n" + NOTE.split("\n")[2] + "\n\n— log.test AAAAAAAA\n",
        "log.test\n7\nAAAA\n\n— log.test AAAAAAAA\n",
        "log.test\n7\n\n— log.test AAAAAAAA\n",
    ],
)
def test_what_is_no_checkpoint(note: str) -> None:
    with pytest.raises(BadNote):
        read_checkpoint(note, [KEYS[0].public])


def test_the_published_key_of_the_go_checksum_database() -> None:
    line = "sum.golang.org+033de0ae+Ac4zctda0e5eza+HJyk9SxEdh+s3Ux18htTTAD8OuAn8"
    key = PublicKey.parse(line)
    assert (key.name, key.id.hex(), str(key)) == ("sum.golang.org", "033de0ae", line)
    with pytest.raises(BadNote):
        PublicKey.parse(line.replace("033de0ae", "033de0af"))


@pytest.mark.parametrize("line", ["", "x", "a+b", "a+00000000+AAAA", "PRIVATE+KEY+a+00000000+AAAA"])
def test_what_is_no_key(line: str) -> None:
    with pytest.raises(BadNote):
        PublicKey.parse(line)
    with pytest.raises(BadNote):
        PrivateKey.parse(line)


@pytest.mark.parametrize("name", ["", "a b", "a+b", "a\n"])
def test_what_cannot_name_a_log(name: str) -> None:
    with pytest.raises(BadNote):
        PrivateKey.new(name)
