"""Modules joined into one script keep their names apart and their order."""

from __future__ import annotations

import json
import shutil
import subprocess

import pytest

from channels.webchat.server.bundle import bundle

NODE = shutil.which("node")
MODULES = {
    "low": 'const NAME = "low";\nexport const $ = () => NAME;\nexport class Thing {}\n',
    "middle": 'import { $ } from "./low.js";\nconst NAME = "middle";\n'
    "export async function say() {\n  return `${$()} ${NAME}`;\n}\n",
    "top": 'import { say } from "./middle.js";\nimport { $, Thing } from "./low.js";\n'
    'const NAME = "top";\nconsole.log(JSON.stringify([await say(), $(), NAME, typeof Thing]));\n',
}


def test_what_others_need_comes_first() -> None:
    made = bundle(MODULES, "top")
    assert made.index('NAME = "low"') < made.index('NAME = "middle"') < made.index('NAME = "top"')
    assert made.count('NAME = "low"') == 1
    assert "import" not in made
    assert "export" not in made


@pytest.mark.skipif(NODE is None, reason="needs node")
def test_it_runs() -> None:
    assert NODE is not None
    done = subprocess.run(
        [NODE, "--input-type=module"],
        input=bundle(MODULES, "top"),
        capture_output=True,
        text=True,
        timeout=30,
        check=True,
    )
    assert json.loads(done.stdout) == ["low middle", "low", "top", "function"]


@pytest.mark.parametrize(
    "line",
    [
        'import thing from "./low.js";',
        'import "./low.js";',
        "export default 1;",
        'export { a } from "./low.js";',
        'import * as all from "./low.js";',
    ],
)
def test_other_ways_are_refused(line: str) -> None:
    with pytest.raises(ValueError, match="bundled"):
        bundle({**MODULES, "top": line + "\n"}, "top")


def test_a_circle_is_refused() -> None:
    circle = {
        "a": 'import { b } from "./b.js";\nexport const a = 1;\n',
        "b": 'import { a } from "./a.js";\nexport const b = 1;\n',
    }
    with pytest.raises(ValueError, match="imports itself"):
        bundle(circle, "a")
