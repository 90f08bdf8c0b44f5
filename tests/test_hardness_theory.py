"""Closed forms on signals, bounds on looks, and elimination, against listing and against each other."""

from __future__ import annotations

import itertools
import math
from fractions import Fraction

import numpy as np
import pytest
import sympy as sp
from flint import arb
from hypothesis import given
from hypothesis import strategies as st

from tests.oracles import hardness as oracle
from theory import hardness

SIZES = st.integers(1, 1000)
SMALL = st.integers(1, 60)
SHARES = st.one_of(st.sampled_from([0.0, 1.0]), st.floats(0, 1))
SQUARES = st.one_of(st.just(0.0), st.floats(1e-6, 1e6))
PARITIES = st.one_of(st.integers(1, 100), st.integers(1, 2**200))
SUCCESS = st.one_of(st.sampled_from([0.0, 1.0]), st.floats(0, 1))

# The oracle itself


def test_oracle_on_worked_cases():
    assert oracle.hadamard([1, 2, 3, 4]) == [10, -2, -4, 0]
    assert oracle.butterflies([1, 2, 3, 4]) == [10, -2, -4, 0]
    assert oracle.rank([[1, 0, 1], [0, 1, 1], [1, 1, 0]]) == 2
    assert oracle.rank([[0, 0]]) == 0
    assert oracle.rank_law(1, 2) == [Fraction(1, 4), Fraction(3, 4)]
    assert oracle.consistent([[1, 0], [1, 1]], [1, 0], 2) == [3]
    assert oracle.alternating_relu(2) == Fraction(1, 2)
    # f = a tanh(b + w x) + c at w = 1, b = 0, a = 2, c = 1
    assert oracle.network([1.0, 0.0, 2.0, 1.0], [1], 1, False) == pytest.approx(1 + 2 * math.tanh(1))
    # f = 3 x: the gradient in the one weight is x, seen by the parity {1} alone
    assert oracle.squared_signals([[1.0], [-1.0]]) == [0.0, 0.25]


# Signals


@given(st.integers(1, 4), st.integers(1, 3), st.data())
def test_signals_add_up_to_the_total(d, components, data):
    entry = st.lists(st.integers(-9, 9), min_size=2**d, max_size=2**d)
    rows = data.draw(st.lists(entry, min_size=components, max_size=components))
    signals = oracle.squared_signals([list(point) for point in zip(*rows, strict=True)])
    square = sum(v * v for row in rows for v in row) / 2**d
    # 4^d products of relative error 2^-50 at most
    assert sum(signals) == pytest.approx(hardness.signal_total(square), rel=1e-12, abs=1e-12)
    assert sum(signals) / 2**d == pytest.approx(hardness.signal_mean(d, square), rel=1e-12, abs=1e-12)
    for k in range(d + 1):
        members = [signal for s, signal in enumerate(signals) if bin(s).count("1") == k]
        assert sum(members) / len(members) <= hardness.signal_mean_bound(d, k, square) * (1 + 1e-12)
    for threshold in (0.1, 0.5, 3.0):
        count = sum(math.sqrt(signal) >= threshold * (1 + 1e-12) for signal in signals)
        assert count <= hardness.signal_count_bound(square, threshold)
        assert count / 2**d <= hardness.signal_share_bound(2**d, square, threshold)


@given(SIZES, SQUARES, SHARES)
def test_means_are_totals_over_the_class(d, square, p):
    total = hardness.signal_total(square, p)
    assert total == pytest.approx((1 - p) ** 2 * square / 4)
    assert hardness.signal_mean(d, square, p) * 2.0**d == pytest.approx(total, rel=1e-14)
    k = d // 3
    assert hardness.signal_mean_bound(d, k, square, p) >= hardness.signal_mean(d, square, p)
    assert hardness.signal_mean_bound(d, 0, square, p) == total


def test_the_worked_number_of_a_network_at_ten_signs():
    # E|grad f|^2 = 1.98725e-3 * 4 * 2^10 for the mean of 1.98725e-3
    square = 1.98725e-3 * 4 * 1024
    assert hardness.signal_mean(10, square) == pytest.approx(1.98725e-3, rel=1e-14)


