"""Decoders against a literal one, their sampling against exact laws, and training runs that can be stopped anywhere.

Everything here needs PyTorch, and imports it only inside fixtures and tests.
"""

from __future__ import annotations

import doctest
import importlib
import inspect
import itertools
import json
import math
import os
import re
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from sims import _experiments
from tests.oracles import transformer as oracle
from tests.public_names import EXTRA, example, functions, modules

pytestmark = pytest.mark.transformer

ROOT = Path(__file__).resolve().parents[1]
RUNS = ("pretrain", "star", "reinforce", "grpo", "zip_star")
TINY = {"width": 8, "heads": 2, "depth": 1, "progress": False}
CALLS: dict[str, dict[str, Any]] = {
    "pretrain": {"d": 4, "p_cot": 0.5, "n_steps": 7, "record_at": [0, 3, 7], **TINY},
    "star": {"d": 4, "p_cot": 0.5, "pretrain_steps": 3, "n_rounds": 4, "n_samples": 64, "batch": 16, **TINY},
    "reinforce": {"d": 4, "p_cot": 0.5, "pretrain_steps": 3, "n_steps": 5, "n_samples": 32, **TINY},
    "grpo": {"d": 4, "p_cot": 0.5, "pretrain_steps": 3, "n_steps": 5, "n_groups": 8, "group_size": 4, **TINY},
    "zip_star": {"delta": 0.5, "pretrain_steps": 3, "n_rounds": 4, "n_digits": 2, "n_per_state": 16, **TINY},
}


@pytest.fixture(scope="module")
def package() -> Any:
    return importlib.import_module(EXTRA)


def part(name: str) -> Any:
    return importlib.import_module(f"{EXTRA}.{name}")


class Model:
    """A decoder with weights of order one, so that every term counts."""

    def __init__(self, depth: int, width: int, heads: int, d: int, chain: int, seed: int) -> None:
        import torch

        decoder = part("_decoder")
        self.shape = decoder.Architecture(depth, width, heads, d + chain)
        rng = np.random.default_rng(seed)
        flat = rng.normal(0, 0.6, decoder.weight_count(self.shape)).astype(np.float32)
        self.flat = torch.from_numpy(flat)
        self.tensors = decoder.tensors(self.flat, self.shape)
        self.arrays = decoder.named(flat, self.shape)

    def law(self, prompt: Any, n_tokens: int, temperature: float = 1.0) -> dict[tuple[int, ...], float]:
        return oracle.answer_law(self.arrays, self.shape.depth, self.shape.heads, list(prompt), n_tokens, temperature)


# The decoder


# Logits are sums of at most 4 width products of numbers of order one over a few layers: single precision rounds each
# to 6e-8 of the partial sums (below 50), and a few hundred roundings add up like their root.
SINGLE = 50 * 2**-24 * 20


@pytest.mark.parametrize(("depth", "width", "heads"), [(1, 4, 1), (2, 8, 2), (3, 12, 4)])
def test_logits_are_those_of_the_literal_decoder(depth: int, width: int, heads: int) -> None:
    import torch

    decoder = part("_decoder")
    model = Model(depth, width, heads, 5, 5, seed=depth)
    tokens = np.random.default_rng(0).integers(0, 4, (3, 10))
    got = decoder.logits(model.tensors, model.shape, torch.from_numpy(tokens)).numpy()
    want = np.array([oracle.logits(model.arrays, depth, heads, row) for row in tokens.tolist()])
    assert np.isfinite(got).all()
    assert np.abs(got - want).max() < SINGLE
    for last in (1, 4, 9):
        tail = decoder.logits(model.tensors, model.shape, torch.from_numpy(tokens), last).numpy()
        assert tail.shape == (3, last, 3)
        assert np.abs(tail - want[:, -last:]).max() < SINGLE
    # A wrong decoder is seen: the same weights with the keys of another head order.
    other = {**model.arrays, "0.attention.weight": np.roll(model.arrays["0.attention.weight"], 1, axis=0)}
    assert np.abs(got[0] - oracle.logits(other, depth, heads, tokens[0].tolist())).max() > 100 * SINGLE


