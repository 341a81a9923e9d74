"""How good the advice is for companies of other shapes than the simulator's, held against their truth.

    python benchmarks/other_companies.py --seeds 60 61 62 63 64

Each kind is mostly about one thing, drawn anew for every seed: batch hours of one's own, who is on duty, peaks of load,
big changes at odd hours, a few hours in which all ships, few deployments, services with nothing in common; and all of
these together. In `null` no hour differs from another in anything, in `null_risk` none does in risk. Of each service's
deployments, 40 to 3,000 (`sparse`: 12 to 49) in 6 to 24 months, 1 to 25 in 100 fail. The table is regret.py's.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray
from regret import AS_OF, DURATION, HEADINGS, Found, cells, found
from scipy.special import expit, logit

from shipcast.features.clock import hours_of_week
from shipcast.simulator import Truth
from shipcast.simulator.truth import Week

Floats = NDArray[np.float64]
Hours = NDArray[np.bool_]
Random = np.random.Generator

HOUR, DAY = np.arange(168) % 24, np.arange(168) // 24
WEEKDAYS, ALL_DAYS = (0, 1, 2, 3, 4), (0, 1, 2, 3, 4, 5, 6)
ZONES = ("UTC", "Europe/Berlin", "America/New_York", "Asia/Kolkata", "Australia/Sydney", "America/Sao_Paulo")
FLAT: Floats = np.zeros(168)
NOW = np.datetime64(AS_OF.replace(tzinfo=None), "us")
TRUE = ("failure_probability", "is_failed", "is_rollback")
SIZES, SHOWN = 0.9, 0.85  # spread of the logarithm of a change's lines; share of failures that lead to an incident


@dataclass(frozen=True)
class Shape:
    """One service's week by its local hours; all but `load` are logarithms, of which only differences count.

    `risk`: of the odds; `ships`: of deployments; `size`: of lines; `slower`: of the time to restore, on the clock of
    `staff`; `load`: requests; `shift`: of all of the load, some weeks before the end.
    """

    risk: Floats
    ships: Floats
    load: Floats
    count: int
    slower: Floats
    size: Floats
    staff: str | None = None
    shift: float = 0.0


def within(begin: int, hours: int, days: tuple[int, ...] = ALL_DAYS) -> Hours:
    """From a local hour on for so many hours, past midnight too, of spans that begin on these days."""
    begun = np.where(begin <= HOUR, DAY, (DAY - 1) % 7)
    return np.asarray(((HOUR - begin) % 24 < hours) & np.isin(begun, days))


def bell(centre: float, width: float) -> Floats:
    """A hill over the hours of the day that runs across midnight; 1 at its top."""
    return np.asarray(np.exp(-0.5 * (((HOUR + 0.5 - centre + 12) % 24 - 12) / width) ** 2))


def office(rng: Random) -> Floats:
    at_work = within(int(rng.integers(8, 11)), int(rng.integers(7, 11)), WEEKDAYS)
    return np.asarray(np.log(np.where(at_work, 1.0, rng.uniform(0.05, 0.4))))


def any_time(rng: Random) -> Floats:
    return np.asarray(np.log(np.where(within(9, 9, WEEKDAYS), 1.0, rng.uniform(0.3, 0.9))))


def daily(rng: Random, least: float | None = None) -> Floats:
    """A hill by day; the night has a share of its top, the weekend more or less."""
    least = rng.uniform(0.15, 0.6) if least is None else least
    weekend = np.where(DAY >= 5, rng.uniform(0.5, 1.2), 1.0)
    return np.asarray((least + (1 - least) * bell(rng.uniform(10, 17), rng.uniform(2.5, 4))) * weekend)


def waves(rng: Random) -> Floats:
    """Any smooth week: a few waves of the day and the week."""
    found = FLAT
    for times, size in ((7, 0.5), (14, 0.3), (21, 0.15), (1, 0.2), (2, 0.15)):
        found = found + size * rng.normal() * np.cos(2 * np.pi * (times * np.arange(168) / 168 + rng.random()))
    return found


def jobs(rng: Random) -> Hours:
    """One to three spans of hours in which jobs run, mostly at night, some on few days only."""
    begins = [*range(20, 24), *range(7), *range(8)]
    spans = [
        within(int(rng.choice(begins)), int(rng.integers(1, 5)), tuple(rng.permutation(7)[: rng.choice([7, 7, 5, 2])]))
        for _ in range(rng.integers(1, 4))
    ]
    return np.asarray(np.any(spans, axis=0))


def duty(rng: Random) -> Floats:
    """How much longer outages take in each hour, arranged in one of seven ways."""
    way, factor, begin = rng.integers(7), rng.uniform(1.0, 1.9), int(rng.integers(7, 11))
    at_work = within(begin, int(rng.integers(8, 12)), WEEKDAYS)
    if way == 0:
        return np.asarray(factor * ~at_work)
    if way == 1:  # somebody in the night alone
        return np.asarray(factor * ~within(int(rng.integers(20, 24)), int(rng.integers(7, 10))))
    if way == 2:  # two shifts with a gap
        late = within(int(rng.integers(13, 16)), int(rng.integers(4, 8)), WEEKDAYS)
        return np.asarray(factor * ~(within(5, int(rng.integers(4, 6)), WEEKDAYS) | late))
    if way == 3:  # round the clock, but for handovers
        return np.asarray(factor * ((np.arange(168) - begin) % 8 < 2))
    if way == 4:  # on duty, on call, nobody
        return np.where(within(8, 10, WEEKDAYS), 0.0, np.where(within(7, 15), 0.45 * factor, factor))
    if way == 5:  # it waits until somebody comes
        wait = [next(hours for hours in range(168) if at_work[(hour + hours) % 168]) for hour in range(168)]
        return np.asarray(np.log1p(np.array(wait) * rng.uniform(0.3, 1.0)))
    return np.asarray(factor * ~np.isin(DAY, (rng.integers(7) + np.arange(4)) % 7))  # four days, all day


def many(rng: Random) -> int:
    return round(np.exp(rng.uniform(np.log(40), np.log(3000))))


def batches(rng: Random, company: Random) -> Shape:
    busy = jobs(rng)
    load = daily(rng, 0.6) * np.where(busy, rng.uniform(1.5, 4), 1)
    return Shape(rng.uniform(0.8, 2.0) * busy + 0.3 * bell(14, 3), any_time(rng), load, many(rng), FLAT, FLAT)


def staffed(rng: Random, company: Random) -> Shape:
    elsewhere = str(rng.choice(ZONES)) if rng.random() < 0.4 else None
    ships = office(rng) if rng.random() < 0.5 else any_time(rng)
    return Shape(0.4 * bell(13, 3), ships, daily(rng, 0.6), many(rng), duty(rng), FLAT, elsewhere)


def peaks(rng: Random, company: Random) -> Shape:
    weekend = np.where(DAY >= 5, company.uniform(1.5, 4), np.where(DAY == 4, 1.3, 1.0))
    load = (0.1 + bell(company.uniform(18, 22), 2.5) + 0.4 * bell(12, 2)) * weekend
    if rng.random() < 0.5:
        load = np.where(within(int(rng.integers(0, 3)), int(rng.integers(4, 7))), 0, load)
    shift = rng.choice([-1, 1]) * rng.uniform(0.5, 1.2) if rng.random() < 0.5 else 0.0
    return Shape(rng.uniform(0.3, 0.7) * np.log(load + 0.1), office(rng), load, many(rng), FLAT, FLAT, None, shift)


def confounded(rng: Random, company: Random) -> Shape:
    odd = within(int(company.integers(0, 5)), int(company.integers(3, 6))) | within(22, 2)
    ships = np.log(np.where(odd, 0.6, np.where(within(9, 9, WEEKDAYS), 1.0, 0.1)))
    risk = company.uniform(0.6, 1.3) * bell(company.uniform(11, 16), 3.5)
    slower = FLAT if company.random() < 0.5 else 0.8 * ~within(6, 17)
    return Shape(risk, ships, daily(rng), many(rng), slower, rng.uniform(1.3, 2.2) * odd)


def narrow(rng: Random, company: Random) -> Shape:
    chosen = rng.permutation(np.flatnonzero(within(8, 13, WEEKDAYS)))[: rng.integers(4, 12)]
    ships = np.where(np.isin(np.arange(168), chosen), 0.0, -9.0)
    risk = company.uniform(0.5, 1.2) * bell(company.uniform(11, 16), 3)
    return Shape(risk, ships, daily(rng), many(rng), company.uniform(0.8, 1.5) * ~within(8, 10, WEEKDAYS), FLAT)


def sparse(rng: Random, company: Random) -> Shape:
    risk = company.uniform(0.5, 1.2) * bell(company.uniform(10, 17), 3) + 0.4 * (DAY == 4)
    slower = company.uniform(0.8, 1.5) * ~within(int(company.integers(7, 10)), 10, WEEKDAYS)
    return Shape(risk, office(rng), daily(rng), int(rng.integers(12, 50)), slower, FLAT)


def apart(rng: Random, company: Random) -> Shape:
    ships = office(rng) if rng.random() < 0.5 else any_time(rng)
    slower = duty(rng) if rng.random() < 0.6 else FLAT
    return Shape(waves(rng) + rng.uniform(0, 1.5) * jobs(rng), ships, np.exp(1.5 * waves(rng)), many(rng), slower, FLAT)


def mixture(rng: Random, company: Random) -> Shape:
    return (batches, staffed, peaks, confounded, narrow, sparse, apart)[rng.integers(7)](rng, company)


def null(rng: Random, company: Random) -> Shape:
    return Shape(FLAT, office(rng), FLAT + 1, many(rng), FLAT, FLAT)


def null_risk(rng: Random, company: Random) -> Shape:
    return replace(peaks(rng, company), risk=FLAT, slower=1.0 * ~within(8, 10, WEEKDAYS))


KINDS: dict[str, Callable[[Random, Random], Shape]] = {
    one.__name__: one for one in (batches, staffed, peaks, confounded, narrow, sparse, apart, mixture, null, null_risk)
}


def company(folder: Path, kind: str, seed: int) -> Truth:
    """Writes a company's tables. Services share a zone and two teams, where the kind leaves them something to share."""
    number = list(KINDS).index(kind)
    rng = np.random.default_rng([seed, number, 1])
    days, zone = int(rng.integers(180, 730)), str(rng.choice(ZONES))
    hours = np.arange(NOW - np.timedelta64(days, "D"), NOW, np.timedelta64(1, "h"))
    shares = kind not in ("staffed", "apart", "mixture")
    tables: dict[str, list[pl.DataFrame]] = {"services": [], "deployments": [], "incidents": [], "load": [], "true": []}
    weeks: dict[str, Week] = {}
    for index in range(rng.integers(3, 6)):
        shape = KINDS[kind](rng, np.random.default_rng([seed, number, 2]))
        name, is_one = f"service-{index}", kind == "apart" and seed % 2
        team = "all" if is_one else f"team-{index % 2 if shares else index}"
        its, weeks[name] = service(name, team, zone if shares else str(rng.choice(ZONES)), shape, hours, rng)
        for table, rows in its.items():
            tables[table].append(rows)
    happened = pl.concat(tables.pop("true"))
    folder.mkdir(parents=True)
    for table, parts in tables.items():
        pl.concat(parts).write_parquet(folder / f"{table}.parquet")
    return Truth(NOW, weeks, happened)


