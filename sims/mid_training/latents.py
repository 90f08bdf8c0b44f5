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

from sims._kernels import kernel
from sims._validate import choice, integer, real
from sims._validate import seeds as check_seeds
from sims.mid_training._draws import index_table, real_table, replicate_key, uniform

if TYPE_CHECKING:
    import xarray

__all__ = [
    "best_paths",
    "expectation_step",
    "fit_sticky_latents",
    "next_token_log_probabilities",
    "sticky_log_likelihoods",
]

ALPHA_MAX = 1.0 - 1e-12  # keeps a switch possible, hence messages and logarithms finite
SMALLEST = 1e-100  # least emission probability: products of scales then stay above the smallest float


@kernel
def _soft_pass(tokens, emission, alpha, forward, message, gain, counts, per_line):  # type: ignore[no-untyped-def]
    """Scaled forward-backward over all lines: adds expected counts, returns expected switches; log-likelihoods per
    line.

    emission and counts are indexed (previous token, token, latent), so that the inner loops run over adjacent numbers.
    The work arrays are the forward laws of one line (T - 1, K), their scales, and two rows.
    """
    n_lines, length = tokens.shape
    n_latents = emission.shape[2]
    move = (1.0 - alpha) / n_latents
    stay = alpha + move
    switches = 0.0
    for i in range(n_lines):
        total_log, product = 0.0, 1.0
        for t in range(length - 1):
            x, a = tokens[i, t], tokens[i, t + 1]
            scale = 0.0
            if t == 0:
                for z in range(n_latents):
                    forward[0, z] = emission[x, a, z] / n_latents
                    scale += forward[0, z]
            else:
                for z in range(n_latents):
                    forward[t, z] = (alpha * forward[t - 1, z] + move) * emission[x, a, z]
                    scale += forward[t, z]
            inverse = 1.0 / scale
            for z in range(n_latents):
                forward[t, z] *= inverse
            gain[t] = inverse
            product *= scale
            if product < 1e-200:
                total_log += math.log(product)
                product = 1.0
        per_line[i] = total_log + math.log(product)
        for z in range(n_latents):
            message[z] = 1.0
        for t in range(length - 2, -1, -1):
            x, a = tokens[i, t], tokens[i, t + 1]
            total = 0.0
            for z in range(n_latents):
                counts[x, a, z] += forward[t, z] * message[z]
                message[z] *= emission[x, a, z] * gain[t]
                total += message[z]
            if t > 0:
                same = 0.0
                drift = move * total
                for z in range(n_latents):
                    same += forward[t - 1, z] * message[z]
                    message[z] = alpha * message[z] + drift
                switches += 1.0 - stay * same
    return switches


@kernel
def _best_line(line, log_emission, penalty, score, back, path):  # type: ignore[no-untyped-def]
    """Best latent path of one line at a price per switch (ties stay); returns its penalised score.

    Memory: one back pointer per step and latent.
    """
    n_latents = log_emission.shape[2]
    steps = line.shape[0] - 1
    for z in range(n_latents):
        score[z] = log_emission[line[0], line[1], z]
    for t in range(1, steps):
        best = 0
        for z in range(1, n_latents):
            if score[z] > score[best]:
                best = z
        entering = score[best] - penalty
        for z in range(n_latents):
            if score[z] >= entering:
                back[t, z] = z
            else:
                back[t, z] = best
                score[z] = entering
            score[z] += log_emission[line[t], line[t + 1], z]
    best = 0
    for z in range(1, n_latents):
        if score[z] > score[best]:
            best = z
    path[steps - 1] = best
    for t in range(steps - 1, 0, -1):
        path[t - 1] = back[t, path[t]]
    return score[best]


