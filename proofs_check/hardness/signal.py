"""Claims about the signal of the long route's steps, beside that of the short answer."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from fractions import Fraction
from itertools import product
from typing import TYPE_CHECKING, Any

import numpy as np
import sympy as sp

from proofs_check.certificates import Proof, is_zero
from proofs_check.claims import Claim, Exact, Mutant, Simulation
from proofs_check.domains import Domain, Integer, Real
from proofs_check.enumeration import EOS, Outcome, mixture, total
from proofs_check.hardness._common import P_COT, PAPER, P, closed_forms, prompts
from proofs_check.samples import Counts, Means
from proofs_check.verdicts import Cell

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from proofs_check.lab import Lab
    from proofs_check.runner import ClaimResult

__all__ = ["CLAIMS"]


def _components(d: int, p: Any) -> Iterator[tuple[str, str, Any]]:
    """Every component of the negative gradient at zero weights: position, feature, half the mean of the product."""
    law = list(mixture(d, p))
    longs = [o for o in law if len(o.answer) > 2]
    share = total(longs, lambda o: 1)

    def mean(outcomes: list[Outcome], value: Any) -> Any:
        return total(outcomes, value) / 2

    for i in range(d):
        yield "first", f"x_{i + 1}", mean(law, lambda o, i=i: o.answer[0] * o.prompt[i])

    def target(o: Outcome) -> int:
        return 1 if o.answer[1] == EOS else -1

    yield "stop", "1", mean(law, target)
    yield "stop", "y_1", mean(law, lambda o: target(o) * o.answer[0])
    for i in range(d):
        yield "stop", f"x_{i + 1}", mean(law, lambda o, i=i: target(o) * o.prompt[i])
        yield "stop", f"x_{i + 1}y_1", mean(law, lambda o, i=i: target(o) * o.prompt[i] * o.answer[0])
    for k in range(1, d):
        for i in range(d):
            yield f"chain {k + 1}", f"x_{i + 1}", mean(longs, lambda o, i=i, k=k: o.answer[k] * o.prompt[i]) / share
            product = mean(longs, lambda o, i=i, k=k: o.answer[k] * o.answer[k - 1] * o.prompt[i]) / share
            yield f"chain {k + 1}", f"y_{k}x_{i + 1}", product
        for j in range(k):
            yield f"chain {k + 1}", f"y_{j + 1}", mean(longs, lambda o, j=j, k=k: o.answer[k] * o.answer[j]) / share


def _predicted(found: Any, position: str, feature: str) -> Any:
    """What the closed form says of a component; 0 for features it does not name."""
    if position == "first" and feature == "x_1":
        return found.first
    if position == "stop":
        return {"1": found.stop_bias, "x_1y_1": found.stop_relation}.get(feature, 0)
    if position.startswith("chain"):
        number = int(position.split()[1])
        return found.chain if feature == f"y_{number - 1}x_{number}" else 0
    return 0


def _listed(lab: Lab) -> Iterator[Cell]:
    for d in (2, 3):
        for p in (Fraction(1, 100), Fraction(1, 3), Fraction(4, 5)):
            found = lab.theory.hardness.long_route_signal(p)
            for position, feature, value in _components(d, p):
                predicted = Fraction(_predicted(found, position, feature))
                yield lab.equal({"d": d, "p_cot": p}, value, predicted, f"{position}: {feature}")
            yield lab.equal({"d": d, "p_cot": p}, p * found.chain, found.chain_per_demonstration, "per demonstration")


def _symbolic(lab: Lab) -> Iterator[Cell]:
    """p a symbol at d = 3; means of products of signs that vanish stay 0 with one more fair sign."""
    found = lab.theory.hardness.long_route_signal(P)
    for position, feature, value in _components(3, P):
        gap = sp.sympify(value) - _predicted(found, position, feature)
        yield lab.true({"d": 3, "p_cot": "symbol"}, is_zero(gap), f"{position}: {feature}")
    share = sp.Symbol("q")
    step = is_zero(share * sp.Rational(1, 2) + share * sp.Rational(-1, 2))
    yield lab.true({"d": "d -> d + 1"}, step, "a product with a further fair sign has the mean 0")


def _parameters(cell: Mapping[str, Any]) -> dict[str, Any]:
    return {"d": cell["d"], "p_cot": cell["p_cot"], "n_samples": 256}


def _cells(profile: str) -> list[dict[str, Any]]:
    sizes = (3, 12) if profile == "quick" else (3, 12, 50)
    return [{"d": d, "p_cot": p} for d in sizes for p in (0.1, 0.5)]


def _mean_leg(name: str, read: Any, predict: Any) -> Simulation:
    return Simulation(
        name,
        "hardness.route_signal",
        cells=_cells,
        parameters=_parameters,
        extract=lambda data, cell: Means(np.asarray(read(data, cell), dtype=float), -0.5, 0.5),
        predict=predict,
        resolution=0.03,
        planned_n=1024,
        unit="batch of 256 demonstration",
        cost=1.0,
    )


def _chain_off(data: Any, cell: Mapping[str, Any], theory: Any) -> Counts:
    """Runs in which a chain component is off, or another feature of its position is above half of the sampled noise."""
    found = theory.hardness.long_route_signal(cell["p_cot"])
    seen = data["long_samples"].values > 0
    off = (np.abs(data["chain"].values - found.chain) > 1e-12).any(axis=1)
    # Hoeffding for each of at most 3 d^2 means of n signs, at 1e-4 a run.
    noise = np.sqrt(np.log(6 * cell["d"] ** 2 / 1e-4) / (2 * np.maximum(data["long_samples"].values, 1)))
    off |= (data["chain_other"].values[:, 1:] > noise[:, None]).any(axis=1)
    return Counts(int((off & seen).sum()), int(seen.sum()))


def _scaled(factor: int) -> Any:
    found = closed_forms().long_route_signal

    def mutant(p: Any) -> Any:
        return type(found(p))(*(factor * value for value in found(p)))

    return mutant


def _figure(result: ClaimResult) -> Figure:
    """Signals against d: the long route's first step, and the root mean square over subsets of the short answer."""
    from matplotlib.figure import Figure

    from proofs_check.figures import style, theory_line
    from theory.hardness import long_route_signal, signal_mean

    with style():
        figure = Figure(figsize=(6.4, 3.8), layout="constrained")
        ax = figure.add_subplot()
        sizes = list(range(2, 61))
        for index, p in enumerate((0.5, 0.1, 0.01)):
            theory_line(ax, sizes, [long_route_signal(p).first] * len(sizes), f"first token, p = {p}", index)
        short = [float(signal_mean(d, float(d), 0.0)) ** 0.5 for d in sizes]
        theory_line(ax, sizes, short, "short answer, root mean square over subsets", 3)
        ax.set(xlabel="d", ylabel="norm of the signal at |grad f|^2 = d", yscale="log")
        ax.legend()
    return figure