def test_cached_logits_and_answers_are_the_uncached_ones() -> None:
    import torch

    decoder = part("_decoder")
    model = Model(2, 8, 2, 5, 5, seed=1)
    tokens = torch.from_numpy(np.random.default_rng(1).integers(0, 2, (4, 10)))
    whole = decoder.logits(model.tensors, model.shape, tokens)
    for pieces in ((5, 1, 1, 3), (1,) * 10, (10,), (2, 8)):
        cache = decoder.Cache(model.shape, 4, 10, "cpu")
        found = [decoder.logits(model.tensors, model.shape, t, None, cache) for t in tokens.split(pieces, dim=1)]
        assert (torch.cat(found, dim=1) - whole).abs().max() < SINGLE
        assert cache.filled == 10
    prompts = tokens.numpy()[:, :5].repeat(40, axis=0)
    for uniforms in (None, np.random.default_rng(2).random((len(prompts), 6))):
        answers = [
            decoder.roll_out(model.tensors, model.shape, prompts, 6, uniforms=uniforms, rows=rows, cached=cached)
            for rows, cached in ((512, True), (7, True), (512, False))
        ]
        assert (answers[0] == answers[1]).all()
        assert (answers[0] == answers[2]).all()
    lengths = {tuple(row).index(3) if 3 in row else 6 for row in answers[0].tolist()}
    assert len(lengths) > 2  # rows ended at different times


@pytest.mark.parametrize("temperature", [1.0, 0.5, 2.0])
def test_sampled_answers_have_the_exact_law(temperature: float) -> None:
    """20 000 draws at d = 2; every answer's count within 5 standard deviations of the enumerated law."""
    decoder = part("_decoder")
    model = Model(2, 8, 2, 2, 2, seed=3)
    n, prompt = 20_000, np.array([[1, 0]])
    uniforms = np.random.default_rng(4).random((n, 3))
    drawn = decoder.roll_out(
        model.tensors, model.shape, prompt.repeat(n, axis=0), 3, temperature=temperature, uniforms=uniforms
    )
    counts: dict[tuple[int, ...], int] = {}
    for row in drawn.tolist():
        answer = tuple(token for token in row if token != oracle.PAD)
        counts[answer] = counts.get(answer, 0) + 1
    law = model.law([1, 0], 3, temperature)
    assert set(counts) <= set(law)
    worst = max(abs(counts.get(a, 0) - n * q) / math.sqrt(n * q * (1 - q) + 1) for a, q in law.items())
    assert worst < 5
    wrong = model.law([1, 0], 3, temperature * 1.3)
    assert max(abs(counts.get(a, 0) - n * q) / math.sqrt(n * q * (1 - q) + 1) for a, q in wrong.items()) > 8


def test_greedy_answers_take_the_likeliest_token() -> None:
    decoder = part("_decoder")
    model = Model(2, 8, 2, 3, 3, seed=5)
    prompts = np.array(list(itertools.product((0, 1), repeat=3)))
    for prompt, got in zip(prompts.tolist(), decoder.roll_out(model.tensors, model.shape, prompts, 4), strict=True):
        answer: list[int] = []
        while len(answer) < 4 and oracle.EOS not in answer:
            scores = oracle.logits(model.arrays, 2, 2, [*prompt, *answer])[-1]
            answer.append(scores.index(max(scores)))
        assert got.tolist() == answer + [oracle.PAD] * (4 - len(answer))


def test_adamw_is_the_literal_one() -> None:
    import torch

    training, decoder = part("_training"), part("_decoder")
    shape = decoder.Architecture(1, 4, 1, 4)
    rng = np.random.default_rng(6)
    count = decoder.weight_count(shape)
    start, gradients = rng.normal(size=count), rng.normal(size=(3, count))
    adam = {**training.OPTIMISER, "clip": 0.0, "weight_decay": 0.3}
    learner = training.Learner(shape, torch.from_numpy(start), adam, "cpu")
    for gradient in gradients:
        learner.step((learner.weights * torch.from_numpy(gradient).float()).sum(), 0.05)
    decay = 0.3 * decoder.decayed(shape)
    want = oracle.adamw(start.tolist(), gradients.tolist(), 0.05, 0.9, 0.99, decay.tolist())
    # Weights below 5 in single precision, three steps of a dozen roundings.
    assert np.abs(learner.weights.detach().numpy() - want).max() < 5 * 2**-24 * 36
    names = {name: decoder.named(decoder.decayed(shape), shape)[name].mean() for name in ("head", "0.up.bias")}
    assert names == {"head": 1.0, "0.up.bias": 0.0}


def test_gradients_are_clipped_at_the_stated_norm() -> None:
    import torch

    training, decoder = part("_training"), part("_decoder")
    shape = decoder.Architecture(1, 4, 1, 4)
    count = decoder.weight_count(shape)
    adam = {**training.OPTIMISER, "beta1": 0.0, "weight_decay": 0.0, "clip": 0.5}
    learner = training.Learner(shape, torch.zeros(count), adam, "cpu")
    learner.step((learner.weights * 100.0).sum(), 0.1)
    assert float(learner.first.norm()) == pytest.approx(0.5, rel=1e-4)


