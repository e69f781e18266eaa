"""Much slow work in few threads, and no more of it at one place than that place should bear."""

import collections
import math
import time
from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor, wait


def in_lanes(work, lanes, *, workers, per_lane, seconds=math.inf):
    """Call ``work(task)`` for each task, in threads; the lanes take turns.

    Whoever abandons the generator waits for the tasks under way.

    :param lanes: iterables of tasks; those of one lane share a place
    :param int workers: how many tasks at once
    :param int per_lane: how many of them in one lane
    :param seconds: after which none is begun any more; those under way still count
    :return: yields ``(task, result)`` as each ends
    :raises Exception: the first that ``work`` raised, when all the others are through
    """
    end = time.monotonic() + seconds
    waiting = {number: collections.deque(tasks) for number, tasks in enumerate(lanes)}
    running, errors = {}, []
    with ThreadPoolExecutor(workers, thread_name_prefix="system_mail") as pool:

        def begin():
            while len(running) < workers and time.monotonic() < end:
                busy = collections.Counter(lane for lane, _task in running.values())
                lane = next((lane for lane in waiting if busy[lane] < per_lane), None)
                if lane is None:
                    return
                tasks = waiting.pop(lane)
                if tasks:
                    task = tasks.popleft()
                    running[pool.submit(work, task)] = lane, task
                    waiting[lane] = tasks  # at the end: now it is the others' turn

        begin()
        while running:
            for future in wait(running, return_when=FIRST_COMPLETED).done:
                _lane, task = running.pop(future)
                begin()
                if error := future.exception():
                    errors.append(error)
                else:
                    yield task, future.result()
    if errors:
        raise errors[0]
