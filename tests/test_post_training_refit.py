"""Refits of a round, memory, and total cost: closed forms against literal loops, trained runs and the command line."""

from __future__ import annotations

import math
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray
from hypothesis import given, settings
from hypothesis import strategies as st

from sims import post_training as simulated
from sims.__main__ import main
from tests.oracles import post_training as oracle
from theory import linear_model
from theory import post_training as pt

probability = st.floats(1e-6, 1 - 1e-6)
ridge = st.floats(1e-6, 10.0)


def sigma(z: float) -> float:
    return 1 / (1 + math.exp(-z)) if z > -700 else 0.0


def logit(q: float) -> float:
    return math.log(q / (1 - q))


# The optimum


@given(st.floats(1e-3, 1 - 1e-3), probability, probability, st.floats(0, 1), ridge, ridge, ridge)
def test_the_refit_is_stationary(u: float, v: float, w: float, e: float, a: float, b: float, c: float) -> None:
    found = pt.ridge_refit(u, v, w, [e], ridge_first=a, ridge_stop=b, ridge_chain=c)
    for share, mass, lam, seen in (
        (u, 1.0, a, found.first_token),
        (v, u, b / 2, found.stop_agree),
        (w, 1 - u, b / 2, found.stop_disagree),
        (1 - e, 1.0, c, 1 - found.chain_errors[0]),
    ):
        assert 0 < seen < 1 or lam < 1e-4
        if 1e-6 < seen < 1 - 1e-6:
            # The logit of a double next to 0 or 1 loses 2^-53/(q(1-q)) < 2e-10, times lambda <= 10.
            assert abs(mass * (share - seen) - lam * logit(seen)) < 3e-9


@given(st.floats(0.02, 0.9), st.floats(1e-4, 1.0))
def test_calibrated_answers_give_the_optimum_of_the_mixture(p: float, lam: float) -> None:
    start = pt.calibrated_state(4, p)
    found = pt.ridge_refit(*start[1:], ridge_first=lam, ridge_stop=lam, ridge_chain=lam)
    assert logit(found.first_token) == pytest.approx(
        float(linear_model.regularised_first_token_weight(p, lam)), abs=1e-8
    )
    assert logit(found.stop_agree) == pytest.approx(float(linear_model.regularised_stop_logit_agree(p, lam)), abs=1e-8)
    other = float(linear_model.regularised_stop_logit_disagree(p, lam))
    assert logit(found.stop_disagree) == pytest.approx(other, rel=1e-8)
    assert -logit(found.chain_errors[0]) == pytest.approx(float(linear_model.regularised_chain_weight(lam)), rel=1e-8)


@given(st.floats(0.05, 0.9), st.floats(1e-3, 1.0), st.integers(10, 10**6))
def test_spreads_and_overshoots_are_those_of_demonstrations(p: float, lam: float, n: int) -> None:
    """On D(p) with an exact chain both exist for the linear model, d >= 4, derived there position by position."""
    start, d = pt.calibrated_state(5, p), 5
    ridges = {"ridge_first": lam, "ridge_stop": lam, "ridge_chain": lam}
    spread = pt.refit_spread(*start[1:], n, n, **ridges)
    known = linear_model.stop_asymptotic_variances(p, lam)
    first = float(linear_model.first_token_asymptotic_variance(p, lam, True))
    assert spread.first_token**2 * n == pytest.approx(first, rel=1e-6)
    assert spread.stop_agree**2 * n == pytest.approx(2 * float(known.agree), rel=1e-6)
    assert spread.stop_disagree**2 * n == pytest.approx(2 * float(known.disagree), rel=1e-6)
    assert spread.chain[0] < 1e-5  # right chains have a deterministic gradient in the relevant direction
    passed = pt.refit_overshoot(*start[1:], n, n, **ridges)
    assert passed.first_token == pytest.approx(float(linear_model.first_token_mean_shift(d, p, lam, n)), rel=1e-5)
    for name, after in (("stop_agree", "agree"), ("stop_disagree", "disagree")):
        shift = float(linear_model.stop_logit_mean_shift(d, p, lam, n, after))
        assert getattr(passed, name) == pytest.approx(shift, rel=1e-5, abs=1e-12)


