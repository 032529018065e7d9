"""The Snakefile on the small project, with real kernels: kill -9, resuming, failures, verdicts."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from conftest import HOME
from equilibria.companion import claims

pytestmark = pytest.mark.end_to_end

# The notebook kills the whole run once the first one is complete, as its process group: the kernel
# alone is not in that group. Run again, it finds its own note and goes on.
KILLS_THE_RUN = """\
import os
import pathlib
import signal
import time

note = pathlib.Path("kernel.pid")
if not note.exists():
    while not pathlib.Path("build/quick/01_first.ipynb").exists():
        time.sleep(0.05)
    note.write_text(str(os.getpid()))
    os.killpg(os.getpgid(os.getppid()), signal.SIGKILL)
    time.sleep(600)
run.save(value=[eta] * steps)
"""
CLAIM = """\
- id: {name}
  claim: c
  places: [p]
  notebook: {notebook}
  checks:
  - {{id: c, says: s, key: value, predicate: {{at_most: 1}}, bound_from: theorem}}
"""
SECOND = "paper:\n" + CLAIM.format(name="a", notebook="02_second")
THIRD = CLAIM.format(name="b", notebook="03_third")


def start(sample, *, only=""):
    """The workflow on the small project, in a process group of its own."""
    words = ["--cores", "2", "--nolock", "--ignore-incomplete", "--keep-going", "--quiet", "all"]
    return subprocess.Popen(
        [sys.executable, "-m", "snakemake", "--snakefile", str(HOME / "Snakefile"), *words],
        cwd=sample.root,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
        env=os.environ | {"PROFILE": "quick", "ONLY": only},
    )


def reproduce(sample, *, only=""):
    """(exit code, output) of the workflow on the small project."""
    process = start(sample, only=only)
    said, _ = process.communicate(timeout=300)
    return process.returncode, said


def is_alive(pid):
    try:
        status = Path(f"/proc/{pid}/stat").read_text()
    except FileNotFoundError:
        return False
    state = status.rpartition(")")[2].split()[0]
    return state != "Z"


@pytest.mark.skipif(not os.path.isdir("/proc/self"), reason="looks at processes in /proc")
def test_reproduce_goes_on_where_kill_9_stopped_it(sample):
    """The first two notebooks start at once, and the run is killed in the second."""
    sample.notebook("02_second", KILLS_THE_RUN)
    build = sample.root / "build/quick"
    code, said = reproduce(sample)
    assert code == -signal.SIGKILL, said
    kernel = int((sample.root / "kernel.pid").read_text())
    end = time.monotonic() + 60
    while is_alive(kernel):  # a kernel without its parent ends by itself
        assert time.monotonic() < end, "the kernel lives on"
        time.sleep(0.1)
    assert (build / "01_first.ipynb").exists() and not (build / "02_second.ipynb").exists()

    # Run again, it completes the second notebook. A third one fails, and stops neither the second
    # notebook nor the verdicts.
    sample.notebook("03_third", "assert eta > 1", start="")
    (sample.root / "claims.yml").write_text(SECOND + THIRD)
    code, said = reproduce(sample)
    assert code > 0 and "AssertionError" in said, said
    assert "reproduced      a" in said and "not reproduced  b" in said, said
    assert "b/c: no number: 03_third has no finished run" in said, said
    assert not (sample.root / "figures/quick/README.md").exists(), "a partial run writes no page"
    results = json.loads((sample.root / "figures/quick/02_second/results.json").read_text())
    assert results == {"value": [0.5] * 3}
    assert "01_first " not in said, "what was finished is not run again"

    # Without the third notebook all is done: nothing runs but the verdicts.
    (sample.root / "notebooks/03_third.ipynb").unlink()
    (sample.root / "claims.yml").write_text(SECOND)
    claims.check("quick", accept="the first record")
    code, said = reproduce(sample)
    assert code == 0 and "1 claims: 1 reproduced" in said, said
    (copy,) = build.glob("02_*.ipynb")
    assert (build / "01_first.ipynb").exists() and copy.exists()


def test_reproduce_refuses_a_notebook_that_is_not_there(sample):
    code, said = reproduce(sample, only="01,7")
    assert code > 0 and "no notebook '7'; there are 01_first, 02_second" in said, said
    assert not (sample.root / "build").exists()


WAITS = """\
import pathlib
import time

note = pathlib.Path("kernel.pid")
if not note.exists():
    note.write_text("here")
    time.sleep(600)
run.save(value=[eta] * steps)
"""


def test_a_stopped_reproduce_ends_at_once_and_says_how_to_go_on(sample):
    """Ctrl-C reaches every process of the terminal's group, as it does here."""
    sample.notebook("02_second", WAITS)
    (sample.root / "claims.yml").write_text(SECOND)
    page = sample.root / "README.md"
    before = page.read_text()
    process = start(sample)
    while not (sample.root / "kernel.pid").exists():
        assert process.poll() is None, process.stdout.read()
        time.sleep(0.05)
    begun = time.monotonic()
    os.killpg(process.pid, signal.SIGINT)
    said, _ = process.communicate(timeout=60)
    seconds = time.monotonic() - begun
    assert seconds < 2, said
    assert process.returncode > 0
    assert said.count("stopped: `make reproduce` goes on where it ended") == 1
    assert "Traceback" not in said and "reproduced" not in said
    assert page.read_text() == before
    assert not (sample.root / "figures/quick/README.md").exists()

    code, said = reproduce(sample)
    assert code > 0, "the claim is in no record"
    assert (sample.root / "build/quick/02_second.ipynb").exists()
