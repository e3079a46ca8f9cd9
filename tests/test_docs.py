"""Pages tell the truth: links and paths exist, tables equal the code, deploy/ names real things."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
import settings_table
import yaml

from bot.__main__ import _parser
from bot.events import TYPES

ROOT = Path(__file__).parents[1]
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
NAMES = set(settings_table.NAMES)
NOT_OURS = {
    "NAME",
    "OMP_NUM_THREADS",
    "PATH",
    "POSTGRES_DB",
    "POSTGRES_PASSWORD",
    "POSTGRES_USER",
    "RASA_TELEMETRY_ENABLED",
    "UV_COMPILE_BYTECODE",
    "UV_LINK_MODE",
    "UV_PYTHON_DOWNLOADS",
}
"""Environment names in deploy/ that others read."""

_LINK = re.compile(r"(?<!!)\[[^\]]*\]\(([^)\s]+)\)")
_PATH = re.compile(
    r"`((?:bot|channels|actions|data|docs|deploy|tests|packaging|benchmarks)/[\w./-]*\w/?)[` ]"
)
_FILE = re.compile(r"`([\w./-]*\w\.(?:py|js|css|html|yml|tsv|json|sh|md))`")
NOT_HERE = {
    "utils.py",  # there is none, and CONTRIBUTING says so
    "connector.py",  # what a connector will have
    "mapping.py",
    "content-base.json",  # in the state folder
}
_SETTING = re.compile(
    r"\b(?:SAMVAD|WEBCHAT|INGRESS|DESK|EPISODE|QUEUE|AGENT|WAITING)_[A-Z_]*[A-Z]\b"
)


def page_id(page: Path) -> str:
    return str(page.relative_to(ROOT))


def without_code(text: str) -> str:
    return re.sub(r"^\s*```.*?^\s*```", "", text, flags=re.MULTILINE | re.DOTALL)


def anchors(page: Path) -> set[str]:
    """Names of headings, as GitHub makes them."""
    found = re.findall(r"^#+ (.+)$", without_code(page.read_text("utf-8")), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", h.lower().replace("`", "")).replace(" ", "-") for h in found}


def rows(text: str, heading: str) -> list[list[str]]:
    """Cells of the first table below a heading, without its head."""
    after = text.split(f"\n{heading}\n", 1)[1]
    table = re.search(r"(?:^\|.*\n?)+", after, re.MULTILINE)
    assert table, heading
    lines = table[0].strip().splitlines()[2:]
    return [[cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]] for line in lines]


@pytest.mark.parametrize("page", PAGES, ids=page_id)
def test_links_lead_somewhere(page: Path) -> None:
    dead = []
    for link in _LINK.findall(without_code(page.read_text("utf-8"))):
        if re.match(r"[a-z]+:", link):
            continue
        name, _, anchor = link.partition("#")
        target = (page.parent / name).resolve() if name else page
        if not target.exists() or (anchor and anchor not in anchors(target)):
            dead.append(link)
    assert not dead


@pytest.mark.parametrize("page", PAGES, ids=page_id)
def test_paths_exist(page: Path) -> None:
    named = set(_PATH.findall(page.read_text("utf-8")))
    assert not {path for path in named if not (ROOT / path).exists()}


@pytest.fixture(scope="module")
def files() -> set[str]:
    """Every file of the project, and every way to shorten its path from the left."""
    tops = [path for path in ROOT.iterdir() if path.name[0] != "." and path.name != "models"]
    paths = [p for top in tops for p in (top.rglob("*") if top.is_dir() else [top])]
    parts = [path.relative_to(ROOT).parts for path in paths]
    return {"/".join(some[n:]) for some in parts for n in range(len(some))}


@pytest.mark.parametrize("page", PAGES, ids=page_id)
def test_files_named_without_their_folder_exist(page: Path, files: set[str]) -> None:
    named = set(_FILE.findall(page.read_text("utf-8")))
    assert named <= files | NOT_HERE


@pytest.mark.parametrize("page", PAGES, ids=page_id)
def test_settings_named_on_pages_exist(page: Path) -> None:
    assert set(_SETTING.findall(page.read_text("utf-8"))) <= NAMES


@pytest.mark.parametrize("page", PAGES, ids=page_id)
def test_commands_on_pages_exist(page: Path) -> None:
    """README's are run by test_readme.py as well."""
    text = page.read_text("utf-8")
    targets = re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE)
    for block in re.findall(r"^ *```sh\n(.*?)^ *```", text, re.MULTILINE | re.DOTALL):
        for line in filter(None, (line.strip() for line in block.splitlines())):
            if line.startswith("uv run python -m bot "):
                words = shlex.split(line)[5:]
                assert callable(_parser().parse_args(words).run), line
            elif line.startswith("make "):
                assert line.split()[1] in targets, line


