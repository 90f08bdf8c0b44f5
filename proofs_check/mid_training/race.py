"""Claims about policies in worlds of skills: look-ahead inference of latents, the race to a goal, and GRPO."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from proofs_check.claims import Claim, Exact, Mutant
from proofs_check.domains import Domain, Integer
from proofs_check.mid_training._common import PAPER, replaced, shipped
from proofs_check.mid_training.miniature import (
    KNOWN,
    LIGHT,
    N_TEXTS,
    NOISE,
    SKILLS,
    SWITCH,
    TOKENS,
    TRUE_ALPHA,
    simulated_worlds,
)
from proofs_check.verdicts import Cell

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from proofs_check.lab import Lab
    from proofs_check.runner import ClaimResult

__all__ = ["CLAIMS"]


def _look_text(lab: Lab, world: int) -> tuple[np.ndarray, np.ndarray, float]:
    mid = lab.sims.mid_training
    maps = mid.draw_skills(TOKENS, SKILLS, world)["skill_map"].values[0]
    lines = 40 if lab.profile == "full" else 8
    tokens = mid.skill_demonstrations(maps, SWITCH, NOISE, 60, lines, world)["token"].values[0]
    return tokens, mid.skill_emission(maps, NOISE), TRUE_ALPHA


def _look_fit(lab: Lab, world: int, reach: int) -> Any:
    key = ("look", lab.profile, world, reach)
    if key not in KNOWN:
        tokens, emission, alpha = _look_text(lab, world)
        KNOWN[key] = lab.sims.mid_training.fit_look_ahead(
            tokens, emission, alpha, reach, n_steps=250, learning_rate=0.08
        )
    return KNOWN[key]


def _windows(lab: Lab) -> tuple[int, ...]:
    return (-1, 0, 1, 2, 4, 8) if lab.profile == "full" else (-1, 0, 1, 4)


def _chain_gap(lab: Lab, world: int, reach: int) -> float:
    """The gap of a fitted policy as the theory's KL of its Markov law from the posterior, nats over the text."""
    tokens, emission, alpha = _look_text(lab, world)
    w = _look_fit(lab, world, reach)["weight"].values[0]
    gap = 0.0
    for line in tokens:
        ell = np.log(emission[:, line[:-1], line[1:]].T)
        score = np.zeros_like(ell)
        for j in range(len(w) - 1):
            score[: len(ell) - j] += w[j] * ell[j:]
        logits = score[:, None, :] + w[-1] * np.eye(SKILLS)
        chain = np.exp(logits - logits.max(axis=2, keepdims=True))
        chain /= chain.sum(axis=2, keepdims=True)
        first = np.exp(score[0] - score[0].max())
        gap += lab.theory.mid_training.evidence_bound(ell, alpha, first / first.sum(), chain[1:]).gap
    return gap


def _look_gaps(lab: Lab) -> Iterator[Cell]:
    """Gap per token by window: above 2 nats blind, .02 to .15 without look-ahead, below .03 from W = 1 on."""
    for world in range(4 if lab.profile == "full" else 1):
        for reach in _windows(lab):
            gap = _chain_gap(lab, world, reach) / _look_fit(lab, world, reach).attrs["n_tokens_predicted"]
            low, high = (2.0, math.inf) if reach < 0 else (0.02, 0.15) if reach == 0 else (0.0, 0.03)
            yield lab.true({"world": world, "W": reach}, low <= gap <= high, f"gap {gap:.4f} nats per token")


def _look_chain(lab: Lab) -> Iterator[Cell]:
    """The simulator's gap, evidence minus bound, against the divergence of the Markov law."""
    for world in range(4 if lab.profile == "full" else 1):
        for reach in _windows(lab):
            found, gap = float(_look_fit(lab, world, reach)["gap"][0]), _chain_gap(lab, world, reach)
            # a difference of two sums of some thousand logarithms
            yield lab.close({"world": world, "W": reach}, found, gap, 1e-6 * (1 + gap), "gap of the Markov law")


