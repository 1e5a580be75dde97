"""The store behind its URL: a folder of this machine, S3 and what speaks like it, Azure Blob, Google Cloud Storage."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import SplitResult, unquote, urlsplit

from mlops_ci.adapters.local_store import LocalStore
from mlops_ci.core.layout import checked_path
from mlops_ci.errors import ConfigurationError, MlopsError, NotFoundError, OutsideError
from mlops_ci.ports import Entry

if TYPE_CHECKING:
    from obstore.store import ObjectStore as RawStore

    from mlops_ci.ports import KeptStore

_SCHEMES = "a path, file://, s3://bucket/prefix, az://container/prefix or gs://bucket/prefix"
_CREDENTIALS = {
    "s3": "give credentials that may get, put and list objects (AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, and for "
    "temporary ones AWS_SESSION_TOKEN; or run where a role provides them) and the bucket's AWS_REGION",
    "az": "set AZURE_STORAGE_ACCOUNT_NAME and credentials that may read, create and list blobs there: "
    "AZURE_STORAGE_ACCOUNT_KEY, or AZURE_STORAGE_SAS_TOKEN, or AZURE_CLIENT_ID, AZURE_TENANT_ID and a secret or token",
    "gs": "give credentials that may get, create and list objects there: GOOGLE_APPLICATION_CREDENTIALS or "
    "GOOGLE_SERVICE_ACCOUNT, or run where a service account provides them",
    "memory": "",
}
_VARIABLES = {
    "s3": "AWS_ACCESS_KEY_ID AWS_SECRET_ACCESS_KEY AWS_SESSION_TOKEN AWS_REGION AWS_DEFAULT_REGION AWS_ENDPOINT_URL "
    "AWS_ENDPOINT_URL_S3 AWS_ROLE_ARN AWS_ROLE_SESSION_NAME AWS_WEB_IDENTITY_TOKEN_FILE AWS_ENDPOINT_URL_STS",
    "az": "AZURE_STORAGE_ACCOUNT_NAME AZURE_STORAGE_ACCOUNT_KEY AZURE_STORAGE_SAS_TOKEN AZURE_STORAGE_ENDPOINT "
    "AZURE_CLIENT_ID AZURE_TENANT_ID AZURE_CLIENT_SECRET AZURE_FEDERATED_TOKEN_FILE",
    "gs": "GOOGLE_APPLICATION_CREDENTIALS GOOGLE_SERVICE_ACCOUNT GOOGLE_SERVICE_ACCOUNT_KEY GOOGLE_OAUTH_ACCESS_TOKEN",
    "memory": "",
}
_NO_BUCKET = ("NoSuchBucket", "ContainerNotFound", "specified bucket does not exist")
_SECRET_KEY = re.compile(r"key|secret|token|password|sas|signature|credential", re.IGNORECASE)


def open_store(url: str, *, options: Mapping[str, str] | None = None) -> KeptStore:
    """The store at `url`; nothing is read or written yet. `memory://` is an empty one that ends with this process.

    `options` are the services' environment variables by their names, of which those that do not concern this store
    are left aside, and the library's own settings in small letters (`endpoint`, `region`, `access_key_id` ...).
    What they leave open the library takes from the process's environment or from the machine's role.
    Raises ConfigurationError for a URL or a setting that cannot be.
    """
    if "://" not in url:
        if not url.strip() or "\0" in url:
            raise ConfigurationError("the store's URL is empty", fix=f"give {_SCHEMES}")
        return LocalStore(Path(url).absolute())
    parts = _split(url)
    if parts.scheme == "file":
        return LocalStore(Path(unquote(parts.path)))
    return RemoteStore(parts.scheme, parts.netloc, parts.path.strip("/"), dict(options or {}))


def _split(url: str) -> SplitResult:
    """The URL's parts. A refused URL is not repeated beyond its scheme: people put credentials into URLs."""
    scheme = url.partition("://")[0][:20]
    try:
        parts = urlsplit(url)
    except ValueError:
        raise ConfigurationError(f"the store's URL {scheme}://... cannot be read", fix=f"give {_SCHEMES}") from None
    if parts.scheme not in {"file", *_CREDENTIALS}:
        raise ConfigurationError(f"there is no store of the kind {scheme}://", fix=f"give {_SCHEMES}")
    if "@" in parts.netloc or parts.query or parts.fragment:
        raise ConfigurationError(
            f"the store's URL {scheme}://... holds more than a place (a user, a query or a fragment)",
            fix="give the place only; credentials belong into the service's environment variables",
        )
    if parts.scheme == "file":
        if parts.netloc not in {"", "localhost"} or not parts.path:
            raise ConfigurationError("a file:// URL names a folder of this machine", fix="write file:///path/to/store")
    elif parts.scheme != "memory":
        if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{1,254}", parts.netloc):
            raise ConfigurationError(f"{scheme}://{parts.netloc} names no bucket", fix=f"give {_SCHEMES}")
        if parts.path.strip("/"):
            checked_path(parts.path.strip("/"))
    return parts


