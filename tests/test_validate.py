"""The edges of the two rooms: what is inside is accepted, everything else is a ValueError and nothing worse."""

from __future__ import annotations

import dataclasses
import inspect
import itertools
import math
import re
import resource
import signal
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import sympy as sp
from flint import acb, arb, fmpz
from hypothesis import given
from hypothesis import strategies as st

import sims._validate as at_sims
import theory._validate as at_theory
from proofs_check.claims import Claim, find
from sims._digest import code_digest, source_files
from tests.public_names import ROOMS, example, functions

# The checks themselves

NO_NUMBERS: list[Any] = [
    None,
    "x",
    "0.5",
    b"1",
    True,
    np.True_,
    1j,
    object(),
    {},
    {0.5},
    math.nan,
    math.inf,
    -math.inf,
    10**400,
    [[1], [2, 3]],
]


@pytest.mark.parametrize("room", [at_theory, at_sims])
@pytest.mark.parametrize("value", NO_NUMBERS, ids=repr)
def test_what_is_no_real_number_is_refused_by_name(room: Any, value: Any) -> None:
    for ends in ((), (0, 1)):
        with pytest.raises(ValueError, match=r"^share must be a real number in [\[(](.|\n)*, got"):
            room.real("share", value, *ends)


@pytest.mark.parametrize("room", [at_theory, at_sims])
@pytest.mark.parametrize(
    "value", [*NO_NUMBERS[:11], 3.0, Fraction(3), np.float64(3), np.array(3.0), [1.5], "3"], ids=repr
)
def test_what_is_no_integer_is_refused_by_name(room: Any, value: Any) -> None:
    with pytest.raises(ValueError, match=r"^size must be an integer in \[0, inf\), got"):
        room.integer("size", value, 0)


@given(st.floats(-2, 2), st.booleans(), st.booleans(), st.sampled_from([float, np.float64, np.float32, Fraction]))
def test_ranges_are_enforced_to_the_last_float(value: float, open_low: bool, open_high: bool, kind: Any) -> None:
    number = kind(value)
    inside = (number > 0 or (number == 0 and not open_low)) and (number < 1 or (number == 1 and not open_high))
    for room in (at_theory, at_sims):
        if inside:
            assert room.real("p", number, 0, 1, open_low=open_low, open_high=open_high) == number
        else:
            shown = f"{'(' if open_low else '['}0, 1{')' if open_high else ']'}"
            with pytest.raises(ValueError, match="^" + re.escape(f"p must be a real number in {shown}, got ")):
                room.real("p", number, 0, 1, open_low=open_low, open_high=open_high)


@given(st.integers(-5, 15), st.sampled_from([int, np.int8, np.int64, np.array]))
def test_integers_are_enforced(value: int, kind: Any) -> None:
    for room in (at_theory, at_sims):
        if 0 <= value <= 10:
            found = room.integer("n", kind(value), 0, 10)
            assert found == value
            assert type(found) is int
        else:
            with pytest.raises(ValueError, match=r"^n must be an integer in \[0, 10\], got "):
                room.integer("n", kind(value), 0, 10)


@given(st.lists(st.floats(-0.2, 1.2), min_size=1, max_size=4))
def test_one_bad_entry_refuses_the_whole_array(values: list[float]) -> None:
    bad = [v for v in values if not 0 <= v <= 1]
    if bad:
        with pytest.raises(ValueError, match=re.escape(f"got {bad[0]!r}")):
            at_theory.real("p", values, 0, 1)
    else:
        assert at_theory.real("p", values, 0, 1).tolist() == values
    with pytest.raises(ValueError, match=r"^p must be a real number in \[0, 1\]"):
        at_sims.real("p", values, 0, 1)  # simulators take one cell


@pytest.mark.parametrize("room", [at_theory, at_sims])
def test_integers_fit_a_machine_word(room: Any) -> None:
    assert room.integer("n", 2**63 - 1, 0) == 2**63 - 1
    with pytest.raises(ValueError, match=f"^n must be an integer below 2\\*\\*63, got {2**63}$"):
        room.integer("n", 2**63, 0)


def test_integer_arrays_do_not_wrap_round() -> None:
    assert at_theory.integer("n", np.array([1, 2], dtype=np.uint8), 0).tolist() == [1, 2]
    for values in (np.array([2**63 + 5], dtype=np.uint64), [1, 2**70], [-1, 2], [[1], [2, 3]]):
        with pytest.raises(ValueError, match=r"n must be an integer in \[0, inf\)"):
            at_theory.integer("n", values, 0)


def test_symbols_balls_and_rationals_pass_unchanged() -> None:
    x, ball = sp.Symbol("x"), arb(0.5, 0.1)
    for value in (x, x + sp.Rational(1, 2), sp.Rational(1, 3), sp.sqrt(2) / 2, Fraction(1, 3), ball):
        assert at_theory.real("p", value, 0, 1) is value
    assert at_theory.integer("d", x, 3) is x
    assert at_theory.integer("d", fmpz(5), 3) == 5
    assert at_theory.real("p", 10**30) == 1e30


