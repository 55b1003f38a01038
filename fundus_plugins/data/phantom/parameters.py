"""What a phantom fundus photograph looks like."""

from dataclasses import dataclass

GRADES = ("normal", "suspicious", "glaucoma")


@dataclass(frozen=True)
class PhantomParameters:
    """All that is drawn from a distribution per photograph.

    Lengths named `..._diameter`, `disc_x`, `disc_y`, `field_x` and `blur` are fractions of the field's diameter (the
    field is the round picture in its dark surround); lengths on the retina are in disc diameters. Angles are degrees
    in the eye's own frame: 0 temporal, 90 inferior, 180 nasal, 270 superior. Colours are RGB, 0 to 1.
    """

    grade: str  # one of GRADES
    eye: str  # "right" (disc to the right of the macula) or "left"

    # Camera
    aspect: float  # height of the photograph over its width
    field_diameter: float  # over the photograph's width (only this one)
    field_x: float  # centre of the field, to the right of the photograph's centre
    field_cut: float  # visible height of the field; 1 is the whole circle
    field_tab: bool  # a small tab on the upper right of the field's edge
    exposure: float  # factor on all light
    gamma: float  # exponent on the finished picture
    cast: tuple[float, float, float]  # factor per channel
    black_level: float  # brightness of the dark surround
    slope: float  # relative change of illumination over the field's radius
    slope_angle: float  # where it grows, degrees in the picture
    vignette: float  # relative loss of light at the field's edge
    blotches: float  # relative strength of slow random changes of illumination
    bloom: float  # share of light scattered about every bright place
    haze: float  # share of veiling light (a cloudy lens)
    haze_colour: tuple[float, float, float]
    flare: float  # strength of the bright crescent at the field's edge
    flare_angle: float  # degrees in the picture
    flare_width: float  # fraction of the field's diameter
    flare_colour: tuple[float, float, float]
    ghost: float  # brightness of a round reflection of the lens
    ghost_x: float  # its place, from the field's centre
    ghost_y: float
    ghost_diameter: float
    dust: int  # out-of-focus specks
    blur: float  # standard deviation of the defocus
    noise: float  # standard deviation of the sensor's noise, brightness 0 to 1
    jpeg_quality: int  # 100: not compressed

    # Optic disc
    disc_x: float  # centre, from the field's centre towards the nose
    disc_y: float  # centre, below the field's centre
    disc_diameter: float  # its vertical diameter (largest column)
    disc_aspect: float  # width over height before tilting
    disc_tilt: float  # degrees
    disc_harmonics: tuple[float, ...]  # cosine, sine of orders 2, 3, ... relative to the radius
    disc_lift: tuple[float, float, float]  # the rim's colour: how far from the background's to white
    disc_softness: float  # width of the edge, in disc radii
    temporal_pallor: float  # how much paler the temporal rim is
    scleral_ring: float  # strength of the pale line around the disc
    atrophy: float  # width of the pale crescent around the disc, in disc radii; 0 is none
    atrophy_angle: float
    atrophy_spread: float  # 0.5 goes nearly around, 4 is a narrow crescent
    atrophy_lift: float  # how far its colour is on the way to the rim's
    atrophy_mottle: float  # how uneven it is, with remnants of the choroid
    pigment: float  # darkness of the pigmented ring outside all this
    pigment_angle: float
    sheen: float  # brightness of the nerve fibres above and below the disc

    # Optic cup
    vcdr: float  # largest column of the cup over largest column of the disc
    cup_aspect: float  # width over height, relative to the disc's
    cup_tilt: float
    cup_x: float  # towards temporal, in disc radii
    cup_y: float  # towards inferior, in disc radii
    cup_harmonics: tuple[float, ...]
    notch: float  # how much farther the cup reaches at notch_angle
    notch_angle: float
    cup_lift: tuple[float, float, float]  # its colour: how far from the rim's to white
    cup_softness: float  # width of its edge, in cup radii
    cup_slope: float  # 0: flat floor; 1: brightens evenly from edge to centre
    cup_shadow: float  # darkness of the overhanging nasal edge
    lamina: float  # strength of the grey dots at the cup's floor

    # Retina
    background: tuple[float, float, float]
    mottle: float  # relative strength of fine texture
    choroid: float  # how visible the choroid's vessels are
    choroid_size: float  # of its mesh, in disc diameters
    macula_distance: float  # of the fovea from the disc's centre, in disc diameters
    macula_angle: float
    macula_diameter: float  # in disc diameters
    macula_darkness: float
    foveal_reflex: float
    vessel_width: float  # of a main vein at the disc's edge, in disc diameters
    vessel_density: float  # branches per disc diameter of vessel
    vessel_contrast: float  # optical density in green
    artery_ratio: float  # width of arteries over width of veins
    artery_contrast: float  # density of arteries over that of veins
    vessel_reflex: float  # brightness of the line along the middle
    tortuosity: float
    exudates: int  # clusters of sharp yellow spots
    cotton_wool: int  # soft pale spots
    drusen: int
    haemorrhages: int
    scars: int  # pale, sharply bounded patches
    scar_size: float  # radius of the largest, in disc diameters
    scar_strength: float  # how bright and opaque they are
