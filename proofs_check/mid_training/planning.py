"""Claims about planning with options: regret, value iteration, durations."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from fractions import Fraction
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np
import sympy as sp

from proofs_check.certificates import Proof, is_zero
from proofs_check.claims import Claim, Exact, Mutant, Simulation
from proofs_check.domains import Domain, Integer, Real
from proofs_check.mid_training._common import DISCOUNT, PAPER, ROUNDING, TOLERANCE, generator, replaced, shipped, trials
from proofs_check.samples import Means
from proofs_check.verdicts import Cell

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from proofs_check.lab import Lab
    from proofs_check.runner import ClaimResult

__all__ = ["CLAIMS"]

DURATION = Integer(1, meaning="duration of an option", symbol=r"\tau", largest_drawn=200)
MODULUS = Real(0, 1, open_low=True, open_high=True, meaning="contraction modulus", symbol=r"\bar\gamma")
REWARD = Real(0, open_low=True, meaning="largest reward", symbol="R_{max}")
BETA = Real(0, 1, open_low=True, meaning="termination probability per step", symbol=r"\beta")
G, BETA_, EPS, TAU = (
    sp.Symbol("gamma", positive=True),
    sp.Symbol("beta", positive=True),
    sp.Symbol("epsilon", positive=True),
    sp.Symbol("tau", positive=True, integer=True),
)


@lru_cache(maxsize=2)
def _models(count: int) -> list[tuple[np.ndarray, np.ndarray]]:
    """Random semi-Markov models: three options on four states, discounted kernels with row sums E[gamma^tau]."""
    from sims.mid_training import draw_semi_mdp

    found = []
    for gamma, longest in ((0.9, 1), (0.9, 6), (0.6, 3)):
        drawn = draw_semi_mdp(4, 3, gamma, longest, range(count))
        found += [(drawn["reward"].values[i], drawn["kernel"].values[i]) for i in range(count)]
    return found


def _literal_policy(rewards: np.ndarray, kernels: np.ndarray, policy: np.ndarray) -> np.ndarray:
    """Values of a policy, probabilities (state, option), by scipy's dense solver."""
    from scipy import linalg

    kernel = np.einsum("sz,zst->st", policy, kernels)
    return np.asarray(linalg.solve(np.eye(len(kernel)) - kernel, np.einsum("sz,zs->s", policy, rewards)))


_BEST: dict[tuple[bytes, bytes, tuple[int, ...]], np.ndarray] = {}


def _literal_best(rewards: np.ndarray, kernels: np.ndarray, kept: tuple[int, ...]) -> np.ndarray:
    """Best values over all deterministic policies; remembered, since mutants ask again."""
    key = rewards.tobytes(), kernels.tobytes(), kept
    if key not in _BEST:
        _BEST[key] = _search(rewards, kernels, kept)
    return _BEST[key]


def _search(rewards: np.ndarray, kernels: np.ndarray, kept: tuple[int, ...]) -> np.ndarray:
    states = rewards.shape[1]
    best = np.full(states, -np.inf)
    for choice in itertools.product(kept, repeat=states):
        policy = np.zeros((states, len(rewards)))
        policy[np.arange(states), choice] = 1.0
        best = np.maximum(best, _literal_policy(rewards, kernels, policy))
    return best


def _linear_program(rewards: np.ndarray, kernels: np.ndarray, kept: tuple[int, ...]) -> np.ndarray:
    """Smallest V with V >= R_z + P_z V for every kept option, by scipy's HiGHS."""
    from scipy.optimize import linprog

    states = rewards.shape[1]
    rows = np.concatenate([kernels[z] - np.eye(states) for z in kept])
    limits = np.concatenate([-rewards[z] for z in kept])
    found = linprog(np.ones(states), A_ub=rows, b_ub=limits, bounds=[(None, None)] * states, method="highs")
    return np.asarray(found.x)


# ---------------------------------------------------------------- regret


def _regret_cases() -> Iterator[tuple[int, np.ndarray, np.ndarray, tuple[int, ...], np.ndarray, bool]]:
    """Models with a kept set and a random policy, inside it or anywhere."""
    rng = generator(20)
    for index, (rewards, kernels) in enumerate(_models(5)):
        kept = ((0,), (1, 2), (0, 2), (0, 1, 2))[index % 4]
        for inside in (True, False):
            policy = rng.dirichlet(np.ones(3), size=4)
            if inside:
                policy[:, [z for z in range(3) if z not in kept]] = 0.0
                policy /= policy.sum(axis=1, keepdims=True)
            yield index, rewards, kernels, kept, policy, inside


def _regret_identity(lab: Lab) -> Iterator[Cell]:
    """Three values by three solvers: all policies, the linear program, scipy's dense solver."""
    for index, rewards, kernels, kept, policy, inside in _regret_cases():
        parts = lab.theory.mid_training.regret_parts(rewards, kernels, kept, policy, 0)
        best = float(_literal_best(rewards, kernels, (0, 1, 2))[0])
        pruned = float(_literal_best(rewards, kernels, kept)[0])
        reached = float(_literal_policy(rewards, kernels, policy)[0])
        # Condition 1/(1-gamma) <= 10 of systems of size 4; values below 10.
        slack = 1e-11
        cell = {"model": index, "kept": str(kept), "inside": inside}
        yield lab.close(cell, best - pruned, parts.pruning, slack, "pruning error")
        yield lab.close(cell, pruned - reached, parts.learning, slack, "error inside the pruned set")
        yield lab.close(cell, parts.total, parts.pruning + parts.learning, slack, "identity")


def _regret_signs(lab: Lab) -> Iterator[Cell]:
    negative = 0
    for index, rewards, kernels, kept, policy, inside in _regret_cases():
        t = lab.theory.mid_training
        parts = t.regret_parts(rewards, kernels, kept, policy, 0)
        cell = {"model": index, "kept": str(kept)}
        yield lab.at_most(cell, -1e-11, parts.pruning, "pruning error is not negative")
        if inside:
            yield lab.at_most(cell, -1e-11, parts.learning, "nor is the error of a policy over kept options")
        negative += parts.learning < -1e-6
        values = t.optimal_values(rewards, kernels, kept)
        # HiGHS solves to a feasibility of 1e-7, amplified by at most 1/(1-gamma) = 10.
        gap = float(np.abs(values - _linear_program(rewards, kernels, kept)).max())
        yield lab.close(cell, gap, 0.0, 1e-5, "policy iteration against the linear program")
        for fewer in itertools.combinations(kept, max(1, len(kept) - 1)):
            below = t.optimal_values(rewards, kernels, fewer)
            yield lab.at_most(
                {**cell, "fewer": str(fewer)}, float((below - values).max()), 1e-11, "antitone in the set"
            )
    yield lab.true({"policies": "outside the kept set"}, negative > 0, f"second term negative in {negative} cases")