class RemoteStore:
    """A `KeptStore` in a bucket or container of a service, below a prefix; or in memory."""

    def __init__(self, scheme: str, bucket: str, prefix: str, options: Mapping[str, str]) -> None:
        self._scheme = scheme
        self._bucket = bucket
        self._secrets = [value for key, value in options.items() if _SECRET_KEY.search(key) and len(value) > 3]
        self._url = f"{scheme}://{bucket}/{prefix}".rstrip("/") if bucket else "memory://"
        settings = _settings(scheme, options)
        with self._failures("open the store", opening=True):
            self._raw = _raw_store(scheme, bucket, prefix, settings)

    @property
    def url(self) -> str:
        return self._url

    def get(self, path: str) -> bytes:
        import obstore

        checked_path(path)
        with self._failures(f"read {path}"):
            try:
                return bytes(obstore.get(self._raw, path).bytes())
            except FileNotFoundError as error:
                if self._bucket_is_missing(error):
                    raise
        raise NotFoundError(f"there is no {path} in the store", where=self.url)

    def create(self, path: str, data: bytes) -> bool:
        import obstore
        from obstore.exceptions import AlreadyExistsError

        checked_path(path)
        with self._failures(f"write {path}"):
            try:
                obstore.put(self._raw, path, data, mode="create", use_multipart=False)
            except AlreadyExistsError:
                return False
        return True

    def list(self, prefix: str) -> list[str]:
        import obstore

        with self._failures(f"list {prefix}"):
            chunks = obstore.list(self._raw, checked_path(prefix) if prefix else None, chunk_size=1000)
            return [entry["path"] for chunk in chunks for entry in chunk]

    def folders(self, prefix: str) -> Sequence[str]:
        import obstore

        with self._failures(f"list {prefix}"):
            found = obstore.list_with_delimiter(self._raw, checked_path(prefix) if prefix else None)
            return sorted(path.rpartition("/")[2] for path in found["common_prefixes"])

    def entries(self, prefix: str) -> Iterator[Entry]:
        import obstore

        with self._failures(f"list {prefix}"):
            for chunk in obstore.list(self._raw, checked_path(prefix) if prefix else None, chunk_size=1000):
                for found in chunk:
                    yield Entry(path=found["path"], size=found["size"], modified=found["last_modified"])

    def delete(self, path: str) -> None:
        import obstore

        checked_path(path)
        with self._failures(f"delete {path}"):
            try:
                obstore.delete(self._raw, path)
            except FileNotFoundError as error:
                if self._bucket_is_missing(error):
                    raise

    def _bucket_is_missing(self, error: Exception) -> bool:
        return self._scheme != "memory" and any(mark in str(error) for mark in _NO_BUCKET)

    @contextmanager
    def _failures(self, verb: str, *, opening: bool = False) -> Iterator[None]:
        """Everything that the library raises becomes an error of ours, without its trace: that may hold credentials."""
        from obstore.exceptions import BaseError

        try:
            yield
        except MlopsError:
            raise
        except (BaseError, ValueError, OSError) as error:
            raise self._named(verb, error, opening=opening) from None
        except BaseException as error:
            if type(error).__name__ != "PanicException":  # the library's own defects; no subclass of Exception
                raise
            raise self._named(verb, error, opening=opening) from None

    def _named(self, verb: str, error: BaseException, *, opening: bool) -> MlopsError:
        from obstore.exceptions import PermissionDeniedError, UnauthenticatedError, UnknownConfigurationKeyError

        reason = summary(str(error), self._secrets)
        what = f"cannot {verb}: {reason}"
        if isinstance(error, FileNotFoundError) or any(mark in str(error) for mark in _NO_BUCKET):
            fix = "correct the URL (MLOPS_STORE or --store), or create it first"
            kind = "container" if self._scheme == "az" else "bucket"
            return ConfigurationError(f"there is no {kind} {self._bucket}", where=self.url, fix=fix)
        if isinstance(error, PermissionDeniedError | UnauthenticatedError) or _lacks_credentials(str(error)):
            return OutsideError(what, where=self.url, fix=_CREDENTIALS[self._scheme])
        if isinstance(error, UnknownConfigurationKeyError):
            return ConfigurationError(what, where=self.url, fix="remove the option, or correct its name")
        if opening:
            return ConfigurationError(what, where=self.url, fix=_CREDENTIALS[self._scheme])
        return OutsideError(what, where=self.url, fix="see that the service can be reached from here, and try again")


