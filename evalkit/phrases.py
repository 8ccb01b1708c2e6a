"""The words around an answer, in the languages of models: announced, denied, doubted, taken back.

Every pattern is for lower-case text without markup. A word that is missing here costs an answer,
which is then unparsed, and makes no wrong one. A word too many can: before adding one, think of a
sentence that has it before a letter and is no answer.
"""

from __future__ import annotations

import re


def any_of(*phrases: str) -> str:
    """A pattern for any of the phrases, as whole words in scripts that write words apart.

    Args:
        phrases: phrases divided by white space; "_" stands for a space within one.

    Example:
        >>> re.findall(any_of("is must_be", "是"), "this must be; it is 是B")
        ['must be', 'is', '是']
    """
    words = [re.escape(word).replace("_", r"\s") for word in " ".join(phrases).split()]
    apart = "|".join(word for word in words if word[-1] < "\u2e80")
    joined = "|".join(word for word in words if word[-1] >= "\u2e80")
    # One look behind for all the words, not one for each, is ten times as fast.
    return rf"(?:(?<![^\W_])(?:{apart or '(?!)'})(?![^\W_])|{joined or '(?!)'})"


# -- Kinds of words --------------------------------------------------------------------------

ANSWER = any_of(
    "answer ans choice option pick selection solution response guess antwort lösung réponse",
    "reponse respuesta opción risposta opzione resposta opção alternativa antwoord optie odpowiedź",
    "odpověď svar svaret ответ вариант відповідь cevap yanıt jawaban jawabannya đáp_án",
    "الإجابة الجواب उत्तर 答案 选项 選項 答え 回答 正解 정답 답",
)
LETTER = any_of("letter buchstabe lettre letra lettera буква")
NOUN = rf"(?:{ANSWER}|{LETTER}|{any_of('number')})"
ADJECTIVE = any_of(
    "correct right best final closest selected chosen richtige correcte bonne correcta correta",
    "corretta juiste poprawna prawidłowa верный правильный правильна doğru správná rätt",
)
COPULA = any_of(
    "is will_be should_be must_be has_to_be ought_to_be is_still seems_to_be appears_to_be",
    "would_be ist lautet est es è é_a é_o é är er adalah là jest это",
    "为 為 应为 應為 是 应该是 选 應選 应选 は 은 는",
)
ADVERB = any_of(
    "probably likely most_likely clearly definitely certainly obviously therefore thus then still",
    "now actually indeed simply only wahrscheinlich also donc probablement probablemente quindi",
)
ARTICLE = any_of("the la el il die der den de het")
OPENER = any_of("yes ok okay sure well certainly absolutely alright right easy simple")
AND = any_of("and or and/or und oder et ou y o e en i lub и или ve veya 和 或 と")
BECAUSE = any_of(
    "because since as not and_not but which while rather_than instead_of with",
    "weil denn da car parce porque pues pois perché omdat want ponieważ bo потому так çünkü",
)
CORRECT = any_of(
    "correct right richtig korrekt correcte correcto correcta corretto corretta correto juist",
    "poprawna правильный правильно верно верный doğru 正确 正確 正しい 正解 정답 맞",
)
WRONG = any_of(
    "wrong incorrect false falsch faux falso falsa errado errada неверно yanlış 错 錯 ❌ ✗ ✘",
)
DENIAL = any_of(
    "not unlikely hardly doubt doubtful cannot never neither nor none nobody mistake except",
    "anything_but might may could nicht kein weder pas non no não nao niet nie не нет değil 不",
)

# -- What comes right before a label or a text -----------------------------------------------

FILLER = rf"(?:[\s:,]*+(?:{ADVERB}|{ARTICLE}))*+[\s:,]*+"
GAP = rf"(?:,?\s(?!{COPULA}|{DENIAL}|{WRONG}|[b-hj-z]\s)[\w'-]{{1,25}}+){{0,8}}?,?\s?"
POINTER = r"\s*[\])]?\s*(?:[:=→]|[=-]>|[–—-]\s|(?<=\bans)\.)"
STATED = (
    # the answer to this question is
    rf"(?<!this\s)(?:{ANSWER}|{ADJECTIVE}\s(?:one|value|match|statement|alternative)\b)"
    rf"{GAP}{COPULA}\s*[:=]?"
    # answer: / respuesta correcta:
    rf"|(?:{ANSWER}|{LETTER})(?:\s(?:{ADJECTIVE}|{NOUN}))?(?:{POINTER}|\s{COPULA}\s*[:=]?)"
    r"|\bodpowiedź\sto\b"
)
CHOSEN = (
    r"\b(?:let's|(?:i|we)(?:'ll|'d|'m|\swould|\swill|\sam)?)\s(?:choose|select|pick|say|answer"
    r"|guess|think|believe|conclude|go\swith|going\swith|go\sfor|vote\sfor|opt\sfor|settle\son)\b"
    r"(?:\sthat\b)?|"
    + any_of("je_choisis ich_wähle elijo scelgo escolho ik_kies wybieram выбираю 选择 選擇 选 選")
)
POINTED = r"\bit(?:'s|\sis|\smust\sbe|\sshould\sbe|\shas\sto\sbe)(?!\w)|\bc'est\b"
CONCLUDED = (
    any_of("so therefore thus hence elimination left_with leaves leaving donc quindi")
    + rf"|\b(?:which|this|that)\sis\s(?={NOUN}\s\(?[a-z\d](?!\w))"
    r"|\b(?:corresponds\sto|points\sto|matches)\b"
)
REVISED = (
    any_of(
        "wait actually correction edit sorry oops hmm scratch_that on_second_thought",
        "on_second_thoughts i_mean i_meant make_that switch_to rather",
        "sondern nein нет 而是 不对",
    )
    + r"|\bno(?=\s*[,.:;!–—-])|\bchange\smy\sanswer\sto\b"
    r"|\banswer\schange[sd]\s(?:from\s\(?\w\)?\s)?to\b"
    # not A but / Aではなく
    r"|\bnot\s\(?\w\)?,?\sbut\b|(?<![a-z\d])[a-z\d]\)?(?:ではなく|が?\s?아니라)"
)
ANNOUNCED = re.compile(
    rf"(?:(?P<stated>{STATED})|(?P<chosen>{CHOSEN})|(?P<pointed>{POINTED})"
    rf"|(?P<concluded>{CONCLUDED})|(?P<revised>{REVISED})[\s.;!–—-]*)(?P<filler>{FILLER})"
)

