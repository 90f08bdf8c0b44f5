"""Claims about finite samples: losing the long route for ever, and spending a budget over the rounds."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from fractions import Fraction
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np
import sympy as sp

from proofs_check.certificates import Proof
from proofs_check.claims import Claim, Exact, Mutant, Simulation
from proofs_check.domains import Domain, Real
from proofs_check.post_training._common import P_0, SAMPLES, closed_forms
from proofs_check.samples import Counts
from proofs_check.verdicts import Cell

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from proofs_check.lab import Lab
    from proofs_check.runner import ClaimResult

__all__ = ["CLAIMS"]


# ---------------------------------------------------------------- extinction


def _coefficients(lab: Lab) -> Iterator[Cell]:
    """a = s(2) by a sign change in ball arithmetic."""
    from flint import arb

    a, _ = lab.theory.post_training.extinction_coefficients()
    width = arb("1e-13")
    low, high = arb(a) - width, arb(a) + width
    changes = bool(1 - (-2 * low).exp() - low > 0) and bool(1 - (-2 * high).exp() - high < 0)
    yield lab.true({"coefficient": "a"}, changes, "1 - exp(-2s) - s changes sign within 1e-13")


@lru_cache(maxsize=1)
def _cheapest_way_out() -> tuple[np.ndarray, np.ndarray]:
    """phi(p) = lim -ln P(lost)/N on a grid of shares, by dynamic programming over the shares of the rounds.

    A round takes share p to q with probability exp(-N J), J = -ln(A + B), A = (p/q)^q ((1-p)/(2(1-q)))^(1-q),
    B = (1-p)/2: relative entropy of long, kept short and wrong short answers, least over how many are kept. Then
    phi(p) = min over q of J(p, q) + phi(q), phi(0) = 0, which is reached from phi = -ln(1-p), dying in one round.
    """
    grid = np.geomspace(1e-4, 0.45, 1200)
    p, q = grid[:, None], grid[None, :]
    a = np.exp(q * (np.log(p) - np.log(q)) + (1 - q) * (np.log1p(-p) - np.log(2 * (1 - q))))
    cost = -np.log(a + (1 - p) / 2)
    phi = -np.log1p(-grid)
    for _ in range(60):
        # phi(q)/q is smooth; below the grid it is taken constant, which the first round's cost covers.
        phi = np.minimum(phi, (cost + phi[None, :]).min(axis=1))
    return grid, phi


def _large_deviations(lab: Lab) -> Iterator[Cell]:
    """-ln P/N of the law against the cheapest way to extinction, found without branching processes."""
    t = lab.theory.post_training
    grid, phi = _cheapest_way_out()
    for target in (0.05, 0.1, 0.2):
        index = int(np.argmin(np.abs(grid - target)))
        p = float(grid[index])
        found = -math.log(t.extinction_probability(p, 1000)) / 1000
        # Third order: below p^3/4. The grid steps by 0.7 %: a minimum is missed by (0.0035)^2 p/2 in each of some
        # twelve rounds.
        yield lab.close({"p_0": p}, found / p, float(phi[index]) / p, p**2 / 4 + 1e-4, "-ln P/(N p)")


def _exact_chain(lab: Lab) -> Iterator[Cell]:
    """The linear system of the finite chain against the limit law; its logarithm is right up to terms N p^3 and 1/N."""
    t = lab.theory.post_training
    for n, p in ((20, 0.1), (40, 0.1), (40, 0.05), (40, 0.2)):
        exact = math.log(t.extinction_probability_exact(p, n))
        # Terms of third order have coefficients below 1/4, a finite N adds less than 1/(4N).
        yield lab.close(
            {"p_0": p, "n_samples": n}, math.log(t.extinction_probability(p, n)), exact, n * p**3 / 4 + 0.25 / n
        )


def _shares(cell: Mapping[str, Any]) -> dict[str, Any]:
    return {"p_0": cell["p_0"], "n_samples": cell["n_samples"], "n_rounds": 40}


def _lost(data: Any, cell: Mapping[str, Any]) -> Counts:
    found = data["long_fraction"].values[:, -1] == 0
    return Counts(int(found.sum()), int(found.size))


def _extinction_cells(profile: str) -> list[dict[str, Any]]:
    quick = [{"p_0": x / 1000, "n_samples": 1000} for x in (1, 2, 4)] + [{"p_0": 0.05, "n_samples": 40}]
    return quick if profile == "quick" else [*quick, *({"p_0": x / 10_000, "n_samples": 10_000} for x in (1, 2, 4, 8))]


def _limit_law(theory: Any, cell: Mapping[str, Any]) -> tuple[float, float]:
    """The prediction with the error of the limit law: N p^3 + 1/(2N) in its logarithm."""
    value = theory.post_training.extinction_probability(cell["p_0"], cell["n_samples"])
    error = cell["n_samples"] * cell["p_0"] ** 3 + 0.5 / cell["n_samples"]
    return value * math.exp(-error), value * math.exp(error)


def _extinction_figure(result: ClaimResult) -> Figure:
    """Probability of losing the long route against the expected first count."""
    from matplotlib.figure import Figure

    from proofs_check.figures import simulated_points, style, theory_line
    from sims.intervals import clopper_pearson
    from sims.post_training import refit_shares

    t = closed_forms()
    with style():
        figure = Figure(figsize=(6.4, 3.8), layout="constrained")
        ax = figure.add_subplot()
        grid = np.linspace(0.2, 9, 80)
        theory_line(ax, grid, t.extinction_probability(grid / 2000, 2000), "exp(-N (a p + b p^2)), N = 2000", 0)
        points = np.array([0.5, 1, 2, 3, 4, 6, 8])
        counts = [
            int((refit_shares(x / 2000, 2000, 30, range(20_000)).long_fraction.values[:, -1] == 0).sum())
            for x in points
        ]
        ends = [clopper_pearson(k, 20_000, 0.05) for k in counts]
        shares = [k / 20_000 for k in counts]
        simulated_points(ax, points, shares, [e.low for e in ends], [e.high for e in ends], "20 000 runs", 0)
        ax.set(
            xlabel="expected long answers in the first round, N p_0", ylabel="probability of extinction", yscale="log"
        )
        ax.legend()
    return figure


EXTINCTION = Claim(
    id="post_training.extinction",
    statement=(
        "With N samples a round and shares refitted to the kept ones, the long route is lost for ever with probability "
        "exp(-N (a p_0 + b p_0^2)), a = 0.79681, b = 0.23865, up to terms N p_0^3."
    ),
    latex=(
        r"P(\text{lost}) \to e^{-N(a p_0 + b p_0^2)},\quad a = 1-q,\ q = -\tfrac12 W_0(-2e^{-2}),\ b = "
        r"\frac{a^2/2-2a(1+a)q^2}{1-4q^2}"
    ),
    origin="derived",
    source="Galton-Watson process with Poisson(2) offspring and its first correction",
    kind="exact",
    domain=Domain({"p_0": P_0, "n_samples": SAMPLES}),
    functions=("post_training.extinction_probability",),
    evidence=(
        Exact("enclosure", "a solves its equation", _coefficients, scope="cells"),
        Exact("enumeration", "cheapest way to extinction for many samples", _large_deviations, "cells", cost=0.2),
        Exact("enumeration", "the finite chain as a linear system", _exact_chain, scope="cells", cost=0.5),
        Simulation(
            "runs that lose the long route",
            "post_training.refit_shares",
            cells=_extinction_cells,
            parameters=_shares,
            extract=_lost,
            predict=_limit_law,
            resolution=0.02,
            planned_n=20_000,
            cost=0.4,
        ),
    ),
    mutants=(
        Mutant(
            "offspring are Poisson(1.8)",
            "one kept long answer is 2/N of the kept ones, so two new ones on average",
            theory={
                "post_training.extinction_probability": lambda p, n: math.exp(
                    -n * p * float(closed_forms().survival(1.8))
                ),
                "post_training.extinction_coefficients": lambda: (float(closed_forms().survival(1.8)), 0.0),
            },
        ),
        Mutant(
            "b = 0",
            "at p_0 = 0.2 and N = 40 the factor exp(-N b p_0^2) is 0.68",
            theory={
                "post_training.extinction_probability": lambda p, n: math.exp(
                    -n * p * closed_forms().extinction_coefficients()[0]
                )
            },
        ),
        Mutant(
            "only the first round can lose it: exp(-N p_0)",
            "a single long answer has no successor with probability e^-2",
            theory={"post_training.extinction_probability": lambda p, n: math.exp(-n * p)},
        ),
    ),
    figure=_extinction_figure,
    remarks="The chain of tokens is exact here. A round that keeps nothing leaves the model as it was.",
)

# ---------------------------------------------------------------- survival of one line


def _survival_balls(lab: Lab) -> Iterator[Cell]:
    """The residual 1 - exp(-m s) - s changes sign around the shipped value; at most 1 offspring never survive."""
    from flint import arb

    t = lab.theory.post_training
    for m in (Fraction(11, 10), Fraction(3, 2), Fraction(2), Fraction(5)):
        s = t.survival(float(m))
        mean = arb(int(m.numerator)) / int(m.denominator)
        residuals = [1 - (-mean * x).exp() - x for x in (arb(s) - arb("1e-11"), arb(s) + arb("1e-11"))]
        yield lab.true({"mean_offspring": m}, bool(residuals[0] > 0) and bool(residuals[1] < 0), f"s = {s}")
    for few in (0.0, 0.5, 1.0):
        yield lab.close({"mean_offspring": few}, t.survival(few), 0.0, 0.0, "extinct for sure")


def _survival_iterated(lab: Lab) -> Iterator[Cell]:
    """Extinction within n generations by iterating the generating function exp(m (z - 1)) from 0."""
    t = lab.theory.post_training
    for m in (1.2, 1.5, 2.0, 3.0):
        z = 0.0
        for _ in range(400):
            z = math.exp(m * (z - 1))
        # The error shrinks by m q < 0.83 a generation.
        yield lab.close({"mean_offspring": m}, t.survival(m), 1 - z, 1e-12)


SURVIVAL = Claim(
    id="post_training.survival",
    statement=(
        "A line with Poisson(m) offspring survives with probability s(m) = 1 + W_0(-m e^-m)/m, which is 0 for m <= 1."
    ),
    latex=r"s = 1 - e^{-ms},\qquad s(m) = 1 + \frac{W_0(-m e^{-m})}{m}",
    origin="derived",
    source="fixed point of the generating function of the Galton-Watson process",
    kind="exact",
    domain=Domain({"mean_offspring": Real(0, 50, meaning="mean offspring", symbol="m")}),
    functions=("post_training.survival",),
    evidence=(
        Exact("enclosure", "sign change of the residual", _survival_balls, scope="cells"),
        Exact("enumeration", "generations counted by the generating function", _survival_iterated, scope="cells"),
    ),
    mutants=(
        Mutant(
            "s(m) = 1 - 1/m",
            "that is the law of geometric offspring",
            theory={"post_training.survival": lambda m: max(0.0, 1 - 1 / m) if m else 0.0},
        ),
        Mutant(
            "s(m) = 2(m-1)", "exceeds 1 at m = 2", theory={"post_training.survival": lambda m: max(0.0, 2 * (m - 1))}
        ),
    ),
)

# ---------------------------------------------------------------- chain errors


def _error_identity(lab: Lab) -> Iterator[Cell]:
    """Kept long answers are p R or p(1+D)/2, and their lines survive with s(2) or s(1+D)."""
    t = lab.theory.post_training
    for quality in (0.2, 0.5, 0.9, 1.0):
        for p, n in ((0.01, 100), (0.002, 2000)):
            cot = t.extinction_probability_with_offspring(p * quality, n, 2.0)
            end = t.extinction_probability_with_offspring(p * (1 + quality) / 2, n, 1 + quality)
            cell = {"p_0": p, "n_samples": n, "quality": quality}
            yield lab.close(cell, t.extinction_probability_with_errors(p, n, quality, "r_cot"), cot, 1e-12, "r_cot")
            yield lab.close(cell, t.extinction_probability_with_errors(p, n, quality, "r_e2e"), end, 1e-12, "r_e2e")


def _wrong_shares(cell: Mapping[str, Any]) -> dict[str, Any]:
    return {"p_0": cell["p_0"], "n_samples": cell["n_samples"], "n_rounds": 40, "chain_right": cell["quality"]}


def _held_errors(cell: Mapping[str, Any]) -> dict[str, Any]:
    """d = 3: two steps of error e, restored after each refit, so that D = (1 - 2e)^2 stays."""
    e = (1 - math.sqrt(cell["quality"])) / 2
    return {
        "d": 3, "p_0": cell["p_0"], "n_samples": cell["n_samples"], "n_rounds": 20, "token_error": e,
        "restored_error": e, "reward": "r_e2e",
    }  # fmt: skip


def _lost_table(data: Any, cell: Mapping[str, Any]) -> Counts:
    found = data["stop_agree"].values[:, -1] == 1
    return Counts(int(found.sum()), int(found.size))


def _with_errors(reward: str) -> Any:
    def predict(theory: Any, cell: Mapping[str, Any]) -> tuple[float, float]:
        value = theory.post_training.extinction_probability_with_errors(
            cell["p_0"], cell["n_samples"], cell["quality"], reward
        )
        # The next order is N p_0^2 times at most 1/2 in the logarithm, and fluctuations of the kept mass add 2/N.
        error = 0.5 * cell["n_samples"] * cell["p_0"] ** 2 + 2 / cell["n_samples"]
        return value * math.exp(-error), value * math.exp(error)

    return predict


WITH_ERRORS = Claim(
    id="post_training.extinction_with_errors",
    statement=(
        "When sampled chains are right with probability R, the long route is lost with probability exp(-a N p_0 R) "
        "under r_cot; "
        "under r_e2e with D held fixed, with exp(-N p_0 ((1+D)/2) s(1+D))."
    ),
    latex=r"P(\text{lost}) \to e^{-aNp_0R}\ (r_{cot}),\qquad e^{-Np_0\frac{1+D}{2}s(1+D)}\ (r_{e2e})",
    origin="derived",
    source="first-round counts and the survival of their lines",
    kind="exact",
    domain=Domain({"p_0": P_0, "n_samples": SAMPLES, "quality": Real(0, 1, meaning="R or D")}),
    evidence=(
        Exact("identity", "thinned first round times survival", _error_identity, scope="cells"),
        Simulation(
            "runs lost under r_cot, wrong chains in the first round",
            "post_training.refit_shares",
            cells=[{"p_0": 0.002 / r, "n_samples": 1000, "quality": r} for r in (0.5, 0.2)],
            parameters=_wrong_shares,
            extract=_lost,
            predict=_with_errors("r_cot"),
            resolution=0.03,
            planned_n=20_000,
            cost=0.2,
        ),
        Simulation(
            "runs lost under r_e2e, errors restored each round",
            "post_training.tabular_star",
            cells=[{"p_0": 0.01, "n_samples": 200, "quality": 0.5}, {"p_0": 0.02, "n_samples": 200, "quality": 0.3}],
            parameters=_held_errors,
            extract=_lost_table,
            predict=_with_errors("r_e2e"),
            resolution=0.06,
            planned_n=3000,
            cost=2.0,
        ),
    ),
    mutants=(
        Mutant(
            "wrong chains do not matter",
            "they are not kept by r_cot, and half of them not by r_e2e",
            theory={
                "post_training.extinction_probability_with_errors": lambda p, n, q, r: float(
                    closed_forms().extinction_probability_with_offspring(p, n, 2.0)
                )
            },
        ),
        Mutant(
            "only wholly right chains count under r_e2e too",
            "an even number of wrong tokens is rewarded",
            theory={
                "post_training.extinction_probability_with_errors": lambda p, n, q, r: float(
                    closed_forms().extinction_probability_with_offspring(p * q * q, n, 2.0)
                )
            },
        ),
    ),
)

# ---------------------------------------------------------------- budget


def _budget_certificate(lab: Lab) -> list[Cell]:
    """1/factor = s (1 - rho/2), rho = -ln(1-s)/s: s + ln(1-s)/2 is concave with its maximum at s = 1/2."""
    limit = lab.theory.post_training.best_budget_limit()
    s = sp.Symbol("s", positive=True)
    rho = -sp.log(1 - s) / s
    proof = Proof()
    proof.identity("s (1 - rho/2) = s + ln(1-s)/2", s * (1 - rho / 2), s + sp.log(1 - s) / 2)
    value = s + sp.log(1 - s) / 2
    proof.step("stationary at s = 1/2", sp.simplify(sp.diff(value, s).subs(s, sp.Rational(1, 2))) == 0)
    proof.positive("strictly concave", -sp.diff(value, s, 2), {s: (0, 1)})
    exact = 1 / value.subs(s, sp.Rational(1, 2))
    proof.step("the factor is 2/(1 - ln 2)", sp.simplify(exact - 2 / (1 - sp.log(2))) == 0)
    close = abs(limit.factor - float(exact)) < 1e-12 and abs(limit.offspring[0] - 2 * math.log(2)) < 1e-12
    proof.step("which is what is shipped, with rho = 2 ln 2", close)
    return proof.cells(
        {"rounds": "many"}, lambda: None if close else {"factor": str(limit.factor), "exact": str(float(exact))}
    )


def _budget_cells(lab: Lab) -> Iterator[Cell]:
    """Plans for n rounds: the recursion against generations counted one by one, and the optimum against other plans."""
    t = lab.theory.post_training
    for n, plan in ((3, [2.0, 2.0]), (5, [1.4] * 4), (8, [1.39] * 7)):
        z, size, total = 0.0, 1.0, 1.0
        for rho in reversed(plan):
            z = math.exp(rho * (z - 1))
        for rho in plan:
            size *= rho / 2
            total += size
        yield lab.close({"rounds": n}, t.budget_factor(plan), total / (1 - z), 1e-12, "samples over survival")
    for n, printed in ((3, 3.36), (5, 4.89), (8, 5.95), (12, 6.385)):
        best = t.best_budget(n).factor
        yield lab.close({"rounds": n}, best, printed, 0.0051, "cheapest plan")
        yield lab.true(
            {"rounds": n},
            best <= t.budget_factor([1.39] * (n - 1)) <= t.budget_factor([2.0] * (n - 1)),
            "and no dearer than others",
        )
        yield lab.true({"rounds": n}, best <= t.best_budget_limit().factor, "below the limit")


BUDGET = Claim(
    id="post_training.budget",
    statement=(
        "Over n rounds a fixed N costs n/0.797 or more, but the cheapest plan shrinks N by ln 2 a round and costs at "
        "most "
        "2/(1 - ln 2) = 6.52, in units of ln(1/delta)/p_0: no factor log(1/p_0)."
    ),
    latex=(
        r"\min \frac{t_0}{s_0} \to \frac{2}{1-\ln 2},\qquad s_i = 1-e^{-\rho_i s_{i+1}},\quad t_i = "
        r"1+\tfrac{\rho_i}{2}t_{i+1},\quad \rho_i = \frac{2N_{i+1}}{N_i}"
    ),
    origin="derived",
    source="Galton-Watson process in varying environment",
    kind="exact",
    domain=Domain({}),
    evidence=(
        Exact("certificate", "the steady optimum", _budget_certificate),
        Exact("enumeration", "plans of 3 to 12 rounds", _budget_cells, scope="cells", cost=0.2),
    ),
    mutants=(
        Mutant(
            "the cheapest plan halves N each round",
            "then a line has one offspring on average and dies out",
            theory={"post_training.best_budget_limit": lambda: closed_forms().Budget(2.0, (1.0,))},
        ),
        Mutant(
            "the cost is n alone",
            "a single sample survives with probability below 1",
            theory={"post_training.budget_factor": lambda plan: len(plan) + 1.0},
        ),
    ),
)

CLAIMS = (EXTINCTION, SURVIVAL, WITH_ERRORS, BUDGET)
