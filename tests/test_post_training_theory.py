"""Closed forms of post-training: identities, exact enumeration, limits, and the edges of their domains."""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
import sympy as sp
from flint import arb
from hypothesis import assume, example, given
from hypothesis import strategies as st

from tests.oracles import post_training as oracle
from theory import parity_mixture, star
from theory import post_training as pt

EPS = np.finfo(float).eps
HALF = Fraction(1, 2)
shares = st.floats(1e-12, 1.0, exclude_max=True)
rationals = st.fractions(Fraction(1, 50), Fraction(49, 50), max_denominator=50)
unit = st.fractions(0, 1, max_denominator=12)


# Rounds


@given(rationals, st.integers(0, 40))
def test_odds_double_each_round(p: Fraction, n: int) -> None:
    p_n = pt.long_fraction(p, n)
    assert p_n == 2**n * p / (2**n * p + 1 - p)
    assert pt.long_odds(p_n) == 2**n * pt.long_odds(p)
    assert pt.long_fraction(p, n + 1) == 2 * p_n / (1 + p_n)
    assert pt.long_fraction(p_n, 3) == pt.long_fraction(p, n + 3)
    assert pt.long_fraction_from_odds(pt.long_odds(p)) == p


@given(shares, st.integers(0, 100_000))
def test_shares_stay_shares_in_floats(p: float, n: int) -> None:
    assert p * (1 - 4 * EPS) <= pt.long_fraction(p, n) <= 1.0


def test_kinds_of_numbers_agree() -> None:
    p, n = sp.symbols("p n", positive=True)
    assert sp.simplify(pt.long_fraction(p, 2) - 4 * p / (1 + 3 * p)) == 0
    assert sp.simplify(pt.long_fraction(p, n).subs({p: sp.Rational(1, 5), n: 1}) - sp.Rational(1, 3)) == 0
    assert pt.long_fraction(arb(1) / 5, 1).contains(arb(1) / 3)
    found = pt.long_fraction([[0.1], [0.5]], [0, 1, 2])
    assert found.shape == (2, 3)
    assert abs(found[0, 1] - 2 / 11) < 4 * EPS
    with pytest.raises(ValueError, match="p_0"):
        pt.rounds_to_generalise(arb(1) / 5)
    assert pt.rounds_to_generalise(sp.Rational(1, 9)) == 2


@given(st.one_of(rationals, st.fractions(Fraction(1, 10**9), Fraction(1, 3))))
def test_rounds_to_generalise_is_the_least_number(p: Fraction) -> None:
    n = pt.rounds_to_generalise(p)
    assert pt.long_fraction(p, n) >= Fraction(1, 3)
    assert n == 0 or pt.long_fraction(p, n - 1) < Fraction(1, 3)
    assert pt.greedy_accuracy(p, n) == 1.0
    assert n == 0 or pt.greedy_accuracy(p, n - 1) == 0.5
    assert pt.greedy_accuracy(p, n) == parity_mixture.greedy_accuracy(pt.long_fraction(p, n))


@given(st.integers(0, 1020))
@example(52)  # 1 + 2^53 is no double
@example(51)
@example(53)
def test_rounds_at_both_sides_of_a_tie(n: int) -> None:
    tie = Fraction(1, 1 + 2 ** (n + 1))
    assert pt.rounds_to_generalise(tie) == n
    assert pt.rounds_to_generalise(tie - Fraction(1, 10**400)) == n + 1
    assert pt.rounds_to_generalise(tie + Fraction(1, 10**400)) == n
    nearest = float(tie)
    assert pt.rounds_to_generalise(nearest) == n
    assert pt.rounds_to_generalise(math.nextafter(nearest, 0)) == n + 1
    assert pt.rounds_to_generalise(np.array([nearest, math.nextafter(nearest, 1)])).tolist() == [n, n]


@given(st.lists(st.tuples(st.integers(1, 9), unit), min_size=1, max_size=5))
def test_reweighting_is_bayes_rule(types: list[tuple[int, Fraction]]) -> None:
    weights, success = [w for w, _ in types], [s for _, s in types]
    assume(any(success))
    found = pt.reweighted(weights, success)
    assert sum(found) == 1
    for i, (w, s) in enumerate(types):
        for j, (v, r) in enumerate(types):
            assert found[i] * v * r == found[j] * w * s
    with pytest.raises(ValueError, match="success must"):
        pt.reweighted(weights, [0] * len(weights))
    with pytest.raises(ValueError, match="success must hold"):
        pt.reweighted(weights, [*success, 1])


