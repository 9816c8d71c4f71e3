"""The parts of `tessera bench settle`."""

from benchmarks.parts import Parts
from benchmarks.settle import caps, closing, netting

PARTS: Parts = {
    "netting": netting.measure,
    "closing": closing.measure,
    "caps": caps.measure,
}
