"""Closed forms of the parity mixture against its exact law."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
import sympy
from hypothesis import given
from hypothesis import strategies as st

from tests.oracles import parity_mixture as oracle
from theory import parity_mixture as pm

SHARES = [Fraction(0), Fraction(1, 100), Fraction(1, 5), Fraction(1, 3), Fraction(2, 5), Fraction(5, 7), Fraction(1)]
fractions = st.fractions(min_value=0, max_value=1, max_denominator=10**6)


def test_oracle_on_a_hand_worked_case() -> None:
    assert oracle.long_answer((1, -1, -1)) == (1, -1, 1, "EOS")
    assert oracle.short_answer((1, -1, -1)) == (1, "EOS")
    assert oracle.short_answer((-1, 1, 1)) == (-1, "EOS")
    # d = 2, p = 1/2: long always starts with x_1, short does iff x_2 = 1.
    assert oracle.probability(2, Fraction(1, 2), lambda x, y: y[0] == x[0]) == Fraction(3, 4)
    total = sum(mass for _, _, mass in oracle.mixture(3, Fraction(2, 7)))
    assert total == 1


@pytest.mark.parametrize("d", [2, 3, 4, 5])
@pytest.mark.parametrize("p", SHARES)
def test_next_token_law_is_the_enumerated_one(d: int, p: Fraction) -> None:
    def agree(x: oracle.Prompt, y: oracle.Answer) -> bool:
        return y[0] == x[0]

    def stops(x: oracle.Prompt, y: oracle.Answer) -> bool:
        return y[1] == "EOS"

    assert pm.first_token_agreement(p) == oracle.probability(d, p, agree)
    assert pm.stop_given_agreement(p) == oracle.conditional(d, p, stops, agree)
    assert pm.continue_given_agreement(p) == 1 - oracle.conditional(d, p, stops, agree)
    if p < 1:
        assert pm.stop_given_disagreement(p) == oracle.conditional(d, p, stops, lambda x, y: y[0] != x[0])
    mean = sum((len(y) - 1) * mass for _, y, mass in oracle.mixture(d, p))
    assert pm.expected_length(d, p) == mean


@pytest.mark.parametrize("d", [2, 3, 4, 5])
@pytest.mark.parametrize("p", SHARES)
def test_calibrated_sampling_law_holds_for_every_prompt(d: int, p: Fraction) -> None:
    per_prompt: dict[oracle.Prompt, list[Fraction]] = {}
    lengths: dict[oracle.Prompt, Fraction] = {}
    for x, y, mass in oracle.calibrated_responses(d, p):
        row = per_prompt.setdefault(x, [Fraction(0)] * 4)
        parity = oracle.short_answer(x)[0]
        kind = 0 if y == oracle.long_answer(x) else 1 if y == (parity, "EOS") else 2 if len(y) == 2 else 3
        row[kind] += mass
        lengths[x] = lengths.get(x, Fraction(0)) + (len(y) - 1) * mass
    law = pm.response_law(p)
    for x, row in per_prompt.items():
        assert row == [law.long_correct, law.short_correct, law.short_wrong, 0]
        assert row[0] + row[1] == pm.sampling_accuracy(p)
        assert lengths[x] == pm.expected_length(d, p)


@pytest.mark.parametrize("d", [3, 4, 5])
@pytest.mark.parametrize("p", [*SHARES[:-1], Fraction(33333333, 10**8), Fraction(33333334, 10**8)])
def test_greedy_decoding_against_the_calibrated_model(d: int, p: Fraction) -> None:
    prompts = {x for x, _, _ in oracle.mixture(d, p)}
    answers = {x: oracle.greedy_response(d, p, x) for x in prompts}
    right = sum(answers[x][-2] == oracle.short_answer(x)[0] for x in prompts)
    assert pm.greedy_accuracy(p) == Fraction(right, len(prompts))
    assert {len(y) - 1 for y in answers.values()} == {pm.greedy_length(d, p)}


def test_the_threshold_and_its_two_sides() -> None:
    third = pm.greedy_threshold()
    assert third == 1 / 3
    assert pm.greedy_threshold_exact() == Fraction(1, 3)
    exact = pm.greedy_threshold_exact()
    assert pm.stop_given_agreement(exact) == pm.continue_given_agreement(exact) == Fraction(1, 2)
    below, above = np.nextafter(third, 0), np.nextafter(third, 1)
    assert [pm.greedy_accuracy(p) for p in (0, below, third, above, 1)] == [0.5, 0.5, 1, 1, 1]
    assert [pm.greedy_length(7, p) for p in (0, below, third, above, 1)] == [1, 1, 7, 7, 7]
    tiny = Fraction(1, 10**40)
    assert pm.greedy_accuracy(exact - tiny) == Fraction(1, 2)
    assert pm.greedy_accuracy(exact) == pm.greedy_accuracy(exact + tiny) == 1


@given(fractions)
def test_probabilities_are_consistent(p: Fraction) -> None:
    assert pm.stop_given_agreement(p) + pm.continue_given_agreement(p) == 1
    law = pm.response_law(p)
    assert sum(law) == 1
    assert law.long_correct + law.short_correct == pm.sampling_accuracy(p)
    assert (pm.stop_given_agreement(p) > pm.continue_given_agreement(p)) == (p < Fraction(1, 3))
    # Exact values survive the passage to doubles up to a few roundings (each formula has at most four).
    assert pm.stop_given_agreement(float(p)) == pytest.approx(float(pm.stop_given_agreement(p)), rel=1e-15, abs=2.3e-16)
    assert pm.first_token_agreement(p) == pm.sampling_accuracy(p)


def test_symbols_go_through_and_simplify() -> None:
    p, d = sympy.symbols("p d", positive=True)
    assert sympy.simplify(pm.stop_given_agreement(p) + pm.continue_given_agreement(p) - 1) == 0
    assert sympy.solve(pm.stop_given_agreement(p) - pm.continue_given_agreement(p), p) == [sympy.Rational(1, 3)]
    effective = pm.sequence_weighted_long_fraction(d, p)
    assert sympy.simplify(effective / (1 - effective) - 2 / (d + 1) * p / (1 - p)) == 0
    assert sympy.simplify(effective.subs(p, pm.sequence_weighted_threshold(d)) - sympy.Rational(1, 3)) == 0
    assert pm.greedy_accuracy(p).subs(p, sympy.Rational(1, 3)) == 1
    assert pm.greedy_length(d, p).subs(p, sympy.Rational(1, 4)) == 1
    assert sympy.expand(pm.expected_length(d, p) - (1 - p + p * d)) == 0


def test_balls_go_through() -> None:
    flint = pytest.importorskip("flint")
    third = flint.arb(1) / 3
    assert pm.stop_given_agreement(third).overlaps(flint.arb(1) / 2)
    assert pm.greedy_accuracy(flint.arb("0.25")) == 0.5
    with pytest.raises(ValueError, match="p_cot must be a ball on one side of 1/3"):
        pm.greedy_accuracy(third)


@pytest.mark.parametrize("d", [2, 3, 4, 5])
@pytest.mark.parametrize("p", SHARES[1:-1])
def test_sequence_weighting_reweights_the_enumerated_law(d: int, p: Fraction) -> None:
    mass = {True: Fraction(0), False: Fraction(0)}
    stop = go = Fraction(0)
    for x, y, probability in oracle.mixture(d, p):
        weighted = probability / len(y)
        mass[y == oracle.long_answer(x)] += weighted
        if y[0] == x[0]:
            stop, go = (stop + weighted, go) if y[1] == "EOS" else (stop, go + weighted)
    effective = pm.sequence_weighted_long_fraction(d, p)
    assert effective == mass[True] / (mass[True] + mass[False])
    assert stop / (stop + go) == pm.stop_given_agreement(effective)
    if d >= 3:
        threshold = Fraction(d + 1, d + 5)
        assert pm.sequence_weighted_threshold(d) == pytest.approx(float(threshold), rel=1e-15)
        assert (go >= stop) == (p >= threshold)
        assert threshold / (1 - threshold) == Fraction(d + 1, 4)


def test_arrays_broadcast() -> None:
    p = np.array([0.0, 0.25, 1.0])
    d = np.array([[3], [10]])
    assert pm.expected_length(d, p).shape == (2, 3)
    assert pm.expected_length(d, p)[1].tolist() == [1.0, 3.25, 10.0]
    assert pm.greedy_length(d, p).tolist() == [[1, 1, 3], [1, 1, 10]]
    assert pm.stop_given_disagreement(p[:2]).tolist() == [1.0, 1.0]
    assert pm.response_law(p).short_wrong.tolist() == [0.5, 0.375, 0.0]


BAD_SHARES = [-1e-9, 1 + 1e-9, float("nan"), float("inf"), Fraction(-1, 9), "half", None, True, 1j, [0.2, 2.0]]


@pytest.mark.parametrize("bad", BAD_SHARES)
@pytest.mark.parametrize(
    "function",
    [
        pm.first_token_agreement,
        pm.stop_given_agreement,
        pm.continue_given_agreement,
        pm.stop_given_disagreement,
        pm.greedy_accuracy,
        pm.sampling_accuracy,
        pm.response_law,
        lambda p: pm.greedy_length(3, p),
        lambda p: pm.expected_length(3, p),
        lambda p: pm.sequence_weighted_long_fraction(3, p),
    ],
)
def test_bad_shares_are_named(function: object, bad: object) -> None:
    with pytest.raises(ValueError, match=r"p_cot must be a real number in \[0, 1[\])], got"):
        function(bad)  # type: ignore[operator]


@pytest.mark.parametrize("bad", [0, -3, 2.5, 3.0, "3", None, True, [3, 0]])
@pytest.mark.parametrize(
    "function",
    [
        lambda d: pm.greedy_length(d, 0.2),
        lambda d: pm.expected_length(d, 0.2),
        lambda d: pm.sequence_weighted_long_fraction(d, 0.2),
        pm.sequence_weighted_threshold,
    ],
)
def test_bad_lengths_are_named(function: object, bad: object) -> None:
    with pytest.raises(ValueError, match=r"d must be an integer in \[[23], inf\), got"):
        function(bad)  # type: ignore[operator]


def test_no_disagreement_at_one() -> None:
    with pytest.raises(ValueError, match=r"p_cot must be a real number in \[0, 1\), got 1.0"):
        pm.stop_given_disagreement(1)
