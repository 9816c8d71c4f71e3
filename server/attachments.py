"""POST /ingest/attachment and GET /attachments/ID: small files that come with steps of claims."""

from datetime import UTC, datetime
from urllib.parse import quote

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from alliance.disputes import attachments
from domain.errors import NotFound, Refusal
from resolvers import ids
from resolvers.claims import party_of
from resolvers.context import Context, House, language_of
from resolvers.reach import members_of
from resolvers.viewer import Scope, Verifier
from server.callers import Refused, require_scope, settling, viewer_of


class Attachments:
    """The endpoints. The media type is the request's, the name its parameter `name`, the content its body."""

    def __init__(self, house: House, verifier: Verifier) -> None:
        self._house, self._verifier = house, verifier

    async def post(self, request: Request) -> Response:
        """Keep a file, for a claim or an answer to come; 201 and its id."""
        try:
            context = self._sending(request)
            content = await _body(request)
        except Refused as refused:
            return refused.response()
        media_type = request.headers.get("content-type", "").split(";")[0].strip().lower()
        try:
            async with self._house.runtime.database.transaction() as session:
                kept = await attachments.keep(
                    session,
                    request.query_params.get("name", ""),
                    media_type,
                    content,
                    party_id=party_of(context),
                    who=context.signed_in.subject,
                )
        except Refusal as refusal:
            return Refused(400, refusal.code, refusal.message(context.language)).response()
        told = {"id": ids.encode("Attachment", kept.id), "name": kept.name, "mediaType": kept.media_type}
        return JSONResponse(told | {"size": kept.size, "sha256": kept.sha256.hex()}, 201)

    async def get(self, request: Request) -> Response:
        """Its content, as it was sent, never to be shown in a page."""
        try:
            context = settling(self._house, self._verifier, request)
        except Refused as refused:
            return refused.response()
        try:
            (id_,) = ids.decode_as("Attachment", request.path_params["id"], 1)
        except NotFound:
            return _missing().response()
        async with self._house.runtime.database.reader() as session:
            found = await attachments.by_id(session, id_, members_of(context.signed_in))
        if found is None:
            return _missing().response()
        headers = {
            "content-disposition": f"attachment; filename*=utf-8''{quote(found.name, safe='')}",
            "x-content-type-options": "nosniff",
            "content-security-policy": "sandbox; default-src 'none'",
            "cache-control": "private, no-store",
        }
        return Response(found.content, media_type=found.media_type, headers=headers)

    def _sending(self, request: Request) -> Context:
        viewer = viewer_of(self._verifier, request.headers)
        require_scope(viewer, Scope.CLAIMS_WRITE)
        language = language_of(request.headers.get("accept-language", ""))
        return Context(self._house, viewer, datetime.now(UTC), language)


def _missing() -> Refused:
    return Refused(404, "NOT_FOUND", "the attachment was not found")


async def _body(request: Request) -> bytes:
    """All of it, unless it is too large. Raises Refused."""
    content = bytearray()
    async for piece in request.stream():
        content += piece
        if len(content) > attachments.LARGEST:
            raise Refused(413, "TOO_LARGE", f"a file has at most {attachments.LARGEST} bytes")
    return bytes(content)
