# SPDX-License-Identifier: Apache-2.0
"""Measurements; their results, with the command that made them, are in benchmarks/results."""
