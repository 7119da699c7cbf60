# SPDX-License-Identifier: Apache-2.0
"""FINN's operators for each kind of unit. What FINN can and cannot express stands here alone.

These are facts of FINN, not of the units, which is why they are not in the units' own files.
Attributes are those of finn-plus 1.6.1 (src/finn/custom_op/fpgadataflow).
"""

from dataclasses import replace
from typing import Protocol

import numpy as np

from hwbnn.emit import finn_joins, finn_steps
from hwbnn.emit.finn_elementwise import turned, with_constant
from hwbnn.emit.finn_graph import (
    Implementation,
    Meaning,
    Tensor,
    Writer,
    as_numbers,
    ends,
    number_type,
    renamed,
)
from hwbnn.emit.finn_steps import Steps
from hwbnn.emit.finn_types import identity, plain_thresholds, source
from hwbnn.emit.finn_window import windows
from hwbnn.ir.design import Design, Instance
from hwbnn.ir.dtype import BIPOLAR, DType, IntArray, Kind, smallest, unsigned
from hwbnn.ir.ranges import sum_range
from hwbnn.ir.unit import Unit
from hwbnn.units.add import Add
from hwbnn.units.arg_max import ArgMax
from hwbnn.units.concat import Concat
from hwbnn.units.fork import Fork
from hwbnn.units.lookup import Lookup
from hwbnn.units.max_pool import MaxPool
from hwbnn.units.mvu import Mvu
from hwbnn.units.rescale import Rescale
from hwbnn.units.sliding_window import SlidingWindow
from hwbnn.units.sum_pool import SumPool
from hwbnn.units.thresholds import Thresholds


class Emitted(Protocol):
    """An instance, and the streams around it."""

    design: Design
    instance: Instance
    writer: Writer

    def shape(self, port: int = 0) -> tuple[int, ...]:
        """Shape of what comes in."""

    def take(
        self, port: int = 0, *, shape: tuple[int, ...] | None = None, lanes: int | None = None
    ) -> Tensor:
        """Bring what comes in into a shape and to lanes."""

    def edge(self, port: int = 0) -> str:
        """Name of the edge that is written."""

    def numbers(self, port: int = 0) -> bool:
        """One-bit values on the edge that is written are carried as numbers."""

    def labelled(self) -> bool:
        """Only an ArgMax reads what is written."""


def operators(place: Emitted) -> list[Tensor]:
    """Add the operators of a unit; return what it writes, by port."""
    unit = place.instance.unit
    match unit:
        case SlidingWindow():
            return [windows(place, unit)]
        case Fork():
            return finn_joins.fork(place, unit)
        case Mvu():
            return [_mvu(place, unit)]
        case Thresholds():
            return [_thresholds(place, unit)]
        case Lookup() | Rescale():
            return [_table(place, unit)]
        case ArgMax():
            return [_label_select(place, unit)]
        case _:
            return [_reduced_or_joined(place, unit)]


def _reduced_or_joined(place: Emitted, unit: Unit) -> Tensor:
    match unit:
        case MaxPool():
            return finn_joins.max_pool(place, unit)
        case SumPool():
            return finn_joins.sum_pool(place, unit)
        case Add():
            return finn_joins.add(place, unit)
        case Concat():
            return finn_joins.concat(place, unit)
        case _:
            raise AssertionError(f"{unit} was to be refused")


# ---- products and thresholds ---------------------------------------------------------------------


