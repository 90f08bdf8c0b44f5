"""Claims about sample complexity, measured: the threshold 1/3, growth with d, 1/epsilon and 1/p_0, and the separation.

A sample complexity is the least n at which runs succeed with a stated probability L. Here n is fixed beforehand on a
grid: exact intervals for the success probabilities at the grid's points, simultaneous over the leg, bracket it
wherever success does not become less likely as n grows, and exponents follow from brackets alone
(:func:`sims.scaling.power_law`).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from fractions import Fraction
from typing import TYPE_CHECKING, Any

from proofs_check.claims import Claim, Exact, Mutant, Simulation
from proofs_check.domains import Domain, Integer, Real
from proofs_check.hardness._common import PAPER
from proofs_check.linear_model._common import retrained
from proofs_check.samples import Counts
from proofs_check.verdicts import Cell, Interval, Verdict, judge

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from proofs_check.lab import Lab
    from proofs_check.runner import ClaimResult

__all__ = ["CLAIMS"]

LENGTH = Integer(4, 4096, meaning="length of the prompt", largest_drawn=200)
P_COT = Real(0, 1, open_low=True, open_high=True, meaning="share of long demonstrations", symbol="p")
P_0 = Real(1e-9, 1 / 3, open_high=True, meaning="share of long answers before post-training", symbol="p_0")
EPSILON = Real(1e-3, 0.5, meaning="error that is put up with", symbol=r"\epsilon")
Samples = Sequence[tuple[Mapping[str, Any], Any]]


def _linear() -> Any:
    import theory.linear_model as module

    return module


def _post() -> Any:
    import theory.post_training as module

    return module


# ---------------------------------------------------------------- brackets from counts


def _successes(data: Any, cell: Mapping[str, Any]) -> Counts:
    found = data["success"].values
    return Counts(int(found.sum()), int(found.size))


def _bracket(points: Sequence[tuple[float, Any]], level: float, alpha: float) -> tuple[float, float]:
    """Largest point surely below the level and least one surely at it, for success that does not fall.

    At each point only one of the two can be wrong, so a two-sided interval at 2 alpha spends alpha.
    """
    low, high = 0.0, math.inf
    for point, sample in points:
        interval = sample.interval(2 * alpha)
        if interval.high < level:
            low = max(low, point)
        elif interval.low >= level:
            high = min(high, point)
    return low, high


def _brackets(
    samples: Samples, along: Callable[[Mapping[str, Any]], float], n_of: str, level: float, alpha: float
) -> tuple[list[float], list[tuple[float, float]]]:
    """The brackets in n, by increasing x."""
    points: dict[float, list[tuple[float, Any]]] = {}
    for cell, sample in samples:
        points.setdefault(along(cell), []).append((float(cell[n_of]), sample))
    x = sorted(points)
    return x, [_bracket(points[value], level, alpha / len(samples)) for value in x]


def _growth_leg(
    name: str,
    cells: Mapping[str, list[dict[str, Any]]],
    settings: Callable[[Mapping[str, Any]], dict[str, Any]],
    along: Callable[[Mapping[str, Any]], float],
    predicted: Callable[[Any, list[float]], tuple[float, float]],
    *,
    learner: str = "pretraining",
    level: float = 0.5,
    resolution: float,
    cost: float,
    planned_n: int = 256,
) -> Simulation:
    """Exponent of the sample complexity from brackets, against a predicted range."""

    def combine(samples: Samples, alpha: float, lab: Lab) -> list[Cell]:
        from sims.scaling import power_law

        x, brackets = _brackets(samples, along, "n", level, alpha)
        expected = Interval(*predicted(lab.theory, x))
        n = min(sample.size for _, sample in samples)
        where = {"x": ", ".join(f"{value:g}" for value in x)}
        if sum(low > 0 and math.isfinite(high) for low, high in brackets) < 2:
            return [Cell(where, Verdict.UNDECIDED, n, predicted=expected, detail="a bracket is open")]
        found = power_law(x, brackets)
        interval = Interval(found.low, found.high)
        verdict = judge("exact", interval, expected, resolution) if found.fits else Verdict.FAILS
        shown = "; ".join(f"{low:.6g} < n <= {high:.6g}" for low, high in brackets)
        return [Cell(where, verdict, n, found.exponent, expected, interval, resolution, detail=shown)]

    return Simulation(
        name,
        "sample_complexity.successes",
        cells=lambda profile: cells[profile],
        parameters=lambda cell: {"learner": learner, "settings": settings(cell), "n_samples": cell["n"]},
        extract=_successes,
        combine=combine,
        planned_n=planned_n,
        looks=3,
        unit="training run",
        cost=cost,
        profiles=tuple(cells),
    )


def _exponent(solve: Callable[[float], float], x: Sequence[float]) -> float:
    """Slope between the ends of what `solve` gives, in logarithms."""
    return math.log(solve(x[-1]) / solve(x[0])) / math.log(x[-1] / x[0])


# ---------------------------------------------------------------- the critical share


def _critical_parameters(cell: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "d": cell["d"], "p_cot": cell["p_cot"], "n_samples": cell["n"], "ridge": 0.05, "positions": ("stop",),
        "n_prompts": 64,
    }  # fmt: skip


def _goes_on(data: Any, cell: Mapping[str, Any]) -> Counts:
    """Runs in which greedy decoding goes on, after a right first token, at more than half of the prompts."""
    found = (data["stop_agree"].values <= 0.5).mean(axis=1) > 0.5
    return Counts(int(found.sum()), int(found.size))


def _critical_cells(profile: str) -> list[dict[str, Any]]:
    if profile == "quick":
        return [{"d": d, "p_cot": p, "n": 4000} for d in (5, 20) for p in (0.315, 0.35)]
    return [{"d": d, "p_cot": p, "n": 40_000} for d in (5, 10, 20, 50) for p in (0.31, 0.325, 0.342, 0.355)]


def _critical(samples: Samples, alpha: float, lab: Lab) -> list[Cell]:
    """For each d, the interval of the p at which half of the runs go on."""
    from sims.scaling import threshold

    found = []
    expected = float(lab.theory.parity_mixture.greedy_threshold())
    sizes = sorted({cell["d"] for cell, _ in samples})
    for d in sizes:
        mine = sorted(((c["p_cot"], s) for c, s in samples if c["d"] == d), key=lambda pair: pair[0])
        result = threshold(
            [p for p, _ in mine], [s.successes for _, s in mine], [s.trials for _, s in mine],
            confidence=1 - alpha / len(sizes),
        )  # fmt: skip
        interval = Interval(result.low, result.high)
        verdict = judge("exact", interval, Interval(expected, expected), 0.025)
        n = min(s.size for _, s in mine)
        found.append(
            Cell(
                {"d": d}, verdict, n, result.estimate, Interval(expected, expected), interval, 0.025, "half of the runs"
            )
        )
    return found


def _even_odds(lab: Lab) -> Iterator[Cell]:
    """At the threshold itself going on and stopping are equally likely after agreement; beside it they are not."""
    mixture = lab.theory.parity_mixture
    third = mixture.greedy_threshold_exact()
    yield lab.equal({"p_cot": str(third)}, mixture.continue_given_agreement(third), Fraction(1, 2))
    for shift in (Fraction(-1, 10**9), Fraction(1, 10**9)):
        above = mixture.continue_given_agreement(third + shift) > Fraction(1, 2)
        yield lab.true({"p_cot": f"{third} {'+' if shift > 0 else '-'} 1e-9"}, above == (shift > 0), "likelier token")
    gap = float(mixture.greedy_threshold()) - float(third)
    yield lab.close({"p_cot": "double"}, gap, 0.0, 2**-54, "the double is the rational, rounded")


CRITICAL = Claim(
    id="hardness.critical_share",
    statement=(
        "Whatever d, the trained model's greedy answers become long at the share p = 1/3 of long demonstrations: the p "
        "at which half of the training runs go on at most prompts lies in an interval that holds 1/3 and ends within "
        "0.025 of it."
    ),
    latex=(
        r"\Pr_{\mathrm{runs}}\bigl[\text{greedy goes on at most prompts}\bigr] = \tfrac12 \iff p = \tfrac13,"
        r"\qquad d \ge 4"
    ),
    origin="paper",
    source=f"{PAPER}, Theorem 1 (greedy decoding); measured by a threshold search",
    kind="threshold",
    domain=Domain({"d": LENGTH, "p_cot": P_COT}),
    evidence=(
        Exact("identity", "even odds at the threshold", _even_odds, scope="cells"),
        Simulation(
            "where half of the runs go on",
            "linear_model.pretrain",
            cells=_critical_cells,
            parameters=_critical_parameters,
            extract=_goes_on,
            combine=_critical,
            planned_n=128,
            looks=4,
            unit="training run",
            cost=1.5,
        ),
    ),
    mutants=(
        Mutant(
            "the threshold is 0.30",
            "at p = 0.315 EOS has probability .521 after agreement",
            theory={
                "parity_mixture.greedy_threshold": lambda: 0.30,
                "parity_mixture.greedy_threshold_exact": lambda: Fraction(3, 10),
            },
        ),
        Mutant(
            "the threshold is 0.36",
            "at p = 0.35 going on has probability .519 after agreement",
            theory={
                "parity_mixture.greedy_threshold": lambda: 0.36,
                "parity_mixture.greedy_threshold_exact": lambda: Fraction(9, 25),
            },
        ),
        Mutant(
            "training sees 0.06 more long demonstrations than it was told",
            "half of the runs would go on at p = 0.273",
            sims=retrained(lambda options: {**options, "p_cot": options["p_cot"] + 0.06}),
        ),
    ),
    remarks=(
        "The majority of a run's prompts follows the part of the logit that all prompts share, whose spread in p is "
        "about .54/sqrt(T) whatever d; single prompts spread more, like .77 sqrt(d/T) "
        "(linear_model.threshold_window). The interval needs only that more long demonstrations never make going on "
        "less likely."
    ),
)

# ---------------------------------------------------------------- growth of pre-training


def _first_settings(cell: Mapping[str, Any]) -> dict[str, Any]:
    epsilon = cell["epsilon"]
    return {"d": cell["d"], "p_cot": 0.1, "criterion": "first", "epsilon": epsilon, "ridge": 2.5 * epsilon}


def _stop_settings(cell: Mapping[str, Any]) -> dict[str, Any]:
    epsilon = cell["epsilon"]
    return {"d": cell["d"], "p_cot": 0.45, "criterion": "stop", "epsilon": epsilon, "ridge": epsilon}


def _grid(d: int, epsilon: float, centre: float, factor: float) -> list[dict[str, Any]]:
    return [{"d": d, "epsilon": epsilon, "n": round(centre * f)} for f in (1 / factor, factor)]


# The grids stand about where d/epsilon^2, times a constant of the ridge, was found by searches; the brackets that
# result do not depend on how well, only whether they close.
FIRST_D = [*_grid(5, 0.04, 570, 1.6), *_grid(40, 0.04, 5400, 1.25)]
FIRST_EPSILON = [*_grid(10, 0.08, 225, 1.4), *_grid(10, 0.02, 6050, 1.35)]
STOP_D = [*_grid(5, 0.04, 2350, 1.6), *_grid(40, 0.04, 18_800, 1.3)]


def _solved(error: Callable[[int], float], target: float) -> float:
    """The n at which an error that falls with n reaches the target, on a continuous scale."""
    low, high = 1, 2
    while error(high) > target:
        low, high = high, 2 * high
    while high > low + 1:
        middle = (low + high) // 2
        low, high = (middle, high) if error(middle) > target else (low, middle)
    a, b = error(low), error(high)
    return low + (a - target) / (a - b) if a > target else float(low)


def _chi_square_shift(x: Sequence[float]) -> float:
    """How much the median of a mean of d squared normals, (1 - 2/(9d))^3, adds to an exponent in d."""
    return math.log(((1 - 2 / (9 * x[-1])) / (1 - 2 / (9 * x[0]))) ** 3) / math.log(x[-1] / x[0])


def _first_in_d(theory: Any, x: list[float]) -> tuple[float, float]:
    t = theory.linear_model
    slope = _exponent(lambda d: _solved(lambda n: float(t.first_token_mean_square_error(int(d), 0.1, n)), 1e-6), x)
    return slope, slope + _chi_square_shift(x)


def _first_in_epsilon(theory: Any, x: list[float]) -> tuple[float, float]:
    """Between the limit without ridge, and the limit law with ridge and bias, which early iterates blur."""
    t = theory.linear_model

    def plain(inverse: float) -> float:
        return _solved(lambda n: float(t.first_token_mean_square_error(10, 0.1, n)), (inverse * 30) ** -2)

    def with_ridge(inverse: float) -> float:
        ridge = 2.5 / inverse
        left = inverse**-2 - float(t.first_token_bias(0.1, ridge)) ** 2
        return _solved(lambda n: float(t.first_token_mean_square_error(10, 0.1, n, ridge)), left)

    ends = sorted(_exponent(solve, x) for solve in (plain, with_ridge))
    return ends[0], ends[1]


def _stop_in_d(theory: Any, x: list[float]) -> tuple[float, float]:
    t = theory.linear_model
    slope = _exponent(lambda d: float(t.stop_agree_logit_asymptotic_variance(int(d), 0.45, 0.04)), x)
    return slope, slope + _chi_square_shift(x)


def _scaling(lab: Lab) -> Iterator[Cell]:
    """The limiting mean square error keeps its value under (d, T) -> (3d, 3T) and is quartered by 4T, exactly."""
    t = lab.theory.linear_model
    for d in (4, 20, 100):
        for p in (Fraction(1, 10), Fraction(2, 5)):
            error = t.first_token_mean_square_error(d, p, 1000)
            cell = {"d": d, "p_cot": str(p)}
            yield lab.equal(cell, t.first_token_mean_square_error(3 * d, p, 3000), error, "n grows like d")
            yield lab.equal(cell, 4 * t.first_token_mean_square_error(d, p, 4000), error, "n grows like 1/epsilon^2")
        ratio = float(t.stop_agree_logit_asymptotic_variance(d, 1 / 3, 1e-7)) / (12 * d)
        yield lab.close({"d": d}, ratio, 1.0, 1e-5, "after agreement, at p = 1/3: variance 12 d/T")


def _squared_length(d: Any, p: Any, n: Any, ridge: Any = None) -> Any:
    return Fraction(d * d, 10) * (1 - Fraction(p) ** 2) / (4 * n)


def _inverse_square(d: Any, p: Any, n: Any, ridge: Any = None) -> Any:
    return 1000 * Fraction(d) * (1 - Fraction(p) ** 2) / (4 * n * n)


HEADS = Claim(
    id="hardness.pretraining_growth",
    statement=(
        "The number of demonstrations after which half of the runs know P(y_1 = x_1) to within epsilon (root mean "
        "square over prompts) grows like d/epsilon^2, and so does that for P(EOS | agree) in d. The exponents "
        "that the measured brackets leave possible agree with those of the limit law, 1 and 2 and what the ridge adds."
    ),
    latex=r"n_{1/2}(d, \epsilon) \propto \frac{d}{\epsilon^{2}}\qquad(\lambda \propto \epsilon)",
    origin="derived",
    source="limit law of averaged descent: mean square error d (1 - p^2)/(4T)",
    kind="rate",
    domain=Domain({"d": LENGTH, "epsilon": EPSILON}),
    evidence=(
        Exact("identity", "scaling of the limiting error", _scaling, scope="cells"),
        _growth_leg(
            "position 1: exponent in d",
            {"quick": FIRST_D, "full": [*FIRST_D, *_grid(15, 0.04, 1950, 1.45)]},
            _first_settings,
            lambda cell: float(cell["d"]),
            _first_in_d,
            resolution=0.45,
            cost=1.0,
        ),
        _growth_leg(
            "position 1: exponent in 1/epsilon",
            {"quick": FIRST_EPSILON, "full": [*FIRST_EPSILON, *_grid(10, 0.01, 25_500, 1.4)]},
            _first_settings,
            lambda cell: 1 / cell["epsilon"],
            _first_in_epsilon,
            resolution=0.35,
            cost=1.0,
        ),
        _growth_leg(
            "stop decision: exponent in d",
            {"full": STOP_D},
            _stop_settings,
            lambda cell: float(cell["d"]),
            _stop_in_d,
            resolution=0.45,
            cost=8.0,
        ),
    ),
    mutants=(
        Mutant(
            "the number grows like d^2",
            "the d idle weights have independent errors, each of variance 1/T",
            theory={
                "linear_model.first_token_mean_square_error": _squared_length,
                "linear_model.stop_agree_logit_asymptotic_variance": lambda d, p, ridge: 12.0 * d * d,
            },
        ),
        Mutant(
            "the number grows like 1/epsilon",
            "averaging T demonstrations divides the variance, not its root, by T",
            theory={
                "linear_model.first_token_mean_square_error": _inverse_square,
                "linear_model.stop_agree_logit_asymptotic_variance": lambda d, p, ridge: 12.0 * math.sqrt(d),
            },
        ),
    ),
    remarks=(
        "The ridge is taken in proportion to epsilon, 2.5 epsilon at position 1. Its factor F(h/lambda) and its bias "
        "add to the exponent in 1/epsilon: 2.55 between 0.08 and 0.02 by the limit law with ridge, against 2 without; "
        "searches found 2.37 there and 2.16 between 0.04 and 0.01. The resolutions are what the grids' spacing leaves: "
        "(ln 1.6 + ln 1.25)/ln 8 = 0.33 in d, (ln 1.4 + ln 1.35)/ln 4 = 0.46 in 1/epsilon, less the room in the "
        "prediction. Grids and resolutions were set with the searches in view; the claim judges runs of other seeds."
    ),
)

# ---------------------------------------------------------------- the bound of Theorem 1


BOUND_RIDGE = {"first": 0.05, "stop": 0.05, "chain": 1e-3}
DELTA = 0.5


def _sampled_settings(cell: Mapping[str, Any]) -> dict[str, Any]:
    problem = {key: cell[key] for key in ("d", "p_cot", "epsilon")}
    return {**problem, "criterion": "sampled", "ridge": BOUND_RIDGE}


def _bound_cells(profile: str) -> list[dict[str, Any]]:
    sizes = [(4, 0.5, 0.2, (200, 8000))]
    if profile == "full":
        sizes += [(8, 0.5, 0.2, (3200, 25_600)), (12, 0.5, 0.2, (6400, 80_000)), (4, 0.2, 0.1, (400, 12_800))]
    return [{"d": d, "p_cot": p, "epsilon": e, "n": n} for d, p, e, sizes_n in sizes for n in sizes_n]


def _respected(samples: Samples, alpha: float, lab: Lab) -> list[Cell]:
    """The measured bracket of each problem against the number of sequences that suffices."""
    problems = sorted({(c["d"], c["p_cot"], c["epsilon"]) for c, _ in samples})
    found = []
    for d, p, epsilon in problems:
        mine = [(float(c["n"]), s) for c, s in samples if (c["d"], c["p_cot"], c["epsilon"]) == (d, p, epsilon)]
        low, high = _bracket(mine, 1 - DELTA, alpha / len(samples))
        bound = float(lab.theory.linear_model.theorem_1_sample_sizes(d, p, epsilon, DELTA).n_sequences)
        interval, expected = Interval(low, high), Interval(-math.inf, bound)
        verdict = judge("upper", interval, expected, 0.0) if math.isfinite(high) else Verdict.UNDECIDED
        n = min(s.size for _, s in mine)
        observed = high if math.isfinite(high) else None
        found.append(
            Cell(
                {"d": d, "p_cot": p, "epsilon": epsilon}, verdict, n, observed, expected, interval, 0.0, compare="upper"
            )
        )
    return found


def _steps_written_out(rho_squared: int, ridge: float, error: float, failure: float) -> float:
    """T with (rho^2/(2 lambda)) sqrt((1 + ln T)/(failure T)) = error/2, by a contraction."""
    needed = (rho_squared / ridge / error) ** 2 / failure
    steps = needed
    for _ in range(200):
        steps = needed * (1 + math.log(steps))
    return steps


def _count_written_out(lab: Lab) -> Iterator[Cell]:
    """At p = 1/2 the stop decision or the last chain position decides; ridges and error shares put in by hand."""
    for d in (4, 12, 30):
        for epsilon in (0.2, 0.02):
            sizes = lab.theory.linear_model.theorem_1_sample_sizes(d, 0.5, epsilon, DELTA)
            error, failure = epsilon / (d + 1), DELTA / (d + 2)
            ridge = error / 2 / math.log(2 / error)
            chain = _steps_written_out(3 * d - 1, ridge, error, failure)
            # Long demonstrations are half of all, and a Chernoff margin of order sqrt(steps) comes on top.
            a = math.log((d + 2) / DELTA)
            total = max(
                2 * (chain + a + math.sqrt(a * a + 2 * a * chain)),
                _steps_written_out(2 * d + 2, ridge / 2, error, failure),
            )
            yield lab.close({"d": d, "epsilon": epsilon}, float(sizes.n_sequences) / total, 1.0, 1e-9, "count")


def _tightness(lab: Lab) -> dict[str, Any]:
    """Measured upper end over the bound at the quick problem."""
    d, p, epsilon, high = 4, 0.5, 0.2, 8000.0
    bound = float(lab.theory.linear_model.theorem_1_sample_sizes(d, p, epsilon, DELTA).n_sequences)
    return {
        "ratio": high / bound,
        "interval": (200 / bound, high / bound),
        "vacuous": False,
        "detail": "d = 4, p = 1/2, epsilon = 0.2, failure 1/2: between 200 and 8000 demonstrations against the bound",
    }


def _with_count(count: Callable[[Any, Any], float]) -> Callable[..., Any]:
    def replaced(d: Any, p: Any, epsilon: Any, delta: Any, **options: Any) -> Any:
        real = _linear().theorem_1_sample_sizes(d, p, epsilon, delta, **options)
        return replace(real, n_sequences=math.ceil(count(d, epsilon)))

    return replaced


BOUND = Claim(
    id="hardness.pretraining_bound",
    statement=(
        "The measured sample complexity of Theorem 1's conclusions (sampled answers right to within epsilon at every "
        "prompt, in half of the runs) respects its count of sequences, and lies more than eight powers of ten below."
    ),
    latex=(
        r"n_{1/2}\bigl[\max_x |\pi(\text{long}\mid x) - p| \vee |\pi(\text{short}\mid x) - \tfrac{1-p}{2}| \le "
        r"\epsilon\bigr] \le N = \tilde O\!\left(\frac{d^{7}}{\epsilon^{4}\delta}\right)"
    ),
    origin="paper",
    source=f"{PAPER}, Theorem 1, with the constants of theory.linear_model",
    kind="upper",
    domain=Domain({"d": LENGTH, "p_cot": P_COT, "epsilon": EPSILON}),
    evidence=(
        Exact("enumeration", "the count, written out", _count_written_out, scope="cells"),
        Simulation(
            "bracket of the measured sample complexity",
            "sample_complexity.successes",
            cells=_bound_cells,
            parameters=lambda cell: {
                "learner": "pretraining",
                "settings": _sampled_settings(cell),
                "n_samples": cell["n"],
            },
            extract=_successes,
            combine=_respected,
            planned_n=128,
            looks=3,
            unit="training run",
            cost=1.5,
        ),
    ),
    mutants=(
        Mutant(
            "d/epsilon^2 demonstrations suffice",
            "that is 100 at d = 4, epsilon = 0.2; each of four tokens still errs at most prompts",
            theory={"linear_model.theorem_1_sample_sizes": _with_count(lambda d, e: d / e**2)},
        ),
        Mutant(
            "d^2/epsilon demonstrations suffice",
            "80 at d = 4, epsilon = 0.2: exponents 2 and 1 instead of 7 and 4",
            theory={"linear_model.theorem_1_sample_sizes": _with_count(lambda d, e: d**2 / e)},
        ),
    ),
    tightness=_tightness,
    remarks=(
        "The ridges of the runs are chosen for few samples, those of the theorem for its proof; the sample complexity "
        "compared is that of the better choice. For d > 10, 'every prompt' stands for 256 fresh ones."
    ),
)

# ---------------------------------------------------------------- chains: growth, an open exponent


def _chain_settings(cell: Mapping[str, Any]) -> dict[str, Any]:
    return {"d": cell["d"], "p_cot": 1.0, "criterion": "chain", "epsilon": cell["epsilon"], "ridge": 1e-4}


def _half_settings(cell: Mapping[str, Any]) -> dict[str, Any]:
    return {"d": cell["d"], "p_cot": 1.0, "criterion": "chain_right", "epsilon": 0.5, "ridge": 1e-4}


CHAIN_D = [*_grid(5, 0.1, 42, 1.25), *_grid(40, 0.1, 530, 1.2)]
HALF_D = [*_grid(10, 0.5, 140, 1.25), *_grid(40, 0.5, 3020, 1.2)]
RATE_GROWTH = 0.5  # what the constant of d/K may add to an exponent: from 1 to 2 over a factor of four in d


def _half_in_d(theory: Any, x: list[float]) -> tuple[float, float]:
    slope = _exponent(lambda d: float(theory.post_training.half_chain_sequences(int(d))), x)
    return slope, slope + RATE_GROWTH


def _chain_in_d(theory: Any, x: list[float]) -> tuple[float, float]:
    """K at a fixed token error e: the number for e_c(d), times e_c(d)/e."""

    def needed(d: float) -> float:
        error = float(theory.linear_model.critical_chain_error(int(d)))
        return float(theory.post_training.half_chain_sequences(int(d))) * error

    slope = _exponent(needed, x)
    return slope, slope + RATE_GROWTH


def _rate_written_out(lab: Lab) -> Iterator[Cell]:
    """A token error of C d/K at each of d - 1 positions leaves a chain right half of the time at K_1/2."""
    for d in (5, 10, 40, 1000):
        error = 1.25 * d / float(lab.theory.post_training.half_chain_sequences(d))
        # Rounding: a power of d - 1 of a number within 2^-52 of exact, and one division.
        yield lab.close({"d": d}, (1 - error) ** (d - 1), 0.5, d * 2**-50, "(1 - C d/K)^(d-1)")


CHAIN = Claim(
    id="hardness.chain_growth",
    statement=(
        "Long demonstrations that bring the token error of the chain to a tenth grow with an exponent in d between 1 "
        "and 3/2 for d from 5 to 40, and those that make a whole chain right half of the time with an exponent between "
        "2 and 5/2 for d from 10 to 40, as a token error of C d/K with a slowly growing C would have it. Whether C "
        "settles or grows like a logarithm stays open."
    ),
    latex=r"e \approx C\,\frac{d}{K}:\qquad K_{e=0.1} \propto d^{1 \ldots 3/2},\qquad K_{1/2} \propto d^{2 \ldots 5/2}",
    origin="derived",
    source="noise-free perceptron rate; C measured",
    kind="empirical",
    domain=Domain({"d": LENGTH, "epsilon": EPSILON}),
    evidence=(
        Exact("enumeration", "the rate, written out", _rate_written_out, scope="cells"),
        _growth_leg(
            "exponent in d at a token error of a tenth",
            {"quick": CHAIN_D, "full": [*CHAIN_D, *_grid(15, 0.1, 158, 1.25)]},
            _chain_settings,
            lambda cell: float(cell["d"]),
            _chain_in_d,
            resolution=0.1,
            cost=0.6,
            planned_n=128,
        ),
        _growth_leg(
            "exponent in d of chains right half of the time",
            {"quick": HALF_D, "full": [*HALF_D, *_grid(20, 0.5, 660, 1.2)]},
            _half_settings,
            lambda cell: float(cell["d"]),
            _half_in_d,
            resolution=0.15,
            cost=1.5,
            planned_n=96,
        ),
    ),
    mutants=(
        Mutant(
            "a chain takes a number of demonstrations in proportion to d",
            "d - 1 tokens must each err less than ln 2/(d - 1)",
            theory={"post_training.half_chain_sequences": lambda d, rate=1.25: 5 * rate * d},
        ),
        Mutant(
            "a chain takes d^3",
            "positions are learned side by side, from the same demonstrations",
            theory={"post_training.half_chain_sequences": lambda d, rate=1.25: rate * d**3 / 5},
        ),
    ),
    remarks=(
        "Sequential searches at level 1/2 found, at ridge 1e-4: token error 0.1 after 37-45, 90-107, 215-256, 469-608 "
        "long demonstrations for d = 5, 10, 20, 40; chains right half of the time after 128-152, 608-724, 2655-3444 "
        "for d = 10, 20, 40: exponents 2.06 to 2.37 for a pure power, 1.72 to 2.03 with a factor ln d. The range "
        "allowed for C, half an exponent, was set with these searches in view; the claim judges runs of other seeds."
    ),
)

# ---------------------------------------------------------------- STaR's draws


SPARE = 8  # rounds beyond the doublings: with them a surviving long route has time to grow


def _rounds(p_0: float) -> int:
    return math.ceil(math.log2((1 - p_0) / (2 * p_0))) + SPARE


def _draw_cells(profile: str) -> list[dict[str, Any]]:
    shares = (0.1, 0.001) if profile == "quick" else (0.1, 0.01, 0.001, 0.0001)
    return [
        {"p_0": p, "n": _rounds(p) * round(math.log(10) / (0.797 * p) * f)} for p in shares for f in (0.3, 0.8, 1.25)
    ]


def _ideal(cell: Mapping[str, Any]) -> dict[str, Any]:
    return {"p_0": cell["p_0"], "n_rounds": _rounds(cell["p_0"])}


def _survives(theory: Any, cell: Mapping[str, Any]) -> float:
    each = cell["n"] // _rounds(cell["p_0"])
    return 1 - float(theory.post_training.extinction_probability(cell["p_0"], each))


def _total_in_share(theory: Any, x: list[float]) -> tuple[float, float]:
    """Rounds (and the spare ones) times samples a round."""
    t = theory.post_training

    def total(inverse: float) -> float:
        return (float(t.rounds_to_generalise(1 / inverse)) + SPARE) * float(t.samples_per_round(1 / inverse, 0.1))

    slope = _exponent(total, x)
    return slope, slope


def _doublings(lab: Lab) -> Iterator[Cell]:
    """Odds that double each round, in rationals, until they reach one half."""
    t = lab.theory.post_training
    for k in (1, 2, 3, 4, 6):
        p = Fraction(1, 10**k)
        odds, rounds = p / (1 - p), 0
        while odds < Fraction(1, 2):
            odds, rounds = 2 * odds, rounds + 1
        yield lab.equal({"p_0": float(p)}, int(t.rounds_to_generalise(p)), rounds, "rounds")
        # Poisson(2) offspring: lost from one long answer with probability q = exp(2(q - 1)), from Poisson(N p_0) of
        # them with exp(-N p_0 (1 - q)); corrections are of relative order p_0.
        q = 0.0
        for _ in range(200):
            q = math.exp(2 * (q - 1))
        expected = math.log(10) / ((1 - q) * float(p))
        yield lab.close(
            {"p_0": float(p)}, float(t.samples_per_round(float(p), 0.1)) / expected, 1.0, 0.5 * float(p), "samples"
        )


def _half_as_rare(learner: str, settings: Mapping[str, Any], n_samples: int, seeds: Any) -> Any:
    from sims.sample_complexity import successes

    return successes(learner, {**settings, "p_0": settings["p_0"] / 2}, n_samples, seeds)


STAR = Claim(
    id="hardness.star_samples",
    statement=(
        "What the draws of STaR need when every training is perfect: about log2(1/p_0) rounds of "
        "ln(1/delta)/(0.797 p_0) answers. The chance to generalise is the long route's chance to survive, and the "
        "answers of all rounds together, at nine successes in ten, grow like (1/p_0) log(1/p_0)."
    ),
    latex=(
        r"n_{0.9}(p_0) = \Bigl(\Bigl\lceil \log_2 \tfrac{1-p_0}{2p_0} \Bigr\rceil + 8\Bigr)"
        r"\,\frac{\ln 10}{0.797\,p_0 + 0.239\,p_0^2}"
    ),
    origin="derived",
    source=f"Bayes' rule for the rounds, a branching process for the draws; {PAPER}, Theorem 2, states a polynomial",
    kind="rate",
    domain=Domain({"p_0": P_0}),
    functions=("post_training.rounds_to_generalise",),
    evidence=(
        Exact("enumeration", "doublings and branching, written out", _doublings, scope="cells"),
        Simulation(
            "chance to generalise",
            "sample_complexity.successes",
            cells=_draw_cells,
            parameters=lambda cell: {"learner": "ideal_star", "settings": _ideal(cell), "n_samples": cell["n"]},
            extract=_successes,
            predict=_survives,
            resolution=0.06,
            planned_n=4096,
            looks=3,
            unit="run of all rounds",
            cost=0.5,
        ),
        _growth_leg(
            "exponent of all answers in 1/p_0",
            {profile: _draw_cells(profile) for profile in ("quick", "full")},
            _ideal,
            lambda cell: 1 / cell["p_0"],
            _total_in_share,
            learner="ideal_star",
            level=0.9,
            resolution=0.4,
            planned_n=4096,
            cost=0.3,
        ),
    ),
    mutants=(
        Mutant(
            "the answers grow like 1/p_0^2",
            "a long answer is seen once in 1/p_0 draws, and a handful is enough",
            theory={
                "post_training.samples_per_round": lambda p, f: 0.3 * _post().samples_per_round(p, f) / p,
                "post_training.extinction_probability": lambda p, n: math.exp(-3 * n * p * p),
            },
        ),
        Mutant(
            "the rounds grow like 1/p_0",
            "odds double, they do not grow by a constant",
            theory={
                "post_training.rounds_to_generalise": lambda p: math.ceil(1 / (2 * p)),
                "post_training.extinction_probability": lambda p, n: math.exp(-0.4 * n * p),
            },
        ),
        Mutant(
            "ten answers a round are enough",
            "with p_0 = .001 none of them is long",
            theory={
                "post_training.samples_per_round": lambda p, f: 10.0,
                "post_training.extinction_probability": lambda p, n: 0.0,
            },
        ),
        Mutant(
            "the model starts at half the share that it was told",
            "the long route then survives as with half the answers",
            sims={"sample_complexity.successes": _half_as_rare},
        ),
    ),
    remarks=(
        "Real retraining from zero asks for about d^2 kept chains each round on top (post_training.total_cost). The "
        "formula's error at finite N p_0 is of order p_0; the resolution covers it at p_0 = 0.1."
    ),
)

# ---------------------------------------------------------------- policy gradients' draws


TRAVEL = 3.0


def _gradient_settings(cell: Mapping[str, Any]) -> dict[str, Any]:
    return {"d": 10, "p_0": cell["p_0"], "travel": TRAVEL}


def _gradient_grid(p: float, centre: float) -> list[dict[str, Any]]:
    return [{"p_0": p, "n": 16 * round(centre * f / 16)} for f in (0.75, 1.33)]


GRADIENT = [*_gradient_grid(0.1, 218), *_gradient_grid(0.00625, 860)]


def _flow_share(theory: Any, x: list[float]) -> tuple[float, float]:
    """Between half the exponent of the flow's time and all of it."""
    slope = _exponent(lambda inverse: float(theory.post_training.reinforce_time(1 / inverse)), x)
    return slope / 2, slope


