# SPDX-License-Identifier: Apache-2.0
"""Materialise: a chain up to its last quantizer, and its pools, as operators."""

from dataclasses import replace

import numpy as np

from hwbnn.errors import ModelError
from hwbnn.frontend.chain import Chain, Levels, Pool, Quantizer, Step, channelwise, run_steps
from hwbnn.frontend.staircase import is_identity, staircase
from hwbnn.frontend.translation import Translation
from hwbnn.ir.dtype import DType, IntArray
from hwbnn.ir.ops import Input, MaxPool, Op
from hwbnn.ir.window import BoolArray

MAX_LEVELS = 256  # of an activation
MANY_LEVELS = 16  # two staircases of so many cost less than the uneven one that is both
MAX_SPAN = 1 << 16  # integers of which a function that is not monotone is evaluated


def materialise(made: Translation, chain: Chain) -> tuple[str, Chain, DType | None]:
    """Make the operators of the last quantizer and of all pools.

    Return the operator at the end, the chain after it, and the quantizer's type.
    """
    quantizer = chain.quantizer
    if quantizer is None:
        chain = _pooled(made, chain)
        return chain.source, chain, made.quantized_type(chain.source) if chain.source else None
    chain = _from_earlier(made, chain)
    head, rest = chain.split()
    levels = int(quantizer.levels[-1] - quantizer.levels[0]) + 1
    if levels > MAX_LEVELS:
        raise ModelError(
            f"{head[-1].node}: activation must have at most {MAX_LEVELS} levels (8 bits), "
            f"not {levels}; choose bit_width 8 or less"
        )
    key = quantizer.name, chain.source
    if key not in made.made_by:
        name = _quantized(made, replace(chain, steps=head), quantizer)
        made.made_by[key], made.quantizers[name] = name, quantizer
    op = made.op(made.made_by[key])
    after = replace(chain, source=op.name, entry=_levels(quantizer, op.dtype), steps=rest)
    after = _pooled(made, after)
    return after.source, after, op.dtype


def _from_earlier(made: Translation, chain: Chain) -> Chain:
    """Make the operators of the quantizer before the last, if both have many levels.

    Of few levels they are one staircase: a sign of rounded sums is a threshold on the sums.
    """
    quantizers = [i for i, step in enumerate(chain.steps) if step.quantizer is not None]
    if len(quantizers) < 2 or chain.entry is None:
        return chain
    place = quantizers[-2]
    if not all(_many(chain.steps[i]) for i in quantizers[-2:]):
        return chain
    _, after, _ = materialise(made, replace(chain, steps=chain.steps[: place + 1]))
    return replace(after, steps=(*after.steps, *chain.steps[place + 1 :]))


def _many(step: Step | Pool) -> bool:
    return step.quantizer is not None and len(step.quantizer.levels) >= MANY_LEVELS


def _quantized(made: Translation, chain: Chain, quantizer: Quantizer) -> str:
    """Add the operators of a chain that ends in a quantizer; return the name of its value."""
    if chain.entry is None:  # not known how, but of this type
        elements = chain.elements if chain.places is not None else 0
        made.ops.append(Input(quantizer.name, elements, quantizer.dtype))
        return quantizer.name
    while (place := _first_pool(chain)) is not None and not _deferrable(chain, place):
        chain = _pooled_once(made, chain, place)
    plain, pools = _deferred(made, chain)
    source = made.op(chain.source)
    op = staircase(made.fresh(quantizer.name), plain, source, where=chain.steps[-1].node)
    name = source.name
    if name not in made.pixels or not is_identity(op):
        made.ops.append(op)
        name = op.name
    for pool, minimum in pools:
        name = _add_pool(made, made.op(name), pool, minimum)
    return name


def _levels(quantizer: Quantizer, dtype: DType) -> Levels:
    """Floats of the integers low to high; a bipolar type has no 0, which stands for nothing."""
    low, high = max(dtype.min, int(quantizer.levels[0])), min(dtype.max, int(quantizer.levels[-1]))
    rows = np.searchsorted(quantizer.levels, np.arange(low, high + 1))
    return Levels(quantizer.floats[rows], low, quantizer.labels)


# ---- pools of floats -----------------------------------------------------------------------------
# max(f(a), f(b)) is f(max(a, b)) for a rising f, and f(min(a, b)) for a falling one. So a pool may
# be moved behind all that follows up to the quantizer, or before all that goes before it.


def _first_pool(chain: Chain) -> int | None:
    return next((i for i, step in enumerate(chain.steps) if isinstance(step, Pool)), None)


