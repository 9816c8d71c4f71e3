"""Jobs over the endpoint: what the operator sees, retries and discards."""

from typing import Any

import pytest
from sqlalchemy import func, update

from domain.database import Database
from domain.events.commands import add_jobs
from domain.events.model import Job, NewJob
from resolvers import ids
from resolvers.viewer import Scope
from tests.schema.support import Client, viewer_of

LISTED = """
    query ($failed: Boolean, $actor: String, $first: Int, $after: String) {
      jobs(failed: $failed, actor: $actor, first: $first, after: $after) {
        totalCount pageInfo { hasNextPage endCursor }
        edges { node { id actor status attempts lastError requestId history { attempt error } } } } }"""


@pytest.fixture
async def jobs(database: Database) -> list[str]:
    """Three jobs, of which the second failed for good; their ids."""
    async with database.transaction() as session:
        await add_jobs(session, [NewJob("note", {"n": n}) for n in range(2)])
        await add_jobs(session, [NewJob("other", {})])
        found = list(await session.scalars(Job.__table__.select().order_by(Job.id).with_only_columns(Job.id)))
        history = [{"attempt": 1, "at": "2017-06-01T00:00:00+00:00", "error": "OSError: away"}]
        failed = {"failed_at": func.now(), "attempts": 1, "last_error": "OSError: away", "history": history}
        await session.execute(update(Job).where(Job.id == found[1]).values(failed))
    return [ids.encode("Job", job_id) for job_id in found]


async def listed(client: Client, **asked: Any) -> tuple[list[Any], Any]:
    told = (await client.run(LISTED, **asked))["jobs"]
    return [edge["node"] for edge in told["edges"]], told


async def test_the_operator_sees_jobs_page_by_page(operator: Client, jobs: list[str]) -> None:
    first, told = await listed(operator, first=2)
    assert [node["id"] for node in first] == jobs[:2]
    assert (told["totalCount"], told["pageInfo"]["hasNextPage"]) == (3, True)
    rest, told = await listed(operator, first=2, after=told["pageInfo"]["endCursor"])
    assert ([node["id"] for node in rest], told["pageInfo"]["hasNextPage"]) == (jobs[2:], False)

    failed, told = await listed(operator, failed=True)
    assert told["totalCount"] == 1
    assert failed == [
        {
            "id": jobs[1],
            "actor": "note",
            "status": "FAILED",
            "attempts": 1,
            "lastError": "OSError: away",
            "requestId": None,
            "history": [{"attempt": 1, "error": "OSError: away"}],
        }
    ]
    assert [node["id"] for node in (await listed(operator, actor="other"))[0]] == jobs[2:]


async def test_a_failed_job_is_retried_or_discarded_once(operator: Client, jobs: list[str]) -> None:
    retried = "... on JobRetried { job { id status attempts } }"
    told = await operator.do("retryJob", "FailedJobInput", retried, job=jobs[1])
    assert told["job"] == {"id": jobs[1], "status": "WAITING", "attempts": 0}
    discarded = "... on JobDiscarded { id }"
    refused = await operator.do("discardJob", "FailedJobInput", discarded, job=jobs[1])
    assert refused["code"] == "JOB_NOT_FAILED"
    nowhere = await operator.do("discardJob", "FailedJobInput", discarded, job=ids.encode("Member", ids_of(jobs[1])))
    assert (nowhere["code"], nowhere["path"]) == ("NOT_FOUND", ["job"])


async def test_a_discarded_job_is_gone_and_the_same_key_says_so_again(operator: Client, jobs: list[str]) -> None:
    discarded = "... on JobDiscarded { id }"
    sent = {"job": jobs[1], "idempotencyKey": "discard-it-1"}
    for _ in range(2):
        told = await operator.do("discardJob", "FailedJobInput", discarded, **sent)
        assert told == {"__typename": "JobDiscarded", "id": jobs[1]}
    node = "query ($id: ID!) { node(id: $id) { id ... on Job { status } } }"
    assert (await operator.run(node, id=jobs[1]))["node"] is None
    assert (await operator.run(node, id=jobs[0]))["node"] == {"id": jobs[0], "status": "WAITING"}


async def test_nobody_else_sees_or_moves_jobs(anonymous: Client, grocer: Client, jobs: list[str]) -> None:
    node = "query ($id: ID!) { node(id: $id) { id } }"
    reader = anonymous.signed_in(viewer_of("operator", scopes={Scope.JOBS_READ}))
    assert len((await listed(reader))[0]) == 3
    for client in (grocer, anonymous.signed_in(viewer_of("auditor"))):
        assert (await client.run(node, id=jobs[0]))["node"] is None
        (error,) = await client.errors(LISTED)
        assert error["extensions"]["code"] == "FORBIDDEN"
    retry = "mutation ($input: FailedJobInput!) { retryJob(input: $input) { __typename } }"
    (error,) = await reader.errors(retry, input={"idempotencyKey": "retry-it-1", "job": jobs[1]})
    assert error["extensions"]["code"] == "FORBIDDEN"


def ids_of(job: str) -> Any:
    return ids.decode_as("Job", job, 1)[0]
