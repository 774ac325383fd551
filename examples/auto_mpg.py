"""Miles per gallon of 392 cars from a table: a small network against least squares, in five folds.

Cylinders, displacement, horsepower, weight, acceleration, year and origin are known. The columns
are learnt, and the units are part of the model, so that it takes cars as the table has them.
"""

from pathlib import Path

import _show
import numpy as np
from matplotlib import figure

import tensorem as tm
from tensorem import data, nn, optim, train


def network(known):
    """A perceptron inside of the units of the table."""
    x, y = data.Scale.of(known.x), data.Scale.of(known.y)
    body = nn.blocks.mlp(known.x.shape[1], 1, (64, 64), "silu")
    layer = nn.Sequential(nn.Standardize(x.mean, x.std), *body, nn.Unstandardize(y.mean, y.std))
    return nn.build(layer, input=known.input, seed=0)


def least_squares(known, x):
    """What the best linear map gives for x."""
    ones = [np.c_[part, np.ones(len(part))] for part in (known.x, x)]
    return ones[1] @ np.linalg.lstsq(ones[0], known.y, rcond=None)[0]


def main(quick: bool = False, out: Path = Path("runs/auto_mpg")) -> list[_show.Figure]:
    csv = _show.file("mlxtend", "mlxtend/data/data/autompg.csv.gz")
    table = data.read_table(csv, header=False)
    columns = data.learn_columns(table, targets="numbers", drop=[7], categories=[6])
    cars = columns.examples(table)

    rule = optim.adamw(optim.cosine_lr(5e-3), weight_decay=0.1)
    said, linear, true = [], [], []
    for known, test in data.k_fold(cars, 5):
        run = train.fit(network(known), known, "mse", rule, 2 if quick else 150, progress="none")
        said.append(train.predict(run.model, test.x))
        linear.append(least_squares(known, test.x))
        true.append(test.y)
    tm.save(run.model, out)

    said, linear, true = (np.concatenate(parts) for parts in (said, linear, true))
    picture = figure.Figure(figsize=(4, 4), layout="tight")
    axes = picture.subplots()
    axes.plot(true, linear, ".", label="least squares", alpha=0.5)
    axes.plot(true, said, ".", label="network", alpha=0.5)
    axes.plot([10, 45], [10, 45], color="gray", linewidth=0.5)
    axes.set(xlabel="true miles per gallon", ylabel="predicted")
    axes.legend()
    picture.savefig(out / "cars.png")
    print(out / "cars.png")
    errors = [float(np.sqrt(np.mean((v - true) ** 2))) for v in (said, linear)]
    return [
        _show.Figure("error (RMSE, miles per gallon), 5 folds", errors[0], most=2.9),
        _show.Figure("less than least squares by", errors[1] - errors[0], least=0.3),
    ]


if __name__ == "__main__":
    _show.show(main)
