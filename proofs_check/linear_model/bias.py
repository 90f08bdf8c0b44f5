"""Claims about the bias that ridge puts on each conditional probability.

For each of the four kinds of probability: the published bound, a sharper one, both proved on
the whole domain by checked steps and enclosed on a box; that the sharper one is attained in the
limit lambda -> 0; and a circulating misprint with its counterexample.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import sympy as sp

from proofs_check.certificates import Proof, counterexample, is_zero, nonnegative
from proofs_check.claims import Claim, Exact, Mutant
from proofs_check.domains import Domain
from proofs_check.linear_model._common import (
    DOMAIN,
    LAMBDA,
    PAPER,
    RIDGE,
    P,
    one_logarithm,
    ridge_grid,
    share_grid,
    split_logarithms,
)
from proofs_check.verdicts import Cell

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from proofs_check.lab import Lab
    from proofs_check.runner import ClaimResult

__all__ = ["CLAIMS"]

THIRD = sp.Rational(1, 3)
U = sp.Symbol("u", positive=True)  # stands for W(1/m), so that m = exp(-u)/u
INFINITY = sp.oo


def _theory() -> Any:
    import theory.linear_model as module

    return module


@dataclass(frozen=True)
class Row:
    """One kind of probability: its residual, bias and bounds, and how its bound is proved.

    `takes_share` is False for positions l >= 2, whose bias depends on the ridge alone.
    """

    name: str
    says: str
    latex: str
    latex_paper: str
    number: str
    takes_share: bool
    equality: str
    boxes: tuple[Mapping[str, tuple[Fraction, Fraction]], ...]

    def arguments(self, p: Any, ridge: Any) -> tuple[Any, ...]:
        """The arguments of this row's functions."""
        return (p, ridge) if self.takes_share else (ridge,)

    @property
    def domain(self) -> Domain:
        """Where the row is claimed."""
        return DOMAIN if self.takes_share else Domain({"ridge": RIDGE})


def _box(**ends: tuple[str, str]) -> dict[str, tuple[Fraction, Fraction]]:
    return {name: (Fraction(low), Fraction(high)) for name, (low, high) in ends.items()}


ROWS = (
    Row(
        "first_token",
        "of P(y_1 = x_1)",
        r"\lambda\ln\frac{1+p}{1-p}",
        r"\frac{\lambda\ln\frac{1+p}{1-p}}{1-p^2}",
        "Proposition 1",
        True,
        "p = 0",
        (_box(p=("1/20", "19/20"), ridge=("1/20", "2")),),
    ),
    Row(
        "stop_agree",
        "of P(EOS | y_1 = x_1)",
        r"\frac{\lambda\,\bigl|\ln\frac{2p}{1-p}\bigr|}{1+p}",
        r"\frac{\lambda(1+p)\,\bigl|\ln\frac{2p}{1-p}\bigr|}{8p(1-p)}",
        "Proposition 2",
        True,
        "p = 1/3",
        (_box(p=("1/20", "3/10"), ridge=("1/20", "2")), _box(p=("3/8", "19/20"), ridge=("1/20", "2"))),
    ),
    Row(
        "stop_disagree",
        "of P(EOS | y_1 = -x_1)",
        r"m\,W(1/m),\ m = \frac{\lambda}{1-p}",
        r"\sqrt{\frac{\lambda}{1-p}}",
        "Proposition 2",
        True,
        "nowhere",
        (_box(p=("1/20", "9/10"), ridge=("1/4", "2")),),
    ),
    Row(
        "chain",
        "of the right token at a position l >= 2",
        r"\lambda\,W(1/\lambda)",
        r"\sqrt{\lambda}",
        "Proposition 3",
        False,
        "nowhere",
        (_box(ridge=("1/100", "2")),),
    ),
)


