"""Who may see what. Denied unless declared: every field of every type has a policy in schema/policies.py.

`PARENT` (whoever was given the object may read it) costs nothing at all: such a field is left as it is. The others
wrap the field's resolver once, when the schema is built.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from resolvers.viewer import WIDER, Viewer


class Denied(Exception):
    """A root field was asked for by somebody who may not. `code` is UNAUTHENTICATED or FORBIDDEN."""

    def __init__(self, code: str, message: str) -> None:
        self.code = code
        super().__init__(message)


@dataclass(frozen=True, slots=True)
class Policy:
    """`kinds` of viewer that may, none meaning anybody who is signed in; and a scope they need for it."""

    kinds: frozenset[str] = frozenset()
    scope: str | None = None

    def allows(self, viewer: Viewer | None) -> bool:
        """Whether this viewer may."""
        if viewer is None:
            return False
        if self.kinds and viewer.kind not in self.kinds:
            return False
        return self.scope is None or self.scope in viewer.scopes or WIDER.get(self.scope) in viewer.scopes

    def require(self, viewer: Viewer | None) -> None:
        """Raises Denied unless the viewer may."""
        if viewer is None:
            raise Denied("UNAUTHENTICATED", "sign in first: send Authorization: Bearer and a token of /oauth/token")
        if not self.allows(viewer):
            raise Denied("FORBIDDEN", "this client may not do that" + (f": scope {self.scope}" if self.scope else ""))


PARENT: Policy | None = None
"""As its parent: whoever holds the object may read the field."""

SIGNED_IN = Policy()
"""Any viewer; the resolver decides what is in reach."""


def by(*kinds: str, scope: str | None = None) -> Policy:
    """These kinds of viewer, if they have the scope."""
    return Policy(frozenset(kinds), scope)


Resolve = Callable[..., Any]


def guarded(resolve: Resolve, policy: Policy, *, silent: bool) -> Resolve:
    """`resolve`, only for whom the policy allows: others get null if `silent`, and Denied if not."""

    def guard(source: Any, info: Any, **arguments: Any) -> Any:
        viewer = info.context.viewer
        if not policy.allows(viewer):
            if silent:
                return None
            policy.require(viewer)
        return resolve(source, info, **arguments)

    return guard


def closed(source: Any, info: Any, **arguments: Any) -> Any:
    """The resolver of a field that nobody declared a policy for."""
    raise Denied("FORBIDDEN", "this field has no policy, so nobody may read it")
