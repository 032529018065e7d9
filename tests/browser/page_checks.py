"""What must hold on any page: read by the tests of the site, and tested on a page that breaks it.

A page asks no other host for anything, its scripts run, its pictures are there and described, it
fits the width of the screen, and its formulas are set.
"""

WIDTHS = (1400, 390)  # a desk and a telephone

# Formulas that were not set would stand as text between dollars or in TeX's brackets.
PROBLEMS = r"""
() => {
  const problems = [];
  const page = document.documentElement;
  if (page.scrollWidth > page.clientWidth + 1) {
    const wide = [...document.querySelectorAll("article *")]
      .filter((node) => node.getBoundingClientRect().right > page.clientWidth + 1)
      .filter((node) => !node.closest("pre, .pst-scrollable-table-container"))
      .map((node) => node.tagName.toLowerCase() + "." + node.className);
    problems.push(`wider than the screen: ${page.scrollWidth} > ${page.clientWidth}; ` + wide[0]);
  }
  for (const image of document.images) {
    if (!image.complete || !image.naturalWidth) problems.push(`broken picture ${image.src}`);
    const name = decodeURIComponent(image.src.split("/").pop());
    if (!image.alt || image.src.endsWith(image.alt) || image.alt === name) {
      problems.push(`picture without a text ${name.slice(0, 80)}`);
    }
  }
  for (const formula of document.querySelectorAll(".math")) {
    if (!formula.querySelector(".katex")) problems.push(`raw formula ${formula.textContent}`);
  }
  for (const error of document.querySelectorAll(".katex-error")) {
    problems.push(`wrong formula ${error.textContent}`);
  }
  const prose = [...document.querySelectorAll("article p, article li, article td")];
  for (const block of prose) {
    const copy = block.cloneNode(true);
    copy.querySelectorAll("code, pre, .katex").forEach((node) => node.remove());
    const raw = /\$[^$\s][^$]*\$|\\\(|\\frac|\\mathrm/.exec(copy.textContent);
    if (raw) problems.push(`raw formula ${raw[0].slice(0, 60)}`);
  }
  return problems;
}
"""
LOAD_ALL = """
async () => {
  for (const image of document.images) image.loading = "eager";
  await Promise.all([...document.images].map((image) => image.decode().catch(() => null)));
}
"""


class Watch:
    """Follows what the pages of one browser ask for and complain about."""

    def __init__(self, context, host):
        self.host = host
        self.complaints = []
        self.page = context.pages[0]
        self.page.route("**/*", self._route)
        self.page.on("pageerror", lambda error: self.complaints.append(f"script error: {error}"))
        self.page.on("console", self._console)
        self.page.on("response", self._response)

    def problems(self, address):
        """Open a page and return what is wrong with it, one line each."""
        self.complaints = []
        self.page.goto(address, wait_until="load")
        self.page.evaluate(LOAD_ALL)
        return [*self.complaints, *self.page.evaluate(PROBLEMS)]

    def _route(self, route):
        if route.request.url.startswith((self.host, "data:", "blob:")):
            route.continue_()
        else:
            self.complaints.append(f"foreign request: {route.request.url}")
            route.abort()

    def _console(self, message):
        # A request that was stopped or failed has its own line already.
        if message.type == "error" and "Failed to load resource" not in message.text:
            self.complaints.append(f"console: {message.text}")

    def _response(self, response):
        if response.status >= 400 and not response.url.endswith("/favicon.ico"):
            self.complaints.append(f"{response.status}: {response.url}")
