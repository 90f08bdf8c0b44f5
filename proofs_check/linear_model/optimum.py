"""Claims about what each position of the linear model learns from the exact mixture.

Which features carry signal, the unregularised optimum (the paper's Lemma 1), the scalar
equations of the regularised one, and why ridge leaves the greedy threshold where it is.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from fractions import Fraction
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import sympy as sp

from proofs_check.certificates import Proof, is_zero
from proofs_check.claims import Claim, Exact, Mutant
from proofs_check.domains import Domain, Integer
from proofs_check.enumeration import examples, feature_names
from proofs_check.linear_model._common import (
    DOMAIN,
    LAMBDA,
    LENGTH,
    P_COT,
    PAPER,
    POSITIONS,
    P,
    newton_optimum,
    objective_gradient,
    one_logarithm,
    ridge_grid,
    share_grid,
)
from proofs_check.verdicts import Cell

if TYPE_CHECKING:
    from proofs_check.lab import Lab

__all__ = ["CLAIMS"]

SHARES = (Fraction(1, 10), Fraction(1, 3), Fraction(3, 5))


def _indices(names: tuple[str, ...], wanted: tuple[str, ...]) -> list[int]:
    """Places of the wanted features, whatever the order of their factors."""
    places = {frozenset(name.split()): index for index, name in enumerate(names)}
    return [places[frozenset(name.split())] for name in wanted]


def _conditional_moments(position: str | int, d: int, p: Any, relevant: tuple[str, ...]) -> Iterator[tuple[str, Any]]:
    """E[t f 1{t r = key}] for every other feature f: with weights on the relevant features r the margin is a
    function of t r, so these moments are all that the gradient of f's weight can be made of."""
    names = feature_names(position, d)
    chosen = _indices(names, relevant)
    sums: dict[tuple[int, Any], Any] = {}
    for example in examples(position, d, p):
        seen = tuple(example.target * example.features[i] for i in chosen)
        for index, value in enumerate(example.features):
            if index not in chosen:
                weighted = example.probability * example.target * value
                sums[index, seen] = sums.get((index, seen), Fraction(0)) + weighted
    for (index, _), moment in sums.items():
        yield names[index], moment


def _relevant_cells(lab: Lab, sizes: tuple[int, ...], positions: tuple[str | int, ...], p: Any) -> Iterator[Cell]:
    for d in sizes:
        for position in positions:
            relevant = lab.theory.linear_model.relevant_features(position, max(d, 3))
            stray = sorted({name for name, m in _conditional_moments(position, d, p, relevant) if not is_zero(m)})
            yield lab.true(
                {"d": d, "position": position, "p_cot": str(p)},
                not stray,
                f"given {', '.join(relevant)}: informative besides: {', '.join(stray) or 'none'}",
            )


def _informative_cells(lab: Lab) -> Iterator[Cell]:
    """Each relevant feature is needed: it is correlated with the residual of the others' best constant."""
    for d in (3, 4):
        for position in (*POSITIONS, d):
            relevant = lab.theory.linear_model.relevant_features(position, d)
            for name, index in zip(relevant, _indices(feature_names(position, d), relevant), strict=True):
                correlation = sum(
                    (e.probability * e.features[index] * e.target for e in examples(position, d, Fraction(1, 5))),
                    start=Fraction(0),
                )
                yield lab.true({"d": d, "position": position, "feature": name}, correlation != 0, f"E = {correlation}")


def _only_first(position: Any, d: Any) -> tuple[str, ...]:
    return ("x1",) if position == "first" else ("x1 y1",) if position == "stop" else (f"y{position - 1} x{position}",)


def _earlier(position: Any, d: Any) -> tuple[str, ...]:
    if position == "first":
        return ("x1",)
    return ("y1 x1", "bias") if position == "stop" else (f"y{position - 1} x{position - 1}",)


_RELEVANT_PROOF = (
    "With weights on the relevant features r alone, the margin is a function of t r (t the target), and given t r the "
    "product t f has mean zero for every other feature f: its gradient is zero, and strict convexity keeps the ridge "
    "optimum there."
)

