"""Names and colours of the three models, the same in every figure of the notebook."""

from typing import Any

from equilibria.companion.figures import COLOURS, SEQUENCE

__all__ = ["COLOUR_OF", "IMPLICIT", "NAME_OF", "TICKS", "Data"]

Data = dict[str, Any]  # what a results file holds
NAME_OF = {"explicit": "explicit", "pgd": "implicit PGD", "hqs": "implicit HQS"}
COLOUR_OF = {"explicit": COLOURS["explicit"], "pgd": SEQUENCE[4], "hqs": COLOURS["implicit"]}
IMPLICIT = ("pgd", "hqs")
TICKS = (1, 2, 4, 8, 16, 32, 64, 128, 300)  # of an axis of iterations
