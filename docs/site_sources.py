"""Lay out the sources of the site: ``python docs/site_sources.py build/site/source``.

The folder mirrors the project, so that the links between its pages and notebooks hold on the site
as they do in a checkout. What is written here and nowhere else: the front page's contents, the map
of the paper, the page Live, the gallery, a page per module of the library, and texts for figures.
"""

import importlib
import json
import os
import pkgutil
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import equilibria
from equilibria.companion import claims
from equilibria.companion.live import players
from equilibria.companion.parameters import notebooks
from equilibria.paths import project_root
from figure_texts import Figure, figures_of
from sphinxcontrib.katex import katex_version

ROOT = project_root()
PROFILE = "quick"
FIGURES = ROOT / "figures" / PROFILE
LINK = re.compile(r"(?P<image>!?)\[(?P<text>(?:[^\[\]]|\[[^\]]*\])*)\]\((?P<to>[^)\s]+)\)")
NOT_DRAWN = "not drawn"  # in place of the address of a figure
TITLE = re.compile(r"^# (.+)$", re.MULTILINE)
WIDGET = "application/vnd.jupyter.widget-view+json"
# Rooms of the library that have a page per module; the others have one page each.
LARGE = ("operators", "problems", "studies", "companion")
FLOORS = {
    "The core": None,  # whatever is not named below
    "Models": ("operators", "problems"),
    "Training and studies": ("training", "studies"),
    "The companion": ("companion",),
}


def main(target: Path) -> None:
    """Write all sources into ``target``, which is emptied first."""
    shutil.rmtree(target, ignore_errors=True)
    drawn = {name: read_notebook(name) for name in notebooks()}
    for name, notebook in drawn.items():
        write(target, f"notebooks/{name}.ipynb", staged_notebook(target, name, notebook))
    pages = ["DEVIATIONS.md", "CONTRIBUTING.md", "CHANGELOG.md", "SECURITY.md"]
    pages += ["workflow/README.md"]
    pages += [f"docs/{path.name}" for path in sorted((ROOT / "docs").glob("*.md"))]
    for page in pages:
        write_page(target, page, (ROOT / page).read_text(encoding="utf-8"))
    verdicts = claims.judge_all(PROFILE)
    write_page(target, f"figures/{PROFILE}/README.md", claims.full_page(verdicts, PROFILE))
    write_page(target, "paper_map.md", map_page(verdicts))
    write_page(target, "live.md", players.page())
    write(target, "gallery.md", gallery_page(target, drawn))
    modules = write_library_pages(target / "api")
    write_page(target, "index.md", front_page(modules))
    fetch_katex()


def write(target: Path, name: str, text: str) -> None:
    """Write one source file."""
    path = target / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


def write_page(target: Path, name: str, text: str) -> None:
    """Write one page whose links are those of the project."""
    write(target, name, with_links(target, text, ROOT / name))


# --- links --------------------------------------------------------------------------------------


def with_links(target: Path, text: str, page: Path) -> str:
    """``text`` of ``page`` with its links as the site has them; files that it shows are copied."""

    def replaced(match: re.Match[str]) -> str:
        to = address(target, match["to"], page, image=bool(match["image"]))
        words = with_links(target, match["text"], page)  # a picture may be what leads somewhere
        if to == NOT_DRAWN:
            return f"{words} (no run has drawn it yet)"
        return f"{match['image']}[{words}]({match['to'] if to is None else to})"

    return LINK.sub(replaced, text)


def address(target: Path, link: str, page: Path, *, image: bool) -> str | None:
    """Where ``link`` leads on the site; None: where it says."""
    name, _, anchor = link.partition("#")
    if re.match(r"[a-z]+:", name):
        return None
    if not name:
        return f"#{slug(anchor)}"
    path = (page.parent / unquote(name)).resolve()
    if path.is_dir() and (path / "README.md").is_file():
        path = path / "README.md"
    if path.suffix == ".png" and path.is_relative_to(FIGURES) and not image:
        return f"#{figure_label(path.parent.name, path.stem)}" if path.is_file() else NOT_DRAWN
    if not path.is_file() or not path.is_relative_to(ROOT):
        return None
    inside = path.relative_to(ROOT)
    if path == ROOT / "README.md":
        inside = Path("index.md")
    elif path.suffix not in (".md", ".ipynb"):
        copy(target, inside)
    there = os.path.relpath(inside, page.relative_to(ROOT).parent)
    return f"{there}#{slug(anchor)}" if anchor else there


def copy(target: Path, inside: Path) -> None:
    """Copy a file of the project to its place in the sources."""
    (target / inside).parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(ROOT / inside, target / inside)


def slug(anchor: str) -> str:
    """An anchor as JupyterLab writes it (The-learned-toy), as the site does (the-learned-toy)."""
    return re.sub(r"[^\w-]", "", unquote(anchor).lower())