# -- What is said of a label -----------------------------------------------------------------

VERDICT = (
    rf"\s?(?:选项|選項)?\s?(?:{COPULA}|seems|looks|が|가|이|(?=[\u2e80-\uffff]))"
    rf"(?:\s(?:also|{ADVERB}))*\s?"
    rf"(?:{CORRECT}|(?<=also\s)(?:plausible|possible|acceptable|valid)\b"
    rf"|(?:the|my|la|die|de)\s(?:(?:{ADJECTIVE}|{ADVERB})\s)*(?:{NOUN}|one\b))"
)
TICK = rf"(?P<right>{any_of('true yes ✅ ✔ ✓ ☑')}|{CORRECT})|{WRONG}"

# -- What makes a statement none -------------------------------------------------------------

SENTENCE_STARTS = re.compile(
    r"[.!?;\n]|(?<!not\s)"
    + any_of(
        "but so therefore hence thus however yet aber daher donc mais pero sino quindi portanto но",
        "поэтому maar więc 但 而 所以 因此 故",
    )
)
DENIED = re.compile(rf"{DENIAL}|{WRONG}|n't(?!\w)")
UNSURE = re.compile(
    any_of(
        "if whether suppose supposing assume assuming unless imagine perhaps maybe possibly",
        "supposedly allegedly says claims believes thinks wenn falls ob vielleicht peut-être",
        "quizás forse talvez если возможно eğer belki 如果 假设 可能 也许 もし 만약",
    )
    + r"|\A\s*s[ie]\b"
    # some students think that
    r"|\b(?:some|many|most|others|people|students|one|you|they)\b(?:\s\w+){0,3}?"
    r"\s(?:say|think|believe|claim|argue|assume|guess|choose|answer|said|thought)\b"
    # the tempting [answer is]
    r"|\b(?:each|every|another|other|tempting|naive|common|popular|trick|previous|typical)\s\Z"
)
UNSAID = re.compile(
    # B if ...
    r"[\s,]*(?:only\s)?"
    + any_of("if unless when provided wenn falls si se если")
    # B: wrong
    + rf"|[^\S\n]?(?:[):,|(–—-]|\.?\n+\s?[-*•])?[^\S\n]?{WRONG}"
    # B ... ?
    r"|!?[^.!?\n]{0,300}\?"
    # B is not, where the verb comes last
    r"|(?:가|이|은|는)?\s?아[니닙]|(?:では|じゃ)\s?(?:ありません|ない|なく)|\sdeğil"
)
WITHDRAWN = re.compile(
    r"(?:\A|[.!?,;:\n–—-])[^\S\n]?(?:(?:no\s)?wait|hm+|no(?=\s*[,.:;!–—-])|scratch\sthat"
    r"|on\ssecond\sthoughts?|correction|or\srather|oops)(?!\w)"
    # that is not right / but it's not.
    r"|(?:(?:\A|[.!?;,\n])[^\S\n]?(?:that|this|which)|\bbut\s(?:that|this|it))(?:\s(?:is|was)|'s)?"
    r"\s?(?:not(?=\s*[.,;!\n])|(?:(?:not|n't|can't|cannot)\s)?(?:be\s)?"
    r"(?:right|correct|wrong|incorrect|a\smistake)(?!\w))"
)

# -- What is not the reply's own answer ------------------------------------------------------

NEXT_QUESTION = re.compile(
    r"\n[ #*>-]{0,8}(?:next\s|new\s)?"
    r"(?:question|q|problem|human|user|frage|pregunta|вопрос|问题)\s?\d*\s?:"
)
LIST_FOLLOWS = re.compile(
    r"\b(?:each|every|options|choices|following|one\sby\sone|step\sby\sstep)\b[^.!?\n]*[.:!]?\s*\Z"
)
