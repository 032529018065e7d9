"""The figure of a loop at rest: how far one step stretches, and how fast the loop converges."""

from __future__ import annotations

from typing import Any

import matplotlib.pyplot as plt
from matplotlib.figure import Figure

from equilibria.companion.figures import COLOURS

__all__ = ["contraction"]


def contraction(data: dict[str, Any]) -> Figure:
    """The modulus |dG/dz| where the loop ends, and the rate of convergence, per question."""
    figure, axis = plt.subplots(figsize=(7.2, 4))
    row = data["contraction"]["parity"]
    questions = range(1, len(row["modulus"]) + 1)
    colour = COLOURS["implicit"]
    axis.plot(questions, row["modulus"], "o", color=colour, label="modulus |dG/dz| at z*")
    axis.plot(
        questions, row["rate"], "s", mfc="none", color=colour, label="observed rate of convergence"
    )
    axis.axhline(1, color=COLOURS["closed_form"], lw=1, label="1: no contraction above")
    axis.set(
        xlabel="question",
        ylabel="factor per loop",
        ylim=(0, None),
        xticks=questions,
        title="Running parity: norm of one step, and rate of convergence",
    )
    figure.legend(*axis.get_legend_handles_labels(), loc="outside lower center", ncols=2)
    return figure
