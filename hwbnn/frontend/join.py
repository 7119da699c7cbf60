# SPDX-License-Identifier: Apache-2.0
"""Join: branches that meet, as the sums of residual and the concatenations of dense networks."""

from dataclasses import dataclass, replace
from math import gcd

import numpy as np

from hwbnn.errors import ModelError
from hwbnn.frontend.chain import Affine, Chain, Step, joined, merged
from hwbnn.frontend.dense import MAX_EXACT
from hwbnn.frontend.image import image_of, lay_out
from hwbnn.frontend.materialise import materialise
from hwbnn.frontend.pool import MAX_POINTS
from hwbnn.frontend.run_node import attribute
from hwbnn.frontend.translation import Translation, Visit
from hwbnn.frontend.weights import binary_grid
from hwbnn.ir.dtype import BIPOLAR, DType, IntArray, smallest
from hwbnn.ir.graph import DoubleArray, FloatArray
from hwbnn.ir.ops import Add, Concat, Op, joined_dtype
from hwbnn.ir.ranges import range_from

MEND = (
    "quantize both branches with one shared power-of-two scale (one QuantIdentity for both, or "
    "Brevitas' QuantEltwiseAdd)"
)


@dataclass(frozen=True, eq=False)
class Branch:
    """What enters a join: an operator's value, and the chain from it to the join."""

    title: str
    op: Op
    chain: Chain
    quantized: DType | None

    @property
    def channels(self) -> int:
        """Elements of a vector."""
        return self.op.elements // self.op.vectors


def add(made: Translation, visit: Visit) -> Chain:
    """Add of branches: integers on one scale, up to whole factors."""
    where, chains = visit.where, _chains(visit)
    if any(chain.places is None for chain in chains):
        return Chain("", None, None)
    titles = [_title(made, chain) for chain in chains]
    shapes = [" x ".join(map(str, chain.shape)) for chain in chains]
    if len(set(shapes)) > 1:
        given = " and ".join(f"{s} ({t})" for s, t in zip(shapes, titles, strict=True))
        raise ModelError(f"{where}: inputs must have one shape, not {given}; make them equal")
    branches = _branches(made, visit, chains, axis=None)
    if branches is None:
        return replace(chains[0], source="", entry=None, steps=())
    orders = [branch.chain.order for branch in branches]
    if len({b.op.vectors for b in branches}) > 1 or any((o != orders[0]).any() for o in orders):
        raise ModelError(
            f"{where}: inputs must have one layout, not one of {' and '.join(titles)} transposed "
            "or reshaped; do that behind the sum"
        )
    factors, entry = _common(branches, where)
    sources = tuple(branch.op.name for branch in branches)
    plain = all(factor == 1 for factor in factors)
    op = Add(
        visit.name, sources, branches[0].op.elements, BIPOLAR, branches[0].op.vectors,
        () if plain else factors,
    )  # fmt: skip
    low, high = range_from(op, [made.range_of(name) for name in sources])
    op = replace(op, dtype=smallest(low, high))
    _keep(made, op, branches, replace(entry, low=low, high=high))
    return Chain(op.name, made.sums[op.name], branches[0].chain.places)


def concat(made: Translation, visit: Visit) -> Chain:
    """Concat of branches along the channels: any scales."""
    where, chains = visit.where, _chains(visit)
    if len(chains) == 1:
        return chains[0]
    if any(chain.places is None for chain in chains):
        return Chain("", None, None)
    rank = len(chains[0].shape) + 1
    axis = int(attribute(visit.node, "axis", 1)) % rank
    around = {tuple(np.delete((*chain.shape, 0), axis - 1)) for chain in chains}
    if axis == 0 or len(around) > 1 or len({len(chain.shape) for chain in chains}) > 1:
        given = " and ".join(" x ".join(map(str, chain.shape)) for chain in chains)
        raise ModelError(
            f"{where}: inputs must be alike but for their channels, not {given} along axis {axis}; "
            "make them equal, and keep the batch in front"
        )
    branches = _branches(made, visit, chains, axis=axis)
    if branches is None:
        shape = np.concatenate([np.zeros(chain.shape) for chain in chains], axis - 1).shape
        return Chain("", None, np.arange(np.prod(shape)).reshape(1, *shape))
    vectors, channels = branches[0].op.vectors, tuple(branch.channels for branch in branches)
    if axis not in (1, rank - 1) or any(branch.op.vectors != vectors for branch in branches):
        raise ModelError(
            f"{where}: must join the channels of images of one size (axis 1, or the last if "
            f"channels are), not axis {axis} of {' and '.join(b.title for b in branches)}; "
            "concatenate channels"
        )
    sources = tuple(branch.op.name for branch in branches)
    op = Concat(visit.name, sources, channels, BIPOLAR, vectors)
    low, high = range_from(op, [made.range_of(name) for name in sources])
    op = replace(op, dtype=joined_dtype([branch.op.dtype for branch in branches], low, high))
    entry, steps = _side_by_side(branches, low, high)
    _keep(made, op, branches, entry)
    places = np.concatenate(_moved(branches), axis - 1)
    batch = np.arange(len(chains[0].places if chains[0].places is not None else ()))
    whole = batch.reshape(-1, *(1,) * places.ndim) * op.elements + places
    return Chain(op.name, entry, whole, steps)