RELEVANT = Claim(
    id="linear_model.relevant_features",
    statement=(
        "For d >= 3 the optimum of each position lies on its relevant features alone: x_1 at position 1, x_1 y_1 and "
        "the bias at the stop position, y_(l-1) x_l at position l."
    ),
    latex=(
        r"\mathbb{E}\bigl[t\,f \,\mathbf{1}\{t\,r = k\}\bigr] = 0 \quad\text{for every } k \text{ and every "
        r"feature } f \text{ outside } r"
    ),
    origin="derived",
    source="symmetry of the prompt's signs; stated for the linear model of " + PAPER,
    kind="property",
    domain=Domain({"d": LENGTH, "p_cot": P_COT}),
    functions=("linear_model.relevant_features",),
    evidence=(
        Exact(
            "identity",
            "moments of all other features, p a symbol, d = 3, 4",
            lambda lab: _relevant_cells(lab, (3, 4), POSITIONS, P),
            scope="cells",
            cost=2.0,
        ),
        Exact(
            "enumeration",
            "moments of all other features, d = 3..6",
            lambda lab: (cell for p in SHARES for cell in _relevant_cells(lab, (3, 4, 5, 6), POSITIONS, p)),
            scope="cells",
            cost=2.0,
        ),
        Exact("enumeration", "each relevant feature is correlated with the target", _informative_cells, scope="cells"),
    ),
    mutants=(
        Mutant(
            "at the stop position x_1 y_1 is enough, without the bias",
            "the bias is correlated with stopping",
            theory={"linear_model.relevant_features": _only_first},
        ),
        Mutant(
            "position l needs y_(l-1) x_(l-1)",
            "the next token is y_(l-1) x_l",
            theory={"linear_model.relevant_features": _earlier},
        ),
    ),
    remarks=_RELEVANT_PROOF,
)


def _two_bit_optimum(lab: Lab) -> Iterator[Cell]:
    """The full-feature optimum at d = 2: its distance from the relevant plane, far above the solver's error."""
    names = feature_names("stop", 2)
    chosen = _indices(names, lab.theory.linear_model.relevant_features("stop", 3))
    for p in (Fraction(1, 5), Fraction(1, 2)):
        w, error = newton_optimum("stop", 2, p, 1e-3)
        off = {name: float(w[i]) for i, name in enumerate(names) if i not in chosen}
        name, largest = max(off.items(), key=lambda item: abs(item[1]))
        yield lab.true(
            {"d": 2, "p_cot": p, "ridge": 1e-3},
            abs(largest) <= error,
            f"weight of {name} is {largest:.4f}, solver error below {error:.1e}",
        )


TWO_BITS = Claim(
    id="linear_model.two_bit_prompts",
    statement="At d = 2, too, the optimum of the stop position lies on x_1 y_1 and the bias alone.",
    latex=r"d = 2:\quad w^*_{2a} \in \operatorname{span}\{x_1 y_1,\ 1\}",
    origin="derived",
    source="the symmetry argument, carried one size too far",
    kind="property",
    domain=Domain({"d": Integer(2, 2), "p_cot": P_COT}),
    expected="fails",
    repaired_by="linear_model.relevant_features",
    evidence=(
        Exact(
            "enumeration",
            "moments of the other features at d = 2",
            lambda lab: (cell for p in SHARES for cell in _relevant_cells(lab, (2,), ("stop",), p)),
            scope="cells",
        ),
        Exact("enumeration", "full-feature optimum at d = 2", _two_bit_optimum, scope="cells"),
    ),
    mutants=(
        Mutant(
            "at d = 2 the stop position needs y_1 besides, and nothing else",
            "x_2 remains informative",
            theory={"linear_model.relevant_features": lambda position, d: ("y1 x1", "bias", "y1")},
        ),
        Mutant(
            "at d = 2 the stop position needs y_1 x_2 besides, and nothing else",
            "x_2 remains informative",
            theory={"linear_model.relevant_features": lambda position, d: ("y1 x1", "bias", "y1 x2")},
        ),
    ),
    remarks=(
        "With two signs the short answer gives y_1 x_1 = x_2, so x_2 is a feature of the short sequences; for d >= 3 "
        "only the product x_2...x_d is tilted, and no feature sees it."
    ),
)


