"""The mixture D(p) and its calibrated readers by listing every prompt.

Independent of both rooms: laws are lists of (probability, prompt, answer) with exact
probabilities, and everything else is summed from them. Symbolic p works as well as rational p.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from fractions import Fraction
from itertools import product
from typing import Any, NamedTuple

__all__ = [
    "EOS",
    "Example",
    "Outcome",
    "decoded",
    "examples",
    "feature_names",
    "feature_values",
    "mixture",
    "next_token",
    "prefix_parities",
    "probability",
    "total",
]

EOS = 0  # the tokens are -1, +1 and EOS


class Outcome(NamedTuple):
    """One demonstration with its probability."""

    probability: Any
    prompt: tuple[int, ...]
    answer: tuple[int, ...]


def prefix_parities(prompt: tuple[int, ...]) -> tuple[int, ...]:
    """Running products of the prompt."""
    found, running = [], 1
    for sign in prompt:
        running *= sign
        found.append(running)
    return tuple(found)


def mixture(d: int, p: Any) -> Iterator[Outcome]:
    """Every demonstration of D(p) for prompts of length d.

    Examples
    --------
    >>> sum(o.probability for o in mixture(3, Fraction(1, 5)))
    Fraction(1, 1)
    """
    weight = Fraction(1, 2**d)
    for prompt in product((-1, 1), repeat=d):
        chain = prefix_parities(prompt)
        yield Outcome(p * weight, prompt, (*chain, EOS))
        yield Outcome((1 - p) * weight, prompt, (chain[-1], EOS))


def total(law: list[Outcome], value: Callable[[Outcome], Any]) -> Any:
    """Expectation of a value under a law."""
    return sum((o.probability * value(o) for o in law), start=Fraction(0))


def probability(law: list[Outcome], event: Callable[[Outcome], bool]) -> Any:
    """Probability of an event under a law."""
    return sum((o.probability for o in law if event(o)), start=Fraction(0))


def next_token(law: list[Outcome], given: Callable[[Outcome], bool], event: Callable[[Outcome], bool]) -> Any:
    """Conditional probability of an event; the condition must have positive probability."""
    return probability(law, lambda o: given(o) and event(o)) / probability(law, given)


def decoded(d: int, first_agrees: Any, stop_given_agreement: Any, greedy: bool) -> list[Outcome]:
    """The responses of a model that is calibrated on agreement and writes exact chains.

    Parameters
    ----------
    d : int
        Length of the prompt.
    first_agrees : number
        Probability that the model's first token is x_1.
    stop_given_agreement : number
        Probability that it stops after a first token that agrees; after one that disagrees it stops.
    greedy : bool
        Take the likelier token instead of sampling; a tie goes on, and a tie of the first token agrees.
    """
    weight = Fraction(1, 2**d)
    if greedy:
        first_agrees = Fraction(1) if first_agrees >= Fraction(1, 2) else Fraction(0)
        stop_given_agreement = Fraction(1) if stop_given_agreement > Fraction(1, 2) else Fraction(0)
    found = []
    for prompt in product((-1, 1), repeat=d):
        chain = prefix_parities(prompt)
        found += [
            Outcome(weight * first_agrees * (1 - stop_given_agreement), prompt, (*chain, EOS)),
            Outcome(weight * first_agrees * stop_given_agreement, prompt, (prompt[0], EOS)),
            Outcome(weight * (1 - first_agrees), prompt, (-prompt[0], EOS)),
        ]
    return found


class Example(NamedTuple):
    """One training example of a position of the autoregressive linear model."""

    probability: Any
    features: tuple[int, ...]
    target: int


def feature_names(position: str | int, d: int) -> tuple[str, ...]:
    """Names of a position's features, in the order of :func:`examples`.

    Examples
    --------
    >>> feature_names(2, 2)
    ('x1', 'x2', 'y1', 'y1 x1', 'y1 x2')
    """
    prompt = tuple(f"x{j}" for j in range(1, d + 1))
    if position == "first":
        return prompt
    last = 1 if position == "stop" else int(position) - 1
    prefix = tuple(f"y{k}" for k in range(1, last + 1))
    products = tuple(f"y{last} {name}" for name in prompt)
    return (*prompt, *prefix, *products, *(("bias",) if position == "stop" else ()))


def feature_values(position: str | int, prompt: tuple[int, ...], prefix: tuple[int, ...]) -> tuple[int, ...]:
    """The features of a position on a prompt and the answer tokens before it."""
    if position == "first":
        return prompt
    products = tuple(prefix[-1] * sign for sign in prompt)
    return (*prompt, *prefix, *products, *((1,) if position == "stop" else ()))


def examples(position: str | int, d: int, p: Any) -> Iterator[Example]:
    """What a position is trained on: every sequence at the first two, long ones (conditionally) at l >= 2.

    The target is the token; at the stop position +1 is EOS and -1 is going on.
    """
    for outcome in mixture(d, p):
        is_long = len(outcome.answer) > 2
        if position == "first":
            yield Example(outcome.probability, feature_values("first", outcome.prompt, ()), outcome.answer[0])
        elif position == "stop":
            target = 1 if outcome.answer[1] == EOS else -1
            yield Example(outcome.probability, feature_values("stop", outcome.prompt, outcome.answer[:1]), target)
        elif is_long:
            prefix = outcome.answer[: int(position) - 1]
            features = feature_values(position, outcome.prompt, prefix)
            yield Example(outcome.probability / p, features, outcome.answer[int(position) - 1])
