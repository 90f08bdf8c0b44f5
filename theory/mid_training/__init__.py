r"""Mid-training as action abstraction: pruning, planning with options, and the temporal bound.

Closed forms for Zhang, Yu, Feng, Jin, Wang, Peebles and Wang, "Learning to Reason as Action Abstractions with Scalable
Mid-Training RL" (arXiv 2509.25810), and for what follows from its definitions. Where to look:

* :mod:`~theory.mid_training.pruning`: demonstration counts of elimination: union bound, the paper's, lower bounds.
* :mod:`~theory.mid_training.repairs`: the loss that is left, and rules for the agnostic case.
* :mod:`~theory.mid_training.elimination`: exact probabilities that all bad subsets go, for four families, small or
  large.
* :mod:`~theory.mid_training.seen_sets`: the same for any list of bad subsets on at most 16 task types.
* :mod:`~theory.mid_training.footprint`: keeping what the expert used: missing mass, coverage of goals, noisy macro
  text.
* :mod:`~theory.mid_training.planning`: regret decomposition, option models, number of value-iteration sweeps.
* :mod:`~theory.mid_training.durations`: fixed, mixed, random and geometric durations.
* :mod:`~theory.mid_training.kept_set`: regret against the size of the pruned set, and the chunk length.
* :mod:`~theory.mid_training.knob`: stickiness and price per switch, divergences from the sticky prior.
* :mod:`~theory.mid_training.latents`: soft value iteration, the bound and its gap, number of switches.
* :mod:`~theory.mid_training.causal`: latents drawn before or after their token is seen.
* :mod:`~theory.mid_training.identifiability`: what text cannot tell about skills.
* :mod:`~theory.mid_training.exploration`: first-success and policy-gradient times.
"""

from __future__ import annotations

from theory.mid_training.causal import (
    CausalValues,
    causal_values,
)
from theory.mid_training.durations import (
    duration_modulus,
    effective_horizon,
    geometric_horizon,
    geometric_modulus,
    jensen_modulus,
    one_state_iterates,
    one_state_sweeps,
    span_after_sweep,
    speed_up,
    speed_up_shown,
)
from theory.mid_training.elimination import (
    all_seen_probability,
    all_seen_probability_textbook,
    any_learner_failure,
    block_survival_probability,
    block_survival_probability_textbook,
    elimination_probability,
    elimination_probability_independent,
    elimination_probability_textbook,
    elimination_probability_typed,
    expected_product,
    smallest_demonstrations,
    unseen_law,
)
from theory.mid_training.exploration import (
    bandit_flow_time,
    bandit_flow_time_normalised,
    first_success_mean,
    flow_time,
    log_episodes_uniform,
    mean_log_episodes,
    noise_penalty,
)
from theory.mid_training.footprint import (
    chunk_law,
    covered_share,
    footprint_count,
    goal_coverage,
    goal_coverage_textbook,
    goal_coverage_uniform,
    good_turing,
    kept_strings,
    macro_codes,
    missing_mass,
    missing_mass_bound,
    missing_mass_extremal,
)
from theory.mid_training.identifiability import (
    common_orbits,
    equivalent_labellings,
    relabelled,
    relabelling_cost,
    uncrossed_share,
)
from theory.mid_training.kept_set import (
    best_kept_size,
    chunk_demonstrations,
    chunk_exploration,
    chunk_library_size,
    exploration_regret,
    planning_regret,
)
from theory.mid_training.knob import (
    bernoulli_divergence,
    flat_switches,
    penalised_log_prior,
    prior_switch_rate,
    prior_switches,
    resample_divergence,
    stay_probability,
    stickiness,
    sticky_log_prior,
    switch_divergence,
    switch_penalty,
)
from theory.mid_training.latents import (
    Bound,
    best_scores_by_switches,
    constant_path_penalty,
    evidence_bound,
    log_partition,
    posterior_transitions,
    soft_values,
    sticky_log_likelihood,
    switch_moments,
)
from theory.mid_training.planning import (
    RegretParts,
    optimal_values,
    option_model,
    policy_values,
    regret_parts,
    sweeps_bound,
    sweeps_bound_linear,
    sweeps_reward_convention,
)
from theory.mid_training.pruning import (
    all_sizes_union_count,
    block_lower_count,
    block_survival_guarantee,
    log_binomial,
    loose_union_count,
    order_of_growth,
    paper_count,
    single_subset_lower_count,
    uniform_survival_bound,
    union_count,
    union_survival_bound,
)
from theory.mid_training.repairs import (
    count_rule_chernoff,
    count_rule_exact,
    empirical_risk_count,
    head_mass,
    pruning_error,
    pruning_error_bound,
    repaired_count,
    repaired_tolerances,
    smallest_target_size,
    target_survival,
    zipf_weights,
)
from theory.mid_training.seen_sets import (
    elimination_by_inclusion_exclusion,
    elimination_by_seen_sets,
    seen_set_law,
    seen_set_law_chain,
)

