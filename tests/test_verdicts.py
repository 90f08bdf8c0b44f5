"""The rule of verdicts against a restatement of it, point by point."""

from __future__ import annotations

import itertools
import math
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proofs_check.verdicts import Cell, Evidence, Interval, Verdict, combine, judge

GRID = [-2.0, -1.0, -0.5, 0.0, 0.5, 1.0, 2.0]
INTERVALS = [Interval(a, b) for a, b in itertools.combinations_with_replacement([-math.inf, *GRID, math.inf], 2)]
CENTRAL = [Interval(a, b) for a, b in itertools.combinations_with_replacement([-0.5, 0.0, 0.5], 2)]


def restated(kind: str, c: Interval, p: Interval, r: float) -> str:
    """The rule as it is written: one sentence a branch."""
    if kind == "exact":
        meets = max(c.low, p.low) <= min(c.high, p.high)
        within = p.low - r <= c.low and c.high <= p.high + r
        return "fails" if not meets else "holds" if within else "undecided"
    if kind == "lower":  # lower bounds mirror upper ones
        return restated("upper", Interval(-c.high, -c.low), Interval(-p.high, -p.low), r)
    bound = p.high
    if c.low > bound:
        return "fails"
    return "holds" if c.high <= bound + r and c.low <= bound else "undecided"


@pytest.mark.parametrize("kind", ["exact", "upper", "lower"])
def test_judge_follows_the_rule_on_a_grid(kind: str) -> None:
    seen = set()
    for c, p, r in itertools.product(INTERVALS, CENTRAL, (0.0, 0.5, 1.0)):
        verdict = judge(kind, c, p, r)
        assert verdict.value == restated(kind, c, p, r), (c, p, r)
        seen.add(verdict)
    assert seen == set(Verdict)


NUMBERS = st.floats(-1e6, 1e6)
PAIRS = st.tuples(NUMBERS, NUMBERS).map(lambda pair: Interval(*sorted(pair)))


@given(st.sampled_from(["exact", "upper", "lower"]), PAIRS, PAIRS, st.floats(0, 1e3))
def test_judge_follows_the_rule_anywhere(kind: str, c: Interval, p: Interval, r: float) -> None:
    assert judge(kind, c, p, r).value == restated(kind, c, p, r)


@given(st.sampled_from(["exact", "upper", "lower"]), PAIRS, PAIRS, st.floats(0, 1e3), st.floats(0, 1), st.floats(0, 1))
def test_a_shorter_interval_never_overturns_a_decision(
    kind: str, c: Interval, p: Interval, r: float, a: float, b: float
) -> None:
    """Holding survives shrinking the interval to a part of it that still meets the prediction; failing always does."""
    low, high = sorted((c.low + a * (c.high - c.low), c.low + b * (c.high - c.low)))
    inner = Interval(min(max(low, c.low), c.high), min(max(high, c.low), c.high))
    outer, now = judge(kind, c, p, r), judge(kind, inner, p, r)
    if outer is Verdict.FAILS:
        assert now is Verdict.FAILS
    elif outer is Verdict.HOLDS:
        meets = {
            "exact": inner.low <= p.high and inner.high >= p.low,
            "upper": inner.low <= p.high,
            "lower": inner.high >= p.low,
        }[kind]
        assert (now is Verdict.HOLDS) == meets
    else:
        assert outer is Verdict.UNDECIDED


@pytest.mark.parametrize("position", range(5))
def test_nan_is_refused_everywhere(position: int) -> None:
    numbers = [0.0, 1.0, 0.0, 1.0, 0.0]
    numbers[position] = math.nan
    for kind in ("exact", "upper", "lower"):
        with pytest.raises(ValueError, match="a verdict needs numbers"):
            judge(kind, Interval(*numbers[:2]), Interval(*numbers[2:4]), numbers[4])


@pytest.mark.parametrize(
    ("c", "p", "r"),
    [
        (Interval(1.0, 0.0), Interval(0.0, 0.0), 0.0),
        (Interval(0.0, 1.0), Interval(1.0, 0.0), 0.0),
        (Interval(0.0, 1.0), Interval(0.0, 1.0), -0.1),
    ],
)
def test_reversed_intervals_and_negative_resolutions_are_refused(c: Interval, p: Interval, r: float) -> None:
    with pytest.raises(ValueError, match="low <= high and r >= 0"):
        judge("exact", c, p, r)


def test_unknown_kinds_are_refused() -> None:
    with pytest.raises(ValueError, match="kind must be one of exact, upper, lower, got 'rate'"):
        judge("rate", Interval(0, 1), Interval(0, 1), 0.0)


def test_rationals_are_judged_exactly() -> None:
    third = Fraction(1, 3)
    tiny = Fraction(1, 10**40)
    assert judge("exact", Interval(third, third), Interval(third, third), 0) is Verdict.HOLDS  # type: ignore[arg-type]
    assert judge("upper", Interval(third + tiny, 1), Interval(0, third), 0) is Verdict.FAILS  # type: ignore[arg-type]


@given(st.lists(st.sampled_from(list(Verdict)), max_size=5))
def test_combine_is_the_worst_of_them_and_nothing_decides_nothing(verdicts: list[Verdict]) -> None:
    order = [Verdict.FAILS, Verdict.UNDECIDED, Verdict.HOLDS]
    expected = min(verdicts, key=order.index) if verdicts else Verdict.UNDECIDED
    assert combine(iter(verdicts)) is expected


def evidence(*cells: Cell) -> Evidence:
    return Evidence("leg", "simulation", "required", "cells", Verdict.HOLDS, cells, 0.0, "")


def test_the_worst_cell_is_the_worst_verdict_then_the_least_margin() -> None:
    point = Interval(0.5, 0.5)
    fine = Cell({"i": 0}, Verdict.HOLDS, predicted=point, interval=Interval(0.4, 0.6))
    tight = Cell({"i": 1}, Verdict.HOLDS, predicted=point, interval=Interval(0.31, 0.51))
    open_ = Cell({"i": 2}, Verdict.UNDECIDED, predicted=point, interval=Interval(0.2, 0.8))
    assert evidence(fine, tight).worst is tight
    assert evidence(fine, tight, open_).worst is open_
    assert evidence().worst is None
    assert evidence(fine).n is None


def test_the_worst_cell_of_a_bound_is_the_one_nearest_to_it() -> None:
    near = Cell({"i": 0}, Verdict.HOLDS, predicted=Interval(1.0, 1.0), interval=Interval(0.8, 0.9), compare="upper")
    far = Cell({"i": 1}, Verdict.HOLDS, predicted=Interval(1.0, 1.0), interval=Interval(0.1, 0.2), compare="upper")
    assert evidence(far, near).worst is near
    mirrored = [
        Cell(
            c.parameters,
            c.verdict,
            predicted=Interval(-1.0, -1.0),
            interval=Interval(*sorted((-a, -b))),
            compare="lower",
        )
        for c in (far, near)
        for a, b in [c.interval or (0, 0)]
    ]
    assert (evidence(*mirrored).worst or far).parameters == {"i": 0}


def test_an_unbounded_interval_has_the_least_margin_without_nan() -> None:
    known = Cell({"i": 0}, Verdict.UNDECIDED, predicted=Interval(0.5, 0.5), interval=Interval(0.1, 0.9))
    unknown = Cell({"i": 1}, Verdict.UNDECIDED, predicted=Interval(0.5, 0.5), interval=Interval(-math.inf, math.inf))
    assert evidence(known, unknown).worst is unknown
    assert evidence(unknown, known).worst is unknown