REGRET = Claim(
    id="mid_training.regret_decomposition",
    statement=(
        "Regret is pruning error plus regret inside the pruned set, for any subset and policies. The first term is "
        "never negative and falls as the set grows; the second is non-negative if the policy uses kept options only, "
        "and can be negative otherwise."
    ),
    latex=(r"\mathbb{E}[V^*_{\mathcal Z}-V^\pi] = \mathbb{E}[V^*_{\mathcal Z}-V^*_B] + \mathbb{E}[V^*_B-V^\pi]"),
    origin="paper",
    source=f"{PAPER}, regret decomposition",
    kind="exact",
    domain=Domain({}),
    evidence=(
        Exact(
            "identity",
            "all policies and dense solves against policy iteration",
            _regret_identity,
            scope="cells",
            cost=0.4,
        ),
        Exact(
            "enumeration", "signs, order of sets, and scipy's linear program", _regret_signs, scope="cells", cost=0.4
        ),
    ),
    mutants=(
        Mutant(
            "the pruning error is the best value of the pruned set minus that of the library",
            "fewer options are never better",
            theory=replaced(
                regret_parts=lambda *a: (lambda p: p._replace(pruning=-p.pruning, learning=p.total + p.pruning))(
                    shipped().regret_parts(*a)
                )
            ),
        ),
        Mutant(
            "the second term is measured from the whole library",
            "that counts the pruning error twice",
            theory=replaced(
                regret_parts=lambda *a: (lambda p: p._replace(learning=p.total))(shipped().regret_parts(*a))
            ),
        ),
        Mutant(
            "the best value takes one sweep",
            "later decisions count",
            theory=replaced(
                optimal_values=lambda r, p, kept=None: np.asarray(r)[list(kept or range(len(r)))].max(axis=0)
            ),
        ),
    ),
)


# ---------------------------------------------------------------- value iteration


def _sandwich(lab: Lab) -> Iterator[Cell]:
    t = lab.theory.mid_training
    for index, (rewards, kernels) in enumerate(_models(5)):
        run = lab.sims.mid_training.value_iteration(rewards, kernels, 12)
        values, best = run["value"].values, t.optimal_values(rewards, kernels)
        modulus = float(kernels.sum(axis=2).max())
        policy = np.argmax(rewards + kernels @ best, axis=0)
        chain = kernels[policy, np.arange(4)]
        decay = best.copy()
        cell = {"model": index}
        rising = bool((np.diff(values, axis=0) >= -1e-12).all() and (values <= best + 1e-11).all())
        yield lab.true(cell, rising, "iterates rise to V*")
        inside, geometric, greedy = True, True, True
        for n in range(13):
            gap = best - values[n]
            inside &= bool((gap <= decay + 1e-11).all())
            geometric &= bool(gap.max() <= modulus**n * best.max() + 1e-11)
            if n < 12:
                reached = t.policy_values(rewards, kernels, run["greedy"].values[n])
                greedy &= bool((reached >= values[n] - 1e-11).all())
            decay = chain @ decay
        yield lab.true(cell, inside, "V* - V_N <= P^N V* with the optimal options' kernel")
        yield lab.true(cell, geometric, "V* - V_N <= modulus^N max V*")
        yield lab.true(cell, greedy, "the greedy policy of V_N reaches V_N")


def _sweep_counts(lab: Lab) -> Iterator[Cell]:
    """Sup error after the shipped numbers of sweeps."""
    t = lab.theory.mid_training
    for index, (rewards, kernels) in enumerate(_models(5)):
        best = _literal_best(rewards, kernels, (0, 1, 2))
        modulus, value = float(kernels.sum(axis=2).max()), float(best.max())
        for eps in (0.5, 0.01):
            for name in ("sweeps_bound", "sweeps_bound_linear"):
                n = math.ceil(max(0.0, getattr(t, name)(value, eps, modulus)))
                run = lab.sims.mid_training.value_iteration(rewards, kernels, max(1, n))
                error = float((best - run["value"].values[n]).max())
                yield lab.at_most({"model": index, "eps": eps, "N": n}, error, eps + 1e-11, name)
    for duration, expected in ((2, 1.01), (5, 1.03), (20, 1.10), (100, 1.59)):
        g = 0.99**duration
        slack = t.sweeps_bound_linear(50.0, 0.1, g) / t.sweeps_bound(50.0, 0.1, g)
        yield lab.close({"tau": duration}, slack, expected, 0.006, "ln(1/g)/(1-g)")


def _contraction(lab: Lab) -> Iterator[Cell]:
    """From starts that differ by a constant the difference is eps after the stated number of sweeps."""
    rng = generator(21)
    for index, (rewards, kernels) in enumerate(_models(5)):
        modulus = float(kernels.sum(axis=2).max())
        first = rng.normal(0.0, 5.0, 4)
        for second in (rng.normal(0.0, 5.0, 4), first + 3.0):
            apart = float(np.abs(first - second).max())
            n = math.ceil(lab.theory.mid_training.sweeps_bound(apart, 0.05, modulus))
            runs = [
                lab.sims.mid_training.value_iteration(rewards, kernels, n, start=v)["value"].values
                for v in (first, second)
            ]
            gaps = np.abs(runs[0] - runs[1]).max(axis=1)
            yield lab.true(
                {"model": index}, bool((gaps[1:] <= modulus * gaps[:-1] + 1e-12).all()), "each sweep contracts"
            )
            yield lab.at_most({"model": index, "N": n}, float(gaps[-1]), 0.05 + 1e-12, "difference left")


