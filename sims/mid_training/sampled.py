r"""The E-step by reinforcement learning: a small policy over latents with a window of look-ahead.

The policy draws latents one by one,

.. math:: q(z_t|z_{t-1})\propto\exp\Bigl(\sum_{j=0}^{W}w_j\,\ell_{t+j}(z_t)+w_s1[z_t=z_{t-1}]\Bigr),

with :math:`\ell_t(z)=\ln\pi(a_t|x_t,z)`; W = -1 sees nothing of the text. Its return is the sum of
:math:`\ell_t+\ln P-\ln q`, so that the mean return is the evidence lower bound. REINFORCE uses groups of paths of each
line, returns-to-go and the mean of the other paths as baseline; an exact gradient by dynamic programming over pairs of
latents stands beside it.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from sims._kernels import kernel
from sims._validate import choice, integer, real
from sims._validate import seeds as check_seeds
from sims.mid_training._draws import real_table, replicate_key, uniform
from sims.mid_training.latents import (
    ALPHA_MAX,
    _normalise,
    _random_start,
    _soft_pass,
    model,
    starting_alpha,
    text,
    work_arrays,
)

if TYPE_CHECKING:
    import xarray

__all__ = ["fit_look_ahead", "fit_sampled_latents", "look_ahead_bound", "sampled_gradient"]

WEIGHT_MAX = 60.0  # weights stay inside, so that no exponential overflows


@kernel
def _prepare(line, log_emission, weights, ell, base, total, means):  # type: ignore[no-untyped-def]
    """Unnormalised policy of one line without the stay bonus: exp weights, their sums and the sums of the features."""
    n_latents = log_emission.shape[2]
    steps = line.shape[0] - 1
    reach = weights.shape[0] - 1
    for t in range(steps):
        for z in range(n_latents):
            ell[t, z] = log_emission[line[t], line[t + 1], z]
    for t in range(steps):
        top = -np.inf
        for z in range(n_latents):
            logit = 0.0
            for j in range(min(reach, steps - t)):
                logit += weights[j] * ell[t + j, z]
            base[t, z] = logit
            top = max(top, logit)
        total[t] = 0.0
        for j in range(reach):
            means[t, j] = 0.0
        for z in range(n_latents):
            base[t, z] = math.exp(base[t, z] - top)
            total[t] += base[t, z]
            for j in range(min(reach, steps - t)):
                means[t, j] += base[t, z] * ell[t + j, z]


@kernel
def _sample_pass(  # type: ignore[no-untyped-def]
    key, stream, tokens, log_emission, alpha, weights, group, line_work, path_work, gradient, counts, tally
):
    """Draw `group` latent paths of every line; adds the REINFORCE gradient, or the counts if `tally`.

    Returns (mean return over all lines, mean switches). Memory: O(T K) for a line and O(T group W) for its paths.
    """
    ell, base, total, means = line_work
    path, reward, feature = path_work
    n_latents = log_emission.shape[2]
    steps = tokens.shape[1] - 1
    reach = weights.shape[0] - 1
    bonus = math.exp(weights[reach])
    move = (1.0 - alpha) / n_latents
    log_stay, log_move, log_first = math.log(alpha + move), math.log(move), -math.log(n_latents)
    bound, switches = 0.0, 0.0
    for i in range(tokens.shape[0]):
        _prepare(tokens[i], log_emission, weights, ell, base, total, means)
        for g in range(group):
            previous = -1
            for t in range(steps):
                extra = base[t, previous] * (bonus - 1.0) if t > 0 else 0.0
                norm = total[t] + extra
                u = uniform(key, stream, i * steps + t, g) * norm
                z = n_latents - 1
                for k in range(n_latents):
                    u -= base[t, k] * bonus if k == previous else base[t, k]
                    if u < 0.0:
                        z = k
                        break
                mass = base[t, z] * bonus if z == previous else base[t, z]
                log_prior = log_first if t == 0 else (log_stay if z == previous else log_move)
                reward[t, g] = ell[t, z] + log_prior - math.log(mass / norm)
                for j in range(reach):
                    if t + j < steps:
                        mean = (means[t, j] + (extra * ell[t + j, previous] if t > 0 else 0.0)) / norm
                        feature[t, g, j] = ell[t + j, z] - mean
                    else:
                        feature[t, g, j] = 0.0
                if t > 0:
                    feature[t, g, reach] = (1.0 if z == previous else 0.0) - base[t, previous] * bonus / norm
                    if z != previous:
                        switches += 1.0
                else:
                    feature[t, g, reach] = 0.0
                path[t, g] = z
                previous = z
        for g in range(group):
            for t in range(steps - 2, -1, -1):
                reward[t, g] += reward[t + 1, g]
            bound += reward[0, g]
        if tally:
            for g in range(group):
                for t in range(steps):
                    counts[tokens[i, t], tokens[i, t + 1], path[t, g]] += 1.0 / group
        else:
            for t in range(steps):
                everyone = 0.0
                for g in range(group):
                    everyone += reward[t, g]
                for g in range(group):
                    advantage = reward[t, g] - (everyone - reward[t, g]) / (group - 1)
                    for f in range(reach + 1):
                        gradient[f] += advantage * feature[t, g, f] / group
    return bound / group, switches / group


@kernel
def _exact_pass(tokens, log_emission, alpha, weights, line_work, marginal, onward, fresh, gradient):  # type: ignore[no-untyped-def]
    """Bound and exact gradient by dynamic programming over pairs of latents: O(T K^2 W) per line."""
    ell, base, total, means = line_work
    n_latents = log_emission.shape[2]
    steps = tokens.shape[1] - 1
    reach = weights.shape[0] - 1
    bonus = math.exp(weights[reach])
    move = (1.0 - alpha) / n_latents
    log_stay, log_move, log_first = math.log(alpha + move), math.log(move), -math.log(n_latents)
    bound = 0.0
    for i in range(tokens.shape[0]):
        _prepare(tokens[i], log_emission, weights, ell, base, total, means)
        for z in range(n_latents):
            marginal[0, z] = base[0, z] / total[0]
        for t in range(1, steps):
            for z in range(n_latents):
                marginal[t, z] = 0.0
            for p in range(n_latents):
                norm = total[t] + base[t, p] * (bonus - 1.0)
                for z in range(n_latents):
                    mass = base[t, z] * bonus if z == p else base[t, z]
                    marginal[t, z] += marginal[t - 1, p] * mass / norm
        for z in range(n_latents):
            onward[z] = 0.0
        for t in range(steps - 1, -1, -1):
            for p in range(n_latents if t > 0 else 1):
                extra = base[t, p] * (bonus - 1.0) if t > 0 else 0.0
                norm = total[t] + extra
                reached = marginal[t - 1, p] if t > 0 else 1.0
                value = 0.0
                for z in range(n_latents):
                    mass = base[t, z] * bonus if t > 0 and z == p else base[t, z]
                    log_prior = log_first if t == 0 else (log_stay if z == p else log_move)
                    if mass > 0.0:
                        value += mass / norm * (ell[t, z] + log_prior - math.log(mass / norm) + onward[z])
                for z in range(n_latents):
                    mass = base[t, z] * bonus if t > 0 and z == p else base[t, z]
                    if mass == 0.0:
                        continue
                    log_prior = log_first if t == 0 else (log_stay if z == p else log_move)
                    advantage = ell[t, z] + log_prior - math.log(mass / norm) + onward[z] - value
                    share = reached * mass / norm * advantage
                    for j in range(min(reach, steps - t)):
                        mean = (means[t, j] + (extra * ell[t + j, p] if t > 0 else 0.0)) / norm
                        gradient[j] += share * (ell[t + j, z] - mean)
                    if t > 0:
                        gradient[reach] += share * ((1.0 if z == p else 0.0) - base[t, p] * bonus / norm)
                fresh[p] = value
            if t == 0:
                bound += fresh[0]
            else:
                for z in range(n_latents):
                    onward[z] = fresh[z]
    return bound


@kernel
def _adam(weights, gradient, first, second, step, rate):  # type: ignore[no-untyped-def]
    """One ascent step (Kingma and Ba, 2015), weights kept inside their box."""
    for f in range(weights.shape[0]):
        first[f] = 0.9 * first[f] + 0.1 * gradient[f]
        second[f] = 0.999 * second[f] + 0.001 * gradient[f] * gradient[f]
        corrected = first[f] / (1.0 - 0.9**step)
        scale = math.sqrt(second[f] / (1.0 - 0.999**step)) + 1e-8
        weights[f] = min(max(weights[f] + rate * corrected / scale, -WEIGHT_MAX), WEIGHT_MAX)


@kernel
def _climb(  # type: ignore[no-untyped-def]
    key, tokens, log_emission, alpha, weights, sampled, group, n_steps, rate, line_work, path_work, chain_work, counts
):
    """Raise the bound over the policy's weights at a fixed model."""
    gradient, first, second = np.zeros_like(weights), np.zeros_like(weights), np.zeros_like(weights)
    marginal, onward, fresh = chain_work
    per_token = 1.0 / (tokens.shape[0] * (tokens.shape[1] - 1))
    for step in range(n_steps):
        gradient[:] = 0.0
        if sampled:
            _sample_pass(
                key, step, tokens, log_emission, alpha, weights, group, line_work, path_work, gradient, counts, False
            )
        else:
            _exact_pass(tokens, log_emission, alpha, weights, line_work, marginal, onward, fresh, gradient)
        gradient *= per_token
        _adam(weights, gradient, first, second, step + 1, rate)


