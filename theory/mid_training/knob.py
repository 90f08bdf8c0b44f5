r"""One knob: stickiness of latents, or a price per switch.

Latents z_1..z_T take K values; z_1 is uniform and :math:`P_{z'z}=\alpha1[z=z']+(1-\alpha)/K`. With sw(z) the number of
switches of a path and :math:`s=\alpha+(1-\alpha)/K`,

.. math:: p(z)=\tfrac1K\,s^{T-1}e^{-c\,\mathrm{sw}(z)},\qquad c=\ln\Bigl(1+\frac{K\alpha}{1-\alpha}\Bigr).

The divergence of a next-latent law from this prior splits into a Bernoulli part (switch or stay) and an entropy part
(where to). Prior: Zhang, Yu, Feng, Jin, Wang, Peebles and Wang (arXiv 2509.25810); the forms below are derived here.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from theory._math import exp, expm1, is_symbolic, log, log1p
from theory._validate import integer, real

__all__ = [
    "bernoulli_divergence",
    "flat_switches",
    "penalised_log_prior",
    "prior_switch_rate",
    "prior_switches",
    "resample_divergence",
    "stay_probability",
    "stickiness",
    "sticky_log_prior",
    "switch_divergence",
    "switch_penalty",
]


def switch_penalty(alpha: Any, n_latents: Any) -> Any:
    r"""Return the price of a switch that equals a stickiness.

    Parameters
    ----------
    alpha : float, array_like, Fraction, sympy.Expr or flint.arb
        Stickiness in [0, 1).
    n_latents : int, array_like of int or sympy.Expr
        K >= 1.

    Returns
    -------
    float, numpy.ndarray, sympy.Expr or flint.arb
        :math:`c=\ln(1+K\alpha/(1-\alpha))` in nats, the log-odds of staying over moving to one given other latent.

    Raises
    ------
    ValueError
        If an argument leaves its range.

    Notes
    -----
    Derived here: the ratio of the two kinds of entries of P.

    Examples
    --------
    >>> round(switch_penalty(1 - 0.2 * 4 / 3, 4), 3)
    2.485
    """
    a = real("alpha", alpha, 0, 1, open_high=True)
    return log1p(integer("n_latents", n_latents, 1) * a / (1 - a))


def stickiness(penalty: Any, n_latents: Any) -> Any:
    r"""Return the stickiness that equals a price per switch, the inverse of :func:`switch_penalty`.

    Parameters
    ----------
    penalty : float, array_like, Fraction, sympy.Expr or flint.arb
        c >= 0, nats.
    n_latents : int, array_like of int or sympy.Expr
        K >= 1.

    Returns
    -------
    float, numpy.ndarray, sympy.Expr or flint.arb
        :math:`\alpha=(e^c-1)/(e^c-1+K)`, computed from :math:`e^{-c}` so that no large c overflows; it rounds to one
        for c above 37 + ln K.

    Raises
    ------
    ValueError
        If an argument leaves its range.

    Notes
    -----
    Derived here.

    Examples
    --------
    >>> round(stickiness(switch_penalty(0.8, 5), 5), 12)
    0.8
    """
    c = real("penalty", penalty, 0)
    k = integer("n_latents", n_latents, 1)
    return -expm1(-c) / (1 + (k - 1) * exp(-c))


def stay_probability(alpha: Any, n_latents: Any) -> Any:
    """Return the probability that the latent stays the same for one step.

    Parameters
    ----------
    alpha : float, array_like, Fraction, sympy.Expr or flint.arb
        Stickiness in [0, 1].
    n_latents : int, array_like of int or sympy.Expr
        K >= 1.

    Returns
    -------
    same kind as `alpha`
        ``alpha + (1 - alpha)/K``.

    Raises
    ------
    ValueError
        If an argument leaves its range.

    Notes
    -----
    A definition.

    Examples
    --------
    >>> stay_probability(0.5, 2)
    0.75
    """
    a = real("alpha", alpha, 0, 1)
    return a + (1 - a) / integer("n_latents", n_latents, 1)


def prior_switch_rate(alpha: Any, n_latents: Any) -> Any:
    """Return the prior probability rho of a switch at one step.

    Parameters
    ----------
    alpha, n_latents
        As in :func:`stay_probability`.

    Returns
    -------
    same kind as `alpha`
        ``(1 - alpha)(K - 1)/K``.

    Raises
    ------
    ValueError
        If an argument leaves its range.

    Notes
    -----
    A definition.

    Examples
    --------
    >>> prior_switch_rate(0.5, 2)
    0.25
    """
    a = real("alpha", alpha, 0, 1)
    k = integer("n_latents", n_latents, 1)
    return (1 - a) * (k - 1) / k


def prior_switches(alpha: Any, n_latents: Any, length: Any) -> Any:
    """Return the prior mean number of switches in a text.

    Parameters
    ----------
    alpha, n_latents
        As in :func:`stay_probability`.
    length : int, array_like of int or sympy.Expr
        T >= 1 steps.

    Returns
    -------
    same kind as `alpha`
        ``(T - 1) rho``.

    Raises
    ------
    ValueError
        If an argument leaves its range.

    Notes
    -----
    Elementary.

    Examples
    --------
    >>> prior_switches(0.5, 2, 9)
    2.0
    """
    return (integer("length", length, 1) - 1) * prior_switch_rate(alpha, n_latents)


def flat_switches(penalty: Any, n_latents: Any, length: Any) -> Any:
    r"""Return the mean number of switches at a price c when the text says nothing about the latents.

    Parameters
    ----------
    penalty : float, array_like, Fraction, sympy.Expr or flint.arb
        c >= 0.
    n_latents, length : int, array_like of int or sympy.Expr
        K >= 1 and T >= 1.

    Returns
    -------
    same kind as `penalty`
        :math:`(T-1)r/(1+r)`, :math:`r=(K-1)e^{-c}`; equal to :func:`prior_switches` at the matching alpha.

    Raises
    ------
    ValueError
        If an argument leaves its range.

    Notes
    -----
    Derived here.

    Examples
    --------
    >>> flat_switches(0.0, 2, 9)
    4.0
    """
    c = real("penalty", penalty, 0)
    r = (integer("n_latents", n_latents, 1) - 1) * exp(-c)
    return (integer("length", length, 1) - 1) * r / (1 + r)


def sticky_log_prior(n_switches: Any, length: Any, alpha: Any, n_latents: Any) -> Any:
    r"""Return the logarithm of the prior probability of a latent path, from the transition probabilities.

    Parameters
    ----------
    n_switches : int, array_like of int or sympy.Expr
        sw(z) in [0, T - 1].
    length : int, array_like of int or sympy.Expr
        T >= 1.
    alpha : float, array_like, Fraction, sympy.Expr or flint.arb
        Stickiness in [0, 1).
    n_latents : int, array_like of int or sympy.Expr
        K >= 1.

    Returns
    -------
    float, numpy.ndarray, sympy.Expr or flint.arb
        :math:`-\ln K+(T-1-\mathrm{sw})\ln(\alpha+\frac{1-\alpha}K)+\mathrm{sw}\ln\frac{1-\alpha}K`.

    Raises
    ------
    ValueError
        If an argument leaves its range.

    Notes
    -----
    A definition.

    Examples
    --------
    >>> import math
    >>> round(sticky_log_prior(1, 2, 0.5, 2), 6) == round(math.log(0.5 * 0.25), 6)
    True
    """
    sw = integer("n_switches", n_switches, 0)
    steps = integer("length", length, 1) - 1
    a = real("alpha", alpha, 0, 1, open_high=True)
    k = integer("n_latents", n_latents, 1)
    return -log(k) + (steps - sw) * log(a + (1 - a) / k) + sw * log((1 - a) / k)


def penalised_log_prior(n_switches: Any, length: Any, penalty: Any, n_latents: Any) -> Any:
    r"""Return the logarithm of the prior probability of a latent path, from the price per switch.

    Parameters
    ----------
    n_switches, length, n_latents
        As in :func:`sticky_log_prior`.
    penalty : float, array_like, Fraction, sympy.Expr or flint.arb
        c >= 0.

    Returns
    -------
    float, numpy.ndarray, sympy.Expr or flint.arb
        :math:`-\ln K-(T-1)\ln(1+(K-1)e^{-c})-c\,\mathrm{sw}`.

    Raises
    ------
    ValueError
        If an argument leaves its range.

    Notes
    -----
    Derived here: :math:`s=1/(1+(K-1)e^{-c})`.

    Examples
    --------
    >>> a, b = sticky_log_prior(3, 9, 0.7, 4), penalised_log_prior(3, 9, switch_penalty(0.7, 4), 4)
    >>> abs(a - b) < 1e-12
    True
    """
    sw = integer("n_switches", n_switches, 0)
    steps = integer("length", length, 1) - 1
    c = real("penalty", penalty, 0)
    k = integer("n_latents", n_latents, 1)
    return -log(k) - steps * log1p((k - 1) * exp(-c)) - c * sw


def _term(p: Any, q: Any) -> Any:
    """p ln(p/q) with 0 ln 0 = 0."""
    if isinstance(p, np.ndarray) or isinstance(q, np.ndarray):
        from scipy.special import rel_entr

        return rel_entr(p, q)
    if not is_symbolic(p) and bool(p == 0):
        return 0
    return p * (log(p) - log(q))


def bernoulli_divergence(p: Any, q: Any) -> Any:
    """Return the Kullback-Leibler divergence between two coins.

    Parameters
    ----------
    p : float, array_like, Fraction, sympy.Expr or flint.arb
        In [0, 1].
    q : same kinds
        In (0, 1).

    Returns
    -------
    float, numpy.ndarray, sympy.Expr or flint.arb
        ``p ln(p/q) + (1 - p) ln((1 - p)/(1 - q))``, nats.

    Raises
    ------
    ValueError
        If an argument leaves its range.

    Notes
    -----
    A definition.

    Examples
    --------
    >>> round(bernoulli_divergence(1.0, 0.5), 6)
    0.693147
    """
    p = real("p", p, 0, 1)
    q = real("q", q, 0, 1, open_low=True, open_high=True)
    return _term(p, q) + _term(1 - p, 1 - q)


def _entropy(entropy: Any, n_outcomes: Any) -> Any:
    """Check 0 <= H <= ln(outcomes) up to the rounding of a computed entropy."""
    if is_symbolic(n_outcomes):
        return real("entropy", entropy, -1e-12)
    return real("entropy", entropy, -1e-12, math.log(np.min(n_outcomes)) + 1e-12)


def resample_divergence(resample: Any, entropy: Any, alpha: Any, n_latents: Any) -> Any:
    r"""Return the divergence from the sticky prior of a law over the latent and a "resampled" flag.

    Parameters
    ----------
    resample : float, array_like, Fraction, sympy.Expr or flint.arb
        q(b = 1) in [0, 1]: probability of the flag; without the flag the latent stays.
    entropy : same kinds
        H(q(z | b = 1)) in [0, ln K], nats.
    alpha : same kinds
        Stickiness in (0, 1).
    n_latents : int, array_like of int or sympy.Expr
        K >= 1.

    Returns
    -------
    float, numpy.ndarray, sympy.Expr or flint.arb
        :math:`\mathrm{kl}(q(b{=}1)\|1-\alpha)+q(b{=}1)[\ln K-H]`, an upper bound on the divergence of z alone, since it
        counts the flag too.

    Raises
    ------
    ValueError
        If an argument leaves its range.

    Notes
    -----
    The Bernoulli-plus-entropy form of Zhang et al. (arXiv 2509.25810), derived here for finite K.

    Examples
    --------
    >>> import math
    >>> resample_divergence(0.5, math.log(2), 0.5, 2)
    0.0
    """
    b = real("resample", resample, 0, 1)
    a = real("alpha", alpha, 0, 1, open_low=True, open_high=True)
    k = integer("n_latents", n_latents, 1)
    return bernoulli_divergence(b, 1 - a) + b * (log(k) - _entropy(entropy, k))


def switch_divergence(switch: Any, entropy: Any, alpha: Any, n_latents: Any) -> Any:
    r"""Return the divergence of a law over the next latent from the sticky prior.

    Parameters
    ----------
    switch : float, array_like, Fraction, sympy.Expr or flint.arb
        u = q(z != z') in [0, 1].
    entropy : same kinds
        H(q(z | z != z')) in [0, ln(K - 1)], nats.
    alpha : same kinds
        Stickiness in [0, 1).
    n_latents : int, array_like of int or sympy.Expr
        K >= 2.

    Returns
    -------
    float, numpy.ndarray, sympy.Expr or flint.arb
        :math:`\mathrm{kl}(u\|\rho)+u[\ln(K-1)-H]`, an identity.

    Raises
    ------
    ValueError
        If an argument leaves its range.

    Notes
    -----
    Derived here by the chain rule for "switch or stay, then where to".

    Examples
    --------
    >>> switch_divergence(0.25, 0.0, 0.5, 2)
    0.0
    """
    u = real("switch", switch, 0, 1)
    k = integer("n_latents", n_latents, 2)
    h = _entropy(entropy, k - 1)
    rho = prior_switch_rate(real("alpha", alpha, 0, 1, open_high=True), k)
    return bernoulli_divergence(u, rho) + u * (log(k - 1) - h)
