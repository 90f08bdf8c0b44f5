"""Claims about losses of latent models: the split of the likelihood, and the return of the sampled E-step."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np

from proofs_check.claims import Claim, Exact, Mutant, Simulation
from proofs_check.domains import Domain, Integer
from proofs_check.mid_training._common import ALPHA, PAPER, replaced, shipped
from proofs_check.mid_training._latent_paths import SLACK, enumerated_evidence, log_emissions, random_emissions
from proofs_check.samples import Means
from proofs_check.verdicts import Cell

if TYPE_CHECKING:
    from proofs_check.lab import Lab

__all__ = ["CLAIMS"]


def _split_nll(lab: Lab) -> Iterator[Cell]:
    """-ln p = CE + KL at the posterior, from the pieces of the bound."""
    t = lab.theory.mid_training
    for index, (ell, alpha) in enumerate(random_emissions()):
        _, evidence = enumerated_evidence(index)
        bound = t.evidence_bound(ell, alpha, *t.posterior_transitions(ell, alpha))
        cell = {"T": len(ell), "K": ell.shape[1], "alpha": alpha}
        yield lab.close(cell, -bound.reward + bound.divergence, -evidence, SLACK, "CE + KL")


def _split_trained(lab: Lab) -> Iterator[Cell]:
    """Held-out text of trained skill worlds: likelihood against expected counts and the divergence of the theory."""
    t = lab.theory.mid_training
    for seed in (0, 1):
        maps = lab.sims.mid_training.draw_skills(7, 3, seed)["skill_map"].values[0]
        tokens = lab.sims.mid_training.skill_demonstrations(maps, 0.2, 0.1, 20, 6, seed)["token"].values[0]
        emission, alpha = lab.sims.mid_training.skill_emission(maps, 0.1), 0.7
        step = lab.sims.mid_training.expectation_step(tokens, emission, alpha)
        cross = -float((step["count"].values * np.log(emission)).sum())
        divergence = 0.0
        for line in tokens:
            ell = log_emissions(line, emission)
            divergence += t.evidence_bound(ell, alpha, *t.posterior_transitions(ell, alpha)).divergence
        nll = -float(step["log_likelihood"].sum())
        yield lab.close(
            {"world": seed}, cross + divergence, nll, 1e-8, f"CE {cross:.2f}, KL {divergence:.2f}, NLL {nll:.2f}"
        )


NLL = Claim(
    id="mid_training.loss_split",
    statement=(
        "At the exact posterior the negative log-likelihood is the cross-entropy under inferred latents plus their "
        "divergence from the prior: only the sum compares with a next-token loss."
    ),
    latex=r"-\ln p(a) = \mathbb{E}_q\bigl[-\textstyle\sum_t\ln\pi(a_t\mid s_t,z_t)\bigr] + \mathrm{KL}(q\,\|\,p(z)), "
    r"\quad q = p(z\mid a)",
    origin="derived",
    source="theory.mid_training.latents: zero gap at the posterior",
    kind="exact",
    domain=Domain({"alpha": ALPHA}),
    evidence=(
        Exact("enumeration", "all K^T paths", _split_nll, scope="cells"),
        Exact(
            "identity", "skill worlds: the simulator's counts, the theory's divergence", _split_trained, scope="cells"
        ),
    ),
    mutants=(
        Mutant(
            "the divergence may be left out",
            "inferred latents carry information about the text",
            theory=replaced(
                evidence_bound=lambda *a: (lambda b: b._replace(divergence=0.0))(shipped().evidence_bound(*a))
            ),
        ),
        Mutant(
            "the divergence is counted twice",
            "once, as in the bound",
            theory=replaced(
                evidence_bound=lambda *a: (lambda b: b._replace(divergence=2 * b.divergence))(
                    shipped().evidence_bound(*a)
                )
            ),
        ),
    ),
)


def _conditional_witness(lab: Lab) -> Iterator[Cell]:
    """The M-step cross-entropy alone, called a language-model loss."""
    t = lab.theory.mid_training
    for index, (ell, alpha) in enumerate(random_emissions()):
        if ell.shape[1] == 1 or len(ell) == 1 or index % 3:
            continue
        _, evidence = enumerated_evidence(index)
        bound = t.evidence_bound(ell, alpha, *t.posterior_transitions(ell, alpha))
        yield lab.at_most(
            {"T": len(ell), "K": ell.shape[1], "alpha": alpha},
            -evidence,
            -bound.reward - 1e-9,
            "NLL against the M-step loss",
        )


def _conditional_skills(lab: Lab) -> Iterator[Cell]:
    t = lab.theory.mid_training
    maps = lab.sims.mid_training.draw_skills(7, 3, 0)["skill_map"].values[0]
    tokens = lab.sims.mid_training.skill_demonstrations(maps, 0.2, 0.1, 20, 6, 0)["token"].values[0]
    emission = lab.sims.mid_training.skill_emission(maps, 0.1)
    cross = nll = 0.0
    for line in tokens:
        ell = log_emissions(line, emission)
        cross -= t.evidence_bound(ell, 0.7, *t.posterior_transitions(ell, 0.7)).reward
        nll -= t.sticky_log_likelihood(ell, 0.7)
    yield lab.at_most({"world": "skills"}, nll, cross, "nats over six texts")


NLL_FALSE = Claim(
    id="mid_training.m_step_loss_is_nll",
    statement="The cross-entropy of the M-step, under inferred latents, is a language-model loss of the same text.",
    latex=r"\mathbb{E}_q\bigl[-\textstyle\sum_t\ln\pi(a_t\mid s_t,z_t)\bigr] \ge -\ln p(a)",
    origin="derived",
    source="losses reported side by side",
    kind="lower",
    domain=Domain({"alpha": ALPHA}),
    evidence=(
        Exact("enumeration", "all K^T paths of random texts", _conditional_witness, scope="cells"),
        Exact("identity", "a skill world", _conditional_skills, scope="cells"),
    ),
    mutants=(
        Mutant(
            "even with a tenth of the divergence added",
            "nine tenths are still missing",
            theory=replaced(
                evidence_bound=lambda *a: (lambda b: b._replace(reward=b.reward - 0.1 * b.divergence))(
                    shipped().evidence_bound(*a)
                )
            ),
        ),
        Mutant(
            "half of the divergence belongs to the M-step",
            "half is still missing",
            theory=replaced(
                evidence_bound=lambda *a: (lambda b: b._replace(reward=b.reward - 0.5 * b.divergence))(
                    shipped().evidence_bound(*a)
                )
            ),
        ),
    ),
    expected="fails",
    repaired_by="mid_training.loss_split",
)


# ---------------------------------------------------------------- the sampled E-step


@lru_cache(maxsize=1)
def _small_text() -> tuple[np.ndarray, np.ndarray, float]:
    from sims.mid_training import draw_skills, skill_demonstrations, skill_emission

    maps = draw_skills(5, 2, 0)["skill_map"].values[0]
    tokens = skill_demonstrations(maps, 0.2, 0.1, 8, 2, 0)["token"].values[0]
    return tokens, skill_emission(maps, 0.1), 0.6


WEIGHTS = (0.6, 0.3, 0.8)


def _look_ahead_chain(ell: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The look-ahead policy as a Markov chain: softmax of a window of emissions plus a bonus for staying."""
    length, k = ell.shape
    score = WEIGHTS[0] * ell + WEIGHTS[1] * np.vstack([ell[1:], np.zeros(k)])
    chain = np.empty((length, k, k))
    for t in range(length):
        logits = score[t][None, :] + (WEIGHTS[2] * np.eye(k) if t else np.zeros((k, k)))
        weights = np.exp(logits - logits.max(axis=1, keepdims=True))
        chain[t] = weights / weights.sum(axis=1, keepdims=True)
    return chain[0, 0], chain[1:]


