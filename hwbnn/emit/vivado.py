# SPDX-License-Identifier: Apache-2.0
"""Vivado project of a Zynq chip: Tcl for batch mode, constraints, how to run it."""

import re
from dataclasses import dataclass

from hwbnn.board import Board, Device
from hwbnn.emit.file_set import FileSet
from hwbnn.emit.template import render
from hwbnn.emit.weight_ports import WeightPort
from hwbnn.errors import ConfigError
from hwbnn.resources import Room, read_text

BUILD = "build.tcl"
LOG = "vivado.log"
STEP = "HWBNN-STEP "  # begins a line of output that names the step
UTILISATION = "out/utilisation.rpt"
TIMING = "out/timing.rpt"


@dataclass(frozen=True)
class Floor:
    """The least that the core must have: LUTs, flip-flops, block RAMs of 36 Kbit."""

    lut: float
    ff: float
    bram: float


@dataclass(frozen=True)
class Processor:
    """The processing system of a family in Vivado: cell, IP, and the pins of the IP."""

    cell: str
    ip: str
    is_primitive: bool  # the chip holds the cell itself, not the IP
    clock: str
    reset: str
    interrupt: str
    control_clock: str
    data_port: str
    data_clock: str


PROCESSORS = {
    Device.ZYNQ7000: Processor(
        cell="PS7",
        ip="processing_system7",
        is_primitive=True,
        clock="FCLK_CLK0",
        reset="FCLK_RESET0_N",
        interrupt="IRQ_F2P",
        control_clock="M_AXI_GP0_ACLK",
        data_port="S_AXI_HP0",
        data_clock="S_AXI_HP0_ACLK",
    ),
    Device.ZYNQMP: Processor(
        cell="PS8",
        ip="zynq_ultra_ps_e",
        is_primitive=False,
        clock="pl_clk0",
        reset="pl_resetn0",
        interrupt="pl_ps_irq0",
        control_clock="maxihpm0_fpd_aclk",
        data_port="S_AXI_HP0_FPD",
        data_clock="saxihp0_fpd_aclk",
    ),
}


@dataclass(frozen=True, eq=False)
class Project:
    """What Vivado builds. hls_ip: folder of the IP that HLS exports; empty: the core is RTL.

    weights: the further ports to memory that the chip has.
    """

    name: str
    board: Board
    clock_mhz: float
    floor: Floor
    sources: tuple[str, ...]
    memories: tuple[str, ...]
    hls_ip: str = ""
    weights: tuple[WeightPort, ...] = ()

    @property
    def bitstream(self) -> str:
        """The file that `build.tcl` makes."""
        return f"{self.name}.bit"

    @property
    def period_ns(self) -> str:
        """Period of the clock, to a picosecond, as Vivado counts."""
        return f"{1000 / self.clock_mhz:.3f}"

    @property
    def overlay(self) -> bool:
        """Whether a block design is offered: it cannot refer to a module that holds an IP."""
        return not self.hls_ip

    @property
    def ps(self) -> Processor:
        """The board's processing system."""
        return PROCESSORS[self.board.family]

    @property
    def ps_config(self) -> tuple[tuple[str, str], ...]:
        """Properties of the processing system's IP: the ports that are used, and the clock."""
        host = self.board.host
        crystal = f"{host.ps_clk_mhz:.6g}" if host else ""
        mhz = f"{self.clock_mhz:.6f}"
        bits = f"{self.board.data.bits}"
        pins = [port.pins for port in self.weights]
        more = tuple(each for pin in pins for each in ((pin.use, "1"), (pin.width, bits)))
        if self.board.family is Device.ZYNQ7000:
            source = (("PCW_CRYSTAL_PERIPHERAL_FREQMHZ", crystal),) if crystal else ()
            return (
                *source,
                ("PCW_FPGA0_PERIPHERAL_FREQMHZ", mhz),
                ("PCW_USE_M_AXI_GP0", "1"),
                ("PCW_USE_S_AXI_HP0", "1"),
                ("PCW_S_AXI_HP0_DATA_WIDTH", bits),
                *more,
                ("PCW_USE_FABRIC_INTERRUPT", "1"),
                ("PCW_IRQ_F2P_INTR", "1"),
            )
        source = (("PSU__PSS_REF_CLK__FREQMHZ", crystal),) if crystal else ()
        return (
            *source,
            ("PSU__FPGA_PL0_ENABLE", "1"),
            ("PSU__CRL_APB__PL0_REF_CTRL__SRCSEL", "IOPLL"),
            ("PSU__CRL_APB__PL0_REF_CTRL__FREQMHZ", mhz),
            ("PSU__USE__M_AXI_GP0", "1"),  # HPM0_FPD
            ("PSU__MAXIGP0__DATA_WIDTH", "32"),  # that of the registers: no converter
            ("PSU__USE__M_AXI_GP1", "0"),
            ("PSU__USE__M_AXI_GP2", "0"),
            ("PSU__USE__S_AXI_GP2", "1"),  # HP0_FPD
            ("PSU__SAXIGP2__DATA_WIDTH", bits),
            *more,
            ("PSU__USE__IRQ0", "1"),
        )


def emit_project(project: Project) -> FileSet:
    """Return the files beside the sources: settings, Tcl, constraints, `Makefile`, `README.md`."""
    if not re.fullmatch(r"[A-Za-z0-9_-]+", project.board.part):
        raise ConfigError(
            f"{project.board.id}: part must be the name of a device, not {project.board.part!r}; "
            "mend the board file"
        )
    generated = ["settings.tcl", "chip.xdc", "Makefile", "README.md"]
    if project.overlay:
        generated.append("block_design.tcl")
    files = {name: render(Room.RTL, f"templates/vivado/{name}.j2", p=project) for name in generated}
    static = {name: read_text(Room.RTL, f"templates/vivado/{name}") for name in ("flow.tcl", BUILD)}
    return FileSet.of({**files, **static})
