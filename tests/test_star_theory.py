"""The closed forms of STaR on a chain: enumeration in rationals, balls next to the ends, and printed numbers."""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Any

import flint
import numpy as np
import pytest
import sympy
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from tests.oracles import star as oracle
from theory import star

EPS = np.finfo(float).eps
STATES = st.sampled_from([2, 3, 4, 8, 64, 1024, 4096])
UNIT = st.one_of(st.floats(0, 1), st.sampled_from([0.0, 1.0, 1e-12, 1 - 1e-12, 1e-300, 1 - 2**-53]))
CHAINS = st.lists(UNIT, min_size=1, max_size=6)
RATIONALS = st.fractions(0, 1, max_denominator=30)


@st.composite
def rational_chains(
    draw: Any, low_steps: Any = 1, high_steps: Any = 3, states: Any = (2, 3), positive: Any = False
) -> Any:
    """Rational deltas over the whole range, [-1/(M-1), 1] or [0, 1], and M."""
    n_states = draw(st.sampled_from(states))
    low = Fraction(0) if positive else Fraction(-1, n_states - 1)
    entry = st.fractions(low, 1, max_denominator=max(12, n_states - 1))
    return draw(st.lists(entry, min_size=low_steps, max_size=high_steps)), n_states


@st.composite
def rational_tables(draw: Any, max_steps: Any = 3, states: Any = (2, 3), zeros: Any = True) -> Any:
    n_states = draw(st.sampled_from(states))
    n_steps = draw(st.integers(1, max_steps))
    tables = []
    for _ in range(n_steps):
        table = []
        for _ in range(n_states):
            weights = draw(st.lists(st.integers(0 if zeros else 1, 6), min_size=n_states, max_size=n_states))
            assume(sum(weights) > 0)
            table.append([Fraction(w, sum(weights)) for w in weights])
        tables.append(table)
    return tables


def enumerated(delta: Any, maps: Any) -> Any:
    """J, next tables and R from all paths, in rationals."""
    n_states = len(maps[0])
    tables = oracle.symmetric_tables(delta, maps)
    total, following, weights = oracle.one_round(tables, [Fraction(1, n_states)] * n_states, oracle.is_right(maps))
    clean = sum(weight for path, weight in weights.items() if oracle.faultless(maps, path))
    return total, following, clean / total if total else Fraction(0)


# Section 1-2: the family


@given(chain=rational_chains(), seed=st.integers(0, 1000))
def test_accuracy_update_and_share_are_those_of_all_paths(chain: Any, seed: Any) -> None:
    delta, n_states = chain
    rng = np.random.default_rng(seed)
    maps = [rng.permutation(n_states).tolist() for _ in delta]
    total, following, share = enumerated(delta, maps)
    assert star.accuracy(delta, n_states) == total
    assert star.right_path_share(delta, n_states) == share
    assert star.wrong_path_share(delta, n_states) == (1 - share if total else 0)
    after = star.update(delta, n_states)
    assert oracle.symmetric_tables(after, maps) == following


@given(chain=rational_chains(low_steps=2, high_steps=6, states=(2, 3, 7, 64)))
def test_the_forms_of_the_update_agree(chain: Any) -> None:
    delta, n_states = chain
    after = star.update(delta, n_states)
    assert after.tolist() == star.rational_update(delta, n_states).tolist()
    assert (1 - star.gap_update(delta, n_states)).tolist() == after.tolist()
    assert (np.array(delta, dtype=object) + star.improvement(delta, n_states)).tolist() == after.tolist()
    others = star.products_of_others(delta, n_states)
    for entry, product, new in zip(delta, others, after, strict=True):
        if 1 + (n_states - 1) * entry * product != 0:
            assert star.combine(entry, product, n_states) == new
    if max(delta) < 1:
        assert star.bayes_update(delta, n_states).tolist() == after.tolist()
    correct = star.accuracy(delta, n_states)
    if correct > 0:
        alpha, agreed = star.right_probability(np.array(delta, dtype=object), n_states), (1 + (n_states - 1) * others)
        assert star.right_probability(after, n_states).tolist() == (alpha * agreed / n_states / correct).tolist()


@given(chain=CHAINS, n_states=STATES)
def test_floats_are_the_rationals_within_rounding(chain: Any, n_states: Any) -> None:
    exact = star.update([Fraction(d) for d in chain], n_states)
    after = star.update(chain, n_states)
    # about 4 N roundings, every term non-negative: no cancellation
    bound = (4 * len(chain) + 12) * EPS
    for found, true in zip(after, exact, strict=True):
        assert abs(Fraction(float(found)) - true) <= Fraction(bound) * true + Fraction(1, 10**320)
    assert np.all(after >= np.array(chain))
    assert np.all(after <= 1)
    correct = star.accuracy([Fraction(d) for d in chain], n_states)
    assert abs(Fraction(star.accuracy(chain, n_states)) - correct) <= Fraction(bound) * correct


@settings(max_examples=40)
@given(
    logs=st.lists(st.one_of(st.floats(1e-12, 5), st.floats(5, 200), st.just(1e-300)), min_size=2, max_size=5),
    n_states=STATES,
)
def test_log_ratios_keep_full_relative_accuracy(logs: Any, n_states: Any) -> None:
    """Against balls of 2000 bits: L', delta' and 1 - delta', each to relative rounding."""
    old = flint.ctx.prec
    flint.ctx.prec = 2000
    try:
        exact_logs = [flint.arb(value) for value in logs]
        delta = [star.from_log_ratio(value, n_states) for value in exact_logs]
        after = star.update_log_ratio(logs, n_states)
        for step, found in enumerate(after):
            product = flint.arb(1)
            for other, entry in enumerate(delta):
                product = product if other == step else product * entry
            true = exact_logs[step] + ((1 + (n_states - 1) * product) / (1 - product)).log()
            assert abs(flint.arb(float(found)) - true) <= 40 * len(logs) * EPS * abs(true)
        for value, entry in zip(logs, delta, strict=True):
            for found, true in (
                (star.from_log_ratio(value, n_states), entry),
                (star.gap_from_log_ratio(value, n_states), 1 - entry),
            ):
                # exp(-L) carries the rounding of its argument times L
                assert abs(flint.arb(float(found)) - true) <= (16 + 2 * value) * EPS * abs(true)
    finally:
        flint.ctx.prec = old


@given(delta=st.one_of(st.floats(-1, 1), st.sampled_from([1e-12, 1 - 1e-12, 1 - 2**-53, 1e-300])), n_states=STATES)
def test_parametrisations_convert_back(delta: Any, n_states: Any) -> None:
    delta = max(delta, -1 / (n_states - 1))
    value = star.log_ratio(delta, n_states)
    back = star.from_log_ratio(value, n_states)
    # dL/d delta = M/((1-delta)(1+(M-1)delta)); absolute rounding of the map back is a few ulp of 1
    assert back == pytest.approx(delta, rel=1e-13, abs=64 * EPS)
    gap = star.gap_from_log_ratio(value, n_states)
    assert gap == pytest.approx(1 - delta, rel=64 * EPS * (1 + abs(value) if math.isfinite(value) else 1), abs=1e-300)
    assert star.from_offset(star.offset(delta, n_states), n_states) == pytest.approx(delta, abs=8 * EPS)
    exact = Fraction(delta) if delta >= 0 else Fraction(delta).limit_denominator(1000) / 2
    assert star.from_right_probability(star.right_probability(exact, n_states), n_states) == exact
    assert star.right_probability(exact, n_states) + (n_states - 1) * star.wrong_probability(exact, n_states) == 1
    assert star.from_offset(star.offset(exact, n_states), n_states) == exact
    if exact < 1:
        assert star.from_odds(star.odds(exact, n_states), n_states) == exact
    if 0.5 <= delta < 1:  # here 1 - delta is exact
        assert star.log_ratio_from_gap(1 - delta, n_states) == pytest.approx(value, rel=8 * EPS)


