# SPDX-License-Identifier: Apache-2.0
"""Accelerator: a package on a board, as a function of images."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from . import registers
from .back_ends import back_end_of
from .dma import reset
from .errors import BoardFault, InputFault, MismatchFault, PackageFault
from .frames import Frames, Stream, unpack
from .package import Package, open_package
from .prediction import Prediction
from .scores import read_scores
from .state import State, read_state
from .tally import Tally
from .target import Target
from .weights import LOAD_SECONDS, Weights, check_readers

if TYPE_CHECKING:
    from types import TracebackType

    from numpy.typing import NDArray

    from .back_end import BackEnd, MemoryBackEnd

CHUNK_BYTES = 1 << 25  # of frames that are packed at a time
SPARE_SECONDS = 5.0  # of a time-out, on top of twenty times what is predicted
SINGLES = 31  # frames whose median is the latency
PATTERNS = (0xA5C3F096, 0x5A3C0F69, 0)  # for SCRATCH


class Throughput(NamedTuple):
    """Where the time of a run went.

    seconds: wall clock by stage (tally.py). total: wall clock of everything. cycles: by the
    board's counter, of all batches; predicted_cycles: by the package, for the same batches, if
    memory never makes the core wait. in_stall, out_stall: cycles in which it did, in the last.
    weight_stalls: by layer, cycles in which the core had room for weights from memory and none
    came, in all.
    """

    frames: int
    seconds: dict[str, float]
    total: float
    batches: int
    cycles: int
    predicted_cycles: int
    clock_mhz: float
    in_stall: int
    out_stall: int
    weight_stalls: tuple[tuple[str, int], ...] = ()

    @property
    def frames_per_second(self) -> float:
        """By wall clock, packing and all."""
        return self.frames / self.total

    @property
    def core_frames_per_second(self) -> float:
        """By the board's cycles and clock."""
        return self.frames * self.clock_mhz * 1e6 / self.cycles

    def as_dict(self) -> dict[str, Any]:
        """Everything, for JSON."""
        return {
            **self._asdict(),
            "weight_stalls": dict(self.weight_stalls),
            "frames_per_second": self.frames_per_second,
            "core_frames_per_second": self.core_frames_per_second,
        }


