r"""Retraining the linear model on kept answers, in the accumulation form of the descent.

A round owns one descent at every position: u_t = (t-1) w^(t) moves by u_{t+1} = u_t + c_t f_t, and the round's model
is the average of the iterates of the round. From zero the clock t starts at 1. Warm-started after t_0 >= 1 steps, the
weights w of the round before are w^(t_0+1): u = t_0 w, the first step has size 1/(lambda (t_0+1)), and with
a = sum of c_s H_{s-1} f_s (and H_{t_0-1} u for the start) the average over T further iterates is
(H_{t_0+T-1} u - a)/T, as from zero, where t_0 = 0.

Answers are a row of token bits each (bit l-1 is set where y_l = -1) beside the bits of their prompt.
"""

from __future__ import annotations

from sims._kernels import kernel
from sims.linear_model._descent import BLOCK, ONE, _step_heads, harmonic, step_chain

__all__ = ["begin", "close", "feed"]


@kernel
def begin(d, clock, heads_out, chain_out, heads, chain, counters):  # type: ignore[no-untyped-def]
    """Set the accumulators of a round: zero, or weights heads_out (3, d + 1), chain_out that count `clock` steps."""
    heads[:] = 0.0
    chain[:] = 0.0
    counters[:] = 0
    if clock > 0:
        h = harmonic(clock - 1)
        for k in range(3):
            for i in range(d + 1):
                heads[i, k] = clock * heads_out[k, i]
                heads[i, 3 + k] = h * heads[i, k]
        for i in range(chain_out.shape[0]):
            for j in range(chain_out.shape[1]):
                chain[0, i, j] = clock * chain_out[i, j]
                chain[1, i, j] = h * chain[0, i, j]


@kernel
def feed(  # type: ignore[no-untyped-def]
    count,
    bits,
    tokens,
    is_long,
    kept,
    d,
    clock,
    head_ridge,
    chain_ridge,
    head_caps,
    chain_caps,
    heads,
    head_block,
    labels,
    chain,
    chain_block,
    token_block,
    counters,
):
    """Train on the kept ones of the first `count` answers, in their order, in whole blocks; the rest of a block waits.

    counters: answers that have moved the heads, that wait for them; long answers that have moved the chain, that wait.
    head_ridge and chain_ridge hold 1/lambda. Time O(d) for a short answer, O(d^2) for a long one; memory as given.
    """
    words = bits.shape[1]
    for i in range(count):
        if not kept[i]:
            continue
        waiting = counters[1]
        for w in range(words):
            head_block[waiting, w] = bits[i, w]
        labels[0, waiting] = 1.0 - 2.0 * float(tokens[i, 0] & ONE)
        labels[1, waiting] = 1.0 if is_long[i] else 0.0
        counters[1] += 1
        if counters[1] == BLOCK:
            _step_heads(head_block, labels[0], labels[1], BLOCK, clock + counters[0], d, head_ridge, head_caps, heads)
            counters[0] += BLOCK
            counters[1] = 0
        if is_long[i]:
            waiting = counters[3]
            for w in range(words):
                chain_block[waiting, w] = bits[i, w]
                token_block[waiting, w] = tokens[i, w]
            counters[3] += 1
            if counters[3] == BLOCK:
                step_chain(
                    chain_block, token_block, BLOCK, clock + counters[2], d, chain_ridge, chain_caps, chain[0], chain[1]
                )
                counters[2] += BLOCK
                counters[3] = 0


@kernel
def close(  # type: ignore[no-untyped-def]
    d,
    clock,
    head_ridge,
    chain_ridge,
    head_caps,
    chain_caps,
    heads,
    head_block,
    labels,
    chain,
    chain_block,
    token_block,
    counters,
    heads_out,
    chain_out,
):
    """Train on the answers that wait, then write the round's averages; a position without answers keeps its weights."""
    if counters[1] > 0:
        _step_heads(head_block, labels[0], labels[1], counters[1], clock + counters[0], d, head_ridge, head_caps, heads)
        counters[0] += counters[1]
        counters[1] = 0
    if counters[3] > 0:
        step_chain(
            chain_block, token_block, counters[3], clock + counters[2], d, chain_ridge, chain_caps, chain[0], chain[1]
        )
        counters[2] += counters[3]
        counters[3] = 0
    if counters[0] > 0:
        h = harmonic(clock + counters[0] - 1)
        for k in range(3):
            for i in range(d + 1):
                heads_out[k, i] = (h * heads[i, k] - heads[i, 3 + k]) / counters[0]
    if counters[2] > 0:
        h = harmonic(clock + counters[2] - 1)
        for i in range(chain_out.shape[0]):
            for j in range(chain_out.shape[1]):
                chain_out[i, j] = (h * chain[0, i, j] - chain[1, i, j]) / counters[2]
