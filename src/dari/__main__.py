"""`python -m dari` is the command `dari`."""

import sys

from dari.cli.main import main

sys.exit(main())
