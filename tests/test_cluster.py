"""The workflow on clusters: a real Slurm gives the files of a local run; dry runs list the work."""

import os
import re
import signal
import subprocess
import sys
import time
from contextlib import ExitStack
from pathlib import Path

import pytest
import slurm
from conftest import HOME, Project

pytestmark = pytest.mark.end_to_end

SNAKEMAKE = [sys.executable, "-m", "snakemake", "--snakefile", str(HOME / "Snakefile")]
SNAKEMAKE += ["--nolock", "--ignore-incomplete", "--keep-going", "--rerun-triggers", "mtime"]
LOCAL = ["--cores", "2"]
# The project's own profile, with the partition of the small Slurm, its shortest walltimes and no
# accounting.
ON_SLURM = ["--profile", str(HOME / "workflow" / "profiles" / "slurm"), "--slurm-no-account"]
ON_SLURM += ["--slurm-status-command", "squeue", "--slurm-init-seconds-before-status-checks", "2"]
ON_SLURM += ["--default-resources", "slurm_partition=cpu", "runtime=5", "mem_mb=500"]
# Slurm counts in minutes. A job needs seconds to start, but minutes where others want the cores.
MINUTES = 1 if os.getloadavg()[0] < 2 * (os.cpu_count() or 1) else 4
ON_SLURM += ["--set-resources", f"train_language:runtime={MINUTES}", "train_one_over_x:runtime=2"]
ON_SLURM += ["--slurm-logdir", "logs", "--slurm-keep-successful-logs"]

# The second notebook kills its own job once; run again, it finds its note and goes on.
KILLED_ONCE = """\
import os
import pathlib
import subprocess
import time

note = pathlib.Path("killed-job")
job = os.environ.get("SLURM_JOB_ID")
if job and not note.exists():
    note.write_text(job)
    subprocess.run(["scancel", "--full", "--signal=KILL", job], check=True)
    time.sleep(600)
run.save(value=[eta] * steps)
"""
# One training is stopped and so reaches the time limit of its job; the sittings of the other one
# are limited to three seconds.
OVER_TIME, IN_PIECES = "language/parity", "one_over_x/explicit-5"
TRAININGS = ("build/quick/trained/language/parity-seed0", "build/quick/evaluated-one_over_x")


