"""Every field has a declared policy, and the policies hold."""

from string import Formatter
from typing import Any

import pytest
from graphql import GraphQLObjectType, is_non_null_type, is_object_type, is_required_input_field

import domain.events.errors  # noqa: F401
from domain.errors import Refusal
from resolvers.policy import PARENT, Policy, closed
from schema.build import build_schema
from schema.policies import POLICIES, enforce
from schema.refusals import TYPES, ErrorCode
from tests.schema.support import Client, viewer_of

SCHEMA = build_schema()._schema
OBJECTS: dict[str, GraphQLObjectType] = {
    name: type_ for name, type_ in SCHEMA.type_map.items() if is_object_type(type_) and not name.startswith("__")
}
ROOT_FIELDS = [(root, name) for root in ("Query", "Mutation") for name in OBJECTS[root].fields]


def test_every_field_has_a_policy_and_every_policy_a_field() -> None:
    declared = {(name, field) for name, fields in POLICIES.items() for field in fields}
    there = {(name, field) for name, type_ in OBJECTS.items() for field in type_.fields}
    assert declared == there


def test_no_root_field_is_open() -> None:
    for root, name in ROOT_FIELDS:
        assert isinstance(POLICIES[root][name], Policy) or name == "_service"


def test_a_field_without_a_policy_does_not_resolve() -> None:
    from strawberry.federation import Schema
    from strawberry.schema.config import StrawberryConfig

    from schema.mutations import Mutation
    from schema.queries import Query
    from schema.scalars import SCALARS

    fresh = Schema(Query, Mutation, config=StrawberryConfig(scalar_map=SCALARS), federation_version="2.9")
    policies = {name: dict(fields) for name, fields in POLICIES.items()}
    del policies["Wallet"]["balance"]
    plain = fresh._schema.type_map["Wallet"].fields["held"].resolve  # type: ignore[attr-defined]
    enforce(fresh._schema, policies)
    wallet: Any = fresh._schema.type_map["Wallet"]
    assert wallet.fields["balance"].resolve is closed
    assert wallet.fields["held"].resolve is plain, "a field that is as its parent costs nothing"


def _document(root: str, name: str) -> str:
    """A call of a root field with no arguments but those it must have, all of them null-like literals."""
    field = OBJECTS[root].fields[name]
    needed = [argument for argument, what in field.args.items() if is_non_null_type(what.type)]
    values = {"id": '""', "ids": "[]", "code": '""', "by": '{number: "1"}', "representations": "[]", "inputs": "[]"}
    values |= {"input": _input(field), "first": "1", "second": "2", "since": '"2017-01-01T00:00:00Z"', "longest": "5"}
    values |= dict.fromkeys(("cycle", "issuer", "recipient"), '""')
    values |= {"merchants": "[]", "merchant": '""', "kind": "TIER_CHANGED", "channel": "SMS"}
    values |= {"cycles": "1", "occurred": "true"}
    values |= dict.fromkeys(("day", "from", "to"), '"2017-06-01"')
    values["file"] = '""'
    arguments = ", ".join(f"{argument}: {values[argument]}" for argument in needed)
    call = f"{name}({arguments})" if arguments else name
    return f"{root.lower()} {{ {call} {{ __typename }} }}"


