"""Claims about the bias that ridge puts on each conditional probability.

For each of the four kinds of probability: the published bound, a sharper one, both proved on
the whole domain by checked steps and enclosed on a box.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import sympy as sp

from proofs_check.certificates import Proof, counterexample, is_zero, nonnegative
from proofs_check.claims import Claim, Exact, Mutant
from proofs_check.linear_model._bias_rows import ROWS, Row, bias_margin, logit_of_bias, points, residual_of
from proofs_check.linear_model._common import DOMAIN, LAMBDA, PAPER, P, closed_forms, one_logarithm, split_logarithms
from proofs_check.verdicts import Cell

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from proofs_check.lab import Lab
    from proofs_check.runner import ClaimResult

__all__ = ["CLAIMS", "INFINITY", "U", "is_ball", "scaled_bound"]

THIRD = sp.Rational(1, 3)
U = sp.Symbol("u", positive=True)  # stands for W(1/m), so that m = exp(-u)/u
INFINITY = sp.oo


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
        return proof.cells(where, lambda: counterexample(bias_margin(t, row, bound), points(row)))

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
            f"{where}: the root lies between 0 and Z", lambda z: residual_of(t, row, z, P, LAMBDA), *ends, box
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
    residual = residual_of(t, row, z, P, LAMBDA)
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
    slope = sp.diff(residual_of(t, row, z, P, LAMBDA), z)
    free = {P: (0, 1), LAMBDA: (0, INFINITY)}
    proof.positive("the residual decreases", -slope, {**free, z: (-INFINITY, INFINITY)})
    proof.positive("it is positive at 0", residual_of(t, row, sp.Integer(0), P, LAMBDA), free)
    proof.nonnegative("it is at most 0 at u", -residual_of(t, row, U, P, ridge), box)
    half = (1 - P) / 2 if row.takes_share else 1
    expected = 1 / (1 + sp.exp(z)) - (LAMBDA / (1 - P) if row.takes_share else LAMBDA) * z
    proof.identity("at the root, sigma(-z) = m z", residual_of(t, row, z, P, LAMBDA) / half, expected)
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
            size = logit_of_bias(row, getattr(t, bound)(*row.arguments(share, ridge)), share, ridge)
            below = p is not None and row.name == "stop_agree" and share > arb(1) / 3
            value = residual_of(t, row, -size if below else size, share, ridge)
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


def scaled_bound(bound: str, factor: Callable[..., Any]) -> Callable[..., Any]:
    """A closed form times a factor of its arguments, for mutants."""
    return lambda *arguments: getattr(closed_forms(), bound)(*arguments) * factor(*arguments)


def _figure(row: Row) -> Callable[[ClaimResult], Figure]:
    def draw(result: ClaimResult) -> Figure:
        import numpy as np
        from matplotlib.figure import Figure

        from proofs_check.figures import style, theory_line

        t = closed_forms()
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
        theory={f"linear_model.{bound}": scaled_bound(bound, lambda *a: float(share) if is_ball(a[-1]) else share)},
    )
    vanishing = Mutant(
        "the bound divided by (1 + lambda)^2 bounds the bias",
        "at large lambda the bias tends to that of logit 0 while this tends to 0",
        theory={f"linear_model.{bound}": scaled_bound(bound, lambda *a: 1 / (1 + a[-1]) ** 2)},
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


def is_ball(x: Any) -> bool:
    """Whether a number is one of Arb's."""
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

    return proof.cells({"p_cot": "(0, 1)"}, lambda: counterexample(margin, points(ROWS[1])))


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
            theory={
                "linear_model.stop_agree_bias_bound": scaled_bound("stop_agree_bias_bound", lambda p, ridge: 1 + p)
            },
        ),
        Mutant(
            "the same with 10p(1-p) for 8p(1-p) in the published bound",
            "(1+p)^2 < 10p(1-p) near p = 1/3",
            theory={
                "linear_model.stop_agree_bias_bound_paper": scaled_bound(
                    "stop_agree_bias_bound_paper", lambda p, ridge: Fraction(4, 5) if not is_ball(p) else 0.8
                )
            },
        ),
    ),
    remarks="Equality: p = 1/3.",
)


CLAIMS = (*(_bound_claim(row, paper) for row in ROWS for paper in (False, True)), NEVER_LARGER)