@given(shares, st.integers(0, 60), st.integers(2, 300))
def test_length_follows_the_share(p: float, n: int, d: int) -> None:
    assert pt.expected_length(d, p, n) == 1 + (d - 1) * pt.long_fraction(p, n)
    assert pt.expected_length(d, p, n) >= parity_mixture.expected_length(d, p) * (1 - 8 * EPS)


@given(rationals, st.integers(0, 12))
def test_error_factors_are_sums_of_derivatives(p: Fraction, n: int) -> None:
    total = sum(
        (pt.error_amplification(pt.long_fraction(p, k), n - k) for k in range(n + 1)),
        start=Fraction(0),
    )
    assert pt.total_error_factor(p, n) == total
    assert total <= 2 ** (n + 1) - 1
    step = Fraction(1, 10**12)
    slope = (pt.long_fraction(p + step, n) - pt.long_fraction(p, n)) / step
    # The second derivative is below 2 * 4^n.
    assert abs(slope - pt.error_amplification(p, n)) <= 2 * 4**n * step


@given(st.floats(0.003, 0.9), st.floats(0, 0.17), st.integers(0, 60))
def test_envelopes_are_iterates_of_the_worst_case(p: float, e: float, n: int) -> None:
    low, high = p - e, p + e
    slack = 4 * EPS
    for _ in range(n):
        low = 2 * low / (1 + low) - e if low > 0 else 0.0
        high = min(2 * min(high, 1.0) / (1 + min(high, 1.0)) + e, 1.0)
        slack = 2 * slack + 4 * EPS if slack < 1e-3 else slack
    low, high = max(low, 0.0), min(high, 1.0)
    lower, upper = pt.envelope_fixed_points(e)
    # Rounding of the start grows like the map's own slope, at most 2 a round, and where the two fixed points
    # nearly meet the closed form itself loses digits like 1/(q+ - q-).
    reach = min(2.0**n * 64 * EPS, 1.0) + 1e-9 + 64 * EPS * n / max(upper - lower, 1e-3)
    if abs(p - e - lower) > reach:
        assert abs(pt.lower_envelope(p, e, n) - low) <= reach
    assert abs(pt.upper_envelope(p, e, n) - high) <= reach
    inside = pt.long_fraction(p, n)
    assert pt.lower_envelope(p, e, n) <= inside * (1 + 1e-12) + 1e-12
    assert pt.upper_envelope(p, e, n) >= inside * (1 - 1e-12) - 1e-12
    bound = pt.error_bound_telescoped(e, n)
    assert inside - pt.lower_envelope(p, e, n) <= bound * (1 + 1e-9) + 1e-12


def test_error_propagation_worked_numbers() -> None:
    """p_0 = .01, eps = 1e-4: peaks 5.36e-3 down, 5.25e-3 up, 5.31e-3 to first order; end 2.0e-4."""
    n = np.arange(60)
    truth = pt.long_fraction(0.01, n)
    assert abs((truth - pt.lower_envelope(0.01, 1e-4, n)).max() - 5.36e-3) < 5e-6
    assert abs((pt.upper_envelope(0.01, 1e-4, n) - truth).max() - 5.25e-3) < 5e-6
    assert abs(1e-4 * pt.total_error_factor(0.01, n).max() - 5.31e-3) < 5e-6
    assert abs(1 - pt.lower_envelope(0.01, 1e-4, 60) - 2.0e-4) < 5e-6
    lower, upper = pt.envelope_fixed_points(0.05)
    assert abs((1 + lower) * (1 + upper) - 2) < 8 * EPS
    assert pt.error_bound_paper(0.5, 3) == 4.0
    with pytest.raises(ValueError, match="epsilon"):
        pt.envelope_fixed_points(0.172)


# Finite samples


@given(st.floats(0, 700))
def test_survival_solves_its_equation(m: float) -> None:
    s = pt.survival(m)
    assert 0 <= s <= 1
    if m <= 1:
        assert s == 0
    else:
        # s + expm1(-m s) has slope 1 - m e^(-m s), about m - 1 near the branch point.
        assert abs(s + math.expm1(-m * s)) <= 8 * EPS * max(1.0, m * s)
        if m < 1.01:
            assert abs(s / (2 * (m - 1)) - 1) < 2 * (m - 1) + 1e-9