def test_loss_is_minus_the_log_probability_of_answers() -> None:
    """Long and short answers together, weighted; at a temperature, and by length."""
    training = part("_training")
    model = Model(2, 8, 2, 3, 3, seed=7)
    x = np.array([[0, 1, 1], [1, 1, 1], [0, 0, 1]])
    y = np.array([[0, 1, 0, 2], [1, 2, 3, 3], [1, 1, 2, 3]])
    factors = np.array([0.5, -1.0, 2.0])
    for temperature, by_length in ((1.0, False), (0.7, False), (1.3, True)):
        want = 0.0
        for prompt, row, factor in zip(x.tolist(), y.tolist(), factors, strict=True):
            answer = tuple(token for token in row if token != 3)
            loss = -math.log(model.law(prompt, 4, temperature)[answer])
            want += factor * loss / (len(answer) if by_length else 1)
        got = training.answer_loss(
            model.tensors, model.shape, x, y, factors, temperature=temperature, by_length=by_length
        )
        assert float(got) == pytest.approx(want, abs=20 * SINGLE)


def test_policy_gradient_is_that_of_the_expected_reward_at_the_temperature() -> None:
    """Sum of probability times reward times score over all answers, against a difference of the expected reward."""
    import torch

    training, decoder = part("_training"), part("_decoder")
    model = Model(1, 8, 2, 2, 2, seed=8)
    temperature, prompt = 0.6, [1, 0]
    law = model.law(prompt, 3, temperature)
    answers = np.array([[*a, *[3] * (3 - len(a))] for a in law])
    rewards = np.random.default_rng(9).random(len(law))
    flat = model.flat.clone().requires_grad_()
    weights = decoder.tensors(flat, model.shape)
    x = np.array([prompt]).repeat(len(law), axis=0)
    loss = training.answer_loss(
        weights, model.shape, x, answers, np.array(list(law.values())) * rewards, temperature=temperature
    )
    (gradient,) = torch.autograd.grad(loss, flat)
    direction = np.random.default_rng(10).normal(size=len(flat))
    direction /= np.linalg.norm(direction)

    def expected(step: float) -> float:
        moved = decoder.named(model.flat.numpy().astype(np.float64) + step * direction, model.shape)
        found = oracle.answer_law(moved, 1, 2, prompt, 3, temperature)
        return sum(q * r for q, r in zip(found.values(), rewards, strict=True))

    slope = (expected(1e-4) - expected(-1e-4)) / 2e-4
    assert -float(gradient.double().numpy() @ direction) == pytest.approx(slope, rel=1e-3)


# Data


def test_demonstrations_are_prompts_with_right_answers(package: Any) -> None:
    for d, leap in ((5, 1), (7, 2), (130, 3), (6, 5)):
        drawn = package.demonstrations(d, 0.4, 300, [3, 8], leap=leap)
        for prompt, is_long, answer in zip(
            drawn.prompt.values[1].tolist(), drawn.is_long.values[1], drawn.answer.values[1].tolist(), strict=True
        ):
            chain = oracle.right_chain(prompt, leap)
            want = [*chain, 2] if is_long else [chain[-1], 2]
            assert answer == want + [3] * (len(chain) + 1 - len(want))
        ones = drawn.prompt.values.mean()
        assert abs(ones - 0.5) < 5 * 0.5 / math.sqrt(drawn.prompt.size)
        assert abs(drawn.is_long.values.mean() - 0.4) < 5 * math.sqrt(0.24 / 600)


def test_demonstrations_depend_on_seed_and_index_alone(package: Any) -> None:
    data = part("_data")
    whole = data.draw_demonstrations(data.replicate_key(5), 0, 50, 9, 0.5, 2, 0.2, "true")
    piece = data.draw_demonstrations(data.replicate_key(5), 20, 10, 9, 0.5, 2, 0.2, "true")
    for all_, some in zip(whole, piece, strict=True):
        assert (all_[20:30] == some).all()
    alone = package.demonstrations(9, 0.5, 50, 5, leap=2, noise=0.2, noise_kind="true")
    beside = package.demonstrations(9, 0.5, 50, [4, 5], leap=2, noise=0.2, noise_kind="true")
    assert (alone.answer.values[0] == beside.answer.values[1]).all()
    assert (beside.answer.values[0] != beside.answer.values[1]).any()


@pytest.mark.parametrize("kind", ["emitted", "true"])
def test_flips_follow_the_stated_prefix(package: Any, kind: str) -> None:
    drawn = package.demonstrations(6, 1.0, 4000, 1, noise=0.1, noise_kind=kind)
    x, y = drawn.prompt.values[0].astype(int), drawn.answer.values[0, :, :6].astype(int)
    chains = np.bitwise_xor.accumulate(x, axis=1)
    before = np.concatenate([np.zeros((len(x), 1), int), (y if kind == "emitted" else chains)[:, :-1]], axis=1)
    flips = y ^ before ^ x
    spread = 5 * math.sqrt(0.09 / len(x))
    assert np.abs(flips.mean(axis=0) - 0.1).max() < spread
    assert abs((flips[:, 1] & flips[:, 2]).mean() - 0.01) < 5 * math.sqrt(0.0099 / len(x))


