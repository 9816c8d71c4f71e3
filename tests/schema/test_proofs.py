"""Proofs over GraphQL: null until sealed; whole for whoever sees the whole operation, terms for their parties alone."""

from typing import Any

import orjson
import pytest

from alliance.proofs import bundle
from alliance.proofs.commands import prepare, seal
from alliance.proofs.notes import PrivateKey, read_checkpoint
from alliance.runtime import Runtime
from resolvers import ids
from tests.log_support import others_have_ended
from tests.schema.support import Client, by_card, viewer_of

KEYS = [PrivateKey.new("log.test")]
PROOF = """query ($id: ID!) { operation(id: $id) { proof {
  leafIndex leafHash path leaf salt terms termsSalt bundle checkpoint { size root note signedAt } } } }"""


async def seal_all(runtime: Runtime) -> None:
    connection = await runtime.database.connect()
    await prepare(connection, KEYS)
    await others_have_ended(connection)
    await seal(connection, KEYS)
    await connection.close()


@pytest.fixture
async def earned(operator: Client, card: str) -> dict[str, str]:
    """Operations by where they were: at the grocer in its own points, at the filling station in the grocer's."""
    made = {}
    for merchant in ("grocer", "fuel"):
        found = await operator.do(
            "earn",
            "EarnInput",
            "... on Earned { operation { id member { id } } }",
            merchant=merchant,
            currency="GRO",
            points=100,
            channel="STORE",
            member=by_card(card),
        )
        made[merchant] = found["operation"]["id"]
        made["member"] = found["operation"]["member"]["id"]
    return made


async def proof(client: Client, id_: str) -> Any:
    return (await client.run(PROOF, id=id_))["operation"]["proof"]


async def test_a_proof_is_there_once_it_is_sealed_and_checks(
    operator: Client, runtime: Runtime, earned: dict[str, str]
) -> None:
    assert await proof(operator, earned["fuel"]) is None
    assert (await operator.run("{ logCheckpoint { size } }"))["logCheckpoint"] is None
    await seal_all(runtime)
    found = await proof(operator, earned["fuel"])
    proved = bundle.check(orjson.dumps(found["bundle"]), [KEYS[0].public])
    assert (proved.index, proved.checkpoint.size, proved.terms) == (found["leafIndex"], 2, True)
    checkpoint, _ = read_checkpoint(found["checkpoint"]["note"], [KEYS[0].public])
    assert checkpoint.size == found["checkpoint"]["size"]
    assert orjson.loads(found["leaf"]) == found["bundle"]["leaf"]
    assert (await operator.run("{ logCheckpoint { note } }"))["logCheckpoint"]["note"] == found["checkpoint"]["note"]
    path = await operator.run(
        '{ a: consistencyProof(first: 1, second: "2") { path } b: consistencyProof(first: 1, second: 9) { path }'
        " c: consistencyProof(first: 100000, second: 5000000000) { path } }"
    )
    assert len(path["a"]["path"]) == 1
    assert path["b"] is None
    assert path["c"] is None


async def test_who_sees_how_much(
    anonymous: Client, grocer: Client, fuel: Client, runtime: Runtime, earned: dict[str, str]
) -> None:
    await seal_all(runtime)
    (holder_id,) = ids.decode_as("Member", earned["member"], 1)
    member = anonymous.signed_in(viewer_of("member", member_id=holder_id))
    auditor = anonymous.signed_in(viewer_of("auditor"))
    seen = {}
    for name, client in {"member": member, "auditor": auditor, "grocer": grocer, "fuel": fuel}.items():
        for place in ("grocer", "fuel"):
            operation = (await client.run(PROOF, id=earned[place]))["operation"]
            if operation is None:
                seen[name, place] = "nothing"
                continue
            found = operation["proof"]
            seen[name, place] = "terms" if found["terms"] else "leaf" if found["leaf"] else "hash"
            assert (found["bundle"] is None) == (found["leaf"] is None) == (found["salt"] is None)
            assert (found["terms"] is None) == (found["termsSalt"] is None)
            if found["bundle"]:
                assert bundle.check(orjson.dumps(found["bundle"]), [KEYS[0].public])
    assert seen == {
        ("member", "grocer"): "leaf",
        ("member", "fuel"): "leaf",
        ("auditor", "grocer"): "terms",
        ("auditor", "fuel"): "terms",
        ("grocer", "grocer"): "terms",
        ("grocer", "fuel"): "terms",
        ("fuel", "grocer"): "nothing",
        ("fuel", "fuel"): "terms",
    }


@pytest.mark.parametrize("first", ["-1", "1.5", '"x"', "9007199254740992", "true"])
async def test_what_is_no_place_in_the_log(operator: Client, first: str) -> None:
    error, *_ = await operator.errors(f"{{ consistencyProof(first: {first}, second: 2) {{ path }} }}")
    assert error["extensions"]["code"] in ("BAD_USER_INPUT", "GRAPHQL_VALIDATION_FAILED")
