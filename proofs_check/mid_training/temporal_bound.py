"""Claims about the temporal bound on the likelihood: its gap, and soft value iteration for the best policy."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from proofs_check.claims import Claim, Exact, Mutant
from proofs_check.domains import Domain, Real
from proofs_check.mid_training._common import ALPHA, N_LATENTS, PAPER, generator, replaced, shipped
from proofs_check.mid_training._latent_paths import (
    LENGTH,
    SLACK,
    chain_law,
    enumerated_evidence,
    log_emissions,
    path_prior,
    random_chain,
    random_emissions,
)
from proofs_check.verdicts import Cell

if TYPE_CHECKING:
    from proofs_check.lab import Lab

__all__ = ["CLAIMS"]


def _gap_by_paths(lab: Lab) -> Iterator[Cell]:
    rng = generator(31)
    for index, (ell, alpha) in enumerate(random_emissions()):
        length, k = ell.shape
        joint, evidence = enumerated_evidence(index)
        initial, moves = random_chain(rng, length, k)
        bound = lab.theory.mid_training.evidence_bound(ell, alpha, initial, moves)
        elbo, gap, reward, divergence = 0.0, 0.0, 0.0, 0.0
        for path, weight in joint.items():
            q = chain_law(path, initial, moves)
            if q == 0.0:
                continue
            prior = path_prior(path, alpha, k)
            elbo += q * (math.log(weight) - math.log(q))
            gap += q * (math.log(q) - math.log(weight) + evidence)
            reward += q * (math.log(weight) - math.log(prior))
            divergence += q * (math.log(q) - math.log(prior))
        cell = {"T": length, "K": k, "alpha": alpha}
        yield lab.close(cell, bound.bound, elbo, SLACK, "bound")
        yield lab.close(cell, bound.gap, gap, SLACK, "KL from the posterior")
        yield lab.close(cell, bound.reward, reward, SLACK, "mean log-emission")
        yield lab.close(cell, bound.divergence, divergence, SLACK, "KL from the prior, summed over steps")


def _gap_identity(lab: Lab) -> Iterator[Cell]:
    """bound + gap = ln p(a), ln p(a) by products of transition matrices."""
    rng = generator(32)
    for length, k, alpha in ((40, 5, 0.7), (200, 3, 0.95), (7, 8, 0.0)):
        ell = rng.normal(-2.0, 1.0, (length, k))
        initial, moves = random_chain(rng, length, k)
        bound = lab.theory.mid_training.evidence_bound(ell, alpha, initial, moves)
        prior = np.full((k, k), (1 - alpha) / k) + alpha * np.eye(k)
        forward, total = np.full(k, 1 / k), 0.0
        for row in ell:
            forward = forward * np.exp(row)
            total += math.log(forward.sum())
            forward = forward / forward.sum() @ prior
        yield lab.close({"T": length, "K": k, "alpha": alpha}, bound.bound + bound.gap, total, 1e-9, "bound + gap")
        yield lab.at_most({"T": length, "K": k, "alpha": alpha}, bound.bound, total, "bound below the evidence")


def _swapped(ell: Any, alpha: float, initial: Any, moves: Any) -> Any:
    """Mutant: KL(posterior || q)."""
    from scipy.special import rel_entr

    t = shipped()
    true = t.evidence_bound(ell, alpha, initial, moves)
    best_initial, best_moves = t.posterior_transitions(ell, alpha)
    gap, marginal = float(rel_entr(best_initial, initial).sum()), best_initial
    for step in range(len(best_moves)):
        gap += float(marginal @ rel_entr(best_moves[step], moves[step]).sum(axis=1))
        marginal = marginal @ best_moves[step]
    return true._replace(gap=gap)


GAP = Claim(
    id="mid_training.elbo_gap",
    statement=(
        "For every law q of the latents ln p(text) is the temporal bound plus KL(q || posterior); for a Markov q the "
        "divergence from the prior is a sum over steps."
    ),
    latex=r"\ln p(a_{1:T}) - \mathrm{ELBO}(q) = \mathrm{KL}\bigl(q(z)\,\|\,p(z\mid a)\bigr)",
    origin="paper",
    source=f"{PAPER}, temporal evidence lower bound; the gap derived in theory.mid_training.latents",
    kind="exact",
    domain=Domain({"alpha": ALPHA, "K": N_LATENTS, "T": LENGTH}),
    evidence=(
        Exact("enumeration", "all K^T paths, random Markov laws", _gap_by_paths, scope="cells", cost=0.2),
        Exact("identity", "matrix products on long texts", _gap_identity, scope="cells"),
    ),
    mutants=(
        Mutant(
            "the gap is KL(posterior || q)",
            "the arguments of the divergence are swapped",
            theory=replaced(evidence_bound=_swapped),
        ),
        Mutant(
            "the bound leaves out the divergence",
            "a reward alone is no lower bound",
            theory=replaced(
                evidence_bound=lambda *a: (lambda b: b._replace(bound=b.reward))(shipped().evidence_bound(*a))
            ),
        ),
    ),
)


def _values_by_paths(lab: Lab) -> Iterator[Cell]:
    t = lab.theory.mid_training
    for index, (ell, alpha) in enumerate(random_emissions()):
        length, k = ell.shape
        joint, evidence = enumerated_evidence(index)
        cell = {"T": length, "K": k, "alpha": alpha}
        yield lab.close(cell, t.sticky_log_likelihood(ell, alpha), evidence, SLACK, "ln p(text)")
        q = t.soft_values(ell, alpha)
        initial, moves = t.posterior_transitions(ell, alpha)
        worst = max(abs(chain_law(p, initial, moves) - w / math.exp(evidence)) for p, w in joint.items())
        yield lab.close(cell, worst, 0.0, SLACK, "path probabilities against the posterior")
        if length > 1:
            # exp(Q_2(z) - ell_2(z)) = p(a_3.. | z_2 = z), by paths that start in z
            for z in range(k):
                rest = math.fsum(
                    path_prior((z, *path), alpha, k)
                    * k
                    * math.exp(math.fsum(ell[i + 2, y] for i, y in enumerate(path)))
                    for path in itertools.product(range(k), repeat=length - 2)
                )
                yield lab.close({**cell, "z": z}, float(q[1, z] - ell[1, z]), math.log(rest), SLACK, "backward message")


def _values_zero_gap(lab: Lab) -> Iterator[Cell]:
    """At the soft values' own law the gap vanishes, on long texts; a perturbed law has a larger one."""
    t = lab.theory.mid_training
    rng = generator(33)
    for length, k, alpha in ((50, 4, 0.7), (200, 3, 0.95)):
        ell = rng.normal(-2.0, 1.5, (length, k))
        initial, moves = t.posterior_transitions(ell, alpha)
        best = t.evidence_bound(ell, alpha, initial, moves)
        other = t.evidence_bound(ell, alpha, initial, 0.9 * moves + 0.1 / k)
        cell = {"T": length, "K": k, "alpha": alpha}
        yield lab.close(cell, best.bound, t.sticky_log_likelihood(ell, alpha), 1e-9, "bound = evidence")
        yield lab.true(cell, other.bound < best.bound - 1e-3, "a mixed law does worse")


