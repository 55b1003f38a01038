"""JSON that may stand in a page."""

import json

from markupsafe import Markup

# With these, nothing in it ends the script element or begins a comment; all that is not ASCII is escaped by json.
_ESCAPED = {"<": "\\u003c", ">": "\\u003e", "&": "\\u0026"}


def as_json(value: object) -> Markup:
    """A value as JSON for a `<script type="application/json">`; ValueError for what JSON does not have."""
    text = json.dumps(value, allow_nan=False, separators=(",", ":"))
    for character, escaped in _ESCAPED.items():
        text = text.replace(character, escaped)
    return Markup(text)
