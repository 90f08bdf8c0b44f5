"""Every bound that can be simulated, at random points of its claim's domain and random seeds.

A property fails only where an exact confidence interval at error probability 1e-9 excludes the bound; with at most 25
points a property, a run over all of them raises a false alarm with probability below 1e-5, however close to its limit
a quantity lies. Quantities without sampling error have no tolerance beyond the rounding that is derived with them.
That each property can fail is shown on false limits, and on statements that are known to be false.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from proofs_check.bounds import (
    Bound,
    Crossing,
    Exactly,
    Measured,
    Quantiles,
    broken,
    find_bounds,
    from_claim,
    narrowed,
    ratio,
    ratio_interval,
)
from proofs_check.claims import Claim, Exact, Mutant, Simulation, find, subjects
from proofs_check.domains import Domain, Integer, Real
from proofs_check.lab import Lab
from proofs_check.samples import Counts, Means

ALPHA = 1e-9
BOUNDS = find_bounds()
TRUE = [bound for bound in BOUNDS if not bound.fails]
FALSE = [bound for bound in BOUNDS if bound.fails]


def name(bound: Bound) -> str:
    return bound.id


def examples(bound: Bound) -> int:
    """At most 25, fewer where a measurement is a tenth of a second or more."""
    return max(8, min(25, round(2.0 / bound.cost)))


def hold(bound: Bound, lab: Lab, *phases: Phase, times: int = 1) -> None:
    """Draw points and seeds, and require that no interval excludes the bound."""

    @settings(
        max_examples=times * examples(bound),
        phases=phases,
        suppress_health_check=list(HealthCheck),
        report_multiple_bugs=False,
    )
    @given(point=bound.domain.strategy(), seed=st.integers(0, 2**31 - 1))
    def respected(point: dict[str, Any], seed: int) -> None:
        found = bound.measure(lab, point, range(seed, seed + bound.n))
        assert math.isfinite(found.sample.estimate)
        assert not math.isnan(found.limit)
        assert not broken(bound.kind, found, ALPHA), f"{found.sample.interval(ALPHA)} against {found.limit}"

    respected()


@pytest.mark.parametrize("bound", TRUE, ids=name)
def test_what_is_simulated_respects_the_bound(bound):
    hold(bound, Lab(), Phase.generate, Phase.shrink)


@pytest.mark.parametrize("bound", TRUE, ids=name)
def test_a_false_limit_is_found_out(bound):
    assert bound.mutants
    for mutant in bound.mutants:
        with pytest.raises(AssertionError, match="against"):
            hold(bound, Lab().mutated(mutant.theory, mutant.sims), Phase.generate, times=4)  # ends at the first


@pytest.mark.parametrize("bound", FALSE, ids=name)
def test_a_false_statement_is_found_out(bound):
    with pytest.raises(AssertionError, match="against"):
        hold(bound, Lab(), Phase.generate, times=4)


# ---------------------------------------------------------------- the list of bounds


def test_bounds_belong_to_claims_of_their_kind_and_name():
    claims = {claim.id: claim for claim in find()}
    assert len({bound.id for bound in BOUNDS}) == len(BOUNDS)
    for bound in BOUNDS:
        assert bound.claim in claims, bound.id
        assert bound.fails == (claims[bound.claim].expected == "fails"), bound.id
        assert all(len(parameter.ends()) == 2 for parameter in bound.domain.parameters.values()), bound.id


def test_every_claim_of_an_upper_bound_in_training_is_measured():
    """The counts and errors of pre-training, none left out."""
    measured = {bound.claim for bound in BOUNDS}
    wanted = {c.id for c in find(["linear_model"]) if c.kind == "upper" and c.expected == "holds"}
    assert wanted <= measured


def test_points_lie_in_the_domain_of_their_claim():
    """Every parameter that a claim names keeps to the claim's range, ends included."""
    claims = {claim.id: claim for claim in find()}
    for bound in BOUNDS:
        known = claims[bound.claim].domain.parameters
        for parameter, drawn in bound.domain.parameters.items():
            if parameter in known:
                assert all(known[parameter].contains(end) for end in drawn.ends()), (bound.id, parameter)


