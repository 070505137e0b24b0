from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import cache_key
import pytest
from printed import printed_number

from survaudit.claims import Claim
from survaudit.errors import ClaimError

PAGE = """---
jupytext:
  text_representation: {extension: .md, format_name: myst}
kernelspec: {display_name: Python 3, language: python, name: python3}
---

# A page

```{code-cell} ipython3
import sys
from pathlib import Path
sys.path.insert(0, "src")
import answer
from myst_nb import glue
glue("value", float(answer.VALUE), display=False)
print("value", answer.VALUE, Path("data/number.txt").read_text())
```

Prose says {glue:text}`value:.1f`; the paper prints {printed}`mrd-p-value`.

```{code-cell} ipython3
---
mystnb:
  image:
    alt: a square of {glue:text}`value:.2f`
---
import matplotlib.pyplot as plt
plt.figure(figsize=(1, 1))
plt.plot([0, 1])
plt.show()
```
"""

CONFIGURATION = """
import sys
sys.path.insert(0, {extensions!r})
extensions = ["myst_nb", "cache_key", "computed_alt", "printed"]
nb_execution_mode = "cache"
exclude_patterns = ["_build"]
nb_execution_raise_on_error = True
"""


@pytest.fixture
def book(tmp_path: Path, project: Path) -> Path:
    """A book of one page that reads a module, a data file and the register of claims."""
    root = tmp_path / "book"
    for folder in ("src", "data"):
        (root / folder).mkdir(parents=True)
    (root / "index.md").write_text(PAGE)
    (root / "conf.py").write_text(CONFIGURATION.format(extensions=str(project / "book" / "_ext")))
    (root / "src" / "answer.py").write_text("VALUE = 1.25\n")
    (root / "data" / "number.txt").write_text("seven")
    shutil.copy(project / "data" / "claims.yml", root / "data" / "claims.yml")
    (root / "requirements.lock").write_text("a==1\n")
    return root


def build(root: Path) -> str:
    command = [sys.executable, "-m", "sphinx", "-W", "--keep-going", "-q", "-E", "-b", "html", ".", "_build/html"]
    environment = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run(command, cwd=root, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return (root / "_build" / "html" / "index.html").read_text()


def caches(root: Path) -> set[str]:
    return {path.name for path in (root / "_build" / ".jupyter_cache").iterdir()}


@pytest.mark.build
def test_a_change_in_source_or_data_is_never_served_stale(book: Path) -> None:
    first = build(book)
    assert "value 1.25 seven" in first
    assert 'Prose says <span class="pasted-text">1.2</span>' in first
    assert 'alt="a square of 1.25"' in first
    assert '<span class="printed-number">0.017</span>' in first
    known = caches(book)

    (book / "src" / "answer.py").write_text("VALUE = 3.75\n")
    second = build(book)
    assert "value 3.75 seven" in second
    assert 'alt="a square of 3.75"' in second
    assert caches(book).isdisjoint(known), "the cache of earlier inputs is dropped"

    known = caches(book)
    (book / "data" / "number.txt").write_text("eight")
    assert "value 3.75 eight" in build(book)
    assert caches(book).isdisjoint(known)

    known = caches(book)
    build(book)
    assert caches(book) == known, "without a change, the cache stays"


@pytest.mark.build
@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("{printed}`mrd-p-value`", "{printed}`mrd-q-value`", "no claim 'mrd-q-value'"),
        ("of {glue:text}`value:.2f`", "of {glue:text}`other:.2f`", "nothing is glued as 'other'"),
        ('print("value"', 'raise KeyError("value"', "ExecutionError"),
    ],
    ids=["unknown claim", "unknown number in alternative text", "failing cell"],
)
def test_a_wrong_page_fails_the_build(book: Path, old: str, new: str, message: str) -> None:
    (book / "index.md").write_text(PAGE.replace(old, new))
    with pytest.raises(AssertionError, match=message):
        build(book)


# ------------------------------------------------------------------ the key of the cache


@pytest.mark.parametrize("name", ["src/answer.py", "data/number.txt", "requirements.lock", "src/new.py"])
def test_the_key_depends_on_every_input(book: Path, name: str) -> None:
    before = cache_key.fingerprint(book)
    assert cache_key.fingerprint(book) == before
    (book / name).write_text("another content")
    assert cache_key.fingerprint(book) != before


def test_the_key_depends_on_names_and_on_python(book: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = cache_key.fingerprint(book)
    monkeypatch.setattr("platform.python_version", lambda: "3.99.0")
    assert cache_key.fingerprint(book) != before
    monkeypatch.undo()
    (book / "data" / "number.txt").rename(book / "data" / "figure.txt")
    assert cache_key.fingerprint(book) != before


def test_the_key_ignores_what_python_leaves_behind(book: Path) -> None:
    before = cache_key.fingerprint(book)
    (book / "src" / "__pycache__").mkdir()
    (book / "src" / "__pycache__" / "answer.pyc").write_bytes(b"x")
    assert cache_key.fingerprint(book) == before


def test_a_key_without_an_input_is_refused(book: Path) -> None:
    (book / "requirements.lock").unlink()
    with pytest.raises(FileNotFoundError, match=r"requirements\.lock"):
        cache_key.fingerprint(book)


# ------------------------------------------------------------------ printed numbers


@pytest.mark.parametrize(
    ("reference", "number"),
    [("mrd-p-value", "0.017"), ("mrd-p-value.p", "0.017"), ("mrd-negative-rate.percent", "74.7")],
)
def test_a_printed_number_is_quoted_digit_for_digit(claims: dict[str, Claim], reference: str, number: str) -> None:
    assert printed_number(claims, reference) == number


@pytest.mark.parametrize(
    ("reference", "message"),
    [
        ("nothing", "no claim"),
        ("cr-rate", "patients, percent"),
        ("cr-rate.rate", "patients"),
        ("no-icans", "no number"),
    ],
)
def test_a_wrong_reference_is_refused(claims: dict[str, Claim], reference: str, message: str) -> None:
    with pytest.raises(ClaimError, match=message):
        printed_number(claims, reference)
