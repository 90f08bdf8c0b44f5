"""Claims about text of macros of one length: sticky latents do not fit it, explicit durations do."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from proofs_check.claims import Claim, Exact, Mutant
from proofs_check.domains import Domain, Integer, Real
from proofs_check.mid_training._common import replaced, shipped
from proofs_check.mid_training.miniature import KNOWN
from proofs_check.verdicts import Cell

if TYPE_CHECKING:
    from proofs_check.lab import Lab

__all__ = ["CLAIMS"]


def _macro_world(lab: Lab, seed: int) -> dict[str, Any]:
    """Eight tokens, six macros of four, eta = .02: sticky, order-3 and multigram fits of 200 texts."""
    key = ("macros", seed)
    if key not in KNOWN:
        mid = lab.sims.mid_training
        macros = mid.draw_macros(8, 6, 4, seed)["macro"].values[0]
        text = mid.macro_demonstrations(macros, [1 / 6] * 6, 8, 0.02, 6, 200, [seed, seed + 1000])
        train, test = text["token"].values
        sticky = mid.fit_sticky_latents(train, 8, 6, n_restarts=3, swap_passes=0)
        emission, alpha = sticky["emission"].values[0], float(sticky["alpha"][0])
        chunk = mid.fit_multigram(train, 8, 4, least_count=3.0)["chunk_probability"].values
        true = np.repeat(text["macro"].values[1], 4, axis=1)
        paths = mid.best_paths(test, emission, alpha)["latent"].values
        KNOWN[key] = {
            "macros": macros,
            "chunk": chunk,
            "sticky": -float(mid.sticky_log_likelihoods(test, emission, alpha).sum()) / (test.size - len(test)),
            "order3": float(mid.ngram_nll(train, test, 8, 3).attrs["best_nll"]),
            "multigram": -float(mid.multigram_log_likelihoods(test, 8, chunk).sum()) / test.size,
            "ami_sticky": mid.adjusted_mutual_information(true[:, 1:], paths),
            "ami_multigram": mid.adjusted_mutual_information(true, mid.multigram_segments(test, 8, chunk)),
        }
    return dict(KNOWN[key])


def _fixed_divergence(lab: Lab, rho: float, tau: int, k: int) -> float:
    """Divergence per macro of the true switches (none inside, rate (K-1)/K between) from a sticky prior of rate rho."""
    kl = lab.theory.mid_training.bernoulli_divergence
    return float((tau - 1) * kl(0.0, rho) + kl((k - 1) / k, rho))


def _sticky_witness(lab: Lab) -> Iterator[Cell]:
    """No stickiness gives the law of macros of four tokens: the divergence is positive even at the mean rate."""
    best = (5 / 6) / 4
    for rho in (best, 0.05, 0.5, 0.8):
        yield lab.at_most({"tau": 4, "K": 6, "rho": rho}, _fixed_divergence(lab, rho, 4, 6), 0.0, "nats per macro")


def _sticky_worlds(lab: Lab) -> Iterator[Cell]:
    for seed in range(6 if lab.profile == "full" else 2):
        found = _macro_world(lab, seed)
        detail = f"sticky {found['sticky']:.3f}, order 3 {found['order3']:.3f}, AMI {found['ami_sticky']:.2f}"
        yield lab.at_most({"world": seed}, found["sticky"], found["order3"], detail)


STICKY_FALSE = Claim(
    id="mid_training.sticky_fits_macros",
    statement="Sticky latents are well specified for text of fixed-length macros: they predict at least as well as "
    "order-3 next-token prediction.",
    latex=r"\exists\,\rho:\ (\tau-1)\,\mathrm{kl}(0\,\|\,\rho) + \mathrm{kl}\bigl(\tfrac{K-1}{K}\,\|\,\rho\bigr) = 0",
    origin="derived",
    source="geometric durations taken for fixed ones",
    kind="empirical",
    domain=Domain({"rho": Real(0, 1, open_low=True, open_high=True)}),
    evidence=(
        Exact(
            "identity",
            "divergence of fixed durations from sticky priors, positive at its least",
            _sticky_witness,
            scope="cells",
        ),
        Exact("enumeration", "fitted worlds: sticky loss against order 3", _sticky_worlds, scope="cells", cost=0.6),
    ),
    mutants=(
        Mutant(
            "up to half of the divergence",
            "half of a positive number is positive",
            theory=replaced(bernoulli_divergence=lambda p, q: shipped().bernoulli_divergence(p, q) / 2),
        ),
        Mutant(
            "up to a quadratic measure of the divergence",
            "rates that differ have a positive distance",
            theory=replaced(bernoulli_divergence=lambda p, q: 2 * (p - q) ** 2),
        ),
    ),
    expected="fails",
    repaired_by="mid_training.explicit_durations",
)


def _explicit_worlds(lab: Lab) -> Iterator[Cell]:
    """The six likeliest chunks are the macros; multigrams predict better and label better than sticky latents."""
    for seed in range(6 if lab.profile == "full" else 2):
        found = _macro_world(lab, seed)
        codes = lab.theory.mid_training.macro_codes(found["macros"], 8) + 8 + 64 + 512
        top = set(np.argsort(found["chunk"])[-6:].tolist())
        yield lab.true({"world": seed}, top == set(codes.tolist()), "the six likeliest chunks")
        yield lab.at_most(
            {"world": seed}, found["multigram"], found["sticky"], "loss of the multigram against sticky latents"
        )
        yield lab.at_most({"world": seed}, found["ami_sticky"] + 0.1, found["ami_multigram"], "AMI of the labels")


def _least_rate(lab: Lab) -> Iterator[Cell]:
    """The best sticky rate for macros of tau tokens is their mean rate (K-1)/(K tau); its cost grows with tau."""
    costs = []
    for tau in (1, 2, 4, 8):
        best = (5 / 6) / tau
        least = _fixed_divergence(lab, best, tau, 6)
        around = min(_fixed_divergence(lab, best * f, tau, 6) for f in (0.9, 0.98, 1.02, 1.1))
        yield lab.true({"tau": tau, "K": 6}, least < around, f"{least:.4f} nats per macro at rate {best:.4f}")
        costs.append(least)
    yield lab.close({"tau": 1, "K": 6}, costs[0], 0.0, 1e-12, "only length one is well specified")
    yield lab.true({"tau": "1, 2, 4, 8"}, sorted(costs) == costs, "misfit grows with the length")


EXPLICIT = Claim(
    id="mid_training.explicit_durations",
    statement=(
        "For text of fixed-length macros a model with explicit chunks (a multigram) finds exactly the macros and "
        "predicts and labels better than sticky latents, whose misfit is least at the mean rate of switches and grows "
        "with the length."
    ),
    latex=r"\arg\min_\rho\,\bigl[(\tau-1)\,\mathrm{kl}(0\,\|\,\rho)+\mathrm{kl}(\tfrac{K-1}{K}\,\|\,\rho)\bigr] = "
    r"\frac{K-1}{K\tau}",
    origin="derived",
    source="miniature; rule: in every world",
    kind="empirical",
    domain=Domain({"tau": Integer(1)}),
    evidence=(
        Exact("enumeration", "every world: chunks, losses and labels", _explicit_worlds, scope="cells", cost=0.6),
        Exact("identity", "least divergence of a sticky prior from fixed durations", _least_rate, scope="cells"),
    ),
    mutants=(
        Mutant(
            "macros are read backwards",
            "strings are not palindromes",
            theory=replaced(macro_codes=lambda macros, a: shipped().macro_codes(np.asarray(macros)[:, ::-1], a)),
        ),
        Mutant(
            "the divergence with swapped arguments",
            "kl(rho || 0) is infinite, kl(rho || p) is least elsewhere",
            theory=replaced(
                bernoulli_divergence=lambda p, q: shipped().bernoulli_divergence(q, min(max(p, 1e-9), 1 - 1e-9))
            ),
        ),
    ),
)


CLAIMS = (STICKY_FALSE, EXPLICIT)
