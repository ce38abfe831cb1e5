"""What a process holds, page by page."""

import mmap
from pathlib import Path

from netwright.run.memory import mapped_bytes, resident_bytes


def test_pages_of_a_mapped_file_count_once_they_are_touched(tmp_path: Path) -> None:
    path = tmp_path / "weights with a space.bin"
    path.write_bytes(bytes(1 << 20))
    assert mapped_bytes(str(path)) == 0
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, prot=mmap.PROT_READ) as mapped:
        assert sum(mapped[::4096]) == 0
        assert mapped_bytes(str(path)) == 1 << 20
        assert resident_bytes() > 1 << 20
    assert mapped_bytes(str(path)) == 0
