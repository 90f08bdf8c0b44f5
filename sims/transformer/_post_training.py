"""Post-training of a decoder on its own answers: STaR, REINFORCE with a batch baseline, GRPO."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from sims._validate import choice, integer, real
from sims._validate import seeds as checked_seeds
from sims.transformer._checkpoints import checkpoint_path, drive, one_thread, over_seeds
from sims.transformer._data import ORDER, ROLL_PROMPT, ROLL_TOKEN, VERIFIER, prompts, replicate_key, uniforms
from sims.transformer._decoder import roll_out
from sims.transformer._evaluation import MEANINGS, answer_lengths, evaluate, last_tokens, long_answers
from sims.transformer._training import (
    History,
    Learner,
    Setting,
    answer_loss,
    checked_optimiser,
    epochs_to_steps,
    evaluation_prompts,
    final_weights,
    labelled,
    processes,
    recorded_steps,
    setting,
    shuffled,
)

if TYPE_CHECKING:
    import xarray

__all__ = ["grpo", "reinforce", "star"]

MODULE = "transformer._post_training"
ROWS = 512  # answers drawn at a time

TALLY = {
    "drawn": "answers drawn since the record before",
    "drawn_long": "of these, longer than one token",
    "drawn_right": "of these, right at the end",
    "drawn_exact": "of these, one of the two right answers throughout",
    "kept": "answers with a reward above 0",
    "kept_long": "of these, longer than one token",
    "kept_right": "of these, right at the end",
    "kept_exact": "of these, one of the two right answers throughout",
}


@dataclass(frozen=True)
class Rules:
    """How answers are drawn, judged and learned from."""

    method: str
    reward: str
    temperature: float
    length_penalty: float
    false_negative: float
    false_positive: float
    learning_rate: float
    n_samples: int
    group_size: int
    normalise: bool
    by_length: bool
    batch: int
    epochs: float
    optimiser: tuple[tuple[str, float], ...]


def judge(
    key: np.uint64, first: int, x: np.ndarray, y: np.ndarray, leap: int, rules: Rules
) -> tuple[np.ndarray, np.ndarray]:
    """Rewards in [0, 1] before the length penalty, and for every answer: long, right at the end, right throughout."""
    right = long_answers(x, leap)
    parity = right[:, -2]
    lengths, _ = answer_lengths(y)
    is_right = last_tokens(y) == parity
    exact = ((y == right).all(axis=1)) | (is_right & (lengths == 1))
    accepted = exact if rules.reward == "r_cot" else is_right
    u = uniforms(key, VERIFIER, first, len(x), 2)
    verdict = np.where(accepted, u[:, 0] >= rules.false_negative, u[:, 0] < rules.false_positive)
    return verdict, np.stack([lengths > 1, is_right, exact], axis=1)


def advantages(rewards: np.ndarray, rules: Rules) -> np.ndarray:
    """Reward minus the batch's mean, or minus the group's mean and divided by its standard deviation."""
    if rules.method == "reinforce":
        above: np.ndarray = rewards - rewards.mean()
        return above
    groups = rewards.reshape(-1, rules.group_size)
    centred = groups - groups.mean(axis=1, keepdims=True)
    if rules.normalise:
        spread = groups.std(axis=1, keepdims=True)
        centred = np.divide(centred, spread, out=np.zeros_like(centred), where=spread > 1e-12)
    compared: np.ndarray = centred.reshape(-1)
    return compared


class PostTraining:
    """One replicate; a unit is a round of STaR or a step of a policy gradient."""

    def __init__(
        self, setting: Setting, rules: Rules, weights: np.ndarray, seed: int, record_at: tuple[int, ...], n_prompts: int
    ) -> None:
        self.setting, self.rules, self.record_at = setting, rules, set(record_at)
        self.total, self.done = record_at[-1], 0
        self.key = replicate_key(seed)
        self.learner = Learner(setting.shape, weights, dict(rules.optimiser), setting.device)
        self.history = History()
        self.tally = np.zeros(len(TALLY), np.int64)
        self.x_test = evaluation_prompts(self.key, setting.d, n_prompts)
        self._record()

    def _record(self) -> None:
        if self.done not in self.record_at:
            return
        setting = self.setting
        number = (1 << 30) + self.done  # draws of their own, apart from those of pre-training
        row = evaluate(self.learner.frozen(), setting.shape, self.x_test, setting.leap, self.key, number)
        row.update(zip(TALLY, self.tally.tolist(), strict=True))
        self.tally[:] = 0
        self.history.add(self.done, row)

    def _draw(self, number: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Prompts, answers and rewards of a round."""
        setting, rules = self.setting, self.rules
        first, count = number << 32, rules.n_samples
        groups = rules.group_size if rules.method == "grpo" else 1
        x = np.repeat(prompts(self.key, ROLL_PROMPT, first, count // groups, setting.d), groups, axis=0)
        length = setting.shape.n_positions - setting.d + 1
        draws = uniforms(self.key, ROLL_TOKEN, first, count, length)
        w = self.learner.frozen()
        y = roll_out(w, setting.shape, x, length, temperature=rules.temperature, uniforms=draws, rows=ROWS)
        verdict, marks = judge(self.key, first, x, y, setting.leap, rules)
        lengths, _ = answer_lengths(y)
        rewards = verdict * np.exp(-rules.length_penalty * np.maximum(lengths - 1, 0))
        if rules.method == "star" and rules.length_penalty > 0:  # kept with that probability
            rewards = (uniforms(self.key, VERIFIER, first, count, 2)[:, 1] < rewards).astype(float)
        kept = rewards > 0
        self.tally += [count, *marks.sum(axis=0), kept.sum(), *marks[kept].sum(axis=0)]
        return x, y, rewards

    def _retrain(self, number: int, x: np.ndarray, y: np.ndarray) -> None:
        """Next-token prediction on the kept answers, from the current weights, with new moments and a falling rate."""
        rules = self.rules
        size = min(rules.batch, len(x))
        steps = epochs_to_steps(len(x), rules.epochs, size)
        self.learner.forget()
        order = np.empty(0, np.int64)
        passes = 0
        for step in range(steps):
            while len(order) < size:
                index = (number << 32) + passes * len(x)
                fresh = shuffled(uniforms(self.key, ORDER, index, len(x), 1)[:, 0])
                order, passes = np.concatenate([order, fresh]), passes + 1
            rows, order = order[:size], order[size:]
            loss = answer_loss(self.learner.views(), self.setting.shape, x[rows], y[rows], np.full(size, 1 / size))
            self.learner.step(loss, rules.learning_rate * (1 - step / steps))

    def advance(self) -> None:
        """One round or step."""
        rules = self.rules
        number = self.done + 1
        x, y, rewards = self._draw(number)
        if rules.method == "star":
            kept = rewards > 0
            self._retrain(number, x[kept], y[kept])
        else:
            factors = advantages(rewards, rules) / len(x)
            told = factors != 0  # the others have no gradient
            if told.any():
                loss = answer_loss(
                    self.learner.views(),
                    self.setting.shape,
                    x[told],
                    y[told],
                    factors[told],
                    temperature=rules.temperature,
                    by_length=rules.by_length,
                )
                self.learner.step(loss, rules.learning_rate)
        self.done = number
        self._record()

    def state(self) -> dict[str, np.ndarray]:
        """Everything a continuation needs."""
        return {
            "done": np.array(self.done),
            "tally": self.tally.copy(),
            **self.learner.state(),
            **self.history.state(),
        }

    def restore(self, state: Mapping[str, np.ndarray]) -> None:
        """Continue from a state."""
        self.done, self.tally = int(state["done"]), state["tally"].copy()
        self.learner.restore(state)
        self.history.restore(state)


def _post_train_one(
    seed: int,
    setting: Setting,
    rules: Rules,
    record_at: tuple[int, ...],
    n_prompts: int,
    checkpoints: Any,
    progress: bool,
) -> dict[str, np.ndarray]:
    weights = final_weights(seed, setting, checkpoints, progress)
    facts = {
        **dataclasses.asdict(setting),
        **{f"rules_{name}": value for name, value in dataclasses.asdict(rules).items()},
        "record_at": record_at,
        "n_prompts": n_prompts,
    }
    with one_thread(setting.threads, setting.device):
        run = PostTraining(setting, rules, weights, seed, record_at, n_prompts)
        path = checkpoint_path(checkpoints, MODULE, rules.method, facts, seed)
        drive(run, path, f"{rules.method}, seed {seed}", progress=progress)
    return run.history.state()


def _post_train(
    chosen: Setting,
    rules: Rules,
    n_units: int,
    seeds: Any,
    record_at: tuple[int, ...],
    n_prompts: Any,
    checkpoints: Any,
    jobs: Any,
    progress: bool,
) -> xarray.Dataset:
    replicates = checked_seeds(seeds)
    n_prompts = integer("n_prompts", n_prompts, 1, 10**6)
    if record_at[-1] != n_units:
        record_at = (*record_at, n_units)
    work = partial(
        _post_train_one,
        setting=chosen,
        rules=rules,
        record_at=record_at,
        n_prompts=n_prompts,
        checkpoints=checkpoints,
        progress=bool(progress),
    )
    histories = over_seeds(work, replicates, processes(jobs))
    facts = {name: value for name, value in dataclasses.asdict(rules).items() if name not in ("method", "optimiser")}
    attributes = {"experiment": f"transformer.{rules.method}", **chosen.attributes(), **facts, "n_prompts": n_prompts}
    attributes["pretrain_steps"] = attributes.pop("n_steps")
    dimension = "round" if rules.method == "star" else "step"
    meanings = {**MEANINGS, **{name: ("answers", meaning) for name, meaning in TALLY.items()}}
    return labelled(histories, dimension, f"{dimension}s", replicates, meanings, attributes)


def _rules(
    method: str,
    reward: Any,
    temperature: Any,
    length_penalty: Any,
    false_negative: Any,
    false_positive: Any,
    learning_rate: Any,
    n_samples: int,
    optimiser: tuple[tuple[str, float], ...],
    **more: Any,
) -> Rules:
    plain = {"group_size": 1, "normalise": False, "by_length": False, "batch": 1, "epochs": 0.0, **more}
    return Rules(
        method,
        choice("reward", reward, ("r_cot", "r_e2e")),
        real("temperature", temperature, 1e-3, 1e3),
        real("length_penalty", length_penalty, 0.0, 1000.0),
        real("false_negative", false_negative, 0.0, 1.0),
        real("false_positive", false_positive, 0.0, 1.0),
        real("learning_rate", learning_rate, 0.0, 10.0),
        n_samples,
        optimiser=optimiser,
        **plain,
    )


def star(
    d: int,
    p_cot: float,
    pretrain_steps: int,
    n_rounds: int,
    seeds: int | Any,
    *,
    n_samples: int = 1024,
    reward: str = "r_cot",
    temperature: float = 1.0,
    length_penalty: float = 0.0,
    false_negative: float = 0.0,
    false_positive: float = 0.0,
    learning_rate: float = 5e-4,
    epochs: float = 3.0,
    batch: int = 128,
    leap: int = 1,
    noise: float = 0.0,
    noise_kind: str = "emitted",
    depth: int = 2,
    width: int = 64,
    heads: int = 4,
    optimiser: Mapping[str, float] | None = None,
    n_prompts: int = 1024,
    checkpoints: Any = None,
    jobs: int = 1,
    threads: int = 1,
    device: str = "auto",
    progress: bool = True,
) -> xarray.Dataset:
    r"""Pre-train on D(p), then STaR: each round draws answers, keeps what the reward accepts, and trains on it.

    Parameters
    ----------
    d, p_cot, pretrain_steps : int, float, int
        As `d`, `p_cot` and `n_steps` of :func:`pretrain`.
    n_rounds : int
        Rounds, an integer in [1, 100000].
    seeds : int or sequence of int
        One replicate each, distinct, in [0, 2**63).
    n_samples : int, optional
        Fresh prompts of a round, one answer each, an integer in [1, 1000000].
    reward : {"r_cot", "r_e2e"}, optional
        Whether an answer must be one of the two right ones throughout, or only end in the parity.
    temperature : float, optional
        Divides every logit while answers are drawn, in [0.001, 1000]; training and evaluation are at 1.
    length_penalty : float, optional
        beta in [0, 1000]: an accepted answer is kept with probability exp(-beta (length - 1)).
    false_negative, false_positive : float, optional
        Chances that the verifier rejects what is right or accepts what is wrong, each in [0, 1].
    learning_rate : float, optional
        At the start of a round, in [0, 10]; it falls linearly to 0 within the round.
    epochs : float, optional
        Passes over the kept answers, in [0, 1000].
    batch : int, optional
        Answers a step, an integer in [1, 1000000].
    leap, noise, noise_kind, depth, width, heads, optimiser : optional
        Of demonstrations, decoder and pre-training, as for :func:`pretrain`; retraining shares the optimiser's moments'
        decay rates, weight decay and clipping.
    n_prompts, checkpoints, jobs, threads, device, progress : optional
        As for :func:`pretrain`.

    Returns
    -------
    xarray.Dataset
        The variables of :func:`pretrain` over (replicate, round), round 0 being the pre-trained decoder; and counts in
        the sample that led to the round, 0 in round 0: ``drawn``, ``drawn_long``, ``drawn_right``, ``drawn_exact``,
        ``kept``, ``kept_long``, ``kept_right``, ``kept_exact``.

    Raises
    ------
    ValueError
        Outside the ranges above.

    Notes
    -----
    Tsilivis, Malach, Ullrich and Kempe (arXiv 2510.11495), Algorithm 1, each round from the weights of the one before.

    Examples
    --------
    >>> run = star(3, 0.5, 2, 1, 0, n_samples=8, width=8, heads=2, depth=1, progress=False)
    >>> run["long_share"].dims, run["drawn"].values.tolist()
    (('replicate', 'round'), [[0, 8]])
    """
    pretrain_steps = integer("pretrain_steps", pretrain_steps, 0, 10**9)
    chosen = setting(d, p_cot, pretrain_steps, leap, noise, noise_kind, depth, width, heads, optimiser, threads, device)
    n_rounds = integer("n_rounds", n_rounds, 1, 100_000)
    rules = _rules(
        "star",
        reward,
        temperature,
        length_penalty,
        false_negative,
        false_positive,
        learning_rate,
        integer("n_samples", n_samples, 1, 10**6),
        checked_optimiser(optimiser),
        batch=integer("batch", batch, 1, 10**6),
        epochs=real("epochs", epochs, 0.0, 1000.0),
    )
    every = tuple(range(n_rounds + 1))
    return _post_train(chosen, rules, n_rounds, seeds, every, n_prompts, checkpoints, jobs, progress)


def reinforce(
    d: int,
    p_cot: float,
    pretrain_steps: int,
    n_steps: int,
    seeds: int | Any,
    *,
    n_samples: int = 256,
    reward: str = "r_cot",
    temperature: float = 1.0,
    length_penalty: float = 0.0,
    false_negative: float = 0.0,
    false_positive: float = 0.0,
    learning_rate: float = 2e-4,
    by_length: bool = False,
    record_at: Any = None,
    leap: int = 1,
    noise: float = 0.0,
    noise_kind: str = "emitted",
    depth: int = 2,
    width: int = 64,
    heads: int = 4,
    optimiser: Mapping[str, float] | None = None,
    n_prompts: int = 1024,
    checkpoints: Any = None,
    jobs: int = 1,
    threads: int = 1,
    device: str = "auto",
    progress: bool = True,
) -> xarray.Dataset:
    r"""Pre-train on D(p), then REINFORCE with the batch's mean reward as baseline.

    Parameters
    ----------
    d, p_cot, pretrain_steps : int, float, int
        As `d`, `p_cot` and `n_steps` of :func:`pretrain`.
    n_steps : int
        Steps, an integer in [1, 1000000], each on fresh prompts with one answer each.
    seeds : int or sequence of int
        One replicate each, distinct, in [0, 2**63).
    n_samples : int, optional
        Answers a step, an integer in [1, 1000000].
    reward, temperature, false_negative, false_positive : optional
        As for :func:`star`; log-probabilities are those at the temperature of the draws.
    length_penalty : float, optional
        beta in [0, 1000]: an accepted answer has the reward exp(-beta (length - 1)).
    learning_rate : float, optional
        Of AdamW, constant, in [0, 10].
    by_length : bool, optional
        Divide each answer's loss by its tokens, EOS counted.
    record_at : sequence of int, optional
        Increasing numbers of steps after which to evaluate, the last step is added; None: about 20 of them, 0 included.
    leap, noise, noise_kind, depth, width, heads, optimiser : optional
        As for :func:`star`.
    n_prompts, checkpoints, jobs, threads, device, progress : optional
        As for :func:`pretrain`.

    Returns
    -------
    xarray.Dataset
        As for :func:`star`, over (replicate, step); ``drawn`` and the like count since the record before.

    Raises
    ------
    ValueError
        Outside the ranges above.

    Notes
    -----
    Williams (1992); Tsilivis, Malach, Ullrich and Kempe (arXiv 2510.11495).

    Examples
    --------
    >>> run = reinforce(3, 0.5, 2, 2, 0, n_samples=8, width=8, heads=2, depth=1, progress=False)
    >>> run["step"].values.tolist()
    [0, 1, 2]
    """
    pretrain_steps = integer("pretrain_steps", pretrain_steps, 0, 10**9)
    chosen = setting(d, p_cot, pretrain_steps, leap, noise, noise_kind, depth, width, heads, optimiser, threads, device)
    n_steps = integer("n_steps", n_steps, 1, 10**6)
    rules = _rules(
        "reinforce",
        reward,
        temperature,
        length_penalty,
        false_negative,
        false_positive,
        learning_rate,
        integer("n_samples", n_samples, 1, 10**6),
        checked_optimiser(optimiser),
        by_length=bool(by_length),
    )
    steps = _about_twenty(n_steps) if record_at is None else recorded_steps(record_at, n_steps)
    return _post_train(chosen, rules, n_steps, seeds, steps, n_prompts, checkpoints, jobs, progress)


def grpo(
    d: int,
    p_cot: float,
    pretrain_steps: int,
    n_steps: int,
    seeds: int | Any,
    *,
    n_groups: int = 32,
    group_size: int = 8,
    normalise: bool = True,
    reward: str = "r_cot",
    temperature: float = 1.0,
    length_penalty: float = 0.0,
    false_negative: float = 0.0,
    false_positive: float = 0.0,
    learning_rate: float = 2e-4,
    by_length: bool = False,
    record_at: Any = None,
    leap: int = 1,
    noise: float = 0.0,
    noise_kind: str = "emitted",
    depth: int = 2,
    width: int = 64,
    heads: int = 4,
    optimiser: Mapping[str, float] | None = None,
    n_prompts: int = 1024,
    checkpoints: Any = None,
    jobs: int = 1,
    threads: int = 1,
    device: str = "auto",
    progress: bool = True,
) -> xarray.Dataset:
    r"""Pre-train on D(p), then GRPO: rewards are compared within groups of answers to one prompt.

    Parameters
    ----------
    d, p_cot, pretrain_steps, n_steps, seeds : int, float, int, int, int or sequence of int
        As for :func:`reinforce`.
    n_groups : int, optional
        Fresh prompts of a step, an integer in [1, 1000000].
    group_size : int, optional
        G, answers to each prompt, an integer in [2, 10000].
    normalise : bool, optional
        Divide by the standard deviation of the group (divisor G); a group of equal rewards counts 0.
    reward, temperature, length_penalty, false_negative, false_positive, learning_rate, by_length, record_at : optional
        As for :func:`reinforce`.
    leap, noise, noise_kind, depth, width, heads, optimiser : optional
        As for :func:`star`.
    n_prompts, checkpoints, jobs, threads, device, progress : optional
        As for :func:`pretrain`.

    Returns
    -------
    xarray.Dataset
        As for :func:`reinforce`.

    Raises
    ------
    ValueError
        Outside the ranges above.

    Notes
    -----
    Shao et al. (arXiv 2402.03300) with one update a batch, so that no ratio is ever clipped, and without a penalty for
    the distance to the start; Tsilivis, Malach, Ullrich and Kempe (arXiv 2510.11495).

    Examples
    --------
    >>> run = grpo(3, 0.5, 2, 1, 0, n_groups=4, group_size=2, width=8, heads=2, depth=1, progress=False)
    >>> run["drawn"].values.tolist()
    [[0, 8]]
    """
    pretrain_steps = integer("pretrain_steps", pretrain_steps, 0, 10**9)
    chosen = setting(d, p_cot, pretrain_steps, leap, noise, noise_kind, depth, width, heads, optimiser, threads, device)
    n_steps = integer("n_steps", n_steps, 1, 10**6)
    group_size = integer("group_size", group_size, 2, 10_000)
    rules = _rules(
        "grpo",
        reward,
        temperature,
        length_penalty,
        false_negative,
        false_positive,
        learning_rate,
        integer("n_groups", n_groups, 1, 10**6) * group_size,
        checked_optimiser(optimiser),
        group_size=group_size,
        normalise=bool(normalise),
        by_length=bool(by_length),
    )
    steps = _about_twenty(n_steps) if record_at is None else recorded_steps(record_at, n_steps)
    return _post_train(chosen, rules, n_steps, seeds, steps, n_prompts, checkpoints, jobs, progress)


def _about_twenty(n_steps: int) -> tuple[int, ...]:
    stride = math.ceil(n_steps / 20)
    return tuple(range(0, n_steps + 1, stride))
