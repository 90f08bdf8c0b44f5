"""Literal transcriptions for the mid-training tests: enumeration and plain loops, nothing from the code they judge.

Functions that repeat a random kernel take `uniform(stream, step, block)`, the numbers that the kernel would draw.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from itertools import pairwise, product
from typing import Any

import numpy as np

Uniform = Callable[[int, int, int], float]


def seen_sets(probabilities: list[Any], n: int) -> dict[frozenset[int], Any]:
    """Law of the set of types drawn, by listing all sequences of draws."""
    out: dict[frozenset[int], Any] = {}
    for draws in product(range(len(probabilities)), repeat=n):
        weight = math.prod((probabilities[y] for y in draws), start=probabilities[0] * 0 + 1)
        out[frozenset(draws)] = out.get(frozenset(draws), 0) + weight
    return out


def multinomial_mean(probabilities: list[Any], n: int, function: Callable[[list[int]], Any]) -> Any:
    """Mean of a function of the counts of all types, by listing all sequences of draws."""
    total: Any = 0
    for draws in product(range(len(probabilities)), repeat=n):
        weight = math.prod((probabilities[y] for y in draws), start=probabilities[0] * 0 + 1)
        total += weight * function([draws.count(y) for y in range(len(probabilities))])
    return total


def best_values(rewards: np.ndarray, kernels: np.ndarray, kept: list[int]) -> np.ndarray:
    """Pointwise maximum of the values of all stationary policies over the kept options."""
    n_states = rewards.shape[1]
    best = np.full(n_states, -np.inf)
    for policy in product(kept, repeat=n_states):
        matrix = np.array([[kernels[policy[s], s, t] for t in range(n_states)] for s in range(n_states)])
        reward = np.array([rewards[policy[s], s] for s in range(n_states)])
        best = np.maximum(best, np.linalg.solve(np.eye(n_states) - matrix, reward))
    return best


def sweeps(rewards: np.ndarray, kernels: np.ndarray, kept: list[int], start: list[float], n: int) -> list[list[float]]:
    """Value iterates by plain loops."""
    values = [list(start)]
    for _ in range(n):
        old = values[-1]
        row = []
        for s in range(len(start)):
            row.append(max(rewards[z, s] + sum(kernels[z, s, t] * old[t] for t in range(len(start))) for z in kept))
        values.append(row)
    return values


def paths(log_emissions: np.ndarray, alpha: float) -> Iterator[tuple[tuple[int, ...], int, float, float]]:
    """All latent paths with their switches, log-prior and total log-emission."""
    length, k = log_emissions.shape
    for path in product(range(k), repeat=length):
        prior = 1.0 / k
        switches = 0
        for previous, z in pairwise(path):
            prior *= (alpha if z == previous else 0.0) + (1.0 - alpha) / k
            switches += z != previous
        log_prior = math.log(prior) if prior > 0 else -math.inf
        yield path, switches, log_prior, sum(float(log_emissions[t, z]) for t, z in enumerate(path))


def posterior(log_emissions: np.ndarray, alpha: float) -> tuple[float, dict[tuple[int, ...], float]]:
    """Log-likelihood and posterior of all latent paths."""
    weights = {path: math.exp(lp + le) for path, _, lp, le in paths(log_emissions, alpha)}
    total = math.fsum(weights.values())
    return math.log(total), {path: weight / total for path, weight in weights.items()}


def markov_probability(path: tuple[int, ...], initial: np.ndarray, transitions: np.ndarray) -> float:
    """Probability of a path under an inhomogeneous Markov chain."""
    probability = float(initial[path[0]])
    for t in range(1, len(path)):
        probability *= float(transitions[t - 1, path[t - 1], path[t]])
    return probability


def log_emissions_of(line: list[int], emission: np.ndarray) -> np.ndarray:
    """Table (step, latent) of ln pi(a | x, z) along a line."""
    k = emission.shape[0]
    return np.array([[math.log(emission[z, x, a]) for z in range(k)] for x, a in pairwise(line)])


def expected_counts(
    lines: list[list[int]], emission: np.ndarray, alpha: float
) -> tuple[np.ndarray, float, list[float]]:
    """Expected counts (latent, previous token, token), expected switches and log-likelihoods, by listing all paths."""
    counts = np.zeros(emission.shape)
    switches = 0.0
    likelihoods = []
    for line in lines:
        ell = log_emissions_of(line, emission)
        likelihood, law = posterior(ell, alpha)
        likelihoods.append(likelihood)
        for path, weight in law.items():
            for t, z in enumerate(path):
                counts[z, line[t], line[t + 1]] += weight
                switches += weight * (t > 0 and z != path[t - 1])
    return counts, switches, likelihoods


def em_step(
    lines: list[list[int]], emission: np.ndarray, alpha: float, pseudo_count: float
) -> tuple[np.ndarray, float, float]:
    """One exact iteration: new emission, new alpha, objective before it."""
    counts, switches, likelihoods = expected_counts(lines, emission, alpha)
    k = emission.shape[0]
    objective = math.fsum(likelihoods) + pseudo_count * float(np.log(emission).sum())
    smoothed = counts + pseudo_count
    moves = sum(len(line) - 2 for line in lines)
    rate = switches / moves
    return smoothed / smoothed.sum(axis=2, keepdims=True), max(0.0, 1.0 - rate * k / (k - 1)), objective


def best_score(log_emissions: np.ndarray, penalty: float) -> float:
    """Largest total log-emission minus penalty per switch."""
    return max(le - penalty * switches for _, switches, _, le in paths(log_emissions, 0.5))


def bound(log_emissions: np.ndarray, alpha: float, law: dict[tuple[int, ...], float]) -> float:
    """Evidence lower bound of a law over paths."""
    total = 0.0
    for path, _, lp, le in paths(log_emissions, alpha):
        q = law.get(path, 0.0)
        if q > 0.0:
            total += q * (le + lp - math.log(q))
    return total


def look_ahead_law(log_emissions: np.ndarray, weights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The look-ahead policy as a Markov chain: softmax of weighted emissions ahead plus a stay bonus."""
    length, k = log_emissions.shape
    reach = len(weights) - 1
    base = np.zeros((length, k))
    for t in range(length):
        for j in range(reach):
            if t + j < length:
                base[t] += weights[j] * log_emissions[t + j]
    first = np.exp(base[0]) / np.exp(base[0]).sum()
    moves = np.empty((length - 1, k, k))
    for t in range(1, length):
        for previous in range(k):
            row = np.exp(base[t] + weights[reach] * (np.arange(k) == previous))
            moves[t - 1, previous] = row / row.sum()
    return first, moves


