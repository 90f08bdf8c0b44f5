"""Claims about policy gradients on the same model: exact gradients, GRPO's weights, flows, and the race with STaR."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from functools import lru_cache
from itertools import product
from typing import TYPE_CHECKING, Any

import numpy as np
import sympy as sp

from proofs_check.certificates import Proof, is_zero
from proofs_check.claims import Claim, Exact, Mutant
from proofs_check.domains import Domain, Integer, Real
from proofs_check.enumeration import feature_values, prefix_parities
from proofs_check.post_training._common import LENGTH, P_0, SIGMAS, answers_of_state, filtered, rate_leg
from proofs_check.verdicts import Cell

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from proofs_check.lab import Lab
    from proofs_check.runner import ClaimResult

__all__ = ["CLAIMS"]

UNIT = Real(0, 1, meaning="success probability of a prompt", symbol="s")
GROUP = Integer(2, 10_000, meaning="answers in a group", symbol="G", largest_drawn=500)
ETA = Real(0, 100, open_low=True, meaning="step size", symbol=r"\eta")


def _theory() -> Any:
    import theory.post_training as module

    return module


# ---------------------------------------------------------------- gradients


@lru_cache(maxsize=4)
def _listed_reward(kind: str) -> sp.Expr:
    """Expected reward at d = 3 as a polynomial in u, v+, v-, e_2, e_3, summed over every prompt and answer."""
    u, v, w, e, f = sp.symbols("u v w e f", positive=True)
    law = filtered(answers_of_state(3, u, v, w, [e, f]), kind)
    return sp.expand(sum((sp.Rational(1, 8) * sp.expand(o.probability * 8) for o in law), start=sp.Integer(0)))


def _gradient_identity(lab: Lab) -> Iterator[Cell]:
    """Chain rule on the listed reward: du/d alpha = u(1-u), dv/dz = v(1-v), de/dm = -e(1-e)."""
    t = lab.theory.post_training
    u, v, w, e, f = sp.symbols("u v w e f", positive=True)
    for kind in ("r_cot", "r_e2e"):
        value = _listed_reward(kind)
        shipped = t.policy_gradient(u, v, w, [e, f], kind)
        pairs = [
            (sp.diff(value, u) * u * (1 - u), shipped.first_token, "alpha"),
            (sp.diff(value, v) * v * (1 - v), shipped.stop_agree, "z+"),
            (sp.diff(value, w) * w * (1 - w), shipped.stop_disagree, "z-"),
            (-sp.diff(value, e) * e * (1 - e), shipped.chain[0], "m_2"),
            (-sp.diff(value, f) * f * (1 - f), shipped.chain[1], "m_3"),
        ]
        for derivative, mine, name in pairs:
            yield lab.true({"d": 3, "reward": kind}, sp.expand(derivative - mine) == 0, f"derivative by {name}")


def _weights(d: int) -> list[np.ndarray]:
    """A model on the relevant features: position 1, stop, l = 2..d."""
    found = [np.zeros(d), np.zeros(2 * d + 2), *(np.zeros(2 * d + j) for j in range(1, d))]
    found[0][0] = 0.4
    found[1][d + 1], found[1][2 * d + 1] = -0.7, 0.5
    for j in range(1, d):
        found[j + 1][d + 2 * j] = 0.8 + 0.3 * j  # y_(l-1) x_l, l = j + 1
    return found


def _expected_reward(d: int, weights: list[np.ndarray], kind: str) -> float:
    total = 0.0
    for prompt in product((-1, 1), repeat=d):
        chain = prefix_parities(prompt)
        for answer in [*product((-1, 1), repeat=d), (1,), (-1,)]:
            right = answer in (chain, chain[-1:]) if kind == "r_cot" else answer[-1] == chain[-1]
            if not right:
                continue
            ln_chance = 0.0
            for index in range(d + 1 if len(answer) > 1 else 2):
                position: str | int = ("first", "stop")[index] if index < 2 else index
                prefix = answer[: max(index - 1, 1)] if index else ()
                margin = float(weights[index] @ np.array(feature_values(position, prompt, prefix)))
                aim = answer[0] if index == 0 else (1 if len(answer) == 1 else -1) if index == 1 else answer[index - 1]
                ln_chance -= math.log1p(math.exp(-aim * margin))
            total += math.exp(ln_chance) / 2**d
    return total


def _all_weights(lab: Lab) -> Iterator[Cell]:
    """Central differences of the expected reward over every weight, d = 3: closed forms, and 0 for idle ones."""
    t, d, h = lab.theory.post_training, 3, 1e-4
    weights = _weights(d)

    def sigma(z: float) -> float:
        return 1 / (1 + math.exp(-z))

    plus, minus = weights[1][2 * d + 1] + weights[1][d + 1], weights[1][2 * d + 1] - weights[1][d + 1]
    errors = [sigma(-weights[j + 1][d + 2 * j]) for j in range(1, d)]
    for kind in ("r_cot", "r_e2e"):
        g = t.policy_gradient(sigma(weights[0][0]), sigma(plus), sigma(minus), errors, kind)
        expected = [np.zeros_like(w) for w in weights]
        expected[0][0] = g.first_token
        expected[1][d + 1], expected[1][2 * d + 1] = g.stop_agree - g.stop_disagree, g.stop_agree + g.stop_disagree
        for j in range(1, d):
            expected[j + 1][d + 2 * j] = g.chain[j - 1]
        worst = 0.0
        for index, w in enumerate(weights):
            for k in range(len(w)):
                values = []
                for sign in (1, -1):
                    w[k] += sign * h
                    values.append(_expected_reward(d, weights, kind))
                    w[k] -= sign * h
                worst = max(worst, abs((values[0] - values[1]) / (2 * h) - expected[index][k]))
        # h^2/6 times a third derivative below 1, and rounding 1e-16/h.
        yield lab.close({"d": d, "reward": kind}, worst, 0.0, 1e-8, "largest difference over all weights")


def _without_chain(u: Any, v: Any, w: Any, errors: Any, kind: str = "r_e2e") -> Any:
    return _theory().policy_gradient(u, v, w, [0 * e for e in errors], kind)


def _other_reward(u: Any, v: Any, w: Any, errors: Any, kind: str = "r_e2e") -> Any:
    return _theory().policy_gradient(u, v, w, errors, "r_e2e" if kind == "r_cot" else "r_cot")


GRADIENTS = Claim(
    id="post_training.policy_gradient",
    statement=(
        "The expected reward has the stated gradients by alpha, z+, z- and m_l and none by any other weight (d >= 3). "
        "Under r_cot a "
        "chain that is right less than half of the time is shortened, under r_e2e it is lengthened, right or wrong."
    ),
    latex=(
        r"\frac{\partial J}{\partial z_+} = u v_+(1-v_+)\bigl(\tfrac12-R\bigr)\ (r_{cot}),\qquad -\tfrac{D}{2}\,u "
        r"v_+(1-v_+)\ (r_{e2e})"
    ),
    origin="derived",
    source="derivatives of (1 + D(A-B))/2 and A R + (u v+ + (1-u) v-)/2",
    kind="exact",
    domain=Domain({"d": LENGTH}),
    evidence=(
        Exact(
            "identity",
            "derivatives of the reward summed over every answer, d = 3",
            _gradient_identity,
            scope="cells",
            cost=1.0,
        ),
        Exact("enumeration", "finite differences over every weight, d = 3", _all_weights, scope="cells", cost=0.6),
    ),
    mutants=(
        Mutant(
            "chain errors do not enter",
            "R and D multiply the gradients",
            theory={"post_training.policy_gradient": _without_chain},
        ),
        Mutant(
            "the two rewards have each other's gradients",
            "R - 1/2 is not D/2",
            theory={"post_training.policy_gradient": _other_reward},
        ),
    ),
)

# ---------------------------------------------------------------- GRPO


def _groups(lab: Lab) -> Iterator[Cell]:
    """List all groups of up to 6 answers: mean of advantage times direction, over s(1-s)."""
    t = lab.theory.post_training
    for size in (2, 3, 4, 6):
        for s in (0.1, 0.5, 0.8):
            total = 0.0
            for group in product((0, 1), repeat=size):
                k = sum(group)
                if k in (0, size):
                    continue
                mean = k / size
                deviation = math.sqrt(mean * (1 - mean))
                chance = s**k * (1 - s) ** (size - k)
                total += chance * sum((r - mean) / deviation * ((1 - s) if r else -s) for r in group) / size
            yield lab.close({"success": s, "group_size": size}, t.grpo_weight(s, size), total / (s * (1 - s)), 1e-11)


def _weight_identity(lab: Lab) -> Iterator[Cell]:
    """g_2 = 1 for every s; g_G(0) = g_G(1) = sqrt(G-1); g_G(s) = g_G(1-s)."""
    t = lab.theory.post_training
    s = sp.Symbol("s", positive=True)
    yield lab.true({"group_size": 2, "success": "symbol"}, is_zero(t.grpo_weight(s, 2) - 1), "plain REINFORCE")
    for size in (3, 5):
        g = t.grpo_weight(s, size)
        yield lab.true({"group_size": size}, sp.simplify(g.subs(s, 0) - sp.sqrt(size - 1)) == 0, "at s = 0")
        yield lab.true({"group_size": size}, sp.expand(g - g.subs(s, 1 - s)) == 0, "symmetric in s and 1 - s")


def _grpo_times(cell: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "d": 4, "p_0": cell["p_0"], "n_steps": cell["n_steps"], "batch": 240, "eta": 0.5, "method": "grpo",
        "group_size": cell["group_size"],
    }  # fmt: skip


@lru_cache(maxsize=64)
def _time_margin(p: float, method: str, group: int | None, batch: int, baseline: float, d: int) -> tuple[float, float]:
    """What sampled steps of size 1/2 may differ from the flow's time by: a bias of finite steps, a standard deviation.

    Finite steps: the mean update is iterated as it stands, and compared with the flow. Noise: linear propagation of
    (alpha, ln c) with the covariance of one step; its first-passage time spreads by sd(ln c)/speed. Idle weights: a
    logit variance s^2 from the 2d idle features of the stop position slows by at most s^2/2, relatively.
    """
    t, eta = _theory(), 0.5
    alpha, x = math.log((1 + p) / (1 - p)), math.log(2 * p / (1 - p))
    flow_time = t.policy_gradient_time(p, eta, method, group)
    cov, idle, steps = np.zeros((2, 2)), 0.0, 0

    def speeds(a: float, y: float) -> np.ndarray:
        found = t.flow(1 / (1 + math.exp(-a)), 1 / (1 + math.exp(y)), method, group)
        return np.array([float(found.first_token), float(found.go_on)])

    while True:
        u, v = 1 / (1 + math.exp(-alpha)), 1 / (1 + math.exp(x))
        move = eta * speeds(alpha, x)
        if method == "reinforce":
            short, long = ((1 - baseline) ** 2 + baseline**2) / 2, (1 - baseline) ** 2
            noise = np.array(
                [
                    [u * (1 - u) ** 2 * (v * short + (1 - v) * long) + (1 - u) * u**2 * short,
                     -2 * u * (1 - u) * v * (1 - v) * (short - long)],
                    [-2 * u * (1 - u) * v * (1 - v) * (short - long),
                     4 * u * (v * (1 - v) ** 2 * short + (1 - v) * v**2 * long)],
                ]
            ) / batch  # fmt: skip
            weight = long
        else:
            # Advantages of a group have squares that add up to G at most, so (sum A s)^2 <= G sum s^2.
            noise = np.diag([u * (1 - u), 4 * u * v * (1 - v)]) * (group or 2) / batch
            weight = float(group or 2)
        h = 1e-5
        jacobian = np.column_stack(
            [
                (speeds(alpha + h, x) - speeds(alpha - h, x)) / (2 * h),
                (speeds(alpha, x + h) - speeds(alpha, x - h)) / (2 * h),
            ]
        )
        step = np.eye(2) + eta * jacobian
        cov = step @ cov @ step.T + eta**2 * noise
        idle += eta**2 * 2 * d * u * v * (1 - v) * weight / batch
        steps += 1
        if x + move[1] >= 0:
            discrete = steps - 1 + (0 - x) / move[1]
            deviation = math.sqrt(cov[1, 1]) / move[1]
            return abs(discrete - flow_time) + idle / 2 * flow_time, deviation
        alpha, x = alpha + move[0], x + move[1]


def _off_time(method: str) -> Any:
    def outside(data: Any, cell: Mapping[str, Any], theory: Any) -> np.ndarray:
        t = theory.post_training
        if method == "reinforce":
            expected = t.reinforce_time(cell["p_0"], 0.5)
            bias, deviation = _time_margin(cell["p_0"], "reinforce", None, 200, 0.5, 4)
        else:
            # The flow's time, in which the group's weight at the start, s = 1/2, is the factor over REINFORCE.
            exact = _theory().policy_gradient_time(cell["p_0"], 0.5, "grpo", cell["group_size"])
            expected = exact * _theory().grpo_weight(0.5, cell["group_size"]) / t.grpo_weight(0.5, cell["group_size"])
            bias, deviation = _time_margin(cell["p_0"], "grpo", cell["group_size"], 240, 0.0, 4)
        return np.asarray(np.abs(data["time"].values - expected) > bias + SIGMAS * deviation)

    return outside


GRPO = Claim(
    id="post_training.grpo_weight",
    statement=(
        "GRPO with groups of G multiplies a prompt's policy gradient by g_G(s) = E sqrt(k(G-k))/(G s(1-s)), k "
        "binomial: 1 for G = 2, "
        "1.616 for G = 4 at s = 1/2, sqrt(G-1) at s = 0 and 1. So it speeds up the start by g_G(1/2) and no more."
    ),
    latex=r"g_G(s) = \frac{\mathbb{E}\sqrt{k(G-k)}}{G\,s(1-s)},\qquad k \sim \mathrm{Bin}(G,s)",
    origin="derived",
    source="advantages sqrt((G-k)/k) and -sqrt(k/(G-k)); a group of equal rewards counts 0",
    kind="exact",
    domain=Domain({"success": UNIT, "group_size": GROUP}),
    functions=("post_training.grpo_weight",),
    evidence=(
        Exact("enumeration", "every group of 2 to 6 answers", _groups, scope="cells"),
        Exact("identity", "G = 2, the ends, and symmetry", _weight_identity, scope="cells"),
        rate_leg(
            "runs whose time to generalise is off by 3.3 standard deviations",
            "post_training.policy_gradient",
            {
                "quick": [{"p_0": 0.1, "group_size": 4, "n_steps": 24}],
                "full": [{"p_0": p, "group_size": g, "n_steps": int(5 / p)} for p in (0.1, 0.05) for g in (2, 4, 8)],
            },
            _grpo_times,
            _off_time("grpo"),
            0.4,
        ),
    ),
    mutants=(
        Mutant(
            "g = 1/sqrt(s(1-s)) at every G",
            "that is the limit of large groups; at G = 2 it is 1",
            theory={
                "post_training.grpo_weight": lambda s, g, rule="population": (
                    1 / (s * (1 - s)) ** 0.5 if not isinstance(s, sp.Expr) else 1 / sp.sqrt(s * (1 - s))
                )
            },
        ),
        Mutant(
            "g = 1: dividing by the deviation changes nothing",
            "at G = 4, s = 1/2 it is 1.616",
            theory={"post_training.grpo_weight": lambda s, g, rule="population": 1 + 0 * s},
        ),
    ),
)

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


def _reinforce_parameters(cell: Mapping[str, Any]) -> dict[str, Any]:
    return {"d": 4, "p_0": cell["p_0"], "n_steps": int(4.5 / cell["p_0"]), "batch": 200, "eta": 0.5, "baseline": 0.5}


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
            _reinforce_parameters,
            _off_time("reinforce"),
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
                "post_training.flow": lambda u, v, method="reinforce", size=None: _theory().flow(u, v, "reinforce"),
                "post_training.natural_gradient_time": lambda p, eta=1.0: 0.9076 / p,
            },
        ),
        Mutant(
            "T = (1/eta) ln(1/c_0)",
            "the speed of ln c is eta/2",
            theory={
                "post_training.natural_gradient_time": lambda p, eta=1.0: _theory().natural_gradient_time(p, eta) / 2,
                "post_training.flow": lambda u, v, method="reinforce", size=None: _theory().Flow(1 - v, 1 + 0 * v),
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

# ---------------------------------------------------------------- the race


def _race(lab: Lab) -> Iterator[Cell]:
    """Exponents between p_0 = 1e-3 and 1e-5: 1 for policy gradients, logarithms for STaR and the natural gradient."""
    t = lab.theory.post_training
    low, high = 1e-5, 1e-3
    for method, group in (("reinforce", None), ("grpo", 4), ("grpo", 16), ("grpo", None)):
        slope = math.log(
            t.policy_gradient_time(low, 1.0, method, group) / t.policy_gradient_time(high, 1.0, method, group)
        )
        # Corrections are of order p_0 ln(1/p_0) for finite groups.
        yield lab.close(
            {"method": f"{method} {group or ''}"}, slope / math.log(high / low), 1.0, 0.01, "exponent of 1/p_0"
        )
    rounds = t.rounds_to_generalise(low) - t.rounds_to_generalise(high)
    yield lab.close({"method": "STaR"}, rounds, math.log2(high / low), 1.0, "rounds per factor")
    natural = (t.policy_gradient_time(low, 1.0, "natural") - t.policy_gradient_time(high, 1.0, "natural")) / 2
    yield lab.close({"method": "natural"}, natural, math.log(high / low), 2e-3, "time is logarithmic")


def _race_bounds(lab: Lab) -> Iterator[Cell]:
    """(ln c)' = u v (1-v) g_G <= c sqrt(G-1), so the first doubling of c alone takes ln 2/(2 c_0 sqrt(G-1))."""
    t = lab.theory.post_training
    for p in (1e-2, 1e-3, 1e-4):
        c0 = 2 * p / (1 - p)
        for group in (2, 4, 16):
            bound = math.log(2) / (2 * c0 * math.sqrt(group - 1))
            yield lab.true(
                {"p_0": p, "G": group}, t.policy_gradient_time(p, 1.0, "grpo", group) >= bound, f"at least {bound:.4g}"
            )
        yield lab.true({"p_0": p}, t.rounds_to_generalise(p) <= math.log2(1 / p), "at most log2(1/p_0) rounds")


