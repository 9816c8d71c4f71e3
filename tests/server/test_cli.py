"""The command line: every command explains itself, and ends with the exit code that is promised."""

import csv
import json
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from importlib import resources
from pathlib import Path

import click
import pytest
import typer
from sqlalchemy import make_url
from typer.testing import CliRunner

from alliance.runtime import Runtime
from domain.database import Database
from domain.ledger.commands import Expire
from domain.ledger.engine import PostingEngine
from domain.members.commands import enrol
from domain.members.model import EnrolAsk, IdentifierRef
from server.cli import app
from tests.command_line import tessera
from tests.ledger_support import earn, members, rows

NOWHERE = "postgresql://tessera:verysecret@127.0.0.1:9/tessera"


def leaves(command: click.Command, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    """All commands below this one, with the words that call them."""
    if isinstance(command, typer.core.TyperGroup):
        for name, inner in command.commands.items():
            yield from leaves(inner, (*path, name))
    else:
        yield path, command


COMMANDS = dict(leaves(typer.main.get_command(app)))


def test_the_commands_that_are_promised_are_there() -> None:
    promised = """up|api|worker|relay|scheduler|migrate|verify|apply|export|token|replay|bench|client create
        |client disable|backup|restore|archive|release|repair|repair-positions
        |claims list|claims show|claims answer|claims decide
        |breaks list|breaks note|breaks assign|breaks claim|breaks adjust|breaks write-off
        |import balances|proof|log keys|log rotate|log retire|codes rotate|codes retire
        |approvals list|approvals approve|approvals refuse
        |agreement list|agreement show|agreement accept|agreement end
        |cycle list|cycle show|cycle close|cycle state|cycle issue|cycle confirm|cycle net|cycle settle|cycle abort
        |cycle receive|cycle run|cycle report
        |member freeze|member restore|member show|member merge|member unmerge|member close|member stay
        |member tag|duplicates find|duplicates list|duplicates decide
        |member link|member unlink|member verify|member numbers
        |member erase|member export|member hold|member release|report reads
        |merchant leave|merchant stay|merchant freeze|merchant restore|merchant history|report subsidies
        |report balances|report deposits|report rings|report exposure|report breakage|report liability
        |statement export|statement verify|invoice list|invoice export|invoice issue|invoice match|report journal
        |notice list|notice record|right grant|right use|right cancel|right show
        |right reserve|right release|right restore
        |notify list|notify preview|report rights|jobs reconciliations
        |breaks assign|breaks claim|breaks note|breaks write-off|breaks adjust|breaks list
        |report cut-offs|report ageing|report settlement|report zero|report obligations
        |notify staff|calendar|cycle extend|cycle rerate|cycle rerates|report journal
        |webhook create|webhook list|webhook show|webhook update|webhook rotate|webhook enable|webhook delete
        |webhook test|webhook replay
        |jobs list|jobs show|jobs retry|jobs discard|jobs schedule|jobs run
        |reconcile|payments list|payments export|payments release|payments hold|payments unhold
        |receipts import|receipts list|receipts match|receipts unmatch|receipts refund
        |approvals list|approvals approve|approvals refuse
        |collateral post|collateral release|collateral list|default declare|default show|default recover
        |approvals list|approvals approve|approvals refuse
        |jobs undo|jobs groups|runs list|runs show|runs refusals|runs feeds|keys list|keys rotate|keys retire"""
    assert {" ".join(path) for path in COMMANDS} == {name.strip() for name in promised.split("|")}


@pytest.mark.parametrize("path", COMMANDS, ids=" ".join)
def test_every_command_explains_itself(path: tuple[str, ...]) -> None:
    result = CliRunner().invoke(app, [*path, "--help"], env={"COLUMNS": "200", "TERM": "dumb"})
    assert result.exit_code == 0
    command = COMMANDS[path]
    assert command.help
    options = {option for parameter in command.params for option in parameter.opts}
    assert "--json" in options
    homeless = (("bench",), ("statement", "verify"))
    assert "--home" in options or path in homeless, "bench brings its own, a statement is checked anywhere"
    for parameter in command.params:
        assert getattr(parameter, "help", None), f"{parameter.name} has no help"


def test_help_is_quick_because_it_imports_little() -> None:
    listing = "import sys, server.cli; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", listing], capture_output=True, text=True, check=True).stdout.split()
    assert not {"sqlalchemy", "strawberry", "dramatiq", "uvicorn", "asyncpg"} & set(loaded)


@pytest.mark.parametrize(
    "arguments",
    [["verify"], ["api"], ["worker"], ["scheduler"], ["migrate"], ["export"], ["token", "--kind", "operator"]],
    ids=lambda arguments: arguments[0],
)
def test_a_database_that_is_down_at_start_is_one_clear_error(arguments: list[str], tmp_path: Path) -> None:
    here = {"TESSERA_HOME": str(tmp_path), "TESSERA_REDIS_URL": "redis://127.0.0.1:9/0"}
    result = tessera(*arguments, TESSERA_DATABASE_URL=NOWHERE, **here)
    assert result.returncode == 3
    (line,) = result.stderr.splitlines()
    assert "127.0.0.1:9" in line
    assert "Connect call failed" in line
    assert "verysecret" not in line


