# SPDX-License-Identifier: Apache-2.0
"""Back to Simplicity: a clipped straight-through, and nothing else.

Bethge, Yang, Bornstein, Meinel: Back to Simplicity, How to Train Accurate BNNs from Scratch?,
arXiv 1906.08637.

    forward sign(x);  backward of activations g 1[|x| <= clip], clip = 1.3;  of weights g

The weights' mask is absent in the authors' BMXNet (only QActivation cancels gradients); Larq's
models of the same paper mask weights alike and clamp them to -clip..+clip: option masked_weights.
No scales and no approximated sign: the paper finds that both do not help. For its ablations:

    scaled:       weights mean|w| sign(w), of each filter (XNOR-Net, arXiv 1603.05279, eq. 6)
    approx_sign:  activations' backward g (2 - 2|x|) on |x| < 1 (Bi-Real Net)
"""

from __future__ import annotations

from functools import partial

from torch import Tensor, nn

from hwbnn.train.binary import Scale, SurrogateSign, binary_activation, binary_weight, within
from hwbnn.train.method import Method
from hwbnn.train.methods.approx_sign import triangle
from hwbnn.train.methods.options import flag, number

NAME = "back-to-simplicity"


class MeanMagnitude(nn.Module):
    """The scale of each filter that fits its weights best: mean|w|."""

    def forward(self, weight: Tensor) -> Tensor:
        """Return the scales, shaped to multiply the weights [filters, ...]."""
        return weight.abs().mean(tuple(range(1, weight.ndim)), keepdim=True)


def back_to_simplicity(
    *,
    clip: float = 1.3,
    masked_weights: bool = False,
    scaled: bool = False,
    approx_sign: bool = False,
) -> Method:
    """Return the method of Back to Simplicity.

    clip: gradients pass where |x| <= clip. masked_weights: as in Larq, for the weights as well.
    """
    clip = number(NAME, "clip", clip, above=0.0, usual=1.3)
    clipped = partial(SurrogateSign, partial(within, limit=clip))
    masked = flag(NAME, "masked_weights", masked_weights)
    approximated = flag(NAME, "approx_sign", approx_sign)
    return Method(
        NAME,
        "arXiv 1906.08637",
        binary_weight(
            clipped if masked else SurrogateSign,
            scale=MeanMagnitude if flag(NAME, "scaled", scaled) else Scale.ONE,
        ),
        binary_activation(partial(SurrogateSign, triangle) if approximated else clipped),
        clip=clip if masked else None,
    )