@kernel
def _fit_sampled(  # type: ignore[no-untyped-def]
    key_start, key, tokens, alpha_start, learn, pseudo_count, n_restarts, n_rounds, n_steps, group, rate,
    line_work, path_work, work, emission, log_emission, weights, best_emission, best_weights, likelihoods,
):  # fmt: skip
    """Expectation-maximisation with the sampled E-step; the best restart by the exact likelihood of the text wins."""
    counts, forward, message, gain, per_line = work
    size, _, n_latents = emission.shape
    n_moves = tokens.shape[0] * (tokens.shape[1] - 2)
    per_token = 1.0 / (tokens.shape[0] * (tokens.shape[1] - 1))
    gradient, first, second = np.zeros_like(weights), np.zeros_like(weights), np.zeros_like(weights)
    best, best_alpha, stream = -np.inf, alpha_start, 0
    for restart in range(n_restarts):
        _random_start(key_start, restart, tokens, counts, emission)
        alpha = alpha_start
        weights[:] = 0.0
        weights[weights.shape[0] - 1] = 1.0
        if weights.shape[0] > 1:
            weights[0] = 1.0
        first[:] = 0.0
        second[:] = 0.0
        step = 0
        for _ in range(n_rounds):
            for x in range(size):
                for a in range(size):
                    for z in range(n_latents):
                        log_emission[x, a, z] = math.log(emission[x, a, z])
            for _ in range(n_steps):
                gradient[:] = 0.0
                _sample_pass(
                    key, stream, tokens, log_emission, alpha, weights, group, line_work, path_work, gradient, counts,
                    False,
                )  # fmt: skip
                stream += 1
                step += 1
                gradient *= per_token
                _adam(weights, gradient, first, second, step, rate)
            counts[:] = 0.0
            _, switches = _sample_pass(
                key, stream, tokens, log_emission, alpha, weights, group, line_work, path_work, gradient, counts, True
            )
            stream += 1
            _normalise(counts, pseudo_count, emission)
            if learn and n_moves > 0 and n_latents > 1:
                alpha = min(max(1.0 - switches / n_moves * n_latents / (n_latents - 1.0), 0.0), ALPHA_MAX)
        counts[:] = 0.0
        _soft_pass(tokens, emission, alpha, forward, message, gain, counts, per_line)
        total = 0.0
        for i in range(tokens.shape[0]):
            total += per_line[i]
        likelihoods[restart] = total
        if total > best:
            best, best_alpha = total, alpha
            best_emission[:] = emission
            best_weights[:] = weights
    return best_alpha


