# SPDX-License-Identifier: Apache-2.0
"""FINN's operators for each kind of unit. What FINN can and cannot express stands here alone.

These are facts of FINN, not of the units, which is why they are not in the units' own files.
Attributes are those of finn-plus 1.6.1 (src/finn/custom_op/fpgadataflow).
"""

from dataclasses import replace
from typing import Protocol

import numpy as np

from hwbnn.emit import finn_steps
from hwbnn.emit.finn_elementwise import elementwise, turned, with_constant
from hwbnn.emit.finn_graph import Implementation, Meaning, Tensor, Writer, as_numbers, number_type
from hwbnn.emit.finn_steps import Steps
from hwbnn.emit.finn_types import identity, plain_thresholds, source
from hwbnn.emit.finn_window import pool_windows, windows
from hwbnn.ir.design import Design, Instance
from hwbnn.ir.dtype import BIPOLAR, DType, IntArray, Kind, smallest, unsigned
from hwbnn.ir.ops import sum_range
from hwbnn.ir.unit import Style, Unit
from hwbnn.units.add import Add
from hwbnn.units.arg_max import ArgMax
from hwbnn.units.concat import Concat
from hwbnn.units.fork import Fork
from hwbnn.units.lookup import Lookup
from hwbnn.units.max_pool import MaxPool
from hwbnn.units.mvu import Mvu
from hwbnn.units.sliding_window import SlidingWindow
from hwbnn.units.sum_pool import SumPool
from hwbnn.units.thresholds import Thresholds

RAM_STYLES = {Style.AUTO: "auto", Style.DISTRIBUTED: "distributed", Style.BLOCK: "block"}


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
            return _fork(place, unit)
        case Mvu():
            return [_mvu(place, unit)]
        case Thresholds():
            return [_thresholds(place, unit)]
        case Lookup():
            return [_lookup(place, unit)]
        case ArgMax():
            return [_label_select(place, unit)]
        case _:
            return [_reduced_or_joined(place, unit)]


def _reduced_or_joined(place: Emitted, unit: Unit) -> Tensor:
    match unit:
        case MaxPool():
            return _max_pool(place, unit)
        case SumPool():
            dtype = number_type(*_ends(unit.output_dtype))
            return _pool(place, unit.pe, unit.taps, "AccPool", dtype)
        case Add():
            return _add(place, unit)
        case Concat():
            return _concat(place, unit)
        case _:
            raise AssertionError(f"{unit} was to be refused")


# ---- products and thresholds ---------------------------------------------------------------------


def _mvu(place: Emitted, unit: Mvu) -> Tensor:
    x = place.take(shape=_input_shape(place, unit), lanes=unit.simd)
    bits = x.dtype == unsigned(1)
    synapses, neurons = unit.synapses, unit.neurons
    ends = (0, synapses) if bits else sum_range(unit.weights, *_ends(x.dtype))
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
        "ram_style": RAM_STYLES[unit.weight_style],
        "resType": "lut",
    }
    shape, edge = (*x.shape[:-1], neurons), place.edge()
    if unit.thresholds is None:
        return _sums(place, unit, inputs, attributes, shape, ends)
    found = _mvu_steps(place, unit, ends, bits=bits)
    low, high = ends
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


def _mvu_steps(place: Emitted, unit: Mvu, ends: tuple[int, int], *, bits: bool) -> Steps:
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
        ends=ends,
    )


def _sums(
    place: Emitted,
    unit: Mvu,
    inputs: list[str],
    attributes: dict[str, object],
    shape: tuple[int, ...],
    ends: tuple[int, int],
) -> Tensor:
    """A product without thresholds; of bits it counts ones, which is made the sum behind it."""
    edge, name = place.edge(), place.instance.name
    dtype = number_type(*ends)
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


def _lookup(place: Emitted, unit: Lookup) -> Tensor:
    if identity(unit):
        tensor = place.take(lanes=unit.pe)
        return _renamed(tensor, place.edge())
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
        low, high = _ends(x.dtype)
        both = number_type(min(low, -high), max(high, -low))
        signs = np.where(down, -1, 1)
        meaning = replace(x.meaning, factor=signs * x.meaning.factor)
        x = turned(place.writer, x, signs, both, f"{edge}_turned", meaning)
    ends = _ends(x.dtype)
    found = finn_steps.steps(rows, base=base, dtype=dtype, numbers=place.numbers(), ends=ends)
    compared = smallest(min(ends[0], 0), ends[1] + 1)
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


# ---- pools and joins -----------------------------------------------------------------------------


def _max_pool(place: Emitted, unit: MaxPool) -> Tensor:
    """The least of a channel is minus the greatest of its negative: `windows` negates before."""
    signs = np.where(unit.minimum, -1, 1) if unit.minimum.any() else None
    if signs is None:
        return _pool(place, unit.pe, unit.taps, "MaxPool", None)
    edge = place.edge()
    x = _pool(place, unit.pe, unit.taps, "MaxPool", None, name=f"{edge}_turned")
    dtype = number_type(*_ends(unit.dtype))
    return turned(place.writer, x, signs, dtype, edge, Meaning(edge))


