"""Claims about options of unequal, random and geometric durations, and the modulus that governs planning with them."""

from __future__ import annotations

import math
from collections.abc import Iterator
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import numpy as np
import sympy as sp

from proofs_check.certificates import is_zero
from proofs_check.claims import Claim, Exact, Mutant, Simulation
from proofs_check.domains import Domain, Real
from proofs_check.mid_training._common import DISCOUNT, ROUNDING, generator, replaced, shipped, trials
from proofs_check.mid_training._models import G, random_models
from proofs_check.samples import Means
from proofs_check.verdicts import Cell

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from proofs_check.lab import Lab
    from proofs_check.runner import ClaimResult

__all__ = ["CLAIMS"]

BETA = Real(0, 1, open_low=True, meaning="termination probability per step", symbol=r"\beta")
BETA_ = sp.Symbol("beta", positive=True)


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
    for index, (rewards, kernels) in enumerate(random_models(5)):
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
        "from below, and by gamma to the shortest from above; adding options never lowers an iterate."
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


CLAIMS = (MIXED, FOLKLORE_FALSE, JENSEN, PLUG_FALSE, GEOMETRIC)
