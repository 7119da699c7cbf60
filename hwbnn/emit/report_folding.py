# SPDX-License-Identifier: Apache-2.0
"""Section `folding` of the report: what the search of foldings proved."""

from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True)
class FoldingProof:
    """Of a chain: the folding is the cheapest (hwbnn.passes.search.fit.Certificate).

    kept: what of the limits was kept free for what sizing the FIFOs adds, as text.
    """

    target: int
    share: float
    reason: str
    choices: int
    kept: str = ""


@dataclass(frozen=True)
class FoldingBound:
    """Where streams part and meet: how near to the best (hwbnn.passes.search.branches.Bound).

    found: the share of the folding at hand, which takes `now` cycles a frame.
    """

    target: int
    cycles: int | None
    share: float
    found: float
    now: int
    choices: int
    reason: str = ""
    kept: str = ""


def folding_section(proof: FoldingProof | FoldingBound, *, ultra: bool) -> dict[str, Any]:
    """Return the section: the figures, and what they say; ultra: the board has UltraRAM."""
    kinds = "LUTs, BRAMs, DSPs and UltraRAMs" if ultra else "LUTs, BRAMs and DSPs"
    text = _exact(proof, kinds) if isinstance(proof, FoldingProof) else _near(proof, kinds)
    if proof.kept:
        text += f" For what sized FIFOs add, {proof.kept} were kept free."
    return {**asdict(proof), "text": text}


def _exact(proof: FoldingProof, kinds: str) -> str:
    return (
        f"Proved among {proof.choices:,} foldings of the layers, with every converter and FIFO "
        f"between them: none of at most {proof.target:,} cycles a frame takes less of the "
        f"board's limits (the shares of {kinds} add up to {proof.share:.1%}). "
        f"The target is {proof.target:,} cycles: {proof.reason}."
    )


def _near(proof: FoldingBound, kinds: str) -> str:
    text = (
        f"Proved among {proof.choices:,} foldings of the layers, none much faster than need be, "
        "with every converter between them and FIFOs that hold what they are reckoned to where "
        "branches meet: "
    )
    if proof.cycles is not None and not proof.reason:
        more = proof.now / proof.cycles - 1
        text += (
            f"none that fits takes fewer than {proof.cycles:,} cycles a frame (this one takes "
            f"{proof.now:,}, {_within(more)}), and "
        )
    more = proof.found / proof.share - 1 if proof.share > 0 else 0.0
    text += (
        f"none of at most {proof.target:,} cycles that fits takes less than {proof.share:.1%} of "
        f"the board's limits (shares of {kinds} added up; this one {proof.found:.1%} "
        f"before its FIFOs are sized, {_within(more)})."
    )
    if proof.reason:
        text += f" None of fewer cycles was looked for: {proof.reason}."
    return text


def _within(more: float) -> str:
    return f"within {more:.1%} of the proved bound"