def _lemma_identity(lab: Lab) -> Iterator[Cell]:
    t = lab.theory.linear_model
    weight = one_logarithm(t.first_token_weight(P))
    proof = Proof()
    proof.identity("sigma(L) = (1 + p)/2", 1 / (1 + sp.exp(-weight)), (1 + P) / 2)
    proof.identity("sigma(-L) = (1 - p)/2", 1 / (1 + sp.exp(weight)), (1 - P) / 2)
    # The loss in the weight w of x_1 alone; its second derivative is positive, so the zero of the first is the minimum.
    w = sp.Symbol("w", real=True)
    loss = (1 + P) / 2 * sp.log(1 + sp.exp(-w)) + (1 - P) / 2 * sp.log(1 + sp.exp(w))
    slope = sp.diff(loss, w)
    proof.identity("the loss is stationary at L", slope.subs(w, weight), sp.Integer(0))
    generator = sp.Symbol("E", positive=True)
    bend = sp.together(sp.diff(slope, w)).subs(sp.exp(-w), 1 / generator).subs(sp.exp(w), generator)
    proof.positive("the loss is strictly convex", bend, {generator: (0, sp.oo), P: (0, 1)})

    def witness() -> dict[str, str] | None:
        for p in (sp.Rational(1, 5), sp.Rational(1, 2), sp.Rational(4, 5)):
            if abs(sp.N(slope.subs(w, weight).subs(P, p), 30)) > sp.Rational(1, 10**20):
                return {"p_cot": str(p)}
        return None

    yield from proof.cells({"p_cot": "(0, 1)"}, witness)


def _lemma_enumeration(lab: Lab) -> Iterator[Cell]:
    """The gradient over all d weights at the claimed optimum, ridge 0."""
    for d in (3, 4, 5):
        for p in share_grid():
            w = np.zeros(d)
            w[0] = lab.theory.linear_model.first_token_weight(float(p))
            gradient, _ = objective_gradient("first", d, p, 0.0, w)
            # 2^(d+1) terms of size 2^-d at most, each with a few roundings, and one ulp of the weight.
            yield lab.close({"d": d, "p_cot": p}, float(np.abs(gradient).max()), 0.0, 2**-48, "largest gradient")


LEMMA = Claim(
    id="linear_model.unregularised_optimum",
    statement="Without ridge, position 1 learns w = ln((1+p)/(1-p)) e_1, so that P(y_1 = 1 | x) = (1 + p x_1)/2.",
    latex=r"w_1 = \ln\frac{1+p}{1-p}\; e_1, \qquad P(y_1 = 1 \mid x) = \frac{1 + p\,x_1}{2}",
    origin="paper",
    source=f"{PAPER}, Lemma 1",
    kind="exact",
    domain=Domain({"d": LENGTH, "p_cot": P_COT}),
    functions=("linear_model.first_token_weight",),
    evidence=(
        Exact("certificate", "stationary and strictly convex along x_1", _lemma_identity),
        Exact("enumeration", "gradient over all weights, d = 3, 4, 5", _lemma_enumeration, scope="cells"),
    ),
    mutants=(
        Mutant(
            "w = ln((1+p)/(2(1-p)))",
            "that is the logit of (1+p)/(3-p)",
            theory={"linear_model.first_token_weight": lambda p: _log((1 + p) / (2 * (1 - p)))},
        ),
        Mutant(
            "w = 2 artanh(p/2)",
            "sigma of it is 1/2 + p/4 (the weight is 2 artanh(p))",
            theory={"linear_model.first_token_weight": lambda p: _log((1 + p / 2) / (1 - p / 2))},
        ),
    ),
)


def _log(x: Any) -> Any:
    return sp.log(x) if isinstance(x, sp.Expr) else float(np.log(float(x)))


def _scalar_optimum(t: Any, position: str | int, d: int, p: Fraction, ridge: float) -> np.ndarray:
    """The full weight vector that the scalar equations give."""
    names = feature_names(position, d)
    w = np.zeros(len(names))
    if position == "first":
        w[0] = t.regularised_first_token_weight(float(p), ridge)
    elif position == "stop":
        agree, disagree = (
            t.regularised_stop_logit_agree(float(p), ridge),
            t.regularised_stop_logit_disagree(float(p), ridge),
        )
        w[names.index("y1 x1")] = (agree - disagree) / 2
        w[names.index("bias")] = (agree + disagree) / 2
    else:
        w[names.index(f"y{int(position) - 1} x{position}")] = t.regularised_chain_weight(ridge)
    return w


def _optimum_cells(lab: Lab) -> Iterator[tuple[dict[str, Any], np.ndarray]]:
    for d in (3, 4, 5):
        for position in (*POSITIONS, d):
            for p in (Fraction(1, 20), Fraction(3, 10), Fraction(2, 5), Fraction(9, 10)):
                for ridge in (1e-3, 0.1, 2.0):
                    cell = {"d": d, "position": position, "p_cot": p, "ridge": ridge}
                    yield cell, _scalar_optimum(lab.theory.linear_model, position, d, p, ridge)