@kernel
def _hard_pass(tokens, emission, alpha, log_emission, score, back, path, counts, per_line):  # type: ignore[no-untyped-def]
    """Best path of every line: adds its counts, returns its switches; joint log-probabilities per line."""
    n_lines, length = tokens.shape
    n_latents = emission.shape[2]
    for x in range(emission.shape[0]):
        for a in range(emission.shape[1]):
            for z in range(n_latents):
                log_emission[x, a, z] = math.log(emission[x, a, z])
    penalty = math.log1p(n_latents * alpha / (1.0 - alpha))
    constant = -math.log(n_latents) - (length - 2) * math.log1p((n_latents - 1) * math.exp(-penalty))
    switches = 0.0
    for i in range(n_lines):
        per_line[i] = _best_line(tokens[i], log_emission, penalty, score, back, path) + constant
        for t in range(length - 1):
            counts[tokens[i, t], tokens[i, t + 1], path[t]] += 1.0
            if t > 0 and path[t] != path[t - 1]:
                switches += 1.0
    return switches


@kernel
def _normalise(counts, pseudo_count, emission):  # type: ignore[no-untyped-def]
    """Rows proportional to counts plus the pseudo-count."""
    size, _, n_latents = counts.shape
    for x in range(size):
        for z in range(n_latents):
            total = 0.0
            for a in range(size):
                total += counts[x, a, z] + pseudo_count
            for a in range(size):
                emission[x, a, z] = (counts[x, a, z] + pseudo_count) / total


@kernel
def _log_prior(emission, pseudo_count):  # type: ignore[no-untyped-def]
    """Sum of the logarithms of the emission table times the pseudo-count."""
    total, product = 0.0, 1.0
    for x in range(emission.shape[0]):
        for a in range(emission.shape[1]):
            for z in range(emission.shape[2]):
                product *= emission[x, a, z]
                if product < 1e-200:
                    total += math.log(product)
                    product = 1.0
    return pseudo_count * (total + math.log(product))


@kernel
def _total(values):  # type: ignore[no-untyped-def]
    total = 0.0
    for i in range(values.shape[0]):
        total += values[i]
    return total


@kernel
def _iterate(tokens, emission, alpha, learn, hard, pseudo_count, n_iterations, tolerance, work, trace):  # type: ignore[no-untyped-def]
    """Alternate E- and M-steps in place; returns (iterations, alpha, last objective).

    The objective is taken before each M-step, so the last one belongs to the parameters before the last M-step; with
    n_iterations = 0 a single E-step evaluates the parameters as they are. Stops early when a gain is below the
    tolerance.
    """
    counts, forward, message, gain, per_line, log_emission, score, back, path = work
    n_latents = emission.shape[2]
    n_moves = tokens.shape[0] * (tokens.shape[1] - 2)
    objective, before = 0.0, -np.inf
    done = 0
    for iteration in range(max(n_iterations, 1)):
        counts[:] = 0.0
        if hard:
            switches = _hard_pass(tokens, emission, alpha, log_emission, score, back, path, counts, per_line)
        else:
            switches = _soft_pass(tokens, emission, alpha, forward, message, gain, counts, per_line)
        objective = _total(per_line[: tokens.shape[0]]) + _log_prior(emission, pseudo_count)
        if iteration < trace.shape[0]:
            trace[iteration] = objective
        if n_iterations == 0:
            break
        done = iteration + 1
        _normalise(counts, pseudo_count, emission)
        if learn and n_moves > 0 and n_latents > 1:
            alpha = min(max(1.0 - switches / n_moves * n_latents / (n_latents - 1.0), 0.0), ALPHA_MAX)
        if objective - before < tolerance:
            break
        before = objective
    return done, alpha, objective


@kernel
def _random_start(key, restart, tokens, counts, emission):  # type: ignore[no-untyped-def]
    """Rows with exponential weights times one plus the bigram counts of the text."""
    counts[:] = 0.0
    size, _, n_latents = emission.shape
    for i in range(tokens.shape[0]):
        for t in range(tokens.shape[1] - 1):
            counts[tokens[i, t], tokens[i, t + 1], 0] += 1.0
    for x in range(size):
        for z in range(n_latents):
            total = 0.0
            for a in range(size):
                weight = -math.log(1.0 - uniform(key, restart, x * size + a, z))
                emission[x, a, z] = (0.1 + counts[x, a, 0]) * (weight + 1e-3)
                total += emission[x, a, z]
            for a in range(size):
                emission[x, a, z] /= total


