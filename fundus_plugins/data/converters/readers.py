"""Several readers of one photograph: which of their masks count, and what they make together.

Votes are counted pixel by pixel: `majority` takes what more than half of the readers drew, as Drishti-GS1's soft maps,
which are votes already, are cut at `--consensus`. `staple` weighs readers by how they agree with the rest (Warfield,
Zou and Wells, 2004), by SimpleITK.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from fundus_plugins.boxes import box_of, window_of
from fundus_plugins.data.converters.record import MaskReader, NotThisDataset
from fundus_plugins.photographs.anatomy import cup_within_disc, refuse_impossible
from fundus_plugins.photographs.problems import BadInput, Problem

Masks = tuple[np.ndarray, np.ndarray | None]
CONSENSUS = ("consensus", "staple")  # what --expert may say beside a reader's name


@dataclass(frozen=True)
class Readers:
    """Who drew a photograph's disc and cup.

    Attributes:
        masks: a reader's name to what opens those masks; a reader whose files are missing is not in it.
        expert: whose masks are the photograph's: a reader's name, or one of CONSENSUS.
        number: of the data set's readers; a consensus needs more than half of them.
    """

    masks: Mapping[str, MaskReader] = field(default_factory=dict)
    expert: str = "consensus"
    number: int = 1

    def read(self, photograph: Path, shape: tuple[int, int], problems: list[Problem]) -> tuple[Masks, dict[str, Masks]]:
        """The photograph's masks and each reader's, (H, W) bool; a problem for every reader who has no usable ones.

        Raises BadInput where too few are left, or where the reader who is wanted is none of them.
        """
        found: dict[str, Masks] = {}
        for name, read_masks in self.masks.items():
            try:
                found[name], repaired = _checked(photograph, *read_masks(shape))
                problems += repaired
            except BadInput as error:
                problems.append(error.problem)
        alone = self.expert not in CONSENSUS
        if alone and self.expert in found:
            return found[self.expert], found
        wanted = 1 if alone else self.number // 2 + 1
        if alone or len(found) < wanted:
            expected = f"usable masks of reader {self.expert}" if alone else f"usable masks of {wanted} readers or more"
            raise BadInput("too few readers", photograph, expected, ", ".join(found) or "none")
        return fuse(list(found.values()), staple if self.expert == "staple" else majority), found


def fuse(masks: Sequence[Masks], rule: Callable[[Sequence[np.ndarray]], np.ndarray]) -> Masks:
    """Disc and cup by `majority` or `staple`; the cup is of those who drew one, clipped to the disc, None of none."""
    disc = rule([x[0] for x in masks])
    cups = [x[1] for x in masks if x[1] is not None]
    return disc, rule(cups) & disc if cups else None


def majority(masks: Sequence[np.ndarray]) -> np.ndarray:
    """What more than half of the (H, W) bool masks have: of two, what both have."""
    return count_votes(masks) * 2 > len(masks)


def count_votes(masks: Sequence[np.ndarray]) -> np.ndarray:
    """How many of the (H, W) bool masks have a pixel, (H, W) uint8; divided by their number, it is a soft label."""
    return np.asarray(np.sum(masks, axis=0, dtype=np.uint8))


def staple(masks: Sequence[np.ndarray]) -> np.ndarray:
    """What STAPLE holds for likelier inside than not, (H, W) bool; one mask, or equal masks, stay as they are."""
    votes = count_votes(masks)
    box = box_of(votes)
    if box is None or (votes[votes > 0] == len(masks)).all():
        return votes > 0
    # Nobody doubts what is far from the disc, and it would make everybody's specificity 1.
    x0, y0, x1, y1 = box
    window = window_of(votes, margin=(max(x1 - x0, y1 - y0) - 1) // 2 + 1)
    sitk = _simple_itk()
    images = [sitk.GetImageFromArray(mask[window].astype(np.uint8)) for mask in masks]
    found = np.zeros(votes.shape, bool)
    found[window] = sitk.GetArrayFromImage(sitk.STAPLE(images, 1.0)) > 0.5
    return found


def check_expert(expert: str) -> None:
    """Raise NotThisDataset where `staple` is asked for and SimpleITK is not there."""
    if expert == "staple":
        _simple_itk()


def expert_option(names: Sequence[str]) -> dict[str, dict]:
    """The converters' option `expert`, of a data set with these readers."""
    text = "whose masks count: one reader's, what more than half of them drew, or STAPLE's of all (SimpleITK)"
    return {"expert": {"choices": (*CONSENSUS, *names), "default": "consensus", "help": text}}


def _checked(photograph: Path, disc: np.ndarray, cup: np.ndarray | None) -> tuple[Masks, list[Problem]]:
    if not disc.any():
        raise BadInput("empty disc", photograph, "a mask with a disc", "none of its pixels is disc")
    refuse_impossible(photograph, disc, cup)
    if cup is None:
        return (disc, None), []
    cup, problem = cup_within_disc(photograph, disc, cup)
    return (disc, cup), [problem] if problem else []


def _simple_itk():
    try:
        import SimpleITK
    except ImportError:
        raise NotThisDataset('--expert staple needs SimpleITK: pip install "fundus-plugins[staple]"') from None
    return SimpleITK
