"""What the command ``python -m sims`` can run: one entry a simulator, described as data.

An entry names a public function, its parameters (how to read one from text, default, unit, meaning), an estimate of
the time one replicate takes, and a small example. Nothing heavy is imported until an entry is run.
"""

from __future__ import annotations

import importlib
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
    return 2e-4 + float(values["n_trials"]) * draws * 1e-8


def _fit_seconds(values: Mapping[str, Any], fits: float) -> float:
    fit = values["fit"] or {}
    restarts = float(fit.get("n_restarts", 12)) * (1 + float(fit.get("swap_passes", 4)))
    tokens = float(values["length"]) * float(values["n_skills"])
    return 0.02 + fits * tokens * (restarts * 40 * 1e-6 + float(values.get("n_test", 1)) * 1e-6)


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
        lambda values: _trials_seconds(values, float(values["n_demonstrations"]) * float(values["n_options"]) + 1),
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
        lambda values: _trials_seconds(values, float(values["n_demonstrations"]) * float(values["block_size"]) + 1),
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
        lambda values: _trials_seconds(values, (float(values["n_demonstrations"]) + 1) * len(values["gaps"][0])),
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
        lambda values: 2e-4 + float(values["n_goals"]) * float(values["n_episodes"]) * 2e-8,
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
        lambda values: 2e-4 + 1e-7 * len(values["start"]) * min(float(values["max_episodes"]), 1e5),
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
        lambda values: _fit_seconds(
            values, 1.0 if isinstance(values["n_demonstrations"], (int, float)) else len(values["n_demonstrations"])
        ),
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
        lambda values: _fit_seconds(values, len(values["penalties"])),
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
        lambda values: (
            _fit_seconds(values, 1.0)
            + float(values["n_trained"]) * float(values["max_episodes"]) * 3e-6
            + float(values["n_clean"]) * 1e-5
        ),
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
