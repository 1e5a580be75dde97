"""What kubectl's words about a failure mean: whose fault it is, and what to do about it."""

from __future__ import annotations

import re

from mlops_ci.errors import ConfigurationError, MlopsError, OutsideError

# A cluster, or the way to it, that is weak for a moment.
PASSING = re.compile(
    r"connection refused|was refused|connection reset|unexpected EOF|: EOF|i/o timeout|TLS handshake timeout"
    r"|context deadline exceeded|Client\.Timeout|http2: (client|server)|no such host|no route to host"
    r"|network is unreachable|broken pipe|server closed"
    r"|\(InternalError\)|\(ServiceUnavailable\)|\(Timeout\)|\(ServerTimeout\)|\(TooManyRequests\)"
    r"|\(Expired\)|too old resource version|\(Conflict\): Operation cannot be fulfilled|currently unable to handle"
    r"|too many requests|an error on the server|unable to connect to the server|couldn't get current server API group",
    re.IGNORECASE,
)
_LOGGED = re.compile(r"[EWIF]\d{4} [\d:.]+ ")
"""How a line of the program's own log begins, which says the same over and over."""
_KNOWN: tuple[tuple[str, type[MlopsError], str, str], ...] = (
    (
        r"namespaces? \"(?P<it>[^\"]+)\" not found",
        ConfigurationError, "the cluster has no namespace {it}", "let the platform team make it, or name another one",
    ),
    (
        r"no matches for kind \"(?P<it>[^\"]+)\"|doesn't have a resource type \"(?P<it2>[^\"]+)\"",
        ConfigurationError, "the cluster does not know the kind {it}",
        "install what brings it (for HTTPRoute: the Gateway API, version 1), or leave it out of the overlay",
    ),
    (
        r"must be logged in|Unauthorized|provide credentials|getting credentials|invalid configuration: .*auth",
        ConfigurationError, "the cluster does not accept our credentials", "sign in again: KUBECONFIG says as whom",
    ),
    (
        r"forbidden|\(Forbidden\)",
        ConfigurationError, "the cluster does not let us do this",
        "bind the role of infra/kubernetes/platform/environment/deployer.yaml, or see what the namespace allows",
    ),
    (
        r"context \"(?P<it>[^\"]*)\" does not exist|context was not found for specified context: (?P<it2>\S+)",
        ConfigurationError, "kubectl knows no context {it}", "see `kubectl config get-contexts`",
    ),
    (
        r"localhost:8080|no configuration has been provided",
        ConfigurationError, "kubectl has not been told of a cluster", "set KUBECONFIG",
    ),
    (
        r"is invalid|ValidationError|strict decoding error|unknown field|BadRequest|is immutable|admission webhook",
        ConfigurationError, "the cluster refuses what the overlay makes", "correct the overlay",
    ),
)  # fmt: skip


def named(doing: str, stderr: str) -> MlopsError:
    """The error that a person can act upon; `doing` says what was tried."""
    told = [line for line in stderr.splitlines() if not _LOGGED.match(line)]
    words = " ".join(" ".join(told or stderr.splitlines()).split())
    for pattern, kind, what, fix in _KNOWN:
        found = re.search(pattern, stderr)
        if found:
            it = next((value for value in found.groupdict().values() if value), "")
            return kind(f"{doing}: {what.format(it=it)}: {words}", fix=fix)
    fix = "see whether the cluster can be reached, then run the command again" if PASSING.search(stderr) else ""
    return OutsideError(f"{doing}: {words or 'kubectl said nothing'}", fix=fix)
