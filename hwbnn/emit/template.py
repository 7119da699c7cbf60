# SPDX-License-Identifier: Apache-2.0
"""Templates: the one Jinja environment of the back ends."""

from functools import cache

from jinja2 import Environment, FunctionLoader, StrictUndefined

from hwbnn.resources import Room, read_text


def render(room: Room, template: str, /, **holes: object) -> str:
    """Text of a template of a room; a hole without a value is an error."""
    return _environment(room).get_template(template).render(holes)


@cache
def _environment(room: Room) -> Environment:
    return Environment(  # noqa: S701 (the text is hardware, not a web page)
        loader=FunctionLoader(lambda name: read_text(room, name)),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
