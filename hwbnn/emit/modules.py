# SPDX-License-Identifier: Apache-2.0
"""Modules: which SystemVerilog sources a top needs, each module in the file of its name."""

import re

from hwbnn.emit.file_set import FileSet


def used_by(top: str, files: FileSet) -> FileSet:
    """Return the sources that module `top` names, directly or not, and every other kind of file."""
    modules = {path.removesuffix(".sv"): path for path in files.files if path.endswith(".sv")}
    found: set[str] = set()
    wanted = {top}
    while wanted:
        module = wanted.pop()
        found.add(module)
        code = re.sub(r"//.*", "", files.text(modules[module]))
        wanted |= (set(re.findall(r"\w+", code)) & modules.keys()) - found
    unused = {path for module, path in modules.items() if module not in found}
    return FileSet({path: data for path, data in files.files.items() if path not in unused})
