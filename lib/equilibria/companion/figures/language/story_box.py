"""A story in the reader's own words: answers as text, and a text box in JupyterLab."""

from __future__ import annotations

import os

from equilibria.checkpoints import CheckpointError
from equilibria.studies import stories

__all__ = ["answered", "text_box"]


def answered(story: str, loops: int, *, seed: int = 0) -> str:
    """The story line by line, each with the model's answer after ``loops`` loops.

    The right answer stands beside a wrong one. What cannot be read gets one line that says why.
    """
    try:
        rows = stories.answer_story(story, loops, seed=seed)
    except (ValueError, CheckpointError) as error:
        return f"no answer: {error}"
    width = max(len(sentence) for sentence, _, _ in rows)
    lines = []
    for sentence, given, right in rows:
        remark = "" if given == right else f"   wrong: it is {right}"
        lines.append(f"{sentence:{width}}  {given or '-'}{remark}")
    return "\n".join(lines)


def text_box(story: str, loops: int, *, seed: int = 0) -> bool:
    """A box to type a story in and a slider for the loops, in JupyterLab.

    Elsewhere nothing happens, so that a run without a reader stores no widget. Returns whether
    there is a box.
    """
    # Jupyter servers set this variable in the kernels of notebooks; nothing else does.
    if "JPY_SESSION_NAME" not in os.environ:
        return False
    import ipywidgets  # type: ignore[import-untyped]  # it ships no types
    from IPython.display import display

    def show(story: str, t: int) -> None:
        print(answered(story, t, seed=seed))

    layout = ipywidgets.Layout(width="90%", height="6em")
    widget = ipywidgets.interactive(
        show,
        story=ipywidgets.Textarea(value=story, layout=layout, continuous_update=False),
        t=ipywidgets.IntSlider(value=loops, min=1, max=64, description="loops t"),
    )
    display(widget)  # type: ignore[no-untyped-call]  # IPython does not annotate it
    return True