LOOK = Claim(
    id="mid_training.look_ahead",
    statement=(
        "A policy over latents that sees the text only through a window of W tokens ahead comes close to the posterior "
        "with W = 1: its gap falls from some .07 nats per token at W = 0 to below .03, and exceeds 2 if it sees "
        "nothing."
    ),
    latex=r"\frac1T\bigl(\ln p(a)-\mathrm{ELBO}_W\bigr): \quad W=-1 \gg W=0 > W\ge1",
    origin="derived",
    source=f"miniature of {PAPER} (E-step as reinforcement learning); rule: the stated ranges in every world",
    kind="empirical",
    domain=Domain({"W": Integer(-1)}),
    evidence=(
        Exact("enumeration", "gap per token by window, every world", _look_gaps, scope="cells", cost=1.5),
        Exact("identity", "gaps as divergences of Markov laws", _look_chain, scope="cells", cost=0.3),
    ),
    mutants=(
        Mutant(
            "the gap is half of the divergence",
            "it is the divergence itself",
            theory=replaced(
                evidence_bound=lambda *a: (lambda b: b._replace(gap=b.gap / 2))(shipped().evidence_bound(*a))
            ),
        ),
        Mutant(
            "the gap is the divergence from the prior",
            "the posterior is what an optimal law reaches",
            theory=replaced(
                evidence_bound=lambda *a: (lambda b: b._replace(gap=b.divergence))(shipped().evidence_bound(*a))
            ),
        ),
    ),
)


# ---------------------------------------------------------------- the race


def _race(lab: Lab) -> Any:
    if lab.profile == "full":
        return _runs_after(lab, 16, 200, n_goals=200, n_trained=5)
    return _runs_after(lab, 3, 60, n_goals=60, n_trained=2, max_episodes=20_000, n_clean=20_000, fit=LIGHT)


def _runs_after(lab: Lab, worlds: int, n: int, **options: Any) -> Any:
    return simulated_worlds(lab, "race_to_goal", worlds, n, **options)


ORDER = ("full_context", "macros", "true_prior", "latent_prior", "ngram2", "tokens")


def _race_uniform(lab: Lab) -> Iterator[Cell]:
    """Uniform starts cost what the theory says; the clean control knows that skills do not repeat: about ln 36."""
    t = lab.theory.mid_training
    data = _race(lab)
    sizes = {"tokens": (13, 12), "macros": (4, 3), "macros_any_duration": (24, 3), "macros_unpruned": (156, 3)}
    for i in range(data.sizes["replicate"]):
        cost = data["log_episodes"].isel(replicate=i)
        for start, (b, n) in sizes.items():
            yield lab.close(
                {"world": i, "start": start}, float(cost.sel(start=start)), float(t.log_episodes_uniform(b, n)), 1e-9
            )
        control = float(cost.sel(start="full_context"))
        # 13 starts x 36 goals share 20 000 strings, m each: -ln of a share is biased by 1/(2m) and spread by 1/sqrt(m)
        m = 20_000 / (13 * 36)
        allowed = 1 / m + 5 / math.sqrt(m * data.attrs["n_goals"])
        # skills with a common fixed point type equal strings, so goals can only become fewer
        detail = f"{control:.3f} nats; 4 x 3 x 3 goals from each start, fewer where skills share a fixed point"
        yield lab.at_most({"world": i, "start": "full_context"}, control, math.log(36) + allowed, detail)


def _race_order(lab: Lab) -> Iterator[Cell]:
    """Every world: control, macros, true prior, latent prior, best n-gram, tokens, in this order of cost."""
    t = lab.theory.mid_training
    data = _race(lab)
    for i in range(data.sizes["replicate"]):
        cost = {str(s): float(data["log_episodes"].isel(replicate=i).sel(start=s)) for s in data["start"].values}
        ok = all(cost[a] < cost[b] for a, b in itertools.pairwise(ORDER))
        yield lab.true({"world": i}, ok, ", ".join(f"{s} {cost[s]:.2f}" for s in ORDER))
        penalty = float(t.noise_penalty(NOISE, 12))
        yield lab.at_most(
            {"world": i}, cost["macros"] + penalty, cost["true_prior"], "noise and switching cost at least (1-eta)^-12"
        )
        reached = data["reached"].isel(replicate=i)
        trained = bool(reached.sel(start="macros").all()) and bool(reached.sel(start="full_context").all())
        yield lab.true(
            {"world": i},
            trained and not bool(reached.sel(start="tokens").any()),
            "GRPO: macros and control arrive, tokens do not",
        )


