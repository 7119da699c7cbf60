# SPDX-License-Identifier: Apache-2.0
"""What a chip has besides its core is counted for every board."""

import pytest

from hwbnn.board import boards
from hwbnn.emit.chip import MONITORED_FIFOS
from hwbnn.emit.shell import core_cost, monitor_cost, room, shell_cost
from hwbnn.passes import adapt, lower
from tests.graphs import binary_mlp

BOARDS = boards()


@pytest.mark.parametrize("name", BOARDS)
def test_shell_takes_of_every_limit(name: str) -> None:
    board = BOARDS[name]
    left, shell = room(board), shell_cost(board)
    assert 0 < left.lut == pytest.approx(board.limit.lut - shell.lut)
    assert left.amounts[1:] == (board.limit.less(shell)).amounts[1:]
    design = adapt(lower(binary_mlp((16, 8, 4))))
    monitors = monitor_cost(design, board.cost_family)
    whole = core_cost(design, board)
    assert whole == design.resources(board.cost_family) + monitors
    assert 8 * len(design.edges) < monitors.lut < 60 * len(design.edges)


def test_too_many_fifos_are_not_monitored() -> None:
    design = adapt(lower(binary_mlp((4,) * MONITORED_FIFOS)))
    assert len(design.edges) > MONITORED_FIFOS
    assert monitor_cost(design, BOARDS["pynq-z2"].cost_family).lut == 0
