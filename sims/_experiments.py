"""What the command ``python -m sims`` can run: one entry a simulator, described as data.

An entry names a public function, its parameters (how to read one from text, default, unit, meaning), an estimate of
the time one replicate takes, and a small example. Nothing heavy is imported until an entry is run.
"""

from __future__ import annotations

import importlib
import importlib.util
import json
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

__all__ = ["EXPERIMENTS", "REQUIRED", "Experiment", "Parameter", "find"]


class _Required:
    """Stands for a default that does not exist; equal to itself in every process."""

    def __repr__(self) -> str:
        return "required"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Required)

    def __hash__(self) -> int:
        return 0


REQUIRED = _Required()

NEEDED = {"transformer": "torch"}  # what an extra brings

WANTED = {
    "int": "an integer",
    "float": "a finite number",
    "bool": "true or false",
    "word": "a word",
    "words": "words joined by +",
    "json": "a number, or a list or object in JSON",
}


def _plain(value: Any) -> Any:
    """Lists, dicts and Python scalars in the place of tuples and NumPy's values; ValueError for anything else."""
    if hasattr(value, "tolist"):
        value = value.tolist()
    if value is None or isinstance(value, (bool, str)):
        return value
    if isinstance(value, (int, float)):
        if not math.isfinite(value) or (isinstance(value, int) and abs(value) >= 2**63):
            raise ValueError
        return value
    if isinstance(value, Mapping) and all(isinstance(key, str) for key in value):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple, range)):
        return [_plain(item) for item in value]
    raise ValueError


def _number(text: str) -> int | float:
    try:
        return int(text)
    except ValueError:
        return float(text)


@dataclass(frozen=True)
class Parameter:
    """One parameter of an experiment.

    Attributes
    ----------
    name : str
        The function's argument, or a field of the record `of`.
    kind : str
        ``int``, ``float``, ``bool``, ``word``, ``words`` (joined by +), or ``json``: a number, or a list or object
        in JSON.
    unit, meaning : str
        For the listing, and for the coordinate of a sweep.
    default : object
        The function's own where it is left out; REQUIRED if there is none.
    of : str, optional
        The function's argument of which this is a field.
    """

    name: str
    kind: str
    unit: str
    meaning: str
    default: Any = REQUIRED
    of: str | None = None

    def read(self, text: str) -> Any:
        """Return the one value written as `text`; ValueError names the parameter and what it takes."""
        text = text.strip()
        try:
            if self.kind == "int":
                return self.check(int(text))
            if self.kind == "float":
                return self.check(float(text))
            if self.kind == "bool":
                return {"true": True, "false": False, "1": True, "0": False}[text.lower()]
            if self.kind in ("word", "words"):
                return self.check(text)
            if text in ("null", "none", "None"):
                return self.check(None)
            return self.check(json.loads(text) if text.startswith(("[", "{")) else _number(text))
        except (ValueError, KeyError, RecursionError):
            raise ValueError(f"{self.name} must be {WANTED[self.kind]}, got {text!r}") from None

    def check(self, value: Any) -> Any:
        """Return a value in its plain form (what JSON can hold, words as a list); ValueError where it is of no use."""
        message = f"{self.name} must be {WANTED[self.kind]}, got {value!r}"
        try:
            plain = _plain(value)
        except (ValueError, RecursionError):
            raise ValueError(message) from None
        if plain is None and self.default is None:
            return None
        number = isinstance(plain, (int, float)) and not isinstance(plain, bool)
        if self.kind == "int" and number and isinstance(plain, int):
            return plain
        if self.kind == "float" and number:
            return float(plain)
        if self.kind == "bool" and isinstance(plain, bool):
            return plain
        if self.kind == "word" and isinstance(plain, str) and plain:
            return plain
        if self.kind == "words":
            words = plain.split("+") if isinstance(plain, str) else plain
            if isinstance(words, list) and words and all(isinstance(word, str) and word for word in words):
                return words
        if self.kind == "json" and (number or isinstance(plain, (list, dict))):
            return plain
        raise ValueError(message)


@dataclass(frozen=True)
class Experiment:
    """A simulator with its parameters.

    Attributes
    ----------
    name : str
        As written on the command line.
    function : str
        ``module:function``; called with the parameters and ``seeds``, it returns a dataset with a dimension
        ``replicate`` that has one entry a seed.
    summary : str
        One line.
    parameters : tuple of Parameter
        In the order of the listing, and of a sweep's dimensions.
    seconds : callable
        Rough time of one replicate, from the values of all parameters.
    example : mapping
        Values of a run that takes a moment.
    sizes : tuple of str
        The parameters that make a run long; a warm-up takes those of the example.
    options : mapping
        Arguments that are always passed.
    records : mapping
        ``module:class`` of each argument whose fields are parameters.
    package : str or None
        Where the modules lie; None where they are named in full, for simulators of your own.
    extra : str or None
        The extra of this distribution that must be installed.
    """

    name: str
    function: str
    summary: str
    parameters: tuple[Parameter, ...]
    seconds: Callable[[Mapping[str, Any]], float]
    example: Mapping[str, Any]
    sizes: tuple[str, ...] = ()
    options: Mapping[str, Any] = field(default_factory=dict)
    records: Mapping[str, str] = field(default_factory=dict)
    package: str | None = "sims"
    extra: str | None = None

    def require(self) -> None:
        """ValueError, with the way out, where the extra is not installed."""
        if self.extra is not None and importlib.util.find_spec(NEEDED[self.extra]) is None:
            raise ValueError(
                f"{self.name} needs {NEEDED[self.extra]}: install the extra, pip install 'cotbounds[{self.extra}]'"
            )

    @property
    def module(self) -> str:
        """Name of the module, below its package."""
        return self.function.partition(":")[0]

    def load(self) -> Callable[..., Any]:
        """Import and return the function."""
        function: Callable[..., Any] = load(self.package, self.function)
        return function

    def cost(self, values: Mapping[str, Any]) -> float:
        """Estimated seconds of one replicate; values that no run accepts cost next to nothing."""
        try:
            seconds = float(self.seconds(values))
        except (TypeError, ValueError, ArithmeticError, LookupError):
            return 1e-3
        return seconds if 0 <= seconds < math.inf else 1e-3


