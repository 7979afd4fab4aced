"""The production host; the operator's ssh configuration says how to reach it."""

platform = ["motorcade-web-01"]