def test_zip_successors_rewrite_two_numbers(package: Any) -> None:
    for n_digits in (2, 3, 4):
        maps = package.successors(n_digits)
        assert maps.shape == (n_digits, 4**n_digits)
        for a, b in itertools.product(range(2**n_digits), repeat=2):
            words = [oracle.zipped(f"{a:0{n_digits}b}", f"{b:0{n_digits}b}", done) for done in range(n_digits + 1)]
            for step in range(n_digits):
                assert maps[step, int(words[step], 2)] == int(words[step + 1], 2)
        assert all(sorted(row) == list(range(4**n_digits)) for row in maps.tolist())
    drawn = package.zip_demonstrations([0.2, 0.5, 0.0], 30_000, 2)
    right = drawn.after.values[0] == package.successors(3)[drawn.step.values[0] - 1, drawn.before.values[0]]
    for step, delta in ((1, 0.2), (2, 0.5), (3, 0.0)):
        chosen = right[drawn.step.values[0] == step]
        chance = delta + (1 - delta) / 64
        assert abs(chosen.mean() - chance) < 5 * math.sqrt(chance * (1 - chance) / len(chosen))


@pytest.mark.parametrize("temperature", [1.0, 0.5])
def test_zip_tables_are_the_law_of_the_written_state(temperature: float) -> None:
    import torch

    zips, training, decoder = part("_zip"), part("_training"), part("_decoder")
    optimiser = training.checked_optimiser(None)
    setting = zips.ZipSetting(2, (0.5, 0.5), 0, 1, 8, 2, optimiser, 1, "cpu")
    flat = np.random.default_rng(11).normal(0, 0.6, decoder.weight_count(setting.shape)).astype(np.float32)
    arrays = decoder.named(flat, setting.shape)
    tables = zips.tables_of(decoder.tensors(torch.from_numpy(flat), setting.shape), setting, temperature)
    assert np.abs(tables.sum(axis=2) - 1).max() < 1e-12
    for step, before in ((0, 5), (1, 14)):
        prompt = [2 + step, *(before >> shift & 1 for shift in (3, 2, 1, 0))]
        for after in range(16):
            chance, written = 1.0, []
            for shift in (3, 2, 1, 0):
                law = oracle.law(oracle.logits(arrays, 1, 2, prompt + written)[-1], temperature)
                written.append(after >> shift & 1)
                chance *= law[written[-1]]
            assert tables[step, before, after] == pytest.approx(chance, abs=SINGLE)


def test_zip_trajectories_follow_the_tables_and_are_judged_at_the_end() -> None:
    zips, training, decoder = part("_zip"), part("_training"), part("_decoder")
    setting = zips.ZipSetting(2, (0.5, 0.5), 0, 1, 8, 2, training.checked_optimiser(None), 1, "cpu")
    flat = np.random.default_rng(12).normal(0, 0.4, decoder.weight_count(setting.shape)).astype(np.float32)
    rules = zips.ZipRules(2000, 1.0, 1e-3, 1.0, 32, 5, 0.25, 0.1, True)
    run = zips.ZipStar(setting, rules, 1, flat, 0)
    kept = run._trajectories(1)
    tables = run.history.rows["tables"][0]
    maps = zips.successors(2)
    goal = maps[1, maps[0]]
    both = tables[0][:, :, None] * tables[1][None, :, :]
    for start in range(16):
        accepted = np.where(np.arange(16) == goal[start], 0.75, 0.1) * both[start]
        found = np.zeros((16, 16))
        np.add.at(found, tuple(kept[kept[:, 0] == start][:, 1:].T), 1)
        assert np.abs((found - 2000 * accepted) / np.sqrt(2000 * accepted + 1)).max() < 5.5  # 4096 cells in all
    accuracy = np.mean([(tables[0] @ tables[1])[s, goal[s]] for s in range(16)])
    assert run.history.rows["accuracy"][0] == pytest.approx(accuracy, rel=1e-12)
    right = np.mean([tables[0][s, maps[0, s]] * tables[1][maps[0, s], goal[s]] for s in range(16)])
    assert run.history.rows["right_steps"][0] == pytest.approx(right / accuracy, rel=1e-12)


# Judging and evaluating


def rules(**changes: Any) -> Any:
    post = part("_post_training")
    plain = {
        "method": "star",
        "reward": "r_cot",
        "temperature": 1.0,
        "length_penalty": 0.0,
        "false_negative": 0.0,
        "false_positive": 0.0,
        "learning_rate": 1e-3,
        "n_samples": 4,
        "group_size": 1,
        "normalise": False,
        "by_length": False,
        "batch": 4,
        "epochs": 1.0,
        "optimiser": (),
    }
    return post.Rules(**{**plain, **changes})


