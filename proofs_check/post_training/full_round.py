"""Claims about rounds off calibration: the exact map, which reward grows the chain, heat."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import numpy as np
import sympy as sp

from proofs_check.certificates import Proof, is_zero
from proofs_check.claims import Claim, Exact, Mutant, Simulation
from proofs_check.domains import Domain, Real
from proofs_check.post_training._common import LENGTH, answers_of_state, closed_forms, filtered, rate_leg, shares_of
from proofs_check.samples import Counts
from proofs_check.verdicts import Cell

if TYPE_CHECKING:
    from proofs_check.lab import Lab

__all__ = ["CLAIMS"]

ERROR = Real(0, 1, meaning="error of a chain token", symbol="e")
TAU = Real(0, open_low=True, meaning="sampling temperature", symbol=r"\tau")


# ---------------------------------------------------------------- the map

STATES = (
    (Fraction(3, 5), Fraction(2, 3), Fraction(1), (Fraction(1, 10), Fraction(1, 5), Fraction(1, 3))),
    (Fraction(1, 4), Fraction(1, 8), Fraction(7, 8), (Fraction(0), Fraction(3, 5), Fraction(1, 2))),
    (Fraction(9, 10), Fraction(1, 2), Fraction(1, 3), (Fraction(1, 50), Fraction(1, 50), Fraction(1, 50))),
)


def _map_cells(lab: Lab) -> Iterator[Cell]:
    """Sample, filter and refit by listing every answer to every prompt of length 3 and 4, in rationals."""
    t = lab.theory.post_training
    for d in (3, 4):
        for u, stop, other, errors in STATES:
            e = errors[: d - 1]
            law = answers_of_state(d, u, stop, other, e)
            for kind in ("r_cot", "r_e2e"):
                found, shipped = shares_of(filtered(law, kind)), t.full_round(u, stop, other, e, kind)
                cell = {"d": d, "reward": kind, "u": str(u)}
                for name in ("kept", "first_token", "stop_agree", "stop_disagree"):
                    yield lab.equal(cell, found[name], getattr(shipped, name), name)
                for a, b in zip(found["chain_errors"], shipped.chain_errors, strict=True):
                    yield lab.equal(cell, a, b, "token error")
            accuracy = t.mean_accuracy(u, stop, other, e)
            yield lab.equal({"d": d}, shares_of(filtered(law, "r_e2e"))["kept"], accuracy, "expected r_e2e")


def _map_identity(lab: Lab) -> Iterator[Cell]:
    """With symbols: the odds of going on are multiplied by 2R or 1 + D; calibration goes to calibration."""
    t = lab.theory.post_training
    u, v, e, f, p = sp.symbols("u v e f p", positive=True)
    for kind, factor in (("r_cot", 2 * (1 - e) * (1 - f)), ("r_e2e", 1 + (1 - 2 * e) * (1 - 2 * f))):
        after = t.full_round(u, v, sp.Integer(1), [e, f], kind)
        odds = (1 - after.stop_agree) / after.stop_agree
        yield lab.true({"reward": kind}, is_zero(odds - factor * (1 - v) / v), "odds of going on after agreement")
        zero = sp.Integer(0)
        at = t.full_round((1 + p) / 2, (1 - p) / (1 + p), sp.Integer(1), [zero, zero], kind)
        q = 2 * p / (1 + p)
        yield lab.true({"reward": kind}, is_zero(at.first_token - (1 + q) / 2), "u stays calibrated")
        yield lab.true({"reward": kind}, is_zero(at.stop_agree - (1 - q) / (1 + q)), "v+ stays calibrated")


def _state_parameters(cell: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "d": cell["d"], "p_0": 0.5, "n_samples": 4096, "n_rounds": 1, "first_token": cell["u"],
        "stop_agree": cell["v"], "stop_disagree": cell["w"], "token_error": cell["token_error"],
        "reward": cell["reward"],
    }  # fmt: skip


def _one(theory: Any, cell: Mapping[str, Any]) -> Any:
    errors = [cell["token_error"]] * (cell["d"] - 1)
    return theory.post_training.full_round(cell["u"], cell["v"], cell["w"], errors, cell["reward"])


def _stopping(data: Any, cell: Mapping[str, Any]) -> Counts:
    """Short ones among the kept answers that agree with x_1; counts, recovered from the shares."""
    kept = data["kept"].values[:, 1]
    agree = np.rint(data["first_token"].values[:, 1] * kept)
    short = np.rint(data["stop_agree"].values[:, 1] * agree)
    return Counts(int(short.sum()), int(agree.sum()))


_TABLE_CELLS = [
    {"d": d, "u": 0.6, "v": 0.7, "w": 0.9, "token_error": e, "reward": reward}
    for d, e in ((4, 0.2), (10, 0.05))
    for reward in ("r_cot", "r_e2e")
]


def _model_parameters(cell: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "d": cell["d"], "p_0": cell["p_0"], "n_samples": 4096, "n_rounds": 1, "start_ridge": 1e-8, "n_prompts": 1,
        "start_token_error": cell["token_error"], "reward": cell["reward"],
    }  # fmt: skip


def _kept(data: Any, cell: Mapping[str, Any]) -> Counts:
    return Counts(int(data["kept"].values[:, 1].sum()), int(data["drawn"].values[:, 1].sum()))


def _mass(theory: Any, cell: Mapping[str, Any]) -> float:
    t = theory.post_training
    start = t.calibrated_state(cell["d"], cell["p_0"], cell["token_error"])
    return float(t.full_round(*start[1:], cell["reward"]).kept)


def _swap(u: Any, v: Any, w: Any, errors: Any, kind: str = "r_cot") -> Any:
    return closed_forms().full_round(u, v, w, errors, "r_e2e" if kind == "r_cot" else "r_cot")


def _ignores_errors(u: Any, v: Any, w: Any, errors: Any, kind: str = "r_cot") -> Any:
    return closed_forms().full_round(u, v, w, [0 * e for e in errors], kind)


FULL_ROUND = Claim(
    id="post_training.full_round",
    statement=(
        "Off calibration a round multiplies the odds of going on after agreement by 2R under r_cot (and cleans the "
        "chain) and "
        "by 1 + D under r_e2e, R the probability of an exact chain and D the product of 1 - 2e over its steps."
    ),
    latex=r"c' = 2Rc\ (r_{cot}),\qquad c' = (1+D)\,c\ (r_{e2e}),\qquad R=\prod(1-e_l),\ D=\prod(1-2e_l)",
    origin="derived",
    source="sampling, filtering and refitting in the population; flips multiply into the answer",
    kind="exact",
    domain=Domain({"d": LENGTH, "token_error": ERROR}),
    evidence=(
        Exact(
            "enumeration", "every answer of length 3 and 4, refitted, in rationals", _map_cells, scope="cells", cost=0.1
        ),
        Exact("identity", "odds and calibration with symbols", _map_identity, scope="cells", cost=0.5),
        Simulation(
            "stopping among the kept agreeing answers",
            "post_training.tabular_star",
            cells=_TABLE_CELLS,
            parameters=_state_parameters,
            extract=_stopping,
            predict=lambda theory, cell: _one(theory, cell).stop_agree,
            resolution=0.03,
            planned_n=12,
            unit="block of 4096 answer",
            cost=0.3,
        ),
        Simulation(
            "answers of the linear model that are kept",
            "post_training.star",
            cells=[
                {"d": d, "p_0": 0.4, "token_error": e, "reward": reward}
                for d, e in ((4, 0.2), (20, 0.03))
                for reward in ("r_cot", "r_e2e")
            ],
            parameters=_model_parameters,
            extract=_kept,
            predict=_mass,
            resolution=0.02,
            planned_n=16,
            unit="block of 4096 answer",
            cost=0.5,
        ),
    ),
    mutants=(
        Mutant("the two rewards are swapped", "r_e2e accepts wrong chains", theory={"post_training.full_round": _swap}),
        Mutant(
            "chain errors do not matter",
            "a wrong chain fails r_cot",
            theory={"post_training.full_round": _ignores_errors},
        ),
    ),
    remarks="The two rewards coincide iff v- = 1 and the chain is exact. Conditionals that no kept answer shows stay.",
)

# ---------------------------------------------------------------- which reward grows


def _gate_proof(lab: Lab) -> list[Cell]:
    """2R > 1 iff e < 1 - 2^(-1/(d-1)); 1 + D > 1 iff D > 0."""
    linear = lab.theory.linear_model
    t = lab.theory.post_training
    proof = Proof()
    d = sp.Symbol("d", positive=True)
    e_c = linear.critical_chain_error(d)
    half = sp.powdenest(sp.simplify((1 - e_c) ** (d - 1)), force=True)
    proof.step("(1 - e_c)^(d-1) = 1/2", half == sp.Rational(1, 2))
    ok = True
    bad: dict[str, Any] | None = None
    for size in (3, 5, 20):
        for factor, grows in ((0.98, True), (1.02, False)):
            e = factor * float(linear.critical_chain_error(size))
            start = t.calibrated_state(size, 0.1, e)
            for kind, expected in (("r_cot", grows), ("r_e2e", True)):
                after = t.full_round(*start[1:], kind)
                larger = (1 - after.stop_agree) / after.stop_agree > (1 - start.stop_agree) / start.stop_agree
                if bool(larger) != expected:
                    ok, bad = False, {"d": str(size), "token_error": str(e), "reward": kind}
    proof.step("both sides of the critical error, both rewards", ok)
    return proof.cells({"d": "{3, 4, ...}"}, bad)


def _gate_parameters(cell: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "d": cell["d"], "p_0": 0.3, "n_samples": 4096, "n_rounds": 1, "start_ridge": 1e-8, "n_prompts": 1,
        "start_token_error": cell["token_error"], "reward": cell["reward"],
    }  # fmt: skip


def _kept_long(data: Any, cell: Mapping[str, Any]) -> Counts:
    return Counts(int(data["kept_long"].values[:, 1].sum()), int(data["kept"].values[:, 1].sum()))


def _grows(theory: Any, cell: Mapping[str, Any]) -> tuple[float, float]:
    """The kept share lies above p_0 = .3 where the odds grow, and below where they fall."""
    growing = cell["reward"] == "r_e2e" or cell["token_error"] < theory.linear_model.critical_chain_error(cell["d"])
    return (0.3, 1.0) if growing else (0.0, 0.3)


GATE = Claim(
    id="post_training.growth_gate",
    statement=(
        "With chain errors r_e2e always grows the long route (D > 0), r_cot grows it in a round iff R > 1/2, that is "
        "e < 1 - 2^(-1/(d-1)), about ln 2/(d-1)."
    ),
    latex=r"r_{cot}:\ c' > c \iff R > \tfrac12 \iff e < 1-2^{-1/(d-1)};\qquad r_{e2e}:\ c' > c \iff D > 0",
    origin="derived",
    source="factors 2R and 1 + D",
    kind="threshold",
    domain=Domain({"d": LENGTH, "token_error": ERROR}),
    evidence=(
        Exact("certificate", "the critical error, and the map on both sides of it", _gate_proof, cost=0.3),
        Simulation(
            "kept long answers of the linear model on both sides",
            "post_training.star",
            cells=[
                {"d": 20, "token_error": e, "reward": reward} for e in (0.02, 0.05) for reward in ("r_cot", "r_e2e")
            ],
            parameters=_gate_parameters,
            extract=_kept_long,
            predict=_grows,
            planned_n=16,
            unit="block of 4096 answer",
            cost=0.5,
        ),
    ),
    mutants=(
        Mutant(
            "the critical error is 1/4 of the true one",
            "at d = 20 and e = .02 a chain is right with probability .68",
            theory={"linear_model.critical_chain_error": lambda d: 0.25 * (1 - 2 ** (-1 / (d - 1)))},
        ),
        Mutant(
            "the critical error is 1/2",
            "at d = 20 and e = .05 a chain is right with probability .38",
            theory={
                "linear_model.critical_chain_error": lambda d: sp.Rational(1, 2) if isinstance(d, sp.Expr) else 0.5
            },
        ),
    ),
    remarks=(
        "A single bad round costs a factor 2R once, since r_cot cleans the chain; in finite samples it may be fatal."
    ),
)

# ---------------------------------------------------------------- heat


def _margin_cells(lab: Lab) -> Iterator[Cell]:
    """The margin map is the full round on tempered states, and its unstable fixed point is where it changes sign."""
    t = lab.theory.post_training
    for d, tau in ((5, 1.3), (20, 1.5), (20, 2.2)):
        for x in (0.4, 1.0, 2.5):
            e = t.tempered_probability(1 / (1 + math.exp(2 * x)), tau)
            after = t.full_round(0.6, 0.5, 1.0, [e] * (d - 1), "r_e2e").chain_errors[0]
            # x' up to 5, so e' down to e^-10: relative rounding 1e-16 * d * e^10.
            yield lab.close(
                {"d": d, "temperature": tau, "x": x},
                t.chain_margin_round(x, d, tau),
                0.5 * math.log(1 / after - 1),
                1e-9,
            )
            yield lab.true(
                {"d": d, "temperature": tau, "x": x}, t.chain_margin_round(x, d, tau) <= 2 * x / tau, "x' <= 2x/tau"
            )


def _critical_cells(lab: Lab) -> Iterator[Cell]:
    """Iterate the whole round from 3 % above and below the critical error: the chain dies, or gets clean."""
    t = lab.theory.post_training
    for d, tau in ((20, 1.1), (20, 1.3), (50, 1.3)):
        e_c = float(t.critical_token_error(d, tau))
        for factor, dies in ((1.03, True), (0.97, False)):
            x = 0.5 * math.log((1 - factor * e_c) / (factor * e_c)) if 0 < factor * e_c < 0.5 else 0.0
            for _ in range(200):
                y = x / tau
                power = math.tanh(y) ** (d - 2)
                x = min(y + math.atanh(min(power, 1 - 2**-53)), 15.0)
            yield lab.true(
                {"d": d, "temperature": tau}, (x < 0.1) == dies, f"from {factor} times {e_c:.4g}: margin {x:.3g}"
            )


def _heat_parameters(cell: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "d": cell["d"], "p_0": 0.4, "n_samples": 2000, "n_rounds": 8, "token_error": cell["token_error"],
        "reward": "r_e2e", "temperature": cell["temperature"],
    }  # fmt: skip


def _wrong_side(data: Any, cell: Mapping[str, Any], theory: Any) -> np.ndarray:
    """Runs whose last model errs otherwise than the critical error says: above .1 by then, or below .01."""
    dies = cell["token_error"] > theory.post_training.critical_token_error(cell["d"], cell["temperature"])
    final = data["chain_error"].values[:, -1]
    return np.asarray(final < 0.1 if dies else final > 0.01)


HEAT = Claim(
    id="post_training.temperature_destroys_chains",
    statement=(
        "Sampling at temperature tau under r_e2e, a chain with margin x goes to x/tau + artanh(tanh(x/tau)^(d-2)) <= "
        "2x/tau. So "
        "tau >= 2 destroys every chain, and 1 < tau < 2 does where the token error exceeds a critical one: .0049 at d "
        "= 20, tau = 1.3."
    ),
    latex=(
        r"x' = \frac{x}{\tau} + \operatorname{artanh}\bigl(\tanh(x/\tau)^{d-2}\bigr) \le \frac{2x}{\tau},\qquad x = "
        r"\operatorname{artanh}(1-2e)"
    ),
    origin="derived",
    source="the full round with v- = 1 and equal errors",
    kind="threshold",
    domain=Domain({"d": LENGTH, "temperature": TAU}),
    evidence=(
        Exact("enumeration", "margins through the full round", _margin_cells, scope="cells"),
        Exact("enumeration", "iteration from both sides of the critical error", _critical_cells, scope="cells"),
        rate_leg(
            "runs on the wrong side, errors three times above and below",
            "post_training.tabular_star",
            {
                "quick": [
                    {"d": 20, "temperature": 1.3, "token_error": 0.0147},
                    {"d": 20, "temperature": 1.3, "token_error": 0.0016},
                    {"d": 10, "temperature": 2.2, "token_error": 0.002},
                ],
                "full": [
                    {"d": 20, "temperature": 1.3, "token_error": 0.0147},
                    {"d": 20, "temperature": 1.3, "token_error": 0.0016},
                    {"d": 10, "temperature": 2.2, "token_error": 0.002},
                    {"d": 50, "temperature": 1.3, "token_error": 0.0023},
                ],
            },
            _heat_parameters,
            _wrong_side,
            0.7,
        ),
    ),
    mutants=(
        Mutant(
            "the critical error is ten times larger",
            "at d = 20, tau = 1.3 an error of .03 already dies",
            theory={
                "post_training.critical_token_error": lambda d, tau: (
                    min(0.5, 10 * closed_forms().critical_token_error(d, tau)) or 0.1
                ),
                "post_training.chain_margin_round": lambda x, d, tau=1.0: (
                    closed_forms().chain_margin_round(x, d, tau) + 0.1
                ),
            },
        ),
        Mutant(
            "the evidence of the others is not lost: x' = 2x/tau",
            "the parity of d - 2 noisy tokens is less certain than one of them",
            theory={"post_training.chain_margin_round": lambda x, d, tau=1.0: 2 * x / tau},
        ),
    ),
    remarks="Past the critical error accuracy goes to 1/2 while answers stay long: longer and no better.",
)

CLAIMS = (FULL_ROUND, GATE, HEAT)