def _line_work(steps: int, n_latents: int, reach: int) -> tuple[np.ndarray, ...]:
    return np.empty((steps, n_latents)), np.empty((steps, n_latents)), np.empty(steps), np.empty((steps, max(reach, 1)))


def _path_work(steps: int, group: int, reach: int) -> tuple[np.ndarray, ...]:
    return np.empty((steps, group), dtype=np.int64), np.empty((steps, group)), np.empty((steps, group, reach + 1))


def _policy(weights: Any) -> np.ndarray:
    return real_table("weights", weights, 1, -WEIGHT_MAX, WEIGHT_MAX)


def look_ahead_bound(tokens: Any, emission: Any, alpha: float, weights: Any) -> xarray.Dataset:
    """Return the evidence lower bound of a look-ahead policy and its exact gradient.

    Parameters
    ----------
    tokens : array_like of int
        Lines of text, shape (lines, length); the first token of a line is context only.
    emission : array_like
        pi(a | x, z), shape (K, A, A), entries >= 1e-100, rows of total one.
    alpha : float
        Stickiness in [0, 1].
    weights : array_like
        w_0..w_W and last w_s, in [-60, 60]; a single number is w_s alone (W = -1).

    Returns
    -------
    xarray.Dataset
        ``bound``, ``log_likelihood`` and ``gap`` in nats over the whole text, ``gradient`` (feature) of the bound.

    Raises
    ------
    ValueError
        If an argument leaves its range.

    Notes
    -----
    O(T K^2 W) per line. Nothing is random. E-step as reinforcement learning: Zhang et al. (arXiv 2509.25810).

    Examples
    --------
    >>> result = look_ahead_bound([[0, 1, 0]], [[[0.5, 0.5], [0.5, 0.5]]], 0.5, [0.0])
    >>> abs(round(float(result["gap"]), 9))
    0.0
    """
    import xarray

    table, a = model(emission, alpha)
    lines, size = text(tokens, table.shape[0])
    w = _policy(weights)
    steps, k, reach = lines.shape[1] - 1, table.shape[2], len(w) - 1
    gradient = np.zeros(len(w))
    marginal, onward, fresh = np.empty((steps, k)), np.empty(k), np.empty(k)
    bound = _exact_pass(lines, np.log(table), a, w, _line_work(steps, k, reach), marginal, onward, fresh, gradient)
    work = work_arrays(len(lines), lines.shape[1], size, k)
    _soft_pass(lines, table, a, work[1], work[2], work[3], work[0], work[4])
    likelihood = float(work[4].sum())
    return xarray.Dataset(
        {
            "bound": ((), bound, {"long_name": "evidence lower bound", "units": "nat"}),
            "log_likelihood": ((), likelihood, {"long_name": "log-likelihood", "units": "nat"}),
            "gap": ((), likelihood - bound, {"long_name": "divergence from the posterior", "units": "nat"}),
            "gradient": ("feature", gradient, {"long_name": "gradient of the bound", "units": "nat"}),
        },
        attrs={"alpha": a, "look_ahead": reach - 1, "n_tokens_predicted": len(lines) * steps},
    )


