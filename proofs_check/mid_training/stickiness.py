"""Claims about the one knob of sticky latents: price of a switch, ends of its range, split of the divergence."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import numpy as np
import sympy as sp

from proofs_check.certificates import is_zero
from proofs_check.claims import Claim, Exact, Mutant
from proofs_check.domains import Domain, Integer
from proofs_check.mid_training._common import ALPHA, N_LATENTS, PAPER, generator, replaced, shipped
from proofs_check.mid_training._latent_paths import LENGTH, SLACK, joint_law, number_of_switches, path_prior
from proofs_check.verdicts import Cell

if TYPE_CHECKING:
    from proofs_check.lab import Lab

__all__ = ["CLAIMS"]

A, K = sp.Symbol("alpha", positive=True), sp.Symbol("K", positive=True, integer=True)


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
            literal = path_prior(path, alpha, k)
            total += literal
            mean += literal * number_of_switches(path)
            shown = t.penalised_log_prior(number_of_switches(path), length, penalty, k)
            direct = t.sticky_log_prior(number_of_switches(path), length, alpha, k)
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
        "A sticky prior and a price per switch are one object: p(z) = s^(T-1) e^(-c sw(z))/K with c = ln(1 + K "
        "alpha/(1-alpha)), alpha = (e^c - 1)/(e^c - 1 + K)."
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
        paths = math.log(math.fsum(joint_law(ell, 1.0).values()))
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
        "The divergence of a next-latent law from the sticky prior is kl(u || rho) + u [ln(K-1) - H(z | switch)]; with "
        "a resample flag it is kl(q(b) || 1-alpha) + q(b)[ln K - H(z | b)], an upper bound for z alone."
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


CLAIMS = (KNOB, ENDS, LIMIT_FALSE, SPLIT)
