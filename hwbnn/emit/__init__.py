# SPDX-License-Identifier: Apache-2.0
"""Emit: a Design as files: RTL, HLS, golden vectors, reports."""
