"""Claims about elimination over GF(2): how many labelled prompts determine a parity, for any learner at all."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from fractions import Fraction
from itertools import product
from typing import TYPE_CHECKING, Any

import numpy as np
import sympy as sp

from proofs_check.certificates import Proof, is_zero
from proofs_check.claims import Claim, Exact, Mutant, Simulation
from proofs_check.domains import Domain, Integer, Real
from proofs_check.hardness._common import closed_forms
from proofs_check.samples import Counts, Means
from proofs_check.verdicts import Cell

if TYPE_CHECKING:
    from proofs_check.lab import Lab

__all__ = ["CLAIMS"]

LENGTH = Integer(1, 1000, meaning="number of signs", largest_drawn=200)
EXACT_LENGTH = Integer(1, 200, meaning="number of signs", largest_drawn=60)
SAMPLES = Integer(0, meaning="labelled prompts", symbol="N", largest_drawn=1200)
EXACT_SAMPLES = Integer(0, 200, meaning="labelled prompts", symbol="N", largest_drawn=80)


def _rank(rows: tuple[int, ...]) -> int:
    """Rank over GF(2) of rows given as bit patterns: the span's size is 2^rank."""
    span = {0}
    for row in rows:
        span |= {value ^ row for value in span}
    return len(span).bit_length() - 1


def _matrices(lab: Lab) -> Iterator[Cell]:
    """Every matrix with up to four rows of up to three bits."""
    t = lab.theory.hardness
    for d, n in ((1, 2), (2, 2), (2, 4), (3, 3), (3, 4)):
        ranks = [_rank(rows) for rows in product(range(2**d), repeat=n)]
        for r in range(d + 1):
            share = Fraction(ranks.count(r), len(ranks))
            yield lab.equal({"d": d, "n_samples": n}, share, t.rank_probability_exact(d, n, r), f"rank {r}")
        full = Fraction(ranks.count(d), len(ranks))
        yield lab.equal({"d": d, "n_samples": n}, full, t.full_rank_probability_exact(d, n), "full rank")


def _recursion(lab: Lab) -> Iterator[Cell]:
    """One more row stays in the span of r others with probability 2^(r-d); floats against rationals."""
    t = lab.theory.hardness
    for d in (1, 2, 5, 9):
        for n in range(d + 4):
            for r in range(min(d, n + 1) + 1):
                stays = t.rank_probability_exact(d, n, r) * Fraction(1, 2 ** (d - r))
                grows = t.rank_probability_exact(d, n, r - 1) * (1 - Fraction(1, 2 ** (d - r + 1))) if r else 0
                cell = {"d": d, "n_samples": n}
                yield lab.equal(cell, stays + grows, t.rank_probability_exact(d, n + 1, r), f"one more row, rank {r}")
    for d, n in ((3, 3), (20, 20), (20, 31), (64, 70)):
        exact = t.full_rank_probability_exact(d, n)
        # d logarithms of relative error 2^-52 each, of numbers at most 0.7 in size.
        cell = {"d": d, "n_samples": n}
        yield lab.close(cell, float(exact), t.full_rank_probability(d, n), d * 2.0**-50, "floats")
        yield lab.close(cell, float(1 - exact), t.elimination_failure(d, n), float(1 - exact) * d * 2.0**-50, "failure")
        flipped = t.full_rank_probability_exact(d, n + 1, True)
        yield lab.equal(cell, flipped, exact, "an unknown constant takes one more prompt")


RANK_CELLS = tuple({"d": d, "n_samples": d + extra} for d in (12, 70) for extra in (0, 2))


def _run(cell: Mapping[str, Any]) -> dict[str, Any]:
    return {"d": cell["d"], "n_samples": cell["n_samples"]}


def _full(data: Any, cell: Mapping[str, Any]) -> Counts:
    found = data["rank"].values == cell["d"]
    return Counts(int(found.sum()), int(found.size))


def _poorer(*, n_samples: int, **options: Any) -> Any:
    from sims import hardness

    return hardness.gaussian_elimination(n_samples=max(0, n_samples - 1), **options)


