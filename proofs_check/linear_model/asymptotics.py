"""Claims about the law of the averaged iterates at large T: factor of the schedule, variances by position."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import numpy as np
import sympy as sp

from proofs_check.certificates import is_zero
from proofs_check.claims import Claim, Exact, Mutant, Simulation
from proofs_check.domains import Domain
from proofs_check.linear_model._common import P_COT, RIDGE, closed_forms, design, newton_optimum, retrained
from proofs_check.samples import Counts
from proofs_check.verdicts import Cell

if TYPE_CHECKING:
    from proofs_check.lab import Lab

__all__ = ["CLAIMS", "SOURCE", "replaced", "stop_centre", "stop_direction", "weights_of"]

SOURCE = "central limit theorem for averaged SGD with steps 1/(lambda t), derived in theory.linear_model"


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


def weights_of(positions: tuple[str, ...]) -> Callable[[Mapping[str, Any]], dict[str, Any]]:
    """Arguments of a training run whose weights are wanted, from its cell."""

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
        parameters=weights_of(positions),
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


def replaced(name: str, change: Callable[..., Any]) -> dict[str, Callable[..., Any]]:
    """A mutant: `change` gets a closed form's value and its arguments."""
    return {f"linear_model.{name}": lambda *a: change(getattr(closed_forms(), name)(*a), *a)}


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
        "At large T the averaged weights of position 1 spread with T Var -> (S/h^2) F(h/lambda); the weights of the "
        "other signs are uncorrelated for d >= 4, and at d = 3 the weights of x_2 and x_3 are negatively correlated."
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
                **replaced(
                    "first_token_asymptotic_variance", lambda v, p, ridge, relevant: v / _schedule_factor(p, ridge)
                ),
                **replaced(
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
            theory=replaced(
                "first_token_pair_asymptotic_variances", lambda v, p, ridge: type(v)(sum(v) / 2, sum(v) / 2)
            ),
        ),
    ),
    remarks=(
        "Finite T adds the trace of the first iterates, of relative order rho^2/(lambda^2 T); the limit needs T >> "
        "1/lambda^2."
    ),
)


def _schedule_factor(p: float, ridge: float) -> float:
    t = closed_forms()
    w = t.regularised_first_token_weight(p, ridge)
    return float(t.averaging_factor(math.exp(-w) / (1 + math.exp(-w)) ** 2 / ridge))


def stop_direction(data: Any, cell: Mapping[str, Any]) -> np.ndarray:
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


def stop_centre(t: Any, cell: Mapping[str, Any]) -> float:
    """Mean of the averaged weights of the stop position in a direction of `stop_direction`."""
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
            stop_direction,
            stop_centre,
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
            theory=replaced(
                "stop_asymptotic_variances", lambda v, p, ridge: _changed(v, agree=2 * v.agree, disagree=2 * v.disagree)
            ),
        ),
        Mutant(
            "idle features act after agreement only",
            "they act on every sequence",
            theory=replaced("stop_asymptotic_variances", lambda v, p, ridge: _changed(v, idle=v.first_agree)),
        ),
    ),
    remarks=(
        "The directions bias + x_1 y_1 and bias - x_1 y_1 are themselves correlated, with gradient covariance "
        "-lambda^2 z_+ z_-/2."
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
        "(lambda w)^2; for two features that coincide on right prefixes the sum of their weights has the same with "
        "F(2m)."
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
                "linear_model.chain_asymptotic_variance": lambda ridge, coincident: (
                    closed_forms().chain_asymptotic_variance(ridge, False)
                )
            },
        ),
        Mutant(
            "the gradient variance is e(1-e)",
            "at the optimum every long sequence has the slope -e",
            theory=replaced(
                "chain_asymptotic_variance",
                lambda v, ridge, coincident: (
                    v * (1 - closed_forms().chain_bias(ridge)) / closed_forms().chain_bias(ridge)
                ),
            ),
        ),
    ),
)


CLAIMS = (FACTOR, FIRST_SPREAD, STOP_SPREAD, CHAIN_SPREAD)
