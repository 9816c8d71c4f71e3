"""Members accept terms, in a version and a language, and are asked for what is new (L3)."""

import uuid
from datetime import UTC, datetime
from typing import Any

import pytest
from sqlalchemy import text

from alliance.file import apply, export, parse
from alliance.merging.commands import merge_members
from alliance.privacy.erasing import erase
from alliance.privacy.exporting import export_member
from alliance.runtime import Runtime
from domain.contacts.accepting import CHECKS
from domain.ledger.verify import examine
from domain.privacy.reasons import ErasureReason
from resolvers import ids
from resolvers.viewer import ALLOWED_SCOPES, Scope
from tests.alliance.support import CLIENT, key
from tests.schema.support import NOW, Client, by_card, viewer_of

SECTION = """\
members:
  terms:
    - {code: basket, version: 1, from: 2017-01-01, merchant: grocer, texts: {en: {title: Basket, text: A.}}}
    - {code: basket, version: 2, from: 2017-12-01, merchant: grocer, worse: true, texts: {en: {title: Basket, text: B.},
       fr: {title: Panier, url: "https://grocer.example/2"}}, changes: {en: {before: A., after: B.}}}
    - {code: pump, version: 1, from: 2017-01-01, merchant: fuel, texts: {en: {title: Pump, text: C.}}}
"""
ACCEPTED = "accepted { terms { code version } language channel merchant { code } } toAccept { code version }"
READ = f"query ($by: MemberRef!) {{ member(by: $by) {{ id terms {{ {ACCEPTED} }} }} }}"
OFFERED = """query ($language: String) { merchant(code: "grocer") { terms {
  code version worse announced startsAt merchant { code }
  text(language: $language) { language title url text before after }
  replaces { version text { text } }
} } }"""


@pytest.fixture(autouse=True)
async def declared(runtime: Runtime) -> None:
    """Terms of two merchants, beside those of the alliance."""
    async with runtime.database.transaction() as session:
        before = (await export(session)).split("\nmembers:")[0] + "\n"
        plan = await apply(session, parse(before + SECTION, "x.yaml"), datetime(2017, 1, 1, tzinfo=UTC))
    assert not plan.refused, plan.lines()
    await runtime.refresh()


def watch(client: Client, kind: str, **whose: Any) -> Client:
    """A viewer of that kind who has the operator's clock."""
    return client.signed_in(viewer_of(kind, scopes=ALLOWED_SCOPES[kind] | {Scope.CLOCK}, **whose)).at(NOW)


@pytest.fixture
def grocer(anonymous: Client, runtime: Runtime) -> Client:
    """The grocer's till, in June 2017."""
    return watch(anonymous, "merchant", merchant_id=runtime.catalogue.merchants["grocer"].id)


@pytest.fixture
def fuel(anonymous: Client, runtime: Runtime) -> Client:
    """The filling station's till, in June 2017."""
    return watch(anonymous, "merchant", merchant_id=runtime.catalogue.merchants["fuel"].id)


async def accept(client: Client, member: Any, terms: str = "basket", version: int = 1, **more: Any) -> Any:
    asked = {"merchant": "grocer", "member": member, "terms": terms, "version": version, "language": "en"} | more
    want = f"... on TermsAccepted {{ terms {{ {ACCEPTED} }} }}"
    return await client.do("acceptTerms", "AcceptTermsInput", want, **asked)


async def known(client: Client, member: Any) -> dict[str, list[tuple[str, int]]]:
    found = (await client.run(READ, by=member))["member"]["terms"]
    accepted = [(one["terms"]["code"], one["terms"]["version"]) for one in found["accepted"]]
    return {"accepted": accepted, "toAccept": [(one["code"], one["version"]) for one in found["toAccept"]]}


async def id_of(client: Client, member: Any) -> uuid.UUID:
    found = (await client.run(READ, by=member))["member"]["id"]
    return uuid.UUID(str(ids.decode_as("Member", found, 1)[0]))


async def test_l03_what_is_in_force_and_what_is_announced_is_shown_in_the_callers_language(operator: Client) -> None:
    now, coming = (await operator.run(OFFERED, language="fr-CA"))["merchant"]["terms"]
    assert (now["version"], now["announced"], now["replaces"], now["text"]["language"]) == (1, False, None, "en")
    assert (coming["announced"], coming["worse"], coming["startsAt"]) == (True, True, "2017-12-01T05:00:00+00:00")
    assert (coming["text"]["title"], coming["text"]["url"]) == ("Panier", "https://grocer.example/2")
    assert coming["replaces"] == {"version": 1, "text": {"text": "A."}}
    later = operator.at(datetime(2017, 12, 2, tzinfo=UTC)).speaking("zh-CN")
    [only] = (await later.run(OFFERED))["merchant"]["terms"]
    assert (only["version"], only["announced"]) == (2, False), "what was replaced is no longer shown"
    assert (only["text"]["before"], only["text"]["after"]) == ("A.", "B.")


