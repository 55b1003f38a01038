"""Every configuration key that fundus_plugins adds to Detectron2's; no default of Detectron2's is changed here."""

from detectron2.config import CfgNode, get_cfg

from .model_zoo import find_config_file


def add_fundus_config(cfg: CfgNode) -> None:
    """Add our keys to a Detectron2 config, in place; call it before merging a file that names them."""
    # Backbone: any timm model that gives features at strides 4, 8, 16 and 32.
    cfg.MODEL.TIMM = CfgNode()
    cfg.MODEL.TIMM.NAME = "mobilenetv1_100"  # timm's model name
    cfg.MODEL.TIMM.PRETRAINED = False  # timm's own pretrained weights (downloads them)
    cfg.MODEL.TIMM.WEIGHTS = ""  # a .safetensors or .pth in timm's names, local or fundus://; goes before PRETRAINED
    cfg.MODEL.TIMM.FREEZE_AT = (
        0  # 0: train all of it; 2 to 5: keep it as it is up to that feature map, "res2" to "res5"
    )
    cfg.MODEL.FPN.SQUARE_PAD = 0  # pad every batch to this square, in pixels of the resized image; 0: no square

    # RF-Net. The side of its mask is Detectron2's MODEL.ROI_MASK_HEAD.POOLER_RESOLUTION.
    cfg.MODEL.RFNET = CfgNode()
    cfg.MODEL.RFNET.POOLING = "fusion"  # fusion | pyramid (the paper's Table 2)
    cfg.MODEL.RFNET.MASK_LOSS = "focal_dice"  # bce | dice | focal | bce_dice | focal_dice (Table 3)
    cfg.MODEL.RFNET.FOCAL_WEIGHT = 0.3  # lambda of section 3.4
    cfg.MODEL.RFNET.FOCAL_ALPHA = 1.0  # the paper's; 1 leaves the focal term without negatives, see losses.py
    cfg.MODEL.RFNET.FOCAL_GAMMA = 3.0
    cfg.MODEL.RFNET.MASK_ROIS_PER_IMAGE = 0  # positives the mask branch learns from, per image; 0: all (the paper)

    # The memory layout of the fast convolutions, on CPUs and on CUDA's tensor cores; the results are the same.
    cfg.MODEL.CHANNELS_LAST = True

    # Augmentations beside Detectron2's INPUT.RANDOM_FLIP.
    cfg.INPUT.RANDOM_FLIP_VERTICAL = False
    cfg.INPUT.RANDOM_ROTATE_90 = False  # by 0, 90, 180 or 270 degrees

    # Another camera's field: scale, turn, shift and shear to a square picture. SIDE 0: leave the photograph's geometry.
    cfg.INPUT.VIEW = CfgNode()
    cfg.INPUT.VIEW.SIDE = 0  # of the square, pixels
    cfg.INPUT.VIEW.DISC_SIZES = (0.1, 0.4)  # smallest and largest disc, parts of the side
    cfg.INPUT.VIEW.ROTATION = 0.0  # up to so many degrees
    cfg.INPUT.VIEW.SHIFT = 0.0  # up to this part of the side
    cfg.INPUT.VIEW.SHEAR = 0.0  # scales along perpendicular directions differ by up to this part

    # Another camera's picture, see data/camera.py; each part comes half of the times.
    cfg.INPUT.CAMERA = CfgNode()
    cfg.INPUT.CAMERA.LIGHT = 0.0  # uneven illumination
    cfg.INPUT.CAMERA.TONE = 0.0  # gamma, gain and saturation, the channels alike and each its own
    cfg.INPUT.CAMERA.BLUR = 0.0  # per cent of the longer side
    cfg.INPUT.CAMERA.NOISE = 0.0  # grey levels
    cfg.INPUT.CAMERA.JPEG = 100  # lowest quality
    cfg.INPUT.CAMERA.CUTOUT = 0.0  # largest side of a covered rectangle, as a part of the longer side

    # The targets' boxes are the discs' times this about their middles, so that the mask branch sees beyond the disc.
    cfg.INPUT.BOX_SCALE = 1.0

    # A folder that keeps the resized photographs and masks, which are else decoded every time; "": none.
    cfg.DATALOADER.CACHE = ""

    # What SOLVER.AMP.ENABLED computes in: auto | float32 | bfloat16 | float16. auto: float16 on CUDA, bfloat16 on a CPU
    # with instructions for it, float32 on another.
    cfg.SOLVER.AMP.PRECISION = "auto"

    # What FundusPredictor computes in, as SOLVER.AMP.PRECISION; evaluation is always in float32.
    cfg.TEST.PRECISION = "auto"

    # SGD is Detectron2's, and the paper's. AdamW learns faster from scratch; BASE_LR then wants to be about 0.001.
    cfg.SOLVER.OPTIMIZER = "SGD"  # SGD | AdamW | RMSprop

    # FundusPredictor's views: flips, and a second look at a square of the photograph about the disc. Evaluation in
    # training has one view.
    cfg.TEST.FLIPS = "none"  # none | horizontal | both
    cfg.TEST.CLOSER = 0.0  # the disc's part of the second look's side; 0: no second look
    cfg.TEST.CLOSER_SIDE = 384  # pixels
    cfg.TEST.REGULAR_SHAPE = False  # FundusPredictor's disc and cup: one region each, no holes, smooth

    # How sure FundusPredictor is; measure both on held-out photographs (tools/measure_robustness.py).
    # Those without a disc, or with one that the picture's edge cuts off, are flagged whatever these are.
    cfg.TEST.FLAG_BELOW = 0.0  # predictions whose views agree less than this are flagged
    cfg.TEST.FLAG_ELLIPSE_BELOW = 0.0  # and those whose disc has a lower IoU with the ellipse of its moments
    cfg.TEST.VCDR_MARGIN = 0.0  # how far the interval of the cup-to-disc ratio reaches to either side; 0: no interval

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
    cfg.MODEL.GRADING.STAGE2_START = "timm"  # timm: as MODEL.TIMM says (the paper's) | stage1: the trunks of stage 1

    # Input of the grading models.
    cfg.INPUT.SQUARE_SIZE = 512  # photographs are resized to this square, in pixels
    cfg.INPUT.RANDOM_ZOOM = 0.0  # in training, in and out by up to this part, about the centre; the paper's is 0.125

    # A schedule in epochs, whatever the data set's size. Above 0 they set MAX_ITER, and the learning rate is
    # multiplied by GAMMA after every epoch; so do EVAL_PERIOD 0 (every epoch) and CHECKPOINT_PERIOD (at least every).
    cfg.SOLVER.EPOCHS = 0

    # What a model learns from: one disc with both masks (RF-Net), or disc and cup as two instances (Mask R-CNN).
    cfg.INPUT.TARGETS = "disc_cup"  # disc_cup | instances

    # Evaluation also writes <OUTPUT_DIR>/masks/<data set>/<photograph's name>.<this>, coded as REFUGE wants them.
    cfg.TEST.SAVE_MASKS = ""  # bmp (the challenge's) | png | "" for none


def get_fundus_cfg(config_file: str = "", opts: list | tuple = ()) -> CfgNode:
    """Detectron2's default config with our keys, a YAML file and key-value overrides merged in.

    Args:
        config_file: path of a YAML file, or the name of one of the package's; read without unsafe tags; "" for none.
        opts: alternating keys and values, as on the command line.

    Where the config asks for CUDA and there is none, MODEL.DEVICE becomes "cpu".
    """
    cfg = get_cfg()
    add_fundus_config(cfg)
    if config_file:
        cfg.merge_from_file(find_config_file(config_file), allow_unsafe=False)
    cfg.merge_from_list(list(opts))
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
    cfg.MODEL.WEIGHTS = cfg.MODEL.TIMM.WEIGHTS = cfg.MODEL.GRADING.STAGE1_WEIGHTS = ""
    cfg.MODEL.TIMM.PRETRAINED = False
    return cfg
