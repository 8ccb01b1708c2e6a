"""Write a question set made from facts: right by construction, the same bytes every time.

    python tests/generate_facts.py [OUT]

A form is one way of asking: a function from a random generator to facts. A fact is a stem, its one
right choice and wrong candidates; a subject is a few forms. Three candidates become the wrong
choices, and the letters are dealt so that neither letter, order nor size gives the answer away.

`test_generate_facts.py` works out the right choices again by other means.
"""

import argparse
import json
import math
import random
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from itertools import cycle, islice
from pathlib import Path

SEED = "facts 1"
LETTERS = ("A", "B", "C", "D")
DEFAULT_OUT = Path(__file__).resolve().parent.parent / "benchmarks" / "facts.jsonl"

# In order of atomic number, five a line; the names are IUPAC's.
ELEMENTS = """
H hydrogen, He helium, Li lithium, Be beryllium, B boron,
C carbon, N nitrogen, O oxygen, F fluorine, Ne neon,
Na sodium, Mg magnesium, Al aluminium, Si silicon, P phosphorus,
S sulfur, Cl chlorine, Ar argon, K potassium, Ca calcium,
Sc scandium, Ti titanium, V vanadium, Cr chromium, Mn manganese,
Fe iron, Co cobalt, Ni nickel, Cu copper, Zn zinc,
Ga gallium, Ge germanium, As arsenic, Se selenium, Br bromine,
Kr krypton, Rb rubidium, Sr strontium, Y yttrium, Zr zirconium,
Nb niobium, Mo molybdenum, Tc technetium, Ru ruthenium, Rh rhodium,
Pd palladium, Ag silver, Cd cadmium, In indium, Sn tin,
Sb antimony, Te tellurium, I iodine, Xe xenon, Cs caesium,
Ba barium, La lanthanum, Ce cerium, Pr praseodymium, Nd neodymium,
Pm promethium, Sm samarium, Eu europium, Gd gadolinium, Tb terbium,
Dy dysprosium, Ho holmium, Er erbium, Tm thulium, Yb ytterbium,
Lu lutetium, Hf hafnium, Ta tantalum, W tungsten, Re rhenium,
Os osmium, Ir iridium, Pt platinum, Au gold, Hg mercury,
Tl thallium, Pb lead, Bi bismuth, Po polonium, At astatine,
Rn radon, Fr francium, Ra radium, Ac actinium, Th thorium,
Pa protactinium, U uranium, Np neptunium, Pu plutonium, Am americium,
Cm curium, Bk berkelium, Cf californium, Es einsteinium, Fm fermium,
Md mendelevium, No nobelium, Lr lawrencium, Rf rutherfordium, Db dubnium,
Sg seaborgium, Bh bohrium, Hs hassium, Mt meitnerium, Ds darmstadtium,
Rg roentgenium, Cn copernicium, Nh nihonium, Fl flerovium, Mc moscovium,
Lv livermorium, Ts tennessine, Og oganesson
"""

