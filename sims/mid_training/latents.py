r"""Sticky latents fitted to text: exact and hard expectation-maximisation, compiled.

Text is a table of tokens; the first token of a line only serves as context. Step t emits token t + 1 from
:math:`\pi(a|x,z)`, x the previous token, and the latent z keeps its value with probability alpha or is drawn anew
uniformly from the K values. The exact E-step is the scaled forward-backward pass, O(K) per token because all switches
look alike; the hard one is the best path at the switch price :math:`c=\ln(1+K\alpha/(1-\alpha))`. The M-step normalises
expected counts plus a pseudo-count kappa; then :math:`\ln p(\mathrm{text})+\kappa\sum\ln\pi` never falls. Expected
switches give alpha, unless it is fixed.

Plain restarts stick where two latents are exchanged on some tokens. The robust fit therefore exchanges the rows of
two latents at one token, runs a few iterations, keeps what is better, and polishes the best restart on all text.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from sims._validate import choice, integer, real
from sims._validate import seeds as check_seeds
from sims.mid_training._draws import index_table, real_table, replicate_key
from sims.mid_training._expectation import ALPHA_MAX, SMALLEST, _best_line, _fit, _predict, _soft_pass, work_arrays

if TYPE_CHECKING:
    import xarray

__all__ = [
    "best_paths",
    "expectation_step",
    "fit_sticky_latents",
    "next_token_log_probabilities",
    "sticky_log_likelihoods",
]


def text(tokens: Any, n_tokens: int) -> tuple[np.ndarray, int]:
    """Check a table (line, position) of at least two tokens a line."""
    size = integer("n_tokens", n_tokens, 2, 2**12)
    array = index_table("tokens", tokens, 2, size)
    if array.shape[1] < 2:
        raise ValueError(f"tokens must have at least 2 tokens a line, got {array.shape[1]}")
    return array, size


def model(emission: Any, alpha: float) -> tuple[np.ndarray, float]:
    """Check an emission table (latent, previous token, token) and bring it to the kernels' order."""
    table = real_table("emission", emission, 3, 0.0, 1.0)
    if table.shape[1] != table.shape[2] or table.min() < SMALLEST or np.abs(table.sum(axis=2) - 1.0).max() > 1e-9:
        raise ValueError(
            f"emission must have shape (K, A, A), entries in [{SMALLEST}, 1] and rows of total 1, got {table.shape}"
        )
    return np.ascontiguousarray(table.transpose(1, 2, 0)), min(real("alpha", alpha, 0.0, 1.0), ALPHA_MAX)


def stickiness_of(penalty: float, n_latents: int) -> float:
    """The stickiness that equals a price per switch."""
    return min(-math.expm1(-penalty) / (1.0 + (n_latents - 1) * math.exp(-penalty)), ALPHA_MAX)