def _pool(
    place: Emitted, pe: int, taps: int, function: str, dtype: DType | None, *, name: str = ""
) -> Tensor:
    """Reduce windows, and so keep what the elements mean; dtype None: theirs."""
    x = pool_windows(place, pe=pe, taps=taps)
    channels = x.channels // taps
    dtype = x.dtype if dtype is None else dtype
    meaning = replace(x.meaning, edge=place.edge(), order=None)
    made = Tensor(name or place.edge(), (*x.shape[:-1], channels), dtype, x.lanes, meaning)
    attributes = {
        "Channels": channels,
        "PE": x.lanes,
        "KernelSize": [taps, 1],
        "Function": function,
        "OutImgDims": list(x.shape[1:-1]),
        "InputDataType": x.type_name,
        "OutputDataType": made.type_name,
        "AccumBits": 0 if function == "MaxPool" else dtype.bits,
    }
    owner = place.instance.name
    place.writer.add("Pool", Implementation.HLS, [x.name], [made], attributes, instance=owner)
    return made


def _fork(place: Emitted, unit: Fork) -> list[Tensor]:
    x = place.take(lanes=unit.pe)
    made = [_renamed(x, place.edge(way)) for way in range(unit.ways)]
    attributes = {
        "NumChannels": x.channels,
        "PE": x.lanes,
        "NumOutputStreams": unit.ways,
        "inputDataType": x.type_name,
        "numInputVectors": x.vectors,
    }
    name = place.instance.name
    place.writer.add(
        "DuplicateStreams", Implementation.HLS, [x.name], made, attributes, instance=name
    )
    return made


def _add(place: Emitted, unit: Add) -> Tensor:
    """Sums two at a time; a shift is a product with a constant."""
    edge, terms = place.edge(), []
    shapes = [place.shape(port) for port in range(len(unit.input_dtypes))]
    widest = max(shapes, key=len)
    shifts = unit.shifts or (0,) * len(shapes)
    for port, shift in enumerate(shifts):
        x = place.take(port, shape=widest, lanes=unit.pe)
        if shift:
            low, high = _ends(x.dtype)
            dtype = number_type(low << shift, high << shift)
            meaning = Meaning(x.meaning.edge, x.meaning.order, x.meaning.factor << shift)
            shifted = Tensor(f"{edge}_term_{port}", x.shape, dtype, unit.pe, meaning)
            x = with_constant(place.writer, "ElementwiseMul", x, np.array([1 << shift]), shifted)
        terms.append(x)
    total, *others = terms
    for index, term in enumerate(others, 1):
        last = index == len(others)
        ends = [a + b for a, b in zip(_ends(total.dtype), _ends(term.dtype), strict=True)]
        meaning = Meaning(edge if last else "")
        name = edge if last else f"{edge}_sum_{index}"
        made = Tensor(name, total.shape, number_type(*ends), unit.pe, meaning)
        attributes = elementwise(total, term.shape, term.type_name, made, style="input")
        inputs, owner = [total.name, term.name], place.instance.name
        place.writer.add(
            "ElementwiseAdd", Implementation.HLS, inputs, [made], attributes, instance=owner
        )
        total = made
    return total


def _concat(place: Emitted, unit: Concat) -> Tensor:
    parts = [place.take(port, lanes=unit.pe) for port in range(len(unit.channels))]
    first, edge = parts[0], place.edge()
    meaning = Meaning(edge, offset=first.meaning.offset, divisor=first.meaning.divisor)
    shape = (*first.shape[:-1], sum(unit.channels))
    made = Tensor(edge, shape, _joined([part.dtype for part in parts]), unit.pe, meaning)
    attributes = {
        "SIMD": unit.pe,
        "ChannelsPerStream": list(unit.channels),
        "inputDataTypes": [part.type_name for part in parts],
        "numInputVectors": first.vectors,
    }
    names, name = [part.name for part in parts], place.instance.name
    place.writer.add(
        "StreamingConcat", Implementation.HLS, names, [made], attributes, instance=name
    )
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


def _joined(dtypes: list[DType]) -> DType:
    """Return the type that FINN gives a concatenation."""
    if all(dtype == unsigned(1) for dtype in dtypes):
        return unsigned(1)
    return number_type(min(d.min for d in dtypes), max(d.max for d in dtypes))


def _ends(dtype: DType) -> tuple[int, int]:
    return dtype.min, dtype.max


def _meaning(edge: str, found: Steps, dtype: DType) -> Meaning:
    if dtype.kind is Kind.BIPOLAR and found.dtype == unsigned(1):
        return Meaning(edge, offset=1, divisor=2)
    return Meaning(edge)


def _renamed(tensor: Tensor, edge: str) -> Tensor:
    """The same values, as those of another edge."""
    old = tensor.meaning
    meaning = Meaning(edge, old.order, old.factor, old.offset, old.divisor)
    return Tensor(edge, tensor.shape, tensor.dtype, tensor.lanes, meaning)
