"""Engine without tables: a refit row is the list of its kept successors, and a draw picks one of them.

Sampling from empirical frequencies is picking a kept trajectory that passes the row, so a round
needs no M x M array: K trajectories of N draws in constant time each, and two counting passes. Rows
that were never refit follow the symmetric law they started from.
"""

from __future__ import annotations

import numpy as np

from sims._kernels import kernel
from sims._streams import uniform_pair
from sims.star._sampling import (
    DECISION,
    PATH,
    accepted,
    answers_of,
    final_class,
    guess_given_answer,
    index_below,
    uniform_of,
)

__all__ = ["run_sparse"]


@kernel
def _draw(uniform, right, alpha, first, length, bucket, smoothing, n_states):  # type: ignore[no-untyped-def]
    """Successor of one state: from its bucket of kept successors, or from the symmetric law."""
    if length == 0:
        if uniform < alpha:
            return right
        wrong = index_below((uniform - alpha) / (1.0 - alpha), n_states - 1)
        return wrong if wrong < right else wrong + 1
    if smoothing > 0.0:
        weight = smoothing * n_states / (length + smoothing * n_states)
        if uniform < weight:
            return index_below(uniform / weight, n_states)
        uniform = (uniform - weight) / (1.0 - weight)
    return np.int64(bucket[first + index_below(uniform, length)])


@kernel
def _exact_accuracy(maps, alphas, firsts, lengths, arena, smoothing, answers):  # type: ignore[no-untyped-def]
    """J of the current rows, by dense products: O(N (M^3 + K)); only for few states."""
    n_steps, n_states = maps.shape
    reached = np.empty((n_states, n_states))
    following = np.empty((n_states, n_states))
    table = np.empty((n_states, n_states))
    correct = 0.0
    for step in range(n_steps):
        for state in range(n_states):
            length = lengths[step, state]
            if length == 0:
                table[state, :] = (1.0 - alphas[step]) / (n_states - 1)
                table[state, maps[step, state]] = alphas[step]
            else:
                scale = 1.0 / (length + smoothing * n_states)
                table[state, :] = 0.0
                for entry in range(firsts[step, state], firsts[step, state] + length):
                    table[state, arena[step, entry]] += 1.0
                for successor in range(n_states):  # counts stay whole until here, so that sure rows are exactly 1
                    table[state, successor] = (table[state, successor] + smoothing) * scale
        if step == n_steps - 1:
            for start in range(n_states):
                if n_steps == 1:
                    correct += table[start, answers[start]]
                else:
                    for state in range(n_states):
                        correct += reached[start, state] * table[state, answers[start]]
        elif step == 0:
            reached[:, :] = table
        else:
            for start in range(n_states):
                following[start, :] = 0.0
                for state in range(n_states):
                    chance = reached[start, state]
                    if chance != 0.0:
                        for successor in range(n_states):
                            following[start, successor] += chance * table[state, successor]
            reached, following = following, reached
    return correct / n_states


@kernel
def _compact(firsts, lengths, arena, used, room):  # type: ignore[no-untyped-def]
    """Copy the live buckets into a new arena with `room` free entries and as many again as live ones."""
    n_steps, n_states = firsts.shape
    live = 0
    for step in range(n_steps):
        total = 0
        for state in range(n_states):
            total += lengths[step, state]
        live = max(live, total)
    fresh = np.empty((n_steps, 2 * live + room), dtype=np.int32)
    for step in range(n_steps):
        position = 0
        for state in range(n_states):
            first = firsts[step, state]
            firsts[step, state] = position
            for entry in range(first, first + lengths[step, state]):
                fresh[step, position] = arena[step, entry]
                position += 1
        used[step] = position
    return fresh


