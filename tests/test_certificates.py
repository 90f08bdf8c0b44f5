"""The proof checker never certifies what is false, and does certify what it is meant for.

Soundness is tried on random expressions: whatever is certified is evaluated to 50 digits at
rational points of the box. Each way in which an earlier checker could be deceived is kept as
an example.
"""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Any

import pytest
import sympy as sp
from hypothesis import example, given
from hypothesis import strategies as st

from proofs_check.certificates import Proof, counterexample, is_zero, nonnegative, positive
from proofs_check.verdicts import Verdict

X, Y, W = sp.symbols("x y w")
OO = sp.oo
DIGITS = 50
ZERO = sp.Float(10) ** -40  # 50 digits leave at least 40 in sums of the sizes drawn here

WEIGHTS = st.sampled_from([-2, -1, 0, 1, 1, 2, 3])
RATIONALS = st.fractions(-3, 3, max_denominator=4).map(sp.Rational)
EXPONENTS = st.sampled_from([sp.Rational(k, 2) for k in (-4, -2, -1, 1, 2, 3, 4)])


def number(expression: sp.Expr, point: dict[sp.Symbol, sp.Rational]) -> sp.Expr:
    return sp.N(expression.subs(point), DIGITS)


@st.composite
def expressions(draw: Any) -> sp.Expr:
    """Rational expressions in x, y and in exponentials and logarithms of them."""
    leaves = [
        X,
        Y,
        sp.exp(X),
        sp.exp(-X),
        sp.exp(2 * X + Y),
        sp.exp(X / 2),
        sp.exp(sp.exp(X)),
        sp.log(1 + X**2),
        sp.log((1 + sp.exp(X)) / 2),
        sp.exp(X * sp.log(2 + Y**2)),
        sp.Integer(1),
    ]
    parts = []
    for _ in range(draw(st.integers(1, 3))):
        a, b, c = (draw(st.sampled_from(leaves)) for _ in range(3))
        parts.append(draw(RATIONALS) * a * (b + draw(RATIONALS)) / (1 + c**2 if draw(st.booleans()) else 1))
    return sp.Add(*parts)


REWRITES = (
    sp.expand,
    sp.together,
    lambda e: sp.expand_power_exp(sp.expand(e)),
    lambda e: sp.expand(e * (1 + sp.exp(X))) / (1 + sp.exp(X)),
    lambda e: (e * sp.exp(-Y) + sp.exp(-X - Y)) * sp.exp(Y) - sp.exp(-X),
    lambda e: e + sp.log(sp.exp(2)) - 2,
)


@given(expressions(), st.sampled_from(REWRITES), st.sampled_from([0, 0, 1, sp.Rational(1, 10**9), X, sp.exp(X) - X]))
def test_is_zero_is_true_only_of_zero(expression: sp.Expr, rewrite: Any, added: Any) -> None:
    """A rewritten expression minus itself, with or without something added."""
    gap = rewrite(expression) - expression + added
    points = [{X: sp.Rational(1, 3), Y: sp.Rational(-2, 7)}, {X: sp.Rational(-5, 4), Y: sp.Rational(3, 5)}]
    values = [abs(number(gap, point)) for point in points]
    if is_zero(gap):
        assert max(values) < ZERO
    if added != 0:
        assert max(values) > ZERO  # the example is what it is meant to be
        assert not is_zero(gap)


@given(expressions(), st.sampled_from(REWRITES[:2]))
def test_is_zero_sees_through_expansion(expression: sp.Expr, rewrite: Any) -> None:
    assert is_zero(rewrite(expression) - expression)


@pytest.mark.parametrize(
    ("left", "right"),
    [
        (1 / (1 + sp.exp(-W)), sp.exp(W) / (1 + sp.exp(W))),
        (sp.exp(W + 1), sp.E * sp.exp(W)),
        ((sp.exp(W / 2) + 1) ** 2, sp.exp(W) + 2 * sp.exp(W / 2) + 1),
        (sp.exp(-2 * W) * (1 + sp.exp(W)) ** 2, (1 + sp.exp(-W)) ** 2),
        (sp.exp(sp.exp(2 * W)) ** 2 - 1, (sp.exp(sp.exp(2 * W)) - 1) * (sp.exp(sp.exp(2 * W)) + 1)),
    ],
)
def test_identities_that_must_be_found(left: sp.Expr, right: sp.Expr) -> None:
    assert is_zero(left - right)
    assert not is_zero(left - right + sp.Rational(1, 10**12))


