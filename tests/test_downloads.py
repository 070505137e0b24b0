"""What a reader can take away or follow: tables as CSV, notebooks, previews, and the way from ledger to cell."""

from __future__ import annotations

import base64
import io
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pytest
from bs4 import BeautifulSoup, Tag
from docutils import nodes
from docutils.core import publish_doctree
from downloads import lay_out_tables
from playwright.sync_api import Browser
from previews import description
from test_browser import DESKTOP, browser, reading  # noqa: F401 - a fixture

from survaudit.figures.tables import FrameTable
from survaudit.ledger import Ledger

FRAME = pd.DataFrame({"patient": [1, 2], "share": [1 / 3, float("nan")], "words": ['a "quoted", one', "café"]})


def notebook_pages(site: Path) -> list[Path]:
    return sorted((site / "notebooks").glob("*.html"))


def article(page: Path) -> Tag:
    found = BeautifulSoup(page.read_text(encoding="utf-8"), "html.parser").find("article")
    assert isinstance(found, Tag)
    return found


# ------------------------------------------------------------------ tables as CSV


def csv_in(html: str) -> pd.DataFrame:
    link = BeautifulSoup(html, "html.parser").select_one("p.table-download a")
    assert link is not None
    content = base64.b64decode(link["href"].removeprefix("data:text/csv;base64,"))
    return pd.read_csv(io.BytesIO(content), float_precision="round_trip")


def test_a_table_carries_its_frame_to_the_last_bit() -> None:
    pd.testing.assert_frame_equal(csv_in(FrameTable(FRAME, "Some table")._repr_html_()), FRAME, check_exact=True)


def test_a_table_of_a_part_carries_the_whole_and_a_named_index() -> None:
    html = FrameTable(FRAME.head(1), "A part", full=FRAME.set_index("patient"))._repr_html_()
    assert len(BeautifulSoup(html, "html.parser").select("tbody tr")) == 1
    pd.testing.assert_frame_equal(csv_in(html), FRAME, check_exact=True)


def test_the_link_is_named_after_the_table() -> None:
    html = FrameTable(FRAME, "P & chi-square, panel A")._repr_html_()
    link = BeautifulSoup(html, "html.parser").select_one("p.table-download a")
    assert link["download"] == "p-chi-square-panel-a.csv"
    assert link.get_text() == "P & chi-square, panel A (CSV)"


