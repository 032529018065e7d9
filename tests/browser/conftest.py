"""A real browser: Debian's Chromium (or $CHROMIUM), driven by playwright, kept off the network."""

import functools
import http.server
import os
import shutil
import subprocess
import threading

import pytest
from conftest import HOME

QUIET = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


@pytest.fixture(scope="session")
def chromium():
    """The path of the browser; without one, what needs it is skipped and says so."""
    pytest.importorskip("playwright", reason="playwright is missing: pip install playwright")
    path = os.environ.get("CHROMIUM") or shutil.which("chromium")
    if path is None:
        pytest.skip("Chromium is missing: apt-get install chromium, or name it in CHROMIUM")
    return path


@pytest.fixture(scope="session")
def browse(chromium, tmp_path_factory):
    """Open a browser of a width: a playwright context, closed at the end of the tests."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        contexts = []

        def opened(width=1400, **options):
            context = playwright.chromium.launch_persistent_context(
                tmp_path_factory.mktemp("browser"),
                executable_path=chromium,
                viewport={"width": width, "height": 900},
                args=list(QUIET),
                **options,
            )
            contexts.append(context)
            return context

        yield opened
        for context in contexts:
            context.close()


class _Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *words):
        pass


@pytest.fixture(scope="session")
def serve():
    """Serve folders on this machine; returns the address of each."""
    servers = []

    def served(folder):
        handler = functools.partial(_Quiet, directory=str(folder))
        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        servers.append(server)
        return f"http://127.0.0.1:{server.server_address[1]}"

    yield served
    for server in servers:
        server.shutdown()
        server.server_close()


@pytest.fixture(scope="session")
def site(chromium):
    """The folder of the site, built anew by `make site`."""
    if shutil.which("npm") is None:
        pytest.skip("npm is missing, which brings the style of formulas: apt-get install npm")
    # The site shows the project's own results, whatever folder the other tests write to.
    environment = {
        name: value for name, value in os.environ.items() if name != "EQUILIBRIA_FIGURES"
    }
    done = subprocess.run(
        ["make", "site"], cwd=HOME, env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return HOME / "build" / "site" / "html"
