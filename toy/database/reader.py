# SPDX-License-Identifier: GPL-2.0-or-later
"""Reads databases and headers that root in an overlay may have made, by asking a confined process.

An answer has the right types (`answers`), but what it says is what the overlay says of itself. The questions are the
methods of `questions._Questions`.
"""

import contextlib
import fcntl
import functools
import os
import signal
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from pathlib import Path
from typing import Any, Self, TypeVar

from .. import process
from ..confined import confinement
from ..confined.confinement import Place
from ..confined.wire import Channel, Closed, Late
from ..errors import ToyError, UnusableDatabase, made_anew
from ..headers.header import Header, HeaderFile
from ..headers.package import Outline, Package, PackageFile
from ..headers.stamp import Stamp
from . import alter, answers, questions, rpmdb

_PATIENCE = 60
"""Seconds to wait for an answer; each is about few packages."""

_CPU = 600
"""Seconds of CPU time for all answers together, and for an import: 10,000 headers take 22 s."""

_LONGEST_IMPORT = 3600
"""Seconds by the clock for an import."""

_Value = TypeVar("_Value")


class Reader:
    """A confined process that answers questions. The first one starts it; as a context, it is killed at the end."""

    def __init__(self, place: Place = Place()) -> None:  # noqa: B008, a value
        self._place = place
        self.pid: int | None = None
        """The number of the process, while there is one."""
        self._opened: str | None = None
        self._headers: int | None = None
        """A pipe to write header files to that are to be imported."""
        self._ahead: list[list[object]] = []
        """Questions that were asked ahead, with answers that have not been received yet."""
        self._answers: list[tuple[list[object], Any]] = []
        """Questions that were asked ahead, with answers that were received, but that nobody took yet."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def begin(self) -> None:
        """Start the process before the first question: it copies the database meanwhile."""
        if self.pid is not None:
            return
        (there_in, here_out), (here_in, there_out) = os.pipe(), os.pipe()
        theirs = Channel(there_in, there_out)
        self._channel = Channel(here_in, here_out)
        headers, self._headers = os.pipe()
        action = functools.partial(questions.serve, theirs, headers)
        # A process that writes may be at work for long, but at most for an hour: nobody in it can change that limit.
        seconds = 0 if self._place.writable is None else _LONGEST_IMPORT
        fds = (*theirs.fds, headers)
        try:
            self.pid = confinement.start(action, self._place, fds=fds, cpu_seconds=_CPU, seconds=seconds)
        except OSError:
            self._close()
            raise
        finally:
            os.close(headers)
            theirs.close()
        if self._opened is not None:  # in an earlier process, which has ended
            self._exchange(["open", self._opened])

    def stop(self) -> None:
        """Kill the process. The next question starts another one."""
        if self.pid is not None:
            os.kill(self.pid, signal.SIGKILL)
            os.waitpid(self.pid, 0)
            self.pid = None
            self._close()

    def _close(self) -> None:
        self._channel.close()
        self._end_headers()
        self._ahead = []
        self._answers = []

    def ask(self, what: str, *arguments: object, seconds: int | None = None) -> Any:
        """Return the answer to a question: a method of `questions._Questions`, with its arguments.

        Raises the ToyError that the method raises, and ToyError if the process dies, or takes longer than `seconds`,
        by default `_PATIENCE`.
        """
        seconds = _PATIENCE if seconds is None else seconds
        with self._alive(seconds):
            self.begin()
            kind, *answer = self._exchange([what, *arguments], seconds)
        if kind == "answer":
            return answer[0] if answer else None
        problem, next_step = map(str, [*answer, "", ""][:2])
        raise (UnusableDatabase if kind == "unusable" else ToyError)(problem, next_step)

    def ask_ahead(self, what: str, *arguments: object) -> None:
        """Send a question; `ask` with the same question returns the answer later. Raises ToyError as that does."""
        with self._alive(_PATIENCE):
            self.begin()
            self._channel.send([what, *arguments], seconds=_PATIENCE)
        self._ahead.append([what, *arguments])

    @contextlib.contextmanager
    def _alive(self, seconds: int) -> Iterator[None]:
        """Stop the process and raise ToyError if it dies, takes too long, or sends nonsense in the context."""
        try:
            yield
        except (Closed, Late, ArithmeticError, LookupError, TypeError, ValueError) as error:
            self.stop()
            why = f"did not get done in {seconds} s" if isinstance(error, Late) else "crashed"
            doing = "reading" if self._place.writable is None else "making"
            raise ToyError(f"rpm {why}, {doing} {self._about}", self._next_step) from None

    @property
    def _about(self) -> str:
        """What the process is at work on, for an error."""
        path = self._place.writable or self._place.shown
        return f"the rpm database in {path}" if path else "a header of the overlay's"

    @property
    def _next_step(self) -> str:
        """What to do if the process fails at its work."""
        if self._place.writable is not None:
            return f"see if there is space and memory: df -h {os.path.dirname(self._place.writable)}; free -m"
        if self._place.shown is not None:
            return made_anew(self._place.shown, also=", and if rpm fails again, see ulimit -a")
        return "report it as a bug of toy, unless a limit is too low: ulimit -a"

    def typed(self, convert: Callable[[Any], _Value], value: Any) -> _Value:
        """Return an answer as `convert` makes a value of it. Raises UnusableDatabase if it has other types."""
        try:
            return convert(value)
        except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError):
            raise UnusableDatabase(f"rpm sent a malformed answer about {self._about}", self._next_step) from None

    def _exchange(self, question: list[object], seconds: int = _PATIENCE) -> Any:
        while self._ahead:
            self._answers.append((self._ahead.pop(0), self._channel.receive(seconds=seconds)))
            if self._answers[-1][0] == question:
                break
        for index, (asked, answer) in enumerate(self._answers):
            if asked == question:
                del self._answers[index]
                return answer
        self._channel.send(question, seconds=_PATIENCE)
        return self._channel.receive(seconds=seconds)

    def package(self, blob: bytes, *, file: str = "") -> Package:
        """Do what `parse.package` does."""
        return self.typed(answers.to_package, self.ask("package", blob, file))

    def with_file_states(self, blob: bytes, states: Mapping[str, int], *, file: str = "") -> Header:
        """Do what `parse.with_file_states` does."""
        return self.typed(answers.to_header, self.ask("with_file_states", blob, list(states.items()), file))

    def paths_below(self, blob: bytes, directory: str, *, file: str = "") -> AbstractSet[str]:
        """Do what `parse.paths_below` does."""
        return self.typed(answers.to_paths, self.ask("paths_below", blob, directory, file))

    def open(self, path: Path) -> "ForeignDatabase":
        """Open the database in a directory that the process has. Raises ToyError as `Database.open` does."""
        self._opened = None
        self.ask("open", os.fspath(path))
        self._opened = os.fspath(path)
        return ForeignDatabase(path, self)

    def erase(self, path: Path, numbers: Iterable[int]) -> None:
        """Do what `alter.erase` does."""
        self._opened = None
        self.ask("erase", os.fspath(path), sorted(numbers))

    def begin_import(self, path: Path, contents: Iterable[bytes]) -> None:
        """Begin to import the contents of few header files. A process can import only once."""
        blob = b"".join(contents)
        self._ask_for_import(path)
        assert self._headers is not None
        with contextlib.suppress(OSError):
            fcntl.fcntl(self._headers, fcntl.F_SETPIPE_SZ, len(blob))  # so that to write does not mean to wait for rpm
        self._feed([blob])

    def has_imported(self, path: Path) -> bool:
        """Wait for the end of an import that was begun, and say whether rpm succeeded."""
        with contextlib.suppress(ToyError):
            self.ask("import_headers", os.fspath(path), seconds=_LONGEST_IMPORT)
            return True
        return False

    def import_headers(self, path: Path, contents: Iterable[bytes]) -> str:
        """Import header files by their contents, as `alter.import_headers` does. A process can import only once."""
        self._ask_for_import(path)
        self._feed(contents)
        return self.typed(answers.text, self.ask("import_headers", os.fspath(path), seconds=_LONGEST_IMPORT))

    def _ask_for_import(self, path: Path) -> None:
        self._opened = None
        process.trace(alter.import_command(path))
        self.ask_ahead("import_headers", os.fspath(path))

    def _feed(self, contents: Iterable[bytes]) -> None:
        assert self._headers is not None
        try:
            for chunk in contents:
                rest = memoryview(chunk)
                while rest:
                    rest = rest[os.write(self._headers, rest) :]
        except BrokenPipeError:
            pass  # the answer says why
        finally:
            self._end_headers()

    def _end_headers(self) -> None:
        if self._headers is not None:
            os.close(self._headers)
            self._headers = None


class ForeignDatabase:
    """A database that a `Reader` has open; its methods are those of `Database`."""

    def __init__(self, path: Path, reader: Reader) -> None:
        self.path = path
        self.reader = reader

    def packages(self) -> dict[str, list[int]]:
        """Return the hdrNums of each package name."""
        return self.reader.typed(answers.to_packages, self.reader.ask("packages"))

    def stamp(self) -> Stamp:
        """Return the stamp of the database."""
        return self.reader.typed(answers.to_stamp, self.reader.ask("stamp"))

    def headers(self, numbers: Iterable[int]) -> Iterator[Header]:
        """Yield the headers with these hdrNums. Raises ToyError if one cannot be read."""
        for batch in rpmdb.batches(list(numbers)):
            yield from self.reader.typed(answers.to_headers, self.reader.ask("headers", batch))

    def files(self, numbers: Sequence[int]) -> dict[HeaderFile, int]:
        """Return these hdrNums by the file names of their headers."""
        return self.reader.typed(answers.to_files, self.reader.ask("files", numbers))

    def is_owned(self, path: str) -> bool:
        """Say whether a package owns a file."""
        return bool(self.reader.ask("is_owned", path))

    def owners(self, path: str) -> list[Package]:
        """Return the packages that own a file."""
        return [self.reader.typed(answers.to_package, package) for package in self.reader.ask("owners", path)]

    def outline(self, numbers: Sequence[int]) -> Outline:
        """Return where the packages with these hdrNums have files, and links."""
        return self.reader.typed(answers.to_outline, self.reader.ask("outline", numbers))

    def files_in(self, numbers: Sequence[int], folders: AbstractSet[str]) -> list[PackageFile]:
        """Return the files of the packages with these hdrNums that lie in one of these directories."""
        found = self.reader.ask("files_in", numbers, sorted(folders))
        return [self.reader.typed(answers.to_package_file, file) for file in found]

    def paths_beginning(self, numbers: Sequence[int], prefixes: Iterable[str]) -> Iterator[str]:
        """Yield the paths of the packages with these hdrNums that begin with one of these."""
        for batch in rpmdb.batches(numbers):
            yield from self.reader.typed(answers.to_texts, self.reader.ask("paths_beginning", batch, sorted(prefixes)))

    def has_below(self, directory: str) -> bool:
        """Say whether any package has a file in a directory or below it, or the directory itself."""
        return bool(self.reader.ask("has_below", directory))

    def broken_by(self, *, erase: Iterable[int], install: Iterable[bytes]) -> list[str]:
        """Return rpm's dependency problems, one line each, if these hdrNums were erased and these blobs installed."""
        return self._checked("broken_by", list(erase), list(install))

    def broken_among(self, numbers: Sequence[int]) -> list[str]:
        """Return rpm's dependency problems of the packages with these hdrNums, one line each."""
        return self._checked("broken_among", numbers)

    def _checked(self, what: str, *arguments: object) -> list[str]:
        try:
            return self.reader.typed(answers.to_texts, self.reader.ask(what, *arguments))
        except ToyError as error:  # a check that fails is no reason to stop
            return [f"dependencies could not be checked: {error.what}"]
