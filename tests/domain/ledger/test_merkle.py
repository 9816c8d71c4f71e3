"""The tree: RFC 6962's own example, the published vectors of Certificate Transparency, and every size up to 70."""

from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.ledger import merkle
from domain.ledger.merkle import Range, leaf_hash, node_hash

VECTORS = [
    ("", "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d"),
    ("00", "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125"),
    ("10", "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77"),
    ("2021", "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7"),
    ("3031", "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4"),
    ("40414243", "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef"),
    ("5051525354555657", "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c"),
    ("606162636465666768696a6b6c6d6e6f", "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328"),
]
"""Each leaf's input, and the root of the tree that ends with it (google/certificate-transparency, merkle_tree_test)."""


def root(leaves: list[bytes]) -> bytes:
    """MTH of RFC 6962, 2.1, word for word: the oracle."""
    if not leaves:
        return sha256(b"").digest()
    if len(leaves) == 1:
        return leaves[0]
    k = 1
    while k * 2 < len(leaves):
        k *= 2
    return node_hash(root(leaves[:k]), root(leaves[k:]))


class Tree:
    """A log as it is kept: the hashes that were written with each leaf, and nothing else."""

    def __init__(self, size: int, block: int = 7) -> None:
        self.leaves = [leaf_hash(str(n).encode()) for n in range(size)]
        self.kept: list[list[bytes]] = []
        self.frontier: list[bytes] = []
        for start in range(0, size, block):
            self.kept += merkle.grow(self.frontier, start, self.leaves[start : start + block])

    def hash(self, leaves: Range) -> bytes:
        """Of a range of leaves, from what is kept."""
        places = [merkle.kept_at(subtree) for subtree in merkle.cover(leaves)]
        return merkle.fold([self.kept[index][level] for index, level in places])

    def hashes(self, ranges: list[Range]) -> list[bytes]:
        """Of several."""
        return [self.hash(leaves) for leaves in ranges]


def test_the_published_vectors() -> None:
    frontier: list[bytes] = []
    for n, (leaf, expected) in enumerate(VECTORS):
        merkle.grow(frontier, n, [leaf_hash(bytes.fromhex(leaf))])
        assert merkle.fold(frontier).hex() == expected
    assert merkle.EMPTY_ROOT.hex() == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"


def test_the_example_of_rfc_6962_section_2_1_3() -> None:
    tree = Tree(7)
    a, b, c, d, e, f, j = tree.leaves
    g, h, i = node_hash(a, b), node_hash(c, d), node_hash(e, f)
    k, m = node_hash(g, h), node_hash(i, j)
    assert tree.hashes(merkle.inclusion_ranges(0, 7)) == [b, h, m]
    assert tree.hashes(merkle.inclusion_ranges(3, 7)) == [c, g, m]
    assert tree.hashes(merkle.inclusion_ranges(4, 7)) == [f, j, k]
    assert tree.hashes(merkle.inclusion_ranges(6, 7)) == [i, k]
    assert tree.hashes(merkle.consistency_ranges(3, 7)) == [c, d, g, m]
    assert tree.hashes(merkle.consistency_ranges(4, 7)) == [m]
    assert tree.hashes(merkle.consistency_ranges(6, 7)) == [i, j, k]


@pytest.mark.parametrize("size", range(71))
def test_inclusion_of_every_leaf_at_every_size(size: int) -> None:
    tree = Tree(size)
    assert merkle.fold(tree.frontier) == root(tree.leaves)
    for index, leaf in enumerate(tree.leaves):
        path = tree.hashes(merkle.inclusion_ranges(index, size))
        assert len(path) <= (size - 1).bit_length()
        assert merkle.root_of_inclusion(index, size, leaf, path) == root(tree.leaves)


@pytest.mark.parametrize("second", range(71))
def test_consistency_of_every_two_sizes(second: int) -> None:
    tree = Tree(second)
    for first in range(second + 1):
        old, new = root(tree.leaves[:first]), root(tree.leaves)
        path = tree.hashes(merkle.consistency_ranges(first, second))
        assert merkle.is_consistent(first, second, old, new, path)
        if first not in (0, second):
            assert not merkle.is_consistent(first, second, sha256(old).digest(), new, path)
            assert not merkle.is_consistent(first, second, old, sha256(new).digest(), path)
            assert not merkle.is_consistent(first, second, old, new, [*path, old])


@given(st.integers(2, 70).flatmap(lambda n: st.tuples(st.just(n), st.integers(0, n - 1))), st.data())
def test_no_other_leaf_place_or_path_makes_the_root(shape: tuple[int, int], data: st.DataObject) -> None:
    size, index = shape
    tree = Tree(size)
    expected, leaf = root(tree.leaves), tree.leaves[index]
    path = tree.hashes(merkle.inclusion_ranges(index, size))
    other = data.draw(st.integers(0, size - 1).filter(lambda n: n != index))
    step = data.draw(st.integers(0, len(path) - 1))
    changed = [*path[:step], sha256(path[step]).digest(), *path[step + 1 :]]
    assert merkle.root_of_inclusion(index, size, tree.leaves[other], path) != expected
    assert merkle.root_of_inclusion(other, size, leaf, path) != expected
    assert merkle.root_of_inclusion(index, size, leaf, changed) != expected
    assert merkle.root_of_inclusion(index, size, leaf, path[:-1]) != expected
    assert merkle.root_of_inclusion(index, size, leaf, [*path, leaf]) is None


@given(st.integers(0, 200), st.integers(0, 200))
def test_a_log_is_the_same_however_it_is_cut_into_blocks(size: int, block: int) -> None:
    assert Tree(size, block + 1).kept == Tree(size, size + 1).kept


def test_what_is_not_there_has_no_proof() -> None:
    for index, size in ((0, 0), (3, 3), (-1, 3)):
        with pytest.raises(ValueError, match="is not in a tree"):
            merkle.inclusion_ranges(index, size)
        assert merkle.root_of_inclusion(index, size, b"", []) is None
    for first, second in ((4, 3), (-1, 3)):
        with pytest.raises(ValueError, match="does not grow"):
            merkle.consistency_ranges(first, second)
        assert not merkle.is_consistent(first, second, b"", b"", [b""])


@given(st.data())
def test_a_few_hashes_prove_any_leaves_together(data: st.DataObject) -> None:
    size = data.draw(st.integers(1, 70))
    tree = Tree(size)
    mine = sorted(data.draw(st.sets(st.integers(0, size - 1), min_size=1)))
    ranges = merkle.multiproof_ranges(mine, size)
    hashes = [tree.hash(leaves) for leaves in ranges]
    leaves = {index: tree.leaves[index] for index in mine}
    assert merkle.root_of_many(leaves, size, hashes) == root(tree.leaves)
    assert set(ranges) <= {one for index in mine for one in merkle.inclusion_ranges(index, size)}
    wrong = leaves | {mine[0]: leaf_hash(b"another")}
    assert merkle.root_of_many(wrong, size, hashes) != root(tree.leaves)
    assert merkle.root_of_many(leaves, size, [*hashes, tree.leaves[0]]) is None
    assert not hashes or merkle.root_of_many(leaves, size, hashes[:-1]) is None


def test_leaves_that_are_not_in_the_tree_are_proved_by_nothing() -> None:
    for leaves in ({}, {-1: b""}, {3: b""}):
        assert merkle.root_of_many(leaves, 3, []) is None
    with pytest.raises(ValueError, match="not all leaves"):
        merkle.multiproof_ranges([1, 3], 3)
