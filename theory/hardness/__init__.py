r"""Why short demonstrations do not teach the parity, and why long ones do.

The short answer to a prompt x, uniform on {-1,+1}^d, is a parity chi_S(x). Elementary facts:

- the part of a logistic loss' gradient that depends on S is minus half the Walsh coefficient E[chi_S grad f], so its
  squared norm, averaged over all 2^d subsets, is E|grad f|^2/(4 2^d) exactly, whatever the predictor f; in the mixture
  D(p) of long and short demonstrations (Tsilivis, Malach, Ullrich and Kempe, arXiv 2510.11495) times (1-p)^2;
- learners that see means with a tolerance, gradients with noise, or demonstrations through few messages therefore need
  of the order of 2^d looks;
- d + O(1) labelled prompts determine S by elimination over GF(2): the difficulty is one of computing, not of data;
- each step of the long route has a signal at zero weights that does not shrink with d.

The parts: signals of the parities; bounds on looks; the long route's steps; elimination.
"""

from __future__ import annotations

from theory.hardness._elimination import (
    elimination_accuracy,
    elimination_failure,
    elimination_samples,
    expected_elimination_samples,
    expected_elimination_samples_exact,
    full_rank_probability,
    full_rank_probability_exact,
    identification_probability,
    identification_probability_exact,
    rank_probability,
    rank_probability_exact,
    samples_beyond_d_limit,
)
from theory.hardness._parities import (
    batch_signal_mean,
    halfspace_accuracy_bound,
    halfspace_accuracy_bound_exact,
    parity_count,
    signal_count_bound,
    signal_mean,
    signal_mean_bound,
    signal_share_bound,
    signal_to_noise,
    signal_total,
    symmetric_relu_coefficient,
    symmetric_relu_coefficient_exact,
    unit_ratio_samples,
)
from theory.hardness._queries import (
    fixed_features_steps,
    gradient_information,
    identification_bound,
    message_samples,
    message_success_bound,
    noisy_gradient_steps,
    noisy_gradient_success_bound,
    noticed_parities,
    statistical_queries,
    statistical_query_success_bound,
)
from theory.hardness._routes import LongRouteSignal, long_route_signal

__all__ = [
    "LongRouteSignal",
    "batch_signal_mean",
    "elimination_accuracy",
    "elimination_failure",
    "elimination_samples",
    "expected_elimination_samples",
    "expected_elimination_samples_exact",
    "fixed_features_steps",
    "full_rank_probability",
    "full_rank_probability_exact",
    "gradient_information",
    "halfspace_accuracy_bound",
    "halfspace_accuracy_bound_exact",
    "identification_bound",
    "identification_probability",
    "identification_probability_exact",
    "long_route_signal",
    "message_samples",
    "message_success_bound",
    "noisy_gradient_steps",
    "noisy_gradient_success_bound",
    "noticed_parities",
    "parity_count",
    "rank_probability",
    "rank_probability_exact",
    "samples_beyond_d_limit",
    "signal_count_bound",
    "signal_mean",
    "signal_mean_bound",
    "signal_share_bound",
    "signal_to_noise",
    "signal_total",
    "statistical_queries",
    "statistical_query_success_bound",
    "symmetric_relu_coefficient",
    "symmetric_relu_coefficient_exact",
    "unit_ratio_samples",
]
