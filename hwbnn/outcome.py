# SPDX-License-Identifier: Apache-2.0
"""Outcome: the report of a build, and all files that it leaves."""

import importlib.metadata

from hwbnn import flow
from hwbnn.emit.file_set import FileSet
from hwbnn.emit.report import Connections, FifoProof, Findings, Json, report
from hwbnn.emit.report_files import report_files
from hwbnn.emit.report_folding import FoldingBound, FoldingProof
from hwbnn.emit.report_routed import routed
from hwbnn.emit.shell import room
from hwbnn.ir.text import design_text, graph_text
from hwbnn.passes.folding_file import to_toml
from hwbnn.passes.search.fit import kept_free


def report_of(result: flow.BuildResult) -> Json:
    """Return the report of a build."""
    return report(
        Findings(
            version=importlib.metadata.version("hwbnn"),
            model=result.config.model.name.encode(errors="replace").decode(),  # any bytes
            model_sha256=result.model_sha256,
            graph=flow.graph_of(result),
            board=result.config.board,
            clock_mhz=result.clock_mhz,
            design=result.design,
            performance=result.performance,
            trace=result.trace,
            slowdown=None if result.slowdown is None else str(result.slowdown),
            connections=tuple(
                Connections(c.joins, c.what, c.integers, c.chosen) for c in result.carried
            ),
            folding=_folding_proof(result),
            fifo_sizing=_fifo_proof(result),
            cosimulated=result.cosimulated,
            synthesised=result.synthesised,
            routed=None if result.bitstream is None else routed(result.bitstream.routed),
            checks=result.checks,
            seconds=result.seconds,
        )
    )


def _folding_proof(result: flow.BuildResult) -> FoldingProof | FoldingBound | None:
    found = result.searched
    if found is None:
        return None
    kept = kept_free(found.room, room(result.config.board))
    if found.certificate is not None:
        proof = found.certificate
        return FoldingProof(proof.target, proof.share, proof.reason, proof.choices, kept)
    if found.bound is None:
        return None
    bound = found.bound
    return FoldingBound(
        target=bound.target,
        cycles=bound.cycles,
        share=bound.share,
        found=bound.found,
        now=found.cycles,
        choices=bound.choices,
        reason=bound.reason,
        kept=kept,
    )


def _fifo_proof(result: flow.BuildResult) -> FifoProof | None:
    if result.sizing is None:
        return None
    return FifoProof(result.sizing.bits, result.sizing.bound, tuple(result.fifos))


def files_of(result: flow.BuildResult) -> FileSet:
    """Return all files of a finished build, reports included."""
    texts = {"graph.txt": graph_text(flow.graph_of(result))}
    if result.design is not None:
        texts["design.txt"] = design_text(result.design)
        texts["folding.toml"] = to_toml(result.design)
    emitted = result.files or FileSet({})
    return FileSet.of(texts) | emitted | report_files(report_of(result))
