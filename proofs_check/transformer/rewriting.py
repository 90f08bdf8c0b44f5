"""Claims about STaR on the rewriting task: three steps over 64 states, a decoder in the place of the tables."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from proofs_check.claims import Claim, Mutant
from proofs_check.domains import Domain, Integer, Real
from proofs_check.lab import Lab
from proofs_check.transformer._rules import RULE, per_run, run_cell, runs_leg, within
from proofs_check.transformer.runs import trained
from proofs_check.verdicts import Cell, Interval, Verdict

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from proofs_check.runner import ClaimResult

__all__ = ["CLAIMS", "REWARD", "STATES", "right_probabilities", "successors", "tables_before"]

PAPER = "Chang, Lee, Shih, Tseng, Wu, arXiv 2410.23912"
STATES = 64
ZERO = 1  # place of the step that knows nothing
BESIDE = 2**32 + 4  # a run of base seed 1 that is not stored, and what its step at zero learned in round one
BESIDE_SEEN = 0.311
DOMAIN = Domain(
    {
        "delta": Real(0, 1, meaning="distance above guessing of the demonstrations", symbol=r"\delta"),
        "seed": Integer(0, meaning="the run"),
        "round": Integer(0, meaning="round of STaR"),
    }
)


def successors() -> np.ndarray:
    """Right successors (step, state): step n puts the n-th digits of both numbers behind the pairs in front.

    A state is written as its 6 bits, the highest first: pairs that are done, the rest of a, the rest of b.
    """
    found = np.empty((3, STATES), dtype=int)
    for done in range(3):
        for state in range(STATES):
            bits = f"{state:06b}"
            pairs, rest = bits[: 2 * done], bits[2 * done :]
            a, b = rest[: 3 - done], rest[3 - done :]
            found[done, state] = int(pairs + a[0] + b[0] + a[1:] + b[1:], 2)
    return found


SUCCESSORS = successors()
REWARD = np.eye(STATES)[SUCCESSORS[2][SUCCESSORS[1][SUCCESSORS[0]]]]  # by start and end


def right_probabilities(tables: np.ndarray) -> np.ndarray:
    """Mean probability of the right successor, by step."""
    states = np.arange(STATES)
    return np.array([tables[step, states, SUCCESSORS[step]].mean() for step in range(3)])


def _deltas(run: Any) -> np.ndarray:
    """Measured distances above guessing (round, step), inside [0, 1]."""
    found: np.ndarray = np.clip(run["delta"].values.astype(float), 0.0, 1.0)
    return found


def tables_before(run: Any, n: int) -> np.ndarray:
    """The decoder's own laws (step, before, after) ahead of round n + 1; storing them rounds to 1/4095."""
    stored = run["tables"].values[n].astype(float)
    found: np.ndarray = stored / stored.sum(axis=2, keepdims=True)
    return found


def _beside(lab: Lab, predicted: float, start: str = "") -> Iterator[Cell]:
    """A run outside the rule that is not stored: beside stored runs it leaves the statement open."""
    if lab.seed == 0:
        place = {"start": start} if start else {}
        yield Cell(
            {**place, "seed": BESIDE, "round": 1, "step": ZERO + 1},
            Verdict.UNDECIDED,
            observed=BESIDE_SEEN,
            predicted=Interval(predicted - 0.1, predicted + 0.1),
            interval=Interval(BESIDE_SEEN, BESIDE_SEEN),
            detail="all stored runs are within .1; of further ones, base seed 1, not stored, this is not",
        )


# ---------------------------------------------------------------- the refit of the decoder's own tables


def _refitted(lab: Lab) -> Iterator[tuple[dict[str, Any], np.ndarray, Any, int]]:
    t = lab.theory.star
    for name in ("zip", "zip_zero"):
        for seed, run in per_run(trained(lab, name)):
            for n in range(run.sizes["round"] - 1):
                tables = np.asarray(t.refit(tables_before(run, n), reward=REWARD), dtype=float)
                start = "equal steps" if name == "zip" else "one step at zero"
                yield {"start": start, "seed": seed, "round": n + 1}, tables, run, n