RANK = Claim(
    id="hardness.rank_law",
    statement=(
        "N uniform labelled prompts determine every parity of d signs with probability prod_{i<d} (1 - 2^(i-N)): "
        "0.2888 at N = d, and all but 2^(d-N) above."
    ),
    latex=r"P(\operatorname{rank} = d) = \prod_{i=0}^{d-1} \bigl(1 - 2^{i-N}\bigr)",
    origin="derived",
    source="uniform matrices over GF(2); classical",
    kind="exact",
    domain=Domain({"d": EXACT_LENGTH, "n_samples": EXACT_SAMPLES}),
    functions=(
        "hardness.full_rank_probability",
        "hardness.full_rank_probability_exact",
        "hardness.rank_probability",
        "hardness.rank_probability_exact",
        "hardness.elimination_failure",
    ),
    evidence=(
        Exact("enumeration", "every small matrix over GF(2)", _matrices, scope="cells", cost=0.1),
        Exact("identity", "one more row, in rationals; floats; a constant", _recursion, scope="cells", cost=0.1),
        Simulation(
            "share of sets of prompts of full rank",
            "hardness.gaussian_elimination",
            cells=RANK_CELLS,
            parameters=_run,
            extract=_full,
            predict=lambda theory, cell: theory.hardness.full_rank_probability(cell["d"], cell["n_samples"]),
            resolution=0.12,
            planned_n=1024,
            unit="elimination",
            cost=0.5,
        ),
    ),
    mutants=(
        Mutant(
            "1 - 2^(d-N)",
            "a union bound: at N = d it is 0",
            theory={
                "hardness.full_rank_probability_exact": lambda d, n, affine=False: max(
                    Fraction(0), 1 - Fraction(2) ** (d - n)
                ),
                "hardness.full_rank_probability": lambda d, n, affine=False: max(0.0, 1 - 2.0 ** (d - n)),
            },
        ),
        Mutant(
            "prod (1 - 2^(i-N)) over i <= d",
            "the last factor is missing from the law: d rows need d new directions",
            theory={
                "hardness.full_rank_probability_exact": lambda d, n, affine=False: (
                    closed_forms().full_rank_probability_exact(d, n, affine) * (1 - Fraction(2) ** (d - n - 1))
                ),
                "hardness.full_rank_probability": lambda d, n, affine=False: (
                    closed_forms().full_rank_probability(d, n, affine) * (1 - 2.0 ** (d - n - 1))
                ),
                "hardness.rank_probability_exact": lambda d, n, r: (
                    closed_forms().rank_probability_exact(d, n, r) * (1 - Fraction(2) ** (r - n - 1))
                ),
            },
        ),
        Mutant(
            "the learner sees one prompt fewer", "it was asked for N", sims={"hardness.gaussian_elimination": _poorer}
        ),
    ),
)


# ---------------------------------------------------------------- how many prompts


def _waiting(lab: Lab) -> Iterator[Cell]:
    """Waiting times for each new direction, listed; and the tail sum of the rank law."""
    t = lab.theory.hardness
    for d in (1, 2, 5, 20):
        waits = sum((1 / (1 - Fraction(1, 2**j)) for j in range(1, d + 1)), start=Fraction(0))
        yield lab.equal({"d": d}, waits, t.expected_elimination_samples_exact(d), "sum of waiting times")
        yield lab.equal({"d": d}, waits + 1, t.expected_elimination_samples_exact(d, True), "with a constant")
        yield lab.close({"d": d}, float(waits), t.expected_elimination_samples(d), d * 2.0**-50, "floats")
    limit = sum(Fraction(1, 2**j - 1) for j in range(1, 70))
    yield lab.close({"d": 1000}, 1000 + float(limit), t.expected_elimination_samples(1000), 1e-11, "d + 1.6067")
    yield lab.close({}, float(limit), t.samples_beyond_d_limit(), 1e-15, "Erdos-Borwein constant")


def _tails(lab: Lab) -> Iterator[Cell]:
    """E[needed] = sum over n of P(rank < d after n prompts); the terms left out are below 2^-100."""
    t = lab.theory.hardness
    for d in (1, 3, 8):
        tail = sum((1 - t.full_rank_probability_exact(d, n) for n in range(d + 110)), start=Fraction(0))
        gap = t.expected_elimination_samples_exact(d) - tail
        yield lab.true({"d": d}, 0 <= gap < Fraction(1, 2**100), "tail sum")


CAP = 24


