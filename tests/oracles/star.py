"""STaR on a chain of steps, written out path by path and draw by draw in plain Python.

Nothing here imports the code it judges. Tables are nested lists ``tables[n][s][t]``; numbers may be
Fractions or floats.
"""

from __future__ import annotations

import itertools
import math
from fractions import Fraction
from typing import Any


def symmetric_tables(delta: Any, maps: Any) -> Any:
    """Step n: share delta_n for the right successor, the rest spread evenly over all states."""
    n_states = len(maps[0])
    tables = []
    for step, d in enumerate(delta):
        table = []
        for state in range(n_states):
            row = [(1 - d) / n_states for _ in range(n_states)]
            row[maps[step][state]] += d
            table.append(row)
        tables.append(table)
    return tables


def identity_maps(n_steps: Any, n_states: Any) -> Any:
    return [list(range(n_states)) for _ in range(n_steps)]


def right_answer(maps: Any, start: Any) -> Any:
    here = start
    for row in maps:
        here = row[here]
    return here


def paths(n_steps: Any, n_states: Any) -> Any:
    return itertools.product(range(n_states), repeat=n_steps + 1)


def path_probability(tables: Any, start_law: Any, path: Any) -> Any:
    chance = start_law[path[0]]
    for step, table in enumerate(tables):
        chance = chance * table[path[step]][path[step + 1]]
    return chance


def one_round(tables: Any, start_law: Any, reward: Any) -> Any:
    """Expected reward, next tables and unnormalised path weights; `reward` maps a path to a number."""
    n_steps, n_states = len(tables), len(tables[0])
    total = 0
    counts = [[[0] * n_states for _ in range(n_states)] for _ in range(n_steps)]
    weights = {}
    for path in paths(n_steps, n_states):
        weight = path_probability(tables, start_law, path) * reward(path)
        weights[path] = weight
        total += weight
        for step in range(n_steps):
            counts[step][path[step]][path[step + 1]] += weight
    following = []
    for step in range(n_steps):
        table = []
        for state in range(n_states):
            row_total = sum(counts[step][state])
            if row_total == 0:
                table.append(list(tables[step][state]))
            else:
                table.append([count / row_total for count in counts[step][state]])
        following.append(table)
    return total, following, weights


def is_right(maps: Any) -> Any:
    answers = [right_answer(maps, start) for start in range(len(maps[0]))]
    return lambda path: 1 if path[-1] == answers[path[0]] else 0


def faultless(maps: Any, path: Any) -> Any:
    return all(path[step + 1] == maps[step][path[step]] for step in range(len(maps)))


# Counter-based draws: Philox4x32-10 and splitmix64, from their papers.

MASK32, MASK64 = 2**32 - 1, 2**64 - 1


def philox(counter: Any, key: Any) -> Any:
    c0, c1, c2, c3 = counter
    k0, k1 = key
    for _ in range(10):
        a, b = 0xD2511F53 * c0, 0xCD9E8D57 * c2
        c0, c1, c2, c3 = (b >> 32) ^ c1 ^ k0, b & MASK32, (a >> 32) ^ c3 ^ k1, a & MASK32
        k0, k1 = (k0 + 0x9E3779B9) & MASK32, (k1 + 0xBB67AE85) & MASK32
    return c0, c1, c2, c3


def key_of(seed: Any, cell: Any) -> Any:
    z = seed
    for word in (0, cell):
        z ^= word
        z = (z + 0x9E3779B97F4A7C15) & MASK64
        z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & MASK64
        z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & MASK64
        z ^= z >> 31
    return z


def uniform(key: Any, stream: Any, step: Any, number: Any) -> Any:
    block = number // 2
    words = philox((block, step & MASK32, step >> 32, stream), (key & MASK32, key >> 32))
    high, low = words[2 * (number % 2)], words[2 * (number % 2) + 1]
    return ((high >> 5) * 67108864 + (low >> 6)) / 9007199254740992


CELL = 41


def pick(value: Any, size: Any) -> Any:
    return min(int(value * size), size - 1)


