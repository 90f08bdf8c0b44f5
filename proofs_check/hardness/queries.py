"""Claims about learners that see means with a tolerance, gradients with noise, or few messages."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from fractions import Fraction
from itertools import product
from typing import TYPE_CHECKING, Any

import numpy as np
import sympy as sp
from scipy import special

from proofs_check.certificates import Proof, is_zero
from proofs_check.claims import Claim, Exact, Mutant, Simulation
from proofs_check.domains import Domain, Integer, Real
from proofs_check.hardness._common import character, closed_forms, coefficient, prompts, subsets
from proofs_check.samples import Counts
from proofs_check.verdicts import Cell

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from proofs_check.lab import Lab
    from proofs_check.runner import ClaimResult

__all__ = ["CLAIMS"]

N_PARITIES = Integer(1, 2**1000, meaning="parities in the class", symbol="n", largest_drawn=2**62)
NOTICED = Integer(0, 10**300, meaning="parities that one query can show", symbol="m", largest_drawn=2**62)
SUCCESS = Real(0, 1, meaning="chance to name the parity", symbol="s")
NOISE = Real(1e-100, 1e100, meaning="standard deviation of a component's noise", symbol=r"\sigma")
SIGNAL = Real(1e-100, 1e100, meaning="mean squared signal of the class", symbol="s^2")


# ---------------------------------------------------------------- statistical queries


def _bent(d: int) -> list[int]:
    """x_1x_2 + x_3x_4 + ... over GF(2), as signs: all 2^d coefficients have the size 2^(-d/2)."""
    return [math.prod(-1 if x[i] == x[i + 1] == -1 else 1 for i in range(0, d, 2)) for x in prompts(d)]


def _noticed_listed(lab: Lab) -> Iterator[Cell]:
    """Count the parities on which a query moves by more than tau; bent functions attain the count."""
    t = lab.theory.hardness
    generator = np.random.default_rng(1)
    for d in (2, 4):
        queries = [_bent(d), [1] * 2**d, *(generator.choice([-1, 1], 2**d).tolist() for _ in range(4))]
        for index, query in enumerate(queries):
            sizes = [abs(coefficient(query, s, d)) for s in subsets(d)]
            for tau in (Fraction(1, 10), Fraction(1, 4), Fraction(1, 3), Fraction(1, 2), Fraction(1)):
                count = sum(size > tau for size in sizes)
                bound = t.noticed_parities(Fraction(1), tau)
                yield lab.at_most({"d": d, "tolerance": tau, "query": str(index)}, count, bound)
        tau = Fraction(1, 2 ** (d // 2)) - Fraction(1, 10**6)
        count = sum(abs(coefficient(_bent(d), s, d)) > tau for s in subsets(d))
        yield lab.equal({"d": d, "tolerance": tau}, count, t.noticed_parities(Fraction(1), tau), "a bent function")


def _game(lab: Lab) -> Iterator[Cell]:
    """Every deterministic learner with one sign-valued query at d = 2, and with q single-parity queries in general."""
    t = lab.theory.hardness
    d, tau = 2, Fraction(9, 20)
    noticed = t.noticed_parities(Fraction(1), tau)
    best = 0
    for query in product((-1, 1), repeat=2**d):
        # The answer is 0 where the tolerance allows it, else the coefficient; the learner names one subset an answer.
        answers = {coefficient(query, s, d) if abs(coefficient(query, s, d)) > tau else Fraction(0) for s in subsets(d)}
        best = max(best, len(answers))
    bound = t.statistical_query_success_bound(1, 2**d, noticed)
    yield lab.at_most({"d": d, "tolerance": tau}, Fraction(best, 2**d), Fraction(bound), "best of all queries")
    for n, q in ((16, 3), (120, 50), (2**20, 1000)):
        # Asking for one correlation a time, with tau just below 1, shows one parity a query and leaves one guess.
        shown = t.noticed_parities(Fraction(1), 1 - Fraction(1, 1000))
        reached = Fraction(q + 1, n)
        predicted = t.statistical_query_success_bound(q, n, shown)
        yield lab.close({"n_queries": q}, float(reached), predicted, 1e-15, "attained by asking one by one")
        needed = t.statistical_queries(n, shown, float(reached))
        yield lab.close({"n_queries": q}, float(q), needed, q * 1e-12 * n, "least number of queries")


QUERIES = Claim(
    id="hardness.statistical_queries",
    statement=(
        "A learner that asks for means of functions of (prompt, label) with values in [-1, 1], answered as if labels "
        "were coins wherever a tolerance tau allows that, names a uniform parity among n with probability at most "
        "(q m + 1)/n after q queries, m = ceil(1/tau^2) - 1."
    ),
    latex=r"P(\hat S = S) \le \frac{q\,(\lceil \tau^{-2}\rceil - 1) + 1}{n}",
    origin="derived",
    source="hardness.parseval and the count of parities a query can show",
    kind="upper",
    domain=Domain(
        {
            "n_queries": Integer(0, meaning="queries", symbol="q", largest_drawn=2**60),
            "n_parities": N_PARITIES,
            "noticed": NOTICED,
            "success": SUCCESS,
            "tolerance": Real(1e-100, 1e100, meaning="tolerance of an answer", symbol=r"\tau"),
        }
    ),
    functions=(
        "hardness.noticed_parities",
        "hardness.statistical_query_success_bound",
        "hardness.statistical_queries",
    ),
    evidence=(
        Exact("enumeration", "queries in rationals, parities counted", _noticed_listed, scope="cells", cost=0.1),
        Exact("enumeration", "the game at d = 2, and single correlations", _game, scope="cells", cost=0.1),
    ),
    mutants=(
        Mutant(
            "a query shows at most 1/tau parities",
            "a bent function shows all 2^d at tau just below 2^(-d/2)",
            theory={"hardness.noticed_parities": lambda total, tau: max(0, math.ceil(total / tau) - 1)},
        ),
        Mutant(
            "success is at most (q m/2 + 1)/n",
            "asking for one correlation a time finds one more parity a query",
            theory={
                "hardness.statistical_query_success_bound": lambda q, n, m: min(1.0, (q * m / 2 + 1) / n),
                "hardness.noticed_parities": lambda total, tau: max(1, math.ceil(total / (4 * tau * tau)) - 1),
            },
        ),
        Mutant(
            "s n^2/m queries are needed",
            "three queries reach 4 of 16 parities",
            theory={
                "hardness.statistical_queries": lambda n, m, s: s * n * n / max(m, 1),
                "hardness.noticed_parities": lambda total, tau: max(0, math.ceil(total / (2 * tau)) - 1),
            },
        ),
    ),
    tightness=lambda lab: {
        "ratio": 1.0,
        "interval": None,
        "vacuous": "m >= n: tau at or below n^(-1/2) shows the whole class at once",
        "detail": "attained by single correlations at tau near 1",
    },
)


# ---------------------------------------------------------------- noisy gradients


def _best_of(n: int, shift: float) -> float:
    """Chance that the largest of n normals is the one whose mean is higher by `shift`: the best decision there is."""

    # The trapezoidal rule on a smooth integrand that vanishes at both ends: right to rounding at this step.
    z = np.linspace(shift - 10, shift + 10, 2001)
    density = np.exp(-((z - shift) ** 2) / 2) / math.sqrt(2 * math.pi)
    return float(np.sum(density * np.exp((n - 1) * special.log_ndtr(z))) * (z[1] - z[0]))


def _optimal_cells(lab: Lab) -> Iterator[Cell]:
    """The best decision from T gradients of a predictor linear in all n monomials, scaled to E|grad f|^2 = 1."""
    t = lab.theory.hardness
    for n in (2, 16, 1024):
        square = t.signal_total(1.0) / n
        for information in (0.02, 0.3, 1.0):
            steps = max(1, round(information * 2 / square))
            best = _best_of(n, math.sqrt(steps * square))
            cell = {"n_parities": n, "n_steps": steps, "noise": 1.0}
            # The quadrature is right to far better than 1e-9.
            yield lab.at_most(cell, best - 1e-9, t.noisy_gradient_success_bound(steps, n, square, 1.0), "success")
            yield lab.at_most(cell, t.noisy_gradient_steps(n, square, 1.0, best - 1e-9), float(steps), "steps")


def _divergences(lab: Lab) -> list[Cell]:
    """The pieces: divergence of two normals, Pinsker and Bretagnolle-Huber as used, and the closed forms from them."""
    t = lab.theory.hardness
    mean, sigma, y = sp.symbols("mu sigma y", positive=True)
    proof = Proof()
    # log-density ratio of N(0, sigma^2) and N(mu, sigma^2) has the mean mu^2/(2 sigma^2) under the first.
    ratio = sp.expand(((y - mean) ** 2 - y**2) / (2 * sigma**2))
    proof.identity("divergence of a step", ratio.subs(y, 0), mean**2 / (2 * sigma**2))
    found = None
    for n, square, noise, steps in ((16, 0.02, 1.0, 7), (2**30, 1e-6, 0.1, 1000), (8, 0.5, 1.0, 1000)):
        k = steps * square / (2 * noise * noise)
        expected = min(1.0, 1 / n + min(math.sqrt(k / 2), math.sqrt(1 - math.exp(-k))))
        if abs(t.noisy_gradient_success_bound(steps, n, square, noise) - expected) > 1e-12:
            found = {"n_parities": str(n), "signal_square": str(square), "noise": str(noise), "n_steps": str(steps)}
        for success in (0.3, 0.9):
            delta = max(0.0, success - 1 / n)
            needed = max(2 * delta**2, -math.log(1 - delta**2)) * 2 * noise**2 / square
            if abs(t.noisy_gradient_steps(n, square, noise, success) - needed) > 1e-9 * (1 + needed):
                found = {"n_parities": str(n), "signal_square": str(square), "noise": str(noise)}
    proof.step("closed forms from these pieces", found is None)
    return proof.cells({"n_parities": "{1, 2, ...}"}, found)


NOISY_CELLS = (
    {"d": 2, "noise": 0.5, "n_steps": 2},
    {"d": 4, "noise": 1.0, "n_steps": 16},
    {"d": 4, "noise": 1.0, "n_steps": 96},
    {"d": 6, "noise": 0.5, "n_steps": 64},
)


def _noisy(cell: Mapping[str, Any]) -> dict[str, Any]:
    return {"d": cell["d"], "n_steps": cell["n_steps"], "noise": cell["noise"]}


def _identified(data: Any, cell: Mapping[str, Any]) -> Counts:
    found = data["identified"].values
    return Counts(int(found.sum()), int(found.size))


def _noisy_bound(theory: Any, cell: Mapping[str, Any]) -> float:
    t = theory.hardness
    square = t.signal_mean(cell["d"], 1.0)
    return float(t.noisy_gradient_success_bound(cell["n_steps"], 2 ** cell["d"], square, cell["noise"]))


def _measured_share(lab: Lab, experiment: str, n: int, parameters: Mapping[str, Any]) -> Counts:
    total = Counts(0, 0)
    for data in lab.measure(experiment, n, **parameters):
        total = total + _identified(data, {})
    return total


def _noisy_tightness(lab: Lab) -> dict[str, Any]:
    found = []
    for cell in NOISY_CELLS:
        share = _measured_share(lab, "hardness.noisy_gradient", 1024, _noisy(cell))
        bound = _noisy_bound(lab.theory, cell)
        interval = share.interval(1e-6)
        found.append((share.estimate / bound, (interval.low / bound, interval.high / bound), cell))
    ratio, ends, cell = max(found, key=lambda item: item[0])
    return {
        "ratio": ratio,
        "interval": ends,
        "vacuous": "K >= ln(n/2) for large n: T >= 8 sigma^2 n ln(n/2)/E|grad f|^2",
        "detail": f"gradient descent on all monomials, at {dict(cell)}",
    }


NOISY = Claim(
    id="hardness.noisy_gradient",
    statement=(
        "After T gradients of the population loss, each with noise N(0, sigma^2 I), a parity uniform among n is "
        "named with probability at most 1/n + min(sqrt(K/2), sqrt(1 - exp(-K))), K = T E|grad f|^2/(8 sigma^2 n): so "
        "constant success takes of the order of sigma^2 n/E|grad f|^2 steps, 2^d for all parities."
    ),
    latex=(
        r"P(\hat S = S) \le \frac1n + \min\Bigl(\sqrt{K/2}, \sqrt{1 - e^{-K}}\Bigr),\qquad "
        r"K = \frac{T\,\mathbb{E}|\nabla f|^2}{8\sigma^2 n}"
    ),
    origin="derived",
    source="divergence from labels that are coins; Pinsker; Bretagnolle and Huber; hardness.parseval",
    kind="upper",
    domain=Domain(
        {
            "n_steps": Integer(0, meaning="gradients", symbol="T", largest_drawn=2**60),
            "n_parities": N_PARITIES,
            "signal_square": SIGNAL,
            "noise": NOISE,
            "success": SUCCESS,
        }
    ),
    functions=(
        "hardness.gradient_information",
        "hardness.noisy_gradient_success_bound",
        "hardness.noisy_gradient_steps",
    ),
    evidence=(
        Exact("identity", "the pieces, and the closed forms from them", _divergences, scope="cells"),
        Exact("enumeration", "the best decision by quadrature", _optimal_cells, scope="cells", cost=0.2),
        Simulation(
            "gradient descent with noise names the parity",
            "hardness.noisy_gradient",
            cells=NOISY_CELLS,
            parameters=_noisy,
            extract=_identified,
            predict=_noisy_bound,
            compare="upper",
            planned_n=1024,
            unit="descent",
            cost=0.6,
        ),
    ),
    mutants=(
        Mutant(
            "the signal is 2^(-2d)",
            "at d = 4 sixteen steps already name 12 % of the parities",
            theory={
                "hardness.signal_mean": lambda d, square, p=0: square / 4 / 4**d,
                "hardness.signal_total": lambda square, p=0: square / 4 / 1000,
                "hardness.noisy_gradient_success_bound": lambda steps, n, square, noise: min(
                    1.0, 1 / n + math.sqrt(steps * square / (4000 * noise * noise))
                ),
            },
        ),
        Mutant(
            "an eighth of the bound, above chance",
            "measured success reaches more than that share of it",
            theory={
                "hardness.noisy_gradient_success_bound": lambda steps, n, square, noise: (
                    1 / n + (closed_forms().noisy_gradient_success_bound(steps, n, square, noise) - 1 / n) / 8
                )
            },
        ),
        Mutant(
            "forty times as many steps are needed",
            "the best decision needs fewer",
            theory={
                "hardness.noisy_gradient_steps": lambda n, square, noise, s: (
                    40 * closed_forms().noisy_gradient_steps(n, square, noise, s)
                )
            },
        ),
    ),
    tightness=_noisy_tightness,
    remarks="Noise that is added, not the sampling noise of one-pass descent: single gradients hold the labels.",
)


# ---------------------------------------------------------------- fixed features


def _fano_cells(lab: Lab) -> Iterator[Cell]:
    t = lab.theory.hardness
    for n in (2, 16, 1024, 2**20):
        square = 0.25 / n
        for information in (0.1, 1.0, math.log(n)):
            steps = max(1, round(information * 2 / square))
            best = _best_of(n, math.sqrt(steps * square))
            needed = t.fixed_features_steps(n, square, 1.0, max(0.0, best - 1e-9))
            yield lab.at_most({"n_parities": n, "n_steps": steps}, needed, float(steps))


def _fano_pieces(lab: Lab) -> list[Cell]:
    t = lab.theory.hardness
    proof = Proof()
    s, q = sp.symbols("s q", positive=True)
    divergence = s * sp.log(s / q) + (1 - s) * sp.log((1 - s) / (1 - q))
    proof.step("kl(s, q) is 0 at s = q", is_zero(divergence.subs(s, q)))
    proof.step(
        "its slope in s is the difference of log odds",
        is_zero(sp.expand_log(sp.diff(divergence, s) - sp.log(s / (1 - s)) + sp.log(q / (1 - q)), force=True)),
    )
    found = None
    for n, square, noise, success in ((4, 0.1, 1.0, 0.5), (1024, 1e-4, 2.0, 0.9), (2**40, 1e-9, 0.1, 1.0)):
        value = success * math.log(success * n)
        if success < 1:
            value += (1 - success) * math.log((1 - success) / (1 - 1 / n))
        if abs(t.fixed_features_steps(n, square, noise, success) / (2 * noise**2 / square * value) - 1) > 1e-9:
            found = {"n_parities": str(n), "signal_square": str(square), "noise": str(noise), "success": str(success)}
    proof.step("the closed form from it", found is None)
    return proof.cells({"n_parities": "{1, 2, ...}"}, found)


def _fixed_bound(theory: Any, cell: Mapping[str, Any]) -> float:
    """The largest success that T steps allow, by bisection."""
    n = 2 ** cell["d"]
    low, high = 1 / n, 1.0
    for _ in range(60):
        middle = (low + high) / 2
        needed = theory.hardness.fixed_features_steps(n, 0.25 / n, cell["noise"], middle)
        low, high = (middle, high) if needed <= cell["n_steps"] else (low, middle)
    return high


FIXED_CELLS = ({"d": 4, "noise": 1.0, "n_steps": 200}, {"d": 6, "noise": 0.5, "n_steps": 256})


def _fixed_tightness(lab: Lab) -> dict[str, Any]:
    found = []
    for cell in FIXED_CELLS:
        n = 2 ** cell["d"]
        share = _measured_share(lab, "hardness.noisy_gradient", 1024, _noisy(cell))
        interval = share.interval(1e-6)
        steps = [
            lab.theory.hardness.fixed_features_steps(n, 0.25 / n, cell["noise"], value) / cell["n_steps"]
            for value in (share.estimate, interval.low, interval.high)
        ]
        found.append((steps[0], (steps[1], steps[2]), cell))
    ratio, ends, cell = max(found, key=lambda item: item[0])
    return {
        "ratio": ratio,
        "interval": ends,
        "vacuous": "s n <= 1",
        "detail": f"bound on the steps over the steps taken, at {dict(cell)}",
    }


FIXED = Claim(
    id="hardness.fixed_features",
    statement=(
        "If the gradient of the predictor does not depend on its weights, noisy gradient descent that names a uniform "
        "parity of a class of n with probability s has taken at least (2 sigma^2/s^2) kl(s, 1/n) steps, s^2 the mean "
        "squared signal: of the order of n log n."
    ),
    latex=r"T \ge \frac{2\sigma^2}{\overline{|g_S|^2}}\ \mathrm{kl}\bigl(s \,\|\, \tfrac1n\bigr)",
    origin="derived",
    source="divergence of the parities from coins; data processing (Fano)",
    kind="lower",
    domain=Domain({"n_parities": N_PARITIES, "signal_square": SIGNAL, "noise": NOISE, "success": SUCCESS}),
    functions=("hardness.fixed_features_steps",),
    evidence=(
        Exact("identity", "binary divergence, and the closed form", _fano_pieces, scope="cells"),
        Exact("enumeration", "the best decision by quadrature", _fano_cells, scope="cells", cost=0.3),
        Simulation(
            "gradient descent on all monomials names the parity",
            "hardness.noisy_gradient",
            cells=FIXED_CELLS,
            parameters=_noisy,
            extract=_identified,
            predict=_fixed_bound,
            compare="upper",
            planned_n=1024,
            unit="descent",
            cost=1.0,
        ),
    ),
    mutants=(
        Mutant(
            "the steps grow like n^2 log n",
            "at n = 16 the best decision needs far fewer",
            theory={
                "hardness.fixed_features_steps": lambda n, square, noise, s: (
                    n * closed_forms().fixed_features_steps(n, square, noise, s)
                )
            },
        ),
        Mutant(
            "eight times as many",
            "the measured descents succeed with a quarter of that",
            theory={
                "hardness.fixed_features_steps": lambda n, square, noise, s: (
                    8 * closed_forms().fixed_features_steps(n, square, noise, s)
                )
            },
        ),
    ),
    tightness=_fixed_tightness,
)


# ---------------------------------------------------------------- messages


def _message_lemma(lab: Lab) -> list[Cell]:
    r"""U(L) = a + (1-L)^2/(4a) below 1 and a above: above (1-L)^+, and its increments beyond linear are <= r^2/(4a)."""
    t = lab.theory.hardness
    like, r, a, k = sp.symbols("L r a K", positive=True)
    proof = Proof()
    proof.identity(
        "U - (1 - L) is a square", a + (1 - like) ** 2 / (4 * a) - (1 - like), (1 - like - 2 * a) ** 2 / (4 * a)
    )
    proof.nonnegative(
        "below 1 the increment is L^2 r^2/(4a)",
        (1 - like**2) * r**2 / (4 * a),
        {like: (0, 1), r: (0, sp.oo), a: (0, sp.oo)},
    )
    proof.nonnegative(
        "crossing upwards the quadratic stays above a", (1 - like) ** 2 / (4 * a), {like: (1, sp.oo), a: (0, sp.oo)}
    )
    fall = sp.Symbol("f", positive=True)  # -r, at most 1
    proof.nonnegative(
        "crossing downwards 1 - L(1-f) <= f", fall - (1 - like * (1 - fall)), {like: (1, sp.oo), fall: (0, 1)}
    )
    proof.identity("best at a = sqrt(K)/2", (a + k**2 / (4 * a)).subs(a, k / 2), k)  # K written as k^2
    found = None
    for steps, n, messages in ((16, 2**10, 2), (5, 100, 3), (1, 2**40, 2**20)):
        expected = min(1.0, 1 / n + math.sqrt(steps * messages / (2 * n)))
        if abs(t.message_success_bound(steps, n, messages) - expected) > 1e-12:
            found = {"n_samples": str(steps), "n_parities": str(n), "n_messages": str(messages)}
        for s in (0.2, 0.9):
            needed = 2 * n * (s - 1 / n) ** 2 / messages
            if abs(t.message_samples(n, messages, s) / needed - 1) > 1e-9:
                found = {"n_parities": str(n), "n_messages": str(messages), "success": str(s)}
    proof.step("the closed forms from it", found is None)
    return proof.cells({"n_parities": "{1, 2, ...}"}, found)


def _divergence_listed(lab: Lab) -> Iterator[Cell]:
    """All rules for one demonstration at d = 1, 2: the mean over parities of chi^2 is at most A/(2n), with equality."""
    t = lab.theory.hardness
    for d, messages in ((1, 2), (1, 3), (2, 2)):
        n = 2**d
        largest = Fraction(0)
        for rule in product(range(messages), repeat=2 * n):
            chi = Fraction(0)
            for z in set(rule):
                hits = [int(m == z) for m in rule]
                for s in subsets(d):
                    moved = sum((hits[2 * i] - hits[2 * i + 1]) * character(s, x) for i, x in enumerate(prompts(d)))
                    chi += Fraction(moved * moved, 2 * n * sum(hits))
            largest = max(largest, chi / n)
        # The bound's own share of one step, read off the function: (bound - 1/n)^2 at T = 1 and a large class.
        big = 2**40
        share = Fraction(round((t.message_success_bound(1, big, messages) - 1 / big) ** 2 * big * 2), 2 * n)
        yield lab.at_most({"d": d, "n_messages": messages}, largest, share, "largest over all rules")
        if messages == 2:
            yield lab.equal({"d": d, "n_messages": messages}, largest, share, "attained")


MESSAGE_CELLS = tuple({"d": d, "n_samples": n} for d, n in ((6, 4), (8, 64), (8, 200), (10, 900)))


def _message_bound(theory: Any, cell: Mapping[str, Any]) -> float:
    return float(theory.hardness.message_success_bound(cell["n_samples"], 2 ** cell["d"], 2))


def _message_tightness(lab: Lab) -> dict[str, Any]:
    found = []
    for cell in MESSAGE_CELLS:
        share = _measured_share(lab, "hardness.one_bit_search", 2048, cell)
        bound = _message_bound(lab.theory, cell)
        interval = share.interval(1e-6)
        found.append((share.estimate / bound, (interval.low / bound, interval.high / bound), cell))
    ratio, ends, cell = max(found, key=lambda item: item[0])
    return {
        "ratio": ratio,
        "interval": ends,
        "vacuous": "T >= 2n/A: every demonstration sent in full, or weights kept in full precision",
        "detail": f"one-bit search, at {dict(cell)}",
    }


def _message_figure(result: ClaimResult) -> Figure:
    """Success of the one-bit search against demonstrations over parities, with the bound."""
    from matplotlib.figure import Figure

    from proofs_check.figures import simulated_points, style, theory_line

    with style():
        figure = Figure(figsize=(6.4, 3.8), layout="constrained")
        ax = figure.add_subplot()
        grid = [i / 200 for i in range(241)]
        theory_line(ax, grid, [min(1.0, math.sqrt(x)) for x in grid], "bound for one bit a demonstration, large n")
        cells = [c for e in result.evidence if e.kind == "simulation" for c in e.cells if c.interval is not None]
        for index, d in enumerate(sorted({c.parameters["d"] for c in cells})):
            mine = [c for c in cells if c.parameters["d"] == d]
            simulated_points(
                ax,
                [c.parameters["n_samples"] / 2**d for c in mine],
                [c.observed for c in mine],
                [c.interval.low for c in mine if c.interval is not None],
                [c.interval.high for c in mine if c.interval is not None],
                f"one-bit search, d = {d}",
                index,
            )
        ax.set(xlabel="demonstrations / parities", ylabel="chance to name the parity")
        ax.legend()
    return figure


MESSAGES = Claim(
    id="hardness.messages",
    statement=(
        "A learner that sees each of T fresh demonstrations through one of A messages, chosen by the messages before, "
        "names a uniform parity of a class of n with probability at most 1/n + sqrt(T A/(2n)): one bit a demonstration "
        "takes of the order of 2^d of them where d + O(1) whole ones suffice."
    ),
    latex=r"P(\hat S = S) \le \frac1n + \sqrt{\frac{T A}{2n}}",
    origin="derived",
    source="likelihood ratio against coins as a martingale; hardness.parseval",
    kind="upper",
    domain=Domain(
        {
            "n_samples": Integer(0, meaning="demonstrations", symbol="T", largest_drawn=2**60),
            "n_parities": N_PARITIES,
            "n_messages": Integer(2, 2**1000, meaning="messages", symbol="A", largest_drawn=2**60),
            "success": SUCCESS,
        }
    ),
    functions=("hardness.message_success_bound", "hardness.message_samples"),
    evidence=(
        Exact("certificate", "the lemma on likelihood ratios, and the closed forms", _message_lemma, cost=0.3),
        Exact(
            "enumeration", "every rule for one demonstration at d = 1, 2", _divergence_listed, scope="cells", cost=0.1
        ),
        Simulation(
            "one-bit search names the parity",
            "hardness.one_bit_search",
            cells=MESSAGE_CELLS,
            parameters=dict,
            extract=_identified,
            predict=_message_bound,
            compare="upper",
            planned_n=2048,
            unit="search",
            cost=0.3,
        ),
    ),
    mutants=(
        Mutant(
            "1/n + T A/(2n)^2",
            "with T = n - 100 one-bit search succeeds half of the time",
            theory={"hardness.message_success_bound": lambda t, n, a: min(1.0, 1 / n + t * a / (2 * n) ** 2)},
        ),
        Mutant(
            "1/n + sqrt(T A/(2n))/4",
            "the search reaches more than that",
            theory={"hardness.message_success_bound": lambda t, n, a: min(1.0, 1 / n + math.sqrt(t * a / (2 * n)) / 4)},
        ),
        Mutant(
            "the search draws four times the demonstrations",
            "it was asked for T",
            sims={
                "hardness.one_bit_search": lambda *, n_samples, **options: _longer_search(n_samples, options),
            },
        ),
    ),
    tightness=_message_tightness,
    figure=_message_figure,
)


def _longer_search(n_samples: int, options: Mapping[str, Any]) -> Any:
    from sims import hardness

    return hardness.one_bit_search(n_samples=16 * n_samples, **options)


CLAIMS = (QUERIES, NOISY, FIXED, MESSAGES)
