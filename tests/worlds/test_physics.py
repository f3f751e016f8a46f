"""The simulation obeys mechanics that can be worked out by hand."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from worldr1.worlds.assets import ASSETS
from worldr1.worlds.physics import GRAVITY_M_S2, GROUND, Start, simulate
from worldr1.worlds.scene import Body, Part

BALL = Body((Part("sphere", (0.3, 0.3, 0.3)),), 0)
BOX = Body((Part("box", (0.4, 0.3, 0.2)),), 0)


def test_free_fall() -> None:
    motion = simulate([BOX], [Start((1, 2, 50))], num_frames=13, fps=8, ground=False)
    time = np.arange(13) / 8
    # a step of 4 ms is taken with the speed at its end: the fall leads by g·t·dt/2, 3 cm in the end
    np.testing.assert_allclose(motion.position_m[:, 0, 2], 50 - GRAVITY_M_S2 * time**2 / 2, atol=0.035)
    np.testing.assert_allclose(motion.position_m[:, 0, :2], [[1, 2]] * 13, atol=1e-9)
    assert motion.contacts == ()


def test_frames_do_not_depend_on_their_rate() -> None:
    slow = simulate([BOX], [Start((0, 0, 3), velocity_m_s=(1, 0, 0))], num_frames=5, fps=8)
    fast = simulate([BOX], [Start((0, 0, 3), velocity_m_s=(1, 0, 0))], num_frames=9, fps=16)
    np.testing.assert_allclose(slow.position_m, fast.position_m[::2], atol=1e-9)


@pytest.mark.parametrize("bounce", [0.2, 0.6, 0.8])
def test_a_ball_rebounds_with_its_share_of_speed(bounce: float) -> None:
    motion = simulate([BALL], [Start((0, 0, 1.3), bounce=bounce)], num_frames=80, fps=60)
    height = motion.position_m[:, 0, 2] - 0.3
    lowest = int(np.argmin(height[:35]))
    assert np.sqrt(height[lowest:].max()) == pytest.approx(bounce, abs=0.04)  # v² = 2gh, from 1 m


def test_a_ball_rolls_down_a_ramp() -> None:
    slope = 0.3
    ramp = Body((Part("box", (6, 2, 0.1)),))
    tilt = (0.0, float(np.sin(slope / 2)), 0.0, float(np.cos(slope / 2)))  # the surface falls towards +x
    normal = np.array([np.sin(slope), 0, np.cos(slope)])
    down = np.array([np.cos(slope), 0, -np.sin(slope)])
    start = -3 * down + 0.4 * normal + [0, 0, 20]
    motion = simulate(
        [BALL, ramp],
        [Start(tuple(start), bounce=0.0), Start((0, 0, 20), tilt, fixed=True)],
        num_frames=9,
        fps=8,
        ground=False,
    )
    way = (motion.position_m[:, 0] - start) @ down
    # a solid sphere that rolls: 5/7 g sin(slope)
    assert way[-1] == pytest.approx(5 / 7 * GRAVITY_M_S2 * np.sin(slope) / 2, rel=0.04)
    turned = 2 * np.arccos(abs(motion.rotation[4, 0, 3]))  # below half a turn at that frame
    assert turned == pytest.approx(way[4] / 0.3, rel=0.1)
    assert np.ptp(motion.position_m[:, 1]) == pytest.approx(20)  # the ramp rests: only x, y and z differ


def test_two_balls_exchange_momentum() -> None:
    starts = [
        Start((-1, 0, 9), velocity_m_s=(2, 0, 0), bounce=0.6),
        Start((1, 0, 9), velocity_m_s=(-1, 0, 0), bounce=0.6),
    ]
    motion = simulate([BALL, replace(BALL, instance=1)], starts, num_frames=17, fps=16, ground=False)
    hits = motion.between(0, 1)
    assert len(hits) == 1
    assert hits[0].approach_m_s == pytest.approx(3.0, abs=0.01)
    assert hits[0].start_s == pytest.approx(1.4 / 3, abs=0.01)
    velocity = (motion.position_m[-1, :, 0] - motion.position_m[-2, :, 0]) * 16
    assert velocity.sum() == pytest.approx(1.0, abs=0.01)
    assert velocity[1] - velocity[0] == pytest.approx(0.6 * 3, abs=0.1)
    mass = 200 * 4 / 3 * np.pi * 0.3**3
    assert hits[0].impulse_n_s == pytest.approx(mass * (2 - velocity[0]), rel=0.02)


def test_energy_never_grows_and_nothing_sinks() -> None:
    rng = np.random.default_rng(3)
    assets = [ASSETS[c](rng, "red") for c in ("crate", "ball", "barrel", "traffic cone", "rock")]
    bodies = [Body(a.parts, i) for i, a in enumerate(assets)]
    starts = [
        Start((1.3 * i, 0.1 * i, 1.5 + 0.3 * i), tuple(q / np.linalg.norm(q)), bounce=0.3)
        for i, q in enumerate(rng.normal(size=(5, 4)))
    ]
    motion = simulate(bodies, starts, num_frames=25, fps=8)
    assert motion.energy_j[0] > 1.5 * motion.energy_j[-1]
    assert (np.diff(motion.energy_j) < 0.01 * motion.energy_j[0]).all()
    for i in (0, 1, 2):  # crate, ball, barrel: never nearer to the ground than their smallest half size
        assert motion.position_m[:, i, 2].min() > 0.93 * min(assets[i].size_m) / 2
    assert {c.bodies[1] for c in motion.contacts if c.bodies[0] == GROUND} == {0, 1, 2, 3, 4}


def test_the_same_input_gives_the_same_bytes() -> None:
    def run() -> bytes:
        starts = [Start((0, 0, 1), spin_rad_s=(1, 2, 3)), Start((0.1, 0, 2))]
        motion = simulate([BOX, BALL], starts, num_frames=12, fps=8)
        return motion.position_m.tobytes() + motion.rotation.tobytes() + repr(motion.contacts).encode()

    assert run() == run()


def test_what_cannot_be_simulated_is_refused() -> None:
    with pytest.raises(ValueError, match="give every body one"):
        simulate([BOX], [], num_frames=4, fps=8)
    with pytest.raises(ValueError, match="fixed"):
        simulate([BOX], [Start((0, 0, 0), fixed=True)], num_frames=4, fps=8)
    with pytest.raises(ValueError, match="positive"):
        simulate([BOX], [Start((0, 0, 1))], num_frames=0, fps=8)
