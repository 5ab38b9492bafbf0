"""Checkpoints encrypted at rest, with keys that can be changed while threads sleep."""

import os
from collections.abc import Mapping

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from langgraph.checkpoint.serde.base import CipherProtocol, SerializerProtocol
from langgraph.checkpoint.serde.encrypted import EncryptedSerializer
from langgraph.checkpoint.serde.jsonplus import JsonPlusSerializer

from graph.checkpoints.errors import CheckpointKeyMissing, CheckpointUnreadable

_SCHEME = "aes256gcm"
_KEY_BYTES = 32
_NONCE_BYTES = 12


class KeyRing(CipherProtocol):
    """AES-256-GCM (NIST SP 800-38D) under named keys: the first encrypts, each of them decrypts.

    To rotate, put a new key in front and keep the old ones until no thread of their time sleeps any more.
    The name of the key is stored beside the bytes and authenticated with them.
    """

    def __init__(self, keys: Mapping[str, bytes]) -> None:
        if not keys:
            raise ValueError("A key ring needs a key: 32 random bytes under a name.")
        for name, key in keys.items():
            if not name or not name.isascii() or not name.isalnum():
                raise ValueError(f"A key is named with letters and digits, not {name!r}.")
            if len(key) != _KEY_BYTES:
                raise ValueError(f"Key {name!r} has {len(key)} bytes; AES-256 takes 32.")
        self._ciphers = {name: AESGCM(key) for name, key in keys.items()}
        self._current = next(iter(keys))

    def encrypt(self, plaintext: bytes) -> tuple[str, bytes]:
        """Encrypt under the first key; return the cipher's name, key included, and nonce with ciphertext."""
        cipher_name = f"{_SCHEME}:{self._current}"
        nonce = os.urandom(_NONCE_BYTES)
        return cipher_name, nonce + self._ciphers[self._current].encrypt(nonce, plaintext, cipher_name.encode())

    def decrypt(self, ciphername: str, ciphertext: bytes) -> bytes:
        """Undo `encrypt`; CheckpointKeyMissing without the key, CheckpointUnreadable if it does not fit."""
        scheme, _, name = ciphername.partition(":")
        cipher = self._ciphers.get(name) if scheme == _SCHEME else None
        if cipher is None:
            raise CheckpointKeyMissing(
                f"A checkpoint was encrypted under {ciphername!r}, and the keys here are "
                f"{', '.join(self._ciphers)}. Give the missing key back, after the one that encrypts."
            )
        nonce, sealed = ciphertext[:_NONCE_BYTES], ciphertext[_NONCE_BYTES:]
        try:
            return cipher.decrypt(nonce, sealed, ciphername.encode())
        except (InvalidTag, ValueError) as error:
            raise CheckpointUnreadable(
                f"A checkpoint does not open with the key {name!r}: it was altered in the store, or another "
                "key had this name. Restore the key or the store's backup."
            ) from error


def encrypted(keys: Mapping[str, bytes], serde: SerializerProtocol | None = None) -> EncryptedSerializer:
    """A serializer that encrypts what `serde` writes; what was stored before without encryption stays readable."""
    return EncryptedSerializer(KeyRing(keys), serde or JsonPlusSerializer())
