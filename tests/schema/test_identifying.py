"""Every type of identifier at every channel; linked, proved and taken away by those who may."""

import json
import uuid
from dataclasses import replace

from alliance.intake.commands import Sender, take
from alliance.passcodes import Passcodes
from alliance.runtime import Runtime
from domain.ledger.request import Posted
from resolvers.viewer import ALLOWED_SCOPES, DEFAULT_SCOPES, Scope
from schema.enums import Channel
from tests.alliance.passcodes.support import Phone
from tests.schema.support import NOW, Client, by_card, viewer_of

VALUES = {
    "CARD": ("40-0{n}", None),
    "PHONE": ("614 555 01{n}", None),
    "EMAIL": ("Ann{n}@Example.org", None),
    "APP_USER": ("user-{n}", None),
    "WECHAT_OPENID": ("oX{n}", "wx-app"),
    "WECHAT_UNIONID": ("uX{n}", None),
    "PARTNER_NUMBER": ("ab {n}", "wings"),
    "RFID": ("04:a2:{n}", None),
    "DEVICE": ("Phone {n}", None),
}
"""Of each type a value, and who issued it where the caller has to say so."""

CHANNELS = [channel.value for channel in Channel]
NOBODY = uuid.UUID(int=0xFEED)


def shown(type_: str, n: int) -> dict[str, str]:
    """An identifier of that type as somebody shows it."""
    value, issuer = VALUES[type_]
    return {"type": type_, "value": value.format(n=10 + n)} | ({"issuer": issuer} if issuer else {})


ENROL = """
mutation ($input: EnrolMemberInput!) { enrolMember(input: $input) { __typename
  ... on Enrolled { created joined member { id number memberships { channel store { code } number }
    identifiers { type issuer value linkedAt verifiedAt identifies atTill } } }
  ... on UserError { code path } } }"""
FIND = "query ($by: MemberRef!) { member(by: $by) { id } }"


def test_all_declared_types_are_tried(runtime: Runtime) -> None:
    assert VALUES.keys() == runtime.catalogue.identifier_types.keys()


async def test_every_type_at_every_channel_by_graphql(grocer: Client) -> None:
    for type_ in VALUES:
        for n, channel in enumerate(CHANNELS):
            given = {"merchant": "grocer", "channel": channel, "store": "330", "identifiers": [shown(type_, n)]}
            first = (await grocer.run(ENROL, input=given | {"idempotencyKey": f"{type_}-{channel}"}))["enrolMember"]
            assert (first["created"], first["joined"]) == (True, True), (type_, channel)
            [joined], [known_by] = first["member"]["memberships"], first["member"]["identifiers"]
            assert (joined["channel"], joined["store"]) == (channel, {"code": "330"})
            assert known_by["identifies"]
        again = (await grocer.run(ENROL, input=given | {"idempotencyKey": f"{type_}-again"}))["enrolMember"]
        assert (again["created"], again["joined"], again["member"]) == (False, False, first["member"]), type_
        by = {"identifier": shown(type_, n)}
        assert (await grocer.run(FIND, by=by))["member"] == {"id": first["member"]["id"]}, type_


async def test_every_type_at_every_channel_by_feed(runtime: Runtime, operator: Client) -> None:
    sender = Sender(NOBODY, NOBODY, b"secret", None, may_give=False, may_reverse=False)
    lines = [
        {"key": f"{type_}-{channel}-{time}", "merchant": "grocer", "channel": channel, "member": shown(type_, n)}
        | {"amount": {"amount": "10.00", "currency": "USD"}, "store": "330"}
        for type_ in VALUES
        for n, channel in enumerate(CHANNELS)
        for time in ("first", "again")
    ]
    answers = await take(runtime, sender, [json.dumps(line).encode() for line in lines], NOW)
    owners = [answer.outcome.holder_id if isinstance(answer.outcome, Posted) else answer.outcome for answer in answers]
    assert owners[::2] == owners[1::2]
    assert len(set(owners)) == len(VALUES) * len(CHANNELS)
    want = "{ members { totalCount edges { node { memberships { channel } } } } }"
    members = (await operator.run(want.replace("members {", "members(first: 100) {", 1)))["members"]
    assert members["totalCount"] == len(set(owners))
    joined = [edge["node"]["memberships"][0]["channel"] for edge in members["edges"]]
    assert sorted(joined) == sorted(CHANNELS * len(VALUES))