def _needed(data: Any, cell: Mapping[str, Any]) -> Means:
    needed = data["needed"].values
    extra = [float(value - cell["d"]) if value >= 0 else float(CAP) for value in needed]
    return Means(np.array(extra), 0.0, float(CAP))


def _expected_extra(theory: Any, cell: Mapping[str, Any]) -> tuple[float, float]:
    """Cut at CAP: the expectation loses the tail beyond it, at most the sum of 2^-j over j >= CAP."""
    mean = float(theory.hardness.expected_elimination_samples(cell["d"])) - cell["d"]
    return mean - 2.0 ** (1 - CAP), mean


EXPECTED = Claim(
    id="hardness.elimination_samples",
    statement=(
        "Elimination needs d + sum_{j<=d} 1/(2^j - 1) labelled prompts on average, d + 1.6067 for large d, and one "
        "more if labels may all be flipped: few samples and little time, where gradient methods on short answers need "
        "of the order of 2^d."
    ),
    latex=r"\mathbb{E}[N_{\text{needed}}] = d + \sum_{j=1}^{d} \frac{1}{2^j - 1} \to d + 1.6067",
    origin="derived",
    source="waiting times for new directions; classical",
    kind="exact",
    domain=Domain({"d": LENGTH}),
    functions=("hardness.expected_elimination_samples",),
    evidence=(
        Exact("identity", "sums of waiting times, and their limit", _waiting, scope="cells"),
        Exact("enumeration", "tail sum of the rank law", _tails, scope="cells", cost=0.1),
        Simulation(
            "mean number of prompts beyond d",
            "hardness.gaussian_elimination",
            cells=[{"d": d} for d in (12, 70)],
            parameters=lambda cell: {"d": cell["d"], "n_samples": cell["d"] + CAP},
            extract=_needed,
            predict=_expected_extra,
            resolution=0.35,
            planned_n=4096,
            unit="elimination",
            cost=1.0,
        ),
    ),
    mutants=(
        Mutant(
            "d + 2.6067",
            "the first direction takes 2^d/(2^d - 1) prompts, the last one 2",
            theory={
                "hardness.expected_elimination_samples": lambda d, affine=False: (
                    closed_forms().expected_elimination_samples(d, affine) + 1
                ),
                "hardness.expected_elimination_samples_exact": lambda d, affine=False: (
                    closed_forms().expected_elimination_samples_exact(d, affine) + 1
                ),
            },
        ),
        Mutant(
            "exactly d",
            "d uniform rows are independent with probability 0.29 only",
            theory={
                "hardness.expected_elimination_samples": lambda d, affine=False: d + int(affine),
                "hardness.expected_elimination_samples_exact": lambda d, affine=False: Fraction(d + int(affine)),
            },
        ),
    ),
)


# ---------------------------------------------------------------- confidence


def _failure_bounds(lab: Lab) -> list[Cell]:
    """2^(d-N) (1 - 2^-d)(1 - 2^(d-N)/2) <= failure <= 2^(d-N): sums of the d terms and of their pairs."""
    t = lab.theory.hardness
    proof = Proof()
    x, d = sp.Symbol("x", positive=True), sp.Symbol("d", positive=True, integer=True)
    proof.identity(
        "sum of 2^(i-N) over i < d",
        sp.summation(2 ** sp.Symbol("i", integer=True) * x, (sp.Symbol("i", integer=True), 0, d - 1)),
        x * (2**d - 1),
    )
    found = None
    for size in (1, 2, 7, 30, 200):
        for beyond in (0, 1, 5, 20, 60):
            n = size + beyond
            if n > 200:
                continue
            failure = 1 - t.full_rank_probability_exact(size, n)
            above = Fraction(1, 2**beyond)
            total = above * (1 - Fraction(1, 2**size))
            if not total * (1 - total / 2) <= failure <= total <= above:
                found = {"d": str(size), "n_samples": str(n)}
    proof.step("between the sum and the sum less half its square (Bonferroni)", found is None)
    return proof.cells({"d": "{1, 2, ...}"}, found)