@kernel
def _swap_rows(emission, x, j, k):  # type: ignore[no-untyped-def]
    for a in range(emission.shape[1]):
        kept = emission[x, a, j]
        emission[x, a, j] = emission[x, a, k]
        emission[x, a, k] = kept


@kernel
def _row_swaps(tokens, emission, alpha, learn, hard, pseudo_count, tolerance, n_passes, work, trace, trial):  # type: ignore[no-untyped-def]
    """Try to exchange two latents at one token, three iterations each, and keep what raises the objective."""
    size, _, n_latents = emission.shape
    _, _, best = _iterate(tokens, emission, alpha, learn, hard, pseudo_count, 0, tolerance, work, trace)
    visited = np.zeros(size, dtype=np.bool_)
    for i in range(tokens.shape[0]):
        for t in range(tokens.shape[1] - 1):
            visited[tokens[i, t]] = True
    for _ in range(n_passes):
        improved = False
        for x in range(size):
            if not visited[x]:
                continue
            for j in range(n_latents):
                for k in range(j + 1, n_latents):
                    trial[:] = emission
                    _swap_rows(trial, x, j, k)
                    _, trial_alpha, _ = _iterate(
                        tokens, trial, alpha, learn, hard, pseudo_count, 3, -np.inf, work, trace[:0]
                    )
                    _, _, value = _iterate(
                        tokens, trial, trial_alpha, learn, hard, pseudo_count, 0, tolerance, work, trace[:0]
                    )
                    if value > best + tolerance:
                        emission[:] = trial
                        alpha, best, improved = trial_alpha, value, True
        if not improved:
            break
    return alpha, best


@kernel
def _fit(  # type: ignore[no-untyped-def]
    key,
    tokens,
    n_small,
    alpha_start,
    learn,
    hard,
    pseudo_count,
    n_restarts,
    restart_iterations,
    swap_passes,
    n_iterations,
    tolerance,
    emission,
    trial,
    best_emission,
    objectives,
    work,
    trace,
):
    """Restarts on the first n_small lines, each with row swaps; the best one is polished on all lines."""
    small = tokens[:n_small]
    best, best_alpha = -np.inf, alpha_start
    for restart in range(n_restarts):
        _random_start(key, restart, small, work[0], emission)
        _, alpha, _ = _iterate(
            small, emission, alpha_start, learn, hard, pseudo_count, restart_iterations, tolerance, work, trace
        )
        alpha, objective = _row_swaps(
            small, emission, alpha, learn, hard, pseudo_count, tolerance, swap_passes, work, trace, trial
        )
        objectives[restart] = objective
        if objective > best:
            best, best_alpha = objective, alpha
            best_emission[:] = emission
    emission[:] = best_emission
    return _iterate(tokens, emission, best_alpha, learn, hard, pseudo_count, n_iterations, tolerance, work, trace)


def work_arrays(n_lines: int, length: int, size: int, n_latents: int) -> tuple[np.ndarray, ...]:
    """Allocate what one fit needs: O(A^2 K + T K + lines) numbers."""
    return (
        np.zeros((size, size, n_latents)),
        np.empty((length - 1, n_latents)),
        np.empty(n_latents),
        np.empty(length - 1),
        np.empty(n_lines),
        np.empty((size, size, n_latents)),
        np.empty(n_latents),
        np.empty((length - 1, n_latents), dtype=np.int64),
        np.empty(length - 1, dtype=np.int64),
    )


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


@kernel
def _predict(lines, emission, alpha, law, out):  # type: ignore[no-untyped-def]
    """Log-probability of every possible next token along each line; memory: the output."""
    size, _, n_latents = emission.shape
    move = (1.0 - alpha) / n_latents
    for i in range(lines.shape[0]):
        for z in range(n_latents):
            law[z] = 1.0 / n_latents
        for t in range(lines.shape[1] - 1):
            x = lines[i, t]
            for a in range(size):
                total = 0.0
                for z in range(n_latents):
                    total += law[z] * emission[x, a, z]
                out[i, t, a] = math.log(total)
            scale = 0.0
            for z in range(n_latents):
                law[z] *= emission[x, lines[i, t + 1], z]
                scale += law[z]
            for z in range(n_latents):
                law[z] = alpha * law[z] / scale + move


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
