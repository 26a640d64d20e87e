"""When a DV camera recorded a picture, as it stands in the picture's own data; FFmpeg does not read it.

A DV frame is sequences of 150 blocks of 80 bytes, and of each sequence three blocks (VAUX) hold 15 packs of 5 bytes about the
picture. Two of them are the date and the time of the recording, by the camera's clock, in decimal digits of 4 bits.

Source: IEC 61834-4 (packs VAUX REC DATE 62h, VAUX REC TIME 63h).
"""

from __future__ import annotations

from datetime import datetime

_BLOCK, _BLOCKS = 80, 150  # bytes; of a sequence
_VAUX = range(3, 6)  # block numbers
_PACKS, _PACK = 15, 5  # of a block, behind its 3 bytes of identity; bytes
_DATE, _TIME = 0x62, 0x63
_FIRST_YEAR = 1995  # of DV: what is earlier was never recorded (FFmpeg's encoder writes 1970)
_TURN = 50  # two digits from here on are of the last century


def recording_date(frame: bytes) -> datetime | None:
    """Of a whole DV frame, in the camera's own time zone; None where it does not say, or nonsense."""
    packs: dict[int, bytes] = {}
    for sequence in range(0, len(frame) - _BLOCK * _BLOCKS + 1, _BLOCK * _BLOCKS):
        for block in _VAUX:
            start = sequence + block * _BLOCK + 3
            for place in range(start, start + _PACKS * _PACK, _PACK):
                packs.setdefault(frame[place], frame[place : place + _PACK])
    if _DATE not in packs or _TIME not in packs:
        return None
    _, _, day, month, year = packs[_DATE]
    _, _, second, minute, hour = packs[_TIME]
    try:
        short = _digits(year)
        date = datetime(
            short + (1900 if short >= _TURN else 2000),
            _digits(month & 0x1F), _digits(day & 0x3F), _digits(hour & 0x3F), _digits(minute & 0x7F), _digits(second & 0x7F),
        )  # fmt: skip
    except ValueError:
        return None
    return date if date.year >= _FIRST_YEAR else None


def _digits(byte: int) -> int:
    """Two decimal digits. Raises ValueError for others, as 0xFF, which means that nothing is known."""
    high, low = divmod(byte, 16)
    if high > 9 or low > 9:
        raise ValueError(f"{byte:#x} is no number of two digits")
    return 10 * high + low