@pytest.mark.parametrize(
    "expression",
    [
        0.1 * X + 0.2 * X - 0.3 * X,
        sp.Float(1) * X * (Y + 1) - X * Y - X,  # a float is no exact coefficient
        sp.nan,
        sp.oo - X,
        sp.sqrt(sp.exp(2 * sp.I * X)) - sp.exp(sp.I * X),  # differs by a sign for some x
        ((Y + 1) ** 2 - Y**2 - 2 * Y - 1) / ((X + 1) ** 2 - X**2 - 2 * X - 1),  # 0/0
        ((X + 1) ** 2 - X**2 - 2 * X - 1) / (sp.exp(2 * X) - 1 - (sp.exp(X) - 1) * (sp.exp(X) + 1)),
        sp.log(X * Y) - sp.log(X) - sp.log(Y),  # false for negative x and y
        sp.sqrt(X**2) - X,
    ],
)
def test_is_zero_refuses_what_is_not_shown(expression: sp.Expr) -> None:
    assert is_zero(expression) is False


BOXES = {
    "(0, 1)": (0, 1, [Fraction(k, 24) for k in range(1, 24)] + [Fraction(1, 10**6), 1 - Fraction(1, 10**6)]),
    "(1, oo)": (1, OO, [1 + Fraction(1, 10**6), Fraction(5, 4), Fraction(2), Fraction(7, 2), Fraction(30)]),
    "(-oo, 0)": (-OO, 0, [-Fraction(1, 10**6), Fraction(-1, 4), Fraction(-1), Fraction(-3), Fraction(-20)]),
    "(-1, 2)": (-1, 2, [Fraction(k, 8) for k in range(-7, 16)]),
}


@given(
    st.lists(WEIGHTS, min_size=2, max_size=5), st.lists(WEIGHTS, min_size=1, max_size=3), st.sampled_from(sorted(BOXES))
)
@example([-1, 0, 0], [1], "(0, 1)")
def test_certified_rational_functions_have_the_sign(top: list[int], bottom: list[int], box: str) -> None:
    low, high, points = BOXES[box]
    denominator = sp.Poly(bottom, X).as_expr()
    expression = sp.Poly(top, X).as_expr() / (denominator if denominator != 0 else 1)
    certified, strictly = nonnegative(expression, {X: (low, high)}), positive(expression, {X: (low, high)})
    values = [expression.subs(X, sp.Rational(p)) for p in points]
    if certified:
        assert all(v.is_finite and v >= 0 for v in values)
    if strictly:
        assert certified
        assert all(v > 0 for v in values)


@st.composite
def transcendental(draw: Any) -> sp.Expr:
    """Sums of products of x with exponentials and logarithms of expressions in x."""
    inner = draw(
        st.sampled_from(
            [X, X / 2, -X, 1 - X, X - 1, X**2, X * (1 - X), sp.log(X), sp.log(1 + X), sp.exp(X), 1 / X, -1 / X]
        )
    )
    outer = [
        sp.exp(inner),
        sp.exp(draw(EXPONENTS) * inner),
        sp.log(1 + X),
        sp.log(X),
        sp.log(X / (1 + X)),
        sp.log((1 + sp.exp(X)) / 2),
        sp.log(2 - X),
        X,
        sp.Integer(1),
    ]
    parts = []
    for _ in range(draw(st.integers(1, 3))):
        parts.append(draw(WEIGHTS) * draw(st.sampled_from(outer)) * draw(st.sampled_from(outer)))
    return sp.Add(*parts)


@given(transcendental(), st.sampled_from(["(0, 1)", "(1, oo)", "(-oo, 0)"]))
@example(-sp.log(X), "(0, 1)")
@example(sp.exp(X) - sp.exp(X / 2), "(0, 1)")
@example(1 - sp.exp(-X), "(1, oo)")
def test_certified_expressions_have_the_sign(expression: sp.Expr, box: str) -> None:
    low, high, points = BOXES[box]
    certified, strictly = nonnegative(expression, {X: (low, high)}), positive(expression, {X: (low, high)})
    assert certified or not strictly
    for point in points[::3] if certified else ():
        value = number(expression, {X: sp.Rational(point)})
        assert value.is_real, (expression, point)
        assert value >= -ZERO
        assert value > 0 or not strictly or expression.subs(X, sp.Rational(point)).is_positive


UNIT = {X: (0, 1)}


