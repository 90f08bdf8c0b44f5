r"""The mixture of long and short parity demonstrations, and what a calibrated learner does with it.

A prompt is d fair signs :math:`x_1,\dots,x_d\in\{-1,+1\}`. With probability p (``p_cot``) the demonstration is
long, :math:`(x_1, x_1x_2, \dots, x_1\cdots x_d, \mathrm{EOS})`, otherwise short,
:math:`(x_1\cdots x_d, \mathrm{EOS})`. This law is D(p) of Tsilivis, Malach, Ullrich and Kempe, arXiv 2510.11495.

The first token y_1 equals x_1 on every long sequence and, since :math:`x_2\cdots x_d` is a fair sign, on half
of the short ones: :math:`P(y_1=x_1) = p + (1-p)/2`. Bayes' rule then gives the law of the second token from
"agreement" (y_1 = x_1) alone: after a disagreement the sequence must have been short. A learner that knows
exactly these probabilities ("calibrated") and decodes greedily stops after one token iff
:math:`(1-p)/(1+p) > 2p/(1+p)`, that is p < 1/3. The prompt itself would say more about the short answer (it
determines it); what is given here is what remains when the parity of :math:`x_2,\dots,x_d` is not seen.

Every function is a formula in its arguments: floats, arrays (broadcasting), :class:`fractions.Fraction`,
SymPy expressions and Arb balls go through unchanged; piecewise ones return a ``Piecewise`` on symbols.
"""

from __future__ import annotations

from fractions import Fraction
from typing import Any, NamedTuple

import numpy as np

from theory._math import is_symbolic
from theory._validate import integer, real

__all__ = [
    "ResponseLaw",
    "continue_given_agreement",
    "expected_length",
    "first_token_agreement",
    "greedy_accuracy",
    "greedy_length",
    "greedy_threshold",
    "greedy_threshold_exact",
    "response_law",
    "sampling_accuracy",
    "sequence_weighted_long_fraction",
    "sequence_weighted_threshold",
    "stop_given_agreement",
    "stop_given_disagreement",
]


class ResponseLaw(NamedTuple):
    """Probabilities of the three responses a calibrated model samples; they add up to 1.

    Attributes
    ----------
    long_correct : number or array
        Probability of the whole chain (which is right).
    short_correct : number or array
        Probability of one token that equals the parity.
    short_wrong : number or array
        Probability of one token that differs from the parity.
    """

    long_correct: Any
    short_correct: Any
    short_wrong: Any


def first_token_agreement(p_cot: Any) -> Any:
    """Probability (1 + p)/2 that the first answer token equals the first sign of the prompt.

    Parameters
    ----------
    p_cot : number or array
        Share p of long demonstrations, in [0, 1].

    Returns
    -------
    number or array
        P(y_1 = x_1), for every d >= 2.

    Raises
    ------
    ValueError
        If `p_cot` leaves [0, 1].

    Notes
    -----
    Tsilivis et al., arXiv 2510.11495: long sequences always agree, short ones iff x_2...x_d = 1.

    Examples
    --------
    >>> first_token_agreement(0.5)
    0.75
    >>> from fractions import Fraction
    >>> first_token_agreement(Fraction(1, 3))
    Fraction(2, 3)
    """
    p = real("p_cot", p_cot, 0, 1)
    return (1 + p) / 2


def stop_given_agreement(p_cot: Any) -> Any:
    """Probability (1 - p)/(1 + p) that the answer ends after one token, given that this token equals x_1.

    Parameters
    ----------
    p_cot : number or array
        Share p of long demonstrations, in [0, 1].

    Returns
    -------
    number or array
        P(second token is EOS | y_1 = x_1), for every d >= 2.

    Raises
    ------
    ValueError
        If `p_cot` leaves [0, 1].

    Notes
    -----
    Tsilivis et al., arXiv 2510.11495; Bayes' rule with the weights p (long) and (1 - p)/2 (short).

    Examples
    --------
    >>> from fractions import Fraction
    >>> stop_given_agreement(Fraction(1, 3))
    Fraction(1, 2)
    """
    p = real("p_cot", p_cot, 0, 1)
    return (1 - p) / (1 + p)


def continue_given_agreement(p_cot: Any) -> Any:
    """Probability 2p/(1 + p) that the answer goes on after one token, given that this token equals x_1.

    Parameters
    ----------
    p_cot : number or array
        Share p of long demonstrations, in [0, 1].

    Returns
    -------
    number or array
        P(second token is not EOS | y_1 = x_1), for every d >= 2.

    Raises
    ------
    ValueError
        If `p_cot` leaves [0, 1].

    Notes
    -----
    Tsilivis et al., arXiv 2510.11495; the complement of :func:`stop_given_agreement`.

    Examples
    --------
    >>> continue_given_agreement(1)
    1.0
    """
    p = real("p_cot", p_cot, 0, 1)
    return 2 * p / (1 + p)


