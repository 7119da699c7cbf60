# SPDX-License-Identifier: Apache-2.0
"""Weight ports: which port of a Zynq's processing system brings which layers' weights."""

from collections.abc import Iterator
from dataclasses import dataclass

from hwbnn.board import Board, Device
from hwbnn.emit.chip import Core
from hwbnn.emit.weight_images import WeightImage
from hwbnn.errors import ConfigError

LOADER = "load"  # begins the names of the core's ports


@dataclass(frozen=True)
class Pins:
    """What Vivado calls a port: prefix of its pins, pin of its clock, properties of the IP."""

    prefix: str
    clock: str
    use: str
    width: str


# The ports of each family, by their names in board files: names of the pins (in the primitive, in
# Vivado's wrapper) and of the clock's, and properties of the IP: use, width (UG585, PG201)
_HP = {
    f"S_AXI_HP{i}": Pins(
        f"SAXIHP{i}", f"S_AXI_HP{i}_ACLK", f"PCW_USE_S_AXI_HP{i}", f"PCW_S_AXI_HP{i}_DATA_WIDTH"
    )
    for i in range(1, 4)
}
_FPD = {
    f"S_AXI_{name}_FPD": Pins(
        f"saxigp{i}",
        f"saxi{name.lower()}_fpd_aclk",
        f"PSU__USE__S_AXI_GP{i}",
        f"PSU__SAXIGP{i}__DATA_WIDTH",
    )
    for name, i in (("HP1", 3), ("HP2", 4), ("HP3", 5), ("HPC0", 0), ("HPC1", 1))
}
_PORTS = {Device.ZYNQ7000: _HP, Device.ZYNQMP: _FPD}


@dataclass(frozen=True)
class WeightPort:
    """A port to memory, and what it brings: the words of a source, or what the core is loaded with.

    name: of the source, or `load`, as in the core's ports. bus: of the accelerator's AXI port.
    loads: once, before the first frame (decision 12).
    """

    name: str
    bus: str
    port: str
    pins: Pins
    image: WeightImage
    loads: bool

    @property
    def word_bits(self) -> int:
        """Bits of a word, one in each container of the image."""
        return self.image.word_bits

    @property
    def container_bytes(self) -> int:
        """Bytes of a container."""
        return self.image.container_bytes


def weight_ports(core: Core, board: Board) -> tuple[WeightPort, ...]:
    """Return a port for each source of a core, in their order, then the loader's, if it has one.

    ConfigError: the board has not so many.
    """
    images = dict(core.weights)
    if core.loaded:
        images[LOADER] = core.loaded
    if not images:
        return ()
    if problems := list(_problems(core, board)):
        raise ConfigError(problems)
    return tuple(
        WeightPort(
            name=name,
            bus=f"w{index}_axi",
            port=port,
            pins=_PORTS[board.family][port],
            image=image,
            loads=name == LOADER,
        )
        for index, ((name, image), port) in enumerate(
            zip(images.items(), board.data.weight_ports, strict=False)
        )
    )


def _problems(core: Core, board: Board) -> Iterator[str]:
    ports = board.data.weight_ports
    count = len(core.weights) + (core.loaded is not None)
    if count > len(ports):
        what = [*core.weights, *(["UltraRAM"] if core.loaded else [])]
        yield (
            f"{board.id}: data.weight_ports must be {count} or more for the weights of "
            f"{', '.join(what)}, not {len(ports)}; let fewer layers stream, or take another board"
        )
    for port in ports:
        if port not in _PORTS[board.family]:
            known = ", ".join(_PORTS[board.family])
            yield (
                f"{board.id}: data.weight_ports must be of {known}, not {port}; mend the board file"
            )
    for name, image in core.weights.items():
        if image.container_bytes > board.word_bytes:
            yield (
                f"{name}: a word must fit the {board.data.bits} bits of a port of {board.id}, not "
                f"have {image.word_bits}; fold the layer to fewer pe * simd"
            )
    if core.loaded and core.loaded.container_bytes > board.word_bytes:
        yield (
            f"{core.name}: weights in UltraRAM must be loaded through a port of "
            f"{8 * core.loaded.container_bytes} bits, not of the {board.data.bits} of {board.id}; "
            "fold without them"
        )