def test_extinction_worked_numbers() -> None:
    a, b = pt.extinction_coefficients()
    assert abs(a - 0.79681) < 5e-6
    assert abs(b - 0.23865) < 5e-6
    assert pt.survival(arb(2)).contains(arb(a, 1e-15)) or abs(float(pt.survival(arb(2)).mid()) - a) < 1e-15
    for product, seen, places in ((1, 0.452, 3e-3), (2, 0.204, 3e-3), (4, 0.0403, 1e-3), (8, 0.0017, 2e-4)):
        assert abs(pt.extinction_probability(product / 10_000, 10_000) - seen) < places
    assert abs(pt.extinction_probability_exact(0.2, 50) - 2.147e-4) < 5e-8
    assert abs(pt.extinction_probability(0.2, 50) - 2.149e-4) < 5e-8
    assert abs(pt.extinction_probability(0.05, 200) - 3.074e-4) < 5e-8
    assert abs(pt.extinction_probability(0.1, 200) - 7.442e-8) < 5e-12
    assert abs(pt.extinction_probability_with_errors(0.02, 100, 0.5, "r_e2e") - 0.417) < 5e-4
    assert abs(pt.extinction_probability_with_errors(0.02, 200, 0.5, "r_e2e") - 0.174) < 5e-4
    assert abs(pt.extinction_probability_with_errors(0.02, 200, 0.3, "r_e2e") - 0.333) < 5e-4
    assert abs(pt.extinction_probability_with_errors(0.02, 400, 0.3, "r_e2e") - 0.111) < 5e-4


def test_the_exact_chain_at_sizes_solved_by_hand() -> None:
    """N = 1: the first kept answer decides, long with odds p : (1-p)/2; N = 2 by the three inner states."""
    for p in (0.1, 0.5, 0.9):
        assert abs(pt.extinction_probability_exact(p, 1) - ((1 - p) / 2) / (p + (1 - p) / 2)) < 8 * EPS
    # N = 2: only the share 1/2 lies inside. From p: kept (0,1),(0,2) lose, (1,0),(2,0) win, (1,1) is the share 1/2.

    def law(p: float) -> tuple[float, float, float]:
        wrong = right = (1 - p) / 2
        return right**2 + 2 * right * wrong, 2 * p * right, p**2 + 2 * p * wrong

    lost, inner, won = law(0.5)
    from_half = lost / (lost + won)
    lost, inner, won = law(0.3)
    expected = (lost + inner * from_half) / (lost + inner + won)
    assert abs(pt.extinction_probability_exact(0.3, 2) - expected) < 16 * EPS


@given(st.integers(20, 40), st.floats(0.02, 0.2))
def test_the_limit_law_is_close_to_the_exact_chain(n: int, p: float) -> None:
    """The logarithm is right up to N p^3 times a constant, and finite N adds a relative O(1/N)."""
    exact, limit = pt.extinction_probability_exact(p, n), pt.extinction_probability(p, n)
    assert abs(math.log(exact / limit)) < n * p**3 + 4 / n


@given(st.floats(1e-9, 0.5), st.floats(1e-9, 1))
def test_samples_per_round_inverts_the_law(p: float, failure: float) -> None:
    n = pt.samples_per_round(p, failure)
    assert n >= 0
    if 1 <= n < 2**53:
        assert pt.extinction_probability(p, math.ceil(n)) <= failure * (1 + 1e-9)
        assert pt.extinction_probability(p, max(1, math.floor(n))) >= failure * (1 - 1e-9)


def test_budgets() -> None:
    for n, best, fixed in ((3, 3.36, 3.65), (5, 4.89, 6.24), (8, 5.95, 10.04), (12, 6.39, 15.06)):
        plan = pt.best_budget(n)
        assert abs(plan.factor - best) < 5.1e-3  # 6.38496 at n = 12 was printed as 6.39
        assert abs(pt.budget_factor([2] * (n - 1)) - fixed) < 5e-3 + 1e-9
        assert abs(pt.budget_factor(plan.offspring) - plan.factor) < 1e-12
    limit = pt.best_budget_limit()
    assert abs(limit.factor - 6.5178) < 5e-5
    assert plan.factor < pt.best_budget(30).factor <= limit.factor
    assert abs(pt.survival(limit.offspring[0]) - 0.5) < 1e-12
    assert abs(plan.offspring[0] - limit.offspring[0]) < 1e-4
    assert pt.best_budget(1).factor == pt.budget_factor([]) == 1.0
    with pytest.raises(ValueError, match="offspring must leave"):
        pt.budget_factor([0.0])


