r"""Post-training of the autoregressive linear model: filtering by reward, and policy gradients.

The model has learned the mixture D(p) of long and short parity demonstrations (Tsilivis, Malach, Ullrich and Kempe,
arXiv 2510.11495): it answers with the whole chain with probability p, and otherwise with one token that is right half
of the time. Two rewards: r_cot accepts exactly the long and the short right answer, r_e2e any answer whose last token
is the parity. Elementary facts, for a calibrated model:

- filtering by reward and refitting (STaR) is Bayes' rule, so the odds o = p/(1-p) of long answers double each round,
  :math:`p_n = 2^n p_0/(2^n p_0 + 1 - p_0)`, and greedy decoding generalises from the first n with
  :math:`2^n \ge (1-p_0)/(2p_0)` on;
- with N samples a round the long route is lost for ever with probability about exp(-0.797 N p_0);
- off calibration the odds of going on are multiplied by 2R under r_cot and by 1 + D under r_e2e, where R is the
  probability of an exact chain and D the product of 1 - 2e over its steps;
- temperature takes these odds to the power 1/tau; penalties, verifier errors and noise multiply the factor;
- plain policy gradients need time of order 1/p_0 where STaR and the natural gradient need log(1/p_0).

The parts: rounds and errors; finite samples; the full round off calibration; the refit with ridge; temperature;
verifier and length penalty; training data; policy gradients; total cost.
Formulas are generic (floats, arrays, rationals, symbols, balls) except where a numerical solver stands inside.
"""

from __future__ import annotations

from theory.post_training._cost import (
    Cost,
    chain_limited_odds,
    chain_quality,
    half_chain_sequences,
    kept_chains_round,
    published_cost,
    samples_for_success,
    total_cost,
)
from theory.post_training._finite import (
    Budget,
    best_budget,
    best_budget_limit,
    budget_factor,
    extinction_coefficients,
    extinction_probability,
    extinction_probability_exact,
    extinction_probability_with_errors,
    extinction_probability_with_offspring,
    samples_per_round,
    survival,
)
from theory.post_training._full_round import (
    FullRound,
    accuracy_by_parity,
    calibrated_state,
    chain_margin,
    chain_margin_round,
    critical_token_error,
    full_round,
    mean_accuracy,
    mean_long_share,
    tempered_probability,
)
from theory.post_training._policy_gradient import (
    Flow,
    Gradient,
    branch_time,
    first_token_odds_on_path,
    flow,
    grpo_weight,
    length_normalised_rate,
    natural_gradient_time,
    policy_gradient,
    policy_gradient_path,
    policy_gradient_time,
    reinforce_invariant,
    reinforce_time,
    reinforce_time_constant,
)
from theory.post_training._refit import (
    RefitSpread,
    memory,
    refit_overshoot,
    refit_spread,
    retrained_error,
    ridge_refit,
    trained_round,
)
from theory.post_training._rounds import (
    EnvelopeFixedPoints,
    envelope_fixed_points,
    error_amplification,
    error_bound_paper,
    error_bound_telescoped,
    expected_length,
    go_on_odds_with_ridge,
    greedy_accuracy,
    long_fraction,
    long_fraction_from_odds,
    long_odds,
    lower_envelope,
    reweighted,
    rounds_to_generalise,
    total_error_factor,
    upper_envelope,
)
from theory.post_training._temperature import (
    TemperedFixedPoint,
    go_on_round,
    tempered_first_token_round,
    tempered_fixed_point,
    tempered_rounds_to_generalise,
)
from theory.post_training._training_data import (
    Demonstrations,
    guessing_greedy_accuracy,
    guessing_long_threshold,
    guessing_success_threshold,
    leap_linear_threshold,
    memorised_long_odds,
    noisy_demonstration_factor,
    noisy_demonstration_threshold,
    noisy_demonstrations,
    pool_long_odds,
)
from theory.post_training._verifier import (
    critical_length_penalty,
    go_on_factor,
    verifier_factor,
    wrong_share_of_kept_short,
)

__all__ = [
    "Budget",
    "Cost",
    "Demonstrations",
    "EnvelopeFixedPoints",
    "Flow",
    "FullRound",
    "Gradient",
    "RefitSpread",
    "TemperedFixedPoint",
    "accuracy_by_parity",
    "best_budget",
    "best_budget_limit",
    "branch_time",
    "budget_factor",
    "calibrated_state",
    "chain_limited_odds",
    "chain_margin",
    "chain_margin_round",
    "chain_quality",
    "critical_length_penalty",
    "critical_token_error",
    "envelope_fixed_points",
    "error_amplification",
    "error_bound_paper",
    "error_bound_telescoped",
    "expected_length",
    "extinction_coefficients",
    "extinction_probability",
    "extinction_probability_exact",
    "extinction_probability_with_errors",
    "extinction_probability_with_offspring",
    "first_token_odds_on_path",
    "flow",
    "full_round",
    "go_on_factor",
    "go_on_odds_with_ridge",
    "go_on_round",
    "greedy_accuracy",
    "grpo_weight",
    "guessing_greedy_accuracy",
    "guessing_long_threshold",
    "guessing_success_threshold",
    "half_chain_sequences",
    "kept_chains_round",
    "leap_linear_threshold",
    "length_normalised_rate",
    "long_fraction",
    "long_fraction_from_odds",
    "long_odds",
    "lower_envelope",
    "mean_accuracy",
    "mean_long_share",
    "memorised_long_odds",
    "memory",
    "natural_gradient_time",
    "noisy_demonstration_factor",
    "noisy_demonstration_threshold",
    "noisy_demonstrations",
    "policy_gradient",
    "policy_gradient_path",
    "policy_gradient_time",
    "pool_long_odds",
    "published_cost",
    "refit_overshoot",
    "refit_spread",
    "reinforce_invariant",
    "reinforce_time",
    "reinforce_time_constant",
    "retrained_error",
    "reweighted",
    "ridge_refit",
    "rounds_to_generalise",
    "samples_for_success",
    "samples_per_round",
    "survival",
    "tempered_first_token_round",
    "tempered_fixed_point",
    "tempered_probability",
    "tempered_rounds_to_generalise",
    "total_cost",
    "total_error_factor",
    "trained_round",
    "upper_envelope",
    "verifier_factor",
    "wrong_share_of_kept_short",
]
