"""From a template that a script fills in to the pages in the browser, in a book of one page."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from axe_playwright_python.base import AXE_SCRIPT
from bs4 import BeautifulSoup
from playwright.sync_api import Page, sync_playwright

from survaudit.__main__ import main
from survaudit.cohort.tables import Supplement
from survaudit.follow_up.complete import write_follow_up
from survaudit.follow_up.ensemble import PRIORS, draw
from survaudit.follow_up.supplied import ENVIRONMENT

pytestmark = pytest.mark.build

PAGE = """---
jupytext:
  text_representation: {extension: .md, format_name: myst}
kernelspec: {display_name: Python 3, language: python, name: python3}
---

# A page

The times are {synthetic}`one draw`{supplied}`those of your file`.

```{only} supplied
A passage about the file.
```

```{only} not supplied
A passage about the draw.
```

```{code-cell} ipython3
import matplotlib.pyplot as plt
from survaudit.ledger.claims import read_claims
from survaudit.cohort.tables import read_supplement
from survaudit.figures.tables import LedgerTable
from survaudit.ledger.verdicts import audit
from survaudit.follow_up.supplied import current_follow_up, supplied_by_user

supplement = read_supplement("data/raw")
follow_up = current_follow_up("data/kept.csv", supplement)
supplied = supplied_by_user(supplement)
ledger = audit(supplement, read_claims("data/claims.yml"), supplied)
print("kind", follow_up.kind, follow_up.endpoint("OS")["time_days"].sum())
```

```{code-cell} ipython3
LedgerTable(ledger.select("figure-s1-a", "mrd-cut-point", "no-icans"))
```

```{code-cell} ipython3
---
tags: [follow-up]
mystnb:
  figure:
    name: fig-panel
    caption: |
      SYNTHETIC: {synthetic}`drawn`{supplied}`from the file`.
  image:
    alt: |
      SYNTHETIC.
      A line{synthetic}` drawn`{supplied}` of the file`.
---
plt.plot(follow_up.endpoint("OS")["time_days"])
plt.show()
```

```{code-cell} ipython3
---
mystnb:
  figure:
    name: fig-other
    caption: |
      SYNTHETIC: no follow-up enters here.
  image:
    alt: |
      SYNTHETIC.
      Another line.
---
plt.plot([0, 1])
plt.show()
```

