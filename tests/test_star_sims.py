"""The tabular STaR simulator: against a literal replay, exact laws, enumeration and the published settings."""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sims import star
from tests.oracles import star as oracle
from theory import star as theory

SEEDS = st.integers(0, 2**63 - 1)


def random_maps(rng: Any, n_steps: Any, n_states: Any, bijective: Any) -> Any:
    if bijective:
        return [rng.permutation(n_states).tolist() for _ in range(n_steps)]
    return rng.integers(0, n_states, (n_steps, n_states)).tolist()


def assert_replays(run: Any, history: Any) -> None:
    for turn, found in enumerate(history):
        for name in ("kept", "rows_lost", "rows_unvisited"):
            assert int(run[name][0, turn]) == found[name], (name, turn)
        # sums of at most M^(N+1) products of N factors: relative rounding below 1e-12
        for name in ("accuracy", "right_path_share"):
            assert float(run[name][0, turn]) == pytest.approx(found[name], rel=1e-12, abs=1e-14), (name, turn)
        np.testing.assert_allclose(run.step_right[0, turn], found["step_right"], rtol=1e-12, atol=1e-14)


# The oracle on cases worked by hand


def test_oracle_draws_are_the_known_answers_of_philox() -> None:
    assert oracle.philox((0, 0, 0, 0), (0, 0)) == (0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8)
    ones = 2**32 - 1
    assert oracle.philox((ones,) * 4, (ones,) * 2) == (0x408F276D, 0x41C83B0E, 0xA20BC7C6, 0x6D5451FD)


def test_oracle_one_round_by_hand() -> None:
    """Two steps over two states, each right with 3/4: J = 9/16 + 1/16; kept rows are right with 9/10."""
    tables = oracle.symmetric_tables([Fraction(1, 2)] * 2, oracle.identity_maps(2, 2))
    half = [Fraction(1, 2)] * 2
    accuracy, following, _ = oracle.one_round(tables, half, oracle.is_right(oracle.identity_maps(2, 2)))
    assert accuracy == Fraction(5, 8)
    assert following == [[[Fraction(9, 10), Fraction(1, 10)], [Fraction(1, 10), Fraction(9, 10)]]] * 2


def test_oracle_keeps_rows_without_a_visit() -> None:
    tables = [[[1, 0], [0, 1]], [[0, 1], [Fraction(1, 2), Fraction(1, 2)]]]
    accuracy, following, _ = oracle.one_round(tables, [1, 0], oracle.is_right(oracle.identity_maps(2, 2)))
    assert accuracy == 0
    assert following == tables


# Kernels against the literal replay


@settings(max_examples=25)
@given(
    seed=SEEDS,
    n_steps=st.integers(1, 4),
    n_states=st.integers(2, 4),
    count=st.integers(1, 40),
    bijective=st.booleans(),
    smoothing=st.sampled_from([0.0, 0.0, 0.5]),
    variant=st.sampled_from(["clean", "noisy", "hinted"]),
)
def test_lists_replay_draw_by_draw(
    seed: Any, n_steps: Any, n_states: Any, count: Any, bijective: Any, smoothing: Any, variant: Any
) -> None:
    rng = np.random.default_rng(seed)
    maps = random_maps(rng, n_steps, n_states, bijective)
    delta = rng.uniform(-1 / (n_states - 1), 1, n_steps)
    mu, nu = (0.3, 0.2) if variant == "noisy" else (0.0, 0.0)
    hint = 0.6 if variant == "hinted" else 0.0
    run = star.simulate(
        delta,
        n_states,
        count,
        4,
        seed,
        maps=maps,
        smoothing=smoothing,
        false_negative=mu,
        false_positive=nu,
        hint=hint,
        hint_law="uniform",
    )
    assert run.engine == "sparse"
    alphas = np.clip((1 + (n_states - 1) * delta) / n_states, 0, 1).tolist()
    model = oracle.ListModel(alphas, maps, smoothing)
    assert_replays(run, oracle.run(model, maps, seed, count, 4, mu, nu, hint))


