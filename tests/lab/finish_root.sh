#!/bin/sh
# Last step in making the hosts' root file system: what no package does. $1 is the root.
set -eu
chmod 0440 "$1/etc/sudoers.d/operator"
# Debian has the group already.
chroot "$1" useradd --create-home --gid operator --shell /bin/bash operator
chroot "$1" systemctl --quiet enable systemd-networkd ssh
# A container loads no kernel modules, and the failed unit would look like a fault of ours.
chroot "$1" systemctl --quiet mask systemd-modules-load
# Upgrades in the background would hold apt's lock at times that no test chose. The timers run, as on a real host, but
# their hour never comes. Not in /etc, where drift would find a file that no page made.
for timer in apt-daily apt-daily-upgrade; do
    mkdir -p "$1/usr/lib/systemd/system/$timer.timer.d"
    printf '[Timer]\nOnCalendar=\nOnCalendar=2099-01-01\nPersistent=no\n' >"$1/usr/lib/systemd/system/$timer.timer.d/lab.conf"
done
# These generators look for disks and consoles, which a container lacks, and would run at every reload.
rm "$1"/usr/lib/systemd/system-generators/systemd-*
# On btrfs systemd would make these volumes of their own, which a copy of the disk does not take along.
mkdir -p "$1/var/lib/machines" "$1/var/lib/portables"
# Each host gets its own.
rm -f "$1"/etc/ssh/ssh_host_*_key* "$1/etc/machine-id" "$1/etc/hostname" "$1/etc/resolv.conf"