class ListModel:
    """Rows as lists of kept successors; an empty list stands for the symmetric law of the start."""

    def __init__(self, alphas: Any, maps: Any, smoothing: Any = 0.0) -> None:
        self.alphas, self.maps, self.smoothing = alphas, maps, smoothing
        self.n_states = len(maps[0])
        self.rows: list[list[list[Any]]] = [[[] for _ in row] for row in maps]

    def draw(self, step: Any, state: Any, value: Any) -> Any:
        kept, right, size = self.rows[step][state], self.maps[step][state], self.n_states
        if not kept:
            alpha = self.alphas[step]
            if value < alpha:
                return right
            others = [successor for successor in range(size) if successor != right]
            return others[pick((value - alpha) / (1.0 - alpha), size - 1)]
        if self.smoothing > 0:
            weight = self.smoothing * size / (len(kept) + self.smoothing * size)
            if value < weight:
                return pick(value / weight, size)
            value = (value - weight) / (1.0 - weight)
        return kept[pick(value, len(kept))]

    def refit(self, kept_paths: Any) -> Any:
        unvisited = 0
        for step in range(len(self.maps)):
            for state in range(self.n_states):
                successors = [path[step + 1] for path in kept_paths if path[step] == state]
                if successors:
                    self.rows[step][state] = successors
                else:
                    unvisited += 1
        return unvisited

    def tables(self) -> Any:
        found: list[list[list[Any]]] = []
        for step, table in enumerate(self.rows):
            found.append([])
            for state, kept in enumerate(table):
                if kept:
                    scale = len(kept) + self.smoothing * self.n_states
                    row = [(kept.count(t) + self.smoothing) / scale for t in range(self.n_states)]
                else:
                    alpha = self.alphas[step]
                    row = [(1 - alpha) / (self.n_states - 1)] * self.n_states
                    row[self.maps[step][state]] = alpha
                found[-1].append(row)
        return found


class TableModel:
    """Rows as probabilities, sampled by the first cumulative weight above the draw."""

    def __init__(self, tables: Any, maps: Any, temperature: Any = 1.0, smoothing: Any = 0.0, mixing: Any = 0.0) -> None:
        self.current = [[list(row) for row in table] for table in tables]
        self.maps, self.temperature, self.smoothing, self.mixing = maps, temperature, smoothing, mixing
        self.n_states = len(maps[0])

    def chances(self, step: Any, state: Any) -> Any:
        row = self.current[step][state]
        if self.temperature == 1:
            weights = row
        else:
            weights = [(p / max(row)) ** (1 / self.temperature) for p in row]
        return [weight / sum(weights) for weight in weights]

    def draw(self, step: Any, state: Any, value: Any) -> Any:
        total = 0.0
        for successor, chance in enumerate(self.chances(step, state)):
            total += chance
            if total > value:
                return successor
        raise AssertionError("the draw lies at the rounding of the total")

    def refit(self, kept_paths: Any) -> Any:
        unvisited = 0
        for step, table in enumerate(self.current):
            for state in range(self.n_states):
                successors = [path[step + 1] for path in kept_paths if path[step] == state]
                if not successors:
                    unvisited += 1
                    continue
                scale = len(successors) + self.smoothing * self.n_states
                fresh = [(successors.count(t) + self.smoothing) / scale for t in range(self.n_states)]
                table[state] = [
                    (1 - self.mixing) * new + self.mixing * old for new, old in zip(fresh, table[state], strict=True)
                ]
        return unvisited

    def tables(self) -> Any:
        return self.current


