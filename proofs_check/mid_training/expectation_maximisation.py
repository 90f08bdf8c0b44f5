"""Claims about expectation-maximisation with sticky latents: expected counts, the update, and that it climbs."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

from proofs_check.claims import Claim, Exact, Mutant
from proofs_check.domains import Domain
from proofs_check.mid_training._common import ALPHA, PAPER, generator, replaced, shipped
from proofs_check.mid_training._latent_paths import joint_law, log_emissions, number_of_switches, random_chain
from proofs_check.verdicts import Cell

if TYPE_CHECKING:
    from proofs_check.lab import Lab

__all__ = ["CLAIMS"]


def _em_literal(tokens: np.ndarray, emission: np.ndarray, alpha: float) -> tuple[np.ndarray, float, float]:
    """Expected counts, expected switches and ln p by enumeration of all paths of every line."""
    counts, switches, total = np.zeros_like(emission), 0.0, 0.0
    for line in tokens:
        joint = joint_law(log_emissions(line, emission), alpha)
        evidence = math.fsum(joint.values())
        total += math.log(evidence)
        for path, weight in joint.items():
            switches += weight / evidence * number_of_switches(path)
            for t, z in enumerate(path):
                counts[z, line[t], line[t + 1]] += weight / evidence
    return counts, switches, total


def _em_identity(lab: Lab) -> Iterator[Cell]:
    """ln p_new - ln p_old = [Q(new) - Q(old)] + KL(posterior_old || posterior_new) over all paths, both parts >= 0."""
    t = lab.theory.mid_training
    rng = generator(35)
    for world in range(4):
        k, size = 2, 3
        tokens = rng.integers(0, size, (3, 6))
        emission, alpha = rng.dirichlet(np.ones(size), size=(k, size)), 0.4
        counts, switches, _ = _em_literal(tokens, emission, alpha)
        fresh = (counts + 1e-9) / (counts + 1e-9).sum(axis=2, keepdims=True)
        rate = switches / (len(tokens) * 4)
        learned = min(max(1 - rate * k / (k - 1), 0.0), 0.999)
        before = sum(t.sticky_log_likelihood(log_emissions(line, emission), alpha) for line in tokens)
        after = sum(t.sticky_log_likelihood(log_emissions(line, fresh), learned) for line in tokens)
        gain, divergence = 0.0, 0.0
        for line in tokens:
            old, new = joint_law(log_emissions(line, emission), alpha), joint_law(log_emissions(line, fresh), learned)
            z_old, z_new = math.fsum(old.values()), math.fsum(new.values())
            for path, weight in old.items():
                p = weight / z_old
                gain += p * (math.log(new[path]) - math.log(weight))
                divergence += p * (math.log(p) - math.log(new[path] / z_new))
        yield lab.close({"world": world}, after - before, gain + divergence, 1e-9, "identity")
        yield lab.true(
            {"world": world}, gain >= -1e-9 and divergence >= -1e-12, f"Q gain {gain:.4f}, divergence {divergence:.4f}"
        )


def _em_kernel(lab: Lab) -> Iterator[Cell]:
    """The simulator's E-step against enumeration."""
    rng = generator(36)
    for world in range(3):
        k, size = 3, 4
        tokens = rng.integers(0, size, (3, 5))
        emission, alpha = rng.dirichlet(np.ones(size), size=(k, size)), (0.0, 0.5, 0.9)[world]
        counts, switches, total = _em_literal(tokens, emission, alpha)
        step = lab.sims.mid_training.expectation_step(tokens, emission, alpha)
        yield lab.close(
            {"world": world}, float(np.abs(step["count"].values - counts).max()), 0.0, 1e-11, "expected counts"
        )
        yield lab.close({"world": world}, float(step["switches"]), switches, 1e-11, "expected switches")
        moment = sum(
            lab.theory.mid_training.switch_moments(
                log_emissions(line, emission), lab.theory.mid_training.switch_penalty(alpha, k)
            )[1]
            for line in tokens
        )
        yield lab.close({"world": world}, float(moment), switches, 1e-10, "switches by moments")
        yield lab.close({"world": world}, float(step["log_likelihood"].sum()), total, 1e-11, "ln p")


