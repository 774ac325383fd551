"""Transformers: the layers of an encoder and a decoder, stacks of them, and both together.

Masks have PyTorch's names and meaning, True forbids; in may_attend True allows. A mask of floats is
added to the scores.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from dataclasses import field
from typing import Any, Self

import jax

from tensorem import functional as F
from tensorem import rules
from tensorem.calls import AT_LEAST_0, FROM_0_TO_1, among, batch_first, flag, integer, number
from tensorem.errors import LayerError
from tensorem.layer import Layer
from tensorem.shapes import UNKNOWN_RANK, Shape

from ._attention import MultiheadAttention
from ._cache import Cache
from ._dropout import Dropout
from ._linear import Linear
from ._norm import LayerNorm

Array = jax.Array

ACTIVATIONS: Mapping[str, Callable[[Array], Array]] = {
    "relu": F.relu,
    "gelu": F.gelu,
    "gelu_tanh": lambda x: F.gelu(x, approximate="tanh"),
    "silu": F.silu,
    "tanh": F.tanh,
    "sigmoid": F.sigmoid,
}
"""What a feed-forward part may bend with, by name."""
_MADE: Any = None
"""Stands for a layer that is made from the numbers beside it."""


class TransformerEncoderLayer(Layer):
    """Self-attention and a feed-forward part, each added to what goes in, and normalised.

    Shapes:
        src (*batch, T, d_model)  ->  the same; then the cache if given

    Args:
        d_model: The length of a vector.
        nhead: How many heads there are.
        dim_feedforward: The width of the feed-forward part.
        dropout: The probability of 0, in the weights of attention and after each part.
        activation: "relu", "gelu", "gelu_tanh", "silu", "tanh" or "sigmoid".
        layer_norm_eps: Added to variances.
        batch_first: True: the batch comes first here.
        norm_first: Whether a part normalises what goes into it, and not its sum with that.
        bias: Whether projections and norms add a bias.
        self_attn: Attention of another kind than MultiheadAttention(d_model, nhead, dropout, bias).

    Raises:
        ArgumentError: A number is out of range, or a mask was turned around.
        ShapeError: The shapes do not fit.
        LayerError: self_attn is another than of d_model and nhead, or a training step has no key.

    Example:
        >>> TransformerEncoderLayer(8, 2, 16).output_shape((3, 5, 8))
        (3, 5, 8)

    Source:
        Vaswani et al. 2017, section 3.1; norm_first: Xiong et al. 2020.
    """

    d_model: int
    nhead: int
    dim_feedforward: int = 2048
    dropout: float = 0.1
    activation: str = "relu"
    layer_norm_eps: float = 1e-5
    batch_first: bool = True
    norm_first: bool = False
    bias: bool = True
    self_attn: MultiheadAttention = field(default=_MADE, kw_only=True)
    linear1: Linear = field(init=False)
    linear2: Linear = field(init=False)
    norm1: LayerNorm = field(init=False)
    norm2: LayerNorm = field(init=False)
    drop: Dropout = field(init=False)

    def __post_init__(self) -> None:
        super().__post_init__()
        _complete(self, ("self_attn",), ("norm1", "norm2"))

    def init_cache(
        self, batch: int | tuple[int, ...], max_length: int, dtype: str = "float32"
    ) -> Cache:
        """A cache without tokens: `MultiheadAttention.init_cache`."""
        return self.self_attn.init_cache(batch, max_length, dtype)

    def output_shape(self, src: Shape = UNKNOWN_RANK, *rest: Any) -> Shape:
        return rules.vectors(src, self.d_model)

    def forward(
        self,
        src: Array,
        src_mask: Array | None = None,
        src_key_padding_mask: Array | None = None,
        is_causal: bool = False,
        *,
        may_attend: Array | None = None,
        cache: Cache | None = None,
    ) -> Any:
        y = self.self_attn(
            _before(self, src, self.norm1),
            attn_mask=src_mask,
            key_padding_mask=src_key_padding_mask,
            is_causal=is_causal,
            may_attend=may_attend,
            cache=cache,
        )
        y, cache = (y, None) if cache is None else y
        x = _after(self, src, y, self.norm1)
        x = _after(self, x, _fed(self, _before(self, x, self.norm2)), self.norm2)
        return x if cache is None else (x, cache)


class TransformerDecoderLayer(Layer):
    """Self-attention, attention to a memory and a feed-forward part, each added and normalised.

    Shapes:
        tgt (*batch, T, d_model), memory (*batch, S, d_model)  ->  like tgt; then the cache if given

    Args:
        d_model: The length of a vector.
        nhead: How many heads there are.
        dim_feedforward: The width of the feed-forward part.
        dropout: The probability of 0, in the weights of attention and after each part.
        activation: As of `TransformerEncoderLayer`.
        layer_norm_eps: Added to variances.
        batch_first: True: the batch comes first here.
        norm_first: Whether a part normalises what goes into it, and not its sum with that.
        bias: Whether projections and norms add a bias.
        self_attn: Attention of another kind than MultiheadAttention(d_model, nhead, dropout, bias).
        multihead_attn: Likewise, to the memory.

    Raises:
        ArgumentError: A number is out of range, or a mask was turned around.
        ShapeError: The shapes do not fit.
        LayerError: An attention is another than of d_model and nhead, or a training step has no
            key.

    Example:
        >>> TransformerDecoderLayer(8, 2, 16).output_shape((3, 5, 8), (3, 7, 8))
        (3, 5, 8)

    Source:
        Vaswani et al. 2017, section 3.1; norm_first: Xiong et al. 2020.
    """

    d_model: int
    nhead: int
    dim_feedforward: int = 2048
    dropout: float = 0.1
    activation: str = "relu"
    layer_norm_eps: float = 1e-5
    batch_first: bool = True
    norm_first: bool = False
    bias: bool = True
    self_attn: MultiheadAttention = field(default=_MADE, kw_only=True)
    multihead_attn: MultiheadAttention = field(default=_MADE, kw_only=True)
    linear1: Linear = field(init=False)
    linear2: Linear = field(init=False)
    norm1: LayerNorm = field(init=False)
    norm2: LayerNorm = field(init=False)
    norm3: LayerNorm = field(init=False)
    drop: Dropout = field(init=False)

    def __post_init__(self) -> None:
        super().__post_init__()
        _complete(self, ("self_attn", "multihead_attn"), ("norm1", "norm2", "norm3"))

    def init_cache(
        self, batch: int | tuple[int, ...], max_length: int, dtype: str = "float32"
    ) -> Cache:
        """A cache without tokens: `MultiheadAttention.init_cache`."""
        return self.self_attn.init_cache(batch, max_length, dtype)

    def output_shape(
        self, tgt: Shape = UNKNOWN_RANK, memory: Shape = UNKNOWN_RANK, *rest: Any
    ) -> Shape:
        rules.attention(tgt, memory, memory, *(self.d_model,) * 3)
        return rules.vectors(tgt, self.d_model)

    def forward(
        self,
        tgt: Array,
        memory: Array,
        tgt_mask: Array | None = None,
        memory_mask: Array | None = None,
        tgt_key_padding_mask: Array | None = None,
        memory_key_padding_mask: Array | None = None,
        tgt_is_causal: bool = False,
        memory_is_causal: bool = False,
        *,
        cache: Cache | None = None,
    ) -> Any:
        y = self.self_attn(
            _before(self, tgt, self.norm1),
            attn_mask=tgt_mask,
            key_padding_mask=tgt_key_padding_mask,
            is_causal=tgt_is_causal,
            cache=cache,
        )
        y, cache = (y, None) if cache is None else y
        x = _after(self, tgt, y, self.norm1)
        y = self.multihead_attn(
            _before(self, x, self.norm2),
            memory,
            attn_mask=memory_mask,
            key_padding_mask=memory_key_padding_mask,
            is_causal=memory_is_causal,
        )
        x = _after(self, x, y, self.norm2)
        x = _after(self, x, _fed(self, _before(self, x, self.norm3)), self.norm3)
        return x if cache is None else (x, cache)


class TransformerEncoder(Layer):
    """Encoder layers one after another.

    Shapes:
        src (*batch, T, d_model)  ->  the same; then the caches if given

    Args:
        encoder_layer: What each layer is like.
        num_layers: How many there are.
        norm: A layer at the end; None for none.

    Raises:
        ArgumentError: num_layers is below 1.
        LayerError: encoder_layer is no layer.

    Example:
        >>> TransformerEncoder(TransformerEncoderLayer(8, 2, 16), 3).output_shape((3, 5, 8))
        (3, 5, 8)
    """

    layers: tuple[Layer, ...]
    norm: Layer | None = None

    def __init__(self, encoder_layer: Layer, num_layers: int, norm: Layer | None = None) -> None:
        object.__setattr__(self, "layers", _copies(encoder_layer, num_layers))
        object.__setattr__(self, "norm", norm)

    @classmethod
    def of_fields(cls, **values: Any) -> Self:
        layer, *others = values["layers"]
        return cls(layer, 1 + len(others), values["norm"])

    def init_cache(
        self, batch: int | tuple[int, ...], max_length: int, dtype: str = "float32"
    ) -> tuple[Cache, ...]:
        """A cache for each layer: `MultiheadAttention.init_cache`."""
        return tuple(layer.init_cache(batch, max_length, dtype) for layer in self.layers)

    def output_shape(self, src: Shape = UNKNOWN_RANK, *rest: Any) -> Shape:
        for layer in (*self.layers, *([self.norm] if self.norm else [])):
            src = layer.output_shape(src)
        return src

    def forward(
        self,
        src: Array,
        mask: Array | None = None,
        src_key_padding_mask: Array | None = None,
        is_causal: bool = False,
        *,
        may_attend: Array | None = None,
        cache: tuple[Cache, ...] | None = None,
    ) -> Any:
        def layer(i: int, x: Array, own: Cache | None) -> Any:
            return self.layers[i](
                x,
                src_mask=mask,
                src_key_padding_mask=src_key_padding_mask,
                is_causal=is_causal,
                may_attend=may_attend,
                cache=own,
            )

        return _through(self, layer, src, cache)

    def __repr__(self) -> str:
        return _stack_text(self)


class TransformerDecoder(Layer):
    """Decoder layers one after another.

    Shapes:
        tgt (*batch, T, d_model), memory (*batch, S, d_model)
        ->  like tgt; then the caches if given

    Args:
        decoder_layer: What each layer is like.
        num_layers: How many there are.
        norm: A layer at the end; None for none.

    Raises:
        ArgumentError: num_layers is below 1.
        LayerError: decoder_layer is no layer.

    Example:
        >>> decoder = TransformerDecoder(TransformerDecoderLayer(8, 2, 16), 3)
        >>> decoder.output_shape((3, 5, 8), (3, 7, 8))
        (3, 5, 8)
    """

    layers: tuple[Layer, ...]
    norm: Layer | None = None

    def __init__(self, decoder_layer: Layer, num_layers: int, norm: Layer | None = None) -> None:
        object.__setattr__(self, "layers", _copies(decoder_layer, num_layers))
        object.__setattr__(self, "norm", norm)

    @classmethod
    def of_fields(cls, **values: Any) -> Self:
        layer, *others = values["layers"]
        return cls(layer, 1 + len(others), values["norm"])

    def init_cache(
        self, batch: int | tuple[int, ...], max_length: int, dtype: str = "float32"
    ) -> tuple[Cache, ...]:
        """A cache for each layer: `MultiheadAttention.init_cache`."""
        return tuple(layer.init_cache(batch, max_length, dtype) for layer in self.layers)

    def output_shape(
        self, tgt: Shape = UNKNOWN_RANK, memory: Shape = UNKNOWN_RANK, *rest: Any
    ) -> Shape:
        for layer in self.layers:
            tgt = layer.output_shape(tgt, memory)
        return self.norm.output_shape(tgt) if self.norm else tgt

    def forward(
        self,
        tgt: Array,
        memory: Array,
        tgt_mask: Array | None = None,
        memory_mask: Array | None = None,
        tgt_key_padding_mask: Array | None = None,
        memory_key_padding_mask: Array | None = None,
        tgt_is_causal: bool = False,
        memory_is_causal: bool = False,
        *,
        cache: tuple[Cache, ...] | None = None,
    ) -> Any:
        def layer(i: int, x: Array, own: Cache | None) -> Any:
            return self.layers[i](
                x,
                memory,
                tgt_mask=tgt_mask,
                memory_mask=memory_mask,
                tgt_key_padding_mask=tgt_key_padding_mask,
                memory_key_padding_mask=memory_key_padding_mask,
                tgt_is_causal=tgt_is_causal,
                memory_is_causal=memory_is_causal,
                cache=own,
            )

        return _through(self, layer, tgt, cache)

    def __repr__(self) -> str:
        return _stack_text(self)


class Transformer(Layer):
    """An encoder of one sequence and a decoder of another one that attends to it.

    Shapes:
        src (*batch, S, d_model), tgt (*batch, T, d_model)  ->  like tgt

    Args:
        d_model: The length of a vector.
        nhead: How many heads there are.
        num_encoder_layers: How many layers the encoder has.
        num_decoder_layers: How many layers the decoder has.
        dim_feedforward: The width of the feed-forward parts.
        dropout: The probability of 0.
        activation: As of `TransformerEncoderLayer`.
        layer_norm_eps: Added to variances.
        batch_first: True: the batch comes first here.
        norm_first: Whether a part normalises what goes into it, and not its sum with that.
        bias: Whether projections and norms add a bias.

    Raises:
        ArgumentError: A number is out of range, or a mask was turned around.
        ShapeError: The shapes do not fit.
        LayerError: A training step has no key.

    Example:
        >>> Transformer(8, 2, 1, 1, 16).output_shape((3, 7, 8), (3, 5, 8))
        (3, 5, 8)

    Source:
        Vaswani et al. 2017, figure 1.
    """

    d_model: int = 512
    nhead: int = 8
    num_encoder_layers: int = 6
    num_decoder_layers: int = 6
    dim_feedforward: int = 2048
    dropout: float = 0.1
    activation: str = "relu"
    layer_norm_eps: float = field(default=1e-5, kw_only=True)
    batch_first: bool = field(default=True, kw_only=True)
    norm_first: bool = field(default=False, kw_only=True)
    bias: bool = field(default=True, kw_only=True)
    encoder: TransformerEncoder = field(init=False)
    decoder: TransformerDecoder = field(init=False)

    def __post_init__(self) -> None:
        super().__post_init__()
        integer("num_encoder_layers", self.num_encoder_layers, 1)
        integer("num_decoder_layers", self.num_decoder_layers, 1)
        batch_first(self.batch_first)
        widths = (self.d_model, self.nhead, self.dim_feedforward, self.dropout)
        same = (*widths, self.activation, self.layer_norm_eps)
        rest: dict[str, Any] = {"norm_first": self.norm_first, "bias": self.bias}
        encoder = TransformerEncoderLayer(*same, **rest), self.num_encoder_layers
        decoder = TransformerDecoderLayer(*same, **rest), self.num_decoder_layers
        object.__setattr__(self, "encoder", TransformerEncoder(*encoder, _norm(self)))
        object.__setattr__(self, "decoder", TransformerDecoder(*decoder, _norm(self)))

    def output_shape(
        self, src: Shape = UNKNOWN_RANK, tgt: Shape = UNKNOWN_RANK, *rest: Any
    ) -> Shape:
        return self.decoder.output_shape(tgt, self.encoder.output_shape(src))

    def forward(
        self,
        src: Array,
        tgt: Array,
        src_mask: Array | None = None,
        tgt_mask: Array | None = None,
        memory_mask: Array | None = None,
        src_key_padding_mask: Array | None = None,
        tgt_key_padding_mask: Array | None = None,
        memory_key_padding_mask: Array | None = None,
        src_is_causal: bool = False,
        tgt_is_causal: bool = False,
        memory_is_causal: bool = False,
    ) -> Array:
        memory = self.encoder(
            src,
            mask=src_mask,
            src_key_padding_mask=src_key_padding_mask,
            is_causal=src_is_causal,
        )
        y: Array = self.decoder(
            tgt,
            memory,
            tgt_mask=tgt_mask,
            memory_mask=memory_mask,
            tgt_key_padding_mask=tgt_key_padding_mask,
            memory_key_padding_mask=memory_key_padding_mask,
            tgt_is_causal=tgt_is_causal,
            memory_is_causal=memory_is_causal,
        )
        return y


Block = TransformerEncoderLayer | TransformerDecoderLayer
Stack = TransformerEncoder | TransformerDecoder


def _complete(layer: Block, attentions: tuple[str, ...], norms: tuple[str, ...]) -> None:
    """Check the numbers of a layer, and make the layers inside it that were not given."""
    for name in ("d_model", "nhead", "dim_feedforward"):
        integer(name, getattr(layer, name), 1)
    number("dropout", layer.dropout, FROM_0_TO_1)
    number("layer_norm_eps", layer.layer_norm_eps, AT_LEAST_0)
    flag("norm_first", layer.norm_first)
    flag("bias", layer.bias)
    batch_first(layer.batch_first)
    among("activation", layer.activation, tuple(ACTIVATIONS))
    wide, inner, bias = layer.d_model, layer.dim_feedforward, layer.bias
    made: dict[str, Layer] = {name: _attention(layer, name) for name in attentions}
    made |= {"linear1": Linear(wide, inner, bias), "linear2": Linear(inner, wide, bias)}
    made |= {name: _norm(layer) for name in norms}
    for name, part in {**made, "drop": Dropout(layer.dropout)}.items():
        object.__setattr__(layer, name, part)


def _attention(layer: Block, name: str) -> MultiheadAttention:
    given = getattr(layer, name)
    if given is None:
        return MultiheadAttention(layer.d_model, layer.nhead, layer.dropout, layer.bias)
    sizes = (layer.d_model, layer.nhead)
    if isinstance(given, MultiheadAttention) and (given.embed_dim, given.num_heads) == sizes:
        return given
    wanted = f"MultiheadAttention({sizes[0]}, {sizes[1]}, ...)"
    raise LayerError(f"takes {name} as {wanted}, got {given!r}.")


def _norm(layer: Block | Transformer) -> LayerNorm:
    return LayerNorm(layer.d_model, layer.layer_norm_eps, bias=layer.bias)


def _before(layer: Block, x: Array, norm: Layer) -> Array:
    """What goes into a part."""
    y: Array = norm(x) if layer.norm_first else x
    return y


def _after(layer: Block, x: Array, y: Array, norm: Layer) -> Array:
    """What comes out, where y is the part's."""
    total = F.add(x, layer.drop(y))
    out: Array = total if layer.norm_first else norm(total)
    return out


