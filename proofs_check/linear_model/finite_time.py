"""Claims about large but finite T: overshoot of the average, exponents, reach of the limit law, window at 1/3."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import sympy as sp

from proofs_check.certificates import is_zero
from proofs_check.claims import Claim, Exact, Mutant, Simulation
from proofs_check.domains import Domain, Integer
from proofs_check.linear_model._common import LENGTH, P_COT, RIDGE, closed_forms
from proofs_check.linear_model.asymptotics import SOURCE, replaced, stop_centre, stop_direction, weights_of
from proofs_check.samples import Counts, Means, Medians
from proofs_check.verdicts import Cell, Interval, judge

if TYPE_CHECKING:
    from proofs_check.lab import Lab

__all__ = ["CLAIMS"]

STEPS = Integer(1, meaning="steps T", symbol="T", largest_drawn=10**6)

# ---------------------------------------------------------------- the overshoot of the average


def _shift_recursion(lab: Lab) -> Iterator[Cell]:
    """The second-order recursion iterated as it stands, against the closed form's (ln T)/T."""
    t = lab.theory.linear_model
    first = 50  # earlier iterates are far from the optimum, where there is nothing to expand
    for d, p, ridge in ((5, 0.2, 0.2), (20, 0.4, 0.1)):
        w = t.regularised_first_token_weight(p, ridge)
        tail = 1 / (1 + math.exp(w))
        h, bend = tail * (1 - tail), -tail * (1 - tail) * math.tanh(w / 2)
        square = (1 + p) / 2 * tail**2 + (1 - p) / 2 * (1 - tail) ** 2
        # t Var of iterate t is S/(lambda (2h + lambda)) in each direction.
        kappa = ((1 - p * p) / 4 + (d - 1) * square) / (ridge * (2 * h + ridge))
        n_steps, shift, total = 100_000, 0.0, 0.0
        for step in range(first, n_steps + 1):
            total += shift
            shift -= ((h + ridge) * shift + bend * kappa / (2 * step)) / (ridge * step)
        closed = t.first_token_mean_shift(d, p, ridge, n_steps)
        # From step t_0 on the average of 1/t is (ln(T/t_0) + O(1))/T.
        expected = closed * math.log(n_steps / first) / math.log(n_steps)
        cell = {"d": d, "p_cot": p, "ridge": ridge, "T": n_steps}
        tolerance = 2 * expected / math.log(n_steps / first)
        yield lab.close(cell, total / n_steps, expected, tolerance, "averaged shift")


def _overshoot(data: Any, cell: Mapping[str, Any], theory: Any) -> Counts:
    """Runs whose averaged logit after a disagreement lies above the predicted centre."""
    above = stop_direction(data, cell) > stop_centre(theory.linear_model, cell)
    return Counts(int(above.sum()), int(above.size))


def _overshoot_prediction(theory: Any, cell: Mapping[str, Any]) -> tuple[float, float]:
    """One half if the centre is right; ln T stands for ln T + O(1), so a quarter of the shift is allowed."""
    from scipy.special import ndtr

    t = theory.linear_model
    shift = t.stop_logit_mean_shift(cell["d"], cell["p_cot"], cell["ridge"], cell["n_steps"], "disagree") / math.sqrt(2)
    spread = math.sqrt(t.stop_asymptotic_variances(cell["p_cot"], cell["ridge"]).disagree / cell["n_steps"])
    reach = float(ndtr(0.25 * shift / spread))
    return 1 - reach, reach


