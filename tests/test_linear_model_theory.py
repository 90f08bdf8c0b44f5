"""Closed forms of the autoregressive linear model against enumeration, full-dimensional solvers and recursions."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from fractions import Fraction
from typing import Any

import mpmath
import numpy as np
import pytest
import sympy
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import minimize

from tests.oracles import parity_mixture as oracle
from theory import linear_model as lm
from theory._math import lambertw

EPS = 2.0**-52


# ---------------------------------------------------------------- the model, literally


def phi(z: tuple[int, ...], d: int) -> list[int]:
    """All coordinates of z = (x, y_1..y_(l-1)), then the last one times each of x_1..x_d."""
    return list(z) + [z[-1] * z[i] for i in range(d)]


def data(d: int, p: float, position: str | int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Features, labels and weights of one position over every sequence that trains it (conditional law)."""
    rows, labels, masses = [], [], []
    for x, y, mass in oracle.mixture(d, Fraction(p)):
        is_long = y == oracle.long_answer(x) and len(y) == d + 1
        if position == "first":
            rows.append(list(x))
            labels.append(y[0])
        elif position == "stop":
            rows.append([*phi((*x, y[0]), d), 1])
            labels.append(1 if y[1] == "EOS" else -1)
        elif is_long:
            rows.append(phi((*x, *y[: position - 1]), d))
            labels.append(y[position - 1])
        else:
            continue
        masses.append(float(mass))
    weights = np.array(masses)
    return np.array(rows, float), np.array(labels, float), weights / weights.sum()


def full_optimum(d: int, p: float, position: str | int, ridge: float) -> np.ndarray:
    """Minimise the expected logistic loss plus ridge/2 |w|^2 over all features."""
    f, y, mass = data(d, p, position)

    def objective(w: np.ndarray) -> tuple[float, np.ndarray]:
        margin = y * (f @ w)
        slope = -y / (1 + np.exp(margin))
        return float(mass @ np.logaddexp(0, -margin) + ridge / 2 * w @ w), f.T @ (mass * slope) + ridge * w

    def hessian(w: np.ndarray) -> np.ndarray:
        s = 1 / (1 + np.exp(-(f @ w)))
        return (f * (mass * s * (1 - s))[:, None]).T @ f + ridge * np.eye(f.shape[1])

    w = minimize(objective, np.zeros(f.shape[1]), jac=True, hess=hessian, method="trust-exact").x
    for _ in range(3):  # polish: the loss is smooth and strongly convex
        w = w - np.linalg.solve(hessian(w), objective(w)[1])
    return w


def names(d: int, position: str | int) -> list[str]:
    xs = [f"x{i}" for i in range(1, d + 1)]
    if position == "first":
        return xs
    last = 1 if position == "stop" else int(position) - 1
    ys = [f"y{i}" for i in range(1, last + 1)]
    products = [f"x{i} y{last}" if position == "stop" else f"y{last} x{i}" for i in range(1, d + 1)]
    return [*xs, *ys, *products, *(["bias"] if position == "stop" else [])]


# ---------------------------------------------------------------- features and optima


@pytest.mark.parametrize("d", [3, 4, 5])
def test_feature_norm_is_the_number_of_features(d: int) -> None:
    for position in ("first", "stop", *range(2, d + 1)):
        f, _, _ = data(d, 0.5, position)
        assert set(np.unique(f)) == {-1.0, 1.0}
        assert lm.feature_norm_squared(position, d) == f.shape[1] == len(names(d, position))
        assert set(lm.relevant_features(position, d)) <= set(names(d, position))
    assert lm.feature_norm_squared("stop", sympy.Symbol("d")) == 2 * sympy.Symbol("d") + 2


@pytest.mark.parametrize(("d", "ridges"), [(3, (1e-3, 0.1, 2.0)), (4, (1e-2, 0.3)), (5, (1e-3, 0.1))])
@pytest.mark.parametrize("p", [0.05, 0.2, 1 / 3, 0.5, 0.9])
def test_scalar_optima_are_the_full_dimensional_ones(d: int, ridges: tuple[float, ...], p: float) -> None:
    # Newton's last step leaves an error of condition number x rounding <= (2d+2+ridge)/ridge x 1e-16 x |w|.
    for ridge in ridges:
        tolerance = 10 * (2 * d + 2 + ridge) / ridge * EPS * 10
        first = full_optimum(d, p, "first", ridge)
        expected = np.zeros(d)
        expected[0] = lm.regularised_first_token_weight(p, ridge)
        np.testing.assert_allclose(first, expected, rtol=0, atol=tolerance)

        stop = full_optimum(d, p, "stop", ridge)
        agree = lm.regularised_stop_logit_agree(p, ridge)
        disagree = lm.regularised_stop_logit_disagree(p, ridge)
        expected = np.zeros(2 * d + 2)
        expected[names(d, "stop").index("x1 y1")] = (agree - disagree) / 2
        expected[-1] = (agree + disagree) / 2
        np.testing.assert_allclose(stop, expected, rtol=0, atol=tolerance)


@pytest.mark.parametrize("d", [3, 4, 5])
@pytest.mark.parametrize("ridge", [1e-3, 0.1, 2.0])
def test_chain_optimum_is_the_full_dimensional_one(d: int, ridge: float) -> None:
    for position in range(2, d + 1):
        expected = np.zeros(2 * d + position - 1)
        expected[names(d, position).index(lm.relevant_features(position, d)[0])] = lm.regularised_chain_weight(ridge)
        tolerance = 100 * (3 * d + ridge) / ridge * EPS
        np.testing.assert_allclose(full_optimum(d, 0.4, position, ridge), expected, rtol=0, atol=tolerance)


