"""Claims about how few demonstrations cannot suffice, and the order in which their number grows."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import sympy as sp

from proofs_check.certificates import Proof, counterexample, is_zero
from proofs_check.claims import Claim, Exact, Mutant
from proofs_check.domains import Domain
from proofs_check.mid_training._common import (
    FAILURE_RATE,
    N_DEMONSTRATIONS,
    PAPER,
    replaced,
    sequences,
    share_leg,
    shipped,
    trials,
    unseen_tail,
)
from proofs_check.mid_training.pruning import COUNTS, SIGMA
from proofs_check.verdicts import Cell

if TYPE_CHECKING:
    from proofs_check.lab import Lab

__all__ = ["CLAIMS"]

LOWER_CELLS = tuple(
    (d, f, s) for d, f in ((40, 7), (80, 14), (224, 41), (12, 2), (6, 1), (40, 14)) for s in (0.15, 0.3)
)


def _lower_exact(lab: Lab) -> Iterator[Cell]:
    t = lab.theory.mid_training
    for d, f, s in LOWER_CELLS:
        if d * s / f > 1:
            continue
        n = math.floor(t.block_lower_count(d, f, s))
        survives = float(unseen_tail(d, Fraction(str(s)) / f, f, n)) if n >= 0 else 0.0
        yield lab.at_most({"d": d, "F": f, "q": s / f, "n": n}, float(t.block_survival_guarantee(f)), survives)


def _lower_constants(lab: Lab) -> Iterator[Cell]:
    """E U = 2F at the count; half the mean lies at F, and the lower Chernoff tail there is exp(-(1/2)^2 2F/2)."""
    t = lab.theory.mid_training
    d, f = (sp.Symbol(name, integer=True, positive=True) for name in ("d", "F"))
    n = t.block_lower_count(d, f, SIGMA)
    left = sp.log(d) + n * sp.log(1 - SIGMA / f) - sp.log(2 * f)
    yield lab.true({"d": "symbol", "F": "symbol"}, is_zero(sp.expand_log(left, force=True)), "d (1-q)^n = 2F")
    yield lab.true({"F": "symbol"}, is_zero(t.block_survival_guarantee(f) - 1 + sp.exp(-f / 4)), "1 - exp(-mean/8)")
    x = sp.Symbol("x", positive=True)
    # ln of the Chernoff factor at (1-x) mean, plus x^2/2: zero with zero slope at 0, then convexly below
    slope = sp.diff(x + (1 - x) * sp.log(1 - x) - x**2 / 2, x)
    gap = sp.diff(slope, x)
    yield lab.true(
        {"tail": "1/2"}, bool(sp.simplify(gap - x / (1 - x)) == 0 and slope.subs(x, 0) == 0), "curvature x/(1-x) >= 0"
    )


LOWER = Claim(
    id="mid_training.block_lower_bound",
    statement=(
        "In the bit-block family a bad subset survives with probability at least 1 - e^(-F/4) for every n <= "
        "ln(d/2F)/(-ln(1-q)): the factor k ln(m/k) of the union count cannot be removed."
    ),
    latex=r"n \le \frac{\ln(d/2F)}{-\ln(1-q)} \implies P(\text{a bad subset survives}) \ge 1-e^{-F/4}",
    origin="derived",
    source="theory.mid_training.pruning: unseen types are negatively associated, Chernoff's lower tail",
    kind="lower",
    domain=Domain({"sigma": FAILURE_RATE}),
    evidence=(
        Exact("identity", "mean 2F at the count, and the tail at half the mean", _lower_constants),
        Exact("enumeration", "exact survival in rationals at the count", _lower_exact, scope="cells", cost=0.3),
    ),
    mutants=(
        Mutant(
            "up to ln(d/F)/(-ln(1-q))",
            "there the mean of U is F, and U < F nearly half of the time",
            theory=replaced(block_lower_count=lambda d, f, s: shipped().block_lower_count(2 * d, f, s)),
        ),
        Mutant(
            "with probability at least 1 - e^(-2F)",
            "the tail at half of a mean 2F is not that small",
            theory=replaced(block_survival_guarantee=lambda f: 1 - sp.exp(-2 * f)),
        ),
    ),
    tightness=lambda lab: {
        "ratio": max((1 - math.exp(-f / 4)) for f in (7, 14, 41)) / 1.0,
        "interval": [1 - math.exp(-7 / 4), 1.0],
        "vacuous": ["d < 2F"],
        "detail": "guarantees .826, .970, 1.000 where the exact probability is at least .9998",
    },
)


def _learner_literal(lab: Lab) -> Iterator[Cell]:
    """All sequences of types and all planted bits; unseen bits are fair whatever the learner outputs."""
    t = lab.theory.mid_training
    for d, q, f, n in ((2, Fraction(1, 4), 1, 3), (3, Fraction(1, 5), 2, 4), (4, Fraction(1, 5), 2, 4)):
        total = Fraction(0)
        for drawn, probability in sequences([*([q] * d), 1 - d * q], n):
            unseen = d - len(set(drawn) - {d})
            wrong = sum(sum(bits) >= f for bits in itertools.product((0, 1), repeat=unseen))
            total += probability * Fraction(wrong, 2**unseen)
        yield lab.close({"d": d, "threshold": f, "n": n}, t.any_learner_failure(d, float(q), f, n), float(total), 1e-13)
    for n, worked in ((40, 0.794), (50, 0.538), (80, 0.045)):
        yield lab.close(
            {"d": 40, "threshold": 7, "n": n}, t.any_learner_failure(40, 0.15 / 7, 7, n), worked, 5e-4, "worked"
        )


LEARNER = Claim(
    id="mid_training.any_learner",
    statement=(
        "With the good options planted at random, any rule that outputs one option a block is bad with probability at "
        "least P(Bin(U, 1/2) >= F), U the number of unseen types: .794, .538 and .045 at n = 40, 50, 80 for d = 40, F "
        "= 7."
    ),
    latex=r"P(\text{bad output}) \ge P\bigl(\mathrm{Bin}(U,\tfrac12) \ge F\bigr)",
    origin="derived",
    source="theory.mid_training.elimination: bits of unseen types are fair given the demonstrations",
    kind="lower",
    domain=Domain({"n": N_DEMONSTRATIONS}),
    evidence=(
        Exact("enumeration", "all task sequences and planted bits", _learner_literal, scope="cells"),
        share_leg(
            "share of trials in which guessed bits make a bad output",
            "draw_unseen_types",
            [{"d": 40, "q": 0.15 / 7, "threshold": 7, "n": n} for n in (40, 50, 80)],
            lambda cell: {
                "n_types": cell["d"],
                "type_probability": cell["q"],
                "n_demonstrations": cell["n"],
                "n_trials": 2000,
            },
            lambda data, cell: trials(data, "wrong") >= cell["threshold"],
            lambda theory, cell: theory.mid_training.any_learner_failure(
                cell["d"], cell["q"], cell["threshold"], cell["n"]
            ),
        ),
    ),
    mutants=(
        Mutant(
            "every unseen bit is guessed wrong",
            "half of the guesses are right",
            theory=replaced(any_learner_failure=lambda d, q, f, n: shipped().block_survival_probability(d, q, f, n)),
        ),
        Mutant(
            "every demonstration shows two tasks",
            "it shows one",
            theory=replaced(any_learner_failure=lambda d, q, f, n: shipped().any_learner_failure(d, q, f, 2 * n)),
        ),
    ),
)


# ---------------------------------------------------------------- orders of growth


def _order_above(lab: Lab) -> list[Cell]:
    """k + k ln(m/k) <= (1 + 1/ln 2) k ln(m/k) for m >= 2k."""
    proof = Proof()
    k, over, rest = (sp.Symbol(name, positive=True) for name in ("k", "L", "D"))
    factor = 1 + 1 / sp.log(2)
    upper = factor * (k * (sp.log(2) + over) + rest) - (k * (1 + sp.log(2) + over) + rest)
    proof.identity("slack", sp.expand(upper), sp.expand((k * over + rest) / sp.log(2)))
    proof.nonnegative("slack is >= 0", k * over + rest, {k: (0, sp.oo), over: (0, sp.oo), rest: (0, sp.oo)})
    t = lab.theory.mid_training

    def margin(m: Any, k: Any, s: Any, delta: Any) -> Any:
        whole = (int(m.unique_fmpz()), int(k.unique_fmpz()))
        return t.order_of_growth(*whole, s, delta) * (1 + 1 / math.log(2) + 1e-9) - t.union_count(*whole, s, delta)

    points = [
        {"m": m, "k": k, "s": Fraction(1, s), "delta": Fraction(1, d)}
        for m, k in ((2, 1), (20, 5), (128, 4), (4096, 32), (1000, 500))
        for s in (5, 100)
        for d in (2, 1000, 10**12)
    ]
    witness = counterexample(margin, points)
    proof.step("the shipped order at 30 points", witness is None)
    return proof.cells({"m": ">= 2k"}, witness)


def _order_below(lab: Lab) -> Iterator[Cell]:
    """On bit blocks the exact n* is at least a tenth of the order, for small and large delta alike."""
    t = lab.theory.mid_training
    for k, b, sigma in ((4, 32, 0.15), (8, 32, 0.15), (32, 128, 0.15)):
        d = k * int(math.log2(b))
        f = max(1, int(d / (2 * math.e)))
        for delta in (0.5, 0.05, 1e-6):
            success = lambda n, d=d, f=f, q=sigma / f: 1 - t.block_survival_probability(d, q, f, n)  # noqa: E731
            star = t.smallest_demonstrations(success, 1 - delta)
            order = t.order_of_growth(k * b, k, sigma, delta)
            cell = {"k": k, "b": b, "sigma": sigma, "delta": delta}
            yield lab.at_most(cell, order / 10, float(star), f"n* = {star}, ratio {star / order:.3f}")


ORDER = Claim(
    id="mid_training.worst_case_order",
    statement=(
        "The worst-case number of demonstrations is of order (k ln(m/k) + ln(1/delta))/sigma: for m >= 2k the union "
        "count is at most 1 + 1/ln 2 times it, and bit blocks need a tenth of it at every delta."
    ),
    latex=r"|D_E| = \Theta\Bigl(\frac{k\ln(m/k)+\ln(1/\delta)}{\sigma}\Bigr)",
    origin="derived",
    source="theory.mid_training.pruning: union bound above, bit blocks and a single subset below",
    kind="rate",
    domain=COUNTS,
    evidence=(
        Exact("certificate", "upper half: the union count against the order", _order_above, cost=0.2),
        Exact(
            "enumeration",
            "lower half: exact n* on bit blocks, delta from 1/2 to 1e-6",
            _order_below,
            scope="cells",
            cost=0.6,
        ),
    ),
    mutants=(
        Mutant(
            "the order is ln(m/delta)/sigma, without k",
            "k separate options must be found",
            theory=replaced(order_of_growth=lambda m, k, s, d: shipped().order_of_growth(m, 1, s, d)),
        ),
        Mutant(
            "the order is m ln(m/delta)/sigma, with the library's size for k",
            "the union bound over k-subsets is far smaller",
            theory=replaced(order_of_growth=lambda m, k, s, d: shipped().paper_count(m, 1, s, d) * m),
        ),
    ),
)


def _delta_witness(lab: Lab) -> Iterator[Cell]:
    """For a proposed constant c: k and delta at which fewer than c times the count suffice for every family."""
    t = lab.theory.mid_training
    for share in (Fraction(1, 2), Fraction(1, 10), Fraction(1, 100)):
        k = int(2 / share) + 1
        m, sigma = 2 * k, 0.1
        delta = float(Fraction(1, 10**300))
        enough, claimed = t.union_count(m, k, sigma, delta), float(share) * t.paper_count(m, k, sigma, delta)
        yield lab.at_most(
            {"c": share, "m": m, "k": k, "sigma": sigma, "delta": "1e-300"}, claimed, enough,
            "c times the count would be necessary, the union count is sufficient",
        )  # fmt: skip


def _delta_exact(lab: Lab) -> Iterator[Cell]:
    """The worst known family at k = 200: the exact n* against a fifth of the count, as delta falls."""
    t = lab.theory.mid_training
    k = 200
    for exponent in (2, 10, 40):
        delta = 10.0**-exponent
        rate = Fraction(1, 2000)
        # P(a type is unseen) <= k (1-sigma)^n and >= the first two terms of the alternating sum
        n = math.ceil(math.log(k / delta) / -math.log1p(-float(rate)))
        unseen = k * (1 - float(rate)) ** n
        claimed = t.paper_count(2 * k, k, float(rate), delta) / 20
        yield lab.at_most(
            {"k": k, "sigma": rate, "delta": f"1e-{exponent}", "n": n},
            claimed,
            n,
            f"P(a bad one survives) <= {unseen:.3g}",
        )


DELTA_FALSE = Claim(
    id="mid_training.published_delta_order",
    statement=(
        "With sigma the failure rate of a subset, the number of demonstrations needed is of order k ln(m/delta)/sigma: "
        "some constant share of it is necessary whatever k and delta."
    ),
    latex=r"|D_E| = \Theta\Bigl(\frac{|\mathcal Z_\varepsilon|\ln(|\mathcal Z|/\delta)}{\sigma}\Bigr)",
    origin="paper",
    source=f"{PAPER}, number of expert demonstrations",
    kind="rate",
    domain=COUNTS,
    evidence=(
        Exact(
            "certificate",
            "for c = 1/2, 1/10, 1/100: k and delta at which less than c times the count suffices",
            _delta_witness,
            scope="cells",
        ),
        Exact(
            "enumeration",
            "coupons with k = 200: a count that suffices by the first Bonferroni term",
            _delta_exact,
            scope="cells",
        ),
    ),
    mutants=(
        Mutant(
            "it is of order k ln(m/delta)/sigma^2",
            "larger still than what is already not necessary",
            theory=replaced(paper_count=lambda m, k, s, d: shipped().paper_count(m, k, s, d) / s),
        ),
        Mutant(
            "it is of order m ln(m/delta)/sigma",
            "with m in place of k the claimed necessity grows further",
            theory=replaced(paper_count=lambda m, k, s, d: shipped().paper_count(m, 1, s, d) * m),
        ),
    ),
    expected="fails",
    repaired_by="mid_training.worst_case_order",
    remarks=(
        "As delta falls the ratio of the published to a sufficient count tends to k. Read with sigma as failure rate "
        "per task type instead, as in typed blocks, the count is nearly tight (251 against n* = 241)."
    ),
)


CLAIMS = (LOWER, LEARNER, ORDER, DELTA_FALSE)
