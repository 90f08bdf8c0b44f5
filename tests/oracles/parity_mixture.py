"""Exact law of the parity mixture by listing every prompt, in rational numbers.

Imports nothing of the project: a sequence is built token by token from its definition.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from fractions import Fraction

EOS = "EOS"
Prompt = tuple[int, ...]
Answer = tuple[int | str, ...]


def long_answer(x: Prompt) -> Answer:
    """Return all prefix parities of `x`, then EOS."""
    tokens: list[int | str] = []
    parity = 1
    for sign in x:
        parity = parity * sign
        tokens.append(parity)
    tokens.append(EOS)
    return tuple(tokens)


def short_answer(x: Prompt) -> Answer:
    """Return the parity of `x`, then EOS."""
    parity = 1
    for sign in x:
        parity = parity * sign
    return (parity, EOS)


def mixture(d: int, p: Fraction) -> Iterator[tuple[Prompt, Answer, Fraction]]:
    """Yield every (prompt, answer, probability) of the mixture; a pair may come twice."""
    for x in itertools.product((-1, 1), repeat=d):
        yield x, long_answer(x), p / 2**d
        yield x, short_answer(x), (1 - p) / 2**d


def probability(d: int, p: Fraction, event: Callable[[Prompt, Answer], bool]) -> Fraction:
    """Return the probability of `event`."""
    total = Fraction(0)
    for x, y, mass in mixture(d, p):
        if event(x, y):
            total += mass
    return total


def conditional(
    d: int, p: Fraction, event: Callable[[Prompt, Answer], bool], given: Callable[[Prompt, Answer], bool]
) -> Fraction:
    """Return the probability of `event` given `given`."""
    return probability(d, p, lambda x, y: event(x, y) and given(x, y)) / probability(d, p, given)


def calibrated_responses(d: int, p: Fraction) -> Iterator[tuple[Prompt, Answer, Fraction]]:
    """Yield (prompt, response, probability given the prompt) of the model that knows the next-token law exactly.

    Its conditional probabilities are those of the mixture given x_1, y_1 and whether they agree; from the second
    token on it writes y_l = y_(l-1) x_l.
    """
    agree = probability(d, p, lambda x, y: y[0] == x[0])
    stop = {
        True: conditional(d, p, lambda x, y: y[1] == EOS, lambda x, y: y[0] == x[0]),
        False: conditional(d, p, lambda x, y: y[1] == EOS, lambda x, y: y[0] != x[0]) if p < 1 else Fraction(1),
    }
    for x in itertools.product((-1, 1), repeat=d):
        for first in (-1, 1):
            same = first == x[0]
            start = agree if same else 1 - agree
            yield x, (first, EOS), start * stop[same]
            chain: list[int | str] = [first]
            value = first
            for sign in x[1:]:
                value = value * sign
                chain.append(value)
            yield x, (*chain, EOS), start * (1 - stop[same])


def greedy_response(d: int, p: Fraction, x: Prompt) -> Answer:
    """Return the response of greedy decoding of the same model; ties go to the longer side and to x_1."""
    agree = probability(d, p, lambda x, y: y[0] == x[0])
    first = x[0] if agree >= Fraction(1, 2) else -x[0]
    stop = conditional(d, p, lambda x, y: y[1] == EOS, lambda x, y: y[0] == x[0])
    if stop > Fraction(1, 2):
        return (first, EOS)
    chain: list[int | str] = [first]
    value = first
    for sign in x[1:]:
        value = value * sign
        chain.append(value)
    return (*chain, EOS)
