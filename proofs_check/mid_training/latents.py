"""Claims about sticky latents: the temporal bound, soft value iteration, the one knob, switches, causal latents."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from fractions import Fraction
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np
import sympy as sp

from proofs_check.certificates import is_zero
from proofs_check.claims import Claim, Exact, Mutant, Simulation
from proofs_check.domains import Domain, Integer, Real
from proofs_check.mid_training._common import ALPHA, N_LATENTS, PAPER, generator, replaced, shipped
from proofs_check.samples import Means
from proofs_check.verdicts import Cell

if TYPE_CHECKING:
    from proofs_check.lab import Lab

__all__ = ["CLAIMS"]

PENALTY = Real(0, 30, meaning="price per switch c, nats", symbol="c")
LENGTH = Integer(1, meaning="length of the text T", symbol="T", largest_drawn=200)
A, K, SW, T = (
    sp.Symbol("alpha", positive=True),
    sp.Symbol("K", positive=True, integer=True),
    sp.Symbol("s", positive=True, integer=True),
    sp.Symbol("T", positive=True, integer=True),
)
# Sums of at most 3^6 products of at most 12 factors, logarithms of size 20: rounding stays below this.
SLACK = 1e-11


@lru_cache(maxsize=1)
def _tables() -> list[tuple[np.ndarray, float]]:
    """Random log-emissions with a stickiness each."""
    rng = generator(30)
    sizes = ((6, 3), (5, 2), (1, 3), (4, 4), (5, 3))
    return [
        (rng.normal(-1.5, 1.2, size), alpha) for size, alpha in itertools.product(sizes[:4], (0.0, 0.3, 0.8, 0.99))
    ] + [(rng.normal(-1.0, 3.0, sizes[4]), 0.6)]


def _prior(path: tuple[int, ...], alpha: float, k: int) -> float:
    """Prior probability of a path, step by step."""
    probability = 1 / k
    for before, after in itertools.pairwise(path):
        probability *= alpha * (before == after) + (1 - alpha) / k
    return probability


def _joint(ell: np.ndarray, alpha: float) -> dict[tuple[int, ...], float]:
    """p(path, text) of all K^T paths."""
    length, k = ell.shape
    return {
        path: _prior(path, alpha, k) * math.exp(math.fsum(ell[t, z] for t, z in enumerate(path)))
        for path in itertools.product(range(k), repeat=length)
    }


@lru_cache(maxsize=64)
def _enumerated(index: int) -> tuple[dict[tuple[int, ...], float], float]:
    ell, alpha = _tables()[index]
    joint = _joint(ell, alpha)
    return joint, math.log(math.fsum(joint.values()))


def _random_chain(rng: np.random.Generator, length: int, k: int) -> tuple[np.ndarray, np.ndarray]:
    return rng.dirichlet(np.ones(k)), rng.dirichlet(np.ones(k), size=(length - 1, k)).reshape(length - 1, k, k)


def _chain_law(path: tuple[int, ...], initial: np.ndarray, moves: np.ndarray) -> float:
    probability = float(initial[path[0]])
    for t, (before, after) in enumerate(itertools.pairwise(path)):
        probability *= float(moves[t, before, after])
    return probability


def _switches(path: tuple[int, ...]) -> int:
    return sum(a != b for a, b in itertools.pairwise(path))


# ---------------------------------------------------------------- the bound


def _gap_by_paths(lab: Lab) -> Iterator[Cell]:
    rng = generator(31)
    for index, (ell, alpha) in enumerate(_tables()):
        length, k = ell.shape
        joint, evidence = _enumerated(index)
        initial, moves = _random_chain(rng, length, k)
        bound = lab.theory.mid_training.evidence_bound(ell, alpha, initial, moves)
        elbo, gap, reward, divergence = 0.0, 0.0, 0.0, 0.0
        for path, weight in joint.items():
            q = _chain_law(path, initial, moves)
            if q == 0.0:
                continue
            prior = _prior(path, alpha, k)
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
        initial, moves = _random_chain(rng, length, k)
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
    for index, (ell, alpha) in enumerate(_tables()):
        length, k = ell.shape
        joint, evidence = _enumerated(index)
        cell = {"T": length, "K": k, "alpha": alpha}
        yield lab.close(cell, t.sticky_log_likelihood(ell, alpha), evidence, SLACK, "ln p(text)")
        q = t.soft_values(ell, alpha)
        initial, moves = t.posterior_transitions(ell, alpha)
        worst = max(abs(_chain_law(p, initial, moves) - w / math.exp(evidence)) for p, w in joint.items())
        yield lab.close(cell, worst, 0.0, SLACK, "path probabilities against the posterior")
        if length > 1:
            # exp(Q_2(z) - ell_2(z)) = p(a_3.. | z_2 = z), by paths that start in z
            for z in range(k):
                rest = math.fsum(
                    _prior((z, *path), alpha, k) * k * math.exp(math.fsum(ell[i + 2, y] for i, y in enumerate(path)))
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
            ell = np.log(emission[:, line[:-1], line[1:]].T)
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


# ---------------------------------------------------------------- expectation-maximisation


def _emission_of(tokens: np.ndarray, emission: np.ndarray) -> np.ndarray:
    return np.asarray(np.log(emission[:, tokens[:-1], tokens[1:]].T))


def _em_literal(tokens: np.ndarray, emission: np.ndarray, alpha: float) -> tuple[np.ndarray, float, float]:
    """Expected counts, expected switches and ln p by enumeration of all paths of every line."""
    counts, switches, total = np.zeros_like(emission), 0.0, 0.0
    for line in tokens:
        joint = _joint(_emission_of(line, emission), alpha)
        evidence = math.fsum(joint.values())
        total += math.log(evidence)
        for path, weight in joint.items():
            switches += weight / evidence * _switches(path)
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
        before = sum(t.sticky_log_likelihood(_emission_of(line, emission), alpha) for line in tokens)
        after = sum(t.sticky_log_likelihood(_emission_of(line, fresh), learned) for line in tokens)
        gain, divergence = 0.0, 0.0
        for line in tokens:
            old, new = _joint(_emission_of(line, emission), alpha), _joint(_emission_of(line, fresh), learned)
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
                _emission_of(line, emission), lab.theory.mid_training.switch_penalty(alpha, k)
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
            t.sticky_log_likelihood(_emission_of(line, fit["emission"].values[0]), float(fit["alpha"][0]))
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
        ell = _emission_of(line, emission)
        initial, moves = _random_chain(rng, 5, k)
        gap = t.evidence_bound(ell, alpha, initial, moves).gap
        counts = np.full((k, size, size), 1e-9)
        marginal = initial
        for step in range(5):
            counts[:, line[step], line[step + 1]] += marginal
            if step < 4:
                marginal = marginal @ moves[step]
        fresh = counts / counts.sum(axis=2, keepdims=True)
        drop = t.sticky_log_likelihood(ell, alpha) - t.sticky_log_likelihood(_emission_of(line, fresh), alpha)
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
                    max(map(math.log, _joint(np.asarray(ell), a).values()))
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


# ---------------------------------------------------------------- the one knob


def _knob_symbols(lab: Lab) -> Iterator[Cell]:
    t = lab.theory.mid_training
    where = {"alpha": "symbol", "K": "symbol"}
    c = t.switch_penalty(A, K)
    stay, move = A + (1 - A) / K, (1 - A) / K
    yield lab.true(where, is_zero(sp.simplify(sp.exp(c) - stay / move)), "e^c = odds of staying over one given other")
    x = sp.Symbol("x", positive=True)
    back = t.stickiness(sp.log(x), K)
    yield lab.true(where, is_zero(sp.simplify(back - (x - 1) / (x - 1 + K))), "alpha = (e^c - 1)/(e^c - 1 + K)")
    yield lab.true(where, is_zero(sp.simplify((x - 1) / (x - 1 + K)).subs(x, 1 + K * A / (1 - A)) - A), "inverse")
    yield lab.true(where, is_zero(t.prior_switch_rate(A, K) - (1 - stay)), "rate of switches")


def _knob_paths(lab: Lab) -> Iterator[Cell]:
    """Both priors over all paths: equal, of total one, with the stated mean number of switches."""
    t = lab.theory.mid_training
    for k, length, alpha in ((2, 5, 0.3), (3, 4, 0.0), (4, 4, 0.9), (1, 3, 0.5)):
        penalty = t.switch_penalty(alpha, k)
        total, mean, worst = 0.0, 0.0, 0.0
        for path in itertools.product(range(k), repeat=length):
            literal = _prior(path, alpha, k)
            total += literal
            mean += literal * _switches(path)
            shown = t.penalised_log_prior(_switches(path), length, penalty, k)
            direct = t.sticky_log_prior(_switches(path), length, alpha, k)
            worst = max(worst, abs(shown - math.log(literal)), abs(direct - math.log(literal))) if literal else worst
        cell = {"alpha": alpha, "K": k, "T": length}
        yield lab.close(cell, worst, 0.0, 1e-12, "price per switch against stickiness, all paths")
        yield lab.close(cell, total, 1.0, 1e-12, "total")
        yield lab.close(cell, t.prior_switches(alpha, k, length), mean, 1e-12, "mean switches")
        yield lab.close(cell, t.flat_switches(penalty, k, length), mean, 1e-12, "mean switches from c")
        yield lab.close(cell, t.stickiness(penalty, k), alpha, 1e-12, "back to alpha")


KNOB = Claim(
    id="mid_training.one_knob",
    statement=(
        "A sticky prior and a price per switch are one object: p(z) = s^(T-1) e^(-c sw(z))/K with "
        "c = ln(1 + K alpha/(1-alpha)), alpha = (e^c - 1)/(e^c - 1 + K)."
    ),
    latex=r"p(z) = \tfrac1K\,s^{T-1}e^{-c\,\mathrm{sw}(z)}, \qquad c = \ln\Bigl(1+\frac{K\alpha}{1-\alpha}\Bigr)",
    origin="derived",
    source=f"theory.mid_training.knob; prior and penalty of {PAPER}",
    kind="exact",
    domain=Domain({"alpha": ALPHA, "n_latents": N_LATENTS}),
    functions=("mid_training.switch_penalty",),
    evidence=(
        Exact("identity", "odds, inverse and rate in symbols", _knob_symbols),
        Exact("enumeration", "all K^T paths", _knob_paths, scope="cells"),
    ),
    mutants=(
        Mutant(
            "c = ln(K alpha/(1-alpha))",
            "resampling may return the same latent; at alpha = 0 the price is 0",
            theory=replaced(
                switch_penalty=lambda a, k: (
                    sp.log(k * a / (1 - a))
                    if hasattr(a, "free_symbols")
                    else max(0.0, math.log(max(k * a / (1 - a), 1e-9)))
                )
            ),
        ),
        Mutant(
            "a switch happens at rate 1 - alpha",
            "a resampled latent is the old one with probability 1/K",
            theory=replaced(prior_switch_rate=lambda a, k: 1 - a, prior_switches=lambda a, k, n: (n - 1) * (1 - a)),
        ),
    ),
)


def _ends_by_paths(lab: Lab) -> Iterator[Cell]:
    t = lab.theory.mid_training
    rng = generator(39)
    for length, k in ((4, 3), (6, 2), (1, 4)):
        ell = rng.normal(-1.0, 1.0, (length, k))
        memoryless = math.fsum(math.log(np.exp(row).mean()) for row in ell)
        mixture = math.log(np.exp(ell.sum(axis=0)).mean())
        paths = math.log(math.fsum(_joint(ell, 1.0).values()))
        cell = {"T": length, "K": k}
        yield lab.close(cell, t.sticky_log_likelihood(ell, 0.0), memoryless, SLACK, "alpha = 0: product of means")
        yield lab.close(cell, t.sticky_log_likelihood(ell, 1.0), mixture, SLACK, "alpha = 1: mean of products")
        yield lab.close(cell, paths, mixture, SLACK, "the same over all paths")


def _ends_start(lab: Lab) -> Iterator[Cell]:
    """One latent: the model is its own next-token predictor at every stickiness."""
    t = lab.theory.mid_training
    rng = generator(40)
    ell = rng.normal(-1.0, 1.0, (6, 1))
    for alpha in (0.0, 0.5, 1.0):
        yield lab.close({"K": 1, "alpha": alpha}, t.sticky_log_likelihood(ell, alpha), float(ell.sum()), SLACK, "K = 1")
    two = rng.normal(-1.0, 1.0, (5, 3))
    limit = math.log(np.exp(two.sum(axis=0)).mean())
    for exponent in (3, 6, 9):
        alpha = 1 - 10.0**-exponent
        # paths with a switch weigh at most (T-1)(1-alpha) of the mass, times the largest ratio of likelihoods
        share = 4 * 10.0**-exponent * math.exp(float((two.max(axis=1) - two.min(axis=1)).sum()))
        yield lab.close(
            {"K": 3, "alpha": f"1 - 1e-{exponent}"}, t.sticky_log_likelihood(two, alpha), limit, share + SLACK, "limit"
        )


def _next_token(ell: Any) -> float:
    """Next-token prediction with one policy: the mean of the latents' policies at every token."""
    return float(np.log(np.exp(np.asarray(ell)).mean(axis=1)).sum())


