"""Claims about the time to a first success: its law, policy-gradient flows, and the full-context control."""

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
from proofs_check.mid_training._common import generator, replaced, shipped, trials
from proofs_check.samples import Counts
from proofs_check.verdicts import Cell

if TYPE_CHECKING:
    from proofs_check.lab import Lab

__all__ = ["CLAIMS"]

ARMS = Integer(2, meaning="arms", symbol="n", largest_drawn=1000)


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
        "Exact policy gradient opens a lock of L decisions among b choices to probability J in time ((b-1)/b) int "
        "x^-(L+1) (1-x)^-2 dx from 1/b to J^(1/L), about b^L/L; with one decision about n arms, and about 2 sqrt(n) if "
        "advantages are divided by the reward's standard deviation."
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


CLAIMS = (FIRST, FLOW, CONTROL, MACROS_FALSE)
