"""The pages of PAGES=plat_02a,plat_01, in that order, included as in platform.py: locked ones verify."""

import os

from pyinfra import local

from deploys.kit.run import page

with page.included():
    for name in os.environ["PAGES"].split(","):
        local.include(f"deploys/{name}.py")