def reinforce(
    uniform: Uniform, lines: list[list[int]], emission: np.ndarray, alpha: float, weights: np.ndarray, group: int
) -> tuple[np.ndarray, float]:
    """REINFORCE gradient with returns-to-go and leave-one-out baseline, and the mean return."""
    k, reach = emission.shape[0], len(weights) - 1
    gradient = np.zeros(len(weights))
    value = 0.0
    for i, line in enumerate(lines):
        ell = log_emissions_of(line, emission)
        first, moves = look_ahead_law(ell, weights)
        steps = len(ell)
        rewards, features = np.zeros((group, steps)), np.zeros((group, steps, len(weights)))
        for g in range(group):
            previous = -1
            for t in range(steps):
                row = first if t == 0 else moves[t - 1, previous]
                u, z = uniform(0, i * steps + t, g), 0
                while z < k - 1 and u >= row[z]:
                    u -= row[z]
                    z += 1
                prior = 1.0 / k if t == 0 else (alpha if z == previous else 0.0) + (1.0 - alpha) / k
                rewards[g, t] = ell[t, z] + math.log(prior) - math.log(row[z])
                for j in range(reach):
                    if t + j < steps:
                        features[g, t, j] = ell[t + j, z] - float(row @ ell[t + j])
                if t > 0:
                    features[g, t, reach] = (z == previous) - row[previous]
                previous = z
        to_go = rewards[:, ::-1].cumsum(axis=1)[:, ::-1]
        value += float(to_go[:, 0].mean())
        for g in range(group):
            for t in range(steps):
                others = [to_go[h, t] for h in range(group) if h != g]
                gradient += (to_go[g, t] - sum(others) / (group - 1)) * features[g, t] / group
    return gradient, value


def ngram_log_probability(train: list[list[int]], line: list[int], size: int, order: int, k: float) -> list[float]:
    """Add-k log-probabilities of the tokens after the first, with shorter contexts at the start."""
    out = []
    for t in range(1, len(line)):
        o = min(order, t)
        context = line[t - o : t]
        hits = total = 0
        for other in train:
            for s in range(o, len(other)):
                if other[s - o : s] == context:
                    total += 1
                    hits += other[s] == line[t]
        out.append(math.log((hits + k) / (total + k * size)))
    return out


