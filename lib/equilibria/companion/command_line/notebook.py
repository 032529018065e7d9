"""``equilibria notebook NAME``: execute one notebook."""

from __future__ import annotations

import argparse
import contextlib
import os
import sys
from pathlib import Path

from equilibria.companion.command_line import arguments
from equilibria.companion.parameters import ParameterError, check, declared

__all__ = ["add_parser", "run"]

EXAMPLES = """\
  equilibria notebook 04
  equilibria notebook 01 -p eta=0.25 -p "intervals=[0.1, 0.5]"
  equilibria notebook 03 --profile paper -p device=cuda --output somewhere
"""


def add_parser(verbs: arguments.Verbs) -> None:
    """Declare the verb's arguments."""
    parser = arguments.add_verb(
        verbs,
        "notebook",
        help="execute one notebook, and write its results and the executed copy",
        examples=EXAMPLES,
    )
    parser.add_argument("name", help="04, 04_linear_programs, or a path")
    parser.add_argument(
        "-p",
        dest="parameters",
        action="append",
        default=[],
        type=arguments.assignment,
        metavar="NAME=VALUE",
        help="set a parameter; may be given again",
    )
    parser.add_argument("--output", type=Path, metavar="DIR", help="folder for the executed copy")
    parser.add_argument("--cell-seconds", type=arguments.positive, help="time limit of a cell")
    arguments.add_profile(parser)
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Execute the notebook; return 0, or 1 where it fails. Ctrl-C ends the process: 130.

    Raises ParameterError before anything starts.
    """
    overrides = dict(options.parameters)
    defaults = declared(options.name)
    for name, value in overrides.items():
        # `-p eta=1` is a float where the notebook's own value is one.
        if type(value) is int and type(defaults.get(name)) is float:
            with contextlib.suppress(OverflowError):  # then the check refuses it
                overrides[name] = float(value)
    if overrides.get("profile", options.profile) != options.profile:
        raise ParameterError(
            "choose the profile with --profile, which also sets the profile's other parameters"
        )
    check(options.name, overrides)

    # Imported here, because papermill takes a second that a refused request need not wait for.
    from equilibria.companion import notebook_runner

    try:
        notebook_runner.run(
            options.name,
            profile=options.profile,
            overrides=overrides,
            output=options.output,
            cell_seconds=options.cell_seconds,
        )
    except notebook_runner.NotebookFailed as error:
        print(f"equilibria: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        # The runner has said so. Sockets and threads of the kernel's client would take a second or
        # two to close, and nothing is left to be written.
        sys.stdout.flush()
        os._exit(130)
    return 0
