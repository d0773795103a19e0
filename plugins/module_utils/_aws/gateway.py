# SPDX-License-Identifier: BSD-2-Clause
# Copyright: Contributors to the crossregion.s3_dr project
"""The only door to AWS's configuration: observe addresses, carry out steps. Nothing else changes anything.

This module util is PRIVATE to the collection.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import TypeVar

from .._core.kinds import canonical
from .._core.model import UNSEEN, Address, Document, Step
from .._core.plan import waves
from . import (
    access_point_rows,
    alarm_rows,
    cloudtrail_rows,
    dashboard_rows,
    event_rows,
    fact_rows,
    iam_rows,
    key_rows,
    lambda_rows,
    option_rows,
    s3_rows,
    states_rows,
    systems_manager_rows,
)
from .deletion import NotDeleted
from .row import MOST_AT_ONCE, Client, ClientFor, Row, Running
from .sdk_errors import DENIED, NO_ANSWER, THROTTLED, ClientError, ResponseParserError, error_code, in_short

ROWS: dict[str, Row] = {
    **s3_rows.ROWS,
    **iam_rows.ROWS,
    **key_rows.ROWS,
    **cloudtrail_rows.ROWS,
    **alarm_rows.ROWS,
    **event_rows.ROWS,
    **dashboard_rows.ROWS,
    **systems_manager_rows.ROWS,
    **access_point_rows.ROWS,
    **lambda_rows.ROWS,
    **states_rows.ROWS,
    **fact_rows.ROWS,
    **option_rows.ROWS,
}

T = TypeVar("T")
W = TypeVar("W")

_THREADS = 32
_EVENTUAL_SECONDS = 120.0
"""AWS's own tools give versioning, new buckets and new policies about two minutes to be seen everywhere."""
_FIRST_PAUSE_SECONDS = 0.5
_LONGEST_PAUSE_SECONDS = 5.0


class AwsFailure(Exception):
    """One call failed for good. The message names the thing, the cause and the next step."""