@given(
    a=st.fractions(Fraction(-1, 5), Fraction(99, 100)),
    b=st.fractions(Fraction(-1, 5), Fraction(99, 100)),
    c=st.fractions(Fraction(-1, 5), Fraction(99, 100)),
    n_states=st.integers(2, 5),
)
def test_combination_is_a_group_on_which_odds_multiply(a: Any, b: Any, c: Any, n_states: Any) -> None:
    def plus(x: Any, y: Any) -> Any:
        return star.combine(x, y, n_states)

    assert plus(a, b) == plus(b, a)
    assert plus(plus(a, b), c) == plus(a, plus(b, c))
    assert plus(a, Fraction(0)) == a
    assert plus(a, star.inverse(a, n_states)) == 0
    assert star.odds(plus(a, b), n_states) == star.odds(a, n_states) * star.odds(b, n_states)
    assert Fraction(-1, n_states - 1) < plus(a, b) < 1


@given(value=st.one_of(st.floats(1e-12, 300), st.just(0.0)), n_states=STATES)
def test_two_steps_double_their_log_ratio(value: Any, n_states: Any) -> None:
    after = star.update_log_ratio([value, value], n_states)
    assert after == pytest.approx([2 * value] * 2, rel=64 * EPS)


@given(chain=rational_chains(low_steps=2, high_steps=5, states=(2, 3, 8)))
def test_accuracy_never_falls_even_below_guessing(chain: Any) -> None:
    delta, n_states = chain
    after = star.update(delta, n_states)
    assert star.accuracy(after, n_states) >= star.accuracy(delta, n_states)


@given(chain=rational_chains(low_steps=1, high_steps=5, states=(2, 3, 8), positive=True))
def test_improvement_and_right_share_above_guessing(chain: Any) -> None:
    delta, n_states = chain
    gains, others = star.improvement(delta, n_states), star.products_of_others(delta, n_states)
    for entry, gain, other in zip(delta, gains, others, strict=True):
        assert gain >= 0
        assert (gain > 0) == (entry < 1 and other > 0)
    assert any(gain > 0 for gain in gains) == (star.number_of_zero_steps(delta, n_states) <= 1 and min(delta) < 1)
    share, after = star.right_path_share(delta, n_states), star.right_path_share(star.update(delta, n_states), n_states)
    assert after >= share
    assert star.right_path_share_gain(delta, n_states) == after / share


@given(chain=st.lists(st.sampled_from([0.0, 0.2, 0.6, 1.0]), min_size=1, max_size=4), n_states=st.sampled_from([2, 5]))
def test_the_iteration_ends_at_its_limit(chain: Any, n_states: Any) -> None:
    values = star.log_ratio(np.array(chain), n_states)
    for _ in range(400):
        values = star.update_log_ratio(values, n_states)
    expected = star.limit(chain, n_states)
    assert np.all(np.abs(star.from_log_ratio(values, n_states) - expected) <= 1e-12)


def test_below_guessing_accuracy_can_rise_to_one_by_wrong_steps() -> None:
    run = star.iterate([-0.5, -0.5], 2, 12)
    assert star.accuracy(run[0], 2) == 0.625
    assert star.accuracy(run[-1], 2) == 1
    shares = star.right_path_share(run, 2)
    assert shares[0] == pytest.approx(0.1, abs=4 * EPS)
    assert np.all(np.diff(shares) <= 0)
    assert shares[-1] == 0
    for n_states in (3, 4):
        end = star.iterate([-0.2, -0.3], n_states, 80)[-1]
        assert end == pytest.approx([-1 / (n_states - 1)] * 2, abs=1e-12)
        assert star.accuracy(end, n_states) == pytest.approx(1 / (n_states - 1), abs=1e-12)


@given(n_steps=st.integers(2, 8), n_states=STATES)
def test_the_end_is_quadratic_and_wrong_paths_vanish_with_it(n_steps: Any, n_states: Any) -> None:
    gap = Fraction(1, 10**9)
    after = star.gap_update([1 - gap] * n_steps, n_states)[0]
    # next order: relative N M eps at most
    assert float(after / gap**2) == pytest.approx(star.local_rate(n_steps, n_states), rel=1e-9 * n_steps * n_states)
    wrong = star.wrong_path_share([1 - gap] * n_steps, n_states)
    expected = star.wrong_path_rate(n_steps, n_states)
    assert float(wrong / gap**2) == pytest.approx(expected, rel=1e-9 * n_steps * n_states)
    assert star.right_path_share([Fraction(0)] * n_steps, n_states) == star.guessing_right_path_share(n_steps, n_states)


@given(gap=st.floats(1e-15, 1e-3), n_steps=st.integers(2, 6), n_states=STATES)
def test_wrong_share_does_not_cancel(gap: Any, n_steps: Any, n_states: Any) -> None:
    delta = 1 - gap
    exact = star.wrong_path_share([Fraction(delta)] * n_steps, n_states)
    assert star.wrong_path_share([delta] * n_steps, n_states) == pytest.approx(float(exact), rel=100 * EPS)


def test_symbols_give_the_published_map_and_the_share_certificate() -> None:
    """N = 3, equal deltas: the paper's quotient; d log R/d delta with Pi_{-n} a free symbol."""
    d, m = sympy.symbols("d M", positive=True)
    after = star.update([d, d, d], m)[0]
    assert sympy.simplify(after - ((m - 2) * d**3 + d**2 + d) / ((m - 1) * d**3 + 1)) == 0
    assert sympy.simplify(star.accuracy([d, d, d], m) - (1 + (m - 1) * d**3) / m) == 0
    q = sympy.Symbol("q", positive=True)
    log_share = sympy.log(1 + (m - 1) * d) - sympy.log(1 + (m - 1) * d * q)
    slope = (m - 1) * (1 - q) / ((1 + (m - 1) * d) * (1 + (m - 1) * d * q))
    assert sympy.simplify(sympy.diff(log_share, d) - slope) == 0


def test_rationals_stay_rational_for_one_step() -> None:
    """Empty products once were integers, and their quotients floats."""
    assert star.right_path_share_gain([Fraction(1, 3)], 3) == 1
    for value in (
        star.right_path_share_gain([Fraction(1, 3)], 3),
        star.products_of_others([Fraction(1, 3)], 3)[0],
        star.fluctuation_covariance([Fraction(1, 3)] * 2, 3)[0, 1],
        star.mean_accuracy_excess([Fraction(1, 3)] * 2, 3, 5),
        star.loss_probability([Fraction(1, 3)], 3, 5)[0],
    ):
        assert isinstance(value, Fraction)


