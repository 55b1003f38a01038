"""The page's style and script, joined from small files, and the policy that lets a browser run these alone."""

import base64
import hashlib
from functools import cache
from importlib.resources import files

from markupsafe import Markup

STYLES = ("colours", "base", "summary", "filters", "table", "dialog", "viewer", "facts", "narrow", "print")
# In the order in which they need each other.
SCRIPTS = (
    "dom",
    "words",
    "store",
    "outlines",
    "filters",
    "thumbnail",
    "cells",
    "table",
    "viewer",
    "profile",
    "measures",
    "patient",
    "facts",
    "dialog",
    "print",
    "page",
)


@cache
def style() -> Markup:
    """All style sheets."""
    return Markup("".join(_text("styles", f"{name}.css") for name in STYLES))


@cache
def script() -> Markup:
    """All scripts within one function, so that a file's names are seen by the files after it and by nothing else."""
    parts = "".join(_text("scripts", f"{name}.js") for name in SCRIPTS)
    return Markup(f'(() => {{\n"use strict";\n{parts}}})();\n')


def content_policy(split: bool) -> str:
    """What the page may do: run its own script, use its own style, and show pictures, from beside it if `split`."""
    pictures = "data: 'self' file:" if split else "data:"
    return (
        f"default-src 'none'; script-src '{_digest(script())}'; style-src '{_digest(style())}'; "
        f"img-src {pictures}; base-uri 'none'; form-action 'none'"
    )


def _digest(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode("ascii")


def _text(folder: str, name: str) -> str:
    return (files(__package__) / folder / name).read_text(encoding="utf-8")
