"""What folders and sheets call the grades: the usual names, and those that `--grades SOURCE=GRADE` gives."""

import re
from collections.abc import Sequence

from fundus_plugins.data.coco import GRADES
from fundus_plugins.data.converters.record import NotThisDataset
from fundus_plugins.photographs.sheets import as_cell, normalised

USUAL_NAMES = {
    "normal": (
        *("normal", "normals", "healthy", "nonglaucoma", "noglaucoma", "notglaucoma", "negative", "nrg"),
        *("glaucomanegative", "negativeglaucoma", "nonglaucomatous", "withoutglaucoma", "control", "controls"),
    ),
    "suspicious": (
        *("suspicious", "suspect", "suspects", "suspected", "glaucomasuspect", "glaucomasuspects"),
        *("suspectedglaucoma", "glaucomasuspected", "suspiciousglaucoma", "suspectglaucoma"),
    ),
    "glaucoma": (
        *("glaucoma", "glaucomas", "glaucomatous", "definiteglaucoma", "positive", "rg"),
        *("glaucomapositive", "positiveglaucoma", "withglaucoma"),
        *(f"{x}glaucoma" for x in ("early", "mild", "moderate", "advanced", "midadvanced", "severe")),
    ),
}
_GRADE_WORDS = re.compile("normal|healthy|glaucom|suspe|suspic|positive|negative")  # what the name of a grade may hold
_USUAL_GRADE_OF = {name: grade for grade, names in USUAL_NAMES.items() for name in names}


class GradeNames:
    """Names of grades: those of `pairs`, each SOURCE=GRADE, and beside them the usual ones.

    A SOURCE is compared in any case, with blanks, `_` and `-` between its words alike; signs count: `glaucoma?` is not
    `glaucoma`. Raises NotThisDataset for what is no such pair, or gives one name two grades, or fewer than two grades.

    Args:
        grades: those there are, in order. With others than ours no names are usual but their own.
    """

    def __init__(self, pairs: Sequence[str] = (), grades: Sequence[str] = ()):
        self.grades = tuple(grades) or GRADES
        if len(set(self.grades)) < max(2, len(self.grades)):
            raise NotThisDataset(f"--grade-names {' '.join(self.grades)}: expected two names or more, each once")
        self._usual = _USUAL_GRADE_OF if self.grades == GRADES else {normalised(x): x for x in self.grades}
        self._words = _GRADE_WORDS if self.grades == GRADES else re.compile("(?!)")
        self._own: dict[str, str] = {}
        self._source: dict[str, str] = {}
        self._met: set[str] = set()
        for pair in pairs:
            source, _, grade = pair.rpartition("=")
            if not source.strip() or grade not in self.grades:
                expected = ", ".join(self.grades)
                raise NotThisDataset(f"--grades {pair}: expected SOURCE=GRADE, with one of {expected}")
            key = _key(source)
            if self._own.setdefault(key, grade) != grade:
                raise NotThisDataset(f"--grades {pair}: expected one grade for {source}, found also {self._own[key]}")
            self._source[key] = source

    def of_cell(self, cell) -> str | None:
        """The grade that a cell of a sheet names; None where it names none."""
        if cell is None:
            return None
        # Spreadsheets make 1.0 of a column's 1.
        return self._own_grade(re.sub(r"^(\d+)\.0+$", r"\1", str(cell).strip())) or (
            None if "?" in str(cell) else self._usual.get(normalised(cell))
        )

    def within(self, folders: Sequence[str]) -> dict[str, str | None]:
        """The folders' names that are a grade's, with the grade; None for those that only look like one's.

        Where `pairs` name some of them, the others do not count.
        """
        own = {name: self._own_grade(name) or self._own_grade(_without_number(name)) for name in folders}
        own = {name: grade for name, grade in own.items() if grade}
        if own:
            return dict(own)
        words = [normalised(name).lstrip("0123456789") for name in folders]
        return {x: self._usual.get(x) for x in words if x in self._usual or self._words.search(x)}

    def warnings(self) -> list[str]:
        """A warning of the names in `pairs` that were never met."""
        absent = [self._source[key] for key in self._own if key not in self._met]
        return [f"--grades: nothing is called {', '.join(absent)}: is that its name here?"] if absent else []

    def read_as_empty(self) -> list[str]:
        """Names of grades, such as none, that `read_sheet` takes for empty cells."""
        return [name for name in (*self.grades, *self._source.values()) if as_cell(name) is None]

    def _own_grade(self, name: str) -> str | None:
        key = _key(name)
        if key in self._own:
            self._met.add(key)
        return self._own.get(key)


def _key(name: str) -> str:
    return re.sub(r"(?<=\w)[\s_-]+(?=\w)", " ", name.strip().casefold())


def _without_number(folder: str) -> str:
    """0_normal, 1_glaucoma: the number says nothing that the word does not."""
    return re.sub(r"^\d+[\W_]*", "", folder)