ENDS = Claim(
    id="mid_training.ends_of_the_knob",
    statement=(
        "At alpha = 0 the model is memoryless, a product over tokens of means over latents; as alpha -> 1 it becomes a "
        "mixture of K whole-sequence models, and a single next-token predictor only for K = 1 (or a fixed null start)."
    ),
    latex=r"p_{\alpha=0} = \prod_t \tfrac1K\sum_z \pi(a_t\mid s_t,z), \qquad p_{\alpha\to1} = \tfrac1K\sum_z\prod_t "
    r"\pi(a_t\mid s_t,z)",
    origin="derived",
    source=f"repairs {PAPER}, on the limit of an infinite penalty",
    kind="exact",
    domain=Domain({"K": N_LATENTS, "T": LENGTH}),
    evidence=(
        Exact("enumeration", "all paths at both ends", _ends_by_paths, scope="cells"),
        Exact("identity", "one latent, and the limit with its error", _ends_start, scope="cells"),
    ),
    mutants=(
        Mutant(
            "as alpha -> 1 one latent is chosen afresh at every token",
            "it is kept for the whole text",
            theory=replaced(sticky_log_likelihood=lambda ell, a: _next_token(ell)),
        ),
        Mutant(
            "as alpha -> 1 the best latent is known",
            "the first latent is uniform",
            theory=replaced(sticky_log_likelihood=lambda ell, a: float(np.asarray(ell).sum(axis=0).max())),
        ),
    ),
)


