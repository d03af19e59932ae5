"""Where a lake store stands: a folder of this machine, or a prefix in a bucket."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import unquote

from metaxy_core.errors import InvalidSetting, NotAStore, StoreUnreachable
from metaxy_core.errors.base import shown
from metaxy_core.store.backends.addresses import checked_path

if TYPE_CHECKING:
    from obstore.store import ObjectStore

_REMOTE: Final = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+://")
_WITH_PASSWORD: Final = re.compile(r"(?<=://)[^/@]*@")


@dataclass(frozen=True)
class Place:
    """The root of a store.

    Attributes:
        address: for messages; without secrets.
        url: the root as libraries take it, without a slash at its end.
        path: the folder; None where it is in a bucket.
        options: how to reach it; the values may be secrets.
    """

    address: str
    url: str
    path: Path | None
    options: Mapping[str, str] = field(default_factory=dict, repr=False)

    @classmethod
    def from_address(cls, address: str | Path, options: Mapping[str, str] | None) -> Place:
        """The place of an address.

        Raises:
            StoreUnreachable: the address names no place.
            InvalidSetting: an option is no text.
        """
        options = dict(options or {})
        for name, value in options.items():
            if not isinstance(name, str) or not isinstance(value, str):
                raise InvalidSetting(
                    f"storage_options has {shown(name)} that is no text; give texts, such as "
                    f"{{'AWS_REGION': 'eu-central-1'}}."
                )
        text = str(address)
        if text.startswith("file://"):
            text = unquote(text.removeprefix("file://"))
        if not _REMOTE.match(text):
            path = checked_path(text)
            return cls(text, str(path), path, options)
        url = text.split("?", maxsplit=1)[0].rstrip("/")
        if _WITH_PASSWORD.search(url):
            raise StoreUnreachable(
                f"The store {shown(_WITH_PASSWORD.sub('...@', url))} has credentials in its "
                f"address; give them in storage_options."
            )
        return cls(url, url, None, options)

    def is_absent(self) -> bool:
        """Whether it is a folder that is not there."""
        return self.path is not None and not self.path.exists() and not self.path.is_symlink()

    def objects(self, *, writing: bool) -> ObjectStore:
        """The objects under it.

        Raises:
            NotAStore: a file stands there.
            StoreUnreachable: the library cannot make sense of the address and options.
        """
        from obstore.exceptions import BaseError
        from obstore.store import LocalStore, from_url

        if self.path is not None:
            if self.path.exists() and not self.path.is_dir():
                raise NotAStore(
                    f"{self.address!r} is a file; give the folder of a store, or of one that does "
                    f"not exist yet."
                )
            return LocalStore(self.path, mkdir=writing)
        try:
            config: Any = {name.lower(): value for name, value in self.options.items()}
            plain = config.pop("aws_allow_http", config.pop("allow_http", "false"))
            return from_url(
                self.url, config=config, client_options={"allow_http": plain.lower() == "true"}
            )
        except (BaseError, ValueError):
            raise StoreUnreachable(
                f"The store {self.address!r} cannot be opened with the storage_options "
                f"{', '.join(self.options) or '(none)'}; correct its address or them."
            ) from None  # what the library says may hold a secret
