"""``equilibria train CASE/NAME``: train one model."""

from __future__ import annotations

import argparse

from equilibria.companion.command_line import arguments
from equilibria.companion.command_line.cases import case_names, find_case, records_of
from equilibria.companion.parameters import ParameterError
from equilibria.training import parallel

__all__ = ["add_parser", "run"]

EXAMPLES = """\
  equilibria train linear_programs/implicit-8
  equilibria train linear_programs/implicit-8 --seed 1 --device cpu
  equilibria train navier_stokes/implicit --profile paper --minutes 9
"""


def add_parser(verbs: arguments.Verbs) -> None:
    """Declare the verb's arguments."""
    parser = arguments.add_verb(
        verbs,
        "train",
        help="train one model; the same command continues a training that stopped",
        examples=EXAMPLES,
    )
    parser.add_argument("name", metavar="CASE/NAME", help="a model that `equilibria list` names")
    parser.add_argument("--seed", type=arguments.seed, default=0, help="default: 0")
    arguments.add_profile(parser)
    arguments.add_minutes(parser)
    arguments.add_device(parser)
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Train the model; return 0. Raises ParameterError for an unknown model or device."""
    case_name, _, name = options.name.partition("/")
    cases = case_names()
    if case_name not in cases:
        choices = ", ".join(f"{known}/..." for known in cases) or "none"
        raise ParameterError(f"no model {options.name!r}; there are {choices}")
    case = find_case(case_name)
    names = case.names(options.profile)
    if name not in names:
        choices = ", ".join(f"{case_name}/{known}" for known in names) or "none"
        raise ParameterError(
            f"no model {options.name!r} in profile {options.profile}; there are {choices}"
        )
    arguments.require_device(options.device)
    records = records_of(case)
    model = {"seed": options.seed, "profile": options.profile}
    if records and records.has_weights(name, **model) and not records.unfinished(name, **model):
        stem = records.stem(name, **model)
        print(f"{options.name} seed {options.seed}: finished; to train it anew, delete {stem}.*")
        return 0
    with parallel.started():
        case.train(
            name,
            profile=options.profile,
            seed=options.seed,
            minutes=options.minutes,
            device=options.device,
        )
    return 0
