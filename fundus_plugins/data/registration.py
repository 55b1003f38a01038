"""The data sets by name, and registering them with Detectron2."""

import difflib
import os
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path

from .annotations import IGNORED, parse_categories, structures_of
from .coco import GRADES, GRADING_COLORS, READER, SEGMENTATION_CATEGORIES, SEGMENTATION_COLORS
from .coco_file import ALLOWED, disc_cup_records, grading_records

_SPLITS = ("train", "val", "test")
_OFFICIAL_SPLITS = ("train", "test", "fit", "val")  # those without an official validation split: fit and val are drawn

# Name of the data set -> its splits, and the arguments of `fundus convert` that make it. Each split has a segmentation
# and a grading file.
FUNDUS_DATASETS: dict[str, tuple[tuple[str, ...], str]] = {
    "refuge": (_SPLITS, "refuge --root <where REFUGE is>"),
    "drishti_gs1": (_OFFICIAL_SPLITS, "drishti_gs1 --root <where Drishti-GS1 is>"),
    "phantom": (_SPLITS, "refuge --root {folder}/raw"),
    "rim_one_dl": (_OFFICIAL_SPLITS, "rim_one_dl --root <where RIM-ONE DL is>"),
    "rim_one_r3": (_OFFICIAL_SPLITS, "rim_one_dl --part r3 --root <where RIM-ONE DL is>"),
    "refuge2": (_SPLITS, "refuge --root <where REFUGE2 is>"),
    "origa": (_SPLITS, "origa --root <where ORIGA is>"),
    "papila": (_SPLITS, "papila --root <where PAPILA is>"),
    "g1020": (_SPLITS, "g1020 --root <where G1020 is>"),
    "chaksu": (_SPLITS, "chaksu --root <where Chaksu is>"),
    "riga": (_SPLITS, "riga --root <where RIGA is>"),
    "rim_one_r3_stereo": (_SPLITS, "rim_one_r3_stereo --root <where RIM-ONE r3 is>"),
    "drions_db": (_SPLITS, "drions_db --root <where DRIONS-DB is>"),
    "drive": (_SPLITS, "drive --root <where DRIVE and its discs are>"),
    "idrid": (_SPLITS, "idrid --root <where IDRiD is>"),
    "palm": (_SPLITS, "palm --root <where PALM is>"),
    "smdg": (_SPLITS, "smdg --root <where SMDG is>"),
    "gamma": (_SPLITS, "gamma --root <where GAMMA is>"),
    "odir": (_SPLITS, "odir --root <where ODIR is>"),
    "graded": (_SPLITS, "graded_folders --root <where a folder for each grade is>"),
    "masked": (_SPLITS, "masked --root <where images/ and masks/ are>"),
    "labelme": (_SPLITS, "labelme --root <where LabelMe's files are>"),
}
GRADING_SUFFIX = "_grading"
OWN = "own"  # what COCO JSON of one's own is registered as
READER_FILES = f"*{READER}*.json"  # of a split's several readers
FOLD_FILES = "*_fold*of*_seed*_*.json"  # what folds.py writes beside a split's file


def datasets_root(root: str | None = None) -> str:
    """The folder of the data sets: `root`, else the environment's DETECTRON2_DATASETS, else `./datasets`."""
    return os.path.expanduser(root or os.environ.get("DETECTRON2_DATASETS", "datasets"))


