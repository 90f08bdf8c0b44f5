"""A claim about what text cannot tell about skills: labels exchanged on tokens that skills never leave."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Mapping, Sequence
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import numpy as np

from proofs_check.claims import Claim, Exact, Mutant, Simulation
from proofs_check.domains import Domain
from proofs_check.mid_training._common import ALPHA, N_LATENTS, PAPER, generator, replaced, rerun, shipped
from proofs_check.samples import Counts
from proofs_check.verdicts import Cell

if TYPE_CHECKING:
    from proofs_check.lab import Lab

__all__ = ["CLAIMS"]

# Multiplication by 2 and by 4 modulo 7: cycles {0}, {1, 2, 4}, {3, 5, 6} for both.
SHORT = ((0, 2, 4, 6, 1, 3, 5), (0, 4, 1, 5, 2, 6, 3))
INSIDE = (1, 2, 4)
# Sums of at most 27 products of at most 7 factors: the logarithm of their ratio is off by less than 1e-13.
SLACK = 1e-12


def affine(size: int, *maps: tuple[int, int]) -> tuple[tuple[int, ...], ...]:
    """The permutations x -> u x + v modulo `size`."""
    return tuple(tuple((u * x + v) % size for x in range(size)) for u, v in maps)


def _text_law(
    rows: Sequence[Sequence[Mapping[int, Fraction]]], alpha: Fraction, steps: int
) -> dict[tuple[int, ...], Fraction]:
    """The law of all texts of steps + 1 tokens, the first one uniform; ``rows[k][x]`` is latent k's law after x."""
    k, size = len(rows), len(rows[0])
    law: dict[tuple[int, ...], Fraction] = {}
    for path in itertools.product(range(k), repeat=steps):
        prior = Fraction(1, k * size)
        for before, after in itertools.pairwise(path):
            prior *= alpha * (before == after) + (1 - alpha) / k
        texts: dict[tuple[int, ...], Fraction] = {(x,): prior for x in range(size)}
        for z in path:
            texts = {
                (*text, token): weight * share
                for text, weight in texts.items()
                for token, share in rows[z][text[-1]].items()
            }
        for text, weight in texts.items():
            law[text] = law.get(text, Fraction(0)) + weight
    return law


def _exact_rows(maps: Sequence[Sequence[int]], noise: Fraction = Fraction(0)) -> list[list[dict[int, Fraction]]]:
    size = len(maps[0])
    other = noise / (size - 1)
    rows = [[{a: 1 - noise if a == image else other for a in range(size)} for image in row] for row in maps]
    return [[{a: share for a, share in law.items() if share} for law in row] for row in rows]


def _exchanged(rows: Any, inside: Sequence[int], order: Sequence[int]) -> list[list[dict[int, Fraction]]]:
    return [[rows[order[k]][x] if x in inside else rows[k][x] for x in range(len(rows[0]))] for k in range(len(rows))]


def _crossings(text: Sequence[int], inside: Sequence[int]) -> int:
    """Of the tokens before each step, those that change sides."""
    return sum((a in inside) != (b in inside) for a, b in itertools.pairwise(text[:-1]))


def _random_rows(rng: np.random.Generator, k: int, size: int) -> list[list[dict[int, Fraction]]]:
    rows = []
    for _ in range(k):
        drawn = rng.integers(1, 9, (size, size))
        rows.append([{a: Fraction(int(v), int(line.sum())) for a, v in enumerate(line)} for line in drawn])
    return rows


