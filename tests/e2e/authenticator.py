"""An authenticator app, as a person has it on a phone: TOTP (RFC 6238) with nothing but the standard library."""

import base64
import hashlib
import hmac
import struct
import time

STEP = 30


def code_of(seed, step):
    """The six digits of a time step (RFC 4226, section 5.3)."""
    mac = hmac.new(base64.b32decode(seed), struct.pack(">Q", step), hashlib.sha1).digest()
    at = mac[-1] & 0x0F
    return f"{(struct.unpack('>I', mac[at:at + 4])[0] & 0x7FFFFFFF) % 1_000_000:06d}"


class Authenticator:
    """A device: its serial number and seed, and which codes it has shown."""

    def __init__(self, serial, seed):
        self.serial = serial
        self.seed = seed.decode() if isinstance(seed, bytes) else seed
        self.shown = 0

    def code(self, ahead=0):
        """What it shows so many steps from now, shown before or not."""
        return code_of(self.seed, int(time.time()) // STEP + ahead)

    def pair(self):
        """Two codes in a row, so early that the ones after them are good at once."""
        step = int(time.time()) // STEP
        self.shown = step - 1
        return code_of(self.seed, step - 2), code_of(self.seed, step - 1)

    def fresh(self):
        """A code that was not shown yet and is good now; waits for it if it must."""
        while True:
            step = max(self.shown + 1, int(time.time()) // STEP)
            if step <= int(time.time()) // STEP + 1:
                self.shown = step
                return code_of(self.seed, step)
            time.sleep(0.5)

    def wrong(self):
        """Six digits that are none of those that are good around now."""
        good = {self.code(ahead) for ahead in range(-4, 5)}
        return next(guess for guess in ("000000", "000001", "000002", *good) if guess not in good)


def device(iam, name, **more):
    """A virtual device that is nobody's yet."""
    made = iam.create_virtual_mfa_device(VirtualMFADeviceName=name, **more)["VirtualMFADevice"]
    return Authenticator(made["SerialNumber"], made["Base32StringSeed"])


def give(iam, user, name=None):
    """A device that the user has; its next code is good at once."""
    made = device(iam, name or user)
    first, second = made.pair()
    iam.enable_mfa_device(
        UserName=user, SerialNumber=made.serial, AuthenticationCode1=first, AuthenticationCode2=second,
    )
    return made