# The full round


@given(
    st.sampled_from([3, 4]),
    unit,
    unit,
    unit,
    st.lists(unit, min_size=3, max_size=3),
    st.sampled_from(["r_cot", "r_e2e"]),
)
def test_a_full_round_by_enumeration(
    d: int, u: Fraction, stop: Fraction, other: Fraction, errors: list[Fraction], kind: str
) -> None:
    """All prompts and answers of length 3 and 4, in rationals."""
    e = errors[: d - 1]
    kept, law = oracle.kept_law(d, u, stop, other, e, kind)
    found = pt.full_round(u, stop, other, e, kind)
    assert found.kept == kept
    if kept == 0:
        assert found[1:] == (u, stop, other, tuple(e))
        return
    expected = oracle.refit(law, d)
    old = {"first_token": u, "stop_agree": stop, "stop_disagree": other}
    for name, before in old.items():
        assert getattr(found, name) == (before if expected[name] is None else expected[name])
    for mine, seen, before in zip(found.chain_errors, expected["chain_errors"], e, strict=True):
        assert mine == (before if seen is None else seen)
    if kind == "r_e2e":
        assert kept == pt.mean_accuracy(u, stop, other, e)
    right = {True: Fraction(0), False: Fraction(0)}
    for w, x, y in oracle.kept_law(d, u, stop, other, e, "r_e2e")[1]:
        right[oracle.prefix(x)[-1] == x[0]] += 2 * w
        assert y
    assert pt.accuracy_by_parity(u, stop, other, e) == (right[True], right[False])


@given(rationals, st.sampled_from(["r_cot", "r_e2e"]))
def test_at_calibration_the_round_doubles_the_odds(p: Fraction, kind: str) -> None:
    state = pt.calibrated_state(5, p, Fraction(0))
    after = pt.full_round(*state[1:], kind)
    assert after.kept == (1 + p) / 2
    assert after[1:] == pt.calibrated_state(5, pt.long_fraction(p, 1), Fraction(0))[1:]
    assert pt.mean_long_share(*after[1:4]) == pt.long_fraction(p, 1)


@given(unit, unit, unit, unit)
def test_the_odds_of_going_on_are_multiplied(u: Fraction, stop: Fraction, e: Fraction, f: Fraction) -> None:
    assume(0 < stop < 1 and 0 < u < 1)
    for kind, factor in (("r_cot", 2 * (1 - e) * (1 - f)), ("r_e2e", 1 + (1 - 2 * e) * (1 - 2 * f))):
        after = pt.full_round(u, stop, Fraction(1), [e, f], kind).stop_agree
        assert (1 - after) * stop == factor * (1 - stop) * after


@given(st.floats(0.01, 20), st.integers(3, 60), st.floats(1, 3))
def test_chain_margins_follow_the_chain_of_binary_steps(x: float, d: int, tau: float) -> None:
    """The map of STaR on d - 1 binary steps, and the full round itself."""
    delta = math.tanh(x / tau)
    assume(delta < 1 - 1e-9)
    expected = star.update([delta] * (d - 1), 2)[0]
    found = math.tanh(pt.chain_margin_round(x, d, tau))
    assert abs(found - expected) <= 1e-12 + 64 * EPS * d
    e = (1 - delta) / 2
    after = pt.full_round(0.5, 0.5, 1, [e] * (d - 1), "r_e2e").chain_errors[0]
    assert abs((1 - 2 * after) - expected) <= 1e-12 + 64 * EPS * d
    assert pt.chain_margin_round(x, d, tau) <= 2 * x / tau * (1 + 1e-12)


def test_critical_token_errors() -> None:
    expected = {20: (0.038, 0.0049, 1.7e-4, 5e-12), 50: (0.011, 7.7e-4, 9e-6, 7e-16)}
    for d, values in expected.items():
        for tau, value in zip((1.1, 1.3, 1.5, 1.8), values, strict=True):
            found = pt.critical_token_error(d, tau)
            assert (
                abs(found / value - 1) < 0.1
                if value < 1e-3
                else abs(found - value) <= 0.5 * 10 ** math.floor(math.log10(value) - 1)
            )
            x = pt.chain_margin(found)
            assert pt.chain_margin_round(1.02 * x, d, tau) > 1.02 * x
            assert pt.chain_margin_round(0.98 * x, d, tau) < 0.98 * x
    assert pt.critical_token_error(20, 2.0) == 0.0
    assert pt.critical_token_error(20, 1.0) == 0.5