def _flow_constant(lab: Lab) -> Iterator[Cell]:
    """p_0 times the flow's time tends to a constant: the exponent of the time is 1."""
    t = lab.theory.post_training
    constant = 0.9076
    for p in (1e-5, 1e-6, 1e-8):
        # The next term is of relative order p ln^2 p, 1.3e-3 at 1e-5, times a constant of order one.
        yield lab.close(
            {"p_0": p}, p * float(t.reinforce_time(p)) / constant, 1.0, 1e-4 + 3 * p * math.log(p) ** 2, "p_0 T"
        )


REINFORCE = Claim(
    id="hardness.policy_gradient_samples",
    statement=(
        "REINFORCE with the step size in proportion to 1/(p_0 T), run for three times the distance of its mean flow, "
        "needs answers that grow more slowly than the flow's time 1/p_0: for p_0 from 0.1 down to 0.00625 at d = 10 "
        "with an exponent between half of the flow's and all of it, and not like 1/p_0^2, as noise in the idle weights "
        "of small steps would suggest."
    ),
    latex=(
        r"n_{1/2}(p_0) \propto p_0^{-a},\qquad \tfrac12 \lesssim a \le 1 < 2,\qquad "
        r"T_{\mathrm{flow}} \to \frac{0.9076}{\eta\,p_0}"
    ),
    origin="derived",
    source="flow of theory.post_training; measured brackets",
    kind="empirical",
    domain=Domain({"p_0": P_0}),
    evidence=(
        Exact("enumeration", "the flow's time is of order 1/p_0", _flow_constant, scope="cells"),
        _growth_leg(
            "exponent of all answers in 1/p_0 at d = 10",
            {"quick": GRADIENT, "full": [*GRADIENT, *_gradient_grid(0.025, 435)]},
            _gradient_settings,
            lambda cell: 1 / cell["p_0"],
            _flow_share,
            learner="policy_gradient",
            resolution=0.25,
            planned_n=256,
            cost=2.5,
        ),
    ),
    mutants=(
        Mutant(
            "the answers grow like 1/p_0^2 at least",
            "the idle weights' noise is made up for once long answers are frequent",
            theory={"post_training.reinforce_time": lambda p, eta=1.0: 1 / (eta * p**4)},
        ),
        Mutant(
            "the answers grow like log(1/p_0)",
            "that is the time of the natural gradient, which does not weigh a long answer by its rarity",
            theory={"post_training.reinforce_time": lambda p, eta=1.0: 2 / eta * math.log(1 / p) ** 0.5},
        ),
    ),
    remarks=(
        "Sequential searches at level 1/2 found 107-152, 181-256, 256-362, 362-512, 512-724, 724-1024, 1024-1448 and "
        "1722-2435 answers for p_0 = 0.2, 0.1, ..., 0.2/128 (the chain exact at the start, baseline 1/2): exponents "
        "0.50 to 0.60, and the same brackets with one answer a step as with 16. Large steps let a few long answers "
        "move the model at once, and what they leave in idle weights is corrected while long answers are frequent. The "
        "exponent is pre-asymptotic: as long as short answers alone do not change the share, half of the runs draw no "
        "long answer before ln 2/p_0, so it cannot stay below 1 for ever. How it depends on baseline and distance is "
        "open. The range of exponents was set with these searches in view; the claim judges runs of other seeds."
    ),
)