def sampled_gradient(
    tokens: Any, emission: Any, alpha: float, weights: Any, seeds: Any, *, group: int = 8
) -> xarray.Dataset:
    """Return REINFORCE estimates of the gradient of the bound.

    Parameters
    ----------
    tokens, emission, alpha, weights
        As in :func:`look_ahead_bound`.
    seeds : int or sequence of int
        One replicate, that is one estimate, each.
    group : int
        Latent paths per line, >= 2.

    Returns
    -------
    xarray.Dataset
        ``gradient`` (replicate, feature), ``bound`` (replicate) and ``switches`` (replicate), over the whole text.

    Raises
    ------
    ValueError
        If an argument leaves its range.

    Notes
    -----
    Unbiased: the baseline of a path is the mean return-to-go of the others of its group.

    Examples
    --------
    >>> result = sampled_gradient([[0, 1, 0]], [[[0.5, 0.5], [0.5, 0.5]]], 0.5, [1.0, 0.0], [0, 1])
    >>> result["gradient"].shape
    (2, 2)
    """
    import xarray

    table, a = model(emission, alpha)
    lines, size = text(tokens, table.shape[0])
    w = _policy(weights)
    n_paths = integer("group", group, 2, 2**20)
    keys = check_seeds(seeds)
    steps, k, reach = lines.shape[1] - 1, table.shape[2], len(w) - 1
    gradients = np.zeros((len(keys), len(w)))
    bounds, switches = np.empty(len(keys)), np.empty(len(keys))
    log_table, counts = np.log(table), np.zeros((size, size, k))
    for row, seed in enumerate(keys):
        bounds[row], switches[row] = _sample_pass(
            replicate_key(seed, "sampled_fit"), 0, lines, log_table, a, w, n_paths,
            _line_work(steps, k, reach), _path_work(steps, n_paths, reach), gradients[row], counts, False,
        )  # fmt: skip
    return xarray.Dataset(
        {
            "gradient": (("replicate", "feature"), gradients, {"long_name": "gradient of the bound", "units": "nat"}),
            "bound": ("replicate", bounds, {"long_name": "mean return", "units": "nat"}),
            "switches": ("replicate", switches, {"long_name": "mean switches", "units": "1"}),
        },
        coords={"seed": ("replicate", keys)},
        attrs={"alpha": a, "group": n_paths},
    )


