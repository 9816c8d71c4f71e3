"""What every room's tables share: the declarative base, column types, ids."""

import uuid
from datetime import datetime
from decimal import Decimal
from typing import Any

import uuid_utils
from asyncpg.pgproto import pgproto
from sqlalchemy import BigInteger, DateTime, Dialect, MetaData, Numeric, Text, TypeDecorator, Uuid
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import DeclarativeBase

NAMES = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s",
    "pk": "pk_%(table_name)s",
}


class Base(DeclarativeBase):
    """Parent of all tables. Times are aware; integers are 64 bits; JSON is jsonb."""

    metadata = MetaData(naming_convention=NAMES)
    type_annotation_map = {
        uuid.UUID: Uuid(),
        datetime: DateTime(timezone=True),
        int: BigInteger(),
        str: Text(),
        dict[str, Any]: JSONB(),
        list[Any]: JSONB(),
    }


class WideInteger(TypeDecorator[int]):
    """An integer of up to 38 digits: for sums of what itself may take all 64 bits."""

    impl = Numeric(38, 0)
    cache_ok = True

    def process_bind_param(self, value: int | None, dialect: Dialect) -> Decimal | None:
        """As the database takes it."""
        return None if value is None else Decimal(value)

    def process_result_value(self, value: Decimal | None, dialect: Dialect) -> int | None:
        """As an integer again."""
        return None if value is None else int(value)


def new_id() -> uuid.UUID:
    """A new UUIDv7: ordered by the time it was made, so that inserts land at the end of an index.

    It is asyncpg's own subclass of `uuid.UUID`, which is made, hashed and sent several times faster.
    """
    made: uuid.UUID = pgproto.UUID(uuid_utils.uuid7().bytes)
    return made


def first_id(moment: datetime) -> uuid.UUID:
    """The least id that `new_id` can have made at a moment."""
    milliseconds = int(moment.timestamp() * 1000)
    return uuid.UUID(int=milliseconds << 80)


def lock_key(id_: uuid.UUID) -> int:
    """The signed 64-bit advisory lock key of an id, from its random half."""
    return int.from_bytes(id_.bytes[8:], "big", signed=True)