def load(package: str | None, path: str) -> Any:
    """Import ``module:name``, below `package` or named in full."""
    module, _, name = path.partition(":")
    return getattr(importlib.import_module(module if package is None else f"{package}.{module}"), name)


D = Parameter("d", "int", "tokens", "length of the prompt")
P_COT = Parameter("p_cot", "float", "1", "share of long demonstrations")
N_SAMPLES = Parameter("n_samples", "int", "demonstrations", "drawn for each seed")


def _training_seconds(values: Mapping[str, Any]) -> float:
    d, n = float(values["d"]), float(values["n_samples"])
    recorded = len(values["record_at"] or (0,))
    prompts = 2**d if d <= 10 else float(values["n_prompts"])
    evaluation = recorded * prompts * 1e-8 * d * d
    return 2e-4 + n * (1e-7 + 5e-10 * d + float(values["p_cot"]) * (1e-8 * d + 2.2e-10 * d * d)) + evaluation


def _star_seconds(values: Mapping[str, Any]) -> float:
    steps, states, count = len(values["delta"]), float(values["n_states"]), float(values["n_trajectories"])
    exact = steps * states**3 * 1e-9 if states <= values["exact_states"] else 2e-8 * count * steps
    return 3e-4 + (1 + float(values["n_rounds"])) * (steps * (4e-8 * count + 2e-8 * states) + exact)


WORLD = (
    Parameter("n_tokens", "int", "tokens", "A, a prime", 13, of="world"),
    Parameter("n_skills", "int", "skills", "K", 4, of="world"),
    Parameter("switch_probability", "float", "1", "beta, chance of a new skill at each token", 0.2, of="world"),
    Parameter("noise", "float", "1", "eta, chance of a uniform other token", 0.05, of="world"),
    Parameter("length", "int", "tokens", "of a demonstration", 60, of="world"),
    Parameter("n_segments", "int", "skills", "L, skills per goal", 3, of="world"),
    Parameter("duration", "int", "tokens", "tau, tokens per skill of a goal", 4, of="world"),
)
SKILL_WORLD = {"world": "mid_training:SkillWorld"}
ORDERS = Parameter("orders", "json", "tokens", "orders of the n-grams", (1, 2, 3))
FIT = Parameter("fit", "json", "", "further arguments of fit_sticky_latents, an object", None)
N_DEMONSTRATIONS = Parameter("n_demonstrations", "int", "demonstrations", "n, drawn in each trial")
N_TRIALS = Parameter("n_trials", "int", "trials", "independent sets of demonstrations for each seed", 1000)
LAW = Parameter("weights", "json", "1", "law of one option of a goal, a list")
GAPS = Parameter("gaps", "json", "1", "value lost, one list of subsets for each task type")
TYPE_LAW = Parameter("probabilities", "json", "1", "law of the task type, a list")
TOLERANCE = Parameter("tolerance", "float", "1", "eps, loss that is put up with")


def _trials_seconds(values: Mapping[str, Any], draws: float) -> float:
    return 1e-4 + float(values["n_trials"]) * draws * 1.2e-8


def _until_failure(rate: float, tasks: float) -> float:
    """Mean number of tasks after which an option that fails independently is given up."""
    return float(-math.expm1(tasks * math.log1p(-rate)) / rate) if 0 < rate < 1 else 1.0 if rate else tasks


def _lock_seconds(values: Mapping[str, Any]) -> float:
    length, kept, budget = float(values["goal_length"]), int(values["kept"]), float(values["n_episodes"])
    covered, found = math.pow(math.fsum(values["weights"][:kept]), length), math.pow(kept, -length)
    episodes = covered * _until_failure(found, budget) + (1 - covered) * budget
    return 1e-4 + float(values["n_goals"]) * (5e-8 + episodes * 2.2e-8)


def _gradient_seconds(values: Mapping[str, Any]) -> float:
    found = 1.0
    for logits, right in zip(values["start"], values["goal"], strict=True):
        top = max(logits)
        found *= math.exp(logits[right] - top) / math.fsum(math.exp(x - top) for x in logits)
    return 1e-4 + 5e-8 * min(float(values["max_episodes"]), 300 + 5 / found)


def _fit_seconds(values: Mapping[str, Any], demonstrations: float) -> float:
    """One robust fit of sticky latents: restarts and row swaps on some lines, then iterations on all."""
    fit = values["fit"] if isinstance(values["fit"], Mapping) else {}
    latents, size = float(values["n_skills"]), float(values["n_tokens"])
    swaps = 1.7 * float(fit.get("swap_passes", 4)) * size * latents * (latents - 1)
    steps = float(fit.get("n_restarts", 12)) * (0.7 * float(fit.get("restart_iterations", 60)) + swaps)
    lines = min(demonstrations, float(fit.get("n_restart_lines", 40)))
    polish = min(50.0, float(fit.get("n_iterations", 200))) * demonstrations
    return float(values["length"]) * (1.3e-8 + 2e-9 * latents) * (steps * lines + polish)


def _scores_seconds(values: Mapping[str, Any]) -> float:
    return 2e-3 + 2e-7 * float(values["n_test"]) * float(values["length"])


def _comparison_seconds(values: Mapping[str, Any]) -> float:
    sizes = values["n_demonstrations"]
    sizes = [sizes] if isinstance(sizes, (int, float)) else sizes
    return sum(_fit_seconds(values, float(n)) + _scores_seconds(values) for n in sizes)


def _race_seconds(values: Mapping[str, Any]) -> float:
    training = 9 * float(values["n_trained"]) * float(values["max_episodes"]) * 3e-8
    goal = float(values["n_segments"]) * float(values["duration"])
    strings = (float(values["n_clean"]) + 20 * float(values["n_goals"])) * goal * 5e-8
    return 4e-3 + _fit_seconds(values, float(values["n_demonstrations"])) + training + strings


