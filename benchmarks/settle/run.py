"""The parts of `tessera bench settle`."""

from benchmarks.parts import Parts
from benchmarks.settle import netting

PARTS: Parts = {
    "netting": netting.measure,
}