def fit_sticky_latents(
    tokens: Any,
    n_tokens: int,
    n_latents: int,
    *,
    seeds: Any = 0,
    method: str = "soft",
    alpha: float | None = None,
    switch_penalty: float | None = None,
    pseudo_count: float = 0.02,
    n_restarts: int = 12,
    n_restart_lines: int = 40,
    restart_iterations: int = 60,
    swap_passes: int = 4,
    n_iterations: int = 200,
    tolerance: float = 1e-7,
) -> xarray.Dataset:
    """Fit sticky latents to text by expectation-maximisation with restarts and row swaps.

    Parameters
    ----------
    tokens : array_like of int
        Lines of text, shape (lines, length), tokens in [0, n_tokens); the first of a line is context only.
    n_tokens : int
        A >= 2.
    n_latents : int
        K >= 1.
    seeds : int or sequence of int
        One replicate, that is one whole fit, each; the seed sets the random starts.
    method : {"soft", "hard"}
        Posterior expectations, or best paths.
    alpha : float, optional
        Fixed stickiness in [0, 1); learned from the expected switches if neither it nor `switch_penalty` is given.
    switch_penalty : float, optional
        Fixed price per switch c >= 0, another way to fix the stickiness.
    pseudo_count : float
        kappa >= 1e-6 added to every count.
    n_restarts : int
        Random starts, >= 1.
    n_restart_lines : int
        The first so many lines are used by the restarts, >= 1.
    restart_iterations : int
        Iterations after a random start, >= 1.
    swap_passes : int
        Passes over all row swaps after each restart, >= 0; a pass without a gain ends them.
    n_iterations : int
        Iterations on all lines from the best restart, >= 1.
    tolerance : float
        An iteration that gains less than this many nats per token ends its run, >= 0.

    Returns
    -------
    xarray.Dataset
        ``emission`` (replicate, latent, previous_token, token), ``alpha`` and ``n_iterations`` (replicate),
        ``objective`` (replicate, iteration) of the polish, held at its last value when it ends early,
        ``log_likelihood`` (replicate) of the text under the result, and ``restart_objective`` (replicate, restart).

    Raises
    ------
    ValueError
        If an argument leaves its range.

    Notes
    -----
    Time O(tokens K) per iteration; a pass of row swaps costs A K (K - 1)/2 times four E-steps on the restart lines.
    Memory O(A^2 K + T K). The objective (log-likelihood, or for ``hard`` the log-probability of the best paths, plus
    pseudo_count times the sum of the log-emissions) never falls. Sticky prior: Zhang et al. (arXiv 2509.25810).

    Examples
    --------
    >>> from sims.mid_training import skill_demonstrations
    >>> maps = [[1, 2, 3, 4, 0], [2, 3, 4, 0, 1]]
    >>> text = skill_demonstrations(maps, 0.1, 0.02, 40, 30, 0)["token"][0]
    >>> fit = fit_sticky_latents(text, 5, 2, n_restarts=3)
    >>> sorted(tuple(int(a) for a in row) for row in fit["emission"][0].argmax("token").values)
    [(1, 2, 3, 4, 0), (2, 3, 4, 0, 1)]
    """
    import xarray

    lines, size = text(tokens, n_tokens)
    k = integer("n_latents", n_latents, 1, 2**12)
    keys = check_seeds(seeds)
    hard = choice("method", method, ("soft", "hard")) == "hard"
    kappa = real("pseudo_count", pseudo_count, 1e-6)
    restarts = integer("n_restarts", n_restarts, 1, 2**16)
    n_small = min(integer("n_restart_lines", n_restart_lines, 1), len(lines))
    early = integer("restart_iterations", restart_iterations, 1)
    passes = integer("swap_passes", swap_passes, 0)
    late = integer("n_iterations", n_iterations, 1)
    gain = real("tolerance", tolerance, 0.0)
    learn, start = starting_alpha(alpha, switch_penalty, k)
    shape = (size, size, k)
    emissions = np.empty((len(keys), k, size, size))
    alphas, likelihoods = np.empty(len(keys)), np.empty(len(keys))
    counts = np.empty(len(keys), dtype=np.int64)
    traces, objectives = np.empty((len(keys), late)), np.empty((len(keys), restarts))
    for row, seed in enumerate(keys):
        work = work_arrays(len(lines), lines.shape[1], size, k)
        emission, trial, best = np.empty(shape), np.empty(shape), np.empty(shape)
        trace = np.empty(late)
        done, alphas[row], _ = _fit(
            replicate_key(seed, "fit"), lines, n_small, start, learn, hard, kappa, restarts, early, passes, late,
            gain * lines.size, emission, trial, best, objectives[row], work, trace,
        )  # fmt: skip
        trace[done:] = trace[done - 1]
        counts[row], traces[row], emissions[row] = done, trace, emission.transpose(2, 0, 1)
        likelihoods[row] = _line_likelihoods(lines, emission, alphas[row]).sum()
    penalties = np.log1p(k * alphas / (1.0 - alphas))
    return xarray.Dataset(
        {
            "emission": (
                ("replicate", "latent", "previous_token", "token"),
                emissions,
                {"long_name": "emission probability", "units": "1"},
            ),
            "alpha": ("replicate", alphas, {"long_name": "stickiness", "units": "1"}),
            "switch_penalty": ("replicate", penalties, {"long_name": "price per switch", "units": "nat"}),
            "objective": (("replicate", "iteration"), traces, {"long_name": "objective of the polish", "units": "nat"}),
            "n_iterations": ("replicate", counts, {"long_name": "iterations of the polish", "units": "1"}),
            "log_likelihood": ("replicate", likelihoods, {"long_name": "log-likelihood of the text", "units": "nat"}),
            "restart_objective": (
                ("replicate", "restart"),
                objectives,
                {"long_name": "objective of a restart on its lines", "units": "nat"},
            ),
        },
        coords={"seed": ("replicate", keys)},
        attrs={
            "method": method,
            "alpha_learned": int(learn),
            "pseudo_count": kappa,
            "n_restart_lines": n_small,
            "restart_iterations": early,
            "swap_passes": passes,
            "tolerance": gain,
        },
    )


