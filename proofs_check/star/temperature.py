"""Claims about temperature: sharpening below 1, the threshold above 1, and where cold sampling does harm."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Sequence
from fractions import Fraction
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np
import sympy as sp

from proofs_check.certificates import Proof, is_zero
from proofs_check.claims import Claim, Exact, Mutant, Simulation
from proofs_check.domains import Domain, Integer, Real
from proofs_check.samples import Counts
from proofs_check.star._common import (
    ANY,
    BOX,
    CHAIN,
    CHAINS,
    DERIVED,
    PI,
    STATES,
    STEPS,
    D,
    F,
    M,
    chain_name,
    deltas_of_rows,
    first_step_right,
    identity,
    law_of_paths,
    refit_of_paths,
    right_chance,
    single_leg,
    symmetric_tables,
    theory,
    witness_below_zero,
)
from proofs_check.verdicts import Cell

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from proofs_check.lab import Lab
    from proofs_check.runner import ClaimResult

__all__ = ["CLAIMS"]

LONG = Integer(3, meaning="steps N of the chain", symbol="N", largest_drawn=12)


# ---------------------------------------------------------------- sharpening and flattening


def _temper_identity(lab: Lab) -> Iterator[Cell]:
    t = lab.theory.star
    where = {"n_states": "any"}
    cold = t.temper(D, M, sp.Rational(1, 2))
    yield identity(lab, where, t.odds(cold, M), t.odds(D, M) ** 2, "tau = 1/2: the square of the odds")
    hot = sp.cancel(t.odds(t.temper(D, M, sp.Integer(2)), M))
    yield identity(lab, where, hot**2, t.odds(D, M), "tau = 2: the root of the odds")
    ratio = sp.Symbol("L", positive=True)
    tau = sp.Symbol("tau", positive=True)
    shown = t.odds(t.from_log_ratio(ratio / tau, M), M)
    yield lab.true(where, is_zero(shown - sp.exp(ratio / tau)), "any tau: a log-ratio L/tau has odds e^(L/tau)")


def _cold_tables(tables: Sequence[Any], power: int) -> list[Any]:
    """Rows to an integer power, normalised."""
    return [[[x**power / sum(y**power for y in row) for x in row] for row in table] for table in tables]


def _temper_cells(lab: Lab) -> Iterator[Cell]:
    for (delta, n_states), power in itertools.product(CHAINS[:3], (2, 3)):
        tables = _cold_tables(symmetric_tables(delta, n_states), power)
        law = law_of_paths(tables, lambda path: int(path[0] == path[-1]))
        rows = refit_of_paths(tables, law)
        after = lab.theory.star.tempered_update([float(d) for d in delta], n_states, 1 / power)
        for n, observed in enumerate(deltas_of_rows(rows)):
            # Two dozen roundings of numbers below 1.
            where = {**chain_name(delta, n_states), "tau": f"1/{power}", "step": n + 1}
            yield lab.close(where, float(observed), float(after[n]), 1e-13, "row of all paths sampled at tau")


def _tempered(power: float) -> Any:
    return lambda delta, n_states, temperature: theory().temper(delta, n_states, temperature**power)


def _tempered_map(power: float) -> Any:
    return lambda delta, n_states, temperature: theory().tempered_update(delta, n_states, temperature**power)


TEMPER = Claim(
    id="star.temperature",
    statement=(
        "Sampling at temperature tau stays in the family, with odds r^(1/tau); a round is the clean map applied to the "
        "tempered model."
    ),
    latex=r"L_n' = \frac{L_n}{\tau} + \ell\Bigl(\prod_{k \ne n} \delta_{k,\tau}\Bigr)",
    origin="derived",
    source=DERIVED,
    kind="exact",
    domain=Domain({"n_states": STATES, "delta": Real(0, 1), "temperature": Real(0.05, 20, meaning="temperature tau")}),
    functions=("star.temper",),
    evidence=(
        Exact("identity", "log-ratios over tau, and tau = 1/2, 2, M a symbol", _temper_identity),
        Exact("enumeration", "rows of all paths at tau = 1/2, 1/3", _temper_cells, scope="cells"),
        single_leg(
            "right first steps of trajectories kept at tau = 1/2",
            first_step_right,
            lambda t, c: right_chance(t.star.tempered_update(c["delta"], c["n_states"], 0.5)[0], c["n_states"]),
            temperature=0.5,
        ),
    ),
    mutants=(
        Mutant(
            "odds are raised to tau",
            "temperature divides logits",
            theory={"star.temper": _tempered(-1), "star.tempered_update": _tempered_map(-1)},
        ),
        Mutant(
            "temperature acts twice",
            "it acts on sampling only, once",
            theory={"star.temper": _tempered(2), "star.tempered_update": _tempered_map(2)},
        ),
    ),
)


def _cold_proof(lab: Lab) -> list[Cell]:
    t = lab.theory.star
    evidence = t.odds(t.update([D, PI], M)[0], M) - t.odds(D, M)
    useless = t.odds(t.noisy_update([D, PI], M, sp.Rational(1, 2), sp.Rational(1, 2))[0], M) - t.odds(D, M)
    proof = Proof()
    proof.positive("evidence only adds: r' >= r_tau = r^(1/tau)", evidence, BOX)
    proof.identity("a useless verifier adds none, and sharpening remains", useless, sp.Integer(0))
    return proof.cells(ANY, witness_below_zero([evidence]))


COLD = (
    (0.02, 4, 8, 0.99, ((1.0, 1048), (0.8, 13), (0.5, 5))),
    (0.1, 3, 64, 0.99, ((1.0, 4), (0.8, 3), (0.5, 2))),
)


def _counted_rounds(t: Any, delta: float, n_steps: int, n_states: int, target: float, tau: float) -> int:
    """Rounds at temperature tau until every log-ratio has reached that of the target, 2000 at most."""
    goal = float(t.target_log_ratio(target, n_steps, n_states))
    value, rounds = np.full(n_steps, float(t.log_ratio(delta, n_states))), 0
    while value.min() < goal and rounds < 2000:
        value = t.update_log_ratio(value, n_states, temperature=tau)
        rounds += 1
    return rounds


def _cold_counts(lab: Lab) -> Iterator[Cell]:
    t = lab.theory.star
    for delta, n_steps, n_states, target, counts in COLD:
        for tau, printed in counts:
            rounds = _counted_rounds(t, delta, n_steps, n_states, target, tau)
            where = {"n_steps": n_steps, "n_states": n_states, "delta": delta, "tau": tau}
            yield lab.equal(where, rounds, printed, "rounds to J >= .99")
            if tau < 1:
                bound = float(t.tempered_rounds_bound(delta, target, n_steps, n_states, tau))
                yield lab.at_most(where, rounds, math.ceil(bound), "at most ceil(log(L*/L_0)/log(1/tau))")


def _cold_slack(lab: Lab) -> dict[str, Any]:
    t = lab.theory.star
    ratios = {}
    for delta, n_steps, n_states, tau in itertools.product((0.02, 0.1, 0.3), (2, 4), (2, 8, 64), (0.3, 0.5, 0.8, 0.95)):
        bound = math.ceil(float(t.tempered_rounds_bound(delta, 0.99, n_steps, n_states, tau)))
        ratios[delta, n_steps, n_states, tau] = _counted_rounds(t, delta, n_steps, n_states, 0.99, tau) / bound
    best = max(ratios, key=lambda key: ratios[key])
    return {
        "ratio": ratios[best],
        "interval": [min(ratios.values()), ratios[best]],
        "vacuous": [],
        "detail": (
            f"counted rounds to J = .99 over the bound, least and largest of {len(ratios)} settings; largest at "
            f"delta = {best[0]}, N = {best[1]}, M = {best[2]}, tau = {best[3]}"
        ),
    }


COLD_CLAIM = Claim(
    id="star.cold_sampling_sharpens",
    statement=(
        "Temperature below 1 multiplies log-odds by 1/tau a round even without evidence: at most "
        "log(L*/L_0)/log(1/tau) rounds in the symmetric family."
    ),
    latex=r"L_n' \ge L_n/\tau, \qquad W \le \left\lceil \frac{\log(L^*/L_0)}{\log(1/\tau)} \right\rceil",
    origin="derived",
    source=DERIVED,
    kind="upper",
    domain=CHAIN,
    evidence=(
        Exact("certificate", "evidence is never negative", _cold_proof),
        Exact("enumeration", "counted rounds at tau = 1, .8, .5", _cold_counts, scope="cells"),
    ),
    mutants=(
        Mutant(
            "a round halves the deltas, and log-ratios hardly grow",
            "evidence is non-negative above guessing",
            theory={
                "star.update": lambda delta, n_states: np.asarray(delta) / 2,
                "star.update_log_ratio": lambda value, n_states, **k: value * 1.001,
            },
        ),
        Mutant(
            "sampling is twice as cold as stated",
            "log-ratios are divided by tau once a round",
            theory={
                "star.update_log_ratio": lambda value, n_states, *, temperature=1.0: theory().update_log_ratio(
                    value, n_states, temperature=temperature**2
                )
            },
        ),
    ),
    tightness=_cold_slack,
)


def _hot_proof(lab: Lab) -> list[Cell]:
    """The largest of the tempered deltas is D; step n has u D <= D, the others' product is q D with q < 1 if N >= 3."""
    t = lab.theory.star
    u = sp.Symbol("u", positive=True)
    box = {**BOX, u: (0, 1)}
    top = t.odds(D, M) ** 2 - t.odds(t.update([D, PI * D], M)[0], M)
    below = t.odds(D, M) ** 2 - t.odds(t.update([u * D, PI * D], M)[0], M)
    proof = Proof()
    proof.positive("N >= 3, largest step: r' < r_tau^2", top, box)
    proof.positive("any other step: r' < r_tau(largest)^2", below, box)
    # r_tau^2 = r^(2/tau) <= r for tau >= 2, since r > 1.
    sampled = sp.cancel(t.odds(t.temper(D, M, sp.Integer(2)), M))
    proof.identity("tau = 2: r_tau^2 = r", sampled**2, t.odds(D, M))
    proof.positive("r > 1 above guessing", t.odds(D, M) - 1, box)
    return proof.cells(ANY, witness_below_zero([top, below], box))


