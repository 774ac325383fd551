"""A network that solves Poisson's equation, and a proof of how near it is to the true solution.

-Δu = f on the unit square, u = 0 on its edge. The network is trained on the residual at points;
then intervals enclose the residual everywhere, on boxes that are split where they say too little.
Where |residual| <= M, the maximum principle gives |network - u| <= M / 8, without knowing u.
"""

from pathlib import Path

import _show
import jax
import jax.numpy as jnp
import numpy as np
from matplotlib import figure

import tensorem as tm
from tensorem import autograd, models, nn, optim, train


class Solution(nn.Layer):
    """A network times what is 0 on the edge."""

    net: nn.Layer

    def forward(self, x):
        bump = 4 * x * (1 - x)
        return bump[:, 0] * bump[:, 1] * self.net(x)[:, 0]


def f(x):
    """The right side whose solution is sin(πx) sin(πy)."""
    wave = jnp.sin(jnp.pi * x)
    return 2 * jnp.pi**2 * wave[0] * wave[1]


def residual(u, x):
    """Δu + f at each point."""
    return jax.vmap(lambda p: autograd.laplacian(lambda q: u(q[None])[0])(p) + f(p))(x)


def squares(model, x, _):
    return (residual(model, x) ** 2).sum(), len(x)


def largest(graph, low, high):
    """A bound on the absolute value of what a graph gives, for each box."""
    found = tm.evaluate(graph, tm.domains.Interval.of(low, high), dtype="interval")
    return np.maximum(abs(found.lower), abs(found.upper))


def enclosed(model, goal, levels):
    """A bound on |residual| over the whole square, and how many boxes it took.

    In a box |residual| <= |residual of the middle| + half its side * the sum of its |slopes|.
    """
    sloped = jax.grad(lambda p: residual(model, p[None])[0])
    values = tm.capture(lambda x: residual(model, x), ("N", 2))
    slopes = tm.capture(jax.vmap(sloped), ("N", 2))
    side, ends = 1 / 64, np.arange(64) / 64
    low, done = np.stack(np.meshgrid(ends, ends), -1).reshape(-1, 2), [np.zeros(0)]
    for level in range(levels):
        most = []
        for part in np.array_split(low, len(low) // 4096 + 1):
            middle = part + side / 2
            steep = largest(slopes, part, part + side).sum(axis=1)
            most.append(largest(values, middle, middle) + side / 2 * steep)
        bounds = np.concatenate(most)
        split = (bounds > goal) & (level < levels - 1)
        done.append(bounds[~split])
        side /= 2
        corners = side * np.array([[0, 0], [0, 1], [1, 0], [1, 1]])
        low = (low[split][:, None] + corners).reshape(-1, 2)
    return np.concatenate(done).max(), sum(map(len, done))


def main(quick: bool = False, out: Path = Path("runs/poisson")) -> list[_show.Figure]:
    points = np.random.default_rng(0).uniform(size=(8192, 2)).astype(np.float32)
    net = Solution(models.pinn(2, 1, width=16, depth=2))
    model = nn.build(net, input=("N", 2), seed=0)
    loss, rule = train.Objective(squares), optim.adam(optim.cosine_lr(1e-2))
    run = train.fit(model, (points, points), loss, rule, 1 if quick else 120, 256, metrics=())
    tm.save(run.model, out)

    bound, boxes = enclosed(run.model, 0.25, 1 if quick else 5)
    print(boxes, "boxes")
    side = np.linspace(0, 1, 101, dtype=np.float32)
    grid = np.stack(np.meshgrid(side, side), -1).reshape(-1, 2)
    error = np.asarray(run.model(grid)) - np.sin(np.pi * grid).prod(axis=1)
    picture = figure.Figure(figsize=(4, 3), layout="tight")
    axes = picture.subplots()
    picture.colorbar(axes.imshow(error.reshape(101, 101), extent=(0, 1, 0, 1)))
    axes.set(title="network less the true solution")
    picture.savefig(out / "error.png")
    print(out / "error.png")
    return [
        _show.Figure("error, proved for all points", bound / 8, most=0.04),
        _show.Figure("error, seen on a grid", abs(error).max(), most=bound / 8),
    ]


if __name__ == "__main__":
    _show.show(main)
