"""Draws and measurements that both engines share."""

from __future__ import annotations

import numpy as np

from sims._kernels import kernel
from sims._streams import uniform_pair

__all__ = [
    "ALL_RIGHT",
    "BELOW_ONE",
    "CELL",
    "DECISION",
    "EVALUATION",
    "HINTED",
    "PATH",
    "RIGHT_BY_WRONG_STEPS",
    "accepted",
    "answers_of",
    "final_class",
    "guess_given_answer",
    "index_below",
    "uniform_of",
]

CELL = 41  # names this experiment in the keys
# streams: the path's own draws, verifier and hint decisions, the hinted path, a sample for measuring only
PATH, DECISION, HINTED, EVALUATION = 0, 1, 2, 3
ALL_RIGHT, RIGHT_BY_WRONG_STEPS, BELOW_ONE = 0, 1, 2
SURE = 1.0 - 1e-9  # accuracies of finite counts never lie this close below 1; rounding does


@kernel
def uniform_of(key, stream, step, number):  # type: ignore[no-untyped-def]
    """Uniform `number` of a trajectory: two to a block."""
    first, second = uniform_pair(key, stream, step, number >> 1)
    return second if number & 1 else first


@kernel
def index_below(uniform, size):  # type: ignore[no-untyped-def]
    """A uniform index in [0, size)."""
    index = np.int64(uniform * size)
    return index if index < size else size - 1


@kernel
def accepted(key, step, correct, false_negative, false_positive):  # type: ignore[no-untyped-def]
    """Whether the verifier lets an answer pass; it draws only where it may err."""
    if correct:
        return false_negative == 0.0 or uniform_of(key, DECISION, step, 0) >= false_negative
    return false_positive > 0.0 and uniform_of(key, DECISION, step, 0) < false_positive


@kernel
def guess_given_answer(key, step, answers, path):  # type: ignore[no-untyped-def]
    """Replace a path by one that guesses up to its last step and ends right."""
    last = path.shape[0] - 1
    for number in range(1, last):
        path[number] = index_below(uniform_of(key, HINTED, step, number), answers.shape[0])
    path[last] = answers[path[0]]


@kernel
def answers_of(maps, out):  # type: ignore[no-untyped-def]
    """Right answer of every start."""
    for start in range(maps.shape[1]):
        here = start
        for step in range(maps.shape[0]):
            here = maps[step, here]
        out[start] = here


@kernel
def final_class(paths_right, accuracy):  # type: ignore[no-untyped-def]
    """0: every step right; 1: right answers only, by wrong steps; 2: accuracy below 1."""
    if paths_right >= SURE:
        return ALL_RIGHT
    return RIGHT_BY_WRONG_STEPS if accuracy >= SURE else BELOW_ONE
