"""Adds this package's parts to Detectron2's registries, at once where Detectron2 is imported, else when it is."""

import importlib.util
import sys
from collections.abc import Callable
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec


def register_parts() -> None:
    """Register the models' parts with Detectron2's registries; importing them does."""
    from . import modeling  # noqa: F401


def register_weights() -> None:
    """Register the packaged weights' `fundus://` with Detectron2's PathManager; importing them does."""
    from . import weights  # noqa: F401


# What to register once a module of Detectron2's is there.
HOSTS: dict[str, Callable[[], None]] = {
    "detectron2.utils.file_io": register_weights,
    "detectron2.modeling": register_parts,
}


def register_with_detectron2() -> None:
    """Register now where Detectron2's modules are imported, else right after whoever needs them has imported them.

    Importing Detectron2 takes seconds, which nobody should wait for who asks a command for its --help.
    """
    for module, then in HOSTS.items():
        if module in sys.modules:
            then()
        elif not any(isinstance(finder, _AfterImport) and finder.module == module for finder in sys.meta_path):
            sys.meta_path.insert(0, _AfterImport(module, then))


class _AfterImport(MetaPathFinder):
    """Leaves every import to the other finders; when `module` has been imported, calls `then` and is gone."""

    def __init__(self, module: str, then: Callable[[], None]):
        self.module = module
        self.then = then
        self._asking = False

    def find_spec(self, fullname, path=None, target=None) -> ModuleSpec | None:
        if fullname != self.module or self._asking:
            return None
        self._asking = True
        try:
            spec = importlib.util.find_spec(fullname)
        finally:
            self._asking = False
        if spec is not None and spec.loader is not None:
            execute = spec.loader.exec_module

            def execute_then_register(module):
                execute(module)
                if self in sys.meta_path:  # here, not before: a spec may be asked for and not be used
                    sys.meta_path.remove(self)
                    self.then()

            # Of this import's own loader, nobody else's.
            spec.loader.exec_module = execute_then_register  # type: ignore[method-assign]
        return spec
