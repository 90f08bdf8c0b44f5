"""STaR on the autoregressive linear model: sample, filter, retrain, round after round."""

from __future__ import annotations

import math
import os
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import numpy as np

from sims._streams import mix_seed
from sims._validate import choice, integer, real
from sims._validate import seeds as checked_seeds
from sims.linear_model._arguments import ridge_values
from sims.linear_model._descent import BLOCK
from sims.linear_model._descent import prompts as fill_prompts
from sims.linear_model._evaluation import evaluate
from sims.post_training._rollout import demonstrate, pool_prompts, reward, roll_out
from sims.post_training._training import begin, close, feed

if TYPE_CHECKING:
    import xarray

__all__ = ["star"]

CELL = np.uint64(51)  # names this experiment in a replicate's key
CHUNK = 4096  # answers drawn before they are trained on
EVERY = 10  # up to this d all prompts are evaluated
UNLIMITED = np.int64(2**62)
LARGEST = 4096  # of d
MEANS = ("first_token", "stop_agree", "stop_disagree", "long_correct", "short_correct")
TALLY = ("drawn", "drawn_long", "drawn_correct", "drawn_exact", "kept", "kept_long", "kept_correct")


def _root(residual: Callable[[float], float]) -> float:
    """The root of a decreasing function, by bisection to the last digit."""
    low, high = -1e4, 1e4
    for _ in range(200):
        middle = 0.5 * (low + high)
        if residual(middle) > 0:
            low = middle
        else:
            high = middle
    return 0.5 * (low + high)


def _sigma(z: float) -> float:
    return 1 / (1 + math.exp(-z)) if z > -700 else 0.0


