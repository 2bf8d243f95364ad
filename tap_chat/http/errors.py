"""The errors of requests that fail. Their texts are sentences without secrets."""

from __future__ import annotations


class RequestError(Exception):
    """A request failed for good.

    Args:
        sentence: A sentence that names the stream and the request.
        remedy: What to do about it, as a sentence.
    """

    def __init__(self, sentence: str, remedy: str = "") -> None:
        super().__init__(f"{sentence} {remedy}".rstrip())


class ForbiddenError(RequestError):
    """The API does not allow a request: the credential may not read this, or the plan lacks it."""


class RefusedError(Exception):
    """A request was over the server's rate limit. This is not a failure: the request is sent again.

    Args:
        sentence: As for `RequestError`.
        remedy: What to do if it is not sent again.
    """

    def __init__(self, sentence: str, remedy: str = "") -> None:
        super().__init__(sentence)
        self.remedy = remedy


class RenewedError(RefusedError):
    """The credential of a request was not accepted any more. The request is sent with another."""


class TransientError(Exception):
    """A request failed, and may succeed later.

    Args:
        sentence: As for `RequestError`.
        remedy: What to do if it fails for too long.
        retry_after: Seconds that the server asked to wait, or None.

    Attributes:
        seconds: The time from the request to its failure.
    """

    def __init__(self, sentence: str, remedy: str = "", retry_after: float | None = None) -> None:
        super().__init__(sentence)
        self.remedy = remedy
        self.retry_after = retry_after
        self.seconds = 0.0


class IncompleteResponseError(TransientError):
    """A response is incomplete: a retry may succeed, or the response is too large."""


class MissingError(Exception):
    """A status says that the requested object does not exist.

    Args:
        status: The HTTP status.
        predicate: What the server did, as the predicate of a sentence.
    """

    def __init__(self, status: int, predicate: str) -> None:
        super().__init__(predicate)
        self.status = status
        self.predicate = predicate


class IgnoredError(Exception):
    """A response means that there are no records, as a declaration says.

    Args:
        status: The status with its name, such as `404 Not Found`.
    """

    def __init__(self, status: str) -> None:
        super().__init__(status)
        self.status = status
