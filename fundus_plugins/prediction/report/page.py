"""Records of eyes to a page that opens without a network."""

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined, Template

import fundus_plugins
from fundus_plugins.files import atomic_write
from fundus_plugins.prediction.report.assets import content_policy, script, style
from fundus_plugins.prediction.report.encoding import as_json
from fundus_plugins.prediction.report.histogram import vcdr_bins
from fundus_plugins.prediction.report.pictures import Pictures
from fundus_plugins.prediction.report.reasons import sentence
from fundus_plugins.prediction.report.records import Eye, read_records
from fundus_plugins.prediction.report.summary import summarise

NAME = "report.html"
TITLE = "Optic disc and cup"
EMBEDDED_BYTES = 40_000_000  # of all pictures; with more, a browser is slow to open the page

# Columns that are left out where no eye has anything to show in them.
_OPTIONAL = ("patient", "eye", "rim_narrowest", "isnt", "ddls", "grade")


def write_report(
    output: Path,
    records: Iterable[Mapping[str, Any]],
    *,
    title: str = TITLE,
    facts: Mapping[str, str] | None = None,
    split: bool | None = None,
) -> Path:
    """Write `output/report.html`, whole or not at all.

    Args:
        output: the folder that the records' pictures lie in.
        records: one for each eye; what may be in it is described in docs/report.md. Only `id` has to be there.
        facts: names and texts about the run: weights, version, date, command.
        split: True: the page refers to the pictures, and works beside them alone; False: they are in the page; None:
            they are in the page where they have at most EMBEDDED_BYTES together.

    Returns:
        The page's path.

    Raises:
        ValueError: a record without an id, or two with the same one.
        OSError: the page cannot be written, or a picture not read.
    """
    output = Path(output)
    eyes = list(read_records(records))
    pictures = Pictures(output, [name for eye in eyes for name in eye.pictures.values()])
    if split is None:
        split = pictures.bytes > EMBEDDED_BYTES
    rows = [eye.row for eye in eyes]
    reasons = sorted({reason for row in rows for reason in row["reasons"]})
    page = _template().stream(
        title=title,
        facts=facts or {},
        version=fundus_plugins.__version__,
        policy=content_policy(split),
        style=style(),
        script=script(),
        summary=summarise(rows),
        bins=vcdr_bins(rows),
        columns={name for name in _OPTIONAL if any(row.get(name) not in (None, "") for row in rows)},
        rows=as_json({"eyes": rows, "sentences": {reason: sentence(reason) for reason in reasons}}),
        details=_details(eyes, pictures, split),
    )
    page.enable_buffering(32)
    with atomic_write(output / NAME) as file:
        file.writelines(page)
    return output / NAME


def _details(eyes: Iterable[Eye], pictures: Pictures, split: bool) -> Iterator[str]:
    """JSON of what the page reads of an eye when it is looked at; one by one, so that few pictures are held at once."""
    for eye in eyes:
        urls = {kind: pictures.url(name, split) for kind, name in eye.pictures.items()}
        yield as_json({**eye.details, "pictures": urls})


def _template() -> Template:
    loader = PackageLoader("fundus_plugins.prediction.report")
    environment = Environment(
        loader=loader, autoescape=True, trim_blocks=True, lstrip_blocks=True, undefined=StrictUndefined
    )
    return environment.get_template("report.html")
