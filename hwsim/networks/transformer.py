"""Transformer encoders: BERT (Devlin, Chang, Lee, Toutanova, NAACL 2019) and ViT (Dosovitskiy et al., ICLR 2021)."""

from __future__ import annotations

from hwsim.spec.builder import Builder, Tensor
from hwsim.spec.network import Network

__all__ = ["bert_base", "vit_b16"]

_LAYERS, _HEADS, _WIDTH, _HIDDEN = 12, 12, 768, 3072


def _attention(net: Builder, x: Tensor, at: str) -> Tensor:
    """Multi-head self-attention. Heads are slices of the features and stay strided: nothing is transposed in memory."""
    tokens = x.shape[0]
    queries, keys, values = (net.linear(x, _WIDTH, name=f"{at}.{part}") for part in ("query", "key", "value"))
    scores = net.matmul(queries, keys, _HEADS, tokens, name=f"{at}.scores")
    weights = net.softmax(net.unary("mul", scores), name=f"{at}.softmax")
    context = net.matmul(weights, values, _HEADS, _WIDTH // _HEADS, name=f"{at}.context")
    return net.linear(Tensor(context.source, x.shape), _WIDTH, name=f"{at}.output")


def _feed_forward(net: Builder, x: Tensor, at: str) -> Tensor:
    hidden = net.unary("gelu", net.linear(x, _HIDDEN, name=f"{at}.intermediate"))
    return net.linear(hidden, _WIDTH, name=f"{at}.feed_forward")


def bert_base(sequence_length: int = 128) -> Network:
    """BERT base, uncased: embeddings, twelve encoder layers that normalise after each sum, and the pooler.

    Args:
        sequence_length: tokens of a sample, at most 512.
    """
    if sequence_length > 512:
        raise ValueError(f"sequence_length is at most 512, the positions that BERT has learned, not {sequence_length}")
    net = Builder("bert_base")
    tables = {"token": 30522, "position": 512, "segment": 2}
    parts = (
        net.embedding(net.input(f"{table}_ids", sequence_length), entries, _WIDTH, name=f"{table}_embedding")
        for table, entries in tables.items()
    )
    x = net.layer_norm(net.binary("add", *parts, name="embedding"), name="embedding.norm")
    for layer in range(_LAYERS):
        at = f"layer{layer}"
        x = net.layer_norm(net.binary("add", _attention(net, x, at), x, name=f"{at}.add1"), name=f"{at}.norm1")
        x = net.layer_norm(net.binary("add", _feed_forward(net, x, at), x, name=f"{at}.add2"), name=f"{at}.norm2")
    net.unary("tanh", net.linear(net.rearrange("slice", (_WIDTH,), x, name="first_token"), _WIDTH, name="pooler"))
    return net.build()


def vit_b16(image: int = 224, classes: int = 1000) -> Network:
    """ViT-B/16: patches of 16x16, a class token, twelve encoder layers that normalise before each branch.

    Args:
        image: height and width [pixels].
        classes: of the last layer.
    """
    net = Builder("vit_b16")
    patches = net.conv(net.input("image", 3, image, image), _WIDTH, 16, stride=16, bias=True, name="patches")
    tokens = (1 + patches.shape[1] * patches.shape[2], _WIDTH)
    x = net.rearrange("concat", tokens, patches, constants=_WIDTH, name="class_token")
    x = net.binary("add", x, constants=x.elements, name="positions")
    for layer in range(_LAYERS):
        at = f"layer{layer}"
        x = net.binary("add", x, _attention(net, net.layer_norm(x, name=f"{at}.norm1"), at), name=f"{at}.add1")
        x = net.binary("add", x, _feed_forward(net, net.layer_norm(x, name=f"{at}.norm2"), at), name=f"{at}.add2")
    x = net.layer_norm(x, name="norm")
    net.linear(net.rearrange("slice", (_WIDTH,), x, name="first_token"), classes, name="head")
    return net.build()