def optimum(d: int, p: float, ridge: np.ndarray, token_error: float | None) -> tuple[np.ndarray, np.ndarray]:
    """Weights at the exact minimiser of the ridge losses on D(p), in the kernels' layout; or chain errors as given."""
    heads = np.zeros((3, d + 1))
    heads[0, 0] = _root(lambda w: (1 + p) / 2 - _sigma(w) - ridge[0] * w)
    agree = _root(lambda z: (1 - p) / 2 - (1 + p) / 2 * _sigma(z) - ridge[1] * z / 2)
    other = _root(lambda z: (1 - p) / 2 * _sigma(-z) - ridge[1] * z / 2)
    heads[1, d], heads[2, 0] = (agree + other) / 2, (agree - other) / 2
    third = -(-d // 4) * 4
    chain = np.zeros((3 * third, -(-(d - 1) // 8) * 8))
    for j in range(d - 1):
        lam = ridge[2 + j]
        weight = _root(lambda w, lam=lam: _sigma(-w) - lam * w)  # type: ignore[misc]
        chain[third + j + 1, j] = weight if token_error is None else math.log((1 - token_error) / token_error)
    return heads, chain


class _Replicate:
    """One model with its training state and buffers: O(d^2 + 4096 d/64) memory."""

    def __init__(self, d: int, seed: np.uint64, ridge: np.ndarray, clock: int) -> None:
        self.d, self.clock = d, clock
        self.key = np.uint64(mix_seed(seed, CELL))
        words = (d + 63) // 64
        third, columns = -(-d // 4) * 4, -(-(d - 1) // 8) * 8
        chain_ridge = np.zeros(columns)
        chain_ridge[: d - 1] = 1.0 / ridge[2:]
        chain_caps = np.zeros(columns, np.int64)
        chain_caps[: d - 1] = UNLIMITED
        self.heads_out, self.chain_out = np.zeros((3, d + 1)), np.zeros((3 * third, columns))
        self.bits, self.tokens = np.zeros((CHUNK, words), np.uint64), np.zeros((CHUNK, words), np.uint64)
        self.is_long, self.kept = np.zeros(CHUNK, np.bool_), np.zeros(CHUNK, np.bool_)
        self.waiting = np.zeros(CHUNK, np.int64)
        self.rates = (1.0 / ridge[:2], chain_ridge, np.full(2, UNLIMITED), chain_caps)
        self.heads = np.zeros((-(-(d + 1) // 4) * 4, 8))
        self.chain = np.zeros((2, 3 * third, columns))
        self.counters = np.zeros(4, np.int64)
        self.blocks = (np.zeros((BLOCK, (d + 64) // 64), np.uint64), np.zeros((2, BLOCK)))
        self.chain_blocks = (np.zeros((BLOCK, words), np.uint64), np.zeros((BLOCK, words), np.uint64))

    def begin(self, clock: int) -> None:
        begin(self.d, clock, self.heads_out, self.chain_out, self.heads, self.chain, self.counters)

    def train(self, count: int, clock: int) -> None:
        feed(
            count, self.bits, self.tokens, self.is_long, self.kept, self.d, clock, *self.rates,
            self.heads, *self.blocks, self.chain, *self.chain_blocks, self.counters,
        )  # fmt: skip

    def close(self, clock: int) -> None:
        close(
            self.d, clock, *self.rates, self.heads, *self.blocks, self.chain, *self.chain_blocks, self.counters,
            self.heads_out, self.chain_out,
        )  # fmt: skip

    def pretrain(self, p_cot: float, n_samples: int, noise: float, emitted: bool, stop: threading.Event) -> None:
        self.begin(0)
        self.kept[:] = True
        for first in range(0, n_samples, CHUNK):
            if stop.is_set():
                return
            count = min(CHUNK, n_samples - first)
            demonstrate(self.key, first, count, self.d, p_cot, noise, emitted, self.bits, self.tokens, self.is_long)
            self.train(count, 0)
        self.close(0)

    def post_train(
        self, number: int, n_samples: int, pool: np.ndarray, settings: tuple[Any, ...], stop: threading.Event
    ) -> np.ndarray:
        """One round; returns its tally."""
        temperature, whole, keep_long, false_negative, false_positive = settings
        heads, chain = self.heads_out.copy(), self.chain_out.copy()  # the sampling model stays fixed in the round
        tally = np.zeros(len(TALLY), np.int64)
        self.begin(self.clock)
        for first in range(0, n_samples, CHUNK):
            if stop.is_set():
                break
            count = min(CHUNK, n_samples - first)
            roll_out(
                self.key, number, first, count, self.d, heads, chain, temperature, pool,
                self.bits, self.tokens, self.is_long, self.waiting,
            )  # fmt: skip
            reward(
                self.key, number, first, count, self.d, whole, keep_long, false_negative, false_positive,
                self.bits, self.tokens, self.is_long, self.kept, tally,
            )  # fmt: skip
            self.train(count, self.clock)
        self.close(self.clock)
        return tally


class _Results:
    def __init__(self, d: int, replicates: int, n_rounds: int, prompts: int) -> None:
        shape = (replicates, n_rounds + 1)
        self.prompts = prompts
        self.means = np.zeros((*shape, len(MEANS)))
        self.long = np.zeros(shape)
        self.errors = np.zeros((*shape, d - 1))
        self.greedy = np.zeros((*shape, 3))  # accuracy, length, share that goes on
        self.tally = np.zeros((*shape, len(TALLY)), np.int64)

    def record(self, r: int, n: int, d: int, bits: np.ndarray, heads: np.ndarray, chain: np.ndarray) -> None:
        table = np.zeros((5, len(bits)))
        flags = np.zeros((2, len(bits)), np.int64)
        errors, largest = np.zeros(chain.shape[1]), np.zeros(chain.shape[1])
        evaluate(bits, d, heads, chain, True, table, errors, largest, flags)
        self.means[r, n] = table.mean(axis=1)
        self.long[r, n] = (table[0] * (1 - table[1]) + (1 - table[0]) * (1 - table[2])).mean()
        self.errors[r, n] = errors[: d - 1] / len(bits)
        self.greedy[r, n] = flags[1].mean(), flags[0].mean(), (flags[0] > 1).mean()


def star(
    d: int,
    p_0: float,
    n_samples: int,
    n_rounds: int,
    seeds: int | Any,
    *,
    ridge: Any = 0.01,
    reward: str = "r_cot",
    pretrain_samples: int = 0,
    start_ridge: Any = None,
    start_token_error: float | None = None,
    warm_start: int = 0,
    temperature: float = 1.0,
    length_penalty: float = 0.0,
    false_negative: float = 0.0,
    false_positive: float = 0.0,
    noise: float = 0.0,
    noise_kind: str = "emitted",
    n_pool: int = 0,
    n_prompts: int = 256,
    jobs: int = 1,
) -> xarray.Dataset:
    r"""Post-train the linear model by STaR: each round draws answers, keeps rewarded ones, and trains on them by SGD.

    Parameters
    ----------
    d : int
        Length of the prompt, 2 <= d <= 4096 (the theory takes d >= 3).
    p_0 : float
        Share of long demonstrations that the first model has learned, in (0, 1).
    n_samples : int
        Answers drawn in every round, an integer in [1, 1000000000].
    n_rounds : int
        Rounds, an integer in [0, 1000].
    seeds : int or sequence of int
        One replicate each, distinct, in [0, 2**63).
    ridge : float, mapping or sequence, optional
        lambda of every training, in [1e-12, 1e12], in the forms of :func:`sims.linear_model.pretrain`.
    reward : {"r_cot", "r_e2e"}, optional
        Whether an answer must be one of the two right ones throughout, or only end in the parity.
    pretrain_samples : int, optional
        Demonstrations of D(p_0) for the first model, an integer in [0, 1000000000]; 0 starts at the exact minimiser of
        the ridge losses instead.
    start_ridge : float, mapping or sequence, optional
        lambda of the first model, as `ridge`, which is the default.
    start_token_error : float, optional
        Error of every chain token of the first model, in (0, 1), where it starts at the minimiser.
    warm_start : int, optional
        0: every round trains from zero, with steps 1/(lambda t), t = 1, 2, ... A number t_0 >= 1: it goes on from the
        weights of the round before as if t_0 steps had led to them: 1/(lambda t) with t = t_0 + 1, t_0 + 2, ...
        The model of a round is the average over the round's iterates in both cases. In [0, 1000000000].
    temperature : float, optional
        Divides every logit while answers are drawn, in [1e-6, 1e6].
    length_penalty : float, optional
        beta in [0, 1000]: a long answer is kept with the further probability exp(-beta (d-1)).
    false_negative, false_positive : float, optional
        Chances that the verifier rejects what is right or accepts what is wrong, each in [0, 1].
    noise : float, optional
        Chance in [0, 0.5] that a token of a long demonstration is flipped; needs `pretrain_samples`.
    noise_kind : {"emitted", "true"}, optional
        Whether the tokens after a flip continue the emitted prefix or the true one.
    n_pool : int, optional
        0: fresh prompts; else the number of prompts, at most 10000000, that every round reuses in turn.
    n_prompts : int, optional
        Prompts at which each model is evaluated, an integer in [1, 1000000]; for d <= 10 all 2^d are taken instead.
    jobs : int, optional
        Threads, each with replicates of its own; -1 takes one for each processor. The result does not depend on it.

    Returns
    -------
    xarray.Dataset
        Over (replicate, round), round 0 being the first model. Exact, averaged over the prompts, at temperature 1:
        ``long_fraction`` (probability of going on after the first token), ``length`` (mean answer tokens, EOS
        excluded), ``first_token``, ``stop_agree``, ``stop_disagree``, ``long_correct``, ``short_correct``,
        ``chain_error`` (mean over positions), ``greedy_accuracy``, ``greedy_length``, ``greedy_long`` (share of prompts
        with a long greedy answer). Counted in the sample that led to the round, 0 in round 0: ``drawn``,
        ``drawn_long``, ``drawn_correct`` (right last token), ``drawn_exact`` (right long answer), ``kept``,
        ``kept_long``, ``kept_correct``.

    Raises
    ------
    ValueError
        Outside the ranges above, or noise without pre-training.

    Notes
    -----
    Tsilivis, Malach, Ullrich and Kempe (arXiv 2510.11495), Algorithm 1. A position for which a round keeps no answer
    keeps its weights; so an empty round changes nothing. Time O(d) for a short answer and O(d^2) for a long one, memory
    O(d^2) for each replicate at work. Fresh prompts of different rounds are independent.

    Examples
    --------
    >>> run = star(5, 0.2, 4000, 2, seeds=[0, 1], start_ridge=1e-4)
    >>> run.long_fraction.dims, bool((run.greedy_accuracy.isel(round=-1) > 0.8).all())
    (('replicate', 'round'), True)
    """
    d = integer("d", d, 2, LARGEST)
    p_0 = real("p_0", p_0, 0.0, 1.0, open_low=True, open_high=True)
    n_samples = integer("n_samples", n_samples, 1, 10**9)
    n_rounds = integer("n_rounds", n_rounds, 0, 1000)
    replicates = checked_seeds(seeds)
    ridges = ridge_values(ridge, d)
    whole = choice("reward", reward, ("r_cot", "r_e2e")) == "r_cot"
    pretrain_samples = integer("pretrain_samples", pretrain_samples, 0, 10**9)
    first_ridges = ridges if start_ridge is None else ridge_values(start_ridge, d)
    if start_token_error is not None:
        start_token_error = real("start_token_error", start_token_error, 0.0, 1.0, open_low=True, open_high=True)
    clock = integer("warm_start", warm_start, 0, 10**9)
    temperature = real("temperature", temperature, 1e-6, 1e6)
    beta = real("length_penalty", length_penalty, 0.0, 1000.0)
    mu = real("false_negative", false_negative, 0.0, 1.0)
    nu = real("false_positive", false_positive, 0.0, 1.0)
    eta = real("noise", noise, 0.0, 0.5)
    emitted = choice("noise_kind", noise_kind, ("emitted", "true")) == "emitted"
    n_pool = integer("n_pool", n_pool, 0, 10**7)
    n_prompts = integer("n_prompts", n_prompts, 1, 10**6)
    jobs = integer("jobs", jobs, -1)
    if jobs == 0:
        raise ValueError("jobs must be -1 or an integer in [1, inf), got 0")
    if eta > 0 and pretrain_samples == 0:
        raise ValueError(f"noise must be 0 without pretrain_samples, got {noise!r}")
    if start_token_error is not None and pretrain_samples > 0:
        raise ValueError(f"start_token_error must be None with pretrain_samples, got {start_token_error!r}")

    shown = 2**d if d <= EVERY else n_prompts
    results = _Results(d, len(replicates), n_rounds, shown)
    settings = (temperature, whole, math.exp(-beta * (d - 1)), mu, nu)
    stop = threading.Event()

    def work(r: int) -> None:
        if stop.is_set():
            return
        run = _Replicate(d, replicates[r], first_ridges, clock)
        bits = np.zeros((shown, (d + 63) // 64), np.uint64)
        fill_prompts(run.key, d, d <= EVERY, bits)
        if pretrain_samples:
            run.pretrain(p_0, pretrain_samples, eta, emitted, stop)
        else:
            run.heads_out[:], run.chain_out[:] = optimum(d, p_0, first_ridges, start_token_error)
        inverse = np.zeros(run.chain.shape[2])
        inverse[: d - 1] = 1.0 / ridges[2:]
        run.rates = (1.0 / ridges[:2], inverse, *run.rates[2:])
        pool = np.zeros((n_pool, (d + 63) // 64), np.uint64)
        pool_prompts(run.key, d, pool)
        results.record(r, 0, d, bits, run.heads_out, run.chain_out)
        for number in range(1, n_rounds + 1):
            results.tally[r, number] = run.post_train(number, n_samples, pool, settings, stop)
            if stop.is_set():
                return
            results.record(r, number, d, bits, run.heads_out, run.chain_out)

    workers = min(len(replicates), (os.cpu_count() or 1) if jobs == -1 else jobs)
    with ThreadPoolExecutor(workers) as executor:
        try:
            for future in [executor.submit(work, r) for r in range(len(replicates))]:
                future.result()
        finally:
            stop.set()
    attributes = {
        "experiment": "post_training.star",
        "d": d,
        "p_0": p_0,
        "n_samples": n_samples,
        "ridge": ridges if len(set(ridges)) > 1 else float(ridges[0]),
        "reward": reward,
        "pretrain_samples": pretrain_samples,
        "start_ridge": first_ridges if len(set(first_ridges)) > 1 else float(first_ridges[0]),
        "start_token_error": "optimum" if start_token_error is None else start_token_error,
        "warm_start": clock,
        "temperature": temperature,
        "length_penalty": beta,
        "false_negative": mu,
        "false_positive": nu,
        "noise": eta,
        "noise_kind": noise_kind,
        "n_pool": n_pool,
        "n_prompts": shown,
    }
    return _labelled(d, results, replicates, attributes)


def _labelled(d: int, results: _Results, replicates: np.ndarray, attributes: dict[str, Any]) -> xarray.Dataset:
    import xarray

    over = ("replicate", "round")
    meanings = {
        "first_token": "P(y_1 = x_1)",
        "stop_agree": "P(EOS | y_1 = x_1)",
        "stop_disagree": "P(EOS | y_1 = -x_1)",
        "long_correct": "P(right long answer)",
        "short_correct": "P(right short answer)",
    }
    variables: dict[str, Any] = {
        "long_fraction": (over, results.long, {"units": "1", "long_name": "P(going on after the first token)"}),
        "length": (over, 1 + (d - 1) * results.long, {"units": "tokens", "long_name": "mean length of an answer"}),
        "chain_error": (
            over,
            results.errors.mean(axis=2),
            {"units": "1", "long_name": "P(wrong token | right prefix)"},
        ),
        "greedy_accuracy": (over, results.greedy[..., 0], {"units": "1", "long_name": "right greedy answers"}),
        "greedy_length": (over, results.greedy[..., 1], {"units": "tokens", "long_name": "length of greedy answers"}),
        "greedy_long": (over, results.greedy[..., 2], {"units": "1", "long_name": "prompts with long greedy answers"}),
    }
    for index, name in enumerate(MEANS):
        variables[name] = (over, results.means[..., index], {"units": "1", "long_name": meanings[name]})
    for index, name in enumerate(TALLY):
        meaning = f"answers of the sample that led to the round: {name.replace('_', ', ')}"
        variables[name] = (over, results.tally[..., index], {"units": "answers", "long_name": meaning})
    coordinates = {
        "seed": ("replicate", replicates.astype(np.int64)),
        "round": np.arange(results.long.shape[1]),
    }
    return xarray.Dataset(variables, coordinates, attributes)
