# SPDX-License-Identifier: Apache-2.0
"""Deploy: packages and drivers for the boards."""
