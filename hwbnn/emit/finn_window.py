# SPDX-License-Identifier: Apache-2.0
"""Sliding windows in FINN: FMPadding, and the generator of windows for convolutions and pools."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from hwbnn.emit.finn_elementwise import turned
from hwbnn.emit.finn_graph import Implementation, Meaning, Tensor, number_type
from hwbnn.emit.finn_types import source
from hwbnn.errors import ModelError
from hwbnn.ir.dtype import BIPOLAR, IntArray, unsigned
from hwbnn.ir.unit import Unit
from hwbnn.ir.window import Window
from hwbnn.units.max_pool import MaxPool
from hwbnn.units.mvu import Mvu
from hwbnn.units.sliding_window import SlidingWindow
from hwbnn.units.sum_pool import SumPool
from hwbnn.units.width_converter import WidthConverter

if TYPE_CHECKING:
    from hwbnn.emit.finn_units import Emitted


def windows(place: Emitted, unit: SlidingWindow) -> Tensor:
    """Add padding and generator; what a pool reads has its channels outermost (depthwise)."""
    w, word, edge = unit.window, unit.word, place.edge()
    pe = _pool_lanes(place)
    lanes = word if pe is None else max(word, pe)  # the pool's order of channels follows its PE
    x = place.take(shape=(1, w.height, w.width, unit.channels), lanes=lanes)
    x = _negated(place, unit, x)
    meaning = replace(x.meaning, order=_by_channel(w.sources.reshape(-1), unit.channels))
    if any(w.padding):
        _check_padding(place, unit, x)
        x = _padded(place, x, w)
    parallel = unit.wide and pe is None
    return _generator(place, x, w, edge, meaning, parallel=parallel, depthwise=pe is not None)


def pool_windows(place: Emitted, *, pe: int, taps: int) -> Tensor:
    """Return the windows that a pool reads; over the whole image they are made here."""
    shape = place.shape()
    if isinstance(source(place.design, place.instance.name), SlidingWindow):
        return place.take()
    if taps == 1:
        return place.take(lanes=pe)
    height, width = shape[1:3]
    assert height * width == taps, (shape, taps)
    x = _negated(place, place.instance.unit, place.take(lanes=pe))
    window = Window(height, width, (height, width))
    name = f"{place.edge()}_windows"
    return _generator(place, x, window, name, x.meaning, parallel=False, depthwise=True)


def _negated(place: Emitted, unit: Unit, x: Tensor) -> Tensor:
    """Negate the channels of which a max-pool wants the least; its -1 and +1 are numbers."""
    reader = unit if isinstance(unit, MaxPool) else _reader(place)
    if not isinstance(reader, MaxPool) or not reader.minimum.any():
        return x
    low, high = reader.dtype.min, reader.dtype.max
    signs = np.where(np.broadcast_to(reader.minimum, (reader.channels,)), -1, 1)
    dtype = number_type(min(low, -high), max(high, -low))
    meaning = replace(x.meaning, factor=signs * x.meaning.factor)
    return turned(place.writer, x, signs, dtype, f"{place.edge()}_negated", meaning)


def _generator(
    place: Emitted,
    x: Tensor,
    w: Window,
    name: str,
    meaning: Meaning,
    *,
    parallel: bool,
    depthwise: bool,
) -> Tensor:
    channels, size = x.channels, [x.shape[1], x.shape[2]]
    shape = (1, w.out_height, w.out_width, w.taps * channels)
    lanes = x.lanes * w.taps if parallel else x.lanes
    made = Tensor(name, shape, x.dtype, lanes, meaning)
    attributes = {
        "ConvKernelDim": list(w.kernel),
        "IFMChannels": channels,
        "IFMDim": size,
        "OFMDim": [w.out_height, w.out_width],
        "SIMD": x.lanes,
        "Stride": list(w.stride),
        "Dilation": list(w.dilation),
        "inputDataType": x.type_name,
        "outputDataType": x.type_name,
        "depthwise": int(depthwise),
        "is1D": int(1 in size),
        "parallel_window": int(parallel),
        "ram_style": "auto",
    }
    owner = place.instance.name
    owned = owner if isinstance(place.instance.unit, SlidingWindow) else ""
    kind = "ConvolutionInputGenerator"
    place.writer.add(kind, Implementation.RTL, [x.name], [made], attributes, instance=owned)
    return made


def _padded(place: Emitted, x: Tensor, w: Window) -> Tensor:
    top, left, _, _ = w.padding
    rows, columns = w.padded
    positions = np.full((rows, columns), -1)
    positions[top : top + w.height, left : left + w.width] = np.arange(w.height * w.width).reshape(
        w.height, w.width
    )
    order = _by_channel(positions.reshape(-1), x.channels)
    made = Tensor(
        f"{place.edge()}_padded",
        (1, rows, columns, x.channels),
        x.dtype,
        x.lanes,
        replace(x.meaning, order=order),
    )
    attributes = {
        "ImgDim": [w.height, w.width],
        "Padding": list(w.padding),
        "NumChannels": x.channels,
        "SIMD": x.lanes,
        "inputDataType": x.type_name,
        "numInputVectors": 1,
    }
    place.writer.add("FMPadding", Implementation.RTL, [x.name], [made], attributes)
    return made


def _check_padding(place: Emitted, unit: SlidingWindow, x: Tensor) -> None:
    """Refuse padding with anything but what FINN's zero stands for."""
    if x.dtype == unsigned(1) and unit.dtype == BIPOLAR:
        if (unit.fill == -1).all():
            return
    elif (unit.fill == 0).all() or _zero_in_thresholds(place, unit):
        return
    sent = ", ".join(str(value) for value in np.unique(unit.fill))
    raise ModelError(
        f"{unit.origin}: padding must be 0 for FINN (or -1 on a stream of bits), not {sent} on "
        f"{x.type_name}; build for RTL or HLS"
    )


def _zero_in_thresholds(place: Emitted, unit: SlidingWindow) -> bool:
    """The padding is 0 in truth: sent as -1, with thresholds of the border that make up for it."""
    reader = _reader(place)
    return unit.dtype == BIPOLAR and isinstance(reader, Mvu) and reader.border is not None


def _pool_lanes(place: Emitted) -> int | None:
    reader = _reader(place)
    return reader.pe if isinstance(reader, MaxPool | SumPool) else None


def _reader(place: Emitted) -> object:
    (edge,) = place.design.out_of(place.instance.name)
    while edge.consumer is not None:
        unit = place.design[edge.consumer.instance]
        if not isinstance(unit, WidthConverter):
            return unit
        (edge,) = place.design.out_of(edge.consumer.instance)
    return None


def _by_channel(positions: IntArray, channels: int) -> IntArray:
    elements = positions[:, None] * channels + np.arange(channels)
    result: IntArray = np.where(positions[:, None] < 0, -1, elements).reshape(-1)
    return result
