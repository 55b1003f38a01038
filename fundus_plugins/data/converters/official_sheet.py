"""Finding the sheet that a data set brings with it, by its headings."""

from collections.abc import Callable, Collection, Sequence
from pathlib import Path

from fundus_plugins.data.converters.record import NotThisDataset
from fundus_plugins.photographs.folders import first_entries, walk_files
from fundus_plugins.photographs.problems import BadInput
from fundus_plugins.photographs.sheets import SHEET_SUFFIXES, normalised, read_sheet


def find_sheet(
    root: Path, given: str | Path, fits: Callable[[Sequence[str]], bool], title: str, looked_for: str
) -> tuple[Path, list[list]]:
    """The sheet that is given, else the first one below `root` whose headings (normalised) fit; and its rows.

    CSV files go before Excel's: a repack's CSV file names just the photographs that it holds. Raises NotThisDataset
    where there is none, or the one given does not fit.
    """
    if given:
        try:
            rows = read_sheet(Path(given))
        except BadInput as error:
            raise NotThisDataset(str(error.problem)) from None
        if not _fit(rows, fits):
            raise NotThisDataset(f"{given}: expected {looked_for}, found {', '.join(map(str, rows[0]))}")
        return Path(given), rows
    sheets = [root / file for file in walk_files(root) if file.suffix.lower() in SHEET_SUFFIXES]
    for path in sorted(sheets, key=lambda path: (path.suffix.lower() != ".csv", path)):
        try:
            rows = read_sheet(path)
        except BadInput:
            continue  # it may be anybody's
        if _fit(rows, fits):
            return path, rows
    raise NotThisDataset(
        f"{root} does not hold {title}: looked for {looked_for}, found none among {len(sheets)} sheets; the folder "
        f"holds: {first_entries(root)} (--sheet names one elsewhere)"
    )


def place_of(headings: Sequence[str], names: Collection[str]) -> int:
    """The first column with one of the headings."""
    return next(i for i, heading in enumerate(headings) if heading in names)


def _fit(rows: Sequence[Sequence], fits: Callable[[Sequence[str]], bool]) -> bool:
    return bool(rows) and fits([normalised(cell) for cell in rows[0]])
