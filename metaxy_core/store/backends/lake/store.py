"""Stores in tables of a format: what they share but for the format."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from metaxy_core.store.backends.lake.backend import LakeBackend
from metaxy_core.store.backends.lake.places import Place
from metaxy_core.store.base import MetadataStore

if TYPE_CHECKING:
    from metaxy_core.store.backends.lake.formats import Format


class LakeMetadataStore(MetadataStore):
    """A store in tables of an open format, in a folder or a bucket.

    Several machines may write to it; they take turns. Readers see the newest whole change.

    Args:
        path: the folder, made on first use where it is missing, or the URL of a prefix in a
            bucket, such as ``"s3://bucket/metadata"``.
        read_only: refuse writes.
        lock_timeout: seconds to wait for another writer before ``StoreLocked``.
        storage_options: how to reach a bucket, such as ``{"AWS_REGION": "eu-central-1"}``; no
            value of them is ever printed.
        settings: DuckDB settings, such as ``{"memory_limit": "1GB", "threads": 2}``.
        fallback: a store, or several from the nearest on, whose records are seen below the own
            ones and never written; see ``MetadataStore``.
        hash: algorithm of the versions, ``md5`` or ``xxh64``; None takes what the store has, and
            md5 for a new one.
    """

    def __init__(
        self,
        path: str | Path,
        *,
        read_only: bool = False,
        lock_timeout: float = 60.0,
        storage_options: Mapping[str, str] | None = None,
        settings: Mapping[str, str | int | float | bool] | None = None,
        fallback: MetadataStore | Sequence[MetadataStore] = (),
        hash: str | None = None,  # noqa: A002 - the word for it, as in metaxy.toml
    ) -> None:
        place = Place.from_address(path, storage_options)
        super().__init__(
            LakeBackend(
                place,
                self.format_in(place),
                read_only=read_only,
                lock_timeout=lock_timeout,
                settings=settings or {},
            ),
            fallback=fallback,
            hash=hash,
        )

    @staticmethod
    def format_in(place: Place) -> Format:
        """The format of the tables in a place."""
        raise NotImplementedError
