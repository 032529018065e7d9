"""Execute every notebook of a profile, then judge the claims: `make reproduce` runs this file.

    PROFILE=quick ONLY=01,04 snakemake --cores 2

The targets are the executed copies under build/ and the marks of finished runs under figures/. An
edit of the notebook, its parameters, the library, the shipped weights or the lock makes them stale.

The target `train` makes the trainings of a profile that are not finished, then the records of what
the finished models do (`make train`). No edit makes a finished training stale. workflow/README.md
says how both run on a cluster.

    PROFILE=paper MODELS=deblurring,stories/stories SEEDS=0,1 snakemake --cores 2 train
"""

import os
import pkgutil
import signal
import subprocess
import sys
from pathlib import Path

from equilibria import paths, studies
from equilibria.companion import parameters
from equilibria.companion.provenance import short_path

ROOT = paths.project_root()
# From the environment: snakemake's --config would read 01 as a number.
DEFAULTS = {
    "EQUILIBRIA_ROOT": str(ROOT),
    "PROFILE": "quick",
    "ONLY": "",
    "MODELS": "",
    "SEEDS": "0",
    "EQUILIBRIA_DATA": str(paths.data_folder()),
}
for variable, default in DEFAULTS.items():
    os.environ[variable] = os.environ.get(variable) or default
PROFILE = os.environ["PROFILE"]
ONLY = os.environ["ONLY"].replace(" ", "")
try:
    if ONLY:
        NAMES = [parameters.find_notebook(name).stem for name in ONLY.split(",")]
    else:
        NAMES = parameters.notebooks()
    for name in NAMES:
        parameters.check(name, parameters.profile_parameters(name, PROFILE))
except parameters.ParameterError as error:
    sys.exit(f"reproduce: {error}")

# No notebook's results depend on how claims are judged, or on the command line.
LIB = ROOT / "lib"
NO_RESULTS = (LIB / "equilibria/companion/claims", LIB / "equilibria/companion/command_line")
LIBRARY = [str(path) for path in sorted(LIB.rglob("*.py")) if path.parent not in NO_RESULTS]
# Players of frames are stored with their script.
LIBRARY += [str(path) for path in (ROOT / "docs" / "_static").glob("player.js")]
WEIGHTS = [
    str(path) for path in sorted((ROOT / "data" / "checkpoints").rglob("*")) if path.is_file()
]
# In a container (workflow/README.md) Python is the container's own.
CONTAINER = os.environ.get("EQUILIBRIA_CONTAINER")
PYTHON = "python" if CONTAINER else sys.executable
if CONTAINER:
    os.environ["PYTHONPATH"] = str(LIB)
EQUILIBRIA = [PYTHON, "-m", "equilibria"]
CHECK = [*EQUILIBRIA, "check", "--profile", PROFILE]
if ONLY:
    CHECK += ["--only", ONLY]
TARGETS = [f"build/{PROFILE}/{name}.ipynb" for name in NAMES]

CASES = sorted(module.name for module in pkgutil.iter_modules(studies.__path__))
asked_for_trainings = []  # not empty where this run is one of the target `train`


def trainings(case=None):
    """What is to be trained, of one case or of all. Importing the studies takes seconds."""
    from equilibria.companion.command_line.trainings import trainings

    asked_for_trainings.append(True)
    try:
        every = trainings(PROFILE, models=os.environ["MODELS"], seeds=os.environ["SEEDS"])
    except parameters.ParameterError as error:
        sys.exit(f"train: {error}")
    return [training for training in every if case in (None, training.case)]


def end_of(training):
    """The card of a finished training, or the mark that one will leave.

    The card is no output of a rule, because snakemake deletes the outputs of a job that failed, and
    a job may fail after its training has finished: by its time limit, or with its machine.
    """
    if training.card.exists():
        return local(str(short_path(training.card)))
    mark = f"build/{PROFILE}/trained/{training.case}/{training.name}-seed{training.seed}"
    (ROOT / mark).unlink(missing_ok=True)  # of a training that was deleted since
    return mark


