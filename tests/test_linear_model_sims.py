"""The compiled trainer against the literal algorithm, its reproducibility, its evaluation and decoding."""

from __future__ import annotations

import itertools
import math
import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sims import linear_model
from sims.intervals import clopper_pearson
from sims.linear_model import _descent, _signed
from tests.oracles import linear_model as literal

ALPHA = 1e-10  # chance that one interval misses a true value
EPS = np.finfo(float).eps
SEEDS = st.integers(0, 2**63 - 1)
SHARES = st.one_of(st.sampled_from([0.0, 1.0]), st.floats(0, 1))
PROBABILITIES = ("first_token", "stop_agree", "stop_disagree", "short_correct", "long_correct")


def weights_of(dataset, replicate=0):
    """The averaged weights as the list that the literal algorithm returns."""
    data = dataset.isel(replicate=replicate)
    d = data.sizes["feature_first"]
    chain = [data.w_chain.values[j] for j in range(d - 1)]
    for j, row in enumerate(chain):
        assert (row[2 * d + j + 1 :] == 0).all()
    return [data.w_first.values, data.w_stop.values, *(row[: 2 * d + j + 1] for j, row in enumerate(chain))]


def examples_at(position, x, is_long, cap):
    routes = [(signs, route) for signs, route in zip(x.tolist(), is_long.tolist(), strict=True)]
    kept = [(signs, route) for signs, route in routes if position < 2 or route][:cap]
    return [literal.example(position, signs, route) for signs, route in kept]


def tolerance(found, ridge):
    """A bound on the rounding error of an averaged weight vector, to first order.

    In u_t = (t-1) w^(t) an error e moves on by I - h f f'/(lambda (t-1)), h the logistic slope at that margin, of norm
    at most max(1, h n/(lambda (t-1)) - 1) with n features; `growth` is the product of these, taken along the literal
    path. A step adds at most c + 64 roundings of the margin's n terms, each term at most 1/lambda in size (a weight is
    an average of steps of size 1/lambda), passes on a quarter of it divided by lambda, and rounds n sums of size at
    most t/lambda twice. The average multiplies by at most 2 H_T/T; the literal run errs by the same.
    """
    n, steps = len(found[0][0]), len(found)
    w = np.zeros(n)
    growth = 1.0
    for t, (f, y) in enumerate(found, 1):
        tail = 1 / (1 + math.exp(min(y * float(w @ f), 700)))
        if t > 1:
            growth *= max(1.0, tail * (1 - tail) * n / (ridge * (t - 1)) - 1)
        w = (1 - 1 / t) * w + y * f * tail / (ridge * t)
    margin = (n + 64) * n / ridge
    per_step = math.sqrt(n) * (margin / (4 * ridge) + 8 / ridge + 4 * steps / ridge)
    harmonic = 1 + math.log(steps)
    return 2 * EPS * growth * 2 * harmonic * per_step


# ---------------------------------------------------------------------------------------------------------- the oracle


def test_the_oracle_on_cases_worked_by_hand():
    x = [1, -1, -1]
    assert literal.answer(x, True) == [1, -1, 1]
    assert literal.answer(x, False) == [1]
    assert literal.features(0, x, []).tolist() == x
    assert literal.features(1, x, [-1]).tolist() == [1, -1, -1, -1, -1, 1, 1, 1]
    assert literal.features(2, x, [-1]).tolist() == [1, -1, -1, -1, -1, 1, 1]
    assert literal.features(3, x, [1, -1, 1]).tolist() == [1, -1, -1, 1, -1, -1, 1, 1]
    assert literal.example(1, x, True)[1] == -1
    assert literal.example(3, x, True)[1] == 1
    # One feature, ridge 1: w^(2) = y f/2 whatever the step before, so the average of two is y f/4.
    one = np.array([1.0])
    assert literal.sgd([one, one], [1, 1], 1.0).tolist() == [0.25]
    assert literal.sgd([one, -one], [-1, 1], 1.0).tolist() == [-0.25]
    # Ridge 1/2: w^(2) = 1, w^(3) = w^(2) - (1/2 + -1/(1+e)) = 1/2 + 1/(1+e).
    third = 0.5 + 1 / (1 + math.e)
    assert literal.sgd([one] * 3, [1] * 3, 0.5).tolist() == pytest.approx([(1 + third) / 3], rel=1e-15)
    zero = [np.zeros(3), np.zeros(8), np.zeros(7), np.zeros(8)]
    assert literal.long_correct(zero, x) == 1 / 16
    assert literal.short_correct(zero, x) == 1 / 4
    assert literal.greedy(zero, x) == [1, 1, 1]


