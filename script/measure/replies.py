"""How long reading a server's reply takes, however hostile it is.

python -m measure.replies
"""

import statistics
import sys
import time

from odoo.addons.system_mail.failover.failure import Failure, Phase
from odoo.addons.system_mail.failover.own_words import MailText
from odoo.addons.system_mail.failover.rules import classify

TARGET = 5
"""Milliseconds for a reply, and what it means."""
ROUNDS = 21
KB64, MB = 65_536, 1_000_000
USUAL = b"5.1.1 <ben@corp.example>: Recipient address rejected: User unknown in local table"
REPLIES = {
    "a usual reply": USUAL,
    "64 KB of lines 550----": b"----\n" * (KB64 // 5),
    "64 KB of lines with a code": b"5.1.1 no\n" * (KB64 // 9),
    "one line of 1 MB": b"x" * MB,
    "1 MB of spaces": b" " * MB,
    "64 KB of addresses": b"<a@b.example> " * (KB64 // 14),
    "64 KB of quotes": b'"' * KB64,
    "64 KB of tokens": b"token=" * (KB64 // 6),
    "64 KB of relay": b"relay access " * (KB64 // 13),
    "64 KB of limits": b"message limit " * (KB64 // 14),
    "64 KB of said:": b"said: 550 " * (KB64 // 10),
    "1 MB that is no UTF-8": b"\xff" * MB,
}
MAIL = MailText(
    ["ana@corp.example", *(f"reader{number}@corp.example" for number in range(50))],
    ["Daily limit exceeded", "Ana Author <ana@corp.example>"],
    "See this " * 5_000,
)


def main() -> int:
    worst = 0.0
    usual = milliseconds(USUAL)
    print(f"{'reply':28} {'ms':>8} {'x usual':>8}")
    for name, reply in REPLIES.items():
        took = milliseconds(reply)
        worst = max(worst, took)
        print(f"{name:28} {took:8.2f} {took / usual:8.1f}")
    verdict = "as wanted" if worst <= TARGET else "TOO SLOW"
    print(f"The slowest takes {worst:.2f} ms; {TARGET} ms at most: {verdict}.")
    return 0


def milliseconds(reply: bytes) -> float:
    """The median of some rounds, in all phases of a message."""
    took = []
    for _ in range(ROUNDS):
        for phase in (Phase.MAIL, Phase.RCPT, Phase.DOT):
            begin = time.thread_time()
            classify(Failure.from_reply(phase, 550, reply, mail=MAIL, all_recipients=True))
            took.append(time.thread_time() - begin)
    return 1000 * statistics.median(took)


if __name__ == "__main__":
    sys.exit(main())
