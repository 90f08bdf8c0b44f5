"""Claims about the law of the averaged iterates at large T: variances, exponents, and when they apply."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import sympy as sp

from proofs_check.certificates import is_zero
from proofs_check.claims import Claim, Exact, Mutant, Simulation
from proofs_check.domains import Domain, Integer
from proofs_check.linear_model._common import LENGTH, P_COT, RIDGE, design, newton_optimum, retrained
from proofs_check.samples import Counts, Means
from proofs_check.verdicts import Cell, Interval, judge

if TYPE_CHECKING:
    from proofs_check.lab import Lab

__all__ = ["CLAIMS"]

STEPS = Integer(1, meaning="steps T", symbol="T", largest_drawn=10**6)
SOURCE = "central limit theorem for averaged SGD with steps 1/(lambda t), derived in theory.linear_model"


def _theory() -> Any:
    import theory.linear_model as module

    return module


# ---------------------------------------------------------------- the factor of the schedule


def _factor_identity(lab: Lab) -> Iterator[Cell]:
    m, r = sp.symbols("m r", positive=True)
    shipped = lab.theory.linear_model.averaging_factor(m)
    integral = sp.integrate(sp.expand((1 - r**m) ** 2), (r, 0, 1))
    yield lab.true(
        {"m": "symbol"}, is_zero(sp.simplify(shipped - integral)), "F(m) = integral of (1 - r^m)^2 over [0, 1]"
    )
    yield lab.true({"m": "inf"}, sp.limit(shipped, m, sp.oo) == 1, "F -> 1: no shrinking without ridge")


def _recursion_variance(m: Fraction, n_steps: int) -> Fraction:
    """h^2 T Var / S of the average of e_(t+1) = (1 - (m+1)/t) e_t - xi_t/(lambda t), by literal linear algebra."""
    lam = Fraction(1)  # h = m lambda
    coefficients = [Fraction(0)] * n_steps  # of xi_1..xi_T in e_t
    total = [Fraction(0)] * n_steps
    for t in range(1, n_steps + 1):
        total = [a + b for a, b in zip(total, coefficients, strict=True)]
        coefficients = [c * (1 - (m + 1) / t) for c in coefficients]
        coefficients[t - 1] -= 1 / (lam * t)
    return m**2 * sum((c / n_steps) ** 2 for c in total) * n_steps


def _factor_cells(lab: Lab) -> Iterator[Cell]:
    """The literal recursion at T = 40 and 160: the factor plus its 1/T term, errors falling like 1/T^2."""
    t = lab.theory.linear_model
    for m in (Fraction(1), Fraction(2), Fraction(5, 2)):
        for n_steps in (40, 160):
            exact = float(_recursion_variance(m, n_steps))
            first = m / (2 * (2 * m + 1) * n_steps)
            # What is left out is O(T^(-1-m)) + O(T^-2); 4 m^2/T^2 covers both at these m.
            predicted = float(t.averaging_factor(m)) + float(first)
            yield lab.close(
                {"m": m, "T": n_steps}, exact, predicted, 4 * float(m) ** 2 / n_steps**2 * (m + 1), "h^2 T Var / S"
            )


FACTOR = Claim(
    id="linear_model.averaging_factor",
    statement=(
        "The 1/(lambda t) schedule shrinks the variance of the averaged iterate by F(m) = 1 - 2/(m+1) + "
        "1/(2m+1), m = h/lambda."
    ),
    latex=(
        r"T\,\mathrm{Var} \to \frac{S}{h^2}\,F(m),\qquad F(m) = \int_0^1 (1-r^m)^2\,dr = 1 - \frac{2}{m+1} + "
        r"\frac{1}{2m+1}"
    ),
    origin="derived",
    source=SOURCE,
    kind="exact",
    domain=Domain({"m": RIDGE}),
    functions=("linear_model.averaging_factor",),
    evidence=(
        Exact("identity", "the integral, and the limit without ridge", _factor_identity),
        Exact("enumeration", "the linear recursion in rationals", _factor_cells, scope="cells", cost=0.5),
    ),
    mutants=(
        Mutant(
            "F(m) = 1 (Polyak and Juditsky)",
            "their steps decay more slowly than 1/t",
            theory={"linear_model.averaging_factor": lambda m: 1 + 0 * m},
        ),
        Mutant(
            "F(m) = 1 - 1/(m+1) + 1/(2m+1)",
            "the cross term of the square counts twice",
            theory={"linear_model.averaging_factor": lambda m: 1 - 1 / (m + 1) + 1 / (2 * m + 1)},
        ),
    ),
)

# ---------------------------------------------------------------- variances of trained weights


# A limit is compared at finite T: the first iterates have size up to rho/lambda, and two of them, wherever they point,
# add at most (2 rho/(lambda T))^2 to the variance of the average of T iterates. Predictions are widened by that much.


REACH = 1.5  # in predicted standard deviations; near the value that shows a wrong variance soonest


def _tail(limit: float, rho_squared: float, cell: Mapping[str, Any]) -> tuple[float, float]:
    """Share of runs beyond REACH limiting deviations, for a variance between the limit and the limit with its trace."""
    late = limit + 4 * rho_squared / (cell["ridge"] ** 2 * cell["n_steps"])
    return math.erfc(REACH / math.sqrt(2)), math.erfc(REACH * math.sqrt(limit / late) / math.sqrt(2))


def _weights_of(positions: tuple[str, ...]) -> Callable[[Mapping[str, Any]], dict[str, Any]]:
    def parameters(cell: Mapping[str, Any]) -> dict[str, Any]:
        return {
            "d": cell["d"], "p_cot": cell["p_cot"], "n_samples": cell["n_steps"], "ridge": cell["ridge"],
            "positions": positions, "n_prompts": 1, "weights": True,
        }  # fmt: skip

    return parameters


def _law_leg(
    name: str,
    positions: tuple[str, ...],
    cells: dict[str, list[dict[str, Any]]],
    direction: Callable[[Any, Mapping[str, Any]], np.ndarray],
    centre: Callable[[Any, Mapping[str, Any]], float],
    limit: Callable[[Any, Mapping[str, Any]], float],
    rho_squared: Callable[[Mapping[str, Any]], float],
    planned_n: int,
    cost: float,
) -> Simulation:
    """Share of runs whose weight lies beyond 1.5 predicted deviations of the optimum, against the normal law."""

    def judge_units(data: Any, cell: Mapping[str, Any], theory: Any) -> Counts:
        t = theory.linear_model
        distance = np.abs(direction(data, cell) - centre(t, cell))
        beyond = distance > REACH * math.sqrt(limit(t, cell) / cell["n_steps"])
        return Counts(int(beyond.sum()), int(beyond.size))

    return Simulation(
        name,
        "linear_model.pretrain",
        cells=lambda profile: cells[profile],
        parameters=_weights_of(positions),
        judge_units=judge_units,
        predict=lambda theory, cell: _tail(limit(theory.linear_model, cell), rho_squared(cell), cell),
        resolution=0.04,
        planned_n=planned_n,
        looks=3,
        unit="training run",
        cost=cost,
    )


def _spread(d: int, p: float, ridge: float, n_steps: int, directions: Sequence[str]) -> list[dict[str, Any]]:
    return [{"d": d, "p_cot": p, "ridge": ridge, "n_steps": n_steps, "direction": name} for name in directions]


def _replaced(name: str, change: Callable[..., Any]) -> dict[str, Callable[..., Any]]:
    return {f"linear_model.{name}": lambda *a: change(getattr(_theory(), name)(*a), *a)}


def _first_direction(data: Any, cell: Mapping[str, Any]) -> np.ndarray:
    w, name = data["w_first"].values, cell["direction"]
    if name == "relevant":
        return np.asarray(w[:, 0])
    if name == "idle":
        return np.asarray(w[:, cell["d"] - 1])
    return np.asarray((w[:, 1] + (1 if name == "sum" else -1) * w[:, 2]) / math.sqrt(2))


def _first_centre(t: Any, cell: Mapping[str, Any]) -> float:
    if cell["direction"] != "relevant":
        return 0.0
    shift = t.first_token_mean_shift(cell["d"], cell["p_cot"], cell["ridge"], cell["n_steps"])
    return float(t.regularised_first_token_weight(cell["p_cot"], cell["ridge"]) + shift)


def _first_limit(t: Any, cell: Mapping[str, Any]) -> float:
    if cell["direction"] in ("sum", "difference"):
        pair = t.first_token_pair_asymptotic_variances(cell["p_cot"], cell["ridge"])
        return float(pair.sum_direction if cell["direction"] == "sum" else pair.difference_direction)
    return float(t.first_token_asymptotic_variance(cell["p_cot"], cell["ridge"], cell["direction"] == "relevant"))


def _sandwich(position: str | int, d: int, p: Fraction, ridge: float, w: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Curvature of the loss (ridge left out) and covariance of the stochastic gradient at w, by enumeration."""
    weights, features, targets = design(position, d, p)
    margins = targets * (features @ w)
    wrong = np.exp(-np.logaddexp(0.0, margins))
    gradients = -(targets * wrong)[:, None] * features
    mean = weights @ gradients
    covariance = (gradients * weights[:, None]).T @ gradients - np.outer(mean, mean)
    return (features * (weights * wrong * (1 - wrong))[:, None]).T @ features, covariance


