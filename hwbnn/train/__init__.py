# SPDX-License-Identifier: Apache-2.0
"""Training of binary networks with Brevitas; the only room that imports torch."""

import warnings

# Brevitas advises, at import, to install a package that has no part in these networks.
warnings.filterwarnings("ignore", message="fast_hadamard_transform")
