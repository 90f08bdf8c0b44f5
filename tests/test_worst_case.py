"""The search for worst cases, on bounds whose worst case is known, and on noise that a search would mistake for one."""

from __future__ import annotations

import dataclasses
import json
import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from proofs_check import worst_case as module
from proofs_check.bounds import Bound, Exactly, Measured
from proofs_check.claims import Claim, Exact, Mutant, Simulation
from proofs_check.domains import Domain, Integer, Real
from proofs_check.lab import Lab
from proofs_check.samples import Counts
from proofs_check.worst_case import WorstCase, worst_case, worst_cases

SQUARE = Domain({"x": Real(0, 1), "y": Real(1e-3, 1)})


def exact(value: Any, domain: Domain = SQUARE, kind: str = "upper", limit: float = 1.0, **options: Any) -> Bound:
    """A bound on a known function of the point."""
    return Bound(
        "demo.exact", kind, domain, lambda lab, point, seeds: Measured(Exactly(value(point)), limit), **options
    )


def coin(chance: Any, limit: Any, domain: Domain = SQUARE, n: int = 20, **options: Any) -> Bound:
    """A bound on the probability of an event, measured by n coins whose seeds are those given."""

    def measure(lab: Lab, point: dict[str, Any], seeds: range) -> Measured:
        heads = np.random.default_rng([seeds[0], len(seeds)]).binomial(len(seeds), chance(point))
        return Measured(Counts(int(heads), len(seeds)), limit(point))

    return Bound("demo.coin", "upper", domain, measure, n=n, **options)


# ---------------------------------------------------------------- known worst cases


def test_a_corner_is_found():
    found = worst_case(exact(lambda c: c["x"] * (2 - c["y"]) / 2), examples=100)
    assert found.exact
    assert found.ratio == found.selected > 0.99
    assert found.point["x"] > 0.99
    assert found.point["y"] < 0.02
    assert found.interval == (found.ratio, found.ratio)


def test_lower_bounds_turn_the_ratio_round():
    """The quantity 1 + x, bounded below by 1, comes closest to it at x = 0."""
    found = worst_case(exact(lambda c: 1 + c["x"], kind="lower"), examples=60)
    assert found.ratio > 0.99
    assert found.point["x"] < 0.01
    assert (found.observed, found.limit) == (pytest.approx(1.0, abs=0.01), 1.0)


def test_a_narrow_ridge_across_both_parameters_is_climbed():
    """Along y = x^2 up to x = 0.8; changing one parameter at a time ends at (1, 1), where the ratio is 0.45."""

    def value(point: dict[str, Any]) -> float:
        return math.exp(-300 * (point["y"] - point["x"] ** 2) ** 2 - 20 * (point["x"] - 0.8) ** 2)

    assert worst_case(exact(value), examples=400).ratio > 0.97


def test_magnitudes_are_searched_on_a_logarithmic_scale():
    """A peak at 1e-5 in a range of nine magnitudes, one magnitude wide."""
    domain = Domain({"ridge": Real(1e-8, 10.0)})
    found = worst_case(exact(lambda c: math.exp(-((math.log10(c["ridge"]) + 5) ** 2)), domain), examples=100)
    assert found.ratio > 0.99


def test_integers_and_assumptions():
    domain = Domain({"d": Integer(1, 40), "k": Integer(1, 40)}, {"k < d": lambda cell: cell["k"] < cell["d"]})
    found = worst_case(exact(lambda c: (c["k"] + c["d"]) / 79, domain), examples=150)
    assert found.point["k"] < found.point["d"]
    assert found.ratio > 0.97
    assert all(type(v) is int for v in found.point.values())


# ---------------------------------------------------------------- noise


