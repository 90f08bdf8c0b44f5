"""Claims about rules that tolerate failures: survival of the wanted subset, counts, estimated risks, and targets."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from fractions import Fraction
from functools import lru_cache

import sympy as sp

from proofs_check.certificates import is_zero
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
    generator,
    random_law,
    replaced,
    sequences,
    shipped,
)
from proofs_check.samples import Counts
from proofs_check.verdicts import Cell

__all__ = ["CLAIMS"]

GAP = Real(0, open_low=True, meaning="largest loss of value", symbol=r"D_{max}")


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
        "Keep what fails at most sigma n/2 tasks: with b(target) <= sigma/4, max((8/sigma) ln(2C(m,k)/delta), "
        "(12/sigma) ln(2/delta)) demonstrations keep the target and drop every bad k-subset with probability 1 - "
        "delta. Binomial tails certify fewer: 214 instead of 557 for m = 30, k = 4, sigma = .2, delta = .05."
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


CLAIMS = (SURVIVAL_FALSE, COUNT_RULE, RISK, TARGET)
