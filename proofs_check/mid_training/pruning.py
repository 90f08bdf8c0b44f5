"""Claims about elimination: how many demonstrations prune a library, by the union bound and exactly."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from fractions import Fraction
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np
import sympy as sp

from proofs_check.certificates import Proof, counterexample, is_zero
from proofs_check.claims import Claim, Exact, Mutant, Simulation
from proofs_check.domains import Domain
from proofs_check.mid_training._common import (
    DELTA,
    FAILURE_RATE,
    N_KEPT,
    N_OPTIONS,
    PAPER,
    ROUNDING,
    elimination_cell,
    elimination_parameters,
    random_families,
    replaced,
    shipped,
    trials,
    unseen_tail,
    worst_rate,
)
from proofs_check.samples import Counts
from proofs_check.verdicts import Cell

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from proofs_check.lab import Lab
    from proofs_check.runner import ClaimResult

__all__ = ["CLAIMS", "COUNTS", "SIGMA"]

COUNTS = Domain(
    {"n_options": N_OPTIONS, "n_kept": N_KEPT, "failure_rate": FAILURE_RATE, "delta": DELTA},
    {"k <= m": lambda cell: cell["n_kept"] <= cell["n_options"]},
)
M, K = (sp.Symbol(name, integer=True, positive=True) for name in "mk")
SIGMA, DELTA_ = (sp.Symbol(name, positive=True) for name in ("sigma", "delta"))


# ---------------------------------------------------------------- the union bound and the published count


def _count_constants(lab: Lab) -> Iterator[Cell]:
    """What each count solves: the logarithm of its bound is ln delta there."""
    t = lab.theory.mid_training
    log_subsets = sp.log(sp.binomial(M, K))
    where = {"m": "symbol", "k": "symbol"}
    union = t.union_count(M, K, SIGMA, DELTA_)
    yield lab.true(where, is_zero(-sp.log(1 - SIGMA) * union - log_subsets + sp.log(DELTA_)), "C(m,k)(1-s)^n = delta")
    paper = t.paper_count(M, K, SIGMA, DELTA_)
    yield lab.true(where, is_zero(SIGMA * paper - K * sp.log(M) + K * sp.log(DELTA_)), "(m/delta)^k e^(-s n) = 1")
    loose = t.loose_union_count(M, K, SIGMA, DELTA_)
    difference = SIGMA * loose - K * (1 + sp.log(M) - sp.log(K)) + sp.log(DELTA_)
    yield lab.true(where, is_zero(sp.expand_log(difference, force=True)), "(em/k)^k e^(-s n) = delta")
    for m, s, delta in ((5, 0.1, 0.2), (300, 0.9, 1e-6)):
        every = t.all_sizes_union_count(m, s, delta)
        # ten roundings of logarithms
        yield lab.close(
            {"m": m}, every * -math.log1p(-s), m * math.log(2) - math.log(delta), 1e-13 * m, "2^m (1-s)^n = delta"
        )


def _count_order(lab: Lab) -> list[Cell]:
    proof = Proof()
    x, i, log_m, excess = (sp.Symbol(name, positive=True) for name in ("x", "i", "M", "D"))
    unit = {x: (0, 1)}
    proof.nonnegative("-ln(1-s) - s has slope s/(1-s) >= 0 and is 0 at 0", sp.diff(-sp.log(1 - x) - x, x), unit)
    proof.nonnegative(
        "C(m,k) <= m^k: every factor (m-i)/(i+1) is at most m", M - (M - i) / (i + 1), {M: (1, sp.oo), i: (0, sp.oo)}
    )
    proof.nonnegative(
        "k ln(1/delta) >= ln(1/delta) for k = 1 + i", (1 + i) * excess - excess, {i: (0, sp.oo), excess: (0, sp.oo)}
    )
    proof.nonnegative(
        "x - ln(1+x) has slope x/(1+x) >= 0, so (1+1/k)^k <= e", sp.diff(x - sp.log(1 + x), x), {x: (0, sp.oo)}
    )
    proof.nonnegative(
        "(k+1) C(m,k+1)/C(m,k) = m - k <= m <= m e/(1+1/k)^k", M - (M - i), {M: (1, sp.oo), i: (0, sp.oo)}
    )
    above = {**unit, log_m: (0, sp.oo), excess: (0, sp.oo)}
    proof.nonnegative("dividing by x <= 1 does not lower a count", (log_m + excess) / x - log_m - excess, above)
    t = lab.theory.mid_training

    def margin(m: Any, k: Any, s: Any, delta: Any) -> list[Any]:
        whole = (int(m.unique_fmpz()), int(k.unique_fmpz()))
        union = t.union_count(*whole, s, delta)
        return [t.paper_count(*whole, s, delta) - union, t.loose_union_count(*whole, s, delta) - union]

    points = [
        {"m": m, "k": k, "s": Fraction(s, 100), "delta": delta}
        for m, k in ((2, 1), (20, 5), (50, 1), (128, 4), (300, 299))
        for s in (1, 30, 90)
        for delta in (Fraction(1), Fraction(1, 10), Fraction(1, 10**6))
    ]
    witness = counterexample(margin, points)
    if witness is not None:
        names = {"m": "n_options", "k": "n_kept", "s": "sigma", "delta": "delta"}
        proof.step("order of the shipped counts at 45 points", False)
        return proof.cells({}, {names[key]: value for key, value in witness.items()})
    proof.step("order of the shipped counts at 45 points", True)
    return proof.cells({"m": "all", "k": "all", "sigma": "(0, 1)", "delta": "(0, 1]"})


def _bound_by_enumeration(lab: Lab) -> Iterator[Cell]:
    """Survival over all sequences of task types against both forms of the bound, and success at the count itself."""
    t = lab.theory.mid_training
    for index, family in enumerate(random_families(6)):
        sigma = worst_rate(family)
        rates = [family.rate(subset) for subset in family.bad(sigma)]
        for n in (1, 3, 5):
            survives = 1 - family.eliminated(sigma, n)
            bound = t.union_survival_bound(rates, n)
            uniform = t.uniform_survival_bound(family.n_options, family.n_kept, float(sigma), n)
            cell = {"family": index, "n": n}
            yield lab.at_most(cell, survives, bound, "sum of (1-b)^n")
            yield lab.at_most(cell, float(bound), uniform * (1 + 64 * ROUNDING), "C(m,k)(1-sigma)^n")
    for m, k, sigma, delta in (
        (20, 5, Fraction(2, 25), 0.1),
        (50, 1, Fraction(1, 10), 0.01),
        (12, 4, Fraction(1, 5), 0.05),
    ):
        n = math.ceil(t.union_count(m, k, float(sigma), delta))
        survives = unseen_tail(k, sigma, 1, n) if k > 1 else 1 - (1 - (1 - sigma) ** n) ** (m - 1)
        yield lab.at_most({"n_options": m, "n_kept": k, "n": n}, float(survives), delta, "at the count itself")


def _not_gone(data: Any, cell: Mapping[str, Any]) -> Counts:
    gone = trials(data, "all_bad_eliminated")
    return Counts(int((~gone).sum()), gone.size)


def _bad_rates(cell: Mapping[str, Any]) -> list[float]:
    family = random_families(6)[cell["family"]]
    return [float(family.rate(subset)) for subset in family.bad(worst_rate(family))]


def _union_tightness(lab: Lab) -> dict[str, Any]:
    t = lab.theory.mid_training
    ratios = [star / math.ceil(family.union(delta, t)) for family in FAMILIES for delta, star in family.stars.items()]
    return {
        "ratio": max(ratios),
        "interval": [min(ratios), max(ratios)],
        "vacuous": [],
        "detail": "smallest sufficient n over the union count: 1 for independent failures, small for coupons with "
        "large k",
    }


UNION = Claim(
    id="mid_training.union_count",
    statement=(
        "Some bad k-subset survives n tasks with probability at most the sum of (1-b)^n over the bad ones, at most "
        "C(m,k)(1-sigma)^n; so (ln C(m,k) + ln(1/delta))/(-ln(1-sigma)) demonstrations suffice, and the published "
        "k ln(m/delta)/sigma is never smaller."
    ),
    latex=(
        r"P(\text{a bad subset survives}) \le \binom{m}{k}(1-\sigma)^n, \qquad "
        r"\frac{\ln\binom mk + \ln(1/\delta)}{-\ln(1-\sigma)} \le \frac{k\ln(m/\delta)}{\sigma}"
    ),
    origin="paper",
    source=f"{PAPER}, number of expert demonstrations; constants derived in theory.mid_training.pruning",
    kind="upper",
    domain=COUNTS,
    evidence=(
        Exact("identity", "what the counts solve, in symbols", _count_constants),
        Exact("certificate", "the elementary inequalities between the counts", _count_order, cost=0.3),
        Exact(
            "enumeration", "survival over all task sequences, and at the count", _bound_by_enumeration, scope="cells"
        ),
        Simulation(
            "share of trials in which a bad subset survives",
            "mid_training.prune_by_elimination",
            cells=[elimination_cell(i, n) for i in (0, 1) for n in (5, 12)],
            parameters=elimination_parameters,
            extract=_not_gone,
            predict=lambda theory, cell: (
                0.0,
                min(1.0, theory.mid_training.union_survival_bound(_bad_rates(cell), cell["n"])),
            ),
            compare="upper",
            resolution=0.02,
            planned_n=4,
            looks=5,
            unit="2000 trials",
            cost=0.2,
        ),
    ),
    mutants=(
        Mutant(
            "m in place of k: ln C(m,m) = 0, so ln(1/delta)/(-ln(1-sigma)) suffice",
            "with five coupons one unseen one is much likelier than (1-sigma)^n",
            theory=replaced(union_count=lambda m, k, s, d: shipped().union_count(m, m, s, d)),
        ),
        Mutant(
            "the published count with |Z| in place of |Z_eps|: m ln(m/delta)/sigma",
            "the exponent is the size of the subset, not of the library",
            theory=replaced(paper_count=lambda m, k, s, d: shipped().paper_count(m, 1, s, d) * m),
        ),
        Mutant(
            "k ln(m/delta) without the division by sigma",
            "rare failures need many tasks",
            theory=replaced(paper_count=lambda m, k, s, d: shipped().paper_count(m, k, s, d) * s),
        ),
        Mutant(
            "the longest-lived bad subset alone decides",
            "several bad subsets survive on different sequences",
            theory=replaced(union_survival_bound=lambda rates, n: max((1 - rate) ** n for rate in rates)),
        ),
    ),
    tightness=_union_tightness,
    remarks=(
        "The published count puts |Z_eps| for k in one place and |Z| in another; the union bound needs k. Its "
        "dependence on delta is not of matching order, see the claim on delta."
    ),
)


# ---------------------------------------------------------------- smallest sufficient numbers


class Setting:
    """One line of the table of smallest sufficient numbers: exact success, its counts, and n* for each delta."""

    def __init__(
        self,
        name: str,
        sizes: tuple[int, int],
        sigma: float,
        stars: dict[float, int],
        success: Callable[[int], float],
        exact: Callable[[int], Fraction],
    ) -> None:
        self.name, self.sizes, self.sigma, self.stars = name, sizes, sigma, stars
        self.success = success
        self.exact = lru_cache(maxsize=None)(exact)
        self.deltas = tuple(stars)

    def union(self, delta: float, theory: Any = None) -> float:
        """The union count."""
        return float((theory or shipped()).union_count(*self.sizes, self.sigma, delta))

    def paper(self, delta: float, theory: Any = None) -> float:
        """The published count."""
        return float((theory or shipped()).paper_count(*self.sizes, self.sigma, delta))


def _typed_exact(k: int, b: int, n: int) -> Fraction:
    """Typed blocks at rho = 1/2 in integers: (b-1)-st powers expanded, k equal series multiplied to order n."""
    series = [Fraction((2**c - 1) ** (b - 1), 2 ** (c * (b - 1)) * math.factorial(c)) for c in range(n + 1)]
    # in floats of 60 digits: exact rationals would carry thousands of digits here
    import mpmath

    with mpmath.workdps(60):
        terms = [mpmath.mpf(s.numerator) / s.denominator for s in series]
        total = [mpmath.mpf(1)] + [mpmath.mpf(0)] * n
        power, left = terms, k
        while left:
            if left % 2:
                total = [mpmath.fsum(total[i] * power[j - i] for i in range(j + 1)) for j in range(n + 1)]
            left //= 2
            if left:
                power = [mpmath.fsum(power[i] * power[j - i] for i in range(j + 1)) for j in range(n + 1)]
        value = total[n] * mpmath.factorial(n) / mpmath.mpf(k) ** n
        return Fraction(int(value * 10**40), 10**40)


FAMILIES = (
    Setting(
        "coupons",
        (20, 5),
        0.08,
        {0.1: 47, 0.01: 75},
        lambda n: shipped().elimination_probability(5, 0.08, n),
        lambda n: 1 - unseen_tail(5, Fraction(2, 25), 1, n),
    ),
    Setting(
        "independent failures",
        (50, 1),
        0.1,
        {0.1: 59, 0.01: 81},
        lambda n: shipped().elimination_probability_independent(50, 0.1, n),
        lambda n: (1 - Fraction(9, 10) ** n) ** 49,
    ),
    Setting(
        "bit blocks",
        (128, 4),
        0.2,
        {0.5: 39, 0.05: 57},
        lambda n: 1 - shipped().block_survival_probability(20, 0.2 / 7, 7, n),
        lambda n: 1 - unseen_tail(20, Fraction(1, 35), 7, n),
    ),
    Setting(
        "many bit blocks",
        (4096, 32),
        0.2,
        {0.5: 414, 0.05: 466},
        lambda n: 1 - shipped().block_survival_probability(224, 0.2 / 82, 82, n),
        lambda n: 1 - unseen_tail(224, Fraction(1, 410), 82, n),
    ),
    Setting(
        "typed blocks",
        (256, 16),
        0.5 / 16,
        {0.1: 241},
        lambda n: shipped().elimination_probability_typed(16, 16, 0.5, n),
        lambda n: _typed_exact(16, 16, n),
    ),
)


def _success(lab: Lab, setting: Setting) -> Callable[[int], float]:
    """The exact success of a setting, read through the lab."""
    t = lab.theory.mid_training
    forms: dict[str, Callable[[int], float]] = {
        "coupons": lambda n: t.elimination_probability(5, 0.08, n),
        "independent failures": lambda n: t.elimination_probability_independent(50, 0.1, n),
        "bit blocks": lambda n: 1 - t.block_survival_probability(20, 0.2 / 7, 7, n),
        "many bit blocks": lambda n: 1 - t.block_survival_probability(224, 0.2 / 82, 82, n),
        "typed blocks": lambda n: t.elimination_probability_typed(16, 16, 0.5, n),
    }
    return forms[setting.name]


def _stars(lab: Lab) -> Iterator[Cell]:
    for setting in FAMILIES:
        for delta, star in setting.stars.items():
            found = lab.theory.mid_training.smallest_demonstrations(_success(lab, setting), 1 - delta)
            yield lab.equal({"family": setting.name, "delta": delta}, int(found), star, "n*")


def _crossings(lab: Lab) -> Iterator[Cell]:
    """At the theory's n* the exact rational success has reached 1 - delta, one task earlier it has not."""
    for setting in FAMILIES:
        for delta in setting.deltas:
            star = lab.theory.mid_training.smallest_demonstrations(_success(lab, setting), 1 - delta)
            exact = setting.exact
            level = 1 - Fraction(str(delta))
            ok = exact(star - 1) < level <= exact(star)
            yield lab.true({"family": setting.name, "delta": delta}, ok, f"n* = {star}")


