"""Claims about one round of filtering: the odds of long answers double, and any weight is multiplied by its success."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import numpy as np
import sympy as sp

from proofs_check.certificates import is_zero
from proofs_check.claims import Claim, Exact, Mutant, Simulation
from proofs_check.domains import Domain
from proofs_check.enumeration import decoded
from proofs_check.post_training._common import (
    P_0,
    PAPER,
    ROUNDS,
    SIGMAS,
    STAR_CELLS,
    P,
    closed_forms,
    filtered,
    kept_long_counts,
    one_round,
    rate_leg,
    rounds_ahead,
    shares_of,
    star_parameters,
)
from proofs_check.verdicts import Cell

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from proofs_check.lab import Lab
    from proofs_check.runner import ClaimResult

__all__ = ["CLAIMS"]

DOMAIN = Domain({"p_0": P_0, "n_rounds": ROUNDS})


# ---------------------------------------------------------------- the odds double


def _doubling_identity(lab: Lab) -> Iterator[Cell]:
    """One round for p a symbol, the composition of rounds, and the odds."""
    t = lab.theory.post_training
    kept_long, kept_short = P, (1 - P) / 2
    yield lab.true(
        {"p_0": "symbol"}, is_zero(t.long_fraction(P, 1) - kept_long / (kept_long + kept_short)), "Bayes' rule"
    )
    for n in range(3):
        p_n = t.long_fraction(P, n)
        yield lab.true(
            {"p_0": "symbol", "n_rounds": n}, is_zero(t.long_fraction(P, n + 1) - 2 * p_n / (1 + p_n)), "one more"
        )
        yield lab.true(
            {"p_0": "symbol", "n_rounds": n}, is_zero(t.long_odds(p_n) - 2**n * t.long_odds(P)), "odds times 2^n"
        )
    m = sp.Symbol("m", positive=True)  # stands for 2^n
    q = m * P / (m * P + 1 - P)
    step = is_zero(2 * q / (1 + q) - 2 * m * P / (2 * m * P + 1 - P))
    yield lab.true({"n_rounds": "n -> n + 1"}, step, "2^n becomes 2^(n+1)")


def _doubling_enumerated(lab: Lab) -> Iterator[Cell]:
    """Filter the listed answers of the calibrated model, every prompt, in rationals."""
    t, mixture = lab.theory.post_training, lab.theory.parity_mixture
    for d in (3, 4):
        for p in lab.rationals():
            law = decoded(d, mixture.first_token_agreement(p), mixture.stop_given_agreement(p), greedy=False)
            for kind in ("r_cot", "r_e2e"):
                found = shares_of(filtered(law, kind))
                yield lab.equal(
                    {"d": d, "p_0": p, "reward": kind}, found["long"] / found["kept"], t.long_fraction(p, 1)
                )
                after = t.long_fraction(p, 1)
                same = found["stop_agree"] == mixture.stop_given_agreement(after)
                yield lab.true({"d": d, "p_0": p}, same, "the kept answers have the stop law of D(2p/(1+p))")


def _factor(theory: Any, share: float) -> float:
    """What a round multiplies the odds of long answers by, according to the closed form."""
    t = theory.post_training
    return float(t.long_odds(t.long_fraction(share, 1)) / t.long_odds(share))


def _drifted(data: Any, cell: Mapping[str, Any], theory: Any) -> np.ndarray:
    """Runs with a round whose ln c is not what doubling (and ridge) makes of the model before it."""
    factor = _factor(theory, 0.2)
    seen = np.log(1 / data["stop_agree"].values[:, 1:] - 1)
    ahead = rounds_ahead(data, cell, factor)
    expected = np.array([[a.ln_odds for a in run] for run in ahead])
    margin = np.array([[a.ln_odds_margin for a in run] for run in ahead])
    return np.asarray((np.abs(seen - expected) > margin).any(axis=1))


def _rounds_figure(result: ClaimResult) -> Figure:
    """Share of long answers over the rounds, theory and trained models."""
    from matplotlib.figure import Figure

    from proofs_check.figures import simulated_points, style, theory_line
    from sims.post_training import star

    t = closed_forms()
    rounds = np.arange(6)
    with style():
        figure = Figure(figsize=(6.4, 3.8), layout="constrained")
        ax = figure.add_subplot()
        for index, p in enumerate((0.05, 0.1, 0.2)):
            theory_line(ax, rounds, t.long_fraction(p, rounds), f"p_0 = {p}", index)
            run = star(5, p, 8000, 5, range(20), start_ridge=1e-7, ridge={"first": 0.03, "stop": 0.03, "chain": 2e-3})
            shares = (run["first_token"] * (1 - run["stop_agree"])).values
            low, high = np.quantile(shares, (0.05, 0.95), axis=0)
            simulated_points(ax, rounds, shares.mean(axis=0), low, high, "20 trained runs, middle 90 %", index)
        ax.axhline(1 / 3, color="0.6", linewidth=0.8, linestyle=":")
        ax.set(xlabel="round", ylabel="share of long answers")
        ax.legend()
    return figure


def _odds_times(factor: float) -> dict[str, Any]:
    def share(p: Any, n: Any) -> Any:
        grown = sp.nsimplify(factor) ** n if not isinstance(n, np.ndarray) else factor**n
        if isinstance(p, float):
            grown = float(grown)
        elif isinstance(p, Fraction):
            grown = Fraction(int(sp.numer(grown)), int(sp.denom(grown)))
        return p * grown / (p * grown + 1 - p)

    return {"post_training.long_fraction": share}


def _squared(p: Any, n: Any) -> Any:
    for _ in range(n):
        p = sp.cancel(2 * p / (1 + p * p)) if isinstance(p, sp.Expr) else 2 * p / (1 + p * p)
    return p


def _star_no_filter(*args: Any, **kwargs: Any) -> Any:
    from sims.post_training import star

    return star(*args, **{**kwargs, "false_positive": 1.0})


ODDS = Claim(
    id="post_training.odds_double",
    statement=(
        "Filtering a calibrated model's answers by reward and training on them doubles the odds of long answers: "
        "p_n = 2^n p_0/(2^n p_0 + 1 - p_0). Trained models follow, up to what ridge and finite training shift."
    ),
    latex=r"\frac{p_{n+1}}{1-p_{n+1}} = 2\,\frac{p_n}{1-p_n}, \qquad p_n = \frac{2^n p_0}{2^n p_0 + 1 - p_0}",
    origin="paper",
    source=f"{PAPER}, Theorem 2 (proof)",
    kind="exact",
    domain=DOMAIN,
    functions=("post_training.long_fraction",),
    evidence=(
        Exact("identity", "Bayes' rule with p a symbol, rounds by induction", _doubling_identity, cost=0.5),
        Exact(
            "enumeration",
            "every answer to every prompt of length 3, 4, filtered",
            _doubling_enumerated,
            scope="cells",
            cost=0.3,
        ),
        Simulation(
            "share of long answers among the kept ones of one round",
            "post_training.star",
            cells=lambda profile: [
                {"d": d, "p_0": p} for d in ((5, 20) if profile == "quick" else (5, 20, 200)) for p in (0.1, 0.3, 0.6)
            ],
            parameters=one_round,
            extract=kept_long_counts,
            predict=lambda theory, cell: theory.post_training.long_fraction(cell["p_0"], 1),
            resolution=0.03,
            planned_n=8,
            unit="block of 4096 answer",
            cost=1.2,
        ),
        rate_leg(
            "runs whose odds do not double in one of four rounds",
            "post_training.star",
            {**STAR_CELLS, "full": [*STAR_CELLS["full"], {"d": 5, "p_0": 1e-4, "n_samples": 50_000, "ridge": 0.1}]},
            star_parameters,
            _drifted,
            2.5,
        ),
    ),
    mutants=(
        Mutant("the odds grow by 1.9 a round", "a short answer is right half of the time", theory=_odds_times(1.9)),
        Mutant("the odds grow by 1.5 a round", "a short answer is right half of the time", theory=_odds_times(1.5)),
        Mutant(
            "p' = 2p/(1+p^2)",
            "the kept mass is p + (1-p)/2 = (1+p)/2",
            theory={"post_training.long_fraction": _squared},
        ),
        Mutant(
            "nothing is filtered",
            "the share then stays p_0",
            sims={"post_training.star": _star_no_filter},
        ),
    ),
    figure=_rounds_figure,
    remarks=(
        "Trained runs: every round trains from zero. In each round the odds of going on, given the model before and "
        "its chain's own R, are compared with twice these odds at the ridge optimum; they may be off by "
        f"{SIGMAS} standard deviations of the limit law of averaged descent and half of its mean overshoot (a normal "
        "value exceeds that in 1 of 1000 rounds, at twice the variance in 1 of 50), in any of four rounds, in at most "
        "10 % of runs. At p_0 = 1e-4 the "
        "ridge of the stop position, not the doubling, makes most of the first rise: the cell tests the two together."
    ),
)

# ---------------------------------------------------------------- reweighting


def _reweighting(lab: Lab) -> Iterator[Cell]:
    """Any set of response types, symbols: shares proportional to weight times success."""
    t = lab.theory.post_training
    w = sp.symbols("w1:4", positive=True)
    s = sp.symbols("s1:4", positive=True)
    found = t.reweighted(w, s)
    yield lab.true({"types": 3}, is_zero(sum(found) - 1), "they add up to 1")
    for i in range(3):
        for j in range(i):
            yield lab.true(
                {"types": f"{i}, {j}"}, is_zero(found[i] / found[j] - w[i] * s[i] / (w[j] * s[j])), "odds times s_i/s_j"
            )


def _reweighting_enumerated(lab: Lab) -> Iterator[Cell]:
    """Types long, agreeing short and disagreeing short of the listed model, from their own successes."""
    t = lab.theory.post_training
    mixture = lab.theory.parity_mixture
    half = Fraction(1, 2)
    for p in (Fraction(1, 10), Fraction(1, 3), Fraction(4, 5)):
        law = decoded(3, mixture.first_token_agreement(p), mixture.stop_given_agreement(p), greedy=False)
        kept = shares_of(filtered(law, "r_cot"))
        two = t.reweighted([p, 1 - p], [Fraction(1), half])
        yield lab.equal({"p_0": p}, kept["long"] / kept["kept"], two[0], "long against short")


REWEIGHTING = Claim(
    id="post_training.reweighting",
    statement=(
        "One round multiplies the weight of every type of response by its success probability: w_k becomes w_k s_k / "
        "sum."
    ),
    latex=r"w_k' = \frac{w_k s_k}{\sum_j w_j s_j}",
    origin="derived",
    source="Bayes' rule",
    kind="exact",
    domain=Domain({"p_0": P_0}),
    evidence=(
        Exact("identity", "three types with symbols", _reweighting),
        Exact("enumeration", "long and short answers listed", _reweighting_enumerated, scope="cells"),
    ),
    mutants=(
        Mutant(
            "failures keep half of their weight: w_k (1 + s_k)/2",
            "what is not rewarded is not kept",
            theory={
                "post_training.reweighted": lambda w, s: tuple(
                    a * (1 + b) / sum(x * (1 + y) for x, y in zip(w, s, strict=True)) for a, b in zip(w, s, strict=True)
                )
            },
        ),
        Mutant(
            "weights are multiplied by s_k^2",
            "an answer is drawn once",
            theory={
                "post_training.reweighted": lambda w, s: tuple(
                    a * b * b / sum(x * y * y for x, y in zip(w, s, strict=True)) for a, b in zip(w, s, strict=True)
                )
            },
        ),
    ),
)

CLAIMS = (ODDS, REWEIGHTING)