def test_broadcasting_and_kinds() -> None:
    stack = np.array([[0.1, 0.2], [0.3, 0.4], [1.0, 0.0]])
    assert star.update(stack, 4).shape == (3, 2)
    for row, after in zip(stack, star.update(stack, 4), strict=True):
        assert star.update(row, 4).tolist() == after.tolist()
    assert star.accuracy(stack, 4).shape == (3,)
    assert isinstance(star.accuracy([0.5, 0.5], 4), float)
    assert star.update([Fraction(1, 2), 0], 4).tolist() == [Fraction(1, 2), Fraction(1, 2)]
    ball = star.update([flint.arb("0.5"), flint.arb("0.5")], 2)[0]
    assert ball.contains(flint.arb(4) / 5)
    assert star.update_log_ratio([[0.5, 0.5], [math.inf, 0.0]], 4).shape == (2, 2)
    assert star.update([1.0, -1 / 48], 49) == pytest.approx([1.0, -1 / 48])  # J = 0: nothing is kept
    assert star.update_log_ratio([math.inf, -math.inf], 4).tolist() == [math.inf, -math.inf]


# Section 3.1: rounds


def test_round_counts_of_the_worked_cases() -> None:
    assert star.rounds_to_target(0.02, 0.9, 5, 8) == 35_697
    assert star.rounds_by_integral(0.02, 0.9, 5, 8) == pytest.approx(35_696.7, abs=0.05)
    assert star.slow_phase_few_states(0.02, 5) == pytest.approx(41_667, abs=0.5)
    assert star.rounds_to_target(0.1, 0.9, 6, 1024) == 27
    assert star.slow_phase_few_states(0.1, 6) == pytest.approx(2500)
    assert star.rounds_to_target([0.9, 0.999], 0.5, 3, 8).tolist() == [0, 0]


@settings(max_examples=40)
@given(
    delta=st.floats(0.03, 0.9),
    target=st.sampled_from([0.5, 0.9, 0.99, 0.999]),
    n_steps=st.integers(2, 6),
    n_states=st.sampled_from([2, 3, 8, 64, 1024]),
)
def test_the_integral_and_the_bracket_meet_the_count(delta: Any, target: Any, n_steps: Any, n_states: Any) -> None:
    assume(n_states * target > 1.001)
    estimate = star.rounds_by_integral(delta, target, n_steps, n_states)
    assume(estimate <= 20_000)
    count = star.rounds_to_target(delta, target, n_steps, n_states, fractional=True)
    whole = star.rounds_to_target(delta, target, n_steps, n_states)
    assert whole == math.ceil(count - 1e-9)
    assert abs(estimate - count) <= 0.19  # measured worst case over 1748 settings
    low, high = star.rounds_bracket(delta, target, n_steps, n_states)
    assert low - 1e-9 <= whole
    assert low * (1 - 1e-9) - 1 <= count <= high * (1 + 1e-9) + 1e-9
    if n_steps == 2:
        exact = star.rounds_two_steps(delta, target, n_states)
        assert [low, high, estimate] == pytest.approx([exact] * 3, rel=1e-8, abs=1e-12)
    if n_steps > 2 and target == 0.9 and delta <= 0.5:
        rough = star.rounds_by_two_regimes(delta, n_steps, n_states)
        assert abs(rough - count) <= 2.4
        if count >= 100:
            assert rough == pytest.approx(count, rel=0.014)


@given(
    delta=st.fractions(Fraction(1, 50), Fraction(3, 4), max_denominator=60),
    n_steps=st.integers(2, 5),
    n_states=st.integers(2, 8),
)
def test_the_slow_phase_by_parts_is_the_quadrature(delta: Any, n_steps: Any, n_states: Any) -> None:
    bits = flint.ctx.prec
    flint.ctx.prec = 300
    try:
        exact = star.slow_phase_exact(flint.arb(delta.numerator) / delta.denominator, n_steps, n_states)
        assert float(exact) == pytest.approx(star.slow_phase(float(delta), n_steps, n_states), rel=1e-9, abs=1e-12)
    finally:
        flint.ctx.prec = bits


@given(value=st.floats(1e-3, 60), n_steps=st.integers(2, 7), n_states=STATES)
def test_evidence_and_its_slope(value: Any, n_steps: Any, n_states: Any) -> None:
    found = star.evidence(value, n_steps, n_states)
    assert found == pytest.approx(star.evidence_of_others([value] * n_steps, n_states)[0], rel=1e-12)
    bits = flint.ctx.prec
    flint.ctx.prec = 400
    try:
        ball = star.evidence(flint.arb(value), n_steps, n_states)
        assert found == pytest.approx(float(ball), rel=1e-12)
        assert star.evidence_slope(value, n_steps, n_states) == pytest.approx(
            float(star.evidence_slope(flint.arb(value), n_steps, n_states)), rel=1e-11
        )
    finally:
        flint.ctx.prec = bits


def test_the_slope_is_the_derivative() -> None:
    value, m = sympy.symbols("L M", positive=True)
    for n_steps in (2, 3, 5):
        difference = sympy.diff(star.evidence(value, n_steps, m), value) - star.evidence_slope(value, n_steps, m)
        for point in ((0.3, 5), (2.0, 17)):
            assert abs(sympy.N(difference.subs({value: point[0], m: point[1]}), 30)) < 1e-12


def test_many_states_need_the_other_limit() -> None:
    """1/M << delta << M^(-1/(N-1)): the second limit of the slow phase, with corrections of order M delta^(N-1)."""
    delta, n_steps, n_states = 1e-3, 3, 10**5
    ratio = star.slow_phase_many_states(delta, n_steps, n_states) / star.slow_phase(delta, n_steps, n_states)
    assert ratio == pytest.approx(1, rel=3 / (delta * n_states))


# Section 3.2: noise


@given(chain=rational_chains(), mu=RATIONALS, nu=RATIONALS, seed=st.integers(0, 1000))
def test_noise_scales_the_evidence(chain: Any, mu: Any, nu: Any, seed: Any) -> None:
    assume((mu, nu) != (1, 0))
    delta, n_states = chain
    rng = np.random.default_rng(seed)
    maps = [rng.permutation(n_states).tolist() for _ in delta]
    right = oracle.is_right(maps)
    tables = oracle.symmetric_tables(delta, maps)
    rate, following, weights = oracle.one_round(
        tables, [Fraction(1, n_states)] * n_states, lambda path: 1 - mu if right(path) else nu
    )
    assert star.acceptance_rate(delta, n_states, mu, nu) == rate
    assume(rate > 0)
    after = star.noisy_update(delta, n_states, mu, nu)
    assert oracle.symmetric_tables(after, maps) == following
    clean = sum(weight for path, weight in weights.items() if oracle.faultless(maps, path)) / rate
    assert star.accepted_right_path_share(delta, n_states, mu, nu) == clean
    assert star.acceptance_rate(after, n_states, mu, nu) >= rate
    kappa = star.evidence_scale(mu, nu, n_states)
    assert Fraction(-1, n_states - 1) <= kappa <= 1
    if kappa >= 0 and min(delta) >= 0:
        assert star.accepted_right_path_share(after, n_states, mu, nu) >= clean


def rounds(delta: Any, n_steps: Any, n_states: Any, target: Any, **options: Any) -> Any:
    goal, value, count = star.target_log_ratio(target, n_steps, n_states), star.log_ratio(delta, n_states), 0
    values = np.full(n_steps, value)
    while values[0] < goal:
        values, count = star.update_log_ratio(values, n_states, **options), count + 1
    return count


