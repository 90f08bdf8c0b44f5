"""Training a decoder on demonstrations by next-token prediction on answer tokens, and the optimiser of all stages."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from sims._validate import choice, integer, real
from sims._validate import seeds as checked_seeds
from sims.transformer._checkpoints import checkpoint_path, device_for, drive, load, one_thread, over_seeds, save
from sims.transformer._data import (
    PAD,
    TEST_PROMPT,
    chain_length,
    draw_demonstrations,
    every_prompt,
    prompts,
    replicate_key,
    weights_key,
)
from sims.transformer._decoder import (
    Architecture,
    decayed,
    initial_weights,
    log_probabilities,
    named,
    tensors,
)
from sims.transformer._evaluation import MEANINGS, evaluate

if TYPE_CHECKING:
    import xarray

__all__ = ["OPTIMISER", "Learner", "Setting", "answer_loss", "final_weights", "pretrain", "pretrained"]

MODULE = "transformer._training"
LARGEST = 1024  # of d

#: Pre-training by AdamW: sequences a step, peak rate, steps of linear warm-up, share of the steps in which the rate
#: falls linearly to 0, decay rates of the moments, weight decay of matrices, largest gradient norm (0: any).
OPTIMISER: dict[str, float] = {
    "batch": 128,
    "learning_rate": 1e-3,
    "warmup": 100,
    "decay": 0.2,
    "beta1": 0.9,
    "beta2": 0.99,
    "weight_decay": 0.01,
    "clip": 1.0,
}


@dataclass(frozen=True)
class Setting:
    """A decoder, its demonstrations and its pre-training; all that decides the weights besides the seed."""

    d: int
    p_cot: float
    n_steps: int
    leap: int
    noise: float
    noise_kind: str
    depth: int
    width: int
    heads: int
    optimiser: tuple[tuple[str, float], ...]
    threads: int
    device: str

    @property
    def shape(self) -> Architecture:
        """The decoder's sizes."""
        return Architecture(self.depth, self.width, self.heads, self.d + chain_length(self.d, self.leap))

    @property
    def adam(self) -> dict[str, float]:
        """The optimiser's numbers by name."""
        return dict(self.optimiser)

    def attributes(self) -> dict[str, Any]:
        """What a dataset tells about it."""
        facts = {name: value for name, value in dataclasses.asdict(self).items() if name != "optimiser"}
        facts.update({f"optimiser_{name}": value for name, value in self.optimiser})
        facts["torch_version"] = torch.__version__
        return facts


def setting(
    d: Any,
    p_cot: Any,
    n_steps: Any,
    leap: Any,
    noise: Any,
    noise_kind: Any,
    depth: Any,
    width: Any,
    heads: Any,
    optimiser: Any,
    threads: Any,
    device: Any,
) -> Setting:
    """Check everything that pre-training takes."""
    d = integer("d", d, 2, LARGEST)
    width, heads = integer("width", width, 1, 8192), integer("heads", heads, 1, 1024)
    if width % heads:
        raise ValueError(f"width must be a multiple of heads = {heads}, got {width}")
    found = Setting(
        d,
        real("p_cot", p_cot, 0.0, 1.0),
        integer("n_steps", n_steps, 0, 10**9),
        integer("leap", leap, 1, d - 1),
        real("noise", noise, 0.0, 0.5),
        choice("noise_kind", noise_kind, ("emitted", "true")),
        integer("depth", depth, 1, 256),
        width,
        heads,
        checked_optimiser(optimiser),
        integer("threads", threads, 1, 1024),
        device_for(choice("device", device, ("auto", "cpu", "cuda"))),
    )
    return found


def checked_optimiser(value: Any) -> tuple[tuple[str, float], ...]:
    """OPTIMISER with the entries of a mapping in their place."""
    if value is None:
        value = {}
    if not isinstance(value, Mapping) or not set(value) <= set(OPTIMISER):
        raise ValueError(f"optimiser must be a mapping with keys among {', '.join(OPTIMISER)}, got {value!r}")
    mixed = {**OPTIMISER, **value}
    return (
        ("batch", integer("optimiser['batch']", mixed["batch"], 1, 10**6)),
        ("learning_rate", real("optimiser['learning_rate']", mixed["learning_rate"], 0.0, 10.0)),
        ("warmup", integer("optimiser['warmup']", mixed["warmup"], 0, 10**9)),
        ("decay", real("optimiser['decay']", mixed["decay"], 0.0, 1.0)),
        ("beta1", real("optimiser['beta1']", mixed["beta1"], 0.0, 1.0, open_high=True)),
        ("beta2", real("optimiser['beta2']", mixed["beta2"], 0.0, 1.0, open_high=True)),
        ("weight_decay", real("optimiser['weight_decay']", mixed["weight_decay"], 0.0, 100.0)),
        ("clip", real("optimiser['clip']", mixed["clip"], 0.0, 1e9)),
    )


