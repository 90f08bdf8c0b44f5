"""Domains: what they draw is inside, what lies just outside is refused, and messages say why."""

from __future__ import annotations

import math
import sys
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from proofs_check.domains import Domain, Integer, Real

NUMBERS = st.floats(-1e9, 1e9, allow_nan=False, allow_subnormal=False)


@st.composite
def reals(draw: Any) -> Real:
    """Ranges of every kind: bounded, half-bounded, the whole line; each end open or closed."""
    low, high = sorted((draw(NUMBERS), draw(NUMBERS)))
    assume(high - low > 1e-6)
    return Real(
        low if draw(st.booleans()) else -math.inf,
        high if draw(st.booleans()) else math.inf,
        open_low=draw(st.booleans()),
        open_high=draw(st.booleans()),
    )


@st.composite
def integers(draw: Any) -> Integer:
    low = draw(st.integers(-50, 50))
    high = draw(st.none() | st.integers(low, low + 10_000))
    return Integer(low, high, largest_drawn=draw(st.none() | st.integers(low, low + 100)))


def really_inside(parameter: Real, value: float) -> bool:
    """The range, restated."""
    after = parameter.low < value or (value == parameter.low and not parameter.open_low)
    before = value < parameter.high or (value == parameter.high and not parameter.open_high)
    return math.isfinite(value) and after and before


@given(reals(), st.integers(0, 2**32))
def test_real_draws_stay_inside(parameter: Real, seed: int) -> None:
    generator = np.random.default_rng(seed)
    for _ in range(20):
        value = parameter.draw(generator)
        assert type(value) is float
        assert really_inside(parameter, value)
        assert parameter.contains(value)


@given(reals(), st.data())
def test_real_strategy_stays_inside(parameter: Real, data: st.DataObject) -> None:
    value = data.draw(parameter.strategy())
    assert really_inside(parameter, value)
    assert parameter.contains(value)


@given(reals())
def test_real_ends_are_drawn_and_what_is_outside_is_refused(parameter: Real) -> None:
    generator = np.random.default_rng(0)
    drawn = {parameter.draw(generator) for _ in range(200)}
    assert set(parameter.ends()) <= drawn  # each end is missed with probability (7/8)^200 < 1e-11
    for end in parameter.ends():
        assert really_inside(parameter, end)
    for value in parameter.outside():
        assert not parameter.contains(value)
        assert not really_inside(parameter, value)
    assert len(parameter.outside()) == 3 + math.isfinite(parameter.low) + math.isfinite(parameter.high)


@given(reals(), st.floats() | NUMBERS)
def test_real_contains_agrees_with_its_definition(parameter: Real, value: float) -> None:
    assert parameter.contains(value) == really_inside(parameter, value)


def test_open_ends_at_zero_are_normal_floats() -> None:
    assert Real(0, 1, open_low=True).ends()[0] == sys.float_info.min
    assert Real(-1, 0, open_high=True).ends()[1] == -sys.float_info.min
    assert Real(0, 1).outside()[3] == -5e-324


@pytest.mark.parametrize(
    "value",
    [None, "0.5", b"1", True, np.True_, 0.5j, object(), [0.5], np.array([0.5]), np.array(0.5), 10**400, math.nan],
)
def test_real_refuses_what_is_no_number(value: Any) -> None:
    assert Real(0, 1).contains(value) is False
    assert Real().contains(value) is False


@pytest.mark.parametrize("value", [0, 1, Fraction(1, 3), np.float32(0.5), np.int64(1), 1.0])
def test_real_accepts_numbers_of_every_kind(value: Any) -> None:
    assert Real(0, 1).contains(value) is True


def test_draws_beside_a_large_open_end_stay_inside() -> None:
    """Near 1e20 a step of the draw's size is rounded away."""
    for parameter in (Real(1e20, open_low=True), Real(high=-1e20, open_high=True)):
        generator = np.random.default_rng(0)
        assert all(parameter.contains(parameter.draw(generator)) for _ in range(50))