@given(st.floats(0, 1), st.floats(1e-3, 1e3))
def test_tempering_divides_the_logit(q: float, tau: float) -> None:
    found = pt.tempered_probability(q, tau)
    assert 0 <= found <= 1
    assert (found >= 0.5) == (q >= 0.5) or abs(q - 0.5) < 1e-12
    assert (
        abs(pt.tempered_probability(1 - q, tau) + found - 1) < 1e-9 if min(q, 1 - q) > 1e-6 else True
    )  # 1 - q has lost its digits
    # exp(ln q) has the relative error eps |ln q|.
    assert pt.tempered_probability(q, 1.0) == pytest.approx(q, rel=4 * EPS * (2 + abs(math.log(q or 1))), abs=1e-300)


def test_r_e2e_without_errors_of_the_start_never_fails_but_takes_longer() -> None:
    """d = 20, p_0 = .01, e = .06: 9 rounds against 6."""
    state = pt.calibrated_state(20, 0.01, 0.06)
    n = 0
    while state.stop_agree > 0.5:
        state, n = pt.full_round(*state[1:], "r_e2e"), n + 1
    assert n == 9
    assert pt.rounds_to_generalise(0.01) == 6


# Knobs


@given(st.floats(1e-6, 0.3), st.floats(1.1, 4))
def test_temperature_ends_at_its_fixed_point(p: float, tau: float) -> None:
    c, u = 2 * p / (1 - p), (1 + p) / (1 - p)
    end = pt.tempered_fixed_point(tau)
    needed = pt.tempered_rounds_to_generalise(p, tau)
    start, rounds = math.log(c) - math.log(end.go_on_odds), 0
    while rounds < needed:
        u, c, rounds = pt.tempered_first_token_round(u, c, tau), pt.go_on_round(c, tau), rounds + 1
        assert math.log(c) == pytest.approx(math.log(end.go_on_odds) + start * tau**-rounds, abs=1e-9 * abs(start))
        assert (c >= 1) == (rounds == needed) or abs(c - 1) < 1e-9
    for _ in range(int(40 / math.log(tau))):
        u, c = pt.tempered_first_token_round(u, c, tau), pt.go_on_round(c, tau)
    # Geometric convergence at rate 1/tau: e^-40 is left.
    assert c == pytest.approx(end.go_on_odds, rel=1e-9)
    assert u == pytest.approx(end.first_token_odds, rel=1e-8)
    k = c ** (1 / tau)
    big = u ** (1 / tau)
    assert big / (1 + big) * k / (1 + k) == pytest.approx(end.sampled_long_share, rel=1e-8)


def test_temperature_worked_numbers() -> None:
    assert abs(pt.tempered_fixed_point(1.5).sampled_long_share - 0.6113) < 5e-5
    assert abs(pt.tempered_fixed_point(2.2).sampled_long_share - 0.3854) < 5e-5
    assert abs(pt.tempered_fixed_point(1e6).sampled_long_share - 0.25) < 1e-5
    assert pt.tempered_fixed_point(1.01).sampled_long_share > 0.95
    # tau < 1: the fixed point 2^(-tau/(1-tau)) repels; at tau = 1/2 it is c = 1/2, p = 1/5.
    assert pt.go_on_round(0.5, 0.5) == pytest.approx(0.5, rel=4 * EPS)
    assert pt.go_on_round(0.49, 0.5) < 0.49
    assert pt.go_on_round(0.51, 0.5) > 0.51


@given(unit, unit, unit, st.floats(0.5, 3))
def test_the_tempered_round_is_the_full_round(u: Fraction, stop: Fraction, e: Fraction, tau: float) -> None:
    assume(0 < u < 1 and 0 < stop < 1)
    sampled = (pt.tempered_probability(u, tau), pt.tempered_probability(stop, tau), 1.0)
    after = pt.full_round(*sampled, [0.0, 0.0], "r_cot")
    c, big = (1 - stop) / stop, u / (1 - u)
    assert (1 - after.stop_agree) / after.stop_agree == pytest.approx(pt.go_on_round(float(c), tau), rel=1e-11)
    odds = after.first_token / (1 - after.first_token)
    assert odds == pytest.approx(pt.tempered_first_token_round(float(big), float(c), tau), rel=1e-11)
    errors = pt.full_round(u, stop, Fraction(1), [e, e], "r_cot").stop_agree
    if e < 1:
        factor = pt.go_on_factor(3, chain_right=(1 - e) ** 2)
        assert (1 - errors) / errors == pytest.approx(pt.go_on_round(float(c), 1.0, float(factor)), rel=1e-11)


