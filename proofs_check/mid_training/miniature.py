"""Claims about whole worlds of skills: latents against next-token prediction, and the knob.

These are empirical: few costly runs, judged by rules stated beforehand and outside the error budget; every run is a
cell. Losses are per predicted token; printed tables that count the uniform first token of 60 as well are met after
the change of convention (59 x + ln 13)/60.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from proofs_check.claims import Claim, Exact, Mutant
from proofs_check.domains import Domain, Integer, Real
from proofs_check.mid_training._common import PAPER, replaced, shipped
from proofs_check.verdicts import Cell

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from proofs_check.lab import Lab
    from proofs_check.runner import ClaimResult

__all__ = [
    "CLAIMS",
    "KNOWN",
    "LIGHT",
    "NOISE",
    "N_TEXTS",
    "SKILLS",
    "SWITCH",
    "TOKENS",
    "TRUE_ALPHA",
    "simulated_worlds",
]

N_TEXTS = Integer(1, meaning="demonstrations n", symbol="n", largest_drawn=200)
LIGHT = {"n_restarts": 4, "swap_passes": 1}
TRUE_ALPHA, SKILLS, SWITCH, NOISE, TOKENS = 1 - 0.2 * 4 / 3, 4, 0.2, 0.05, 13
MEASURES = ("coverage", "loss", "order 1", "order 2", "order 3", "AMI", "boundary F1")
# Mean and standard deviation over 64 worlds (seeds 500000 to 500063, the default fit), in the order of MEASURES.
REFERENCE = {
    3: ((0.252, 0.192), (1.435, 0.160), (1.744, 0.088), (1.527, 0.088), (1.785, 0.088), (0.581, 0.136), (0.636, 0.096)),
    10: (
        (0.923, 0.112),
        (1.100, 0.032),
        (1.559, 0.032),
        (1.262, 0.024),
        (1.462, 0.040),
        (0.777, 0.032),
        (0.804, 0.024),
    ),
    20: (
        (0.996, 0.016),
        (1.067, 0.016),
        (1.522, 0.024),
        (1.189, 0.016),
        (1.346, 0.024),
        (0.815, 0.024),
        (0.828, 0.016),
    ),
    60: (
        (1.000, 0.000),
        (1.053, 0.016),
        (1.501, 0.024),
        (1.110, 0.016),
        (1.200, 0.016),
        (0.828, 0.024),
        (0.838, 0.016),
    ),
    200: (
        (1.000, 0.000),
        (1.028, 0.016),
        (1.488, 0.024),
        (1.078, 0.016),
        (1.122, 0.016),
        (0.831, 0.024),
        (0.840, 0.016),
    ),
}
# The quick profile's lighter fit, 128 worlds from the same seed on.
LIGHT_REFERENCE = {
    10: (
        (0.939, 0.083), (1.096, 0.036), (1.555, 0.035), (1.259, 0.027), (1.459, 0.033), (0.783, 0.032), (0.806, 0.020)
    ),
}  # fmt: skip
# Means of eight worlds printed elsewhere, for comparison only.
PRINTED = {
    3: (0.43, 1.353, 1.695, 1.504, 1.774, 0.61, 0.66),
    10: (0.97, 1.122, 1.553, 1.293, 1.505, 0.75, 0.78),
    20: (1.00, 1.084, 1.515, 1.214, 1.399, 0.79, 0.81),
    60: (1.00, 1.054, 1.492, 1.119, 1.215, 0.80, 0.82),
    200: (1.00, 1.030, 1.481, 1.084, 1.133, 0.82, 0.82),
}
KNOWN: dict[Any, Any] = {}


def simulated_worlds(lab: Lab, name: str, count: int, *arguments: Any, **options: Any) -> Any:
    """A dataset with `count` worlds; the same call by another claim or a mutant of the theory reads it again."""
    function = getattr(lab.sims.mid_training, name)
    first = 1000 * lab.seed % 2**31  # worlds draw their held-out text 2**32 further on
    key = (function, count, repr(arguments), repr(sorted(options.items())), first)
    if key not in KNOWN:
        if len(KNOWN) > 32:
            KNOWN.clear()
        KNOWN[key] = function(*arguments, range(first, first + count), **options)
    return KNOWN[key]


def _whole(lab: Lab, nll: Any) -> Any:
    """The loss with the uniform first token counted."""
    return (59 * nll + float(lab.theory.mid_training.log_episodes_uniform(TOKENS, 1))) / 60


# ---------------------------------------------------------------- the table


def _table(lab: Lab) -> Any:
    if lab.profile == "full":
        return simulated_worlds(lab, "compare_with_next_token", 64, (3, 10, 20, 60, 200))
    return simulated_worlds(lab, "compare_with_next_token", 24, (10,), fit=LIGHT)


def _table_rows(lab: Lab) -> Iterator[Cell]:
    """Mean over worlds against the reference of 64 other worlds: within 5 standard errors of the difference."""
    data = _table(lab)
    worlds = data.sizes["replicate"]
    reference = REFERENCE if lab.profile == "full" else LIGHT_REFERENCE
    for n in data["n_demonstrations"].values:
        row = data.sel(n_demonstrations=n)
        measured = (
            row["coverage"],
            _whole(lab, row["nll"]),
            *(_whole(lab, row["nll_ngram"].sel(order=o)) for o in (1, 2, 3)),
            row["ami"],
            row["boundary_f1"],
        )
        listed = zip(MEASURES, measured, reference[int(n)], PRINTED[int(n)], strict=True)
        for name, values, (expected, spread), printed in listed:
            mean, error = float(values.mean()), float(values.std(ddof=1)) / math.sqrt(worlds)
            allowed = 5 * max(spread, 0.01) * math.sqrt(1 / worlds + 1 / 64) + 0.001  # and the reference's last digit
            cell = {"n": int(n), "measure": name, "worlds": worlds}
            detail = f"mean {mean:.3f}, standard error {error:.3f}, eight worlds printed {printed}"
            yield lab.close(cell, mean, expected, allowed, detail)


def _table_worlds(lab: Lab) -> Iterator[Cell]:
    """Every world: the true loss between noise entropy and that plus switch entropy; latents ahead of n-grams."""
    t = lab.theory.mid_training
    data = _table(lab)

    def coin(p: float) -> float:
        return math.log(2) - float(t.bernoulli_divergence(p, 0.5))

    floor = coin(NOISE) + NOISE * math.log(TOKENS - 1)
    ceiling = floor + coin(SWITCH) + SWITCH * math.log(SKILLS - 1)
    for i in range(data.sizes["replicate"]):
        one = data.isel(replicate=i)
        true = float(one["true_nll"])
        # the first step has a free skill, and 200 held-out lines leave a standard error of about .01
        slack = math.log(SKILLS) / 59 + 0.04
        yield lab.true(
            {"world": i}, floor < true < ceiling + slack, f"true parameters: {floor:.3f} < {true:.3f} < {ceiling:.3f}"
        )
        for n in data["n_demonstrations"].values:
            row = one.sel(n_demonstrations=n)
            nll, best = float(row["nll"]), float(row["nll_ngram"].min())
            scores = f"coverage {float(row['coverage']):.2f}, AMI {float(row['ami']):.2f}"
            detail = f"latents {nll:.3f}, best n-gram {best:.3f}, {scores}"
            if n >= 10:
                yield lab.at_most({"world": i, "n": int(n)}, nll, best, detail)


def _table_switches(lab: Lab) -> Iterator[Cell]:
    """The rate of switches of the true stickiness is beta; the learned one is at most that, and at least half of it."""
    t = lab.theory.mid_training
    # a few roundings of numbers below one
    yield lab.close({"alpha": TRUE_ALPHA}, float(t.prior_switch_rate(TRUE_ALPHA, SKILLS)), SWITCH, 1e-14, "true rate")
    data = _table(lab)
    for n in data["n_demonstrations"].values:
        if n < 10:
            continue
        alphas = data["alpha"].sel(n_demonstrations=n).values
        rates = [float(t.prior_switch_rate(float(a), SKILLS)) for a in alphas]
        mean = float(np.mean(rates))
        detail = f"learned rate {mean:.3f}: sparse emissions explain some switches away"
        yield lab.true({"n": int(n), "worlds": len(rates)}, SWITCH / 2 <= mean <= 1.05 * SWITCH, detail)


def _noisier(*arguments: Any, **options: Any) -> Any:
    """Mutant simulator: worlds with eta = .1."""
    from sims.mid_training import SkillWorld, compare_with_next_token

    return compare_with_next_token(*arguments, **options, world=SkillWorld(noise=0.1))


TABLE = Claim(
    id="mid_training.skills_against_next_token",
    statement=(
        "In worlds of four long-cycle skills over 13 tokens, sticky latents fitted to n texts predict held-out text "
        "better than n-grams of order 1 to 3 from n = 10 on, and cover nearly all goals from n = 20 on. Coverage, "
        "losses, AMI and boundary F1 repeat from one set of worlds to the next."
    ),
    latex=r"\mathrm{NLL}_{latents}(n) < \min_o \mathrm{NLL}_{o\text{-gram}}(n), \quad n \ge 10",
    origin="derived",
    source=f"miniature of {PAPER}; rules: 5 standard errors of the difference of means; every world for the order",
    kind="empirical",
    domain=Domain({"n": N_TEXTS}),
    evidence=(
        Exact("enumeration", "means over worlds against 64 other worlds", _table_rows, scope="cells", cost=1.5),
        Exact("enumeration", "every world: entropy bounds, and latents against n-grams", _table_worlds, scope="cells"),
        Exact("enumeration", "learned rate of switches", _table_switches, scope="cells"),
    ),
    mutants=(
        Mutant(
            "the entropy of a coin with swapped arguments",
            "kl(1/2 || p) is no entropy deficit",
            theory=replaced(bernoulli_divergence=lambda p, q: shipped().bernoulli_divergence(q, p)),
        ),
        Mutant(
            "every resampling is a switch",
            "a resampled latent is the old one with probability 1/K",
            theory=replaced(prior_switch_rate=lambda a, k: 1 - a),
        ),
        Mutant(
            "the first token costs as much as a text of uniform ones",
            "it costs ln 13, once",
            theory=replaced(log_episodes_uniform=lambda b, n: 60 * shipped().log_episodes_uniform(b, n)),
        ),
        Mutant(
            "the text has twice the noise",
            "eta = .05",
            sims={"mid_training.compare_with_next_token": _noisier},
        ),
    ),
    remarks=(
        "64 worlds, mean and standard error: n = 3 coverage 0.252 (0.024), loss 1.435 (0.020), order 2 1.527 (0.011), "
        "AMI 0.581 (0.017); n = 10 coverage 0.923 (0.014), loss 1.100 (0.004), order 2 1.262 (0.003), AMI 0.777 "
        "(0.004); n = 20 coverage 0.996 (0.002), loss 1.067 (0.002), order 2 1.189 (0.002), AMI 0.815 (0.003); n = 60 "
        "coverage 1.000 (0.000), loss 1.053 (0.002), order 2 1.110 (0.002), AMI 0.828 (0.003); n = 200 coverage 1.000 "
        "(0.000), loss 1.028 (0.002), order 2 1.078 (0.002), AMI 0.831 (0.003). Of eight worlds printed elsewhere, "
        "losses and coverage agree at n = 60 and 200; at n = 10 and 20 their order-2 and order-3 losses, AMI and "
        "boundary F1 (and at n = 20 the latents' loss 1.084) differ by 3 to 4 standard errors, always to the worse: "
        "less robust fits and a coarser grid of smoothing constants would do that. The quick profile fits 24 worlds at "
        "n = 10 with fewer restarts."
    ),
)


# ---------------------------------------------------------------- the knob


def _sweep(lab: Lab) -> Any:
    if lab.profile == "full":
        return _swept(lab, 16, (0.0, 0.5, 1.0, 2.0, 2.485, 3.0, 4.0, 6.0, 10.0, 30.0), None)
    return _swept(lab, 3, (0.0, 1.0, 2.485, 4.0, 10.0, 30.0), LIGHT)


def _swept(lab: Lab, worlds: int, penalties: tuple[float, ...], fit: Any) -> Any:
    return simulated_worlds(lab, "sweep_switch_penalty", worlds, penalties, 60, fit=fit)


def _knob_curve(lab: Lab) -> Iterator[Cell]:
    """Mean held-out loss: falling up to the theory's price, rising beyond it."""
    data = _sweep(lab)
    prices = data["penalty"].values
    nll = data["nll"].mean("replicate").values
    true = float(lab.theory.mid_training.switch_penalty(TRUE_ALPHA, SKILLS))
    nearest = int(np.abs(prices - true).argmin())
    for i, price in enumerate(prices):
        if i == nearest:
            continue
        inner = i + 1 if i < nearest else i - 1
        yield lab.at_most(
            {"c": float(price)},
            float(nll[inner]),
            float(nll[i]),
            f"loss {nll[i]:.3f} against {nll[inner]:.3f} nearer {true:.2f}",
        )