def _residual(t: Any, row: Row, z: Any, p: Any, ridge: Any) -> Any:
    """The row's scalar equation, decreasing in z."""
    name = {"first_token": "first_token_stationarity", "chain": "chain_stationarity"}.get(
        row.name, f"{row.name}_stationarity"
    )
    return getattr(t, name)(z, *row.arguments(p, ridge))


def _logit_of_bias(row: Row, bias: Any, p: Any, ridge: Any) -> Any:
    """The size of the logit that has a given bias: bias = ridge * logit / (mass of the condition)."""
    mass = {"first_token": 1, "stop_agree": 1 + p, "stop_disagree": 1 - p, "chain": 1}[row.name]
    return bias * mass / ridge


def _margins(t: Any, row: Row, bound: str) -> Callable[..., Any]:
    """Bound minus bias as a ball, from a certain enclosure of the root."""
    from flint import arb

    from proofs_check.enclosures import enclose_root

    def margin(ridge: Any, p: Any = None) -> Any:
        p = arb(0) if p is None else p
        far = 1 / ridge + 2
        root = enclose_root(lambda z: _residual(t, row, z, p, ridge), -far, far)
        mass = {"first_token": 1, "stop_agree": 1 + p, "stop_disagree": 1 - p, "chain": 1}[row.name]
        return getattr(t, bound)(*row.arguments(p, ridge)) - ridge * abs(root) / mass

    return margin


def _points(row: Row) -> Iterator[dict[str, Fraction]]:
    for ridge in ridge_grid():
        if row.takes_share:
            yield from ({"p": p, "ridge": ridge} for p in share_grid())
        else:
            yield {"ridge": ridge}


def _certificate(row: Row, bound: str) -> Callable[[Lab], list[Cell]]:
    """A chain of checked steps from the scalar equation to the bound."""

    def run(lab: Lab) -> list[Cell]:
        t = lab.theory.linear_model
        proof = Proof()
        shipped = getattr(t, bound)(*row.arguments(P, LAMBDA))
        paper = bound.endswith("_paper")
        if row.name == "first_token":
            _logarithmic_steps(proof, t, row, sp.log((1 + P) / (1 - P)), shipped, paper, ((0, 1),))
        elif row.name == "stop_agree":
            _logarithmic_steps(proof, t, row, sp.log((1 - P) / (2 * P)), shipped, paper, ((0, THIRD), (THIRD, 1)))
        else:
            _lambert_steps(proof, t, row, getattr(t, bound), paper)
        where = {"p_cot": "(0, 1)", "ridge": "(0, inf)"} if row.takes_share else {"ridge": "(0, inf)"}
        return proof.cells(where, lambda: counterexample(_margins(t, row, bound), _points(row)))

    return run


def _logarithmic_steps(
    proof: Proof, t: Any, row: Row, logit: sp.Expr, shipped: sp.Expr, paper: bool, parts: tuple[tuple[Any, Any], ...]
) -> None:
    """The root lies between 0 and the unridged logit Z, so the bias is at most lambda |Z| over the condition's mass."""
    mass = 1 if row.name == "first_token" else 1 + P
    for low, high in parts:
        box = {P: (low, high), LAMBDA: (0, INFINITY)}
        rising = nonnegative(logit, box)
        where = f"{low} < p < {high}"
        ends = (sp.Integer(0), logit) if rising else (logit, sp.Integer(0))
        proof.root_between(
            f"{where}: the root lies between 0 and Z", lambda z: _residual(t, row, z, P, LAMBDA), *ends, box
        )
        size = logit if rising else -logit
        unsigned = _without_abs(shipped, box)
        sharp = LAMBDA * size / mass
        if not paper:
            proof.identity(
                f"{where}: the bound is lambda |Z| / mass", split_logarithms(unsigned), split_logarithms(sharp)
            )
        else:
            factor = sp.cancel(sp.together(split_logarithms(unsigned) / split_logarithms(sharp)))
            proof.step(
                f"{where}: the bound is a rational multiple of lambda |Z| / mass", not factor.has(sp.log, LAMBDA)
            )
            gap = sp.factor(sp.numer(sp.together(factor - 1)) * sp.denom(sp.together(factor - 1)))
            proof.step(
                f"{where}: the multiple is at least 1, as the gap {gap} is a square or certified",
                _square(gap, box) or nonnegative(factor - 1, box),
            )
    # bias = lambda |root| / mass, from the equation itself.
    z = sp.Symbol("z", real=True)
    target = {"first_token": (1 + P) / 2, "stop_agree": (1 - P) / (1 + P)}[row.name]
    residual = _residual(t, row, z, P, LAMBDA)
    half = 1 if row.name == "first_token" else (1 + P) / 2
    proof.identity(
        "at the root, target - sigma(z) = lambda z / mass",
        (residual / half) - ((target - 1 / (1 + sp.exp(-z))) - LAMBDA * z / mass),
        sp.Integer(0),
    )


