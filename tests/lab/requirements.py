"""What the machine must have for a lab."""

import os
import shutil

PROGRAMS = "apt-get btrfs ip iptables mkfs.btrfs mmdebstrap openssl setsid ssh ssh-keygen systemd-nspawn".split()


def missing() -> str:
    """What stands in the way, in words; empty when nothing does."""
    if os.geteuid() != 0:
        return "only root can boot a host"
    absent = [program for program in PROGRAMS if not shutil.which(program)]
    return f"this machine has no {', '.join(absent)}" if absent else ""