def _deferrable(chain: Chain, place: int) -> bool:
    """What follows a pool is one monotone function for all positions of a channel."""
    pool = chain.steps[place]
    assert isinstance(pool, Pool)
    after = [step for step in chain.steps[place:] if isinstance(step, Step)]
    return all(s.monotone and channelwise(s.labels, pool.channels) for s in after)


def _deferred(made: Translation, chain: Chain) -> tuple[Chain, list[tuple[Pool, BoolArray]]]:
    """Take the pools out of a chain; return it, and the pools, to be made behind its quantizer."""
    elements = made.op(chain.source).elements
    places = np.arange(elements)[None]
    steps: list[Step] = []
    pools: list[tuple[int, Pool]] = []
    for step in chain.steps:
        if isinstance(step, Pool):
            pools.append((len(steps), step))
        else:
            steps.append(step.moved(np.arange(elements) % pools[-1][1].channels) if pools else step)
    plain = replace(chain, steps=tuple(steps), places=places)
    return plain, [(pool, _falls_after(plain, place, pool.channels)) for place, pool in pools]


def _falls_after(chain: Chain, place: int, channels: int) -> BoolArray:
    """Whether, in each channel, the steps from place on fall over the floats that they get."""
    before = replace(chain, steps=chain.steps[:place])
    floats = before.spread(_range(before))
    function = before.functions[1].reshape(-1, channels)
    least, greatest = floats.min(axis=0)[function], floats.max(axis=0)[function]
    ends = np.stack([least.min(axis=0), greatest.max(axis=0)])
    after = run_steps(chain.floats[place:], ends, np.arange(channels))
    return np.asarray(after[1] < after[0])


def _range(chain: Chain) -> IntArray:
    """The ends of a chain's integers, or all of them where it is not monotone."""
    assert chain.entry is not None
    low, high = chain.entry.low, chain.entry.high
    if chain.monotone:
        return np.array([low, high])
    if high - low >= MAX_SPAN:
        odd = next(s.node for s in chain.steps if isinstance(s, Step) and not s.monotone)
        raise ModelError(
            f"{odd}: must rise or fall, or follow at most {MAX_SPAN} values, not {high - low + 1}; "
            "take it out or make the layer before it smaller"
        )
    return np.arange(low, high + 1)


def _pooled(made: Translation, chain: Chain) -> Chain:
    """Make all pools of a chain, on the integers that it starts at."""
    while (place := _first_pool(chain)) is not None:
        if chain.entry is None:
            return Chain("", None, chain.places)
        chain = _pooled_once(made, chain, place)
    return chain


def _pooled_once(made: Translation, chain: Chain, place: int) -> Chain:
    """Make the first pool, before the steps that stand in front of it."""
    pool, before = chain.steps[place], replace(chain, steps=chain.steps[:place])
    source = made.op(chain.source)
    assert isinstance(pool, Pool) and chain.entry is not None
    before = replace(before, places=np.arange(source.elements)[None])
    if not (before.monotone and channelwise(before.labels, pool.channels)):
        raise ModelError(
            f"{pool.node}: what it pools must be one rising or falling function of the layer "
            "before it at all positions of a channel; put a quantizer before the pool"
        )
    ends = before.spread(np.array([chain.entry.low, chain.entry.high]))
    falls = (ends[1] < ends[0])[before.functions[1][: pool.channels]]
    name = _add_pool(made, source, pool, falls)
    take = np.arange(made.op(name).elements) % pool.channels
    moved = tuple(step.moved(take) for step in before.floats)
    steps = (*moved, *chain.steps[place + 1 :])
    return replace(chain, source=name, entry=chain.entry.moved(take), steps=steps)


def _add_pool(made: Translation, source: Op, pool: Pool, falls: BoolArray) -> str:
    check_image(made, source, pool.window.height * pool.window.width, pool.node)
    minimum = falls[:1] if (falls == falls[0]).all() else falls
    key = pool.name, source.name
    if key not in made.pooled:
        name = made.fresh(pool.name)
        made.ops.append(
            MaxPool(name, source.name, pool.window, pool.channels, minimum, source.dtype)
        )
        made.titles[name], made.pooled[key] = pool.node, name
    return made.pooled[key]


def check_image(made: Translation, source: Op, positions: int, where: str) -> None:
    """Raise ModelError if a value is one long vector where an operator slides over an image."""
    if source.vectors != positions and not made.is_placeholder(source.name):
        raise ModelError(
            f"{where}: input must rise, or fall, with the sums before it at all positions of a "
            "channel alike; take out the factor whose sign differs between positions"
        )
