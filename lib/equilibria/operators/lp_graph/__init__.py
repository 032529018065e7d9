"""Graph networks for linear programs, explicit and implicit (paper, section 5.3, Figs. 6-7).

A program is a bipartite graph. Its nodes are variables with (c, l, u) and constraints with
(b, is-equality), and each nonzero A_ij is an edge.

| symbol | here | shape |
|---|---|---|
| x | `Graph`, which `graph` makes of B programs | |
| y | state and output: the solution, in the programs' own units | (B, n) |
| G(y, x) | `ImplicitGNN`, which sees x through its `encode` | (B, n) |
| y = E(x) | `ExplicitGNN` | (B, n) |
"""

from equilibria.operators.lp_graph.graphs import Graph, Matrix, graph
from equilibria.operators.lp_graph.networks import Encoded, ExplicitGNN, ImplicitGNN

__all__ = ["Encoded", "ExplicitGNN", "Graph", "ImplicitGNN", "Matrix", "graph"]
