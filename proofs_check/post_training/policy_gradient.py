"""Claims about the policy gradient: exact gradients of the expected reward, and the weights of GRPO."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from functools import lru_cache
from itertools import product
from typing import TYPE_CHECKING, Any

import numpy as np
import sympy as sp

from proofs_check.certificates import is_zero
from proofs_check.claims import Claim, Exact, Mutant
from proofs_check.domains import Domain, Integer, Real
from proofs_check.enumeration import feature_values, prefix_parities
from proofs_check.post_training._common import LENGTH, answers_of_state, closed_forms, filtered, off_time, rate_leg
from proofs_check.verdicts import Cell

if TYPE_CHECKING:
    from proofs_check.lab import Lab

__all__ = ["CLAIMS"]

UNIT = Real(0, 1, meaning="success probability of a prompt", symbol="s")
GROUP = Integer(2, 10_000, meaning="answers in a group", symbol="G", largest_drawn=500)


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
    return closed_forms().policy_gradient(u, v, w, [0 * e for e in errors], kind)


def _other_reward(u: Any, v: Any, w: Any, errors: Any, kind: str = "r_e2e") -> Any:
    return closed_forms().policy_gradient(u, v, w, errors, "r_e2e" if kind == "r_cot" else "r_cot")


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
            off_time("grpo"),
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

CLAIMS = (GRADIENTS, GRPO)
