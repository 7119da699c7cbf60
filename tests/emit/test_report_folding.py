# SPDX-License-Identifier: Apache-2.0
"""What the report says that a search of foldings proved."""

from hwbnn.board import find_board
from hwbnn.emit.report_folding import FoldingBound, folding_section
from hwbnn.frontend import import_model
from hwbnn.ir.unit import Family
from hwbnn.passes import fastest_folding, lower
from tests.dag_models import random_dag_model


def test_what_no_port_can_bring_is_not_said_to_be_proved() -> None:
    """A design may take fewer cycles than the port; that none is faster is no proof."""
    design = lower(import_model(random_dag_model(2008).model, name="branches"))
    limit = find_board("pynq-z2").limit
    found = fastest_folding(design, limit=limit, family=Family.XC7, port_cycles=133)
    bound = found.bound
    assert bound is not None and found.cycles < 133
    assert (bound.cycles, bound.reason) == (133, "the port takes 133 cycles a frame")
    proof = FoldingBound(
        bound.target, bound.cycles, 0.5, 0.5, found.cycles, bound.choices, bound.reason
    )
    text = folding_section(proof, ultra=False)["text"]
    assert "fewer than" not in text
    assert text.endswith("None of fewer cycles was looked for: the port takes 133 cycles a frame.")


def test_bounds_on_cycles_and_share() -> None:
    proof = FoldingBound(110, 100, 0.5, 0.55, 110, 1234, kept="2 LUTs")
    text = folding_section(proof, ultra=False)["text"]
    assert text == (
        "Proved among 1,234 foldings of the layers, none much faster than need be, with every "
        "converter between them and FIFOs that hold what they are reckoned to where branches meet: "
        "none that fits takes fewer than 100 cycles a frame (this one takes 110, within 10.0% of "
        "the proved bound), and none of at most 110 cycles that fits takes less than 50.0% of the "
        "board's limits (shares of LUTs, BRAMs and DSPs added up; this one 55.0% before its FIFOs "
        "are sized, within 10.0% of the proved bound). For what sized FIFOs add, 2 LUTs were kept "
        "free."
    )