def test_bounds_are_found_by_subject_claim_and_id():
    assert {b.claim.split(".")[0] for b in BOUNDS} <= set(subjects())
    several = find_bounds(["linear_model.theorem_1"])
    assert len(several) > 1
    assert [b.id for b in find_bounds([several[0].id])] == [several[0].id]
    with pytest.raises(ValueError, match="unknown bound or subject 'nothing'"):
        find_bounds(["nothing"])
    with pytest.raises(ValueError, match="states no bound that is simulated"):
        find_bounds(["star.accuracy"])
    with pytest.raises(ValueError, match="unknown claim"):
        find_bounds(["star.nothing"])


# ---------------------------------------------------------------- samples, ratios and error rates


def test_a_quantity_equal_to_its_bound_is_called_broken_no_more_often_than_stated():
    """The hardest true case: success probability 0.2 against the bound 0.2, at level 5 % on both sides."""
    generator = np.random.default_rng(0)
    runs, alpha = 4000, 0.05
    for kind in ("upper", "lower"):
        counts = generator.binomial(50, 0.2, runs)
        alarms = sum(broken(kind, Measured(Counts(int(k), 50), 0.2), alpha) for k in counts)
        assert Counts(alarms, runs).interval(1e-6).low <= alpha
    values = generator.exponential(size=(runs, 40))
    limit = -math.log(0.3)  # the 0.7-quantile
    alarms = sum(broken("upper", Measured(Quantiles(row, 0.7), limit), alpha) for row in values)
    assert Counts(alarms, runs).interval(1e-6).low <= alpha


def test_the_interval_of_a_crossing_covers_the_least_size():
    """Success probability 1 - 2^-n at size n reaches 0.7 first at n = 2; no tried size reaches 0.999."""
    generator = np.random.default_rng(1)
    sizes = (1, 2, 3, 4)
    missed = 0
    for _ in range(2000):
        found = tuple(int(generator.binomial(60, 1 - 2.0**-n)) for n in sizes)
        low, high = Crossing(sizes, found, 60, 0.7).interval(0.1)
        missed += not low <= 2 <= high
    assert Counts(missed, 2000).interval(1e-6).low <= 0.1
    sample = Crossing(sizes, (10, 20, 30, 40), 60, 0.999)
    assert sample.estimate == 5.0  # larger than all that were tried
    assert sample.interval(0.1).low == 5.0
    assert sample.interval(0.1).high == math.inf


def test_samples_grow():
    more = Quantiles(np.array([1.0, 3.0]), 0.5) + Quantiles(np.array([2.0]), 0.5)
    assert (more.size, more.estimate) == (3, 2.0)
    both = Crossing((1, 2), (0, 5), 10, 0.5) + Crossing((1, 2), (1, 6), 10, 0.5)
    assert (both.runs, both.successes, both.estimate) == (20, (1, 11), 2.0)
    assert (Exactly(1.0) + Exactly(1.0)).estimate == 1.0
    with pytest.raises(TypeError):
        Quantiles(np.array([1.0]), 0.5) + Quantiles(np.array([1.0]), 0.6)
    with pytest.raises(TypeError):
        Crossing((1, 2), (0, 5), 10, 0.5) + Counts(1, 2)


@pytest.mark.parametrize(
    ("kind", "value", "limit", "expected"),
    [
        ("upper", 0.2, 0.4, 0.5),
        ("lower", 0.4, 0.2, 0.5),
        ("upper", 0.0, 0.0, 0.0),
        ("upper", 0.1, 0.0, math.inf),
        ("lower", 0.0, 0.1, math.inf),
        ("upper", 5.0, math.inf, 0.0),
    ],
)
def test_ratio_is_above_one_exactly_where_the_bound_is_broken(kind, value, limit, expected):
    found = Measured(Exactly(value), limit)
    assert ratio(kind, found) == pytest.approx(expected)
    assert broken(kind, found, ALPHA) == (expected > 1)
    assert ratio_interval(kind, found, ALPHA)[0] <= ratio(kind, found) <= ratio_interval(kind, found, ALPHA)[1]