async def test_what_a_client_does_not_vouch_for_is_kept_and_identifies_nobody(
    anonymous: Client, runtime: Runtime, grocer: Client
) -> None:
    scopes = DEFAULT_SCOPES["merchant"] - {Scope.IDENTIFIERS_VERIFY} | {Scope.IDENTIFIERS_READ}
    merchant_id = runtime.catalogue.merchants["grocer"].id
    website = anonymous.signed_in(viewer_of("merchant", merchant_id=merchant_id, scopes=scopes))
    phone, user = shown("PHONE", 1), shown("APP_USER", 1)
    given = {"merchant": "grocer", "channel": "WEB", "idempotencyKey": "website-0001"}
    refused = (await website.run(ENROL, input=given | {"identifiers": [phone]}))["enrolMember"]
    assert refused == {
        "__typename": "IdentifierNotVerified",
        "code": "IDENTIFIER_NOT_VERIFIED",
        "path": ["identifiers", "0"],
    }
    vouching = given | {"identifiers": [phone], "verified": True}
    assert (await website.run(ENROL, input=vouching))["enrolMember"]["path"] == ["verified"]
    ann = (await website.run(ENROL, input=given | {"identifiers": [user, phone]}))["enrolMember"]["member"]
    assert [(i["type"], i["identifies"], i["verifiedAt"]) for i in ann["identifiers"]] == [
        ("APP_USER", True, None),
        ("PHONE", False, None),
    ]
    by = {"identifier": phone}
    assert (await grocer.run(FIND, by=by))["member"] is None
    proved = {"merchant": "grocer", "member": {"identifier": user}, "identifier": phone}
    want = "... on Verified { verified member { id identifiers { identifies } } }"
    alone = await website.do("verifyIdentifier", "VerifyIdentifierInput", want, **proved)
    assert (alone["code"], alone["path"]) == ("NOT_ALLOWED", ["code"])
    done = await grocer.do("verifyIdentifier", "VerifyIdentifierInput", want, **proved)
    assert done["verified"]
    assert done["member"] == {"id": ann["id"], "identifiers": [{"identifies": True}] * 2}
    assert (await grocer.run(FIND, by=by))["member"] == {"id": ann["id"]}


async def test_a_till_spends_only_for_who_shows_what_is_good_there(grocer: Client) -> None:
    phone, card, tag = shown("PHONE", 1), shown("CARD", 1), shown("RFID", 1)
    given = {"merchant": "grocer", "channel": "STORE"}
    await grocer.do("enrolMember", "EnrolMemberInput", "", identifiers=[phone, card, tag], **given)
    earned = await grocer.do("earn", "EarnInput", "", member={"identifier": phone}, points=100, **given)
    assert earned["__typename"] == "Earned", "anybody may earn for them"
    for mutation, kind in (("redeem", "RedeemInput"), ("holdPoints", "HoldPointsInput")):
        for channel, shows, done in (
            ("STORE", phone, False),
            ("KIOSK", phone, False),
            ("APP", phone, True),
            ("STORE", card, True),
            ("KIOSK", tag, True),
        ):
            call = {"merchant": "grocer", "channel": channel, "member": {"identifier": shows}, "points": 10}
            answer = await grocer.do(mutation, kind, "", **call)
            assert (answer.get("code") is None) == done, (mutation, channel, shows, answer)
            if not done:
                assert (answer["code"], answer["path"]) == ("NOT_ALLOWED", ["member", "identifier", "type"])


