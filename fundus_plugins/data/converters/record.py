"""What every converter hands over: records of photographs, and problems met on the way."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from fundus_plugins.data.coco import GRADES
from fundus_plugins.photographs.problems import Problem

if TYPE_CHECKING:
    from fundus_plugins.data.converters.readers import Readers

# (height, width) of the photograph -> disc and cup, boolean arrays of that shape; no cup: it was not annotated.
MaskReader = Callable[[tuple[int, int]], tuple[np.ndarray, np.ndarray | None]]


class NotThisDataset(Exception):
    """The folder does not hold the data set asked for; the text says what was looked for and what was found."""


@dataclass(frozen=True)
class Record:
    """One photograph with annotations; `read_masks` opens the masks later, in another process (so it must pickle).

    It is None for a photograph without masks, and for one whose masks several people drew: those are in `readers`.
    Of a `stereo` pair the left view is the photograph, which will be written to `left_view`; masks are of it. `patient`
    tells whose eye it is; "" where nothing does.
    """

    split: str
    photograph: Path
    grade: str | None
    read_masks: MaskReader | None
    patient: str = ""
    readers: "Readers | None" = None
    stereo: bool = False
    left_view: Path | None = None


@dataclass
class Listing:
    """What a converter found below a root; `notes` are for the summary, `facts` for the JSON's `info`.

    `warnings` are of what was done, and is likely not what was meant; `grades` are those there may be, in order.
    """

    records: list[Record] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    facts: dict[str, str] = field(default_factory=dict)
    grades: tuple[str, ...] = GRADES


@dataclass(frozen=True)
class Converter:
    """One data set: its official splits, how to list it, and its own options.

    An option is its name -> some of `help`, `default`, `type`, `choices`, `required`, `several` (of one value or more),
    for whoever makes a command line.
    """

    name: str
    title: str
    splits: tuple[str, ...]
    list_records: Callable[..., Listing]  # (root: Path, **options); raises NotThisDataset
    options: Mapping[str, Mapping] = field(default_factory=dict)
