"""The staging host; the operator's ssh configuration says how to reach it."""

platform = ["motorcade-staging-01"]
