# SPDX-License-Identifier: Apache-2.0
"""The report's section of weights that stream from memory: who, how wide, how fast."""

from typing import Any

from hwbnn.board import MEMORY_SHARE, Board
from hwbnn.emit.weight_images import weight_images
from hwbnn.ir.design import Design

MODELLED = "modelled"


def streamed_weights(
    design: Design, board: Board, *, period: float, clock_mhz: float
) -> dict[str, Any]:
    """Return the section of a design with such weights, at a frame every `period` cycles.

    mb_s counts the bytes that are read, words with their padding to a power of two.
    """
    images = weight_images(design)
    peak, ports = board.data.peak_mb_s, board.data.weight_ports
    layers: list[dict[str, Any]] = []
    for index, (name, image) in enumerate(images.items()):
        (edge,) = design.out_of(name)
        frame_bytes = image.words_a_frame * image.container_bytes
        mb_s = frame_bytes / period * clock_mhz
        layers.append(
            {
                "layer": edge.consumer.instance if edge.consumer else "",
                "port": ports[index] if index < len(ports) else None,
                "word_bits": image.word_bits,
                "container_bytes": image.container_bytes,
                "words": image.words,
                "words_a_frame": image.words_a_frame,
                "bytes_a_frame": frame_bytes,
                "mb_s": _figure(mb_s, "MB/s"),
                "share_of_peak": round(mb_s / peak, 6),
            }
        )
    total = sum(layer["mb_s"]["value"] for layer in layers)
    return {
        "layers": layers,
        "mb_s": _figure(total, "MB/s"),
        "share_of_peak": round(total / peak, 6),
        "peak_mb_s": peak,
        "limit": MEMORY_SHARE,
        "text": _text(layers, total, peak),
    }


def _figure(value: float, unit: str) -> dict[str, Any]:
    return {"value": round(value, 3), "unit": unit, "origin": MODELLED}


def _text(layers: list[dict[str, Any]], total: float, peak: float) -> str:
    each = ", ".join(f"{one['layer']} {one['mb_s']['value']:,.0f} MB/s" for one in layers)
    return (
        f"The weights of {len(layers)} layers do not lie in the chip but come from memory: {each}; "
        f"{total / peak:.1%} of the memory's peak, of which {MEMORY_SHARE:.0%} are reckoned with, "
        "frames included."
    )
