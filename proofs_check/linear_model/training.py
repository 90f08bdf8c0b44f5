"""Claims about trained models as wholes: calibrated lengths, greedy decoding on both sides of 1/3, and chains.

A training run is the unit. Each run is judged by the exact conditional probabilities of the model it
returns, and the share of runs that fall outside a stated margin is held against a stated rate.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import sympy as sp

from proofs_check.certificates import Proof, is_zero
from proofs_check.claims import Claim, Exact, Mutant, Simulation
from proofs_check.domains import Domain, Integer
from proofs_check.enumeration import examples, feature_names
from proofs_check.linear_model._common import DOMAIN, LENGTH, P_COT, PAPER, closed_forms, retrained, two_heads
from proofs_check.samples import Counts
from proofs_check.verdicts import Cell

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from proofs_check.lab import Lab
    from proofs_check.runner import ClaimResult

__all__ = ["CLAIMS"]

RATE = 0.1  # share of runs that may fall outside
MARGIN = 0.05  # how far a run's long share may be from the prediction
STEPS = Integer(1, meaning="steps T", symbol="T", largest_drawn=10**6)


def _rate_leg(
    name: str,
    cells: dict[str, list[dict[str, Any]]],
    parameters: Callable[[Mapping[str, Any]], dict[str, Any]],
    outside: Callable[[Any, Mapping[str, Any], Any], np.ndarray],
    cost: float,
) -> Simulation:
    """Share of runs outside, against the allowed rate; 256 runs without one certify it."""

    def judge_units(data: Any, cell: Mapping[str, Any], theory: Any) -> Counts:
        found = outside(data, cell, theory)
        return Counts(int(found.sum()), int(found.size))

    return Simulation(
        name,
        "linear_model.pretrain",
        cells=lambda profile: cells[profile],
        parameters=parameters,
        judge_units=judge_units,
        predict=lambda theory, cell: (0.0, RATE),
        compare="upper",
        resolution=0.02,
        planned_n=256,
        looks=4,
        unit="training run",
        cost=cost,
        profiles=tuple(cells),
    )


# ---------------------------------------------------------------- calibrated lengths


def _long_share(data: Any) -> np.ndarray:
    """Probability of agreeing and going on, averaged over a run's prompts."""
    return np.asarray((data["first_token"].values * (1 - data["stop_agree"].values)).mean(axis=1))


def _miscalibrated(data: Any, cell: Mapping[str, Any], theory: Any) -> np.ndarray:
    t = theory.linear_model
    expected = float(t.regularised_long_share(cell["p_cot"], cell["ridge"], cell["ridge"]))
    return np.abs(_long_share(data) - expected) > MARGIN


_CALIBRATION = {
    "quick": [
        {"d": d, "p_cot": p, "ridge": 0.05, "n_steps": n} for d, n in ((5, 4000), (20, 8000)) for p in (0.1, 0.25, 0.6)
    ],
    "full": [
        {"d": d, "p_cot": p, "ridge": 0.02, "n_steps": 40_000}
        for d in (5, 20, 50)
        for p in (0.01, 0.1, 0.25, 0.45, 0.6)
    ],
}


def _share_identity(lab: Lab) -> Iterator[Cell]:
    """(1+p)/2 times 2p/(1+p) is p: the true conditionals make the long share exactly p."""
    p = sp.Symbol("p", positive=True)
    mixture = lab.theory.parity_mixture
    gap = mixture.first_token_agreement(p) * mixture.continue_given_agreement(p) - p
    yield lab.true({"p_cot": "symbol"}, is_zero(gap), "P(y_1 = x_1) P(go on | agree) = p")
    t = lab.theory.linear_model
    for share in (0.05, 0.2, 0.5, 0.9):
        without = t.regularised_long_share(share, 1e-9, 1e-9)
        # The bias is at most lambda (L + |Z|) < 1e-9 * 14 here.
        yield lab.close(
            {"p_cot": share, "ridge": 1e-9}, without, share, 2e-8, "the ridge optimum's long share as lambda -> 0"
        )