def test_a_fraction_is_compared_exactly_with_an_open_end() -> None:
    third = Real(0, 1 / 3, open_high=True)
    assert not third.contains(Fraction(1, 3))  # the float 1/3 lies below the rational
    assert third.contains(Fraction(1 / 3) - Fraction(1, 10**40))
    assert not third.contains(Fraction(1 / 3))


@given(integers(), st.integers(0, 2**32), st.data())
def test_integer_draws_stay_inside(parameter: Integer, seed: int, data: st.DataObject) -> None:
    generator = np.random.default_rng(seed)
    values = [parameter.draw(generator) for _ in range(20)] + [data.draw(parameter.strategy())]
    for value in values:
        assert type(value) is int
        assert parameter.low <= value
        assert parameter.high is None or value <= parameter.high
        assert parameter.largest_drawn is None or value <= max(parameter.low, parameter.largest_drawn)
        assert parameter.contains(value)


@given(integers())
def test_integer_ends_are_drawn_and_what_is_outside_is_refused(parameter: Integer) -> None:
    generator = np.random.default_rng(0)
    drawn = {parameter.draw(generator) for _ in range(200)}
    assert set(parameter.ends()) <= drawn
    assert not any(parameter.contains(value) for value in parameter.outside())
    for value in (True, np.True_, float(parameter.low), str(parameter.low), None, Fraction(parameter.low)):
        assert not parameter.contains(value)


def test_integer_top_is_the_declared_end_unless_large_values_are_costly() -> None:
    assert Integer(2, 4096).ends() == [2, 4096]
    assert Integer(2, 4096, largest_drawn=64).ends() == [2, 64]
    assert Integer(2).ends() == [2, 1000]
    assert Integer(5000).ends() == [5000, 5000]


@given(st.integers(3, 9), st.floats(0, 1))
def test_a_domain_accepts_its_cells(d: int, p: float) -> None:
    domain = Domain({"d": Integer(3, 9), "p": Real(0, 1)})
    domain.validate({"d": d, "p": p})
    domain.validate({"d": d})
    with pytest.raises(ValueError, match=r"^d must be in \{3, ..., 9\}, got 10$"):
        domain.validate({"d": 10, "p": p})
    with pytest.raises(ValueError, match=r"^p must be in \[0, 1\], got "):
        domain.validate({"d": d, "p": 1 + p + 1e-9})


CONDITION = {"x < y": lambda cell: cell["x"] < cell["y"]}


def test_assumptions_are_checked_where_their_parameters_are_known() -> None:
    domain = Domain({"x": Real(0, 1), "y": Real(0, 1)}, CONDITION)
    domain.validate({"x": 0.9})
    domain.validate({"x": 0.1, "y": 0.9})
    with pytest.raises(ValueError, match=r"the claim assumes x < y, got \{'x': 0.9, 'y': 0.1\}"):
        domain.validate({"x": 0.9, "y": 0.1})


@given(st.integers(0, 2**32), st.data())
def test_draws_meet_the_assumptions(seed: int, data: st.DataObject) -> None:
    domain = Domain({"x": Real(0, 1), "y": Real(0, 1)}, CONDITION)
    for cell in (domain.draw(np.random.default_rng(seed)), data.draw(domain.strategy())):
        assert 0 <= cell["x"] < cell["y"] <= 1
        domain.validate(cell)


def test_assumptions_that_nothing_meets_end_with_a_message() -> None:
    domain = Domain({"x": Real(0, 1)}, {"x > 2": lambda cell: cell["x"] > 2})
    with pytest.raises(ValueError, match="no cell met the assumptions in 1000 draws"):
        domain.draw(np.random.default_rng(0))


@pytest.mark.parametrize("make", [lambda: Real(1, 0), lambda: Real(math.nan, 1), lambda: Integer(3, 2)])
def test_empty_ranges_are_refused(make: Any) -> None:
    with pytest.raises(ValueError, match="low must not exceed high"):
        make()


def test_a_domain_cannot_be_changed_after_it_was_made() -> None:
    parameters = {"p": Real(0, 1)}
    domain = Domain(parameters)
    parameters["p"] = Real(0, 2)
    assert str(domain) == "p in [0, 1]"
    with pytest.raises(TypeError):
        domain.parameters["p"] = Real(0, 2)  # type: ignore[index]