def test_pure_noise_regresses_to_the_truth():
    """Every point has the ratio 1/2; the search sees the luckiest of 200 measurements of 20 coins."""
    found = worst_case(coin(lambda c: 0.2, lambda c: 0.4), examples=200, fresh=64)
    assert found.selected > 0.9  # P(Bin(20, .2) >= 8) = .032 a measurement
    assert found.interval.low <= 0.5 <= found.interval.high
    assert abs(found.ratio - 0.5) < 0.15  # 1280 coins: 5 standard errors are .14
    assert not found.broken
    assert found.n == 20 * 64


def test_the_reported_interval_covers_the_truth_at_its_level():
    """Selection must not leak into the last measurement: 60 searches at alpha = 0.2."""
    missed = 0
    for seed in range(60):
        found = worst_case(coin(lambda c: 0.2, lambda c: 0.4, n=10), examples=12, fresh=8, alpha=0.2, seed=seed)
        missed += not found.interval.low <= 0.5 <= found.interval.high
    assert Counts(missed, 60).interval(1e-4).low <= 0.2


def test_a_true_maximum_is_found_through_noise():
    """Ratio 1/4 + x/2; re-measuring candidates keeps lucky points of small x from winning."""
    found = worst_case(coin(lambda c: 0.1 + 0.2 * c["x"], lambda c: 0.4, n=60), examples=150)
    assert found.point["x"] > 0.6
    assert found.interval.low <= 0.25 + found.point["x"] / 2 <= found.interval.high


def test_events_too_rare_for_the_sample_are_left_alone():
    """One event in a million bounded by itself would show a ratio of 1000 once in a while."""
    domain = Domain({"chance": Real(1e-6, 0.5)})
    found = worst_case(coin(lambda c: c["chance"], lambda c: 1.25 * c["chance"], domain, n=100), examples=120)
    assert found.point["chance"] * 1.25 * 100 >= module.EVENTS
    assert 0.5 < found.ratio < 1.2
    assert 0 < found.informative < 1


def test_vacuous_points_are_taken_only_if_there_are_no_others():
    """The limit 0.2 + x/2 on 0.1 + x^2/2, which is at most 0.6: vacuous from x = 0.8 on, and tightest at 1."""

    def measure(lab: Lab, point: dict[str, Any], seeds: range) -> Measured:
        return Measured(Exactly(0.1 + 0.5 * point["x"] ** 2), 0.2 + 0.5 * point["x"])

    partly = worst_case(Bound("demo.partly", "upper", SQUARE, measure, ceiling=0.6), examples=60)
    assert not partly.vacuous
    assert partly.limit < 0.6
    wholly = worst_case(Bound("demo.wholly", "upper", SQUARE, measure, ceiling=0.1), examples=20)
    assert wholly.vacuous
    assert wholly.informative == 0.0


def test_a_broken_bound_is_said_to_be_broken():
    found = worst_case(coin(lambda c: 0.5 * c["x"], lambda c: 0.25, n=200), examples=60)
    assert found.broken
    assert found.ratio > 1.5
    assert not worst_case(exact(lambda c: c["x"]), examples=30).broken  # attained, not broken


# ---------------------------------------------------------------- repeatable, bounded


def test_the_same_seed_gives_the_same_result():
    bound = coin(lambda c: 0.1 + 0.2 * c["x"], lambda c: 0.4)
    first, again, other = (worst_case(bound, examples=40, seed=seed) for seed in (3, 3, 4))
    assert first == again
    assert dataclasses.asdict(first)["point"] == dataclasses.asdict(again)["point"]
    assert first != other


def test_fresh_seeds_are_not_those_of_the_search():
    seen: list[tuple[range, bool]] = []
    bound = coin(lambda c: 0.2, lambda c: 0.4, n=7)

    def measure(lab: Lab, point: dict[str, Any], seeds: range) -> Measured:
        seen.append((seeds, len(seeds) > 7))
        return bound.measure(lab, point, seeds)

    worst_case(dataclasses.replace(bound, measure=measure), examples=30, candidates=3, fresh=8, seed=5)
    used = [seed for seeds, _ in seen for seed in seeds]
    assert len(used) == len(set(used))
    assert min(used) >= 5 * 2**32
    assert max(used) < 6 * 2**32
    assert [len(seeds) for seeds, fresh in seen if fresh] == [14, 14, 14, 56]


