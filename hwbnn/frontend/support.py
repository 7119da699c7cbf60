# SPDX-License-Identifier: Apache-2.0
"""Support: which operators a model may hold, and what to do about the others."""

import onnx

from hwbnn.frontend.elementwise import ELEMENTWISE
from hwbnn.frontend.load import EXPORT
from hwbnn.frontend.run_node import QONNX_DOMAINS, is_quantizer

MOVES = ("Reshape", "Flatten", "Squeeze", "Unsqueeze", "Transpose", "Identity", "Dropout")
ENDS = ("ArgMax", "TopK", "Softmax", "LogSoftmax")
PRODUCTS = ("MatMul", "Gemm")
SLIDING = (
    "Conv",
    "MaxPool",
    "MaxPoolNHWC",
    "GlobalMaxPool",
    "AveragePool",
    "GlobalAveragePool",
)
REDUCE = ("ReduceMean", "ReduceSum", "ReduceMax")
JOINS = ("Add", "Concat")
FINN = ("MaxPoolNHWC", "Im2Col")
CURVES = (
    "Sigmoid",
    "Tanh",
    "Elu",
    "Selu",
    "Gelu",
    "Softplus",
    "Softsign",
    "HardSwish",
    "Erf",
    "Exp",
)
UNKNOWN_KEEPS_SHAPE = frozenset({*CURVES, *ENDS[2:], *ELEMENTWISE, "Cast", "Trunc", "Pow", "Sqrt"})
LATER = {
    "ConvTranspose": "a transposed convolution",
    "QuantAvgPool2d": "FINN's pool of integers",
    "XnorPopcountMatMul": "FINN's XNOR product",
}
KINDS = "a convolution, a dense layer, a pool, elementwise or a quantizer"
TRUNC = "give the layer before it a quantizer of fewer bits"


def refusal(node: onnx.NodeProto, where: str, *, chains: int) -> str | None:
    """Return why a node on values (chains of them) is not supported, or None."""
    operator = node.op_type
    if operator in LATER:
        return (
            f"{where}: operator must be {KINDS}, not {LATER[operator]}; this is not in this "
            "version, build the network without it"
        )
    if operator in ("QuantizeLinear", "DequantizeLinear"):
        return f"{where}: quantizer must be a Quant node, not QCDQ; export it with {EXPORT}"
    if operator in ("Trunc", "Trunc_v1", "FloatQuant", "MXQuant"):
        return f"{where}: quantizer must be Quant or BipolarQuant, not {operator}; {TRUNC}"
    if chains > 1 and operator not in JOINS:
        return (
            f"{where}: must have one input that is not constant, not {chains}; branches may meet "
            "in an Add or in a Concat"
        )
    if is_quantizer(node):
        return None
    if operator in CURVES:
        return (
            f"{where}: activation must be ReLU, HardTanh, Clip or a quantizer, not {operator}; "
            "replace it, for instance by QuantReLU or QuantHardTanh, and train again"
        )
    known = (*MOVES, *ENDS, *PRODUCTS, *SLIDING, *REDUCE, *JOINS, "Pad", *ELEMENTWISE)
    if node.domain in ("", "ai.onnx") and operator in known:
        return None
    if node.domain in QONNX_DOMAINS and operator in FINN:
        return None
    foreign = "" if node.domain in ("", *QONNX_DOMAINS) else f" of domain {node.domain}"
    return (
        f"{where}: operator must be {KINDS}, not {operator}{foreign}; replace it, or leave it to "
        "the host"
    )
