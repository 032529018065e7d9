"""The command line: ``equilibria train | evaluate | notebook | check | list``.

Each verb is a module with ``add_parser``, which declares its arguments, and ``run``.
"""

from equilibria.companion.command_line.program import main, make_parser

__all__ = ["main", "make_parser"]
