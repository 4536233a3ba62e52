"""Ctrl-C while a command works: the first one ends the work, and no other one spoils the saving of what there is."""

from __future__ import annotations

import signal
import threading
from types import FrameType, TracebackType
from typing import Any


class OneInterrupt:
    """Lets one Ctrl-C through as `KeyboardInterrupt` and ignores those that follow, until the block ends.

    People press it twice. The first ends the training; what was trained is then evaluated and saved, which takes
    a moment, and the second would destroy it.

    Attributes
    ----------
    deaf : bool
        Whether Ctrl-C is ignored. True after the first; the command also sets it while it saves.
    """

    def __init__(self) -> None:
        self.deaf = False
        self._before: Any = None

    def __enter__(self) -> OneInterrupt:
        before = signal.getsignal(signal.SIGINT)
        # Handlers belong to the main thread; and a process that was started to ignore Ctrl-C goes on ignoring it.
        if threading.current_thread() is threading.main_thread() and callable(before):
            self._before = before
            signal.signal(signal.SIGINT, self._heard)
        return self

    def _heard(self, number: int, frame: FrameType | None) -> None:
        if not self.deaf:
            self.deaf = True
            raise KeyboardInterrupt

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._before is not None:
            signal.signal(signal.SIGINT, self._before)