def _post_training_seconds(values: Mapping[str, Any]) -> float:
    d, p = float(values["d"]), float(values["p_0"])
    odds = p / (1 - p) if p < 1 else math.inf
    n_long, rounds = float(values["pretrain_samples"]) * p, int(values["n_rounds"])
    for number in range(min(rounds, 60)):  # the share of long answers at most doubles in odds
        grown = odds * 2.0**number
        n_long += float(values["n_samples"]) * (grown / (1 + grown) if grown < math.inf else 1.0)
    answers = float(values["pretrain_samples"]) + rounds * float(values["n_samples"])
    prompts = 2**d if d <= 10 else float(values["n_prompts"])
    evaluation = (1 + rounds) * prompts * 1e-8 * d * d
    return float(3e-4 + answers * (2.5e-7 + 1e-9 * d) + n_long * (3e-8 * d + 8e-10 * d * d) + evaluation)


P_0 = Parameter("p_0", "float", "1", "share of long answers at the start")
REWARD = Parameter("reward", "word", "", "r_cot or r_e2e", "r_cot")
TEMPERATURE = Parameter("temperature", "float", "1", "tau of the sampling", 1.0)
PENALTY = Parameter("length_penalty", "float", "nat", "beta, a token", 0.0)
FALSE_NEGATIVE = Parameter("false_negative", "float", "1", "mu, chance that the verifier rejects a right answer", 0.0)
FALSE_POSITIVE = Parameter("false_positive", "float", "1", "nu, chance that it accepts a wrong one", 0.0)
ANSWERS = Parameter("n_samples", "int", "answers", "N, drawn in every round")
ROUNDS = Parameter("n_rounds", "int", "rounds", "of sampling, filtering and retraining")

DECODER = (
    Parameter("leap", "int", "tokens", "k, long answers show every k-th prefix parity", 1),
    Parameter("noise", "float", "1", "chance that a token of a long demonstration is flipped", 0.0),
    Parameter("noise_kind", "word", "", "emitted or true: which prefix the tokens after a flip continue", "emitted"),
    Parameter("depth", "int", "blocks", "of the decoder", 2),
    Parameter("width", "int", "1", "of the residual stream", 64),
    Parameter("heads", "int", "heads", "of attention, a divisor of the width", 4),
    Parameter("optimiser", "json", "", "entries of transformer.OPTIMISER to replace, an object", None),
    Parameter("n_prompts", "int", "prompts", "evaluated for each seed; all 2**d where they are no more", 1024),
    Parameter("threads", "int", "threads", "of PyTorch in each process", 1),
    Parameter("device", "word", "", "auto, cpu or cuda", "auto"),
)
PRETRAIN_STEPS = Parameter("pretrain_steps", "int", "steps", "of pre-training")
JUDGED = (
    Parameter("reward", "word", "", "r_cot or r_e2e", "r_cot"),
    Parameter("temperature", "float", "1", "tau of the draws", 1.0),
    Parameter("length_penalty", "float", "1", "beta, of exp(-beta (length - 1))", 0.0),
    Parameter("false_negative", "float", "1", "mu, chance that the verifier rejects a right answer", 0.0),
    Parameter("false_positive", "float", "1", "nu, chance that it accepts a wrong one", 0.0),
)
GRADIENT = (
    Parameter("learning_rate", "float", "1", "of AdamW", 2e-4),
    Parameter("by_length", "bool", "", "divide each answer's loss by its tokens", False),
    Parameter("record_at", "json", "steps", "increasing numbers of steps at which to evaluate", None),
)
TINY = {"d": 3, "p_cot": 0.5, "width": 8, "heads": 2, "depth": 1, "n_prompts": 8}


def _decoder_seconds(values: Mapping[str, Any], answers: float, trained: float) -> float:
    """Two operations a weight and token, six in training, at 3e10 a second; two seconds at the start."""
    work = 12.0 * values["depth"] * values["width"] ** 2 * values["d"] * (1 + values["p_cot"]) / 3e10
    batch = float((values["optimiser"] or {}).get("batch", 128))
    steps = float(values["pretrain_steps"] if "pretrain_steps" in values else values["n_steps"])
    return float(2 + steps * (batch * 6 * work + 5e-3) + work * (2 * answers + 6 * trained))


def _policy_seconds(values: Mapping[str, Any]) -> float:
    batch = values["n_samples"] if "n_samples" in values else values["n_groups"] * values["group_size"]
    answers = float(values["n_steps"] * batch)
    return _decoder_seconds(values, answers + 20.0 * values["n_prompts"], answers)


EPSILON = Parameter("epsilon", "float", "1", "of the criterion of success", 0.1)
RIDGE_OF_ALL = Parameter("ridge", "json", "1", "lambda: a number, d + 1 numbers, or first, stop and chain", 0.01)
JUDGING_PROMPTS = Parameter("n_prompts", "int", "prompts", "at which a run is judged", 256)


def _search_parameters(start: int, n_max: int) -> tuple[Parameter, ...]:
    return (
        Parameter("level", "float", "1", "share of runs that must succeed", 0.9),
        Parameter("confidence", "float", "1", "of the interval that a search ends with", 0.95),
        Parameter("start", "int", "samples", "where the search begins", start),
        Parameter("n_max", "int", "samples", "where it gives up", n_max),
        Parameter("resolution", "float", "1", "relative width of the interval at the end", 0.2),
        Parameter("max_runs", "int", "runs", "at most", 20_000),
    )


def _search_seconds(values: Mapping[str, Any]) -> float:
    return 1e-2 + float(values["max_runs"]) * (2e-4 + 2e-8 * float(values["d"]) * float(values["start"]))


SIGNS = Parameter("d", "int", "signs", "length of the prompt")
N_LABELLED = Parameter("n_samples", "int", "prompts", "labelled, for each seed")
SUBSET_SIZE = Parameter("subset_size", "int", "signs", "in the hidden parity; none for any subset", None)


def _width(default: int) -> Parameter:
    return Parameter("width", "int", "units", "hidden units of the network", default)


def _learning_rate(default: float) -> Parameter:
    return Parameter("learning_rate", "float", "1", "constant step", default)


