r"""A lecture's demonstration: train a decoder on the spot, post-train it, and draw both against theory.

Before post-training the decoder has learned the mixture: sampled accuracy (1+p)/2 and mean length 1-p+pd, while greedy
answers below p = 1/3 have one token and are right half the time. Each round of STaR doubles the odds of the long route;
greedy answers are right as soon as the share passes 1/3. Lines are the closed forms at the demonstrations' p, nothing
is fitted; points are one decoder, exact probabilities averaged over prompts (only answers that leave the right chain
are drawn).
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from proofs_check.figures import COLOURS, INK, LINES, MARKERS, PAPER, style
from theory import parity_mixture, post_training

if TYPE_CHECKING:
    import xarray
    from matplotlib.figure import Figure

__all__ = ["PAPER_PRESET", "Demonstration", "compare", "draw", "train"]

#: The sizes of the paper's experiments, as a sweep of the simulator transformer.star. About 10^7 demonstrations each.
PAPER_PRESET: dict[str, Any] = {
    "experiment": "transformer.star",
    "sweep": {"p_cot": [0.01, 0.05, 0.1, 0.2, 0.3, 0.36, 0.5], "depth": [2, 4, 8], "width": [128, 256]},
    "fixed": {
        "d": 50,
        "heads": 8,
        "pretrain_steps": 40_000,
        "optimiser": {"batch": 256, "learning_rate": 5e-4, "warmup": 500},
        "n_rounds": 12,
        "n_samples": 8192,
        "learning_rate": 2e-4,
        "n_prompts": 2048,
    },
    "seeds": [0, 1, 2],
}


class Demonstration:
    """Both stages of one decoder, with the time that each took.

    Parameters
    ----------
    before, after : xarray.Dataset
        Pre-training over steps and post-training over rounds, of one replicate.
    seconds : tuple of float
        Wall time of either.
    """

    def __init__(self, before: xarray.Dataset, after: xarray.Dataset, seconds: tuple[float, float]) -> None:
        self.before, self.after, self.seconds = before, after, seconds


def train(
    d: int = 12,
    p_cot: float = 0.25,
    pretrain_steps: int = 700,
    n_rounds: int = 6,
    seed: int = 0,
    *,
    n_samples: int = 1024,
    checkpoints: Any = None,
    progress: bool = True,
    **decoder: Any,
) -> Demonstration:
    """Train a decoder on D(p), then by STaR.

    Parameters
    ----------
    d, p_cot, pretrain_steps, n_rounds, n_samples : optional
        As for :func:`sims.transformer.star`.
    seed : int, optional
        The replicate.
    checkpoints : path, optional
        Directory from which a stopped demonstration goes on.
    progress : bool, optional
        Show progress on standard error.
    **decoder : optional
        Further arguments of both stages, such as depth and width.

    Returns
    -------
    Demonstration
        Both stages.

    Raises
    ------
    ImportError
        Without PyTorch.
    ValueError
        Outside the ranges of :func:`sims.transformer.star`.

    Examples
    --------
    >>> train(n_rounds=0)  # doctest: +IGNORE_EXCEPTION_DETAIL
    Traceback (most recent call last):
    ValueError: n_rounds must be an integer in [1, 100000], got 0
    """
    if isinstance(n_rounds, int) and n_rounds < 1:
        raise ValueError(f"n_rounds must be an integer in [1, 100000], got {n_rounds}")
    from sims import transformer

    shared = {"checkpoints": checkpoints, "progress": progress, **decoder}
    began = time.perf_counter()
    marks = sorted({round(pretrain_steps * share) for share in np.linspace(0, 1, 15)})
    before = transformer.pretrain(d, p_cot, pretrain_steps, seed, record_at=marks, **shared)
    middle = time.perf_counter()
    after = transformer.star(d, p_cot, pretrain_steps, n_rounds, seed, n_samples=n_samples, **shared)
    return Demonstration(before, after, (middle - began, time.perf_counter() - middle))


def compare(found: Demonstration) -> list[str]:
    """Lines of a table: rounds, long share, sampled and greedy accuracy, mean length, each beside its closed form."""
    after = found.after.isel(replicate=0)
    d, p = int(after.attrs["d"]), float(after.attrs["p_cot"])
    lines = [
        f"{'':>8}{'long share':>18}{'sampled accuracy':>20}{'greedy accuracy':>19}{'mean length':>17}",
        f"{'round':>8}" + f"{'seen':>11}{'theory':>8}" * 4,
    ]
    for at, number in enumerate(after["round"].values.tolist()):
        share = float(post_training.long_fraction(p, number))
        pairs = (
            (after["long_share"], share),
            (after["sampled_accuracy"], float(parity_mixture.sampling_accuracy(share))),
            (after["greedy_accuracy"], float(post_training.greedy_accuracy(p, number))),
            (after["mean_length"], float(post_training.expected_length(d, p, number))),
        )
        lines.append(f"{number:>8}" + "".join(f"{float(seen.values[at]):>11.3f}{want:>8.3f}" for seen, want in pairs))
    return lines


def draw(found: Demonstration) -> Figure:
    """Accuracy above, length below; pre-training on the left, rounds of STaR on the right.

    Parameters
    ----------
    found : Demonstration
        What :func:`train` returned.

    Returns
    -------
    matplotlib.figure.Figure
        Points are the decoder's, lines the closed forms.
    """
    from matplotlib.figure import Figure

    before, after = found.before.isel(replicate=0), found.after.isel(replicate=0)
    d, p = int(after.attrs["d"]), float(after.attrs["p_cot"])
    steps, rounds = before["step"].values, after["round"].values
    with style():
        figure = Figure(figsize=(9.0, 5.6), layout="constrained")
        axes = figure.subplots(2, 2, sharey="row", sharex="col", gridspec_kw={"width_ratios": (1, 1.15)})
        _pretraining(axes[:, 0], before, steps, d, p)
        _rounds(axes[:, 1], after, rounds, d, p)
        axes[0, 0].set(ylabel="accuracy", ylim=(0, 1.04), title="next-token prediction")
        axes[0, 1].set_title("then STaR")
        axes[1, 0].set(ylabel="tokens of an answer", xlabel="step", ylim=(0, d * 1.08))
        axes[1, 1].set(xlabel="round")
        axes[1, 1].set_xticks(rounds)
        for ax, place in ((axes[0, 1], "lower right"), (axes[1, 1], "lower right")):
            ax.legend(loc=place)
        size = f"depth {after.attrs['depth']}, width {after.attrs['width']}"
        figure.suptitle(
            f"A decoder ({size}) on D(p), d = {d}, p = {p:g}: theory as lines, the decoder as points", fontsize=11
        )
    return figure


def _pretraining(axes: Sequence[Any], data: Any, steps: np.ndarray, d: int, p: float) -> None:
    accuracy = (parity_mixture.greedy_accuracy(p), parity_mixture.sampling_accuracy(p))
    length = (parity_mixture.greedy_length(d, p), parity_mixture.expected_length(d, p))
    for ax, levels, names in (
        (axes[0], accuracy, ("greedy_accuracy", "sampled_accuracy")),
        (axes[1], length, ("greedy_length", "mean_length")),
    ):
        for index, (level, name) in enumerate(zip(levels, names, strict=True)):
            _line(ax, [steps[0], steps[-1]], [float(level)] * 2, index, None)
            _points(ax, steps, data[name].values, index, None)


def _rounds(axes: Sequence[Any], data: Any, rounds: np.ndarray, d: int, p: float) -> None:
    fine = np.arange(rounds[-1] + 1)
    shares = np.array([float(post_training.long_fraction(p, int(n))) for n in fine])
    greedy = [float(post_training.greedy_accuracy(p, int(n))) for n in fine]
    sampled = [float(parity_mixture.sampling_accuracy(share)) for share in shares]
    lengths = [float(post_training.expected_length(d, p, int(n))) for n in fine]
    greedy_lengths = [float(parity_mixture.greedy_length(d, share)) for share in shares]
    for ax, lines, names in (
        (axes[0], (greedy, sampled), ("greedy_accuracy", "sampled_accuracy")),
        (axes[1], (greedy_lengths, lengths), ("greedy_length", "mean_length")),
    ):
        for index, (line, name) in enumerate(zip(lines, names, strict=True)):
            label = "greedy" if index == 0 else "sampled at temperature 1"
            _line(ax, fine, line, index, f"theory, {label}")
            _points(ax, rounds, data[name].values, index, label)


def _line(ax: Any, x: Any, y: Any, index: int, label: str | None) -> None:
    ax.plot(x, y, color=INK, linestyle=LINES[index], linewidth=1.3, label=label, zorder=2)


def _points(ax: Any, x: Any, y: Any, index: int, label: str | None) -> None:
    ax.plot(
        x,
        y,
        MARKERS[index],
        color=COLOURS[index],
        markerfacecolor=PAPER,
        linestyle="none",
        label=label,
        zorder=3 + index,
    )


def write(figure: Figure, directory: Path) -> list[Path]:
    """Write demo.png and demo.svg."""
    directory.mkdir(parents=True, exist_ok=True)
    paths = [directory / f"transformer.{ending}" for ending in ("png", "svg")]
    for path in paths:
        figure.savefig(path, dpi=150)
    return paths
