r"""Rewriting two binary numbers into digit pairs, step by step, and STaR on it.

A state is two numbers of N binary digits, M = 4^N states. Step n moves the n-th digits of both to the pairs in front:
a_1 a_2 a_3 b_1 b_2 b_3 becomes (a_1 b_1) a_2 a_3 b_2 b_3, then (a_1 b_1)(a_2 b_2) a_3 b_3, then the three pairs. Each
step is a bijection of the M states; the answer is right when the state after step N is. The decoder reads the step's
name and the state before it, nothing else, and writes the state after it bit by bit: the chain of M-ary steps of
Chang, Lee, Shih, Tseng and Wu (arXiv 2410.23912) with a network in the place of its N tables.

The M x M table of a step is the exact law of the written state: all prefixes are evaluated. Trajectories are drawn from
these tables, which is drawing bits one by one from the network.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache, partial
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from sims._validate import choice, integer, real
from sims._validate import seeds as checked_seeds
from sims.transformer._checkpoints import (
    checkpoint_path,
    device_for,
    drive,
    load,
    one_thread,
    over_seeds,
    save,
)
from sims.transformer._data import ORDER, ROLL_TOKEN, ZIP, replicate_key, uniforms, weights_key
from sims.transformer._decoder import Architecture, initial_weights, log_probabilities, logits
from sims.transformer._training import History, Learner, checked_optimiser, processes, rate_at

if TYPE_CHECKING:
    import xarray

__all__ = ["successors", "zip_demonstrations", "zip_star"]

MODULE = "transformer._zip"
STEP = 2  # token of the first step's name; 0 and 1 are bits
ROWS = 1024

MEANINGS = {
    "accuracy": ("1", "P(right last state) at temperature 1, exact"),
    "drawn_accuracy": ("1", "P(right last state) at the temperature of the draws, exact"),
    "right_steps": ("1", "P(every step right | right last state) at temperature 1, exact"),
    "step_right": ("1", "P(right successor) at temperature 1, mean over states, exact"),
    "drawn_step_right": ("1", "P(right successor) at the temperature of the draws, mean over states, exact"),
    "delta": ("1", "distance above guessing of a step at temperature 1: (M step_right - 1)/(M - 1)"),
    "drawn_delta": ("1", "the same at the temperature of the draws"),
    "step_spread": ("1", "standard deviation over states of P(right successor) at temperature 1"),
    "drawn": ("trajectories", "drawn for the round"),
    "kept": ("trajectories", "kept of these: right last state"),
    "tables": ("1", "P(state after | state before) of each step at temperature 1"),
}


@lru_cache(maxsize=None)
def _maps(n_digits: int) -> np.ndarray:
    """Right successors (N, M) by state index; the bits of an index are those of the state, the first the highest."""
    layers = []
    for done in range(n_digits + 1):
        pairs = [(which, digit) for digit in range(done) for which in (0, 1)]
        rest = [(which, digit) for which in (0, 1) for digit in range(done, n_digits)]
        layers.append(pairs + rest)
    count = 2 * n_digits
    states = _bits(n_digits)
    weights = 1 << np.arange(count - 1, -1, -1)
    found = np.empty((n_digits, 4**n_digits), np.int64)
    for step in range(n_digits):
        order = [layers[step].index(place) for place in layers[step + 1]]
        found[step] = states[:, order] @ weights
    return found


@lru_cache(maxsize=None)
def _bits(n_digits: int) -> np.ndarray:
    """The bits (M, 2N) of all states."""
    count = 2 * n_digits
    return (np.arange(4**n_digits)[:, None] >> np.arange(count - 1, -1, -1)) & 1


def successors(n_digits: int = 3) -> np.ndarray:
    """Right successor of every state at every step.

    Parameters
    ----------
    n_digits : int, optional
        N, digits of each number and steps, an integer in [2, 5].

    Returns
    -------
    numpy.ndarray
        Indices (N, M), M = 4**N; the bits of a state's index, the highest first, are the state as it is written.

    Raises
    ------
    ValueError
        Outside that range.

    Examples
    --------
    >>> successors(3)[0, 0b011_101] == 0b01_11_01  # 0 11 and 1 01 become 01, 11, 01
    np.True_
    """
    return _maps(integer("n_digits", n_digits, 2, 5)).copy()


def _draw_transitions(
    key: np.uint64, first: int, count: int, delta: np.ndarray, maps: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Steps, states before and states after: the truth with probability delta of the step, else uniform."""
    u = uniforms(key, ZIP, first, count, 4)
    n_steps, n_states = maps.shape
    step = (u[:, 0] * n_steps).astype(np.int64)
    before = (u[:, 1] * n_states).astype(np.int64)
    after = np.where(u[:, 2] < delta[step], maps[step, before], (u[:, 3] * n_states).astype(np.int64))
    return step, before, after