class Learner:
    """Weights with AdamW's moments, as vectors of one length."""

    def __init__(self, shape: Architecture, weights: Any, adam: Mapping[str, float], device: str) -> None:
        self.shape, self.adam, self.device = shape, adam, device
        self.shrink = torch.from_numpy(decayed(shape)).float().to(device)
        self.start(weights)

    def start(self, weights: Any) -> None:
        """Begin at given weights with moments of zero."""
        self.weights = torch.as_tensor(weights).detach().to(self.device, torch.float32).clone().requires_grad_()
        self.forget()

    def forget(self) -> None:
        """Set the moments to zero."""
        self.first, self.second = torch.zeros_like(self.shrink), torch.zeros_like(self.shrink)
        self.count = 0

    def views(self) -> dict[str, Any]:
        """The tensors, through which a loss reaches the weights."""
        return tensors(self.weights, self.shape)

    def frozen(self) -> dict[str, Any]:
        """The tensors without a gradient."""
        return tensors(self.weights.detach(), self.shape)

    def step(self, loss: Any, rate: float) -> None:
        """One step of AdamW (Loshchilov and Hutter 2019) down the gradient of a loss."""
        (gradient,) = torch.autograd.grad(loss, self.weights)
        self.count += 1
        adam = self.adam
        with torch.no_grad():
            if adam["clip"] > 0:
                gradient *= (adam["clip"] / (gradient.norm() + 1e-6)).clamp(max=1.0)
            self.first.lerp_(gradient, 1 - adam["beta1"])
            self.second.mul_(adam["beta2"]).addcmul_(gradient, gradient, value=1 - adam["beta2"])
            size = self.first / (1 - adam["beta1"] ** self.count)
            spread = (self.second / (1 - adam["beta2"] ** self.count)).sqrt_().add_(1e-8)
            self.weights.addcmul_(self.weights, self.shrink, value=-rate * adam["weight_decay"])
            self.weights.addcdiv_(size, spread, value=-rate)

    def state(self) -> dict[str, np.ndarray]:
        """Weights and moments as arrays."""
        found = {"weights": self.weights.detach(), "first": self.first, "second": self.second}
        return {name: value.cpu().numpy().copy() for name, value in found.items()} | {"count": np.array(self.count)}

    def restore(self, state: Mapping[str, np.ndarray]) -> None:
        """Continue from :meth:`state`."""
        self.start(torch.from_numpy(state["weights"]))
        self.first = torch.from_numpy(state["first"]).to(self.device)
        self.second = torch.from_numpy(state["second"]).to(self.device)
        self.count = int(state["count"])


def answer_loss(
    w: dict[str, Any],
    shape: Architecture,
    x: np.ndarray,
    y: np.ndarray,
    factors: np.ndarray,
    *,
    temperature: float = 1.0,
    by_length: bool = False,
) -> Any:
    """Sum over answers of factor times negative log-probability; short and long answers in batches of their own."""
    device = w["head"].device
    is_long = (y[:, 2:] != PAD).any(axis=1)
    total: Any = 0.0
    for rows, length in ((~is_long, min(2, y.shape[1])), (is_long, y.shape[1])):
        if not rows.any():
            continue
        answers = torch.from_numpy(y[rows][:, :length]).to(device)
        found = log_probabilities(w, shape, torch.from_numpy(x[rows]).to(device), answers, temperature)
        seen = answers != PAD
        sums = (found * seen).sum(dim=1)
        if by_length:
            sums = sums / seen.sum(dim=1)
        total = total - (sums * torch.from_numpy(factors[rows]).to(device, torch.float32)).sum()
    return total


def rate_at(step: int, n_steps: int, adam: Mapping[str, float]) -> float:
    """Learning rate of step 0, 1, ...: linear warm-up, a plateau, linear decay to zero."""
    rising = min(1.0, (step + 1) / adam["warmup"]) if adam["warmup"] > 0 else 1.0
    falling = min(1.0, (n_steps - step) / (adam["decay"] * n_steps)) if adam["decay"] > 0 else 1.0
    return adam["learning_rate"] * rising * falling


