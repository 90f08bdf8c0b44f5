"""Conditional probabilities and decoding of a trained autoregressive linear model.

Weights are laid out as in the descent: heads (3, d + 1), row 0 position 1 on x, row 1 position 2a on x and bias, row 2
position 2a on y_1x and y_1; chain (rows, columns), column j = l - 2.
"""

from __future__ import annotations

import numpy as np

from sims._kernels import kernel
from sims._streams import uniform_pair
from sims.linear_model._descent import ONE, ZERO, prefix_parities
from sims.linear_model._signed import TABLE, add_signed, logistic, sign_indices
from sims.parity_mixture import CHAIN, TOKEN

__all__ = ["decode_prompts", "evaluate"]

BATCH = 32  # prompts handled together, a multiple of 8


@kernel
def _head_margins(bits, d, heads):  # type: ignore[no-untyped-def]
    """Return <w_1, x>, and of position 2a the part on x and the bias, and the part that y_1 multiplies."""
    first, plain, twisted = 0.0, heads[1, d], heads[2, d]
    for i in range(d):
        sign = 1.0 - 2.0 * float((bits[i >> 6] >> np.uint64(i & 63)) & ONE)
        first += sign * heads[0, i]
        plain += sign * heads[1, i]
        twisted += sign * heads[2, i]
    return first, plain, twisted


@kernel
def _batch(bits, start, batch_bits, tokens):  # type: ignore[no-untyped-def]
    """Copy the next prompts and their prefix parities; short batches end in zeros. Return how many there are."""
    count = min(BATCH, len(bits) - start)
    for b in range(BATCH):
        for w in range(bits.shape[1]):
            batch_bits[b, w] = bits[start + b, w] if b < count else ZERO
        prefix_parities(batch_bits[b], bits.shape[1], tokens[b])
    return count


