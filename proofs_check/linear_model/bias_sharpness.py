"""Claims about how sharp the bias bounds are as the ridge vanishes, and a misprint with its counterexample."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import sympy as sp

from proofs_check.certificates import Proof, counterexample
from proofs_check.claims import Claim, Exact, Mutant
from proofs_check.linear_model._bias_rows import ROWS, Row, bias_margin, points, residual_of
from proofs_check.linear_model._common import DOMAIN, LAMBDA, P, closed_forms, split_logarithms
from proofs_check.linear_model.bias import INFINITY, U, is_ball, scaled_bound
from proofs_check.verdicts import Cell

if TYPE_CHECKING:
    from proofs_check.lab import Lab

__all__ = ["CLAIMS"]


def _ratio_certificate(row: Row) -> Callable[[Lab], list[Cell]]:
    """The lower bound's own proof: a Newton step or a mean value from the upper end, then the limit of the ratio."""

    def run(lab: Lab) -> list[Cell]:
        t = lab.theory.linear_model
        lower, upper = getattr(t, f"{row.name}_bias_lower_bound"), getattr(t, f"{row.name}_bias_bound")
        proof = Proof()
        if row.name in ("first_token", "stop_agree"):
            ratio = sp.cancel(sp.together(split_logarithms(lower(P, LAMBDA)) / split_logarithms(upper(P, LAMBDA))))
            z, generator = sp.Symbol("z", real=True), sp.Symbol("E", positive=True)
            residual = residual_of(t, row, z, P, LAMBDA)
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
            upper_margin = bias_margin(t, row, f"{row.name}_bias_lower_bound")
            return -upper_margin(ridge) if p is None else -upper_margin(ridge, p)

        where = {name: str(parameter) for name, parameter in row.domain.parameters.items()}
        return proof.cells(where, lambda: counterexample(margin, points(row)))

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
                theory={f"linear_model.{lower}": scaled_bound(lower, lambda *a: 1 + a[-1] / (1 + a[-1]))},
            ),
            Mutant(
                "the lower bound times 3/2",
                "it would pass the upper bound as lambda -> 0",
                theory={
                    f"linear_model.{lower}": scaled_bound(lower, lambda *a: 1.5 if is_ball(a[-1]) else Fraction(3, 2))
                },
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
    with ctx.workdps(40):
        for ridge in (Fraction(1, 10), Fraction(10), Fraction(100)):
            coefficient = arb(ridge.numerator) / ridge.denominator
            printed = t.first_token_bias_bound_paper(arb(1) / 2, coefficient) / coefficient**2
            bias = printed - bias_margin(_Misprinted(t, printed), ROWS[0], "printed")(coefficient, arb(1) / 2)
            yield lab.true(
                {"p_cot": Fraction(1, 2), "ridge": ridge},
                True if bias <= printed else False if bias > printed else None,
                f"bias {bias.str(8)}, printed bound {printed.str(8)}",
            )


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
            theory={
                "linear_model.first_token_bias_bound_paper": scaled_bound("first_token_bias_bound_paper", lambda *a: 2)
            },
        ),
        Mutant(
            "the misprint without 1/(1-p^2)",
            "the same at p = 1/2 and lambda = 10",
            theory={
                "linear_model.first_token_bias_bound_paper": lambda p, ridge: closed_forms().first_token_bias_bound(
                    p, ridge
                )
            },
        ),
    ),
    remarks=(
        "True but useless for small lambda, false for large: at p = 1/2, lambda = 10 the bias is 0.24 against 0.15."
    ),
)


CLAIMS = (*(_ratio_claim(row) for row in ROWS), MISPRINT)
