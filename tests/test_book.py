from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest
from bs4 import BeautifulSoup

from survaudit.ledger.verdicts import Ledger


@pytest.fixture(scope="module")
def pages(site: Path) -> dict[Path, BeautifulSoup]:
    found = [path for path in sorted(site.rglob("*.html")) if "_static" not in path.parts]
    return {path: BeautifulSoup(path.read_text(encoding="utf-8"), "html.parser") for path in found}


def written(pages: dict[Path, BeautifulSoup]) -> Iterator[tuple[Path, BeautifulSoup]]:
    """The pages that we wrote, each with its main text."""
    for path, soup in pages.items():
        if path.name != "search.html":
            yield path, soup.find("article")


def test_every_page_of_the_contents_is_there(pages: dict[Path, BeautifulSoup], site: Path, project: Path) -> None:
    listed = re.findall(r"(?:file|root): (\S+)\.md", (project / "_toc.yml").read_text())
    assert len(listed) >= 8
    assert {site / f"{name}.html" for name in listed} <= set(pages)


def test_every_link_leads_somewhere(pages: dict[Path, BeautifulSoup], site: Path) -> None:
    anchors = {path: {tag["id"] for tag in soup.find_all(id=True)} for path, soup in pages.items()}
    broken = []
    for path, soup in pages.items():
        for tag in soup.find_all(href=True):
            target = urlsplit(tag["href"])
            if target.scheme or target.netloc or tag.name == "link":
                continue
            file = (path.parent / unquote(target.path)).resolve() if target.path else path
            if not file.is_file():
                broken.append(f"{path.relative_to(site)}: {tag['href']}")
            elif target.fragment and file in anchors and unquote(target.fragment) not in anchors[file]:
                broken.append(f"{path.relative_to(site)}: {tag['href']} (no such place)")
    assert broken == []


def test_nothing_is_loaded_from_another_host(pages: dict[Path, BeautifulSoup]) -> None:
    loaded = [
        (path.name, tag.name, tag.get("src") or tag.get("href"))
        for path, soup in pages.items()
        for tag in soup.find_all(["script", "link", "img", "iframe", "source"])
        if re.match(r"(https?:)?//", tag.get("src") or tag.get("href") or "")
        and "canonical" not in (tag.get("rel") or [])
    ]
    assert loaded == []


def test_every_image_is_described_and_every_number_filled_in(pages: dict[Path, BeautifulSoup]) -> None:
    images = 0
    for path, article in written(pages):
        for image in article.find_all("img"):
            images += 1
            assert len(image.get("alt", "").split()) >= 15, f"{path.name}: {image.get('src')}"
        text = article.get_text() + " ".join(image.get("alt", "") for image in article.find_all("img"))
        assert "{glue" not in text, path.name
        assert "{printed" not in text, path.name
    assert images >= 2


def test_every_misreading_leads_to_the_figure_or_the_page_that_cures_it(
    pages: dict[Path, BeautifulSoup], site: Path
) -> None:
    sections = pages[site / "book" / "misreadings.html"].find("article").select("section > section > section")
    assert len(sections) > 12
    cures = [section.find("dt", string="The cure").find_next_sibling("dd") for section in sections]
    assert all(cure.find("a", href=re.compile(r"^\.\./notebooks/")) for cure in cures)
    assert sum(bool(cure.find(class_="std-numref")) for cure in cures) > 12


def test_the_ledger_page_shows_every_claim(pages: dict[Path, BeautifulSoup], site: Path, ledger: Ledger) -> None:
    article = pages[site / "notebooks" / "12_ledger.html"].find("article")
    for row in ledger.rows:
        shown = article.find(id=f"claim-{row.claim.id}")
        assert shown is not None, row.claim.id
        assert shown.find(class_="verdict").get_text() == row.verdict
        assert row.reason in shown.get_text()
        for printed in row.claim.printed.values():
            assert printed in shown.find(attrs={"data-label": "Printed"}).get_text()


def test_home_page_tells_the_findings_as_the_ledger_has_them(
    pages: dict[Path, BeautifulSoup], site: Path, ledger: Ledger
) -> None:
    text = pages[site / "index.html"].find("article").get_text()
    rate = ledger["mrd-negative-rate"].finding.values["percent"]
    p = ledger["mrd-p-value"].finding.values["p"]
    for number in (f"{rate:.1f}%", f"{p:.3f}", "74.7%", "5.59", "0.017"):
        assert number in text


def test_every_row_of_a_table_header_has_a_name(pages: dict[Path, BeautifulSoup]) -> None:
    empty = [path.name for path, article in written(pages) for cell in article.find_all("th") if not cell.get_text()]
    assert empty == []


def test_no_path_of_the_building_machine_is_published(site: Path, project: Path) -> None:
    leaks = [
        path.relative_to(site).as_posix()
        for path in site.rglob("*")
        if path.suffix in {".html", ".js", ".txt", ".svg"} and str(project).encode() in path.read_bytes()
    ]
    assert leaks == []
