"""Eight columns at a time, and bit patterns, written in LLVM's intermediate code.

Numba vectorises a loop only where it can rule out that its arrays overlap, at a test for each loop and with leftovers
done singly; the loops here are short, so both cost more than the work. These functions say it outright: load eight
neighbouring floats, add, store. Additions are IEEE, in the order written; nothing is fused or reordered.

Arrays are contiguous float64 and positions count floats from their start. No bounds are checked.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from llvmlite import ir
from numba import types
from numba.extending import intrinsic

__all__ = ["add_four", "add_one", "add_products", "bit_count", "from_bits", "tabulate", "to_bits"]

EIGHT = ir.VectorType(ir.DoubleType(), 8)


def _vector(function: Callable[..., Any]) -> Any:
    """Make the function below part of compiled code; its first argument is numba's own."""
    return intrinsic(function)


class _Code:
    """Loads and stores of eight floats inside one function."""

    def __init__(self, context: Any, builder: Any, signature: Any, arguments: Any) -> None:
        self.context, self.builder, self.signature, self.arguments = context, builder, signature, arguments

    def _pointer(self, array: int, position: Any) -> Any:
        kind = self.signature.args[array]
        data = self.context.make_array(kind)(self.context, self.builder, self.arguments[array]).data
        return self.builder.bitcast(self.builder.gep(data, [position]), EIGHT.as_pointer())

    def load(self, array: int, position: Any) -> Any:
        return self.builder.load(self._pointer(array, position), align=8)

    def store(self, value: Any, array: int, position: Any) -> None:
        self.builder.store(value, self._pointer(array, position), align=8)

    def spread(self, argument: int) -> Any:
        """Eight copies of a float argument."""
        word = ir.IntType(32)
        single = self.builder.insert_element(ir.Constant(EIGHT, ir.Undefined), self.arguments[argument], word(0))
        return self.builder.shuffle_vector(
            single, ir.Constant(EIGHT, ir.Undefined), ir.Constant(ir.VectorType(word, 8), [0] * 8)
        )


@_vector
def add_four(typing_context: Any, target: Any, at: Any, table: Any, p: Any, q: Any, s: Any, t: Any) -> Any:
    """target[at : at + 8] += (table[p...] + table[q...]) + (table[s...] + table[t...])."""

    def code(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        this = _Code(context, builder, signature, arguments)
        first, second, third, fourth = (this.load(2, arguments[i]) for i in (3, 4, 5, 6))
        total = builder.fadd(builder.fadd(first, second), builder.fadd(third, fourth))
        this.store(builder.fadd(this.load(0, arguments[1]), total), 0, arguments[1])
        return context.get_dummy_value()

    i = types.int64
    return types.void(target, i, table, i, i, i, i), code


@_vector
def add_one(typing_context: Any, target: Any, at: Any, table: Any, p: Any) -> Any:
    """target[at : at + 8] += table[p : p + 8]."""

    def code(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        this = _Code(context, builder, signature, arguments)
        this.store(builder.fadd(this.load(0, arguments[1]), this.load(2, arguments[3])), 0, arguments[1])
        return context.get_dummy_value()

    return types.void(target, types.int64, table, types.int64), code


@_vector
def add_products(
    typing_context: Any,
    target: Any,
    at: Any,
    weights: Any,
    p: Any,
    overlap: Any,
    base: Any,
    signs: Any,
    sums: Any,
    byte: Any,
) -> Any:
    """target[at...] += weights[p...] * (overlap * signs[8 byte...] + (base + sums[8 byte...])), eight entries each."""

    def code(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        this = _Code(context, builder, signature, arguments)
        row = builder.mul(arguments[8], ir.IntType(64)(8))
        bracket = builder.fadd(
            builder.fmul(this.spread(4), this.load(6, row)), builder.fadd(this.spread(5), this.load(7, row))
        )
        change = builder.fmul(this.load(2, arguments[3]), bracket)
        this.store(builder.fadd(this.load(0, arguments[1]), change), 0, arguments[1])
        return context.get_dummy_value()

    i, f = types.int64, types.float64
    return types.void(target, i, weights, i, f, f, signs, sums, i), code


@_vector
def tabulate(typing_context: Any, table: Any, at: Any, size: Any, source: Any, p: Any, stride: Any) -> Any:
    """Write the 16 signed sums of four rows of eight floats, source[p + k stride...], to table[at + sums * size...]."""

    def code(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        this = _Code(context, builder, signature, arguments)
        place = arguments[4]
        rows = []
        for _ in range(4):
            rows.append(this.load(3, place))
            place = builder.add(place, arguments[5])
        zero = ir.Constant(EIGHT, [0.0] * 8)
        negative = [builder.fsub(zero, row) for row in rows]
        pairs = []
        for low in (0, 2):
            for bits in range(4):
                pair = [negative[low + k] if bits >> k & 1 else rows[low + k] for k in (0, 1)]
                pairs.append(builder.fadd(*pair))
        place = arguments[1]
        for bits in range(16):
            this.store(builder.fadd(pairs[bits & 3], pairs[4 + (bits >> 2)]), 0, place)
            place = builder.add(place, arguments[2])
        return context.get_dummy_value()

    i = types.int64
    return types.void(table, i, i, source, i, i), code


@_vector
def to_bits(typing_context: Any, value: Any) -> Any:
    """The bit pattern of a float64, as int64."""

    def code(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.bitcast(arguments[0], ir.IntType(64))

    return types.int64(types.float64), code


@_vector
def from_bits(typing_context: Any, value: Any) -> Any:
    """The float64 with a bit pattern."""

    def code(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.bitcast(arguments[0], ir.DoubleType())

    return types.float64(types.int64), code


@_vector
def bit_count(typing_context: Any, value: Any) -> Any:
    """The number of set bits of a uint64."""

    def code(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.ctpop(arguments[0])

    return types.uint64(types.uint64), code
