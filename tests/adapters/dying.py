"""Stands in for the child that tries a graph: it dies, hangs or talks nonsense, as its input says."""

import json
import os
import signal
import sys
import time

match sys.stdin.buffer.read()[-4:]:
    case b"kill":
        os.kill(os.getpid(), signal.SIGSEGV)
    case b"hang":
        time.sleep(60)
    case b"exit":
        sys.exit(7)
    case b"talk":
        sys.stdout.write('{"problem": "\\u001b[31mbad\\nworse"}')
    case b"junk":
        sys.stdout.write("[1")
    case b"look":
        sys.stdout.write(json.dumps({"problem": ",".join(sorted(os.environ))}))
