"""The book on paper and in a zip."""

from __future__ import annotations

import os
import re
import zipfile
from collections import Counter
from pathlib import Path

import pack
import print_book
import pytest
from bs4 import BeautifulSoup, Tag

# ------------------------------------------------------------------ the zip


def folder_of(files: dict[str, bytes], root: Path, time: int) -> Path:
    for name, content in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        os.utime(path, (time, time))
    return root


def test_equal_sites_give_equal_zips(tmp_path: Path) -> None:
    files = {"index.html": b"<p>x</p>", "a/b.csv": b"1\n", "a.txt": b""}
    one = folder_of(files, tmp_path / "one", 1_500_000_000)
    two = folder_of(dict(reversed(files.items())), tmp_path / "two", 1_600_000_000)
    (two / "a.txt").chmod(0o600)
    assert pack.pack(one, tmp_path / "one.zip") == pack.pack(two, tmp_path / "two.zip") == 3
    assert (tmp_path / "one.zip").read_bytes() == (tmp_path / "two.zip").read_bytes()
    with zipfile.ZipFile(tmp_path / "one.zip") as archive:
        assert archive.testzip() is None
        assert archive.namelist() == ["survaudit/a.txt", "survaudit/a/b.csv", "survaudit/index.html"]
        assert {name: archive.read(f"survaudit/{name}") for name in files} == files


# ------------------------------------------------------------------ the print


@pytest.mark.parametrize(
    ("page", "link", "found"),
    [
        ("notebooks/a", "#here", "#notebooks.a--here"),
        ("notebooks/a", "b.html#there", "#notebooks.b--there"),
        ("notebooks/a", "../book/c.html", "#book.c"),
        ("index", "notebooks/a.html#x", "#notebooks.a--x"),
        ("notebooks/a", "a/table.csv", None),
        ("notebooks/a", "https://doi.org/10.1", "https://doi.org/10.1"),
        ("notebooks/a", "data:text/csv,1", None),
    ],
)
def test_links_lead_to_places_of_the_print(page: str, link: str, found: str | None) -> None:
    assert print_book.resolve(page, link) == found


def words(tag: Tag) -> str:
    """What a tag says, without its blanks."""
    return "".join(tag.get_text().split())


@pytest.fixture(scope="module")
def printed(project: Path, site: Path) -> BeautifulSoup:
    html = print_book.one_page(site, print_book.contents(project), str(site))
    return BeautifulSoup(html, "html.parser")


def test_the_print_holds_every_page_and_every_figure_of_the_site(
    printed: BeautifulSoup, project: Path, site: Path
) -> None:
    pages = print_book.contents(project)
    assert len(pages) >= 16
    articles = printed.find_all("article")
    assert [article["id"] for article in articles] == [page.replace("/", ".") for page in pages]
    for page, article in zip(pages, articles, strict=True):
        published = BeautifulSoup((site / f"{page}.html").read_text(encoding="utf-8"), "html.parser").article
        told = words(article)
        for paragraph in published.find_all("p"):
            if not {"table-download", "notebook-download"} & set(paragraph.get("class", [])):
                assert words(paragraph).removesuffix("#") in told
        assert len(article.find_all("img")) == len(published.find_all("img"))
        assert len(article.find_all("table")) == len(published.find_all("table"))


def test_every_place_of_the_print_has_one_name_and_every_link_finds_it(printed: BeautifulSoup, site: Path) -> None:
    names = Counter(tag["id"] for tag in printed.find_all(id=True))
    assert [name for name, count in names.items() if count > 1] == []
    links = {link["href"] for link in printed.find_all("a", href=True)}
    inner = {link for link in links if link.startswith("#")}
    assert len(inner) > 60
    assert {link for link in inner if link[1:] not in names} == set()
    assert all(link.startswith("https://") for link in links - inner)
    for tag, attribute in (("img", "src"), ("link", "href"), ("script", "src")):
        for element in printed.find_all(tag, attrs={attribute: True}):
            assert Path(element[attribute]).is_relative_to(site)
            assert Path(element[attribute]).is_file(), element
    assert all(folded.has_attr("open") for folded in printed.find_all("details"))


@pytest.mark.browser
def test_the_pdf_has_bookmarks_and_tags_and_names_no_day_and_no_path(site: Path, tmp_path: Path) -> None:
    page = tmp_path / "print.html"
    page.write_text(print_book.one_page(site, ["index", "notebooks/01_raw_tables"], site.as_uri()), encoding="utf-8")
    print_book.print_page(page, tmp_path / "print.pdf")
    content = (tmp_path / "print.pdf").read_bytes()
    assert content.startswith(b"%PDF-")
    assert len(re.findall(rb"/Type\s*/Page\b", content)) >= 5
    assert b"/Outlines" in content
    assert b"/StructTreeRoot" in content
    assert set(re.findall(rb"Date \(D:(\d+)", content)) == {b"20000101000000"}
    assert b"file:" not in content
    assert str(site).encode() not in content
