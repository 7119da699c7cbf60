# SPDX-License-Identifier: Apache-2.0
"""Program: a running simulation, by its pipes."""

from __future__ import annotations

import subprocess
import tempfile
import threading
from typing import IO, TYPE_CHECKING, Mapping

from .errors import BoardFault

if TYPE_CHECKING:
    from pathlib import Path

ANSWER_SECONDS = 60.0  # for a request that takes milliseconds


class Program:
    """A running simulation: bytes to its stdin, bytes from its stdout.

    program: as tools/simulated_board.py builds it, in its folder.
    """

    def __init__(self, program: Path, options: Mapping[str, float]) -> None:
        words = [word for name, value in options.items() for word in (f"--{name}", f"{value}")]
        self.errors: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115 - closed with the program
        try:
            self.process = subprocess.Popen(
                [str(program), *words],
                cwd=str(program.parent),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=self.errors,
                bufsize=0,
                start_new_session=True,  # Ctrl-C is the driver's; the end of stdin ends this
            )
        except OSError as error:
            self.errors.close()
            raise BoardFault(
                f"{program}: must be a program that can run, not fail: {error}; build the "
                "simulated board again"
            ) from error
        assert self.process.stdin is not None and self.process.stdout is not None
        self._input, self._output = self.process.stdin, self.process.stdout
        self._held = bytearray()
        self._ended = False
        self._changed = threading.Condition()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def send(self, data: bytes) -> None:
        """Write all bytes."""
        view = memoryview(data)
        try:
            while view:
                view = view[self._input.write(view) :]
        except (OSError, ValueError) as error:  # a broken pipe, or a closed one
            raise self._dead() from error
        except BaseException:
            self.process.kill()  # half a request cannot be mended
            raise

    def receive(self, count: int) -> bytes:
        """Return exactly so many bytes."""
        with self._changed:
            ready = self._changed.wait_for(
                lambda: len(self._held) >= count or self._ended, ANSWER_SECONDS
            )
            if len(self._held) >= count:
                return self._take(count)
        if not ready:
            raise BoardFault(
                f"simulated board: must answer within {ANSWER_SECONDS:g} s, not hang; end it, and "
                "report it with its options"
            )
        raise self._dead()

    def receive_some(self, timeout: float) -> bytes:
        """Return what has come, at least a byte; nothing if none comes in `timeout` seconds."""
        with self._changed:
            self._changed.wait_for(lambda: self._held or self._ended, timeout)
            if self._held:
                return self._take(len(self._held))
            if not self._ended:
                return b""
        raise self._dead()

    def close(self) -> None:
        """End the program, and wait for it."""
        try:
            self._input.close()
            self.process.wait(ANSWER_SECONDS)
        except (OSError, subprocess.TimeoutExpired):
            self.process.kill()
            self.process.wait()
        self._reader.join()
        self._output.close()
        self.errors.close()

    def _take(self, count: int) -> bytes:
        taken = bytes(self._held[:count])
        del self._held[:count]
        return taken

    def _read(self) -> None:
        data = self._output.read(1 << 16)
        while data:
            with self._changed:
                self._held += data
                self._changed.notify_all()
            data = self._output.read(1 << 16)
        with self._changed:
            self._ended = True
            self._changed.notify_all()

    def _dead(self) -> BoardFault:
        if self.errors.closed:
            return BoardFault("simulated board: must be open, not closed; make another")
        try:
            status = self.process.wait(ANSWER_SECONDS)
        except subprocess.TimeoutExpired:
            return BoardFault(
                "simulated board: must keep its pipes open, not close them; report it"
            )
        self.errors.seek(0)
        said = self.errors.read().decode(errors="replace").strip() or "it said nothing"
        return BoardFault(
            f"simulated board: must keep running, not end with status {status}: {said}"
        )
