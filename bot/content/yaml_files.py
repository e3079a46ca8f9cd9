"""YAML that people edit: files of an unusual shape are refused before anything is made of them.

Composing follows references and goes one call deeper with each level, so a small file may keep the
reading library busy for minutes, or end the process. The tokens tell of both and cost one pass.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from bot.errors import ContentError

MOST_BYTES = 4 * 1024 * 1024
"""Of one file; a thousand entries in seven languages are two megabytes."""
MOST_LEVELS = 20
_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_BEGINS = (
    yaml.BlockMappingStartToken,
    yaml.BlockSequenceStartToken,
    yaml.FlowMappingStartToken,
    yaml.FlowSequenceStartToken,
)
_ENDS = (yaml.BlockEndToken, yaml.FlowMappingEndToken, yaml.FlowSequenceEndToken)
_REFERENCES = (yaml.AnchorToken, yaml.AliasToken)


class UnusualShape(yaml.YAMLError):
    """A file that is YAML, and that nobody writes by hand."""

    def __init__(self, what: str, mark: Any = None) -> None:
        self.problem, self.problem_mark = what, mark
        super().__init__(what)


def read_text(path: Path) -> str:
    """Read a file that is not too large.

    Raises:
        ContentError: It is.
        OSError, UnicodeDecodeError: It cannot be read.
    """
    with path.open("rb") as file:
        content = file.read(MOST_BYTES + 1)
    if len(content) > MOST_BYTES:
        raise ContentError([f"{path}: larger than {MOST_BYTES // 1024 // 1024} MB; divide it"])
    return content.decode("utf-8")


def load(text: str, loader: Any = _LOADER) -> Any:
    """Read a document of a usual shape.

    Raises:
        yaml.YAMLError: It is not YAML; `UnusualShape` for references and more than 20 levels.
    """
    levels = 0
    for token in yaml.scan(text, Loader=_LOADER):
        if isinstance(token, _REFERENCES):
            what = "references (& and *) are not read; write the text out"
            raise UnusualShape(what, token.start_mark)
        levels += isinstance(token, _BEGINS) - isinstance(token, _ENDS)
        if levels > MOST_LEVELS:
            raise UnusualShape(f"more than {MOST_LEVELS} levels", token.start_mark)
    return yaml.load(text, Loader=loader)  # noqa: S506 - callers give safe loaders
