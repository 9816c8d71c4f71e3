"""A partner's file from its upload to what came of it: over HTTP, GraphQL, by a job, at the command line (A11, A14)."""

import asyncio
import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
from starlette.applications import Starlette
from starlette.routing import Route
from typer.testing import CliRunner

from alliance.settlement.model import SettlementCycle
from domain.events.model import HeldJob
from resolvers.context import House as Kept
from resolvers.viewer import Scope
from server.access.tokens import TokenVerifier
from server.cli import app
from server.partner_files import PartnerFiles
from server.settings import get_settings
from tests.alliance.statements.support import busy, file_of
from tests.alliance.support import House
from tests.schema.support import Client, client_of, viewer_of
from tests.server.test_cycle_statements import SECRET, signed_in
from tests.workers.support import all_jobs
from workers.actors.partner_files import partner_file

FILE = """id name key size status mapping day dryRun lines cycle merchant { code } partner { code }
    amount { amount } tolerated { amount } supersededBy progress { step done total } refusal { code message }
    outcomes { outcome theirs ours theirSum { amount } ourSum { amount } } problems { line column reason }"""
SUBMITTED = f"... on PartnerFileSubmitted {{ file {{ {FILE} }} }}"


@pytest.fixture
def house(runtime: Any) -> House:
    """The sample alliance at work."""
    return House(runtime)


@pytest.fixture
async def cycle(house: House) -> SettlementCycle:
    """With lines of every kind, stated."""
    return await busy(house)


@pytest.fixture
async def http(house: House) -> AsyncIterator[httpx.AsyncClient]:
    endpoint = PartnerFiles(Kept(house.runtime, SECRET), TokenVerifier(SECRET), 100_000)
    served = Starlette(routes=[Route("/ingest/partner-file", endpoint.post, methods=["POST"])])
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app=served), base_url="http://api") as client:
        yield client


@pytest.fixture
async def everybody(house: House) -> AsyncIterator[dict[str, Client]]:
    """Clients by whose they are."""
    bare = client_of(house.runtime)
    found = {code: bare.signed_in(viewer_of("merchant", merchant_id=house.id(code))) for code in ("fuel", "grocer")}
    yield found | {"operator": bare.signed_in(viewer_of("operator"))}
    await bare.http.aclose()


async def _send(http: httpx.AsyncClient, viewer: dict[str, str], content: bytes, **asked: str) -> httpx.Response:
    return await http.post("/ingest/partner-file", params=asked, content=content, headers=viewer)


async def _work(house: House) -> None:
    """The job that waits."""
    (job,) = [job for job in await all_jobs(house.runtime.database) if job.actor == "partner_file"]
    async with house.runtime.database.transaction() as session:
        assert await partner_file(house.runtime, session, [HeldJob(job.id, job.args, 1)]) == {}


async def test_a11_a_file_from_its_upload_to_what_came_of_it(
    http: httpx.AsyncClient, house: House, cycle: SettlementCycle, everybody: dict[str, Client]
) -> None:
    fuel, content = everybody["fuel"], await file_of(house, cycle, "fuel", "csv")
    own = signed_in(kind="merchant", merchant_id=house.id("fuel"))
    came = await _send(http, own, content, name="june.csv")
    again = await _send(http, own, content, name="june.csv")
    assert (came.status_code, again.status_code, again.json()) == (201, 200, came.json())
    assert (came.json()["size"], came.json()["status"]) == (len(content), "RECEIVED")
    id_ = came.json()["id"]
    sent = {"file": id_, "cycle": cycle.number, "idempotencyKey": "submit-june"}
    submitted = await fuel.do("submitPartnerFile", "SubmitPartnerFileInput", SUBMITTED, **sent)
    assert submitted["file"]["status"] == "SUBMITTED"
    assert submitted["file"]["progress"] == {"step": "", "done": 0, "total": 0}
    assert await fuel.do("submitPartnerFile", "SubmitPartnerFileInput", SUBMITTED, **sent) == submitted
    other = await fuel.do(
        "submitPartnerFile", "SubmitPartnerFileInput", SUBMITTED, file=id_, cycle=cycle.number, partner="grocer"
    )
    assert other["code"] == "PARTNER_FILE_BUSY"
    await _work(house)
    node = (await fuel.run(f"query ($id: ID!) {{ node(id: $id) {{ ... on PartnerFile {{ {FILE} }} }} }}", id=id_))[
        "node"
    ]
    assert (node["status"], node["lines"], node["refusal"], node["progress"]) == ("DONE", 5, None, None)
    assert node["outcomes"] == [
        {
            "outcome": "MATCHED",
            "theirs": 5,
            "ours": 5,
            "theirSum": {"amount": "-0.400000"},
            "ourSum": {"amount": "-0.400000"},
        }
    ]
    listed = "{ partnerFiles(first: 5) { totalCount edges { node { id merchant { code } } } } }"
    seen = {"totalCount": 1, "edges": [{"node": {"id": id_, "merchant": {"code": "fuel"}}}]}
    assert (await fuel.run(listed))["partnerFiles"] == seen
    assert (await everybody["operator"].run(listed))["partnerFiles"] == seen
    # A14: the other party sees nothing of it.
    grocer = everybody["grocer"]
    assert (await grocer.run(listed))["partnerFiles"] == {"totalCount": 0, "edges": []}
    assert await grocer.run("query ($id: ID!) { node(id: $id) { id } }", id=id_) == {"node": None}
    refused = await grocer.do("submitPartnerFile", "SubmitPartnerFileInput", SUBMITTED, file=id_, cycle=cycle.number)
    assert refused["code"] == "NOT_FOUND"


