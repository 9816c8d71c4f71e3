"""The alliance that its tests work with."""

import pytest

from alliance.runtime import Runtime
from tests.alliance.support import House


@pytest.fixture
def house(runtime: Runtime) -> House:
    """The sample alliance at work."""
    return House(runtime)
