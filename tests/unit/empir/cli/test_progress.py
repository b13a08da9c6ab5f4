"""How far a run has come."""

from __future__ import annotations

import io
import sys
import time

import pytest

from empir.cli.progress import Bar


class Terminal(io.StringIO):
    """A stderr that is a terminal."""

    def isatty(self) -> bool:
        return True


class Clock:
    """A time that passes only when it is told to."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    made = Clock()
    monkeypatch.setattr(time, "monotonic", made)
    return made


def test_a_short_run_is_silent_in_a_file(capsys: pytest.CaptureFixture[str]) -> None:
    with Bar("attacking") as bar:
        bar(0, 10)
        bar(10, 10)
    assert capsys.readouterr() == ("", "")


def test_a_long_run_tells_its_rate_now_and_then(clock: Clock, capsys: pytest.CaptureFixture[str]) -> None:
    """5,000 done before, then 100 a second."""
    with Bar("attacking") as bar:
        for second in range(100):
            clock.now = 1000.0 + second
            bar(5000 + 100 * second, 20_000)
    assert capsys.readouterr().err.splitlines() == [
        f"attacking: {5000 + 100 * second:,} of 20,000 images, 100 a second" for second in (30, 60, 90)
    ]


def test_what_comes_next_is_counted_from_its_own_start(clock: Clock, capsys: pytest.CaptureFixture[str]) -> None:
    with Bar("training fp1", "steps") as bar:
        bar(0, 100)
        clock.now += 20
        bar.begin("training w2a4-1")
        bar(0, 100)
        clock.now += 20
        bar(40, 100)
        clock.now += 20
        bar(80, 100)
    assert capsys.readouterr().err == "training w2a4-1: 80 of 100 steps, 2 a second\n"


def test_a_terminal_gets_a_bar_that_goes_away(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    monkeypatch.setenv("TERM", "xterm")
    with Bar("attacking") as bar:
        bar(1000, 4000)
        time.sleep(0.02)
        bar(3000, 4000)
        assert bar._bar is not None
        bar._bar.refresh()
        shown = terminal.getvalue()
        bar.begin("verifying")
        bar._bar.refresh()
    assert "attacking" in shown
    assert "3,000/4,000" in shown
    assert "images/s" in shown
    assert "verifying" in terminal.getvalue()
    assert terminal.getvalue().endswith("\x1b[2K")  # the line is erased


def test_an_interrupt_takes_the_bar_away_too(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    with pytest.raises(KeyboardInterrupt), Bar("attacking") as bar:
        raise KeyboardInterrupt
    assert bar._bar is not None
    assert bar._bar.live.is_started is False