See {ref}`fig-panel`.
"""

CONFIGURATION = """
import sys
sys.path.insert(0, {extensions!r})
extensions = ["myst_nb", "sphinx_book_theme", "accessible", "cache_key", "computed_alt", "supplied_book"]
html_theme = "sphinx_book_theme"
html_theme_options = {{}}
nb_execution_mode = "cache"
nb_execution_raise_on_error = True
exclude_patterns = ["_build"]
"""


@dataclass(frozen=True)
class Books:
    committed: Path
    supplied: Path
    before: str
    after: str
    file: Path


def build(root: Path, output: str, follow_up: Path | None) -> Path:
    command = [sys.executable, "-m", "sphinx", "-W", "--keep-going", "-q", "-b", "html", ".", f"{output}/html"]
    environment = {**os.environ, **({ENVIRONMENT: str(follow_up)} if follow_up else {})}
    done = subprocess.run(
        [*command, "-d", f"{output}/.doctrees"], cwd=root, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return root / output / "html" / "index.html"


def state(page: Path) -> str:
    files = sorted(path for path in page.parent.rglob("*") if path.is_file())
    return hashlib.sha256(b"".join(str(path).encode() + path.read_bytes() for path in files)).hexdigest()


@pytest.fixture(scope="module")
def books(tmp_path_factory: pytest.TempPathFactory, project: Path, supplement: Supplement) -> Books:
    root = tmp_path_factory.mktemp("book")
    shutil.copytree(project / "data" / "raw", root / "data" / "raw")
    shutil.copy(project / "data" / "claims.yml", root / "data")
    (root / "src").mkdir()
    (root / "book" / "_tools").mkdir(parents=True)
    (root / "book" / "_tools" / "validation.py").touch()
    (root / "requirements.lock").write_text("a==1\n")
    (root / "index.md").write_text(PAGE)
    (root / "conf.py").write_text(CONFIGURATION.format(extensions=str(project / "book" / "_ext")))
    drawn = draw(supplement.cohort, PRIORS["wide"], np.random.default_rng(20211029), draws=2)
    write_follow_up(drawn.follow_up(1, "kept"), root / "data" / "kept.csv")
    file = root.parent / "from the register.csv"
    file.unlink(missing_ok=True)
    assert main(["follow-up-template", str(file)]) == 0
    filled = pd.read_csv(file)
    for column in ("os_days", "os_event", "lfs_days", "lfs_event", "source"):
        filled[column] = drawn.follow_up(0, "register").table[column].array
    filled.to_csv(file, index=False)
    assert main(["check-follow-up", str(file)]) == 0
    committed = build(root, "_build", None)
    before = state(committed)
    supplied = build(root, "_build/supplied", file)
    return Books(committed, supplied, before, state(committed), file)


def article(page: Path) -> BeautifulSoup:
    return BeautifulSoup(page.read_text(encoding="utf-8"), "html.parser")


def descriptions(page: BeautifulSoup) -> list[str]:
    return [" ".join(image["alt"].split()) for image in page.select("article figure img")]


def total(file: Path) -> float:
    return float(pd.read_csv(file)["os_days"].sum())


def test_the_committed_book_is_untouched(books: Books) -> None:
    assert books.before == books.after


def test_the_committed_book_is_synthetic(books: Books) -> None:
    page = article(books.committed)
    text = " ".join(page.get_text().split())
    assert "kind SYNTHETIC" in text
    assert "The times are one draw." in text
    assert "A passage about the draw." in text
    assert "SYNTHETIC: drawn." in text
    assert descriptions(page) == ["SYNTHETIC. A line drawn.", "SYNTHETIC. Another line."]
    assert "SUPPLIED" not in text
    assert "of the file" not in str(page)
    verdicts = [badge.get_text() for badge in page.select(".verdict")]
    assert verdicts == ["not derivable"] * 3


def test_the_supplied_book_is_supplied(books: Books) -> None:
    page = article(books.supplied)
    text = " ".join(page.get_text().split())
    assert f"kind SUPPLIED {total(books.file)}" in text
    assert "The times are those of your file." in text
    assert "A passage about the file." in text
    assert "A passage about the draw." not in text
    assert "SUPPLIED: from the file." in text
    assert descriptions(page) == ["SUPPLIED. A line of the file.", "SYNTHETIC. Another line."]
    assert "See SUPPLIED:" in text, "where another place quotes the caption, too"
    assert text.count("SYNTHETIC") == 1, "what shows no follow-up stays what it is, and nothing else does"
    first, second, third = (badge.get_text() for badge in page.select(".verdict"))
    assert (first, third) == ("computed", "not derivable")
    assert second in {"reproduced", "rounding", "contradicted"}


@pytest.fixture(scope="module")
def page() -> Iterator[Page]:
    executable = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if executable is None:
        pytest.skip("no Chromium on this machine: install it (`apt-get install chromium` on Debian) to test the pages")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=executable, args=["--no-sandbox", "--disable-gpu"])
        yield browser.new_page()
        browser.close()


@pytest.mark.browser
def test_every_page_says_so_at_its_top(books: Books, page: Page) -> None:
    digest = hashlib.sha256(books.file.read_bytes()).hexdigest()
    for name in ("index.html", "search.html"):
        page.goto((books.supplied.parent / name).as_uri())
        banner = page.locator("aside[aria-label=Announcement]")
        assert banner.is_visible()
        words = banner.inner_text()
        assert "SUPPLIED" in words
        assert "from the register.csv" in words
        assert digest[:12] in words
        assert str(books.file.parent) not in page.content()
        assert banner.bounding_box()["y"] < 10
        page.evaluate(AXE_SCRIPT)
        assert page.evaluate("axe.run('aside[aria-label=Announcement]').then(found => found.violations)") == []
        page.goto((books.committed.parent / name).as_uri())
        assert banner.count() == 0
