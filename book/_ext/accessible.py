"""For readers by ear or by keyboard, and in the dark: mends what axe-core finds in the stock theme's pages.

The theme's templates are left alone, since copies of them would drift. Each finished page is mended in the few
places where the theme, myst-nb, docutils or pandas wrote what a reader stumbles over. A mended page is not
changed again; ``tests/test_accessible.py`` and ``tests/test_browser.py`` tell when one of them writes otherwise.
"""

from __future__ import annotations

import re
from pathlib import Path

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

MENDS = {
    # Who says "click Solution 1" must hit the control that reads "Solution 1" (label-content-name-mismatch).
    r'(<button class="[^"]*search-button-field[^>]*?) aria-label="[^"]*"': r"\1",
    r'<summary aria-label="[^"]*">(?=\s*(?:<\w+[^>]*>\s*)*[^<\s])': "<summary>",
    # The pictures on the theme switch become vector graphics with titles, which count as words that the button reads.
    r'(<i class="theme-switch [^>]*?) title="[^"]*"': r"\1",
    # The title and the search above the contents lie in a landmark, like all else (region).
    r'<div id="pst-primary-sidebar"': '<div role="region" aria-label="Book" id="pst-primary-sidebar"',
    # docutils gives each reference a role that was withdrawn and that a list may not hold (aria-required-children).
    'role="doc-biblioentry"': 'role="listitem"',
    # Figures scroll on a phone (scrollable-region-focusable).
    "<figure class=": '<figure tabindex="0" class=',
    # The empty corner of a table heads nothing (empty-table-header).
    r"<th\b[^>]*>\s*</th>": "<td></td>",
    # Every colour of the theme hangs on this attribute, which only a script would set.
    "<html lang": '<html data-theme="light" lang',
    re.escape(STORED_MODE): AUTO_MODE,
    re.escape(STORED_THEME): SYSTEM_THEME,
    # The home page's title is the book's, and would be read out twice.
    r"<title>([^<]*) (?:—|&#8212;) \1</title>": r"<title>\1</title>",
}


def mend(page: str) -> str:
    """Return a finished HTML page with every mend applied."""
    for found, instead in MENDS.items():
        page = re.sub(found, instead, page)
    return page


def mend_pages(app: Sphinx, exception: Exception | None) -> None:
    """Mend every page that was written; pages that come with the theme's own files are not ours."""
    if exception is not None or app.builder.format != "html":
        return
    folder = Path(app.outdir)
    for path in folder.rglob("*.html"):
        if "_static" not in path.relative_to(folder).parts:
            path.write_text(mend(path.read_text(encoding="utf-8")), encoding="utf-8", newline="\n")


def setup(app: Sphinx) -> dict[str, bool | str]:
    """Register with Sphinx."""
    app.add_js_file(None, body=MEASURE_AGAIN)
    app.connect("build-finished", mend_pages)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
