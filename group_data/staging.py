"""What is different in the safe test lane."""

environment = "staging"
release_file = "releases/staging.yaml"
secrets_directory = "group_data/secrets/staging"
edge_host = "staging.motorcade.vip"
