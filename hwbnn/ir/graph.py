# SPDX-License-Identifier: Apache-2.0
"""Graph: the network in integers, as imported and checked against the model."""

from dataclasses import dataclass, replace
from enum import Enum
from typing import TypeAlias, assert_never

import numpy as np

from hwbnn.errors import ModelError
from hwbnn.ir.dtype import IntArray
from hwbnn.ir.ops import Input, Op, Permute
from hwbnn.ir.ranges import value_range

FloatArray: TypeAlias = np.ndarray[tuple[int, ...], np.dtype[np.float32]]
DoubleArray: TypeAlias = np.ndarray[tuple[int, ...], np.dtype[np.float64]]


@dataclass(frozen=True)
class Preprocess:
    """How the model's float input follows from the user's pixel p: (p / divisor - mean) / std."""

    divisor: float = 255.0
    mean: float = 0.0
    std: float = 1.0

    def apply(self, pixels: IntArray) -> FloatArray:
        """Pixels to the model's float32 input, each step rounded to float32."""
        scaled = pixels.astype(np.float32) / np.float32(self.divisor)
        shifted = scaled - np.float32(self.mean)
        return np.asarray(shifted / np.float32(self.std), np.float32)

    def __str__(self) -> str:
        scaled = "p" if self.divisor == 1 else f"p / {self.divisor:g}"
        if self.mean == 0 and self.std == 1:
            return f"x = {scaled}"
        return f"x = ({scaled} - {self.mean:g}) / {self.std:g}"


@dataclass(frozen=True, eq=False)
class OutputValues:
    """The model's float32 output for each integer that the graph can give.

    values is float32 (elements or 1, span): the model says values[e, y[e] - low].
    """

    values: FloatArray
    low: int

    def apply(self, output: IntArray) -> FloatArray:
        """Integers (frames, elements) to the model's own floats."""
        rows = np.arange(output.shape[1]) if self.values.shape[0] > 1 else 0
        floats: FloatArray = self.values[rows, output - self.low]
        return floats


class Arithmetic(Enum):
    """An operation of two float32 numbers, rounded once."""

    ADD = "add"
    SUBTRACT = "subtract"
    MULTIPLY = "multiply"
    DIVIDE = "divide"

    def __call__(self, x: FloatArray, operand: FloatArray) -> FloatArray:
        """Return x with the operand added, subtracted, and so on."""
        match self:
            case Arithmetic.ADD:
                return x + operand
            case Arithmetic.SUBTRACT:
                return x - operand
            case Arithmetic.MULTIPLY:
                return x * operand
            case Arithmetic.DIVIDE:
                return x / operand
            case _:
                assert_never(self)


@dataclass(frozen=True, eq=False)
class OutputSteps:
    """The model's float32 output by a formula, where a table of all integers would be too long.

    scale * y + offset, rounded to float32 (both are (elements,)), then each step with its operand
    (elements,).
    """

    scale: DoubleArray
    offset: DoubleArray
    steps: tuple[tuple[Arithmetic, FloatArray], ...]

    def apply(self, output: IntArray) -> FloatArray:
        """Integers (frames, elements) to the model's own floats."""
        floats: FloatArray = np.asarray(output * self.scale + self.offset, np.float32)
        for arithmetic, operand in self.steps:
            floats = arithmetic(floats, operand)
        return floats


@dataclass(frozen=True, eq=False)
class Graph:
    """Integer operators in topological order; the first is the Input.

    input_shape: the model's own input shape without the batch. output: the value the hardware
    gives. output_values: how the model's float output follows from it (None: it is the integer).
    host: operators that the host runs on the pixels before they are sent (packed input mode): an
    Input of pixels in the model's own order and what follows, the last with the name of this
    graph's own Input. Empty when pixels are sent as they are.
    """

    name: str
    ops: tuple[Op, ...]
    output: str
    input_shape: tuple[int, ...]
    preprocess: Preprocess
    output_values: OutputValues | OutputSteps | None = None
    classes: tuple[str, ...] = ()
    host: tuple[Op, ...] = ()

    def __getitem__(self, name: str) -> Op:
        for op in self.ops:
            if op.name == name:
                return op
        raise ModelError(
            f"{self.name}: value must be one of {', '.join(op.name for op in self.ops)}, not {name}"
        )

    @property
    def input(self) -> Input:
        """The operator through which frames enter."""
        first = self.ops[0]
        assert isinstance(first, Input)
        return first

    @property
    def by_name(self) -> dict[str, Op]:
        """Operators by name."""
        return {op.name: op for op in self.ops}

    def range_of(self, name: str) -> tuple[int, int]:
        """Return the least and greatest element of a value."""
        return value_range(self[name], self.by_name)

    def readers(self, name: str) -> tuple[Op, ...]:
        """Operators that read a value, each once."""
        return tuple(op for op in self.ops if name in op.sources)

    @property
    def on_pixels(self) -> "Graph":
        """This graph with the host's part in front: pixels in."""
        return replace(self, ops=self.host + self.ops[1:], host=()) if self.host else self

    @property
    def packed(self) -> bool:
        """The host does more than reorder pixels: it quantizes them."""
        return any(not isinstance(op, Input | Permute) for op in self.host)

    @property
    def host_part(self) -> "Graph | None":
        """The host's part alone: pixels in, what is sent out. None if pixels are sent."""
        if not self.host:
            return None
        return replace(self, ops=self.host, host=(), output=self.input.name, output_values=None)
