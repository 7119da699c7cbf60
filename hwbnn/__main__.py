# SPDX-License-Identifier: Apache-2.0
"""The command line as `python -m hwbnn`."""

from hwbnn.cli import main

if __name__ == "__main__":
    main()