class Gateway:
    """Reads and changes the documents of AWS through the clients it is given."""

    def __init__(
        self,
        client_for: ClientFor,
        sleep: Callable[[float], None] = time.sleep,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._client_for = client_for
        self._sleep = sleep
        self._clock = clock
        self._turns: dict[tuple[str, str, str], float] = {}
        self._taking_turns = threading.Lock()
        self.done: list[Step] = []
        """The steps carried out so far, so that a failure can say what is done and what is not."""
        self.seen: set[Address] = set()
        """The addresses that were read back as they were written."""
        self.kept: list[NotDeleted] = []
        """What S3 kept of the buckets whose contents were to be deleted."""
        self.running = Running()
        """What the steps that take long tell meanwhile."""

    def observe(self, addresses: Iterable[Address], optional: Iterable[Address] = ()) -> dict[Address, Document | None]:
        """Read all documents at the same time, over all Regions. None stands for a document that does not exist.

        Args:
            optional: documents that the credentials need not be allowed to read; where they are not, the one field
                `Unseen` says why.

        Raises:
            AwsFailure: one of the other reads was refused, or a read could not be made.
        """
        allowed_to_fail = dict.fromkeys(optional)
        wanted = list(dict.fromkeys([*addresses, *allowed_to_fail]))
        self._make_clients(wanted)
        batches = _batches(wanted, allowed_to_fail)
        found: dict[Address, Document | None] = {}
        for documents in _at_the_same_time(lambda batch: self._read_batch(batch, allowed_to_fail), batches):
            found |= documents
        return {address: found[address] for address in wanted}

    def carry_out(self, steps: Iterable[Step]) -> None:
        """Carry the steps out in their order; those that do not depend on each other at the same time.

        Raises:
            AwsFailure: a step failed; the steps of later waves were not begun.
        """
        steps = list(steps)
        self._make_clients([step.address for step in steps])
        with ThreadPoolExecutor(max_workers=_THREADS) as pool:
            try:
                for wave in waves(steps):
                    for running in [pool.submit(self._carry_out_chain, chain) for chain in wave]:
                        running.result()
            except AwsFailure:
                raise  # what goes on beside it may come to its end
            except BaseException:  # a signal
                self.running.stopped.set()
                raise

    def _make_clients(self, addresses: list[Address]) -> None:
        """Make the clients one after the other, since boto3's sessions are not safe to share between threads."""
        for address in addresses:
            self._client(address)

    def _client(self, address: Address) -> Client:
        return self._client_for(ROWS[address.kind].service, address.region, address.account)

    def _read_batch(
        self, batch: Sequence[Address], allowed_to_fail: Collection[Address]
    ) -> dict[Address, Document | None]:
        first = batch[0]
        read_many = ROWS[first.kind].read_many
        if read_many is None:
            return {first: self._read(first, first in allowed_to_fail)}
        found = self._asked(first, lambda: read_many(self._client(first), batch), first in allowed_to_fail)
        documents = found if isinstance(found, list) else [found] * len(batch)
        return dict(zip(batch, documents, strict=True))

    def _read(self, address: Address, optional: bool = False) -> Document | None:
        row = ROWS[address.kind]
        return self._asked(address, lambda: row.read(self._client(address), address), optional)

    def _asked(self, address: Address, read: Callable[[], T], optional: bool) -> T | Document | None:
        row = ROWS[address.kind]
        try:
            return self._patiently(read, lambda error: error_code(error) in THROTTLED)
        except ClientError as error:
            if error_code(error) in row.missing:
                return None
            if optional and error_code(error) in DENIED:
                return {UNSEEN: f"these credentials may not read it: {row.permissions['read']} is missing"}
            raise AwsFailure(_explain(address, "read", row, error)) from error
        except NO_ANSWER as error:
            raise AwsFailure(_explain_connection(address, error)) from error

    def _patiently(self, call: Callable[[], T], passing: Callable[[ClientError], bool]) -> T:
        """Make a call; begin again while AWS gives an answer that passes by itself, as long as the budget lasts."""
        started, tries, pause = self._clock(), 1, _FIRST_PAUSE_SECONDS
        while True:
            try:
                return call()
            except ClientError as error:
                waited = self._clock() - started
                if not passing(error):
                    raise
                if waited + pause > _EVENTUAL_SECONDS:
                    tried = f"This answer usually passes by itself; it came {tries} times in {waited:.0f} s"
                    error.response["Error"]["Message"] = f"{_message(error)} {tried}"
                    raise
            self._sleep(pause)
            tries, pause = tries + 1, min(2 * pause, _LONGEST_PAUSE_SECONDS)

    def _carry_out_chain(self, chain: list[Step]) -> None:
        for step in chain:
            self._carry_out_step(step)
            self.done.append(step)

    def _carry_out_step(self, step: Step) -> None:
        row = ROWS[step.address.kind]
        verb = "remove" if step.after is None else "write"
        if row.shared:
            self._check_unchanged(step)
        try:
            self._until_settled(step, row)
        except ClientError as error:
            raise AwsFailure(_explain(step.address, verb, row, error)) from error
        except NotDeleted as error:
            self.kept.append(error)
            raise AwsFailure(f"{step.address}: {error}") from error
        except NO_ANSWER as error:
            raise AwsFailure(_explain_connection(step.address, error)) from error

    def _check_unchanged(self, step: Step) -> None:
        """Look once more before others' part is written again as it was when the plan was made."""
        kind, there = step.address.kind, self._read(step.address)
        if step.before is None and there is not None and ROWS[kind].is_new(there):
            return
        if canonical(kind, there) not in (canonical(kind, step.before), canonical(kind, step.after)):
            raise AwsFailure(
                f"{step.address}: somebody changed it while this task ran, and writing it now would undo that. "
                "Run again."
            )

    def _until_settled(self, step: Step, row: Row) -> None:
        """Carry the step out; begin again while AWS gives an answer that is documented as passing."""
        gone = row.missing if step.after is None else frozenset[str]()
        try:
            self._patiently(
                lambda: self._call(step, row), lambda error: error_code(error) not in gone and _is_eventual(row, error)
            )
        except ClientError as error:
            if error_code(error) not in gone:
                raise  # else it is gone already, which is all that was wanted
        if row.seen_later and step.after is not None:
            self._until_seen(step)

    def _until_seen(self, step: Step) -> None:
        """Wait until AWS reads back what was written; after the budget the next step's answer says what is wrong."""
        kind, deadline, pause = step.address.kind, self._clock() + _EVENTUAL_SECONDS, _FIRST_PAUSE_SECONDS
        while canonical(kind, self._read(step.address)) != canonical(kind, step.after):
            if self._clock() > deadline:
                return
            self._sleep(pause)
            pause = min(2 * pause, _LONGEST_PAUSE_SECONDS)
        self.seen.add(step.address)

    def _wait_for_turn(self, address: Address, per_second: float) -> None:
        """Keep below AWS's rate: what is refused costs more time than what waits, and may be refused for good."""
        place = (address.kind, address.region, address.account)
        with self._taking_turns:
            turn = max(self._clock(), self._turns.get(place, 0.0))
            self._turns[place] = turn + 1 / per_second
            pause = turn - self._clock()
        if pause > 0:
            self._sleep(pause)

    def _call(self, step: Step, row: Row) -> None:
        client = self._client(step.address)
        if row.writes_per_second:
            self._wait_for_turn(step.address, row.writes_per_second)
        if step.after is not None:
            row.write(client, step.address, step.before, step.after)
        elif step.before is not None and row.remove_at_length is not None:
            row.remove_at_length(client, step.address, self.running)
        elif step.before is not None:
            row.remove(client, step.address, step.before)


def _batches(wanted: Iterable[Address], optional: Collection[Address]) -> list[list[Address]]:
    """The addresses that are read by one call each, those of a kind and Region together where its row can.

    What may fail and what may not are never read together, since a refusal is of the whole call.
    """
    batches: list[list[Address]] = []
    filling: dict[tuple[str, str, str, bool], list[Address]] = {}
    for address in wanted:
        place = (address.kind, address.region, address.account, address in optional)
        batch = filling.get(place)
        if ROWS[address.kind].read_many is None or batch is None or len(batch) == MOST_AT_ONCE:
            batch = filling[place] = []
            batches.append(batch)
        batch.append(address)
    return batches


def _at_the_same_time(read: Callable[[W], T], wanted: Iterable[W]) -> list[T]:
    """What is read of each, in their order.

    A signal or a failure ends it at once. No thread is waited for then, not even when Python exits, as it does for
    those of a pool: a call to a Region that is down takes minutes to fail.
    """
    jobs: list[tuple[W, Future[T]]] = [(one, Future()) for one in wanted]
    waiting = deque(jobs)
    try:
        for _number in range(min(len(jobs), _THREADS)):
            threading.Thread(target=_read_waiting, args=(read, waiting), name="observe", daemon=True).start()
        return [found.result() for _one, found in jobs]
    finally:
        waiting.clear()


def _read_waiting(read: Callable[[W], T], waiting: deque[tuple[W, Future[T]]]) -> None:
    while True:
        try:
            one, found = waiting.popleft()
        except IndexError:  # nothing is left
            return
        try:
            found.set_result(read(one))
        except BaseException as error:  # whatever it is: who waits must hear of it
            found.set_exception(error)


@contextmanager
def asking(what: str, permission: str) -> Iterator[None]:
    """Around a reading call outside the table of kinds: its errors become an AwsFailure that names `what`."""
    try:
        yield
    except ClientError as error:
        code = error_code(error)
        said = f"{what}: AWS refused {error.operation_name} ({code}: {_message(error)})."
        if code in DENIED:
            next_step = f"Allow {permission} to the credentials that this task uses, then run again."
        elif code in THROTTLED:
            next_step = "This answer usually passes by itself. Run again."
        else:
            next_step = f"Correct what the message names, then run again. Needs {permission}."
        raise AwsFailure(f"{said} {next_step}") from error
    except NO_ANSWER as error:
        raise AwsFailure(f"{what}: {explain_connection(error)}") from error


def _message(error: ClientError) -> str:
    return str(error.response["Error"].get("Message", ""))


def _is_eventual(row: Row, error: ClientError) -> bool:
    code, message = error_code(error), _message(error)
    return code in THROTTLED or any(eventual.matches(code, message) for eventual in row.eventual)


def _explain(address: Address, verb: str, row: Row, error: ClientError) -> str:
    return f"{address}: AWS refused {error.operation_name} ({error_code(error)}: {_message(error)}). " + _next_step(
        address, verb, row, error
    )


def _next_step(address: Address, verb: str, row: Row, error: ClientError) -> str:
    code = error_code(error)
    permission = row.permissions[verb]
    if code in DENIED:
        return _next_step_when_denied(address, permission)
    if code in ("BucketAlreadyExists",):
        return f"The bucket name '{address.name}' belongs to another account. Choose another name."
    if code in ("301", "PermanentRedirect", "AuthorizationHeaderMalformed", "IllegalLocationConstraintException"):
        return f"The bucket '{address.name}' is not in {address.region}. Correct the `region` of this end."
    if code in ("InvalidAccessKeyId", "SignatureDoesNotMatch", "ExpiredToken", "InvalidClientTokenId"):
        return "Renew the AWS credentials that this task uses, then run again."
    if code == "DeleteConflict":
        return "Somebody attached more policies to this role. Detach them, then run again."
    return f"Correct what the message names, then run again; what is already done stays done. Needs {permission}."


def _next_step_when_denied(address: Address, permission: str) -> str:
    if address.kind.startswith("bucket"):
        return (
            f"Either the bucket '{address.name}' belongs to another account than {address.account}: then choose "
            f"another name. Or these credentials lack {permission} on it: then allow that."
        )
    return f"Allow {permission} to the credentials that this task uses in account {address.account}."


def _explain_connection(address: Address, error: Exception) -> str:
    return f"{address}: {explain_connection(error)}"


def explain_connection(error: Exception) -> str:
    """One of NO_ANSWER as cause and next step: no credentials, an endpoint out of reach, an answer that broke off."""
    kind = type(error).__name__
    if isinstance(error, ResponseParserError):
        return (
            f"the answer broke off or is none that AWS documents ({in_short(error)}). Run again; if it stays, see what "
            "stands between here and AWS: a proxy, or the store behind AWS_ENDPOINT_URL."
        )
    if kind in ("NoCredentialsError", "PartialCredentialsError", "CredentialRetrievalError", "ProfileNotFound"):
        return (
            f"there are no usable AWS credentials ({error}). Set AWS_PROFILE or AWS_ACCESS_KEY_ID and "
            "AWS_SECRET_ACCESS_KEY, or the options `profile` or `access_key` and `secret_key`, then run again."
        )
    if kind in ("EndpointConnectionError", "ConnectTimeoutError", "ReadTimeoutError", "ConnectionClosedError"):
        return (
            f"AWS cannot be reached ({error}). Check the network, the Region's name and AWS_ENDPOINT_URL, "
            "then run again."
        )
    return f"the AWS SDK gave up ({kind}: {error}). Correct what it names, then run again."
