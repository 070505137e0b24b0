"""The built site as a reader meets it, in headless Chromium: from disk and from a server, in both themes."""

from __future__ import annotations

import io
import re
import shutil
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import matplotlib.image
import numpy as np
import pytest
from axe_playwright_python.base import AXE_SCRIPT
from playwright.sync_api import Browser, Locator, Page, expect, sync_playwright
from playwright.sync_api import TimeoutError as WaitedTooLong

pytestmark = pytest.mark.browser

SITE = Path(__file__).resolve().parents[1] / "_build" / "html"
# Without a built site, the fixture `site` says what to do.
PAGES = sorted(
    path.relative_to(SITE).as_posix() for path in SITE.rglob("*.html") if "_static" not in path.relative_to(SITE).parts
) or ["index.html"]


# A page of each template and of each script: home, notebook, explorer, written page, search.
KINDS_OF_PAGE = [
    "index.html",
    "notebooks/12_ledger.html",
    "notebooks/14_explore_a_cut.html",
    "book/glossary.html",
    "search.html",
]

ORIGINS = ["disk", "server"]
THEMES = ["light", "dark"]

DESKTOP = {"width": 1280, "height": 900}
PHONES = [{"width": 390, "height": 844}, {"width": 320, "height": 640}]

FLAGS = [
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-gpu",
    "--disable-quic",
    "--disable-sync",
    "--no-first-run",
    "--no-sandbox",
    # A page that asks for another host is caught without asking that host.
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    found = filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome")))
    executable = next(found, None)
    if executable is None:
        pytest.skip("no Chromium on this machine: install it (`apt-get install chromium` on Debian) to test the pages")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=executable, args=FLAGS)
        yield browser
        browser.close()


class QuietHandler(SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        """Keep the server's log out of the test run."""


@contextmanager
def serving(folder: Path) -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(QuietHandler, directory=str(folder)))
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@pytest.fixture(scope="module")
def bases(site: Path) -> Iterator[dict[str, str]]:
    """Where the site begins, by origin: the folder on disk, and a server on this machine."""
    with serving(site) as address:
        yield {"disk": site.as_uri(), "server": address}


class Reader:
    """Someone who comes for the first time: a browser without memory, and a note of all that goes wrong."""

    def __init__(self, browser: Browser, base: str, viewport: dict[str, int], theme: str) -> None:
        self.base = base
        self.problems: list[str] = []
        self.context = browser.new_context(viewport=viewport, color_scheme=theme, reduced_motion="reduce")
        self.context.on("console", self._console)
        self.context.on("weberror", lambda error: self.problems.append(f"error: {error.error}"))
        self.context.on("request", self._request)
        self.context.on("requestfailed", lambda request: self.problems.append(f"not loaded: {request.url}"))
        self.context.on("response", self._response)
        self.page = self.context.new_page()

    def _console(self, message: Any) -> None:
        if message.type in {"error", "warning"}:
            self.problems.append(f"console {message.type}: {message.text}")

    def _request(self, request: Any) -> None:
        if not request.url.startswith((self.base, "data:", "blob:")):
            self.problems.append(f"another host: {request.url}")

    def _response(self, response: Any) -> None:
        if response.status >= 400:
            self.problems.append(f"status {response.status}: {response.url}")

    def open(self, name: str) -> Page:
        """Open a page, and all that is folded away on it."""
        self.page.goto(f"{self.base}/{name}")
        self.page.evaluate("document.querySelectorAll('details').forEach(details => { details.open = true; })")
        return self.page

    def take(self, theme: str) -> None:
        """Change the theme, as the reader's system would."""
        self.page.emulate_media(color_scheme=theme)
        # The reference of the module is a page of tens of thousands of elements, which a slow machine lays out anew.
        expect(self.page.locator("html")).to_have_attribute("data-theme", theme, timeout=60_000)


@contextmanager
def reading(browser: Browser, base: str, viewport: dict[str, int] = DESKTOP, theme: str = "light") -> Iterator[Reader]:
    reader = Reader(browser, base, viewport, theme)
    try:
        yield reader
    finally:
        reader.context.close()


