"""Ball arithmetic on boxes: what is proved is true, what is refuted is false, what is unknown stays so."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import pytest
from flint import arb, ctx, fmpq
from hypothesis import given
from hypothesis import strategies as st

from proofs_check.enclosures import Enclosure, enclose, enclose_root
from proofs_check.verdicts import Verdict

UNIT = (Fraction(0), Fraction(1))
COEFFICIENTS = st.lists(st.integers(-3, 3), min_size=1, max_size=4)


def polynomial(coefficients: list[int], x: Any) -> Any:
    total = 0 * x
    for c in coefficients:
        total = total * x + c
    return total


@given(COEFFICIENTS, st.integers(-3, 3))
def test_proved_and_refuted_pieces_agree_with_exact_arithmetic(coefficients: list[int], low: int) -> None:
    box = {"x": (Fraction(low), Fraction(low) + Fraction(3, 2))}
    found = enclose(lambda x: polynomial(coefficients, x), box, budget=200)
    grid = [box["x"][0] + Fraction(3 * k, 128) for k in range(65)]
    values = [polynomial(coefficients, x) for x in grid]
    if found.refuted is not None:
        left, right = found.refuted["x"]
        assert box["x"][0] <= left <= right <= box["x"][1]
        assert all(polynomial(coefficients, left + (right - left) * Fraction(k, 7)) < 0 for k in range(8))
        assert found.cell(box).verdict is Verdict.FAILS
    elif found.unknown == 0:
        assert min(values) >= 0
        assert found.cell(box).verdict is Verdict.HOLDS
    else:
        assert found.cell(box).verdict is Verdict.UNDECIDED
    if min(values) > 1:
        assert found.unknown == 0
        assert found.refuted is None


def test_pieces_cover_the_box() -> None:
    """A margin that is positive except near one point cannot be proved by leaving that point out."""
    hole = Fraction(617, 1000)
    seen: list[tuple[Fraction, Fraction]] = []

    def margin(x: Any) -> Any:
        return (x - arb(fmpq(617, 1000))) ** 2 + arb(fmpq(1, 10**6))

    assert enclose(margin, {"x": UNIT}).unknown == 0

    def recorded(x: Any) -> Any:
        low, high = x.lower(), x.upper()
        if x.rad() > 0:
            seen.append((Fraction(float(low)), Fraction(float(high))))
        return arb(1) if x.rad() < 0.1 else arb(0, 1)

    assert enclose(recorded, {"x": UNIT}).unknown == 0
    small = sorted(piece for piece in seen if piece[1] - piece[0] < Fraction(2, 10))
    assert small[0][0] <= 0
    assert small[-1][1] >= 1
    assert all(a[1] >= b[0] for a, b in zip(small, small[1:], strict=False))  # noqa: RUF007 - pairs of neighbours
    assert any(a <= hole <= b for a, b in small)


def test_a_power_across_zero_is_unknown_and_never_refutes() -> None:
    """The ball of x^(1/2) over an interval across zero is not a number."""
    wide = arb(0, 1)
    assert not (wide ** arb("0.5")).is_finite()
    found = enclose(lambda x: x ** arb("0.5"), {"x": (Fraction(-1), Fraction(1))}, budget=100)
    assert found.refuted is None
    assert found.unknown > 0
    # away from zero the same margin is proved
    assert enclose(lambda x: x ** arb("0.5"), {"x": (Fraction(1, 2), Fraction(1))}).unknown == 0


@pytest.mark.parametrize("value", ["nan", "inf", "-inf"])
def test_balls_without_a_number_decide_nothing(value: str) -> None:
    found = enclose(lambda x: arb(value), {"x": UNIT}, budget=50)
    assert found == Enclosure(0, found.unknown, None)
    assert found.unknown > 0
    assert found.cell({"x": UNIT}).verdict is Verdict.UNDECIDED


def test_the_budget_ends_the_search_undecided() -> None:
    calls = 0

    def touching(x: Any) -> Any:
        nonlocal calls
        calls += 1
        return x * x - 2 * x * arb(fmpq(1, 3)) + arb(fmpq(1, 9))  # 0 at 1/3, which no cut meets

    found = enclose(touching, {"x": UNIT}, budget=300)
    assert found.refuted is None
    assert found.unknown > 0
    assert calls <= 600  # a piece and its centre
    cell = found.cell({"x": UNIT})
    assert cell.verdict is Verdict.UNDECIDED
    assert "unknown" in cell.detail


def test_the_refuting_piece_lies_where_the_margin_is_negative() -> None:
    box = {"x": UNIT, "y": UNIT}
    found = enclose(lambda x, y: x + y - arb(fmpq(1, 50)), box)
    assert found.refuted is not None
    assert sum(high for _, high in found.refuted.values()) < Fraction(1, 50)
    assert found.cell(box).verdict is Verdict.FAILS


def test_a_box_can_be_a_point_and_its_ends_whole_numbers() -> None:
    point = {"x": (Fraction(1, 3), Fraction(1, 3))}
    assert enclose(lambda x: x - arb(fmpq(1, 4)), point).unknown == 0
    assert enclose(lambda x: x * (3 - x) - 1, {"x": (1, 2)}).unknown == 0  # type: ignore[dict-item]


@pytest.mark.parametrize("box", [{}, {"x": (Fraction(1), Fraction(0))}])
def test_boxes_that_hold_nothing_are_refused(box: Any) -> None:
    with pytest.raises(ValueError, match="box must hold closed intervals"):
        enclose(lambda **x: arb(1), box)


def test_the_precision_is_restored() -> None:
    before = ctx.prec

    def broken(x: Any) -> Any:
        assert ctx.prec == 200
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        enclose(broken, {"x": UNIT}, precision=200)
    assert ctx.prec == before


@given(st.fractions(Fraction(1, 100), 50, max_denominator=100), st.integers(1, 120))
def test_the_root_is_enclosed(square: Fraction, bits: int) -> None:
    target = arb(fmpq(square.numerator, square.denominator))
    root = enclose_root(lambda x: target - x * x, arb(0), arb(8), bits)
    assert root.contains(target.sqrt().mid()) or root.overlaps(target.sqrt())
    # exactly: the ends have squares on either side of the target
    low, high = Fraction(float(root.lower())), Fraction(float(root.upper()))
    slack = Fraction(1, 2**45)  # the ends were rounded to floats below 8
    assert (low - slack) ** 2 <= square or low <= slack
    assert (high + slack) ** 2 >= square
    assert float(root.rad()) <= 8.1 * 2.0 ** -min(bits, 40)


@pytest.mark.parametrize(
    ("residual", "low", "high"),
    [
        (lambda x: 2 - x * x, 2, 3),  # the root lies to the left
        (lambda x: 2 - x * x, 0, 1),  # to the right
        (lambda x: x * x - 2, 1, 2),  # increasing
        (lambda x: arb("nan"), 1, 2),
        (lambda x: arb(0, 1), 1, 2),  # signs unknown
    ],
)
def test_ends_that_bracket_no_root_are_refused(residual: Any, low: int, high: int) -> None:
    with pytest.raises(ValueError, match="the residual must be >= 0 at"):
        enclose_root(residual, arb(low), arb(high))
