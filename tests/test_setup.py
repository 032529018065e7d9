"""What a fresh clone stands on: the lock, the environment, the Makefile, and what git tracks."""

import importlib.metadata
import importlib.util
import os
import re
import shutil
import subprocess
import sys
import tomllib

import equilibria
import pytest
import yaml
from conftest import HOME
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name

LOCK = (HOME / "requirements.lock").read_text()
PYPROJECT = tomllib.loads((HOME / "pyproject.toml").read_text())
PINS = {
    canonicalize_name(name): version
    for name, version in re.findall(r"^([A-Za-z0-9._-]+)==(\S+) \\$", LOCK, re.MULTILINE)
}


def git(*words):
    return subprocess.run(
        ["git", "-C", str(HOME), *words], capture_output=True, text=True, check=True
    ).stdout.split("\0")


@pytest.fixture(scope="module")
def tracked():
    if not (HOME / ".git").exists():
        pytest.skip("not a git repository: an unpacked archive has nothing to track")
    return [HOME / name for name in git("ls-files", "-z") if name and (HOME / name).is_file()]


def direct():
    """Every requirement that pyproject.toml names, of the extras too."""
    project = PYPROJECT["project"]
    return [
        Requirement(text)
        for texts in (project["dependencies"], *project["optional-dependencies"].values())
        for text in texts
    ]


def test_the_lock_pins_and_hashes_every_package():
    entries = re.split(r"\n(?=\S)", re.sub(r"^(#.*)?\n", "", LOCK, flags=re.MULTILINE).strip())
    assert len(entries) == len(PINS) > 100
    for entry in entries:
        assert re.fullmatch(
            r"[A-Za-z0-9._-]+==[^\s;]+( \\\n    --hash=sha256:[0-9a-f]{64})+", entry
        ), entry[:80]


@pytest.mark.parametrize("requirement", direct(), ids=str)
def test_the_lock_holds_what_the_project_asks_for(requirement):
    assert requirement.specifier.contains(PINS[canonicalize_name(requirement.name)])


@pytest.mark.parametrize(
    "name", ["torch", "torchvision", "numpy", "papermill", "nbval", "snakemake"]
)
def test_this_environment_is_the_locked_one(name):
    assert importlib.metadata.version(name) == PINS[name]


def test_every_extra_is_whole_and_all_holds_them_all():
    extras = PYPROJECT["project"]["optional-dependencies"]
    parts = {name: set(texts) for name, texts in extras.items() if name != "all"}
    assert set(extras["all"]) == set().union(*parts.values())
    cases = {path.name for path in (HOME / "lib/equilibria/studies").iterdir() if path.is_dir()}
    for case in cases - {"__pycache__"}:
        assert parts[case] >= parts["notebooks"], f"{case} needs the notebooks' packages, too"