def test_two_signs_break_the_stop_position_only() -> None:
    """At d = 2 the short answer's x_2 = y_1 x_1 makes idle features informative."""
    largest = 0.0
    for p in (0.02, 0.1, 0.2, 0.3, 0.5, 0.7):
        w = full_optimum(2, p, "stop", 1e-3)
        idle = [i for i, name in enumerate(names(2, "stop")) if name not in ("x1 y1", "bias")]
        largest = max(largest, float(np.max(np.abs(w[idle]))))
        first = full_optimum(2, p, "first", 1e-3)
        np.testing.assert_allclose(first, [lm.regularised_first_token_weight(p, 1e-3), 0], rtol=0, atol=1e-11)
    assert 2.3 < largest < 2.45  # 2.4 to two digits, at the largest over p
    chain = full_optimum(2, 0.3, 2, 1e-3)
    assert np.max(np.abs(np.delete(chain, names(2, 2).index("y1 x2")))) < 1e-11


@pytest.mark.parametrize("p", [0.1, 0.5, 0.8])
def test_unregularised_optimum(p: float) -> None:
    w = full_optimum(4, p, "first", 1e-9)
    # The optimum moves by at most ridge L/sigma'(L).
    limit = lm.first_token_weight(p)
    assert w[0] == pytest.approx(limit, abs=1e-9 * limit * 4 / (1 - p * p) + 1e-12)
    assert 1 / (1 + math.exp(-limit)) == pytest.approx((1 + p) / 2, rel=4 * EPS)
    assert 1 / (1 + math.exp(-lm.stop_agree_logit(p))) == pytest.approx((1 - p) / (1 + p), rel=8 * EPS)


# ---------------------------------------------------------------- the scalar solvers


def sigma(z: Any) -> Any:
    return 1 / (1 + mpmath.exp(-z))


def brackets(value: float, residual: Callable[[Any], Any], ulps: float = 4) -> bool:
    """Whether a decreasing residual changes sign within `ulps` ulps of `value`."""
    with mpmath.workdps(60):
        centre = mpmath.mpf(value)
        reach = abs(centre) * ulps * EPS
        return bool(residual(centre - reach) >= 0 >= residual(centre + reach))


shares = st.one_of(
    st.floats(1e-20, 1),
    st.sampled_from([0.0, 1e-12, 1 / 3, float(np.nextafter(1 / 3, 1)), 0.25, 0.5, 1 - 2**-53, 1.0]),
    st.floats(-30, -2).map(lambda e: 1 / 3 + 10 ** (e / 2)),
)
ridges = st.floats(-12, 6).map(lambda e: 10.0**e)


@given(shares, ridges)
def test_solutions_are_within_four_ulps_of_the_root(p: float, ridge: float) -> None:
    # The residuals below are evaluated with 60 digits; the smallest term, of size 1e-32, keeps 28.
    with mpmath.workdps(60):
        q, lam = mpmath.mpf(p), mpmath.mpf(ridge)
        third = mpmath.mpf(1) / 3
    z = lm.regularised_stop_logit_agree(p, ridge)
    assert brackets(lm.regularised_first_token_weight(p, ridge), lambda w: (1 + q) / 2 - sigma(w) - lam * w)
    assert brackets(z, lambda v: (1 - q) - (1 + q) * sigma(v) - lam * v)
    assert np.sign(z) == (1 if q < third else -1)
    assert brackets(lm.regularised_chain_weight(ridge), lambda w: sigma(-w) - lam * w)
    if p < 1:
        assert brackets(lm.regularised_stop_logit_disagree(p, ridge), lambda v: (1 - q) * sigma(-v) - lam * v)


@given(shares, ridges)
def test_residuals_vanish_at_the_solutions(p: float, ridge: float) -> None:
    # Each residual is a sum of terms of at most 1, so rounding leaves a few EPS.
    w = lm.regularised_first_token_weight(p, ridge)
    assert abs(lm.first_token_stationarity(w, p, ridge)) <= 4 * EPS
    z = lm.regularised_stop_logit_agree(p, ridge)
    assert abs(lm.stop_agree_stationarity(z, p, ridge)) <= 4 * EPS
    assert abs(lm.chain_stationarity(lm.regularised_chain_weight(ridge), ridge)) <= 4 * EPS
    if p < 1:
        z = lm.regularised_stop_logit_disagree(p, ridge)
        assert abs(lm.stop_disagree_stationarity(z, p, ridge)) <= 4 * EPS


def test_solvers_are_vectorised_and_keep_the_exact_tie() -> None:
    p = np.array([0.0, 0.2, 1 / 3, 0.9])
    ridge = np.array([[1e-9], [1.0]])
    table = lm.regularised_stop_logit_agree(p, ridge)
    assert table.shape == (2, 4)
    for i, j in itertools.product(range(2), range(4)):
        alone = lm.regularised_stop_logit_agree(float(p[j]), float(ridge[i, 0]))
        assert table[i, j] == pytest.approx(alone, rel=4 * EPS)
    assert lm.regularised_stop_logit_agree(Fraction(1, 3), 0.1) == 0
    tiny = Fraction(1, 10**30)
    below = lm.regularised_stop_logit_agree(Fraction(1, 3) - tiny, 0.1)
    # z = (1 - 3p)/((1 + p)/2 + 2 ridge) to first order.
    assert below == pytest.approx(3e-30 / (4 / 6 + 0.2), rel=1e-12)
    assert lm.regularised_stop_logit_agree(Fraction(1, 3) + tiny, 0.1) == pytest.approx(-below, rel=1e-12)
    for extreme in (5e-324, 1e-300, 1e300):
        assert 0 < lm.regularised_chain_weight(extreme) < 740


@given(st.floats(1e-9, 1 - 1e-9))
def test_stop_agree_logit_keeps_its_digits(p: float) -> None:
    with mpmath.workdps(60):
        q = mpmath.mpf(p)
        exact = mpmath.log((1 - q) / (2 * q))
        assert abs(lm.stop_agree_logit(p) - exact) <= 4 * EPS * abs(exact)
        weight = mpmath.log((1 + q) / (1 - q))
        assert abs(lm.first_token_weight(p) - weight) <= 4 * EPS * weight
    assert lm.stop_agree_logit(np.array([p]))[0] == pytest.approx(lm.stop_agree_logit(p), rel=4 * EPS)


# ---------------------------------------------------------------- biases


