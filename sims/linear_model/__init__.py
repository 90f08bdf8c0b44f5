r"""Pre-training of the autoregressive linear model by stochastic gradient descent, and its evaluation.

The model of N. Tsilivis, E. Malach, K. Ullrich and J. Kempe (arXiv 2510.11495) is one logistic predictor a position:

* position 1: the logit of y_1 = +1 is <w_1, x>;
* position 2a (EOS, or go on): the logit of EOS is <w_2a, (x, y_1, y_1x_1..y_1x_d)> + b;
* position l = 2..d: the logit of y_l = +1 is <w_l, (x, y_1..y_{l-1}, y_{l-1}x_1..y_{l-1}x_d)>.

Each minimises its logistic loss plus (lambda/2)|w|^2 (the bias b is penalised too) by steps 1/(lambda t) from w = 0 on
a fresh demonstration of D(p_cot) a step, and keeps the average of its iterates w^(1)..w^(T) (their Algorithm 3).
Positions 1 and 2a see every demonstration, positions l >= 2 the long ones. Training is carried out in a form in which
weights only accumulate, blocks of demonstrations at a time: the same numbers as step by step, up to rounding.

A replicate's result is a function of its seed and the parameters, whatever runs beside it.
"""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

from sims._streams import mix_seed
from sims._validate import choice, integer, real, signs
from sims._validate import seeds as checked_seeds
from sims.linear_model._arguments import HEADS, ridge_values, step_values
from sims.linear_model._descent import BLOCK, advance, draw, finish
from sims.linear_model._descent import prompts as fill_prompts
from sims.linear_model._evaluation import decode_prompts, evaluate

if TYPE_CHECKING:
    import xarray

__all__ = ["decode", "draw_demonstrations", "evaluation_prompts", "pretrain"]

CELL = np.uint64(2)  # names this experiment in a replicate's key
DECODE = np.uint64(3)
EVERY = 10  # up to this d all prompts are evaluated
LARGEST = 4096  # of d


def _key(seed: np.uint64) -> np.uint64:
    # A compiled function returns a plain int, which would be typed anew, by its size, where it is passed on.
    return np.uint64(mix_seed(seed, CELL))


