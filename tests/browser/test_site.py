"""Every page of the site in a real browser, on a wide screen and on a phone's."""

import importlib
import inspect
import io
import pkgutil

import equilibria
import pytest
from browser.page_checks import WIDTHS, Watch
from equilibria.companion import claims
from equilibria.companion.live import players, store
from equilibria.companion.parameters import notebooks
from PIL import Image, ImageChops, ImageStat

pytestmark = [pytest.mark.browser, pytest.mark.end_to_end]

BROKEN = """<!doctype html><title>broken</title><article>
<p>Not set: $x_t$</p> <span class="math">y</span>
<img src="no.png"> <div style="width: 2000px">wide</div>
<script src="https://cdn.example.org/x.js"></script> <script>nothing();</script></article>"""


@pytest.fixture(scope="module")
def address(site, serve):
    return serve(site)


def pages_of(site):
    pages = (path.relative_to(site).as_posix() for path in site.rglob("*.html"))
    return sorted(page for page in pages if not page.startswith("_static"))


def test_the_checks_find_what_is_wrong(browse, serve, tmp_path):
    (tmp_path / "broken.html").write_text(BROKEN)
    host = serve(tmp_path)
    found = "\n".join(Watch(browse(390), host).problems(f"{host}/broken.html"))
    for problem in (
        "foreign request: https://cdn.example.org/x.js",
        "script error: nothing is not defined",
        "404: ",
        "broken picture",
        "picture without a text",
        "wider than the screen",
        "raw formula $x_t$",
        "raw formula y",
    ):
        assert problem in found


@pytest.mark.parametrize("width", WIDTHS)
def test_every_page_is_whole(width, site, address, browse):
    pages = pages_of(site)
    assert {f"notebooks/{name}.html" for name in notebooks()} < set(pages)
    watch = Watch(browse(width), address)
    found = [
        f"{page}: {problem}" for page in pages for problem in watch.problems(f"{address}/{page}")
    ]
    assert not found, "\n".join(found)


def test_formulas_are_set_in_their_own_type(address, browse):
    page = browse().pages[0]
    page.goto(f"{address}/notebooks/01_one_over_x.html")
    assert page.locator(".katex").count() > 20
    page.evaluate("document.fonts.ready")
    assert page.evaluate("document.fonts.check('16px KaTeX_Main')")
    assert page.evaluate(
        "[...document.fonts].some((f) => f.family.startsWith('KaTeX') && f.status === 'loaded')"
    )


def test_the_verdicts_can_be_filtered_and_are_whole_without_scripts(address, browse, monkeypatch):
    monkeypatch.delenv("EQUILIBRIA_FIGURES", raising=False)
    where = f"{address}/figures/quick/README.html"
    verdicts = claims.judge_all("quick")
    partly = [verdict.claim.id for verdict in verdicts if verdict.word == "partly"]
    page = browse().pages[0]
    page.goto(where)
    headings = page.locator("article section > h3:visible")
    assert headings.count() == len(verdicts)
    page.get_by_role("button", name="partly").click()
    assert sorted(text.partition(": ")[2].strip("#") for text in headings.all_inner_texts()) == (
        sorted(partly)
    )
    page.get_by_role("button", name="partly").click()
    page.get_by_label("Notebook").select_option("04_linear_programs")
    of_04 = sum(verdict.claim.notebook == "04_linear_programs" for verdict in verdicts)
    assert headings.count() == of_04
    page.get_by_label("Words in a claim").fill("no claim says this")
    assert headings.count() == 0

    plain = browse(java_script_enabled=False).pages[0]
    plain.goto(where)
    assert plain.locator("article section > h3:visible").count() == len(verdicts)


@pytest.mark.parametrize("width", WIDTHS)
def test_every_slider_moves_its_picture(width, address, browse, site):
    page = browse(width, has_touch=width < 1000).pages[0]
    moved = 0
    for name in ("live", *(f"notebooks/{name}" for name in notebooks())):
        page.goto(f"{address}/{name}.html")
        for player in page.locator(".player").all():
            for slider in player.locator("input[type=range]").all():
                slider.press("Home")
                before = player.inner_html()
                slider.press("End")
                assert player.inner_html() != before, name
                moved += 1
    assert moved >= 10  # of the page Live, and two in notebook 01


