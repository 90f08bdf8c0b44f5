r"""Products with matrices of signs, and a logistic function that vectorises.

A product S A of a sign matrix S (rows x n) with A (n x columns) needs no multiplication. Rows of A are taken four at a
time: their 16 signed sums are tabulated once, and each row of S then adds the one that its four signs pick, a quarter
of the additions (V. Arlazarov, E. Dinic, M. Kronrod, I. Faradzhev, 1970, for bits). The order of the additions is fixed
by the shapes alone, and columns never mix, so the bits of a column do not depend on which others are computed.

A sign -1 is a set bit; bit i of index[r, g] is the sign of S[r, 4g + i].
"""

from __future__ import annotations

import numpy as np

from sims._kernels import kernel
from sims.linear_model._vectors import add_four, add_one, from_bits, tabulate, to_bits

__all__ = ["CHUNK", "LANES", "SIGNS", "SUMS", "TABLE", "add_signed", "logistic", "sign_indices"]

LANES = 8  # columns are padded to multiples of this
CHUNK = 64  # columns worked on together: four tables then fit the first-level cache
TABLE = 4 * 16 * CHUNK  # size of the scratch table

# All the bytes of eight signs: the signs themselves, and their running sums.
SIGNS = 1.0 - 2.0 * ((np.arange(256)[:, None] >> np.arange(8)) & 1)
SUMS = SIGNS.cumsum(axis=1)

LOG2_E = 1.4426950408889634
LN2_HIGH = 6.93147180369123816490e-01  # 33 bits: an integer multiple below 2^20 is exact
LN2_LOW = 1.90821492927058770002e-10
ROUNDER = 6755399441055744.0  # 1.5 * 2^52: adding it rounds to an integer, found in the low bits
BIAS = 1023 << 52


@kernel
def logistic(z):  # type: ignore[no-untyped-def]
    """1/(1 + exp(-z)), to a few units in the last place in either tail; arguments beyond +-700 count as +-700.

    exp(x) = 2^k exp(r), k the integer nearest to x/ln 2, abs(r) <= 0.347; the Taylor polynomial of degree 13 leaves
    r^14/14! < 5e-18. Without branches, so that a loop over it becomes vector code.
    """
    x = -z
    x = x if x < 700.0 else 700.0
    x = x if x > -700.0 else -700.0
    shifted = x * LOG2_E + ROUNDER
    k = shifted - ROUNDER
    r = (x - k * LN2_HIGH) - k * LN2_LOW
    series = 1.6059043836821613e-10  # 1/13!
    series = series * r + 2.08767569878681e-09
    series = series * r + 2.505210838544172e-08
    series = series * r + 2.755731922398589e-07
    series = series * r + 2.7557319223985893e-06
    series = series * r + 2.48015873015873e-05
    series = series * r + 0.0001984126984126984
    series = series * r + 0.001388888888888889
    series = series * r + 0.008333333333333333
    series = series * r + 0.041666666666666664
    series = series * r + 0.16666666666666666
    series = series * r + 0.5
    series = series * r + 1.0
    series = series * r + 1.0
    return 1.0 / (1.0 + series * from_bits((to_bits(shifted) << 52) + BIAS))


@kernel
def add_signed(target, rows, index, source, groups, staircase, table):  # type: ignore[no-untyped-def]
    """Add S @ source to target[:rows], S given by index[:rows, :groups].

    target and source have the same number of columns, a multiple of 8; source has 4 * groups rows. staircase 0:
    everything. 1: source row k counts in columns k and beyond only, and is zero before. 2: target row r is changed in
    columns r and beyond only. table: scratch of TABLE floats. About (rows + 6) * groups additions a column.
    """
    columns = target.shape[1]
    for low in range(0, columns, CHUNK):
        high = min(low + CHUNK, columns)
        g = 0
        while g < groups:
            four = g + 4 <= groups
            start = max(low, (4 * g) // LANES * LANES) if staircase == 1 else low
            if start < high:
                for slot in range(4 if four else 1):
                    for j in range(start, high, LANES):
                        at = slot * 16 * CHUNK + j - low
                        tabulate(table, at, CHUNK, source, 4 * (g + slot) * columns + j, columns)
                for r in range(rows):
                    begin = max(start, r // LANES * LANES) if staircase == 2 else start
                    row = r * columns
                    p = np.int64(index[r, g]) * CHUNK - low
                    if four:
                        q = (np.int64(index[r, g + 1]) + 16) * CHUNK - low
                        s = (np.int64(index[r, g + 2]) + 32) * CHUNK - low
                        t = (np.int64(index[r, g + 3]) + 48) * CHUNK - low
                        for j in range(begin, high, LANES):
                            add_four(target, row + j, table, p + j, q + j, s + j, t + j)
                    else:
                        for j in range(begin, high, LANES):
                            add_one(target, row + j, table, p + j)
            g += 4 if four else 1
    if staircase == 2:
        for r in range(min(rows, columns)):  # eight columns at a time reached too far
            for j in range(r // LANES * LANES, r):
                target[r, j] = 0.0


@kernel
def sign_indices(bits, count, groups, by_row, by_column):  # type: ignore[no-untyped-def]
    """Split bits (rows, words) into groups of four signs: by_row[r, g] along a row, by_column[c, h] down a column.

    count is a multiple of 8, the rows read. by_column needs 8 * ceil(groups/2) rows and count/4 columns.
    """
    eight = (groups + 1) // 2
    for r in range(count):
        for g in range(groups):
            by_row[r, g] = (bits[r, g >> 4] >> np.uint64(4 * (g & 15))) & np.uint64(15)
    for r in range(0, count, 8):
        for i in range(eight):
            square = np.uint64(0)
            for k in range(8):
                byte = (bits[r + k, i >> 3] >> np.uint64(8 * (i & 7))) & np.uint64(255)
                square |= byte << np.uint64(8 * k)
            # Transpose 8 x 8 bits (H. Warren, Hacker's Delight, section 7-3).
            swap = (square ^ (square >> np.uint64(7))) & np.uint64(0x00AA00AA00AA00AA)
            square ^= swap ^ (swap << np.uint64(7))
            swap = (square ^ (square >> np.uint64(14))) & np.uint64(0x0000CCCC0000CCCC)
            square ^= swap ^ (swap << np.uint64(14))
            swap = (square ^ (square >> np.uint64(28))) & np.uint64(0x00000000F0F0F0F0)
            square ^= swap ^ (swap << np.uint64(28))
            for k in range(8):
                byte = (square >> np.uint64(8 * k)) & np.uint64(255)
                by_column[8 * i + k, r >> 2] = byte & np.uint64(15)
                by_column[8 * i + k, (r >> 2) + 1] = byte >> np.uint64(4)
