"""Attention with several heads, and the cache with which it writes one token after another."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import field
from typing import Any

import jax
import jax.numpy as jnp

from tensorem import functional as F
from tensorem import rules
from tensorem.calls import ABOVE_0, FROM_0_TO_1, among, batch_first, flag, integer, named, number
from tensorem.errors import ArgumentError
from tensorem.layer import Layer, Parameter
from tensorem.shapes import Shape

from ._cache import Cache, empty, nan_beyond, position, remembered
from ._init import kaiming_uniform, xavier_uniform, zeros
from ._mask import combined
from ._position import ABOVE_1

Array = jax.Array


class MultiheadAttention(Layer):
    """Attention of several heads side by side, between projections.

    Masks have PyTorch's names and meaning: True in key_padding_mask and attn_mask forbids. In ours,
    may_attend, True allows. All that are given hold together, and a query that may attend to no key
    gets 0 (before the last bias). `prefix=(keys, values)`, each (P, num_kv_heads * head_dim), is in
    front of all keys and values as it stands, and every query may attend to it.

    Shapes:
        query (*batch, L, embed_dim), key (*batch, S, kdim), value (*batch, S, vdim)
        ->  (*batch, L, embed_dim); then the weights if asked, then the cache if given

    Args:
        embed_dim: The length of a query and of what comes out.
        num_heads: How many heads there are.
        dropout: The probability with which a weight is 0 in training.
        bias: Whether the projections add a bias.
        kdim: The length of a key; None for embed_dim.
        vdim: The length of a value; None for embed_dim.
        batch_first: True: the batch comes first here.
        head_dim: The length of a head; None for embed_dim / num_heads.
        num_kv_heads: How many heads keys and values have, each for as many heads of the queries;
            None for num_heads.
        rotary: How places are turned into queries and keys: "interleaved" or "half"
            (`F.rotary_embedding`); None for not.
        rotary_base: Its base.
        window: How many places a query sees on each side, its own among them; None for all.
        softcap: A bound of the scores; None for none.
        weighting: How scores become weights: "softmax", or "linear" for as they are.

    Raises:
        ArgumentError: A number is out of range, embed_dim is not divided by num_heads, or a mask
            was turned around; key and cache are given together.
        ShapeError: The shapes do not fit, those of the masks and of the cache included.
        DTypeError: A mask is neither of truth values nor of floats.
        DataError: A position lies beyond the cache, where positions are known; elsewhere it gives
            NaN.
        LayerError: A training step has no key, and dropout is not 0.

    Example:
        >>> MultiheadAttention(8, 2).output_shape((3, 5, 8))
        (3, 5, 8)

    Source:
        Vaswani et al. 2017, section 3.2.2. Initial weights as torch.nn.MultiheadAttention.
    """

    embed_dim: int
    num_heads: int
    dropout: float = 0.0
    bias: bool = True
    kdim: int | None = field(default=None, kw_only=True)
    vdim: int | None = field(default=None, kw_only=True)
    batch_first: bool = field(default=True, kw_only=True)
    head_dim: int | None = field(default=None, kw_only=True)
    num_kv_heads: int | None = field(default=None, kw_only=True)
    rotary: str | None = field(default=None, kw_only=True)
    rotary_base: float = field(default=10000.0, kw_only=True)
    window: int | None = field(default=None, kw_only=True)
    softcap: float | None = field(default=None, kw_only=True)
    weighting: str = field(default="softmax", kw_only=True)

    def __post_init__(self) -> None:
        super().__post_init__()
        optional = ("kdim", "vdim", "head_dim", "num_kv_heads", "window")
        given = (n for n in optional if getattr(self, n) is not None)
        for name in ("embed_dim", "num_heads", *given):
            integer(name, getattr(self, name), 1)
        number("dropout", self.dropout, FROM_0_TO_1)
        flag("bias", self.bias)
        batch_first(self.batch_first)
        number("rotary_base", self.rotary_base, ABOVE_1)
        among("weighting", self.weighting, rules.WEIGHTINGS)
        if self.softcap is not None:
            number("softcap", self.softcap, ABOVE_0, "None")
        if self.rotary is not None:
            among("rotary", self.rotary, rules.ROTARY_STYLES)
        self._check_heads()

    def _check_heads(self) -> None:
        if self.head_dim is None and self.embed_dim % self.num_heads:
            raise ArgumentError(
                "takes num_heads that divide embed_dim, got "
                f"{self.num_heads} and {self.embed_dim}.",
                help="say how long a head is: head_dim=...",
            )
        if self.num_heads % self._kv_heads:
            raise ArgumentError(
                f"takes num_kv_heads that divide num_heads, got {self._kv_heads} and "
                f"{self.num_heads}."
            )
        if self.rotary is not None and self._head % 2:
            raise ArgumentError(
                f"takes an even head_dim with rotary, got {self._head}.",
                because="entries are turned in pairs.",
            )

    @property
    def _head(self) -> int:
        return self.embed_dim // self.num_heads if self.head_dim is None else self.head_dim

    @property
    def _kv_heads(self) -> int:
        return self.num_heads if self.num_kv_heads is None else self.num_kv_heads

    @property
    def _inner(self) -> int:
        return self.num_heads * self._head

    @property
    def _sizes(self) -> tuple[int, int, int]:
        """The entries of all heads of a query, a key and a value."""
        few = self._kv_heads * self._head
        return self._inner, few, few

    @property
    def _packed(self) -> bool:
        return self.kdim in (None, self.embed_dim) and self.vdim in (None, self.embed_dim)

    def parameters(self) -> Mapping[str, Parameter | None]:
        sizes, start = self._sizes, xavier_uniform()
        widths = (self.embed_dim, self.kdim or self.embed_dim, self.vdim or self.embed_dim)
        names = ("q_proj_weight", "k_proj_weight", "v_proj_weight")
        if self._packed:
            weights = {"in_proj_weight": Parameter((sum(sizes), self.embed_dim), start)}
        else:
            shapes = dict(zip(names, zip(sizes, widths, strict=True), strict=True))
            weights = {name: Parameter(shape, start) for name, shape in shapes.items()}
        out = Parameter((self.embed_dim, self._inner), kaiming_uniform(a=math.sqrt(5)))
        return {
            **weights,
            "in_proj_bias": Parameter((sum(sizes),), zeros()) if self.bias else None,
            "out_proj.weight": out,
            "out_proj.bias": Parameter((self.embed_dim,), zeros()) if self.bias else None,
        }

    def init_cache(
        self, batch: int | tuple[int, ...], max_length: int, dtype: str = "float32"
    ) -> Cache:
        """A cache without tokens, for forward(x, cache=cache), which gives another one.

        Args:
            batch: The batch axes.
            max_length: The most tokens that it will hold.
            dtype: That of the model.

        Raises:
            ArgumentError: A number is below 1.

        Example:
            >>> cache = MultiheadAttention(8, 2).init_cache(3, max_length=5)
            >>> cache["key"].shape, cache["position"].tolist()
            ((3, 2, 5, 4), [0, 0, 0])
        """
        return empty(batch, self._kv_heads, max_length, self._head, dtype)

    def output_shape(
        self, query: Shape, key: Shape | None = None, value: Shape | None = None, *rest: Any
    ) -> Shape:
        key = query if key is None else key
        value = key if value is None else value
        widths = (self.embed_dim, self.kdim or self.embed_dim, self.vdim or self.embed_dim)
        return rules.attention(query, key, value, *widths)

    def forward(
        self,
        query: Array,
        key: Array | None = None,
        value: Array | None = None,
        key_padding_mask: Array | None = None,
        need_weights: bool = False,
        attn_mask: Array | None = None,
        average_attn_weights: bool = True,
        is_causal: bool = False,
        *,
        may_attend: Array | None = None,
        cache: Cache | None = None,
        prefix: tuple[Array, Array] | None = None,
    ) -> Any:
        with named(self.label()):
            flag("need_weights", need_weights)
            flag("average_attn_weights", average_attn_weights)
            flag("is_causal", is_causal)
            start = 0 if cache is None else position(cache, query, key)
            q, k, v = map(self._heads, self._projected(query, key, value))
            q, k = self._turned(q, start), self._turned(k, start)
            if cache is not None:
                cache = remembered(cache, k, v)
                k, v = cache["key"], cache["value"]
            k, v = (F.repeat_interleave(x, self.num_heads // self._kv_heads, -3) for x in (k, v))
            allowed = combined(query, k, key_padding_mask, attn_mask, may_attend)
            if prefix is not None:  # they stand before every query
                k, v, allowed = self._led(prefix, k, v, allowed)
                start = start + prefix[0].shape[0]
        weights = self._weights(q, k, allowed, is_causal or cache is not None, start)
        y = self._joined(F.matmul(self._dropped(weights), v))
        if cache is not None:
            y = F.add(y, nan_beyond(cache, y.dtype)[..., None])
        shown = F.mean(weights, dim=-3) if average_attn_weights else weights
        given = (y, *([shown] if need_weights else []), *([] if cache is None else [cache]))
        return given if len(given) > 1 else y

    def _led(
        self, prefix: tuple[Array, Array], k: Array, v: Array, allowed: Array | None
    ) -> tuple[Array, Array, Array | None]:
        """Keys and values with others in front, to which every query may attend."""
        groups = self.num_heads // self._kv_heads
        heads = [F.repeat_interleave(self._heads(x), groups, -3) for x in prefix]
        all_k, all_v = (
            F.cat([jnp.broadcast_to(first, (*rest.shape[:-3], *first.shape)), rest], -2)
            for first, rest in zip(heads, (k, v), strict=True)
        )
        if allowed is not None:
            free = jnp.full((*allowed.shape[:-1], prefix[0].shape[0]), allowed.dtype == bool)
            allowed = F.cat([free.astype(allowed.dtype), allowed], -1)
        return all_k, all_v, allowed

    def _projected(self, query: Array, key: Array | None, value: Array | None) -> list[Array]:
        """Queries, keys and values of all heads; of one input they are one product."""
        if self._packed and key is None and value is None:
            return self._three(F.linear(query, self.in_proj_weight, self.in_proj_bias), -1)
        key = query if key is None else key
        value = key if value is None else value
        parts = zip((query, key, value), self._in_weights(), self._in_biases(), strict=True)
        return [F.linear(x, weight, bias) for x, weight, bias in parts]

    def _in_weights(self) -> list[Array]:
        if not self._packed:
            return [self.q_proj_weight, self.k_proj_weight, self.v_proj_weight]
        return self._three(self.in_proj_weight, 0)

    def _in_biases(self) -> list[Array | None]:
        return [None] * 3 if not self.bias else [*self._three(self.in_proj_bias, 0)]

    def _three(self, x: Array, dim: int) -> list[Array]:
        """The parts of queries, keys and values."""
        inner, few, _ = self._sizes
        starts = zip((0, inner, inner + few), self._sizes, strict=True)
        return [F.narrow(x, dim, start, size) for start, size in starts]

    def _heads(self, x: Array) -> Array:
        """(*batch, T, heads * head_dim)  ->  (*batch, heads, T, head_dim)."""
        parts = F.reshape(x, (*x.shape[:-1], x.shape[-1] // self._head, self._head))
        return F.permute(parts, _swapped(parts.ndim))

    def _turned(self, x: Array, start: int | Array) -> Array:
        if self.rotary is None:
            return x
        return F.rotary_embedding(x, start, base=self.rotary_base, style=self.rotary)

    def _weights(
        self, q: Array, k: Array, allowed: Array | None, is_causal: bool, start: int | Array
    ) -> Array:
        return F.attention_weights(
            q, k, allowed, is_causal,
            softcap=self.softcap, window=self.window, offset=start, weighting=self.weighting,
        )  # fmt: skip

    def _dropped(self, weights: Array) -> Array:
        if not self.training or not self.dropout:
            return weights
        return F.dropout(weights, self.dropout, key=self.key())

    def _joined(self, heads: Array) -> Array:
        """The heads side by side, projected."""
        parts = F.permute(heads, _swapped(heads.ndim))
        y = F.reshape(parts, (*parts.shape[:-2], self._inner))
        weight, bias = (getattr(self, f"out_proj.{n}") for n in ("weight", "bias"))
        projected: Array = F.linear(y, weight, bias)
        return projected


def _swapped(rank: int) -> tuple[int, ...]:
    """All axes, the two before the last in each other's place."""
    return (*range(rank - 3), rank - 2, rank - 3, rank - 1)
