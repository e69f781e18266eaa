"""Work in threads, spread over lanes."""

import contextlib
import itertools
import threading
import time

import pytest

from ..failover.lanes import in_lanes


class Office:
    """Counts who works at once: ``work`` takes the task's lane and how long it takes."""

    def __init__(self):
        self._lock, self._at_work = threading.Lock(), []
        self.peak, self.peaks, self.begun = 0, {}, []

    def work(self, task):
        lane, seconds = task[:2]
        with self._lock:
            self.begun.append(lane)
            self._at_work.append(lane)
            self.peak = max(self.peak, len(self._at_work))
            self.peaks[lane] = max(self.peaks.get(lane, 0), self._at_work.count(lane))
        time.sleep(seconds)
        with self._lock:
            self._at_work.remove(lane)
        return lane.upper()

    @property
    def idle(self):
        return not self._at_work


@pytest.fixture(name="office")
def _office():
    return Office()


def test_each_task_is_done_once_and_told_with_its_result(office):
    lanes = [[(name, 0, number) for number in range(9)] for name in "abc"]
    done = list(in_lanes(office.work, lanes, workers=4, per_lane=2))
    assert sorted(task for task, _result in done) == sorted(itertools.chain(*lanes))
    assert all(result == task[0].upper() for task, result in done)


def test_no_more_at_once_than_there_are_workers_and_than_a_lane_bears(office):
    lanes = [[(name, 0.01)] * 10 for name in "abc"]
    list(in_lanes(office.work, lanes, workers=5, per_lane=2))
    assert office.peak == 5
    assert office.peaks == {"a": 2, "b": 2, "c": 2}


def test_a_slow_lane_keeps_no_other_waiting(office):
    lanes = [[("slow", 0.3)] * 4, [("quick", 0.001)] * 40]
    done = [result for _task, result in in_lanes(office.work, lanes, workers=4, per_lane=2)]
    assert done[:40] == ["QUICK"] * 40


def test_the_lanes_take_turns(office):
    lanes = [[(name, 0)] * 3 for name in "abc"]
    list(in_lanes(office.work, lanes, workers=1, per_lane=1))
    assert office.begun == list("abcabcabc")


def test_what_ends_is_told_at_once(office):
    tasks = in_lanes(office.work, [[("slow", 0.5)], [("quick", 0)]], workers=2, per_lane=1)
    begin = time.monotonic()
    assert next(tasks)[1] == "QUICK"
    assert time.monotonic() - begin < 0.4
    assert next(tasks)[1] == "SLOW"


def test_when_time_is_up_none_is_begun_and_those_under_way_count(office):
    lanes = [[(name, 0.2)] * 10 for name in "ab"]
    done = list(in_lanes(office.work, lanes, workers=4, per_lane=2, seconds=0.1))
    assert len(done) == len(office.begun) == 4
    assert not list(in_lanes(office.work, lanes, workers=4, per_lane=2, seconds=0))


def test_who_leaves_early_begins_nothing_more_and_waits_for_those_under_way(office):
    lanes = [[("a", 0.05)] * 10]
    with contextlib.closing(in_lanes(office.work, lanes, workers=2, per_lane=2)) as tasks:
        next(tasks)
    assert office.idle
    assert len(office.begun) <= 4


def test_an_error_keeps_no_other_task_from_its_end(office):
    def work(task):
        if task[0] == "bad":
            raise KeyError("a bug")
        return office.work(task)

    done = []
    lanes = [[("bad", 0), ("good", 0)], [("good", 0.05)] * 5]
    with pytest.raises(KeyError):
        for _task, result in in_lanes(work, lanes, workers=2, per_lane=1):
            done.append(result)
    assert done == ["GOOD"] * 6


def test_nothing_to_do():
    assert not list(in_lanes(None, [], workers=4, per_lane=2))
