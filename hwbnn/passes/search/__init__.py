# SPDX-License-Identifier: Apache-2.0
"""Search: foldings for a rate or for a board, of chains exactly, of branches with a bound."""