def test_examples_bound_the_measurements():
    calls = []

    def value(point: dict[str, Any]) -> float:
        calls.append(point)
        return float(point["x"])

    found = worst_case(exact(value), examples=50)
    assert found.evaluations <= 50
    assert len(calls) == found.evaluations + 1


def test_time_ends_a_search():
    found = worst_case(exact(lambda c: c["x"]), examples=100_000, seconds=0.3)
    assert not found.complete
    assert found.seconds < 10
    assert worst_case(exact(lambda c: c["x"]), examples=10).complete


def test_workers_change_nothing():
    names = ["star.rounds_bracket", "star.cold_sampling_sharpens"]
    told: list[WorstCase] = []
    alone = worst_cases(names, examples=30)
    assert worst_cases(names, examples=30, jobs=2, on_result=told.append) == alone
    assert {found.id for found in told} == {found.id for found in alone}


# ---------------------------------------------------------------- arguments


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"examples": 1}, r"examples must be an integer in \[2, .*\], got 1"),
        ({"examples": 2.5}, r"examples must be an integer"),
        ({"seed": -1}, r"seed must be an integer in \[0, .*\], got -1"),
        ({"seed": True}, r"seed must be an integer"),
        ({"candidates": 0}, r"candidates must be an integer in \[1, inf\], got 0"),
        ({"fresh": 0}, r"fresh must be an integer in \[1, inf\], got 0"),
        ({"fresh": 2**31}, r"fresh must be smaller for 1 seeds a measurement"),
        ({"alpha": 1.0}, r"alpha must be in \(0, 1\), got 1.0"),
        ({"seconds": 0.0}, r"seconds must be in \(0, inf\), got 0.0"),
    ],
)
def test_bad_arguments(options, message):
    with pytest.raises(ValueError, match=message):
        worst_case(exact(lambda c: c["x"]), **options)


def test_targets_that_are_not_one_bound():
    with pytest.raises(ValueError, match=r"a search takes one bound, got 3: linear_model\.theorem_1:error of the long"):
        worst_case("linear_model.theorem_1")
    with pytest.raises(ValueError, match="unknown bound or subject"):
        worst_case("nothing")
    with pytest.raises(ValueError, match=r"x must have two finite ends to be searched, got \[0, inf\); narrow"):
        worst_case(exact(lambda c: c["x"], Domain({"x": Real(0)})))


def test_a_claim_of_ones_own_is_searched_over_its_leg():
    """Ratio p (1-p) / 0.3 at its listed cells, and over a domain."""

    def heads(p: float, seeds: Any) -> Any:
        import xarray

        pairs = np.random.default_rng([seeds[0], len(seeds)]).random((len(seeds), 2)) < p
        return xarray.Dataset({"differ": ("replicate", pairs[:, 0] & ~pairs[:, 1])})

    leg = Simulation(
        "heads then tails",
        heads,
        cells=[{"p": 0.1}, {"p": 0.2}],
        parameters=lambda cell: {"p": cell["p"]},
        extract=lambda data, cell: Counts(int(data["differ"].sum()), data.sizes["replicate"]),
        predict=lambda theory, cell: (0.0, 0.3),
        compare="upper",
        planned_n=100,
    )
    claim = Claim(
        "demo.pair", "", "", "derived", "", "upper", Domain({"p": Real(0, 1)}),
        [Exact("identity", "nothing", lambda lab: []), leg], [Mutant("", "", theory={"demo.x": len})],
    )  # fmt: skip
    assert worst_case(claim, examples=20).point == {"cell": 1}
    wide = worst_case(claim, examples=80, domain=Domain({"p": Real(0, 1)}))
    assert 0.3 < wide.point["p"] < 0.7
    assert wide.interval.low <= 0.25 / 0.3
    with pytest.raises(ValueError, match="a search takes one bound, got 0: none"):
        worst_case(dataclasses.replace(claim, evidence=claim.evidence[:1]))