def _off_race(data: Any, cell: Mapping[str, Any], theory: Any) -> np.ndarray:
    """The sampled REINFORCE runs of the other claim against the time that the race states."""
    expected = theory.post_training.policy_gradient_time(cell["p_0"], 0.5, "reinforce")
    bias, deviation = _time_margin(cell["p_0"], "reinforce", None, 200, 0.5, 4)
    return np.asarray(np.abs(data["time"].values - expected) > bias + SIGMAS * deviation)


def _off_rounds(data: Any, cell: Mapping[str, Any], theory: Any) -> np.ndarray:
    """Sampled STaR with refitted shares: rounds until the share passes 1/3, more than one off."""
    n = theory.post_training.rounds_to_generalise(cell["p_0"])
    passed = data["long_fraction"].values >= 1 / 3
    return np.asarray(np.abs(np.where(passed.any(axis=1), passed.argmax(axis=1), 10**6) - n) > 1)


def _race_figure(result: ClaimResult) -> Figure:
    """Rounds or steps against p_0."""
    from matplotlib.figure import Figure

    from proofs_check.figures import style, theory_line

    t = _theory()
    grid = np.logspace(-4, -0.6, 40)
    with style():
        figure = Figure(figsize=(6.4, 3.8), layout="constrained")
        ax = figure.add_subplot()
        theory_line(ax, grid, t.rounds_to_generalise(grid), "STaR, rounds", 0)
        theory_line(ax, grid, t.natural_gradient_time(grid, 1.0), "natural gradient, eta = 1", 1)
        theory_line(ax, grid, [t.reinforce_time(float(p)) for p in grid], "REINFORCE, eta = 1", 2)
        line = [t.policy_gradient_time(float(p), 1.0, "grpo", 8) for p in grid]
        theory_line(ax, grid, line, "GRPO, groups of 8, eta = 1", 3)
        ax.set(xscale="log", yscale="log", xlabel="share of long answers at the start", ylabel="time to generalise")
        ax.legend(fontsize="small")
    return figure


