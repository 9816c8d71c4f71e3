"""The rotating code in a member's app: what tills scan."""

from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any, Self, cast

import strawberry

from domain.codes import model
from resolvers import codes
from schema.answering import Shared, answer
from schema.inputs import KEY, passed_as_sent
from schema.node import Info
from schema.refusals import TYPES, MemberNotActive, UserError


@strawberry.type(description="The code was shown after its time.")
class MemberCodeExpired(UserError):
    """The app shows a new one by then."""

    until: str = strawberry.field(description="It was good until then.")
    own = ("until",)


@strawberry.type(description="The code has been used: it is good once.")
class MemberCodeUsed(UserError):
    """Who was named by it is in the answer to its first use."""


TYPES |= {kind.__name__: kind for kind in (MemberCodeExpired, MemberCodeUsed)}

Named = Shared | MemberCodeExpired | MemberCodeUsed
"""What every mutation that names a member may answer."""


@strawberry.enum(description="A format of pictures.")
class QrFormat(StrEnum):
    """SVG is sharp at any size."""

    SVG = "SVG"
    PNG = "PNG"


@passed_as_sent
@strawberry.input
class IssueMemberCodeInput:
    """The caller's own."""

    idempotency_key: str = strawberry.field(
        description=f"{KEY[: KEY.index('.')]}. Each call gets a new code: nothing is written that could be repeated."
    )


@strawberry.type(description="What a member shows at a till, for 60 seconds; good for one use.")
class MemberCode:
    """Signed: a till can check it with the keys of /.well-known/jwks.json."""

    token: str = strawberry.field(description="A JWT, signed with ES256: exp, and a sub that only we can read.")
    expires_at: datetime
    payload: str = strawberry.field(description="The same in 229 digits, for a QR code that is easy to scan.")

    @strawberry.field(description="The QR code of the payload, as a data: URI. A module is `scale` pixels wide.")
    def qr(self, format: QrFormat = QrFormat.SVG, scale: int = 4) -> str:
        """Drawn only if asked for. `scale` is from 1 to 20."""
        return codes.drawn(self.payload, svg=format == QrFormat.SVG, scale=scale)

    @classmethod
    def of(cls, code: model.MemberCode) -> Self:
        """From what was issued."""
        return cls(token=code.token, expires_at=code.expires_at, payload=code.payload)


IssueMemberCodeResult = Annotated[MemberCode | Shared | MemberNotActive, strawberry.union("IssueMemberCodeResult")]


@strawberry.type
class ShowingMutations:
    """Showing who one is."""

    @strawberry.mutation(description="A code to be shown at a till: signed, good for 60 seconds and for one use.")
    async def issue_member_code(self, info: Info, input: IssueMemberCodeInput) -> IssueMemberCodeResult | None:
        """For a member, of their own."""
        found = await answer(info, input, codes.issue)
        return cast("Any", found) if isinstance(found, UserError) else MemberCode.of(found)
