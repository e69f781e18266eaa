"""Work in threads, spread over groups."""

import contextlib
import itertools
import threading
import time

import pytest

from ..failover.parallel import run_in_groups, run_within


class Office:
    """Counts who works at once: ``work`` takes the task's group and how long it takes."""

    def __init__(self):
        self._lock, self._at_work = threading.Lock(), []
        self.peak, self.peaks, self.begun = 0, {}, []
        self.crowds = []
        """How many were at work in a group when another one had begun, and how many had ended."""

    def work(self, task):
        group, seconds = task[:2]
        with self._lock:
            self.begun.append(group)
            self._at_work.append(group)
            at_work = self._at_work.count(group)
            self.crowds.append((at_work, self.begun.count(group) - at_work))
            self.peak = max(self.peak, len(self._at_work))
            self.peaks[group] = max(self.peaks.get(group, 0), at_work)
        time.sleep(seconds)
        with self._lock:
            self._at_work.remove(group)
        return group.upper()

    @property
    def idle(self):
        return not self._at_work


@pytest.fixture(name="office")
def _office():
    return Office()


def test_each_task_is_done_once_and_told_with_its_result(office):
    groups = [[(name, 0, number) for number in range(9)] for name in "abc"]
    done = list(run_in_groups(office.work, groups, workers=4, per_group=2))
    assert sorted(task for task, _result in done) == sorted(itertools.chain(*groups))
    assert all(result == task[0].upper() for task, result in done)


@pytest.mark.parametrize(("workers", "peak"), [(5, 5), (9, 6)])
def test_no_more_at_once_than_there_are_workers_and_than_a_lane_bears(office, workers, peak):
    groups = [[(name, 0.01)] * 10 for name in "abc"]
    list(run_in_groups(office.work, groups, workers=workers, per_group=2))
    assert office.peak == peak
    assert office.peaks == {"a": 2, "b": 2, "c": 2}


def test_there_may_be_many_workers():
    all_at_work = threading.Barrier(40)
    groups = [[number] for number in range(40)]
    work = run_in_groups(lambda _task: all_at_work.wait(10), groups, workers=40, per_group=1)
    assert len(list(work)) == 40


def test_a_lane_begins_with_two_and_bears_one_more_after_each_that_ended(office):
    groups = [[("a", 0), ("a", 0.1), *[("a", 0.03)] * 20]]
    list(run_in_groups(office.work, groups, workers=9, per_group=5))
    assert office.peaks == {"a": 5}
    assert all(at_work <= 2 + ended for at_work, ended in office.crowds)


def test_threads_are_known_by_name_and_keep_no_process_from_its_end():
    def look(_task):
        thread = threading.current_thread()
        return thread.name.startswith("system_mail"), thread.daemon

    [(_task, (is_named, _))] = run_in_groups(look, [["a"]], workers=1, per_group=1)
    assert is_named
    assert run_within(look, ["a"], seconds=5) == {"a": (True, True)}


def test_a_slow_lane_keeps_no_other_waiting(office):
    groups = [[("slow", 0.3)] * 4, [("quick", 0.001)] * 40]
    done = [result for _task, result in run_in_groups(office.work, groups, workers=4, per_group=2)]
    assert done[:40] == ["QUICK"] * 40


def test_the_lanes_take_turns(office):
    groups = [[(name, 0)] * 3 for name in "abc"]
    list(run_in_groups(office.work, groups, workers=1, per_group=1))
    assert office.begun == list("abcabcabc")


def test_what_ends_is_told_at_once(office):
    tasks = run_in_groups(office.work, [[("slow", 0.5)], [("quick", 0)]], workers=2, per_group=1)
    begin = time.monotonic()
    assert next(tasks)[1] == "QUICK"
    assert time.monotonic() - begin < 0.4
    assert next(tasks)[1] == "SLOW"


def test_when_time_is_up_none_is_begun_and_those_under_way_count(office):
    groups = [[(name, 0.2)] * 10 for name in "abc"]
    done = list(run_in_groups(office.work, groups, workers=4, per_group=2, seconds=0.1))
    assert len(done) == len(office.begun) == 4
    assert not list(run_in_groups(office.work, groups, workers=4, per_group=2, seconds=0))


def test_who_leaves_early_begins_nothing_more_and_waits_for_those_under_way(office):
    groups = [[("a", 0.05)] * 10]
    with contextlib.closing(run_in_groups(office.work, groups, workers=2, per_group=2)) as tasks:
        next(tasks)
    assert office.idle
    assert len(office.begun) <= 4


def test_an_error_keeps_no_other_task_from_its_end(office):
    def work(task):
        if task[0] == "bad":
            raise KeyError("a bug")
        return office.work(task)

    done = []
    groups = [[("bad", 0), ("good", 0)], [("good", 0.05)] * 5]
    with pytest.raises(KeyError):
        for _task, result in run_in_groups(work, groups, workers=2, per_group=1):
            done.append(result)
    assert done == ["GOOD"] * 6


def test_nothing_to_do():
    assert not list(run_in_groups(None, [], workers=4, per_group=2))


def test_what_takes_too_long_is_not_waited_for():
    release = threading.Event()

    def work(task):
        if task == "silent":
            release.wait(5)
        time.sleep(0.05)
        return task.upper()

    begin = time.monotonic()
    try:
        results = run_within(work, ["one", "silent", "two"], seconds=0.3)
        assert time.monotonic() - begin < 1
        assert results == {"one": "ONE", "two": "TWO"}
    finally:
        release.set()


def test_what_is_in_time_ends_the_wait():
    begin = time.monotonic()
    assert run_within(str.upper, ["one", "two"], seconds=30) == {"one": "ONE", "two": "TWO"}
    assert time.monotonic() - begin < 10