def run(
    model: Any,
    maps: Any,
    seed: Any,
    count: Any,
    n_rounds: Any,
    mu: Any = 0.0,
    nu: Any = 0.0,
    hint: Any = 0.0,
    hint_from_model: Any = False,
) -> Any:
    """Simulate; a list with one dictionary of measurements a round, the start first."""
    n_steps, n_states = len(maps), len(maps[0])
    key = key_of(seed, CELL)
    right = is_right(maps)
    law = [1 / n_states] * n_states
    history = []
    kept, unvisited = 0, 0
    for turn in range(n_rounds + 1):
        tables = model.tables()
        accuracy, _, weights = one_round(tables, law, right)
        clean = sum(weight for path, weight in weights.items() if faultless(maps, path))
        chances = [[tables[n][s][maps[n][s]] for s in range(n_states)] for n in range(n_steps)]
        history.append(
            {
                "accuracy": accuracy,
                "right_path_share": clean / accuracy if accuracy > 0 else 0.0,
                "step_right": [math.fsum(row) / n_states for row in chances],
                "kept": kept,
                "rows_lost": sum(chance == 0 for row in chances for chance in row),
                "rows_unvisited": unvisited,
            }
        )
        if turn == n_rounds:
            return history
        kept_paths = []
        for trajectory in range(count):
            address = turn * count + trajectory
            path = [pick(uniform(key, 0, address, 0), n_states)]
            for step in range(n_steps):
                path.append(model.draw(step, path[step], uniform(key, 0, address, step + 1)))
            if right(path):
                accept = mu == 0 or uniform(key, 1, address, 0) >= mu
            elif nu > 0:
                accept = uniform(key, 1, address, 0) < nu
            else:
                accept = hint > 0 and uniform(key, 1, address, 1) < hint
                if accept:
                    values = [uniform(key, 2, address, number) for number in range(n_steps + 1)]
                    path = hinted(model, maps, path[0], values) if hint_from_model else free(maps, path[0], values)
                    accept = path is not None
            if accept:
                kept_paths.append(path)
        kept = len(kept_paths)
        unvisited = model.refit(kept_paths)


def free(maps: Any, start: Any, values: Any) -> Any:
    """A path uniform among those from `start` that end right."""
    n_states = len(maps[0])
    return [start, *(pick(value, n_states) for value in values[1:-1]), right_answer(maps, start)]


def hinted(model: Any, maps: Any, start: Any, values: Any) -> Any:
    """A path drawn from the model's law given a right answer, state by state; None if there is none."""
    n_steps = len(maps)
    goal = right_answer(maps, start)

    def reach(step: Any, state: Any) -> Any:
        if step == n_steps:
            return 1.0 if state == goal else 0.0
        return sum(p * reach(step + 1, t) for t, p in enumerate(model.chances(step, state)) if p > 0)

    if reach(0, start) == 0:
        return None
    path = [start]
    for step in range(n_steps):
        weights = [p * reach(step + 1, t) for t, p in enumerate(model.chances(step, path[-1]))]
        target, total = values[step + 1] * sum(weights), 0.0
        for successor, weight in enumerate(weights):
            total += weight
            if total > target:
                path.append(successor)
                break
    return path


def matrix_product(first: Any, second: Any) -> Any:
    size = len(first)
    return [[sum(first[i][k] * second[k][j] for k in range(size)) for j in range(size)] for i in range(size)]


def second_order_term(tables: Any, following: Any) -> Any:
    """E over kept paths of sum_{n<m} tr(.. E_n .. E_m ..)/M, truth the identity, times M^2/J: the excess times K."""
    n_steps, n_states = len(tables), len(tables[0])
    right = is_right(identity_maps(n_steps, n_states))
    total, _, weights = one_round(tables, [Fraction(1, n_states)] * n_states, right)
    mean = 0
    for path, weight in weights.items():
        if weight == 0:
            continue
        for n in range(n_steps):
            for m in range(n + 1, n_steps):
                product = [[int(i == j) for j in range(n_states)] for i in range(n_states)]
                for step in range(n_steps):
                    factor = following[step]
                    if step in (n, m):
                        factor = [[0] * n_states for _ in range(n_states)]
                        state, successor = path[step], path[step + 1]
                        factor[state] = [int(t == successor) - following[step][state][t] for t in range(n_states)]
                    product = matrix_product(product, factor)
                mean += weight / total * sum(product[i][i] for i in range(n_states)) / n_states
    return n_states**2 / total * mean