def test_noise_slows_by_the_scale_and_ends_linearly() -> None:
    assert star.evidence_scale(Fraction(0), Fraction(1, 10), 8) == Fraction(9, 17)
    assert 1 / star.evidence_scale(0.3, 0.3, 64) == pytest.approx(49)
    counts = [rounds(0.05, 4, m, 0.9, kappa=star.evidence_scale(mu, nu, m)) for m, mu, nu in
              [(8, 0.0, 0.0), (8, 0.0, 0.1), (64, 0.0, 0.0), (64, 0.3, 0.3)]]  # fmt: skip
    assert counts == [144, 268, 43, 1833]
    near = [Fraction(999_999, 1_000_000)] * 3
    ratio = (1 - star.noisy_update(near, 8, Fraction(0), Fraction(3, 10))[0]) * 10**6
    assert float(ratio) == pytest.approx(star.noisy_end_rate(0.0, 0.3), abs=1e-5)
    run = np.array([0.9, 0.8, 0.1])
    for _ in range(300):
        run = star.noisy_update(run, 4, 0.9, 0.6)
    assert run == pytest.approx([1, 1, -1 / 3], abs=1e-12)
    assert star.accuracy(run, 4) == pytest.approx(0, abs=1e-12)


# Section 3.3: temperature


@settings(max_examples=30)
@given(
    chain=st.lists(st.floats(0, 0.95), min_size=1, max_size=3),
    n_states=st.sampled_from([2, 3]),
    tau=st.sampled_from([0.5, 0.8, 1.3, 2.0]),
)
def test_tempering_stays_in_the_family(chain: Any, n_states: Any, tau: Any) -> None:
    maps = oracle.identity_maps(len(chain), n_states)
    tables = star.tables_from_maps(chain, maps)
    tempered = star.temper(np.array(chain), n_states, tau)
    assert star.temper_tables(tables, tau) == pytest.approx(star.tables_from_maps(tempered, maps), abs=1e-13)
    after = star.tempered_update(chain, n_states, tau)
    # float tables, N <= 3: rounding of a few dozen operations
    assert star.refit(star.temper_tables(tables, tau)) == pytest.approx(star.tables_from_maps(after, maps), abs=1e-12)
    values = star.update_log_ratio(star.log_ratio(np.array(chain), n_states), n_states, temperature=tau)
    assert star.from_log_ratio(values, n_states) == pytest.approx(after, abs=1e-13)
    assert star.accuracy(after, n_states) >= star.accuracy(tempered, n_states) - 1e-14


def test_cold_sampling_counts() -> None:
    assert [rounds(0.02, 4, 8, 0.99, temperature=tau) for tau in (1.0, 0.8, 0.5)] == [1048, 13, 5]
    assert [rounds(0.1, 3, 64, 0.99, temperature=tau) for tau in (1.0, 0.8, 0.5)] == [4, 3, 2]
    for tau in (0.5, 0.8, 0.95):
        assert rounds(0.02, 4, 8, 0.99, temperature=tau) <= math.ceil(star.tempered_rounds_bound(0.02, 0.99, 4, 8, tau))
    assert star.iterate([0.0, 0.0, 0.5], 4, 3)[-1].tolist() == [0.0, 0.0, 0.5]
    stuck = star.tempered_update([0.0, 0.0, 0.5], 4, 0.5)
    assert stuck[:2].tolist() == [0.0, 0.0]


@given(value=st.floats(1e-3, 500), n_steps=st.integers(3, 7), n_states=STATES, tau=st.floats(2, 5))
def test_hot_sampling_falls_to_guessing(value: Any, n_steps: Any, n_states: Any, tau: Any) -> None:
    after = star.update_log_ratio([value] * n_steps, n_states, temperature=tau)
    assert np.all(after < value)
    twin = star.update_log_ratio([value] * 2, n_states, temperature=tau)
    assert twin == pytest.approx([2 * value / tau] * 2, rel=1e-12)


def test_thresholds_between_one_and_two() -> None:
    settings_ = [(3, 8, 1.2), (3, 8, 1.5), (3, 64, 1.2), (3, 64, 1.5), (5, 8, 1.2), (5, 8, 1.5)]
    found = [star.from_log_ratio(star.temperature_threshold(*entry[:2], entry[2]), entry[1]) for entry in settings_]
    assert found == pytest.approx([0.197, 0.649, 0.128, 0.574, 0.624, 0.947], abs=5e-4)
    assert star.temperature_threshold(5, 8, 1.9) == pytest.approx(26.340, abs=5e-4)
    assert star.temperature_threshold_estimate(5, 1.9) == pytest.approx(26.3396, abs=5e-5)


@settings(max_examples=30)
@given(n_steps=st.integers(3, 8), n_states=STATES, tau=st.floats(1.01, 1.99))
def test_the_threshold_separates_growth_from_decay(n_steps: Any, n_states: Any, tau: Any) -> None:
    threshold = star.temperature_threshold(n_steps, n_states, tau)
    for factor in (0.01, 0.5, 0.999):
        below = [factor * threshold] * n_steps
        assert np.all(star.update_log_ratio(below, n_states, temperature=tau) < below[0])
    for factor in (1.001, 2.0, 50.0):
        above = [factor * threshold] * n_steps
        assert np.all(star.update_log_ratio(above, n_states, temperature=tau) > above[0])


def threshold_terms(p: Any, a: Any) -> Any:
    """The three terms of H and the lower bound of the proof, as balls."""
    m = a + 1
    first = (1 + a * p) * (1 - p) / -p.log()
    last = m * p / ((1 + a * p) / (1 - p)).log()
    height = first - (1 + a * p * p) + last
    root = p.sqrt()
    bound = (1 + a * p) * root * (1 - root) + (1 - p).sqrt() * ((1 + a * p).sqrt() - (1 - p).sqrt())
    return first, last, height, bound


@given(p=st.floats(1e-12, 1 - 1e-9), m=st.one_of(st.floats(1.0, 10.0), st.floats(10, 1e6)))
def test_uniqueness_of_the_threshold_step_by_step(p: Any, m: Any) -> None:
    """Each step of the proof at a random point, in balls: the two log inequalities, the identity, the sign."""
    bits = flint.ctx.prec
    flint.ctx.prec = 256
    try:
        p, a = flint.arb(p), flint.arb(m) - 1
        first, last, height, bound = threshold_terms(p, a)
        assert first >= (1 + a * p) * p.sqrt()
        assert last >= ((1 + a * p) * (1 - p)).sqrt()
        assert bound > 0
        assert height >= bound
    finally:
        flint.ctx.prec = bits


def test_uniqueness_by_symbols() -> None:
    """The derivative of phi is phi H/((1+ap)(1-p)), and the lower bound's algebra is exact."""
    s, a, root, upper, under = sympy.symbols("s a u A v", positive=True)
    p = sympy.exp(-s)
    log_ratio = sympy.log((1 + a * p) / (1 - p))
    phi = s * (a + 1) * p / ((1 + a * p) * (1 - p) * log_ratio)
    height = (1 + a * p) * (1 - p) / s - (1 + a * p**2) + (a + 1) * p / log_ratio
    difference = sympy.diff(phi, s) * (1 + a * p) * (1 - p) - phi * height
    for point in ((sympy.Rational(3, 10), 1), (2, 7), (5, 100)):
        assert abs(sympy.N(difference.subs({s: point[0], a: point[1]}), 40)) < 1e-30
    # with u = sqrt(p), A = 1 + a p, v = sqrt(1-p): A u + sqrt(A) v - (1 + a p^2), and 1 + a p^2 = v^2 + u^2 A
    lower = upper * root + sympy.sqrt(upper) * under - (under**2 + root**2 * upper)
    split = upper * root * (1 - root) + under * (sympy.sqrt(upper) - under)
    assert sympy.expand(lower - split) == 0
    assert sympy.expand((1 + a * root**4) - ((1 - root**2) + root**2 * (1 + a * root**2))) == 0


