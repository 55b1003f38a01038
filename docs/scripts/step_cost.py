"""What a training step of the paper's grading networks costs (DenseNet-121, 512 pixels), on random pictures.

    python docs/scripts/step_cost.py stage1|stage2 bf16|f32 [batch]

Prints seconds of three steps (the first ones warm up), of a photograph at inference, and the process's peak memory.
"""

import resource
import sys
import time

import torch

import fundus_plugins
from fundus_plugins.engine.trainer import FundusTrainer

stage, bfloat16, batch = sys.argv[1], sys.argv[2] == "bf16", int((sys.argv[3:] or ["8"])[0])
options = ["MODEL.FUNDUS_TIMM.PRETRAINED", False]
options += ["MODEL.META_ARCHITECTURE", "TwoStageRankingCNN"] if stage == "stage2" else ["MODEL.GRADING.FC_DIM", 0]
cfg = fundus_plugins.get_fundus_cfg("configs/ranking_cnn.yaml", options)
model = FundusTrainer.build_model(cfg).train()
optimizer = torch.optim.RMSprop([p for p in model.parameters() if p.requires_grad], cfg.SOLVER.BASE_LR)
pictures = [{"image": torch.randint(0, 256, (3, 512, 512), dtype=torch.uint8), "grade": i % 3} for i in range(batch)]
steps = []
for _ in range(3):
    start = time.perf_counter()
    with torch.autocast("cpu", torch.bfloat16, enabled=bfloat16):
        losses = model(pictures)
    optimizer.zero_grad()
    sum(losses.values()).backward()
    optimizer.step()
    steps.append(round(time.perf_counter() - start, 2))
memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
model.eval()
with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16, enabled=bfloat16):
    model(pictures[:1])
    start = time.perf_counter()
    model(pictures[:1])
alone = round(time.perf_counter() - start, 2)
print(f"{stage} {sys.argv[2]} batch {batch}: steps {steps} s, one photograph {alone} s, peak {memory:.1f} GB")
