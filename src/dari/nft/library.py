"""libnftables, in the process.

The only module that talks to the library. It costs a few milliseconds to load,
so the executable asks the kernel first (`nft.probe`) whether it is needed.

Source: libnftables(3). May import: errors.
"""

from __future__ import annotations

import ctypes
import json

from dari.errors import FirewallRefused

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import TracebackType
    from typing import Self

_SONAME = "libnftables.so.1"
_OUTPUT_JSON = 1 << 4  # NFT_CTX_OUTPUT_JSON


class Nft:
    """A libnftables context, bound to the network namespace it is opened in.

    Not for use by several threads at once.

    Raises:
        FirewallRefused: libnftables is not installed or cannot be initialised.
    """

    def __init__(self) -> None:
        self._library = _load()
        self._context = self._library.nft_ctx_new(0)
        if not self._context:
            raise FirewallRefused("libnftables: cannot open a context", "is CAP_NET_ADMIN there?")
        self._library.nft_ctx_buffer_output(self._context)
        self._library.nft_ctx_buffer_error(self._context)

    def run(self, commands: str) -> str:
        """Run commands in nft's own language as one transaction: all or nothing.

        Equivalent to: ``nft -f -``.

        Args:
            commands: lines of nft's language.

        Returns:
            What a listing prints, else nothing.

        Raises:
            FirewallRefused: the first line of what the library says is wrong.
        """
        status = self._library.nft_run_cmd_from_buffer(self._context, commands.encode())
        output: bytes = self._library.nft_ctx_get_output_buffer(self._context) or b""
        complaint: bytes = self._library.nft_ctx_get_error_buffer(self._context) or b""
        if status != 0:
            text = complaint.decode(errors="replace").strip()
            first = text.splitlines()[0] if text else "refused without a word"
            raise FirewallRefused(f"nftables: {first}", text)
        return output.decode(errors="replace")

    def query(self, command: str) -> list[dict[str, object]]:
        """Run a listing and return its objects.

        Equivalent to: ``nft -j COMMAND``.

        Args:
            command: such as ``list table inet dari``.

        Raises:
            FirewallRefused: the object is not there, or the answer is not JSON.
        """
        before = self._library.nft_ctx_output_get_flags(self._context)
        self._library.nft_ctx_output_set_flags(self._context, before | _OUTPUT_JSON)
        try:
            listing = json.loads(self.run(command) or '{"nftables": []}')
        except ValueError as error:
            raise FirewallRefused(f"nftables: {command}: the answer is not JSON: {error}") from None
        finally:
            self._library.nft_ctx_output_set_flags(self._context, before)
        objects: list[dict[str, object]] = listing["nftables"]
        return [each for each in objects if "metainfo" not in each]

    def close(self) -> None:
        """Free the context; a second call does nothing."""
        if self._context:
            self._library.nft_ctx_free(self._context)
            self._context = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def _load() -> ctypes.CDLL:
    try:
        library = ctypes.CDLL(_SONAME)
    except OSError as error:
        raise FirewallRefused(
            f"{_SONAME} cannot be loaded: {error}",
            "install it (Debian, Ubuntu: libnftables1; Fedora, Alpine, Arch: nftables)",
        ) from None
    context = ctypes.c_void_p
    signatures: dict[str, tuple[object, list[object]]] = {
        "nft_ctx_new": (context, [ctypes.c_uint32]),
        "nft_ctx_free": (None, [context]),
        "nft_ctx_buffer_output": (ctypes.c_int, [context]),
        "nft_ctx_buffer_error": (ctypes.c_int, [context]),
        "nft_ctx_get_output_buffer": (ctypes.c_char_p, [context]),
        "nft_ctx_get_error_buffer": (ctypes.c_char_p, [context]),
        "nft_ctx_output_get_flags": (ctypes.c_uint, [context]),
        "nft_ctx_output_set_flags": (None, [context, ctypes.c_uint]),
        "nft_run_cmd_from_buffer": (ctypes.c_int, [context, ctypes.c_char_p]),
    }
    for name, (result, arguments) in signatures.items():
        function = getattr(library, name)
        function.restype = result
        function.argtypes = arguments
    return library