@settings(max_examples=25)
@given(
    seed=SEEDS,
    n_steps=st.integers(1, 3),
    n_states=st.integers(2, 4),
    count=st.integers(1, 30),
    temperature=st.sampled_from([1.0, 0.5, 1.4]),
    smoothing=st.sampled_from([0.0, 0.5]),
    mixing=st.sampled_from([0.0, 0.7]),
    variant=st.sampled_from(["clean", "noisy", "hinted", "given the answer"]),
)
def test_tables_replay_draw_by_draw(
    seed: Any, n_steps: Any, n_states: Any, count: Any, temperature: Any, smoothing: Any, mixing: Any, variant: Any
) -> None:
    rng = np.random.default_rng(seed)
    maps = random_maps(rng, n_steps, n_states, bool(seed % 2))
    tables = rng.dirichlet(np.ones(n_states), (n_steps, n_states))
    mu, nu = (0.3, 0.2) if variant == "noisy" else (0.0, 0.0)
    hint = 0.6 if variant in ("hinted", "given the answer") else 0.0
    run = star.simulate_tables(
        tables,
        count,
        3,
        seed,
        maps=maps,
        temperature=temperature,
        smoothing=smoothing,
        mixing=mixing,
        false_negative=mu,
        false_positive=nu,
        hint=hint,
        hint_law="uniform" if variant == "hinted" else "model",
    )
    model = oracle.TableModel(tables.tolist(), maps, temperature, smoothing, mixing)
    assert_replays(run, oracle.run(model, maps, seed, count, 3, mu, nu, hint, variant == "given the answer"))


def test_long_runs_compact_the_lists_without_changing_them() -> None:
    """Rows that go unvisited for many rounds survive several compactions of the arena."""
    delta, maps = [0.4, 0.1, 0.3], oracle.identity_maps(3, 4)
    run = star.simulate(delta, 4, 7, 120, 5)
    model = oracle.ListModel([(1 + 3 * d) / 4 for d in delta], maps)
    assert run.rows_unvisited.max() > 0
    assert_replays(run, oracle.run(model, maps, 5, 7, 120))


# Laws


def test_one_round_has_the_exact_law_of_two_states_and_steps() -> None:
    """Accuracies of the tables after one round of K = 2, value by value, and the chance of a loss."""
    chain = theory.sampled_chain(Fraction(1, 2), 2)
    runs = star.simulate([0.5, 0.5], 2, 2, 1, seeds=range(20_000))
    law = {float(a): 0.0 for a in chain.accuracies()}
    for index, exactly in chain.laws[0].items():
        law[float(chain.accuracies()[index])] += float(exactly)
    seen = runs.accuracy[:, 1].values
    for value, chance in law.items():
        share = np.mean(np.abs(seen - value) < 1e-9)
        # 5 standard errors of a binomial share, at most 12 bins: false alarm below 1e-5; fixed seeds
        assert abs(share - chance) <= 5 * math.sqrt(chance * (1 - chance) / 20_000) + 1e-12, (value, share, chance)
    lost = float(np.mean(runs.rows_lost[:, 1].values > 0))
    exact = float(chain.loss_after_one_round())
    assert abs(lost - exact) <= 5 * math.sqrt(exact * (1 - exact) / 20_000)


@pytest.mark.parametrize("delta", [Fraction(1, 2), Fraction(0)])
def test_runs_end_as_the_exact_chain_says(delta: Any) -> None:
    """K = 4: all right, both swapped, stuck at 1/2; guessing learns too, in either direction."""
    expected = theory.sampled_chain(delta, 4).summary()
    runs = star.simulate([float(delta)] * 2, 2, 4, 400, seeds=range(5_000))
    final = runs.final_class.values
    for name, share in (
        ("right", np.mean(final == 0)),
        ("swapped", np.mean(final == 1)),
        ("stuck", np.mean(np.abs(runs.accuracy[:, -1].values - 0.5) < 1e-9)),
    ):
        sigma = math.sqrt(expected[name] * (1 - expected[name]) / 5_000)
        assert abs(share - expected[name]) <= 5 * sigma, name


@pytest.mark.parametrize("engine", ["sparse", "dense"])
def test_covariance_across_steps(engine: Any) -> None:
    """K = 1000, N = 4, M = 3, d = .5: .1920 on the diagonal and .0439 off it."""
    n = 6_000
    delta, count = [0.5] * 4, 1000
    runs = star.simulate(delta, 3, count, 1, seeds=range(n), engine=engine)
    scaled = np.cov(runs.step_right[:, 1].values.T) * count * theory.accuracy(delta, 3)
    expected = theory.fluctuation_covariance(delta, 3)
    # standard error of a covariance of near-normal variables; E[1/V] E[V] - 1 is about 1/E[V] = 8/1000 for V visits
    variances = np.diag(expected)
    error = np.sqrt((np.outer(variances, variances) + expected**2) / n)
    assert np.all(np.abs(scaled - expected) <= 5 * error + 0.016 * np.abs(expected))
    assert 5 * error.max() < np.abs(expected).min() / 2  # uncorrelated steps would fail


