"""Dates and units in answers, each in one spelling."""

from __future__ import annotations

import re

# --- dates ----------------------------------------------------------------------------------------------------------

_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_MONTH = (
    r"(jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?|aug(?:ust)?|sept?(?:ember)?|oct(?:ober)?"
    r"|nov(?:ember)?|dec(?:ember)?)\.?"
)
_DAY = r"(\d{1,2})(?:st|nd|rd|th)?"
_YEAR = r"(?:,?\s(\d{4}))?"
_DATES = (
    re.compile(rf"(?:the\s)?(?P<d>{_DAY})\s(?:of\s)?(?P<m>{_MONTH})(?P<y>{_YEAR})", re.IGNORECASE | re.ASCII),
    re.compile(rf"(?P<m>{_MONTH})\s(?:the\s)?(?P<d>{_DAY})(?P<y>{_YEAR})", re.IGNORECASE | re.ASCII),
)


def as_date(text: str) -> str | None:
    """`june 20` or `june 20, 2020`, for a day written in either order; None for what is no date."""
    for pattern in _DATES:
        match = pattern.fullmatch(text)
        if match:
            day = int(re.sub(r"\D", "", match["d"]))
            month = _MONTHS.index(match["m"][:3].lower())
            year = match["y"].strip(" ,")
            return f"{_MONTHS[month]} {day}" + (f", {year}" if year else "")
    return None


# --- units ----------------------------------------------------------------------------------------------------------

_LENGTHS = {
    "mm": "millimeters? millimetres?",
    "cm": "centimeters? centimetres?",
    "m": "meters? metres?",
    "km": "kilometers? kilometres? kms",
    "in": "inch inches",
    "ft": "foot feet",
    "yd": "yards? yds?",
    "mi": "miles?",
}
_OTHERS = {
    "mg": "milligrams?",
    "g": "grams?",
    "kg": "kilograms? kgs",
    "lb": "pounds? lbs",
    "oz": "ounces?",
    "s": "seconds? secs?",
    "min": "minutes? mins",
    "h": "hours? hrs?",
    "day": "days",
    "week": "weeks",
    "month": "months",
    "year": "years yrs?",
    "L": "liters? litres? l",
    "mL": "milliliters? millilitres? ml",
    "mph": "",
    "km/h": "kph kmh",
    "m/s": "",
    "degree": "degrees degs?",
    "cent": "cents",
    "unit": "units",
}


def _spellings(units: dict[str, str]) -> list[tuple[re.Pattern[str], str]]:
    return [(re.compile("|".join([re.escape(u), *names.split()])), u) for u, names in units.items()]


_UNITS = _spellings(_LENGTHS | _OTHERS)
_SQUARED = _spellings(_LENGTHS | {"unit": "units"})
_POWERS = {"square": "^2", "sq": "^2", "sq.": "^2", "cubic": "^3", "cu": "^3", "cu.": "^3"}
_QUANTITY = re.compile(
    r"(?P<q>.*?[0-9)}])(?P<gap>\s?)(?:(?P<power>square|sq\.?|cubic|cu\.?)\s)?(?P<u>[A-Za-z]{1,12}(?:/[a-z]{1,2})?)\.?"
    r"(?P<up>\s?\^[23])?",
)


def split_unit(text: str) -> tuple[str, str | None]:
    """A quantity and its unit in one spelling: ("10", "cm^2"); the whole text and None where it has no unit.

    A unit of one letter needs a space before it, since `10m` may be ten times a variable.
    """
    tail = text[-40:]
    start = max((m.end() for m in re.finditer(r"[0-9)}](?=\s?[A-Za-z])", tail)), default=0) + len(text) - len(tail)
    match = _QUANTITY.fullmatch(text[max(0, start - 1) :]) if start else None
    if match is None:
        return text, None
    raised = match["power"] or match["up"]
    unit = next((u for p, u in (_SQUARED if raised else _UNITS) if p.fullmatch(match["u"])), None)
    if unit is None or (len(match["u"]) == 1 and not match["gap"]):
        return text, None
    power = _POWERS.get(match["power"] or "", "") or (match["up"] or "").strip()
    return text[:start].strip(), unit + power
