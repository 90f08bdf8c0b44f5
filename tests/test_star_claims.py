"""What the claims about STaR rest on besides the lab: the certificate checker, the stored data and the figures."""

from __future__ import annotations

from fractions import Fraction

import pytest

from proofs_check import figures
from proofs_check.star.open_questions import CERTIFICATES, _terms, certified, gap_polynomial
from tests.oracles import star as oracle


def test_terms_that_are_no_inequality_are_refused() -> None:
    square = {(2,): Fraction(1), (1,): Fraction(-2), (0,): Fraction(1)}
    one = Fraction(1)
    assert certified(square, [(one, one, (2,), (0,), (1,))])
    assert not certified(square, [(-one, one, (2,), (0,), (1,))])  # a negative weight
    assert not certified(square, [(one, Fraction(0), (2,), (0,), (1,))])  # no scale
    assert not certified(square, [(one, one, (2,), (0,), (2,))])  # not between
    assert not certified(square, [(one, one, (2,), (2,), (2,))])  # nothing to compare
    assert not certified({(2,): one, (1,): Fraction(-3), (0,): one}, [(one, one, (2,), (0,), (1,))])


@pytest.mark.parametrize(("n_steps", "n_kept"), CERTIFICATES)
def test_certificates_need_their_terms(n_steps: int, n_kept: int) -> None:
    polynomial, terms = gap_polynomial(n_steps, n_kept), _terms(n_steps, n_kept)
    assert certified(polynomial, terms)
    assert min(polynomial.values()) < 0
    assert not certified(polynomial, terms[: len(terms) // 2])


def test_the_polynomial_is_the_gain_of_one_kept_path() -> None:
    """One kept trajectory, N = 1: whatever is kept, the visited row becomes right."""
    x, a, b = Fraction(2), Fraction(3), Fraction(1, 2)
    start, rows = [x / (1 + x), 1 / (1 + x)], [a / (1 + a), b / (1 + b)]
    right = sum(p * r for p, r in zip(start, rows, strict=True))
    after = sum(start[s] * rows[s] / right * (right + start[s] * (1 - rows[s])) for s in range(2))
    value = sum(c * x ** e[0] * a ** e[1] * b ** e[2] for e, c in gap_polynomial(1, 1).items())
    assert value / ((1 + x) * (1 + a) * (1 + b)) ** 2 == (after - right) * right


def test_paths_are_those_of_the_literal_round() -> None:
    from proofs_check.star._common import enumerated, symmetric_tables

    for delta, n_states in (((Fraction(1, 3), Fraction(1, 2)), 3), ((Fraction(1, 5),) * 3, 2)):
        total, _, rows, _, maps = enumerated(delta, n_states)
        tables = oracle.symmetric_tables(delta, maps)
        assert symmetric_tables(delta, n_states, maps) == tables
        start = [Fraction(1, n_states)] * n_states
        assert oracle.one_round(tables, start, oracle.is_right(maps))[:2] == (total, rows)


@pytest.mark.parametrize(
    "name",
    [
        "star.accuracy",
        "star.closed_update",
        "star.rounds_by_integral",
        "star.published_curves",
        "star.single_temperature_threshold",
        "star.one_round_loss",
        "star.trajectories_for_a_run",
    ],
)
def test_figures_draw_lines_and_points(name: str) -> None:
    from proofs_check.claims import find
    from proofs_check.runner import ClaimResult
    from proofs_check.verdicts import Verdict

    (claim,) = find([name])
    assert claim.figure is not None
    result = ClaimResult(name, Verdict.HOLDS, "holds", (), (), None, 0.0, claim)
    figure = figures.draw(result)
    (axes,) = figure.axes
    assert any(line.get_gid() == "theory" for line in axes.lines)
    assert axes.containers
    assert axes.get_xlabel()
    figure.canvas.draw()


def test_every_bound_says_how_much_of_it_is_used() -> None:
    from proofs_check.claims import load

    bounds = [claim for claim in load("star") if claim.kind in ("upper", "lower")]
    assert len(bounds) >= 5
    assert [claim.id for claim in bounds if claim.tightness is None] == []


def test_the_use_of_a_bound_is_that_of_its_tightest_cell() -> None:
    from types import SimpleNamespace

    from proofs_check.lab import Lab
    from proofs_check.samples import Counts
    from proofs_check.star._common import share_over_bound

    def measured(seeds: range, hits: int) -> SimpleNamespace:
        return SimpleNamespace(hits=hits, runs=len(seeds))

    used = share_over_bound(
        "hits over the bound",
        measured,
        lambda profile: [
            {"delta": (0.5, 0.25), "hits": hits, "limit": limit} for hits, limit in ((2, 0.5), (3, 0.6), (9, 1.0))
        ],
        lambda cell: {"hits": cell["hits"]},
        lambda data, cell: Counts(data.hits, data.runs),
        lambda star, cell: cell["limit"],
        10,
    )(Lab())
    low, high = Counts(3, 10).interval(1e-6)
    assert used["ratio"] == 0.3 / 0.6
    assert used["interval"] == [low / 0.6, high / 0.6]
    assert used["vacuous"] == [{"delta": "0.5, 0.25", "hits": 9, "limit": 1.0}]
    assert used["detail"] == (
        "hits over the bound; from 0.4 to 0.5 over 2 cells, largest at delta = 0.5, 0.25, hits = 3, limit = 0.6"
    )
