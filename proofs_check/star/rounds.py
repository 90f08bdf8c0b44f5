"""Claims about how many rounds a target takes, and the curves of the published experiment."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np
import sympy as sp

from proofs_check.claims import Claim, Exact, Mutant, Simulation
from proofs_check.domains import Domain, Real
from proofs_check.samples import Counts
from proofs_check.star._common import (
    DERIVED,
    PAPER,
    STATES,
    STEPS,
    D,
    F,
    M,
    identity,
    theory,
)
from proofs_check.star.temperature import rising_elasticity
from proofs_check.verdicts import Cell

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from proofs_check.lab import Lab
    from proofs_check.runner import ClaimResult

__all__ = ["CLAIMS"]

START = Real(0, 1, open_low=True, open_high=True, meaning="common start", symbol=r"\delta_0")
ROUNDS = Domain({"n_steps": STEPS, "n_states": STATES, "delta": START})
QUICK = tuple(
    (n, m, d, j) for n in (2, 3, 5) for m in (2, 8, 1024) for d in (0.1, 0.5) for j in (0.9, 0.99) if j > 1 / m
)
FULL = tuple(
    (n, m, d, j) for n in range(2, 9) for m in (2, 3, 8, 64, 1024) for d in (0.1, 0.2, 0.3, 0.5, 0.9)
    for j in (0.5, 0.9, 0.99, 0.999) if j > 1 / m
)  # fmt: skip


def _settings(profile: str) -> tuple[Any, ...]:
    return QUICK if profile == "quick" else FULL


@lru_cache(maxsize=4096)
def _counted(n_steps: int, n_states: int, delta: float, target: float) -> float | None:
    """Real-valued count by multiplying odds, round by round; None where it takes too long."""
    value = math.log1p(n_states * delta / (1 - delta))
    goal_delta = ((n_states * target - 1) / (n_states - 1)) ** (1 / n_steps)
    goal = math.log1p(n_states * goal_delta / (1 - goal_delta))
    if value >= goal:
        return 0.0
    for rounds in range(40_000):
        now = -math.expm1(-value) / (1 + (n_states - 1) * math.exp(-value))
        rest = now ** (n_steps - 1)
        after = value + math.log1p(n_states * rest / (1 - rest))
        if after >= goal:
            return rounds + math.log(goal / value) / math.log(after / value)
        value = after
    return None


def _counts(lab: Lab) -> Iterator[tuple[dict[str, Any], float, tuple[int, int, float, float]]]:
    for setting in _settings(lab.profile):
        count = _counted(*setting)
        if count:
            n_steps, n_states, delta, target = setting
            yield {"n_steps": n_steps, "n_states": n_states, "delta": delta, "target": target}, count, setting


def _integral_cells(lab: Lab) -> Iterator[Cell]:
    for where, count, (n_steps, n_states, delta, target) in _counts(lab):
        found = float(lab.theory.star.rounds_by_integral(delta, target, n_steps, n_states))
        yield lab.close(where, found, count, 0.19, "against the real-valued count, at most .19 round off")
    big = float(lab.theory.star.rounds_by_integral(0.02, 0.9, 5, 8))
    yield lab.close({"n_steps": 5, "n_states": 8, "delta": 0.02, "target": 0.9}, big, 35696.7, 0.05, "35 697 rounds")


def _two_step_exact(lab: Lab) -> Iterator[Cell]:
    """With N = 2 the step is f(L) = L, and the integral of 1/(L log 2) is log2(L*/L_0)."""
    value = sp.log((1 + (M - 1) * D) / (1 - D))
    t = lab.theory.star
    where = {"n_steps": 2, "n_states": "any"}
    yield identity(lab, where, sp.exp(t.evidence(value, 2, M)), sp.exp(value), "f(L) = L")
    yield identity(lab, where, t.evidence_slope(value, 2, M), sp.Integer(1), "f' = 1")
    for delta, n_states in ((0.1, 2), (0.3, 64)):
        exact = math.log2(t.target_log_ratio(0.9, 2, n_states) / t.log_ratio(delta, n_states))
        for name in ("rounds_two_steps", "rounds_by_integral"):
            arguments = (delta, 0.9, n_states) if name == "rounds_two_steps" else (delta, 0.9, 2, n_states)
            cell = {"n_steps": 2, "n_states": n_states, "delta": delta}
            # The quadrature's relative tolerance is 1e-9 on numbers below 10.
            yield lab.close(cell, float(getattr(t, name)(*arguments)), exact, 1e-8, name)


def _plain_flow(delta: float, target: float, n_steps: int, n_states: int) -> float:
    """The integral of dL/f, without the correction for whole rounds."""
    from scipy.integrate import quad

    t = theory()
    low, high = math.log(t.log_ratio(delta, n_states)), math.log(t.target_log_ratio(target, n_steps, n_states))
    if low >= high:
        return 0.0
    return float(quad(lambda x: math.exp(x) / t.evidence(math.exp(x), n_steps, n_states), low, high, limit=200)[0])


def _rounds_figure(result: ClaimResult) -> Figure:
    """Rounds to J = .9 over the start: the integral as a line, counted rounds as points."""
    from proofs_check.figures import labelled_axes, simulated_points, theory_line

    figure, ax = labelled_axes("common start delta", "rounds to accuracy .9")
    curve, starts = np.geomspace(0.02, 0.9, 60), np.geomspace(0.02, 0.8, 9)
    for index, n_steps in enumerate((2, 3, 4, 5)):
        lines = [float(theory().rounds_by_integral(float(d), 0.9, n_steps, 8)) for d in curve]
        theory_line(ax, curve, [x if x > 0 else np.inf for x in lines], f"integral, N = {n_steps}", index)
        counted = [(float(d), _counted(n_steps, 8, float(d), 0.9)) for d in starts]
        at, rounds = zip(*((d, w) for d, w in counted if w), strict=True)
        simulated_points(ax, at, rounds, rounds, rounds, f"counted, N = {n_steps}", index)
    ax.set_xscale("log")
    ax.set_yscale("log")
    ax.set_title("M = 8", fontsize="small")
    ax.legend(loc="upper right", fontsize="x-small", ncols=2)
    return figure


INTEGRAL = Claim(
    id="star.rounds_by_integral",
    statement=(
        "The integral of f'/(f log(1+f')) over the log-ratio gives the real-valued round count to within .19 round; "
        "for N = 2 it is log2(L*/L_0) exactly."
    ),
    latex=r"W \approx \int_{L_0}^{L^*} \frac{f'(L)\, dL}{f(L) \log(1 + f'(L))}",
    origin="derived",
    source=DERIVED + "; the error is measured, not proved",
    kind="empirical",
    domain=ROUNDS,
    evidence=(
        Exact("identity", "N = 2: the step doubles", _two_step_exact, scope="cells"),
        Exact("enumeration", "counted rounds on a grid", _integral_cells, scope="cells", cost=0.8),
    ),
    mutants=(
        Mutant(
            "the plain flow integral of dL/f counts rounds",
            "it takes growth within a round into account that only comes after it",
            theory={"star.rounds_by_integral": _plain_flow},
        ),
        Mutant(
            "one round fewer",
            "the integral is unbiased",
            theory={"star.rounds_by_integral": lambda *a: theory().rounds_by_integral(*a) - 1},
        ),
    ),
    figure=_rounds_figure,
)


def _bracket_proof(lab: Lab) -> Iterator[Cell]:
    """f(y)/y rises, so each round multiplies L by a factor between those at the two ends."""
    yield from rising_elasticity()
    low, high = lab.theory.star.rounds_bracket(0.2, 0.9, 3, 8)
    value, goal = (float(x) for x in (theory().log_ratio(0.2, 8), theory().target_log_ratio(0.9, 3, 8)))
    for found, where in ((low, goal), (high, value)):
        stated = math.log(goal / value) / math.log1p(float(theory().evidence(where, 3, 8)) / where)
        cell = {"n_steps": 3, "n_states": 8, "delta": 0.2}
        # A few roundings.
        yield lab.close(cell, float(found), stated, 1e-12, "log(L*/L_0)/log(1 + f(L)/L) at an end")


def _bracket_cells(lab: Lab) -> Iterator[Cell]:
    for where, count, (n_steps, n_states, delta, target) in _counts(lab):
        low, high = (float(x) for x in lab.theory.star.rounds_bracket(delta, target, n_steps, n_states))
        # The last round counts log-linearly, as the bounds do; 1e-9 covers rounding of the iterated logs.
        fine = low - 1e-9 * (1 + low) <= count <= high * (1 + 1e-9)
        yield lab.true(where, fine, f"{low:.3f} <= {count:.3f} <= {high:.3f}")


def _narrow_bracket(*arguments: Any) -> tuple[Any, Any]:
    low, high = theory().rounds_bracket(*arguments)
    return low, (low + high) / 2


def _late_bracket(*arguments: Any) -> tuple[Any, Any]:
    low, high = theory().rounds_bracket(*arguments)
    return low + (high - low) / 2 + 0.1, high


def _bracket_slack(lab: Lab) -> dict[str, Any]:
    ratios = {}
    for where, count, (n_steps, n_states, delta, target) in _counts(lab):
        ratios[count / float(lab.theory.star.rounds_bracket(delta, target, n_steps, n_states)[1])] = where
    best = max(ratios)
    at = ", ".join(f"{name} = {value}" for name, value in ratios[best].items())
    return {
        "ratio": best,
        "interval": [min(ratios), best],
        "vacuous": [],
        "detail": f"counted rounds over the upper end, least and largest over the grid; largest at {at}",
    }


BRACKET = Claim(
    id="star.rounds_bracket",
    statement="The real-valued round count lies between log(L*/L_0)/log(1 + f(L)/L) at L = L* and at L = L_0.",
    latex=r"\frac{\log(L^*/L_0)}{\log(1 + f(L^*)/L^*)} \le W \le \frac{\log(L^*/L_0)}{\log(1 + f(L_0)/L_0)}",
    origin="derived",
    source=DERIVED + ": f(L)/L rises",
    kind="property",
    domain=ROUNDS,
    evidence=(
        Exact("certificate", "f(L)/L rises", _bracket_proof),
        Exact("enumeration", "counted rounds on a grid", _bracket_cells, scope="cells", cost=0.2),
    ),
    mutants=(
        Mutant(
            "the middle of the bracket is an upper bound",
            "from far below the target nearly all rounds are slow",
            theory={"star.rounds_bracket": _narrow_bracket},
        ),
        Mutant(
            "its middle and a bit is a lower bound",
            "for N = 2 both bounds are the count",
            theory={"star.rounds_bracket": _late_bracket},
        ),
    ),
    tightness=_bracket_slack,
)


def _slow_identity(lab: Lab) -> Iterator[Cell]:
    t = lab.theory.star
    for n_steps in (2, 3, 5):
        slope = -sp.diff(t.slow_phase_exact(D, n_steps, M), D)
        stated = 1 / ((1 - D) * (1 + (M - 1) * D) * D ** (n_steps - 1))
        yield identity(
            lab, {"n_steps": n_steps, "n_states": "any"}, slope, stated, "derivative of the partial fractions"
        )


def _slow_cells(lab: Lab) -> Iterator[Cell]:
    t = lab.theory.star
    for n_steps, n_states, delta in itertools.product((3, 4, 5), (2, 8, 64), (0.05, 0.1, 0.3, 0.5)):
        count = _counted(n_steps, n_states, delta, 0.9)
        if not count:
            continue
        where = {"n_steps": n_steps, "n_states": n_states, "delta": delta}
        found = float(t.rounds_by_two_regimes(delta, n_steps, n_states))
        yield lab.close(where, found, count, 2.4, "rounds to .9, at most 2.4 off")
        if count >= 100:
            yield lab.close(where, found / count, 1.0, 0.014, "1.4 % from 100 rounds on")
        exact = float(t.slow_phase_exact(F(delta).limit_denominator(100), n_steps, n_states))
        # Cancellation of the powers of M-1 costs up to (M-1)^(N-1) roundings of the largest term.
        off = 1e-14 * (n_states - 1) ** (n_steps - 1) / delta ** (n_steps - 1) + 1e-8
        yield lab.close(where, float(t.slow_phase(delta, n_steps, n_states)), exact, off, "quadrature")


def _phase_without_states(delta: Any, n_steps: Any, n_states: Any) -> Any:
    return delta ** (2 - n_steps) / max(1, n_steps - 2)


REGIMES = Claim(
    id="star.two_regimes",
    statement=(
        "Rounds to accuracy .9 are the slow phase, an integral up to 3/4, plus (1/2) log(1/l(delta^(N-1))) + 1, "
        "within 2.4 rounds and 1.4 % above 100."
    ),
    latex=r"W \approx \int_{\delta_0}^{3/4} \frac{d\delta}{(1-\delta)(1+(M-1)\delta)\,\delta^{N-1}} "
    r"+ \tfrac12 \log\frac{1}{\ell(\delta_0^{N-1})} + 1",
    origin="derived",
    source=DERIVED + "; the error is measured, not proved",
    kind="empirical",
    domain=ROUNDS,
    evidence=(
        Exact("identity", "partial fractions of the slow phase", _slow_identity, scope="cells", cost=0.3),
        Exact("enumeration", "counted rounds on a grid", _slow_cells, scope="cells", cost=0.4),
    ),
    mutants=(
        Mutant(
            "the slow phase is delta^-(N-2)/(N-2)",
            "that is its limit for delta far below 1/M",
            theory={
                "star.slow_phase": _phase_without_states,
                "star.slow_phase_exact": _phase_without_states,
                "star.rounds_by_two_regimes": lambda d, n, m: _phase_without_states(d, n, m) + 1,
            },
        ),
        Mutant(
            "the end takes no rounds",
            "the constant matters when counts are small",
            theory={"star.rounds_by_two_regimes": lambda *a: 0.9 * theory().rounds_by_two_regimes(*a) - 2},
        ),
    ),
)

# ---------------------------------------------------------------- the published experiment

PUBLISHED = ((1.0, (0.017, 0.020, 0.060, 0.627, 0.997)), (0.5, (0.017, 0.883, 1.000)))


def _published_cells(lab: Lab) -> Iterator[Cell]:
    t = lab.theory.star
    for tau, printed in PUBLISHED:
        value = np.full(3, float(t.log_ratio(0.1, 64)))
        for turn, accuracy in enumerate(printed):
            found = float(t.accuracy(t.from_log_ratio(value, 64), 64))
            where = {"n_steps": 3, "n_states": 64, "delta": 0.1, "tau": tau, "round": turn}
            yield lab.close(where, found, accuracy, 5.1e-4, "J to three digits")
            value = t.update_log_ratio(value, 64, temperature=tau)
    for zero in range(3):
        delta = [0.0 if n == zero else 0.1 for n in range(3)]
        after = t.iterate(delta, 64, 10)
        where = {"n_steps": 3, "n_states": 64, "delta": 0.1, "zero": zero + 1}
        yield lab.close(where, float(after[1, zero]), 0.01, 1e-15, "the zero step becomes .01 in round one")
        yield lab.at_most(where, 1 - float(t.accuracy(after[-1], 64)), 1e-6, "ten rounds reach the truth")


def _off_map(data: Any, cell: Mapping[str, Any], t: Any) -> Counts:
    """Runs whose first step, a round later, is off the map at temperature 1/2 by more than .02."""
    after = (1 + 63 * t.star.tempered_update(cell["delta"], 64, 0.5)[0]) / 64
    off = np.abs(data["step_right"].values[:, 1, 0] - float(after)) > 0.02
    return Counts(int(off.sum()), int(off.size))


def _published_figure(result: ClaimResult) -> Figure:
    from proofs_check.figures import labelled_axes, simulated_points, theory_line
    from sims import star as simulator

    t = theory()
    figure, ax = labelled_axes("rounds", "accuracy J, and share R of right paths (faint)", (7.2, 4.4))
    starts = ((0.1, 0.1, 0.1), (0.2, 0.2, 0.2), (0.1, 0.0, 0.1))
    for index, (delta, tau) in enumerate(itertools.product(starts, (1.0, 0.5))):
        value = np.array([float(t.log_ratio(d, 64)) for d in delta])
        path = [value]
        for _ in range(10):
            path.append(t.update_log_ratio(path[-1], 64, temperature=tau))
        deltas = t.from_log_ratio(np.array(path), 64)
        theory_line(ax, np.arange(11), t.accuracy(deltas, 64), f"delta = {delta}, tau = {tau}", index)
        share = t.right_path_share(deltas, 64)
        ax.plot(np.arange(11), share, color=ax.lines[-1].get_color(), alpha=0.35, linewidth=1.0, linestyle="-")
        run = simulator.simulate(delta, 64, 64 * 4096, 10, [1], temperature=tau)
        points = run.accuracy.values[0]
        simulated_points(ax, np.arange(11), points, points, points, f"one run, delta = {delta}, tau = {tau}", index)
        ends = run.right_path_share.values[0]
        ax.plot(np.arange(11), ends, "x", color=ax.lines[-1].get_color(), alpha=0.5, markersize=5)
    ax.legend(loc="lower right", fontsize="x-small", ncols=2)
    return figure


EXPERIMENT = Claim(
    id="star.published_curves",
    statement=(
        "The published curve (M = 64, N = 3, delta = .1) is the map at temperature 1; sampling at the published "
        "temperature 1/2 gives a faster one, and one guessing step at any place delays it by a round."
    ),
    latex=r"\tau = 1:\ .017, .020, .060, .627, .997; \qquad \tau = \tfrac12:\ .017, .883, 1.000",
    origin="paper",
    source=PAPER + ", its experiment; the temperature " + DERIVED,
    kind="exact",
    domain=ROUNDS,
    evidence=(
        Exact("enumeration", "accuracies of the rounds and one guessing step", _published_cells, scope="cells"),
        Simulation(
            "runs of 65 536 trajectories a round that are off the map at temperature 1/2",
            "star.simulate",
            cells=({"n_states": 64, "n_steps": 3, "delta": (0.1, 0.1, 0.1)},),
            parameters=lambda cell: {
                "delta": cell["delta"],
                "n_states": 64,
                "n_trajectories": 65_536,
                "n_rounds": 1,
                "temperature": 0.5,
            },
            judge_units=_off_map,
            predict=lambda t, cell: (0.0, 0.1),
            compare="upper",
            resolution=0.25,
            planned_n=64,
            looks=2,
            cost=0.7,
        ),
    ),
    mutants=(
        Mutant(
            "the curves are those of temperature 1/2 sampled twice as cold",
            "temperature acts once a round",
            theory={
                "star.tempered_update": lambda delta, n_states, tau: theory().tempered_update(delta, n_states, tau**2),
                "star.update_log_ratio": lambda value, n_states, *, temperature=1.0: theory().update_log_ratio(
                    value, n_states, temperature=temperature**2
                ),
            },
        ),
        Mutant(
            "temperature plays no part",
            "odds are squared at tau = 1/2",
            theory={
                "star.tempered_update": lambda delta, n_states, tau: theory().update(delta, n_states),
                "star.update_log_ratio": lambda value, n_states, *, temperature=1.0: theory().update_log_ratio(
                    value, n_states
                ),
            },
        ),
    ),
    figure=_published_figure,
    remarks=(
        "At 262 144 trajectories a round K* = 5.6e5 at delta = .1 and tau = 1: a tabular run may lose transitions, "
        "which J does not show and R does. With the second step guessing a run at tau = 1 leaves the map: after ten "
        "rounds J is near .7 and still rising while R falls to .27 (figure)."
    ),
)

CLAIMS = (INTEGRAL, BRACKET, REGIMES, EXPERIMENT)
