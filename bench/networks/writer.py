"""GPT-2 in PyTorch that writes behind a cache of its own, which is made once."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import nn
from torch.nn import functional as F


class Writer(nn.Module):
    """Blocks as in GPT-2; the last layer is the table of tokens."""

    def __init__(self, dim: int, depth: int, heads: int, vocabulary: int, places: int) -> None:
        super().__init__()
        self.heads, self.places = heads, places
        self.token, self.place = nn.Embedding(vocabulary, dim), nn.Embedding(places, dim)
        self.blocks = nn.ModuleList(_Block(dim, heads, places) for _ in range(depth))
        self.norm = nn.LayerNorm(dim)

    def write(self, prompt: Any, new: int, step: Callable[..., Any]) -> list[int]:
        """The likeliest tokens behind a prompt (1, T)."""
        token, written = self.next(prompt, 0), []
        for place in range(prompt.shape[1], prompt.shape[1] + new):
            written.append(token)
            if len(written) < new:
                given = torch.tensor(place) if step != self.next else place
                token = step(token, given)
        return [int(token) for token in torch.cat(written)]

    def next(self, tokens: Any, start: int) -> Any:
        """The likeliest token behind some more from `start` on; the cache is cut there."""
        t = tokens.shape[1]
        x = self.token(tokens) + self.place.weight[start : start + t]
        for block in self.blocks:
            x = block(x, slice(start, start + t), start + t, None)
        return self._likeliest(x)

    def next_of_all(self, token: Any, place: Any) -> Any:
        """The same for one token, with shapes that never change: the whole cache under a mask."""
        x = self.token(token) + self.place(place)
        seen = torch.arange(self.places) <= place
        for block in self.blocks:
            x = block(x, place[None], self.places, seen[None, None, None])
        return self._likeliest(x)

    def _likeliest(self, x: Any) -> Any:
        return F.linear(self.norm(x[:, -1]), self.token.weight).argmax(-1, keepdim=True)


class _Block(nn.Module):
    """A pre-norm block that keeps its keys and values."""

    keys: Any
    values: Any

    def __init__(self, dim: int, heads: int, places: int) -> None:
        super().__init__()
        self.heads = heads
        self.norm1, self.norm2 = nn.LayerNorm(dim), nn.LayerNorm(dim)
        self.qkv, self.out = nn.Linear(dim, 3 * dim), nn.Linear(dim, dim)
        self.up, self.down = nn.Linear(dim, 4 * dim), nn.Linear(4 * dim, dim)
        for name in ("keys", "values"):
            self.register_buffer(name, torch.zeros(1, heads, places, dim // heads))

    def forward(self, x: Any, at: Any, until: int, seen: Any) -> Any:
        n, t, d = x.shape
        parts = self.qkv(self.norm1(x)).view(n, t, 3, self.heads, d // self.heads)
        q, k, v = parts.permute(2, 0, 3, 1, 4)
        self.keys[:, :, at], self.values[:, :, at] = k, v
        y = F.scaled_dot_product_attention(
            q, self.keys[:, :, :until], self.values[:, :, :until], seen, is_causal=t > 1
        )
        x = x + self.out(y.transpose(1, 2).reshape(n, t, d))
        return x + self.down(F.gelu(self.up(self.norm2(x)), approximate="tanh"))
