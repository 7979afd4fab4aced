"""What is different where clients are served."""

environment = "prod"
release_file = "releases/prod.yaml"
secrets_directory = "group_data/secrets/prod"
edge_host = "motorcade.vip"