async def test_l03_acceptance_is_kept_with_version_language_channel_and_place(
    operator: Client, grocer: Client, anonymous: Client, card: str, runtime: Runtime
) -> None:
    member = by_card(card)
    assert (await known(operator, member))["toAccept"] == [("basket", 1), ("programme", 1)], "fuel was not joined"
    own = watch(anonymous, "member", member_id=await id_of(operator, member))
    me = {"id": (await operator.run(READ, by=member))["member"]["id"]}
    sent = {"idempotencyKey": "accept-once", "channel": "APP"}
    for _ in range(2):
        answer = (await accept(own, me, **sent))["terms"]
    assert answer["accepted"] == [
        {"terms": {"code": "basket", "version": 1}, "language": "en", "channel": "APP", "merchant": {"code": "grocer"}}
    ]
    assert (await accept(own, me, version=2, **sent))["code"] == "IDEMPOTENCY_CONFLICT"
    assert (await known(own, me))["toAccept"] == [("programme", 1)]
    await accept(grocer, member, "programme", language="zh-CN")
    assert await known(grocer, member) == {"accepted": [("programme", 1), ("basket", 1)], "toAccept": []}
    # What is new is asked for again, unless it was accepted beforehand.
    later = operator.at(datetime(2017, 12, 2, tzinfo=UTC))
    assert (await known(later, member))["toAccept"] == [("basket", 2)]
    await accept(grocer, member, version=2, language="fr")
    assert (await known(later, member))["toAccept"] == []
    query = """query ($by: MemberRef!) { member(by: $by) {
                 history(first: 5, kinds: [TERMS_ACCEPTED]) { edges { node { data } } } } }"""
    told = [one["node"]["data"] for one in (await grocer.run(query, by=member))["member"]["history"]["edges"]]
    assert [(one["terms"], one["version"], one["language"]) for one in told] == [
        ("basket", 2, "fr"),
        ("programme", 1, "zh-CN"),
        ("basket", 1, "en"),
    ]


async def test_l03_only_what_is_published_is_accepted_and_a_merchant_sees_its_own(
    operator: Client, grocer: Client, fuel: Client, card: str
) -> None:
    member = by_card(card)
    for refused in ({"version": 3}, {"terms": "other"}, {"terms": "pump"}):
        assert (await accept(grocer, member, **refused))["code"] == "NOT_FOUND"
    assert (await accept(grocer, member, language="de"))["path"] == ["language"]
    assert (await accept(fuel, member))["code"] == "NOT_ALLOWED"
    enrolling = {"merchant": "fuel", "channel": "STORE", "identifiers": [member["identifier"]]}
    wanted = "... on Enrolled { joined }"
    wrong = {"terms": [{"terms": "pump", "version": 9, "language": "en"}]}
    assert (await operator.do("enrolMember", "EnrolMemberInput", wanted, **enrolling, **wrong))["code"] == "NOT_FOUND"
    right = {"terms": [{"terms": "pump", "version": 1, "language": "en"}]}
    assert (await operator.do("enrolMember", "EnrolMemberInput", wanted, **enrolling, **right))["joined"]
    await accept(grocer, member)
    assert await known(operator, member) == {"accepted": [("basket", 1), ("pump", 1)], "toAccept": [("programme", 1)]}
    by_id = {"id": (await operator.run(READ, by=member))["member"]["id"]}
    assert await known(fuel, by_id) == {"accepted": [("pump", 1)], "toAccept": [("programme", 1)]}


async def test_l03_acceptance_goes_with_a_merge_into_an_export_and_outlives_erasure(
    operator: Client, grocer: Client, card: str, runtime: Runtime
) -> None:
    other = {"identifier": {"type": "CARD", "issuer": "grocer", "value": uuid.uuid4().hex[:12]}}
    enrolling = {"merchant": "grocer", "channel": "STORE", "identifiers": [other["identifier"]]}
    await operator.do("enrolMember", "EnrolMemberInput", "... on Enrolled { created }", **enrolling)
    await accept(grocer, other)
    absorbed, survivor = await id_of(operator, other), await id_of(operator, by_card(card))
    named = {"absorbed_id": absorbed, "survivor_id": survivor, "client_id": CLIENT, "as_of": NOW, "key": key()}
    await merge_members(runtime, **named)
    assert (await known(operator, by_card(card)))["accepted"] == [("basket", 1)]
    async with runtime.database.transaction() as session:
        told = (await export_member(session, runtime.catalogue, survivor, NOW))["termsAcceptance"]
        assert [(one["terms"], one["version"], one["merchantId"]) for one in told] == [("basket", 1, "grocer")]
        await erase(session, survivor, reason=ErasureReason.REQUESTED, as_of=NOW)
        assert await session.scalar(text("SELECT count(*) FROM terms_acceptance")) == 1


async def test_r26_verify_finds_an_acceptance_of_what_nobody_published(
    grocer: Client, card: str, runtime: Runtime
) -> None:
    await accept(grocer, by_card(card))
    id_ = await id_of(grocer, by_card(card))
    connection = await runtime.database.connect()
    try:
        for change, found in (("version = version", 0), ("version = 7", 1), ("version = 1, language = 'xx'", 1)):
            await connection.execute(f"UPDATE terms_acceptance SET {change}")
            assert len(await examine(connection, [id_], CHECKS)) == found
    finally:
        await connection.close()