SHIFT = Claim(
    id="linear_model.mean_shift",
    statement=(
        "The averaged logits overshoot the optimum by (kappa/2) tanh(z/2) (ln T)/T, kappa/t the variance of iterate "
        "t's logit: of order d (ln T)/T, so the limit law is centred on the optimum only for T >> (d ln T)^2."
    ),
    latex=(
        r"\mathbb{E}\,\bar z - z_\lambda \approx "
        r"\frac{\kappa}{2}\tanh\!\left(\frac{z_\lambda}{2}\right)\frac{\ln T}{T}"
    ),
    origin="derived",
    source="second-order expansion of the mean gradient around the optimum, in theory.linear_model",
    kind="rate",
    domain=Domain({"d": Integer(4), "p_cot": P_COT, "ridge": RIDGE, "n_steps": STEPS}),
    functions=("linear_model.first_token_mean_shift",),
    evidence=(
        Exact("enumeration", "the second-order recursion, step by step", _shift_recursion, scope="cells", cost=0.5),
        Simulation(
            "share of runs above the predicted centre, after a disagreement",
            "linear_model.pretrain",
            cells=lambda profile: [
                {"d": 20, "p_cot": 0.2, "ridge": 0.2, "n_steps": n, "direction": "disagree"}
                for n in ((3000,) if profile == "quick" else (3000, 40_000))
            ],
            parameters=weights_of(("stop",)),
            judge_units=_overshoot,
            predict=_overshoot_prediction,
            resolution=0.12,
            planned_n=1000,
            looks=3,
            unit="training run",
            cost=1.5,
        ),
    ),
    mutants=(
        Mutant(
            "the average is centred on the optimum",
            "the loss bends: the spread of the iterates moves their mean",
            theory={
                "linear_model.stop_logit_mean_shift": lambda d, p, ridge, n, after: 0.0,
                "linear_model.first_token_mean_shift": lambda d, p, ridge, n: 1e-9,
            },
        ),
        Mutant(
            "the overshoot does not grow with d",
            "every idle feature adds to the variance of the logit",
            theory={
                "linear_model.stop_logit_mean_shift": lambda d, p, ridge, n, after: (
                    closed_forms().stop_logit_mean_shift(4, p, ridge, n, after)
                ),
                "linear_model.first_token_mean_shift": lambda d, p, ridge, n: closed_forms().first_token_mean_shift(
                    3, p, ridge, n
                ),
            },
        ),
    ),
    remarks=(
        "At d = 20, lambda = 0.1, T = 40 000 the overshoot after a disagreement is still twice the standard deviation."
    ),
)

# ---------------------------------------------------------------- exponents


def _squared_distances(data: Any, cell: Mapping[str, Any], theory: Any) -> Medians:
    """Squared distance of a run's weights from the regularised optimum."""
    w = data["w_first"].values.copy()
    w[:, 0] -= theory.linear_model.regularised_first_token_weight(cell["p_cot"], cell["ridge"])
    return Medians((w**2).sum(axis=1))


def _slope(x: Sequence[float], cells: Sequence[Interval]) -> Interval:
    """Least-squares slope of log y on log x, with y anywhere in its interval."""
    centred = np.log(np.asarray(x)) - np.mean(np.log(np.asarray(x)))
    coefficients = centred / (centred**2).sum()
    low = np.log([max(c.low, 1e-300) for c in cells])
    high = np.log([c.high for c in cells])
    return Interval(
        float(np.where(coefficients > 0, coefficients * low, coefficients * high).sum()),
        float(np.where(coefficients > 0, coefficients * high, coefficients * low).sum()),
    )


def _predicted_slope(t: Any, name: str, cells: Sequence[Mapping[str, Any]], trace: float) -> float:
    """Exponent of the median of |w - w*|^2, a sum of d squared normals with the limiting variance and the trace."""
    from scipy.stats import chi2

    y = []
    for c in cells:
        limit = float(t.first_token_mean_square_error(c["d"], c["p_cot"], c["n_steps"], c["ridge"])) / c["d"]
        w = t.regularised_first_token_weight(c["p_cot"], c["ridge"])
        slope = math.exp(-w) / (1 + math.exp(-w)) ** 2  # from probabilities back to weights
        early = trace * 4 * c["d"] / (c["ridge"] * c["n_steps"]) ** 2
        y.append((limit / slope**2 + early) * chi2.median(c["d"]))
    return float(np.polyfit(np.log([float(c[name]) for c in cells]), np.log(y), 1)[0])