def _knob_worlds(lab: Lab) -> Iterator[Cell]:
    """Every world: minimum at the true price; switches fall with c; the cross-entropy alone prefers another price."""
    t = lab.theory.mid_training
    data = _sweep(lab)
    prices = data["penalty"].values
    true = float(t.switch_penalty(TRUE_ALPHA, SKILLS))
    for i in range(data.sizes["replicate"]):
        one = data.isel(replicate=i)
        best = float(prices[int(one["nll"].values.argmin())])
        near = float(prices[np.abs(prices - true).argmin()])
        allowed = sorted(prices, key=lambda c: abs(c - near))[: 3 if len(prices) > 8 else 1]
        yield lab.true({"world": i}, best in allowed, f"least loss at c = {best:g}, true price {true:.3f}")
        rates = one["switch_rate"].values
        yield lab.true(
            {"world": i}, bool((np.diff(rates) < 1e-3).all()), f"switches per step {np.round(rates, 3).tolist()}"
        )
        lowest = float(prices[int(one["cross_entropy"].values.argmin())])
        yield lab.true({"world": i}, lowest < true, f"least conditional cross-entropy at c = {lowest:g}")


def _knob_figure(result: ClaimResult) -> Figure:
    """Held-out loss against the price of a switch: U-shape with its minimum at the true price."""
    from proofs_check.figures import labelled_axes, simulated_points, style, theory_line
    from sims.mid_training import sweep_switch_penalty

    prices = (0.0, 0.5, 1.0, 2.0, 2.485, 3.0, 4.0, 6.0, 10.0)
    data = sweep_switch_penalty(prices, 60, range(6), fit=LIGHT)
    with style():
        figure, ax = labelled_axes("price per switch c [nats]", "nats per token")
        for index, (name, label) in enumerate(
            (
                ("nll", "held-out loss"),
                ("cross_entropy", "conditional cross-entropy"),
                ("divergence", "divergence from the prior"),
            )
        ):
            mean = data[name].mean("replicate").values
            theory_line(ax, prices, mean, label, index)
            error = 2 * data[name].std("replicate", ddof=1).values / math.sqrt(6)
            simulated_points(ax, prices, mean, mean - error, mean + error, "", index)
        true = shipped().switch_penalty(TRUE_ALPHA, SKILLS)
        ax.axvline(true, color="0.5", linestyle=":", linewidth=1.0)
        ax.annotate(f"ln(1 + K alpha/(1-alpha)) = {true:.2f}", (true + 0.15, 0.72), fontsize="small")
        ax.legend(title="mean of 6 worlds, two standard errors", title_fontsize="small")
    return figure