# Section 3.4: hints


@given(chain=rational_chains(low_steps=2), hint=RATIONALS)
def test_uniform_hints_are_those_of_all_paths(chain: Any, hint: Any) -> None:
    """Failed prompts, share h of them, add the mean over the paths that end right: reweigh and enumerate."""
    delta, n_states = chain
    correct = star.accuracy(delta, n_states)
    assume(correct + hint * (1 - correct) > 0)
    n_steps = len(delta)
    maps = oracle.identity_maps(n_steps, n_states)
    tables = oracle.symmetric_tables(delta, maps)
    right, law = oracle.is_right(maps), [Fraction(1, n_states)] * n_states
    counts = [[[Fraction(0)] * n_states for _ in range(n_states)] for _ in delta]
    for path in oracle.paths(n_steps, n_states):
        if right(path):
            weight = oracle.path_probability(tables, law, path)
            weight += hint * (1 - correct) * Fraction(1, n_states) * Fraction(1, n_states ** (n_steps - 1))
            for step in range(n_steps):
                counts[step][path[step]][path[step + 1]] += weight
    after = star.uniform_hint_update(delta, n_states, hint)
    expected = [[[c / sum(row) for c in row] for row in table] for table in counts]
    assert oracle.symmetric_tables(after, maps) == expected


def test_hint_barriers() -> None:
    assert star.hint_barrier(3, 8, 0.1) == pytest.approx(0.310, abs=5e-4)
    assert star.hint_barrier(3, 64, 0.1) == pytest.approx(0.383, abs=5e-4)
    assert star.hint_barrier(2, 8, 0.1) == 0
    assert star.hint_barrier(2, 8, 1.0) == star.hint_barrier(3, 8, 1.0) == 1
    assert star.uniform_hint_end_rate(3, 8, 0.1) == pytest.approx(0.2625)


@given(n_steps=st.integers(2, 6), n_states=st.sampled_from([2, 3, 8, 64]), hint=st.floats(0, 1))
def test_the_barrier_separates(n_steps: Any, n_states: Any, hint: Any) -> None:
    barrier = star.hint_barrier(n_steps, n_states, hint)
    assert 0 <= barrier <= 1
    for d in (0.02, 0.3, 0.7, 0.98):
        if abs(d - barrier) < 1e-6 or (n_states, n_steps, hint) == (2, 2, 1):
            continue
        moved = star.uniform_hint_update([d] * n_steps, n_states, hint)[0] - d
        polynomial = star.hint_barrier_polynomial(d, n_steps, n_states, hint)
        if abs(polynomial) > 1e-9:
            assert (moved > 0) == (polynomial > 0) == (d > barrier)


# Section 4: finite samples


@pytest.mark.parametrize("count", [1, 2, 5])
@pytest.mark.parametrize("delta", [Fraction(1, 2), Fraction(0), Fraction(-1, 3), Fraction(1)])
def test_one_round_moments_are_exact(delta: Any, count: Any) -> None:
    """Loss, bias and union bound against the exact law of the tables after one round."""
    right = (1 + delta) / 2
    law = star.sampled_round([right] * 4, count)
    mean = [sum(chance * tables[row] for tables, chance in law.items()) for row in range(4)]
    predicted = star.mean_right_probability([delta] * 2, 2, count)
    assert mean == [predicted[0]] * 2 + [predicted[1]] * 2
    lost = sum(chance for tables, chance in law.items() if tables[0] == 0)
    if right > 0:
        assert star.loss_probability([delta] * 2, 2, count)[0] == lost
    assert sum(law.values()) == 1


@given(
    chain=st.lists(st.floats(0, 1), min_size=1, max_size=4),
    n_states=st.sampled_from([2, 8, 64]),
    count=st.integers(1, 10**6),
)
def test_loss_probability_is_stable(chain: Any, n_states: Any, count: Any) -> None:
    found = star.loss_probability(chain, n_states, count)
    assert np.all((found >= 0) & (found <= 1))
    bits = flint.ctx.prec
    flint.ctx.prec = 4000
    try:
        exact = star.loss_probability([flint.arb(d) for d in chain], n_states, count)
        for value, true in zip(found, exact, strict=True):
            # relative rounding of the exponent K log(1 - x), which is at most about 750 where the result is visible
            assert value == pytest.approx(float(true), rel=1e-11, abs=1e-300)
    finally:
        flint.ctx.prec = bits


def test_exact_chain_of_two_states_and_steps() -> None:
    chains = {count: star.sampled_chain(Fraction(1, 2), count) for count in (2, 4, 6)}
    assert [len(chain.states) for chain in chains.values()] == [19, 160, 568]
    assert [float(c.loss_after_one_round()) for c in chains.values()] == pytest.approx(
        [0.1211, 0.1460, 0.1118], abs=5e-5
    )
    bounds = [star.loss_union_bound([0.5, 0.5], 2, count) for count in (2, 4, 6)]
    assert bounds == pytest.approx([0.1758, 0.1739, 0.1291], abs=5e-5)
    summary = chains[4].summary()
    expected = {"accuracy": 0.9242, "right": 0.8262, "swapped": 0.0223, "stuck": 0.1515}
    assert summary == pytest.approx(expected, abs=5e-5)
    guessing = star.sampled_chain(0, 4).summary()
    assert (guessing["right"], guessing["swapped"]) == pytest.approx((0.3186, 0.3186), abs=5e-5)
    for chain in chains.values():
        for law in chain.laws:
            assert sum(law.values()) == 1
        accuracies = chain.accuracies()
        for here, law in zip(accuracies, chain.laws, strict=True):  # no reachable table expects to lose accuracy
            assert sum(chance * accuracies[index] for index, chance in law.items()) >= here


@settings(max_examples=15)
@given(chain=rational_chains(low_steps=2, high_steps=3))
def test_covariance_and_excess_are_those_of_all_kept_paths(chain: Any) -> None:
    delta, n_states = chain
    maps = oracle.identity_maps(len(delta), n_states)
    total, following, _ = enumerated(delta, maps)
    assume(total > 0)
    _, _, weights = oracle.one_round(
        oracle.symmetric_tables(delta, maps), [Fraction(1, n_states)] * n_states, oracle.is_right(maps)
    )
    found = star.fluctuation_covariance(delta, n_states)
    for n in range(len(delta)):
        for m in range(len(delta)):
            # per kept path: indicator of a right step minus the new right probability of the visited row
            expected = sum(
                weight
                / total
                * (int(p[n] == p[n + 1]) - following[n][0][0])
                * (int(p[m] == p[m + 1]) - following[m][0][0])
                for p, weight in weights.items()
            )
            assert found[n, m] == expected
    expected = oracle.second_order_term(oracle.symmetric_tables(delta, maps), following)
    assert star.mean_accuracy_excess(delta, n_states, 7) == expected / 7