def _kernel_likelihood(lab: Lab) -> Iterator[Cell]:
    """The simulator's scaled forward pass on text, against the soft values of its log-emissions."""
    rng = generator(34)
    for k, size, alpha in ((3, 5, 0.6), (4, 13, 0.9)):
        emission = rng.dirichlet(np.ones(size), size=(k, size))
        tokens = rng.integers(0, size, (4, 40))
        found = lab.sims.mid_training.sticky_log_likelihoods(tokens, emission, alpha)
        for line, total in zip(tokens, found, strict=True):
            ell = log_emissions(line, emission)
            own = lab.theory.mid_training.sticky_log_likelihood(ell, alpha)
            yield lab.close({"K": k, "A": size, "alpha": alpha}, float(total), own, 1e-9, "log-likelihood of a line")


def _hard_values(ell: Any, alpha: float) -> Any:
    """Mutant: the maximum in place of the logarithm of the mean."""
    ell = np.asarray(ell)
    q, following, k = np.empty_like(ell), np.zeros(ell.shape[1]), ell.shape[1]
    for t in range(len(ell) - 1, -1, -1):
        q[t] = ell[t] + following
        following = np.log(alpha * np.exp(q[t]) + (1 - alpha) / k * np.exp(q[t].max()))
    return q


SOFT = Claim(
    id="mid_training.soft_value_iteration",
    statement=(
        "The entropy-regularised E-step is soft value iteration, and that is the backward recursion: its values are "
        "logarithms of backward messages, its law is the smoothing posterior, its first value the evidence."
    ),
    latex=r"V_t(z') = \ln\Bigl(\alpha e^{Q_t(z')} + \tfrac{1-\alpha}{K}\sum_z e^{Q_t(z)}\Bigr), \qquad e^{V_{t+1}(z)} "
    r"= p(a_{t+1:T}\mid z_t=z)",
    origin="paper",
    source=f"{PAPER}, E-step as reinforcement learning; the recursion derived in theory.mid_training.latents",
    kind="exact",
    domain=Domain({"alpha": Real(0, 1, symbol=r"\alpha"), "K": N_LATENTS, "T": LENGTH}),
    evidence=(
        Exact("enumeration", "all K^T paths: evidence, messages, posterior", _values_by_paths, scope="cells", cost=0.3),
        Exact("identity", "zero gap at the posterior on long texts", _values_zero_gap, scope="cells"),
        Exact("enumeration", "the simulator's forward pass", _kernel_likelihood, scope="cells"),
    ),
    mutants=(
        Mutant(
            "a hard maximum over latents",
            "the recursion sums over paths",
            theory=replaced(
                soft_values=_hard_values,
                sticky_log_likelihood=lambda ell, a: float(np.log(np.exp(_hard_values(ell, a)[0]).mean())),
            ),
        ),
        Mutant(
            "the posterior ignores later tokens",
            "smoothing is not filtering",
            theory=replaced(
                posterior_transitions=lambda ell, a: (
                    np.full(np.shape(ell)[1], 1 / np.shape(ell)[1]),
                    np.broadcast_to(
                        np.full((np.shape(ell)[1],) * 2, (1 - a) / np.shape(ell)[1]) + a * np.eye(np.shape(ell)[1]),
                        (max(np.shape(ell)[0] - 1, 0), np.shape(ell)[1], np.shape(ell)[1]),
                    ).copy(),
                )
            ),
        ),
    ),
)


CLAIMS = (GAP, SOFT)
