# SPDX-License-Identifier: Apache-2.0
"""What FIFOs hold where branches meet: as reckoned, as sized, and as the search counts it."""

import pytest

from hwbnn.board import find_board
from hwbnn.frontend import import_model
from hwbnn.ir.design import Design
from hwbnn.ir.dtype import unsigned
from hwbnn.ir.fifo import Storage
from hwbnn.ir.stream import Stream
from hwbnn.ir.unit import Family
from hwbnn.passes import adapt, fastest_folding, lower
from hwbnn.passes.fifos.size_fifos import size
from hwbnn.passes.search.choice_costs import reckon
from hwbnn.passes.search.held import fifo_that_holds, found, reckoned
from hwbnn.units import Add, Concat
from tests.dag_designs import dense, residual
from tests.dag_models import random_dag_model

XC7 = Family.XC7
# A window of 3 x 3 with a border of 1 begins with the second pixel of the second row; thresholds,
# converter and product wait for a pixel each.
LATE = {extent: (extent + 2 + 3) / extent**2 for extent in (12, 20)}
SIZES = ((1, 12), (3, 12), (2, 20))  # blocks, and extent of the image
DESIGNS = [make(n, extent=extent) for make in (residual, dense) for n, extent in SIZES]


@pytest.mark.parametrize("design", DESIGNS, ids=lambda design: design.name)
def test_what_passes_a_convolution_by_waits_for_its_window(design: Design) -> None:
    held = reckoned(design)
    late = LATE[12 if design.edges[0].stream.vectors == 144 else 20]
    joins = [i.name for i in design.instances if isinstance(i.unit, Add | Concat)]
    bypass = [design.into(name)[0].name for name in joins]
    assert held == pytest.approx(dict.fromkeys(bypass, late))
    sized = found(size(design, family=XC7).design, design, XC7)
    assert sized.keys() == held.keys()
    for name, share in sized.items():
        assert 0.75 * held[name] < share <= held[name]


def test_a_connection_is_followed_through_its_converters() -> None:
    graph = import_model(random_dag_model(2007).model, name="branches")
    design = fastest_folding(lower(graph), limit=find_board("pynq-z2").limit, family=XC7).design
    sized = size(adapt(design), family=XC7).design
    deep = {edge.name for edge in sized.edges if edge.fifo.depth > 32}
    held = found(sized, design, XC7)
    assert deep and len(held) == len(deep)
    least, with_held = (reckon(design, h, family=XC7) for h in ({}, held))
    assert with_held.lut + 380 * with_held.bram > least.lut + 380 * least.bram


def test_a_fifo_holds_a_share_besides_the_least() -> None:
    stream = Stream(unsigned(4), 2, 8, vectors=100)
    assert fifo_that_holds(stream, 0.0, latency=3, family=XC7).depth == 4
    assert fifo_that_holds(stream, 0.1, latency=3, family=XC7).depth == 44
    assert fifo_that_holds(stream, 3.0, latency=3, family=XC7).storage is Storage.BLOCK