def test_rewards_of_answers_written_by_hand() -> None:
    """Prompt 1 0 1: chain 1 1 0, parity 0."""
    post, data = part("_post_training"), part("_data")
    answers = [
        ([1, 1, 0, 2], True, True),
        ([0, 2, 3, 3], True, True),
        ([1, 2, 3, 3], False, False),
        ([0, 1, 0, 2], True, False),  # right at the end, wrong on the way
        ([1, 0, 2, 3], True, False),  # too short for a chain
        ([1, 1, 0, 1], False, False),  # no end
        ([2, 3, 3, 3], False, False),  # nothing
        ([1, 1, 1, 2], False, False),
    ]
    x = np.array([[1, 0, 1]] * len(answers))
    y = np.array([answer for answer, _, _ in answers])
    key = data.replicate_key(0)
    for reward, column in (("r_e2e", 1), ("r_cot", 2)):
        verdict, marks = post.judge(key, 0, x, y, 1, rules(reward=reward))
        assert verdict.tolist() == [row[column] for row in answers]
        assert marks[:, 1].tolist() == [row[1] for row in answers]
        assert marks[:, 2].tolist() == [row[2] for row in answers]
        assert marks[:, 0].tolist() == [True, False, False, True, True, True, False, True]
    n = 20_000
    noisy = rules(false_negative=0.3, false_positive=0.1)
    for row, chance in ((0, 0.7), (2, 0.1)):
        verdict, _ = post.judge(key, 0, x[[row] * n], y[[row] * n], 1, noisy)
        assert abs(verdict.mean() - chance) < 5 * math.sqrt(chance * (1 - chance) / n)


def test_advantages_worked_by_hand() -> None:
    post = part("_post_training")
    rewards = np.array([1.0, 0.0, 0.0, 0.0, 1.0, 1.0, 1.0, 1.0])
    assert post.advantages(rewards, rules(method="reinforce")) == pytest.approx(rewards - 0.625)
    grouped = post.advantages(rewards, rules(method="grpo", group_size=4, normalise=True))
    third = math.sqrt(1 / 3)  # mean 1/4, standard deviation sqrt(3)/4
    assert grouped == pytest.approx([3 * third, -third, -third, -third, 0, 0, 0, 0])
    centred = post.advantages(rewards, rules(method="grpo", group_size=4))
    assert centred == pytest.approx([0.75, -0.25, -0.25, -0.25, 0, 0, 0, 0])


@pytest.mark.parametrize("leap", [1, 2])
def test_evaluation_against_the_enumerated_law(leap: int) -> None:
    evaluation, data = part("_evaluation"), part("_data")
    d = 2 + leap
    chain = len(oracle.right_chain([0] * d, leap))
    model = Model(2, 8, 2, d, chain, seed=13)
    x = np.array(list(itertools.product((0, 1), repeat=d)))
    found = evaluation.evaluate(model.tensors, model.shape, x, leap, data.replicate_key(1), 0)
    want = dict.fromkeys(
        ("long_share", "long_correct", "short_correct", "empty", "sampled_accuracy", "mean_length"), 0.0
    )
    losses = np.zeros(chain + 1)
    for prompt in x.tolist():
        right = oracle.right_chain(prompt, leap)
        for answer, q in model.law(prompt, chain + 1).items():
            ended = answer[-1] == 2
            body = answer[:-1] if ended else answer[:chain]
            want["long_share"] += q * (len(answer) > 1 and answer[1] != 2)
            want["long_correct"] += q * (answer == (*right, 2))
            want["short_correct"] += q * (answer == (right[-1], 2))
            want["empty"] += q * (answer == (2,))
            want["sampled_accuracy"] += q * (ended and len(body) > 0 and body[-1] == right[-1])
            want["mean_length"] += q * len(body)
        for at, token in enumerate([*right, 2]):
            scores = oracle.logits(model.arrays, 2, 2, [*prompt, *right[:at]])[-1]
            losses[at] -= math.log(oracle.law(scores)[token])
    for name in ("long_share", "long_correct", "short_correct", "empty"):
        assert found[name] == pytest.approx(want[name] / len(x), abs=SINGLE), name
    assert found["chain_loss"] == pytest.approx(losses / len(x), abs=20 * SINGLE)
    # The drawn part is of one answer to each prompt: averaged over 400 numbers of draws it meets the law.
    drawn = [evaluation.evaluate(model.tensors, model.shape, x, leap, data.replicate_key(1), k) for k in range(400)]
    for name, most in (("sampled_accuracy", 1.0), ("mean_length", 2.0 * chain)):
        values = np.array([row[name] for row in drawn])
        error = values.std() / 20 + 1e-3 * most
        assert abs(values.mean() - want[name] / len(x)) < 5 * error, name
    greedy = part("_decoder").roll_out(model.tensors, model.shape, x, chain + 1)
    last = evaluation.last_tokens(greedy)
    parity = x.sum(axis=1) % 2
    assert found["greedy_accuracy"] == pytest.approx((last == parity).mean())
    assert found["greedy_length"] == pytest.approx(evaluation.answer_lengths(greedy)[0].mean())


