# SPDX-License-Identifier: Apache-2.0
"""A county's farms through the credit engine, streamed: `python benchmarks/credit_speed.py [N] [--policy NAME]`.

Farms are made chunk by chunk, summed in a first pass over their columns, then decided in two processes; each decision's
line with its whole trail is written to a file. The same rules written plainly in pandas and polars give limits alone,
and the same ones.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import resource
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from credit_farms import AS_OF, CHUNK, Chunk, farms_of, load_policy, make_chunk, too_many, totals_of
from credit_pairs import crops_of
from rows import make_row, write_rows

from acreline.credit import CompiledPolicy, assess_stream, decision_line, find_totals
from acreline.credit.contract import Totals
from acreline.records import Farm
from acreline.workers import worker_pool

COMMAND = "python benchmarks/credit_speed.py"
MANY = 1_000_000
WORKERS = 2
REFER = -1
_worker: dict[str, Any] = {}


def chunks(count: int, crops: tuple[str, ...]) -> Iterator[Chunk]:
    """All farms, a chunk at a time."""
    for index in range(-(-count // CHUNK)):
        yield make_chunk(index, crops, min(CHUNK, count - index * CHUNK))


def all_farms(count: int, crops: tuple[str, ...]) -> Iterator[Farm]:
    """All farms, one after another."""
    for chunk in chunks(count, crops):
        yield from farms_of(chunk)


def start_worker(policy: str, totals: Totals, folder: str) -> None:
    """What a process needs once."""
    compiled = load_policy(policy)
    crops = tuple(crops_of(compiled))
    file = Path(folder) / f"{multiprocessing.current_process().pid}.jsonl"
    stream = file.open("w", encoding="utf-8", buffering=1 << 20)
    _worker.update(policy=compiled, crops=crops, totals=totals, stream=stream, first_mb=0.0)


def decide_chunk(job: tuple[int, int]) -> dict[str, Any]:
    """Decide one chunk and write its lines; limits in hundredths, processor time and memory come back."""
    index, size = job
    farms = list(farms_of(make_chunk(index, _worker["crops"], size)))
    limits: list[int] = []
    outcomes: Counter[str] = Counter()
    length = 0
    start = time.process_time()
    for decision in assess_stream(farms, _worker["policy"], as_of=AS_OF, totals=_worker["totals"]):
        line = decision_line(decision)
        _worker["stream"].write(line + "\n")
        length += len(line)
        outcomes[decision.outcome] += 1
        limits.append(REFER if decision.limit is None else int(decision.limit * 100))
    seconds = time.process_time() - start
    _worker["stream"].flush()
    peak = peak_mb()
    _worker["first_mb"] = _worker["first_mb"] or peak
    told = {"limits": np.array(limits), "outcomes": outcomes, "seconds": seconds, "length": length}
    return {**told, "first_mb": _worker["first_mb"], "peak_mb": peak}


def peak_mb() -> float:
    """The most memory this process has held so far."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def children_s() -> float:
    """Processor time of the processes that have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def main() -> None:
    """Decide all farms, then hold the plain versions beside them."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("count", nargs="?", type=int, default=MANY)
    parser.add_argument("--policy", default="demo")
    given = parser.parse_args()
    count, policy = given.count, load_policy(given.policy)
    crops = tuple(crops_of(policy))
    command = COMMAND + (f" {count}" if count != MANY else "")
    command += f" --policy {given.policy}" if given.policy != "demo" else ""
    start, load = time.perf_counter(), os.getloadavg()[0]
    totals = totals_of(partial(chunks, count, crops), policy)
    summed = time.perf_counter()
    few = min(count, CHUNK)
    summed_twice = find_totals(list(all_farms(few, crops)), policy, as_of=AS_OF)
    assert summed_twice == totals_of(partial(chunks, few, crops), policy)
    jobs = [(index, min(CHUNK, count - index * CHUNK)) for index in range(-(-count // CHUNK))]
    with tempfile.TemporaryDirectory() as folder:
        ready = (given.policy, totals, folder)
        with worker_pool(WORKERS, start_worker, ready) as pool:
            done = list(pool.map(decide_chunk, jobs))
        written = sum(path.stat().st_size for path in Path(folder).glob("*.jsonl"))
        lines = sum(path.read_bytes().count(b"\n") for path in Path(folder).glob("*.jsonl")) if count < MANY else count
    end = time.perf_counter()
    assert lines == count
    parent, cpu = peak_mb(), time.process_time() + children_s()
    outcomes = dict(sorted(sum((part["outcomes"] for part in done), Counter()).items()))
    engine = sum(part["seconds"] for part in done)
    first, peak = (max(part[name] for part in done) for name in ("first_mb", "peak_mb"))
    setting = f"policy {policy.policy.id}, {len(policy.rules)} rules, made farms of 1 to 8 stands"
    rows = [
        make_row("seconds for all farms, with trails", f"{setting}; 2 processes, farms made and summed in it; "
                 f"{outcomes}; {written / 1e9:.1f} GB of lines", round(end - start, 1), "s", n=count, command=command,
                 target="<= 300" if count >= MANY else "", baseline=f"{summed - start:.0f} s of it: the sums; "
                 f"{cpu:.0f} s of processor time in all; {load:.1f} processes wanted {os.cpu_count()} cores before"),
        make_row("processor time a farm, its line of JSON included", setting, round(1e3 * engine / count, 3), "ms",
                 n=count, command=command, target="<= 0.5", baseline="none"),
        make_row("peak memory of a process that decides", setting, round(peak), "MB", n=count, command=command,
                 baseline=f"{first:.0f} MB after its first {CHUNK:,} farms"),
        make_row("peak memory of the process that sums and hands out", f"{setting}; limits of all farms to compare",
                 round(parent), "MB", n=count, command=command, baseline="none"),
    ]  # fmt: skip
    rows += hold_beside(count, policy, crops, totals, [part["limits"] for part in done], engine, command)
    print(write_rows("credit_speed", rows).read_text(encoding="utf-8"))


def hold_beside(
    count: int,
    policy: CompiledPolicy,
    crops: tuple[str, ...],
    totals: Totals,
    limits: list[Any],
    engine: float,
    command: str,
) -> list[dict[str, Any]]:
    """Time the plain versions on the same farms; a limit that differs stops the benchmark."""
    from credit_rivals import decide_pandas, decide_polars, read_numbers

    numbers = read_numbers(policy, crops)
    if numbers is None:
        print(f"policy {policy.policy.id} has rules that the plain versions do not know: they are left out")
        return []
    seconds = Counter[str]()
    rivals = (("pandas", decide_pandas), ("polars", decide_polars))
    for chunk, decided in zip(chunks(count, crops), limits, strict=True):
        persons = [f"P-{number:07d}" for number in chunk.farms["person"].tolist()]
        several = too_many(totals, persons, policy)
        for name, rival in rivals:
            start = time.process_time()
            plain = rival(chunk, numbers, several)
            seconds[name] += time.process_time() - start
            wrong = np.flatnonzero(plain != decided)
            assert not len(wrong), (name, chunk.first + wrong[0], plain[wrong[0]], decided[wrong[0]])
    return [
        make_row(f"processor time a farm, plain {name}", "the same rules: limits alone, no trail, no reasons, no words",
                 round(1e3 * seconds[name] / count, 5), "ms", n=count, command=command,
                 baseline=f"the engine: {1e3 * engine / count:.3f} ms; the same limit for every farm")
        for name, _ in rivals
    ]  # fmt: skip


if __name__ == "__main__":
    main()
