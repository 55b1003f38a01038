"""Every configuration key that fundus_plugins adds to Detectron2's; no default of Detectron2's is changed here."""

import logging
import os
from collections.abc import Mapping, Sequence
from typing import Any

import yaml
from detectron2.config import CfgNode, get_cfg

from .model_zoo import find_config_file
from .old_names import OLD_BACKBONES, OLD_NAMES, merge_with_old_names


def add_fundus_config(cfg: CfgNode) -> None:
    """Add our keys to a Detectron2 config, in place; call it before merging a file that names them.

    What is there already, such as what an earlier call added, stays as it is. Raises ValueError where a value is in the
    place of one of our sections.
    """
    ours = CfgNode(
        {"MODEL": {"FPN": {}}, "INPUT": {}, "DATASETS": {}, "DATALOADER": {}, "SOLVER": {"AMP": {}}, "TEST": {}}
    )
    _set_defaults(ours)
    _add_missing(cfg, ours)


def _add_missing(cfg: CfgNode, ours: CfgNode, section: str = "") -> None:
    for key, value in ours.items():
        if not isinstance(value, CfgNode):
            cfg.setdefault(key, value)
            continue
        if not isinstance(cfg.setdefault(key, CfgNode()), CfgNode):
            raise ValueError(f"config key {section}{key}: expected a section, found another project's {cfg[key]!r}")
        _add_missing(cfg[key], value, f"{section}{key}.")