def evaluation_prompts(key: np.uint64, d: int, n_prompts: int) -> np.ndarray:
    """All 2**d prompts where they are no more than n_prompts, else that many drawn ones."""
    if d < 40 and 2**d <= n_prompts:
        return every_prompt(d)
    return prompts(key, TEST_PROMPT, 0, n_prompts, d)


class History:
    """Evaluations as rows of an array, and where they were made."""

    def __init__(self) -> None:
        self.at: list[int] = []
        self.rows: dict[str, list[Any]] = {}

    def add(self, at: int, row: Mapping[str, Any]) -> None:
        """Append an evaluation."""
        self.at.append(at)
        for name, value in row.items():
            self.rows.setdefault(name, []).append(value)

    def state(self) -> dict[str, np.ndarray]:
        """As arrays."""
        return {"at": np.array(self.at, np.int64)} | {f"row.{n}": np.array(rows) for n, rows in self.rows.items()}

    def restore(self, state: Mapping[str, np.ndarray]) -> None:
        """From :meth:`state`."""
        self.at = state["at"].tolist()
        self.rows = {n.removeprefix("row."): list(rows) for n, rows in state.items() if n.startswith("row.")}


class Pretraining:
    """One replicate's pre-training; a unit is a step."""

    def __init__(self, setting: Setting, seed: int, record_at: Sequence[int], n_prompts: int) -> None:
        self.setting, self.record_at, self.n_prompts = setting, set(record_at), n_prompts
        self.key = replicate_key(seed)
        self.total, self.done = setting.n_steps, 0
        weights = initial_weights(setting.shape, weights_key(self.key))
        self.learner = Learner(setting.shape, weights, setting.adam, setting.device)
        self.history = History()
        self._record()

    def _record(self) -> None:
        if self.done in self.record_at:
            setting = self.setting
            x = evaluation_prompts(self.key, setting.d, self.n_prompts)
            found = evaluate(self.learner.frozen(), setting.shape, x, setting.leap, self.key, self.done)
            self.history.add(self.done, found)

    def advance(self) -> None:
        """One step on a fresh batch."""
        setting, adam = self.setting, self.learner.adam
        batch = int(adam["batch"])
        x, _, y = draw_demonstrations(
            self.key,
            self.done * batch,
            batch,
            setting.d,
            setting.p_cot,
            setting.leap,
            setting.noise,
            setting.noise_kind,
        )
        loss = answer_loss(self.learner.views(), setting.shape, x, y, np.full(batch, 1 / batch))
        self.learner.step(loss, rate_at(self.done, self.total, adam))
        self.done += 1
        self._record()

    def state(self) -> dict[str, np.ndarray]:
        """Everything a continuation needs."""
        return {"done": np.array(self.done), **self.learner.state(), **self.history.state()}

    def restore(self, state: Mapping[str, np.ndarray]) -> None:
        """Continue from a state."""
        self.done = int(state["done"])
        self.learner.restore(state)
        self.history.restore(state)


def _facts(setting: Setting) -> dict[str, Any]:
    return dataclasses.asdict(setting)


def _pretrain_one(
    seed: int, setting: Setting, record_at: tuple[int, ...], n_prompts: int, checkpoints: Any, progress: bool
) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """Weights and history of one replicate."""
    with one_thread(setting.threads, setting.device):
        run = Pretraining(setting, seed, record_at, n_prompts)
        facts = {**_facts(setting), "record_at": record_at, "n_prompts": n_prompts}
        path = checkpoint_path(checkpoints, MODULE, "pretrain", facts, seed)
        drive(run, path, f"pre-training, seed {seed}", progress=progress)
        weights = run.learner.weights.detach().cpu().numpy().copy()
    store = checkpoint_path(checkpoints, MODULE, "weights", _facts(setting), seed)
    if store is not None and not store.exists():
        save(store, {"weights": weights})
    return weights, run.history.state()


def final_weights(seed: int, setting: Setting, checkpoints: Any, progress: bool) -> np.ndarray:
    """Weights after pre-training: from their file if it exists, else trained (and kept where there is a directory)."""
    store = checkpoint_path(checkpoints, MODULE, "weights", _facts(setting), seed)
    if store is not None and store.exists():
        return load(store)["weights"]
    weights, _ = _pretrain_one(seed, setting, (), 1, checkpoints, progress)
    return weights