def _between(lab: Lab) -> Iterator[Cell]:
    """single-subset bound <= n* <= union count <= published count."""
    t = lab.theory.mid_training
    for setting in FAMILIES:
        for delta, star in setting.stars.items():
            cell = {"family": setting.name, "delta": delta}
            yield lab.at_most(cell, t.single_subset_lower_count(setting.sigma, delta), float(star), "one subset alone")
            yield lab.at_most(cell, star, math.ceil(setting.union(delta, t)), "union count")
            yield lab.at_most(cell, setting.union(delta, t), setting.paper(delta, t), "published count")


def _pruning_figure(result: ClaimResult) -> Figure:
    """Success against the number of demonstrations, with n* between the bounds."""
    from matplotlib.figure import Figure

    from proofs_check.figures import COLOURS, simulated_points, style, theory_line
    from sims.intervals import clopper_pearson
    from sims.mid_training import draw_independent_failures, draw_unseen_types

    t = shipped()
    delta = 0.1
    with style():
        figure = Figure(figsize=(6.8, 4.0), layout="constrained")
        ax = figure.add_subplot()
        shown = (FAMILIES[0], FAMILIES[1], FAMILIES[2])
        for index, setting in enumerate(shown):
            grid = np.arange(1, 160)
            theory_line(ax, grid, [setting.success(int(n)) for n in grid], f"{setting.name}: exact", index)
            star = t.smallest_demonstrations(setting.success, 1 - delta)
            points = np.array([star // 3, 2 * star // 3, star])
            found = []
            for n in points:
                if setting.name == "independent failures":
                    run = draw_independent_failures(50, 0.1, int(n), 1, n_trials=2000)
                    found.append(int((run["wrong_survivors"] == 0).sum()))
                else:
                    d, q, least = (5, 0.08, 1) if setting.name == "coupons" else (20, 0.2 / 7, 7)
                    run = draw_unseen_types(d, q, int(n), 1, n_trials=2000)
                    found.append(int((run["unseen"] < least).sum()))
            ends = [clopper_pearson(x, 2000, 0.05) for x in found]
            simulated_points(
                ax, points, [x / 2000 for x in found], [e.low for e in ends], [e.high for e in ends],
                "2000 trials", index,
            )  # fmt: skip
            low = t.single_subset_lower_count(setting.sigma, delta)
            high = math.ceil(setting.union(delta))
            height = 0.06 + 0.05 * index
            ax.plot([low, high], [height, height], color=COLOURS[index], linestyle="-", linewidth=3, alpha=0.5)
            ax.plot([star], [height], "|", color=COLOURS[index], markersize=14, markeredgewidth=2.5)
        ax.axhline(1 - delta, color="0.5", linewidth=0.8, linestyle=":")
        ax.annotate("bars: one-subset bound to union count, tick: n* at delta = 0.1", (2, 0.21), fontsize="small")
        ax.set(xlabel="demonstrations n", ylabel="P(all bad subsets eliminated)", xlim=(0, 160), ylim=(0, 1.02))
        ax.legend(loc="center right")
    return figure


STARS = Claim(
    id="mid_training.smallest_counts",
    statement=(
        "The smallest sufficient n lies between ln(1/delta)/(-ln(1-sigma)) and the union count: 47 and 75 for coupons "
        "(k = 5, m = 20, sigma = .08, delta = .1 and .01), 59 and 81 for independent failures, where the union bound "
        "is exact, 39 and 57 or 414 and 466 for bit blocks, 241 for typed blocks."
    ),
    latex=r"\frac{\ln(1/\delta)}{-\ln(1-\sigma)} \le n^* \le \left\lceil\frac{\ln\binom "
    r"mk+\ln(1/\delta)}{-\ln(1-\sigma)}\right\rceil",
    origin="derived",
    source="theory.mid_training.elimination and pruning",
    kind="exact",
    domain=Domain({"delta": DELTA}),
    evidence=(
        Exact("enumeration", "n* by bisection against the worked table", _stars, scope="cells", cost=0.4),
        Exact(
            "identity",
            "success in rationals (typed blocks: 60 digits) just below and at n*",
            _crossings,
            scope="cells",
            cost=1.0,
        ),
        Exact("enumeration", "n* between the lower bound and the counts", _between, scope="cells"),
    ),
    mutants=(
        Mutant(
            "n demonstrations show as many coupons as n + 1 do",
            "n* would fall by one",
            theory=replaced(elimination_probability=lambda k, s, n: shipped().elimination_probability(k, s, n + 1)),
        ),
        Mutant(
            "the threshold of bit blocks is one unseen type more",
            "F unseen types already let a bad subset survive",
            theory=replaced(
                block_survival_probability=lambda d, q, f, n: shipped().block_survival_probability(d, q, f + 1, n)
            ),
        ),
        Mutant(
            "one subset alone needs 12 ln(1/delta)/sigma",
            "a single subset has no logarithm of m to pay",
            theory=replaced(single_subset_lower_count=lambda s, d: -12 * math.log(d) / s),
        ),
    ),
    figure=_pruning_figure,
    remarks=(
        "Printed elsewhere as 242 for typed blocks; the exact success passes .9 at 241. The thresholds of bit blocks "
        "are d/e rounded, 7 of 20 and 82 of 224."
    ),
)


CLAIMS = (UNION, STARS)
