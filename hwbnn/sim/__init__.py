# SPDX-License-Identifier: Apache-2.0
"""Simulators: integers by the interpreter, cycles by the timing engine."""