def labelled(
    histories: Sequence[Mapping[str, np.ndarray]],
    dimension: str,
    unit: str,
    replicates: np.ndarray,
    meanings: Mapping[str, tuple[str, str]],
    attributes: Mapping[str, Any],
) -> xarray.Dataset:
    """Histories of replicates as a dataset over (replicate, dimension), chain losses with a further one."""
    import xarray

    variables: dict[str, Any] = {}
    for name in histories[0]:
        if not name.startswith("row."):
            continue
        short = name.removeprefix("row.")
        values = np.stack([history[name] for history in histories])
        if short == "chain_loss":
            about = ("nat", "mean loss of each token of the right long answer behind its right prefix, EOS last")
            dims: tuple[str, ...] = ("replicate", dimension, "position")
        else:
            about, dims = meanings[short], ("replicate", dimension)
        variables[short] = (dims, values, {"units": about[0], "long_name": about[1]})
    coordinates: dict[str, Any] = {
        "seed": ("replicate", replicates.astype(np.int64)),
        dimension: (dimension, histories[0]["at"], {"units": unit}),
    }
    if "chain_loss" in variables:
        count = variables["chain_loss"][1].shape[2]
        coordinates["position"] = ("position", np.arange(1, count + 1), {"units": "tokens"})
    return xarray.Dataset(variables, coordinates, dict(attributes))


def recorded_steps(record_at: Any, n_steps: int) -> tuple[int, ...]:
    """Increasing numbers of steps in [0, n_steps]; None stands for the last."""
    if record_at is None:
        return (n_steps,)
    if isinstance(record_at, (str, bytes)) or not isinstance(record_at, (Sequence, np.ndarray)) or len(record_at) == 0:
        raise ValueError(f"record_at must be None or a sequence of numbers of steps, got {record_at!r}")
    steps = tuple(integer("record_at", step, 0, n_steps) for step in record_at)
    if list(steps) != sorted(set(steps)):
        raise ValueError(f"record_at must increase, got {record_at!r}")
    return steps


def processes(jobs: Any) -> int:
    """A number of processes, -1 for one a processor."""
    count = integer("jobs", jobs, -1)
    if count == 0:
        raise ValueError("jobs must be -1 or an integer in [1, inf), got 0")
    return count