LONG_ROUTE = Claim(
    id="hardness.long_route_signal",
    statement=(
        "At zero weights of the autoregressive linear model the long route's steps have the signals p/2 (first token), "
        "-p/2 (stop, on x_1 y_1) and 1/2 on each long demonstration (chain), whatever d; the short answer adds nothing "
        "but the bias (1-2p)/2 of the stop position, and all other features have the signal 0."
    ),
    latex=(
        r"\tfrac12\mathbb{E}[y_1 x_1] = \tfrac p2,\quad \tfrac12\mathbb{E}[t\,x_1y_1] = -\tfrac p2,\quad "
        r"\tfrac12\mathbb{E}[y_l\,y_{l-1}x_l \mid \text{long}] = \tfrac12"
    ),
    origin="derived",
    source=f"law of the mixture of {PAPER}",
    kind="exact",
    domain=Domain({"p_cot": P_COT}),
    functions=("hardness.long_route_signal",),
    evidence=(
        Exact("enumeration", "every feature of every position, in rationals", _listed, scope="cells", cost=0.3),
        Exact("identity", "p a symbol at d = 3, further signs by induction", _symbolic, cost=0.3),
        _mean_leg(
            "mean component of x_1 at the first token",
            lambda data, cell: data["first"].values[:, 0],
            lambda theory, cell: theory.hardness.long_route_signal(cell["p_cot"]).first,
        ),
        _mean_leg(
            "mean component of x_1 y_1 at the stop position",
            lambda data, cell: data["stop"].values[:, cell["d"] + 1],
            lambda theory, cell: theory.hardness.long_route_signal(cell["p_cot"]).stop_relation,
        ),
        Simulation(
            "batches whose chain components are off",
            "hardness.route_signal",
            cells=_cells,
            parameters=_parameters,
            judge_units=_chain_off,
            predict=lambda theory, cell: 0.0001,
            compare="upper",
            resolution=0.03,
            planned_n=1024,
            unit="batch of 256 demonstration",
            cost=0.1,
        ),
    ),
    mutants=(
        Mutant(
            "the factor 1/2 of the logistic loss is dropped",
            "on long demonstrations alone the chain's component is 1/2",
            theory={"hardness.long_route_signal": _scaled(2)},
        ),
        Mutant(
            "the first token's signal is p^2/2",
            "y_1 = x_1 on a share p of all demonstrations, and by a coin on the rest",
            theory={
                "hardness.long_route_signal": lambda p: (
                    closed_forms().long_route_signal(p)._replace(first=p * p / 2, stop_relation=-p * p / 2, chain=p / 2)
                )
            },
        ),
    ),
    figure=_figure,
)