def _first_enumerated(lab: Lab) -> Iterator[Cell]:
    """(S/h^2) F(h/lambda) in each direction, with h and S summed over every prompt."""
    t = lab.theory.linear_model
    for d, names in ((3, ("relevant", "sum", "difference")), (4, ("relevant", "idle")), (5, ("relevant", "idle"))):
        for p in (Fraction(1, 5), Fraction(3, 5)):
            for ridge in (0.2, 0.01):
                w, _ = newton_optimum("first", d, p, ridge)
                hessian, covariance = _sandwich("first", d, p, ridge, w)
                for name in names:
                    v = np.zeros(d)
                    if name in ("relevant", "idle"):
                        v[0 if name == "relevant" else d - 1] = 1
                    else:
                        v[1], v[2] = math.sqrt(0.5), math.sqrt(0.5) * (1 if name == "sum" else -1)
                    h, s = float(v @ hessian @ v), float(v @ covariance @ v)
                    expected = s / h**2 * float(t.averaging_factor(h / ridge))
                    cell = {"d": d, "p_cot": p, "ridge": ridge, "direction": name}
                    limit = _first_limit(t, {**cell, "p_cot": float(p)})
                    yield lab.close(cell, limit, expected, 1e-9 * expected, "limit of T Var")


_FIRST_CELLS = {
    "quick": _spread(3, 0.2, 0.2, 2000, ("relevant", "sum", "difference")),
    "full": [
        *_spread(3, 0.2, 0.2, 2000, ("relevant", "sum", "difference")),
        *_spread(4, 0.2, 0.2, 20_000, ("relevant", "idle")),
        *_spread(20, 0.2, 0.1, 20_000, ("relevant", "idle")),
    ],
}