def _hot_cells(lab: Lab) -> Iterator[Cell]:
    t = lab.theory.star
    for n_steps, n_states, tau in ((3, 2, 2.0), (3, 64, 2.5), (5, 8, 2.0), (4, 3, 6.0)):
        for start in (0.1, 3.0, 30.0):
            value = np.full(n_steps, start) + np.arange(n_steps) / 10
            after = t.update_log_ratio(value, n_states, temperature=tau)
            where = {"n_steps": n_steps, "n_states": n_states, "tau": tau, "L": start}
            yield lab.at_most(where, float(after.max()), float(value.max()), "the largest log-ratio falls")
    for odds_root, n_states in ((3, 2), (5, 3)):
        # tau = 2 with odds that are squares: everything is rational.
        rows = [[F(odds_root if s == x else 1) for x in range(n_states)] for s in range(n_states)]
        tables = [[[x / sum(row) for x in row] for row in rows]] * 3
        refit = refit_of_paths(tables, law_of_paths(tables, lambda path: int(path[0] == path[-1])))
        odds = refit[0][0][0] / refit[0][0][1]
        where = {"n_steps": 3, "n_states": n_states, "tau": 2, "odds": odds_root**2}
        yield lab.true(where, odds < odds_root**2, f"odds {odds_root**2} -> {odds}, all paths")