def _race_figure(result: ClaimResult) -> Figure:
    """Mean logarithm of the episodes to a first success from each start, the full-context control included."""
    from proofs_check.figures import COLOURS, labelled_axes, style
    from sims.mid_training import race_to_goal

    data = race_to_goal(200, range(4), n_goals=100, n_trained=3, max_episodes=20_000, n_clean=20_000, fit=LIGHT)
    names = {
        "tokens": "tokens", "ngram1": "order-1 prior", "ngram2": "order-2 prior", "ngram3": "order-3 prior",
        "latent_prior": "soft latent prior", "true_prior": "prior of the true skills",
        "full_context": "control: full context, clean text", "macros": "macros, known duration",
        "macros_any_duration": "macros, durations 1..6", "macros_unpruned": "macros, all 156 maps",
    }  # fmt: skip
    with style():
        figure, ax = labelled_axes("mean ln(expected episodes to a first success) [nats]", "start", (7.0, 4.2))
        mean = data["log_episodes"].mean("replicate")
        order = sorted(names, key=lambda s: float(mean.sel(start=s)))
        for row, start in enumerate(order):
            control = start == "full_context"
            colour = COLOURS[1] if control else COLOURS[2] if start.startswith("macros") else COLOURS[0]
            ax.barh([row], [float(mean.sel(start=start))], color=colour, alpha=0.75, hatch="//" if control else None)
            values = data["log_episodes"].sel(start=start).values
            ax.plot(values, [row] * len(values), "|", color="k", markersize=9)
            share = float(data["reached"].sel(start=start).mean())
            ax.annotate(
                f"GRPO arrives: {share:.0%}", (float(mean.sel(start=start)) + 0.4, row), va="center", fontsize="x-small"
            )
        ax.set_yticks(range(len(order)), [names[s] for s in order])
        ax.set_xlim(0, 37)
        ax.grid(axis="y", visible=False)
        ax.set_title("4 worlds (ticks), GRPO within 20 000 episodes", fontsize="small")
    return figure


RACE = Claim(
    id="mid_training.race_to_goal",
    statement=(
        "Goals of three skills cost L ln b nats of uniform exploration: 30.8 for tokens, 4.16 for four macros, 9.53 "
        "with durations 1 to 6, 15.1 with all 156 maps; soft priors lie between, and the full-context control on clean "
        "text is ahead of macros, at ln 36 = 3.58 or less, since it also learns that skills never repeat at once."
    ),
    latex=r"c_{\text{full context}} \le \ln 36 < 3\ln 4 = c_{\text{macros}} < c_{\text{soft prior}} < "
    r"c_{n\text{-gram}} < 12\ln 13 = c_{\text{tokens}}",
    origin="derived",
    source=f"miniature of {PAPER} (reinforcement learning after mid-training); rule: the order in every world",
    kind="empirical",
    domain=Domain({"n": N_TEXTS}),
    evidence=(
        Exact(
            "identity", "uniform starts against L ln b, control against ln 36", _race_uniform, scope="cells", cost=0.8
        ),
        Exact("enumeration", "every world: order of costs, noise, and GRPO", _race_order, scope="cells"),
    ),
    mutants=(
        Mutant(
            "macros cost as much as their tokens",
            "a macro is one decision",
            theory=replaced(log_episodes_uniform=lambda b, n: shipped().log_episodes_uniform(b, 12)),
        ),
        Mutant(
            "noise costs a factor 1 - eta for each token and each choice",
            "a right token is replaced with probability eta once",
            theory=replaced(noise_penalty=lambda eta, n: 13 * shipped().noise_penalty(eta, n)),
        ),
    ),
    figure=_race_figure,
    remarks=(
        "One printed world had RA3's soft prior at 9.28 and NTP at 15.7, 10.1, 11.6. Most of the gain is hard pruning "
        "and commitment, not likelihood; the clean control needs neither latents nor macros."
    ),
)


