# SPDX-License-Identifier: Apache-2.0
"""hwbnn: binary neural networks to FPGA streaming accelerators, proven on a laptop."""
