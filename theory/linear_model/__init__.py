r"""The autoregressive linear model: optima, biases and gradient descent, in closed form.

The model of Tsilivis, Malach, Ullrich and Kempe, arXiv 2510.11495, is a product of logistic predictors, one a
position, on :math:`\pm1` features: position 1 sees x, the stop position chooses between EOS and going on from
x, y_1 and the products y_1 x_i (and a bias), position l >= 2 sees x, y_1, ..., y_(l-1) and the products
y_(l-1) x_i. Each minimises its expected logistic loss on D(p) (see :mod:`theory.parity_mixture`) plus
:math:`(\lambda/2)|w|^2`; positions l >= 2 see long sequences only.

For d >= 3 symmetry leaves one or two features at every position: x_1; x_1 y_1 and the bias; y_(l-1) x_l. So the
optimum solves an equation in one unknown, with :math:`\sigma` the logistic function:

* position 1: :math:`\lambda w = (1+p)/2 - \sigma(w)`;
* stop, after y_1 = x_1: :math:`\lambda z/2 = \frac{1+p}{2}\bigl(\frac{1-p}{1+p} - \sigma(z)\bigr)`;
* stop, after y_1 = -x_1: :math:`\lambda z/2 = \frac{1-p}{2}\sigma(-z)`;
* position l: :math:`\lambda w = \sigma(-w)`.

Each left side is the bias of a probability (up to its share), so bounding the bias is bounding a logit.
Stochastic gradient descent runs with steps 1/(lambda t) from 0 and returns the average of its iterates.

The names below come from: optima and features, ridge biases and their bounds, gradient descent (statistical
terms, Propositions 1-3, Theorem 1), large-T variances, whole chains. Formulas without a solver accept floats,
arrays, fractions, SymPy expressions and Arb balls; solvers (``regularised_*``, biases and what is built on them)
take and return floats and arrays. A bound on a probability that is 1 or more says nothing.
"""

from __future__ import annotations

from theory.linear_model._asymptotics import (
    PairVariances,
    StopVariances,
    chain_asymptotic_variance,
    first_token_asymptotic_variance,
    first_token_coupling,
    first_token_mean_shift,
    first_token_mean_square_error,
    first_token_pair_asymptotic_variances,
    greedy_continue_share,
    stop_agree_logit_asymptotic_variance,
    stop_asymptotic_variances,
    stop_logit_mean_shift,
    threshold_width,
)
from theory.linear_model._averaging import (
    asymptotic_variance,
    averaging_factor,
    linearised_average_memory,
    linearised_average_variance,
    linearised_average_variance_expansion,
)
from theory.linear_model._bias import (
    chain_bias,
    chain_bias_by_definition,
    first_token_bias,
    first_token_bias_by_definition,
    regularised_long_share,
    stop_agree_bias,
    stop_agree_bias_by_definition,
    stop_disagree_bias,
    stop_disagree_bias_by_definition,
)
from theory.linear_model._bias_bounds import (
    chain_bias_bound,
    chain_bias_bound_paper,
    chain_bias_lower_bound,
    excess_long_share,
    first_token_bias_bound,
    first_token_bias_bound_paper,
    first_token_bias_lower_bound,
    stop_agree_bias_bound,
    stop_agree_bias_bound_paper,
    stop_agree_bias_lower_bound,
    stop_disagree_bias_bound,
    stop_disagree_bias_bound_paper,
    stop_disagree_bias_lower_bound,
)
from theory.linear_model._chain import (
    chain_accuracy,
    critical_chain_error,
    critical_chain_ridge,
)
from theory.linear_model._descent import (
    SampleSizes,
    averaged_iterate_weights,
    chain_error_bound,
    first_token_error_bound,
    iterate_norm_bound,
    logit_deviation_bound,
    long_correct_error_bound,
    objective_gap_bound,
    probability_deviation_bound,
    short_correct_error_bound,
    stop_agree_error_bound,
    stop_disagree_error_bound,
    theorem_1_sample_sizes,
)
from theory.linear_model._optimum import (
    chain_stationarity,
    coincident_features,
    feature_norm_squared,
    first_token_stationarity,
    first_token_weight,
    regularised_chain_weight,
    regularised_first_token_weight,
    regularised_stop_logit_agree,
    regularised_stop_logit_disagree,
    relevant_features,
    stop_agree_logit,
    stop_agree_stationarity,
    stop_disagree_stationarity,
)

__all__ = [
    "PairVariances",
    "SampleSizes",
    "StopVariances",
    "asymptotic_variance",
    "averaged_iterate_weights",
    "averaging_factor",
    "chain_accuracy",
    "chain_asymptotic_variance",
    "chain_bias",
    "chain_bias_bound",
    "chain_bias_bound_paper",
    "chain_bias_by_definition",
    "chain_bias_lower_bound",
    "chain_error_bound",
    "chain_stationarity",
    "coincident_features",
    "critical_chain_error",
    "critical_chain_ridge",
    "excess_long_share",
    "feature_norm_squared",
    "first_token_asymptotic_variance",
    "first_token_bias",
    "first_token_bias_bound",
    "first_token_bias_bound_paper",
    "first_token_bias_by_definition",
    "first_token_bias_lower_bound",
    "first_token_coupling",
    "first_token_error_bound",
    "first_token_mean_shift",
    "first_token_mean_square_error",
    "first_token_pair_asymptotic_variances",
    "first_token_stationarity",
    "first_token_weight",
    "greedy_continue_share",
    "iterate_norm_bound",
    "linearised_average_memory",
    "linearised_average_variance",
    "linearised_average_variance_expansion",
    "logit_deviation_bound",
    "long_correct_error_bound",
    "objective_gap_bound",
    "probability_deviation_bound",
    "regularised_chain_weight",
    "regularised_first_token_weight",
    "regularised_long_share",
    "regularised_stop_logit_agree",
    "regularised_stop_logit_disagree",
    "relevant_features",
    "short_correct_error_bound",
    "stop_agree_bias",
    "stop_agree_bias_bound",
    "stop_agree_bias_bound_paper",
    "stop_agree_bias_by_definition",
    "stop_agree_bias_lower_bound",
    "stop_agree_error_bound",
    "stop_agree_logit",
    "stop_agree_logit_asymptotic_variance",
    "stop_agree_stationarity",
    "stop_asymptotic_variances",
    "stop_disagree_bias",
    "stop_disagree_bias_bound",
    "stop_disagree_bias_bound_paper",
    "stop_disagree_bias_by_definition",
    "stop_disagree_bias_lower_bound",
    "stop_disagree_error_bound",
    "stop_disagree_stationarity",
    "stop_logit_mean_shift",
    "theorem_1_sample_sizes",
    "threshold_width",
]
