# SPDX-License-Identifier: Apache-2.0
"""Window and Border against plain loops."""

import numpy as np
import pytest

from hwbnn.errors import ModelError
from hwbnn.ir.window import Border, Window

WINDOWS = [
    Window(5, 6, (3, 3)),
    Window(5, 6, (3, 2), (2, 3), padding=(1, 1, 0, 1)),
    Window(7, 5, (2, 3), (1, 2), (3, 2), (1, 0, 2, 1)),
    Window(1, 9, (1, 4), (1, 3), padding=(0, 2, 0, 1)),
    Window(4, 4, (1, 1), (3, 3)),
    Window(3, 4, (3, 4)),
]


@pytest.mark.parametrize("window", WINDOWS, ids=str)
def test_sources_are_those_of_plain_loops(window: Window) -> None:
    top, left, bottom, right = window.padding
    found = []
    for y in range(0, window.height + top + bottom - window.span[0] + 1, window.stride[0]):
        for x in range(0, window.width + left + right - window.span[1] + 1, window.stride[1]):
            taps = []
            for ky in range(window.kernel[0]):
                for kx in range(window.kernel[1]):
                    row = y + ky * window.dilation[0] - top
                    column = x + kx * window.dilation[1] - left
                    inside = 0 <= row < window.height and 0 <= column < window.width
                    taps.append(row * window.width + column if inside else -1)
            found.append(taps)
    np.testing.assert_array_equal(window.sources, found)
    assert window.positions == len(found)


@pytest.mark.parametrize("window", WINDOWS, ids=str)
def test_border_classes_tell_apart_what_lies_in_the_padding(window: Window) -> None:
    padded, border = window.sources < 0, window.border
    for position, label in enumerate(border.positions):
        example = border.examples[label]
        assert (padded[position] == padded[example]).all()
    assert border.classes == len(border.examples) == border.positions.max() + 1


def test_a_padded_3x3_kernel_has_nine_classes() -> None:
    assert Window(8, 8, (3, 3), padding=(1, 1, 1, 1)).border.classes == 9


def test_border_of_facts_that_are_no_grid_is_refined_to_one() -> None:
    facts = np.array([[0, 0, 1], [0, 0, 0], [0, 0, 1]])
    border = Border.of(facts)
    at = border.examples[border.positions]
    np.testing.assert_array_equal(facts.reshape(-1)[at], facts.reshape(-1))


def test_pointwise_and_whole() -> None:
    assert Window(4, 5, (1, 1)).pointwise
    assert not Window(4, 5, (1, 1), (2, 2)).pointwise
    assert Window(4, 5, (4, 5)).whole
    assert not Window(4, 5, (4, 5), (3, 3), padding=(1, 0, 0, 0)).whole


def test_kernel_larger_than_the_image() -> None:
    with pytest.raises(ModelError, match="kernel must fit the padded image, not 3 x 5 in 4 x 4"):
        Window(4, 4, (3, 3), dilation=(1, 2))
