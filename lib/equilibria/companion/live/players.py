"""The site's page of players: every case under sliders, without a kernel."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from equilibria.checks import require
from equilibria.companion.figures import player
from equilibria.companion.live import store

__all__ = ["PLAYERS", "embedded", "page"]

_ADDRESS = "_static/live"  # of the frames, from a page in the site's root


def page() -> str:
    """Markdown of the page: a heading, a paragraph and a player for each case."""
    parts = [
        "# Live",
        "Move t, or press Play. Nothing is computed here: each frame was measured once, with the "
        "weights that the project ships, and plays without a kernel. *Steepness* is the largest "
        "$|y_t(x + dx) - y_t(x)| / |dx|$ over the perturbations of the case's protocol, at the "
        "example shown. The notebooks measure the same over whole test sets.",
    ]
    for name, (heading, text, make) in PLAYERS.items():
        html = player.element(make(store.read(name)), f"{_ADDRESS}/{name}-still.webp")
        parts += [f"## {heading}", text, f"```{{raw}} html\n{html}\n```"]
    parts.append('```{raw} html\n<script src="_static/player.js"></script>\n```')
    return "\n\n".join(parts) + "\n"


def embedded(name: str) -> str:
    """The HTML of the player ``name`` by itself, for a notebook.

    Raises ValueError for an unknown name, for a player whose pictures lie in a file of the site, or
    where it has more than `player.LARGEST` bytes.
    """
    require(name in PLAYERS, "name", name, f"one of {', '.join(PLAYERS)}")
    _, _, make = PLAYERS[name]
    data = store.read(name)
    require("sheet" not in data, "name", name, "a player without pictures, such as 'parity'")
    return player.page(make(data), instead=store.folder() / f"{name}-still.webp")


def _one_over_x(data: dict[str, Any]) -> dict[str, Any]:
    etas, edge = data["etas"], data["x"][0]
    pairs = [(i, j) for i in range(len(data["times"])) for j in range(len(etas))]
    return player.lines(
        sliders=[
            _times(data),
            {"label": "step η", "values": etas, "start": etas.index(0.9)},
        ],
        x={"label": "x", "ticks": [0, 0.2, 0.4, 0.6, 0.8, 1], "at": data["x"]},
        y={"label": "y", "ticks": [0, 5, 10, 15, 20, 25], "at": []},
        still=data["truth"],
        frames=[data["answers"][i][j] for i, j in pairs],
        words=[
            f"At x = {edge:g}: steepness {data['steepness'][i][j]:.0f} of {edge**-2:.0f}, "
            f"error {data['error'][i][j]:.1%}."
            for i, j in pairs
        ],
        legend=("yₜ(x)", "1/x"),
        alt="The curve y_t over x climbs the dashed curve 1/x as t grows; larger steps are faster.",
    )


def _photograph(data: dict[str, Any]) -> dict[str, Any]:
    rows = zip(data["psnr"], data["steepness"], strict=True)
    return _pictures(
        "photograph",
        data,
        ("x, blurred", "yₜ", "photograph"),
        [f"{psnr:.2f} dB (x: {data['psnr_of_x']:.2f} dB), steepness {L:.2f}." for psnr, L in rows],
        "A blurred photograph of a woman, its restoration y_t, and the photograph itself.",
    )


def _flow(data: dict[str, Any]) -> dict[str, Any]:
    rows = zip(data["error"], data["steepness"], strict=True)
    return _pictures(
        "flow",
        data,
        ("forcing (curl)", "yₜ", "flow"),
        [f"Error {error:.1%}, steepness {L:.2f}." for error, L in rows],
        "The curl of a forcing, the network's vorticity y_t, and the vorticity of the flow.",
    )


def _pictures(
    name: str, data: dict[str, Any], labels: tuple[str, str, str], words: list[str], alt: str
) -> dict[str, Any]:
    """Input, y_t and truth beside each other; the two that stay come last on the sheet."""
    count = len(data["times"])
    places = (count, None, count + 1)
    return player.panels(
        sliders=[_times(data)],
        sheet={"url": f"{_ADDRESS}/{name}.webp"} | data["sheet"],
        side_by_side=list(zip(labels, places, strict=True)),
        words=words,
        alt=alt,
    )


def _linear_program(data: dict[str, Any]) -> dict[str, Any]:
    values = [one for row in (data["truth"], *data["answers"]) for one in row]
    ticks = list(range(10 * math.floor(min(values) / 10), math.ceil(max(values)) + 10, 10))
    count = len(data["truth"])
    rows = zip(data["error"], data["steepness"], strict=True)
    return player.lines(
        sliders=[_times(data)],
        x={
            "label": "variables, sorted by their optimal values",
            "ticks": [1, *range(10, count + 1, 10)],
            "at": list(range(1, count + 1)),
        },
        y={"label": "y", "ticks": ticks, "at": []},
        still=data["truth"],
        frames=data["answers"],
        words=[f"Error {error:.1%}, steepness {L:.0f} (mostly in c)." for error, L in rows],
        legend=("yₜ", "optimum"),
        rising=True,
        alt="The network's variables y_t come near the optimal ones, a dashed line that climbs.",
    )


def _parity(data: dict[str, Any]) -> dict[str, Any]:
    return _answers(
        data,
        "symbols",
        "flipped",
        "Sixteen symbols, and below each the parity of those up to it as the loop answers it.",
    )


def _story(data: dict[str, Any]) -> dict[str, Any]:
    return _answers(
        data,
        "sentences",
        "changed",
        "The sentences of a story, and after each who holds the object, as the loop answers it.",
    )


def _answers(data: dict[str, Any], kind: str, label: str, alt: str) -> dict[str, Any]:
    spelt = data["words"]
    places = ["none", *(str(place + 1) for place in data["places"][1:])]
    words = []
    for rows in data["answers"]:
        for variant, row in enumerate(rows):
            right = sum(a == b for a, b in zip(row, data["truth"][variant], strict=True))
            text = f"{right} of {len(row)} right"
            if variant:
                moved = sum(a != b for a, b in zip(row, rows[0], strict=True))
                text += f"; the change moves {moved}"
            words.append(f"{text}.")
    return player.answers(
        sliders=[_times(data), {"label": label, "values": places, "start": 0}],
        kind=kind,
        before=data.get("before", ""),
        questions=data["inputs"],
        truth=[[spelt[i] for i in row] for row in data["truth"]],
        frames=[[[spelt[i] for i in row] for row in rows] for rows in data["answers"]],
        words=words,
        alt=alt,
    )


def _times(data: dict[str, Any]) -> player.Slider:
    times = data["times"]
    return {"label": "iterations t", "values": times, "start": times.index(3)}


# Of each case: heading, Markdown above the player, and what makes its specification.
PLAYERS: dict[str, tuple[str, str, Callable[[dict[str, Any]], dict[str, Any]]]] = {
    "one_over_x": (
        "1/x",
        "The curve $y_t$ climbs $1/x$. At the left edge the target's slope is 625; no regular "
        "operator need be that steep, since the iteration becomes so. "
        "[Notebook 01](notebooks/01_one_over_x.ipynb) asks when, and why.",
        _one_over_x,
    ),
    "photograph": (
        "A photograph",
        "Deblurring by the implicit network HQS, from $y_0 = 0$. "
        "[Notebook 02](notebooks/02_deblurring.ipynb) deblurs one of yours.",
        _photograph,
    ),
    "flow": (
        "A flow",
        "The steady flow that a forcing drives: the first test flow. Red turns to the left, blue "
        "to the right. [Notebook 03](notebooks/03_navier_stokes.ipynb) tests five hundred.",
        _flow,
    ),
    "linear_program": (
        "A linear program",
        "The fifty variables of the first test program. An iteration may pass its best answer and "
        "rest elsewhere: [notebook 04](notebooks/04_linear_programs.ipynb) shows how often.",
        _linear_program,
    ),
    "parity": (
        "Parity, with a symbol that you flip",
        "Press a symbol to flip it. Below each stands the loop's answer: is the number of ones up "
        "to here odd? One flip changes every later answer, so the map is steep, and the loop needs "
        "time to become so. Wrong answers are struck out, answers that the flip moves underlined. "
        "[Notebook 05](notebooks/05_llm_reasoning.ipynb) measures it.",
        _parity,
    ),
    "story": (
        "A story, with a word that you change",
        "Press a sentence in which two people swap, to put another name in it; press again for the "
        "next name. Beside each sentence stands who holds the object then, as the loop answers it.",
        _story,
    ),
}
