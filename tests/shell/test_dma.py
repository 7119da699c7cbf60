# SPDX-License-Identifier: Apache-2.0
"""hwbnn_dma_bursts: how batches become bursts. The rest of the DMA: test_shell_axi.py."""

import pytest

from hwbnn.emit.file_set import FileSet
from hwbnn.resources import Room, read_text

SOURCE = FileSet.of({"hwbnn_dma_bursts.sv": read_text(Room.RTL, "shell/hwbnn_dma_bursts.sv")})


@pytest.mark.slow
@pytest.mark.parametrize("frame_words", [1, 5, 98], ids="{} words a frame".format)
def test_bursts(frame_words: int, simulate) -> None:
    simulate(
        SOURCE,
        "hwbnn_dma_bursts",
        "tests.shell.dma_burst_cases",
        parameters={"FrameWords": frame_words, "WordBytes": 8 if frame_words > 1 else 16},
        seed=frame_words,
    )
