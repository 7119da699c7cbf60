# SPDX-License-Identifier: Apache-2.0
"""Yosys scripts: what maps a design to the cells of a device, and the techmaps that this reads."""

from hwbnn.emit.file_set import FileSet
from hwbnn.ir.unit import Family
from hwbnn.resources import Room, read_text

# Shallower ones are functions of few bits, which abc shares between the columns.
_ROMS = "t:$mem_v2 a:rom_style=distributed %i r:SIZE>8 %i"
# UltraRAMs, which Yosys has for UltraScale+ alone: as there; the rest by the counts of 7 series.
_ULTRA = (
    "select -set ultra t:$mem_v2 a:ram_style=ultra %i",
    "memory_libmap -lib +/xilinx/urams.txt @ultra",
    "techmap -map +/xilinx/urams_map.v t:$__XILINX_URAM_*",
)


# No DSP: Yosys would spend one on every product of two small numbers.
COMMANDS = {
    Family.XC7: "synth_xilinx -family xc7 -noiopad -noclkbuf -nodsp -flatten",
    Family.ECP5: "synth_ecp5 -nowidelut -nodsp",
    Family.ICE40: "synth_ice40 -abc9 -device u",
}
MEMORY_LABELS = {Family.XC7: "map_memory", Family.ECP5: "map_ram", Family.ICE40: "map_ram"}


def synthesis(family: Family, *, options: str = "") -> tuple[str, ...]:
    """Return the commands that map a design which has been read to the cells of a family.

    Distributed ROMs go to LUTs as they are, before the rest of the memories (rtl/yosys/rom.v).
    options: of the family's command.
    """
    command, label = f"{COMMANDS[family]} {options}".strip(), MEMORY_LABELS[family]
    # Yosys refuses a style that the device has no memory of: these become flip-flops.
    plain = "setattr -unset ram_style t:$mem_v2 a:ram_style=distributed %i"  # no distributed RAM
    return (
        f"{command} -run :{label}",
        *((plain,) if family is Family.ICE40 else ()),
        *(_ULTRA if family is Family.XC7 else ()),
        f"select -set roms {_ROMS}",
        "memory_nordff @roms",
        f"select -set roms {_ROMS}",
        f"techmap {' '.join(f'-map {name}' for name in _maps(family))} @roms",
        f"{command} -run {label}:",
    )


def emit_maps(family: Family) -> FileSet:
    """Return the techmaps that the commands read, to stand beside the script."""
    return FileSet.of({name: read_text(Room.RTL, f"yosys/{name}") for name in _maps(family)})


def _maps(family: Family) -> tuple[str, ...]:
    return "rom.v", f"rom_{family.value}.v"
