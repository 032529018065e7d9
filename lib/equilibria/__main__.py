"""``python -m equilibria``: the command line, where the packages that it needs are installed."""

import sys

__all__ = ["main"]


def main() -> int:
    """Run the command line; return its exit code, or 130 where Ctrl-C stops it."""
    try:
        return _run()
    except KeyboardInterrupt:
        print("equilibria: stopped; the same command goes on from what is saved", file=sys.stderr)
        return 130


def _run() -> int:
    """Run the command line; where only the core is installed, name the missing extra."""
    try:
        from equilibria.companion.command_line import main as run
    except ModuleNotFoundError as error:
        print(
            f"equilibria: the command line needs the package {error.name}: "
            "pip install 'equilibria[notebooks]'",
            file=sys.stderr,
        )
        return 2
    return run()


if __name__ == "__main__":
    sys.exit(main())
