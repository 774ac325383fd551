"""An index of no row is an error of the model, wherever in its program it is looked up."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from tensorem import functional as F
from tensorem import nn
from tensorem.errors import DataError
from tensorem.shapes import Spec

TABLE = nn.Embedding(7, 2)


class Own(nn.Layer):
    table: nn.Embedding = TABLE


class Twice(Own):
    def forward(self, a: Any, b: Any) -> Any:
        return self.table(a) + F.embedding(b, self.table.weight[:5])


class Masked(Own):
    def forward(self, a: Any, x: Any, mask: Any) -> Any:
        return jnp.where(mask[..., None], self.table(a), x)


class Later(Own):
    def forward(self, a: Any) -> Any:
        return self.table(a + 1)


class Placed(Own):
    def forward(self, a: Any) -> Any:
        return self.table(a) + self.table(jnp.arange(a.shape[1]))


class Within(Own):
    def forward(self, a: Any) -> Any:
        return jax.jit(lambda w: F.embedding(a, w))(self.table.weight)


class Branch(Own):
    def forward(self, a: Any) -> Any:
        y = self.table(a)
        found = lambda w: F.embedding(jnp.array([8]), w)  # noqa: E731
        return y + jax.lax.cond(jnp.sum(y) > 1e9, found, lambda w: w[:1], self.table.weight)


def indices(*shape: Any, dtype: str = "int32") -> Spec:
    return Spec(shape, dtype)


KNOWN: dict[str, tuple[nn.Layer, tuple[Spec, ...], tuple[int | None, ...]]] = {
    "alone": (TABLE, (indices("N", 3),), (7,)),
    "small": (TABLE, (indices("N", 3, dtype="uint8"),), (7,)),
    "text": (nn.Sequential(TABLE, nn.LSTM(2, 3)), (indices("N", 3),), (7,)),
    "two tables": (Twice(), (indices("N", 3), indices("N", 3)), (7, 5)),
    "masked": (
        Masked(),
        (indices("N", 3), Spec(("N", 3, 2)), indices("N", 3, dtype="bool")),
        (7, None, None),
    ),
}
WATCHED = {
    "computed": Later(),
    "positions": Placed(),
    "within": Within(),
    "branch": Branch(),
    "bag": nn.EmbeddingBag(7, 2),
    "padding": nn.Embedding(7, 2, padding_idx=0),
}  # fmt: skip


def zeros(specs: tuple[Spec, ...]) -> list[np.ndarray[Any, Any]]:
    return [np.zeros(spec.bind({"N": 2}).shape, spec.dtype) for spec in specs]


@pytest.mark.parametrize("name", KNOWN)
def test_what_is_only_looked_up_is_checked_before_it_goes_in(name: str) -> None:
    layer, specs, rows = KNOWN[name]
    model = nn.build(layer, specs)
    assert model.built.rows == rows
    model(*zeros(specs))
    for i, count in enumerate(rows):
        for wrong in (count, -1) if count is not None else ():
            xs = zeros(specs)
            xs[i][1, 2] = np.asarray(wrong).astype(specs[i].dtype)
            for form in (np.asarray, jnp.asarray):
                with pytest.raises(DataError, match=rf"takes indices from 0 to {count - 1}, got"):
                    model(*map(form, xs))
    assert model(*(x[:0] for x in zeros(specs))) is not None


@pytest.mark.parametrize("name", WATCHED)
def test_a_program_that_makes_indices_is_watched(name: str) -> None:
    model = nn.build(WATCHED[name], indices("N", 3))
    assert model.built.rows is None
    model(np.zeros((2, 3), np.int32))
    with pytest.raises(DataError, match=r"takes indices from 0 to 6, got 7\."):
        model(np.full((2, 3), 7 - (name == "computed"), np.int32))


def test_positions_beyond_a_table_are_an_error_where_the_indices_are_none() -> None:
    model = nn.build(Placed(), indices("N", "T"))
    with pytest.raises(DataError, match=r"takes indices from 0 to 6, got 7\."):
        model(np.zeros((1, 8), np.int32))


def test_nan_of_another_kind_is_a_value() -> None:
    model = nn.build(TABLE, indices("N"))
    model = model.replace(params={"weight": model.params["weight"].at[3].set(jnp.nan)})
    assert np.isnan(np.asarray(model([3, 4]))).tolist() == [[True, True], [False, False]]
