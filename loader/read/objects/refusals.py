"""What a store or a server of the web says instead of giving an object, in one sentence."""

from __future__ import annotations

import re
from typing import Final

from loader.errors import NotThere, SourceLost, Unfinished, UnreadableFile
from loader.lazy import regex
from loader.text import redact


class NoCredentials(Exception):
    """The chain of credentials came to its end."""


#: What obstore says, as a pattern: the rest of a sentence about it, and the next step. The first
#: that fits counts.
_SAID: Final = {
    r"Missing(AccessKeyId|SecretAccessKey|Account|Credential)|token request|"
    r"service account file": (
        "cannot be read: no credentials were found",
        "{credentials}; see docs/object-stores.md",
    ),
    r"NoSuchBucket|ContainerNotFound|list request.*\b404 Not Found": (
        "cannot be read: there is no bucket {bucket}",
        "check its name, and that the endpoint is the one that has it",
    ),
    r"PermanentRedirect|AuthorizationHeaderMalformed|IllegalLocationConstraint|"
    r"without LOCATION|incorrectly configured region": (
        "cannot be read: its bucket is in another region",
        "name the bucket's region in AWS_REGION",
    ),
    r"AccessDenied|InvalidAccessKeyId|SignatureDoesNotMatch|ExpiredToken|InvalidToken|"
    r"AuthenticationFailed|AuthorizationFailure|\b40[13] (?:Forbidden|Unauthorized)": (
        "may not be read: the store says {said}",
        "check which user the credentials belong to and what the bucket allows it: to read "
        "objects, and to list them (without that an absent one is forbidden too)",
    ),
}
_LOST: Final = regex(
    r"error sending request|dns error|timed ?out|connection closed|\b(429|5\d\d) [A-Z]",
    re.IGNORECASE,
)


def of_store(exc: Exception, url: str, bucket: str, credentials: str) -> UnreadableFile:
    """Why there is nothing from `url`, for what `obstore` (or Amazon's library) raised."""
    text = "MissingCredential" if isinstance(exc, NoCredentials) else str(exc)
    for pattern, (what, hint) in _SAID.items():
        if found := re.search(pattern, text):
            words = {"bucket": bucket, "credentials": credentials, "said": found[0]}
            return UnreadableFile.of(url, f"{what.format(**words)}", hint=hint.format(**words))
    if isinstance(exc, FileNotFoundError):
        return not_there(url)
    if type(exc).__name__ == "PreconditionError":
        return replaced(url)
    if _LOST.search(text):
        return lost(url, _first_line(text))
    return UnreadableFile.of(url, f"cannot be read: {_first_line(text)}")


def not_there(url: str) -> NotThere:
    return NotThere.of(url, "does not exist", hint="check the spelling, upper and lower case too")


def replaced(url: str) -> Unfinished:
    return Unfinished.of(
        url,
        "was replaced while it was being read; nothing of it was kept",
        hint="run the same command again",
    )


def lost(url: str, why: str) -> SourceLost:
    return SourceLost.of(
        url,
        f"cannot be reached: {why}",
        hint="check the endpoint and the network, then run the same command again",
    )


def _first_line(text: str) -> str:
    """Without the addresses, times and internals that obstore tells as well."""
    line = text.partition("\n")[0]
    line = re.sub(r"^Generic \w+ error: (Error performing list request: )?", "", line)
    line = re.sub(r"Error performing [A-Z]+ \S+ in [^,\s]+", "", line)
    line = re.sub(r",? *(after \d+ retries), max_retries: \d+, retry_timeout: \S+", r"\1", line)
    return redact(" ".join(line.split()))[:300].strip(" :,-")
