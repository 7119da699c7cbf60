# SPDX-License-Identifier: Apache-2.0
"""Target: what a back end must know of the board and the bitstream, from the package's manifest."""

from __future__ import annotations

from typing import Any, Mapping, NamedTuple

from .weights import Image


class Target(NamedTuple):
    """The board behind a back end.

    build_hash: hexadecimal. clock_mhz: of the fabric; ps_clk_mhz: of the processing system's
    oscillator (Zynq). control_base: address of the registers, as the processor sees it.
    buffer_bytes: contiguous memory that the driver may take. loader: what openFPGALoader calls the
    board. What a link has not is 0 or "". weights: images that must lie in memory.
    """

    board: str
    family: str
    build_hash: str
    clock_mhz: float
    word_bytes: int
    fifos: tuple[str, ...] = ()
    ps_clk_mhz: float = 0.0
    control_port: str = ""
    control_base: int = 0
    data_port: str = ""
    address_bits: int = 0
    buffer_bytes: int = 0
    uio: str = ""
    baud: int = 0
    loader: str = ""
    weights: tuple[Image, ...] = ()

    @classmethod
    def of(cls, manifest: Mapping[str, Any]) -> Target:
        """Return what a manifest (`hwbnn/package@1` to @3) says."""
        link, clock = manifest["link"], manifest["clock"]
        return cls(
            board=manifest["board"]["id"],
            family=manifest["board"]["family"],
            build_hash=manifest["build_hash"],
            clock_mhz=float(clock["mhz"]),
            word_bytes=int(manifest["input"]["word_bytes"]),
            fifos=tuple(manifest["fifos"]),
            ps_clk_mhz=float(clock.get("ps_clk_mhz", 0)),
            control_port=link.get("control_port", ""),
            control_base=int(link.get("control_base", 0)),
            data_port=link.get("data_port", ""),
            address_bits=int(link.get("address_bits", 0)),
            buffer_bytes=int(link.get("buffer_bytes", 0)),
            uio=link.get("uio", ""),
            baud=int(link.get("baud", 0)),
            loader=link.get("load") or "",
            weights=tuple(Image.of(entry) for entry in manifest.get("weights", ())),
        )

    @property
    def frame_bytes(self) -> int:
        """Contiguous memory for frames and results: what the weights leave."""
        return self.buffer_bytes - self.weight_bytes

    @property
    def weight_bytes(self) -> int:
        """Contiguous memory for weights."""
        return sum(image.room for image in self.weights)
