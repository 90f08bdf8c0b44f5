"""Claims about REINFORCE: the time of its flow, its natural gradient, and losses divided by the length."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import sympy as sp

from proofs_check.certificates import Proof, is_zero
from proofs_check.claims import Claim, Exact, Mutant
from proofs_check.domains import Domain, Real
from proofs_check.post_training._common import (
    LENGTH,
    P_0,
    SIGMAS,
    closed_forms,
    off_time,
    rate_leg,
    reinforce_parameters,
)
from proofs_check.verdicts import Cell

if TYPE_CHECKING:
    from proofs_check.lab import Lab

__all__ = ["CLAIMS"]


# ---------------------------------------------------------------- REINFORCE


def _conserved(lab: Lab) -> list[Cell]:
    """d/dt of ln U + 1 + U - (ln c + c)/2 along the flow, with U and c as symbols."""
    t = lab.theory.post_training
    big, c = sp.symbols("U c", positive=True)
    speeds = t.flow(big / (1 + big), 1 / (1 + c), "reinforce")
    invariant = t.reinforce_invariant(big, c)
    change = sp.diff(invariant, big) * big * speeds.first_token + sp.diff(invariant, c) * c * speeds.go_on
    proof = Proof()
    ok = is_zero(sp.cancel(sp.nsimplify(change)))
    proof.step("the invariant is conserved", ok)
    proof.step("ln c grows", sp.simplify(speeds.go_on - big * c / ((1 + big) * (1 + c) ** 2)) == 0)

    def witness() -> dict[str, Any] | None:
        value = change.subs({big: sp.Rational(3, 2), c: sp.Rational(1, 2)})
        grows = speeds.go_on.subs({big: sp.Rational(3, 2), c: sp.Rational(1, 2)}) - sp.Rational(2, 15)
        if abs(float(value)) > 1e-12 or abs(float(grows)) > 1e-12:
            return {"U": "3/2", "c": "1/2", "change": str(float(value))}
        return None

    return proof.cells({"U": "(0, inf)", "c": "(0, inf)"}, witness)


def _times(lab: Lab) -> Iterator[Cell]:
    """Integrate the flow itself by Runge and Kutta, fixed steps in ln c, and compare times and the limit constant."""
    t = lab.theory.post_training
    for p in (0.1, 0.01, 1e-4):
        ln_c, alpha, time = math.log(2 * p / (1 - p)), math.log((1 + p) / (1 - p)), 0.0
        steps = 2000
        h = -ln_c / steps

        def slopes(x: float, a: float) -> tuple[float, float]:
            u, v = 1 / (1 + math.exp(-a)), 1 / (1 + math.exp(x))
            speed = u * v * (1 - v)
            return u * (1 - u) * (1 - v) / 2 / speed, 1 / speed

        for k in range(steps):
            x = ln_c + k * h
            a1 = slopes(x, alpha)
            a2 = slopes(x + h / 2, alpha + h / 2 * a1[0])
            a3 = slopes(x + h / 2, alpha + h / 2 * a2[0])
            a4 = slopes(x + h, alpha + h * a3[0])
            alpha += h / 6 * (a1[0] + 2 * a2[0] + 2 * a3[0] + a4[0])
            time += h / 6 * (a1[1] + 2 * a2[1] + 2 * a3[1] + a4[1])
        # Fourth order: steps below 0.005 leave 1e-9.
        yield lab.close({"p_0": p}, p * t.reinforce_time(p), p * time, 1e-6, "p_0 T")
        constant = t.reinforce_time_constant()
        # (1+c)^2 adds 2/(u c) to the integrand 1/(u c^2), with u >= 1/2: at most 4 ln(1/c_0), and c^2 adds at most 2.
        yield lab.close({"p_0": p}, p * time, constant, 4 * p * (math.log(1 / p) + 1), "against the limit")


REINFORCE = Claim(
    id="post_training.reinforce_time",
    statement=(
        "REINFORCE conserves ln U + 1/(1-u) - (ln c + c)/2 and needs the time 0.9076/(eta p_0) to make greedy "
        "decoding go on as "
        "p_0 -> 0 (1.223/(eta p_0) at p_0 = .1): of order 1/p_0."
    ),
    latex=(
        r"\ln U + \frac{1}{1-u} - \frac{\ln c + c}{2} = \text{const},\qquad T = \int \frac{(1+c)^2}{\eta u c^2}\,dc "
        r"\sim \frac{0.9076}{\eta p_0}"
    ),
    origin="derived",
    source="flow of the exact gradients, exact chain, v- = 1",
    kind="rate",
    domain=Domain({"p_0": P_0}),
    evidence=(
        Exact("certificate", "the invariant along the flow", _conserved),
        Exact("enumeration", "the flow by Runge and Kutta", _times, scope="cells", cost=0.3),
        rate_leg(
            "sampled runs, all weights free, whose time is off by 3.3 standard deviations",
            "post_training.policy_gradient",
            {"quick": [{"p_0": 0.1}], "full": [{"p_0": p} for p in (0.1, 0.05, 0.02)]},
            reinforce_parameters,
            off_time("reinforce"),
            0.5,
        ),
    ),
    mutants=(
        Mutant(
            "T grows like p_0^-0.8",
            "the speed of ln c at the start is eta p_0 to first order",
            theory={"post_training.reinforce_time": lambda p, eta=1.0: 1.5 * p**-0.8 / eta},
        ),
        Mutant(
            "the invariant is ln U + U - ln c",
            "c moves at uc/(1+c)^2 and U at half of U(1-u)u c/(1+c)",
            theory={"post_training.reinforce_invariant": lambda big, c: sp.log(big) + big - sp.log(c)},
        ),
    ),
    remarks=(
        "It leaves the calibrated models: u grows well before c does. Sampled runs may differ from the flow's time by "
        "what finite steps add (the mean update iterated), by 3.3 standard deviations of the noise of their batches "
        "(propagated to first order), and by half the logit variance of the idle weights."
    ),
)

# ---------------------------------------------------------------- natural gradient


def _natural_identity(lab: Lab) -> Iterator[Cell]:
    """On U = 1 + c the speeds keep U = 1 + c, and ln c has constant speed."""
    t = lab.theory.post_training
    c = sp.Symbol("c", positive=True)
    speeds = t.flow((1 + c) / (2 + c), 1 / (1 + c), "natural")
    yield lab.true(
        {"c": "symbol"},
        is_zero(sp.nsimplify(speeds.first_token) * (1 + c) - c * sp.nsimplify(speeds.go_on)),
        "d(1+c) = dU",
    )
    yield lab.true({"c": "symbol"}, is_zero(sp.nsimplify(speeds.go_on) - sp.Rational(1, 2)), "(ln c)' = eta/2")
    # Fisher metric: alpha has u(1-u); z+, through two unit features, P(agree) v(1-v) for each of them.
    plain = t.flow((1 + c) / (2 + c), 1 / (1 + c), "reinforce")
    u, v = (1 + c) / (2 + c), 1 / (1 + c)
    yield lab.true(
        {"c": "symbol"},
        is_zero(plain.first_token / (u * (1 - u)) - sp.nsimplify(speeds.first_token)),
        "alpha by its Fisher information",
    )
    yield lab.true(
        {"c": "symbol"}, is_zero(plain.go_on / 2 / (u * v * (1 - v)) - sp.nsimplify(speeds.go_on)), "ln c by its own"
    )


def _natural_times(lab: Lab) -> Iterator[Cell]:
    t = lab.theory.post_training
    for p in (0.2, 0.01, 1e-5):
        c, time, steps = 2 * p / (1 - p), 0.0, 1000
        h = -math.log(c) / 500
        for _ in range(steps // 2):
            c, time = c * math.exp(h), time + 2 * h
        yield lab.close({"p_0": p}, t.natural_gradient_time(p), time, 1e-9 * (1 + time), "constant speed 1/2 of ln c")


NATURAL = Claim(
    id="post_training.natural_gradient",
    statement=(
        "The natural gradient runs along the calibrated models, STaR's own path, in time (2/eta) ln((1-p_0)/(2 p_0))."
    ),
    latex=(
        r"(\ln c)' = \tfrac{\eta}{2},\quad \alpha' = \tfrac{\eta}{2}(1-v),\qquad T = "
        r"\frac{2}{\eta}\ln\frac{1-p_0}{2p_0}"
    ),
    origin="derived",
    source="gradients divided by the Fisher information of each token",
    kind="exact",
    domain=Domain({"p_0": P_0}),
    functions=("post_training.natural_gradient_time",),
    evidence=(
        Exact("identity", "speeds on U = 1 + c, and Fisher informations", _natural_identity, scope="cells"),
        Exact("enumeration", "times at three starts", _natural_times, scope="cells"),
    ),
    mutants=(
        Mutant(
            "it is the plain gradient",
            "that slows down in proportion to the share",
            theory={
                "post_training.flow": lambda u, v, method="reinforce", size=None: closed_forms().flow(
                    u, v, "reinforce"
                ),
                "post_training.natural_gradient_time": lambda p, eta=1.0: 0.9076 / p,
            },
        ),
        Mutant(
            "T = (1/eta) ln(1/c_0)",
            "the speed of ln c is eta/2",
            theory={
                "post_training.natural_gradient_time": lambda p, eta=1.0: (
                    closed_forms().natural_gradient_time(p, eta) / 2
                ),
                "post_training.flow": lambda u, v, method="reinforce", size=None: closed_forms().Flow(1 - v, 1 + 0 * v),
            },
        ),
    ),
)

# ---------------------------------------------------------------- length normalisation


def _rate_identity(lab: Lab) -> Iterator[Cell]:
    """E[(r - b) w_y score] for an exact chain and v- = 1, by cases, with symbols."""
    t = lab.theory.post_training
    u, v, b = sp.symbols("u v b", positive=True)
    half = sp.Rational(1, 2)
    for d in (3, 6, 10):
        short, long = half, sp.Rational(1, d + 1)
        # Agreeing and stopping (right half of the time), agreeing and long (right), disagreeing and stopping.
        stop = u * (v * (half - b) * short * (1 - v) - (1 - v) * (1 - b) * long * v)
        alpha = (1 - u) * u * (v * (half - b) * short + (1 - v) * (1 - b) * long) - u * (1 - u) * (half - b) * short
        rate = sp.nsimplify(t.length_normalised_rate(d, b))
        yield lab.true({"d": d}, is_zero(-2 * stop - rate * u * v * (1 - v)), "ln c")
        yield lab.true({"d": d}, is_zero(alpha - rate * u * (1 - u) * (1 - v) / 2), "alpha")


def _sign(data: Any, cell: Mapping[str, Any], theory: Any) -> np.ndarray:
    """Runs whose ln c moves otherwise than the rate says, beyond 3.3 standard deviations and the change of speed."""
    t, eta, d, batch = theory.post_training, 0.25, 6, 80
    rate, b = float(t.length_normalised_rate(d, cell["baseline"])), cell["baseline"]
    path = data["go_on_log_odds"].values
    steps, moved = path.shape[1] - 1, path[:, -1] - path[:, 0]
    # The mean update iterated: rate times the plain speeds.
    alpha, x, variance = math.log(1.1 / 0.9), math.log(0.2 / 0.9), 0.0
    short, long = ((1 - b) ** 2 + b**2) / 8, (1 - b) ** 2 / (d + 1) ** 2
    for _ in range(steps):
        u, v = 1 / (1 + math.exp(-alpha)), 1 / (1 + math.exp(x))
        variance += eta**2 * 4 * u * (v * (1 - v) ** 2 * short + (1 - v) * v**2 * long) / batch
        alpha, x = alpha + eta * rate * u * (1 - u) * (1 - v) / 2, x + eta * rate * u * v * (1 - v)
    expected = x - path[0, 0]
    # The speed's derivative by ln c is at most its size, so noise is passed on at most e^|moved| times.
    deviation = math.sqrt(variance) * math.exp(abs(expected))
    return np.asarray(np.abs(moved - expected) > SIGMAS * deviation)


LENGTH_NORMALISED = Claim(
    id="post_training.length_normalisation",
    statement=(
        "Dividing each answer's loss by its tokens multiplies REINFORCE's speed by 2(1-b)/(d+1) - (1-2b)/2: without "
        "baseline and "
        "d > 3 the long route is suppressed, with baseline 1/2 it grows (d+1) times slower."
    ),
    latex=r"\text{rate} = \frac{2(1-b)}{d+1} - \frac{1-2b}{2}",
    origin="derived",
    source="weights 1/2 on short and 1/(d+1) on long answers",
    kind="exact",
    domain=Domain({"d": LENGTH, "baseline": Real(0, 1, meaning="baseline", symbol="b")}),
    functions=("post_training.length_normalised_rate",),
    evidence=(
        Exact("identity", "the expected step by cases", _rate_identity, scope="cells"),
        rate_leg(
            "sampled runs that move otherwise",
            "post_training.policy_gradient",
            {name: [{"baseline": 0.0}, {"baseline": 0.5}] for name in ("quick", "full")},
            lambda cell: {
                "d": 6,
                "p_0": 0.1,
                "n_steps": 50,
                "batch": 80,
                "eta": 0.25,
                "by_length": True,
                "baseline": cell["baseline"],
            },
            _sign,
            0.5,
        ),
    ),
    mutants=(
        Mutant(
            "only the step size changes: rate 1/(d+1)",
            "short answers keep a larger weight",
            theory={"post_training.length_normalised_rate": lambda d, b=0.0: 1 / (d + 1) + 0 * b},
        ),
        Mutant(
            "the baseline does not matter: rate 2/(d+1) - 1/2",
            "the weight depends on the answer",
            theory={"post_training.length_normalised_rate": lambda d, b=0.0: 2 / (d + 1) - 0.5 + 0 * b},
        ),
    ),
)

CLAIMS = (REINFORCE, NATURAL, LENGTH_NORMALISED)