HOT = Claim(
    id="star.hot_sampling_falls",
    statement="With N >= 3 and temperature at least 2 every model short of the truth falls to guessing.",
    latex=r"N \ge 3,\ \tau \ge 2 \Rightarrow \max_n L_n' < \tfrac{2}{\tau} \max_n L_n \le \max_n L_n",
    origin="derived",
    source=DERIVED,
    kind="threshold",
    domain=Domain({"n_steps": LONG, "n_states": STATES}),
    evidence=(
        Exact("certificate", "the largest log-ratio falls, symbols", _hot_proof),
        Exact("enumeration", "log-ratios on a grid, and all paths at tau = 2", _hot_cells, scope="cells"),
    ),
    mutants=(
        Mutant(
            "a round at temperature 2 raises every log-ratio by a tenth",
            "halving log-ratios costs more than the evidence of the others brings",
            theory={
                "star.update": lambda delta, n_states: 1 - (1 - np.asarray(delta)) / 1000,
                "star.update_log_ratio": lambda value, n_states, **k: value + 0.1,
            },
        ),
        Mutant(
            "temperature leaves the sampled odds as they are",
            "tempering takes the root of the odds at tau = 2",
            theory={
                "star.temper": lambda delta, n_states, temperature: delta,
                "star.update_log_ratio": lambda value, n_states, *, temperature=1.0: theory().update_log_ratio(
                    value, n_states
                ),
                "star.update": lambda delta, n_states: theory().update([d + (1 - d) / 2 for d in delta], n_states),
            },
        ),
    ),
)