def _mvu(place: Emitted, unit: Mvu) -> Tensor:
    x = place.take(shape=_input_shape(place, unit), lanes=unit.simd)
    bits = x.dtype == unsigned(1)
    synapses, neurons = unit.synapses, unit.neurons
    reach = (0, synapses) if bits else sum_range(unit.weights, *ends(x.dtype))
    name, weight_dtype = place.instance.name, _weight_dtype(unit, bits=bits)
    matrix = _row_major(unit, source(place.design, name)).T
    weights = (matrix + 1) // 2 if bits else matrix
    inputs = [x.name, place.writer.constant(f"{name}_weights", weights, weight_dtype)]
    attributes: dict[str, object] = {
        "MW": synapses,
        "MH": neurons,
        "SIMD": unit.simd,
        "PE": unit.pe,
        "inputDataType": x.type_name,
        "weightDataType": str(weight_dtype) if not bits else "BINARY",
        "numInputVectors": x.vectors,
        "binaryXnorMode": int(bits),
        "mem_mode": "internal_decoupled",
        "ram_style": unit.weight_style.value,
        "resType": unit.multipliers.value,
    }
    shape, edge = (*x.shape[:-1], neurons), place.edge()
    if unit.thresholds is None:
        return _sums(place, unit, inputs, attributes, shape, reach)
    found = _mvu_steps(place, unit, reach, bits=bits)
    low, high = reach
    sums = smallest(low, high + 1)  # a threshold may be one above
    constant = place.writer.constant(f"{name}_thresholds", found.thresholds, sums)
    made = Tensor(edge, shape, found.dtype, unit.pe, _meaning(edge, found, unit.output_dtype))
    attributes |= {
        "accDataType": str(sums),
        "outputDataType": made.type_name,
        "ActVal": found.base,
        "noActivation": 0,
    }
    place.writer.add(
        "MVAU", Implementation.HLS, [*inputs, constant], [made], attributes, instance=name
    )
    return made


