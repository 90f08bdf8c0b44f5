"""Kernels of the sampled E-step: look-ahead policies over latents, gradients by sampling and by dynamic programming."""

from __future__ import annotations

import math

import numpy as np

from sims._kernels import kernel
from sims.mid_training._draws import uniform
from sims.mid_training._expectation import ALPHA_MAX, _normalise, _random_start, _soft_pass

__all__ = ["WEIGHT_MAX"]

WEIGHT_MAX = 60.0  # weights stay inside, so that no exponential overflows


@kernel
def _prepare(line, log_emission, weights, ell, base, total, means):  # type: ignore[no-untyped-def]
    """Unnormalised policy of one line without the stay bonus: exp weights, their sums and the sums of the features."""
    n_latents = log_emission.shape[2]
    steps = line.shape[0] - 1
    reach = weights.shape[0] - 1
    for t in range(steps):
        for z in range(n_latents):
            ell[t, z] = log_emission[line[t], line[t + 1], z]
    for t in range(steps):
        top = -np.inf
        for z in range(n_latents):
            logit = 0.0
            for j in range(min(reach, steps - t)):
                logit += weights[j] * ell[t + j, z]
            base[t, z] = logit
            top = max(top, logit)
        total[t] = 0.0
        for j in range(reach):
            means[t, j] = 0.0
        for z in range(n_latents):
            base[t, z] = math.exp(base[t, z] - top)
            total[t] += base[t, z]
            for j in range(min(reach, steps - t)):
                means[t, j] += base[t, z] * ell[t + j, z]


@kernel
def _sample_pass(  # type: ignore[no-untyped-def]
    key, stream, tokens, log_emission, alpha, weights, group, line_work, path_work, gradient, counts, tally
):
    """Draw `group` latent paths of every line; adds the REINFORCE gradient, or the counts if `tally`.

    Returns (mean return over all lines, mean switches). Memory: O(T K) for a line and O(T group W) for its paths.
    """
    ell, base, total, means = line_work
    path, reward, feature = path_work
    n_latents = log_emission.shape[2]
    steps = tokens.shape[1] - 1
    reach = weights.shape[0] - 1
    bonus = math.exp(weights[reach])
    move = (1.0 - alpha) / n_latents
    log_stay, log_move, log_first = math.log(alpha + move), math.log(move), -math.log(n_latents)
    bound, switches = 0.0, 0.0
    for i in range(tokens.shape[0]):
        _prepare(tokens[i], log_emission, weights, ell, base, total, means)
        for g in range(group):
            previous = -1
            for t in range(steps):
                extra = base[t, previous] * (bonus - 1.0) if t > 0 else 0.0
                norm = total[t] + extra
                u = uniform(key, stream, i * steps + t, g) * norm
                z = n_latents - 1
                for k in range(n_latents):
                    u -= base[t, k] * bonus if k == previous else base[t, k]
                    if u < 0.0:
                        z = k
                        break
                mass = base[t, z] * bonus if z == previous else base[t, z]
                log_prior = log_first if t == 0 else (log_stay if z == previous else log_move)
                reward[t, g] = ell[t, z] + log_prior - math.log(mass / norm)
                for j in range(reach):
                    if t + j < steps:
                        mean = (means[t, j] + (extra * ell[t + j, previous] if t > 0 else 0.0)) / norm
                        feature[t, g, j] = ell[t + j, z] - mean
                    else:
                        feature[t, g, j] = 0.0
                if t > 0:
                    feature[t, g, reach] = (1.0 if z == previous else 0.0) - base[t, previous] * bonus / norm
                    if z != previous:
                        switches += 1.0
                else:
                    feature[t, g, reach] = 0.0
                path[t, g] = z
                previous = z
        for g in range(group):
            for t in range(steps - 2, -1, -1):
                reward[t, g] += reward[t + 1, g]
            bound += reward[0, g]
        if tally:
            for g in range(group):
                for t in range(steps):
                    counts[tokens[i, t], tokens[i, t + 1], path[t, g]] += 1.0 / group
        else:
            for t in range(steps):
                everyone = 0.0
                for g in range(group):
                    everyone += reward[t, g]
                for g in range(group):
                    advantage = reward[t, g] - (everyone - reward[t, g]) / (group - 1)
                    for f in range(reach + 1):
                        gradient[f] += advantage * feature[t, g, f] / group
    return bound / group, switches / group


