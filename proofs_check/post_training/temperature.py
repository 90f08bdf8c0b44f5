"""Claims about sampling temperature: the map of a round, and where it ends above temperature 1."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import sympy as sp

from proofs_check.certificates import is_zero
from proofs_check.claims import Claim, Exact, Mutant, Simulation
from proofs_check.domains import Domain, Real
from proofs_check.post_training._common import (
    P_0,
    SIGMAS,
    TAU,
    answers_of_state,
    closed_forms,
    filtered,
    kept_long_counts,
    one_round,
    rate_leg,
    shares_of,
)
from proofs_check.verdicts import Cell

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from proofs_check.lab import Lab
    from proofs_check.runner import ClaimResult

__all__ = ["CLAIMS"]

HOT = Real(1.002, 1000, meaning="sampling temperature", symbol=r"\tau")


# ---------------------------------------------------------------- the map


def _temperature_identity(lab: Lab) -> Iterator[Cell]:
    """With k = c^(1/tau) and K = U^(1/tau) as symbols: the full round on the tempered state."""
    t = lab.theory.post_training
    k, root = sp.symbols("k K", positive=True)
    zero = sp.Integer(0)
    after = t.full_round(root / (1 + root), 1 / (1 + k), sp.Integer(1), [zero, zero], "r_cot")
    odds = sp.cancel((1 - after.stop_agree) / after.stop_agree)
    one, two = sp.Integer(1), sp.Integer(2)
    # At tau = 1 the shipped maps take c = k and U = K.
    yield lab.true({"temperature": "any"}, is_zero(odds - t.go_on_round(k, one, two)), "c' = 2 k")
    big = sp.cancel(after.first_token / (1 - after.first_token))
    shipped = sp.cancel(t.tempered_first_token_round(root, k, one))
    yield lab.true({"temperature": "any"}, is_zero(big - shipped), "U' = K (1+2k)/(1+k)")


def _temperature_cells(lab: Lab) -> Iterator[Cell]:
    """Temper every logit of a listed model, filter, refit: floats, every prompt of length 3."""
    t = lab.theory.post_training
    for tau in (0.5, 1.5, 2.2):
        for p in (0.05, 0.3):
            c, big = 2 * p / (1 - p), (1 + p) / (1 - p)
            k, root = c ** (1 / tau), big ** (1 / tau)
            found = shares_of(filtered(answers_of_state(3, root / (1 + root), 1 / (1 + k), 1.0, [0.0, 0.0]), "r_cot"))
            cell = {"p_0": p, "temperature": tau}
            stop, first = float(found["stop_agree"]), float(found["first_token"])
            yield lab.close(cell, (1 - stop) / stop, float(t.go_on_round(c, tau)), 1e-12, "odds of going on")
            yield lab.close(
                cell, first / (1 - first), float(t.tempered_first_token_round(big, c, tau)), 1e-12, "odds of x_1"
            )


def _kept_long_at(theory: Any, cell: Mapping[str, Any]) -> float:
    """Long share of what is kept: u'(1 - v+') of the next round's law."""
    t, tau, p = theory.post_training, cell["temperature"], cell["p_0"]
    c, big = 2 * p / (1 - p), (1 + p) / (1 - p)
    after, first = float(t.go_on_round(c, tau)), float(t.tempered_first_token_round(big, c, tau))
    return first / (1 + first) * after / (1 + after)


def _temperature_figure(result: ClaimResult) -> Figure:
    """Sampled long share over the rounds at several temperatures."""
    from matplotlib.figure import Figure

    from proofs_check.figures import simulated_points, style, theory_line
    from sims.post_training import tabular_star

    t = closed_forms()
    rounds = np.arange(9)
    with style():
        figure = Figure(figsize=(6.4, 3.8), layout="constrained")
        ax = figure.add_subplot()
        for index, tau in enumerate((0.5, 1.0, 1.5, 2.2)):
            c, big, line = 2 * 0.1 / 0.9, 1.1 / 0.9, []
            for _ in rounds:
                k, root = c ** (1 / tau), big ** (1 / tau)
                line.append(root / (1 + root) * k / (1 + k))
                big, c = t.tempered_first_token_round(big, c, tau), t.go_on_round(c, tau)
            theory_line(ax, rounds, line, f"temperature {tau}", index)
            run = tabular_star(20, 0.1, 5000, 9, range(20), temperature=tau)
            shares = run.drawn_long.values[:, 1:] / 5000
            low, high = np.quantile(shares, (0.05, 0.95), axis=0)
            simulated_points(ax, rounds, shares.mean(axis=0), low, high, "20 runs", index)
        ax.set(xlabel="round", ylabel="share of long samples")
        ax.legend(fontsize="small")
    return figure


