"""Figures of notebook 02, deblurring (paper, Figs. 2-3 and Tables 3-4).

Each function takes the dict read from its results file; pictures in it are PNGs in base64
(`images.to_png`).
"""

from equilibria.companion.figures.deblurring.bars import quality, robustness
from equilibria.companion.figures.deblurring.curves import (
    depth,
    far_beyond,
    regularity,
    solvers,
    steepness,
)
from equilibria.companion.figures.deblurring.pictures import (
    details,
    measurements,
    own_photo,
    restorations,
)

__all__ = [
    "depth",
    "details",
    "far_beyond",
    "measurements",
    "own_photo",
    "quality",
    "regularity",
    "restorations",
    "robustness",
    "solvers",
    "steepness",
]
