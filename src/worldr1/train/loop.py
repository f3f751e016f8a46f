"""Training from start to end: prompts, groups, rewards, advantages, update, checkpoint."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

import torch
from torch import Tensor

from worldr1.policies.diffusers_policy import DiffusersPolicy
from worldr1.policies.noise import camera_conditioned
from worldr1.policies.sde import draw_window
from worldr1.train.advantage import guard_pressure
from worldr1.train.algorithms.base import Scored, Update
from worldr1.train.checkpoint import Checkpoints, State, TrainState, random_states
from worldr1.train.config import TrainConfig
from worldr1.train.distributed import ALONE, Processes
from worldr1.train.faults import TooManyFaultsError, check_share, memory_advice
from worldr1.train.metrics import Row, Stopwatch, Trackers, reward_metrics, write_rows, z_rms
from worldr1.train.monitor import HELD_OUT, Monitor
from worldr1.train.optimizer import make_optimizer
from worldr1.train.remote import make_scorer
from worldr1.train.rollout import Batch, Ready, sample
from worldr1.train.update import apply_updates
from worldr1.types import Prompt, Reward

__all__ = ["TrainConfig", "sample_seed", "train"]

Prompts = Callable[[int], Prompt]
Report = Callable[[Row], None]
_GUARD_MEMORY = 8  # iterations a guard's level is averaged over: prompts differ in motion and texture


def sample_seed(run: int, iteration: int, sample: int) -> int:
    """The noise seed of a sample: a function of its place in the run, so that a resumed run draws the same."""
    return 2 * ((run * 1_000_003 + iteration) * 4099 + sample)


def train(
    policy: DiffusersPolicy,
    reward: Reward,
    prompts: Prompts,
    config: TrainConfig,
    directory: Path,
    report: Report = lambda _row: None,
    targets: Mapping[str, float] | None = None,
    *,
    dynamic_prompts: Prompts | None = None,
    monitor: Monitor | None = None,
    processes: Processes = ALONE,
) -> list[Row]:
    """Train the policy's LoRA; returns one row of metrics per iteration, also in ``directory/metrics.jsonl``.

    ``prompts(k)`` is the k-th training prompt, ``dynamic_prompts(k)`` that of the decoupled phase. ``targets`` are
    the base model's mean values of the guards; a guard without one always counts in full.

    With several ``processes``, each calls this with the same arguments and a policy on its own device, and takes its
    share of the samples; the main one alone reports, looks with the monitor and writes to ``directory``, which all see.

    State goes to ``directory/checkpoints``; calling again with the same directory continues after the last intact
    checkpoint, bit for bit on a CPU. An interrupt leaves the last checkpoint. Raises ``ValueError`` before anything
    is generated when the algorithm cannot learn with this sampler or reward, or the samples do not divide among the
    processes, and later when memory runs out or the monitor stops the run; `TooManyFaultsError` when the reward fails
    too often, and ``FloatingPointError`` when the loss is not finite three times in a row.
    """
    config.algorithm.check(policy.sampler, reward)
    if config.dynamic_every and dynamic_prompts is None:
        raise ValueError("the decoupled phase needs prompts: pass dynamic_prompts, or set dynamic_every to 0")
    processes.part(config.prompts * config.group, "samples per iteration (prompts x group)")
    parameters = policy.trainable() or policy.add_lora(config.lora_rank, config.seed)
    optimizer = make_optimizer(config, parameters)
    run = TrainState(parameters, [p.detach().clone() for p in parameters], optimizer, processes=processes)
    checkpoints = Checkpoints(directory / "checkpoints", config.keep_checkpoints)
    if (saved := checkpoints.newest()) is not None:
        run.restore(saved)
        policy.version = len(run.rows)
    if len(found := set(processes.gather(len(run.rows)))) > 1:
        raise ValueError(
            f"processes find different checkpoints, of iterations {sorted(found)}: {directory} must be "
            "on a file system that all machines share"
        )
    if monitor is not None and not run.base:
        run.base = processes.from_main(monitor.start(policy) if processes.takes_part else {})
    scorer = make_scorer(reward, config)
    trackers = Trackers(config.trackers if processes.is_main else (), directory, asdict(config))
    for iteration in range(len(run.rows), config.iterations):
        seconds, random_before = Stopwatch(), random_states()
        optimizer.param_groups[0]["lr"] = config.rate_at(iteration)
        source = dynamic_prompts if dynamic_prompts and config.is_dynamic(iteration) else prompts
        asked = _prompts(source, config, iteration)
        with scorer.begin() as scoring:
            with seconds("sample"), memory_advice("sample"):
                batch = _rollouts(policy, asked, config, iteration, scoring.add, processes)
            with seconds("reward"), memory_advice("reward"):  # what is left of it: groups are scored while others come
                answers = processes.gather(scoring.result())
        scores = [s for some, _ in answers for s in some]
        faults = sum((counts for _, counts in answers), Counter[str]())
        try:
            check_share(scores, faults, config.max_masked)
        except TooManyFaultsError:  # as if this iteration had not begun
            _save(run, checkpoints, directory, random_before)
            raise
        pressure, integral = _pressure(run.rows, targets or {})
        with seconds("update"), memory_advice("update"):
            scored = Scored(scores, config.group, config.weights_at(iteration), pressure, _features(policy, asked))
            advantage = config.algorithm.advantage(scored, run.algorithm)
            share = processes.share(advantage)  # samples without an advantage teach nothing
            own = advantage[processes.part(len(advantage), "samples")][share.indices]
            generator = torch.Generator().manual_seed(sample_seed(config.seed, iteration, 4097))
            chosen, settings = batch.select(share.indices), (config.clip, config.kl_weight)
            update = Update(policy, reward, chosen, own, *settings, generator, share.first, share.total)
            skipped = run.rows[-1]["skipped_in_a_row"] if run.rows else 0
            with processes.level(policy, share.most):
                watched = apply_updates(config.algorithm, update, optimizer, config.epochs, skipped, share, processes)
            policy.version += 1
            run.follow(min(config.ema, (iteration + 1) / (iteration + 4)))
        row: Row = {
            "iteration": iteration + 1,
            **reward_metrics(scores, config.group, config.weights, faults),
            **watched,
            "z_rms": processes.root_mean_square(z_rms(batch.rollouts)),
            "rate": config.rate_at(iteration),
            "dynamic": int(config.is_dynamic(iteration)),
            **{f"pressure/{k}": v for k, v in pressure.items()},
            **{f"integral/{k}": v for k, v in integral.items()},
        }
        run.rows.append(row)
        last = iteration + 1 == config.iterations
        looked = monitor is not None and (last or (iteration + 1) % monitor.every == 0)
        if monitor is not None and looked:
            with seconds("monitor"), run.averaged():
                row |= processes.from_main(monitor.check(policy, run.base, run.rows) if processes.takes_part else {})
        row |= seconds.read()
        if processes.is_main:
            report(row)
            trackers.log(row)
        if last or row.get("alarms") or (iteration + 1) % config.checkpoint_every == 0:
            _save(run, checkpoints, directory)
        if monitor is not None and looked:
            state = run.state()
            if processes.is_main:
                checkpoints.save_best(state, iteration + 1, row[f"monitor/{HELD_OUT}"])
            monitor.react(row["alarms"])
    trackers.close()
    with torch.no_grad():
        for p, a in zip(parameters, run.average, strict=True):
            p.copy_(a)
    return run.rows


def _prompts(source: Prompts, config: TrainConfig, iteration: int) -> list[Prompt]:
    """The prompt of each sample of an iteration."""
    first = iteration * config.prompts
    return [p for k in range(first, first + config.prompts) for p in [source(k)] * config.group]


def _rollouts(
    policy: DiffusersPolicy,
    prompts: Sequence[Prompt],
    config: TrainConfig,
    iteration: int,
    ready: Ready,
    processes: Processes,
) -> Batch:
    """This process's samples: what is drawn depends on the run's seed, the iteration and the place alone."""
    generator = torch.Generator().manual_seed(sample_seed(config.seed, iteration, 4098))
    window = draw_window(policy.sampler, generator) if config.algorithm.draws else range(0)
    draws = [sample_seed(config.seed, iteration, k) for k in range(len(prompts))]
    starts = draws
    if config.algorithm.draws:
        # a group shares its initial noise, so that its samples differ by what was drawn, and only by that
        starts = [draws[k - k % config.group] for k in range(len(prompts))]
    initial = camera_conditioned(policy, config.camera_noise) if config.camera_noise else None
    keep = config.algorithm.keep(policy.sampler)
    own = processes.part(len(prompts), "samples")
    fresh = [d + 1 for d in draws[own]]
    return sample(policy, prompts[own], starts[own], window, fresh, keep=keep, initial=initial, ready=ready)


def _features(policy: DiffusersPolicy, prompts: Sequence[Prompt]) -> Callable[[], Tensor]:
    """The mean text state of each sample's prompt, ``[n, width]``, when somebody asks."""
    return lambda: policy.embed([p.text for p in prompts])[0].float().mean(1).cpu()


def _pressure(rows: Sequence[Row], targets: Mapping[str, float]) -> tuple[dict[str, float], dict[str, float]]:
    """`guard_pressure` of each guard and its integrals, from the rows so far, so that a resumed run agrees."""
    pressure, integral = {}, {}
    for term, target in targets.items():
        previous = rows[-1][f"integral/{term}"] if rows else 0.0
        recent = [r[f"reward/{term}"] for r in rows[-_GUARD_MEMORY:] if r[f"reward/{term}"] is not None]
        pressure[term], integral[term] = guard_pressure(previous, recent, target)
    return pressure, integral


def _save(run: TrainState, checkpoints: Checkpoints, directory: Path, random: State | None = None) -> None:
    state = run.state(random)
    if run.processes.is_main:
        checkpoints.save(state, len(run.rows))
        write_rows(run.rows, directory / "metrics.jsonl")