# ------------------------------------------------------------------ what can be wrong with a page


# Contrast is most of axe-core's work, word by word, and a page of code has tens of thousands. Words that share colour,
# size, weight and every ground below them share their contrast, so that whatever says nothing new is left out.
# Nor can contrast with a gradient be told, and the book's only ones are the shadows at the edges of what scrolls.
ONE_OF_A_KIND = """() => {
  const plain = document.head.appendChild(document.createElement("style"));
  plain.id = "plain-grounds";
  plain.textContent = "* { background-image: none !important }";
  const grounds = new Map([[null, ""]]), kinds = new Map(), words = new Map();
  const look = element => {
    const style = getComputedStyle(element), {parentElement} = element;
    const ground = [style.backgroundColor, style.opacity, style.filter].join(" ");
    grounds.set(element, `${grounds.get(parentElement) ?? ""}|${ground}`);
    const found = new Set([...element.children].flatMap(child => [...look(child)]));
    const {color, fontSize, fontWeight, textShadow, position} = style;
    if (element.matches("input, select, textarea")) found.add(element);
    if ([...element.childNodes].some(node => node.nodeType === Node.TEXT_NODE && node.data.trim())) {
      words.set(element, [color, fontSize, fontWeight, textShadow, position, grounds.get(element)].join("|"));
      found.add(words.get(element));
    }
    kinds.set(element, found);
    return found;
  };
  look(document.body);
  const seen = new Set();
  const leave_out = element => {
    if ([...kinds.get(element)].every(kind => seen.has(kind))) {
      element.setAttribute("data-left-out", element.style.display);
      element.style.display = "none";
      return;
    }
    if (words.has(element)) seen.add(words.get(element));
    [...element.children].forEach(leave_out);
  };
  leave_out(document.body);
  window.scrollTo({top: 0, behavior: "instant"});
}"""
ALL_AGAIN = """() => {
  document.getElementById("plain-grounds").remove();
  for (const element of document.querySelectorAll("[data-left-out]")) {
    element.style.display = element.getAttribute("data-left-out");
    element.removeAttribute("data-left-out");
  }
}"""


# Every rule of WCAG 2.2 AA, of good practice, and of those still on trial.
TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice", "experimental"]
BUT_CONTRAST = {"runOnly": TAGS, "rules": {"color-contrast": {"enabled": False}}}
CONTRAST = {"runOnly": {"type": "rule", "values": ["color-contrast"]}}
LINKS_IN_TEXT = {"runOnly": {"type": "rule", "values": ["link-in-text-block"]}}  # the other rule on colour


def is_untold(node: dict[str, Any]) -> bool:
    """Whether a word of the page is one whose contrast axe-core could not tell, and should have."""
    below = [related["html"] for check in node["any"] for related in check["relatedNodes"]]
    return not node["html"].startswith("<text") and not any(html.startswith("<body") for html in below)


def barriers(page: Page, but_contrast: Mapping[str, object] = BUT_CONTRAST) -> list[str]:
    """What axe-core finds, of some rules and of contrast."""
    # Preloading would fetch each style sheet again, which a page on disk may not do.
    options = {"resultTypes": ["violations", "incomplete"], "preload": False}
    page.evaluate("script => { if (!window.axe) (0, eval)(script); }", AXE_SCRIPT)
    found = page.evaluate("options => axe.run(document, options)", options | but_contrast)["violations"]
    page.evaluate(ONE_OF_A_KIND)
    told = page.evaluate("options => axe.run(document, options)", options | CONTRAST)
    page.evaluate(ALL_AGAIN)
    # What could not be told is a barrier too, but for words in a drawing, which lie on lines and marks, and for
    # headings of several lines, which are said to lie under the body of the page.
    untold = [
        rule | {"id": f"{rule['id']}, untold", "nodes": list(filter(is_untold, rule["nodes"]))}
        for rule in told["incomplete"]
    ]
    found += told["violations"] + untold
    return [
        f"{rule['id']}: {rule['help']}: {node['target'][-1]}: {node['html'][:160]}"
        for rule in found
        for node in rule["nodes"][:5]
    ]