def test_tables_are_laid_beside_the_page_and_no_two_share_a_file(tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    tables = [FrameTable(FRAME, "Twice"), FrameTable(FRAME.head(1), "Twice"), FrameTable(FRAME, "Twice")]
    page.write_text("".join(table._repr_html_() for table in tables))
    lay_out_tables(page)
    links = [link["href"] for link in BeautifulSoup(page.read_text(), "html.parser").select("p.table-download a")]
    assert links == ["page/twice.csv", "page/twice-2.csv", "page/twice.csv"]
    for link, table in zip(links, tables, strict=True):
        found = pd.read_csv(tmp_path / link, float_precision="round_trip")
        pd.testing.assert_frame_equal(found, table.full, check_exact=True, check_dtype=False)


def after(figure: Tag) -> Iterator[Tag]:
    """The elements that follow a figure, up to the next one."""
    for element in figure.find_all_next(["figure", "p"]):
        if element.name == "figure":
            return
        yield element


def test_the_data_behind_every_figure_can_be_downloaded(site: Path) -> None:
    figures = 0
    for page in notebook_pages(site):
        for figure in article(page).find_all("figure"):
            figures += 1
            links = [p.a for p in after(figure) if "table-download" in p.get("class", [])]
            assert links, f"{page.name}: no data behind {figure.get('id')}"
            assert links[0].find_parent("details") is not None or figure.find_parent("details") is not None
    assert figures >= 20


def test_every_csv_has_the_columns_and_at_least_the_rows_of_its_table(site: Path) -> None:
    seen = 0
    for page in notebook_pages(site):
        for line in article(page).select("p.table-download"):
            table = line.find_previous_sibling("div", class_="table-frame")
            assert not line.a["href"].startswith("data:"), f"{page.name}: {line.a['download']}"
            written = pd.read_csv(page.parent / line.a["href"])
            heads = [head.get_text(strip=True) for head in table.thead.find_all(["th", "td"])]
            # The first column may name what the rows of a summary are.
            assert set(heads[1:]) <= set(written.columns), f"{page.name}: {line.a['download']}"
            assert len(written) >= len(table.tbody.find_all("tr"))
            seen += 1
    assert seen >= 60


# ------------------------------------------------------------------ notebooks


def test_every_notebook_page_gives_away_its_notebook(site: Path, project: Path) -> None:
    for page in notebook_pages(site):
        (link,) = article(page).select("p.notebook-download a.download")
        committed = project / "notebooks" / f"{page.stem}.ipynb"
        assert (page.parent / link["href"]).read_bytes() == committed.read_bytes()
    assert article(site / "index.html").select("p.notebook-download") == []


# ------------------------------------------------------------------ from the ledger to the cell


def ledger_links(site: Path) -> dict[str, str]:
    page = article(site / "notebooks" / "12_ledger.html")
    rows = page.select('tr[id^="claim-"]')
    return {row["id"].removeprefix("claim-"): row.select_one(".ledger-reason a")["href"] for row in rows}


def test_every_claim_links_to_a_visible_cell_of_the_page_that_settles_it(site: Path, ledger: Ledger) -> None:
    links = ledger_links(site)
    assert set(links) == {row.claim.id for row in ledger.rows}
    pages = {path.name: article(path) for path in notebook_pages(site)}
    for row in ledger.rows:
        page, _, anchor = links[row.claim.id].partition("#")
        assert page == f"{Path(row.claim.notebook).stem}.html"
        target = pages[page].find(id=anchor)
        assert target is not None, f"{page}: no cell is marked (settles-{row.claim.id})="
        cell = target if "cell" in target.get("class", []) else target.parent
        assert "cell" in cell["class"], anchor
        assert cell.select_one(".cell_output"), f"{anchor}: the cell shows nothing"


@pytest.mark.browser
def test_a_reader_of_the_ledger_arrives_at_the_cell(browser: Browser, site: Path) -> None:  # noqa: F811
    with reading(browser, site.as_uri(), DESKTOP) as reader:
        for claim, link in ledger_links(site).items():
            page = reader.page
            page.goto(f"{site.as_uri()}/notebooks/{link}")
            assert page.url.endswith(f"#settles-{claim}")
            top = page.evaluate("document.querySelector(':target').getBoundingClientRect().top")
            assert 0 <= top < DESKTOP["height"], claim


# ------------------------------------------------------------------ previews of links


def test_every_written_page_can_be_previewed_and_names_no_address(site: Path) -> None:
    told = {}
    for page in sorted(site.rglob("*.html")):
        if "_static" in page.relative_to(site).parts or page.name in {"search.html", "genindex.html"}:
            continue
        head = BeautifulSoup(page.read_text(encoding="utf-8"), "html.parser").head
        tags = {tag["property"]: tag["content"] for tag in head.select('meta[property^="og:"]')}
        assert {"og:title", "og:description", "og:type", "og:site_name"} <= set(tags), page.name
        assert all(tags.values())
        assert not any("://" in text for text in tags.values())
        assert len(head.select('meta[name="description"]')) == 1
        told[page.stem] = tags["og:description"]
    assert told["12_ledger"].startswith("Which published numbers stand")
    assert len(set(told.values())) == len(told), "two pages are told apart by their descriptions"


def read_text(text: str) -> nodes.document:
    return publish_doctree(text)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("Title\n=====\n\nFirst words.\n\n**The question.**\nWhy is it so?\n", "Why is it so?"),
        ("Title\n=====\n\nFirst words.\n\nMore words.\n", "First words."),
        ("Title\n=====\n\n" + "word " * 60, "word " * 40 + "…"),
        ("", ""),
    ],
    ids=["question", "first paragraph", "long", "empty"],
)
def test_a_page_is_described_by_its_question(text: str, told: str) -> None:
    assert description(read_text(text)) == told