def test_figures_are_made_of_events_that_exist() -> None:
    text = (ROOT / "docs/metrics.md").read_text("utf-8")
    named = set(re.findall(r"`([a-z-]+\.[a-z]+)`", text)) - {"messages.reading"}
    assert named
    assert named <= TYPES


def test_the_page_of_events_lists_every_type_once() -> None:
    text = (ROOT / "docs/events.md").read_text("utf-8")
    assert sorted(re.findall(r"^### `(.+)`$", text, re.MULTILINE)) == sorted(TYPES)


def test_lifted_pins_are_those_of_the_project() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["uv"]
    overrides = dict(_requirement(text) for text in project["override-dependencies"])
    asked: dict[str, str] = {}
    for package in reversed(project["dependency-metadata"]):  # rasa's own bounds win
        asked.update(_requirement(text) for text in package["requires-dist"])
    locked = {
        package["name"]: package["version"]
        for package in tomllib.loads((ROOT / "uv.lock").read_text("utf-8"))["package"]
        if "version" in package
    }
    page = (ROOT / "docs/decisions/0002-lifted-pins.md").read_text("utf-8")
    listed = {
        cells[0]: [cell.strip("`") for cell in cells[1:4]]
        for cells in rows(page, "Every row here is compared with both by a test.")
    }
    for name, (rasa, ours, version) in listed.items():
        assert (rasa, ours, version) == (asked[name], overrides[name], locked[name]), name
    left_out = (ROOT / "docs/decisions/0009-three-installs.md").read_text("utf-8")
    for name in overrides.keys() - listed.keys():
        assert f"`{name}" in page + left_out, f"{name} is overridden, and no page says why"


def _requirement(text: str) -> tuple[str, str]:
    match = re.match(r"([\w.-]+)(?:\[[^\]]*\])?\s*(.*)", text)
    assert match, text
    return match[1].lower().replace("_", "-"), match[2].partition(";")[0].strip()


def manifests() -> list[tuple[str, dict[str, Any]]]:
    """Each container of deploy/ as (where, {"environment": names, "command": words})."""
    found: list[tuple[str, dict[str, Any]]] = []
    compose = yaml.safe_load((ROOT / "deploy/compose.yml").read_text("utf-8"))
    for name, service in compose["services"].items():
        if service["image"] == "samvad":
            words = service["command"]
            found.append((name, {"environment": set(service["environment"]), "command": words}))
    documents = list(yaml.safe_load_all((ROOT / "deploy/kubernetes.yml").read_text("utf-8")))
    settings = {name for d in documents if d["kind"] == "ConfigMap" for name in d["data"]}
    for document in documents:
        for container in (
            document.get("spec", {}).get("template", {}).get("spec", {}).get("containers", ())
        ):
            own = {item["name"] for item in container.get("env", ())}
            words = container["args"]
            found.append(
                (document["metadata"]["name"], {"environment": settings | own, "command": words})
            )
    return found


@pytest.mark.parametrize(("where", "container"), manifests(), ids=lambda value: str(value)[:20])
def test_containers_run_commands_and_settings_that_exist(
    where: str, container: dict[str, Any]
) -> None:
    assert container["environment"] <= NAMES | NOT_OURS
    assert callable(_parser().parse_args(container["command"]).run)


def test_image_has_what_the_processes_need(tmp_path: Path) -> None:
    """Only what the container file copies is there: the command line and the content load."""
    text = (ROOT / "deploy/Containerfile").read_text("utf-8")
    joined = re.sub(r"\\\n\s*", " ", text)
    assert set(re.findall(r"\b([A-Z][A-Z_]+)=", joined)) <= NAMES | NOT_OURS
    copied = [
        name
        for line in re.findall(r"^COPY (.+)$", text, re.MULTILINE)
        for name in line.split()[:-1]
    ]
    ignore = (ROOT / "deploy/Containerfile.dockerignore").read_text("utf-8").split()
    assert sorted(copied) == sorted(n.removeprefix("!") for n in ignore if n.startswith("!"))
    for name in copied:
        source = ROOT / name
        if source.is_dir():
            skip = shutil.ignore_patterns("__pycache__")
            shutil.copytree(source, tmp_path / name, ignore=skip)
        else:
            (tmp_path / name).parent.mkdir(exist_ok=True)
            shutil.copy(source, tmp_path / name)
    groups = tomllib.loads((tmp_path / "pyproject.toml").read_text("utf-8"))["dependency-groups"]
    synced = re.search(r"uv sync .*--no-default-groups --group (\w+)", joined)
    assert synced, "without a group, uv installs no library at all"
    assert synced[1] in groups.keys() - {"dev"}
    for arguments in (["--help"], ["content", "validate"]):
        done = subprocess.run(
            [sys.executable, "-m", "bot", *arguments],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.returncode == 0, done.stderr
