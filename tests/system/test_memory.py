"""What a process may weigh after some work (issue 2): the figures are the operating system's."""

from __future__ import annotations

from pathlib import Path

from running import System

ENGINE_MB = 600
OTHERS_MB = 120
MESSAGES = 200
TEXTS = (
    "where is my order",
    "मेरा पैसा कब वापस मिलेगा?",
    "¿Cuánto cuesta el envío?",
    "thanks",
    "flibber gromp",
    "هل يمكنني الدفع نقدا؟",
    "เปลี่ยนที่อยู่จัดส่งได้ไหม",
    "start over",
)


def resident_mb(pid: int) -> float:
    status = (Path("/proc") / str(pid) / "status").read_text()
    (line,) = [text for text in status.splitlines() if text.startswith("VmRSS:")]
    return int(line.split()[1]) / 1024


def test_no_process_grows_beyond_its_share(system: System) -> None:
    for number in range(MESSAGES):
        system.rest(f"memory-{number % 20}", TEXTS[number % len(TEXTS)])
    sizes = {name: round(resident_mb(pid)) for name, pid in system.pids().items()}
    print("resident MB:", sizes)
    assert sizes.keys() >= {
        "engine-0",
        "ingress",
        "sender",
        "recorder",
        "desk",
        "housekeeper",
        "valkey",
    }
    heavy = {
        name: size
        for name, size in sizes.items()
        if size >= (ENGINE_MB if name.startswith("engine") else OTHERS_MB)
    }
    assert not heavy, sizes
