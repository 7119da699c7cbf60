# SPDX-License-Identifier: Apache-2.0
"""Element types, streams and the verifiers."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hwbnn.errors import ConfigError, ModelError
from hwbnn.ir.design import Design
from hwbnn.ir.dtype import BIPOLAR, DType, Kind, signed, smallest, unsigned
from hwbnn.ir.fifo import Fifo
from hwbnn.ir.ops import Dense, Staircase
from hwbnn.ir.stream import Stream
from hwbnn.ir.verify import verify_design, verify_graph
from tests.graphs import binary_mlp, finished

dtypes = st.one_of(
    st.just(BIPOLAR), st.integers(1, 20).map(unsigned), st.integers(1, 20).map(signed)
)


@given(dtypes)
def test_codes_are_a_bijection(dtype: DType) -> None:
    codes = np.arange(min(1 << dtype.bits, 4096))
    values = dtype.decode(codes)
    assert dtype.holds(values)
    np.testing.assert_array_equal(dtype.encode(values), codes)
    assert dtype.min <= values.min()
    assert values.max() <= dtype.max


@given(st.integers(-(1 << 40), 1 << 40), st.integers(0, 1 << 40))
def test_smallest_type_holds_the_interval_and_no_narrower_does(low: int, width: int) -> None:
    dtype = smallest(low, low + width)
    assert dtype.min <= low
    assert low + width <= dtype.max
    if dtype.bits > 1:
        narrower = DType(dtype.kind, dtype.bits - 1)
        assert not (narrower.min <= low and low + width <= narrower.max)


def test_bipolar_has_one_bit_and_no_zero() -> None:
    assert not BIPOLAR.holds(np.array([0]))
    with pytest.raises(ModelError, match="BIPOLAR must have 1 bit, not 2"):
        DType(Kind.BIPOLAR, 2)


@given(dtypes, st.integers(1, 9), st.integers(1, 20), st.integers(1, 3), st.integers(1, 3))
def test_streams_pack_and_unpack(
    dtype: DType, lanes: int, elements: int, vectors: int, frames: int
) -> None:
    stream = Stream(dtype, lanes, elements, vectors)
    codes = np.random.default_rng(lanes).integers(0, 1 << dtype.bits, (frames, vectors * elements))
    packed = stream.pack(dtype.decode(codes))
    assert packed.shape == (frames * stream.beats, lanes)
    np.testing.assert_array_equal(stream.unpack(packed), dtype.decode(codes))
    padding = packed.reshape(-1, stream.vector_beats * lanes)[:, elements:]
    assert not padding.any()


def test_stream_and_fifo_refuse_nonsense() -> None:
    with pytest.raises(ConfigError, match="stream: lanes must be at least 1, not 0"):
        Stream(BIPOLAR, 0, 4)
    with pytest.raises(ConfigError, match="FIFO: depth must be at least 1, not 0"):
        Fifo(Stream(BIPOLAR, 1, 4), 0)


def test_graph_verifier_names_every_broken_rule() -> None:
    graph = binary_mlp((8, 4, 2))
    verify_graph(graph)
    broken = []
    for op in graph.ops:
        if isinstance(op, Dense) and op.name == "fc0":
            op = replace(op, weights=op.weights * 2, dtype=signed(3))
        if isinstance(op, Staircase) and op.name == "a0":
            op = replace(op, thresholds=np.array([[3, 1]]), elements=5)
        broken.append(op)
    with pytest.raises(ModelError) as error:
        verify_graph(replace(graph, ops=tuple(broken), output="nowhere"))
    text = str(error.value)
    for part in (
        "fc0: weights must be of type BIPOLAR",
        "fc0: accumulator must hold [-16, 16], not INT3",
        "a0: elements must be 4, not 5",
        "a0: thresholds of a channel must not decrease",
        "a0: output type must hold 3 levels, not BIPOLAR",
        "mlp: output must be the name of an operator, not nowhere",
    ):
        assert part in text


def test_design_verifier_names_every_broken_rule() -> None:
    design = finished(binary_mlp((8, 4, 2)))
    edges = tuple(
        replace(e, fifo=replace(e.fifo, stream=replace(e.stream, lanes=2))) if e.name == "in" else e
        for e in design.edges
    )
    with pytest.raises(ModelError, match="in: stream must be that of its consumer q"):
        verify_design(replace(design, edges=edges))
    doubled = replace(design, instances=(*design.instances, design.instances[0]))
    with pytest.raises(ModelError, match="q: name must be a unique identifier"):
        verify_design(doubled)
    with pytest.raises(ModelError, match="mlp: design must have one output"):
        verify_design(replace(design, edges=design.edges[:-1]))


def test_unknown_layer_is_named_with_the_choices() -> None:
    design: Design = finished(binary_mlp((8, 4, 2)))
    with pytest.raises(ConfigError, match="mlp: layer must be one of q, fc0, fc1, not conv"):
        design["conv"]
