"""Print the built site as one PDF, by headless Chromium.

The pages are put one after another into a single page, in the order of the contents, so that the print
holds what the site holds: the same numbers and figures, with what is folded away unfolded.
"""

from __future__ import annotations

import re
import shutil
import sys
from pathlib import Path
from posixpath import normpath
from urllib.parse import urlsplit

import yaml
from bs4 import BeautifulSoup, Tag
from playwright.sync_api import sync_playwright

FLAGS = ["--disable-background-networking", "--disable-component-update", "--disable-gpu", "--disable-quic",
         "--disable-sync", "--no-first-run", "--no-sandbox", "--host-resolver-rules=MAP * ~NOTFOUND"]  # fmt: skip
# What makes no sense on paper.
ONLY_ON_SCREEN = "a.headerlink, link, .table-download, .notebook-download, button, script, .prev-next-footer"
SHEET = """
@page { size: A4; margin: 18mm 16mm; }
body { background: #fff; }
* { animation: none !important; transition: none !important; }  /* or what is unfolded prints half faded in */
article { break-before: page; }
article:first-of-type, nav.print-contents { break-before: auto; }
nav.print-contents { break-before: page; }
figure, table.ledger tr, .frame-table tr, .sd-card { break-inside: avoid; }
table, thead, tbody, details, div.cell, div.cell_output { break-inside: auto !important; }
h1, h2, h3, h4, summary, div.cell_input { break-after: avoid; }
article h1 { display: block !important; }  /* the theme prints its own title */
figure img { max-width: 100%; max-height: 22cm; }
.table-frame, pre, .bd-main .bd-content figure { overflow: visible; }
pre { white-space: pre-wrap; overflow-wrap: anywhere; }
table.frame-table { font-size: 0.75em; }
.bd-main .bd-content table.frame-table th, .bd-main .bd-content table.frame-table td {
  overflow-wrap: break-word; padding: 0.15rem 0.4rem 0.15rem 0;
}
.bd-main, .bd-main .bd-content { display: block; margin: 0; padding-right: 3px; }
a { color: inherit; text-decoration: none; }
"""
SCALE = 0.72  # so that a sheet is as wide as a desktop page, and has its layout
WIDTH = 934  # of a sheet between its margins, at that scale
# Letters are there, and every picture is drawn.
READY = """async () => {
  await document.fonts.ready;
  await Promise.all([...document.images].map(image => image.decode()));
}"""
# Paper does not scroll: a table that is wider than the sheet becomes smaller.
FIT_TABLES = """() => {
  for (const frame of document.querySelectorAll(".table-frame")) {
    const table = frame.querySelector("table");
    if (table.offsetWidth > frame.clientWidth) table.style.zoom = frame.clientWidth / table.offsetWidth;
  }
}"""
FOOTER = '<div style="width: 100%; text-align: center; font-size: 8px"><span class="pageNumber"></span></div>'
# The only bytes of a print that tell when it was made.
DATES = re.compile(rb"(/(?:CreationDate|ModDate) \(D:)\d{14}")
NO_DATE = rb"\g<1>20000101000000"


def contents(project: Path) -> list[str]:
    """Return the pages in the order of the contents, without their suffix."""
    toc = yaml.safe_load((project / "_toc.yml").read_text(encoding="utf-8"))
    chapters = [chapter["file"] for part in toc["parts"] for chapter in part["chapters"]]
    return [name.removesuffix(".md") for name in (toc["root"], *chapters)]


def place(page: str, fragment: str = "") -> str:
    """Return the name that a place of a page has in the print."""
    return f"{page.replace('/', '.')}--{fragment}" if fragment else page.replace("/", ".")


def beside(page: str, link: str) -> str:
    """Return the path within the site of a file that a page names, without its digest."""
    return normpath(f"{page}/../{link}").partition("?")[0]