class Place:
    """A folder with two small notebooks and a training that was left at its tenth step."""

    def __init__(self, folder):
        folder.mkdir()
        self.folder = folder
        self.environment = os.environ | {
            "EQUILIBRIA_ROOT": str(folder),
            "EQUILIBRIA_DATA": str(folder / "trained"),
            "MODELS": IN_PIECES,
        }
        for name in ("EQUILIBRIA_FIGURES", "PROFILE", "ONLY", "SEEDS"):
            self.environment.pop(name, None)
        Project(folder).notebook("02_second", KILLED_ONCE)
        command = [sys.executable, "-m", "equilibria", "train", OVER_TIME, "--minutes", "1e-6"]
        subprocess.run(command, env=self.environment, check=True, capture_output=True)
        (state,) = (folder / "trained/trainings/language/quick").iterdir()
        assert state.name == "parity-seed0.state.safetensors"

    def snakemake(self, stack, *words):
        """A running snakemake, which ends with ``stack``."""
        name = f"{len(list(self.folder.glob('*.out')))}.out"
        output = stack.enter_context((self.folder / name).open("w"))
        process = subprocess.Popen(
            [*SNAKEMAKE, *words],
            cwd=self.folder,
            env=self.environment,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
        stack.callback(process.wait)
        stack.callback(process.kill)
        return process, self.folder / name

    def files(self):
        """What the runs are for, by path; a card without the seconds that its training took."""
        found = {}
        for pattern in ("figures/quick/*/results.json", "trained/**/*.*"):
            for path in self.folder.glob(pattern):
                content = path.read_bytes()
                if path.suffix == ".json":
                    content = re.sub(rb'"seconds": [0-9.]+', b"", content)
                found[str(path.relative_to(self.folder))] = content
        return found


def stop_on_slurm(model):
    """Stop the first process that trains ``model`` in a job, and leave it there."""
    end = time.monotonic() + 300
    while time.monotonic() < end:
        for process in Path("/proc").glob("[0-9]*"):
            try:
                words = (process / "cmdline").read_text().split("\0")
                in_a_job = "\0SLURM_JOB_ID=" in (process / "environ").read_text()
            except OSError:  # it has ended
                continue
            if in_a_job and words[1:4] == ["-m", "equilibria", "train"] and model in words:
                os.kill(int(process.name), signal.SIGSTOP)
                return
        time.sleep(0.05)
    raise AssertionError(f"no job trains {model}")


@pytest.mark.slow
@pytest.mark.skipif(bool(slurm.why_not()), reason=slurm.why_not())
def test_slurm_gives_the_files_of_a_local_run(tmp_path):
    there, here = Place(tmp_path / "slurm"), Place(tmp_path / "local")
    with slurm.Slurm(tmp_path / "daemons") as cluster, ExitStack() as stack:
        trainings, said_of_trainings = there.snakemake(stack, *ON_SLURM, "--", *TRAININGS)
        notebooks, said_of_notebooks = there.snakemake(stack, *ON_SLURM, "--", "verdicts")
        stop_on_slurm(OVER_TIME)
        # The stopped job waits for its time limit; meanwhile the local run.
        local, said = here.snakemake(stack, *LOCAL, "--", *TRAININGS, "verdicts")
        assert notebooks.wait(600) != 0, said_of_notebooks.read_text()
        job = (there.folder / "killed-job").read_text()
        assert f"SLURM-job '{job}' failed" in said_of_notebooks.read_text()
        assert not (there.folder / "build/quick/02_second.ipynb").exists()
        again, said_again = there.snakemake(stack, *ON_SLURM, "--", "verdicts")
        assert again.wait(600) == 0, said_again.read_text()
        assert "notebooks/01_first.ipynb" not in said_again.read_text(), "what was done stays done"
        assert local.wait(600) == 0, said.read_text()
        assert trainings.wait(900) == 0, said_of_trainings.read_text()
        assert "Time limit exhausted for JobId=" in cluster.log()
    sittings = list(there.folder.glob("logs/rule_train_language/*/*.log"))
    assert len(sittings) >= 2
    assert any("10/20 [00:00<" in log.read_text() for log in sittings), "it goes on at step 10"
    assert len(list(there.folder.glob("logs/rule_train_one_over_x/*/*.log"))) >= 2
    names = {Path(path).name for path in here.files()}
    assert {"results.json", "parity-seed0.safetensors", "explicit-5-seed0.safetensors"} <= names
    assert there.files() == here.files()


def dry_run(sample, *words, **variables):
    """(exit code, output) of a dry run of ``train`` on the small project."""
    environment = os.environ | {"EQUILIBRIA_ROOT": str(sample.root)} | variables
    done = subprocess.run(
        [*SNAKEMAKE, *words, "--dry-run", "--", "train"],
        cwd=sample.root,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    return done.returncode, done.stdout


@pytest.mark.parametrize("cluster", ["slurm", "kubernetes"])
def test_a_dry_run_lists_every_training_with_its_size_and_what_it_needs(sample, cluster):
    """Each profile of a cluster can be read, and a case's denoiser comes before all else."""
    mark = sample.root / "build/paper/trained/deblurring/explicit-seed0"
    mark.parent.mkdir(parents=True)
    mark.touch()  # of a training whose card was deleted
    profile = str(HOME / "workflow" / "profiles" / cluster)
    models = {"MODELS": "deblurring/explicit,one_over_x", "SEEDS": "0,1"}
    code, said = dry_run(sample, "--profile", profile, PROFILE="paper", **models)
    assert code == 0, said
    listed = re.findall(r"Job \d+: train (\S+), seed (\d), profile paper: weights (\S+ \S)", said)
    assert len(listed) == 1 + 2 + 2 * 8
    assert ("deblurring/explicit", "0", "32.6 M") in listed
    places = [said.index(f"train deblurring/{name}, seed 0") for name in ("denoiser", "explicit")]
    records = said.index("record what the finished models of deblurring do")
    assert places[0] < places[1] < records


def test_a_training_that_nobody_knows_is_refused_in_one_line(sample):
    code, said = dry_run(sample, *LOCAL, MODELS="deblurring/other")
    assert code != 0 and "train: MODELS: no model 'deblurring/other' in profile quick" in said
    assert "Traceback" not in said, said
