r"""What a round's training makes of the kept answers: the ridge optimum, its spread at finite samples, and memory.

A round that kept answers with the conditionals u, v+, v-, e_l trains each position on a convex loss. At d >= 3 the
full-feature minimiser lies on the relevant features alone: every other feature is a character of the prompt that
filtering leaves uncorrelated with the target. Hence one equation a logit, with P+ = u and P- = 1 - u,

.. math:: \lambda w = u - \sigma(w),\quad \tfrac{\lambda}{2} z_\pm = P_\pm (v_\pm - \sigma(z_\pm)),\quad
    \lambda m_l = (1-e_l) - \sigma(m_l).

Averaged stochastic gradient descent leaves the optimum plus a normal deviation of variance S F(h/lambda)/(h^2 T), S the
variance of the stochastic gradient, h the curvature, F the factor of the averaging.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np

from theory._math import is_symbolic
from theory._validate import integer, real
from theory.linear_model import averaging_factor
from theory.post_training._full_round import FullRound, _state, full_round, tempered_probability

__all__ = [
    "RefitSpread",
    "memory",
    "refit_overshoot",
    "refit_spread",
    "retrained_error",
    "ridge_refit",
    "trained_round",
]


def _sigma(z: float) -> float:
    return 1 / (1 + math.exp(-z)) if z >= 0 else math.exp(z) / (1 + math.exp(z))


def _root(share: float, ridge: float) -> float:
    """The z with ridge z = share - sigma(z), by Newton's method inside a shrinking bracket."""
    low, high = (-1.0 / ridge, 0.0) if share < 0.5 else (0.0, 1.0 / ridge)
    z = 0.0
    for _ in range(200):
        s = _sigma(z)
        # For large |z| the difference of probabilities is taken between the small ones.
        residual = (share - s if z < 0 else _sigma(-z) - (1 - share)) - ridge * z
        if residual > 0:
            low = z
        else:
            high = z
        step = z + residual / (s * (1 - s) + ridge)
        new = step if low < step < high else 0.5 * (low + high)
        if new == z or high - low < 1e-15 * (1 + abs(z)):
            break
        z = new
    return z


def _number(name: str, value: Any, low: float, high: float = math.inf, open_low: bool = False) -> float:
    found = real(name, value, low, high, open_low=open_low)
    if isinstance(found, np.ndarray) or is_symbolic(found):
        raise ValueError(f"{name} must be one number, got {value!r}")
    return float(found)


def _logits(state: Any, ridges: tuple[Any, Any, Any]) -> tuple[float, float, float, list[float]]:
    u, agree, disagree, errors = _state(*state)
    shares = [float(v) for v in (u, agree, disagree)]
    first, stop, chain = (
        _number(name, value, 1e-12, 1e12) for name, value in zip(("first", "stop", "chain"), ridges, strict=True)
    )
    # A first token that never (dis)agrees leaves z+ (z-) at 0, where the ridge holds it.
    plus = _root(shares[1], stop / (2 * shares[0])) if shares[0] > 0 else 0.0
    minus = _root(shares[2], stop / (2 * (1 - shares[0]))) if shares[0] < 1 else 0.0
    return _root(shares[0], first), plus, minus, [_root(1 - float(e), chain) for e in errors]


def ridge_refit(
    first_token: Any,
    stop_agree: Any,
    stop_disagree: Any,
    chain_errors: Any,
    *,
    ridge_first: Any,
    ridge_stop: Any,
    ridge_chain: Any,
) -> FullRound:
    r"""State of the linear model at the minimiser of the ridge losses on answers with the given conditionals.

    Parameters
    ----------
    first_token : number
        u among the kept answers, in [0, 1].
    stop_agree, stop_disagree : number
        v+ and v- among them, in [0, 1].
    chain_errors : sequence of number
        e_2, ..., e_d among the long ones, each in [0, 1]; d >= 3 for the linear model.
    ridge_first, ridge_stop, ridge_chain : number
        lambda of position 1, of the stop position and of every position l >= 2, in [1e-12, 1e12].

    Returns
    -------
    FullRound
        Probabilities of the refitted model; ``kept`` is 1.

    Raises
    ------
    ValueError
        If an argument leaves its range.

    Notes
    -----
    Derived in the module's description; the full-feature minimiser is checked by enumeration. With
    :func:`full_round` it gives a whole round of training on many answers.

    Examples
    --------
    >>> state = ridge_refit(2 / 3, 0.5, 1, [0, 0], ridge_first=0.05, ridge_stop=0.05, ridge_chain=1e-3)
    >>> [round(q, 4) for q in state[1:4]], round(state.chain_errors[0], 5)
    ([0.6383, 0.5, 0.8624], 0.00525)
    """
    w, plus, minus, margins = _logits(
        (first_token, stop_agree, stop_disagree, chain_errors), (ridge_first, ridge_stop, ridge_chain)
    )
    return FullRound(1.0, _sigma(w), _sigma(plus), _sigma(minus), tuple(_sigma(-m) for m in margins))