def _accuracy(lab: Lab) -> Iterator[Cell]:
    for place, tables, run, n in _refitted(lab):
        ahead = float(lab.theory.star.expected_reward(tables, reward=REWARD))
        yield within(place, run["accuracy"].values[n + 1], ahead, 0.1, "P(right end), from the tables before the round")


def _steps(lab: Lab) -> Iterator[Cell]:
    for place, tables, run, n in _refitted(lab):
        ahead = lab.theory.star.from_right_probability(right_probabilities(tables), STATES)
        for step in range(3):
            where = {**place, "step": step + 1}
            yield within(where, run["delta"].values[n + 1, step], ahead[step], 0.1, "delta of a step, mean over states")
    yield from _beside(lab, 0.457, "one step at zero")


def _lag(lab: Lab) -> Iterator[Cell]:
    """Finitely many steps of gradient go part of the way: short of the refit by half of it at most, or by .1."""
    for place, tables, run, n in _refitted(lab):
        ahead = lab.theory.star.from_right_probability(right_probabilities(tables), STATES)
        for step in range(3):
            where, refit = {**place, "step": step + 1}, float(ahead[step])
            before, after = (float(run["delta"].values[i, step]) for i in (n, n + 1))
            low = refit - max(0.1, (refit - before) / 2)
            yield run_cell(where, after, low, refit + 0.1, "delta of a step, half of the way to the refit or all")


def _mean_lag(lab: Lab) -> Iterator[Cell]:
    """The mean over the runs of what separates them from the refit, for each start, round and step."""
    found: dict[tuple[str, int], list[np.ndarray]] = {}
    for place, tables, run, n in _refitted(lab):
        ahead = lab.theory.star.from_right_probability(right_probabilities(tables), STATES)
        found.setdefault((place["start"], n + 1), []).append(run["delta"].values[n + 1] - np.asarray(ahead))
    for (start, n), differences in found.items():
        for step, mean in enumerate(np.mean(differences, axis=0)):
            where = {"start": start, "round": n, "step": step + 1}
            yield within(where, mean, 0.0, 0.1, f"delta less the refit's, mean of {len(differences)} runs")


def _nothing(tables: Any, *, start: Any = None, reward: Any = None) -> Any:
    return np.asarray(tables, dtype=float)


def _as_family(tables: Any, *, start: Any = None, reward: Any = None) -> Any:
    """The refit as if wrong successors were equally likely."""
    from theory import star

    delta = np.clip(star.from_right_probability(right_probabilities(np.asarray(tables, dtype=float)), STATES), 0.0, 1.0)
    return star.tables_from_maps(star.update(delta, STATES), SUCCESSORS)


def _figure(result: ClaimResult) -> Figure:
    """Accuracy over the rounds: one refit of the decoder's own tables at a time, and the family's map."""
    from proofs_check.figures import COLOURS, INK, MARKERS, PAPER, labelled_axes, style
    from theory import star

    with style():
        figure, ax = labelled_axes("round of STaR", "P(right end)")
        data = trained(Lab(profile="transformer"), "zip")
        at = data["round"].values
        for seed, run in per_run(data):
            path = star.accuracy(star.iterate(_deltas(run)[0], STATES, len(at) - 1), STATES)
            label = "" if seed else "map of the symmetric family"
            ax.plot(at, path, color=INK, linestyle="--", linewidth=0.9, label=label or None)
            shift, index = 0.03 * (seed - 4.5), seed % len(COLOURS)
            look: dict[str, Any] = {"color": COLOURS[index], "linestyle": "none"}
            ahead = [
                float(star.expected_reward(star.refit(tables_before(run, n), reward=REWARD), reward=REWARD))
                for n in range(len(at) - 1)
            ]
            label = "" if seed else "refit of the tables before the round"
            ax.plot(at[1:] + shift, ahead, "_", markersize=12, label=label or None, **look)
            label = "" if seed else "decoders"
            ax.plot(
                at + shift,
                run["accuracy"].values,
                MARKERS[index % len(MARKERS)],
                markerfacecolor=PAPER,
                label=label or None,
                **look,
            )
        ax.legend(loc="lower right")
    return figure


