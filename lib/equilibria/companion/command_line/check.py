"""``equilibria check``: judge the claims by the results."""

from __future__ import annotations

import argparse

from equilibria.companion import claims
from equilibria.companion.command_line import arguments
from equilibria.companion.provenance import short_path
from equilibria.paths import figures_folder

__all__ = ["add_parser", "run"]

EXAMPLES = """\
  equilibria check
  equilibria check --only 01,04
  equilibria check --profile paper --draft
"""


def add_parser(verbs: arguments.Verbs) -> None:
    """Declare the verb's arguments."""
    parser = arguments.add_verb(
        verbs, "check", help="judge the claims by the results", examples=EXAMPLES
    )
    parser.add_argument(
        "--only",
        type=arguments.notebook_names,
        metavar="01,04",
        help="judge these notebooks' claims only; writes no table",
    )
    parser.add_argument("--draft", action="store_true", help="print only: write no table")
    arguments.add_profile(parser)
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Judge the claims, print the table and write the pages; return 1 where a claim fails."""
    verdicts = claims.judge_all(options.profile, options.only)
    print(claims.table(verdicts))
    if not (options.draft or options.only):
        paths = [short_path(path) for path in claims.report(verdicts, options.profile)]
        print("written: " + ", ".join(str(path) for path in paths))
    elif options.only:
        print(
            f"{figures_folder().name}/{options.profile}/README.md is left as it is: "
            "it is written when every notebook is judged"
        )
    return 1 if any(verdict.word == claims.FAILS for verdict in verdicts) else 0