def test_rounding_breaks_no_bound_and_makes_no_ratio():
    """A true value equal to its limit, computed with an error."""
    for kind, off in (("upper", 1e-16), ("lower", -1e-16)):
        found = Measured(Exactly(1e-17 + off, 2e-16), 1e-17)
        assert not broken(kind, found, ALPHA)
        assert ratio(kind, found) <= 1


def test_vacuous_limits():
    domain = Domain({"x": Real(0, 1)})
    upper = Bound("a.b", "upper", domain, lambda *a: Measured(Exactly(0.0), 1.0), ceiling=1.0)
    lower = Bound("a.b", "lower", domain, lambda *a: Measured(Exactly(0.0), 1.0))
    assert upper.vacuous(1.0)
    assert not upper.vacuous(0.999)
    assert lower.vacuous(0.0)
    assert not lower.vacuous(1e-9)


def test_narrowed_domains_stay_inside_and_keep_assumptions():
    domain = Domain({"d": Integer(3), "p": Real(0, 1, open_low=True)}, {"p < 1": lambda cell: cell["p"] < 1})
    small = narrowed(domain, {"instance": Integer(0, 9)}, d=(4, 6), p=(0.25, 1.0))
    assert str(small) == "d in {4, ..., 6}, p in [0.25, 1], instance in {0, ..., 9}, p < 1"
    assert list(narrowed(domain, drop=("p",))) == ["d"]
    with pytest.raises(ValueError, match=r"d must stay in \{3, 4, ...\}, got \[2, 6\]"):
        narrowed(domain, d=(2, 6))
    with pytest.raises(ValueError, match=r"p must stay in \(0, 1\], got \[0.0, 1.0\]"):
        narrowed(domain, p=(0.0, 1.0))
    with pytest.raises(ValueError, match="the domain has no parameter 'q'"):
        narrowed(domain, q=(1, 2))


def test_bad_bounds_are_refused():
    with pytest.raises(ValueError, match="kind must be one of upper, lower, got 'exact'"):
        Bound("a.b", "exact", Domain(), lambda *a: Measured(Exactly(0.0), 1.0))
    with pytest.raises(ValueError, match=r"n must be an integer in \[1, inf\), got 0"):
        Bound("a.b", "upper", Domain(), lambda *a: Measured(Exactly(0.0), 1.0), n=0)


# ---------------------------------------------------------------- bounds from legs


def _coin(p: float, seeds: Any) -> Any:
    import xarray

    heads = [np.random.default_rng(seed).random() < p for seed in seeds]
    return xarray.Dataset({"heads": ("replicate", heads)})


def _claim(**changes: Any) -> Claim:
    leg = Simulation(
        "heads",
        _coin,
        cells=[{"p": 0.1}, {"p": 0.3}],
        parameters=lambda cell: {"p": cell["p"]},
        extract=lambda data, cell: Counts(int(data["heads"].sum()), data.sizes["replicate"]),
        predict=lambda theory, cell: (0.0, 2 * cell["p"]),
        compare="upper",
        planned_n=60,
        **changes,
    )
    exact = Exact("identity", "nothing", lambda lab: [])
    return Claim(
        "demo.coin", "", "", "derived", "", "upper", Domain({"p": Real(0, 0.4, open_low=True)}), [exact, leg],
        [Mutant("", "", theory={"demo.x": len})],
    )  # fmt: skip


def test_legs_give_bounds_at_their_cells_and_over_a_domain():
    listed = from_claim(_claim())
    assert [(b.id, b.kind, b.n) for b in listed] == [("demo.coin:heads", "upper", 60)]
    assert str(listed[0].domain) == "cell in {0, ..., 1}"
    found = listed[0].measure(Lab(), {"cell": 1}, range(60))
    assert (found.sample.size, found.limit) == (60, 0.6)
    (wide,) = from_claim(_claim(), Domain({"p": Real(0.05, 0.4)}))
    assert wide.measure(Lab(), {"p": 0.05}, range(60)).limit == 0.1
    hold(wide, Lab(), Phase.generate)


def test_means_are_measured_too():
    found = Measured(Means(np.full(50, 0.25), 0.0, 1.0), 0.5)
    assert ratio("upper", found) == 0.5
    assert not broken("upper", found, ALPHA)