def fit_look_ahead(
    tokens: Any,
    emission: Any,
    alpha: float,
    look_ahead: int,
    *,
    method: str = "exact",
    n_steps: int = 400,
    learning_rate: float = 0.05,
    group: int = 8,
    seeds: Any = 0,
) -> xarray.Dataset:
    """Raise the bound over the weights of a look-ahead policy at a fixed model.

    Parameters
    ----------
    tokens, emission, alpha
        As in :func:`look_ahead_bound`.
    look_ahead : int
        W >= -1 steps beyond the current one; -1 sees nothing of the text.
    method : {"exact", "sampled"}
        Gradient by dynamic programming, or by REINFORCE.
    n_steps : int
        Adam steps, >= 1.
    learning_rate : float
        > 0.
    group : int
        Latent paths per line for ``method="sampled"``, >= 2.
    seeds : int or sequence of int
        One replicate each; without effect on the exact gradient.

    Returns
    -------
    xarray.Dataset
        ``weight`` (replicate, feature), and ``bound`` and ``gap`` (replicate) at the end, exact, over the whole text.

    Raises
    ------
    ValueError
        If an argument leaves its range.

    Notes
    -----
    Starts at w_0 = w_s = 1 and zeros. Cost: n_steps passes over the text.

    Examples
    --------
    >>> fit = fit_look_ahead([[0, 1, 0]], [[[0.5, 0.5], [0.5, 0.5]]], 0.5, -1, n_steps=5)
    >>> fit["weight"].shape
    (1, 1)
    """
    import xarray

    table, a = model(emission, alpha)
    lines, size = text(tokens, table.shape[0])
    reach = integer("look_ahead", look_ahead, -1, lines.shape[1]) + 1
    sampled = choice("method", method, ("exact", "sampled")) == "sampled"
    steps = integer("n_steps", n_steps, 1, 2**31)
    rate = real("learning_rate", learning_rate, 0.0, open_low=True)
    n_paths = integer("group", group, 2, 2**20)
    keys = check_seeds(seeds)
    length, k = lines.shape[1] - 1, table.shape[2]
    weights = np.empty((len(keys), reach + 1))
    bounds, gaps = np.empty(len(keys)), np.empty(len(keys))
    log_table, counts = np.log(table), np.zeros((size, size, k))
    chain_work = (np.empty((length, k)), np.empty(k), np.empty(k))
    for row, seed in enumerate(keys):
        w = np.zeros(reach + 1)
        w[0] = w[reach] = 1.0
        _climb(
            replicate_key(seed, "sampled_fit"), lines, log_table, a, w, sampled, n_paths, steps, rate,
            _line_work(length, k, reach), _path_work(length, n_paths, reach), chain_work, counts,
        )  # fmt: skip
        final = look_ahead_bound(lines, emission, a, w)
        weights[row], bounds[row], gaps[row] = w, float(final["bound"]), float(final["gap"])
    return xarray.Dataset(
        {
            "weight": (("replicate", "feature"), weights, {"long_name": "weight of a feature", "units": "1"}),
            "bound": ("replicate", bounds, {"long_name": "evidence lower bound", "units": "nat"}),
            "gap": ("replicate", gaps, {"long_name": "divergence from the posterior", "units": "nat"}),
        },
        coords={"seed": ("replicate", keys)},
        attrs={
            "alpha": a,
            "look_ahead": reach - 1,
            "method": method,
            "n_steps": steps,
            "learning_rate": rate,
            "n_tokens_predicted": len(lines) * length,
        },
    )