def _unsign(argument: sp.Expr, box: Mapping[Any, Any]) -> sp.Expr:
    """|a| as a or -a, whichever sign is certified on the box; an uncertain sign stays."""
    joined = one_logarithm(argument)
    if nonnegative(joined, box):
        return joined
    return -joined if nonnegative(-joined, box) else sp.Abs(joined)


def _without_abs(expression: sp.Expr, box: Mapping[Any, Any]) -> sp.Expr:
    """The expression with every absolute value resolved whose sign is certified on the box."""
    return expression.replace(lambda e: isinstance(e, sp.Abs), lambda e: _unsign(e.args[0], box))


def _square(expression: sp.Expr, box: Mapping[Any, Any]) -> bool:
    """Whether an expression is a certified non-negative factor times squares."""
    rest = sp.Integer(1)
    for base, exponent in sp.factor_list(expression)[1]:
        if exponent % 2:
            rest *= base
    constant = sp.factor_list(expression)[0]
    return nonnegative(constant * rest, box)


def _lambert_steps(proof: Proof, t: Any, row: Row, bound: Callable[..., Any], paper: bool) -> None:
    """With u = W(1/m): the root is at most u because e^-z >= sigma(-z), so the bias m z is at most m u <= sqrt(m)."""
    m = sp.exp(-U) / U
    ridge = m * (1 - P) if row.takes_share else m
    box = {P: (0, 1), U: (0, INFINITY)}
    proof.identity("u = W(1/m): u e^u = 1/m", U * sp.exp(U), 1 / m)
    z = sp.Symbol("z", real=True)
    slope = sp.diff(_residual(t, row, z, P, LAMBDA), z)
    free = {P: (0, 1), LAMBDA: (0, INFINITY)}
    proof.positive("the residual decreases", -slope, {**free, z: (-INFINITY, INFINITY)})
    proof.positive("it is positive at 0", _residual(t, row, sp.Integer(0), P, LAMBDA), free)
    proof.nonnegative("it is at most 0 at u", -_residual(t, row, U, P, ridge), box)
    half = (1 - P) / 2 if row.takes_share else 1
    expected = 1 / (1 + sp.exp(z)) - (LAMBDA / (1 - P) if row.takes_share else LAMBDA) * z
    proof.identity("at the root, sigma(-z) = m z", _residual(t, row, z, P, LAMBDA) / half, expected)
    # W stays unevaluated in SymPy: replace it by u where its argument is u e^u, by the definition of W.
    shipped = bound(*row.arguments(P, ridge))
    known = all(is_zero(atom.args[0] - U * sp.exp(U)) for atom in shipped.atoms(sp.LambertW))
    shipped = shipped.replace(lambda e: isinstance(e, sp.LambertW), lambda e: U)
    if not paper:
        proof.step("W is taken at u e^u", known)
        proof.identity("the bound is m u", shipped, m * U)
    else:
        proof.identity("the bound squared is m", sp.powdenest(shipped, force=True) ** 2, m)
        proof.identity("m - (m u)^2 = m e^-u (e^u - u)", m - (m * U) ** 2, m * sp.exp(-U) * (sp.exp(U) - U))
        # e^u >= 1 + u: its difference is zero with zero slope at 0, and convex.
        gap = sp.exp(U) - 1 - U
        tangent = gap.subs(U, 0) == 0 and sp.diff(gap, U).subs(U, 0) == 0
        proof.step("e^u >= 1 + u > u", tangent and nonnegative(sp.diff(gap, U, 2), {U: (0, INFINITY)}))


