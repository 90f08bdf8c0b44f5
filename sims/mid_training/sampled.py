r"""The E-step by reinforcement learning: a small policy over latents with a window of look-ahead.

The policy draws latents one by one,

.. math:: q(z_t|z_{t-1})\propto\exp\Bigl(\sum_{j=0}^{W}w_j\,\ell_{t+j}(z_t)+w_s1[z_t=z_{t-1}]\Bigr),

with :math:`\ell_t(z)=\ln\pi(a_t|x_t,z)`; W = -1 sees nothing of the text. Its return is the sum of
:math:`\ell_t+\ln P-\ln q`, so that the mean return is the evidence lower bound. REINFORCE uses groups of paths of each
line, returns-to-go and the mean of the other paths as baseline; an exact gradient by dynamic programming over pairs of
latents stands beside it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from sims._validate import choice, integer, real
from sims._validate import seeds as check_seeds
from sims.mid_training._draws import real_table, replicate_key
from sims.mid_training._expectation import _soft_pass, work_arrays
from sims.mid_training._reinforce import WEIGHT_MAX, _climb, _exact_pass, _fit_sampled, _sample_pass
from sims.mid_training.latents import model, starting_alpha, text

if TYPE_CHECKING:
    import xarray

__all__ = ["fit_look_ahead", "fit_sampled_latents", "look_ahead_bound", "sampled_gradient"]


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