def _exponent(name: str) -> Callable[..., list[Cell]]:
    def combine(samples: Sequence[tuple[Mapping[str, Any], Any]], alpha: float, lab: Lab) -> list[Cell]:
        cells = [cell for cell, _ in samples]
        x = [float(cell[name]) for cell in cells]
        interval = _slope(x, [sample.interval(alpha / len(samples)) for _, sample in samples])
        ends = sorted(_predicted_slope(lab.theory.linear_model, name, cells, trace) for trace in (0.0, 1.0))
        predicted = Interval(ends[0], ends[1])
        observed = float(np.polyfit(np.log(x), np.log([s.estimate for _, s in samples]), 1)[0])
        verdict = judge("exact", interval, predicted, 0.25)
        n = min(sample.size for _, sample in samples)
        return [Cell({name: x}, verdict, n, observed, predicted, interval, 0.25, detail=f"exponent in {name}")]

    return combine


def _exponent_leg(name: str, cells: list[dict[str, Any]], cost: float) -> Simulation:
    return Simulation(
        f"exponent of the squared error in {name}",
        "linear_model.pretrain",
        cells=cells,
        parameters=weights_of(("first",)),
        judge_units=_squared_distances,
        combine=_exponent(name),
        planned_n=4000,
        looks=3,
        unit="training run",
        cost=cost,
    )


def _bound_exponents(lab: Lab) -> Iterator[Cell]:
    """Samples that Proposition 1 asks for: exponent 2 in d, 2 in 1/epsilon, 1 in 1/delta, 2 in 1/lambda."""
    t = lab.theory.linear_model
    rho, lam, delta, scale = sp.symbols("rho lambda delta s", positive=True)
    n_steps = sp.Symbol("T", positive=True)
    squared = sp.powdenest(t.probability_deviation_bound(rho, lam, n_steps, delta) ** 2, force=True)
    constant = sp.simplify(squared * n_steps / (1 + sp.log(n_steps)))
    for symbol, power in ((rho, 2), (lam, -2), (delta, -1)):
        ratio = sp.simplify(constant.subs(symbol, scale * symbol) / constant)
        yield lab.true({"in": str(symbol)}, is_zero(ratio - scale**power), f"T/(1 + ln T) scales with power {power}")


EXPONENTS = Claim(
    id="linear_model.sample_complexity_exponents",
    statement=(
        "The squared error of position 1 is proportional to d/T at large T, so d/epsilon^2 samples are needed, where "
        "the bound asks for d^2/(lambda^2 epsilon^2 delta)."
    ),
    latex=(
        r"\mathbb{E}\,|\bar w - w_\lambda|^2 \propto \frac{d}{T}, \qquad \text{bound: } \frac{T}{1+\ln T} = "
        r"\frac{d^2}{4\lambda^2\epsilon^2\delta}"
    ),
    origin="derived",
    source=SOURCE,
    kind="rate",
    domain=Domain({"d": LENGTH, "p_cot": P_COT, "n_steps": STEPS, "ridge": RIDGE}),
    functions=("linear_model.first_token_mean_square_error",),
    evidence=(
        Exact("identity", "exponents of the published bound", _bound_exponents, scope="cells"),
        _exponent_leg("d", [{"d": d, "p_cot": 0.2, "ridge": 0.5, "n_steps": 2000} for d in (4, 16)], 4.0),
        _exponent_leg("n_steps", [{"d": 4, "p_cot": 0.2, "ridge": 0.5, "n_steps": n} for n in (400, 3200)], 4.0),
    ),
    mutants=(
        Mutant(
            "the squared error is proportional to d^2/T^2",
            "independent errors of d weights add up, and averaging T of them divides by T",
            theory={"linear_model.first_token_mean_square_error": lambda d, p, n, ridge=None: (d / n) ** 2},
        ),
        Mutant(
            "the bound is proportional to rho, not rho^2",
            "rho enters through the gap and through Cauchy-Schwarz",
            theory={
                "linear_model.probability_deviation_bound": lambda rho2, *a: (
                    closed_forms().probability_deviation_bound(rho2, *a) / sp.sqrt(rho2)
                )
            },
        ),
    ),
)