def _sweep_certificate(lab: Lab) -> list[Cell]:
    t = lab.theory.mid_training
    value, x = sp.Symbol("V", positive=True), sp.Symbol("x", positive=True)
    proof = Proof()
    bound = t.sweeps_bound(value, EPS, G)
    error = sp.expand_log(-bound * sp.log(G) - sp.log(value / EPS), force=True)
    proof.identity("gamma^N V = eps at the bound", error, sp.Integer(0))
    slope = sp.diff(-sp.log(1 - x) - x, x)
    proof.nonnegative("-ln(1-x) - x has slope x/(1-x) >= 0: ln(1/g) >= 1 - g", slope, {x: (0, 1)})
    linear = t.sweeps_bound_linear(value, EPS, G)
    proof.identity("linear form", sp.expand_log(linear * (1 - G) - sp.log(value / EPS), force=True), sp.Integer(0))

    def witness() -> dict[str, str] | None:
        """One state, one option of modulus 1/2, V* = 2: errors 2, 1, 1/2, 1/4, ..."""
        for name in ("sweeps_bound", "sweeps_bound_linear"):
            n = math.ceil(float(getattr(t, name)(2.0, 0.25, 0.5)))
            if 2.0 * 0.5**n > 0.25:
                return {"modulus": "1/2", "V": "2", "eps": "1/4", "N": str(n)}
        return None

    return proof.cells({"modulus": "(0, 1)", "V": "> 0", "eps": "> 0"}, witness)


ITERATION = Claim(
    id="mid_training.value_iteration",
    statement=(
        "From V_0 = 0 and rewards >= 0, the iterates rise and V* - V_N is at most the N-th power of the optimal "
        "options' discounted kernel applied to V*, hence at most modulus^N Vmax: ln(Vmax/eps)/ln(1/modulus) sweeps, "
        "hence ln(Vmax/eps)/(1 - modulus), suffice; the greedy policy of V_N loses no more than V* - V_N."
    ),
    latex=r"0 \le V^* - V_N \le (P_{\pi^*})^N V^* \le \bar\gamma^{N} V_{max}, \qquad N \ge "
    r"\frac{\ln(V_{max}/\varepsilon)}{\ln(1/\bar\gamma)}",
    origin="paper",
    source=f"{PAPER}, value iteration; proof and constants in theory.mid_training.planning",
    kind="upper",
    domain=Domain({"largest_value": REWARD, "tolerance": TOLERANCE, "modulus": MODULUS}),
    evidence=(
        Exact("certificate", "where the bound is eps, and ln(1/g) >= 1 - g", _sweep_certificate),
        Exact(
            "enumeration",
            "sandwich, monotonicity and greedy value on random models",
            _sandwich,
            scope="cells",
            cost=0.3,
        ),
        Exact("enumeration", "sup error after the stated numbers of sweeps", _sweep_counts, scope="cells", cost=0.3),
        Exact("enumeration", "sup-norm contraction from arbitrary starts", _contraction, scope="cells"),
    ),
    mutants=(
        Mutant(
            "half of the sweeps suffice",
            "the error is then sqrt(eps Vmax)",
            theory=replaced(
                sweeps_bound=lambda v, e, g: shipped().sweeps_bound(v, e, g) / 2,
                sweeps_bound_linear=lambda v, e, g: shipped().sweeps_bound_linear(v, e, g) / 2,
            ),
        ),
        Mutant(
            "V* is what one decision brings",
            "options go on after their first reward",
            theory=replaced(optimal_values=lambda r, p, kept=None: np.asarray(r).max(axis=0)),
        ),
        Mutant(
            "sweeps move twice as far (start values are scaled)",
            "the operator contracts by its row sums",
            sims={"mid_training.value_iteration": lambda r, p, n, start=None, **k: _stretched(r, p, n, start)},
        ),
    ),
)


def _stretched(rewards: Any, kernels: Any, n_sweeps: int, start: Any) -> Any:
    """Mutant simulator: iterates times 2^N."""
    from sims.mid_training import value_iteration

    run = value_iteration(rewards, kernels, n_sweeps, start=start)
    scale = 2.0 ** np.arange(n_sweeps + 1)
    return run.assign(value=run["value"] * scale[:, None])


# ---------------------------------------------------------------- reward conventions

CONVENTION = ((0.99, 100, 1.0, 5), (0.99, 100, 0.1, 7), (0.99, 100, 0.01, 10))
DECISION = ((20, 1.0, 9), (20, 0.1, 20), (20, 0.01, 32))


def _needed(gamma: float, duration: int, eps: float, reward: float) -> int:
    """Sweeps that one state with one option needs, counted."""
    g = gamma**duration
    value, best, n = 0.0, reward / (1 - g), 0
    while best - value > eps:
        value, n = reward + g * value, n + 1
    return n


def _primitive_cells(lab: Lab) -> Iterator[Cell]:
    t = lab.theory.mid_training
    for gamma, tau, eps, need in (*CONVENTION, (0.9, 3, 0.05, 0), (0.95, 12, 0.5, 0)):
        g = gamma**tau
        counted = _needed(gamma, tau, eps, (1 - g) / (1 - gamma))
        if need:
            yield lab.equal({"tau": tau, "eps": eps}, counted, need, "sweeps counted")
        claimed = t.sweeps_reward_convention(1.0, eps, g, gamma, reward="primitive")
        yield lab.at_most({"discount": gamma, "tau": tau, "eps": eps}, counted, math.ceil(claimed), "rewards per step")


def _decision_cells(lab: Lab) -> Iterator[Cell]:
    t = lab.theory.mid_training
    for tau, eps, need in DECISION:
        g = 0.99**tau
        counted = _needed(0.99, tau, eps, 1.0)
        yield lab.equal({"tau": tau, "eps": eps}, counted, need, "sweeps counted")
        yield lab.at_most(
            {"tau": tau, "eps": eps}, counted, math.ceil(t.sweeps_reward_convention(1.0, eps, g)), "per decision"
        )
    best, g = sp.Symbol("R", positive=True), sp.Symbol("g", positive=True)
    for reward, peak in (("decision", best / (1 - g)), ("primitive", best / (1 - G))):
        shown = t.sweeps_reward_convention(best, EPS, g, G, reward=reward) * (1 - g)
        gap = sp.expand_log(shown - sp.log(peak / EPS), force=True)
        yield lab.true({"reward": reward}, is_zero(gap), "ln(Vmax/eps)/(1-g)")