def _rounded(number: int, multiple: int) -> int:
    return -(-number // multiple) * multiple


def _chain_shape(d: int, with_chain: bool) -> tuple[int, int]:
    """Rows and columns of the kernels' chain weights; a stub where the chain is left out."""
    return (3 * _rounded(d, 4), _rounded(d - 1, 8)) if with_chain else (12, 8)


class _Run:
    """One replicate: its state, advanced piece by piece so that an interrupt is heard between two pieces."""

    def __init__(
        self, d: int, p_cot: float, seed: np.uint64, ridge: np.ndarray, caps: np.ndarray, with_chain: bool
    ) -> None:
        self.d, self.p_cot, self.key = d, p_cot, _key(seed)
        rows, columns = _chain_shape(d, with_chain)
        chain_caps = np.zeros(columns, np.int64)
        chain_inverse = np.zeros(columns)
        if with_chain:
            chain_caps[: d - 1] = caps[2:]
            chain_inverse[: d - 1] = 1.0 / ridge[2:]
        # The kernels' arguments, in their order; they change the arrays in place.
        self.heads = [
            np.zeros((_rounded(d + 1, 4), 8)),
            caps[:2].copy(),
            1.0 / ridge[:2],
            np.zeros((BLOCK, (d + 64) // 64), np.uint64),
            np.zeros((2, BLOCK)),
        ]
        self.chain = [
            np.zeros((2, rows, columns)),
            chain_caps,
            chain_inverse,
            np.zeros((BLOCK, (d + 63) // 64), np.uint64),
        ]
        self.counters = np.zeros(3, np.int64)
        self.drawn = 0
        self.piece = 64

    def advance_to(self, target: int, stop: threading.Event) -> None:
        """Draw up to sample `target`; how the pieces are cut has no influence on the result."""
        while self.drawn < target and not stop.is_set():
            last = min(target, self.drawn + self.piece)
            began = time.perf_counter()
            advance(self.key, self.d, self.p_cot, self.drawn, last, *self.heads, *self.chain, self.counters)
            spent = time.perf_counter() - began
            if spent < 0.05 and last - self.drawn == self.piece:
                self.piece *= 2
            elif spent > 0.15:
                self.piece = max(1, self.piece // 2)
            self.drawn = last

    def average(self, final: bool) -> tuple[np.ndarray, np.ndarray]:
        """The averaged weights now; waiting samples go into a copy, so that going on later is undisturbed."""
        heads, chain = self.heads, self.chain
        if not final:
            heads, chain = ([array.copy() for array in part] for part in (heads, chain))
        heads_out = np.zeros((3, self.d + 1))
        chain_out = np.zeros(chain[0].shape[1:])
        finish(self.d, self.drawn, *heads, *chain, self.counters, heads_out, chain_out)
        return heads_out, chain_out

    def forget(self) -> None:
        """Free the arrays; the number of samples drawn stays readable."""
        self.heads, self.chain = [], []


class _Results:
    """Arrays (replicate, sample count, ...) of everything measured."""

    def __init__(self, d: int, replicates: int, records: int, n_prompts: int, positions: tuple[str, ...]) -> None:
        self.d, self.positions = d, positions
        self.table = np.zeros((replicates, records, 5, n_prompts))
        self.flags = np.zeros((replicates, records, 2, n_prompts), np.int64)
        _, columns = _chain_shape(d, "chain" in positions)
        self.errors = np.zeros((replicates, records, columns))
        self.largest = np.zeros((replicates, records, columns))
        self.long = np.zeros((replicates, records), np.int64)
        self.heads: np.ndarray | None = None
        self.chain: np.ndarray | None = None

    def keep_weights(self, heads: tuple[int, int], chain: tuple[int, int]) -> None:
        self.heads = np.zeros(self.errors.shape[:2] + heads)
        self.chain = np.zeros(self.errors.shape[:2] + chain)


def _bits_of(x: np.ndarray) -> np.ndarray:
    """Pack signs (n, d) into words (n, ceil(d/64)), -1 as a set bit."""
    n, d = x.shape
    packed = np.zeros((n, (d + 63) // 64 * 8), np.uint8)
    small = np.packbits(x < 0, axis=1, bitorder="little")
    packed[:, : small.shape[1]] = small
    return packed.view("<u8").astype(np.uint64)


def _signs_of(bits: np.ndarray, d: int) -> np.ndarray:
    """Unpack what :func:`_bits_of` packed."""
    flat = np.unpackbits(bits.astype("<u8").view(np.uint8).reshape(len(bits), -1), axis=1, bitorder="little")
    return np.asarray(1 - 2 * flat[:, :d].astype(np.int8), dtype=np.int8)


def _prompt_bits(d: int, seed: np.uint64, n_prompts: int) -> np.ndarray:
    every = d <= EVERY
    bits = np.zeros((2**d if every else n_prompts, (d + 63) // 64), np.uint64)
    fill_prompts(_key(seed), d, every, bits)
    return bits


def evaluation_prompts(d: int, n_prompts: int, seed: int) -> np.ndarray:
    """Return the prompts at which :func:`pretrain` evaluates the replicate of `seed`.

    Parameters
    ----------
    d : int
        Length of the prompt, 2 <= d <= 4096.
    n_prompts : int
        How many, at least 1; for d <= 10 all 2^d prompts are returned instead.
    seed : int
        The replicate's seed, in [0, 2**63).

    Returns
    -------
    numpy.ndarray
        Signs (prompt, d), int8. For d <= 10 prompt i has x_k = -1 where bit k-1 of i is set; else fresh draws, apart
        from those used in training.

    Raises
    ------
    ValueError
        Outside the ranges above.

    Examples
    --------
    >>> evaluation_prompts(2, 1, 0).tolist()
    [[1, 1], [-1, 1], [1, -1], [-1, -1]]
    """
    d = integer("d", d, 2, LARGEST)
    n_prompts = integer("n_prompts", n_prompts, 1)
    (number,) = checked_seeds([seed])
    return _signs_of(_prompt_bits(d, number, n_prompts), d)


def draw_demonstrations(d: int, p_cot: float, n_samples: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the demonstrations that :func:`pretrain` trains the replicate of `seed` on, in their order.

    Parameters
    ----------
    d : int
        Length of the prompt, 2 <= d <= 4096.
    p_cot : float
        Share of long demonstrations, in [0, 1].
    n_samples : int
        How many, at least 1; more only adds to the end.
    seed : int
        The replicate's seed, in [0, 2**63).

    Returns
    -------
    x : numpy.ndarray
        Prompts (n_samples, d), signs as int8.
    is_long : numpy.ndarray
        Routes (n_samples,), bool.

    Raises
    ------
    ValueError
        Outside the ranges above.

    Examples
    --------
    >>> x, is_long = draw_demonstrations(4, 0.5, 100, 0)
    >>> x.shape, is_long.dtype
    ((100, 4), dtype('bool'))
    """
    d = integer("d", d, 2, LARGEST)
    p_cot = real("p_cot", p_cot, 0.0, 1.0)
    n_samples = integer("n_samples", n_samples, 1)
    (number,) = checked_seeds([seed])
    x = np.empty((n_samples, d), np.int8)
    is_long = np.empty(n_samples, np.bool_)
    draw(_key(number), d, p_cot, x, is_long)
    return x, is_long


def _records(value: Any, n_samples: int) -> list[int] | None:
    if value is None:
        return None
    if isinstance(value, (str, bytes)) or not hasattr(value, "__iter__"):
        raise ValueError(f"record_at must be a sequence of increasing integers in [1, n_samples], got {value!r}")
    counts = [integer("record_at", item, 1, n_samples) for item in value]
    if not counts or any(b <= a for a, b in pairwise(counts)):
        raise ValueError(f"record_at must hold increasing integers in [1, n_samples], got {value!r}")
    return counts


def _positions(value: Any) -> tuple[str, ...]:
    if isinstance(value, (str, bytes)) or not isinstance(value, Sequence):
        raise ValueError(f"positions must be a sequence out of {', '.join(HEADS)}, got {value!r}")
    chosen = {choice("positions", item, HEADS) for item in value}
    if not chosen:
        raise ValueError(f"positions must hold at least one of {', '.join(HEADS)}, got {value!r}")
    return tuple(name for name in HEADS if name in chosen)


def _train_one(
    run: _Run, seed: np.uint64, index: int, counts: list[int], n_prompts: int, results: _Results, stop: threading.Event
) -> None:
    """Train one replicate and measure it at each of the counts."""
    bits = _prompt_bits(run.d, seed, n_prompts)
    for k, count in enumerate(counts):
        run.advance_to(count, stop)
        if stop.is_set():
            return
        heads, chain = run.average(final=k == len(counts) - 1)
        results.long[index, k] = run.counters[0]
        evaluate(
            bits,
            run.d,
            heads,
            chain,
            "chain" in results.positions,
            results.table[index, k],
            results.errors[index, k],
            results.largest[index, k],
            results.flags[index, k],
        )
        results.errors[index, k] /= len(bits)
        if results.heads is not None and results.chain is not None:
            results.heads[index, k] = heads
            results.chain[index, k] = chain


def _watch(futures: list[Future[None]], runs: list[_Run], total: int, progress: bool | None) -> None:
    """Wait for all replicates; show a bar once the whole is expected to take over two seconds."""
    began = time.monotonic()
    wanted = sys.stderr.isatty() if progress is None else progress
    bar: Any = None
    task: Any = None
    waiting: set[Future[None]] = set(futures)
    try:
        while waiting:
            # Short waits: the interrupt of a terminal reaches this thread between two of them.
            done, waiting = wait(waiting, timeout=0.1 if wanted else 0.5)
            for future in done:
                future.result()
            drawn = sum(run.drawn for run in runs)
            elapsed = time.monotonic() - began
            slow = elapsed > 0.3 and drawn > 0 and elapsed * total / drawn > 2.0
            if wanted and bar is None and waiting and (progress or slow or elapsed > 2.0):
                from rich.console import Console
                from rich.progress import Progress, TimeElapsedColumn, TimeRemainingColumn

                columns = (*Progress.get_default_columns()[:3], TimeRemainingColumn(), TimeElapsedColumn())
                bar = Progress(*columns, console=Console(stderr=True), transient=sys.stderr.isatty())
                bar.start()
                task = bar.add_task("training", total=total)
            if bar is not None:
                bar.update(task, completed=drawn)
    finally:
        if bar is not None:
            bar.stop()


def pretrain(
    d: int,
    p_cot: float,
    n_samples: int,
    ridge: Any,
    seeds: int | Any,
    *,
    n_steps: Any = None,
    positions: Sequence[str] = HEADS,
    n_prompts: int = 1000,
    record_at: Sequence[int] | None = None,
    weights: bool = False,
    jobs: int = 1,
    progress: bool | None = None,
) -> xarray.Dataset:
    r"""Pre-train the autoregressive linear model on D(p_cot) and return its exact conditional probabilities.

    Parameters
    ----------
    d : int
        Length of the prompt, 2 <= d <= 4096.
    p_cot : float
        Share of long demonstrations, in [0, 1].
    n_samples : int
        Demonstrations drawn for each seed, at least 1, long and short together.
    ridge : float, mapping or sequence
        lambda in [1e-12, 1e12]: one for all positions; or ``{"first": , "stop": , "chain": }``, the last one number or
        d - 1 of them (l = 2..d); or d + 1 numbers in the order first, stop, l = 2..d.
    seeds : int or sequence of int
        One replicate each, distinct, in [0, 2**63).
    n_steps : int, mapping or sequence, optional
        Caps T_j >= 0 on the samples a position trains on, in the forms of `ridge` (a key left out has no cap).
    positions : sequence of str, optional
        Which of ``first`` (position 1), ``stop`` (2a) and ``chain`` (l = 2..d) to train; the others cost nothing, and
        what would need them is left out of the result.
    n_prompts : int, optional
        Fresh prompts to evaluate at, at least 1. For d <= 10 all 2^d prompts are taken instead.
    record_at : sequence of int, optional
        Increasing numbers of demonstrations, at most `n_samples`: the averaged model is evaluated at each of them in
        one pass (dimension ``samples``), exactly as if the run had ended there; the run ends with the last.
    weights : bool, optional
        Return the averaged weights too; :func:`decode` needs them.
    jobs : int, optional
        Threads, each with replicates of its own; -1 takes one for each processor. The result does not depend on it.
    progress : bool, optional
        A progress bar on standard error: True always, False never, None where that is a terminal and over two seconds
        are expected.

    Returns
    -------
    xarray.Dataset
        Over (replicate, prompt), or (replicate, samples, prompt) with `record_at`:

        * ``first_token``: P(y_1 = x_1 | x);
        * ``stop_agree``, ``stop_disagree``: P(EOS | x, y_1 = x_1) and P(EOS | x, y_1 = -x_1);
        * ``short_correct``, ``long_correct``: probability of the right short answer (with EOS) and long one;
        * ``greedy_length`` (EOS excluded) and ``greedy_correct`` (last token is the parity) of the greedy answer; a
          logit of 0 counts as +1, and as going on at 2a.

        Over (replicate, position), position l = 2..d: ``chain_error`` and ``chain_error_max``, mean and largest over
        the prompts of P(wrong token | x, right prefix). Over (replicate,): ``long_samples``. With `weights`:
        ``w_first`` (replicate, feature_first) on x; ``w_stop`` (replicate, feature_stop) on x, y_1, y_1x_1..y_1x_d,
        bias; ``w_chain`` (replicate, position, feature_chain) on x, y_1..y_{l-1}, y_{l-1}x_1..y_{l-1}x_d, then zeros.
        A position that never saw a sample has weights 0.

    Raises
    ------
    ValueError
        Outside the ranges above.

    Notes
    -----
    Tsilivis, Malach, Ullrich and Kempe (arXiv 2510.11495), Algorithm 3. Time O(d) for a short demonstration and O(d^2)
    for a long one; memory O(d^2) for each replicate at work, independent of `n_samples`. Prompts beyond d = 10 are the
    replicate's own: :func:`evaluation_prompts`.

    Examples
    --------
    >>> trained = pretrain(3, 0.5, 20_000, 0.01, seeds=[0, 1])
    >>> trained.first_token.dims, bool((abs(trained.first_token - 0.75) < 0.05).all())
    (('replicate', 'prompt'), True)
    """
    d = integer("d", d, 2, LARGEST)
    p_cot = real("p_cot", p_cot, 0.0, 1.0)
    n_samples = integer("n_samples", n_samples, 1, 2**53)
    ridges = ridge_values(ridge, d)
    replicates = checked_seeds(seeds)
    caps = step_values(n_steps, d, n_samples)
    chosen = _positions(positions)
    n_prompts = integer("n_prompts", n_prompts, 1)
    recorded = _records(record_at, n_samples)
    counts = recorded if recorded is not None else [n_samples]
    jobs = integer("jobs", jobs, -1)
    if jobs == 0:
        raise ValueError("jobs must be -1 or an integer in [1, inf), got 0")
    for name, part in (("first", slice(0, 1)), ("stop", slice(1, 2)), ("chain", slice(2, None))):
        if name not in chosen:
            caps[part] = 0

    shown = 2**d if d <= EVERY else n_prompts
    results = _Results(d, len(replicates), len(counts), shown, chosen)
    runs: list[_Run] = []
    if weights:
        results.keep_weights((3, d + 1), _chain_shape(d, "chain" in chosen))
    stop = threading.Event()

    def work(index: int) -> None:
        if stop.is_set():
            return
        run = _Run(d, p_cot, replicates[index], ridges, caps, "chain" in chosen)
        runs.append(run)
        _train_one(run, replicates[index], index, counts, n_prompts, results, stop)
        run.forget()

    workers = min(len(replicates), (os.cpu_count() or 1) if jobs == -1 else jobs)
    with ThreadPoolExecutor(workers) as pool:
        try:
            futures = [pool.submit(work, index) for index in range(len(replicates))]
            _watch(futures, runs, counts[-1] * len(replicates), progress)
        finally:
            stop.set()
    attributes = {
        "experiment": "linear_model.pretrain",
        "d": d,
        "p_cot": p_cot,
        "n_samples": n_samples,
        "ridge": ridges if len(set(ridges)) > 1 else float(ridges[0]),
        "n_steps": "unlimited" if n_steps is None else caps,
        "positions": " ".join(chosen),
        "n_prompts": shown,
    }
    return _labelled(results, replicates, recorded, attributes)


def _labelled(
    results: _Results, replicates: np.ndarray, recorded: list[int] | None, attributes: dict[str, Any]
) -> xarray.Dataset:
    """Name the arrays; without `recorded` the dimension of sample counts is dropped."""
    import xarray

    d, chosen = results.d, results.positions
    leading = ("replicate",) if recorded is None else ("replicate", "samples")
    variables: dict[str, Any] = {}

    def add(name: str, array: np.ndarray, dimensions: tuple[str, ...], units: str, meaning: str) -> None:
        values = array[:, 0] if recorded is None else array
        variables[name] = (leading + dimensions, values, {"units": units, "long_name": meaning})

    probability = results.table
    if "first" in chosen:
        add("first_token", probability[:, :, 0], ("prompt",), "1", "P(y_1 = x_1 | x)")
    if "stop" in chosen:
        add("stop_agree", probability[:, :, 1], ("prompt",), "1", "P(EOS | x, y_1 = x_1)")
        add("stop_disagree", probability[:, :, 2], ("prompt",), "1", "P(EOS | x, y_1 = -x_1)")
    if "first" in chosen and "stop" in chosen:
        add("short_correct", probability[:, :, 4], ("prompt",), "1", "P(right short answer | x)")
        add("greedy_length", results.flags[:, :, 0], ("prompt",), "tokens", "length of the greedy answer")
    if chosen == HEADS:
        add("long_correct", probability[:, :, 3], ("prompt",), "1", "P(right long answer | x)")
        correct = results.flags[:, :, 1].astype(np.bool_)
        add("greedy_correct", correct, ("prompt",), "1", "greedy answer ends in the parity")
    if "chain" in chosen:
        meaning = "P(wrong token at l | right prefix)"
        add("chain_error", results.errors[:, :, : d - 1], ("position",), "1", f"mean over prompts of {meaning}")
        add("chain_error_max", results.largest[:, :, : d - 1], ("position",), "1", f"largest over prompts of {meaning}")
    add("long_samples", results.long, (), "samples", "long demonstrations drawn")
    if results.heads is not None and results.chain is not None:
        _add_weights(results, add)
    coordinates: dict[str, Any] = {"seed": ("replicate", replicates.astype(np.int64))}
    if "chain" in chosen:
        coordinates["position"] = np.arange(2, d + 1)
    if recorded is not None:
        coordinates["samples"] = np.array(recorded, np.int64)
    return xarray.Dataset(variables, coordinates, attributes)


def _add_weights(results: _Results, add: Any) -> None:
    """Reorder the weights from the layout of the kernels to that of the model's definition."""
    assert results.heads is not None
    assert results.chain is not None
    d, heads, chain = results.d, results.heads, results.chain
    if "first" in results.positions:
        add("w_first", heads[:, :, 0, :d], ("feature_first",), "1", "averaged weights of position 1")
    if "stop" in results.positions:
        parts = (heads[:, :, 1, :d], heads[:, :, 2, d:], heads[:, :, 2, :d], heads[:, :, 1, d:])
        add("w_stop", np.concatenate(parts, axis=-1), ("feature_stop",), "1", "averaged weights of position 2a")
    if "chain" in results.positions:
        third = chain.shape[2] // 3
        ordered = np.zeros(chain.shape[:2] + (d - 1, 3 * d - 1))
        for j in range(d - 1):
            ordered[:, :, j, :d] = chain[:, :, :d, j]
            ordered[:, :, j, d : d + j + 1] = chain[:, :, 2 * third : 2 * third + j + 1, j]
            ordered[:, :, j, d + j + 1 : 2 * d + j + 1] = chain[:, :, third : third + d, j]
        add("w_chain", ordered, ("position", "feature_chain"), "1", "averaged weights of positions l = 2..d")


def _kernel_weights(w_first: np.ndarray, w_stop: np.ndarray, w_chain: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Undo :func:`_add_weights` for one replicate."""
    d = len(w_first)
    third = _rounded(d, 4)
    heads = np.zeros((3, d + 1))
    heads[0, :d] = w_first
    heads[1] = np.append(w_stop[:d], w_stop[-1])
    heads[2] = np.append(w_stop[d + 1 : -1], w_stop[d])
    chain = np.zeros((3 * third, _rounded(d - 1, 8)))
    for j in range(d - 1):
        chain[:d, j] = w_chain[j, :d]
        chain[2 * third : 2 * third + j + 1, j] = w_chain[j, d : d + j + 1]
        chain[third : third + d, j] = w_chain[j, d + j + 1 : 2 * d + j + 1]
    return heads, chain


def decode(
    model: xarray.Dataset,
    prompts: Any,
    temperature: float = 1.0,
    seeds: int | Any = 0,
    *,
    greedy: bool = False,
) -> xarray.Dataset:
    """Decode prompts token by token with trained weights.

    Parameters
    ----------
    model : xarray.Dataset
        From :func:`pretrain` with ``weights=True``, all positions and without `record_at` (or one ``samples`` picked).
    prompts : array
        Signs (prompt, d).
    temperature : float, optional
        Divides every logit, in [1e-6, 1e6]; the stop decision too.
    seeds : int or sequence of int, optional
        One draw of all answers each, in [0, 2**63), independent of the model's seed.
    greedy : bool, optional
        Take the likelier token instead of drawing (0 counts as +1, and as going on at 2a); seeds and temperature are
        then without effect, and there is one draw.

    Returns
    -------
    xarray.Dataset
        ``tokens`` (replicate, draw, prompt, token), 0 after the end; ``length`` (EOS excluded) and ``correct`` (the
        last token is the parity), both (replicate, draw, prompt); coordinates ``seed`` and ``draw_seed``. Time O(d^2)
        for each answer.

    Raises
    ------
    ValueError
        Where the weights are missing, or outside the ranges above.

    Examples
    --------
    >>> trained = pretrain(4, 0.8, 20_000, 0.01, seeds=0, weights=True)
    >>> decode(trained, [[1, -1, -1, -1]], greedy=True).tokens.values.ravel().tolist()
    [1, -1, 1, -1]
    """
    import xarray

    names = ("w_first", "w_stop", "w_chain")
    if not isinstance(model, xarray.Dataset) or any(name not in model for name in names):
        raise ValueError("model must be a dataset of pretrain(..., weights=True) with all positions")
    if "samples" in model.dims:
        raise ValueError("model must hold one number of samples, pick one with .isel(samples=...)")
    d = model.sizes["feature_first"]
    x = signs("prompts", prompts, (None, d))
    temperature = real("temperature", temperature, 1e-6, 1e6)
    if not isinstance(greedy, (bool, np.bool_)):
        raise ValueError(f"greedy must be True or False, got {greedy!r}")
    draws = checked_seeds(0 if greedy else seeds)
    bits = _bits_of(x)
    replicates = np.atleast_1d(model.seed.values).astype(np.uint64)
    y = np.empty((len(replicates), len(draws), len(x), d), np.int8)
    length = np.empty(y.shape[:3], np.int64)
    for r, seed in enumerate(replicates):
        heads, chain = _kernel_weights(*(model[name].values[r] for name in names))
        for k, draw_seed in enumerate(draws):
            key = np.uint64(mix_seed(np.uint64(mix_seed(draw_seed, DECODE)), seed))
            decode_prompts(bits, d, heads, chain, bool(greedy), temperature, key, y[r, k], length[r, k])
    last = np.take_along_axis(y, length[..., None] - 1, axis=3)[..., 0]
    dimensions = ("replicate", "draw", "prompt")
    return xarray.Dataset(
        {
            "tokens": ((*dimensions, "token"), y, {"units": "sign, 0 = EOS", "long_name": "answer"}),
            "length": (dimensions, length, {"units": "tokens", "long_name": "length of the answer, EOS excluded"}),
            "correct": (dimensions, last == x.prod(axis=1), {"units": "1", "long_name": "answer ends in the parity"}),
        },
        {"seed": ("replicate", replicates.astype(np.int64)), "draw_seed": ("draw", draws.astype(np.int64))},
        {"experiment": "linear_model.decode", "temperature": temperature, "greedy": int(greedy)},
    )
