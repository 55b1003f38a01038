"""One listing of folders: what is hidden, linked, or not used."""

import os
from pathlib import Path

from fundus_plugins.photographs.folders import list_folder, structure_of_folder, unused_pictures, walk_files


def touch(root, *names):
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).touch()


def test_links_are_followed_once_and_broken_ones_listed(tmp_path):
    root, other = tmp_path / "root", tmp_path / "other"
    touch(root, "a/1.jpg", ".hidden/2.jpg", "a/._1.jpg", "a/~$s.xlsx")
    touch(other, "3.jpg")
    os.symlink(root, root / "a" / "loop")
    os.symlink(root / "b", root / "a" / "before b")  # the real folder's name counts, for it may be a split's
    touch(root, "b/4.jpg")
    os.symlink(other, root / "linked")
    os.symlink(other, root / "linked again")
    os.symlink(tmp_path / "nowhere", root / "broken.jpg")
    assert walk_files(root) == [
        Path("a/1.jpg"),
        Path("b/4.jpg"),
        Path("broken.jpg"),
        Path("linked/3.jpg"),
    ]


def test_every_unused_folder_is_listed(tmp_path):
    files = [Path(x) for x in ("a/1.jpg", "a/2.JPG", "b/3.tif", "b/4.heic", "c/notes.txt", "5.png")]
    found = unused_pictures(tmp_path, files, files[:1], "folder a")
    assert [(x.kind, x.file, x.found) for x in found] == [
        ("unused folder", tmp_path, "1 picture"),
        ("unused folder", tmp_path / "a", "1 picture"),
        ("unused folder", tmp_path / "b", "1 picture"),
        ("unread kind of file", tmp_path / "b", "1 file .heic"),
    ]
    assert not unused_pictures(tmp_path, files, files, "")


def test_photographs_of_a_folder(tmp_path):
    touch(tmp_path, "b.TIFF", "a.webp", "._a.webp", "c.txt", "d/e.jpg")
    assert [x.name for x in list_folder(tmp_path)] == ["a.webp", "b.TIFF"]


def test_structures_by_folder():
    assert [structure_of_folder(x) for x in ("OD", "Optic-Cup", "disc_masks", "masks")] == ["disc", "cup", "disc", None]
