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


QUOTE = """mutation Quote($input: QuoteExchangeInput!) {
  quoteExchange(input: $input) {
    __typename
    ... on Quoted { quote { id } }
    ... on UserError { code message path }
  }
}"""

EXCHANGE = """mutation Exchange($input: ExchangePointsInput!) {
  exchangePoints(input: $input) {
    __typename
    ... on Exchanged { pointsOut operation { id } }
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


def quote_body(prefix: str, points: int) -> str:
    """So many of the filling station's points for the grocer's, for card number m."""
    card = {"identifier": {"type": "CARD", "issuer": "grocer", "value": "CARD"}}
    return _of(QUOTE, prefix, {"member": card, "from": "FUE", "to": "GRO", "pointsOut": points})


def exchange_body(prefix: str) -> str:
    """An exchange at quote v."""
    return _of(EXCHANGE, prefix, {"quote": "QUOTE"}).replace('"quote":"QUOTE"', '"quote":"%(v)s"')


def _body(query: str, prefix: str, what: dict[str, Any]) -> str:
    at_till = {"merchant": "grocer", "member": {"identifier": {"type": "CARD", "value": "CARD"}}, "channel": "STORE"}
    return _of(query, prefix, at_till | what)


def _of(query: str, prefix: str, what: dict[str, Any]) -> str:
    sent = {"idempotencyKey": f"bench-{prefix}-KEY"} | what
    body = orjson.dumps({"query": query, "variables": {"input": sent}}).decode()
    # A per cent sign of the document's own would have to be doubled.
    body = body.replace("%", "%%").replace("-KEY", "-%(n)d").replace('"ORDER"', '"order-%(n)d"')
    return body.replace('"value":"CARD"', '"value":"%(m)d"')


def plain_body(query: str) -> str:
    """A request without numbers."""
    return orjson.dumps({"query": query}).decode().replace("%", "%%")
