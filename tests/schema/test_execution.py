"""What the execution of a call leaves behind."""

import gc
import weakref

import strawberry

from schema.build import assemble


@strawberry.type
class Asked:
    """A query that answers at once."""

    @strawberry.field
    async def answer(self) -> int:
        """What was asked for."""
        return 42


class Held:
    """What a call holds while it is answered."""


async def test_what_a_call_holds_is_freed_with_it_and_not_left_to_the_collector() -> None:
    schema = assemble(Asked, Asked)
    held = Held()
    freed = weakref.ref(held)
    gc.disable()
    try:
        result = await schema.execute("{ answer }", context_value=held)
        assert result.data == {"answer": 42}
        del held, result
        assert freed() is None
    finally:
        gc.enable()
