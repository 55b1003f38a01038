"""Weights that come with the package, under the prefix "fundus://" wherever Detectron2 takes the path of a file."""

import os

from detectron2.utils.file_io import PathHandler, PathManager

PREFIX = "fundus://"


class PackagedWeights(PathHandler):
    """`fundus://NAME` is the file NAME beside this module; read only."""

    def _get_supported_prefixes(self) -> list[str]:
        return [PREFIX]

    def _get_local_path(self, path: str, force: bool = False, **kwargs) -> str:
        return os.path.join(os.path.dirname(os.path.abspath(__file__)), path[len(PREFIX) :])

    def _exists(self, path: str, **kwargs) -> bool:
        return os.path.exists(self._get_local_path(path))

    def _isfile(self, path: str, **kwargs) -> bool:
        return os.path.isfile(self._get_local_path(path))

    def _open(self, path: str, mode: str = "r", **kwargs):
        return PathManager.open(self._get_local_path(path), mode, **kwargs)


PathManager.register_handler(PackagedWeights())