# Runs: reproducible, resumable, and learning


def same(left: Any, right: Any) -> bool:
    return bool(left.drop_attrs().identical(right.drop_attrs()))


@pytest.mark.parametrize("name", RUNS)
def test_a_replicate_has_the_same_bits_alone_and_in_company(package: Any, name: str) -> None:
    run = getattr(package, name)
    both = run(seeds=[4, 9], **CALLS[name])
    alone = run(seeds=9, **CALLS[name])
    assert same(both.isel(replicate=[1]), alone)
    assert not same(both.isel(replicate=[0]), alone)
    assert next(iter(both.dims)) == "replicate"
    assert both.seed.values.tolist() == [4, 9]
    for variable in both.data_vars.values():
        assert variable.attrs["long_name"]
        assert variable.attrs["units"]
        assert np.isfinite(variable.values).all()
    assert {"torch_version", "device", "threads", "experiment"} <= set(both.attrs)


def test_processes_give_the_same_bits(package: Any) -> None:
    run = package.star
    assert same(run(seeds=[4, 9], **CALLS["star"], jobs=2), run(seeds=[4, 9], **CALLS["star"]))


class Stop:
    """Sends the process a signal once a run's unit has been done so often, in the middle of its work."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, kind: type, after: int) -> None:
        self.left = after
        advance = kind.advance  # type: ignore[attr-defined]

        def counted(run: Any) -> None:
            self.left -= 1
            if self.left == 0:
                os.kill(os.getpid(), signal.SIGINT)
            advance(run)

        monkeypatch.setattr(kind, "advance", counted)


KINDS = {
    "pretrain": ("_training", "Pretraining"),
    "star": ("_post_training", "PostTraining"),
    "reinforce": ("_post_training", "PostTraining"),
    "grpo": ("_post_training", "PostTraining"),
    "zip_star": ("_zip", "ZipStar"),
}


@pytest.mark.parametrize("name", RUNS)
def test_an_interrupted_run_goes_on_with_the_same_bits(
    package: Any, name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    run = getattr(package, name)
    want = run(seeds=2, **CALLS[name])
    module, kind = KINDS[name]
    for after in (2, 1):  # stopped twice, the second time at the first unit after going on
        with monkeypatch.context() as patch:
            Stop(patch, getattr(part(module), kind), after)
            with pytest.raises(KeyboardInterrupt):
                run(seeds=2, **CALLS[name], checkpoints=tmp_path)
        (line,) = [line for line in capsys.readouterr().err.splitlines() if line.startswith("interrupted: ")]
        path = Path(line.partition(", kept in ")[2])
        assert path.is_file()
        assert path.parent == tmp_path
    assert re.search(r"stopped at 3 of \d", line)
    assert same(run(seeds=2, **CALLS[name], checkpoints=tmp_path), want)
    assert same(run(seeds=2, **CALLS[name], checkpoints=tmp_path), want)  # nothing left to do
    assert not list(tmp_path.glob("*.part"))


KILLED = """
import os, sys
from sims import transformer
from sims.transformer import _checkpoints, _training
_checkpoints.drive.__kwdefaults__["every"] = 0.0
advance, left = _training.Pretraining.advance, [4]
def counted(run):
    left[0] -= 1
    advance(run)
    if left[0] < 0:
        os._exit(9)