def barriers_in_both_themes(reader: Reader, page: Page) -> list[str]:
    """What axe-core finds in either theme; of all rules, only those on colour depend on it."""
    found = []
    for theme, rules in zip(THEMES, (BUT_CONTRAST, LINKS_IN_TEXT), strict=True):
        reader.take(theme)
        found += [f"{theme}: {barrier}" for barrier in barriers(page, rules)]
    return found


OVERFLOW = """() => {
  const width = document.documentElement.clientWidth;
  const found = [];
  window.scrollTo(10000, 0);
  if (window.scrollX > 0) found.push(`the page scrolls sideways by ${window.scrollX} px`);
  window.scrollTo(0, 0);
  // Cut off is worse than scrolled: all that is wide must lie in something that scrolls by itself. The
  // theme's container of the whole article would scroll too, and that is a page that scrolls sideways.
  const excused = element => {
    for (let box = element; box && !box.matches("article, .bd-article-container, main"); box = box.parentElement) {
      const style = getComputedStyle(box), size = box.getBoundingClientRect();
      if (style.visibility === "hidden" || size.width <= 1 || size.height <= 1) return true;
      if (box !== element && ["auto", "scroll"].includes(style.overflowX) && size.right <= width + 1) return true;
    }
    return false;
  };
  for (const element of document.querySelectorAll("main *")) {
    if (element.getBoundingClientRect().right > width + 1 && !excused(element)) {
      found.push(`wider than ${width} px: ${element.outerHTML.slice(0, 120)}`);
    }
  }
  return found.slice(0, 8);
}"""

UNREACHABLE = """() => [...document.querySelectorAll("main *")]
  .filter(box => ["auto", "scroll"].includes(getComputedStyle(box).overflowX) && box.scrollWidth > box.clientWidth)
  .filter(box => box.clientWidth > 1 && box.tabIndex < 0 && !box.querySelector("a[href], button, [tabindex='0']"))
  .map(box => `scrolls, and not by keyboard: ${box.outerHTML.slice(0, 120)}`)"""


def listed(found: list[str]) -> str:
    """One finding a line, so that a failure says all of it."""
    return "\n".join(["", *found])


def picture(image: Locator) -> np.ndarray:
    """The pixels of an element as the reader sees it, rows by columns by red, green and blue, from 0 to 1."""
    return matplotlib.image.imread(io.BytesIO(image.screenshot()))[..., :3]


def faults(image: Locator, theme: str) -> list[str]:
    """What a reader would miss in a figure: the file, the ink, or a ground that suits the theme."""
    name = image.get_attribute("src")
    if not image.evaluate("image => image.complete && image.naturalWidth > 0"):
        return [f"{name}: broken"]
    pixels = picture(image)
    light = pixels.mean(axis=2)
    ground = np.median(np.concatenate([light[0], light[-1], light[:, 0], light[:, -1]]))
    found = []
    # Letters and axes alone are more than this, and ink that is not turned with the theme is far less.
    if np.mean(np.abs(light - ground) > 0.5) < 0.002:
        found.append(f"{name}: blank in the {theme} theme")
    if (ground > 0.5) != (theme == "light"):
        found.append(f"{name}: its ground does not follow the {theme} theme")
    return found


def what_a_phone_hides(page: Page) -> list[str]:
    """What is cut off at the width of the page as it stands, or scrolls and is not reached by keyboard."""
    found = []
    for check in (OVERFLOW, UNREACHABLE):
        # The theme slides its sidebar out of a page that has become narrow, and measures again in its own time.
        with suppress(WaitedTooLong):
            page.wait_for_function(f"({check})().length === 0", timeout=5000)
        found += page.evaluate(check)
    return found


