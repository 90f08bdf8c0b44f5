"""Claims about exact elimination probabilities: any family by its seen sets, and four families in closed form."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Mapping
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import numpy as np

from proofs_check.claims import Claim, Exact, Mutant, Simulation
from proofs_check.domains import Domain, Integer, Real
from proofs_check.mid_training._common import (
    FAILURE_RATE,
    N_DEMONSTRATIONS,
    N_OPTIONS,
    ROUNDING,
    Family,
    elimination_cell,
    elimination_parameters,
    generator,
    random_families,
    random_law,
    replaced,
    rerun,
    sequences,
    share_leg,
    shipped,
    trials,
    unseen_tail,
    worst_rate,
)
from proofs_check.samples import Counts
from proofs_check.verdicts import Cell

if TYPE_CHECKING:
    from proofs_check.lab import Lab

__all__ = ["CLAIMS"]

# ---------------------------------------------------------------- the exact law for any family


def _eight_types() -> Family:
    """Six options on eight types, two kept: the tasks of a small random world."""
    rng = generator(8)
    while True:
        family = Family(random_law(8, rng), rng.random((6, 8)) < 0.6, 2)
        if 0 in family.masks.values() and len(family.bad(Fraction(1, 20))) >= 10:
            return family


def _three_routes(lab: Lab) -> Iterator[Cell]:
    t = lab.theory.mid_training
    for index, family in enumerate(random_families(6)):
        sigma = worst_rate(family)
        masks = [family.masks[subset] for subset in family.bad(sigma)]
        for n in (0, 1, 2, 4):
            literal = family.eliminated(sigma, n)
            cell = {"family": index, "n": n}
            yield lab.equal(cell, Fraction(t.elimination_by_seen_sets(family.law, masks, n)), literal, "seen sets")
            found = t.elimination_by_inclusion_exclusion(family.law, masks, n)
            yield lab.equal(cell, Fraction(found), literal, "inclusion and exclusion")


def _two_routes(lab: Lab) -> Iterator[Cell]:
    t = lab.theory.mid_training
    family = _eight_types()
    masks = [family.masks[subset] for subset in family.bad(Fraction(1, 20))]
    law = [float(p) for p in family.law]
    for n in (5, 10, 20, 60):
        seen = float(t.elimination_by_seen_sets(family.law, masks, n))
        other = float(t.elimination_by_inclusion_exclusion(family.law, masks, n))
        yield lab.close({"types": 8, "n": n}, seen, other, 2 * ROUNDING, "both exact, rounded once")
        # A product and a sum per type and draw, all terms non-negative.
        yield lab.close(
            {"types": 8, "n": n}, float(t.elimination_by_seen_sets(law, masks, n)), seen, 16 * n * ROUNDING, "chain"
        )
    moebius, chain = t.seen_set_law(family.law, 7), t.seen_set_law_chain(family.law, 7)
    yield lab.true({"types": 8, "n": 7}, bool((moebius == chain).all()), "law of the seen set, 256 entries")


def _general_leg() -> Simulation:
    def gone(data: Any, cell: Mapping[str, Any]) -> Counts:
        found = trials(data, "all_bad_eliminated")
        return Counts(int(found.sum()), found.size)

    def predict(theory: Any, cell: Mapping[str, Any]) -> float:
        family = random_families(6)[cell["family"]]
        masks = [family.masks[subset] for subset in family.bad(worst_rate(family))]
        law = [float(p) for p in family.law]
        by_sets = theory.mid_training.elimination_by_seen_sets(law, masks, cell["n"])
        return float(by_sets)

    return Simulation(
        "share of trials without a bad survivor",
        "mid_training.prune_by_elimination",
        cells=[elimination_cell(i, n) for i in (0, 1) for n in (5, 12)],
        parameters=elimination_parameters,
        extract=gone,
        predict=predict,
        resolution=0.04,
        planned_n=8,
        looks=4,
        unit="2000 trials",
        cost=0.2,
    )


def _any_mask(p: Any, masks: Any, n: int) -> Any:
    """Mutant: one bad subset gone is enough."""
    t = shipped()
    return max(t.elimination_by_seen_sets(p, [mask], n) for mask in masks)


def _bonferroni(p: Any, masks: Any, n: int) -> Any:
    """Mutant: inclusion and exclusion that stops after single subsets."""
    return 1 - sum((1 - sum(p[y] for y in range(len(p)) if mask >> y & 1)) ** n for mask in set(masks))


GENERAL = Claim(
    id="mid_training.elimination_law",
    statement=(
        "All bad subsets are gone iff the set of task types seen meets the failures of each; Moebius inversion over "
        "the seen sets, the draw-by-draw chain, and inclusion and exclusion over bad subsets give one probability."
    ),
    latex=(
        r"P = \sum_S \mu_n(S)\prod_{B}1[S\cap F_B\neq\emptyset],\quad \mu_n(S)=\sum_{R\subseteq S}(-1)^{|S\setminus "
        r"R|}p(R)^n"
    ),
    origin="derived",
    source="theory.mid_training.seen_sets: survival depends on the drawn types alone",
    kind="exact",
    domain=Domain({"n": N_DEMONSTRATIONS}),
    evidence=(
        Exact("enumeration", "all sequences of task types, in rationals", _three_routes, scope="cells", cost=0.2),
        Exact(
            "identity",
            "Moebius, chain, and inclusion and exclusion on eight types",
            _two_routes,
            scope="cells",
            cost=0.2,
        ),
        _general_leg(),
    ),
    mutants=(
        Mutant(
            "it is enough that one bad subset is gone",
            "the event asks for all of them",
            theory=replaced(elimination_by_seen_sets=_any_mask),
        ),
        Mutant(
            "inclusion and exclusion may stop after single subsets",
            "subsets that fail no seen type survive together",
            theory=replaced(elimination_by_inclusion_exclusion=_bonferroni),
        ),
        Mutant(
            "the simulator draws two tasks more",
            "n tasks show n types",
            sims=rerun("prune_by_elimination", lambda given: {"n_demonstrations": given["n_demonstrations"] + 2}),
        ),
    ),
)


# ---------------------------------------------------------------- four families


def _coupon_literal(lab: Lab) -> Iterator[Cell]:
    """Options 0..k-1 solve their own type; every other k-subset must be gone."""
    t = lab.theory.mid_training
    for k, m, sigma in ((1, 3, Fraction(1, 3)), (2, 4, Fraction(1, 4)), (3, 5, Fraction(1, 5)), (2, 3, Fraction(1, 2))):
        solves = np.zeros((m, k + 1), dtype=bool)
        solves[np.arange(k), np.arange(k)] = True
        solves[:, k] = True
        family = Family([*([sigma] * k), 1 - k * sigma], solves, k)
        for n in (0, 1, 3, 5):
            literal = family.eliminated(sigma, n)
            yield lab.equal({"n_kept": k, "m": m, "n": n}, t.elimination_probability(k, sigma, n), literal)


def _coupon_forms(lab: Lab) -> Iterator[Cell]:
    t = lab.theory.mid_training
    for k in (1, 2, 5, 12):
        for sigma in (Fraction(1, k), Fraction(1, 2 * k), Fraction(1, 100)):
            for n in (0, 1, k, 40):
                both = t.elimination_probability(k, sigma, n), t.elimination_probability_textbook(k, sigma, n)
                yield lab.equal({"n_kept": k, "failure_rate": sigma, "n": n}, *both, "chain and alternating sum")
    uneven = [Fraction(1, 4), Fraction(1, 5), Fraction(1, 10), Fraction(3, 20)]
    for n in (0, 4, 15, 40):
        literal = Fraction(0)
        for size in range(5):
            for left in itertools.combinations(uneven, size):
                literal += (-1) ** size * (1 - sum(left, start=Fraction(0))) ** n
        yield lab.equal({"uneven": True, "n": n}, Fraction(t.all_seen_probability_textbook(uneven, n)), literal)
        found = t.all_seen_probability([float(p) for p in uneven], n)
        # Poisson weights of n draws: a few hundred roundings of positive terms.
        yield lab.close({"uneven": True, "n": n}, found, float(literal), 1e-12, "convolution")


COUPON = Claim(
    id="mid_training.coupon_family",
    statement=(
        "If k task types of probability sigma each are solved by one option alone, all bad k-subsets are gone iff all "
        "k types were shown: P = sum_i (-1)^i C(k,i)(1 - i sigma)^n, whatever the number of options."
    ),
    latex=r"P = \sum_{i=0}^{k}(-1)^i\binom ki(1-i\sigma)^n",
    origin="derived",
    source="theory.mid_training.elimination: coupon collector with a blank",
    kind="exact",
    domain=Domain(
        {
            "n_kept": Integer(1, meaning="k", symbol="k", largest_drawn=60),
            "failure_rate": Real(0, 1, symbol=r"\sigma"),
            "n_demonstrations": N_DEMONSTRATIONS,
        },
        {"k sigma <= 1": lambda cell: cell["n_kept"] * cell["failure_rate"] <= 1},
    ),
    functions=("mid_training.elimination_probability",),
    evidence=(
        Exact("enumeration", "literal options, subsets and task sequences", _coupon_literal, scope="cells", cost=0.2),
        Exact(
            "identity", "chain, alternating sum and convolution in rationals", _coupon_forms, scope="cells", cost=0.2
        ),
        share_leg(
            "share of trials that show all k types",
            "draw_unseen_types",
            [{"n_kept": 5, "failure_rate": 0.08, "n": 60}, {"n_kept": 8, "failure_rate": 0.125, "n": 20}],
            lambda cell: {
                "n_types": cell["n_kept"],
                "type_probability": cell["failure_rate"],
                "n_demonstrations": cell["n"],
                "n_trials": 2000,
            },
            lambda data, cell: trials(data, "unseen") == 0,
            lambda theory, cell: theory.mid_training.elimination_probability(
                cell["n_kept"], cell["failure_rate"], cell["n"]
            ),
        ),
    ),
    mutants=(
        Mutant(
            "the types are seen independently: (1 - (1-sigma)^n)^k",
            "one task shows at most one of them",
            theory=replaced(elimination_probability=lambda k, s, n: (1 - (1 - s) ** n) ** k),
        ),
        Mutant(
            "all terms count: sum_i C(k,i)(1 - i sigma)^n",
            "inclusion and exclusion alternates",
            theory=replaced(
                elimination_probability_textbook=lambda k, s, n: sum(
                    math.comb(k, i) * (1 - i * s) ** n for i in range(k + 1)
                )
            ),
        ),
        Mutant(
            "the first demonstration shows nothing",
            "with k = 1 one task of the type suffices",
            theory=replaced(
                elimination_probability=lambda k, s, n: shipped().elimination_probability(k, s, max(n - 1, 0))
            ),
        ),
    ),
)


def _independent_literal(lab: Lab) -> Iterator[Cell]:
    """Every table of failures of m - 1 options on n tasks."""
    t = lab.theory.mid_training
    for m, n, sigma in (
        (2, 3, Fraction(1, 4)),
        (3, 3, Fraction(1, 3)),
        (4, 2, Fraction(2, 5)),
        (5, 2, Fraction(1, 10)),
    ):
        total = Fraction(0)
        for pattern in itertools.product((0, 1), repeat=(m - 1) * n):
            ones = sum(pattern)
            if all(any(pattern[o * n : (o + 1) * n]) for o in range(m - 1)):
                total += sigma**ones * (1 - sigma) ** (len(pattern) - ones)
        yield lab.equal(
            {"n_options": m, "failure_rate": sigma, "n": n}, t.elimination_probability_independent(m, sigma, n), total
        )


INDEPENDENT = Claim(
    id="mid_training.independent_family",
    statement=(
        "If every wrong option fails each task independently with probability sigma, only the good one is left with "
        "probability (1 - (1-sigma)^n)^(m-1): the union bound is nearly an equality."
    ),
    latex=r"P = \bigl(1-(1-\sigma)^n\bigr)^{m-1}",
    origin="derived",
    source="theory.mid_training.elimination",
    kind="exact",
    domain=Domain({"n_options": N_OPTIONS, "failure_rate": FAILURE_RATE, "n_demonstrations": N_DEMONSTRATIONS}),
    functions=("mid_training.elimination_probability_independent",),
    evidence=(
        Exact("enumeration", "all tables of failures", _independent_literal, scope="cells"),
        share_leg(
            "share of trials with one survivor",
            "draw_independent_failures",
            [{"n_options": 50, "failure_rate": 0.1, "n": 50}, {"n_options": 8, "failure_rate": 0.3, "n": 5}],
            lambda cell: {
                "n_options": cell["n_options"],
                "failure_rate": cell["failure_rate"],
                "n_demonstrations": cell["n"],
                "n_trials": 1000,
            },
            lambda data, cell: trials(data, "wrong_survivors") == 0,
            lambda theory, cell: theory.mid_training.elimination_probability_independent(
                cell["n_options"], cell["failure_rate"], cell["n"]
            ),
        ),
    ),
    mutants=(
        Mutant(
            "the exponent is m",
            "the good option never fails",
            theory=replaced(elimination_probability_independent=lambda m, s, n: (1 - (1 - s) ** n) ** m),
        ),
        Mutant(
            "one option decides: 1 - (1-sigma)^n",
            "all m - 1 wrong ones must fail once",
            theory=replaced(elimination_probability_independent=lambda m, s, n: 1 - (1 - s) ** n),
        ),
    ),
)


def _bit_blocks(k: int, bits: int, q: Fraction) -> Family:
    """k blocks of 2^bits options; type (i, l) is solved by option v of block i iff bit l of v is one."""
    size = 2**bits
    d = k * bits
    solves = np.zeros((k * size, d + 1), dtype=bool)
    for i, v, bit in itertools.product(range(k), range(size), range(bits)):
        solves[i * size + v, i * bits + bit] = bool(v >> bit & 1)
    solves[:, d] = True
    return Family([*([q] * d), 1 - d * q], solves, k)


def _block_literal(lab: Lab) -> Iterator[Cell]:
    t = lab.theory.mid_training
    for k, bits, q, threshold, longest in (
        (1, 2, Fraction(1, 4), 1, 5),
        (1, 2, Fraction(1, 3), 2, 5),
        (2, 1, Fraction(1, 5), 2, 5),
        (2, 2, Fraction(3, 20), 2, 4),
    ):
        family = _bit_blocks(k, bits, q)
        for n in (0, 1, longest - 1, longest):
            literal = 1 - family.eliminated(threshold * q, n)
            found = t.block_survival_probability(k * bits, q, threshold, n)
            yield lab.equal({"k": k, "bits": bits, "threshold": threshold, "n": n}, found, literal)


def _block_forms(lab: Lab) -> Iterator[Cell]:
    t = lab.theory.mid_training
    for d, threshold, q in ((4, 2, Fraction(3, 20)), (10, 3, Fraction(1, 10)), (20, 7, Fraction(1, 40))):
        for n in (0, 5, 12, 40):
            literal = unseen_tail(d, q, threshold, n)
            cell = {"d": d, "threshold": threshold, "n": n}
            yield lab.equal(cell, t.block_survival_probability(d, q, threshold, n), literal, "chain")
            yield lab.equal(cell, t.block_survival_probability_textbook(d, q, threshold, n), literal, "sum")
    exact = float(1 - unseen_tail(224, Fraction(1, 410), 82, 414))
    # (n + d) roundings of positive terms
    yield lab.close(
        {"d": 224, "threshold": 82, "n": 414}, 1 - t.block_survival_probability(224, 1 / 410, 82, 414), exact, 1e-11
    )


BLOCKS = Claim(
    id="mid_training.block_family",
    statement=(
        "With k blocks of options labelled by bits and d = k log2(m/k) light task types, one a bit, a subset failing F "
        "types survives iff at least F types are unseen; the occupancy chain and the alternating sum agree."
    ),
    latex=r"P(U \ge F) = \sum_{j=F}^{d}(-1)^{j-F}\binom{j-1}{F-1}\binom dj(1-jq)^n",
    origin="derived",
    source="theory.mid_training.elimination",
    kind="exact",
    domain=Domain({"n": N_DEMONSTRATIONS}),
    evidence=(
        Exact(
            "enumeration", "literal bit-labelled options and task sequences", _block_literal, scope="cells", cost=0.6
        ),
        Exact(
            "identity", "chain and alternating sum in rationals, up to d = 224", _block_forms, scope="cells", cost=0.4
        ),
        share_leg(
            "share of trials with at least F unseen types",
            "draw_unseen_types",
            [{"d": 4, "q": 0.15, "threshold": 2, "n": 12}, {"d": 40, "q": 0.15 / 7, "threshold": 7, "n": 80}],
            lambda cell: {
                "n_types": cell["d"],
                "type_probability": cell["q"],
                "n_demonstrations": cell["n"],
                "n_trials": 2000,
            },
            lambda data, cell: trials(data, "unseen") >= cell["threshold"],
            lambda theory, cell: theory.mid_training.block_survival_probability(
                cell["d"], cell["q"], cell["threshold"], cell["n"]
            ),
        ),
    ),
    mutants=(
        Mutant(
            "C(j,F) in place of C(j-1,F-1)",
            "that counts F-sets of unseen types, not the event of at least F",
            theory=replaced(
                block_survival_probability_textbook=lambda d, q, f, n: sum(
                    (-1) ** (j - f) * math.comb(j, f) * math.comb(d, j) * (1 - j * q) ** n for j in range(f, d + 1)
                )
            ),
        ),
        Mutant(
            "one unseen type suffices",
            "a subset that fails one type only is not bad",
            theory=replaced(
                block_survival_probability=lambda d, q, f, n: shipped().block_survival_probability(d, q, 1, n)
            ),
        ),
    ),
)


def _typed_literal(lab: Lab) -> Iterator[Cell]:
    t = lab.theory.mid_training
    for k, b, rho, n in (
        (2, 2, Fraction(1, 2), 4),
        (3, 3, Fraction(1, 3), 5),
        (4, 2, Fraction(2, 3), 6),
        (2, 5, Fraction(1, 2), 8),
    ):
        total = Fraction(0)
        for drawn, probability in sequences([Fraction(1, k)] * k, n):
            product = Fraction(1)
            for block in range(k):
                product *= (1 - (1 - rho) ** drawn.count(block)) ** (b - 1)
            total += probability * product
        found = t.elimination_probability_typed(k, b, float(rho), n)
        yield lab.close({"blocks": k, "size": b, "rho": rho, "n": n}, found, float(total), 1e-12)


TYPED = Claim(
    id="mid_training.typed_family",
    statement=(
        "If a task's type is uniform on k blocks and fails each wrong option of its block independently with "
        "probability rho, P = E prod_i (1 - (1-rho)^(N_i))^(b-1), N multinomial."
    ),
    latex=r"P = \mathbb{E}\prod_{i=1}^{k}\bigl(1-(1-\rho)^{N_i}\bigr)^{b-1}",
    origin="derived",
    source="theory.mid_training.elimination: Poisson counts given their total",
    kind="exact",
    domain=Domain(
        {
            "n_blocks": Integer(1, meaning="k", symbol="k", largest_drawn=20),
            "block_size": Integer(1, meaning="b", symbol="b", largest_drawn=20),
            "type_failure_rate": Real(0, 1, open_low=True, open_high=True, symbol=r"\rho"),
            "n_demonstrations": N_DEMONSTRATIONS,
        }
    ),
    functions=("mid_training.elimination_probability_typed",),
    evidence=(
        Exact("enumeration", "all sequences of types, in rationals", _typed_literal, scope="cells", cost=0.2),
        share_leg(
            "share of trials without a wrong survivor",
            "draw_typed_failures",
            [{"blocks": 16, "size": 16, "rho": 0.5, "n": 180}, {"blocks": 4, "size": 3, "rho": 0.3, "n": 30}],
            lambda cell: {
                "n_blocks": cell["blocks"],
                "block_size": cell["size"],
                "type_failure_rate": cell["rho"],
                "n_demonstrations": cell["n"],
                "n_trials": 1000,
            },
            lambda data, cell: trials(data, "wrong_survivors") == 0,
            lambda theory, cell: theory.mid_training.elimination_probability_typed(
                cell["blocks"], cell["size"], cell["rho"], cell["n"]
            ),
            0.4,
        ),
    ),
    mutants=(
        Mutant(
            "every block gets n/k tasks",
            "the counts are random and the product is concave in them",
            theory=replaced(
                elimination_probability_typed=lambda k, b, rho, n: (1 - (1 - rho) ** (n / k)) ** (k * (b - 1))
            ),
        ),
        Mutant(
            "an option fails a task with probability rho whatever its type",
            "tasks of other types never fail it",
            theory=replaced(elimination_probability_typed=lambda k, b, rho, n: (1 - (1 - rho) ** n) ** (k * (b - 1))),
        ),
    ),
)

CLAIMS = (GENERAL, COUPON, INDEPENDENT, BLOCKS, TYPED)