def _least(lab: Lab) -> Iterator[Cell]:
    t = lab.theory.hardness
    for d in (1, 4, 20, 60):
        for power, delta in (
            (1, Fraction(1, 2)),
            (4, Fraction(1, 20)),
            (7, Fraction(1, 100)),
            (20, Fraction(1, 10**6)),
        ):
            n = t.elimination_samples(d, float(delta))
            cell = {"d": d, "delta": delta}
            yield lab.true(cell, 1 - t.full_rank_probability_exact(d, n) <= delta, "enough")
            fewer = 1 - t.full_rank_probability_exact(d, n - 1) if n > d else Fraction(1)
            yield lab.true(cell, fewer > delta, "one fewer is not")
            yield lab.at_most(cell, n, d + max(1, math.ceil(math.log2(1 / delta))), f"d + log2(1/delta), about {power}")


def _fails(data: Any, cell: Mapping[str, Any]) -> Counts:
    found = data["rank"].values < cell["d"]
    return Counts(int(found.sum()), int(found.size))


CONFIDENCE = Claim(
    id="hardness.elimination_confidence",
    statement=(
        "d + ceil(log2(1/delta)) labelled prompts determine every parity of d signs but for a chance of delta, and the "
        "least number that does lies at most two below unless it is d."
    ),
    latex=r"P(\operatorname{rank} < d) \le 2^{d-N}",
    origin="derived",
    source="Bonferroni's inequalities on hardness.rank_law",
    kind="upper",
    domain=Domain({"d": LENGTH, "delta": Real(1e-290, 1, meaning="failure probability", symbol=r"\delta")}),
    functions=("hardness.elimination_samples",),
    evidence=(
        Exact("certificate", "failure between its bounds", _failure_bounds, scope="cells", cost=0.2),
        Exact("enumeration", "least numbers of prompts, in rationals", _least, scope="cells", cost=0.1),
        Simulation(
            "eliminations that fail at that number of prompts",
            "hardness.gaussian_elimination",
            cells=[{"d": d, "delta": delta} for d in (10, 40) for delta in (0.3, 0.05)],
            parameters=lambda cell: {
                "d": cell["d"],
                "n_samples": closed_forms().elimination_samples(cell["d"], cell["delta"]),
            },
            extract=_fails,
            predict=lambda theory, cell: (
                0.0,
                theory.hardness.elimination_failure(
                    cell["d"], closed_forms().elimination_samples(cell["d"], cell["delta"])
                ),
            ),
            compare="upper",
            resolution=0.12,
            planned_n=1024,
            unit="elimination",
            cost=0.3,
        ),
    ),
    mutants=(
        Mutant(
            "d + log2(1/delta)/2 prompts",
            "at delta = 1/100 three prompts beyond d fail in 12 % of the cases",
            theory={
                "hardness.elimination_samples": lambda d, delta, affine=False: d + math.ceil(math.log2(1 / delta) / 2),
                "hardness.elimination_failure": lambda d, n, affine=False: 4.0 ** (d - n) / 4,
                "hardness.full_rank_probability_exact": lambda d, n, affine=False: (
                    1 - Fraction(1, 4) ** (n - d + 1) if n >= d else Fraction(0)
                ),
            },
        ),
        Mutant(
            "2d prompts always",
            "fewer do at moderate delta, and at d = 1, delta = 1e-6 they do not",
            theory={
                "hardness.elimination_samples": lambda d, delta, affine=False: 2 * d,
                "hardness.full_rank_probability_exact": lambda d, n, affine=False: Fraction(int(n >= 2 * d)),
            },
        ),
    ),
)


# ---------------------------------------------------------------- any learner


def _all_learners(lab: Lab) -> Iterator[Cell]:
    """The best learner is right on one subset for each row of labels that can occur: count the rows."""
    t = lab.theory.hardness
    for d, n in ((1, 1), (2, 1), (2, 3), (3, 2), (3, 3)):
        right = 0
        for rows in product(range(2**d), repeat=n):
            labels = {tuple((s & row).bit_count() & 1 for row in rows) for s in range(2**d)}
            right += len(labels)
        share = Fraction(right, 2 ** (d * n) * 2**d)
        cell = {"d": d, "n_samples": n}
        yield lab.equal(cell, share, t.identification_probability_exact(d, n), "best learner")
        yield lab.at_most(cell, share, Fraction(t.identification_bound(n, 2**d)), "2^N/2^d")