def test_errors_are_json_if_asked(tmp_path: Path) -> None:
    result = tessera("verify", "--json", TESSERA_DATABASE_URL=NOWHERE, TESSERA_HOME=str(tmp_path))
    assert json.loads(result.stdout)["error"]["code"] == "UNAVAILABLE"
    assert result.returncode == 3


@pytest.mark.parametrize(
    ("arguments", "environment"),
    [
        (["nonsense"], {}),
        (["apply"], {}),
        (["apply", "/no/such/file"], {}),
        (["cycle", "close", "--as-of", "2026-01-01T00:00:00"], {}),
        (["verify"], {"TESSERA_PORT": "eighty"}),
    ],
)
def test_wrong_use(arguments: list[str], environment: dict[str, str]) -> None:
    result = tessera(*arguments, **environment)
    assert result.returncode == 2
    assert "Traceback" not in result.stderr


@pytest.fixture
def own_database(database_url: str, tmp_path: Path) -> dict[str, str]:
    """The settings of somebody with a database of their own: this worker's."""
    url = make_url(database_url).render_as_string(hide_password=False)
    return {"TESSERA_DATABASE_URL": url, "TESSERA_HOME": str(tmp_path)}


async def test_a_database_without_migrations_is_named(own_database: dict[str, str]) -> None:
    bare = make_url(own_database["TESSERA_DATABASE_URL"]).set(database="template1")
    result = tessera("verify", **own_database | {"TESSERA_DATABASE_URL": bare.render_as_string(hide_password=False)})
    assert result.returncode == 3
    assert "tessera migrate" in result.stderr


@pytest.mark.usefixtures("database")
async def test_apply_export_and_verify(own_database: dict[str, str], tmp_path: Path) -> None:
    sample = Path(__file__).parents[2] / "server" / "samples" / "demo.yaml"
    dry = tessera("apply", str(sample), "--dry-run", "--json", **own_database)
    assert (dry.returncode, json.loads(dry.stdout)["applied"]) == (0, False)
    assert tessera("export", **own_database).returncode == 1
    first = tessera("apply", str(sample), "--json", **own_database)
    assert (first.returncode, json.loads(first.stdout)["applied"]) == (0, True)
    exported = tmp_path / "exported.yaml"
    exported.write_text(tessera("export", **own_database).stdout)
    again = tessera("apply", str(exported), "--json", **own_database)
    assert (again.returncode, json.loads(again.stdout)["changed"]) == (0, False)
    proof = tessera("verify", "--json", **own_database)
    assert json.loads(proof.stdout) == {"balanced": True, "accounts": 0, "operations": 0, "differences": []}


async def test_verify_names_everything_that_differs_in_a_report(
    own_database: dict[str, str], database: Database, tmp_path: Path
) -> None:
    [holder] = members(1)
    engine = PostingEngine(database)
    await engine.start()
    await engine.post(earn(holder, 5))
    await engine.stop()
    await rows(database, "UPDATE account SET posted = 6")
    told = tessera("verify", "--json", "--report", str(tmp_path / "report.csv"), **own_database)
    assert told.returncode == 1
    report = list(csv.DictReader((tmp_path / "report.csv").read_text().splitlines()))
    assert report == [
        {name: str(value) for name, value in one.items()} for one in json.loads(told.stdout)["differences"]
    ]
    assert (report[1]["check"], report[1]["holder"]) == ("account is the sum of its lots", str(holder))
    stopped = tessera("verify", "--stop-differing", "--json", **own_database)
    assert (stopped.returncode, json.loads(stopped.stdout)["stopped"]) == (1, 1)
    dry = tessera("repair", str(holder), "--dry-run", "--json", **own_database)
    told = json.loads(dry.stdout)
    assert (dry.returncode, told["dryRun"], told["booked"], told["left"]) == (0, True, [], [])
    assert [one["check"] for one in told["found"]] == [row["check"] for row in report if row["holder"] == str(holder)]
    assert tessera("repair", "nobody", **own_database).returncode == 1
    assert tessera("verify", **own_database).returncode == 1
    assert tessera("repair", str(holder), "--why", "a test was here", **own_database).returncode == 0
    assert tessera("verify", **own_database).returncode == 0
    again = tessera("release", str(holder), "--json", **own_database)
    assert (again.returncode, json.loads(again.stdout)["error"]["code"]) == (1, "NOT_FOUND")