def _chains(visit: Visit) -> list[Chain]:
    chains = [value for value in visit.inputs if isinstance(value, Chain)]
    if len(chains) < len(visit.inputs):
        raise ModelError(
            f"{visit.where}: inputs must all come from the image, not from constants; join "
            "computed values only"
        )
    return chains


def _title(made: Translation, chain: Chain) -> str:
    return chain.steps[-1].node if chain.steps else made.titles.get(chain.source, chain.source)


def _branches(
    made: Translation, visit: Visit, chains: list[Chain], *, axis: int | None
) -> list[Branch] | None:
    """Make what enters a join; None if something of it is not known.

    axis: along which images are joined, so where their channels are; of a sum only pixels are put
    in order, channels last.
    """
    branches = []
    for given in chains:
        chain, rank = given, len(given.shape)
        if rank > 1 and (axis is not None or chain.source == made.ops[0].name):
            image = image_of(chain, visit.where, last=axis == rank)
            chain = lay_out(made, chain, image, visit.where)
        title = _title(made, chain)
        source, start, dtype = materialise(made, chain)
        if start.entry is None or made.is_placeholder(source):
            return None
        branches.append(Branch(title, made.op(source), start, dtype))
    return branches


def _keep(made: Translation, op: Add | Concat, branches: list[Branch], entry: Affine) -> None:
    made.ops.append(op)
    made.sums[op.name] = entry
    if all(branch.quantized for branch in branches):
        made.quantized.add(op.name)


def line(op: Op, chain: Chain) -> Affine | None:
    """Return a chain without pools as scale * integer + offset; None if it is not just that.

    op: whose integers they are. Equal to the last bit, for every integer of its range.
    """
    entry = chain.entry
    assert entry is not None
    if isinstance(entry, Affine) and not chain.steps:
        return entry
    points = np.arange(entry.low, entry.high + 1, 2 if op.dtype == BIPOLAR else 1)
    examples, function = chain.functions
    if points.size * examples.size > MAX_POINTS or points.size < 2:
        return None
    floats = chain.spread(points)
    ends = floats[[0, -1]].astype(np.float64)
    scale = (ends[1] - ends[0]) / float(points[-1] - points[0])
    plain = floats[points == 1].astype(np.float64).reshape(-1)  # of a scale that is rounded
    for unit, offset in ((plain, 0 * plain), (scale, ends[0] - scale * points[0])):
        if unit.size and ((points[:, None] * unit + offset).astype(np.float32) == floats).all():
            return Affine(unit, offset, entry.low, entry.high, chain.exact, function)
    return None


# ---- sums ----------------------------------------------------------------------------------------


def _common(branches: list[Branch], where: str) -> tuple[tuple[int, ...], Affine]:
    """Return each branch's factor, and what the sum of the integers times these stands for."""
    lines = []
    for branch in branches:
        found = line(branch.op, branch.chain)
        if found is None or not found.exact or not (found.scale > 0).all():
            last = branch.chain.steps[-1].node if branch.chain.steps else branch.title
            raise ModelError(
                f"{where}: what it adds ({' and '.join(b.title for b in branches)}) must be "
                f"integers times one exact scale, not the floats of {last}; {MEND}"
            )
        lines.append(found)
    labels = joined(found.labels for found in lines)
    assert labels is not None
    _, examples, labels = np.unique(labels, return_index=True, return_inverse=True)
    scale = np.stack([found.scale[found.labels[examples]] for found in lines])
    offset = np.stack([found.offset[found.labels[examples]] for found in lines])
    factors = _factors(branches, lines, scale, offset, where)
    joint = scale[0] / factors[0]
    entry = Affine(joint, offset.sum(axis=0), 0, 0, exact=True, labels=labels.reshape(-1))
    return factors, merged(entry)


