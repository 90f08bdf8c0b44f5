"""Claims about noise in the verifier, temperature at generation, and hints."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Mapping, Sequence
from fractions import Fraction
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np
import sympy as sp

from proofs_check.certificates import Proof, is_zero
from proofs_check.claims import Claim, Exact, Mutant, Simulation
from proofs_check.domains import Domain, Integer, Real
from proofs_check.samples import Counts
from proofs_check.star._common import (
    BOX,
    CHAIN,
    CHAINS,
    DERIVED,
    PI,
    STATES,
    STEPS,
    D,
    M,
    chain_name,
    enumerated,
    identity,
    law_of_paths,
    random_tables,
    refit_of_paths,
    right_steps,
    single_leg,
    symmetric_tables,
    theory,
    witness_below_zero,
)
from proofs_check.verdicts import Cell

if TYPE_CHECKING:
    from proofs_check.lab import Lab

__all__ = ["CLAIMS"]

F = Fraction
ANY = {"n_steps": "any", "n_states": "any"}
MU, NU, H = (sp.Symbol(name, positive=True) for name in ("mu", "nu", "h"))
MISSED = Real(0, 1, meaning="chance that a right answer is rejected", symbol=r"\mu")
PASSED = Real(0, 1, meaning="chance that a wrong answer is accepted", symbol=r"\nu")
NOISES = ((F(1, 5), F(1, 10)), (F(1, 2), F(0)), (F(0), F(1, 3)), (F(9, 10), F(3, 5)))
LONG = Integer(3, meaning="steps N of the chain", symbol="N", largest_drawn=12)


def _right(data: Any, cell: Mapping[str, Any]) -> Counts:
    right = right_steps(data)[:, 0]
    return Counts(int(right.sum()), len(right))


def _alpha(after: Any, n_states: int) -> float:
    return float((1 + (n_states - 1) * after) / n_states)


# ---------------------------------------------------------------- noise


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
        for n, d in enumerate(after):
            observed = (n_states * rows[n][0][maps[n][0]] - 1) / (n_states - 1)
            yield lab.equal({**chain_name(delta, n_states), "mu": str(mu), "nu": str(nu), "step": n + 1}, observed, d)


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
            _right,
            lambda t, c: _alpha(t.star.noisy_update(c["delta"], c["n_states"], 0.2, 0.1)[0], c["n_states"]),
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
        moved = tuple((n_states * rows[n][0][maps[n][0]] - 1) / (n_states - 1) for n in range(len(delta)))
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


# ---------------------------------------------------------------- temperature


def _temper_identity(lab: Lab) -> Iterator[Cell]:
    t = lab.theory.star
    where = {"n_states": "any"}
    cold = t.temper(D, M, sp.Rational(1, 2))
    yield identity(lab, where, t.odds(cold, M), t.odds(D, M) ** 2, "tau = 1/2: the square of the odds")
    hot = sp.cancel(t.odds(t.temper(D, M, sp.Integer(2)), M))
    yield identity(lab, where, hot**2, t.odds(D, M), "tau = 2: the root of the odds")
    ratio = sp.Symbol("L", positive=True)
    tau = sp.Symbol("tau", positive=True)
    shown = t.odds(t.from_log_ratio(ratio / tau, M), M)
    yield lab.true(where, is_zero(shown - sp.exp(ratio / tau)), "any tau: a log-ratio L/tau has odds e^(L/tau)")


def _cold_tables(tables: Sequence[Any], power: int) -> list[Any]:
    """Rows to an integer power, normalised."""
    return [[[x**power / sum(y**power for y in row) for x in row] for row in table] for table in tables]


def _temper_cells(lab: Lab) -> Iterator[Cell]:
    for (delta, n_states), power in itertools.product(CHAINS[:3], (2, 3)):
        tables = _cold_tables(symmetric_tables(delta, n_states), power)
        law = law_of_paths(tables, lambda path: int(path[0] == path[-1]))
        rows = refit_of_paths(tables, law)
        after = lab.theory.star.tempered_update([float(d) for d in delta], n_states, 1 / power)
        for n, d in enumerate(after):
            observed = float((n_states * rows[n][0][0] - 1) / (n_states - 1))
            # Two dozen roundings of numbers below 1.
            where = {**chain_name(delta, n_states), "tau": f"1/{power}", "step": n + 1}
            yield lab.close(where, observed, float(d), 1e-13, "row of all paths sampled at tau")


def _tempered(power: float) -> Any:
    return lambda delta, n_states, temperature: theory().temper(delta, n_states, temperature**power)


def _tempered_map(power: float) -> Any:
    return lambda delta, n_states, temperature: theory().tempered_update(delta, n_states, temperature**power)


TEMPER = Claim(
    id="star.temperature",
    statement=(
        "Sampling at temperature tau stays in the family, with odds r^(1/tau); a round is the clean map applied to the "
        "tempered model."
    ),
    latex=r"L_n' = \frac{L_n}{\tau} + \ell\Bigl(\prod_{k \ne n} \delta_{k,\tau}\Bigr)",
    origin="derived",
    source=DERIVED,
    kind="exact",
    domain=Domain({"n_states": STATES, "delta": Real(0, 1), "temperature": Real(0.05, 20, meaning="temperature tau")}),
    functions=("star.temper",),
    evidence=(
        Exact("identity", "log-ratios over tau, and tau = 1/2, 2, M a symbol", _temper_identity),
        Exact("enumeration", "rows of all paths at tau = 1/2, 1/3", _temper_cells, scope="cells"),
        single_leg(
            "right first steps of trajectories kept at tau = 1/2",
            _right,
            lambda t, c: _alpha(t.star.tempered_update(c["delta"], c["n_states"], 0.5)[0], c["n_states"]),
            temperature=0.5,
        ),
    ),
    mutants=(
        Mutant(
            "odds are raised to tau",
            "temperature divides logits",
            theory={"star.temper": _tempered(-1), "star.tempered_update": _tempered_map(-1)},
        ),
        Mutant(
            "temperature acts twice",
            "it acts on sampling only, once",
            theory={"star.temper": _tempered(2), "star.tempered_update": _tempered_map(2)},
        ),
    ),
)


def _cold_proof(lab: Lab) -> list[Cell]:
    t = lab.theory.star
    evidence = t.odds(t.update([D, PI], M)[0], M) - t.odds(D, M)
    useless = t.odds(t.noisy_update([D, PI], M, sp.Rational(1, 2), sp.Rational(1, 2))[0], M) - t.odds(D, M)
    proof = Proof()
    proof.positive("evidence only adds: r' >= r_tau = r^(1/tau)", evidence, BOX)
    proof.identity("a useless verifier adds none, and sharpening remains", useless, sp.Integer(0))
    return proof.cells(ANY, witness_below_zero([evidence]))


COLD = (
    (0.02, 4, 8, 0.99, ((1.0, 1048), (0.8, 13), (0.5, 5))),
    (0.1, 3, 64, 0.99, ((1.0, 4), (0.8, 3), (0.5, 2))),
)


def _cold_counts(lab: Lab) -> Iterator[Cell]:
    t = lab.theory.star
    for delta, n_steps, n_states, target, counts in COLD:
        goal = float(t.target_log_ratio(target, n_steps, n_states))
        for tau, printed in counts:
            value, rounds = np.full(n_steps, float(t.log_ratio(delta, n_states))), 0
            while value.min() < goal and rounds < 2000:
                value = t.update_log_ratio(value, n_states, temperature=tau)
                rounds += 1
            where = {"n_steps": n_steps, "n_states": n_states, "delta": delta, "tau": tau}
            yield lab.equal(where, rounds, printed, "rounds to J >= .99")
            if tau < 1:
                bound = float(t.tempered_rounds_bound(delta, target, n_steps, n_states, tau))
                yield lab.at_most(where, rounds, math.ceil(bound), "at most ceil(log(L*/L_0)/log(1/tau))")


COLD_CLAIM = Claim(
    id="star.cold_sampling_sharpens",
    statement=(
        "Temperature below 1 multiplies log-odds by 1/tau a round even without evidence: at most "
        "log(L*/L_0)/log(1/tau) rounds in the symmetric family."
    ),
    latex=r"L_n' \ge L_n/\tau, \qquad W \le \left\lceil \frac{\log(L^*/L_0)}{\log(1/\tau)} \right\rceil",
    origin="derived",
    source=DERIVED,
    kind="upper",
    domain=CHAIN,
    evidence=(
        Exact("certificate", "evidence is never negative", _cold_proof),
        Exact("enumeration", "counted rounds at tau = 1, .8, .5", _cold_counts, scope="cells"),
    ),
    mutants=(
        Mutant(
            "a round halves the deltas, and log-ratios hardly grow",
            "evidence is non-negative above guessing",
            theory={
                "star.update": lambda delta, n_states: np.asarray(delta) / 2,
                "star.update_log_ratio": lambda value, n_states, **k: value * 1.001,
            },
        ),
        Mutant(
            "sampling is twice as cold as stated",
            "log-ratios are divided by tau once a round",
            theory={
                "star.update_log_ratio": lambda value, n_states, *, temperature=1.0: theory().update_log_ratio(
                    value, n_states, temperature=temperature**2
                )
            },
        ),
    ),
)


def _hot_proof(lab: Lab) -> list[Cell]:
    """The largest of the tempered deltas is D; step n has u D <= D, the others' product is q D with q < 1 if N >= 3."""
    t = lab.theory.star
    u = sp.Symbol("u", positive=True)
    box = {**BOX, u: (0, 1)}
    top = t.odds(D, M) ** 2 - t.odds(t.update([D, PI * D], M)[0], M)
    below = t.odds(D, M) ** 2 - t.odds(t.update([u * D, PI * D], M)[0], M)
    proof = Proof()
    proof.positive("N >= 3, largest step: r' < r_tau^2", top, box)
    proof.positive("any other step: r' < r_tau(largest)^2", below, box)
    # r_tau^2 = r^(2/tau) <= r for tau >= 2, since r > 1.
    sampled = sp.cancel(t.odds(t.temper(D, M, sp.Integer(2)), M))
    proof.identity("tau = 2: r_tau^2 = r", sampled**2, t.odds(D, M))
    proof.positive("r > 1 above guessing", t.odds(D, M) - 1, box)
    return proof.cells(ANY, witness_below_zero([top, below], box))


