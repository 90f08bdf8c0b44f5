"""Claims about value iteration with options: how many sweeps suffice, under which convention of rewards, exactly."""

from __future__ import annotations

import math
from collections.abc import Iterator
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import numpy as np
import sympy as sp

from proofs_check.certificates import Proof, is_zero
from proofs_check.claims import Claim, Exact, Mutant
from proofs_check.domains import Domain, Integer, Real
from proofs_check.mid_training._common import DISCOUNT, PAPER, ROUNDING, TOLERANCE, generator, replaced, shipped
from proofs_check.mid_training._models import G, best_values_by_search, random_models
from proofs_check.verdicts import Cell

if TYPE_CHECKING:
    from proofs_check.lab import Lab

__all__ = ["CLAIMS"]

DURATION = Integer(1, meaning="duration of an option", symbol=r"\tau", largest_drawn=200)
MODULUS = Real(0, 1, open_low=True, open_high=True, meaning="contraction modulus", symbol=r"\bar\gamma")
REWARD = Real(0, open_low=True, meaning="largest reward", symbol="R_{max}")
EPS = sp.Symbol("epsilon", positive=True)


# ---------------------------------------------------------------- value iteration


def _sandwich(lab: Lab) -> Iterator[Cell]:
    t = lab.theory.mid_training
    for index, (rewards, kernels) in enumerate(random_models(5)):
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
    for index, (rewards, kernels) in enumerate(random_models(5)):
        best = best_values_by_search(rewards, kernels, (0, 1, 2))
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
    for index, (rewards, kernels) in enumerate(random_models(5)):
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


CLAIMS = (ITERATION, CONVENTIONS, GB_FALSE, SWEEPS)
