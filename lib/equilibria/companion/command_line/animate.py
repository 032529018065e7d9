"""``equilibria animate``: frames of the cases, the README's animated picture, the thumbnails."""

from __future__ import annotations

import argparse
import time

from equilibria.companion.command_line import arguments

__all__ = ["add_parser", "run"]

EXAMPLES = """\
  equilibria animate                                   after weights have changed: a minute
"""


def add_parser(verbs: arguments.Verbs) -> None:
    """Declare the verb; it has no arguments."""
    parser = arguments.add_verb(
        verbs,
        "animate",
        help="measure the frames that the README and the site's page Live show, and draw them",
        examples=EXAMPLES,
    )
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Write everything under docs/_static/live; return 0."""
    from equilibria.companion.live import animation, measures, store

    for name, measure in measures.MEASURES.items():
        begun = time.perf_counter()
        store.write(name, measure())
        print(f"{name}: {time.perf_counter() - begun:.0f} s")
    animation.draw_stills()
    path = animation.draw_animation()
    print(f"{path} ({path.stat().st_size / 1000:.0f} kB)")
    return 0
