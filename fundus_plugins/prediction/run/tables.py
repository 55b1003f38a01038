"""What a run writes of all photographs: CSV, Parquet, COCO JSON, the report."""

import csv
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import IO, Any

from fundus_plugins.files import atomic_write
from fundus_plugins.prediction.run.options import Options
from fundus_plugins.prediction.run.record import COLUMNS, FAILED, row

CSV, PARQUET, COCO = "predictions.csv", "predictions.parquet", "predictions.coco.json"


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


def write_tables(output: Path, records: Iterable[dict[str, Any]], options: Options, facts: Mapping[str, Any]) -> None:
    """Every table and document that `options` ask for, of records in their order."""
    if "csv" in options.write:
        write_csv(output, records)
    if "parquet" in options.write:
        write_parquet(output, records)
    if "coco" in options.write:
        write_coco(output, records, facts)
    if "report" in options.write:
        from fundus_plugins.prediction.report import write_report

        write_report(output, records, facts={name: str(value) for name, value in facts.items()})


def write_parquet(output: Path, records: Iterable[Mapping[str, Any]]) -> None:
    """predictions.parquet: the CSV's columns with their types, and the rim's profile as one column of lists."""
    import pyarrow
    import pyarrow.parquet

    names = [x for x in COLUMNS if not x[-3:].isdigit()] + ["rim_profile"]
    columns: dict[str, list] = {name: [] for name in names}
    for record in records:
        for name, values in columns.items():
            values.append(record.get(name))
    table = pyarrow.table(columns)
    with atomic_write(output / PARQUET, "wb") as file:
        pyarrow.parquet.write_table(table, file)


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
                Path(record["path"]), *size, rle["disc"], rle["cup"], record.get("vcdr"), None, record["patient"]
            )
        )
        scores += [record["score"]] * sum(x is not None for x in rle.values())
    document = build_segmentation(images, output, {"description": "predictions of fundus_plugins", **facts})
    for annotation, score in zip(document["annotations"], scores):
        if score is not None:  # a person's outlines have none
            annotation["score"] = score
    write_json({output / COCO: document})
