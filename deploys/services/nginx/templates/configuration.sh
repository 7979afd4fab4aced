# {{ page }} owns this file. Prints one hash over what nginx reads when it starts or is reloaded.
set -eu
{
    find /etc/nginx/nginx.conf /etc/nginx/motorcade -type f -name '*.conf' | sort
    echo {{ certificate }}
} | xargs sha256sum | sha256sum | cut -c 1-64
