"""What a mutation was sent: a mapping with the names the client sees, its values coerced by the schema's scalars."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import orjson

from domain.errors import InvalidInput
from domain.ledger.request import Key, fingerprint_of
from resolvers.context import Context

Sent = Mapping[str, Any]

MAX_TEXT = 1000
KEY_LENGTH = range(8, 201)
_NOT_FINGERPRINTED = ("idempotencyKey", "dryRun")


def key_of(context: Context, name: str, sent: Sent) -> Key:
    """The idempotency key of a mutation, with an HMAC of the mutation's name and of the fields as sent.

    Nulls count as left out. Raises InvalidInput for a key or a text that cannot be stored.
    """
    value = sent["idempotencyKey"]
    if len(value) not in KEY_LENGTH:
        raise InvalidInput(reason="must have 8 to 200 characters", path=("idempotencyKey",))
    fields = plain({field: what for field, what in sent.items() if field not in _NOT_FINGERPRINTED})
    plain(value, ("idempotencyKey",))
    body = name.encode() + b"\0" + orjson.dumps(fields, option=orjson.OPT_SORT_KEYS)
    viewer = context.signed_in
    fingerprint = fingerprint_of(context.house.fingerprint_secret, body)
    return Key(viewer.client_id, viewer.subject, value, fingerprint)


def plain(value: Any, path: tuple[str, ...] = ()) -> Any:
    """A value without nulls, its texts checked. Raises InvalidInput."""
    if isinstance(value, str):
        if len(value) > MAX_TEXT or "\0" in value:
            raise InvalidInput(reason=f"must be a text of at most {MAX_TEXT} characters, without U+0000", path=path)
        return value
    if isinstance(value, dict):
        return {key: plain(what, (*path, key)) for key, what in value.items() if what is not None}
    if isinstance(value, list):
        return [plain(what, (*path, str(place))) for place, what in enumerate(value)]
    return value


def occurred_at(context: Context, sent: Sent) -> datetime:
    """When it happened, as the client says; by default as of now."""
    said: datetime | None = sent.get("occurredAt")
    return context.as_of if said is None else said
