# SPDX-License-Identifier: Apache-2.0
"""Registers of the shell: byte offset and bits of each (hwbnn decision 8)."""

ID = 0x000  # "HBNN", H in the lowest byte
VERSION = 0x004  # of this map: 1
BUILD_HASH = 0x008  # four words, the hash's first byte in the lowest of the first
WORD_BYTES = 0x018  # frames are padded to a multiple of this
FIFOS = 0x01C  # how many HIGH_WATER registers there are
SCRATCH = 0x020  # keeps what is written
CONTROL = 0x024  # see below
STATUS = 0x028  # see below
IN_ADDRESS = 0x02C  # two words, low first; AXI only
OUT_ADDRESS = 0x034  # two words, low first; AXI only
FRAMES = 0x03C  # how many frames a START is for; AXI only
IN_BYTES = 0x040  # of a frame, padding included
OUT_BYTES = 0x044  # of a result, padding included
CYCLES = 0x048  # two words, low first; reading the low one holds the high one
IN_STALL = 0x050
OUT_STALL = 0x054
FRAMES_DONE = 0x058  # results that have left the core
IN_ROOM = 0x05C  # bytes of frames that the UART shell holds; 0: AXI
HIGH_WATER = 0x100  # one word a FIFO, in the order of the package's manifest; at most 192

# Of a chip that has weights from memory; others read 0 there
WEIGHTS_ID = 0x800  # "HBNW", H in the lowest byte
WEIGHTS_VERSION = 0x804  # of this part of the map: 1, or 2 if the last reader is a loader
WEIGHT_READERS = 0x808  # how many there are, at most 8
WEIGHT_ERRORS = 0x80C  # a bit for each reader that has an error; the interrupt is high meanwhile
WEIGHT_READER = 0x900  # of the first one
WEIGHT_READER_SPAN = 0x20

# Of a reader. It runs while it is enabled and the core is not in reset; then it begins with the
# image's first word. Change address and length while it is not enabled; reset the core (CONTROL)
# after it was enabled again. A loader runs, whatever the core does, until its memories are full
# (LOADED); they stay so while it is enabled. The core is in reset until then, and frames wait. Its
# stalls mean nothing.
WEIGHT_ADDRESS = 0x00  # of the image, a multiple of WORD_BYTES; two words, low first
WEIGHT_LENGTH = 0x08  # of the image in bytes, a multiple of WEIGHT_CONTAINER
WEIGHT_CONTROL = 0x0C  # see below
WEIGHT_STATUS = 0x10  # see below
WEIGHT_STALLS = 0x14  # cycles since the core's reset in which it had room and no word came
WEIGHT_WORD_BITS = 0x18  # of a word
WEIGHT_CONTAINER = 0x1C  # bytes that a word takes in the image

ID_VALUE = 0x4E4E4248
WEIGHTS_ID_VALUE = 0x574E4248
WEIGHTS_VERSION_VALUE = 1
WEIGHTS_VERSION_LOADER = 2
VERSION_VALUE = 1

# CONTROL
START = 1 << 0  # reads 0
RESET = 1 << 1  # core, shell, counters, errors; reads 1 until bursts under way have ended
IRQ_ENABLE = 1 << 2  # interrupt while DONE

# STATUS
BUSY = 1 << 0
DONE = 1 << 1  # the batch has ended, well or not; write 1 to clear
READ_ERROR = 1 << 8  # the memory answered a read with an error; these too: write 1 to clear
WRITE_ERROR = 1 << 9  # the memory answered a write with an error
BAD_BATCH = 1 << 10  # no frames, an address that is no multiple of WORD_BYTES, or START while BUSY
BAD_CHECKSUM = 1 << 11  # UART: a packet was dropped
BAD_SEQUENCE = 1 << 12  # UART: frames were refused
NO_ROOM = 1 << 13  # UART: frames were refused

ERRORS = {
    READ_ERROR: "the memory refused a read",
    WRITE_ERROR: "the memory refused a write",
    BAD_BATCH: "the batch has no frames, or an address that is no multiple of a word",
    BAD_CHECKSUM: "a packet came with a wrong checksum",
    BAD_SEQUENCE: "a packet of frames was lost",
    NO_ROOM: "more frames came than there was room for",
}

# WEIGHT_CONTROL
WEIGHT_ENABLE = 1 << 0

# WEIGHT_STATUS
WEIGHT_BUSY = 1 << 0  # running, or bursts are under way
WEIGHT_LOADED = 1 << 1  # of a loader alone: its memories are full
WEIGHT_READ_ERROR = 1 << 8  # this and the next: until the core's reset, or it is not enabled
WEIGHT_BAD_SETTING = 1 << 9

WEIGHT_ERROR_TEXTS = {
    WEIGHT_READ_ERROR: "the memory refused a read",
    WEIGHT_BAD_SETTING: "its address or length is none",
}
