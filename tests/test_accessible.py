from __future__ import annotations

import pytest
from accessible import AUTO_MODE, STORED_MODE, STORED_THEME, mend, mend_pages
from bs4 import BeautifulSoup, Tag


def mended(snippet: str, selector: str) -> Tag:
    found = BeautifulSoup(mend(snippet), "html.parser").select_one(selector)
    assert found is not None, f"no {selector} in {mend(snippet)}"
    return found


@pytest.mark.parametrize(
    ("snippet", "selector", "words"),
    [
        (
            '<button class="btn search-button-field" aria-label="Search"><span>Search</span><kbd>K</kbd></button>',
            "button",
            "SearchK",
        ),
        (
            '<details><summary aria-label="Toggle hidden content"><p>Solution 1</p></summary>text</details>',
            "summary",
            "Solution 1",
        ),
    ],
    ids=["search", "dropdown"],
)
def test_a_control_that_reads_has_its_words_for_a_name(snippet: str, selector: str, words: str) -> None:
    control = mended(snippet, selector)
    assert "aria-label" not in control.attrs
    assert control.get_text() == words


@pytest.mark.parametrize(
    "snippet",
    [
        '<button class="search-button" aria-label="Search"><i class="glass"></i></button>',
        '<details><summary aria-label="Toggle hidden content"></summary></details>',
    ],
)
def test_a_control_without_words_keeps_its_label(snippet: str) -> None:
    assert mended(snippet, "[aria-label]")["aria-label"]


def test_the_pictures_of_the_theme_switch_have_no_words() -> None:
    switch = mended(
        '<button class="theme-switch-button" aria-label="Color mode">'
        '<i class="theme-switch sun" data-mode="light" title="Light"></i></button>',
        "button",
    )
    assert switch["aria-label"] == "Color mode"
    assert switch.i is not None
    assert switch.i.attrs == {"class": ["theme-switch", "sun"], "data-mode": "light"}


def test_the_sidebar_is_a_named_landmark() -> None:
    sidebar = mended('<div id="pst-primary-sidebar" class="x"><a href="#">The book</a></div>', "div")
    assert sidebar["role"] == "region"
    assert sidebar["aria-label"]


def test_references_are_items_of_their_list() -> None:
    page = '<div role="list"><div role="doc-biblioentry" id="a">A paper.</div></div>'
    assert mended(page, "#a")["role"] == "listitem"


def test_figures_can_be_scrolled_by_keyboard() -> None:
    page = '<article><figure class="align-default"><img alt="x" src="x.svg"/></figure></article>'
    assert mended(page, "figure")["tabindex"] == "0"


@pytest.mark.parametrize(
    ("cell", "name"),
    [
        ('<th scope="col"> </th>', "td"),
        ('<th scope="col">n</th>', "th"),
        ('<th><img alt="n" src="n.svg"/></th>', "th"),
    ],
)
def test_only_an_empty_header_cell_becomes_a_plain_one(cell: str, name: str) -> None:
    row = mended(f"<article><table><tr>{cell}<td>1</td></tr></table></article>", "tr")
    first = row.find(["th", "td"])
    assert isinstance(first, Tag)
    assert first.name == name
    assert ("scope" in first.attrs) == ("scope" in cell and name == "th")


def test_a_page_opens_in_the_theme_of_the_system() -> None:
    script = f"<script>d.mode = {STORED_MODE};\nd.theme = {STORED_THEME};</script>"
    page = mend(f'<html lang="en"><head>{script}</head></html>')
    assert BeautifulSoup(page, "html.parser").html["data-theme"] == "light"
    assert AUTO_MODE in page
    assert "prefers-color-scheme: dark" in page
    assert STORED_THEME not in page


def test_other_scripts_are_left_alone() -> None:
    script = '<script>if (1 < 2 && "</p>") { go(); }</script>'
    assert script in mend(f'<html lang="en"><head>{script}</head></html>')


@pytest.mark.parametrize(
    ("title", "short"), [("The book &#8212; The book", "The book"), ("A page — The book", "A page — The book")]
)
def test_a_title_is_said_once(title: str, short: str) -> None:
    assert mended(f"<html><head><title>{title}</title></head></html>", "title").get_text() == short


def test_code_and_spaces_survive_and_a_second_mend_changes_nothing() -> None:
    page = (
        '<!DOCTYPE html>\n<html lang="en"><head><title>The book — The book</title></head><body>'
        "<pre>  if a &lt; b &amp; c:\n\n      pass\n</pre>"
        '<article><figure class="x"><img alt="a &quot;" src="x.svg"/></figure><th></th></article></body></html>\n'
    )
    once = mend(page)
    assert "<pre>  if a &lt; b &amp; c:\n\n      pass\n</pre>" in once
    assert once != page
    assert mend(once) == once


class FakeBuilder:
    format = "html"


class FakeApp:
    def __init__(self, outdir: str) -> None:
        self.outdir = outdir
        self.builder = FakeBuilder()


@pytest.mark.parametrize("broken", [False, True])
def test_every_page_is_mended_but_for_the_themes_own_files(tmp_path, broken: bool) -> None:
    page = '<article><figure class="x"><img alt="é" src="x.svg"/></figure></article>'
    for name in ("index.html", "notebooks/a.html", "_static/b.html"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(page, encoding="utf-8")
    mend_pages(FakeApp(str(tmp_path)), RuntimeError("the build failed") if broken else None)
    changed = {p.relative_to(tmp_path).as_posix() for p in tmp_path.rglob("*.html") if p.read_text("utf-8") != page}
    assert changed == (set() if broken else {"index.html", "notebooks/a.html"})


@pytest.mark.build
def test_every_built_page_was_mended(site) -> None:
    pages = [path for path in site.rglob("*.html") if "_static" not in path.parts]
    assert pages
    for path in pages:
        page = path.read_text(encoding="utf-8")
        assert mend(page) == page, path.name
        assert AUTO_MODE in page, f"{path.name}: the theme's first script reads otherwise than expected"
        assert 'role="region"' in page, path.name
