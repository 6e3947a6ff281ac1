# SPDX-License-Identifier: GPL-2.0-or-later
"""The confined side of a `reader.Reader`: answers its questions with librpm."""

import contextlib
import os
from collections.abc import Set as AbstractSet
from pathlib import Path

from ..confined.confinement import MEMORY
from ..confined.wire import Channel, Closed
from ..errors import ToyError, UnusableDatabase
from ..headers.header import Header, HeaderFile
from ..headers.package import Package, PackageFile
from ..headers.stamp import Stamp
from . import alter, parse
from .rpmdb import Database


def serve(channel: Channel, headers: int, problem: ToyError | None) -> None:
    """Answer questions in a confined process, until the other end closes; each with `problem`, if there is one.

    `headers` is a pipe, for header files to import.
    """
    questions = _Questions(headers)
    if problem is not None:
        os.close(headers)  # so that whoever writes to it does not wait for a reader
    with contextlib.suppress(Closed):
        while True:
            what, *arguments = channel.receive()
            try:
                if problem is not None:
                    raise problem
                answer: tuple[object, ...] = ("answer", getattr(questions, what)(*arguments))
            except ToyError as error:
                answer = ("unusable" if isinstance(error, UnusableDatabase) else "error", error.what, error.next_step)
            except MemoryError:
                what = f"rpm ran out of memory (toy gives it {MEMORY >> 20} MiB) while it read {questions.about}"
                answer = ("unusable", what, "see how much is free: free -m")
            channel.send(answer)


class _Questions:
    """The questions: one method each, which returns what a message can hold."""

    def __init__(self, headers: int) -> None:
        self._stack = contextlib.ExitStack()
        self._headers = headers
        self.about = "a header"
        """What is read, for an error."""

    def open(self, path: str) -> None:
        self._stack.close()
        self.about = f"the rpm database in {path}"
        self._database = self._stack.enter_context(Database.open(Path(path)))

    def erase(self, path: str, numbers: list[int]) -> None:
        self._stack.close()
        alter.erase(Path(path), numbers)

    def import_headers(self, path: str) -> str:
        self._stack.close()
        return alter.import_headers(Path(path), self._headers)

    @staticmethod
    def package(blob: bytes, file: str) -> Package:
        return parse.package(blob, file=file)

    @staticmethod
    def paths_below(blob: bytes, directory: str, file: str) -> AbstractSet[str]:
        return parse.paths_below(blob, directory, file=file)

    @staticmethod
    def with_file_states(blob: bytes, states: list[tuple[str, int]], file: str) -> Header:
        return parse.with_file_states(blob, dict(states), file=file)

    def packages(self) -> list[tuple[str, list[int]]]:
        return list(self._database.packages().items())

    def stamp(self) -> Stamp:
        return self._database.stamp()

    def headers(self, numbers: list[int]) -> list[Header]:
        return list(self._database.headers(numbers))

    def files(self, numbers: list[int]) -> list[tuple[HeaderFile, int]]:
        return list(self._database.files(numbers).items())

    def is_owned(self, path: str) -> bool:
        return self._database.is_owned(path)

    def owners(self, path: str) -> list[Package]:
        return [parse.package(owner.blob) for owner in self._database.owners(path)]

    def outline(self, numbers: list[int]) -> tuple[AbstractSet[str], list[tuple[str, str]]]:
        folders: set[str] = set()
        links: list[tuple[str, str]] = []
        for found in self._database.headers(numbers):
            folders |= parse.folders(found.blob)
            links += parse.links(found.blob).items()
        return folders, links

    def files_in(self, numbers: list[int], folders: list[str]) -> list[PackageFile]:
        wanted = set(folders)
        around = (found.blob for found in self._database.headers(numbers) if wanted & parse.folders(found.blob))
        files = (file for blob in around for file in parse.package(blob).files)
        return [file for file in files if os.path.dirname(file.path) in wanted]

    def paths_beginning(self, numbers: list[int], prefixes: list[str]) -> list[str]:
        blobs = (found.blob for found in self._database.headers(numbers))
        return [path for blob in blobs for path in parse.paths_beginning(blob, tuple(prefixes))]

    def has_below(self, directory: str) -> bool:
        return self._database.has_below(directory)

    def broken_by(self, erase: list[int], install: list[bytes]) -> list[str]:
        return self._database.broken_by(erase=erase, install=install)

    def broken_among(self, numbers: list[int]) -> list[str]:
        return self._database.broken_among(numbers)