def _limit_witness(lab: Lab) -> Iterator[Cell]:
    """Two latents that repeat, and that alternate, a fair first token: mixture of strings against the token mixture."""
    t = lab.theory.mid_training
    sharp, blunt = Fraction(9, 10), Fraction(1, 10)
    for length in (2, 4):
        ell = np.log(np.array([[float(sharp), float(blunt)]] * length))
        mixture = (sharp**length + blunt**length) / 2
        alone = Fraction(1, 2) ** length
        found = math.exp(t.sticky_log_likelihood(ell, 1.0))
        yield lab.close(
            {"T": length, "K": 2},
            found,
            float(alone),
            1e-12,
            f"p at alpha = 1 is {mixture}, one predictor gives {alone}",
        )


def _limit_paths(lab: Lab) -> Iterator[Cell]:
    rng = generator(41)
    for world in range(3):
        ell = rng.normal(-1.0, 1.0, (5, 3))
        found = lab.theory.mid_training.sticky_log_likelihood(ell, 1 - 1e-9)
        yield lab.close(
            {"world": world}, found, _next_token(ell), 1e-6, "stickiness 1 - 1e-9 against a single predictor"
        )


LIMIT_FALSE = Claim(
    id="mid_training.sticky_limit_is_next_token",
    statement="As alpha -> 1 the latent model turns into plain next-token prediction.",
    latex=r"\lim_{\alpha\to1} p(a_{1:T}) = \prod_t \bar\pi(a_t\mid s_t)",
    origin="paper",
    source=f"{PAPER}, on the limit of an infinite penalty",
    kind="exact",
    domain=Domain({"K": N_LATENTS, "T": LENGTH}),
    evidence=(
        Exact("identity", "two latents in rationals: (.9^T + .1^T)/2 against 2^-T", _limit_witness, scope="cells"),
        Exact("enumeration", "random texts at stickiness 1 - 1e-9", _limit_paths, scope="cells"),
    ),
    mutants=(
        Mutant(
            "already at alpha = 1/2",
            "latents still carry over from token to token",
            theory=replaced(sticky_log_likelihood=lambda ell, a: shipped().sticky_log_likelihood(ell, 0.5)),
        ),
        Mutant(
            "with the best latent known",
            "one latent of several fits a text better than their mean",
            theory=replaced(sticky_log_likelihood=lambda ell, a: float(np.asarray(ell).sum(axis=0).max())),
        ),
    ),
    expected="fails",
    repaired_by="mid_training.ends_of_the_knob",
)