FIRST_SPREAD = Claim(
    id="linear_model.first_token_variance",
    statement=(
        "At large T the averaged weights of position 1 spread with T Var -> (S/h^2) F(h/lambda); the weights of "
        "the other signs "
        "are uncorrelated for d >= 4, and at d = 3 the weights of x_2 and x_3 are negatively correlated."
    ),
    latex=(
        r"T\,\mathrm{Var}(\bar w_j) \to \frac{S_j}{h^2}\,F\!\left(\frac{h}{\lambda}\right),\quad h = "
        r"\sigma'(w),\quad S_j = s^2 - (\lambda w)^2\mathbf 1[j=1]"
    ),
    origin="derived",
    source=SOURCE,
    kind="exact",
    domain=Domain({"p_cot": P_COT, "ridge": RIDGE}),
    functions=("linear_model.first_token_pair_asymptotic_variances",),
    evidence=(
        Exact(
            "enumeration",
            "curvature and gradient covariance over every prompt, d = 3, 4, 5",
            _first_enumerated,
            scope="cells",
            cost=0.2,
        ),
        _law_leg(
            "trained weights against the normal law",
            ("first",),
            _FIRST_CELLS,
            _first_direction,
            _first_centre,
            _first_limit,
            lambda cell: float(cell["d"]),
            10_000,
            4.0,
        ),
    ),
    mutants=(
        Mutant(
            "the limit is S/h^2, without the factor of the schedule",
            "F(h/lambda) is 0.38 at p = lambda = 0.2",
            theory={
                **_replaced(
                    "first_token_asymptotic_variance", lambda v, p, ridge, relevant: v / _schedule_factor(p, ridge)
                ),
                **_replaced(
                    "first_token_pair_asymptotic_variances",
                    lambda v, p, ridge: type(v)(*(x / _schedule_factor(p, ridge) for x in v)),
                ),
            },
        ),
        Mutant(
            "training takes half of the steps",
            "the variance is then twice as large",
            sims=retrained(lambda options: {**options, "n_samples": options["n_samples"] // 2}),
        ),
        Mutant(
            "x_2 and x_3 are uncorrelated at d = 3",
            "a short sequence of length 3 agrees with x_1 iff x_2 x_3 = 1",
            theory=_replaced(
                "first_token_pair_asymptotic_variances", lambda v, p, ridge: type(v)(sum(v) / 2, sum(v) / 2)
            ),
        ),
    ),
    remarks=(
        "Finite T adds the trace of the first iterates, of relative order rho^2/(lambda^2 T); the limit "
        "needs T >> 1/lambda^2."
    ),
)


def _schedule_factor(p: float, ridge: float) -> float:
    t = _theory()
    w = t.regularised_first_token_weight(p, ridge)
    return float(t.averaging_factor(math.exp(-w) / (1 + math.exp(-w)) ** 2 / ridge))


def _stop_direction(data: Any, cell: Mapping[str, Any]) -> np.ndarray:
    """Weights in the order x_1..x_d, y_1, y_1 x_1..y_1 x_d, bias."""
    w, d, name = data["w_stop"].values, cell["d"], cell["direction"]
    bias, product, prompt, answer = w[:, 2 * d + 1], w[:, d + 1], w[:, 0], w[:, d]
    found = {
        "agree": (bias + product) / math.sqrt(2),
        "disagree": (bias - product) / math.sqrt(2),
        "first_agree": (prompt + answer) / math.sqrt(2),
        "first_disagree": (prompt - answer) / math.sqrt(2),
        "idle": w[:, 1],
    }
    return np.asarray(found[name])


_STOP_NAMES = ("agree", "disagree", "first_agree", "first_disagree", "idle")


def _stop_centre(t: Any, cell: Mapping[str, Any]) -> float:
    name = cell["direction"]
    if name not in ("agree", "disagree"):
        return 0.0
    logit = t.regularised_stop_logit_agree if name == "agree" else t.regularised_stop_logit_disagree
    shift = t.stop_logit_mean_shift(cell["d"], cell["p_cot"], cell["ridge"], cell["n_steps"], name)
    return float(logit(cell["p_cot"], cell["ridge"]) + shift) / math.sqrt(2)


def _stop_limit(t: Any, cell: Mapping[str, Any]) -> float:
    return float(getattr(t.stop_asymptotic_variances(cell["p_cot"], cell["ridge"]), cell["direction"]))


def _stop_vector(name: str, d: int) -> np.ndarray:
    v = np.zeros(2 * d + 2)
    if name in ("agree", "disagree"):
        v[2 * d + 1], v[d + 1] = math.sqrt(0.5), math.sqrt(0.5) * (1 if name == "agree" else -1)
    elif name == "idle":
        v[1] = 1
    else:
        v[0], v[d] = math.sqrt(0.5), math.sqrt(0.5) * (1 if name == "first_agree" else -1)
    return v


def _stop_enumerated(lab: Lab) -> Iterator[Cell]:
    t = lab.theory.linear_model
    for d in (4, 5):
        for p in (Fraction(1, 5), Fraction(3, 5)):
            for ridge in (0.2, 0.01):
                w, _ = newton_optimum("stop", d, p, ridge)
                hessian, covariance = _sandwich("stop", d, p, ridge, w)
                for name in _STOP_NAMES:
                    v = _stop_vector(name, d)
                    h, s = float(v @ hessian @ v), float(v @ covariance @ v)
                    expected = s / h**2 * float(t.averaging_factor(h / ridge))
                    cell = {"d": d, "p_cot": p, "ridge": ridge, "direction": name}
                    limit = _stop_limit(t, {**cell, "p_cot": float(p)})
                    yield lab.close(cell, limit, expected, 1e-8 * expected + 1e-12, "limit of T Var")


STOP_SPREAD = Claim(
    id="linear_model.stop_variance",
    statement="The same limit holds in five kinds of orthonormal directions of the stop position (d >= 4).",
    latex=(
        r"T\,\mathrm{Var} \to \frac{S}{h^2}F\!\left(\frac h\lambda\right)\ \text{ along }\ \tfrac{1 \pm "
        r"x_1y_1}{\sqrt2},\ \tfrac{x_1 \pm y_1}{\sqrt2},\ x_j,\ y_1x_j"
    ),
    origin="derived",
    source=SOURCE,
    kind="exact",
    domain=Domain({"p_cot": P_COT, "ridge": RIDGE}),
    functions=("linear_model.stop_asymptotic_variances",),
    evidence=(
        Exact(
            "enumeration",
            "curvature and gradient covariance over every prompt, d = 4, 5",
            _stop_enumerated,
            scope="cells",
            cost=0.2,
        ),
        _law_leg(
            "trained weights against the normal law",
            ("stop",),
            {
                "quick": _spread(4, 0.2, 0.4, 1500, _STOP_NAMES),
                "full": [*_spread(4, 0.2, 0.2, 20_000, _STOP_NAMES), *_spread(20, 0.2, 0.1, 40_000, _STOP_NAMES)],
            },
            _stop_direction,
            _stop_centre,
            _stop_limit,
            lambda cell: 2.0 * cell["d"] + 2,
            8000,
            3.0,
        ),
    ),
    mutants=(
        Mutant(
            "along bias +- x_1 y_1 the mean gradient is not subtracted and the curvature is h, not 2h",
            "both features move the logit, so the curvature along their diagonal is twice that of one",
            theory=_replaced(
                "stop_asymptotic_variances", lambda v, p, ridge: _changed(v, agree=2 * v.agree, disagree=2 * v.disagree)
            ),
        ),
        Mutant(
            "idle features act after agreement only",
            "they act on every sequence",
            theory=_replaced("stop_asymptotic_variances", lambda v, p, ridge: _changed(v, idle=v.first_agree)),
        ),
    ),
    remarks=(
        "The directions bias + x_1 y_1 and bias - x_1 y_1 are themselves correlated, with gradient "
        "covariance -lambda^2 z_+ z_-/2."
    ),
)


def _changed(value: Any, **changes: Any) -> Any:
    from dataclasses import replace

    return replace(value, **changes)


def _chain_direction(data: Any, cell: Mapping[str, Any]) -> np.ndarray:
    """Position l: prompt, prefix and products; x_1 and y_1 coincide on right prefixes, x_d is alone for l < d."""
    d, position = cell["d"], cell["position"]
    w = data["w_chain"].sel(position=position).values
    if cell["direction"] == "pair":
        return np.asarray(w[:, 0] + w[:, d])
    return np.asarray(w[:, d - 1])


def _chain_limit(t: Any, cell: Mapping[str, Any]) -> float:
    return float(t.chain_asymptotic_variance(cell["ridge"], cell["direction"] == "pair"))


def _chain_enumerated(lab: Lab) -> Iterator[Cell]:
    t = lab.theory.linear_model
    for ridge in (0.5, 0.2, 0.01):
        w, _ = newton_optimum(4, 6, Fraction(1, 2), ridge)
        hessian, covariance = _sandwich(4, 6, Fraction(1, 2), ridge, w)
        for name in ("single", "pair"):
            v = np.zeros(w.size)
            v[5 if name == "single" else 0] = 1 if name == "single" else math.sqrt(0.5)
            if name == "pair":
                v[6] = math.sqrt(0.5)
            h, s = float(v @ hessian @ v), float(v @ covariance @ v)
            expected = (2 if name == "pair" else 1) * s / h**2 * float(t.averaging_factor(h / ridge))
            cell = {"d": 6, "position": 4, "ridge": ridge, "direction": name}
            yield lab.close(cell, _chain_limit(t, cell), expected, 1e-8 * expected, "limit of T Var")


def _chain_cells(ridge: float, n_steps: int) -> list[dict[str, Any]]:
    """Only long sequences, so every position takes T steps."""
    base = {"d": 5, "p_cot": 1.0, "ridge": ridge, "n_steps": n_steps, "position": 4}
    return [{**base, "direction": name} for name in ("single", "pair")]


CHAIN_SPREAD = Claim(
    id="linear_model.chain_variance",
    statement=(
        "At position l an irrelevant weight spreads with T Var -> (S/h^2) F(m), h = lambda w (1 - lambda w), S = "
        "(lambda w)^2; "
        "for two features that coincide on right prefixes the sum of their weights has the same with F(2m)."
    ),
    latex=(
        r"T\,\mathrm{Var} \to \frac{S}{h^2}F(m),\quad T\,\mathrm{Var}(w_i+w_j) \to \frac{S}{h^2}F(2m),\quad h "
        r"= e(1-e),\ S = e^2,\ e = \lambda w"
    ),
    origin="derived",
    source=SOURCE,
    kind="exact",
    domain=Domain({"ridge": RIDGE}),
    functions=("linear_model.chain_asymptotic_variance",),
    evidence=(
        Exact(
            "enumeration",
            "curvature and gradient covariance over every prompt, l = 4, d = 6",
            _chain_enumerated,
            scope="cells",
            cost=0.2,
        ),
        _law_leg(
            "trained weights against the normal law",
            ("chain",),
            {"quick": _chain_cells(0.4, 1000), "full": _chain_cells(0.2, 20_000)},
            _chain_direction,
            lambda t, cell: 0.0,
            _chain_limit,
            lambda cell: 2.0 * cell["d"] + cell["position"] - 1,
            8000,
            4.0,
        ),
    ),
    mutants=(
        Mutant(
            "coincident features behave like single ones",
            "their common direction has twice the curvature",
            theory={
                "linear_model.chain_asymptotic_variance": lambda ridge, coincident: _theory().chain_asymptotic_variance(
                    ridge, False
                )
            },
        ),
        Mutant(
            "the gradient variance is e(1-e)",
            "at the optimum every long sequence has the slope -e",
            theory=_replaced(
                "chain_asymptotic_variance",
                lambda v, ridge, coincident: v * (1 - _theory().chain_bias(ridge)) / _theory().chain_bias(ridge),
            ),
        ),
    ),
)

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
    above = _stop_direction(data, cell) > _stop_centre(theory.linear_model, cell)
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
        "The averaged logits overshoot the optimum by (kappa/2) tanh(z/2) (ln T)/T, kappa/t the variance of "
        "iterate t's "
        "logit: of order d (ln T)/T, so the limit law is centred on the optimum only for T >> (d ln T)^2."
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
            parameters=_weights_of(("stop",)),
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
                "linear_model.stop_logit_mean_shift": lambda d, p, ridge, n, after: _theory().stop_logit_mean_shift(
                    4, p, ridge, n, after
                ),
                "linear_model.first_token_mean_shift": lambda d, p, ridge, n: _theory().first_token_mean_shift(
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


def _squared_distances(data: Any, cell: Mapping[str, Any], theory: Any) -> Values:
    """Squared distance of a run's weights from the regularised optimum."""
    w = data["w_first"].values.copy()
    w[:, 0] -= theory.linear_model.regularised_first_token_weight(cell["p_cot"], cell["ridge"])
    return Values((w**2).sum(axis=1))


@dataclass(frozen=True, eq=False)
class Values:
    """Measured values whose median is meant; the interval is that of order statistics."""

    values: np.ndarray
    level_kind: ClassVar[str] = "exact"

    def __add__(self, other: Any) -> Values:
        return Values(np.concatenate([self.values, other.values]))

    @property
    def size(self) -> int:
        """Number of values."""
        return int(self.values.size)

    @property
    def estimate(self) -> float:
        """Sample median."""
        return float(np.median(self.values))

    def interval(self, alpha: float) -> Interval:
        """Interval for the median, whatever the distribution."""
        from sims.intervals import quantile_interval

        return Interval(*map(float, quantile_interval(self.values, 0.5, alpha)))


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
        parameters=_weights_of(("first",)),
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
        "The squared error of position 1 is proportional to d/T at large T, so d/epsilon^2 samples are needed, "
        "where the bound "
        "asks for d^2/(lambda^2 epsilon^2 delta)."
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
                    _theory().probability_deviation_bound(rho2, *a) / sp.sqrt(rho2)
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
            parameters=_weights_of(("first",)),
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
            theory=_replaced("first_token_asymptotic_variance", lambda v, *a: 10 * v),
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
                    _theory().stop_agree_logit_asymptotic_variance(d, p, ridge) / 4
                )
            },
        ),
        Mutant(
            "the half-way point is at p = 0.36",
            "ridge never moves the sign of the logit from 1/3 - p",
            theory={
                "linear_model.regularised_stop_logit_agree": lambda p, ridge: _theory().regularised_stop_logit_agree(
                    p - 0.36 + 1 / 3, ridge
                ),
                "linear_model.greedy_continue_share": lambda d, p, n: _theory().greedy_continue_share(
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

CLAIMS = (FACTOR, FIRST_SPREAD, STOP_SPREAD, CHAIN_SPREAD, SHIFT, EXPONENTS, EARLY, WINDOW)