class RefitSpread(NamedTuple):
    """Standard deviations of averaged logits around the ridge optimum, in the relevant directions.

    Attributes
    ----------
    first_token, stop_agree, stop_disagree : float
        Of w, z+ and z-.
    chain : tuple of float
        Of m_l, l = 2..d.
    """

    first_token: float
    stop_agree: float
    stop_disagree: float
    chain: tuple[float, ...]


def _spread(h: float, gradient_variance: float, ridge: float, n: float) -> float:
    factor = float(averaging_factor(h / ridge))
    return math.sqrt(max(gradient_variance, 0.0) * factor / n) / h


def refit_spread(
    first_token: Any,
    stop_agree: Any,
    stop_disagree: Any,
    chain_errors: Any,
    n_kept: Any,
    n_long: Any,
    *,
    ridge_first: Any,
    ridge_stop: Any,
    ridge_chain: Any,
) -> RefitSpread:
    r"""Standard deviations that averaged stochastic gradient descent leaves around :func:`ridge_refit`.

    Parameters
    ----------
    first_token : number
        u among the kept answers, in (0, 1).
    stop_agree, stop_disagree : number
        v+ and v- among them, in [0, 1].
    chain_errors : sequence of number
        e_2, ..., e_d among the long ones, each in [0, 1].
    n_kept, n_long : number
        Kept answers, and long ones among them, each in [1, inf).
    ridge_first, ridge_stop, ridge_chain : number
        lambda of the positions, in [1e-12, 1e12].

    Returns
    -------
    RefitSpread
        Leading order for n >> 1/lambda^2.

    Raises
    ------
    ValueError
        If an argument leaves its range.

    Notes
    -----
    Derived here as for demonstrations: variance S F(h/lambda)/(h^2 T). z+ is sqrt(2) times the weight of the unit
    direction (bias + y_1 x_1)/sqrt(2), for which h = 2 P+ sigma'(z+) and
    S = 2 P+ [v+ sigma(-z+)^2 + (1-v+) sigma(z+)^2] - (lambda z+)^2/2; w and m_l have unit features.

    Examples
    --------
    >>> found = refit_spread(2 / 3, 0.5, 1, [0.1], 10_000, 3000, ridge_first=0.05, ridge_stop=0.05, ridge_chain=0.02)
    >>> round(found.stop_agree, 4), round(found.chain[0], 3)
    (0.022, 0.041)
    """
    ridges = (ridge_first, ridge_stop, ridge_chain)
    u, agree, disagree, errors = _state(first_token, stop_agree, stop_disagree, chain_errors)
    kept, long = _number("n_kept", n_kept, 1), _number("n_long", n_long, 1)
    if not 0 < float(u) < 1:
        raise ValueError(f"first_token must be one number in (0, 1), got {first_token!r}")
    w, plus, minus, margins = _logits((u, agree, disagree, errors), ridges)
    lam_first, lam_stop, lam_chain = (float(r) for r in ridges)

    def unit(share: float, logit: float, lam: float, n: float) -> float:
        s = _sigma(logit)
        noise = share * (1 - s) ** 2 + (1 - share) * s**2 - (lam * logit) ** 2
        return _spread(s * (1 - s), noise, lam, n)

    def paired(mass: float, share: float, logit: float) -> float:
        s = _sigma(logit)
        noise = 2 * mass * (share * (1 - s) ** 2 + (1 - share) * s**2) - (lam_stop * logit) ** 2 / 2
        return math.sqrt(2) * _spread(2 * mass * s * (1 - s), noise, lam_stop, kept)

    return RefitSpread(
        unit(float(u), w, lam_first, kept),
        paired(float(u), float(agree), plus),
        paired(1 - float(u), float(disagree), minus),
        tuple(unit(1 - float(e), m, lam_chain, long) for e, m in zip(errors, margins, strict=True)),
    )


