"""The client of a Bitrix24 portal: Bitrix24's own SDK with this project's waits, and errors that say what to do.

What is read of a portal is the work of bitrix24.py.
"""

import logging
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from time import sleep
from typing import Any
from urllib.parse import urlsplit

from retention.sources.entity import SourceError

log = logging.getLogger(__name__)

# Waits between attempts, in seconds. Being told to slow down is normal and worth twelve minutes (an operation limit is
# lifted after ten); a server that is not there is not.
SLOW_DOWN_WAITS = (0.5, 1, 2, 4, 8, 16, 32, *[60] * 11)
UNREACHABLE_WAITS = (0.5, 1, 2, 4)
SLOW_DOWN_CODES = {"QUERY_LIMIT_EXCEEDED", "OPERATION_TIME_LIMIT", "OVERLOAD_LIMIT"}
SERVER_ERROR_CODES = {"INTERNAL_SERVER_ERROR", "ERROR_UNEXPECTED_ANSWER"}
REFUSAL_CODES = {"EXPIRED_TOKEN", "INVALID_TOKEN", "INVALID_CREDENTIALS", "NO_AUTH_FOUND", "ACCESS_DENIED"}
TIMEOUT_SECONDS = 120


def open_portal(url: str) -> Any:
    """The SDK's webhook client, with this project's waits.

    The SDK writes https:// in front of every portal (an own test portal has http), gives up on a limit after a few
    seconds, and only logs when a part of a batch failed, which would lose rows in silence. All its list functions go
    through `call_method`, so that is the one place to change.
    """
    from b24pysdk import errors
    from b24pysdk.api.callers import call
    from b24pysdk.credentials import BitrixWebhook

    parts = urlsplit(url)
    token = re.fullmatch(r"/rest/(\d+/[^/]+)/?", parts.path)
    if parts.scheme not in ("http", "https") or not parts.netloc or not token:
        raise SourceError("bitrix24: RETENTION_BITRIX24_URL must look like https://<portal>/rest/<user>/<code>/")
    base = f"{parts.scheme}://{parts.netloc}/rest/{token.group(1)}"
    if parts.hostname in ("127.0.0.1", "localhost"):
        # The SDK's requests go through the machine's proxy, which cannot reach a portal on loopback.
        os.environ["NO_PROXY"] = ",".join(filter(None, (os.environ.get("NO_PROXY"), parts.hostname)))

    class Portal(BitrixWebhook):
        def call_method(self, api_method: str, params: Any = None, **_: Any) -> Any:
            slow_down, unreachable = iter(SLOW_DOWN_WAITS), iter(UNREACHABLE_WAITS)
            while True:
                try:
                    # One attempt of the SDK each: the waits are counted here.
                    answer = call(f"{base}/{api_method}.json", params=params, timeout=TIMEOUT_SECONDS, max_retries=1)
                except errors.BitrixSDKException as error:
                    failure = error
                else:
                    failed = answer["result"].get("result_error") if api_method == "batch" else None
                    if not failed:
                        return answer
                    failure = PartOfBatchFailed(failed)
                wait = None
                if _is_slow_down(failure):
                    wait = next(slow_down, None)
                elif _is_unreachable(failure):
                    wait = next(unreachable, None)
                if wait is None:
                    raise failure
                log.debug("%s: %s; again in %s s", api_method, type(failure).__name__, wait)
                sleep(wait)

    return Portal(domain=parts.netloc, webhook_token=token.group(1))


class PartOfBatchFailed(RuntimeError):
    """Commands of a batch failed while the batch itself was answered with 200. `codes`: the error of each."""

    def __init__(self, failed: Any) -> None:
        parts = list(failed.values() if isinstance(failed, dict) else failed)
        self.codes = {str(part.get("error", part) if isinstance(part, dict) else part).upper() for part in parts}
        first = parts[0] if isinstance(parts[0], dict) else {"error": parts[0]}
        super().__init__(f"{first.get('error')} {first.get('error_description', '')}".strip())


def _is_slow_down(failure: Exception) -> bool:
    """Whether the portal, or a gateway in front of it, says that it is asked too much."""
    from b24pysdk import errors

    if isinstance(failure, PartOfBatchFailed):
        return failure.codes <= SLOW_DOWN_CODES
    if isinstance(failure, errors.BitrixAPIServiceUnavailable | errors.BitrixAPITooManyRequests):
        return True  # by its code, whatever the status
    return isinstance(failure, errors.BitrixResponseError) and failure.response.status_code in (429, 503)


def _is_unreachable(failure: Exception) -> bool:
    """Whether the portal did not answer, or something in front of it did: a page of a gateway or of maintenance."""
    from b24pysdk import errors

    if isinstance(failure, PartOfBatchFailed):
        return failure.codes <= SLOW_DOWN_CODES | SERVER_ERROR_CODES
    if isinstance(failure, errors.BitrixResponseError):
        status = failure.response.status_code
        return status >= 500 or (status == 200 and isinstance(failure, errors.BitrixResponseJSONDecodeError))
    return isinstance(failure, errors.BitrixRequestError)


@contextmanager
def told_apart(label: str) -> Iterator[None]:
    """Turn an error of the SDK into one that says what to do, without the webhook's code in it."""
    from b24pysdk import errors

    try:
        yield
    except (errors.BitrixAPIUnauthorized, errors.BitrixAPIForbidden, PartOfBatchFailed) as error:
        if isinstance(error, PartOfBatchFailed) and not error.codes & REFUSAL_CODES:
            raise SourceError(f"{label}: {_scrub(str(error))}") from None
        raise SourceError(
            f"{label}: the portal refuses the webhook: {_scrub(str(error)).rstrip('.')}. Check that the webhook in "
            f"RETENTION_BITRIX24_URL still exists and has the rights crm, user and department."
        ) from None
    except errors.BitrixRequestError as error:
        raise SourceError(
            f"{label}: the portal does not answer: {_scrub(str(error)).rstrip('.')}. Check RETENTION_BITRIX24_URL."
        ) from None
    except errors.BitrixResponseJSONDecodeError as error:
        raise SourceError(
            f"{label}: {error.response.status_code} and a page that is no answer of the interface came instead of one, "
            f"from the portal or from something in front of it. Check RETENTION_BITRIX24_URL, and load again later."
        ) from None
    except errors.BitrixAPIError as error:
        raise SourceError(f"{label}: the portal answers {error.error}: {_scrub(str(error))}") from None
    except errors.BitrixSDKException as error:
        raise SourceError(f"{label}: {_scrub(str(error))}") from None


def _scrub(message: str) -> str:
    """Take the secret part of webhook addresses out of a message."""
    return re.sub(r"(/rest/)\d+/[^/\s'\"]+", r"\1***/***", message)[:600]