# ---------------------------------------------------------------- the separation


SEPARATION_RIDGE = {"first": 0.02, "stop": 0.02, "chain": 1e-3}


def _separation_cells(profile: str) -> list[dict[str, Any]]:
    cells = [{"d": 5, "p_0": 0.2, "n": 8192}]
    return (
        cells if profile == "quick" else [*cells, {"d": 5, "p_0": 0.1, "n": 24_000}, {"d": 7, "p_0": 0.1, "n": 40_000}]
    )


def _alone(theory: Any, cell: Mapping[str, Any]) -> tuple[float, float]:
    """Greedy accuracy of the calibrated model decides; below its target fewer than half of the runs succeed."""
    if float(theory.parity_mixture.greedy_accuracy(cell["p_0"])) < 0.9:
        return 0.0, 0.5
    return 0.5, 1.0


def _together(theory: Any, cell: Mapping[str, Any]) -> tuple[float, float]:
    """The share of long answers after all rounds decides."""
    rounds = math.ceil(math.log2((1 - cell["p_0"]) / (2 * cell["p_0"]))) + 1
    share = float(theory.post_training.long_fraction(cell["p_0"], rounds))
    return (0.5, 1.0) if share > 1 / 3 else (0.0, 0.5)


def _either_side(lab: Lab) -> Iterator[Cell]:
    """Exactly: below one third next-token prediction leaves accuracy 1/2; enough doublings make it 1."""
    mixture, post = lab.theory.parity_mixture, lab.theory.post_training
    for p in (Fraction(1, 1000), Fraction(1, 10), Fraction(1, 4), Fraction(3, 10)):
        odds, rounds = p / (1 - p), 0
        while odds < Fraction(1, 2):
            odds, rounds = 2 * odds, rounds + 1
        yield lab.equal({"p_0": float(p)}, Fraction(mixture.greedy_accuracy(p)), Fraction(1, 2), "next tokens alone")
        yield lab.equal({"p_0": float(p)}, post.long_fraction(p, rounds), odds / (1 + odds), "share after the rounds")


