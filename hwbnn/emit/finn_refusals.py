# SPDX-License-Identifier: Apache-2.0
"""What FINN cannot express of a design, with the reason. Padding is checked where it is made."""

from collections.abc import Callable, Iterator

from hwbnn.emit.finn_steps import of_table
from hwbnn.emit.finn_types import identity, plain_thresholds, source
from hwbnn.errors import ModelError
from hwbnn.ir.design import Design, Instance
from hwbnn.ir.unit import Unit
from hwbnn.units.depthwise_mvu import DepthwiseMvu
from hwbnn.units.lookup import Lookup
from hwbnn.units.mvu import Mvu
from hwbnn.units.sum_pool import SumPool
from hwbnn.units.thresholds import Thresholds
from hwbnn.units.width_converter import WidthConverter

MAX_STREAM_BITS = 8191  # AP_INT_MAX_W of FINN's HLS
_ELSE = "build for RTL or HLS"


def refusals(design: Design, instance: Instance) -> Iterator[str]:
    """Say why FINN cannot have a unit, if so."""
    unit = instance.unit
    yield from _lanes(instance.name, unit)
    match unit:
        case Mvu():
            yield from _mvu(design, instance.name, unit)
        case Lookup() if not identity(unit):
            yield from _raised(lambda: of_table(unit))
        case Thresholds() if len(unit.thresholds) not in (1, unit.elements):
            yield (
                f"{unit.origin}: thresholds must be those of {unit.elements} channels for FINN, "
                f"not {len(unit.thresholds)} rows; {_ELSE}"
            )
        case DepthwiseMvu():
            yield (
                f"{unit.origin}: convolution must not be depthwise: its product of one channel is "
                f"not among the operators of this back end; {_ELSE}"
            )
        case SumPool() if unit.factors is not None:
            yield (
                f"{unit.origin}: average must divide by one number at all positions for FINN, not "
                f"by fewer taps at the border; count the padding, or {_ELSE}"
            )
        case _:
            pass


def _mvu(design: Design, name: str, unit: Mvu) -> Iterator[str]:
    if unit.groups > 1:
        yield (
            f"{unit.origin}: groups must be 1 for FINN, whose MVAU reads all channels, not "
            f"{unit.groups}; {_ELSE}"
        )
        return
    if unit.streamed:
        yield (
            f"{unit.origin}: weights must lie in the chip for FINN, not come as a stream; {_ELSE}"
        )
        return
    if unit.loaded_memory is not None:
        yield (
            f"{unit.origin}: weights must not be in UltraRAM for FINN, which does not load it; "
            "build for RTL"
        )
        return
    width = unit.pe * unit.simd * unit.weight_dtype.bits
    if width > MAX_STREAM_BITS:
        yield (
            f"{name}: pe * simd * weight bits must be at most {MAX_STREAM_BITS} for FINN's HLS, "
            f"not {width}; choose less"
        )
    if unit.border is not None:
        yield from _raised(lambda: plain_thresholds(unit, source(design, name)))


def _lanes(name: str, unit: Unit) -> Iterator[str]:
    """FINN has no padding lanes; between two folds a converter takes care of them."""
    if isinstance(unit, WidthConverter):
        return
    for stream in (*unit.inputs, *unit.outputs):
        if stream.elements % stream.lanes:
            yield (
                f"{name}: lanes must divide {stream.elements} elements for FINN, not be "
                f"{stream.lanes}; choose a divisor"
            )


def _raised(check: Callable[[], object]) -> Iterator[str]:
    try:
        check()
    except ModelError as error:
        yield from error.problems
