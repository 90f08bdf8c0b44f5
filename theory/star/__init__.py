"""STaR on a chain of M-ary steps as policy improvement, in closed form.

The chain (Chang, Lee, Shih, Tseng and Wu, RL-STaR, arXiv 2410.23912). A uniform start ``S_0`` and
N steps over M states a layer; the right successor of each state is given by a bijection, which
relabelling makes the identity. The policy has one table a step and sees the current state only. In
the *symmetric family* step n is right with probability ``alpha_n = (1 + (M-1) delta_n)/M`` and takes
each wrong successor with ``beta_n = (1 - delta_n)/M``: delta = 0 guesses, 1 is the truth, ``-1/(M-1)``
is never right. One iteration samples trajectories, keeps those with the right final answer and sets
every row to the kept frequencies; a row that no kept trajectory visits keeps its old values.

With ``Pi = prod_k delta_k`` and ``Pi_{-n} = prod_{k != n} delta_k`` the elementary facts are

- accuracy ``J = (1 + (M-1) Pi)/M``;
- the update ``delta_n' = (delta_n + Pi_{-n} + (M-2) delta_n Pi_{-n}) / (1 + (M-1) Pi)``;
- the same as Bayes' rule: with ``r = alpha/beta`` and ``L = log r``, ``L_n' = L_n + l(Pi_{-n})``, where
  ``l(d) = log((1 + (M-1) d)/(1 - d))``. Each round adds evidence; two steps double their log-ratios;
- ``1 - delta_n' = (1 - delta_n)(1 - Pi_{-n}) / (1 + (M-1) Pi)``: the end is quadratic;
- the share of kept trajectories without any error, ``R = prod_n alpha_n / J``, never falls.

Conventions. `delta` holds the N steps on its last axis and broadcasts over leading axes. Plain
numbers become float arrays; a sequence or object array that holds Fractions, SymPy expressions or
Arb balls stays exact, and the results are object arrays or bare objects of that kind. Functions with
a numerical solver or a float-only form inside say so by their types. Float deltas lose ``1 - delta``
next to 1; the log-ratio functions keep it to full relative accuracy.

The parts: the family and its map; its limit; right paths; round counts; noise, temperature and hints;
finite samples, smoothed or not; the exact chain at M = N = 2; arbitrary tables; counterexamples.
"""

from __future__ import annotations

from theory.star._chain import SampledChain, sampled_chain, sampled_round
from theory.star._family import (
    accuracy,
    bayes_update,
    combine,
    evidence_of_others,
    improvement,
    inverse,
    products_of_others,
    rational_update,
    update,
    update_log_ratio,
)
from theory.star._finite import (
    fluctuation_covariance,
    loss_probability,
    loss_union_bound,
    mean_accuracy_excess,
    mean_right_probability,
    required_trajectories,
    required_trajectories_limit,
    row_variance,
    visit_probability,
)
from theory.star._limits import gap_update, iterate, limit, local_rate, number_of_zero_steps
from theory.star._right_paths import (
    guessing_right_path_share,
    right_path_share,
    right_path_share_gain,
    wrong_path_rate,
    wrong_path_share,
)
from theory.star._rounds import (
    evidence,
    evidence_slope,
    rounds_bracket,
    rounds_by_integral,
    rounds_by_two_regimes,
    rounds_to_target,
    rounds_two_steps,
    slow_phase,
    slow_phase_exact,
    slow_phase_few_states,
    slow_phase_many_states,
    target_log_ratio,
)
from theory.star._smoothing import (
    FixedPoints,
    mixed_update,
    smoothed_fixed_points,
    smoothed_fixed_points_estimate,
    smoothed_update,
    smoothing_level,
    smoothing_weight,
)
from theory.star._steps import (
    from_log_ratio,
    from_odds,
    from_offset,
    from_right_probability,
    gap_from_log_ratio,
    log_ratio,
    log_ratio_from_gap,
    odds,
    offset,
    right_probability,
    wrong_probability,
)
from theory.star._structured import (
    collision_probabilities,
    map_accuracy,
    two_state_agreements,
    two_state_limit,
    two_step_log_ratio,
    two_step_weights,
    two_step_weights_update,
)
from theory.star._table_variants import (
    hint_potential,
    hinted_refit,
    mean_reward_after_kept,
    prompt_accuracies,
    tables_right_path_share,
    temper_tables,
    verifier_reward,
)
from theory.star._tables import (
    expected_reward,
    fit_partially,
    improvement_terms,
    path_law,
    refit,
    tables_from_maps,
    transition_weights,
)
from theory.star._variants import (
    acceptance_rate,
    accepted_right_path_share,
    evidence_scale,
    hint_barrier,
    hint_barrier_polynomial,
    hinted_kept_rate,
    noisy_end_rate,
    noisy_update,
    temper,
    temperature_threshold,
    temperature_threshold_estimate,
    tempered_rounds_bound,
    tempered_update,
    uniform_hint_end_rate,
    uniform_hint_update,
)
from theory.star._witnesses import WITNESSES, witness

__all__ = [
    "WITNESSES",
    "FixedPoints",
    "SampledChain",
    "acceptance_rate",
    "accepted_right_path_share",
    "accuracy",
    "bayes_update",
    "collision_probabilities",
    "combine",
    "evidence",
    "evidence_of_others",
    "evidence_scale",
    "evidence_slope",
    "expected_reward",
    "fit_partially",
    "fluctuation_covariance",
    "from_log_ratio",
    "from_odds",
    "from_offset",
    "from_right_probability",
    "gap_from_log_ratio",
    "gap_update",
    "guessing_right_path_share",
    "hint_barrier",
    "hint_barrier_polynomial",
    "hint_potential",
    "hinted_kept_rate",
    "hinted_refit",
    "improvement",
    "improvement_terms",
    "inverse",
    "iterate",
    "limit",
    "local_rate",
    "log_ratio",
    "log_ratio_from_gap",
    "loss_probability",
    "loss_union_bound",
    "map_accuracy",
    "mean_accuracy_excess",
    "mean_reward_after_kept",
    "mean_right_probability",
    "mixed_update",
    "noisy_end_rate",
    "noisy_update",
    "number_of_zero_steps",
    "odds",
    "offset",
    "path_law",
    "products_of_others",
    "prompt_accuracies",
    "rational_update",
    "refit",
    "required_trajectories",
    "required_trajectories_limit",
    "right_path_share",
    "right_path_share_gain",
    "right_probability",
    "rounds_bracket",
    "rounds_by_integral",
    "rounds_by_two_regimes",
    "rounds_to_target",
    "rounds_two_steps",
    "row_variance",
    "sampled_chain",
    "sampled_round",
    "slow_phase",
    "slow_phase_exact",
    "slow_phase_few_states",
    "slow_phase_many_states",
    "smoothed_fixed_points",
    "smoothed_fixed_points_estimate",
    "smoothed_update",
    "smoothing_level",
    "smoothing_weight",
    "tables_from_maps",
    "tables_right_path_share",
    "target_log_ratio",
    "temper",
    "temper_tables",
    "temperature_threshold",
    "temperature_threshold_estimate",
    "tempered_rounds_bound",
    "tempered_update",
    "transition_weights",
    "two_state_agreements",
    "two_state_limit",
    "two_step_log_ratio",
    "two_step_weights",
    "two_step_weights_update",
    "uniform_hint_end_rate",
    "uniform_hint_update",
    "update",
    "update_log_ratio",
    "verifier_reward",
    "visit_probability",
    "witness",
    "wrong_path_rate",
    "wrong_path_share",
    "wrong_probability",
]
