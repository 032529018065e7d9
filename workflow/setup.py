"""Build .venv from requirements.lock: what `make setup` runs, with any Python that has no packages.

    python workflow/setup.py [--extras core] [--dry-run]

Without ``--extras`` every package of the lock is installed. ``core`` stands for what the library
itself needs; any extras of pyproject.toml, with commas between them, are installed beside it. pip
says which packages they need, and those alone are taken from the lock, by version and hash.
"""

import argparse
import json
import re
import shlex
import subprocess
import sys
import time
import tomllib
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
VENV = ROOT / ".venv"
LOCK = ROOT / "requirements.lock"
CORE = "core"
PYTORCH = re.compile(
    r"torch|triton|(nvidia|cuda)-.*"
)  # the large packages, in a stage of their own

Step = list[str] | Callable[[], None]  # a command, or what this script does itself


def main(words: list[str] | None = None) -> int:
    """Run all stages, one line each with its time; return 0, or 2 where something is wrong."""
    parser = argparse.ArgumentParser(prog="setup", description="Build .venv from the lock.")
    parser.add_argument("--extras", default="", help="core, or extras of pyproject.toml")
    parser.add_argument("--dry-run", action="store_true", help="print the commands alone")
    options = parser.parse_args(words)
    try:
        stages = plan(options.extras)
        for number, (name, steps) in enumerate(stages, start=1):
            print(f"set-up {number}/{len(stages)}: {name} ...", end="", flush=True)
            begun = time.monotonic()
            for step in steps:
                if options.dry_run:
                    print(
                        f"\n  {shlex.join(step) if isinstance(step, list) else step.__doc__}",
                        end="",
                    )
                elif isinstance(step, list):
                    subprocess.run(step, check=True, cwd=ROOT)
                else:
                    step()
            print("" if options.dry_run else f" {time.monotonic() - begun:.0f} s", flush=True)
    except ValueError as error:
        print(f"setup: {error}", file=sys.stderr)
        return 2
    except subprocess.CalledProcessError as error:
        print(f"\nsetup: {shlex.join(error.cmd)} failed; see above", file=sys.stderr)
        return 2
    return 0


def plan(extras: str) -> list[tuple[str, list[Step]]]:
    """The stages, each a name and its steps. Raises ValueError for an unknown extra."""
    pip = [str(VENV / "bin" / "python"), "-m", "pip", "install", "--quiet"]
    pip += ["--disable-pip-version-check"]
    pins, report, wanted = VENV / "pins.txt", VENV / "report.json", VENV / "wanted.lock"
    pytorch, others = VENV / "pytorch.lock", VENV / "others.lock"

    def pin() -> None:
        """Write the versions of requirements.lock to .venv/pins.txt."""
        pins.write_text(without_hashes(LOCK.read_text()))

    def choose() -> None:
        """Keep the entries of requirements.lock that pip named."""
        wanted.write_text(chosen(LOCK.read_text(), json.loads(report.read_text())))

    def split() -> None:
        """Write .venv/pytorch.lock and .venv/others.lock."""
        found = entries((wanted if extras else LOCK).read_text())
        for path, is_pytorch in ((pytorch, True), (others, False)):
            texts = [t for name, _, t in found if bool(PYTORCH.fullmatch(name)) == is_pytorch]
            path.write_text("\n".join(texts) + "\n")

    stages: list[tuple[str, list[Step]]] = [
        ("an empty environment in .venv", [[sys.executable, "-m", "venv", "--clear", str(VENV)]])
    ]
    if extras:
        resolve = [*pip, "--dry-run", "--ignore-installed", "--report", str(report)]
        resolve += ["--constraint", str(pins), *requirements(extras)]
        stages.append((f"what {extras} needs", [pin, resolve, choose]))
    # The lock is whole, so nothing beside its entries may come in.
    install = [*pip, "--no-deps", "--require-hashes", "-r"]
    project = [*pip, "--no-deps", "--no-build-isolation", "-e", str(ROOT)]
    return [
        *stages,
        ("PyTorch and what it runs on, minutes", [split, [*install, str(pytorch)]]),
        ("the other packages", [[*install, str(others)]]),
        ("the project", [project]),
    ]


def requirements(extras: str) -> list[str]:
    """What pyproject.toml asks for: the core's packages, what builds the project, these extras."""
    pyproject = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    declared = pyproject["project"]["optional-dependencies"]
    wanted = [*pyproject["project"]["dependencies"], *pyproject["build-system"]["requires"]]
    for name in extras.split(","):
        if name != CORE and name not in declared:
            known = ", ".join([CORE, *declared])
            raise ValueError(f"EXTRAS must be some of {known}, got {name!r}")
        wanted += declared.get(name, [])
    return list(dict.fromkeys(wanted))


def without_hashes(lock: str) -> str:
    """The lock's versions alone, as pip takes them for constraints."""
    return "".join(f"{name}=={version}\n" for name, version, _ in entries(lock))


def chosen(lock: str, report: dict) -> str:
    """The entries of the lock for the packages of pip's report, hashes and all.

    Raises ValueError where the report has another version, or a package that the lock lacks.
    """
    pinned = {normal(name): (version, text) for name, version, text in entries(lock)}
    parts = []
    for item in report["install"]:
        name, version = normal(item["metadata"]["name"]), item["metadata"]["version"]
        if name not in pinned or pinned[name][0] != version:
            raise ValueError(f"the lock has no {name}=={version}")
        parts.append(pinned[name][1])
    return "\n".join(sorted(parts)) + "\n"


def entries(lock: str) -> list[tuple[str, str, str]]:
    """Name, version and whole text of each entry of a lock."""
    texts = re.findall(r"^[A-Za-z0-9][^\n]*(?:\n +[^\n]*)*", lock, re.MULTILINE)
    found = []
    for text in texts:
        name, _, rest = text.partition("==")
        found.append((name, rest.split()[0], text))
    return found


def normal(name: str) -> str:
    """A package's name as registries compare it."""
    return re.sub(r"[-_.]+", "-", name).lower()


if __name__ == "__main__":
    sys.exit(main())
