"""The Merkle tree of RFC 6962 (and 9162, section 2.1): leaves in, roots and proofs out. Pure functions.

A complete subtree is named (level, index): its leaves are those from `index << level` to `(index + 1) << level`,
exclusive. Every range of leaves that a proof needs is covered by a few of them, largest first. The subtrees that are
complete once a leaf is there are kept with that leaf: none is ever computed or written again.
"""

from bisect import bisect_left
from collections.abc import Iterable, Mapping, Sequence
from hashlib import sha256

HASH_SIZE = 32
EMPTY_ROOT = sha256(b"").digest()

Range = tuple[int, int]
Subtree = tuple[int, int]


def leaf_hash(entry: bytes) -> bytes:
    """The hash of a leaf."""
    return sha256(b"\x00" + entry).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """The hash of the node above two others."""
    return sha256(b"\x01" + left + right).digest()


def cover(leaves: Range) -> list[Subtree]:
    """The complete subtrees that make up a range of leaves, largest first; the range is a node of some tree."""
    start, end = leaves
    subtrees = []
    for level in range((end - start).bit_length() - 1, -1, -1):
        if (end - start) >> level:
            subtrees.append((level, start >> level))
            start += 1 << level
    return subtrees


def kept_at(subtree: Subtree) -> tuple[int, int]:
    """Where a complete subtree's hash is kept: the leaf that completed it, and its place among the hashes there."""
    level, index = subtree
    return ((index + 1) << level) - 1, level


def fold(hashes: Sequence[bytes]) -> bytes:
    """The root over the subtrees that cover a range."""
    if not hashes:
        return EMPTY_ROOT
    root = hashes[-1]
    for left in reversed(hashes[:-1]):
        root = node_hash(left, root)
    return root


def grow(frontier: list[bytes], size: int, leaves: Iterable[bytes]) -> list[list[bytes]]:
    """Append leaf hashes to a tree of `size` leaves, whose cover hashes to `frontier` (changed in place).

    For each leaf: its hash, then those of the subtrees that it completes, upwards.
    """
    kept = []
    for index, hashed in enumerate(leaves, size):
        hashes = [hashed]
        while index & 1:
            hashed = node_hash(frontier.pop(), hashed)
            hashes.append(hashed)
            index >>= 1
        frontier.append(hashed)
        kept.append(hashes)
    return kept


def inclusion_ranges(index: int, size: int) -> list[Range]:
    """PATH of RFC 9162, 2.1.3.1: the ranges whose hashes prove that a leaf is in a tree, from the leaf upwards.

    Raises ValueError for a leaf that is not in a tree of that size.
    """
    if not 0 <= index < size:
        raise ValueError(f"leaf {index} is not in a tree of {size}")
    ranges = []
    start, end = 0, size
    while end - start > 1:
        middle = start + _split(end - start)
        if index < middle:
            ranges.append((middle, end))
            end = middle
        else:
            ranges.append((start, middle))
            start = middle
    return ranges[::-1]


def consistency_ranges(first: int, second: int) -> list[Range]:
    """PROOF of RFC 9162, 2.1.4.1: the ranges whose hashes prove that a tree only grew from one size to another.

    Raises ValueError unless 0 <= first <= second.
    """
    if not 0 <= first <= second:
        raise ValueError(f"a tree does not grow from {first} to {second}")
    if first in (0, second):
        return []
    ranges = []
    start, end = 0, second
    while end != first:
        middle = start + _split(end - start)
        if first <= middle:
            ranges.append((middle, end))
            end = middle
        else:
            ranges.append((start, middle))
            start = middle
    if start:
        ranges.append((start, end))
    return ranges[::-1]


def root_of_inclusion(index: int, size: int, hashed: bytes, path: Sequence[bytes]) -> bytes | None:
    """RFC 9162, 2.1.3.2: the root that a leaf and its path make; None where no tree of that size has such a path."""
    if not 0 <= index < size:
        return None
    last = size - 1
    for sibling in path:
        if last == 0:
            return None
        if index & 1 or index == last:
            hashed = node_hash(sibling, hashed)
            while not index & 1 and index:
                index, last = index >> 1, last >> 1
        else:
            hashed = node_hash(hashed, sibling)
        index, last = index >> 1, last >> 1
    return hashed if last == 0 else None


def multiproof_ranges(indexes: Sequence[int], size: int) -> list[Range]:
    """The ranges whose hashes, with those of some leaves (sorted, each once), make the root: from left to right.

    No more than the paths of these leaves, each hash once. Raises ValueError for a leaf that is not in the tree.
    """
    if indexes and not 0 <= indexes[0] <= indexes[-1] < size:
        raise ValueError(f"not all leaves are in a tree of {size}")
    ranges: list[Range] = []

    def visit(start: int, end: int, mine: Sequence[int]) -> None:
        if not mine:
            ranges.append((start, end))
        elif end - start > 1:
            middle = start + _split(end - start)
            cut = bisect_left(mine, middle)
            visit(start, middle, mine[:cut])
            visit(middle, end, mine[cut:])

    visit(0, size, indexes)
    return ranges


def root_of_many(leaves: Mapping[int, bytes], size: int, hashes: Sequence[bytes]) -> bytes | None:
    """The root that leaf hashes by index and the hashes of `multiproof_ranges` make; None where these do not fit."""
    given = iter(hashes)

    def visit(start: int, end: int, mine: Sequence[int]) -> bytes:
        if not mine:
            return next(given)
        if end - start == 1:
            return leaves[start]
        middle = start + _split(end - start)
        cut = bisect_left(mine, middle)
        return node_hash(visit(start, middle, mine[:cut]), visit(middle, end, mine[cut:]))

    indexes = sorted(leaves)
    if not indexes or indexes[0] < 0 or indexes[-1] >= size:
        return None
    try:
        root = visit(0, size, indexes)
    except StopIteration:
        return None
    return root if next(given, None) is None else None


def is_consistent(first: int, second: int, first_root: bytes, second_root: bytes, path: Sequence[bytes]) -> bool:
    """RFC 9162, 2.1.4.2: whether the tree of `second` leaves holds that of `first` unchanged at its beginning."""
    if first == second:
        return not path and first_root == second_root
    if first == 0:
        return not path and first_root == EMPTY_ROOT
    if not 0 < first < second or not path:
        return False
    steps = list(path) if first & (first - 1) else [first_root, *path]
    index, last = first - 1, second - 1
    while index & 1:
        index, last = index >> 1, last >> 1
    old = new = steps[0]
    for step in steps[1:]:
        if last == 0:
            return False
        if index & 1 or index == last:
            old, new = node_hash(step, old), node_hash(step, new)
            while not index & 1 and index:
                index, last = index >> 1, last >> 1
        else:
            new = node_hash(new, step)
        index, last = index >> 1, last >> 1
    return last == 0 and old == first_root and new == second_root


def _split(size: int) -> int:
    """The largest power of two that is smaller than `size`."""
    return 1 << ((size - 1).bit_length() - 1)
