"""Draws and measurements that both engines share."""

from __future__ import annotations

import numpy as np

from sims._kernels import kernel
from sims._streams import uniform_pair

__all__ = ["ALL_RIGHT", "BELOW_ONE", "CELL", "RIGHT_BY_WRONG_STEPS", "answers_of", "final_class", "uniform_of"]

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


@kernel
def index_below(uniform, size):  # type: ignore[no-untyped-def]
    """A uniform index in [0, size)."""
    index = np.int64(uniform * size)
    return index if index < size else size - 1