async def test_a11_a_file_that_is_refused_says_what_is_wrong(
    http: httpx.AsyncClient, house: House, cycle: SettlementCycle, everybody: dict[str, Client]
) -> None:
    fuel, content = everybody["fuel"], await file_of(house, cycle, "fuel")
    cut = b"\n".join(content.splitlines()[:-3])
    own = signed_in(kind="merchant", merchant_id=house.id("fuel"))
    id_ = (await _send(http, own, cut)).json()["id"]
    check = (
        "query ($id: ID!) { checkPartnerFile(file: $id) { ok lines skipped refusal { code } columns { meaning column }"
    )
    checked = (await fuel.run(f"{check} problemCount problems {{ line }} amount {{ amount }} }} }}", id=id_))[
        "checkPartnerFile"
    ]
    assert (checked["ok"], checked["lines"], checked["skipped"]) == (False, 4, 1)
    assert checked["refusal"] == {"code": "TRAILER_MISSING"}
    assert {"meaning": "key", "column": "reference+seq"} in checked["columns"]
    await fuel.do("submitPartnerFile", "SubmitPartnerFileInput", SUBMITTED, file=id_, cycle=cycle.number)
    await _work(house)
    node = (await fuel.run(f"query ($id: ID!) {{ node(id: $id) {{ ... on PartnerFile {{ {FILE} }} }} }}", id=id_))[
        "node"
    ]
    assert (node["status"], node["refusal"]["code"], node["outcomes"]) == ("REFUSED", "TRAILER_MISSING", [])
    assert await house.count("partner_line") == 0


async def test_uploads_are_turned_away(http: httpx.AsyncClient, house: House) -> None:
    own = signed_in(kind="merchant", merchant_id=house.id("fuel"))
    assert (await http.post("/ingest/partner-file", content=b"a")).status_code == 401
    assert (await _send(http, own, b"")).status_code == 400
    assert (await _send(http, own, b"a" * 100_001)).status_code == 413
    assert (await _send(http, own, b"a", merchant="grocer")).status_code == 400
    assert (await _send(http, own, b"a", name="k" * 201)).status_code == 400
    narrow = signed_in(kind="merchant", merchant_id=house.id("fuel"), scopes=frozenset({Scope.SETTLEMENT_READ}))
    assert (await _send(http, narrow, b"a")).status_code == 403
    assert (await _send(http, signed_in(), b"a")).status_code == 400, "the operator says for whom"
    assert (await _send(http, signed_in(), b"a", merchant="fuel")).status_code == 201
    assert await house.count("partner_file") == 1


async def test_the_command_compares_and_its_exit_code_says_whether_lines_differ(
    house: House, cycle: SettlementCycle, tmp_path: Path, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TESSERA_DATABASE_URL", database_url)
    get_settings.cache_clear()
    whole, differing = tmp_path / "whole.csv", tmp_path / "differing.jsonl"
    whole.write_bytes(await file_of(house, cycle, "fuel", "csv"))
    differing.write_bytes((await file_of(house, cycle, "fuel")).replace(b'"9.000000"', b'"9.100000"'))

    async def tessera(*words: str) -> tuple[int, Any]:
        asked = ["reconcile", *words, "--merchant", "fuel", "--json"]
        result = await asyncio.to_thread(CliRunner().invoke, app, asked)
        return result.exit_code, json.loads(result.stdout) if result.stdout else result.exception

    code, told = await tessera(str(whole), "--cycle", "1", "--dry-run")
    assert (code, told["dryRun"], told["outcomes"]["MATCHED"]["theirs"], told["openBreaks"]) == (0, True, 5, 0)
    assert (await tessera(str(whole), "--cycle", "1"))[0] == 0
    assert (await tessera(str(whole), "--cycle", "1"))[0] == 0, "again, it is the same"
    code, told = await tessera(str(differing), "--check")
    assert (code, told["ok"], told["refusal"]["code"]) == (1, False, "TRAILER_DIFFERS")
    code, told = await tessera(str(differing), "--cycle", "1")
    assert (code, told["status"], told["refusal"]["code"]) == (1, "REFUSED", "TRAILER_DIFFERS")
    code, told = await tessera(str(whole), "--check")
    assert (code, told["ok"], told["lines"], told["amount"]) == (0, True, 5, "-0.400000")
    code, _ = await tessera(str(whole))
    assert code != 0
    assert (await tessera(str(whole), "--day", datetime.now(UTC).date().isoformat(), "--dry-run"))[0] == 1
    get_settings.cache_clear()
