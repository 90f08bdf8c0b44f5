"""Engine with one M x M table a step: arbitrary tables, temperature, mixing and hints from the model."""

from __future__ import annotations

import numpy as np

from sims._kernels import kernel
from sims._streams import uniform_pair
from sims.star._sampling import (
    DECISION,
    EVALUATION,
    HINTED,
    PATH,
    accepted,
    answers_of,
    final_class,
    guess_given_answer,
    uniform_of,
)

__all__ = ["run_dense"]


@kernel
def _uniforms(key, stream, step, out):  # type: ignore[no-untyped-def]
    """The first uniforms of a trajectory, as many as `out` has room for."""
    for number in range(0, out.shape[0], 2):
        first, second = uniform_pair(key, stream, step, number >> 1)
        out[number] = first
        if number + 1 < out.shape[0]:
            out[number + 1] = second


@kernel
def _search(cumulative, uniform):  # type: ignore[no-untyped-def]
    """First index whose cumulative weight exceeds uniform times the total."""
    low = 0
    high = cumulative.shape[0] - 1
    target = uniform * cumulative[high]
    while low < high:
        middle = (low + high) >> 1
        if cumulative[middle] > target:
            high = middle
        else:
            low = middle + 1
    return low


@kernel
def _cumulate(tables, temperature, out):  # type: ignore[no-untyped-def]
    """Cumulative rows at the sampling temperature."""
    n_steps, n_states = tables.shape[0], tables.shape[1]
    for step in range(n_steps):
        for state in range(n_states):
            top = 0.0
            for successor in range(n_states):
                top = max(top, tables[step, state, successor])
            total = 0.0
            for successor in range(n_states):
                chance = tables[step, state, successor]
                total += chance if temperature == 1.0 else (chance / top) ** (1.0 / temperature)
                out[step, state, successor] = total
            for successor in range(n_states):
                out[step, state, successor] /= total


@kernel
def _exact_accuracy(tables, law, answers):  # type: ignore[no-untyped-def]
    """J of the tables, O(N M^3)."""
    n_steps, n_states = tables.shape[0], tables.shape[1]
    reached = np.empty(n_states)
    following = np.empty(n_states)
    correct = 0.0
    for start in range(n_states):
        if law[start] == 0.0:
            continue
        reached[:] = tables[0, start]
        for step in range(1, n_steps):
            following[:] = 0.0
            for state in range(n_states):
                chance = reached[state]
                if chance != 0.0:
                    for successor in range(n_states):
                        following[successor] += chance * tables[step, state, successor]
            reached[:] = following
        correct += law[start] * reached[answers[start]]
    return correct


@kernel
def _sample(start_rows, cumulative, maps, uniforms, path):  # type: ignore[no-untyped-def]
    """Draw one path, and say whether every step of it is right."""
    faultless = True
    path[0] = _search(start_rows, uniforms[0])
    for step in range(maps.shape[0]):
        here = path[step]
        path[step + 1] = _search(cumulative[step, here], uniforms[step + 1])
        faultless = faultless and path[step + 1] == maps[step, here]
    return faultless


@kernel
def _sampled_accuracy(  # type: ignore[no-untyped-def]
    key, turn, count, start_rows, cumulative, maps, answers, uniforms, path
):
    """Shares of right answers, and of faultless paths among them, in a sample of its own."""
    n_steps = maps.shape[0]
    answered = 0
    clean = 0
    for trajectory in range(count):
        _uniforms(key, EVALUATION, np.uint64(turn) * np.uint64(count) + np.uint64(trajectory), uniforms)
        faultless = _sample(start_rows, cumulative, maps, uniforms, path)
        if path[n_steps] == answers[path[0]]:
            answered += 1
            clean += 1 if faultless else 0
    return answered / count, clean / answered if answered > 0 else 0.0


@kernel
def _messages(cumulative, answers, out):  # type: ignore[no-untyped-def]
    """Chance of ending right, by step reached, current state and start; O(N M^3)."""
    n_steps, n_states = cumulative.shape[0], cumulative.shape[1]
    for state in range(n_states):
        for start in range(n_states):
            out[n_steps, state, start] = 1.0 if answers[start] == state else 0.0
    for step in range(n_steps - 1, -1, -1):
        for state in range(n_states):
            out[step, state, :] = 0.0
            before = 0.0
            for successor in range(n_states):
                chance = cumulative[step, state, successor] - before
                before = cumulative[step, state, successor]
                if chance != 0.0:
                    for start in range(n_states):
                        out[step, state, start] += chance * out[step + 1, successor, start]


@kernel
def _draw_given_answer(uniform, row, message, start):  # type: ignore[no-untyped-def]
    """Successor drawn from the model's law given that the answer to `start` comes out right."""
    n_states = row.shape[0]
    total = 0.0
    before = 0.0
    for successor in range(n_states):
        total += (row[successor] - before) * message[successor, start]
        before = row[successor]
    target = uniform * total
    total = 0.0
    before = 0.0
    chosen = 0
    for successor in range(n_states):
        weight = (row[successor] - before) * message[successor, start]
        before = row[successor]
        if weight > 0.0:
            chosen = successor
            total += weight
            if total > target:
                break
    return chosen