def _hot_cells(lab: Lab) -> Iterator[Cell]:
    t = lab.theory.star
    for n_steps, n_states, tau in ((3, 2, 2.0), (3, 64, 2.5), (5, 8, 2.0), (4, 3, 6.0)):
        for start in (0.1, 3.0, 30.0):
            value = np.full(n_steps, start) + np.arange(n_steps) / 10
            after = t.update_log_ratio(value, n_states, temperature=tau)
            where = {"n_steps": n_steps, "n_states": n_states, "tau": tau, "L": start}
            yield lab.at_most(where, float(after.max()), float(value.max()), "the largest log-ratio falls")
    for odds_root, n_states in ((3, 2), (5, 3)):
        # tau = 2 with odds that are squares: everything is rational.
        rows = [[F(odds_root if s == x else 1) for x in range(n_states)] for s in range(n_states)]
        tables = [[[x / sum(row) for x in row] for row in rows]] * 3
        refit = refit_of_paths(tables, law_of_paths(tables, lambda path: int(path[0] == path[-1])))
        odds = refit[0][0][0] / refit[0][0][1]
        where = {"n_steps": 3, "n_states": n_states, "tau": 2, "odds": odds_root**2}
        yield lab.true(where, odds < odds_root**2, f"odds {odds_root**2} -> {odds}, all paths")


