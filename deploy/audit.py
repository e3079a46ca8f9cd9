"""Looks the locked libraries up among known advisories: `python deploy/audit.py`, or `make audit`.

pip-audit asks the package index or OSV; where neither has the data, this says so and passes. What
is known and out of strangers' reach is listed with its reason in docs/dependencies.md; anything
else is an error.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "dependencies.md"
TOOL = "pip-audit==2.9.0"
SERVICES = ("pypi", "osv")
LIMIT_S = 240
_ADVISORY = re.compile(r"\b(?:CVE-\d{4}-\d{4,7}|GHSA(?:-[0-9a-z]{4}){3}|PYSEC-\d{4}-\d{1,6})\b")


@dataclass(frozen=True)
class Advisory:
    """A known weakness of a locked library."""

    package: str
    version: str
    names: frozenset[str]
    """Its own identifier and the others it goes by."""
    mended_in: tuple[str, ...]


def accepted(page: str) -> frozenset[str]:
    """Advisories that the page names, and so explains."""
    return frozenset(_ADVISORY.findall(page))


def read(report: Any) -> tuple[list[Advisory], int]:
    """Advisories in a report of pip-audit, and how many libraries it had data for."""
    found: list[Advisory] = []
    looked_up = 0
    for item in report["dependencies"]:
        if "skip_reason" in item:
            continue
        looked_up += 1
        for weakness in item["vulns"]:
            names = frozenset([weakness["id"], *weakness.get("aliases", ())])
            mended = tuple(weakness.get("fix_versions", ()))
            found.append(Advisory(item["name"], item["version"], names, mended))
    return found, looked_up


def unexplained(advisories: Iterable[Advisory], known: frozenset[str]) -> list[str]:
    """A line for each advisory that the page does not name."""
    return [
        f"{a.package} {a.version}: {' '.join(sorted(a.names))}"
        f" (mended in {', '.join(a.mended_in) or 'no release'})"
        for a in advisories
        if not a.names & known
    ]


def _report(uv: str, service: str, locked: Path) -> Any:
    """What pip-audit says of locked libraries, or None where it cannot say anything."""
    command = [uv, "tool", "run", "--quiet", "--from", TOOL, "pip-audit", "--format", "json"]
    command += ["--progress-spinner", "off", "--no-deps", "--disable-pip"]
    command += ["--vulnerability-service", service, "--requirement", str(locked)]
    try:
        done = subprocess.run(  # noqa: S603 - our own command
            command, capture_output=True, text=True, check=False, timeout=LIMIT_S
        )
        return json.loads(done.stdout)
    except (subprocess.TimeoutExpired, json.JSONDecodeError):
        return None


def main(uv: str) -> int:
    """Audit what an engine installs, which holds what all others install."""
    with tempfile.TemporaryDirectory() as folder:
        locked = Path(folder) / "requirements.txt"
        options = ["--frozen", "--quiet", "--no-default-groups", "--group", "engine", "--no-hashes"]
        lines = subprocess.run(  # noqa: S603 - our own command
            [uv, "export", *options, "--no-emit-project", "--no-emit-local"],
            capture_output=True,
            text=True,
            check=True,
            cwd=ROOT,
        ).stdout
        locked.write_text(lines, "utf-8")
        for service in SERVICES:
            report = _report(uv, service, locked)
            advisories, looked_up = read(report) if report else ([], 0)
            if looked_up:
                break
    if not looked_up:
        print("audit: no advisory data can be had here; nothing was looked up")
        return 0
    new = unexplained(advisories, accepted(PAGE.read_text("utf-8")))
    for line in new:
        print(f"audit: {line}")
    print(f"audit: {looked_up} libraries, {len(advisories)} advisories, {len(new)} unexplained")
    if new:
        print("audit: raise the library, or explain in docs/dependencies.md why nobody reaches it")
    return int(bool(new))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1] if len(sys.argv) > 1 else "uv"))
