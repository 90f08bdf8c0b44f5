"""Claims about the number of switches: its law under the posterior, and best paths at a price a switch."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

from proofs_check.claims import Claim, Exact, Mutant
from proofs_check.domains import Domain
from proofs_check.mid_training._common import generator, replaced, shipped
from proofs_check.mid_training._latent_paths import PENALTY, SLACK, log_emissions, number_of_switches, random_emissions
from proofs_check.verdicts import Cell

if TYPE_CHECKING:
    from proofs_check.lab import Lab

__all__ = ["CLAIMS"]


def _moments_by_paths(lab: Lab) -> Iterator[Cell]:
    t = lab.theory.mid_training
    for index, (ell, _) in enumerate(random_emissions()[::3]):
        paths = {
            path: math.fsum(ell[i, z] for i, z in enumerate(path))
            for path in itertools.product(range(ell.shape[1]), repeat=len(ell))
        }
        for c in (0.0, 0.7, 3.0):
            weights = {path: math.exp(score - c * number_of_switches(path)) for path, score in paths.items()}
            total = math.fsum(weights.values())
            mean = math.fsum(w * number_of_switches(p) for p, w in weights.items()) / total
            square = math.fsum(w * number_of_switches(p) ** 2 for p, w in weights.items()) / total
            found = t.switch_moments(ell, c)
            cell = {"table": index, "c": c}
            for value, literal, says in zip(
                found, (math.log(total), mean, square - mean**2), ("ln Z", "mean", "variance"), strict=True
            ):
                yield lab.close(cell, value, literal, SLACK, says)


def _moments_shape(lab: Lab) -> Iterator[Cell]:
    """Derivatives of ln Z by central differences; the mean falls with c; c E sw <= ln Z(0) - ln Z(c)."""
    t = lab.theory.mid_training
    rng = generator(44)
    for world in range(3):
        ell = rng.normal(-1.0, 1.5, (40, 4))
        means = []
        for c in (0.0, 0.5, 1.0, 2.0, 4.0, 8.0):
            z, mean, variance = t.switch_moments(ell, c)
            means.append(mean)
            yield lab.at_most({"world": world, "c": c}, c * mean, t.log_partition(ell, 0.0) - z + 1e-9, "price paid")
            if c > 0:
                h = 1e-3
                up, down = t.log_partition(ell, c + h), t.log_partition(ell, c - h)
                # errors h^2/6 and h^2/12 times cumulants of at most 39 switches, bounded by 39^3 and 39^4
                yield lab.close({"world": world, "c": c}, -(up - down) / (2 * h), mean, 0.02, "slope")
                yield lab.close({"world": world, "c": c}, (up - 2 * z + down) / h**2, variance, 0.3, "curvature")
        yield lab.true(
            {"world": world},
            all(a >= b for a, b in itertools.pairwise(means)),
            f"mean switches {means[0]:.2f} to {means[-1]:.3f}",
        )
    flat = np.zeros((9, 4))
    for c in (0.0, 1.0, 5.0):
        yield lab.close(
            {"flat": True, "c": c}, t.switch_moments(flat, c)[1], t.flat_switches(c, 4, 9), 1e-12, "flat text"
        )


MOMENTS = Claim(
    id="mid_training.expected_switches",
    statement=(
        "The posterior mean number of switches is minus the slope of ln Z(c), its variance the curvature: at fixed "
        "emissions it falls with the price on every single text, and c E[sw] <= ln Z(0) - ln Z(c)."
    ),
    latex=r"\frac{d}{dc}\ln Z(c) = -\mathbb{E}_c[\mathrm{sw}], \quad \frac{d^2}{dc^2}\ln Z(c) = "
    r"\mathrm{Var}_c(\mathrm{sw}) \ge 0",
    origin="derived",
    source="theory.mid_training.latents: exponential family in the number of switches",
    kind="exact",
    domain=Domain({"c": PENALTY}),
    evidence=(
        Exact("enumeration", "all K^T paths: ln Z, mean, variance", _moments_by_paths, scope="cells", cost=0.2),
        Exact(
            "identity",
            "differences of ln Z, order in c, price paid, flat text",
            _moments_shape,
            scope="cells",
            cost=0.2,
        ),
    ),
    mutants=(
        Mutant(
            "the mean is the flat one whatever the text",
            "likelihoods move it",
            theory=replaced(
                switch_moments=lambda ell, c: (
                    shipped().log_partition(ell, c),
                    shipped().flat_switches(c, np.shape(ell)[1], len(ell)),
                    shipped().switch_moments(ell, c)[2],
                )
            ),
        ),
        Mutant(
            "the variance is that of a Poisson number",
            "switches are dependent and bounded",
            theory=replaced(
                switch_moments=lambda ell, c: (lambda m: (m[0], m[1], 1 + m[1]))(shipped().switch_moments(ell, c))
            ),
        ),
    ),
)


def _hard_by_paths(lab: Lab) -> Iterator[Cell]:
    t = lab.theory.mid_training
    for index, (ell, _) in enumerate(random_emissions()[::2]):
        scores = t.best_scores_by_switches(ell)
        best = [-math.inf] * len(ell)
        for path in itertools.product(range(ell.shape[1]), repeat=len(ell)):
            best[number_of_switches(path)] = max(
                best[number_of_switches(path)], math.fsum(ell[i, z] for i, z in enumerate(path))
            )
        worst = max(abs(a - b) for a, b in zip(scores, best, strict=True) if math.isfinite(b))
        yield lab.close({"table": index}, worst, 0.0, SLACK, "best score with j switches")
        star = t.constant_path_penalty(ell)
        literal = max([0.0, *((b - best[0]) / j for j, b in enumerate(best) if j)])
        yield lab.close({"table": index}, star, literal, SLACK, "price above which no switch pays")


def _segments(path: np.ndarray) -> list[tuple[int, int, int]]:
    cuts = [0, *(np.flatnonzero(np.diff(path)) + 1).tolist(), len(path)]
    return [(a, b, int(path[a])) for a, b in itertools.pairwise(cuts)]


def _threshold_cells(lab: Lab) -> Iterator[Cell]:
    """In Viterbi paths each segment beats its predecessor's latent by c, by 2c if the next one returns to it."""
    rng = generator(45)
    t = lab.theory.mid_training
    for world in range(6):
        emission = rng.dirichlet(np.full(6, 0.5), size=(4, 6)) + 1e-6
        emission /= emission.sum(axis=2, keepdims=True)
        tokens = rng.integers(0, 6, (20, 40))
        for c in (0.3, 1.5):
            found = lab.sims.mid_training.best_paths(tokens, emission, switch_penalty=c)
            slack, gap, most = math.inf, 0.0, 0.0
            for line, path, score in zip(tokens, found["latent"].values, found["score"].values, strict=True):
                ell = log_emissions(line, emission)
                parts = _segments(path)
                for i in range(1, len(parts)):
                    a, b, z = parts[i]
                    before = parts[i - 1][2]
                    needed = 2 * c if i + 1 < len(parts) and parts[i + 1][2] == before else c
                    slack = min(slack, float((ell[a:b, z] - ell[a:b, before]).sum()) - needed)
                scores = t.best_scores_by_switches(ell)
                gap = max(gap, abs(float(score) - float(max(s - c * j for j, s in enumerate(scores)))))
                most = max(most, c * (len(parts) - 1) - float(scores.max() - scores[0]))
            yield lab.at_most({"world": world, "c": c}, -slack, 1e-9, "gain of a segment minus what it costs")
            yield lab.close({"world": world, "c": c}, gap, 0.0, 1e-9, "score = max_j best_j - c j")
            yield lab.at_most({"world": world, "c": c}, most, 1e-9, "c sw <= max L - L_const")


