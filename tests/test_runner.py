"""Running claims: looks, levels, mutants, failures, and what may and may not decide a claim.

The claims here are about coins: a room of closed forms and a room of simulators are put in
place for them, so that every call and every error probability can be watched.
"""

from __future__ import annotations

import dataclasses
import math
import sys
import types
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, ClassVar

import numpy as np
import pytest
import sympy as sp
from flint import arb
from scipy import stats

from proofs_check import runner
from proofs_check.claims import Claim, Exact, Mutant, Simulation, find
from proofs_check.domains import Domain, Integer, Real
from proofs_check.lab import CLAIM_LEVEL, Lab, Measurements, NotMeasured
from proofs_check.report import Report, assert_holds, check, strict_json
from proofs_check.runner import ClaimResult, run_claim, run_claims
from proofs_check.samples import Counts
from proofs_check.verdicts import Cell, Interval, Verdict

DOMAIN = Domain({"q": Real(0, 1)})


class Draws:
    """The little of a dataset that the machinery uses."""

    def __init__(self, values: np.ndarray) -> None:
        self.values = values

    def isel(self, replicate: slice) -> Draws:
        return Draws(self.values[replicate])


def uniforms(seeds: range) -> np.ndarray:
    """One uniform a seed (splitmix64)."""
    z = np.arange(seeds.start, seeds.stop, dtype=np.uint64) + np.uint64(0x9E3779B97F4A7C15)
    for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB)):
        z = (z ^ (z >> np.uint64(shift))) * np.uint64(factor)
    return (z ^ (z >> np.uint64(31))).astype(np.float64) / 2.0**64


@dataclass
class World:
    """Calls of the simulators, as (function, parameters, seeds)."""

    calls: list[tuple[str, dict[str, Any], range]]

    def seeds(self, **parameters: Any) -> list[range]:
        return [s for _, p, s in self.calls if p == parameters]


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> World:
    here = World([])

    def flips(q: float, seeds: range) -> Draws:
        here.calls.append(("flips", {"q": q}, seeds))
        return Draws(uniforms(seeds) < q)

    sims, theory = types.ModuleType("sims.coins"), types.ModuleType("theory.coins")
    sims.flips = flips  # type: ignore[attr-defined]
    theory.share = lambda q: q  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "sims.coins", sims)
    monkeypatch.setitem(sys.modules, "theory.coins", theory)
    return here


def count(data: Draws, cell: Mapping[str, Any]) -> Counts:
    return Counts(int(data.values.sum()), data.values.size)


def coins(*shares: float, **options: Any) -> Simulation:
    """A leg that holds the frequency of heads against the closed form."""
    settings: dict[str, Any] = {"resolution": 0.2, "planned_n": 200, "looks": 4, "name": "frequency of heads"} | options
    return Simulation(
        experiment="coins.flips",
        cells=[{"q": q} for q in shares],
        parameters=lambda cell: dict(cell),
        extract=count,
        predict=lambda theory, cell: theory.coins.share(cell["q"]),
        **settings,
    )


def exact(verdict: Verdict | None, kind: str = "identity", **options: Any) -> Exact:
    """A leg with one cell of a given verdict; with None it raises."""

    def run(lab: Lab) -> Iterator[Cell]:
        if verdict is None:
            raise ZeroDivisionError("a leg that raises")
        yield Cell({"q": 0.5}, verdict)

    return Exact(kind, options.pop("name", f"{kind} that {verdict}"), run, **options)


def claim(*legs: Any, **options: Any) -> Claim:
    settings: dict[str, Any] = {
        "id": "coins.share",
        "statement": "heads come with probability q",
        "latex": "q",
        "origin": "derived",
        "source": "definition",
        "kind": "exact",
        "domain": DOMAIN,
    }
    return Claim(evidence=legs, **(settings | options))


def judged(*legs: Any, seed: int = 0, power: bool = False, **options: Any) -> ClaimResult:
    return run_claim(claim(*legs, **options), Lab(seed=seed, measurements=Measurements(seed)), power=power)


# Looks