HOT = Claim(
    id="star.hot_sampling_falls",
    statement="With N >= 3 and temperature at least 2 every model short of the truth falls to guessing.",
    latex=r"N \ge 3,\ \tau \ge 2 \Rightarrow \max_n L_n' < \tfrac{2}{\tau} \max_n L_n \le \max_n L_n",
    origin="derived",
    source=DERIVED,
    kind="threshold",
    domain=Domain({"n_steps": LONG, "n_states": STATES}),
    evidence=(
        Exact("certificate", "the largest log-ratio falls, symbols", _hot_proof),
        Exact("enumeration", "log-ratios on a grid, and all paths at tau = 2", _hot_cells, scope="cells"),
    ),
    mutants=(
        Mutant(
            "a round at temperature 2 raises every log-ratio by a tenth",
            "halving log-ratios costs more than the evidence of the others brings",
            theory={
                "star.update": lambda delta, n_states: 1 - (1 - np.asarray(delta)) / 1000,
                "star.update_log_ratio": lambda value, n_states, **k: value + 0.1,
            },
        ),
        Mutant(
            "temperature leaves the sampled odds as they are",
            "tempering takes the root of the odds at tau = 2",
            theory={
                "star.temper": lambda delta, n_states, temperature: delta,
                "star.update_log_ratio": lambda value, n_states, *, temperature=1.0: theory().update_log_ratio(
                    value, n_states
                ),
                "star.update": lambda delta, n_states: theory().update([d + (1 - d) / 2 for d in delta], n_states),
            },
        ),
    ),
)


# ---------------------------------------------------------------- the threshold between 1 and 2


def _threshold_proof(lab: Lab) -> Iterator[Cell]:
    """f(y)/y rises strictly from 0 to 1, step by step; theory.star.temperature_threshold gives the argument."""
    t = lab.theory.star
    value = sp.log(t.odds(D, M))
    for n_steps in (3, 4):
        rest = D ** (n_steps - 1)
        where = {"n_steps": n_steps, "n_states": "any"}
        yield identity(lab, where, sp.exp(t.evidence(value, n_steps, M)), t.odds(rest, M), "f = l(d^(N-1))")
        slope = t.evidence_slope(value, n_steps, M)
        yield identity(
            lab, where, slope, (n_steps - 1) * _weight(rest) / _weight(D), "y f'/f = phi((N-1)s)/phi(s), d = e^-s"
        )
    yield from _rising_elasticity()


def _weight(x: Any) -> Any:
    """x l'(x)."""
    return M * x / ((1 + (M - 1) * x) * (1 - x))