@given(
    st.floats(0.3, 0.9), st.floats(0.1, 0.9), st.floats(0.2, 1), st.floats(0, 0.5), st.sampled_from(["r_cot", "r_e2e"]),
    st.floats(0.5, 3.0),
)  # fmt: skip
def test_a_trained_round_is_tempering_filtering_and_refitting(
    u: float, v: float, w: float, e: float, reward: str, tau: float
) -> None:
    def hot(q: float) -> float:
        return 0.0 if q == 0 else 1.0 if q == 1 else sigma(logit(q) / tau)

    kept, law = oracle.kept_law(3, hot(u), hot(v), hot(w), [hot(e), hot(e)], reward)
    shares = oracle.refit(law, 3)
    ridges = {"ridge_first": 0.1, "ridge_stop": 0.2, "ridge_chain": 0.05}
    found = pt.trained_round(u, v, w, [e, e], reward, tau, **ridges)
    assert float(found.kept) == pytest.approx(float(kept), rel=1e-9)
    named = [shares[k] for k in ("first_token", "stop_agree", "stop_disagree")]
    if None not in (*named, *shares["chain_errors"]):
        wanted = pt.ridge_refit(*(float(x) for x in named), [float(x) for x in shares["chain_errors"]], **ridges)
        assert np.allclose(
            [*found[1:4], *found.chain_errors], [*wanted[1:4], *wanted.chain_errors], rtol=1e-8, atol=1e-10
        )


def test_one_trained_round_ends_at_the_refit() -> None:
    """d = 4, r_e2e, temperature 1.5, 24 runs: means within 5 standard errors and half the overshoot of the optimum."""
    runs, n = 24, 12_000
    run = simulated.star(
        4, 0.3, n, 1, range(runs), start_ridge=1e-7, start_token_error=0.1, reward="r_e2e", temperature=1.5, ridge=0.1
    )
    ridges = {"ridge_first": 0.1, "ridge_stop": 0.1, "ridge_chain": 0.1}
    start = pt.calibrated_state(4, 0.3, 0.1)
    aim = pt.trained_round(*start[1:], "r_e2e", 1.5, **ridges)
    hot = [pt.tempered_probability(q, 1.5) for q in start[1:4]]
    errors = [pt.tempered_probability(0.1, 1.5)] * 3
    kept = pt.full_round(hot[0], hot[1], hot[2], errors, "r_e2e")
    counts = (n * kept.kept, n * kept.kept * pt.mean_long_share(*kept[1:4]))
    spread = pt.refit_spread(*kept[1:], *counts, **ridges)
    passed = pt.refit_overshoot(*kept[1:], *counts, **ridges)
    for name in ("first_token", "stop_agree", "stop_disagree"):
        seen = np.mean([logit(float(q)) for q in run[name].values[:, 1]])
        gap = abs(seen - logit(getattr(aim, name)) - getattr(passed, name))
        assert gap < 5 * getattr(spread, name) / math.sqrt(runs) + abs(getattr(passed, name)) / 2


# Memory


@given(st.integers(1, 60), st.integers(1, 40), st.fractions(Fraction(1, 20), 3, max_denominator=20))
def test_memory_is_the_literal_step(clock: int, n: int, h: Fraction) -> None:
    lam = Fraction(1, 10)
    x, total = Fraction(1), Fraction(0)
    for k in range(n):
        total += x
        x -= (h + lam) / (lam * (clock + 1 + k)) * x
    scale = max(1.0, *(abs(float(v)) for v in (total, x)))
    assert pt.memory(clock, n, float(h), 0.1) == pytest.approx(float(total / n), abs=1e-11 * scale * 31.0**2)


def test_memory_in_its_limits() -> None:
    assert pt.memory(10**9, 100, 0.2, 0.05) == pytest.approx(1.0, abs=1e-5)
    assert pt.memory(2000, 200_000, 0.2, 0.05) == pytest.approx(2000 / (4 * 200_000), rel=5e-3)


def test_students() -> None:
    assert pt.retrained_error(0.2, True, True) == 0.2
    assert pt.retrained_error(0.2, False, False) == 0.2
    assert pt.retrained_error(Fraction(1, 5), True, False) == 0


# Cost


@given(st.integers(3, 300), st.floats(0.2, 3.0))
def test_half_of_the_chains(d: int, rate: float) -> None:
    k = pt.half_chain_sequences(d, rate)
    assert pt.chain_quality(k, d, rate) == pytest.approx(0.5, rel=1e-9)
    assert pt.kept_chains_round(k, d, rate) == pytest.approx(k, rel=1e-9)
    assert pt.kept_chains_round(0.97 * k, d, rate) < 0.97 * k
    assert pt.kept_chains_round(1.03 * k, d, rate) > 1.03 * k
    assert pt.chain_quality(0.5 * rate * d, d, rate) == 0.0