def _below_d(lab: Lab) -> Iterator[Cell]:
    t = lab.theory.hardness
    for d in (5, 20, 60):
        for n in (0, 1, d // 2, d - 1, d, d + 3):
            exact = t.identification_probability_exact(d, n)
            cell = {"d": d, "n_samples": n}
            yield lab.at_most(cell, exact, min(Fraction(1), Fraction(2) ** (n - d)), "2^(N-d)")
            yield lab.close(
                cell, float(exact), t.identification_probability(d, n), float(exact) * d * 2.0**-46, "floats"
            )
            yield lab.close(cell, (1 + float(exact)) / 2, t.elimination_accuracy(d, n), d * 2.0**-46, "fresh prompts")
            bound = t.identification_bound(n, 2**d)
            yield lab.close(cell, min(1.0, 2.0 ** (n - d)), bound, bound * 1e-12, "bound for any class")
    q = sp.Symbol("q", positive=True)
    yield lab.true({}, is_zero(q + (1 - q) / 2 - (1 + q) / 2), "known labels and coins")


def _named(data: Any, cell: Mapping[str, Any]) -> Counts:
    found = data["identified"].values
    return Counts(int(found.sum()), int(found.size))


def _answered(data: Any, cell: Mapping[str, Any]) -> Counts:
    found = data["correct"].values
    return Counts(int(found.sum()), int(found.size))


LEARNER_CELLS = tuple({"d": d, "n_samples": n} for d, n in ((10, 7), (10, 9), (10, 10), (66, 65)))

ANY_LEARNER = Claim(
    id="hardness.any_learner",
    statement=(
        "No learner whatever names a uniform subset of d signs from N labelled prompts with a chance above E[2^(rank - "
        "d)] <= 2^(N-d), and elimination with guessed bits reaches it; it answers a fresh prompt rightly with "
        "probability (1 + E[2^(rank - d)])/2."
    ),
    latex=r"P(\hat S = S) \le \mathbb{E}\bigl[2^{\operatorname{rank} - d}\bigr] \le 2^{N-d}",
    origin="derived",
    source="posterior uniform on the solutions of the equations",
    kind="exact",
    domain=Domain({"d": EXACT_LENGTH, "n_samples": EXACT_SAMPLES}),
    functions=(
        "hardness.identification_probability",
        "hardness.identification_probability_exact",
        "hardness.elimination_accuracy",
    ),
    evidence=(
        Exact("enumeration", "rows of labels counted at small d", _all_learners, scope="cells", cost=0.1),
        Exact("identity", "closed forms against 2^(N-d), floats", _below_d, scope="cells", cost=0.3),
        Simulation(
            "elimination with guessed bits names the subset",
            "hardness.gaussian_elimination",
            cells=LEARNER_CELLS,
            parameters=_run,
            extract=_named,
            predict=lambda theory, cell: theory.hardness.identification_probability(cell["d"], cell["n_samples"]),
            resolution=0.12,
            planned_n=1024,
            unit="elimination",
            cost=0.5,
        ),
        Simulation(
            "its answers to fresh prompts",
            "hardness.gaussian_elimination",
            cells=LEARNER_CELLS,
            parameters=_run,
            extract=_answered,
            predict=lambda theory, cell: theory.hardness.elimination_accuracy(cell["d"], cell["n_samples"]),
            resolution=0.12,
            planned_n=1024,
            unit="elimination",
            cost=0.1,
        ),
    ),
    mutants=(
        Mutant(
            "the chance is that of full rank",
            "with one bit undetermined a guess is right half of the time",
            theory={
                "hardness.identification_probability": lambda d, n, affine=False: closed_forms().full_rank_probability(
                    d, n, affine
                ),
                "hardness.identification_probability_exact": lambda d, n, affine=False: (
                    closed_forms().full_rank_probability_exact(d, n, affine)
                ),
                "hardness.elimination_accuracy": lambda d, n: (1 + closed_forms().full_rank_probability(d, n)) / 2,
            },
        ),
        Mutant(
            "an undetermined subset answers no better than a coin",
            "prompts in the span of those seen have known labels",
            theory={"hardness.elimination_accuracy": lambda d, n: 0.5 + 0.5 * float(n >= 2 * d)},
        ),
    ),
)

CLAIMS = (RANK, EXPECTED, CONFIDENCE, ANY_LEARNER)
