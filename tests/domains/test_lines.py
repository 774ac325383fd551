"""Linear maps, their transposes, and what counts as an equation."""

from __future__ import annotations

import jax
import jax.numpy as jnp

from close import assert_close
from tensorem.domains import Diagonal, Interval, Linear, Lines, equation, flat


def test_the_transpose_of_a_linear_map_is_that_of_its_matrix() -> None:
    matrix = jnp.arange(6.0).reshape(2, 3)
    m = Linear(lambda x: matrix @ x, (3,))
    a = jnp.array([1.0, -2.0])
    assert_close(m.transpose(a), matrix.T @ a)
    assert_close(jax.vmap(m.transpose)(jnp.eye(2)), matrix)


def test_a_diagonal_map_is_its_own_transpose() -> None:
    m = Diagonal(jnp.array([2.0, 3.0]))
    assert_close(m.transpose(jnp.ones(2)), m(jnp.ones(2)))


def test_an_equation_has_one_bound_for_both() -> None:
    m, zero = Diagonal(jnp.ones(2)), jnp.zeros(2)
    assert equation((m,), zero).is_equation
    assert not Lines((m,), (m,), zero, zero).is_equation


def test_flat_lines_are_the_ends() -> None:
    y = flat(Interval(jnp.zeros(2), jnp.ones(2)), 3)
    assert y.lower == y.upper == (None, None, None)
    assert_close(y.upper_offset, jnp.ones(2))
