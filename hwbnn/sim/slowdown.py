# SPDX-License-Identifier: Apache-2.0
"""Slowdown: the circle of instances and FIFOs that keeps a design below its folding's speed."""

from dataclasses import dataclass
from fractions import Fraction

from hwbnn.ir.design import Design
from hwbnn.sim.critical import WALKED, Walker
from hwbnn.sim.deadlock import Wait
from hwbnn.sim.schedule import schedule


@dataclass(frozen=True)
class Slowdown:
    """Each instance waits for the next one, the last for the first, every frame.

    period: cycles that a frame takes because of that, at least. bound: by the folding alone.
    """

    period: Fraction
    bound: int
    waits: tuple[Wait, ...]

    @property
    def too_short(self) -> tuple[str, ...]:
        """The FIFOs of the circle whose room is waited for: one of them must be deeper."""
        return tuple(dict.fromkeys(wait.edge for wait in self.waits if wait.room))

    def __str__(self) -> str:
        return (
            f"a frame every {float(self.period):g} cycles, not {self.bound}: "
            f"{'; '.join(map(str, self.waits))}; deepen {' or '.join(self.too_short)}"
        )


def slowdown(design: Design) -> Slowdown | None:
    """Return what makes a design slower than its folding; None: nothing does in the first frames.

    The design must not deadlock.
    """
    plan = schedule(design, pace=design.bound)
    walker = Walker(plan)
    for frames in WALKED:
        circuit = walker.circuit(plan, frames=frames, period=design.bound)
        if circuit is not None:
            waits = (
                Wait(plan.owners[s.actor], plan.names[s.channel], s.room) for s in circuit.steps
            )
            return Slowdown(circuit.period, design.bound, tuple(waits))
    return None
