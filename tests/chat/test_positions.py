"""What a device is known by."""

from __future__ import annotations

import pytest

from secure_chat.chat.devices import Device
from secure_chat.chat.positions import device_key
from secure_chat.protocol.capabilities import Capability


def test_a_token_says_it_before_the_login_does() -> None:
    device = Device(b"digest", 1, "Laptop", 5)
    assert device_key(device, "phone", "al", ()) == "laptop"
    assert device_key(None, "Phone", "al", ()) == "phone"


@pytest.mark.parametrize("named", ["~al~e3b0c442", "a b", "\x02", "x" * 31, "x" * 400, "💬"])
def test_a_name_that_is_none_is_a_device_of_its_own(named: str) -> None:
    """Long ones that begin alike are two, and nobody names a device that another session is by itself."""
    key = device_key(None, named, "al", ())
    assert key.startswith("~~")
    assert len(key) < 30
    assert key not in {device_key(None, other, "al", ()) for other in (None, named + "y", "x" * 30)}


def test_without_a_name_user_and_capabilities_tell() -> None:
    """In whatever order they were asked for."""
    both = (Capability.BATCH, Capability.SERVER_TIME)
    assert device_key(None, None, "al", both) == device_key(None, None, "al", both[::-1])
    keys = {device_key(None, None, user, asked) for user in ("al", "bo") for asked in (both, both[:1], ())}
    assert len(keys) == 6