@given(
    st.floats(0, 1),
    st.sampled_from([Real(0, 1), Real(1e-6, 10), Real(-2, 3), Integer(1, 1000), Integer(500, 10**6), Integer(-3, 4)]),
)
def test_scales_go_both_ways_and_stay_inside(u, parameter):
    value = module._from_unit(parameter, u)
    assert parameter.contains(value)
    assert [module._from_unit(parameter, end) for end in (-0.1, 1.1)] == pytest.approx(parameter.ends(), rel=1e-12)
    assert all(parameter.contains(module._from_unit(parameter, end)) for end in (0.0, 1.0))
    again = module._from_unit(parameter, module._to_unit(parameter, value))
    assert again == value if isinstance(parameter, Integer) else math.isclose(again, value, rel_tol=1e-9, abs_tol=1e-12)


# ---------------------------------------------------------------- the project's own bounds


def test_sharp_bounds_are_nearly_attained_and_false_statements_broken():
    chain = worst_case("linear_model.chain_bias_bound", examples=60)
    assert 0.99 < chain.ratio <= 1
    published = worst_case("linear_model.chain_bias_bound_paper", examples=60)
    assert published.ratio == pytest.approx(0.5274, abs=2e-3)  # at lambda = 0.158, from the root of its equation
    false = worst_case("post_training.error_bound_constant_one", examples=150)
    assert false.broken
    assert 1.5 < false.ratio <= 2.0  # 2^(n+1) - 1 against 2^n


# ---------------------------------------------------------------- the command


def run(*arguments: str) -> Any:
    return CliRunner().invoke(module.app, list(arguments))


def test_command_prints_a_table_and_writes_strict_json(tmp_path):
    target = tmp_path / "worst.json"
    names = ["linear_model.chain_bias_bound", "linear_model.iterate_norm", "linear_model.first_token_bias_misprint"]
    result = run(*names, "--examples", "20", "--seed", "1", "--json", str(target))
    assert result.exit_code == 0, result.output
    assert "tightest: linear_model.chain_bias_bound" in result.output
    assert "loosest: linear_model.iterate_norm" in result.output
    assert "broken: none" in result.output
    assert "statements known to be false" in result.output
    ledger = json.loads(target.read_text(), parse_constant=lambda name: pytest.fail(f"{name} is not strict JSON"))
    assert (ledger["seed"], ledger["examples"]) == (1, 20)
    assert [b["id"] for b in ledger["bounds"]] == names
    assert set(ledger["bounds"][0]) == {f.name for f in dataclasses.fields(WorstCase)}


def test_command_lists_bounds():
    result = run("post_training", "--list")
    assert result.exit_code == 0
    assert "post_training.error_bound_telescoped (upper): epsilon in [1e-09, 0.1]" in result.output


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nothing"], "unknown bound or subject 'nothing'"),
        (["star.accuracy"], "states no bound that is simulated"),
        (["linear_model.iterate_norm", "--seconds", "-1"], "--seconds must be positive"),
        (["linear_model.iterate_norm", "--json", "/nowhere/x.json"], "--json must name a file"),
    ],
)
def test_command_refuses_bad_usage(arguments, message):
    result = run(*arguments)
    assert result.exit_code == 2
    assert message in result.output


def test_command_reports_a_broken_bound(monkeypatch):
    bad = exact(lambda c: 2 * c["x"])
    monkeypatch.setattr(module, "find_bounds", lambda names=(): [bad])
    result = run("--examples", "20")
    assert result.exit_code == 1
    assert "broken: demo.exact" in result.output
    assert "broken" in result.output


def test_infinite_numbers_become_words():
    assert module._plain({"a": (math.inf, -math.inf, np.float64(2.0), np.int64(3), np.True_)}) == {
        "a": ["inf", "-inf", 2.0, 3, True]
    }