def pretrain(
    d: int,
    p_cot: float,
    n_steps: int,
    seeds: int | Any,
    *,
    leap: int = 1,
    noise: float = 0.0,
    noise_kind: str = "emitted",
    depth: int = 2,
    width: int = 64,
    heads: int = 4,
    optimiser: Mapping[str, float] | None = None,
    record_at: Any = None,
    n_prompts: int = 1024,
    checkpoints: Any = None,
    jobs: int = 1,
    threads: int = 1,
    device: str = "auto",
    progress: bool = True,
) -> xarray.Dataset:
    r"""Train decoders on D(p) by next-token prediction on the answers, and evaluate them on the way.

    Parameters
    ----------
    d : int
        Length of the prompt, 2 <= d <= 1024.
    p_cot : float
        Share p of long demonstrations, in [0, 1].
    n_steps : int
        Steps, an integer in [0, 1000000000], each on a fresh batch.
    seeds : int or sequence of int
        One replicate each, distinct, in [0, 2**63).
    leap : int, optional
        k in [1, d-1]: long answers show every k-th prefix parity, and the parity last.
    noise : float, optional
        Chance in [0, 0.5] that a token of a long demonstration is flipped.
    noise_kind : {"emitted", "true"}, optional
        Whether the tokens after a flip continue the emitted prefix or the true one.
    depth, width, heads : int, optional
        Blocks, width of the residual stream, attention heads (a divisor of the width).
    optimiser : mapping, optional
        Entries that replace those of ``OPTIMISER``.
    record_at : sequence of int, optional
        Increasing numbers of steps after which to evaluate; None: after the last.
    n_prompts : int, optional
        Prompts at which to evaluate, an integer in [1, 1000000]; all 2**d where they are no more.
    checkpoints : path, optional
        Directory for checkpoints, of which an equal call makes use; None takes the one that the environment variable
        COTBOUNDS_CHECKPOINTS names, if any.
    jobs : int, optional
        Processes, each with replicates of its own; -1 takes one for each processor.
    threads : int, optional
        Threads of PyTorch in each process, at least 1; the bits depend on it.
    device : {"auto", "cpu", "cuda"}, optional
        Where to compute; auto is CUDA where there is one.
    progress : bool, optional
        Show progress on standard error.

    Returns
    -------
    xarray.Dataset
        Over (replicate, step). Exact, averaged over prompts, at temperature 1: ``long_share``, ``long_correct`` (right
        throughout), ``short_correct``, ``first_token`` (agreement of y_1 with the chain's first token, x_1 at leap 1),
        ``stop_agree``, ``stop_disagree``, ``empty``; with a drawn part for answers that leave the right chain:
        ``long_right``, ``sampled_accuracy``, ``mean_length``, ``median_length``, ``unfinished``; greedy:
        ``greedy_accuracy``, ``greedy_faithful`` (the right chain throughout), ``greedy_long``, ``greedy_length``,
        ``greedy_median_length``. Over (replicate, step, position): ``chain_loss``, in nats.

    Raises
    ------
    ValueError
        Outside the ranges above.

    Notes
    -----
    Tsilivis, Malach, Ullrich and Kempe (arXiv 2510.11495), pre-training. The loss is summed over the tokens of an
    answer and averaged over the batch. The same seed gives the same bits on one machine, device and number of threads,
    whatever other seeds run beside it and however often it was stopped. Time of a step, on one core, about
    batch (2d + 1) 12 depth width^2 6 operations at most.

    Examples
    --------
    >>> run = pretrain(3, 0.5, 2, seeds=[0, 1], width=8, heads=2, depth=1, progress=False)
    >>> dict(run.sizes)
    {'replicate': 2, 'step': 1, 'position': 4}
    """
    chosen = setting(d, p_cot, n_steps, leap, noise, noise_kind, depth, width, heads, optimiser, threads, device)
    replicates = checked_seeds(seeds)
    steps = recorded_steps(record_at, chosen.n_steps)
    n_prompts = integer("n_prompts", n_prompts, 1, 10**6)
    work = partial(
        _pretrain_one,
        setting=chosen,
        record_at=steps,
        n_prompts=n_prompts,
        checkpoints=checkpoints,
        progress=bool(progress),
    )
    histories = [history for _, history in over_seeds(work, replicates, processes(jobs))]
    attributes = {"experiment": "transformer.pretrain", **chosen.attributes(), "n_prompts": n_prompts}
    return labelled(histories, "step", "steps", replicates, MEANINGS, attributes)


def pretrained(
    d: int,
    p_cot: float,
    n_steps: int,
    seed: int,
    *,
    leap: int = 1,
    noise: float = 0.0,
    noise_kind: str = "emitted",
    depth: int = 2,
    width: int = 64,
    heads: int = 4,
    optimiser: Mapping[str, float] | None = None,
    checkpoints: Any = None,
    threads: int = 1,
    device: str = "auto",
    progress: bool = True,
) -> dict[str, np.ndarray]:
    """Weights of one pre-trained decoder, by name: those that the post-training functions start from.

    Parameters
    ----------
    d, p_cot, n_steps : int, float, int
        As for :func:`pretrain`.
    seed : int
        The replicate, in [0, 2**63).
    leap, noise, noise_kind, depth, width, heads, optimiser, checkpoints, threads, device, progress : optional
        As for :func:`pretrain`; with a directory `checkpoints` the weights are kept there and found again.

    Returns
    -------
    dict of numpy.ndarray
        ``token``, ``position``, ``0.attention.weight`` and so on, float32.

    Raises
    ------
    ValueError
        Outside the ranges of :func:`pretrain`.

    Examples
    --------
    >>> weights = pretrained(3, 0.5, 1, 0, width=8, heads=2, depth=1, progress=False)
    >>> weights["position"].shape
    (6, 8)
    """
    chosen = setting(d, p_cot, n_steps, leap, noise, noise_kind, depth, width, heads, optimiser, threads, device)
    (number,) = checked_seeds(integer("seed", seed, 0, 2**63 - 1))
    return named(final_weights(int(number), chosen, checkpoints, bool(progress)), chosen.shape)


def shuffled(uniform: np.ndarray) -> np.ndarray:
    """A permutation from as many uniforms."""
    return np.argsort(uniform, kind="stable")


def epochs_to_steps(kept: int, epochs: float, batch: int) -> int:
    """Steps that pass so often over the kept answers; at least one where anything is kept."""
    return max(1, math.ceil(kept * epochs / batch)) if kept else 0