def _em_rises(lab: Lab) -> Iterator[Cell]:
    """The objective over the iterations of whole fits."""
    t = lab.theory.mid_training
    rng = generator(37)
    for world, method in enumerate(("soft", "hard", "soft")):
        tokens = rng.integers(0, 5, (12, 30))
        fit = lab.sims.mid_training.fit_sticky_latents(
            tokens, 5, 3, seeds=world, method=method, n_restarts=2, swap_passes=1, n_iterations=40
        )
        trace = fit["objective"].values[0]
        # rounding of a sum of 350 logarithms
        yield lab.true({"fit": world, "method": method}, bool((np.diff(trace) >= -1e-9).all()), "objective never falls")
        own = sum(
            t.sticky_log_likelihood(log_emissions(line, fit["emission"].values[0]), float(fit["alpha"][0]))
            for line in tokens
        )
        yield lab.close(
            {"fit": world, "method": method}, float(fit["log_likelihood"][0]), float(own), 1e-7, "likelihood of the fit"
        )


def _approximate_step(lab: Lab) -> Iterator[Cell]:
    """With q of gap g in place of the posterior the evidence falls by at most g."""
    t = lab.theory.mid_training
    rng = generator(38)
    for world in range(6):
        k, size = 2, 2
        line = rng.integers(0, size, 6)
        emission, alpha = rng.dirichlet(np.ones(size), size=(k, size)), 0.5
        ell = log_emissions(line, emission)
        initial, moves = random_chain(rng, 5, k)
        gap = t.evidence_bound(ell, alpha, initial, moves).gap
        counts = np.full((k, size, size), 1e-9)
        marginal = initial
        for step in range(5):
            counts[:, line[step], line[step + 1]] += marginal
            if step < 4:
                marginal = marginal @ moves[step]
        fresh = counts / counts.sum(axis=2, keepdims=True)
        drop = t.sticky_log_likelihood(ell, alpha) - t.sticky_log_likelihood(log_emissions(line, fresh), alpha)
        yield lab.at_most({"world": world}, float(drop), float(gap) + 1e-7, "drop of the evidence against the gap")


EM = Claim(
    id="mid_training.em_ascent",
    statement=(
        "An EM step with the exact E-step raises ln p by the gain of its objective plus KL(old posterior || new), both "
        "non-negative; with an E-step of gap g and an exact M-step ln p falls by at most g."
    ),
    latex=r"\ln p_{new}-\ln p_{old} = [Q(new)-Q(old)] + \mathrm{KL}(p_{old}(z\mid a)\,\|\,p_{new}(z\mid a)) \ge 0",
    origin="paper",
    source=f"{PAPER}, alternation of E- and M-step; Dempster, Laird and Rubin 1977",
    kind="property",
    domain=Domain({"alpha": ALPHA}),
    evidence=(
        Exact("identity", "the ascent identity over all paths", _em_identity, scope="cells", cost=0.2),
        Exact("enumeration", "expected counts and switches of the simulator", _em_kernel, scope="cells", cost=0.2),
        Exact("enumeration", "objective along whole fits, soft and hard", _em_rises, scope="cells", cost=0.4),
        Exact("enumeration", "approximate E-steps: drop against gap", _approximate_step, scope="cells"),
    ),
    mutants=(
        Mutant(
            "the likelihood is that of the best path",
            "latents are summed out",
            theory=replaced(
                sticky_log_likelihood=lambda ell, a: (
                    max(map(math.log, joint_law(np.asarray(ell), a).values()))
                    if np.size(ell) < 20
                    else float(np.max(ell, axis=1).sum())
                )
            ),
        ),
        Mutant(
            "expected switches are the prior's",
            "the text tells where to switch",
            theory=replaced(
                switch_moments=lambda ell, c: (0.0, shipped().flat_switches(c, np.shape(ell)[1], len(ell)), 0.0)
            ),
        ),
        Mutant(
            "no gap at all: any q raises the evidence",
            "a random q replaces good emissions by bad ones",
            theory=replaced(evidence_bound=lambda *a: (lambda b: b._replace(gap=-1.0))(shipped().evidence_bound(*a))),
        ),
    ),
)


CLAIMS = (EM,)