open_shares = st.floats(1e-9, 1 - 1e-9)


@given(open_shares, ridges)
def test_biases_lie_between_their_bounds(p: float, ridge: float) -> None:
    # Every function is a handful of operations accurate to a few ulps: 32 EPS covers both sides.
    up = 1 + 32 * EPS
    rows = [
        (
            lm.first_token_bias,
            lm.first_token_bias_lower_bound,
            lm.first_token_bias_bound,
            lm.first_token_bias_bound_paper,
        ),
        (lm.stop_agree_bias, lm.stop_agree_bias_lower_bound, lm.stop_agree_bias_bound, lm.stop_agree_bias_bound_paper),
        (
            lm.stop_disagree_bias,
            lm.stop_disagree_bias_lower_bound,
            lm.stop_disagree_bias_bound,
            lm.stop_disagree_bias_bound_paper,
        ),
    ]
    for bias, lower, upper, paper in rows:
        value = bias(p, ridge)
        assert 0 <= lower(p, ridge) <= value * up <= upper(p, ridge) * up**2 <= paper(p, ridge) * up**3
    value = lm.chain_bias(ridge)
    assert 0 <= lm.chain_bias_lower_bound(ridge) <= value * up
    assert value <= lm.chain_bias_bound(ridge) * up <= lm.chain_bias_bound_paper(ridge) * up**2


@given(open_shares, ridges)
def test_biases_by_definition(p: float, ridge: float) -> None:
    for bias, definition in (
        (lm.first_token_bias, lm.first_token_bias_by_definition),
        (lm.stop_agree_bias, lm.stop_agree_bias_by_definition),
        (lm.stop_disagree_bias, lm.stop_disagree_bias_by_definition),
    ):
        assert bias(p, ridge) == pytest.approx(definition(p, ridge), rel=0, abs=8 * EPS)
    # Relative error of sigma(-z): |z| ulps of the logit, and |z| <= W(1e13) < 28.
    assert lm.chain_bias(ridge) == pytest.approx(lm.chain_bias_by_definition(ridge), rel=64 * EPS)


def test_equality_sets() -> None:
    assert (
        lm.first_token_bias(0, 0.3) == lm.first_token_bias_bound(0, 0.3) == lm.first_token_bias_bound_paper(0, 0.3) == 0
    )
    third = Fraction(1, 3)
    assert lm.stop_agree_bias(third, 0.3) == lm.stop_agree_bias_bound(third, 0.3) == 0
    p, ridge = sympy.symbols("p lambda", positive=True)
    ratio = sympy.simplify(lm.stop_agree_bias_bound_paper(p, ridge) / lm.stop_agree_bias_bound(p, ridge))
    assert sympy.simplify(ratio - 1 - (3 * p - 1) ** 2 / (8 * p * (1 - p))) == 0
    first = lm.first_token_bias_bound_paper(p, ridge) / lm.first_token_bias_bound(p, ridge)
    assert sympy.simplify(first - 1 / (1 - p**2)) == 0
    assert lm.chain_bias_bound(ridge) == ridge * sympy.LambertW(1 / ridge)
    assert lm.stop_disagree_bias_bound_paper(p, ridge) == sympy.sqrt(ridge / (1 - p))


def bias_ratios(p: float, ridge: float) -> list[float]:
    return [
        lm.first_token_bias(p, ridge) / lm.first_token_bias_bound(p, ridge),
        lm.stop_agree_bias(p, ridge) / lm.stop_agree_bias_bound(p, ridge),
        lm.stop_disagree_bias(p, ridge) / lm.stop_disagree_bias_bound(p, ridge),
        lm.chain_bias(ridge) / lm.chain_bias_bound(ridge),
    ]


def test_sharper_bounds_become_equalities_as_the_ridge_vanishes() -> None:
    at_tenth = [r for p in (0.1, 0.2, 0.5) for r in bias_ratios(p, 0.1)]
    at_thousandth = [r for p in (0.1, 0.2, 0.5) for r in bias_ratios(p, 1e-3)]
    assert min(at_tenth) >= 0.645
    assert max(at_tenth) <= 0.945
    assert min(at_thousandth) >= 0.9935
    assert max(at_thousandth) < 0.9995
    for ridge in (1e-4, 1e-6, 1e-8):
        # First-order rates: 4 ridge/(1 - p^2) and ridge (1 + p)/(2p(1 - p)) are below 10 ridge here, and
        # exp(-W)/(1 + W) <= exp(-W) = ridge W for the other two.
        for p in (0.1, 0.2, 0.5):
            assert min(bias_ratios(p, ridge)) >= 1 - 40 * ridge


@pytest.mark.parametrize("ridge", [1e-5, 0.2, 50.0])
def test_balls_and_fractions_enclose_the_float_bounds(ridge: float) -> None:
    flint = pytest.importorskip("flint")
    p = 0.2
    ball = (flint.arb(p), flint.arb(ridge))
    for function in (
        lm.first_token_bias_bound,
        lm.first_token_bias_bound_paper,
        lm.first_token_bias_lower_bound,
        lm.stop_agree_bias_bound,
        lm.stop_agree_bias_bound_paper,
        lm.stop_agree_bias_lower_bound,
        lm.stop_disagree_bias_bound,
        lm.stop_disagree_bias_bound_paper,
        lm.stop_disagree_bias_lower_bound,
    ):
        enclosed = float(function(*ball).mid())
        assert function(p, ridge) == pytest.approx(enclosed, rel=64 * EPS)
        assert function(Fraction(p), Fraction(ridge)) == pytest.approx(enclosed, rel=64 * EPS)
        assert function(np.array([p]), np.array([ridge]))[0] == pytest.approx(enclosed, rel=64 * EPS)
    for function in (lm.chain_bias_bound, lm.chain_bias_bound_paper, lm.chain_bias_lower_bound):
        assert function(ridge) == pytest.approx(float(function(ball[1]).mid()), rel=64 * EPS)
    zero = lm.first_token_stationarity(flint.arb(lm.regularised_first_token_weight(p, ridge)), *ball)
    assert abs(float(zero.mid())) < 4 * EPS