def unscrolled_tables(page: Page) -> list[str]:
    """Name the wide tables that the Tab key does not reach or the arrow keys do not move."""
    found = []
    for region in page.locator(".table-frame").all():
        label = region.get_attribute("aria-label")
        if not label:
            found.append("a table without a name")
        if not region.evaluate("box => box.scrollWidth > box.clientWidth"):
            continue
        # Stand on the stop before the table, as a reader would who comes down the page with the Tab key.
        region.evaluate("""box => {
            const stops = [...document.querySelectorAll("a[href], button, input, summary, [tabindex]")]
                .filter(stop => stop.tabIndex >= 0 || stop === box)
                .filter(stop => stop.checkVisibility({visibilityProperty: true}));
            stops[stops.indexOf(box) - 1].focus();
        }""")
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.getAttribute('aria-label')") != label:
            found.append(f"not reached with the Tab key: {label}")
            continue
        page.keyboard.press("ArrowRight")
        try:
            page.wait_for_function("document.activeElement.scrollLeft > 0", timeout=5000)
        except WaitedTooLong:
            found.append(f"not moved by the arrow keys: {label}")
    return found


# ------------------------------------------------------------------ every page


@pytest.mark.parametrize("name", PAGES)
def test_page_as_a_reader_meets_it(browser: Browser, bases: dict[str, str], name: str) -> None:
    """One visit, at a desk in both themes and then on two phones; all that is wrong is told at once."""
    with reading(browser, bases["disk"]) as reader:
        page = reader.open(name)
        page.evaluate("window.scrollTo(0, document.body.scrollHeight)")
        page.evaluate("document.fonts.ready.then(() => null)")
        found = [] if page.locator("h1").count() else ["no heading"]
        images = page.locator("article img").all()
        found += barriers_in_both_themes(reader, page)
        for theme in reversed(THEMES):
            reader.take(theme)
            found += [fault for image in images for fault in faults(image, theme)]
        for viewport in PHONES:
            page.set_viewport_size(viewport)
            found += what_a_phone_hides(page)
        found += unscrolled_tables(page) + reader.problems
    assert not found, listed(found)


@pytest.mark.parametrize("name", KINDS_OF_PAGE)
def test_a_served_page_opens_without_a_murmur_or_a_request_elsewhere(
    browser: Browser, bases: dict[str, str], name: str
) -> None:
    """What a server changes is the same for all pages of one template."""
    with reading(browser, bases["server"]) as reader:
        page = reader.open(name)
        page.evaluate("window.scrollTo(0, document.body.scrollHeight)")
        page.evaluate("document.fonts.ready.then(() => null)")
        assert page.locator("h1").count() > 0
        assert not reader.problems, listed(reader.problems)


def test_some_page_has_figures_and_some_page_has_tables(site: Path) -> None:
    """Guard the tests above and below against finding nothing to look at."""
    texts = [(site / name).read_text(encoding="utf-8") for name in PAGES]
    assert sum("<figure" in text for text in texts) >= 2
    assert sum('class="table-frame"' in text for text in texts) >= 2
    assert len(PAGES) >= 10


# ------------------------------------------------------------------ what a reader does


@pytest.mark.parametrize("origin", ORIGINS)
def test_search_leads_to_the_page_that_has_the_word(browser: Browser, bases: dict[str, str], origin: str) -> None:
    with reading(browser, bases[origin]) as reader:
        page = reader.open("index.html")
        page.get_by_role("button", name="Search").first.click()
        page.locator("#pst-search-dialog input").fill("fingerprint")
        page.keyboard.press("Enter")
        link = page.locator("#search-results ul.search a", has_text="Two tables").first
        link.wait_for()
        found = barriers(page)
        assert not found, listed(found)
        link.click()
        page.wait_for_url("**/notebooks/01_raw_tables.html*")
        assert "fingerprint" in page.locator("article").inner_text()
        assert not reader.problems, listed(reader.problems)