@pytest.mark.parametrize("engine", ["sparse", "dense"])
def test_mean_accuracy_exceeds_the_map(engine: Any) -> None:
    """N = 2, M = 4, (.2, .4), K = 400: the correlation of the two steps adds .00957."""
    n, delta, count = 6_000, [0.2, 0.4], 400
    final = star.simulate(delta, 4, count, 1, seeds=range(n), engine=engine).accuracy[:, 1].values
    excess = final.mean() - theory.accuracy(theory.update(delta, 4), 4)
    sigma = final.std() / math.sqrt(n)
    predicted = theory.mean_accuracy_excess(delta, 4, count)
    assert abs(excess - predicted) <= 5 * sigma
    assert predicted > 10 * sigma  # its absence, or half of it, would be seen


@settings(max_examples=12)
@given(
    seed=SEEDS,
    engine=st.sampled_from(["sparse", "dense"]),
    n_states=st.integers(2, 4),
    delta=st.lists(st.floats(0.1, 0.9), min_size=1, max_size=3),
    variant=st.sampled_from(["clean", "noisy", "uniform hints"]),
)
def test_large_samples_follow_the_map(seed: Any, engine: Any, n_states: Any, delta: Any, variant: Any) -> None:
    """One round at K = 400 000: state-averaged right probabilities within 6 standard errors of the map."""
    count = 400_000
    options: dict[str, Any] = {}
    expected, kept = theory.update(delta, n_states), theory.accuracy(delta, n_states)
    if variant == "noisy":
        options = {"false_negative": 0.2, "false_positive": 0.3}
        expected = theory.noisy_update(delta, n_states, 0.2, 0.3)
        kept = theory.acceptance_rate(delta, n_states, 0.2, 0.3)
    elif variant == "uniform hints" and len(delta) > 1:
        options = {"hint": 0.5, "hint_law": "uniform"}
        expected, kept = theory.uniform_hint_update(delta, n_states, 0.5), theory.hinted_kept_rate(kept, 0.5)
    run = star.simulate(delta, n_states, count, 1, seed, engine=engine, **options)
    alpha = theory.right_probability(expected, n_states)
    # variance at most 1/4 over K kept visits, shared evenly by the states
    error = np.sqrt(np.maximum(alpha * (1 - alpha), 1e-12) / (count * kept))
    assert np.all(np.abs(run.step_right[0, 1].values - alpha) <= 6 * error + 1e-12)
    assert abs(int(run.kept[0, 1]) - count * kept) <= 6 * math.sqrt(count * kept * (1 - kept)) + 1e-9


@pytest.mark.parametrize("temperature", [0.5, 1.4])
def test_temperature_follows_the_tempered_map(temperature: Any) -> None:
    delta, n_states, count = [0.3, 0.6, 0.5], 5, 400_000
    run = star.simulate(delta, n_states, count, 1, 3, temperature=temperature)
    alpha = theory.right_probability(theory.tempered_update(delta, n_states, temperature), n_states)
    kept = theory.accuracy(theory.temper(delta, n_states, temperature), n_states)
    error = np.sqrt(alpha * (1 - alpha) / (count * kept))
    assert np.all(np.abs(run.step_right[0, 1].values - alpha) <= 6 * error)


def test_model_hints_leave_the_map_and_raise_the_kept_count() -> None:
    delta, n_states, count = [0.3, 0.4, 0.5], 4, 400_000
    run = star.simulate(delta, n_states, count, 1, 8, hint=1.0)
    alpha = theory.right_probability(theory.update(delta, n_states), n_states)
    assert int(run.kept[0, 1]) == count
    assert np.all(np.abs(run.step_right[0, 1].values - alpha) <= 6 * np.sqrt(alpha * (1 - alpha) / count))


def test_arbitrary_tables_follow_the_refit() -> None:
    tables = theory.witness("right_share_falls").astype(float)
    count = 2_000_000
    run = star.simulate_tables(tables, count, 1, 2)
    after = theory.refit(tables)
    expected = np.einsum("nss->ns", after).mean(axis=1)
    # fewest visits of a row: its kept mass; the mean of 3 rows varies less than the worst of them
    rows = theory.transition_weights(tables).sum(axis=-1) * count
    right = np.einsum("nss->ns", after)
    error = np.sqrt((right * (1 - right) / rows).sum(axis=1)) / 3
    assert np.all(np.abs(run.step_right[0, 1].values - expected) <= 6 * error)
    assert float(run.accuracy[0, 0]) == pytest.approx(theory.expected_reward(tables), rel=1e-12)
    assert float(run.right_path_share[0, 0]) == pytest.approx(theory.tables_right_path_share(tables), rel=1e-12)