def _enclosure(row: Row, bound: str) -> Exact:
    """On a box: the residual is certainly not positive at the logit whose bias is the bound."""

    def run(lab: Lab) -> Iterator[Cell]:
        from flint import arb

        from proofs_check.enclosures import enclose

        t = lab.theory.linear_model

        def margin(ridge: Any, p: Any = None) -> Any:
            share = arb(0) if p is None else p
            size = _logit_of_bias(row, getattr(t, bound)(*row.arguments(share, ridge)), share, ridge)
            below = p is not None and row.name == "stop_agree" and share > arb(1) / 3
            value = _residual(t, row, -size if below else size, share, ridge)
            return value if below else -value

        for box in row.boxes:
            yield enclose(margin, box).cell(box)

    shown = "; ".join(", ".join(f"{n} in [{a}, {b}]" for n, (a, b) in box.items()) for box in row.boxes)
    return Exact("enclosure", f"ball arithmetic on {shown}", run, scope="box", cost=1.0)


def _tightness(row: Row, bound: str) -> Callable[[Lab], dict[str, Any]]:
    def measure(lab: Lab) -> dict[str, Any]:
        t = lab.theory.linear_model
        ratios = {}
        vacuous = []
        for p in (0.01, 0.1, 0.2, 0.3, 0.4, 0.6, 0.9):
            for ridge in (1e-4, 1e-3, 1e-2, 0.1, 1.0):
                arguments = row.arguments(p, ridge)
                limit = getattr(t, bound)(*arguments)
                ratios[p, ridge] = getattr(t, row.name + "_bias")(*arguments) / limit
                if limit >= 1:
                    vacuous.append({"p_cot": p, "ridge": ridge})
        best = max(ratios, key=lambda k: ratios[k])
        return {
            "ratio": ratios[best],
            "interval": [min(ratios.values()), max(ratios.values())],
            "vacuous": vacuous,
            "detail": (
                f"bias / bound over p in [.01, .9] and lambda in [1e-4, 1]; largest at p = {best[0]}, "
                f"lambda = {best[1]}"
            ),
        }

    return measure


def _scaled(bound: str, factor: Callable[..., Any]) -> Callable[..., Any]:
    return lambda *arguments: getattr(_theory(), bound)(*arguments) * factor(*arguments)


def _figure(row: Row) -> Callable[[ClaimResult], Figure]:
    def draw(result: ClaimResult) -> Figure:
        import numpy as np
        from matplotlib.figure import Figure

        from proofs_check.figures import style, theory_line

        t = _theory()
        ridges = np.logspace(-5, 0.5, 80)
        with style():
            figure = Figure(figsize=(6.4, 3.8), layout="constrained")
            ax = figure.add_subplot()
            for p in (0.1, 0.6) if row.takes_share else (0.5,):
                label = f", p = {p}" if row.takes_share else ""
                arguments = row.arguments(p, ridges)
                exact = getattr(t, row.name + "_bias")(*arguments)
                theory_line(
                    ax, ridges, getattr(t, row.name + "_bias_bound")(*arguments) / exact, f"sharper bound{label}"
                )
                theory_line(
                    ax, ridges, getattr(t, row.name + "_bias_bound_paper")(*arguments) / exact, f"published{label}"
                )
            ax.axhline(1, color="0.5", linewidth=0.8)
            ax.set(xscale="log", yscale="log", xlabel=r"ridge $\lambda$", ylabel="bound / exact bias")
            ax.legend()
        return figure

    return draw


