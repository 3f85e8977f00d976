"""Buckets of Amazon S3 and what speaks like it, Google Cloud Storage and Azure Blob Storage."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from datetime import timedelta
from pathlib import PurePosixPath
from typing import Any, BinaryIO, Final

from loader.errors import MdloadError, UnreadableFile
from loader.lazy import dataclass
from loader.read.objects.path import Head, ObjectPath
from loader.read.objects.refusals import NoCredentials, of_store
from loader.read.objects.retries import retries


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of store, as `obstore` and people know it.

    Attributes:
        store: its class.
        credentials: where they are looked for, as a hint.
    """

    store: str
    credentials: str


KINDS: Final = {
    "s3": Kind(
        "S3Store",
        "give credentials as the AWS tools take them: AWS_PROFILE, AWS_ACCESS_KEY_ID and "
        "AWS_SECRET_ACCESS_KEY, or a role of the machine",
    ),
    "gs": Kind(
        "GCSStore",
        "give credentials as the Google tools take them: gcloud auth application-default login, "
        "GOOGLE_APPLICATION_CREDENTIALS, or the machine's service account",
    ),
    "az": Kind(
        "AzureStore",
        "name the account in AZURE_STORAGE_ACCOUNT_NAME, and give AZURE_STORAGE_ACCOUNT_KEY, "
        "AZURE_STORAGE_SAS_KEY, AZURE_USE_AZURE_CLI=true or the machine's identity",
    ),
}

#: What a store does not answer, or answers with its own fault, is not asked again after this.
_GIVEN_UP: Final = timedelta(seconds=60)


class Bucket:
    """One bucket (Azure says container)."""

    def __init__(self, scheme: str, name: str, asked: str) -> None:
        """`asked` is the URL that led here.

        Raises:
            UnreadableFile: the extra `object-store` is not there, or no credentials are.
        """
        self.scheme = scheme
        self.name = name
        self.kind = KINDS[scheme]
        self._opened: Any = None
        with self._asking(asked):
            self._store()

    def __reduce__(self) -> tuple[Any, ...]:
        """For another process, which looks for credentials itself once it asks for an object."""
        return _unopened, (self.scheme, self.name)

    def _store(self) -> Any:
        if self._opened is None:
            self._opened = _store(self.kind, self.name)
        return self._opened

    def url(self, key: str) -> str:
        return f"{self.scheme}://{self.name}/{key}"

    def object(self, key: str) -> ObjectPath:
        """
        Raises:
            NotThere: there is none, or no such bucket.
            UnreadableFile: it may not be seen, or the store cannot be reached.
        """
        return self._path(key, _Object(self, key).head())

    def below(self, folder: str) -> Iterator[ObjectPath]:
        """All objects below `folder`, which is empty or ends with a slash."""
        with self._asking(self.url(folder.rstrip("/"))):
            import obstore  # noqa: PLC0415  # an extra

            for chunk in obstore.list(self._store(), prefix=folder or None):
                for meta in chunk:
                    if not meta["path"].endswith("/") and meta["size"]:  # no "folder" of a browser
                        yield self._path(meta["path"], _head(meta))

    def _path(self, key: str, head: Head) -> ObjectPath:
        url = self.url(key)
        where = PurePosixPath(f"/{self.name}/{key}")
        return ObjectPath(url, where, url, head, _Object(self, key))

    def head(self, key: str) -> Head:
        with self._asking(self.url(key)):
            import obstore  # noqa: PLC0415

            return _head(obstore.head(self._store(), key))

    def fetch(self, key: str, start: int, end: int, tag: str) -> bytes:
        with self._asking(self.url(key)):
            import obstore  # noqa: PLC0415

            options: dict[str, Any] = {"range": (start, end)}
            if tag:
                options["if_match"] = tag
            got = obstore.get(self._store(), key, options=options)  # type: ignore[arg-type]
            return bytes(got.bytes())

    @contextmanager
    def _asking(self, url: str) -> Iterator[None]:
        """
        Raises:
            UnreadableFile: what obstore raises, and Amazon's library about credentials.
        """
        try:
            yield
        except ImportError as exc:
            raise UnreadableFile.of(
                url, "needs the extra object-store", hint="pip install 'mdload[object-store]'"
            ) from exc
        except MdloadError:
            raise
        except Exception as exc:
            raise of_store(exc, url, self.name, self.kind.credentials) from exc


def _unopened(scheme: str, name: str) -> Bucket:
    bucket = Bucket.__new__(Bucket)
    bucket.scheme, bucket.name, bucket.kind, bucket._opened = scheme, name, KINDS[scheme], None
    return bucket


@dataclass(frozen=True, slots=True)
class _Object:
    """One object in a bucket."""

    bucket: Bucket
    key: str

    def head(self) -> Head:
        return self.bucket.head(self.key)

    def fetch(self, start: int, end: int, of: Head) -> bytes:
        return self.bucket.fetch(self.key, start, end, of.tag)

    def whole(self) -> AbstractContextManager[BinaryIO]:
        raise AssertionError("parts of it can be had")


def _store(kind: Kind, name: str) -> Any:
    """The store of a bucket, set up by the variables that its own tools know."""
    from obstore import store  # noqa: PLC0415  # an extra

    again = {"max_retries": retries(), "retry_timeout": _GIVEN_UP}
    given: dict[str, Any] = {"client_options": {"allow_http": True}, "retry_config": again}
    if kind is KINDS["s3"]:
        given |= _amazon()
    return getattr(store, kind.store)(name, **given)


def _amazon() -> dict[str, Any]:
    """Credentials and region by the chain of Amazon's own library: variables, profiles, single
    sign-on, roles. obstore knows variables and the machine's roles only."""
    import boto3  # noqa: PLC0415  # an extra
    from obstore.auth.boto3 import Boto3CredentialProvider  # noqa: PLC0415

    session = boto3.Session()
    given: dict[str, Any] = {"region": session.region_name or "us-east-1"}
    if os.environ.get("AWS_SKIP_SIGNATURE", "").lower() in ("1", "true"):
        return given
    if session.get_credentials() is None:
        raise NoCredentials
    return given | {"credential_provider": Boto3CredentialProvider(session)}


def _head(meta: Any) -> Head:
    modified = int(meta["last_modified"].timestamp() * 1e6) * 1000
    return Head(meta["size"], modified, meta["e_tag"] or "")
