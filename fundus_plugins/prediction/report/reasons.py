"""Why an eye is doubtful, in a sentence for the person who looks at it."""

_SENTENCES = {
    "no disc": "No optic disc was found in this photograph.",
    "no cup": "No optic cup was found in this disc: the eye may have none, or it was missed. There is no ratio.",
    "cut off by the edge": "The disc reaches the edge of the picture; a part of it is not seen.",
    "views disagree": "Two looks at the same photograph gave outlines that agree too little.",
    "not the shape of a disc": "The outline of the disc is too unlike an ellipse.",
    "no fundus with a disc": "This is no colour photograph of a fundus, or none that shows its disc.",
    "too dark": "The photograph is too dark to trust outlines in it.",
    "too bright": "The photograph is too bright to trust outlines in it.",
    "blurred": "The photograph is too blurred to trust outlines in it.",
    "noisy": "The photograph is too noisy to trust outlines in it.",
    "low contrast": "The photograph has too little contrast to trust outlines in it.",
    "too few pixels": "The disc has too few pixels to trust outlines in it.",
    "contradictory sides": "The list, the header, the name or the disc's place name different eyes, so none is taken.",
    "unlikely scale": "With the scale that was given, the disc would have a size that no disc has; it is not used.",
    "hard to grade": "Of photographs that look like this, many are not outlined rightly.",
    "grade contradicts itself": "The grade is put together from two answers, and here they contradict each other.",
    "outlines unsure": "The outlines are likely to mislead, though nothing else is unusual in the photograph.",
}


def sentence(reason: str) -> str:
    """What a reason means; one that is not known stands for itself."""
    return _SENTENCES.get(reason, f"The program doubts this eye: {reason}.")
