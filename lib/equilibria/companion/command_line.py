"""The command line: ``equilibria train | notebook | check`` (the same as ``python -m equilibria``)."""

import argparse
import ast
import importlib
import pkgutil
import sys
from pathlib import Path

from equilibria.companion import claims
from equilibria.companion.parameters import PROFILES, ParameterError, check, declared
from equilibria.files import DataError


def main(arguments: list[str] | None = None) -> int:
    """Run one command; return its exit code: 0 done, 1 a claim or a notebook fails, 2 a bad request."""
    options = _parser().parse_args(arguments)
    try:
        return options.run(options)
    except (ParameterError, claims.ClaimsError) as error:
        print(f"equilibria: {error}", file=sys.stderr)
        return 2


def _train(options) -> int:
    case, _, name = options.name.partition("/")
    import equilibria.studies as studies

    cases = sorted(module.name for module in pkgutil.iter_modules(studies.__path__))
    if case not in cases:
        raise ParameterError(
            f"no experiment {options.name!r}; there are {', '.join(f'{c}/...' for c in cases) or 'none'}"
        )
    module = importlib.import_module(f"equilibria.studies.{case}")
    names = module.names(options.profile)
    if name not in names:
        raise ParameterError(
            f"no experiment {options.name!r} in profile {options.profile}; there are "
            + (", ".join(f"{case}/{n}" for n in names) or "none")
        )
    from equilibria.checkpoints import CheckpointError

    try:
        module.train(name, profile=options.profile, seed=options.seed, minutes=options.minutes)
    except (CheckpointError, DataError) as error:
        print(f"equilibria: {error}", file=sys.stderr)
        return 2
    return 0


def _notebook(options) -> int:
    overrides = dict(options.parameters)
    known = declared(options.name)
    for (
        name,
        value,
    ) in overrides.items():  # `-p eta=1` is a float where the notebook's own value is one
        if type(value) is int and type(known.get(name)) is float:
            overrides[name] = float(value)
    if overrides.get("profile", options.profile) != options.profile:
        raise ParameterError(
            "choose the profile with --profile, which also sets the profile's other parameters"
        )
    check(options.name, overrides)  # before papermill is even imported
    from equilibria.companion import notebook_runner as batch

    try:
        batch.run(
            options.name,
            profile=options.profile,
            overrides=overrides,
            output=options.output,
            cell_seconds=options.cell_seconds,
        )
    except batch.NotebookFailed as error:
        print(f"equilibria: {error}", file=sys.stderr)
        return 1
    return 0


def _check(options) -> int:
    return claims.check(
        options.profile, only=options.only, draft=options.draft, accept=options.accept
    )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="equilibria", description="Implicit models, runnable.", allow_abbrev=False
    )
    commands = parser.add_subparsers(required=True, metavar="train | notebook | check")

    train = commands.add_parser(
        "train", help="train one model; run again to resume", allow_abbrev=False
    )
    train.add_argument("name", help="case/name, such as linear_programs/implicit-8")
    train.add_argument("--seed", type=_at_least_zero, default=0)
    train.add_argument(
        "--minutes", type=_positive, help="stop after this long, keeping what is needed to resume"
    )
    train.set_defaults(run=_train)

    notebook = commands.add_parser("notebook", help="execute one notebook", allow_abbrev=False)
    notebook.add_argument("name", help="04, 04_linear_programs, or a path")
    notebook.add_argument(
        "-p",
        dest="parameters",
        action="append",
        default=[],
        type=_assignment,
        metavar="NAME=VALUE",
        help="override a parameter; may be given again",
    )
    notebook.add_argument("--output", type=Path, metavar="DIR", help="folder for the executed copy")
    notebook.add_argument("--cell-seconds", type=_positive, help="time limit of a cell")
    notebook.set_defaults(run=_notebook)

    judge = commands.add_parser("check", help="judge the claims by the results", allow_abbrev=False)
    judge.add_argument(
        "--only",
        type=lambda text: [name for name in text.split(",") if name],
        metavar="01,04",
        help="judge these notebooks' claims only; writes no table",
    )
    judge.add_argument("--draft", action="store_true", help="print only: write no table")
    judge.add_argument(
        "--accept", metavar="REASON", help="make these predicates and verdicts the record"
    )
    judge.set_defaults(run=_check)

    for command in (train, notebook, judge):
        command.add_argument("--profile", choices=PROFILES, default="quick")
    return parser


def _assignment(text: str) -> tuple:
    name, equals, value = text.partition("=")
    if not (equals and name):
        raise argparse.ArgumentTypeError(f"{text!r} is not NAME=VALUE")
    try:
        return name, ast.literal_eval(value)
    except (ValueError, SyntaxError):
        return name, {"true": True, "false": False}.get(value, value)


def _positive(text: str) -> float:
    try:
        number = float(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number") from None
    if not 0 < number < float("inf"):
        raise argparse.ArgumentTypeError(f"{text} is not above 0")
    return number


def _at_least_zero(text: str) -> int:
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number of at least 0")
    return int(text)


if __name__ == "__main__":
    sys.exit(main())
