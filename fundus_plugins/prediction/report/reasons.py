"""Why an eye is doubtful, in a sentence for the person who looks at it."""

_SENTENCES = {
    "no disc": "No optic disc was found in this photograph.",
    "cut off by the edge": "The disc reaches the edge of the picture; a part of it is not seen.",
    "views disagree": "Two looks at the same photograph gave outlines that agree too little.",
    "not the shape of a disc": "The outline of the disc is too unlike an ellipse.",
    "too dark": "The photograph is too dark.",
    "too bright": "The photograph is too bright.",
    "blurred": "The photograph is blurred.",
    "out of focus": "The photograph is out of focus.",
    "low contrast": "The photograph has too little contrast.",
}


def sentence(reason: str) -> str:
    """What a reason means; one that is not known stands for itself."""
    return _SENTENCES.get(reason, f"The program doubts this eye: {reason}.")