# One region a string; wrong choices come from the same region. Left out: capitals that are
# disputed, split, moving or renamed, those with two usual names, and those that give themselves
# away (Kuwait City, Luxembourg, Tunis).
CAPITALS = (
    # northern and western Europe
    """Belgium: Brussels; Denmark: Copenhagen; Estonia: Tallinn; Finland: Helsinki; France: Paris;
    Iceland: Reykjavik; Ireland: Dublin; Latvia: Riga; Lithuania: Vilnius; Norway: Oslo;
    Sweden: Stockholm; United Kingdom: London""",
    # central and eastern Europe
    """Austria: Vienna; Belarus: Minsk; Czech Republic: Prague; Germany: Berlin; Hungary: Budapest;
    Liechtenstein: Vaduz; Moldova: Chisinau; Poland: Warsaw; Romania: Bucharest; Russia: Moscow;
    Slovakia: Bratislava; Ukraine: Kyiv""",
    # southern Europe
    """Albania: Tirana; Bosnia and Herzegovina: Sarajevo; Bulgaria: Sofia; Croatia: Zagreb;
    Greece: Athens; Italy: Rome; Malta: Valletta; North Macedonia: Skopje; Portugal: Lisbon;
    Serbia: Belgrade; Slovenia: Ljubljana; Spain: Madrid""",
    # Turkey, the Caucasus and central Asia
    """Armenia: Yerevan; Azerbaijan: Baku; Georgia: Tbilisi; Kyrgyzstan: Bishkek;
    Tajikistan: Dushanbe; Turkey: Ankara; Turkmenistan: Ashgabat; Uzbekistan: Tashkent""",
    # the Middle East
    """Bahrain: Manama; Iraq: Baghdad; Jordan: Amman; Lebanon: Beirut; Oman: Muscat; Qatar: Doha;
    Saudi Arabia: Riyadh; Syria: Damascus; United Arab Emirates: Abu Dhabi""",
    # southern Asia
    """Afghanistan: Kabul; Bangladesh: Dhaka; Bhutan: Thimphu; India: New Delhi; Maldives: Male;
    Nepal: Kathmandu; Pakistan: Islamabad""",
    # eastern Asia
    """Brunei: Bandar Seri Begawan; Cambodia: Phnom Penh; China: Beijing; Japan: Tokyo;
    Laos: Vientiane; Mongolia: Ulaanbaatar; North Korea: Pyongyang; Philippines: Manila;
    Thailand: Bangkok; Timor-Leste: Dili; Vietnam: Hanoi""",
    # northern and western Africa
    """Algeria: Algiers; Burkina Faso: Ouagadougou; Cape Verde: Praia; Gambia: Banjul; Ghana: Accra;
    Guinea: Conakry; Liberia: Monrovia; Mali: Bamako; Mauritania: Nouakchott; Morocco: Rabat;
    Niger: Niamey; Nigeria: Abuja; Senegal: Dakar; Sierra Leone: Freetown; Togo: Lome""",
    # central and southern Africa
    """Angola: Luanda; Botswana: Gaborone; Cameroon: Yaounde; Central African Republic: Bangui;
    Chad: N'Djamena; Democratic Republic of the Congo: Kinshasa; Gabon: Libreville;
    Lesotho: Maseru; Malawi: Lilongwe; Mozambique: Maputo; Namibia: Windhoek;
    Republic of the Congo: Brazzaville; Zambia: Lusaka""",
    # eastern Africa
    """Comoros: Moroni; Eritrea: Asmara; Ethiopia: Addis Ababa; Kenya: Nairobi;
    Madagascar: Antananarivo; Mauritius: Port Louis; Rwanda: Kigali; Seychelles: Victoria;
    Somalia: Mogadishu; Uganda: Kampala""",
    # northern and central America
    """Belize: Belmopan; Canada: Ottawa; Costa Rica: San Jose; Nicaragua: Managua;
    United States: Washington, D.C.""",
    # southern America
    """Argentina: Buenos Aires; Brazil: Brasilia; Colombia: Bogota; Ecuador: Quito;
    Guyana: Georgetown; Paraguay: Asuncion; Peru: Lima; Suriname: Paramaribo;
    Uruguay: Montevideo; Venezuela: Caracas""",
    # the Caribbean
    """Antigua and Barbuda: St. John's; Bahamas: Nassau; Barbados: Bridgetown; Cuba: Havana;
    Dominica: Roseau; Dominican Republic: Santo Domingo; Grenada: St. George's;
    Haiti: Port-au-Prince; Jamaica: Kingston; Saint Kitts and Nevis: Basseterre;
    Saint Lucia: Castries; Saint Vincent and the Grenadines: Kingstown;
    Trinidad and Tobago: Port of Spain""",
    # Oceania
    """Australia: Canberra; Federated States of Micronesia: Palikir; Fiji: Suva;
    New Zealand: Wellington; Papua New Guinea: Port Moresby; Samoa: Apia;
    Solomon Islands: Honiara; Tonga: Nuku'alofa; Vanuatu: Port Vila""",
)
WITH_ARTICLE = (
    "Bahamas",
    "Central African Republic",
    "Comoros",
    "Czech Republic",
    "Democratic Republic of the Congo",
    "Dominican Republic",
    "Federated States of Micronesia",
    "Gambia",
    "Maldives",
    "Philippines",
    "Republic of the Congo",
    "Seychelles",
    "Solomon Islands",
    "United Arab Emirates",
    "United Kingdom",
    "United States",
)

# Larger unit, smaller unit, power of ten between them.
METRIC_UNITS = (
    ("kilometres", "metres", 3),
    ("metres", "centimetres", 2),
    ("metres", "millimetres", 3),
    ("centimetres", "millimetres", 1),
    ("millimetres", "micrometres", 3),
    ("micrometres", "nanometres", 3),
    ("hectares", "square metres", 4),
    ("tonnes", "kilograms", 3),
    ("kilograms", "grams", 3),
    ("grams", "milligrams", 3),
    ("milligrams", "micrograms", 3),
    ("hectolitres", "litres", 2),
    ("litres", "centilitres", 2),
    ("litres", "millilitres", 3),
    ("seconds", "milliseconds", 3),
    ("milliseconds", "microseconds", 3),
    ("microseconds", "nanoseconds", 3),
    ("gigahertz", "megahertz", 3),
    ("megahertz", "kilohertz", 3),
    ("megawatts", "kilowatts", 3),
    ("kilowatts", "watts", 3),
    ("kilojoules", "joules", 3),
    ("kilopascals", "pascals", 3),
    ("volts", "millivolts", 3),
    ("amperes", "milliamperes", 3),
)
# Larger unit, smaller unit, how many of the smaller make one of the larger.
COUNTED_UNITS = (
    ("minutes", "seconds", 60),
    ("hours", "minutes", 60),
    ("hours", "seconds", 3600),
    ("days", "hours", 24),
    ("days", "minutes", 1440),
    ("weeks", "days", 7),
    ("weeks", "hours", 168),
    ("years", "months", 12),
    ("feet", "inches", 12),
    ("yards", "feet", 3),
    ("yards", "inches", 36),
    ("miles", "yards", 1760),
    ("miles", "feet", 5280),
)
# Exact by the international yard and pound agreement of 1959.
INCH_UNITS = (
    ("inches", "centimetres", Decimal("2.54")),
    ("inches", "millimetres", Decimal("25.4")),
    ("feet", "centimetres", Decimal("30.48")),
    ("yards", "metres", Decimal("0.9144")),
    ("miles", "metres", Decimal("1609.344")),
)