CONVENTIONS = Claim(
    id="mid_training.reward_convention",
    statement=(
        "ln(Rmax/(eps (1-x)))/(1-modulus) sweeps suffice with x = gamma if Rmax bounds the reward of a primitive step, "
        "and with x = modulus if it bounds the reward of a decision."
    ),
    latex=r"N \ge \frac{1}{1-\bar\gamma}\ln\frac{R_{max}}{\varepsilon(1-\gamma)} \quad(\text{reward per step})",
    origin="derived",
    source=f"repairs {PAPER}, number of value iterations",
    kind="upper",
    domain=Domain({"discount": DISCOUNT, "eps": TOLERANCE}),
    evidence=(
        Exact("enumeration", "sweeps counted on one state, rewards per step", _primitive_cells, scope="cells"),
        Exact("identity", "both forms in symbols; sweeps counted, rewards per decision", _decision_cells),
    ),
    mutants=(
        Mutant(
            "the modulus in the logarithm whatever Rmax bounds",
            "one state, gamma = .99, tau = 100, eps = 1: 0.7 against 5 sweeps",
            theory=replaced(
                sweeps_reward_convention=lambda r, e, g, d=None, *, reward="decision": (
                    shipped().sweeps_reward_convention(r, e, g)
                )
            ),
        ),
        Mutant(
            "the effective horizon is left out of the logarithm",
            "values exceed one decision's reward",
            theory=replaced(
                sweeps_reward_convention=lambda r, e, g, d=None, *, reward="decision": shipped().sweeps_bound_linear(
                    r, e, g
                )
            ),
        ),
    ),
)


def _gb_witness(lab: Lab) -> Iterator[Cell]:
    t = lab.theory.mid_training
    for gamma, tau, eps, need in CONVENTION:
        claimed = math.ceil(max(0.0, t.sweeps_reward_convention(1.0, eps, gamma**tau)))
        counted = _needed(gamma, tau, eps, (1 - gamma**tau) / (1 - gamma))
        yield lab.at_most(
            {"discount": gamma, "tau": tau, "eps": eps}, counted, claimed, f"needed {need} against the claim"
        )


def _gb_simulated(lab: Lab) -> Iterator[Cell]:
    """The same state through the simulator: sup error after the claimed number of sweeps."""
    t = lab.theory.mid_training
    g = 0.99**100
    reward = (1 - g) / (1 - 0.99)
    run = lab.sims.mid_training.value_iteration([[reward]], [[[g]]], 12)
    for eps in (1.0, 0.1, 0.01):
        n = math.ceil(max(0.0, t.sweeps_reward_convention(1.0, eps, g)))
        yield lab.at_most({"eps": eps, "N": n}, 100.0 - float(run["value"].values[min(n, 12), 0]), eps, "sup error")


GB_FALSE = Claim(
    id="mid_training.modulus_in_the_logarithm",
    statement=(
        "With rewards in [0, Rmax] per primitive step, ln(Rmax/(eps (1-modulus)))/(1-modulus) sweeps bring the error "
        "below eps."
    ),
    latex=r"N \ge \frac{1}{1-\bar\gamma}\ln\frac{R_{max}}{\varepsilon(1-\bar\gamma)}",
    origin="paper",
    source=f"{PAPER}, number of value iterations",
    kind="upper",
    domain=Domain({"discount": DISCOUNT, "eps": TOLERANCE}),
    evidence=(
        Exact("enumeration", "one state, one option of 100 steps: sweeps counted", _gb_witness, scope="cells"),
        Exact("enumeration", "sup error through the simulator", _gb_simulated, scope="cells"),
    ),
    mutants=(
        Mutant(
            "even ln(Rmax/eps)/(1-modulus) sweeps",
            "smaller still",
            theory=replaced(sweeps_reward_convention=lambda r, e, g, *a: shipped().sweeps_bound_linear(r, e, g)),
        ),
        Mutant(
            "even with ln(1/modulus) for 1 - modulus",
            "the sharper rate needs fewer sweeps than the claim",
            theory=replaced(sweeps_reward_convention=lambda r, e, g, *a: shipped().sweeps_bound(r / (1 - g), e, g)),
        ),
    ),
    expected="fails",
    repaired_by="mid_training.reward_convention",
)


# ---------------------------------------------------------------- exact numbers of sweeps


def _one_state(lab: Lab) -> Iterator[Cell]:
    t = lab.theory.mid_training
    for gamma, tau, eps in ((0.99, 100, 1.0), (0.99, 100, 0.01), (0.9, 1, 0.1), (0.95, 7, 0.3), (0.5, 3, 1e-6)):
        counted = _needed(gamma, tau, eps, (1 - gamma**tau) / (1 - gamma))
        n = math.ceil(t.one_state_sweeps(1.0, eps, gamma, tau))
        yield lab.equal({"discount": gamma, "duration": tau, "tolerance": eps}, int(n), counted, "sweeps counted")


def _lock_sweeps(lab: Lab) -> Iterator[Cell]:
    """Sweeps until the first state has its value: one a macro, against one a token."""
    t = lab.theory.mid_training
    goal = [0, 1, 2, 1, 0, 0, 2, 1, 1, 2, 0, 1]
    for tau in (1, 2, 3, 4):
        macros = [goal[i : i + tau] for i in range(0, 12, tau)]
        model = lab.sims.mid_training.goal_lock(goal, macros, 0.9)
        values = lab.sims.mid_training.value_iteration(model["reward"], model["kernel"], 12)["value"].values[:, 0]
        best = 0.9**11
        counted = int(np.argmax(values >= best - 1e-15))
        yield lab.equal({"tau": tau, "H": 12}, counted * int(t.speed_up(tau)), 12, "sweeps times speed-up")
        # twelve products of a discount
        yield lab.close({"tau": tau, "H": 12}, float(values[-1]), best, 16 * ROUNDING, "value gamma^(H-1)")


def _speed_forms(lab: Lab) -> Iterator[Cell]:
    t = lab.theory.mid_training
    for gamma in lab.rationals():
        for tau in (1, 2, 7):
            shown = t.speed_up_shown(gamma, tau)
            horizon = t.effective_horizon(gamma) / t.effective_horizon(gamma**tau)
            yield lab.equal(
                {"discount": gamma, "duration": tau}, Fraction(shown), Fraction(horizon), "ratio of horizons"
            )
            yield lab.at_most(
                {"discount": gamma, "duration": tau}, Fraction(shown), Fraction(t.speed_up(tau)), "at most tau"
            )


