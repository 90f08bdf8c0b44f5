"""Claims about the mixture D(p) of long and short parity demonstrations.

The laws of the first two answer tokens, what greedy decoding and sampling make of them, and
the threshold 1/3 at which greedy decoding starts to write the whole chain.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from fractions import Fraction
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import sympy as sp

from proofs_check.certificates import Proof, is_zero
from proofs_check.claims import Claim, Exact, Mutant, Simulation
from proofs_check.domains import Domain, Integer, Real
from proofs_check.enumeration import EOS, Outcome, decoded, mixture, next_token, prefix_parities, probability, total
from proofs_check.samples import Counts, Means
from proofs_check.verdicts import Cell

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from proofs_check.lab import Lab
    from proofs_check.runner import ClaimResult

__all__ = ["CLAIMS"]

PAPER = "Tsilivis, Malach, Ullrich, Kempe, arXiv 2510.11495"
P = sp.Symbol("p", positive=True)
SIZES = (3, 4, 5)
P_COT = Real(0, 1, open_low=True, open_high=True, meaning="share of long demonstrations", symbol="p")
LENGTH = Integer(3, meaning="length of the prompt")
DOMAIN = Domain({"d": LENGTH, "p_cot": P_COT})


def _agrees(outcome: Outcome) -> bool:
    return outcome.answer[0] == outcome.prompt[0]


def _stops(outcome: Outcome) -> bool:
    return outcome.answer[1] == EOS


def _right(outcome: Outcome) -> bool:
    return outcome.answer[-2] == prefix_parities(outcome.prompt)[-1]


@lru_cache(maxsize=64)
def _law(d: int, p: Any) -> list[Outcome]:
    return list(mixture(d, p))


def _enumerated(quantity: Callable[[list[Outcome], int], Any], predicted: Callable[[Any, int, Any], Any]) -> Exact:
    """Compare a closed form with the listed law, in rationals, at small d."""

    def run(lab: Lab) -> Iterator[Cell]:
        for d in SIZES:
            for p in lab.rationals():
                observed = quantity(_law(d, p), d)
                yield lab.equal({"d": d, "p_cot": p}, observed, predicted(lab.theory.parity_mixture, d, p))

    return Exact("enumeration", "every prompt of length 3, 4, 5, in rationals", run, scope="cells", cost=0.3)


def _identity(quantity: Callable[[list[Outcome], int], Any], predicted: Callable[[Any, int, Any], Any]) -> Exact:
    """The same with p a symbol, and the induction step that carries it to every d."""

    def run(lab: Lab) -> Iterator[Cell]:
        for d in SIZES:
            gap = sp.sympify(quantity(_law(d, P), d)) - predicted(lab.theory.parity_mixture, d, P)
            yield lab.true({"d": d, "p_cot": "symbol"}, is_zero(gap), "equal as rational functions of p")
        # Only the parity of x_2...x_d enters beside x_1; multiplying it by one more fair sign keeps it fair.
        share = sp.Symbol("q")
        step = is_zero((share / 2 + (1 - share) / 2) - sp.Rational(1, 2))
        yield lab.true({"d": "d -> d + 1"}, step, "a product with a fair sign is fair, whatever came before")

    return Exact("identity", "the listed law with p a symbol, d by induction", run, cost=0.5)


def _sequences(data: Any) -> int:
    return int(data.attrs["n_samples"]) * int(data.sizes["replicate"])


def _agreeing(data: Any) -> int:
    return int(data["agree"].sum())


def _disagreeing(data: Any) -> int:
    return _sequences(data) - _agreeing(data)


def _counted(
    name: str,
    successes: str,
    trials: Callable[[Any], int],
    predicted: Callable[[Any, Mapping[str, Any]], Any],
    *,
    resolution: float = 0.02,
    shares: tuple[float, ...] = (0.1, 0.5, 0.9),
    planned_n: int = 16,
) -> Simulation:
    """Count an event in sampled demonstrations; a replicate is a block of 4096 of them."""
    return Simulation(
        name,
        "parity_mixture.next_token_counts",
        cells=lambda profile: [
            {"d": d, "p_cot": p} for d in ((3, 20) if profile == "quick" else (3, 20, 50, 200)) for p in shares
        ],
        parameters=lambda cell: {"d": cell["d"], "p_cot": cell["p_cot"], "n_samples": 4096},
        extract=lambda data, cell: Counts(int(data[successes].sum()), trials(data)),
        predict=lambda theory, cell: predicted(theory.parity_mixture, cell),
        resolution=resolution,
        planned_n=planned_n,
        unit="block of 4096 sequence",
        cost=0.5,
    )


def _sampler(change: Callable[[float], float], name: str) -> dict[str, Callable[..., Any]]:
    """A simulator that draws with another share of long demonstrations than it was asked for."""

    def simulate(*, p_cot: float, **options: Any) -> Any:
        from sims import parity_mixture

        return getattr(parity_mixture, name)(p_cot=change(p_cot), **options)

    return {f"parity_mixture.{name}": simulate}


FIRST_TOKEN = Claim(
    id="parity_mixture.first_token",
    statement="The first answer token of a demonstration equals x_1 with probability (1+p)/2.",
    latex=r"P(y_1 = x_1) = \frac{1+p}{2}",
    origin="paper",
    source=f"{PAPER}, section on next-token prediction",
    kind="exact",
    domain=DOMAIN,
    functions=("parity_mixture.first_token_agreement",),
    evidence=(
        _identity(lambda law, d: probability(law, _agrees), lambda t, d, p: t.first_token_agreement(p)),
        _enumerated(lambda law, d: probability(law, _agrees), lambda t, d, p: t.first_token_agreement(p)),
        _counted(
            "share of first tokens that agree", "agree", _sequences, lambda t, c: t.first_token_agreement(c["p_cot"])
        ),
    ),
    mutants=(
        Mutant(
            "P(y_1 = x_1) = p",
            "short answers agree with x_1 half of the time",
            theory={"parity_mixture.first_token_agreement": lambda p: p},
        ),
        Mutant(
            "P(y_1 = x_1) = (1+p^2)/2",
            "the probability is affine in p",
            theory={"parity_mixture.first_token_agreement": lambda p: (1 + p * p) / 2},
        ),
        Mutant(
            "the sampler draws long sequences with probability p^2",
            "it was asked for p",
            sims=_sampler(lambda p: p * p, "next_token_counts"),
        ),
    ),
)

STOP_GIVEN_AGREEMENT = Claim(
    id="parity_mixture.stop_given_agreement",
    statement=(
        "After a first token that equals x_1, the sequence ends with probability (1-p)/(1+p) and goes on with 2p/(1+p)."
    ),
    latex=r"P(\mathrm{EOS} \mid y_1 = x_1) = \frac{1-p}{1+p}, \qquad P(\text{go on} \mid y_1 = x_1) = \frac{2p}{1+p}",
    origin="paper",
    source=f"{PAPER}, section on next-token prediction",
    kind="exact",
    domain=DOMAIN,
    functions=("parity_mixture.stop_given_agreement", "parity_mixture.continue_given_agreement"),
    evidence=(
        _identity(lambda law, d: next_token(law, _agrees, _stops), lambda t, d, p: t.stop_given_agreement(p)),
        _enumerated(lambda law, d: next_token(law, _agrees, _stops), lambda t, d, p: t.stop_given_agreement(p)),
        Exact(
            "identity",
            "stopping and going on exhaust the cases",
            lambda lab: [
                lab.true(
                    {"p_cot": "symbol"},
                    is_zero(
                        lab.theory.parity_mixture.stop_given_agreement(P)
                        + lab.theory.parity_mixture.continue_given_agreement(P)
                        - 1
                    ),
                ),
                *(
                    lab.equal(
                        {"d": 3, "p_cot": p},
                        next_token(_law(3, p), _agrees, lambda o: not _stops(o)),
                        lab.theory.parity_mixture.continue_given_agreement(p),
                    )
                    for p in lab.rationals()
                ),
            ],
        ),
        _counted(
            "share of agreeing sequences that stop",
            "stop_agree",
            _agreeing,
            lambda t, c: t.stop_given_agreement(c["p_cot"]),
        ),
    ),
    mutants=(
        Mutant(
            "P(EOS | y_1 = x_1) = 1-p, and the rest goes on",
            "that is the unconditional share of short sequences",
            theory={
                "parity_mixture.stop_given_agreement": lambda p: 1 - p,
                "parity_mixture.continue_given_agreement": lambda p: p,
            },
        ),
        Mutant(
            "P(go on | y_1 = x_1) = p/(1+p)",
            "it does not add up to 1 with (1-p)/(1+p)",
            theory={"parity_mixture.continue_given_agreement": lambda p: p / (1 + p)},
        ),
    ),
)

STOP_GIVEN_DISAGREEMENT = Claim(
    id="parity_mixture.stop_given_disagreement",
    statement="After a first token that differs from x_1 the sequence always ends.",
    latex=r"P(\mathrm{EOS} \mid y_1 = -x_1) = 1",
    origin="paper",
    source=f"{PAPER}, section on next-token prediction",
    kind="exact",
    domain=DOMAIN,
    functions=("parity_mixture.stop_given_disagreement",),
    evidence=(
        _identity(
            lambda law, d: next_token(law, lambda o: not _agrees(o), _stops),
            lambda t, d, p: t.stop_given_disagreement(p),
        ),
        _enumerated(
            lambda law, d: next_token(law, lambda o: not _agrees(o), _stops),
            lambda t, d, p: t.stop_given_disagreement(p),
        ),
        _counted(
            "share of disagreeing sequences that stop",
            "stop_disagree",
            _disagreeing,
            lambda t, c: t.stop_given_disagreement(c["p_cot"]),
            shares=(0.1, 0.5),
        ),
    ),
    mutants=(
        Mutant(
            "P(EOS | y_1 = -x_1) = 1-p",
            "a long sequence never starts with -x_1",
            theory={"parity_mixture.stop_given_disagreement": lambda p: 1 - p},
        ),
        Mutant(
            "P(EOS | y_1 = -x_1) = (1+p)/(1+2p)",
            "it is below 1 for p > 0",
            theory={"parity_mixture.stop_given_disagreement": lambda p: (1 + p) / (1 + 2 * p)},
        ),
    ),
)


def _greedy_threshold_proof(lab: Lab) -> list[Cell]:
    """EOS is likelier than going on exactly below the threshold."""
    t = lab.theory.parity_mixture
    third = sp.Rational(str(t.greedy_threshold_exact()))
    gap = t.stop_given_agreement(P) - t.continue_given_agreement(P)
    proof = Proof()
    proof.positive("below the threshold EOS is the likelier token", gap, {P: (0, third)})
    proof.positive("above it going on is", -gap, {P: (third, 1)})
    proof.step("at the threshold both have probability 1/2", is_zero(gap.subs(P, third)))

    def witness() -> dict[str, str] | None:
        for p in (third - sp.Rational(1, 100), third, third + sp.Rational(1, 100)):
            if sp.sign(gap.subs(P, p)) != sp.sign(third - p):
                return {"p_cot": str(p)}
        return None

    return proof.cells({"p_cot": "(0, 1)"}, witness)


def _greedy_enumerated(lab: Lab) -> Iterator[Cell]:
    """Decode the calibrated reader of the listed law greedily."""
    t = lab.theory.parity_mixture
    for d in SIZES:
        for p in lab.rationals():
            law = _law(d, p)
            reader = decoded(d, probability(law, _agrees), next_token(law, _agrees, _stops), greedy=True)
            cell = {"d": d, "p_cot": p}
            yield lab.equal(cell, probability(reader, _right), Fraction(t.greedy_accuracy(p)), "accuracy")
            yield lab.equal(cell, total(reader, lambda o: len(o.answer) - 1), Fraction(t.greedy_length(d, p)), "length")
            above = p >= t.greedy_threshold_exact()
            yield lab.equal(cell, probability(reader, _right) == 1, above, "generalises iff p >= threshold")


def _learner(cell: Mapping[str, Any]) -> dict[str, Any]:
    """A learner that counts 2000 demonstrations: its greedy choice is then certain at the cells below."""
    return {"d": cell["d"], "p_cot": cell["p_cot"], "n_samples": 2000, "n_prompts": 64}


def _greedy_cells(profile: str) -> list[dict[str, Any]]:
    sizes = (3, 20) if profile == "quick" else (3, 20, 200)
    return [{"d": d, "p_cot": p} for d in sizes for p in (0.1, 0.25, 0.36, 0.8)]


def _transition_figure(result: ClaimResult) -> Figure:
    """Accuracy of greedy decoding against p, with simulated learners."""
    from matplotlib.figure import Figure

    from proofs_check.figures import simulated_points, style, theory_line
    from theory.parity_mixture import greedy_accuracy, sampling_accuracy

    with style():
        figure = Figure(figsize=(6.4, 3.8), layout="constrained")
        ax = figure.add_subplot()
        grid = [i / 600 for i in range(601)]
        theory_line(ax, grid, [greedy_accuracy(p) for p in grid], "greedy decoding, theory")
        theory_line(ax, grid, [sampling_accuracy(p) for p in grid], "sampling, theory")
        cells = [c for e in result.evidence if e.kind == "simulation" for c in e.cells]
        for index, d in enumerate(sorted({c.parameters["d"] for c in cells})):
            mine = [c for c in cells if c.parameters["d"] == d]
            simulated_points(
                ax,
                [c.parameters["p_cot"] for c in mine],
                [c.observed for c in mine],
                [c.interval.low for c in mine if c.interval],
                [c.interval.high for c in mine if c.interval],
                f"learners, greedy, d = {d}",
                index,
            )
        ax.axvline(1 / 3, color="0.6", linewidth=0.8, linestyle=":")
        ax.set(xlabel="share of long demonstrations p", ylabel="accuracy", ylim=(0.4, 1.05))
        ax.legend()
    return figure


GREEDY = Claim(
    id="parity_mixture.greedy_threshold",
    statement=(
        "Greedy decoding of the calibrated model answers x_1 (accuracy 1/2, one token) for p < 1/3, and writes "
        "the whole "
        "chain (accuracy 1, d tokens) for p >= 1/3; the tie at 1/3 goes on."
    ),
    latex=r"\frac{1-p}{1+p} > \frac{2p}{1+p} \iff p < \tfrac13",
    origin="paper",
    source=f"{PAPER}, section on next-token prediction",
    kind="threshold",
    domain=DOMAIN,
    functions=("parity_mixture.greedy_accuracy", "parity_mixture.greedy_length"),
    evidence=(
        Exact("certificate", "sign of P(EOS) - P(go on) on both sides of 1/3", _greedy_threshold_proof),
        Exact("enumeration", "greedy decoding of the listed law", _greedy_enumerated, scope="cells", cost=0.5),
        Simulation(
            "accuracy of a counting learner, decoded greedily",
            "parity_mixture.decode",
            cells=_greedy_cells,
            parameters=_learner,
            extract=lambda data, cell: Means(data["greedy_correct"].values / data.attrs["n_prompts"], 0.0, 1.0),
            predict=lambda theory, cell: theory.parity_mixture.greedy_accuracy(cell["p_cot"]),
            resolution=0.05,
            planned_n=1024,
            unit="learner decoded on 64 prompt",
            cost=1.0,
        ),
    ),
    mutants=(
        Mutant(
            "the threshold is 0.30, and accuracy jumps there",
            "at p = 0.3 EOS has probability 7/13 after an agreement",
            theory={
                "parity_mixture.greedy_threshold_exact": lambda: Fraction(3, 10),
                "parity_mixture.greedy_accuracy": lambda p: Fraction(1) if p >= Fraction(3, 10) else Fraction(1, 2),
            },
        ),
        Mutant(
            "the threshold is 0.40, and accuracy jumps there",
            "at p = 0.36 going on has probability 0.72/1.36 after an agreement",
            theory={
                "parity_mixture.greedy_threshold_exact": lambda: Fraction(2, 5),
                "parity_mixture.greedy_accuracy": lambda p: Fraction(1) if p >= Fraction(2, 5) else Fraction(1, 2),
            },
        ),
        Mutant(
            "learners are trained with p + 1/6",
            "at p = 1/4 they then pass the threshold",
            sims=_sampler(lambda p: min(1.0, p + 1 / 6), "decode"),
        ),
        Mutant(
            "the tie at 1/3 stops",
            "the convention counts the tie as success",
            theory={"parity_mixture.greedy_accuracy": lambda p: Fraction(1) if p > Fraction(1, 3) else Fraction(1, 2)},
        ),
    ),
    figure=_transition_figure,
    remarks="At p = 1/3 exactly a trained model's choice is a coin; simulations stay off the tie.",
)


def _reader(law: list[Outcome], d: int) -> list[Outcome]:
    return decoded(d, probability(law, _agrees), next_token(law, _agrees, _stops), greedy=False)


def _is_long(outcome: Outcome) -> bool:
    return len(outcome.answer) > 2


def _responses(lab: Lab) -> Iterator[Cell]:
    for d in SIZES:
        for p in lab.rationals():
            reader = _reader(_law(d, p), d)
            predicted = lab.theory.parity_mixture.response_law(p)
            for name, event in (
                ("long_correct", lambda o: _is_long(o) and _right(o)),
                ("short_correct", lambda o: not _is_long(o) and _right(o)),
                ("short_wrong", lambda o: not _is_long(o) and not _right(o)),
            ):
                yield lab.equal({"d": d, "p_cot": p}, probability(reader, event), getattr(predicted, name), name)


def _responses_identity(lab: Lab) -> Iterator[Cell]:
    predicted = lab.theory.parity_mixture.response_law(P)
    for d in SIZES:
        reader = _reader(_law(d, P), d)
        long_gap = probability(reader, _is_long) - predicted.long_correct
        yield lab.true({"d": d}, is_zero(long_gap), "long and correct")
        right_gap = probability(reader, lambda o: not _is_long(o) and _right(o)) - predicted.short_correct
        yield lab.true({"d": d}, is_zero(right_gap), "short and correct")
    yield lab.true({}, is_zero(sum(predicted) - 1), "the three cases exhaust all")


SAMPLING = Claim(
    id="parity_mixture.sampling",
    statement=(
        "Sampled at temperature 1 the calibrated model is long and right with probability p, short and right "
        "with (1-p)/2, "
        "short and wrong with (1-p)/2; its accuracy is (1+p)/2."
    ),
    latex=(
        r"P(\text{long, right}) = p,\quad P(\text{short, right}) = P(\text{short, wrong}) = \frac{1-p}{2},\quad "
        r"P(\text{right}) = \frac{1+p}{2}"
    ),
    origin="derived",
    source="product of the laws of the first two tokens",
    kind="exact",
    domain=DOMAIN,
    functions=("parity_mixture.sampling_accuracy", "parity_mixture.response_law"),
    evidence=(
        Exact("identity", "the reader of the listed law with p a symbol", _responses_identity, scope="cells", cost=0.5),
        Exact("enumeration", "the reader of the listed law, in rationals", _responses, scope="cells", cost=0.5),
        _identity(lambda law, d: probability(_reader(law, d), _right), lambda t, d, p: t.sampling_accuracy(p)),
        Simulation(
            "accuracy of a counting learner, sampled",
            "parity_mixture.decode",
            cells=_greedy_cells,
            parameters=_learner,
            extract=lambda data, cell: Means(data["sampled_correct"].values / data.attrs["n_prompts"], 0.0, 1.0),
            predict=lambda theory, cell: theory.parity_mixture.sampling_accuracy(cell["p_cot"]),
            resolution=0.05,
            planned_n=1024,
            unit="learner decoded on 64 prompt",
            cost=2.0,
        ),
    ),
    mutants=(
        Mutant(
            "accuracy is (1+p^2)/2, with long and right p^2",
            "every long sequence is right and short ones are right half of the time",
            theory={
                "parity_mixture.sampling_accuracy": lambda p: (1 + p * p) / 2,
                "parity_mixture.response_law": lambda p: _mutant_law(p * p, (1 - p * p) / 2, (1 - p * p) / 2),
            },
        ),
        Mutant(
            "short answers are right with probability (1-p) and never wrong",
            "x_1 and the parity are independent for d >= 2",
            theory={
                "parity_mixture.sampling_accuracy": lambda p: p + (1 - p),
                "parity_mixture.response_law": lambda p: _mutant_law(p, 1 - p, 0 * p),
            },
        ),
    ),
)


def _mutant_law(long_correct: Any, short_correct: Any, short_wrong: Any) -> Any:
    from theory.parity_mixture import ResponseLaw

    return ResponseLaw(long_correct, short_correct, short_wrong)


def _length(law: list[Outcome], d: int) -> Any:
    return total(_reader(law, d), lambda o: len(o.answer) - 1)


EXPECTED_LENGTH = Claim(
    id="parity_mixture.expected_length",
    statement="The expected number of answer tokens, EOS excluded, is 1 - p + p d.",
    latex=r"\mathbb{E}[\text{length}] = 1 - p + p\,d",
    origin="derived",
    source="long answers have d tokens, short ones have one",
    kind="exact",
    domain=DOMAIN,
    functions=("parity_mixture.expected_length",),
    evidence=(
        Exact(
            "identity",
            "the reader of the listed law with p a symbol",
            lambda lab: (
                lab.true({"d": d}, is_zero(_length(_law(d, P), d) - lab.theory.parity_mixture.expected_length(d, P)))
                for d in SIZES
            ),
            scope="cells",
            cost=0.3,
        ),
        _enumerated(_length, lambda t, d, p: t.expected_length(d, p)),
        Simulation(
            "mean length of sampled demonstrations",
            "parity_mixture.next_token_counts",
            cells=lambda profile: [
                {"d": d, "p_cot": p}
                for d in ((3, 20) if profile == "quick" else (3, 20, 50, 200))
                for p in (0.1, 0.5, 0.9)
            ],
            parameters=lambda cell: {"d": cell["d"], "p_cot": cell["p_cot"], "n_samples": 4096},
            extract=lambda data, cell: Means(data["tokens"].values / data.attrs["n_samples"], 1.0, float(cell["d"])),
            predict=lambda theory, cell: theory.parity_mixture.expected_length(cell["d"], cell["p_cot"]),
            resolution=lambda cell, predicted: 0.1 * cell["d"],
            planned_n=256,
            unit="block of 4096 sequence",
            cost=2.0,
        ),
    ),
    mutants=(
        Mutant(
            "E[length] = p d",
            "short answers have a token too",
            theory={"parity_mixture.expected_length": lambda d, p: p * d},
        ),
        Mutant(
            "E[length] = 1 - p + p (d+1)",
            "EOS is not an answer token",
            theory={"parity_mixture.expected_length": lambda d, p: 1 - p + p * (d + 1)},
        ),
    ),
)


def _weighted(law: list[Outcome]) -> list[Outcome]:
    """Every sequence's loss divided by its number of tokens: the law its first tokens are fitted to."""
    weights = [o.probability * Fraction(1, len(o.answer)) for o in law]
    mass = sum(weights, start=Fraction(0))
    return [Outcome(w / mass, o.prompt, o.answer) for w, o in zip(weights, law, strict=True)]