def _every_text(lab: Lab) -> Iterator[Cell]:
    """All texts of three or four steps under both labellings, in rationals: change against price of crossings."""
    rng = generator(61)
    worlds = [
        ("random rows", _random_rows(rng, 2, 3), (0,), (1, 0), Fraction(1, 2), 4),
        ("random rows", _random_rows(rng, 3, 3), (0, 2), (1, 2, 0), Fraction(4, 5), 3),
        ("short cycles, noise 1/10", _exact_rows(SHORT, Fraction(1, 10)), INSIDE, (1, 0), Fraction(1, 3), 2),
        ("two shifts", _exact_rows(affine(5, (1, 1), (1, 2))), (0, 1), (1, 0), Fraction(1, 2), 4),
        ("an involution and a shift", _exact_rows(affine(5, (4, 1), (1, 1))), (0, 1), (1, 0), Fraction(9, 10), 4),
    ]
    for name, rows, inside, order, alpha, steps in worlds:
        cell = {"world": name, "K": len(rows), "alpha": str(alpha), "T": steps}
        before, after = (_text_law(found, alpha, steps) for found in (rows, _exchanged(rows, inside, order)))
        yield lab.true(cell, before.keys() == after.keys(), "the same texts are possible")
        changes: dict[int, float] = {}
        for text, weight in before.items():
            n = _crossings(text, inside)
            changes[n] = max(changes.get(n, 0.0), abs(math.log(after[text] / weight)))
        for n, change in sorted(changes.items()):
            bound = float(lab.theory.mid_training.relabelling_cost(n, float(alpha), len(rows)))
            yield lab.at_most({**cell, "crossings": n}, change, bound + SLACK, "largest change of ln p")


def _one_crossing(lab: Lab) -> Iterator[Cell]:
    """Two permutations that differ everywhere, a text that leaves C once: ln p changes by the price of one switch."""
    for size, alpha in ((5, Fraction(1, 2)), (7, Fraction(1, 10)), (5, Fraction(19, 20))):
        maps = affine(size, (1, 1), (1, 2))
        text = (0, 1, 2)  # twice the first skill, leaving C = {0} after the first step
        before = _text_law(_exact_rows(maps), alpha, 2)[text]
        after = _text_law(_exchanged(_exact_rows(maps), (0,), (1, 0)), alpha, 2)[text]
        found = float(lab.theory.mid_training.relabelling_cost(1, float(alpha), 2))
        yield lab.close({"A": size, "alpha": str(alpha)}, math.log(before / after), found, SLACK, "attained")


def _all_sets(lab: Lab) -> Iterator[Cell]:
    """Without noise, every set C of tokens: the law of texts is the same if and only if C is a union of orbits."""
    t = lab.theory.mid_training
    alpha = Fraction(2, 3)
    worlds = (
        ("multiplication by 2 and 4 modulo 7", SHORT, 3),
        ("two shifts modulo 5", affine(5, (1, 1), (1, 2)), 3),
        ("two involutions modulo 5", affine(5, (4, 0), (4, 1)), 3),
        ("an involution and a square root of it modulo 5", affine(5, (4, 0), (2, 0)), 3),
    )
    for name, maps, steps in worlds:
        size = len(maps[0])
        law = _text_law(_exact_rows(maps), alpha, steps)
        orbits = [frozenset(orbit) for orbit in t.common_orbits(maps)]
        unions = {
            frozenset().union(*chosen) for n in range(len(orbits) + 1) for chosen in itertools.combinations(orbits, n)
        }
        fixed = {x for x in range(size) if maps[0][x] == maps[1][x]}  # labels mean nothing where skills agree
        same, wrong = set(), 0
        for n in range(size + 1):
            for inside in itertools.combinations(range(size), n):
                equal = _text_law(_exchanged(_exact_rows(maps), inside, (1, 0)), alpha, steps) == law
                wrong += equal != (frozenset(inside) - fixed in {union - fixed for union in unions})
                if equal:
                    same.add(frozenset(inside) - fixed)
        cell = {"world": name, "sets": 2**size}
        yield lab.equal(cell, wrong, 0, f"{len(orbits)} orbits")
        if not fixed:
            yield lab.equal(cell, len(same), 2 * t.equivalent_labellings(maps), "labellings with the same law")


def _three_skills(lab: Lab) -> Iterator[Cell]:
    """Three skills, labels permuted on every orbit by itself: all (3!)^m labellings have the same law."""
    maps = affine(7, (2, 0), (4, 0), (1, 0))
    alpha = Fraction(1, 4)
    law = _text_law(_exact_rows(maps), alpha, 2)
    orbits = lab.theory.mid_training.common_orbits(maps)
    for orbit, order in itertools.product(orbits, itertools.permutations(range(3))):
        found = _text_law(_exchanged(_exact_rows(maps), orbit, order), alpha, 2)
        yield lab.true({"orbit": str(orbit), "labels": str(order)}, found == law, "the same law of texts")


