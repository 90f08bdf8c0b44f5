"""The signal of the long route's steps at zero weights.

At zero weights every logit of the autoregressive linear model is 0, and the gradient of its logistic loss in the weight
of a feature is minus half the mean of target times feature under D(p). The means follow from the law of the mixture;
they do not shrink with d.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from theory._validate import real

__all__ = ["LongRouteSignal", "long_route_signal"]


class LongRouteSignal(NamedTuple):
    """Components of the negative gradient at zero weights; every other feature has the component 0.

    Attributes
    ----------
    first : number or array
        Position 1, feature x_1: p/2.
    stop_relation : number or array
        Stop or go on, feature x_1 y_1: -p/2, towards going on after an agreement.
    stop_bias : number or array
        The same position, constant feature: (1 - 2p)/2.
    chain : number or array
        Position l = 2..d, feature y_(l-1) x_l: 1/2 on long demonstrations.
    chain_per_demonstration : number or array
        The same, averaged over all demonstrations: p/2.
    """

    first: Any
    stop_relation: Any
    stop_bias: Any
    chain: Any
    chain_per_demonstration: Any


def long_route_signal(p_cot: Any) -> LongRouteSignal:
    """Signal of each step of the long route at zero weights, free of d.

    Parameters
    ----------
    p_cot : number or array
        Share p of long demonstrations, in [0, 1].

    Returns
    -------
    LongRouteSignal
        Components of the negative gradient of the logistic losses, for every d >= 2.

    Raises
    ------
    ValueError
        If `p_cot` leaves [0, 1].

    Notes
    -----
    Derived here: on the short route the target is a parity of d signs, or EOS, uncorrelated with every feature but the
    constant one; on the long route y_1 = x_1, y_l = y_(l-1) x_l, and going on.

    Examples
    --------
    >>> long_route_signal(0.25)
    LongRouteSignal(first=0.125, stop_relation=-0.125, stop_bias=0.25, chain=0.5, chain_per_demonstration=0.125)
    """
    p = real("p_cot", p_cot, 0, 1)
    return LongRouteSignal(p / 2, -p / 2, (1 - 2 * p) / 2, (0 * p + 1) / 2, p / 2)
