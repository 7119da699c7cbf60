# SPDX-License-Identifier: Apache-2.0
"""Weights: images in the board's memory, which its readers bring to the core, for ever or once."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, Mapping, NamedTuple, Sequence

import numpy as np

from . import registers as r
from .errors import BoardFault, PackageFault, TimeoutFault

if TYPE_CHECKING:
    from .back_end import Buffer, Memory, Registers

PAGE = 4096
STOP_SECONDS = 1.0  # bursts under way end within microseconds
LOAD_SECONDS = 5.0  # a beat a cycle: milliseconds

_ABANDONED: list[Buffer] = []  # of readers that could not be stopped: never given back


class Image(NamedTuple):
    """What one reader brings: a word of word_bits in each container_bytes of a file.

    name: of the layer's source. port: of the processing system. size: of the file, in bytes.
    loaded: once, into memories of the core, by the last of the readers.
    """

    name: str
    port: str
    file: str
    size: int
    word_bits: int
    container_bytes: int
    loaded: bool = False

    @classmethod
    def of(cls, entry: Mapping[str, Any]) -> Image:
        """Return an entry of a manifest's `weights`."""
        return cls(
            name=entry["name"],
            port=entry["port"],
            file=entry["file"],
            size=int(entry["bytes"]),
            word_bits=int(entry["word_bits"]),
            container_bytes=int(entry["container_bytes"]),
            loaded=bool(entry.get("loaded", False)),
        )

    @property
    def copies(self) -> int:
        """How often it lies in memory: a short one several times, for bursts of full length."""
        return 1 if self.loaded else -(-PAGE // self.size)

    @property
    def room(self) -> int:
        """Bytes that it takes in memory, in whole pages."""
        return -(-self.copies * self.size // PAGE) * PAGE


class Weights:
    """The images of a package, in buffers that the board's readers read."""

    def __init__(self, board: Registers, memory: Memory, images: Sequence[Image]) -> None:
        self._board = board
        self._memory = memory
        self._images = tuple(images)
        self._buffers: list[Buffer] = []
        self._used = False  # a reader may be enabled

    def load(self, files: Mapping[str, bytes], *, timeout: float = LOAD_SECONDS) -> None:
        """Fill the core's memories, if images are loaded, then put the others there to be read.

        The core must be reset then, so that it and the readers begin with the same word.
        """
        self.close()
        stop(self._board)  # what another driver may have left: a memory that is full takes no more
        self._used = True
        try:
            for number, image in sorted(enumerate(self._images), key=lambda one: not one[1].loaded):
                self._begin(number, image, files[image.file])
                if image.loaded:
                    wait_loaded(self._board, self._memory, number, image, timeout=timeout)
                    self._buffers.pop().free()
        except BaseException:  # Ctrl-C too
            self.close()
            raise

    def close(self) -> None:
        """Stop the readers, and give the memory back; what was loaded is lost with it."""
        if not self._used:
            return
        self._used = False
        try:
            stop(self._board)
        except BaseException:
            _ABANDONED.extend(self._buffers)
            self._buffers.clear()
            raise
        while self._buffers:
            self._buffers.pop().free()

    def _begin(self, number: int, image: Image, contents: bytes) -> None:
        """Put an image into memory, and enable its reader."""
        data = np.frombuffer(contents, np.uint8)
        if len(data) != image.size:
            raise PackageFault(
                f"{image.file}: must have {image.size} bytes, as the manifest says, not "
                f"{len(data)}; make the package again"
            )
        length = image.copies * image.size
        buffer = self._memory.allocate(image.room)
        self._buffers.append(buffer)
        buffer.array[:length] = np.tile(data, image.copies)
        buffer.flush()
        at = reader(number)
        self._board.write(at + r.WEIGHT_ADDRESS, buffer.address & 0xFFFFFFFF)
        self._board.write(at + r.WEIGHT_ADDRESS + 4, buffer.address >> 32)
        self._board.write(at + r.WEIGHT_LENGTH, length)
        self._board.write(at + r.WEIGHT_CONTROL, r.WEIGHT_ENABLE)


def reader(number: int) -> int:
    """Return the offset of a reader's registers."""
    return r.WEIGHT_READER + number * r.WEIGHT_READER_SPAN


def stop(board: Registers, *, timeout: float = STOP_SECONDS) -> None:
    """Stop all readers of a board, if it has any, and wait until bursts under way have ended."""
    if board.read(r.WEIGHTS_ID) != r.WEIGHTS_ID_VALUE:
        return
    count = board.read(r.WEIGHT_READERS)
    for number in range(count):
        board.write(reader(number) + r.WEIGHT_CONTROL, 0)
    deadline = time.monotonic() + timeout
    for number in range(count):
        while board.read(reader(number) + r.WEIGHT_STATUS) & r.WEIGHT_BUSY:
            if time.monotonic() > deadline:
                raise TimeoutFault(
                    f"board: reader {number} of weights must stop within {timeout:g} s, not hang: "
                    "its memory does not answer; load the bitstream again, or restart the board"
                )
            time.sleep(0.0001)


def wait_loaded(
    board: Registers, memory: Memory, number: int, image: Image, *, timeout: float
) -> None:
    """Wait until a loader has filled the core's memories, and reads no more."""
    deadline = time.monotonic() + timeout
    while True:
        status = board.read(reader(number) + r.WEIGHT_STATUS)
        if status & r.WEIGHT_LOADED and not status & r.WEIGHT_BUSY:
            return
        found = _errors(status)
        if found:
            raise BoardFault(
                f"board: {image.file} must be loaded through {image.port}, not stop: {found}; load "
                "the package again, or restart the board"
            )
        left = deadline - time.monotonic()
        if left <= 0:
            raise TimeoutFault(
                f"board: {image.file} must be loaded through {image.port} within {timeout:g} s, "
                "not hang: its memory does not answer; load the bitstream again, or restart the "
                "board"
            )
        memory.wait(left)


def check_readers(board: Registers, images: Sequence[Image]) -> None:
    """Compare the board's readers with a package's images; BoardFault: they are others."""
    loads = any(image.loaded for image in images)
    version = r.WEIGHTS_VERSION_LOADER if loads else r.WEIGHTS_VERSION_VALUE
    wanted = [
        ("WEIGHTS_ID", r.WEIGHTS_ID, r.WEIGHTS_ID_VALUE),
        ("WEIGHTS_VERSION", r.WEIGHTS_VERSION, version),
        ("WEIGHT_READERS", r.WEIGHT_READERS, len(images)),
    ]
    for number, image in enumerate(images):
        at = reader(number)
        wanted.append((f"WEIGHT_WORD_BITS {number}", at + r.WEIGHT_WORD_BITS, image.word_bits))
        wanted.append(
            (f"WEIGHT_CONTAINER {number}", at + r.WEIGHT_CONTAINER, image.container_bytes)
        )
    for name, offset, value in wanted:
        found = board.read(offset)
        if found != value:
            raise BoardFault(
                f"board: register {name} must be {value:#x}, not {found:#x}; load the bitstream "
                "of this package"
            )


def errors_of_readers(board: Registers, images: Sequence[Image]) -> str:
    """Return what readers complain of, by the names of the images; empty: nothing."""
    wrong = board.read(r.WEIGHT_ERRORS) if images else 0
    found = []
    for number, image in enumerate(images):
        if wrong >> number & 1:
            status = board.read(reader(number) + r.WEIGHT_STATUS)
            found.append(f"{image.name} on {image.port}: {_errors(status) or 'an error'}")
    return ", ".join(found)


def stalls_of_readers(board: Registers, images: Sequence[Image]) -> tuple[tuple[str, int], ...]:
    """Return, by image, the cycles since the core's reset in which it had room and no word came."""
    return tuple(
        (image.name, board.read(reader(number) + r.WEIGHT_STALLS))
        for number, image in enumerate(images)
        if not image.loaded
    )


def _errors(status: int) -> str:
    """Return the errors of a reader's STATUS in words; empty: none."""
    return " and ".join(text for bit, text in r.WEIGHT_ERROR_TEXTS.items() if status & bit)