def starting_alpha(alpha: float | None, switch_penalty: float | None, n_latents: int) -> tuple[bool, float]:
    """Whether the stickiness is learned, and where it starts."""
    if alpha is not None and switch_penalty is not None:
        raise ValueError(f"alpha must be None when switch_penalty is given, got {alpha!r} and {switch_penalty!r}")
    if alpha is not None:
        return False, min(real("alpha", alpha, 0.0, 1.0, open_high=True), ALPHA_MAX)
    if switch_penalty is not None:
        return False, stickiness_of(real("switch_penalty", switch_penalty, 0.0), n_latents)
    return True, 0.5


def _line_likelihoods(lines: np.ndarray, emission: np.ndarray, alpha: float) -> np.ndarray:
    work = work_arrays(len(lines), lines.shape[1], emission.shape[0], emission.shape[2])
    _soft_pass(lines, emission, alpha, work[1], work[2], work[3], work[0], work[4])
    return work[4]


def sticky_log_likelihoods(tokens: Any, emission: Any, alpha: float) -> np.ndarray:
    """Return the log-likelihood of every line of text given its first token.

    Parameters
    ----------
    tokens : array_like of int
        Shape (lines, length).
    emission : array_like
        pi(a | x, z), shape (K, A, A), entries >= 1e-100, rows of total one.
    alpha : float
        Stickiness in [0, 1]; values above 1 - 1e-12 count as that.

    Returns
    -------
    numpy.ndarray
        Shape (lines,), nats. Minus its total over the number of predicted tokens is the negative log-likelihood per
        token.

    Raises
    ------
    ValueError
        If an argument leaves its range.

    Notes
    -----
    Scaled forward pass. Nothing is random.

    Examples
    --------
    >>> sticky_log_likelihoods([[0, 1, 0]], [[[0.5, 0.5], [0.5, 0.5]]], 0.5).round(6).tolist()
    [-1.386294]
    """
    table, a = model(emission, alpha)
    lines, _ = text(tokens, table.shape[0])
    return _line_likelihoods(lines, table, a)


def expectation_step(tokens: Any, emission: Any, alpha: float) -> xarray.Dataset:
    """Run one exact E-step.

    Parameters
    ----------
    tokens, emission, alpha
        As in :func:`sticky_log_likelihoods`.

    Returns
    -------
    xarray.Dataset
        ``count`` (latent, previous_token, token): expected counts, ``switches``: their expected number, and
        ``log_likelihood`` (line).

    Raises
    ------
    ValueError
        If an argument leaves its range.

    Notes
    -----
    Scaled forward-backward, O(K) per token. Nothing is random.

    Examples
    --------
    >>> result = expectation_step([[0, 1, 0]], [[[0.5, 0.5], [0.5, 0.5]]], 0.5)
    >>> result["count"].values.tolist(), abs(float(result["switches"]))
    ([[[0.0, 1.0], [1.0, 0.0]]], 0.0)
    """
    import xarray

    table, a = model(emission, alpha)
    lines, size = text(tokens, table.shape[0])
    work = work_arrays(len(lines), lines.shape[1], size, table.shape[2])
    switches = _soft_pass(lines, table, a, work[1], work[2], work[3], work[0], work[4])
    return xarray.Dataset(
        {
            "count": (
                ("latent", "previous_token", "token"),
                np.ascontiguousarray(work[0].transpose(2, 0, 1)),
                {"long_name": "expected count", "units": "1"},
            ),
            "switches": ((), switches, {"long_name": "expected switches", "units": "1"}),
            "log_likelihood": ("line", work[4], {"long_name": "log-likelihood of a line", "units": "nat"}),
        },
        attrs={"alpha": a},
    )