@lru_cache(maxsize=1)
def _rising_elasticity() -> list[Cell]:
    """phi rises, and f(y)/y goes from 0 to 1: nothing here is read from the lab."""
    p, r, w, root, c, s, ell = (sp.Symbol(name, positive=True) for name in ("p", "r", "w", "B", "c", "s", "l"))
    a = M - 1
    proof = Proof()
    logs = sp.log(1 + a * p) - sp.log(1 - p)
    proof.identity("l' = M/((1+ap)(1-p))", sp.diff(logs, p) * p, _weight(p))
    proof.identity("s = -log p has s' = -1/p", sp.diff(-sp.log(p), p), -1 / p)
    # phi = s p l'/l as a function of p, s(p) and l(p); the chain rule with the two derivatives above.
    phi = s * _weight(p) / ell
    along = sp.diff(phi, p) - sp.diff(phi, s) / p + sp.diff(phi, ell) * _weight(p) / p
    stated = (1 + a * p) * (1 - p) / s - (1 + a * p**2) + M * p / ell
    left = sp.cancel(-p * along / phi * (1 + a * p) * (1 - p))
    proof.identity("(1+ap)(1-p) phi'/phi = H, ' = -p d/dp", left, stated)
    gap = (1 - r**2) / r + 2 * sp.log(r)
    proof.identity("-log p <= (1-p)/sqrt p: the difference vanishes at 1", gap.subs(r, 1), sp.Integer(0))
    proof.nonnegative("and falls on (0, 1), p = r^2", -sp.diff(gap, r), {r: (0, 1)})
    above = (w**2 - 1) / w - 2 * sp.log(w)
    proof.identity("log(1+x) <= x/sqrt(1+x): the difference vanishes at 0", above.subs(w, 1), sp.Integer(0))
    proof.nonnegative("and rises, 1+x = w^2", sp.diff(above, w), {w: (1, sp.oo)})
    x = M * p / (1 - p)
    proof.identity("1 + x = r(p)", 1 + x, (1 + a * p) / (1 - p))
    proof.identity("(Mp)^2 (1+x)/x^2 = (1+ap)(1-p)", (M * p) ** 2 * (1 + x) / x**2, (1 + a * p) * (1 - p))
    proof.identity("1 + a p^2 = (1-p) + p(1+ap)", 1 + a * p**2, (1 - p) + p * (1 + a * p))
    # A = 1 + ap = B^2, p = r^2, 1 - p = c^2.
    least = root**2 * r - (c**2 + r**2 * root**2) + root * c
    parts = (root**2 * r * (1 - r), c * (root - c))
    proof.identity("H >= A sqrt p (1 - sqrt p) + sqrt(1-p) (sqrt A - sqrt(1-p))", least, sum(parts))
    box = {r: (0, 1), c: (0, 1), root: (1, sp.oo)}
    for says, part in zip(("first part positive", "second part positive, A >= 1 > 1-p"), parts, strict=True):
        proof.positive(says, part, box)
    proof.positive("A = 1 + ap > 1", 1 + a * p - 1, {p: (0, 1), M: (1, sp.oo)})
    for k in (2, 3, 5):
        low = D ** (k - 1) * (1 + a * D) / (1 - D**k)  # l(p) <= Mp/(1-p), l(d) >= Md/(1+ad)
        proof.identity(f"f/y -> 0 at 0, N = {k + 1}", sp.limit(low, D, 0), sp.Integer(0))
        proof.nonnegative(f"1 - d^{k} <= {k} (1 - d)", k * (1 - D) - (1 - D**k), BOX)
    proof.nonnegative("so r(d^(N-1)) >= r(d)/((N-1) M): f/y -> 1", M * (1 + a * PI) - (1 + a * D), BOX)
    return proof.cells({"n_steps": "real above 2", "n_states": "real, at least 1"})


THRESHOLDS = (
    (3, 8, 1.2, 0.197), (3, 8, 1.5, 0.649), (3, 64, 1.2, 0.128), (3, 64, 1.5, 0.574), (5, 8, 1.2, 0.624),
    (5, 8, 1.5, 0.947),
)  # fmt: skip


@lru_cache(maxsize=4096)
def _change(value: float, n_steps: int, n_states: int, tau: float) -> int:
    """Certain sign of L' - L from equal log-ratios, in balls; 0 if not certain."""
    from flint import arb, ctx

    before = ctx.prec
    ctx.prec = 600
    try:
        grown = (arb(value) / arb(tau)).exp()
        delta = (grown - 1) / (grown + n_states - 1)
        rest = delta ** (n_steps - 1)
        change = arb(value) / arb(tau) + ((1 + (n_states - 1) * rest) / (1 - rest)).log() - arb(value)
        return 1 if change > 0 else -1 if change < 0 else 0
    finally:
        ctx.prec = before


def _threshold_cells(lab: Lab) -> Iterator[Cell]:
    t = lab.theory.star
    full = [(n, m, tau, None) for n in (3, 4, 8) for m in (2, 16, 1024) for tau in (1.05, 1.4, 1.9)]
    for n_steps, n_states, tau, printed in (*THRESHOLDS, *(full if lab.profile == "full" else full[::5])):
        found = float(t.temperature_threshold(n_steps, n_states, tau))
        where = {"n_steps": n_steps, "n_states": n_states, "temperature": tau}
        factors = (0.02, 0.1, 0.3, 0.6, 0.9, 0.999, 1 - 1e-9, 1 + 1e-9, 1.001, 1.1, 1.5, 2, 4)
        signs = [_change(found * x, n_steps, n_states, tau) for x in factors]
        yield lab.true(where, signs == [-1] * 7 + [1] * 6, f"signs of L' - L at multiples of {found:.6g}: {signs}")
        if printed is not None:
            yield lab.close(where, float(t.from_log_ratio(found, n_states)), printed, 5.1e-4, "to three digits")


def _roots_counted(lab: Lab) -> Iterator[Cell]:
    """Sign changes of L' - L on a fine grid, whatever the shipped threshold: its place is compared afterwards."""
    for n_steps, n_states, tau in ((3, 2, 1.1), (4, 8, 1.5), (6, 256, 1.8)):
        grid = [0.002 * 1.25**k for k in range(50)]
        signs = [_change(x, n_steps, n_states, tau) for x in grid]
        changes = [k for k in range(49) if signs[k] != signs[k + 1]]
        found = float(lab.theory.star.temperature_threshold(n_steps, n_states, tau))
        inside = len(changes) == 1 and 0 not in signs and grid[changes[0]] < found < grid[changes[0] + 1]
        where = {"n_steps": n_steps, "n_states": n_states, "temperature": tau}
        yield lab.true(where, inside, f"{len(changes)} sign change on 50 points; threshold {found:.4g}")


def _evidence_with_own(log_ratio: Any, n_steps: Any, n_states: Any) -> Any:
    return theory().evidence(log_ratio, n_steps + 1, n_states)


