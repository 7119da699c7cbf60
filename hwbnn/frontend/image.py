# SPDX-License-Identifier: Apache-2.0
"""Image: what a tensor with rows, columns and channels is to an operator that slides over it."""

from dataclasses import dataclass, replace

import numpy as np
import onnx

from hwbnn.errors import ModelError
from hwbnn.frontend.chain import Chain, Padding, Pixels, Pool, Step
from hwbnn.frontend.run_node import attribute
from hwbnn.frontend.translation import Translation
from hwbnn.ir.dtype import IntArray
from hwbnn.ir.ops import Input, Permute
from hwbnn.ir.window import Window

NOT_PADDED = Padding((0, 0, 0, 0), 0.0)


@dataclass(frozen=True)
class Image:
    """Extents of a tensor (N, C, H, W), or (N, H, W, C) if last; without H it is a sequence."""

    height: int
    width: int
    channels: int
    batch: int = 1
    sequence: bool = False
    last: bool = False

    @property
    def positions(self) -> int:
        """Rows times columns."""
        return self.height * self.width

    def order(self, places: IntArray) -> IntArray:
        """Return the places of one image, position after position with all its channels."""
        first = places[0] if self.last else np.moveaxis(places[0], 0, -1)
        order: IntArray = first.reshape(-1)
        return order

    def places(self, height: int, width: int, channels: int) -> IntArray:
        """Return the places of a result of other extents, channels last, in this layout."""
        spatial = (width,) if self.sequence else (height, width)
        whole = np.arange(self.batch * height * width * channels)
        whole = whole.reshape(self.batch, *spatial, channels)
        return whole if self.last else np.moveaxis(whole, -1, 1)


def image_of(chain: Chain, where: str, *, last: bool = False) -> Image:
    """Return the extents of a chain's tensor as an image."""
    shape = chain.shape
    if len(shape) not in (2, 3):
        raise ModelError(
            f"{where}: input must be an image (channels, rows, columns) or a sequence (channels, "
            f"steps), not {' x '.join(map(str, shape))}; use a 2D or 1D layer"
        )
    assert chain.places is not None
    channels, *spatial = (shape[-1], *shape[:-1]) if last else shape
    height, width = (1, *spatial) if len(spatial) == 1 else spatial
    return Image(height, width, channels, len(chain.places), len(spatial) == 1, last)


def window_of(
    node: onnx.NodeProto, image: Image, kernel: tuple[int, ...], padding: Padding, where: str
) -> Window:
    """Return the window of a convolution or pool; padding is what an explicit Pad adds to it."""
    axes = 1 if image.sequence else 2
    if len(kernel) != axes:
        raise ModelError(
            f"{where}: kernel must have as many axes as its input, {axes}, not {len(kernel)}; "
            "export the model again"
        )
    stride = tuple(attribute(node, "strides", [1] * axes))
    dilation = tuple(attribute(node, "dilations", [1] * axes))
    extents = (image.width,) if image.sequence else (image.height, image.width)
    pads = _pads(node, extents, kernel, stride, dilation, where)
    if image.sequence:
        kernel, stride, dilation = (1, *kernel), (1, *stride), (1, *dilation)
        pads = (0, pads[0], 0, pads[1])
    amounts = tuple(a + b for a, b in zip(pads, padding.amounts, strict=True))
    if any(pads) and any(padding.amounts) and padding.value != 0:
        raise ModelError(
            f"{where}: image must be padded once, not by a Pad with {padding.value:g} and again; "
            "put all padding into one of the two"
        )
    spans = [(k - 1) * d + 1 for k, d in zip(kernel, dilation, strict=True)]
    extents = image.height + amounts[0] + amounts[2], image.width + amounts[1] + amounts[3]
    if min(*kernel, *stride, *dilation) < 1 or min(amounts) < 0:
        raise ModelError(
            f"{where}: kernel, strides and dilations must be positive and padding not negative; "
            "export the model again"
        )
    if spans[0] > extents[0] or spans[1] > extents[1]:
        raise ModelError(
            f"{where}: kernel must fit the padded image, not {spans[0]} x {spans[1]} in "
            f"{extents[0]} x {extents[1]}; choose a smaller kernel or a larger image"
        )
    begins = image.height + amounts[0], image.width + amounts[1]
    below, right = _rest(node, spans, stride, extents, begins, where)
    return Window(
        image.height, image.width, (kernel[0], kernel[1]), (stride[0], stride[1]),
        (dilation[0], dilation[1]),
        (amounts[0], amounts[1], amounts[2] + below, amounts[3] + right),
    )  # fmt: skip