_training.Pretraining.advance = counted
transformer.pretrain(seeds=2, checkpoints=sys.argv[1], **eval(sys.argv[2]))
"""


def test_a_killed_run_goes_on_with_the_same_bits(package: Any, tmp_path: Path) -> None:
    """Killed in its fifth step: the checkpoint holds four."""
    done = subprocess.run([sys.executable, "-c", KILLED, str(tmp_path), repr(CALLS["pretrain"])], cwd=ROOT, check=False)
    assert done.returncode == 9
    (path,) = tmp_path.glob("pretrain-*.checkpoint")
    assert int(part("_checkpoints").load(path)["done"]) == 4
    assert same(
        package.pretrain(seeds=2, checkpoints=tmp_path, **CALLS["pretrain"]),
        package.pretrain(seeds=2, **CALLS["pretrain"]),
    )


def test_damaged_checkpoints_are_refused_by_name(package: Any, tmp_path: Path) -> None:
    package.pretrain(seeds=2, checkpoints=tmp_path, **CALLS["pretrain"])
    (path,) = tmp_path.glob("pretrain-*.checkpoint")
    whole = path.read_bytes()
    for damaged in (whole[:-1], b"", whole[:200] + b"x" + whole[201:]):
        path.write_bytes(damaged)
        with pytest.raises(ValueError, match=f"checkpoint must be whole, .*delete {re.escape(str(path))}"):
            package.pretrain(seeds=2, checkpoints=tmp_path, **CALLS["pretrain"])


def test_post_training_starts_from_the_kept_weights(
    package: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One pre-training serves all stages, also through the environment, and only an equal one."""
    training = part("_training")
    common = {key: CALLS["star"][key] for key in ("d", "p_cot")} | TINY
    weights = package.pretrained(n_steps=3, seed=2, checkpoints=tmp_path, **common)
    assert len(list(tmp_path.glob("weights-*"))) == 1
    monkeypatch.setattr(training.Pretraining, "advance", lambda run: pytest.fail("trained again"))
    monkeypatch.setenv("COTBOUNDS_CHECKPOINTS", str(tmp_path))
    for name in ("star", "reinforce", "grpo"):
        run = getattr(package, name)(seeds=2, **CALLS[name])
        assert run.sizes["replicate"] == 1
    again = package.pretrained(n_steps=3, seed=2, **common)
    assert all((again[name] == value).all() for name, value in weights.items())
    with pytest.raises(pytest.fail.Exception):
        package.pretrained(n_steps=4, seed=2, **common)


def test_a_small_decoder_learns_the_chain_and_star_prefers_it(package: Any, tmp_path: Path) -> None:
    """Not a claim, a sign of life: at d = 4, where the short route can be learned as well."""
    common = {"d": 4, "p_cot": 0.5, "width": 32, "progress": False, "checkpoints": tmp_path}
    run = package.pretrain(n_steps=250, seeds=0, record_at=[0, 250], **common)
    assert run.greedy_accuracy.values[0, 1] > 0.9
    assert run.long_correct.values[0, 0] < 0.05
    assert run.long_correct.values[0, 1] > 0.35
    assert run.chain_loss.values[0, 1, 2:].max() < 0.2  # the two tokens before hold the choice of the route
    star = package.star(pretrain_steps=250, n_rounds=2, n_samples=256, seeds=0, **common)
    assert star.long_correct.values[0, 0] == run.long_correct.values[0, 1]
    assert (star.kept.values[0, 1:] > 128).all()
    penalised = package.star(pretrain_steps=250, n_rounds=2, n_samples=256, seeds=0, length_penalty=2.0, **common)
    assert penalised.long_share.values[0, 2] < star.long_share.values[0, 2] - 0.2


# The house's rules for public functions and for the command


def test_examples_names_and_documentation(package: Any) -> None:
    finder = doctest.DocTestFinder(exclude_empty=True)
    count = 0
    for module in modules(EXTRA, private=True):
        assert (inspect.getdoc(module) or "").strip()
        assert doctest.testmod(module).failed == 0
        count += sum(len(test.examples) for test in finder.find(module))
    assert count >= 16
    from tests.test_validate import documented

    found = functions(EXTRA)
    assert {name.rpartition(".")[2] for name in found} >= {*RUNS, "pretrained", "demonstrations", "successors"}
    for full, function in found.items():
        assert set(documented(function)) == set(inspect.signature(function).parameters), full
        text = inspect.getdoc(function) or ""
        for section in ("Parameters", "Returns", "Raises", "Examples"):
            assert f"{section}\n{'-' * len(section)}\n" in text, f"{full} lacks {section}"


BAD: list[Any] = [None, "x", b"1", True, 1j, object(), {}, {0.5}, math.nan, math.inf, -1, -0.5, 10**400, [[1], [2, 3]]]
SILENT = {"progress", "tables", "by_length", "normalise"}  # any truth value
OPTIONAL = {"record_at", "optimiser", "checkpoints"}


