# SPDX-License-Identifier: Apache-2.0
"""The two intermediate representations, Graph and Design, and what they are made of."""