RACE = Claim(
    id="post_training.race",
    statement=(
        "REINFORCE and GRPO at any fixed group size need time of order 1/p_0 to generalise; STaR and the natural "
        "gradient need "
        "log(1/p_0). Dividing by the deviation cannot change the exponent, since success is at least 1/2 at the start."
    ),
    latex=(
        r"T_{\mathrm{REINFORCE}},\,T_{\mathrm{GRPO}} = \Theta(1/p_0),\qquad T_{\mathrm{STaR}},\,T_{\mathrm{natural}} "
        r"= \Theta(\log(1/p_0))"
    ),
    origin="derived",
    source="flows of the exact gradients",
    kind="rate",
    domain=Domain({"p_0": P_0}),
    evidence=(
        Exact("enumeration", "exponents between 1e-5 and 1e-3", _race, scope="cells", cost=0.5),
        Exact("enumeration", "bounds from the speed of ln c", _race_bounds, scope="cells", cost=0.3),
        rate_leg(
            "sampled REINFORCE runs whose time is off by 3.3 standard deviations",
            "post_training.policy_gradient",
            {"quick": [{"p_0": 0.1}], "full": [{"p_0": p} for p in (0.1, 0.05, 0.02)]},
            _reinforce_parameters,
            _off_race,
            0.2,
        ),
        rate_leg(
            "sampled STaR runs that need other rounds, by more than one",
            "post_training.refit_shares",
            {
                "quick": [{"p_0": 10.0**-k, "n_samples": 200 * 10**k} for k in (1, 2)],
                "full": [{"p_0": 10.0**-k, "n_samples": 200 * 10**k} for k in (1, 2, 3, 4)],
            },
            lambda cell: {"p_0": cell["p_0"], "n_samples": cell["n_samples"], "n_rounds": 18},
            _off_rounds,
            0.2,
        ),
    ),
    mutants=(
        Mutant(
            "policy gradients need p_0^-0.8",
            "the speed of ln c is proportional to p_0",
            theory={
                "post_training.policy_gradient_time": lambda p, eta=1.0, method="reinforce", group_size=None: (
                    _theory().policy_gradient_time(p, eta, method, group_size) * p**0.2 * 0.1
                )
            },
        ),
        Mutant(
            "STaR needs log2(1/p_0)^2 rounds",
            "the odds double each round",
            theory={"post_training.rounds_to_generalise": lambda p: int(_theory().rounds_to_generalise(p)) ** 2},
        ),
        Mutant(
            "policy gradients are logarithmic too",
            "while c is small they see little of it",
            theory={
                "post_training.policy_gradient_time": lambda p, eta=1.0, method="reinforce", group_size=None: (
                    2 * math.log(1 / p)
                )
            },
        ),
    ),
    figure=_race_figure,
)

CLAIMS = (GRADIENTS, GRPO, REINFORCE, NATURAL, LENGTH_NORMALISED, RACE)
