# SPDX-License-Identifier: Apache-2.0
"""Deploy: packages, and the driver that travels to the board."""
