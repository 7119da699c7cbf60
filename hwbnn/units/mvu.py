# SPDX-License-Identifier: Apache-2.0
"""Mvu: PE x SIMD matrix-vector product with a fused staircase or a raw accumulator."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Self

import numpy as np
from numpy.typing import DTypeLike

from hwbnn.errors import ConfigError
from hwbnn.ir.dtype import DType, IntArray, Kind, smallest, unsigned
from hwbnn.ir.ops import count_to_value
from hwbnn.ir.stream import Stream
from hwbnn.ir.unit import (
    Actor,
    Family,
    Folding,
    Knobs,
    Memory,
    MemoryShape,
    Multiplier,
    Port,
    Resources,
    Side,
    Style,
    Unit,
    Write,
    folding_of,
    pops,
)
from hwbnn.ir.window import Border
from hwbnn.units import border, dsp, mvu_cost, mvu_tables, search, weights
from hwbnn.units.folds import check_folding, divisors
from hwbnn.units.mode import Mode
from hwbnn.units.weight_source import WeightSource

SHALLOW = 64  # words: a bit of so many is a LUT, which is cheaper than a column of UltraRAM
MAX_STAGES = 16  # more levels than the tree of any folding has
TREE_LEVELS_PER_REGISTER = 4  # of log2(SIMD): what xc7 adds up in 10 ns with room to spare


@dataclass(frozen=True, eq=False)
class Mvu(Unit):
    """y[o] = sum over i of weights[o, i] * x[i], then count of thresholds reached (if any).

    weights: int64 (outputs of all groups, inputs of one). groups: an input vector is as many
    sub-vectors, group after group, and sub-vector g meets the rows of group g. thresholds: int64
    (outputs, steps), non-decreasing rows, on the sum; None gives the sum itself. border: thresholds
    have row k * outputs + o for output o of vectors of class k, classes by position.
    input_range: least and greatest input, if narrower than its type's. base: value of count 0
    (ignored for BIPOLAR output). stages: pipeline registers inside the adder tree. multipliers:
    where weights and inputs of several bits are multiplied. weight_style STREAM: a word of the
    weights comes through port 1 with every firing, the matrix anew for every vector; `weights` are
    what will come. ULTRA: they are loaded before the first frame; nothing else differs from BLOCK.
    """

    weights: IntArray
    weight_dtype: DType
    input_dtype: DType
    output_dtype: DType
    thresholds: IntArray | None = None
    input_range: tuple[int, int] | None = None
    base: int = 0
    vectors: int = 1
    groups: int = 1
    border: Border | None = None
    pe: int = 1
    simd: int = 1
    stages: int = 0
    weight_style: Style = Style.AUTO
    multipliers: Multiplier = Multiplier.LUT

    module = "hwbnn_mvu"
    finn_nodes = ("MVAU", "MatrixVectorActivation")

    def __post_init__(self) -> None:
        check_folding(self.origin, "pe", self.pe, self.neurons, "outputs")
        check_folding(self.origin, "simd", self.simd, self.synapses, "inputs")
        if not 0 <= self.stages <= MAX_STAGES:
            raise ConfigError(
                f"{self.origin}: stages must be 0 to {MAX_STAGES}, not {self.stages}; "
                "leave it out for the compiler's choice"
            )
        if self.on_dsps and not self._dsps_multiply:
            raise ConfigError(
                f"{self.origin}: multipliers must be lut, not dsp, for {self.weight_dtype} weights "
                f"on {self.input_dtype} inputs: a DSP multiplies weights of 2 to {dsp.LONG_BITS} "
                f"bits by inputs of up to {dsp.SHORT_BITS - 1}; remove it"
            )

    # ---- shape -------------------------------------------------------------------------------

    @property
    def neurons(self) -> int:
        """Outputs of a group."""
        return int(self.weights.shape[0]) // self.groups

    @property
    def synapses(self) -> int:
        """Inputs of an output."""
        return int(self.weights.shape[1])

    @property
    def neuron_folds(self) -> int:
        """Output beats of a group."""
        return -(-self.neurons // self.pe)

    @property
    def synapse_folds(self) -> int:
        """Input beats of a group."""
        return -(-self.synapses // self.simd)

    @property
    def classes(self) -> int:
        """Sets of thresholds, by border class."""
        return 1 if self.border is None else self.border.classes

    @property
    def mode(self) -> Mode:
        """How a synapse multiplies."""
        if self.weight_dtype.kind is not Kind.BIPOLAR:
            return Mode.MULTIPLY
        if self.input_dtype.kind is Kind.BIPOLAR:
            return Mode.XNOR
        # {0,1} inputs: popcount(xnor) = sum + (negative weights of the row), so thresholds shift
        if self.input_dtype == unsigned(1) and self.thresholds is not None:
            return Mode.XNOR
        return Mode.ADD

    @property
    def on_dsps(self) -> bool:
        """Products are multiplied in DSPs."""
        return self.multipliers is Multiplier.DSP

    @property
    def _dsps_multiply(self) -> bool:
        return self.mode is Mode.MULTIPLY and dsp.multiplies(self.weight_dtype, self.input_dtype)

    @property
    def paired(self) -> bool:
        """A DSP multiplies for two lanes; an odd last lane has DSPs of its own."""
        return self.on_dsps and self.pe > 1 and dsp.pairs(self.weight_dtype, self.input_dtype)

    @property
    def accumulator(self) -> DType:
        """What the hardware adds up in: the popcount (XNOR), or the signed sum."""
        return smallest(*mvu_tables.compared_range(self))

    # ---- streams and meaning -----------------------------------------------------------------

    @property
    def inputs(self) -> tuple[Stream, ...]:
        data = Stream(self.input_dtype, self.simd, self.synapses, self.vectors * self.groups)
        if not self.streamed:
            return (data,)
        lanes = self.pe * self.simd
        return data, Stream(self.weight_dtype, lanes, self.weight_depth * lanes, self.vectors)

    @property
    def outputs(self) -> tuple[Stream, ...]:
        return (Stream(self.output_dtype, self.pe, self.neurons, self.vectors * self.groups),)

    def run(self, *values: IntArray) -> tuple[IntArray, ...]:
        x, *words = values
        rows = self._read_weights(words[0]) if words else self.weights
        # The BLAS multiplies floats alone; they are exact as far as they count whole numbers.
        most = max(abs(self.input_dtype.min), self.input_dtype.max)
        largest = most * int(np.abs(rows).sum(axis=-1).max())
        number: DTypeLike = np.int64
        if largest < 1 << 53:
            number = np.float32 if largest < 1 << 24 else np.float64
        vectors = x.reshape(-1, self.groups, self.synapses).swapaxes(0, 1).astype(number)
        rows = rows.reshape(self.groups, self.neurons, self.synapses).astype(number)
        sums = (vectors @ rows.swapaxes(1, 2)).swapaxes(0, 1).astype(np.int64)
        sums = sums.reshape(x.shape[0], self.vectors, -1)
        if self.thresholds is not None:
            count = np.zeros_like(sums)
            for reached in self.thresholds.T:
                by_class = reached.reshape(-1, len(self.weights))
                count += sums >= (by_class[self.border.positions] if self.border else by_class)
            sums = count_to_value(count, base=self.base, dtype=self.output_dtype)
        return (sums.reshape(x.shape[0], -1),)

    def _read_weights(self, values: IntArray) -> IntArray:
        """Return the matrix (outputs, synapses) that comes through port 1, in one frame or more."""
        every = values.reshape(-1, self.weight_depth * self.pe * self.simd)
        assert (every == every[0]).all(), f"{self.origin}: every vector has the same weights"
        return weights.from_words(
            every[0],
            groups=self.groups,
            neurons=self.neurons,
            synapses=self.synapses,
            pe=self.pe,
            simd=self.simd,
        ).reshape(-1, self.synapses)

    # ---- folding -----------------------------------------------------------------------------

    def foldings(self) -> Iterator[Folding]:
        pairs = [(p, s) for p in divisors(self.neurons) for s in divisors(self.synapses)]
        for pe, simd in sorted(pairs, key=lambda pair: (pair[0] * pair[1], pair[0])):
            yield Folding(pe, simd)

    def fold(self, folding: Folding) -> Self:
        return replace(self, pe=folding.pe, simd=folding.simd)

    @property
    def folding(self) -> Folding:
        return Folding(self.pe, self.simd)

    @property
    def knobs(self) -> Knobs:
        multipliers = self.multipliers if self._dsps_multiply else None
        return Knobs(self.pe, self.simd, self.stages, self.weight_style, multipliers)

    def with_knobs(self, knobs: Knobs) -> Self:
        folding = folding_of(self.folding, knobs)
        stages = knobs.stages
        if stages is None:  # one for every few levels
            stages = (folding.simd - 1).bit_length() // TREE_LEVELS_PER_REGISTER
        style = self.weight_style if knobs.weight_style is None else knobs.weight_style
        kind = self.multipliers if knobs.multipliers is None else knobs.multipliers
        pe, simd = folding.pe, folding.simd
        return replace(self, pe=pe, simd=simd, stages=stages, weight_style=style, multipliers=kind)

    # ---- timing ------------------------------------------------------------------------------

    @property
    def cycles(self) -> int:
        return self.vectors * self.groups * self.neuron_folds * self.synapse_folds

    def actors(self) -> tuple[Actor, ...]:
        """Firing (nf, sf) reads in neuron fold 0 (later folds replay), writes at the last sf.

        Every firing reads a word of streamed weights.
        """
        folds, neurons = self.synapse_folds, self.neuron_folds
        read_at = np.arange(folds)
        write_at = np.arange(1, neurons + 1) * folds - 1
        at = np.arange(folds * neurons) if self.streamed else np.union1d(read_at, write_at)
        reads = at < folds
        words = (pops(Port(Side.INPUT, 1), at >= 0),) if self.streamed else ()
        return (
            Actor(
                name="mvu",
                at=at,
                cycle=folds * neurons,
                repeats=self.vectors * self.groups,
                latency=self.latency,
                reads=(pops(Port(Side.INPUT), reads), *words),
                writes=(Write(Port(Side.OUTPUT), at % folds == folds - 1),),
            ),
        )

    @property
    def latency(self) -> int:
        """Operand register, DSP, tree, accumulator, search; and the FIFO's own write.

        One threshold needs no search: the sum begins at minus the threshold, its sign decides.
        """
        multiply = dsp.MULTIPLY_CYCLES if self.on_dsps else 0
        return 1 + multiply + self.stages + 1 + self._search_latency + 1

    @property
    def _search_latency(self) -> int:
        tables = self.table_shapes
        return search.latency(tables) if len(tables) > 1 else 0

    # ---- cost --------------------------------------------------------------------------------

    def resources(self, family: Family) -> Resources:
        return mvu_cost.resources(self, family)

    @property
    def product(self) -> DType:
        """What holds a product of a weight and an input."""
        return dsp.product_dtype(self.weight_dtype, self.input_dtype)

    @property
    def sum_bits(self) -> int:
        """Bits of the accumulator; one threshold starts it, so it must hold that too, signed."""
        tables = self.table_shapes
        if len(tables) == 1:
            return max(self.accumulator.bits, tables[0].lane_bits) + 1
        return self.accumulator.bits

    # ---- parameters and memories -------------------------------------------------------------

    def parameters(self) -> dict[str, int]:
        tables = self.table_shapes
        return {
            "Mode": self.mode.value,
            "Pe": self.pe,
            "Simd": self.simd,
            "NeuronFolds": self.neuron_folds,
            "SynapseFolds": self.synapse_folds,
            "Neurons": self.neurons,
            "Synapses": self.synapses,
            "InBits": self.input_dtype.bits,
            "InKind": list(Kind).index(self.input_dtype.kind),
            "WeightBits": self.weight_dtype.bits,
            "WeightKind": list(Kind).index(self.weight_dtype.kind),
            "AccBits": self.accumulator.bits,
            "OutBits": self.output_dtype.bits,
            "CountBits": len(tables),
            "ThresholdBits": tables[0].lane_bits if tables else 1,
            "SearchCycles": search.cycles_per_step(tables) if tables else 1,
            "Base": 0 if self.output_dtype.kind is Kind.BIPOLAR else self.base,
            "Stages": self.stages,
            "Dsp": int(self.on_dsps) + int(self.paired),
            "ProductBits": self.product.bits,
            "BlockWeights": {Style.BLOCK: 1, Style.ULTRA: 2}.get(self.weight_shape.style, 0),
            "StreamWeights": int(self.streamed),
            "WeightRows": self.weight_shape.depth,
            "Groups": self.groups,
            "BorderClasses": self.classes,
            "BorderRows": 1 if self.border is None else self.border.rows.size,
            "BorderColumns": 1 if self.border is None else self.border.columns.size,
        }

    def memory_shapes(self) -> tuple[MemoryShape, ...]:
        own = () if self.streamed else (self.weight_shape,)
        return (*own, *self.table_shapes, *self.border_shapes)

    @property
    def border_shapes(self) -> tuple[MemoryShape, ...]:
        """The memories that say where a border class's thresholds begin."""
        if self.border is None or self.classes == 1:
            return ()
        return border.shapes(self.border, folds=self.groups * self.neuron_folds)

    def memories(self) -> tuple[Memory, ...]:
        """Weights, the tables of the search, and where those of a border class begin.

        Threshold fold (class * groups + g) * NF + nf is that of neuron fold nf of group g.
        Weights that there are not have code 1 for XNOR (a padded input is code 0, so XNOR gives
        0), 0 otherwise (a padded input is 0).
        """
        own = () if self.streamed else (weights.memory(self.weight_words(), self.weight_shape),)
        memories = (*own, *mvu_tables.tables(self))
        if self.border is None or self.classes == 1:
            return memories
        return (*memories, *border.tables(self.border, folds=self.groups * self.neuron_folds))

    def weight_words(self) -> IntArray:
        """Return the lane codes of the weights: (weight_depth, pe * simd)."""
        return weights.words(
            self.weights,
            self.weight_dtype,
            groups=self.groups,
            pe=self.pe,
            simd=self.simd,
            fill=int(self.mode is Mode.XNOR),
        )

    @property
    def streamed(self) -> bool:
        """The weights come through port 1."""
        return self.weight_style is Style.STREAM

    def weight_source(self) -> WeightSource | None:
        if not self.streamed:
            return None
        return WeightSource(self.weight_words(), self.weight_dtype, self.vectors)

    def worth_loading(self, folding: Folding) -> bool:
        """Whether the words are more than a few: LUTs hold those as well."""
        firings = -(-self.neurons // folding.pe) * -(-self.synapses // folding.simd)
        return self.groups * firings > SHALLOW

    @property
    def weight_depth(self) -> int:
        """Words of weights: firings of a vector."""
        return self.groups * self.neuron_folds * self.synapse_folds

    @property
    def weight_width(self) -> int:
        """Bits of a word of weights."""
        return self.pe * self.simd * self.weight_dtype.bits

    @property
    def weight_shape(self) -> MemoryShape:
        """The memory of the weights."""
        lanes, bits = self.pe * self.simd, self.weight_dtype.bits
        return weights.shape(self.weight_depth, lanes, bits, self.weight_style)

    @property
    def table_shapes(self) -> tuple[MemoryShape, ...]:
        """The tables of the staircase's search; none without one."""
        return mvu_tables.shapes(self)

    # ---- example -----------------------------------------------------------------------------

    @classmethod
    def examples(cls) -> tuple[Unit, ...]:
        from hwbnn.units.mvu_examples import examples  # which are of this class

        return examples()