CALIBRATION = Claim(
    id="linear_model.length_calibration",
    statement=(
        "The trained model is calibrated in length: its share of answers that agree with x_1 and go on is p, up "
        "to the shift "
        f"that ridge makes; in at least 90 % of runs it is within {MARGIN} of the predicted value."
    ),
    latex=(
        r"\mathbb{E}_x\,\pi(\text{agree, go on}\mid x) \approx p + \text{ridge shift}, \qquad "
        r"\tfrac{1+p}{2}\cdot\tfrac{2p}{1+p} = p"
    ),
    origin="paper",
    source=f"{PAPER}, Theorem 1 (length calibration)",
    kind="exact",
    domain=DOMAIN,
    functions=("linear_model.regularised_long_share",),
    evidence=(
        Exact("identity", "the product of the true conditionals", _share_identity, scope="cells"),
        _rate_leg("share of runs whose long share is off", _CALIBRATION, two_heads, _miscalibrated, 6.0),
    ),
    mutants=(
        Mutant(
            "the long share is p/(1+p)",
            "that forgets that half of the short answers agree",
            theory={
                "linear_model.regularised_long_share": lambda p, *ridges: p / (1 + p),
                "parity_mixture.continue_given_agreement": lambda p: 2 * p / (1 + p) ** 2,
            },
        ),
        Mutant(
            "training sees half as many long demonstrations",
            "calibration would follow the share it sees",
            sims=retrained(lambda options: {**options, "p_cot": options["p_cot"] / 2}),
        ),
        Mutant(
            "the long share is 2p/(1+p), that of a model after one round of rejection sampling",
            "pre-training keeps every demonstration",
            theory={
                "linear_model.regularised_long_share": lambda p, *ridges: 2 * p / (1 + p),
                "parity_mixture.first_token_agreement": lambda p: 1 + 0 * p,
            },
        ),
    ),
)

# ---------------------------------------------------------------- greedy decoding


def _greedy_parameters(cell: Mapping[str, Any]) -> dict[str, Any]:
    """A ridge of 1/50 at the first two positions; the chain is separable, where a small ridge is best."""
    return {
        "d": cell["d"], "p_cot": cell["p_cot"], "n_samples": cell["n_steps"], "n_prompts": 256,
        "ridge": {"first": 0.05, "stop": 0.05, "chain": 1e-3},
    }  # fmt: skip


def _below(data: Any, cell: Mapping[str, Any], theory: Any) -> np.ndarray:
    """Runs that decode otherwise than the threshold says on more than a tenth of their prompts."""
    mixture = theory.parity_mixture
    goes_on = data["greedy_length"].values > 1
    if cell["p_cot"] < mixture.greedy_threshold():
        wrong = goes_on
    else:
        wrong = ~((data["greedy_length"].values == cell["d"]) & data["greedy_correct"].values.astype(bool))
    return np.asarray(wrong.mean(axis=1) > 0.1)


_GREEDY = {
    "quick": [{"d": d, "p_cot": p, "n_steps": n} for d, n in ((5, 3000), (20, 14_000)) for p in (0.15, 0.55)],
    "full": [
        *({"d": d, "p_cot": p, "n_steps": n} for d, n in ((5, 20_000), (20, 20_000)) for p in (0.15, 0.25, 0.42, 0.55)),
        *({"d": 50, "p_cot": p, "n_steps": 60_000} for p in (0.15, 0.55)),
    ],
}


def _greedy_exact(lab: Lab) -> Iterator[Cell]:
    """At the ridge optimum itself: the sign of the stop logit decides, whatever the ridge."""
    t, mixture = lab.theory.linear_model, lab.theory.parity_mixture
    for p in (0.01, 0.2, 0.31, 0.35, 0.5, 0.9):
        for ridge in (1e-4, 0.05, 1.0):
            stops = t.regularised_stop_logit_agree(p, ridge) > 0
            agrees = t.regularised_first_token_weight(p, ridge) > 0
            chain = t.regularised_chain_weight(ridge) > 0
            accuracy = 0.5 if stops else 1.0
            cell = {"p_cot": p, "ridge": ridge}
            yield lab.true(
                cell, agrees and chain and accuracy == mixture.greedy_accuracy(p), f"greedy accuracy {accuracy}"
            )
            yield lab.true(cell, stops == (p < mixture.greedy_threshold()), "greedy stops iff p < threshold")


