"""DiscCupMasks against Detectron2's BitMasks."""

import torch
from detectron2.structures import BitMasks, Instances

from fundus_plugins.data.structures import DiscCupMasks


def example():
    generator = torch.Generator().manual_seed(0)
    masks = (torch.rand(3, 2, 40, 50, generator=generator) > 0.5).to(torch.uint8)
    return masks, DiscCupMasks(masks, torch.tensor([[True, True], [True, False], [False, False]]))


def test_crop_and_resize_is_that_of_bitmasks():
    masks, ours = example()
    boxes = torch.tensor([[3.0, 4, 30, 33], [-5, 2, 20, 20], [10, 10, 60, 39], [0, 0, 50, 40]])
    rows = torch.tensor([2, 0, 0, 1])
    cropped = ours[rows].crop_and_resize(boxes, 28)
    assert cropped.shape == (4, 2, 28, 28) and cropped.dtype == torch.float32
    for channel in (0, 1):
        expected = BitMasks(masks[rows, channel].bool()).crop_and_resize(boxes, 28)
        assert torch.equal(cropped[:, channel].bool(), expected)


def test_indexing_copies_no_pixel_and_composes():
    masks, ours = example()
    chosen = ours[torch.tensor([2, 1, 1])][torch.tensor([False, True, True])]
    assert chosen.masks.data_ptr() == masks.data_ptr()
    assert chosen.index.tolist() == [1, 1] and chosen.known.tolist() == [[True, False]] * 2
    assert len(ours[1]) == 1 and len(ours[:0]) == 0
    assert torch.equal(ours[1].disc().tensor[0], masks[1, 0].bool())
    assert torch.equal(ours[1].cup().tensor[0], masks[1, 1].bool())


def test_as_a_field_of_instances():
    _, ours = example()
    instances = Instances((40, 50), gt_disc_cup=ours)
    assert len(instances[torch.tensor([0, 0, 2, 1])].gt_disc_cup) == 4
    assert instances.to("cpu").gt_disc_cup.known.shape == (3, 2)