def register_fundus_datasets(root: str | None = None, categories: Sequence[str] = ()) -> None:
    """Register `<set>_<split>` and `<set>_<split>_grading` of FUNDUS_DATASETS with Detectron2; no file is read.

    `root` holds `<set>/<split>.json`; default: the environment's DETECTRON2_DATASETS, else `./datasets`. Files of
    folds (folds.py) and of readers that lie there are registered too, as `<set>_<file's stem>`, and the splits that lie
    in folders of other names, as `<folder>_<split>`. Their disc and cup are known by the names of their categories, the
    usual ones and `categories` (such as `disc=papilla`). Calling again with the same arguments does nothing, with
    another root the names move there. Raises AssertionError (Detectron2's) if somebody else registered such a name.
    """
    root = datasets_root(root)
    for own in sorted(x for x in Path(root).glob("*") if x.is_dir() and x.name not in FUNDUS_DATASETS):
        files = [own / f"{split}{suffix}.json" for split in _OFFICIAL_SPLITS for suffix in ("", GRADING_SUFFIX)]
        for path in [x for x in files if os.path.isfile(x)] + _more_files(own):
            _register(f"{own.name}_{path.stem}", str(path), own.name, categories)
    for dataset, (splits, _) in FUNDUS_DATASETS.items():
        folder = os.path.join(root, dataset)
        stems = [split + suffix for split in splits for suffix in ("", GRADING_SUFFIX)]
        stems += [path.stem for path in _more_files(Path(folder))]
        for stem in stems:
            _register(f"{dataset}_{stem}", os.path.join(folder, f"{stem}.json"), dataset, categories)


def _more_files(folder: Path) -> list[Path]:
    """Of folds, and of a split's several readers."""
    return sorted({*folder.glob(FOLD_FILES), *folder.glob(READER_FILES)})


def _register(name: str, json_file: str, dataset: str, categories: Sequence[str]) -> None:
    from detectron2.data import DatasetCatalog, MetadataCatalog

    if name in DatasetCatalog.list() and MetadataCatalog.get(name).get("fundus_set") == dataset:
        known = MetadataCatalog.get(name)
        if known.json_file == json_file and known.fundus_categories == tuple(categories):
            return
        DatasetCatalog.remove(name)
        MetadataCatalog.remove(name)
    folder = os.path.dirname(json_file)
    grading = Path(json_file).stem.endswith(GRADING_SUFFIX)
    load = partial(_load_grading, name) if grading else partial(_load_disc_cup, parse_categories(categories))
    DatasetCatalog.register(name, partial(load, json_file, folder, dataset == OWN))
    MetadataCatalog.get(name).set(
        json_file=json_file,
        image_root=folder,
        evaluator_type="coco",
        fundus_set=dataset,
        fundus_categories=tuple(categories),
    )
    if not grading:  # the names of grades are known once the file is read
        MetadataCatalog.get(name).set(
            thing_classes=[category["name"] for category in SEGMENTATION_CATEGORIES],
            thing_colors=SEGMENTATION_COLORS,
            thing_dataset_id_to_contiguous_id={x["id"]: i for i, x in enumerate(SEGMENTATION_CATEGORIES)},
        )


def _load_disc_cup(own: Mapping[str, int], json_file: str, image_root: str, confined: bool) -> list[dict]:
    return disc_cup_records(json_file, image_root, own, _allowed(json_file) if confined else None)


def _allowed(json_file: str) -> list[str] | None:
    """Where the photographs of a JSON file that is not one of ours may be; None: anywhere, for it is among ours."""
    root = datasets_root()
    if Path(json_file).resolve().is_relative_to(Path(root).resolve()):
        return None
    return [root, *filter(None, os.environ.get(ALLOWED, "").split(os.pathsep))]


def _load_grading(name: str, json_file: str, image_root: str, confined: bool) -> list[dict]:
    from detectron2.data import MetadataCatalog

    records, names = grading_records(json_file, image_root, _allowed(json_file) if confined else None)
    colors = GRADING_COLORS if tuple(names) == GRADES else None
    # Not set(), which refuses another value: the file may have been written anew.
    MetadataCatalog.get(name).__dict__.update(thing_classes=names, thing_colors=colors)
    return records


def read_grading_set(name: str) -> tuple[list[dict], list[str]]:
    """The records of a registered grading set, and the names of their category ids, which reading makes known.

    Raises ValueError where there are grades without names.
    """
    from detectron2.data import DatasetCatalog, MetadataCatalog

    records = DatasetCatalog.get(name)
    names = list(MetadataCatalog.get(name).get("thing_classes") or [])
    if not names and any(record.get("annotations") for record in records):
        raise ValueError(f"data set {name}: expected names of its grades as thing_classes, found none")
    return records, names


