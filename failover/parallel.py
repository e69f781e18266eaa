"""Much slow work in few threads, and no more of it at one place than that place should bear."""

import collections
import contextlib
import math
import queue
import threading
import time
from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor, wait


def run_in_groups(work, groups, *, workers, per_group, seconds=math.inf):
    """Call ``work(task)`` for each task, in threads; the groups take turns.

    Whoever abandons the generator waits for the tasks under way.

    :param groups: iterables of tasks; those of one group share a place
    :param int workers: how many tasks at once
    :param int per_group: how many of them in one group. It begins with two, and may do one more
        after each that ended: what the first ones find, the later ones know
    :param seconds: after which none is begun any more; those under way still count
    :return: yields ``(task, result)`` as each ends
    :raises Exception: the first that ``work`` raised, when all the others are through
    """
    end = time.monotonic() + seconds
    waiting = {number: collections.deque(tasks) for number, tasks in enumerate(groups)}
    running, ended, errors = {}, collections.Counter(), []
    with ThreadPoolExecutor(workers, thread_name_prefix="system_mail") as pool:

        def begin():
            while len(running) < workers and time.monotonic() < end:
                busy = collections.Counter(group for group, _task in running.values())
                group = next((g for g in waiting if busy[g] < min(per_group, 2 + ended[g])), None)
                if group is None:
                    return
                tasks = waiting.pop(group)
                if tasks:
                    task = tasks.popleft()
                    running[pool.submit(work, task)] = group, task
                    waiting[group] = tasks  # at the end: now it is the others' turn

        begin()
        while running:
            for future in wait(running, return_when=FIRST_COMPLETED).done:
                group, task = running.pop(future)
                ended[group] += 1
                begin()
                if error := future.exception():
                    errors.append(error)
                else:
                    yield task, future.result()
    if errors:
        raise errors[0]


def run_within(work, tasks, seconds):
    """Call ``work(task)`` for each task, each in a thread of its own, and wait no longer than
    ``seconds`` for all of them. What takes longer goes on behind, and its result is lost.

    An exception of ``work`` goes to ``threading.excepthook``, and the task has no result.

    :param tasks: hashable, a few of them
    :return: ``{task: result}`` of those that ended in time
    :rtype: dict
    """
    ended = queue.SimpleQueue()
    for task in tasks:
        run = threading.Thread(
            target=lambda task=task: ended.put((task, work(task))), name="system_mail", daemon=True
        )
        run.start()
    results, end = {}, time.monotonic() + seconds
    with contextlib.suppress(queue.Empty):
        while len(results) < len(tasks):
            task, result = ended.get(timeout=max(0, end - time.monotonic()))
            results[task] = result
    return results