def test_the_command_line_names_the_missing_extra_in_one_line():
    code = (
        "import sys; sys.modules['yaml'] = None; from equilibria.__main__ import main; "
        "sys.exit(main())"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1 and "equilibria[notebooks]" in done.stderr


def test_setuptools_of_the_lock_can_build_the_project():
    (requirement,) = map(Requirement, PYPROJECT["build-system"]["requires"])
    assert requirement.specifier.contains(PINS[requirement.name])


def test_conda_users_get_the_versions_of_the_lock():
    dependencies = yaml.safe_load((HOME / "environment.yml").read_text())["dependencies"]
    assert dependencies[-1] == {"pip": ["-r requirements.lock"]}, (
        "pip installs the lock and nothing beside it"
    )
    (python,) = [
        text.removeprefix("python=") for text in dependencies[:-1] if text.startswith("python=")
    ]
    assert SpecifierSet(PYPROJECT["project"]["requires-python"]).contains(python)
    assert not set(dependencies[:-1]) - {f"python={python}", "pip", "make", "git"}, (
        "no second source of a Python package"
    )


@pytest.mark.parametrize("recipe", ["Dockerfile", "equilibria.def"])
def test_containers_install_the_lock(recipe):
    """By `make setup`, in a Python of the versions that the project takes."""
    text = (HOME / "workflow" / "containers" / recipe).read_text()
    (image,) = re.findall(r"^From:? python:([0-9.]+)-slim", text, re.MULTILINE | re.IGNORECASE)
    assert SpecifierSet(PYPROJECT["project"]["requires-python"]).contains(image)
    assert f"make setup PYTHON=python{image}" in text
    assert "pip install" not in text, "no second source of a Python package"
    for name in re.findall(r"^ +(\S+) /opt/equilibria/", text, re.MULTILINE):
        assert (HOME / name).exists()


def test_one_version_everywhere():
    version = PYPROJECT["project"]["version"]
    citation = yaml.safe_load((HOME / "CITATION.cff").read_text())
    assert (
        citation["version"]
        == version
        == equilibria.__version__
        == importlib.metadata.version("equilibria")
    )


def test_the_library_is_tracked(tracked):
    assert HOME / "lib/equilibria/solvers/loop.py" in tracked
    ignored = subprocess.run(
        [
            "git",
            "-C",
            str(HOME),
            "check-ignore",
            "lib/equilibria/new.py",
            "data/checkpoints/a/new.json",
            "build/a",
            "data/a",
        ],
        capture_output=True,
        text=True,
    ).stdout.split()
    assert ignored == ["build/a", "data/a"]


def test_no_tracked_file_is_large(tracked):
    assert {path: path.stat().st_size for path in tracked if path.stat().st_size > 8 * 2**20} == {}
    assert sum(path.stat().st_size for path in tracked) < 50 * 2**20


def test_no_tracked_file_names_an_index_or_a_home(tracked):
    forbidden = re.compile(
        r"--(extra-)?index-url|--find[-]links|--trusted[-]host|pypi[.]org|pythonhosted[.]org"
        r"|/home/\w|/root[/]|https?://\S+[.](whl|tgz|tar[.]gz)\b"
    )
    found = [
        (path.name, match[0])
        for path in tracked
        if path.suffix not in (".png", ".safetensors")
        for match in forbidden.finditer(path.read_text(encoding="utf-8", errors="replace"))
    ]
    assert found == []


@pytest.fixture
def clone(tmp_path):
    """The files that make needs; an interpreter that is too old or writes down its orders."""
    (tmp_path / "workflow").mkdir()
    for name in ("Makefile", "requirements.lock", "pyproject.toml", "workflow/setup.py"):
        shutil.copy(HOME / name, tmp_path / name)
    return tmp_path


def script(path, text):
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)


def make(folder, *words):
    return subprocess.run(
        ["make", "-C", str(folder), *words], capture_output=True, text=True, timeout=60
    )


@pytest.mark.parametrize("version", ["3.10.13", "3.13.0"])
def test_another_python_is_refused_by_name(clone, version):
    minor = version.split(".")[1]
    script(
        clone / "python",
        f'case "$1" in --version) echo "Python {version}";; *) exec {sys.executable} -c '
        f'"import sys; sys.version_info = (3, {minor}); $2";; esac',
    )
    done = make(clone, "setup", "PYTHON=./python")
    assert (
        done.returncode != 0
        and "Python 3.11 or 3.12 is needed" in done.stdout
        and f"Python {version}" in done.stdout
    )
    assert not (clone / ".venv").exists()


def test_setup_is_done_once_and_again_when_the_lock_is_newer(clone):
    script(
        clone / "python",
        'if [ "$1" = workflow/setup.py ]; then mkdir -p .venv; fi; echo "$@" >> calls',
    )
    for expected in (2, 2):
        assert make(clone, "setup", "PYTHON=./python").returncode == 0
        calls = (clone / "calls").read_text().splitlines()
        assert len(calls) == expected
    assert calls[1] == "workflow/setup.py --extras "
    newer = (clone / ".venv/.installed").stat().st_mtime + 5
    os.utime(clone / "requirements.lock", (newer, newer))
    assert make(clone, "setup", "PYTHON=./python").returncode == 0
    assert len((clone / "calls").read_text().splitlines()) == 4


def test_a_smaller_environment_is_not_taken_for_the_whole_one(clone):
    (clone / ".venv").mkdir()
    (clone / ".venv/.installed-core").touch()
    for words, begins in ((["EXTRAS=core"], False), ([], True), (["EXTRAS=notebooks,docs"], True)):
        done = make(clone, "--dry-run", "setup", *words)
        assert done.returncode == 0
        assert ("workflow/setup.py" in done.stdout) == begins
    assert ".venv/.installed-notebooks-docs" in done.stdout


