"""Claims about exploration: the size of the kept set, chunk lengths, first successes, policy-gradient times."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Mapping
from fractions import Fraction
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np
import sympy as sp

from proofs_check.certificates import is_zero
from proofs_check.claims import Claim, Exact, Mutant, Simulation
from proofs_check.domains import Domain, Integer, Real
from proofs_check.mid_training._common import generator, random_law, replaced, sequences, shipped, trials
from proofs_check.samples import Counts
from proofs_check.verdicts import Cell

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from proofs_check.lab import Lab
    from proofs_check.runner import ClaimResult

__all__ = ["CLAIMS"]

CHOICES = Integer(2, meaning="choices per decision", symbol="b", largest_drawn=64)
ARMS = Integer(2, meaning="arms", symbol="n", largest_drawn=1000)
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


# ---------------------------------------------------------------- likelihood is exploration cost


def _first_series(lab: Lab) -> Iterator[Cell]:
    t = lab.theory.mid_training
    for p in lab.rationals():
        mean = t.first_success_mean(p)
        # renewal: one episode, then start again with probability 1 - p
        yield lab.equal({"p": p}, Fraction(mean), 1 + (1 - p) * Fraction(mean), "renewal equation")
    rng = generator(51)
    for world in range(3):
        strings = rng.dirichlet(np.ones(6))
        logs = np.log(strings)
        nll = float(t.mean_log_episodes(logs))
        yield lab.close({"world": world}, nll, -float(logs.mean()), 1e-12, "NLL of the goals")
        direct = float(np.mean([math.log(float(t.first_success_mean(float(p)))) for p in strings]))
        yield lab.close({"world": world}, nll, direct, 1e-12, "mean log of the mean first-success times")
        yield lab.at_most({"world": world}, math.exp(nll), float(np.mean(1 / strings)) * (1 + 1e-12), "E[1/p] >= e^NLL")
    for b, n in ((13, 12), (4, 3), (24, 3), (156, 3)):
        yield lab.close(
            {"b": b, "decisions": n}, float(t.log_episodes_uniform(b, n)), math.log(b**n), 1e-10, "uniform choices"
        )
        clean, noisy = Fraction(19, 20) ** 12, t.noise_penalty(0.05, 12)
        yield lab.close(
            {"b": b, "eta": 0.05}, float(noisy), -math.log(float(clean)), 1e-12, "noise lowers p by (1-eta)^(L tau)"
        )


def _late(data: Any, cell: Mapping[str, Any]) -> Counts:
    first = trials(data, "first_success")
    found = first > cell["after"]
    return Counts(int(found.sum()), found.size)


FIRST = Claim(
    id="mid_training.likelihood_is_exploration",
    statement=(
        "A prior that emits a goal with probability p needs a geometric number of episodes of mean 1/p: the mean "
        "logarithm of that mean is the held-out negative log-likelihood of the goal solutions."
    ),
    latex=r"\mathbb{E}_g[\ln\mathbb{E}T_g] = -\mathbb{E}_g\ln p(g), \qquad \mathbb{E}_g[1/p(g)] \ge e^{NLL}",
    origin="derived",
    source="theory.mid_training.exploration",
    kind="exact",
    domain=Domain({"probability": Real(0, 1, open_low=True, symbol="p")}),
    functions=("mid_training.first_success_mean",),
    evidence=(
        Exact("identity", "renewal, logarithms and uniform choices", _first_series),
        Simulation(
            "share of locks still closed after some episodes",
            "mid_training.explore_lock",
            cells=[{"j": 4, "L": 2, "after": 16}, {"j": 3, "L": 3, "after": 20}],
            parameters=lambda cell: {
                "weights": [1 / cell["j"]] * cell["j"],
                "goal_length": cell["L"],
                "kept": cell["j"],
                "n_episodes": 2000,
                "n_goals": 2000,
            },
            extract=_late,
            predict=lambda theory, cell: float(
                (1 - 1 / theory.mid_training.first_success_mean(float(cell["j"]) ** -cell["L"])) ** cell["after"]
            ),
            resolution=0.04,
            planned_n=5,
            looks=4,
            unit="2000 goals",
            cost=0.2,
        ),
    ),
    mutants=(
        Mutant(
            "half of 1/p",
            "p = 1 needs one episode",
            theory=replaced(first_success_mean=lambda p: 1 / (2 * p) if isinstance(p, float) else 1 / p / 2),
        ),
        Mutant(
            "the logarithm of the mean over goals",
            "Jensen's inequality is strict",
            theory=replaced(mean_log_episodes=lambda logs: math.log(float(np.mean(np.exp(-np.asarray(logs)))))),
        ),
    ),
)


# ---------------------------------------------------------------- policy-gradient times


def _flow_quadrature(lab: Lab) -> Iterator[Cell]:
    from scipy.integrate import quad

    t = lab.theory.mid_training
    for b, length, target in ((4, 2, 0.95), (6, 3, 0.95), (3, 4, 0.95), (2, 1, 0.6), (16, 1, 0.99)):
        value, error = quad(
            lambda x, m=length + 1: x**-m / (1 - x) ** 2,
            1 / b,
            target ** (1 / length),
            epsabs=0.0,
            epsrel=1e-12,
            limit=400,
        )
        scale = (b - 1) / b
        found = float(t.flow_time(b, length, target))
        yield lab.close(
            {"b": b, "L": length, "J": target}, found, scale * value, scale * error + 1e-9 * value, "quadrature"
        )
    n, level = sp.Symbol("n", positive=True, integer=True), sp.Symbol("J", positive=True)
    plain = sp.diff(t.bandit_flow_time(n, level), level)
    yield lab.true(
        {"n": "symbol"},
        is_zero(sp.simplify(plain - (n - 1) / n / (level**2 * (1 - level) ** 2))),
        "dt/dp = (n-1)/n p^-2 (1-p)^-2",
    )
    scaled = sp.diff(t.bandit_flow_time_normalised(n, level), level)
    residual = scaled - (n - 1) / n * (level * (1 - level)) ** sp.Rational(-3, 2)
    at = [float(residual.subs({n: 5, level: x})) for x in (sp.Rational(1, 3), sp.Rational(9, 10))]
    yield lab.close({"n": 5}, max(map(abs, at)), 0.0, 1e-9, "normalised: dt/dp = (n-1)/n (p (1-p))^(-3/2)")
    yield lab.close({"n": 7}, float(t.bandit_flow_time(7)), float(t.flow_time(7, 1)), 1e-10, "one decision")


def _flow_euler(lab: Lab) -> Iterator[Cell]:
    """The simulator's Euler steps on softmax logits; first order in the step, so halving it bounds the error."""
    t = lab.theory.mid_training
    for b, length, step in ((4, 2, 0.02), (6, 3, 0.05), (4, 1, 0.01), (16, 1, 0.02)):
        times = [
            lab.sims.mid_training.policy_flow(np.zeros((length, b)), [0] * length, step=h)[0] for h in (step, step / 2)
        ]
        tolerance = 4 * abs(times[0] - times[1]) + 2 * step
        yield lab.close(
            {"b": b, "L": length}, times[1], float(t.flow_time(b, length)), tolerance, "exact policy gradient"
        )
    for n, step in ((4, 0.005), (16, 0.005), (64, 0.01)):
        times = [
            lab.sims.mid_training.policy_flow(np.zeros((1, n)), [0], step=h, normalise=True)[0]
            for h in (step, step / 2)
        ]
        tolerance = 4 * abs(times[0] - times[1]) + 2 * step
        yield lab.close(
            {"n": n, "normalised": True},
            times[1],
            float(t.bandit_flow_time_normalised(n)),
            tolerance,
            "divided by the SD",
        )


