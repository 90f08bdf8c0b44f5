r"""The data: noisy demonstrations, demonstrations that leap over signs, and one pool of prompts.

Notation: v+ and v- are the probabilities of stopping after a first token that agrees with x_1 and after one that does
not; greedy decoding goes on iff v+ <= 1/2, at share 1/3 for demonstrations without noise that go one sign at a time.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from theory._validate import choice, integer, real
from theory.post_training._rounds import shrink

__all__ = [
    "Demonstrations",
    "guessing_greedy_accuracy",
    "guessing_long_threshold",
    "guessing_success_threshold",
    "leap_linear_threshold",
    "memorised_long_odds",
    "noisy_demonstration_factor",
    "noisy_demonstration_threshold",
    "noisy_demonstrations",
    "pool_long_odds",
]


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