@kernel
def run_sparse(  # type: ignore[no-untyped-def]
    key,
    alphas,
    maps,
    count,
    n_rounds,
    false_negative,
    false_positive,
    smoothing,
    hint,
    exact,
    accuracy,
    path_share,
    step_right,
    kept_counts,
    lost,
    unvisited,
):
    """One replicate from symmetric rows; fills the output rows and returns the final class.

    State: two integers a row (N M), the arena of kept successors (at most a few K entries a step) and
    the kept paths of the round ((N+1) K). Time O(K N + N M) a round, plus O(N M^3) where J is exact.
    """
    n_steps, n_states = maps.shape
    answers = np.empty(n_states, dtype=np.int64)
    answers_of(maps, answers)
    firsts = np.zeros((n_steps, n_states), dtype=np.int64)
    lengths = np.zeros((n_steps, n_states), dtype=np.int64)
    counts = np.zeros(n_states, dtype=np.int64)
    rights = np.empty((n_steps, n_states))
    for step in range(n_steps):
        rights[step, :] = alphas[step]
    arena = np.empty((n_steps, count), dtype=np.int32)
    used = np.zeros(n_steps, dtype=np.int64)
    paths = np.empty((n_steps + 1, count), dtype=np.int32)
    path = np.empty(n_steps + 1, dtype=np.int64)
    sure_paths = 0.0
    for turn in range(n_rounds + 1):
        sure_paths = 0.0
        for start in range(n_states):
            chance = 1.0
            here = start
            for step in range(n_steps):
                chance *= rights[step, here]
                here = maps[step, here]
            sure_paths += chance
        sure_paths /= n_states
        for step in range(n_steps):
            total = 0.0
            for state in range(n_states):
                total += rights[step, state]
                if rights[step, state] == 0.0:
                    lost[turn] += 1
            step_right[turn, step] = total / n_states
        if exact:
            accuracy[turn] = _exact_accuracy(maps, alphas, firsts, lengths, arena, smoothing, answers)
            path_share[turn] = min(sure_paths / accuracy[turn], 1.0) if accuracy[turn] > 0.0 else 0.0
            if turn == n_rounds:
                break

        kept = 0
        answered = 0
        clean = 0
        for trajectory in range(count):
            address = np.uint64(turn) * np.uint64(count) + np.uint64(trajectory)
            second = 0.0
            faultless = True
            for number in range(n_steps + 1):  # pair by pair: a row of all draws would cost a quarter of the speed
                if number & 1:
                    uniform = second
                else:
                    uniform, second = uniform_pair(key, PATH, address, number >> 1)
                if number == 0:
                    path[0] = index_below(uniform, n_states)
                else:
                    step = number - 1
                    here = path[step]
                    right = maps[step, here]
                    path[number] = _draw(
                        uniform,
                        right,
                        alphas[step],
                        firsts[step, here],
                        lengths[step, here],
                        arena[step],
                        smoothing,
                        n_states,
                    )
                    faultless = faultless and path[number] == right
            correct = path[n_steps] == answers[path[0]]
            if correct:
                answered += 1
                clean += 1 if faultless else 0
            accept = accepted(key, address, correct, false_negative, false_positive)
            if hint > 0.0 and not correct and uniform_of(key, DECISION, address, 1) < hint:
                accept = True
                guess_given_answer(key, address, answers, path)
            if accept:
                for number in range(n_steps + 1):
                    paths[number, kept] = path[number]
                kept += 1
        if not exact:
            accuracy[turn] = answered / count
            path_share[turn] = clean / answered if answered > 0 else 0.0
            if turn == n_rounds:
                break

        kept_counts[turn + 1] = kept
        for step in range(n_steps):
            if used[step] + kept > arena.shape[1]:
                arena = _compact(firsts, lengths, arena, used, count)
                break
        for step in range(n_steps):
            counts[:] = 0
            for index in range(kept):
                counts[paths[step, index]] += 1
            position = used[step]
            for state in range(n_states):
                if counts[state] == 0:
                    unvisited[turn + 1] += 1
                    continue
                firsts[step, state] = position
                lengths[step, state] = counts[state]
                position += counts[state]
                counts[state] = 0
                rights[step, state] = 0.0
            used[step] = position
            for index in range(kept):
                here = paths[step, index]
                following = paths[step + 1, index]
                arena[step, firsts[step, here] + counts[here]] = following
                counts[here] += 1
                if following == maps[step, here]:
                    rights[step, here] += 1.0
            for state in range(n_states):
                if counts[state] > 0:
                    rights[step, state] = (rights[step, state] + smoothing) / (counts[state] + smoothing * n_states)
    return final_class(sure_paths, accuracy[n_rounds])
