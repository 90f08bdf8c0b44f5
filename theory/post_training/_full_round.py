r"""One whole round off calibration: what sampling, filtering and refitting do to every conditional probability.

The state of the model is u = P(y_1 = x_1), v+ = P(EOS | agree), v- = P(EOS | disagree) and e_l = P(y_l != y_(l-1) x_l),
l = 2..d, all as sampled (after tempering). With A = u(1-v+), B = (1-u)(1-v-), D = prod (1 - 2 e_l), D_-l the product
without l, and R = prod (1 - e_l): a long answer is exactly right with probability A R, and its last token is the parity
with probability A(1+D)/2 + B(1-D)/2, since flips multiply and a wrong first token is one more flip. Short answers are
right half of the time. Refitting sets each conditional to its share among the kept sequences; what no kept sequence
shows keeps its value.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from theory._math import exp, is_symbolic, log
from theory._validate import choice, integer, real

__all__ = [
    "FullRound",
    "accuracy_by_parity",
    "calibrated_state",
    "chain_margin",
    "chain_margin_round",
    "critical_token_error",
    "full_round",
    "mean_accuracy",
    "mean_long_share",
    "tempered_probability",
]

REWARDS = ("r_cot", "r_e2e")


class FullRound(NamedTuple):
    """State after one round, and the mass that the round kept.

    Attributes
    ----------
    kept : number
        Probability J that a sampled answer is rewarded.
    first_token : number
        u = P(y_1 = x_1).
    stop_agree, stop_disagree : number
        v+ and v-, P(EOS) after a first token that agrees or disagrees with x_1.
    chain_errors : tuple of number
        e_l = P(y_l != y_(l-1) x_l), l = 2..d.
    """

    kept: Any
    first_token: Any
    stop_agree: Any
    stop_disagree: Any
    chain_errors: tuple[Any, ...]


def _single(name: str, value: Any, open_ends: bool = False) -> Any:
    found = real(name, value, 0, 1, open_low=open_ends, open_high=open_ends)
    if isinstance(found, np.ndarray):
        raise ValueError(f"{name} must be one number in [0, 1], got {value!r}")
    return found


def _errors(value: Any) -> list[Any]:
    if isinstance(value, (str, bytes)) or not (hasattr(value, "__len__") and hasattr(value, "__getitem__")):
        raise ValueError(f"chain_errors must be a sequence of numbers in [0, 1], got {value!r}")
    if hasattr(value, "keys") or not 1 <= len(value) < 10**6:
        raise ValueError(f"chain_errors must be a sequence of d - 1 >= 1 numbers in [0, 1], got {value!r}")
    return [_single("chain_errors", item) for item in value]


def _product(factors: list[Any]) -> Any:
    total = factors[0]
    for factor in factors[1:]:
        total = total * factor
    return total


def _state(first_token: Any, stop_agree: Any, stop_disagree: Any, chain_errors: Any) -> tuple[Any, Any, Any, list[Any]]:
    return (
        _single("first_token", first_token),
        _single("stop_agree", stop_agree),
        _single("stop_disagree", stop_disagree),
        _errors(chain_errors),
    )


def _ratio(top: Any, bottom: Any, old: Any) -> Any:
    """top/bottom, or the old value where nothing was kept."""
    if is_symbolic(bottom):
        return top / bottom
    return old if bottom == 0 else top / bottom


def calibrated_state(d: int, p_cot: Any, token_error: Any = 0.0) -> FullRound:
    """State of a model that is calibrated on D(p), with equal token errors on the chain.

    Parameters
    ----------
    d : int
        Length of the prompt, an integer in [2, 100000].
    p_cot : number
        Share p of long demonstrations, in [0, 1].
    token_error : number, optional
        e at each of the positions 2..d, in [0, 1].

    Returns
    -------
    FullRound
        ``kept`` is 1: pre-training keeps everything.

    Raises
    ------
    ValueError
        If an argument leaves its range.

    Notes
    -----
    Tsilivis et al., arXiv 2510.11495: u = (1+p)/2, v+ = (1-p)/(1+p), v- = 1.

    Examples
    --------
    >>> calibrated_state(3, 0.5)
    FullRound(kept=1.0, first_token=0.75, stop_agree=0.3333333333333333, stop_disagree=1.0, chain_errors=(0.0, 0.0))
    """
    size = integer("d", d, 2, 100_000)
    if not isinstance(size, int):
        raise ValueError(f"d must be one integer, got {d!r}")
    p = _single("p_cot", p_cot)
    e = _single("token_error", token_error)
    one = 0 * p + 1  # in the arithmetic of p
    return FullRound(one, (1 + p) / 2, (1 - p) / (1 + p), one, (e,) * (size - 1))


def full_round(
    first_token: Any, stop_agree: Any, stop_disagree: Any, chain_errors: Any, reward: str = "r_cot"
) -> FullRound:
    r"""State after sampling, filtering by the reward, and refitting in the population.

    Parameters
    ----------
    first_token : number
        u as sampled, in [0, 1].
    stop_agree, stop_disagree : number
        v+ and v- as sampled, in [0, 1].
    chain_errors : sequence of number
        e_2, ..., e_d as sampled, each in [0, 1]; d >= 3 for the linear model.
    reward : {"r_cot", "r_e2e"}
        Whether the whole answer must be one of the two right ones, or only its last token.

    Returns
    -------
    FullRound
        Under r_cot the odds of going on after agreement are multiplied by 2R, disagreement always stops and the chain
        is clean; under r_e2e the odds are multiplied by 1 + D after agreement and 1 - D after disagreement.

    Raises
    ------
    ValueError
        If an argument leaves its range.

    Notes
    -----
    Derived in the module's description. Where nothing is kept, or nothing is kept that shows a conditional, the old
    values stay (a clean chain needs a kept long answer).

    Examples
    --------
    >>> from fractions import Fraction
    >>> half, none = Fraction(1, 2), Fraction(0)
    >>> full_round(Fraction(2, 3), half, Fraction(1), [none, none])[:3]
    (Fraction(2, 3), Fraction(3, 4), Fraction(1, 3))
    """
    u, stop, other, errors = _state(first_token, stop_agree, stop_disagree, chain_errors)
    choice("reward", reward, REWARDS)
    going, lost = u * (1 - stop), (1 - u) * (1 - other)
    short = (u * stop + (1 - u) * other) / 2
    if reward == "r_cot":
        right = going * _product([1 - e for e in errors])
        kept = right + short
        agreeing = right + u * stop / 2
        seen_long = right
        after = [0 * e for e in errors]
        new_stop = _ratio(u * stop / 2, agreeing, stop)
        new_other = _ratio((1 - u) * other, (1 - u) * other, other)
    else:
        factors = [1 - 2 * e for e in errors]
        whole = _product(factors)
        seen_long = (going * (1 + whole) + lost * (1 - whole)) / 2
        kept = seen_long + short
        agreeing = u * (stop + (1 - stop) * (1 + whole)) / 2
        new_stop = _ratio(u * stop, 2 * agreeing, stop)
        new_other = _ratio((1 - u) * other, (1 - u) * (other + (1 - other) * (1 - whole)), other)
        after = []
        for index, e in enumerate(errors):
            rest = _product([*factors[:index], *factors[index + 1 :], 1])
            after.append(_ratio(e * (going * (1 - rest) + lost * (1 + rest)) / 2, seen_long, e))
    if not is_symbolic(kept) and kept == 0:
        return FullRound(kept, u, stop, other, tuple(errors))
    if not is_symbolic(seen_long) and seen_long == 0:
        after = errors
    return FullRound(kept, _ratio(agreeing, kept, u), new_stop, new_other, tuple(after))


def mean_long_share(first_token: Any, stop_agree: Any, stop_disagree: Any) -> Any:
    """Probability u(1 - v+) + (1-u)(1 - v-) that a sampled answer goes on after its first token.

    Parameters
    ----------
    first_token : number
        u as sampled, in [0, 1].
    stop_agree, stop_disagree : number
        v+ and v- as sampled, in [0, 1].

    Returns
    -------
    number
        The share of long answers, right or wrong.

    Raises
    ------
    ValueError
        If an argument leaves its range.

    Notes
    -----
    Derived here: the two first tokens exclude each other.

    Examples
    --------
    >>> mean_long_share(0.75, 1 / 3, 1)
    0.5
    """
    u, stop, other, _ = _state(first_token, stop_agree, stop_disagree, [0])
    return u * (1 - stop) + (1 - u) * (1 - other)


def mean_accuracy(first_token: Any, stop_agree: Any, stop_disagree: Any, chain_errors: Any) -> Any:
    """Probability (1 + D(A - B))/2 that the last sampled token is the parity: the expected r_e2e.

    Parameters
    ----------
    first_token : number
        u as sampled, in [0, 1].
    stop_agree, stop_disagree : number
        v+ and v- as sampled, in [0, 1].
    chain_errors : sequence of number
        e_2, ..., e_d as sampled, each in [0, 1].

    Returns
    -------
    number
        The accuracy, averaged over prompts.

    Raises
    ------
    ValueError
        If an argument leaves its range.

    Notes
    -----
    Derived in the module's description.

    Examples
    --------
    >>> mean_accuracy(0.75, 0.5, 1, [0.0, 0.0])
    0.6875
    """
    by_parity = accuracy_by_parity(first_token, stop_agree, stop_disagree, chain_errors)
    return (by_parity[0] + by_parity[1]) / 2


def accuracy_by_parity(first_token: Any, stop_agree: Any, stop_disagree: Any, chain_errors: Any) -> tuple[Any, Any]:
    """Accuracy on the prompts whose parity is x_1, and on the others.

    Parameters
    ----------
    first_token : number
        u as sampled, in [0, 1].
    stop_agree, stop_disagree : number
        v+ and v- as sampled, in [0, 1].
    chain_errors : sequence of number
        e_2, ..., e_d as sampled, each in [0, 1].

    Returns
    -------
    tuple of two numbers
        s for parity = x_1 and for parity = -x_1; (u, 1 - u v+) for an exact chain with v- = 1.

    Raises
    ------
    ValueError
        If an argument leaves its range.

    Notes
    -----
    Derived here: long answers are right with the same probability on all prompts, a short one is right on the former
    prompts iff it agrees with x_1.

    Examples
    --------
    >>> accuracy_by_parity(0.75, 0.5, 1, [0.0])
    (0.75, 0.625)
    """
    u, stop, other, errors = _state(first_token, stop_agree, stop_disagree, chain_errors)
    whole = _product([1 - 2 * e for e in errors])
    long_right = (u * (1 - stop) * (1 + whole) + (1 - u) * (1 - other) * (1 - whole)) / 2
    return u * stop + long_right, (1 - u) * other + long_right


def tempered_probability(probability: Any, temperature: Any) -> Any:
    r"""Probability q^(1/tau)/(q^(1/tau) + (1-q)^(1/tau)) of a binary token sampled at temperature tau.

    Parameters
    ----------
    probability : number or array
        Probability q at temperature 1, in [0, 1].
    temperature : number or array
        tau in (0, inf), dividing the logit.

    Returns
    -------
    float or array
        The tempered probability; 0, 1/2 and 1 are fixed.

    Raises
    ------
    ValueError
        If an argument leaves its range.

    Notes
    -----
    The logistic function of logit(q)/tau.

    Examples
    --------
    >>> round(tempered_probability(0.9, 2.0), 12)
    0.75
    """
    q = real("probability", probability, 0, 1)
    tau = real("temperature", temperature, 0, open_low=True)
    if is_symbolic(q) or is_symbolic(tau):
        ratio = ((1 - q) / q) ** (1 / tau)
        return 1 / (1 + ratio)
    chance = np.asarray(q, dtype=np.float64) if isinstance(q, np.ndarray) else np.float64(float(q))
    width = np.asarray(tau, dtype=np.float64) if isinstance(tau, np.ndarray) else np.float64(float(tau))
    with np.errstate(divide="ignore", over="ignore"):
        logit = (np.log(chance) - np.log1p(-chance)) / width
    logit = np.where(chance == 0.5, 0.0, logit)
    with np.errstate(over="ignore"):
        found = np.where(
            logit >= 0, 1 / (1 + np.exp(-np.abs(logit))), np.exp(-np.abs(logit)) / (1 + np.exp(-np.abs(logit)))
        )
    return float(found) if np.ndim(found) == 0 else found


def chain_margin(token_error: Any) -> Any:
    """Margin artanh(1 - 2e) = ln((1-e)/e)/2 of a token with error e.

    Parameters
    ----------
    token_error : number or array
        e in (0, 0.5].

    Returns
    -------
    number or array
        The margin x; e = 1/(1 + exp(2x)).

    Raises
    ------
    ValueError
        If `token_error` leaves its range.

    Notes
    -----
    Half the logit of the right token.

    Examples
    --------
    >>> chain_margin(0.5)
    0.0
    """
    e = real("token_error", token_error, 0, 0.5, open_low=True)
    return log((1 - e) / e) / 2


def chain_margin_round(margin: Any, d: Any, temperature: Any = 1.0) -> Any:
    r"""Margin x/tau + artanh(tanh(x/tau)^(d-2)) of a chain token after one round under r_e2e with v- = 1.

    Parameters
    ----------
    margin : number or array
        x >= 0 of each of the d - 1 chain positions before tempering, in [0, 300].
    d : int or array of int
        Length of the prompt, an integer in [3, 100000].
    temperature : number or array
        Sampling temperature tau, in [0.01, inf).

    Returns
    -------
    float or array
        The margin of the refitted model; at most 2x/tau.

    Raises
    ------
    ValueError
        If an argument leaves its range.

    Notes
    -----
    Derived here: kept answers have an even number of wrong tokens, so the evidence for one is the parity of the others.
    Evaluated as y + artanh(t) with 1 - t = -expm1((d-2) ln tanh y), accurate for large margins.

    Examples
    --------
    >>> chain_margin_round(1.0, 3)
    2.0
    """
    x = np.asarray(real("margin", margin, 0, 300), dtype=np.float64)
    size = np.asarray(integer("d", d, 3, 100_000), dtype=np.float64)
    tau = np.asarray(real("temperature", temperature, 0.01), dtype=np.float64)
    y = x / tau
    with np.errstate(divide="ignore"):
        ln_tanh = np.log1p(-np.exp(-2 * y)) - np.log1p(np.exp(-2 * y))
        power = (size - 2) * ln_tanh
        # artanh(t) = (ln(1+t) - ln(1-t))/2; for margins so large that 1 - t underflows, 1 - t = 2(d-2) e^(-2y).
        small = -np.expm1(power)
        ln_small = np.where(small > 0, np.log(np.where(small > 0, small, 1.0)), np.log(2 * (size - 2)) - 2 * y)
        gain = np.where(
            np.exp(power) < 0.5, np.arctanh(np.minimum(np.exp(power), 0.5)), (np.log1p(np.exp(power)) - ln_small) / 2
        )
    found = y + gain
    return float(found) if found.ndim == 0 else found


def critical_token_error(d: int, temperature: float) -> float:
    r"""Token error above which sampling at temperature tau under r_e2e destroys the chain.

    Parameters
    ----------
    d : int
        Length of the prompt, an integer in [4, 100000].
    temperature : float
        tau in [1, inf); at 1 nothing is destroyed, from 2 on everything is.

    Returns
    -------
    float
        The e whose margin is the unstable fixed point of :func:`chain_margin_round`: 1/2 at tau = 1, 0 for tau >= 2
        (and where it is below the smallest double).

    Raises
    ------
    ValueError
        If an argument leaves its range.

    Notes
    -----
    Derived here. Since the gain is at most x/tau - ln(d-2)/2 for large margins, x* is about
    (ln(d-2)/2)/(2/tau - 1).

    Examples
    --------
    >>> [float(f"{critical_token_error(20, tau):.2g}") for tau in (1.1, 1.3, 1.5)]
    [0.038, 0.0049, 0.00017]
    """
    size = integer("d", d, 4, 100_000)
    tau = real("temperature", temperature, 1)
    if not isinstance(size, int) or isinstance(tau, np.ndarray) or is_symbolic(tau):
        raise ValueError(f"d and temperature must be single numbers, got {d!r} and {temperature!r}")
    tau = float(tau)
    if tau >= 2:
        return 0.0
    if tau == 1:
        return 0.5

    def change(x: float) -> float:
        return float(chain_margin_round(x, size, tau)) - x

    from scipy.optimize import brentq

    low, high = 1e-9, 1e-3
    while change(high) <= 0:
        low, high = high, 2 * high
        if high > 300:
            return 0.0
    x = brentq(change, low, high, xtol=1e-13)
    return float(1 / (1 + exp(2 * x)))
