"""The CO2 of the next year, week by week, from the two years before it (Mauna Loa, 1958 to 2001).

The baselines are last year's values again (seasonal naive), and those with last year's growth. The
network reads weeks less the last one, so that a level that it never saw is nothing new.
"""

from pathlib import Path

import _show
import numpy as np
from matplotlib import figure

import tensorem as tm
from tensorem import data, nn, optim, train

YEAR = 52


class Forecast(nn.Layer):
    """A linear map and a perceptron of what the weeks are above the last one."""

    linear: nn.Linear
    curved: nn.Sequential

    def forward(self, weeks):
        last = weeks[:, -1:]
        x = (weeks - last) / 10
        return last + self.linear(x) + self.curved(x)


def read():
    """Every week in ppm; the 59 that are missing are drawn as lines."""
    table = data.read_table(_show.file("statsmodels", "statsmodels/datasets/co2/co2.csv"))
    ppm = np.array([float(cell or "nan") for cell in table.texts(1)])
    there = np.flatnonzero(np.isfinite(ppm))
    return np.interp(np.arange(len(ppm)), there, ppm[there]).astype(np.float32)


def years(ppm):
    """Two years and the one after them, from each week on."""
    whole = np.lib.stride_tricks.sliding_window_view(ppm, 3 * YEAR)
    return data.Dataset(whole[:, : 2 * YEAR], whole[:, 2 * YEAR :])


def main(quick: bool = False, out: Path = Path("runs/co2")) -> list[_show.Figure]:
    ppm = read()
    known, unseen = years(ppm[:1700]), years(ppm[1700 - 2 * YEAR :])  # the targets begin in 1990
    layer = Forecast(nn.Linear(2 * YEAR, YEAR), nn.blocks.mlp(2 * YEAR, YEAR, (32,)))
    model = nn.build(layer, input=known.input, seed=0)
    rule, epochs = optim.adam(optim.cosine_lr(2e-3)), 2 if quick else 60
    run = train.fit(model, known, "mse", rule, epochs, progress="none")
    tm.save(run.model, out)

    said, before, true = train.predict(run.model, unseen.x), unseen.x[:, YEAR:], unseen.y
    growth = before.mean(axis=1) - unseen.x[:, :YEAR].mean(axis=1)
    errors = [abs(v - true).mean() for v in (said, before, before + growth[:, None])]

    picture = figure.Figure(figsize=(7, 3), layout="tight")
    axes = picture.subplots()
    axes.plot(np.arange(2 * YEAR), unseen.x[-1], color="black", label="known")
    for label, year in (("true", true), ("network", said), ("last year again", before)):
        axes.plot(np.arange(2 * YEAR, 3 * YEAR), year[-1], label=label)
    axes.set(xlabel="week", ylabel="CO2, ppm")
    axes.legend(loc="lower center", bbox_to_anchor=(0.5, 1), ncols=4, frameon=False)
    picture.savefig(out / "forecast.png")
    print(out / "forecast.png")
    return [
        _show.Figure("mean error over a year, ppm", errors[0], most=0.6),
        _show.Figure("last year again (seasonal naive)", errors[1]),
        _show.Figure("last year again, and its growth", errors[2]),
    ]


if __name__ == "__main__":
    _show.show(main)
