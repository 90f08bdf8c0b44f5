r"""Stochastic gradient descent of the autoregressive linear model, in accumulation form.

With u_t = (t-1) w^(t) the step w^(t+1) = (1 - 1/t) w^(t) - g_t f_t/(lambda t) reads u_{t+1} = u_t + c_t f_t, where
c_t = y_t/(lambda (1 + exp(y_t <w^(t), f_t>))): nothing shrinks. Since w^(t) = u_t/(t-1), the average of w^(1)..w^(T) is
(H_{T-1} u - a)/T with a = sum of c_s H_{s-1} f_s, H_k the k-th harmonic number; the T-th sample has the coefficient
H_{T-1} - H_{T-1} = 0, so it does not matter that u and a include it.

Samples are worked on in blocks: with F the signs of a block, the margins <u_t, f_t> are F u_0 plus the block's own
earlier steps times the products <f_s, f_t>. These are x_s.x_t at position 1, (x_s.x_t + 1)(1 + y_s y_t) at position 2a
(y the first token), and (x_s.x_t)(1 + y_s y_t) + sum_{k<l} y_sk y_tk at position l (y_s, y_t in the bracket: the tokens
at l-1).

The d-1 chain positions are the columns of one array. Column j = l - 2 uses the tokens y_1..y_{j+1} (bits 0..j) and aims
at y_{j+2}. Rows of u and a: x_1..x_d, then y_{l-1}x_1..y_{l-1}x_d, then y_1..y_d, each third padded to a multiple of
four; row k of the last third is zero left of column k.

A block is always the same 16 samples of the seed (the same 16 long ones for the chain), however a run is cut into
calls, and all sums have one order.
"""

from __future__ import annotations

import numpy as np

from sims._kernels import kernel
from sims.linear_model._signed import LANES, SIGNS, SUMS, TABLE, add_signed, logistic, sign_indices
from sims.linear_model._vectors import add_products, bit_count
from sims.parity_mixture import FRESH, PROMPT, _is_long, _parity, _prompt_bits

__all__ = ["BLOCK", "advance", "draw", "finish", "harmonic", "prefix_parities", "prompts", "step_chain"]

BLOCK = 16  # samples worked on together: more would cost more products within the block than tables save
ONE = np.uint64(1)
ZERO = np.uint64(0)


@kernel
def harmonic(n):  # type: ignore[no-untyped-def]
    """1 + 1/2 + ... + 1/n, and 0 at n = 0.

    From n = 16 on by Euler and Maclaurin; the first term left out, 1/(132 n^10), is below 1e-14 times the sum there.
    """
    if n < 16:
        total = 0.0
        for k in range(1, n + 1):
            total += 1.0 / k
        return total
    inverse = 1.0 / n
    square = inverse * inverse
    tail = square * (1.0 / 12 - square * (1.0 / 120 - square * (1.0 / 252 - square * (1.0 / 240))))
    return np.log(float(n)) + 0.5772156649015329 + 0.5 * inverse - tail


@kernel
def prefix_parities(bits, words, out):  # type: ignore[no-untyped-def]
    """Bit i of out is the exclusive or of bits 0..i."""
    carry = ZERO
    for w in range(words):
        value = bits[w]
        for shift in (1, 2, 4, 8, 16, 32):
            value ^= value << np.uint64(shift)
        if carry:
            value = ~value
        out[w] = value
        carry = value >> np.uint64(63)


@kernel
def _spread(bits, words, out):  # type: ignore[no-untyped-def]
    """Write bits as signs, eight at a time; out is padded to whole words."""
    for i in range(8 * words):
        byte = np.int64((bits[i >> 3] >> np.uint64(8 * (i & 7))) & np.uint64(255))
        for k in range(8):
            out[8 * i + k] = SIGNS[byte, k]