def _bound_claim(row: Row, paper: bool) -> Claim:
    bound = f"{row.name}_bias_bound" + ("_paper" if paper else "")
    latex = row.latex_paper if paper else row.latex
    loose = paper and row.name in ("stop_disagree", "chain")  # there bias / bound never reaches 0.54
    share = Fraction(2, 5) if loose else Fraction(1, 2)
    smaller = Mutant(
        f"{share} of the bound bounds the bias",
        f"bias / bound is above {share} at lambda = 1/20",
        theory={f"linear_model.{bound}": _scaled(bound, lambda *a: float(share) if _is_ball(a[-1]) else share)},
    )
    vanishing = Mutant(
        "the bound divided by (1 + lambda)^2 bounds the bias",
        "at large lambda the bias tends to that of logit 0 while this tends to 0",
        theory={f"linear_model.{bound}": _scaled(bound, lambda *a: 1 / (1 + a[-1]) ** 2)},
    )
    return Claim(
        id=f"linear_model.{bound}",
        statement=f"The ridge bias {row.says} is at most {_plain(row, paper)}.",
        latex=rf"|P_\lambda - P| \le {latex}",
        origin="paper" if paper else "derived",
        source=f"{PAPER}, {row.number}" if paper else "root of a decreasing residual between 0 and its unridged value",
        kind="upper",
        domain=row.domain,
        functions=(f"linear_model.{bound}",),
        evidence=(
            Exact("certificate", "bias = lambda |logit| / mass, and the logit is bracketed", _certificate(row, bound)),
            _enclosure(row, bound),
        ),
        mutants=(smaller, vanishing),
        tightness=_tightness(row, bound),
        figure=_figure(row),
        remarks=f"Equality: {row.equality}.",
    )


def _plain(row: Row, paper: bool) -> str:
    return {
        ("first_token", False): "lambda ln((1+p)/(1-p))",
        ("first_token", True): "lambda ln((1+p)/(1-p)) / (1-p^2)",
        ("stop_agree", False): "lambda |ln(2p/(1-p))| / (1+p)",
        ("stop_agree", True): "lambda (1+p) |ln(2p/(1-p))| / (8p(1-p))",
        ("stop_disagree", False): "m W(1/m), m = lambda/(1-p)",
        ("stop_disagree", True): "sqrt(lambda/(1-p))",
        ("chain", False): "lambda W(1/lambda)",
        ("chain", True): "sqrt(lambda)",
    }[row.name, paper]


def _is_ball(x: Any) -> bool:
    return type(x).__module__.split(".")[0] == "flint"


def _never_larger(lab: Lab) -> list[Cell]:
    t = lab.theory.linear_model
    proof = Proof()
    for low, high in ((0, THIRD), (THIRD, 1)):
        box = {P: (low, high), LAMBDA: (0, INFINITY)}
        unsigned = [_without_abs(f(P, LAMBDA), box) for f in (t.stop_agree_bias_bound, t.stop_agree_bias_bound_paper)]
        ratio = sp.cancel(sp.together(split_logarithms(unsigned[1]) / split_logarithms(unsigned[0])))
        proof.identity(
            f"{low} < p < {high}: ratio - 1 = (3p-1)^2 / (8p(1-p))", ratio - 1, (3 * P - 1) ** 2 / (8 * P * (1 - P))
        )
    proof.identity("(1+p)^2 - 8p(1-p) = (3p-1)^2", (1 + P) ** 2 - 8 * P * (1 - P), (3 * P - 1) ** 2)
    proof.positive("8p(1-p) > 0", 8 * P * (1 - P), {P: (0, 1)})

    def margin(p: Any, ridge: Any) -> Any:
        return t.stop_agree_bias_bound_paper(p, ridge) - t.stop_agree_bias_bound(p, ridge)

    return proof.cells({"p_cot": "(0, 1)"}, lambda: counterexample(margin, _points(ROWS[1])))


