# SPDX-License-Identifier: Apache-2.0
"""Names of the model's nodes as identifiers, so that a user finds a layer again."""

import re
from collections.abc import Iterable

import onnx

# IEEE 1800-2017 table B.1 and ISO C++17 [lex.key], without words that hold an underscore suffix.
RESERVED = frozenset(
    """
    accept_on alias always always_comb always_ff always_latch and assert assign assume automatic
    before begin bind bins binsof bit break buf bufif0 bufif1 byte case casex casez cell chandle
    checker class clocking cmos config const constraint context continue cover covergroup
    coverpoint cross deassign default defparam design disable dist do edge else end endcase
    endchecker endclass endclocking endconfig endfunction endgenerate endgroup endinterface
    endmodule endpackage endprimitive endprogram endproperty endsequence endspecify endtable
    endtask enum event eventually expect export extends extern final first_match for force foreach
    forever fork forkjoin function generate genvar global highz0 highz1 if iff ifnone ignore_bins
    illegal_bins implements implies import incdir include initial inout input inside instance int
    integer interconnect interface intersect join join_any join_none large let liblist library
    local localparam logic longint macromodule matches medium modport module nand negedge nettype
    new nexttime nmos nor noshowcancelled not notif0 notif1 null or output package packed parameter
    pmos posedge primitive priority program property protected pull0 pull1 pulldown pullup
    pulsestyle_ondetect pulsestyle_onevent pure rand randc randcase randsequence rcmos real
    realtime ref reg reject_on release repeat restrict return rnmos rpmos rtran rtranif0 rtranif1
    s_always s_eventually s_nexttime s_until s_until_with scalared sequence shortint shortreal
    showcancelled signed small soft solve specify specparam static string strong strong0 strong1
    struct super supply0 supply1 sync_accept_on sync_reject_on table tagged task this throughout
    time timeprecision timeunit tran tranif0 tranif1 tri tri0 tri1 triand trior trireg type typedef
    union unique unique0 unsigned until until_with untyped use uwire var vectored virtual void wait
    wait_order wand weak weak0 weak1 while wildcard wire with within wor xnor xor
    alignas alignof and_eq asm auto bitand bitor bool catch char char16_t char32_t compl const_cast
    constexpr decltype delete double dynamic_cast explicit false float friend goto inline long main
    mutable namespace noexcept not_eq nullptr operator or_eq private public register
    reinterpret_cast short sizeof static_assert static_cast switch template thread_local throw true
    try typeid typename using volatile wchar_t xor_eq in out
    """.split()
)


def identifier(text: str, *, fallback: str) -> str:
    """Return text as an identifier of SystemVerilog and C++."""
    name = re.sub(r"[\W_]+", "_", text, flags=re.ASCII).strip("_") or fallback
    if name[0].isdigit():
        name = f"{fallback}_{name}"
    return f"{name}_" if name in RESERVED else name


def unique(name: str, taken: Iterable[str]) -> str:
    """Return name, or name with the first free number; the edge after it is `name_out`."""
    taken = set(taken)
    candidate, number = name, 2
    while candidate in taken or f"{candidate}_out" in taken:
        candidate, number = f"{name}_{number}", number + 1
    return candidate


def node_names(graph: onnx.GraphProto) -> tuple[str, ...]:
    """Return an identifier for every node, unique also beside the input's."""
    taken = {input_name(graph)}
    names = []
    for index, node in enumerate(graph.node):
        fallback = f"{node.op_type.lower()}_{index}"
        name = unique(identifier(node.name, fallback=fallback), taken)
        taken |= {name, f"{name}_out"}
        names.append(name)
    return tuple(names)


def input_name(graph: onnx.GraphProto) -> str:
    """Return an identifier for the model's input."""
    constants = {tensor.name for tensor in graph.initializer}
    name = next((value.name for value in graph.input if value.name not in constants), "")
    return identifier(name, fallback="pixels")


def title(node: onnx.NodeProto, index: int = 0) -> str:
    """Return how messages call a node: its own name, and its operator."""
    return f"{node.name or f'{node.op_type.lower()}_{index}'} ({node.op_type})"