def _separation_figure(result: ClaimResult) -> Figure:
    """Success over samples: next-token prediction alone, and STaR from the same share."""
    from matplotlib.figure import Figure

    from proofs_check.figures import simulated_points, style
    from sims.intervals import clopper_pearson
    from sims.sample_complexity.learners import Pretraining, Star

    sizes = [2**k for k in range(10, 17)]
    with style():
        figure = Figure(figsize=(6.4, 3.8), layout="constrained")
        ax = figure.add_subplot()
        learners: tuple[tuple[str, Any], ...] = (
            ("next-token prediction, p = 0.2", Pretraining(5, 0.2, ridge=SEPARATION_RIDGE)),
            ("next-token prediction, p = 0.5", Pretraining(5, 0.5, ridge=SEPARATION_RIDGE)),
            ("STaR from p_0 = 0.2", Star(5, 0.2, ridge=SEPARATION_RIDGE)),
        )
        for index, (label, learner) in enumerate(learners):
            counts = [int(learner(n, range(32)).sum()) for n in sizes]
            ends = [clopper_pearson(k, 32, 0.05) for k in counts]
            simulated_points(
                ax, sizes, [k / 32 for k in counts], [e.low for e in ends], [e.high for e in ends], label, index
            )
        ax.set(xscale="log", xlabel="samples", ylabel="runs with greedy accuracy 0.9, d = 5")
        ax.legend(fontsize="small")
    return figure