@pytest.mark.parametrize("count", [1, 2, 3])
def test_mean_after_kept_averages_to_the_exact_round(count: Any) -> None:
    """Binomial mixture over the kept count against the law of one sampled round, uneven rows."""
    rows = [Fraction(3, 4), Fraction(1, 3), Fraction(2, 5), Fraction(1)]
    tables = [[[rows[2 * n], 1 - rows[2 * n]], [1 - rows[2 * n + 1], rows[2 * n + 1]]] for n in range(2)]
    correct = star.expected_reward(tables)
    mixed = sum(
        math.comb(count, kept)
        * correct**kept
        * (1 - correct) ** (count - kept)
        * star.mean_reward_after_kept(tables, kept)
        for kept in range(count + 1)
    )
    law = star.sampled_round(rows, count)
    by_law = sum(
        chance * (a * c + (1 - a) * (1 - d) + b * d + (1 - b) * (1 - c)) / 2 for (a, b, c, d), chance in law.items()
    )
    assert mixed == by_law
    assert mixed >= correct


@settings(max_examples=25)
@given(tables=rational_tables(max_steps=2), weights=st.lists(st.integers(0, 5), min_size=3, max_size=3))
def test_no_kept_sample_is_expected_to_hurt(tables: Any, weights: Any) -> None:
    """Proved for one kept trajectory, and for two or three at two states and steps; no exception known for more."""
    n_states = len(tables[0])
    weights = weights[:n_states]
    assume(sum(weights) > 0)
    start = [Fraction(weight, sum(weights)) for weight in weights]
    correct = star.expected_reward(tables, start=start)
    assume(correct > 0)
    for kept in (1, 2):
        assert star.mean_reward_after_kept(tables, kept, start=start) >= correct


def test_finite_sample_numbers() -> None:
    covariance = star.fluctuation_covariance([0.5] * 4, 3)
    assert covariance[0, :2] == pytest.approx([0.1920, 0.0439], abs=5e-5)
    two = star.fluctuation_covariance([0.3, 0.7], 4)
    assert two[0, 1] ** 2 == pytest.approx(two[0, 0] * two[1, 1], rel=1e-12)  # N = 2: correlation one
    assert star.mean_accuracy_excess([0.2, 0.4], 4, 400) == pytest.approx(0.00957, abs=5e-6)
    assert star.mean_accuracy_excess([0.5] * 4, 3, 1000) == pytest.approx(0.00084, abs=5e-6)
    assert star.required_trajectories([0.1] * 3, 64, 0.05) == pytest.approx(5.6e5, abs=0.05e5)
    full, base = (star.required_trajectories([0.1] * 3, 8, 0.05, hint=h) for h in (1.0, 0.0))
    assert base == pytest.approx(23_761, abs=0.5)
    assert full == pytest.approx(2_994, rel=0.0015)  # printed from J = .126, which is .125875
    assert full / base == pytest.approx(star.accuracy([0.1] * 3, 8))
    bound = sum(star.loss_union_bound(d, 8, 8000) for d in star.iterate([0.1] * 3, 8, 60))
    assert bound == pytest.approx(1.1e-11, abs=0.05e-11)


def test_smoothing_fixed_points() -> None:
    predicted = []
    for count in (20_000, 2_000, 600, 300):
        upper = star.smoothed_fixed_points(3, 8, count, 1.0).upper
        predicted.append(star.accuracy([upper or 0.0] * 3, 8))
    assert predicted == pytest.approx([0.9916, 0.9133, 0.678, 0.125], abs=5e-4)
    points = star.smoothed_fixed_points(3, 8, 2000, 1.0)
    assert (points.lower, points.upper) == pytest.approx((0.148, 0.966), abs=5e-4)
    assert max(star.smoothing_level(np.linspace(0, 1, 100_001), 3, 8)) == pytest.approx(1.263, abs=5e-4)


@given(
    n_steps=st.integers(2, 5),
    n_states=st.sampled_from([2, 3, 8]),
    count=st.integers(1, 10**6),
    pseudo=st.floats(1e-3, 10),
)
def test_smoothed_fixed_points_are_fixed_and_ordered(n_steps: Any, n_states: Any, count: Any, pseudo: Any) -> None:
    points = star.smoothed_fixed_points(n_steps, n_states, count, pseudo)
    for point in (points.lower, points.upper):
        if point is not None:
            after = star.smoothed_update([point] * n_steps, n_states, count, pseudo)[0]
            assert after == pytest.approx(point, abs=1e-9)
    start = 1.0
    for _ in range(2_000):
        before, start = start, float(star.smoothed_update([start] * n_steps, n_states, count, pseudo)[0])
        if start == before:
            break
    if points.upper is None:
        assert start < 0.9
    else:
        assert start >= points.upper - 1e-9
        assert points.lower is None or points.lower <= points.upper
    if n_steps > 2 and pseudo * n_states**3 / count < 1e-3:
        low, high = star.smoothed_fixed_points_estimate(n_steps, n_states, count, pseudo)
        assert points.upper == pytest.approx(high, rel=0.01)
        assert points.lower <= low * 1.01


def test_mixing_scales_the_increment() -> None:
    delta = [Fraction(1, 3), Fraction(1, 2), Fraction(1, 5)]
    mixed = star.mixed_update(delta, 4, Fraction(9, 10))
    plain = star.update(delta, 4)
    assert (mixed - delta).tolist() == ((plain - delta) / 10).tolist()


# Section 5: arbitrary tables


@given(tables=rational_tables(), seed=st.integers(0, 1000), by_path=st.booleans())
def test_refit_is_the_literal_one(tables: Any, seed: Any, by_path: Any) -> None:
    n_steps, n_states = len(tables), len(tables[0])
    rng = np.random.default_rng(seed)
    weights = [Fraction(int(w)) for w in rng.integers(0, 4, n_states) + (np.arange(n_states) == seed % n_states)]
    start = [w / sum(weights) for w in weights]
    shape = (n_states,) * (n_steps + 1) if by_path else (n_states, n_states)
    values = rng.integers(0, 3, shape)
    reward = np.array([Fraction(int(v)) for v in values.flat] + [None], dtype=object)[:-1].reshape(shape)
    literal = (lambda p: values[tuple(p)].item()) if by_path else (lambda p: values[p[0], p[-1]].item())
    total, following, _ = oracle.one_round(tables, start, literal)
    assert star.expected_reward(tables, start=start, reward=reward) == total
    after = star.refit(tables, start=start, reward=reward)
    assert after.tolist() == following
    assert star.expected_reward(after, start=start, reward=reward) >= total
    half = star.fit_partially(tables, Fraction(1, 2), start=start, reward=reward)
    assert star.expected_reward(half, start=start, reward=reward) >= total
    if total > 0:
        rows, path_term = star.improvement_terms(tables, start=start, reward=reward)
        gain = math.log(star.expected_reward(after, start=start, reward=reward) / total)
        assert rows.sum() + path_term == pytest.approx(gain, abs=1e-12)
        assert rows.min() >= -1e-15
        assert path_term >= -1e-15