# ---------------------------------------------------------------- the threshold between 1 and 2


def _threshold_proof(lab: Lab) -> Iterator[Cell]:
    """f(y)/y rises strictly from 0 to 1, step by step; theory.star.temperature_threshold gives the argument."""
    t = lab.theory.star
    value = sp.log(t.odds(D, M))
    for n_steps in (3, 4):
        rest = D ** (n_steps - 1)
        where = {"n_steps": n_steps, "n_states": "any"}
        yield identity(lab, where, sp.exp(t.evidence(value, n_steps, M)), t.odds(rest, M), "f = l(d^(N-1))")
        slope = t.evidence_slope(value, n_steps, M)
        yield identity(
            lab, where, slope, (n_steps - 1) * _weight(rest) / _weight(D), "y f'/f = phi((N-1)s)/phi(s), d = e^-s"
        )
    yield from rising_elasticity()


def _weight(x: Any) -> Any:
    """x l'(x)."""
    return M * x / ((1 + (M - 1) * x) * (1 - x))


@lru_cache(maxsize=1)
def rising_elasticity() -> list[Cell]:
    """phi rises, and f(y)/y goes from 0 to 1: nothing here is read from the lab."""
    p, r, w, root, c, s, ell = (sp.Symbol(name, positive=True) for name in ("p", "r", "w", "B", "c", "s", "l"))
    a = M - 1
    proof = Proof()
    logs = sp.log(1 + a * p) - sp.log(1 - p)
    proof.identity("l' = M/((1+ap)(1-p))", sp.diff(logs, p) * p, _weight(p))
    proof.identity("s = -log p has s' = -1/p", sp.diff(-sp.log(p), p), -1 / p)
    # phi = s p l'/l as a function of p, s(p) and l(p); the chain rule with the two derivatives above.
    phi = s * _weight(p) / ell
    along = sp.diff(phi, p) - sp.diff(phi, s) / p + sp.diff(phi, ell) * _weight(p) / p
    stated = (1 + a * p) * (1 - p) / s - (1 + a * p**2) + M * p / ell
    left = sp.cancel(-p * along / phi * (1 + a * p) * (1 - p))
    proof.identity("(1+ap)(1-p) phi'/phi = H, ' = -p d/dp", left, stated)
    gap = (1 - r**2) / r + 2 * sp.log(r)
    proof.identity("-log p <= (1-p)/sqrt p: the difference vanishes at 1", gap.subs(r, 1), sp.Integer(0))
    proof.nonnegative("and falls on (0, 1), p = r^2", -sp.diff(gap, r), {r: (0, 1)})
    above = (w**2 - 1) / w - 2 * sp.log(w)
    proof.identity("log(1+x) <= x/sqrt(1+x): the difference vanishes at 0", above.subs(w, 1), sp.Integer(0))
    proof.nonnegative("and rises, 1+x = w^2", sp.diff(above, w), {w: (1, sp.oo)})
    x = M * p / (1 - p)
    proof.identity("1 + x = r(p)", 1 + x, (1 + a * p) / (1 - p))
    proof.identity("(Mp)^2 (1+x)/x^2 = (1+ap)(1-p)", (M * p) ** 2 * (1 + x) / x**2, (1 + a * p) * (1 - p))
    proof.identity("1 + a p^2 = (1-p) + p(1+ap)", 1 + a * p**2, (1 - p) + p * (1 + a * p))
    # A = 1 + ap = B^2, p = r^2, 1 - p = c^2.
    least = root**2 * r - (c**2 + r**2 * root**2) + root * c
    parts = (root**2 * r * (1 - r), c * (root - c))
    proof.identity("H >= A sqrt p (1 - sqrt p) + sqrt(1-p) (sqrt A - sqrt(1-p))", least, sum(parts))
    box = {r: (0, 1), c: (0, 1), root: (1, sp.oo)}
    for says, part in zip(("first part positive", "second part positive, A >= 1 > 1-p"), parts, strict=True):
        proof.positive(says, part, box)
    proof.positive("A = 1 + ap > 1", 1 + a * p - 1, {p: (0, 1), M: (1, sp.oo)})
    for k in (2, 3, 5):
        low = D ** (k - 1) * (1 + a * D) / (1 - D**k)  # l(p) <= Mp/(1-p), l(d) >= Md/(1+ad)
        proof.identity(f"f/y -> 0 at 0, N = {k + 1}", sp.limit(low, D, 0), sp.Integer(0))
        proof.nonnegative(f"1 - d^{k} <= {k} (1 - d)", k * (1 - D) - (1 - D**k), BOX)
    proof.nonnegative("so r(d^(N-1)) >= r(d)/((N-1) M): f/y -> 1", M * (1 + a * PI) - (1 + a * D), BOX)
    return proof.cells({"n_steps": "real above 2", "n_states": "real, at least 1"})


