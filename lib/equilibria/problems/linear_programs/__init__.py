"""Linear programs with their solutions as labels (paper, section 5.3, Table 1, Figs. 6-7).

    minimise c'y  subject to  A y (<= or =) b  and  l <= y <= u

| symbol | field of `LinearPrograms` | shape |
|---|---|---|
| A | `rows`, `columns`, `values`: its entries, sorted by row and column | (B, K) |
| b, sense | `b`, `equality` (True for "=", False for "<=") | (B, m) |
| c, l, u | `c`, `l`, `u` | (B, n) |
| y* | `y`: HiGHS's optimum, the shortest one where it is not unique | (B, n) |
| c'y* | `objective` | (B,) |

Numbers are float64. All programs of a batch have the same sizes; an entry of A may be zero.

`programs` holds the batch, `labels` solves, `generation` draws programs as the paper does,
`perturbations` moves their inputs, and `reading` takes the reader's own programs.
"""

from equilibria.problems.linear_programs.generation import Sizes, generate, generate_cached
from equilibria.problems.linear_programs.labels import solve
from equilibria.problems.linear_programs.perturbations import KINDS, perturb
from equilibria.problems.linear_programs.programs import LinearProgramError, LinearPrograms
from equilibria.problems.linear_programs.reading import from_arrays, from_mps

__all__ = [
    "KINDS",
    "LinearProgramError",
    "LinearPrograms",
    "Sizes",
    "from_arrays",
    "from_mps",
    "generate",
    "generate_cached",
    "perturb",
    "solve",
]