@given(SIZES, SQUARES, st.integers(1, 10**9))
def test_a_batch_is_signal_and_noise(d, square, n):
    whole = hardness.batch_signal_mean(d, square, n)
    signal = hardness.signal_mean(d, square)
    noise = (hardness.signal_total(square) - signal) / n
    assert whole == pytest.approx(signal + noise, rel=1e-12)
    if square > 0:
        assert hardness.signal_to_noise(d, n) == pytest.approx(n / (2.0**d - 1))


@given(st.floats(1e-9, 1e9), st.floats(0, 1e9))
def test_unit_ratio_is_where_signal_meets_noise(signal, noise):
    n = hardness.unit_ratio_samples(signal, signal + noise)
    assert n * signal == pytest.approx(noise, rel=1e-6, abs=1e-6 * signal)


@pytest.mark.parametrize("d", range(2, 13))
def test_symmetric_relu_against_listing(d):
    assert hardness.symmetric_relu_coefficient_exact(d) == oracle.alternating_relu(d)
    assert hardness.symmetric_relu_coefficient(d) == float(oracle.alternating_relu(d))


def test_symmetric_relu_shrinks_like_a_root():
    # Stirling: the ratio to (2 pi d)^(-1/2) is 1 + O(1/d)
    for d in (100, 400, 1000):
        size = abs(hardness.symmetric_relu_coefficient(d)) * math.sqrt(2 * math.pi * d)
        assert size == pytest.approx(1, abs=2 / d)


@pytest.mark.parametrize("d", [1, 2, 3])
def test_no_halfspace_is_better_than_the_bound(d):
    best = Fraction(0)
    for w in itertools.product(range(-2, 3), repeat=d):
        for threshold in range(-6, 7):
            right = 0
            for x in itertools.product((-1, 1), repeat=d):
                value = 1 if 2 * sum(a * b for a, b in zip(w, x, strict=True)) > threshold else -1
                right += value == math.prod(x)
            best = max(best, Fraction(right, 2**d))
    assert hardness.halfspace_accuracy_bound_exact(d) == best
    assert hardness.halfspace_accuracy_bound(d) == float(best)


def test_forms_of_numbers():
    square, p, d = sp.symbols("G p d", positive=True)
    assert sp.simplify(hardness.signal_mean(d, square, p) - (1 - p) ** 2 * square / 4 / 2**d) == 0
    assert hardness.signal_mean(3, Fraction(8), Fraction(1, 2)) == Fraction(1, 16)
    assert hardness.signal_mean(3, arb(8)).overlaps(arb(1) / 4)
    assert hardness.signal_mean(np.array([1, 2]), 8.0).tolist() == [1.0, 0.5]
    assert hardness.signal_mean_bound(np.array([3, 4]), 2, 12.0).tolist() == [1.0, 0.5]
    assert hardness.parity_count(sp.Integer(5), sp.Integer(2)) == 10
    assert hardness.signal_share_bound(4, square, Fraction(1), p).subs({square: 2, p: 0}) == sp.Rational(1, 8)
    assert hardness.long_route_signal(Fraction(1, 3)) == (
        Fraction(1, 6), Fraction(-1, 6), Fraction(1, 6), Fraction(1, 2), Fraction(1, 6)
    )  # fmt: skip
    assert hardness.message_success_bound(np.array([0, 4]), 16, 2).tolist() == [1 / 16, 1 / 16 + 0.5]
    assert hardness.identification_bound(np.array([0, 3]), 16).tolist() == [1 / 16, 0.5]


# Bounds on looks


@given(st.fractions(0, 10), st.fractions(Fraction(1, 50), 3))
def test_noticed_is_the_largest_count_below_the_total(total, tau):
    m = hardness.noticed_parities(total, tau)
    if m:
        assert m * tau * tau < total
    assert (m + 1) * tau * tau >= total


@given(st.integers(0, 10**6), PARITIES, st.integers(0, 10**6), SUCCESS)
def test_queries_and_success_are_inverse(q, n, m, s):
    bound = hardness.statistical_query_success_bound(q, n, m)
    assert 1 / n <= bound <= 1
    if bound < 1 and m:
        assert hardness.statistical_queries(n, m, bound) == pytest.approx(q, rel=1e-9, abs=1e-9 * n / m)
    needed = hardness.statistical_queries(n, m, s)
    assert needed >= 0
    if m and 1 < needed < 10**15:
        assert hardness.statistical_query_success_bound(math.floor(needed), n, m) <= s * (1 + 1e-9)
        assert hardness.statistical_query_success_bound(math.ceil(needed), n, m) >= s * (1 - 1e-9)