THRESHOLDS = (
    (3, 8, 1.2, 0.197), (3, 8, 1.5, 0.649), (3, 64, 1.2, 0.128), (3, 64, 1.5, 0.574), (5, 8, 1.2, 0.624),
    (5, 8, 1.5, 0.947),
)  # fmt: skip


@lru_cache(maxsize=4096)
def _change(value: float, n_steps: int, n_states: int, tau: float) -> int:
    """Certain sign of L' - L from equal log-ratios, in balls; 0 if not certain."""
    from flint import arb, ctx

    with ctx.workprec(600):
        grown = (arb(value) / arb(tau)).exp()
        delta = (grown - 1) / (grown + n_states - 1)
        rest = delta ** (n_steps - 1)
        change = arb(value) / arb(tau) + ((1 + (n_states - 1) * rest) / (1 - rest)).log() - arb(value)
        return 1 if change > 0 else -1 if change < 0 else 0


def _threshold_cells(lab: Lab) -> Iterator[Cell]:
    t = lab.theory.star
    full = [(n, m, tau, None) for n in (3, 4, 8) for m in (2, 16, 1024) for tau in (1.05, 1.4, 1.9)]
    for n_steps, n_states, tau, printed in (*THRESHOLDS, *(full if lab.profile == "full" else full[::5])):
        found = float(t.temperature_threshold(n_steps, n_states, tau))
        where = {"n_steps": n_steps, "n_states": n_states, "temperature": tau}
        factors = (0.02, 0.1, 0.3, 0.6, 0.9, 0.999, 1 - 1e-9, 1 + 1e-9, 1.001, 1.1, 1.5, 2, 4)
        signs = [_change(found * x, n_steps, n_states, tau) for x in factors]
        yield lab.true(where, signs == [-1] * 7 + [1] * 6, f"signs of L' - L at multiples of {found:.6g}: {signs}")
        if printed is not None:
            yield lab.close(where, float(t.from_log_ratio(found, n_states)), printed, 5.1e-4, "to three digits")


