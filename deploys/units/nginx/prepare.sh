# {{ page }} owns this file. Run as root by nginx.service before every start and reload: what the user of nginx may not
# do, into folders where that user can leave no link. `start` also notes which unit it was started by.
set -eu
install -d -m 0750 -o root -g motorcade-edge /run/motorcade-nginx
install -m 0440 -o root -g motorcade-edge {{ key }} /run/motorcade-nginx/edge.key
cd /var/log/motorcade/nginx
touch access.log error.log
chown motorcade-edge access.log error.log
cd /run/motorcade-nginx
echo "return 200 $(sh /etc/motorcade/nginx/configuration.sh);" >loaded.conf
[ "${1-}" != start ] || echo "$MOTORCADE_UNIT" >unit
