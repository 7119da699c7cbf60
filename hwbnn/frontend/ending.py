# SPDX-License-Identifier: Apache-2.0
"""Ending: from the last integers to the model's floats, or to the index of the greatest."""

from dataclasses import replace
from enum import Enum

import numpy as np

from hwbnn.errors import ModelError
from hwbnn.frontend.chain import Affine, Chain, Entry, Levels, at
from hwbnn.frontend.names import unique
from hwbnn.ir.dtype import BIPOLAR, IntArray, signed, smallest
from hwbnn.ir.graph import FloatArray, OutputSteps, OutputValues
from hwbnn.ir.ops import ArgMax, Dense, Op, Table

MAX_VALUES = 1 << 22  # entries of a table of the model's floats


class Output(Enum):
    """What the hardware gives."""

    VALUES = "values"  # the last integers, from which the model's floats follow
    LABEL = "label"  # the index of the greatest; the lowest index wins a tie


def output_floats(chain: Chain, where: str) -> FloatArray:
    """Return the model's floats (elements or 1, span) for every integer before the output."""
    assert chain.entry is not None
    low, high = chain.entry.low, chain.entry.high
    examples, function = chain.functions
    columns = 1 if examples.size == 1 else function.size
    if (high - low + 1) * columns > MAX_VALUES:
        raise ModelError(
            f"{where}: output must have at most {MAX_VALUES} values in all, not {columns} x "
            f"{high - low + 1}, for the hardware to choose the class, or for a formula that is no "
            "product or sum; let the host choose, or put a quantizer before the output"
        )
    floats = chain.spread(np.arange(low, high + 1)).T
    return floats if examples.size == 1 else floats[function]


def output_values(chain: Chain, where: str) -> OutputValues | OutputSteps | None:
    """Return how the floats follow: None if they are the integers themselves.

    A table of every integer's, or a formula where that would be too long.
    """
    assert chain.entry is not None
    steps = _steps(chain)
    if steps is not None and chain.elements * (chain.entry.high - chain.entry.low) > MAX_VALUES:
        return None if _is_integer(steps, chain.entry) else steps
    floats = output_floats(chain, where)
    if (floats == np.arange(chain.entry.low, chain.entry.high + 1)).all():
        return None
    rows = floats[:1] if (floats == floats[:1]).all() else floats
    return OutputValues(np.ascontiguousarray(rows), chain.entry.low)


def _steps(chain: Chain) -> OutputSteps | None:
    """Return the formula of a chain that has only arithmetic with constants."""
    entry, every = chain.entry, np.arange(chain.elements)
    steps = [step.arithmetic for step in chain.floats]
    if not isinstance(entry, Affine) or not all(steps):
        return None
    operands = (
        (step.arithmetic[0], step.arithmetic[1].reshape(-1)[at(step.labels, every)])
        for step in chain.floats
        if step.arithmetic is not None
    )
    rows = entry.labels
    return OutputSteps(entry.scale[rows], entry.offset[rows], tuple(operands))


def _is_integer(formula: OutputSteps, entry: Entry) -> bool:
    """The floats are the integers themselves."""
    plain = not formula.steps and (formula.scale == 1).all() and (formula.offset == 0).all()
    return bool(plain) and max(-entry.low, entry.high) <= 1 << 24  # float32 holds them all


def label_ops(ops: tuple[Op, ...], chain: Chain, floats: FloatArray, name: str) -> tuple[Op, ...]:
    """Return ops with the choice of the greatest float at the end.

    If all elements share one rising function the integers are compared; if a falling one, those of
    negated weights; else the ranks of the floats, which tie exactly where the floats do.
    """
    assert chain.entry is not None
    source = ops[-1]
    index = smallest(0, max(1, source.elements - 1))
    name = unique(name, (op.name for op in ops))
    steps = np.diff(floats, axis=1)
    if isinstance(chain.entry, Levels) and source.dtype == BIPOLAR:
        steps = floats[:, 2:] - floats[:, :1]
    if (floats == floats[:1]).all() and (steps > 0).all():
        return (*ops, ArgMax(name, source.name, index))
    if (floats == floats[:1]).all() and (steps < 0).all() and isinstance(source, Dense):
        negated = _negated(source)
        return (*ops[:-1], negated, ArgMax(name, negated.name, index))
    ranks: IntArray = np.unique(floats, return_inverse=True)[1].reshape(floats.shape)
    rows = ranks[:1] if (ranks == ranks[:1]).all() else ranks
    table = Table(
        unique(f"{name}_rank", (op.name for op in ops)),
        source.name,
        source.elements,
        rows.astype(np.int64),
        chain.entry.low,
        smallest(0, max(1, int(ranks.max()))),
        source.vectors,
    )
    return (*ops, table, ArgMax(name, table.name, index))


def _negated(op: Dense) -> Dense:
    dtype = op.weight_dtype
    if dtype != BIPOLAR and (op.weights == dtype.min).any():
        dtype = signed(dtype.bits + 1)
    ends = op.dtype.min, op.dtype.max
    return replace(
        op,
        weights=-op.weights,
        weight_dtype=dtype,
        dtype=smallest(-ends[1], -ends[0]),
    )
