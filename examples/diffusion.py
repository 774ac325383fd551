"""Diffusion draws the digit that is asked for, 8 by 8, and a classifier of real ones reads it.

The data are bundled. A small U-Net that is told the class learns what is noise in an image at each
of 200 steps; 50 of them lead from noise to a digit (DDIM), or all 200, with new noise in each
(DDPM). The figure is the share of drawings that are read as the digit that was asked for. A drawing
could be right by being a copy: how far it is from the nearest known image is shown beside how far
unseen images are.
"""

from pathlib import Path

import _show
import numpy as np

import tensorem as tm
from tensorem import data, models, nn, optim, train


def classifier(digits, epochs):
    """A small convolutional network that knows the digits, and never sees a drawing."""
    features = nn.Sequential(nn.Conv2d(1, 32, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2))
    layer = nn.Sequential(features, nn.Flatten(), nn.Linear(32 * 4 * 4, 10))
    model = nn.build(layer, input=digits.input, seed=0)
    rule = optim.adam(optim.cosine_lr(5e-3))
    return train.fit(model, digits, optimizer=rule, epochs=epochs, progress="none").model


def distance(images, known):
    """The mean distance of images to the nearest known one."""
    a, b = images.reshape(len(images), -1), known.reshape(len(known), -1)
    squares = (a**2).sum(axis=1)[:, None] - 2 * a @ b.T + (b**2).sum(axis=1)
    return float(np.sqrt(squares.min(axis=1).clip(0)).mean())


def main(quick: bool = False, out: Path = Path("runs/diffusion")) -> list[_show.Figure]:
    digits = data.digits()
    known, classes = 2 * digits.train.x - 1, digits.train.y.astype(np.int32)
    denoiser = models.denoising_unet(1, (24, 48), classes=10)
    layer = models.Diffusion(denoiser, models.cosine_schedule(200), "velocity")
    model = nn.build(layer, (("N", 1, 8, 8), tm.Spec(("N",), "int32")), seed=0)
    rule, epochs = optim.adamw(optim.cosine_lr(3e-3)), 1 if quick else 60
    run = train.fit(
        model, ((known, classes), known), models.denoising, rule, epochs, 32, metrics=(),
        callbacks=train.EMA(0.995),
    )  # fmt: skip
    writer = run.callback("ema").model
    tm.save(writer["denoiser"], out)

    count = 100 if quick else 1000
    asked = np.arange(count, dtype=np.int32) % 10
    told = {"seed": 0, "clip": (-1, 1), "conditions": (asked,)}
    drawn = {
        "DDIM": models.ddim(writer, count, 50, **told),
        "DDPM": models.ddpm(writer, count, **told),
    }
    drawn = {name: (np.asarray(images) + 1) / 2 for name, images in drawn.items()}
    for name, images in drawn.items():
        large = images[:100, 0].repeat(3, 1).repeat(3, 2)
        _show.grid(out / f"{name.lower()}.png", large, f"drawn by {name}, asked for 0 to 9")

    judge = classifier(digits.train, 1 if quick else 20)
    read = {name: train.predict(judge, x).argmax(axis=1) for name, x in drawn.items()}
    right = {name: float((said == asked).mean()) for name, said in read.items()}
    unseen = train.evaluate(judge, digits.test)["accuracy"]
    near = [distance(x, digits.train.x) for x in (drawn["DDIM"], digits.test.x)]
    return [
        _show.Figure("drawn by DDIM, read as what was asked for", right["DDIM"], least=0.95),
        _show.Figure("drawn by DDPM, read as what was asked for", right["DDPM"], least=0.95),
        _show.Figure("real unseen digits, read as what they are", unseen),
        _show.Figure("distance of a drawing to the nearest known", near[0]),
        _show.Figure("distance of an unseen digit to it", near[1]),
    ]


if __name__ == "__main__":
    _show.show(main)