def _factors(
    branches: list[Branch], lines: list[Affine], scale: DoubleArray, offset: DoubleArray, where: str
) -> tuple[int, ...]:
    """Return the scales (branches, labels) as multiples of the greatest that divides them all."""
    titles = " and ".join(branch.title for branch in branches)
    rows = np.concatenate([scale, offset])
    grid = binary_grid(rows.reshape(1, -1))[1].reshape(rows.shape)
    steps, shift = grid[: len(lines)], grid[len(lines) :]
    reach = [max(-found.low, found.high, 1) for found in lines]
    if sum(float((s * r + o).max()) for s, r, o in zip(steps, reach, shift, strict=True)) > (
        MAX_EXACT
    ):
        raise ModelError(
            f"{where}: the sum of {titles} must be exact in float32, but its steps "
            f"({_few(scale)}) have no common power of two within 24 bits; {MEND}"
        )
    whole = steps.astype(np.int64)
    ratios = np.unique(whole // np.gcd.reduce(whole, axis=0), axis=1)
    if ratios.shape[1] > 1:
        raise ModelError(
            f"{where}: scales of {titles} must have one ratio in all channels, not "
            f"{_few(scale[0] / scale[1])}; {MEND}"
        )
    factors = tuple(int(ratio) for ratio in ratios[:, 0])
    assert gcd(*factors) == 1
    return factors


def _few(numbers: DoubleArray) -> str:
    values = list(dict.fromkeys(f"{x:g}" for x in numbers.reshape(-1)))
    return ", ".join(values[:3]) + (", ..." if len(values) > 3 else "")


# ---- concatenations ------------------------------------------------------------------------------


def _moved(branches: list[Branch]) -> list[IntArray]:
    """Of each branch, where the elements of its tensor are in the joined value."""
    whole, first, moved = sum(branch.channels for branch in branches), 0, []
    for branch in branches:
        vector, channel = np.divmod(branch.chain.order, branch.channels)
        places = vector * whole + first + channel
        moved.append(places.reshape(branch.chain.shape))
        first += branch.channels
    return moved


def _side_by_side(branches: list[Branch], low: int, high: int) -> tuple[Affine, tuple[Step, ...]]:
    """Return what the joined integers stand for, and the steps of each branch on its channels."""
    vectors = branches[0].op.vectors
    scales: list[DoubleArray] = []
    offsets: list[DoubleArray] = []
    labels: list[IntArray] = []
    exact, steps, first = True, [], 0
    whole = sum(branch.channels for branch in branches)
    for branch in branches:
        bare = replace(branch.chain, steps=())
        found, own = line(branch.op, bare), list(branch.chain.floats)
        if found is None:
            found, own = _as_integers(branch, bare, own)
        assert bare.entry is not None
        exact = exact and bare.entry.exact
        labels.append(found.labels.reshape(vectors, -1) + sum(s.size for s in scales))
        scales.append(found.scale)
        offsets.append(found.offset)
        take = np.full((vectors, whole), -1)
        ours = np.arange(branch.op.elements).reshape(vectors, -1)
        take[:, first : first + branch.channels] = ours
        steps += [_partial(step, take.reshape(-1)) for step in own]
        first += branch.channels
    joint = np.concatenate(labels, axis=1).reshape(-1)
    entry = Affine(np.concatenate(scales), np.concatenate(offsets), low, high, exact, joint)
    return merged(entry), tuple(steps)


def _as_integers(branch: Branch, bare: Chain, own: list[Step]) -> tuple[Affine, list[Step]]:
    """Begin with the integers themselves, and look their floats up in the first step."""
    assert bare.entry is not None
    low, high = bare.entry.low, bare.entry.high
    floats, (examples, function) = bare.spread(np.arange(low, high + 1)), bare.functions

    def evaluate(x: FloatArray, columns: IntArray) -> FloatArray:
        points = np.clip(x.astype(np.int64), low, high) - low
        return np.asarray(floats[points, function[columns]])

    rises = np.diff(floats, axis=0)
    monotone = bool(((rises >= 0).all(axis=0) | (rises <= 0).all(axis=0)).all())
    labels = None if examples.size == 1 else function
    look_up = Step(branch.title, evaluate, labels, monotone)
    none = np.zeros(branch.op.elements, np.int64)
    return Affine(np.ones(1), np.zeros(1), low, high, exact=True, labels=none), [look_up, *own]


def _partial(step: Step, take: IntArray) -> Step:
    """Return a step of one branch on the joined value, of which element e is its take[e] or none.

    take is -1 for the elements of other branches, which stay as they are.
    """

    def evaluate(x: FloatArray, columns: IntArray) -> FloatArray:
        own = take[columns] >= 0
        out = x.copy()
        if own.any():
            out[:, own] = step.evaluate(x[:, own], take[columns[own]])
        return out

    labels = (take >= 0).astype(np.int64)
    if step.labels is not None:
        labels = np.where(take >= 0, step.labels[take] + 1, 0)
    return replace(step, evaluate=evaluate, labels=labels, quantizer=None, arithmetic=None)