def _set_defaults(cfg: CfgNode) -> None:
    # Backbone: any timm model that gives features at strides 4, 8, 16 and 32.
    cfg.MODEL.FUNDUS_TIMM = CfgNode()
    cfg.MODEL.FUNDUS_TIMM.NAME = "mobilenetv1_100"  # timm's model name
    cfg.MODEL.FUNDUS_TIMM.PRETRAINED = False  # timm's own pretrained weights (downloads them)
    cfg.MODEL.FUNDUS_TIMM.WEIGHTS = (
        ""  # a .safetensors or .pth in timm's names, local or fundus://; goes before PRETRAINED
    )
    cfg.MODEL.FUNDUS_TIMM.FREEZE_AT = (
        0  # 0: train all of it; 2 to 5: keep it as it is up to that feature map, "res2" to "res5"
    )
    cfg.MODEL.FPN.SQUARE_PAD = 0  # pad what fits into it to this square, in pixels of the resized image; 0: no square

    # RF-Net. The side of its mask is Detectron2's MODEL.ROI_MASK_HEAD.POOLER_RESOLUTION.
    cfg.MODEL.RFNET = CfgNode()
    # What it outlines: structures each within the one before, the first of which is detected. As many as
    # MODEL.ROI_HEADS.NUM_CLASSES; ["disc"] for data without cups.
    cfg.MODEL.RFNET.CLASSES = ["disc", "cup"]
    cfg.MODEL.RFNET.POOLING = "fusion"  # fusion | pyramid (the paper's Table 2)
    cfg.MODEL.RFNET.MASK_LOSS = "focal_dice"  # bce | dice | focal | bce_dice | focal_dice (Table 3) | lovasz
    cfg.MODEL.RFNET.FOCAL_WEIGHT = 0.3  # lambda of section 3.4
    cfg.MODEL.RFNET.FOCAL_ALPHA = 1.0  # the paper's; 1 leaves the focal term without negatives, see losses.py
    cfg.MODEL.RFNET.FOCAL_GAMMA = 3.0
    cfg.MODEL.RFNET.MASK_ROIS_PER_IMAGE = 0  # positives the mask branch learns from, per image; 0: all (the paper)

    # Readers draw the cup each in their own way: names of those whose style the mask branch learns, each with the
    # training set that they drew, such as rim_one=rim_one_dl_train; []: no styles (the paper).
    cfg.MODEL.RFNET.READERS = []
    cfg.MODEL.RFNET.READER_DROPOUT = 0.5  # part of the RoIs that are learned without their reader's style

    # DiscCupSegmentor: one network for whole pictures. Its focal losses take MODEL.RFNET's FOCAL_*, its input is padded
    # by MODEL.FPN.SQUARE_PAD, and encoders of timm's are named by MODEL.FUNDUS_TIMM, all as RF-Net's.
    cfg.MODEL.SEGMENTOR = CfgNode()
    cfg.MODEL.SEGMENTOR.NETWORK = "UNet"  # UNet | MNet | ETNet | SMPNetwork, or one of yours
    cfg.MODEL.SEGMENTOR.LOSS = "bce_dice"  # as MODEL.RFNET.MASK_LOSS, of whole pictures
    cfg.MODEL.SEGMENTOR.CLASS_WEIGHTS = (1.0, 1.0)  # of the losses of disc and cup
    cfg.MODEL.SEGMENTOR.PREDICTION_WEIGHT = 1.0  # of the loss of what is predicted
    cfg.MODEL.SEGMENTOR.SIDE_WEIGHT = 0.0  # of the loss of each side output, where a network has some
    cfg.MODEL.SEGMENTOR.EDGE_WEIGHT = 0.0  # of the loss of the edges, where a network has some
    cfg.MODEL.SEGMENTOR.POLAR = False  # the network sees the picture in polar coordinates about its middle

    # Its networks.
    cfg.MODEL.UNET = CfgNode()
    cfg.MODEL.UNET.CHANNELS = (64, 128, 256, 512, 1024)  # of the levels, the paper's
    cfg.MODEL.UNET.NORM = ""  # Detectron2's name of a normalisation, such as BN; "": none, the paper's
    cfg.MODEL.UNET.DROPOUT = 0.0  # at the end of the contracting path
    cfg.MODEL.MNET = CfgNode()
    cfg.MODEL.MNET.WIDTH = 32  # channels of the first level
    cfg.MODEL.MNET.NORM = ""  # as MODEL.UNET.NORM
    cfg.MODEL.ETNET = CfgNode()
    cfg.MODEL.ETNET.WIDTH = 64  # channels of the edges' features and of what is aggregated
    cfg.MODEL.SMP = CfgNode()
    cfg.MODEL.SMP.ARCHITECTURE = "unet"  # segmentation_models_pytorch's name: unet, deeplabv3plus, segformer, ...
    cfg.MODEL.SMP.ENCODER = ""  # one of its own encoders, such as mit_b0; "": MODEL.FUNDUS_TIMM.NAME

    # The memory layout of the fast convolutions, on CPUs and on CUDA's tensor cores; the results are the same.
    cfg.MODEL.CHANNELS_LAST = True

    # Augmentations beside Detectron2's INPUT.RANDOM_FLIP.
    cfg.INPUT.RANDOM_FLIP_VERTICAL = False
    cfg.INPUT.RANDOM_ROTATE_90 = False  # by 0, 90, 180 or 270 degrees

    # The cup's radius, half of the times, times something between these, within the disc as it is; (1, 1): never.
    cfg.INPUT.CUP_SIZES = (1.0, 1.0)

    # A random affine map to a square: scale, turn, shift and shear, as another camera would frame it. SIDE 0: none.
    cfg.INPUT.RANDOM_AFFINE = CfgNode()
    cfg.INPUT.RANDOM_AFFINE.SIDE = 0  # of the square, pixels
    cfg.INPUT.RANDOM_AFFINE.DISC_SIZES = (0.1, 0.4)  # smallest and largest disc, parts of the side
    cfg.INPUT.RANDOM_AFFINE.ROTATION = 0.0  # up to so many degrees
    cfg.INPUT.RANDOM_AFFINE.SHIFT = 0.0  # up to this part of the side
    cfg.INPUT.RANDOM_AFFINE.SHEAR = 0.0  # scales along perpendicular directions differ by up to this part

    cfg.INPUT.RANDOM_AFFINE.CLOSER = 0.0  # part of the pictures framed as by TEST.CROP, the predictor's second look

    # Squares about the disc, which a DiscCupSegmentor sees instead of whole photographs. In training they are cut out
    # of the resized photograph (MIN_SIZE_TRAIN), about the true disc; else out of the photograph itself.
    cfg.INPUT.DISC_CROP = CfgNode()
    cfg.INPUT.DISC_CROP.ABOUT = "none"  # none | true | detected: the disc about which they are cut where nobody learns
    cfg.INPUT.DISC_CROP.DIAMETERS = 2.0  # the square's side, in diameters of the disc
    cfg.INPUT.DISC_CROP.SIDE = 512  # of the picture, pixels
    cfg.INPUT.DISC_CROP.JITTER = 0.15  # in training: how far off middle and size are, in diameters of the disc
    cfg.INPUT.DISC_CROP.DISCS = ""  # COCO JSON of the detected discs, for evaluation; fundus predict --write coco
    cfg.INPUT.DISC_CROP.DETECTOR = ""  # an exported network (.onnx) that finds it for FundusPredictor; "": RF-Net

    # Random photometric changes, as another camera would see it (data/augmentation/photometric.py); each comes half of
    # the times.
    cfg.INPUT.PHOTOMETRIC = CfgNode()
    cfg.INPUT.PHOTOMETRIC.LIGHT = 0.0  # uneven illumination
    cfg.INPUT.PHOTOMETRIC.TONE = 0.0  # gamma, gain and saturation, the channels alike and each its own
    cfg.INPUT.PHOTOMETRIC.BLUR = 0.0  # per cent of the longer side
    cfg.INPUT.PHOTOMETRIC.NOISE = 0.0  # grey levels
    cfg.INPUT.PHOTOMETRIC.JPEG = 100  # lowest quality
    cfg.INPUT.PHOTOMETRIC.CUTOUT = 0.0  # largest side of a covered rectangle, as a part of the longer side

    # The targets' boxes are the discs' times this about their middles, so that the mask branch sees beyond the disc.
    cfg.INPUT.BOX_SCALE = 1.0

    # Names of categories beside optic_disc, disc, OD, optic_cup, cup, OC and the like, such as disc=papilla.
    cfg.DATASETS.CATEGORIES = []
    cfg.DATASETS.CHECK = True  # look at all photographs and masks before training starts, as `fundus check` does

    # Parts of the training photographs that each set gives, whatever its size, such as drishti_gs1_train=0.3 (weights:
    # only their ratios count); []: each photograph as often as any other.
    cfg.DATASETS.SHARES = []

    # A folder that keeps the resized photographs and masks, which are else decoded every time; "": none.
    cfg.DATALOADER.CACHE = ""

    # What SOLVER.AMP.ENABLED computes in: auto | float32 | bfloat16 | float16. auto: float16 on CUDA, bfloat16 on a CPU
    # with instructions for it, float32 on another.
    cfg.SOLVER.AMP.PRECISION = "auto"

    # What FundusPredictor computes in, as SOLVER.AMP.PRECISION, but auto is float32 on every CPU. Evaluation in
    # training does not follow it: that is always in float32.
    cfg.TEST.PRECISION = "auto"

    # SGD is Detectron2's, and the paper's. AdamW learns faster from scratch; BASE_LR then wants to be about 0.001.
    cfg.SOLVER.FUNDUS_OPTIMIZER = "SGD"  # SGD | AdamW | RMSprop, in upper or lower case

    # FundusPredictor's test-time augmentation: flips, and a second pass over a square crop of the photograph about the
    # disc. Evaluation in training has one view.
    cfg.TEST.FLIPS = "none"  # none | horizontal | both
    cfg.TEST.CROP = 0.0  # the disc's part of the crop's side; 0: no crop
    cfg.TEST.CROP_SIDE = 384  # pixels
    cfg.TEST.REGULAR_SHAPE = False  # FundusPredictor's disc and cup: one region each, no holes, smooth

    cfg.TEST.ELLIPSE_WEIGHT = 0.0  # how far they are then drawn towards ellipses, 0 to 1

    # How sure FundusPredictor is; measure both on held-out photographs (fundus robustness).
    # Those without a disc, or with one that the picture's edge cuts off, are flagged whatever these are.
    cfg.TEST.FLAG_BELOW = 0.0  # predictions whose views agree less than this are flagged
    cfg.TEST.FLAG_ELLIPSE_BELOW = 0.0  # and those whose disc has a lower IoU with the ellipse of its moments
    cfg.TEST.VCDR_MARGIN = 0.0  # how far the interval of the cup-to-disc ratio reaches to either side; 0: no interval

    # Of MODEL.RFNET.READERS, those whose styles' mean is predicted; []: the style that belongs to nobody.
    cfg.TEST.READERS = []

    # The metric of the first TEST set that decides which checkpoint is kept as model_best.pth.
    cfg.TEST.BEST_METRIC = "disc_cup/miou"
    cfg.TEST.BEST_IS_LOWEST = False  # True for a loss: lower is better

    # Grading: the ranking-CNN, the softmax CNN, and the two stages around either.
    cfg.MODEL.GRADING = CfgNode()
    cfg.MODEL.GRADING.GRADES = ["normal", "suspicious", "glaucoma"]  # in order; two of them make a two-grade model
    cfg.MODEL.GRADING.FEATURE_STRIDE = 16  # pixels of the input per pixel of the feature map: 16 | 32
    cfg.MODEL.GRADING.FC_DIM = 2048  # fully connected layer after the pooling (section 3.1); 0: none, as in stage 1
    cfg.MODEL.GRADING.DROPOUT = 0.5  # after the fully connected layer
    cfg.MODEL.GRADING.STAGE1_EPOCHS = 20  # of a two-stage model; stage 2 has SOLVER.EPOCHS
    cfg.MODEL.GRADING.STAGE1_WEIGHTS = ""  # a trained stage 1, which is then not trained again
    cfg.MODEL.GRADING.STAGE2_START = (
        "timm"  # timm: as MODEL.FUNDUS_TIMM says (the paper's) | stage1: the trunks of stage 1
    )

    # What the network that grades is shown: cam (the paper's two stages), disc (a soft window about the disc), both
    # (one times the other), crop (a square about the disc), none (the photograph as it is). Only a two-stage model has
    # cam and both; windows and crops want a set whose discs are known (fundus find-discs).
    cfg.MODEL.GRADING.MASK = "cam"
    cfg.MODEL.GRADING.DISC_DIAMETERS = 2.0  # of the window, or of the crop's side

    # Input of the grading models.
    cfg.INPUT.SQUARE_SIZE = 512  # photographs are resized to this square, in pixels
    cfg.INPUT.RANDOM_ZOOM = 0.0  # in training, in and out by up to this part, about the centre; the paper's is 0.125

    # A schedule in epochs, whatever the data set's size. Above 0 they set MAX_ITER, and the learning rate is
    # multiplied by GAMMA after every epoch; so do EVAL_PERIOD 0 (every epoch) and CHECKPOINT_PERIOD (at least every).
    cfg.SOLVER.EPOCHS = 0

    # Bootstrap intervals and pictures beside the grading measures, which take seconds of every evaluation.
    cfg.TEST.INTERVALS = True

    # What a model learns from: one disc with both masks (RF-Net), or disc and cup as two instances (Mask R-CNN).
    cfg.INPUT.TARGETS = "disc_cup"  # disc_cup | instances

    # Evaluation also writes <OUTPUT_DIR>/masks/<data set>/<photograph's name>.<this>, coded as REFUGE wants them.
    cfg.TEST.SAVE_MASKS = ""  # bmp (the challenge's) | png | "" for none


