"""Light, sky, air and ground for a setting."""

from __future__ import annotations

import math

from worldr1.worlds.families.split import Setting
from worldr1.worlds.scene import RGB, Environment, Light, Material, Vec3

_GROUNDS = {
    "grass": Material("grass", (0.16, 0.38, 0.12), (0.30, 0.58, 0.24), 1.2),
    "sand": Material("sand", (0.66, 0.55, 0.34), (0.86, 0.76, 0.55), 1.2),
    "tiles": Material("tiles", (0.66, 0.66, 0.68), (0.34, 0.34, 0.38), 1.0),
    "asphalt": Material("asphalt", (0.22, 0.22, 0.24), (0.42, 0.42, 0.43), 0.9),
    "wood": Material("wood", (0.55, 0.36, 0.20), (0.43, 0.27, 0.14), 0.6),
    "checker": Material("checker", (0.70, 0.66, 0.58), (0.40, 0.30, 0.28), 1.0),
}
# sun's elevation, its colour, ambient light, horizon and zenith
_TIMES: dict[str, tuple[float, RGB, RGB, RGB, RGB]] = {
    "dawn": (22.0, (0.62, 0.42, 0.26), (0.46, 0.44, 0.50), (0.97, 0.75, 0.60), (0.45, 0.52, 0.78)),
    "noon": (62.0, (0.58, 0.56, 0.52), (0.52, 0.53, 0.56), (0.74, 0.84, 0.95), (0.28, 0.47, 0.86)),
    "dusk": (18.0, (0.62, 0.36, 0.24), (0.50, 0.43, 0.50), (0.93, 0.52, 0.36), (0.28, 0.24, 0.46)),
    "night": (48.0, (0.26, 0.29, 0.40), (0.40, 0.43, 0.56), (0.17, 0.20, 0.31), (0.04, 0.06, 0.14)),
}
_VISIBILITY_M = {"clear": 220.0, "overcast": 90.0, "fog": 26.0}


def environment(setting: Setting, azimuth_rad: float, *, indoors: bool = False) -> Environment:
    """The surroundings of a setting, the sun standing at ``azimuth_rad`` (from +x towards +y).

    Indoors the sky is a pale ceiling and the light falls steeply, as from lamps, so that walls shade little.
    """
    ground, weather, time = setting
    elevation, sun, ambient, horizon, zenith = _TIMES[time]
    if indoors:
        warm: RGB = (0.92, 0.90, 0.86) if time != "night" else (0.42, 0.38, 0.33)
        lights: tuple[Light, ...] = (
            Light(_direction(azimuth_rad, 74.0), _times(sun, 0.7)),
            Light(_direction(azimuth_rad + 2.4, 66.0), (0.16, 0.16, 0.15)),
        )
        return Environment(_GROUNDS[ground], lights, _times(ambient, 1.1), warm, warm, 200.0, weather, time)
    light = Light(_direction(azimuth_rad, elevation), sun)
    if weather != "clear":  # clouds spread the light: less from the sun, more from everywhere
        share = 0.4 if weather == "overcast" else 0.25
        light = Light(light.direction, _times(sun, share), 6.0)
        ambient = _mix(ambient, _times(sun, 1.0 - share), 0.4, add=True)
        grey = sum(horizon) / 3
        horizon = _mix(horizon, (grey, grey, grey * 1.03), 0.7)
        zenith = _mix(zenith, horizon, 0.75)
    fill = Light(_direction(azimuth_rad + 2.2, 35.0), _times(ambient, 0.25), 6.0)
    return Environment(_GROUNDS[ground], (light, fill), ambient, horizon, zenith, _VISIBILITY_M[weather], weather, time)


def _direction(azimuth_rad: float, elevation_deg: float) -> Vec3:
    flat = math.cos(math.radians(elevation_deg))
    return (flat * math.cos(azimuth_rad), flat * math.sin(azimuth_rad), math.sin(math.radians(elevation_deg)))


def _times(colour: RGB, factor: float) -> RGB:
    return (colour[0] * factor, colour[1] * factor, colour[2] * factor)


def _mix(a: RGB, b: RGB, share: float, *, add: bool = False) -> RGB:
    keep = 1.0 if add else 1.0 - share
    return (keep * a[0] + share * b[0], keep * a[1] + share * b[1], keep * a[2] + share * b[2])
