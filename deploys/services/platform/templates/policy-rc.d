#!/bin/sh
# {{ page }} owns this file. Packages ask it before they start or restart a service: not while updates are installed by
# themselves, as nobody watches then. `host-updates due` says what has to be restarted.
[ -z "${{ '{' }}{{ gate }}:-}" ] || exit 101
exit 0