# ---------------------------------------------------------------- when the limit applies


def _wide(data: Any, cell: Mapping[str, Any], theory: Any) -> Counts:
    """Runs beyond one standard deviation of a normal law with twice the limiting variance."""
    limit = theory.linear_model.first_token_asymptotic_variance(cell["p_cot"], cell["ridge"], False)
    beyond = np.abs(data["w_first"].values[:, 5]) > math.sqrt(2 * limit / cell["n_steps"])
    return Counts(int(beyond.sum()), int(beyond.size))


EARLY = Claim(
    id="linear_model.transient",
    statement=(
        "At lambda^2 T <= 1 the spread of the averaged weights is not yet the limit's: at d = 20 it is at least "
        "twice as large."
    ),
    latex=r"\lambda^2 T \le 1 \implies T\,\mathrm{Var}(\bar w_j) \ge 2\,\frac{S}{h^2}F\!\left(\frac h\lambda\right)",
    origin="derived",
    source="the first iterates have size rho/lambda and leave a trace of order 1/(lambda T) in the average",
    kind="lower",
    domain=Domain({"p_cot": P_COT, "ridge": RIDGE}),
    functions=("linear_model.first_token_pair_asymptotic_variances",),
    evidence=(
        Simulation(
            "spread of an irrelevant weight at lambda^2 T = 1/4 and 1",
            "linear_model.pretrain",
            cells=[{"d": 20, "p_cot": 0.2, "ridge": ridge, "n_steps": 2500} for ridge in (0.01, 0.02)],
            parameters=weights_of(("first",)),
            judge_units=_wide,
            predict=lambda theory, cell: math.erfc(1 / math.sqrt(2)),
            compare="lower",
            planned_n=1000,
            looks=3,
            unit="training run",
            cost=1.0,
        ),
    ),
    mutants=(
        Mutant(
            "it is at least twenty times as large",
            "at lambda^2 T = 1 the measured ratio is about six",
            theory=replaced("first_token_asymptotic_variance", lambda v, *a: 10 * v),
        ),
        Mutant(
            "it is at least twice (rho/lambda)^2",
            "no average of iterates is that large",
            theory={"linear_model.first_token_asymptotic_variance": lambda p, ridge, relevant: 2500 * 20 / ridge**2},
        ),
    ),
    remarks=(
        "So small ridges need T >> 1/lambda^2 before calibration; position l, which is separable, is the exception."
    ),
)

# ---------------------------------------------------------------- the window around 1/3


def _window_identity(lab: Lab) -> Iterator[Cell]:
    t = lab.theory.linear_model
    for d in (4, 20):
        limit = t.stop_agree_logit_asymptotic_variance(d, 1 / 3, 1e-9)
        yield lab.close(
            {"d": d, "p_cot": "1/3"}, limit / (12 * d), 1.0, 1e-6, "T Var(logit | agree) -> 12 d as lambda -> 0"
        )
        for n_steps in (1000, 10**6):
            width = t.threshold_width(d, n_steps)
            one_sigma = t.greedy_continue_share(d, 1 / 3 + width, n_steps)
            yield lab.close({"d": d, "T": n_steps}, one_sigma, 0.8413447460685429, 1e-9, "one width above 1/3: Phi(1)")
    p = sp.Symbol("p", positive=True)
    slope = sp.diff(t.stop_agree_logit(p), p).subs(p, sp.Rational(1, 3))
    yield lab.true({"p_cot": "1/3"}, is_zero(slope + sp.Rational(9, 2)), "the logit of EOS falls with slope 9/2 at 1/3")