def test_start_law_weights_the_measurements() -> None:
    tables = theory.witness("hints_lower_accuracy").astype(float)
    run = star.simulate_tables(tables, 200_000, 1, 4, start=[0.6, 0.4], hint=1.0)
    assert float(run.accuracy[0, 0]) == pytest.approx(0.598, abs=1e-12)
    # after one round of hints .52; the middle row's answer is a Bernoulli(.6) mean over K kept paths
    assert abs(float(run.accuracy[0, 1]) - 0.52) <= 6 * 0.2 * math.sqrt(0.24 / 200_000)


def test_mixing_and_smoothing_in_large_samples() -> None:
    delta, n_states, count = [0.4, 0.4], 3, 400_000
    mixed = star.simulate(delta, n_states, count, 1, 1, mixing=0.9)
    alpha = theory.right_probability(theory.mixed_update(delta, n_states, 0.9), n_states)
    assert np.all(np.abs(mixed.step_right[0, 1].values - alpha) <= 6 * 0.1 * math.sqrt(0.25 / (count / 3)))
    pseudo = 5_000.0
    smoothed = star.simulate(delta, n_states, count, 1, 1, smoothing=pseudo)
    alpha = theory.right_probability(theory.smoothed_update(delta, n_states, count, pseudo), n_states)
    assert np.all(np.abs(smoothed.step_right[0, 1].values - alpha) <= 6 * math.sqrt(0.25 / (count / 3)))


def test_drift_loses_transitions_that_the_summed_bound_forbids() -> None:
    """N = 3, M = 8, delta = .1, K = 8000: the bounds of the rounds sum to about 1e-11, yet most runs lose rows."""
    bound = sum(theory.loss_union_bound(d, 8, 8000) for d in theory.iterate([0.1] * 3, 8, 60))
    assert bound < 1e-10
    runs = star.simulate([0.1] * 3, 8, 8000, 60, seeds=range(20))
    lost = int(np.sum(runs.rows_lost[:, -1].values > 0))
    # published share .745 (se .03): fewer than 7 of 20 has probability below 1e-4
    assert lost >= 7


def test_guessing_learns_at_finite_samples_without_right_steps() -> None:
    """Two states and steps, K = 100, delta = 0: every run ends with right answers, half of them by swapped steps."""
    runs = star.simulate([0.0, 0.0], 2, 100, 2_000, seeds=range(60))
    assert np.all(runs.accuracy[:, -1].values >= 1 - 1e-9)
    swapped = int(np.sum(runs.final_class.values == 1))
    assert 10 <= swapped <= 50  # Binomial(60, .5) leaves this with probability below 1e-6
    assert np.array_equal(runs.right_path_share[:, -1].values < 0.5, runs.final_class.values == 1)


# Contracts


def test_replicates_do_not_depend_on_company() -> None:
    together = star.simulate([0.2, 0.3], 8, 500, 6, seeds=[4, 9, 2])
    alone = star.simulate([0.2, 0.3], 8, 500, 6, seeds=9)
    assert together.isel(replicate=[1]).equals(alone)
    assert together.seed.values.tolist() == [4, 9, 2]


@pytest.mark.parametrize("engine", ["sparse", "dense"])
def test_sampled_accuracy_agrees_with_the_exact_one(engine: Any) -> None:
    arguments = ([0.3, 0.5, 0.7], 6, 200_000, 2, 11)
    exact = star.simulate(*arguments, engine=engine)
    sampled = star.simulate(*arguments, engine=engine, exact_states=0)
    assert (exact.accuracy_kind, sampled.accuracy_kind) == ("exact", "sampled")
    # the same trajectories, so the same models; the share of K right answers against J
    assert exact.kept.equals(sampled.kept)
    assert exact.step_right.equals(sampled.step_right)
    sigma = np.sqrt(exact.accuracy * (1 - exact.accuracy) / 200_000)
    assert np.all(np.abs(exact.accuracy - sampled.accuracy) <= 6 * sigma + 1e-12)
    share = exact.right_path_share
    sigma = np.sqrt(share * (1 - share) / (exact.accuracy * 200_000))
    assert np.all(np.abs(share - sampled.right_path_share) <= 6 * sigma + 1e-12)