def test_bounds_at_extreme_ridges() -> None:
    for ridge in (5e-324, 1e-310, 1e-300, 1e300, 1.7e308):
        for value in (
            lm.chain_bias_bound(ridge),
            lm.chain_bias_lower_bound(ridge),
            lm.stop_disagree_bias_bound(1 - 2**-53, ridge),
            lm.stop_disagree_bias_lower_bound(1 - 2**-53, ridge),
            lm.stop_agree_bias(0.2, ridge),
            lm.chain_bias(ridge),
        ):
            assert 0 <= value <= 1
        assert np.all(np.isfinite(lm.chain_bias_bound(np.array([ridge, 1.0]))))


def test_long_share_of_the_regularised_optimum() -> None:
    for p in (0.05, 0.2, 0.4):
        for ridge in (1e-3, 1e-2):
            w, agree = full_optimum(3, p, "first", ridge), full_optimum(3, p, "stop", ridge)
            total = correct = 0.0
            for x in itertools.product((-1, 1), repeat=3):
                u = 1 / (1 + math.exp(-x[0] * float(w @ np.array(x))))
                for first, mass in ((x[0], u), (-x[0], 1 - u)):
                    go = 1 / (1 + math.exp(float(agree @ np.array([*phi((*x, first), 3), 1]))))
                    total += mass * go / 8
                    correct += mass * go / 8 * (first == x[0])
            assert lm.regularised_long_share(p, ridge, ridge) == pytest.approx(correct, rel=1e-10)
            assert lm.regularised_long_share(p, ridge, ridge, correct_start=False) == pytest.approx(total, rel=1e-10)
    # First order: the rest is quadratic in the ridge, up to ln^2.
    for p in (0.01, 0.05, 0.2):
        for ridge in (1e-5, 1e-6):
            for correct_start in (True, False):
                exact = lm.regularised_long_share(p, 1e-15, ridge, correct_start=correct_start) - p
                first_order = lm.excess_long_share(p, ridge, correct_start=correct_start)
                assert exact == pytest.approx(first_order, rel=2 * ridge / p + 1e-8)
    assert lm.excess_long_share(0.2, 1e-3) > 0 > lm.excess_long_share(0.4, 1e-3)


# ---------------------------------------------------------------- statistical terms


def test_statistical_terms() -> None:
    d, ridge, steps, delta = 20, 1e-3, 10**6, 0.1
    assert round(lm.probability_deviation_bound(d, ridge, steps, delta)) == 122
    rho = lm.feature_norm_squared("stop", d)
    gap = lm.objective_gap_bound(rho, ridge, steps, delta)
    # lambda/2 |w - w*|^2 <= gap and Cauchy-Schwarz.
    assert lm.logit_deviation_bound(rho, ridge, steps, delta) == pytest.approx(
        math.sqrt(2 * gap / ridge * rho), rel=1e-14
    )
    root = math.sqrt((1 + math.log(steps)) / (delta * steps))
    p = 0.2
    statistical = {
        "first": lm.first_token_error_bound(d, p, ridge, steps, delta) - lm.first_token_bias_bound_paper(p, ridge),
        "agree": lm.stop_agree_error_bound(d, p, ridge, steps, delta) - lm.stop_agree_bias_bound_paper(p, ridge),
        "disagree": lm.stop_disagree_error_bound(d, p, ridge, steps, delta)
        - lm.stop_disagree_bias_bound_paper(p, ridge),
        "chain": lm.chain_error_bound(d, 7, ridge, steps, delta) - lm.chain_bias_bound_paper(ridge),
    }
    printed = {"first": d / 2, "agree": 2 * (d + 1), "disagree": 2 * (d + 1), "chain": (2 * d + 7 - 1) / 2}
    for key, factor in printed.items():
        assert statistical[key] == pytest.approx(factor / ridge * root, rel=1e-12)
    half = lm.stop_agree_error_bound(d, p, ridge, steps, delta, printed=False) - lm.stop_agree_bias_bound_paper(
        p, ridge
    )
    assert half == pytest.approx(statistical["agree"] / 2, rel=1e-12)
    half = lm.stop_disagree_error_bound(d, p, ridge, steps, delta, printed=False)
    assert half - lm.stop_disagree_bias_bound_paper(p, ridge) == pytest.approx((d + 1) / ridge * root, rel=1e-12)


def test_statistical_terms_are_formulas() -> None:
    d, lam, t, delta = sympy.symbols("d lambda T delta", positive=True)
    term = lm.probability_deviation_bound(lm.feature_norm_squared("first", d), lam, t, delta)
    assert sympy.simplify(term - d / (2 * lam) * sympy.sqrt((1 + sympy.log(t)) / (delta * t))) == 0
    gap = lm.objective_gap_bound(d, lam, t, delta)
    deviation = lm.logit_deviation_bound(d, lam, t, delta)
    assert sympy.simplify(deviation**2 - 2 * gap / lam * d) == 0


