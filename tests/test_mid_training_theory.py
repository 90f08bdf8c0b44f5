"""Closed forms of mid-training against enumeration, exact rationals, quadrature and the numbers of a worked example."""

from __future__ import annotations

import math
from fractions import Fraction
from itertools import combinations
from typing import Any

import numpy as np
import pytest
import sympy
from flint import arb, ctx
from hypothesis import event, given
from hypothesis import strategies as st
from scipy.integrate import quad

import theory.mid_training as mid
from tests.oracles import mid_training as oracle

EPS = np.finfo(float).eps


def rational_law(draw: Any, size: int) -> list[Fraction]:
    weights = draw(st.lists(st.integers(0, 6), min_size=size, max_size=size).filter(any))
    return [Fraction(w, sum(weights)) for w in weights]


@st.composite
def laws(draw: Any, low: int = 1, high: int = 4) -> list[Fraction]:
    return rational_law(draw, draw(st.integers(low, high)))


@st.composite
def emission_tables(draw: Any, longest: int = 5, widest: int = 3) -> np.ndarray:
    length, k = draw(st.integers(1, longest)), draw(st.integers(1, widest))
    cells = st.floats(-6, 3, allow_nan=False)
    return np.array(draw(st.lists(st.lists(cells, min_size=k, max_size=k), min_size=length, max_size=length)))


alphas = st.sampled_from([0.0, 0.3, 0.8, 0.99]) | st.floats(0, 0.999)
rates = st.floats(1e-4, 0.999)


# -------------------- the oracle itself


def test_oracle_on_hand_worked_cases() -> None:
    half = Fraction(1, 2)
    assert oracle.seen_sets([half, half], 2) == {
        frozenset({0}): Fraction(1, 4),
        frozenset({1}): Fraction(1, 4),
        frozenset({0, 1}): half,
    }
    assert oracle.multinomial_mean([half, half], 2, lambda c: c[0] * c[1]) == half
    flat = np.zeros((2, 2))
    likelihood, law = oracle.posterior(flat, 0.5)
    assert likelihood == pytest.approx(0.0, abs=1e-15)
    assert law[(0, 0)] == pytest.approx(0.375)
    assert oracle.best_score(np.array([[0.0, -1.0], [-1.0, 0.0]]), 0.25) == -0.25
    assert oracle.best_values(np.array([[1.0], [0.0]]), np.array([[[0.5]], [[0.5]]]), [0, 1]).tolist() == [2.0]


# -------------------- counts, bounds


@given(st.integers(1, 10**6), st.data(), rates, st.floats(1e-12, 1.0))
def test_counts_are_ordered(m: Any, data: Any, sigma: Any, delta: Any) -> None:
    k = data.draw(st.integers(1, m))
    union = mid.union_count(m, k, sigma, delta)
    # rounding of the logarithms: a few units in the last place of the largest term
    slack = 1e-9 * (1 + abs(union))
    assert union <= mid.loose_union_count(m, k, sigma, delta) + slack
    assert union <= mid.paper_count(m, k, sigma, delta) + slack
    assert union >= mid.single_subset_lower_count(sigma, delta) - slack


@given(st.integers(1, 300), st.data())
def test_log_binomial_in_both_branches(m: Any, data: Any) -> None:
    k = data.draw(st.integers(1, m))
    exact = math.log(math.comb(m, k))
    assert mid.log_binomial(m, k) == exact
    assert float(mid.log_binomial(sympy.Integer(m), sympy.Integer(k))) == pytest.approx(exact, rel=1e-14)
    assert mid.log_binomial(np.array([m]), k)[0] == exact


def test_log_binomial_of_large_arguments() -> None:
    # balls for the log-gamma function as a second route, at 200 bits: the difference loses 20 of them
    m, k = 10**6, 5 * 10**5
    before, ctx.prec = ctx.prec, 200
    try:
        exact = float((arb(m + 1).lgamma() - 2 * arb(k + 1).lgamma()).mid())
    finally:
        ctx.prec = before
    assert mid.log_binomial(m, k) == pytest.approx(exact, rel=1e-12)


def test_worked_counts() -> None:
    ceil = math.ceil
    assert ceil(mid.union_count(20, 5, 0.08, 0.1)) == 144
    assert ceil(mid.union_count(20, 5, 0.08, 0.01)) == 171
    assert ceil(mid.union_count(50, 1, 0.1, 0.1)) == 59
    assert ceil(mid.union_count(50, 1, 0.1, 0.01)) == 81
    assert ceil(mid.union_count(128, 4, 0.2, 0.5)) == 76
    assert ceil(mid.union_count(128, 4, 0.2, 0.05)) == 86
    assert ceil(mid.union_count(4096, 32, 0.2, 0.5)) == 830
    assert ceil(mid.union_count(4096, 32, 0.2, 0.05)) == 841
    assert ceil(mid.union_count(256, 16, 0.5 / 16, 0.1)) == 1886
    assert mid.paper_count(20, 5, 0.08, 0.1) / 47 == pytest.approx(7.1, abs=0.06)
    assert mid.paper_count(20, 5, 0.08, 0.01) / 75 == pytest.approx(6.3, abs=0.06)
    assert mid.paper_count(128, 4, 0.2, 0.05) / 57 == pytest.approx(2.75, abs=0.006)
    assert mid.paper_count(4096, 32, 0.2, 0.05) / 466 == pytest.approx(3.89, abs=0.006)
    # with sigma the rate per type, the paper's count is nearly tight on typed blocks
    assert mid.paper_count(256, 16, 0.5, 0.1) == pytest.approx(251, abs=0.5)
    assert ceil(mid.count_rule_chernoff(30, 4, 0.2, 0.05)) == 557
    assert mid.count_rule_exact(30, 4, 0.2, 0.05)[0] == 214
    assert ceil(mid.union_count(30, 4, 0.2, 0.05)) == 60


def smallest(success: Any, delta: float) -> int:
    return mid.smallest_demonstrations(success, 1 - delta)


def test_worked_smallest_counts() -> None:
    assert smallest(lambda n: mid.elimination_probability(5, 0.08, n), 0.1) == 47
    assert smallest(lambda n: mid.elimination_probability(5, 0.08, n), 0.01) == 75
    assert smallest(lambda n: mid.elimination_probability_independent(50, 0.1, n), 0.1) == 59
    assert smallest(lambda n: mid.elimination_probability_independent(50, 0.1, n), 0.01) == 81
    for k, width, delta, expected in ((4, 5, 0.5, 39), (4, 5, 0.05, 57), (32, 7, 0.5, 414), (32, 7, 0.05, 466)):
        d = k * width
        threshold = round(d / math.e)
        q = 0.2 / threshold
        assert (
            smallest(lambda n, d=d, q=q, f=threshold: 1 - mid.block_survival_probability(d, q, f, n), delta) == expected
        )
    # exact law of typed blocks: 241 (0.90078), where 240 gives 0.89785
    assert smallest(lambda n: mid.elimination_probability_typed(16, 16, 0.5, n), 0.1) == 241


