"""Are two graphs one program with the same numbers, and if not, where do they part?"""

from __future__ import annotations

from itertools import zip_longest

from tensorem.graph import Graph, graph_hash, weights_hash


def difference(given: Graph, saved: Graph) -> str:
    """What a graph computes first that the saved one does not; nothing where they are the same.

    Two graphs are the same if their nodes, specs and arrays are, name by name and bit by bit.
    Symbolic sizes are compared as they are written. Graphs that only compute the same, such as
    those that two versions of JAX give for one function, are different.
    """
    if graph_hash(given) != graph_hash(saved):
        return _first(given, saved)
    if weights_hash(given.arrays) == weights_hash(saved.arrays):
        return ""
    parted = [n for n in given.arrays if _hash(given, n) != _hash(saved, n)]
    return f"`{parted[0]}` has other values than were saved."


def _hash(graph: Graph, name: str) -> str:
    return weights_hash({name: graph.arrays[name]})


def _first(given: Graph, saved: Graph) -> str:
    lines = (str(graph).splitlines() for graph in (given, saved))
    for ours, theirs in zip_longest(*lines, fillvalue="nothing"):
        if ours != theirs:
            return f"it computes `{ours.strip()}`, where `{theirs.strip()}` was saved."
    return "its arguments and results stand in another tree."
