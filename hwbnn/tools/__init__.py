# SPDX-License-Identifier: Apache-2.0
"""Tools: the only room that starts a program or touches the disk."""
