"""Claims about exploration with options: the best size of the kept set, budgets, and chunk lengths."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Mapping
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import numpy as np

from proofs_check.claims import Claim, Exact, Mutant, Simulation
from proofs_check.domains import Domain, Integer
from proofs_check.mid_training._common import generator, random_law, replaced, sequences, shipped, trials
from proofs_check.samples import Counts
from proofs_check.verdicts import Cell

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from proofs_check.lab import Lab
    from proofs_check.runner import ClaimResult

__all__ = ["CLAIMS"]

CHOICES = Integer(2, meaning="choices per decision", symbol="b", largest_drawn=64)
EPISODES = Integer(0, meaning="episodes E", symbol="E", largest_drawn=100_000)

# ---------------------------------------------------------------- interior optimum of the kept set

WORKED = {1: (1, 0.985), 10: (2, 0.963), 100: (4, 0.893), 1000: (8, 0.742), 10_000: (17, 0.471), 100_000: (32, 0.047)}


def _regret_literal(lab: Lab) -> Iterator[Cell]:
    """All goals and all sequences of uniform choices of a few episodes."""
    t = lab.theory.mid_training
    for law, length, episodes in (
        ((Fraction(1, 2), Fraction(3, 10), Fraction(1, 5)), 2, 2),
        ((Fraction(2, 3), Fraction(1, 3)), 2, 3),
    ):
        regret = t.exploration_regret(law, length, episodes)
        for j in range(1, len(law) + 1):
            solved = Fraction(0)
            for goal, probability in sequences(law, length):
                if max(goal) >= j:
                    continue
                misses = Fraction(sum(tried != goal for tried in itertools.product(range(j), repeat=length)), j**length)
                solved += probability * (1 - misses**episodes)
            yield lab.equal({"j": j, "L": length, "E": episodes}, Fraction(regret[j - 1]), 1 - solved, "regret")


def _regret_order(lab: Lab) -> Iterator[Cell]:
    """Smallest best size against the budget, random worlds in rationals; the worked Zipf world."""
    t = lab.theory.mid_training
    rng = generator(50)
    for world in range(6):
        law = random_law(int(rng.integers(2, 6)), rng)
        length = int(rng.integers(1, 4))
        curves = [t.exploration_regret(law, length, episodes) for episodes in (0, 1, 2, 5, 20, 80)]
        sizes = [t.best_kept_size(curve) for curve in curves]
        falling = all((a >= b).all() for a, b in itertools.pairwise(curves))
        yield lab.true({"world": world}, falling and sizes[1:] == sorted(sizes[1:]), f"best sizes {sizes}")
    weights = t.zipf_weights(32)
    for episodes, (size, regret) in WORKED.items():
        curve = t.exploration_regret(weights, 3, episodes)
        best = t.best_kept_size(curve)
        yield lab.equal({"K": 32, "L": 3, "E": episodes}, int(best), size, "worked best size")
        yield lab.close({"K": 32, "L": 3, "E": episodes}, float(curve[best - 1]), regret, 5e-4, "worked regret")


def _lock(cell: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "weights": shipped().zipf_weights(8), "goal_length": 2, "kept": cell["j"], "n_episodes": cell["E"],
        "n_goals": 2000,
    }  # fmt: skip


def _lost(data: Any, cell: Mapping[str, Any]) -> Counts:
    found = trials(data, "first_success") == 0
    return Counts(int(found.sum()), found.size)


def _kept_figure(result: ClaimResult) -> Figure:
    """Regret against the number of macros kept, for growing budgets, with the minimum of each curve."""
    from matplotlib.figure import Figure

    from proofs_check.figures import simulated_points, style, theory_line
    from sims.intervals import clopper_pearson
    from sims.mid_training import explore_lock

    t = shipped()
    weights = t.zipf_weights(32)
    sizes = np.arange(1, 33)
    with style():
        figure = Figure(figsize=(6.4, 4.0), layout="constrained")
        ax = figure.add_subplot()
        for index, episodes in enumerate((10, 100, 1000, 10_000, 100_000)):
            curve = t.exploration_regret(weights, 3, episodes)
            theory_line(ax, sizes, curve, f"E = {episodes}", index)
            best = t.best_kept_size(curve)
            ax.plot([best], [curve[best - 1]], "o", color="k", markersize=6, zorder=4)
            if episodes <= 1000:
                kept = np.array([2, 4, 8, 16, 32])
                lost = [
                    int((explore_lock(weights, 3, int(j), episodes, 1, n_goals=1000)["first_success"] == 0).sum())
                    for j in kept
                ]
                ends = [clopper_pearson(x, 1000, 0.05) for x in lost]
                simulated_points(
                    ax, kept, [x / 1000 for x in lost], [e.low for e in ends], [e.high for e in ends], "", index
                )
        ax.set(xscale="log", xlabel="macros kept j (of 32)", ylabel="regret")
        ax.legend(title="lines exact, points 1000 goals, dots minima", title_fontsize="small")
    return figure


KEPT = Claim(
    id="mid_training.interior_optimum",
    statement=(
        "Keeping the j heaviest macros and exploring uniformly for E episodes leaves 1 - F_j^L (1 - (1 - j^-L)^E): the "
        "best j grows with E, from 1 over 2, 4, 8, 17 to all 32 at E = 1, 10, ..., 1e5 for Zipf macros, L = 3."
    ),
    latex=r"\mathrm{regret}(j,E) = 1-F_j^L\bigl(1-(1-j^{-L})^E\bigr)",
    origin="derived",
    source="theory.mid_training.kept_set: log-supermodular success probability",
    kind="exact",
    domain=Domain({"E": EPISODES}),
    evidence=(
        Exact("enumeration", "all goals and choices, in rationals", _regret_literal, scope="cells"),
        Exact(
            "identity",
            "order of the best sizes in rationals, and worked values",
            _regret_order,
            scope="cells",
            cost=0.1,
        ),
        Simulation(
            "share of goals not reached",
            "mid_training.explore_lock",
            cells=[{"j": 4, "E": 20}, {"j": 8, "E": 20}, {"j": 2, "E": 3}],
            parameters=_lock,
            extract=_lost,
            predict=lambda theory, cell: float(
                theory.mid_training.exploration_regret(shipped().zipf_weights(8), 2, cell["E"])[cell["j"] - 1]
            ),
            resolution=0.03,
            planned_n=5,
            looks=4,
            unit="2000 goals",
            cost=0.1,
        ),
    ),
    mutants=(
        Mutant(
            "exploration never fails to find a covered goal",
            "after E episodes the goal may still be unseen",
            theory=replaced(exploration_regret=lambda w, length, n: 1 - shipped().head_mass(w)[1:] ** length),
        ),
        Mutant(
            "one macro of a goal decides",
            "all L choices must be right",
            theory=replaced(exploration_regret=lambda w, length, n: shipped().exploration_regret(w, 1, n)),
        ),
    ),
    figure=_kept_figure,
)


def _budget_literal(lab: Lab) -> Iterator[Cell]:
    t = lab.theory.mid_training
    law = [Fraction(1, 2), Fraction(1, 3), Fraction(1, 6)]
    for budget in (0, 3, 7, 30):
        found = t.planning_regret(law, 2, Fraction(1, 2), budget)
        for j in range(1, 4):
            literal = 1 - sum(law[:j], start=Fraction(0)) ** 2 + Fraction(1, 2) ** (budget // j)
            yield lab.equal({"j": j, "C": budget}, Fraction(found[j - 1]), literal, "bound")


def _budget_worked(lab: Lab) -> Iterator[Cell]:
    t = lab.theory.mid_training
    weights = t.zipf_weights(64, 1.2)
    for budget, size in ((50, 5), (100, 10), (200, 20), (400, 40)):
        found = t.best_kept_size(t.planning_regret(weights, 2, 0.95**4, budget))
        yield lab.equal({"C": budget}, int(found), size, "best size")


BUDGET = Claim(
    id="mid_training.planning_budget",
    statement=(
        "With a budget of C backups, 1 - F_j^L + modulus^floor(C/j) bounds the loss; for 64 Zipf(1.2) macros, L = 2, "
        "modulus .95^4 it is least at j = 5, 10, 20, 40 for C = 50, 100, 200, 400."
    ),
    latex=r"1 - F_j^L + \bar\gamma^{\lfloor C/j\rfloor}",
    origin="derived",
    source="theory.mid_training.kept_set",
    kind="upper",
    domain=Domain({"C": EPISODES}),
    evidence=(
        Exact("identity", "in rationals", _budget_literal, scope="cells"),
        Exact("enumeration", "worked minima", _budget_worked, scope="cells"),
    ),
    mutants=(
        Mutant(
            "a sweep costs one backup whatever j",
            "every kept option is backed up",
            theory=replaced(planning_regret=lambda w, length, g, c: 1 - shipped().head_mass(w)[1:] ** length + g**c),
        ),
        Mutant(
            "one macro of a goal decides",
            "all L must be kept",
            theory=replaced(planning_regret=lambda w, length, g, c: shipped().planning_regret(w, 1, g, c)),
        ),
    ),
    remarks="Below C of about 20 the bound is near one and the position of its minimum says nothing.",
)


# ---------------------------------------------------------------- chunk lengths


def _chunks_counted(lab: Lab) -> Iterator[Cell]:
    """Distinct chunks of all texts of two macros whose tokens are all different."""
    t = lab.theory.mid_training
    for k, true in ((2, 4), (3, 2), (6, 4)):
        macros = [tuple(j * true + i for i in range(true)) for j in range(k)]
        texts = [a + b for a, b in itertools.product(macros, repeat=2)]
        for tau in (1, 2, 4, 8):
            if (true % tau and tau % true) or tau > 2 * true:
                continue
            found = {text[i : i + tau] for text in texts for i in range(0, 2 * true, tau) if i + tau <= 2 * true}
            cell = {"K": k, "tau0": true, "tau": tau}
            yield lab.equal(cell, int(t.chunk_library_size(k, true, tau)), len(found), "distinct chunks")
            yield lab.close(
                cell, float(t.chunk_exploration(k, true, tau)), math.log(len(found)) / tau, 1e-13, "nats per token"
            )
            yield lab.close(
                cell, float(t.chunk_demonstrations(k, true, tau)), len(found) * math.log(len(found)), 1e-10, "m ln m"
            )


def _chunks_best(lab: Lab) -> Iterator[Cell]:
    t = lab.theory.mid_training
    for k, true in ((6, 4), (16, 2), (3, 8)):
        explore = {
            tau: float(t.chunk_exploration(k, true, tau))
            for tau in (1, 2, 4, 8, 16)
            if true % tau == 0 or tau % true == 0
        }
        demos = {tau: float(t.chunk_demonstrations(k, true, tau)) for tau in explore}
        flat = all(abs(explore[tau] - explore[true]) < 1e-12 for tau in explore if tau >= true)
        yield lab.true(
            {"K": k, "tau0": true},
            flat and all(explore[tau] > explore[true] for tau in explore if tau < true),
            "exploration",
        )
        yield lab.true(
            {"K": k, "tau0": true}, min(demos, key=lambda tau: demos[tau]) == true, "demonstrations are fewest at tau0"
        )


CHUNKS = Claim(
    id="mid_training.chunk_length",
    statement=(
        "Cutting text of K macros of length tau0 into chunks of length tau gives K tau0/tau strings for divisors and "
        "K^(tau/tau0) for multiples: exploration per token is least for all tau >= tau0, demonstrations at tau0 alone."
    ),
    latex=r"|\mathcal Z_\tau| = K\tau_0/\tau \text{ or } K^{\tau/\tau_0}, \qquad \tfrac{\ln|\mathcal Z_\tau|}{\tau} "
    r"\ge \tfrac{\ln K}{\tau_0}",
    origin="derived",
    source="theory.mid_training.kept_set",
    kind="exact",
    domain=Domain({"K": Integer(2)}),
    evidence=(
        Exact("enumeration", "distinct chunks of all texts of two macros", _chunks_counted, scope="cells"),
        Exact("identity", "where exploration and demonstrations are least", _chunks_best, scope="cells"),
    ),
    mutants=(
        Mutant(
            "longer chunks are always better",
            "a library of K^2 double macros needs far more demonstrations",
            theory=replaced(
                chunk_demonstrations=lambda k, true, tau: shipped().chunk_demonstrations(k, true, min(true, tau)) / tau
            ),
        ),
        Mutant(
            "any chunk length has K strings",
            "pieces of macros and pairs of macros count separately",
            theory=replaced(
                chunk_library_size=lambda k, true, tau: k, chunk_exploration=lambda k, true, tau: math.log(k) / tau
            ),
        ),
    ),
)


def _all_strings(lab: Lab) -> Iterator[Cell]:
    """Uniform exploration over all A^tau strings of length tau, L of them: the same number of nats as over tokens."""
    t = lab.theory.mid_training
    for size, tau, length in ((6, 3, 4), (13, 4, 3), (2, 8, 1)):
        options, tokens = t.log_episodes_uniform(size**tau, length), t.log_episodes_uniform(size, length * tau)
        yield lab.at_most(
            {"A": size, "tau": tau, "L": length}, float(options), 0.99 * float(tokens), "nats to a first success"
        )


def _all_strings_counted(lab: Lab) -> Iterator[Cell]:
    """Episodes counted: strings of a small world listed one by one."""
    t = lab.theory.mid_training
    for size, tau in ((2, 3), (3, 2)):
        listed = len(list(itertools.product(range(size), repeat=tau)))
        claimed = math.exp(t.log_episodes_uniform(size, tau)) * 0.9
        yield lab.at_most(
            {"A": size, "tau": tau}, float(listed), claimed, "options of length tau against token strings"
        )


SHRINK_FALSE = Claim(
    id="mid_training.extension_shrinks_the_library",
    statement="Temporal extension by itself shrinks the space that exploration must cover.",
    latex=r"\ln|\mathcal Z| < \tau\ln A \quad\text{for all strings of length } \tau",
    origin="derived",
    source="a common reading of action abstraction",
    kind="upper",
    domain=Domain({"A": Integer(2)}),
    evidence=(
        Exact("identity", "L ln A^tau = L tau ln A", _all_strings, scope="cells"),
        Exact("enumeration", "strings listed one by one", _all_strings_counted, scope="cells"),
    ),
    mutants=(
        Mutant(
            "also with every cost five per cent lower",
            "equal numbers stay equal when both are scaled",
            theory=replaced(log_episodes_uniform=lambda b, n: 0.95 * shipped().log_episodes_uniform(b, n)),
        ),
        Mutant(
            "also with every cost halved",
            "equal numbers stay equal when both are scaled",
            theory=replaced(log_episodes_uniform=lambda b, n: shipped().log_episodes_uniform(b, n) / 2),
        ),
    ),
    expected="fails",
    repaired_by="mid_training.chunk_length",
    remarks="Compactness, K far below A^tau, is a property of the world that demonstrations must reveal.",
)


CLAIMS = (KEPT, BUDGET, CHUNKS, SHRINK_FALSE)