@given(st.integers(2, 40), st.data(), st.floats(0.01, 0.99))
def test_smallest_count_lies_between_the_bounds(m: Any, data: Any, delta: Any) -> None:
    k = data.draw(st.integers(1, min(6, m - 1)))
    sigma = data.draw(st.floats(0.01, 1 / k - 1e-9).filter(lambda s: s < 1))
    n = smallest(lambda n: mid.elimination_probability(k, sigma, n), delta)
    assert n <= math.ceil(mid.union_count(m, k, sigma, delta) + 1e-9)
    assert n >= mid.single_subset_lower_count(sigma, delta) - 1e-9


@given(st.integers(4, 60), st.data(), st.floats(0.01, 0.9))
def test_block_lower_bound_holds_exactly(d: Any, data: Any, share: Any) -> None:
    f = data.draw(st.integers(1, d // 2))
    q = share / d
    n = int(mid.block_lower_count(d, f, f * q))
    survival = mid.block_survival_probability(d, q, f, n)
    event(f"n = 0: {n == 0}")
    assert survival >= mid.block_survival_guarantee(f)


def test_worked_lower_bounds() -> None:
    for d, n, guarantee in ((40, 48, 0.826), (80, 97, 0.970), (224, 274, 1.000)):
        f = int(d / (2 * math.e))
        assert int(mid.block_lower_count(d, f, 0.15)) == n
        assert mid.block_survival_guarantee(f) == pytest.approx(guarantee, abs=5e-4)
        assert mid.block_survival_probability(d, 0.15 / f, f, n) >= 0.9998


def test_any_learner_against_the_exact_law() -> None:
    d, q, f = 6, Fraction(1, 8), 2
    for n in (0, 3, 9):
        law = mid.unseen_law(n, d, q)
        coins = [Fraction(sum(math.comb(u, j) for j in range(f, u + 1)), 2**u) for u in range(d + 1)]
        exact = sum(a * b for a, b in zip(law, coins, strict=True))
        assert mid.any_learner_failure(d, float(q), f, n) == pytest.approx(float(exact), rel=1e-13)


# -------------------- exact elimination


@given(st.integers(1, 7), st.integers(0, 12), st.data())
def test_occupancy_chain_equals_the_alternating_sum(k: Any, n: Any, data: Any) -> None:
    sigma = Fraction(data.draw(st.integers(0, 12)), 12 * k)
    exact = mid.elimination_probability_textbook(k, sigma, n)
    assert mid.elimination_probability(k, sigma, n) == exact
    # no subtraction but 1 - u q: relative error below (2 n + k) roundings of the chain
    stable = mid.elimination_probability(k, float(sigma), n)
    assert (
        abs(stable - float(exact)) <= 8 * (n + k + 1) * EPS * max(float(exact), 1e-300) + 1e-300 or float(exact) < EPS
    )
    f = data.draw(st.integers(1, k))
    assert mid.block_survival_probability(k, sigma, f, n) == mid.block_survival_probability_textbook(k, sigma, f, n)


def test_elimination_on_balls_and_symbols() -> None:
    sigma = sympy.Symbol("sigma", positive=True)
    chain = mid.elimination_probability(3, sigma, 4)
    assert sympy.expand(chain - mid.elimination_probability_textbook(3, sigma, 4)) == 0
    ball = mid.elimination_probability_textbook(5, arb("0.08"), 60)
    assert float(ball.mid()) == pytest.approx(mid.elimination_probability(5, 0.08, 60), rel=1e-13)
    assert mid.elimination_probability(5, arb("0.08"), 60).overlaps(ball)


def test_the_alternating_sum_is_lost_where_the_chain_stands() -> None:
    """For 224 types the float sum is not even a probability; the chain agrees with rationals."""
    textbook = mid.block_survival_probability_textbook(224, 0.2 / 82, 82, 414)
    assert not 0 <= textbook <= 1
    exact = mid.block_survival_probability_textbook(224, Fraction(1, 410), 82, 414)
    assert mid.block_survival_probability(224, 0.2 / 82, 82, 414) == pytest.approx(float(exact), rel=1e-11)


def test_worked_elimination_probabilities() -> None:
    assert mid.elimination_probability(5, 0.08, 60) == pytest.approx(0.96669, abs=5e-6)
    assert mid.elimination_probability_independent(50, 0.1, 50) == pytest.approx(0.7763, abs=5e-5)
    assert 1 - mid.block_survival_probability(4, 0.15, 2, 12) == pytest.approx(0.92303, abs=5e-6)


def test_elimination_in_arrays_of_demonstrations() -> None:
    many = mid.elimination_probability(5, 0.08, [60, 0, 13])
    assert many.tolist() == [mid.elimination_probability(5, 0.08, n) for n in (60, 0, 13)]
    assert mid.unseen_law([[3], [1]], 2, 0.25).shape == (2, 1, 3)


@given(laws(1, 4), st.integers(0, 5))
def test_seen_sets_three_ways(p: Any, n: Any) -> None:
    law = oracle.seen_sets(p, n)
    moebius, chain = mid.seen_set_law(p, n), mid.seen_set_law_chain(p, n)
    floats = mid.seen_set_law_chain([float(x) for x in p], n)
    for mask in range(2 ** len(p)):
        exact = law.get(frozenset(y for y in range(len(p)) if mask >> y & 1), 0)
        assert moebius[mask] == exact
        assert chain[mask] == exact
        assert floats[mask] == pytest.approx(float(exact), rel=1e-14, abs=1e-300)


@given(laws(1, 4), st.data(), st.integers(0, 5))
def test_elimination_by_seen_sets_inclusion_exclusion_and_enumeration(p: Any, data: Any, n: Any) -> None:
    masks = data.draw(st.lists(st.integers(0, 2 ** len(p) - 1), min_size=1, max_size=6))
    exact = sum(
        weight
        for seen, weight in oracle.seen_sets(p, n).items()
        if all(any(mask >> y & 1 for y in seen) for mask in masks)
    )
    assert mid.elimination_by_seen_sets(p, masks, n) == exact
    assert mid.elimination_by_inclusion_exclusion(p, masks, n) == exact
    floats = [float(x) for x in p]
    assert mid.elimination_by_seen_sets(floats, masks, n) == pytest.approx(float(exact), abs=1e-13)
    assert mid.elimination_by_inclusion_exclusion(floats, masks, n) == pytest.approx(float(exact), abs=1e-13)
    assert mid.elimination_by_seen_sets(p, masks, n + 1) >= exact
    missed = [sum((p[y] for y in range(len(p)) if mask >> y & 1), start=Fraction(0)) for mask in masks]
    assert 1 - exact <= mid.union_survival_bound(missed, n)


def test_seen_sets_reduce_to_the_families() -> None:
    sigma = Fraction(1, 6)
    p = [sigma] * 3 + [Fraction(1, 2)]
    coupons = [
        sum(1 << y for y in range(3) if y not in kept) for kept in combinations(range(5), 3) if kept != (0, 1, 2)
    ]
    assert mid.elimination_by_seen_sets(p, coupons, 7) == mid.elimination_probability(3, sigma, 7)
    # bit blocks: two blocks of four options; types 0, 1 ask for the bits of block 0, types 2, 3 for those of block 1
    q, bits = Fraction(1, 5), [Fraction(1, 5)] * 4 + [Fraction(1, 5)]
    fails = [(~v & 3) | (~w & 3) << 2 for v in range(4) for w in range(4)]
    bad = [mask for mask in fails if mask.bit_count() >= 2]
    survival = mid.block_survival_probability(4, q, 2, 6)
    assert mid.elimination_by_seen_sets(bits, bad, 6) == 1 - survival


@given(laws(1, 3), st.integers(0, 5), st.lists(st.floats(0, 3), min_size=6, max_size=6))
def test_expected_product_against_enumeration(p: Any, n: Any, values: Any) -> None:
    kept = p[:-1] if len(p) > 1 else p
    exact = oracle.multinomial_mean(
        [float(x) for x in p], n, lambda c: math.prod(values[count] for count in c[: len(kept)])
    )
    found = mid.expected_product(n, kept, lambda count: np.array(values)[count])
    assert found == pytest.approx(exact, rel=1e-12, abs=1e-300)


@given(laws(2, 5), st.integers(0, 30))
def test_unequal_coupons(p: Any, n: Any) -> None:
    kept = p[:-1]
    exact = float(mid.all_seen_probability_textbook(kept, n))
    assert mid.all_seen_probability(kept, n) == pytest.approx(exact, rel=1e-11, abs=1e-14)


def test_typed_blocks_against_enumeration() -> None:
    for k, b, rho, n in ((2, 3, 0.4, 5), (3, 2, 0.7, 4), (1, 4, 0.2, 6), (2, 1, 0.5, 3)):
        gone = [(1 - (1 - rho) ** count) ** (b - 1) for count in range(n + 1)]
        exact = oracle.multinomial_mean([1 / k] * k, n, lambda c, gone=gone: math.prod(gone[j] for j in c))  # type: ignore[misc]
        assert mid.elimination_probability_typed(k, b, rho, n) == pytest.approx(exact, rel=1e-12)


# -------------------- repairs


def test_pruning_error_is_not_about_eps() -> None:
    assert mid.pruning_error(0.05, 0.0999, 1.0) == pytest.approx(0.1449, abs=5e-5)
    assert mid.pruning_error_bound(0.05, 0.1, 1.0) == pytest.approx(0.1450, abs=1e-12)
    for gap in (1e-3, 1e-6):
        difference = mid.pruning_error_bound(0.05, 0.1, 1.0) - mid.pruning_error(0.05, 0.1 - gap, 1.0)
        assert 0 < difference <= gap


@given(laws(1, 4), st.data(), st.fractions(0, 1), st.fractions(0, 1))
def test_subsets_that_are_not_bad_lose_less_than_the_bound(p: Any, data: Any, eps: Any, sigma: Any) -> None:
    gaps = [data.draw(st.fractions(0, 2)) for _ in p]
    b = sum((weight for weight, gap in zip(p, gaps, strict=True) if gap > eps), start=Fraction(0))
    loss = sum(weight * gap for weight, gap in zip(p, gaps, strict=True))
    assert loss <= mid.pruning_error(eps, b, max(*gaps, eps))
    sigma = b + (1 - b) * sigma
    if sigma > b and max(gaps) > eps:
        event("strict")
        assert loss < mid.pruning_error_bound(eps, sigma, max(gaps))


def test_small_mean_loss_does_not_protect_the_target() -> None:
    x, eps = Fraction(1), Fraction(1, 10)
    rate = 1 / (1 + x)
    assert rate * eps * (1 + x) == eps
    assert mid.target_survival(rate, 20) == Fraction(1, 2**20)
    weights = mid.zipf_weights(32)
    size = mid.smallest_target_size(weights, 3, 0.1)
    assert size == 28
    assert mid.head_mass(weights)[size] ** 60 == pytest.approx(0.139, abs=5e-4)
    assert mid.head_mass(weights)[size - 1] ** 3 < 0.9 <= mid.head_mass(weights)[size] ** 3


def test_repaired_counts() -> None:
    eps, sigma = mid.repaired_tolerances(Fraction(1, 5), Fraction(2))
    assert mid.pruning_error_bound(eps, sigma, Fraction(2)) <= Fraction(1, 5)
    assert mid.repaired_count(20, 5, 0.2, 2.0, 0.1) == pytest.approx(20 * (5 * math.log(20) + math.log(10)))
    # Hoeffding at the returned count: both tails at x/2, all subsets, total delta
    n = mid.empirical_risk_count(30, 4, 1.0, 0.2, 0.05)
    assert 2 * math.comb(30, 4) * math.exp(-2 * n * 0.1**2) == pytest.approx(0.05 * 1.0, rel=1e-9)


@given(st.integers(1, 30), st.data(), st.floats(0.05, 0.9), st.floats(0.01, 0.5))
def test_exact_counting_rule_is_certified_and_minimal(m: Any, data: Any, sigma: Any, delta: Any) -> None:
    from scipy.stats import binom

    k = data.draw(st.integers(1, m))
    n, t = mid.count_rule_exact(m, k, sigma, delta)
    assert n <= math.ceil(mid.count_rule_chernoff(m, k, sigma, delta))

    def risk(n: int, t: int) -> float:
        return float(math.comb(m, k) * binom.cdf(t, n, sigma) + binom.sf(t, n, sigma / 4))

    # binomial tails carry about 1e-12 relative error
    assert risk(n, t) <= delta * (1 + 1e-9)
    assert n == 1 or min(risk(n - 1, s) for s in range(n)) > delta * (1 - 1e-9)


# -------------------- footprints


@given(laws(1, 6), st.integers(1, 40))
def test_missing_mass_bound_and_good_turing(p: Any, n: Any) -> None:
    mass = mid.missing_mass(p, n)
    assert float(mass) <= mid.missing_mass_bound(len(p), n)
    assert mid.good_turing(p, n) == mid.missing_mass(p, n - 1)
    assert mass <= mid.good_turing(p, n) <= mass + Fraction(1, n)
    if len(p) <= 3 and n <= 5:
        exact = oracle.multinomial_mean(p, n, lambda c: sum(x for x, j in zip(p, c, strict=True) if j == 0))
        once = oracle.multinomial_mean(p, n, lambda c: Fraction(sum(j == 1 for j in c), n))
        assert mass == exact
        assert mid.good_turing(p, n) == once


def test_worked_missing_mass() -> None:
    assert mid.missing_mass([0.1] * 10, 40) == pytest.approx(0.01478, abs=5e-6)
    assert mid.missing_mass(mid.missing_mass_extremal(10, 40), 40) == pytest.approx(0.08175, abs=5e-6)
    assert mid.missing_mass_bound(10, 40) == pytest.approx(0.0920, abs=5e-5)
    assert mid.footprint_count(10, mid.missing_mass_bound(10, 40)) == pytest.approx(40)
    # half the bound is exceeded: the constant cannot be halved
    assert mid.missing_mass(mid.missing_mass_extremal(10, 40), 40) > mid.missing_mass_bound(10, 40) / 2


@given(laws(1, 4), st.integers(1, 3), st.integers(0, 5))
def test_goal_coverage_three_ways(w: Any, length: Any, n: Any) -> None:
    exact = sum(
        (weight * sum(w[j] for j in seen) ** length for seen, weight in oracle.seen_sets(w, n).items()),
        start=Fraction(0),
    )
    assert mid.goal_coverage_textbook(w, length, n) == exact
    assert mid.goal_coverage(w, length, n) == pytest.approx(float(exact), rel=1e-12, abs=1e-300)
    assert mid.goal_coverage(w[::-1], length, n) == pytest.approx(float(exact), rel=1e-12, abs=1e-300)


@given(laws(2, 3), st.integers(1, 3), st.integers(0, 5), st.integers(1, 3))
def test_goal_coverage_with_noise_and_counts(w: Any, length: Any, n: Any, least: Any) -> Any:
    p = [x * Fraction(3, 4) for x in w]

    def covered(counts: Any) -> Any:
        return float(sum(x for x, c in zip(w, counts, strict=False) if c >= least)) ** length

    exact = oracle.multinomial_mean([float(x) for x in [*p, Fraction(1, 4)]], n, covered)
    assert mid.goal_coverage(w, length, n, least, p) == pytest.approx(exact, rel=1e-11, abs=1e-300)


def test_worked_goal_losses() -> None:
    weights = mid.zipf_weights(8)
    for n, loss in ((2, 0.6882), (5, 0.3061), (15, 0.0265)):
        assert 1 - mid.goal_coverage(weights, 4, 4 * n) == pytest.approx(loss, abs=5e-5)
        assert 1 - mid.goal_coverage_textbook(weights, 4, 4 * n) == pytest.approx(loss, abs=5e-5)
    assert mid.goal_coverage_uniform(30, 3, 50) == pytest.approx(mid.goal_coverage([1 / 30] * 30, 3, 50), rel=1e-11)


def test_coverage_is_monotone_but_not_submodular() -> None:
    f = [mid.covered_share(kept, [0b11], [Fraction(1)]) for kept in range(4)]
    assert f == [0, 0, 0, 1]
    assert f[3] - f[2] > f[1] - f[0]


def test_chunk_law_and_kept_strings_by_plain_loops() -> None:
    from scipy.stats import binom

    macros, weights, size, eta = [[0, 2], [1, 1], [2, 0]], [0.5, 0.3, 0.2], 3, 0.1
    law = mid.chunk_law(macros, weights, size, eta)
    assert law.sum() == pytest.approx(1.0, abs=1e-14)
    true = junk = 0.0
    for x in range(size):
        for y in range(size):
            exact = 0.0
            for macro, w in zip(macros, weights, strict=True):
                h = (macro[0] != x) + (macro[1] != y)
                exact += w * (1 - eta) ** (2 - h) * (eta / (size - 1)) ** h
            assert law[x * size + y] == pytest.approx(exact, rel=1e-13)
            tail = binom.sf(1, 40, exact)
            true, junk = (true + tail, junk) if [x, y] in macros else (true, junk + tail)
    assert mid.kept_strings(macros, weights, size, eta, 40, 2) == pytest.approx((true, junk), rel=1e-12)
    assert mid.macro_codes(macros, size).tolist() == [2, 4, 6]


# -------------------- planning


@st.composite
def semi_mdps(draw: Any) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    m, n = draw(st.integers(1, 4)), draw(st.integers(1, 3))
    kernels = rng.dirichlet(np.full(n, 0.5), size=(m, n)) * rng.uniform(0.1, 0.97, size=(m, n, 1))
    return rng.uniform(0, 1, size=(m, n)), kernels


@given(semi_mdps(), st.data())
def test_optimal_values_and_regret(model: Any, data: Any) -> None:
    rewards, kernels = model
    m, n = rewards.shape
    kept = data.draw(st.lists(st.integers(0, m - 1), min_size=1, unique=True))
    policy = data.draw(st.lists(st.sampled_from(kept), min_size=n, max_size=n))
    best = mid.optimal_values(rewards, kernels, kept)
    # a solve with condition at most 2/(1 - 0.97) loses below 1e-13 relative
    assert best == pytest.approx(oracle.best_values(rewards, kernels, kept), rel=1e-10)
    for start in range(n):
        parts = mid.regret_parts(rewards, kernels, kept, policy, start)
        assert parts.total == pytest.approx(parts.pruning + parts.learning, abs=1e-9)
        assert parts.pruning >= -1e-9
        assert parts.learning >= -1e-9
    assert (mid.optimal_values(rewards, kernels) >= best - 1e-9).all()
    mix = np.full((n, m), 1 / m)
    assert (mid.policy_values(rewards, kernels, mix) <= mid.optimal_values(rewards, kernels) + 1e-9).all()


def test_learning_term_turns_negative_outside_the_pruned_set() -> None:
    parts = mid.regret_parts([[1.0], [0.25]], [[[0.5]], [[0.5]]], [1], [0], 0)
    assert parts.learning == pytest.approx(-1.5)
    assert parts.pruning == pytest.approx(1.5)


def test_option_model_against_the_series() -> None:
    rng = np.random.default_rng(5)
    p, r = rng.dirichlet(np.ones(3), size=(2, 3)), rng.uniform(size=(2, 3))
    pi, beta, gamma = rng.dirichlet(np.ones(2), size=3), rng.uniform(0.2, 1, size=3), 0.9
    reward, kernel = mid.option_model(p, r, pi, beta, gamma)
    step = np.einsum("sa,ast->st", pi, p)
    alive, total, arrival, power = np.eye(3), np.zeros(3), np.zeros((3, 3)), 1.0
    for _ in range(400):  # (0.9 * 0.8)^400 < 1e-56
        total += power * alive @ np.einsum("sa,as->s", pi, r)
        power *= gamma
        arrival += power * alive @ step * beta
        alive = alive @ step * (1 - beta)
    assert reward == pytest.approx(total, rel=1e-12)
    assert kernel == pytest.approx(arrival, rel=1e-12)


def test_worked_sweeps_in_both_reward_conventions() -> None:
    g = 0.99**100
    for eps, need, per_decision, per_step in ((1.0, 5, 0.7, 8), (0.1, 7, 4.4, 11), (0.01, 10, 8.0, 15)):
        assert math.ceil(mid.one_state_sweeps(1.0, eps, 0.99, 100)) == need
        assert mid.sweeps_reward_convention(1.0, eps, g) == pytest.approx(per_decision, abs=0.06)
        assert mid.sweeps_reward_convention(1.0, eps, g) < need
        form = mid.sweeps_reward_convention(1.0, eps, g, 0.99, reward="primitive")
        assert math.ceil(form) == per_step
        assert form >= need - 1
    # rewards of at most one per decision: V_max = 1/(1 - g), and the error after N sweeps is g^N V_max
    g = 0.99**20
    for eps, need, form in ((1.0, 9, 9.4), (0.1, 20, 22.0), (0.01, 32, 34.6)):
        assert math.ceil(mid.sweeps_bound(1 / (1 - g), eps, g)) == need
        assert mid.sweeps_reward_convention(1.0, eps, g) == pytest.approx(form, abs=0.06)
    for tau, ratio in ((2, 1.01), (5, 1.03), (20, 1.10), (100, 1.59)):
        g = 0.99**tau
        assert mid.sweeps_bound_linear(9.0, 1.0, g) / mid.sweeps_bound(9.0, 1.0, g) == pytest.approx(ratio, abs=0.006)
        assert mid.speed_up_shown(0.99, tau) <= mid.speed_up(tau)


@given(st.floats(0.05, 0.99), st.integers(1, 30), st.floats(1e-3, 0.9))
def test_one_state_count_is_exact(gamma: Any, tau: Any, share: Any) -> None:
    eps = share / (1 - gamma)
    n = max(0, math.ceil(mid.one_state_sweeps(1.0, eps, gamma, tau) - 1e-9))
    values = mid.one_state_iterates([tau], gamma, 0.0, n)
    best = 1 / (1 - gamma)
    assert best - values[n] <= eps * (1 + 1e-7)
    assert n == 0 or best - values[n - 1] > eps * (1 - 1e-7)


def test_worked_mixed_durations() -> None:
    best = 1 / (1 - Fraction(19, 20))
    below = mid.one_state_iterates([1, 10], Fraction(19, 20), Fraction(0), 3)
    above = mid.one_state_iterates([1, 10], Fraction(19, 20), 2 * best, 3)
    for n in range(4):
        assert (best - below[n]) / best == Fraction(19, 20) ** (10 * n)
        assert (above[n] - best) / best == Fraction(19, 20) ** n
    assert [round(float((best - v) / best), 3) for v in below[1:]] == [0.599, 0.358, 0.215]
    assert mid.span_after_sweep([1, 5], 0.9, 1.0) == pytest.approx(0.3095, abs=5e-5)
    assert mid.span_after_sweep([3, 3], 0.9, 1.0) == 0.0


@given(laws(1, 5), st.fractions(Fraction(1, 20), Fraction(19, 20)))
def test_jensen_for_durations(p: Any, gamma: Any) -> None:
    mean = sum((i + 1) * x for i, x in enumerate(p))
    modulus = mid.duration_modulus(p, gamma)
    jensen = mid.jensen_modulus(float(mean), float(gamma))
    constant = sum(x > 0 for x in p) == 1
    event(f"constant duration: {constant}")
    if constant:
        assert float(modulus) == pytest.approx(jensen, rel=1e-12)
    else:
        assert float(modulus) > jensen


def test_geometric_durations() -> None:
    assert mid.geometric_modulus(0.2, 0.95) == pytest.approx(0.791667, abs=5e-7)
    assert mid.jensen_modulus(5, 0.95) == pytest.approx(0.773781, abs=5e-7)
    assert mid.geometric_horizon(0.2, 0.95) == pytest.approx(4.8)
    beta, gamma = sympy.symbols("beta gamma", positive=True)
    identity = mid.geometric_horizon(beta, gamma) - mid.effective_horizon(mid.geometric_modulus(beta, gamma))
    assert sympy.simplify(identity) == 0
    series = sum(gamma**t * beta * (1 - beta) ** (t - 1) for t in range(1, 200))
    assert float(series.subs({beta: 0.3, gamma: 0.8})) == pytest.approx(mid.geometric_modulus(0.3, 0.8), rel=1e-12)


# -------------------- kept set


def test_worked_sizes_of_the_kept_set() -> None:
    weights = mid.zipf_weights(32)
    table = ((1, 1, 0.985, 1.0), (10, 2, 0.963, 1.0), (100, 4, 0.893, 0.997), (10**3, 8, 0.742, 0.970),
             (10**4, 17, 0.471, 0.737), (10**5, 32, 0.047, 0.047))  # fmt: skip
    for n, size, regret, everything in table:
        curve = mid.exploration_regret(weights, 3, n)
        assert mid.best_kept_size(curve) == size
        assert curve[size - 1] == pytest.approx(regret, abs=5e-4)
        assert curve[-1] == pytest.approx(everything, abs=5e-4)
    assert mid.exploration_regret(mid.zipf_weights(8), 2, 20)[3] == pytest.approx(0.5740, abs=5e-5)
    weights = mid.zipf_weights(64, 1.2)
    sizes = [mid.best_kept_size(mid.planning_regret(weights, 2, 0.95**4, c)) for c in (50, 100, 200, 400)]
    assert sizes == [5, 10, 20, 40]


def test_planning_with_every_macro_kept_loses_only_what_the_sweeps_leave() -> None:
    # The five weights add up to 1 + 2^-52, and 1 - F_5^2 of their float sum is -4.4e-16.
    weights = mid.zipf_weights(5, 3)
    assert mid.head_mass(weights)[-1] > 1
    assert mid.planning_regret(weights, 2, 1 / 16, 100)[-1] == 2.0**-80
    assert mid.planning_regret(weights, 2, 0.0, 100)[-1] == 0


@given(laws(1, 6), st.integers(1, 4), st.integers(0, 4), st.integers(0, 100))
def test_planning_regret_is_never_negative_and_keeps_its_digits(w: Any, length: int, g: int, budget: int) -> None:
    modulus = Fraction(g, 4)
    if g == 4:
        modulus = Fraction(255, 256)
    heads = [sum(sorted(w, reverse=True)[: j + 1]) for j in range(len(w))]
    literal = [1 - f**length + modulus ** (budget // (j + 1)) for j, f in enumerate(heads)]
    assert mid.planning_regret(w, length, modulus, budget).tolist() == literal
    found = mid.planning_regret([float(x) for x in w], length, float(modulus), budget)
    assert (found >= 0).all()
    # Both terms are positive; 1 - (1 - T)^L moves at most as much as T, relatively, and T, a sum of at most K rounded
    # weights over another, by 2K units in the last place. Six more for log1p, expm1, the power and the rest.
    for value, exact in zip(found, literal, strict=True):
        assert abs(Fraction(float(value)) - exact) <= (2 * len(w) + 6) * Fraction(EPS) * exact


def test_exploration_regret_ends_at_zero_where_every_goal_is_found() -> None:
    # The five floats sum to 1 + 2^-52; with every macro kept and 1e9 episodes over five, nothing is lost.
    regret = mid.exploration_regret(mid.zipf_weights(5, 3), 1, 10**9)
    assert regret[-1] == 0.0
    assert (np.diff(regret) < 0).all()


@given(laws(1, 6), st.integers(1, 3), st.integers(1, 60))
def test_kept_set_properties_in_rationals(w: Any, length: Any, n: Any) -> None:
    now, later = mid.exploration_regret(w, length, n), mid.exploration_regret(w, length, n + 7)
    assert mid.best_kept_size(later) >= mid.best_kept_size(now)
    assert all(b <= a for a, b in zip(now, later, strict=True))
    assert mid.best_kept_size(now) <= sum(x > 0 for x in w)
    floats = mid.exploration_regret([float(x) for x in w], length, n)
    assert np.abs(floats - now.astype(float)).max() <= 1e-13


def test_chunk_lengths() -> None:
    assert [round(mid.chunk_exploration(6, 4, t), 3) for t in (1, 2, 4, 8)] == [3.178, 1.242, 0.448, 0.448]
    assert [round(mid.chunk_demonstrations(6, 4, t)) for t in (1, 2, 4, 8)] == [76, 30, 11, 129]
    with pytest.raises(ValueError, match="duration must divide true_duration"):
        mid.chunk_library_size(6, 4, 3)


# -------------------- the knob


@given(st.floats(0, 0.999999), st.integers(1, 50))
def test_the_knob_goes_both_ways(alpha: Any, k: Any) -> None:
    c = mid.switch_penalty(alpha, k)
    # c has relative error eps, alpha = (1 - e^-c)/(1 + (K - 1) e^-c) loses at most about c eps e^c/K near one
    assert mid.stickiness(c, k) == pytest.approx(alpha, rel=1e-12, abs=1e-15)
    length = 9
    for switches in range(0 if k == 1 else length):
        a = mid.sticky_log_prior(switches, length, alpha, k)
        b = mid.penalised_log_prior(switches, length, c, k)
        assert a == pytest.approx(b, rel=1e-10, abs=1e-10)


def test_the_knob_in_symbols_and_balls() -> None:
    alpha, k = sympy.Symbol("alpha", positive=True), sympy.Symbol("K", positive=True, integer=True)
    assert sympy.simplify(mid.stickiness(mid.switch_penalty(alpha, k), k) - alpha) == 0
    assert mid.switch_penalty(arb("0.8"), 5).contains(arb(21).log())
    assert mid.switch_penalty(Fraction(4, 5), 5) == pytest.approx(math.log(21))
    # the wrong knob, without the one, is refuted at alpha = 0
    assert mid.switch_penalty(0.0, 5) == 0.0
    assert mid.switch_penalty(1 - 0.2 * 4 / 3, 4) == pytest.approx(2.48, abs=0.006)


@given(st.floats(0, 0.99), st.integers(1, 3), st.integers(1, 5))
def test_prior_sums_to_one_and_counts_its_switches(alpha: Any, k: Any, length: Any) -> None:
    total = mean = 0.0
    for _, switches, log_prior, _ in oracle.paths(np.zeros((length, k)), alpha):
        assert mid.sticky_log_prior(switches, length, alpha, k) == pytest.approx(log_prior, abs=1e-12)
        total += math.exp(log_prior)
        mean += switches * math.exp(log_prior)
    assert total == pytest.approx(1.0)
    assert mean == pytest.approx(mid.prior_switches(alpha, k, length), abs=1e-12)
    flat = mid.flat_switches(mid.switch_penalty(alpha, k), k, length)
    assert flat == pytest.approx(mean, abs=1e-12)


@given(st.integers(2, 5), st.floats(0.01, 0.99), st.integers(0, 2**32 - 1))
def test_divergences_from_the_sticky_prior(k: Any, alpha: Any, seed: Any) -> None:
    rng = np.random.default_rng(seed)
    flag, fresh = rng.uniform(), rng.dirichlet(np.ones(k))
    q = flag * fresh
    q[0] += 1 - flag
    prior = np.full(k, (1 - alpha) / k)
    prior[0] += alpha
    exact = float((q * np.log(q / prior)).sum())
    u = 1 - q[0]
    away = q[1:] / u
    found = mid.switch_divergence(u, float(-(away * np.log(away)).sum()), alpha, k)
    assert found == pytest.approx(exact, abs=1e-10)
    joint = mid.resample_divergence(flag, float(-(fresh * np.log(fresh)).sum()), alpha, k)
    assert joint >= exact - 1e-10


def test_bernoulli_divergence_at_the_ends() -> None:
    assert mid.bernoulli_divergence(0.0, 0.25) == pytest.approx(-math.log(0.75))
    assert mid.bernoulli_divergence(np.array([0.0, 1.0]), 0.25) == pytest.approx([-math.log(0.75), math.log(4)])
    p, q = sympy.symbols("p q", positive=True)
    assert mid.bernoulli_divergence(p, q).subs({p: q}) == 0


# -------------------- soft value iteration


@given(emission_tables(), alphas)
def test_soft_values_posterior_and_bound_by_enumeration(ell: Any, alpha: Any) -> None:
    likelihood, law = oracle.posterior(ell, alpha)
    assert mid.sticky_log_likelihood(ell, alpha) == pytest.approx(likelihood, abs=1e-10)
    shuffled = ell[:, np.random.default_rng(0).permutation(ell.shape[1])]
    assert mid.sticky_log_likelihood(shuffled, alpha) == pytest.approx(likelihood, abs=1e-10)
    initial, moves = mid.posterior_transitions(ell, alpha)
    for path, weight in law.items():
        assert oracle.markov_probability(path, initial, moves) == pytest.approx(weight, abs=1e-10)
    best = mid.evidence_bound(ell, alpha, initial, moves)
    assert best.bound == pytest.approx(likelihood, abs=1e-9)
    assert best.gap == pytest.approx(0.0, abs=1e-9)


@given(emission_tables(4, 3), alphas, st.integers(0, 2**32 - 1))
def test_gap_identity_for_random_laws(ell: Any, alpha: Any, seed: Any) -> None:
    rng = np.random.default_rng(seed)
    length, k = ell.shape
    initial, moves = rng.dirichlet(np.ones(k)), rng.dirichlet(np.ones(k), size=(length - 1, k))
    result = mid.evidence_bound(ell, alpha, initial, moves)
    law = {path: oracle.markov_probability(path, initial, moves) for path, *_ in oracle.paths(ell, alpha)}
    likelihood, posterior = oracle.posterior(ell, alpha)
    assert result.bound == pytest.approx(oracle.bound(ell, alpha, law), abs=1e-9)
    assert result.bound + result.gap == pytest.approx(likelihood, abs=1e-9)
    divergence = sum(q * math.log(q / posterior[path]) for path, q in law.items() if q > 0)
    assert result.gap == pytest.approx(divergence, abs=1e-9)
    assert result.bound == pytest.approx(result.reward - result.divergence, abs=1e-12)


@given(emission_tables())
def test_both_ends_of_the_knob(ell: Any) -> None:
    memoryless = float(np.log(np.exp(ell).mean(axis=1)).sum())
    mixture = float(np.log(np.exp(ell.sum(axis=0)).mean()))
    assert mid.sticky_log_likelihood(ell, 0.0) == pytest.approx(memoryless, abs=1e-10)
    assert mid.sticky_log_likelihood(ell, 1.0) == pytest.approx(mixture, abs=1e-10)


@given(emission_tables(), st.floats(0, 5))
def test_switch_moments_by_enumeration(ell: Any, c: Any) -> None:
    weights, counts = [], []
    for _, switches, _, total in oracle.paths(ell, 0.5):
        weights.append(math.exp(total - c * switches))
        counts.append(switches)
    z = math.fsum(weights)
    mean = math.fsum(w * s for w, s in zip(weights, counts, strict=True)) / z
    variance = math.fsum(w * (s - mean) ** 2 for w, s in zip(weights, counts, strict=True)) / z
    assert mid.switch_moments(ell, c) == pytest.approx((math.log(z), mean, variance), abs=1e-9)
    assert mid.log_partition(ell, c) == mid.switch_moments(ell, c)[0]
    later = mid.switch_moments(ell, c + 0.7)
    assert later[1] <= mean + 1e-9
    assert c * mean <= mid.log_partition(ell, 0.0) - math.log(z) + 1e-9
    step = 1e-4
    slope = (mid.log_partition(ell, c + step) - mid.log_partition(ell, max(0.0, c - step))) / (
        c + step - max(0.0, c - step)
    )
    # the difference quotient errs by the variance times half the step (one-sided at c = 0), plus rounding 1e-11
    assert -slope == pytest.approx(mean, abs=len(ell) ** 2 * step + 1e-9)
    length, k = ell.shape
    knob = math.log(z) - math.log(k) - (length - 1) * math.log1p((k - 1) * math.exp(-c))
    assert mid.sticky_log_likelihood(ell, mid.stickiness(c, k)) == pytest.approx(knob, abs=1e-9)


@given(emission_tables(), st.floats(0, 6))
def test_best_scores_and_constant_path(ell: Any, c: Any) -> None:
    best: dict[int, float] = {}
    for _, switches, _, total in oracle.paths(ell, 0.5):
        best[switches] = max(best.get(switches, -math.inf), total)
    scores = mid.best_scores_by_switches(ell)
    for j, score in enumerate(scores):
        assert score == pytest.approx(best.get(j, -math.inf), abs=1e-12)
    highest = max(score - c * j for j, score in enumerate(scores) if np.isfinite(score))
    assert highest == pytest.approx(oracle.best_score(ell, c), abs=1e-9)
    threshold = mid.constant_path_penalty(ell)
    constant_is_best = scores[0] >= oracle.best_score(ell, c) - 1e-12
    if abs(c - threshold) > 1e-9:
        assert constant_is_best == (c > threshold)


def test_worked_causal_values() -> None:
    for noise, smoothing, causal, bigram in (
        (0.05, -0.495, -0.998, -0.693),
        (0.2, -0.645, -0.857, -0.693),
        (0.4, -0.692, -0.711, -0.693),
    ):
        stay = np.array([[1 - noise, noise], [noise, 1 - noise]])
        values = mid.causal_values([stay, stay[::-1]], 0.85, 7)
        assert values.smoothing == pytest.approx(smoothing, abs=5e-4)
        assert values.causal == pytest.approx(causal, abs=6e-4)
        assert values.bigram == pytest.approx(bigram, abs=5e-4)


@given(
    st.integers(1, 3),
    st.integers(2, 3),
    st.integers(1, 4),
    st.floats(0, 0.99),
    st.integers(0, 2**32 - 1),
    st.booleans(),
)
def test_causal_latents_never_beat_next_token_prediction(
    k: Any, size: Any, length: Any, alpha: Any, seed: Any, free: Any
) -> None:
    rng = np.random.default_rng(seed)
    emissions = rng.dirichlet(np.ones(size), size=(k, size)) * 0.98 + 0.02 / size
    emissions /= emissions.sum(axis=2, keepdims=True)
    values = mid.causal_values(emissions, alpha, length, None if free else 0)
    assert values.causal <= values.full_context + 1e-12
    assert values.bigram <= values.full_context + 1e-12
    # values, so minus the entropies
    assert -length * math.log(size) - 1e-12 <= length * values.bigram <= 1e-12
    assert values.smoothing == values.full_context
    if not free:  # the mean log-likelihood by listing all texts and all latent paths
        total = 0.0
        for text in np.ndindex(*[size] * length):
            likelihood, _ = oracle.posterior(oracle.log_emissions_of([0, *text], emissions), alpha)
            total += math.exp(likelihood) * likelihood
        assert values.full_context * length == pytest.approx(total, abs=1e-9)
    if k == 1:
        assert values.causal == pytest.approx(values.full_context, abs=1e-12)


# -------------------- exploration


@given(st.integers(2, 30), st.integers(1, 6), st.floats(0.5, 0.999))
def test_flow_time_against_quadrature(b: Any, length: Any, target: Any) -> None:
    low, high = -math.log(b), math.log(target) / length

    def slowness(u: float) -> float:
        return math.exp(-length * u) / (1 - math.exp(u)) ** 2

    integral, _ = quad(slowness, low, high, epsabs=0, epsrel=1e-11, limit=500)
    assert mid.flow_time(b, length, target) == pytest.approx((b - 1) / b * integral, rel=1e-8)


def test_flow_time_solves_its_differential_equation() -> None:
    level = sympy.Symbol("J", positive=True)
    time = mid.flow_time(5, 3, level)
    x = level ** sympy.Rational(1, 3)
    speed = sympy.diff(x, level) / sympy.diff(time, level)
    assert sympy.simplify(speed - sympy.Rational(5, 4) * x**4 * (1 - x) ** 2) == 0
    p, n = sympy.Symbol("p", positive=True), sympy.Integer(4)
    rate = sympy.Rational(4, 3) * p**2 * (1 - p) ** 2
    assert sympy.simplify(1 / sympy.diff(mid.bandit_flow_time(n, p), p) - rate) == 0
    normal = 1 / sympy.diff(mid.bandit_flow_time_normalised(n, p), p) - rate / sympy.sqrt(p * (1 - p))
    assert sympy.simplify(normal.subs(p, sympy.Rational(2, 7))) == 0


def test_worked_flow_times() -> None:
    assert [mid.bandit_flow_time(n) for n in (4, 16, 64)] == pytest.approx([22.28, 42.4, 94.61], abs=0.05)
    assert [mid.flow_time(n, 1) for n in (4, 16, 64)] == pytest.approx(
        [mid.bandit_flow_time(n) for n in (4, 16, 64)], rel=1e-12
    )
    assert [mid.bandit_flow_time_normalised(n) for n in (4, 16, 64)] == pytest.approx([7.93, 14.52, 23.51], abs=5e-3)
    assert [mid.flow_time(b, h) for b, h in ((4, 2), (6, 3), (3, 4))] == pytest.approx(
        [49.37, 168.36, 106.27], abs=5e-3
    )
    assert mid.flow_time(8, 12) == pytest.approx(6.7e9, rel=0.01)
    assert mid.flow_time(1000, 3) * 3 / 1000**3 == pytest.approx(1.0, rel=0.01)
    assert mid.flow_time(np.array([4, 6]), 2)[0] == mid.flow_time(4, 2)
    # two square roots of n
    assert mid.bandit_flow_time_normalised(10**6) / (2 * 10**3) == pytest.approx(1.0, rel=0.01)


@given(st.lists(st.floats(-40, 0), min_size=1, max_size=20))
def test_mean_log_episodes_is_below_log_mean_episodes(values: Any) -> None:
    loss = mid.mean_log_episodes(values)
    mean = np.mean([mid.first_success_mean(math.exp(v)) for v in values])
    assert mean >= math.exp(loss) * (1 - 1e-12)


def test_exploration_constants() -> None:
    assert mid.log_episodes_uniform(13, 12) == pytest.approx(30.8, abs=0.05)
    assert mid.log_episodes_uniform(24, 3) == pytest.approx(9.53, abs=5e-3)
    assert mid.log_episodes_uniform(156, 3) == pytest.approx(15.1, abs=0.06)
    assert mid.noise_penalty(0.05, 12) == pytest.approx(-12 * math.log(0.95))


# -------------------- error paths

BAD = [
    (lambda: mid.log_binomial(3, 4), r"n_kept must be an integer in \[1, n_options\], got 4"),
    (lambda: mid.union_count(20, 5, 1.0, 0.1), r"failure_rate must be a real number in \(0, 1\), got 1.0"),
    (lambda: mid.union_count(20, 5, 0.1, 0.0), r"delta must be a real number in \(0, 1\], got 0.0"),
    (lambda: mid.union_count(20, 5, math.nan, 0.1), "failure_rate must be a real number"),
    (lambda: mid.elimination_probability(5, 0.21, 3), r"failure_rate must be one number in \[0, 1/n_kept\], got 0.21"),
    (lambda: mid.elimination_probability(5, 0.1, -1), "n_demonstrations must be an integer"),
    (lambda: mid.unseen_law(3, 4, 0.26), r"type_probability must be one number in \[0, 1/n_types\]"),
    (lambda: mid.block_survival_probability(4, 0.2, 5, 3), r"threshold must be an integer in \[1, 4\], got 5"),
    (lambda: mid.seen_set_law([0.5, 0.4], 3), "probabilities must be probabilities in .0, 1. with total 1"),
    (lambda: mid.seen_set_law([1 / 17] * 17, 3), "probabilities must have at most 16 entries, got 17"),
    (lambda: mid.all_seen_probability_textbook([0.04] * 21, 3), "probabilities must have at most 20 entries"),
    (lambda: mid.all_seen_probability([0.7, 0.4], 3), "total <= 1"),
    (lambda: mid.elimination_by_seen_sets([1.0], [2], 3), r"failure_masks must be an integer in \[0, 1\], got 2"),
    (lambda: mid.elimination_by_seen_sets([1.0], [], 3), "failure_masks must be a non-empty sequence"),
    (lambda: mid.expected_product(3, [0.5], lambda c: -1.0 * c), "factor must map the counts 0..3"),
    (lambda: mid.smallest_demonstrations(lambda n: 0.5, 0.9, 100), "level must be reached by n = 100"),
    (lambda: mid.repaired_tolerances(3.0, 1.0), r"total_error / \(2 largest_gap\) must be a real number in \[0, 1\]"),
    (lambda: mid.missing_mass([], 3), "probabilities must be a non-empty sequence"),
    (lambda: mid.missing_mass([Fraction(1, 2)], 3), "total 1, got"),
    (lambda: mid.missing_mass_extremal(10, 5), r"n_demonstrations must be an integer in \[8, inf\)"),
    (lambda: mid.good_turing([1.0], 0), "n_demonstrations must be an integer"),
    (lambda: mid.goal_coverage([1.0], 1, 3, 1, [0.5, 0.5]), "chunk_probabilities must have the 1 entries of weights"),
    (lambda: mid.covered_share(0, [1, 2], [1.0]), "weights must have the 2 entries of goals"),
    (lambda: mid.chunk_law([[0, 2]], [1.0], 2, 0.1), r"macros must be an integer in \[0, 1\], got 2"),
    (lambda: mid.chunk_law([[0] * 25], [1.0], 2, 0.1), r"macros must span at most 2\*\*24 strings"),
    (lambda: mid.kept_strings([[0], [0]], [0.5, 0.5], 2, 0.1, 3, 1), "macros must be distinct"),
    (lambda: mid.optimal_values([[1.0]], [[[1.0]]]), "kernels must have row sums E.gamma.tau. below 1"),
    (lambda: mid.optimal_values([[1.0]], [[0.5]]), "kernels must have shape"),
    (lambda: mid.optimal_values([[1.0]], [[[0.5]]], []), "kept must"),
    (lambda: mid.policy_values([[1.0]], [[[0.5]]], [[0.5]]), "policy must have rows of total 1"),
    (lambda: mid.policy_values([[1.0]], [[[0.5]]], [0, 0]), r"policy must have shape \(1,\)"),
    (lambda: mid.option_model([[[0.5]]], [[1.0]], [[1.0]], [1.0], 0.5), "transitions and policy must have rows"),
    (lambda: mid.sweeps_reward_convention(1.0, 1.0, 0.5, reward="primitive"), "discount must be a real number"),
    (lambda: mid.sweeps_reward_convention(1.0, 1.0, 0.5, reward="step"), "reward must be one of decision, primitive"),
    (lambda: mid.one_state_iterates([], 0.5, 0.0, 1), "durations must hold at least one integer"),
    (lambda: mid.best_kept_size([[1.0]]), "regret must be a non-empty vector"),
    (lambda: mid.switch_penalty(1.0, 3), r"alpha must be a real number in \[0, 1\), got 1.0"),
    (lambda: mid.stickiness(-0.1, 3), "penalty must be a real number"),
    (lambda: mid.soft_values([[math.inf, 0.0]], 0.5), "log_emissions must be a real number"),
    (lambda: mid.soft_values([0.0, 0.0], 0.5), r"log_emissions must have shape \(any, any\)"),
    (lambda: mid.evidence_bound([[0.0, 0.0]], 0.5, [0.5, 0.4], []), "initial and transitions must have rows"),
    (lambda: mid.causal_values([[[0.5, 0.5], [1.0, 0.0]]], 0.5, 2), "emissions must be positive"),
    (lambda: mid.causal_values([[[0.5, 0.5], [0.5, 0.5]]], 0.5, 20), r"length must keep A\*\*length at most 20000"),
    (lambda: mid.flow_time(4, 1, 0.2), r"target must be at least n_choices\*\*-n_decisions"),
    (lambda: mid.bandit_flow_time(4, 0.2), "target must be at least 1/n_arms"),
    (lambda: mid.mean_log_episodes([0.1]), "log_probabilities must be a real number"),
]  # fmt: skip


@pytest.mark.parametrize(("call", "message"), BAD)
def test_bad_input_is_refused_by_name(call: Any, message: Any) -> None:
    with pytest.raises(ValueError, match=message):
        call()


def test_every_public_name_is_documented() -> None:
    for name in mid.__all__:
        thing = getattr(mid, name)
        assert thing.__doc__, name
        if not isinstance(thing, type):
            assert "Examples" in thing.__doc__, name