def service(
    name: str, team: str, zone: str, shape: Shape, hours: NDArray[np.datetime64], rng: Random
) -> tuple[dict[str, pl.DataFrame], Week]:
    """One service's rows of every table, with the true chances of its deployments as `true`; and its truth."""
    staff, of_week, count = shape.staff or zone, hours_of_week(hours, zone), shape.count
    lines, slope, scatter = rng.uniform(40, 300), rng.uniform(0.4, 0.9), rng.uniform(0.5, 0.9)
    rate, minutes, requests = (np.exp(rng.uniform(*np.log(ends))) for ends in ((0.01, 0.25), (12, 90), (60, 60_000)))
    weights = np.exp(shape.ships[of_week])
    chosen = np.sort(rng.choice(len(hours), count, p=weights / weights.sum()))
    starts, at = hours[chosen] + microseconds(60 * rng.random(count)), of_week[chosen]
    ends = starts + microseconds(DURATION.total_seconds() / 60 * rng.lognormal(0, 0.25, count))
    size = shape.size[at] - shape.size[at].mean() + SIZES * rng.normal(size=count)
    amount = np.maximum(1, np.rint(lines * np.exp(size))).astype(np.int64)
    odds = logit(rate) + shape.risk - shape.risk[at].mean()
    chance = expit(odds[at] + slope * np.log(amount / lines))
    failed, outcome = rng.random(count) < chance, rng.random(count)
    said = np.where(failed & (outcome < 0.7), np.where(outcome < 0.35, "failed", "rolled_back"), "succeeded")
    restored = ends + microseconds(
        minutes * np.exp(shape.slower[hours_of_week(ends, staff)]) * rng.lognormal(0, scatter, count)
    )
    shows = failed & ((said == "succeeded") | (rng.random(count) < SHOWN))
    made = pl.DataFrame(
        {
            "deployment_id": [f"{name}-{number}" for number in range(count)], "service": name,
            "environment": "production", "started_at": starts, "finished_at": ends, "status": said,
            "lines_changed": amount, "files_changed": 1 + amount // 30, "resolved_at": restored, "shows": shows,
            "failure_probability": chance, "is_failed": failed, "is_rollback": False,
        }
    ).filter(pl.col("finished_at") < NOW)  # fmt: skip
    incidents = made.filter("shows").select(
        incident_id="I-" + pl.col("deployment_id"), service="service", started_at="finished_at",
        resolved_at=pl.when(pl.col("resolved_at") < NOW).then("resolved_at"), deployment_id="deployment_id",
    )  # fmt: skip
    noise = np.repeat(rng.normal(0, 0.08, len(hours) // 24 + 1), 24)[: len(hours)] + rng.normal(0, 0.08, len(hours))
    noise -= shape.shift * (hours < NOW - np.timedelta64(rng.integers(20, 120), "D"))
    usual = requests * shape.load / shape.load.mean()
    load = usual[of_week] * np.exp(noise)
    tables = {
        "services": pl.DataFrame({"service": [name], "team": [team], "business_zone": [zone]}),
        "deployments": made.drop("resolved_at", "shows", *TRUE),
        "incidents": incidents,
        "load": pl.DataFrame({"service": name, "observed_at": hours, "value": rng.poisson(load)}),
        "true": made.select("service", "started_at", "lines_changed", *TRUE),
    }
    ahead = NOW + np.arange(168) * np.timedelta64(1, "h")
    slower = np.zeros(168)
    slower[hours_of_week(ahead, zone)] = shape.slower[hours_of_week(ahead, staff)]
    truth = Week(zone, lines, slope, scatter, 0.0, False, odds, minutes * np.exp(slower), usual)
    return tables, truth


def microseconds(minutes: Floats) -> NDArray[np.timedelta64]:
    return np.asarray((minutes * 60e6).astype("timedelta64[us]"))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, nargs="+", default=[60, 61, 62, 63, 64])
    parser.add_argument("--kinds", choices=KINDS, nargs="+", default=list(KINDS))
    arguments = parser.parse_args()
    print(HEADINGS)
    for kind in arguments.kinds:
        answers: list[Found] = []
        for seed in arguments.seeds:
            answers += found(partial(company, kind=kind, seed=seed), seed)
        print(cells(kind, answers), flush=True)


if __name__ == "__main__":
    main()
