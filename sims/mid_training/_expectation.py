"""Kernels of expectation-maximisation for sticky latents.

Emission tables and counts are indexed (previous token, token, latent), so that inner loops run over adjacent numbers.
"""

from __future__ import annotations

import math

import numpy as np

from sims._kernels import kernel
from sims.mid_training._draws import uniform

__all__ = ["ALPHA_MAX", "SMALLEST", "work_arrays"]

ALPHA_MAX = 1.0 - 1e-12  # keeps a switch possible, hence messages and logarithms finite
SMALLEST = 1e-100  # least emission probability: products of scales then stay above the smallest float


@kernel
def _soft_pass(tokens, emission, alpha, forward, message, gain, counts, per_line):  # type: ignore[no-untyped-def]
    """Scaled forward-backward over all lines: adds expected counts, returns expected switches; log-likelihoods per
    line.

    emission and counts are indexed (previous token, token, latent), so that the inner loops run over adjacent numbers.
    The work arrays are the forward laws of one line (T - 1, K), their scales, and two rows.
    """
    n_lines, length = tokens.shape
    n_latents = emission.shape[2]
    move = (1.0 - alpha) / n_latents
    stay = alpha + move
    switches = 0.0
    for i in range(n_lines):
        total_log, product = 0.0, 1.0
        for t in range(length - 1):
            x, a = tokens[i, t], tokens[i, t + 1]
            scale = 0.0
            if t == 0:
                for z in range(n_latents):
                    forward[0, z] = emission[x, a, z] / n_latents
                    scale += forward[0, z]
            else:
                for z in range(n_latents):
                    forward[t, z] = (alpha * forward[t - 1, z] + move) * emission[x, a, z]
                    scale += forward[t, z]
            inverse = 1.0 / scale
            for z in range(n_latents):
                forward[t, z] *= inverse
            gain[t] = inverse
            product *= scale
            if product < 1e-200:
                total_log += math.log(product)
                product = 1.0
        per_line[i] = total_log + math.log(product)
        for z in range(n_latents):
            message[z] = 1.0
        for t in range(length - 2, -1, -1):
            x, a = tokens[i, t], tokens[i, t + 1]
            total = 0.0
            for z in range(n_latents):
                counts[x, a, z] += forward[t, z] * message[z]
                message[z] *= emission[x, a, z] * gain[t]
                total += message[z]
            if t > 0:
                same = 0.0
                drift = move * total
                for z in range(n_latents):
                    same += forward[t - 1, z] * message[z]
                    message[z] = alpha * message[z] + drift
                switches += 1.0 - stay * same
    return switches


@kernel
def _best_line(line, log_emission, penalty, score, back, path):  # type: ignore[no-untyped-def]
    """Best latent path of one line at a price per switch (ties stay); returns its penalised score.

    Memory: one back pointer per step and latent.
    """
    n_latents = log_emission.shape[2]
    steps = line.shape[0] - 1
    for z in range(n_latents):
        score[z] = log_emission[line[0], line[1], z]
    for t in range(1, steps):
        best = 0
        for z in range(1, n_latents):
            if score[z] > score[best]:
                best = z
        entering = score[best] - penalty
        for z in range(n_latents):
            if score[z] >= entering:
                back[t, z] = z
            else:
                back[t, z] = best
                score[z] = entering
            score[z] += log_emission[line[t], line[t + 1], z]
    best = 0
    for z in range(1, n_latents):
        if score[z] > score[best]:
            best = z
    path[steps - 1] = best
    for t in range(steps - 1, 0, -1):
        path[t - 1] = back[t, path[t]]
    return score[best]


