"""Identifiers are kept as a keyed hash, by which they are looked up, and sealed under their member's key."""

from binascii import b2a_base64
from typing import Any

import sqlalchemy as sa
from alembic import context, op

from domain.privacy.vault import Vault

revision = "0058"
down_revision = "0057"
branch_labels = None
depends_on = None

AT_ONCE = 5000

_NEXT = sa.text("""
    SELECT holder_id, type, issuer, value FROM member_identifier WHERE sealed IS NULL
    ORDER BY holder_id, type, issuer, value LIMIT :most
""")
_KEYS = sa.text("SELECT holder_id, wrapped_by, wrapped FROM member_key WHERE holder_id = ANY(CAST(:holders AS uuid[]))")
_MAKE = sa.text("""
    INSERT INTO member_key (holder_id, wrapped_by, wrapped)
    SELECT * FROM unnest(CAST(:holders AS uuid[]), CAST(:by AS text[]), CAST(:wrapped AS bytea[]))
""")
_SEAL = sa.text("""
    UPDATE member_identifier AS i SET value = b.hashed, sealed = b.sealed
    FROM unnest(CAST(:holders AS uuid[]), CAST(:types AS text[]), CAST(:issuers AS text[]), CAST(:values AS text[]),
                CAST(:hashed AS text[]), CAST(:sealed AS bytea[])) AS b (holder_id, type, issuer, value, hashed, sealed)
    WHERE (i.holder_id, i.type, i.issuer, i.value) = (b.holder_id, b.type, b.issuer, b.value)
""")
_HASH = sa.text("""
    UPDATE identifier_owner AS o SET value = b.hashed
    FROM unnest(CAST(:types AS text[]), CAST(:issuers AS text[]), CAST(:values AS text[]), CAST(:hashed AS text[]))
        AS b (type, issuer, value, hashed)
    WHERE (o.type, o.issuer, o.value) = (b.type, b.issuer, b.value)
""")


def upgrade() -> None:
    """One column more and an index less, and what is there is sealed: all of it or, if this is broken off, nothing."""
    op.add_column("member_identifier", sa.Column("sealed", sa.LargeBinary(), nullable=True))
    connection = op.get_bind()
    while rows := connection.execute(_NEXT, {"most": AT_ONCE}).all():
        _sealed(connection, rows)
    op.alter_column("member_identifier", "sealed", nullable=False)
    op.drop_index("ix_member_key_wrapped_by", "member_key")  # it cost each enrolment more than it saved a rotation


def _sealed(connection: sa.Connection, rows: Any) -> None:
    keys = context.config.attributes.get("keys")
    if keys is None:
        raise RuntimeError("there are identifiers to be sealed: migrate with the keys, by `tessera migrate`")
    vault = Vault(keys)
    holders = sorted({row.holder_id for row in rows})
    theirs = {row.holder_id: (row.wrapped_by, row.wrapped) for row in connection.execute(_KEYS, {"holders": holders})}
    new = [holder for holder in holders if holder not in theirs]
    fresh = vault.fresh(new)
    if new:
        made = {"by": [by for by, _ in fresh], "wrapped": [wrapped for _, wrapped in fresh]}
        connection.execute(_MAKE, {"holders": new, **made})
    theirs |= dict(zip(new, fresh, strict=True))
    fields = [f"identifier\0{row.type}\0{row.issuer}" for row in rows]
    columns = {
        "types": [row.type for row in rows],
        "issuers": [row.issuer for row in rows],
        "values": [row.value for row in rows],
        "hashed": [
            b2a_base64(vault.digest(field, row.value))[:22].decode() for field, row in zip(fields, rows, strict=True)
        ],
    }
    sealed = [
        vault.seal(row.holder_id, theirs[row.holder_id], field, row.value)
        for field, row in zip(fields, rows, strict=True)
    ]
    connection.execute(_SEAL, columns | {"holders": [row.holder_id for row in rows], "sealed": sealed})
    connection.execute(_HASH, columns)
