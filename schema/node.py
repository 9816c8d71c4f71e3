"""What has a global id, and lists of it."""

from collections.abc import Awaitable, Callable
from typing import Any, Generic, Self, TypeVar

import strawberry

from resolvers.context import Context
from resolvers.pages import Page, encode_cursor
from resolvers.policy import Policy

T = TypeVar("T")
Info = strawberry.Info[Context, None]


Fetch = Callable[[Info, str], Awaitable["Node | None"]]

FETCHED: dict[str, tuple[Policy, Fetch]] = {}
"""By the kind in a global id: who may fetch it by `node`, and how. Types that say so where they are defined."""


@strawberry.interface(description="Something with an id that can be fetched again by `node`.")
class Node:
    """Parent of every entity; ids come from resolvers.ids."""

    id: strawberry.ID


@strawberry.type(description="Where a page lies in its list.")
class PageInfo:
    """As Relay's connections have it."""

    has_next_page: bool
    has_previous_page: bool
    start_cursor: str | None
    end_cursor: str | None


@strawberry.type(description="An item of a list, with its cursor.")
class Edge(Generic[T]):
    """One row of a page."""

    cursor: str
    node: T


@strawberry.type(description="A page of a list: first/after or last/before, 20 by default, 100 at most.")
class Connection(Generic[T]):
    """A page; `totalCount` costs a statement, and only when it is selected."""

    edges: list[Edge[T]]
    page_info: PageInfo
    total: strawberry.Private[Callable[[], Awaitable[int]]]

    @strawberry.field(description="How long the whole list is. Costs only when it is asked for.")
    async def total_count(self) -> int:
        """Count the list."""
        return await self.total()

    @classmethod
    def of(cls, page: Page[Any], shown: Callable[[Any], T]) -> Self:
        """The page's rows as the types that clients see."""
        edges = [Edge(cursor=encode_cursor(cursor), node=shown(row)) for cursor, row in page.rows]
        return cls(
            edges=edges,
            page_info=PageInfo(
                has_next_page=page.has_next,
                has_previous_page=page.has_previous,
                start_cursor=edges[0].cursor if edges else None,
                end_cursor=edges[-1].cursor if edges else None,
            ),
            total=page.total,
        )
