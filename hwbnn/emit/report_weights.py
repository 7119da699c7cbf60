# SPDX-License-Identifier: Apache-2.0
"""The report's sections of weights that come from memory, all the time or once: who, how much."""

from itertools import zip_longest
from typing import Any

from hwbnn.board import MEMORY_SHARE, Board
from hwbnn.emit.figure import figure
from hwbnn.emit.weight_images import WeightImage, load_image, weight_images
from hwbnn.ir.design import Design, Instance
from hwbnn.ir.ram import ultra_columns, ultra_ram


def streamed_weights(
    design: Design, board: Board, *, period: float, clock_mhz: float
) -> dict[str, Any]:
    """Return the section of a design with such weights, at a frame every `period` cycles.

    mb_s counts the bytes that are read, words with their padding to a power of two.
    """
    images = weight_images(design)
    peak = board.data.peak_mb_s
    ports = board.data.weight_ports[: len(images)]
    layers = [
        _layer(design, name, image, port, rate=clock_mhz / period, peak=peak)
        for (name, image), port in zip_longest(images.items(), ports)
    ]
    total = sum(image.frame_bytes for image in images.values()) / period * clock_mhz
    return {
        "layers": layers,
        "mb_s": figure(round(total, 3), "MB/s"),
        "share_of_peak": round(total / peak, 6),
        "peak_mb_s": peak,
        "limit": MEMORY_SHARE,
        "text": _text(layers, total, peak),
    }


def _layer(
    design: Design, name: str, image: WeightImage, port: str | None, *, rate: float, peak: float
) -> dict[str, Any]:
    """Return what is told of one source; rate: million frames a second."""
    (edge,) = design.out_of(name)
    mb_s = image.frame_bytes * rate
    return {
        "layer": edge.consumer.instance if edge.consumer else "",
        "port": port,
        "word_bits": image.word_bits,
        "container_bytes": image.container_bytes,
        "words": image.words,
        "words_a_frame": image.words_a_frame,
        "bytes_a_frame": image.frame_bytes,
        "mb_s": figure(round(mb_s, 3), "MB/s"),
        "share_of_peak": round(mb_s / peak, 6),
    }


def loaded_weights(design: Design) -> dict[str, Any]:
    """Return the section of a design with weights in UltraRAM: the memories, and their image."""
    layers, image = [_memory(instance) for instance in design.loaded], load_image(design)
    assert image is not None, "asked for if there are some"
    blocks = sum(one["uram"] for one in layers)
    names = ", ".join(one["layer"] for one in layers)
    text = (
        f"The weights of {_counted(layers)} lie in {blocks} UltraRAM{'' if blocks == 1 else 's'} "
        f"({names}), which no bitstream fills: {image.words:,} columns of {image.word_bits} bits, "
        f"an image of {len(image.data):,} bytes, are loaded once before the first frame. "
        "HLS does not load them: the project is for RTL alone; with --backend hls the search of "
        "foldings does without."
    )
    return {
        "layers": layers,
        "columns": image.words,
        "column_bits": image.word_bits,
        "container_bytes": image.container_bytes,
        "image_bytes": len(image.data),
        "text": text,
    }


def _memory(instance: Instance) -> dict[str, Any]:
    shape = instance.unit.loaded_memory
    assert shape is not None, "asked for the loaded alone"
    return {
        "layer": instance.name,
        "word_bits": shape.width,
        "words": shape.depth,
        "columns": shape.depth * ultra_columns(shape.width),
        "uram": int(ultra_ram(shape.depth, shape.width).uram),
    }


def _text(layers: list[dict[str, Any]], total: float, peak: float) -> str:
    each = ", ".join(f"{one['layer']} {one['mb_s']['value']:,.0f} MB/s" for one in layers)
    return (
        f"The weights of {_counted(layers)} do not lie in the chip but come from memory: {each}; "
        f"{total / peak:.1%} of the memory's peak, of which {MEMORY_SHARE:.0%} are reckoned with, "
        "frames included. HLS does not take them: the project is for RTL alone."
    )


def _counted(layers: list[dict[str, Any]]) -> str:
    return "1 layer" if len(layers) == 1 else f"{len(layers)} layers"
