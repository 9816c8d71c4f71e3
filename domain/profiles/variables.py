"""What a rule for a tag may name, and of which kind it is."""

from collections.abc import Iterable, Mapping

from domain.profiles.expressions import Kind

OF_ALL: Mapping[str, Kind] = {
    "known": "texts",
    "tags": "texts",
    "status": "text",
    "joined_days": "integer",
    "now": "time",
}
"""Codes of attributes that are known; tags put by hand, of the same owner; days since joining."""

AT_MERCHANT: Mapping[str, Kind] = {"channel": "text", "store": "text", "tier": "text"}
"""Where a member joined it, and the code of their tier there; empty where there is none."""

VARIABLES = frozenset({"attributes", *OF_ALL, *AT_MERCHANT})

KINDS: Mapping[str, Kind] = {
    "string": "text",
    "choice": "text",
    "choices": "texts",
    "integer": "integer",
    "decimal": "double",
    "boolean": "boolean",
    "date": "time",
}
"""By the type of an attribute. A decimal is compared as the double nearest to it, as a literal is."""


def kinds(attributes: Mapping[str, str], facts: Iterable[str], at_merchant: bool) -> dict[str, Kind]:
    """The variables of a rule: attributes by code and type, its facts, and what there is besides."""
    found: dict[str, Kind] = {f"attributes.{code}": KINDS[kind] for code, kind in attributes.items()}
    found |= dict.fromkeys(facts, "integer")
    return {**found, **OF_ALL, **(AT_MERCHANT if at_merchant else {})}
