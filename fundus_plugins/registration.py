"""Adds this package's parts to Detectron2's registries, at once where Detectron2 is imported, else when it is."""

import importlib.util
import sys
from collections.abc import Callable
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec

HOST = "detectron2.modeling"  # has the registries


def register_parts() -> None:
    """Register the models' parts and the packaged weights' `fundus://` with Detectron2; importing them does."""
    from . import modeling, weights  # noqa: F401


def register_with_detectron2() -> None:
    """Register now if Detectron2's registries are there, else right after whoever needs them has imported them.

    Importing Detectron2 takes seconds, which nobody should wait for who asks a command for its --help.
    """
    if HOST in sys.modules:
        register_parts()
    elif not any(isinstance(finder, _AfterImport) for finder in sys.meta_path):
        sys.meta_path.insert(0, _AfterImport(HOST, register_parts))


class _AfterImport(MetaPathFinder):
    """Leaves every import to the other finders; when `module` has been imported, calls `then` and is gone."""

    def __init__(self, module: str, then: Callable[[], None]):
        self.module = module
        self.then = then

    def find_spec(self, fullname, path=None, target=None) -> ModuleSpec | None:
        if fullname != self.module:
            return None
        sys.meta_path.remove(self)
        spec = importlib.util.find_spec(fullname)
        if spec is not None and spec.loader is not None:
            execute = spec.loader.exec_module

            def execute_then_register(module):
                execute(module)
                self.then()

            # Of this import's own loader, nobody else's; a method that is replaced on purpose.
            spec.loader.exec_module = execute_then_register  # type: ignore[method-assign]
        return spec
