"""Claims about a noisy verifier: false negatives and false positives scale the evidence and decide its direction."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
import sympy as sp

from proofs_check.certificates import Proof
from proofs_check.claims import Claim, Exact, Mutant
from proofs_check.domains import Domain, Real
from proofs_check.star._common import (
    ANY,
    BOX,
    CHAIN,
    CHAINS,
    DERIVED,
    PI,
    STATES,
    D,
    F,
    M,
    chain_name,
    deltas_of_rows,
    enumerated,
    first_step_right,
    identity,
    right_chance,
    single_leg,
    theory,
    witness_below_zero,
)
from proofs_check.verdicts import Cell

if TYPE_CHECKING:
    from proofs_check.lab import Lab

__all__ = ["CLAIMS"]

MU, NU = (sp.Symbol(name, positive=True) for name in ("mu", "nu"))
MISSED = Real(0, 1, meaning="chance that a right answer is rejected", symbol=r"\mu")
PASSED = Real(0, 1, meaning="chance that a wrong answer is accepted", symbol=r"\nu")
NOISES = ((F(1, 5), F(1, 10)), (F(1, 2), F(0)), (F(0), F(1, 3)), (F(9, 10), F(3, 5)))


def _noise_identity(lab: Lab) -> Iterator[Cell]:
    t = lab.theory.star
    agreed, astray = (1 + (M - 1) * PI) / M, (1 - PI) / M
    literal = ((1 - MU) * agreed + NU * (1 - agreed)) / ((1 - MU) * astray + NU * (1 - astray))
    kappa = t.evidence_scale(MU, NU, M)
    yield identity(lab, ANY, literal, t.odds(kappa * PI, M), "evidence of an accepted answer is that at kappa Pi_(-n)")
    after = t.noisy_update([D, PI], M, MU, NU)[0]
    yield identity(lab, ANY, t.odds(after, M), t.odds(D, M) * literal, "r(delta') = r(delta) times the literal ratio")
    clean = t.noisy_update([D, PI], M, MU, sp.Integer(0))[0]
    yield identity(lab, ANY, clean, t.update([D, PI], M)[0], "false negatives alone change nothing")


def _noise_cells(lab: Lab) -> Iterator[Cell]:
    for (delta, n_states), (mu, nu) in itertools.product(CHAINS[:3], NOISES):
        _, _, rows, _, maps = enumerated(delta, n_states, 1 - mu, nu)
        after = lab.theory.star.noisy_update(list(delta), n_states, mu, nu)
        for n, observed in enumerate(deltas_of_rows(rows, maps)):
            where = {**chain_name(delta, n_states), "mu": str(mu), "nu": str(nu), "step": n + 1}
            yield lab.equal(where, observed, after[n])


def _plain_scale(false_negative: Any, false_positive: Any, n_states: Any) -> Any:
    return 1 - false_negative - false_positive


def _bent_noise(scale: Any) -> Any:
    def noisy_update(delta: Any, n_states: Any, false_negative: Any, false_positive: Any) -> Any:
        array = np.asarray(delta)
        rest = theory().products_of_others(delta, n_states) * scale(false_negative, false_positive, n_states)
        return (array + rest + (n_states - 2) * array * rest) / (1 + (n_states - 1) * array * rest)

    return noisy_update


def _scale_of_two(false_negative: Any, false_positive: Any, n_states: Any) -> Any:
    return (1 - false_negative - false_positive) / (1 - false_negative + false_positive)


NOISE = Claim(
    id="star.noisy_verifier",
    statement=(
        "A verifier with false negatives mu and false positives nu scales the evidence of the clean map by kappa."
    ),
    latex=r"r(\delta_n') = r(\delta_n)\, r(\kappa \Pi_{-n}), \qquad \kappa = \frac{1-\mu-\nu}{1-\mu+(M-1)\nu}",
    origin="derived",
    source=DERIVED,
    kind="exact",
    domain=Domain(
        {"n_states": STATES, "false_negative": MISSED, "false_positive": PASSED},
        {"the verifier accepts something": lambda c: c["false_negative"] < 1 or c["false_positive"] > 0},
    ),
    functions=("star.evidence_scale",),
    evidence=(
        Exact("identity", "the literal odds of accepted answers, all symbols", _noise_identity),
        Exact("enumeration", "rows of all accepted paths", _noise_cells, scope="cells"),
        single_leg(
            "right first steps of accepted trajectories",
            first_step_right,
            lambda t, c: right_chance(t.star.noisy_update(c["delta"], c["n_states"], 0.2, 0.1)[0], c["n_states"]),
            false_negative=0.2,
            false_positive=0.1,
        ),
    ),
    mutants=(
        Mutant(
            "kappa = 1 - mu - nu",
            "with nu = 0 all that is accepted is right, whatever mu",
            theory={"star.evidence_scale": _plain_scale, "star.noisy_update": _bent_noise(_plain_scale)},
        ),
        Mutant(
            "kappa = 0: the verifier is useless",
            "it is useless only if mu + nu = 1",
            theory={
                "star.evidence_scale": lambda *a: 0 * a[0],
                "star.noisy_update": _bent_noise(lambda *a: 0 * a[0]),
            },
        ),
        Mutant(
            "kappa has nu where it has (M-1) nu",
            "that is the case M = 2",
            theory={"star.evidence_scale": _scale_of_two, "star.noisy_update": _bent_noise(_scale_of_two)},
        ),
    ),
)


def _noise_sign(lab: Lab) -> list[Cell]:
    t = lab.theory.star
    u, v = sp.symbols("u v", positive=True)
    box = {**BOX, MU: (0, 1), u: (0, 1), v: (0, 1)}
    good = t.noisy_update([D, PI], M, MU, u * (1 - MU))[0] - D
    bad = D - t.noisy_update([D, PI], M, MU, 1 - MU + MU * v)[0]
    share = t.accepted_right_path_share([D, PI], M, MU, u * (1 - MU))
    eps = sp.Symbol("epsilon", positive=True)
    gap = 1 - t.noisy_update([1 - eps, 1 - eps, 1 - eps], M, MU, NU)[0]
    rate = sp.limit(sp.cancel(gap / eps), eps, 0)
    proof = Proof()
    proof.positive("nu < 1 - mu: every step with evidence gains", good, box)
    proof.positive("nu > 1 - mu: every step loses", bad, box)
    slope = sp.diff(share, D) / share
    proof.nonnegative("nu < 1 - mu: the share of right paths rises with each delta", slope, box)
    proof.identity("the end is linear at nu/(1-mu)", rate, t.noisy_end_rate(MU, NU))
    off = sp.sympify(rate - t.noisy_end_rate(MU, NU))
    return proof.cells(ANY, witness_below_zero([good, bad, slope, -(off**2)], box))


def _noise_sign_cells(lab: Lab) -> Iterator[Cell]:
    for (delta, n_states), (mu, nu) in itertools.product(CHAINS[:2], (*NOISES, (F(3, 5), F(2, 5)))):
        total, share, rows, _, maps = enumerated(delta, n_states, 1 - mu, nu)
        moved = deltas_of_rows(rows, maps)
        later = enumerated(moved, n_states, 1 - mu, nu)
        where = {**chain_name(delta, n_states), "mu": str(mu), "nu": str(nu)}
        accepted = lab.theory.star.acceptance_rate(list(delta), n_states, mu, nu)
        yield lab.equal(where, total, accepted, "accepted mass")
        up = enumerated(moved, n_states)[0] - enumerated(delta, n_states)[0]
        agree = (up > 0) == (1 - mu > nu) and (up < 0) == (1 - mu < nu) and later[0] >= total
        yield lab.true(where, agree, "J rises exactly if nu < 1-mu; the accepted mass never falls")
        if nu < 1 - mu:
            clean = lab.theory.star.accepted_right_path_share(list(delta), n_states, mu, nu)
            # `share` counts rejected right paths too: scale by the acceptance of right answers.
            fine = share == clean and later[1] >= share
            yield lab.true(where, fine, f"share of right paths {share} -> {later[1]}")


def _swapped_noise(delta: Any, n_states: Any, false_negative: Any, false_positive: Any) -> Any:
    return theory().noisy_update(delta, n_states, false_positive, false_negative)


NOISE_SIGN = Claim(
    id="star.noise_decides_direction",
    statement=(
        "Under noise J rises exactly if right answers are accepted more often than wrong ones; then the share of right "
        "paths never falls either, and the end is linear at nu/(1-mu). The accepted mass never falls."
    ),
    latex=r"J' > J \iff 1 - \mu > \nu, \qquad 1 - \delta' \sim \frac{\nu}{1-\mu}(1 - \delta)",
    origin="derived",
    source=DERIVED,
    kind="threshold",
    domain=CHAIN,
    evidence=(
        Exact("certificate", "signs and the end, all symbols", _noise_sign, cost=0.5),
        Exact("enumeration", "all accepted paths", _noise_sign_cells, scope="cells"),
    ),
    mutants=(
        Mutant(
            "the end rate is nu",
            "only right answers that pass are kept, at rate 1-mu",
            theory={"star.noisy_end_rate": lambda false_negative, false_positive: false_positive},
        ),
        Mutant(
            "mu and nu trade places",
            "rejecting right answers at random changes nothing, accepting wrong ones does",
            theory={
                "star.noisy_update": _swapped_noise,
                "star.acceptance_rate": lambda delta, n_states, mu, nu: theory().acceptance_rate(
                    delta, n_states, nu, mu
                ),
            },
        ),
    ),
)


CLAIMS = (NOISE, NOISE_SIGN)