@kernel
def _step_heads(bits, y1, is_long, filled, seen, d, inverse_ridge, caps, heads):  # type: ignore[no-untyped-def]
    """Move positions 1 and 2a by the samples bits[:filled], the first being the (seen + 1)-th.

    heads (rows, 8), row i < d for x_{i+1} and row d for a constant sign +1; columns: u of position 1, u of position 2a
    on x (bias in row d) and on y_1x (y_1 in row d), then the same three of a, then two of padding.
    """
    groups = (d + 4) // 4
    table = np.empty(TABLE)
    for b in range(filled, BLOCK):
        bits[b] = ZERO
    row = np.empty((BLOCK, groups), np.uint8)
    column = np.empty((4 * groups + 4, BLOCK // 4), np.uint8)
    sign_indices(bits, BLOCK, groups, row, column)
    margin = np.zeros((BLOCK, LANES))
    add_signed(margin, BLOCK, row, heads, groups, 0, table)
    steps = np.zeros((BLOCK, LANES))
    for b in range(filled):
        first = margin[b, 0]
        stop = margin[b, 1] + y1[b] * margin[b, 2]
        for s in range(b):
            differ = np.int64(0)
            for w in range(bits.shape[1]):
                differ += np.int64(bit_count(bits[s, w] ^ bits[b, w]))
            overlap = float(d - 2 * differ)
            first += steps[s, 0] * overlap
            stop += steps[s, 1] * ((overlap + 1.0) * (1.0 + y1[s] * y1[b]))
        t = seen + b + 1
        inverse = 1.0 / max(t - 1, 1)
        target = -1.0 if is_long[b] else 1.0
        c = y1[b] * inverse_ridge[0] * logistic(-(y1[b] * first * inverse))
        steps[b, 0] = c if t <= caps[0] else 0.0
        c = target * inverse_ridge[1] * logistic(-(target * stop * inverse))
        steps[b, 1] = c if t <= caps[1] else 0.0
    for b in range(filled):
        h = harmonic(seen + b)
        steps[b, 2] = steps[b, 1] * y1[b]
        for k in range(3):
            steps[b, 3 + k] = steps[b, k] * h
    add_signed(heads, d + 1, column, steps, BLOCK // 4, 0, table)
    heads[d, 0] = 0.0  # position 1 has no bias
    heads[d, 3] = 0.0


@kernel
def _step_chain(bits, filled, seen, d, inverse_ridge, caps, u, a):  # type: ignore[no-untyped-def]
    """Move all chain positions by the long samples bits[:filled], the first being their (seen + 1)-th."""
    tokens = np.zeros((BLOCK, bits.shape[1]), np.uint64)
    for b in range(filled):
        prefix_parities(bits[b], bits.shape[1], tokens[b])
    step_chain(bits, tokens, filled, seen, d, inverse_ridge, caps, u, a)


@kernel
def step_chain(bits, tokens, filled, seen, d, inverse_ridge, caps, u, a):  # type: ignore[no-untyped-def]
    """The same for answers whose tokens[:filled] need not be the prefix parities of the prompts."""
    columns = u.shape[1]
    words = bits.shape[1]
    groups = (d + 3) // 4
    third = 4 * groups
    table = np.empty(TABLE)
    for b in range(filled, BLOCK):
        bits[b] = ZERO
        tokens[b] = ZERO
    y = np.ones((BLOCK, 64 * words + LANES))  # one token beyond d is read, and dropped
    for b in range(BLOCK):
        _spread(tokens[b], words, y[b])
    x_row = np.empty((BLOCK, groups), np.uint8)
    y_row = np.empty((BLOCK, groups), np.uint8)
    x_column = np.empty((third + 4, BLOCK // 4), np.uint8)
    y_column = np.empty((third + 4, BLOCK // 4), np.uint8)
    sign_indices(bits, BLOCK, groups, x_row, x_column)
    sign_indices(tokens, BLOCK, groups, y_row, y_column)

    margin = np.zeros((BLOCK, columns))
    twisted = np.zeros((BLOCK, columns))
    add_signed(margin, BLOCK, x_row, u[:third], groups, 0, table)
    add_signed(twisted, BLOCK, x_row, u[third : 2 * third], groups, 0, table)
    add_signed(margin, BLOCK, y_row, u[2 * third :], groups, 1, table)

    steps = np.zeros((BLOCK, columns))
    for b in range(filled):
        for j in range(columns):
            margin[b, j] += y[b, j] * twisted[b, j]
        for s in range(b):
            differ = np.int64(0)
            for w in range(words):
                differ += np.int64(bit_count(bits[s, w] ^ bits[b, w]))
            overlap = float(d - 2 * differ)
            base = overlap
            for i in range(columns // LANES):
                word = tokens[s, i >> 3] ^ tokens[b, i >> 3]
                byte = np.int64((word >> np.uint64(8 * (i & 7))) & np.uint64(255))
                add_products(margin, b * columns + 8 * i, steps, s * columns + 8 * i, overlap, base, SIGNS, SUMS, byte)
                base += SUMS[byte, 7]
        t = seen + b + 1
        inverse = 1.0 / max(t - 1, 1)
        for j in range(columns):
            target = y[b, j + 1]
            c = target * inverse_ridge[j] * logistic(-(target * margin[b, j] * inverse))
            steps[b, j] = c if t <= caps[j] else 0.0

    # The four right-hand sides: steps, steps times y_{l-1}, and both times H_{t-1}.
    for b in range(filled):
        for j in range(columns):
            twisted[b, j] = steps[b, j] * y[b, j]
    for b in range(filled, BLOCK):
        twisted[b] = 0.0
    add_signed(u[:third], d, x_column, steps, BLOCK // 4, 0, table)
    add_signed(u[third : 2 * third], d, x_column, twisted, BLOCK // 4, 0, table)
    add_signed(u[2 * third :], d, y_column, steps, BLOCK // 4, 2, table)
    for b in range(filled):
        h = harmonic(seen + b)
        for j in range(columns):
            steps[b, j] *= h
            twisted[b, j] *= h
    add_signed(a[:third], d, x_column, steps, BLOCK // 4, 0, table)
    add_signed(a[third : 2 * third], d, x_column, twisted, BLOCK // 4, 0, table)
    add_signed(a[2 * third :], d, y_column, steps, BLOCK // 4, 2, table)


@kernel
def advance(  # type: ignore[no-untyped-def]
    key,
    d,
    p_cot,
    first,
    last,
    heads,
    head_caps,
    head_ridge,
    head_block,
    head_labels,
    chain,
    chain_caps,
    chain_ridge,
    chain_block,
    counters,
):
    """Draw samples first..last-1 and move every position by them, in whole blocks; the rest of a block waits.

    heads: see _step_heads; chain (2, rows, columns): u and a; head_ridge and chain_ridge hold 1/lambda. head_block
    (BLOCK, (d + 64) // 64) and head_labels (2, BLOCK), y_1 and Z: samples that wait; chain_block (BLOCK, words): long
    samples that wait. counters: long samples drawn, samples that have moved the heads, long samples that have moved the
    chain. Time O(d) for a short sample and O(d^2) for a long one.
    """
    words = (d + 63) // 64
    bits = np.empty(words, np.uint64)
    most_heads = head_caps.max()
    most_chain = chain_caps.max()
    for step in range(first, last):
        is_long = _is_long(key, step, p_cot)
        at_heads = step < most_heads
        at_chain = is_long and counters[0] < most_chain
        counters[0] += is_long
        if not (at_heads or at_chain):
            continue
        _prompt_bits(key, PROMPT, step, d, bits)
        if at_heads:
            waiting = step - counters[1]
            answer = bits[0] & ONE if is_long else _parity(bits, words)
            for w in range(words):
                head_block[waiting, w] = bits[w]
            head_labels[0, waiting] = 1.0 - 2.0 * float(answer)
            head_labels[1, waiting] = 1.0 if is_long else 0.0
            if waiting + 1 == BLOCK:
                _step_heads(
                    head_block, head_labels[0], head_labels[1], BLOCK, counters[1], d, head_ridge, head_caps, heads
                )
                counters[1] += BLOCK
        if at_chain:
            waiting = counters[0] - 1 - counters[2]
            for w in range(words):
                chain_block[waiting, w] = bits[w]
            if waiting + 1 == BLOCK:
                _step_chain(chain_block, BLOCK, counters[2], d, chain_ridge, chain_caps, chain[0], chain[1])
                counters[2] += BLOCK


@kernel
def finish(  # type: ignore[no-untyped-def]
    d,
    drawn,
    heads,
    head_caps,
    head_ridge,
    head_block,
    head_labels,
    chain,
    chain_caps,
    chain_ridge,
    chain_block,
    counters,
    head_out,
    chain_out,
):
    """Move all positions by the samples that wait, then write the averages of the iterates; nothing may follow.

    head_out (3, d + 1): position 1 (its last entry 0), position 2a on x and bias, on y_1x and y_1. chain_out (rows,
    columns). A position that saw nothing has zeros.
    """
    waiting = min(drawn, head_caps.max()) - counters[1]
    if waiting > 0:
        _step_heads(head_block, head_labels[0], head_labels[1], waiting, counters[1], d, head_ridge, head_caps, heads)
    waiting = min(counters[0], chain_caps.max()) - counters[2]
    if waiting > 0:
        _step_chain(chain_block, waiting, counters[2], d, chain_ridge, chain_caps, chain[0], chain[1])
    for k in range(3):
        count = min(drawn, head_caps[min(k, 1)])
        h = harmonic(count - 1)
        for i in range(d + 1):
            head_out[k, i] = (h * heads[i, k] - heads[i, 3 + k]) / count if count else 0.0
    for j in range(chain_out.shape[1]):
        count = min(counters[0], chain_caps[j])
        h = harmonic(count - 1)
        for k in range(chain_out.shape[0]):
            chain_out[k, j] = (h * chain[0, k, j] - chain[1, k, j]) / count if count else 0.0


@kernel
def draw(key, d, p_cot, x, is_long):  # type: ignore[no-untyped-def]
    """Write the prompts (n, d) and routes that :func:`advance` draws."""
    bits = np.empty((d + 63) // 64, np.uint64)
    for step in range(len(x)):
        is_long[step] = _is_long(key, step, p_cot)
        _prompt_bits(key, PROMPT, step, d, bits)
        for i in range(d):
            x[step, i] = 1 - 2 * np.int8((bits[i >> 6] >> np.uint64(i & 63)) & ONE)


@kernel
def prompts(key, d, every, out):  # type: ignore[no-untyped-def]
    """Fill out (prompts, words) with fresh prompts; with `every`, prompt i has x_k = -1 where bit k-1 of i is set."""
    for i in range(len(out)):
        if every:
            out[i, 0] = np.uint64(i)
        else:
            _prompt_bits(key, FRESH, i, d, out[i])