def _grpo_medians(lab: Lab) -> dict[tuple[int, int], float]:
    settings = [(3, 2), (4, 3), (2, 6), (8, 1)] + ([(5, 4)] if lab.profile == "full" else [])
    found = {}
    for b, n in settings:
        key = ("grpo", lab.seed, b, n, lab.sims.mid_training.goal_policy_gradient)
        if key not in KNOWN:
            run = lab.sims.mid_training.goal_policy_gradient(
                np.zeros((n, b)),
                [0] * n,
                range(20 * (lab.seed % 10**6), 20 * (lab.seed % 10**6) + 20),
                max_episodes=200_000,
            )
            KNOWN[key] = run["episodes"].values
        found[b, n] = float(np.median(KNOWN[key]))
    return found


def _grpo_printed(lab: Lab) -> Iterator[Cell]:
    """Median of 20 seeds between half and twice the printed one."""
    t = lab.theory.mid_training
    printed = {(3, 2): 496, (4, 3): 1128, (5, 4): 3136}
    for setting, median in _grpo_medians(lab).items():
        flow = float(t.flow_time(*setting))
        if setting in printed:
            ratio = median / printed[setting]
            yield lab.true(
                {"b": setting[0], "L": setting[1]},
                0.5 <= ratio <= 2.0,
                f"median {median:g}, printed {printed[setting]}",
            )
        # an episode moves at most `step` = 1/2 of the flow's unit; normalisation by the spread gains at most 1/sqrt(p)
        least = float(t.bandit_flow_time_normalised(max(2, setting[0])))
        yield lab.at_most({"b": setting[0], "L": setting[1]}, least, median, f"unnormalised flow {flow:.1f}")


def _grpo_order(lab: Lab) -> Iterator[Cell]:
    """More nats of uniform exploration, more episodes, where the nats differ by more than one."""
    t = lab.theory.mid_training
    medians = _grpo_medians(lab)
    for one, median in medians.items():
        for other, longer in medians.items():
            if float(t.log_episodes_uniform(*other)) > float(t.log_episodes_uniform(*one)) + 1.0:
                yield lab.at_most(
                    {"fewer": str(one), "more": str(other)}, median, longer, "median episodes of 20 seeds"
                )


GRPO = Claim(
    id="mid_training.policy_gradient_episodes",
    statement=(
        "Group-relative policy gradient (groups of 16, step 1/2, uniform start) reaches success probability .95 after "
        "a median of some 500 episodes for two decisions among three, 1100 for three among four, 3100 for four among "
        "five: episodes grow with the nats of uniform exploration."
    ),
    latex=r"\mathrm{med}\,\text{episodes}: (b,L) = (3,2), (4,3), (5,4) \mapsto 496, 1128, 3136",
    origin="derived",
    source="miniature; rule: medians of 20 seeds within a factor of two, and in the order of L ln b",
    kind="empirical",
    domain=Domain({"b": Integer(2), "L": Integer(1)}),
    evidence=(
        Exact("enumeration", "medians of 20 seeds against the printed ones", _grpo_printed, scope="cells", cost=0.3),
        Exact("enumeration", "order of the medians", _grpo_order, scope="cells"),
    ),
    mutants=(
        Mutant(
            "the number of choices alone decides",
            "two choices six times take longer than eight once",
            theory=replaced(log_episodes_uniform=lambda b, n: 3.0 * math.log(b)),
        ),
        Mutant(
            "even the gradient flow of a bandit takes b^4 units",
            "it grows like 2 sqrt(b)",
            theory=replaced(bandit_flow_time_normalised=lambda n: 50.0 * n**4),
        ),
    ),
)


CLAIMS = (LOOK, RACE, GRPO)