SWEEPS = Claim(
    id="mid_training.exact_sweeps",
    statement=(
        "On one state with options of fixed duration the error after N sweeps is gamma^(tau N) V*, so "
        "ln(Rmax/(eps(1-gamma)))/(tau ln(1/gamma)) sweeps are needed, rounded up; a goal string takes one sweep per "
        "macro instead of one per token. The speed-up is tau, though effective horizons shorten by less."
    ),
    latex=r"N = \left\lceil\frac{\ln(R_{max}/(\varepsilon(1-\gamma)))}{\tau\ln(1/\gamma)}\right\rceil, \qquad "
    r"\frac{1-\gamma^\tau}{1-\gamma} \le \tau",
    origin="derived",
    source="theory.mid_training.durations",
    kind="exact",
    domain=Domain({"reward_max": REWARD, "tolerance": TOLERANCE, "discount": DISCOUNT, "duration": DURATION}),
    functions=("mid_training.speed_up_shown",),
    evidence=(
        Exact("enumeration", "sweeps counted on one state", _one_state, scope="cells"),
        Exact(
            "enumeration", "sweeps on goal locks with macros of 1 to 4 tokens", _lock_sweeps, scope="cells", cost=0.2
        ),
        Exact("identity", "ratio of effective horizons in rationals, and its bound tau", _speed_forms, scope="cells"),
    ),
    mutants=(
        Mutant(
            "the duration does not matter",
            "one sweep moves value over tau steps",
            theory=replaced(
                one_state_sweeps=lambda r, e, g, tau: shipped().one_state_sweeps(r, e, g, 1), speed_up=lambda tau: 1
            ),
        ),
        Mutant(
            "effective horizons shorten by tau",
            "(1-gamma^tau)/(1-gamma) = 1 + ... + gamma^(tau-1) < tau",
            theory=replaced(speed_up_shown=lambda g, tau: tau),
        ),
    ),
)


# ---------------------------------------------------------------- mixed durations


def _both_sides(lab: Lab) -> Iterator[Cell]:
    """Options of 1 and 10 steps on one state, in rationals: closed iterates, literal sweeps."""
    t = lab.theory.mid_training
    gamma = Fraction(19, 20)
    best = 1 / (1 - gamma)
    for durations in ((1, 10), (2, 3, 7)):
        for start in (Fraction(0), 2 * best):
            values = t.one_state_iterates(durations, gamma, start, 4)
            governing = max(durations) if start < best else min(durations)
            for n, value in enumerate(values):
                cell = {"durations": str(durations), "start": start, "N": n}
                yield lab.equal(
                    cell, abs(value - best), gamma ** (governing * n) * best, "gamma^(tau N) times the first error"
                )


def _both_simulated(lab: Lab) -> Iterator[Cell]:
    t = lab.theory.mid_training
    for gamma, durations in ((0.95, (1, 10)), (0.9, (2, 5, 6))):
        rewards = [[(1 - gamma**tau) / (1 - gamma)] for tau in durations]
        kernels = [[[gamma**tau]] for tau in durations]
        for start in (0.0, 2.0 / (1 - gamma)):
            run = lab.sims.mid_training.value_iteration(rewards, kernels, 6, start=[start])["value"].values[:, 0]
            closed = t.one_state_iterates(durations, gamma, start, 6)
            gap = float(np.abs(run - np.array(closed)).max())
            # six sweeps of two roundings of values up to 2/(1-gamma)
            yield lab.close(
                {"discount": gamma, "durations": str(durations), "start": start}, gap, 0.0, 64 * ROUNDING / (1 - gamma)
            )


def _more_options(lab: Lab) -> Iterator[Cell]:
    """Adding options never lowers any iterate."""
    for index, (rewards, kernels) in enumerate(_models(5)):
        runs = [
            lab.sims.mid_training.value_iteration(rewards, kernels, 8, kept=kept)["value"].values
            for kept in ((0,), (0, 1), (0, 1, 2))
        ]
        ok = bool((runs[0] <= runs[1] + 1e-13).all() and (runs[1] <= runs[2] + 1e-13).all())
        yield lab.true({"model": index}, ok, "nested sets of options")
    t = lab.theory.mid_training
    for n in range(5):
        fewer, more = (
            t.one_state_iterates((3,), Fraction(1, 2), Fraction(0), n),
            t.one_state_iterates((3, 5), Fraction(1, 2), Fraction(0), n),
        )
        yield lab.at_most({"N": n, "durations": "3 / 3, 5"}, fewer[-1], more[-1], "one state in rationals")


def _durations_figure(result: ClaimResult) -> Figure:
    """Errors of the iterates from below and from above, options of one and ten steps."""
    from matplotlib.figure import Figure

    from proofs_check.figures import simulated_points, style, theory_line
    from sims.mid_training import value_iteration

    gamma, durations = 0.95, (1, 10)
    best = 1 / (1 - gamma)
    with style():
        figure = Figure(figsize=(6.4, 3.8), layout="constrained")
        ax = figure.add_subplot()
        n = np.arange(13)
        for index, (start, label) in enumerate(((0.0, "from below"), (2 * best, "from above"))):
            values = np.array(shipped().one_state_iterates(durations, gamma, start, 12))
            theory_line(ax, n, np.abs(values - best) / best, f"{label}: exact", index)
            run = value_iteration(
                [[(1 - gamma**tau) / (1 - gamma)] for tau in durations],
                [[[gamma**tau]] for tau in durations],
                12,
                start=[start],
            )["value"].values[:, 0]
            error = np.abs(run - best) / best
            simulated_points(ax, n, error, error, error, f"{label}: value iteration", index)
        ax.annotate("gamma^N: the shortest option governs", (4.2, 0.9), fontsize="small")
        ax.annotate("gamma^(10 N): the longest option governs", (2.4, 0.18), fontsize="small")
        ax.set(yscale="log", xlabel="sweeps N", ylabel="error / V*")
        ax.legend()
    return figure


