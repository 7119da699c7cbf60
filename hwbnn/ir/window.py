# SPDX-License-Identifier: Apache-2.0
"""Window: the geometry of a kernel that slides over an image, and the classes of its border."""

from dataclasses import dataclass
from functools import cached_property
from typing import TypeAlias

import numpy as np

from hwbnn.errors import ModelError
from hwbnn.ir.dtype import IntArray

BoolArray: TypeAlias = np.ndarray[tuple[int, ...], np.dtype[np.bool_]]


@dataclass(frozen=True)
class Window:
    """A kernel over an image of height x width positions, as ONNX Conv and MaxPool define it.

    padding: top, left, bottom, right. Positions and taps are counted row by row. A sequence
    (audio) is an image of height 1.
    """

    height: int
    width: int
    kernel: tuple[int, int]
    stride: tuple[int, int] = (1, 1)
    dilation: tuple[int, int] = (1, 1)
    padding: tuple[int, int, int, int] = (0, 0, 0, 0)

    def __post_init__(self) -> None:
        positive = (self.height, self.width, *self.kernel, *self.stride, *self.dilation)
        if min(positive) < 1 or min(self.padding) < 0:
            raise ModelError(f"window: extents must be positive, not {self}")
        if self.out_height < 1 or self.out_width < 1:
            raise ModelError(
                f"window: kernel must fit the padded image, not {self.span[0]} x {self.span[1]} in "
                f"{self.padded[0]} x {self.padded[1]}"
            )

    @property
    def span(self) -> tuple[int, int]:
        """Rows and columns from a window's first tap to its last."""
        (kh, kw), (dh, dw) = self.kernel, self.dilation
        return (kh - 1) * dh + 1, (kw - 1) * dw + 1

    @property
    def padded(self) -> tuple[int, int]:
        """Height and width with the padding."""
        top, left, bottom, right = self.padding
        return self.height + top + bottom, self.width + left + right

    @property
    def out_height(self) -> int:
        """Rows of windows."""
        return (self.padded[0] - self.span[0]) // self.stride[0] + 1

    @property
    def out_width(self) -> int:
        """Columns of windows."""
        return (self.padded[1] - self.span[1]) // self.stride[1] + 1

    @property
    def positions(self) -> int:
        """Windows an image."""
        return self.out_height * self.out_width

    @property
    def taps(self) -> int:
        """Positions of the image, or of its padding, that a window holds."""
        return self.kernel[0] * self.kernel[1]

    @property
    def by_columns(self) -> IntArray:
        """Numbers of the taps, column by column: the order in which windows are sent."""
        return np.arange(self.taps).reshape(self.kernel).T.reshape(-1)

    @property
    def pointwise(self) -> bool:
        """Every window is one position of the image, in order: nothing to slide."""
        whole = self.out_height == self.height and self.out_width == self.width
        return self.taps == 1 and whole and not any(self.padding)

    @property
    def whole(self) -> bool:
        """One window holds the whole image, in order."""
        image = self.kernel == (self.height, self.width) and not any(self.padding)
        return image and self.positions == 1

    @cached_property
    def sources(self) -> IntArray:
        """Image position of each tap, int64 (positions, taps); -1 in the padding."""
        rows = _reach(self.out_height, self.kernel[0], self.stride[0], self.dilation[0])
        columns = _reach(self.out_width, self.kernel[1], self.stride[1], self.dilation[1])
        rows, columns = rows - self.padding[0], columns - self.padding[1]
        y = rows[:, None, :, None] + 0 * columns[None, :, None, :]
        x = columns[None, :, None, :] + 0 * rows[:, None, :, None]
        inside = (y >= 0) & (y < self.height) & (x >= 0) & (x < self.width)
        return np.where(inside, y * self.width + x, -1).reshape(self.positions, self.taps)

    @property
    def border(self) -> "Border":
        """Positions by which of their taps lie in the padding."""
        inside = (self.sources >= 0).reshape(self.out_height, self.out_width, -1)
        return Border.of(inside)


def _reach(out: int, kernel: int, stride: int, dilation: int) -> IntArray:
    return np.arange(out)[:, None] * stride + np.arange(kernel) * dilation


@dataclass(frozen=True, eq=False)
class Border:
    """Classes of output positions: (y, x) is of class rows[y] * column_classes + columns[x].

    rows, columns: int64, class of each row and column of windows, each counted from 0.
    """

    rows: IntArray
    columns: IntArray

    @classmethod
    def of(cls, facts: np.ndarray[tuple[int, ...], np.dtype[np.generic]]) -> "Border":
        """Tell apart the rows, and the columns, of facts (height, width, ...) that differ."""
        height, width = facts.shape[:2]
        rows = facts.reshape(height, -1)
        columns = facts.swapaxes(0, 1).reshape(width, -1)
        return cls(_labels(rows), _labels(columns))

    @property
    def column_classes(self) -> int:
        """Classes of columns."""
        return int(self.columns.max()) + 1

    @property
    def classes(self) -> int:
        """Classes of positions."""
        return (int(self.rows.max()) + 1) * self.column_classes

    @property
    def positions(self) -> IntArray:
        """Class of each position, int64 (height * width,)."""
        return (self.rows[:, None] * self.column_classes + self.columns[None, :]).reshape(-1)

    @property
    def examples(self) -> IntArray:
        """A position of each class, int64 (classes,)."""
        return np.unique(self.positions, return_index=True)[1]


def _labels(rows: np.ndarray[tuple[int, ...], np.dtype[np.generic]]) -> IntArray:
    """Number the different rows in the order in which they first come."""
    _, first, label = np.unique(rows, axis=0, return_index=True, return_inverse=True)
    rank = np.empty(len(first), np.int64)
    rank[np.argsort(first)] = np.arange(len(first))
    labels: IntArray = rank[label.reshape(-1)]
    return labels