@dataclass(frozen=True)
class ZipSetting:
    """Task, decoder, pre-training and rounds."""

    n_digits: int
    delta: tuple[float, ...]
    n_steps: int
    depth: int
    width: int
    heads: int
    optimiser: tuple[tuple[str, float], ...]
    threads: int
    device: str

    @property
    def shape(self) -> Architecture:
        """The decoder's sizes."""
        count = 2 * self.n_digits
        return Architecture(self.depth, self.width, self.heads, 2 * count, 2 + self.n_digits, 2)


@dataclass(frozen=True)
class ZipRules:
    """How a round draws and trains."""

    n_per_state: int
    temperature: float
    learning_rate: float
    epochs: float
    batch: int
    max_steps: int
    false_negative: float
    false_positive: float
    keep_tables: bool


def _loss(w: dict[str, Any], setting: ZipSetting, step: np.ndarray, before: np.ndarray, after: np.ndarray) -> Any:
    bits = _bits(setting.n_digits)
    device = w["head"].device
    prompt = np.concatenate([STEP + step[:, None], bits[before]], axis=1)
    answer = torch.from_numpy(bits[after]).to(device)
    found = log_probabilities(w, setting.shape, torch.from_numpy(prompt).to(device), answer)
    return -found.sum() / len(step)