@pytest.mark.parametrize(
    "value",
    [sp.I, sp.nan, sp.oo, sp.zoo, sp.Integer(2), sp.true, sp.Matrix([1]), sp.sqrt(2), arb(3), arb(-1, 0.5), acb(1, 1)],
    ids=repr,
)
def test_exact_values_outside_are_refused(value: Any) -> None:
    with pytest.raises(ValueError, match=r"^p must be a real number in \[0, 1\], got"):
        at_theory.real("p", value, 0, 1)


@pytest.mark.parametrize("value", [sp.Rational(7, 2), sp.Integer(2), sp.oo, sp.nan, sp.true, sp.Matrix([3])], ids=repr)
def test_exact_values_that_are_no_allowed_integer_are_refused(value: Any) -> None:
    with pytest.raises(ValueError, match=r"^d must be an integer in \[3, inf\), got"):
        at_theory.integer("d", value, 3)


@pytest.mark.parametrize("room", [at_theory, at_sims])
@pytest.mark.parametrize("value", [None, 3, "c", ["a"], "A", ""], ids=repr)
def test_choices_are_words(room: Any, value: Any) -> None:
    assert room.choice("mode", "a", ("a", "b")) == "a"
    with pytest.raises(ValueError, match=r"^mode must be one of a, b, got"):
        room.choice("mode", value, ("a", "b"))


@given(st.lists(st.integers(0, 2**63 - 1), min_size=1, max_size=5, unique=True))
def test_seeds_keep_their_order_and_bits(values: list[int]) -> None:
    for given_as in (values, tuple(values), np.array(values, dtype=np.uint64)):
        found = at_sims.seeds(given_as)
        assert found.dtype == np.uint64
        assert found.tolist() == values
    assert at_sims.seeds(values[0]).tolist() == values[:1]
    assert at_sims.seeds(range(3, 6)).tolist() == [3, 4, 5]


@pytest.mark.parametrize(
    "value",
    [
        *NO_NUMBERS[:12],
        [],
        range(0),
        np.array(3.5),
        np.array([[1, 2]]),
        [1, 1],
        [1, -1],
        [2**63],
        -1,
        [0.5],
        [None],
        itertools.count(),
        range(10**18),
        iter([1]),
        {1: 2},
    ],
    ids=repr,
)
def test_seeds_that_are_none_are_refused_at_once(value: Any) -> None:
    with deadline(5), pytest.raises(ValueError, match=r"^seeds must"):
        at_sims.seeds(value)


@pytest.mark.parametrize(
    "value",
    [None, "x", [[1, 1], [1]], [[1, 0]], [[1, 0.5]], [[math.nan, 1]], [1, 1], [[True, True]], [[1, 1, 1]]],
    ids=repr,
)
def test_signs_are_a_rectangle_of_signs(value: Any) -> None:
    assert at_sims.signs("x", [[1, -1]], (None, 2)).dtype == np.int8
    with pytest.raises(ValueError, match=r"^x must"):
        at_sims.signs("x", value, (None, 2))


def test_digests_follow_imports() -> None:
    files = [path.name for path in source_files("_streams")]
    assert files == ["_digest.py", "_kernels.py", "_streams.py"]
    assert code_digest("_streams") != code_digest("_kernels")


def test_digests_follow_relative_imports(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """One dot is the package the file lies in, two dots the one above it."""
    from sims import _digest

    package = tmp_path / "subject"
    package.mkdir()
    (tmp_path / "_shared.py").write_text("")
    (package / "__init__.py").write_text("from ._kernel import f\n")
    (package / "_kernel.py").write_text("from .. import _shared\n")
    monkeypatch.setattr(_digest, "ROOT", tmp_path)
    source_files.cache_clear()
    try:
        found = [path.relative_to(tmp_path).as_posix() for path in source_files("subject")]
    finally:
        source_files.cache_clear()
    assert found == ["_shared.py", "subject/__init__.py", "subject/_kernel.py"]


# Every public function

LIMIT = 5  # seconds: what refuses bad input does so at once
COMPILE = 60  # seconds: the first call may compile


@contextmanager
def deadline(seconds: int) -> Iterator[None]:
    """Turn a hang, or a demand for more than 2 GiB of memory, into an exception."""

    def stop(number: int, frame: Any) -> None:
        raise TimeoutError(f"no answer within {seconds} s")

    statistics = Path("/proc/self/statm")  # Linux; elsewhere the memory stays unlimited
    pages = int(statistics.read_text().split()[0]) if statistics.exists() else math.inf
    allowed = resource.getrlimit(resource.RLIMIT_AS)
    before = signal.signal(signal.SIGALRM, stop)
    if math.isfinite(pages):
        resource.setrlimit(resource.RLIMIT_AS, (int(pages) * resource.getpagesize() + 2**31, allowed[1]))
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)
        resource.setrlimit(resource.RLIMIT_AS, allowed)
        signal.signal(signal.SIGALRM, before)