PERCENTAGES = (4, 5, 8, 10, 12, 15, 20, 25, 30, 35, 40, 45, 60, 65, 70, 75, 80, 85, 90, 95)
WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
MONTHS = (
    *("January", "February", "March", "April", "May", "June"),
    *("July", "August", "September", "October", "November", "December"),
)
YEARS = range(1900, 2100)
NUMERALS = (
    *((1000, "M"), (900, "CM"), (500, "D"), (400, "CD"), (100, "C"), (90, "XC"), (50, "L")),
    *((40, "XL"), (10, "X"), (9, "IX"), (5, "V"), (4, "IV"), (1, "I")),
)
BASES_OF_SOLIDS = (
    *((3, "triangular"), (4, "square"), (5, "pentagonal"), (6, "hexagonal"), (7, "heptagonal")),
    *((8, "octagonal"), (9, "nonagonal"), (10, "decagonal")),
)
# Faces, edges, vertices.
REGULAR_SOLIDS = (
    ("regular tetrahedron", (4, 6, 4)),
    ("cube", (6, 12, 8)),
    ("regular octahedron", (8, 12, 6)),
    ("regular dodecahedron", (12, 30, 20)),
    ("regular icosahedron", (20, 30, 12)),
)
RIGHT_TRIANGLES = ((3, 4, 5), (5, 12, 13), (8, 15, 17), (7, 24, 25), (20, 21, 29), (9, 40, 41))