def figure_label(notebook: str, figure: str) -> str:
    """The name under which pages refer to a figure of the gallery."""
    return f"figure-{notebook}-{figure}".replace("_", "-")


# --- notebooks ----------------------------------------------------------------------------------


def read_notebook(name: str) -> dict[str, Any]:
    """A stored notebook."""
    return json.loads((ROOT / "notebooks" / f"{name}.ipynb").read_text(encoding="utf-8"))


def staged_notebook(target: Path, name: str, notebook: dict[str, Any]) -> str:
    """A notebook for the site: without widgets, which need a kernel, and with texts for figures."""
    path = ROOT / "notebooks" / f"{name}.ipynb"
    saved: dict[int, list[str]] = {}
    for figure in figures_of(notebook, FIGURES / name):
        saved.setdefault(figure.cell, []).append(figure.text)
    notebook["metadata"].pop("widgets", None)
    links = launch_links(name, notebook)
    for index, cell in enumerate(notebook["cells"]):
        if cell["cell_type"] == "markdown":
            cell["source"] = with_links(target, "".join(cell["source"]), path)
        elif cell["cell_type"] == "code":
            cell["outputs"] = [output for output in cell["outputs"] if is_shown(output)]
            texts = picture_texts(cell["outputs"], saved.get(index, []))
            # conf.py gives each picture of the cell its own text.
            cell["metadata"]["mystnb"] = {"image": {"alt": json.dumps(texts)}}
    first = next(cell for cell in notebook["cells"] if cell["cell_type"] == "markdown")
    first["source"] = TITLE.sub(rf"\g<0>\n\n{links}\n", first["source"], count=1)
    return json.dumps(notebook)


def launch_links(name: str, notebook: dict[str, Any]) -> str:
    """Where a notebook can be run on the web: nowhere, unless the repository has an address there.

    Colab opens the file alone, and so has no library for a notebook that imports it.
    """
    repository = os.environ.get("GITHUB_REPOSITORY")
    if not repository:
        return ""
    branch = os.environ.get("GITHUB_REF_NAME", "main")
    binder = f"https://mybinder.org/v2/gh/{repository}/{branch}"
    links = [f"[Run it on Binder]({binder}?urlpath=lab/tree/notebooks/{name}.ipynb)"]
    codes = ["".join(c["source"]) for c in notebook["cells"] if c["cell_type"] == "code"]
    if not any(re.search(r"^(import|from) equilibria\b", code, re.MULTILINE) for code in codes):
        colab = f"https://colab.research.google.com/github/{repository}/blob/{branch}"
        links.append(f"[Run it on Colab]({colab}/notebooks/{name}.ipynb)")
    return " · ".join(links)


def is_shown(output: dict[str, Any]) -> bool:
    """Whether a page can show an output; a widget is taken away where something else is there."""
    data = output.get("data", {})
    if data.pop(WIDGET, None) is None:
        return True
    return bool(data.keys() - {"text/plain"})


def picture_texts(outputs: list[dict[str, Any]], saved: list[str]) -> list[str]:
    """A text for each picture of a cell: its own, or that of the figure that the cell saves."""
    rest = iter(saved)
    texts = []
    for output in outputs:
        if "image/png" in output.get("data", {}):
            own = output.get("metadata", {}).get("image/png", {}).get("alt")
            text = next(rest, None)
            texts.append(own or text or "A picture that the cell above draws.")
    return texts


# --- pages that are made here -------------------------------------------------------------------


def contents(caption: str, entries: list[str]) -> str:
    """A part of the site's contents."""
    return "\n".join(["```{toctree}", ":hidden:", f":caption: {caption}", "", *entries, "```"])


def front_page(modules: str) -> str:
    """The README, with the contents of the site."""
    parts = [
        (ROOT / "README.md").read_text(encoding="utf-8"),
        contents("Notebooks", [f"notebooks/{name}" for name in notebooks()]),
        contents(
            "Results",
            ["live", f"Verdicts <figures/{PROFILE}/README>", "paper_map", "gallery", "DEVIATIONS"],
        ),
        contents("Use", ["docs/choosing", "docs/what_can_go_wrong", modules]),
        contents("Project", ["CONTRIBUTING", "workflow/README", "CHANGELOG", "SECURITY"]),
    ]
    return "\n\n".join(parts) + "\n"


def map_page(verdicts: list[claims.Verdict]) -> str:
    """Every theorem, figure and table of the paper, and what became of it here."""
    return f"""# Map of the paper

Each row leads from a place in the paper to the notebook's section that measures it, the figure, the
verdict, and the command that makes all of it again. Times are those of the last whole run on two
cores. The [verdicts](figures/{PROFILE}/README.md) say what was asked for, and what came out.

{claims.long_map(verdicts, PROFILE)}
"""