def has_nan(value: Any) -> bool:
    """Whether NaN is anywhere in a result."""
    if hasattr(value, "data_vars"):
        return any(has_nan(v.values) for v in value.data_vars.values())
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return any(has_nan(getattr(value, f.name)) for f in dataclasses.fields(value))
    if isinstance(value, Mapping):
        return any(has_nan(v) for v in value.values())
    if isinstance(value, (list, tuple)):
        return any(has_nan(v) for v in value)
    if isinstance(value, (float, np.ndarray, np.generic)) and np.asarray(value).dtype.kind in "fc":
        return bool(np.isnan(value).any())
    return False


def bad_values() -> list[Any]:
    return [
        None,
        "x",
        math.nan,
        math.inf,
        -math.inf,
        -1,
        -1.0,
        0,
        0.5,
        [],
        {},
        object(),
        True,
        1j,
        2**70,
        -(2**70),
        [[1], [2, 3]],
        np.zeros((2, 3)),
        np.full((1, 1, 1), 7.5),
        np.array(["a"]),
        [math.nan],
    ]


@pytest.mark.parametrize("full", sorted(functions(*ROOMS)))
def test_bad_input_is_a_value_error_and_nothing_worse(full: str) -> None:
    function, arguments = functions(*ROOMS)[full], example(full)
    assert arguments is not None, f"the example of {full} never calls it"
    with deadline(COMPILE):
        assert not has_nan(function(**arguments))
    for name in inspect.signature(function).parameters:
        for value in bad_values():
            try:
                with deadline(LIMIT):
                    result = function(**{**arguments, name: value})
            except ValueError as error:
                assert str(error), f"{full}({name}={value!r}) was refused without a word"  # noqa: PT017
            except Exception as error:  # noqa: BLE001 - the point of the test
                pytest.fail(f"{full}({name}={value!r}) raised {type(error).__name__}: {error}")
            else:
                assert not has_nan(result), f"{full}({name}={value!r}) gave NaN"


NUMBER = r"-?(?:\d+(?:\.\d+)?|\.\d+|inf)"
RANGE = re.compile(rf"\bin ([\[(])({NUMBER}), ({NUMBER})([\])])")


def documented(function: Any) -> dict[str, str]:
    """Descriptions of the parameters in a numpydoc docstring, by name."""
    text = inspect.getdoc(function) or ""
    section = re.search(r"^Parameters\n-+\n(.*?)(?=^\S[^\n]*\n-{3,}\n|\Z)", text, re.M | re.S)
    found: dict[str, str] = {}
    for entry in re.split(r"\n(?=\S)", section.group(1)) if section else ():
        head, _, body = entry.partition("\n")
        for name in head.split(" : ")[0].split(","):
            found[name.strip().lstrip("*")] = head.partition(" : ")[2] + " " + " ".join(body.split())
    return found


def ranges() -> list[tuple[str, str, str]]:
    return [
        (full, name, match.group())
        for full, function in functions(*ROOMS).items()
        for name, says in documented(function).items()
        if name in inspect.signature(function).parameters and (match := RANGE.search(says))
    ]


@pytest.mark.parametrize(("full", "name", "says"), ranges())
def test_documented_ranges_are_enforced(full: str, name: str, says: str) -> None:
    match = RANGE.fullmatch(says)
    arguments = example(full)
    assert match is not None
    assert arguments is not None
    left, low, high, right = match.groups()
    outside = []
    if math.isfinite(float(low)):
        outside.append(float(low) if left == "(" else math.nextafter(float(low), -math.inf))
    if math.isfinite(float(high)):
        outside.append(float(high) if right == ")" else math.nextafter(float(high), math.inf))
    assert outside, f"{says} excludes nothing"
    for value in outside:
        with deadline(LIMIT), pytest.raises(ValueError, match=name):
            functions(*ROOMS)[full](**{**arguments, name: value})


def test_ranges_are_documented_widely_enough_for_the_test_above() -> None:
    assert len(ranges()) >= 10


# Every claim's domain


def uses() -> list[tuple[Claim, str]]:
    return [(claim, name) for claim in find() for name in claim.functions]


@pytest.mark.parametrize(("claim", "name"), uses(), ids=lambda value: value if isinstance(value, str) else value.id)
def test_functions_accept_their_claims_domain_and_refuse_what_is_no_member(claim: Claim, name: str) -> None:
    full = f"theory.{name}"
    function = functions("theory")[full]
    taken = [p for p in claim.domain if p in inspect.signature(function).parameters]
    rest = {k: v for k, v in (example(full) or {}).items() if k not in taken}
    generator = np.random.default_rng(0)
    for _ in range(12):
        cell = claim.domain.draw(generator)
        with deadline(COMPILE):
            assert not has_nan(function(**rest, **{p: cell[p] for p in taken})), cell
    inside = {p: cell[p] for p in taken}
    for p in taken:
        for value in (math.nan, math.inf, -math.inf, *claim.domain.parameters[p].outside()):
            try:
                with deadline(LIMIT):
                    result = function(**rest, **{**inside, p: value})
            except ValueError as error:
                assert p in str(error)  # noqa: PT017
            else:
                # A closed form may reach further than the claim about it; then it answers there.
                assert math.isfinite(value), f"{full} took {p} = {value}"
                assert not has_nan(result)


def test_some_claim_names_its_functions() -> None:
    assert len(uses()) >= 10
