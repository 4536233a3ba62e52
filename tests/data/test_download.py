"""The resumable download, against a real HTTP server on this machine."""

from __future__ import annotations

import gzip
import hashlib
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest

from chainrule.data import fetch_mnist, load
from chainrule.data.download import fetch, has_md5
from chainrule.errors import DataError

PLAIN = {
    name: np.random.default_rng(seed).integers(0, 256, 200_000, dtype=np.uint8).tobytes()
    for seed, name in enumerate(["images", "labels"])
}
ZIPPED = {f"{name}.gz": gzip.compress(content, mtime=0) for name, content in PLAIN.items()}
MD5 = {name: hashlib.md5(content).hexdigest() for name, content in PLAIN.items()}


class Mirror(ThreadingHTTPServer):
    """Serves ZIPPED; counts bytes and remembers requests; can break off, refuse ranges or send damaged bytes."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.requests: list[tuple[str, str | None]] = []
        self.break_after: int | None = None
        self.ranges = True
        self.damaged = False
        self.status: int | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/"


class Handler(BaseHTTPRequestHandler):
    server: Mirror

    def do_GET(self) -> None:
        name, wanted = self.path.lstrip("/"), self.headers.get("Range")
        self.server.requests.append((name, wanted))
        if self.server.status is not None or name not in ZIPPED:
            self.send_error(self.server.status or 404)
            return
        content = ZIPPED[name][::-1] if self.server.damaged else ZIPPED[name]
        start = int(wanted.removeprefix("bytes=").rstrip("-")) if wanted and self.server.ranges else 0
        if start >= len(content):
            self.send_error(416)
            return
        self.send_response(206 if start else 200)
        if start:
            self.send_header("Content-Range", f"bytes {start}-{len(content) - 1}/{len(content)}")
        self.send_header("Content-Length", str(len(content) - start))
        self.end_headers()
        end = len(content) if self.server.break_after is None else start + self.server.break_after
        self.wfile.write(content[start:end])

    def log_message(self, format: str, *args: object) -> None:
        """Keep the test's output clean."""


@pytest.fixture
def mirror() -> Iterator[Mirror]:
    server = Mirror()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield server
    server.shutdown()
    server.server_close()
    thread.join()


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()} - {"download.lock"}


def test_files_arrive_whole_and_are_not_fetched_again(tmp_path: Path, mirror: Mirror) -> None:
    seen: list[tuple[str, int, int | None]] = []
    folder = fetch(tmp_path / "new" / "folder", MD5, [mirror.url], lambda *told: seen.append(told))
    for name, content in ZIPPED.items():
        assert (folder / name).read_bytes() == content
    assert names(folder) == set(ZIPPED)
    assert seen[-1] == ("labels.gz", len(ZIPPED["labels.gz"]), len(ZIPPED["labels.gz"]))
    assert [name for name, _ in mirror.requests] == ["images.gz", "labels.gz"]
    fetch(folder, MD5, [mirror.url])
    assert len(mirror.requests) == 2


def test_a_broken_download_is_continued_within_a_call(tmp_path: Path, mirror: Mirror) -> None:
    mirror.break_after = 80_000  # 200,000 bytes take three requests
    fetch(tmp_path, {"images": MD5["images"]}, [mirror.url])
    assert mirror.requests == [("images.gz", None), ("images.gz", "bytes=80000-"), ("images.gz", "bytes=160000-")]
    assert (tmp_path / "images.gz").read_bytes() == ZIPPED["images.gz"]


def test_a_broken_download_is_continued_by_the_next_call(tmp_path: Path, mirror: Mirror) -> None:
    mirror.break_after = 10_000
    with pytest.raises(DataError, match=r"cannot download images\.gz .*the connection ended after 30,000 of"):
        fetch(tmp_path, MD5, [mirror.url])
    assert names(tmp_path) == {"images.gz.part"}
    assert (tmp_path / "images.gz.part").read_bytes() == ZIPPED["images.gz"][:30_000]
    mirror.break_after = None
    fetch(tmp_path, {"images": MD5["images"]}, [mirror.url])
    assert mirror.requests[-1] == ("images.gz", "bytes=30000-")
    assert names(tmp_path) == {"images.gz"}
    assert has_md5(tmp_path / "images.gz", MD5["images"])


def test_a_server_without_ranges_sends_everything_again(tmp_path: Path, mirror: Mirror) -> None:
    mirror.ranges = False
    (tmp_path / "images.gz.part").write_bytes(ZIPPED["images.gz"][:500])
    fetch(tmp_path, {"images": MD5["images"]}, [mirror.url])
    assert (tmp_path / "images.gz").read_bytes() == ZIPPED["images.gz"]


@pytest.mark.parametrize("part", [b"from elsewhere", b"x" * 300_000, ZIPPED["images.gz"]])
def test_a_strange_or_complete_part_file(tmp_path: Path, mirror: Mirror, part: bytes) -> None:
    (tmp_path / "images.gz.part").write_bytes(part)
    fetch(tmp_path, {"images": MD5["images"]}, [mirror.url])
    assert (tmp_path / "images.gz").read_bytes() == ZIPPED["images.gz"]
    assert bool(mirror.requests) == (part != ZIPPED["images.gz"])


def test_damaged_content_never_gets_the_final_name(tmp_path: Path, mirror: Mirror) -> None:
    mirror.damaged = True
    with pytest.raises(DataError, match="wrong checksum"):
        fetch(tmp_path, MD5, [mirror.url])
    assert names(tmp_path) == set()


def test_a_damaged_file_is_replaced(tmp_path: Path, mirror: Mirror) -> None:
    (tmp_path / "images.gz").write_bytes(ZIPPED["images.gz"][:100])
    fetch(tmp_path, {"images": MD5["images"]}, [mirror.url])
    assert (tmp_path / "images.gz").read_bytes() == ZIPPED["images.gz"]


@pytest.mark.parametrize("status", [404, 503])
def test_the_second_mirror_helps_out(tmp_path: Path, mirror: Mirror, status: int) -> None:
    other = Mirror()
    other.status = status
    thread = threading.Thread(target=other.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        fetch(tmp_path, {"images": MD5["images"]}, [other.url, mirror.url])
    finally:
        other.shutdown()
        other.server_close()
        thread.join()
    assert (tmp_path / "images.gz").read_bytes() == ZIPPED["images.gz"]


def test_offline_is_one_line_that_names_the_addresses(tmp_path: Path) -> None:
    closed = Mirror()
    closed.server_close()  # nobody listens here any more
    with pytest.raises(DataError) as caught:
        fetch_mnist(tmp_path, mirrors=[closed.url])
    told = str(caught.value)
    assert closed.url in told
    assert "refused" in told
    assert "\n" not in told


def test_offline_mnist_says_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    closed = Mirror()
    closed.server_close()
    monkeypatch.delenv("CHAINRULE_DATA", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setenv("https_proxy", closed.url)
    monkeypatch.delenv("no_proxy", raising=False)
    with pytest.raises(
        DataError, match=r"MNIST is not at hand: cannot download .*set --data-dir DIR or CHAINRULE_DATA"
    ):
        load("mnist").draw(0)


def test_a_folder_that_cannot_be_written_to(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a folder")
    with pytest.raises(DataError, match="cannot write to"):
        fetch(tmp_path / "file", MD5, [])