def player_of(page, name):
    return page.locator(".player").nth(list(players.PLAYERS).index(name))


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("name", ["photograph", "flow"])
def test_a_sheet_shows_the_picture_of_its_frame(name, width, address, browse):
    page = browse(width).pages[0]
    page.goto(f"{address}/live.html")
    player, data = player_of(page, name), store.read(name)
    panels = player.locator(".sheet")
    assert panels.count() == 3
    count = len(data["times"])
    for frame in (0, 2, count - 1):
        player.locator("input").fill(str(frame))
        for panel, place in zip(panels.all(), (count, frame, count + 1), strict=True):
            shown = small(Image.open(io.BytesIO(panel.screenshot())))
            # Which of all pictures is the nearest? Late ones are all but equal.
            gaps = [
                max(ImageStat.Stat(ImageChops.difference(shown, small(one))).rms)
                for one in (store.picture(name, data, k) for k in range(count + 2))
            ]
            assert gaps[place] <= 1.1 * min(gaps), (frame, place)
            assert gaps[place] < 0.5 * max(gaps), (frame, place)


def small(picture):
    """A picture of means, in which half a pixel more or less at the edge does not matter."""
    return picture.convert("RGB").resize((20, 20), Image.Resampling.BOX)


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize(("name", "part"), [("parity", 4), ("story", 0)])
def test_a_part_that_is_pressed_is_changed_and_moves_answers(name, part, width, address, browse):
    page = browse(width).pages[0]
    page.goto(f"{address}/live.html")
    player, data = player_of(page, name), store.read(name)
    times, changed = player.locator("input").all()
    times.press("End")
    answers = player.locator("li > span")
    button = player.locator("li > button").nth(part)
    told, before = button.inner_text(), answers.all_inner_texts()
    here = [variant for variant, place in enumerate(data["places"]) if place == part]
    for variant in here:
        button.click()
        assert changed.input_value() == str(variant)
        assert button.inner_text() == data["inputs"][variant][part] != told
        said = answers.all_inner_texts()
        assert said == [data["words"][i] for i in data["answers"][-1][variant]]
        marked = player.locator("li > span.moved").count()
        assert marked == sum(a != b for a, b in zip(said, before, strict=True)) > 0
        wrong = sum(
            a != b
            for a, b in zip(data["answers"][-1][variant], data["truth"][variant], strict=True)
        )
        assert player.locator("li > span.wrong").count() == wrong
    button.click()  # after the last change comes the question as it was
    assert button.inner_text() == told and answers.all_inner_texts() == before


def test_play_runs_to_the_end_and_stops(address, browse):
    page = browse().pages[0]
    page.goto(f"{address}/live.html")
    player = player_of(page, "flow")
    player.get_by_role("button", name="Play").click()
    player.get_by_role("button", name="Pause").wait_for()
    player.get_by_role("button", name="Play").wait_for(timeout=30_000)
    slider = player.locator("input")
    assert slider.input_value() == slider.get_attribute("max")


def test_without_scripts_the_page_live_shows_still_pictures(address, browse):
    page = browse(java_script_enabled=False).pages[0]
    page.goto(f"{address}/live.html")
    assert page.locator(".player img:visible").count() == len(players.PLAYERS)


def test_dark_and_printed_pages_are_readable(address, browse):
    page = browse(color_scheme="dark").pages[0]
    page.goto(f"{address}/index.html")
    ground = "getComputedStyle(document.body).backgroundColor.match(/\\d+/g).map(Number)"
    assert max(page.evaluate(ground)[:3]) < 80
    assert page.locator(".bd-sidebar-primary").is_visible()
    page.emulate_media(media="print")
    assert not page.locator(".bd-sidebar-primary").is_visible()


def test_every_public_name_with_a_docstring_is_on_a_page_of_the_library(site):
    from sphinx.util.inventory import InventoryFile

    with (site / "objects.inv").open("rb") as file:
        inventory = InventoryFile.load(file, "", lambda base, name: name)
    documented = {name for kind, names in inventory.items() if "py:" in kind for name in names}
    wanted = {
        f"{value.__module__}.{value.__qualname__}"
        for info in pkgutil.walk_packages(equilibria.__path__, "equilibria.")
        if "._" not in info.name
        for value in public_values(importlib.import_module(info.name))
    }
    assert len(wanted) > 300
    assert wanted - documented == set()


def public_values(module):
    for name in getattr(module, "__all__", []):
        value = getattr(module, name)
        ours = getattr(value, "__module__", "").startswith("equilibria")
        if (inspect.isclass(value) or inspect.isfunction(value)) and ours and value.__doc__:
            yield value