async def test_identifiers_are_taken_away_by_whose_members_they_are(
    operator: Client, grocer: Client, fuel: Client, card: str
) -> None:
    phone = shown("PHONE", 1)
    link = {"merchant": "grocer", "member": by_card(card), "identifier": phone}
    assert (await grocer.do("linkIdentifier", "LinkIdentifierInput", "... on Linked { linked }", **link))["linked"]
    unlink = "unlinkIdentifier", "UnlinkIdentifierInput", "... on Unlinked { unlinked member { identifiers { type } } }"
    stranger = await fuel.do(*unlink, merchant="fuel", member={"identifier": phone}, identifier=phone)
    assert (stranger["code"], stranger["path"]) == ("NOT_FOUND", ["member"])
    joining = {"merchant": "fuel", "channel": "STORE", "identifiers": [phone]}
    await fuel.do("enrolMember", "EnrolMemberInput", "", **joining)
    others = by_card(card)["identifier"]
    refused = await fuel.do(*unlink, merchant="fuel", member={"identifier": phone}, identifier=others)
    assert (refused["code"], refused["path"]) == ("NOT_FOUND", ["identifier"])
    gone = await fuel.do(*unlink, merchant="fuel", member={"identifier": phone}, identifier=phone)
    assert (gone["unlinked"], gone["member"]["identifiers"]) == (True, [])
    last = await operator.do(*unlink, merchant="grocer", member=by_card(card), identifier=others)
    assert last["code"] == "LAST_IDENTIFIER"
    alone = await operator.do(*unlink, merchant="grocer", member=by_card(card), identifier=others, numberAlone=True)
    assert (alone["unlinked"], alone["member"]["identifiers"]) == (True, [])


def test_whoever_vouches_is_trusted_to() -> None:
    assert {kind for kind, scopes in ALLOWED_SCOPES.items() if Scope.IDENTIFIERS_VERIFY in scopes} == {
        "merchant",
        "operator",
    }


async def test_the_code_that_was_sent_to_it_proves_it(anonymous: Client, runtime: Runtime, grocer: Client) -> None:
    scopes = DEFAULT_SCOPES["merchant"] - {Scope.IDENTIFIERS_VERIFY}
    merchant_id = runtime.catalogue.merchants["grocer"].id
    website = anonymous.signed_in(viewer_of("merchant", merchant_id=merchant_id, scopes=scopes))
    sent, mail, user = Phone(), shown("EMAIL", 1), shown("APP_USER", 1)
    website.house.passcodes = passcodes = Passcodes(runtime, sent.notifiers)
    joining = {"merchant": "grocer", "channel": "WEB", "identifiers": [user, mail]}
    assert (await website.do("enrolMember", "EnrolMemberInput", "", **joining))["__typename"] == "Enrolled"
    asked = {"merchant": "grocer", "identifier": mail}
    assert "code" not in await website.do("sendOneTimeCode", "SendOneTimeCodeInput", "", **asked)
    await passcodes.idle()
    verify = "verifyIdentifier", "VerifyIdentifierInput", "... on Verified { verified }"
    said = asked | {"member": {"identifier": user}}
    assert (await website.do(*verify, **said, code="1"))["code"] == "WRONG_ONE_TIME_CODE"
    good = said | {"code": sent.code, "idempotencyKey": "the code is good once"}
    first, again = [await website.do(*verify, **good) for _ in range(2)]
    assert first == again == {"__typename": "Verified", "verified": True}
    assert (await website.do(*verify, **said, code=sent.code))["code"] == "WRONG_ONE_TIME_CODE"
    assert (await grocer.run(FIND, by={"identifier": mail}))["member"] is not None


