"""The contract in the repository is the one that is served."""

from pathlib import Path

from graphql import build_schema as parse_sdl
from graphql import parse

from schema.export import FILE, export, is_current, sdl


def test_the_file_is_not_stale(tmp_path: Path) -> None:
    assert is_current(FILE), "run python -m schema.export"
    other = export(tmp_path / "schema.graphql")
    assert is_current(other)
    other.write_text("type Query { a: Int }")
    assert not is_current(other)


def test_the_contract_says_what_clients_were_promised() -> None:
    text = sdl()
    parse(text)
    for promised in (
        "member(by: MemberRef!): Member\n",
        "nodes(ids: [ID!]!): [Node]!",
        "members(filter: MemberFilter, first: Int, after: String, last: Int, before: String): MemberConnection!",
        "earn(input: EarnInput!): EarnResult\n",
        "earnBatch(inputs: [EarnInput!]!): [EarnResult]\n",
        "input MemberRef @oneOf {",
        "dryRun: Boolean = false",
        "interface UserError {",
        'type Merchant implements Node @key(fields: "code")',
        "worth: Money\n",
        "exchangeOptions(from: String!): [ExchangeOption!]!",
    ):
        assert promised in text, promised


def test_the_contract_is_a_schema() -> None:
    schema = parse_sdl(sdl(), assume_valid_sdl=True)
    assert schema.mutation_type is not None