FLOW = Claim(
    id="mid_training.flow_times",
    statement=(
        "Exact policy gradient opens a lock of L decisions among b choices to probability J in time "
        "((b-1)/b) int x^-(L+1) (1-x)^-2 dx from 1/b to J^(1/L), about b^L/L; with one decision about n arms, and "
        "about "
        "2 sqrt(n) if advantages are divided by the reward's standard deviation."
    ),
    latex=r"t = \frac{b-1}{b}\int_{1/b}^{J^{1/L}}\frac{dx}{x^{L+1}(1-x)^2}",
    origin="derived",
    source="theory.mid_training.exploration: the gradient flow of the product of softmax probabilities",
    kind="exact",
    domain=Domain({"n_arms": ARMS}),
    functions=("mid_training.bandit_flow_time", "mid_training.bandit_flow_time_normalised"),
    evidence=(
        Exact("identity", "quadrature, and derivatives in symbols", _flow_quadrature, scope="cells", cost=0.4),
        Exact("enumeration", "Euler steps of the simulator on softmax logits", _flow_euler, scope="cells", cost=0.3),
    ),
    mutants=(
        Mutant(
            "the factor (b-1)/b is left out",
            "wrong choices push as well: dx/dt = b/(b-1) x^(L+1) (1-x)^2",
            theory=replaced(
                flow_time=lambda b, length, target=0.95: shipped().flow_time(b, length, target) * b / (b - 1)
            ),
        ),
        Mutant(
            "dividing by the standard deviation changes nothing",
            "the reward's spread is sqrt(p(1-p)), small at the start",
            theory=replaced(bandit_flow_time_normalised=lambda n, target=0.95: shipped().bandit_flow_time(n, target)),
        ),
    ),
)