TEMPERATURE = Claim(
    id="post_training.temperature_map",
    statement=(
        "At temperature tau (exact chain, v- = 1) a round takes the odds of going on to 2 c^(1/tau), those of x_1 to "
        "U^(1/tau) (1+2k)/(1+k), k = c^(1/tau)."
    ),
    latex=r"c' = 2c^{1/\tau},\qquad U' = U^{1/\tau}\,\frac{1+2k}{1+k},\quad k = c^{1/\tau}",
    origin="derived",
    source="tempering divides logits by tau; then Bayes' rule",
    kind="exact",
    domain=Domain({"p_0": P_0, "temperature": TAU}),
    evidence=(
        Exact("identity", "the full round on tempered odds", _temperature_identity),
        Exact("enumeration", "every answer of length 3 at three temperatures", _temperature_cells, scope="cells"),
        Simulation(
            "kept long answers of the linear model",
            "post_training.star",
            cells=[{"d": 6, "p_0": p, "temperature": tau} for p in (0.1, 0.3) for tau in (0.5, 2.0)],
            parameters=lambda cell: one_round(cell, temperature=cell["temperature"]),
            extract=kept_long_counts,
            predict=_kept_long_at,
            resolution=0.03,
            planned_n=12,
            unit="block of 4096 answer",
            cost=0.4,
        ),
    ),
    mutants=(
        Mutant(
            "c' = 2c whatever the temperature",
            "hot samples are likelier to go on",
            theory={"post_training.go_on_round": lambda c, tau=1.0, factor=2.0: factor * c},
        ),
        Mutant(
            "c' = (3/2) c^(1/tau)",
            "a short answer is right half of the time",
            theory={
                "post_training.go_on_round": lambda c, tau=1.0, factor=2.0: (
                    sp.Rational(3, 2) * c if isinstance(c, sp.Expr) else 1.5 * c ** (1 / tau)
                )
            },
        ),
        Mutant(
            "U' = U^(1/tau) (1 + k)",
            "short answers that agree are kept half of the time",
            theory={
                "post_training.tempered_first_token_round": lambda u, c, tau: (
                    (u if isinstance(u, sp.Expr) else u ** (1 / tau))
                    * (1 + (c if isinstance(c, sp.Expr) else c ** (1 / tau)))
                )
            },
        ),
    ),
    figure=_temperature_figure,
)

# ---------------------------------------------------------------- where it ends


def _fixed_point_cells(lab: Lab) -> Iterator[Cell]:
    """Iterate the round from p_0: the end, and the round at which greedy decoding goes on."""
    t = lab.theory.post_training
    for tau in (1.2, 1.5, 2.2, 4.0):
        end = t.tempered_fixed_point(tau)
        for p in (1e-6, 0.01, 0.2):
            c, big, first = 2 * p / (1 - p), (1 + p) / (1 - p), None
            for n in range(400):
                if first is None and c >= 1:
                    first = n
                k = c ** (1 / tau)
                big, c = big ** (1 / tau) * (1 + 2 * k) / (1 + k), 2 * k
            k, root = c ** (1 / tau), big ** (1 / tau)
            cell = {"temperature": tau, "p_0": p}
            # 400 rounds leave 1.2^-400 of the distance.
            yield lab.close(
                cell, float(end.sampled_long_share), root / (1 + root) * k / (1 + k), 1e-9, "sampled long share"
            )
            yield lab.close(cell, math.log(end.go_on_odds), math.log(c), 1e-9, "ln c*")
            yield lab.equal(cell, first, t.tempered_rounds_to_generalise(p, tau), "rounds to generalise")


