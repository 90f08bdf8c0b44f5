"""Claims about the average of SGD iterates with steps 1/(lambda t): a sum of gradients, of bounded norm."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from fractions import Fraction
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np
import sympy as sp

from proofs_check.certificates import Proof, is_zero
from proofs_check.claims import Claim, Exact, Mutant
from proofs_check.domains import Domain, Integer
from proofs_check.linear_model._common import LAMBDA, PAPER, RIDGE, retrained
from proofs_check.verdicts import Cell

if TYPE_CHECKING:
    from proofs_check.lab import Lab

__all__ = ["CLAIMS", "RHO2", "square_root"]

RHO2 = sp.Symbol("rho2", positive=True)


# ---------------------------------------------------------------- the averaged iterate as an accumulation


def _induction(lab: Lab) -> Iterator[Cell]:
    """T times the average grows by the new iterate, and the new iterate is the scaled sum of the gradients."""
    w, g, t = sp.symbols("w g t", positive=True)
    literal = w - (LAMBDA * w + g) / (LAMBDA * t)
    yield lab.true(
        {"T": "symbol"}, is_zero(t * literal - ((t - 1) * w - g / LAMBDA)), "t w_(t+1) = (t-1) w_t - g_t/lambda"
    )
    weights = lab.theory.linear_model.averaged_iterate_weights
    for n_steps in range(1, 41):
        before, after = weights(n_steps, exact=True), weights(n_steps + 1, exact=True)
        # T times the average has weights T c_s; iterate T+1 is -1/(lambda T) sum_{s<=T} g_s and adds 1/T to each.
        grown = [n_steps * c + Fraction(1, n_steps) for c in before]
        ok = all((n_steps + 1) * a == b for a, b in zip(after, grown, strict=False)) and after[-1] == 0
        yield lab.true({"T": n_steps}, ok, "weights of T+1 from those of T; the last sample never enters")


def _literal_average(n_steps: int) -> list[sp.Expr]:
    """Coefficients of the gradients in the average of the literal recursion, times -lambda."""
    gradients = sp.symbols(f"g1:{n_steps + 1}")
    w, total = sp.Integer(0), sp.Integer(0)
    for t, g in enumerate(gradients, start=1):
        total += w
        w = w - (LAMBDA * w + g) / (LAMBDA * t)
    average = sp.expand(-LAMBDA * total / n_steps)
    return [average.coeff(g) for g in gradients]


def _small_steps(lab: Lab) -> Iterator[Cell]:
    for n_steps in range(1, 9):
        shipped = lab.theory.linear_model.averaged_iterate_weights(n_steps, exact=True)
        for s, (literal, weight) in enumerate(zip(_literal_average(n_steps), shipped, strict=True), start=1):
            yield lab.equal({"T": n_steps, "s": s}, Fraction(str(literal)), Fraction(weight))


@lru_cache(maxsize=4)
def _literal_run(
    seed: int, d: int, p: float, n_samples: int, ridge: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The literal algorithm at position 1 on the simulator's own draws: average, each step's gradient, its features."""
    from sims.linear_model import draw_demonstrations

    x, is_long = draw_demonstrations(d, p, n_samples, seed)
    x = x.astype(float)
    y_first = np.where(is_long, x[:, 0], x.prod(axis=1))
    w, total = np.zeros(d), np.zeros(d)
    slopes = np.zeros(n_samples)
    for t in range(1, n_samples + 1):
        total += w
        f, y = x[t - 1], y_first[t - 1]
        slopes[t - 1] = -y / (1 + math.exp(y * float(w @ f)))
        w = w - (ridge * w + slopes[t - 1] * f) / (ridge * t)
    return total / n_samples, slopes, x