def _greedy_figure(result: ClaimResult) -> Figure:
    """Share of prompts that the trained model answers with the whole chain, against p."""
    from matplotlib.figure import Figure

    from proofs_check.figures import simulated_points, style, theory_line
    from sims.intervals import bounded_mean
    from sims.linear_model import pretrain
    from theory.linear_model import greedy_continue_share

    shares = np.linspace(0.15, 0.5, 8)
    with style():
        figure = Figure(figsize=(6.4, 3.8), layout="constrained")
        ax = figure.add_subplot()
        grid = np.linspace(0.1, 0.55, 200)
        for index, (d, n) in enumerate(((5, 1000), (20, 8000))):
            theory_line(ax, grid, [greedy_continue_share(d, float(p), n) for p in grid], f"limit law, d = {d}, T = {n}")
            runs = [pretrain(d, float(p), n, 0.05, range(300), positions=("stop",), n_prompts=64) for p in shares]
            found = [(data["stop_agree"].values <= 0.5).mean(axis=1) for data in runs]
            ends = [bounded_mean(f, 0.05, 0.0, 1.0) for f in found]
            simulated_points(
                ax,
                shares,
                [f.mean() for f in found],
                [e.low for e in ends],
                [e.high for e in ends],
                f"300 runs, d = {d}",
                index,
            )
        ax.axvline(1 / 3, color="0.6", linewidth=0.8, linestyle=":")
        ax.set(xlabel="share of long demonstrations p", ylabel="prompts on which greedy decoding goes on")
        ax.legend()
    return figure


GREEDY = Claim(
    id="linear_model.greedy_after_training",
    statement=(
        "Greedy decoding of the trained model stops after one token below p = 1/3 (accuracy 1/2) and writes the whole "
        "right chain above: off the threshold, on at least 90 % of prompts in at least 90 % of runs."
    ),
    latex=(
        r"p < \tfrac13:\ \text{greedy stops after } y_1;\qquad p > \tfrac13:\ \text{greedy writes } (x_1, "
        r"x_1x_2, \ldots, x_1\cdots x_d)"
    ),
    origin="paper",
    source=f"{PAPER}, Theorem 1 (greedy decoding)",
    kind="threshold",
    domain=Domain({"d": LENGTH, "p_cot": P_COT}, {"p != 1/3": lambda cell: cell["p_cot"] != 1 / 3}),
    evidence=(
        Exact("enumeration", "signs at the ridge optimum", _greedy_exact, scope="cells"),
        _rate_leg("share of runs that decode otherwise", _GREEDY, _greedy_parameters, _below, 8.0),
    ),
    mutants=(
        Mutant(
            "the threshold is at p = 0.6",
            "at p = 0.55 going on is more than twice as likely as stopping",
            theory={
                "parity_mixture.greedy_threshold": lambda: 0.6,
                "parity_mixture.greedy_accuracy": lambda p: 1.0 if p >= 0.6 else 0.5,
            },
        ),
        Mutant(
            "training sees 0.3 more long demonstrations than it was told",
            "at p = 0.15 greedy decoding then goes on",
            sims=retrained(lambda options: {**options, "p_cot": min(1.0, options["p_cot"] + 0.3)}),
        ),
        Mutant(
            "the threshold is at p = 0.1",
            "at p = 0.15 EOS has probability 0.74 after an agreement",
            theory={
                "parity_mixture.greedy_threshold": lambda: 0.1,
                "parity_mixture.greedy_accuracy": lambda p: 1.0 if p >= 0.1 else 0.5,
            },
        ),
    ),
    figure=_greedy_figure,
    remarks=(
        "p = 1/3 itself is left out: the trained sign is a coin there. See threshold_window for how wide 'near' is."
    ),
)

