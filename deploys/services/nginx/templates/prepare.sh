# {{ page }} owns this file. Run as root by nginx.service before every start and reload: what the user of nginx may not
# do, into folders where that user can leave no link. `start` also notes which unit it was started by.
set -eu
umask 0022  # the unit's own would keep its user from what is made here
install -d -m 0750 -o root -g motorcade-edge /run/motorcade-nginx
install -m 0440 -o root -g motorcade-edge {{ key }} /run/motorcade-nginx/edge.key
cd /var/log/motorcade/nginx
touch access.log error.log
chown motorcade-edge access.log error.log
cd /run/motorcade-nginx
rm -f loaded.conf  # what is there would keep its mode, and another umask may have made it
echo "return 200 $(sh /etc/motorcade/nginx/configuration.sh);" >loaded.conf
if [ "${1-}" = start ]; then
    rm -f unit
    echo "$MOTORCADE_UNIT" >unit
    rm -f /run/nginx/nginx.pid  # `nginx -t` by root makes an empty one that its user could not write
fi