def _weighted_cells(lab: Lab) -> Iterator[Cell]:
    t = lab.theory.parity_mixture
    for d in (3, 4, 5, 6):
        symbolic = sp.sympify(t.sequence_weighted_threshold(sp.Symbol("d", positive=True, integer=True)))
        threshold = Fraction(str(symbolic.subs(sp.Symbol("d", positive=True, integer=True), d)))
        for p in (*lab.rationals(), threshold):
            law = _weighted(_law(d, p))
            observed = probability(law, _is_long)
            yield lab.equal({"d": d, "p_cot": p}, observed, t.sequence_weighted_long_fraction(d, p), "effective share")
            goes_on = next_token(law, _agrees, _stops) <= Fraction(1, 2)
            yield lab.equal({"d": d, "p_cot": p}, goes_on, p >= threshold, "greedy goes on iff p >= threshold")


def _weighted_identity(lab: Lab) -> Iterator[Cell]:
    t = lab.theory.parity_mixture
    d = sp.Symbol("d", positive=True, integer=True)
    effective = t.sequence_weighted_long_fraction(d, P)
    odds = (2 / (d + 1)) * P / (1 - P)
    yield lab.true({}, is_zero(effective / (1 - effective) - odds), "odds are multiplied by 2/(d+1)")
    at_threshold = effective.subs(P, t.sequence_weighted_threshold(d))
    yield lab.true({}, is_zero(at_threshold - sp.Rational(1, 3)), "the effective share is 1/3 at the threshold")