# ---------------------------------------------------------------- the full-context control


@lru_cache(maxsize=2)
def _clean_strings() -> tuple[np.ndarray, np.ndarray]:
    """Every goal of two macros out of five, once: the clean text, and its macros."""
    macros = np.array([(0, 1, 2), (3, 4, 5), (2, 2, 0), (5, 1, 4), (0, 1, 3)])
    return np.array([np.concatenate(pair) for pair in itertools.product(macros, repeat=2)]), macros


def _tree_cells(lab: Lab) -> Iterator[Cell]:
    """The tree of all clean goals gives every goal K^-L, the odds of uniform macros."""
    goals, macros = _clean_strings()
    found = lab.sims.mid_training.tree_probabilities(goals, goals, 6).prod(axis=1)
    cost = lab.theory.mid_training.mean_log_episodes(np.log(found))
    uniform = float(lab.theory.mid_training.log_episodes_uniform(len(macros), 2))
    # six quotients of small integers each
    yield lab.close(
        {"K": 5, "L": 2}, float(np.abs(found * 25 - 1).max()), 0.0, 1e-12, "every goal has probability 1/25"
    )
    yield lab.close({"K": 5, "L": 2}, float(cost), uniform, 1e-12, "nats to a first success")


def _chain_rule(lab: Lab) -> Iterator[Cell]:
    """Chain rule on the tree in rationals: shares of prefixes multiply to 1/K, for any macros of equal weight."""
    rng = generator(52)
    t = lab.theory.mid_training
    for k, tau, size in ((5, 3, 3), (8, 4, 2), (3, 2, 6)):
        macros: list[tuple[int, ...]] = []
        while len(macros) < k:
            macro = tuple(int(x) for x in rng.integers(0, size, tau))
            if macro not in macros:
                macros.append(macro)
        nats = []
        for macro in macros:
            p = Fraction(1)
            for i in range(tau):
                before = [m for m in macros if m[:i] == macro[:i]]
                p *= Fraction(sum(m[: i + 1] == macro[: i + 1] for m in before), len(before))
            yield lab.equal({"K": k, "tau": tau, "macro": str(macro)}, p, Fraction(1, k), "probability of a macro")
            nats.append(math.log(float(p)))
        yield lab.close(
            {"K": k, "tau": tau}, float(t.mean_log_episodes(nats)), float(t.log_episodes_uniform(k, 1)), 1e-12, "nats"
        )


