"""A predictor that ends its process, in a module that processes of Ray can import."""

import os
import signal

import fundus_plugins

DEADLY = 77  # pixels: the height of the photograph at which it does


class Deadly(fundus_plugins.FundusPredictor):
    def predict_prepared(self, batch):
        if batch[0].photograph.shape[0] == DEADLY:
            os.kill(os.getpid(), signal.SIGKILL)
        return super().predict_prepared(batch)