@kernel
def _hard_pass(tokens, emission, alpha, log_emission, score, back, path, counts, per_line):  # type: ignore[no-untyped-def]
    """Best path of every line: adds its counts, returns its switches; joint log-probabilities per line."""
    n_lines, length = tokens.shape
    n_latents = emission.shape[2]
    for x in range(emission.shape[0]):
        for a in range(emission.shape[1]):
            for z in range(n_latents):
                log_emission[x, a, z] = math.log(emission[x, a, z])
    penalty = math.log1p(n_latents * alpha / (1.0 - alpha))
    constant = -math.log(n_latents) - (length - 2) * math.log1p((n_latents - 1) * math.exp(-penalty))
    switches = 0.0
    for i in range(n_lines):
        per_line[i] = _best_line(tokens[i], log_emission, penalty, score, back, path) + constant
        for t in range(length - 1):
            counts[tokens[i, t], tokens[i, t + 1], path[t]] += 1.0
            if t > 0 and path[t] != path[t - 1]:
                switches += 1.0
    return switches


@kernel
def _normalise(counts, pseudo_count, emission):  # type: ignore[no-untyped-def]
    """Rows proportional to counts plus the pseudo-count."""
    size, _, n_latents = counts.shape
    for x in range(size):
        for z in range(n_latents):
            total = 0.0
            for a in range(size):
                total += counts[x, a, z] + pseudo_count
            for a in range(size):
                emission[x, a, z] = (counts[x, a, z] + pseudo_count) / total


@kernel
def _log_prior(emission, pseudo_count):  # type: ignore[no-untyped-def]
    """Sum of the logarithms of the emission table times the pseudo-count."""
    total, product = 0.0, 1.0
    for x in range(emission.shape[0]):
        for a in range(emission.shape[1]):
            for z in range(emission.shape[2]):
                product *= emission[x, a, z]
                if product < 1e-200:
                    total += math.log(product)
                    product = 1.0
    return pseudo_count * (total + math.log(product))


@kernel
def _total(values):  # type: ignore[no-untyped-def]
    total = 0.0
    for i in range(values.shape[0]):
        total += values[i]
    return total


@kernel
def _iterate(tokens, emission, alpha, learn, hard, pseudo_count, n_iterations, tolerance, work, trace):  # type: ignore[no-untyped-def]
    """Alternate E- and M-steps in place; returns (iterations, alpha, last objective).

    The objective is taken before each M-step, so the last one belongs to the parameters before the last M-step; with
    n_iterations = 0 a single E-step evaluates the parameters as they are. Stops early when a gain is below the
    tolerance.
    """
    counts, forward, message, gain, per_line, log_emission, score, back, path = work
    n_latents = emission.shape[2]
    n_moves = tokens.shape[0] * (tokens.shape[1] - 2)
    objective, before = 0.0, -np.inf
    done = 0
    for iteration in range(max(n_iterations, 1)):
        counts[:] = 0.0
        if hard:
            switches = _hard_pass(tokens, emission, alpha, log_emission, score, back, path, counts, per_line)
        else:
            switches = _soft_pass(tokens, emission, alpha, forward, message, gain, counts, per_line)
        objective = _total(per_line[: tokens.shape[0]]) + _log_prior(emission, pseudo_count)
        if iteration < trace.shape[0]:
            trace[iteration] = objective
        if n_iterations == 0:
            break
        done = iteration + 1
        _normalise(counts, pseudo_count, emission)
        if learn and n_moves > 0 and n_latents > 1:
            alpha = min(max(1.0 - switches / n_moves * n_latents / (n_latents - 1.0), 0.0), ALPHA_MAX)
        if objective - before < tolerance:
            break
        before = objective
    return done, alpha, objective


@kernel
def _random_start(key, restart, tokens, counts, emission):  # type: ignore[no-untyped-def]
    """Rows with exponential weights times one plus the bigram counts of the text."""
    counts[:] = 0.0
    size, _, n_latents = emission.shape
    for i in range(tokens.shape[0]):
        for t in range(tokens.shape[1] - 1):
            counts[tokens[i, t], tokens[i, t + 1], 0] += 1.0
    for x in range(size):
        for z in range(n_latents):
            total = 0.0
            for a in range(size):
                weight = -math.log(1.0 - uniform(key, restart, x * size + a, z))
                emission[x, a, z] = (0.1 + counts[x, a, 0]) * (weight + 1e-3)
                total += emission[x, a, z]
            for a in range(size):
                emission[x, a, z] /= total


@kernel
def _swap_rows(emission, x, j, k):  # type: ignore[no-untyped-def]
    for a in range(emission.shape[1]):
        kept = emission[x, a, j]
        emission[x, a, j] = emission[x, a, k]
        emission[x, a, k] = kept