__all__ = [
    "Bound",
    "CausalValues",
    "RegretParts",
    "all_seen_probability",
    "all_seen_probability_textbook",
    "all_sizes_union_count",
    "any_learner_failure",
    "bandit_flow_time",
    "bandit_flow_time_normalised",
    "bernoulli_divergence",
    "best_kept_size",
    "best_scores_by_switches",
    "block_lower_count",
    "block_survival_guarantee",
    "block_survival_probability",
    "block_survival_probability_textbook",
    "causal_values",
    "chunk_demonstrations",
    "chunk_exploration",
    "chunk_law",
    "chunk_library_size",
    "common_orbits",
    "constant_path_penalty",
    "count_rule_chernoff",
    "count_rule_exact",
    "covered_share",
    "duration_modulus",
    "effective_horizon",
    "elimination_by_inclusion_exclusion",
    "elimination_by_seen_sets",
    "elimination_probability",
    "elimination_probability_independent",
    "elimination_probability_textbook",
    "elimination_probability_typed",
    "empirical_risk_count",
    "equivalent_labellings",
    "evidence_bound",
    "expected_product",
    "exploration_regret",
    "first_success_mean",
    "flat_switches",
    "flow_time",
    "footprint_count",
    "geometric_horizon",
    "geometric_modulus",
    "goal_coverage",
    "goal_coverage_textbook",
    "goal_coverage_uniform",
    "good_turing",
    "head_mass",
    "jensen_modulus",
    "kept_strings",
    "log_binomial",
    "log_episodes_uniform",
    "log_partition",
    "loose_union_count",
    "macro_codes",
    "mean_log_episodes",
    "missing_mass",
    "missing_mass_bound",
    "missing_mass_extremal",
    "noise_penalty",
    "one_state_iterates",
    "one_state_sweeps",
    "optimal_values",
    "option_model",
    "order_of_growth",
    "paper_count",
    "penalised_log_prior",
    "planning_regret",
    "policy_values",
    "posterior_transitions",
    "prior_switch_rate",
    "prior_switches",
    "pruning_error",
    "pruning_error_bound",
    "regret_parts",
    "relabelled",
    "relabelling_cost",
    "repaired_count",
    "repaired_tolerances",
    "resample_divergence",
    "seen_set_law",
    "seen_set_law_chain",
    "single_subset_lower_count",
    "smallest_demonstrations",
    "smallest_target_size",
    "soft_values",
    "span_after_sweep",
    "speed_up",
    "speed_up_shown",
    "stay_probability",
    "stickiness",
    "sticky_log_likelihood",
    "sticky_log_prior",
    "sweeps_bound",
    "sweeps_bound_linear",
    "sweeps_reward_convention",
    "switch_divergence",
    "switch_moments",
    "switch_penalty",
    "target_survival",
    "uncrossed_share",
    "uniform_survival_bound",
    "union_count",
    "union_survival_bound",
    "unseen_law",
    "zipf_weights",
]