def resolve(page: str, link: str) -> str | None:
    """Return a link of a page as it stands in the print, or None if it leads to a file that the print lacks."""
    target = urlsplit(link)
    if target.scheme:
        return link if target.scheme in {"http", "https", "mailto"} else None
    path = beside(page, target.path) if target.path else f"{page}.html"
    return f"#{place(path.removesuffix('.html'), target.fragment)}" if path.endswith(".html") else None


def printable(site: Path, page: str, base: str) -> Tag:
    """Return the article of a page, unfolded, with names, links and pictures as the print needs them."""
    soup = BeautifulSoup((site / f"{page}.html").read_text(encoding="utf-8"), "html.parser")
    article = soup.find("article")
    if not isinstance(article, Tag):
        raise TypeError(f"{site / page}.html: found no article; run `make book`")
    for element in article.select(ONLY_ON_SCREEN):
        element.decompose()
    for folded in article.find_all("details"):
        folded["open"] = ""
    for element in article.find_all(id=True):
        element["id"] = place(page, str(element["id"]))
    for link in article.find_all("a", href=True):
        if (found := resolve(page, str(link["href"]))) is None:
            link.unwrap()
        else:
            link["href"] = found
    for image in article.find_all("img"):
        image["src"] = f"{base}/{beside(page, str(image['src']))}"
    article["id"] = place(page)
    return article


def one_page(site: Path, pages: list[str], base: str) -> str:
    """Return the whole book as one HTML page, in the look of the site's light theme.

    ``base`` is the site's address, or its path from where the page will lie.
    """
    articles = [printable(site, page, base) for page in pages]
    home = BeautifulSoup((site / f"{pages[0]}.html").read_text(encoding="utf-8"), "html.parser")
    styles = [beside(pages[0], str(link["href"])) for link in home.select('link[rel~="stylesheet"]')]
    sheets = "".join(f'<link rel="stylesheet" href="{base}/{style}"/>' for style in styles)
    entries = [
        f'<li><a href="#{article["id"]}">{heading.get_text()}</a></li>'
        for article in articles[1:]
        if (heading := article.find("h1")) is not None
    ]
    listed = f'<nav class="print-contents"><h2>Contents</h2><ol>{"".join(entries)}</ol></nav>'
    body = str(articles[0]) + listed + "".join(map(str, articles[1:]))
    title = home.title.get_text() if home.title else ""
    return (
        f'<!DOCTYPE html><html lang="en" data-theme="light" data-mode="light"><head><meta charset="utf-8"/>'
        f"<title>{title}</title>{sheets}<style>{SHEET}</style></head>"
        f'<body><div class="bd-main"><div class="bd-content">{body}</div></div></body></html>'
    )


def print_page(page: Path, target: Path) -> None:
    """Print an HTML page to PDF, with bookmarks and tags for readers who hear it."""
    executable = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if executable is None:
        raise FileNotFoundError("no Chromium on this machine: install it (`apt-get install chromium` on Debian)")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=executable, args=FLAGS)
        tab = browser.new_page(viewport={"width": WIDTH, "height": 1300})
        tab.emulate_media(media="print")
        tab.goto(page.resolve().as_uri())
        tab.evaluate(READY)
        tab.evaluate(FIT_TABLES)
        content = tab.pdf(
            prefer_css_page_size=True, print_background=True, scale=SCALE, outline=True, tagged=True,
            display_header_footer=True, header_template="<span></span>", footer_template=FOOTER,
        )  # fmt: skip
        browser.close()
    target.write_bytes(DATES.sub(NO_DATE, content))


def main(project: Path, site: Path, target: Path) -> int:
    """Write the one page beside the site, and print it."""
    page = site.parent / "print.html"
    page.write_text(one_page(site, contents(project), site.name), encoding="utf-8", newline="\n")
    try:
        print_page(page, target)
    except FileNotFoundError as error:
        print(f"make: {error}", file=sys.stderr)
        return 1
    print(f"The book is printed: {target}")
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(__file__).resolve().parents[2], *map(Path, sys.argv[1:])))