def _pads(
    node: onnx.NodeProto, extents: tuple[int, ...], kernel: tuple[int, ...],
    stride: tuple[int, ...], dilation: tuple[int, ...], where: str,
) -> tuple[int, ...]:  # fmt: skip
    """Padding before each axis, then behind each, as ONNX' Conv defines pads and auto_pad."""
    axes, mode = len(extents), str(attribute(node, "auto_pad", "NOTSET"))
    if mode == "VALID":
        return (0,) * (2 * axes)
    if mode == "NOTSET":
        return tuple(attribute(node, "pads", [0] * (2 * axes)))
    if mode not in ("SAME_UPPER", "SAME_LOWER") or any(d != 1 for d in dilation):
        raise ModelError(
            f"{where}: padding must be written out where auto_pad is {mode} and dilations are not "
            "1; export the model with pads"
        )
    out = [-(-n // s) for n, s in zip(extents, stride, strict=True)]
    whole = [
        max(0, (o - 1) * s + k - n) for o, s, k, n in zip(out, stride, kernel, extents, strict=True)
    ]
    less, more = [n // 2 for n in whole], [n - n // 2 for n in whole]
    return (*less, *more) if mode == "SAME_UPPER" else (*more, *less)


def _rest(
    node: onnx.NodeProto, spans: list[int], stride: tuple[int, ...], extents: tuple[int, int],
    begins: tuple[int, int], where: str,
) -> tuple[int, int]:  # fmt: skip
    """Return the rows and columns that ceil_mode adds, for a last window that is not full.

    begins: rows and columns before the padding below and on the right, where no window may begin.
    """
    if not attribute(node, "ceil_mode", 0):
        return 0, 0
    added = []
    for extent, span, step, begin in zip(extents, spans, stride, begins, strict=True):
        rest = (extent - span) % step
        last = extent - span - rest + step  # where the window begins that is not full
        added.append(step - rest if rest and last < begin else 0)
    if any(added) and attribute(node, "count_include_pad", 0):
        raise ModelError(
            f"{where}: count_include_pad must be 0 where ceil_mode leaves a window that is not "
            "full; set it to False"
        )
    return added[0], added[1]


def lay_out(made: Translation, chain: Chain, image: Image, where: str) -> Chain:
    """Return the chain with its elements in the image's order, channels last.

    The host brings pixels into any order; elsewhere another order is a ModelError.
    """
    assert chain.places is not None
    order = image.order(chain.places)
    identity = np.array_equal(order, np.arange(order.size))
    pools = [step for step in chain.steps if isinstance(step, Pool)]
    if not pools and chain.source == made.ops[0].name:
        return _of_pixels(made, chain, image, order, where)
    if not chain.source or made.is_placeholder(chain.source):
        return chain  # of a value that is not known, neither is the order
    vectors = pools[-1].window.positions if pools else made.op(chain.source).vectors
    if not identity or vectors != image.positions:
        raise ModelError(
            f"{where}: input must be an image as the layer before it gives it, not one that is "
            "reshaped or transposed in between; take that out"
        )
    return chain


def _of_pixels(made: Translation, chain: Chain, image: Image, order: IntArray, where: str) -> Chain:
    source = made.ops[0]
    assert isinstance(source, Input) and chain.places is not None
    if np.array_equal(order, np.arange(order.size)):
        made.ops[0] = replace(source, vectors=image.positions)
        return chain
    earlier = next((op for op in made.ops if isinstance(op, Permute)), None)
    if earlier is not None and not np.array_equal(earlier.order, order):
        raise ModelError(
            f"{where}: the model's input must be one image to all its layers, not several; "
            "use one layout"
        )
    if earlier is None:
        earlier = Permute(
            made.fresh(f"{source.name.rstrip('_')}_image"),
            source.name,
            order,
            source.dtype,
            image.positions,
        )
        made.ops.insert(1, earlier)
    inverse = np.argsort(order)
    batch = np.arange(len(chain.places)).reshape(-1, *(1,) * len(chain.shape)) * order.size
    steps = tuple(
        _reordered(step.moved(order), inverse) for step in chain.steps if isinstance(step, Step)
    )
    places = inverse[chain.places - batch] + batch
    assert isinstance(chain.entry, Pixels)
    return replace(chain, source=earlier.name, steps=steps, places=places)


def _reordered(step: Step, inverse: IntArray) -> Step:
    if step.quantizer is None:
        return step
    order = inverse[step.quantizer.order]
    return replace(step, quantizer=replace(step.quantizer, order=order))
