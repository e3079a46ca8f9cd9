"""Answers imports of libraries that are not here with objects that do nothing and say so when used.

Rasa imports TensorFlow, the kits of other vendors' channels and the drivers of other stores at
module level: for annotations, base classes and constants. Only the component, channel or store in
question runs them. A stand-in for names keeps 1.6 GB away from everyone who uses none of those.

What must work: `import library.any.thing`, `from library import Anything`, attribute access, use as
an annotation, as a base class, as a decorator, in `Union[...]`, and in `except`. What must not:
calling it for a result, which would let a model train on nothing or a channel send nowhere; that
raises `LibraryMissing`.
"""

from __future__ import annotations

import sys
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any

PAGE = "docs/decisions/0009-three-installs.md"
VERSIONS = {"tensorflow": "2.12.0"}
"""What `__version__` says, where Rasa reads it."""
COMPANIONS = {"tensorflow": ("tensorflow_hub", "tensorflow_text", "tensorflow_addons", "keras")}
"""Top-level modules that are answered for as soon as their library is."""


class LibraryMissing(RuntimeError):
    """Something was to run that is not installed."""

    def __init__(self, name: str) -> None:
        library = ".".join(name.split(".")[: 2 if name.startswith("google.") else 1])
        super().__init__(
            f"{name} was called, but this environment carries only a stand-in for {library}: "
            f"install the real one, {PAGE} says how"
        )
        self.name = name


class _StandInType(type):
    """Metaclass, so that class attributes (`tf.keras.layers.Layer.call`) resolve as well."""

    def __getattr__(cls, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return _make(f"{cls.__qualname__}.{name}")

    def __call__(cls, *args: Any, **kwargs: Any) -> Any:
        # Decorating (`@tf.function`) happens at import time and must hand the function back.
        if len(args) == 1 and not kwargs and callable(args[0]) and not isinstance(args[0], type):
            return args[0]
        if any("_stands_for" in base.__dict__ for base in cls.__mro__):
            raise LibraryMissing(cls._stands_for)
        return super().__call__(*args, **kwargs)

    def __getitem__(cls, item: Any) -> Any:
        return cls

    def __iter__(cls) -> Any:
        # Tuples of errors, unpacked in an `except`: none of them will ever be raised.
        return iter(())

    def __or__(cls, other: Any) -> Any:
        return cls

    def __ror__(cls, other: Any) -> Any:
        return cls


def _make(qualified_name: str) -> Any:
    module, _, name = qualified_name.rpartition(".")
    is_error = name.endswith(("Error", "Exception")) or module.endswith((".errors", ".exceptions"))
    namespace = {
        "_stands_for": qualified_name,
        "__qualname__": qualified_name,
        "__module__": qualified_name.partition(".")[0],
    }
    return _StandInType(name, (Exception,) if is_error else (), namespace)


class _StandInModule(ModuleType):
    __path__: list[str]

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        if self.__name__ == "tensorflow" and name in _PLAIN_TYPES:
            value: Any = name
        else:
            value = _make(f"{self.__name__}.{name}")
        setattr(self, name, value)
        return value


_PLAIN_TYPES = frozenset({"float32", "float64", "int32", "int64", "bool", "string"})


class _Finder(MetaPathFinder, Loader):
    """Finds what lies below the libraries that are stood in for, after everybody else looked."""

    def __init__(self) -> None:
        self.libraries: set[str] = set()

    def find_spec(self, fullname: str, path: Any = None, target: Any = None) -> ModuleSpec | None:
        if any(fullname == name or fullname.startswith(f"{name}.") for name in self.libraries):
            return ModuleSpec(fullname, self, is_package=True)
        return None

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        return _StandInModule(spec.name)

    def exec_module(self, module: ModuleType) -> None:
        parent, _, child = module.__name__.rpartition(".")
        if parent in sys.modules:
            setattr(sys.modules[parent], child, module)


_FINDER = _Finder()


def answer_for(library: str) -> None:
    """Turn a module into a stand-in, and answer imports of everything below it.

    Args:
        library: Name of a module that is being imported, such as `twilio`.
    """
    if _FINDER not in sys.meta_path:
        sys.meta_path.append(_FINDER)
    _FINDER.libraries |= {library, *COMPANIONS.get(library, ())}
    module = sys.modules[library]
    module.__class__ = _StandInModule
    module.__path__ = []
    if library in VERSIONS:
        module.__version__ = VERSIONS[library]  # type: ignore[attr-defined]
