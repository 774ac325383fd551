"""`python -m tensorem` is the console command `tensorem`."""

import sys

from tensorem.cli import main

sys.exit(main())
