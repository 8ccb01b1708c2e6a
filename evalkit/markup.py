"""Replies without their markup: Markdown, LaTeX, JSON, tags, and letters in fancy dress."""

from __future__ import annotations

import re
import unicodedata

PLAIN = re.compile(r"[A-Za-z0-9 .,;:()%+/=?!-]*")  # nothing below changes these
INVISIBLE = re.compile("[\u00ad\u200b-\u200f\u202a-\u202e\u2060-\u2064\u20e3\ufe0e\ufe0f\ufeff]")
SUPERSCRIPT = re.compile("[⁰¹²³⁴-⁹⁺⁻]+")  # NFKC alone would make 102 of 10²
CHARACTERS = str.maketrans(
    dict.fromkeys('"“”„«»「」『』', "")
    | {"‘": "'", "’": "'", "−": "-", "【": "[", "】": "]", "〔": "(", "〕": ")"}
    | {"。": ". ", "、": ", ", "।": ". ", "؟": "?"}
)
SINGLE_QUOTE = re.compile(r"(?<!\w)'|'(?!\w)")  # one within a word is an apostrophe
SPACES = re.compile(r"[^\S\n]+")
LINE_BREAK = re.compile(r" ?\n ?")
BLANK_LINES = re.compile(r"\n{3,}")

THINKING = re.compile(r"<(think(?:ing)?)>.*?(?:</\1>|\Z)", re.DOTALL | re.IGNORECASE)
THINKING_ENDS = re.compile(r"</think(?:ing)?>", re.IGNORECASE)
STRUCK_OUT = re.compile(r"~~[^~]*~~|<(s|del)>[^<]*</\1>")
TURN_ENDS = re.compile(r"(?<=[^\s>])\s*(?:<\|(?:im_end|eot_id|end\w*)\|>|</s>|<end_of_turn>)")
SPECIAL_TOKEN = re.compile(r"<\|\w{1,30}\|>")
ANSWER_TAG = re.compile(r"[<\[【](?:final[_ ]?)?(?:answer|答案)[>\]】]:?", re.IGNORECASE)
TAG = re.compile(r"</?[a-z][a-z0-9_ -]*/?>|\[/answer\]", re.IGNORECASE)
JSON_KEY = re.compile(r"""(?<!\w)(["'])(\w{1,30})\1\s?:""")

LATEX_FONT = re.compile(
    r"\\(?:text|textbf|textit|texttt|mathrm|mathbf|mathsf|bf|rm)\s?\{([^{}]*)\}"
)
LATEX_BOX = re.compile(r"\\f?box(?:ed)?\s?\{([^{}]*)(?:\}|\Z)")
LATEX_MATHS = re.compile(r"\\[()\[\],;! ]|\$")

EMPHASIS = re.compile(r"(?<![\w*])\*(?![\s*])([^*\n]+)(?<!\s)\*(?!\w)|(?<!\w)_([^_\n]+)_(?!\w)")
CHECKBOX = re.compile(r"^[^\S\n]*[-*+] \[([ xX])\]", re.MULTILINE)
MARKDOWN = re.compile(
    r"\*{2,} | _{2,} | ```\w* | `+ | ^[ \t]{0,3}(?:\#{1,6}|>+)(?=\s|$)",
    re.MULTILINE | re.VERBOSE,
)


def strip_markup(text: str) -> str:
    r"""Write a reply as plain text in which a marked answer reads `answer: B`.

    Left out are thinking between tags, text that is struck out, quotation marks, and whatever
    follows the token that ends a turn. Full-width and other styled forms of a letter become the
    plain letter; letters of other alphabets that only look alike, such as a Cyrillic one, stay
    what they are. JSON becomes lines of `key: value`.

    Example:
        >>> strip_markup("**Ｂ**"), strip_markup(r"So $\boxed{\text{B}}$").split()
        ('B', ['So', 'answer:', 'B'])
    """
    if PLAIN.fullmatch(text):
        return SPACES.sub(" ", text).strip()
    text = SUPERSCRIPT.sub(lambda run: "^" + unicodedata.normalize("NFKC", run[0]), text)
    text = INVISIBLE.sub("", unicodedata.normalize("NFKC", text))
    text = THINKING_ENDS.split(THINKING.sub(" ", text))[-1]
    text = TURN_ENDS.split(STRUCK_OUT.sub(" ", text), maxsplit=1)[0]
    text = TAG.sub(" ", ANSWER_TAG.sub("\nanswer: ", SPECIAL_TOKEN.sub(" ", text)))
    text = CHECKBOX.sub(lambda box: "❌" if box[1] == " " else "✅", text)
    text = JSON_KEY.sub(r"\n\2:", text).translate(CHARACTERS)
    for _ in range(3):
        text = LATEX_FONT.sub(r"\1", text)
    text = LATEX_MATHS.sub("", LATEX_BOX.sub(r"\nanswer: \1\n", text))
    text = MARKDOWN.sub("", EMPHASIS.sub(r"\1\2", text))
    text = LINE_BREAK.sub("\n", SPACES.sub(" ", SINGLE_QUOTE.sub("", text)))
    return BLANK_LINES.sub("\n\n", text).strip()


def fold(text: str) -> str:
    """A text as it is compared with others: no markup, case, outer punctuation or wide spaces.

    Example:
        >>> fold(' "The  Amazon." ')
        'the amazon'
    """
    text = " ".join(lower_case(strip_markup(text)).split()).lstrip(" ,;:!").rstrip(" .,;:")
    return re.sub(r"(?<=[^\W\d])!+$", "", text)  # 5! is a number


def lower_case(text: str) -> str:
    """Small letters, each in the place of its capital.

    Example:
        >>> len("İstanbul".lower()), len(lower_case("İstanbul"))
        (9, 8)
    """
    lower = text.lower()
    if len(lower) == len(text):
        return lower
    return "".join(low if len(low := letter.lower()) == 1 else letter for letter in text)
