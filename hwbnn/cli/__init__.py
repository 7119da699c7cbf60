# SPDX-License-Identifier: Apache-2.0
"""The command line: parses, calls and prints. Its modules load the rest only when it is needed."""

from hwbnn.cli.app import main

__all__ = ["main"]
