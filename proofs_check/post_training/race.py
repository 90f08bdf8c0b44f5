"""The claim about the race of policy gradients with STaR: powers of 1/p_0 against logarithms."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from proofs_check.claims import Claim, Exact, Mutant
from proofs_check.domains import Domain
from proofs_check.post_training._common import P_0, SIGMAS, closed_forms, rate_leg, reinforce_parameters, time_margin
from proofs_check.verdicts import Cell

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from proofs_check.lab import Lab
    from proofs_check.runner import ClaimResult

__all__ = ["CLAIMS"]


def _race(lab: Lab) -> Iterator[Cell]:
    """Exponents between p_0 = 1e-3 and 1e-5: 1 for policy gradients, logarithms for STaR and the natural gradient."""
    t = lab.theory.post_training
    low, high = 1e-5, 1e-3
    for method, group in (("reinforce", None), ("grpo", 4), ("grpo", 16), ("grpo", None)):
        slope = math.log(
            t.policy_gradient_time(low, 1.0, method, group) / t.policy_gradient_time(high, 1.0, method, group)
        )
        # Corrections are of order p_0 ln(1/p_0) for finite groups.
        yield lab.close(
            {"method": f"{method} {group or ''}"}, slope / math.log(high / low), 1.0, 0.01, "exponent of 1/p_0"
        )
    rounds = t.rounds_to_generalise(low) - t.rounds_to_generalise(high)
    yield lab.close({"method": "STaR"}, rounds, math.log2(high / low), 1.0, "rounds per factor")
    natural = (t.policy_gradient_time(low, 1.0, "natural") - t.policy_gradient_time(high, 1.0, "natural")) / 2
    yield lab.close({"method": "natural"}, natural, math.log(high / low), 2e-3, "time is logarithmic")


def _race_bounds(lab: Lab) -> Iterator[Cell]:
    """(ln c)' = u v (1-v) g_G <= c sqrt(G-1), so the first doubling of c alone takes ln 2/(2 c_0 sqrt(G-1))."""
    t = lab.theory.post_training
    for p in (1e-2, 1e-3, 1e-4):
        c0 = 2 * p / (1 - p)
        for group in (2, 4, 16):
            bound = math.log(2) / (2 * c0 * math.sqrt(group - 1))
            yield lab.true(
                {"p_0": p, "G": group}, t.policy_gradient_time(p, 1.0, "grpo", group) >= bound, f"at least {bound:.4g}"
            )
        yield lab.true({"p_0": p}, t.rounds_to_generalise(p) <= math.log2(1 / p), "at most log2(1/p_0) rounds")


def _off_race(data: Any, cell: Mapping[str, Any], theory: Any) -> np.ndarray:
    """The sampled REINFORCE runs of the other claim against the time that the race states."""
    expected = theory.post_training.policy_gradient_time(cell["p_0"], 0.5, "reinforce")
    bias, deviation = time_margin(cell["p_0"], "reinforce", None, 200, 0.5, 4)
    return np.asarray(np.abs(data["time"].values - expected) > bias + SIGMAS * deviation)


def _off_rounds(data: Any, cell: Mapping[str, Any], theory: Any) -> np.ndarray:
    """Sampled STaR with refitted shares: rounds until the share passes 1/3, more than one off."""
    n = theory.post_training.rounds_to_generalise(cell["p_0"])
    passed = data["long_fraction"].values >= 1 / 3
    return np.asarray(np.abs(np.where(passed.any(axis=1), passed.argmax(axis=1), 10**6) - n) > 1)


def _race_figure(result: ClaimResult) -> Figure:
    """Rounds or steps against p_0."""
    from matplotlib.figure import Figure

    from proofs_check.figures import style, theory_line

    t = closed_forms()
    grid = np.logspace(-4, -0.6, 40)
    with style():
        figure = Figure(figsize=(6.4, 3.8), layout="constrained")
        ax = figure.add_subplot()
        theory_line(ax, grid, t.rounds_to_generalise(grid), "STaR, rounds", 0)
        theory_line(ax, grid, t.natural_gradient_time(grid, 1.0), "natural gradient, eta = 1", 1)
        theory_line(ax, grid, [t.reinforce_time(float(p)) for p in grid], "REINFORCE, eta = 1", 2)
        line = [t.policy_gradient_time(float(p), 1.0, "grpo", 8) for p in grid]
        theory_line(ax, grid, line, "GRPO, groups of 8, eta = 1", 3)
        ax.set(xscale="log", yscale="log", xlabel="share of long answers at the start", ylabel="time to generalise")
        ax.legend(fontsize="small")
    return figure


RACE = Claim(
    id="post_training.race",
    statement=(
        "REINFORCE and GRPO at any fixed group size need time of order 1/p_0 to generalise; STaR and the natural "
        "gradient need "
        "log(1/p_0). Dividing by the deviation cannot change the exponent, since success is at least 1/2 at the start."
    ),
    latex=(
        r"T_{\mathrm{REINFORCE}},\,T_{\mathrm{GRPO}} = \Theta(1/p_0),\qquad T_{\mathrm{STaR}},\,T_{\mathrm{natural}} "
        r"= \Theta(\log(1/p_0))"
    ),
    origin="derived",
    source="flows of the exact gradients",
    kind="rate",
    domain=Domain({"p_0": P_0}),
    evidence=(
        Exact("enumeration", "exponents between 1e-5 and 1e-3", _race, scope="cells", cost=0.5),
        Exact("enumeration", "bounds from the speed of ln c", _race_bounds, scope="cells", cost=0.3),
        rate_leg(
            "sampled REINFORCE runs whose time is off by 3.3 standard deviations",
            "post_training.policy_gradient",
            {"quick": [{"p_0": 0.1}], "full": [{"p_0": p} for p in (0.1, 0.05, 0.02)]},
            reinforce_parameters,
            _off_race,
            0.2,
        ),
        rate_leg(
            "sampled STaR runs that need other rounds, by more than one",
            "post_training.refit_shares",
            {
                "quick": [{"p_0": 10.0**-k, "n_samples": 200 * 10**k} for k in (1, 2)],
                "full": [{"p_0": 10.0**-k, "n_samples": 200 * 10**k} for k in (1, 2, 3, 4)],
            },
            lambda cell: {"p_0": cell["p_0"], "n_samples": cell["n_samples"], "n_rounds": 18},
            _off_rounds,
            0.2,
        ),
    ),
    mutants=(
        Mutant(
            "policy gradients need p_0^-0.8",
            "the speed of ln c is proportional to p_0",
            theory={
                "post_training.policy_gradient_time": lambda p, eta=1.0, method="reinforce", group_size=None: (
                    closed_forms().policy_gradient_time(p, eta, method, group_size) * p**0.2 * 0.1
                )
            },
        ),
        Mutant(
            "STaR needs log2(1/p_0)^2 rounds",
            "the odds double each round",
            theory={"post_training.rounds_to_generalise": lambda p: int(closed_forms().rounds_to_generalise(p)) ** 2},
        ),
        Mutant(
            "policy gradients are logarithmic too",
            "while c is small they see little of it",
            theory={
                "post_training.policy_gradient_time": lambda p, eta=1.0, method="reinforce", group_size=None: (
                    2 * math.log(1 / p)
                )
            },
        ),
    ),
    figure=_race_figure,
)

CLAIMS = (RACE,)
