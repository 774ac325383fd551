"""What a run folder says, gathered, and as one self-contained page."""

from ._difference import Difference as Difference
from ._difference import Entry as Entry
from ._difference import Tensor as Tensor
from ._difference import difference as difference
from ._gather import Counterexample as Counterexample
from ._gather import Facts as Facts
from ._gather import gather as gather
from ._gather import save_counterexamples as save_counterexamples
from ._graph_page import graph_page as graph_page
from ._graph_page import write_graph as write_graph
from ._outcomes import Outcomes as Outcomes
from ._outcomes import examine as examine
from ._page import page as page
from ._page import told_stale as told_stale
from ._page import write as write
from ._robustness import Radius as Radius
from ._robustness import Robustness as Robustness
from ._runs import Line as Line
from ._runs import runs as runs

__all__ = [
    "Counterexample",
    "Difference",
    "Entry",
    "Facts",
    "Line",
    "Outcomes",
    "Radius",
    "Robustness",
    "Tensor",
    "difference",
    "examine",
    "gather",
    "graph_page",
    "page",
    "runs",
    "save_counterexamples",
    "told_stale",
    "write",
    "write_graph",
]