def _roots_counted(lab: Lab) -> Iterator[Cell]:
    """Sign changes of L' - L on a fine grid, whatever the shipped threshold: its place is compared afterwards."""
    for n_steps, n_states, tau in ((3, 2, 1.1), (4, 8, 1.5), (6, 256, 1.8)):
        grid = [0.002 * 1.25**k for k in range(50)]
        signs = [_change(x, n_steps, n_states, tau) for x in grid]
        changes = [k for k in range(49) if signs[k] != signs[k + 1]]
        found = float(lab.theory.star.temperature_threshold(n_steps, n_states, tau))
        inside = len(changes) == 1 and 0 not in signs and grid[changes[0]] < found < grid[changes[0] + 1]
        where = {"n_steps": n_steps, "n_states": n_states, "temperature": tau}
        yield lab.true(where, inside, f"{len(changes)} sign change on 50 points; threshold {found:.4g}")


def _evidence_with_own(log_ratio: Any, n_steps: Any, n_states: Any) -> Any:
    return theory().evidence(log_ratio, n_steps + 1, n_states)


def _bracketed(n_steps: int, n_states: int, tau: float) -> tuple[float, float]:
    """A common start from which all of eight runs sink, and one from which all rise, each the last found by halving."""
    from sims import star as simulator

    @lru_cache(maxsize=None)
    def moved(start: float) -> np.ndarray:
        run = simulator.simulate((start,) * n_steps, n_states, 8000, 4, range(8), temperature=tau)
        means = run.step_right.mean("step").values
        return np.asarray(means[:, -1] - means[:, 0])

    low, high, sinking, rising = (
        0.0,
        1.0,
        1.0,
        0.0,
    )  # runs sink at low, not at sinking; they rise at high, not at rising
    while sinking - low > 1 / 32:
        start = (low + sinking) / 2
        low, sinking = (start, sinking) if (moved(start) < 0).all() else (low, start)
    while high - rising > 1 / 32:
        start = (high + rising) / 2
        high, rising = (start, rising) if (moved(start) > 0).all() else (high, start)
    return low, high


def _threshold_figure(result: ClaimResult) -> Figure:
    """The threshold over the temperature, and starts of simulated runs that bracket it."""
    from proofs_check.figures import labelled_axes, simulated_points, theory_line

    figure, ax = labelled_axes("temperature tau", "equal deltas at the threshold")
    curve, measured = np.linspace(1.02, 1.98, 97), (1.1, 1.3, 1.5, 1.7)
    for index, (n_steps, n_states) in enumerate(((3, 2), (3, 8), (5, 4))):
        ends = [float(theory().temperature_threshold(n_steps, n_states, float(tau))) for tau in curve]
        name = f"threshold, N = {n_steps}, M = {n_states}"
        theory_line(ax, curve, theory().from_log_ratio(ends, n_states), name, index)
        low, high = np.array([_bracketed(n_steps, n_states, tau) for tau in measured]).T
        simulated_points(ax, measured, (low + high) / 2, low, high, "runs sink below, rise above", index)
    ax.set_ylim(0.0, 1.02)
    ax.legend(loc="lower right", fontsize="x-small", ncols=2)
    return figure


THRESHOLD = Claim(
    id="star.single_temperature_threshold",
    statement=(
        "For N >= 3 and a temperature between 1 and 2 there is exactly one threshold: equal deltas above it go to the "
        "truth, below it to guessing."
    ),
    latex=r"1 < \tau < 2:\quad \frac{f(y)}{y} \text{ rises strictly from } 0 \text{ to } 1,\quad f(y_c)/y_c = \tau - 1",
    origin="derived",
    source="derived in theory.star.temperature_threshold, for all real M >= 1 and N > 2",
    kind="threshold",
    domain=Domain(
        {
            "n_steps": LONG,
            "n_states": STATES,
            "temperature": Real(1, 2, open_low=True, open_high=True, meaning="temperature tau", symbol=r"\tau"),
        }
    ),
    evidence=(
        Exact("certificate", "every step of the proof, M a symbol", _threshold_proof, cost=1.0),
        Exact("enumeration", "certain signs on both sides of the threshold", _threshold_cells, scope="cells"),
        Exact("enumeration", "sign changes counted in balls", _roots_counted, scope="cells"),
    ),
    mutants=(
        Mutant(
            "the threshold is log(N-1)/(2/tau - 1)",
            "that is its limit for tau next to 2",
            theory={
                "star.temperature_threshold": lambda n_steps, n_states, temperature: (
                    math.log(n_steps - 1) / (2 / temperature - 1)
                )
            },
        ),
        Mutant(
            "a step counts as evidence for itself: f = l(d^N)",
            "the evidence is that of the N-1 other steps",
            theory={
                "star.evidence": _evidence_with_own,
                "star.temperature_threshold": lambda n_steps, n_states, temperature: theory().temperature_threshold(
                    n_steps + 1, n_states, temperature
                ),
            },
        ),
    ),
    figure=_threshold_figure,
    remarks=(
        "The proof writes the elasticity of f as phi((N-1)s)/phi(s) and shows that phi rises. Unequal deltas have no "
        "further interior fixed point."
    ),
)