THRESHOLD = Claim(
    id="star.single_temperature_threshold",
    statement=(
        "For N >= 3 and a temperature between 1 and 2 there is exactly one threshold: equal deltas above it go to the "
        "truth, below it to guessing."
    ),
    latex=r"1 < \tau < 2:\quad \frac{f(y)}{y} \text{ rises strictly from } 0 \text{ to } 1,\quad f(y_c)/y_c = \tau - 1",
    origin="derived",
    source="derived in theory.star.temperature_threshold, for all real M >= 1 and N > 2",
    kind="threshold",
    domain=Domain(
        {
            "n_steps": LONG,
            "n_states": STATES,
            "temperature": Real(1, 2, open_low=True, open_high=True, meaning="temperature tau", symbol=r"\tau"),
        }
    ),
    evidence=(
        Exact("certificate", "every step of the proof, M a symbol", _threshold_proof, cost=1.0),
        Exact("enumeration", "certain signs on both sides of the threshold", _threshold_cells, scope="cells"),
        Exact("enumeration", "sign changes counted in balls", _roots_counted, scope="cells"),
    ),
    mutants=(
        Mutant(
            "the threshold is log(N-1)/(2/tau - 1)",
            "that is its limit for tau next to 2",
            theory={
                "star.temperature_threshold": lambda n_steps, n_states, temperature: (
                    math.log(n_steps - 1) / (2 / temperature - 1)
                )
            },
        ),
        Mutant(
            "a step counts as evidence for itself: f = l(d^N)",
            "the evidence is that of the N-1 other steps",
            theory={
                "star.evidence": _evidence_with_own,
                "star.temperature_threshold": lambda n_steps, n_states, temperature: theory().temperature_threshold(
                    n_steps + 1, n_states, temperature
                ),
            },
        ),
    ),
    remarks=(
        "The proof writes the elasticity of f as phi((N-1)s)/phi(s) and shows that phi rises. Unequal deltas have no "
        "further interior fixed point."
    ),
)


# ---------------------------------------------------------------- cold sampling on general tables

COLD_TABLES = (((0.64, 0.36), (0.58, 0.42)), ((0.33, 0.67), (0.11, 0.89)))


def _iterated(tables: Any, power: int, rounds: int) -> Any:
    now = [[list(row) for row in table] for table in tables]
    for _ in range(rounds):
        sampled = _cold_tables(now, power)
        now = refit_of_paths(sampled, law_of_paths(sampled, lambda path: int(path[0] == path[-1])))
    return sum(law_of_paths(now, lambda path: int(path[0] == path[-1])).values())


def _cold_fails(lab: Lab) -> Iterator[Cell]:
    tables = lab.theory.star.witness("cold_sampling_fails").tolist()
    for rounds in (2, 3):
        clean, cold = _iterated(tables, 1, rounds), _iterated(tables, 2, rounds)
        where = {"n_states": 2, "n_steps": 2, "rounds": rounds}
        yield lab.true(where, cold >= clean, f"J at tau = 1/2: {float(cold):.4f}, at tau = 1: {float(clean):.4f}")


def _tables_ending(tables: Any, **options: Any) -> Any:
    return lambda cell: {"tables": tables, "n_trajectories": 4000, "n_rounds": 8, **options}


def _nearby(change: Fraction) -> Any:
    def witness(name: str) -> Any:
        tables = theory().witness(name)
        moved = tables.copy()
        moved[0, 0, 0] += change
        moved[0, 0, 1] -= change
        return moved

    return witness


COLD_FAILS = Claim(
    id="star.cold_sampling_is_safe",
    statement="Wherever temperature 1 leads to J = 1, a temperature below 1 leads there too, and faster.",
    latex=r"J_t \to 1 \text{ at } \tau = 1 \Rightarrow J_t \to 1 \text{ at every } \tau < 1",
    origin="derived",
    source="the symmetric family, carried to arbitrary tables",
    kind="property",
    domain=Domain({"n_steps": STEPS, "n_states": STATES}),
    expected="fails",
    repaired_by="star.cold_sampling_sharpens",
    evidence=(
        Exact("enumeration", "three rounds in rationals, one row with the wrong mode", _cold_fails, scope="cells"),
        Simulation(
            "runs at tau = 1/2 that end above J = .9",
            "star.simulate_tables",
            cells=({"n_states": 2, "n_steps": 2},),
            parameters=_tables_ending(COLD_TABLES, temperature=0.5),
            extract=lambda data, cell: Counts(
                int((data["accuracy"].values[:, -1] > 0.9).sum()), data.sizes["replicate"]
            ),
            predict=lambda t, cell: (float(t.star.two_state_limit(COLD_TABLES).all()) - 0.1, 1.0),
            compare="lower",
            resolution=0.05,
            planned_n=128,
            looks=1,
            cost=0.3,
        ),
    ),
    mutants=(
        Mutant(
            "the same with right probability .65 in the first row",
            "the wrong mode of a row stays",
            theory={"star.witness": _nearby(F(1, 100))},
        ),
        Mutant(
            "the same with right probability .63 in the first row",
            "the wrong mode of a row stays",
            theory={"star.witness": _nearby(F(-1, 100))},
        ),
    ),
    remarks="At tau = 1 the sign rule for two states sends these tables to J = 1; at 1/2 they end at 1/2.",
)


# ---------------------------------------------------------------- hints