def _sampled_bound(lab: Lab) -> Iterator[Cell]:
    """The simulator's exact bound of a look-ahead policy against the theory's bound of that Markov law."""
    tokens, emission, alpha = _small_text()
    found = lab.sims.mid_training.look_ahead_bound(tokens, emission, alpha, WEIGHTS)
    bound = gap = 0.0
    for line in tokens:
        ell = log_emissions(line, emission)
        parts = lab.theory.mid_training.evidence_bound(ell, alpha, *_look_ahead_chain(ell))
        bound, gap = bound + parts.bound, gap + parts.gap
    yield lab.close({"W": 1}, float(found["bound"]), bound, 1e-10, "bound")
    yield lab.close({"W": 1}, float(found["gap"]), gap, 1e-10, "gap")


def _returns(*, group: int, seeds: Any) -> Any:
    """REINFORCE on the small text: mean returns, squashed into [0, 1] linearly."""
    from sims.mid_training import sampled_gradient

    tokens, emission, alpha = _small_text()
    return sampled_gradient(tokens, emission, alpha, WEIGHTS, seeds, group=group)


def _theory_bound(theory: Any, cell: Any) -> float:
    tokens, emission, alpha = _small_text()
    total = 0.0
    for line in tokens:
        ell = log_emissions(line, emission)
        total += theory.mid_training.evidence_bound(ell, alpha, *_look_ahead_chain(ell)).bound
    return float(total)


SAMPLED = Claim(
    id="mid_training.sampled_e_step",
    statement=(
        "The mean return sum_t ln pi + ln P - ln q of latents drawn by a look-ahead policy is its temporal bound: the "
        "E-step is reinforcement learning."
    ),
    latex=r"\mathbb{E}_q\Bigl[\textstyle\sum_t \ln\pi(a_t\mid s_t,z_t) + \ln P(z_t\mid z_{t-1}) - \ln "
    r"q(z_t\mid\cdot)\Bigr] = \mathrm{ELBO}(q)",
    origin="paper",
    source=f"{PAPER}, E-step as reinforcement learning",
    kind="exact",
    domain=Domain({"group": Integer(2)}),
    evidence=(
        Exact(
            "identity", "dynamic programming over pairs against the Markov law's bound", _sampled_bound, scope="cells"
        ),
        Simulation(
            "mean return of sampled latents",
            _returns,
            cells=[{"group": 8}],
            parameters=lambda cell: {"group": cell["group"]},
            # two lines of 7 steps: rewards of a step lie between ln(.025 * .2) and -ln of a small q, within 8 nats
            extract=lambda data, cell: Means(np.asarray(data["bound"].values, dtype=float), -112.0, 112.0),
            predict=_theory_bound,
            resolution=3.0,
            planned_n=12_000,
            looks=3,
            unit="group of paths",
            cost=0.2,
        ),
    ),
    mutants=(
        Mutant(
            "the divergence counts twice",
            "ln P - ln q enters the return once",
            theory=replaced(
                evidence_bound=lambda *a: (lambda b: b._replace(bound=b.bound - b.divergence))(
                    shipped().evidence_bound(*a)
                )
            ),
        ),
        Mutant(
            "the reward is the log-emission alone",
            "the divergence from the prior is part of the return",
            theory=replaced(
                evidence_bound=lambda *a: (lambda b: b._replace(bound=b.reward))(shipped().evidence_bound(*a))
            ),
        ),
    ),
)


CLAIMS = (NLL, NLL_FALSE, SAMPLED)