CONTROL = Claim(
    id="mid_training.full_context_control",
    statement=(
        "Next-token prediction from the full context on clean text gives each of K equally likely macros probability "
        "1/K, so its first-success odds are those of uniform macros; with noisy text it pays (1-eta)^(-L tau) more."
    ),
    latex=r"p_{\text{full context}}(g) = K^{-L}",
    origin="derived",
    source="theory.mid_training.exploration: chain rule on the tree",
    kind="exact",
    domain=Domain({"K": Integer(1)}),
    evidence=(
        Exact("enumeration", "the simulator's tree on all clean goals", _tree_cells, scope="cells"),
        Exact("identity", "chain rule in rationals for random macros", _chain_rule, scope="cells"),
    ),
    mutants=(
        Mutant(
            "uniform macros are better by the length of a goal",
            "the tree knows the macros as well",
            theory=replaced(log_episodes_uniform=lambda b, n: shipped().log_episodes_uniform(b, n) / 2),
        ),
        Mutant(
            "the tree pays for every token",
            "only branching tokens cost",
            theory=replaced(mean_log_episodes=lambda logs: 3 * shipped().mean_log_episodes(logs)),
        ),
    ),
    remarks="If goals have further structure (skills that never repeat at once) the control learns that too and is "
    "ahead of macros.",
)


def _macros_ahead(lab: Lab) -> Iterator[Cell]:
    goals, macros = _clean_strings()
    found = lab.sims.mid_training.tree_probabilities(goals, goals, 6).prod(axis=1)
    cost = float(lab.theory.mid_training.mean_log_episodes(np.log(found)))
    uniform = float(lab.theory.mid_training.log_episodes_uniform(len(macros), 2))
    yield lab.at_most({"K": 5, "L": 2}, uniform, cost - 1e-6, f"macros {uniform:.4f}, control {cost:.4f} nats")


def _structure_ahead(lab: Lab) -> Iterator[Cell]:
    """Goals of skills that never repeat at once: the control learns the rule, uniform macros do not use it."""
    k, length = 4, 3
    goals = [g for g in itertools.product(range(k), repeat=length) if all(a != b for a, b in itertools.pairwise(g))]
    nats = []
    for goal in goals:
        p = Fraction(1)
        for i in range(length):
            before = [g for g in goals if g[:i] == goal[:i]]
            p *= Fraction(sum(g[: i + 1] == goal[: i + 1] for g in before), len(before))
        nats.append(math.log(float(p)))
    cost = float(lab.theory.mid_training.mean_log_episodes(nats))
    uniform = float(lab.theory.mid_training.log_episodes_uniform(k, length))
    yield lab.at_most({"K": k, "L": length}, uniform, cost, f"macros {uniform:.4f}, control {cost:.4f} nats")


MACROS_FALSE = Claim(
    id="mid_training.macros_beat_full_context",
    statement="Learned macros need fewer episodes to a first success than next-token prediction, whatever its context "
    "and text.",
    latex=r"L\ln K < -\mathbb{E}\ln p_{\text{full context}}(g)",
    origin="paper",
    source="a reading of the comparison of macros with next-token prediction",
    kind="upper",
    domain=Domain({"K": Integer(1)}),
    evidence=(
        Exact("enumeration", "clean goals of two macros out of five: equal odds", _macros_ahead, scope="cells"),
        Exact(
            "identity",
            "skills that never repeat: the control is ahead, ln 36 against ln 64",
            _structure_ahead,
            scope="cells",
        ),
    ),
    mutants=(
        Mutant(
            "by a tenth of the nats",
            "the odds are equal",
            theory=replaced(mean_log_episodes=lambda logs: 0.9 * shipped().mean_log_episodes(logs)),
        ),
        Mutant(
            "if macros try every length up to two",
            "a library twice as large costs more",
            theory=replaced(log_episodes_uniform=lambda b, n: shipped().log_episodes_uniform(2 * b, n)),
        ),
    ),
    expected="fails",
    repaired_by="mid_training.full_context_control",
    remarks="Macros gain from limited context or data, from noise that hard pruning removes, and from fewer decisions.",
)

CLAIMS = (KEPT, BUDGET, CHUNKS, SHRINK_FALSE, FIRST, FLOW, CONTROL, MACROS_FALSE)
