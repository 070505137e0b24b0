"""The certificate as one page to read or print, which loads nothing."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from html import escape
from importlib import resources
from string import Template

from survaudit.figures.tables import badge, show_number
from survaudit.ledger.certificate import Certificate, CertifiedClaim
from survaudit.ledger.fingerprints import digest_of

# From the folder of the certificate to the site's.
SITE = "../html"


def to_html(certificate: Certificate) -> str:
    """Return the certificate as an HTML page that is complete in itself."""
    verdict = "reproduced" if certificate.reproduced else "not reproduced"
    page = Template((resources.files("survaudit") / "certificate.html").read_text(encoding="utf-8"))
    expected = sum(claim.as_expected for claim in certificate.claims)
    summary = (
        f"{expected} of {len(certificate.claims)} claims have the verdict that the register expects, from the raw "
        "bytes of the published tables. The tolerance is half a unit of the last printed digit. "
        "“Reproduced” is said of this audit: a claim that it contradicts stays contradicted."
    )
    reasons = "".join(f"<li>{escape(reason)}</li>" for reason in certificate.reasons)
    return page.substitute(
        verdict=verdict,
        badge=badge(verdict),
        summary=escape(summary),
        reasons=f"<h2>Why not</h2><ul>{reasons}</ul>" if reasons else "",
        claims="\n".join(map(_row, certificate.claims)),
        inputs=_pairs(_by_folder(certificate.inputs), code=True),
        outputs=_pairs(certificate.outputs, code=True),
        environment=_pairs(certificate.environment),
        checks=_pairs(_checks(certificate)),
    )


def _row(claim: CertifiedClaim) -> str:
    columns = (
        _lines(number.printed or "" for number in claim.numbers),
        _lines("" if number.recomputed is None else show_number(number.recomputed) for number in claim.numbers),
        _lines(f"± {number.tolerance}" if number.tolerance else "" for number in claim.numbers),
    )
    numbers = "".join(f'<td class="numbers">{column}</td>' for column in columns)
    if all(number.recomputed is None for number in claim.numbers):
        # What was found instead of a number; on paper the certificate is to stay short, and leaves it to the ledger.
        told = f"<summary>in words</summary>{escape(claim.reason)}"
        numbers = f'<td class="numbers">{columns[0]}</td><td colspan="2"><details>{told}</details></td>'
    unexpected = "" if claim.as_expected else f"<br>expected: {escape(claim.expected)}"
    page = claim.cell.partition(".html")[0].rpartition("/")[2]
    return (
        f'<tr><th scope="row"><code>{escape(claim.id)}</code> · {escape(claim.where)}<br>{escape(claim.statement)}</th>'
        f"{numbers}<td>{badge(claim.verdict)}{unexpected}</td>"
        f"<td><code>{escape(claim.function)}</code><br><code>{escape(claim.code)}</code></td>"
        f'<td><a href="{SITE}/{escape(claim.cell)}">{escape(page)}</a></td></tr>'
    )


def _by_folder(found: Mapping[str, str]) -> dict[str, str]:
    """Return the published inputs file by file, and one fingerprint for each folder of the rest."""
    folders: dict[str, dict[str, str]] = {}
    told = {}
    for name, digest in found.items():
        if name.startswith("data/raw/") or name in {"data/claims.yml", "requirements.lock"}:
            told[name] = digest
        else:
            parts = name.split("/")
            folder = "/".join(parts[: 2 if len(parts) > 2 and parts[0] == "data" else 1]) if parts[1:] else "top level"
            folders.setdefault(folder, {})[name] = digest
    counted = {f"{name} (files: {len(files)})": digest_of(files) for name, files in folders.items()}
    return told | counted


def _lines(texts: Iterable[str]) -> str:
    return "<br>".join(map(escape, texts))


def _pairs(pairs: Mapping[str, str], *, code: bool = False) -> str:
    mark = "<code>{}</code>" if code else "{}"
    items = (f"<dt>{escape(name)}</dt><dd>{mark.format(escape(text))}</dd>" for name, text in pairs.items())
    return f"<dl>{''.join(items)}</dl>"


def _checks(certificate: Certificate) -> dict[str, str]:
    tests, rebuild = certificate.tests, certificate.rebuild
    second = "no record"
    if rebuild is not None:
        compared = f"{rebuild.files} files, {len(rebuild.differences)} of them different"
        second = f"{compared}, under {', '.join(f'{name}={value}' for name, value in rebuild.conditions.items())}"
    told = f"{tests.passed} passed, {tests.failed} failed, {tests.skipped} skipped" if tests else "no record"
    return {"tests": told, "second build": second, "all sources and the site": certificate.state}
