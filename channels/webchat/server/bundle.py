"""Make one script of the frame's modules: a phone waits for one answer instead of for a chain.

Each module becomes a function of its own, so their names stay apart. It understands what the
modules here are written in (named imports from neighbours, exported functions, classes and
constants) and refuses anything else.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

_IMPORT = re.compile(r'^import \{([^}]+)\} from "\./(\w+)\.js";$', re.MULTILINE)
_EXPORT = re.compile(r"^export (?=(?:async )?(?:function|class|const) ([\w$]+))", re.MULTILINE)


def bundle(sources: Mapping[str, str], entry: str) -> str:
    """Join modules, those that others need first.

    Args:
        sources: Module name, without `.js`, → its text.
        entry: The module that is run; it exports nothing.

    Raises:
        ValueError: A module imports or exports in another way, or in a circle.
    """
    order: list[str] = []
    _visit(entry, sources, order, ())
    return "\n".join(
        _body(sources[name]) if name == entry else _wrapped(name, sources[name]) for name in order
    )


def _visit(name: str, sources: Mapping[str, str], order: list[str], path: tuple[str, ...]) -> None:
    if name in path:
        raise ValueError(f"{name}.js imports itself by way of {' and '.join(path)}")
    if name in order:
        return
    for _, needed in _IMPORT.findall(sources[name]):
        _visit(needed, sources, order, (*path, name))
    order.append(name)


def _wrapped(name: str, source: str) -> str:
    names = ",".join(_EXPORT.findall(source))
    return f"const ${name}=(()=>{{\n{_body(source)}\nreturn{{{names}}}\n}})();"


def _body(source: str) -> str:
    body = _IMPORT.sub(lambda found: f"const {{{found[1].strip()}}}=${found[2]};", source)
    body = _EXPORT.sub("", body)
    if re.search(r"^(?:import|export)\b(?!\()", body, re.MULTILINE):
        raise ValueError("only named imports and exports of neighbours can be bundled")
    return body
