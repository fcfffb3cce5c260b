"""English phrases, as patterns: lower case, an apostrophe is ``'``, ``[a-z]+`` any word.

A phrase that is added or taken away changes a feature's numbers: raise its version.
"""

from __future__ import annotations

# What may stand before the first word: white space, quotes, Markdown's signs.
_START = r"\A[\s\"'*_>#-]*"
_ADJECTIVE = (
    "(?:great|good|excellent|fantastic|wonderful|interesting|fascinating|brilliant|insightful|thoughtful|important|amazing|awesome|lovely"
    "|fun|intriguing|clever|perfect|delightful)"
)
_ASKED = "(?:idea|point|choice|topic|request|thought|observation|thought experiment|scenario|task|challenge|project|suggestion|gesture)"
_HAVE = "(?:a|an|any|the|specific|enough|real-time|direct|actual)"
_LACKED = "(?:access|ability|abilities|information|personal|opinions?|feelings?|emotions?|capabilit(?:y|ies)|preferences|experiences?|real-time)"


def any_of(*phrases: str, start: str = "") -> str:
    """A pattern of any of these phrases as whole words, whatever case; at ``start`` alone, where that is given."""
    return rf"(?i-u){start}\b(?:{'|'.join(phrases)})\b"


REFUSAL = any_of(
    "(?:(?:hello|hi|oh no|oh|well)[,!.]* )?(?:i am|i'm|we are|we're)? ?(?:very |so |really |truly |deeply |terribly )?sorry",
    "(?:i|we) (?:do |must |sincerely |deeply )?apologi[sz]e",
    "(?:my|our|please accept my) (?:sincere |deepest )?apolog(?:y|ies)",
    "apologies",
    "(?:i|we) (?:cannot|can't|can not|won't|will not|am not able|am unable|are not able|are unable)",
    "i'm (?:not able|unable|afraid)",
    "i (?:do not|don't) feel comfortable",
    f"i (?:do not|don't) (?:actually |currently )?have (?:{_HAVE} )*{_LACKED}",
    "as an? (?:[a-z]+ ){0,3}(?:ai|language model|llm|assistant)",
    "(?:i am|i'm) (?:just |only )?an? (?:[a-z]+ )?(?:ai|language model|llm)",
    "unfortunately",
    start=_START,
)
FLATTERY = any_of(
    f"{_ADJECTIVE} question",
    f"(?:what an?|that's an?|that is an?|this is an?|such an?) (?:[a-z]+ )?{_ADJECTIVE} (?:[a-z]+ )?{_ASKED}",
    "what an? (?:[a-z]+,? ){1,4}question",
    "you're (?:absolutely |completely |so |totally )?right",
    "i (?:really )?love (?:this|that|your) (?:idea|question|topic)",
) + "|" + any_of(f"{_ADJECTIVE} (?:{_ASKED}|job|work)", start=_START)  # fmt: skip
OFFER = any_of(
    "let me know",
    "hope (?:this|that|it|these) (?:[a-z]+ ){0,3}(?:help|helps|helped|helpful|clarifies|clarify|answers|assists)",
    "feel free to",
    "(?:happy|glad|here|ready) to (?:help|assist|answer|provide|explain|elaborate)",
    "you have any (?:[a-z]+ ){0,3}(?:questions|concerns)",
    "(?:don't|do not) hesitate",
    "would you like (?:me|to|more|help)",
    "do you want me to",
    "anything else (?:i can|you)",
    "how (?:else )?(?:can|may) i (?:help|assist)",
)
HEDGES = any_of(
    *("perhaps", "maybe", "might", "possibly", "probably", "likely", "unlikely", "presumably", "apparently", "arguably", "seemingly"),
    *("roughly", "approximately", "seems?", "appears? to", "could be", "may be", "may have", "tends? to", "in general", "generally"),
    *("typically", "usually", "often", "sometimes", "somewhat", "it depends", "depending on", "i think", "i believe", "i guess"),
    *("i suppose", "in my opinion", "to my knowledge", "as far as i know", "not sure", "uncertain", "unclear"),
)  # fmt: skip
FIRST_PERSON = r"(?-u)\b(?:I|[Mm](?:e|y|ine|yself))\b"