def _kl(p: np.ndarray, q: np.ndarray) -> float:
    return math.fsum(a * math.log(a / b) for a, b in zip(p.ravel(), q.ravel(), strict=True) if a > 0)


def _entropy(p: np.ndarray) -> float:
    return -math.fsum(a * math.log(a) for a in p.ravel() if a > 0)


def _split_cells(lab: Lab) -> Iterator[Cell]:
    """Random laws of the next latent, old latent 0: the divergence from the prior, directly and split."""
    t = lab.theory.mid_training
    rng = generator(42)
    for k, alpha in itertools.product((2, 3, 6), (0.0, 0.4, 0.95)):
        law = rng.dirichlet(np.ones(k))
        prior = np.full(k, (1 - alpha) / k)
        prior[0] += alpha
        switch = 1 - law[0]
        found = t.switch_divergence(switch, _entropy(law[1:] / switch), alpha, k)
        yield lab.close({"K": k, "alpha": alpha}, float(found), _kl(law, prior), 1e-12, "identity for z alone")


def _flag_cells(lab: Lab) -> Iterator[Cell]:
    """Laws of (flag, latent): the flagged form is the divergence of the pair, and no smaller than that of z."""
    t = lab.theory.mid_training
    rng = generator(43)
    for k, alpha in itertools.product((2, 4), (0.2, 0.9)):
        flag, fresh = float(rng.uniform(0.05, 0.95)), rng.dirichlet(np.ones(k))
        pair = np.concatenate([[1 - flag], flag * fresh])
        prior = np.concatenate([[alpha], np.full(k, (1 - alpha) / k)])
        found = float(t.resample_divergence(flag, _entropy(fresh), alpha, k))
        yield lab.close({"K": k, "alpha": alpha}, found, _kl(pair, prior), 1e-12, "divergence of flag and latent")
        law, alone = flag * fresh, np.full(k, (1 - alpha) / k)
        law[0] += 1 - flag
        alone[0] += alpha
        yield lab.at_most({"K": k, "alpha": alpha}, _kl(law, alone), found, "upper bound for z alone")
        switch = 1 - law[0]
        split = float(t.switch_divergence(switch, _entropy(law[1:] / switch), alpha, k))
        yield lab.close({"K": k, "alpha": alpha}, split, _kl(law, alone), 1e-12, "and its exact value")