def flatten(cfg: Mapping[str, Any], above: str = "") -> dict[str, Any]:
    """The values of a config, or of other nested dictionaries, by their full keys, such as SOLVER.MAX_ITER."""
    flat: dict[str, Any] = {}
    for key, value in cfg.items():
        flat |= flatten(value, f"{above}{key}.") if isinstance(value, Mapping) else {f"{above}{key}": value}
    return flat


def parse_readers(words: Sequence[str]) -> dict[str, str]:
    """Reader -> data set, in their order, from `NAME=DATASET` words; ValueError for other words, or a name twice."""
    readers: dict[str, str] = {}
    for word in words:
        name, _, dataset = word.partition("=")
        if not name or not dataset or name in readers:
            raise ValueError(f"MODEL.RFNET.READERS: expected words such as rim_one=rim_one_dl_train, found {word!r}")
        readers[name] = dataset
    return readers


def refuse_remote_bases(path: str, above: tuple[str, ...] = ()) -> None:
    """Raise ValueError where a config, or one that it is based on, has an address as its `_BASE_`: none is fetched.

    Also for one that is based on itself; `above` are those that are based on this one.
    """
    if os.path.realpath(path) in above:
        raise ValueError(f"{path}: it is based on itself (_BASE_)")
    with open(path, encoding="utf-8") as file:
        document = yaml.safe_load(file)
    bases = document.get("_BASE_", []) if isinstance(document, dict) else []
    for base in [bases] if isinstance(bases, str) else bases:
        if "://" in base:
            raise ValueError(f"{path}: _BASE_ {base} is an address, and configs are not fetched")
        base = os.path.join(os.path.dirname(path), os.path.expanduser(base))  # an absolute one stays as it is
        if os.path.isfile(base):
            refuse_remote_bases(base, (*above, os.path.realpath(path)))