def _kernel_cells(lab: Lab) -> Iterator[Cell]:
    """The simulator's weights against the literal average and against the weighted sum of the literal gradients."""
    n_samples = 400
    for d, p, ridge in ((3, 0.2, 0.2), (5, 0.6, 0.05), (20, 0.3, 0.01)):
        seed = lab.seed * 2**32 + 1
        average, slopes, x = _literal_run(seed, d, p, n_samples, ridge)
        weights = np.asarray(lab.theory.linear_model.averaged_iterate_weights(n_samples), dtype=float)
        predicted = -(weights * slopes) @ x / ridge
        trained = lab.sims.linear_model.pretrain(d, p, n_samples, ridge, [seed], positions=("first",), weights=True)
        observed = trained["w_first"].values[0]
        # Each of T steps adds a few roundings of numbers below rho/lambda; errors are not amplified (contraction).
        tolerance = 2**-52 * 8 * n_samples * math.sqrt(d) / ridge
        cell = {"d": d, "p_cot": p, "ridge": ridge, "T": n_samples}
        yield lab.close(cell, float(np.abs(observed - predicted).max()), 0.0, tolerance, "weighted gradients")
        yield lab.close(cell, float(np.abs(observed - average).max()), 0.0, tolerance, "literal average")


def _harmonic(n: int) -> Fraction:
    return sum((Fraction(1, k) for k in range(1, n + 1)), start=Fraction(0))


def _mutant_weights(offset: int) -> Callable[..., Any]:
    def weights(n_steps: int, *, exact: bool = False) -> Any:
        if exact:
            return [(_harmonic(n_steps - 1 + offset) - _harmonic(s - 1)) / n_steps for s in range(1, n_steps + 1)]
        h = np.concatenate([[0.0], np.cumsum(1 / np.arange(1, n_steps + 2))])
        return (h[n_steps - 1 + offset] - h[:n_steps]) / n_steps

    return weights


def _uniform_weights(n_steps: int, *, exact: bool = False) -> Any:
    return [Fraction(1, n_steps)] * n_steps if exact else np.full(n_steps, 1 / n_steps)


ACCUMULATION = Claim(
    id="linear_model.accumulation_form",
    statement=(
        "The average of the iterates of SGD with steps 1/(lambda t) from 0 is -1/lambda times the sum of the loss "
        "gradients with weights (H_(T-1) - H_(s-1))/T; the T-th sample never enters."
    ),
    latex=r"\bar w = -\frac1\lambda \sum_{s=1}^{T} \frac{H_{T-1} - H_{s-1}}{T}\; g_s f_s",
    origin="derived",
    source="t w_(t+1) = (t-1) w_t - g_t f_t / lambda, summed; the algorithm is that of " + PAPER,
    kind="exact",
    domain=Domain({"n_steps": Integer(1, 10_000, meaning="steps T of a position", symbol="T", largest_drawn=1000)}),
    functions=("linear_model.averaged_iterate_weights",),
    evidence=(
        Exact("identity", "induction in T on the weights, up to T = 40", _induction, scope="cells"),
        Exact("enumeration", "the literal recursion with symbolic gradients, T = 1..8", _small_steps, scope="cells"),
        Exact(
            "enumeration",
            "the compiled simulator against the literal algorithm on its draws",
            _kernel_cells,
            scope="cells",
        ),
    ),
    mutants=(
        Mutant(
            "the weights are (H_T - H_(s-1))/T",
            "the last sample would enter with weight 1/T^2",
            theory={"linear_model.averaged_iterate_weights": _mutant_weights(1)},
        ),
        Mutant(
            "every gradient has weight 1/T",
            "that is the last iterate, not the average",
            theory={"linear_model.averaged_iterate_weights": _uniform_weights},
        ),
        Mutant(
            "the simulator steps with 1/(2 lambda t)",
            "the algorithm steps with 1/(lambda t)",
            sims=retrained(lambda options: {**options, "ridge": 2 * options["ridge"]}),
        ),
    ),
)


# ---------------------------------------------------------------- norm of the iterates


