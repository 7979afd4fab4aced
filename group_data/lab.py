"""The disposable host of tests/lab: everything of one host stands in its own folder."""

environment = "lab"
release_file = ".lab/{host}/release.yaml"  # releases/lab.yaml with what the lab measured
secrets_directory = ".lab/{host}/secrets"
age_identity = ".lab/{host}/identity.txt"
deployments_directory = ".lab/{host}/deployments"
base_archive = ".lab/{host}/base.tar"
postgres_shared_buffers_mb = 64
postgres_memory_max_mb = 512
edge_host = "edge.motorcade.test"
drift_expected = "0.0.0.0:22 [::]:22 /etc/containers/containers.conf.d/90-lab.conf"