@pytest.mark.parametrize(
    ("expression", "box"),
    [
        ((1 + X) ** 2 - X, UNIT),
        (9 * X**2 - 6 * X + 1, {X: (sp.Rational(1, 3), 1)}),
        (sp.exp(2 * W) - sp.exp(W / 2), {W: (0, OO)}),
        (1 - sp.exp(-W), {W: (0, OO)}),
        (1 - sp.exp(W), {W: (-OO, 0)}),
        (sp.exp(W) / (1 + sp.exp(W)), {W: (-OO, OO)}),
        (-sp.log(X), UNIT),
        (-sp.log(X / (1 + X)), UNIT),
        (sp.log((1 + sp.exp(W)) / 2), {W: (0, OO)}),
        (sp.exp(sp.log(1 + X) ** 2 + X) - 1, UNIT),
        (1 - sp.exp(-X * (1 - X)), UNIT),
        (sp.log(2) * X, UNIT),
        (X - Y, {Y: (0, X), X: (0, 1)}),
        (Y * sp.exp(X), {X: (0, 1), Y: (0, 0.5)}),
    ],
)
def test_signs_that_must_be_certified(expression: sp.Expr, box: Any) -> None:
    assert positive(expression, box)
    assert nonnegative(expression, box)
    assert not nonnegative(-expression, box)


# An expression that is 0 but that no constructor simplifies.
DISGUISED = (W + 1) ** 2 - W**2 - 2 * W - 1
POSITIVE_SYMBOL = sp.Symbol("s", positive=True)


@pytest.mark.parametrize(
    ("expression", "box"),
    [
        (-X, {X: (-OO, OO)}),  # the whole line is no orthant
        (X**2, {X: (-OO, OO)}),  # 0 at 0
        (-sp.log(X - 5), UNIT),  # not real
        (sp.exp(sp.sqrt(X - 5)), UNIT),
        (sp.exp(sp.log(X - 5)) ** 2 + sp.exp(1 / (X - sp.Rational(1, 2))), UNIT),  # a pole inside the box
        (sp.exp(W * DISGUISED) - 1, {W: (0, OO)}),  # 0, not positive
        (sp.log(1 + DISGUISED, evaluate=False), {W: (0, OO)}),
        (DISGUISED, {W: (0, OO)}),
        (X, {}),  # no range given
        (POSITIVE_SYMBOL, {}),
        (sp.exp(Y), UNIT),
        (
            sp.Abs(POSITIVE_SYMBOL) + 2 * POSITIVE_SYMBOL,
            {POSITIVE_SYMBOL: (-1, 1)},
        ),  # declared positive, boxed otherwise
        (X, {X: (1, 0)}),  # nothing lies in the box
        (X, {X: (OO, OO)}),
        (sp.sqrt(sp.Integer(5) + 2 * sp.sqrt(6)) - sp.sqrt(2) - sp.sqrt(3) + 0 * X, UNIT),  # 0
        (sp.I * X, UNIT),
        (X + sp.oo, UNIT),
        (sp.Float(1) * X, UNIT),  # a float is no exact coefficient
        (sp.Piecewise((X, sp.Rational(1, 2) < X), (-1, True)), UNIT),
        (sp.floor(2 * X), UNIT),
        (1 / (X - sp.Rational(1, 2)) ** 2, UNIT),
        (1 - 1 / X, {X: (0, 2)}),
    ],
)
def test_what_must_not_be_certified(expression: sp.Expr, box: Any) -> None:
    assert not positive(expression, box)


@given(st.fractions(0, 1, max_denominator=50), st.integers(1, 6))
def test_a_polynomial_with_a_negative_dip_is_never_certified(centre: Fraction, power: int) -> None:
    """(x - c)^2 - depth is negative at c, for every depth, however small."""
    dip = (X - sp.Rational(centre)) ** 2 - sp.Rational(1, 10**power)
    inside = {X: (sp.Rational(centre) - 1, sp.Rational(centre) + 1)}
    assert not nonnegative(dip, inside)
    assert not nonnegative(sp.expand(dip * (1 + X**2)), inside)
    assert not nonnegative(dip * sp.exp(X), inside)


A = sp.Symbol("a", positive=True)


@pytest.mark.parametrize(
    ("residual", "low", "high", "box"),
    [
        (lambda z: A - sp.exp(z), sp.log(A / 2), sp.log(2 * A), {A: (0, OO)}),
        (lambda z: A - z - sp.exp(z), sp.Integer(0), A, {A: (1, OO)}),
        (lambda z: 1 / (1 + sp.exp(z)) - A, sp.log((1 - A) / A) - 1, sp.log((1 - A) / A) + 1, {A: (0, 1)}),
    ],
)
def test_roots_are_located(residual: Any, low: sp.Expr, high: sp.Expr, box: Any) -> None:
    proof = Proof()
    assert proof.root_between("root", residual, low, high, box)
    assert proof.holds
    # the same function with the ends exchanged brackets nothing
    assert not Proof().root_between("root", residual, high, low, box)
    # an end moved past the root
    assert not Proof().root_between("root", residual, high, high + 1, box)