def _gradient_leg(lab: Lab) -> Iterator[Cell]:
    for cell, w in _optimum_cells(lab):
        gradient, _ = objective_gradient(cell["position"], cell["d"], cell["p_cot"], cell["ridge"], w)
        # Weights good to a few ulps move the gradient by ulps of (curvature + ridge) times the weight.
        tolerance = 2**-46 * (1 + (1 + cell["ridge"]) * float(np.abs(w).max()))
        yield lab.close(cell, float(np.abs(gradient).max()), 0.0, tolerance, "largest gradient over all features")


def _solver_leg(lab: Lab) -> Iterator[Cell]:
    for cell, w in _optimum_cells(lab):
        found, error = newton_optimum(cell["position"], cell["d"], cell["p_cot"], cell["ridge"])
        tolerance = error + 2**-46 * (1 + float(np.abs(w).max()))
        yield lab.close(cell, float(np.abs(found - w).max()), 0.0, tolerance, "largest difference of weights")


def _at(residual: Callable[..., Any], parameters: tuple[Any, ...], z: Any) -> Any:
    return residual(z, *parameters)


def _root_leg(lab: Lab) -> Iterator[Cell]:
    """Each float root against a ball of 100 certain bits."""
    from flint import arb, ctx

    from proofs_check.enclosures import enclose_root

    t = lab.theory.linear_model
    with ctx.workprec(200):
        for p in share_grid():
            for ridge in ridge_grid():
                share, coefficient = float(p), float(ridge)
                exact_p, exact_r = arb(share), arb(coefficient)  # the doubles that the solver sees
                far = 2 / exact_r + 1
                equations: dict[str, tuple[Callable[[Any], Any], Any]] = {
                    "first": (
                        partial(_at, t.first_token_stationarity, (exact_p, exact_r)),
                        t.regularised_first_token_weight(share, coefficient),
                    ),
                    "agree": (
                        partial(_at, t.stop_agree_stationarity, (exact_p, exact_r)),
                        t.regularised_stop_logit_agree(share, coefficient),
                    ),
                    "disagree": (
                        partial(_at, t.stop_disagree_stationarity, (exact_p, exact_r)),
                        t.regularised_stop_logit_disagree(share, coefficient),
                    ),
                    "chain": (partial(_at, t.chain_stationarity, (exact_r,)), t.regularised_chain_weight(coefficient)),
                }
                for name, (residual, value) in equations.items():
                    root = enclose_root(residual, -far, far, bits=180)
                    error = abs(root - arb(float(value)))
                    allowed = abs(root) * arb(2) ** -50  # eight ulps
                    ok = True if error <= allowed else False if error > allowed else None
                    yield lab.true({"p_cot": p, "ridge": ridge, "equation": name}, ok, f"root {root.str(20)}")


REGULARISED = Claim(
    id="linear_model.regularised_optimum",
    statement=(
        "The ridge optimum of each position over all its features is given by one scalar equation: lambda w = (1+p)/2 "
        "- sigma(w) at position 1, one each for the logits after agreement and disagreement at the stop position, and "
        "lambda w = sigma(-w) at position l."
    ),
    latex=(
        r"\lambda w = \tfrac{1+p}{2} - \sigma(w); \quad \tfrac{\lambda}{2} z_+ = "
        r"\tfrac{1+p}{2}\bigl(\tfrac{1-p}{1+p} - \sigma(z_+)\bigr); "
        r"\quad \tfrac{\lambda}{2} z_- = \tfrac{1-p}{2}\,\sigma(-z_-); \quad \lambda w_l = \sigma(-w_l)"
    ),
    origin="derived",
    source="stationarity on the relevant features of the ridge problem of " + PAPER,
    kind="exact",
    domain=Domain({"d": LENGTH, **DOMAIN.parameters}),
    functions=(
        "linear_model.regularised_first_token_weight",
        "linear_model.regularised_stop_logit_agree",
        "linear_model.regularised_stop_logit_disagree",
        "linear_model.regularised_chain_weight",
    ),
    evidence=(
        Exact(
            "enumeration", "gradient over all features at the scalar optimum, d = 3, 4, 5", _gradient_leg, scope="cells"
        ),
        Exact("enumeration", "full-dimensional Newton solver, d = 3, 4, 5", _solver_leg, scope="cells", cost=1.5),
        Exact("enclosure", "each root in a ball of 100 certain bits", _root_leg, scope="cells", cost=1.5),
    ),
    mutants=(
        Mutant(
            "the weight of position 1 solves the equation with ridge 2 lambda",
            "the ridge penalty is lambda |w|^2 / 2, with gradient lambda w",
            theory={
                "linear_model.regularised_first_token_weight": lambda p, ridge: _roots().regularised_first_token_weight(
                    p, 2 * ridge
                )
            },
        ),
        Mutant(
            "both logits of the stop position solve their equations with ridge 2 lambda",
            "a unit of logit costs two halves of weight, so each equation carries lambda / 2",
            theory={
                "linear_model.regularised_stop_logit_agree": lambda p, ridge: _roots().regularised_stop_logit_agree(
                    p, 2 * ridge
                ),
                "linear_model.regularised_stop_logit_disagree": lambda p, ridge: (
                    _roots().regularised_stop_logit_disagree(p, 2 * ridge)
                ),
            },
        ),
        Mutant(
            "the weight of position l is W(1/lambda)",
            "that drops the denominator of sigma(-w) = exp(-w)/(1 + exp(-w))",
            theory={"linear_model.regularised_chain_weight": lambda ridge: _roots().chain_bias_bound(ridge) / ridge},
        ),
    ),
    remarks="Where features of position l coincide on right prefixes they share the weight; see coincident_features.",
)