def test_odds_with_perfect_chains_double() -> None:
    found = pt.chain_limited_odds(10, 0.05, 1e12, 4, 1e-9)
    assert np.allclose(found, [0.1 / 0.95 * 2**n for n in range(5)], rtol=1e-5)
    ridged = pt.chain_limited_odds(10, 0.05, 1e12, 4, 0.05)
    assert ridged[4] == pytest.approx(float(pt.go_on_odds_with_ridge(0.05, 4, 0.05)), rel=0.1)


@settings(max_examples=10)
@given(st.integers(5, 40), st.floats(0.001, 0.2), st.floats(1e-6, 0.05))
def test_the_least_number_of_samples_is_least(d: int, p: float, lam: float) -> None:
    rounds = int(pt.rounds_to_generalise(p)) + 4
    n = pt.samples_for_success(d, p, rounds, lam)
    assert pt.chain_limited_odds(d, p, n, rounds, lam)[-1] >= 1
    assert n <= 4 or pt.chain_limited_odds(d, p, n * 0.999, rounds, lam)[-1] < 1


def test_published_bounds_are_polynomials_of_high_degree() -> None:
    for kappa in (0.75, 1.5):
        slope = math.log(pt.published_cost(60, kappa) / pt.published_cost(20, kappa)) / math.log(3)
        assert 7 + 5 * kappa < slope < 9.5 + 5 * kappa
    assert pt.published_cost(10, 1) > 1e9 * pt.total_cost(10, 1).total


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: pt.ridge_refit(0.5, 0.5, 1, [0.1], ridge_first=0, ridge_stop=1, ridge_chain=1), "first must be"),
        (lambda: pt.ridge_refit(0.5, 1.5, 1, [0.1], ridge_first=1, ridge_stop=1, ridge_chain=1), "stop_agree must"),
        (lambda: pt.refit_spread(0, 0.5, 1, [0], 9, 9, ridge_first=1, ridge_stop=1, ridge_chain=1), "first_token must"),
        (lambda: pt.refit_spread(0.5, 0.5, 1, [0], 0, 9, ridge_first=1, ridge_stop=1, ridge_chain=1), "n_kept must"),
        (lambda: pt.refit_overshoot(1, 0.5, 1, [0], 9, 9, ridge_first=1, ridge_stop=1, ridge_chain=1), "first_token"),
        (lambda: pt.memory(0, 5, 1, 1), "clock must"),
        (lambda: pt.memory(5, 5, 0, 1), "curvature must"),
        (lambda: pt.retrained_error(0.1, 1, True), "independent must"),  # type: ignore[arg-type]
        (lambda: pt.chain_quality(0, 5), "n_long must"),
        (lambda: pt.half_chain_sequences(2), "d must"),
        (lambda: pt.published_cost(10, 9), "kappa must"),
        (lambda: pt.chain_limited_odds(10, 0.1, 0, 3, 0.1), "n_samples must"),
    ],
)
def test_errors_name_the_argument(call: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        call()


# The command


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("post_training.star", ["d=4", "p_0=0.1,0.3", "n_samples=300", "n_rounds=2", "start_ridge=0.001"]),
        ("post_training.tabular_star", ["d=4", "p_0=0.1,0.3", "n_samples=300", "n_rounds=2"]),
        ("post_training.refit_shares", ["p_0=0.1,0.3", "n_samples=30", "n_rounds=3"]),
        ("post_training.policy_gradient", ["d=4", "p_0=0.1,0.3", "n_steps=3", "batch=20", "eta=0.5"]),
    ],
)
def test_simulators_run_and_show_from_the_command_line(
    name: str, values: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file, picture = tmp_path / "result.nc", tmp_path / "figure.png"
    chosen = [part for value in values for part in ("--set", value)]
    assert main(["run", name, *chosen, "--seeds", "2", "--out", str(file)]) == 0
    with xarray.open_dataset(file, engine="h5netcdf") as found:
        assert found.sizes["replicate"] == 2
        assert found.sizes["p_0"] == 2
    assert main(["show", str(file), "--figure", str(picture)]) == 0
    assert picture.stat().st_size > 5000
    assert "p_0" in capsys.readouterr().out
