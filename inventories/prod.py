"""The host that serves clients; the operator's ssh configuration says how to reach it."""

platform = ["motorcade-web-01"]