SEQUENCE_WEIGHTING = Claim(
    id="parity_mixture.sequence_weighting",
    statement=(
        "If each sequence's loss is divided by its token count, the odds of long sequences at the first two "
        "positions shrink "
        "by 2/(d+1), and the greedy threshold moves up to p = (d+1)/(d+5)."
    ),
    latex=(
        r"\frac{p_{\mathrm{eff}}}{1-p_{\mathrm{eff}}} = \frac{2}{d+1}\,\frac{p}{1-p}, \qquad \frac{p^*}{1-p^*} "
        r"= \frac{d+1}{4}"
    ),
    origin="derived",
    source="weights 1/(d+1) and 1/2 on long and short sequences",
    kind="threshold",
    domain=DOMAIN,
    functions=("parity_mixture.sequence_weighted_long_fraction", "parity_mixture.sequence_weighted_threshold"),
    evidence=(
        Exact("identity", "odds and threshold with d and p symbols", _weighted_identity),
        Exact("enumeration", "the reweighted listed law", _weighted_cells, scope="cells", cost=0.5),
    ),
    mutants=(
        Mutant(
            "the threshold stays at 1/3",
            "at d = 3 the effective odds are half of the true ones",
            theory={"parity_mixture.sequence_weighted_threshold": lambda d: Fraction(1, 3)},
        ),
        Mutant(
            "the odds shrink by 1/(d+1)",
            "short sequences are divided by their two tokens",
            theory={"parity_mixture.sequence_weighted_long_fraction": lambda d, p: p / (p + (d + 1) * (1 - p))},
        ),
    ),
    remarks=(
        "A practitioner's averaging convention decides where long answers appear; all other claims sum over tokens."
    ),
)


CLAIMS = (
    FIRST_TOKEN,
    STOP_GIVEN_AGREEMENT,
    STOP_GIVEN_DISAGREEMENT,
    GREEDY,
    SAMPLING,
    EXPECTED_LENGTH,
    SEQUENCE_WEIGHTING,
)