REFIT = Claim(
    id="transformer.zip_follows_the_refit",
    statement=(
        "On a rewriting task of three steps over 64 states, each round of STaR takes a decoder's accuracy and the "
        "deltas of its steps to those of the exact refit of its own tables, within .1."
    ),
    latex=r"P'_n(s'\mid s) \approx \Pr(S_n = s' \mid S_{n-1} = s,\ S_N = g(S_0))",
    origin="conjecture",
    source=f"derived in theory.star.refit, for any tables; the task is that of {PAPER}",
    kind="empirical",
    domain=DOMAIN,
    evidence=(
        runs_leg("accuracy after each round from the tables before it, within .1", _accuracy),
        runs_leg("every step's delta after each round from the tables before it, within .1", _steps),
    ),
    mutants=(
        Mutant("nothing is learned", "kept answers vouch for their steps", theory={"star.refit": _nothing}),
        Mutant(
            "wrong successors are equally likely",
            "the decoder writes bits: a wrong state mostly differs in one of them, and later errors can undo it",
            theory={"star.refit": _as_family},
        ),
    ),
    expected="undecided",
    remarks=(
        RULE
        + "Twenty runs, all within. Tables are exact: all prefixes of every state are evaluated. The refit of a round "
        "takes up to 300 steps of 128 transitions; with a single pass over what was kept, a decoder moves less far. Of "
        "ten further runs, base seed 1, trained before seeds 5 to 9 and not stored, one is outside in one of 140 "
        "cells: the step at zero learns .31 in round one, for .46. So .1 does not hold in every run, and the stored "
        "ones alone cannot show it: transformer.zip_moves_to_the_refit says what is left."
    ),
)

TOWARDS = Claim(
    id="transformer.zip_moves_to_the_refit",
    statement=(
        "On a rewriting task of three steps over 64 states, each round of STaR takes a decoder's accuracy to that of "
        "the exact refit of its own tables, within .1, and the delta of every step half of the way there at least, or "
        "within .1, and no more than .1 beyond; the mean over runs is within .1."
    ),
    latex=r"P'_n(s'\mid s) \approx \Pr(S_n = s' \mid S_{n-1} = s,\ S_N = g(S_0))",
    origin="derived",
    source="derived in theory.star.refit, for any tables: where unlimited training on unlimited kept answers ends",
    kind="empirical",
    domain=DOMAIN,
    evidence=(
        runs_leg("accuracy after each round from the tables before it, within .1", _accuracy),
        runs_leg("every step's delta: half of the way to the refit or within .1, at most .1 beyond", _lag),
        runs_leg("every step's delta less the refit's, mean over the runs, within .1", _mean_lag),
    ),
    mutants=(
        Mutant("nothing is learned", "kept answers vouch for their steps", theory={"star.refit": _nothing}),
        Mutant(
            "wrong successors are equally likely",
            "the decoder writes bits: a wrong state mostly differs in one of them, and later errors can undo it",
            theory={"star.refit": _as_family},
        ),
    ),
    figure=_figure,
    remarks=(
        "Stated after seeds 0 to 4 and base seed 1, and before seeds 5 to 9, which meet it as well. What changed: the "
        "refit is where unlimited training on unlimited samples ends, and 300 steps of 128 transitions go part of the "
        "way, so a decoder may lag in proportion to the way. Twenty stored runs; tables are exact, all prefixes of "
        "every state are evaluated."
    ),
)

# ---------------------------------------------------------------- the family's map


def _map_accuracy(lab: Lab) -> Iterator[Cell]:
    t = lab.theory.star
    for seed, run in per_run(trained(lab, "zip")):
        delta = _deltas(run)
        for n in range(len(delta) - 1):
            ahead = float(t.accuracy(t.update(delta[n], STATES), STATES))
            place = {"seed": seed, "round": n + 1}
            yield within(place, run["accuracy"].values[n + 1], ahead, 0.1, "P(right end), from the deltas before it")