def tree_probability(train: list[list[int]], line: list[int], size: int, k: float) -> list[float]:
    """Probability of each token given the whole prefix."""
    out = []
    for t in range(len(line)):
        before = sum(other[:t] == line[:t] for other in train)
        after = sum(other[: t + 1] == line[: t + 1] for other in train)
        out.append((after + k) / (before + k * size) if before + k * size > 0 else 0.0)
    return out


def segmentations(length: int, longest: int) -> Iterator[list[int]]:
    """All ways to write a length as an ordered sum of parts up to `longest`."""
    if length == 0:
        yield []
    for part in range(1, min(longest, length) + 1):
        for rest in segmentations(length - part, longest):
            yield [part, *rest]


def chunk_weights(line: list[int], size: int, longest: int, chunk: np.ndarray) -> list[tuple[list[int], float]]:
    """Table indices of the chunks of every segmentation of a line, with its probability."""
    offsets = [0]
    for n in range(1, longest + 1):
        offsets.append(offsets[-1] + (size ** (n - 1) if n > 1 else 0))
    out = []
    for parts in segmentations(len(line), longest):
        position, indices = 0, []
        for part in parts:
            code = 0
            for token in line[position : position + part]:
                code = code * size + token
            indices.append(offsets[part] + code)
            position += part
        out.append((indices, math.prod(float(chunk[w]) for w in indices)))
    return out


def eliminate(uniform: Uniform, law: list[float], fails: np.ndarray, n: int, n_trials: int) -> np.ndarray:
    """Which subsets survive n draws, trial by trial."""
    out = np.ones((n_trials, fails.shape[1]), dtype=bool)
    for trial in range(n_trials):
        for i in range(n):
            u, y = uniform(0, trial, i), 0
            while y < len(law) - 1 and not sum(law[: y + 1]) > u:
                y += 1
            for b in range(fails.shape[1]):
                if fails[y, b]:
                    out[trial, b] = False
    return out


def skill_text(
    uniform: Uniform, maps: list[list[int]], switch: float, noise: float, length: int, n: int
) -> tuple[list[list[int]], list[list[int]]]:
    """Tokens and skills of demonstrations."""
    k, size = len(maps), len(maps[0])
    tokens, skills = [], []
    for i in range(n):
        line, used = [int(size * uniform(0, i, 0))], []
        skill = int(k * uniform(1, i, 0))
        for t in range(length - 1):
            if t > 0 and uniform(2, i, t) < switch:
                skill = [j for j in range(k) if j != skill][int((k - 1) * uniform(3, i, t))]
            token = maps[skill][line[-1]]
            if uniform(4, i, t) < noise:
                token = [a for a in range(size) if a != token][int((size - 1) * uniform(5, i, t))]
            line.append(token)
            used.append(skill)
        tokens.append(line)
        skills.append(used)
    return tokens, skills


def grpo(
    uniform: Uniform, start: np.ndarray, goal: list[int], group: int, step: float, target: float, budget: int
) -> tuple[int, float]:
    """Episodes and final success probability of group-relative policy gradient on a lock."""
    logits = np.array(start, dtype=float)
    episodes = update = 0

    def policy() -> np.ndarray:
        rows = np.exp(logits - logits.max(axis=1, keepdims=True))
        return np.asarray(rows / rows.sum(axis=1, keepdims=True))

    def success() -> float:
        return math.prod(float(row[c]) for row, c in zip(policy(), goal, strict=True))

    while success() < target and episodes + group <= budget:
        law = policy()
        choices, rewards = [], []
        for g in range(group):
            made: list[int] = []
            for h in range(len(goal)):
                u, c = uniform(h, update, g), 0
                while c < law.shape[1] - 1 and u >= law[h, c]:
                    u -= law[h, c]
                    c += 1
                made.append(c)
                if c != goal[h]:
                    break
            choices.append(made)
            rewards.append(1.0 if made == list(goal) else 0.0)
        episodes += group
        update += 1
        spread = float(np.std(rewards))
        if spread == 0.0:
            continue
        change = np.zeros_like(logits)
        for made, reward in zip(choices, rewards, strict=True):
            for h, c in enumerate(made):
                score = -law[h]
                score[c] += 1.0
                change[h] += (reward - float(np.mean(rewards))) / spread * score / group
        logits += step * change
    return episodes, success()
