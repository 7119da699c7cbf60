# SPDX-License-Identifier: Apache-2.0
"""One file a unit; this registry is the list of them."""

from hwbnn.ir.unit import Unit
from hwbnn.units.add import Add
from hwbnn.units.arg_max import ArgMax
from hwbnn.units.concat import Concat
from hwbnn.units.depthwise_mvu import DepthwiseMvu
from hwbnn.units.fork import Fork
from hwbnn.units.lookup import Lookup
from hwbnn.units.max_pool import MaxPool
from hwbnn.units.mvu import Mvu
from hwbnn.units.rescale import Rescale
from hwbnn.units.sliding_window import SlidingWindow
from hwbnn.units.sum_pool import SumPool
from hwbnn.units.thresholds import Thresholds
from hwbnn.units.weight_source import WeightSource
from hwbnn.units.width_converter import WidthConverter

UNITS: tuple[type[Unit], ...] = (
    Add,
    ArgMax,
    Concat,
    DepthwiseMvu,
    Fork,
    Lookup,
    MaxPool,
    Mvu,
    Rescale,
    SlidingWindow,
    SumPool,
    Thresholds,
    WeightSource,
    WidthConverter,
)