@kernel
def _row_swaps(tokens, emission, alpha, learn, hard, pseudo_count, tolerance, n_passes, work, trace, trial):  # type: ignore[no-untyped-def]
    """Try to exchange two latents at one token, three iterations each, and keep what raises the objective."""
    size, _, n_latents = emission.shape
    _, _, best = _iterate(tokens, emission, alpha, learn, hard, pseudo_count, 0, tolerance, work, trace)
    visited = np.zeros(size, dtype=np.bool_)
    for i in range(tokens.shape[0]):
        for t in range(tokens.shape[1] - 1):
            visited[tokens[i, t]] = True
    for _ in range(n_passes):
        improved = False
        for x in range(size):
            if not visited[x]:
                continue
            for j in range(n_latents):
                for k in range(j + 1, n_latents):
                    trial[:] = emission
                    _swap_rows(trial, x, j, k)
                    _, trial_alpha, _ = _iterate(
                        tokens, trial, alpha, learn, hard, pseudo_count, 3, -np.inf, work, trace[:0]
                    )
                    _, _, value = _iterate(
                        tokens, trial, trial_alpha, learn, hard, pseudo_count, 0, tolerance, work, trace[:0]
                    )
                    if value > best + tolerance:
                        emission[:] = trial
                        alpha, best, improved = trial_alpha, value, True
        if not improved:
            break
    return alpha, best


@kernel
def _fit(  # type: ignore[no-untyped-def]
    key,
    tokens,
    n_small,
    alpha_start,
    learn,
    hard,
    pseudo_count,
    n_restarts,
    restart_iterations,
    swap_passes,
    n_iterations,
    tolerance,
    emission,
    trial,
    best_emission,
    objectives,
    work,
    trace,
):
    """Restarts on the first n_small lines, each with row swaps; the best one is polished on all lines."""
    small = tokens[:n_small]
    best, best_alpha = -np.inf, alpha_start
    for restart in range(n_restarts):
        _random_start(key, restart, small, work[0], emission)
        _, alpha, _ = _iterate(
            small, emission, alpha_start, learn, hard, pseudo_count, restart_iterations, tolerance, work, trace
        )
        alpha, objective = _row_swaps(
            small, emission, alpha, learn, hard, pseudo_count, tolerance, swap_passes, work, trace, trial
        )
        objectives[restart] = objective
        if objective > best:
            best, best_alpha = objective, alpha
            best_emission[:] = emission
    emission[:] = best_emission
    return _iterate(tokens, emission, best_alpha, learn, hard, pseudo_count, n_iterations, tolerance, work, trace)


@kernel
def _predict(lines, emission, alpha, law, out):  # type: ignore[no-untyped-def]
    """Log-probability of every possible next token along each line; memory: the output."""
    size, _, n_latents = emission.shape
    move = (1.0 - alpha) / n_latents
    for i in range(lines.shape[0]):
        for z in range(n_latents):
            law[z] = 1.0 / n_latents
        for t in range(lines.shape[1] - 1):
            x = lines[i, t]
            for a in range(size):
                total = 0.0
                for z in range(n_latents):
                    total += law[z] * emission[x, a, z]
                out[i, t, a] = math.log(total)
            scale = 0.0
            for z in range(n_latents):
                law[z] *= emission[x, lines[i, t + 1], z]
                scale += law[z]
            for z in range(n_latents):
                law[z] = alpha * law[z] / scale + move


def work_arrays(n_lines: int, length: int, size: int, n_latents: int) -> tuple[np.ndarray, ...]:
    """Allocate what one fit needs: O(A^2 K + T K + lines) numbers."""
    return (
        np.zeros((size, size, n_latents)),
        np.empty((length - 1, n_latents)),
        np.empty(n_latents),
        np.empty(length - 1),
        np.empty(n_lines),
        np.empty((size, size, n_latents)),
        np.empty(n_latents),
        np.empty((length - 1, n_latents), dtype=np.int64),
        np.empty(length - 1, dtype=np.int64),
    )
