r"""What a decoder answers on given prompts: exact probabilities first, decoded answers where there is no other way.

Two passes with given answers, along the right chain and behind the other first token, give the exact probability of
either right answer, of going on and of every token of the chain. Draws enter only through answers that leave the right
chain: the share of right answers is the exact probability of the two right ones plus the drawn share of the others.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from sims.transformer._data import EOS, PAD, TEST_TOKEN, chain, uniforms
from sims.transformer._decoder import Architecture, logits, roll_out

__all__ = ["MEANINGS", "answer_lengths", "evaluate", "last_tokens"]

ROWS = 256  # prompts in one pass

MEANINGS = {
    "long_share": ("1", "P(going on after the first token), exact"),
    "long_correct": ("1", "P(right long answer, every token of it), exact"),
    "short_correct": ("1", "P(right short answer), exact"),
    "first_token": ("1", "P(y_1 = first token of the chain), exact"),
    "stop_agree": ("1", "P(EOS | y_1 = first token of the chain), exact"),
    "stop_disagree": ("1", "P(EOS | y_1 = the other token), exact"),
    "empty": ("1", "P(EOS at once), exact"),
    "long_right": ("1", "P(long and right answer), whatever the chain before it"),
    "sampled_accuracy": ("1", "P(right answer) at temperature 1"),
    "mean_length": ("tokens", "mean length of an answer at temperature 1, EOS excluded"),
    "median_length": ("tokens", "median length of the answers drawn at temperature 1, EOS excluded"),
    "unfinished": ("1", "share of drawn answers without EOS within the longest length"),
    "greedy_accuracy": ("1", "right greedy answers"),
    "greedy_faithful": ("1", "greedy answers that are the right chain throughout"),
    "greedy_long": ("1", "greedy answers longer than one token"),
    "greedy_length": ("tokens", "mean length of greedy answers, EOS excluded"),
    "greedy_median_length": ("tokens", "median length of greedy answers, EOS excluded"),
}


def answer_lengths(answers: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Tokens before EOS (all but the last place where there is none), and whether there is an EOS."""
    ends = answers == EOS
    ended: np.ndarray = ends.any(axis=1)
    return np.where(ended, ends.argmax(axis=1), answers.shape[1] - 1), ended


def last_tokens(answers: np.ndarray) -> np.ndarray:
    """The token before EOS, -1 for an empty or an endless answer."""
    lengths, ended = answer_lengths(answers)
    at = np.maximum(lengths - 1, 0)[:, None]
    return np.where(ended & (lengths > 0), np.take_along_axis(answers, at, axis=1)[:, 0], -1)


def long_answers(x: np.ndarray, leap: int) -> np.ndarray:
    """The right long answers with their EOS."""
    right = chain(x, leap)
    return np.concatenate([right, np.full((len(x), 1), EOS)], axis=1)


@torch.no_grad()  # type: ignore[untyped-decorator]
def _laws(w: dict[str, Any], shape: Architecture, x: np.ndarray, answers: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Log-laws (n, chain + 1, 3) along the right chain, and (n, 3) behind the other first token."""
    device = w["head"].device
    along = np.empty((*answers.shape, shape.n_outputs))
    other = np.empty((len(x), shape.n_outputs))
    for first in range(0, len(x), ROWS):
        part = slice(first, first + ROWS)
        prompt = torch.from_numpy(x[part]).to(device)
        answer = torch.from_numpy(answers[part]).to(device)
        scores = logits(w, shape, torch.cat([prompt, answer[:, :-1]], dim=1), answers.shape[1])
        along[part] = torch.log_softmax(scores.double(), dim=2).cpu().numpy()
        scores = logits(w, shape, torch.cat([prompt, 1 - answer[:, :1]], dim=1), 1)
        other[part] = torch.log_softmax(scores.double(), dim=2).cpu().numpy()[:, 0]
    return along, other


def _greedy(
    w: dict[str, Any], shape: Architecture, x: np.ndarray, answers: np.ndarray, along: np.ndarray, other: np.ndarray
) -> np.ndarray:
    """Greedy answers: those that the two passes determine, and the others decoded."""
    out = np.full(answers.shape, PAD, np.int64)
    best = along.argmax(axis=2)
    first = best[:, 0]
    agree = first == answers[:, 0]
    whole = (best == answers).all(axis=1)
    out[whole] = answers[whole]
    stops = np.where(agree, best[:, 1], other.argmax(axis=1)) == EOS
    short = (first != EOS) & stops & ~whole
    out[short, 0], out[short, 1] = first[short], EOS
    out[first == EOS, 0] = EOS
    open_ = ~whole & ~short & (first != EOS)
    if open_.any():
        out[open_] = roll_out(w, shape, x[open_], answers.shape[1], rows=ROWS)
    return out


def evaluate(
    w: dict[str, Any], shape: Architecture, x: np.ndarray, leap: int, key: np.uint64, number: int
) -> dict[str, Any]:
    """All of MEANINGS as floats, and ``chain_loss`` for each token of the long answer; `number` addresses the draws."""
    answers = long_answers(x, leap)
    length = answers.shape[1] - 1
    parity = answers[:, -2]
    along, other = _laws(w, shape, x, answers)
    rows = np.arange(len(x))
    token = np.take_along_axis(along, answers[:, :, None], axis=2)[:, :, 0]
    agree, differ = np.exp(token[:, 0]), np.exp(along[rows, 0, 1 - answers[:, 0]])
    stop_agree, stop_other = np.exp(along[:, 1, EOS]), np.exp(other[:, EOS])
    long_correct = np.exp(token.sum(axis=1))
    same = parity == answers[:, 0]
    short_correct = np.where(same, agree * stop_agree, differ * stop_other)
    long_share = agree * (1 - stop_agree) + differ * (1 - stop_other)

    draws = uniforms(key, TEST_TOKEN, number << 32, len(x), length + 1)
    drawn = roll_out(w, shape, x, length + 1, uniforms=draws, rows=ROWS)
    lengths, ended = answer_lengths(drawn)
    is_long = lengths > 1
    astray = is_long & (last_tokens(drawn) == parity) & (drawn != answers).any(axis=1)

    greedy = _greedy(w, shape, x, answers, along, other)
    greedy_lengths, _ = answer_lengths(greedy)
    return {
        "long_share": long_share.mean(),
        "long_correct": long_correct.mean(),
        "short_correct": short_correct.mean(),
        "first_token": agree.mean(),
        "stop_agree": stop_agree.mean(),
        "stop_disagree": stop_other.mean(),
        "empty": np.exp(along[:, 0, EOS]).mean(),
        "long_right": long_correct.mean() + astray.mean(),
        "sampled_accuracy": long_correct.mean() + short_correct.mean() + astray.mean(),
        # The drawn mean with the exact long share for the drawn one: unbiased, and its noise is nearly gone.
        "mean_length": lengths.mean() + (long_share.mean() - is_long.mean()) * (length - 1),
        "median_length": float(np.median(lengths)),
        "unfinished": 1.0 - ended.mean(),
        "greedy_accuracy": (last_tokens(greedy) == parity).mean(),
        "greedy_faithful": (greedy == answers).all(axis=1).mean(),
        "greedy_long": (greedy_lengths > 1).mean(),
        "greedy_length": greedy_lengths.mean(),
        "greedy_median_length": float(np.median(greedy_lengths)),
        "chain_loss": -token.mean(axis=0),
    }