def test_looks_double_and_their_seeds_are_contiguous(world: World) -> None:
    found = judged(coins(0.5, resolution=0.0, planned_n=10, looks=4), seed=3)
    assert found.verdict is Verdict.UNDECIDED  # a point is never enclosed without a resolution
    first = 3 * 2**32
    assert world.seeds(q=0.5) == [
        range(first, first + 10),
        range(first + 10, first + 20),
        range(first + 20, first + 40),
        range(first + 40, first + 80),
    ]
    (evidence,) = found.evidence
    assert evidence.planned_n == 10
    assert evidence.n == 80
    assert found.outcome == "undecided"


def test_a_decided_cell_is_measured_no_further(world: World) -> None:
    judged(coins(0.5, 0.01, resolution=0.08, planned_n=400, looks=4))
    assert len(world.seeds(q=0.01)) < len(world.seeds(q=0.5))


@dataclass
class Scripted:
    """A sample whose interval depends on its size alone."""

    n: int
    script: Mapping[int, tuple[float, float]]
    alphas: list[float]
    level_kind: ClassVar[str] = "exact"

    def __add__(self, other: Any) -> Scripted:
        return Scripted(self.n + other.n, self.script, self.alphas)

    @property
    def size(self) -> int:
        return self.n

    @property
    def estimate(self) -> float:
        return sum(self.script[self.n]) / 2

    def interval(self, alpha: float) -> Interval:
        self.alphas.append(alpha)
        return Interval(*self.script[self.n])


WIDE, HIT, MISS = (-1.0, 1.0), (-0.1, 0.1), (0.2, 0.3)
SCRIPTS = {
    0.1: {10: HIT, 20: MISS, 40: MISS},  # decided at the first look; later ones would say otherwise
    0.2: {10: WIDE, 20: WIDE, 40: HIT},
    0.3: {10: WIDE, 20: MISS, 40: HIT},
}


def scripted(
    alphas: list[float], shares: Sequence[float], looks: int = 3, joint: bool = False, **options: Any
) -> Simulation:
    def combine(samples: Sequence[tuple[Mapping[str, Any], Any]], alpha: float, lab: Lab) -> list[Cell]:
        cells = []
        for cell, sample in samples:
            low, _ = sample.interval(alpha)
            verdict = Verdict.UNDECIDED if low < -0.5 else Verdict.HOLDS if low < 0 else Verdict.FAILS
            cells.append(Cell(dict(cell), verdict, n=sample.size))
        return cells

    return Simulation(
        "scripted",
        "coins.flips",
        cells=[{"q": q} for q in shares],
        parameters=lambda cell: dict(cell),
        extract=lambda data, cell: Scripted(data.values.size, SCRIPTS[cell["q"]], alphas),
        predict=None if joint else lambda theory, cell: 0.0,
        combine=combine if joint else None,
        resolution=0.15,
        planned_n=10,
        looks=looks,
        **options,
    )


@pytest.mark.parametrize("joint", [False, True])
def test_the_first_decision_of_a_cell_stands(world: World, joint: bool) -> None:
    found = judged(scripted([], (0.1, 0.2, 0.3), joint=joint))
    cells = {c.parameters["q"]: c for c in found.evidence[0].cells}
    assert {q: (c.verdict.value, c.n) for q, c in cells.items()} == {
        0.1: ("holds", 10),
        0.2: ("holds", 40),
        0.3: ("fails", 20),
    }
    assert found.verdict is Verdict.FAILS


@pytest.mark.parametrize("joint", [False, True])
def test_the_end_of_the_budget_is_undecided(world: World, joint: bool) -> None:
    found = judged(scripted([], (0.1, 0.2), looks=2, joint=joint))
    assert found.verdict is Verdict.UNDECIDED
    assert [c.verdict.value for c in found.evidence[0].cells] == ["holds", "undecided"]


# Levels


def test_the_level_is_split_over_legs_cells_and_looks(world: World) -> None:
    alphas: list[float] = []
    found = judged(scripted(alphas, (0.1, 0.2)), coins(0.5))
    each = CLAIM_LEVEL / (2 * 2 * 3)
    assert alphas
    assert set(alphas) == {each}
    assert found.evidence[0].level == each
    assert found.evidence[1].level == CLAIM_LEVEL / (2 * 1 * 4)
    assert found.evidence[0].level_kind == "exact"


def test_exact_legs_take_no_share_and_joint_legs_get_the_level_of_a_look(world: World) -> None:
    alphas: list[float] = []
    judged(scripted(alphas, (0.1, 0.2), joint=True), exact(Verdict.HOLDS))
    assert set(alphas) == {CLAIM_LEVEL / 3}


