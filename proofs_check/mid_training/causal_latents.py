"""Claims about causal and hindsight latents against next-token prediction."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

from proofs_check.claims import Claim, Exact, Mutant
from proofs_check.domains import Domain
from proofs_check.mid_training._common import ALPHA, PAPER, generator, replaced, shipped
from proofs_check.mid_training._latent_paths import SLACK, path_prior
from proofs_check.verdicts import Cell

if TYPE_CHECKING:
    from proofs_check.lab import Lab

__all__ = ["CLAIMS"]

CAUSAL = ((0.05, -0.495, -0.998), (0.2, -0.645, -0.857), (0.4, -0.692, -0.711))


def _two_skills(noise: float) -> np.ndarray:
    stay = np.array([[1 - noise, noise], [noise, 1 - noise]])
    return np.array([stay, stay[::-1]])


def _text_law(emission: np.ndarray, alpha: float, length: int) -> dict[tuple[int, ...], float]:
    """p of all A^T texts, first token uniform, by paths."""
    k, size = emission.shape[:2]
    law = {}
    for text in itertools.product(range(size), repeat=length):
        total = 0.0
        for path in itertools.product(range(k), repeat=length):
            p = path_prior(path, alpha, k) / size
            for t in range(1, length):
                p *= emission[path[t], text[t - 1], text[t]]
            total += p
        law[text] = total
    return law


@lru_cache(maxsize=16)
def _entropies(noise: float, alpha: float, length: int) -> tuple[float, float]:
    """Minus the entropy of the text and of its bigram predictions, per token, from all A^T texts."""
    law = _text_law(_two_skills(noise), alpha, length)
    full = math.fsum(p * math.log(p) for p in law.values())
    pairs = np.zeros((length, 3, 2))
    for text, p in law.items():
        for t, token in enumerate(text):
            pairs[t, text[t - 1] if t else 2, token] += p
    table = pairs.sum(axis=2, keepdims=True)
    bigram = math.fsum((pairs[pairs > 0] * np.log((pairs / np.where(table > 0, table, 1.0))[pairs > 0])).tolist())
    return full / length, bigram / length


def _causal_tree(lab: Lab) -> Iterator[Cell]:
    for noise, _, _ in CAUSAL:
        for alpha, length in ((0.85, 5), (0.0, 4), (0.5, 5)):
            values = lab.theory.mid_training.causal_values(_two_skills(noise), alpha, length)
            full, bigram = _entropies(noise, alpha, length)
            cell = {"noise": noise, "alpha": alpha, "T": length}
            yield lab.close(cell, values.smoothing, full, SLACK, "hindsight: the mean log-likelihood")
            yield lab.close(cell, values.full_context, full, SLACK, "full-context next-token prediction")
            yield lab.close(cell, values.bigram, bigram, SLACK, "bigram")
            yield lab.at_most(cell, values.causal, values.full_context + SLACK, "causal latents")


def _causal_search(lab: Lab) -> Iterator[Cell]:
    """No random causal law on (prefix, latent) beats the shipped optimum at the true emissions, T = 3."""
    rng = generator(46)
    noise, alpha, length = 0.2, 0.6, 3
    emission = _two_skills(noise)
    law = _text_law(emission, alpha, length)
    best = lab.theory.mid_training.causal_values(emission, alpha, length).causal * length
    prior = np.full((2, 2), (1 - alpha) / 2) + alpha * np.eye(2)

    def value(policy: dict[tuple[tuple[int, ...], int], np.ndarray]) -> float:
        """Mean over texts of the bound with z_t ~ policy[prefix, z_(t-1)], drawn before a_t; -1 starts."""
        total = 0.0
        for text, p in law.items():
            weights = {-1: 1.0}
            for t in range(length):
                fresh: dict[int, float] = {0: 0.0, 1: 0.0}
                for z0, w in weights.items():
                    q = policy[text[:t], z0]
                    for z in (0, 1):
                        start = prior[z0, z] if z0 >= 0 else 0.5
                        emit = emission[z, text[t - 1], text[t]] if t else 0.5
                        total += p * w * q[z] * (math.log(emit) + math.log(start) - math.log(max(q[z], 1e-300)))
                        fresh[z] += w * q[z]
                weights = fresh
        return total

    prefixes = [text[:t] for text in law for t in range(length)]
    at_prior = {(x, z): (prior[z] if z >= 0 else np.full(2, 0.5)) for x in prefixes for z in (-1, 0, 1)}
    top = value(at_prior)
    yield lab.at_most({"q": "prior"}, top, best + SLACK, "the prior itself")
    for trial in range(20):
        policy = {key: 0.5 * at_prior[key] + 0.5 * rng.dirichlet(np.ones(2)) for key in at_prior}
        yield lab.at_most({"q": trial}, value(policy), best + SLACK, "a random causal law")
    # climb by coordinates to see that the optimum is reached
    for _ in range(40):
        for key, law_ in at_prior.items():
            for step in (0.1, -0.1, 0.01, -0.01):
                moved = np.clip(law_ + np.array([step, -step]), 1e-6, 1.0)
                trial_policy = {**at_prior, key: moved / moved.sum()}
                if value(trial_policy) > top + 1e-12:
                    at_prior, top = trial_policy, value(trial_policy)
                    break
            else:
                continue
            break
        else:
            break
    yield lab.close({"q": "climbed"}, top, best, 0.02, "coordinate ascent reaches the soft Bellman value")


CAUSAL_HOLDS = Claim(
    id="mid_training.causal_latents",
    statement=(
        "If z_t is drawn before its token is seen, no law of the latents lifts the bound above the value of "
        "full-context next-token prediction, minus the conditional entropy; hindsight latents reach the likelihood "
        "itself, and at fixed emissions the best causal law solves a soft Bellman equation with the mean inside the "
        "exponent."
    ),
    latex=r"\sup_{q\ \text{causal},\,\pi}\mathbb{E}\,\mathrm{ELBO} = -\sum_t H(a_t\mid a_{<t})",
    origin="derived",
    source="theory.mid_training.causal: given the prefix, z_t is independent of a_t",
    kind="upper",
    domain=Domain({"alpha": ALPHA}),
    evidence=(
        Exact(
            "enumeration",
            "all A^T texts: entropies, hindsight and bigram values",
            _causal_tree,
            scope="cells",
            cost=0.4,
        ),
        Exact("identity", "random and climbed causal laws on all prefixes", _causal_search, scope="cells", cost=0.4),
    ),
    mutants=(
        Mutant(
            "causal latents reach what hindsight reaches with noise halved",
            "the latent is independent of its token given the past",
            theory=replaced(
                causal_values=lambda e, a, n: (lambda v: v._replace(causal=v.full_context + 0.1))(
                    shipped().causal_values(e, a, n)
                )
            ),
        ),
        Mutant(
            "the mean stands outside the exponent: the best causal value is lower by .1",
            "the stated optimum is attained",
            theory=replaced(
                causal_values=lambda e, a, n: (lambda v: v._replace(causal=v.causal - 0.1))(
                    shipped().causal_values(e, a, n)
                )
            ),
        ),
        Mutant(
            "full context is worth no more than the previous token",
            "the past tells which skill is on",
            theory=replaced(
                causal_values=lambda e, a, n: (lambda v: v._replace(full_context=v.bigram))(
                    shipped().causal_values(e, a, n)
                )
            ),
        ),
    ),
)


def _causal_beats(lab: Lab) -> Iterator[Cell]:
    for noise, hindsight, causal in CAUSAL:
        values = lab.theory.mid_training.causal_values(_two_skills(noise), 0.85, 7)
        cell = {"noise": noise, "alpha": 0.85, "T": 7}
        detail = f"worked values: hindsight {hindsight}, causal {causal}"
        yield lab.at_most(
            cell, values.full_context, values.causal, "next-token value against the causal one; " + detail
        )


def _causal_beats_paths(lab: Lab) -> Iterator[Cell]:
    """The next-token value from all texts instead of the theory's tree."""
    for noise in (0.05, 0.2):
        full, _ = _entropies(noise, 0.85, 5)
        values = lab.theory.mid_training.causal_values(_two_skills(noise), 0.85, 5)
        yield lab.at_most({"noise": noise, "T": 5}, full, values.causal, "entropy of the enumerated texts")


