"""Short ways to handle rights."""

import pytest

from tests.alliance.benefits.support import Rights
from tests.alliance.support import House


@pytest.fixture
def rights(house: House) -> Rights:
    """In the sample alliance."""
    return Rights(house)
