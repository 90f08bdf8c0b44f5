"""The sampler of D(p) and its counts, against listing every prompt and against itself."""

from __future__ import annotations

import itertools
from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sims import parity_mixture
from sims.intervals import bounded_mean, clopper_pearson

ALPHA = 1e-10  # chance that one interval misses a true value
SHARES = st.one_of(st.sampled_from([0.0, 1.0, 1 / 3]), st.floats(0, 1))
SEEDS = st.integers(0, 2**63 - 1)


def holds(successes: int, n: int, probability: float) -> bool:
    low, high = clopper_pearson(int(successes), n, ALPHA)
    return low <= probability <= high


@settings(max_examples=25)
@given(st.integers(2, 200), SHARES, st.integers(1, 60), SEEDS)
def test_every_sample_follows_the_definition(d, p, n, seed):
    drawn = parity_mixture.sample(d, p, n, seed)
    x, y, is_long = drawn.x.values[0], drawn.y.values[0], drawn.is_long.values[0]
    assert x.shape == y.shape == (n, d)
    assert np.isin(x, (-1, 1)).all()
    for signs, tokens, route in zip(x.tolist(), y.tolist(), is_long, strict=True):
        prefix = list(itertools.accumulate(signs, lambda a, b: a * b))
        assert tokens == (prefix if route else [prefix[-1]] + [0] * (d - 1))
    if p in (0.0, 1.0):
        assert (is_long == bool(p)).all()


@settings(max_examples=25)
@given(st.integers(2, 130), SHARES, st.integers(1, 300), SEEDS)
def test_counts_are_those_of_the_samples(d, p, n, seed):
    drawn = parity_mixture.sample(d, p, n, seed)
    counts = parity_mixture.next_token_counts(d, p, n, seed)
    agree = drawn.y.values[0, :, 0] == drawn.x.values[0, :, 0]
    is_long = drawn.is_long.values[0]
    assert int(counts.agree[0]) == agree.sum()
    assert int(counts.stop_agree[0]) == (agree & ~is_long).sum()
    assert int(counts.stop_disagree[0]) == (~agree & ~is_long).sum()
    assert int(counts.long[0]) == is_long.sum()
    assert int(counts.tokens[0]) == (drawn.y.values[0] != 0).sum()
    assert is_long.sum() <= int(counts.correct[0]) <= n


@settings(max_examples=25)
@given(st.lists(SEEDS, min_size=2, max_size=5, unique=True), st.integers(2, 70), SHARES)
def test_a_seed_gives_the_same_bits_in_any_company(seeds, d, p):
    for function in (parity_mixture.sample, parity_mixture.next_token_counts, parity_mixture.decode):
        together = function(d, p, 50, seeds)
        assert together.seed.values.tolist() == seeds
        for r, seed in enumerate(seeds):
            assert function(d, p, 50, seed).identical(together.isel(replicate=[r]))


def test_a_longer_run_begins_with_the_shorter():
    short, long = (parity_mixture.sample(5, 0.4, n, 3) for n in (10, 25))
    assert (long.x[:, :10].values == short.x.values).all()
    assert (long.y[:, :10].values == short.y.values).all()


def test_the_law_at_three_tokens_is_that_of_the_definition():
    # 16 answers at most; each interval misses with probability 1e-10.
    p, n = 0.3, 40_000
    drawn = parity_mixture.sample(3, p, n, 11)
    seen = Counter(
        (tuple(x), tuple(y)) for x, y in zip(drawn.x.values[0].tolist(), drawn.y.values[0].tolist(), strict=True)
    )
    law: Counter[tuple[tuple[int, ...], tuple[int, ...]]] = Counter()
    for x in itertools.product((-1, 1), repeat=3):
        law[x, (x[0], x[0] * x[1], x[0] * x[1] * x[2])] += p / 8
        law[x, (x[0] * x[1] * x[2], 0, 0)] += (1 - p) / 8
    assert set(seen) <= set(law)
    for event, probability in law.items():
        assert holds(seen[event], n, probability)


