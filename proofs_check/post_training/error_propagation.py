"""Claims about how calibration errors travel over the rounds: envelopes, a constant that fails, a bound that holds."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from fractions import Fraction
from itertools import product
from typing import TYPE_CHECKING, Any

import numpy as np
import sympy as sp

from proofs_check.certificates import Proof, is_zero
from proofs_check.claims import Claim, Exact, Mutant
from proofs_check.domains import Domain, Real
from proofs_check.post_training._common import P_0, PAPER, ROUNDS, closed_forms, rate_leg
from proofs_check.verdicts import Cell

if TYPE_CHECKING:
    from proofs_check.lab import Lab

__all__ = ["CLAIMS"]

EPSILON = Real(0, 0.1715, meaning="calibration error of every round", symbol=r"\epsilon")


# ---------------------------------------------------------------- envelopes


def _factor_identity(lab: Lab) -> Iterator[Cell]:
    """E_n is the sum of the derivatives of p_n with respect to p_0..p_n, for p a symbol."""
    t = lab.theory.post_training
    p = sp.Symbol("p", positive=True)
    for n in range(5):
        x = sp.Symbol("x", positive=True)
        total = sp.Integer(0)
        for k in range(n + 1):
            m = sp.Integer(2) ** (n - k)
            slope = sp.diff(m * x / (m * x + 1 - x), x)
            share = sp.Integer(2) ** k * p / (sp.Integer(2) ** k * p + 1 - p)
            yield lab.true(
                {"n_rounds": n - k}, is_zero(slope - t.error_amplification(x, n - k)), "derivative of the n-th iterate"
            )
            total += slope.subs(x, share)
        yield lab.true({"n_rounds": n}, is_zero(total - t.total_error_factor(p, n)), "sum of derivatives")


def _envelope_cells(lab: Lab) -> Iterator[Cell]:
    """The closed form against the iterated worst case in rationals (the start errs too)."""
    t = lab.theory.post_training
    for p, e, top in (
        (Fraction(1, 100), Fraction(1, 10_000), 12), (Fraction(1, 5), Fraction(1, 50), 10),
        (Fraction(1, 100), Fraction(1, 60), 8), (Fraction(1, 2), Fraction(1, 6), 6),
    ):  # fmt: skip
        low, high = p - e, p + e
        for n in range(top):
            # q+ - q- is above .05 here, so the closed form keeps 12 digits.
            cell = {"p_0": float(p), "epsilon": float(e), "n_rounds": n}
            yield lab.close(cell, t.lower_envelope(float(p), float(e), n), max(float(low), 0.0), 1e-11, "from below")
            yield lab.close(cell, t.upper_envelope(float(p), float(e), n), min(float(high), 1.0), 1e-11, "from above")
            low = 2 * low / (1 + low) - e if low > 0 else Fraction(0)
            low = max(low, Fraction(0))
            high = min(2 * high / (1 + high) + e, Fraction(1))


def _envelope_proof(lab: Lab) -> list[Cell]:
    """Fixed points, their product rule, and the multiplier of the Moebius map."""
    t = lab.theory.post_training
    e = sp.Symbol("e", positive=True)
    lower, upper = t.envelope_fixed_points(e)
    proof = Proof()
    q = sp.Symbol("q", positive=True)
    for name, root in (("q-", lower), ("q+", upper)):
        proof.step(f"{name} is fixed", sp.simplify(2 * root - (root + e) * (1 + root)) == 0)
    proof.step("(1 + q-)(1 + q+) = 2", sp.simplify((1 + lower) * (1 + upper) - 2) == 0)
    a, b = sp.symbols("a b", positive=True)
    image = 2 * q / (1 + q)
    ratio = (image - 2 * a / (1 + a)) / (2 * b / (1 + b) - image)
    proof.identity("(q' - q-)/(q+ - q') = (1+b)/(1+a) (q - q-)/(q+ - q)", ratio, (1 + b) / (1 + a) * (q - a) / (b - q))
    value = sp.Rational(1, 10)
    proof.step(
        "K = 2/(1+q-)^2 = (1+q+)/(1+q-)",
        sp.simplify((2 / (1 + lower) ** 2 - (1 + upper) / (1 + lower)).subs(e, value)) == 0,
    )

    def witness() -> dict[str, Any] | None:
        from fractions import Fraction as F

        for x in (F(1, 100), F(1, 10)):
            for root in t.envelope_fixed_points(float(x)):
                if abs(2 * root / (1 + root) - float(x) - root) > 1e-9:
                    return {"epsilon": str(x), "fixed point": str(root)}
        return None

    return proof.cells({"epsilon": "(0, 3 - 2 sqrt 2)"}, witness)


def _all_signs(lab: Lab) -> Iterator[Cell]:
    """Every sequence of errors +-epsilon and 0 over six rounds, in rationals: the envelopes are attained extremes."""

    t = lab.theory.post_training
    for p, e in ((Fraction(1, 20), Fraction(1, 400)), (Fraction(2, 5), Fraction(1, 50))):
        ends: list[Any] = []
        for signs in product((-1, 0, 1), repeat=6):
            q = p + signs[0] * e
            for sign in signs[1:]:
                q = 2 * q / (1 + q) + sign * e
            ends.append(q)
        cell = {"p_0": float(p), "epsilon": float(e), "n_rounds": 5}
        yield lab.close(cell, t.lower_envelope(float(p), float(e), 5), float(min(ends)), 1e-11, "least of 729")
        yield lab.close(
            cell, t.upper_envelope(float(p), float(e), 5), float(min(max(ends), 1)), 1e-11, "largest of 729"
        )
        truth = float(2**5 * p / (2**5 * p + 1 - p))
        slope = (max(ends) - min(ends)) / (2 * e)
        # Symmetric differences of a thrice differentiable map: relative error of order (epsilon/p)^2.
        yield lab.close(
            cell, float(t.total_error_factor(float(p), 5)) / float(slope), 1.0, 4 * float(e / p) ** 2, "E_n"
        )
        yield lab.true(cell, float(min(ends)) < truth < float(max(ends)), "around the path without errors")


def _envelope_parameters(cell: Mapping[str, Any]) -> dict[str, Any]:
    return {"p_0": cell["p_0"], "n_samples": cell["n_samples"], "n_rounds": cell["n_rounds"]}


def _outside_envelope(data: Any, cell: Mapping[str, Any], theory: Any) -> np.ndarray:
    """Runs of sampled rounds that leave the envelope of the largest error that any of their own rounds made."""
    t = theory.post_training
    shares = data["long_fraction"].values
    errors = np.abs(shares[:, 1:] - 2 * shares[:, :-1] / (1 + shares[:, :-1])).max(axis=1)
    found = np.zeros(len(shares), bool)
    for n in range(1, shares.shape[1]):
        low = np.array([t.lower_envelope(cell["p_0"], float(e), n) for e in errors])
        high = np.array([t.upper_envelope(cell["p_0"], float(e), n) for e in errors])
        found |= (shares[:, n] < low - 1e-12) | (shares[:, n] > high + 1e-12)
    return np.asarray(found)


def _bent(f: str, change: Any) -> dict[str, Any]:
    return {f"post_training.{f}": lambda *a: change(getattr(closed_forms(), f)(*a), *a)}


ERRORS = Claim(
    id="post_training.error_propagation",
    statement=(
        "If every round errs by at most epsilon, the worst share after n rounds is a Moebius orbit with fixed points "
        "((1-eps) -+ sqrt((1-eps)^2 - 4 eps))/2; to first order the worst error is E_n epsilon, about 2^(n+1) at "
        "first, peak "
        "near 1/(2 p_0), then down to 2. Growth is sure iff p_0 - epsilon exceeds the lower fixed point."
    ),
    latex=(
        r"\frac{q_n-q_-}{q_+-q_n} = K^n\,\frac{q_0-q_-}{q_+-q_0},\quad K=\frac{2}{(1+q_-)^2},\qquad "
        r"E_n = \sum_{k=0}^{n}\frac{2^{n-k}}{(1+(2^{n-k}-1)p_k)^2}"
    ),
    origin="derived",
    source="the worst case is the lower envelope of an increasing map",
    kind="exact",
    domain=Domain({"p_0": P_0, "epsilon": EPSILON, "n_rounds": ROUNDS}),
    functions=("post_training.lower_envelope", "post_training.upper_envelope"),
    evidence=(
        Exact("identity", "E_n as a sum of derivatives, p a symbol", _factor_identity, scope="cells", cost=0.5),
        Exact("certificate", "fixed points and multiplier", _envelope_proof, cost=0.5),
        Exact("enumeration", "the iterated worst case, in rationals", _envelope_cells, scope="cells"),
        Exact("enumeration", "every sequence of signs over six rounds", _all_signs, scope="cells", cost=0.1),
        rate_leg(
            "sampled runs outside the envelope of their own largest error",
            "post_training.refit_shares",
            {
                "quick": [{"p_0": 0.05, "n_samples": 2000, "n_rounds": 8}],
                "full": [
                    {"p_0": p, "n_samples": n, "n_rounds": 8} for p, n in ((0.05, 2000), (0.01, 50_000), (0.2, 400))
                ],
            },
            _envelope_parameters,
            _outside_envelope,
            0.3,
        ),
    ),
    mutants=(
        Mutant(
            "errors do not travel: shares stay within epsilon of the path",
            "an error of the first round doubles in the second while shares are small",
            theory={
                "post_training.lower_envelope": lambda p, e, n: float(closed_forms().long_fraction(p, n)) - e,
                "post_training.upper_envelope": lambda p, e, n: float(closed_forms().long_fraction(p, n)) + e,
            },
        ),
        Mutant(
            "errors are multiplied by 1.9 a round",
            "the slope of 2q/(1+q) at 0 is 2",
            theory={
                **_bent("error_amplification", lambda v, p, n: v * sp.Rational(19, 20) ** n),
                **_bent("lower_envelope", lambda v, p, e, n: v * 0.95**n),
            },
        ),
        Mutant(
            "the fixed points are eps and 1 - eps",
            "2 eps/(1+eps) - eps < eps for eps > 0, and the upper one is about 1 - 2 eps",
            theory={"post_training.envelope_fixed_points": lambda e: (e, 1 - e)},
        ),
        Mutant(
            "E_n = 2^n",
            "at n = 1 it is 1 + 2/(1+p)^2",
            theory={"post_training.total_error_factor": lambda p, n: sp.Integer(2) ** n},
        ),
    ),
    remarks="The error of the start counts as a round's. In log odds the errors of the rounds simply add up.",
)

# ---------------------------------------------------------------- bounds of order 2^n epsilon


def _paper_constant(lab: Lab) -> Iterator[Cell]:
    """|q_n - p_n| <= 2^n eps with the lower envelope, in rationals: false from the first round on."""
    t = lab.theory.post_training
    for p, e, n in ((Fraction(1, 100), Fraction(1, 10_000), 1), (Fraction(1, 100), Fraction(1, 10_000), 3)):
        q = p - e
        for _ in range(n):
            q = 2 * q / (1 + q) - e
        truth = 2**n * p / (2**n * p + 1 - p)
        cell = {"p_0": str(p), "epsilon": str(e), "n_rounds": n}
        yield lab.at_most(cell, truth - q, t.error_bound_paper(e, n), "error of a run that errs down by eps each time")


CONSTANT = Claim(
    id="post_training.error_bound_constant_one",
    statement="Read with constant 1, the published order says that the error after n rounds is at most 2^n epsilon.",
    latex=r"|q_n - p_n| \le 2^n \epsilon",
    origin="paper",
    source=f"{PAPER}, proof of Theorem 2, where it is an order",
    kind="upper",
    domain=Domain({"p_0": P_0, "epsilon": EPSILON, "n_rounds": ROUNDS}),
    evidence=(
        Exact(
            "enumeration",
            "a run that errs downwards by epsilon each time, in rationals",
            _paper_constant,
            scope="cells",
        ),
    ),
    mutants=(
        Mutant(
            "the error is at most 1.5^n epsilon",
            "smaller than a bound that already fails",
            theory={"post_training.error_bound_paper": lambda e, n: e * Fraction(3, 2) ** n},
        ),
        Mutant(
            "the error is at most epsilon",
            "errors of earlier rounds are still there",
            theory={"post_training.error_bound_paper": lambda e, n: e},
        ),
    ),
    expected="fails",
    repaired_by="post_training.error_bound_telescoped",
    remarks="At p_0 = 1/100, epsilon = 1e-4 the error after one round is 2.96 epsilon.",
)


def _telescoped_proof(lab: Lab) -> list[Cell]:
    """Slopes of 2q/(1+q) lie in [1/2, 2]; e_n <= 2 e_(n-1) + eps, summed."""
    t = lab.theory.post_training
    q, e = sp.Symbol("q", positive=True), sp.Symbol("e", positive=True)
    proof = Proof()
    slope = sp.diff(2 * q / (1 + q), q)
    proof.nonnegative("the slope is at most 2", 2 - slope, {q: (0, 1)})
    proof.nonnegative("and at least 1/2", slope - sp.Rational(1, 2), {q: (0, 1)})
    m = sp.Symbol("m", positive=True)
    proof.identity("2 (2m - 1) + 1 = 2 (2m) - 1", 2 * (2 * m - 1) + 1, 2 * (2 * m) - 1)
    proof.identity("start: eps", t.error_bound_telescoped(e, 0), e)
    for n in range(4):
        proof.identity(
            f"n = {n}: twice plus eps", t.error_bound_telescoped(e, n + 1), 2 * t.error_bound_telescoped(e, n) + e
        )

    def witness() -> dict[str, Any] | None:
        x = Fraction(1, 1000)
        for n in range(4):
            if t.error_bound_telescoped(x, n) != (2 ** (n + 1) - 1) * x:
                return {"epsilon": str(x), "n_rounds": str(n)}
        return None

    return proof.cells({"epsilon": "(0, 1)"}, witness)


def _telescoped_cells(lab: Lab) -> Iterator[Cell]:
    t = lab.theory.post_training
    for p in (Fraction(1, 10_000), Fraction(1, 20), Fraction(2, 5)):
        for e in (Fraction(1, 10**6), Fraction(1, 20_000)):
            q = p - e
            for n in range(6):
                truth = 2**n * p / (2**n * p + 1 - p)
                yield lab.at_most({"p_0": p, "epsilon": e, "n_rounds": n}, truth - q, t.error_bound_telescoped(e, n))
                q = 2 * q / (1 + q) - e


TELESCOPED = Claim(
    id="post_training.error_bound_telescoped",
    statement=(
        "If every round, the start included, errs by at most epsilon, the error after n rounds is at most (2^(n+1) - "
        "1) epsilon."
    ),
    latex=r"|q_n - p_n| \le (2^{n+1}-1)\,\epsilon",
    origin="derived",
    source="e_n <= 2 e_(n-1) + epsilon",
    kind="upper",
    domain=Domain({"epsilon": EPSILON, "n_rounds": ROUNDS}),
    functions=("post_training.error_bound_telescoped",),
    evidence=(
        Exact("certificate", "slopes of the map, and the sum", _telescoped_proof),
        Exact("enumeration", "runs that err downwards each time, in rationals", _telescoped_cells, scope="cells"),
    ),
    mutants=(
        Mutant(
            "the error is at most 2^n epsilon",
            "the errors of all rounds add up",
            theory={"post_training.error_bound_telescoped": lambda e, n: 2**n * e},
        ),
        Mutant(
            "the error is at most (n+1) epsilon",
            "small shares double, and so do their errors",
            theory={"post_training.error_bound_telescoped": lambda e, n: (n + 1) * e},
        ),
    ),
    tightness=lambda lab: {
        "ratio": float(lab.theory.post_training.total_error_factor(1e-9, 8)) / (2**9 - 1),
        "interval": [float(lab.theory.post_training.total_error_factor(0.3, 8)) / (2**9 - 1), 1.0],
        "vacuous": [],
        "detail": "first-order error over bound at n = 8: attained for p_0 -> 0, 240 times too large at 0.3",
    },
)

CLAIMS = (ERRORS, CONSTANT, TELESCOPED)
