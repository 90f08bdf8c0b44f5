"""Claims about what is left after pruning, rules that tolerate failures, and keeping what the expert used."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Mapping
from fractions import Fraction
from functools import lru_cache, partial
from typing import Any

import numpy as np
import sympy as sp

from proofs_check.certificates import Proof, is_zero
from proofs_check.claims import Claim, Exact, Mutant, Simulation
from proofs_check.domains import Domain, Integer, Real
from proofs_check.lab import Lab
from proofs_check.mid_training._common import (
    DELTA,
    FAILURE_RATE,
    N_DEMONSTRATIONS,
    N_KEPT,
    N_OPTIONS,
    PAPER,
    ROUNDING,
    TOLERANCE,
    generator,
    random_law,
    replaced,
    sequences,
    shipped,
    trials,
)
from proofs_check.samples import Counts, Means
from proofs_check.verdicts import Cell

__all__ = ["CLAIMS"]

GAP = Real(0, open_low=True, meaning="largest loss of value", symbol=r"D_{max}")

# ---------------------------------------------------------------- the loss that is left


def _tables() -> Iterator[tuple[list[Fraction], list[list[Fraction]], Fraction]]:
    """Random laws of four task types with losses of six subsets in rationals, and a tolerance."""
    rng = generator(5)
    for _ in range(30):
        gaps = [[Fraction(int(x), 20) for x in rng.integers(0, 21, 4)] for _ in range(6)]
        yield random_law(4, rng), gaps, Fraction(int(rng.integers(1, 8)), 20)


def _loss_certificate(lab: Lab) -> list[Cell]:
    t = lab.theory.mid_training
    eps, sigma, b, over = (sp.Symbol(name, positive=True) for name in ("epsilon", "sigma", "b", "x"))
    gap = eps + over
    loss, bound = t.pruning_error(eps, b, gap), t.pruning_error_bound(eps, sigma, gap)
    proof = Proof()
    proof.identity("bound - loss = (sigma - b)(D - eps)", bound - loss, (sigma - b) * over)
    more = sp.Symbol("y", positive=True)
    box = {eps: (0, sp.oo), over: (0, sp.oo), b: (0, 1), more: (0, sp.oo)}
    proof.positive("positive for b < sigma and eps < D", sp.expand((bound - loss).subs(sigma, b + more)), box)
    half = t.repaired_tolerances(eps, gap)
    proof.positive("eps_tot/2 and eps_tot/(2D) leave less than eps_tot", eps - t.pruning_error_bound(*half, gap), box)

    def witness() -> dict[str, str] | None:
        at = {
            eps: sp.Rational(1, 20),
            over: sp.Rational(19, 20),
            b: sp.Rational(999, 10_000),
            sigma: sp.Rational(1, 10),
        }
        short = sp.nsimplify((bound - (eps + b * over)).subs(at)) <= 0
        total = sp.nsimplify((eps - (half[0] + half[1] * (gap - half[0]))).subs(at)) <= 0
        return {"eps": "1/20", "D": "1", "b": "0.0999", "sigma": "0.1"} if short or total else None

    return proof.cells({"b": "[0, sigma)"}, witness)


def _loss_cells(lab: Lab) -> Iterator[Cell]:
    t = lab.theory.mid_training
    for index, (law, gaps, eps) in enumerate(_tables()):
        for row in gaps:
            rate = sum((p for p, gap in zip(law, row, strict=True) if gap > eps), start=Fraction(0))
            mean = sum((p * gap for p, gap in zip(law, row, strict=True)), start=Fraction(0))
            sigma = min(Fraction(1), rate + Fraction(1, 100))
            cell = {"table": index, "failure_rate": rate}
            yield lab.at_most(cell, mean, t.pruning_error(eps, rate, Fraction(1)), "loss at its failure rate")
            yield lab.at_most(
                cell, mean, t.pruning_error_bound(eps, sigma, Fraction(1)), "bound of a subset that is not bad"
            )
    attained = t.pruning_error_bound(0.05, 0.1, 1.0) - ((1 - 0.0999) * 0.05 + 0.0999)
    yield lab.close(
        {"tolerance": 0.05, "failure_rate": 0.1}, attained, 0.0, 1e-3, "two-point law: bound nearly attained"
    )


def _survivors(cell: Mapping[str, Any]) -> dict[str, Any]:
    """A subset that loses one on a rare type and eps elsewhere, and a bad one, after the union count of tasks."""
    eps, rate = cell["tolerance"], 0.4 * cell["failure_rate"]
    return {
        "gaps": [[1.0, 1.0], [eps, 1.0]], "probabilities": [rate, 1 - rate], "tolerance": eps, "allowed_failures": 0,
        "n_demonstrations": math.ceil(shipped().union_count(2, 1, cell["failure_rate"], 0.1)), "n_trials": 500,
    }  # fmt: skip


def _too_large(data: Any, cell: Mapping[str, Any], theory: Any) -> Counts:
    bound = theory.mid_training.pruning_error_bound(cell["tolerance"], cell["failure_rate"], 1.0)
    above = data["mean_gap"].values > bound + 1e-12
    wrong = (data["survives"].values & above).any(axis=-1)
    return Counts(int(wrong.sum()), wrong.size)


LOSS = Claim(
    id="mid_training.pruning_error",
    statement=(
        "A subset that fails a share b < sigma of the tasks loses at most (1-b) eps + b Dmax on average, below "
        "eps + sigma (Dmax - eps); two-point losses attain it. For a total eps_tot take eps = eps_tot/2 and "
        "sigma = eps_tot/(2 Dmax)."
    ),
    latex=r"\mathbb{E}\,\Delta(M,\hat B) \le (1-b)\varepsilon + b D_{max} < \varepsilon + \sigma(D_{max}-\varepsilon)",
    origin="derived",
    source=f"repairs the reading of {PAPER} that the pruning error is about eps",
    kind="upper",
    domain=Domain(
        {
            "tolerance": Real(0, symbol=r"\varepsilon"),
            "failure_rate": Real(0, 1, symbol=r"\sigma"),
            "largest_gap": Real(0, symbol="D_{max}"),
        }
    ),
    functions=("mid_training.pruning_error", "mid_training.pruning_error_bound"),
    evidence=(
        Exact("certificate", "slack (sigma - b)(D - eps), and the halved tolerances", _loss_certificate),
        Exact("enumeration", "random loss tables in rationals, and the two-point law", _loss_cells, scope="cells"),
        Simulation(
            "share of trials in which a survivor of elimination loses more than the bound",
            "mid_training.prune_by_count",
            cells=[{"tolerance": 0.05, "failure_rate": 0.1}, {"tolerance": 0.01, "failure_rate": 0.3}],
            parameters=_survivors,
            judge_units=_too_large,
            predict=lambda theory, cell: (0.0, 0.1),
            compare="upper",
            planned_n=4,
            looks=4,
            unit="500 trials",
            cost=0.2,
        ),
    ),
    mutants=(
        Mutant(
            "below eps (1 + sigma)",
            "failures cost up to Dmax, not eps",
            theory=replaced(pruning_error_bound=lambda eps, sigma, gap: eps * (1 + sigma)),
        ),
        Mutant(
            "sigma = eps_tot/Dmax is small enough",
            "the two halves must add up to eps_tot",
            theory=replaced(repaired_tolerances=lambda total, gap: (total, total / gap)),
        ),
        Mutant(
            "at most eps + b Dmax/2",
            "failures may cost Dmax",
            theory=replaced(pruning_error=lambda eps, b, gap: eps + b * gap / 2),
        ),
    ),
    tightness=lambda lab: {
        "ratio": float(lab.theory.mid_training.pruning_error(0.05, 0.0999, 1.0)) / 0.145,
        "interval": [0.1449 / 0.145, 1.0],
        "vacuous": ["sigma Dmax near the value itself"],
        "detail": "two-point losses: .1449 against .1450",
    },
)


def _loss_witness(lab: Lab) -> Iterator[Cell]:
    """Loss 1 just below the rate sigma, eps elsewhere."""
    t = lab.theory.mid_training
    for eps, sigma in (
        (Fraction(1, 20), Fraction(1, 10)),
        (Fraction(1, 100), Fraction(1, 20)),
        (Fraction(1, 5), Fraction(1, 2)),
    ):
        b = sigma - Fraction(1, 10_000)
        yield lab.at_most(
            {"eps": eps, "sigma": sigma, "b": b}, t.pruning_error(eps, b, Fraction(1)), eps, "mean loss against eps"
        )


def _loss_survives(lab: Lab) -> Iterator[Cell]:
    """The same subset on tables of two task types: it is not bad, elimination keeps it, its loss is far above eps."""
    t = lab.theory.mid_training
    eps, sigma = Fraction(1, 20), Fraction(1, 10)
    b = Fraction(9, 100)
    for n in (3, 6):
        alive = sum((p for drawn, p in sequences([b, 1 - b], n) if 0 not in drawn), start=Fraction(0))
        expected = alive * t.pruning_error(eps, b, Fraction(1)) + (1 - alive) * 0
        detail = f"b < sigma = {sigma}, survives with probability {float(alive):.3f}"
        yield lab.at_most({"eps": eps, "b": b, "n": n}, expected / alive, eps, detail)


LOSS_FALSE = Claim(
    id="mid_training.pruning_error_is_eps",
    statement="Once all bad subsets are gone, what is left loses at most eps on average.",
    latex=r"\mathbb{E}\,\Delta(M,\hat B) \le \varepsilon",
    origin="paper",
    source=f"{PAPER}, pruning error",
    kind="upper",
    domain=Domain({"eps": TOLERANCE, "sigma": FAILURE_RATE}),
    evidence=(
        Exact("identity", "two-point losses in rationals", _loss_witness, scope="cells"),
        Exact("enumeration", "the survivor of all sequences of two task types", _loss_survives, scope="cells"),
    ),
    mutants=(
        Mutant(
            "even if failures cost only Dmax/2",
            "b Dmax/2 alone exceeds eps in some of the cells",
            theory=replaced(pruning_error=lambda eps, b, gap: (1 - b) * eps + b * gap / 2),
        ),
        Mutant(
            "at most eps/2",
            "smaller than a bound that already fails",
            theory=replaced(pruning_error=lambda eps, b, gap: 2 * ((1 - b) * eps + b * gap)),
        ),
    ),
    expected="fails",
    repaired_by="mid_training.pruning_error",
)


# ---------------------------------------------------------------- survival of the wanted subset


def _survival_exact(lab: Lab) -> Iterator[Cell]:
    """Loss eps (1+x) with probability 1/(1+x), none elsewhere: mean eps, and the subset fails that often."""
    t = lab.theory.mid_training
    for x, n in ((1, 20), (3, 20), (1, 5)):
        b = Fraction(1, 1 + x)
        mean = b * (1 + x)
        yield lab.at_most(
            {"x": x, "n": n, "mean/eps": mean},
            Fraction(1, 2),
            t.target_survival(b, n),
            "survives at least half of the time",
        )


def _survival_goals(lab: Lab) -> Iterator[Cell]:
    """Goals of three Zipf macros out of 32, eps = .1: the 28 heaviest are the smallest sufficient set."""
    t = lab.theory.mid_training
    heads = t.head_mass(t.zipf_weights(32))
    k = t.smallest_target_size(t.zipf_weights(32), 3, 0.1)
    b = 1 - float(heads[k]) ** 3
    survival = float(t.target_survival(b, 20))
    yield lab.true({"K": 32, "L": 3, "eps": 0.1}, k == 28 and b <= 0.1, f"|Z_eps| = {k}, mean loss {b:.4f} <= eps")
    yield lab.at_most({"K": 32, "L": 3, "n": 20}, 0.5, survival, "survives at least half of the time")


SURVIVAL_FALSE = Claim(
    id="mid_training.target_survives",
    statement="The smallest subset with mean loss at most eps survives elimination at eps, at least half of the time.",
    latex=r"\mathbb{E}\,\Delta(M,\mathcal Z_\varepsilon) \le \varepsilon \implies P(\mathcal Z_\varepsilon \text{ "
    r"survives}) \ge \tfrac12",
    origin="paper",
    source=f"{PAPER}, elimination on expert demonstrations",
    kind="lower",
    domain=Domain({"n": N_DEMONSTRATIONS}),
    evidence=(
        Exact("identity", "two-point losses of mean eps: survival (x/(1+x))^n", _survival_exact, scope="cells"),
        Exact(
            "enumeration", "goals of three Zipf macros: survival .139 after 20 tasks", _survival_goals, scope="cells"
        ),
        Simulation(
            "share of trials in which the subset of mean loss eps survives",
            "mid_training.prune_by_elimination",
            cells=[{"x": 1, "n": 5}],
            parameters=lambda cell: {
                "gaps": [[0.2, 0.0], [0.0, 0.0]],
                "probabilities": [0.5, 0.5],
                "tolerance": 0.1,
                "failure_rate": 0.5,
                "n_demonstrations": cell["n"],
                "n_trials": 500,
            },
            extract=lambda data, cell: Counts(int(data["survivals"].values[:, 0].sum()), 500 * data.sizes["replicate"]),
            predict=lambda theory, cell: (0.5, 1.0),
            compare="lower",
            planned_n=4,
            looks=3,
            unit="500 trials",
            cost=0.1,
        ),
    ),
    mutants=(
        Mutant(
            "at least half of the time after half as many tasks",
            "(x/(1+x))^(n/2) is still far below one half",
            theory=replaced(target_survival=lambda b, n: shipped().target_survival(b, (n + 1) // 2)),
        ),
        Mutant(
            "at least half of the time with failures at rate b/2",
            "after 20 tasks of failure rate 1/4 hardly anything survives",
            theory=replaced(target_survival=lambda b, n: shipped().target_survival(b / 2, n)),
        ),
    ),
    expected="fails",
    repaired_by="mid_training.count_rule",
    remarks="It holds if some k-subset loses at most eps on every task; else failures must be counted, not forbidden.",
)


@lru_cache(maxsize=512)
def _binomial_tail(n: int, p: Fraction, most: int) -> Fraction:
    """P(Bin(n, p) <= most) in rationals."""
    q = 1 - p
    return sum((math.comb(n, i) * p**i * q ** (n - i) for i in range(most + 1)), start=Fraction(0))


def _count_risk(m: int, k: int, sigma: Fraction, n: int, threshold: int) -> Fraction:
    bad = math.comb(m, k) * _binomial_tail(n, sigma, threshold)
    return bad + 1 - _binomial_tail(n, sigma / 4, threshold)


def _chernoff_cells(lab: Lab) -> Iterator[Cell]:
    t = lab.theory.mid_training
    for m, k, sigma, delta in (
        (30, 4, Fraction(1, 5), Fraction(1, 20)),
        (10, 2, Fraction(1, 2), Fraction(1, 10)),
        (5, 1, Fraction(1, 3), Fraction(1, 2)),
    ):
        n = math.ceil(t.count_rule_chernoff(m, k, float(sigma), float(delta)))
        risk = _count_risk(m, k, sigma, n, math.floor(sigma * n / 2))
        yield lab.at_most(
            {"n_options": m, "n_kept": k, "failure_rate": sigma, "n": n}, float(risk), float(delta), "Chernoff count"
        )


def _exact_rule_cells(lab: Lab) -> Iterator[Cell]:
    t = lab.theory.mid_training
    for m, k, sigma, delta in ((30, 4, Fraction(1, 5), Fraction(1, 20)), (10, 2, Fraction(1, 2), Fraction(1, 10))):
        n, threshold = t.count_rule_exact(m, k, float(sigma), float(delta))
        cell = {"n_options": m, "n_kept": k, "failure_rate": sigma, "n": n}
        yield lab.at_most(cell, float(_count_risk(m, k, sigma, n, threshold)), float(delta), f"threshold {threshold}")
        before = min(_count_risk(m, k, sigma, n - 1, x) for x in range(max(0, threshold - 4), threshold + 5))
        yield lab.true(cell, before > delta, "one task fewer fails at every threshold near it")
        yield lab.true(cell, n <= t.count_rule_chernoff(m, k, float(sigma), float(delta)), "below the Chernoff count")


def _chernoff_forms(lab: Lab) -> Iterator[Cell]:
    """Half the mean sigma n, and twice the mean sigma n/4: exponents 1/8 and 1/12 of it, each half of delta."""
    t = lab.theory.mid_training
    for m, k, sigma, delta in ((30, 4, 0.2, 0.05), (6, 5, 0.9, 1e-9), (1, 1, 0.5, 0.5)):
        first = 8 / sigma * (math.log(math.comb(m, k)) + math.log(2 / delta))
        second = 12 / sigma * math.log(2 / delta)
        yield lab.close(
            {"n_options": m, "n_kept": k, "failure_rate": sigma},
            t.count_rule_chernoff(m, k, sigma, delta),
            max(first, second),
            1e-10,
        )
    x = sp.Symbol("x", positive=True)
    lower = sp.Rational(1, 2) + sp.Rational(1, 2) * sp.log(sp.Rational(1, 2)) - sp.Rational(1, 8)
    upper = (2 * sp.log(2) - 1) / 4 - sp.Rational(1, 12)
    yield lab.true({"tail": "half of the mean"}, bool(lower.evalf(30) > 0), "1/2 + (1/2) ln(1/2) >= 1/8")
    yield lab.true({"tail": "twice the mean"}, bool(upper.evalf(30) > 0), "(2 ln 2 - 1)/4 >= 1/12")
    yield lab.true(
        {"tail": "identity"}, is_zero(sp.diff(x * sp.log(x) - x, x) - sp.log(x)), "rate function x ln x - x + 1"
    )


COUNT_RULE = Claim(
    id="mid_training.count_rule",
    statement=(
        "Keep what fails at most sigma n/2 tasks: with b(target) <= sigma/4, "
        "max((8/sigma) ln(2C(m,k)/delta), (12/sigma) ln(2/delta)) demonstrations keep the target and drop every bad "
        "k-subset with probability 1 - delta. Binomial tails certify fewer: 214 instead of 557 for m = 30, k = 4, "
        "sigma = .2, delta = .05."
    ),
    latex=r"n \ge \max\Bigl(\frac8\sigma\ln\frac{2\binom mk}{\delta},\ \frac{12}{\sigma}\ln\frac2\delta\Bigr)",
    origin="derived",
    source="theory.mid_training.repairs: Chernoff's tails at half and at twice the mean",
    kind="upper",
    domain=Domain(
        {"n_options": N_OPTIONS, "n_kept": N_KEPT, "failure_rate": FAILURE_RATE, "delta": DELTA},
        {"k <= m": lambda cell: cell["n_kept"] <= cell["n_options"]},
    ),
    evidence=(
        Exact("identity", "exponents 1/8 and 1/12", _chernoff_forms),
        Exact(
            "enumeration", "binomial tails in rationals at the Chernoff count", _chernoff_cells, scope="cells", cost=0.2
        ),
        Exact(
            "enumeration", "binomial tails in rationals at the exact count", _exact_rule_cells, scope="cells", cost=0.4
        ),
    ),
    mutants=(
        Mutant(
            "a quarter of the count is enough",
            "binomial tails at 140 tasks exceed delta",
            theory=replaced(count_rule_chernoff=lambda m, k, s, d: shipped().count_rule_chernoff(m, k, s, d) / 4),
        ),
        Mutant(
            "ten tasks fewer are certified",
            "the count returned is the smallest one",
            theory=replaced(
                count_rule_exact=lambda m, k, s, d: (
                    shipped().count_rule_exact(m, k, s, d)[0] - 10,
                    shipped().count_rule_exact(m, k, s, d)[1],
                )
            ),
        ),
    ),
)


def _hoeffding_forms(lab: Lab) -> Iterator[Cell]:
    t = lab.theory.mid_training
    for m, k, gap, excess, delta in ((30, 4, 1.0, 0.2, 0.05), (2, 1, 3.0, 1.0, 0.3)):
        n = t.empirical_risk_count(m, k, gap, excess, delta)
        tail = math.log(2 * math.comb(m, k)) - 2 * n * (excess / 2) ** 2 / gap**2
        yield lab.close(
            {"n_options": m, "n_kept": k}, tail, math.log(delta), 1e-9, "2 C(m,k) exp(-2n (x/2)^2/D^2) = delta"
        )


def _risk_exact(lab: Lab) -> Iterator[Cell]:
    """Two subsets with independent Bernoulli losses of means a and a + 1.1 x: P(the worse looks no worse)."""
    t = lab.theory.mid_training
    for mean, excess, delta in ((Fraction(1, 4), Fraction(1, 4), 0.5), (Fraction(1, 2), Fraction(2, 5), 0.3)):
        n = math.ceil(t.empirical_risk_count(2, 1, 1.0, float(excess), delta))
        worse = mean + Fraction(11, 10) * excess
        laws = [[math.comb(n, i) * p**i * (1 - p) ** (n - i) for i in range(n + 1)] for p in (mean, worse)]
        wrong, below = Fraction(0), Fraction(0)
        for i in range(n + 1):
            below += laws[1][i]
            wrong += laws[0][i] * below
        # Hoeffding for the difference of two independent means, 1.1 x apart: exp(-n (1.1 x)^2/2) at the count.
        bound = (delta / 4) ** 1.21
        yield lab.at_most(
            {"mean": mean, "excess": excess, "n": n}, float(wrong), bound, "chosen although worse by more than x"
        )


RISK = Claim(
    id="mid_training.empirical_risk",
    statement=(
        "Minimising the mean loss on (2 Dmax^2/x^2) ln(2C(m,k)/delta) demonstrations gives a k-subset within x of the "
        "best one with probability 1 - delta, without any assumption."
    ),
    latex=r"n \ge \frac{2D_{max}^2}{x^2}\ln\frac{2\binom mk}{\delta}",
    origin="derived",
    source="theory.mid_training.repairs: Hoeffding at x/2 on both sides",
    kind="upper",
    domain=Domain(
        {
            "n_options": N_OPTIONS,
            "n_kept": N_KEPT,
            "largest_gap": GAP,
            "excess": Real(1e-6, meaning="admitted excess loss", symbol="x"),
            "delta": DELTA,
        },
        {"k <= m": lambda cell: cell.get("n_kept", 1) <= cell.get("n_options", 1)},
    ),
    evidence=(
        Exact("identity", "Hoeffding's tail at the count", _hoeffding_forms),
        Exact("enumeration", "two Bernoulli losses in rationals: error far below delta", _risk_exact, scope="cells"),
    ),
    mutants=(
        Mutant(
            "an eighth of the count is enough",
            "the tail is then delta^(1/8) C^(-7/8), not delta",
            theory=replaced(empirical_risk_count=lambda *a: shipped().empirical_risk_count(*a) / 8),
        ),
        Mutant(
            "the count is linear in 1/x",
            "means concentrate like 1/sqrt(n)",
            theory=replaced(
                empirical_risk_count=lambda m, k, gap, x, d: shipped().empirical_risk_count(m, k, gap, x, d) * x / gap
            ),
        ),
    ),
)


def _target_brute(lab: Lab) -> Iterator[Cell]:
    """Goals of L macros drawn with a law: the best subset of every size, over all subsets and goals."""
    t = lab.theory.mid_training
    rng = generator(11)
    for size, length in ((4, 2), (5, 2), (4, 3)):
        law = random_law(size, rng)
        goals, weights = [], []
        for drawn, p in sequences(law, length):
            goals.append(sum({1 << y for y in drawn}))
            weights.append(p)
        best = [
            max(
                t.covered_share(sum(1 << y for y in kept), goals, weights)
                for kept in itertools.combinations(range(size), j)
            )
            for j in range(size + 1)
        ]
        heads = t.head_mass(law)
        for j in range(size + 1):
            yield lab.equal(
                {"K": size, "L": length, "j": j}, Fraction(best[j]), Fraction(heads[j]) ** length, "F_j^L is the best"
            )
        for eps in (Fraction(0), Fraction(1, 10), Fraction(1, 2), Fraction(1)):
            smallest = next(j for j in range(size + 1) if best[j] >= 1 - eps)
            yield lab.equal(
                {"K": size, "L": length, "eps": eps}, int(t.smallest_target_size(law, length, eps)), smallest
            )


def _target_worked(lab: Lab) -> Iterator[Cell]:
    t = lab.theory.mid_training
    weights = [Fraction(1, j) for j in range(1, 33)]
    total = sum(weights)
    sums = list(itertools.accumulate(w / total for w in weights))
    literal = next(j + 1 for j, head in enumerate(sums) if head**3 >= Fraction(9, 10))
    yield lab.equal({"K": 32, "L": 3, "eps": "1/10"}, int(t.smallest_target_size(t.zipf_weights(32), 3, 0.1)), literal)


TARGET = Claim(
    id="mid_training.smallest_target",
    statement=(
        "For goals of L independent macros the smallest set with mean loss at most eps holds the heaviest macros, "
        "as many as F_k^L >= 1 - eps asks for: 28 of 32 Zipf macros at L = 3, eps = .1."
    ),
    latex=r"|\mathcal Z_\varepsilon| = \min\{k : F_k^L \ge 1-\varepsilon\}",
    origin="derived",
    source="theory.mid_training.repairs",
    kind="exact",
    domain=Domain({"L": Integer(1)}),
    evidence=(
        Exact("enumeration", "all subsets and all goals, in rationals", _target_brute, scope="cells", cost=0.2),
        Exact("identity", "partial sums of the harmonic series", _target_worked, scope="cells"),
    ),
    mutants=(
        Mutant(
            "F_k >= 1 - eps is enough",
            "all L macros of a goal must be kept",
            theory=replaced(smallest_target_size=lambda w, length, eps: shipped().smallest_target_size(w, 1, eps)),
        ),
        Mutant(
            "one macro more is needed",
            "k is the smallest such number",
            theory=replaced(
                smallest_target_size=lambda w, length, eps: shipped().smallest_target_size(w, length, eps) + 1
            ),
        ),
    ),
)


# ---------------------------------------------------------------- keeping what the expert used


def _mass_certificate(lab: Lab) -> list[Cell]:
    t = lab.theory.mid_training
    p, x = sp.Symbol("p", positive=True), sp.Symbol("x", positive=True)
    n, k = (sp.Symbol(name, positive=True, integer=True) for name in ("n", "k"))
    proof = Proof()
    slope = sp.diff(sp.log(p) + n * sp.log(1 - p), p)
    proof.identity("d ln(p (1-p)^n)/dp = (1 - (n+1) p)/(p (1-p))", slope, (1 - (n + 1) * p) / (p * (1 - p)))
    proof.nonnegative(
        "ln(1+x) - x/(1+x) has slope x/(1+x)^2 >= 0, so (1+1/n)^(n+1) >= e",
        sp.diff(sp.log(1 + x) - x / (1 + x), x),
        {x: (0, sp.oo)},
    )
    bound = t.missing_mass_bound(k, n)
    proof.identity("k times 1/(e n)", bound * sp.E * n, k)

    def witness() -> dict[str, str] | None:
        law = shipped().missing_mass_extremal(10, 40)
        mass, claimed = shipped().missing_mass(law, 40), float(t.missing_mass_bound(10, 40))
        return {"k": "10", "n": "40", "law": "nine of 1/41"} if mass > claimed else None

    return proof.cells({"n": "1, 2, ...", "p": "any law"}, witness)


def _mass_literal(lab: Lab) -> Iterator[Cell]:
    t = lab.theory.mid_training
    rng = generator(6)
    for k, n in ((2, 1), (3, 4), (4, 5), (2, 8)):
        law = random_law(k, rng)
        missing, once = Fraction(0), Fraction(0)
        for drawn, probability in sequences(law, n):
            missing += probability * sum((law[j] for j in range(k) if j not in drawn), start=Fraction(0))
            once += probability * Fraction(sum(drawn.count(j) == 1 for j in range(k)), n)
        cell = {"n_options": k, "n_demonstrations": n}
        yield lab.equal(cell, Fraction(t.missing_mass(law, n)), missing, "missing mass")
        yield lab.equal(cell, Fraction(t.good_turing(law, n)), once, "share of options seen once")
        yield lab.at_most(cell, float(missing), float(t.missing_mass_bound(k, n)), "k/(e n)")
        yield lab.at_most(cell, missing, once, "the proxy is not below the mass")
        yield lab.at_most(cell, once - missing, Fraction(1, n), "nor more than 1/n above")
    for k, n in ((10, 40), (3, 5), (50, 1000)):
        mass = t.missing_mass(t.missing_mass_extremal(k, n), n)
        yield lab.at_most(
            {"n_options": k, "n_demonstrations": n}, mass, float(t.missing_mass_bound(k, n)), "extremal law"
        )
        enough = math.ceil(t.footprint_count(k, 0.05))
        law = t.missing_mass_extremal(k, enough)
        yield lab.at_most(
            {"n_options": k, "n_demonstrations": enough}, t.missing_mass(law, enough), 0.05, "k/(e eps) demonstrations"
        )


def _footprint_leg(name: str, variable: str, prediction: str) -> Simulation:
    return Simulation(
        name,
        "mid_training.draw_footprints",
        cells=[{"law": law, "n": 40} for law in ("uniform", "extremal")],
        parameters=lambda cell: {
            "weights": [0.1] * 10 if cell["law"] == "uniform" else shipped().missing_mass_extremal(10, 40),
            "n_demonstrations": cell["n"], "n_trials": 5000,
        },
        extract=lambda data, cell: Means(trials(data, variable), 0.0, 1.0),
        predict=lambda theory, cell: getattr(theory.mid_training, prediction)(
            [0.1] * 10 if cell["law"] == "uniform" else shipped().missing_mass_extremal(10, 40), cell["n"]
        ),
        resolution=0.01,
        planned_n=4,
        looks=3,
        unit="5000 trials",
        cost=0.1,
    )  # fmt: skip


MASS = Claim(
    id="mid_training.missing_mass",
    statement=(
        "Keeping the options seen in n demonstrations loses sum_j p_j (1-p_j)^n <= k/(e n) on average: k/(e eps) "
        "demonstrations suffice, with no logarithm of the library. The share of options seen once estimates it."
    ),
    latex=r"\mathbb{E}\,\Delta = \sum_j p_j(1-p_j)^n \le \frac{k}{en}, \qquad \mathbb{E}\,\frac{N_1}{n} = \sum_j "
    r"p_j(1-p_j)^{n-1}",
    origin="derived",
    source="theory.mid_training.footprint; Good and Turing's estimator",
    kind="upper",
    domain=Domain(
        {
            "n_options": Integer(1, meaning="options k", symbol="k"),
            "n_demonstrations": Integer(1, meaning="n", symbol="n"),
        }
    ),
    functions=("mid_training.missing_mass_bound",),
    evidence=(
        Exact("certificate", "p (1-p)^n peaks at 1/(n+1), and (1+1/n)^(n+1) >= e", _mass_certificate),
        Exact(
            "enumeration",
            "all sequences of options, in rationals, and extremal laws",
            _mass_literal,
            scope="cells",
            cost=0.1,
        ),
        _footprint_leg("mean weight of the unseen options", "loss", "missing_mass"),
        _footprint_leg("mean share of options seen once", "seen_once", "good_turing"),
    ),
    mutants=(
        Mutant(
            "at most k/(2 e n)",
            "options of probability 1/(n+1) lose almost 1/(e n) each",
            theory=replaced(missing_mass_bound=lambda k, n: shipped().missing_mass_bound(k, n) / 2),
        ),
        Mutant(
            "an option is missed with probability 1 - n p, or not at all",
            "(1-p)^n is positive for every p < 1",
            theory=replaced(missing_mass=lambda p, n: sum(x * max(0, 1 - n * x) for x in p)),
        ),
        Mutant(
            "the share of options seen once is half of the missing mass after n - 1 demonstrations",
            "its mean is that mass",
            theory=replaced(good_turing=lambda p, n: shipped().good_turing(p, n) / 2),
        ),
    ),
    tightness=lambda lab: {
        "ratio": lab.theory.mid_training.missing_mass(lab.theory.mid_training.missing_mass_extremal(10, 40), 40)
        / float(lab.theory.mid_training.missing_mass_bound(10, 40)),
        "interval": [0.01478 / 0.09197, 0.99],
        "vacuous": ["n < k/e"],
        "detail": "k - 1 options of probability 1/(n+1): .0818 of .0920; uniform law .0148",
    },
)


def _coverage_routes(lab: Lab) -> Iterator[Cell]:
    t = lab.theory.mid_training
    rng = generator(7)
    for k, length, n in ((2, 2, 3), (3, 2, 4), (3, 3, 5), (4, 1, 5)):
        law = random_law(k, rng)
        literal = Fraction(0)
        for drawn, probability in sequences(law, n):
            literal += probability * sum((law[j] for j in set(drawn)), start=Fraction(0)) ** length
        cell = {"K": k, "L": length, "chunks": n}
        yield lab.equal(cell, Fraction(t.goal_coverage_textbook(law, length, n)), literal, "Moebius")
        yield lab.close(
            cell, t.goal_coverage([float(p) for p in law], length, n), float(literal), 1e-12, "power series"
        )
        equal = sum(
            (p * Fraction(len(set(d)), k) ** length for d, p in sequences([Fraction(1, k)] * k, n)), start=Fraction(0)
        )
        yield lab.close(cell, t.goal_coverage_uniform(k, length, n), float(equal), 1e-13, "occupancy chain")


def _coverage_worked(lab: Lab) -> Iterator[Cell]:
    """Two exact routes at a size out of reach of sequences: 2^8 sets in rationals against power series in floats."""
    t = lab.theory.mid_training
    weights = [Fraction(1, j) for j in range(1, 9)]
    law = [w / sum(weights) for w in weights]
    for n, worked in ((2, 0.6882), (5, 0.3061), (15, 0.0265)):
        lost = 1 - t.goal_coverage([float(p) for p in law], 4, 4 * n)
        yield lab.close(
            {"K": 8, "L": 4, "n": n}, lost, 1 - float(t.goal_coverage_textbook(law, 4, 4 * n)), 1e-11, "two routes"
        )
        yield lab.close({"K": 8, "L": 4, "n": n}, lost, worked, 5e-5, "worked value")


COVERAGE = Claim(
    id="mid_training.goal_coverage",
    statement=(
        "If a goal needs L independent macros, the macros seen in n L chunks cover it with probability E[W^L]: sets by "
        "Moebius inversion, power series in Poisson counts, and the occupancy chain for equal weights agree."
    ),
    latex=r"1-\mathbb{E}\,\Delta = \mathbb{E}[W^L] = \sum_S \mu_{nL}(S)\,w(S)^L",
    origin="derived",
    source="theory.mid_training.footprint",
    kind="exact",
    domain=Domain({"n": N_DEMONSTRATIONS}),
    evidence=(
        Exact("enumeration", "all sequences of macros, in rationals", _coverage_routes, scope="cells", cost=0.2),
        Exact("identity", "Zipf macros, K = 8: sets against power series", _coverage_worked, scope="cells"),
        Simulation(
            "mean share of fresh goals lost",
            "mid_training.draw_footprints",
            cells=[{"n": n} for n in (2, 5, 15)],
            parameters=lambda cell: {
                "weights": shipped().zipf_weights(8),
                "n_demonstrations": cell["n"],
                "goal_length": 4,
                "n_trials": 5000,
            },
            extract=lambda data, cell: Means(trials(data, "loss"), 0.0, 1.0),
            predict=lambda theory, cell: (
                1 - theory.mid_training.goal_coverage(shipped().zipf_weights(8), 4, 4 * cell["n"])
            ),
            resolution=0.02,
            planned_n=4,
            looks=3,
            unit="5000 trials",
            cost=0.1,
        ),
    ),
    mutants=(
        Mutant(
            "the mean weight to the power L",
            "E[W^L] exceeds (E W)^L",
            theory=replaced(goal_coverage=lambda w, length, n, *a: shipped().goal_coverage(w, 1, n) ** length),
        ),
        Mutant(
            "a demonstration shows one macro, not L",
            "n goals of L macros show n L chunks",
            theory=replaced(
                goal_coverage=lambda w, length, n, *a: shipped().goal_coverage(w, length, n // length),
                goal_coverage_textbook=lambda w, length, n: shipped().goal_coverage_textbook(w, length, n // length),
            ),
        ),
    ),
)


def macro_text(*, noise: float, n_texts: int, keep: int, seeds: Any) -> Any:
    """Macro world of the defaults: how many true macros and how much junk the counting rule keeps."""
    import xarray

    from sims.mid_training import count_chunks, macro_demonstrations

    macros = MACROS
    text = macro_demonstrations(macros, [0.2] * 5, 6, noise, 4, n_texts, seeds)
    codes = shipped().macro_codes(macros, 6)
    kept = np.array([count_chunks(tokens, 6, 3) >= keep for tokens in text["token"].values])
    true = kept[:, codes].sum(axis=1)
    return xarray.Dataset({"true": ("replicate", true), "junk": ("replicate", kept.sum(axis=1) - true)})


MACROS = ((0, 1, 2), (3, 4, 5), (2, 2, 0), (5, 1, 4), (1, 3, 3))


def _kept_literal(lab: Lab) -> Iterator[Cell]:
    """All texts of two or three chunks of two binary tokens, with every pattern of macros and noise."""
    t = lab.theory.mid_training
    macros, weights, eta = ((0, 1), (1, 1)), [Fraction(1, 3), Fraction(2, 3)], Fraction(1, 4)
    law = []
    for x in itertools.product((0, 1), repeat=2):
        total = Fraction(0)
        for macro, w in zip(macros, weights, strict=True):
            wrong = sum(a != b for a, b in zip(x, macro, strict=True))
            total += w * eta**wrong * (1 - eta) ** (2 - wrong)
        law.append(total)
    found = t.chunk_law(macros, [float(w) for w in weights], 2, 0.25)
    for code in range(4):
        yield lab.close({"string": code}, float(found[code]), float(law[code]), 8 * ROUNDING, "law of a chunk")
    for n, least in ((2, 1), (3, 2), (4, 2)):
        true = junk = Fraction(0)
        for drawn, p in sequences(law, n):
            counted = [drawn.count(code) >= least for code in range(4)]
            true += p * (counted[1] + counted[3])
            junk += p * (counted[0] + counted[2])
        pair = t.kept_strings(macros, [float(w) for w in weights], 2, 0.25, n, least)
        yield lab.close({"chunks": n, "least": least}, pair[0], float(true), 1e-13, "true macros")
        yield lab.close({"chunks": n, "least": least}, pair[1], float(junk), 1e-13, "junk")


def _kept_leg(which: str, index: int, high: float) -> Simulation:
    return Simulation(
        f"mean number of {which} kept",
        macro_text,
        cells=[{"least": c} for c in (1, 2, 3)],
        parameters=lambda cell: {"noise": 0.1, "n_texts": 20, "keep": cell["least"]},
        extract=lambda data, cell: Means(
            np.asarray(data["true" if index == 0 else "junk"].values, dtype=float), 0.0, high
        ),
        predict=lambda theory, cell: theory.mid_training.kept_strings(MACROS, [0.2] * 5, 6, 0.1, 80, cell["least"])[
            index
        ],
        resolution=0.05 * high,
        planned_n=2000,
        looks=3,
        unit="text",
        cost=0.3,
    )


KEPT = Claim(
    id="mid_training.kept_strings",
    statement=(
        "In noisy text of macros the mean numbers of macros and of junk strings counted at least c0 times are sums of "
        "binomial tails of the chunk law; for A = 6, K = 5, tau = 3, L = 4, n = 20, eta = .1: all 5 macros, and 17.9, "
        "2.4 or .3 junk strings at c0 = 1, 2, 3."
    ),
    latex=r"\mathbb{E}\,\text{number kept} = \sum_x P(\mathrm{Bin}(nL, p_x) \ge c_0), \quad p_x = \sum_j "
    r"w_j(1-\eta)^{\tau-h}\Bigl(\frac{\eta}{A-1}\Bigr)^{h}",
    origin="derived",
    source="theory.mid_training.footprint",
    kind="exact",
    domain=Domain({"least": Integer(1, meaning="keep count", symbol="c_0")}),
    evidence=(
        Exact("enumeration", "all binary texts, in rationals", _kept_literal, scope="cells"),
        _kept_leg("macros", 0, 5.0),
        _kept_leg("junk strings", 1, 80.0),
    ),
    mutants=(
        Mutant(
            "every chunk comes out clean with probability 1 - eta",
            "each of the tau tokens may be replaced",
            theory=replaced(
                kept_strings=lambda macros, w, a, eta, n, c: shipped().kept_strings(macros, w, a, eta / 3, n, c)
            ),
        ),
        Mutant(
            "a demonstration has one chunk",
            "it has L",
            theory=replaced(
                kept_strings=lambda macros, w, a, eta, n, c: shipped().kept_strings(macros, w, a, eta, n // 4, c)
            ),
        ),
    ),
)


# ---------------------------------------------------------------- coverage is monotone but not submodular


def _all_masks(size: int) -> range:
    return range(1 << size)


def _marginal_gap(value: Any, size: int) -> tuple[Any, tuple[int, int, int]]:
    """Largest gain of an element at a superset over its gain at the subset, and where."""
    worst, where = None, (0, 0, 0)
    for small, large in itertools.product(_all_masks(size), repeat=2):
        if small & ~large:
            continue
        for z in range(size):
            if large >> z & 1:
                continue
            excess = (value(large | 1 << z) - value(large)) - (value(small | 1 << z) - value(small))
            if worst is None or excess > worst:
                worst, where = excess, (small, large, z)
    return worst, where


def _submodular_witness(lab: Lab) -> Iterator[Cell]:
    """One goal that needs two macros: values 0, 0, 0, 1."""
    share = lab.theory.mid_training.covered_share
    worst, where = _marginal_gap(lambda kept: share(kept, [0b11], [Fraction(1)]), 2)
    yield lab.at_most(
        {"goals": "{1,2}"}, Fraction(worst), Fraction(0), f"gain at a superset minus gain at the subset, {where}"
    )


def _submodular_strings(lab: Lab) -> Iterator[Cell]:
    """All goals of two macros out of three, equally likely, and values planned by policy iteration on a goal lock."""
    t = lab.theory.mid_training
    goals = [1 << i | 1 << j for i in range(3) for j in range(3)]
    worst, where = _marginal_gap(lambda kept: t.covered_share(kept, goals, [Fraction(1, 9)] * 9), 3)
    yield lab.at_most({"goals": "two macros of three"}, Fraction(worst), Fraction(0), str(where))


SUBMODULAR_FALSE = Claim(
    id="mid_training.coverage_is_submodular",
    statement="The mean value of planning with a set of options has diminishing returns, so greedy selection is "
    "near-optimal.",
    latex=r"f(B\cup\{z\})-f(B) \ge f(B'\cup\{z\})-f(B'), \quad B\subseteq B'",
    origin="derived",
    source="a tempting reading of pruning as set selection",
    kind="property",
    domain=Domain({}),
    evidence=(
        Exact("enumeration", "one goal that needs two macros: 0, 0, 0, 1", _submodular_witness, scope="cells"),
        Exact("identity", "all pairs out of three macros", _submodular_strings, scope="cells"),
    ),
    mutants=(
        Mutant(
            "the square of the coverage is submodular",
            "0, 0, 0, 1 is its own square",
            theory=replaced(covered_share=lambda *a: shipped().covered_share(*a) ** 2),
        ),
        Mutant(
            "half of the coverage is submodular",
            "scaling does not change the sign of a difference",
            theory=replaced(covered_share=lambda *a: shipped().covered_share(*a) / 2),
        ),
    ),
    expected="fails",
    repaired_by="mid_training.one_step_coverage",
)


def _one_step_values(lab: Lab, seed: int) -> tuple[Any, np.ndarray]:
    """Mean over states of the best reward among kept options, when every option ends the task."""
    rng = generator(100 + seed)
    rewards = rng.integers(0, 9, (5, 4)) / 8.0
    kernels = np.zeros((5, 4, 4))

    @lru_cache(maxsize=None)
    def value(kept: int) -> float:
        if kept == 0:
            return 0.0
        options = [z for z in range(5) if kept >> z & 1]
        return float(lab.theory.mid_training.optimal_values(rewards, kernels, options).mean())

    return value, rewards


def _one_step_cells(lab: Lab) -> Iterator[Cell]:
    for seed in range(2):
        value, rewards = _one_step_values(lab, seed)
        literal = max(
            abs(value(b) - float(rewards[[z for z in range(5) if b >> z & 1]].max(axis=0).mean())) for b in range(1, 32)
        )
        yield lab.close({"world": seed}, literal, 0.0, 64 * ROUNDING, "mean over tasks of the best kept reward")
        worst, where = _marginal_gap(value, 5)
        yield lab.at_most(
            {"world": seed}, worst, 64 * ROUNDING, f"gain at a superset minus gain at the subset, {where}"
        )


def _greedy_cells(lab: Lab) -> Iterator[Cell]:
    for seed in range(2):
        value, _ = _one_step_values(lab, seed)
        for size in (1, 2, 3):
            chosen = 0
            for _ in range(size):
                chosen = max((chosen | 1 << z for z in range(5) if not chosen >> z & 1), key=value)
            best = max(value(b) for b in range(32) if bin(b).count("1") == size)
            yield lab.at_most(
                {"world": seed, "size": size}, (1 - math.exp(-1)) * best, value(chosen) + 1e-12, "greedy value"
            )


def _share_of(share: Any, goals: list[int], weights: list[Fraction], kept: int) -> Any:
    return share(kept, goals, weights)


def _monotone_cells(lab: Lab) -> Iterator[Cell]:
    """Whatever goals need, more options never cover less; if each goal needs one option, coverage is even additive."""
    share = lab.theory.mid_training.covered_share
    rng = generator(12)
    for world in range(4):
        goals = [int(g) for g in rng.integers(1, 32, 6)]
        weights = random_law(6, rng)
        values = [share(b, goals, weights) for b in range(32)]
        rising = all(values[b] <= values[b | 1 << z] for b in range(32) for z in range(5))
        yield lab.true({"world": world}, rising and values[31] == 1 and values[0] == 0, "monotone from 0 to 1")
        single = [1 << int(z) for z in rng.integers(0, 5, 6)]
        worst, _ = _marginal_gap(partial(_share_of, share, single, weights), 5)
        yield lab.equal({"world": world}, Fraction(worst), Fraction(0), "additive for goals of one option")


ONE_STEP = Claim(
    id="mid_training.one_step_coverage",
    statement=(
        "The mean value of planning with a set of options never falls when options are added; if every option ends the "
        "task it is a facility-location function, submodular, and greedy selection reaches 1 - 1/e of the best value."
    ),
    latex=r"f(B) = \mathbb{E}\max_{z\in B}R_z(M), \qquad f(B_{greedy}) \ge (1-1/e)\max_{|B|=k}f(B)",
    origin="derived",
    source="a maximum over a set has diminishing returns; Nemhauser, Wolsey and Fisher 1978 for greedy",
    kind="property",
    domain=Domain({}),
    evidence=(
        Exact(
            "enumeration",
            "all pairs of nested sets on random one-step worlds",
            _one_step_cells,
            scope="cells",
            cost=0.4,
        ),
        Exact("enumeration", "greedy against the best set of each size", _greedy_cells, scope="cells", cost=0.2),
        Exact("identity", "monotone for any goals, additive for goals of one option", _monotone_cells, scope="cells"),
    ),
    mutants=(
        Mutant(
            "two of the options are worth something only together",
            "each has its own reward",
            theory=replaced(
                optimal_values=lambda r, p, kept: shipped().optimal_values(r, p, kept) * ({3, 4} <= set(kept))
            ),
        ),
        Mutant(
            "the share of goals missed grows with the kept set",
            "it is one minus a share that grows",
            theory=replaced(covered_share=lambda *a: 1 - shipped().covered_share(*a)),
        ),
        Mutant(
            "only the last option kept is used",
            "planning may choose any kept option",
            theory=replaced(optimal_values=lambda r, p, kept: shipped().optimal_values(r, p, [max(kept)])),
        ),
    ),
)

CLAIMS = (
    LOSS, LOSS_FALSE, SURVIVAL_FALSE, COUNT_RULE, RISK, TARGET, MASS, COVERAGE, KEPT, SUBMODULAR_FALSE, ONE_STEP,
)  # fmt: skip
