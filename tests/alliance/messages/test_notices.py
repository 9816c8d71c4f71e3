"""Notices that the law asks for (L2, R7) go through messages, and dates follow what becomes of these."""

import uuid
from datetime import datetime, time, timedelta

import pytest
from sqlalchemy import select, text

from domain.ledger.verify import verify
from domain.messages.model import MessageText
from domain.messages.port import Sent, Unsent
from domain.messages.verify import CHECKS
from domain.notices.commands import report
from domain.notices.model import NoticeReport, Outcome
from domain.notices.queries import by_ids, waiting
from domain.programs.notifying import QuietHours
from tests.alliance.exits.support import notices as all_notices
from tests.alliance.messages.support import ANN, Post, known, messages, prefer, say, switch_on
from tests.alliance.notices.test_notices import ENDS, available, expire, extensions, night
from tests.alliance.notices.test_notices import switch_on as notices_on
from tests.alliance.support import House, days
from tests.ledger_support import rows

OPENS = ENDS - days(60)


@pytest.fixture
async def ann(house: House) -> uuid.UUID:
    """A member who is reached by mail and telephone, with 100 points whose end they are to be told of."""
    notices_on(house)
    switch_on(house)
    member = await known(house, await house.member(), **ANN)
    await house.earn(member, "grocer", 100)
    await night(house, OPENS)
    return member


async def reports(house: House) -> list[tuple[str, str | None, str | None]]:
    async with house.runtime.database.session() as session:
        found = await session.scalars(select(NoticeReport).order_by(NoticeReport.id))
        return [(row.outcome, row.channel, row.proof) for row in found]


async def test_l02_a_delivered_notice_has_its_proof_and_lets_points_end(house: House, ann: uuid.UUID) -> None:
    post = Post(house, OPENS)
    await post.make()
    assert await post.deliver() == {}
    [sent] = post.provider.sent
    assert (sent.to, sent.subject) == ("ann@example.com", "100 Grocer points end on June 1, 2018")
    [message] = await messages(house)
    assert (message.state, message.delivered_at, message.language, message.attempts) == ("DELIVERED", OPENS, "en", 1)
    assert (
        await reports(house)
        == [("DELIVERED", "EMAIL", message.provider_id)]
        == [("DELIVERED", "EMAIL", f"taken {message.id}")]
    )
    async with house.runtime.database.session() as session:
        used = (await session.scalars(select(MessageText))).one()
    assert (used.digest, used.parts["subject"]) == (message.template, "{{ points }} {{ currency }} end on {{ day }}")
    await night(house, ENDS - days(29))
    assert await extensions(house) == []
    assert await expire(house, ann, ENDS) == 100


async def test_r07_a_bad_address_goes_by_the_next_channel_and_with_none_left_the_date_moves(
    house: House, ann: uuid.UUID
) -> None:
    post = Post(house, OPENS)
    post.provider.answers = dict.fromkeys(ANN.values(), Unsent("SMTP 550", final=True))
    await post.make()
    await post.deliver()
    await post.deliver()
    assert [one.to for one in post.provider.sent] == ["ann@example.com", "+16145550100"]
    assert [(one.channel, one.state, one.why) for one in await messages(house)] == [
        ("EMAIL", "FAILED", "SMTP 550"),
        ("SMS", "FAILED", "SMTP 550"),
    ]
    assert await reports(house) == [("FAILED", "EMAIL", None), ("FAILED", "SMS", None), ("NO_CHANNEL", None, None)]
    await night(house, OPENS + days(1))
    [moved] = await extensions(house)
    assert (moved.why, moved.ends_at) == ("NO_CHANNEL", ENDS + days(30))
    assert await available(house, ann, ENDS) == 100


async def test_l02_a_bounce_takes_the_delivery_back_and_the_notice_goes_by_the_next_channel(
    house: House, ann: uuid.UUID
) -> None:
    post = Post(house, OPENS)
    await post.make()
    await post.deliver()
    [notice] = await all_notices(house)
    bounced = {"outcome": Outcome.FAILED, "channel": "EMAIL", "proof": "bounce 7", "client_id": None}
    post.now = OPENS + days(1)
    async with house.runtime.database.transaction() as session:
        place = {"holder_id": ann, "notice_id": notice.id, "happened_at": post.now, "as_of": post.now}
        await report(session, **place, **bounced)
    assert await expire(house, ann, ENDS) == 0, "nobody was told"
    async with house.runtime.database.session() as session:
        assert [one.id for one in await waiting(session, post.now, 10)] == [notice.id]
    await post.make()
    await post.deliver()
    assert [one.to for one in post.provider.sent] == list(ANN.values())
    async with house.runtime.database.session() as session:
        assert await waiting(session, post.now, 10) == []
        [told] = (await by_ids(session, [(ann, notice.id)])).values()
    assert told.delivered_at == post.now
    await night(house, ENDS - days(29))
    assert await extensions(house) == []
    assert await expire(house, ann, ENDS) == 100


async def test_l02_a_provider_that_is_away_is_tried_again_and_fails_in_the_end(house: House, ann: uuid.UUID) -> None:
    post = Post(house, OPENS)
    post.provider.answers["ann@example.com"] = Unsent("SMTP 451")
    await post.make()
    for attempt in (1, 2, 10):
        assert [str(error) for error in (await post.deliver(attempt)).values()] == ["SMTP 451"]
        assert await reports(house) == ([("FAILED", "EMAIL", None)] if attempt == 10 else [])
    [message] = await messages(house)
    assert (message.state, message.why, message.attempts) == ("FAILED", "SMTP 451", 3)
    assert len({one.id for one in post.provider.sent}) == 1, "the provider knows it again"
    post.provider.answers = {}
    await post.deliver()
    assert await reports(house) == [("FAILED", "EMAIL", None), ("DELIVERED", "EMAIL", f"taken {message.id}")]