@pytest.fixture(scope="module")
def installer():
    """The module workflow/setup.py."""
    spec = importlib.util.spec_from_file_location("installer", HOME / "workflow/setup.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def stages_of(installer, capsys, *words):
    """The commands of each stage, by its name, as a dry run prints them."""
    assert installer.main([*words, "--dry-run"]) == 0
    stages = {}
    for line in capsys.readouterr().out.splitlines():
        if line.startswith("set-up "):
            stages[line.partition(": ")[2].removesuffix(" ...")] = name = []
        else:
            name.append(line.strip())
    return stages


def test_a_dry_run_of_the_whole_set_up_installs_the_lock_by_hash(installer, capsys):
    stages = stages_of(installer, capsys)
    environment, pytorch, others, project = stages.values()
    assert environment[0].endswith(f"-m venv --clear {HOME / '.venv'}")
    for steps, part in ((pytorch, "pytorch"), (others, "others")):
        assert steps[-1].endswith(f"--no-deps --require-hashes -r {HOME / '.venv' / part}.lock")
    assert project[0].endswith(f"--no-deps --no-build-isolation -e {HOME}")


def test_a_dry_run_of_some_extras_asks_pip_for_those_alone(installer, capsys):
    stages = stages_of(installer, capsys, "--extras", "core,linear_programs")
    _, resolve, _ = stages["what core,linear_programs needs"]
    assert "--dry-run" in resolve and "--constraint" in resolve
    for wanted in ("torch>=", "safetensors>=", "setuptools>=", "highspy>=", "jupyterlab>="):
        assert f"'{wanted}" in resolve
    assert "deepinv" not in resolve and "pytest" not in resolve
    assert len(stages) == 5


def test_an_unknown_extra_is_refused_before_anything_is_built(installer, capsys):
    assert installer.main(["--extras", "core,cor"]) == 2
    error = capsys.readouterr().err
    assert "'cor'" in error and "EXTRAS must be some of core, notebooks" in error
    assert error.count("\n") == 1


def test_chosen_entries_keep_version_and_hashes(installer):
    entries = installer.entries(LOCK)
    assert {name: version for name, version, _ in entries} == PINS
    assert installer.without_hashes(LOCK).splitlines()[0] == "==".join(entries[0][:2])
    named = [("Jinja2", PINS["jinja2"]), ("torch", PINS["torch"])]
    report = {"install": [{"metadata": {"name": n, "version": v}} for n, v in named]}
    chosen = installer.chosen(LOCK, report)
    assert [name for name, _, _ in installer.entries(chosen)] == ["jinja2", "torch"]
    assert all(text in LOCK for _, _, text in installer.entries(chosen))
    report["install"][0]["metadata"]["version"] = "0.1"
    with pytest.raises(ValueError, match=r"the lock has no jinja2==0\.1"):
        installer.chosen(LOCK, report)


def test_each_stage_is_one_line_with_its_time_and_a_failure_names_its_command(
    installer, capsys, monkeypatch, tmp_path
):
    for name in ("VENV", "LOCK"):
        monkeypatch.setattr(installer, name, tmp_path / name)
    installer.VENV.mkdir()
    installer.LOCK.write_text(LOCK)
    ran = []
    monkeypatch.setattr(installer.subprocess, "run", lambda words, **rest: ran.append(words))
    assert installer.main([]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 4 and len(ran) == 4
    for number, line in enumerate(lines, start=1):
        assert re.fullmatch(rf"set-up {number}/4: .+ \.\.\. \d+ s", line)
    parts = [(installer.VENV / f"{part}.lock").read_text() for part in ("pytorch", "others")]
    names = [[name for name, _, _ in installer.entries(part)] for part in parts]
    assert "torch" in names[0] and "torchvision" in names[1]
    assert sorted(names[0] + names[1]) == sorted(PINS)

    def fails(words, **rest):
        raise subprocess.CalledProcessError(1, words)

    monkeypatch.setattr(installer.subprocess, "run", fails)
    assert installer.main([]) == 2
    assert "-m venv --clear" in capsys.readouterr().err


def test_help_is_the_default():
    done = make(HOME)
    assert done.returncode == 0 and "make reproduce" in done.stdout
