"""Where the project's folders lie.

======================  ========================================================================
``EQUILIBRIA_ROOT``     the folder that holds ``notebooks/`` and ``claims.yml``; otherwise the
                        checkout that this file belongs to
``EQUILIBRIA_DATA``     ``data/`` somewhere else, such as on a large disk
``EQUILIBRIA_FIGURES``  ``figures/`` somewhere else, such as for a test that must not touch results
======================  ========================================================================

A notebook that a reader runs in JupyterLab writes to ``build/jupyterlab/``: whatever is tried there
leaves the results alone by which the claims are judged.
"""

import os
from pathlib import Path

__all__ = ["data_folder", "figures_folder", "project_root"]


def project_root() -> Path:
    """The project's folder.

    Raises ``FileNotFoundError`` where there is none, as in a copy installed without its project.
    """
    root = Path(os.environ.get("EQUILIBRIA_ROOT") or Path(__file__).parents[2]).resolve()
    if not (root / "notebooks").is_dir():
        raise FileNotFoundError(
            f"{root} holds no notebooks/: set EQUILIBRIA_ROOT to the project's folder, "
            "or install the project with `pip install -e .`"
        )
    return root


def data_folder() -> Path:
    """The folder of data sets, unfinished trainings and, in ``checkpoints/``, shipped weights."""
    return Path(os.environ.get("EQUILIBRIA_DATA") or project_root() / "data").resolve()


def figures_folder() -> Path:
    """The folder of results and figures, which holds ``<profile>/<notebook>/``."""
    # Jupyter servers set JPY_SESSION_NAME in the kernels of notebooks; nothing else does.
    usual = "build/jupyterlab" if "JPY_SESSION_NAME" in os.environ else "figures"
    return Path(os.environ.get("EQUILIBRIA_FIGURES") or project_root() / usual).resolve()
