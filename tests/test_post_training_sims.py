"""The post-training simulators: kernels against literal loops, determinism, exact laws, and worked runs."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sims import linear_model
from sims import post_training as pt
from sims.linear_model import _kernel_weights
from sims.post_training import _gradients, _rollout, _shares, _star
from tests.oracles import post_training as oracle

few = settings(max_examples=15)


def unpack(bits: np.ndarray, d: int) -> list[list[int]]:
    """Signs from token bits, -1 for a set bit."""
    return [[1 - 2 * int(row[j >> 6] >> np.uint64(j & 63) & np.uint64(1)) for j in range(d)] for row in bits]


def literal_weights(d: int, heads: np.ndarray, chain: np.ndarray) -> list[np.ndarray]:
    """From the kernels' layout to one vector a position, in the order of the oracle's features."""
    third = -(-d // 4) * 4
    stop = np.concatenate([heads[1, :d], heads[2, d:], heads[2, :d], heads[1, d:]])
    found = [heads[0, :d], stop]
    for j in range(d - 1):
        found.append(
            np.concatenate([chain[:d, j], chain[2 * third : 2 * third + j + 1, j], chain[third : third + d, j]])
        )
    return found


def kernel_weights(d: int, weights: list[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    w_chain = np.zeros((d - 1, 3 * d - 1))
    for j in range(d - 1):
        w_chain[j, : len(weights[2 + j])] = weights[2 + j]
    return _kernel_weights(weights[0], weights[1], w_chain)


def random_model(d: int, seed: int, size: float = 1.0) -> list[np.ndarray]:
    generator = np.random.default_rng(seed)
    sizes = [d, 2 * d + 2, *(2 * d + j for j in range(1, d))]
    return [generator.normal(0, size, n) for n in sizes]


def one_round(
    d: int, seed: int, count: int, model: list[np.ndarray], **knobs: Any
) -> tuple[Any, list[Any], np.ndarray]:
    """Roll out and reward `count` answers of round 3 with the kernels; the replicate, (x, y) pairs and decisions."""
    run = _star._Replicate(d, np.uint64(seed), np.full(d + 1, 0.05), knobs.get("clock", 0))
    run.heads_out[:], run.chain_out[:] = kernel_weights(d, model)
    pool = np.zeros((0, 1), np.uint64)
    _rollout.roll_out(
        run.key, 3, 0, count, d, run.heads_out, run.chain_out, knobs.get("temperature", 1.0), pool,
        run.bits, run.tokens, run.is_long, run.waiting,
    )  # fmt: skip
    tally = np.zeros(7, np.int64)
    _rollout.reward(
        run.key, 3, 0, count, d, knobs.get("whole", True), knobs.get("keep_long", 1.0), knobs.get("mu", 0.0),
        knobs.get("nu", 0.0), run.bits, run.tokens, run.is_long, run.kept, tally,
    )  # fmt: skip
    xs, ys = unpack(run.bits[:count], d), unpack(run.tokens[:count], d)
    pairs = [(x, y if long else y[:1]) for x, y, long in zip(xs, ys, run.is_long[:count], strict=True)]
    return run, pairs, tally


# Rewards and retraining


@few
@given(st.sampled_from([3, 5, 8, 65]), st.integers(0, 2**62), st.booleans())
def test_rewards_are_the_definition(d: int, seed: int, whole: bool) -> None:
    count = 300
    run, pairs, tally = one_round(d, seed, count, random_model(d, seed % 1000, 0.5), whole=whole)
    expected = [oracle.reward(x, y, "r_cot" if whole else "r_e2e") for x, y in pairs]
    assert run.kept[:count].tolist() == expected
    right = [oracle.reward(x, y, "r_e2e") for x, y in pairs]
    exact = [len(y) > 1 and oracle.reward(x, y, "r_cot") for x, y in pairs]
    longs = [len(y) > 1 for _, y in pairs]
    kept_long = [k and g for k, g in zip(expected, longs, strict=True)]
    kept_right = [k and g for k, g in zip(expected, right, strict=True)]
    sums = [count, sum(longs), sum(right), sum(exact), sum(expected), sum(kept_long), sum(kept_right)]
    assert tally.tolist() == sums


@few
@given(st.sampled_from([3, 4, 9]), st.integers(0, 2**62), st.integers(0, 40), st.booleans())
def test_retraining_is_the_literal_descent(d: int, seed: int, clock: int, whole: bool) -> None:
    """Wrong tokens included (r_e2e), from zero and warm-started: equal up to rounding."""
    count = 200
    model = random_model(d, seed % 1000, 0.7)
    run, pairs, _ = one_round(d, seed, count, model, whole=whole, clock=clock)
    run.begin(clock)
    run.train(count, clock)
    run.close(clock)
    kept = [pair for pair, keep in zip(pairs, run.kept[:count], strict=True) if keep]
    expected = oracle.retrain(d, kept, [0.05] * (d + 1), model if clock else None, clock)
    for mine, literal, old in zip(literal_weights(d, run.heads_out, run.chain_out), expected, model, strict=True):
        wanted = old if literal is None else literal
        # 200 steps of size at most sqrt(3d)/lambda each, in another order: 200 * 20/0.05 * 2^-52 is 2e-11.
        assert np.abs(mine - wanted).max() < 1e-10


def test_the_oracle_on_a_case_worked_by_hand() -> None:
    """d = 2, lambda = 1, kept (+,+) -> (+): w^(1) = 0, w^(2) = (1/2, 1/2), and averages of one and two iterates."""
    first = oracle.retrain(2, [([1, 1], [1])], [1.0] * 3)
    assert first[0] is not None
    assert first[0].tolist() == [0.0, 0.0]
    second = oracle.retrain(2, [([1, 1], [1])] * 2, [1.0] * 3)
    assert second[0] is not None
    assert second[0].tolist() == [0.25, 0.25]
    assert second[2] is None
    assert oracle.reward([1, -1], [-1], "r_cot")
    assert not oracle.reward([1, -1], [-1, -1], "r_cot")
    assert oracle.reward([1, -1], [-1, -1], "r_e2e")


def test_pretraining_is_that_of_the_linear_model() -> None:
    """The same algorithm on other draws: means over 40 runs agree within 5 standard errors."""
    mine = pt.star(5, 0.3, 1, 0, range(40), ridge=0.05, pretrain_samples=3000)
    other = linear_model.pretrain(5, 0.3, 3000, 0.05, range(100, 140))
    for name in ("first_token", "stop_agree", "long_correct"):
        a, b = mine[name].values[:, 0], other[name].values.mean(axis=1)
        error = math.hypot(a.std(ddof=1), b.std(ddof=1)) / math.sqrt(40)
        assert abs(a.mean() - b.mean()) < 5 * error
    assert abs(mine.chain_error.values.mean() - other.chain_error.values.mean()) < 5e-3


# Drawing


@few
@given(st.integers(0, 2**62), st.sampled_from([0.5, 1.0, 2.0]))
def test_answers_follow_the_model(seed: int, temperature: float) -> None:
    """All answers of d = 3 on all prompts: frequencies within 5.5 standard errors (144 cells: a miss in 2e5 tests)."""
    d, count = 3, 4000
    model = random_model(d, seed % 1000)
    _, pairs, _ = one_round(d, seed, count, model, temperature=temperature)
    scaled = [w / temperature for w in model]
    seen: dict[tuple[Any, Any], int] = {}
    for x, y in pairs:
        seen[tuple(x), tuple(y)] = seen.get((tuple(x), tuple(y)), 0) + 1
    total = 0.0
    for x in np.ndindex(2, 2, 2):
        prompt = [1 - 2 * bit for bit in x]
        for first in (1, -1):
            for tail in ([], [1, 1], [1, -1], [-1, 1], [-1, -1]):
                chance = math.exp(oracle.log_probability(d, scaled, prompt, [first, *tail])) / 8
                total += chance
                got = seen.get((tuple(prompt), (first, *tail)), 0) / count
                assert abs(got - chance) < 5.5 * math.sqrt(chance / count) + 3 / count
    assert abs(total - 1) < 1e-12


def test_noise_pools_penalties_and_verifiers() -> None:
    d, count = 6, 4096
    run = _star._Replicate(d, np.uint64(5), np.full(d + 1, 0.05), 0)
    for emitted, wrong_share in ((True, 0.2), (False, 0.32)):
        _rollout.demonstrate(run.key, 0, count, d, 0.5, 0.2, emitted, run.bits, run.tokens, run.is_long)
        xs, ys = unpack(run.bits, d), unpack(run.tokens, d)
        longs = [(x, y) for x, y, g in zip(xs, ys, run.is_long, strict=True) if g]
        first = np.mean([y[0] != x[0] for x, y in longs])
        steps = np.mean([[y[i] != y[i - 1] * x[i] for i in range(1, d)] for x, y in longs])
        # About 2000 long ones: standard errors .009 and .0047 at most.
        assert abs(first - 0.2) < 0.045
        assert abs(steps - wrong_share) < 0.025
        assert all(y[0] == np.prod(x) for x, y, g in zip(xs, ys, run.is_long, strict=True) if not g)
    model = random_model(d, 1)
    whole, pairs, _ = one_round(d, 9, count, model, whole=False, keep_long=0.25, mu=0.3, nu=0.1)
    for length, right, chance in ((1, True, 0.7), (1, False, 0.1), (d, True, 0.175), (d, False, 0.025)):
        chosen = [
            bool(k)
            for (x, y), k in zip(pairs, whole.kept[:count], strict=True)
            if len(y) == length and oracle.reward(x, y, "r_e2e") == right
        ]
        assert abs(np.mean(chosen) - chance) < 5 * math.sqrt(chance * (1 - chance) / len(chosen))
    reused = pt.star(12, 0.2, 500, 2, 0, n_pool=7, start_ridge=1e-3, n_prompts=8)
    assert reused.attrs["n_pool"] == 7


# STaR


def test_replicates_do_not_see_each_other_and_jobs_do_not_matter() -> None:
    knobs: dict[str, Any] = {"ridge": 0.05, "pretrain_samples": 300, "reward": "r_e2e", "temperature": 1.2}
    together = pt.star(7, 0.3, 5000, 2, [3, 1, 4], jobs=2, **knobs)
    for index, seed in enumerate((3, 1, 4)):
        alone = pt.star(7, 0.3, 5000, 2, seed, **knobs)
        for name in together.data_vars:
            assert np.array_equal(alone[name].values[0], together[name].values[index]), name
    longer = pt.star(7, 0.3, 5000, 3, 3, **knobs)
    assert np.array_equal(longer.long_fraction.values[0, :3], together.long_fraction.values[0])


@few
@given(st.floats(0.02, 0.6), st.floats(1e-3, 0.2), st.integers(3, 12))
def test_the_start_is_the_exact_minimiser(p: float, ridge: float, d: int) -> None:
    """The gradient of every ridge loss vanishes at the start."""
    run = pt.star(d, p, 1, 0, 0, ridge=ridge, n_prompts=4)
    u, stop, other, e = (
        float(run[n].values[0, 0]) for n in ("first_token", "stop_agree", "stop_disagree", "chain_error")
    )

    def logit(q: float) -> float:
        return math.log(q / (1 - q))

    assert abs((1 + p) / 2 - u - ridge * logit(u)) < 1e-9
    assert abs((1 - p) / 2 - (1 + p) / 2 * stop - ridge * logit(stop) / 2) < 1e-9
    assert abs((1 - p) / 2 * (1 - other) - ridge * logit(other) / 2) < 1e-9
    assert abs(e - ridge * logit(1 - e)) < 1e-9


def test_shares_double_their_odds_and_greedy_decoding_follows() -> None:
    """d = 8, p_0 = .12: .214, .353 and success after round 2; ridge .02 shifts by about lambda ln 4/2."""
    run = pt.star(8, 0.12, 20_000, 3, range(6), ridge={"first": 0.02, "stop": 0.02, "chain": 1e-3}, start_ridge=1e-5)
    shares = run.long_fraction.values
    assert np.abs(shares[:, 0] - 0.12).max() < 1e-3
    assert np.abs(shares[:, 1:] - np.array([0.2143, 0.3529, 0.5217])).max() < 0.05
    assert (run.greedy_accuracy.values[:, 0] == 0.5).all()
    assert (run.greedy_accuracy.values[:, 3] > 0.99).all()
    assert np.allclose(run.length.values, 1 + 7 * shares)
    assert (run.drawn.values[:, 1:] == 20_000).all()


def test_warm_starts_remember() -> None:
    """With a clock far above N a round hardly moves the model; the plain descent forgets it."""
    knobs: dict[str, Any] = {"ridge": 0.05, "start_ridge": 1e-3}
    warm = pt.star(5, 0.2, 200, 1, 0, warm_start=10**6, **knobs).long_fraction.values[0]
    assert abs(warm[1] - warm[0]) < 0.01


def test_an_empty_round_changes_nothing() -> None:
    run = pt.star(5, 0.2, 100, 2, 0, false_negative=1.0, start_ridge=1e-3)
    assert (run.kept.values == 0).all()
    for name in ("long_fraction", "first_token", "chain_error"):
        assert (run[name].values == run[name].values[:, :1]).all()


@few
@given(st.integers(0, 2**62), st.sampled_from(["r_cot", "r_e2e"]))
def test_every_result_is_finite(seed: int, reward: str) -> None:
    run = pt.star(
        5, 0.05, 50, 3, seed, reward=reward, pretrain_samples=40, noise=0.3, temperature=3.0, false_positive=0.2,
        length_penalty=0.1, n_pool=9, warm_start=3,
    )  # fmt: skip
    for name in run.data_vars:
        assert np.isfinite(run[name].values).all(), name
    assert ((run.long_fraction >= 0) & (run.long_fraction <= 1)).all()
    assert (run.kept <= run.drawn).all()


# Idealised refits


@given(st.integers(1, 60), st.floats(0, 1))
def test_binomials_by_inversion(n: int, p: float) -> None:
    """The numbers of uniforms on a fine grid that map to k are the binomial probabilities, up to the grid."""
    grid = 4001
    found = np.bincount([_shares._binomial((i + 0.5) / grid, n, p) for i in range(grid)], minlength=n + 1) / grid
    exact = np.array([math.comb(n, k) * p**k * (1 - p) ** (n - k) for k in range(n + 1)])
    assert np.abs(found - exact).max() <= 2 / grid
    assert _shares._binomial(math.nextafter(1.0, 0.0), n, p) in range(n + 1)


@few
@given(st.integers(0, 2**40))
def test_refitting_by_shares_is_the_literal_chain(seed: int) -> None:
    """Mean and loss frequency after 6 rounds of N = 12, against the literal loop (4.5 standard errors)."""
    generator = np.random.default_rng(seed)
    mine = pt.refit_shares(0.2, 12, 6, range(seed, seed + 4000)).long_fraction.values
    literal = np.array([oracle.shares_chain(0.2, 12, 6, generator) for _ in range(400)])
    for k in (1, 3, 6):
        error = literal[:, k].std() * math.sqrt(1 / 400 + 1 / 4000) + 1e-9
        assert abs(mine[:, k].mean() - literal[:, k].mean()) < 4.5 * error
    lost, wanted = (mine[:, 6] == 0).mean(), (literal[:, 6] == 0).mean()
    assert abs(lost - wanted) < 4.5 * math.sqrt(lost * (1 - lost) * (1 / 400 + 1 / 4000)) + 1e-3
    again = pt.refit_shares(0.2, 12, 6, seed + 7).long_fraction.values[0]
    assert np.array_equal(mine[7], again)
    assert (np.diff(mine[mine[:, 1] == 0], axis=1)[:, 1:] == 0).all()


def test_wrong_chains_thin_the_first_round_only() -> None:
    clean = pt.refit_shares(0.1, 10**6, 2, 0).long_fraction.values[0]
    half = pt.refit_shares(0.1, 10**6, 2, 0, chain_right=0.5).long_fraction.values[0]
    odds = half / (1 - half)
    # 10^5 long answers: odds to half a per cent.
    assert odds[1] == pytest.approx(1 / 9, rel=0.03)
    assert odds[2] == pytest.approx(2 / 9, rel=0.03)
    assert clean[1] / (1 - clean[1]) == pytest.approx(2 / 9, rel=0.03)


@few
@given(
    st.floats(0.2, 0.9), st.floats(0.1, 0.9), st.floats(0.1, 1), st.floats(0, 0.5), st.sampled_from(["r_cot", "r_e2e"]),
    st.integers(0, 2**62),
)  # fmt: skip
def test_one_tabular_round_by_enumeration(
    u: float, stop: float, other: float, e: float, reward: str, seed: int
) -> None:
    """Against all prompts and answers of d = 3; shares of at least n kept answers err by 5/(2 sqrt n)."""
    size = 40_000
    run = pt.tabular_star(
        3, 0.5, size, 1, seed, first_token=u, stop_agree=stop, stop_disagree=other, token_error=e, reward=reward
    )
    kept, law = oracle.kept_law(3, u, stop, other, [e, e], reward)
    expected = oracle.refit(law, 3)
    assert abs(int(run.kept.values[0, 1]) / size - float(kept)) < 5 / (2 * math.sqrt(size))
    masses = {
        "first_token": kept,
        "stop_agree": sum(w for w, x, y in law if y[0] == x[0]),
        "stop_disagree": sum(w for w, x, y in law if y[0] != x[0]),
    }
    for name, mass in masses.items():
        if size * float(mass) > 200 and expected[name] is not None:
            assert abs(float(run[name].values[0, 1]) - float(expected[name])) < 5 / (
                2 * math.sqrt(0.8 * size * float(mass))
            )
    long = sum(w for w, x, y in law if len(y) > 1)
    if size * float(long) > 200:
        mean = np.mean([float(c) for c in expected["chain_errors"]])
        assert abs(float(run.chain_error.values[0, 1]) - mean) < 5 / (2 * math.sqrt(0.8 * size * float(long)))


# Policy gradients


@few
@given(st.sampled_from([3, 5]), st.integers(0, 2**40))
def test_scores_are_gradients_of_the_log_probability(d: int, seed: int) -> None:
    """Central differences of the literal log-probability, step 1e-5: error 1e-10 and rounding 1e-11."""
    model = random_model(d, seed % 1000)
    w_chain = np.zeros((d - 1, 3 * d - 1))
    for j in range(d - 1):
        w_chain[j, : len(model[2 + j])] = model[2 + j]
    x, y, scores = np.empty(d), np.empty(d), np.empty(d + 1)
    bits = np.empty(1, np.uint64)
    length, ends_right, exact = _gradients._draw(
        np.uint64(seed), 5, d, bits, 5, model[0], model[1], w_chain, x, y, scores
    )
    prompt, answer = [int(v) for v in x], [int(v) for v in y[:length]]
    assert bool(ends_right) == oracle.reward(prompt, answer, "r_e2e")
    assert bool(exact) == oracle.reward(prompt, answer, "r_cot")
    grads = [np.zeros(d), np.zeros(2 * d + 2), np.zeros_like(w_chain)]
    _gradients._add(d, length, 1.0, x, y, scores, *grads)
    rows = [grads[0], grads[1], *(grads[2][j, : len(model[2 + j])] for j in range(d - 1))]
    generator = np.random.default_rng(seed)
    for index, w in enumerate(model):
        k = int(generator.integers(len(w)))
        values = []
        for sign in (1, -1):
            moved = [v.copy() for v in model]
            moved[index][k] += sign * 1e-5
            values.append(oracle.log_probability(d, moved, prompt, answer))
        assert abs((values[0] - values[1]) / 2e-5 - rows[index][k]) < 1e-8


def test_mean_steps_are_the_expected_gradient() -> None:
    """One step of 400 000 answers, d = 4, p = .25: alpha' = u(1-u)(1-v)/2, (ln c)' = u v (1-v), 5 standard errors."""
    u, v, batch = 0.625, 0.6, 400_000
    for knobs in ({}, {"baseline": 0.5}, {"method": "grpo", "group_size": 2}):
        run = pt.policy_gradient(4, 0.25, 1, batch, 1.0, 7, **knobs)
        alpha = float(np.diff(run.first_token_logit.values[0])[0])
        ln_c = float(np.diff(run.go_on_log_odds.values[0])[0])
        # A term is at most 1 (alpha) or 2 (ln c) in size.
        assert abs(alpha - u * (1 - u) * (1 - v) / 2) < 5 / math.sqrt(batch)
        assert abs(ln_c - u * v * (1 - v)) < 10 / math.sqrt(batch)
    drift = pt.policy_gradient(6, 0.1, 1, batch, 1.0, 7, by_length=True)
    u, v = 0.55, 0.9 / 1.1
    expected = (2 / 7 - 0.5) * u * v * (1 - v)
    assert abs(float(np.diff(drift.go_on_log_odds.values[0])[0]) - expected) < 5 / math.sqrt(batch)


def test_policy_gradient_replicates_and_times() -> None:
    both = pt.policy_gradient(5, 0.25, 60, 100, 0.5, [4, 9], method="grpo", group_size=4)
    alone = pt.policy_gradient(5, 0.25, 60, 100, 0.5, 9, method="grpo", group_size=4)
    for name in both.data_vars:
        assert np.array_equal(both[name].values[1], alone[name].values[0]), name
    assert np.isfinite(both.time.values).all()
    path = both.go_on_log_odds.values[0]
    k = math.ceil(both.time.values[0])
    assert path[k - 1] < 0 <= path[k]
    assert _gradients._crossing(np.array([-1.0, -0.5])) == math.inf
    assert _gradients._crossing(np.array([-1.0, 1.0])) == 0.5


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: pt.star(1, 0.2, 10, 1, 0), "d must be"),
        (lambda: pt.star(5, 0.0, 10, 1, 0), "p_0 must be"),
        (lambda: pt.star(5, 0.2, 10, 1, 0, noise=0.1), "noise must be 0"),
        (lambda: pt.star(5, 0.2, 10, 1, 0, reward="r"), "reward must be one of"),
        (lambda: pt.star(5, 0.2, 10, 1, 0, jobs=0), "jobs must be"),
        (lambda: pt.star(5, 0.2, 10, 1, 0, pretrain_samples=5, start_token_error=0.1), "start_token_error must"),
        (lambda: pt.star(5, 0.2, 10, 1, [1, 1]), "seeds must be distinct"),
        (lambda: pt.refit_shares(1.5, 10, 1, 0), "p_0 must be"),
        (lambda: pt.tabular_star(5, 0.2, 0, 1, 0), "n_samples must be"),
        (lambda: pt.policy_gradient(5, 0.2, 1, 5, 0.1, 0, method="grpo"), "batch must be a multiple"),
        (lambda: pt.policy_gradient(5, 0.2, 1, 5, 0.1, 0, by_length=1), "by_length must be"),  # type: ignore[arg-type]
    ],
)
def test_errors_name_the_argument(call: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        call()
