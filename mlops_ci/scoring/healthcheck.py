"""`python -m mlops_ci.scoring.healthcheck PORT` is 0 where the service at that port of this machine lives, else 1.

It runs every few seconds in each container, so it imports next to nothing.
"""

import socket
import sys

PATIENCE = 2.0
REQUEST = b"GET /v2/health/live HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n"


def lives(port: int) -> bool:
    try:
        with socket.create_connection(("127.0.0.1", port), PATIENCE) as connection:
            connection.sendall(REQUEST)
            return connection.makefile("rb").readline().split(b" ")[1:2] == [b"200"]
    except OSError:
        return False


if __name__ == "__main__":
    sys.exit(0 if lives(int(sys.argv[1])) else 1)
