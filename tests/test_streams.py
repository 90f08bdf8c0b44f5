"""The counter-based generator: published known answers, addresses, uniformity."""

from __future__ import annotations

import numba
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sims._streams import mix_seed, philox, philox_block, uniform_pair
from sims.intervals import hoeffding

WORDS = st.integers(0, 2**32 - 1)
SEEDS = st.integers(0, 2**63 - 1)


def philox_literal(counter: list[int], key: list[int]) -> list[int]:
    """Philox4x32-10 in plain integers, as in its paper's figure."""
    mask = 2**32 - 1
    for _ in range(10):
        low_product, high_product = 0xD2511F53 * counter[0], 0xCD9E8D57 * counter[2]
        counter = [
            (high_product >> 32) ^ counter[1] ^ key[0],
            high_product & mask,
            (low_product >> 32) ^ counter[3] ^ key[1],
            low_product & mask,
        ]
        key = [(key[0] + 0x9E3779B9) & mask, (key[1] + 0xBB67AE85) & mask]
    return counter


# The three vectors of philox4x32-10 in the file kat_vectors of the authors' library Random123.
KNOWN = [
    ([0, 0, 0, 0], [0, 0], [0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8]),
    ([0xFFFFFFFF] * 4, [0xFFFFFFFF] * 2, [0x408F276D, 0x41C83B0E, 0xA20BC7C6, 0x6D5451FD]),
    (
        [0x243F6A88, 0x85A308D3, 0x13198A2E, 0x03707344],
        [0xA4093822, 0x299F31D0],
        [0xD16CFE09, 0x94FDCCEB, 0x5001E420, 0x24126EA1],
    ),
]


@pytest.mark.parametrize(("counter", "key", "words"), KNOWN)
def test_philox_gives_the_published_words(counter, key, words):
    assert philox_literal(counter, key) == words
    assert [int(word) for word in philox(*map(np.uint64, counter + key))] == words


@given(st.lists(WORDS, min_size=4, max_size=4), st.lists(WORDS, min_size=2, max_size=2))
def test_philox_is_the_literal_one_everywhere(counter, key):
    assert [int(word) for word in philox(*map(np.uint64, counter + key))] == philox_literal(counter, key)


@given(st.integers(0, 2**64 - 1), WORDS, st.integers(0, 2**64 - 1), WORDS)
def test_an_address_is_the_counter(key, stream, step, block):
    got = philox_block(np.uint64(key), np.uint64(stream), np.uint64(step), np.uint64(block))
    mask = 2**32 - 1
    assert [int(word) for word in got] == philox_literal(
        [block, step & mask, step >> 32, stream], [key & mask, key >> 32]
    )


def test_streams_steps_and_blocks_never_share_draws():
    seen = {
        tuple(int(w) for w in philox_block(np.uint64(key), np.uint64(stream), np.uint64(step), np.uint64(block)))
        for key in range(4)
        for stream in range(4)
        for step in (0, 1, 2**32, 2**32 + 1)
        for block in range(4)
    }
    assert len(seen) == 4**4


@given(st.sets(SEEDS, min_size=2, max_size=20), st.integers(0, 2**32))
def test_seeds_and_cells_give_different_keys(seeds, cell):
    keys = {int(mix_seed(np.uint64(seed), np.uint64(cell))) for seed in seeds}
    others = {int(mix_seed(np.uint64(seed), np.uint64(cell + 1))) for seed in seeds}
    assert len(keys) == len(seeds)  # splitmix64 is a bijection
    assert not keys & others


def test_uniforms_are_uniform_and_uncorrelated():
    # Each of the 21 intervals misses with probability at most 1e-10 if the law is right.
    n = 20_000
    key = np.uint64(mix_seed(np.uint64(7), np.uint64(0)))
    pairs = np.array([uniform_pair(key, np.uint64(1), np.uint64(step), np.uint64(0)) for step in range(n)])
    assert ((pairs >= 0) & (pairs < 1)).all()
    for column in pairs.T:
        for tenth in range(10):
            inside = (column >= tenth / 10) & (column < (tenth + 1) / 10)
            low, high = hoeffding(inside.mean(), n, 1e-10, 0, 1)
            assert low <= 0.1 <= high
    low, high = hoeffding((pairs[:, 0] * pairs[:, 1]).mean(), n, 1e-10, 0, 1)
    assert low <= 0.25 <= high


def test_a_key_is_the_same_from_python_and_in_a_kernel() -> None:
    """Keys above 2**63 used to leave a kernel as Python ints, which no kernel takes back."""

    @numba.njit
    def in_kernel(seed, cell):  # type: ignore[no-untyped-def]
        return mix_seed(seed, cell)

    keys = [mix_seed(seed, 3) for seed in range(20)]
    assert all(isinstance(key, np.uint64) for key in keys)
    assert max(keys) > 2**63
    assert [in_kernel(np.uint64(seed), np.uint64(3)) for seed in range(20)] == [int(key) for key in keys]