def _share_spread(tau: float, n: int) -> float:
    """Standard deviation of the drawn long share in the steady state of n answers a round, to first order.

    A round's refit moves ln c by (1/long + 1/short agreeing)^(1/2) of the kept counts and ln U by
    (1/agreeing + 1/against)^(1/2); the map passes on a share 1/tau of both, and the answers themselves are drawn.
    """
    t = closed_forms()
    end = t.tempered_fixed_point(tau)
    k, root = float(end.go_on_odds) ** (1 / tau), float(end.first_token_odds) ** (1 / tau)
    u, go = root / (1 + root), k / (1 + k)
    long, short, against = n * u * go, n * u * (1 - go) / 2, n * (1 - u) / 2
    of_c, of_u = 1 / long + 1 / short, 1 / (long + short) + 1 / against
    # ln U' also takes from ln c: d ln((1+2k)/(1+k))/d ln c = k/((1+k)(1+2k) tau) < 1/5, added with all correlation.
    forget = 1 - tau**-2
    sd_c = math.sqrt(of_c / forget) / tau
    sd_u = (math.sqrt(of_u / forget) + 0.2 * math.sqrt(of_c / forget) / (1 - 1 / tau)) / tau
    return math.hypot(u * go * (1 - go) * sd_c + u * (1 - u) * go * sd_u, math.sqrt(u * go * (1 - u * go) / n))


def _saturated(data: Any, cell: Mapping[str, Any], theory: Any) -> np.ndarray:
    """Runs whose drawn long share ends further than 3.3 standard deviations and what 12 rounds leave of the way."""
    tau = cell["temperature"]
    share = data["drawn_long"].values[:, -1] / cell["n_samples"]
    end = float(theory.post_training.tempered_fixed_point(tau).sampled_long_share)
    # ln c starts ln(c*/c_0) away and keeps tau^-11 of it in the last sample; the share moves by at most 1/4 of ln k.
    p = cell["p_0"]
    left = abs(math.log(float(closed_forms().tempered_fixed_point(tau).go_on_odds) * (1 - p) / (2 * p))) * tau**-12
    return np.asarray(np.abs(share - end) > SIGMAS * _share_spread(tau, cell["n_samples"]) + left / 2)


FIXED_POINT = Claim(
    id="post_training.temperature_fixed_point",
    statement=(
        "Above temperature 1 the odds of going on end at 2^(tau/(tau-1)) > 1, so greedy decoding generalises after "
        "about "
        "log log(1/p_0) rounds, while the sampled long share saturates: .6113 at tau = 1.5, .3854 at 2.2, 1/4 in the "
        "limit."
    ),
    latex=r"c^* = 2^{\tau/(\tau-1)},\qquad n = \left\lceil \frac{\ln(1-\ln c_0/\ln c^*)}{\ln\tau} \right\rceil",
    origin="derived",
    source="ln c' = ln 2 + (ln c)/tau is affine",
    kind="exact",
    domain=Domain({"p_0": P_0, "temperature": HOT}),
    functions=("post_training.tempered_fixed_point", "post_training.tempered_rounds_to_generalise"),
    evidence=(
        Exact("enumeration", "400 rounds from three starts at four temperatures", _fixed_point_cells, scope="cells"),
        rate_leg(
            "runs whose sampled long share ends elsewhere, beyond 3.3 standard deviations",
            "post_training.tabular_star",
            {
                name: [{"d": 5, "p_0": 0.1, "n_samples": 4000, "temperature": tau} for tau in (1.5, 2.2)]
                for name in ("quick", "full")
            },
            lambda cell: {
                "d": cell["d"],
                "p_0": cell["p_0"],
                "n_samples": cell["n_samples"],
                "n_rounds": 12,
                "temperature": cell["temperature"],
            },
            _saturated,
            0.8,
        ),
    ),
    mutants=(
        Mutant(
            "the share saturates at 1",
            "hot samples stop early however large the odds",
            theory={
                "post_training.tempered_fixed_point": lambda tau: closed_forms().TemperedFixedPoint(
                    2.0 ** (tau / (tau - 1)), 1e9, 1.0
                )
            },
        ),
        Mutant(
            "c* = 2^(1/(tau-1))",
            "that is k*, half of it",
            theory={
                "post_training.tempered_fixed_point": lambda tau: closed_forms().TemperedFixedPoint(
                    2.0 ** (1 / (tau - 1)), 1.0, 0.5 * 2.0 ** (1 / (tau - 1)) / (1 + 2.0 ** (1 / (tau - 1)))
                )
            },
        ),
    ),
)

CLAIMS = (TEMPERATURE, FIXED_POINT)