KNOB = Claim(
    id="mid_training.penalty_has_an_optimum",
    statement=(
        "The held-out loss of fits at a fixed price per switch is U-shaped in the price with its minimum at the true "
        "one, ln(1 + K alpha/(1-alpha)) = 2.485; the conditional cross-entropy is least at a smaller price."
    ),
    latex=r"\arg\min_c \mathrm{NLL}(c) = \ln\Bigl(1+\frac{K\alpha}{1-\alpha}\Bigr)",
    origin="derived",
    source=f"miniature of {PAPER} (penalty c); rule: order of the means along the grid, minimum in every world",
    kind="empirical",
    domain=Domain({"c": Real(0, 30)}),
    evidence=(
        Exact("enumeration", "order of the mean losses along the grid", _knob_curve, scope="cells", cost=1.5),
        Exact("enumeration", "every world: minimum, switches, cross-entropy", _knob_worlds, scope="cells"),
    ),
    mutants=(
        Mutant(
            "the price is ln(1 + alpha/(1-alpha)), without K",
            "there are K - 1 other latents to switch to",
            theory=replaced(switch_penalty=lambda a, k: math.log(1 / (1 - a))),
        ),
        Mutant(
            "the price is ln(1 + K^2 alpha/(1-alpha))",
            "each other latent has probability (1-alpha)/K",
            theory=replaced(switch_penalty=lambda a, k: math.log(1 + k * k * a / (1 - a))),
        ),
    ),
    figure=_knob_figure,
    remarks="In the full profile the grid is finer and a world's minimum may lie at a neighbour of the true price.",
)


CLAIMS = (TABLE, KNOB)