def refit_overshoot(
    first_token: Any,
    stop_agree: Any,
    stop_disagree: Any,
    chain_errors: Any,
    n_kept: Any,
    n_long: Any,
    *,
    ridge_first: Any,
    ridge_stop: Any,
    ridge_chain: Any,
) -> RefitSpread:
    r"""Mean distance (kappa/2) tanh(z/2) (ln T)/T by which averaged logits pass :func:`ridge_refit`, signed.

    Parameters
    ----------
    first_token : number
        u among the kept answers, in (0, 1).
    stop_agree, stop_disagree : number
        v+ and v- among them, in [0, 1].
    chain_errors : sequence of number
        e_2, ..., e_d among the long ones, each in [0, 1].
    n_kept, n_long : number
        Kept answers, and long ones among them, each in [1, inf).
    ridge_first, ridge_stop, ridge_chain : number
        lambda of the positions, in [1e-12, 1e12].

    Returns
    -------
    RefitSpread
        To be added to the logits; of order d (ln T)/T.

    Raises
    ------
    ValueError
        If an argument leaves its range.

    Notes
    -----
    Derived here as for demonstrations: kappa/t is the variance of the logit of iterate t, a sum of S/(lambda (2h +
    lambda)) over the features that act: d at position 1; twice two directions and 2(d-1) idle features at the stop
    position; 2d + l - 1 at position l.

    Examples
    --------
    >>> ridges = {"ridge_first": 0.1, "ridge_stop": 0.1, "ridge_chain": 0.1}
    >>> found = refit_overshoot(2 / 3, 0.5, 1, [0.1] * 4, 10_000, 3000, **ridges)
    >>> round(found.stop_disagree, 4), round(found.chain[0], 4)
    (0.0081, 0.0188)
    """
    u, agree, disagree, errors = _state(first_token, stop_agree, stop_disagree, chain_errors)
    kept, long = _number("n_kept", n_kept, 1), _number("n_long", n_long, 1)
    if not 0 < float(u) < 1:
        raise ValueError(f"first_token must be one number in (0, 1), got {first_token!r}")
    w, plus, minus, margins = _logits((u, agree, disagree, errors), (ridge_first, ridge_stop, ridge_chain))
    lam_first, lam_stop, lam_chain = float(ridge_first), float(ridge_stop), float(ridge_chain)
    d = len(errors) + 1

    def noise(share: float, logit: float) -> float:
        return share * _sigma(-logit) ** 2 + (1 - share) * _sigma(logit) ** 2

    def bend(logit: float) -> float:
        return _sigma(logit) * _sigma(-logit)

    def passed(kappa: float, logit: float, n: float) -> float:
        return kappa / 2 * math.tanh(logit / 2) * math.log(n) / n

    p = (float(u), 1 - float(u))
    h = [mass * bend(z) for mass, z in zip(p, (plus, minus), strict=True)]
    s = [mass * noise(float(v), z) for mass, v, z in zip(p, (agree, disagree), (plus, minus), strict=True)]
    idle = 2 * (d - 1) * sum(s) / (lam_stop * (2 * sum(h) + lam_stop))
    stops = [
        passed(idle + (4 * 2 * s_own - (lam_stop * z) ** 2) / (lam_stop * (4 * h_own + lam_stop)), z, kept)
        for s_own, h_own, z in zip(s, h, (plus, minus), strict=True)
    ]
    first = (d * noise(float(u), w) - (lam_first * w) ** 2) / (lam_first * (2 * bend(w) + lam_first))
    chain = [
        passed(
            ((2 * d + l - 1) * noise(1 - float(e), m) - (lam_chain * m) ** 2) / (lam_chain * (2 * bend(m) + lam_chain)),
            m,
            long,
        )
        for l, (e, m) in enumerate(zip(errors, margins, strict=True), start=2)  # noqa: E741
    ]
    return RefitSpread(passed(first, w, kept), stops[0], stops[1], tuple(chain))


def memory(clock: Any, n_steps: Any, curvature: Any, ridge: Any) -> float:
    r"""Share of the old deviation that a round's average keeps: mean over t of prod_{s <= t} (1 - (h/lambda + 1)/s).

    Parameters
    ----------
    clock : int
        t_0 at which the round starts, an integer in [1, 1000000000]; steps have the size 1/(lambda t), t > t_0.
    n_steps : int
        T steps of the round, an integer in [1, 10000000].
    curvature : number
        h, the curvature of the loss without ridge, in (0, inf).
    ridge : number
        lambda, in (0, inf).

    Returns
    -------
    float
        Near 1 for a clock far beyond the steps, about t_0/((h/lambda) T) where T >> t_0.

    Raises
    ------
    ValueError
        If an argument leaves its range, or first steps so long that the deviation overflows.

    Notes
    -----
    Derived here: on a quadratic loss a step takes the deviation x of the iterate from the optimum to
    x (1 - (h + lambda)/(lambda s)), s = t_0 + 1, t_0 + 2, ..., and the round's model averages the iterates
    x^(t_0+1), ..., x^(t_0+T). Training from zero is the clock 0: the first step then has size 1/lambda and the old
    model is not read.

    Examples
    --------
    >>> round(memory(1000, 1000, 0.2, 0.05), 3), round(memory(10**6, 10, 0.2, 0.05), 3)
    (0.234, 1.0)
    """
    start, many = integer("clock", clock, 1, 10**9), integer("n_steps", n_steps, 1, 10**7)
    if not (isinstance(start, int) and isinstance(many, int)):
        raise ValueError(f"clock and n_steps must be single integers, got {clock!r} and {n_steps!r}")
    h, lam = _number("curvature", curvature, 0, open_low=True), _number("ridge", ridge, 0, open_low=True)
    s = start + np.arange(1.0, many)
    with np.errstate(over="ignore", invalid="ignore"):
        share = (1 + np.cumprod(1 - (h / lam + 1) / s).sum()) / many
    if not math.isfinite(share):
        raise ValueError(f"curvature must be smaller for ridge = {ridge!r} and clock = {clock!r}, got {curvature!r}")
    return float(share)