def gallery_page(target: Path, drawn: dict[str, dict[str, Any]]) -> str:
    """All figures, with what they show."""
    parts = ["# Gallery"]
    parts += ["Every figure of the notebooks, and what it shows. Some move: see [Live](live.md)."]
    for name, notebook in drawn.items():
        text = "".join(notebook["cells"][0]["source"])
        title = TITLE.search(text)
        parts += [f"## {title[1] if title else name}", ":::::{container} gallery"]
        parts += [
            gallery_entry(target, name, figure) for figure in figures_of(notebook, FIGURES / name)
        ]
        parts.append(":::::")
    return "\n\n".join(parts) + "\n"


def gallery_entry(target: Path, notebook: str, figure: Figure) -> str:
    """One figure of the gallery, or nothing where no run has drawn it yet."""
    inside = Path("figures", PROFILE, notebook, f"{figure.name}.png")
    if not (ROOT / inside).is_file():
        return ""
    copy(target, inside)
    section = f"notebooks/{notebook}.ipynb#{slug(figure.section.replace(' ', '-'))}"
    return f"""::::{{figure}} {inside.as_posix()}
:name: {figure_label(notebook, figure.name)}
:alt: {json.dumps(figure.text)}

{figure.text} Drawn in [{figure.section}]({section}).
::::"""


# --- the library --------------------------------------------------------------------------------


def write_library_pages(folder: Path) -> str:
    """A page per room of the library, and their contents; returns the name of the contents."""
    folder.mkdir(parents=True)
    rooms: dict[str, list[str]] = {}
    for name in ["equilibria", *public_modules()]:
        parts = name.split(".")
        depth = 3 if len(parts) > 2 and parts[1] in LARGE else 2
        rooms.setdefault(".".join(parts[:depth]), []).append(name)
    for room, names in rooms.items():
        text = "\n\n".join(library_section(name, "=" if name == room else "-") for name in names)
        (folder / f"{room}.rst").write_text(text + "\n", encoding="utf-8")
    named = {part for parts in FLOORS.values() if parts for part in parts}
    lines = ["The library", "===========", "", "Imports run one way, down this list to its top."]
    for floor, parts in FLOORS.items():
        here = [
            room
            for room in rooms
            if (part := [*room.split("."), ""][1]) in (parts or ())
            or (not parts and part not in named)
        ]
        lines += ["", floor, "-" * len(floor), "", ".. toctree::", "   :maxdepth: 1", ""]
        lines += [f"   {room}" for room in here]
    (folder / "index.rst").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return "api/index"


def public_modules() -> list[str]:
    """Every module of the library whose name does not begin with an underscore."""
    found = pkgutil.walk_packages(equilibria.__path__, "equilibria.")
    return sorted(info.name for info in found if "._" not in info.name)


def library_section(name: str, underline: str) -> str:
    """A module's docstring, its public names, and what it hands on from other modules."""
    module = importlib.import_module(name)
    public = [getattr(module, item) for item in getattr(module, "__all__", [])]
    pairs = list(zip(getattr(module, "__all__", []), public, strict=True))
    own = [item for item, value in pairs if getattr(value, "__module__", None) == name]
    others = [
        f":py:obj:`{item} <{value.__module__}.{item}>`"
        for item, value in pairs
        if item not in own and str(getattr(value, "__module__", "")).startswith("equilibria")
    ]
    members = f":members: {', '.join(own)}" if own else ":no-members:"
    parts = [f"{name}\n{underline * len(name)}", f".. automodule:: {name}\n   {members}"]
    if others:
        parts.append(f"From its modules: {', '.join(others)}.")
    return "\n\n".join(parts)


# --- formulas -----------------------------------------------------------------------------------


def fetch_katex() -> None:
    """The style and fonts of KaTeX from the npm registry, as many as the browser asks for."""
    cache = ROOT / "build" / "katex"
    package = cache / "node_modules" / "katex"
    record = package / "package.json"
    if record.is_file() and json.loads(record.read_text())["version"] == katex_version:
        return
    if shutil.which("npm") is None or shutil.which("node") is None:
        sys.exit("site: formulas need node and npm, which are not installed: https://nodejs.org")
    cache.mkdir(parents=True, exist_ok=True)
    words = ["install", "--silent", "--no-save", "--no-audit", "--no-fund", "--ignore-scripts"]
    subprocess.run(["npm", *words, "--prefix", str(cache), f"katex@{katex_version}"], check=True)
    static = cache / "static" / "katex"
    (static / "fonts").mkdir(parents=True, exist_ok=True)
    shutil.copy(package / "dist" / "katex.min.css", static)
    for font in (package / "dist" / "fonts").glob("*.woff2"):
        shutil.copy(font, static / "fonts")


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: python docs/site_sources.py FOLDER")
    folder = Path(sys.argv[1]).resolve()
    if not folder.is_relative_to(ROOT / "build"):
        sys.exit(f"site: {folder} would be emptied: name a folder under {ROOT / 'build'}")
    main(folder)