@torch.no_grad()  # type: ignore[untyped-decorator]
def tables_of(w: dict[str, Any], setting: ZipSetting, temperature: float = 1.0) -> np.ndarray:
    """The exact laws (N, M, M) of the state after each step, bits drawn one by one at a temperature."""
    device = w["head"].device
    bits = _bits(setting.n_digits)
    n_states, count = bits.shape
    half = n_states // 2
    stems = bits[::2, : count - 1]  # every prefix but the last bit
    law = np.empty((setting.n_digits, n_states, n_states))
    per_pass = max(1, ROWS // half)
    for step in range(setting.n_digits):
        for first in range(0, n_states, per_pass):
            states = np.arange(first, min(first + per_pass, n_states))
            prompt = np.concatenate([np.full((len(states), 1), STEP + step), bits[states]], axis=1)
            inputs = np.concatenate([np.repeat(prompt, half, axis=0), np.tile(stems, (len(states), 1))], axis=1)
            scores = logits(w, setting.shape, torch.from_numpy(inputs).to(device), count).double() / temperature
            found = torch.log_softmax(scores, dim=2).cpu().numpy().reshape(len(states), half, count, 2)
            stem = np.take_along_axis(found[:, :, : count - 1], stems[None, :, :, None], axis=3)[..., 0].sum(axis=2)
            law[step, states] = np.exp(stem[:, :, None] + found[:, :, count - 1]).reshape(len(states), n_states)
    return law


def _summary(tables: np.ndarray, maps: np.ndarray) -> tuple[float, float, np.ndarray, np.ndarray]:
    """Accuracy, share of right ends with all steps right, mean and spread over states of P(right successor)."""
    n_steps, n_states = maps.shape
    start = np.arange(n_states)
    whole, right, end = np.eye(n_states), np.ones(n_states), start
    means, spreads = np.empty(n_steps), np.empty(n_steps)
    for step in range(n_steps):
        chances = tables[step, start, maps[step]]
        means[step], spreads[step] = chances.mean(), chances.std()
        whole = whole @ tables[step]
        right = right * tables[step, end, maps[step, end]]
        end = maps[step, end]
    accuracy = whole[start, end].mean()
    return float(accuracy), float(right.mean() / accuracy), means, spreads


class ZipPretraining:
    """One replicate's pre-training; a unit is a step."""

    def __init__(self, setting: ZipSetting, seed: int) -> None:
        self.setting, self.key = setting, replicate_key(seed)
        self.total, self.done = setting.n_steps, 0
        weights = initial_weights(setting.shape, weights_key(self.key))
        self.learner = Learner(setting.shape, weights, dict(setting.optimiser), setting.device)
        self.maps, self.delta = _maps(setting.n_digits), np.array(setting.delta)

    def advance(self) -> None:
        """One step on a fresh batch."""
        batch = int(self.learner.adam["batch"])
        drawn = _draw_transitions(self.key, self.done * batch, batch, self.delta, self.maps)
        rate = rate_at(self.done, self.total, self.learner.adam)
        self.learner.step(_loss(self.learner.views(), self.setting, *drawn), rate)
        self.done += 1

    def state(self) -> dict[str, np.ndarray]:
        """Everything a continuation needs."""
        return {"done": np.array(self.done), **self.learner.state()}

    def restore(self, state: Mapping[str, np.ndarray]) -> None:
        """Continue from a state."""
        self.done = int(state["done"])
        self.learner.restore(state)


class ZipStar:
    """One replicate's rounds."""

    def __init__(self, setting: ZipSetting, rules: ZipRules, n_rounds: int, weights: np.ndarray, seed: int) -> None:
        self.setting, self.rules, self.key = setting, rules, replicate_key(seed)
        self.total, self.done = n_rounds, 0
        self.learner = Learner(setting.shape, weights, dict(setting.optimiser), setting.device)
        self.maps = _maps(setting.n_digits)
        self.history = History()
        self._record(0, 0)

    def _record(self, drawn: int, kept: int) -> None:
        w = self.learner.frozen()
        plain = tables_of(w, self.setting)
        tau = self.rules.temperature
        self.drawn_from = plain if tau == 1.0 else tables_of(w, self.setting, tau)
        accuracy, right_steps, means, spreads = _summary(plain, self.maps)
        drawn_accuracy, _, drawn_means, _ = _summary(self.drawn_from, self.maps)
        n_states = self.maps.shape[1]
        row = {
            "accuracy": accuracy,
            "drawn_accuracy": drawn_accuracy,
            "right_steps": right_steps,
            "step_right": means,
            "drawn_step_right": drawn_means,
            "delta": (n_states * means - 1) / (n_states - 1),
            "drawn_delta": (n_states * drawn_means - 1) / (n_states - 1),
            "step_spread": spreads,
            "drawn": drawn,
            "kept": kept,
        }
        if self.rules.keep_tables:
            row["tables"] = plain
        self.history.add(self.done, row)

    def _trajectories(self, number: int) -> np.ndarray:
        """States (count, N + 1) of a round."""
        n_steps, n_states = self.maps.shape
        count = n_states * self.rules.n_per_state
        u = uniforms(self.key, ROLL_TOKEN, number << 32, count, n_steps + 1)
        path = np.empty((count, n_steps + 1), np.int64)
        path[:, 0] = np.repeat(np.arange(n_states), self.rules.n_per_state)
        for step in range(n_steps):
            cumulative = np.cumsum(self.drawn_from[step], axis=1)
            cumulative = np.minimum(cumulative, 1.0)
            cumulative[:, -1] = 1.0
            flat = (cumulative + np.arange(n_states)[:, None]).ravel()
            found = np.searchsorted(flat, path[:, step] + u[:, step], side="right") - path[:, step] * n_states
            path[:, step + 1] = np.clip(found, 0, n_states - 1)
        goal = path[:, 0]
        for step in range(n_steps):
            goal = self.maps[step, goal]
        right = path[:, -1] == goal
        mu, nu = self.rules.false_negative, self.rules.false_positive
        return path[np.where(right, u[:, n_steps] >= mu, u[:, n_steps] < nu)]

    def advance(self) -> None:
        """One round: draw, keep, train on the transitions of what is kept."""
        rules = self.rules
        number = self.done + 1
        kept = self._trajectories(number)
        n_steps, n_states = self.maps.shape
        count = len(kept) * n_steps
        batch = min(rules.batch, count)
        steps = min(rules.max_steps, -(-int(count * rules.epochs) // batch)) if count else 0
        self.learner.forget()
        order, passes = np.empty(0, np.int64), 0
        for at in range(steps):
            while len(order) < batch:
                u = uniforms(self.key, ORDER, (number << 32) + passes * count, count, 1)[:, 0]
                order, passes = np.concatenate([order, np.argsort(u, kind="stable")]), passes + 1
            rows, order = order[:batch], order[batch:]
            trajectory, step = np.divmod(rows, n_steps)
            drawn = step, kept[trajectory, step], kept[trajectory, step + 1]
            rate = rules.learning_rate * (1 - at / steps)
            self.learner.step(_loss(self.learner.views(), self.setting, *drawn), rate)
        self.done = number
        self._record(n_states * rules.n_per_state, len(kept))

    def state(self) -> dict[str, np.ndarray]:
        """Everything a continuation needs."""
        found = {"done": np.array(self.done), "drawn_from": self.drawn_from}
        return {**found, **self.learner.state(), **self.history.state()}

    def restore(self, state: Mapping[str, np.ndarray]) -> None:
        """Continue from a state."""
        self.done, self.drawn_from = int(state["done"]), state["drawn_from"]
        self.learner.restore(state)
        self.history.restore(state)


def _zip_one(
    seed: int, setting: ZipSetting, rules: ZipRules, n_rounds: int, checkpoints: Any, progress: bool
) -> dict[str, np.ndarray]:
    first = dataclasses.asdict(setting)
    with one_thread(setting.threads, setting.device):
        store = checkpoint_path(checkpoints, MODULE, "zip-weights", first, seed)
        if store is not None and store.exists():
            weights = load(store)["weights"]
        else:
            training = ZipPretraining(setting, seed)
            path = checkpoint_path(checkpoints, MODULE, "zip-pretrain", first, seed)
            drive(training, path, f"pre-training on zip, seed {seed}", progress=progress)
            weights = training.learner.weights.detach().cpu().numpy().copy()
            if store is not None:
                save(store, {"weights": weights})
        if n_rounds == 0:
            return ZipStar(setting, rules, 0, weights, seed).history.state()
        run = ZipStar(setting, rules, n_rounds, weights, seed)
        facts = {**first, **{f"rules_{n}": v for n, v in dataclasses.asdict(rules).items()}, "n_rounds": n_rounds}
        path = checkpoint_path(checkpoints, MODULE, "zip-star", facts, seed)
        drive(run, path, f"STaR on zip, seed {seed}", progress=progress)
    return run.history.state()


def _deltas(delta: Any, n_digits: int) -> tuple[float, ...]:
    if np.ndim(delta) == 0:
        return (real("delta", delta, 0.0, 1.0),) * n_digits
    values = list(delta)
    if len(values) != n_digits:
        raise ValueError(f"delta must be a number or {n_digits} numbers, got {delta!r}")
    return tuple(real("delta", value, 0.0, 1.0) for value in values)


def zip_star(
    delta: Any,
    pretrain_steps: int,
    n_rounds: int,
    seeds: int | Any,
    *,
    n_digits: int = 3,
    n_per_state: int = 1024,
    temperature: float = 1.0,
    false_negative: float = 0.0,
    false_positive: float = 0.0,
    learning_rate: float = 5e-4,
    epochs: float = 1.0,
    batch: int = 512,
    max_steps: int = 200,
    tables: bool = False,
    depth: int = 2,
    width: int = 64,
    heads: int = 4,
    optimiser: Mapping[str, float] | None = None,
    checkpoints: Any = None,
    jobs: int = 1,
    threads: int = 1,
    device: str = "auto",
    progress: bool = True,
) -> xarray.Dataset:
    r"""Pre-train a decoder on rewriting steps of a given quality, then improve it by STaR.

    Parameters
    ----------
    delta : float or sequence of float
        Distance above guessing of the demonstrations of each step, one number or N, in [0, 1]: a demonstration shows
        the right successor with that probability, else a uniform state.
    pretrain_steps : int
        Steps of pre-training, an integer in [0, 1000000000], each on a fresh batch.
    n_rounds : int
        Rounds of STaR, an integer in [0, 100000].
    seeds : int or sequence of int
        One replicate each, distinct, in [0, 2**63).
    n_digits : int, optional
        N, digits of each number and steps, an integer in [2, 5]; M = 4**N states.
    n_per_state : int, optional
        Trajectories drawn from each start in a round, an integer in [1, 1000000].
    temperature : float, optional
        Divides the logit of every bit while trajectories are drawn, in [0.001, 1000].
    false_negative, false_positive : float, optional
        Chances that the verifier rejects what is right or accepts what is wrong, each in [0, 1].
    learning_rate : float, optional
        At the start of a round, in [0, 10]; it falls linearly to 0 within the round.
    epochs : float, optional
        Passes over the kept transitions, in [0, 1000].
    batch : int, optional
        Transitions a step, an integer in [1, 1000000].
    max_steps : int, optional
        Most steps of a round, an integer in [1, 1000000].
    tables : bool, optional
        Keep the exact N tables of every round.
    depth, width, heads, optimiser, checkpoints, jobs, threads, device, progress : optional
        As for :func:`pretrain`; a batch of pre-training holds transitions.

    Returns
    -------
    xarray.Dataset
        Over (replicate, round), round 0 being the pre-trained decoder, exact: ``accuracy``, ``drawn_accuracy`` (at the
        temperature of the draws), ``right_steps`` (share of right ends with every step right); over (replicate, round,
        step): ``step_right``, ``delta``, ``step_spread`` at temperature 1, and ``drawn_step_right``, ``drawn_delta`` at
        that of the draws; counts ``drawn`` and ``kept`` of the round; and ``tables`` (replicate, round, step, before,
        after) if asked for.

    Raises
    ------
    ValueError
        Outside the ranges above.

    Notes
    -----
    The task of Chang, Lee, Shih, Tseng and Wu (arXiv 2410.23912), section on experiments: N = 3, M = 64. The decoder
    tempers bits, not states: at a temperature other than 1 its table is not a row-wise power of the one at 1; so
    ``drawn_delta`` is measured.

    Examples
    --------
    >>> run = zip_star(0.5, 2, 1, 0, n_digits=2, n_per_state=4, width=8, heads=2, depth=1, progress=False)
    >>> run["delta"].dims, run["drawn"].values.tolist()
    (('replicate', 'round', 'step'), [[0, 64]])
    """
    n_digits = integer("n_digits", n_digits, 2, 5)
    width, heads = integer("width", width, 1, 8192), integer("heads", heads, 1, 1024)
    if width % heads:
        raise ValueError(f"width must be a multiple of heads = {heads}, got {width}")
    chosen = ZipSetting(
        n_digits,
        _deltas(delta, n_digits),
        integer("pretrain_steps", pretrain_steps, 0, 10**9),
        integer("depth", depth, 1, 256),
        width,
        heads,
        checked_optimiser(optimiser),
        integer("threads", threads, 1, 1024),
        device_for(choice("device", device, ("auto", "cpu", "cuda"))),
    )
    n_rounds = integer("n_rounds", n_rounds, 0, 100_000)
    rules = ZipRules(
        integer("n_per_state", n_per_state, 1, 10**6),
        real("temperature", temperature, 1e-3, 1e3),
        real("learning_rate", learning_rate, 0.0, 10.0),
        real("epochs", epochs, 0.0, 1000.0),
        integer("batch", batch, 1, 10**6),
        integer("max_steps", max_steps, 1, 10**6),
        real("false_negative", false_negative, 0.0, 1.0),
        real("false_positive", false_positive, 0.0, 1.0),
        bool(tables),
    )
    replicates = checked_seeds(seeds)
    work = partial(
        _zip_one, setting=chosen, rules=rules, n_rounds=n_rounds, checkpoints=checkpoints, progress=bool(progress)
    )
    histories = over_seeds(work, replicates, processes(jobs))
    return _labelled(histories, replicates, chosen, rules)


def _labelled(
    histories: Sequence[Mapping[str, np.ndarray]], replicates: np.ndarray, chosen: ZipSetting, rules: ZipRules
) -> xarray.Dataset:
    import xarray

    variables: dict[str, Any] = {}
    for name, (unit, meaning) in MEANINGS.items():
        if f"row.{name}" not in histories[0]:
            continue
        values = np.stack([history[f"row.{name}"] for history in histories])
        dims = ("replicate", "round", "step", "before", "after")[: values.ndim]
        variables[name] = (dims, values, {"units": unit, "long_name": meaning})
    coordinates: dict[str, Any] = {
        "seed": ("replicate", replicates.astype(np.int64)),
        "round": ("round", histories[0]["at"], {"units": "rounds"}),
        "step": ("step", np.arange(1, chosen.n_digits + 1), {"units": "steps"}),
    }
    facts = {name: value for name, value in dataclasses.asdict(chosen).items() if name not in ("optimiser", "n_steps")}
    facts |= {f"optimiser_{name}": value for name, value in chosen.optimiser} | dataclasses.asdict(rules)
    facts |= {
        "delta": np.array(chosen.delta),
        "keep_tables": int(rules.keep_tables),
        "pretrain_steps": chosen.n_steps,
        "n_states": 4**chosen.n_digits,
        "torch_version": torch.__version__,
    }
    return xarray.Dataset(variables, coordinates, {"experiment": "transformer.zip_star", **facts})


def zip_demonstrations(delta: Any, n_samples: int, seeds: int | Any, *, n_digits: int = 3) -> xarray.Dataset:
    """Draw demonstrations of rewriting steps: the ones that a decoder with the same seed is trained on.

    Parameters
    ----------
    delta : float or sequence of float
        As for :func:`zip_star`.
    n_samples : int
        Demonstrations drawn for each seed, an integer in [1, 10000000].
    seeds : int or sequence of int
        One replicate each, distinct, in [0, 2**63).
    n_digits : int, optional
        N, an integer in [2, 5].

    Returns
    -------
    xarray.Dataset
        ``step`` (1 .. N), ``before`` and ``after`` (state indices), over (replicate, sample).

    Raises
    ------
    ValueError
        Outside the ranges above.

    Examples
    --------
    >>> drawn = zip_demonstrations(1.0, 5, 0)
    >>> right = successors(3)[drawn["step"].values - 1, drawn["before"].values]
    >>> bool((drawn["after"].values == right).all())
    True
    """
    import xarray

    n_digits = integer("n_digits", n_digits, 2, 5)
    chances = _deltas(delta, n_digits)
    n_samples = integer("n_samples", n_samples, 1, 10**7)
    replicates = checked_seeds(seeds)
    drawn = [
        _draw_transitions(replicate_key(seed), 0, n_samples, np.array(chances), _maps(n_digits)) for seed in replicates
    ]
    step, before, after = (np.stack(arrays) for arrays in zip(*drawn, strict=True))
    over = ("replicate", "sample")
    return xarray.Dataset(
        {
            "step": (over, step + 1, {"units": "steps", "long_name": "which step"}),
            "before": (over, before, {"units": "state", "long_name": "state before the step"}),
            "after": (over, after, {"units": "state", "long_name": "state shown after the step"}),
        },
        {"seed": ("replicate", replicates.astype(np.int64))},
        {
            "experiment": "transformer.zip_demonstrations",
            "delta": np.array(chances),
            "n_samples": n_samples,
            "n_digits": n_digits,
        },
    )