def _never_larger_cells(lab: Lab) -> Iterator[Cell]:
    t = lab.theory.linear_model
    for p in (1e-6, 0.05, 0.2, 0.3, 1 / 3 - 1e-4, 1 / 3 + 1e-4, 0.4, 0.7, 0.95, 1 - 1e-6):
        for ridge in (1e-6, 0.1, 10.0):
            sharp, paper = t.stop_agree_bias_bound(p, ridge), t.stop_agree_bias_bound_paper(p, ridge)
            yield lab.true({"p_cot": p, "ridge": ridge}, sharp <= paper, f"{sharp:.6g} <= {paper:.6g}")


NEVER_LARGER = Claim(
    id="linear_model.sharper_never_larger",
    statement="The sharper bound after agreement never exceeds the published one; their ratio is 1 exactly at p = 1/3.",
    latex=r"\frac{(1+p)^2}{8p(1-p)} - 1 = \frac{(3p-1)^2}{8p(1-p)} \ge 0",
    origin="derived",
    source="comparison of the two bounds",
    kind="property",
    domain=DOMAIN,
    functions=("linear_model.stop_agree_bias_bound", "linear_model.stop_agree_bias_bound_paper"),
    evidence=(
        Exact("certificate", "the gap is a square over a positive number", _never_larger),
        Exact("enumeration", "both bounds at cells near and far from 1/3", _never_larger_cells, scope="cells"),
    ),
    mutants=(
        Mutant(
            "the same without the factor 1/(1+p) of the sharper bound",
            "then it exceeds the published bound at p = 1/5",
            theory={"linear_model.stop_agree_bias_bound": _scaled("stop_agree_bias_bound", lambda p, ridge: 1 + p)},
        ),
        Mutant(
            "the same with 10p(1-p) for 8p(1-p) in the published bound",
            "(1+p)^2 < 10p(1-p) near p = 1/3",
            theory={
                "linear_model.stop_agree_bias_bound_paper": _scaled(
                    "stop_agree_bias_bound_paper", lambda p, ridge: Fraction(4, 5) if not _is_ball(p) else 0.8
                )
            },
        ),
    ),
    remarks="Equality: p = 1/3.",
)


def _ratio_certificate(row: Row) -> Callable[[Lab], list[Cell]]:
    """The lower bound's own proof: a Newton step or a mean value from the upper end, then the limit of the ratio."""

    def run(lab: Lab) -> list[Cell]:
        t = lab.theory.linear_model
        lower, upper = getattr(t, f"{row.name}_bias_lower_bound"), getattr(t, f"{row.name}_bias_bound")
        proof = Proof()
        if row.name in ("first_token", "stop_agree"):
            ratio = sp.cancel(sp.together(split_logarithms(lower(P, LAMBDA)) / split_logarithms(upper(P, LAMBDA))))
            z, generator = sp.Symbol("z", real=True), sp.Symbol("E", positive=True)
            residual = _residual(t, row, z, P, LAMBDA)
            logit = sp.log((1 + P) / (1 - P)) if row.name == "first_token" else sp.log((1 - P) / (2 * P))
            slope_at_end = sp.simplify(-sp.diff(residual, z).subs(z, logit))
            value_at_end = residual.subs(z, logit)
            # |Z - root| <= |R(Z)| / min slope, and the slope sigma' is least at Z, the end farthest from 0.
            proof.identity(
                "ratio = 1 - |R(Z)| / (|Z| slope(Z))", ratio, 1 - sp.simplify(-value_at_end / logit) / slope_at_end
            )
            bend = (
                sp.diff(1 / (1 + sp.exp(-z)), z, 2).subs(sp.exp(-z), 1 / generator).subs(sp.exp(-2 * z), generator**-2)
            )
            proof.positive("sigma' decreases away from 0 (sigma'' < 0 for z > 0)", -bend, {generator: (1, INFINITY)})
            proof.identity("sigma' is even", _logistic_slope(z) - _logistic_slope(-z), sp.Integer(0))
            proof.identity("the ratio is 1 at lambda = 0", ratio.subs(LAMBDA, 0), sp.Integer(1))
        else:
            m = sp.exp(-U) / U
            ridge = m * (1 - P) if row.takes_share else m
            given = [f(*row.arguments(P, ridge)) for f in (lower, upper)]
            given = [e.replace(lambda x: isinstance(x, sp.LambertW), lambda x: U) for e in given]
            ratio = sp.simplify(given[0] / given[1])
            z = sp.Symbol("z", real=True)
            scaled = 1 / (1 + sp.exp(z)) - m * z
            newton = U - scaled.subs(z, U) / sp.diff(scaled, z).subs(z, U)
            proof.identity("the bound is m times Newton's step from u", ratio * U, newton)
            generator = sp.Symbol("E", positive=True)
            bend = sp.diff(1 / (1 + sp.exp(z)), z, 2).subs(sp.exp(2 * z), generator**2).subs(sp.exp(z), generator)
            proof.positive(
                "the residual is convex for z > 0, so Newton's step stays left of the root",
                bend,
                {generator: (1, INFINITY)},
            )
            proof.step("the ratio tends to 1 as u = W(1/m) -> inf", sp.limit(ratio, U, INFINITY) == 1)

        def margin(ridge: Any, p: Any = None) -> Any:
            upper_margin = _margins(t, row, f"{row.name}_bias_lower_bound")
            return -upper_margin(ridge) if p is None else -upper_margin(ridge, p)

        where = {name: str(parameter) for name, parameter in row.domain.parameters.items()}
        return proof.cells(where, lambda: counterexample(margin, _points(row)))

    return run