def _roots() -> Any:
    import theory.linear_model as module

    return module


def _threshold_certificate(lab: Lab) -> list[Cell]:
    """The residual decreases and its value at 0 has the sign of 1/3 - p, so the root does too."""
    third = sp.Rational(1, 3)

    def residual(z: Any) -> Any:
        return lab.theory.linear_model.stop_agree_stationarity(z, P, LAMBDA)

    at_zero = residual(sp.Integer(0))
    z = sp.Symbol("z", real=True)
    proof = Proof()
    everywhere = {P: (0, 1), LAMBDA: (0, sp.oo), z: (-sp.oo, sp.oo)}
    proof.positive("the residual decreases", -sp.diff(residual(z), z), everywhere)
    proof.positive("its value at 0 is positive below 1/3", at_zero, {P: (0, third), LAMBDA: (0, sp.oo)})
    proof.positive("and negative above", -at_zero, {P: (third, 1), LAMBDA: (0, sp.oo)})
    proof.step("and zero at 1/3", is_zero(at_zero.subs(P, third)))

    def witness() -> dict[str, str] | None:
        for p in (third - sp.Rational(1, 50), third, third + sp.Rational(1, 50)):
            for ridge in (sp.Rational(1, 10), sp.Integer(10)):
                value = sp.N(at_zero.subs({P: p, LAMBDA: ridge}), 30)
                if sp.sign(value) != sp.sign(third - p):
                    return {"p_cot": str(p), "ridge": str(ridge)}
        return None

    return proof.cells({"p_cot": "(0, 1)", "ridge": "(0, inf)"}, witness)


def _threshold_cells(lab: Lab) -> Iterator[Cell]:
    for offset in (
        Fraction(-1, 4),
        Fraction(-1, 100),
        Fraction(-1, 10**9),
        Fraction(0),
        Fraction(1, 10**9),
        Fraction(1, 2),
    ):
        for ridge in (1e-9, 1e-3, 1.0, 1e3):
            p = Fraction(1, 3) + offset
            logit = lab.theory.linear_model.regularised_stop_logit_agree(p, ridge)
            observed = (logit > 0) - (logit < 0)
            yield lab.equal(
                {"p_cot": p, "ridge": ridge}, observed, (offset < 0) - (offset > 0), "sign of the logit of EOS"
            )


THRESHOLD = Claim(
    id="linear_model.ridge_keeps_threshold",
    statement=(
        "Ridge of any strength leaves the greedy threshold at 1/3: the logit of EOS after agreement has the sign of "
        "1/3 - p."
    ),
    latex=(
        r"\operatorname{sign} z_+(\lambda) = \operatorname{sign}\bigl(\tfrac13 - p\bigr) \quad \text{for every "
        r"} \lambda > 0"
    ),
    origin="derived",
    source="the residual of the stop position decreases and is (1 - 3p)/4 at 0",
    kind="threshold",
    domain=DOMAIN,
    functions=("linear_model.stop_agree_stationarity", "linear_model.regularised_stop_logit_agree"),
    evidence=(
        Exact("certificate", "sign of a decreasing residual at 0", _threshold_certificate),
        Exact("enumeration", "sign of the solved logit", _threshold_cells, scope="cells"),
    ),
    mutants=(
        Mutant(
            "ridge pulls towards the logit 1 instead of 0",
            "the penalty is centred at 0",
            theory={
                "linear_model.stop_agree_stationarity": lambda z, p, ridge: (
                    _roots().stop_agree_stationarity(z, p, ridge) + ridge / 2
                )
            },
        ),
        Mutant(
            "the threshold moves with ridge: the logit has the sign of 1/3 - p - lambda/100",
            "at p = 1/3 the logit is 0 whatever the ridge",
            theory={
                "linear_model.regularised_stop_logit_agree": lambda p, ridge: (
                    _roots().regularised_stop_logit_agree(p, ridge) - ridge / 100
                )
            },
        ),
    ),
)


