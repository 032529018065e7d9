"""The program ``equilibria``: its verbs, its help and its exit codes."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable

from equilibria.checkpoints import CheckpointError
from equilibria.companion.claims import ClaimsError
from equilibria.companion.command_line import (
    animate,
    check,
    evaluate,
    list_models,
    notebook,
    train,
)
from equilibria.companion.parameters import ParameterError
from equilibria.files import DataError
from equilibria.training.parallel import SharingError

__all__ = ["main", "make_parser"]

VERBS = (train, evaluate, notebook, check, list_models, animate)
EXAMPLES = """\
examples:
  equilibria list                                      what can be trained
  equilibria train linear_programs/implicit-8          train one model
  equilibria evaluate linear_programs                  record what its trained models do
  equilibria notebook 04                               execute a notebook
  equilibria check                                     judge the claims by the results
  equilibria animate                                   draw the README's animated picture anew

`equilibria VERB --help` explains one verb.
"""


def main(arguments: list[str] | None = None) -> int:
    """Run one command and return its exit code.

    0 done, 1 a claim or a notebook fails, 2 the request cannot be met.
    """
    options = make_parser().parse_args(arguments)
    run: Callable[[argparse.Namespace], int] = options.run
    try:
        return run(options)
    # an OSError is a full disk, a folder that is read-only or in the way
    except (
        ParameterError,
        ClaimsError,
        CheckpointError,
        DataError,
        OSError,
        SharingError,
    ) as error:
        print(f"equilibria: {error}", file=sys.stderr)
        return 2


def make_parser() -> argparse.ArgumentParser:
    """The parser of all verbs; the chosen one leaves its function in ``options.run``."""
    parser = argparse.ArgumentParser(
        prog="equilibria",
        description="Implicit models, runnable: train and measure them, execute the notebooks, "
        "judge the claims.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    verbs = parser.add_subparsers(required=True, metavar="VERB", title="verbs")
    for verb in VERBS:
        verb.add_parser(verbs)
    return parser