# Words of a line share their beginning, so that the first letter doesn't settle the order.
WORDS = """
absent absorb abroad absurd abrupt abound
barrel barley barber bargain barrier barn
candle canvas cannon candid canyon canal
desert design desire desk despite dessert
enough enrich enlist engine enjoy enter
forest forget formal fortune forward fork
garden garlic garment garage garnet gather
harbour harmony harvest hardly harsh harp
interest internal interval interior interpret into
jungle junior justice jumble juggle jury
kitchen kingdom kindle kidney kettle keen
lantern language landing largely lather lane
marble market margin marine marvel march
mountain mouse mouth motion motor mobile
napkin narrow nation native nature naval
orange orchard orbit order organ origin
palace palette pallid palm panther pantry
planet plaster plastic platform player plank
quarter quality quarrel quantity quaint quail
rabbit racket radish raisin ransom rapid
shadow shallow shampoo shape shelter sheriff
silver similar simple singer sister silence
station statue stable stadium staple stand
table tablet tackle tactic tailor talent
thunder thimble thirsty thought throat throne
umpire uncle under uniform union unit
valley valuable vanish vapour varnish vast
window winter wisdom wither wizard width
yellow yesterday yield yogurt young youth
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fact:
    """A stem, its one right choice, and at least three wrong candidates."""

    stem: str
    right: str
    wrong: tuple[str, ...]
    """All different from the right choice and from each other, in value too."""
    smaller: int | None = None
    """How many of the wrong, which then ascend, are smaller than the right one; None: no order."""

    def __post_init__(self) -> None:
        """Refuse what could not make four different choices."""
        assert len(self.wrong) >= 3, f"too few wrong candidates: {self}"
        assert len({self.right, *self.wrong}) == len(self.wrong) + 1, f"alike choices: {self}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """One line of the file, without its id."""

    subject: str
    stem: str
    choices: tuple[str, ...]
    answer: str
    rank: int | None
    """How many of the other choices are smaller than the right one; None: no order."""


Form = Callable[[random.Random], Iterator[Fact]]


# Making facts


def ladder(stem: str, right: str, rungs: Sequence[str]) -> Fact:
    """Build a fact about a place in an order; rungs ascend and have the right choice among them."""
    at = rungs.index(right)
    below = [rung for rung in rungs[:at] if rung not in LETTERS]
    above = [rung for rung in rungs[at + 1 :] if rung not in LETTERS]
    return Fact(stem=stem, right=right, wrong=(*below, *above), smaller=len(below))


def number(
    stem: str,
    right: int,
    step: int = 1,
    *,
    least: int = 0,
    most: int | None = None,
    render: Callable[[int], str] = str,
) -> Fact:
    """Build a fact about a whole number; wrong ones are up to three steps away on either side.

    Equal steps leave no hint: each number of a window of four could be the one it was built from.
    """
    values = [right + step * steps for steps in range(-3, 4)]
    rungs = [render(v) for v in values if v >= least and (most is None or v <= most)]
    return ladder(stem, render(right), rungs)


def one_of(stem: str, right: str, candidates: Sequence[str]) -> Fact:
    """Build a fact whose choices have no order; the candidates may include the right choice."""
    wrong = tuple(text for text in candidates if text != right and text not in LETTERS)
    return Fact(stem=stem, right=right, wrong=wrong)


def some_step(rng: random.Random, right: int) -> int:
    """Pick a distance between choices that suits the size of the right number."""
    return rng.choice([step for step in (1, 2, 10, 100) if 4 * step <= right] or [1])


def some_pairs(
    rng: random.Random, count: int, first: range, second: range
) -> list[tuple[int, int]]:
    """Pick that many different pairs, one number of each range."""
    drawn = rng.sample(range(len(first) * len(second)), count)
    return [(first[n // len(second)], second[n % len(second)]) for n in drawn]


def listed(rng: random.Random, texts: Sequence[str]) -> str:
    """Render texts in random order, as in "b, d, a or c"."""
    *first, last = rng.sample(texts, len(texts))
    return f"{', '.join(first)} or {last}"


def plain(value: Decimal) -> str:
    """Render a decimal number without exponent or trailing zeros.

    >>> plain(Decimal("7E+3")), plain(Decimal("0.350"))
    ('7000', '0.35')
    """
    return f"{value.normalize():f}"


def ordinal(n: int) -> str:
    """Render an ordinal number.

    >>> [ordinal(n) for n in (1, 2, 3, 4, 11, 12, 13, 21, 22, 23)]
    ['1st', '2nd', '3rd', '4th', '11th', '12th', '13th', '21st', '22nd', '23rd']
    """
    teen = n % 100 in (11, 12, 13)
    return f"{n}{'th' if teen else {1: 'st', 2: 'nd', 3: 'rd'}.get(n % 10, 'th')}"


def with_a(noun: str) -> str:
    """Render a noun with its indefinite article."""
    return f"{'an' if noun[0] in 'aeiou' else 'a'} {noun}"


# Chemical elements


def element_table() -> list[tuple[str, str]]:
    """List symbol and name of each element; the atomic number is the index plus one."""
    rows = [entry.split() for entry in ELEMENTS.split(",")]
    return [(symbol, name) for symbol, name in rows]


def lookalikes(index: int) -> list[tuple[str, str]]:
    """List elements mistaken for this one: those with its first letters, at least three in all.

    Without them, "Which element has the chemical symbol Yb?" would be a matter of spelling. Where
    they are fewer than three, the nearest other elements make up the number.
    """
    table = element_table()
    symbol, name = table[index]
    others = sorted(table, key=lambda row: abs(table.index(row) - index))[1:]
    initials = {symbol[0], name[0].upper()}
    alike = [row for row in others if initials & {row[0][0], row[1][0].upper()}]
    nearest = [row for row in others if row not in alike]
    return alike + nearest[: max(0, 3 - len(alike))]


def element_symbols(_rng: random.Random) -> Iterator[Fact]:
    """Ask for the symbol of each element."""
    for index, (symbol, name) in enumerate(element_table()):
        candidates = [other for other, _ in lookalikes(index)]
        yield one_of(f"What is the chemical symbol of {name}?", symbol, candidates)


def element_names(_rng: random.Random) -> Iterator[Fact]:
    """Ask for the element of each symbol."""
    for index, (symbol, name) in enumerate(element_table()):
        candidates = [other for _, other in lookalikes(index)]
        yield one_of(f"Which element has the chemical symbol {symbol}?", name, candidates)


def element_numbers(_rng: random.Random) -> Iterator[Fact]:
    """Ask for the atomic number of each element."""
    table = element_table()
    for index, (_, name) in enumerate(table):
        stem = f"What is the atomic number of {name}?"
        yield number(stem, index + 1, least=1, most=len(table))


# Capitals


def regions() -> list[dict[str, str]]:
    """Read the table of capitals: one mapping from country to capital for each region."""
    split = [[entry.split(": ") for entry in region.split(";")] for region in CAPITALS]
    return [{country.strip(): capital for country, capital in rows} for rows in split]


def capitals_of_countries(_rng: random.Random) -> Iterator[Fact]:
    """Ask for the capital of each country."""
    for region in regions():
        for country, capital in region.items():
            named = f"the {country}" if country in WITH_ARTICLE else country
            yield one_of(f"What is the capital of {named}?", capital, list(region.values()))


def countries_of_capitals(_rng: random.Random) -> Iterator[Fact]:
    """Ask for the country of each capital."""
    for region in regions():
        for country, capital in region.items():
            yield one_of(f"{capital} is the capital of which country?", country, list(region))


# Unit conversions


def metric_units(rng: random.Random) -> Iterator[Fact]:
    """Ask for metric conversions both ways; wrong choices are off by powers of ten.

    The four powers are drawn first and the right one among them second: drawn the other way round,
    the right choice would be the shortest text too often.
    """
    digits = [n for n in range(12, 100) if n % 10]
    for large, small, power in METRIC_UNITS:
        for turn, n in enumerate(rng.sample(digits, 8)):
            start, rank = rng.randrange(-4, 1), turn % 4
            in_large = [Decimal(n).scaleb(start + at) for at in range(4)]
            in_small = [value.scaleb(power) for value in in_large]
            if turn < 4:
                stem = f"How many {small} are there in {plain(in_large[rank])} {large}?"
                yield ladder(stem, plain(in_small[rank]), [plain(value) for value in in_small])
            else:
                stem = f"How many {large} are there in {plain(in_small[rank])} {small}?"
                yield ladder(stem, plain(in_large[rank]), [plain(value) for value in in_large])


def counted_units(rng: random.Random) -> Iterator[Fact]:
    """Ask for conversions by whole numbers, both ways."""
    for large, small, ratio in COUNTED_UNITS:
        amounts = rng.sample(range(4, 25), 8)
        for n in amounts[:4]:
            stem = f"How many {small} are there in {n} {large}?"
            yield number(stem, n * ratio, ratio, least=ratio)
        for n in amounts[4:]:
            yield number(f"How many {large} are there in {n * ratio} {small}?", n, least=1)


def inch_units(rng: random.Random) -> Iterator[Fact]:
    """Ask for conversions from inches, feet, yards and miles into metric units."""
    for source, target, ratio in INCH_UNITS:
        for n in rng.sample(range(4, 21), 6):
            stem = f"Exactly how many {target} are there in {n} {source}?"
            rungs = [plain(ratio * (n + steps)) for steps in range(-3, 4)]
            yield ladder(stem, plain(ratio * n), rungs)


# Arithmetic


def sums(rng: random.Random) -> Iterator[Fact]:
    """Ask for sums of two numbers."""
    for a, b in some_pairs(rng, 56, range(25, 1000), range(12, 1000)):
        yield number(f"What is {a} + {b}?", a + b, some_step(rng, a + b))


def differences(rng: random.Random) -> Iterator[Fact]:
    """Ask for positive differences of two numbers."""
    for right, b in some_pairs(rng, 56, range(12, 800), range(12, 400)):
        yield number(f"What is {right + b} - {b}?", right, some_step(rng, right))


def products(rng: random.Random) -> Iterator[Fact]:
    """Ask for products of two numbers."""
    for a, b in some_pairs(rng, 56, range(12, 100), range(3, 60)):
        yield number(f"What is {a} times {b}?", a * b, some_step(rng, a * b))


def quotients(rng: random.Random) -> Iterator[Fact]:
    """Ask for divisions without remainder."""
    for right, b in some_pairs(rng, 56, range(12, 100), range(3, 40)):
        yield number(f"What is {right * b} divided by {b}?", right, some_step(rng, right))


def percentages(rng: random.Random) -> Iterator[Fact]:
    """Ask for percentages that come out whole."""
    whole = [(p, n) for p in PERCENTAGES for n in range(60, 1000) if p * n % 100 == 0]
    for percent, n in rng.sample(whole, 56):
        right = percent * n // 100
        yield number(f"What is {percent}% of {n}?", right, some_step(rng, right))


# Calendar


def is_leap(year: int) -> bool:
    """Tell whether a Gregorian year has a 29 February."""
    return year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)


def month_length(month: int, year: int) -> int:
    """Count the days of a month, January being 1."""
    if month == 2:
        return 29 if is_leap(year) else 28
    return 30 if month in (4, 6, 9, 11) else 31


def day_number(day: int, month: int, year: int) -> int:
    """Count the days since 31 December of the year 0, so that Mondays are 1 modulo 7.

    >>> day_number(1, 1, 1), day_number(1, 1, 2001)
    (1, 730486)
    """
    before = year - 1
    leaps = before // 4 - before // 100 + before // 400
    return 365 * before + leaps + sum(month_length(m, year) for m in range(1, month)) + day


def some_date(rng: random.Random) -> tuple[int, int, int]:
    """Pick day, month and year."""
    month, year = rng.randrange(1, 13), rng.choice(YEARS)
    return rng.randrange(1, month_length(month, year) + 1), month, year


def date_text(day: int, month: int, year: int) -> str:
    """Render a date, as in "14 March 1987"."""
    return f"{day} {MONTHS[month - 1]} {year}"


def weekdays_of_dates(rng: random.Random) -> Iterator[Fact]:
    """Ask for the weekday of dates."""
    for _ in range(90):
        date = some_date(rng)
        stem = f"In the Gregorian calendar, which day of the week is {date_text(*date)}?"
        yield one_of(stem, WEEKDAYS[(day_number(*date) - 1) % 7], WEEKDAYS)


def weekdays_later(rng: random.Random) -> Iterator[Fact]:
    """Ask for the weekday some days after another."""
    for today, days in some_pairs(rng, 40, range(7), range(9, 100)):
        stem = f"If today is a {WEEKDAYS[today]}, which day of the week is it in {days} days?"
        yield one_of(stem, WEEKDAYS[(today + days) % 7], WEEKDAYS)


def month_lengths(rng: random.Random) -> Iterator[Fact]:
    """Ask for the days of a month, each length as often as the others."""
    months = [(month, year) for year in YEARS for month in range(1, 13)]
    for days in (28, 29, 30, 31):
        for month, year in rng.sample([m for m in months if month_length(*m) == days], 11):
            stem = f"How many days are there in {MONTHS[month - 1]} {year}?"
            yield number(stem, days, least=28, most=31)


def days_between(rng: random.Random) -> Iterator[Fact]:
    """Ask how many days lie between two dates of a year."""
    for _ in range(50):
        year = rng.choice(YEARS)
        first, second = sorted(rng.sample(range(1, 13), 2))
        start = (rng.randrange(1, 29), first, year)
        end = (rng.randrange(1, 29), second, year)
        stem = f"How many days after {date_text(*start)} is {date_text(*end)}?"
        yield number(stem, day_number(*end) - day_number(*start), least=1)


def leap_years_after(rng: random.Random) -> Iterator[Fact]:
    """Ask for the first leap year after a year, far enough for wrong years to lie between."""
    far = [year for year in YEARS[:-4] if not any(map(is_leap, (year + 1, year + 2)))]
    for year in rng.sample(far, 28):
        right = next(y for y in YEARS if y > year and is_leap(y))
        yield number(f"Which is the first leap year after {year}?", right, least=year + 1)


def leap_years_before(rng: random.Random) -> Iterator[Fact]:
    """Ask for the last leap year before a year, far enough for wrong years to lie between."""
    far = [year for year in YEARS[5:] if not any(map(is_leap, (year - 1, year - 2)))]
    for year in rng.sample(far, 28):
        right = next(y for y in reversed(YEARS) if y < year and is_leap(y))
        yield number(f"Which is the last leap year before {year}?", right, most=year - 1)


# Roman numerals


def roman(n: int) -> str:
    """Render a number from 1 to 3999 in Roman numerals.

    >>> roman(1994)
    'MCMXCIV'
    """
    numeral = ""
    for value, letters in NUMERALS:
        numeral += letters * (n // value)
        n %= value
    return numeral


def numerals_written(rng: random.Random) -> Iterator[Fact]:
    """Ask how numbers are written in Roman numerals."""
    for n in rng.sample(range(16, 3500), 90):
        stem = f"How is the number {n} written in Roman numerals?"
        yield number(stem, n, some_step(rng, n), least=1, most=3999, render=roman)


def numerals_read(rng: random.Random) -> Iterator[Fact]:
    """Ask which numbers Roman numerals stand for."""
    for n in rng.sample(range(16, 3500), 90):
        stem = f"Which number does the Roman numeral {roman(n)} stand for?"
        yield number(stem, n, some_step(rng, n), least=1)


def numerals_added(rng: random.Random) -> Iterator[Fact]:
    """Ask for sums in Roman numerals."""
    for a, b in some_pairs(rng, 60, range(6, 500), range(6, 100)):
        stem = f"What is {roman(a)} + {roman(b)} in Roman numerals?"
        yield number(stem, a + b, some_step(rng, a + b), least=1, render=roman)


# Number properties


def is_prime(n: int) -> bool:
    """Tell whether a number of at least 2 is prime."""
    return all(n % d for d in range(2, math.isqrt(n) + 1))


def squares(rng: random.Random) -> Iterator[Fact]:
    """Ask for squares; steps of ten keep the last digit."""
    for n in rng.sample(range(11, 100), 44):
        yield number(f"What is the square of {n}?", n * n, rng.choice((10, 20)))


def square_roots(rng: random.Random) -> Iterator[Fact]:
    """Ask for the roots of perfect squares."""
    for n in rng.sample(range(11, 100), 44):
        yield number(f"What is the square root of {n * n}?", n, rng.choice((1, 2)))


def primes(rng: random.Random) -> Iterator[Fact]:
    """Ask for the one prime among numbers that are not divisible by 2, 3 or 5."""
    drawn = rng.sample([n for n in range(150, 1000) if is_prime(n)], 44)
    for turn, prime in enumerate(drawn):
        near = [n for n in range(prime - 60, prime + 60) if math.gcd(n, 30) == 1]
        composites = [n for n in near if not is_prime(n)]
        smaller = turn % 4
        start = sum(n < prime for n in composites) - smaller
        wrong = tuple(str(n) for n in composites[start : start + 3])
        stem = f"Which of these is a prime number: {listed(rng, [str(prime), *wrong])}?"
        yield Fact(stem=stem, right=str(prime), wrong=wrong, smaller=smaller)


def smallest_factors(rng: random.Random) -> Iterator[Fact]:
    """Ask for the smaller factor of a product of two primes."""
    few = [n for n in range(2, 60) if is_prime(n)]
    for low, high in some_pairs(rng, 36, range(3, 10), range(10, 17)):
        stem = f"What is the smallest prime factor of {few[low] * few[high]}?"
        yield ladder(stem, str(few[low]), [str(p) for p in few[low - 3 : low + 4]])


def remainders(rng: random.Random) -> Iterator[Fact]:
    """Ask for the remainder of a division."""
    for n, divisor in some_pairs(rng, 50, range(60, 600), range(7, 20)):
        stem = f"What is the remainder when {n} is divided by {divisor}?"
        yield number(stem, n % divisor, most=divisor - 1)


def greatest_divisors(rng: random.Random) -> Iterator[Fact]:
    """Ask for greatest common divisors; wrong choices divide at least one of the numbers."""
    factors = [(m, n) for m in range(2, 10) for n in range(2, 10) if math.gcd(m, n) == 1]
    for divisor, at in some_pairs(rng, 44, range(4, 25), range(len(factors))):
        a, b = (divisor * factor for factor in factors[at])
        rungs = [str(d) for d in range(2, max(a, b) + 1) if a % d == 0 or b % d == 0]
        yield ladder(f"What is the greatest common divisor of {a} and {b}?", str(divisor), rungs)


# Number bases


def binary(n: int) -> str:
    """Render a number in base 2."""
    return f"{n:b}"


def hexadecimal(n: int) -> str:
    """Render a number in base 16."""
    return f"{n:X}"


def decimal_to_binary(rng: random.Random) -> Iterator[Fact]:
    """Ask how decimal numbers are written in binary."""
    for n in rng.sample(range(17, 128), 48):
        stem = f"How is the decimal number {n} written in binary?"
        yield number(stem, n, rng.choice((1, 2, 4)), render=binary)


def binary_to_decimal(rng: random.Random) -> Iterator[Fact]:
    """Ask for the decimal value of binary numbers."""
    for n in rng.sample(range(17, 256), 48):
        stem = f"What is the binary number {n:b} in decimal?"
        yield number(stem, n, rng.choice((1, 2, 4)))


def decimal_to_hexadecimal(rng: random.Random) -> Iterator[Fact]:
    """Ask how decimal numbers are written in hexadecimal."""
    for n in rng.sample(range(80, 1000), 48):
        stem = f"How is the decimal number {n} written in hexadecimal?"
        yield number(stem, n, rng.choice((1, 15, 16)), render=hexadecimal)


def hexadecimal_to_decimal(rng: random.Random) -> Iterator[Fact]:
    """Ask for the decimal value of hexadecimal numbers."""
    for n in rng.sample(range(80, 1000), 48):
        stem = f"What is the hexadecimal number {n:X} in decimal?"
        yield number(stem, n, rng.choice((1, 10, 16)))


def binary_to_hexadecimal(rng: random.Random) -> Iterator[Fact]:
    """Ask how binary numbers are written in hexadecimal."""
    for n in rng.sample(range(80, 1024), 48):
        stem = f"How is the binary number {n:b} written in hexadecimal?"
        yield number(stem, n, rng.choice((1, 15, 16)), render=hexadecimal)


# Geometry


def polygon_angles(_rng: random.Random) -> Iterator[Fact]:
    """Ask for angles of polygons, and for the polygon of an angle."""
    for sides in range(3, 31):
        stem = f"What is the sum of the interior angles of a convex polygon with {sides} sides, "
        yield number(f"{stem}in degrees?", 180 * (sides - 2), 180, least=180)
    for sides in (n for n in range(3, 121) if 360 % n == 0):
        angle = 360 // sides
        stem = f"How large is each interior angle of a regular polygon with {sides} sides, "
        yield number(f"{stem}in degrees?", 180 - angle, 1 if sides > 30 else 5, least=5, most=179)
        stem = "How many sides does a regular polygon have if each of its exterior angles is "
        yield number(f"{stem}{angle} degrees?", sides, least=3)


def diagonals(_rng: random.Random) -> Iterator[Fact]:
    """Ask for the diagonals of polygons."""
    for sides in range(5, 31):
        stem = f"How many diagonals does a convex polygon with {sides} sides have?"
        yield number(stem, sides * (sides - 3) // 2, 1 if sides < 12 else sides // 4, least=2)


def solids(rng: random.Random) -> Iterator[Fact]:
    """Ask for the faces, edges and vertices of prisms, pyramids and regular solids."""
    counted = list(REGULAR_SOLIDS)
    for n, base in BASES_OF_SOLIDS:
        counted.append((f"{base} prism", (n + 2, 3 * n, 2 * n)))
        counted.append((f"{base} pyramid", (n + 1, 2 * n, n + 1)))
    for solid, counts in counted:
        for part, count in zip(("faces", "edges", "vertices"), counts, strict=True):
            step = 1 if count < 8 else rng.choice((1, 2))
            yield number(f"How many {part} does {with_a(solid)} have?", count, step, least=3)


def rectangles(rng: random.Random) -> Iterator[Fact]:
    """Ask for areas and perimeters of rectangles that are longer than wide."""
    for turn, (width, more) in enumerate(some_pairs(rng, 64, range(4, 30), range(1, 30))):
        length = width + more
        rectangle = f"of a rectangle {length} cm long and {width} cm wide, in"
        if turn % 2:
            stem = f"What is the area {rectangle} square centimetres?"
            yield number(stem, length * width, rng.choice((1, 2, 10)), least=1)
        else:
            stem = f"What is the perimeter {rectangle} centimetres?"
            yield number(stem, 2 * (length + width), rng.choice((2, 4)), least=1)


def triangles(rng: random.Random) -> Iterator[Fact]:
    """Ask for the third angle of triangles, and for the hypotenuse of right-angled ones."""
    for a, b in some_pairs(rng, 36, range(20, 81), range(20, 81)):
        stem = f"Two angles of a triangle are {a} and {b} degrees; what is the third, in degrees?"
        yield number(stem, 180 - a - b, rng.choice((1, 5, 10)), least=1)
    for times, at in some_pairs(rng, 20, range(1, 6), range(len(RIGHT_TRIANGLES))):
        short, middle, long = (side * times for side in RIGHT_TRIANGLES[at])
        stem = f"A right-angled triangle has legs of {short} cm and {middle} cm; "
        yield number(f"{stem}how long is its hypotenuse, in centimetres?", long, least=1)


# Alphabet and order


def letter(n: int) -> str:
    """Render the nth letter of the alphabet.

    >>> letter(1), letter(26)
    ('A', 'Z')
    """
    return chr(ord("A") + n - 1)


def letters_by_place(rng: random.Random) -> Iterator[Fact]:
    """Ask for letters by their place, or by their distance from another letter."""
    for n in range(5, 27):
        stem = f"What is the {ordinal(n)} letter of the English alphabet?"
        yield number(stem, n, least=5, most=26, render=letter)
    for n, places in some_pairs(rng, 60, range(5, 27), range(4, 13)):
        if n + places <= 26:
            stem = f"Which letter of the English alphabet comes {places} places after {letter(n)}?"
            yield number(stem, n + places, least=5, most=26, render=letter)
        if n - places >= 5:
            stem = f"Which letter of the English alphabet comes {places} places before {letter(n)}?"
            yield number(stem, n - places, least=5, most=26, render=letter)


def places_of_letters(rng: random.Random) -> Iterator[Fact]:
    """Ask for the place of each letter, and for the number of letters between two."""
    for n in range(1, 27):
        stem = f"At which position of the English alphabet is the letter {letter(n)}?"
        yield number(stem, n, least=1, most=26)
    for n, between in some_pairs(rng, 30, range(1, 16), range(2, 11)):
        first, last = letter(n), letter(n + between + 1)
        stem = f"How many letters of the English alphabet come between {first} and {last}?"
        yield number(stem, between)


def words_in_order(rng: random.Random) -> Iterator[Fact]:
    """Ask for the first or the last word of four in alphabetical order."""
    for line in WORDS.split("\n")[1:-1]:
        for place, at in (("first", 0), ("last", -1)) * 2:
            words = sorted(rng.sample(line.split(), 4))
            stem = f"Which of these words comes {place} in alphabetical order"
            yield one_of(f"{stem}: {listed(rng, words)}?", words[at], words)


def letters_of_words(rng: random.Random) -> Iterator[Fact]:
    """Ask for letters of words, but never for those which also name choices."""
    usable = {word: sorted(set(word) - set("abcd")) for word in WORDS.split()}
    for word in rng.sample([word for word, letters in usable.items() if len(letters) >= 4], 80):
        right = rng.choice([text for text in usable[word] if text != word[0]])
        stem = f"What is the {ordinal(word.index(right) + 1)} letter of the word {word}?"
        yield one_of(stem, right, usable[word])


SUBJECTS: tuple[tuple[str, tuple[Form, ...]], ...] = (
    ("chemical elements", (element_symbols, element_names, element_numbers)),
    ("capitals", (capitals_of_countries, countries_of_capitals)),
    ("unit conversions", (metric_units, counted_units, inch_units)),
    ("arithmetic", (sums, differences, products, quotients, percentages)),
    (
        "calendar",
        (
            weekdays_of_dates,
            weekdays_later,
            month_lengths,
            days_between,
            leap_years_after,
            leap_years_before,
        ),
    ),
    ("roman numerals", (numerals_written, numerals_read, numerals_added)),
    (
        "number properties",
        (squares, square_roots, primes, smallest_factors, remainders, greatest_divisors),
    ),
    (
        "number bases",
        (
            decimal_to_binary,
            binary_to_decimal,
            decimal_to_hexadecimal,
            hexadecimal_to_decimal,
            binary_to_hexadecimal,
        ),
    ),
    ("geometry", (polygon_angles, diagonals, solids, rectangles, triangles)),
    ("alphabet and order", (letters_by_place, places_of_letters, words_in_order, letters_of_words)),
)


# From facts to questions


def generator(*names: str) -> random.Random:
    """Make the random generator of one part, so that no part moves the others."""
    return random.Random("/".join((SEED, *names)))


def pick_rank(fact: Fact, used: Counter[int], rng: random.Random) -> int | None:
    """Pick how many wrong choices shall be smaller: the count used least of those possible."""
    if fact.smaller is None:
        return None
    most = min(3, fact.smaller)
    least = max(0, 3 - (len(fact.wrong) - fact.smaller))
    rank = min(rng.sample(range(least, most + 1), most + 1 - least), key=used.__getitem__)
    used[rank] += 1
    return rank


def pick_wrong(fact: Fact, rank: int | None, rng: random.Random) -> list[str]:
    """Pick three wrong choices: the neighbours that give the rank, or any if there is no order."""
    if fact.smaller is None or rank is None:
        return rng.sample(fact.wrong, 3)
    start = fact.smaller - rank
    return list(fact.wrong[start : start + 3])


def build_question(
    subject: str, fact: Fact, answer: str, used: Counter[int], rng: random.Random
) -> Question:
    """Put the right choice at its letter and three wrong ones, shuffled, around it."""
    rank = pick_rank(fact, used, rng)
    choices = pick_wrong(fact, rank, rng)
    rng.shuffle(choices)
    choices.insert(LETTERS.index(answer), fact.right)
    return Question(
        subject=subject, stem=fact.stem, choices=tuple(choices), answer=answer, rank=rank
    )


def build_subject(subject: str, forms: Sequence[Form], letters: Iterator[str]) -> list[Question]:
    """Build the questions of a subject; letters are dealt evenly, then shuffled.

    A fact whose right choice is itself a letter from A to D is dropped: the symbol of carbon beside
    a choice named C would test the reader, not the model.
    """
    facts = [
        (form, fact)
        for form in forms
        for fact in form(generator(subject, form.__name__))
        if fact.right not in LETTERS
    ]
    rng = generator(subject)
    answers = list(islice(letters, len(facts)))
    rng.shuffle(answers)
    used: dict[Form, Counter[int]] = {form: Counter() for form in forms}
    return [
        build_question(subject, fact, answer, used[form], rng)
        for (form, fact), answer in zip(facts, answers, strict=True)
    ]


def build_questions() -> list[Question]:
    """Build all questions, subjects mixed; one deal of letters runs through all subjects."""
    letters = cycle(LETTERS)
    questions = [q for subject, forms in SUBJECTS for q in build_subject(subject, forms, letters)]
    assert len({q.stem for q in questions}) == len(questions), "a stem occurs twice"
    generator("order").shuffle(questions)
    return questions


def render_line(position: int, question: Question) -> str:
    """Render a question as a line of JSON; position counts from 1."""
    record = {
        "id": f"facts-{position:04}",
        "subject": question.subject,
        "question": question.stem,
        "choices": question.choices,
        "answer": question.answer,
    }
    return json.dumps(record, ensure_ascii=True) + "\n"


def render_summary(questions: Sequence[Question]) -> str:
    """Render a table: questions, answer letters and ranks of the right choice per subject."""
    ranks = (0, 1, 2, 3, None)
    heads = ("questions", *LETTERS, "smallest", "2nd", "3rd", "largest", "no order")
    lines = [f"{'subject':20}" + "".join(f"{head:>10}" for head in heads)]
    for subject in (*(name for name, _ in SUBJECTS), "all"):
        chosen = [q for q in questions if subject in (q.subject, "all")]
        answers, placed = Counter(q.answer for q in chosen), Counter(q.rank for q in chosen)
        counts = (len(chosen), *(answers[a] for a in LETTERS), *(placed[rank] for rank in ranks))
        lines.append(f"{subject:20}" + "".join(f"{count:10}" for count in counts))
    return "\n".join(lines)


def main() -> None:
    """Write the file, and print how the right choices are spread."""
    parser = argparse.ArgumentParser(description="Write a question set made from facts.")
    parser.add_argument("out", nargs="?", type=Path, default=DEFAULT_OUT, help="file to write")
    out: Path = parser.parse_args().out
    questions = build_questions()
    lines = [render_line(position, q) for position, q in enumerate(questions, start=1)]
    out.write_text("".join(lines), encoding="ascii", newline="\n")
    print(render_summary(questions))


if __name__ == "__main__":
    main()
