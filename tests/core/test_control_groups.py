"""Limits of control groups, read from folders made up as Linux lays them out."""

from __future__ import annotations

from pathlib import Path

import pytest

from chainrule.control_groups import cpu_quota, memory_left, memory_limit, read

GIB = 2**30


def system(root: Path, files: dict[str, str]) -> Path:
    """Write the files of a made-up system."""
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text + "\n")
    return root


def test_a_system_without_control_groups_has_no_limits(tmp_path: Path) -> None:
    assert (cpu_quota(tmp_path), memory_limit(tmp_path), memory_left(tmp_path)) == (None, None, None)


def test_version_2_without_limits(tmp_path: Path) -> None:
    root = system(
        tmp_path,
        {
            "proc/self/cgroup": "0::/user.slice",
            "sys/fs/cgroup/cpu.max": "max 100000",
            "sys/fs/cgroup/memory.max": "max",
            "sys/fs/cgroup/memory.current": "12345",
        },
    )
    assert (cpu_quota(root), memory_limit(root), memory_left(root)) == (None, None, None)


def test_in_a_container_the_own_group_is_the_top_one(tmp_path: Path) -> None:
    root = system(
        tmp_path,
        {
            "proc/self/cgroup": "0::/somewhere/outside",  # which is not to be seen from inside
            "sys/fs/cgroup/cpu.max": "150000 100000",
            "sys/fs/cgroup/memory.max": str(4 * GIB),
            "sys/fs/cgroup/memory.current": str(3 * GIB),
            "sys/fs/cgroup/memory.stat": f"anon 17\ninactive_file {GIB // 2}\nslab 3",
        },
    )
    assert cpu_quota(root) == 1.5
    assert memory_limit(root) == 4 * GIB
    assert memory_left(root) == 1.5 * GIB


def test_the_tightest_of_nested_groups_counts(tmp_path: Path) -> None:
    root = system(
        tmp_path,
        {
            "proc/self/cgroup": "0::/batch/job",
            "sys/fs/cgroup/batch/job/cpu.max": "400000 100000",
            "sys/fs/cgroup/batch/cpu.max": "50000 100000",
            "sys/fs/cgroup/batch/job/memory.max": str(2 * GIB),
            "sys/fs/cgroup/batch/job/memory.current": str(GIB // 4),
            "sys/fs/cgroup/batch/memory.max": str(8 * GIB),
            "sys/fs/cgroup/batch/memory.current": str(7 * GIB),
        },
    )
    assert cpu_quota(root) == 0.5
    assert memory_limit(root) == 2 * GIB
    assert memory_left(root) == GIB  # the group around it has less left


def test_version_1(tmp_path: Path) -> None:
    root = system(
        tmp_path,
        {
            "proc/self/cgroup": "5:memory:/docker/abc\n4:cpu,cpuacct:/docker/abc\n1:name=systemd:/x",
            "sys/fs/cgroup/cpu/docker/abc/cpu.cfs_quota_us": "250000",
            "sys/fs/cgroup/cpu/docker/abc/cpu.cfs_period_us": "100000",
            "sys/fs/cgroup/cpu/cpu.cfs_quota_us": "-1",
            "sys/fs/cgroup/cpu/cpu.cfs_period_us": "100000",
            "sys/fs/cgroup/memory/docker/abc/memory.limit_in_bytes": str(GIB),
            "sys/fs/cgroup/memory/docker/abc/memory.usage_in_bytes": str(GIB),
            "sys/fs/cgroup/memory/docker/abc/memory.stat": f"total_inactive_file {GIB // 8}",
            "sys/fs/cgroup/memory/memory.limit_in_bytes": "9223372036854771712",  # how version 1 writes "none"
        },
    )
    assert cpu_quota(root) == 2.5
    assert memory_limit(root) == GIB
    assert memory_left(root) == GIB // 8


@pytest.mark.parametrize("text", ["", "max", "0 100000", "100000 0", "many 100000", "100000"])
def test_a_quota_that_says_nothing(tmp_path: Path, text: str) -> None:
    assert cpu_quota(system(tmp_path, {"sys/fs/cgroup/cpu.max": text})) is None


def test_more_memory_in_use_than_allowed_leaves_none(tmp_path: Path) -> None:
    files = {"sys/fs/cgroup/memory.max": "1000", "sys/fs/cgroup/memory.current": "1200"}
    assert memory_left(system(tmp_path, files)) == 0


def test_what_cannot_be_read_is_empty(tmp_path: Path) -> None:
    assert read(tmp_path) == read(tmp_path / "missing") == ""
