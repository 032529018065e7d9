"""Step size and iterations in the reader's hand: y_t of 1/x under two sliders."""

from matplotlib import pyplot
from matplotlib.figure import Figure

from equilibria.companion.figures import COLOURS, player
from equilibria.companion.figures.one_over_x.marks import Json, shades

__all__ = ["by_hand"]

_TOP = 25  # of the y axis: 1/x at the left edge


def by_hand(data: Json) -> str:
    """HTML that plays y_t over 1/x for every t and eta of `frames`."""
    pairs = [(i, j) for i in range(len(data["times"])) for j in range(len(data["etas"]))]
    spec = player.lines(
        sliders=[
            {"label": "iterations t", "values": data["times"], "start": len(data["times"]) // 2},
            {"label": "step η", "values": data["etas"], "start": data["etas"].index(0.5)},
        ],
        x={"label": "x", "ticks": [0, 0.2, 0.4, 0.6, 0.8, 1], "at": data["x"]},
        y={"label": "y", "ticks": [0, 5, 10, 15, 20, _TOP], "at": []},
        still=data["target"],
        frames=[data["iterates"][i][j] for i, j in pairs],
        words=[_words(data, i, j) for i, j in pairs],
        legend=("yₜ(x)", "1/x"),
        alt="The curve y_t over x climbs the dashed curve 1/x as t grows; larger steps are faster.",
    )
    return player.page(spec, instead=_still(data))


def _words(data: Json, i: int, j: int) -> str:
    steepest = data["edge"] ** -2
    return (
        f"At x = {data['edge']:g}: slope {data['slope'][i][j]:.0f} of {steepest:.0f}, "
        f"error {100 * data['error'][i][j]:.2g} %."
    )


def _still(data: Json) -> Figure:
    """The same without sliders: a few step sizes at one t."""
    figure, axes = pyplot.subplots(figsize=(6.4, 3.6))
    i = len(data["times"]) // 2
    shown = [j for j in range(len(data["etas"])) if j % 2 == 0]
    for colour, j in zip(shades(len(shown)), shown, strict=True):
        label = rf"$\eta$ = {data['etas'][j]:g}"
        axes.plot(data["x"], data["iterates"][i][j], color=colour, label=label)
    black = COLOURS["closed_form"]
    axes.plot(data["x"], data["target"], color=black, linestyle="--", label="$1/x$")
    axes.set(
        xlabel="$x$", ylim=(0, _TOP), title=f"$y_t$ at $t$ = {data['times'][i]}, by the step η"
    )
    axes.legend()
    return figure