SPLIT = Claim(
    id="mid_training.divergence_split",
    statement=(
        "The divergence of a next-latent law from the sticky prior is kl(u || rho) + u [ln(K-1) - H(z | switch)]; "
        "with a "
        "resample flag it is kl(q(b) || 1-alpha) + q(b)[ln K - H(z | b)], an upper bound for z alone."
    ),
    latex=r"\mathrm{KL} = \mathrm{kl}(u\,\|\,\rho) + u\,[\ln(K-1)-H] \le \mathrm{kl}(q_b\,\|\,1-\alpha) + q_b\,[\ln K "
    r"- H_b]",
    origin="paper",
    source=f"{PAPER}, Proposition 5.1 (Bernoulli divergence plus entropy); exact form in theory.mid_training.knob",
    kind="exact",
    domain=Domain({"K": Integer(2), "alpha": ALPHA}),
    evidence=(
        Exact("identity", "random laws of the next latent", _split_cells, scope="cells"),
        Exact("enumeration", "random laws of flag and latent", _flag_cells, scope="cells"),
    ),
    mutants=(
        Mutant(
            "ln K in place of ln(K-1)",
            "a switch leads to one of K - 1 other latents",
            theory=replaced(
                switch_divergence=lambda u, h, a, k: shipped().switch_divergence(u, h, a, k) + u * math.log(k / (k - 1))
            ),
        ),
        Mutant(
            "the switch is compared with 1 - alpha",
            "a resampled latent may stay",
            theory=replaced(
                switch_divergence=lambda u, h, a, k: (
                    shipped().bernoulli_divergence(u, min(1 - a, 1 - 1e-9)) + u * (math.log(k - 1) - h)
                )
            ),
        ),
    ),
)


