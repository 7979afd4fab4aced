"""Every setting, its default and its meaning; an environment's own file holds only what differs."""

# Operators log in as themselves and act as root by sudo.
_sudo = True

# A host whose key is not in this file, or another one, is refused; pyinfra's own default accepts new ones.
ssh_strict_host_key_checking = "yes"
ssh_known_hosts_file = "inventories/known_hosts"

# Where the manifest, the secrets, the key to them, and the log of deploys are; `{host}` becomes the host's name.
age_identity = None  # the operator's age identity; else the environment variable MOTORCADE_AGE_IDENTITY
deployments_directory = "docs/deployments"
base_archive = None  # root file system of the base image, where the manifest's base.method is `archive`

# The network on which containers meet; one address range that is free on every host.
core_subnet = "10.89.10.0/24"

# PostgreSQL. Every connection of every process counts: API workers, RQ workers, sweeper, backups, one operator.
postgres_max_connections = 100
postgres_shared_buffers_mb = 256  # a quarter of postgres_memory_max_mb; connections and page cache need the rest
postgres_memory_max_mb = 1024
postgres_cpu_percent = 200  # 100 is one core

# Redis carries a ring of the bell and nothing else.
redis_maxmemory_mb = 64  # what it may hold; full, it refuses
redis_memory_max_mb = 192  # what systemd grants: room for the rewrite of its file

# The intake. Its memory and processor time are for each of its three services: API, worker, sweeper.
leadgen_states = "TX"  # the states that are served, by their two letters, with commas
leadgen_site_default_state = "TX"  # of a lead from our own form that names none, if we serve it
leadgen_workers = 2  # processes of the API; each of them opens up to nine connections to PostgreSQL
leadgen_memory_max_mb = 384
leadgen_cpu_percent = 150
leadgen_retention_months = 24  # older leads and submissions are removed every night; consents stay, as evidence

# The edge, the only program that the public reaches.
edge_certificate = "/etc/ssl/motorcade/edge.pem"  # on the host: the certificate and what signs it, first to last
edge_key = "/etc/ssl/motorcade/edge.key"  # on the host, for root only
edge_requests_per_second = 10  # from one address, on the average
edge_burst = 20  # how many more may come at once before one is answered 429
# From one address; further ones wait outside. An office shares one, and each browser holds a connection for 15
# seconds. It is also more than the requests that may wait for the intake: edge_requests_per_second for 40 seconds.
edge_connections = 500
edge_browser_requests_per_minute = 20  # the same for the forms of our own site, which people fill in
edge_browser_burst = 10
# For those who find a security problem: /.well-known/security.txt (RFC 9116), served if both are set.
edge_security_contact = None  # mailto:…, https://… or tel:…
edge_security_expires = None  # the day, such as 2027-06-30, when it must be confirmed again; within a year

# What deploys/drift.py calls a difference, and status red.
drift_expected = (
    "0.0.0.0:22 [::]:22"  # what no page made and is right all the same, as drift names it, with blanks
)
disk_percent_max = 80  # of the bytes, or of the inodes, of a file system
expiry_days = 14  # before the end of a certificate or an API key

# Alerts. A channel without an address is not used; without any channel no person hears of a trouble.
alerts_webhook_url = None  # https; signed as Standard Webhooks has it, with the secret alerts-webhook
alerts_smtp_url = (
    None  # smtps://host:465, or smtp://host:587, which must offer TLS; the login is the secret alerts-smtp
)
alerts_mail_from = None  # one address
alerts_mail_to = None  # several with commas
alerts_ntfy_url = None  # https, with the topic; the token is the secret alerts-ntfy
alerts_dead_man_url = None  # https: asked after each check, by a service that raises the alarm when nothing comes
alerts_ca_file = (
    None  # on the host: who may sign certificates of the channels; None: everyone whom the host trusts
)
alerts_repeat_minutes = 60  # between two messages while something fails
alerts_queue_seconds = 60  # that a submission may wait in the queue
alerts_expiry_days = 21  # before the end of a certificate or an API key: one message a day
alerts_expiry_urgent_days = 7  # and from then on one every alerts_repeat_minutes
alerts_clock_seconds = 2  # that the clock may be off its servers
alerts_run_minutes = 60  # that a deploy may hold the lock of the host

# Backups, in S3-compatible storage; each environment names its own endpoint, region, bucket and prefix.
backup_uri_style = "host"  # or `path`, as the store wants the bucket's name
backup_ca_file = "/etc/ssl/certs/ca-certificates.crt"  # on the host: who may sign the store's certificate
backup_time = "03:10"  # of every day, UTC
backup_full_days = 7  # a full backup so often; those between hold what has changed since
backup_retention_days = 28  # a full backup older than this goes, once a newer one is as old; and its WAL with it
backup_spool_mb = 4096  # WAL that may wait on the host while the store is away; twice as much must fit on the disk
backup_drill_time = "04:40"  # of every day, UTC: restores the newest backup, a good hour after it was begun
backup_stale_hours = 26  # a drill fails when the newest backup is older
backup_rpo_limit_seconds = 120  # and when the host, lost at that moment, would have lost more than this
backup_dumps_days = 28  # dumps that pages made, and databases that a restore moved aside, go after so long
backup_dumps_kept = 5  # and of the dumps of one page, all but the newest of them