def stop_given_disagreement(p_cot: Any) -> Any:
    """Probability 1 that the answer ends after one token, given that this token differs from x_1.

    Parameters
    ----------
    p_cot : number or array
        Share p of long demonstrations, in [0, 1); at p = 1 no first token ever differs from x_1.

    Returns
    -------
    number or array
        P(second token is EOS | y_1 = -x_1) = 1, in the shape of `p_cot`.

    Raises
    ------
    ValueError
        If `p_cot` leaves [0, 1).

    Notes
    -----
    Tsilivis et al., arXiv 2510.11495: only a short sequence can start with -x_1.

    Examples
    --------
    >>> stop_given_disagreement(0.25)
    1.0
    """
    p = real("p_cot", p_cot, 0, 1, open_high=True)
    # (1 - p)/(1 - p), written so that the type is kept and nothing rounds.
    return 0 * p + 1


def greedy_threshold() -> float:
    """Share of long demonstrations from which greedy decoding emits the whole chain: 1/3.

    Returns
    -------
    float
        The double nearest to 1/3.

    Notes
    -----
    Tsilivis et al., arXiv 2510.11495. :func:`greedy_threshold_exact` is the rational itself.

    Examples
    --------
    >>> greedy_threshold()
    0.3333333333333333
    """
    return 1 / 3


def greedy_threshold_exact() -> Fraction:
    """Root of (1 - p)/(1 + p) = 2p/(1 + p) as a rational number.

    Returns
    -------
    Fraction
        1/3.

    Notes
    -----
    Tsilivis et al., arXiv 2510.11495.

    Examples
    --------
    >>> greedy_threshold_exact()
    Fraction(1, 3)
    """
    return Fraction(1, 3)


def _by_greedy_choice(p: Any, stops: Any, goes_on: Any) -> Any:
    """Return `stops` below the threshold and `goes_on` from it on, the tie included.

    The comparison is 3p < 1 because the double 1/3, a little below the rational, is the smallest one
    with 3p = 1 after rounding: whoever passes 1/3 means the tie.
    """
    if is_symbolic(p):
        import sympy

        return sympy.Piecewise((stops, p < sympy.Rational(1, 3)), (goes_on, True))
    if isinstance(p, np.ndarray) or isinstance(stops, np.ndarray) or isinstance(goes_on, np.ndarray):
        return np.where(3 * p < 1, stops, goes_on)
    if 3 * p < 1:
        return stops
    if 3 * p >= 1:
        return goes_on
    raise ValueError(f"p_cot must be a ball on one side of 1/3, got {p!r}")


def greedy_accuracy(p_cot: Any) -> Any:
    """Share of prompts answered correctly by greedy decoding of the calibrated model: 1/2 below 1/3, else 1.

    Parameters
    ----------
    p_cot : number or array
        Share p of long demonstrations, in [0, 1]. The double ``1/3`` counts as the tie.

    Returns
    -------
    float, Fraction, array or sympy.Piecewise
        Exactly 1/2 for p < 1/3 (the answer is then x_1), 1 for p >= 1/3 (the tie counts as success).

    Raises
    ------
    ValueError
        If `p_cot` leaves [0, 1], or is a ball across 1/3.

    Notes
    -----
    Tsilivis et al., arXiv 2510.11495, for d >= 2.

    Examples
    --------
    >>> greedy_accuracy([0.2, 1 / 3, 0.5])
    array([0.5, 1. , 1. ])
    """
    p = real("p_cot", p_cot, 0, 1)
    half: Any = 0.5
    one: Any = 1.0
    if isinstance(p, Fraction):
        half, one = Fraction(1, 2), Fraction(1)
    elif is_symbolic(p):
        import sympy

        half, one = sympy.Rational(1, 2), sympy.Integer(1)
    return _by_greedy_choice(p, half, one)


def greedy_length(d: Any, p_cot: Any) -> Any:
    """Answer tokens (EOS not counted) of greedy decoding of the calibrated model: 1 below 1/3, else d.

    Parameters
    ----------
    d : int or array of int
        Length of the prompt, at least 3.
    p_cot : number or array
        Share p of long demonstrations, in [0, 1]. The double ``1/3`` counts as the tie.

    Returns
    -------
    int, array or sympy.Piecewise
        Number of tokens before EOS, the same for every prompt.

    Raises
    ------
    ValueError
        If an argument leaves its range, or `p_cot` is a ball across 1/3.

    Notes
    -----
    Tsilivis et al., arXiv 2510.11495.

    Examples
    --------
    >>> greedy_length(20, 0.3), greedy_length(20, 0.4)
    (1, 20)
    """
    d = integer("d", d, 3)
    p = real("p_cot", p_cot, 0, 1)
    return _by_greedy_choice(p, 1, d)