@kernel
def run_dense(  # type: ignore[no-untyped-def]
    key,
    tables,
    maps,
    law,
    count,
    n_rounds,
    false_negative,
    false_positive,
    temperature,
    smoothing,
    mixing,
    hint,
    hint_from_model,
    exact,
    accuracy,
    path_share,
    step_right,
    kept_counts,
    lost,
    unvisited,
):
    """One replicate from arbitrary tables, which it overwrites; fills the output rows, returns the final class.

    State: tables and their cumulative rows (N M^2 each), kept paths ((N+1) K), for hints from the
    model (N+1) M^2 messages. Time O(K N log M + N M^2) a round, plus O(N M^3) for exact J or such hints.
    """
    n_steps, n_states = maps.shape
    answers = np.empty(n_states, dtype=np.int64)
    answers_of(maps, answers)
    start_rows = np.cumsum(law)
    cumulative = np.empty((n_steps, n_states, n_states))
    model_hints = hint > 0.0 and hint_from_model
    messages = np.empty((n_steps + 1 if model_hints else 1, n_states if model_hints else 1, n_states))
    paths = np.empty((n_steps + 1, count), dtype=np.int32)
    path = np.empty(n_steps + 1, dtype=np.int64)
    uniforms = np.empty(n_steps + 1)
    visits = np.empty(n_states, dtype=np.int64)
    sure_paths = 0.0
    for turn in range(n_rounds + 1):
        sure_paths = 0.0
        for start in range(n_states):
            chance = law[start]
            here = start
            for step in range(n_steps):
                chance *= tables[step, here, maps[step, here]]
                here = maps[step, here]
            sure_paths += chance
        for step in range(n_steps):
            total = 0.0
            for state in range(n_states):
                right_chance = tables[step, state, maps[step, state]]
                total += right_chance
                if right_chance == 0.0:
                    lost[turn] += 1
            step_right[turn, step] = total / n_states
        if exact:
            accuracy[turn] = min(_exact_accuracy(tables, law, answers), 1.0)
            path_share[turn] = min(sure_paths / accuracy[turn], 1.0) if accuracy[turn] > 0.0 else 0.0
            if turn == n_rounds:
                break

        apart = not exact and temperature != 1.0  # J is that of the model at temperature 1
        if apart:
            _cumulate(tables, 1.0, cumulative)
            accuracy[turn], path_share[turn] = _sampled_accuracy(
                key, turn, count, start_rows, cumulative, maps, answers, uniforms, path
            )
            if turn == n_rounds:
                break
        _cumulate(tables, temperature, cumulative)
        if model_hints:
            _messages(cumulative, answers, messages)
        kept = 0
        answered = 0
        clean = 0
        for trajectory in range(count):
            address = np.uint64(turn) * np.uint64(count) + np.uint64(trajectory)
            _uniforms(key, PATH, address, uniforms)
            faultless = _sample(start_rows, cumulative, maps, uniforms, path)
            correct = path[n_steps] == answers[path[0]]
            if correct:
                answered += 1
                clean += 1 if faultless else 0
            accept = accepted(key, address, correct, false_negative, false_positive)
            if hint > 0.0 and not correct and uniform_of(key, DECISION, address, 1) < hint:
                if not hint_from_model:
                    accept = True
                    guess_given_answer(key, address, answers, path)
                elif messages[0, path[0], path[0]] > 0.0:
                    accept = True
                    for number in range(1, n_steps + 1):
                        path[number] = _draw_given_answer(
                            uniform_of(key, HINTED, address, number),
                            cumulative[number - 1, path[number - 1]],
                            messages[number],
                            path[0],
                        )
            if accept:
                for number in range(n_steps + 1):
                    paths[number, kept] = path[number]
                kept += 1
        if not exact and not apart:
            accuracy[turn] = answered / count
            path_share[turn] = clean / answered if answered > 0 else 0.0
            if turn == n_rounds:
                break

        kept_counts[turn + 1] = kept
        cumulative[:] = 0.0  # from here on it holds the kept counts
        for step in range(n_steps):
            visits[:] = 0
            for index in range(kept):
                here = paths[step, index]
                visits[here] += 1
                cumulative[step, here, paths[step + 1, index]] += 1.0
            for state in range(n_states):
                if visits[state] == 0:
                    unvisited[turn + 1] += 1
                    continue
                scale = visits[state] + smoothing * n_states
                for successor in range(n_states):
                    fitted = (cumulative[step, state, successor] + smoothing) / scale
                    if mixing > 0.0:
                        fitted = (1.0 - mixing) * fitted + mixing * tables[step, state, successor]
                    tables[step, state, successor] = fitted
    return final_class(sure_paths, accuracy[n_rounds])