def _window_cells(profile: str) -> list[dict[str, Any]]:
    if profile == "quick":
        return [{"d": 5, "p_cot": p, "ridge": 0.1, "n_steps": 8000} for p in (1 / 3 - 0.02, 1 / 3 + 0.02)]
    return [
        {"d": 20, "p_cot": 1 / 3 + gap, "ridge": 0.02, "n_steps": 200_000} for gap in (-0.006, -0.003, 0.003, 0.006)
    ]


def _window_prediction(theory: Any, cell: Mapping[str, Any]) -> tuple[float, float]:
    """Phi(-mean/sd) with the ridge optimum's logit and the variance anywhere between the limit and its early value."""
    from scipy.special import ndtr

    t = theory.linear_model
    d, p, ridge, n_steps = cell["d"], cell["p_cot"], cell["ridge"], cell["n_steps"]
    mean = float(t.regularised_stop_logit_agree(p, ridge))
    limit = float(t.stop_agree_logit_asymptotic_variance(d, p, ridge))
    rho2 = 2 * d + 2
    # The trace of the first iterates moves a logit by up to rho times its size, in a random direction rho^2 / rho^2.
    late = limit + 4 * rho2 / (ridge**2 * n_steps)
    ends = sorted(float(ndtr(-mean / math.sqrt(v / n_steps))) for v in (limit, late))
    return ends[0], ends[1]


WINDOW = Claim(
    id="linear_model.threshold_window",
    statement=(
        "Near p = 1/3 and for small ridge the share of prompts on which greedy decoding goes on is about "
        "Phi((9/2)(p - 1/3)/sqrt(12 d/T)): the threshold has width 0.77 sqrt(d/T) in p, with half-way point 1/3 "
        "at every d."
    ),
    latex=r"P(\text{go on}) \approx \Phi\!\left(\frac{\tfrac92\,(p-\tfrac13)}{\sqrt{12\,d/T}}\right)",
    origin="derived",
    source=SOURCE,
    kind="threshold",
    domain=Domain({"d": Integer(4), "p_cot": P_COT, "n_steps": STEPS}),
    functions=("linear_model.greedy_continue_share", "linear_model.threshold_width"),
    evidence=(
        Exact("identity", "variance 12 d, slope 9/2, and the width", _window_identity, scope="cells"),
        Simulation(
            "share of prompts that go on, over runs",
            "linear_model.pretrain",
            cells=_window_cells,
            parameters=lambda cell: {
                "d": cell["d"],
                "p_cot": cell["p_cot"],
                "n_samples": cell["n_steps"],
                "ridge": cell["ridge"],
                "positions": ("stop",),
                "n_prompts": 64,
            },
            extract=lambda data, cell: Means((data["stop_agree"].values <= 0.5).mean(axis=1), 0.0, 1.0),
            predict=_window_prediction,
            resolution=0.08,
            planned_n=2000,
            looks=2,
            unit="training run",
            cost=4.0,
        ),
    ),
    mutants=(
        Mutant(
            "T Var(logit) -> 3 d, so the window is half as wide",
            "at p = 1/3 agreement has probability 2/3 and both continuations 1/2",
            theory={
                "linear_model.stop_agree_logit_asymptotic_variance": lambda d, p, ridge: (
                    closed_forms().stop_agree_logit_asymptotic_variance(d, p, ridge) / 4
                )
            },
        ),
        Mutant(
            "the half-way point is at p = 0.36",
            "ridge never moves the sign of the logit from 1/3 - p",
            theory={
                "linear_model.regularised_stop_logit_agree": lambda p, ridge: (
                    closed_forms().regularised_stop_logit_agree(p - 0.36 + 1 / 3, ridge)
                ),
                "linear_model.greedy_continue_share": lambda d, p, n: closed_forms().greedy_continue_share(
                    d, p - 0.36 + 1 / 3, n
                ),
            },
        ),
    ),
    remarks=(
        "The prediction is an interval: the variance of the logit at finite T lies above its limit by the "
        "trace of the first iterates."
    ),
)


CLAIMS = (SHIFT, EXPONENTS, EARLY, WINDOW)