def _input(field: Any) -> str:
    texts = {"Channel!": "STORE", "MemberRef!": '{number: "1"}', "[IdentifierInput!]!": "[]"}
    texts |= {"Points!": "1", "[String!]!": "[]", "JSON!": "{}", "Date!": '"2017-01-01"'}
    texts["NoticeOutcome!"] = "DELIVERED"
    texts |= {"ClaimCode!": "OTHER", "ClaimMove!": "ACCEPT"}
    texts["[ObjectedLineInput!]!"] = "[]"
    texts |= {"[ReceiptPaymentInput!]!": "[]", "[MoneyInput!]!": "[]"}
    texts |= {"Purpose!": "SERVICE", "ContactChannel!": "SMS"}
    texts["[GuardPart!]!"] = "[]"
    texts |= {"DuplicateDecision!": "LATER", "CloseReason!": "MEMBER_ASKED"}
    texts["PoolRole!"] = "SPENDER"
    texts["FreezeReason!"] = "OTHER"
    texts |= {"PoolMoves!": "SPEND", "LimitPeriod!": "DAY", "DissolveTo!": "OWNER"}
    texts["ErasureReason!"] = "REQUESTED"
    texts |= {"[DataKind!]!": "[]", "Int!": "1"}
    texts["CloseReason!"] = "MEMBER_ASKED"
    texts["Boolean!"] = "true"
    texts["CloseReason!"] = "MEMBER_ASKED"
    texts["[MemberRef!]!"] = '[{number: "1"}]'
    texts["RightRef!"] = '{code: "x"}'
    texts["MoneyInput!"] = '{amount: "1", currency: "USD"}'
    texts |= {"DeadlineKind!": "OBJECTIONS", "DateTime!": '"2017-01-01T00:00:00Z"'}
    texts["Decimal!"] = '"1"'
    texts["IdentifierInput!"] = '{type: "x", value: "x"}'
    if "input" not in field.args:
        return ""
    fields = field.args["input"].type.of_type.fields
    parts = [f"{n}: {texts.get(str(f.type), chr(34) * 2)}" for n, f in fields.items() if is_required_input_field(f)]
    return "{" + ", ".join(parts) + "}"


@pytest.mark.parametrize(("root", "name"), [pair for pair in ROOT_FIELDS if pair[1] != "_service"])
async def test_roots_are_denied_to_who_may_not(anonymous: Client, root: str, name: str) -> None:
    document = _document(root, name)
    errors = await anonymous.errors(document)
    assert [error["extensions"]["code"] for error in errors] == ["UNAUTHENTICATED"]
    policy = POLICIES[root][name]
    assert policy is not PARENT
    for kind in ("member", "merchant", "operator", "auditor"):
        if policy is not None and (policy.scope is not None):
            stripped = anonymous.signed_in(viewer_of(kind, scopes=[]))
            errors = await stripped.errors(document)
            assert [error["extensions"]["code"] for error in errors] == ["FORBIDDEN"], kind


async def test_nested_fields_are_denied_too(anonymous: Client, card: str) -> None:
    blind = anonymous.signed_in(viewer_of("operator", scopes=["members:read"]))
    query = (
        "{ members { edges { node { number wallets { balance } } } } alliance { openCycle { id } cycles "
        "{ totalCount } } }"
    )
    body = (await blind.post(query)).json()
    assert {error["extensions"]["code"] for error in body["errors"]} == {"FORBIDDEN"}
    seen = await blind.run(
        "{ members { edges { node { number } } } alliance { code openCycle { id } cycles { totalCount } } }"
    )
    assert len(seen["members"]["edges"]) == 1
    assert seen["alliance"] == {"code": "demo", "openCycle": None, "cycles": None}


ELSEWHERE = {"JobNotFailed", "MalformedLine", "LineTooLong", "RepeatedReference", "BalanceExpired", "BrokenRow"}
ELSEWHERE |= {"Unposted", "NotSigned", "NotInCheckpoint"}
ELSEWHERE |= {"FeedOutOfBounds", "FileRepeated", "FileChanged", "FileUnreadable", "BrokenCsv", "ColumnMissing"}
ELSEWHERE |= {"RowsDiffer", "LibraryMissing", "NotLooking", "NotEnoughMoney", "TooManyAttachments"}
ELSEWHERE |= {"PartnerFileUnreadable", "TrailerDiffers", "TrailerMissing", "FileColumnMissing", "PartnerFileTooLarge"}
"""Refusals that no GraphQL mutation can meet."""


def test_every_refusal_of_the_domain_has_a_type() -> None:
    house = {
        name: kind
        for name, kind in Refusal.kinds.items()
        if kind.__module__.startswith(("domain.", "alliance.")) and name not in ELSEWHERE
    }
    assert set(house) - set(TYPES) == set()
    for name, kind in house.items():
        said = {field for words in kind.text.values() for _, field, _, _ in Formatter().parse(words) if field}
        data = dict.fromkeys({*said, *TYPES[name].own, "agreement"}, "1")
        shown = TYPES[name].of(kind(path=("a",), **data), "zh-CN")
        assert shown.code in ErrorCode
        assert shown.message != kind(path=("a",), **data).message("en"), f"{name} is not translated"