# ---------------------------------------------------------------- chains


def _ridge_floor(lab: Lab) -> Iterator[Cell]:
    """At the critical ridge the chain of the ridge optimum is right exactly half of the time."""
    t = lab.theory.linear_model
    for d in (3, 10, 20, 50, 100, 200, 1000):
        ridge = t.critical_chain_ridge(d)
        accuracy = t.chain_accuracy(t.chain_bias(ridge), d)
        yield lab.close(
            {"d": d, "ridge": f"{ridge:.3g}"}, accuracy, 0.5, d * 2**-46, "(1 - e)^(d-1) at the critical ridge"
        )


def _ridge_steps(lab: Lab) -> list[Cell]:
    """lambda w = sigma(-w) = e gives w = ln((1-e)/e) and lambda = e/ln((1-e)/e); more ridge means more error."""
    t = lab.theory.linear_model
    e = sp.Symbol("e", positive=True)
    logit = sp.log((1 - e) / e)
    proof = Proof()
    proof.identity("stationary at w = ln((1-e)/e)", t.chain_stationarity(logit, e / logit), sp.Integer(0))
    d = sp.Symbol("d", positive=True)
    half = t.chain_accuracy(t.critical_chain_error(d), d)
    proof.step(
        "(1 - e_c)^(d-1) = 1/2 (powers of a positive base)",
        sp.powdenest(sp.simplify(half), force=True) == sp.Rational(1, 2),
    )
    w = sp.Symbol("w", real=True)
    lam = sp.Symbol("lambda", positive=True)
    slope = -sp.diff(t.chain_stationarity(w, lam), w)
    proof.positive("the root is unique", slope, {lam: (0, sp.oo), w: (-sp.oo, sp.oo)})

    def witness() -> dict[str, Any] | None:
        value = float(t.chain_accuracy(t.critical_chain_error(10), 10))
        return {"d": "10", "accuracy": str(value)} if abs(value - 0.5) > 1e-9 else None

    return proof.cells({"d": "{3, 4, ...}"}, witness)


def _floor_parameters(cell: Mapping[str, Any]) -> dict[str, Any]:
    """Only long sequences, so all of them train the chain."""
    return {
        "d": cell["d"], "p_cot": 1.0, "n_samples": cell["n_steps"], "ridge": cell["ridge"],
        "positions": ("chain",), "n_prompts": 128,
    }  # fmt: skip


def _whole_chain(data: Any) -> np.ndarray:
    """Product over positions of the mean probability of the right token."""
    return np.asarray(np.prod(1 - data["chain_error"].values, axis=1))


def _floor_side(data: Any, cell: Mapping[str, Any], theory: Any) -> np.ndarray:
    above = cell["ridge"] > theory.linear_model.critical_chain_ridge(cell["d"])
    right = _whole_chain(data) > 0.5
    return right if above else ~right


