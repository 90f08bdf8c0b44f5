"""The signal of every parity in the gradient of a predictor, and the signal of the long route's steps."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from sims._validate import choice, integer, real
from sims._validate import seeds as checked_seeds
from sims.hardness._arguments import flag, key_of, labelled
from sims.hardness._networks import ACTIVATIONS, STARTS, start
from sims.hardness._spectrum import batch_counts, monomial_spectrum, network_spectrum, summary
from sims.hardness._transform import LARGEST
from sims.parity_mixture import _sample

if TYPE_CHECKING:
    import xarray

__all__ = ["gradient_signal", "route_signal"]

PREDICTORS = ("linear", "monomials", "random_features", "two_layer")
WIDEST = 65536
CHUNK = 4096


def _factors(value: Any) -> np.ndarray:
    if isinstance(value, (str, bytes)) or not isinstance(value, (list, tuple, range, np.ndarray)):
        raise ValueError(f"factors must be a sequence of numbers, got {value!r}")
    return np.array([real("factors", item, 0.0, 1e300, open_low=True) for item in value], dtype=np.float64)


def gradient_signal(
    d: int,
    predictor: str,
    seeds: int | Any,
    *,
    width: int = 16,
    activation: str = "relu",
    initialisation: str = "gaussian",
    degree: int = 1,
    p_cot: float = 0.0,
    n_samples: int | None = None,
    factors: Sequence[float] = (1.0, 4.0, 16.0, 256.0),
    parities: bool = False,
    threads: int = 1,
) -> xarray.Dataset:
    r"""Measure the part of a gradient that tells one parity from another, at all 2^d parities at once.

    For the label chi_S(x) on short demonstrations the part of the logistic loss' gradient that depends on S is
    -(1-p) E[chi_S grad f]/2; its squared norm is the squared signal of S. Fast Walsh-Hadamard transforms of the
    gradient's components on all 2^d prompts give it for every S.

    Parameters
    ----------
    d : int
        Number of signs, 1 <= d <= 24.
    predictor : {"linear", "monomials", "random_features", "two_layer"}
        ``linear``: one weight for each sign; ``monomials``: one for each product of `degree` signs;
        ``random_features``: the output weights of a random hidden layer; ``two_layer``: all weights of a network at its
        start. The first two have no random part.
    seeds : int or sequence of int
        One replicate each, distinct, in [0, 2**63).
    width : int, optional
        Hidden units m, 1 <= m <= 65536.
    activation : {"relu", "tanh"}, optional
        Of the hidden units.
    initialisation : {"gaussian", "signs"}, optional
        Inner weights normal with variance 1/d, or +-d^(-1/2) with a bias of 0 or d^(-1/2); output weights +-m^(-1/2).
    degree : int, optional
        Of the monomials, 0 <= degree <= d; at most 2^30 entries are transformed.
    p_cot : float, optional
        Share p of long demonstrations, in [0, 1].
    n_samples : int, optional
        Prompts of one batch, 1 <= n_samples <= 2^40, in the place of the law of the prompt: E is then their mean.
    factors : sequence of float, optional
        Multiples of the mean squared signal, in (0, 1e300], at which parities are counted.
    parities : bool, optional
        Return the squared signal of every parity.
    threads : int, optional
        For the transforms, from 1 to 64; the result does not depend on it.

    Returns
    -------
    xarray.Dataset
        Over (replicate,): ``gradient_square`` E|grad f|^2 on all prompts; ``mean_signal``, mean squared signal over the
        2^d parities; ``largest_signal`` and ``largest_parity`` (bit i set: x_(i+1) is in it); ``full_signal``, that of
        the product of all signs. Over (replicate, degree), k = 0..d: ``degree_mean`` and ``degree_largest`` over the
        C(d, k) parities of k signs. Over (replicate, factor): ``exceeding``, number of parities with at least that
        multiple of the mean. With `parities`: ``signal`` (replicate, parity).

    Raises
    ------
    ValueError
        Outside the ranges above.

    Notes
    -----
    Time O(m d 2^d) for a network, in 2m transforms; memory 48 * 2^d bytes.

    Examples
    --------
    >>> found = gradient_signal(8, "two_layer", [0, 1], width=4)
    >>> bool(np.allclose(found.mean_signal * 4 * 2**8, found.gradient_square))
    True
    """
    d = integer("d", d, 1, LARGEST)
    predictor = choice("predictor", predictor, PREDICTORS)
    replicates = checked_seeds(seeds)
    width = integer("width", width, 1, WIDEST)
    relu = choice("activation", activation, ACTIVATIONS) == "relu"
    signs = choice("initialisation", initialisation, STARTS) == "signs"
    degree = integer("degree", degree, 0, LARGEST)
    if degree > d:
        raise ValueError(f"degree must be an integer in [0, d = {d}], got {degree}")
    p_cot = real("p_cot", p_cot, 0.0, 1.0)
    batch = 0 if n_samples is None else integer("n_samples", n_samples, 1, 2**40)
    multiples = _factors(factors)
    parities = flag("parities", parities)
    threads = integer("threads", threads, 1, 64)
    if predictor == "monomials" and math.comb(d, degree) << d > 2**30:
        raise ValueError(f"degree must leave C(d, degree) 2^d at most 2^30, got {degree} at d = {d}")

    n, count = 1 << d, len(replicates)
    single = {name: np.empty(count) for name in ("gradient_square", "mean_signal", "largest_signal", "full_signal")}
    largest_parity = np.empty(count, np.int64)
    by_degree, largest = np.empty((count, d + 1)), np.empty((count, d + 1))
    exceeding = np.empty((count, len(multiples)), np.int64)
    kept = np.empty((count, n)) if parities else None
    share = (1.0 - p_cot) * 0.5
    for r, seed in enumerate(replicates):
        key = key_of(seed)
        counts = np.ones(n)
        if batch:
            counts[:] = 0.0
            for first in range(0, batch, 1 << 20):  # an interrupt is heard between two calls
                batch_counts(key, d, first, min(first + (1 << 20), batch), counts)
        weight = float(batch or n)
        if predictor in ("linear", "monomials"):
            total, square = monomial_spectrum(d, 1 if predictor == "linear" else degree, counts, weight, threads)
        else:
            w, b, a = np.empty((d, width)), np.empty(width), np.empty(width)
            start(key, d, signs, w, b, a)
            total, square = network_spectrum(w, b, a, relu, predictor == "two_layer", counts, weight, threads)
        total *= share * share
        mean = float(total.mean())
        at = summary(total, d, multiples * mean, by_degree[r], largest[r], exceeding[r])
        single["gradient_square"][r], single["mean_signal"][r] = square, mean
        single["largest_signal"][r], single["full_signal"][r] = total[at], total[-1]
        largest_parity[r] = at
        if kept is not None:
            kept[r] = total
    by_degree /= [math.comb(d, k) for k in range(d + 1)]
    columns: dict[str, tuple[tuple[str, ...], Any, str, str]] = {
        "gradient_square": ((), single["gradient_square"], "1", "mean squared norm of the predictor's gradient"),
        "mean_signal": ((), single["mean_signal"], "1", "mean squared signal over all parities"),
        "largest_signal": ((), single["largest_signal"], "1", "largest squared signal"),
        "largest_parity": ((), largest_parity, "bit pattern", "where it lies"),
        "full_signal": ((), single["full_signal"], "1", "squared signal of the product of all signs"),
        "degree_mean": (("degree",), by_degree, "1", "mean squared signal over the parities of k signs"),
        "degree_largest": (("degree",), largest, "1", "largest squared signal of a parity of k signs"),
        "exceeding": (("factor",), exceeding, "parities", "parities with at least that multiple of the mean"),
    }
    if kept is not None:
        columns["signal"] = (("parity",), kept, "1", "squared signal")
    attributes = {
        "experiment": "hardness.gradient_signal",
        "d": d,
        "predictor": predictor,
        "width": width,
        "activation": activation,
        "initialisation": initialisation,
        "degree_of_monomials": degree,
        "p_cot": p_cot,
        "n_samples": batch,
    }
    coordinates = {"degree": np.arange(d + 1), "factor": multiples}
    return labelled(columns, replicates, attributes, coordinates)


def route_signal(d: int, p_cot: float, n_samples: int, seeds: int | Any) -> xarray.Dataset:
    """Average the gradient of the autoregressive linear model at zero weights over demonstrations drawn from D(p).

    Parameters
    ----------
    d : int
        Length of the prompt, 2 <= d <= 1024.
    p_cot : float
        Share p of long demonstrations, in [0, 1].
    n_samples : int
        Demonstrations drawn for each seed, 1 <= n_samples <= 2^40.
    seeds : int or sequence of int
        One replicate each, distinct, in [0, 2**63).

    Returns
    -------
    xarray.Dataset
        Components of the negative gradient, sums of target times feature over demonstrations, halved and divided by
        their number. ``first`` (replicate, coordinate): position 1 on x. ``stop`` (replicate, feature): position 2a on
        x, y_1, y_1x and the constant. Over (replicate, position), l = 2..d, averaged over long demonstrations:
        ``chain`` on y_(l-1) x_l, ``chain_other``, the largest size among the position's other features, and
        ``chain_per_demonstration``, the former averaged over all demonstrations; 0 where no long one was drawn.
        ``short`` (replicate, coordinate): sums over short ones alone of parity times x, as ``first``.
        ``long_samples`` (replicate,).

    Raises
    ------
    ValueError
        Outside the ranges above.

    Notes
    -----
    Time O(d^2) for each demonstration, memory O(d^2).

    Examples
    --------
    >>> float(route_signal(5, 1.0, 64, seeds=0).chain[0, 2])
    0.5
    """
    d = integer("d", d, 2, 1024)
    p_cot = real("p_cot", p_cot, 0.0, 1.0)
    n_samples = integer("n_samples", n_samples, 1, 2**40)
    replicates = checked_seeds(seeds)
    count = len(replicates)
    first, short = np.zeros((count, d)), np.zeros((count, d))
    stop = np.zeros((count, 2 * d + 2))
    chain, other = np.zeros((count, d - 1)), np.zeros((count, d - 1))
    longs = np.zeros(count, np.int64)
    for r, seed in enumerate(replicates):
        key = key_of(seed)
        on_x, on_y, on_product = np.zeros((d - 1, d)), np.zeros((d - 1, d)), np.zeros((d - 1, d))
        for begin in range(0, n_samples, CHUNK):
            n = min(CHUNK, n_samples - begin)
            signs, is_long, answer = np.empty((n, d), np.int8), np.empty(n, np.bool_), np.empty((n, d), np.int8)
            _sample(key, d, p_cot, begin, signs, is_long, answer)
            x, y = signs.astype(np.float64), answer.astype(np.float64)
            token = y[:, 0]
            first[r] += token @ x
            short[r] += np.where(is_long, 0.0, token) @ x
            target = np.where(is_long, -1.0, 1.0)
            features = np.column_stack([x, token, token[:, None] * x, np.ones(n)])
            stop[r] += target @ features
            longs[r] += int(is_long.sum())
            x, y = x[is_long], y[is_long]
            on_x += y[:, 1:].T @ x
            on_y += y[:, 1:].T @ y
            on_product += (y[:, 1:] * y[:, :-1]).T @ x
        rows = np.arange(d - 1)
        chain[r] = on_product[rows, rows + 1]
        on_product[rows, rows + 1] = 0.0
        before = np.arange(d)[None, :] <= rows[:, None]  # tokens y_1..y_(l-1)
        sizes = (np.abs(on_x).max(1), np.abs(np.where(before, on_y, 0.0)).max(1), np.abs(on_product).max(1))
        other[r] = np.maximum.reduce(sizes)
    whole, seen = 2.0 * n_samples, 2.0 * np.maximum(longs, 1)[:, None]
    columns: dict[str, tuple[tuple[str, ...], Any, str, str]] = {
        "first": (("coordinate",), first / whole, "1", "negative gradient of position 1"),
        "short": (("coordinate",), short / whole, "1", "the part of it that comes from short demonstrations"),
        "stop": (("feature",), stop / whole, "1", "negative gradient of position 2a"),
        "chain": (("position",), chain / seen, "1", "negative gradient of position l on y_(l-1) x_l, long ones"),
        "chain_other": (("position",), other / seen, "1", "largest size on another feature of position l"),
        "chain_per_demonstration": (("position",), chain / whole, "1", "as chain, averaged over all demonstrations"),
        "long_samples": ((), longs, "demonstrations", "long ones drawn"),
    }
    attributes = {"experiment": "hardness.route_signal", "d": d, "p_cot": p_cot, "n_samples": n_samples}
    return labelled(columns, replicates, attributes, {"position": np.arange(2, d + 1)})
