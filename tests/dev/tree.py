# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: Contributors to the crossregion.s3_dr project
"""Keep `.cache/tree/ansible_collections/crossregion/s3_dr` equal to the checkout.

ansible-test, and imports as `ansible_collections.crossregion.s3_dr`, need a folder of that name, and a link to the
checkout will not do. The copy holds the files that git has or would add, and amazon.aws stands beside it.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

from paths import DEV_VENV, HOME, ROOT, TREE, alone, collection_in

# A link in here leads back to the checkout, so that playbooks find the collection in it. In the tree it would recurse.
LEFT_OUT = ".collections/"


def main(top: Path = TREE) -> None:
    """Make the tree below `top` as the checkout is."""
    manifest, collection = top / "files", collection_in(top)
    with alone(top.name):
        files = listed(ROOT)
        synchronize(ROOT, collection, files, copied_before(manifest, collection))
        manifest.write_text("\n".join(sorted(files)), encoding="utf-8")
        make_repository(collection)
        link_dependency(top)


def listed(root: Path) -> set[str]:
    """Return the files of a checkout: those in git and new ones, without the ignored and the deleted."""
    command = ["git", "-C", str(root), "ls-files", "--cached", "--others", "--exclude-standard", "-z"]
    names = subprocess.run(command, check=True, capture_output=True, text=True).stdout.split("\0")
    return {name for name in names if name and not name.startswith(LEFT_OUT) and os.path.lexists(root / name)}


def copied_before(manifest: Path, collection: Path) -> set[str]:
    if manifest.is_file():
        return set(manifest.read_text(encoding="utf-8").splitlines())
    shutil.rmtree(collection, ignore_errors=True)
    return set()


def synchronize(source: Path, target: Path, files: set[str], before: set[str]) -> None:
    """Copy what changed and remove what is gone. What tools left in the target, such as test results, stays."""
    for name in before - files:
        remove(target, target / name)
    for name in files:
        if not same(source / name, target / name):
            copy(source / name, target / name)


def same(one: Path, other: Path) -> bool:
    if not os.path.lexists(other) or one.is_symlink() != other.is_symlink():
        return False
    if one.is_symlink():
        return one.readlink() == other.readlink()
    a, b = one.stat(), other.stat()
    return (a.st_size, a.st_mtime_ns, a.st_mode) == (b.st_size, b.st_mtime_ns, b.st_mode)


def copy(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    target.unlink(missing_ok=True)
    shutil.copy2(source, target, follow_symlinks=False)


def remove(top: Path, path: Path) -> None:
    """Remove a file, and the folders that are empty without it."""
    path.unlink(missing_ok=True)
    folder = path.parent
    while folder != top and not (folder.is_dir() and any(folder.iterdir())):
        if folder.is_dir():
            folder.rmdir()
        folder = folder.parent


def make_repository(collection: Path) -> None:
    """Make ansible-test ask git for the files to test. Without a commit it takes all that .gitignore does not name."""
    if not (collection / ".git").is_dir():
        env = os.environ | {"HOME": str(HOME)}
        subprocess.run(["git", "init", "--quiet", str(collection)], check=True, capture_output=True, env=env)


def link_dependency(top: Path) -> None:
    (installed,) = DEV_VENV.glob("lib/python*/site-packages/ansible_collections/amazon/aws")
    link = top / "ansible_collections" / "amazon" / "aws"
    if link.is_symlink() and link.resolve() == installed:
        return
    link.parent.mkdir(parents=True, exist_ok=True)
    link.unlink(missing_ok=True)
    link.symlink_to(os.path.relpath(installed, link.parent))


if __name__ == "__main__":
    main()
