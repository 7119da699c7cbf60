# SPDX-License-Identifier: Apache-2.0
"""Schema: a user's TOML file as a checked value, or every wrong key of it in our words."""

import difflib
import tomllib
from pathlib import Path
from typing import Any, TypeVar, get_args

from pydantic import BaseModel, ValidationError

from hwbnn.errors import ConfigError

WANTED = {
    "int_type": "a whole number",
    "int_parsing": "a whole number",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "finite_number": "a finite number",
    "string_type": "text in quotes",
    "dict_type": "a table",
    "model_type": "a table",
    "greater_than": "above {gt:g}",
    "greater_than_equal": "at least {ge}",
    "less_than_equal": "at most {le:g}",
    "enum": "one of {expected}",
    "literal_error": "{expected}",
    "string_pattern_mismatch": "text of the form {pattern}",
}  # of pydantic's error types

Table = TypeVar("Table", bound=BaseModel)


def read_file(file: Path, *, what: str) -> str:
    """Return the text of a user's file; `what` it is, for the message."""
    try:
        return file.read_text(encoding="utf-8-sig")  # some editors put a mark in front
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise ConfigError(
            f"{file}: {what} must be readable, not fail: {reason}; check the path"
        ) from error
    except UnicodeDecodeError as error:
        raise ConfigError(
            f"{file}: {what} must be UTF-8 text, not hold byte {error.object[error.start]:#x}; "
            "save it as UTF-8"
        ) from error


def parse_toml(table: type[Table], text: str, *, where: str, what: str) -> Table:
    """Return a TOML text as a table; ConfigError names every wrong key."""
    try:
        return table.model_validate(tomllib.loads(text))
    except ValidationError as error:
        raise ConfigError(_problem(table, where, dict(e)) for e in error.errors()) from error
    except (ValueError, RecursionError) as error:  # numbers and nests without end, too
        raise ConfigError(f"{where}: {what} must be TOML; {error}") from error


def _problem(table: type[BaseModel], where: str, error: dict[str, Any]) -> str:
    loc, kind = error["loc"], error["type"]
    names, inner = _place(table, loc)
    path = ".".join(names)
    match kind:
        case "extra_forbidden":
            choices = [field.alias or name for name, field in inner.model_fields.items()]
            near = difflib.get_close_matches(names[-1], choices, n=1)
            mend = f"did you mean {near[0]}?" if near else "remove it"
            return f"{where}: key must be one of {', '.join(choices)}, not {path}; {mend}"
        case "missing":
            return f"{where}: {path} must be given; add it"
        case "union_tag_not_found":
            key = error["ctx"]["discriminator"].strip("'")
            return f"{where}: {path}.{key} must be given; add it"
        case "union_tag_invalid":
            key, wanted = error["ctx"]["discriminator"].strip("'"), error["ctx"]["expected_tags"]
            return f"{where}: {path}.{key} must be one of {wanted}, not {error['ctx']['tag']!r}"
        case "value_error":
            return f"{where}: {error['ctx']['error']}"
        case _ if kind in WANTED:
            wanted = WANTED[kind].format(**error.get("ctx", {}))
            return f"{where}: {path} must be {wanted}, not {error['input']!r}"
        case _:
            return f"{where}: {path}: {error['msg'].lower()}, not {error['input']!r}"


def _place(table: type[BaseModel], loc: tuple[int | str, ...]) -> tuple[list[str], type[BaseModel]]:
    """Return the keys that lead to a place, and the innermost table there.

    pydantic names the tag of a table that is one of several; the user has not written it.
    """
    names: list[str] = []
    several: list[type[BaseModel]] = []
    for part in map(str, loc):
        if several:
            table, several = next(t for t in several if _has_tag(t, part)), []
            continue
        names.append(part)
        if part in table.model_fields:  # else a key that the user chose, or a wrong one
            annotation = table.model_fields[part].annotation
            tables = [t for t in (*get_args(annotation), annotation) if _is_table(t)]
            if len(tables) > 1:
                several = tables
            elif tables:
                table = tables[0]
    return names, table


def _has_tag(table: type[BaseModel], tag: str) -> bool:
    return any(tag in get_args(field.annotation) for field in table.model_fields.values())


def _is_table(annotation: object) -> bool:
    return isinstance(annotation, type) and issubclass(annotation, BaseModel)