def trained_round(
    first_token: Any,
    stop_agree: Any,
    stop_disagree: Any,
    chain_errors: Any,
    reward: str = "r_cot",
    temperature: Any = 1.0,
    *,
    ridge_first: Any,
    ridge_stop: Any,
    ridge_chain: Any,
) -> FullRound:
    r"""State after a round at a temperature, filtered by the reward and trained on many answers from zero.

    Parameters
    ----------
    first_token : number
        u at temperature 1, in [0, 1].
    stop_agree, stop_disagree : number
        v+ and v- at temperature 1, in [0, 1].
    chain_errors : sequence of number
        e_2, ..., e_d at temperature 1, each in [0, 1].
    reward : {"r_cot", "r_e2e"}
        Whether whole answers or last tokens are checked.
    temperature : number, optional
        tau of the sampling, in (0, inf).
    ridge_first, ridge_stop, ridge_chain : number
        lambda of the positions, in [1e-12, 1e12].

    Returns
    -------
    FullRound
        ``kept`` is the probability that a drawn answer is rewarded.

    Raises
    ------
    ValueError
        If an argument leaves its range.

    Notes
    -----
    :func:`tempered_probability`, then :func:`full_round`, then :func:`ridge_refit`: the limit of many answers, T much
    larger than 1/lambda^2 at every position.

    Examples
    --------
    >>> ridges = {"ridge_first": 0.05, "ridge_stop": 0.05, "ridge_chain": 0.01}
    >>> state = trained_round(0.65, 0.54, 1, [0.01] * 4, "r_e2e", 1.6, **ridges)
    >>> round(state.chain_errors[0], 2)
    0.04
    """
    u, agree, disagree, errors = _state(first_token, stop_agree, stop_disagree, chain_errors)
    tau = _number("temperature", temperature, 0, open_low=True)
    hot = [float(tempered_probability(q, tau)) for q in (u, agree, disagree)]
    kept = full_round(hot[0], hot[1], hot[2], [float(tempered_probability(e, tau)) for e in errors], reward)
    after = ridge_refit(*kept[1:], ridge_first=ridge_first, ridge_stop=ridge_stop, ridge_chain=ridge_chain)
    return after._replace(kept=kept.kept)


def retrained_error(token_error: Any, independent: bool, calibrated: bool) -> Any:
    """Token error of a student trained on many answers of a teacher, nothing filtered.

    Parameters
    ----------
    token_error : number or array
        e of the teacher, in [0, 0.5).
    independent : bool
        Whether its wrong tokens fall independently of the prompt; else they are the signs of a linear predictor.
    calibrated : bool
        Whether the student reaches the minimiser of its loss (T much larger than 1/lambda^2); else it is trained far
        beyond calibration, towards the signs alone.

    Returns
    -------
    number or array
        e, except 0 for independent errors and a student that sharpens: it follows the majority, which is right.

    Raises
    ------
    ValueError
        If an argument leaves its range.

    Notes
    -----
    Derived here. Signs of a linear predictor can be learned by a linear predictor, so they are copied whatever the
    training; independent errors cannot, and the minimiser answers them with the logit ln((1-e)/e) on the right token.

    Examples
    --------
    >>> retrained_error(0.1, True, False), retrained_error(0.1, False, False)
    (0.0, 0.1)
    """
    e = real("token_error", token_error, 0, 0.5, open_high=True)
    for name, value in (("independent", independent), ("calibrated", calibrated)):
        if not isinstance(value, (bool, np.bool_)):
            raise ValueError(f"{name} must be True or False, got {value!r}")
    return 0 * e if independent and not calibrated else e