def training_of(case, wildcards):
    from equilibria.companion.command_line.trainings import Training

    return Training(case, wildcards.name, PROFILE, int(wildcards.seed))


def sitting(wildcards, resources):
    """What starts a training and ends it in time: one process per GPU, minutes of a sitting."""
    gpus = int(resources.get("gpu") or 1)
    launcher = [PYTHON]
    if gpus > 1:
        launcher += ["-m", "torch.distributed.run", "--standalone", f"--nproc-per-node={gpus}"]
    command = [*launcher, "-m", "equilibria", "train"]
    if resources.get("runtime"):
        # Time enough to start before it, and to save and validate after it.
        command += ["--minutes", f"{max(0.05, 0.9 * resources.runtime - 2):.4g}"]
    return command


workdir: ROOT


container: CONTAINER


# For executors that do not hand on the environment.
envvars:
    *DEFAULTS,


localrules:
    verdicts,
    train,


rule verdicts:
    retries: 0
    input:
        TARGETS,
    params:
        command=CHECK,
    shell:
        "{params.command:q}"


rule notebook:
    retries: 0
    wildcard_constraints:
        name="|".join(NAMES),
    input:
        "notebooks/{name}.ipynb",
        f"notebooks/parameters/{PROFILE}.yaml",
        "notebooks/parameters/schema.yaml",
        "requirements.lock",
        LIBRARY,
        WEIGHTS,
    output:
        f"build/{PROFILE}/{{name}}.ipynb",
        f"{paths.figures_folder()}/{PROFILE}/{{name}}/provenance.json",
    params:
        command=[*EQUILIBRIA, "notebook"],
        profile=PROFILE,
    shell:
        "{params.command:q} {wildcards.name} --profile {params.profile}"


stopped = []  # signals that stopped this run


def stop(number, frame):
    """Ctrl-C: snakemake waits for its processes, which have got the same signal."""
    if not stopped:
        print("stopped: `make reproduce` goes on where it ended", file=sys.stderr, flush=True)
    stopped.append(number)
    raise KeyboardInterrupt


signal.signal(signal.SIGINT, stop)
# All cases of the models that were chosen: their trainings, and the records of what they do.
rule train:
    input:
        lambda wildcards: sorted(
            {f"build/{PROFILE}/evaluated-{training.case}" for training in trainings()}
        ),


for case in CASES:

    rule:
        name:
            f"train_{case}"
        wildcard_constraints:
            name="[^/]+",
            seed="[0-9]+",
        input:
            lambda wildcards, case=case: [
                ancient(end_of(needed)) for needed in training_of(case, wildcards).needs()
            ],
        output:
            touch(f"build/{PROFILE}/trained/{case}/{{name}}-seed{{seed}}"),
        params:
            about=lambda wildcards, case=case: training_of(case, wildcards).about(),
            card=lambda wildcards, case=case: str(training_of(case, wildcards).card),
            command=sitting,
            model=f"{case}/{{name}}",
            profile=PROFILE,
        message:
            "train {params.model}, seed {wildcards.seed}, profile {params.profile}: {params.about}"
        # Its state is saved: where the time was over, the profile's `retries` submit it again.
        shell:
            "test -e {params.card:q} || {params.command:q} {params.model} --profile {params.profile} "
            "--seed {wildcards.seed}\n"
            "test -e {params.card:q} || {{ echo 'not finished: the next sitting goes on'; exit 1; }}"

    rule:
        name:
            f"evaluate_{case}"
        input:
            lambda wildcards, case=case: [end_of(training) for training in trainings(case)],
        output:
            touch(f"build/{PROFILE}/evaluated-{case}"),
        params:
            command=[*EQUILIBRIA, "evaluate", case, "--profile", PROFILE],
        message:
            f"record what the finished models of {case} do, profile {PROFILE}"
        shell:
            "{params.command:q}"


onerror:
    # A notebook that failed must not hide the verdicts of the others. They are printed and not
    # written: the pages show whole runs alone. A run that was stopped judges nothing.
    unfinished = not all(Path(target).exists() for target in TARGETS)
    if unfinished and not stopped and not asked_for_trainings:
        subprocess.run([*CHECK, "--draft"])