def _norm_induction(lab: Lab) -> list[Cell]:
    t = sp.Symbol("t", positive=True)
    bound = lab.theory.linear_model.iterate_norm_bound(RHO2, LAMBDA)
    proof = Proof()
    # |w_(t+1)| <= (1 - 1/t)|w_t| + |g| rho/(lambda t), with |g| < 1: a convex combination of the bound and rho/lambda.
    step = (1 - 1 / t) * bound + sp.sqrt(RHO2) / (LAMBDA * t)
    proof.identity("the bound is kept by a step", step, bound)
    generator = sp.Symbol("E", positive=True)
    proof.positive("|g| = 1/(1 + e^margin) < 1", 1 - 1 / (1 + generator), {generator: (0, sp.oo)})

    def witness() -> dict[str, str] | None:
        first_step = sp.sqrt(RHO2) / (2 * LAMBDA)  # w_2 = -g_1 f_1 / lambda with |g_1| = 1/2
        gap = sp.simplify(bound - first_step).subs({RHO2: 4, LAMBDA: 1})
        return {"t": "2", "rho2": "4", "ridge": "1"} if gap < 0 else None

    return proof.cells({"t": "2, 3, ..."}, witness)


def _norm_cells(lab: Lab) -> Iterator[Cell]:
    """The second iterate always has norm rho/(2 lambda): the average of two iterates is half of it."""
    for d, ridge in ((3, 0.1), (10, 1.0)):
        trained = lab.sims.linear_model.pretrain(d, 0.3, 2, ridge, range(4), positions=("first",), weights=True)
        norms = 2 * np.linalg.norm(trained["w_first"].values, axis=1)
        bound = float(lab.theory.linear_model.iterate_norm_bound(d, ridge))
        yield lab.true(
            {"d": d, "ridge": ridge}, bool((norms <= bound).all()), f"|w_2| = {norms.max():.6g} <= {bound:.6g}"
        )


def _norm_tightness(lab: Lab) -> dict[str, Any]:
    ratios = []
    for d, ridge in ((3, 0.1), (10, 1.0), (10, 0.05)):
        for n_steps in (2, 3, 5, 20):
            trained = lab.sims.linear_model.pretrain(
                d, 0.3, n_steps, ridge, range(20), positions=("first",), weights=True
            )
            # The average over T iterates, times T/(T-1) for the zero first one, is at most the largest iterate.
            norms = np.linalg.norm(trained["w_first"].values, axis=1) * n_steps / (n_steps - 1)
            ratios.append(float(norms.max()) / float(lab.theory.linear_model.iterate_norm_bound(d, ridge)))
    return {
        "ratio": max(ratios),
        "interval": [min(ratios), max(ratios)],
        "vacuous": [],
        "detail": "averages of the first iterates; the second iterate always has norm rho/(2 lambda)",
    }


NORM = Claim(
    id="linear_model.iterate_norm",
    statement="Every iterate has norm at most rho/lambda, rho the feature norm.",
    latex=r"|w^{(t)}| \le \rho/\lambda",
    origin="derived",
    source="each step is a convex combination of the iterate and a gradient term of norm below rho/lambda",
    kind="upper",
    domain=Domain({"rho_squared": Integer(3), "ridge": RIDGE}),
    functions=("linear_model.iterate_norm_bound",),
    evidence=(
        Exact("certificate", "induction over a step", _norm_induction),
        Exact("enumeration", "norm of the second iterate in the simulator", _norm_cells, scope="cells"),
    ),
    mutants=(
        Mutant(
            "|w| <= rho/(3 lambda)",
            "the second iterate has norm rho/(2 lambda)",
            theory={"linear_model.iterate_norm_bound": lambda rho2, ridge: square_root(rho2) / (3 * ridge)},
        ),
        Mutant(
            "|w| <= 1/(3 lambda)",
            "the norm grows with the number of features",
            theory={"linear_model.iterate_norm_bound": lambda rho2, ridge: 1 / (3 * ridge)},
        ),
    ),
    tightness=_norm_tightness,
)


def square_root(x: Any) -> Any:
    """The root of a number or an expression."""
    return sp.sqrt(x) if isinstance(x, sp.Expr) else math.sqrt(x)


CLAIMS = (ACCUMULATION, NORM)
