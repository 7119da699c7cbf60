# SPDX-License-Identifier: Apache-2.0
"""The driver: pure Python (3.8 or newer) with NumPy; imports nothing else of hwbnn."""
