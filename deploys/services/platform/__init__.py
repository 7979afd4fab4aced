"""What every service stands on: folders, the network they meet on, the target that starts them."""

from typing import Final

from deploys.kit.plan.entry import GROUPS
from deploys.kit.plan.service import Service

PLATFORM: Final[Service[None]] = Service("platform", GROUPS, ("podman",))