@given(st.fractions(0, Fraction(9, 10), max_denominator=20), unit, st.integers(2, 6))
def test_verifier_and_penalty_factors_are_kept_shares(mu: Fraction, nu: Fraction, d: int) -> None:
    long_kept, short_kept = 1 - mu, ((1 - mu) + nu) / 2
    assert pt.verifier_factor(mu, nu) == long_kept / short_kept
    assert (pt.verifier_factor(mu, nu) > 1) == (1 - mu > nu)
    assert pt.wrong_share_of_kept_short(mu, nu) == nu / 2 / short_kept
    beta = pt.critical_length_penalty(d)
    assert pt.go_on_factor(d, beta) == pytest.approx(1.0, rel=8 * EPS)
    kappa = pt.go_on_factor(d, 0.1, mu, nu)
    assert kappa == pytest.approx(float(long_kept / short_kept) * math.exp(-0.1 * (d - 1)), rel=8 * EPS)


def test_impossible_combinations_are_refused() -> None:
    with pytest.raises(ValueError, match="false_positive must be 0"):
        pt.go_on_factor(5, 0.0, 0.0, 0.1, 0.9)
    with pytest.raises(ValueError, match="false_negative"):
        pt.verifier_factor(1.0, 0.0)


@given(st.sampled_from([3, 4]), rationals, st.fractions(0, HALF, max_denominator=12), st.booleans())
def test_noisy_demonstrations_by_enumeration(d: int, p: Fraction, eta: Fraction, emitted: bool) -> None:
    kind = "emitted" if emitted else "true"
    found = pt.noisy_demonstrations(d, p, eta, kind)
    expected = oracle.refit(oracle.noisy_law(d, p, eta, emitted), d)
    assert found.first_token == expected["first_token"]
    assert found.stop_agree == expected["stop_agree"]
    assert found.stop_disagree == expected["stop_disagree"]
    assert list(expected["chain_errors"]) == [found.token_error] * (d - 1)
    errors = [found.token_error] * (d - 1)
    long_right = exact = Fraction(0)
    for w, x, y in oracle.kept_law(d, *found[:3], errors, "r_e2e")[1]:
        if len(y) > 1:
            long_right += w
            exact += w * (list(y) == oracle.prefix(x))
    assert found.long_right == long_right
    assert found.long_exact == exact
    threshold = pt.noisy_demonstration_threshold(eta)
    assert (found.stop_agree <= HALF) == (p >= threshold)
    for reward, kept in (("r_cot", exact), ("r_e2e", long_right)):
        assert pt.noisy_demonstration_factor(d, eta, kind, reward) == kept / p / HALF


def test_noisy_demonstrations_worked_numbers() -> None:
    emitted, true = (pt.noisy_demonstrations(4, 0.3, 0.1, kind) for kind in ("emitted", "true"))
    assert emitted[:4] == pytest.approx((0.62, 0.56452, 0.92105, 0.1), abs=5e-6)
    assert true.token_error == pytest.approx(0.18, abs=1e-12)
    assert emitted.long_right / 0.3 == pytest.approx(0.70480, abs=5e-6)
    assert true.long_right / 0.3 == pytest.approx(0.60486, abs=5e-6)


@given(st.fractions(0, 3, max_denominator=40), unit)
def test_guessing_models_by_enumeration(odds: Fraction, g: Fraction) -> None:
    edges = (g, (1 - g) / 2, (1 + g) / 2)
    assume(min(abs(odds - edge) for edge in edges) > Fraction(1, 10**6))  # ties are a convention
    assert abs(pt.guessing_greedy_accuracy(float(odds), float(g)) - float(oracle.guessing_accuracy(odds, g))) < 4 * EPS


def test_thresholds_of_guessing_models() -> None:
    for g in (0.0, 0.1, 0.3, 0.5, 1.0):
        long_from, always_from = pt.guessing_long_threshold(g), pt.guessing_success_threshold(g)
        assert long_from <= always_from + 4 * EPS
        above = pt.long_odds(always_from) * (1 + 1e-9)
        assert pt.guessing_greedy_accuracy(above, g) == 1.0
        below = pt.long_odds(always_from) * (1 - 1e-9)
        assert pt.guessing_greedy_accuracy(below, g) < 1.0 or g == 1.0
    assert pt.guessing_success_threshold(0.0) == 1 / 3
    assert pt.leap_linear_threshold() == 0.5


