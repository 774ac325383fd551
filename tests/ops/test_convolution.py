"""The convolution primitives against XLA's own convolution and its derivatives."""

from __future__ import annotations

import itertools
from typing import Any

import jax
import jax.numpy as jnp
import pytest
from jax import lax
from jax._src.interpreters.mlir import _platform_specific_lowerings as lowerings
from jax.interpreters import mlir

from close import assert_close
from tensorem import functional as F
from tensorem.ops import _convolution as c

CASES = [
    (stride, padding, dilation, groups)
    for stride, padding, dilation, groups in itertools.product(
        [(1, 1), (2, 3)], [((0, 0), (0, 0)), ((1, 2), (2, 0))], [(1, 1), (2, 1)], [1, 2, 4]
    )
]


def reference(x: Any, k: Any, stride: Any, padding: Any, dilation: Any, groups: int) -> Any:
    return lax.conv_general_dilated(
        x, k, stride, padding, rhs_dilation=dilation,
        dimension_numbers=("NHWC", "HWIO", "NHWC"), feature_group_count=groups,
    )  # fmt: skip


def operands(groups: int) -> tuple[Any, Any]:
    keys = jax.random.split(jax.random.key(0))
    x = jax.random.normal(keys[0], (2, 7, 8, 4), jnp.float32)
    return x, jax.random.normal(keys[1], (3, 2, 4 // groups, 4 if groups == 4 else 6))


@pytest.mark.parametrize(("stride", "padding", "dilation", "groups"), CASES)
def test_value_and_both_gradients_are_those_of_xla(
    stride: Any, padding: Any, dilation: Any, groups: int
) -> None:
    x, k = operands(groups)
    kw = dict(stride=stride, padding=padding, dilation=dilation, groups=groups)
    ours = jax.jit(jax.value_and_grad(lambda x, k: jnp.sum(jnp.sin(c.conv(x, k, **kw))), (0, 1)))
    theirs = jax.jit(
        jax.value_and_grad(lambda x, k: jnp.sum(jnp.sin(reference(x, k, **kw))), (0, 1))
    )
    for a, e in zip(jax.tree.leaves(ours(x, k)), jax.tree.leaves(theirs(x, k)), strict=True):
        assert_close(a, e, 1e-4, 1e-4)


def test_a_kernel_of_ones_own_takes_the_place_of_a_lowering() -> None:
    (x, k), seen = operands(1), []

    def kernel(x: Any, k: Any, *, size: Any, kernel: Any, **kw: Any) -> Any:
        seen.append((size, kernel))
        return reference(x, k, **kw)

    def loss(x: Any, k: Any) -> Any:
        return jnp.sum(jnp.sin(F.conv2d(jnp.moveaxis(x, 3, 1), k.transpose(3, 2, 0, 1))))

    before = jax.jit(jax.value_and_grad(loss, (0, 1)))(x, k)
    rule = mlir.lower_fun(kernel, multiple_results=False)
    mlir.register_lowering(c.conv_p, rule, platform=jax.default_backend())
    try:
        after = jax.jit(jax.value_and_grad(lambda x, k: loss(x, k), (0, 1)))(x, k)
    finally:
        del lowerings[jax.default_backend()][c.conv_p]
    assert seen == [((7, 8), (3, 2))]
    for a, e in zip(jax.tree.leaves(after), jax.tree.leaves(before), strict=True):
        assert_close(a, e, 1e-5, 1e-5)


KW = dict(stride=(2, 1), padding=((1, 1), (0, 0)), dilation=(1, 2), groups=1)
TRANSFORMS = {
    "forward over reverse": lambda f: lambda x, k: jax.jvp(jax.grad(f, 1), (x, k), (x, k))[1],
    "reverse over reverse": lambda f: jax.grad(lambda x, k: jnp.sum(jax.grad(f)(x, k) ** 2), 1),
    "per-example gradients": lambda f: (
        lambda x, k: jax.vmap(jax.grad(f, 1), in_axes=(0, None))(x[:, None], k)
    ),
    "a batch of kernels": lambda f: (
        lambda x, k: jax.vmap(f, in_axes=(None, 0))(x, jnp.stack([k, 2 * k]))
    ),
    "remat": lambda f: jax.grad(jax.checkpoint(f), 1),
    "scan": lambda f: (
        lambda x, k: lax.scan(
            lambda k, _: (k - 0.01 * jax.grad(f, 1)(x, k), None), k, None, length=2
        )[0]
    ),
}


@pytest.mark.parametrize("name", TRANSFORMS)
def test_every_transform_goes_through(name: str) -> None:
    x, k = operands(1)
    f, g = (lambda x, k, op=op: jnp.sum(op(x, k, **KW) ** 2) for op in (c.conv, reference))
    assert_close(jax.jit(TRANSFORMS[name](f))(x, k), jax.jit(TRANSFORMS[name](g))(x, k), 1e-4, 1e-3)


def test_a_gradient_holds_only_our_primitives() -> None:
    x, k = operands(1)
    gradient = jax.grad(lambda x, k: jnp.sum(c.conv(x, k, **KW) ** 2), (0, 1))
    text = str(jax.make_jaxpr(gradient)(x, k))
    assert "conv_dx[" in text and "conv_dk[" in text and "conv_general" not in text
