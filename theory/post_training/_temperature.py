r"""Sampling temperature: the map of a round, and where it ends.

Notation: c = (1-v)/v, the odds of going on after a first token that agrees with x_1; greedy decoding goes on iff
c >= 1, and c = 2o at calibration. U = u/(1-u). Sampling at temperature tau takes c and U to the power 1/tau; the
reward then multiplies the odds of going on by a factor of its own.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np

from theory._math import exp, is_symbolic, log
from theory._validate import real

__all__ = [
    "TemperedFixedPoint",
    "go_on_round",
    "tempered_first_token_round",
    "tempered_fixed_point",
    "tempered_rounds_to_generalise",
]


def go_on_round(go_on_odds: Any, temperature: Any = 1.0, factor: Any = 2.0) -> Any:
    """Odds kappa c^(1/tau) of going on after one round at temperature tau.

    Parameters
    ----------
    go_on_odds : number or array
        c > 0, odds of going on after y_1 = x_1 at temperature 1, in (0, inf).
    temperature : number or array, optional
        tau in (0, inf).
    factor : number or array, optional
        kappa in (0, inf), from :func:`go_on_factor`.

    Returns
    -------
    number or array
        c' of the refitted model.

    Raises
    ------
    ValueError
        If an argument leaves its range.

    Notes
    -----
    Derived here for the reward r_cot; the general model needs the full round.

    Examples
    --------
    >>> go_on_round(0.25, 2.0)
    1.0
    """
    c = real("go_on_odds", go_on_odds, 0, open_low=True)
    tau = real("temperature", temperature, 0, open_low=True)
    kappa = real("factor", factor, 0, open_low=True)
    if isinstance(tau, float) and tau == 1.0:
        return kappa * c
    if is_symbolic(c) or is_symbolic(tau) or is_symbolic(kappa):
        return kappa * c ** (1 / tau)
    found = np.minimum(np.log(np.asarray(kappa, float)) + np.log(np.asarray(c, float)) / np.asarray(tau, float), 709.0)
    value = np.exp(found)
    return float(value) if value.ndim == 0 else value


def tempered_first_token_round(first_token_odds: Any, go_on_odds: Any, temperature: Any) -> Any:
    r"""Odds U^(1/tau) (1+2k)/(1+k), k = c^(1/tau), of y_1 = x_1 after one round at temperature tau.

    Parameters
    ----------
    first_token_odds : number or array
        U = u/(1-u), in (0, inf).
    go_on_odds : number or array
        c, odds of going on after agreement, in (0, inf).
    temperature : number or array
        tau in (0, inf).

    Returns
    -------
    number or array
        U' of the refitted model.

    Raises
    ------
    ValueError
        If an argument leaves its range.

    Notes
    -----
    Derived here for an exact chain and v- = 1: kept masses are long u_t(1-v_t), short u_t v_t/2 on prompts of parity
    x_1 and (1-u_t)/2 on the others.

    Examples
    --------
    >>> from fractions import Fraction
    >>> tempered_first_token_round(Fraction(3, 2), Fraction(1, 2), 1)
    Fraction(2, 1)
    """
    big = real("first_token_odds", first_token_odds, 0, open_low=True)
    c = real("go_on_odds", go_on_odds, 0, open_low=True)
    tau = real("temperature", temperature, 0, open_low=True)
    if isinstance(tau, float) and tau == 1.0:
        return big * (2 - 1 / (1 + c))
    root, k = _power(big, tau), _power(c, tau)
    return root * (2 - 1 / (1 + k))


def _power(value: Any, tau: Any) -> Any:
    """value^(1/tau), kept below e^709 on numbers."""
    if is_symbolic(value) or is_symbolic(tau):
        return value ** (1 / tau)
    found = np.exp(np.minimum(np.log(np.asarray(value, float)) / np.asarray(tau, float), 709.0))
    return float(found) if found.ndim == 0 else found


class TemperedFixedPoint(NamedTuple):
    """Where filtering at a temperature above 1 ends.

    Attributes
    ----------
    go_on_odds : number
        c* at temperature 1.
    first_token_odds : number
        U* at temperature 1.
    sampled_long_share : number
        Long share of the samples at the temperature of sampling.
    """

    go_on_odds: Any
    first_token_odds: Any
    sampled_long_share: Any


def tempered_fixed_point(temperature: Any) -> TemperedFixedPoint:
    r"""Attracting fixed point of a round at temperature tau > 1, exact chain, reward r_cot.

    Parameters
    ----------
    temperature : float or array
        tau in [1.002, inf); the odds c* = 2^(tau/(tau-1)) overflow below.

    Returns
    -------
    TemperedFixedPoint
        c* > 1, so greedy decoding generalises, while the sampled long share saturates between 1 (tau -> 1) and 1/4
        (tau -> infinity).

    Raises
    ------
    ValueError
        If `temperature` leaves its range.

    Notes
    -----
    Derived here from c* = 2 k*, k* = c*^(1/tau) and U* = U*^(1/tau) (1+c*)/(1+k*). Below tau = 1 the point
    2^(-tau/(1-tau)) repels: shares under it lose the long route.

    Examples
    --------
    >>> round(tempered_fixed_point(1.5).sampled_long_share, 4)
    0.6113
    """
    tau = real("temperature", temperature, 1.002)
    if is_symbolic(tau):
        raise ValueError(f"temperature must be a number or an array, got {temperature!r}")
    tau = tau if isinstance(tau, np.ndarray) else float(tau)
    power = tau / (tau - 1)
    c = 2**power
    k = c / 2
    ln_root = (log(1 + c) - log(1 + k)) / (tau - 1)  # ln U*^(1/tau)
    agree = 1 / (1 + exp(-ln_root))
    return TemperedFixedPoint(c, exp(np.minimum(ln_root * tau, 709.0)), agree * k / (1 + k))


def tempered_rounds_to_generalise(p_0: Any, temperature: Any) -> Any:
    r"""Rounds until greedy decoding generalises at temperature tau > 1: ln(1 - ln c_0/ln c*)/ln tau, rounded up.

    Parameters
    ----------
    p_0 : number
        Share of long answers before the first round, in (0, 1).
    temperature : number
        tau in [1.002, 1000].

    Returns
    -------
    int
        Of the order log log(1/p_0); 0 for p_0 >= 1/3.

    Raises
    ------
    ValueError
        If an argument leaves its range.

    Notes
    -----
    Derived here: ln c_n = ln c* + (ln c_0 - ln c*) tau^-n with c_0 = 2 p_0/(1-p_0).

    Examples
    --------
    >>> [tempered_rounds_to_generalise(p, 2.2) for p in (0.1, 0.01)]
    [1, 2]
    """
    p = real("p_0", p_0, 0, 1, open_low=True, open_high=True)
    tau = real("temperature", temperature, 1.002, 1000)
    if isinstance(p, np.ndarray) or isinstance(tau, np.ndarray) or is_symbolic(p) or is_symbolic(tau):
        raise ValueError(f"p_0 and temperature must be single numbers, got {p_0!r} and {temperature!r}")
    p, tau = float(p), float(tau)
    start = math.log(2) + math.log(p) - math.log1p(-p)
    if 3 * p >= 1:
        return 0
    end = math.log(2) * tau / (tau - 1)
    return max(1, math.ceil(math.log1p(-start / end) / math.log(tau)))
