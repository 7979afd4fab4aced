"""A proxy of PostgreSQL that can lose the reply to a commit that was done, or the request for one."""

from dataclasses import dataclass
from typing import Final

from tests.chaos.proxy import Filter, Proxy

WRITER: Final = "leadgen-api-writer"
SUBMISSION: Final = b'"contact"'  # is in every payload, whatever statement contains it

_ENCRYPTION: Final = (80877103, 80877104)  # asks for TLS or GSSAPI; the server answers with one bare byte
_HEAD_BYTES: Final = 5  # of a message: its kind, and a length that counts itself


class Conversation:
    """The state of one connection, as far as a cut needs it."""

    def __init__(self) -> None:
        self.application_name = ""
        self.writes = False
        """A submission was sent to the server, and is neither committed nor rolled back."""
        self.replying = False
        """The server has not yet finished the current request."""
        self._asked = b""
        self._answered = b""
        self._began = False
        self._bare_bytes = 0
        self._failed = False

    def ask(self, piece: bytes) -> None:
        self._asked += piece
        self.replying = True
        while not self._began and len(self._asked) >= (length := int.from_bytes(self._asked[:4])) > 0:
            packet, self._asked = self._asked[4:length], self._asked[length:]
            self._begin(int.from_bytes(packet[:4]), packet[4:])
        self.writes = self.writes or SUBMISSION in self._asked

    def answer(self, piece: bytes) -> bool:
        """Whether this piece from the server confirms that a submission is committed."""
        bare = min(self._bare_bytes, len(piece))
        self._bare_bytes -= bare
        self._answered += piece[bare:]
        committed = False
        while len(self._answered) >= max(_HEAD_BYTES, end := 1 + int.from_bytes(self._answered[1:_HEAD_BYTES])):
            kind, body, self._answered = self._answered[:1], self._answered[_HEAD_BYTES:end], self._answered[end:]
            self._failed |= kind == b"E"
            committed |= kind == b"Z" and self._settle(body)
        return committed

    def _begin(self, code: int, rest: bytes) -> None:
        if code in _ENCRYPTION:
            self._bare_bytes += 1
            return
        self._began = True
        words = rest.decode().split("\0")
        self.application_name = dict(zip(words[::2], words[1::2], strict=False)).get("application_name", "")

    def _settle(self, status: bytes) -> bool:
        """The server is ready for more; outside a transaction the writes are committed, or have failed."""
        self._asked = b""
        self.replying = False
        if status != b"I":
            return False
        committed = self.writes and not self._failed
        self.writes = self._failed = False
        return committed


@dataclass(slots=True)
class _Cut:
    """How many cuts are still to be made, and on the connections of which application."""

    left: int = 0
    application_name: str = WRITER

    def concerns(self, conversation: Conversation) -> bool:
        return self.left > 0 and conversation.writes and conversation.application_name == self.application_name


class PostgresProxy(Proxy):
    def __init__(self, server_port: int) -> None:
        self.cuts = 0
        """Made so far, of both kinds."""
        self._replies = _Cut()
        self._requests = _Cut()
        super().__init__(server_port)

    def cut_replies(self, count: int, application_name: str = WRITER) -> None:
        """Let the next submissions be committed, but reset their connections instead of replying."""
        self._replies = _Cut(count, application_name)

    def cut_requests(self, count: int, application_name: str = WRITER) -> None:
        """Reset the next connections that send a submission, before the server has received all of it."""
        self._requests = _Cut(count, application_name)

    def filters(self) -> tuple[Filter, Filter]:
        conversation = Conversation()
        kept = bytearray()

        def ask(piece: bytes) -> bytes:
            conversation.ask(piece)
            if self._requests.concerns(conversation):
                self._make(self._requests)
            return piece

        def answer(piece: bytes) -> bytes:
            concerned = self._replies.concerns(conversation)
            committed = conversation.answer(piece)
            if concerned and committed:
                self._make(self._replies)
            kept.extend(piece)
            if concerned and conversation.replying:
                return b""
            through = bytes(kept)
            kept.clear()
            return through

        return ask, answer

    def _make(self, cut: _Cut) -> None:
        cut.left -= 1
        self.cuts += 1
        raise ConnectionResetError
