"""The company's own site, whose edge adds an API key of this client to what browsers send."""

from typing import Final

CLIENT_ID: Final = "site"  # its submissions may be flat, and may leave out the state
