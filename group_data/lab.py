"""The disposable host of tests/lab: everything of one host stands in its own folder."""

environment = "lab"
release_file = ".lab/{host}/release.yaml"  # releases/lab.yaml with what the lab measured
secrets_directory = ".lab/{host}/secrets"
age_identity = ".lab/{host}/identity.txt"
deployments_directory = ".lab/{host}/deployments"
base_archive = ".lab/{host}/base.tar"
postgres_shared_buffers_mb = 64
postgres_memory_max_mb = 512
backup_endpoint = "store.motorcade.test:8443"  # the machine that carries the lab; tests/lab/store.py
backup_region = "lab"
backup_bucket = "backups"
backup_prefix = "/motorcade"
backup_uri_style = "path"
backup_ca_file = "/etc/ssl/motorcade/ca.pem"
backup_spool_mb = 192
alerts_webhook_url = "https://store.motorcade.test:8444/alerts"  # the same machine; tests/lab/receiver.py
alerts_ca_file = "/etc/ssl/motorcade/ca.pem"
edge_host = "edge.motorcade.test"
edge_security_contact = "mailto:security@motorcade.test"
edge_security_expires = "2099-01-01"
drift_expected = "0.0.0.0:22 [::]:22 /etc/containers/containers.conf.d/90-lab.conf"