CAUSAL_FALSE = Claim(
    id="mid_training.causal_beats_next_token",
    statement="Latents inferred causally, before each token, beat full-context next-token prediction in the bound.",
    latex=r"\mathbb{E}\,\mathrm{ELBO}_{causal} \ge -\sum_t H(a_t\mid a_{<t})",
    origin="paper",
    source=f"a reading of {PAPER}, generation with latents",
    kind="lower",
    domain=Domain({"alpha": ALPHA}),
    evidence=(
        Exact("enumeration", "two skills, T = 7: full trees of texts", _causal_beats, scope="cells", cost=0.2),
        Exact("identity", "entropy by enumeration of texts and paths", _causal_beats_paths, scope="cells"),
    ),
    mutants=(
        Mutant(
            "they come within .01 nats of it",
            "at low noise the loss is half a nat",
            theory=replaced(
                causal_values=lambda e, a, n: (lambda v: v._replace(causal=v.causal + 0.01))(
                    shipped().causal_values(e, a, n)
                )
            ),
        ),
        Mutant(
            "they beat it by .1 nats",
            "they never beat it",
            theory=replaced(
                causal_values=lambda e, a, n: (lambda v: v._replace(causal=v.causal - 0.1))(
                    shipped().causal_values(e, a, n)
                )
            ),
        ),
    ),
    expected="fails",
    repaired_by="mid_training.causal_latents",
    remarks="Gains need hindsight latents, or a policy of limited context or computation.",
)


CLAIMS = (CAUSAL_HOLDS, CAUSAL_FALSE)