def _hint_identity(lab: Lab) -> Iterator[Cell]:
    """All prompts of the family have one accuracy, so the hinted law of kept paths is the kept law."""
    t = lab.theory.star
    right = t.accuracy([D, PI], M)
    rate = right + H * (1 - right)
    yield identity(lab, ANY, t.hinted_kept_rate(right, H), rate, "kept share J + h(1-J)")
    # Kept mass of a right path: its own chance p once, and again with weight h(1-J)/J.
    p = sp.Symbol("p", positive=True)
    yield identity(lab, ANY, (p + H * (1 - right) * p / right) / rate, p / right, "the kept law is that without hints")


def _hinted_rows(delta: Sequence[Any], n_states: int, hint: Any, uniform: bool) -> tuple[Any, list[Any]]:
    """Kept mass and rows when failed prompts are retried, path by path, the truth the identity."""
    tables = symmetric_tables(delta, n_states)
    law = law_of_paths(tables, lambda path: int(path[0] == path[-1]))
    by_prompt = [sum(w for path, w in law.items() if path[0] == s) * n_states for s in range(n_states)]
    middle = n_states ** (len(delta) - 1)
    hinted = {}
    for path, weight in law.items():
        if path[0] != path[-1]:
            continue
        fails = hint * (1 - by_prompt[path[0]])
        chance = F(1, middle * n_states) if uniform else weight / by_prompt[path[0]]
        hinted[path] = weight + fails * chance
    return sum(hinted.values()), refit_of_paths(tables, hinted)


def _hint_cells(lab: Lab) -> Iterator[Cell]:
    for (delta, n_states), hint in itertools.product(CHAINS[:3], (F(1, 3), F(1))):
        mass, rows = _hinted_rows(delta, n_states, hint, uniform=False)
        where = {**chain_name(delta, n_states), "hint": str(hint)}
        right = lab.theory.star.accuracy(list(delta), n_states)
        yield lab.equal(where, mass, lab.theory.star.hinted_kept_rate(right, hint), "kept share")
        expected = symmetric_tables(list(lab.theory.star.update(list(delta), n_states)), n_states)
        yield lab.true(where, rows == expected, "rows are those without hints")


MODEL_HINTS = Claim(
    id="star.model_hints_change_no_map",
    statement=(
        "Retrying a share h of failed prompts with paths from the model's law given the right answer leaves the map of "
        "the symmetric family unchanged; only the kept share grows, to J + h(1-J)."
    ),
    latex=r"\delta' = F(\delta), \qquad J \mapsto J + h(1 - J)",
    origin="derived",
    source=DERIVED,
    kind="exact",
    domain=CHAIN,
    evidence=(
        Exact("identity", "the hinted law of a kept path", _hint_identity),
        Exact("enumeration", "all kept and hinted paths", _hint_cells, scope="cells"),
        single_leg(
            "kept trajectories with h = 1/2",
            lambda data, cell: Counts(int(data["kept"].values[:, 1].sum()), data.sizes["replicate"]),
            lambda t, c: float(t.star.hinted_kept_rate(float(t.star.accuracy(c["delta"], c["n_states"])), 0.5)),
            hint=0.5,
        ),
        single_leg(
            "right first steps of kept trajectories with h = 1/2",
            _right,
            lambda t, c: _alpha(t.star.update(c["delta"], c["n_states"])[0], c["n_states"]),
            hint=0.5,
        ),
    ),
    mutants=(
        Mutant(
            "the kept share is J + h",
            "only failed prompts are retried",
            theory={"star.hinted_kept_rate": lambda accuracy, hint: accuracy + hint},
        ),
        Mutant(
            "hinted rounds learn at half speed",
            "the hinted law is the kept law",
            theory={"star.update": lambda delta, n_states: _halfway(delta, n_states)},
        ),
    ),
)


def _halfway(delta: Any, n_states: Any) -> Any:
    return (np.asarray(delta) + theory().update(delta, n_states)) / 2


def _uniform_identity(lab: Lab) -> Iterator[Cell]:
    t = lab.theory.star
    right = t.accuracy([D, PI], M)
    clean = t.update([D, PI], M)[0]
    mixed = right * clean / (right + H * (1 - right))
    found = t.uniform_hint_update([D, PI], M, H)[0]
    yield identity(lab, ANY, found, mixed, "clean rows and uniform rows in proportion J : h(1-J)")


def _barrier_identity(lab: Lab) -> Iterator[Cell]:
    t = lab.theory.star
    for n_steps in (2, 3, 5):
        change = t.uniform_hint_update([D] * n_steps, M, H)[0] - D
        scale = D * (1 + (M - 1) * D**n_steps + H * (M - 1) * (1 - D**n_steps)) ** -1
        polynomial = t.hint_barrier_polynomial(D, n_steps, M, H)
        where = {"n_steps": n_steps, "n_states": "any"}
        yield identity(lab, where, change, scale * polynomial, "the barrier polynomial")
        eps = sp.Symbol("epsilon", positive=True)
        gap = 1 - t.uniform_hint_update([1 - eps] * n_steps, M, H)[0]
        rate = sp.limit(sp.cancel(sp.together(gap) / eps), eps, 0)
        yield identity(lab, where, rate, H * n_steps * (M - 1) / M, "the end is linear at h N (M-1)/M")


