"""``equilibria list``: the models that can be trained."""

from __future__ import annotations

import argparse

import torch
from tabulate import tabulate

from equilibria.companion.command_line import arguments
from equilibria.companion.command_line.cases import Case, case_names, find_case, records_of

__all__ = ["add_parser", "model_size", "run", "size_text"]

EXAMPLES = """\
  equilibria list
  equilibria list --profile paper
"""
COLUMNS = ("model", "profile", "weights", "shipped", "seeds", "command")


def add_parser(verbs: arguments.Verbs) -> None:
    """Declare the verb's arguments."""
    parser = arguments.add_verb(
        verbs,
        "list",
        help="list what can be trained: size, whether the repository ships it, trained seeds",
        examples=EXAMPLES,
    )
    arguments.add_profile(parser)
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Print the table; return 0."""
    rows = []
    for case_name in case_names():
        case = find_case(case_name)
        for name in case.names(options.profile):
            rows.append(_row(case_name, case, name, options.profile))
    print(tabulate(rows, headers=COLUMNS, tablefmt="simple", disable_numparse=True))
    return 0


def size_text(count: int) -> str:
    """A number of weights: 987, 12.3 k or 1.0 M."""
    if count >= 1_000_000:
        return f"{count / 1_000_000:.1f} M"
    if count >= 1_000:
        return f"{count / 1_000:.1f} k"
    return str(count)


def _row(case_name: str, case: Case, name: str, profile: str) -> tuple[str, ...]:
    seeds: list[int] = []
    shipped = "no"
    records = records_of(case)
    if records is not None:
        seeds = records.seeds(name, profile=profile)
        if profile == records.shipped and any(
            records.has_weights(name, seed=seed, profile=profile) for seed in seeds
        ):
            shipped = "yes"
    command = f"equilibria train {case_name}/{name}"
    if profile != "quick":
        command += f" --profile {profile}"
    seed_texts = ", ".join(str(seed) for seed in seeds) or "-"
    size = model_size(case, name, profile)
    return f"{case_name}/{name}", profile, size, shipped, seed_texts, command


def model_size(case: Case, name: str, profile: str) -> str:
    """The number of weights.

    It is counted on PyTorch's meta device, which allocates nothing. Where a model computes with its
    weights as it is built, a quick one is built on the CPU. Where it needs a data set that is not
    there, its size is not computed.
    """
    devices = ["meta", "cpu"] if profile == "quick" else ["meta"]
    for device in devices:
        try:
            with torch.device(device):
                model = case.new(name, profile=profile, seed=0)
        except (RuntimeError, ValueError):  # NotImplementedError and DataError are such
            continue
        return size_text(sum(parameter.numel() for parameter in model.parameters()))
    return "not computed"
