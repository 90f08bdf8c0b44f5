r"""Mid-training simulated: pruned option sets, planning, latents discovered in text, and the race to a goal.

* :mod:`~sims.mid_training.tasks`: batched draws of demonstrations; which subsets survive, which options are seen.
* :mod:`~sims.mid_training.planning`: value iteration with options, roll-outs, goal locks.
* :mod:`~sims.mid_training.worlds`: the macro world and the skill world.
* :mod:`~sims.mid_training.latents`: sticky latents by exact or hard expectation-maximisation.
* :mod:`~sims.mid_training.sampled`: the E-step by REINFORCE with a window of look-ahead.
* :mod:`~sims.mid_training.segmental`: chunks with explicit durations, for the macro world.
* :mod:`~sims.mid_training.baselines`: n-grams and the full-context tree.
* :mod:`~sims.mid_training.rl`: goal strings by group-relative policy gradient, and its exact flow.
* :mod:`~sims.mid_training.metrics`: agreement of learned latents with the true skills.
* :mod:`~sims.mid_training.miniature`: whole worlds, from demonstrations to reinforcement learning.
"""

from __future__ import annotations

from sims.mid_training.baselines import (
    ngram_log_probabilities,
    ngram_nll,
    tree_probabilities,
)
from sims.mid_training.latents import (
    best_paths,
    expectation_step,
    fit_sticky_latents,
    next_token_log_probabilities,
    sticky_log_likelihoods,
)
from sims.mid_training.metrics import (
    adjusted_mutual_information,
    boundary_f1,
    goal_coverage,
    map_recovery,
)
from sims.mid_training.miniature import (
    SkillWorld,
    compare_with_next_token,
    race_to_goal,
    sweep_switch_penalty,
)
from sims.mid_training.planning import (
    draw_semi_mdp,
    explore_lock,
    goal_lock,
    roll_out_option,
    value_iteration,
)
from sims.mid_training.rl import (
    goal_policy_gradient,
    policy_flow,
)
from sims.mid_training.sampled import (
    fit_look_ahead,
    fit_sampled_latents,
    look_ahead_bound,
    sampled_gradient,
)
from sims.mid_training.segmental import (
    fit_multigram,
    multigram_log_likelihoods,
    multigram_segments,
)
from sims.mid_training.tasks import (
    draw_footprints,
    draw_independent_failures,
    draw_typed_failures,
    draw_unseen_types,
    prune_by_count,
    prune_by_elimination,
)
from sims.mid_training.worlds import (
    affine_maps,
    count_chunks,
    draw_macros,
    draw_skill_tasks,
    draw_skills,
    macro_demonstrations,
    skill_demonstrations,
    skill_emission,
)

__all__ = [
    "SkillWorld",
    "adjusted_mutual_information",
    "affine_maps",
    "best_paths",
    "boundary_f1",
    "compare_with_next_token",
    "count_chunks",
    "draw_footprints",
    "draw_independent_failures",
    "draw_macros",
    "draw_semi_mdp",
    "draw_skill_tasks",
    "draw_skills",
    "draw_typed_failures",
    "draw_unseen_types",
    "expectation_step",
    "explore_lock",
    "fit_look_ahead",
    "fit_multigram",
    "fit_sampled_latents",
    "fit_sticky_latents",
    "goal_coverage",
    "goal_lock",
    "goal_policy_gradient",
    "look_ahead_bound",
    "macro_demonstrations",
    "map_recovery",
    "multigram_log_likelihoods",
    "multigram_segments",
    "next_token_log_probabilities",
    "ngram_log_probabilities",
    "ngram_nll",
    "policy_flow",
    "prune_by_count",
    "prune_by_elimination",
    "race_to_goal",
    "roll_out_option",
    "sampled_gradient",
    "skill_demonstrations",
    "skill_emission",
    "sticky_log_likelihoods",
    "sweep_switch_penalty",
    "tree_probabilities",
    "value_iteration",
]