def test_bad_input_is_a_value_error_that_names_it(package: Any) -> None:
    for full, function in functions(EXTRA).items():
        arguments = example(full, EXTRA)
        assert arguments is not None
        for name in set(inspect.signature(function).parameters) - SILENT:
            for value in BAD:
                if name in OPTIONAL and value in (None, {}, "x"):
                    continue
                if name == "delta" and value == [[1], [2, 3]]:  # NumPy refuses it in words of its own
                    continue
                try:
                    function(**{**arguments, name: value})
                except ValueError as error:
                    assert name.rstrip("s") in str(error), f"{full}({name}={value!r}): {error}"  # noqa: PT017
                else:
                    assert (name, value) in {("jobs", -1)}, f"{full}({name}={value!r}) passed"


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"width": 9}, r"^width must be a multiple of heads = 2, got 9$"),
        ({"leap": 4}, r"^leap must be an integer in \[1, 3\], got 4$"),
        ({"optimiser": {"rate": 1}}, r"^optimiser must be a mapping with keys among batch, .*, got \{'rate': 1\}$"),
        ({"optimiser": {"batch": 0}}, r"^optimiser\['batch'\] must be an integer in \[1, 1000000\], got 0$"),
        ({"record_at": [3, 2]}, r"^record_at must increase, got \[3, 2\]$"),
        ({"record_at": [8]}, r"^record_at must be an integer in \[0, 7\], got 8$"),
        ({"jobs": 0}, r"^jobs must be -1 or"),
        ({"device": "tpu"}, r"^device must be one of auto, cpu, cuda, got 'tpu'$"),
    ],
)
def test_refusals(package: Any, changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        package.pretrain(**{**CALLS["pretrain"], "seeds": 0, **changes})


@pytest.mark.parametrize("name", RUNS)
def test_the_registry_agrees_and_the_command_gives_the_same_bits(
    package: Any, name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    import xarray

    from sims import sweeps
    from sims.__main__ import main

    (experiment,) = [e for e in _experiments.EXPERIMENTS if e.name == f"transformer.{name}"]
    assert experiment.extra == "transformer"
    signature = inspect.signature(getattr(package, name)).parameters
    known = {parameter.name: parameter for parameter in experiment.parameters}
    assert set(signature) - set(known) == {"seeds", "checkpoints", "jobs", "progress"}
    for parameter in experiment.parameters:
        default = signature[parameter.name].default
        assert default == (inspect.Parameter.empty if parameter.default == _experiments.REQUIRED else parameter.default)
    values = {**{p.name: p.default for p in experiment.parameters}, **experiment.example}
    assert 0 < experiment.cost(values) < 10
    settings = [text for key, value in experiment.example.items() for text in ("--set", f"{key}={value}")]
    out = tmp_path / "run.nc"
    assert main(["run", experiment.name, *settings, "--seeds", "2", "--out", str(out), "--quiet"]) == 0
    want = getattr(package, name)(**experiment.example, seeds=range(2), progress=False)
    with xarray.open_dataset(out, engine="h5netcdf") as got:
        assert same(got.load(), want)
        assert got.attrs["torch_version"] == want.attrs["torch_version"]
    from sims.sweeps._parts import origin

    assert json.loads(origin("sims", experiment.module))["versions"]["torch"] == want.attrs["torch_version"]
    first = next(iter(experiment.example))
    fixed = {key: value for key, value in experiment.example.items() if key != first}
    swept = sweeps.run(experiment, {first: [experiment.example[first]]}, fixed, seeds=[3, 8])
    assert int(sweeps.replay(swept, {first: experiment.example[first]}, 1)["seed"].values[0]) == 8
    del capsys


# The demonstration


def test_the_demonstration_trains_compares_and_draws(
    package: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from proofs_check.transformer import demo
    from proofs_check.transformer.__main__ import app

    found = demo.train(4, 0.25, 20, 2, n_samples=64, width=8, heads=2, progress=False)
    assert found.before.sizes["step"] == 15
    assert found.after.sizes["round"] == 3
    header, units, *rows = demo.compare(found)
    assert header.split("  ")[-1].strip() == "mean length"
    assert units.split() == ["round"] + ["seen", "theory"] * 4
    theory = [[float(word) for word in row.split()[2::2]] for row in rows]
    # p = 1/4, then 2/5 and 4/7: odds double; accuracy (1 + p)/2; greedy 1 above 1/3; length 1 + 3 p.
    assert theory == [[0.25, 0.625, 0.5, 1.75], [0.4, 0.7, 1.0, 2.2], [0.571, 0.786, 1.0, 2.714]]
    seen = [float(row.split()[1]) for row in rows]
    assert seen == [round(float(value), 3) for value in found.after.long_share.values[0]]
    assert [len(ax.lines) for ax in demo.draw(found).axes] == [4, 4, 4, 4]
    words = ["--d", "3", "--steps", "2", "--rounds", "1", "--out", str(tmp_path)]
    app(["demo", *words], standalone_mode=False)
    assert {path.name for path in tmp_path.iterdir()} == {"transformer.png", "transformer.svg"}
    app(["paper", "--out", str(tmp_path / "a.nc"), "--dry-run"], standalone_mode=False)
    out = capsys.readouterr().out
    assert "transformer.star: 7 p_cot x 3 depth x 2 width x 3 seeds" in out
    assert not (tmp_path / "a.nc").exists()
