"""Arguments that several verbs share, and the types of arguments."""

from __future__ import annotations

import argparse
import ast
from typing import Any, TypeAlias

import torch

from equilibria.checks import is_real
from equilibria.companion.parameters import PROFILES, ParameterError

__all__ = [
    "Verbs",
    "add_device",
    "add_minutes",
    "add_profile",
    "add_verb",
    "assignment",
    "notebook_names",
    "positive",
    "require_device",
    "seed",
]

LARGEST_SEED = 2**32 - 1  # the largest that NumPy takes, as in notebooks/parameters/schema.yaml

# The parsers of a program's verbs; argparse has no public name for their type.
Verbs: TypeAlias = "argparse._SubParsersAction[argparse.ArgumentParser]"


def add_verb(verbs: Verbs, name: str, *, help: str, examples: str) -> argparse.ArgumentParser:
    """A parser for one verb, whose help ends in ``examples``."""
    return verbs.add_parser(
        name,
        help=help,
        description=help[0].upper() + help[1:] + ".",
        epilog="examples:\n" + examples,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )


def add_profile(parser: argparse.ArgumentParser) -> None:
    """Add ``--profile``."""
    parser.add_argument(
        "--profile",
        choices=PROFILES,
        default="quick",
        help="quick (default): small sizes, for two CPU cores; paper: the paper's, for a GPU",
    )


def add_device(parser: argparse.ArgumentParser) -> None:
    """Add ``--device``."""
    parser.add_argument(
        "--device", choices=("cpu", "cuda"), help="default: cuda where there is one"
    )


def add_minutes(parser: argparse.ArgumentParser) -> None:
    """Add ``--minutes``."""
    parser.add_argument(
        "--minutes",
        type=positive,
        help="stop after about this long; the same command then continues",
    )


def require_device(device: str | None) -> None:
    """Raise ParameterError where ``device`` is ``cuda`` and PyTorch sees none."""
    if device == "cuda" and not torch.cuda.is_available():
        raise ParameterError("--device cuda: PyTorch sees no such device here; use --device cpu")


def assignment(text: str) -> tuple[str, Any]:
    """``name=value`` as (name, value). A value that is no Python literal is text.

    ``true`` and ``false`` are truth values, as they are in YAML.
    """
    name, equals, value = text.partition("=")
    if not (equals and name):
        raise argparse.ArgumentTypeError(f"{text!r} is not NAME=VALUE")
    if value in ("true", "false"):
        return name, value == "true"
    try:
        return name, ast.literal_eval(value)
    except (ValueError, SyntaxError, RecursionError, MemoryError):  # the last: nested too deep
        return name, value


def positive(text: str) -> float:
    """A finite number above 0."""
    try:
        number = float(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number") from None
    if not is_real(number) or number <= 0:
        raise argparse.ArgumentTypeError(f"{text} is not a finite number above 0")
    return number


def seed(text: str) -> int:
    """A whole number from 0 to `LARGEST_SEED`."""
    if not text.isdecimal() or len(text) > 10 or int(text) > LARGEST_SEED:
        raise argparse.ArgumentTypeError(
            f"{text[:40]!r} is not a whole number from 0 to {LARGEST_SEED}"
        )
    return int(text)


def notebook_names(text: str) -> list[str]:
    """``01,04`` as a list of names."""
    return [name for name in text.split(",") if name]