def fit_sampled_latents(
    tokens: Any,
    n_tokens: int,
    n_latents: int,
    *,
    look_ahead: int = 2,
    seeds: Any = 0,
    alpha: float | None = None,
    switch_penalty: float | None = None,
    pseudo_count: float = 0.02,
    n_restarts: int = 8,
    n_rounds: int = 60,
    gradient_steps: int = 4,
    group: int = 8,
    learning_rate: float = 0.05,
) -> xarray.Dataset:
    """Fit sticky latents with the sampled E-step.

    Parameters
    ----------
    tokens, n_tokens, n_latents, alpha, switch_penalty
        As in :func:`sims.mid_training.fit_sticky_latents`.
    look_ahead : int
        W >= -1.
    seeds : int or sequence of int
        One replicate, that is one whole fit, each. The random starts are those of ``fit_sticky_latents`` at the same
        seed.
    pseudo_count : float
        kappa >= 1e-6.
    n_restarts, n_rounds, gradient_steps : int
        Random starts, rounds of E- and M-step, and Adam steps per E-step, each >= 1.
    group : int
        Latent paths per line, >= 2.
    learning_rate : float
        > 0.

    Returns
    -------
    xarray.Dataset
        ``emission`` (replicate, latent, previous_token, token), ``alpha`` (replicate), ``weight`` (replicate, feature),
        ``log_likelihood`` (replicate) and ``restart_log_likelihood`` (replicate, restart), both exact.

    Raises
    ------
    ValueError
        If an argument leaves its range.

    Notes
    -----
    The restart with the largest likelihood of the training text is returned. Cost per round: gradient_steps + 1 passes
    that draw `group` latents per token; memory O(A^2 K + T group W).

    Examples
    --------
    >>> fit = fit_sampled_latents([[0, 1, 0, 1]], 2, 1, n_restarts=1, n_rounds=2)
    >>> fit["emission"].shape
    (1, 1, 2, 2)
    """
    import xarray

    lines, size = text(tokens, n_tokens)
    k = integer("n_latents", n_latents, 1, 2**12)
    reach = integer("look_ahead", look_ahead, -1, lines.shape[1]) + 1
    keys = check_seeds(seeds)
    kappa = real("pseudo_count", pseudo_count, 1e-6)
    restarts = integer("n_restarts", n_restarts, 1, 2**10)
    rounds = integer("n_rounds", n_rounds, 1, 2**10)
    inner = integer("gradient_steps", gradient_steps, 1, 2**10)
    n_paths = integer("group", group, 2, 2**20)
    rate = real("learning_rate", learning_rate, 0.0, open_low=True)
    learn, start = starting_alpha(alpha, switch_penalty, k)
    length, shape = lines.shape[1] - 1, (size, size, k)
    emissions, weights = np.empty((len(keys), k, size, size)), np.empty((len(keys), reach + 1))
    alphas, likelihoods = np.empty(len(keys)), np.empty((len(keys), restarts))
    for row, seed in enumerate(keys):
        best = np.empty(shape)
        alphas[row] = _fit_sampled(
            replicate_key(seed, "fit"), replicate_key(seed, "sampled_fit"), lines, start, learn, kappa, restarts,
            rounds, inner, n_paths, rate, _line_work(length, k, reach), _path_work(length, n_paths, reach),
            work_arrays(len(lines), lines.shape[1], size, k)[:5], np.empty(shape), np.empty(shape),
            np.empty(reach + 1), best, weights[row], likelihoods[row],
        )  # fmt: skip
        emissions[row] = best.transpose(2, 0, 1)
    return xarray.Dataset(
        {
            "emission": (
                ("replicate", "latent", "previous_token", "token"),
                emissions,
                {"long_name": "emission probability", "units": "1"},
            ),
            "alpha": ("replicate", alphas, {"long_name": "stickiness", "units": "1"}),
            "weight": (("replicate", "feature"), weights, {"long_name": "weight of a feature", "units": "1"}),
            "log_likelihood": (
                "replicate",
                likelihoods.max(axis=1),
                {"long_name": "log-likelihood of the text", "units": "nat"},
            ),
            "restart_log_likelihood": (
                ("replicate", "restart"),
                likelihoods,
                {"long_name": "log-likelihood of a restart", "units": "nat"},
            ),
        },
        coords={"seed": ("replicate", keys)},
        attrs={
            "look_ahead": reach - 1,
            "alpha_learned": int(learn),
            "pseudo_count": kappa,
            "n_rounds": rounds,
            "gradient_steps": inner,
            "group": n_paths,
            "learning_rate": rate,
        },
    )
