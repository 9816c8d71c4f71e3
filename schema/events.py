"""What happened, in one sequence without gaps: for those who follow it."""

from datetime import datetime

import strawberry

from domain.events.kinds import EventKind
from resolvers import events
from resolvers.context import Context
from resolvers.pages import encode_cursor, window
from schema.node import Info, PageInfo
from schema.scalars import JSON


@strawberry.type(description="Something that happened. Its data carry ids and figures, nothing personal.")
class Event:
    """As its viewer is told."""

    id: strawberry.ID = strawberry.field(description="The same in a CloudEvent, and as the id of a webhook's message.")
    number: str = strawberry.field(description="Its place in the sequence of all that happened, in digits.")
    kind: EventKind
    at: datetime = strawberry.field(description="When it was booked.")
    data: JSON


@strawberry.type(description="An event, with its cursor.")
class EventEdge:
    """One row of a page."""

    cursor: str
    node: Event


@strawberry.type(
    description="A page of the sequence. Its endCursor is how far it was looked through, though nothing may have been "
    "found: go on after it while hasNextPage."
)
class EventConnection:
    """The whole sequence is never counted."""

    edges: list[EventEdge]
    page_info: PageInfo


@strawberry.type
class EventQueries:
    """A merchant is told of its own side of the alliance."""

    @strawberry.field(
        description="What happened after a cursor, in the order it was committed: whoever goes on after the last "
        "endCursor misses nothing and is told nothing twice. Forwards only."
    )
    async def events(
        self,
        info: Info,
        first: int | None = None,
        after: str | None = None,
        kinds: list[EventKind] | None = None,
        member: strawberry.ID | None = None,
    ) -> EventConnection:
        """Looks through a few thousand places at most."""
        asked = window(events.EVENT_SHAPE, first, after)
        found = await events.listed(info.context, asked, kinds or (), member)
        edges = [EventEdge(cursor=_cursor(one.position), node=_event(info.context, one)) for one in found.happened]
        return EventConnection(
            edges=edges,
            page_info=PageInfo(
                has_next_page=found.more,
                has_previous_page=asked.after is not None,
                start_cursor=edges[0].cursor if edges else None,
                end_cursor=_cursor(found.upto) if found.upto >= 0 else None,
            ),
        )


def _cursor(position: int) -> str:
    return encode_cursor((str(position),))


def _event(context: Context, one: events.Happened) -> Event:
    return Event(
        id=strawberry.ID(events.global_id(one)),
        number=str(one.position),
        kind=EventKind(one.kind),
        at=one.at,
        data=JSON(events.told(context.runtime.catalogue, one, context.own_merchant_id)),
    )