def _logistic_slope(z: Any) -> Any:
    return sp.exp(-z) / (1 + sp.exp(-z)) ** 2


def _ratio_cells(row: Row) -> Callable[[Lab], Iterator[Cell]]:
    def run(lab: Lab) -> Iterator[Cell]:
        t = lab.theory.linear_model
        for p in (0.01, 0.2, 0.4, 0.9) if row.takes_share else (0.5,):
            for ridge in (1e-8, 1e-4, 1e-2, 1.0, 100.0):
                arguments = row.arguments(p, ridge)
                bias, low = (
                    getattr(t, f"{row.name}_bias")(*arguments),
                    getattr(t, f"{row.name}_bias_lower_bound")(*arguments),
                )
                cell = {"p_cot": p, "ridge": ridge} if row.takes_share else {"ridge": ridge}
                yield lab.true(cell, low <= bias * (1 + 2**-45), f"{low:.6g} <= {bias:.6g}")

    return run


def _ratio_claim(row: Row) -> Claim:
    lower = f"{row.name}_bias_lower_bound"
    return Claim(
        id=f"linear_model.{row.name}_bias_attained",
        statement=(
            f"The sharper bound on the ridge bias {row.says} is attained in the limit: bias / bound is at least "
            f"an explicit "
            "ratio that tends to 1 as lambda -> 0."
        ),
        latex=_RATIOS[row.name],
        origin="derived",
        source="slope of the residual between the root and the bound",
        kind="rate",
        domain=row.domain,
        functions=(f"linear_model.{lower}",),
        evidence=(
            Exact("certificate", "lower bound by a tangent, and its limit", _ratio_certificate(row), cost=0.5),
            Exact("enumeration", "lower bound against the solved bias", _ratio_cells(row), scope="cells"),
        ),
        mutants=(
            Mutant(
                "the lower bound times 1 + lambda/(1 + lambda)",
                "at large lambda the bias passes below it",
                theory={f"linear_model.{lower}": _scaled(lower, lambda *a: 1 + a[-1] / (1 + a[-1]))},
            ),
            Mutant(
                "the lower bound times 3/2",
                "it would pass the upper bound as lambda -> 0",
                theory={f"linear_model.{lower}": _scaled(lower, lambda *a: 1.5 if _is_ball(a[-1]) else Fraction(3, 2))},
            ),
        ),
    )


