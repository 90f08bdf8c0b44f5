r"""What a practitioner may turn: temperature, length penalty, verifier, demonstrations, leaps, prompt pool.

Notation: c = (1-v)/v, the odds of going on after a first token that agrees with x_1; greedy decoding goes on iff
c >= 1, and c = 2o at calibration. U = u/(1-u). Sampling at temperature tau takes c and U to the power 1/tau; the
reward then multiplies the odds of going on by a factor of its own. Factors compose.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np

from theory._math import exp, is_symbolic, log
from theory._validate import choice, integer, real
from theory.post_training._rounds import shrink

__all__ = [
    "Demonstrations",
    "TemperedFixedPoint",
    "critical_length_penalty",
    "go_on_factor",
    "go_on_round",
    "guessing_greedy_accuracy",
    "guessing_long_threshold",
    "guessing_success_threshold",
    "leap_linear_threshold",
    "memorised_long_odds",
    "noisy_demonstration_factor",
    "noisy_demonstration_threshold",
    "noisy_demonstrations",
    "pool_long_odds",
    "tempered_first_token_round",
    "tempered_fixed_point",
    "tempered_rounds_to_generalise",
    "verifier_factor",
    "wrong_share_of_kept_short",
]


def verifier_factor(false_negative: Any, false_positive: Any) -> Any:
    r"""Factor 2(1-mu)/(1-mu+nu) on the odds of long answers when the verifier errs.

    Parameters
    ----------
    false_negative : number or array
        mu, probability that a right answer is rejected, in [0, 1).
    false_positive : number or array
        nu, probability that a wrong answer is accepted, in [0, 1].

    Returns
    -------
    number or array
        The factor; above 1 iff 1 - mu > nu.

    Raises
    ------
    ValueError
        If an argument leaves its range.

    Notes
    -----
    Derived here: long answers are kept with probability 1 - mu, short ones with (1 - mu + nu)/2.

    Examples
    --------
    >>> verifier_factor(0.0, 0.0), verifier_factor(0.25, 0.75)
    (2.0, 1.0)
    """
    mu = real("false_negative", false_negative, 0, 1, open_high=True)
    nu = real("false_positive", false_positive, 0, 1)
    return 2 * (1 - mu) / (1 - mu + nu)


def wrong_share_of_kept_short(false_negative: Any, false_positive: Any) -> Any:
    """Probability nu/(1-mu+nu) that a kept short answer is wrong.

    Parameters
    ----------
    false_negative : number or array
        mu in [0, 1).
    false_positive : number or array
        nu in [0, 1].

    Returns
    -------
    number or array
        The share; kept data is then no longer a D(q), which a linear predictor cannot tell.

    Raises
    ------
    ValueError
        If an argument leaves its range.

    Notes
    -----
    Bayes' rule with right and wrong short answers equally frequent.

    Examples
    --------
    >>> wrong_share_of_kept_short(0.0, 0.25)
    0.2
    """
    mu = real("false_negative", false_negative, 0, 1, open_high=True)
    nu = real("false_positive", false_positive, 0, 1)
    return nu / (1 - mu + nu)


def critical_length_penalty(d: Any) -> Any:
    """Length penalty beta* = ln 2/(d-1) at which long answers stop gaining.

    Parameters
    ----------
    d : int, array of int or sympy.Expr
        Length of the prompt, at least 2.

    Returns
    -------
    float, array or sympy.Expr
        The beta with 2 exp(-beta (d-1)) = 1.

    Raises
    ------
    ValueError
        If `d` is no integer of at least 2.

    Notes
    -----
    Derived here from :func:`go_on_factor`.

    Examples
    --------
    >>> round(critical_length_penalty(21), 6)
    0.034657
    """
    d = integer("d", d, 2)
    if is_symbolic(d):
        import sympy

        return sympy.log(2) / (d - 1)
    return math.log(2) / (d - 1)


def go_on_factor(
    d: Any, length_penalty: Any = 0.0, false_negative: Any = 0.0, false_positive: Any = 0.0, chain_right: Any = 1.0
) -> Any:
    r"""Factor kappa = R 2(1-mu)/(1-mu+nu) e^(-beta (d-1)) of one round on the odds of going on.

    Parameters
    ----------
    d : int or array of int
        Length of the prompt, at least 2.
    length_penalty : number or array, optional
        beta in [0, inf): an answer of n tokens is kept with the further probability exp(-beta (n-1)).
    false_negative : number or array, optional
        mu in [0, 1).
    false_positive : number or array, optional
        nu in [0, 1]. With chain errors (R < 1) it must be 0.
    chain_right : number or array, optional
        R in [0, 1], probability that a sampled chain is right throughout.

    Returns
    -------
    number or array
        kappa, under the reward for whole answers.

    Raises
    ------
    ValueError
        If an argument leaves its range, or nu > 0 where R < 1.

    Notes
    -----
    Derived here: ratio of the probabilities that a long and a short answer are kept. A wrong chain accepted by the
    verifier would add nu (1-R)/(...) and leave wrong chains in the kept data, so the two are not combined.

    Examples
    --------
    >>> go_on_factor(10), round(go_on_factor(2, 0.1), 4)
    (2.0, 1.8097)
    """
    d = integer("d", d, 2)
    beta = real("length_penalty", length_penalty, 0)
    right = real("chain_right", chain_right, 0, 1)
    nu = real("false_positive", false_positive, 0, 1)
    factor = verifier_factor(false_negative, nu)
    if not is_symbolic(right) and not is_symbolic(nu) and np.any((np.asarray(right) < 1) & (np.asarray(nu) > 0)):
        raise ValueError(f"false_positive must be 0 where chain_right is below 1, got {false_positive!r}")
    free = isinstance(beta, float) and beta == 0.0
    return right * factor if free else right * factor * exp(-beta * (d - 1))


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


class Demonstrations(NamedTuple):
    """What the linear model learns from noisy demonstrations, and what it then samples.

    Attributes
    ----------
    first_token, stop_agree, stop_disagree, token_error : number
        u, v+, v- and e at the positions 2..d.
    long_exact : number
        Probability of the exact chain.
    long_right : number
        Probability of a long answer whose last token is the parity.
    """

    first_token: Any
    stop_agree: Any
    stop_disagree: Any
    token_error: Any
    long_exact: Any
    long_right: Any


def _noise(d: Any, p_cot: Any, noise: Any, kind: str) -> tuple[Any, Any, Any, Any, Any]:
    d = integer("d", d, 2, 100_000)
    p = real("p_cot", p_cot, 0, 1, open_high=True)
    eta = real("noise", noise, 0, 0.5)
    follows_emitted = choice("kind", kind, ("emitted", "true")) == "emitted"
    return d, p, eta, (eta if follows_emitted else 2 * eta * (1 - eta)), follows_emitted


def noisy_demonstrations(d: Any, p_cot: Any, noise: Any, kind: str = "emitted") -> Demonstrations:
    r"""Law that the linear model learns when every token of long demonstrations is flipped with probability eta.

    Parameters
    ----------
    d : int or array of int
        Length of the prompt, an integer in [2, 100000].
    p_cot : number or array
        Share p of long demonstrations, in [0, 1).
    noise : number or array
        eta in [0, 0.5].
    kind : {"emitted", "true"}
        Whether later tokens continue the emitted prefix, flips included, or the true one.

    Returns
    -------
    Demonstrations
        u = (1+p(1-2 eta))/2, v+ = (1-p)/(1-p+2p(1-eta)), v- = (1-p)/(1-p+2p eta); e = eta for ``"emitted"``,
        2 eta (1-eta) for ``"true"``, because the linear model reads y_(l-1).

    Raises
    ------
    ValueError
        If an argument leaves its range.

    Notes
    -----
    Derived here. Right long answers have the probability p (1 + (1-2 eta) (1-2e)^(d-1))/2, exact ones
    p (1-eta)(1-e)^(d-1).

    Examples
    --------
    >>> learned = noisy_demonstrations(4, 0.3, 0.1)
    >>> round(learned.stop_agree, 5), round(learned.long_right / 0.3, 4)
    (0.56452, 0.7048)
    """
    d, p, eta, e, _ = _noise(d, p_cot, noise, kind)
    return Demonstrations(
        (1 + p * (1 - 2 * eta)) / 2,
        (1 - p) / (1 - p + 2 * p * (1 - eta)),
        (1 - p) / (1 - p + 2 * p * eta),
        e,
        p * (1 - eta) * (1 - e) ** (d - 1),
        p * (1 + (1 - 2 * eta) * (1 - 2 * e) ** (d - 1)) / 2,
    )


def noisy_demonstration_threshold(noise: Any) -> Any:
    """Share p* = 1/(3 - 2 eta) of long demonstrations from which greedy decoding goes on.

    Parameters
    ----------
    noise : number or array
        eta in [0, 0.5].

    Returns
    -------
    number or array
        1/3 without noise, 1/2 at eta = 1/2.

    Raises
    ------
    ValueError
        If `noise` leaves its range.

    Notes
    -----
    Derived here: v+ = 1/2 iff 1 - p = 2p(1 - eta).

    Examples
    --------
    >>> noisy_demonstration_threshold(0.5)
    0.5
    """
    eta = real("noise", noise, 0, 0.5)
    return 1 / (3 - 2 * eta)


def noisy_demonstration_factor(d: Any, noise: Any, kind: str = "emitted", reward: str = "r_cot") -> Any:
    """Factor of the first round on the odds (all long)/(all short) after noisy demonstrations.

    Parameters
    ----------
    d : int or array of int
        Length of the prompt, an integer in [2, 100000].
    noise : number or array
        eta in [0, 0.5].
    kind : {"emitted", "true"}
        What later tokens continue.
    reward : {"r_cot", "r_e2e"}
        Whether whole answers or last tokens are checked.

    Returns
    -------
    number or array
        2(1-eta)(1-e)^(d-1) under r_cot, after which the chain is clean and the factor 2; 1 + (1-2 eta)(1-2e)^(d-1)
        under r_e2e.

    Raises
    ------
    ValueError
        If an argument leaves its range.

    Notes
    -----
    Derived here: probability that a long answer is kept over the 1/2 of a short one.

    Examples
    --------
    >>> noisy_demonstration_factor(10, 0.0), noisy_demonstration_factor(2, 0.25, reward="r_e2e")
    (2.0, 1.25)
    """
    d, _, eta, e, _ = _noise(d, 0, noise, kind)
    if choice("reward", reward, ("r_cot", "r_e2e")) == "r_cot":
        return 2 * (1 - eta) * (1 - e) ** (d - 1)
    return 1 + (1 - 2 * eta) * (1 - 2 * e) ** (d - 1)


def leap_linear_threshold() -> float:
    """Share of long demonstrations, 1/2, from which the linear model goes on when chains leap k >= 2 signs at a time.

    Returns
    -------
    float
        1/2: no feature carries a signal, so P(EOS) = 1 - p whatever was emitted.

    Notes
    -----
    Derived here: y_l = x_1...x_(lk); y_(l-1) y_l is a product of k signs, and no feature has more than one.

    Examples
    --------
    >>> leap_linear_threshold()
    0.5
    """
    return 0.5


def _guess(value: Any) -> Any:
    return real("guess", value, 0, 1)


def guessing_greedy_accuracy(odds: Any, guess: Any) -> Any:
    r"""Greedy accuracy of a calibrated model that also guesses the parity, right with probability (1+g)/2.

    Parameters
    ----------
    odds : number or array
        o = p/(1-p) of long demonstrations, in [0, inf).
    guess : number or array
        g in [0, 1].

    Returns
    -------
    float or array
        (1+g)/2 for o < g (it emits the guess); 1/2 on [g, (1-g)/2); (3+g)/4 up to (1+g)/2; 1 from there on.

    Raises
    ------
    ValueError
        If an argument leaves its range.

    Notes
    -----
    Derived here: where the guess agrees with the first token of the long answer, the model goes on iff o >= (1+g)/2;
    where it does not, it emits that first token iff o >= g and then goes on iff o >= (1-g)/2. Not monotone in o.

    Examples
    --------
    >>> [guessing_greedy_accuracy(o, 0.2) for o in (0.1, 0.3, 0.5, 0.7)]
    [0.6, 0.5, 0.8, 1.0]
    """
    o, g = np.asarray(real("odds", odds, 0), dtype=np.float64), np.asarray(_guess(guess), dtype=np.float64)
    agreeing = np.where(o >= (1 + g) / 2, 1.0, (1 + g) / 2)
    contrary = np.where(o < g, (1 + g) / 2, np.where(o < (1 - g) / 2, (1 - g) / 2, 1.0))
    found = (agreeing + contrary) / 2
    return float(found) if found.ndim == 0 else found


def guessing_long_threshold(guess: Any) -> Any:
    """Share of long demonstrations from which greedy answers of a guessing model are long on half of the prompts.

    Parameters
    ----------
    guess : number or array
        g in [0, 1].

    Returns
    -------
    float or array
        (1-g)/(3-g) for g <= 1/3, g/(1+g) beyond: at most 1/3 in the first case.

    Raises
    ------
    ValueError
        If `guess` leaves its range.

    Notes
    -----
    Derived here: odds max(g, (1-g)/2).

    Examples
    --------
    >>> guessing_long_threshold(0.0) == 1 / 3, guessing_long_threshold(1.0)
    (True, 0.5)
    """
    g = np.asarray(_guess(guess), dtype=np.float64)
    found = np.where(3 * g <= 1, (1 - g) / (3 - g), g / (1 + g))
    return float(found) if found.ndim == 0 else found


def guessing_success_threshold(guess: Any) -> Any:
    """Share (1+g)/(3+g) of long demonstrations from which greedy decoding of a guessing model is always right.

    Parameters
    ----------
    guess : number or array
        g in [0, 1].

    Returns
    -------
    number or array
        1/3 without a guess, whatever the leap k; 1/2 at g = 1.

    Raises
    ------
    ValueError
        If `guess` leaves its range.

    Notes
    -----
    Derived here: odds (1+g)/2.

    Examples
    --------
    >>> guessing_success_threshold(1)
    0.5
    """
    g = _guess(guess)
    return (1 + g) / (3 + g)


def pool_long_odds(d: int, p_0: Any, n_rounds: int, n_pool: int) -> Any:
    r"""Odds of long answers after n rounds on one fixed pool of prompts: 2^n o_0/prod (1 + k d/n_pool), k < n.

    Parameters
    ----------
    d : int
        Length of the prompt, an integer in [2, 100000].
    p_0 : number
        Share of long answers before the first round, in (0, 1).
    n_rounds : int
        Rounds n, an integer in [0, 1000].
    n_pool : int
        Prompts in the pool, at least 1.

    Returns
    -------
    number
        An approximation of the linear model for n d much smaller than n_pool: the loss against fresh prompts is about
        exp(-d n^2/(2 n_pool)).

    Raises
    ------
    ValueError
        If an argument leaves its range.

    Notes
    -----
    Derived here: projecting the parity labels on the d features of position 1 adds d/(2 n_pool) to the success of short
    answers in each round.

    Examples
    --------
    >>> odds = pool_long_odds(20, 0.02, 8, 2000)
    >>> round(odds / (1 + odds), 3)
    0.799
    """
    d, n = integer("d", d, 2, 100_000), integer("n_rounds", n_rounds, 0, 1000)
    pool = integer("n_pool", n_pool, 1)
    p = real("p_0", p_0, 0, 1, open_low=True, open_high=True)
    if not (isinstance(n, int) and isinstance(d, int) and isinstance(pool, int)):
        raise ValueError(f"d, n_rounds and n_pool must be single integers, got {d!r}, {n!r}, {pool!r}")
    odds = p / (1 - p)
    for k in range(n):
        odds = odds * 2 * pool / (pool + k * d)
    return odds


def memorised_long_odds(p_0: Any, n_rounds: Any) -> Any:
    """Odds of long answers on a fixed pool when the short route is memorised: doubled once, then constant.

    Parameters
    ----------
    p_0 : number or array
        Share of long answers before the first round, in (0, 1).
    n_rounds : int or array of int
        Rounds n, an integer in [0, 100000].

    Returns
    -------
    number or array
        o_0 at n = 0, 2 o_0 afterwards.

    Raises
    ------
    ValueError
        If an argument leaves its range.

    Notes
    -----
    Derived here: after one round every kept short answer of the pool is known by heart, so both types succeed.

    Examples
    --------
    >>> memorised_long_odds(0.5, 3)
    2.0
    """
    p = real("p_0", p_0, 0, 1, open_low=True, open_high=True)
    n = integer("n_rounds", n_rounds, 0, 100_000)
    once = np.minimum(n, 1) if isinstance(n, np.ndarray) else min(n, 1)
    return p / (1 - p) / shrink(once, p)
