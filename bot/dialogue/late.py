"""Late imports: libraries that Rasa imports at start and no engine uses, imported at first use.

Rasa brings its web server, channels, scheduler and machine learning along with its core,
more than half of what an engine imports. `install` puts a `LateModule` for each into `sys.modules`
before Rasa is imported. At the first access to an attribute it becomes the real module, in place;
names that Rasa imports `from` it are `LateName`s until they are used.

Only engines do so: Rasa's own commands import as ever. docs/decisions/0009-three-installs.md.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from importlib.machinery import ModuleSpec, PathFinder
from types import ModuleType
from typing import Any

LATE: Mapping[str, tuple[str, ...]] = {
    "apscheduler": (),
    "apscheduler.schedulers": (),
    "apscheduler.schedulers.asyncio": ("AsyncIOScheduler",),
    "dask": (),
    "jwt": (),
    "sanic": ("Blueprint", "Sanic", "response"),
    "sanic.request": ("Request",),
    "sanic.response": ("HTTPResponse",),
    "scipy.sparse": ("spmatrix",),
    "sklearn": (),
    "sklearn.model_selection": ("train_test_split",),
}
"""Module → names imported from it while Rasa is imported. Parents come before children."""
CHANNELS = "rasa.core.channels"
"""Package that imports the channels of fourteen vendors; all names the core needs are in its
`channel`, which is searched first."""

_LOCK = threading.RLock()
_loading: set[str] = set()


class LateName:
    """Function or class of a late module, for annotations, calls and `isinstance`."""

    def __init__(self, module: ModuleType, name: str) -> None:
        self._late = (module, name)

    def _real(self) -> Any:
        module, name = self._late
        load(module)
        return getattr(module, name)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self._real()(*args, **kwargs)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):  # `typing` asks every annotation for some of these
            raise AttributeError(name)
        return getattr(self._real(), name)

    def __mro_entries__(self, bases: tuple[Any, ...]) -> tuple[Any, ...]:
        return (self._real(),)

    def __instancecheck__(self, instance: object) -> bool:
        return isinstance(instance, self._real())

    def __subclasscheck__(self, subclass: type) -> bool:
        return issubclass(subclass, self._real())


class LatePath(list[str]):
    """Search path of a late package's parts; a search for one runs the package first."""

    def __init__(self, module: ModuleType, folders: Sequence[str]) -> None:
        super().__init__(folders)
        self._module = module

    def __iter__(self) -> Iterator[str]:
        load(self._module)
        return super().__iter__()


class LateModule(ModuleType):
    """A module that runs when an attribute is asked for which it does not have yet."""

    def __init__(self, spec: ModuleSpec, names: Sequence[str]) -> None:
        super().__init__(spec.name)
        self.__spec__, self.__loader__, self.__package__ = spec, spec.loader, spec.parent
        if spec.origin:
            self.__file__ = spec.origin
        if (folders := spec.submodule_search_locations) is not None:
            self.__path__ = list(folders) if spec.name == CHANNELS else LatePath(self, folders)
        for name in names:
            setattr(self, name, LateName(self, name))

    def __getattr__(self, name: str) -> Any:
        if name == "__path__":  # asked of every module that something is taken from
            raise AttributeError(name)
        if self.__name__ == CHANNELS and name in (core := _core_of_channels()):
            return core[name]
        load(self)
        if is_late(self):  # asked by its own code, half-way through
            raise AttributeError(f"module {self.__name__!r} has no attribute {name!r} yet")
        return getattr(self, name)


def _core_of_channels() -> Mapping[str, Any]:
    import rasa.core.channels.channel as core

    return vars(core)


def install() -> None:
    """Register late modules where Rasa searches, except those already imported."""
    for name in (*LATE, CHANNELS):
        spec = None if name in sys.modules else _spec(name)
        if spec and spec.loader:
            sys.modules[name] = LateModule(spec, LATE.get(name, ()))
            _hang(sys.modules[name])


def is_late(module: ModuleType) -> bool:
    """Tell whether a module still waits to be used."""
    return isinstance(module, LateModule)


def load(module: ModuleType) -> None:
    """Make a late module the real one; nothing happens to one that is, or is being loaded."""
    name = module.__name__
    parent = sys.modules.get(name.rpartition(".")[0])
    with _LOCK:  # whoever else asks waits here until it is whole
        if parent is not None and is_late(module):
            load(parent)
        spec = module.__spec__
        if not is_late(module) or name in _loading or spec is None or spec.loader is None:
            return
        _loading.add(name)
        try:
            _uncover(name.partition(".")[0])
            if spec.submodule_search_locations is not None:
                module.__path__ = spec.submodule_search_locations
            spec.loader.exec_module(module)
            module.__class__ = ModuleType
            _hang(module)
        finally:
            _loading.discard(name)


def _hang(module: ModuleType) -> None:
    """Make a module an attribute of its parent, as importing does."""
    parent, _, child = module.__name__.rpartition(".")
    if parent in sys.modules:
        setattr(sys.modules[parent], child, module)


def _uncover(library: str) -> None:
    """Take the `LateName`s out of a library that is loaded: its own modules see the real ones."""
    for name in LATE:
        module = sys.modules.get(name)
        if name.partition(".")[0] == library and module is not None and is_late(module):
            for key in [k for k, value in vars(module).items() if isinstance(value, LateName)]:
                delattr(module, key)


def _spec(name: str) -> ModuleSpec | None:
    """Find a module without importing its parents."""
    path: Sequence[str] | None = None
    spec: ModuleSpec | None = None
    parts = name.split(".")
    for end in range(1, len(parts) + 1):
        spec = PathFinder.find_spec(".".join(parts[:end]), path)
        if spec is None:
            return None
        path = spec.submodule_search_locations
    return spec
