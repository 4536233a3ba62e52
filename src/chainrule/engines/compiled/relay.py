"""Two threads: one leads the training, the caller's waits for it, tells the progress, and hears Ctrl-C.

Python delivers Ctrl-C to the main thread only, between any two of its operations. What leads the training never sees
it: it looks at a flag between two steps, so its state is never half changed.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable
from typing import Any

import numpy as np

Flag = np.ndarray[Any, np.dtype[np.int64]]
Action = Callable[[], object]
SECONDS_BETWEEN_GLANCES = 0.1


class Relay:
    """What the leading thread and the caller's thread share.

    Attributes
    ----------
    cancel : ndarray (1,)
        Becomes 1 at Ctrl-C: kernels end at their next step.
    abandoned : bool
        Set at the second Ctrl-C: nobody waits for the result any more.
    """

    def __init__(self) -> None:
        self.cancel: Flag = np.zeros(1, dtype=np.int64)
        self.abandoned = False
        self._glance: Action | None = None
        self._glancing = threading.Lock()
        self._mail: queue.SimpleQueue[Action | None] = queue.SimpleQueue()
        self._done: queue.SimpleQueue[None] = queue.SimpleQueue()
        self._error: BaseException | None = None

    @property
    def cancelled(self) -> bool:
        """Whether Ctrl-C came, or the caller's thread met another error."""
        return bool(self.cancel[0])

    # -- for the leader --------------------------------------------------------------------------------------

    def call(self, action: Action) -> None:
        """Let the caller's thread do something, such as telling the progress, and wait for it."""
        if not self.cancelled:
            self._mail.put(action)
            self._done.get()

    def watch(self, glance: Action | None) -> None:
        """Name what the caller's thread does a few times a second while nothing else is to be done; None ends that."""
        with self._glancing:
            self._glance = glance

    # -- for the caller --------------------------------------------------------------------------------------

    def run(self, work: Callable[[], None]) -> bool:
        """Let `work` lead in a thread of its own; return whether Ctrl-C came. What it or an action raises, goes on.

        After a first Ctrl-C `work` is waited for; a second one ends the waiting.
        """
        thread = threading.Thread(target=self._lead, args=(work,), name="chainrule-training", daemon=True)
        try:
            thread.start()
            self._attend()
            thread.join()
        except KeyboardInterrupt:
            self._give_up(thread)
        except BaseException:
            self._give_up(thread)
            raise
        if self._error is not None:
            raise self._error
        return self.cancelled

    def _lead(self, work: Callable[[], None]) -> None:
        try:
            work()
        except BaseException as error:  # it is raised again where somebody can hear it
            self._error = error
        finally:
            self._mail.put(None)

    def _attend(self) -> None:
        """Do what is asked, until the leader has ended."""
        while True:
            try:
                action = self._mail.get(timeout=SECONDS_BETWEEN_GLANCES)
            except queue.Empty:
                with self._glancing:
                    if self._glance is not None:
                        self._glance()
                continue
            if action is None:
                return
            action()
            self._done.put(None)

    def _give_up(self, thread: threading.Thread) -> None:
        """Cancel, and wait for the leader, who may be waiting for an action to be done."""
        self.cancel[0] = 1
        try:
            self._done.put(None)
            if thread.ident is not None:  # else it has not started
                thread.join()
        except KeyboardInterrupt:
            self.abandoned = True