@pytest.mark.parametrize(
    "residual",
    [
        lambda z: sp.exp(z) - A,  # increasing
        lambda z: A - z**2,  # not monotone
        lambda z: -z / (1 + z**2) + A * 0,
        lambda z: 1 / (sp.exp(z) - 2) - A,  # decreasing on either side of a pole
        lambda z: -sp.exp(z) + 5 * sp.floor(z),  # jumps upwards
        lambda z: -sp.exp(z) + sp.Piecewise((0, z < 1), (100, True)),
        lambda z: -sp.exp(z) + 100 * sp.sign(z),
        lambda z: -sp.exp(z) + sp.log(sp.exp(z) - 2) + sp.log(1 / (sp.exp(z) - 2)),  # defined for z > log 2 only
        lambda z: sp.Integer(0) * z,  # constant
    ],
)
def test_roots_of_other_functions_are_refused(residual: Any) -> None:
    proof = Proof()
    assert not proof.root_between("root", residual, sp.Integer(-3), sp.Integer(3), {A: (1, 2)})
    assert not proof.holds
    assert proof.steps[0][0].startswith("root [decreasing: False")


def test_a_proof_without_steps_shows_nothing() -> None:
    proof = Proof()
    assert not proof.holds
    (cell,) = proof.cells({"p": "(0, 1)"})
    assert cell.verdict is Verdict.UNDECIDED
    assert "no steps" in cell.detail


def test_a_verified_proof_gives_one_cell_a_step_and_asks_for_no_witness() -> None:
    proof = Proof()
    proof.identity("first", (X + 1) ** 2, X**2 + 2 * X + 1)
    proof.positive("second", 1 + X, UNIT)
    proof.nonnegative("third", X, UNIT)
    cells = proof.cells({"x": "(0, 1)"}, refutation=lambda: pytest.fail("a verified proof needs no witness"))
    assert [c.detail for c in cells] == ["first", "second", "third"]
    assert all(c.verdict is Verdict.HOLDS for c in cells)


@pytest.mark.parametrize("as_function", [True, False])
def test_a_failed_step_needs_a_witness_to_refute(as_function: bool) -> None:
    def proof() -> Proof:
        made = Proof()
        made.positive("true", 1 + X, UNIT)
        made.positive("false at x = 1/4", X - sp.Rational(1, 2), UNIT)
        return made

    (open_,) = proof().cells({"x": "(0, 1)"}, (lambda: None) if as_function else None)
    assert open_.verdict is Verdict.UNDECIDED
    assert "false at x = 1/4" in open_.detail
    assert "true;" not in open_.detail
    witness = {"x": "1/4"}
    (false,) = proof().cells({"x": "(0, 1)"}, (lambda: witness) if as_function else witness)
    assert false.verdict is Verdict.FAILS
    assert dict(false.parameters) == witness


def test_counterexamples_are_certain() -> None:
    from flint import arb, ctx

    digits = ctx.dps
    points = [{"p": Fraction(k, 10)} for k in range(11)]
    assert counterexample(lambda p: p * (1 - p), points) is None  # 0 at both ends is not negative
    assert counterexample(lambda p: p * (1 - p) - Fraction(1, 4).__float__(), points) == {"p": "0"}
    assert counterexample(lambda p: [p, p - 0.25], points) == {"p": "0"}
    assert counterexample(lambda p: arb("nan"), points) is None
    assert counterexample(lambda p: arb(0, 1), points) is None  # a ball around 0 decides nothing
    assert counterexample(lambda d, p: d - p, [{"d": 3, "p": Fraction(7, 2)}]) == {"d": "3", "p": "7/2"}
    assert counterexample(lambda p: p - 1, [{"p": sp.Rational(1, 2)}, {"p": 0.5}]) == {"p": "1/2"}
    assert ctx.dps == digits


def test_the_precision_is_restored_after_an_exception() -> None:
    from flint import ctx

    digits = ctx.dps

    def broken(p: Any) -> Any:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        counterexample(broken, [{"p": 1}], digits=77)
    assert ctx.dps == digits
    assert math.isfinite(digits)
