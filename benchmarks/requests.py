"""Bodies of GraphQL requests for the load generator, which puts numbers where %(n)d and %(m)d are (see load.Plan)."""

from typing import Any

import orjson

EARN = """mutation Earn($input: EarnInput!) {
  earn(input: $input) {
    __typename
    ... on Earned { points operation { id } decidedBy { points } }
    ... on UserError { code message path }
  }
}"""

REDEEM = """mutation Redeem($input: RedeemInput!) {
  redeem(input: $input) {
    __typename
    ... on Redeemed { points operation { id } }
    ... on UserError { code message path }
  }
}"""


def earn_body(prefix: str) -> str:
    """One purchase of 12.34 at the grocer; each request has a key of its own, and card number m."""
    return _body(EARN, prefix, {"orderRef": "ORDER", "amount": {"amount": "12.34", "currency": "USD"}})


def redeem_body(prefix: str, points: int) -> str:
    """So many points spent at the grocer by card number m."""
    return _body(REDEEM, prefix, {"orderRef": "ORDER", "points": points})


def granted_body(prefix: str) -> str:
    """A point of the grocer's granted at the filling station, which comes to owe for it."""
    card = {"identifier": {"type": "CARD", "issuer": "grocer", "value": "CARD"}}
    return _body(EARN, prefix, {"merchant": "fuel", "currency": "GRO", "points": 1, "member": card})


def _body(query: str, prefix: str, what: dict[str, Any]) -> str:
    sent = {
        "idempotencyKey": f"bench-{prefix}-KEY",
        "merchant": "grocer",
        "member": {"identifier": {"type": "CARD", "value": "CARD"}},
        "channel": "STORE",
    }
    body = orjson.dumps({"query": query, "variables": {"input": sent | what}}).decode()
    # A per cent sign of the document's own would have to be doubled.
    body = body.replace("%", "%%").replace("-KEY", "-%(n)d").replace('"ORDER"', '"order-%(n)d"')
    return body.replace('"value":"CARD"', '"value":"%(m)d"')


def plain_body(query: str) -> str:
    """A request without numbers."""
    return orjson.dumps({"query": query}).decode().replace("%", "%%")