def _surplus_identity(lab: Lab) -> Iterator[Cell]:
    """Differentiate the stationarity equations at ridge 0."""
    t = lab.theory.linear_model
    logit = one_logarithm(t.stop_agree_logit(P))
    z, lam = sp.Symbol("z", real=True), sp.Symbol("lambda", nonnegative=True)
    residual = t.stop_agree_stationarity(z, P, LAMBDA).subs(LAMBDA, lam)
    # Implicit function theorem: dz/dlambda = -R_lambda / R_z at (Z, 0).
    slope = (-sp.diff(residual, lam) / sp.diff(residual, z)).subs(lam, 0).subs(z, logit)
    share = (1 + P) / 2 / (1 + sp.exp(z))
    surplus = sp.diff(share, z).subs(z, logit) * slope
    gap = one_logarithm(sp.expand(sp.diff(one_logarithm(t.excess_long_share(P, LAMBDA)), LAMBDA))) - surplus
    yield lab.true({"p_cot": "symbol"}, is_zero(sp.simplify(gap)), "d(share)/d(lambda) at 0, position 1 unridged")
    yield lab.true({"p_cot": "symbol"}, is_zero(share.subs(z, logit) - P), "the share is p without ridge")


def _surplus_cells(lab: Lab) -> Iterator[Cell]:
    """The exact share at a small ridge against the first order; the next order is bounded by the second derivative."""
    t = lab.theory.linear_model
    for p in (0.001, 0.01, 0.1, 0.25, 0.4):
        for ridge in (1e-4, 1e-5):
            exact = (t.regularised_long_share(p, 1e-14, ridge) - p) / ridge
            first = t.excess_long_share(p, ridge) / ridge
            # |z'' | and the curvature of sigma are bounded through 1/sigma'(Z), sigma'(Z) = 2p(1-p)/(1+p)^2.
            spread = abs(t.stop_agree_logit(p)) * (1 + p) / (2 * p * (1 - p))
            tolerance = ridge * spread * (1 + spread) + 4e-16 / ridge
            yield lab.close(
                {"p_cot": p, "ridge": ridge}, exact, first, tolerance, "surplus of the long share over lambda"
            )


SURPLUS = Claim(
    id="linear_model.excess_long_share",
    statement=(
        "To first order in the ridge of the stop position, the share of sampled answers that agree and go on exceeds p "
        "by lambda ln((1-p)/(2p))/2: too many long answers below 1/3, too few above."
    ),
    latex=r"P(\text{agree, go on}) - p = \frac{\lambda}{2}\ln\frac{1-p}{2p} + O(\lambda^2)",
    origin="derived",
    source="implicit differentiation of the stop position's equation",
    kind="rate",
    domain=DOMAIN,
    functions=("linear_model.excess_long_share",),
    evidence=(
        Exact("identity", "derivative at ridge 0", _surplus_identity),
        Exact("enumeration", "exact share at small ridge", _surplus_cells, scope="cells"),
    ),
    mutants=(
        Mutant(
            "the surplus is lambda ln((1-p)/(2p))",
            "half of it: the share moves by (1+p)/2 times the bias lambda Z/(1+p)",
            theory={"linear_model.excess_long_share": lambda p, ridge: 2 * _roots().excess_long_share(p, ridge)},
        ),
        Mutant(
            "the surplus is lambda ln((1-p)/p)/2",
            "it vanishes at 1/3, not at 1/2",
            theory={"linear_model.excess_long_share": lambda p, ridge: ridge * _log((1 - p) / p) / 2},
        ),
    ),
    remarks=(
        "Answers that start with -x_1 and go on add (1-p)/2 times the bias after disagreement, of order lambda "
        "ln(1/lambda): for small lambda this second surplus is the larger one."
    ),
)


CLAIMS = (RELEVANT, TWO_BITS, LEMMA, REGULARISED, THRESHOLD, SURPLUS)
