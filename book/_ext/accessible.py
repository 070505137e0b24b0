"""Mend what an accessibility checker finds in the pages of the stock theme.

The theme's templates are left alone, since copies of them would drift. Each finished page is read
again and mended, so that whatever the theme, myst-nb or a bibliography wrote has passed through here.
A mend that finds nothing to do does nothing, and a mended page is not changed again.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

from bs4 import BeautifulSoup
from joblib import cpu_count
from sphinx.application import Sphinx

# The theme asks each scrolling block whether it overflows, when the page opens, and takes those that
# do not out of the keyboard's way. A block inside a closed dropdown has no width yet, and so could
# never be scrolled by keyboard. Opening a dropdown therefore asks again.
MEASURE_AGAIN = 'document.addEventListener("toggle", () => window.dispatchEvent(new Event("resize")), true);'

# The theme's first lines of script, and what they should have been. With no stored choice, the theme
# takes an empty mode, calls it invalid on the console and paints the page twice. The mode is "auto"
# then, and the theme the one that the reader's system asks for.
STORED_MODE = 'localStorage.getItem("mode") || ""'
STORED_THEME = 'localStorage.getItem("theme") || ""'
AUTO_MODE = 'localStorage.getItem("mode") || "auto"'
SYSTEM_THEME = (
    'document.documentElement.dataset.mode !== "auto" && localStorage.getItem("theme")'
    ' || (matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light")'
)


def name_buttons_as_they_read(soup: BeautifulSoup) -> None:
    """Let the visible words of a control be its name (label-content-name-mismatch).

    Who says "click Solution 1" to a computer must hit the control that reads "Solution 1".
    """
    for control in soup.select("button.search-button-field[aria-label], details > summary[aria-label]"):
        if control.get_text(strip=True):
            del control["aria-label"]
    # The three pictures on the theme switch become vector graphics with titles, which count as visible
    # words: the button would read "Light Dark System Settings". Its own label is the better name.
    for icon in soup.select("button.theme-switch-button[aria-label] > i[title]"):
        del icon["title"]


def give_the_sidebar_a_landmark(soup: BeautifulSoup) -> None:
    """Put the title and the search above the contents into a landmark, like all else (region)."""
    for sidebar in soup.select("div#pst-primary-sidebar"):
        sidebar["role"] = "region"
        sidebar["aria-label"] = "Book"


def make_bibliographies_lists(soup: BeautifulSoup) -> None:
    """Let a list of references hold list items (aria-required-children, aria-deprecated-role).

    docutils marks each as ``doc-biblioentry``, a role that was withdrawn and that a list may not hold.
    """
    for entry in soup.select('[role="list"] > [role="doc-biblioentry"]'):
        entry["role"] = "listitem"


def let_the_keyboard_scroll_figures(soup: BeautifulSoup) -> None:
    """Make figures focusable, because they scroll on a phone (scrollable-region-focusable)."""
    for figure in soup.select("article figure:has(img)"):
        figure["tabindex"] = "0"


def name_empty_header_cells(soup: BeautifulSoup) -> None:
    """Make an empty corner of a table a plain cell, since it heads nothing (empty-table-header)."""
    for cell in soup.select("article th"):
        if not cell.get_text(strip=True) and not cell.find(["img", "svg"]):
            cell.name = "td"
            for attribute in ("scope", "id"):
                cell.attrs.pop(attribute, None)


def begin_in_the_readers_theme(soup: BeautifulSoup) -> None:
    """Start in the theme of the reader's system, and in the light one without scripts."""
    root = soup.find("html")
    for script in soup.find_all("script", src=False):
        text = script.string or ""
        if root is not None and STORED_MODE in text:
            # Every colour of the theme hangs on this attribute, which only a script would set.
            root["data-theme"] = "light"
            script.string = text.replace(STORED_MODE, AUTO_MODE).replace(STORED_THEME, SYSTEM_THEME)


def say_the_title_once(soup: BeautifulSoup) -> None:
    """Shorten the home page's title, which is the book's and would be read out twice."""
    for title in soup.select("head > title"):
        page, _, book = title.get_text().partition(" — ")
        if page == book:
            title.string = page


MENDS: tuple[Callable[[BeautifulSoup], None], ...] = (
    name_buttons_as_they_read,
    give_the_sidebar_a_landmark,
    make_bibliographies_lists,
    let_the_keyboard_scroll_figures,
    name_empty_header_cells,
    begin_in_the_readers_theme,
    say_the_title_once,
)


def mend(page: str) -> str:
    """Return a finished HTML page with every mend applied."""
    soup = BeautifulSoup(page, "html.parser")
    for repair in MENDS:
        repair(soup)
    return str(soup)


def mend_pages(app: Sphinx, exception: Exception | None) -> None:
    """Mend every page that was written; pages that come with the theme's own files are not ours."""
    if exception is not None or app.builder.format != "html":
        return
    folder = Path(app.outdir)
    paths = [path for path in sorted(folder.rglob("*.html")) if "_static" not in path.relative_to(folder).parts]
    # To read and write a page takes a third of a build that has nothing to execute: shared by all processors.
    # The longest first, so that none is left over when the others are done.
    with ProcessPoolExecutor(cpu_count()) as pool:
        list(pool.map(mend_file, sorted(paths, key=lambda path: -path.stat().st_size)))


def mend_file(path: Path) -> None:
    """Mend one page where it lies."""
    page = path.read_text(encoding="utf-8")
    mended = mend(page)
    if mended != page:
        path.write_text(mended, encoding="utf-8", newline="\n")


def setup(app: Sphinx) -> dict[str, bool | str]:
    """Register with Sphinx."""
    app.add_js_file(None, body=MEASURE_AGAIN)
    app.connect("build-finished", mend_pages)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
