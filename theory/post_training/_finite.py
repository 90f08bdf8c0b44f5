r"""Finite samples: when the long route is lost for ever, and how to spend a budget of samples.

With N samples a round and shares refitted to those kept, rare long answers multiply like a Galton-Watson process:
about N/2 answers are kept, so L kept long ones mean a share 2L/N and Poisson(2L) long ones in the next round. A
count of zero is for ever. With Poisson(m) offspring one long sample leaves descendants for ever with the
probability s = 1 - exp(-m s).
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np

from theory._math import exp, is_symbolic, lambertw, log
from theory._validate import choice, integer, real

__all__ = [
    "Budget",
    "best_budget",
    "best_budget_limit",
    "budget_factor",
    "extinction_coefficients",
    "extinction_probability",
    "extinction_probability_exact",
    "extinction_probability_with_errors",
    "extinction_probability_with_offspring",
    "samples_per_round",
    "survival",
]


def _survival(m: Any) -> Any:
    if is_symbolic(m) or type(m).__module__.split(".")[0] == "flint":
        return 1 + lambertw(-m * exp(-m)) / m
    value = np.asarray(m, dtype=np.float64)
    above = np.maximum(value, 1.0 + 1e-5)
    from scipy.special import lambertw as principal

    s = 1.0 + np.real(principal(-above * np.exp(-above))) / above
    for _ in range(2):  # Lambert's W loses digits next to its branch point: polish the root of log(1-s) + m s
        s = np.where(s < 1.0, s, np.nextafter(1.0, 0.0))
        s = s - (np.log1p(-s) + above * s) / (above - 1.0 / (1.0 - s))
    excess = np.clip(value - 1.0, 0.0, 1e-5)
    near = excess * (2.0 + excess * (-8.0 / 3.0 + excess * (28.0 / 9.0)))
    found = np.where(value < 1.0 + 1e-5, near, np.minimum(s, 1.0))
    return float(found) if found.ndim == 0 else found


def survival(mean_offspring: Any) -> Any:
    r"""Probability s(m) that one long sample leaves descendants for ever: s = 1 - exp(-m s), 0 for m <= 1.

    Parameters
    ----------
    mean_offspring : number or array
        Mean m of the Poisson offspring, in [0, inf); symbols and balls must exceed 1.

    Returns
    -------
    float, array, sympy.Expr or ball
        1 + W(-m e^-m)/m for m > 1, about 2(m - 1) just above 1.

    Raises
    ------
    ValueError
        If `mean_offspring` is negative or infinite.

    Notes
    -----
    Galton-Watson process with Poisson offspring; W is the principal branch of Lambert's function.

    Examples
    --------
    >>> round(survival(2), 5), survival(1)
    (0.79681, 0.0)
    """
    m = real("mean_offspring", mean_offspring, 0)
    if not isinstance(m, (float, np.ndarray)) and not is_symbolic(m) and type(m).__name__ != "arb":
        m = float(m)
    return _survival(m)


class Coefficients(NamedTuple):
    """Exponent -N (linear p_0 + quadratic p_0^2) of the extinction probability."""

    linear: Any
    quadratic: Any


def extinction_coefficients() -> Coefficients:
    r"""Coefficients a and b of the extinction probability exp(-N (a p_0 + b p_0^2)).

    Returns
    -------
    Coefficients
        a = 1 - q = s(2) and b = [a^2/2 - 2a(1+a) q^2]/(1 - 4 q^2), q the extinction probability of one line.

    Notes
    -----
    Derived here from ln h(p) = -N (a p + b p^2) solving h(p) = E h(p'), expanded to second order in p.

    Examples
    --------
    >>> [round(value, 5) for value in extinction_coefficients()]
    [0.79681, 0.23865]
    """
    a = _survival(2.0)
    q = 1 - a
    return Coefficients(a, (a * a / 2 - 2 * a * (1 + a) * q * q) / (1 - 4 * q * q))


def extinction_probability(p_0: Any, n_samples: Any) -> Any:
    r"""Probability exp(-N (a p_0 + b p_0^2)) that the long route is lost for ever, N samples a round.

    Parameters
    ----------
    p_0 : number or array
        Share of long answers before the first round, in (0, 1].
    n_samples : int or array of int
        Samples N drawn in every round, at least 1.

    Returns
    -------
    float or array
        The limit law for large N, with a and b of :func:`extinction_coefficients`; its logarithm is right up to
        terms N p_0^3.

    Raises
    ------
    ValueError
        If an argument leaves its range.

    Notes
    -----
    Derived here: shares refitted to the kept samples of an exact chain; nothing kept leaves the model as it was.
    :func:`extinction_probability_exact` solves the finite chain.

    Examples
    --------
    >>> round(extinction_probability(1e-4, 10_000), 4)
    0.4508
    """
    p = real("p_0", p_0, 0, 1, open_low=True)
    n = integer("n_samples", n_samples, 1)
    a, b = extinction_coefficients()
    return exp(-n * (a * p + b * p * p))


def extinction_probability_with_offspring(p_0: Any, n_samples: Any, mean_offspring: Any) -> Any:
    """Probability exp(-N p_0 s(m)) that rare long answers die out when each has Poisson(m) successors.

    Parameters
    ----------
    p_0 : number or array
        Probability of a kept long answer in the first round, in (0, 1].
    n_samples : int or array of int
        Samples N drawn in every round, at least 1.
    mean_offspring : number or array
        Mean m of the offspring, in [0, inf): 2 for the plain reward, 1 + D under an outcome reward with chain errors.

    Returns
    -------
    float or array
        1 where m <= 1.

    Raises
    ------
    ValueError
        If an argument leaves its range.

    Notes
    -----
    Derived here for N large and N p_0 fixed: the first round's count is Poisson(N p_0).

    Examples
    --------
    >>> extinction_probability_with_offspring(0.1, 50, 1.0)
    1.0
    """
    p = real("p_0", p_0, 0, 1, open_low=True)
    n = integer("n_samples", n_samples, 1)
    return exp(-n * p * survival(mean_offspring))


def extinction_probability_with_errors(p_0: Any, n_samples: Any, chain_quality: Any, reward: str = "r_cot") -> Any:
    """Probability that the long route is lost when sampled chains may be wrong.

    Parameters
    ----------
    p_0 : number or array
        Share of long answers before the first round, in (0, 1].
    n_samples : int or array of int
        Samples N drawn in every round, at least 1.
    chain_quality : number or array
        In [0, 1]. Under r_cot the probability R that a sampled chain is right throughout (refitting then cleans it);
        under r_e2e the product D of 1 - 2e over the steps, held fixed.
    reward : {"r_cot", "r_e2e"}
        Whether the whole chain or only the final answer is checked.

    Returns
    -------
    float or array
        exp(-N p_0 R s(2)) under r_cot; exp(-N p_0 ((1+D)/2) s(1+D)) under r_e2e. D grows over the rounds, so there
        it is an upper bound.

    Raises
    ------
    ValueError
        If an argument leaves its range.

    Notes
    -----
    Derived here: the probability of a kept long answer times the survival of its line.

    Examples
    --------
    >>> round(extinction_probability_with_errors(0.02, 100, 0.5, "r_e2e"), 3)
    0.417
    """
    q = real("chain_quality", chain_quality, 0, 1)
    p = real("p_0", p_0, 0, 1, open_low=True)
    n = integer("n_samples", n_samples, 1)
    if choice("reward", reward, ("r_cot", "r_e2e")) == "r_cot":
        return exp(-n * p * q * _survival(2.0))
    return exp(-n * p * (1 + q) / 2 * survival(1 + q))


def extinction_probability_exact(p_0: Any, n_samples: int) -> float:
    """Probability that the long route is lost for ever, from the finite chain itself.

    Parameters
    ----------
    p_0 : number
        Share of long answers before the first round, in (0, 1).
    n_samples : int
        Samples N drawn in every round, an integer in [1, 64].

    Returns
    -------
    float
        The chance that the chain of shares ends at 0 rather than at 1.

    Raises
    ------
    ValueError
        If an argument leaves its range.

    Notes
    -----
    Derived here: L ~ Bin(N, p) long and S ~ Bin(N - L, 1/2) right short answers are kept and the next share is
    L/(L+S), the same as before where L + S = 0. A linear system over the attainable shares, O(N^6) time at worst.

    Examples
    --------
    >>> round(extinction_probability_exact(0.2, 20), 4)
    0.0344
    """
    share = real("p_0", p_0, 0, 1, open_low=True, open_high=True)
    if isinstance(share, np.ndarray) or is_symbolic(share):
        raise ValueError(f"p_0 must be one number in (0, 1), got {p_0!r}")
    p = float(share)
    size = integer("n_samples", n_samples, 1, 64)
    if not isinstance(size, int):
        raise ValueError(f"n_samples must be one integer in [1, 64], got {n_samples!r}")
    pairs = [(kept_long, kept) for kept in range(1, size + 1) for kept_long in range(kept + 1)]
    shares = sorted({(a // math.gcd(a, k), k // math.gcd(a, k)) for a, k in pairs})
    index = {share: i for i, share in enumerate(shares)}
    columns = np.array([index[a // math.gcd(a, k), k // math.gcd(a, k)] for a, k in pairs])
    # ln of the multinomial coefficient of L long, S short and right, the rest short and wrong.
    counts = np.array([[a, k - a, size - k] for a, k in pairs], dtype=np.float64)
    ln_coefficient = np.array([math.lgamma(size + 1) - sum(math.lgamma(c + 1) for c in row) for row in counts])

    def law(share: float) -> np.ndarray:
        """Law over `shares` after one round that keeps something, and the probability that it keeps nothing."""
        with np.errstate(divide="ignore"):
            ln_long, ln_short = np.log(share), np.log((1 - share) / 2)
        weight = np.exp(ln_coefficient + counts[:, 0] * ln_long + (size - counts[:, 0]) * ln_short)
        return np.bincount(columns, weights=weight, minlength=len(shares))

    inner = [share for share in shares if 0 < share[0] < share[1]]
    if not inner:
        row = law(p)
        return float(row[index[0, 1]] / row.sum())
    places = np.array([index[share] for share in inner])
    matrix = np.array([law(a / k) for a, k in inner])
    matrix /= matrix.sum(axis=1, keepdims=True)  # an empty round changes nothing, so it may be skipped
    lost = np.linalg.solve(np.eye(len(inner)) - matrix[:, places], matrix[:, index[0, 1]])
    row = law(p)
    return float((row[index[0, 1]] + row[places] @ lost) / row.sum())


def samples_per_round(p_0: Any, failure: Any) -> Any:
    r"""Samples a round N = ln(1/failure)/(a p_0 + b p_0^2) that keep the long route with probability 1 - failure.

    Parameters
    ----------
    p_0 : number or array
        Share of long answers before the first round, in (0, 1].
    failure : number or array
        Accepted probability of losing the long route, in (0, 1].

    Returns
    -------
    number or array
        N, not rounded; about ln(1/failure)/(0.797 p_0) for small p_0.

    Raises
    ------
    ValueError
        If an argument leaves its range.

    Notes
    -----
    :func:`extinction_probability` solved for N.

    Examples
    --------
    >>> round(samples_per_round(1e-3, 0.01))
    5778
    """
    p = real("p_0", p_0, 0, 1, open_low=True)
    f = real("failure", failure, 0, 1, open_low=True)
    a, b = extinction_coefficients()
    return -log(f) / (a * p + b * p * p)


def budget_factor(offspring: Any) -> float:
    r"""Total samples over all rounds, in units of ln(1/failure)/p_0, for given mean offspring from round to round.

    Parameters
    ----------
    offspring : sequence of float
        rho_i = 2 N_(i+1)/N_i for i = 0..n-2, each in [0, inf); the empty sequence means a single round.

    Returns
    -------
    float
        t_0/s_0 with s_i = 1 - exp(-rho_i s_(i+1)), t_i = 1 + (rho_i/2) t_(i+1), both 1 in the last round.

    Raises
    ------
    ValueError
        If an entry leaves its range, or the line dies out for sure.

    Notes
    -----
    Derived here in the Poisson regime; rho_i = 2 throughout is a fixed N.

    Examples
    --------
    >>> round(budget_factor([2, 2]), 2)
    3.65
    """
    if isinstance(offspring, (str, bytes)) or not (hasattr(offspring, "__len__") and hasattr(offspring, "__getitem__")):
        raise ValueError(f"offspring must be a sequence of numbers, got {offspring!r}")
    items = [] if hasattr(offspring, "keys") else list(offspring)
    means = [real("offspring", item, 0) for item in items]
    if any(np.ndim(mean) for mean in means):
        raise ValueError(f"offspring must hold single numbers, got {offspring!r}")
    s = t = 1.0
    for mean in reversed([float(m) for m in means]):
        s, t = -math.expm1(-mean * s), 1.0 + mean / 2 * t
    if s <= 0:
        raise ValueError(f"offspring must leave a chance of survival, got {offspring!r}")
    return t / s


class Budget(NamedTuple):
    """The cheapest plan of samples over the rounds.

    Attributes
    ----------
    factor : float
        Total samples in units of ln(1/failure)/p_0.
    offspring : tuple of float
        rho_i = 2 N_(i+1)/N_i: round i + 1 draws rho_i/2 times the samples of round i.
    """

    factor: float
    offspring: tuple[float, ...]


def best_budget(n_rounds: int) -> Budget:
    """Cheapest way to spread samples over n rounds, by numerical minimisation of :func:`budget_factor`.

    Parameters
    ----------
    n_rounds : int
        Rounds n, an integer in [1, 40].

    Returns
    -------
    Budget
        The factor grows to :func:`best_budget_limit`, while a fixed N costs about n/0.797.

    Raises
    ------
    ValueError
        If `n_rounds` leaves its range.

    Notes
    -----
    Derived here; the first rounds shrink N by about ln 2 each. Minimised over logarithms by a quasi-Newton method.

    Examples
    --------
    >>> round(best_budget(3).factor, 2)
    3.36
    """
    n = integer("n_rounds", n_rounds, 1, 40)
    if not isinstance(n, int):
        raise ValueError(f"n_rounds must be one integer in [1, 40], got {n_rounds!r}")
    if n == 1:
        return Budget(1.0, ())
    from scipy.optimize import minimize

    found = minimize(
        lambda v: budget_factor(np.exp(np.clip(v, -5, 5))), np.full(n - 1, math.log(1.4)), method="BFGS",
        options={"gtol": 1e-9},
    )  # fmt: skip
    return Budget(float(found.fun), tuple(float(r) for r in np.exp(found.x)))


def best_budget_limit() -> Budget:
    r"""Cheapest steady plan for many rounds: shrink N by ln 2 a round, at a total of (2/(1 - ln 2)) ln(1/failure)/p_0.

    Returns
    -------
    Budget
        The factor 2/(1 - ln 2) = 6.5178 and the offspring 2 ln 2, for which one sample survives with probability 1/2.

    Notes
    -----
    Derived here: with constant rho, 1/factor = s (1 - rho/2) and rho = -ln(1-s)/s give s + ln(1-s)/2, which is
    largest at s = 1/2.

    Examples
    --------
    >>> round(best_budget_limit().factor, 4)
    6.5178
    """
    return Budget(2 / (1 - math.log(2)), (2 * math.log(2),))
