"""The idea of both theorems in one sketch: how far each step still moves."""

from matplotlib import pyplot
from matplotlib.figure import Figure

from equilibria.companion.figures import COLOURS
from equilibria.companion.figures.one_over_x.marks import GREY, SIZE, Json, shades

__all__ = ["moves"]


def moves(data: Json) -> Figure:
    """The move G(y, x) - y at two x, its iterates, and where each comes to rest (`moves`)."""
    figure, axes = pyplot.subplots(figsize=SIZE)
    eta, red = data["eta"], COLOURS["explicit"]
    end = 1.05 * max(high for _, high in data["fixed_points"])
    axes.axhline(0, color=GREY, linewidth=1)
    rows = zip(shades(3)[1:], data["x"], data["iterates"], data["fixed_points"], strict=True)
    for colour, x, iterates, ends in rows:
        axes.plot([0, 1 / x], [eta, 0], color=colour, linewidth=1.5)
        move = [eta * (1 - x * y) for y in iterates]
        label = f"$y_0, y_1, y_2, \\ldots$ at $x$ = {x:g}"
        axes.plot(iterates, move, "o", color=colour, markersize=6, label=label)
        axes.plot(ends, [0, 0], color=red, linewidth=9, solid_capstyle="butt", zorder=3)
    label = rf"where it rests, while $x$ moves by $\pm${data['spread']:g}"
    axes.plot([], [], color=red, linewidth=9, label=label)
    axes.set(
        xlabel="$y$",
        ylabel=r"the next move, $G(y, x) - y = \eta\,(1 - xy)$",
        xlim=(-0.1, end),
        ylim=(-0.06, 1.15 * eta),
        title="A flat line ends far out, moves far, and takes many steps",
    )
    axes.legend(loc="upper right")
    figure.set_label(
        "The move of the next step against y is a falling line for each x. At the larger x it is "
        "steep and soon meets zero. At the smaller x it is flat and meets zero far out, after many "
        "more steps, at a place that changes much when x changes a little."
    )
    return figure
