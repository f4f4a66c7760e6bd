"""What is bundled of npm packages: fetched by a lock file once, made into a few files, and kept in the cache under its digest."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from peeklock.stack.errors import StackError, setup_failed, unwritable
from peeklock.stack.progress import Progress
from peeklock.stack.project.cache import cache_dir, locked
from peeklock.supervision.client import SupervisorClient


@dataclass(frozen=True, slots=True)
class NpmBundle:
    """What `bundle.mjs` in a folder with a `package.json` and its lock makes."""

    name: str
    """For people, and of its folder in the cache in lower case."""
    source: Path
    more: Sequence[Path] = ()
    """Further files of which it is made."""
    without: Sequence[str] = ()
    """Kinds of packages that it does not need, such as `dev`."""

    @property
    def home(self) -> Path:
        """Where all of its versions are."""
        return cache_dir() / self.name.lower()

    @property
    def folder(self) -> Path:
        """Where it is, once it is made."""
        digest = hashlib.sha256()
        for path in (*(self.source / name for name in ("package.json", "package-lock.json", "bundle.mjs")), *self.more):
            digest.update(path.read_bytes())
        return self.home / digest.hexdigest()[:16]

    def made(self, node: Path, npm: Sequence[str], progress: Progress) -> Path:
        """Return its folder; make it on first need (about 20 s, needs the npm registry). Raises `StackError`."""
        folder = self.folder
        if not folder.exists():
            with locked(self.home / "build.lock"):
                if not folder.exists():
                    self._make(folder, node, npm, progress)
        return folder

    def _make(self, folder: Path, node: Path, npm: Sequence[str], progress: Progress) -> None:
        progress(f"fetching {self.name} from npm (once, about 20 s)")
        work = Path(tempfile.mktemp(prefix="build-", dir=self.home))  # noqa: S306  made right below, in a folder of our own
        supervisor = SupervisorClient.start()
        try:
            supervisor.call("register", path=str(work))
            work.mkdir()
            for name in ("package.json", "package-lock.json"):
                shutil.copy(self.source / name, work / name)
            env = {**os.environ, "PATH": f"{node.parent}{os.pathsep}{os.environ.get('PATH', '')}"}
            options = [
                "--ignore-scripts",
                "--no-audit",
                "--no-fund",
                "--no-progress",
                "--fetch-retries=1",
                "--fetch-retry-mintimeout=500",
                "--fetch-retry-maxtimeout=2000",
                "--loglevel=error",
                *(f"--omit={kind}" for kind in self.without),
            ]
            code, log = supervisor.run("npm", [*npm, "ci", *options], env, work)
            if code != 0:
                if any(
                    re.search(r"E(NOTFOUND|AI_AGAIN|CONNREFUSED|CONNRESET|TIMEDOUT|NETUNREACH)|network|CERT", text)
                    for text in log
                ):
                    raise self._registry_unreachable(log[-12:])
                raise setup_failed(
                    f"fetching {self.name} with npm", log[-12:], "read npm's lines; then `peeklock setup`"
                )
            progress(f"bundling {self.name}")
            out = work / "out"
            code, log = supervisor.run(
                "bundle", [str(node), str(self.source / "bundle.mjs"), str(work), str(out)], env, work
            )
            if code != 0:
                raise setup_failed(f"bundling {self.name}", log[-12:], "read esbuild's lines; then `peeklock setup`")
            out.rename(folder)
        except OSError as error:
            raise unwritable(error.filename or work, error) from error
        finally:
            supervisor.shutdown()

    def _registry_unreachable(self, log: Sequence[str]) -> StackError:
        return StackError(
            f"the {self.name} bundle is not there yet, and the npm registry that would bring it cannot be reached",
            expected="one download, the first time; later runs need no network",
            checked=["the cache of Peeklock", "the npm registry that your npm configuration names"],
            fix=(
                "go online (or set `registry`, `proxy`, `cafile` in your .npmrc) and run `peeklock setup`; "
                "or copy the cache folder of a machine that has it and point PEEKLOCK_CACHE there"
            ),
            log=log,
        )
