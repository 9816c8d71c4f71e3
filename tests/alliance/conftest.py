"""The alliance that its tests work with."""

from collections.abc import AsyncIterator

import pytest

from alliance.runtime import Runtime
from tests.alliance.support import House


@pytest.fixture
async def house(runtime: Runtime) -> AsyncIterator[House]:
    """The sample alliance at work."""
    made = House(runtime)
    yield made
    await made.keep_agreed()
