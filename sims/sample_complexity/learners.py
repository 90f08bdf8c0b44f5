r"""Learners of the linear model for :func:`sims.sample_complexity.search`, and their searches as experiments.

A learner is a frozen record of its parameters, called with a number of samples and seeds; equal records give equal
outcomes. What counts as a sample is what the question is about:

* :class:`Pretraining`: demonstrations of D(p_cot), long and short together (at p_cot = 1 all are long);
* :class:`Star`: answers drawn in all rounds together, N = floor(n/rounds) in each, from a calibrated model at p_0;
* :class:`IdealStar`: the same where every training is perfect, so that only the draws are random;
* :class:`PolicyGradient`: answers drawn in all steps together. The step size goes down as 1/n so that eta p_0 T, the
  distance travelled by the mean, stays the same; what grows with n is the precision of the path.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import TYPE_CHECKING, Any

import numpy as np

from sims._validate import choice, integer, real
from sims._validate import seeds as checked_seeds

if TYPE_CHECKING:
    import xarray

__all__ = [
    "IdealStar",
    "PolicyGradient",
    "Pretraining",
    "Star",
    "search_policy_gradient",
    "search_pretraining",
    "search_star",
    "successes",
]

CRITERIA = ("greedy", "first", "stop", "chain", "chain_right", "sampled")
POSITIONS = {"first": ("first",), "stop": ("stop",), "chain": ("chain",), "chain_right": ("chain",)}
CELL = 61  # names these runs in a replicate's key
MOST_AT_ONCE = 512  # seeds handed to a simulator together
PIECE = 1000  # steps of a policy gradient between which an interrupt is heard


def _least_rounds(p_0: float) -> int:
    """Doublings of the odds p_0/(1 - p_0) until greedy decoding goes on, at odds 1/2."""
    return max(0, math.ceil(math.log2((1 - p_0) / (2 * p_0)) - 1e-12))


def _check_ridge(value: Any, d: int) -> None:
    from sims.linear_model._arguments import ridge_values  # here, since it brings compiled code with it

    ridge_values(value, d)


def _parts(seeds: Any) -> list[list[int]]:
    numbers = [int(seed) for seed in seeds]
    return [numbers[i : i + MOST_AT_ONCE] for i in range(0, len(numbers), MOST_AT_ONCE)]


@dataclass(frozen=True)
class Pretraining:
    """Pre-training of the linear model by averaged stochastic gradient descent on n demonstrations.

    Attributes
    ----------
    d : int
        Length of the prompt.
    p_cot : float
        Share of long demonstrations.
    criterion : str
        What is a success: ``greedy``, greedy decoding writes the whole right chain on a share 1 - epsilon of the
        prompts; ``first``, ``stop``, the root mean square over the prompts of the error of P(y_1 = x_1), of
        P(EOS | agree), is at most epsilon; ``chain``, the mean token error is at most epsilon; ``chain_right``, the
        product of the mean accuracies of positions 2..d is at least 1 - epsilon; ``sampled``, at every prompt
        P(right long answer) is within epsilon of p and P(right short answer) of (1 - p)/2.
    epsilon : float
        In (0, 1).
    ridge : float or mapping
        lambda of :func:`sims.linear_model.pretrain`.
    n_prompts : int
        Prompts at which a run is judged (all 2^d for d <= 10).
    """

    d: int
    p_cot: float
    criterion: str = "greedy"
    epsilon: float = 0.1
    ridge: Any = 0.01
    n_prompts: int = 256

    def __post_init__(self) -> None:
        integer("d", self.d, 2, 4096)
        real("p_cot", self.p_cot, 0.0, 1.0)
        choice("criterion", self.criterion, CRITERIA)
        real("epsilon", self.epsilon, 0.0, 1.0, open_low=True, open_high=True)
        _check_ridge(self.ridge, self.d)
        integer("n_prompts", self.n_prompts, 1, 10**6)

    def __call__(self, n_samples: int, seeds: Any) -> np.ndarray:
        """Train once for every seed."""
        return np.concatenate([self._run(n_samples, part) for part in _parts(seeds)])

    def _run(self, n_samples: int, seeds: list[int]) -> np.ndarray:
        from sims.linear_model import pretrain

        positions = POSITIONS.get(self.criterion, ("first", "stop", "chain"))
        data = pretrain(
            self.d, self.p_cot, n_samples, self.ridge, seeds, positions=positions, n_prompts=self.n_prompts,
            progress=False,
        )  # fmt: skip
        p, epsilon = self.p_cot, self.epsilon
        if self.criterion == "greedy":
            right = (data["greedy_length"].values == self.d) & data["greedy_correct"].values.astype(bool)
            return np.asarray(right.mean(axis=1) >= 1 - epsilon)
        if self.criterion in ("first", "stop"):
            name, truth = (
                ("first_token", (1 + p) / 2) if self.criterion == "first" else ("stop_agree", (1 - p) / (1 + p))
            )
            return np.asarray(np.sqrt(((data[name].values - truth) ** 2).mean(axis=1)) <= epsilon)
        if self.criterion == "chain":
            return np.asarray(data["chain_error"].values.mean(axis=1) <= epsilon)
        if self.criterion == "chain_right":
            return np.asarray((1 - data["chain_error"].values).prod(axis=1) >= 1 - epsilon)
        long = np.abs(data["long_correct"].values - p).max(axis=1)
        short = np.abs(data["short_correct"].values - (1 - p) / 2).max(axis=1)
        return np.asarray(np.maximum(long, short) <= epsilon)


@dataclass(frozen=True)
class Star:
    """STaR with real retraining from zero in every round, started calibrated at p_0.

    Attributes
    ----------
    d : int
        Length of the prompt.
    p_0 : float
        Share of long answers at the start, in (0, 1).
    n_rounds : int or None
        Rounds; None for the doublings that the odds need and one more.
    epsilon : float
        Success: greedy accuracy of the last model at least 1 - epsilon.
    ridge : float or mapping
        lambda of every training.
    reward : {"r_cot", "r_e2e"}
        What is kept.
    n_prompts : int
        Prompts at which a run is judged.
    """

    d: int
    p_0: float
    n_rounds: int | None = None
    epsilon: float = 0.1
    ridge: Any = 0.01
    reward: str = "r_cot"
    n_prompts: int = 256

    def __post_init__(self) -> None:
        integer("d", self.d, 2, 4096)
        real("p_0", self.p_0, 0.0, 1.0, open_low=True, open_high=True)
        if self.n_rounds is not None:
            integer("n_rounds", self.n_rounds, 1, 1000)
        real("epsilon", self.epsilon, 0.0, 0.5, open_low=True, open_high=True)
        _check_ridge(self.ridge, self.d)
        choice("reward", self.reward, ("r_cot", "r_e2e"))
        integer("n_prompts", self.n_prompts, 1, 10**6)

    @property
    def rounds(self) -> int:
        """Rounds that are run."""
        return _least_rounds(self.p_0) + 1 if self.n_rounds is None else self.n_rounds

    def __call__(self, n_samples: int, seeds: Any) -> np.ndarray:
        """Post-train once for every seed."""
        from sims.post_training import star

        each = n_samples // self.rounds
        if each < 1:
            return np.zeros(len(seeds), bool)
        found = []
        for part in _parts(seeds):
            data = star(
                self.d, self.p_0, each, self.rounds, part, ridge=self.ridge, start_ridge=1e-6, reward=self.reward,
                n_prompts=self.n_prompts,
            )  # fmt: skip
            found.append(data["greedy_accuracy"].isel(round=-1).values >= 1 - self.epsilon)
        return np.concatenate(found)


@dataclass(frozen=True)
class IdealStar:
    """STaR with an exact chain and refitting by the kept shares: what the draws alone need.

    Attributes
    ----------
    p_0 : float
        Share of long answers at the start, in (0, 1).
    n_rounds : int or None
        Rounds; None for the doublings that the odds need and two more.
    """

    p_0: float
    n_rounds: int | None = None

    def __post_init__(self) -> None:
        real("p_0", self.p_0, 0.0, 1.0, open_low=True, open_high=True)
        if self.n_rounds is not None:
            integer("n_rounds", self.n_rounds, 1, 1000)

    @property
    def rounds(self) -> int:
        """Rounds that are run."""
        return _least_rounds(self.p_0) + 2 if self.n_rounds is None else self.n_rounds

    def __call__(self, n_samples: int, seeds: Any) -> np.ndarray:
        """Success: the share of long answers is at least 1/3 in the end."""
        from sims.post_training import refit_shares

        each = n_samples // self.rounds
        if each < 1:
            return np.zeros(len(seeds), bool)
        data = refit_shares(self.p_0, each, self.rounds, [int(seed) for seed in seeds])
        return np.asarray(data["long_fraction"].isel(round=-1).values >= 1 / 3)


@dataclass(frozen=True)
class PolicyGradient:
    """REINFORCE or GRPO on all weights of the linear model, started calibrated at p_0 with an exact chain.

    Attributes
    ----------
    d : int
        Length of the prompt.
    p_0 : float
        Share of long answers at the start, in (0, 1).
    method : str
        As for :func:`sims.post_training.policy_gradient`.
    group_size, batch : int
        Answers in a group and in a step; the batch a multiple of the group.
    baseline : float
        b in [0, 1] of REINFORCE.
    travel : float
        eta p_0 T, step size times share times steps; plain REINFORCE needs about 1.
    reward : {"r_cot", "r_e2e"}
        Which reward.
    epsilon : float
        Success: greedy accuracy at the end at least 1 - epsilon.
    n_prompts : int
        Prompts at which a run is judged (all 2^d for d <= 10).
    """

    d: int
    p_0: float
    method: str = "reinforce"
    group_size: int = 2
    batch: int = 16
    baseline: float = 0.5
    travel: float = 1.5
    reward: str = "r_e2e"
    epsilon: float = 0.1
    n_prompts: int = 256

    def __post_init__(self) -> None:
        from sims.post_training._gradients import METHODS

        integer("d", self.d, 2, 512)
        real("p_0", self.p_0, 0.0, 1.0, open_low=True, open_high=True)
        choice("method", self.method, tuple(METHODS))
        integer("group_size", self.group_size, 2, 10_000)
        integer("batch", self.batch, 1, 10**6)
        if self.method != "reinforce" and self.batch % self.group_size:
            raise ValueError(f"batch must be a multiple of group_size = {self.group_size}, got {self.batch}")
        real("baseline", self.baseline, 0.0, 1.0)
        real("travel", self.travel, 0.0, 1e6, open_low=True)
        choice("reward", self.reward, ("r_cot", "r_e2e"))
        real("epsilon", self.epsilon, 0.0, 0.5, open_low=True, open_high=True)
        integer("n_prompts", self.n_prompts, 1, 10**6)

    def __call__(self, n_samples: int, seeds: Any) -> np.ndarray:
        """Train once for every seed, and decode greedily at the end."""
        n_steps = n_samples // self.batch
        if n_steps < 1 or self.travel / (self.p_0 * n_steps) > 1000.0:
            return np.zeros(len(seeds), bool)
        return np.array([self._accuracy(n_steps, int(seed)) >= 1 - self.epsilon for seed in seeds])

    def _accuracy(self, n_steps: int, seed: int) -> float:
        from sims._streams import mix_seed
        from sims.linear_model import _kernel_weights, _prompt_bits
        from sims.linear_model._evaluation import evaluate
        from sims.post_training._gradients import METHODS, _steps

        d, p_0 = self.d, self.p_0
        key = np.uint64(mix_seed(np.uint64(seed), np.uint64(CELL)))
        kind = METHODS[self.method]
        size = 1 if kind == 0 else self.group_size
        eta = self.travel / (p_0 * n_steps)
        agree, certain = math.log((1 - p_0) / (2 * p_0)), 30.0
        w_first, w_stop, w_chain = np.zeros(d), np.zeros(2 * d + 2), np.zeros((d - 1, 3 * d - 1))
        w_first[0] = math.log((1 + p_0) / (1 - p_0))
        w_stop[d + 1], w_stop[2 * d + 1] = (agree - certain) / 2, (agree + certain) / 2
        for k in range(d - 1):
            w_chain[k, d + 2 * k + 2] = certain  # y_(l-1) x_l with l = k + 2
        record = np.zeros((PIECE + 1, 6))
        for piece in range(-(-n_steps // PIECE)):  # each with a key of its own, so that its steps count from 0
            part = np.uint64(mix_seed(key, np.uint64(piece)))
            _steps(
                part, 0, min(PIECE, n_steps - piece * PIECE), d, self.batch // size, size, eta, float(self.baseline),
                kind, self.reward == "r_cot", False, w_first, w_stop, w_chain, record,
            )  # fmt: skip
        heads, chain = _kernel_weights(w_first, w_stop, w_chain)
        bits = _prompt_bits(d, np.uint64(seed), self.n_prompts)
        table, flags = np.zeros((5, len(bits))), np.zeros((2, len(bits)), np.int64)
        errors, largest = np.zeros(chain.shape[1]), np.zeros(chain.shape[1])
        evaluate(bits, d, heads, chain, True, table, errors, largest, flags)
        return float(flags[1].mean())


LEARNERS: dict[str, type[Any]] = {
    "pretraining": Pretraining,
    "star": Star,
    "ideal_star": IdealStar,
    "policy_gradient": PolicyGradient,
}


def successes(learner: str, settings: Mapping[str, Any], n_samples: int, seeds: int | Any) -> xarray.Dataset:
    """Run a learner at one sample size and say which runs succeeded.

    Parameters
    ----------
    learner : {"pretraining", "star", "ideal_star", "policy_gradient"}
        Which.
    settings : mapping
        Attributes of its record: :class:`Pretraining`, :class:`Star`, :class:`IdealStar`, :class:`PolicyGradient`.
    n_samples : int
        Samples of each run, an integer in [1, 1000000000000].
    seeds : int or sequence of int
        One run each, distinct, in [0, 2**63).

    Returns
    -------
    xarray.Dataset
        ``success`` (replicate,), with the learner's parameters as attributes.

    Raises
    ------
    ValueError
        Outside the ranges above, or for settings that the learner does not take.

    Examples
    --------
    >>> settings = {"d": 4, "p_cot": 0.6, "criterion": "greedy", "ridge": 0.05}
    >>> [int(successes("pretraining", settings, n, range(20)).success.sum()) for n in (10, 10_000)]
    [0, 20]
    """
    import xarray

    record = _record(choice("learner", learner, tuple(LEARNERS)), settings)
    n = integer("n_samples", n_samples, 1, 10**12)
    replicates = checked_seeds(seeds)
    found = record(n, replicates.astype(np.int64))
    attributes = {key: _attribute(value) for key, value in asdict(record).items()}
    return xarray.Dataset(
        {"success": (("replicate",), found, {"units": "1", "long_name": "whether the run succeeded"})},
        {"seed": ("replicate", replicates.astype(np.int64))},
        {"experiment": f"sample_complexity.{learner}", "n_samples": n, **attributes},
    )


def _record(learner: str, settings: Any) -> Any:
    kind = LEARNERS[learner]
    names = [field.name for field in fields(kind)]
    if not isinstance(settings, Mapping) or any(key not in names for key in settings):
        raise ValueError(f"settings must map some of {', '.join(names)} to values, got {settings!r}")
    try:
        return kind(**settings)
    except TypeError as error:
        raise ValueError(f"settings must hold what the learner needs ({error}), got {settings!r}") from None


def _attribute(value: Any) -> Any:
    if value is None:
        return "none"
    return value if isinstance(value, (bool, int, float, str)) else repr(value)


# The same as experiments: each seed is a search of its own


def _searches(learner: Any, seeds: Any, options: dict[str, Any], attributes: dict[str, Any]) -> xarray.Dataset:
    import xarray

    from sims.sample_complexity import search
    from sims.sample_complexity._search import STATUSES

    replicates = checked_seeds(seeds)
    found = [search(learner, seed=int(seed), progress=False, **options) for seed in replicates]
    over = ("replicate",)
    columns: dict[str, tuple[str, str, Any]] = {
        "n_low": ("samples", "P(success) is below the level here; 0 if unknown", [r.interval.low for r in found]),
        "n_high": (
            "samples",
            "P(success) is at least the level here; inf if unknown",
            [r.interval.high for r in found],
        ),
        "status": (
            "1",
            "; ".join(f"{k} {word}" for k, word in enumerate(STATUSES)),
            [STATUSES.index(r.status) for r in found],
        ),
        "runs": ("runs", "runs of the learner", [r.runs for r in found]),
        "samples": ("samples", "samples of all runs together", [r.samples for r in found]),
        "probes": ("1", "sample sizes looked at", [len(r.probes) for r in found]),
        "decreasing": ("nat", "evidence that more samples hurt somewhere", [r.decreasing for r in found]),
    }
    return xarray.Dataset(
        {
            name: (over, np.array(values), {"units": u, "long_name": text})
            for name, (u, text, values) in columns.items()
        },
        {"seed": ("replicate", replicates.astype(np.int64))},
        {**{key: _attribute(value) for key, value in {**asdict(learner), **options}.items()}, **attributes},
    )


def _options(level: Any, confidence: Any, start: Any, n_max: Any, resolution: Any, max_runs: Any) -> dict[str, Any]:
    return {
        "level": level, "confidence": confidence, "start": start, "n_max": n_max, "resolution": resolution,
        "max_runs": max_runs,
    }  # fmt: skip


def search_pretraining(
    d: int,
    p_cot: float,
    seeds: int | Any,
    *,
    criterion: str = "greedy",
    epsilon: float = 0.1,
    ridge: Any = 0.01,
    n_prompts: int = 256,
    level: float = 0.9,
    confidence: float = 0.95,
    start: int = 64,
    n_max: int = 10**7,
    resolution: float = 0.2,
    max_runs: int = 20_000,
) -> xarray.Dataset:
    """Search the number of demonstrations that pre-training needs; each seed is a search of its own.

    Parameters
    ----------
    d : int
        Length of the prompt, an integer in [2, 4096].
    p_cot : float
        Share of long demonstrations, in [0, 1].
    seeds : int or sequence of int
        One search each.
    criterion : str, optional
        ``greedy``, ``first``, ``stop``, ``chain``, ``chain_right`` or ``sampled``; see :class:`Pretraining`.
    epsilon : float, optional
        Of the criterion, in (0, 1).
    ridge : float or mapping, optional
        lambda.
    n_prompts : int, optional
        Prompts at which a run is judged, an integer in [1, 1000000].
    level, confidence, start, n_max, resolution, max_runs : optional
        As for :func:`sims.sample_complexity.search`.

    Returns
    -------
    xarray.Dataset
        Over (replicate,): ``n_low``, ``n_high``, ``status``, ``runs``, ``samples``, ``probes``, ``decreasing``.

    Raises
    ------
    ValueError
        Outside the ranges above.

    Examples
    --------
    >>> found = search_pretraining(3, 0.6, 0, ridge=0.05, level=0.5, resolution=1.0, n_max=4000, max_runs=300)
    >>> bool(0 < found.n_low[0] < found.n_high[0] < 1000)
    True
    """
    learner = Pretraining(d, p_cot, criterion, epsilon, ridge, n_prompts)
    options = _options(level, confidence, start, n_max, resolution, max_runs)
    return _searches(learner, seeds, options, {"experiment": "sample_complexity.pretraining"})


def search_star(
    d: int,
    p_0: float,
    seeds: int | Any,
    *,
    n_rounds: int | None = None,
    epsilon: float = 0.1,
    ridge: Any = 0.01,
    reward: str = "r_cot",
    n_prompts: int = 256,
    level: float = 0.9,
    confidence: float = 0.95,
    start: int = 1024,
    n_max: int = 10**8,
    resolution: float = 0.2,
    max_runs: int = 20_000,
) -> xarray.Dataset:
    """Search the answers that STaR with real retraining draws in all; each seed is a search of its own.

    Parameters
    ----------
    d : int
        Length of the prompt, an integer in [2, 4096].
    p_0 : float
        Share of long answers at the start, in (0, 1).
    seeds : int or sequence of int
        One search each.
    n_rounds, epsilon, ridge, reward, n_prompts : optional
        See :class:`Star`.
    level, confidence, start, n_max, resolution, max_runs : optional
        As for :func:`sims.sample_complexity.search`.

    Returns
    -------
    xarray.Dataset
        As :func:`search_pretraining`.

    Raises
    ------
    ValueError
        Outside the ranges above.

    Examples
    --------
    >>> found = search_star(3, 0.3, 0, ridge=0.02, start=64, n_max=512, max_runs=100)
    >>> bool(found.n_low[0] > 0)
    True
    """
    learner = Star(d, p_0, n_rounds, epsilon, ridge, reward, n_prompts)
    options = _options(level, confidence, start, n_max, resolution, max_runs)
    return _searches(learner, seeds, options, {"experiment": "sample_complexity.star"})


def search_policy_gradient(
    d: int,
    p_0: float,
    seeds: int | Any,
    *,
    method: str = "reinforce",
    group_size: int = 2,
    batch: int = 16,
    baseline: float = 0.5,
    travel: float = 1.5,
    reward: str = "r_e2e",
    epsilon: float = 0.1,
    n_prompts: int = 256,
    level: float = 0.9,
    confidence: float = 0.95,
    start: int = 1024,
    n_max: int = 10**8,
    resolution: float = 0.2,
    max_runs: int = 20_000,
) -> xarray.Dataset:
    """Search the answers that a policy gradient draws in all; each seed is a search of its own.

    Parameters
    ----------
    d : int
        Length of the prompt, an integer in [2, 512].
    p_0 : float
        Share of long answers at the start, in (0, 1).
    seeds : int or sequence of int
        One search each.
    method, group_size, batch, baseline, travel, reward, epsilon, n_prompts : optional
        See :class:`PolicyGradient`.
    level, confidence, start, n_max, resolution, max_runs : optional
        As for :func:`sims.sample_complexity.search`.

    Returns
    -------
    xarray.Dataset
        As :func:`search_pretraining`.

    Raises
    ------
    ValueError
        Outside the ranges above.

    Examples
    --------
    >>> found = search_policy_gradient(3, 0.3, 0, start=16, n_max=512, max_runs=100)
    >>> bool(found.n_low[0] > 0)
    True
    """
    learner = PolicyGradient(d, p_0, method, group_size, batch, baseline, travel, reward, epsilon, n_prompts)
    options = _options(level, confidence, start, n_max, resolution, max_runs)
    return _searches(learner, seeds, options, {"experiment": "sample_complexity.policy_gradient"})
