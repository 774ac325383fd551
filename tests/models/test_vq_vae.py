"""VQ-VAE against a plain writing, its gradients against those of the paper."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from close import assert_close
from tensorem import models, nn, optim, train
from tensorem.errors import ArgumentError, ShapeError

RNG = np.random.default_rng(0)


def test_a_codebook_gives_the_nearest_row() -> None:
    model = nn.build(models.Codebook(7, 3), ("N", 5, 3))
    model = model.replace(params={"weight": jnp.asarray(RNG.normal(size=(7, 3)), jnp.float32)})
    z, rows = RNG.normal(size=(4, 5, 3)).astype(np.float32), np.asarray(model.params["weight"])
    codes = np.square(z[..., None, :] - rows).sum(-1).argmin(-1)
    out = model(z)
    assert (out["codes"] == codes).all() and (out["rows"] == rows[codes]).all()
    assert_close(out["through"], rows[codes])


def test_gradients_are_those_of_the_paper() -> None:
    """The encoder's is the decoder's, straight through, and the pull to its row; the rows' is the
    pull to what is encoded alone.
    """
    decoder = nn.Linear(2, 3, bias=False)
    model = nn.build(models.VQVAE(nn.Identity(), models.Codebook(4, 2), decoder), ("N", 2))
    rows, w = (RNG.normal(size=s).astype(np.float32) for s in ((4, 2), (3, 2)))
    z, x = (RNG.normal(size=s).astype(np.float32) for s in ((5, 2), (5, 3)))

    def loss(z: jax.Array, rows: jax.Array, w: jax.Array) -> jax.Array:
        params = {"codebook.weight": rows, "decoder.weight": w}
        return models.vq_objective(model.apply(params, z), jnp.asarray(x), beta=0.3)[0]

    gz, gr, gw = jax.grad(loss, (0, 1, 2))(z, rows, w)
    codes = np.square(z[:, None] - rows).sum(-1).argmin(-1)
    e = rows[codes]
    missed = 2 * (e @ w.T - x)
    assert_close(gz, missed @ w + 0.3 * 2 * (z - e), rtol=1e-4)
    assert_close(gw, missed.T @ e, rtol=1e-4, atol=1e-5)
    pulled = np.zeros((4, 2))
    np.add.at(pulled, codes, 2 * (e - z))
    assert_close(gr, pulled, rtol=1e-4)


def test_rows_that_follow_are_the_moving_means_of_their_vectors() -> None:
    model = nn.build(models.Codebook(3, 2, decay=0.9), ("N", 2))
    assert not model.params
    z = np.array([[0.1, 0.2], [4.0, 3.0], [5.0, 4.0]], np.float32)
    rows = np.array([[0, 0], [4, 4], [-9, -9]], np.float64)
    counts, sums = np.ones(3), rows.copy()
    buffers = {"weight": jnp.asarray(rows, jnp.float32), "counts": jnp.ones(3)}
    for _ in range(3):
        codes = np.square(z[:, None] - sums / counts[:, None]).sum(-1).argmin(-1)
        own = np.eye(3)[codes]
        counts = 0.9 * counts + 0.1 * own.sum(0)
        sums = 0.9 * sums + 0.1 * own.T @ z
        said, buffers = model.train_apply({}, buffers, z, key=jax.random.key(0))
        assert (said["codes"] == codes).all()
        assert_close(buffers["counts"], counts, rtol=1e-5)
        assert_close(buffers["weight"], sums / counts[:, None], rtol=1e-5)
    _, still = model.train_apply({}, {**buffers, "counts": jnp.zeros(3)}, z, key=jax.random.key(0))
    assert (still["weight"][2] == buffers["weight"][2]).all()  # nothing is near it
    assert (model.replace(buffers=buffers)(z)["rows"] == buffers["weight"][said["codes"]]).all()


@pytest.mark.long
@pytest.mark.parametrize("decay", [None, 0.95])
def test_four_points_become_four_codes(decay: float | None) -> None:
    points = np.array([[0, 0], [0, 4], [4, 0], [4, 4]], np.float32).repeat(64, 0)
    model = nn.build(models.vq_vae(2, 32, 1, 2, 16, decay), ("N", 2))
    run = train.fit(
        model, (points, points), models.vq_objective, optimizer=optim.adam(3e-3),
        epochs=150, batch_size=64, progress="none", metrics=(),
    )  # fmt: skip
    out = run.model(points[::64])
    assert len(set(np.asarray(out["codes"])[:, 0].tolist())) == 4
    assert np.abs(out["output"] - points[::64]).max() < 0.3


def test_what_is_refused() -> None:
    for call, message in (
        (lambda: models.Codebook(0, 2), "count"),
        (lambda: models.Codebook(2, 0), "dim"),
        (lambda: models.Codebook(2, 2, 1.0), "takes decay as"),
        (lambda: models.vq_vae(2, 2, 0, 2, 2), "vq_vae takes places"),
        (lambda: models.vq_objective({}, jnp.ones(1), beta=-1), "vq_objective takes beta"),
    ):
        with pytest.raises(ArgumentError, match=message):
            call()
    one = jnp.ones((1, 2))
    with pytest.raises(ShapeError):
        models.vq_objective({"output": one, "encoded": one, "rows": one}, jnp.ones((1, 3)))