def _uniform_cells(lab: Lab) -> Iterator[Cell]:
    t = lab.theory.star
    for (delta, n_states), hint in itertools.product(CHAINS[:3], (F(1, 10), F(1))):
        rows = _hinted_rows(delta, n_states, hint, uniform=True)[1]
        after = t.uniform_hint_update(list(delta), n_states, hint)
        for n, d in enumerate(after):
            where = {**chain_name(delta, n_states), "hint": str(hint), "step": n + 1}
            yield lab.equal(where, (n_states * rows[n][0][0] - 1) / (n_states - 1), d)
    for n_steps, n_states, share, barrier in (
        (3, 8, 0.1, 0.310),
        (3, 64, 0.1, 0.383),
        (2, 8, 0.1, 0.0),
        (3, 8, 1.0, 1.0),
    ):
        where = {"n_steps": n_steps, "n_states": n_states, "hint": share}
        yield lab.close(where, t.hint_barrier(n_steps, n_states, share), barrier, 5.1e-4, "barrier to three digits")


UNIFORM_HINTS = Claim(
    id="star.uniform_hints",
    statement=(
        "Hinted paths that are uniform among those ending right mix guessing into every row: the truth attracts only "
        "if h N (M-1) < M, and for N >= 3 there is a barrier below it."
    ),
    latex=r"\delta' = \frac{J\,F(\delta)}{J + h(1-J)}, \qquad \epsilon' \sim \frac{hN(M-1)}{M}\,\epsilon",
    origin="derived",
    source=DERIVED,
    kind="exact",
    domain=CHAIN,
    evidence=(
        Exact("identity", "the map, Pi_(-n), M and h symbols", _uniform_identity),
        Exact("identity", "barrier polynomial and end for N = 2, 3, 5", _barrier_identity, scope="cells", cost=0.4),
        Exact("enumeration", "all kept and hinted paths", _uniform_cells, scope="cells"),
        single_leg(
            "right first steps with uniform hints, h = 1/2",
            _right,
            lambda t, c: _alpha(t.star.uniform_hint_update(c["delta"], c["n_states"], 0.5)[0], c["n_states"]),
            hint=0.5,
            hint_law="uniform",
        ),
    ),
    mutants=(
        Mutant(
            "uniform hints leave the map as it is",
            "a uniform path knows nothing of the single steps",
            theory={"star.uniform_hint_update": lambda delta, n_states, hint: theory().update(delta, n_states)},
        ),
        Mutant(
            "every prompt is hinted, not only those that failed",
            "hints come after failures",
            theory={
                "star.uniform_hint_update": lambda delta, n_states, hint: theory().update(delta, n_states) / (1 + hint)
            },
        ),
    ),
)


def _potential_proof(lab: Lab) -> list[Cell]:
    """phi(u) = h u + (1-h) e^u lies above its tangents; the tangent's slope is the prompt's weight."""
    u, w = sp.Symbol("u", real=True), sp.Symbol("w", positive=True)
    phi = H * u + (1 - H) * sp.exp(u)
    above = phi.subs(u, u + w) - phi - sp.diff(phi, u) * w
    proof = Proof()
    proof.identity("phi above its tangent by (1-h)e^u (e^w - 1 - w)", above, (1 - H) * sp.exp(u) * (sp.exp(w) - 1 - w))
    for sign, says in ((1, "w > 0"), (-1, "w < 0")):
        rest = sp.exp(sign * w) - 1 - sign * w
        proof.identity(f"e^w - 1 - w vanishes at 0, {says}", rest.subs(w, 0), sp.Integer(0))
        proof.positive(f"and rises away from 0, {says}", sp.diff(rest, w), {w: (0, sp.oo)})
    right = sp.Symbol("J", positive=True)
    proof.identity("slope at u = log J: the prompt's kept weight", H + (1 - H) * right, right + H * (1 - right))
    proof.identity("which is what the lab keeps", lab.theory.star.hinted_kept_rate(right, H), H + (1 - H) * right)
    # The rest is the inequality for rewards: sum_s weight(s) log(J'(s)/J(s)) >= 0 after the weighted refit.
    off = lab.theory.star.hinted_kept_rate(right, H) - H - (1 - H) * right
    return proof.cells(ANY, witness_below_zero([-(off**2)], {right: (0, 1), H: (0, 1)}))


def _hint_tables() -> list[tuple[Any, list[Fraction], Fraction]]:
    found = []
    for index in range(16):
        n_steps, n_states = 1 + index % 3, 2 + index % 2
        tables = random_tables(n_steps, n_states, index)
        start = [x / 6 for x in ([F(1), F(5)] if n_states == 2 else [F(1), F(2), F(3)])]
        found.append((tables, start, F(1 + index % 4, 4)))
    return found


def _by_prompt(weights: Mapping[int, Fraction]) -> Any:
    return lambda path: weights[path[0]] if path[0] == path[-1] else 0


def _potential_cells(lab: Lab) -> Iterator[Cell]:
    t = lab.theory.star
    for index, (tables, start, hint) in enumerate(_hint_tables()):
        array = np.array(tables, dtype=object)
        law = np.array(start, dtype=object)
        right = _prompt(tables)
        weights = {s: (hint + (1 - hint) * right[s]) / right[s] for s in range(len(right))}
        paths = law_of_paths(tables, _by_prompt(weights), start)
        rows = refit_of_paths(tables, paths)
        where = {"n_states": len(right), "n_steps": len(tables), "table": index, "hint": str(hint)}
        yield lab.true(where, t.hinted_refit(array, hint, start=law).tolist() == rows, "rows of all hinted paths")
        later = _prompt(rows)

        before = float(t.hint_potential(array, hint, start=law))
        # The sum has a handful of terms below 10: rounding stays below 1e-13.
        yield lab.close(where, _potential(right, hint, start), before, 1e-13, "the potential")
        yield lab.at_most(where, before, _potential(later, hint, start) + 1e-13, "it does not fall")