# ---------------------------------------------------------------- both routes


def _gap_listed(lab: Lab) -> Iterator[Cell]:
    """Batches at which the signal equals the noise: first token against the short answer, from their squares."""
    t = lab.theory.hardness
    for d in (3, 10, 20):
        for p in (Fraction(1, 10), Fraction(1, 2)):
            first = t.long_route_signal(p).first ** 2
            cell = {"d": d, "p_cot": p}
            yield lab.equal(cell, t.unit_ratio_samples(first, Fraction(d, 4)), (d - p * p) / (p * p), "first token")
            short = t.signal_mean(d, Fraction(d))
            yield lab.equal(cell, t.unit_ratio_samples(short, Fraction(d, 4)), Fraction(2**d - 1), "short answer")


def _gap_symbolic(lab: Lab) -> Iterator[Cell]:
    t = lab.theory.hardness
    signal, noise, n = sp.symbols("s v n", positive=True)
    crossing = t.unit_ratio_samples(signal, signal + noise)
    yield lab.true({}, is_zero(signal - noise / crossing), "the mean's variance is the signal at that batch")
    yield lab.true({}, is_zero(sp.diff(signal + noise / n, n) + noise / n**2), "and falls with the batch")


def _at_crossing(data: Any, cell: Mapping[str, Any]) -> Means:
    """Squared length of the first token's sampled gradient."""
    return Means((data["first"].values ** 2).sum(axis=1), 0.0, cell["d"] / 4)


def _twice_signal(theory: Any, cell: Mapping[str, Any]) -> float:
    t = theory.hardness
    signal = t.long_route_signal(cell["p_cot"]).first ** 2
    return float(signal * (1 + t.unit_ratio_samples(signal, cell["d"] / 4) / cell["n_samples"]))


GAP_CELLS = ({"d": 4, "p_cot": 0.5, "n_samples": 15}, {"d": 6, "p_cot": 0.8, "n_samples": 8})

GAP = Claim(
    id="hardness.unit_ratio",
    statement=(
        "The mean gradient of a batch has a squared signal equal to its squared sampling noise at (d - p^2)/p^2 "
        "demonstrations for the first token of the long route, and at 2^d - 1 on average over subsets for the short "
        "answer."
    ),
    latex=r"n_{\text{first}} = \frac{d - p^2}{p^2}, \qquad n_{\text{short}} = 2^d - 1",
    origin="derived",
    source="hardness.long_route_signal and hardness.batch_signal",
    kind="exact",
    domain=Domain({"signal_square": Real(0, open_low=True, meaning="squared signal", symbol="s^2")}),
    evidence=(
        Exact("enumeration", "both routes in rationals", _gap_listed, scope="cells"),
        Exact("identity", "the crossing with symbols", _gap_symbolic),
        Simulation(
            "mean squared gradient of the first token",
            "hardness.route_signal",
            cells=GAP_CELLS,
            parameters=dict,
            extract=_at_crossing,
            predict=_twice_signal,
            resolution=lambda cell, predicted: 0.12 * predicted.low,
            planned_n=4096,
            unit="batch",
            cost=1.5,
        ),
    ),
    mutants=(
        Mutant(
            "square roots of these",
            "signal and noise are compared squared",
            theory={
                "hardness.unit_ratio_samples": lambda s, m: _rational_root((m - s) / s),
            },
        ),
        Mutant(
            "twice these",
            "at d = 1 and p = 1 there is no noise, and at p = 1/2, d = 1 three demonstrations do",
            theory={"hardness.unit_ratio_samples": lambda s, m: 2 * closed_forms().unit_ratio_samples(s, m)},
        ),
    ),
)


def _rational_root(value: Any) -> Any:
    if isinstance(value, Fraction):
        return Fraction(float(value) ** 0.5)
    return value ** sp.Rational(1, 2) if isinstance(value, sp.Expr) else value**0.5


# ---------------------------------------------------------------- halfspaces


def _halfspaces(lab: Lab) -> Iterator[Cell]:
    """All halfspaces at d <= 3, by whole weights up to 2 that realise every one of them, and majorities beyond."""
    t = lab.theory.hardness
    for d in (1, 2, 3):
        best = 0
        for w in product(range(-2, 3), repeat=d):
            for twice in range(-6, 7):
                value = {x: 1 if 2 * sum(a * b for a, b in zip(w, x, strict=True)) > twice else -1 for x in prompts(d)}
                best = max(best, sum(value[x] == math.prod(x) for x in value))
        yield lab.equal({"d": d}, Fraction(best, 2**d), t.halfspace_accuracy_bound_exact(d), "best of all halfspaces")
    for d in (5, 8, 21, 60):
        for shift in (0, 1):  # sign of (sum of signs) + shift/2, and of its negative
            right = sum(
                math.comb(d, minus) * ((2 * (d - 2 * minus) + shift > 0) == (minus % 2 == 0)) for minus in range(d + 1)
            )
            share = max(Fraction(right, 2**d), 1 - Fraction(right, 2**d))
            bound = t.halfspace_accuracy_bound_exact(d)
            yield lab.at_most({"d": d}, share, bound, "majority")
        yield lab.equal({"d": d}, share, bound, "attained")


