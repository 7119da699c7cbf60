# SPDX-License-Identifier: Apache-2.0
"""Machine operations that numba has no function for: pointers, and vectors of 64 lanes.

numba's cache of the modules that import this one does not see a change here: touch them too.
"""

from collections.abc import Callable
from typing import Any

from llvmlite import ir  # type: ignore[import-untyped]
from numba import types
from numba.extending import intrinsic

LANES = 64  # of a vector operation here; LLVM splits it into what the processor has
_REGISTER = 64  # bytes of an AVX-512 register
_I64, _I32 = ir.IntType(64), ir.IntType(32)


def _first_item(typing: Any, array: Any) -> Any:
    """Return a pointer to an array's first item.

    Indexing a pointer costs one instruction: no reference count, no test for a negative index.
    """

    def code(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return context.make_array(signature.args[0])(context, builder, arguments[0]).data

    return types.CPointer(array.dtype)(array), code  # type: ignore[no-untyped-call]


def _mismatches(
    typing: Any, out: Any, x: Any, x_at: Any, weights: Any, weights_at: Any, words: Any
) -> Any:
    """Count, in each of 64 lanes, the bits in which x differs from the lane's weights.

    out[lane] = sum over k of popcount(x[x_at + k] ^ weights[weights_at + 64 * k + lane]). The
    counts stay in registers (VPOPCNTQ where the processor has it).
    """

    def add(builder: Any, total: Any, word: Any, weight: Any) -> Any:
        return builder.add(total, _popcount(builder, builder.xor(word, weight)))

    return types.void(out, x, types.intp, weights, types.intp, types.intp), _accumulate(
        _I64, 8, add
    )


def _dot(
    typing: Any, out: Any, x: Any, x_at: Any, weights: Any, weights_at: Any, count: Any
) -> Any:
    """Multiply a row with the weights of 64 lanes; all of x's type: float32, float64 or int64.

    out[lane] = sum over k of x[x_at + k] * weights[weights_at + 64 * k + lane].
    """

    def add(builder: Any, total: Any, value: Any, weight: Any) -> Any:
        if isinstance(x.dtype, types.Float):
            factors = builder.fmul(value, weight, flags=("contract",))  # one FMA with the sum
            return builder.fadd(total, factors, flags=("contract",))
        return builder.add(total, builder.mul(value, weight))

    signature = types.void(out, x, types.intp, weights, types.intp, types.intp)
    return signature, _accumulate(_item(x.dtype), x.dtype.bitwidth // 8, add)


def _accumulate(
    item: Any, size: int, add: Callable[[Any, Any, Any, Any], Any]
) -> Callable[..., Any]:
    """Return the code of a loop over a row: total = add(total, the row's item, lane's weight).

    size: bytes of an item.
    """
    vector = ir.VectorType(item, _REGISTER // size)
    groups = LANES // vector.count

    def code(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        out_at, x_first, x_offset, w_first, w_offset, count = arguments
        x_first = builder.gep(x_first, [x_offset])
        w_first = builder.bitcast(builder.gep(w_first, [w_offset]), vector.as_pointer())
        before = builder.block
        loop, after = (builder.append_basic_block(name) for name in ("items", "added"))
        builder.branch(loop)
        builder.position_at_end(loop)
        index = builder.phi(_I64)
        index.add_incoming(_I64(0), before)
        totals = [builder.phi(vector) for _ in range(groups)]
        row = _broadcast(builder, builder.load(builder.gep(x_first, [index])), vector)
        sums = []
        for group, total in enumerate(totals):
            at = builder.add(builder.mul(index, _I64(groups)), _I64(group))
            weight = builder.load(builder.gep(w_first, [at]), align=size)
            total.add_incoming(ir.Constant(vector, [0] * vector.count), before)
            sums.append(add(builder, total, row, weight))
            total.add_incoming(sums[-1], loop)
        following = builder.add(index, _I64(1))
        index.add_incoming(following, loop)
        builder.cbranch(builder.icmp_signed("<", following, count), loop, after)
        builder.position_at_end(after)
        target = builder.bitcast(out_at, vector.as_pointer())
        for group, total in enumerate(sums):
            builder.store(total, builder.gep(target, [_I64(group)]), align=size)
        return context.get_dummy_value()

    return code


def _at_least(typing: Any, x: Any, x_at: Any, bound: Any, bound_at: Any) -> Any:
    """Return 64 bits: bit `lane` is x[x_at + lane] >= bound[bound_at + lane].

    The comparison is made in bound's type, which is signed and holds every x; floats only with
    their like.
    """

    def code(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        def load(pointer: Any, offset: Any, dtype: Any) -> Any:
            vector = ir.VectorType(_item(dtype), LANES)
            first = builder.bitcast(builder.gep(pointer, [offset]), vector.as_pointer())
            return builder.load(first, align=dtype.bitwidth // 8)

        x_type, bound_type = signature.args[0].dtype, signature.args[2].dtype
        left = load(arguments[0], arguments[1], x_type)
        if x_type.bitwidth < bound_type.bitwidth:
            extend = builder.sext if x_type.signed else builder.zext
            left = extend(left, ir.VectorType(ir.IntType(bound_type.bitwidth), LANES))
        right = load(arguments[2], arguments[3], bound_type)
        compare = builder.icmp_signed
        if isinstance(bound_type, types.Float):
            compare = builder.fcmp_ordered
        return builder.bitcast(compare(">=", left, right), _I64)

    return types.uint64(x, types.intp, bound, types.intp), code


first_item: Callable[..., Any] = intrinsic(_first_item)
mismatches: Callable[..., Any] = intrinsic(_mismatches)
dot: Callable[..., Any] = intrinsic(_dot)
at_least: Callable[..., Any] = intrinsic(_at_least)


def _item(dtype: Any) -> Any:
    if isinstance(dtype, types.Float):
        return ir.FloatType() if dtype.bitwidth == 32 else ir.DoubleType()
    return ir.IntType(dtype.bitwidth)


def _broadcast(builder: Any, item: Any, vector: Any) -> Any:
    undefined = ir.Constant(vector, ir.Undefined)
    single = builder.insert_element(undefined, item, _I32(0))
    zeros = ir.Constant(ir.VectorType(_I32, vector.count), [0] * vector.count)
    return builder.shuffle_vector(single, undefined, zeros)


def _popcount(builder: Any, vector: Any) -> Any:
    kind = vector.type
    name = f"llvm.ctpop.v{kind.count}i64"
    function = builder.module.globals.get(name)
    if function is None:
        function = ir.Function(builder.module, ir.FunctionType(kind, [kind]), name)
    return builder.call(function, [vector])
