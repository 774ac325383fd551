"""Graph convolutional networks."""

from __future__ import annotations

import jax
import jax.numpy as jnp

from tensorem import functional as F
from tensorem import nn

Array = jax.Array


class GraphConvolution(nn.Layer):
    """A linear map of each node, added up over its neighbours and itself, by their degrees.

    Shapes:
        x (nodes, in_features), adjacency (nodes, nodes)  ->  (nodes, out_features)

    Source:
        Kipf and Welling 2017, equation 2.
    """

    linear: nn.Linear

    def forward(self, x: Array, adjacency: Array) -> Array:
        with_self = F.add(adjacency, jnp.eye(adjacency.shape[0], dtype=adjacency.dtype))
        scale = F.div(1.0, F.sqrt(F.sum(with_self, 1)))
        shared = F.mul(F.mul(scale[:, None], with_self), scale[None, :])
        return F.matmul(shared, self.linear(x))


class GCN(nn.Layer):
    """Two graph convolutions with relu between."""

    first: GraphConvolution
    second: GraphConvolution

    def forward(self, x: Array, adjacency: Array) -> Array:
        y: Array = self.second(F.relu(self.first(x, adjacency)), adjacency)
        return y


def gcn(features: int, hidden: int, classes: int) -> nn.Layer:
    """Classes of the nodes of a graph.

    Shapes:
        x (nodes, features), adjacency (nodes, nodes) of 0 and 1  ->  (nodes, classes)

    Example:
        >>> nn.build(gcn(4, 8, 3), ((5, 4), (5, 5))).output
        float32 (5, 3)

    Source:
        Kipf and Welling 2017.
    """
    first, second = nn.Linear(features, hidden), nn.Linear(hidden, classes)
    return GCN(GraphConvolution(first), GraphConvolution(second))