FLOOR = Claim(
    id="linear_model.ridge_floor",
    statement=(
        "However many samples, ridge keeps a chain of d tokens from being right half of the time unless lambda_l < "
        "e_c/ln((1-e_c)/e_c), e_c = 1 - 2^(-1/(d-1)): .0294, .0109, .0033 at d = 10, 20, 50."
    ),
    latex=r"(1-e)^{d-1} > \tfrac12 \iff \lambda_l < \frac{e_c}{\ln\frac{1-e_c}{e_c}},\qquad e_c = 1 - 2^{-1/(d-1)}",
    origin="derived",
    source="lambda w = sigma(-w) with sigma(-w) = e",
    kind="threshold",
    domain=Domain({"d": LENGTH}),
    functions=("linear_model.critical_chain_ridge", "linear_model.critical_chain_error"),
    evidence=(
        Exact("certificate", "the critical error and ridge solve their equations", _ridge_steps),
        Exact("enumeration", "the solved optimum at the critical ridge", _ridge_floor, scope="cells"),
        _rate_leg(
            "share of runs on the wrong side at half and twice the critical ridge",
            {
                "quick": [{"d": 10, "ridge": ridge, "n_steps": 1500} for ridge in (0.0147, 0.0588)],
                "full": [
                    *({"d": 10, "ridge": ridge, "n_steps": 4000} for ridge in (0.0147, 0.0588)),
                    *({"d": 20, "ridge": ridge, "n_steps": 20_000} for ridge in (0.0054, 0.0218)),
                ],
            },
            _floor_parameters,
            _floor_side,
            3.0,
        ),
    ),
    mutants=(
        Mutant(
            "the critical ridge is e_c^2",
            "that inverts the published bound sqrt(lambda), which is far from tight",
            theory={"linear_model.critical_chain_ridge": lambda d: closed_forms().critical_chain_error(d) ** 2},
        ),
        Mutant(
            "the critical error is ln 2/d",
            "d - 1 tokens can go wrong, and the product is not its first order",
            theory={
                "linear_model.critical_chain_error": lambda d: (
                    sp.log(2) / d if isinstance(d, sp.Expr) else math.log(2) / d
                )
            },
        ),
        Mutant(
            "the critical ridge is 3 e_c",
            "e/lambda is the logit ln((1-e)/e), 2.5 and more",
            theory={"linear_model.critical_chain_ridge": lambda d: 3 * closed_forms().critical_chain_error(d)},
        ),
    ),
    remarks="The formula is exact, not first order in lambda.",
)

# K long sequences: where the chain is right half of the time.


def _half_parameters(cell: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "d": cell["d"], "p_cot": 1.0, "n_samples": round(cell["factor"] * cell["d"] ** 2), "ridge": 1e-3,
        "positions": ("chain",), "n_prompts": 128,
    }  # fmt: skip


def _half_side(data: Any, cell: Mapping[str, Any], theory: Any) -> np.ndarray:
    """A run is right half of the time iff its mean token error is below the critical one."""
    mean_error = 1 - np.exp(np.log1p(-data["chain_error"].values).mean(axis=1))
    right = mean_error < theory.linear_model.critical_chain_error(cell["d"])
    return np.asarray(right if cell["factor"] < 1.4 else ~right)


HALF = Claim(
    id="linear_model.samples_for_a_chain",
    statement=(
        "At ridge 1e-3 a whole chain is right less than half of the time after 0.8 d^2 long sequences and more than "
        "half after 3 d^2, for d = 10 and 20 (and 40 in the full profile): sample complexity between 0.8 and 3 times "
        "d^2."
    ),
    latex=r"0.8\, d^2 < K_{1/2} < 3\, d^2",
    origin="derived",
    source="noise-free perceptron rate: a token error of order d/K at each of d - 1 positions",
    kind="empirical",
    domain=Domain({"d": LENGTH}),
    evidence=(
        _rate_leg(
            "share of runs on the other side",
            {
                "quick": [{"d": 10, "factor": f} for f in (0.8, 3.0)],
                "full": [{"d": d, "factor": f} for d in (10, 20, 40) for f in (0.8, 3.0)],
            },
            _half_parameters,
            _half_side,
            1.0,
        ),
    ),
    mutants=(
        Mutant(
            "half of the chains are right after 0.4 d^2",
            "token errors of about d/K leave (1 - e)^(d-1) far below 1/2 there",
            theory={"linear_model.critical_chain_error": lambda d: 1 - 0.05 ** (1 / (d - 1))},
        ),
        Mutant(
            "half of the chains are right only after 6 d^2",
            "after 3 d^2 the token error is below ln 2/(d - 1)",
            theory={"linear_model.critical_chain_error": lambda d: 1 - 0.995 ** (1 / (d - 1))},
        ),
    ),
    remarks=(
        "Fitted exponents above 2 (a logarithm, or a pre-asymptotic d) are not excluded; the claim brackets, "
        "it does not fit."
    ),
)


# ---------------------------------------------------------------- features that coincide on right prefixes