def _mvu_steps(place: Emitted, unit: Mvu, reach: tuple[int, int], *, bits: bool) -> Steps:
    thresholds = unit.thresholds
    assert thresholds is not None
    if unit.border is not None:
        thresholds = plain_thresholds(unit, source(place.design, place.instance.name))
    if bits:  # sum = 2 * ones - synapses
        thresholds = -((-(thresholds + unit.synapses)) // 2)
    return finn_steps.steps(
        thresholds,
        base=unit.base,
        dtype=unit.output_dtype,
        numbers=place.numbers(),
        ends=reach,
    )


def _sums(
    place: Emitted,
    unit: Mvu,
    inputs: list[str],
    attributes: dict[str, object],
    shape: tuple[int, ...],
    reach: tuple[int, int],
) -> Tensor:
    """A product without thresholds; of bits it counts ones, which is made the sum behind it."""
    edge, name = place.edge(), place.instance.name
    dtype = number_type(*reach)
    given = {"accDataType": str(dtype), "outputDataType": str(dtype), "noActivation": 1}
    bits = attributes["binaryXnorMode"] == 1
    counted = Meaning(edge, offset=unit.synapses, divisor=2) if bits else Meaning(edge)
    as_it_is = not bits or place.labelled()  # which class wins is the same
    made = Tensor(edge if as_it_is else f"{edge}_ones", shape, dtype, unit.pe, counted)
    place.writer.add("MVAU", Implementation.HLS, inputs, [made], attributes | given, instance=name)
    if as_it_is:
        return made
    twice = Tensor(
        f"{edge}_twice",
        shape,
        number_type(0, 2 * unit.synapses),
        unit.pe,
        Meaning(edge, offset=unit.synapses),
    )
    with_constant(place.writer, "ElementwiseMul", made, np.array([2]), twice)
    sums = Tensor(edge, shape, number_type(-unit.synapses, unit.synapses), unit.pe, Meaning(edge))
    with_constant(place.writer, "ElementwiseAdd", twice, np.array([-unit.synapses]), sums)
    return sums


def _thresholds(place: Emitted, unit: Thresholds) -> Tensor:
    down = np.broadcast_to(unit.descending, (len(unit.thresholds),))
    turned = 1 - unit.thresholds[:, ::-1]  # x < t where -x >= 1 - t
    rows = np.where(down[:, None], turned, unit.thresholds)
    return _compare(place, rows, down, base=unit.base, dtype=unit.output_dtype, pe=unit.pe)


def _table(place: Emitted, unit: Lookup | Rescale) -> Tensor:
    if isinstance(unit, Rescale):
        rows, down, base = finn_steps.of_rescale(unit)
    elif identity(unit):
        tensor = place.take(lanes=unit.pe)
        return renamed(tensor, place.edge())
    else:
        rows, down, base = finn_steps.of_table(unit)
    return _compare(place, rows, down, base=base, dtype=unit.output_dtype, pe=unit.pe)


def _compare(
    place: Emitted,
    rows: IntArray,
    down: np.ndarray[tuple[int, ...], np.dtype[np.bool_]],
    *,
    base: int,
    dtype: DType,
    pe: int,
) -> Tensor:
    """Thresholding; where a row descends, of the input times -1."""
    x = place.take(lanes=pe)
    name, edge = place.instance.name, place.edge()
    if down.any():
        low, high = ends(x.dtype)
        both = number_type(min(low, -high), max(high, -low))
        signs = np.where(down, -1, 1)
        meaning = replace(x.meaning, factor=signs * x.meaning.factor)
        x = turned(place.writer, x, signs, both, f"{edge}_turned", meaning)
    reach = ends(x.dtype)
    found = finn_steps.steps(rows, base=base, dtype=dtype, numbers=place.numbers(), ends=reach)
    compared = smallest(min(reach[0], 0), reach[1] + 1)
    constant = place.writer.constant(f"{name}_thresholds", found.thresholds, compared)
    made = Tensor(edge, x.shape, found.dtype, pe, _meaning(edge, found, dtype))
    attributes = {
        "NumChannels": x.channels,
        "PE": pe,
        "numSteps": int(found.thresholds.shape[1]),
        "inputDataType": x.type_name,
        "weightDataType": str(compared),
        "outputDataType": made.type_name,
        "ActVal": found.base,
        "numInputVectors": x.vectors,
    }
    inputs = [x.name, constant]
    place.writer.add("Thresholding", Implementation.RTL, inputs, [made], attributes, instance=name)
    return made


def _label_select(place: Emitted, unit: ArgMax) -> Tensor:
    x = place.take(lanes=unit.pe)
    dtype = number_type(0, max(unit.elements - 1, 1))
    edge, name = place.edge(), place.instance.name
    made = Tensor(edge, (*x.shape[:-1], 1), dtype, 1, Meaning(edge))
    attributes = {
        "Labels": unit.elements,
        "PE": unit.pe,
        "K": 1,
        "inputDataType": x.type_name,
        "outputDataType": made.type_name,
        "numInputVectors": x.vectors,
    }
    place.writer.add("LabelSelect", Implementation.HLS, [x.name], [made], attributes, instance=name)
    return made


# ---- shared --------------------------------------------------------------------------------------


def _input_shape(place: Emitted, unit: Mvu) -> tuple[int, ...]:
    """Keep positions with as many channels as inputs; else the whole frame is one vector."""
    shape = place.shape()
    if shape[-1] == unit.synapses and int(np.prod(shape[:-1])) == unit.vectors:
        return shape
    return (1, unit.synapses)


def _row_major(unit: Mvu, before: Unit | None) -> IntArray:
    """Weights in FINN's order of taps: row by row, where ours come column by column."""
    if not isinstance(before, SlidingWindow):
        return unit.weights
    by_columns = before.window.by_columns
    by_tap = unit.weights.reshape(len(unit.weights), by_columns.size, -1)
    rows = np.empty_like(by_tap)
    rows[:, by_columns] = by_tap
    return rows.reshape(unit.weights.shape)


def _weight_dtype(unit: Mvu, *, bits: bool) -> DType:
    if unit.weight_dtype.kind is Kind.BIPOLAR:
        return unsigned(1) if bits else BIPOLAR
    return as_numbers(unit.weight_dtype)


def _meaning(edge: str, found: Steps, dtype: DType) -> Meaning:
    if dtype.kind is Kind.BIPOLAR and found.dtype == unsigned(1):
        return Meaning(edge, offset=1, divisor=2)
    return Meaning(edge)
