"""Claims about keeping what the expert used: unseen mass, coverage of fresh goals, and strings kept from text."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from fractions import Fraction
from typing import Any

import numpy as np
import sympy as sp

from proofs_check.certificates import Proof
from proofs_check.claims import Claim, Exact, Mutant, Simulation
from proofs_check.domains import Domain, Integer
from proofs_check.lab import Lab
from proofs_check.mid_training._common import (
    N_DEMONSTRATIONS,
    ROUNDING,
    generator,
    random_law,
    replaced,
    sequences,
    shipped,
    trials,
)
from proofs_check.samples import Means
from proofs_check.verdicts import Cell

__all__ = ["CLAIMS"]


def _mass_certificate(lab: Lab) -> list[Cell]:
    t = lab.theory.mid_training
    p, x = sp.Symbol("p", positive=True), sp.Symbol("x", positive=True)
    n, k = (sp.Symbol(name, positive=True, integer=True) for name in ("n", "k"))
    proof = Proof()
    slope = sp.diff(sp.log(p) + n * sp.log(1 - p), p)
    proof.identity("d ln(p (1-p)^n)/dp = (1 - (n+1) p)/(p (1-p))", slope, (1 - (n + 1) * p) / (p * (1 - p)))
    proof.nonnegative(
        "ln(1+x) - x/(1+x) has slope x/(1+x)^2 >= 0, so (1+1/n)^(n+1) >= e",
        sp.diff(sp.log(1 + x) - x / (1 + x), x),
        {x: (0, sp.oo)},
    )
    bound = t.missing_mass_bound(k, n)
    proof.identity("k times 1/(e n)", bound * sp.E * n, k)

    def witness() -> dict[str, str] | None:
        law = shipped().missing_mass_extremal(10, 40)
        mass, claimed = shipped().missing_mass(law, 40), float(t.missing_mass_bound(10, 40))
        return {"k": "10", "n": "40", "law": "nine of 1/41"} if mass > claimed else None

    return proof.cells({"n": "1, 2, ...", "p": "any law"}, witness)


def _mass_literal(lab: Lab) -> Iterator[Cell]:
    t = lab.theory.mid_training
    rng = generator(6)
    for k, n in ((2, 1), (3, 4), (4, 5), (2, 8)):
        law = random_law(k, rng)
        missing, once = Fraction(0), Fraction(0)
        for drawn, probability in sequences(law, n):
            missing += probability * sum((law[j] for j in range(k) if j not in drawn), start=Fraction(0))
            once += probability * Fraction(sum(drawn.count(j) == 1 for j in range(k)), n)
        cell = {"n_options": k, "n_demonstrations": n}
        yield lab.equal(cell, Fraction(t.missing_mass(law, n)), missing, "missing mass")
        yield lab.equal(cell, Fraction(t.good_turing(law, n)), once, "share of options seen once")
        yield lab.at_most(cell, float(missing), float(t.missing_mass_bound(k, n)), "k/(e n)")
        yield lab.at_most(cell, missing, once, "the proxy is not below the mass")
        yield lab.at_most(cell, once - missing, Fraction(1, n), "nor more than 1/n above")
    for k, n in ((10, 40), (3, 5), (50, 1000)):
        mass = t.missing_mass(t.missing_mass_extremal(k, n), n)
        yield lab.at_most(
            {"n_options": k, "n_demonstrations": n}, mass, float(t.missing_mass_bound(k, n)), "extremal law"
        )
        enough = math.ceil(t.footprint_count(k, 0.05))
        law = t.missing_mass_extremal(k, enough)
        yield lab.at_most(
            {"n_options": k, "n_demonstrations": enough}, t.missing_mass(law, enough), 0.05, "k/(e eps) demonstrations"
        )


def _footprint_leg(name: str, variable: str, prediction: str) -> Simulation:
    return Simulation(
        name,
        "mid_training.draw_footprints",
        cells=[{"law": law, "n": 40} for law in ("uniform", "extremal")],
        parameters=lambda cell: {
            "weights": [0.1] * 10 if cell["law"] == "uniform" else shipped().missing_mass_extremal(10, 40),
            "n_demonstrations": cell["n"], "n_trials": 5000,
        },
        extract=lambda data, cell: Means(trials(data, variable), 0.0, 1.0),
        predict=lambda theory, cell: getattr(theory.mid_training, prediction)(
            [0.1] * 10 if cell["law"] == "uniform" else shipped().missing_mass_extremal(10, 40), cell["n"]
        ),
        resolution=0.01,
        planned_n=4,
        looks=3,
        unit="5000 trials",
        cost=0.1,
    )  # fmt: skip


MASS = Claim(
    id="mid_training.missing_mass",
    statement=(
        "Keeping the options seen in n demonstrations loses sum_j p_j (1-p_j)^n <= k/(e n) on average: k/(e eps) "
        "demonstrations suffice, with no logarithm of the library. The share of options seen once estimates it."
    ),
    latex=r"\mathbb{E}\,\Delta = \sum_j p_j(1-p_j)^n \le \frac{k}{en}, \qquad \mathbb{E}\,\frac{N_1}{n} = \sum_j "
    r"p_j(1-p_j)^{n-1}",
    origin="derived",
    source="theory.mid_training.footprint; Good and Turing's estimator",
    kind="upper",
    domain=Domain(
        {
            "n_options": Integer(1, meaning="options k", symbol="k"),
            "n_demonstrations": Integer(1, meaning="n", symbol="n"),
        }
    ),
    functions=("mid_training.missing_mass_bound",),
    evidence=(
        Exact("certificate", "p (1-p)^n peaks at 1/(n+1), and (1+1/n)^(n+1) >= e", _mass_certificate),
        Exact(
            "enumeration",
            "all sequences of options, in rationals, and extremal laws",
            _mass_literal,
            scope="cells",
            cost=0.1,
        ),
        _footprint_leg("mean weight of the unseen options", "loss", "missing_mass"),
        _footprint_leg("mean share of options seen once", "seen_once", "good_turing"),
    ),
    mutants=(
        Mutant(
            "at most k/(2 e n)",
            "options of probability 1/(n+1) lose almost 1/(e n) each",
            theory=replaced(missing_mass_bound=lambda k, n: shipped().missing_mass_bound(k, n) / 2),
        ),
        Mutant(
            "an option is missed with probability 1 - n p, or not at all",
            "(1-p)^n is positive for every p < 1",
            theory=replaced(missing_mass=lambda p, n: sum(x * max(0, 1 - n * x) for x in p)),
        ),
        Mutant(
            "the share of options seen once is half of the missing mass after n - 1 demonstrations",
            "its mean is that mass",
            theory=replaced(good_turing=lambda p, n: shipped().good_turing(p, n) / 2),
        ),
    ),
    tightness=lambda lab: {
        "ratio": lab.theory.mid_training.missing_mass(lab.theory.mid_training.missing_mass_extremal(10, 40), 40)
        / float(lab.theory.mid_training.missing_mass_bound(10, 40)),
        "interval": [0.01478 / 0.09197, 0.99],
        "vacuous": ["n < k/e"],
        "detail": "k - 1 options of probability 1/(n+1): .0818 of .0920; uniform law .0148",
    },
)


def _coverage_routes(lab: Lab) -> Iterator[Cell]:
    t = lab.theory.mid_training
    rng = generator(7)
    for k, length, n in ((2, 2, 3), (3, 2, 4), (3, 3, 5), (4, 1, 5)):
        law = random_law(k, rng)
        literal = Fraction(0)
        for drawn, probability in sequences(law, n):
            literal += probability * sum((law[j] for j in set(drawn)), start=Fraction(0)) ** length
        cell = {"K": k, "L": length, "chunks": n}
        yield lab.equal(cell, Fraction(t.goal_coverage_textbook(law, length, n)), literal, "Moebius")
        yield lab.close(
            cell, t.goal_coverage([float(p) for p in law], length, n), float(literal), 1e-12, "power series"
        )
        equal = sum(
            (p * Fraction(len(set(d)), k) ** length for d, p in sequences([Fraction(1, k)] * k, n)), start=Fraction(0)
        )
        yield lab.close(cell, t.goal_coverage_uniform(k, length, n), float(equal), 1e-13, "occupancy chain")


def _coverage_worked(lab: Lab) -> Iterator[Cell]:
    """Two exact routes at a size out of reach of sequences: 2^8 sets in rationals against power series in floats."""
    t = lab.theory.mid_training
    weights = [Fraction(1, j) for j in range(1, 9)]
    law = [w / sum(weights) for w in weights]
    for n, worked in ((2, 0.6882), (5, 0.3061), (15, 0.0265)):
        lost = 1 - t.goal_coverage([float(p) for p in law], 4, 4 * n)
        yield lab.close(
            {"K": 8, "L": 4, "n": n}, lost, 1 - float(t.goal_coverage_textbook(law, 4, 4 * n)), 1e-11, "two routes"
        )
        yield lab.close({"K": 8, "L": 4, "n": n}, lost, worked, 5e-5, "worked value")


COVERAGE = Claim(
    id="mid_training.goal_coverage",
    statement=(
        "If a goal needs L independent macros, the macros seen in n L chunks cover it with probability E[W^L]: sets by "
        "Moebius inversion, power series in Poisson counts, and the occupancy chain for equal weights agree."
    ),
    latex=r"1-\mathbb{E}\,\Delta = \mathbb{E}[W^L] = \sum_S \mu_{nL}(S)\,w(S)^L",
    origin="derived",
    source="theory.mid_training.footprint",
    kind="exact",
    domain=Domain({"n": N_DEMONSTRATIONS}),
    evidence=(
        Exact("enumeration", "all sequences of macros, in rationals", _coverage_routes, scope="cells", cost=0.2),
        Exact("identity", "Zipf macros, K = 8: sets against power series", _coverage_worked, scope="cells"),
        Simulation(
            "mean share of fresh goals lost",
            "mid_training.draw_footprints",
            cells=[{"n": n} for n in (2, 5, 15)],
            parameters=lambda cell: {
                "weights": shipped().zipf_weights(8),
                "n_demonstrations": cell["n"],
                "goal_length": 4,
                "n_trials": 5000,
            },
            extract=lambda data, cell: Means(trials(data, "loss"), 0.0, 1.0),
            predict=lambda theory, cell: (
                1 - theory.mid_training.goal_coverage(shipped().zipf_weights(8), 4, 4 * cell["n"])
            ),
            resolution=0.02,
            planned_n=4,
            looks=3,
            unit="5000 trials",
            cost=0.1,
        ),
    ),
    mutants=(
        Mutant(
            "the mean weight to the power L",
            "E[W^L] exceeds (E W)^L",
            theory=replaced(goal_coverage=lambda w, length, n, *a: shipped().goal_coverage(w, 1, n) ** length),
        ),
        Mutant(
            "a demonstration shows one macro, not L",
            "n goals of L macros show n L chunks",
            theory=replaced(
                goal_coverage=lambda w, length, n, *a: shipped().goal_coverage(w, length, n // length),
                goal_coverage_textbook=lambda w, length, n: shipped().goal_coverage_textbook(w, length, n // length),
            ),
        ),
    ),
)


def macro_text(*, noise: float, n_texts: int, keep: int, seeds: Any) -> Any:
    """Macro world of the defaults: how many true macros and how much junk the counting rule keeps."""
    import xarray

    from sims.mid_training import count_chunks, macro_demonstrations

    macros = MACROS
    text = macro_demonstrations(macros, [0.2] * 5, 6, noise, 4, n_texts, seeds)
    codes = shipped().macro_codes(macros, 6)
    kept = np.array([count_chunks(tokens, 6, 3) >= keep for tokens in text["token"].values])
    true = kept[:, codes].sum(axis=1)
    return xarray.Dataset({"true": ("replicate", true), "junk": ("replicate", kept.sum(axis=1) - true)})


MACROS = ((0, 1, 2), (3, 4, 5), (2, 2, 0), (5, 1, 4), (1, 3, 3))


def _kept_literal(lab: Lab) -> Iterator[Cell]:
    """All texts of two or three chunks of two binary tokens, with every pattern of macros and noise."""
    t = lab.theory.mid_training
    macros, weights, eta = ((0, 1), (1, 1)), [Fraction(1, 3), Fraction(2, 3)], Fraction(1, 4)
    law = []
    for x in itertools.product((0, 1), repeat=2):
        total = Fraction(0)
        for macro, w in zip(macros, weights, strict=True):
            wrong = sum(a != b for a, b in zip(x, macro, strict=True))
            total += w * eta**wrong * (1 - eta) ** (2 - wrong)
        law.append(total)
    found = t.chunk_law(macros, [float(w) for w in weights], 2, 0.25)
    for code in range(4):
        yield lab.close({"string": code}, float(found[code]), float(law[code]), 8 * ROUNDING, "law of a chunk")
    for n, least in ((2, 1), (3, 2), (4, 2)):
        true = junk = Fraction(0)
        for drawn, p in sequences(law, n):
            counted = [drawn.count(code) >= least for code in range(4)]
            true += p * (counted[1] + counted[3])
            junk += p * (counted[0] + counted[2])
        pair = t.kept_strings(macros, [float(w) for w in weights], 2, 0.25, n, least)
        yield lab.close({"chunks": n, "least": least}, pair[0], float(true), 1e-13, "true macros")
        yield lab.close({"chunks": n, "least": least}, pair[1], float(junk), 1e-13, "junk")


def _kept_leg(which: str, index: int, high: float) -> Simulation:
    return Simulation(
        f"mean number of {which} kept",
        macro_text,
        cells=[{"least": c} for c in (1, 2, 3)],
        parameters=lambda cell: {"noise": 0.1, "n_texts": 20, "keep": cell["least"]},
        extract=lambda data, cell: Means(
            np.asarray(data["true" if index == 0 else "junk"].values, dtype=float), 0.0, high
        ),
        predict=lambda theory, cell: theory.mid_training.kept_strings(MACROS, [0.2] * 5, 6, 0.1, 80, cell["least"])[
            index
        ],
        resolution=0.05 * high,
        planned_n=2000,
        looks=3,
        unit="text",
        cost=0.3,
    )


KEPT = Claim(
    id="mid_training.kept_strings",
    statement=(
        "In noisy text of macros the mean numbers of macros and of junk strings counted at least c0 times are sums of "
        "binomial tails of the chunk law; for A = 6, K = 5, tau = 3, L = 4, n = 20, eta = .1: all 5 macros, and 17.9, "
        "2.4 or .3 junk strings at c0 = 1, 2, 3."
    ),
    latex=r"\mathbb{E}\,\text{number kept} = \sum_x P(\mathrm{Bin}(nL, p_x) \ge c_0), \quad p_x = \sum_j "
    r"w_j(1-\eta)^{\tau-h}\Bigl(\frac{\eta}{A-1}\Bigr)^{h}",
    origin="derived",
    source="theory.mid_training.footprint",
    kind="exact",
    domain=Domain({"least": Integer(1, meaning="keep count", symbol="c_0")}),
    evidence=(
        Exact("enumeration", "all binary texts, in rationals", _kept_literal, scope="cells"),
        _kept_leg("macros", 0, 5.0),
        _kept_leg("junk strings", 1, 80.0),
    ),
    mutants=(
        Mutant(
            "every chunk comes out clean with probability 1 - eta",
            "each of the tau tokens may be replaced",
            theory=replaced(
                kept_strings=lambda macros, w, a, eta, n, c: shipped().kept_strings(macros, w, a, eta / 3, n, c)
            ),
        ),
        Mutant(
            "a demonstration has one chunk",
            "it has L",
            theory=replaced(
                kept_strings=lambda macros, w, a, eta, n, c: shipped().kept_strings(macros, w, a, eta, n // 4, c)
            ),
        ),
    ),
)


CLAIMS = (MASS, COVERAGE, KEPT)
