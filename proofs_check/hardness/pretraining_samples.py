"""Claims about the demonstrations that pre-training takes: growth with d and 1/epsilon, Theorem 1's count, chains."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from fractions import Fraction
from typing import TYPE_CHECKING, Any

from proofs_check.claims import Claim, Exact, Mutant, Simulation
from proofs_check.domains import Domain
from proofs_check.hardness._common import PAPER
from proofs_check.hardness._sample_complexity import (
    EPSILON,
    LENGTH,
    P_COT,
    Samples,
    bracket,
    exponent,
    growth_leg,
    successes,
)
from proofs_check.verdicts import Cell, Interval, Verdict, judge

if TYPE_CHECKING:
    from proofs_check.lab import Lab

__all__ = ["CLAIMS"]


def _linear() -> Any:
    import theory.linear_model as module

    return module


# ---------------------------------------------------------------- growth with length and accuracy


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
    slope = exponent(lambda d: _solved(lambda n: float(t.first_token_mean_square_error(int(d), 0.1, n)), 1e-6), x)
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

    ends = sorted(exponent(solve, x) for solve in (plain, with_ridge))
    return ends[0], ends[1]


def _stop_in_d(theory: Any, x: list[float]) -> tuple[float, float]:
    t = theory.linear_model
    slope = exponent(lambda d: float(t.stop_agree_logit_asymptotic_variance(int(d), 0.45, 0.04)), x)
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
        growth_leg(
            "position 1: exponent in d",
            {"quick": FIRST_D, "full": [*FIRST_D, *_grid(15, 0.04, 1950, 1.45)]},
            _first_settings,
            lambda cell: float(cell["d"]),
            _first_in_d,
            resolution=0.45,
            cost=1.0,
        ),
        growth_leg(
            "position 1: exponent in 1/epsilon",
            {"quick": FIRST_EPSILON, "full": [*FIRST_EPSILON, *_grid(10, 0.01, 25_500, 1.4)]},
            _first_settings,
            lambda cell: 1 / cell["epsilon"],
            _first_in_epsilon,
            resolution=0.35,
            cost=1.0,
        ),
        growth_leg(
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
        low, high = bracket(mine, 1 - DELTA, alpha / len(samples))
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
            extract=successes,
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
    slope = exponent(lambda d: float(theory.post_training.half_chain_sequences(int(d))), x)
    return slope, slope + RATE_GROWTH


def _chain_in_d(theory: Any, x: list[float]) -> tuple[float, float]:
    """K at a fixed token error e: the number for e_c(d), times e_c(d)/e."""

    def needed(d: float) -> float:
        error = float(theory.linear_model.critical_chain_error(int(d)))
        return float(theory.post_training.half_chain_sequences(int(d))) * error

    slope = exponent(needed, x)
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
        growth_leg(
            "exponent in d at a token error of a tenth",
            {"quick": CHAIN_D, "full": [*CHAIN_D, *_grid(15, 0.1, 158, 1.25)]},
            _chain_settings,
            lambda cell: float(cell["d"]),
            _chain_in_d,
            resolution=0.1,
            cost=0.6,
            planned_n=128,
        ),
        growth_leg(
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

CLAIMS = (HEADS, BOUND, CHAIN)
