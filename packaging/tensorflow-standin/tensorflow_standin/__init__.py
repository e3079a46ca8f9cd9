"""Answers every `import tensorflow…` with an object that does nothing and says so when used.

Rasa 3.6 imports TensorFlow at module level in many places (annotations, base classes, constants)
but only DIET, TED and their kin run it. A stand-in for names keeps 1.5 GB and five seconds of
import away from everyone who does not use them.

What must work: `import tensorflow.any.thing`, attribute access, use as an annotation, as a base
class, as a decorator and in `Union[...]`. What must not: calling it for a result, which would
let a model train on nothing; that raises `TensorFlowMissing`.
"""

from __future__ import annotations

import sys
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any

ADVICE = (
    "this environment carries only a stand-in for TensorFlow. Components such as DIETClassifier, "
    "TEDPolicy or ResponseSelector need the optional environment with the real one: "
    "see docs/decisions/0001-rasa-without-tensorflow.md"
)


class TensorFlowMissing(RuntimeError):
    """Something tried to compute with the stand-in."""

    def __init__(self, name: str) -> None:
        super().__init__(f"{name} was called, but {ADVICE}")
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
        if cls.__dict__.get("_is_stand_in"):
            raise TensorFlowMissing(cls.__qualname__)
        return super().__call__(*args, **kwargs)

    def __getitem__(cls, item: Any) -> Any:
        return cls

    def __or__(cls, other: Any) -> Any:
        return cls

    def __ror__(cls, other: Any) -> Any:
        return cls


def _make(qualified_name: str) -> Any:
    namespace = {"_is_stand_in": True, "__qualname__": qualified_name, "__module__": "tensorflow"}
    return _StandInType(qualified_name.rsplit(".", 1)[-1], (), namespace)


class _StandInModule(ModuleType):
    __path__: list[str] = []

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        if name in {"float32", "float64", "int32", "int64", "bool", "string"}:
            value: Any = name
        else:
            value = _make(f"{self.__name__}.{name}")
        setattr(self, name, value)
        return value


class _Finder(MetaPathFinder, Loader):
    PREFIXES = ("tensorflow.", "tensorflow_hub", "tensorflow_text", "tensorflow_addons", "keras")

    def find_spec(self, fullname: str, path: Any = None, target: Any = None) -> ModuleSpec | None:
        if fullname.startswith(self.PREFIXES):
            return ModuleSpec(fullname, self, is_package=True)
        return None

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        return _StandInModule(spec.name)

    def exec_module(self, module: ModuleType) -> None:
        parent, _, child = module.__name__.rpartition(".")
        if parent in sys.modules:
            setattr(sys.modules[parent], child, module)


def install() -> None:
    """Make `tensorflow` and everything below it importable; safe to call twice."""
    if not any(isinstance(finder, _Finder) for finder in sys.meta_path):
        sys.meta_path.append(_Finder())
    top = sys.modules["tensorflow"]
    top.__class__ = _StandInModule
    top.__version__ = "2.12.0"  # type: ignore[attr-defined]