SEPARATION = Claim(
    id="hardness.separation",
    statement=(
        "Below one third, next-token prediction alone does not bring greedy accuracy to 0.9 in half of the runs with "
        "ten times the samples with which STaR, from the same share and with real retraining, does."
    ),
    latex=(
        r"p_0 < \tfrac13:\quad \Pr\bigl[\mathrm{acc}_{\mathrm{SGD}}(10\,n) \ge 0.9\bigr] < \tfrac12 < "
        r"\Pr\bigl[\mathrm{acc}_{\mathrm{STaR}}(n) \ge 0.9\bigr]"
    ),
    origin="paper",
    source=f"{PAPER}, Theorems 1 and 2",
    kind="threshold",
    domain=Domain({"d": LENGTH, "p_0": P_0}),
    evidence=(
        Exact("identity", "accuracy of the calibrated model, and odds that double", _either_side, scope="cells"),
        Simulation(
            "next-token prediction alone, with ten times the samples",
            "sample_complexity.successes",
            cells=_separation_cells,
            parameters=lambda cell: {
                "learner": "pretraining",
                "settings": {"d": cell["d"], "p_cot": cell["p_0"], "ridge": SEPARATION_RIDGE},
                "n_samples": 10 * cell["n"],
            },
            extract=_successes,
            predict=_alone,
            planned_n=48,
            looks=3,
            unit="training run",
            cost=3.0,
        ),
        Simulation(
            "STaR",
            "sample_complexity.successes",
            cells=_separation_cells,
            parameters=lambda cell: {
                "learner": "star",
                "settings": {"d": cell["d"], "p_0": cell["p_0"], "ridge": SEPARATION_RIDGE},
                "n_samples": cell["n"],
            },
            extract=_successes,
            predict=_together,
            planned_n=64,
            looks=4,
            unit="run of all rounds",
            cost=1.5,
        ),
    ),
    mutants=(
        Mutant(
            "next-token prediction generalises from p = 0.05",
            "EOS has probability 2/3 after agreement at p = 0.2",
            theory={"parity_mixture.greedy_accuracy": lambda p: 1.0 if p >= 0.05 else 0.5},
        ),
        Mutant(
            "rounds leave the share of long answers as it is",
            "half of the short answers are thrown away in each round",
            theory={"post_training.long_fraction": lambda p, n: p},
        ),
    ),
    figure=_separation_figure,
    remarks=(
        "Not a matter of ten: the calibrated model stops after one token, so more samples make next-token prediction "
        "the surer to fail. Searches at d = 10 found no success in 32 runs with 2 000 000 demonstrations at p = 0.1, "
        "0.2 and 0.25."
    ),
)

CLAIMS = (CRITICAL, HEADS, BOUND, CHAIN, STAR, REINFORCE, SEPARATION)
