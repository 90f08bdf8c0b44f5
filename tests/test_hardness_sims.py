"""Transforms, signals and learners against literal loops, and the contracts of the simulators."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sims import hardness
from sims.hardness._arguments import key_of, subset_of
from sims.hardness._curves import _Network
from sims.hardness._learners import _eliminate, _solve
from sims.hardness._networks import start
from sims.hardness._signals import CHUNK
from sims.intervals import bounded_mean, clopper_pearson
from sims.parity_mixture import PROMPT, _prompt_bits
from tests.oracles import hardness as oracle

ALPHA = 1e-10  # chance that one interval misses a true value
SEEDS = st.integers(0, 2**63 - 1)
EPS = 2.0**-52


def holds(successes: int, n: int, probability: float) -> bool:
    low, high = clopper_pearson(int(successes), n, ALPHA)
    return low <= probability <= high


# The transform


@settings(max_examples=25)
@given(st.integers(0, 7), SEEDS)
def test_transform_against_the_double_sum(d, seed):
    values = np.random.default_rng(seed).normal(size=2**d)
    found = hardness.walsh_hadamard(values)
    # both sum 2^d terms, rounded relative to the sum of their sizes
    tolerance = 2 * 2**d * EPS * np.abs(values).sum()
    assert np.abs(found - oracle.hadamard(values.tolist())).max() <= tolerance


@pytest.mark.parametrize("d", [*range(10), 11, 12, 13, 14])
@pytest.mark.parametrize("threads", [1, 2, 3])
def test_transform_has_the_bits_of_the_plain_loop(d, threads):
    values = np.random.default_rng(d).normal(size=2**d)
    expected = values.copy()
    half = 1
    while half < len(values):  # the oracle's loop, a level at a time
        pairs = expected.reshape(-1, 2, half)
        expected = np.stack([pairs[:, 0] + pairs[:, 1], pairs[:, 0] - pairs[:, 1]], axis=1).ravel()
        half *= 2
    if d <= 7:
        assert expected.tolist() == oracle.butterflies(values.tolist())
    assert (hardness.walsh_hadamard(values, threads=threads) == expected).all()


@settings(max_examples=25)
@given(st.integers(0, 16), SEEDS)
def test_transform_twice_gives_back_whole_numbers(d, seed):
    values = np.random.default_rng(seed).integers(-1000, 1000, 2**d).astype(float)
    before = values.copy()
    once = hardness.walsh_hadamard(values)
    assert (values == before).all()
    # sums of whole numbers below 2^53 are exact
    assert (hardness.walsh_hadamard(once) == values * 2.0**d).all()
    assert hardness.walsh_hadamard(values, overwrite=True) is values
    assert (values == once).all()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"values": [1.0, 2.0, 3.0]}, "values must hold"),
        ({"values": []}, "values must hold"),
        ({"values": [[1.0]]}, "values must be one row"),
        ({"values": ["a"]}, "values must be"),
        ({"values": [math.nan, 1.0]}, "values must be real numbers in"),
        ({"values": [1e301, 1.0]}, "values must be real numbers in"),
        ({"values": [1.0, 2.0], "threads": 0}, "threads"),
        ({"values": [1.0, 2.0], "overwrite": True}, "values must be a contiguous"),
        ({"values": [1.0, 2.0], "overwrite": 1}, "overwrite"),
    ],
)
def test_transform_refuses(arguments, message):
    with pytest.raises(ValueError, match=message):
        hardness.walsh_hadamard(**arguments)


# Signals


def flat(w: np.ndarray, b: np.ndarray, a: np.ndarray, c: float) -> list[float]:
    return [*w.ravel().tolist(), *b.tolist(), *a.tolist(), c]


def drawn(seed: int, d: int, width: int, signs: bool) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    w, b, a = np.empty((d, width)), np.empty(width), np.empty(width)
    start(key_of(np.uint64(seed)), d, signs, w, b, a)
    return w, b, a


@pytest.mark.parametrize("activation", ["relu", "tanh"])
@pytest.mark.parametrize("initialisation", ["gaussian", "signs"])
@pytest.mark.parametrize("predictor", ["two_layer", "random_features"])
def test_signals_against_finite_differences(activation, initialisation, predictor):
    d, width = 4, 3
    found = hardness.gradient_signal(
        d, predictor, 5, width=width, activation=activation, initialisation=initialisation, p_cot=0.25, parities=True
    ).isel(replicate=0)
    w, b, a = drawn(5, d, width, initialisation == "signs")
    weights = flat(w, b, a, 0.0)
    relu = activation == "relu"
    # Signed starts can put preactivations of a ReLU on its corner, where a difference quotient is no derivative.
    if not (relu and initialisation == "signs"):
        gradients = []
        for x in range(2**d):
            sign = oracle.signs(x, d)
            gradients.append(oracle.gradient(lambda v, s=sign: oracle.network(v, s, width, relu), weights, 1e-5))
        if predictor == "random_features":
            gradients = [g[(d + 1) * width : (d + 2) * width] for g in gradients]
        signals = [0.75**2 * signal for signal in oracle.squared_signals(gradients)]
        square = sum(v * v for g in gradients for v in g) / 2**d
        # central differences: error of order step^2 and rounding/step, about 1e-10 a component
        assert np.allclose(found.signal, signals, rtol=0, atol=1e-8)
        assert float(found.gradient_square) == pytest.approx(square, rel=1e-8)
    # whatever the start: summaries are those of the signals
    signal = found.signal.values
    degrees = np.array([bin(s).count("1") for s in range(2**d)])
    for k in range(d + 1):
        assert float(found.degree_mean.sel(degree=k)) == pytest.approx(signal[degrees == k].mean(), rel=1e-13)
        assert float(found.degree_largest.sel(degree=k)) == signal[degrees == k].max()
    assert float(found.mean_signal) == pytest.approx(signal.mean(), rel=1e-14)
    assert float(found.mean_signal) == pytest.approx(0.75**2 * float(found.gradient_square) / 4 / 2**d, rel=1e-12)
    assert float(found.largest_signal) == signal[int(found.largest_parity)] == signal.max()
    assert float(found.full_signal) == signal[-1]
    for factor in found.factor.values:
        assert int(found.exceeding.sel(factor=factor)) == (signal >= factor * signal.mean()).sum()


def test_a_signed_unit_sees_the_full_parity():
    d = 8
    found = hardness.gradient_signal(d, "random_features", range(20), width=1, initialisation="signs")
    expected = (5 / 32) ** 2 / d / 4  # the coefficient of max(0, x_1 + ... + x_8) is -5/32, scaled by 8^(-1/2)
    near = np.isclose(found.full_signal, expected, rtol=1e-9)
    assert holds(near.sum(), 20, 0.5)
    assert near.any()
    assert oracle.alternating_relu(d) == -5 / 32


@pytest.mark.parametrize("degree", [0, 1, 2, 3])
def test_monomials_are_seen_by_their_own_parities_alone(degree):
    found = hardness.gradient_signal(6, "monomials", 0, degree=degree, parities=True).isel(replicate=0)
    degrees = np.array([bin(s).count("1") for s in range(64)])
    assert found.signal.values.tolist() == [0.25 if k == degree else 0.0 for k in degrees]
    assert float(found.gradient_square) == math.comb(6, degree)


def test_linear_is_monomials_of_one_sign():
    names = ("linear", "monomials")
    one, other = (hardness.gradient_signal(5, name, 0, parities=True) for name in names)
    assert one.signal.equals(other.signal)


@settings(max_examples=10)
@given(st.integers(1, 5), st.integers(1, 40), SEEDS)
def test_a_batch_is_the_mean_over_its_prompts(d, n, seed):
    found = hardness.gradient_signal(d, "random_features", seed, width=2, n_samples=n, parities=True).isel(replicate=0)
    key = key_of(np.uint64(seed))
    w, b, _ = drawn(seed, d, 2, False)
    means = np.zeros((2**d, 2))
    for step in range(n):
        bits = np.zeros(1, np.uint64)
        _prompt_bits(key, PROMPT, step, d, bits)
        x = int(bits[0])
        sign = np.array(oracle.signs(x, d))
        value = np.maximum(sign @ w + b, 0)
        for s in range(2**d):
            means[s] += (-1) ** oracle.common(s, x) * value / n
    assert np.allclose(found.signal, (means**2).sum(1) / 4, rtol=1e-10, atol=1e-14)


def test_a_batch_averages_to_signal_and_noise():
    d, n = 4, 8
    values = hardness.gradient_signal(d, "linear", range(3000), n_samples=n).mean_signal.values
    low, high = bounded_mean(values, ALPHA, 0.0, d / 4)
    assert low <= d / 4 * (2.0**-d + (1 - 2.0**-d) / n) <= high


@pytest.mark.parametrize("threads", [2, 3])
def test_threads_do_not_change_a_bit(threads):
    names = {"d": 13, "predictor": "two_layer", "seeds": [3], "width": 2, "parities": True}
    assert hardness.gradient_signal(**names).identical(hardness.gradient_signal(**names, threads=threads))


# The long route


@settings(max_examples=15)
@given(st.integers(2, 8), st.sampled_from([0.0, 0.3, 1.0]), st.integers(1, 200), SEEDS)
def test_route_signals_against_a_loop(d, p, n, seed):
    from sims.parity_mixture import _sample

    found = hardness.route_signal(d, p, n, seed).isel(replicate=0)
    x, is_long, y = np.empty((n, d), np.int8), np.empty(n, bool), np.empty((n, d), np.int8)
    _sample(key_of(np.uint64(seed)), d, p, 0, x, is_long, y)
    first, stop, longs = [0.0] * d, [0.0] * (2 * d + 2), 0
    chain, other = [0.0] * (d - 1), [0.0] * (d - 1)
    sums: list[dict[str, float]] = [{} for _ in range(d - 1)]
    for row, route, tokens in zip(x.tolist(), is_long.tolist(), y.tolist(), strict=True):
        target = -1 if route else 1
        features = [*row, tokens[0], *(tokens[0] * v for v in row), 1]
        stop = [u + target * v for u, v in zip(stop, features, strict=True)]
        first = [u + tokens[0] * v for u, v in zip(first, row, strict=True)]
        longs += route
        if route:
            for k in range(1, d):
                for i in range(d):
                    for name, value in ((f"x{i}", row[i]), (f"p{i}", tokens[k - 1] * row[i])):
                        sums[k - 1][name] = sums[k - 1].get(name, 0.0) + tokens[k] * value
                for j in range(k):
                    sums[k - 1][f"y{j}"] = sums[k - 1].get(f"y{j}", 0.0) + tokens[k] * tokens[j]
    for k in range(1, d):
        chain[k - 1] = sums[k - 1].pop(f"p{k}", 0.0)
        other[k - 1] = max((abs(v) for v in sums[k - 1].values()), default=0.0)
    assert found.first.values.tolist() == [v / (2.0 * n) for v in first]
    assert found.stop.values.tolist() == [v / (2.0 * n) for v in stop]
    assert int(found.long_samples) == longs
    assert found.chain.values.tolist() == [v / (2.0 * max(longs, 1)) for v in chain]
    assert found.chain_other.values.tolist() == [v / (2.0 * max(longs, 1)) for v in other]
    assert found.chain_per_demonstration.values.tolist() == [v / (2.0 * n) for v in chain]


def test_route_signals_across_chunks():
    whole = hardness.route_signal(3, 0.4, 3 * CHUNK + 5, 2).isel(replicate=0)
    assert abs(float(whole.first[0]) - 0.2) < 0.02  # 12 293 signs: standard error .0045
    assert float(whole.short[1] * 2 * (3 * CHUNK + 5)) % 1 == 0


# Training


@pytest.mark.parametrize("relu", [True, False])
@pytest.mark.parametrize("batch", [1, 3])
def test_training_steps_are_the_literal_ones(relu, batch):
    d, width, rate, subset = 5, 4, 0.3, 0b10110
    key = key_of(np.uint64(9))
    network = _Network(d, width, key, False, relu, np.uint64(subset))
    weights = flat(network.w, network.b, network.a, 0.0)
    for step in range(4):
        prompts = []
        for k in range(batch):
            bits = np.zeros(1, np.uint64)
            _prompt_bits(key, PROMPT, step * batch + k, d, bits)
            prompts.append(int(bits[0]))
        weights = oracle.trained(weights, prompts, d, subset, width, relu, rate)
    network.train(0, 4, batch, rate)
    found = flat(network.w, network.b, network.a, float(network.c[0]))
    assert np.allclose(found, weights, rtol=1e-12, atol=1e-14)
    values = [oracle.network(weights, oracle.signs(x, d), width, relu) for x in range(2**d)]
    labels = [(-1) ** oracle.common(x, subset) for x in range(2**d)]
    right = sum((f >= 0) == (y > 0) for f, y in zip(values, labels, strict=True)) / 2**d
    chance = sum(1 / (1 + math.exp(-y * f)) for f, y in zip(values, labels, strict=True)) / 2**d
    assert network.accuracy(1) == pytest.approx((right, chance), rel=1e-12)


def test_short_route_records_and_signals():
    options = {"width": 16, "batch": 4, "signals": True}
    curve = hardness.short_route(6, 400, [1, 2], record_at=[0, 100, 400], **options)
    assert curve.sizes == {"replicate": 2, "samples": 3}
    assert np.allclose(curve.mean_signal * 4 * 2**6, curve.gradient_square, rtol=1e-12)
    assert (curve.own_signal <= curve.mean_signal * 2**6).all()
    alone = hardness.short_route(6, 400, 2, **options)
    assert (alone.accuracy[0, 0] == curve.accuracy[1, 2]).all()
    at_start = hardness.gradient_signal(6, "two_layer", [1, 2], width=16)
    assert np.allclose(at_start.mean_signal, curve.mean_signal[:, 0], rtol=1e-14)
    assert np.allclose(at_start.full_signal, curve.own_signal[:, 0], rtol=1e-12)


def test_short_route_learns_and_stops():
    curve = hardness.short_route(6, 60_000, [0, 1, 2], record_at=[1000, 30_000, 50_000, 60_000])
    assert (curve.learned_at > 0).all()
    assert (curve.accuracy[:, -1] >= 0.99).all()
    assert set(curve.learned_at.values) <= {1000, 30_000, 50_000, 60_000}
    fresh = hardness.short_route(14, 16, 0, width=4, n_prompts=4000)
    assert holds(round(float(fresh.accuracy[0, 0]) * 4000), 4000, 0.5)


def test_learning_curves_of_the_routes():
    counts = [200, 6000]
    short = hardness.learning_curve("short_linear", 6, 6000, [0, 1], record_at=counts)
    mixed = hardness.learning_curve("mixed", 6, 6000, [0, 1], p_cot=0.6, record_at=counts)
    long = hardness.learning_curve("long", 6, 6000, [0, 1], record_at=counts)
    network = hardness.learning_curve("short", 6, 6000, [0, 1], record_at=counts, width=8)
    # no halfspace is right on more than a share (1 + C(5, 2)/2^5)/2 of six signs' parity
    assert (abs(short.accuracy - 0.5) <= 10 / 64).all()
    assert (short.length == 1).all()
    assert (mixed.accuracy[:, 1] == 1).all()
    assert (mixed.length[:, 1] == 6).all()
    assert (long.accuracy[:, 1] == 1).all()
    assert network.sizes == {"replicate": 2, "samples": 2}
    assert (network.sampled_accuracy >= 0).all()
    assert (network.sampled_accuracy <= 1).all()


# Elimination and other learners


@settings(max_examples=25)
@given(st.integers(1, 7), st.integers(0, 12), SEEDS, st.booleans())
def test_elimination_against_listing(d, n, seed, affine):
    found = hardness.gaussian_elimination(d, n, seed, affine=affine).isel(replicate=0)
    key = key_of(np.uint64(seed))
    subset = int(subset_of(key, d, None)[0])
    rows = []
    for step in range(n):
        bits = np.zeros(1, np.uint64)
        _prompt_bits(key, PROMPT, step, d, bits)
        rows.append([(int(bits[0]) >> i) & 1 for i in range(d)] + [1] * affine)
    unknowns = d + affine
    assert int(found["rank"]) == oracle.rank(rows)
    ranks = [oracle.rank(rows[:k]) for k in range(n + 1)]
    assert int(found.needed) == (ranks.index(unknowns) if unknowns in ranks else -1)
    if int(found["rank"]) == unknowns:
        assert bool(found.identified)
        assert bool(found.correct)
        labels = [oracle.common(sum(bit << i for i, bit in enumerate(row[:d])), subset) % 2 for row in rows]
        if not affine:
            assert oracle.consistent(rows, labels, d) == [subset]


@settings(max_examples=15)
@given(st.integers(1, 200), st.integers(0, 40), SEEDS)
def test_solutions_fit_the_equations(d, n, seed):
    key = key_of(np.uint64(seed))
    words = (d + 63) // 64
    subset = subset_of(key, d, None)
    rows, labels = np.zeros((d, words), np.uint64), np.zeros(d, np.uint64)
    held = np.zeros(d, np.bool_)
    _eliminate(key, d, 0, n, subset, np.uint64(0), False, rows, labels, held, np.int64(0))
    solution = np.zeros(words + 1, np.uint64)
    _solve(key, d, False, rows, labels, held, solution)
    for step in range(n):
        bits = np.zeros(words, np.uint64)
        _prompt_bits(key, PROMPT, step, d, bits)
        parities = [
            sum(int(u & v).bit_count() for u, v in zip(bits, other, strict=False)) % 2 for other in (subset, solution)
        ]
        assert parities[0] == parities[1]


@pytest.mark.parametrize("d", [3, 64, 65, 130])
def test_elimination_fails_by_the_known_law(d):
    n = 2000
    found = hardness.gaussian_elimination(d, d, range(n))
    full = math.prod(1 - 2.0**-j for j in range(1, d + 1))
    assert holds((found["rank"] == d).sum(), n, full)
    assert (found["rank"] >= d - 12).all() or d < 12  # the chance of a rank below d - 12 is under 2^-144
    assert holds(found.identified.sum(), n, float((2.0 ** (found["rank"].values - d)).mean())) or d == 3


def test_subsets_of_a_size_are_uniform():
    counts = np.zeros(5)
    for seed in range(2000):
        bits = int(subset_of(key_of(np.uint64(seed)), 5, 2)[0])
        assert bits.bit_count() == 2
        counts += [(bits >> i) & 1 for i in range(5)]
    for count in counts:
        assert holds(count, 2000, 0.4)


@settings(max_examples=20)
@given(st.integers(1, 8), st.one_of(st.none(), st.integers(0, 8)), SEEDS)
def test_one_bit_search_finds_the_subset_in_the_end(d, size, seed):
    size = None if size is None else min(size, d)
    n_class = 2**d if size is None else math.comb(d, size)
    # a wrong candidate survives each prompt by a coin: 40 more prompts than 4 a candidate fail below 1e-6
    found = hardness.one_bit_search(d, 4 * n_class + 100, seed, subset_size=size)
    assert bool(found.identified[0])
    assert 1 <= int(found.tried[0]) <= n_class
    assert found.attrs["class_size"] == n_class


def test_one_bit_search_spends_two_prompts_on_a_candidate():
    n = 4000
    found = hardness.one_bit_search(10, 64, range(n))
    # a candidate that is wrong falls with each prompt by a coin, so 1 + Bin(64, 1/2) are tried
    low, high = bounded_mean(found.tried.values.astype(float), ALPHA, 1.0, 65.0)
    assert low <= 33 <= high + 64 / 2**10  # the search stops early at the hidden subset, with chance 33/2^10 at most


def test_noisy_gradient_descends():
    certain = hardness.noisy_gradient(5, 20, 1e-6, range(20))
    assert certain.identified.all()
    blind = hardness.noisy_gradient(3, 1, 1e6, range(4000))
    assert holds(blind.identified.sum(), 4000, 1 / 8)
    sparse = hardness.noisy_gradient(6, 40, 1e-6, range(10), subset_size=2)
    assert sparse.identified.all()
    assert sparse.attrs["class_size"] == 15


# Contracts

CALLS = {
    "gradient_signal": {"d": 5, "predictor": "two_layer", "width": 3},
    "route_signal": {"d": 4, "p_cot": 0.5, "n_samples": 30},
    "short_route": {"d": 4, "n_samples": 200, "width": 4, "record_at": [0, 100]},
    "learning_curve": {"route": "mixed", "d": 4, "n_samples": 200},
    "gaussian_elimination": {"d": 6, "n_samples": 7},
    "one_bit_search": {"d": 4, "n_samples": 20},
    "noisy_gradient": {"d": 3, "n_steps": 5, "noise": 1.0},
}


@pytest.mark.parametrize("name", CALLS)
def test_a_seed_gives_the_same_bits_in_any_company(name):
    function = getattr(hardness, name)
    together = function(**CALLS[name], seeds=[7, 3, 2**62])
    assert together.seed.values.tolist() == [7, 3, 2**62]
    assert next(iter(together.data_vars.values())).dims[0] == "replicate"
    for r, seed in enumerate([7, 3, 2**62]):
        assert function(**CALLS[name], seeds=seed).identical(together.isel(replicate=[r]))
    for variable in together.data_vars.values():
        assert variable.attrs["units"]
        assert variable.attrs["long_name"]


BAD = [
    ("gradient_signal", {"d": 25}, "d must be"),
    ("gradient_signal", {"predictor": "cubic"}, "predictor must be one of"),
    ("gradient_signal", {"width": 0}, "width"),
    ("gradient_signal", {"degree": 6}, "degree must be"),
    ("gradient_signal", {"d": 24, "predictor": "monomials", "degree": 12}, "degree must leave"),
    ("gradient_signal", {"p_cot": 1.5}, "p_cot"),
    ("gradient_signal", {"n_samples": 0}, "n_samples"),
    ("gradient_signal", {"factors": [0.0]}, "factors"),
    ("gradient_signal", {"factors": 2}, "factors must be a sequence"),
    ("gradient_signal", {"parities": 1}, "parities must be True or False"),
    ("gradient_signal", {"activation": "sine"}, "activation"),
    ("gradient_signal", {"initialisation": "zero"}, "initialisation"),
    ("route_signal", {"d": 1}, "d must be"),
    ("short_route", {"subset_size": 5}, "subset_size"),
    ("short_route", {"record_at": [3, 2]}, "record_at must be increasing"),
    ("short_route", {"record_at": 3}, "record_at must be an increasing"),
    ("short_route", {"target": 0.0}, "target"),
    ("short_route", {"d": 17, "signals": True}, "signals must be False"),
    ("short_route", {"learning_rate": 0.0}, "learning_rate"),
    ("learning_curve", {"route": "both"}, "route must be one of"),
    ("learning_curve", {"record_at": [0, 5]}, "record_at"),
    ("gaussian_elimination", {"subset_size": 7}, "subset_size"),
    ("gaussian_elimination", {"affine": None}, "affine must be True or False"),
    ("one_bit_search", {"d": 63}, "d must be"),
    ("noisy_gradient", {"d": 13}, "d must be"),
    ("noisy_gradient", {"noise": -1.0}, "noise"),
    ("noisy_gradient", {"seeds": [1, 1]}, "distinct"),
]


@pytest.mark.parametrize(("name", "change", "message"), BAD)
def test_bad_input_is_refused_by_name(name, change, message):
    with pytest.raises(ValueError, match=message):
        getattr(hardness, name)(**{**CALLS[name], "seeds": 0, **change})