@pytest.mark.parametrize(("theme", "origin"), list(zip(THEMES, ORIGINS, strict=True)))
def test_theme_switch_changes_the_page_and_is_remembered(
    browser: Browser, bases: dict[str, str], theme: str, origin: str
) -> None:
    other = THEMES[1 - THEMES.index(theme)]
    with reading(browser, bases[origin], theme=theme) as reader:
        page = reader.open("index.html")
        root, switch = page.locator("html"), page.locator(".theme-switch-button")

        def ground() -> str:
            """Whether the page is painted light or dark, whatever its attributes say."""
            colour = page.evaluate("getComputedStyle(document.body).backgroundColor")
            return "light" if sum(map(int, re.findall(r"\d+", colour)[:3])) > 3 * 128 else "dark"

        assert ground() == theme, "at first, the page takes the theme of the reader's system"
        switch.click()
        expect(root).to_have_attribute("data-theme", other)
        assert ground() == other
        # A page from disk may open in another process, and the browser tells that one of the choice in its own time:
        # a reader's hand is slower than that, and a test's is not.
        page.wait_for_timeout(1000)
        reader.open("book/glossary.html")
        expect(root).to_have_attribute("data-theme", other)
        assert ground() == other, "the choice holds on the next page"
        switch.click()
        expect(root).to_have_attribute("data-theme", theme)
        assert ground() == theme
        switch.click()
        expect(root).to_have_attribute("data-mode", "auto")
        assert not reader.problems, listed(reader.problems)


# ------------------------------------------------------------------ the checks themselves

BROKEN = """<!DOCTYPE html>
<html lang="en" data-theme="light"><head><title>Broken</title>
<script>matchMedia("(prefers-color-scheme: dark)").onchange = event => {
  document.documentElement.dataset.theme = event.matches ? "dark" : "light"; };</script></head>
<body style="overflow-x: hidden"><main><div class="bd-article-container" style="overflow-x: auto">
<h1>Broken</h1><article>
<script>console.warn("a warning"); setTimeout(() => { throw new Error("a mistake"); });</script>
<script src="https://elsewhere.invalid/tracker.js"></script>
<img id="lost" alt="not there" src="lost.png">
<img id="blank" alt="nothing drawn" width="200" height="100"
  src="data:image/svg+xml,%3Csvg xmlns='http://www.w3.org/2000/svg' width='9' height='9'/%3E">
<p style="color: #bbb; background: #fff">Too pale to read.</p>
<div style="background: linear-gradient(white, #eee)"><p style="color: #ccc">Pale in a shade.</p></div>
<p style="color: #444">Dark on light.</p><div style="background: #222"><p style="color: #444">Dark on dark.</p></div>
<div style="overflow-x: auto" tabindex="-1"><p style="width: 900px">A wide line.</p></div>
<p style="width: 1000px">Cut off.</p>
</article></div></main></body></html>"""


def test_each_check_finds_what_is_wrong(browser: Browser, tmp_path: Path) -> None:
    (tmp_path / "broken.html").write_text(BROKEN)
    with reading(browser, tmp_path.as_uri(), PHONES[0]) as reader:
        page = reader.open("broken.html")
        page.wait_for_timeout(300)
        noted = "\n".join(reader.problems)
        for sign in ("console warning: a warning", "error: a mistake", "another host", "not loaded", "lost.png"):
            assert sign in noted
        found = "\n".join(barrier for barrier in barriers(page) if barrier.startswith("color-contrast"))
        assert "Too pale to read." in found
        assert "Dark on dark." in found
        assert "Dark on light." not in found
        assert "Pale in a shade." in found
        assert "Cut off." in "\n".join(page.evaluate(OVERFLOW))
        assert "A wide line." not in "\n".join(page.evaluate(OVERFLOW))
        assert "A wide line." in "\n".join(page.evaluate(UNREACHABLE))
        assert faults(page.locator("#lost"), "light") == ["lost.png: broken"]
        assert "blank in the light theme" in faults(page.locator("#blank"), "light")[0]
        assert "does not follow" in faults(page.locator("#blank"), "dark")[-1]
        page.evaluate("document.querySelector('.bd-article-container').style.overflowX = 'visible'")
        page.evaluate("document.body.style.overflowX = 'visible'")
        assert "scrolls sideways" in page.evaluate(OVERFLOW)[0]