def test_witnesses() -> None:
    for name in ("local_optimum", "strict_modes_stop"):
        tables = star.witness(name).astype(float)
        assert name != "strict_modes_stop" or np.all(
            [table[s, s] > np.delete(table[s], s).max() for table in tables for s in range(3)]
        )
        values = [star.expected_reward(tables)]
        for _ in range(600):
            tables = star.refit(tables)
            values.append(star.expected_reward(tables))
        assert np.all(np.diff(values) >= -1e-12)
        assert values[-1] == pytest.approx(2 / 3, abs=1e-6)
        if name == "local_optimum":
            assert values[:3] == pytest.approx([0.363, 0.468, 0.566], abs=5e-4)
        else:
            assert star.tables_right_path_share(tables) == pytest.approx(0.7445, abs=5e-5)
    tables = star.witness("right_share_falls")
    before, after = star.tables_right_path_share(tables), star.tables_right_path_share(star.refit(tables))
    assert before > after
    assert (float(before), float(after)) == pytest.approx((0.11250, 0.11162), abs=5e-6)
    cold = star.witness("cold_sampling_fails").astype(float)
    values = []
    for _ in range(60):
        values.append(star.expected_reward(cold))
        cold = star.refit(star.temper_tables(cold, 0.5))
    assert values[:4] == pytest.approx([0.507, 0.538, 0.515, 0.501], abs=5e-4)
    assert values[-1] == pytest.approx(0.5, abs=1e-6)
    shared, start = star.witness("hints_lower_accuracy"), [Fraction(3, 5), Fraction(2, 5)]
    assert star.expected_reward(shared, start=start) == Fraction(598, 1000)
    assert star.expected_reward(star.hinted_refit(shared, Fraction(1), start=start), start=start) == Fraction(52, 100)


@given(tables=rational_tables(max_steps=3, zeros=False), hint=RATIONALS)
def test_hints_never_lower_their_potential(tables: Any, hint: Any) -> None:
    after = star.hinted_refit(tables, hint)
    assert star.hint_potential(after, hint) >= star.hint_potential(tables, hint) - 1e-14
    # literally: kept paths, and a share h of the rest of each prompt spread over its right paths
    n_states = len(tables[0])
    right = star.prompt_accuracies(tables)
    _, following, _ = oracle.one_round(
        tables,
        [Fraction(1, n_states)] * n_states,
        lambda path: (1 + hint * (1 - right[path[0]]) / right[path[0]]) if path[0] == path[-1] else 0,
    )
    assert after.tolist() == following


@given(tables=rational_tables(max_steps=4, states=(2,)))
def test_two_states_obey_the_sign_rule(tables: Any) -> None:
    agreement = star.two_state_agreements(tables)
    assert star.expected_reward(tables) == (1 + np.multiply.reduce(agreement)) / 2
    assume(abs(float(np.multiply.reduce(agreement))) > 0.02)
    assume(np.multiply.reduce(agreement) > 0)
    expected = star.two_state_limit(tables)
    run = np.array(tables, dtype=float)
    for _ in range(3_000):
        run = star.refit(run)
        if star.expected_reward(run) > 0.999:
            break
    assert star.expected_reward(run) > 0.999
    assert (run[:, 0, 0] > 0.5).tolist() == expected.tolist()


@given(tables=rational_tables(max_steps=2, states=(2, 3, 4), zeros=False), seed=st.integers(0, 100))
def test_two_steps_double_every_log_ratio(tables: Any, seed: Any) -> None:
    assume(len(tables) == 2)
    weights = star.two_step_weights(tables)
    after = star.two_step_weights(star.refit(tables))
    assert star.two_step_weights_update(weights).tolist() == after.tolist()
    order = np.random.default_rng(seed).permutation(len(weights)).tolist()
    ratio = math.prod((weights[i, j] / weights[i, i] for i, j in enumerate(order)), start=Fraction(1))
    assert math.prod((after[i, j] / after[i, i] for i, j in enumerate(order)), start=Fraction(1)) == ratio**2
    assert star.two_step_log_ratio(weights, order) == pytest.approx(math.log(ratio), abs=1e-12)


@given(chain=rational_chains(), seed=st.integers(0, 1000))
def test_accuracy_around_arbitrary_maps(chain: Any, seed: Any) -> None:
    delta, n_states = chain
    maps = np.random.default_rng(seed).integers(0, n_states, (len(delta), n_states)).tolist()
    total, following, share = enumerated(delta, maps)
    assert star.map_accuracy(delta, maps) == total
    tables = star.tables_from_maps(delta, maps)
    assert tables.tolist() == oracle.symmetric_tables(delta, maps)
    reward = np.array(
        [[Fraction(int(oracle.right_answer(maps, s) == t)) for t in range(n_states)] for s in range(n_states)]
    )
    assert star.refit(tables, reward=reward).tolist() == following
    assert star.tables_right_path_share(tables, maps=maps) == share


def test_maps_that_merge_leave_wrong_successors() -> None:
    maps = [[0, 1, 2], [0, 0, 2]]
    reward = np.zeros((3, 3))
    reward[[0, 1, 2], [0, 0, 2]] = 1
    tables = star.tables_from_maps([0.2, 0.2], maps)
    assert star.expected_reward(tables, reward=reward) == pytest.approx(0.396, abs=5e-4)
    assert star.tables_right_path_share(tables, maps=maps) == pytest.approx(0.551, abs=5e-4)
    for _ in range(300):
        tables = star.refit(tables, reward=reward)
    assert star.expected_reward(tables, reward=reward) == pytest.approx(1, abs=1e-9)
    assert star.tables_right_path_share(tables, maps=maps) == pytest.approx(0.758, abs=5e-4)
    assert tables[0, 0] == pytest.approx([0.636, 0.364, 0], abs=5e-4)


def test_a_noisy_verifier_is_a_reward() -> None:
    delta = [Fraction(1, 2), Fraction(1, 4)]
    reward = star.verifier_reward(3, Fraction(1, 10), Fraction(1, 5))
    tables = star.tables_from_maps(delta, oracle.identity_maps(2, 3))
    after = star.noisy_update(delta, 3, Fraction(1, 10), Fraction(1, 5))
    assert (
        star.refit(tables, reward=reward).tolist() == star.tables_from_maps(after, oracle.identity_maps(2, 3)).tolist()
    )


def test_published_curves() -> None:
    curve = star.accuracy(star.iterate([0.1] * 3, 64, 4), 64)
    assert curve == pytest.approx([0.017, 0.020, 0.060, 0.627, 0.997], abs=5e-4)
    delta, cold = np.array([0.1] * 3), []
    for _ in range(3):
        cold.append(star.accuracy(delta, 64))
        delta = star.tempered_update(delta, 64, 0.5)
    assert cold == pytest.approx([0.017, 0.883, 1.000], abs=5e-4)


# Kinds of numbers


def test_whole_numbers_stay_exact_beside_exact_ones() -> None:
    half, table = [Fraction(1, 2)] * 2, [[[Fraction(3, 4), Fraction(1, 4)], [Fraction(1, 4), Fraction(3, 4)]]] * 2
    pairs = [
        (star.uniform_hint_update(half, 2, 1), star.uniform_hint_update(half, 2, Fraction(1))),
        (star.noisy_update(half, 2, 0, Fraction(1, 9)), star.noisy_update(half, 2, Fraction(0), Fraction(1, 9))),
        (star.mixed_update(half, 2, 0), star.update(half, 2)),
        (star.smoothed_update(half, 2, 5, 1), star.smoothed_update(half, 2, 5, Fraction(1))),
        (star.fit_partially(table, 1), star.refit(table)),
        (star.hinted_refit(table, 1), star.hinted_refit(table, Fraction(1))),
        (star.refit(table, start=[1, 0]), star.refit(table, start=[Fraction(1), Fraction(0)])),
        (star.refit(table, reward=np.eye(2, dtype=int)), star.refit(table)),
    ]
    for found, expected in pairs:
        assert found.tolist() == expected.tolist()
        assert {type(entry) for entry in found.flat} == {Fraction}
    assert star.combine(half[0], 0, 2) == half[0]
    assert isinstance(star.combine(half[0], 0, 2), Fraction)
    assert star.evidence_scale(0, Fraction(1, 10), 8) == Fraction(9, 17)