@kernel
def _exact_pass(tokens, log_emission, alpha, weights, line_work, marginal, onward, fresh, gradient):  # type: ignore[no-untyped-def]
    """Bound and exact gradient by dynamic programming over pairs of latents: O(T K^2 W) per line."""
    ell, base, total, means = line_work
    n_latents = log_emission.shape[2]
    steps = tokens.shape[1] - 1
    reach = weights.shape[0] - 1
    bonus = math.exp(weights[reach])
    move = (1.0 - alpha) / n_latents
    log_stay, log_move, log_first = math.log(alpha + move), math.log(move), -math.log(n_latents)
    bound = 0.0
    for i in range(tokens.shape[0]):
        _prepare(tokens[i], log_emission, weights, ell, base, total, means)
        for z in range(n_latents):
            marginal[0, z] = base[0, z] / total[0]
        for t in range(1, steps):
            for z in range(n_latents):
                marginal[t, z] = 0.0
            for p in range(n_latents):
                norm = total[t] + base[t, p] * (bonus - 1.0)
                for z in range(n_latents):
                    mass = base[t, z] * bonus if z == p else base[t, z]
                    marginal[t, z] += marginal[t - 1, p] * mass / norm
        for z in range(n_latents):
            onward[z] = 0.0
        for t in range(steps - 1, -1, -1):
            for p in range(n_latents if t > 0 else 1):
                extra = base[t, p] * (bonus - 1.0) if t > 0 else 0.0
                norm = total[t] + extra
                reached = marginal[t - 1, p] if t > 0 else 1.0
                value = 0.0
                for z in range(n_latents):
                    mass = base[t, z] * bonus if t > 0 and z == p else base[t, z]
                    log_prior = log_first if t == 0 else (log_stay if z == p else log_move)
                    if mass > 0.0:
                        value += mass / norm * (ell[t, z] + log_prior - math.log(mass / norm) + onward[z])
                for z in range(n_latents):
                    mass = base[t, z] * bonus if t > 0 and z == p else base[t, z]
                    if mass == 0.0:
                        continue
                    log_prior = log_first if t == 0 else (log_stay if z == p else log_move)
                    advantage = ell[t, z] + log_prior - math.log(mass / norm) + onward[z] - value
                    share = reached * mass / norm * advantage
                    for j in range(min(reach, steps - t)):
                        mean = (means[t, j] + (extra * ell[t + j, p] if t > 0 else 0.0)) / norm
                        gradient[j] += share * (ell[t + j, z] - mean)
                    if t > 0:
                        gradient[reach] += share * ((1.0 if z == p else 0.0) - base[t, p] * bonus / norm)
                fresh[p] = value
            if t == 0:
                bound += fresh[0]
            else:
                for z in range(n_latents):
                    onward[z] = fresh[z]
    return bound


@kernel
def _adam(weights, gradient, first, second, step, rate):  # type: ignore[no-untyped-def]
    """One ascent step (Kingma and Ba, 2015), weights kept inside their box."""
    for f in range(weights.shape[0]):
        first[f] = 0.9 * first[f] + 0.1 * gradient[f]
        second[f] = 0.999 * second[f] + 0.001 * gradient[f] * gradient[f]
        corrected = first[f] / (1.0 - 0.9**step)
        scale = math.sqrt(second[f] / (1.0 - 0.999**step)) + 1e-8
        weights[f] = min(max(weights[f] + rate * corrected / scale, -WEIGHT_MAX), WEIGHT_MAX)


@kernel
def _climb(  # type: ignore[no-untyped-def]
    key, tokens, log_emission, alpha, weights, sampled, group, n_steps, rate, line_work, path_work, chain_work, counts
):
    """Raise the bound over the policy's weights at a fixed model."""
    gradient, first, second = np.zeros_like(weights), np.zeros_like(weights), np.zeros_like(weights)
    marginal, onward, fresh = chain_work
    per_token = 1.0 / (tokens.shape[0] * (tokens.shape[1] - 1))
    for step in range(n_steps):
        gradient[:] = 0.0
        if sampled:
            _sample_pass(
                key, step, tokens, log_emission, alpha, weights, group, line_work, path_work, gradient, counts, False
            )
        else:
            _exact_pass(tokens, log_emission, alpha, weights, line_work, marginal, onward, fresh, gradient)
        gradient *= per_token
        _adam(weights, gradient, first, second, step + 1, rate)


@kernel
def _fit_sampled(  # type: ignore[no-untyped-def]
    key_start, key, tokens, alpha_start, learn, pseudo_count, n_restarts, n_rounds, n_steps, group, rate,
    line_work, path_work, work, emission, log_emission, weights, best_emission, best_weights, likelihoods,
):  # fmt: skip
    """Expectation-maximisation with the sampled E-step; the best restart by the exact likelihood of the text wins."""
    counts, forward, message, gain, per_line = work
    size, _, n_latents = emission.shape
    n_moves = tokens.shape[0] * (tokens.shape[1] - 2)
    per_token = 1.0 / (tokens.shape[0] * (tokens.shape[1] - 1))
    gradient, first, second = np.zeros_like(weights), np.zeros_like(weights), np.zeros_like(weights)
    best, best_alpha, stream = -np.inf, alpha_start, 0
    for restart in range(n_restarts):
        _random_start(key_start, restart, tokens, counts, emission)
        alpha = alpha_start
        weights[:] = 0.0
        weights[weights.shape[0] - 1] = 1.0
        if weights.shape[0] > 1:
            weights[0] = 1.0
        first[:] = 0.0
        second[:] = 0.0
        step = 0
        for _ in range(n_rounds):
            for x in range(size):
                for a in range(size):
                    for z in range(n_latents):
                        log_emission[x, a, z] = math.log(emission[x, a, z])
            for _ in range(n_steps):
                gradient[:] = 0.0
                _sample_pass(
                    key, stream, tokens, log_emission, alpha, weights, group, line_work, path_work, gradient, counts,
                    False,
                )  # fmt: skip
                stream += 1
                step += 1
                gradient *= per_token
                _adam(weights, gradient, first, second, step, rate)
            counts[:] = 0.0
            _, switches = _sample_pass(
                key, stream, tokens, log_emission, alpha, weights, group, line_work, path_work, gradient, counts, True
            )
            stream += 1
            _normalise(counts, pseudo_count, emission)
            if learn and n_moves > 0 and n_latents > 1:
                alpha = min(max(1.0 - switches / n_moves * n_latents / (n_latents - 1.0), 0.0), ALPHA_MAX)
        counts[:] = 0.0
        _soft_pass(tokens, emission, alpha, forward, message, gain, counts, per_line)
        total = 0.0
        for i in range(tokens.shape[0]):
            total += per_line[i]
        likelihoods[restart] = total
        if total > best:
            best, best_alpha = total, alpha
            best_emission[:] = emission
            best_weights[:] = weights
    return best_alpha
