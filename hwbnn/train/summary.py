# SPDX-License-Identifier: Apache-2.0
"""The summary of a torch network: the same table as that of an exported one."""

from __future__ import annotations

from hwbnn.frontend.summary import Row, Summary
from hwbnn.train.method import Method
from hwbnn.train.networks import Image, network
from hwbnn.train.networks.counts import Kind, macs

STEMS = {Kind.CONV: "conv", Kind.LINEAR: "fc"}  # as the nodes of an exported model are named


def network_summary(
    name: str, *, how: Method | None = None, image: Image | None = None, classes: int = 10
) -> Summary:
    """Return the summary of a network by name.

    how: the training method, plain straight-through if None; image: channels, rows, columns, the
    published one if None. Raises ConfigError for an unknown name or too small an image.
    """
    model = network(name, how=how, image=image, classes=classes)
    seen: dict[Kind, int] = {}
    rows: list[Row] = []
    for count in macs(model, model.image):
        number = seen.get(count.kind, 0)
        seen[count.kind] = number + 1
        row = Row(
            f"{STEMS[count.kind]}{number}",
            count.kind.value,
            count.input_bits,
            count.output_shape,
            count.weights,
            count.weight_bits,
            biases=count.biases,
            macs=count.macs,
        )
        rows.append(row)
    return Summary(name, tuple(rows))