def _influences(lab: Lab) -> list[Cell]:
    """The steps of the bound: coefficient and influence at all functions of three signs, then the mean influence."""
    t = lab.theory.hardness
    proof = Proof()
    d = 3
    points = prompts(d)
    ok = True
    for bits in product((-1, 1), repeat=2**d):
        f = dict(zip(points, bits, strict=True))
        products = [[f[x] * f[tuple(-v if i == k else v for k, v in enumerate(x))] for x in points] for i in range(d)]
        influence = [sum(v < 0 for v in row) for row in products]
        whole = abs(sum(f[x] * math.prod(x) for x in points))
        ok &= all(whole <= value for value in influence)
    proof.step("the coefficient at the full set is at most each influence (all functions of three signs)", ok)
    found = None
    for size in (2, 3, 7, 20, 101):
        # A halfspace is monotone up to signs: its influences are the sizes of its coefficients at single signs, and
        # their sum E[f (+-x_1 +- ... +- x_d)] is at most E|x_1 + ... + x_d|.
        mean_size = Fraction(sum(math.comb(size, k) * abs(size - 2 * k) for k in range(size + 1)), 2**size)
        if Fraction(1, 2) + mean_size / size / 2 != t.halfspace_accuracy_bound_exact(size):
            found = {"d": str(size)}
    proof.step("accuracy 1/2 + E|sum of signs|/(2d)", found is None)
    return proof.cells({"d": "{1, 2, ...}"}, found)


def _linear_above(data: Any, cell: Mapping[str, Any], theory: Any) -> Counts:
    bound = float(theory.hardness.halfspace_accuracy_bound_exact(cell["d"]))
    found = data["accuracy"].values[:, -1] > bound + 1e-12
    return Counts(int(found.sum()), int(found.size))


HALFSPACE = Claim(
    id="hardness.halfspace",
    statement=(
        "No linear predictor answers more than a share 1/2 + C(d-1, floor((d-1)/2))/2^d of the prompts with the parity "
        "of their d signs, however many short answers it has seen."
    ),
    latex=(
        r"P\bigl(\operatorname{sign}(\langle w, x\rangle + b) = x_1\cdots x_d\bigr) \le "
        r"\frac12 + \binom{d-1}{\lfloor (d-1)/2 \rfloor} 2^{-d}"
    ),
    origin="derived",
    source="influences of halfspaces",
    kind="upper",
    domain=Domain({"d": Integer(1, 1000, meaning="number of signs", largest_drawn=300)}),
    functions=("hardness.halfspace_accuracy_bound_exact", "hardness.halfspace_accuracy_bound"),
    evidence=(
        Exact("enumeration", "all halfspaces at d <= 3; majorities", _halfspaces, scope="cells", cost=0.2),
        Exact(
            "certificate", "coefficient, influence, mean size of a sum of signs", _influences, scope="cells", cost=0.1
        ),
        Simulation(
            "linear models trained on short answers that are above the bound",
            "hardness.learning_curve",
            cells=[{"d": 2, "n_samples": 16}, {"d": 4, "n_samples": 64}, {"d": 6, "n_samples": 500}],
            parameters=lambda cell: {"route": "short_linear", **cell},
            judge_units=_linear_above,
            predict=lambda theory, cell: 0.0,
            compare="upper",
            resolution=0.15,
            planned_n=256,
            unit="trained model",
            cost=0.5,
        ),
    ),
    mutants=(
        Mutant(
            "1/2 + 2^-d",
            "at d = 3 the majority's negative is right on 6 of 8 prompts",
            theory={"hardness.halfspace_accuracy_bound_exact": lambda d: Fraction(1, 2) + Fraction(1, 2**d)},
        ),
        Mutant(
            "1/2",
            "the negative of the majority of three signs is right on 3 of 4 prompts",
            theory={"hardness.halfspace_accuracy_bound_exact": lambda d: Fraction(1, 2)},
        ),
    ),
    tightness=lambda lab: {
        "ratio": 1.0,
        "interval": None,
        "vacuous": "nowhere for d >= 2",
        "detail": "attained by the majority or its negative",
    },
)

CLAIMS = (LONG_ROUTE, GAP, HALFSPACE)