def best_paths(
    tokens: Any, emission: Any, alpha: float | None = None, *, switch_penalty: float | None = None
) -> xarray.Dataset:
    """Return the most probable latent path of every line (Viterbi).

    Parameters
    ----------
    tokens, emission
        As in :func:`sticky_log_likelihoods`.
    alpha : float, optional
        Stickiness in [0, 1).
    switch_penalty : float, optional
        Price per switch c >= 0 instead of the stickiness; exactly one of the two is given.

    Returns
    -------
    xarray.Dataset
        ``latent`` (line, step) and ``score`` (line): total log-emission minus c per switch. Ties prefer to stay.

    Raises
    ------
    ValueError
        If an argument leaves its range, or not exactly one of alpha and switch_penalty is given.

    Notes
    -----
    O(K) per token. Nothing is random.

    Examples
    --------
    >>> emission = [[[0.9, 0.1], [0.9, 0.1]], [[0.1, 0.9], [0.1, 0.9]]]
    >>> best_paths([[0, 0, 1, 1]], emission, switch_penalty=1.0)["latent"].values.tolist()
    [[0, 1, 1]]
    """
    import xarray

    if (alpha is None) == (switch_penalty is None):
        raise ValueError(f"alpha or switch_penalty must be given, one of them, got {alpha!r} and {switch_penalty!r}")
    table, a = model(emission, 0.0 if alpha is None else alpha)
    k = table.shape[2]
    if switch_penalty is None:
        penalty = math.log1p(k * a / (1.0 - a))
    else:
        penalty = real("switch_penalty", switch_penalty, 0.0)
    lines, size = text(tokens, table.shape[0])
    work = work_arrays(len(lines), lines.shape[1], size, k)
    paths = np.empty((len(lines), lines.shape[1] - 1), dtype=np.int64)
    scores = np.empty(len(lines))
    log_table = np.log(table)
    for i in range(len(lines)):
        scores[i] = _best_line(lines[i], log_table, penalty, work[6], work[7], paths[i])
    return xarray.Dataset(
        {
            "latent": (("line", "step"), paths, {"long_name": "latent on the best path", "units": "1"}),
            "score": ("line", scores, {"long_name": "log-emissions minus price of the switches", "units": "nat"}),
        },
        attrs={"switch_penalty": penalty},
    )


def next_token_log_probabilities(tokens: Any, emission: Any, alpha: float) -> np.ndarray:
    """Return the log-probability of every token as the next one, at each position of each line.

    Parameters
    ----------
    tokens, emission, alpha
        As in :func:`sticky_log_likelihoods`.

    Returns
    -------
    numpy.ndarray
        Shape (lines, length - 1, A): given the whole prefix, latents summed out. Along the line they add up to its
        log-likelihood.

    Raises
    ------
    ValueError
        If an argument leaves its range.

    Notes
    -----
    Forward filter, O(A K) per token. Nothing is random.

    Examples
    --------
    >>> next_token_log_probabilities([[0, 1]], [[[0.5, 0.5], [0.5, 0.5]]], 0.5).round(6).tolist()
    [[[-0.693147, -0.693147]]]
    """
    table, a = model(emission, alpha)
    lines, size = text(tokens, table.shape[0])
    out = np.empty((len(lines), lines.shape[1] - 1, size))
    _predict(lines, table, a, np.empty(table.shape[2]), out)
    return out
