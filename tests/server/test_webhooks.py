"""`tessera webhook`: made, shown, changed, tried, replayed and deleted by hand."""

import asyncio
import json
from collections.abc import Iterator
from typing import Any

import pytest
from typer.testing import CliRunner

from alliance.runtime import Runtime
from alliance.webhooks import queries
from domain.base import new_id
from server.cli import app
from server.settings import get_settings
from tests.workers.hooks import delivering, happen, partner, until_sent


@pytest.fixture(autouse=True)
def settings(runtime: Runtime, database_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The sample alliance, in the database that the commands work on; partners on this machine may be called."""
    monkeypatch.setenv("TESSERA_DATABASE_URL", database_url)
    monkeypatch.setenv("TESSERA_WEBHOOK_PRIVATE", "true")
    monkeypatch.setenv("TESSERA_FINGERPRINT_SECRET", "f" * 32)
    get_settings.cache_clear()
    yield
    get_settings.cache_clear()


async def tessera(*words: str) -> tuple[int, Any]:
    """Its exit code and what it says."""
    result = await asyncio.to_thread(CliRunner().invoke, app, ["webhook", *words, "--json"])
    return result.exit_code, json.loads(result.stdout) if result.stdout else result.stderr


async def made(*words: str) -> dict[str, Any]:
    code, said = await tessera(*words)
    assert code == 0, said
    return dict(said)


async def test_webhooks_by_hand() -> None:
    """The secret is shown when it is made, and when it is another, and never again."""
    created = await made("create", "https://partner.example/hook", "--merchant", "grocer", "--kind", "POINTS_EARNED")
    assert created["secret"].startswith("whsec_")
    id_ = created["id"]
    shown = await made("show", id_)
    assert (shown["merchant"], shown["kinds"], shown["status"]) == ("grocer", ["POINTS_EARNED"], "ENABLED")
    assert "secret" not in shown
    changed = await made("update", id_, "--url", "https://partner.example/other", "--description", "the till")
    assert (changed["url"], changed["description"], changed["kinds"]) == (
        "https://partner.example/other",
        "the till",
        ["POINTS_EARNED"],
    )
    assert (await made("rotate", id_))["secret"] != created["secret"]
    assert (await made("enable", id_, "--stop"))["status"] == "DISABLED"
    assert (await made("enable", id_))["status"] == "ENABLED"
    operators = await made("create", "https://alliance.example/all")
    assert [one["merchant"] for one in (await made("list"))["webhooks"]] == ["grocer", None]
    assert (await made("delete", operators["id"]))["deleted"]
    assert [one["id"] for one in (await made("list"))["webhooks"]] == [id_]


@pytest.mark.parametrize(
    "words",
    [
        ("create", "https://partner.example/hook", "--merchant", "nobody"),
        ("create", "https://partner.example/hook", "--kind", "POINTS_LOST"),
        ("create", "ftp://partner.example/"),
        ("show", "nothing"),
        ("delete", "V2ViaG9vazp4"),
    ],
    ids=["of nobody", "of no kind", "nowhere", "no id", "not there"],
)
async def test_what_is_wrong_is_said(words: tuple[str, ...]) -> None:
    code, said = await tessera(*words)
    assert code in (1, 2)
    assert "Traceback" not in str(said)


async def test_a_webhook_is_tried_and_replayed_by_hand(runtime: Runtime) -> None:
    """What was sent again comes as the same messages."""
    await happen(runtime)
    ann = new_id()
    async with partner() as grocers:
        id_ = (await made("create", grocers.url, "--merchant", "grocer"))["id"]
        place = (await made("show", id_))["place"]
        async with runtime.database.session() as session:
            (webhook,) = await queries.webhooks(session, None, any_owner=True, size=9)
        async with delivering(runtime):
            await made("test", id_)
            await until_sent(runtime, webhook, DELIVERED=1)
            await happen(runtime, ann, ann)
            await until_sent(runtime, webhook, DELIVERED=3)
            sent = grocers.ids[1:]
            assert (await made("replay", id_, "--after", str(place)))["place"] == place
            async with asyncio.timeout(60):
                while len(grocers.ids) < 5:  # noqa: ASYNC110
                    await asyncio.sleep(0.01)
            await until_sent(runtime, webhook, DELIVERED=3)
        assert grocers.ids[3:] == sent
    shown = (await made("show", id_, "--first", "2"))["deliveries"]
    assert [one["status"] for one in shown] == ["DELIVERED", "DELIVERED"]