@pytest.mark.parametrize("d", [3, 20, 64, 65, 200])
@pytest.mark.parametrize("p", [0.05, 1 / 3, 0.8])
def test_events_at_any_length(d, p):
    n = 20_000
    counts = parity_mixture.next_token_counts(d, p, n, 5)
    # Short demonstrations agree with a coin's chance, whatever d: the rest of the parity is fair.
    assert holds(counts.long[0], n, p)
    assert holds(counts.stop_agree[0], n, (1 - p) / 2)
    assert holds(counts.stop_disagree[0], n, (1 - p) / 2)
    assert holds(counts.correct[0], n, p + (1 - p) / 2)
    assert int(counts.tokens[0]) == n + (d - 1) * int(counts.long[0])


@pytest.mark.parametrize(("p", "goes_on"), [(0.2, False), (0.3, False), (0.37, True), (0.6, True)])
@pytest.mark.parametrize("d", [5, 150])
def test_greedy_decoding_changes_at_one_third(d, p, goes_on):
    # At n = 4e4 the share of EOS after agreement is within .018 of its mean but with probability below 1e-6, and .5 is
    # at least .02 away.
    n_prompts = 4000
    result = parity_mixture.decode(d, p, 40_000, [1, 2], n_prompts=n_prompts)
    assert (result.greedy_long.values == (n_prompts if goes_on else 0)).all()
    assert (result.greedy_tokens.values == n_prompts * (d if goes_on else 1)).all()
    for correct in result.greedy_correct.values:
        assert correct == n_prompts if goes_on else holds(correct, n_prompts, 0.5)


def test_sampled_answers_follow_the_learned_shares():
    d, n = 12, 50_000
    result = parity_mixture.decode(d, 0.3, 500, 4, n_prompts=n).isel(replicate=0)
    first, stop = float(result.first_token), float(result.stop_agree)
    assert float(result.stop_disagree) == 1
    assert float(result.chain_right) == 1
    going_on = first * (1 - stop)
    assert holds(result.sampled_long, n, going_on)
    assert holds(result.sampled_correct, n, going_on + (1 - going_on) / 2)
    assert int(result.sampled_tokens) == n + (d - 1) * int(result.sampled_long)


def test_what_was_never_seen_is_a_coin():
    only_short = parity_mixture.decode(6, 0.0, 200, 0, n_prompts=3000).isel(replicate=0)
    assert float(only_short.chain_right) == 0.5
    assert int(only_short.sampled_long) == 0
    only_long = parity_mixture.decode(6, 1.0, 200, 0, n_prompts=3000).isel(replicate=0)
    assert float(only_long.first_token) == 1
    assert float(only_long.stop_disagree) == 0.5
    assert int(only_long.greedy_correct) == int(only_long.sampled_correct) == 3000


def test_replicates_are_independent():
    # Covariance of two replicates' shares over 2000 pairs of seeds: mean zero if independent.
    counts = parity_mixture.next_token_counts(5, 0.5, 20, range(4000)).long.values / 20
    first, second = counts[:2000], counts[2000:]
    low, high = bounded_mean((first - 0.5) * (second - 0.5), ALPHA, -0.25, 0.25)
    assert low <= 0 <= high


BAD = [
    ({"d": 1}, "d must be an integer in"),
    ({"d": 3.0}, "d must be"),
    ({"d": True}, "d must be"),
    ({"p_cot": -1e-9}, r"p_cot must be a real number in \[0.0, 1.0\]"),
    ({"p_cot": float("nan")}, "p_cot"),
    ({"p_cot": "a"}, "p_cot"),
    ({"n_samples": 0}, "n_samples"),
    ({"seeds": -1}, "seeds"),
    ({"seeds": []}, "seeds must hold at least one"),
    ({"seeds": [1, 1]}, "distinct"),
    ({"seeds": "1"}, "seeds"),
]


@pytest.mark.parametrize(("change", "message"), BAD)
@pytest.mark.parametrize("name", ["sample", "next_token_counts", "decode"])
def test_bad_input_is_refused_by_name(name, change, message):
    arguments = {"d": 3, "p_cot": 0.5, "n_samples": 5, "seeds": 0, **change}
    with pytest.raises(ValueError, match=message):
        getattr(parity_mixture, name)(**arguments)


def test_bad_number_of_prompts_is_refused():
    with pytest.raises(ValueError, match="n_prompts"):
        parity_mixture.decode(3, 0.5, 5, 0, n_prompts=0)
