"""An environment for running loses what only developers of its libraries use, and nothing else."""

from __future__ import annotations

import json
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PRUNE = ROOT / "deploy" / "prune.py"
GONE = (
    "numpy/core/tests/test_umath.py",
    "numpy/core/tests/__pycache__/test_umath.cpython-311.pyc",
    "numpy/__init__.pyi",
    "numpy/core/include/numpy/arrayobject.h",
    "scipy/_lib/_ccallback_c.pyx",
    "test/__init__.py",
    "onnxruntime/transformers/optimizer.py",
)
KEPT = (
    "numpy/testing/__init__.py",
    "numpy-1.26.4.dist-info/licenses/LICENSE.txt",
    "jinja2/tests.py",
    "onnxruntime/capi/_pybind_state.py",
    "rasa/core/test.py",
    "rasa/cli/initial_project/tests/test_stories.yml",
    "rasa/py.typed",
)


def run(*arguments: str) -> str:
    done = subprocess.run(
        [sys.executable, "-W", "ignore", *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=100,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_tests_stubs_and_sources_go(tmp_path: Path) -> None:
    packages = tmp_path / "lib" / "python3.11" / "site-packages"
    for name in (*GONE, *KEPT):
        (packages / name).parent.mkdir(parents=True, exist_ok=True)
        (packages / name).write_bytes(b"x" * 5000)
    assert "MB" in run(str(PRUNE), str(tmp_path))
    left = {str(path.relative_to(packages)) for path in packages.rglob("*") if path.is_file()}
    assert left == set(KEPT)
    assert (tmp_path / "pruned").exists(), "a later install of everything has to know"
    run(str(PRUNE), str(tmp_path))  # once more, after an update


STARTS = {
    "engine": "from bot.processes.roles import ROLES; ROLES['engine'].load()",
    "engine's first start": "import onnx, onnx.helper, onnx.numpy_helper, onnxruntime",
    "fitting": "from scipy import sparse; from sklearn.linear_model import LogisticRegression",
    "desk": "from bot.processes.roles import ROLES; ROLES['desk'].load()",
    "ingress": "from bot.processes.roles import ROLES; ROLES['ingress'].load()",
    "database": "import alembic.command, psycopg, sqlalchemy.dialects.postgresql.psycopg",
    "rasa": "import rasa.__main__, rasa.core.run, rasa.model_training, rasa.model_testing,"
    " rasa.validator, rasa.engine.recipes.default_recipe, rasa.core.training.interactive",
}


@pytest.mark.parametrize("what", STARTS)
def test_nothing_that_is_imported_goes(what: str) -> None:
    code = f"""
import bot.__main__
{STARTS[what]}
import json, sys
print(json.dumps([str(getattr(m, "__file__", None)) for m in list(sys.modules.values())]))
"""
    packages = Path(sysconfig.get_path("purelib"))
    files = [Path(name) for name in json.loads(run("-c", code).splitlines()[-1])]
    listed = f"""
import sys
sys.path.insert(0, {str(PRUNE.parent)!r})
from pathlib import Path
from prune import doomed
print("\\n".join(str(path) for path in doomed(Path({str(packages)!r}))))
"""
    doomed = {Path(line) for line in run("-c", listed).splitlines()}
    assert len(doomed) > 100
    used = [path for path in files if doomed & {path, *path.parents}]
    assert used == []