async def test_l02_a_log_delivers_nothing(house: House, ann: uuid.UUID) -> None:
    post = Post(house, OPENS)
    post.provider.answers["ann@example.com"] = Sent("log", delivered=False)
    await post.make()
    await post.deliver()
    assert [one.state for one in await messages(house)] == ["LOGGED"]
    assert await reports(house) == []
    assert await expire(house, ann, ENDS) == 0


async def test_l02_a_merchant_that_sends_no_messages_reports_on_its_notices_itself(house: House) -> None:
    notices_on(house)
    member = await known(house, await house.member(), **ANN)
    await house.earn(member, "grocer", 100)
    await night(house, OPENS)
    assert await Post(house, OPENS).make() == 1
    assert (await messages(house), await reports(house)) == ([], [])


async def test_l02_who_has_no_address_is_reported_at_once(house: House) -> None:
    notices_on(house)
    switch_on(house)
    await house.earn(await house.member(), "grocer", 100)
    await night(house, OPENS)
    await Post(house, OPENS).make()
    assert await reports(house) == [("NO_CHANNEL", None, None)]


@pytest.mark.parametrize(("withdrawn", "to"), [(("EMAIL",), ANN["PHONE"]), (("EMAIL", "SMS"), ANN["EMAIL"])])
async def test_l02_what_the_law_requires_goes_whatever_was_withdrawn(
    house: House, ann: uuid.UUID, withdrawn: tuple[str, ...], to: str
) -> None:
    for channel in withdrawn:
        await say(house, ann, channel, given=False)
    post = Post(house, OPENS)
    await post.make()
    await post.deliver()
    assert [one.to for one in post.provider.sent] == [to]
    assert [outcome for outcome, *_ in await reports(house)] == ["DELIVERED"]


async def test_a_message_waits_for_the_end_of_quiet_hours_in_its_table(house: House, ann: uuid.UUID) -> None:
    switch_on(house, quiet=QuietHours(time(21), time(8)))
    await prefer(house, ann, language="zh-CN", timezone="Asia/Shanghai")
    late = datetime.fromisoformat("2018-04-10T22:30:00+08:00")
    post = Post(house, late)
    await post.make()
    assert await post.deliver() == {}
    assert post.provider.sent == []
    morning = datetime.fromisoformat("2018-04-11T08:00:00+08:00")
    [[available_at]] = await rows(house.runtime.database, "SELECT available_at FROM job WHERE actor = 'send'")
    assert available_at == morning
    # A worker that is late comes in the next night: the message waits once more, and no attempt is counted.
    post.now = morning + timedelta(hours=14)
    assert await post.deliver() == {}
    [message] = await messages(house)
    assert (message.state, message.attempts, message.due_at) == ("WAITING", 0, morning + days(1))
    post.now = morning + days(1)
    await post.deliver()
    assert post.provider.sent[0].text.startswith("您好")


async def test_a_kill_between_sending_and_keeping_sends_the_same_message_again(house: House, ann: uuid.UUID) -> None:
    post = Post(house, OPENS)
    await post.make()
    post.provider.dies = True
    with pytest.raises(RuntimeError, match="killed"):
        await post.deliver()
    post.provider.dies = False
    assert [one.state for one in await messages(house)] == ["WAITING"]
    await post.deliver()
    [message] = await messages(house)
    assert [one.id for one in post.provider.sent] == [message.id, message.id]
    assert [outcome for outcome, *_ in await reports(house)] == ["DELIVERED"]


async def test_l02_a_sender_whose_clock_is_behind_reports_no_delivery_before_the_notice(
    house: House, ann: uuid.UUID
) -> None:
    post = Post(house, OPENS)
    await post.make()
    async with house.runtime.database.transaction() as session:
        await session.execute(text("UPDATE job SET available_at = available_at - interval '1 minute'"))
    post.now = OPENS - timedelta(seconds=5)
    assert await post.deliver() == {}
    assert [outcome for outcome, *_ in await reports(house)] == ["DELIVERED"]
    assert await expire(house, ann, ENDS) == 100


async def test_no_address_is_in_jobs_messages_or_events(house: House, ann: uuid.UUID) -> None:
    post = Post(house, OPENS)
    post.provider.answers["ann@example.com"] = Unsent("SMTP 451")
    await post.make()
    await post.deliver()
    for table in ("job", "event", "message", "message_text", "notice", "notice_report"):
        for value in ANN.values():
            found = await rows(house.runtime.database, f"SELECT t::text FROM {table} t WHERE t::text LIKE '%{value}%'")
            assert found == [], (table, value)


async def test_r26_what_was_delivered_is_proved(house: House, ann: uuid.UUID) -> None:
    post = Post(house, OPENS)
    await post.make()
    await post.deliver()
    for table, column in (("message", "provider_id"), ("message_text", "digest")):
        found = []
        for change in (f"{column} || '!'", f"rtrim({column}, '!')"):
            async with house.runtime.database.transaction() as session:
                await session.execute(text(f"UPDATE {table} SET {column} = {change}"))
            async with house.runtime.database.session() as session:
                found.append(len((await verify(session, CHECKS)).differences))
        assert found == [1, 0], column