def test_sampled_accuracy_is_that_of_temperature_one() -> None:
    arguments = ([0.3, 0.5], 5, 200_000, 2, 11)
    exact = star.simulate(*arguments, temperature=2.5)
    sampled = star.simulate(*arguments, temperature=2.5, exact_states=0)
    sigma = np.sqrt(exact.accuracy * (1 - exact.accuracy) / 200_000)
    assert np.all(np.abs(exact.accuracy - sampled.accuracy) <= 6 * sigma)


def test_many_states_need_no_tables() -> None:
    run = star.simulate([0.5, 0.5, 0.5], 4096, 60_000, 2, 1)
    assert (run.engine, run.accuracy_kind) == ("sparse", "sampled")
    predicted = [theory.accuracy(d, 4096) for d in theory.iterate([0.5] * 3, 4096, 1)]
    assert abs(float(run.accuracy[0, 0]) - predicted[0]) <= 6 * math.sqrt(predicted[0] / 60_000)
    # row sizes of about two kept visits bias the next rounds, so only the first round is compared
    assert float(run.step_right[0, 1].mean()) > 0.8


def test_the_truth_stays_and_no_round_is_needed() -> None:
    run = star.simulate([1.0, 1.0], 3, 50, 3, 0)
    assert np.all(run.accuracy == 1.0)
    assert np.all(run.kept[:, 1:] == 50)
    assert int(run.final_class[0]) == 0
    assert star.simulate([0.5], 2, 1, 0, 0).accuracy.shape == (1, 1)


def test_nothing_kept_changes_nothing() -> None:
    run = star.simulate([1.0, -1.0], 2, 50, 3, 0)
    assert np.all(run.accuracy == 0)
    assert np.all(run.right_path_share == 0)
    assert np.all(run.rows_unvisited[:, 1:] == 4)


@pytest.mark.parametrize(
    ("arguments", "options", "message"),
    [
        (([0.5], 1, 10, 1, 0), {}, r"n_states must be an integer in \[2, 4096\], got 1"),
        (([0.5], 2, 0, 1, 0), {}, "n_trajectories must be an integer"),
        (([0.5], 2, 10, -1, 0), {}, "n_rounds must be an integer"),
        (([1.5], 2, 10, 1, 0), {}, "delta must be a real number"),
        ((0.5, 2, 10, 1, 0), {}, "delta must be a sequence"),
        (([], 2, 10, 1, 0), {}, "delta must hold at least one step"),
        (([0.5], 2, 10, 1, -1), {}, "seeds must be an integer"),
        (([0.5], 2, 10, 1, 0), {"maps": [[0, 1, 2]]}, r"maps must have shape \(1, 2\), got \(1, 3\)"),
        (([0.5], 2, 10, 1, 0), {"maps": [[0, 2]]}, "maps must hold integers in"),
        (([0.5], 2, 10, 1, 0), {"false_negative": 1.0}, "accepts nothing"),
        (([0.5], 2, 10, 1, 0), {"false_positive": 0.1, "hint": 0.5}, "hint must be 0 with a noisy verifier"),
        (([0.5], 2, 10, 1, 0), {"temperature": 0.0}, "temperature must be a real number"),
        (([0.5], 2, 10, 1, 0), {"mixing": 1.0}, "mixing must be a real number"),
        (([0.5], 2, 10, 1, 0), {"hint_law": "oracle"}, "hint_law must be one of model, uniform"),
        (([0.5], 2, 10, 1, 0), {"engine": "sparse", "mixing": 0.5}, "engine must be 'dense' or 'auto'"),
        (([0.5] * 9, 4096, 10, 1, 0), {"mixing": 0.5}, r"n_states must keep N M\^2 within"),
    ],
)
def test_bad_input_is_named(arguments: Any, options: Any, message: Any) -> None:
    with pytest.raises(ValueError, match=message):
        star.simulate(*arguments, **options)


@pytest.mark.parametrize(
    ("tables", "options", "message"),
    [
        ([[0.5, 0.5]], {}, r"tables must have shape \(N, M, M\)"),
        ([[[0.5, 0.6], [0.5, 0.5]]], {}, "tables must hold probabilities"),
        ([[["a", "b"], ["c", "d"]]], {}, "tables must be an array of numbers"),
        ([[[0.5, 0.5], [0.5, 0.5]]], {"start": [0.5, 0.6]}, "start must hold probabilities"),
        ([[[0.5, 0.5], [0.5, 0.5]]], {"start": [1.0]}, r"start must have shape \(2,\)"),
    ],
)
def test_bad_tables_are_named(tables: Any, options: Any, message: Any) -> None:
    with pytest.raises(ValueError, match=message):
        star.simulate_tables(tables, 10, 1, 0, **options)