class Accelerator:
    """A loaded and checked board. Made by `load`; a context manager."""

    def __init__(
        self, package: Package, back_end: BackEnd, target: Target, *, patience: float = 1.0
    ) -> None:
        """Use a back end that is loaded; `load` is what users call."""
        self._patience = patience
        manifest = package.manifest
        self.package = package
        self.target = target
        self.back_end = back_end
        self.name: str = manifest["name"]
        self.classes: tuple[str, ...] = tuple(manifest["classes"])
        self._prediction = Prediction.of(manifest["cycles"])
        entry, result = manifest["input"], manifest["output"]
        self._frames = Frames(
            Stream.of(entry, where="input"),
            tuple(entry["shape"]),
            order=None if entry["order"] is None else package.array(entry["order"]),
            table=None if entry["table"] is None else package.array(entry["table"]),
        )
        self._results = Stream.of(result, where="output")
        self._scores = read_scores(result["values"], package.array)
        self._argmax = bool(result["argmax"])
        self._weights: Weights | None = None
        if target.weights:
            memory: MemoryBackEnd = _with_memory(back_end, self.name)
            self._weights = Weights(memory, memory, target.weights)

    @classmethod
    def load(
        cls,
        package: Any,
        back_end: str | BackEnd | None = None,
        *,
        self_test: bool = True,
        patience: float = 1.0,
    ) -> Accelerator:
        """Verify a package (folder or ZIP), load its bitstream, and check board and results.

        back_end: "pynq", "linux", "uart:PORT", an object, or None for what the board's link and
        this computer have. self_test: compare golden frames, exactly. patience: factor of all
        time-outs; a simulated board wants more.
        """
        opened = open_package(package)
        target = Target.of(opened.manifest)
        if back_end is None or isinstance(back_end, str):
            link = opened.manifest["link"]["kind"]
            if opened.bitstream is None and link == "axi":
                raise PackageFault(
                    f"{opened.where}: must have a bitstream to be loaded, not only its sources; "
                    "build it with the vendor's tool (chip/), and make the package again with it"
                )
            back_end = back_end_of(back_end, target, link=link)
        accelerator = cls(opened, back_end, target, patience=patience)
        try:
            back_end.load(opened.bitstream)
            accelerator.check_board()
            accelerator.load_weights()
            accelerator.reset()
            if self_test:
                accelerator.self_test()
        except BaseException:
            accelerator.close()
            raise
        return accelerator

    @property
    def shape(self) -> tuple[int, ...]:
        """Of an image, as the model takes it."""
        return self._frames.shape

    @property
    def clock_mhz(self) -> float:
        """The fabric's clock: what the back end read back, else what the package says."""
        return self.back_end.clock_mhz

    def predict(self, images: NDArray[Any]) -> NDArray[np.int64]:
        """Images (n, ...) uint8 to class indices (n,); the lowest index wins a tie."""
        integers = self.raw(images)
        if self._argmax:
            return integers[:, 0]
        labels: NDArray[np.int64] = np.argmax(self._scores(integers), axis=1).astype(np.int64)
        return labels

    def scores(self, images: NDArray[Any]) -> NDArray[np.float32]:
        """Images (n, ...) uint8 to the model's own outputs (n, elements), bit for bit."""
        if self._argmax:
            raise InputFault(
                f"{self.name}: must give values to have scores, not the class index; build it "
                "without --argmax"
            )
        return self._scores(self.raw(images))

    def raw(self, images: NDArray[Any], *, timeout: float | None = None) -> NDArray[np.int64]:
        """Images (n, ...) uint8 to the integers that the accelerator gives.

        timeout: seconds for each part of them; None: by the prediction, generously.
        """
        return self._run(images, Tally(), timeout)

    def throughput(self, frames: int | NDArray[Any] = 1000) -> Throughput:
        """Run images, or so many golden ones, and say where the time went."""
        images = self._golden_images(frames) if isinstance(frames, int) else frames
        tally = Tally()
        self._run(images[:1], Tally(), None)  # buffers are made the first time
        before = self.counters().weight_stalls
        started = time.perf_counter()
        self._run(images, tally, None)
        total = time.perf_counter() - started
        state = self.counters()
        return Throughput(
            frames=len(images),
            seconds=tally.seconds,
            total=total,
            batches=len(tally.batches),
            cycles=tally.cycles,
            predicted_cycles=sum(self._prediction.cycles(count) for count, _ in tally.batches),
            clock_mhz=self.clock_mhz,
            in_stall=state.in_stall,
            out_stall=state.out_stall,
            weight_stalls=tuple(
                (name, count - earlier)
                for (name, count), (_, earlier) in zip(state.weight_stalls, before)
            ),
        )

    def latency(self, times: int | None = None) -> Throughput:
        """Run single frames, SINGLES times if not said, and return the run of median total."""
        runs = [self.throughput(1) for _ in range(times or SINGLES)]
        return sorted(runs, key=lambda run: run.total)[len(runs) // 2]

    def self_test(self) -> int:
        """Run the package's golden frames; return how many; MismatchFault: one differs."""
        golden = self.package.manifest["golden"]
        images, expected = self.package.array(golden["in"]), self.package.array(golden["out"])
        found = self.raw(images)
        if found.shape != expected.shape or (found != expected).any():
            wrong = next((i for i in range(len(expected)) if (found[i] != expected[i]).any()), 0)
            raise MismatchFault(
                f"{self.name}: golden frame {wrong} must give {expected[wrong].tolist()}, not "
                f"{found[wrong].tolist()}; lower the clock, load the bitstream again, and report "
                "it if it stays",
                state=str(self.counters()),
            )
        return len(images)

    def check_board(self) -> None:
        """Compare the board's identity with the package's; BoardFault: it is another design."""
        manifest, read = self.package.manifest, self.back_end.read
        found_id = read(registers.ID)
        if found_id != registers.ID_VALUE:
            raise _unlike("ID", f"{registers.ID_VALUE:#x}", f"{found_id:#x}")
        if read(registers.VERSION) != registers.VERSION_VALUE:
            raise _unlike("VERSION", registers.VERSION_VALUE, read(registers.VERSION))
        words = [read(registers.BUILD_HASH + 4 * i) for i in range(4)]
        build_hash = b"".join(word.to_bytes(4, "little") for word in words).hex()
        if build_hash != manifest["build_hash"]:
            raise _unlike("BUILD_HASH", manifest["build_hash"], build_hash)
        for name, offset, wanted in (
            ("WORD_BYTES", registers.WORD_BYTES, self.target.word_bytes),
            ("IN_BYTES", registers.IN_BYTES, self._frames.stream.frame_bytes),
            ("OUT_BYTES", registers.OUT_BYTES, self._results.frame_bytes),
            ("FIFOS", registers.FIFOS, len(self.target.fifos)),
        ):
            if read(offset) != wanted:
                raise _unlike(name, wanted, read(offset))
        if self.target.weights:
            check_readers(self.back_end, self.target.weights)
        for pattern in PATTERNS:
            self.back_end.write(registers.SCRATCH, pattern)
            if read(registers.SCRATCH) != pattern:
                raise _unlike("SCRATCH", f"{pattern:#x}", f"{read(registers.SCRATCH):#x}")

    def load_weights(self) -> None:
        """Put the weights that lie in memory there; a reset must follow."""
        if self._weights is not None:
            seconds = self._patience * LOAD_SECONDS
            self._weights.load(self.package.files, timeout=seconds)

    def counters(self) -> State:
        """Return status and counters, high water by the FIFO's name; of the last batch."""
        return read_state(self.back_end, self.target.fifos, self.target.weights)

    def reset(self) -> None:
        """Reset core, shell, counters and errors."""
        reset(self.back_end)

    def close(self) -> None:
        """Give the board back."""
        try:
            if self._weights is not None:
                self._weights.close()
        finally:
            self.back_end.close()

    def __enter__(self) -> Accelerator:
        return self

    def __exit__(
        self,
        kind: type | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _run(self, images: NDArray[Any], tally: Tally, timeout: float | None) -> NDArray[np.int64]:
        images = self._frames.check(images)
        chunk = max(1, CHUNK_BYTES // self._frames.stream.frame_bytes)
        parts = []
        for first in range(0, len(images), chunk):
            with tally.stage("pack"):
                frames = self._frames.pack(images[first : first + chunk])
            seconds = self._seconds(len(frames)) if timeout is None else timeout
            results = self.back_end.run(frames, seconds, tally)
            with tally.stage("unpack"):
                parts.append(unpack(self._results, results))
        return parts[0] if len(parts) == 1 else np.concatenate(parts)

    def _seconds(self, frames: int) -> float:
        """Return a time-out: much more than what the frames should take."""
        cycles = self._prediction.cycles(frames)
        moved = frames * (self._frames.stream.frame_bytes + self._results.frame_bytes)
        wire = 10 * moved / self.target.baud if self.target.baud else moved / 1e8
        return self._patience * (SPARE_SECONDS + 20 * (cycles / (self.clock_mhz * 1e6) + wire))

    def _golden_images(self, count: int) -> NDArray[np.uint8]:
        if count < 1:
            raise InputFault(f"throughput: frames must be at least 1, not {count}")
        images = self.package.array(self.package.manifest["golden"]["in"])
        return images[np.arange(count) % len(images)]


def _with_memory(back_end: BackEnd, name: str) -> MemoryBackEnd:
    """Return a back end as one that has buffers, for weights."""
    if not hasattr(back_end, "allocate"):
        raise BoardFault(
            f"{name}: its weights must lie in memory, and this back end has none; use pynq or linux"
        )
    found: MemoryBackEnd = back_end  # type: ignore[assignment]
    return found


def _unlike(name: str, wanted: object, found: object) -> BoardFault:
    return BoardFault(
        f"board: register {name} must be {wanted}, not {found}; load the bitstream of this package"
    )
