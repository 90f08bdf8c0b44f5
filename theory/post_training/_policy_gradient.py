r"""Policy gradients on the same model: exact gradients, GRPO's weight on a prompt, and the flows they generate.

Coordinates: alpha, the weight of x_1 at position 1 (u = sigma(alpha)); z+ and z-, the stop logits after agreement and
disagreement (v+- = sigma(z+-)); m_l, the weight of y_(l-1) x_l (e_l = sigma(-m_l)). All other weights have population
gradient 0 for d >= 3. alpha and m_l each belong to one unit feature. z+ = b + a depends on two unit features, so in
gradient flow over the weights it moves at twice its partial derivative; z- = b - a likewise, without mixing.

Flows below are for an exact chain and v- = 1, with c = (1-v+)/v+ and U = u/(1-u), in units where the step size eta
multiplies the gradient.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np

from theory._math import is_symbolic, log
from theory._validate import choice, integer, real
from theory.post_training._full_round import REWARDS, _product, _state

__all__ = [
    "Flow",
    "Gradient",
    "branch_time",
    "first_token_odds_on_path",
    "flow",
    "grpo_weight",
    "length_normalised_rate",
    "natural_gradient_time",
    "policy_gradient",
    "policy_gradient_path",
    "policy_gradient_time",
    "reinforce_invariant",
    "reinforce_time",
    "reinforce_time_constant",
]

METHODS = ("reinforce", "grpo", "natural")


class Gradient(NamedTuple):
    """Partial derivatives of the expected reward.

    Attributes
    ----------
    first_token : number
        With respect to alpha.
    stop_agree, stop_disagree : number
        With respect to z+ and z-.
    chain : tuple of number
        With respect to m_l, l = 2..d.
    """

    first_token: Any
    stop_agree: Any
    stop_disagree: Any
    chain: tuple[Any, ...]


def policy_gradient(
    first_token: Any, stop_agree: Any, stop_disagree: Any, chain_errors: Any, reward: str = "r_e2e"
) -> Gradient:
    r"""Gradient of the expected reward with respect to alpha, z+, z- and m_l.

    Parameters
    ----------
    first_token : number
        u, in [0, 1].
    stop_agree, stop_disagree : number
        v+ and v-, in [0, 1].
    chain_errors : sequence of number
        e_2, ..., e_d, each in [0, 1].
    reward : {"r_cot", "r_e2e"}
        Whether whole answers or last tokens are rewarded.

    Returns
    -------
    Gradient
        Under r_cot the stop logit after agreement has the gradient u v+(1-v+)(1/2 - R): a chain that is right less than
        half of the time is shortened. Under r_e2e it is -D u v+(1-v+)/2.

    Raises
    ------
    ValueError
        If an argument leaves its range.

    Notes
    -----
    Derived here by differentiating (1 + D(A-B))/2 and A R + (u v+ + (1-u) v-)/2.

    Examples
    --------
    >>> policy_gradient(0.5, 0.5, 1, [0.0, 0.0], "r_cot").stop_agree
    -0.0625
    """
    u, stop, other, errors = _state(first_token, stop_agree, stop_disagree, chain_errors)
    going, lost = u * (1 - stop), (1 - u) * (1 - other)
    if choice("reward", reward, REWARDS) == "r_cot":
        right = _product([1 - e for e in errors])
        return Gradient(
            u * (1 - u) * ((1 - stop) * right + (stop - other) / 2),
            u * stop * (1 - stop) * (1 - 2 * right) / 2,
            (1 - u) * other * (1 - other) / 2,
            tuple(going * right * e for e in errors),
        )
    factors = [1 - 2 * e for e in errors]
    whole = _product(factors)
    rests = [_product([*factors[:i], *factors[i + 1 :], 1]) for i in range(len(factors))]
    return Gradient(
        whole * u * (1 - u) * (2 - stop - other) / 2,
        -whole * u * stop * (1 - stop) / 2,
        whole * (1 - u) * other * (1 - other) / 2,
        tuple((going - lost) * rest * e * (1 - e) for rest, e in zip(rests, errors, strict=True)),
    )


def grpo_weight(success: Any, group_size: int, normalisation: str = "population") -> Any:
    r"""Factor g_G(s) by which GRPO multiplies a prompt's policy gradient: E sqrt(k(G-k))/(G s(1-s)).

    Parameters
    ----------
    success : number or array
        Success probability s of the prompt, in [0, 1].
    group_size : int
        G answers to the prompt, an integer in [2, 10000].
    normalisation : {"population", "sample", "mean"}
        Advantages divided by the group's standard deviation with divisor G, with divisor G - 1, or only centred.

    Returns
    -------
    float or array
        1 for G = 2, tending to 1/sqrt(s(1-s)); sqrt(G-1) at s = 0 and 1. A group of equal rewards counts 0.

    Raises
    ------
    ValueError
        If an argument leaves its range.

    Notes
    -----
    Derived here: k ~ Binomial(G, s) answers are right, with advantage sqrt((G-k)/k), the others -sqrt(k/(G-k)); so the
    expected advantage is (1-s) g for a right and -s g for a wrong answer. Divisor G - 1 multiplies by sqrt((G-1)/G),
    centring alone gives (G-1)/G for every s.

    Examples
    --------
    >>> [round(grpo_weight(0.5, group), 3) for group in (2, 4, 8, 16)]
    [1.0, 1.616, 1.856, 1.934]
    """
    s = real("success", success, 0, 1)
    size = integer("group_size", group_size, 2, 10_000)
    if not isinstance(size, int):
        raise ValueError(f"group_size must be one integer in [2, 10000], got {group_size!r}")
    rule = choice("normalisation", normalisation, ("population", "sample", "mean"))
    if is_symbolic(s):
        return _symbolic_weight(s, size, rule)
    chance = np.atleast_1d(np.asarray(s if isinstance(s, np.ndarray) else float(s), dtype=np.float64))
    if rule == "mean":
        found = np.full(chance.shape, (size - 1) / size)
    else:
        k, ln_coefficient = _group(size)
        with np.errstate(divide="ignore", invalid="ignore"):
            ln_right = np.where(k - 1 == 0, 0.0, (k - 1) * np.log(chance)[..., None])
            ln_wrong = np.where(size - k - 1 == 0, 0.0, (size - k - 1) * np.log1p(-chance)[..., None])
        found = np.exp(ln_coefficient + ln_right + ln_wrong).sum(axis=-1)
        if rule == "sample":
            found = found * math.sqrt((size - 1) / size)
    return found if isinstance(s, np.ndarray) else float(found[0])


@lru_cache(maxsize=64)
def _group(size: int) -> tuple[np.ndarray, np.ndarray]:
    """k = 1..G-1 and ln of C(G, k) sqrt(k(G-k))/G."""
    from scipy.special import gammaln

    k = np.arange(1.0, size)
    ln_binomial = gammaln(size + 1.0) - gammaln(k + 1) - gammaln(size - k + 1)
    return k, ln_binomial + 0.5 * (np.log(k) + np.log(size - k)) - math.log(size)


def _symbolic_weight(s: Any, size: int, rule: str) -> Any:
    import sympy

    if rule == "mean":
        return sympy.Rational(size - 1, size)
    total = sum(
        sympy.binomial(size, k) * s ** (k - 1) * (1 - s) ** (size - k - 1) * sympy.sqrt(k * (size - k))
        for k in range(1, size)
    )
    return total / size * (sympy.sqrt(sympy.Rational(size - 1, size)) if rule == "sample" else 1)


class Flow(NamedTuple):
    """Speeds under gradient flow with step size 1.

    Attributes
    ----------
    first_token : number
        d alpha/dt.
    go_on : number
        d ln c/dt.
    """

    first_token: Any
    go_on: Any


def _method(method: Any, group_size: Any) -> tuple[str, int | None]:
    name = choice("method", method, METHODS)
    if group_size is None:
        return name, None
    size = integer("group_size", group_size, 2, 10_000)
    if not isinstance(size, int):
        raise ValueError(f"group_size must be one integer in [2, 10000] or None, got {group_size!r}")
    return name, size


def _weight(size: int | None) -> Callable[[Any], Any]:
    if size is None:
        return lambda s: 1 / (s * (1 - s)) ** 0.5
    return lambda s: grpo_weight(s, size)


def flow(first_token: Any, stop_agree: Any, method: str = "reinforce", group_size: int | None = None) -> Flow:
    r"""Speeds of alpha and ln c for an exact chain and v- = 1.

    Parameters
    ----------
    first_token : number or array
        u, in (0, 1).
    stop_agree : number or array
        v+, in (0, 1).
    method : {"reinforce", "grpo", "natural"}
        Plain policy gradient (with any baseline that depends on the prompt alone), GRPO, or natural gradient.
    group_size : int, optional
        G in [2, 10000] for GRPO; None is the limit of large groups. The other methods do not read it.

    Returns
    -------
    Flow
        alpha' = (1/2) u(1-u) [g(u) - v g(1-uv)] and (ln c)' = u v(1-v) g(1-uv), g = 1 for REINFORCE;
        ((1-v)/2, 1/2) for the natural gradient.

    Raises
    ------
    ValueError
        If an argument leaves its range.

    Notes
    -----
    Derived here: s = u on prompts of parity x_1 and 1 - uv on the others, each half of all.

    Examples
    --------
    >>> flow(0.5, 0.5)
    Flow(first_token=0.0625, go_on=0.125)
    """
    u = real("first_token", first_token, 0, 1, open_low=True, open_high=True)
    v = real("stop_agree", stop_agree, 0, 1, open_low=True, open_high=True)
    name, size = _method(method, group_size)
    if name == "natural":
        return Flow((1 - v) / 2, 0 * v + like_half(v))
    if name == "reinforce":
        return Flow(u * (1 - u) * (1 - v) / 2, u * v * (1 - v))
    g = _weight(size)
    other = g(1 - u * v)
    return Flow(u * (1 - u) * (g(u) - v * other) / 2, u * v * (1 - v) * other)


def like_half(value: Any) -> Any:
    """One half in the arithmetic of `value`."""
    if is_symbolic(value):
        import sympy

        return sympy.Rational(1, 2)
    return type(value)(1) / 2 if type(value).__name__ == "Fraction" else 0.5


def length_normalised_rate(d: Any, baseline: Any = 0.0) -> Any:
    r"""Speed of REINFORCE when each answer's loss is divided by its tokens, relative to the plain one.

    Parameters
    ----------
    d : int or array of int
        Length of the prompt, an integer in [2, 100000].
    baseline : number or array, optional
        b in [0, 1], subtracted from every reward.

    Returns
    -------
    number or array
        2(1-b)/(d+1) - (1-2b)/2: negative for b = 0 and d > 3 (the long route is suppressed), 1/(d+1) for b = 1/2. Both
        alpha and ln c move at this multiple of their plain speed.

    Raises
    ------
    ValueError
        If an argument leaves its range.

    Notes
    -----
    Derived here for an exact chain and v- = 1: weights 1/2 on short and 1/(d+1) on long answers, EOS counted; the
    weight of a response makes the baseline matter. With equal weights w the rate is w for every b.

    Examples
    --------
    >>> length_normalised_rate(3), length_normalised_rate(9, 0.5)
    (0.0, 0.1)
    """
    d = integer("d", d, 2, 100_000)
    b = real("baseline", baseline, 0, 1)
    return 2 * (1 - b) / (d + 1) - (1 - 2 * b) / 2


def reinforce_invariant(first_token_odds: Any, go_on_odds: Any) -> Any:
    r"""Quantity ln U + 1 + U - (ln c + c)/2 that REINFORCE conserves.

    Parameters
    ----------
    first_token_odds : number or array
        U = u/(1-u), in (0, inf).
    go_on_odds : number or array
        c = (1-v+)/v+, in (0, inf).

    Returns
    -------
    number or array
        Constant along the flow; 1/(1-u) = 1 + U.

    Raises
    ------
    ValueError
        If an argument leaves its range.

    Notes
    -----
    Derived here: both halves change at the speed u(1-v)/2.

    Examples
    --------
    >>> reinforce_invariant(1.0, 1.0)
    1.5
    """
    big = real("first_token_odds", first_token_odds, 0, open_low=True)
    c = real("go_on_odds", go_on_odds, 0, open_low=True)
    return log(big) + 1 + big - (log(c) + c) / 2


def _start(p_0: Any) -> tuple[float, float]:
    p = real("p_0", p_0, 0, 1, open_low=True, open_high=True)
    if isinstance(p, np.ndarray) or is_symbolic(p):
        raise ValueError(f"p_0 must be one number in (0, 1), got {p_0!r}")
    p = float(p)
    if p < 1e-12:
        raise ValueError(f"p_0 must be at least 1e-12 here, got {p_0!r}")
    return 2 * p / (1 - p), (1 + p) / (1 - p)


def _omega(y: Any) -> Any:
    """The U with ln U + U = y."""
    from scipy.special import wrightomega

    return np.real(wrightomega(y))


def first_token_odds_on_path(go_on_odds: Any, p_0: Any) -> Any:
    r"""U where REINFORCE, started at calibration, reaches odds c of going on.

    Parameters
    ----------
    go_on_odds : number or array
        c, in (0, inf).
    p_0 : number
        Share of long answers at the start, in (0, 1), at least 1e-12.

    Returns
    -------
    float or array
        The U with ln U + U = ln U_0 + U_0 + (ln c + c - ln c_0 - c_0)/2, U_0 = 1 + c_0, c_0 = 2 p_0/(1-p_0).

    Raises
    ------
    ValueError
        If an argument leaves its range.

    Notes
    -----
    From :func:`reinforce_invariant`, through Wright's omega function.

    Examples
    --------
    >>> odds = first_token_odds_on_path(1.0, 0.1)
    >>> round(odds / (1 + odds), 2)
    0.66
    """
    c = real("go_on_odds", go_on_odds, 0, open_low=True)
    c0, big = _start(p_0)
    if not isinstance(c, np.ndarray):
        c = float(c)
    y = math.log(big) + big + (log(c) + c - math.log(c0) - c0) / 2
    found = _omega(y)
    return found if isinstance(found, np.ndarray) else float(found)


def reinforce_time(p_0: Any, eta: Any = 1.0) -> float:
    r"""Time of REINFORCE from calibration until greedy decoding goes on: integral of (1+c)^2/(eta u c^2) dc.

    Parameters
    ----------
    p_0 : number
        Share of long answers at the start, in (0, 1), at least 1e-12.
    eta : number, optional
        Step size, in (0, inf).

    Returns
    -------
    float
        From c_0 = 2p_0/(1-p_0) to c = 1; about 0.9076/(eta p_0) for small p_0, and 0 for p_0 >= 1/3.

    Raises
    ------
    ValueError
        If an argument leaves its range.

    Notes
    -----
    Derived here, by quadrature in ln c along :func:`first_token_odds_on_path`.

    Examples
    --------
    >>> round(reinforce_time(0.1) * 0.1, 3)
    1.223
    """
    step = real("eta", eta, 0, open_low=True)
    c0, _ = _start(p_0)
    if isinstance(step, np.ndarray) or is_symbolic(step):
        raise ValueError(f"eta must be one number, got {eta!r}")
    if 3 * float(p_0) >= 1:
        return 0.0
    from scipy.integrate import quad

    def speed(ratio: float) -> float:
        """dt/d ln c, times c_0, which keeps the integral of order 1."""
        c = c0 * math.exp(ratio)
        big = first_token_odds_on_path(c, p_0)
        return float((1 + c) ** 2 * (1 + big) / big * math.exp(-ratio))

    end = -math.log(c0)
    inner = min(end, 12.0)
    value = quad(speed, 0.0, inner, epsabs=0, epsrel=1e-11, limit=400)[0]
    if end > inner:
        value += quad(speed, inner, end, epsabs=1e-14, epsrel=1e-9, limit=400)[0]
    return float(value / c0 / float(step))


def reinforce_time_constant() -> float:
    r"""Limit 0.9076 of eta p_0 T as p_0 -> 0, T the time of REINFORCE from calibration to c = 1.

    Returns
    -------
    float
        (1/2) integral from 1 to infinity of dr/(u r^2), where ln U + U = 1 + (ln r)/2.

    Notes
    -----
    Derived here from :func:`reinforce_time` with c = c_0 r, c_0 = 2 p_0.

    Examples
    --------
    >>> round(reinforce_time_constant(), 4)
    0.9076
    """
    from scipy.integrate import quad

    def integrand(x: float) -> float:
        big = float(_omega(1 + x / 2))
        return (1 + big) / big * math.exp(-x)

    return float(quad(integrand, 0, 60, epsabs=0, epsrel=1e-12, limit=200)[0] / 2)


def policy_gradient_path(
    p_0: Any, go_on_odds: Any, method: str = "reinforce", group_size: int | None = None
) -> tuple[float, float]:
    r"""First-token odds U and time (step size 1) at which a flow from calibration reaches odds c of going on.

    Parameters
    ----------
    p_0 : number
        Share of long answers at the start, in (0, 1), at least 1e-12.
    go_on_odds : number
        c, at least c_0 = 2 p_0/(1-p_0), in (0, 1000000].
    method : {"reinforce", "grpo", "natural"}
        As in :func:`flow`.
    group_size : int, optional
        G in [2, 10000] for GRPO; None is the limit of large groups.

    Returns
    -------
    tuple of two floats
        U and the time.

    Raises
    ------
    ValueError
        If an argument leaves its range.

    Notes
    -----
    Derived here: the flow divided by d ln c/dt is a system in ln c, integrated to a relative error of 1e-9.

    Examples
    --------
    >>> odds, time = policy_gradient_path(0.1, 1.0, "natural")
    >>> round(odds, 6), round(time, 4)
    (2.0, 3.0082)
    """
    target = real("go_on_odds", go_on_odds, 0, 1e6, open_low=True)
    c0, big = _start(p_0)
    name, size = _method(method, group_size)
    if isinstance(target, np.ndarray) or is_symbolic(target) or float(target) < c0:
        raise ValueError(f"go_on_odds must be one number of at least {c0}, got {go_on_odds!r}")
    from scipy.integrate import solve_ivp

    def right_hand_side(ln_c: float, state: np.ndarray) -> list[float]:
        u = 1 / (1 + math.exp(-state[0]))
        speeds = flow(u, 1 / (1 + math.exp(ln_c)), name, size)
        return [speeds.first_token / speeds.go_on, 1 / speeds.go_on]

    span = (math.log(c0), math.log(float(target)))
    if span[1] <= span[0]:
        return big, 0.0
    # The time is of order 1/p_0: its tolerance is relative.
    found = solve_ivp(
        right_hand_side, span, [math.log(big), 0.0], method="DOP853", rtol=1e-10, atol=[1e-12, 1e-12 / c0]
    )
    return float(math.exp(found.y[0, -1])), float(found.y[1, -1])


def policy_gradient_time(p_0: Any, eta: Any = 1.0, method: str = "reinforce", group_size: int | None = None) -> float:
    r"""Time until greedy decoding goes on (c = 1) for REINFORCE, GRPO or the natural gradient, from calibration.

    Parameters
    ----------
    p_0 : number
        Share of long answers at the start, in (0, 1), at least 1e-12.
    eta : number, optional
        Step size, in (0, inf).
    method : {"reinforce", "grpo", "natural"}
        As in :func:`flow`.
    group_size : int, optional
        G in [2, 10000] for GRPO; None is the limit of large groups.

    Returns
    -------
    float
        Of order 1/(eta p_0) for REINFORCE and GRPO, (2/eta) ln(1/c_0) for the natural gradient; 0 for p_0 >= 1/3.

    Raises
    ------
    ValueError
        If an argument leaves its range.

    Notes
    -----
    Derived here; GRPO is faster by about g_G(1/2), since success is near 1/2 at the start.

    Examples
    --------
    >>> round(policy_gradient_time(0.05, method="grpo", group_size=4) * 0.05, 3)
    0.739
    """
    step = real("eta", eta, 0, open_low=True)
    if isinstance(step, np.ndarray) or is_symbolic(step):
        raise ValueError(f"eta must be one number, got {eta!r}")
    _start(p_0)
    name, size = _method(method, group_size)
    if 3 * float(p_0) >= 1:
        return 0.0
    if name == "reinforce":
        return reinforce_time(p_0, step)
    if name == "natural":
        return float(natural_gradient_time(p_0, step))
    return policy_gradient_path(p_0, 1.0, name, size)[1] / float(step)


def natural_gradient_time(p_0: Any, eta: Any = 1.0) -> Any:
    r"""Time (2/eta) ln((1-p_0)/(2 p_0)) of the natural gradient from calibration to c = 1.

    Parameters
    ----------
    p_0 : number or array
        Share of long answers at the start, in (0, 1).
    eta : number or array, optional
        Step size, in (0, inf).

    Returns
    -------
    number or array
        0 for p_0 >= 1/3. The path is that of filtering by reward, U = 1 + c.

    Raises
    ------
    ValueError
        If an argument leaves its range.

    Notes
    -----
    Derived here: (ln c)' = eta/2 and alpha' = eta (1-v)/2, and d ln(1+c) = (1-v) d ln c.

    Examples
    --------
    >>> round(natural_gradient_time(0.1), 4)
    3.0082
    """
    p = real("p_0", p_0, 0, 1, open_low=True, open_high=True)
    step = real("eta", eta, 0, open_low=True)
    time = 2 * (log(1 - p) - log(2) - log(p)) / step
    if isinstance(time, np.ndarray):
        return np.maximum(time, 0.0)
    return time if is_symbolic(time) or time > 0 else 0 * time


def branch_time(p_start: Any, p_end: Any, eta: Any = 1.0) -> Any:
    r"""Time of REINFORCE on the one-parameter picture p = sigma(theta), p' = (eta/2) p^2 (1-p)^2, between two shares.

    Parameters
    ----------
    p_start, p_end : number or array
        Shares, each in (0, 1).
    eta : number or array, optional
        Step size, in (0, inf).

    Returns
    -------
    number or array
        (2/eta) [1/(1-p) - 1/p + 2 ln(p/(1-p))] between the limits; 2/(eta p_start) to leading order, 2.2 times the
        time in the model's own geometry.

    Raises
    ------
    ValueError
        If an argument leaves its range.

    Notes
    -----
    Derived here: J = (1+p)/2 and p = sigma(theta) give theta' = eta p(1-p)/2.

    Examples
    --------
    >>> branch_time(0.25, 0.25)
    0.0
    """
    low = real("p_start", p_start, 0, 1, open_low=True, open_high=True)
    high = real("p_end", p_end, 0, 1, open_low=True, open_high=True)
    step = real("eta", eta, 0, open_low=True)

    def antiderivative(p: Any) -> Any:
        return 1 / (1 - p) - 1 / p + 2 * (log(p) - log(1 - p))

    return 2 * (antiderivative(high) - antiderivative(low)) / step