def sampling_accuracy(p_cot: Any) -> Any:
    """Share (1 + p)/2 of correct answers when the calibrated model samples at temperature 1.

    Parameters
    ----------
    p_cot : number or array
        Share p of long demonstrations, in [0, 1].

    Returns
    -------
    number or array
        Probability that the last token before EOS is the parity, the same for every prompt.

    Raises
    ------
    ValueError
        If `p_cot` leaves [0, 1].

    Notes
    -----
    Derived here: long answers, probability p, are right; short ones are right half the time whatever the
    prompt, because P(y_1 = x_1, stop) = P(y_1 = -x_1, stop) = (1 - p)/2 and one of the two is the parity.

    Examples
    --------
    >>> sampling_accuracy(0.2)
    0.6
    """
    p = real("p_cot", p_cot, 0, 1)
    return (1 + p) / 2


def expected_length(d: Any, p_cot: Any) -> Any:
    """Mean number 1 - p + p d of answer tokens (EOS not counted), of D(p) and of a calibrated model's samples.

    Parameters
    ----------
    d : int or array of int
        Length of the prompt, at least 2.
    p_cot : number or array
        Share p of long demonstrations, in [0, 1].

    Returns
    -------
    number or array
        Mean number of tokens before EOS.

    Raises
    ------
    ValueError
        If an argument leaves its range.

    Notes
    -----
    Derived here: a long answer has d tokens, a short one has 1.

    Examples
    --------
    >>> expected_length(11, 0.5)
    6.0
    """
    d = integer("d", d, 2)
    p = real("p_cot", p_cot, 0, 1)
    return 1 - p + p * d


def response_law(p_cot: Any) -> ResponseLaw:
    """Probabilities of the responses sampled at temperature 1 from the calibrated model.

    Parameters
    ----------
    p_cot : number or array
        Share p of long demonstrations, in [0, 1].

    Returns
    -------
    ResponseLaw
        ``(p, (1 - p)/2, (1 - p)/2)``, the same for every prompt.

    Raises
    ------
    ValueError
        If `p_cot` leaves [0, 1].

    Notes
    -----
    Tsilivis et al., arXiv 2510.11495.

    Examples
    --------
    >>> response_law(0.5)
    ResponseLaw(long_correct=0.5, short_correct=0.25, short_wrong=0.25)
    """
    p = real("p_cot", p_cot, 0, 1)
    return ResponseLaw(p, (1 - p) / 2, (1 - p) / 2)


def sequence_weighted_long_fraction(d: Any, p_cot: Any) -> Any:
    """Share of long sequences that the first two positions see when each sequence's loss is averaged over its tokens.

    Dividing a sequence's loss by its number of tokens, EOS included (d + 1 when long, 2 when short), multiplies
    the odds p/(1 - p) of the mixture by 2/(d + 1).

    Parameters
    ----------
    d : int or array of int
        Length of the prompt, at least 2.
    p_cot : number or array
        Share p of long demonstrations, in [0, 1].

    Returns
    -------
    number or array
        The p' in [0, 1] with p'/(1 - p') = (2/(d + 1)) p/(1 - p).

    Raises
    ------
    ValueError
        If an argument leaves its range.

    Notes
    -----
    Derived here, to be compared with the loss summed over tokens, for which p' = p.

    Examples
    --------
    >>> from fractions import Fraction
    >>> sequence_weighted_long_fraction(3, Fraction(1, 2))
    Fraction(1, 3)
    """
    d = integer("d", d, 2)
    p = real("p_cot", p_cot, 0, 1)
    return 2 * p / (2 * p + (d + 1) * (1 - p))


def sequence_weighted_threshold(d: Any) -> Any:
    """Greedy threshold (d + 1)/(d + 5) when each sequence's loss is averaged over its tokens.

    Parameters
    ----------
    d : int, array of int or sympy.Expr
        Length of the prompt, at least 3.

    Returns
    -------
    number or array
        The p at which :func:`sequence_weighted_long_fraction` is 1/3 (odds (d + 1)/4); it tends to 1 with d.

    Raises
    ------
    ValueError
        If `d` is no integer of at least 3.

    Notes
    -----
    Derived here: effective odds of 1/2 are odds of (d + 1)/4.

    Examples
    --------
    >>> sequence_weighted_threshold(5)
    0.6
    """
    d = integer("d", d, 3)
    return (d + 1) / (d + 5)