def _uncrossed(data: Any, cell: Mapping[str, Any]) -> Counts:
    inside = np.isin(data["token"].values, INSIDE)
    constant = (inside == inside[..., :1]).all(axis=-1)
    return Counts(int(constant.sum()), int(constant.size))


def _share(theory: Any, cell: Mapping[str, Any]) -> float:
    return float(theory.mid_training.uncrossed_share(len(INSIDE), len(SHORT[0]), cell["noise"], cell["tokens"] - 1))


def _first_orbits(maps: Any) -> list[list[int]]:
    found: list[list[int]] = shipped().common_orbits(np.asarray(maps)[:1])
    return found


IDENTIFIABILITY = Claim(
    id="mid_training.short_cycles_hide_skills",
    statement=(
        "Permuting the labels of skills on a set C of tokens changes the log-likelihood of a text by at most c for "
        "every time it enters or leaves C. If every skill maps C to itself only noise crosses, and without noise the "
        "two labellings have the same law of texts; skills that differ everywhere and move tokens out of C do not."
    ),
    latex=r"\lvert\ln p'(a)-\ln p(a)\rvert \le c\,N_C(a), \qquad p'=p \iff C \text{ is a union of common orbits}",
    origin="derived",
    source=f"theory.mid_training.identifiability; latents of {PAPER}",
    kind="exact",
    domain=Domain({"alpha": ALPHA, "K": N_LATENTS}),
    evidence=(
        Exact("enumeration", "all texts, both labellings, in rationals", _every_text, scope="cells", cost=0.3),
        Exact("identity", "one crossing without a switch attains the bound", _one_crossing, scope="cells"),
        Exact("enumeration", "all sets of tokens of four worlds", _all_sets, scope="cells", cost=0.5),
        Exact("enumeration", "three skills, all permutations on every orbit", _three_skills, scope="cells"),
        Simulation(
            "share of texts that stay on one side",
            "mid_training.skill_demonstrations",
            cells=[{"noise": 0.1, "tokens": 12}, {"noise": 0.3, "tokens": 6}, {"noise": 0.02, "tokens": 60}],
            parameters=lambda cell: {
                "maps": SHORT,
                "switch_probability": 0.25,
                "noise": cell["noise"],
                "length": cell["tokens"],
                "n_demonstrations": 2000,
            },
            extract=_uncrossed,
            predict=_share,
            resolution=0.03,
            planned_n=10,
            looks=4,
            unit="2000 texts",
            cost=0.3,
        ),
    ),
    mutants=(
        Mutant(
            "a crossing costs ln(K alpha/(1-alpha))",
            "a resampled latent may stay the same: the odds of staying are larger by one",
            theory=replaced(relabelling_cost=lambda n, a, k: n * max(0.0, math.log(k * a / (1 - a)))),
        ),
        Mutant(
            "labels may be exchanged on the cycles of one skill",
            "the other skills leave them",
            theory=replaced(common_orbits=_first_orbits),
        ),
        Mutant(
            "labels may be exchanged on any single token",
            "a skill that leaves the token without a switch then needs one",
            theory=replaced(common_orbits=lambda maps: [[x] for x in range(np.shape(maps)[1])]),
        ),
        Mutant(
            "every noisy token crosses",
            "noise may lead to a token of the same side",
            theory=replaced(uncrossed_share=lambda c, a, noise, n: (1 - noise) ** n),
        ),
        Mutant(
            "with half of the noise",
            "the stated noise is the share of replaced tokens",
            sims=rerun("skill_demonstrations", lambda given: {"noise": given["noise"] / 2}),
        ),
    ),
    remarks=(
        "Affine maps modulo a prime with one long cycle, as skill worlds draw them by default, have no common orbit "
        "but the whole and perhaps a fixed point. Two different involutions x -> v - x have none either: each alone "
        "keeps its pairs, so a text crosses only while the other is in force. They are hard to tell apart, and yet "
        "texts tell."
    ),
)

CLAIMS = (IDENTIFIABILITY,)