def test_balls_take_rationals_and_ints_in() -> None:
    ball = flint.arb(1) / 2
    for found, expected in [
        (star.mixed_update([ball, Fraction(1, 2)], 2, Fraction(1, 2)), Fraction(13, 20)),
        (star.uniform_hint_update([ball, ball], 2, 1), Fraction(1, 2)),
        (star.refit([[[ball, ball], [1, 0]]] * 2)[0, 0], Fraction(1, 3)),
    ]:
        assert (found.flat[0] * expected.denominator).contains(expected.numerator)


def test_log_ratios_reach_both_ends() -> None:
    assert star.log_ratio(Fraction(-1), 2) == -math.inf
    assert star.temper([Fraction(1), Fraction(-1)], 2, 2).tolist() == [1.0, -1.0]
    assert star.accepted_right_path_share([1.0, -1.0], 2, 0.0, 0.0) == 0
    # below 1e-290 the 1 in (1-g)/g is beyond a float, so that L = log M - log g
    assert star.log_ratio_from_gap(5e-324, 4) == pytest.approx(math.log(4) - math.log(5e-324), rel=4 * EPS)


# Error paths


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: star.update([0.5], 1), r"n_states must be an integer in \[2, inf\), got 1"),
        (lambda: star.update([1.5, 0.5], 2), r"delta must be a real number in \[-1.0, 1.0\], got 1.5"),
        (lambda: star.update([-0.5, 0.5], 4), "delta must be a real number in"),
        (lambda: star.update([Fraction(-1, 2)], 4), "delta must be a real number in"),
        (lambda: star.update([math.nan], 4), "delta must be a real number in"),
        (lambda: star.update(0.5, 4), "delta must hold the N >= 1 steps"),
        (lambda: star.update([], 4), "delta must hold the N >= 1 steps"),
        (lambda: star.update([[0.1], [0.1, 0.2]], 4), "delta must be a rectangular array"),
        (lambda: star.odds(1.0, 4), "delta must lie below 1"),
        (lambda: star.combine(1, -1, 2), "first and second must not be"),
        (lambda: star.limit([-0.1, 0.2], 4), "delta must be a real number in"),
        (lambda: star.log_ratio_from_gap(0.0, 4), "gap must be a real number"),
        (lambda: star.from_log_ratio(math.nan, 4), r"value must be a real number in \[-inf, inf\], got nan"),
        (lambda: star.update_log_ratio([1.0], 4, temperature=0.0), "temperature must be a real number"),
        (lambda: star.iterate([0.5], 4, -1), "n_rounds must be an integer"),
        (lambda: star.rounds_to_target(0.0, 0.9, 3, 8), "delta must be a real number"),
        (lambda: star.rounds_to_target(0.1, 0.125, 3, 8), "target must be a real number"),
        (lambda: star.rounds_to_target(1e-6, 0.9, 5, 8), "max_rounds must cover the rounds needed"),
        (lambda: star.evidence_scale(1.0, 0.0, 8), "accepts nothing"),
        (lambda: star.temperature_threshold(3, 8, 2.0), "temperature must be a real number"),
        (lambda: star.temperature_threshold(2, 8, 1.5), "n_steps must be an integer"),
        (lambda: star.uniform_hint_update([0.5], 8, 0.1), "delta must hold at least 2 steps"),
        (lambda: star.right_path_share_gain([1, -1], 2), "delta must leave a positive accuracy"),
        (lambda: star.required_trajectories([0.5, 0.0], 8, 0.05), "delta must be a real number"),
        (lambda: star.loss_probability([0.5], 8, 0), "n_trajectories must be an integer"),
        (lambda: star.smoothed_fixed_points(3, 8, 100, 0.0), "pseudo_count must be a real number"),
        (lambda: star.mixed_update([0.5], 8, 1.0), "mixing must be a real number"),
        (lambda: star.sampled_chain(0.5, 2), "delta must be a Fraction"),
        (lambda: star.sampled_round([Fraction(1, 2)] * 3, 2), "tables must hold four right probabilities"),
        (lambda: star.refit([[0.5, 0.5]]), r"tables must have shape \(N, M, M\)"),
        (lambda: star.refit([[[0.5, 0.6], [0.5, 0.5]]]), "tables must hold rows that sum to 1"),
        (lambda: star.refit([[[0.5, 0.5], [0.5, 0.5]]], start=[0.3, 0.3]), "start must be a probability vector"),
        (lambda: star.refit([[[0.5, 0.5], [0.5, 0.5]]], reward=[1.0, 0.0]), "reward must have shape"),
        (lambda: star.path_law([[[0.5, 0.5], [0.5, 0.5]]], reward=[[0.0, 0.0], [0.0, 0.0]]), "got J = 0"),
        (lambda: star.path_law(np.full((8, 8, 8), 1 / 8)), "tables must have at most 2000000 paths"),
        (lambda: star.two_state_agreements(np.full((2, 3, 3), 1 / 3)), "tables must have M = 2 states"),
        (lambda: star.two_state_limit(np.full((2, 2, 2), 1 / 2)), "tables must have a positive product"),
        (lambda: star.two_step_weights(np.full((3, 2, 2), 1 / 2)), "tables must have N = 2 steps"),
        (lambda: star.two_step_log_ratio([[0.5, 0.1], [0.1, 0.5]], [0, 0]), "permutation must be a permutation"),
        (lambda: star.map_accuracy([0.5], [[0, 2]]), r"maps must hold states in \[0, 1\]"),
        (lambda: star.map_accuracy([0.5, 0.5], [[0, 1]]), "delta must hold one value for each"),
        (lambda: star.hint_potential([[[0, 1], [1, 0]]], 0.5), r"got J\(s\) = 0"),
        (lambda: star.witness("none"), "name must be one of"),
        (lambda: star.fluctuation_covariance([1, -1], 2), "delta must leave a positive accuracy"),
        (lambda: star.mean_accuracy_excess([Fraction(1), Fraction(-1)], 2, 3), "delta must leave a positive accuracy"),
        (lambda: star.smoothed_update([[1.0, -1.0], [0.5, 0.5]], 2, 3, 0), "delta must leave a positive accuracy"),
        (lambda: star.slow_phase(1e-300, 5, 8), "delta must leave the result within the range of floats"),
        (lambda: star.rounds_bracket(1e-300, 0.9, 5, 8), "delta must leave the result within the range of floats"),
        (lambda: star.hint_barrier(3, 8, [1.0]), "hint must be one real number"),  # type: ignore[arg-type]
        (lambda: star.from_log_ratio([None], 4), "value must be a real number"),
        (lambda: star.update_log_ratio([sympy.Symbol("x")], 4), "value must hold plain numbers"),
        (lambda: star.two_step_log_ratio([[1, 1], [1, 1]], None), "permutation must be a sequence of states"),
        (lambda: star.sampled_round(None, 2), "tables must hold four right probabilities"),
        (lambda: star.mean_reward_after_kept([[[0, 1], [1, 0]]], 1), "got J = 0"),
        (lambda: star.mean_reward_after_kept(np.full((6, 4, 4), 1 / 4), 3), "n_kept must leave at most"),
    ],
)
def test_bad_input_is_named(call: Any, message: Any) -> None:
    with pytest.raises(ValueError, match=message):
        call()
