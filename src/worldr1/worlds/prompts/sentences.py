"""Sentences on a scene: what stands where, what hides what, the light. Slots are noun phrases of `settings`.

``{a0}`` .. ``{a3}`` bring in things, ``{n0}`` .. name them again, ``{front}`` stands close to the lens.
"""

OPENINGS = (
    "{Place}, {light}.",
    "{Light}, {place}.",
    "{Place} on an ordinary day, {light}.",
    "The setting is {place}, {light}.",
    "{Place}; the hour is plain from the light, which is {hue}.",
    "{Light}, {place} lies open to the eye from front to back.",
    "Picture {place}, {light}, with nothing posed.",
)
SUBJECTS = (
    "In the middle stands {a0}.",
    "At the centre is {a0}.",
    "{A0} holds the middle distance.",
    "The eye goes first to {a0}, set a few steps behind the nearest things.",
    "The main subject is {a0}, seen whole from its top to its base.",
    "Everything is arranged around {a0}.",
    "{A0} stands by itself near the middle of the picture.",
    "What matters most here is {a0}.",
)
DETAILS = (
    "Its edges are worn smooth by years of use.",
    "Fine scratches catch the light along its upper half.",
    "One side of it is bright, the other almost black.",
    "A thin layer of dust softens its colours.",
    "Its surface changes from rough to glossy near the top.",
    "Small repairs in a different shade are easy to make out on it.",
    "It throws one long shadow with a clear outline.",
    "Its colours are faded unevenly, palest where the sun reaches.",
    "Drops of water cling to the underside.",
    "A hand-written number is still legible on its side.",
)
RELATIONS = (
    "To its left is {a1}, and to its right {a2}.",
    "To its right is {a1}; {a2} is further back on the same side.",
    "{A1} is close behind it, and {a2} is about twice as far away.",
    "Between {n0} and the background there is {a1}; beside that is {a2}.",
    "{A1} and {a2} are side by side a little behind it.",
    "On the left, {a1} is near enough to touch; on the right, {a2} is well beyond reach.",
    "In front of it, and much smaller, is {a1}; the far end is closed off by {a2}.",
    "Three things form a triangle: {n0} at the apex, {a1} and {a2} at the base.",
    "Past {n0} comes {a1}, and past that, {a2}.",
    "{A1} is nearer than {n0}, while {a2} is the furthest thing that can still be made out.",
)
MORE = (
    "Further off, {a3} repeats the colour of {n1}.",
    "{A3} fills the gap between {n1} and {n2}.",
    "Somewhat apart, {a3} is turned three quarters away.",
    "At the far left, only part of {a3} fits into the picture.",
    "At the far right, {a3} is cut by the border of the picture.",
    "{A3} is the tallest thing behind {n2}.",
)
OCCLUSIONS = (
    "From this side {n0} hides the lower part of {n1}.",
    "Close by, {front} covers a part of {n2}.",
    "{Front} is so near that it hides the space behind {n1}.",
    "{N1} overlaps the outline of {n2}, and only a change of viewpoint would part them.",
    "In the foreground {front} is slightly out of focus and hides the foot of {n0}.",
    "Half of {n2} is hidden by {n1}.",
    "Behind {front}, the base of {n1} is out of sight.",
)
STILL = (
    "Nothing else stirs, and each thing keeps its size and place.",
    "Every object is at rest.",
    "The arrangement is the same at the end as at the start.",
    "All of it is solid, and what is covered for a moment comes back unchanged.",
    "Shadows lie where they are, and surfaces keep their pattern.",
    "",
    "",
)
MOTION = (
    "{Mover} {does}, and {mover2} {does2}.",
    "All the while {mover} {does}.",
    "{Mover} {does}; a little later {mover2} {does2}.",
    "Behind {n1}, {mover} {does}.",
    "In front of {n0}, {mover} {does}, hides it for a moment and goes on.",
)
HUES = ("pale and cool", "low and amber", "hard and white", "soft and grey", "warm on one side and blue on the other")
LIGHT = {
    "in": (
        "lit by a single tall window",
        "under warm hanging lamps",
        "in the grey light of a wet morning",
        "with low evening sun through the panes",
        "under cold fluorescent tubes",
        "in near darkness with one lamp burning",
        "with daylight from above and deep corners",
        "lit from behind so that edges glow",
        "in flat, shadowless light",
        "with bars of sunlight on the floor",
    ),
    "out": (
        "at dawn with mist close to the ground",
        "under a flat white sky",
        "in hard noon sun with short shadows",
        "at dusk with the first lamps lit",
        "just after rain with every surface wet",
        "in the long amber light of late afternoon",
        "on a clear night under a full moon",
        "in thin fog that swallows the distance",
        "beneath fast broken clouds",
        "in the blue minutes after sunset",
    ),
    "table": (
        "lit by a soft lamp from above",
        "in window light from one side",
        "under a desk lamp with a hard edge",
        "with a dark background and one spot",
        "in even studio light",
        "by candlelight",
        "with morning sun raking across the surface",
        "against a bright backdrop",
    ),
}