# -------------------------------------------------------------------------------------------------- kernel and oracle


@settings(max_examples=25)
@given(
    st.integers(2, 7),
    SHARES,
    st.integers(1, 120),
    st.lists(st.floats(-2, 1.5), min_size=8, max_size=8),
    st.lists(st.integers(0, 130), min_size=8, max_size=8),
    SEEDS,
)
def test_the_kernel_is_the_literal_algorithm(d, p, n, exponents, caps, seed):
    ridge = [10.0**e for e in exponents[: d + 1]]
    caps = caps[: d + 1]
    x, is_long = linear_model.draw_demonstrations(d, p, n, seed)
    want = literal.train(x, is_long, ridge, caps)
    got = linear_model.pretrain(d, p, n, ridge, seed, n_steps=caps, weights=True)
    assert int(got.long_samples[0]) == is_long.sum()
    for index, position in enumerate(literal.positions(d)):
        found = examples_at(position, x, is_long, caps[index])
        difference = np.abs(weights_of(got)[index] - want[index]).max()
        assert difference <= (tolerance(found, ridge[index]) if found else 0.0)


@pytest.mark.parametrize("d", [8, 9, 31, 33, 63, 64, 65, 70])
def test_the_kernel_is_the_literal_algorithm_around_word_sizes(d):
    # Ridge n/8 and more: growth is 1, and the derived tolerance is below 1e-9 although 70 features are summed.
    n, ridge = 75, 30.0
    x, is_long = linear_model.draw_demonstrations(d, 0.9, n, 1)
    got = weights_of(linear_model.pretrain(d, 0.9, n, ridge, 1, weights=True, n_prompts=1))
    want = literal.train(x, is_long, [ridge] * (d + 1), [n] * (d + 1))
    for index, position in enumerate(literal.positions(d)):
        bound = tolerance(examples_at(position, x, is_long, n), ridge)
        assert bound < 1e-9
        assert np.abs(got[index] - want[index]).max() <= bound
        # Averaging one iterate too few, or starting one sample late, is far outside.
        found = examples_at(position, x, is_long, n)
        for wrong in (found[:-1], found[1:]):
            assert np.abs(got[index] - literal.sgd(*zip(*wrong, strict=True), ridge)).max() > 1e4 * bound


def test_small_ridge_and_many_steps_stay_close():
    # Ridge .01 at d = 4: the measured growth of errors is what makes the tolerance, still far below a weight's size.
    d, p, n, ridge = 4, 0.5, 3000, 0.01
    x, is_long = linear_model.draw_demonstrations(d, p, n, 3)
    got = weights_of(linear_model.pretrain(d, p, n, ridge, 3, weights=True))
    want = literal.train(x, is_long, [ridge] * (d + 1), [n] * (d + 1))
    for index, position in enumerate(literal.positions(d)):
        bound = tolerance(examples_at(position, x, is_long, n), ridge)
        assert bound < 1e-3
        assert np.abs(got[index] - want[index]).max() <= bound
        assert np.abs(want[index]).max() > 0.1