@given(st.integers(0, 10**9), PARITIES, st.floats(1e-9, 1e3), st.floats(1e-3, 1e3))
def test_steps_invert_the_success_bound(steps, n, square, noise):
    bound = hardness.noisy_gradient_success_bound(steps, n, square, noise)
    assert 1 / n <= bound <= 1
    if 1 / n < bound < 1:
        found = hardness.noisy_gradient_steps(n, square, noise, bound)
        # delta = bound - 1/n loses digits when it is small against 1/n or close to 1
        delta = bound - 1 / n
        assert found == pytest.approx(steps, rel=1e-13 / delta / (1 - delta) + 1e-9)


@given(st.integers(2, 10**9), st.floats(1e-6, 1.0), st.floats(0.01, 10.0), SUCCESS)
def test_fixed_features_need_no_fewer_steps_than_pinsker_gives(n, square, noise, s):
    fixed = hardness.fixed_features_steps(n, square, noise, s)
    if s * n <= 1:
        assert fixed == 0
    else:  # kl(s, q) >= 2 (s - q)^2
        delta = s - 1 / n
        assert fixed >= 2 * noise**2 / square * 2 * delta**2 * (1 - 1e-9)


@given(st.integers(0, 10**9), PARITIES, st.integers(2, 10**6))
def test_messages_and_success_are_inverse(t, n, a):
    bound = hardness.message_success_bound(t, n, a)
    assert 1 / n <= bound <= 1
    if 1 / n < bound < 1:
        needed = hardness.message_samples(n, a, bound)
        assert needed == pytest.approx(t, rel=1e-13 / (bound - 1 / n) + 1e-9)
    # 2^t is exact and the division rounds correctly
    assert hardness.identification_bound(t, n) == float(min(Fraction(1), Fraction(2 ** min(t, 10**4), n)))


def test_vacuous_bounds():
    assert hardness.statistical_queries(8, 0, 1.0) == math.inf
    assert hardness.statistical_queries(8, 0, 1 / 8) == 0
    assert hardness.noisy_gradient_steps(8, 1.0, 1.0, 0.125) == 0
    assert hardness.message_success_bound(10**9, 8, 2) == 1
    assert hardness.signal_share_bound(8, 100.0, 0.1) == 1
    assert hardness.noticed_parities(1, 1) == 0


# Elimination


@pytest.mark.parametrize(("d", "n"), [(1, 1), (1, 3), (2, 2), (2, 5), (3, 3), (4, 3)])
def test_rank_law_against_listing(d, n):
    listed = oracle.rank_law(d, n)
    assert [hardness.rank_probability_exact(d, n, r) for r in range(d + 1)] == listed
    assert hardness.full_rank_probability_exact(d, n) == listed[d]
    named = sum(p * Fraction(1, 2 ** (d - r)) for r, p in enumerate(listed))
    assert hardness.identification_probability_exact(d, n) == named


