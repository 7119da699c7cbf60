# SPDX-License-Identifier: Apache-2.0
"""Spatial: nodes that slide over images, each as what it adds to a translation."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import onnx
from onnx import helper

from hwbnn.errors import ModelError
from hwbnn.frontend.chain import Chain, Padding, Patches, Pool, Step, run_steps
from hwbnn.frontend.conv import bias_step, conv, conv_kernel, conv_weights
from hwbnn.frontend.dense import input_values
from hwbnn.frontend.image import NOT_PADDED, Image, image_of, lay_out, window_of
from hwbnn.frontend.materialise import check_image, materialise
from hwbnn.frontend.pool import average, one_divisor, sum_pool, terms
from hwbnn.frontend.run_node import attribute
from hwbnn.frontend.translation import Translation, Visit
from hwbnn.frontend.weights import Constant, Weights
from hwbnn.ir.dtype import DType, IntArray
from hwbnn.ir.window import Window

UNKNOWN = Chain("", None, None)


def convolve(made: Translation, visit: Visit) -> Chain:
    """Conv."""
    constant, where = _weights(visit), visit.where
    weights = conv_weights(constant, where)
    if visit.chain.places is None:
        return UNKNOWN
    image, padding = image_of(visit.chain, where), visit.chain.padding or NOT_PADDED
    window = window_of(visit.node, image, constant.value.shape[2:], padding, where)
    groups = int(attribute(visit.node, "group", 1))
    return _convolved(made, visit, image, weights, window, groups=groups, padded=padding.value)


def im2col(_: Translation, visit: Visit) -> Chain:
    """Im2Col of FINN: kept beside the chain until a MatMul multiplies the windows."""
    chain, node, where = visit.chain, visit.node, visit.where
    if chain.places is None:
        return UNKNOWN
    image = image_of(chain, where, last=True)
    usual = helper.make_node(
        "Conv", [], [],
        strides=attribute(node, "stride", [1, 1]), dilations=attribute(node, "dilations", [1, 1]),
        pads=attribute(node, "pad_amount", [0, 0, 0, 0]),
    )  # fmt: skip
    kernel = tuple(attribute(node, "kernel_size", []))
    window = window_of(usual, image, kernel, NOT_PADDED, where)
    padded, depthwise = float(attribute(node, "pad_value", 0)), attribute(node, "depthwise", 0)
    return replace(chain, patches=Patches(window, padded, bool(depthwise)))


def multiply(made: Translation, visit: Visit) -> Chain:
    """MatMul of the windows that Im2Col made, or of every position of an image, channels last."""
    chain, constant = visit.chain, _weights(visit)
    image = image_of(chain, visit.where, last=True)
    window = Window(image.height, image.width, (1, 1))
    patches = chain.patches or Patches(window, 0.0, depthwise=False)
    window = patches.window
    kernel = conv_kernel(constant, window.kernel, depthwise=patches.depthwise, where=visit.where)
    weights = conv_weights(kernel, visit.where)
    visit = replace(visit, chain=replace(chain, patches=None))
    groups = image.channels if patches.depthwise else 1
    padded = patches.padded
    return _convolved(made, visit, image, weights, window, groups=groups, padded=padded)


def _weights(visit: Visit) -> Constant:
    constant = visit.constant(1)
    if constant is None or not visit.rest_constant:
        raise ModelError(
            f"{visit.where}: weights must be constant and the second input, not computed; "
            "export the model again"
        )
    return constant


def _convolved(
    made: Translation, visit: Visit, image: Image, weights: Weights, window: Window, *,
    groups: int, padded: float,
) -> Chain:  # fmt: skip
    where = visit.where
    chain = lay_out(made, replace(visit.chain, padding=None), image, where)
    source, start, dtype = _image(made, chain, image, where)
    outputs = len(weights.integers)
    places = image.places(window.out_height, window.out_width, outputs)
    if start.entry is None:
        return replace(UNKNOWN, places=places)
    values = input_values(start, dtype, where)
    op, entry = conv(
        visit.name, source, values, weights, window,
        channels=image.channels, groups=groups, padded=padded, where=where,
    )  # fmt: skip
    made.ops.append(op)
    made.sums[op.name] = entry
    step = bias_step(visit.constant(2), op, where)
    return Chain(op.name, entry, places, () if step is None else (step,))


def _image(
    made: Translation, chain: Chain, image: Image, where: str
) -> tuple[str, Chain, DType | None]:
    """Make what a node slides over."""
    source, start, dtype = materialise(made, chain)
    if start.entry is not None:
        check_image(made, made.op(source), image.positions, where)
    return source, start, dtype


# ---- pools ---------------------------------------------------------------------------------------


def max_pool(made: Translation, visit: Visit) -> Chain:
    """MaxPool: a step of the chain, made when it is known what follows."""
    return _max_pool(made, visit, _kernel, last=False)


def max_pool_nhwc(made: Translation, visit: Visit) -> Chain:
    """MaxPoolNHWC of FINN."""
    return _max_pool(made, visit, _kernel, last=True)


def average_pool(made: Translation, visit: Visit) -> Chain:
    """AveragePool: a sum of integers, and a division."""
    return _average(made, visit, _kernel, last=False)


def global_max_pool(made: Translation, visit: Visit) -> Chain:
    """GlobalMaxPool."""
    return _max_pool(made, visit, _whole, last=False)


def global_average_pool(made: Translation, visit: Visit) -> Chain:
    """GlobalAveragePool."""
    return _average(made, visit, _whole, last=False)


def reduce_image(made: Translation, visit: Visit) -> Chain:
    """ReduceMean, ReduceSum and ReduceMax over all positions of an image."""
    chain, node, named = visit.chain, visit.node, visit.constant(1)
    if chain.places is None:
        return UNKNOWN
    rank = chain.places.ndim
    given = attribute(node, "axes", []) if named is None else named.value.reshape(-1).tolist()
    axes = sorted(int(axis) % rank for axis in given)
    last = axes == list(range(1, rank - 1))
    if rank not in (3, 4) or not (last or axes == list(range(2, rank))):
        raise ModelError(
            f"{visit.where}: must reduce all positions of an image and nothing else, not axes "
            f"{given}; reduce the rows and columns"
        )
    pooled = (_max_pool if node.op_type == "ReduceMax" else _average)(
        made, visit, _whole, last=last
    )
    if attribute(node, "keepdims", 1):
        return pooled
    assert pooled.places is not None
    return replace(pooled, places=pooled.places.squeeze(tuple(axes)))


Kernel = Callable[[Visit, Image, Padding], Window]


def _kernel(visit: Visit, image: Image, padding: Padding) -> Window:
    kernel = tuple(attribute(visit.node, "kernel_shape", []))
    return window_of(visit.node, image, kernel, padding, visit.where)


def _whole(visit: Visit, image: Image, padding: Padding) -> Window:
    top, left, bottom, right = padding.amounts
    extents = image.height + top + bottom, image.width + left + right
    kernel = extents[1:] if image.sequence else extents
    return window_of(onnx.NodeProto(), image, kernel, padding, visit.where)


def _max_pool(made: Translation, visit: Visit, kernel: Kernel, *, last: bool) -> Chain:
    chain, where = visit.chain, visit.where
    if chain.places is None:
        return UNKNOWN
    image, padding = image_of(chain, where, last=last), chain.padding or NOT_PADDED
    window = kernel(visit, image, padding)
    chain = lay_out(made, replace(chain, padding=None), image, where)
    if any(padding.amounts):
        _check_never_greatest(chain, padding, where)
    if (window.sources < 0).all(axis=1).any():
        raise ModelError(f"{where}: every window must hold a part of the image; pad less")
    places = image.places(window.out_height, window.out_width, image.channels)
    pool = Pool(where, visit.name, window, image.channels)
    return replace(chain.then(pool), places=places)


def _check_never_greatest(chain: Chain, padding: Padding, where: str) -> None:
    """An explicit Pad is like none if its float is no greater than what the image holds."""
    quantizer = chain.steps[-1].quantizer if chain.steps else None
    if quantizer is not None and padding.value <= quantizer.floats.min():
        return
    raise ModelError(
        f"{where}: the Pad before it must put a quantizer's least value around the image, or less, "
        f"not {padding.value:g}; use the pool's own padding"
    )


def _average(made: Translation, visit: Visit, kernel: Kernel, *, last: bool) -> Chain:
    chain, where = visit.chain, visit.where
    if chain.places is None:
        return UNKNOWN
    image, padding = image_of(chain, where, last=last), chain.padding or NOT_PADDED
    window = kernel(visit, image, padding)
    chain = lay_out(made, replace(chain, padding=None), image, where)
    source, start, dtype = _image(made, chain, image, where)
    places = image.places(window.out_height, window.out_width, image.channels)
    if start.entry is None:
        return replace(UNKNOWN, places=places)
    given = terms(start, dtype, image.channels, padding.value, where)
    factors, divisors = one_divisor(given, window, _divisors(visit, window, padding))
    ends = made.range_of(source)
    op = sum_pool(visit.name, source, ends, window, image.channels, factors)
    entry, step = average(given, window, factors, divisors, where)
    made.ops.append(op)
    made.sums[op.name] = entry
    if dtype is not None:
        made.quantized.add(op.name)
    return Chain(op.name, entry, places, (step,))


def _divisors(visit: Visit, window: Window, padding: Padding) -> IntArray:
    """How many taps count at each position: all, or only those inside of an image and its Pad."""
    if visit.node.op_type == "ReduceSum":
        return np.ones(window.positions, np.int64)
    if attribute(visit.node, "count_include_pad", 0) or window.padding == padding.amounts:
        return np.full(window.positions, window.taps)
    if any(padding.amounts):
        raise ModelError(
            f"{visit.where}: image must be padded once, not by a Pad and again; put all padding "
            "into one of the two, or set count_include_pad"
        )
    return np.asarray((window.sources >= 0).sum(axis=1))


# ---- padding -------------------------------------------------------------------------------------


def pad(_: Translation, visit: Visit) -> Chain:
    """Pad: kept beside the chain until an operator slides over it."""
    chain, where = visit.chain, visit.where
    if chain.places is None:
        return UNKNOWN
    image, mode = image_of(chain, where), str(attribute(visit.node, "mode", "constant"))
    amounts, value = _amounts(visit, len(chain.shape) + 1)
    axes = len(amounts) // 2
    before, behind = amounts[:axes], amounts[axes:]
    if mode != "constant" or min(amounts) < 0 or any((*before[:2], *behind[:2])):
        raise ModelError(
            f"{where}: must put a constant around images, not {mode} {list(amounts)}; use constant "
            "padding of rows and columns"
        )
    if image.sequence:
        given = (0, before[2], 0, behind[2])
    else:
        given = (before[2], before[3], behind[2], behind[3])
    earlier = chain.padding or Padding((0, 0, 0, 0), value)
    if earlier.value != value:
        raise ModelError(
            f"{where}: image must be padded with one value, not {earlier.value:g} and {value:g}; "
            "use one Pad"
        )
    sums = [a + b for a, b in zip(given, earlier.amounts, strict=True)]
    return replace(chain, padding=Padding((sums[0], sums[1], sums[2], sums[3]), value))


def _amounts(visit: Visit, axes: int) -> tuple[tuple[int, ...], float]:
    """Padding before each axis, then behind each, and its value (both spellings of ONNX)."""
    if len(visit.node.input) == 1:
        given = attribute(visit.node, "pads", attribute(visit.node, "paddings", []))
        return tuple(given), float(attribute(visit.node, "value", 0.0))
    pads, value, named = visit.constant(1), visit.constant(2), visit.constant(3)
    if pads is None or not visit.rest_constant:
        raise ModelError(
            f"{visit.where}: amounts and value must be constants; export the model with fixed "
            "image sizes"
        )
    given = [int(n) for n in pads.value.reshape(-1)]
    if named is not None:
        places = [int(n) % axes for n in named.value.reshape(-1)]
        whole = [0] * (2 * axes)
        for index, place in enumerate(places):
            whole[place], whole[place + axes] = given[index], given[index + len(places)]
        given = whole
    return tuple(given), 0.0 if value is None else float(value.value.reshape(()))


def padded(chain: Chain, where: str) -> Chain:
    """Return a chain whose padding has gone through its last step too."""
    step = chain.steps[-1]
    if chain.padding is None:
        return chain
    assert isinstance(step, Step)
    columns = np.arange(chain.elements)
    floats = run_steps([step], np.full((1, columns.size), chain.padding.value, np.float32), columns)
    if (floats != floats[0, 0]).any():
        raise ModelError(
            f"{where}: padded values must stay one value in all channels; put the Pad behind it"
        )
    return replace(chain, padding=Padding(chain.padding.amounts, float(floats[0, 0])))
