"""The services of the platform, one folder each: its verbs, its state, its templates."""