async def test_a_purchase_enrols_whom_nobody_knew(
    anonymous: Client, runtime: Runtime, grocer: Client, operator: Client
) -> None:
    phone, want = {"identifier": shown("PHONE", 1)}, "... on Earned { points operation { member { id } } }"
    bought = {"merchant": "grocer", "channel": "KIOSK", "store": "330", "member": phone}
    bought["amount"] = {"amount": "10.00", "currency": "USD"}
    merchant_id = runtime.catalogue.merchants["grocer"].id
    scopes = DEFAULT_SCOPES["merchant"] - {Scope.IDENTIFIERS_VERIFY}
    website = anonymous.signed_in(viewer_of("merchant", merchant_id=merchant_id, scopes=scopes))
    unknown = await grocer.do("earn", "EarnInput", want, **bought)
    assert (unknown["code"], unknown["path"]) == ("NOT_FOUND", ["member"])
    bought["enrol"] = True
    refused = await website.do("earn", "EarnInput", want, **bought)
    assert (refused["code"], refused["path"]) == ("IDENTIFIER_NOT_VERIFIED", ["member", "identifier"])
    wrong = await grocer.do("earn", "EarnInput", want, **bought | {"currency": "XXX"})
    assert wrong["code"] == "NOT_FOUND"
    tried = await grocer.do("earn", "EarnInput", want, **bought, dryRun=True)
    assert tried["code"] == "NOT_FOUND", "a dry run makes nobody"
    assert (await operator.run("{ members { totalCount } }"))["members"]["totalCount"] == 0
    first, again = [await grocer.do("earn", "EarnInput", want, **bought) for _ in range(2)]
    assert first["operation"]["member"] == again["operation"]["member"]
    query = "query ($by: MemberRef!) { member(by: $by) { memberships { channel store { code } merchant { code } } } }"
    joined = {"channel": "KIOSK", "store": {"code": "330"}, "merchant": {"code": "grocer"}}
    assert (await grocer.run(query, by=phone))["member"]["memberships"] == [joined]
    assert (await operator.run("{ members { totalCount } }"))["members"]["totalCount"] == 1


async def test_an_identifier_of_anothers_merges_where_its_type_says_so(
    runtime: Runtime, operator: Client, grocer: Client, card: str
) -> None:
    phone, tag = shown("PHONE", 1), shown("RFID", 1)
    joining = {"merchant": "grocer", "channel": "APP", "identifiers": [phone, tag]}
    await grocer.do("enrolMember", "EnrolMemberInput", "", **joining)
    earning = {"merchant": "grocer", "channel": "STORE", "points": 50, "member": {"identifier": phone}}
    await grocer.do("earn", "EarnInput", "", **earning)
    want = '... on Linked { linked merged member { wallet(currency: "GRO") { balance } } }'
    link = "linkIdentifier", "LinkIdentifierInput", want
    asked = {"merchant": "grocer", "member": by_card(card)}
    taken = await grocer.do(*link, **asked, identifier=phone)
    assert taken["code"] == "IDENTIFIER_TAKEN"
    types = dict(runtime.catalogue.identifier_types)
    types["PHONE"] = replace(types["PHONE"], on_taken="merge")
    runtime.catalogue = replace(runtime.catalogue, identifier_types=types)
    waits = await grocer.do(*link, **asked, identifier=phone, verified=False)
    assert (waits["linked"], waits["merged"]) == (True, False), "who only says so takes nobody's points"
    unlinked = await grocer.do("unlinkIdentifier", "UnlinkIdentifierInput", "", **asked, identifier=phone)
    assert unlinked["__typename"] == "Unlinked"
    done = await grocer.do(*link, **asked, identifier=phone)
    assert (done["linked"], done["merged"], done["member"]["wallet"]["balance"]) == (True, True, 50)
    own = (await operator.run(FIND, by=by_card(card)))["member"]
    for identifier in (phone, tag):
        assert (await operator.run(FIND, by={"identifier": identifier}))["member"] == own
    again = await grocer.do(*link, **asked, identifier=phone)
    assert (again["linked"], again["merged"]) == (False, False)
    unlink = "unlinkIdentifier", "UnlinkIdentifierInput", "... on Unlinked { unlinked }"
    gone = await grocer.do(*unlink, **asked, identifier=tag)
    assert gone["unlinked"], "what leads to a member by a merge is taken away as their own"
    assert (await operator.run(FIND, by={"identifier": tag}))["member"] is None
