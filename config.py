"""pyinfra's own settings, read at every run."""

from pyinfra import config

# The pages lean on how this series runs callbacks and generators; docs/why.md says where.
config.REQUIRE_PYINFRA_VERSION = "~=3.10"
