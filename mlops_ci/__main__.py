"""`python -m mlops_ci` is the command `mlops-ci`."""

import sys

from mlops_ci.cli.main import main

sys.exit(main())