def _map_steps(lab: Lab) -> Iterator[Cell]:
    t = lab.theory.star
    for seed, run in per_run(trained(lab, "zip")):
        delta = _deltas(run)
        for n in range(len(delta) - 1):
            ahead = np.asarray(t.update(delta[n], STATES), dtype=float)
            for step in range(3):
                place = {"seed": seed, "round": n + 1, "step": step + 1}
                yield within(
                    place, delta[n + 1, step], ahead[step], 0.1, "delta of a step, from those before the round"
                )


def _frozen(delta: Any, n_states: int) -> Any:
    return np.asarray(delta, dtype=float)


def _two_witnesses(delta: Any, n_states: int) -> Any:
    """The update with one other step as the witness instead of all."""
    d = np.asarray(delta, dtype=float)
    other = np.roll(d, 1, axis=-1)
    return (d + other + (n_states - 2) * d * other) / (1 + (n_states - 1) * d * other)


FAMILY = Claim(
    id="transformer.zip_follows_the_map",
    statement=(
        "On the rewriting task each round of STaR takes a decoder's deltas, means over states, to those of the "
        "symmetric family's map, within .1."
    ),
    latex=(
        r"\delta_n' \approx \frac{\delta_n+\Pi_{-n}+(M-2)\delta_n\Pi_{-n}}{1+(M-1)\Pi},\qquad "
        r"J \approx \frac{1+(M-1)\Pi}{M}"
    ),
    origin="paper",
    source=f"{PAPER}, section on experiments, draws this map beside a fine-tuned transformer",
    kind="empirical",
    domain=DOMAIN,
    evidence=(
        runs_leg("accuracy after each round from the measured deltas, within .1", _map_accuracy),
        runs_leg("every step's delta after each round, within .1", _map_steps),
    ),
    mutants=(
        Mutant("nothing is learned", "kept answers vouch for their steps", theory={"star.update": _frozen}),
        Mutant(
            "one other step vouches for a step",
            "the answer is right only if all the others are, so their deltas multiply",
            theory={"star.update": _two_witnesses},
        ),
    ),
    expected="fails",
    repaired_by="transformer.zip_moves_to_the_refit",
    remarks=(
        "The rule was written down before any run, expecting it to hold; pilot runs with other seeds then said that it "
        "does not. Errors of a decoder that writes bits differ in few bits and undo one another: right ends with wrong "
        "steps are more common than in the family, and vouch for less. The refit of the decoder's own tables, without "
        "any symmetry, predicts what is seen."
    ),
)

# ---------------------------------------------------------------- one step at zero


def _zero_first(lab: Lab) -> Iterator[Cell]:
    """Round one with one step at zero: this step learns what the others vouch for, the others stay."""
    t = lab.theory.star
    for seed, run in per_run(trained(lab, "zip_zero")):
        delta = _deltas(run)
        start = delta[0].copy()
        start[ZERO] = 0.0
        ahead = np.asarray(t.update(start, STATES), dtype=float)
        for step in range(3):
            what = "the step at zero" if step == ZERO else "another step"
            place = {"seed": seed, "round": 1, "step": step + 1}
            yield within(place, delta[1, step], ahead[step], 0.1, f"delta after round one, {what}")
    yield from _beside(lab, 0.445)


def _zero_rises(lab: Lab) -> Iterator[Cell]:
    """Round one: the step at zero goes half of the way to what the others vouch for at least, the others stay."""
    t = lab.theory.star
    for seed, run in per_run(trained(lab, "zip_zero")):
        delta = _deltas(run)
        start = delta[0].copy()
        start[ZERO] = 0.0
        ahead = np.asarray(t.update(start, STATES), dtype=float)
        for step, goal in enumerate(ahead):
            low, what = (goal / 2, "the step at zero") if step == ZERO else (goal - 0.1, "another step")
            place = {"seed": seed, "round": 1, "step": step + 1}
            yield run_cell(place, delta[1, step], low, goal + 0.1, f"delta after round one, {what}")


