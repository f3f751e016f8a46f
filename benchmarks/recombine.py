"""What the weights of today make of clips that were measured before.

python benchmarks/recombine.py docs/seed15-rows.jsonl [--from-world 19] [--full] [--abstained-left-out]

Rows as `worldr1 validate-rewards` writes them of the general stack, each a clip with its terms: their values are put
together again, and the headline printed, or the whole table. ``--from-world`` leaves worlds before out. Seconds.
"""

import argparse
import json
from dataclasses import replace
from pathlib import Path

from worldr1.evaluate.bench.bench import Row
from worldr1.evaluate.bench.catalogue import CASES
from worldr1.evaluate.bench.config import BenchConfig
from worldr1.evaluate.bench.demands import checks
from worldr1.evaluate.bench.judges import combine_of
from worldr1.evaluate.bench.pairs import pairs_of
from worldr1.evaluate.bench.statistics import summarise
from worldr1.evaluate.bench.table import markdown
from worldr1.rewards.composite import aggregate


def _told(value: float | None) -> str:
    return "no score" if value is None else f"{value:.3f}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("rows", type=Path)
    parser.add_argument("--from-world", type=int, default=0)
    parser.add_argument("--full", action="store_true")
    parser.add_argument("--abstained-left-out", action="store_true", help="terms that abstain do not count")
    arguments = parser.parse_args()
    kept = [Row(**json.loads(line)) for line in arguments.rows.read_text(encoding="utf-8").splitlines()]
    kept = [r for r in kept if r.world >= arguments.from_world]
    combine = {
        name: aggregate if arguments.abstained_left_out else combine_of(name, BenchConfig())
        for name in dict.fromkeys(r.judge for r in kept)
    }
    rows = [replace(r, value=combine[r.judge](r.parts)) for r in kept]
    summary = summarise(rows, combine)
    if arguments.full:
        print(markdown(summary, f"python benchmarks/recombine.py {arguments.rows}"))
        return
    for judge, found in summary.items():
        print(judge, f"{len({r.world for r in rows})} worlds, {len(rows)} clips")
        for key, value in found["headline"].items():
            print(f"  {key}: {value}")
        for demand, holds in checks(summary)[judge].items():
            print(f"  {demand}: {holds}")
        for case, told in found["cases"].items():
            middle = told.get("severities", {}).get(2)
            if middle and middle["value"] is not None and middle["value"] < 1:
                print(f"  {case}: {middle['value']:.3f} of {middle['pairs']}")
        for p in pairs_of(r for r in rows if r.judge == judge):
            if CASES[p.case].kind == "corruption" and not p.won:
                print(f"  lost: world {p.world}, {p.case} {p.severity}: {_told(p.clean)} against {_told(p.broken)}")
        for case in (c for c, told in found["cases"].items() if told["kind"] == "positive"):
            clips = sum(r.judge == judge and r.case == case for r in rows)
            print(f"  {case}: false alarms {found['cases'][case]['false_alarms']:.3f} of {clips}")


if __name__ == "__main__":
    main()
