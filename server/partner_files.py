"""POST /ingest/partner-file: a merchant's own file for reconciliation comes in, as it is or packed by gzip."""

import tempfile
from datetime import UTC, datetime
from typing import BinaryIO, cast

from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response

from alliance.partnerfiles.commands import PART, Receiving, Sent
from alliance.partnerfiles.model import PartnerFile
from resolvers import ids
from resolvers.context import House
from resolvers.viewer import Scope, Verifier, Viewer
from server.callers import Refused, require_scope, viewer_of

IN_MEMORY = 1 << 20

LONGEST = 200
"""Characters of a name or a key."""


class PartnerFiles:
    """Takes files. A file is on disk before the database gets it: no transaction waits for a slow sender."""

    def __init__(self, house: House, verifier: Verifier, limit: int) -> None:
        self._house, self._verifier, self._limit = house, verifier, limit

    async def post(self, request: Request) -> Response:
        """Answers its id, with 201; with 200 if this content came before under the same key."""
        try:
            viewer = viewer_of(self._verifier, request.headers)
            require_scope(viewer, Scope.RECONCILE_WRITE)
            sent = self._sent(viewer, request)
            with tempfile.SpooledTemporaryFile(max_size=IN_MEMORY) as spool:
                await self._spool(request, cast(BinaryIO, spool))
                file, new = await self._keep(sent, cast(BinaryIO, spool))
        except Refused as refused:
            return refused.response()
        except ClientDisconnect:
            return Response(status_code=400)
        told = {"id": ids.encode("PartnerFile", file.id), "digest": file.digest, "size": file.size}
        return JSONResponse(told | {"name": file.name, "status": file.status}, 201 if new else 200)

    def _sent(self, viewer: Viewer, request: Request) -> Sent:
        catalogue = self._house.runtime.catalogue
        code = request.query_params.get("merchant")
        own = catalogue.merchants_by_id.get(viewer.merchant_id) if viewer.merchant_id else None
        if viewer.kind not in ("merchant", "operator"):
            raise Refused(403, "FORBIDDEN", "files are sent by merchants, or by the operator for them")
        merchant = own if code is None else catalogue.merchants.get(code)
        if merchant is None or (viewer.kind == "merchant" and merchant is not own):
            raise Refused(400, "BAD_USER_INPUT", "merchant: whose file it is, by code; one's own by default")
        name = request.query_params.get("name", "")
        key = request.headers.get("idempotency-key", name)
        for what, value in (("name", name), ("Idempotency-Key", key)):
            if len(value) > LONGEST or not (value.isprintable() or not value):
                raise Refused(400, "BAD_USER_INPUT", f"{what} has at most {LONGEST} characters that print")
        return Sent(merchant.id, name or key or "file", key, str(viewer.subject), datetime.now(UTC))

    async def _spool(self, request: Request, spool: BinaryIO) -> None:
        size = 0
        async for part in request.stream():
            size += len(part)
            if size > self._limit:
                raise Refused(413, "PARTNER_FILE_TOO_LARGE", f"a file may have at most {self._limit} bytes")
            spool.write(part)
        if not size:
            raise Refused(400, "BAD_USER_INPUT", "the file is the body; it is empty")
        spool.seek(0)

    async def _keep(self, sent: Sent, spool: BinaryIO) -> tuple[PartnerFile, bool]:
        async with self._house.runtime.database.transaction() as session:
            receiving = Receiving(session, sent, self._limit)
            while part := spool.read(PART):
                await receiving.write(part)
            file = await receiving.end()
            return file, file.id == receiving.id
