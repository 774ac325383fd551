"""The masks of attention, each under its own name and meaning, as one for `F.attention_weights`."""

from __future__ import annotations

from functools import reduce

import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer

from tensorem import functional as F
from tensorem import rules
from tensorem.calls import check_array
from tensorem.errors import ShapeError
from tensorem.shapes import Size, format_shape

Array = jax.Array
Sizes = tuple[Size, ...]


def combined(
    query: Array,
    keys: Array,
    key_padding_mask: Array | None,
    attn_mask: Array | None,
    may_attend: Array | None,
) -> Array | None:
    """What all of the masks allow; floats, which are added, where one of them holds floats.

    Args:
        query: (*batch, L, ...).
        keys: (*batch, H, S, ...).
        key_padding_mask: (*batch, S), True forbids.
        attn_mask: (L, S), or (N * H, L, S) with one batch axis; True forbids.
        may_attend: (L, S), (*batch, L, S) or (*batch, H, L, S); True allows.
    """
    masks = {
        "key_padding_mask": key_padding_mask,
        "attn_mask": attn_mask,
        "may_attend": may_attend,
    }
    for name, mask in masks.items():
        if mask is not None:
            check_array(mask, name)
    target = (*F.shape(keys)[:-2], F.shape(query)[-2], F.shape(keys)[-2])
    found = []
    if key_padding_mask is not None:
        wanted = (*target[:-3], target[-1])
        _require(key_padding_mask, "key_padding_mask", query, wanted, "(*batch, S)")
        wide = F.reshape(key_padding_mask, (*query.shape[:-2], 1, 1, keys.shape[-2]))
        found.append(_allowing("key_padding_mask", wide))
    if attn_mask is not None:
        found.append(_allowing("attn_mask", _of_torch(attn_mask, query, target)))
    if may_attend is not None:
        found.append(_of_ours(may_attend, query, target))
    allowed = [mask for mask in found if mask.dtype == bool]
    added = [mask for mask in found if mask.dtype != bool]
    if not added:
        return reduce(jnp.logical_and, allowed) if allowed else None
    total = reduce(jnp.add, added)
    return jnp.where(reduce(jnp.logical_and, allowed), total, -jnp.inf) if allowed else total


def _of_torch(mask: Array, query: Array, target: Sizes) -> Array:
    """PyTorch has the heads of a batch as one axis with the batch."""
    if mask.ndim == 3 and len(target) == 4:
        wanted = (target[0] * target[1], *target[2:])
        _require(mask, "attn_mask", query, wanted, "(L, S) or (N * num_heads, L, S)")
        return F.reshape(mask, (query.shape[0], mask.shape[0] // query.shape[0], *mask.shape[1:]))
    if mask.ndim != 2 and mask.ndim != len(target):
        raise ShapeError(
            f"takes attn_mask (L, S) or (N * num_heads, L, S), got {format_shape(F.shape(mask))}."
        )
    rules.check_mask("attn_mask", F.shape(mask), mask.dtype.name, target, query.dtype.name)
    return mask


def _of_ours(mask: Array, query: Array, target: Sizes) -> Array:
    """A mask for all heads gets an axis for them."""
    if mask.ndim == len(target) - 1 and mask.ndim > 2:
        mask = F.reshape(mask, (*mask.shape[:-2], 1, *mask.shape[-2:]))
    rules.check_mask("may_attend", F.shape(mask), mask.dtype.name, target, query.dtype.name)
    if known(mask) and mask.dtype == bool:
        rules.check_direction("may_attend", np.asarray(mask), "write ~may_attend, or attn_mask=.")
    return mask


def _allowing(name: str, mask: Array) -> Array:
    """A mask in which True forbids, turned around; one of floats as it is."""
    if mask.dtype != bool:
        return mask
    if not known(mask):
        return jnp.logical_not(mask)
    allowed = ~np.asarray(mask)
    help = "write ~attn_mask, or give it as may_attend=, where True allows."
    rules.check_direction(name, allowed, help, "forbid")
    return jnp.asarray(allowed)


def _require(mask: Array, name: str, query: Array, wanted: Sizes, form: str) -> None:
    rules.check_mask(name, F.shape(mask), mask.dtype.name, wanted, query.dtype.name)
    if mask.ndim != len(wanted):
        raise ShapeError(
            f"takes {name} {form}, here {format_shape(wanted)}, got {format_shape(F.shape(mask))}."
        )


def known(x: Array) -> bool:
    """Whether an array is a value, and no part of a trace."""
    return not isinstance(x, Tracer)