def get_fundus_cfg(config_file: str = "", opts: Sequence = ()) -> CfgNode:
    """Detectron2's default config with our keys, a YAML file and key-value overrides merged in.

    Args:
        config_file: path of a YAML file, or the name of one of the package's; read without unsafe tags; "" for none.
        opts: alternating keys and values, as on the command line.

    Where the config asks for CUDA and there is none, MODEL.DEVICE becomes "cpu".
    """
    cfg = get_cfg()
    add_fundus_config(cfg)
    used = []
    if config_file:
        path = find_config_file(config_file)
        refuse_remote_bases(path)
        used += merge_with_old_names(cfg, lambda x: x.merge_from_file(path, allow_unsafe=False))
    used += merge_with_old_names(cfg, lambda x: x.merge_from_list(list(opts)))
    for old in dict.fromkeys(used):
        logging.getLogger(__name__).warning(
            f"{old} is called {(OLD_NAMES | OLD_BACKBONES)[old]} now; the old name will go"
        )
    return on_what_there_is(cfg)


def on_what_there_is(cfg: CfgNode) -> CfgNode:
    """The same config, its MODEL.DEVICE changed to "cpu" where it is CUDA and there is none."""
    import torch  # here, for whoever only adds our keys may not need it

    if cfg.MODEL.DEVICE.startswith("cuda") and not torch.cuda.is_available():
        cfg.MODEL.DEVICE = "cpu"
    return cfg


def without_weights(cfg: CfgNode) -> CfgNode:
    """A copy of `cfg` that loads nothing: neither a checkpoint nor the backbone's pretrained weights."""
    cfg = cfg.clone()
    cfg.defrost()
    cfg.MODEL.WEIGHTS = cfg.MODEL.FUNDUS_TIMM.WEIGHTS = cfg.MODEL.GRADING.STAGE1_WEIGHTS = ""
    cfg.MODEL.FUNDUS_TIMM.PRETRAINED = False
    return cfg