@pytest.mark.parametrize(("d", "p", "eps", "delta"), [(3, 0.2, 0.2, 0.1), (5, 0.5, 0.05, 0.5), (10, 0.33, 0.3, 0.01)])
def test_theorem_1_sizes_do_what_they_promise(d: int, p: float, eps: float, delta: float) -> None:
    sizes = lm.theorem_1_sample_sizes(d, p, eps, delta)
    share, part = eps / (d + 1), delta / (d + 2)
    slack = 1 + 1e-12
    target_first = min(share, p / 2)
    target_stop = min(share, abs(1 - 3 * p) / (2 * (1 + p)))
    # Ridge: each bias takes at most half of its target.
    assert lm.first_token_bias(p, sizes.ridge_first) <= target_first / 2 * slack
    assert lm.stop_agree_bias(p, sizes.ridge_stop) <= target_stop / 2 * slack
    assert lm.stop_disagree_bias(p, sizes.ridge_stop) <= target_stop / 2 * slack
    assert lm.chain_bias(sizes.ridge_chain) <= share / 2 * slack
    assert lm.chain_bias_bound(sizes.ridge_chain) == pytest.approx(share / 2, rel=1e-12)
    # Steps: enough, and one fewer is not.
    rows = [
        ("first", sizes.ridge_first, sizes.steps_first, target_first),
        ("stop", sizes.ridge_stop, sizes.steps_stop, target_stop),
        *((l, sizes.ridge_chain, n, share) for l, n in zip(range(2, d + 1), sizes.steps_chain, strict=True)),  # noqa: E741
    ]
    for position, ridge, steps, target in rows:
        rho = lm.feature_norm_squared(position, d)
        assert lm.probability_deviation_bound(rho, ridge, steps, part) <= target / 2
        assert lm.probability_deviation_bound(rho, ridge, steps * 9999 // 10000, part) > target / 2
    # Sequences: Chernoff's exponent at the number of long ones needed.
    mean, needed = sizes.n_sequences * p, max(sizes.steps_chain)
    assert mean > needed
    assert math.exp(-((mean - needed) ** 2) / (2 * mean)) <= part
    assert sizes.n_sequences >= max(sizes.steps_first, sizes.steps_stop)
    total = lm.long_correct_error_bound(target_first, target_stop, [share] * (d - 1))
    assert total <= eps * slack


def test_theorem_1_at_the_threshold() -> None:
    with pytest.raises(ValueError, match="p_cot must be in"):
        lm.theorem_1_sample_sizes(4, 1 / 3, 0.1, 0.1)
    sizes = lm.theorem_1_sample_sizes(4, 1 / 3, 0.1, 0.1, greedy=False)
    assert sizes.steps_stop > 1
    near = lm.theorem_1_sample_sizes(4, 0.3333, 0.1, 0.1)
    assert near.steps_stop > sizes.steps_stop


@given(
    st.lists(st.floats(0, 1), min_size=4, max_size=8),
    st.lists(st.floats(-0.2, 0.2), min_size=8, max_size=8),
    st.floats(0, 1),
)
def test_composition_of_position_errors(values: list[float], shifts: list[float], p: float) -> None:
    truth = np.array([(1 + p) / 2, 2 * p / (1 + p), *[1.0] * (len(values) - 2)])
    trained = np.clip(truth + np.array(shifts[: len(values)]), 0, 1)
    errors = np.abs(trained - truth)
    assert abs(np.prod(trained) - p) <= lm.long_correct_error_bound(errors[0], errors[1], errors[2:]) + 1e-14
    # Short answers: u v on prompts with parity x_1, (1 - u) v' on the others.
    u, v, other = trained[0], 1 - trained[1], values[0]
    bound = lm.short_correct_error_bound(errors[0], errors[1], 1 - other)
    assert abs(u * v - (1 - p) / 2) <= bound + 1e-14
    assert abs((1 - u) * other - (1 - p) / 2) <= bound + 1e-14


@pytest.mark.parametrize("n_steps", [1, 2, 3, 10, 57])
def test_accumulation_form_is_the_literal_algorithm(n_steps: int) -> None:
    rng = np.random.default_rng(n_steps)
    d, ridge = 5, 0.3
    w = np.zeros(d)
    iterates, gradients = [], []
    for t in range(1, n_steps + 1):
        iterates.append(w.copy())
        f = rng.choice([-1.0, 1.0], d)
        y = rng.choice([-1.0, 1.0])
        g = -y / (1 + math.exp(y * float(w @ f))) * f
        gradients.append(g)
        w = w - 1 / (ridge * t) * (g + ridge * w)
        assert np.linalg.norm(w) <= lm.iterate_norm_bound(d, ridge) * (1 + 1e-12)
    weights = lm.averaged_iterate_weights(n_steps)
    average = -(weights[:, None] * np.array(gradients)).sum(axis=0) / ridge
    # |iterates| <= sqrt(5)/0.3 < 8, and each of n_steps updates rounds a few times.
    np.testing.assert_allclose(average, np.mean(iterates, axis=0), rtol=0, atol=8 * 8 * n_steps * EPS)
    exact = lm.averaged_iterate_weights(n_steps, exact=True)
    harmonic = [sum((Fraction(1, k) for k in range(1, n + 1)), Fraction(0)) for n in range(n_steps + 1)]
    assert exact == tuple((harmonic[n_steps - 1] - harmonic[s - 1]) / n_steps for s in range(1, n_steps + 1))
    assert exact[-1] == 0
    np.testing.assert_allclose(weights, [float(c) for c in exact], rtol=n_steps * EPS)


# ---------------------------------------------------------------- large T


def test_averaging_factor() -> None:
    m, r = sympy.symbols("m r", positive=True)
    assert sympy.simplify(lm.averaging_factor(m) - (1 - 2 / (m + 1) + 1 / (2 * m + 1))) == 0
    # Integral over [0, 1] of (1 - r^m)^2, term by term.
    integral = sum(sympy.integrate(term, (r, 0, 1)) for term in (sympy.Integer(1), -2 * r**m, r ** (2 * m)))
    assert sympy.simplify(lm.averaging_factor(m) - integral) == 0
    h, s, lam = sympy.symbols("h S lambda", positive=True)
    assert sympy.simplify(lm.asymptotic_variance(h, s, lam) - s / h**2 * lm.averaging_factor(h / lam)) == 0
    assert sympy.limit(lm.asymptotic_variance(h, s, lam), lam, 0) == s / h**2
    assert lm.averaging_factor(1e-200) == 0  # 2 m^2 underflows instead of leaving rounding noise
    assert lm.averaging_factor(1e-8) == pytest.approx(2e-16, rel=1e-7)


@given(st.fractions(0, 8, max_denominator=20), st.integers(1, 25))
def test_linearised_variance_against_the_recursion_in_rationals(m: Fraction, n_steps: int) -> None:
    # Weights of every past noise in e_t and in the running sum, propagated step by step.
    lam = Fraction(1, 3)
    h = m * lam
    error = [Fraction(0)] * (n_steps + 1)
    summed = [Fraction(0)] * (n_steps + 1)
    start, start_sum = Fraction(1), Fraction(0)
    for t in range(1, n_steps + 1):
        summed = [a + b for a, b in zip(summed, error, strict=True)]
        start_sum += start
        shrink = 1 - (h + lam) / (lam * t)
        error = [shrink * e for e in error]
        start = shrink * start
        error[t] -= 1 / (lam * t)
    variance = sum(c * c for c in summed) / n_steps**2
    computed = lm.linearised_average_variance(float(h), 1.0, float(lam), n_steps)
    # The products lose at most their largest term's rounding; with m <= 8 that is below 2^8 at every step.
    assert computed == pytest.approx(float(variance), rel=1e-10, abs=1e-13)
    memory = lm.linearised_average_memory(float(h), float(lam), n_steps)
    assert memory == pytest.approx(float(start_sum / n_steps), rel=1e-10, abs=1e-10)


@pytest.mark.parametrize("m", [0.3, 1.2, 4.0, 7.5])
def test_finite_step_correction(m: float) -> None:
    steps = np.array([1000, 4000, 16000])
    exact = np.array([lm.linearised_average_variance(m, 1.0, 1.0, int(n)) for n in steps])
    scaled = exact * steps * m**2
    correction = (scaled - lm.averaging_factor(m)) * steps
    # What is left of the 1/T coefficient decays like T^(-m) or 1/T with a constant of order m^2.
    left = np.abs(correction - m / (2 * (2 * m + 1)))
    assert np.all(left <= 3 * (1 + m) ** 2 * steps ** -min(m, 1.0))
    expansion = lm.linearised_average_variance_expansion(m, 1.0, 1.0, steps)
    np.testing.assert_allclose(expansion, exact, rtol=2 * (1 + m) ** 2 * 1000 ** -(1 + min(m, 1.0)) * (1 + 1 / m))


def test_linearised_variance_in_blocks_and_at_its_edges() -> None:
    # More than one block, against the same sum in one piece.
    n_steps, m = 150_000, 0.7
    k = np.arange(n_steps - 1, 0, -1)
    q = np.concatenate([[1.0], np.cumprod(1 - m / k)])
    direct = np.sum((1 - q) ** 2) / m**2 / n_steps**2
    assert lm.linearised_average_variance(m, 1.0, 1.0, n_steps) == pytest.approx(direct, rel=1e-9)
    assert lm.linearised_average_variance(0.3, 1.0, 1.0, 1) == 0
    assert lm.linearised_average_variance(1e9, 1.0, 1e-9, 100) == math.inf
    pair = lm.linearised_average_variance(np.array([0.3, 0.6]), 1.0, np.array([[1.0], [0.5]]), 50)
    assert pair.shape == (2, 2)
    assert pair[1, 0] == pytest.approx(lm.linearised_average_variance(0.3, 1.0, 0.5, 50), rel=1e-13)
    # Without curvature the weights are those of the accumulation form.
    weights = lm.averaged_iterate_weights(50)
    assert lm.linearised_average_variance(0.0, 1.0, 2.0, 50) == pytest.approx(np.sum(weights**2) / 4, rel=1e-13)


def moments(d: int, p: float, position: str | int, w: np.ndarray, ridge: float) -> tuple[np.ndarray, np.ndarray]:
    """Hessian of the loss and covariance of its stochastic gradient at w, by enumeration."""
    f, y, mass = data(d, p, position)
    s = 1 / (1 + np.exp(-(f @ w)))
    g = (-y / (1 + np.exp(y * (f @ w))))[:, None] * f
    mean = mass @ g
    np.testing.assert_allclose(mean, -ridge * w, rtol=0, atol=1e-12)
    return (f * (mass * s * (1 - s))[:, None]).T @ f, (g * mass[:, None]).T @ g - np.outer(mean, mean)


def limit_covariance(hessian: np.ndarray, noise: np.ndarray, ridge: float) -> np.ndarray:
    """T times the covariance of the averaged iterate: integral of M(r) noise M(r), M = (1 - r^(H/ridge)) H^-1."""
    values, vectors = np.linalg.eigh(hessian)
    values = np.clip(values, 0, None)
    rotated = vectors.T @ noise @ vectors
    a, b = values[:, None], values[None, :]
    # Integral of (1 - r^m)(1 - r^n)/(h k) = (m + n + 2) / ((m + 1)(n + 1)(m + n + 1) ridge^2), cancelled by hand.
    m, n = a / ridge, b / ridge
    kernel = (m + n + 2) / ((m + 1) * (n + 1) * (m + n + 1)) / ridge**2
    return vectors @ (rotated * kernel) @ vectors.T


def test_limit_kernel_is_the_scalar_formula_on_the_diagonal() -> None:
    h, s, lam = 0.2, 0.7, 0.05
    value = limit_covariance(np.array([[h]]), np.array([[s]]), lam)[0, 0]
    assert value == pytest.approx(lm.asymptotic_variance(h, s, lam), rel=1e-14)


@pytest.mark.parametrize("p", [0.05, 0.2, 0.5])
@pytest.mark.parametrize("ridge", [0.01, 0.2])
def test_first_token_variances_by_enumeration(p: float, ridge: float) -> None:
    for d in (3, 4, 5):
        w = np.zeros(d)
        w[0] = lm.regularised_first_token_weight(p, ridge)
        covariance = limit_covariance(*moments(d, p, "first", w, ridge), ridge)
        diagonal = np.array([lm.first_token_asymptotic_variance(p, ridge, i == 0) for i in range(d)])
        expected = np.diag(diagonal)
        if d == 3:
            pair = lm.first_token_pair_asymptotic_variances(p, ridge)
            expected[1, 2] = expected[2, 1] = (pair.sum_direction - pair.difference_direction) / 2
            assert (pair.sum_direction + pair.difference_direction) / 2 == pytest.approx(diagonal[1], rel=1e-13)
            _, noise = moments(d, p, "first", w, ridge)
            assert noise[1, 2] == pytest.approx(lm.first_token_coupling(p, ridge), rel=1e-11)
        np.testing.assert_allclose(covariance, expected, rtol=1e-10, atol=1e-9)
        error = np.trace(covariance) / (4 * math.cosh(w[0] / 2) ** 2) ** 2
        assert lm.first_token_mean_square_error(d, p, 1000, ridge) == pytest.approx(error / 1000, rel=1e-10)


@pytest.mark.parametrize("p", [0.05, 0.2, 1 / 3, 0.6])
@pytest.mark.parametrize("ridge", [0.01, 0.2])
@pytest.mark.parametrize("d", [4, 5])
def test_stop_variances_by_enumeration(d: int, p: float, ridge: float) -> None:
    agree, disagree = lm.regularised_stop_logit_agree(p, ridge), lm.regularised_stop_logit_disagree(p, ridge)
    index = names(d, "stop").index
    w = np.zeros(2 * d + 2)
    w[index("x1 y1")], w[index("bias")] = (agree - disagree) / 2, (agree + disagree) / 2
    covariance = limit_covariance(*moments(d, p, "stop", w, ridge), ridge)
    v = lm.stop_asymptotic_variances(p, ridge)

    def direction(one: str, other: str, sign: int) -> np.ndarray:
        e = np.zeros(2 * d + 2)
        e[index(one)], e[index(other)] = 1 / math.sqrt(2), sign / math.sqrt(2)
        return e

    basis = [
        direction("bias", "x1 y1", 1),
        direction("bias", "x1 y1", -1),
        direction("x1", "y1", 1),
        direction("x1", "y1", -1),
    ]
    values = [v.agree, v.disagree, v.first_agree, v.first_disagree]
    for j in range(2, d + 1):
        for name in (f"x{j}", f"x{j} y1"):
            e = np.zeros(2 * d + 2)
            e[index(name)] = 1
            basis.append(e)
            values.append(v.idle)
    rotated = np.array(basis) @ covariance @ np.array(basis).T
    expected = np.diag(values)
    expected[0, 1] = expected[1, 0] = v.agree_disagree_covariance
    np.testing.assert_allclose(rotated, expected, rtol=1e-9, atol=1e-8 * max(values))
    prompt = np.array([*phi((1,) * (d + 1), d), 1.0])
    logit = lm.stop_agree_logit_asymptotic_variance(d, p, ridge)
    assert prompt @ covariance @ prompt == pytest.approx(logit, rel=1e-9)


@pytest.mark.parametrize("ridge", [0.02, 0.2])
def test_chain_variances_by_enumeration(ridge: float) -> None:
    d = 6
    for position in (2, 3, 4, 6):
        index = names(d, position).index
        relevant = index(f"y{position - 1} x{position}")
        w = np.zeros(2 * d + position - 1)
        w[relevant] = lm.regularised_chain_weight(ridge)
        covariance = limit_covariance(*moments(d, 0.4, position, w, ridge), ridge)
        assert abs(covariance[relevant, relevant]) < 1e-10
        pairs = {("x1", "y1")}
        if position >= 3:
            pairs.add((f"y{position - 1} x{position - 1}", f"y{position - 2}"))
        if position == 3:
            pairs.add(("y2 x1", "x2"))
        merged = {name for pair in pairs for name in pair}
        if position == 3:  # y_2 x_2 = y_1 = x_1 is a triple
            merged = {"x1", "y1", "y2 x2", "y2 x1", "x2"}
            pairs = {("y2 x1", "x2")}
        for one, other in pairs:
            e = np.zeros(len(w))
            e[index(one)] = e[index(other)] = 1
            assert e @ covariance @ e == pytest.approx(lm.chain_asymptotic_variance(ridge, True), rel=1e-9)
            e[index(other)] = -1
            assert abs(e @ covariance @ e) < 1e-9
        for i, name in enumerate(names(d, position)):
            if i != relevant and name not in merged:
                assert covariance[i, i] == pytest.approx(lm.chain_asymptotic_variance(ridge, False), rel=1e-9)


def test_published_size_of_the_variances() -> None:
    """Printed values, hence half a unit of the last digit."""
    assert lm.first_token_asymptotic_variance(0.2, 0.2, True) == pytest.approx(1.55, abs=0.005)
    assert lm.first_token_asymptotic_variance(0.2, 0.2, False) == pytest.approx(1.56, abs=0.005)
    v = lm.stop_asymptotic_variances(0.2, 0.2)
    seen = [v.agree, v.disagree, v.first_agree, v.first_disagree, v.idle]
    np.testing.assert_allclose(seen, [1.42, 0.36, 1.44, 0.60, 1.21], rtol=0, atol=0.005)
    assert lm.chain_asymptotic_variance(0.2, False) == pytest.approx(0.52, abs=0.005)
    assert lm.chain_asymptotic_variance(0.2, True) == pytest.approx(0.86, abs=0.005)
    assert lm.first_token_asymptotic_variance(0.2, 0.05, True) == pytest.approx(3.05, abs=0.01)
    assert lm.first_token_asymptotic_variance(0.2, 0.01, True) == pytest.approx(3.89, abs=0.03)
    for ridge, expected in ((1e-2, 2.12e-3), (3e-3, 2.17e-3)):
        root = lm.first_token_mean_square_error(20, 0.2, 10**6, ridge) ** 0.5
        assert root == pytest.approx(expected, abs=0.005e-3)
    # F(240) = .9938 is still visible at lambda = 1e-3: 2.184e-3, against the limit 2.191e-3.
    root = lm.first_token_mean_square_error(20, 0.2, 10**6, 1e-3) ** 0.5
    assert root == pytest.approx(2.1909e-3 * math.sqrt(lm.averaging_factor(240)), rel=1e-3)


def test_window_of_the_threshold() -> None:
    offsets = np.array([-0.006, -0.003, 0, 0.003, 0.006])
    computed = lm.greedy_continue_share(20, 1 / 3 + offsets, 200_000)
    np.testing.assert_allclose(computed, [0.218, 0.348, 0.5, 0.652, 0.782], rtol=0, atol=5e-4)
    assert lm.threshold_width(20, 200_000) == pytest.approx(0.77 * math.sqrt(20 / 200_000), rel=0.005 / 0.77)
    d, t = sympy.symbols("d T", positive=True)
    assert sympy.simplify(lm.threshold_width(d, t) ** 2 - sympy.Rational(4, 81) * 12 * d / t) == 0
    for d_value in (4, 20, 100):
        # The limit is reached linearly in the ridge.
        limit = lm.stop_agree_logit_asymptotic_variance(d_value, 1 / 3, 1e-9)
        assert limit == pytest.approx(12 * d_value, rel=1e-6)
    slope = (lm.stop_agree_logit(1 / 3 + 1e-6) - lm.stop_agree_logit(1 / 3 - 1e-6)) / 2e-6
    assert slope == pytest.approx(-4.5, rel=1e-8)
    # One width above 1/3 is one standard deviation.
    one = lm.greedy_continue_share(20, 1 / 3 + lm.threshold_width(20, 10**6), 10**6)
    assert one == pytest.approx(0.8413447460685429, rel=1e-9)
    assert lm.first_token_mean_square_error(20, 0.2, 10**6) == pytest.approx(20 * 0.96 / 4e6, rel=1e-14)


# ---------------------------------------------------------------- whole chains


def test_chain_table() -> None:
    table = {10: 0.0294, 20: 0.0109, 50: 0.0033, 100: 0.0014, 200: 0.00061}
    for d, ridge in table.items():
        half_unit = 0.5e-4 if d < 200 else 0.5e-5
        assert lm.critical_chain_ridge(d) == pytest.approx(ridge, abs=half_unit)


@given(st.integers(3, 10**6))
def test_critical_ridge_halves_the_chain(d: int) -> None:
    error = lm.critical_chain_error(d)
    assert lm.chain_accuracy(error, d) == pytest.approx(0.5, rel=2 * d * EPS)
    assert lm.chain_bias(lm.critical_chain_ridge(d)) == pytest.approx(error, rel=1e-13)
    assert lm.chain_bias(0.99 * lm.critical_chain_ridge(d)) < error


def test_chain_symbols() -> None:
    d = sympy.Symbol("d", positive=True)
    log_accuracy = (d - 1) * sympy.log(1 - lm.critical_chain_error(d))
    assert sympy.simplify(sympy.expand_log(log_accuracy, force=True)) == -sympy.log(2)
    e = lm.critical_chain_error(sympy.Integer(3))
    assert sympy.simplify(e - (1 - 1 / sympy.sqrt(2))) == 0
    assert lm.chain_accuracy(Fraction(1, 10), 3) == Fraction(81, 100)


# ---------------------------------------------------------------- bad input

GOOD: dict[str, Any] = {
    "p_cot": 0.2,
    "ridge": 0.1,
    "ridge_first": 0.1,
    "ridge_stop": 0.1,
    "n_steps": 100,
    "delta": 0.1,
    "d": 5,
    "position": 3,
    "rho_squared": 5,
    "curvature": 0.2,
    "gradient_variance": 0.3,
    "weight": 0.5,
    "logit": 0.5,
    "epsilon": 0.1,
    "token_error": 0.1,
    "first_error": 0.1,
    "stop_error": 0.1,
    "stop_agree_error": 0.1,
    "stop_disagree_error": 0.1,
    "chain_errors": [0.1],
    "m": 1.0,
    "relevant": True,
    "coincident": False,
    "after": "agree",
}
BAD_REAL: list[Any] = [float("nan"), float("inf"), "much", None, True, 1j]
BAD: dict[str, list[Any]] = {
    "p_cot": [*BAD_REAL, -0.1, 1.1],
    "ridge": [*BAD_REAL, 0, -1.0, [0.1, 0.0]],
    "ridge_first": [*BAD_REAL, 0],
    "ridge_stop": [*BAD_REAL, 0],
    "n_steps": [0, -1, 1.5, "ten", None, True],
    "delta": [*BAD_REAL, 0, 1.1],
    "d": [1, -2, 4.0, "5", None],
    "position": [1, 6, "last", 2.5, None],
    "rho_squared": [*BAD_REAL, 0],
    "curvature": [*BAD_REAL, -1],
    "gradient_variance": [*BAD_REAL, -1],
    "weight": BAD_REAL,
    "logit": BAD_REAL,
    "epsilon": [*BAD_REAL, 0, 1],
    "token_error": [*BAD_REAL, -0.1, 1.1],
    "first_error": [*BAD_REAL, -1],
    "stop_error": [*BAD_REAL, -1],
    "stop_agree_error": [*BAD_REAL, -1],
    "stop_disagree_error": [*BAD_REAL, -1],
    "chain_errors": [[float("nan")], "none", [-1.0], None],
    "m": [*BAD_REAL, -1],
    "relevant": [1, "yes", None],
    "coincident": [0, "no", None],
    "after": ["first", 1, None],
}


def test_every_public_function_refuses_bad_input() -> None:
    import inspect

    checked = 0
    for name in lm.__all__:
        function = getattr(lm, name)
        if not inspect.isfunction(function):
            continue
        required = [
            q.name for q in inspect.signature(function).parameters.values() if q.default is inspect.Parameter.empty
        ]
        good = {q: GOOD[q] for q in required}
        function(**good)
        for argument in required:
            for bad in BAD[argument]:
                with pytest.raises(ValueError, match=rf"{argument}.*must be.*got"):
                    function(**{**good, argument: bad})
                checked += 1
    assert checked > 500


def test_symbols_are_refused_by_solvers() -> None:
    with pytest.raises(ValueError, match="p_cot must be a real number without free symbols"):
        lm.regularised_first_token_weight(sympy.Symbol("p"), 0.1)


def test_lambert_bounds_meet_their_definition() -> None:
    for m in (1e-12, 1e-3, 1.0, 1e6):
        w = lambertw(1 / m)
        assert lm.chain_bias_bound(m) == pytest.approx(math.exp(-w), rel=64 * EPS)