def test_a_wrong_file_is_refused_with_lines(tmp_path: Path) -> None:
    file = tmp_path / "wrong.yaml"
    file.write_text("alliance: {code: demo, name: Demo, settlementCurrency: XXY, timezone: Europe/Atlantis}\n")
    result = tessera("apply", str(file), "--json", TESSERA_DATABASE_URL=NOWHERE)
    answer = json.loads(result.stdout)
    assert (result.returncode, answer["refused"]) == (1, True)
    assert {error["line"] for error in answer["errors"]} == {1}


@pytest.mark.usefixtures("database")
async def test_clients_and_tokens(own_database: dict[str, str]) -> None:
    made = tessera("client", "create", "back office", "--kind", "operator", "--json", **own_database)
    assert set(json.loads(made.stdout)) == {"id", "secret"}
    token = tessera("token", "--kind", "auditor", "--json", **own_database)
    assert json.loads(token.stdout)["token"].count(".") == 2
    refused = tessera("client", "create", "till", "--kind", "merchant", "--merchant", "nobody", **own_database)
    assert (refused.returncode, "nobody" in refused.stderr) == (1, True)


async def test_balances_now_and_then(own_database: dict[str, str], runtime: Runtime) -> None:
    now, issuer = datetime.now(UTC), runtime.catalogue.merchants["grocer"].id
    ask = EnrolAsk("grocer", "STORE", None, (IdentifierRef("CARD", None, "1"),), now)
    async with runtime.database.transaction() as session:
        holder = (await enrol(session, runtime.catalogue, ask)).member_id
    place = {"merchant_id": issuer, "issuer_id": issuer, "funder_id": issuer}
    await runtime.engine.post(earn(holder, 30, as_of=now, expires_at=datetime(2099, 3, 1, tzinfo=UTC), **place))
    report = tessera("report", "balances", "--merchant", "grocer", "--json", **own_database)
    row = {"merchant": "grocer", "currency": "GRO", "outstanding": 30, "held": 0, "pending": 0, "debt": 0, "holders": 1}
    assert row | {"ending": [{"month": "2099-02", "points": 30}]} in json.loads(report.stdout)["balances"]
    before = (now - timedelta(hours=1)).isoformat()
    then = tessera("report", "balances", "--as-of", before, "--csv", **own_database)
    lines = then.stdout.splitlines()
    assert lines[0] == "merchant,currency,outstanding,held,pending,debt,holders,month,ending"
    assert {"fuel,FUE,0,0,0,0,0,never,0", "grocer,GRO,0,0,0,0,0,never,0"} < set(lines)
    assert tessera("report", "balances", "--merchant", "nobody", **own_database).returncode == 1
    assert tessera("report", "balances", "--csv", "--json", **own_database).returncode == 2


def test_a_text_is_previewed_from_a_file(tmp_path: Path) -> None:
    sample = (resources.files("server.samples") / "demo.yaml").read_text()
    template = "{kind: gift_received, language: en, sms: '{{ points }} from {{ WHO }}'}"
    section = f"    notifications: {{channels: [sms], templates: [{template}]}}\n    stores:\n"
    file = tmp_path / "demo.yaml"
    asked = ("notify", "preview", "--merchant", "grocer", "--kind", "gift_received", "--channel", "sms", "--json")
    for who, code, said in (("merchant", 0, "1,200 from Grocer"), ("tier", 1, "gift_received has no 'tier'")):
        file.write_text(sample.replace("    stores:\n", section.replace("WHO", who), 1))
        done = CliRunner().invoke(app, [*asked, "--file", str(file)])
        shown = str(done.exception) if code else json.loads(done.stdout)["sms"]
        assert (done.exit_code, said in shown) == (code, True)


async def test_breakage_of_a_month(own_database: dict[str, str], runtime: Runtime) -> None:
    issuer = runtime.catalogue.merchants["grocer"].id
    ask = EnrolAsk("grocer", "STORE", None, (IdentifierRef("CARD", None, "1"),), datetime.now(UTC))
    async with runtime.database.transaction() as session:
        holder = (await enrol(session, runtime.catalogue, ask)).member_id
    place = {"merchant_id": issuer, "issuer_id": issuer, "funder_id": issuer}
    noon = datetime(2017, 6, 1, 12, tzinfo=UTC)
    await runtime.engine.post(earn(holder, 30, as_of=noon, expires_at=noon + timedelta(days=1), **place))
    due = noon + timedelta(days=30)
    wallet = {"holder_id": holder, "currency": "GRO", "issuer_id": issuer}
    await runtime.engine.post(Expire(key=None, client_id=None, as_of=due, occurred_at=due, **wallet))
    lines = tessera("report", "breakage", "--month", "2017-07", "--csv", **own_database).stdout.splitlines()
    assert lines[1:] == ["2017-07,GRO,grocer,grocer,30,0.00000000,0.000000,USD"]
    assert tessera("report", "breakage", "--month", "2017-07", "--to", "2017-08-01", **own_database).returncode == 2
