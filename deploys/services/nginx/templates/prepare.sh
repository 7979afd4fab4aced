# {{ page }} owns this file. Run as root by nginx.service before every start and reload: what the user of nginx may not
# do, in folders where that user cannot leave a link. `start` also records which unit started it.
set -eu
umask 0022  # the unit's own would hide these files from its user
install -d -m 0750 -o root -g motorcade-edge /run/motorcade-nginx
install -m 0440 -o root -g motorcade-edge {{ key }} /run/motorcade-nginx/edge.key
cd /var/log/motorcade/nginx
touch access.log error.log
chown motorcade-edge access.log error.log
cd /run/motorcade-nginx
rm -f loaded.conf  # an existing file would keep its mode, perhaps from another umask
echo "return 200 $(sh /etc/motorcade/nginx/configuration.sh);" >loaded.conf
if [ "${1-}" = start ]; then
    rm -f unit
    echo "$MOTORCADE_UNIT" >unit
    rm -f /run/nginx/nginx.pid  # `nginx -t` as root creates an empty one that its user cannot write
fi
