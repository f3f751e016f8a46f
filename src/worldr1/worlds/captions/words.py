"""Vocabulary: units, colours, and nouns that are things, setting or neither."""

from __future__ import annotations

from functools import cache


def _set(words: str) -> frozenset[str]:
    return frozenset(words.split())


COUNTS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve")
NUMBER_WORDS = {word: number for number, word in enumerate(COUNTS)}
UNITS = {
    "mm": ("mm", 1.0), "millimetre": ("mm", 1.0), "millimeter": ("mm", 1.0),
    "cm": ("m", 0.01), "centimetre": ("m", 0.01), "centimeter": ("m", 0.01),
    "m": ("m", 1.0), "metre": ("m", 1.0), "meter": ("m", 1.0), "km": ("m", 1000.0),
    "degree": ("deg", 1.0), "deg": ("deg", 1.0), "°": ("deg", 1.0), "radian": ("deg", 57.29578),
    "s": ("s", 1.0), "sec": ("s", 1.0), "second": ("s", 1.0), "ms": ("s", 0.001), "minute": ("s", 60.0),
    "x": ("x", 1.0), "×": ("x", 1.0), "times": ("x", 1.0), "%": ("%", 1.0), "percent": ("%", 1.0),
    "frame": ("frame", 1.0), "fps": ("fps", 1.0), "foot": ("m", 0.3048), "feet": ("m", 0.3048), "inch": ("m", 0.0254),
}  # fmt: skip
COLOURS = _set("""
    red orange yellow green teal blue purple pink brown white grey black cyan magenta violet beige gold silver
    turquoise maroon navy crimson scarlet
""")
COLOUR_SYNONYMS = {"gray": "grey", "crimson": "red", "scarlet": "red", "violet": "purple", "navy": "blue"}
TEXTURES = _set("striped banded checked brick wooden tiled speckled grassy sandy")
CATEGORY_SYNONYMS = {
    "lorry": "truck", "person": "pedestrian", "walker": "pedestrian", "couch": "sofa", "bookshelf": "bookcase",
    "potted plant": "plant", "floor lamp": "lamp", "box truck": "truck", "automobile": "car", "column": "pillar",
}  # fmt: skip
VEHICLES = ("car", "van", "truck", "bus")
HYPERNYMS: dict[str, tuple[str, ...]] = {"vehicle": VEHICLES, "object": (), "thing": (), "item": ()}  # (): any
# Things a caption might wrongly add. Whatever else follows a determiner and is no `SCENE_NOUN` is refused as well.
NOUNS = _set("""
    crate block ball barrel cone pillar table chair sofa bookcase plant lamp vase statue car van truck bus
    pedestrian sign tree building box cube sphere cylinder capsule bicycle bike motorcycle scooter tram train boat
    plane drone helicopter dog cat bird horse cow sheep animal man woman child boy girl people cyclist driver
    house shop tower bridge fence bench desk bed cabinet shelf door window mirror clock book bottle cup bowl plate
    phone laptop computer television umbrella bag suitcase hat flower bush rock stone fountain mailbox hydrant
    pole flag balloon toy robot guitar piano painting rug curtain pillow basket bucket ladder wheelbarrow tent
""")
IRREGULAR = {"people": "person", "men": "man", "women": "woman", "children": "child", "bookshelves": "bookshelf",
             "shelves": "shelf", "lorries": "lorry", "buses": "bus", "boxes": "box", "benches": "bench",
             "bushes": "bush"}  # fmt: skip
# Nouns of the setting and of the language of film, about which a caption may speak without naming an object.
SCENE_NOUNS = _set("""
    camera lens view viewpoint viewer frame picture image shot clip scene video footage composition foreground
    background ground floor road street room wall walls ceiling sky horizon lane lanes kerb curb pavement sidewalk
    light lights lighting shadow shadows sun sunlight haze fog mist air weather day time moment instant start
    beginning end first last left right side middle centre center rest way path course trip distance height width
    length focal sensor second seconds turn move movement motion pan tilt roll orbit dolly truck zoom pedestal
    push pull same other one ones surface surfaces colour colors colours texture edge half part bit whole landmark
    landmarks total angle pitch level direction row group line front back top bottom duration speed occlusion
    caption factor conditions environment setting atmosphere backdrop tone eye following sequence outset close
    opening scenery objects things clear sharp hidden share hand tripod place position it its their them visible
""")
TWO_WORDS = {"traffic cone", "traffic sign", "traffic light", "street lamp", "street light", "fire hydrant"}
DETERMINERS = _set("a an the this its their each every another some no")
PRONOUNS = {"it", "they", "them", "which", "who", "itself"}
FUNCTION_WORDS = _set("""
    a an the this that these those and or but is are was be been being as at by for from in into of off on onto
    out over to up with within which who it its they them their there here then while when where until till so
    also along across through around about has have had do does did can will would may only just very quite again
    still already both each all some any no not never
""")


def plural(noun: str) -> str:
    """Plural of the last word."""
    if noun.endswith(("s", "x", "ch", "sh")):
        return noun + "es"
    return noun[:-1] + "ies" if noun.endswith("y") and noun[-2] not in "aeiou" else noun + "s"


@cache
def singular(word: str) -> str:
    """Singular of a noun, itself if it is one."""
    if word in IRREGULAR:
        return IRREGULAR[word]
    if word.endswith("ies") and len(word) > 4:
        return word[:-3] + "y"
    if word.endswith(("ses", "xes", "ches", "shes")) and word[:-2] in NOUNS:
        return word[:-2]
    return word[:-1] if word.endswith("s") and not word.endswith(("ss", "us")) else word