HARD = Claim(
    id="mid_training.hard_switches",
    statement=(
        "The best path at price c maximises best_j - c j over its number of switches; no switch pays from c* = max_j "
        "(best_j - best_0)/j on, and in a best path each segment beats its predecessor's latent by c on its own tokens "
        "(by 2c if the next segment returns to it): think only if it pays."
    ),
    latex=r"G(c) = \max_z L(z) - c\,\mathrm{sw}(z) = \max_j\,(L_j - cj), \qquad c^* = \max_{j\ge1}\frac{L_j-L_0}{j}",
    origin="derived",
    source="theory.mid_training.latents",
    kind="exact",
    domain=Domain({"c": PENALTY}),
    evidence=(
        Exact("enumeration", "all K^T paths by number of switches", _hard_by_paths, scope="cells", cost=0.2),
        Exact("enumeration", "segments of the simulator's Viterbi paths", _threshold_cells, scope="cells", cost=0.5),
    ),
    mutants=(
        Mutant(
            "the best path with j switches gains at every step",
            "with exactly j switches the score may fall",
            theory=replaced(
                best_scores_by_switches=lambda ell: np.maximum.accumulate(shipped().best_scores_by_switches(ell)) + 0.1
            ),
        ),
        Mutant(
            "c* is the largest gain, not divided by the number of switches",
            "each switch costs c",
            theory=replaced(
                constant_path_penalty=lambda ell: float(
                    np.max(shipped().best_scores_by_switches(ell)) - np.asarray(ell).sum(axis=0).max()
                )
            ),
        ),
        Mutant(
            "best scores leave the number of switches out",
            "one cannot follow the best latent at every step with fewer switches",
            theory=replaced(best_scores_by_switches=lambda ell: np.full(len(ell), np.asarray(ell).max(axis=1).sum())),
        ),
    ),
)


CLAIMS = (MOMENTS, HARD)
