"""Training: Detectron2's trainer with our data, evaluators, schedule, precision and checkpoints."""

from fundus_plugins.requirements import require_detectron2

require_detectron2()