@settings(max_examples=25)
@given(st.integers(2, 6), SHARES, st.integers(1, 200), st.floats(0.01, 3), SEEDS)
def test_evaluation_is_that_of_the_weights(d, p, n, ridge, seed):
    trained = linear_model.pretrain(d, p, n, ridge, seed, weights=True)
    weights = weights_of(trained)
    data = trained.isel(replicate=0)
    errors = []
    for i, x in enumerate(linear_model.evaluation_prompts(d, 1, seed).tolist()):
        chain = literal.answer(x, True)
        want = (
            literal.probability(weights, 0, x, [], x[0]),
            literal.probability(weights, 1, x, [x[0]], 1),
            literal.probability(weights, 1, x, [-x[0]], 1),
            literal.short_correct(weights, x),
            literal.long_correct(weights, x),
        )
        # Logits up to 4d/ridge, each off by some 4d ulps of that: relative 16 d^2 EPS/ridge, twice, d + 1 factors.
        slack = 32 * d * d * (d + 1) * EPS / ridge + 1e-14
        for name, value in zip(PROBABILITIES, want, strict=True):
            assert float(data[name][i]) == pytest.approx(value, rel=slack, abs=1e-300)
        errors.append([literal.probability(weights, k, x, chain, -chain[k - 1]) for k in range(2, d + 1)])
        margins = [abs(math.log(q / (1 - q))) if 0 < q < 1 else 1.0 for q in want[:3]]
        if min(margins) > 1e-9:
            answer = literal.greedy(weights, x)
            assert int(data.greedy_length[i]) == len(answer)
    assert data.chain_error.values == pytest.approx(np.mean(errors, axis=0), rel=slack)
    assert data.chain_error_max.values == pytest.approx(np.max(errors, axis=0), rel=slack)


def test_greedy_answers_token_by_token():
    # Half-trained chains err somewhere: the greedy answer then goes on from its own wrong prefix.
    trained = linear_model.pretrain(12, 0.8, 60, 0.1, [0, 1], weights=True, n_prompts=200)
    wrong = 0
    for r, seed in enumerate((0, 1)):
        weights = weights_of(trained, r)
        prompts = linear_model.evaluation_prompts(12, 200, seed)
        decoded = linear_model.decode(trained.isel(replicate=[r]), prompts, greedy=True)
        for i, x in enumerate(prompts.tolist()):
            want = literal.greedy(weights, x)
            assert decoded.tokens.values[0, 0, i].tolist() == want + [0] * (12 - len(want))
            assert int(decoded.length[0, 0, i]) == int(trained.greedy_length[r, i]) == len(want)
            right = want[-1] == math.prod(x)
            assert bool(decoded.correct[0, 0, i]) == bool(trained.greedy_correct[r, i]) == right
            wrong += not right
    assert 0 < wrong < 400


def test_sampled_answers_follow_the_conditional_probabilities():
    d, draws = 3, 20_000
    trained = linear_model.pretrain(d, 0.6, 400, 0.05, 2, weights=True)
    weights = weights_of(trained)
    for temperature in (1.0, 2.5):
        scaled = [w / temperature for w in weights]
        for x in ([1, 1, -1], [-1, 1, 1]):
            decoded = linear_model.decode(trained, [x] * draws, temperature, 7)
            tokens = decoded.tokens.values[0, 0]
            for answer in itertools.product((-1, 1), repeat=d):
                for length in (1, d):
                    y = list(answer)
                    if length == 1 and y[1:] != [1] * (d - 1):
                        continue
                    chance = literal.probability(scaled, 0, x, [], y[0])
                    chance *= literal.probability(scaled, 1, x, y[:1], 1 if length == 1 else -1)
                    if length == d:
                        for position in range(2, d + 1):
                            chance *= literal.probability(scaled, position, x, y, y[position - 1])
                    want = y[:length] + [0] * (d - length)
                    low, high = clopper_pearson(int((tokens == want).all(axis=1).sum()), draws, ALPHA)
                    assert low <= chance <= high


# --------------------------------------------------------------------------------------------------- reproducibility