def _fed(layer: Block, x: Array) -> Array:
    """The feed-forward part."""
    y: Array = layer.linear2(layer.drop(ACTIVATIONS[layer.activation](layer.linear1(x))))
    return y


def _copies(layer: Layer, count: int) -> tuple[Layer, ...]:
    if not isinstance(layer, Layer):
        raise LayerError(f"takes a layer, got {layer!r}.")
    return tuple(copy.deepcopy(layer) for _ in range(integer("num_layers", count, 1)))


def _through(
    stack: Stack, layer: Callable[..., Any], x: Array, caches: tuple[Cache, ...] | None
) -> Any:
    """All layers and the norm, with the cache of each where there are some."""
    if caches is None:
        for i in range(len(stack.layers)):
            x = layer(i, x, None)
        return stack.norm(x) if stack.norm else x
    if len(caches) != len(stack.layers):
        raise LayerError(
            f"{type(stack).__name__} takes a cache for each of {len(stack.layers)} layers, got "
            f"{len(caches)}.",
            help="make them: cache = layer.init_cache(batch, max_length).",
        )
    after = []
    for i, own in enumerate(caches):
        x, own = layer(i, x, own)
        after.append(own)
    return (stack.norm(x) if stack.norm else x), tuple(after)


def _stack_text(stack: Stack) -> str:
    norm = f", norm={stack.norm!r}" if stack.norm else ""
    return f"{type(stack).__name__}({stack.layers[0]!r}, {len(stack.layers)}{norm})"