RUNS = 300
LEVEL = 0.05


def test_true_claims_raise_fewer_alarms_than_the_level(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """With no resolution every look of every cell is taken, and each could raise an alarm.

    More than `most` alarms in 300 runs have probability below 1e-6 at the level 0.05. The
    control looks as often at unsplit intervals, and must exceed it.
    """
    monkeypatch.setattr(runner, "CLAIM_LEVEL", LEVEL)
    most = int(stats.binom.isf(1e-6, RUNS, LEVEL))
    legs = (coins(0.5, 0.2, resolution=0.0, planned_n=50), coins(0.8, resolution=0.0, planned_n=50))
    alarms = sum(judged(*legs, seed=seed).verdict is Verdict.FAILS for seed in range(RUNS))
    assert alarms <= most

    def naive(seed: int) -> bool:
        for q in (0.5, 0.2, 0.8):
            heads = uniforms(range(seed * 2**32, seed * 2**32 + 400)) < q
            for n in (50, 100, 200, 400):
                low, high = count(Draws(heads[:n]), {}).interval(LEVEL)
                if not low <= q <= high:
                    return True
        return False

    assert sum(naive(seed) for seed in range(RUNS)) > most


def test_a_false_claim_is_refuted_and_a_true_one_holds(world: World) -> None:
    """At the real level: 3 200 flips tell .5 from .65 (the interval's half-width is about .058)."""
    for seed in range(20):
        options: dict[str, Any] = {"resolution": 0.12, "planned_n": 400}
        assert judged(coins(0.5, **options), seed=seed).verdict is Verdict.HOLDS
        false = dataclasses.replace(coins(0.5, **options), predict=lambda theory, cell: 0.65)
        assert judged(false, seed=seed).verdict is Verdict.FAILS


# Mutants


OFF = Mutant("q + .3", "the mean of a flip is q", theory={"coins.share": lambda q: q + 0.3})
SLIGHTLY_OFF = Mutant("q + .001", "the mean of a flip is q", theory={"coins.share": lambda q: q + 0.001})
BIASED = Mutant(
    "heads with probability q^2",
    "it is q",
    sims={"coins.flips": lambda q, seeds: Draws(uniforms(seeds) < q * q)},
)


def test_theory_mutants_reuse_the_measurements(world: World) -> None:
    alone = judged(coins(0.5))
    before = len(world.calls)
    found = judged(coins(0.5), mutants=(OFF, SLIGHTLY_OFF))
    assert len(world.calls) == 2 * before
    assert [m.refuted_by for m in found.mutants] == [("frequency of heads",), ()]
    assert all(m.ran for m in found.mutants)
    assert found.verdict is alone.verdict is Verdict.HOLDS
    assert found.outcome == "contrary"  # a mutant that survives is no success
    assert judged(coins(0.5), mutants=(OFF,)).outcome == "as_expected"


def test_a_frozen_mutant_still_sees_the_cells_that_were_measured_longer(world: World) -> None:
    """The first cell ends at its first look, the second goes on; the mutant is refuted by the second alone."""
    leg = coins(0.5, 0.3, resolution=lambda cell, predicted: 0.2 if cell["q"] == 0.5 else 0.09, planned_n=400)
    shifted = {0.5: 0.58, 0.3: 0.41}  # the first leaves its cell open after one look, the second takes two looks more
    moved = Mutant("q is .58 or .41", "it is .5 or .3", theory={"coins.share": lambda q: shifted[q]})
    found = judged(leg, mutants=(moved,))
    assert found.verdict is Verdict.HOLDS
    assert {c.parameters["q"]: c.n for c in found.evidence[0].cells} == {0.5: 400, 0.3: 1600}
    assert found.mutants[0].refuted_by == (leg.name,)
    assert len(world.seeds(q=0.5)) == 1
    alone = dataclasses.replace(leg, cells=[{"q": 0.5}])
    assert judged(alone, mutants=(moved,)).mutants[0].refuted_by == ()


def test_simulator_mutants_run_on_request_only_and_sample_anew(world: World) -> None:
    asleep = judged(coins(0.5), mutants=(BIASED,))
    assert not asleep.mutants[0].ran
    assert asleep.outcome == "as_expected"
    calls = []

    def biased(q: float, seeds: range) -> Draws:
        calls.append(seeds)
        return Draws(uniforms(seeds) < q * q)

    before = len(world.calls)
    awake = judged(coins(0.5), power=True, mutants=(dataclasses.replace(BIASED, sims={"coins.flips": biased}),))
    assert awake.mutants[0].ran
    assert awake.mutants[0].refuted_by == ("frequency of heads",)
    assert calls[0].start == 0
    assert len(world.calls) == 2 * before  # the claim's own measurement, as before
    assert awake.verdict is Verdict.HOLDS  # the mutant's draws did not reach the claim


def test_a_mutant_that_raises_is_reported(world: World) -> None:
    def broken(q: float) -> float:
        raise KeyError("not a missing measurement")

    found = judged(coins(0.5), mutants=(dataclasses.replace(OFF, theory={"coins.share": broken}),))
    assert "not a missing measurement" in found.mutants[0].error
    assert found.outcome == "contrary"


def test_a_frozen_lab_refuses_to_measure(world: World) -> None:
    lab = Lab(measurements=Measurements(0))
    lab.measure("coins.flips", 5, q=0.5)
    frozen = lab.mutated({}, {})
    assert sum(d.values.size for d in frozen.measure("coins.flips", 4, q=0.5)) == 4
    with pytest.raises(NotMeasured, match="only 5 of 6 replicates were measured"):
        frozen.measure("coins.flips", 6, q=0.5)
    assert len(world.calls) == 1


def test_legs_that_refute_no_mutant_are_named(world: World) -> None:
    found = judged(coins(0.5), exact(Verdict.HOLDS, name="idle"), mutants=(OFF,))
    assert found.idle_legs == ["idle"]


# What decides


def test_a_leg_that_raises_is_contrary_and_the_others_go_on(world: World) -> None:
    found = judged(exact(None, name="broken"), coins(0.5))
    broken, other = found.evidence
    assert broken.verdict is Verdict.UNDECIDED
    assert "ZeroDivisionError: a leg that raises" in broken.error
    assert other.verdict is Verdict.HOLDS
    assert found.outcome == "contrary"
    assert Report((found,), 0, "quick").exit_code == 1
    assert (
        "a leg that raises" in strict_json(Report((found,), 0, "quick").to_json())["claims"][0]["evidence"][0]["detail"]
    )


def test_a_simulator_or_tightness_that_raises_is_reported_too(world: World) -> None:
    leg = dataclasses.replace(coins(0.5), experiment=lambda q, seeds: 1 / 0)
    assert "ZeroDivisionError" in judged(leg).errors[0]
    found = judged(coins(0.5), tightness=lambda lab: {"ratio": 1 / 0})
    assert "ZeroDivisionError" in found.errors[0]
    assert found.outcome == "contrary"
    assert found.tightness is None


@pytest.mark.parametrize(
    ("legs", "verdict"),
    [
        (["solver holds"], "undecided"),
        (["solver fails"], "fails"),
        (["identity holds", "solver fails"], "fails"),
        (["identity holds", "solver undecided"], "holds"),
        (["identity undecided", "solver holds"], "undecided"),
        (["identity holds", "certificate undecided"], "undecided"),
        (["identity holds", "certificate fails"], "fails"),
        (["identity undecided", "certificate fails"], "fails"),
        (["identity holds", "certificate holds"], "holds"),
    ],
)
def test_required_legs_decide_and_a_solver_can_only_fail_a_claim(legs: list[str], verdict: str) -> None:
    made = [exact(Verdict(word), kind) for kind, word in (leg.split() for leg in legs)]
    assert judged(*made).verdict.value == verdict


def test_a_leg_without_cells_decides_nothing(world: World) -> None:
    empty = Exact("identity", "nothing", lambda lab: [])
    assert judged(empty).verdict is Verdict.UNDECIDED
    assert "has no cells" in judged(coins()).errors[0]


@pytest.mark.parametrize(
    ("verdict", "expected", "outcome", "code"),
    [
        (Verdict.HOLDS, "holds", "as_expected", 0),
        (Verdict.FAILS, "holds", "contrary", 1),
        (Verdict.UNDECIDED, "holds", "undecided", 3),
        (Verdict.FAILS, "fails", "as_expected", 0),
        (Verdict.HOLDS, "fails", "contrary", 1),
        (Verdict.UNDECIDED, "fails", "undecided", 3),
        (Verdict.UNDECIDED, "undecided", "as_expected", 0),
        (Verdict.HOLDS, "undecided", "contrary", 1),
        (Verdict.FAILS, "undecided", "contrary", 1),
    ],
)
def test_outcomes_and_exit_codes(verdict: Verdict, expected: str, outcome: str, code: int) -> None:
    options: dict[str, Any] = {
        "holds": {},
        "fails": {"expected": "fails", "repaired_by": "coins.other"},
        "undecided": {"expected": "undecided", "origin": "conjecture"},
    }[expected]
    found = judged(exact(verdict), **options)
    assert found.outcome == outcome
    assert Report((found,), 0, "quick").exit_code == code
    assert Report((found, judged(exact(Verdict.FAILS))), 0, "quick").exit_code == 1


def test_cells_outside_the_domain_are_refused(world: World) -> None:
    assert "q must be in [0, 1], got 1.5" in judged(coins(0.5, 1.5)).errors[0]
    assert world.calls == []
    beyond = Exact("identity", "beyond", lambda lab: [lab.true({"q": Fraction(3, 2)}, True)])
    assert "q must be in [0, 1]" in judged(beyond).errors[0]
    words = Exact("identity", "words", lambda lab: [lab.true({"q": "every q"}, True)])
    assert judged(words).verdict is Verdict.HOLDS
    picky = Domain({"q": Real(0, 1)}, {"q != 1/2": lambda cell: cell["q"] != 0.5})
    assert "the claim assumes q != 1/2" in judged(coins(0.5), domain=picky).errors[0]


# Legs that measure one quantity


def ranged(low: float, high: float, q: Any = 0.5, **options: Any) -> Exact:
    cell = Cell({"q": q}, Verdict.HOLDS, interval=Interval(low, high), predicted=Interval(0, 1))
    return Exact("enclosure", options.pop("name"), lambda lab: [cell], **options)


@pytest.mark.parametrize(
    ("other", "verdict"),
    [
        (ranged(0.2, 0.3, name="b", quantity="share"), "fails"),
        (ranged(0.1, 0.3, name="b", quantity="share"), "holds"),  # they touch
        (ranged(0.2, 0.3, name="b", quantity="something else"), "holds"),
        (ranged(0.2, 0.3, name="b"), "holds"),
        (ranged(0.2, 0.3, q=0.25, name="b", quantity="share"), "holds"),
        (ranged(0.2, 0.3, q=Fraction(1, 2), name="b", quantity="share"), "fails"),
    ],
)
def test_disjoint_intervals_of_one_quantity_fail_the_claim(other: Exact, verdict: str) -> None:
    found = judged(ranged(0.0, 0.1, name="a", quantity="share"), other)
    assert found.verdict.value == verdict
    compared = [e.kind for e in found.evidence].count("agreement")
    same_cell = next(iter(other.run(Lab()))).parameters["q"] == 0.5
    assert compared == (other.quantity == "share" and same_cell)


def test_agreement_alone_makes_nothing_hold(world: World) -> None:
    weak = dataclasses.replace(exact(Verdict.UNDECIDED), quantity="share")
    found = judged(weak, coins(0.5, quantity="share"))
    assert found.verdict is Verdict.UNDECIDED
    point = Exact(
        "enumeration", "point", lambda lab: [lab.equal({"q": 0.5}, Fraction(3, 4), Fraction(3, 4))], quantity="share"
    )
    clash = judged(coins(0.5, quantity="share"), point)
    assert clash.verdict is Verdict.FAILS
    agreement = clash.evidence[-1]
    assert (agreement.kind, agreement.role, agreement.verdict) == ("agreement", "supporting", Verdict.FAILS)
    assert "point against frequency of heads" in agreement.cells[0].detail
    assert "agreement" not in clash.idle_legs


# Shared measurements


def test_a_shared_measurement_is_made_once(world: World) -> None:
    first = claim(coins(0.5), id="coins.first", mutants=(OFF,))
    second = claim(coins(0.5, resolution=0.0, looks=5), id="coins.second")
    run_claims([first, second, first], seed=1)
    seen = [i for s in world.seeds(q=0.5) for i in s]
    assert seen == list(range(2**32, 2**32 + len(seen)))  # contiguous, none twice
    assert len(seen) == 200 * 2**4


def test_the_first_replicates_do_not_depend_on_what_was_measured_before(world: World) -> None:
    alone = judged(coins(0.5)).evidence[0].cells
    lab = Lab(measurements=Measurements(0))
    run_claim(claim(coins(0.5, resolution=0.0)), lab)
    assert run_claim(claim(coins(0.5)), lab).evidence[0].cells == alone
    assert lab.measurements.drawn == 1600


def test_local_simulators_with_one_name_share_nothing() -> None:
    def maker(heads: bool) -> Callable[..., Draws]:
        return lambda q, seeds: Draws(np.full(len(seeds), heads))

    lab = Lab(measurements=Measurements(0))
    up, down = maker(True), maker(False)
    assert lab.measure(up, 3, q=0.5)[0].values.all()
    assert not lab.measure(down, 3, q=0.5)[0].values.any()


def test_claims_that_share_a_measurement_share_a_worker(world: World) -> None:
    made = [claim(coins(q), id=f"coins.n{i}") for i, q in enumerate((0.1, 0.2, 0.1, 0.3))]
    made.append(claim(coins(0.2, 0.3), id="coins.n4"))
    made.append(claim(exact(None), id="coins.n5"))
    groups = sorted(sorted(c.id for c in g) for g in runner._groups(made, "quick"))
    assert groups == [["coins.n0", "coins.n2"], ["coins.n1", "coins.n3", "coins.n4"], ["coins.n5"]]


def test_claims_of_ones_own_with_one_id_are_judged_apart(world: World) -> None:
    report = check([claim(exact(Verdict.HOLDS)), claim(exact(Verdict.FAILS))])
    assert [r.verdict.value for r in report.results] == ["holds", "fails"]


def without_seconds(value: Any) -> Any:
    if isinstance(value, dict):
        return {k: without_seconds(v) for k, v in value.items() if k != "seconds"}
    return [without_seconds(v) for v in value] if isinstance(value, list) else value


def test_workers_do_not_change_the_ledger() -> None:
    ids = ["parity_mixture.first_token", "parity_mixture.expected_length", "parity_mixture.sequence_weighting"]
    told: list[str] = []
    ledgers = []
    for jobs in (1, 2):
        results = run_claims(find(ids), seed=5, jobs=jobs, on_result=lambda r: told.append(r.id))
        ledgers.append(without_seconds(Report(tuple(results), 5, "quick").to_json()))
    assert ledgers[0] == ledgers[1]
    assert [c["id"] for c in ledgers[0]["claims"]] == ids
    assert all(c["verdict"] == "holds" for c in ledgers[0]["claims"])
    assert sorted(told) == sorted(ids * 2)


# Cells that exact legs make


def test_exact_equality_is_about_rationals() -> None:
    lab = Lab()
    assert lab.equal({}, Fraction(1, 3), sp.Rational(1, 3)).verdict is Verdict.HOLDS
    assert lab.equal({}, Fraction(1, 3), Fraction(1, 3) + Fraction(1, 10**30)).verdict is Verdict.FAILS
    assert lab.equal({}, True, False).verdict is Verdict.FAILS
    for inexact in (0.5, np.float32(0.5), arb(1) / 3, sp.log(6), sp.Symbol("x"), sp.Float(0.5), 1j):
        with pytest.raises(TypeError, match=r"equal\(\) needs rationals"):
            lab.equal({}, inexact, Fraction(1, 2))


def test_closeness_needs_finite_numbers() -> None:
    lab = Lab()
    assert lab.close({}, 1.0, 1.0 + 1e-12, 1e-11).verdict is Verdict.HOLDS
    assert lab.close({}, 1.0, 1.0 + 1e-10, 1e-11).verdict is Verdict.FAILS
    for observed, tolerance in ((math.nan, 1.0), (1.0, math.inf), (1.0, math.nan)):
        with pytest.raises(ValueError, match="comparing needs finite numbers"):
            lab.close({}, observed, 1.0, tolerance)


def test_overlapping_balls_decide_nothing() -> None:
    lab = Lab()
    wide, one = arb(1, 0.5), arb(1)
    assert lab.at_most({}, wide, one).verdict is Verdict.UNDECIDED
    assert lab.at_most({}, arb("nan"), one).verdict is Verdict.UNDECIDED
    assert lab.at_most({}, arb(0.25), one).verdict is Verdict.HOLDS
    assert lab.at_most({}, arb(2), wide).verdict is Verdict.FAILS
    assert lab.true({}, None).verdict is Verdict.UNDECIDED


def test_balls_become_numbers_in_the_ledger() -> None:
    leg = Exact("enclosure", "balls", lambda lab: [lab.at_most({"q": arb(1) / 2}, arb(1) / 3, arb(1))])
    found = judged(leg)
    (cell,) = found.evidence[0].cells
    assert cell.observed == 1 / 3
    assert cell.predicted == Interval(-math.inf, 1.0)
    assert cell.parameters == {"q": 0.5}
    report = Report((found,), 0, "quick")
    assert report.to_json()["claims"][0]["evidence"][0]["observed"] == 1 / 3
    assert report.to_dataset()["observed"].item() == 1 / 3


# Making claims, legs and mutants


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"id": "coins"}, "id must look like subject.name"),
        ({"origin": "hearsay"}, "origin must be one of paper, derived, conjecture, got 'hearsay'"),
        ({"kind": "vague"}, "kind must be one of exact"),
        ({"expected": "maybe"}, "expected must be one of holds"),
        ({"expected": "fails"}, "names what repairs it"),
        ({"repaired_by": "coins.other"}, "names what repairs it"),
        ({"expected": "undecided"}, "only conjectures"),
        ({"mutants": (dataclasses.replace(OFF, flips=True),) * 2}, "at most one mutant may be a flipped inequality"),
    ],
)
def test_claims_that_contradict_themselves_are_refused(change: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        claim(exact(Verdict.HOLDS), **change)


def test_claims_legs_and_mutants_must_say_something() -> None:
    with pytest.raises(ValueError, match="has no evidence"):
        claim()
    with pytest.raises(ValueError, match="must replace something"):
        Mutant("nothing", "")
    for change, message in (
        ({"looks": 9}, "looks must be an integer in"),
        ({"planned_n": 0}, "planned_n must be an integer in"),
        ({"planned_n": {"quick": 10, "full": 0}}, "planned_n must be an integer in"),
        ({"compare": "near"}, "compare must be one of"),
        ({"predict": None}, "either predict or combine"),
    ):
        with pytest.raises(ValueError, match=message):
            dataclasses.replace(coins(0.5), **change)
    with pytest.raises(ValueError, match="kind must be one of identity"):
        Exact("simulation", "", lambda lab: [])
    with pytest.raises(ValueError, match="scope must be one of"):
        Exact("identity", "", lambda lab: [], scope="everywhere")


# The door for Python


def test_check_moves_simulations_to_a_cell_of_the_users(world: World) -> None:
    mine = claim(coins(0.5, 0.4), domain=Domain({"q": Real(0, 1), "n": Integer(1)}))
    report = check(mine, q=0.25, seed=2)
    assert {tuple(p.values()) for _, p, _ in world.calls} == {(0.25,)}
    assert report.results[0].verdict is Verdict.HOLDS
    with pytest.raises(ValueError, match="has no parameter 'r'"):
        check(mine, r=0.25)
    with pytest.raises(ValueError, match=r"q must be in \[0, 1\], got 2"):
        check(mine, q=2)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"seed": -1}, "seed must be an integer in"),
        ({"seed": 2**31}, "seed must be an integer in"),
        ({"seed": 0.5}, "seed must be an integer in"),
        ({"seed": True}, "seed must be an integer in"),
        ({"profile": "slow"}, "profile must be one of quick, full, transformer, got 'slow'"),
        ({"jobs": 0}, "jobs must be an integer in"),
    ],
)
def test_check_refuses_bad_options(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        check(claim(exact(Verdict.HOLDS)), **options)


def test_assert_holds_says_what_went_wrong(world: World) -> None:
    assert assert_holds(claim(coins(0.5))).results[0].verdict is Verdict.HOLDS
    with pytest.raises(
        AssertionError, match=r"coins.share: expected holds, got fails(.|\n)*replay: python -m proofs_check"
    ):
        assert_holds(claim(exact(Verdict.FAILS)))
    with pytest.raises(AssertionError, match=r"mutant not refuted: q \+ .001"):
        assert_holds(claim(coins(0.5), mutants=(SLIGHTLY_OFF,)))
    with pytest.raises(AssertionError, match="a leg that raises"):
        assert_holds(claim(exact(None)))