@settings(max_examples=20)
@given(
    st.lists(SEEDS, min_size=2, max_size=4, unique=True),
    st.integers(2, 40),
    SHARES,
    st.integers(1, 200),
    st.integers(1, 4),
)
def test_a_seed_gives_the_same_bits_in_any_company_and_with_any_workers(seeds, d, p, n, jobs):
    together = linear_model.pretrain(d, p, n, 0.05, seeds, weights=True, n_prompts=20, jobs=jobs)
    for r, seed in enumerate(seeds):
        alone = linear_model.pretrain(d, p, n, 0.05, seed, weights=True, n_prompts=20)
        assert alone.identical(together.isel(replicate=[r]))


@pytest.mark.parametrize("piece", [1, 7, 16, 1000])
def test_the_pieces_of_a_run_do_not_matter(piece, monkeypatch):
    whole = linear_model.pretrain(11, 0.5, 500, 0.05, 3, weights=True, n_prompts=20)
    original = linear_model._Run.__init__

    def small(self, *arguments):
        original(self, *arguments)
        self.piece = piece

    monkeypatch.setattr(linear_model._Run, "__init__", small)
    assert linear_model.pretrain(11, 0.5, 500, 0.05, 3, weights=True, n_prompts=20).identical(whole)


def test_what_is_recorded_on_the_way_is_what_ending_there_gives():
    counts = [1, 15, 16, 17, 200, 500]
    recorded = linear_model.pretrain(11, 0.5, 600, 0.05, [3, 4], weights=True, n_prompts=20, record_at=counts)
    assert recorded.samples.values.tolist() == counts
    for count in counts:
        ended = linear_model.pretrain(11, 0.5, count, 0.05, [3, 4], weights=True, n_prompts=20)
        at = recorded.sel(samples=count)
        for name, variable in ended.data_vars.items():
            assert (at[name].values == variable.values).all()


def test_positions_are_independent_of_each_other():
    whole = linear_model.pretrain(11, 0.5, 300, 0.05, 3, weights=True, n_prompts=20)
    for chosen in (("first",), ("stop",), ("chain",), ("first", "stop"), ("stop", "chain")):
        part = linear_model.pretrain(11, 0.5, 300, 0.05, 3, weights=True, n_prompts=20, positions=chosen)
        assert set(part.data_vars) < set(whole.data_vars)
        for name, variable in part.data_vars.items():
            assert (variable.values == whole[name].values).all()
    assert "first_token" in linear_model.pretrain(11, 0.5, 300, 0.05, 3, positions=["first"])
    assert "greedy_length" in linear_model.pretrain(11, 0.5, 300, 0.05, 3, positions=["stop", "first"])


def test_capped_steps_are_an_earlier_end():
    capped = linear_model.pretrain(
        11, 1.0, 300, 0.05, 3, weights=True, n_steps={"first": 70, "stop": 33, "chain": [40] * 5 + [300] * 5}
    )
    for name, count in (("w_first", 70), ("w_stop", 33)):
        ended = linear_model.pretrain(11, 1.0, count, 0.05, 3, weights=True)
        assert (capped[name].values == ended[name].values).all()
    for rows, count in ((slice(0, 5), 40), (slice(5, 10), 300)):
        ended = linear_model.pretrain(11, 1.0, count, 0.05, 3, weights=True)
        assert (capped.w_chain.values[0, rows] == ended.w_chain.values[0, rows]).all()


def test_forms_of_ridge_are_the_same_thing():
    forms = (
        {"first": 0.1, "stop": 0.2, "chain": 0.3},
        [0.1, 0.2, 0.3, 0.3, 0.3],
        {"first": 0.1, "stop": 0.2, "chain": [0.3] * 3},
    )
    results = [linear_model.pretrain(4, 0.5, 100, ridge, 0, weights=True) for ridge in forms]
    for other in results[1:]:
        assert other.identical(results[0])


# ------------------------------------------------------------------------------------------------------- known facts