def test_fixed_pools() -> None:
    for pool, expected in ((2000, 0.799), (400, 0.599), (160, 0.25)):
        odds = pt.pool_long_odds(20, 0.02, 8, pool)
        assert abs(odds / (1 + odds) - expected) < 5e-3
    assert pt.pool_long_odds(20, HALF, 3, 10**9) < 8
    assert pt.pool_long_odds(5, Fraction(1, 9), 0, 7) == Fraction(1, 8)
    # 1 + x <= e^x with x = k d/n_pool, summed over k < n.
    loss = pt.pool_long_odds(20, 0.02, 8, 4000) / (2**8 * pt.long_odds(0.02))
    assert loss > math.exp(-20 * 8 * 7 / 2 / 4000)
    assert pt.memorised_long_odds(Fraction(1, 5), [0, 1, 9]).tolist() == [0.25, 0.5, 0.5]


# Policy gradients


@given(
    st.floats(-3, 3), st.floats(-3, 3), st.floats(-3, 3), st.lists(st.floats(-3, 3), min_size=2, max_size=3),
    st.sampled_from(["r_cot", "r_e2e"]),
)  # fmt: skip
def test_gradients_are_derivatives_of_the_enumerated_reward(
    alpha: float, plus: float, minus: float, margins: list[float], kind: str
) -> None:
    """Central differences of the listed expected reward, step h: error h^2/6 times a third derivative below 1."""
    d, h = len(margins) + 1, 1e-4
    if d < 3:
        return

    def reward(shift: np.ndarray) -> float:
        z = np.array([alpha, plus, minus, *margins]) + shift
        chance = 1 / (1 + np.exp(-z))
        law = oracle.kept_law(d, chance[0], chance[1], chance[2], list(1 - chance[3:]), kind)
        return float(law[0])

    u, stop, other = (1 / (1 + math.exp(-z)) for z in (alpha, plus, minus))
    g = pt.policy_gradient(u, stop, other, [1 / (1 + math.exp(m)) for m in margins], kind)
    for index, mine in enumerate([g.first_token, g.stop_agree, g.stop_disagree, *g.chain]):
        step = np.zeros(d + 2)
        step[index] = h
        slope = (reward(step) - reward(-step)) / (2 * h)
        assert abs(slope - mine) < h * h + 1e-11


@given(st.floats(1e-6, 1 - 1e-6), st.integers(2, 40), st.booleans())
def test_grpo_weights_by_listing_groups(s: float, size: int, sample: bool) -> None:
    rule = "sample" if sample else "population"
    expected = oracle.grpo_weight(s, size, sample)
    # The listing cancels (1-s) against s in its two terms and divides by s(1-s).
    assert pt.grpo_weight(s, size, rule) == pytest.approx(expected, rel=1e-11)
    assert pt.grpo_weight(s, size) == pytest.approx(pt.grpo_weight(1 - s, size), rel=1e-11)
    assert pt.grpo_weight(s, size) <= 1 / math.sqrt(s * (1 - s)) * (1 + 1e-12)


def test_grpo_weight_ends_and_limits() -> None:
    s = np.array([0.0, 0.3, 1.0])
    assert pt.grpo_weight(s, 2) == pytest.approx([1, 1, 1], rel=1e-14)
    assert pt.grpo_weight(s, 10)[[0, 2]] == pytest.approx([3.0, 3.0], rel=1e-13)
    assert pt.grpo_weight(0.3, 10_000) == pytest.approx(1 / math.sqrt(0.21), rel=1e-3)
    assert pt.grpo_weight(s, 5, "mean") == pytest.approx(0.8, rel=1e-15)
    x = sp.Symbol("s")
    assert float(pt.grpo_weight(x, 6).subs(x, sp.Rational(3, 10))) == pytest.approx(pt.grpo_weight(0.3, 6), rel=1e-13)


@given(st.floats(1e-4, 0.3), st.floats(0.01, 0.99))
def test_reinforce_conserves_its_invariant(p: float, at: float) -> None:
    c0 = 2 * p / (1 - p)
    c = c0 ** (1 - at)
    assume(c > c0)
    big, time = pt.policy_gradient_path(p, c, "reinforce")
    start = pt.reinforce_invariant((1 + p) / (1 - p), c0)
    assert pt.reinforce_invariant(big, c) == pytest.approx(start, abs=1e-7)
    assert pt.first_token_odds_on_path(c, p) == pytest.approx(big, rel=1e-7)
    assert time > 0


