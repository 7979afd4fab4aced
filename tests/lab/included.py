"""The pages of `--data pages=plat_02a,plat_01`, in that order, included as in platform.py: locked ones verify."""

from pyinfra import local
from pyinfra.context import host

from deploys.kit import page

with page.included():
    for name in host.data.get("pages").split(","):
        local.include(f"deploys/{name}.py")
