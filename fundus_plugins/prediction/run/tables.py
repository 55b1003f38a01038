"""What a run writes of all photographs: CSV, Parquet, COCO JSON, the report."""

import csv
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from fundus_plugins.files import atomic_write
from fundus_plugins.prediction.run.journal import TABLES
from fundus_plugins.prediction.run.options import Options
from fundus_plugins.prediction.run.record import COLUMNS, FAILED, flat, kind_of, row

if TYPE_CHECKING:
    import pyarrow

CSV, PARQUET, COCO, _, _ = TABLES


class CsvTable:
    """predictions.csv, with a row for each record as it comes.

    Args:
        output: its folder.
        records: of photographs that are done; their rows come first.
        wanted: whether it is written at all.
    """

    def __init__(self, output: Path, records: Iterable[Mapping[str, Any]], wanted: bool):
        self._file: IO[str] | None = None
        if wanted:
            write_csv(output, records)
            self._file = open(output / CSV, "a", encoding="utf-8", newline="", errors="backslashreplace")

    def add(self, record: Mapping[str, Any]) -> None:
        """Append a record's row."""
        if self._file is not None:
            csv.writer(self._file).writerow(row(record))
            self._file.flush()

    def __enter__(self) -> "CsvTable":
        return self

    def __exit__(self, *_: object) -> None:
        if self._file is not None:
            self._file.close()


def write_csv(output: Path, records: Iterable[Mapping[str, Any]]) -> None:
    """Replace predictions.csv by one of these records."""
    with atomic_write(output / CSV) as file:
        writer = csv.writer(file)
        writer.writerow(COLUMNS)
        writer.writerows(map(row, records))


def write_tables(
    output: Path,
    records: Iterable[dict[str, Any]],
    options: Options,
    facts: Mapping[str, Any],
    split: bool | None = None,
) -> None:
    """Every table and document that `options` ask for, of records in their order; `split` is the report's."""
    writers: dict[str, Callable[[], object]] = {
        "csv": lambda: write_csv(output, records),
        "parquet": lambda: write_parquet(output, records),
        "coco": lambda: write_coco(output, records, facts),
        "report": lambda: _write_report(output, records, facts, split),
    }
    failed: Exception | None = None
    for kind in (x for x in writers if x in options.write):
        try:
            writers[kind]()
        except Exception as error:  # one must not cost the others
            failed = failed or error
    if failed is not None:
        raise failed


def _write_report(output: Path, records: Iterable[dict], facts: Mapping[str, Any], split: bool | None) -> None:
    from fundus_plugins.prediction.report import write_report

    about = {name: str(value) for name, value in facts.items()}
    write_report(output, records, facts=about, split=split)


def write_parquet(output: Path, records: Iterable[Mapping[str, Any]]) -> None:
    """predictions.parquet: the records' table."""
    import pyarrow.parquet

    table = as_table(records)
    with atomic_write(output / PARQUET, "wb") as file:
        pyarrow.parquet.write_table(table, file)


def as_table(records: Iterable[Mapping[str, Any]]) -> "pyarrow.Table":
    """The CSV's columns, each of one type in every run, and the rim's profile as a list."""
    import pyarrow

    types = {"text": pyarrow.string(), "number": pyarrow.float64(), "count": pyarrow.int64(), "truth": pyarrow.bool_()}
    kinds = {name: types[kind_of(name)] for name in COLUMNS if not name[-3:].isdigit()}
    kinds |= {"reasons": pyarrow.list_(pyarrow.string()), "rim_profile": pyarrow.list_(pyarrow.float64())}
    columns: dict[str, list] = {name: [] for name in kinds}
    for record in map(flat, records):
        for name, values in columns.items():
            value = record.get(name)
            values.append(_printable(value) if isinstance(value, str) else value)
    return pyarrow.table(columns, schema=pyarrow.schema(list(kinds.items())))


def _printable(text: str) -> str:
    """A file's name need not be UTF-8."""
    return text.encode("utf-8", "backslashreplace").decode("utf-8")


def write_coco(output: Path, records: Iterable[Mapping[str, Any]], facts: Mapping[str, Any]) -> None:
    """predictions.coco.json: disc and cup of every photograph that was predicted, those without a disc as well."""
    from fundus_plugins.data.coco import AnnotatedImage, build_segmentation, write_json

    images, scores = [], []
    for record in records:
        if record["status"] == FAILED:
            continue
        rle = record.get("rle") or {"disc": None, "cup": None}
        size = record["height"], record["width"]
        images.append(
            AnnotatedImage(
                _photograph(output, record), *size, rle["disc"], rle["cup"], record.get("vcdr"), None, record["patient"]
            )
        )
        scores += [record["score"]] * sum(x is not None for x in rle.values())
    document = build_segmentation(images, output, {"description": "predictions of fundus_plugins", **facts})
    for annotation, score in zip(document["annotations"], scores):
        if score is not None:  # a person's outlines have none
            annotation["score"] = score
    write_json({output / COCO: document})


def _photograph(output: Path, record: Mapping[str, Any]) -> Path:
    """Its file; of several pictures in one file, and of what is in a ZIP file, its id below the folder."""
    path = Path(record["path"])
    return path if path.is_file() else output / record["id"]
