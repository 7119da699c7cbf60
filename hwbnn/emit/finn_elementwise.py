# SPDX-License-Identifier: Apache-2.0
"""FINN's elementwise operators: two streams, or a stream and constants a channel."""

from hwbnn.emit.finn_graph import Implementation, Meaning, Tensor, Writer, number_type
from hwbnn.ir.dtype import DType, IntArray


def with_constant(writer: Writer, kind: str, x: Tensor, values: IntArray, made: Tensor) -> Tensor:
    """Add an operator of a stream and a constant, one or one a channel."""
    dtype = number_type(int(values.min()), int(values.max()))
    constant = writer.constant(f"{made.name}_by", values, dtype)
    attributes = elementwise(x, tuple(values.shape), str(dtype), made, style="const")
    writer.add(kind, Implementation.HLS, [x.name, constant], [made], attributes)
    return made


def turned(
    writer: Writer, x: Tensor, signs: IntArray, dtype: DType, name: str, meaning: Meaning
) -> Tensor:
    """Negate channels whose sign is -1."""
    made = Tensor(name, x.shape, dtype, x.lanes, meaning)
    return with_constant(writer, "ElementwiseMul", x, signs, made)


def elementwise(
    x: Tensor, shape: tuple[int, ...], dtype: str, made: Tensor, *, style: str
) -> dict[str, object]:
    """Return the attributes of an operator of two inputs; style of the other one: input, const."""
    return {
        "lhs_dtype": x.type_name,
        "rhs_dtype": dtype,
        "out_dtype": made.type_name,
        "lhs_shape": list(x.shape),
        "rhs_shape": list(shape),
        "out_shape": list(made.shape),
        "lhs_style": "input",
        "rhs_style": style,
        "PE": made.lanes,
    }