@given(SMALL, st.integers(0, 80))
def test_floats_against_rationals(d, n):
    exact = hardness.full_rank_probability_exact(d, n)
    # at most d logarithms of relative error 2^-52
    assert hardness.full_rank_probability(d, n) == pytest.approx(float(exact), rel=d * 1e-15)
    assert hardness.elimination_failure(d, n) == pytest.approx(float(1 - exact), rel=d * 1e-15)
    for r in (0, d // 2, d):
        value = float(hardness.rank_probability_exact(d, n, r))
        # the exponent (n-r)(d-r) log 2 is rounded relative to its size, up to 60 * 80
        assert hardness.rank_probability(d, n, r) == pytest.approx(value, rel=1e-11, abs=1e-300)
    named = float(hardness.identification_probability_exact(d, n))
    assert hardness.identification_probability(d, n) == pytest.approx(named, rel=1e-11)
    assert hardness.elimination_accuracy(d, n) == pytest.approx((1 + named) / 2, rel=1e-11)


@given(SIZES, st.integers(0, 1100), st.booleans())
def test_probabilities_are_probabilities(d, n, affine):
    full, failure = hardness.full_rank_probability(d, n, affine), hardness.elimination_failure(d, n, affine)
    assert 0 <= full <= 1
    assert full + failure == pytest.approx(1)
    rows = n - affine
    assert failure <= min(1.0, 2.0 ** min(0, d - rows)) * (1 + 1e-12)
    named = hardness.identification_probability(d, n, affine)
    assert full * (1 - 1e-9) <= named <= min(1.0, 2.0 ** min(0, max(rows, 0) - d)) * (1 + 1e-9)


@given(SIZES, st.floats(1e-290, 1), st.booleans())
def test_least_numbers_of_prompts(d, delta, affine):
    n = hardness.elimination_samples(d, delta, affine)
    if delta >= 1:
        assert n == 0
    else:
        assert hardness.elimination_failure(d, n, affine) <= delta
        assert n == d + affine or hardness.elimination_failure(d, n - 1, affine) > delta
        assert n <= d + affine + max(1, math.ceil(math.log2(1 / delta)))


def test_expected_numbers_of_prompts():
    for d in (1, 2, 10, 100):
        exact = hardness.expected_elimination_samples_exact(d)
        assert exact == sum(Fraction(2**j, 2**j - 1) for j in range(1, d + 1))
        assert hardness.expected_elimination_samples(d) == pytest.approx(float(exact), rel=1e-14)
        assert hardness.expected_elimination_samples(d, True) == pytest.approx(float(exact) + 1, rel=1e-14)
    assert hardness.samples_beyond_d_limit() == pytest.approx(1.6066951524152917, rel=1e-15)
    assert hardness.expected_elimination_samples(np.array([1, 2])).tolist() == pytest.approx([2.0, 10 / 3])
    assert hardness.full_rank_probability(np.array([1, 2]), 2).tolist() == pytest.approx([0.75, 0.375])


BAD = [
    (lambda: hardness.parity_count(0), "d must be an integer in"),
    (lambda: hardness.parity_count(1001), "d must be"),
    (lambda: hardness.parity_count(4, 5), r"subset_size must be an integer in \[0, d\]"),
    (lambda: hardness.signal_mean(4, -1.0), "gradient_square"),
    (lambda: hardness.signal_mean(4, 1.0, 1.5), "p_cot"),
    (lambda: hardness.signal_mean(4, 1.0, True), "p_cot"),
    (lambda: hardness.signal_mean_bound(4, -1, 1.0), "subset_size"),
    (lambda: hardness.signal_count_bound(1.0, 0.0), "threshold"),
    (lambda: hardness.signal_share_bound(0, 1.0, 1.0), "n_parities"),
    (lambda: hardness.batch_signal_mean(4, 1.0, 0), "batch"),
    (lambda: hardness.unit_ratio_samples(1.0, 0.5), "mean_square must be at least signal_square"),
    (lambda: hardness.symmetric_relu_coefficient(1), "d must be"),
    (lambda: hardness.symmetric_relu_coefficient_exact(np.array([2, 4])), "d must be one integer"),
    (lambda: hardness.noticed_parities(1, 0), "tolerance"),
    (lambda: hardness.statistical_queries(4, 1, 1.1), "success"),
    (lambda: hardness.noisy_gradient_steps(4, 0.0, 1.0, 0.5), "signal_square"),
    (lambda: hardness.noisy_gradient_success_bound(1, 4, 0.1, 0.0), "noise"),
    (lambda: hardness.message_samples(4, 1, 0.5), "n_messages"),
    (lambda: hardness.identification_bound(-1, 4), "n_samples"),
    (lambda: hardness.full_rank_probability(4, 4, 1), "affine must be True or False"),
    (lambda: hardness.full_rank_probability_exact(201, 4), "d must be"),
    (lambda: hardness.rank_probability(4, 4, -1), "rank"),
    (lambda: hardness.elimination_samples(4, 0.0), "delta"),
    (lambda: hardness.long_route_signal(-0.1), "p_cot"),
]


@pytest.mark.parametrize(("call", "message"), BAD)
def test_bad_input_is_refused_by_name(call, message):
    with pytest.raises(ValueError, match=message):
        call()
