"""The list of old libraries is true, and the audit lets nothing new pass."""

from __future__ import annotations

import importlib.util
import re
import sys
import tomllib
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs" / "dependencies.md").read_text("utf-8")
LOCKED = {p["name"]: p["version"] for p in tomllib.loads((ROOT / "uv.lock").read_text())["package"]}
LEFT_OUT = ("pymongo", "skops", "boto3", "twilio")


def _audit() -> Any:
    spec = importlib.util.spec_from_file_location("audit", ROOT / "deploy" / "audit.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["audit"] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    return module


def test_the_page_names_the_versions_that_are_locked() -> None:
    rows = dict(re.findall(r"^\| ([a-z-]+) \| ([0-9.]+) \|", PAGE, re.MULTILINE))
    assert len(rows) > 10
    assert rows == {name: LOCKED.get(name) for name in rows}


def test_what_the_page_says_is_left_out_is_not_locked() -> None:
    assert [name for name in LEFT_OUT if name in LOCKED] == []


def test_an_advisory_the_page_does_not_name_is_an_error() -> None:
    audit = _audit()
    report = {
        "dependencies": [
            {"name": "sanic", "skip_reason": "no data"},
            {"name": "yarl", "version": "1.0", "vulns": []},
            {
                "name": "made-up",
                "version": "1.0",
                "vulns": [
                    {"id": "PYSEC-2024-1", "aliases": ["CVE-2024-0001"], "fix_versions": ["1.1"]},
                    {"id": "GHSA-aaaa-bbbb-cccc", "aliases": [], "fix_versions": []},
                ],
            },
        ]
    }
    advisories, looked_up = audit.read(report)
    assert looked_up == 2
    known = audit.accepted("made-up has CVE-2024-0001, which needs a file of ours")
    assert audit.unexplained(advisories, known) == [
        "made-up 1.0: GHSA-aaaa-bbbb-cccc (mended in no release)"
    ]
    assert len(audit.unexplained(advisories, frozenset())) == 2
