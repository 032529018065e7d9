"""A story in the reader's own words: answers as a table, and a text box in JupyterLab."""

from __future__ import annotations

import os
from collections.abc import Sequence

from equilibria.checkpoints import CheckpointError
from equilibria.companion.figures.language.stories import struck
from equilibria.companion.figures.markdown import markdown_table
from equilibria.studies import stories

__all__ = ["answered", "show_story"]


def answered(story: str, times: Sequence[int]) -> str:
    """A story as a Markdown table: after each sentence the answers at ``times``, and the right one.

    Wrong answers are struck out. What cannot be read gets one line that says why.
    """
    try:
        asked = [stories.answer_story(story, t) for t in times]
    except (ValueError, CheckpointError) as error:
        return f"No answer: {error}"
    rows = []
    for answers in zip(*asked, strict=True):
        sentence, _, right = answers[0]
        given = [word if word == right else struck(word) for _, word, _ in answers]
        rows.append([sentence, *given, right])
    return markdown_table(["after", *(f"t = {t}" for t in times), "right"], rows)


def show_story(story: str, loops: int) -> None:
    """In JupyterLab a box to type a story in, and a slider for t; elsewhere the answers alone.

    So a run without a reader stores no widget, and a stored widget has the answers in its place.
    """
    from IPython.display import Markdown, display

    at_once = answered(story, sorted({1, 2, 4, loops}))
    # Jupyter servers set this variable in the kernels of notebooks; nothing else does.
    if "JPY_SESSION_NAME" not in os.environ:
        display(Markdown(at_once))  # type: ignore[no-untyped-call]  # IPython does not annotate it
        return
    import ipywidgets  # type: ignore[import-untyped]  # it ships no types

    def show(story: str, t: int) -> None:
        display(Markdown(answered(story, [t])))  # type: ignore[no-untyped-call]

    layout = ipywidgets.Layout(width="90%", height="6em")
    widget = ipywidgets.interactive(
        show,
        story=ipywidgets.Textarea(value=story, layout=layout, continuous_update=False),
        t=ipywidgets.IntSlider(value=loops, min=1, max=max(64, loops), description="loops t"),
    )
    # Where no kernel runs, a reader sees the table instead of the widget's name.
    shown = widget._repr_mimebundle_() | {"text/markdown": at_once, "text/plain": at_once}
    display(shown, raw=True)  # type: ignore[no-untyped-call]
