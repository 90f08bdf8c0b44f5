"""What the command ``python -m sims`` can run: one entry a simulator, described as data.

An entry names a public function, its parameters (how to read one from text, default, unit, meaning) and an estimate of
the time one replicate takes. Nothing heavy is imported until an entry is run.
"""

from __future__ import annotations

import importlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

__all__ = ["EXPERIMENTS", "Experiment", "Parameter", "find", "read"]

REQUIRED = object()


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
        The function's argument.
    kind : str
        ``int``, ``float``, ``bool``, ``words`` (joined by +), or ``json``: a number, or a list or object in JSON.
    unit, meaning : str
        For the listing.
    default : object
        The function's own where it is left out; REQUIRED if there is none.
    """

    name: str
    kind: str
    unit: str
    meaning: str
    default: Any = REQUIRED

    def read(self, text: str) -> Any:
        """Return the value written as `text`; ValueError names the parameter and what it takes."""
        if self.kind != "json" and "," in text:
            raise ValueError(f"{self.name} takes one value a run (sweeps over lists are not available), got {text!r}")
        try:
            if self.kind == "int":
                return int(text)
            if self.kind == "float":
                return float(text)
            if self.kind == "bool":
                return {"true": True, "false": False, "1": True, "0": False}[text.lower()]
            if self.kind == "words":
                return tuple(text.split("+"))
            return json.loads(text) if text.lstrip().startswith(("[", "{")) else _number(text)
        except (ValueError, KeyError):
            wanted = {
                "int": "an integer",
                "float": "a number",
                "bool": "true or false",
                "words": "words joined by +",
                "json": "a number, or a list or object in JSON (no bare comma list: sweeps are not available)",
            }[self.kind]
            raise ValueError(f"{self.name} must be {wanted}, got {text!r}") from None


@dataclass(frozen=True)
class Experiment:
    """A simulator with its parameters.

    Attributes
    ----------
    name : str
        As written on the command line.
    function : str
        ``module:function`` below this package; called with the parameters and ``seeds``.
    summary : str
        One line.
    parameters : tuple of Parameter
        In the order of the listing.
    seconds : callable
        Rough time of one replicate, from the values given.
    parallel : bool
        Whether the function takes ``jobs``.
    """

    name: str
    function: str
    summary: str
    parameters: tuple[Parameter, ...]
    seconds: Callable[[Mapping[str, Any]], float]
    parallel: bool = False

    @property
    def module(self) -> str:
        """Name of the module below ``sims``."""
        return self.function.partition(":")[0]

    def load(self) -> Callable[..., Any]:
        """Import and return the function."""
        module, _, name = self.function.partition(":")
        function: Callable[..., Any] = getattr(importlib.import_module(f"sims.{module}"), name)
        return function


D = Parameter("d", "int", "tokens", "length of the prompt")
P_COT = Parameter("p_cot", "float", "1", "share of long demonstrations")
N_SAMPLES = Parameter("n_samples", "int", "demonstrations", "drawn for each seed")


def _training_seconds(values: Mapping[str, Any]) -> float:
    d, n = float(values["d"]), float(values["n_samples"])
    return n * (1e-7 + 5e-10 * d + float(values["p_cot"]) * (1e-8 * d + 2.2e-10 * d * d))


EXPERIMENTS: tuple[Experiment, ...] = (
    Experiment(
        "parity_mixture",
        "parity_mixture:next_token_counts",
        "counts of next-token events in demonstrations from D(p)",
        (D, P_COT, N_SAMPLES),
        lambda values: float(values["n_samples"]) * 1e-7 * (1 + float(values["d"]) / 128),
    ),
    Experiment(
        "parity_mixture.decode",
        "parity_mixture:decode",
        "answers, sampled and greedy, of a tabular learner of D(p)",
        (D, P_COT, N_SAMPLES, Parameter("n_prompts", "int", "prompts", "decoded for each seed", 1000)),
        lambda values: float(values["n_samples"]) * 1e-7 * (1 + float(values["p_cot"]) * float(values["d"]) / 20),
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
        parallel=True,
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


def read(experiment: Experiment, settings: list[str]) -> dict[str, Any]:
    """Return the arguments written as ``key=value``; every required one must be there, none twice.

    Examples
    --------
    >>> read(find("parity_mixture"), ["d=5", "p_cot=0.2", "n_samples=10"])
    {'d': 5, 'p_cot': 0.2, 'n_samples': 10}
    """
    known = {parameter.name: parameter for parameter in experiment.parameters}
    values: dict[str, Any] = {}
    for setting in settings:
        key, equals, text = setting.partition("=")
        if not equals:
            raise ValueError(f"--set must be key=value, got {setting!r}")
        if key not in known:
            raise ValueError(f"--set of {experiment.name} must name one of {', '.join(known)}, got {key!r}")
        if key in values:
            raise ValueError(f"--set must give each parameter once, got {key!r} twice")
        values[key] = known[key].read(text)
    lacking = [name for name, parameter in known.items() if parameter.default is REQUIRED and name not in values]
    if lacking:
        raise ValueError(f"{experiment.name} needs --set {' --set '.join(name + '=...' for name in lacking)}")
    return values
