# SPDX-License-Identifier: Apache-2.0
"""HostPart: what the host does to an image before it is sent, as an order and a table of codes."""

from dataclasses import dataclass
from math import prod
from typing import TypeAlias

import numpy as np

from hwbnn.errors import ConfigError, MismatchError
from hwbnn.ir.dtype import IntArray
from hwbnn.ir.graph import Graph
from hwbnn.ir.ops import Permute
from hwbnn.sim.interpret import Interpreter

PIXELS = 256
AT_ONCE = 1 << 24  # elements that are evaluated at a time
RANDOM_IMAGES = 4

Codes: TypeAlias = np.ndarray[tuple[int, ...], np.dtype[np.uint8 | np.uint16 | np.uint32]]


@dataclass(frozen=True, eq=False)
class HostPart:
    """Element e of a frame has the code table[e % rows, image[order[e]]].

    order None: the image's own. table (rows, 256), None: the pixel is the code.
    """

    order: IntArray | None
    table: Codes | None

    def codes(self, images: IntArray) -> IntArray:
        """Images (n, pixels) to codes (n, elements)."""
        found = images if self.order is None else images[:, self.order]
        if self.table is None:
            return found
        rows = np.arange(found.shape[1]) % len(self.table)
        return self.table[rows, found].astype(np.int64)


def host_part(graph: Graph, *, seed: int = 0) -> HostPart:
    """Return the host's part of a graph, and prove it on random images.

    The order is that of the permutations; the table is what images of one pixel value give.
    """
    part, pixels = graph.host_part, graph.on_pixels.input
    if prod(graph.input_shape) != pixels.elements or pixels.dtype.bits > 8 or pixels.dtype.min < 0:
        raise ConfigError(
            f"{graph.name}: a package must take images of unsigned 8-bit pixels in the shape "
            f"{graph.input_shape}, not {pixels.dtype} x {pixels.elements}"
        )
    if part is None:
        return HostPart(None, None)
    found = HostPart(_order(part), _table(part) if graph.packed else None)
    images = np.random.default_rng(seed).integers(0, PIXELS, (RANDOM_IMAGES, pixels.elements))
    wanted = graph.input.dtype.encode(Interpreter(part).run(images))
    if (found.codes(images) != wanted).any():
        raise MismatchError(
            f"{graph.name}: what the host does must be an order and a table per element, not more; "
            "build without --packed-input"
        )
    return found


def _order(part: Graph) -> IntArray | None:
    order = np.arange(part.input.elements)
    for op in part.ops:
        if isinstance(op, Permute):
            order = order[op.order]
    return None if (order == np.arange(len(order))).all() else order


def _table(part: Graph) -> Codes:
    """Return the fewest rows of codes: all elements alike, those of a channel, or each its own."""
    output, elements = part[part.output], part[part.output].elements
    run = Interpreter(part).run
    dtype = np.min_scalar_type((1 << output.dtype.bits) - 1)
    table = np.empty((elements, PIXELS), dtype)
    some = max(1, AT_ONCE // elements)
    for first in range(0, PIXELS, some):
        values = np.arange(first, min(first + some, PIXELS))
        images = np.repeat(values[:, None], part.input.elements, axis=1)
        table[:, values] = output.dtype.encode(run(images)).T
    channels = elements // output.vectors
    for rows in (1, channels):
        if (table.reshape(-1, rows, PIXELS) == table[:rows]).all():
            return table[:rows].copy()
    return table