def _zero_end(lab: Lab, margin: float = 0.1) -> Iterator[Cell]:
    """The map's limit from the measured start, one step at zero."""
    t = lab.theory.star
    for seed, run in per_run(trained(lab, "zip_zero")):
        start = _deltas(run)[0].copy()
        start[ZERO] = 0.0
        end = float(t.accuracy(t.limit(start, STATES), STATES))
        place = {"seed": seed, "round": run.sizes["round"] - 1}
        yield within(place, run["accuracy"].values[-1], end, margin, "P(right end), last round")


def _zero_right(lab: Lab) -> Iterator[Cell]:
    return _zero_end(lab, 0.01)


ZERO_STEP = Claim(
    id="transformer.zip_zero_step",
    statement=(
        "With one step at zero, a round of STaR gives it the product of the others' deltas and leaves the others, "
        "within .1; then all improve, to right answers."
    ),
    latex=r"\delta_m = 0 \Rightarrow \delta_m' \approx \Pi_{-m},\quad \delta_n' \approx \delta_n \ (n \ne m)",
    origin="conjecture",
    source=f"{PAPER}, criterion of improvement; its experiments with one step at zero",
    kind="empirical",
    domain=DOMAIN,
    evidence=(
        runs_leg("round one: the step at zero, and the others, within .1", _zero_first),
        runs_leg("the last round's accuracy is within .1 of the map's limit", _zero_end),
    ),
    mutants=(
        Mutant(
            "a step at zero stays there, and accuracy at guessing",
            "the others are above zero, so right ends tell something about the step",
            theory={"star.update": _frozen, "star.limit": lambda delta, n_states: np.zeros(3)},
        ),
        Mutant(
            "one other step vouches for a step",
            "the answer is right only if both others are, so their deltas multiply",
            theory={"star.update": _two_witnesses},
        ),
    ),
    expected="undecided",
    remarks=(
        RULE
        + "Ten runs from demonstrations with deltas .8, 0, .8; four rounds; all meet the rules. Of five further runs, "
        "base seed 1, trained before seeds 5 to 9 and not stored, four met them; in one the step at zero learned .31 "
        "in round one, for .45. So the rules do not hold in every run: transformer.zip_zero_step_rises says what is "
        "left."
    ),
)

ZERO_RISES = Claim(
    id="transformer.zip_zero_step_rises",
    statement=(
        "With one step at zero, a round of STaR gives it half of the product of the others' deltas at least, and that "
        "product and .1 at most, and leaves the others, within .1; after four rounds the accuracy is within .01 of "
        "the limit 1."
    ),
    latex=r"\delta_m = 0 \Rightarrow \tfrac12\Pi_{-m} \le \delta_m' \le \Pi_{-m} + 0.1",
    origin="derived",
    source="derived in theory.star.update; finite training goes part of the way",
    kind="empirical",
    domain=DOMAIN,
    evidence=(
        runs_leg("round one: the step at zero from half of the product, the others within .1", _zero_rises),
        runs_leg("the last round's accuracy is within .01 of the map's limit", _zero_right),
    ),
    mutants=(
        Mutant(
            "a step at zero stays there, and accuracy at guessing",
            "the others are above zero, so right ends tell something about the step",
            theory={"star.update": _frozen, "star.limit": lambda delta, n_states: np.zeros(3)},
        ),
        Mutant(
            "one other step vouches for a step",
            "the answer is right only if both others are, so their deltas multiply",
            theory={"star.update": _two_witnesses},
        ),
    ),
    remarks=(
        "Stated after seeds 0 to 4 and base seed 1, and before seeds 5 to 9, which meet it as well. What changed: "
        "finite training lags in proportion to the way, so half of the way is asked for; and the end is closer, .01 "
        "instead of .1. Ten runs from demonstrations with deltas .8, 0, .8; four rounds."
    ),
)

CLAIMS = (REFIT, TOWARDS, FAMILY, ZERO_STEP, ZERO_RISES)