@pytest.mark.parametrize("p", [0.0, 1.0])
def test_edges_of_the_mixture(p):
    trained = linear_model.pretrain(12, p, 3000, 0.01, [0, 1], weights=True, n_prompts=300)
    assert (trained.long_samples == (3000 if p else 0)).all()
    for variable in trained.data_vars.values():
        assert np.isfinite(variable.values.astype(float)).all()
    if p == 0:
        assert (trained.w_chain == 0).all()
        assert (trained.chain_error == 0.5).all()
        assert (trained.greedy_length == 1).all()
        assert (trained.stop_agree > 0.9).all()
    else:
        assert (trained.greedy_length == 12).all()
        assert (trained.greedy_correct).all()
        assert (trained.first_token > 0.9).all()


def test_one_sample_or_none_leaves_every_probability_at_one_half():
    for n_samples, n_steps in ((1, None), (50, 0), (50, 1)):
        trained = linear_model.pretrain(4, 0.5, n_samples, 0.1, 0, n_steps=n_steps)
        assert (trained.first_token == 0.5).all()
        assert (trained.stop_agree == 0.5).all()
        assert (trained.chain_error == 0.5).all()
        assert (trained.long_correct == 0.5**5).all()


def solve(equation, low, high):
    for _ in range(200):
        middle = (low + high) / 2
        low, high = (middle, high) if equation(middle) > 0 else (low, middle)
    return low


def test_the_average_goes_to_the_regularised_optimum():
    # Only the relevant feature has weight at the optimum. 200 runs; the limiting variance of a weight is below 4/T at
    # this ridge, so the mean of 200 is within 7 standard errors of its expectation but for a chance of 1e-11; the
    # start of the run is forgotten like 1/T, here less than 20/T.
    d, p, ridge, n, runs = 4, 0.3, 0.2, 20_000, 200
    trained = linear_model.pretrain(d, p, n, ridge, range(runs), weights=True)
    near = 7 * math.sqrt(4 / n / runs) + 20 / n
    w = solve(lambda w: (1 + p) / 2 - 1 / (1 + math.exp(-w)) - ridge * w, -10, 10)
    first = trained.w_first.values.mean(axis=0)
    assert np.abs(first - [w, 0, 0, 0]).max() < near
    agree = solve(lambda z: (1 + p) / 2 * ((1 - p) / (1 + p) - 1 / (1 + math.exp(-z))) - ridge * z / 2, -20, 20)
    disagree = solve(lambda z: (1 - p) / 2 / (1 + math.exp(z)) - ridge * z / 2, -20, 20)
    want = np.zeros(2 * d + 2)
    want[d + 1], want[-1] = (agree - disagree) / 2, (agree + disagree) / 2
    assert np.abs(trained.w_stop.values.mean(axis=0) - want).max() < near
    # Position 4: y_3 x_4, the last of its 2d + 3 features; a third of the samples.
    w = solve(lambda w: 1 / (1 + math.exp(w)) - ridge * w, 0, 10)
    want = np.zeros(3 * d - 1)
    want[2 * d + 2] = w
    assert np.abs(trained.w_chain.values[:, 2].mean(axis=0) - want).max() < math.sqrt(1 / 0.29) * near + 60 / n


@pytest.mark.parametrize(("p", "goes_on"), [(0.2, False), (0.5, True)])
def test_greedy_length_on_both_sides_of_one_third(p, goes_on):
    trained = linear_model.pretrain(5, p, 30_000, 0.02, [0, 1, 2])
    assert (trained.greedy_length == (5 if goes_on else 1)).all()
    assert (trained.greedy_correct.mean("prompt") == (1 if goes_on else 0.5)).all()


def test_a_thousand_tokens():
    trained = linear_model.pretrain(1000, 0.5, 100, 0.1, 0, n_prompts=5)
    assert trained.chain_error.shape == (1, 999)
    assert np.isfinite(trained.chain_error.values).all()


# ------------------------------------------------------------------------------------------------------------- pieces


