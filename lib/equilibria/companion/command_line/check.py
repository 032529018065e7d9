"""``equilibria check``: judge the claims by the results."""

from __future__ import annotations

import argparse

from equilibria.companion import claims
from equilibria.companion.command_line import arguments

__all__ = ["add_parser", "run"]

EXAMPLES = """\
  equilibria check
  equilibria check --only 01,04
  equilibria check --profile paper --draft
  equilibria check --accept "the bound is now the theorem's"
"""


def add_parser(verbs: arguments.Verbs) -> None:
    """Declare the verb's arguments."""
    parser = arguments.add_verb(
        verbs,
        "check",
        help="judge the claims by the results, and compare the verdicts with the record",
        examples=EXAMPLES,
    )
    parser.add_argument(
        "--only",
        type=arguments.notebook_names,
        metavar="01,04",
        help="judge these notebooks' claims only; writes no table",
    )
    parser.add_argument("--draft", action="store_true", help="print only: write no table")
    parser.add_argument(
        "--accept", metavar="REASON", help="make these predicates and verdicts the record"
    )
    arguments.add_profile(parser)
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Judge the claims; return 1 where the record does not bear them out."""
    return claims.check(
        options.profile, only=options.only, draft=options.draft, accept=options.accept
    )
