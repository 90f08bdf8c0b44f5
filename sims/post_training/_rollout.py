r"""Drawing answers: token by token from the linear model, or demonstrations of the mixture; and rewarding them.

An answer is a row of token bits (bit l-1 set where y_l = -1), a route (long or not), and the bits of its prompt. All
draws of sample i of round r have the step (r << 40) + i; prompts, tokens and decisions have streams of their own.
"""

from __future__ import annotations

import numpy as np

from sims._kernels import kernel
from sims._streams import uniform_pair
from sims.linear_model._descent import ONE, ZERO, prefix_parities
from sims.linear_model._evaluation import BATCH, _head_margins, _run_chain
from sims.linear_model._signed import TABLE, add_signed, logistic, sign_indices
from sims.parity_mixture import PROMPT, ROUTE, TOKEN, _parity, _prompt_bits

__all__ = ["demonstrate", "pool_prompts", "reward", "roll_out"]

DECISION, NOISE, POOL = (np.uint64(number) for number in (8, 9, 10))  # further streams
SHIFT = np.uint64(40)


@kernel
def _step(round_index, sample):  # type: ignore[no-untyped-def]
    return (np.uint64(round_index) << SHIFT) + np.uint64(sample)


@kernel
def pool_prompts(key, d, pool):  # type: ignore[no-untyped-def]
    """Fill pool (prompts, words) with the prompts that every round reuses."""
    for i in range(len(pool)):
        _prompt_bits(key, POOL, i, d, pool[i])


@kernel
def demonstrate(key, first, count, d, p_cot, noise, emitted, bits, tokens, is_long):  # type: ignore[no-untyped-def]
    """Draw demonstrations first..first+count-1 of round 0.

    Each token of a long one is flipped with probability `noise`; with `emitted`, later tokens continue the flipped
    prefix, else the true one. O(d) time each.
    """
    words = bits.shape[1]
    for i in range(count):
        step = _step(0, first + i)
        _prompt_bits(key, PROMPT, step, d, bits[i])
        u, _ = uniform_pair(key, ROUTE, step, 0)
        is_long[i] = u < p_cot
        if not is_long[i]:
            for w in range(words):
                tokens[i, w] = ZERO
            tokens[i, 0] = _parity(bits[i], words)
            continue
        prefix_parities(bits[i], words, tokens[i])
        if d % 64:  # the kernel of prefix parities fills the last word to its end
            tokens[i, words - 1] &= (ONE << np.uint64(d % 64)) - ONE
        if noise > 0:
            carried = ZERO
            spare = 0.0
            for j in range(d):
                if j % 2 == 0:
                    u, spare = uniform_pair(key, NOISE, step, j // 2)
                else:
                    u = spare
                flip = ONE if u < noise else ZERO
                carried = carried ^ flip if emitted else flip
                tokens[i, j >> 6] ^= carried << np.uint64(j & 63)


@kernel
def _chains(key, round_index, first, d, chain, temperature, count, waiting, bits, tokens):  # type: ignore[no-untyped-def]
    """Continue the long answers waiting[:count] of this chunk from y_1, drawing each token on the prefix before it."""
    words = bits.shape[1]
    columns = chain.shape[1]
    groups = (d + 3) // 4
    third = 4 * groups
    batch = np.zeros((BATCH, words), np.uint64)
    index = np.empty((BATCH, groups), np.uint8)
    down = np.empty((third + 4, BATCH // 4), np.uint8)
    scratch = np.empty(TABLE)
    plain = np.zeros((BATCH, columns))
    twisted = np.zeros((BATCH, columns))
    y = np.empty(d, np.int8)
    for start in range(0, count, BATCH):
        size = min(BATCH, count - start)
        for b in range(BATCH):
            for w in range(words):
                batch[b, w] = bits[waiting[start + b], w] if b < size else ZERO
        plain[:] = 0.0
        twisted[:] = 0.0
        sign_indices(batch, BATCH, groups, index, down)
        add_signed(plain, BATCH, index, chain[:third], groups, 0, scratch)
        add_signed(twisted, BATCH, index, chain[third : 2 * third], groups, 0, scratch)
        for b in range(size):
            i = waiting[start + b]
            y[0] = 1 - 2 * np.int8(tokens[i, 0] & ONE)
            _run_chain(plain[b], twisted[b], chain, d, y, False, temperature, key, _step(round_index, first + i))
            for w in range(words):
                tokens[i, w] = ZERO
            for j in range(d):
                if y[j] < 0:
                    tokens[i, j >> 6] |= ONE << np.uint64(j & 63)


@kernel
def roll_out(  # type: ignore[no-untyped-def]
    key, round_index, first, count, d, heads, chain, temperature, pool, bits, tokens, is_long, waiting
):
    """Draw answers first..first+count-1 of a round from the model; prompts are fresh, or the pool's in turn.

    waiting: scratch of `count` indices. O(d) time for a short answer, O(d^2) for a long one.
    """
    words = bits.shape[1]
    n_long = 0
    for i in range(count):
        step = _step(round_index, first + i)
        if len(pool):
            at = (first + i) % len(pool)
            for w in range(words):
                bits[i, w] = pool[at, w]
        else:
            _prompt_bits(key, PROMPT, step, d, bits[i])
        margin, stop, twist = _head_margins(bits[i], d, heads)
        u, v = uniform_pair(key, TOKEN, step, 0)
        positive = u < logistic(margin / temperature)
        sign = 1.0 if positive else -1.0
        for w in range(words):
            tokens[i, w] = ZERO
        tokens[i, 0] = ZERO if positive else ONE
        is_long[i] = not (v < logistic((stop + sign * twist) / temperature))
        if is_long[i]:
            waiting[n_long] = i
            n_long += 1
    _chains(key, round_index, first, d, chain, temperature, n_long, waiting, bits, tokens)


@kernel
def reward(  # type: ignore[no-untyped-def]
    key,
    round_index,
    first,
    count,
    d,
    whole,
    keep_long,
    false_negative,
    false_positive,
    bits,
    tokens,
    is_long,
    kept,
    tally,
):
    """Decide which answers are kept: right ones unless the verifier errs, long ones with the further chance keep_long.

    whole: the whole answer must be one of the two right ones, not only its last token. tally grows by: answers, long,
    with the right last token, exactly right long, kept, kept long, kept right last tokens.
    """
    words = bits.shape[1]
    truth = np.empty(words, np.uint64)
    last = d - 1
    for i in range(count):
        prefix_parities(bits[i], words, truth)
        if d % 64:
            truth[words - 1] &= (ONE << np.uint64(d % 64)) - ONE
        parity = (truth[last >> 6] >> np.uint64(last & 63)) & ONE
        exact = False
        if is_long[i]:
            exact = True
            for w in range(words):
                exact = exact and tokens[i, w] == truth[w]
            ends_right = ((tokens[i, last >> 6] >> np.uint64(last & 63)) & ONE) == parity
        else:
            ends_right = tokens[i, 0] == parity
        right = (exact if is_long[i] else ends_right) if whole else ends_right
        u, v = uniform_pair(key, DECISION, _step(round_index, first + i), 0)
        accepted = u >= false_negative if right else u < false_positive
        kept[i] = accepted and (not is_long[i] or v < keep_long)
        tally[0] += 1
        tally[1] += is_long[i]
        tally[2] += ends_right
        tally[3] += exact
        tally[4] += kept[i]
        tally[5] += kept[i] and is_long[i]
        tally[6] += kept[i] and ends_right
