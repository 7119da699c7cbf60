# SPDX-License-Identifier: Apache-2.0
"""FINN's operators that reduce windows, and those where streams part and meet."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from hwbnn.emit.finn_elementwise import elementwise, turned, with_constant
from hwbnn.emit.finn_graph import Implementation, Meaning, Tensor, ends, number_type, renamed
from hwbnn.emit.finn_types import source
from hwbnn.emit.finn_window import pool_windows
from hwbnn.ir.dtype import DType, unsigned
from hwbnn.units.add import Add
from hwbnn.units.concat import Concat
from hwbnn.units.fork import Fork
from hwbnn.units.max_pool import MaxPool
from hwbnn.units.sliding_window import SlidingWindow
from hwbnn.units.sum_pool import SumPool

if TYPE_CHECKING:
    from hwbnn.emit.finn_units import Emitted


def max_pool(place: Emitted, unit: MaxPool) -> Tensor:
    """The least of a channel is minus the greatest of its negative: `windows` negates before."""
    signs = np.where(unit.minimum, -1, 1) if unit.minimum.any() else None
    if signs is None:
        return _pool(place, unit.pe, unit.taps, "MaxPool", None)
    edge = place.edge()
    x = _pool(place, unit.pe, unit.taps, "MaxPool", None, name=f"{edge}_turned")
    dtype = number_type(*ends(unit.dtype))
    return turned(place.writer, x, signs, dtype, edge, Meaning(edge))


def sum_pool(place: Emitted, unit: SumPool) -> Tensor:
    """Sums of windows; over the whole image FINN has an operator of its own."""
    if unit.taps == 1 or isinstance(source(place.design, place.instance.name), SlidingWindow):
        return _pool(place, unit.pe, unit.taps, "AccPool", number_type(*ends(unit.output_dtype)))
    x, edge = place.take(lanes=unit.pe), place.edge()
    low, high = ends(x.dtype)
    dtype = number_type(unit.taps * low, unit.taps * high)  # the one that FINN reckons with
    made = Tensor(edge, (1, 1, 1, x.channels), dtype, x.lanes, Meaning(edge))
    attributes = {
        "NumChannels": x.channels,
        "PE": x.lanes,
        "inputDataType": x.type_name,
        "numInputVectors": x.vectors,
    }
    name = place.instance.name
    kind = "GlobalAccPool"
    place.writer.add(kind, Implementation.HLS, [x.name], [made], attributes, instance=name)
    return made


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
        "KernelSize": [taps, 1],  # only their product counts
        "Function": function,
        "OutImgDims": list(x.shape[1:-1]),
        "InputDataType": x.type_name,
        "OutputDataType": made.type_name,
        "AccumBits": 0 if function == "MaxPool" else dtype.bits,
    }
    owner = place.instance.name
    place.writer.add("Pool", Implementation.HLS, [x.name], [made], attributes, instance=owner)
    return made


def fork(place: Emitted, unit: Fork) -> list[Tensor]:
    """Copies of a stream."""
    x = place.take(lanes=unit.pe)
    made = [renamed(x, place.edge(way)) for way in range(unit.ways)]
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


def add(place: Emitted, unit: Add) -> Tensor:
    """Sums two at a time; a factor is a product with a constant."""
    edge, terms = place.edge(), []
    shapes = [place.shape(port) for port in range(len(unit.input_dtypes))]
    widest = max(shapes, key=len)
    for port, factor in enumerate(unit.by_input):
        x = place.take(port, shape=widest, lanes=unit.pe)
        if factor > 1:
            low, high = ends(x.dtype)
            dtype = number_type(low * factor, high * factor)
            meaning = Meaning(x.meaning.edge, x.meaning.order, x.meaning.factor * factor)
            scaled = Tensor(f"{edge}_term_{port}", x.shape, dtype, unit.pe, meaning)
            x = with_constant(place.writer, "ElementwiseMul", x, np.array([factor]), scaled)
        terms.append(x)
    total, *others = terms
    for index, term in enumerate(others, 1):
        last = index == len(others)
        both = [a + b for a, b in zip(ends(total.dtype), ends(term.dtype), strict=True)]
        meaning = Meaning(edge if last else "")
        name = edge if last else f"{edge}_sum_{index}"
        made = Tensor(name, total.shape, number_type(*both), unit.pe, meaning)
        attributes = elementwise(total, term.shape, term.type_name, made, style="input")
        inputs, owner = [total.name, term.name], place.instance.name
        place.writer.add(
            "ElementwiseAdd", Implementation.HLS, inputs, [made], attributes, instance=owner
        )
        total = made
    return total


def concat(place: Emitted, unit: Concat) -> Tensor:
    """The channels of one stream behind those of another."""
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


def _joined(dtypes: list[DType]) -> DType:
    """Return the type that FINN gives a concatenation."""
    if all(dtype == unsigned(1) for dtype in dtypes):
        return unsigned(1)
    return number_type(min(d.min for d in dtypes), max(d.max for d in dtypes))