# ---------------------------------------------------------------- cold sampling on general tables

COLD_TABLES = (((0.64, 0.36), (0.58, 0.42)), ((0.33, 0.67), (0.11, 0.89)))


def _iterated(tables: Any, power: int, rounds: int) -> Any:
    now = [[list(row) for row in table] for table in tables]
    for _ in range(rounds):
        sampled = _cold_tables(now, power)
        now = refit_of_paths(sampled, law_of_paths(sampled, lambda path: int(path[0] == path[-1])))
    return sum(law_of_paths(now, lambda path: int(path[0] == path[-1])).values())


def _cold_fails(lab: Lab) -> Iterator[Cell]:
    tables = lab.theory.star.witness("cold_sampling_fails").tolist()
    for rounds in (2, 3):
        clean, cold = _iterated(tables, 1, rounds), _iterated(tables, 2, rounds)
        where = {"n_states": 2, "n_steps": 2, "rounds": rounds}
        yield lab.true(where, cold >= clean, f"J at tau = 1/2: {float(cold):.4f}, at tau = 1: {float(clean):.4f}")


def _tables_ending(tables: Any, **options: Any) -> Any:
    return lambda cell: {"tables": tables, "n_trajectories": 4000, "n_rounds": 8, **options}


def _nearby(change: Fraction) -> Any:
    def witness(name: str) -> Any:
        tables = theory().witness(name)
        moved = tables.copy()
        moved[0, 0, 0] += change
        moved[0, 0, 1] -= change
        return moved

    return witness


COLD_FAILS = Claim(
    id="star.cold_sampling_is_safe",
    statement="Wherever temperature 1 leads to J = 1, a temperature below 1 leads there too, and faster.",
    latex=r"J_t \to 1 \text{ at } \tau = 1 \Rightarrow J_t \to 1 \text{ at every } \tau < 1",
    origin="derived",
    source="the symmetric family, carried to arbitrary tables",
    kind="property",
    domain=Domain({"n_steps": STEPS, "n_states": STATES}),
    expected="fails",
    repaired_by="star.cold_sampling_sharpens",
    evidence=(
        Exact("enumeration", "three rounds in rationals, one row with the wrong mode", _cold_fails, scope="cells"),
        Simulation(
            "runs at tau = 1/2 that end above J = .9",
            "star.simulate_tables",
            cells=({"n_states": 2, "n_steps": 2},),
            parameters=_tables_ending(COLD_TABLES, temperature=0.5),
            extract=lambda data, cell: Counts(
                int((data["accuracy"].values[:, -1] > 0.9).sum()), data.sizes["replicate"]
            ),
            predict=lambda t, cell: (float(t.star.two_state_limit(COLD_TABLES).all()) - 0.1, 1.0),
            compare="lower",
            resolution=0.05,
            planned_n=128,
            looks=1,
            cost=0.3,
        ),
    ),
    mutants=(
        Mutant(
            "the same with right probability .65 in the first row",
            "the wrong mode of a row stays",
            theory={"star.witness": _nearby(F(1, 100))},
        ),
        Mutant(
            "the same with right probability .63 in the first row",
            "the wrong mode of a row stays",
            theory={"star.witness": _nearby(F(-1, 100))},
        ),
    ),
    remarks="At tau = 1 the sign rule for two states sends these tables to J = 1; at 1/2 they end at 1/2.",
)


CLAIMS = (TEMPER, COLD_CLAIM, HOT, THRESHOLD, COLD_FAILS)