@kernel
def _run_chain(plain, twisted, chain, d, y, greedy, temperature, key, prompt):  # type: ignore[no-untyped-def]
    """Continue y[0] to y[:d], each token on the prefix before it: greedy by sign (0 counts as +1), or sampled."""
    third = chain.shape[0] // 3
    columns = chain.shape[1]
    prefix = np.zeros(columns)
    spare = 0.0
    for j in range(d - 1):
        for i in range(j, columns):
            prefix[i] += y[j] * chain[2 * third + j, i]
        margin = plain[j] + y[j] * twisted[j] + prefix[j]
        if greedy:
            y[j + 1] = 1 if margin >= 0 else -1
        else:
            if j % 2 == 0:
                u, spare = uniform_pair(key, CHAIN, prompt, j // 2)
            else:
                u = spare
            y[j + 1] = 1 if u < logistic(margin / temperature) else -1


@kernel
def evaluate(bits, d, heads, chain, with_chain, table, errors, largest, flags):  # type: ignore[no-untyped-def]
    """Fill, for prompts bits (prompts, words), the columns of table (5, prompts), flags (2, prompts) and the errors.

    table: P(y_1 = x_1), P(EOS | agree), P(EOS | disagree), P(right long answer), P(right short answer). flags: length
    of the greedy answer, whether it ends in the parity. errors, largest (columns): sum and maximum over prompts of
    P(wrong token | right prefix). Without the chain only what the heads decide is filled.
    """
    words = bits.shape[1]
    columns = chain.shape[1]
    groups = (d + 3) // 4
    third = 4 * groups
    batch_bits = np.empty((BATCH, words), np.uint64)
    tokens = np.empty((BATCH, words), np.uint64)
    index = np.empty((BATCH, groups), np.uint8)
    down = np.empty((third + 4, BATCH // 4), np.uint8)
    scratch = np.empty(TABLE)
    plain = np.zeros((BATCH, columns))
    twisted = np.zeros((BATCH, columns))
    prefix = np.zeros((BATCH, columns))
    y = np.empty(d, np.int8)
    for start in range(0, len(bits), BATCH):
        count = _batch(bits, start, batch_bits, tokens)
        if with_chain:
            plain[:] = 0.0
            twisted[:] = 0.0
            prefix[:] = 0.0
            sign_indices(batch_bits, BATCH, groups, index, down)
            add_signed(plain, BATCH, index, chain[:third], groups, 0, scratch)
            add_signed(twisted, BATCH, index, chain[third : 2 * third], groups, 0, scratch)
            sign_indices(tokens, BATCH, groups, index, down)
            add_signed(prefix, BATCH, index, chain[2 * third :], groups, 1, scratch)
        for b in range(count):
            at = start + b
            x1 = 1.0 - 2.0 * float(batch_bits[b, 0] & ONE)
            last = d - 1
            parity = 1.0 - 2.0 * float((tokens[b, last >> 6] >> np.uint64(last & 63)) & ONE)
            first, stop, twist = _head_margins(batch_bits[b], d, heads)
            table[0, at] = logistic(x1 * first)
            table[1, at] = logistic(stop + x1 * twist)
            table[2, at] = logistic(stop - x1 * twist)
            table[4, at] = logistic(parity * first) * (table[1, at] if parity == x1 else table[2, at])
            y[0] = 1 if first >= 0 else -1
            flags[0, at] = 1 if stop + y[0] * twist > 0 else d
            if not with_chain:
                continue
            right = table[0, at] * logistic(-(stop + x1 * twist))
            before = x1
            for j in range(d - 1):
                target = 1.0 - 2.0 * float((tokens[b, (j + 1) >> 6] >> np.uint64((j + 1) & 63)) & ONE)
                margin = target * (plain[b, j] + before * twisted[b, j] + prefix[b, j])
                right *= logistic(margin)
                wrong = logistic(-margin)
                errors[j] += wrong
                largest[j] = max(largest[j], wrong)
                before = target
            table[3, at] = right
            end = y[0]
            if flags[0, at] == d:
                _run_chain(plain[b], twisted[b], chain, d, y, True, 1.0, np.uint64(0), at)
                end = y[d - 1]
            flags[1, at] = end == parity


@kernel
def decode_prompts(bits, d, heads, chain, greedy, temperature, key, y, length):  # type: ignore[no-untyped-def]
    """Decode prompts bits (prompts, words) into y (prompts, d), zero beyond the length of the answer."""
    words = bits.shape[1]
    columns = chain.shape[1]
    groups = (d + 3) // 4
    third = 4 * groups
    batch_bits = np.empty((BATCH, words), np.uint64)
    tokens = np.empty((BATCH, words), np.uint64)
    index = np.empty((BATCH, groups), np.uint8)
    down = np.empty((third + 4, BATCH // 4), np.uint8)
    scratch = np.empty(TABLE)
    plain = np.zeros((BATCH, columns))
    twisted = np.zeros((BATCH, columns))
    for start in range(0, len(bits), BATCH):
        count = _batch(bits, start, batch_bits, tokens)
        plain[:] = 0.0
        twisted[:] = 0.0
        sign_indices(batch_bits, BATCH, groups, index, down)
        add_signed(plain, BATCH, index, chain[:third], groups, 0, scratch)
        add_signed(twisted, BATCH, index, chain[third : 2 * third], groups, 0, scratch)
        for b in range(count):
            at = start + b
            first, stop, twist = _head_margins(batch_bits[b], d, heads)
            u, v = uniform_pair(key, TOKEN, at, 0)
            if greedy:
                y[at, 0] = 1 if first >= 0 else -1
                stops = stop + y[at, 0] * twist > 0
            else:
                y[at, 0] = 1 if u < logistic(first / temperature) else -1
                stops = v < logistic((stop + y[at, 0] * twist) / temperature)
            for i in range(1, d):
                y[at, i] = 0
            length[at] = 1 if stops else d
            if not stops:
                _run_chain(plain[b], twisted[b], chain, d, y[at], greedy, temperature, key, at)
