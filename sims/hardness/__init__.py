r"""How little a gradient on short answers says about which parity they are, measured.

Prompts x are uniform on {-1,+1}^d and the short answer is chi_S(x), the product of the signs in S (N. Tsilivis,
E. Malach, K. Ullrich and J. Kempe, arXiv 2510.11495, take all d signs). What a gradient of the logistic loss tells of S
is -E[chi_S grad f]/2, half a Walsh coefficient of grad f.

* :func:`walsh_hadamard` transforms 2^d numbers in place; :func:`gradient_signal` applies it to the gradients of linear
  predictors, random features and two-layer networks, for all 2^d parities at once, exactly or from one batch;
* :func:`short_route` trains a network on short answers, :func:`learning_curve` sets short, mixed and long
  demonstrations side by side, :func:`route_signal` averages the gradients of the long route's steps at zero weights;
* :func:`gaussian_elimination` learns the parity from d + O(1) prompts; :func:`one_bit_search` and
  :func:`noisy_gradient` are learners that see one bit, or a noisy gradient, at a time.
"""

from __future__ import annotations

from sims.hardness._curves import learning_curve, short_route
from sims.hardness._learners import gaussian_elimination, noisy_gradient, one_bit_search
from sims.hardness._signals import gradient_signal, route_signal
from sims.hardness._transform import walsh_hadamard

__all__ = [
    "gaussian_elimination",
    "gradient_signal",
    "learning_curve",
    "noisy_gradient",
    "one_bit_search",
    "route_signal",
    "short_route",
    "walsh_hadamard",
]
