"""Feeds in the alliance file: what is wrong is named with its path; what was applied is exported as it was."""

from datetime import UTC, datetime
from importlib import resources

import pytest

from alliance.file import FileErrors, apply, export, parse
from domain.database import Database

NOW = datetime(2026, 11, 1, tzinfo=UTC)
SAMPLE = (resources.files("server.samples") / "demo.yaml").read_text()
FEED = """
feeds:
  - code: tills
    merchant: grocer
    url: file:///srv/feeds
    format: csv
    columns: {key: receipt, member: card, amount: total}
    constants: {memberType: CARD, channel: STORE}
"""


def faults(text: str) -> list[tuple[str, str]]:
    with pytest.raises(FileErrors) as wrong:
        parse(SAMPLE + text, "test.yaml")
    return [(fault.path, fault.reason) for fault in wrong.value.errors]


@pytest.mark.parametrize(
    ("old", "new", "path", "said"),
    [
        ("merchant: grocer", "merchant: baker", "feeds[0].merchant", "not declared"),
        ("file:///srv/feeds", "file:///srv/../etc", "feeds[0].url", "without"),
        ("file:///srv/feeds", "https://example.com/feeds", "feeds[0].url", "a folder is"),
        ("file:///srv/feeds", "s3://key:secret@bucket/feeds", "feeds[0].url", "settings have them"),
        ("format: csv", "format: xml", "feeds[0].format", "csv"),
        ("format: csv", "format: parquet\n    delimiter: ';'", "feeds[0]", "only csv"),
        ("member: card, ", "", "feeds[0]", "no member"),
        ("amount: total", "amount: total, points: total", "feeds[0]", "not both"),
        ("amount: total", "amount: total, colour: x", "feeds[0].columns.colour", "unknown key"),
        ("memberType: CARD", "memberType: KARTE", "feeds[0].constants.memberType", "not declared"),
        ("channel: STORE", 'channel: STORE, store: "999"', "feeds[0].constants.store", "not declared"),
        ("channel: STORE", "channel: SHOP", "feeds[0].constants.channel", "STORE"),
        ("amount: total", "amount: total, channel: way", "feeds[0].constants.channel", "both"),
        ("    format", "    words: {type: {V: PURCHASE}}\n    format", "feeds[0].words.type", "not among"),
        ("    format", "    times: {format: '%H:%M'}\n    format", "feeds[0].times.format", "which day"),
        ("    format", "    times: {timezone: Mars/Olympus}\n    format", "feeds[0].times.timezone", "time zone"),
        ("    format", "    rows: line\n    files: 'a/*'\n    format", "feeds[0].files", "has no /"),
        ("{key: receipt, ", "{", "", ""),
    ],
)
def test_a_bad_mapping_is_refused_at_its_path(old: str, new: str, path: str, said: str) -> None:
    text = FEED.replace(old, new)
    if not path:
        assert parse(SAMPLE + text, "test.yaml").document.feeds[0].code == "tills"
        return
    ((where, why),) = faults(text)
    assert where == path
    assert said in why


def test_two_feeds_do_not_take_the_same_files() -> None:
    twice = FEED + FEED.replace("feeds:\n", "", 1).replace("tills", "again")
    ((path, reason),) = faults(twice)
    assert (path, reason) == ("feeds[1].url", "feed 'tills' takes the same files")


async def test_what_was_applied_is_exported_and_applied_again_changes_nothing(database: Database) -> None:
    async with database.transaction() as session:
        first = await apply(session, parse(SAMPLE + FEED, "test.yaml"), NOW)
    assert ("create", "feed", "tills") in [(change.action, change.kind, change.name) for change in first.changes]
    async with database.transaction() as session:
        text = await export(session)
        assert not (await apply(session, parse(text, "export.yaml"), NOW)).changed
    async with database.transaction() as session:
        moved = text.replace("/srv/feeds", "/srv/other")
        (change,) = [
            one for one in (await apply(session, parse(moved, "moved.yaml"), NOW)).changes if one.action != "unchanged"
        ]
        assert (change.action, change.kind, change.reason) == ("update", "feed", "url")
    async with database.transaction() as session:
        stolen = parse(SAMPLE + FEED.replace("merchant: grocer", "merchant: fuel"), "stolen.yaml")
        assert (await apply(session, stolen, NOW)).refused
