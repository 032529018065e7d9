"""Execute every notebook of a profile, then judge the claims: `make reproduce` runs this file.

    PROFILE=quick ONLY=01,04 snakemake --cores 2

The targets are the executed copies under build/ and the marks of finished runs under figures/. An
edit of the notebook, its parameters, the library, the shipped weights or the lock makes them stale.
"""

import os
import signal
import subprocess
import sys
from pathlib import Path

from equilibria import paths
from equilibria.companion import parameters

ROOT = paths.project_root()
# From the environment: snakemake's --config would read 01 as a number.
PROFILE = os.environ.get("PROFILE") or "quick"
ONLY = os.environ.get("ONLY", "").replace(" ", "")
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
EQUILIBRIA = [sys.executable, "-m", "equilibria"]
CHECK = [*EQUILIBRIA, "check", "--profile", PROFILE]
if ONLY:
    CHECK += ["--only", ONLY]
TARGETS = [f"build/{PROFILE}/{name}.ipynb" for name in NAMES]


workdir: ROOT


wildcard_constraints:
    name="|".join(NAMES),


rule verdicts:
    input:
        TARGETS,
    params:
        command=CHECK,
    shell:
        "{params.command:q}"


rule notebook:
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


onerror:
    # A notebook that failed must not hide the verdicts of the others. They are printed and not
    # written: the pages show whole runs alone. A run that was stopped judges nothing.
    if not stopped and not all(Path(target).exists() for target in TARGETS):
        subprocess.run([*CHECK, "--draft"])