def disc_cup_structures(name: str, own: Mapping[str, int] | None = None) -> list[int | None]:
    """DISC, CUP or None for every contiguous category id of a registered set, whoever registered it.

    Raises BadInput where none of its categories is called a disc.
    """
    from detectron2.data import DatasetCatalog, MetadataCatalog

    if not MetadataCatalog.get(name).get("thing_classes"):
        DatasetCatalog.get(name)  # a set in COCO format knows its categories once it is read
    return structures_of(MetadataCatalog.get(name).get("thing_classes") or [], name, own)


def disc_cup_dataset(names: Sequence[str], own: Mapping[str, int] | None = None) -> list[dict]:
    """The photographs of several registered sets in one list, whose category ids are DISC and CUP; ignored ones gone.

    `source` of each is its set's name.

    Raises BadInput where a category that is annotated is neither, nor to be ignored.
    """
    from detectron2.data import DatasetCatalog, MetadataCatalog

    records = []
    for name in names:
        structures = disc_cup_structures(name, own)
        for record in DatasetCatalog.get(name):
            annotations = []
            for x in record.get("annotations", ()):
                structure = structures[x["category_id"]]
                if structure is None:  # tells what was expected
                    structures_of([MetadataCatalog.get(name).thing_classes[x["category_id"]]], name, own)
                elif structure != IGNORED:
                    annotations.append(x | {"category_id": structure, "iscrowd": 0})
            records.append(record | {"annotations": annotations, "source": name})
    return records


def part_name(name: str, path: Path) -> str:
    """What a part of a registered set of ours, the file of a fold, is registered as, or will be."""
    from detectron2.data import MetadataCatalog

    fundus_set = MetadataCatalog.get(name).fundus_set
    return str(path) if fundus_set == OWN else f"{fundus_set}_{path.stem}"


def is_registered(name: str) -> bool:
    """Whether Detectron2 knows a data set of this name."""
    from detectron2.data import DatasetCatalog

    return name in DatasetCatalog.list()


def require_dataset(name: str, categories: Sequence[str] = ()) -> None:
    """Raise FileNotFoundError, one line that tells how to make it, if the JSON of a registered name of ours is missing.

    A path that ends in `.json`, of COCO JSON of one's own, is registered under that name. Other names are left to
    Detectron2.
    """
    from detectron2.data import DatasetCatalog, MetadataCatalog

    ours = name not in DatasetCatalog.list() or MetadataCatalog.get(name).get("fundus_set") == OWN
    if name.endswith(".json") and ours:
        if not os.path.isfile(name):
            raise FileNotFoundError(f"data set {name}: there is no such file")
        _register(name, os.path.abspath(name), OWN, categories)
        return

    dataset = MetadataCatalog.get(name).get("fundus_set") if name in DatasetCatalog.list() else None
    if name not in DatasetCatalog.list():
        some = difflib.get_close_matches(name, DatasetCatalog.list(), n=3)
        meant = f"; did you mean {', '.join(some)}?" if some else ""
        raise FileNotFoundError(
            f"data set {name}: nothing is registered under this name; expected one such as refuge_train, one of "
            f"a folder in {datasets_root()}, or the path of a .json file{meant}"
        )
    if dataset in (None, OWN) or os.path.isfile(MetadataCatalog.get(name).json_file):
        return
    folder = MetadataCatalog.get(name).image_root
    made = FUNDUS_DATASETS.get(dataset, FUNDUS_DATASETS["masked"])[1].format(folder=folder)
    command = f"fundus convert {made} --output {folder}"
    if dataset == "phantom":
        command = f"fundus draw-phantoms --output {os.path.join(folder, 'raw')} && {command}"
    raise FileNotFoundError(
        f"data set {name}: there is no {MetadataCatalog.get(name).json_file}; make it with: {command}"
    )