def test_flow_worked_numbers() -> None:
    assert abs(pt.reinforce_time_constant() - 0.9076) < 5e-5
    for p, seen in ((0.1, 1.223), (0.05, 1.196), (0.02, 1.084)):
        assert abs(p * pt.reinforce_time(p) - seen) < 5e-4
        assert pt.policy_gradient_path(p, 1.0)[1] == pytest.approx(pt.reinforce_time(p), rel=1e-7)
    for p, seen in ((0.1, 0.754), (0.05, 0.739), (0.02, 0.670)):
        assert abs(p * pt.policy_gradient_time(p, method="grpo", group_size=4) - seen) < 5e-4
    for p, seen in ((0.1, 0.66), (0.01, 0.72), (0.001, 0.77), (1e-4, 0.81)):
        big = pt.first_token_odds_on_path(1.0, p)
        assert abs(big / (1 + big) - seen) < 5e-3
    base = pt.reinforce_time(0.01)
    for size, faster in ((2, 1.0), (4, 1.62), (8, 1.87), (None, 2.02)):
        assert abs(base / pt.policy_gradient_time(0.01, method="grpo", group_size=size) - faster) < 6e-3
    assert abs(1e-9 * pt.reinforce_time(1e-9) / pt.reinforce_time_constant() - 1) < 1e-6
    assert pt.reinforce_time(0.4) == pt.natural_gradient_time(0.4) == 0


@given(st.floats(1e-6, 0.3), st.floats(0.01, 10))
def test_natural_gradient_runs_along_the_calibrated_models(p: float, eta: float) -> None:
    odds, time = pt.policy_gradient_path(p, 1.0, "natural")
    assert odds == pytest.approx(2.0, rel=1e-7)
    assert pt.natural_gradient_time(p, eta) == pytest.approx(time / eta, rel=1e-7)
    assert pt.policy_gradient_time(p, eta, "natural") == pytest.approx(time / eta, rel=1e-7)


@given(st.floats(0.01, 0.4), st.floats(0.5, 0.9))
def test_branch_time_is_the_integral(low: float, high: float) -> None:
    from scipy.integrate import quad

    expected = quad(lambda p: 2 / (p * p * (1 - p) ** 2), low, high, epsrel=1e-12)[0]
    assert pt.branch_time(low, high) == pytest.approx(expected, rel=1e-9)
    assert pt.branch_time(low, high, 2.0) == pytest.approx(expected / 2, rel=1e-9)


def test_length_normalisation() -> None:
    assert pt.length_normalised_rate(6) == pytest.approx(2 / 7 - 0.5)
    assert pt.length_normalised_rate(6, 0.5) == pytest.approx(1 / 7)
    assert pt.length_normalised_rate(3) == 0.0
    assert all(pt.length_normalised_rate(d) < 0 for d in range(4, 50))


def test_total_cost() -> None:
    for d, kappa in ((10, 1.0), (20, 0.5), (50, 1.5)):
        cost = pt.total_cost(d, kappa)
        assert cost.for_the_chain > cost.against_extinction
        assert cost.n_rounds == math.ceil(math.log2((d**kappa - 1) / 2) - 1e-9)
        assert cost.total == cost.n_rounds * cost.for_the_chain


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: pt.long_fraction(0.0, 1), "p_0 must"),
        (lambda: pt.long_fraction(0.1, -1), "n_rounds must"),
        (lambda: pt.extinction_probability(0.1, 0), "n_samples must"),
        (lambda: pt.full_round(0.5, 0.5, 1, [0.1], "r_x"), "reward must be one of"),
        (lambda: pt.full_round(0.5, 0.5, 1, []), "chain_errors must"),
        (lambda: pt.full_round(0.5, [0.5], 1, [0.1]), "stop_agree must"),
        (lambda: pt.grpo_weight(0.5, 1), "group_size must"),
        (lambda: pt.policy_gradient_path(0.1, 0.01), "go_on_odds must"),
        (lambda: pt.tempered_fixed_point(1.0), "temperature must"),
        (lambda: pt.calibrated_state(1, 0.5), "d must"),
    ],
)
def test_errors_name_the_argument(call: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        call()
