"""Trainings that are still to be done, in order, one or several at a time."""

import concurrent.futures
import dataclasses
import multiprocessing
import os
import sys

from benchmarks.tricks import setting as settings
from benchmarks.tricks import training
from benchmarks.tricks.records import choose_rate
from benchmarks.tricks.table import TRICKS


@dataclasses.dataclass(frozen=True)
class Job:
    """One training: of a trial on the held-out images, or a run on the test images."""

    kind: str
    trick: str
    seed: int
    epochs: int
    limit: int | None
    rate: float
    value: float | None

    def data(self):
        data = settings.load(self.limit)
        return settings.halves(data) if self.kind == "trial" else data

    def train(self, tick=None):
        data, trick = self.data(), TRICKS[self.trick]
        found = training.train(
            trick, self.seed, data, self.epochs, self.rate, self.value, tick
        )
        asked = self.asked(len(data[0][0]))
        return {**asked, "evaluated": len(data[1][0]), **found}

    def asked(self, images):
        return {
            "kind": self.kind,
            "trick": self.trick,
            "set": TRICKS[self.trick].set,
            "seed": self.seed,
            "value": self.value,
            "rate": self.rate,
            "epochs": self.epochs,
            "images": images,
        }


@dataclasses.dataclass
class Plan:
    """What to train, and with which numbers."""

    names: list
    seeds: list
    epochs: int
    limit: int | None
    records: object

    def __post_init__(self):
        self._backend = training.versions()["backend"]
        self._images = {
            kind: len(Job(kind, "", 0, 0, self.limit, 0.0, None).data()[0][0])
            for kind in ("trial", "run")
        }

    def phases(self):
        """Lists of jobs that do not need each other: one needs those before it."""
        names = self._with_bases()
        yield [j for n in names if not TRICKS[n].base for j in self._trials(n)]
        yield [j for n in names if TRICKS[n].base for j in self._trials(n)]
        yield [
            self._job("run", name, seed, self.numbers(name))
            for seed in self.seeds
            for name in names
            if self.numbers(name)
        ]

    def _with_bases(self):
        """The tricks, and before each what it is compared with."""
        names = {}
        for name in self.names:
            trail = [name]
            while TRICKS[trail[0]].base:
                trail.insert(0, TRICKS[trail[0]].base)
            names.update(dict.fromkeys(trail))
        return list(names)

    def _trials(self, name):
        trick = TRICKS[name]
        for value in trick.grid:
            rate = value if trick.chosen == "rate" else self._rate_of_base(trick)
            yield self._job("trial", name, settings.CHOOSING_SEED, (rate, value))

    def tried(self, name):
        """`{number: accuracy}` of the trials that were made."""
        found = {job.value: self.find(job) for job in self._trials(name)}
        return {value: each["accuracy"] for value, each in found.items() if each}

    def numbers(self, name):
        """The rate and the number that were chosen; `None` where trials are missing."""
        trick = TRICKS[name]
        value, rate = None, None
        if trick.grid:
            tried = self.tried(name)
            if len(tried) < len(trick.grid):
                return None
            value = choose_rate(tried)
        if trick.grid and trick.chosen == "rate":
            rate = value
        else:
            rate = self._rate_of_base(trick)
        return None if rate is None else (rate, value)

    def _rate_of_base(self, trick):
        chosen = self.numbers(trick.base)
        return chosen[0] if chosen else None

    def _job(self, kind, name, seed, numbers):
        return Job(kind, name, seed, self.epochs, self.limit, *numbers)

    def find(self, job):
        asked = job.asked(self._images[job.kind])
        return self.records.find(**asked, backend=self._backend)

    def missing(self, jobs):
        return [job for job in jobs if not self.find(job)]

    def count(self):
        """How many trainings there are at most, done or not."""
        names = self._with_bases()
        return sum(len(TRICKS[n].grid) + len(self.seeds) for n in names)

    def done(self):
        return sum(
            len(jobs) - len(self.missing(jobs)) for jobs in self.phases() if jobs
        )


def run(jobs, records, processes, bar):
    """Train what is to be trained, and record it; return how many failed."""
    said = training.versions()
    failed = 0
    for job, found in _results(jobs, processes, bar):
        if isinstance(found, Exception):
            bar.write(f"{job.trick}, seed {job.seed}: {found!r}", file=sys.stderr)
            failed += 1
        else:
            records.add({**found, **said})
    return failed


def _results(jobs, processes, bar):
    if processes == 1:
        for job in jobs:
            bar.set_description(f"{job.kind}, seed {job.seed}, {job.trick}")
            try:
                yield job, job.train(bar.update)
            except Exception as error:
                yield job, error
        return
    context = multiprocessing.get_context("spawn")
    with concurrent.futures.ProcessPoolExecutor(
        processes, context, _on_one_core, (context.Value("i", 0),)
    ) as pool:
        futures = {pool.submit(job.train): job for job in jobs}
        try:
            for future in concurrent.futures.as_completed(futures):
                job = futures[future]
                bar.set_description(f"{job.kind}, seed {job.seed}, {job.trick}")
                bar.update(job.epochs)
                yield job, future.exception() or future.result()
        finally:  # of an interruption: what has not begun does not begin
            pool.shutdown(cancel_futures=True)


def _on_one_core(started):
    """Have each process keep to a core of its own, where that can be said."""
    if hasattr(os, "sched_setaffinity"):
        with started.get_lock():
            number, started.value = started.value, started.value + 1
        cores = sorted(os.sched_getaffinity(0))
        os.sched_setaffinity(0, {cores[number % len(cores)]})


def time_costs(plan, records, bar, rounds):
    """Time the steps of each trick beside those of its baseline."""
    bases, said = {}, training.versions()
    data = settings.load(plan.limit)
    failed = 0
    for name in plan.names:
        trick = TRICKS[name]
        asked = {"kind": "cost", "trick": name, "set": trick.set}
        if not trick.base or records.find(**asked, backend=said["backend"]):
            bar.update()
            continue
        bar.set_description(name)
        try:
            if trick.base not in bases:
                bases[trick.base] = training.Cost(TRICKS[trick.base], data, 1e-3)
            value = trick.grid[0] if trick.grid else None
            rate = value if value and trick.chosen == "rate" else 1e-3
            other = training.Cost(trick, data, rate, value)
            found = training.compare_cost(bases[trick.base], other, rounds)
            records.add({**asked, **found, **said})
        except Exception as error:
            bar.write(f"{name}: {error!r}", file=sys.stderr)
            failed += 1
        bar.update()
    return failed


def shown(plan):
    """What was chosen from what, a line for each trick with a grid."""
    for name in plan.names:
        trick, tried = TRICKS[name], plan.tried(name)
        if tried:
            cells = [f"{value:g}: {accuracy:.4f}" for value, accuracy in tried.items()]
            best = f"{trick.chosen} {choose_rate(tried):g}"
            yield f"{name}: {best} of {', '.join(cells)}"
