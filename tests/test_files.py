"""Files appear whole or not at all."""

import pytest

from fundus_plugins.files import FolderLock, atomic_write


def test_error_leaves_the_old_file_and_no_other(tmp_path):
    path = tmp_path / "table.csv"
    with atomic_write(path) as file:
        file.write("old")
    with pytest.raises(RuntimeError), atomic_write(path) as file:
        file.write("half of the new")
        raise RuntimeError
    assert path.read_text() == "old" and list(tmp_path.iterdir()) == [path]
    with atomic_write(tmp_path / "new" / "picture.png", "wb") as file:
        file.write(b"123")
    assert (tmp_path / "new" / "picture.png").read_bytes() == b"123"
    assert path.stat().st_mode & 0o044


def test_a_lock_that_is_removed_lets_the_next_one_in(tmp_path):
    first = FolderLock(tmp_path)
    with pytest.raises(ValueError, match="another run is writing"):
        FolderLock(tmp_path)
    first.remove()
    assert list(tmp_path.iterdir()) == []
    with FolderLock(tmp_path) as second:
        assert second.path.exists()
    FolderLock(tmp_path).release()
