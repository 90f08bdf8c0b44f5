"""Learning curves: a network on short answers, the autoregressive linear model on short, mixed and long ones."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from sims._validate import choice, integer, real
from sims._validate import seeds as checked_seeds
from sims.hardness._arguments import flag, key_of, labelled, records, subset_of
from sims.hardness._networks import ACTIVATIONS, STARTS, accuracy_everywhere, accuracy_on_fresh, start, train
from sims.hardness._spectrum import network_spectrum
from sims.linear_model import pretrain

if TYPE_CHECKING:
    import xarray

__all__ = ["learning_curve", "short_route"]

EVERYWHERE = 12  # up to this d all prompts are evaluated
TRANSFORMED = 16  # up to this d signals are measured along training
ROUTES = ("short", "short_linear", "mixed", "long")


class _Network:
    """One replicate's weights, and room to work."""

    def __init__(self, d: int, width: int, key: np.uint64, signs: bool, relu: bool, subset: np.uint64) -> None:
        self.d, self.key, self.relu, self.subset = d, key, relu, subset
        self.w, self.b, self.a, self.c = np.empty((d, width)), np.empty(width), np.empty(width), np.zeros(1)
        start(key, d, signs, self.w, self.b, self.a)
        self.room = (np.empty((d, width)), np.empty(width), np.empty(width), np.empty(width))

    def train(self, first: int, last: int, batch: int, rate: float) -> None:
        piece = max(1, (1 << 22) // (batch * self.d * len(self.a)))
        for begin in range(first, last, piece):  # an interrupt is heard between two calls
            end = min(begin + piece, last)
            train(
                self.key, self.d, self.subset, begin, end, batch, rate, self.relu,
                self.w, self.b, self.a, self.c, *self.room,
            )  # fmt: skip

    def accuracy(self, n_prompts: int) -> tuple[float, float]:
        if self.d <= EVERYWHERE:
            z, f = np.empty(1 << self.d), np.empty(1 << self.d)
            found = accuracy_everywhere(self.d, self.subset, self.w, self.b, self.a, float(self.c[0]), self.relu, z, f)
        else:
            found = accuracy_on_fresh(
                self.key, self.d, self.subset, n_prompts, self.w, self.b, self.a, float(self.c[0]), self.relu,
                self.room[3],
            )  # fmt: skip
        return float(found[0]), float(found[1])

    def signal(self) -> tuple[float, float, float]:
        """Mean squared gradient, and squared signals: mean over all parities, and at the subset."""
        n = 1 << self.d
        total, square = network_spectrum(self.w, self.b, self.a, self.relu, True, np.ones(n), float(n), 1)
        return square, float(total.mean()) / 4, float(total[int(self.subset)]) / 4


def short_route(
    d: int,
    n_samples: int,
    seeds: int | Any,
    *,
    subset_size: int | None = -1,
    width: int = 128,
    activation: str = "relu",
    initialisation: str = "gaussian",
    learning_rate: float = 0.5,
    batch: int = 16,
    record_at: Sequence[int] | None = None,
    n_prompts: int = 2000,
    target: float = 0.99,
    signals: bool = False,
) -> xarray.Dataset:
    """Train a two-layer network on short answers by stochastic gradient descent.

    Parameters
    ----------
    d : int
        Number of signs, 1 <= d <= 62.
    n_samples : int
        Budget of fresh demonstrations, 1 <= n_samples <= 2^40; whole batches are used.
    seeds : int or sequence of int
        One replicate each, distinct, in [0, 2**63).
    subset_size : int or None, optional
        The answer is the product of this many random signs, from 0 to d; -1 (default): of all d; None: of a subset
        drawn by coins.
    width : int, optional
        Hidden units m, 1 <= m <= 65536.
    activation : {"relu", "tanh"}, optional
        Of the hidden units.
    initialisation : {"gaussian", "signs"}, optional
        As in :func:`gradient_signal`.
    learning_rate : float, optional
        Constant step on the batch's mean loss, in (0, 1e6].
    batch : int, optional
        Demonstrations a step, 1 <= batch <= 2^20.
    record_at : sequence of int, optional
        Increasing numbers of demonstrations, from 0 to `n_samples`, at which to evaluate (after the last whole batch);
        the end alone by default. The run ends with the last.
    n_prompts : int, optional
        Fresh prompts to evaluate at, 1 <= n_prompts <= 2^32; for d <= 12 all 2^d prompts are taken instead.
    target : float, optional
        Accuracy in (0, 1] at which the task counts as learned: the run then ends, and later records repeat it.
    signals : bool, optional
        Measure the gradient's signals at each record, for d <= 16.

    Returns
    -------
    xarray.Dataset
        Over (replicate, samples): ``accuracy`` of the sign of f, ``chance``, mean probability of the right answer.
        Over (replicate,): ``learned_at``, demonstrations at the first record with the target's accuracy, -1 if none.
        With `signals`, over (replicate, samples): ``gradient_square``, ``mean_signal`` over all parities and
        ``own_signal``, that of the answer's own parity, both squared.

    Raises
    ------
    ValueError
        Outside the ranges above, or where the weights overflow.

    Notes
    -----
    Time O(d m) for each demonstration. A network with ``signs`` and ReLUs sees the product of all signs from the start,
    with ``gaussian`` it does not.

    Examples
    --------
    >>> curve = short_route(4, 20_000, seeds=0, width=64, record_at=[0, 20_000])
    >>> bool(curve.accuracy[0, 1] > 0.95)
    True
    """
    d = integer("d", d, 1, 62)
    n_samples = integer("n_samples", n_samples, 1, 2**40)
    replicates = checked_seeds(seeds)
    if subset_size is not None:
        subset_size = integer("subset_size", subset_size, -1, d)
    width = integer("width", width, 1, 65536)
    relu = choice("activation", activation, ACTIVATIONS) == "relu"
    signs = choice("initialisation", initialisation, STARTS) == "signs"
    rate = real("learning_rate", learning_rate, 0.0, 1e6, open_low=True)
    batch = integer("batch", batch, 1, 2**20)
    counts = records(record_at, n_samples)
    n_prompts = integer("n_prompts", n_prompts, 1, 2**32)
    target = real("target", target, 0.0, 1.0, open_low=True)
    signals = flag("signals", signals)
    if signals and d > TRANSFORMED:
        raise ValueError(f"signals must be False for d > {TRANSFORMED}, got True at d = {d}")

    shape = (len(replicates), len(counts))
    accuracy, chance = np.empty(shape), np.empty(shape)
    measured = np.empty((*shape, 3)) if signals else None
    learned = np.full(len(replicates), -1, np.int64)
    for r, seed in enumerate(replicates):
        key = key_of(seed)
        size = d if subset_size == -1 else subset_size
        subset = subset_of(key, d, size)[0]
        network = _Network(d, width, key, signs, relu, subset)
        done = 0
        for k, count in enumerate(counts):
            if learned[r] >= 0:
                accuracy[r, k], chance[r, k] = accuracy[r, k - 1], chance[r, k - 1]
                if measured is not None:
                    measured[r, k] = measured[r, k - 1]
                continue
            network.train(done, count // batch, batch, rate)
            done = count // batch
            parts = (network.w, network.b, network.a, network.c)
            finite = all(np.isfinite(part).all() for part in parts)
            if finite:
                accuracy[r, k], chance[r, k] = network.accuracy(n_prompts)
            if not (finite and np.isfinite(chance[r, k])):
                raise ValueError(f"learning_rate must be small enough for the weights to stay finite, got {rate}")
            if measured is not None:
                measured[r, k] = network.signal()
            if accuracy[r, k] >= target:
                learned[r] = count
    columns: dict[str, tuple[tuple[str, ...], Any, str, str]] = {
        "accuracy": (("samples",), accuracy, "1", "share of prompts with the right sign"),
        "chance": (("samples",), chance, "1", "mean probability of the right answer"),
        "learned_at": ((), learned, "demonstrations", "first record with the target's accuracy, -1: none"),
    }
    if measured is not None:
        columns["gradient_square"] = (("samples",), measured[:, :, 0], "1", "mean squared norm of the gradient of f")
        columns["mean_signal"] = (("samples",), measured[:, :, 1], "1", "mean squared signal over all parities")
        columns["own_signal"] = (("samples",), measured[:, :, 2], "1", "squared signal of the answer's parity")
    attributes = {
        "experiment": "hardness.short_route",
        "d": d,
        "n_samples": n_samples,
        "subset_size": "any" if subset_size is None else subset_size,
        "width": width,
        "activation": activation,
        "initialisation": initialisation,
        "learning_rate": rate,
        "batch": batch,
        "n_prompts": 2**d if d <= EVERYWHERE else n_prompts,
        "target": target,
    }
    return labelled(columns, replicates, attributes, {"samples": np.array(counts, np.int64)})


def learning_curve(
    route: str,
    d: int,
    n_samples: int,
    seeds: int | Any,
    *,
    p_cot: float = 0.5,
    record_at: Sequence[int] | None = None,
    ridge: Any = 0.01,
    width: int = 128,
    learning_rate: float = 0.5,
    n_prompts: int = 1000,
) -> xarray.Dataset:
    """Accuracy on the parity of all signs against demonstrations: short ones only, a mixture, or long ones only.

    Parameters
    ----------
    route : {"short", "short_linear", "mixed", "long"}
        ``short``: a two-layer network on short answers (:func:`short_route`); the others train the autoregressive
        linear model (:func:`sims.linear_model.pretrain`) with the share 0, `p_cot` and 1 of long demonstrations.
    d : int
        Number of signs, 2 <= d <= 62.
    n_samples : int
        Demonstrations for each seed, 1 <= n_samples <= 2^40.
    seeds : int or sequence of int
        One replicate each, distinct, in [0, 2**63).
    p_cot : float, optional
        Share of long demonstrations of the mixture, in [0, 1].
    record_at : sequence of int, optional
        Increasing numbers of demonstrations, at least 1, at which to evaluate; the end alone by default.
    ridge : float, mapping or sequence, optional
        Of the linear model, as its function takes it.
    width, learning_rate : int and float, optional
        Of the network, as :func:`short_route` takes them.
    n_prompts : int, optional
        Fresh prompts to evaluate at, 1 <= n_prompts <= 2^32, where not all prompts are taken.

    Returns
    -------
    xarray.Dataset
        Over (replicate, samples): ``accuracy`` of greedy answers, ``sampled_accuracy``, probability of a right answer
        sampled at temperature 1 (for the linear model: short and right, or the exact chain), and ``length``, mean
        number of greedy tokens, EOS excluded.

    Raises
    ------
    ValueError
        Outside the ranges above.

    Notes
    -----
    Tsilivis, Malach, Ullrich and Kempe (arXiv 2510.11495) for the linear model and the mixture.

    Examples
    --------
    >>> curve = learning_curve("mixed", 5, 4000, seeds=0, p_cot=0.6)
    >>> float(curve.accuracy[0, 0]), float(curve.length[0, 0])
    (1.0, 5.0)
    """
    route = choice("route", route, ROUTES)
    d = integer("d", d, 2, 62)
    n_samples = integer("n_samples", n_samples, 1, 2**40)
    p_cot = real("p_cot", p_cot, 0.0, 1.0)
    counts = records(record_at, n_samples)
    if counts[0] < 1:
        raise ValueError(f"record_at must be increasing integers in [1, n_samples], got {record_at!r}")
    n_prompts = integer("n_prompts", n_prompts, 1, 2**32)
    width = integer("width", width, 1, 65536)
    learning_rate = real("learning_rate", learning_rate, 0.0, 1e6, open_low=True)
    if route == "short":
        run = short_route(
            d, n_samples, seeds, width=width, learning_rate=learning_rate, record_at=counts, n_prompts=n_prompts
        )
        accuracy, sampled = run.accuracy.values, run.chance.values
        length = np.ones_like(accuracy)
        share = 0.0
    else:
        share = {"short_linear": 0.0, "mixed": p_cot, "long": 1.0}[route]
        run = pretrain(d, share, counts[-1], ridge, seeds, n_prompts=n_prompts, record_at=counts, progress=False)
        accuracy = run.greedy_correct.mean("prompt").values
        sampled = (run.short_correct + run.long_correct).mean("prompt").values
        length = run.greedy_length.mean("prompt").values
    columns: dict[str, tuple[tuple[str, ...], Any, str, str]] = {
        "accuracy": (("samples",), accuracy, "1", "share of prompts with a right greedy answer"),
        "sampled_accuracy": (("samples",), sampled, "1", "mean probability of a right sampled answer"),
        "length": (("samples",), length, "tokens", "mean length of the greedy answer, EOS excluded"),
    }
    attributes = {
        "experiment": "hardness.learning_curve",
        "route": route,
        "d": d,
        "n_samples": n_samples,
        "p_cot": share,
        "n_prompts": run.attrs["n_prompts"],
    }
    replicates = run.seed.values.astype(np.uint64)
    return labelled(columns, replicates, attributes, {"samples": np.array(counts, np.int64)})
