# SPDX-License-Identifier: Apache-2.0
"""Text of Yosys' RTLIL, module by module: what a design is made of, and parts of it."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

_MODULE = re.compile(
    r"((?:^attribute [^\n]*\n)*)^module (\S+)\n(.*?)^end\n", re.MULTILINE | re.DOTALL
)
_CELL = re.compile(r"^  cell (\S+) (\S+)$", re.MULTILINE)
_PORT = re.compile(r"^  wire .*\b(?:input|output|inout) \d+ .*\n", re.MULTILINE)


@dataclass(frozen=True)
class Module:
    """A module's attributes and its body, both with their line ends."""

    attributes: str
    body: str

    @cached_property
    def cells(self) -> tuple[tuple[str, str], ...]:
        """Type and name of every cell."""
        return tuple((kind, name) for kind, name in _CELL.findall(self.body))


@dataclass(frozen=True)
class Netlist:
    """Modules by their names in RTLIL: escaped or generated ones."""

    modules: Mapping[str, Module]

    @staticmethod
    def parse(text: str) -> "Netlist":
        """Split what write_rtlil wrote."""
        found = _MODULE.findall(text)
        return Netlist({name: Module(attributes, body) for attributes, name, body in found})

    def instances(self, top: str) -> dict[str, str]:
        """Return the module of each cell of `top` that has a name in the source."""
        return {
            name[1:]: kind
            for kind, name in self.modules[top].cells
            if name.startswith("\\") and kind in self.modules
        }

    def below(self, names: Iterable[str]) -> frozenset[str]:
        """Return the modules that these are made of, themselves included."""
        found: set[str] = set()
        waiting = list(names)
        while waiting:
            name = waiting.pop()
            if name in self.modules and name not in found:
                found.add(name)
                waiting += [kind for kind, _ in self.modules[name].cells]
        return frozenset(found)

    def size(self, name: str) -> int:
        """Return the characters of a module and all below it."""
        return sum(len(self.modules[m].body) for m in self.below([name]))

    def parts(self, top: str, shares: Sequence[Iterable[str]]) -> Iterator[str]:
        """Split the design: for each share of the modules of `top`'s instances a design of them.

        The first also has `top`, with the other instances as black boxes. The shares' modules are
        kept apart, wherever they are.
        """
        apart = frozenset(self.instances(top).values())
        for i, share in enumerate(shares):
            yield self._part(share, apart) if i else self._head(top, share, apart)

    def _part(self, share: Iterable[str], apart: frozenset[str]) -> str:
        cells = "".join(
            f"  attribute \\keep 1\n  cell {name} \\part{i}\n  end\n"
            for i, name in enumerate(share)
        )
        return self._text(share, apart) + f"attribute \\top 1\nmodule \\parts\n{cells}end\n"

    def _head(self, top: str, share: Iterable[str], apart: frozenset[str]) -> str:
        hidden = apart.difference(share)
        boxes = "".join(
            f"attribute \\blackbox 1\nmodule {name}\n"
            f"{''.join(_PORT.findall(self.modules[name].body))}end\n"
            for name in sorted(hidden)
        )
        own = {kind for kind, _ in self.modules[top].cells} - hidden
        return boxes + self._text([*share, *own], apart) + self._module(top)

    def _text(self, names: Iterable[str], apart: frozenset[str]) -> str:
        return "".join(
            ("attribute \\keep_hierarchy 1\n" if name in apart else "") + self._module(name)
            for name in sorted(self.below(names))
        )

    def _module(self, name: str) -> str:
        module = self.modules[name]
        return f"{module.attributes}module {name}\n{module.body}end\n"