# ---------------------------------------------------------------- number of switches


def _moments_by_paths(lab: Lab) -> Iterator[Cell]:
    t = lab.theory.mid_training
    for index, (ell, _) in enumerate(_tables()[::3]):
        paths = {
            path: math.fsum(ell[i, z] for i, z in enumerate(path))
            for path in itertools.product(range(ell.shape[1]), repeat=len(ell))
        }
        for c in (0.0, 0.7, 3.0):
            weights = {path: math.exp(score - c * _switches(path)) for path, score in paths.items()}
            total = math.fsum(weights.values())
            mean = math.fsum(w * _switches(p) for p, w in weights.items()) / total
            square = math.fsum(w * _switches(p) ** 2 for p, w in weights.items()) / total
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
    for index, (ell, _) in enumerate(_tables()[::2]):
        scores = t.best_scores_by_switches(ell)
        best = [-math.inf] * len(ell)
        for path in itertools.product(range(ell.shape[1]), repeat=len(ell)):
            best[_switches(path)] = max(best[_switches(path)], math.fsum(ell[i, z] for i, z in enumerate(path)))
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
                ell = _emission_of(line, emission)
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
        "The best path at price c maximises best_j - c j over its number of switches; no switch pays from "
        "c* = max_j (best_j - best_0)/j on, and in a best path each segment beats its predecessor's latent by c on its "
        "own tokens (by 2c if the next segment returns to it): think only if it pays."
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


# ---------------------------------------------------------------- causal and hindsight latents

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
            p = _prior(path, alpha, k) / size
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
            yield lab.close(cell, values.entropy, full, SLACK, "full-context next-token prediction")
            yield lab.close(cell, values.bigram, bigram, SLACK, "bigram")
            yield lab.at_most(cell, values.causal, values.entropy + SLACK, "causal latents")


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
                causal_values=lambda e, a, n: (lambda v: v._replace(causal=v.entropy + 0.1))(
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
                causal_values=lambda e, a, n: (lambda v: v._replace(entropy=v.bigram))(shipped().causal_values(e, a, n))
            ),
        ),
    ),
)


def _causal_beats(lab: Lab) -> Iterator[Cell]:
    for noise, hindsight, causal in CAUSAL:
        values = lab.theory.mid_training.causal_values(_two_skills(noise), 0.85, 7)
        cell = {"noise": noise, "alpha": 0.85, "T": 7}
        detail = f"worked values: hindsight {hindsight}, causal {causal}"
        yield lab.at_most(cell, values.entropy, values.causal, "next-token value against the causal one; " + detail)


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


def _split_nll(lab: Lab) -> Iterator[Cell]:
    """-ln p = CE + KL at the posterior, from the pieces of the bound."""
    t = lab.theory.mid_training
    for index, (ell, alpha) in enumerate(_tables()):
        _, evidence = _enumerated(index)
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
            ell = _emission_of(line, emission)
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
    for index, (ell, alpha) in enumerate(_tables()):
        if ell.shape[1] == 1 or len(ell) == 1 or index % 3:
            continue
        _, evidence = _enumerated(index)
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
        ell = _emission_of(line, emission)
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
        ell = _emission_of(line, emission)
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
        ell = _emission_of(line, emission)
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

CLAIMS = (
    GAP, SOFT, EM, KNOB, ENDS, LIMIT_FALSE, SPLIT, MOMENTS, HARD, CAUSAL_HOLDS, CAUSAL_FALSE, NLL, NLL_FALSE, SAMPLED,
)  # fmt: skip
