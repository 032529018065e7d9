"""Every notebook of a profile, executed, then the verdicts: `make reproduce` drives this file.

    PROFILE=quick ONLY=01,04 snakemake --cores 2

The executed copy under build/ and the mark of a finished run under figures/ are the targets; an edit of the notebook, its
parameters, the library, the shipped weights or the lock makes them stale.
"""

import os
import subprocess
import sys
from pathlib import Path

from equilibria import paths
from equilibria.companion import parameters

ROOT = paths.project_root()
PROFILE = os.environ.get("PROFILE") or "quick"  # from the environment: --config would read 01 as a number
ONLY = os.environ.get("ONLY", "").replace(" ", "")
try:
    NAMES = [parameters.find_notebook(name).stem for name in ONLY.split(",")] if ONLY else parameters.notebooks()
    for name in NAMES:
        parameters.check(name, parameters.profile_parameters(name, PROFILE))
except parameters.ParameterError as error:
    sys.exit(f"reproduce: {error}")

LIBRARY = [str(path) for path in sorted((ROOT / "lib").rglob("*.py")) if path.name not in ("claims.py", "command_line.py")]
WEIGHTS = [str(path) for path in sorted((ROOT / "data" / "checkpoints").rglob("*")) if path.is_file()]
CHECK = [sys.executable, "-m", "equilibria", "check", "--profile", PROFILE] + (["--only", ONLY] if ONLY else [])
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
        command=[sys.executable, "-m", "equilibria", "notebook"],
        profile=PROFILE,
    shell:
        "{params.command:q} {wildcards.name} --profile {params.profile}"


onerror:
    # A notebook that failed must not hide the verdicts of the others; its own claims then fail by name.
    if not all(Path(target).exists() for target in TARGETS):
        subprocess.run(CHECK)
