"""What is computed. Every operator knows its sizes, parameters and vector operations, and what multiplies, its nest."""

from __future__ import annotations

from hwsim.operators.conv import Conv2d
from hwsim.operators.elementwise import Elementwise
from hwsim.operators.embedding import Embedding
from hwsim.operators.gemm import BatchedGemm, Gemm
from hwsim.operators.nest import DIMENSIONS, LoopNest, Operand
from hwsim.operators.normalization import Normalization
from hwsim.operators.operator import Operator, Parameters
from hwsim.operators.pool import AdaptivePool, Pool, Reduction
from hwsim.operators.rearrange import Rearrange
from hwsim.operators.softmax import Softmax

__all__ = [
    "DIMENSIONS",
    "AdaptivePool",
    "BatchedGemm",
    "Conv2d",
    "Elementwise",
    "Embedding",
    "Gemm",
    "LoopNest",
    "Normalization",
    "Operand",
    "Operator",
    "Parameters",
    "Pool",
    "Rearrange",
    "Reduction",
    "Softmax",
]
