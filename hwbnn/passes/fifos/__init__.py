# SPDX-License-Identifier: Apache-2.0
"""FIFOs: their least depths at full speed, in the steps that memories have."""