_RATIOS = {
    "first_token": (
        r"\frac{|P_\lambda-P|}{\lambda\ln\frac{1+p}{1-p}} \ge "
        r"\Bigl(1+\frac{4\lambda}{1-p^2}\Bigr)^{-1} \to 1"
    ),
    "stop_agree": (
        r"\frac{(1+p)\,|P_\lambda-P|}{\lambda\,|\ln\frac{2p}{1-p}|} \ge "
        r"\Bigl(1+\frac{\lambda(1+p)}{2p(1-p)}\Bigr)^{-1} \to 1"
    ),
    "stop_disagree": r"\frac{|P_\lambda-P|}{mW} \ge 1-\frac{u(1+u)}{W+(1+u)^2} \to 1,\quad u = e^{-W},\ W = W(1/m)",
    "chain": (
        r"\frac{|P_\lambda-P|}{\lambda W} \ge 1-\frac{u(1+u)}{W+(1+u)^2} \to 1,\quad u = e^{-W},\ W = "
        r"W(1/\lambda)"
    ),
}


def _misprint(lab: Lab) -> Iterator[Cell]:
    """ln((1+p)/(1-p)) / (lambda (1-p^2)) against the exact bias, as balls."""
    from flint import arb, ctx

    t = lab.theory.linear_model
    before, ctx.dps = ctx.dps, 40
    try:
        for ridge in (Fraction(1, 10), Fraction(10), Fraction(100)):
            coefficient = arb(ridge.numerator) / ridge.denominator
            printed = t.first_token_bias_bound_paper(arb(1) / 2, coefficient) / coefficient**2
            bias = printed - _margins(_Misprinted(t, printed), ROWS[0], "printed")(coefficient, arb(1) / 2)
            yield lab.true(
                {"p_cot": Fraction(1, 2), "ridge": ridge},
                True if bias <= printed else False if bias > printed else None,
                f"bias {bias.str(8)}, printed bound {printed.str(8)}",
            )
    finally:
        ctx.dps = before


class _Misprinted:
    """The shipped residual beside a bound given as a number."""

    def __init__(self, t: Any, value: Any) -> None:
        self.first_token_stationarity = t.first_token_stationarity
        self.printed = lambda p, ridge: value


MISPRINT = Claim(
    id="linear_model.first_token_bias_misprint",
    statement=(
        "The ridge bias of P(y_1 = x_1) is at most ln((1+p)/(1-p)) / (lambda (1-p^2)), with lambda in the denominator."
    ),
    latex=r"|P_\lambda - P| \le \frac{\ln\frac{1+p}{1-p}}{\lambda\,(1-p^2)}",
    origin="derived",
    source="a circulating transcription of Proposition 1; strong convexity puts lambda in the numerator",
    kind="upper",
    domain=DOMAIN,
    expected="fails",
    repaired_by="linear_model.first_token_bias_bound_paper",
    evidence=(Exact("enclosure", "exact bias at p = 1/2 as a ball", _misprint, scope="cells"),),
    mutants=(
        Mutant(
            "the misprint with twice the logarithm",
            "it still tends to 0 as lambda grows, while the bias tends to p/2",
            theory={"linear_model.first_token_bias_bound_paper": _scaled("first_token_bias_bound_paper", lambda *a: 2)},
        ),
        Mutant(
            "the misprint without 1/(1-p^2)",
            "the same at p = 1/2 and lambda = 10",
            theory={
                "linear_model.first_token_bias_bound_paper": lambda p, ridge: _theory().first_token_bias_bound(p, ridge)
            },
        ),
    ),
    remarks=(
        "True but useless for small lambda, false for large: at p = 1/2, lambda = 10 the bias is 0.24 against 0.15."
    ),
)

CLAIMS = (
    *(_bound_claim(row, paper) for row in ROWS for paper in (False, True)),
    NEVER_LARGER,
    *(_ratio_claim(row) for row in ROWS),
    MISPRINT,
)
