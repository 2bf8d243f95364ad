"""The wordings that the prose checker refuses, and what to write instead."""

from __future__ import annotations

from dataclasses import dataclass

#: Where a sentence starts.
START = r"(?:^|(?<=[.:!] )|(?<=\| )|(?<=- ))"


@dataclass(frozen=True)
class Rule:
    """A wording to avoid.

    Attributes:
        pattern: A regular expression for the wording; case counts.
        better: What to write instead.
        example: A sentence that breaks the rule.
        code: Whether the rule applies to modules, where descriptions are often clauses.
    """

    pattern: str
    better: str
    example: str
    code: bool = True


RULES = (
    Rule(r"[Aa]nswer(s|ed|ing)?\b", "response, to respond", "The answer has no body."),
    Rule(r"[Mm]oments?\b", "time, or instant", "The moment of the last run."),
    Rule(r"\btold\b", "reported, or stated", "The limit is not told."),
    Rule(r"\bSay whether\b", "Return whether", "Say whether a page is the last."),
    Rule(r"\b[Ll]ikewise\b", "a description of its own", "other: Likewise."),
    Rule(r"\bnobody's\b", "who may use it, and when", "The file is nobody's."),
    Rule(r"\bwish(es|ed)?\b", "to want, to ask for", "What the reader wishes."),
    Rule(r"\b([Tt]here(of|in|by|upon)|[Ww]hence|[Hh]itherto)\b", "it, or this", "A part thereof."),
    Rule(
        rf"{START}Of (a|an|the|all|each|what|those|some)\b",
        "the subject first",
        "Of a key, the last value counts.",
    ),
    Rule(
        rf"{START}What (?!if\b|to\b|it does\b)(?![^.\n]*\?)[a-z']+\b",
        "name the thing, as the subject",
        "What is missing is read again.",
        code=False,
    ),
    Rule(
        rf"{START}(Whatever|Who|Whoever)\b(?![^.\n]*\?)",
        "name the thing or the person",
        "Whatever waits is read.",
        code=False,
    ),
    Rule(r"\banew\b", "again, or from the start", "The table is made anew."),
    Rule(r"\bin the midst of\b", "during", "Killed in the midst of a commit."),
    Rule(r"\bfor ever\b", "forever, or always", "The server fails for ever."),
    Rule(r"\b(is|are) not to be had\b", "is not supported", "LOG_BASED is not to be had."),
    Rule(r"\b(is|are) said\b", "the log shows", "It is said once."),
    Rule(r"\bin vain\b", "needlessly", "None is sent in vain."),
    Rule(r"\bat hand\b", "available", "No account was at hand."),
    Rule(r"\b(goes|go|went|going) on\b", "continues", "The run goes on."),
    Rule(r"\bbut for\b", "except", "All but for one."),
    Rule(r"\bbeside\b", "next to, with", "The reason stands beside it."),
    Rule(
        r"\bst(and|ands|ood) (there|beside|behind|before|on|in|between|above|below|here)\b",
        "is, or: the page lists",
        "The settings stand on the page.",
    ),
    Rule(r"\b[Aa]llowances?\b", "rate limit", "The allowance is used up."),
    Rule(r"\ba(nother)? [a-z]+ more\b(?! \w+ than)", "one more", "Adding a stream more."),
    Rule(r"\bseldom\b", "rarely", "It is seldom deleted."),
    Rule(r"\b[Mm]eanwhile\b", "while ...", "Meanwhile the file is closed."),
    Rule(r"\b[Cc]an not\b", "can't", "It can not be read."),
    Rule(r"\b[Uu]pon\b", "on", "Upon a failure."),
    Rule(r"\bto be rid of\b", "to remove", "A way to be rid of them."),
    Rule(r"\b(begins?|began) to\b", "the verb alone", "It begins to read."),
    Rule(r"\bthe like\b", "name the others", "The disk is full, or the like."),
    Rule(r"\ball the same\b", "anyway, or equal", "It is read all the same."),
    Rule(r"\b[Ww]hoever\b(?![^.\n]*\?)", "anyone who, or the person", "Read by whoever asks."),
    Rule(r"\bbrothers?\b", "name the other", "As its brothers do."),
    Rule(
        r"\b(?<![Tt]here )(is|are) no (?!longer\b|more\b|less\b|later\b)[a-z]+(?! more)",
        "is not a ...",
        "A key that is no text.",
    ),
    Rule(r"\bmakes? an? error of\b", "treats as an error", "It makes an error of it."),
)