MIXED = Claim(
    id="mid_training.mixed_durations",
    statement=(
        "With options of several durations on one state the error shrinks by gamma to the longest duration a sweep "
        "from "
        "below, and by gamma to the shortest from above; adding options never lowers an iterate."
    ),
    latex=r"V^*-V_N = \gamma^{N\tau_{max}}V^* \ (V_0=0), \qquad V_N-V^* = \gamma^{N\tau_{min}}(V_0-V^*)\ (V_0\ge V^*)",
    origin="derived",
    source="theory.mid_training.durations: the maximum picks the largest image of V - V*",
    kind="exact",
    domain=Domain({"discount": DISCOUNT}),
    evidence=(
        Exact("identity", "iterates in rationals from both sides", _both_sides, scope="cells"),
        Exact("enumeration", "the simulator's sweeps", _both_simulated, scope="cells"),
        Exact("enumeration", "nested sets of options", _more_options, scope="cells"),
    ),
    mutants=(
        Mutant(
            "the shortest option governs from below as well",
            "one sweep with the ten-step option already leaves gamma^10",
            theory=replaced(
                one_state_iterates=lambda taus, g, v, n: shipped().one_state_iterates((min(taus),), g, v, n)
            ),
        ),
        Mutant(
            "the mean duration governs",
            "the maximum picks one option",
            theory=replaced(
                one_state_iterates=lambda taus, g, v, n: shipped().one_state_iterates(
                    (sum(taus) // len(taus),), g, v, n
                )
            ),
        ),
        Mutant(
            "a second option halves the values",
            "the maximum never falls when an option is added",
            theory=replaced(
                one_state_iterates=lambda taus, g, v, n: [
                    x / len(taus) for x in shipped().one_state_iterates(taus, g, v, n)
                ]
            ),
        ),
    ),
    figure=_durations_figure,
)


def _folklore_witness(lab: Lab) -> Iterator[Cell]:
    """From zero the error is claimed to be at least gamma^(tau_min N) V*."""
    t = lab.theory.mid_training
    gamma = Fraction(19, 20)
    values = t.one_state_iterates((1, 10), gamma, Fraction(0), 3)
    for n in (1, 2, 3):
        yield lab.at_most(
            {"discount": gamma, "N": n}, gamma**n * 20, 20 - values[n], "gamma^(tau_min N) V* against the error"
        )


def _folklore_simulated(lab: Lab) -> Iterator[Cell]:
    t = lab.theory.mid_training
    gamma = 0.95
    run = lab.sims.mid_training.value_iteration(
        [[(1 - gamma**tau) / (1 - gamma)] for tau in (1, 10)], [[[gamma**tau]] for tau in (1, 10)], 8
    )["value"].values[:, 0]
    needed = int(np.argmax(20 - run <= 0.5))
    claimed = t.one_state_sweeps(1.0, 0.5, gamma, 1)
    yield lab.at_most({"eps": 0.5}, float(claimed), float(needed), f"{needed} sweeps were enough")


FOLKLORE_FALSE = Claim(
    id="mid_training.shortest_duration_governs",
    statement="One primitive action among the options and planning from zero is as slow as with primitive actions "
    "alone.",
    latex=r"V^*-V_N \ge \gamma^{N\tau_{min}}\,V^*",
    origin="derived",
    source="a common reading of the contraction modulus gamma^(tau_min)",
    kind="lower",
    domain=Domain({"discount": DISCOUNT}),
    evidence=(
        Exact("identity", "options of 1 and 10 steps in rationals", _folklore_witness, scope="cells"),
        Exact("enumeration", "sweeps counted through the simulator", _folklore_simulated, scope="cells"),
    ),
    mutants=(
        Mutant(
            "even a third of the gain of the longest option is lost",
            "options of 1 and 7 steps already beat gamma^N",
            theory=replaced(one_state_iterates=lambda taus, g, v, n: shipped().one_state_iterates((1, 7), g, v, n)),
        ),
        Mutant(
            "at least half as many sweeps as with primitive actions",
            "five sweeps are far fewer than 36",
            theory=replaced(one_state_sweeps=lambda *a: shipped().one_state_sweeps(*a) / 2),
        ),
    ),
    expected="fails",
    repaired_by="mid_training.mixed_durations",
)


# ---------------------------------------------------------------- random and geometric durations

LAWS = (
    (Fraction(1, 2), Fraction(1, 2)),
    (Fraction(1, 10), Fraction(0), Fraction(9, 10)),
    (Fraction(0), Fraction(0), Fraction(1)),
    (Fraction(1, 4),) * 4,
    (Fraction(9, 10), *([Fraction(0)] * 18), Fraction(1, 10)),
)


def _jensen_cells(lab: Lab) -> Iterator[Cell]:
    t = lab.theory.mid_training
    for law in LAWS:
        mean = sum((i + 1) * p for i, p in enumerate(law))
        for gamma in lab.rationals():
            literal = sum((p * gamma ** (i + 1) for i, p in enumerate(law)), start=Fraction(0))
            cell = {"law": str([str(p) for p in law if p]), "discount": gamma}
            yield lab.equal(cell, Fraction(t.duration_modulus(law, gamma)), literal, "E gamma^tau")
            # gamma^(mean) <= modulus, both to the power of the mean's denominator
            power = gamma**mean.numerator
            yield lab.at_most(cell, power, literal**mean.denominator, "Jensen")
            if max(law) == 1:
                yield lab.equal(cell, power, literal**mean.denominator, "equality for a constant duration")
            yield lab.close(
                cell,
                float(t.jensen_modulus(float(mean), float(gamma))) ** mean.denominator,
                float(power),
                1e-13,
                "shipped",
            )


def _rollouts(cell: Any) -> dict[str, Any]:
    return {
        "transitions": [[[1.0]]], "rewards": [[1.0]], "policy": [[1.0]], "termination": [cell["termination"]],
        "discount": cell["discount"], "start": 0, "n_rollouts": 5000,
    }  # fmt: skip


def _factor_leg(name: str, predict: Any) -> Simulation:
    return Simulation(
        name,
        "mid_training.roll_out_option",
        cells=[{"termination": 0.2, "discount": 0.95}, {"termination": 0.05, "discount": 0.9}],
        parameters=_rollouts,
        extract=lambda data, cell: Means(trials(data, "discount_factor"), 0.0, 1.0),
        predict=predict,
        resolution=0.02,
        planned_n=4,
        looks=3,
        unit="5000 roll-outs",
        cost=0.1,
    )


JENSEN = Claim(
    id="mid_training.random_durations",
    statement=(
        "The modulus of an option of random duration is E[gamma^tau], at least gamma^(E tau), with equality for a "
        "constant duration alone."
    ),
    latex=r"\mathbb{E}[\gamma^\tau] \ge \gamma^{\mathbb{E}\tau}",
    origin="derived",
    source="Jensen's inequality; gamma^x is convex",
    kind="lower",
    domain=Domain({"mean_duration": Real(1, meaning="mean duration"), "discount": DISCOUNT}),
    functions=("mid_training.jensen_modulus",),
    evidence=(
        Exact("identity", "five laws and nine discounts in rationals", _jensen_cells, scope="cells"),
        _factor_leg(
            "mean of gamma^tau over geometric roll-outs",
            lambda theory, cell: theory.mid_training.duration_modulus(
                [cell["termination"] * (1 - cell["termination"]) ** i for i in range(599)]
                + [(1 - cell["termination"]) ** 599],
                cell["discount"],
            ),
        ),
    ),
    mutants=(
        Mutant(
            "plug in the mean duration",
            "for tau in {1, 3} at 1/2 each and gamma = 1/2: 5/16, not 1/4",
            theory=replaced(
                duration_modulus=lambda law, g: Fraction(float(g) ** float(sum((i + 1) * p for i, p in enumerate(law))))
            ),
        ),
        Mutant(
            "a duration counts from zero",
            "tau >= 1 steps are discounted",
            theory=replaced(duration_modulus=lambda law, g: shipped().duration_modulus(law, g) / g),
        ),
    ),
)


def _plug_witness(lab: Lab) -> Iterator[Cell]:
    """One state, tau in {1, 3} with equal probability, gamma = 1/2, reward per step: V* = 2 = R/(1 - modulus)."""
    t = lab.theory.mid_training
    law, gamma = (Fraction(1, 2), Fraction(0), Fraction(1, 2)), Fraction(1, 2)
    reward = sum(p * (1 - gamma ** (i + 1)) / (1 - gamma) for i, p in enumerate(law))
    plugged = Fraction(t.jensen_modulus(2.0, 0.5))
    yield lab.equal({"law": "1 or 3", "discount": gamma}, t.duration_modulus(law, gamma), plugged, "modulus")
    yield lab.equal(
        {"law": "1 or 3", "discount": gamma},
        reward / (1 - plugged),
        1 / (1 - gamma),
        "value with the plugged-in modulus",
    )


def _plug_sweeps(lab: Lab) -> Iterator[Cell]:
    """Sweeps claimed from the plugged-in modulus against sweeps needed, geometric duration of mean 5, gamma = .95."""
    t = lab.theory.mid_training
    g = t.geometric_modulus(0.2, 0.95)
    claimed = math.ceil(t.sweeps_bound(20.0, 0.1, t.jensen_modulus(5.0, 0.95)))
    run = lab.sims.mid_training.value_iteration([[20.0 * (1 - g)]], [[[float(g)]]], 40)["value"].values[:, 0]
    yield lab.at_most(
        {"termination": 0.2, "discount": 0.95, "N": claimed},
        20.0 - float(run[claimed]),
        0.1,
        "error after the claimed sweeps",
    )


PLUG_FALSE = Claim(
    id="mid_training.plug_in_mean_duration",
    statement="Planning with options of random duration may be analysed with gamma to the mean duration as modulus.",
    latex=r"\mathbb{E}[\gamma^\tau] = \gamma^{\mathbb{E}\tau}",
    origin="derived",
    source="a common shortcut",
    kind="exact",
    domain=Domain({"discount": DISCOUNT}),
    evidence=(
        Exact("identity", "durations 1 and 3 at gamma = 1/2: 5/16 against 1/4", _plug_witness, scope="cells"),
        Exact("enumeration", "sweeps claimed for a geometric duration of mean 5", _plug_sweeps, scope="cells"),
    ),
    mutants=(
        Mutant(
            "with gamma to one and a half times the mean duration",
            "farther below the modulus",
            theory=replaced(jensen_modulus=lambda mean, g: g ** (1.5 * mean)),
        ),
        Mutant(
            "with gamma to the mean duration plus one",
            "farther below the modulus",
            theory=replaced(jensen_modulus=lambda mean, g: g ** (mean + 1)),
        ),
    ),
    expected="fails",
    repaired_by="mid_training.random_durations",
)


def _geometric_symbols(lab: Lab) -> Iterator[Cell]:
    t = lab.theory.mid_training
    modulus, horizon = t.geometric_modulus(BETA_, G), t.geometric_horizon(BETA_, G)
    where = {"beta": "symbol", "gamma": "symbol"}
    # X = gamma (beta + (1-beta) X): stop now, or go on
    yield lab.true(where, is_zero(modulus - G * (BETA_ + (1 - BETA_) * modulus)), "renewal equation")
    yield lab.true(where, is_zero(horizon * (1 - modulus) - 1), "horizon 1/(1 - modulus)")
    yield lab.true(where, is_zero(t.effective_horizon(modulus) - horizon), "effective horizon")
    yield lab.close({"beta": 0.2, "gamma": 0.95}, float(t.geometric_horizon(0.2, 0.95)), 4.8, 1e-13, "worked value")


def _geometric_option(lab: Lab) -> Iterator[Cell]:
    """Row sums of the option model with constant termination, and its reward."""
    t = lab.theory.mid_training
    rng = generator(22)
    for beta, gamma in ((0.2, 0.95), (1.0, 0.5), (0.01, 0.99)):
        transitions = rng.dirichlet(np.ones(3), size=(2, 3))
        policy = rng.dirichlet(np.ones(2), size=3)
        reward, kernel = t.option_model(transitions, np.ones((2, 3)), policy, [beta] * 3, gamma)
        for s in range(3):
            cell = {"beta": beta, "gamma": gamma, "state": s}
            # a 3 x 3 solve of condition below 1/(1-gamma)
            yield lab.close(cell, float(kernel[s].sum()), float(t.geometric_modulus(beta, gamma)), 1e-12, "row sum")
            yield lab.close(
                cell,
                float(reward[s]) * (1 - gamma) + float(kernel[s].sum()),
                1.0,
                1e-11,
                "R (1-gamma) + E gamma^tau = 1",
            )


GEOMETRIC = Claim(
    id="mid_training.geometric_durations",
    statement=(
        "An option that ends each step with probability beta has modulus gamma beta/(1 - gamma (1-beta)) and effective "
        "horizon exactly 1 + gamma beta/(1-gamma); the sticky latents' segments have this law."
    ),
    latex=r"\bar\gamma = \frac{\gamma\beta}{1-\gamma(1-\beta)}, \qquad \frac{1}{1-\bar\gamma} = "
    r"1+\frac{\gamma\beta}{1-\gamma}",
    origin="derived",
    source="theory.mid_training.durations: geometric series",
    kind="exact",
    domain=Domain({"termination": BETA, "discount": DISCOUNT}),
    functions=("mid_training.geometric_modulus", "mid_training.geometric_horizon"),
    evidence=(
        Exact("identity", "renewal equation and horizon in symbols", _geometric_symbols),
        Exact("enumeration", "row sums of option models with constant termination", _geometric_option, scope="cells"),
        _factor_leg(
            "mean of gamma^tau over roll-outs",
            lambda theory, cell: theory.mid_training.geometric_modulus(cell["termination"], cell["discount"]),
        ),
    ),
    mutants=(
        Mutant(
            "gamma to the mean duration 1/beta",
            "Jensen's inequality is strict for random durations",
            theory=replaced(geometric_modulus=lambda beta, g: g ** (1 / beta)),
        ),
        Mutant(
            "the option may end before its first step",
            "tau >= 1",
            theory=replaced(geometric_modulus=lambda beta, g: beta / (1 - g * (1 - beta))),
        ),
    ),
)


# ---------------------------------------------------------------- span


def _span_witness(lab: Lab) -> Iterator[Cell]:
    """Self-loops of one and five steps without reward: a constant has span zero, its image has not."""
    t = lab.theory.mid_training
    for gamma, durations in ((Fraction(9, 10), (1, 5)), (Fraction(1, 2), (2, 3))):
        out = t.span_after_sweep(durations, gamma, Fraction(1))
        yield lab.at_most(
            {"discount": gamma, "durations": str(durations)}, out, Fraction(0), "span after a sweep of a constant"
        )


def _span_stop(lab: Lab) -> Iterator[Cell]:
    """The first sweep changes both states by 1; the rule stops and extrapolates to 10, but V* is 10 and 2.44."""
    t = lab.theory.mid_training
    gamma, tau = 0.9, 5
    run = lab.sims.mid_training.value_iteration([[1.0, 1.0]], [[[gamma, 0.0], [0.0, gamma**tau]]], 1)["value"].values
    change = run[1] - run[0]
    extrapolated = run[1] + gamma / (1 - gamma) * change.mean()
    best = np.array([1 / (1 - gamma), 1 / (1 - gamma**tau)])
    error, span = float(np.abs(extrapolated - best).max()), float(np.ptp(change))
    out = float(t.span_after_sweep((1, tau), gamma, 1.0))
    yield lab.at_most(
        {"discount": gamma, "N": 1}, error, span / (1 - gamma), f"error at the stop; the next span is {out:.4f}"
    )


def _span_equal(lab: Lab) -> Iterator[Cell]:
    t = lab.theory.mid_training
    for gamma in lab.rationals():
        for tau in (1, 4):
            found = t.span_after_sweep((tau,) * 3, gamma, Fraction(7))
            yield lab.equal({"discount": gamma, "tau": tau}, Fraction(found), Fraction(0), "constants stay constants")
    for gamma, tau in ((Fraction(9, 10), 1), (Fraction(9, 10), 5)):
        level = Fraction(7) * (gamma ** min(1, tau) - gamma**tau)
        found = t.span_after_sweep((1, tau), gamma, Fraction(7))
        yield lab.equal({"discount": gamma, "tau": f"1, {tau}"}, Fraction(found), level, "two self-loops by hand")


def _span_contracts(lab: Lab) -> Iterator[Cell]:
    """Models whose options all last tau: the span of a difference shrinks by gamma^tau at least."""
    t = lab.theory.mid_training
    rng = generator(23)
    for tau in (1, 3):
        g = 0.9**tau
        for index in range(6):
            kernels = rng.dirichlet(np.ones(4), size=(3, 4)) * g
            rewards = rng.random((3, 4))
            starts = rng.normal(0.0, 3.0, (2, 4))
            runs = [lab.sims.mid_training.value_iteration(rewards, kernels, 4, start=v)["value"].values for v in starts]
            spans = np.ptp(runs[0] - runs[1], axis=1)
            ok = bool((spans[1:] <= g * spans[:-1] + 1e-12).all())
            zero = float(t.span_after_sweep((tau, tau), 0.9, 1.0))
            yield lab.true(
                {"tau": tau, "model": index}, ok and zero == 0.0, "span of a difference shrinks by gamma^tau"
            )


SPAN = Claim(
    id="mid_training.span_equal_durations",
    statement="If all options last equally long, a sweep maps constants to constants and contracts the span by "
    "gamma^tau.",
    latex=r"\mathrm{sp}(TU-TV) \le \gamma^\tau\,\mathrm{sp}(U-V) \quad(\text{all durations } \tau)",
    origin="derived",
    source="theory.mid_training.durations; rows of equal total",
    kind="upper",
    domain=Domain({"discount": DISCOUNT}),
    evidence=(
        Exact(
            "identity", "constants under equal durations, and two self-loops, in rationals", _span_equal, scope="cells"
        ),
        Exact("enumeration", "random models with equal durations", _span_contracts, scope="cells"),
    ),
    mutants=(
        Mutant(
            "a sweep of a constant always spreads it",
            "equal durations shift every state equally",
            theory=replaced(span_after_sweep=lambda taus, g, c: c * g ** min(taus)),
        ),
        Mutant(
            "the spread counts the longest duration only",
            "it is the difference of two discounts",
            theory=replaced(span_after_sweep=lambda taus, g, c: c * (1 - g ** max(taus))),
        ),
    ),
)

SPAN_FALSE = Claim(
    id="mid_training.span_stopping",
    statement="Value iteration with options contracts the span seminorm, so a small span of the change may stop it.",
    latex=r"\mathrm{sp}(TU-TV) \le \bar\gamma\,\mathrm{sp}(U-V)",
    origin="derived",
    source="true for primitive actions; often carried over",
    kind="upper",
    domain=Domain({"discount": DISCOUNT}),
    evidence=(
        Exact("identity", "two self-loops of different durations: span 0 in, more out", _span_witness, scope="cells"),
        Exact("enumeration", "the rule stops after one sweep with error 9", _span_stop, scope="cells"),
    ),
    mutants=(
        Mutant(
            "the span out is at most half of what is computed",
            "half of a positive number is positive",
            theory=replaced(span_after_sweep=lambda taus, g, c: shipped().span_after_sweep(taus, g, c) / 2),
        ),
        Mutant(
            "a sweep of a constant over self-loops leaves the level times the modulus as span",
            "larger still than zero",
            theory=replaced(span_after_sweep=lambda taus, g, c: c * g ** min(taus)),
        ),
    ),
    expected="fails",
    repaired_by="mid_training.span_equal_durations",
)

CLAIMS = (
    REGRET, ITERATION, CONVENTIONS, GB_FALSE, SWEEPS, MIXED, FOLKLORE_FALSE, JENSEN, PLUG_FALSE, GEOMETRIC, SPAN,
    SPAN_FALSE,
)  # fmt: skip
