"""The host to try on; the operator's ssh configuration says how to reach it."""

platform = ["motorcade-staging-01"]
