"""Claims about post-training of decoders: odds that double, temperature, growth of length, starting too early."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from proofs_check.claims import Claim, Mutant
from proofs_check.lab import Lab
from proofs_check.transformer._rules import (
    DOMAIN,
    PAPER,
    RULE,
    fate,
    go_on_share,
    per_run,
    run_cell,
    runs_leg,
    within,
)
from proofs_check.transformer.runs import PLANS, trained
from proofs_check.verdicts import Cell

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from proofs_check.runner import ClaimResult

__all__ = ["CLAIMS"]


def _runs(lab: Lab, name: str) -> Iterator[tuple[dict[str, Any], Any]]:
    facts = PLANS[name].parameters
    for seed, run in per_run(trained(lab, name)):
        yield {"d": facts["d"], "p_cot": facts["p_cot"], "seed": seed}, run


def _rounds(run: Any) -> range:
    """Rounds that have a successor."""
    return range(run.sizes["round"] - 1)


# ---------------------------------------------------------------- odds double

STAR = "star_15"


def _next_share(lab: Lab) -> Iterator[Cell]:
    t = lab.theory.post_training
    for where, run in _runs(lab, STAR):
        share = run["long_share"].values.astype(float)
        for n in _rounds(run):
            ahead = t.long_fraction(float(share[n]), 1)
            yield within(
                {**where, "round": n + 1}, share[n + 1], ahead, 0.08, "P(long) after the round, from before it"
            )


def _path(lab: Lab) -> Iterator[Cell]:
    t = lab.theory.post_training
    for where, run in _runs(lab, STAR):
        for n, share in enumerate(run["long_share"].values):
            predicted = t.long_fraction(where["p_cot"], n)
            yield within({**where, "round": n}, share, predicted, 0.12, "P(long) from p_cot alone")


def _kept(lab: Lab) -> Iterator[Cell]:
    """Long answers among the kept, all rounds of a run together: 4.5 binomial deviations, .01 for wrong chains."""
    t = lab.theory.post_training
    for where, run in _runs(lab, STAR):
        kept = run["kept"].values[1:].astype(float)
        expected = np.array([t.long_fraction(float(run["long_share"].values[n]), 1) for n in _rounds(run)], dtype=float)
        total = kept.sum()
        spread = math.sqrt(float((kept * expected * (1 - expected)).sum()))
        margin = (4.5 * spread + 0.01 * total) / total
        seen = run["kept_long"].values[1:].sum() / total
        yield within(where, seen, (kept * expected).sum() / total, margin, "share of long answers among the kept")


def _odds_times(factor: float) -> dict[str, Any]:
    def share(p: float, n: int) -> float:
        return p * factor**n / (p * factor**n + 1 - p)

    return {"post_training.long_fraction": share}


def _share_figure(result: ClaimResult) -> Figure:
    """Long share over the rounds: the map and the runs."""
    from matplotlib.figure import Figure

    from proofs_check.figures import simulated_points, style, theory_line
    from theory import post_training

    with style():
        figure = Figure(figsize=(6.4, 3.8), layout="constrained")
        ax = figure.add_subplot()
        data = trained(Lab(profile="transformer"), STAR)
        at = data["round"].values
        theory_line(ax, at, post_training.long_fraction(0.15, at), "$p' = 2p/(1+p)$", 0)
        for run, values in enumerate(data["long_share"].values):
            shift = 0.06 * (run - 2)
            simulated_points(ax, at + shift, values, values, values, f"run {run}", 1 + run)
        ax.set(xlabel="round of STaR", ylabel="share of long answers", ylim=(0, 1.02))
        ax.legend()
    return figure


DOUBLING = Claim(
    id="transformer.star_odds_double",
    statement=(
        "Each round of STaR doubles a decoder's odds of long answers: its long share follows p -> 2p/(1+p) within .08 "
        "from round to round, and within .12 over six rounds from the share it was shown."
    ),
    latex=r"p_{n+1} \approx \frac{2p_n}{1+p_n}",
    origin="paper",
    source=f"{PAPER}, Theorem 2 (proof), for a calibrated model",
    kind="empirical",
    domain=DOMAIN,
    evidence=(
        runs_leg("long share after each round from the one before, within .08", _next_share),
        runs_leg("long share from p_cot alone, within .12", _path),
        runs_leg("long answers among the kept, within 4.5 binomial deviations and .01", _kept),
    ),
    mutants=(
        Mutant("the odds grow by 1.5", "short answers are right half of the time", theory=_odds_times(1.5)),
        Mutant(
            "the odds grow by 4", "short answers are right half of the time, not a quarter", theory=_odds_times(4.0)
        ),
    ),
    figure=_share_figure,
    remarks=(
        RULE
        + "Five runs, d = 12, p_cot = .15, 1024 answers a round, reward for whole answers. The share is exact, the "
        "mean over all 4096 prompts; what the kept sample of a round adds is no error of measurement: its standard "
        "deviation is .02 a round. Five further runs, base seed 1, met all three rules too."
    ),
)

# ---------------------------------------------------------------- temperature

TEMPERED = ("star_15_cold", "star_25_cold", "star_15_hot")


def _each_round(lab: Lab) -> Iterator[tuple[dict[str, Any], float, float, float]]:
    """Where, and P(go on | y_1 = x_1) before a round, after it, and by the map from before."""
    t = lab.theory.post_training
    for name in TEMPERED:
        tau = PLANS[name].parameters["temperature"]
        for where, run in _runs(lab, name):
            stop = np.clip(run["stop_agree"].values.astype(float), 1e-9, 1 - 1e-9)
            odds = (1 - stop) / stop
            for n in _rounds(run):
                ahead = float(go_on_share(t.go_on_round(float(odds[n]), tau, 2.0)))
                before, after = (float(go_on_share(c)) for c in odds[n : n + 2])
                yield {**where, "tau": tau, "round": n + 1}, before, after, ahead


def _tempered_rounds(lab: Lab) -> Iterator[Cell]:
    for place, _, after, ahead in _each_round(lab):
        yield within(place, after, ahead, 0.1, "P(go on | y_1 = x_1), from the round before")


def _early_rounds(lab: Lab) -> Iterator[Cell]:
    """The same while the spread over prompts is small: all rounds above temperature 1, the first two below."""
    for place, _, after, ahead in _each_round(lab):
        if place["tau"] > 1 or place["round"] <= 2:
            yield within(place, after, ahead, 0.1, "P(go on | y_1 = x_1), from the round before")


def _away(lab: Lab) -> Iterator[Cell]:
    """Each cold round raises or lowers the chance to go on as the map does."""
    for place, before, after, ahead in _each_round(lab):
        if place["tau"] < 1:
            low, high = (before, 1.0) if ahead > before else (0.0, before)
            yield run_cell(place, after, low, high, "P(go on | y_1 = x_1), on the side of the round before")


def _cold(lab: Lab) -> Iterator[tuple[dict[str, Any], Any, bool]]:
    """Where, each run at temperature 1/2, and whether four rounds of the map from 2p/(1-p) make going on likelier."""
    t = lab.theory.post_training
    for name in ("star_15_cold", "star_25_cold"):
        facts = PLANS[name].parameters
        c = 2 * facts["p_cot"] / (1 - facts["p_cot"])
        for _ in range(facts["n_rounds"]):
            c = float(t.go_on_round(c, facts["temperature"], 2.0))
        for where, run in _runs(lab, name):
            yield {**where, "tau": facts["temperature"]}, run, c > 1


def _collapse(lab: Lab) -> Iterator[Cell]:
    for place, run, grows in _cold(lab):
        yield from fate(place, run, 1.0 if grows else 0.5, place["d"] if grows else 1.0, "greedy, after four rounds")


def _most_prompts(lab: Lab) -> Iterator[Cell]:
    """Half of the way between the two fates of a prompt is the margin, so most of them have the predicted one."""
    for place, run, grows in _cold(lab):
        accuracy, length = (1.0, place["d"]) if grows else (0.5, 1.0)
        margins = 0.25, (place["d"] - 1) / 2
        yield from fate(place, run, accuracy, length, "greedy, after four rounds", margins)


def _lost(lab: Lab) -> Iterator[Cell]:
    for place, run, grows in _cold(lab):
        before, after = (float(run["long_share"].values[i]) for i in (0, -1))
        low, high = (before, 1.0) if grows else (0.0, 0.05)
        yield run_cell(place, after, low, high, "P(long) after four rounds: gone, or more than before")


def _cold_shares(lab: Lab) -> Iterator[Cell]:
    for place, run, grows in _cold(lab):
        low, high = (0.9, 1.0) if grows else (0.0, 0.05)
        yield run_cell(place, run["long_share"].values[-1], low, high, "P(long) after four rounds")


def _without_power(c: float, tau: float = 1.0, factor: float = 2.0) -> float:
    return factor * c


def _without_filter(c: float, tau: float = 1.0, factor: float = 2.0) -> float:
    return float(c ** (1 / tau))


def _temperature_figure(result: ClaimResult) -> Figure:
    """Odds before and after a round at each temperature."""
    from proofs_check.figures import labelled_axes, simulated_points, style, theory_line
    from theory import post_training

    with style():
        figure, ax = labelled_axes("chance to go on before the round", "chance to go on after it", (6.4, 4.2))
        c = np.geomspace(0.01, 100, 200)
        lab = Lab(profile="transformer")
        for index, (tau, names) in enumerate(((0.5, TEMPERED[:2]), (1.0, (STAR,)), (1.5, TEMPERED[2:]))):
            theory_line(
                ax, go_on_share(c), go_on_share(post_training.go_on_round(c, tau)), f"temperature {tau:g}", index
            )
            pairs = [1 - trained(lab, name)["stop_agree"].values for name in names]
            x = np.concatenate([share[:, :-1].ravel() for share in pairs])
            y = np.concatenate([share[:, 1:].ravel() for share in pairs])
            simulated_points(ax, x, y, y, y, "rounds of trained decoders", index)
        ax.plot([0, 1], [0, 1], color="0.6", linewidth=0.8, linestyle=":")
        ax.legend()
    return figure


TEMPERATURE = Claim(
    id="transformer.star_temperature",
    statement=(
        "Answers drawn at temperature tau take the odds of going on from c to 2 c^(1/tau), within .1 in c/(1+c); at "
        "temperature 1/2 the long route is lost from p_cot = .15, under the repelling share 1/5, and won from .25."
    ),
    latex=r"c' \approx 2\,c^{1/\tau}, \qquad c^* = 2^{-\tau/(1-\tau)}",
    origin="derived",
    source="derived in theory.post_training.go_on_round from the reward for whole answers",
    kind="empirical",
    domain=DOMAIN,
    evidence=(
        runs_leg("chance to go on after each round from the one before, within .1", _tempered_rounds),
        runs_leg("four rounds at temperature 1/2: greedy answers guess in one token, or are right chains", _collapse),
        runs_leg("four rounds at temperature 1/2: long share at most .05, or above its start", _lost),
    ),
    mutants=(
        Mutant(
            "the temperature has no effect",
            "sampling at temperature tau raises odds to the power 1/tau",
            theory={"post_training.go_on_round": _without_power},
        ),
        Mutant(
            "the odds are tempered only",
            "right long answers are kept twice as often as short ones",
            theory={"post_training.go_on_round": _without_filter},
        ),
    ),
    expected="fails",
    repaired_by="transformer.cold_rounds_follow_the_map_early",
    remarks=(
        RULE
        + "Thirty runs; c is read from the mean of P(EOS | y_1 = x_1) over all 4096 prompts. The third rule had asked "
        "for a long share of .9 in the end, and was replaced after seeds 0 to 4: see "
        "transformer.cold_rounds_reach_nine_tenths. Seeds 0 to 4 meet all three as they stand; of seeds 5 to 9, run 8 "
        "from .25 does not: one prompt in eight keeps its greedy guess. Fifteen further runs, base seed 1, trained "
        "before seeds 5 to 9, are not stored: 3 of 65 rounds are off by more than .1 and up to .19, all in late cold "
        "rounds from .25, three of five cold runs from .25 have greedy accuracies of .83 to .88 after four rounds, and "
        "one from .15 keeps a long share of .07. The first rule is met in all 130 stored rounds, and not "
        "in those."
    ),
)

EARLY_ROUNDS = Claim(
    id="transformer.cold_rounds_follow_the_map_early",
    statement=(
        "Answers drawn at temperature tau take the mean odds of going on from c to 2 c^(1/tau), within .1 in c/(1+c): "
        "at temperature 1.5 in five rounds, at 1/2 in two. Four rounds at 1/2 each move c away from 1/2, down from "
        "p_cot = .15 and up from .25, and most greedy answers end as guesses or as right chains."
    ),
    latex=r"c' \approx 2\,c^{1/\tau}, \qquad \ln c' - \ln c^* = \tfrac1\tau\,(\ln c - \ln c^*)",
    origin="derived",
    source="derived in theory.post_training.go_on_round: each round multiplies deviations of ln c by 1/tau",
    kind="empirical",
    domain=DOMAIN,
    evidence=(
        runs_leg("chance to go on, within .1 of the map: rounds 1 to 5 at 1.5, rounds 1 and 2 at 1/2", _early_rounds),
        runs_leg("every round at temperature 1/2 moves the chance to go on as the map does", _away),
        runs_leg("four rounds at temperature 1/2: most greedy answers are one token, or right chains", _most_prompts),
    ),
    mutants=(
        Mutant(
            "the temperature has no effect",
            "sampling at temperature tau raises odds to the power 1/tau",
            theory={"post_training.go_on_round": _without_power},
        ),
        Mutant(
            "the odds are tempered only",
            "right long answers are kept twice as often as short ones",
            theory={"post_training.go_on_round": _without_filter},
        ),
    ),
    figure=_temperature_figure,
    remarks=(
        "Stated after seeds 0 to 4 and base seed 1, and before seeds 5 to 9, which meet it as well. What changed: what "
        "the log-odds of two prompts differ by grows below temperature 1, by 1/tau each round, fourfold in two rounds "
        "at 1/2, and the mean over prompts no longer follows the map of a single one; above 1 it shrinks. So the "
        "margin is asked for in two cold rounds, later ones have a direction only, and the fate is that of most "
        "prompts: accuracy within .25 and length within (d - 1)/2 of the map's, half of the way between the two fates."
    ),
)

NINE_TENTHS = Claim(
    id="transformer.cold_rounds_reach_nine_tenths",
    statement=(
        "Four rounds of STaR at temperature 1/2 take decoders to a long share of at least .9 from p_cot = .25, and of "
        "at most .05 from .15."
    ),
    latex=r"p_0 = 0.25,\ \tau = \tfrac12:\quad p_4 \ge 0.9",
    origin="derived",
    source="four steps of theory.post_training.go_on_round from the calibrated odds 2p/(1-p)",
    kind="empirical",
    domain=DOMAIN,
    evidence=(runs_leg("long share after four rounds: at most .05, or at least .9", _cold_shares),),
    mutants=(
        Mutant(
            "the temperature has no effect",
            "sampling at temperature tau raises odds to the power 1/tau",
            theory={"post_training.go_on_round": _without_power},
        ),
        Mutant(
            "the odds are tempered only",
            "right long answers are kept twice as often as short ones",
            theory={"post_training.go_on_round": _without_filter},
        ),
    ),
    expected="fails",
    repaired_by="transformer.cold_rounds_follow_the_map_early",
    remarks=(
        "Stated before the runs, expecting it to hold. Eight of the ten stored runs from .25 meet it and all ten from "
        ".15; of five further ones each, base seed 1, one from .25 and four from .15. Each cold round doubles a "
        "deviation in log-odds, so four make sixteen of it: a start within the margin of calibration may end much "
        "lower. What replaces it, directions and the fate of most prompts, was chosen after this."
    ),
)

# ---------------------------------------------------------------- growth of length


def _before_and_after(lab: Lab) -> Iterator[Cell]:
    """Greedy answers before and after, as the calibrated model's at the run's own long shares."""
    t = lab.theory.parity_mixture
    for name in (STAR, "reinforce_25", "grpo_25"):
        for where, run in _runs(lab, name):
            for which, index in (("before", 0), ("after", -1)):
                (dimension,) = run["long_share"].dims
                row = run.isel({dimension: [index]})
                share = float(row["long_share"].values[0])
                place = {**where, "method": name.split("_")[0], "stage": which}
                yield from fate(
                    place, row, float(t.greedy_accuracy(share)), float(t.greedy_length(where["d"], share)), which
                )


def _from_one_to_d(lab: Lab) -> Iterator[Cell]:
    """The median length of greedy answers, and rounds until they are right."""
    t = lab.theory.post_training
    rounds = int(t.rounds_to_generalise(PLANS[STAR].parameters["p_cot"]))
    for name in (STAR, "reinforce_25", "grpo_25"):
        for where, run in _runs(lab, name):
            place = {**where, "method": name.split("_")[0]}
            first, last = (float(run["greedy_median_length"].values[i]) for i in (0, -1))
            yield run_cell({**place, "stage": "before"}, first, 1, 1, "median greedy length before")
            yield run_cell({**place, "stage": "after"}, last, where["d"], where["d"], "median greedy length after")
            if name == STAR:
                good = np.flatnonzero(run["greedy_accuracy"].values >= 0.98)
                count = int(good[0]) if good.size else 10**6
                yield within({**place, "stage": "rounds"}, count, rounds, 1, "rounds until greedy answers are right")


def _growth_figure(result: ClaimResult) -> Figure:
    """Greedy accuracy and length over the stages of post-training, all runs."""
    from matplotlib.figure import Figure

    from proofs_check.figures import COLOURS, INK, MARKERS, PAPER, style
    from theory import parity_mixture, post_training

    with style():
        figure = Figure(figsize=(9.0, 4.6), layout="constrained")
        panels = figure.subplots(2, 3, sharey="row", sharex="col")
        for column, name in enumerate((STAR, "reinforce_25", "grpo_25")):
            data = trained(Lab(profile="transformer"), name)
            (stage,) = data["long_share"].dims[1:]
            at = data[stage].values
            for row, variable in enumerate(("greedy_accuracy", "greedy_length")):
                ax = panels[row, column]
                for run, values in enumerate(data[variable].values):
                    ax.plot(
                        at, values, MARKERS[run], color=COLOURS[run], markerfacecolor=PAPER, linestyle="none", zorder=3
                    )
                if name == STAR:
                    share = np.asarray(post_training.long_fraction(0.15, at))
                    line = (
                        parity_mixture.greedy_accuracy(share)
                        if row == 0
                        else parity_mixture.greedy_length(int(data.attrs["d"]), share)
                    )
                    ax.plot(at, line, color=INK, drawstyle="steps-mid", linewidth=1.2, linestyle="-")
            panels[0, column].set_title(f"{name.split('_')[0]}, p = {data.attrs['p_cot']:g}")
            panels[1, column].set_xlabel(stage)
        panels[0, 0].set(ylabel="greedy accuracy")
        panels[1, 0].set(ylabel="greedy tokens")
    return figure


GROWTH = Claim(
    id="transformer.length_grows",
    statement=(
        "STaR, REINFORCE and GRPO take decoders that greedily answer with one token, right half of the time, to whole "
        "chains of d tokens that are right; STaR within one round of the predicted number of rounds."
    ),
    latex=r"\text{greedy length}: 1 \to d, \qquad \text{greedy accuracy}: \tfrac12 \to 1",
    origin="paper",
    source=f"{PAPER}, section on experiments; Theorem 2 for the linear model",
    kind="empirical",
    domain=DOMAIN,
    evidence=(
        runs_leg(
            "greedy accuracy within .02, mean greedy length within .25 tokens, before and after", _before_and_after
        ),
        runs_leg("median greedy length 1 before and d after, rounds within one", _from_one_to_d),
    ),
    mutants=(
        Mutant(
            "greedy answers grow to half of the prompt, and take five rounds",
            "a chain that stops early misses the last bits; odds .176 need two doublings to reach 1/2",
            theory={
                "parity_mixture.greedy_length": lambda d, p: 1.0 if p < 1 / 3 else d / 2,
                "post_training.rounds_to_generalise": lambda p: 5,
            },
        ),
        Mutant(
            "greedy answers need sampled long answers in the majority, and so one more doubling",
            "after agreement the odds of going on are twice the odds of long answers",
            theory={
                "parity_mixture.greedy_accuracy": lambda p: 0.5 if p < 0.95 else 1.0,
                "post_training.rounds_to_generalise": lambda p: 4,
            },
        ),
    ),
    figure=_growth_figure,
    remarks=(
        RULE
        + "Fifteen runs, d = 12: STaR from p_cot = .15, six rounds of 1024 answers; REINFORCE and GRPO from .25, 60 "
        "steps of 256 answers, in groups of 8. All 4096 prompts are decoded greedily."
    ),
)

# ---------------------------------------------------------------- too early


def _early_round(lab: Lab) -> Iterator[Cell]:
    t = lab.theory.post_training
    for where, run in _runs(lab, "star_early"):
        share, exact = (float(run[name].values[0]) for name in ("long_share", "long_correct"))
        right = min(1.0, exact / share)
        stop = float(run["stop_agree"].values[0])
        factor = t.go_on_factor(where["d"], chain_right=right)
        ahead = go_on_share(t.go_on_round((1 - stop) / stop, 1.0, max(float(factor), 1e-12)))
        seen = 1 - float(run["stop_agree"].values[1])
        yield within({**where, "R": round(right, 4)}, seen, ahead, 0.1, "P(go on | y_1 = x_1) after the first round")


def _early_fate(lab: Lab) -> Iterator[Cell]:
    """Greedy answers of one token, right half of the time: what the calibrated model without long answers gives."""
    t = lab.theory.parity_mixture
    for name in ("star_early", "reinforce_early"):
        for where, run in _runs(lab, name):
            place = {**where, "method": name.split("_")[0]}
            yield from fate(
                place, run, float(t.greedy_accuracy(0.0)), float(t.greedy_length(where["d"], 0.0)), "at the end"
            )


EARLY = Claim(
    id="transformer.too_early_fails",
    statement=(
        "Post-training with the reward for whole answers, started before the chain is learned, loses the long route: "
        "the odds of going on are multiplied by 2R, R the share of right chains, and greedy answers stay guesses."
    ),
    latex=r"c' \approx 2 R c, \qquad R < \tfrac12 \Rightarrow \text{the long route is lost}",
    origin="derived",
    source=f"derived in theory.post_training.go_on_factor; {PAPER}, section on experiments, sees RL fail after little "
    "pre-training",
    kind="empirical",
    domain=DOMAIN,
    evidence=(
        runs_leg("first round of STaR: chance to go on within .1 of that of the odds 2 R c", _early_round),
        runs_leg("at the end of STaR and of REINFORCE: guesses of one token", _early_fate),
    ),
    mutants=(
        Mutant(
            "the odds double, however wrong the chains",
            "a wrong chain earns nothing",
            theory={"post_training.go_on_factor": lambda d, **knobs: 2.0},
        ),
        Mutant(
            "without long answers greedy answers are right",
            "one token that guesses the parity is right half of the time",
            theory={"parity_mixture.greedy_accuracy": lambda p: 1.0},
        ),
    ),
    remarks=(
        RULE + "Ten runs, d = 12, p_cot = .25, pre-training of 200 steps instead of 700: then six rounds of STaR or 60 "
        "steps of REINFORCE, as in the runs that succeed. Ten further runs, base seed 1, met the rules too."
    ),
)

CLAIMS = (DOUBLING, TEMPERATURE, EARLY_ROUNDS, NINE_TENTHS, GROWTH, EARLY)
