"""Webhooks over GraphQL: whose they are, what is shown of them, and what they may be."""

from typing import Any

import pytest

from alliance.runtime import Runtime
from alliance.webhooks.commands import MOST
from tests.ledger_support import rows
from tests.schema.support import Client

URL = "https://partner.example/hook"
SHOWN = "id url kinds description status why cursor failingSince merchant { code }"
DONE = {
    "updateWebhook": "WebhookUpdated",
    "rotateWebhookSecret": "WebhookSecretRotated",
    "enableWebhook": "WebhookEnabled",
    "deleteWebhook": "WebhookDeleted",
    "testWebhook": "WebhookTested",
    "replayWebhook": "WebhookReplayed",
}
DELIVERIES = """query ($id: ID!) {
  node(id: $id) { ... on Webhook { deliveries { totalCount edges { node { number kind status attempts } } } } } }"""
WITH_SECRET = f"secret webhook {{ {SHOWN} }}"


async def made(client: Client, **more: Any) -> Any:
    """A new webhook, with its secret."""
    want = f"... on WebhookCreated {{ {WITH_SECRET} }}"
    return await client.do("createWebhook", "CreateWebhookInput", want, **{"url": URL, **more})


async def change(client: Client, name: str, kind: str, webhook: str, want: str = "", **more: Any) -> Any:
    """One mutation of a webhook."""
    success = DONE[name]
    want = want or ("id" if name == "deleteWebhook" else f"webhook {{ {SHOWN} }}")
    return await client.do(name, kind, f"... on {success} {{ {want} }}", webhook=webhook, **more)


async def listed(client: Client) -> list[str]:
    """The ids of the webhooks that a viewer sees."""
    found = await client.run("{ webhooks { totalCount edges { node { id } } } }")
    assert found["webhooks"]["totalCount"] == len(found["webhooks"]["edges"])
    return [edge["node"]["id"] for edge in found["webhooks"]["edges"]]


async def test_made_changed_tried_out_and_deleted(grocer: Client, runtime: Runtime) -> None:
    new = await made(grocer, kinds=["POINTS_EARNED"], description="the app", idempotencyKey="webhook-1")
    webhook = new["webhook"]
    assert new["secret"].startswith("whsec_")
    assert (webhook["status"], webhook["kinds"], webhook["merchant"]) == (
        "ENABLED",
        ["POINTS_EARNED"],
        {"code": "grocer"},
    )
    again = await made(grocer, kinds=["POINTS_EARNED"], description="the app", idempotencyKey="webhook-1")
    assert again == new, "the same key is answered the same, once more"

    id_ = webhook["id"]
    moved = await change(grocer, "updateWebhook", "UpdateWebhookInput", id_, url=f"{URL}/2", kinds=[])
    moved = {name: moved["webhook"][name] for name in ("url", "kinds", "description")}
    assert moved == {"url": f"{URL}/2", "kinds": [], "description": "the app"}
    rotated = await change(grocer, "rotateWebhookSecret", "WebhookInput", id_, "secret")
    assert rotated["secret"].startswith("whsec_")
    assert rotated["secret"] != new["secret"]
    stopped = await change(grocer, "enableWebhook", "EnableWebhookInput", id_, enabled=False)
    assert (stopped["webhook"]["status"], stopped["webhook"]["why"]) == ("DISABLED", "by its owner")
    assert (await change(grocer, "testWebhook", "WebhookInput", id_))["code"] == "NOT_ALLOWED"
    assert (await change(grocer, "enableWebhook", "EnableWebhookInput", id_))["webhook"]["status"] == "ENABLED"
    await change(grocer, "testWebhook", "WebhookInput", id_)
    deliveries = (await grocer.run(DELIVERIES, id=id_))["node"]["deliveries"]
    assert deliveries["totalCount"] == 1
    [one] = deliveries["edges"]
    assert one["node"] == {"number": "-1", "kind": "WEBHOOK_TESTED", "status": "PENDING", "attempts": 0}
    assert (await change(grocer, "replayWebhook", "ReplayWebhookInput", id_))["webhook"]["cursor"] is None
    kept = str(
        await rows(runtime.database, "SELECT outcome FROM idempotency_key UNION ALL SELECT to_jsonb(w) FROM webhook w")
    )
    assert new["secret"] not in kept, "a secret is kept nowhere"
    assert (await change(grocer, "deleteWebhook", "WebhookInput", id_))["id"] == id_
    assert await listed(grocer) == []


async def test_a14_a_merchant_has_its_own_the_operator_sees_all(grocer: Client, fuel: Client, operator: Client) -> None:
    mine, theirs, ours = [(await made(client))["webhook"]["id"] for client in (grocer, fuel, operator)]
    assert (await listed(grocer), await listed(fuel)) == ([mine], [theirs])
    assert await listed(operator) == [mine, theirs, ours]
    for other in (theirs, ours):
        assert (await grocer.run("query ($id: ID!) { node(id: $id) { id } }", id=other))["node"] is None
        for name, kind in (
            ("deleteWebhook", "WebhookInput"),
            ("rotateWebhookSecret", "WebhookInput"),
            ("testWebhook", "WebhookInput"),
        ):
            assert (await change(grocer, name, kind, other))["code"] == "NOT_FOUND"
    assert (await change(operator, "enableWebhook", "EnableWebhookInput", mine, enabled=False))["webhook"]["id"] == mine


@pytest.mark.parametrize(
    "asked",
    [
        {"url": "http://partner.example/"},
        {"url": "https://10.0.0.1/"},
        {"url": "https://u:p@partner.example/"},
        {"description": "x" * 201},
    ],
)
async def test_what_is_no_address_is_refused(grocer: Client, asked: dict[str, str]) -> None:
    refused = await made(grocer, **asked)
    assert (refused["code"], refused["path"]) == ("INVALID_INPUT", list(asked))


async def test_there_are_so_many_and_no_more(grocer: Client) -> None:
    for _ in range(MOST):
        assert (await made(grocer))["__typename"] == "WebhookCreated"
    assert (await made(grocer))["code"] == "NOT_ALLOWED"
