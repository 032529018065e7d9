"""``equilibria evaluate [CASE]``: record what finished models do."""

from __future__ import annotations

import argparse
import time

from equilibria.companion.command_line import arguments
from equilibria.companion.command_line.cases import case_names, find_case, records_of
from equilibria.companion.parameters import PROFILES
from equilibria.training import default_device

__all__ = ["add_parser", "run"]

EXAMPLES = """\
  equilibria evaluate                                   every case
  equilibria evaluate deblurring --profile paper --minutes 9
"""


def add_parser(verbs: arguments.Verbs) -> None:
    """Declare the verb's arguments."""
    parser = arguments.add_verb(
        verbs,
        "evaluate",
        help="record what finished models do on test data; the notebooks read these records",
        examples=EXAMPLES,
    )
    parser.add_argument("case", nargs="?", metavar="CASE", help="default: every case")
    parser.add_argument(
        "--profile",
        choices=PROFILES,
        help="default: the profile whose weights each case ships",
    )
    arguments.add_minutes(parser)
    arguments.add_device(parser)
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Evaluate one case or all; return 0. Raises ParameterError for an unknown case or device."""
    arguments.require_device(options.device)
    device = options.device or default_device()
    names = case_names() if options.case is None else [options.case]
    begun = time.monotonic()
    for name in names:
        case = find_case(name)
        evaluate_all = getattr(case, "evaluate_all", None)
        if evaluate_all is None:
            print(f"{name}: this case keeps no records")
            continue
        minutes = None
        if options.minutes is not None:
            # A case that begins late gets 0 minutes: it only says whether its records are there.
            minutes = max(0.0, options.minutes - (time.monotonic() - begun) / 60)
        records = records_of(case)
        profile = options.profile or (records.shipped if records else "quick")
        if not evaluate_all(profile=profile, minutes=minutes, device=device):
            return 0
        print(f"{name}: all records are there")
    return 0