EXPERIMENTS: tuple[Experiment, ...] = (
    Experiment(
        "parity_mixture",
        "parity_mixture:next_token_counts",
        "counts of next-token events in demonstrations from D(p)",
        (D, P_COT, N_SAMPLES),
        lambda values: 1e-4 + float(values["n_samples"]) * 1e-7 * (1 + float(values["d"]) / 128),
        {"d": 4, "p_cot": 0.5, "n_samples": 200},
        ("n_samples",),
    ),
    Experiment(
        "parity_mixture.decode",
        "parity_mixture:decode",
        "answers, sampled and greedy, of a tabular learner of D(p)",
        (D, P_COT, N_SAMPLES, Parameter("n_prompts", "int", "prompts", "decoded for each seed", 1000)),
        lambda values: (
            1e-4
            + float(values["n_samples"]) * 1e-7 * (1 + float(values["p_cot"]) * float(values["d"]) / 20)
            + float(values["n_prompts"]) * 1e-7 * (1 + float(values["p_cot"]) * float(values["d"]) / 4)
        ),
        {"d": 4, "p_cot": 0.5, "n_samples": 200, "n_prompts": 10},
        ("n_samples", "n_prompts"),
    ),
    Experiment(
        "linear_model",
        "linear_model:pretrain",
        "averaged stochastic gradient descent of the autoregressive linear model on D(p)",
        (
            D,
            P_COT,
            N_SAMPLES,
            Parameter("ridge", "json", "1", "lambda: a number, d + 1 numbers, or first, stop and chain"),
            Parameter("n_steps", "json", "steps", "caps on the steps of each position, as ridge", None),
            Parameter("positions", "words", "", "which of first+stop+chain to train", ("first", "stop", "chain")),
            Parameter("n_prompts", "int", "prompts", "evaluated for each seed, where d > 10", 1000),
            Parameter("record_at", "json", "demonstrations", "increasing counts at which to evaluate", None),
            Parameter("weights", "bool", "", "keep the averaged weights", False),
        ),
        _training_seconds,
        {"d": 4, "p_cot": 0.5, "n_samples": 200, "ridge": 0.1},
        ("n_samples", "n_prompts", "record_at"),
        options={"progress": False},
    ),
    Experiment(
        "star",
        "star:simulate",
        "STaR on a chain of M-ary steps, from symmetric steps",
        (
            Parameter("delta", "json", "1", "distance above guessing of each of the N steps, a list"),
            Parameter("n_states", "int", "states", "M"),
            Parameter("n_trajectories", "int", "trajectories", "K, sampled each round"),
            Parameter("n_rounds", "int", "rounds", "of sampling, filtering and refitting"),
            Parameter("maps", "json", "", "right successors, N lists of M states", None),
            Parameter("false_negative", "float", "1", "mu, chance that the verifier rejects a right answer", 0.0),
            Parameter("false_positive", "float", "1", "nu, chance that it accepts a wrong one", 0.0),
            Parameter("temperature", "float", "1", "tau of the sampling", 1.0),
            Parameter("smoothing", "float", "counts", "added to every count of a visited row", 0.0),
            Parameter("mixing", "float", "1", "share of the old row that is kept", 0.0),
            Parameter("hint", "float", "1", "chance that a failure is retried with the answer given", 0.0),
            Parameter("hint_law", "word", "", "model or uniform", "model"),
            Parameter("exact_states", "int", "states", "largest M with an exact accuracy", 64),
            Parameter("engine", "word", "", "auto, sparse or dense", "auto"),
        ),
        _star_seconds,
        {"delta": [0.5, 0.5], "n_states": 2, "n_trajectories": 100, "n_rounds": 2},
        ("n_trajectories", "n_rounds"),
    ),
    Experiment(
        "post_training.star",
        "post_training:star",
        "STaR on the linear model, retrained by stochastic gradient descent in every round",
        (
            D,
            P_0,
            ANSWERS,
            ROUNDS,
            Parameter("ridge", "json", "1", "lambda: a number, d + 1 numbers, or first, stop and chain", 0.01),
            REWARD,
            Parameter("pretrain_samples", "int", "demonstrations", "for the first model; 0 for the minimiser", 0),
            Parameter("start_ridge", "json", "1", "lambda of the first model, as ridge", None),
            Parameter("start_token_error", "float", "1", "error of each chain token of the first model", None),
            Parameter("warm_start", "int", "steps", "t_0 that the weights of the round before count; 0: from zero", 0),
            TEMPERATURE,
            PENALTY,
            FALSE_NEGATIVE,
            FALSE_POSITIVE,
            Parameter("noise", "float", "1", "chance that a token of a long demonstration is flipped", 0.0),
            Parameter("noise_kind", "word", "", "emitted or true prefix after a flip", "emitted"),
            Parameter("n_pool", "int", "prompts", "reused in every round; 0 for fresh ones", 0),
            Parameter("n_prompts", "int", "prompts", "evaluated for each seed, where d > 10", 256),
        ),
        _post_training_seconds,
        {"d": 4, "p_0": 0.2, "n_samples": 400, "n_rounds": 2, "start_ridge": 0.001},
        ("n_samples", "n_rounds", "pretrain_samples", "n_prompts"),
    ),
    Experiment(
        "post_training.tabular_star",
        "post_training:tabular_star",
        "STaR of a learner that counts shares among the kept answers",
        (
            D,
            P_0,
            ANSWERS,
            ROUNDS,
            Parameter("token_error", "float", "1", "e of every chain position at the start", 0.0),
            Parameter("stop_disagree", "float", "1", "v- at the start", 1.0),
            Parameter("first_token", "float", "1", "u at the start, where not calibrated", None),
            Parameter("stop_agree", "float", "1", "v+ at the start, where not calibrated", None),
            REWARD,
            TEMPERATURE,
            PENALTY,
            FALSE_NEGATIVE,
            FALSE_POSITIVE,
            Parameter("restored_error", "float", "1", "floor under every chain error after a refit", 0.0),
        ),
        lambda values: (
            1e-4 + float(values["n_rounds"]) * float(values["n_samples"]) * (5e-8 + 1e-8 * float(values["d"]))
        ),
        {"d": 4, "p_0": 0.2, "n_samples": 400, "n_rounds": 2},
        ("n_samples", "n_rounds"),
    ),
    Experiment(
        "post_training.refit_shares",
        "post_training:refit_shares",
        "STaR with an exact chain: long and short answers counted, for the law of losing the long route",
        (
            P_0,
            ANSWERS,
            ROUNDS,
            Parameter("chain_right", "float", "1", "R, chance that a long answer of the first round is right", 1.0),
        ),
        lambda values: 2e-5 + float(values["n_rounds"]) * (3e-7 + 2e-8 * math.sqrt(float(values["n_samples"]))),
        {"p_0": 0.1, "n_samples": 50, "n_rounds": 5},
        ("n_rounds",),
    ),
    Experiment(
        "post_training.policy_gradient",
        "post_training:policy_gradient",
        "REINFORCE or GRPO on all weights of the linear model by sampled gradients",
        (
            D,
            P_0,
            Parameter("n_steps", "int", "steps", "of gradient ascent"),
            Parameter("batch", "int", "answers", "in a step"),
            Parameter("eta", "float", "1", "step size"),
            Parameter("method", "word", "", "reinforce, grpo, grpo_sample or grpo_mean", "reinforce"),
            Parameter("group_size", "int", "answers", "G, to one prompt", 2),
            Parameter("baseline", "float", "1", "b of REINFORCE", 0.0),
            Parameter("reward", "word", "", "r_cot or r_e2e", "r_e2e"),
            Parameter("by_length", "bool", "", "divide the loss of an answer by its tokens", False),
            Parameter("stop_disagree_logit", "float", "nat", "z- at the start", 30.0),
            Parameter("chain_logit", "float", "nat", "weight of y_(l-1) x_l at the start", 30.0),
        ),
        lambda values: (
            1e-4
            + float(values["n_steps"])
            * float(values["batch"])
            * (1.5e-7 + 3e-9 * float(values["d"]) + 0.5 * 4e-9 * float(values["d"]) ** 2)
        ),
        {"d": 4, "p_0": 0.2, "n_steps": 5, "batch": 20, "eta": 0.5},
        ("n_steps", "batch"),
    ),
    Experiment(
        "mid_training.unseen_types",
        "mid_training:draw_unseen_types",
        "light task types that no demonstration shows",
        (
            Parameter("n_types", "int", "types", "d, equally likely light types"),
            Parameter("type_probability", "float", "1", "q, of each of them, at most 1/d"),
            N_DEMONSTRATIONS,
            N_TRIALS,
        ),
        lambda values: _trials_seconds(values, float(values["n_demonstrations"]) + 1),
        {"n_types": 3, "type_probability": 0.2, "n_demonstrations": 4, "n_trials": 5},
        ("n_demonstrations", "n_trials"),
    ),
    Experiment(
        "mid_training.independent_failures",
        "mid_training:draw_independent_failures",
        "wrong options without a failure where options fail independently",
        (
            Parameter("n_options", "int", "options", "m, one of which never fails"),
            Parameter("failure_rate", "float", "1", "sigma, of the others at each task"),
            N_DEMONSTRATIONS,
            N_TRIALS,
        ),
        lambda values: _trials_seconds(
            values,
            float(values["n_options"])
            * _until_failure(float(values["failure_rate"]), float(values["n_demonstrations"])),
        ),
        {"n_options": 3, "failure_rate": 0.5, "n_demonstrations": 2, "n_trials": 5},
        ("n_demonstrations", "n_trials"),
    ),
    Experiment(
        "mid_training.typed_failures",
        "mid_training:draw_typed_failures",
        "wrong options without a failure where a task concerns one block of options",
        (
            Parameter("n_blocks", "int", "blocks", "k, one good option each"),
            Parameter("block_size", "int", "options", "b, of a block"),
            Parameter("type_failure_rate", "float", "1", "rho, of a wrong option at a task of its block"),
            N_DEMONSTRATIONS,
            N_TRIALS,
        ),
        lambda values: _trials_seconds(
            values,
            float(values["n_demonstrations"])
            + float(values["n_blocks"])
            * float(values["block_size"])
            * _until_failure(
                float(values["type_failure_rate"]), float(values["n_demonstrations"]) / float(values["n_blocks"])
            ),
        ),
        {"n_blocks": 2, "block_size": 3, "type_failure_rate": 0.5, "n_demonstrations": 2, "n_trials": 5},
        ("n_demonstrations", "n_trials"),
    ),
    Experiment(
        "mid_training.footprints",
        "mid_training:draw_footprints",
        "weight kept and lost when the options seen in demonstrations are kept",
        (
            LAW,
            N_DEMONSTRATIONS,
            Parameter("goal_length", "int", "options", "L, all of them needed", 1),
            Parameter("keep_count", "int", "demonstrations", "sightings from which an option is kept", 1),
            N_TRIALS,
        ),
        lambda values: _trials_seconds(values, float(values["n_demonstrations"]) * 2 * values["goal_length"] + 1),
        {"weights": [0.5, 0.3, 0.2], "n_demonstrations": 3, "n_trials": 5},
        ("n_demonstrations", "n_trials"),
    ),
    Experiment(
        "mid_training.elimination",
        "mid_training:prune_by_elimination",
        "subsets of options deleted as soon as one demonstration loses more than eps",
        (
            GAPS,
            TYPE_LAW,
            TOLERANCE,
            Parameter("failure_rate", "float", "1", "sigma from which a subset counts as bad"),
            N_DEMONSTRATIONS,
            N_TRIALS,
        ),
        lambda values: _trials_seconds(values, float(values["n_demonstrations"]) * 2 + len(values["gaps"][0])),
        {
            "gaps": [[0.0, 1.0], [0.0, 0.0]],
            "probabilities": [0.5, 0.5],
            "tolerance": 0.1,
            "failure_rate": 0.5,
            "n_demonstrations": 3,
            "n_trials": 4,
        },
        ("n_demonstrations", "n_trials"),
    ),
    Experiment(
        "mid_training.counting",
        "mid_training:prune_by_count",
        "subsets of options kept up to a number of failures",
        (
            GAPS,
            TYPE_LAW,
            TOLERANCE,
            N_DEMONSTRATIONS,
            Parameter("allowed_failures", "int", "demonstrations", "t, failures that are forgiven"),
            N_TRIALS,
        ),
        lambda values: _trials_seconds(values, float(values["n_demonstrations"]) * 2 + len(values["gaps"][0])),
        {
            "gaps": [[0.0, 1.0]],
            "probabilities": [1.0],
            "tolerance": 0.1,
            "n_demonstrations": 3,
            "allowed_failures": 2,
            "n_trials": 4,
        },
        ("n_demonstrations", "n_trials"),
    ),
    Experiment(
        "mid_training.explore_lock",
        "mid_training:explore_lock",
        "first success at goals of macros, tried uniformly",
        (
            LAW,
            Parameter("goal_length", "int", "macros", "L"),
            Parameter("kept", "int", "macros", "how many of the first macros are tried"),
            Parameter("n_episodes", "int", "episodes", "budget for a goal"),
            Parameter("n_goals", "int", "goals", "for each seed", 1000),
        ),
        _lock_seconds,
        {"weights": [0.6, 0.4], "goal_length": 2, "kept": 2, "n_episodes": 5, "n_goals": 3},
        ("n_episodes", "n_goals"),
    ),
    Experiment(
        "mid_training.policy_gradient",
        "mid_training:goal_policy_gradient",
        "episodes of group-relative policy gradient until a goal is mastered",
        (
            Parameter("start", "json", "nat", "logits of every choice at every decision, H lists of b"),
            Parameter("goal", "json", "", "right choice at each decision, a list"),
            Parameter("group", "int", "episodes", "in an update", 16),
            Parameter("step", "float", "1", "step size", 0.5),
            Parameter("target", "float", "1", "success probability that ends the training", 0.95),
            Parameter("max_episodes", "int", "episodes", "budget", 1_000_000),
            Parameter("normalise", "bool", "", "divide by the standard deviation of the group", True),
        ),
        _gradient_seconds,
        {"start": [[0.0, 0.0]], "goal": [1], "max_episodes": 1000},
        ("max_episodes",),
    ),
    Experiment(
        "mid_training.next_token",
        "mid_training:compare_with_next_token",
        "sticky latents against n-grams on held-out text and goals of a skill world",
        (
            Parameter("n_demonstrations", "json", "demonstrations", "n, or a list of sizes"),
            *WORLD,
            ORDERS,
            Parameter("n_test", "int", "lines", "of held-out text", 200),
            Parameter("n_goals", "int", "goals", "for each seed", 500),
            FIT,
        ),
        _comparison_seconds,
        {"n_demonstrations": [5], "n_test": 20, "n_goals": 5, "fit": {"n_restarts": 1, "swap_passes": 0}},
        ("n_demonstrations", "n_test", "n_goals", "fit"),
        records=SKILL_WORLD,
    ),
    Experiment(
        "mid_training.switch_penalty",
        "mid_training:sweep_switch_penalty",
        "sticky latents at fixed prices of a switch",
        (
            Parameter("penalties", "json", "nat", "a list of prices c"),
            Parameter("n_demonstrations", "int", "demonstrations", "lines of text"),
            *WORLD,
            Parameter("n_test", "int", "lines", "of held-out text", 200),
            FIT,
        ),
        lambda values: (
            (_fit_seconds(values, float(values["n_demonstrations"])) + _scores_seconds(values))
            * len(values["penalties"])
        ),
        {"penalties": [1.0], "n_demonstrations": 5, "n_test": 20, "fit": {"n_restarts": 1, "swap_passes": 0}},
        ("n_demonstrations", "n_test", "fit"),
        records=SKILL_WORLD,
    ),
    Experiment(
        "mid_training.race_to_goal",
        "mid_training:race_to_goal",
        "what goals cost from tokens, n-grams, the latent prior and macros",
        (
            Parameter("n_demonstrations", "int", "demonstrations", "lines of text"),
            *WORLD,
            ORDERS,
            Parameter("smoothing", "float", "counts", "k of the n-grams", 0.3),
            Parameter("n_goals", "int", "goals", "for each seed", 200),
            Parameter("n_clean", "int", "lines", "clean goal strings for the full-context control", 20_000),
            Parameter("longest", "int", "tokens", "durations that are tried where it is not known", 6),
            Parameter("n_trained", "int", "goals", "trained by policy gradient", 5),
            Parameter("max_episodes", "int", "episodes", "budget of one training", 200_000),
            FIT,
        ),
        _race_seconds,
        {
            "n_demonstrations": 20,
            "n_goals": 5,
            "n_clean": 100,
            "n_trained": 0,
            "fit": {"n_restarts": 2, "swap_passes": 0},
        },
        ("n_demonstrations", "n_goals", "n_clean", "n_trained", "max_episodes", "fit"),
        records=SKILL_WORLD,
    ),
    Experiment(
        "transformer.pretrain",
        "transformer:pretrain",
        "a small decoder trained on D(p) by next-token prediction (extra transformer)",
        (
            D,
            P_COT,
            Parameter("n_steps", "int", "steps", "of training, each on a fresh batch"),
            *DECODER,
            Parameter("record_at", "json", "steps", "increasing numbers of steps at which to evaluate", None),
        ),
        lambda values: _decoder_seconds(values, 2.0 * values["n_prompts"], 0.0),
        {**TINY, "n_steps": 2},
        ("n_steps",),
        options={"progress": False},
        extra="transformer",
    ),
    Experiment(
        "transformer.star",
        "transformer:star",
        "STaR on a pre-trained decoder (extra transformer)",
        (
            D,
            P_COT,
            PRETRAIN_STEPS,
            Parameter("n_rounds", "int", "rounds", "of drawing, filtering and training"),
            Parameter("n_samples", "int", "answers", "drawn each round", 1024),
            *JUDGED,
            Parameter("learning_rate", "float", "1", "of AdamW at the start of a round", 5e-4),
            Parameter("epochs", "float", "1", "passes over the kept answers", 3.0),
            Parameter("batch", "int", "answers", "a step", 128),
            *DECODER,
        ),
        lambda values: _decoder_seconds(
            values,
            float(values["n_rounds"]) * (values["n_samples"] + 2.0 * values["n_prompts"]),
            float(values["n_rounds"]) * values["n_samples"] * values["epochs"],
        ),
        {**TINY, "pretrain_steps": 2, "n_rounds": 1, "n_samples": 8},
        ("pretrain_steps", "n_rounds", "n_samples"),
        options={"progress": False},
        extra="transformer",
    ),
    Experiment(
        "transformer.reinforce",
        "transformer:reinforce",
        "REINFORCE with a batch baseline on a pre-trained decoder (extra transformer)",
        (
            D,
            P_COT,
            PRETRAIN_STEPS,
            Parameter("n_steps", "int", "steps", "of the policy gradient"),
            Parameter("n_samples", "int", "answers", "a step", 256),
            *JUDGED,
            *GRADIENT,
            *DECODER,
        ),
        _policy_seconds,
        {**TINY, "pretrain_steps": 2, "n_steps": 1, "n_samples": 8},
        ("pretrain_steps", "n_steps", "n_samples"),
        options={"progress": False},
        extra="transformer",
    ),
    Experiment(
        "transformer.grpo",
        "transformer:grpo",
        "GRPO on a pre-trained decoder (extra transformer)",
        (
            D,
            P_COT,
            PRETRAIN_STEPS,
            Parameter("n_steps", "int", "steps", "of the policy gradient"),
            Parameter("n_groups", "int", "prompts", "a step", 32),
            Parameter("group_size", "int", "answers", "G, to each prompt", 8),
            Parameter("normalise", "bool", "", "divide by the standard deviation of the group", True),
            *JUDGED,
            *GRADIENT,
            *DECODER,
        ),
        _policy_seconds,
        {**TINY, "pretrain_steps": 2, "n_steps": 1, "n_groups": 4, "group_size": 2},
        ("pretrain_steps", "n_steps", "n_groups"),
        options={"progress": False},
        extra="transformer",
    ),
    Experiment(
        "transformer.zip_star",
        "transformer:zip_star",
        "STaR on rewriting two binary numbers into digit pairs (extra transformer)",
        (
            Parameter("delta", "json", "1", "distance above guessing of the demonstrations of each step"),
            PRETRAIN_STEPS,
            Parameter("n_rounds", "int", "rounds", "of drawing, filtering and training"),
            Parameter("n_digits", "int", "digits", "N, of each number, and steps", 3),
            Parameter("n_per_state", "int", "trajectories", "drawn from each start in a round", 1024),
            Parameter("temperature", "float", "1", "tau of the draws, bit by bit", 1.0),
            Parameter("false_negative", "float", "1", "mu, chance that the verifier rejects a right answer", 0.0),
            Parameter("false_positive", "float", "1", "nu, chance that it accepts a wrong one", 0.0),
            Parameter("learning_rate", "float", "1", "of AdamW at the start of a round", 5e-4),
            Parameter("epochs", "float", "1", "passes over the kept transitions", 1.0),
            Parameter("batch", "int", "transitions", "a step", 512),
            Parameter("max_steps", "int", "steps", "at most, of a round", 200),
            Parameter("tables", "bool", "", "keep the exact tables", False),
            *(p for p in DECODER if p.name in ("depth", "width", "heads", "optimiser", "threads", "device")),
        ),
        lambda values: _decoder_seconds(
            {**values, "d": 4 * values["n_digits"], "p_cot": 0.0},
            4.0 ** (2 * values["n_digits"]) * values["n_digits"] * (1 + values["n_rounds"]),
            float(values["n_rounds"]) * values["max_steps"] * values["batch"],
        ),
        {
            "delta": 0.5,
            "pretrain_steps": 2,
            "n_rounds": 1,
            "n_digits": 2,
            "n_per_state": 4,
            "width": 8,
            "heads": 2,
            "depth": 1,
        },
        ("pretrain_steps", "n_rounds", "n_per_state"),
        options={"progress": False},
        extra="transformer",
    ),
    Experiment(
        "sample_complexity.pretraining",
        "sample_complexity.learners:search_pretraining",
        "least demonstrations with which pre-training of the linear model succeeds, by sequential search",
        (
            D,
            P_COT,
            Parameter("criterion", "word", "", "greedy, first, stop, chain, chain_right or sampled", "greedy"),
            EPSILON,
            RIDGE_OF_ALL,
            JUDGING_PROMPTS,
            *_search_parameters(64, 10**7),
        ),
        _search_seconds,
        {"d": 4, "p_cot": 0.6, "ridge": 0.05, "level": 0.5, "resolution": 1.0, "max_runs": 500},
        ("max_runs",),
    ),
    Experiment(
        "sample_complexity.star",
        "sample_complexity.learners:search_star",
        "least answers with which STaR on the linear model succeeds, by sequential search",
        (
            D,
            P_0,
            Parameter("n_rounds", "int", "rounds", "none for as many as the odds need, and one", None),
            EPSILON,
            RIDGE_OF_ALL,
            Parameter("reward", "word", "", "r_cot or r_e2e", "r_cot"),
            JUDGING_PROMPTS,
            *_search_parameters(1024, 10**8),
        ),
        _search_seconds,
        {"d": 4, "p_0": 0.2, "ridge": 0.02, "level": 0.5, "resolution": 1.0, "max_runs": 200},
        ("max_runs",),
    ),
    Experiment(
        "sample_complexity.policy_gradient",
        "sample_complexity.learners:search_policy_gradient",
        "least answers with which a policy gradient on the linear model succeeds, by sequential search",
        (
            D,
            P_0,
            Parameter("method", "word", "", "reinforce, grpo, grpo_sample or grpo_mean", "reinforce"),
            Parameter("group_size", "int", "answers", "G of GRPO", 2),
            Parameter("batch", "int", "answers", "in a step", 16),
            Parameter("baseline", "float", "1", "b of REINFORCE", 0.5),
            Parameter("travel", "float", "1", "step size times p_0 times steps", 1.5),
            Parameter("reward", "word", "", "r_cot or r_e2e", "r_e2e"),
            EPSILON,
            JUDGING_PROMPTS,
            *_search_parameters(1024, 10**8),
        ),
        _search_seconds,
        {"d": 4, "p_0": 0.2, "level": 0.5, "resolution": 1.0, "max_runs": 200},
        ("max_runs",),
    ),
    Experiment(
        "hardness.gradient_signal",
        "hardness:gradient_signal",
        "how much of a gradient on short answers tells one parity from another, for all parities at once",
        (
            SIGNS,
            Parameter("predictor", "word", "", "linear, monomials, random_features or two_layer"),
            _width(16),
            Parameter("activation", "word", "", "relu or tanh", "relu"),
            Parameter("initialisation", "word", "", "gaussian or signs", "gaussian"),
            Parameter("degree", "int", "signs", "of the monomials", 1),
            Parameter("p_cot", "float", "1", "share of long demonstrations", 0.0),
            Parameter("n_samples", "int", "prompts", "of one batch; none for all prompts", None),
            Parameter("factors", "json", "1", "multiples of the mean at which to count", (1.0, 4.0, 16.0, 256.0)),
            Parameter("parities", "bool", "", "keep the signal of every parity", False),
            Parameter("threads", "int", "threads", "for the transforms", 1),
        ),
        lambda values: 1e-3 + 2 * float(values["width"]) * 2 ** float(values["d"]) * 4e-9,
        {"d": 6, "predictor": "two_layer", "width": 4},
        ("d", "width"),
    ),
    Experiment(
        "hardness.route_signal",
        "hardness:route_signal",
        "gradients of the long route's steps at zero weights",
        (D, P_COT, N_SAMPLES),
        lambda values: 1e-3 + float(values["n_samples"]) * (1e-7 + 2e-9 * float(values["d"]) ** 2),
        {"d": 4, "p_cot": 0.5, "n_samples": 200},
        ("n_samples",),
    ),
    Experiment(
        "hardness.short_route",
        "hardness:short_route",
        "a two-layer network on short answers, by stochastic gradient descent",
        (
            SIGNS,
            N_SAMPLES,
            Parameter("subset_size", "json", "signs", "in the answer; -1 for all, none for a random subset", -1),
            _width(128),
            Parameter("activation", "word", "", "relu or tanh", "relu"),
            Parameter("initialisation", "word", "", "gaussian or signs", "gaussian"),
            _learning_rate(0.5),
            Parameter("batch", "int", "demonstrations", "a step", 16),
            Parameter("record_at", "json", "demonstrations", "increasing counts at which to evaluate", None),
            Parameter("n_prompts", "int", "prompts", "evaluated for each seed, where d > 12", 2000),
            Parameter("target", "float", "1", "accuracy at which the run ends", 0.99),
            Parameter("signals", "bool", "", "measure the gradient's signals at each record", False),
        ),
        lambda values: (
            1e-3
            + float(values["n_samples"]) * float(values["d"]) * float(values["width"]) * 1e-9
            + len(values["record_at"] or (0,)) * float(values["width"]) * 4096 * 1e-8
        ),
        {"d": 4, "n_samples": 400, "width": 8},
        ("n_samples", "width"),
    ),
    Experiment(
        "hardness.learning_curve",
        "hardness:learning_curve",
        "accuracy on the parity from short, mixed and long demonstrations",
        (
            Parameter("route", "word", "", "short, short_linear, mixed or long"),
            D,
            N_SAMPLES,
            Parameter("p_cot", "float", "1", "share of long demonstrations of the mixture", 0.5),
            Parameter("record_at", "json", "demonstrations", "increasing counts at which to evaluate", None),
            Parameter("ridge", "json", "1", "lambda of the linear model", 0.01),
            _width(128),
            _learning_rate(0.5),
            Parameter("n_prompts", "int", "prompts", "evaluated for each seed, where not all are", 1000),
        ),
        lambda values: 1e-3 + float(values["n_samples"]) * float(values["d"]) * 1e-7,
        {"route": "mixed", "d": 4, "n_samples": 200},
        ("n_samples",),
    ),
    Experiment(
        "hardness.gaussian_elimination",
        "hardness:gaussian_elimination",
        "a hidden parity from labelled prompts, by elimination over GF(2)",
        (SIGNS, N_LABELLED, SUBSET_SIZE, Parameter("affine", "bool", "", "labels may all be flipped", False)),
        lambda values: 1e-4 + (float(values["n_samples"]) + float(values["d"]) ** 2 / 64) * float(values["d"]) * 5e-9,
        {"d": 6, "n_samples": 8},
        ("n_samples",),
    ),
    Experiment(
        "hardness.one_bit_search",
        "hardness:one_bit_search",
        "a hidden parity from one bit of each labelled prompt",
        (SIGNS, N_LABELLED, SUBSET_SIZE),
        lambda values: 1e-4 + float(values["n_samples"]) * 2e-8,
        {"d": 4, "n_samples": 20},
        ("n_samples",),
    ),
    Experiment(
        "hardness.noisy_gradient",
        "hardness:noisy_gradient",
        "a hidden parity by gradient descent on all monomials, with noise on every gradient",
        (
            SIGNS,
            Parameter("n_steps", "int", "steps", "of descent"),
            Parameter("noise", "float", "1", "standard deviation on each component"),
            SUBSET_SIZE,
            _learning_rate(0.1),
        ),
        lambda values: 1e-4 + float(values["n_steps"]) * 2 ** float(values["d"]) * 4e-8,
        {"d": 3, "n_steps": 10, "noise": 0.5},
        ("n_steps",),
    ),
)


def find(name: str) -> Experiment:
    """Return the experiment called `name`.

    Examples
    --------
    >>> find("linear_model").module
    'linear_model'
    """
    for experiment in EXPERIMENTS:
        if experiment.name == name:
            return experiment
    raise ValueError(f"NAME must be one of {', '.join(e.name for e in EXPERIMENTS)}, got {name!r}")
