# SPDX-License-Identifier: Apache-2.0
"""DSPs: what one multiplies, and when one multiplication gives two products exactly."""

from functools import cache

from hwbnn.ir.dtype import DType, Kind, smallest

# A DSP48E1: 25 x 18 + 48 bits, two's complement (UG479).
LONG_BITS, SHORT_BITS, SUM_BITS = 25, 18, 48
MULTIPLY_CYCLES = 3  # of hwbnn_multiply: registers behind pre-adder, product and sum


@cache
def product_dtype(weight: DType, data: DType) -> DType:
    """Return the narrowest signed type that holds every product of a weight and an input."""
    ends = [w * x for w in (weight.min, weight.max) for x in (data.min, data.max)]
    return smallest(min(*ends, -1), max(ends))


@cache
def multiplies(weight: DType, data: DType) -> bool:
    """Return whether a DSP multiplies a weight of several bits by an input."""
    if weight.kind is Kind.BIPOLAR:
        return False
    short = data.bits + 1  # as hwbnn_mvu_product has it: signed, whatever the kind
    return _factor_bits(weight, 0) <= LONG_BITS and short <= SHORT_BITS


@cache
def pairs(weight: DType, data: DType) -> bool:
    """Return whether a DSP multiplies two weights a, b by the same input x, exactly.

    With S bits of a product, (a * 2^S + b) * x + 2^(S-1) = a*x * 2^S + (b*x + 2^(S-1)). As
    -2^(S-1) <= b*x < 2^(S-1), the last term is in [0, 2^S): it is the S low bits, and those above
    are a*x. So all that is asked is that the factor a * 2^S + b has room, for any a and b.
    """
    return multiplies(weight, data) and (
        _factor_bits(weight, product_dtype(weight, data).bits) <= LONG_BITS
    )


def _factor_bits(weight: DType, shift: int) -> int:
    """Bits, two's complement, of every a * 2^shift + b; of b alone for a shift of 0."""
    scale = (1 << shift) + 1 if shift else 1
    return smallest(min(weight.min * scale, -1), weight.max * scale).bits
