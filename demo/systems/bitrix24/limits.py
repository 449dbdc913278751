"""The two limits of the interface: requests per second, and working time per method.

Measured in seconds of the clock that is given, so that a test need not wait.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

CLOUD_RATE, CLOUD_BURST = 2.0, 50
"""Requests per second that leak from the bucket, and its size, on the tariffs below Enterprise."""


@dataclass
class Bucket:
    """A leaky bucket of requests."""

    rate: float
    size: float
    clock: Callable[[], float] = time.monotonic
    level: float = 0.0
    seen_at: float = float("-inf")
    lock: threading.Lock = field(default_factory=threading.Lock)

    def take(self) -> bool:
        """Put one request in; False when the bucket is full."""
        with self.lock:
            now = self.clock()
            self.level = max(0.0, self.level - (now - self.seen_at) * self.rate)
            self.seen_at = now
            if self.level + 1 > self.size:
                return False
            self.level += 1
            return True


@dataclass
class OperatingTime:
    """The other limit: seconds that a method may work within a window; beyond them it is refused until the window ends.

    `cost` is added to every call, so that a test need not wait for real work.
    """

    limit: float = 480.0
    window: float = 600.0
    cost: float = 0.0
    clock: Callable[[], float] = time.monotonic
    spent: dict[str, float] = field(default_factory=dict)
    began: dict[str, float] = field(default_factory=dict)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def allows(self, method: str) -> bool:
        with self.lock:
            if self.clock() - self.began.get(method, float("-inf")) >= self.window:
                self.began[method], self.spent[method] = self.clock(), 0.0
            return self.spent[method] < self.limit

    def told(self, method: str) -> tuple[float, float]:
        """What an answer says of it: seconds that the method has worked, and seconds until its window ends."""
        with self.lock:
            ends = self.began.get(method, self.clock()) + self.window
            return self.spent.get(method, 0.0), max(0.0, ends - self.clock())

    def add(self, method: str, seconds: float) -> None:
        with self.lock:
            self.spent[method] = self.spent.get(method, 0.0) + seconds + self.cost
