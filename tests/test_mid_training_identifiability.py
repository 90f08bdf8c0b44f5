"""What text cannot tell about skills, against enumeration of texts and latent paths."""

from __future__ import annotations

import itertools
import math
import re
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
import sympy
from hypothesis import given
from hypothesis import strategies as st

import theory.mid_training as mid
from tests.oracles import mid_training as oracle


@st.composite
def skill_maps(draw: Any, widest: int = 3, largest: int = 6) -> list[list[int]]:
    size = draw(st.integers(1, largest))
    return draw(st.lists(st.permutations(range(size)), min_size=1, max_size=widest))  # type: ignore[no-any-return]


@given(skill_maps())
def test_common_orbits_are_the_smallest_sets_that_no_skill_leaves(maps: list[list[int]]) -> None:
    size = len(maps[0])
    kept = [
        set(chosen)
        for n in range(1, size + 1)
        for chosen in itertools.combinations(range(size), n)
        if all({row[x] for x in chosen} == set(chosen) for row in maps)
    ]
    smallest = [one for one in kept if not any(other < one for other in kept)]
    orbits = mid.common_orbits(maps)
    assert orbits == sorted(sorted(one) for one in smallest)
    assert mid.equivalent_labellings(maps) == math.factorial(len(maps)) ** (len(orbits) - 1)


def log_likelihood(text: tuple[int, ...], emissions: np.ndarray, alpha: float) -> float:
    return oracle.posterior(oracle.log_emissions_of(list(text), emissions), alpha)[0]


@given(st.integers(0, 2**32 - 1), st.integers(1, 3), st.sampled_from([0.0, 0.4, 0.97]), st.data())
def test_the_cost_of_a_relabelling_bounds_what_any_text_changes(
    seed: int, k: int, alpha: float, data: st.DataObject
) -> None:
    rng = np.random.default_rng(seed)
    size = 3
    emissions = rng.dirichlet(np.full(size, 0.3), (k, size)) * 0.999 + 0.001 / size
    inside = data.draw(st.sets(st.integers(0, size - 1)))
    order = data.draw(st.permutations(range(k)))
    changed = mid.relabelled(emissions, sorted(inside), order)
    for latent, x in itertools.product(range(k), range(size)):
        assert changed[latent, x].tolist() == emissions[order[latent] if x in inside else latent, x].tolist()
    for text in itertools.product(range(size), repeat=4):
        crossings = sum((a in inside) != (b in inside) for a, b in itertools.pairwise(text[:-1]))
        change = abs(log_likelihood(text, changed, alpha) - log_likelihood(text, emissions, alpha))
        # sums of 27 products of at most 7 factors, logarithms below 40: rounding stays below 1e-12
        assert change <= mid.relabelling_cost(crossings, alpha, k) + 1e-12


@given(st.integers(0, 5), st.sampled_from([0.0, 0.1, 1.0]), st.integers(0, 4))
def test_the_uncrossed_share_is_that_of_the_chain_of_sides(inside: int, noise: float, n: int) -> None:
    """A token stays on its side unless noise puts one of the other side in its place; all token sequences listed."""
    size, eta = 5, Fraction(str(noise))
    total = Fraction(0)
    for text in itertools.product(range(size), repeat=n + 1):
        if len({x < inside for x in text}) > 1:
            continue
        weight = Fraction(1, size)
        for before, after in itertools.pairwise(text):  # the skill keeps the token; any permutation of C would do
            weight *= 1 - eta if after == before else eta / (size - 1)
        total += weight
    assert mid.uncrossed_share(inside, size, eta, n) == total
    assert mid.uncrossed_share(inside, size, noise, n) == pytest.approx(float(total), rel=1e-13)


def test_symbols_and_arrays() -> None:
    alpha = sympy.Symbol("alpha", positive=True)
    assert sympy.simplify(mid.relabelling_cost(3, alpha, 2) - 3 * sympy.log(1 + 2 * alpha / (1 - alpha))) == 0
    assert mid.relabelling_cost(np.arange(3), 0.5, 2).tolist() == pytest.approx([0.0, math.log(3), 2 * math.log(3)])
    shares = mid.uncrossed_share(3, 7, np.array([0.0, 0.5]), 2)
    assert shares.tolist() == [1.0, mid.uncrossed_share(3, 7, 0.5, 2)]


@pytest.mark.parametrize(
    ("name", "arguments", "message"),
    [
        ("common_orbits", ([[0, 0]],), "maps must be permutations of 0..A-1"),
        ("common_orbits", ([[0, 2]],), "maps must be permutations of 0..A-1"),
        ("common_orbits", ([0, 1],), "maps must be permutations of 0..A-1"),
        ("common_orbits", ([[0.0, 1.0]],), "maps must be permutations of 0..A-1"),
        ("equivalent_labellings", ([[]],), "maps must be permutations of 0..A-1"),
        ("relabelled", ([[[1.0]]], [1], [0]), "tokens must be an integer in [0, 0], got 1"),
        ("relabelled", ([[[1.0]]], [0], [0, 0]), "order must be a permutation of 0..0, got [0, 0]"),
        ("relabelled", ([[1.0]], [0], [0]), "emissions must have shape"),
        ("relabelling_cost", (-1, 0.5, 2), "n_crossings must be an integer in [0, inf), got -1"),
        ("relabelling_cost", (1, 1.0, 2), "alpha must be a real number in [0, 1), got 1.0"),
        ("uncrossed_share", (8, 7, 0.1, 2), "n_inside must be an integer in [0, n_tokens], got 8"),
        ("uncrossed_share", (1, 1, 0.1, 2), "n_tokens must be an integer in [2, inf), got 1"),
        ("uncrossed_share", (1, 2, 1.1, 2), "noise must be a real number in [0, 1], got 1.1"),
        ("uncrossed_share", (1, 2, 0.1, -1), "n_steps must be an integer in [0, inf), got -1"),
    ],
)
def test_bad_arguments_are_named(name: str, arguments: tuple[Any, ...], message: str) -> None:
    with pytest.raises(ValueError, match=re.escape(message)):
        getattr(mid, name)(*arguments)