def _coincident_pairs(position: int, d: int) -> tuple[tuple[tuple[str, str], ...], tuple[str, ...]]:
    """Pairs of features that are equal on every right prefix, and features that are constant there."""
    names = feature_names(position, d)
    rows = [e.features for e in examples(position, d, sp.Rational(1, 2))]
    columns = list(zip(*rows, strict=True))
    constant = tuple(name for name, column in zip(names, columns, strict=True) if len(set(column)) == 1)
    pairs = tuple(
        (names[i], names[j]) for i in range(len(names)) for j in range(i + 1, len(names)) if columns[i] == columns[j]
    )
    return pairs, constant


def _coincident_cells(lab: Lab) -> Iterator[Cell]:
    for d in (3, 4, 6):
        for position in range(2, d + 1):
            pairs, constant = _coincident_pairs(position, d)
            found = {frozenset(frozenset(n.split()) for n in pair) for pair in pairs}
            shipped = lab.theory.linear_model.coincident_features(position, d)
            expected = {frozenset(frozenset(n.split()) for n in pair) for pair in shipped if "1" not in pair}
            unit = {frozenset(pair[0].split()) for pair in shipped if "1" in pair}
            cell = {"d": d, "position": position}
            yield lab.true(cell, found == expected, f"equal on right prefixes: {pairs}")
            yield lab.true(
                cell, {frozenset(n.split()) for n in constant} == unit, f"constant on right prefixes: {constant}"
            )


def _equal_weights(lab: Lab) -> Iterator[Cell]:
    """Trained weights of coincident features are equal to the last bit: they get the same updates."""
    d = 5
    trained = lab.sims.linear_model.pretrain(
        d, 0.5, 500, 0.05, range(3), positions=("chain",), weights=True, n_prompts=1
    )
    for position in range(2, d + 1):
        names = {frozenset(name.split()): i for i, name in enumerate(feature_names(position, d))}
        w = trained["w_chain"].sel(position=position).values
        for one, other in lab.theory.linear_model.coincident_features(position, d):
            if other == "1":
                continue
            gap = np.abs(w[:, names[frozenset(one.split())]] - w[:, names[frozenset(other.split())]]).max()
            yield lab.close(
                {"d": d, "position": position, "pair": f"{one} = {other}"}, float(gap), 0.0, 1e-12, "trained weights"
            )


def _forget(position: int, d: int) -> tuple[tuple[str, str], ...]:
    return tuple(pair for pair in closed_forms().coincident_features(position, d) if pair != ("y1", "x1"))


def _invent(position: int, d: int) -> tuple[tuple[str, str], ...]:
    return (*closed_forms().coincident_features(position, d), (f"x{d}", f"y{position - 1}"))


COINCIDENT = Claim(
    id="linear_model.coincident_features",
    statement=(
        "On right prefixes some features of position l are equal: y_1 = x_1, y_(l-1) x_(l-1) = y_(l-2), at l = 2 y_1 "
        "x_1 = 1, at l = 3 also y_2 x_1 = x_2; no others. SGD from 0 gives equal features equal weights."
    ),
    latex=r"y_1 = x_1,\quad y_{l-1}x_{l-1} = y_{l-2},\quad l=2:\ y_1x_1 = 1,\quad l=3:\ y_2x_1 = x_2",
    origin="derived",
    source="right prefixes are running products of the prompt",
    kind="property",
    domain=Domain({"d": LENGTH}),
    evidence=(
        Exact(
            "enumeration",
            "columns of the features on every right prefix, d = 3, 4, 6",
            _coincident_cells,
            scope="cells",
            cost=0.5,
        ),
        Exact("enumeration", "trained weights of equal features", _equal_weights, scope="cells", cost=0.3),
    ),
    mutants=(
        Mutant(
            "y_1 and x_1 are not among them",
            "the first token of a right prefix is x_1",
            theory={"linear_model.coincident_features": _forget},
        ),
        Mutant(
            "x_d equals y_(l-1)",
            "the last sign is not in the prefix for l <= d",
            theory={"linear_model.coincident_features": _invent},
        ),
    ),
    remarks="They are kept in the model and separate once a prefix is wrong.",
)

CLAIMS = (CALIBRATION, GREEDY, COINCIDENT, FLOOR, HALF)
