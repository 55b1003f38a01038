// A photograph's pixels in; disc, cup and what is measured of them out: what FundusPredictor gives.

import { both, emptyMask, paste } from "./masks.js";
import { measure } from "./measures.js";
import { ellipseIou, regularDiscAndCup, towardsEllipses } from "./shape.js";
import { predictInViews } from "./views.js";

/**
 * @param look runs the graph on one picture; see `predictInViews`.
 * @param photograph {width, height, data}, RGBA.
 * @param settings the model's.
 * @returns {disc, cup, score, agreement, ellipse, vcdr, interval, flags}
 */
export async function predict(look, photograph, settings) {
  const size = { width: photograph.width, height: photograph.height };
  const found = await predictInViews(look, photograph, settings);
  let [disc, cup] = [emptyMask(), emptyMask()];
  if (found) {
    const cells = found.side ** 2;
    [disc, cup] = [0, 1].map((i) =>
      paste(found.masks.subarray(i * cells, (i + 1) * cells), found.side, found.box, size, settings.mask_threshold),
    );
  }
  if (settings.regular_shape) ({ disc, cup } = regularDiscAndCup(disc, cup, size));
  const ellipse = ellipseIou(disc);
  if (settings.ellipse_weight) ({ disc, cup } = towardsEllipses(disc, cup, settings.ellipse_weight, size));
  cup = both(cup, disc); // a model may draw it beyond
  const agreement = found ? found.agreement : NaN;
  const score = found ? found.score : NaN;
  return { disc, cup, score, agreement, ellipse, ...measure(disc, cup, size, { agreement, ellipse }, settings) };
}