def _potential(each: Sequence[Any], hint: Fraction, start: Sequence[Fraction]) -> float:
    terms = (float(p) * (float(hint) * math.log(x) + float((1 - hint) * x)) for p, x in zip(start, each, strict=True))
    return sum(terms)


def _prompt(tables: Any) -> list[Any]:
    n_states = len(tables[0])
    law = law_of_paths(tables, lambda path: int(path[0] == path[-1]))
    return [n_states * sum(w for path, w in law.items() if path[0] == s) for s in range(n_states)]


POTENTIAL = Claim(
    id="star.hint_potential",
    statement=(
        "For arbitrary tables and start laws, rounds with hints from the model never lower "
        "E_s[h log J(s) + (1-h) J(s)], J(s) the accuracy of prompt s."
    ),
    latex=r"\Phi_h = \mathbb{E}_s\bigl[h \log J(s) + (1-h) J(s)\bigr], \qquad \Phi_h' \ge \Phi_h",
    origin="derived",
    source=DERIVED + ": the tangent of u -> h u + (1-h) e^u and the inequality for rewards, prompt by prompt",
    kind="property",
    domain=Domain({"n_steps": Integer(1), "n_states": STATES}),
    evidence=(
        Exact("certificate", "the convex function above its tangent", _potential_proof),
        Exact("enumeration", "hinted paths of random rational tables", _potential_cells, scope="cells", cost=0.3),
    ),
    mutants=(
        Mutant(
            "a prompt weighs h J(s)",
            "kept and hinted paths add up to h + (1-h) J(s)",
            theory={"star.hinted_kept_rate": lambda accuracy, hint: hint * accuracy},
        ),
        Mutant(
            "the potential is E_s[log J(s)] whatever h",
            "that is the case h = 1",
            theory={"star.hint_potential": lambda tables, hint, *, start=None: theory().hint_potential(
                tables, F(1), start=start
            )},
        ),
    ),
)  # fmt: skip


def _hints_lower(lab: Lab) -> Iterator[Cell]:
    t = lab.theory.star
    tables = t.witness("hints_lower_accuracy")
    start = [F(3, 5), F(2, 5)]
    law = np.array(start, dtype=object)
    before = t.expected_reward(tables, start=law)
    after = t.expected_reward(t.hinted_refit(tables, F(1), start=law), start=law)
    right = _prompt(tables.tolist())
    paths = law_of_paths(tables.tolist(), lambda path: 1 / right[path[0]] if path[0] == path[-1] else 0, start)
    literal = sum(
        law_of_paths(refit_of_paths(tables.tolist(), paths), lambda path: int(path[0] == path[-1]), start).values()
    )
    where = {"n_states": 2, "n_steps": 2, "hint": "1"}
    yield lab.true(where, after >= before and literal == after, f"J {before} -> {after}, all paths: {literal}")


HINTS_LOWER = Claim(
    id="star.hints_raise_accuracy",
    statement="Hints from the model never lower the accuracy, whatever the tables.",
    latex=r"J' \ge J \quad\text{for every } h \in [0, 1]",
    origin="derived",
    source="the symmetric family, carried to arbitrary tables",
    kind="property",
    domain=Domain({"n_steps": STEPS, "n_states": STATES}),
    expected="fails",
    repaired_by="star.hint_potential",
    evidence=(
        Exact("enumeration", "two prompts that share a middle state, exact", _hints_lower, scope="cells"),
        Simulation(
            "runs with h = 1 that end no less accurate after a round",
            "star.simulate_tables",
            cells=({"n_states": 2, "n_steps": 2},),
            parameters=lambda cell: {
                "tables": (((1.0, 0.0), (1.0, 0.0)), ((0.99, 0.01), (0.5, 0.5))),
                "start": (0.6, 0.4),
                "n_trajectories": 4000,
                "n_rounds": 1,
                "hint": 1.0,
            },
            extract=lambda data, cell: Counts(
                int((data["accuracy"].values[:, 1] >= data["accuracy"].values[:, 0]).sum()), data.sizes["replicate"]
            ),
            predict=lambda t, cell: (0.9 * float(t.star.hinted_kept_rate(0.5, 1.0)), 1.0),
            compare="lower",
            resolution=0.05,
            planned_n=128,
            looks=1,
            cost=0.1,
        ),
    ),
    mutants=(
        Mutant(
            "the same when the majority prompt is answered with probability .98",
            "the refit still serves both prompts alike",
            theory={"star.witness": lambda name: _shared(F(98, 100))},
        ),
        Mutant(
            "the same when the majority prompt is answered with probability .95",
            "the refit still serves both prompts alike",
            theory={"star.witness": lambda name: _shared(F(95, 100))},
        ),
    ),
)


def _shared(right: Fraction) -> Any:
    tables = theory().witness("hints_lower_accuracy").copy()
    tables[1, 0, 0], tables[1, 0, 1] = right, 1 - right
    return tables


CLAIMS = (
    NOISE,
    NOISE_SIGN,
    TEMPER,
    COLD_CLAIM,
    HOT,
    THRESHOLD,
    COLD_FAILS,
    MODEL_HINTS,
    UNIFORM_HINTS,
    POTENTIAL,
    HINTS_LOWER,
)