@settings(max_examples=25)
@given(st.integers(1, 20), st.integers(1, 12), st.integers(0, 2**32))
def test_signed_products(groups, eights, seed):
    rng = np.random.default_rng(seed)
    n, columns, rows = 4 * groups, 8 * eights, 32
    words = (n + 63) // 64
    bits = rng.integers(0, 2**63, (rows, words), dtype=np.uint64) * np.uint64(2) + rng.integers(
        0, 2, (rows, words), dtype=np.uint64
    )
    sign = np.array([[1 - 2 * (int(bits[r, i >> 6]) >> (i & 63) & 1) for i in range(n)] for r in range(rows)])
    across = np.empty((rows, groups), np.uint8)
    down = np.empty((8 * ((groups + 1) // 2), rows // 4), np.uint8)
    _signed.sign_indices(bits, rows, groups, across, down)
    table = np.empty(_signed.TABLE)
    source = rng.integers(-1000, 1000, (n, columns)).astype(float)  # whole numbers: every order of adding is exact
    target = rng.integers(-1000, 1000, (rows, columns)).astype(float)
    want = target + sign @ source
    _signed.add_signed(target, rows, across, source, groups, 0, table)
    assert (target == want).all()
    upper = np.triu(source)
    lower = np.zeros((rows, columns))
    _signed.add_signed(lower, rows, across, upper, groups, 1, table)
    assert (lower == sign @ upper).all()
    back = np.triu(source)
    steps = rng.integers(-1000, 1000, (rows, columns)).astype(float)
    want = back + np.triu(sign.T @ steps)
    _signed.add_signed(back, n, down, steps, rows // 4, 2, table)
    assert (back == want).all()


@given(st.one_of(st.floats(-750, 750), st.floats(-1e308, 1e308)))
def test_logistic_in_both_tails(z):
    want = 1 / (1 + math.exp(-max(-700.0, min(700.0, z))))
    # exp to 1.5 ulp (a polynomial's last sum and product), then a sum and a quotient; the reference errs by 1.5 too.
    assert abs(_signed.logistic(z) - want) <= 4 * EPS * want


@given(st.integers(0, 5000))
def test_harmonic_numbers(n):
    assert _descent.harmonic(n) == pytest.approx(math.fsum(1 / k for k in range(1, n + 1)), rel=4e-15, abs=0)


# ------------------------------------------------------------------------------------------- behaviour while running


def test_a_bar_is_drawn_where_asked_for_and_leaves_the_result_alone(capfd):
    arguments = (30, 1.0, 400_000, 0.1, range(4))
    with_bar = linear_model.pretrain(*arguments, n_prompts=5, progress=True)
    assert "training" in capfd.readouterr().err
    assert linear_model.pretrain(*arguments, n_prompts=5, progress=False, jobs=2).identical(with_bar)
    assert capfd.readouterr().err == ""


@pytest.mark.skipif(os.name == "nt", reason="signals of POSIX")
def test_an_interrupt_is_heard_at_once():
    code = (
        "from sims import linear_model\n"
        "linear_model.pretrain(5, .5, 10, .1, 0)\n"
        "print('go', flush=True)\n"
        "try:\n    linear_model.pretrain(300, 1.0, 10**9, .1, range(3), jobs=2)\n"
        "except KeyboardInterrupt:\n    print('left')\n"
    )
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "go\n"
        time.sleep(0.5)
        began = time.monotonic()
        process.send_signal(signal.SIGINT)
        assert process.stdout.readline() == "left\n"
        # A piece of a run takes at most some 0.2 s, more where the machine is busy.
        assert time.monotonic() - began < 5
        assert process.wait(10) == 0


# ------------------------------------------------------------------------------------------------------- bad input

GOOD = {"d": 4, "p_cot": 0.5, "n_samples": 10, "ridge": 0.1, "seeds": 0}
BAD = [
    ({"d": 1}, r"d must be an integer in \[2, 4096\]"),
    ({"d": 5000}, "d must be"),
    ({"d": 4.0}, "d must be"),
    ({"p_cot": 1.1}, r"p_cot must be a real number in \[0.0, 1.0\]"),
    ({"p_cot": math.nan}, "p_cot"),
    ({"n_samples": 0}, "n_samples"),
    ({"n_samples": 10**30}, "n_samples"),
    ({"ridge": 0.0}, "ridge must be a real number"),
    ({"ridge": -1.0}, "ridge"),
    ({"ridge": math.inf}, "ridge"),
    ({"ridge": None}, "ridge"),
    ({"ridge": [0.1] * 4}, r"d \+ 1 = 5 numbers"),
    ({"ridge": [0.1, 0.1, 0.1, 0.1, -1]}, "ridge"),
    ({"ridge": {"first": 0.1}}, "keys first, stop, chain"),
    ({"ridge": {"first": 0.1, "stop": 0.1, "chain": 0.1, "other": 1}}, "keys first, stop, chain"),
    ({"ridge": {"first": 0.1, "stop": 0.1, "chain": [0.1] * 4}}, "d - 1 = 3"),
    ({"ridge": {"first": 0.1, "stop": 0.1, "chain": 0}}, r"ridge\['chain'\]"),
    ({"seeds": []}, "seeds"),
    ({"seeds": [1, 1]}, "distinct"),
    ({"seeds": 1.5}, "seeds"),
    ({"n_steps": -1}, "n_steps"),
    ({"n_steps": {"chain": 1.5}}, r"n_steps\['chain'\]"),
    ({"positions": "first"}, "positions must be a sequence"),
    ({"positions": []}, "positions must hold"),
    ({"positions": ["second"]}, "positions must be one of first, stop, chain"),
    ({"n_prompts": 0}, "n_prompts"),
    ({"record_at": 5}, "record_at must be a sequence"),
    ({"record_at": []}, "record_at must hold increasing"),
    ({"record_at": [5, 5]}, "record_at must hold increasing"),
    ({"record_at": [11]}, "record_at must be an integer"),
    ({"jobs": 0}, "jobs"),
    ({"jobs": -2}, "jobs"),
]


@pytest.mark.parametrize(("change", "message"), BAD)
def test_bad_input_is_refused_by_name(change, message):
    with pytest.raises(ValueError, match=message):
        linear_model.pretrain(**{**GOOD, **change})


def test_bad_input_to_decode_is_refused_by_name():
    trained = linear_model.pretrain(4, 0.5, 10, 0.1, 0, weights=True)
    calls = [
        (lambda: linear_model.decode(linear_model.pretrain(4, 0.5, 10, 0.1, 0), [[1, 1, 1, 1]]), "weights=True"),
        (lambda: linear_model.decode("trained", [[1, 1, 1, 1]]), "model must be a dataset"),
        (lambda: linear_model.decode(trained, [[1, 1, 1]]), "prompts must have shape"),
        (lambda: linear_model.decode(trained, [[1, 1, 1, 0]]), "prompts must hold only"),
        (lambda: linear_model.decode(trained, [[1, 1, 1, 1]], 0.0), "temperature"),
        (lambda: linear_model.decode(trained, [[1, 1, 1, 1]], math.nan), "temperature"),
        (lambda: linear_model.decode(trained, [[1, 1, 1, 1]], 1.0, [0, 0]), "distinct"),
        (lambda: linear_model.evaluation_prompts(0, 1, 0), "d must be"),
        (lambda: linear_model.draw_demonstrations(3, 2, 1, 0), "p_cot"),
        (
            lambda: linear_model.decode(
                linear_model.pretrain(4, 0.5, 10, 0.1, 0, weights=True, record_at=[5]), [[1, 1, 1, 1]]
            ),
            "one number of samples",
        ),
    ]
    for call, message in calls:
        with pytest.raises(ValueError, match=message):
            call()