def summary(text: str, secrets: list[str]) -> str:
    """The library's message in one line, without its debugging part, queries of URLs, XML answers and known secrets.

    >>> summary("Server returned 403: <Error><Code>AccessDenied</Code><Key>k</Key></Error>", [])
    'Server returned 403: AccessDenied'
    """
    text = text.partition("\n\nDebug source")[0]
    head, mark, answer = text.partition("<")
    said = re.findall(r"<(?:Code|Message)>([^<]*)", mark + answer)
    text = " ".join(f"{head} {' '.join(said)}".split())
    text = re.sub(r"(https?://[^\s?]*)\?\S*", r"\1", text)
    for secret in secrets:
        text = text.replace(secret, "***")
    return text if len(text) <= 400 else f"{text[:400]} ..."


def _lacks_credentials(text: str) -> bool:
    """Without credentials the library asks the cloud's metadata service, which nobody has heard of who is not there."""
    return "169.254.169.254" in text or "metadata.google.internal" in text


def _settings(scheme: str, options: Mapping[str, str]) -> dict[str, str]:
    known = _VARIABLES[scheme].split()
    settings = {key: value for key, value in options.items() if value and (key in known or not key.isupper())}
    for key, value in settings.items():
        if "endpoint" in key.lower():  # the library panics over some of what is no URL
            parts = urlsplit(value)
            if parts.scheme not in {"http", "https"} or not parts.hostname or "@" in parts.netloc:
                raise ConfigurationError(f"{key} is no http:// or https:// URL", fix="write https://host:port")
    return settings


def _raw_store(scheme: str, bucket: str, prefix: str, config: dict[str, str]) -> RawStore:
    from obstore.store import AzureStore, GCSStore, MemoryStore, S3Store

    settings: dict[str, Any] = {
        "prefix": prefix or None,
        "config": config,
        # An http:// endpoint is only ever there because somebody wrote it down. The time-out is for one whole request,
        # and a model is put in one request (create-only and multipart exclude each other).
        "client_options": {"allow_http": True, "timeout": timedelta(minutes=10)},
        "retry_config": {"max_retries": 6, "retry_timeout": timedelta(minutes=1)},
    }
    if scheme == "s3":
        # S3 compares it with what it got, and takes no put without one into a bucket with object lock.
        config.setdefault("checksum_algorithm", "SHA256")
        return S3Store(bucket, **settings)
    if scheme == "az":
        return AzureStore(bucket, **settings)
    if scheme == "gs":
        # The library knows no identity of another provider: whoever signed in by one, as jobs in CI do, has a token.
        token = config.pop("GOOGLE_OAUTH_ACCESS_TOKEN", "")
        if token:
            settings["credential_provider"] = lambda: {"token": token, "expires_at": None}
        return GCSStore(bucket, **settings)
    return MemoryStore()
